/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-outgoing.h"

#include <stdlib.h>

#include "sqx-channels.h"
#include "sqx-fragments.h"
#include "sqx-handover.h"

/* What a close waits for: replies, and messages that await nothing but their receipt. */
static bool
is_owed (const sqx_outgoing *message)
{
  return message->is_reply || message->final;
}

void
sqx_outgoing_event_done (sqx_outgoing *message,
                         sqx_pool     *pool)
{
  if (message->session != NULL || sqx_event_node_pending (&message->event))
    return;
  assert (!sqx_node_linked (&message->node));
  sqx_pool_give (pool, message);
}

static void
free_if_done (sqx_outgoing *message)
{
  sqx_outgoing_event_done (message, NULL);
}

static void
tell (sqx_outgoing  *message,
      sqx_event_type type)
{
  if (message->told)
    return;
  message->told = true;
  sqx_events_push (message->session->events, &message->event, type);
}

/* Takes @message out of the session: it is answered, or was never begun. */
static void
leave_session (sqx_outgoing *message)
{
  sqx_session *session = message->session;

  sqx_fragments_release (message);
  sqx_node_unlink (&message->node);
  if (message->begun)
    {
      sqx_index_remove (&message->channel->outgoing, message->number);
      if (sqx_channel_is_stream (message->channel))
        sqx_stream_left (sqx_channel_stream (message->channel), message);
      else
        session->open_outgoing--;
    }
  else
    {
      session->queued_bytes -= sqx_message_cost (message->size);
      session->queued--;
    }
  if (is_owed (message))
    session->owed_outgoing--;
  message->session = NULL;
  message->channel = NULL;
}

static void
insert_by_age (sqx_node     *list,
               sqx_outgoing *message)
{
  sqx_node *after = list->prev;

  while (after != list && SQX_CONTAINER (after, sqx_outgoing, node)->age > message->age)
    after = after->prev;
  sqx_node_insert_before (after->next, &message->node);
}

sqx_outgoing *
sqx_outgoing_submit (sqx_session       *session,
                     sqx_channel       *channel,
                     const sqx_payload *payload,
                     uint32_t           message_flags,
                     void              *tag,
                     sqx_incoming      *answers)
{
  sqx_outgoing *message = sqx_pool_take (&session->outgoing_pool, sizeof *message);

  if (message == NULL)
    return NULL;

  sqx_node_init (&message->node);
  sqx_event_node_init (&message->event);
  session->used = true;
  message->session = session;
  message->channel = channel;
  message->age = session->submitted++;
  message->payload = *payload;
  message->size = payload->size;
  message->tag = tag;
  message->ordered = (message_flags & SQX_MESSAGE_ORDERED) != 0;
  message->final = (message_flags & SQX_MESSAGE_FINAL) != 0;
  if (answers != NULL)
    {
      message->is_reply = true;
      message->answers = answers;
      message->reply_to = answers->number;
      message->peer_started = answers->peer_started;
      answers->answer = message;
      /* A serialized channel waits for the answer, not for what becomes of it. */
      sqx_handover_release (answers);
    }
  if (payload->owner != NULL && session->config->payload_ref != NULL)
    session->config->payload_ref (payload->owner);

  sqx_list_append (&session->waiting[channel->priority][message->is_reply ? 0 : 1],
                   &message->node);
  session->queued_bytes += sqx_message_cost (message->size);
  session->queued++;
  if (is_owed (message))
    session->owed_outgoing++;
  return message;
}

/* Whether it has the credit to begin. */
static bool
may_begin (const sqx_session  *session,
           const sqx_outgoing *message)
{
  return (session->credit.peer_known || message->channel->id < SQX_EARLY_CHANNELS) &&
         sqx_credit_may_begin (&session->credit, sqx_message_cost (message->size),
                               message->is_reply);
}

