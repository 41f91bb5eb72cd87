/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The life of a program: from its start to its close, and what it does beside exchanges.
 */

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
sim_habits_init (sim_habits *habits)
{
  *habits = (sim_habits) {
    .burst = 1,
    .size_small = 64,
    .size_large = 64,
    .size_huge = 64,
    .reply = 10000,
    .chain_length = 16,
    .read_batch = 1,
    .close_at = SQX_TIME_NEVER,
    .deaf_from = SQX_TIME_NEVER,
  };
}

static bool
is_open (const sim_end *end)
{
  return end->conn != NULL && !end->closed && !end->program.close_called;
}

/* Unconfirmed datagrams ----------------------------------------------------------------- */

static void
send_datagram (sim_end *end)
{
  sim_world *world = end->world;
  size_t most = sqx_conn_max_datagram_payload (end->conn);
  uint64_t size = sim_rng_between (&end->program.rng, SIM_TINY, most);
  sim_message *message = sim_message_new (end, 0, size, 0, NULL);
  sqx_payload payload;
  sqx_result result;

  message->is_datagram = true;
  message->wait = SIM_WAIT_ENDED;
  sim_message_payload (message, true, &payload);
  sim_end_enter (end);
  result = sqx_conn_send_datagram (end->conn, world->now, &payload);
  sim_end_leave ();
  SIM_TRACE (world, end, "datagram %llu, %zu bytes: %s", (unsigned long long) message->id,
             payload.size, sqx_result_string (result));
  if (result == SQX_OK)
    return;
  if (result != SQX_ERR_QUEUE_FULL)
    sim_oracle_send_error (end, message, result);
  sim_message_discard (message);
}

static void
send_datagrams (sim_world *world,
                void      *data,
                uint64_t   life)
{
  sim_end *end = data;
  sim_program *program = &end->program;

  if (end->life != life || !is_open (end) || program->datagrams_left == 0)
    return;
  program->datagrams_left--;
  send_datagram (end);
  sim_end_ready (end);
  if (program->datagrams_left > 0)
    sim_world_chore (world, world->now + sim_rng_below (&program->rng,
                                                        program->habits.datagram_interval + 1),
                     send_datagrams, end, life);
}

/* Moods --------------------------------------------------------------------------------- */

static void
set_accepts (sim_world *world,
             void      *data,
             uint64_t   accepts)
{
  sim_end *end = data;

  if (end->conn == NULL)
    return;
  SIM_TRACE (world, end, accepts ? "takes messages" : "takes no messages");
  if (!accepts)
    end->program.deaf_once = true;
  sim_end_enter (end);
  sqx_conn_set_accepts_messages (end->conn, world->now, accepts != 0);
  sim_end_leave ();
  sim_end_ready (end);
}

static void
shuffle_priorities (sim_world *world,
                    void      *data,
                    uint64_t   life)
{
  sim_end *end = data;
  sim_rng *rng = &end->program.rng;

  if (end->life != life || !is_open (end))
    return;
  for (uint32_t i = 0; i < world->n_channels; i++)
    {
      sqx_result result;

      sim_end_enter (end);
      result = sqx_conn_set_priority (end->conn, world->channel_ids[i],
                                      (uint32_t) sim_rng_below (rng, SQX_PRIORITIES));
      sim_end_leave ();
      if (result != SQX_OK)
        sim_fail (world, "set_priority(): %s", sqx_result_string (result));
    }
  sim_end_ready (end);
}

/* Some channels get a queue of their own, and some of these are serialized. */
static void
open_channel (sim_end  *end,
              uint32_t  index)
{
  sim_world *world = end->world;
  sim_program *program = &end->program;
  uint32_t id = world->channel_ids[index];
  sqx_result result = SQX_OK;

  sim_end_enter (end);
  if (program->opened[index] && id != 0)
    result = sqx_conn_open_channel (end->conn, id);
  if (result == SQX_OK && program->serialized[index])
    {
      result = sqx_conn_set_serialized (end->conn, id, true);
      program->opened[index] = true;
    }
  sim_end_leave ();
  if (result != SQX_OK)
    sim_fail (world, "channel %u cannot be opened: %s", id, sqx_result_string (result));
}

/* From birth to death ------------------------------------------------------------------- */

static void
close_by_itself (sim_world *world,
                 void      *data,
                 uint64_t   life)
{
  sim_end *end = data;

  if (end->life == life && is_open (end))
    sim_program_close (end);
}

void
sim_program_start (sim_end *end)
{
  sim_world *world = end->world;
  sim_program *program = &end->program;
  const sim_habits *habits = &program->habits;

  if (end->life == 0)
    sim_rng_seed (&program->rng, world->seed, 200 + end->index);
  program->left = habits->starts;
  program->datagrams_left = habits->datagrams;
  program->open = program->starting = program->given_up = program->owed = 0;
  program->submitted = 0;
  program->start_due = program->full = program->told_connected = program->close_called = false;
  program->held_count = program->blocked_count = program->ordered_count = 0;
  memset (program->readable, 0, sizeof program->readable);
  memset (program->holder, 0, sizeof program->holder);
  program->opened[0] = true;
  for (uint32_t i = 0; i < world->n_channels; i++)
    open_channel (end, i);
  sim_program_start_soon (end, habits->first_start);
  sim_streams_start (end);
  if (habits->datagrams > 0)
    sim_world_chore (world, world->now, send_datagrams, end, end->life);
  if (habits->close_at != SQX_TIME_NEVER)
    sim_world_chore (world, world->start + habits->close_at, close_by_itself, end, end->life);
  if (habits->deaf_from != SQX_TIME_NEVER && end->life == 0)
    {
      sim_world_chore (world, world->start + habits->deaf_from, set_accepts, end, 0);
      sim_world_chore (world, world->start + habits->deaf_until, set_accepts, end, 1);
    }
  for (uint64_t i = sim_rng_chance (&program->rng, habits->shuffle) ? 4 : 0; i > 0; i--)
    sim_world_chore (world, world->now + sim_rng_below (&program->rng, 2 * SIM_SEC),
                     shuffle_priorities, end, end->life);
}

