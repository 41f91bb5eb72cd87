/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages on their way out: waiting for credit, begun, answered, given up. Their bytes are the
 * part of sqx-fragments.h.
 *
 *   submit → waiting ──credit──▶ begun (has a number, is in channel->outgoing) ──answer──▶ gone
 *
 * Beside that, `told` says whether the program heard its one word about the message. A record is
 * freed when it is neither open on the wire nor waiting in the event queue.
 */
#pragma once

#include "sqx-channel.h"
#include "sqx-packet.h"
#include "sqx-pool.h"

typedef struct sqx_session sqx_session;

struct sqx_outgoing
{
  /* What is looked at of those that a message passes on the way to its turn lies together. */
  sqx_node       node;      /* in session->waiting, ->sending or ->cancels */
  sqx_channel   *channel;
  uint64_t       number;    /* valid if begun */
  uint64_t       size;      /* of the payload */
  uint64_t       next_offset; /* never sent from here on */
  sqx_result     error;     /* event FAILED */
  uint8_t        reason;    /* event END */
  bool ordered : 1;
  bool final : 1;
  bool is_reply : 1;
  bool peer_started : 1;    /* the exchange was started by the peer */
  bool begun : 1;
  bool told : 1;            /* no (further) event: it was queued, or the program cancelled */
  bool received : 1;        /* all bytes acknowledged, or no longer wanted: payload released */
  bool cancelling : 1;      /* CANCEL is being sent */
  sqx_session   *session;   /* NULL after the session was lost: only the event is left */
  sqx_event_node event;     /* REPLY, END or FAILED */
  uint64_t       age;       /* order of submission */
  sqx_payload    payload;   /* data NULL once released */
  void          *tag;
  sqx_incoming  *answers;   /* the message that this one answers, while its record lives */
  uint64_t       reply_to;  /* its number */
  sqx_ranges     lost;      /* to be sent again */
  sqx_ranges     acked;
  sqx_incoming  *reply;     /* event REPLY: what it brings */
};

/* Submits a message; @answers is the message it replies to, or NULL. @message_flags as for
 * sqx_conn_send(). NULL: no memory, nothing changed. */
sqx_outgoing *sqx_outgoing_submit (sqx_session *session, sqx_channel *channel,
                                   const sqx_payload *payload, uint32_t message_flags, void *tag,
                                   sqx_incoming *answers);
/* Gives it its number and takes its credit, of which there is enough. false: no memory, so the
 * connection fails. */
bool sqx_outgoing_start         (sqx_outgoing *message);
/* Begins what credit allows, after @message was submitted, or at any time. */
void sqx_outgoing_begin         (sqx_outgoing *message);
void sqx_outgoing_begin_waiting (sqx_session *session);
/* Fails what waits and is larger than the peer takes. */
void sqx_outgoing_check_sizes   (sqx_session *session);

/* The peer answered by an end. @exchange_over: false when a cancelled reply counts as that end,
 * because the exchange is over only when that reply's own end is settled. */
void sqx_outgoing_ended   (sqx_outgoing *message, uint64_t now, uint8_t reason,
                           bool exchange_over);
/* The peer answered by @reply, which is delivered, if anybody still waits: else false, and the
 * caller ends @reply. */
bool sqx_outgoing_replied (sqx_outgoing *message, uint64_t now, sqx_incoming *reply);

/* The program gives up: sqx_conn_cancel(). */
void sqx_outgoing_cancel  (sqx_outgoing *message, uint64_t now);
/* The peer cancelled the message that this one answers. */
void sqx_outgoing_cancel_answer (sqx_outgoing *message);
/* Tells the program that it waits in vain; the message itself goes on. */
void sqx_outgoing_fail    (sqx_outgoing *message, sqx_result error);
/* The same, and takes the record out of the session. */
void sqx_outgoing_detach  (sqx_outgoing *message, sqx_result error);
/* Closing: fails what waits and the waits for replies (design rule 14). */
void sqx_outgoing_close   (sqx_session *session);
/* Moves what waits or is being sent to the channel's new priority. */
void sqx_outgoing_change_priority (sqx_session *session, sqx_channel *channel, uint8_t priority);
/* The event was fetched. A record that is of no more use goes to @pool. */
void sqx_outgoing_event_done (sqx_outgoing *message, sqx_pool *pool);
