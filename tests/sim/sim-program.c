/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program above an end: what it starts, how it reads, and how it answers.
 */

#include "sim-host.h"

#include <stdlib.h>
#include <string.h>

static void start_some (sim_world *world, void *data, uint64_t life);
static void read_slowly (sim_world *world, void *data, uint64_t life);

static bool
is_open (const sim_end *end)
{
  return end->conn != NULL && !end->closed && !end->program.close_called;
}

/* It waits no more. */
static void
stop_waiting (sim_message *message,
              sim_wait     how)
{
  sim_end *end = message->from;

  message->wait = how;
  message->told = end->world->now;
  message->handle = NULL;
  end->program.open--;
  if (!message->is_reply)
    end->program.starting--;
  if (message->holds_exchange && !message->doomed)
    end->wire.open_exchanges--;
  message->holds_exchange = false;
}

/* Starting ------------------------------------------------------------------------------ */

void
sim_program_start_soon (sim_end  *end,
                        uint64_t  after)
{
  sim_program *program = &end->program;

  if (program->start_due || program->left == 0 || program->full || !is_open (end))
    return;
  if (program->habits.depth > 0 && program->starting >= program->habits.depth)
    return;
  program->start_due = true;
  sim_world_chore (end->world, end->world->now + after, start_some, end, end->life);
}

static uint64_t
draw_size (sim_end *end,
           bool     is_reply)
{
  sim_program *program = &end->program;
  const sim_habits *habits = &program->habits;
  uint64_t most = end->peer->config.max_message_size;
  uint64_t size;

  if (!is_reply && sim_rng_chance (&program->rng, habits->oversize))
    return most + 1 + sim_rng_below (&program->rng, 1000);
  if (sim_rng_chance (&program->rng, habits->huge))
    size = sim_rng_scale (&program->rng, habits->size_large, habits->size_huge);
  else if (sim_rng_chance (&program->rng, habits->large))
    size = sim_rng_scale (&program->rng, habits->size_small, habits->size_large);
  else
    size = sim_rng_below (&program->rng, habits->size_small + 1);
  return size < most ? size : most;
}

static void
give_up (sim_world *world,
         void      *data,
         uint64_t   argument)
{
  sim_message *message = data;
  sim_end *end = message->from;

  if (message->wait != SIM_WAIT_OPEN || message->life != end->life || end->conn == NULL)
    return;
  SIM_TRACE (world, end, "cancels %llu", (unsigned long long) message->id);
  sim_world_note (world, 1, message->id);
  end->program.given_up++;
  sim_end_enter (end);
  sqx_conn_cancel (end->conn, world->now, message->handle);
  sim_end_leave ();
  stop_waiting (message, SIM_WAIT_CANCELLED);
  sim_world_progress (world);
  sim_end_ready (end);
  sim_program_start_soon (end, 0);
}

/* It was submitted. */
static void
wait_for (sim_message *message,
          uint32_t     cancel)
{
  sim_end *end = message->from;
  sim_program *program = &end->program;
  uint64_t after = sim_rng_below (&program->rng, program->habits.cancel_after + 1);

  program->open++;
  if (!message->is_reply)
    {
      program->starting++;
      program->submitted++;
      end->world->exchanges++;
      if (!end->wire.hello_known)
        end->wire.early_exchanges++;
    }
  end->last_wish = end->world->now;
  sim_oracle_remember (end);
  sim_oracle_remember (end->peer);
  sim_world_note (end->world, 2, message->id);
  if (!end->world->healed && sim_rng_chance (&program->rng, cancel))
    sim_world_chore (end->world, end->world->now + after, give_up, message, 0);
  sim_end_ready (end);
}

sim_message *
sim_program_send (sim_end  *end,
                  uint32_t  channel,
                  uint64_t  size,
                  uint32_t  flags)
{
  sim_world *world = end->world;
  sim_program *program = &end->program;
  sim_message *message = sim_message_new (end, channel, size, flags, NULL);
  sqx_payload payload;
  sqx_result result;

  sim_message_payload (message, !sim_rng_chance (&program->rng, program->habits.unowned), &payload);
  sim_end_enter (end);
  result = sqx_conn_send (end->conn, world->now, world->channel_ids[channel], &payload, flags,
                          message, &message->handle);
  sim_end_leave ();
  SIM_TRACE (world, end, "starts %llu%s%s, %llu bytes on %u: %s", (unsigned long long) message->id,
             message->ordered ? " ordered" : "", message->final ? " final" : "",
             (unsigned long long) message->size, world->channel_ids[channel],
             sqx_result_string (result));
  if (result != SQX_OK)
    {
      sim_oracle_send_error (end, message, result);
      if (result == SQX_ERR_QUEUE_FULL)
        program->full = true;
      sim_message_discard (message);
      return NULL;
    }
  wait_for (message, program->habits.cancel);
  return message;
}