/* It is about to vanish, and all that it knew. */
void
sim_program_stop (sim_end *end)
{
  sim_world *world = end->world;

  for (size_t i = 0; i < world->message_count; i++)
    {
      sim_message *message = world->messages[i];

      if (message->from == end && message->life == end->life && message->wait == SIM_WAIT_OPEN)
        message->wait = SIM_WAIT_ABANDONED;
      if (message->from == end->peer && message->receiver_life == end->life
          && message->received == SIM_RECEIVED_OPEN)
        message->received = SIM_RECEIVED_LOST;
    }
  end->program.open = end->program.starting = end->program.owed = end->program.left = 0;
  end->program.datagrams_left = 0;
  sim_streams_stop (end);
  end->program.held_count = end->program.blocked_count = end->program.ordered_count = 0;
}

void
sim_program_settle (sim_end *end)
{
  sim_program *program = &end->program;

  if (end->conn == NULL)
    return;
  program->habits.interval /= 16;
  sim_program_let_go (end);
  sim_program_start_soon (end, 0);
  sim_end_ready (end);
}

void
sim_program_close (sim_end *end)
{
  sim_world *world = end->world;
  sim_program *program = &end->program;
  bool rude = program->habits.abort;

  if (end->conn == NULL || end->closed || program->close_called)
    return;
  program->close_called = program->closed_once = true;
  program->close_code = sim_rng_chance (&program->rng, 5000)
                          ? SQX_CLOSE_NO_ERROR : SQX_CLOSE_FIRST_APPLICATION + 7;
  program->left = 0;
  program->datagrams_left = 0;
  program->streams_left = 0;
  SIM_TRACE (world, end, rude ? "aborts" : "closes");
  sim_end_enter (end);
  if (rude)
    sqx_conn_abort (end->conn, world->now, program->close_code, "good bye");
  else
    sqx_conn_close (end->conn, world->now, program->close_code, "good bye");
  sim_end_leave ();
  sim_end_ready (end);
}

bool
sim_program_is_done (const sim_end *end)
{
  const sim_program *program = &end->program;

  if (end->host != NULL && end->conn != NULL
      && (sqx_conn_state (end->conn) == SQX_STATE_CONNECTING
          || sqx_conn_state (end->conn) == SQX_STATE_RECONNECTING))
    return false;

  return end->conn == NULL
         || (program->left == 0 && program->open == 0 && program->owed == 0
             && program->datagrams_left == 0 && program->streams_left == 0
             && program->streams_open == 0 && (!program->close_called || end->closed));
}

/* For whoever looks for the cause of a failure ------------------------------------------- */

static void
describe_end (const sim_end *end)
{
  const sim_program *program = &end->program;
  sqx_conn *conn = end->conn;

  if (conn == NULL)
    {
      printf ("# %c%u is dead\n", (int) ('A' + end->index), end->life);
      return;
    }
  printf ("# %c%u %s%s: %llu to start%s%s, %llu waits, %llu owed, %zu held back, %zu blocked\n",
          (int) ('A' + end->index), end->life, sqx_state_string (sqx_conn_state (conn)),
          end->closed ? ", told so" : "", (unsigned long long) program->left,
          program->start_due ? " soon" : "", program->full ? ", queue full" : "",
          (unsigned long long) program->open, (unsigned long long) program->owed,
          program->held_count, program->blocked_count);
  printf ("#    %llu streams to open, %llu open\n", (unsigned long long) program->streams_left,
          (unsigned long long) program->streams_open);
  sim_streams_describe (end);
  printf ("#    queues %llu, holds %llu bytes, %s; deadline in %lld us\n",
          (unsigned long long) sqx_conn_queued_bytes (conn),
          (unsigned long long) sqx_conn_received_bytes_held (conn),
          sqx_conn_is_busy (conn) ? "busy" : "idle",
          sqx_conn_next_timeout (conn) == SQX_TIME_NEVER
            ? -1ll : (long long) (sqx_conn_next_timeout (conn) - end->world->now));
  for (uint32_t i = 0; i < end->world->n_channels; i++)
    printf ("#    channel %u: %s%s%s%s\n", end->world->channel_ids[i],
            program->opened[i] ? "opened " : "", program->serialized[i] ? "serialized " : "",
            program->readable[i] ? "readable " : "",
            sqx_conn_has_message (conn, end->world->channel_ids[i]) ? "has a message" : "");
}

void
sim_world_describe (const sim_world *world)
{
  size_t shown = 0;

  printf ("# %llu chores\n", (unsigned long long) world->chores);
  for (uint32_t i = 0; i < world->n_ends; i++)
    describe_end (world->ends[i]);
  for (size_t i = 0; i < world->message_count && shown < 40; i++)
    {
      const sim_message *message = world->messages[i];

      if (message->wait != SIM_WAIT_OPEN && message->received != SIM_RECEIVED_OPEN)
        continue;
      shown++;
      printf ("# message %zu of %c%u, %llu bytes on %u, submitted at %llu us:%s%s%s%s wait %d, "
              "received %d\n", i, (int) ('A' + message->from->index), message->life,
              (unsigned long long) message->size, world->channel_ids[message->channel],
              (unsigned long long) (message->submitted - world->start),
              message->ordered ? " ordered" : "", message->final ? " final" : "",
              message->is_reply ? " reply" : "", message->begun ? " begun" : "", message->wait,
              message->received);
    }
}
