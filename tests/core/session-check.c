/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session-check.h"

#define CHECK(condition)   \
  do                       \
    if (!(condition))      \
      return #condition;   \
  while (0)

/* Counted anew, over all channels. */
typedef struct
{
  uint64_t queued, queued_bytes;
  uint64_t outgoing, owed;
  uint64_t incoming, taken, missing, held, ranges;
  uint64_t unreturned;    /* byte credit that the peer has not got back */
  uint64_t peer_exchanges; /* exchanges of the peer that are open */
  uint64_t chunks_out, chunks_in; /* cost of what streams have open */
} totals;

/* Outgoing ----------------------------------------------------------------------------- */

static const char *
check_outgoing (const sqx_session  *session,
                const sqx_outgoing *message,
                totals             *sum)
{
  uint64_t span = SQX_MAX (message->size, 1);

  CHECK (message->session == session);
  CHECK (message->next_offset <= span);
  CHECK (message->told || !sqx_event_node_pending (&message->event));
  CHECK (message->answers == NULL || message->answers->answer == message);
  CHECK (message->answers == NULL || message->answers->state == SQX_INCOMING_TAKEN);
  CHECK (message->answers == NULL || message->answers->number == message->reply_to);
  sum->owed += message->is_reply || message->final;
  sum->peer_exchanges += message->peer_started;
  return NULL;
}

static const char *
check_waiting (const sqx_session *session,
               unsigned           priority,
               unsigned           kind,
               totals            *sum)
{
  const sqx_node *list = &session->waiting[priority][kind];
  uint64_t age = 0;

  for (const sqx_node *node = list->next; node != list; node = node->next)
    {
      const sqx_outgoing *message = SQX_CONTAINER (node, sqx_outgoing, node);
      const char *wrong = check_outgoing (session, message, sum);

      if (wrong != NULL)
        return wrong;
      CHECK (!message->begun && !message->received);
      CHECK (message->is_reply == (kind == 0));
      CHECK (message->channel->priority == priority);
      CHECK (node == list->next || message->age > age);
      age = message->age;
      sum->queued++;
      sum->queued_bytes += sqx_message_cost (message->size);
    }
  return NULL;
}

/* What is sent for the first time of a stream is one chunk at a time. */
static const char *
check_sending (const sqx_session *session,
               unsigned           priority)
{
  const sqx_node *list = &session->sending[priority];

  for (const sqx_node *node = list->next; node != list; node = node->next)
    {
      const sqx_outgoing *message = SQX_CONTAINER (node, sqx_outgoing, node);

      CHECK (message->channel->priority == priority);
      CHECK (!sqx_channel_is_stream (message->channel) || message->lost.count > 0 ||
             message == sqx_channel_stream (message->channel)->active);
    }
  return NULL;
}

static const char *
check_begun (const sqx_session *session,
             const sqx_channel *channel,
             totals            *sum)
{
  const sqx_outgoing *message;

  for (uint64_t number = 0;
       (message = sqx_index_next (&channel->outgoing, number, &number)) != NULL; number++)
    {
      bool unsent = !message->received && (message->lost.count > 0 ||
                                           message->next_offset < SQX_MAX (message->size, 1));
      const char *wrong = check_outgoing (session, message, sum);

      if (wrong != NULL)
        return wrong;
      CHECK (message->begun && message->channel == channel && message->number == number);
      CHECK (number < channel->next_number);
      CHECK (!unsent || sqx_node_linked (&message->node));
      CHECK (message->received || message->acked.count == 0 ||
             message->acked.items[message->acked.count - 1].end <= SQX_MAX (message->size, 1));
      if (sqx_channel_is_stream (channel))
        sum->chunks_out += message->size + SQX_CHUNK_OVERHEAD;
      else
        sum->outgoing++;
    }
  return NULL;
}

/* Incoming ----------------------------------------------------------------------------- */

static const char *
check_state (const sqx_channel  *channel,
             const sqx_incoming *message)
{
  bool in_delivered = sqx_ranges_contains (&channel->delivered, message->number);

  CHECK (message->delivered == in_delivered);
  CHECK (message->answer == NULL || message->answer->answers == message);
  switch ((sqx_incoming_state) message->state)
    {
    case SQX_INCOMING_PARTIAL:
      CHECK (!message->delivered && !message->returned);
      break;
    case SQX_INCOMING_WHOLE:
      CHECK (!message->delivered && message->ordered && !message->returned);
      CHECK (sqx_channel_floor (channel) < message->number);
      break;
    case SQX_INCOMING_READY:
      CHECK (message->delivered && message->answer == NULL);
      if (message->is_reply)
        CHECK (message->wait != NULL && message->wait->reply == message &&
               sqx_event_node_pending (&message->wait->event));
      else
        CHECK (message->wait == NULL && sqx_node_linked (&message->node));
      break;
    case SQX_INCOMING_TAKEN:
      CHECK (message->delivered && message->returned && !message->final);
      CHECK (message->wait == NULL && !sqx_node_linked (&message->node));
      break;
    case SQX_INCOMING_ENDED:
      CHECK (message->delivered && message->returned && message->answer == NULL);
      CHECK (message->wait == NULL && !sqx_node_linked (&message->node));
      CHECK (message->body.data == NULL);
      break;
    }
  return NULL;
}

