/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a session, which the units of it share, and its table of channels.
 */
#pragma once

#include "sqx-channel.h"
#include "sqx-credit.h"
#include "sqx-ends.h"
#include "sqx-pool.h"
#include "sqx-streams.h"

typedef struct sqx_session sqx_session;

struct sqx_session
{
  /* Fixed by the connection. */
  const sqx_config *config;
  sqx_node         *events;
  sqx_counters     *counters;
  sqx_statistics   *statistics;
  const uint64_t   *rtt;        /* smoothed round-trip time, 0 before the first sample */
  uint32_t          incarnation;

  sqx_channel **channels;       /* by id, NULL: not used yet */
  uint32_t      n_channels;     /* allocated */
  uint32_t      peer_max_channels; /* valid if credit.peer_known */
  sqx_streams   streams;
  sqx_credit    credit;
  sqx_ends      ends;

  /* Outgoing. */
  sqx_node waiting[SQX_PRIORITIES][2]; /* not begun, by age; [0] replies, [1] initial */
  sqx_node sending[SQX_PRIORITIES];    /* begun, with something to send */
  const sqx_outgoing *alone;           /* all behind it in its list wait for it; only compared */
  sqx_node cancels;                    /* CANCEL is to be sent */
  uint64_t queued_bytes;               /* cost of what waits */
  uint64_t queued;                     /* messages that wait */
  uint64_t submitted;                  /* ages given */
  uint64_t open_outgoing;              /* begun and not answered */
  uint64_t owed_outgoing;              /* of them and of those that wait: what a close waits for */

  /* Incoming. */
  uint64_t missing;                    /* numbers below the highest seen, not seen: all channels */
  uint64_t open_incoming;              /* seen and not settled */
  uint64_t taken;                      /* taken and unanswered */
  uint64_t stamps;
  bool     received_due;               /* RECEIVED is to be sent, from … */
  uint64_t received_at;                /* … this place of sqx_session_next_channel() … */
  uint64_t received_number;            /* … and number on */
  size_t   fragment_ranges;            /* separate byte ranges held */
  uint64_t held;                       /* bytes allocated for messages */
  bool     accepts;                    /* false: initial messages are ended as unhandled */
  bool     closing;                    /* they are ended as closing */

  const char *violation;               /* what the peer did wrong, after PROTOCOL */
  sqx_pool    outgoing_pool;           /* records for messages to come */
  sqx_pool    incoming_pool;
  bool        used;                    /* messages came or went since sqx_session_rest() */
  bool        out_of_memory;           /* a change could not be made: the connection must fail */
};

/* NULL: no memory; the id is in range. */
sqx_channel *sqx_session_channel      (sqx_session *session, uint32_t id);
static inline sqx_channel *
sqx_session_find_channel (const sqx_session *session, uint64_t id)
{
  return id < session->n_channels ? session->channels[id] : NULL;
}
/* By the channel field of frames. */
sqx_channel *sqx_session_find_field   (const sqx_session *session, uint64_t field);
/* Whether @field names a stream that was settled. */
bool         sqx_session_is_past      (const sqx_session *session, uint64_t field);
/* One after the other, NULL after the last; *@at is 0 for the first. */
sqx_channel *sqx_session_next_channel (const sqx_session *session, uint64_t *at);
/* The queue in which the program finds messages of @channel. */
sqx_channel *sqx_session_queue_of     (sqx_session *session, sqx_channel *channel);
