/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-handover.h"

#include "sqx-channels.h"

/* Queues ------------------------------------------------------------------------------- */

/* The channel's queue has something that the program may take now. */
static void
announce (sqx_session *session,
          sqx_channel *queue)
{
  if (sqx_channel_is_stream (queue))
    sqx_events_push (session->events, &sqx_channel_stream (queue)->event, SQX_EVENT_STREAM);
  else if (sqx_handover_next (queue) != NULL)
    sqx_events_push (session->events, &queue->message_event, SQX_EVENT_MESSAGE);
}

static sqx_node *
list_of (sqx_session  *session,
         sqx_incoming *message)
{
  sqx_channel *channel = message->channel;

  return channel->serialized && message->ordered ? &channel->gated
                                                 : &sqx_session_queue_of (session, channel)->ready;
}

/* Almost always at the end; elsewhere only when queues are rearranged. */
static void
insert_by_stamp (sqx_node     *list,
                 sqx_incoming *message)
{
  sqx_node *after = list->prev;

  while (after != list && SQX_CONTAINER (after, sqx_incoming, node)->stamp > message->stamp)
    after = after->prev;
  sqx_node_insert_before (after->next, &message->node);
}

void
sqx_handover_queue (sqx_incoming *message)
{
  sqx_session *session = message->session;

  insert_by_stamp (list_of (session, message), message);
  announce (session, sqx_session_queue_of (session, message->channel));
}

/* Moves to their places those messages of @channel in @list that are in the wrong one now. */
static void
resort (sqx_session *session,
        sqx_node    *list,
        sqx_channel *channel)
{
  sqx_node *next;

  for (sqx_node *node = list->next; node != list; node = next)
    {
      sqx_incoming *message = SQX_CONTAINER (node, sqx_incoming, node);

      next = node->next;
      if (message->channel == channel && list_of (session, message) != list)
        {
          sqx_node_unlink (node);
          insert_by_stamp (list_of (session, message), message);
        }
    }
}

void
sqx_handover_requeue (sqx_session *session,
                      sqx_channel *channel)
{
  sqx_channel *zero = sqx_session_find_channel (session, 0);

  if (!channel->serialized)
    channel->holder = NULL;
  if (zero != NULL && zero != channel)
    resort (session, &zero->ready, channel);
  resort (session, &channel->ready, channel);
  resort (session, &channel->gated, channel);
  announce (session, sqx_session_queue_of (session, channel));
}

/* Answers ------------------------------------------------------------------------------ */

/* Opens the gate of a serialized channel that @message holds. */
static void
open_gate (sqx_incoming *message)
{
  sqx_channel *channel = message->channel;

  if (channel->holder != message)
    return;
  channel->holder = NULL;
  announce (message->session, sqx_session_queue_of (message->session, channel));
}

void
sqx_handover_end (sqx_incoming  *message,
                  uint64_t       now,
                  sqx_end_reason reason)
{
  sqx_session *session = message->session;
  /* Whoever sent a final reply waits for nothing; all others wait for this end. */
  bool may_wait = sqx_channel_is_stream (message->channel)
                  ? sqx_stream_end_waits (sqx_channel_stream (message->channel), message)
                  : message->is_reply && message->final;
  uint64_t at = may_wait ? sqx_time_by (now, session->config->ack_delay) : 0;

  assert (message->answer == NULL && message->state != SQX_INCOMING_ENDED);
  if (message->state == SQX_INCOMING_TAKEN)
    session->taken--;
  sqx_node_unlink (&message->node);
  sqx_received_return_bytes (message, now);
  sqx_received_drop_body (message);
  message->state = SQX_INCOMING_ENDED;
  message->reason = (uint8_t) reason;
  if (!sqx_ends_add (&session->ends, message->channel, reason, message->number, at))
    session->out_of_memory = true;
  open_gate (message);
}

void
sqx_handover_settle (sqx_incoming *message,
                     uint64_t      now,
                     bool          exchange_over)
{
  sqx_session *session = message->session;
  sqx_channel *channel = message->channel;

  assert (message->answer == NULL);
  if (exchange_over && message->peer_started)
    sqx_credit_return_exchange (&session->credit, now);
  if (message->state == SQX_INCOMING_TAKEN)
    session->taken--;
  open_gate (message);
  sqx_index_remove (&channel->incoming, message->number);
  session->open_incoming--;
  if (sqx_channel_is_stream (channel))
    sqx_stream_check (sqx_channel_stream (channel));
  message->session = NULL;
  message->channel = NULL;
  sqx_received_free_if_done (message, &session->incoming_pool);
}

