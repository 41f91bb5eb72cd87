/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What must hold. The simulator knows both sides, so it compares what one program was told with
 * what the other one did.
 */

#include "sim-host.h"

#include <stdlib.h>
#include <string.h>

/* Exactly once, and as it was sent ------------------------------------------------------- */

/* In a world with bits flipped nobody knows what came; only the ends must stay sound. */
static sim_message *
delivered_weakly (sim_end           *end,
                  const sqx_message *received,
                  sim_message       *message)
{
  end->world->delivered++;
  if (message != NULL && message->received == SIM_RECEIVED_NOT
      && sim_message_matches (message, received->data, received->size))
    return message;
  if ((received->flags & SQX_MESSAGE_FINAL) == 0)
    {
      sim_end_enter (end);
      sqx_conn_end (end->conn, end->world->now, &received->id, SQX_END_ENDED);
      sim_end_leave ();
      sim_end_ready (end);
    }
  return NULL;
}

static void
check_delivery (sim_end           *end,
                const sqx_message *received,
                const sim_message *message,
                bool               is_reply)
{
  sim_world *world = end->world;
  uint32_t flags = (message->ordered ? SQX_MESSAGE_ORDERED : 0u)
                   | (message->final ? SQX_MESSAGE_FINAL : 0u)
                   | (message->is_reply ? SQX_MESSAGE_REPLY : 0u);

  if (message->received != SIM_RECEIVED_NOT && message->receiver_life == end->life)
    sim_fail (world, "message %llu is delivered twice", (unsigned long long) message->id);
  if (!sim_message_matches (message, received->data, received->size))
    sim_fail (world, "message %llu arrives changed", (unsigned long long) message->id);
  if (received->flags != flags || is_reply != message->is_reply)
    sim_fail (world, "message %llu was sent with flags %x and comes with %x",
              (unsigned long long) message->id, flags, received->flags);
  if (received->size == 0 && received->data != NULL)
    sim_fail (world, "an empty message has data");
  /* A reply that was delivered may still wait for the program when the session goes. */
  if (received->id.incarnation != end->incarnation
      && (!is_reply || received->id.incarnation + 1 != end->incarnation))
    sim_fail (world, "message %llu is of incarnation %u, the connection of %u",
              (unsigned long long) message->id, received->id.incarnation, end->incarnation);
  if (end->peer_known && message->life != end->peer_life
      && received->id.incarnation == end->incarnation)
    sim_fail (world, "message %llu is of a former life of its sender",
              (unsigned long long) message->id);
}

/* Whether nothing of the entry can come any more: what an ordered message waits for. */
static bool
is_settled (const sim_end   *end,
            const sim_entry *entry)
{
  const sim_message *message = entry->message;

  if (entry->cancel_arrived || entry->ended != 0)
    return true;
  if (message == NULL)
    return false;
  if (message->received != SIM_RECEIVED_NOT && message->receiver_life == end->life)
    return true;
  /* Nobody waited for it any more: it was swallowed. */
  if (message->is_reply && message->parent->wait != SIM_WAIT_OPEN)
    return true;
  return !message->is_reply && (end->program.deaf_once || end->program.close_called);
}

static void
check_order (sim_end           *end,
             const sim_message *message)
{
  sim_wire_channel *channel = &end->peer->wire.channels[message->channel];

  uint32_t session = end->life << 16 | end->incarnation;

  if (channel->floor_session != session)
    channel->floor = 0;
  channel->floor_session = session;
  while (channel->floor < channel->count && channel->entries[channel->floor].seen
         && is_settled (end, &channel->entries[channel->floor]))
    channel->floor++;
  if (channel->floor < message->received_id.number)
    sim_fail (end->world, "ordered message %llu, number %llu, overtakes number %llu",
              (unsigned long long) message->id,
              (unsigned long long) message->received_id.number,
              (unsigned long long) channel->floor);
}

static void
check_number (sim_end           *end,
              const sim_message *message)
{
  sim_entry *entry = sim_wire_entry (end->peer, message->channel, message->received_id.number);

  if (entry == NULL || entry->message != message)
    sim_fail (end->world, "message %llu arrives under number %llu, which it does not have",
              (unsigned long long) message->id,
              (unsigned long long) message->received_id.number);
  if (entry->cancel_arrived && !message->is_reply)
    sim_fail (end->world, "message %llu is delivered after its sender gave up",
              (unsigned long long) message->id);
}

