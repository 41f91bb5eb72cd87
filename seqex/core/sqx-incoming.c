/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-incoming.h"

#include <stdlib.h>

#include "sqx-channels.h"
#include "sqx-handover.h"
#include "sqx-outgoing.h"

/* Bytes and ranges ----------------------------------------------------------------------- */

/* Puts bytes in, and keeps the session's account of what that holds. */
static sqx_reassembly_result
add_bytes (sqx_incoming    *message,
           const sqx_frame *frame)
{
  sqx_session *session = message->session;
  size_t capacity = message->body.capacity, ranges = message->body.ranges.count;
  sqx_reassembly_result result;

  result = sqx_reassembly_add (&message->body, frame->message.offset, frame->message.data,
                               frame->message.size,
                               SQX_FRAGMENT_RANGES - SQX_MIN (session->fragment_ranges,
                                                              SQX_FRAGMENT_RANGES));
  session->held += message->body.capacity - capacity;
  session->fragment_ranges += message->body.ranges.count - ranges;
  return result;
}

/* Records ------------------------------------------------------------------------------ */

/* What the first frame of a message says of it, and every other must repeat. */
typedef struct
{
  sqx_channel *channel;
  uint64_t number;
  uint64_t total;
  uint64_t reply_to;
  bool is_reply;
  bool ordered;
  bool final;
} message_facts;

static sqx_result
violation (sqx_session *session,
           const char  *what)
{
  session->violation = what;
  return SQX_ERR_PROTOCOL;
}

/* Design rule 13: a peer leaves out no more numbers than it can have in flight. */
static bool
too_many_missing (const sqx_session   *session,
                  const message_facts *facts)
{
  int64_t more = sqx_channel_would_miss (facts->channel, facts->number);
  uint64_t allowed = SQX_MAX (session->credit.exchange_window, SQX_EARLY_EXCHANGES) +
                     session->open_outgoing;

  return more > 0 && session->missing + (uint64_t) more > allowed;
}

/* The first sight of a message: takes its cost and makes a record. */
static sqx_result
admit (sqx_session         *session,
       uint64_t             now,
       const message_facts *facts,
       sqx_incoming       **admitted)
{
  sqx_channel *channel = facts->channel;
  bool is_chunk = sqx_channel_is_stream (channel);
  const char *wrong = is_chunk ? sqx_stream_judge (sqx_channel_stream (channel), facts->number,
                                                   facts->total)
                      : facts->total > session->credit.max_message
                      ? "message larger than max-message-size"
                      : too_many_missing (session, facts) ? "too many message numbers missing"
                                                          : NULL;
  sqx_incoming *message;
  int64_t missing;

  if (wrong != NULL)
    return violation (session, wrong);

  message = sqx_pool_take (&session->incoming_pool, sizeof *message);
  if (message == NULL || !sqx_index_insert (&channel->incoming, facts->number, message))
    {
      free (message);
      session->counters->no_memory++;
      return SQX_ERR_NO_MEMORY;
    }
  if (is_chunk)
    sqx_stream_seen (sqx_channel_stream (channel), facts->number, facts->total);
  else if (!sqx_credit_seen (&session->credit, now, sqx_message_cost (facts->total), facts->is_reply))
    {
      sqx_index_remove (&channel->incoming, facts->number);
      free (message);
      return violation (session, "more begun than credit was granted for");
    }

  sqx_node_init (&message->node);
  sqx_event_node_init (&message->event);
  sqx_reassembly_init (&message->body, facts->total);
  message->body.body_new = session->config->body_new;
  session->used = true;
  message->session = session;
  message->channel = channel;
  message->incarnation = session->incarnation;
  message->channel_id = channel->id;
  message->number = facts->number;
  message->reply_to = facts->reply_to;
  message->total = facts->total;
  message->is_reply = facts->is_reply;
  message->ordered = facts->ordered;
  message->final = facts->final;
  message->peer_started = !facts->is_reply && !is_chunk;
  missing = sqx_channel_see (channel, facts->number);
  session->missing += is_chunk ? 0 : (uint64_t) missing;
  session->open_incoming++;
  if (message->peer_started)
    session->statistics->exchanges_accepted++;
  *admitted = message;
  return SQX_OK;
}

static bool
contradicts (const sqx_incoming  *message,
             const message_facts *facts)
{
  return message->total != facts->total || message->is_reply != facts->is_reply ||
         (facts->is_reply && message->reply_to != facts->reply_to);
}

/* Delivery ----------------------------------------------------------------------------- */

static void
deliver_initial (sqx_incoming *message,
                 uint64_t      now)
{
  sqx_session *session = message->session;

  if (session->closing)
    sqx_handover_end (message, now, SQX_END_CLOSING);
  else if (!session->accepts)
    sqx_handover_end (message, now, SQX_END_UNHANDLED);
  else
    sqx_handover_queue (message);
}