static void
start_some (sim_world *world,
            void      *data,
            uint64_t   life)
{
  sim_end *end = data;
  sim_program *program = &end->program;
  const sim_habits *habits = &program->habits;

  if (end->life != life)
    return;
  program->start_due = false;
  for (uint64_t i = 0; i < habits->burst; i++)
    {
      uint32_t flags = 0, channel;
      uint64_t size;

      if (program->left == 0 || !is_open (end) || program->full
          || (habits->depth > 0 && program->starting >= habits->depth))
        break;
      if (sim_rng_chance (&program->rng, habits->ordered))
        flags |= SQX_MESSAGE_ORDERED;
      if (sim_rng_chance (&program->rng, habits->final))
        flags |= SQX_MESSAGE_FINAL;
      /* One draw after the other: compilers differ in the order of arguments. */
      channel = (uint32_t) sim_rng_below (&program->rng, world->n_channels);
      size = draw_size (end, false);
      if (sim_program_send (end, channel, size, flags) != NULL || !program->full)
        program->left--;
    }
  sim_program_start_soon (end, sim_rng_below (&program->rng, habits->interval + 1));
}

/* Answering ----------------------------------------------------------------------------- */

static void
no_longer_owed (sim_message  *message,
                sim_received  how)
{
  sim_end *end = message->from->peer;

  message->received = how;
  end->program.owed--;
  if (end->program.holder[message->channel] == message)
    end->program.holder[message->channel] = NULL;
  sim_world_progress (end->world);
}

static void
answer_twice (sim_end     *end,
              sim_message *message)
{
  sqx_result result;

  if (!sim_rng_chance (&end->program.rng, end->program.habits.answer_twice))
    return;
  sim_end_enter (end);
  result = sqx_conn_end (end->conn, end->world->now, &message->received_id, SQX_END_ENDED);
  sim_end_leave ();
  if (result == SQX_OK)
    sim_fail (end->world, "message %llu can be answered twice", (unsigned long long) message->id);
  sim_oracle_answer_error (end, message, result);
}

static sqx_result
answer_by_end (sim_end     *end,
               sim_message *message)
{
  static const sqx_end_reason reasons[] = { SQX_END_ENDED, SQX_END_ENDED, SQX_END_UNHANDLED,
                                            SQX_END_FAILED };
  sqx_end_reason reason = reasons[sim_rng_below (&end->program.rng, 4)];
  sqx_result result;

  sim_end_enter (end);
  result = sqx_conn_end (end->conn, end->world->now, &message->received_id, reason);
  sim_end_leave ();
  SIM_TRACE (end->world, end, "ends %llu: %s, %s", (unsigned long long) message->id,
             sqx_end_reason_string (reason), sqx_result_string (result));
  if (result != SQX_OK)
    return result;
  message->answered_reason = reason;
  no_longer_owed (message, SIM_RECEIVED_ENDED);
  return result;
}

static sqx_result
answer_by_reply (sim_end     *end,
                 sim_message *message)
{
  sim_world *world = end->world;
  sim_program *program = &end->program;
  uint32_t flags = 0;
  sim_message *reply;
  sqx_payload payload;
  sqx_result result;

  if (message->depth + 1 >= program->habits.chain_length
      || !sim_rng_chance (&program->rng, program->habits.chain))
    flags |= SQX_MESSAGE_FINAL;
  if (sim_rng_chance (&program->rng, program->habits.ordered_reply))
    flags |= SQX_MESSAGE_ORDERED;
  reply = sim_message_new (end, message->channel, draw_size (end, true), flags, message);
  sim_message_payload (reply, !sim_rng_chance (&program->rng, program->habits.unowned), &payload);
  sim_end_enter (end);
  result = sqx_conn_reply (end->conn, world->now, &message->received_id, &payload, flags, reply,
                           &reply->handle);
  sim_end_leave ();
  SIM_TRACE (world, end, "replies to %llu with %llu%s%s, %llu bytes: %s",
             (unsigned long long) message->id, (unsigned long long) reply->id,
             reply->ordered ? " ordered" : "", reply->final ? " final" : "",
             (unsigned long long) reply->size, sqx_result_string (result));
  if (result != SQX_OK)
    {
      sim_message_discard (reply);
      return result;
    }
  message->answer = reply;
  no_longer_owed (message, SIM_RECEIVED_REPLIED);
  wait_for (reply, program->habits.cancel_reply);
  return result;
}