/* One ordered message of a serialized channel at a time. */
static void
check_serialized (sim_end     *end,
                  sim_message *message)
{
  sim_message **holder = &end->program.holder[message->channel];

  /* A flipped bit may have made either of the two an unordered one. */
  if (!end->program.serialized[message->channel] || !message->ordered || message->is_reply
      || end->world->weak)
    return;
  if (*holder != NULL && (*holder)->wait != SIM_WAIT_CANCELLED)
    sim_fail (end->world, "message %llu comes while %llu holds its serialized channel",
              (unsigned long long) message->id, (unsigned long long) (*holder)->id);
  if (message->received == SIM_RECEIVED_OPEN)
    *holder = message;
}

sim_message *
sim_oracle_delivered (sim_end           *end,
                      const sqx_message *received,
                      bool               is_reply)
{
  sim_world *world = end->world;
  uint32_t channel = sim_channel_index (world, received->id.channel);
  uint8_t head[SIM_TINY] = { 0 };
  sim_message *message = NULL;

  if (received->size > 0)
    memcpy (head, received->data, received->size < SIM_TINY ? received->size : SIM_TINY);
  if (channel != SIM_CHANNELS)
    message = sim_message_find (end->peer, channel, head, received->size);
  sim_world_note (world, 50, received->id.number);
  sim_world_progress (world);
  if (world->weak)
    message = delivered_weakly (end, received, message);
  else if (message == NULL)
    sim_fail (world, "message %llu of channel %u, %zu bytes, was never sent",
              (unsigned long long) received->id.number, received->id.channel, received->size);
  else
    check_delivery (end, received, message, is_reply);
  if (message == NULL)
    return NULL;
  SIM_TRACE (world, end, "takes %llu, number %llu of %u", (unsigned long long) message->id,
             (unsigned long long) received->id.number, received->id.channel);
  world->delivered++;
  message->redelivered = message->received != SIM_RECEIVED_NOT;
  message->received = message->final ? SIM_RECEIVED_FINAL : SIM_RECEIVED_OPEN;
  message->receiver_life = end->life;
  message->received_id = received->id;
  message->answer = NULL;
  message->stale = received->id.incarnation != end->incarnation;
  if (!world->weak && !message->stale && sim_end_agrees (end))
    {
      check_number (end, message);
      if (message->ordered && !is_reply)
        check_order (end, message);
      else if (message->ordered)
        sim_push (&end->program.ordered, &end->program.ordered_count,
                  &end->program.ordered_capacity, message);
    }
  check_serialized (end, message);
  return message;
}

void
sim_oracle_ordered (sim_end *end)
{
  sim_program *program = &end->program;

  for (size_t i = 0; i < program->ordered_count; i++)
    {
      const sim_message *reply = program->ordered[i];

      /* Initial messages that it must not overtake may be delivered and still wait to be read. */
      if (!sim_end_agrees (end) || program->readable[reply->channel] || program->readable[0]
          || program->serialized[reply->channel])
        continue;
      check_order (end, reply);
    }
  program->ordered_count = 0;
}

/* Chains -------------------------------------------------------------------------------- */

void
sim_oracle_replied (sim_end     *end,
                    sim_message *asked,
                    sim_message *reply)
{
  if (!end->world->weak
      && (reply->parent != asked || (asked->answer != reply && !asked->redelivered)))
    sim_fail (end->world, "%llu is answered by %llu, which answers another",
              (unsigned long long) asked->id, (unsigned long long) reply->id);
  asked->reply = reply;
}

/* Whether what the receiver did to @asked makes its sender hear of such an end. */
static bool
end_is_true (const sim_message *asked,
             sqx_end_reason     reason)
{
  const sim_program *peer = &asked->from->peer->program;

  switch (asked->received)
    {
    case SIM_RECEIVED_ENDED:
      if (asked->answered_reason == reason)
        return true;
      break;
    case SIM_RECEIVED_FINAL:
      if (reason == SQX_END_ENDED)
        return true;
      break;
    case SIM_RECEIVED_REPLIED:
      return reason == SQX_END_CANCELLED && asked->answer->wait == SIM_WAIT_CANCELLED;
    case SIM_RECEIVED_NOT:
      if (reason == SQX_END_UNHANDLED && peer->deaf_once && !asked->is_reply)
        return true;
      break;
    case SIM_RECEIVED_OPEN:
    case SIM_RECEIVED_LOST:
    case SIM_RECEIVED_CANCELLED:
      break;
    }
  /* A reply that came too late for a wait that was given up. */
  if (reason == SQX_END_CANCELLED && asked->is_reply
      && asked->parent->wait == SIM_WAIT_CANCELLED)
    return true;
  return reason == SQX_END_CLOSING && peer->close_called
         && asked->received != SIM_RECEIVED_FINAL && asked->received != SIM_RECEIVED_ENDED;
}

