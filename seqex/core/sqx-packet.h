/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A packet while it is built: the bytes, and a record of each frame that its fate matters to.
 */
#pragma once

#include "sqx-sent.h"
#include "sqx-wire.h"

typedef struct
{
  sqx_writer writer;
  size_t     full_size; /* what an empty packet of this connection could hold, header included */
  size_t     count;
  size_t     most;      /* of them; at most SQX_PACKET_RECORDS */
  bool       eliciting; /* carries something that the peer acknowledges */
  sqx_record records[SQX_PACKET_RECORDS];
} sqx_packet;

static inline bool
sqx_packet_full (const sqx_packet *packet)
{
  return packet->count >= packet->most;
}

/* Notes a frame that was just written. The caller has checked sqx_packet_full(). */
static inline void
sqx_packet_note (sqx_packet *packet, const sqx_record *record)
{
  packet->records[packet->count++] = *record;
  if (record->kind != SQX_RECORD_ACK)
    packet->eliciting = true;
}
