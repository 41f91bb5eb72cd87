/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One channel: a number space and an order of its own in each direction.
 */
#pragma once

#include "sqx-events.h"
#include "sqx-index.h"
#include "sqx-ranges.h"
#include "sqx-util.h"
#include "sqx.h"

typedef struct sqx_incoming sqx_incoming;

typedef struct
{
  uint32_t id;
  uint32_t field;       /* its name in frames and records */
  uint8_t  priority;
  bool     opened;      /* the program gave it a queue of its own */
  bool     serialized;

  /* Sending. */
  uint64_t  next_number; /* the next message to begin gets it */
  sqx_index outgoing;    /* number -> sqx_outgoing, owned: begun and not answered */

  /* Receiving. */
  sqx_index  incoming;   /* number -> sqx_incoming, owned: seen, and its answer is not settled */
  sqx_ranges delivered;  /* numbers delivered or settled otherwise */
  uint64_t   seen_end;   /* one past the highest number seen */

  /* Waiting for the program, in order of delivery: sqx_incoming.node. If the channel is not
   * open, its messages wait in channel 0. */
  sqx_node      gated;   /* ordered initial messages of a serialized channel */
  sqx_node      ready;   /* all others */
  sqx_incoming *holder;  /* taken and unanswered: holds the gate of a serialized channel */
  sqx_event_node message_event;

  /* Answers by end that are to be sent, by reason. */
  sqx_ranges ends[SQX_N_END_REASONS];
  sqx_node   ends_node;  /* in sqx_ends.channels while any of them is not empty */
} sqx_channel;

/* @channel is zeroed. */
void         sqx_channel_init  (sqx_channel *channel, uint32_t field);
/* The indexes are empty by then. */
void         sqx_channel_clear (sqx_channel *channel);
/* NULL: no memory. */
sqx_channel *sqx_channel_new  (uint32_t id);
void         sqx_channel_free (sqx_channel *channel);

/* All numbers below are delivered or settled. */
uint64_t sqx_channel_floor  (const sqx_channel *channel);
/* Whether @number was seen before: a record may still exist, or not. */
bool     sqx_channel_was_seen (const sqx_channel *channel, uint64_t number);
/* Notes the first sight of @number; returns by how much the count of missing numbers below the
 * highest seen changes. */
int64_t  sqx_channel_see    (sqx_channel *channel, uint64_t number);
/* By how much it would change. */
int64_t  sqx_channel_would_miss (const sqx_channel *channel, uint64_t number);