void
sim_oracle_ended (sim_end        *end,
                  sim_message    *asked,
                  sqx_end_reason  reason)
{
  /* What the life before did with it is not known any more. */
  if (end->world->weak || asked->redelivered || end_is_true (asked, reason))
    return;
  sim_fail (end->world, "%llu is ended with \"%s\", which its receiver did not do (%d)",
            (unsigned long long) asked->id, sqx_end_reason_string (reason), asked->received);
}

/* A link was lost, and nobody brought another one in time. */
static bool
waited_long_enough (const sim_end *end)
{
  return end->lost_at != SQX_TIME_NEVER && end->world->now - end->lost_at >= end->persist;
}

static uint64_t
idle_timeout (const sim_end *end)
{
  uint64_t mine = end->config.idle_timeout;
  uint64_t its = end->peer->config.idle_timeout;

  return mine < its ? mine : its;
}

/* Whether the connection may fail so now. */
static bool
failure_is_true (const sim_end *end,
                 sqx_result     error)
{
  const sim_world *world = end->world;
  const sim_end *peer = end->peer;

  if (world->weak)
    return true;
  switch (error)
    {
    case SQX_ERR_CLOSED:
      return end->program.close_called;
    case SQX_ERR_TIMED_OUT:
      if (end->host != NULL
          && (waited_long_enough (end)
              || (end->accepted == 0 && world->now - end->opened_at >= SQX_HANDSHAKE_DEFAULT)))
        return true;
      return idle_timeout (end) != SQX_TIME_NEVER
             && world->now - end->last_accepted >= idle_timeout (end);
    case SQX_ERR_UNREACHABLE:
      if (end->host != NULL && waited_long_enough (end))
        return true;
      return end->first_unreachable != SQX_TIME_NEVER
             && world->now - end->first_unreachable >= end->config.unreachable_timeout;
    case SQX_ERR_PEER_CLOSED:
      return peer->program.closed_once;
    case SQX_ERR_APPLICATION_MISMATCH:
      return strcmp (end->application, peer->application) != 0;
    case SQX_ERR_SESSION_LOST:
      /* The peer has forgotten it, or never had it; or it has no link, and this side cannot
       * wait. */
      return end->host != NULL
             && (!sim_end_is_linked (end) || waited_long_enough (end)
                 || (end->persist == 0 && peer->lost_at != SQX_TIME_NEVER));
    case SQX_ERR_REFUSED:
      return end->host != NULL && (peer->closed || !sim_end_is_linked (end));
    case SQX_ERR_VERSION:
      /* Who can change packets can keep two sides apart. */
      return end->host != NULL && world->tampers && !end->was_connected;
    case SQX_ERR_PROTOCOL:
    case SQX_OK:
    case SQX_ERR_NO_MEMORY:
    case SQX_ERR_INVALID:
    case SQX_ERR_TOO_LARGE:
    case SQX_ERR_QUEUE_FULL:
    case SQX_ERR_ALREADY_ANSWERED:
    case SQX_ERR_UNTRUSTED:
      break;
    }
  return false;
}

void
sim_oracle_failed (sim_end     *end,
                   sim_message *asked,
                   sqx_result   error)
{
  if (error == SQX_ERR_SESSION_LOST
        ? asked->doomed || end->world->weak || failure_is_true (end, error)
      : error == SQX_ERR_TOO_LARGE  ? end->world->weak /* a flipped limit */
                                      || asked->size > end->peer->config.max_message_size
                                    : failure_is_true (end, error))
    return;
  sim_fail (end->world, "the wait for %llu fails with \"%s\" for no reason",
            (unsigned long long) asked->id, sqx_result_string (error));
}