static const char *
check_incoming (const sqx_session *session,
                const sqx_channel *channel,
                totals            *sum)
{
  const sqx_incoming *message;

  for (uint64_t number = 0;
       (message = sqx_index_next (&channel->incoming, number, &number)) != NULL; number++)
    {
      const char *wrong = check_state (channel, message);

      if (wrong != NULL)
        return wrong;
      CHECK (message->session == session && message->channel == channel);
      CHECK (message->number == number && number < channel->seen_end);
      sum->incoming++;
      sum->taken += message->state == SQX_INCOMING_TAKEN;
      sum->held += message->body.capacity;
      if (message->state == SQX_INCOMING_PARTIAL)
        sum->ranges += message->body.ranges.count;
      if (!message->returned && sqx_channel_is_stream (channel))
        sum->chunks_in += message->total + SQX_CHUNK_OVERHEAD;
      else if (!message->returned)
        sum->unreturned += sqx_message_cost (message->total);
      if (message->peer_started && message->answer == NULL)
        sum->peer_exchanges++;
      if (!message->delivered)
        sum->missing--;
    }
  return NULL;
}

static const char *
check_ready (const sqx_session *session,
             const sqx_channel *channel)
{
  const sqx_node *lists[] = { &channel->ready, &channel->gated };

  for (unsigned i = 0; i < 2; i++)
    for (const sqx_node *node = lists[i]->next; node != lists[i]; node = node->next)
      {
        const sqx_incoming *message = SQX_CONTAINER (node, sqx_incoming, node);

        CHECK (message->state == SQX_INCOMING_READY && message->session == session);
        CHECK (message->channel == channel || (channel->id == 0 && !message->channel->opened));
        CHECK ((i == 1) == (message->channel->serialized && message->ordered));
        CHECK (node->next == lists[i] ||
               SQX_CONTAINER (node->next, sqx_incoming, node)->stamp > message->stamp);
      }
  return NULL;
}

static const char *
check_ends (const sqx_session *session,
            const sqx_channel *channel)
{
  bool any = false;

  for (unsigned reason = 0; reason < SQX_N_END_REASONS; reason++)
    for (size_t i = 0; i < channel->ends[reason].count; i++)
      {
        const sqx_range *range = &channel->ends[reason].items[i];

        any = true;
        for (uint64_t number = range->start; number < range->end; number++)
          {
            const sqx_incoming *message = sqx_index_lookup (&channel->incoming, number);

            CHECK (message != NULL && message->state == SQX_INCOMING_ENDED);
            CHECK (message->reason == reason);
          }
      }
  CHECK (any == sqx_node_linked (&channel->ends_node));
  CHECK (!any || session->ends.due || session->ends.deadline != SQX_TIME_NEVER);
  return NULL;
}

static const char *
check_channel (const sqx_session *session,
               const sqx_channel *channel,
               totals            *sum)
{
  const sqx_ranges *delivered = &channel->delivered;
  const char *wrong;
  uint64_t missing = sum->missing;

  sum->missing += channel->seen_end;
  for (size_t i = 0; i < delivered->count; i++)
    {
      CHECK (delivered->items[i].end <= channel->seen_end);
      sum->missing -= delivered->items[i].end - delivered->items[i].start;
    }
  CHECK (!channel->serialized || channel->opened);
  CHECK (channel->holder == NULL ||
         (channel->serialized && channel->holder->state == SQX_INCOMING_TAKEN));
  if ((wrong = check_begun (session, channel, sum)) != NULL ||
      (wrong = check_incoming (session, channel, sum)) != NULL ||
      (wrong = check_ready (session, channel)) != NULL)
    return wrong;
  if (sqx_channel_is_stream (channel))
    sum->missing = missing;
  return check_ends (session, channel);
}

/* Credit ------------------------------------------------------------------------------- */

static const char *
check_credit (const sqx_credit *credit,
              const totals     *sum)
{
  CHECK (credit->bytes_seen - credit->bytes_returned == sum->unreturned);
  CHECK (credit->bytes_seen <= credit->bytes_told);
  CHECK (credit->bytes_told <= sqx_credit_bytes (credit));
  CHECK (credit->window <= credit->window_max);
  CHECK (credit->exchanges_seen - credit->exchanges_returned == sum->peer_exchanges);
  CHECK (credit->exchanges_seen <= SQX_MAX (credit->exchanges_told, SQX_EARLY_EXCHANGES));
  CHECK (credit->exchanges_told <= sqx_credit_exchanges (credit));
  return NULL;
}

const char *
session_check (const sqx_session *session)
{
  totals sum = { 0 };
  const char *wrong = NULL;
  const sqx_channel *channel;
  uint64_t at = 0;

  /* Then the connection fails as soon as it looks. */
  if (session->out_of_memory)
    return NULL;

  for (unsigned priority = 0; priority < SQX_PRIORITIES && wrong == NULL; priority++)
    for (unsigned kind = 0; kind < 2 && wrong == NULL; kind++)
      wrong = check_waiting (session, priority, kind, &sum);
  for (unsigned priority = 0; priority < SQX_PRIORITIES && wrong == NULL; priority++)
    wrong = check_sending (session, priority);
  while (wrong == NULL && (channel = sqx_session_next_channel (session, &at)) != NULL)
    wrong = check_channel (session, channel, &sum);
  if (wrong != NULL)
    return wrong;

  CHECK (session->queued == sum.queued);
  CHECK (session->queued_bytes == sum.queued_bytes);
  CHECK (session->open_outgoing == sum.outgoing);
  CHECK (session->owed_outgoing == sum.owed);
  CHECK (session->open_incoming == sum.incoming);
  CHECK (session->taken == sum.taken);
  CHECK (session->missing == sum.missing);
  CHECK (session->held == sum.held);
  CHECK (session->streams.cost_out == sum.chunks_out);
  CHECK (session->streams.cost_in == sum.chunks_in);
  CHECK (session->fragment_ranges == sum.ranges);
  return check_credit (&session->credit, &sum);
}