bool
sqx_outgoing_start (sqx_outgoing *message)
{
  sqx_session *session = message->session;
  sqx_channel *channel = message->channel;
  uint64_t cost = sqx_message_cost (message->size);

  /* There may be no other change with which it could be tried again, and it would wait for ever. */
  if (!sqx_index_insert (&channel->outgoing, channel->next_number, message))
    {
      session->out_of_memory = true;
      return false;
    }

  message->number = channel->next_number++;
  message->begun = true;
  session->queued_bytes -= cost;
  session->queued--;
  sqx_node_unlink (&message->node);
  if (sqx_channel_is_stream (channel))
    {
      sqx_stream_begun (sqx_channel_stream (channel), message);
      return true;
    }
  sqx_credit_begin (&session->credit, cost, message->is_reply);
  session->open_outgoing++;
  session->statistics->messages_sent++;
  if (!message->is_reply)
    session->statistics->exchanges_started++;
  sqx_fragments_queue (message);
  return true;
}

static bool
begin (const sqx_session *session,
       sqx_outgoing      *message)
{
  return may_begin (session, message) && sqx_outgoing_start (message);
}

void
sqx_outgoing_begin_waiting (sqx_session *session)
{
  bool initial_blocked = false;

  /* A smaller message does not overtake one that lacks credit. But replies never wait behind
   * initial messages: what has begun must be able to finish. */
  for (unsigned priority = 0; priority < SQX_PRIORITIES && session->queued > 0; priority++)
    for (unsigned kind = 0; kind < 2; kind++)
      {
        sqx_node *list = &session->waiting[priority][kind];
        sqx_node *first;

        if (kind == 1 && initial_blocked)
          continue;
        while ((first = sqx_list_first (list)) != NULL)
          if (!begin (session, SQX_CONTAINER (first, sqx_outgoing, node)))
            break;
        if (first != NULL && kind == 0)
          return;
        if (first != NULL)
          initial_blocked = true;
      }
}

void
sqx_outgoing_begin (sqx_outgoing *message)
{
  sqx_session *session = message->session;

  /* Nearly always nothing else waits. */
  if (session->queued == 1)
    (void) begin (session, message);
  else
    sqx_outgoing_begin_waiting (session);
}

void
sqx_outgoing_check_sizes (sqx_session *session)
{
  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    {
      sqx_node *list = &session->waiting[priority][1];
      sqx_node *next;

      for (sqx_node *node = list->next; node != list; node = next)
        {
          sqx_outgoing *message = SQX_CONTAINER (node, sqx_outgoing, node);

          next = node->next;
          if (message->size > session->credit.peer_max_message)
            sqx_outgoing_detach (message, SQX_ERR_TOO_LARGE);
          else if (message->channel->id >= session->peer_max_channels)
            sqx_outgoing_detach (message, SQX_ERR_INVALID);
        }
    }
}

/* Answers ------------------------------------------------------------------------------ */

/* The message that @message answered is settled with it. */
static void
settle_answered (sqx_outgoing *message,
                 uint64_t      now,
                 bool          exchange_over)
{
  sqx_incoming *answered = message->answers;

  message->answers = NULL;
  if (answered != NULL)
    {
      answered->answer = NULL;
      sqx_handover_settle (answered, now, exchange_over);
    }
}

void
sqx_outgoing_ended (sqx_outgoing *message,
                    uint64_t      now,
                    uint8_t       reason,
                    bool          exchange_over)
{
  sqx_channel *channel = message->channel;

  settle_answered (message, now, exchange_over);
  message->reason = reason < SQX_N_END_REASONS ? reason : SQX_END_FAILED;
  tell (message, SQX_EVENT_END);
  leave_session (message);
  free_if_done (message);
  if (sqx_channel_is_stream (channel))
    sqx_stream_ended (sqx_channel_stream (channel), now, (sqx_end_reason) reason);
}

bool
sqx_outgoing_replied (sqx_outgoing *message,
                      uint64_t      now,
                      sqx_incoming *reply)
{
  bool awaited = !message->told;

  settle_answered (message, now, false);
  if (awaited)
    {
      message->reply = reply;
      reply->wait = message;
      tell (message, SQX_EVENT_REPLY);
    }
  leave_session (message);
  free_if_done (message);
  return awaited;
}

/* Giving up ---------------------------------------------------------------------------- */