void
sim_oracle_cancelled (sim_end           *end,
                      const sim_message *message)
{
  /* A lost session cancels all that came by it. */
  if (message->wait == SIM_WAIT_CANCELLED || message->stale || end->world->weak)
    return;
  sim_fail (end->world, "%llu is said to be cancelled, and is not",
            (unsigned long long) message->id);
}

/* Connections --------------------------------------------------------------------------- */

void
sim_oracle_restarted (sim_end *end)
{
  sim_world *world = end->world;

  for (size_t i = 0; i < world->message_count; i++)
    {
      const sim_message *message = world->messages[i];

      if (message->from == end && message->life == end->life && message->doomed
          && message->wait == SIM_WAIT_OPEN)
        sim_fail (world, "RESTARTED comes before the wait for %llu is told",
                  (unsigned long long) message->id);
    }
}

void
sim_oracle_closed (sim_end         *end,
                   const sqx_event *event)
{
  sim_world *world = end->world;
  const sim_program *program = &end->program;
  const sim_program *peer = &end->peer->program;

  if (program->open > 0)
    sim_fail (world, "CLOSED comes while %llu waits are open", (unsigned long long) program->open);
  if (world->weak)
    return;
  if (event->error == SQX_OK)
    {
      if (!program->close_called || event->code != program->close_code || event->by_peer)
        sim_fail (world, "CLOSED says that its program closed it, with code %llu",
                  (unsigned long long) event->code);
    }
  else if (event->error == SQX_ERR_PEER_CLOSED)
    {
      if (!peer->closed_once || event->code != peer->close_code || !event->by_peer
          || strcmp (event->reason_text, "good bye") != 0)
        sim_fail (world, "CLOSED says that the peer closed, with code %llu and \"%s\"",
                  (unsigned long long) event->code, event->reason_text);
    }
  else if (!failure_is_true (end, event->error))
    sim_fail (world, "CLOSED with \"%s\", code %llu \"%s\", for no reason",
              sqx_result_string (event->error), (unsigned long long) event->code,
              event->reason_text);
}

static bool
is_no_longer_open (const sim_end *end)
{
  sqx_state state = sqx_conn_state (end->conn);

  return state != SQX_STATE_CONNECTING && state != SQX_STATE_CONNECTED
         && state != SQX_STATE_RECONNECTING;
}

void
sim_oracle_send_error (sim_end           *end,
                       const sim_message *message,
                       sqx_result         result)
{
  uint64_t limit = sqx_conn_peer_max_message_size (end->conn);
  bool right;

  switch (result)
    {
    case SQX_ERR_QUEUE_FULL:
      right = sqx_conn_queued_bytes (end->conn) + message->size + SQX_MESSAGE_OVERHEAD
              > end->config.queue_limit;
      break;
    case SQX_ERR_TOO_LARGE:
      right = message->size > (limit > 0 ? limit : SQX_MESSAGE_MAX_MAX);
      break;
    case SQX_OK:
    case SQX_ERR_NO_MEMORY:
    case SQX_ERR_INVALID:
    case SQX_ERR_ALREADY_ANSWERED:
    case SQX_ERR_SESSION_LOST:
    case SQX_ERR_CLOSED:
    case SQX_ERR_TIMED_OUT:
    case SQX_ERR_UNREACHABLE:
    case SQX_ERR_PROTOCOL:
    case SQX_ERR_APPLICATION_MISMATCH:
    case SQX_ERR_PEER_CLOSED:
    case SQX_ERR_REFUSED:
    case SQX_ERR_UNTRUSTED:
    case SQX_ERR_VERSION:
    default:
      right = is_no_longer_open (end);
      break;
    }
  if (!right)
    sim_fail (end->world, "send() fails for no reason: %s", sqx_result_string (result));
}