void
sim_program_answer (sim_message *message)
{
  sim_end *end = message->from->peer;
  sim_program *program = &end->program;
  sqx_result result;

  if (message->received != SIM_RECEIVED_OPEN || message->receiver_life != end->life)
    return;
  if (sim_rng_chance (&program->rng, program->habits.reply))
    result = answer_by_reply (end, message);
  else
    result = answer_by_end (end, message);
  sim_world_note (end->world, 3, message->id);
  sim_end_ready (end);
  if (result == SQX_ERR_QUEUE_FULL)
    {
      message->blocked = true;
      sim_push (&program->blocked, &program->blocked_count, &program->blocked_capacity, message);
      return;
    }
  if (result != SQX_OK)
    sim_oracle_answer_error (end, message, result);
  /* The peer's cancel is told by an event of its own, still to be fetched. */
  if (result != SQX_OK && message->wait != SIM_WAIT_CANCELLED)
    no_longer_owed (message, SIM_RECEIVED_LOST);
  answer_twice (end, message);
}

static void
answer_later (sim_world *world,
              void      *data,
              uint64_t   argument)
{
  sim_program_answer (data);
}

static void
let_next_in (sim_end     *end,
             sim_message *message)
{
  sim_end_enter (end);
  sqx_conn_release (end->conn, &message->received_id);
  sim_end_leave ();
  if (end->program.holder[message->channel] == message)
    end->program.holder[message->channel] = NULL;
  sim_end_ready (end);
}

/* The program got a message: how it goes about it. */
static void
handle (sim_end     *end,
        sim_message *message)
{
  sim_program *program = &end->program;
  const sim_habits *habits = &program->habits;
  uint64_t late = end->world->healed ? 10 * SIM_MS : habits->late_after;

  if (message->received != SIM_RECEIVED_OPEN)
    {
      answer_twice (end, message);
      return;
    }
  program->owed++;
  if (end->closed)
    {
      /* Taken out of a closed connection's queue: nobody awaits an answer any more. */
      no_longer_owed (message, SIM_RECEIVED_LOST);
      answer_twice (end, message);
      return;
    }
  if (program->serialized[message->channel] && sim_rng_chance (&program->rng, habits->release))
    let_next_in (end, message);
  if (!end->world->healed && sim_rng_chance (&program->rng, habits->hold))
    sim_push (&program->held, &program->held_count, &program->held_capacity, message);
  else if (sim_rng_chance (&program->rng, habits->late))
    sim_world_chore (end->world, end->world->now + sim_rng_below (&program->rng, late + 1),
                     answer_later, message, 0);
  else
    sim_program_answer (message);
}

void
sim_program_let_go (sim_end *end)
{
  sim_program *program = &end->program;

  for (size_t i = 0; i < program->held_count; i++)
    {
      size_t at = program->habits.reversed ? program->held_count - 1 - i : i;

      sim_program_answer (program->held[at]);
    }
  program->held_count = 0;
}

/* Reading ------------------------------------------------------------------------------- */

static bool
read_one (sim_end  *end,
          uint32_t  queue)
{
  sim_world *world = end->world;
  bool expected = sqx_conn_has_message (end->conn, world->channel_ids[queue]);
  sqx_message received;
  sim_message *message;
  bool any;

  memset (&received, 0x5a, sizeof received);
  sim_end_enter (end);
  any = sqx_conn_receive (end->conn, world->now, world->channel_ids[queue], &received);
  sim_end_leave ();
  if (any != expected)
    sim_fail (world, "has_message() and receive() disagree");
  if (!any)
    return false;
  message = sim_oracle_delivered (end, &received, false);
  free (received.data);
  if (message == NULL)
    return true;
  if (message->channel != queue && (queue != 0 || end->program.opened[message->channel]))
    sim_fail (world, "message of channel %u in the queue of channel %u",
              world->channel_ids[message->channel], world->channel_ids[queue]);
  handle (end, message);
  sim_end_ready (end);
  return true;
}

static bool
reads_slowly (const sim_end *end)
{
  return end->program.habits.read_interval > 0 && !end->world->healed;
}

