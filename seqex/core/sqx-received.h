/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The record of a message of the peer, from its first byte until its answer is settled.
 */
#pragma once

#include "sqx-channel.h"
#include "sqx-pool.h"
#include "sqx-reassembly.h"

typedef struct sqx_session sqx_session;

typedef enum
{
  SQX_INCOMING_PARTIAL, /* some bytes are there */
  SQX_INCOMING_WHOLE,   /* waits for lower numbers */
  SQX_INCOMING_READY,   /* delivered; waits for the program in a queue or in an event */
  SQX_INCOMING_TAKEN,   /* the program has it */
  SQX_INCOMING_ENDED,   /* answered by an end that is not acknowledged yet */
} sqx_incoming_state;

struct sqx_incoming
{
  sqx_node       node;     /* channel->gated or ->ready */
  sqx_event_node event;    /* CANCELLED */
  sqx_session   *session;  /* NULL after the session was lost */
  sqx_channel   *channel;
  uint32_t       incarnation;
  uint32_t       channel_id;
  uint64_t       number;
  uint64_t       reply_to;
  uint64_t       stamp;    /* order of delivery over all channels */
  uint64_t       total;
  sqx_reassembly body;
  sqx_outgoing  *answer;   /* the reply to it, not answered itself */
  sqx_outgoing  *wait;     /* READY replies: whose event brings it */
  uint8_t        state;    /* sqx_incoming_state */
  uint8_t        reason;   /* ENDED */
  bool ordered : 1;
  bool final : 1;
  bool is_reply : 1;
  bool peer_started : 1;   /* the exchange was started by the peer */
  bool delivered : 1;
  bool returned : 1;       /* its byte credit went back */
  bool cancelled : 1;      /* by the peer, and the program was told */
};

/* Nobody will read it, or it was read: its credit goes back, what arrived is given up. */
void sqx_received_return_bytes (sqx_incoming *message, uint64_t now);
void sqx_received_drop_body    (sqx_incoming *message);
/* Gives a record to @pool (NULL: frees it) that is out of the session and of every queue. */
void sqx_received_free_if_done (sqx_incoming *message, sqx_pool *pool);