void
sim_oracle_answer_error (sim_end           *end,
                         const sim_message *asked,
                         sqx_result         result)
{
  bool right;

  if (end->world->weak)
    return;
  switch (result)
    {
    case SQX_ERR_ALREADY_ANSWERED:
      right = asked->received != SIM_RECEIVED_OPEN || asked->wait == SIM_WAIT_CANCELLED
              || end->program.close_called;
      break;
    case SQX_ERR_SESSION_LOST:
      right = asked->stale || asked->received_id.incarnation != sqx_conn_incarnation (end->conn)
              || (end->host != NULL && is_no_longer_open (end));
      break;
    case SQX_OK:
    case SQX_ERR_NO_MEMORY:
    case SQX_ERR_INVALID:
    case SQX_ERR_TOO_LARGE:
    case SQX_ERR_QUEUE_FULL:
      right = false;
      break;
    case SQX_ERR_CLOSED:
    case SQX_ERR_TIMED_OUT:
    case SQX_ERR_UNREACHABLE:
    case SQX_ERR_PROTOCOL:
    case SQX_ERR_APPLICATION_MISMATCH:
    case SQX_ERR_PEER_CLOSED:
    case SQX_ERR_REFUSED:
    case SQX_ERR_UNTRUSTED:
    case SQX_ERR_VERSION:
    default:
      right = is_no_longer_open (end);
      break;
    }
  if (!right)
    sim_fail (end->world, "the answer to %llu fails for no reason: %s",
              (unsigned long long) asked->id, sqx_result_string (result));
}

/* Bounds -------------------------------------------------------------------------------- */

/* A connection's own state and its buffers, what was sent and not acknowledged included. */
#define MEMORY_CONSTANT UINT64_C (262144)
/* A message that is remembered, on either side, without its payload. */
#define MEMORY_RECORD   UINT64_C (640)

void
sim_oracle_remember (sim_end *end)
{
  const sim_program *mine = &end->program;
  const sim_program *its = &end->peer->program;
  uint64_t records = mine->open + mine->given_up + mine->owed + its->open + its->given_up;
  uint64_t ended = its->submitted;

  /* An end is remembered until it is acknowledged; the credit of its exchange bounds that. */
  if (ended > end->config.exchange_credit + SQX_EARLY_EXCHANGES)
    ended = end->config.exchange_credit + SQX_EARLY_EXCHANGES;
  records += ended;
  if (records > end->records)
    end->records = records;
}

uint64_t
sim_oracle_memory_bound (sim_end *end)
{
  uint64_t held = sqx_conn_received_bytes_held (end->conn);
  uint64_t streams = end->world->streaming ? sim_streams_bound (end) : 0;
  sqx_statistics statistics;
  uint64_t bound;

  sim_oracle_remember (end);
  sqx_conn_statistics (end->conn, &statistics);
  bound = statistics.byte_window + SQX_EARLY_BYTES + MEMORY_CONSTANT
          + end->records * MEMORY_RECORD;
  /* What each packet in flight, or lost of late, carried: the smallest frame is 4 bytes, its record
   * 24, in a ring that may be half empty. */
  bound += 12 * (end->sent_lately + end->sent_before);
  /* Unconfirmed datagrams that the program has not fetched. */
  if (end->peer->program.habits.datagrams > 0)
    bound += SQX_DATAGRAM_QUEUE * (uint64_t) end->config.max_datagram_size;
  /* Of those that the peer reads, the records of chunks. */
  if (end->world->streaming)
    bound += streams + sim_streams_bound (end->peer);
  end->records = 0;
  sim_oracle_remember (end);
  if (held > statistics.byte_window + SQX_EARLY_BYTES + streams)
    sim_fail (end->world, "%llu received bytes are held, the window is %llu",
              (unsigned long long) held, (unsigned long long) statistics.byte_window);
  return bound;
}

static void
check_peak (sim_end  *end,
            uint64_t  bound)
{
  if (!end->world->weak && end->account.peak > bound)
    sim_fail (end->world, "%c holds %llu bytes, %llu are allowed", (int) ('A' + end->index),
              (unsigned long long) end->account.peak, (unsigned long long) bound);
  if (end->account.peak > end->highest)
    end->highest = end->account.peak;
  end->account.peak = end->account.current;
}

void
sim_oracle_memory (sim_end *end)
{
  check_peak (end, sim_oracle_memory_bound (end));
}

/* An endpoint without connections; a handshake that is not finished, and what it may keep. */
#define MEMORY_HOST      UINT64_C (65536)
#define MEMORY_HALF_OPEN (UINT64_C (4096) + SQX_EARLY_DATA * SQX_INIT_MIN)

