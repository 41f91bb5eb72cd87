/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The session: channels, exchanges, order and credit. It knows messages and frames; packets, keys
 * and addresses are the link's, which carries what the session packs and tells it the fate.
 */
#pragma once

#include "sqx-channel.h"
#include "sqx-credit.h"
#include "sqx-ends.h"
#include "sqx-incoming.h"
#include "sqx-outgoing.h"
#include "sqx-packet.h"

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
  sqx_credit    credit;
  sqx_ends      ends;

  /* Outgoing. */
  sqx_node waiting[SQX_PRIORITIES][2]; /* not begun, by age; [0] replies, [1] initial */
  sqx_node sending[SQX_PRIORITIES];    /* begun, with something to send */
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
  size_t   fragment_ranges;            /* separate byte ranges held */
  uint64_t held;                       /* bytes allocated for messages */
  bool     accepts;                    /* false: initial messages are ended as unhandled */
  bool     closing;                    /* they are ended as closing */

  const char *violation;               /* what the peer did wrong, after PROTOCOL */
  bool        out_of_memory;           /* a change could not be made: the connection must fail */
};

/* Copies nothing of what it points at. */
void sqx_session_init  (sqx_session *session, const sqx_config *config, sqx_node *events,
                        sqx_counters *counters, sqx_statistics *statistics, const uint64_t *rtt,
                        uint32_t incarnation);
/* After sqx_session_detach(). */
void sqx_session_clear (sqx_session *session);
/* Fails every wait with @error and takes all messages out. @lost: the program is told of the
 * messages that it took, and those that wait for it go; else they stay for it. */
void sqx_session_detach (sqx_session *session, sqx_result error, bool lost);

/* NULL: no memory; the id is in range. */
sqx_channel *sqx_session_channel      (sqx_session *session, uint32_t id);
sqx_channel *sqx_session_find_channel (const sqx_session *session, uint64_t id);
/* Opens, serializes …: see sqx_conn_*. */
void         sqx_session_open_channel (sqx_session *session, sqx_channel *channel);
/* The queue in which the program finds messages of @channel. */
sqx_channel *sqx_session_queue_of     (sqx_session *session, sqx_channel *channel);

/* The peer's HELLO came. */
void       sqx_session_peer_known   (sqx_session *session, uint64_t max_message, uint64_t bytes,
                                     uint64_t exchanges, uint64_t max_channels);
/* CREDIT, END, CANCEL, MESSAGE. As sqx_incoming_handle_message(). */
sqx_result sqx_session_handle_frame (sqx_session *session, uint64_t now, const sqx_frame *frame);

/* Whether something must go out now, or at which time it must. */
bool     sqx_session_due      (const sqx_session *session, uint64_t now);
uint64_t sqx_session_deadline (const sqx_session *session);
/* Writes what fits of all that is there; also what would not go out alone yet. */
void     sqx_session_pack     (sqx_session *session, sqx_packet *packet);
void     sqx_session_acked    (sqx_session *session, uint64_t now, const sqx_record *record);
void     sqx_session_lost     (sqx_session *session, const sqx_record *record);

/* Begins to close: design rule 14. */
void sqx_session_close     (sqx_session *session, uint64_t now);
/* Whether nothing is left that an orderly close waits for. */
bool sqx_session_is_finished (const sqx_session *session);
/* Whether any exchange is open, begun or queued. */
bool sqx_session_is_busy   (const sqx_session *session);