static void
deliver_reply (sqx_incoming *message,
               uint64_t      now)
{
  sqx_session *session = message->session;
  sqx_outgoing *answered = sqx_index_lookup (&message->channel->outgoing, message->reply_to);

  sqx_received_return_bytes (message, now);
  if (answered == NULL || answered->final)
    {
      session->counters->stray_reply++;
      sqx_handover_end (message, now, SQX_END_UNHANDLED);
      return;
    }

  message->peer_started = answered->peer_started;
  session->statistics->replies_delivered++;
  if (!sqx_outgoing_replied (answered, now, message))
    sqx_handover_end (message, now, session->closing ? SQX_END_CLOSING : SQX_END_CANCELLED);
}

static void
deliver (sqx_incoming *message,
         uint64_t      now)
{
  sqx_session *session = message->session;

  message->state = SQX_INCOMING_READY;
  message->stamp = session->stamps++;
  if (sqx_channel_is_stream (message->channel))
    {
      sqx_stream_deliver (message, now);
      return;
    }
  session->statistics->messages_received++;
  if (message->is_reply)
    deliver_reply (message, now);
  else
    deliver_initial (message, now);
}

static void
mark_delivered (sqx_incoming *message)
{
  message->delivered = true;
  if (!sqx_ranges_add (&message->channel->delivered, message->number, message->number + 1))
    message->session->out_of_memory = true;
}

/* @message need not wait (any longer): passes it on, and all that waited for it alone. */
static void
pass_order_gate (sqx_incoming *message,
                 uint64_t      now)
{
  sqx_session *session = message->session;
  sqx_channel *channel = message->channel;

  mark_delivered (message);
  if (message->state == SQX_INCOMING_WHOLE)
    deliver (message, now);

  while ((message = sqx_index_lookup (&channel->incoming, sqx_channel_floor (channel))) != NULL &&
         message->state == SQX_INCOMING_WHOLE && !session->out_of_memory)
    {
      mark_delivered (message);
      deliver (message, now);
    }
}

static void
became_whole (sqx_incoming *message,
              uint64_t      now)
{
  if (message->body.ranges.count > 0)
    {
      message->session->fragment_ranges -= message->body.ranges.count;
      sqx_ranges_clear (&message->body.ranges);
    }
  message->state = SQX_INCOMING_WHOLE;
  if (!message->ordered || sqx_channel_floor (message->channel) == message->number)
    pass_order_gate (message, now);
}

/* Frames ------------------------------------------------------------------------------- */

/* Finds the channel that the wire's channel field names. NULL: a stream that was settled. @chunk:
 * whether the message could be one of a stream. */
static sqx_result
find_channel (sqx_session  *session,
              uint64_t      field,
              uint64_t      number,
              bool          chunk,
              sqx_channel **channel)
{
  if (number >= SQX_VARINT_MAX)
    return violation (session, "message number out of range");
  if ((field & 1) != 0)
    return chunk ? sqx_streams_find (session, field / 2, channel)
                 : violation (session, "message on a stream that is no chunk");
  if (field / 2 >= session->config->max_channels)
    return violation (session, "channel that does not exist");

  *channel = sqx_session_find_channel (session, field / 2);
  if (*channel == NULL)
    *channel = sqx_session_channel (session, (uint32_t) (field / 2));
  if (*channel == NULL)
    {
      session->counters->no_memory++;
      return SQX_ERR_NO_MEMORY;
    }
  return SQX_OK;
}

static sqx_result
add_fragment (sqx_incoming    *message,
              uint64_t         now,
              const sqx_frame *frame)
{
  sqx_counters *counters = message->session->counters;

  switch (add_bytes (message, frame))
    {
    case SQX_REASSEMBLY_ADDED:
      return SQX_OK;
    case SQX_REASSEMBLY_WHOLE:
      became_whole (message, now);
      return SQX_OK;
    case SQX_REASSEMBLY_DUPLICATE:
      counters->duplicate_message++;
      return SQX_OK;
    case SQX_REASSEMBLY_EARLY:
      counters->early_fragment++;
      return SQX_ERR_NO_MEMORY;
    case SQX_REASSEMBLY_RANGES:
      counters->fragment_ranges++;
      return SQX_ERR_NO_MEMORY;
    case SQX_REASSEMBLY_NO_MEMORY:
      counters->no_memory++;
      return SQX_ERR_NO_MEMORY;
    }
  return SQX_OK;
}

sqx_result
sqx_incoming_handle_message (sqx_session     *session,
                             uint64_t         now,
                             const sqx_frame *frame)
{
  message_facts facts = {
    .number = frame->message.number,
    .total = frame->message.total,
    .reply_to = frame->message.reply_to,
    .is_reply = (frame->message.flags & SQX_WIRE_REPLY) != 0,
    .ordered = (frame->message.flags & SQX_WIRE_ORDERED) != 0,
    .final = (frame->message.flags & SQX_WIRE_FINAL) != 0,
  };
  sqx_incoming *message;
  sqx_result result;

  result = find_channel (session, frame->message.channel, facts.number,
                         facts.ordered && facts.final && !facts.is_reply, &facts.channel);
  if (result != SQX_OK)
    return result;

  /* Nearly always a number that nobody has seen. */
  message = facts.channel != NULL && facts.number < facts.channel->seen_end
            ? sqx_index_lookup (&facts.channel->incoming, facts.number) : NULL;
  if (message == NULL)
    {
      if (facts.channel == NULL || sqx_channel_was_seen (facts.channel, facts.number))
        {
          session->counters->duplicate_message++;
          return SQX_OK;
        }
      result = admit (session, now, &facts, &message);
      if (result != SQX_OK)
        return result;
    }
  else if (contradicts (message, &facts))
    return violation (session, "message that contradicts itself");
  else if (message->state == SQX_INCOMING_PARTIAL &&
           (message->ordered != facts.ordered || message->final != facts.final))
    return violation (session, "message that contradicts itself");

  if (message->state != SQX_INCOMING_PARTIAL)
    {
      session->counters->duplicate_message++;
      return SQX_OK;
    }
  return add_fragment (message, now, frame);
}