void
sim_oracle_host_memory (sim_host *host)
{
  uint32_t half_open = sqx_endpoint_n_half_open (host->endpoint);
  uint64_t bound = MEMORY_HOST;

  /* The most there were since the last look is seen before or after it. */
  if (half_open > host->half_open)
    host->half_open = half_open;
  bound += host->half_open * MEMORY_HALF_OPEN;
  host->half_open = half_open;
  for (uint32_t i = 0; i < host->n_ends; i++)
    if (host->ends[i]->conn != NULL)
      bound += sim_oracle_memory_bound (host->ends[i]);
  check_peak (host->ends[0], bound);
}

static void
check_rest (sim_end *end)
{
  sim_world *world = end->world;
  uint64_t next = end->host != NULL ? sqx_endpoint_next_timeout (end->host->endpoint)
                                    : sqx_conn_next_timeout (end->conn);
  int name = (int) ('A' + end->index);

  if (end->closed && sqx_conn_state (end->conn) != SQX_STATE_CLOSED)
    sim_fail (world, "%c is closed and its state is \"%s\" for ever", name,
              sqx_state_string (sqx_conn_state (end->conn)));
  if (end->host != NULL && sqx_conn_next_timeout (end->conn) == SQX_TIME_NEVER
      && end->host->n_ends > 1)
    next = SQX_TIME_NEVER;
  if (next != SQX_TIME_NEVER
      && (end->closed || !(end->config.keepalive_always || end->peer->config.keepalive_always)))
    sim_fail (world, "%c has nothing to do and a deadline in %lld us", name,
              (long long) (next - world->now));
  if (sqx_conn_is_busy (end->conn))
    sim_fail (world, "%c has nothing to do and is busy", name);
  if (sqx_conn_queued_bytes (end->conn) != 0 || sqx_conn_received_bytes_held (end->conn) != 0)
    sim_fail (world, "%c has nothing to do, queues %llu bytes and holds %llu", name,
              (unsigned long long) sqx_conn_queued_bytes (end->conn),
              (unsigned long long) sqx_conn_received_bytes_held (end->conn));
}

/* Who goes on talking is found, wherever it went. */
static void
check_place (const sim_end *end)
{
  if (end->host == NULL || !end->config.keepalive_always || !sim_end_is_linked (end)
      || end->closed || sqx_conn_state (end->conn) != SQX_STATE_CONNECTED
      || sqx_conn_state (end->peer->conn) != SQX_STATE_CONNECTED)
    return;
  if (!sqx_address_equal (sqx_conn_address (end->peer->conn), &end->host->address))
    sim_fail (end->world, "%c moved, and its peer looks for it where it was",
              (int) ('A' + end->index));
}

void
sim_oracle_at_rest (sim_world *world)
{
  /* What a flipped bit began, nobody knows to finish. */
  if (world->weak && !world->closing)
    return;
  for (uint32_t i = 0; i < world->n_ends; i++)
    if (world->ends[i]->conn != NULL)
      {
        check_rest (world->ends[i]);
        check_place (world->ends[i]);
      }
}

/* The end of the story ------------------------------------------------------------------ */

/* Whether the sender heard what the receiver did. */
static bool
sides_agree (const sim_message *message)
{
  switch (message->wait)
    {
    case SIM_WAIT_OPEN:
      return false;
    case SIM_WAIT_REPLIED:
      return message->received == SIM_RECEIVED_REPLIED && message->reply == message->answer;
    case SIM_WAIT_ENDED:
      return end_is_true (message, message->reason);
    case SIM_WAIT_FAILED:
    case SIM_WAIT_CANCELLED:
    case SIM_WAIT_ABANDONED:
      break;
    }
  return true;
}

void
sim_oracle_agreed (sim_world *world)
{
  sim_streams_agreed (world);
  for (size_t i = 0; i < world->message_count; i++)
    {
      const sim_message *message = world->messages[i];

      if (message->is_datagram)
        continue;
      if (message->received == SIM_RECEIVED_OPEN && !world->weak)
        sim_fail (world, "message %zu was taken and never settled", i);
      if (message->wait == SIM_WAIT_OPEN)
        sim_fail (world, "the wait for message %zu never ends", i);
      if (world->weak || world->restarts)
        continue;
      if (!sides_agree (message))
        sim_fail (world, "the peers disagree on message %zu: %d by its sender, %d by its receiver",
                  i, message->wait, message->received);
      if (message->received == SIM_RECEIVED_CANCELLED && message->wait != SIM_WAIT_CANCELLED)
        sim_fail (world, "message %zu was cancelled by nobody", i);
    }
}