/* Sends CANCEL for a message that has begun. Its bytes are wanted no more. */
static void
cancel_begun (sqx_outgoing *message)
{
  if (message->cancelling)
    return;
  message->cancelling = true;
  sqx_fragments_release (message);
  sqx_node_unlink (&message->node);
  sqx_list_append (&message->session->cancels, &message->node);
}

void
sqx_outgoing_cancel (sqx_outgoing *message,
                     uint64_t      now)
{
  sqx_incoming *reply = message->reply;
  sqx_incoming *answers = message->answers;

  message->told = true;
  message->reply = NULL;
  sqx_event_node_withdraw (&message->event);

  if (message->session == NULL)
    {
      if (reply != NULL)
        reply->wait = NULL;
      if (reply != NULL && reply->session != NULL)
        sqx_handover_end (reply, now, SQX_END_CANCELLED);
      else if (reply != NULL)
        sqx_received_free_if_done (reply, NULL);
      free_if_done (message);
    }
  else if (message->begun)
    {
      cancel_begun (message);
    }
  else
    {
      message->answers = NULL;
      leave_session (message);
      free_if_done (message);
      if (answers != NULL)
        {
          answers->answer = NULL;
          sqx_handover_end (answers, now, SQX_END_CANCELLED);
        }
    }
}

void
sqx_outgoing_cancel_answer (sqx_outgoing *message)
{
  if (message->begun)
    {
      cancel_begun (message);
      return;
    }
  message->answers->answer = NULL;
  message->answers = NULL;
  message->reason = SQX_END_CANCELLED;
  tell (message, SQX_EVENT_END);
  leave_session (message);
  free_if_done (message);
}

void
sqx_outgoing_fail (sqx_outgoing *message,
                   sqx_result    error)
{
  if (!message->told)
    message->error = error;
  tell (message, SQX_EVENT_FAILED);
}

void
sqx_outgoing_detach (sqx_outgoing *message,
                     sqx_result    error)
{
  sqx_outgoing_fail (message, error);
  if (message->answers != NULL)
    message->answers->answer = NULL;
  message->answers = NULL;
  leave_session (message);
  free_if_done (message);
}

static void
fail_wait (sqx_outgoing *message)
{
  if (!message->final)
    sqx_outgoing_fail (message, SQX_ERR_CLOSED);
}

void
sqx_outgoing_close (sqx_session *session)
{
  sqx_channel *channel;
  uint64_t at = 0;

  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    {
      sqx_node *list = &session->waiting[priority][1];
      sqx_node *first;

      while ((first = sqx_list_first (list)) != NULL)
        sqx_outgoing_detach (SQX_CONTAINER (first, sqx_outgoing, node), SQX_ERR_CLOSED);

      list = &session->waiting[priority][0];
      for (sqx_node *node = list->next; node != list; node = node->next)
        fail_wait (SQX_CONTAINER (node, sqx_outgoing, node));
    }

  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    {
      sqx_outgoing *message;
      uint64_t number = 0;

      while ((message = sqx_index_next (&channel->outgoing, number, &number)) != NULL)
        {
          fail_wait (message);
          number++;
        }
    }
}

static void
move_messages (sqx_node    *from,
               sqx_node    *to,
               sqx_channel *channel,
               bool         by_age)
{
  sqx_node *next;

  for (sqx_node *node = from->next; node != from; node = next)
    {
      sqx_outgoing *message = SQX_CONTAINER (node, sqx_outgoing, node);

      next = node->next;
      if (message->channel != channel)
        continue;
      sqx_node_unlink (node);
      if (by_age)
        insert_by_age (to, message);
      else
        sqx_list_append (to, node);
    }
}

void
sqx_outgoing_change_priority (sqx_session *session,
                              sqx_channel *channel,
                              uint8_t      priority)
{
  uint8_t old = channel->priority;

  if (priority == old)
    return;
  channel->priority = priority;
  session->alone = NULL;
  for (unsigned kind = 0; kind < 2; kind++)
    move_messages (&session->waiting[old][kind], &session->waiting[priority][kind], channel, true);
  move_messages (&session->sending[old], &session->sending[priority], channel, false);
}