void
sqx_handover_ends_acked (sqx_session      *session,
                         uint64_t          now,
                         const sqx_record *record)
{
  sqx_channel *channel = sqx_session_find_field (session, record->channel);
  uint64_t end = record->number + record->length, number = record->number;
  sqx_incoming *message;

  if (channel == NULL)
    return;
  sqx_ends_remove (&session->ends, channel, (sqx_end_reason) record->reason, record->number,
                   record->length);
  while ((message = sqx_index_next (&channel->incoming, number, &number)) != NULL && number < end)
    {
      if (message->state == SQX_INCOMING_ENDED)
        sqx_handover_settle (message, now, true);
      number++;
    }
}

void
sqx_handover_ends_lost (sqx_session      *session,
                        const sqx_record *record)
{
  sqx_channel *channel = sqx_session_find_field (session, record->channel);
  uint64_t end = record->number + record->length, number = record->number;
  sqx_incoming *message;

  if (channel == NULL)
    return;
  while ((message = sqx_index_next (&channel->incoming, number, &number)) != NULL && number < end)
    {
      if (message->state == SQX_INCOMING_ENDED &&
          !sqx_ends_add (&session->ends, channel, (sqx_end_reason) record->reason, number, 0))
        session->out_of_memory = true;
      number++;
    }
}

/* The program -------------------------------------------------------------------------- */

sqx_incoming *
sqx_handover_next (const sqx_channel *queue)
{
  sqx_node *ready = sqx_list_first (&queue->ready);
  sqx_node *gated = queue->holder == NULL ? sqx_list_first (&queue->gated) : NULL;
  sqx_incoming *a = ready ? SQX_CONTAINER (ready, sqx_incoming, node) : NULL;
  sqx_incoming *b = gated ? SQX_CONTAINER (gated, sqx_incoming, node) : NULL;

  if (a == NULL || b == NULL)
    return a ? a : b;
  return a->stamp < b->stamp ? a : b;
}

static uint8_t *
steal_body (sqx_incoming *message)
{
  if (message->session != NULL)
    message->session->held -= message->body.capacity;
  return sqx_reassembly_steal (&message->body);
}

static void
fill (sqx_incoming *message,
      sqx_message  *out)
{
  out->id.incarnation = message->incarnation;
  out->id.channel = message->channel_id;
  out->id.number = message->number;
  out->flags = (message->ordered ? SQX_MESSAGE_ORDERED : 0) |
               (message->final ? SQX_MESSAGE_FINAL : 0) |
               (message->is_reply ? SQX_MESSAGE_REPLY : 0);
  out->size = message->total;
  out->data = steal_body (message);
}

static void
become_taken (sqx_incoming *message,
              uint64_t      now)
{
  message->state = SQX_INCOMING_TAKEN;
  message->session->taken++;
  if (message->final)
    sqx_handover_end (message, now, SQX_END_ENDED);
  else if (message->channel->serialized && message->ordered && !message->is_reply)
    message->channel->holder = message;
}

void
sqx_handover_take (sqx_incoming *message,
                   uint64_t      now,
                   sqx_message  *out)
{
  sqx_node_unlink (&message->node);
  fill (message, out);
  if (message->session == NULL)
    {
      sqx_received_free_if_done (message, NULL);
      return;
    }
  sqx_received_return_bytes (message, now);
  become_taken (message, now);
}

void
sqx_handover_take_reply (sqx_incoming *message,
                         uint64_t      now,
                         sqx_message  *out)
{
  message->wait = NULL;
  fill (message, out);
  if (message->session == NULL)
    sqx_received_free_if_done (message, NULL);
  else
    become_taken (message, now);
}

void
sqx_handover_release (sqx_incoming *message)
{
  open_gate (message);
}

/* Ends those of all messages that @state selects. */
static void
end_all (sqx_session       *session,
         uint64_t           now,
         sqx_incoming_state state,
         sqx_end_reason     reason)
{
  sqx_channel *channel;
  uint64_t at = 0;

  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    {
      sqx_incoming *message;
      uint64_t number = 0;

      /* Who handles no messages may read streams all the same. */
      if (reason == SQX_END_UNHANDLED && sqx_channel_is_stream (channel))
        continue;
      while ((message = sqx_index_next (&channel->incoming, number, &number)) != NULL)
        {
          if (message->state == state && message->answer == NULL && message->wait == NULL)
            sqx_handover_end (message, now, reason);
          number++;
        }
    }
}

void
sqx_handover_end_untaken (sqx_session   *session,
                          uint64_t       now,
                          sqx_end_reason reason)
{
  end_all (session, now, SQX_INCOMING_READY, reason);
}

void
sqx_handover_end_taken (sqx_session   *session,
                        uint64_t       now,
                        sqx_end_reason reason)
{
  end_all (session, now, SQX_INCOMING_TAKEN, reason);
}