void
sim_program_read (sim_end *end)
{
  uint32_t life = end->life;

  if (reads_slowly (end))
    return;
  for (uint32_t i = 0; i < end->world->n_channels; i++)
    while (end->conn != NULL && end->life == life && end->program.readable[i])
      end->program.readable[i] = read_one (end, i);
}

static void
read_slowly (sim_world *world,
             void      *data,
             uint64_t   life)
{
  sim_end *end = data;
  sim_program *program = &end->program;
  bool more = false;

  if (end->conn == NULL || end->life != life)
    return;
  for (uint32_t i = 0; i < world->n_channels; i++)
    for (uint64_t n = 0; program->readable[i] && n < program->habits.read_batch; n++)
      program->readable[i] = read_one (end, i);
  for (uint32_t i = 0; i < world->n_channels; i++)
    more = more || program->readable[i];
  if (more)
    sim_world_chore (world, world->now + (world->healed ? 0 : program->habits.read_interval),
                     read_slowly, end, end->life);
}

/* Events -------------------------------------------------------------------------------- */

static void
message_waits (sim_end  *end,
               uint32_t  channel)
{
  uint32_t index = sim_channel_index (end->world, channel);
  bool any = false;

  if (index == SIM_CHANNELS)
    sim_fail (end->world, "EVENT_MESSAGE of channel %u", channel);
  for (uint32_t i = 0; i < end->world->n_channels; i++)
    any = any || end->program.readable[i];
  end->program.readable[index] = true;
  if (reads_slowly (end) && !any)
    sim_world_chore (end->world, end->world->now + end->program.habits.read_interval, read_slowly,
                     end, end->life);
}

static sim_message *
told (sim_end  *end,
      void     *tag,
      sim_wait  how)
{
  sim_world *world = end->world;
  sim_message *message = tag;

  if (message->from != end || message->life != end->life)
    sim_fail (world, "an event for a message of somebody else");
  if (message->wait != SIM_WAIT_OPEN)
    sim_fail (world, "the wait for message %llu ends twice (%d, then %d)",
              (unsigned long long) message->id, message->wait, how);
  stop_waiting (message, how);
  sim_world_note (world, 10 + how, message->id);
  sim_world_progress (world);
  sim_program_start_soon (end, 0);
  return message;
}

static void
on_reply (sim_end   *end,
          sqx_event *event)
{
  sim_message *asked = told (end, event->tag, SIM_WAIT_REPLIED);
  sim_message *reply = sim_oracle_delivered (end, &event->message, true);

  free (event->message.data);
  SIM_TRACE (end->world, end, "%llu is answered by %llu", (unsigned long long) asked->id,
             reply == NULL ? 0ull : (unsigned long long) reply->id);
  if (reply == NULL)
    return;
  end->world->replies++;
  sim_oracle_replied (end, asked, reply);
  handle (end, reply);
}

static void
on_end (sim_end   *end,
        sqx_event *event)
{
  sim_message *asked = told (end, event->tag, SIM_WAIT_ENDED);

  SIM_TRACE (end->world, end, "%llu is ended: %s", (unsigned long long) asked->id,
             sqx_end_reason_string (event->reason));
  asked->reason = event->reason;
  sim_oracle_ended (end, asked, event->reason);
}

static void
on_failed (sim_end   *end,
           sqx_event *event)
{
  sim_message *asked = told (end, event->tag, SIM_WAIT_FAILED);

  SIM_TRACE (end->world, end, "%llu fails: %s", (unsigned long long) asked->id,
             sqx_result_string (event->error));
  asked->error = event->error;
  sim_oracle_failed (end, asked, event->error);
}

static void
on_cancelled (sim_end              *end,
              const sqx_message_id *id)
{
  sim_world *world = end->world;

  for (size_t i = 0; i < world->message_count; i++)
    {
      sim_message *message = world->messages[i];

      if (message->from != end->peer || message->receiver_life != end->life
          || message->received == SIM_RECEIVED_NOT || message->is_datagram
          || message->received_id.incarnation != id->incarnation
          || message->received_id.channel != id->channel
          || message->received_id.number != id->number)
        continue;
      SIM_TRACE (world, end, "%llu is cancelled by its sender", (unsigned long long) message->id);
      sim_oracle_cancelled (end, message);
      if (message->received == SIM_RECEIVED_OPEN)
        no_longer_owed (message, SIM_RECEIVED_CANCELLED);
      return;
    }
  if (!world->weak)
    sim_fail (world, "a message is cancelled that the program never got");
}