/* Cancel ------------------------------------------------------------------------------- */

/* The peer takes back a message that the program does not have: it leaves no trace but its end. */
static void
cancel_untaken (sqx_incoming *message,
                uint64_t      now)
{
  sqx_channel *channel = message->channel;
  sqx_outgoing *wait = message->wait;
  bool was_delivered = message->delivered;
  sqx_outgoing *answered = NULL;

  if (message->is_reply && !was_delivered)
    answered = sqx_index_lookup (&message->channel->outgoing, message->reply_to);

  sqx_node_unlink (&message->node);
  if (wait != NULL)
    {
      /* The reply sits in an event that was not fetched: the event becomes an end. */
      message->wait = NULL;
      wait->reply = NULL;
      wait->reason = SQX_END_CANCELLED;
      wait->event.type = SQX_EVENT_END;
    }
  if (answered != NULL && !answered->final)
    {
      message->peer_started = answered->peer_started;
      sqx_outgoing_ended (answered, now, SQX_END_CANCELLED, false);
    }
  sqx_handover_end (message, now, SQX_END_CANCELLED);
  if (!was_delivered)
    pass_order_gate (message, now);
  if (sqx_channel_is_stream (channel))
    sqx_stream_cancelled (sqx_channel_stream (channel), now);
}

static void
cancel_taken (sqx_incoming *message,
              uint64_t      now)
{
  sqx_outgoing *answer = message->answer;

  /* CANCEL comes again if its packet seemed lost, and a begun answer keeps the record. */
  if (message->cancelled)
    return;
  message->cancelled = true;
  sqx_events_push (message->session->events, &message->event, SQX_EVENT_CANCELLED);
  if (answer != NULL)
    sqx_outgoing_cancel_answer (answer);
  if (message->answer == NULL)
    sqx_handover_end (message, now, SQX_END_CANCELLED);
}

sqx_result
sqx_incoming_handle_cancel (sqx_session     *session,
                            uint64_t         now,
                            const sqx_frame *frame)
{
  message_facts facts = {
    .number = frame->cancel.number,
    .total = frame->cancel.total,
    .reply_to = frame->cancel.reply_to,
    .is_reply = frame->cancel.is_reply,
  };
  sqx_incoming *message;
  sqx_result result;

  result = find_channel (session, frame->cancel.channel, facts.number, !facts.is_reply,
                         &facts.channel);
  if (result != SQX_OK)
    return result;

  message = facts.channel ? sqx_index_lookup (&facts.channel->incoming, facts.number) : NULL;
  if (message == NULL)
    {
      if (facts.channel == NULL || sqx_channel_was_seen (facts.channel, facts.number))
        {
          session->counters->stray_cancel++;
          return SQX_OK;
        }
      result = admit (session, now, &facts, &message);
      if (result != SQX_OK)
        return result;
    }
  else if (contradicts (message, &facts))
    return violation (session, "cancel that contradicts its message");

  switch ((sqx_incoming_state) message->state)
    {
    case SQX_INCOMING_PARTIAL:
    case SQX_INCOMING_WHOLE:
    case SQX_INCOMING_READY:
      cancel_untaken (message, now);
      break;
    case SQX_INCOMING_TAKEN:
      cancel_taken (message, now);
      break;
    case SQX_INCOMING_ENDED:
      break;
    }
  return SQX_OK;
}

/* The end of the session ----------------------------------------------------------------- */

void
sqx_incoming_detach (sqx_incoming *message,
                     bool          lost)
{
  sqx_session *session = message->session;
  bool keep = message->wait != NULL || (sqx_node_linked (&message->node) && !lost);

  if (lost && message->state == SQX_INCOMING_TAKEN && !message->cancelled)
    sqx_events_push (session->events, &message->event, SQX_EVENT_CANCELLED);
  if (message->answer != NULL)
    message->answer->answers = NULL;
  message->answer = NULL;
  if (message->channel->holder == message)
    message->channel->holder = NULL;
  session->held -= message->body.capacity;
  session->fragment_ranges -= message->body.ranges.count;
  if (!keep)
    {
      sqx_node_unlink (&message->node);
      sqx_reassembly_clear (&message->body);
    }
  sqx_index_remove (&message->channel->incoming, message->number);
  message->session = NULL;
  message->channel = NULL;
  sqx_received_free_if_done (message, NULL);
}
