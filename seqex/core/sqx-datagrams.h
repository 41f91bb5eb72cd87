/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unconfirmed datagrams: a short queue each way.
 */
#pragma once

#include "sqx-events.h"
#include "sqx-packet.h"

typedef struct
{
  sqx_event_node event;
  size_t         size;
  uint8_t        data[];
} sqx_received_datagram;

typedef struct
{
  sqx_node outgoing; /* waiting to be sent */
  unsigned n_outgoing;
  unsigned n_incoming; /* in the event queue */
} sqx_datagrams;

void sqx_datagrams_init  (sqx_datagrams *datagrams);
/* Drops what waits to be sent. */
void sqx_datagrams_clear (sqx_datagrams *datagrams, const sqx_config *config);

/* QUEUE_FULL, NO_MEMORY. */
sqx_result sqx_datagrams_submit (sqx_datagrams *datagrams, const sqx_config *config,
                                 const sqx_payload *payload);
/* Size of the one that is next, SIZE_MAX if none. */
size_t     sqx_datagrams_next_size (const sqx_datagrams *datagrams);
/* Writes those that fit; returns how many. */
unsigned   sqx_datagrams_pack   (sqx_datagrams *datagrams, const sqx_config *config,
                                 sqx_packet *packet);
/* Drops those of more than @limit bytes, which could never go and would hold up all others; returns
 * how many. */
unsigned   sqx_datagrams_drop_larger (sqx_datagrams *datagrams, const sqx_config *config,
                                      size_t limit);
/* Puts one into the event queue; false: the queue is full or memory short. */
bool       sqx_datagrams_receive (sqx_datagrams *datagrams, sqx_node *events,
                                  const uint8_t *data, size_t size);
/* Takes the payload out of its event (malloc()ed, NULL when it is empty), which is gone then. */
void       sqx_datagrams_take   (sqx_datagrams *datagrams, sqx_received_datagram *received,
                                 uint8_t **data, size_t *size);
