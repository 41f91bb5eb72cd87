/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ends that are to be sent: gathered by channel and reason, so that a run of them is one
 * entry of one frame.
 */
#pragma once

#include "sqx-channel.h"
#include "sqx-packet.h"

typedef struct
{
  sqx_node channels; /* sqx_channel.ends_node: those with something to send */
  bool     due;      /* at least one goes out now */
  uint64_t deadline; /* when those that wait for a packet go out alone; SQX_TIME_NEVER: none */
} sqx_ends;

void sqx_ends_init (sqx_ends *ends);
/* Adds @number to what is to be sent. @at: when it is due at the latest. false: no memory. */
bool sqx_ends_add  (sqx_ends *ends, sqx_channel *channel, sqx_end_reason reason, uint64_t number,
                    uint64_t at);
/* An acknowledged number need not be sent again. */
void sqx_ends_remove (sqx_ends *ends, sqx_channel *channel, sqx_end_reason reason, uint64_t first,
                      uint64_t run);
bool sqx_ends_due  (const sqx_ends *ends, uint64_t now);
/* Writes what fits. */
void sqx_ends_pack (sqx_ends *ends, sqx_packet *packet);