/* Nothing more can be said to anybody. */
static void
lose_all (sim_end *end,
          bool     stale_only)
{
  sim_world *world = end->world;

  for (size_t i = 0; i < world->message_count; i++)
    {
      sim_message *message = world->messages[i];

      if (message->from == end->peer && message->receiver_life == end->life
          && message->received == SIM_RECEIVED_OPEN && (message->stale || !stale_only))
        {
          no_longer_owed (message, SIM_RECEIVED_LOST);
          if (end->conn != NULL)
            answer_twice (end, message);
        }
    }
}

static void
on_writable (sim_end *end)
{
  sim_program *program = &end->program;
  size_t count = program->blocked_count;
  sim_message **blocked = program->blocked;

  program->full = false;
  program->blocked = NULL;
  program->blocked_count = program->blocked_capacity = 0;
  for (size_t i = 0; i < count; i++)
    {
      blocked[i]->blocked = false;
      sim_program_answer (blocked[i]);
    }
  free (blocked);
  sim_program_start_soon (end, 0);
}

static void
on_datagram (sim_end   *end,
             sqx_event *event)
{
  sim_world *world = end->world;
  const uint8_t *data = event->message.data;
  uint64_t id = 0;

  for (size_t i = 0; i < 8 && i < event->message.size; i++)
    id |= (uint64_t) data[i] << (8 * i);
  if (!world->weak)
    {
      sim_message *message = id < world->message_count ? world->messages[id] : NULL;

      if (message == NULL || !message->is_datagram || message->from != end->peer
          || !sim_message_matches (message, data, event->message.size))
        sim_fail (world, "a datagram arrives that nobody sent");
      if (message->received != SIM_RECEIVED_NOT && message->receiver_life == end->life)
        sim_fail (world, "a datagram is delivered twice");
      message->received = SIM_RECEIVED_FINAL;
      message->receiver_life = end->life;
    }
  free (event->message.data);
}

static void
on_closed (sim_end         *end,
           const sqx_event *event)
{
  sim_program *program = &end->program;

  SIM_TRACE (end->world, end, "closed: %s, code %llu \"%s\"", sqx_result_string (event->error),
             (unsigned long long) event->code, event->reason_text);
  end->closed = true;
  end->closed_error = event->error;
  end->closed_at = end->world->now;
  sim_oracle_closed (end, event);
  program->left = 0;
  program->datagrams_left = 0;
  program->streams_left = 0;
  sim_streams_lost (end);
  lose_all (end, false);
}

void
sim_program_event (sim_end   *end,
                   sqx_event *event)
{
  sim_world *world = end->world;

  sim_world_note (world, 100 + event->type, end->index);
  if (end->closed)
    sim_fail (world, "event %d after CLOSED", event->type);
  switch (event->type)
    {
    case SQX_EVENT_CONNECTED:
      /* The peer may bring another link before this side knows that it needs one. */
      if (end->program.told_connected && end->host == NULL)
        sim_fail (world, "CONNECTED comes twice");
      end->program.told_connected = true;
      end->was_connected = true;
      end->lost_at = SQX_TIME_NEVER;
      break;
    case SQX_EVENT_MESSAGE:
      message_waits (end, event->channel);
      break;
    case SQX_EVENT_REPLY:
      on_reply (end, event);
      break;
    case SQX_EVENT_END:
      on_end (end, event);
      break;
    case SQX_EVENT_FAILED:
      on_failed (end, event);
      break;
    case SQX_EVENT_CANCELLED:
      on_cancelled (end, &event->id);
      break;
    case SQX_EVENT_DATAGRAM:
      on_datagram (end, event);
      break;
    case SQX_EVENT_WRITABLE:
      on_writable (end);
      break;
    case SQX_EVENT_RESTARTED:
      SIM_TRACE (world, end, "is told of the restart");
      sim_oracle_restarted (end);
      end->program.told_connected = false;
      sim_streams_lost (end);
      lose_all (end, true);
      break;
    case SQX_EVENT_STREAM:
      if (world->streaming)
        sim_streams_event (end, event);
      else if (event->opened)
        sqx_stream_release (end->conn, world->now, event->stream);
      break;
    case SQX_EVENT_CLOSED:
      on_closed (end, event);
      break;
    case SQX_EVENT_AUTHORIZE:
    case SQX_EVENT_RECONNECTING:
    case SQX_EVENT_MOVED:
      if (end->host == NULL)
        sim_fail (world, "a plain connection gives event %d", event->type);
      sim_host_event (end, event);
      break;
    }
}
