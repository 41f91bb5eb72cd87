/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Worlds made for one promise each.
 */

#include "sim.h"

/* Two ends with nothing unusual about them. */
static void
plain_pair (sim_world *world,
            sim_end   *ends[2],
            uint64_t   delay)
{
  sim_world_add_pair (world, &ends[0], &ends[1]);
  for (int i = 0; i < 2; i++)
    {
      sim_path_clean (&ends[i]->out.path, delay);
      ends[i]->config.first_packet_number = (uint32_t) sim_rng_next (&world->rng);
    }
}

static void
open_both (sim_end *ends[2])
{
  sim_end_open (ends[0]);
  sim_end_open (ends[1]);
}

/* L1: thousands at once, on both sides. */
static void
run_burst (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  plain_pair (world, ends, sim_rng_scale (rng, 0, 100 * SIM_MS));
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 20 * SIM_SEC);
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;

      if (sim_rng_chance (rng, 5000))
        sim_random_path (world, &ends[i]->out.path);
      sim_random_driver (world, ends[i]);
      ends[i]->config.idle_timeout = SQX_TIME_NEVER;
      ends[i]->config.exchange_credit = sim_rng_chance (rng, 5000)
                                          ? SQX_EXCHANGES_DEFAULT : sim_rng_scale (rng, 1, 4096);
      habits->starts = habits->burst = sim_rng_scale (rng, 1, 10000);
      habits->size_small = sim_rng_scale (rng, 0, 100);
      habits->ordered = (uint32_t) sim_rng_below (rng, 10001);
      habits->ordered_reply = (uint32_t) sim_rng_below (rng, 10001);
      habits->hold = sim_rng_chance (rng, 5000) ? 10000 : 0;
      habits->reversed = sim_rng_chance (rng, 5000);
      habits->late = sim_rng_chance (rng, 5000) ? 5000 : 0;
      habits->late_after = sim_rng_scale (rng, 1, 500 * SIM_MS);
    }
  if (world->seed % 8 == 1)
    ends[0]->program.habits.starts = ends[0]->program.habits.burst = 10000;
  if (world->seed % 8 <= 1)
    ends[1]->program.habits.starts = ends[1]->program.habits.burst = 10000;
  open_both (ends);
  sim_world_run (world);
}

/* L1: 64 and 64 at once are answered within three round trips. */
static void
run_three_trips (sim_world *world)
{
  uint64_t delay = sim_rng_scale (&world->rng, 2 * SIM_MS, 600 * SIM_MS);
  sim_end *ends[2];

  plain_pair (world, ends, delay);
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;

      habits->starts = habits->burst = 64;
      habits->size_small = 64;
      habits->ordered = habits->ordered_reply = world->seed % 2 == 0 ? 0 : 10000;
      habits->chain = 0;
    }
  open_both (ends);
  sim_world_run (world);
  for (size_t i = 0; i < world->message_count; i++)
    {
      const sim_message *message = world->messages[i];

      if (!message->is_reply && message->told - world->start > 6 * delay)
        sim_fail (world, "message %zu is answered after %llu us, three round trips are %llu", i,
                  (unsigned long long) (message->told - world->start),
                  (unsigned long long) (6 * delay));
    }
}

/* L1, R7, E4: both sides at every limit, from 1 on, and everybody only replies. */
static void
run_capacity (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t credit = 1 + (world->seed - 1) % 4096;
  sim_end *ends[2];

  world->eventful = true;
  plain_pair (world, ends, sim_rng_scale (rng, 0, 50 * SIM_MS));
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 10 * SIM_SEC);
  sim_random_channels (world);
  for (int i = 0; i < 2; i++)
    {
      sqx_config *config = &ends[i]->config;
      sim_habits *habits = &ends[i]->program.habits;

      if (sim_rng_chance (rng, 3000))
        sim_random_path (world, &ends[i]->out.path);
      config->exchange_credit = sim_rng_chance (rng, 7000) ? credit : sim_rng_scale (rng, 1, 4096);
      config->idle_timeout = SQX_TIME_NEVER;
      /* The least window there may be, and a little more. */
      config->max_message_size = SQX_MESSAGE_MAX_MIN + sim_rng_below (rng, 3);
      config->byte_window = 2 * (config->max_message_size + SQX_MESSAGE_OVERHEAD)
                            + sim_rng_below (rng, 5);
      config->byte_window_max = config->byte_window;
      habits->starts = habits->burst = credit < 100 ? 2 * credit + 10 : 210;
      habits->size_large = SQX_MESSAGE_MAX_MIN;
      habits->large = (uint32_t) sim_rng_below (rng, 2001);
      habits->ordered = (uint32_t) sim_rng_below (rng, 10001);
      habits->ordered_reply = (uint32_t) sim_rng_below (rng, 10001);
      habits->chain = (uint32_t) sim_rng_below (rng, 9001);
      habits->hold = sim_rng_chance (rng, 3000) ? 10000 : 0;
      habits->reversed = sim_rng_chance (rng, 5000);
      for (uint32_t c = 0; c < world->n_channels; c++)
        ends[i]->program.opened[c] = sim_rng_chance (rng, 5000);
    }
  open_both (ends);
  sim_world_run (world);
}

/* E4: begins within a hundred packets of 2^32, and the first packets get lost. */
static void
light_up (sim_world *world,
          void      *data,
          uint64_t   argument)
{
  sim_end *end = data;

  end->out.dark_until = 0;
}

static void
run_wrap (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  world->wraps = true;
  sim_random_channels (world);
  plain_pair (world, ends, sim_rng_scale (rng, 0, 20 * SIM_MS));
  world->heal_at = world->start + 20 * SIM_SEC;
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;

      sim_random_habits (world, ends[i], 200);
      ends[i]->config.first_packet_number = (uint32_t) (UINT32_MAX - sim_rng_below (rng, 100));
      ends[i]->config.idle_timeout = SQX_TIME_NEVER;
      ends[i]->out.path.loss = (uint32_t) sim_rng_scale (rng, 1, 3000);
      ends[i]->out.path.duplicate = 3000;
      ends[i]->out.path.reorder = (uint32_t) sim_rng_below (rng, 8000);
      ends[i]->out.path.reorder_delay = sim_rng_scale (rng, SIM_MS, 500 * SIM_MS);
      ends[i]->out.path.late_copy = 1000;
      /* Some packets for little traffic. */
      habits->datagrams = sim_rng_below (rng, 150);
      habits->datagram_interval = sim_rng_scale (rng, 1, 20 * SIM_MS);
      if (sim_rng_chance (rng, 5000))
        {
          ends[i]->out.dark_until = SQX_TIME_NEVER;
          sim_world_at (world, world->start + sim_rng_scale (rng, SIM_MS, 10 * SIM_SEC), light_up,
                        ends[i], 0);
        }
    }
  open_both (ends);
  sim_world_run (world);
}

/* S8, D5: one side restarts after a given number of packets, perhaps again and again. */
static void
restart_one (sim_world *world)
{
  sim_end *end = world->ends[sim_rng_below (&world->rng, 2)];

  sim_end_restart (end);
  if (end->life < 12 && sim_rng_chance (&world->rng, 5000))
    world->trigger_at = world->packets + sim_rng_scale (&world->rng, 1, 60);
  else if (end->life >= 12)
    end->program.left = 0;
}

static void
run_restart (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  world->eventful = true;
  world->restarts = true;
  world->trigger = restart_one;
  world->trigger_at = 1 + world->seed % 120;
  sim_random_channels (world);
  plain_pair (world, ends, sim_rng_scale (rng, 0, 50 * SIM_MS));
  world->heal_at = world->start + sim_rng_scale (rng, 100 * SIM_MS, 20 * SIM_SEC);
  for (int i = 0; i < 2; i++)
    {
      if (sim_rng_chance (rng, 6000))
        {
          sim_random_path (world, &ends[i]->out.path);
          ends[i]->out.path.late_copy = 2000;
        }
      sim_random_config (world, ends[i]);
      sim_random_driver (world, ends[i]);
      ends[i]->config.idle_timeout = 60 * SIM_SEC;
      ends[i]->config.keepalive_interval = 5 * SIM_SEC;
    }
  for (int i = 0; i < 2; i++)
    sim_random_habits (world, ends[i], 100);
  open_both (ends);
  sim_world_run (world);
}

/* L2: one side dies after a given number of packets. */
static void
kill_one (sim_world *world)
{
  sim_end *victim = world->ends[1];
  sim_end *survivor = world->ends[0];

  survivor->program.left = 0;
  survivor->program.datagrams_left = 0;
  victim->out.dark_until = SQX_TIME_NEVER;
  sim_end_kill (victim);
}

static void
check_death (sim_world *world,
             sim_end   *survivor,
             sim_end   *victim,
             uint64_t   delay)
{
  bool knows = survivor->driver.unreachable;
  uint64_t limit = knows ? survivor->config.unreachable_timeout : survivor->config.idle_timeout;
  /* Its last datagram may still be on its way; and a notice only comes for the next packet, which
   * is a ping if there is nothing else. */
  uint64_t from = victim->killed_at + delay + (knows ? SQX_KEEPALIVE_DEFAULT + 2 * delay : 0);
  sqx_statistics statistics;
  uint64_t last = 0;

  for (size_t i = 0; i < world->message_count; i++)
    if (world->messages[i]->from == survivor && world->messages[i]->told > last)
      last = world->messages[i]->told;
  if (last > from + limit)
    sim_fail (world, "the last wait ends %llu ms after the peer's death",
              (unsigned long long) ((last - victim->killed_at) / SIM_MS));
  /* Besides the probes, the rest of a window may have been paced. */
  sqx_conn_statistics (survivor->conn, &statistics);
  if (survivor->quiet_packets > 20 + statistics.congestion_window / SQX_DATAGRAM_MIN)
    sim_fail (world, "%llu packets for a dead peer",
              (unsigned long long) survivor->quiet_packets);
}

static void
run_kill (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t delay = sim_rng_scale (rng, 100, 100 * SIM_MS);
  sim_end *ends[2];

  world->restarts = world->mortal = true;
  world->trigger = kill_one;
  world->trigger_at = 1 + (world->seed - 1) % 150;
  plain_pair (world, ends, delay);
  world->heal_at = world->start;
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;

      habits->starts = 1000;
      habits->burst = sim_rng_scale (rng, 1, 1000);
      habits->interval = 50 * SIM_MS;
      habits->size_small = sim_rng_scale (rng, 0, 1000);
      habits->ordered = (uint32_t) sim_rng_below (rng, 10001);
      habits->final = (uint32_t) sim_rng_below (rng, 5000);
      habits->chain = (uint32_t) sim_rng_below (rng, 5000);
      ends[i]->config.exchange_credit = sim_rng_scale (rng, 1, 1024);
    }
  ends[0]->driver.unreachable = sim_rng_chance (rng, 3000);
  open_both (ends);
  sim_world_run (world);
  if (ends[1]->conn == NULL)
    check_death (world, ends[0], ends[1], delay);
}

/* L3: a handler of ten seconds beside ten thousand fast ones, and the same without it. */
static void
answer_slow_one (sim_world *world,
                 void      *data,
                 uint64_t   argument)
{
  sim_program_answer (data);
}

static void
send_slow_one (sim_end *ends[2])
{
  sim_program *program = &ends[1]->program;
  sim_world *world = ends[0]->world;
  sim_message *slow;

  /* It is held back, not answered, and then answered by hand. */
  program->habits.hold = 10000;
  slow = sim_program_send (ends[0], 0, 500, 0);
  sim_world_run_until (world, world->now + SIM_SEC);
  if (slow->received != SIM_RECEIVED_OPEN)
    sim_fail (world, "the slow message does not arrive");
  program->habits.hold = 0;
  program->held_count = 0;
  sim_world_chore (world, world->now + 10 * SIM_SEC, answer_slow_one, slow, 0);
}

static uint64_t
run_fast_ones (sim_world *world,
               sim_end   *ends[2],
               uint64_t   count)
{
  uint64_t begin = world->now, last = begin;
  size_t first = world->message_count;

  ends[0]->program.left = count;
  sim_program_start_soon (ends[0], 0);
  sim_world_run_until (world, begin + 60 * SIM_SEC);
  for (size_t i = first; i < world->message_count; i++)
    {
      const sim_message *message = world->messages[i];

      if (message->from != ends[0])
        continue;
      if (message->wait == SIM_WAIT_OPEN)
        sim_fail (world, "a fast exchange is not done after a minute");
      if (message->told > last)
        last = message->told;
    }
  return last - begin;
}

static void
run_slow_handler (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t delay = sim_rng_scale (rng, 100, 5 * SIM_MS);
  sim_end *ends[2];
  uint64_t without, with;
  sqx_statistics before, after;

  plain_pair (world, ends, delay);
  ends[0]->program.habits.depth = 64;
  ends[0]->program.habits.burst = 64;
  ends[0]->program.habits.ordered = world->seed % 2 == 0 ? 0 : 10000;
  open_both (ends);
  run_fast_ones (world, ends, 1000);
  without = run_fast_ones (world, ends, 10000);
  sqx_conn_statistics (ends[0]->conn, &before);
  send_slow_one (ends);
  with = run_fast_ones (world, ends, 10000);
  sqx_conn_statistics (ends[0]->conn, &after);
  sim_world_run (world);
  if (with * 95 > without * 100)
    sim_fail (world, "ten thousand take %llu us beside a slow handler, %llu us without",
              (unsigned long long) with, (unsigned long long) without);
  if (after.bytes_resent - before.bytes_resent > 500)
    sim_fail (world, "%llu bytes are resent",
              (unsigned long long) (after.bytes_resent - before.bytes_resent));
}

/* Rule 14 in all weathers: close and abort at any time, on one side or on both. */
static void
run_close (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  world->eventful = true;
  sim_random_channels (world);
  plain_pair (world, ends, 0);
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 20 * SIM_SEC);
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;

      sim_random_config (world, ends[i]);
      ends[i]->config.idle_timeout = 30 * SIM_SEC;
      ends[i]->config.keepalive_interval = 5 * SIM_SEC;
      sim_random_path (world, &ends[i]->out.path);
      sim_random_driver (world, ends[i]);
      if (i == 0 || sim_rng_chance (rng, 3000))
        habits->close_at = sim_rng_scale (rng, 1, 3 * SIM_SEC);
    }
  for (int i = 0; i < 2; i++)
    {
      sim_habits *habits = &ends[i]->program.habits;
      uint64_t close_at = habits->close_at;

      sim_random_habits (world, ends[i], 200);
      habits->close_at = close_at;
      habits->abort = sim_rng_chance (rng, 2000);
    }
  open_both (ends);
  sim_world_run (world);
}

/* Rule 14: what was begun, final and on a good network, arrives before the connection closes. */
static void
run_last_words (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t count = sim_rng_between (rng, 1, 16);
  sim_end *ends[2];

  plain_pair (world, ends, sim_rng_scale (rng, 0, 300 * SIM_MS));
  world->heal_at = world->start;
  open_both (ends);
  /* Without a link nothing begins. */
  if (sim_rng_chance (rng, 5000) || world->secure)
    sim_world_run_until (world, world->now + 2 * SIM_SEC);
  for (uint64_t i = 0; i < count; i++)
    sim_program_send (ends[0], 0, sim_rng_below (rng, 900), SQX_MESSAGE_FINAL);
  sim_program_close (ends[0]);
  sim_world_run (world);
  for (size_t i = 0; i < world->message_count; i++)
    if (world->messages[i]->wait != SIM_WAIT_ENDED
        || world->messages[i]->received != SIM_RECEIVED_FINAL)
      sim_fail (world, "message %zu was begun, and is lost by the close", i);
  if (ends[0]->closed_error != SQX_OK || ends[1]->closed_error != SQX_ERR_PEER_CLOSED)
    sim_fail (world, "an orderly close ends with \"%s\" and \"%s\"",
              sqx_result_string (ends[0]->closed_error), sqx_result_string (ends[1]->closed_error));
}

/* An idle connection costs nothing, or one ping an interval if it wants that. */
static void
run_idle (sim_world *world)
{
  sim_rng *rng = &world->rng;
  bool always = world->seed % 2 == 0;
  uint64_t before;
  sim_end *ends[2];

  plain_pair (world, ends, sim_rng_scale (rng, 0, 300 * SIM_MS));
  for (int i = 0; i < 2; i++)
    {
      ends[i]->config.keepalive_always = always;
      ends[i]->program.habits.starts = ends[i]->program.habits.burst = 20;
      ends[i]->program.habits.chain = 5000;
    }
  open_both (ends);
  sim_world_run_until (world, world->now + 20 * SIM_SEC);
  before = world->packets;
  sim_world_run_until (world, world->now + 36000 * SIM_SEC);
  /* A ping, its acknowledgement and a margin, on both sides. */
  if (world->packets - before > (always ? 4 * 3600 + 10 : 0))
    sim_fail (world, "an idle connection sends %llu packets in ten hours",
              (unsigned long long) (world->packets - before));
  for (int i = 0; i < 2; i++)
    {
      if (ends[i]->closed)
        sim_fail (world, "an idle connection dies");
      sim_end_enter (ends[i]);
      sqx_conn_set_keepalive (ends[i]->conn, world->now, SQX_KEEPALIVE_DEFAULT, false);
      sim_end_leave ();
      ends[i]->config.keepalive_always = false;
    }
  ends[0]->program.left = 20;
  sim_program_start_soon (ends[0], 0);
  sim_world_run (world);
}

/* Bits flip, and nothing drops what they hit: nothing is promised but soundness. */
static void
run_flipped_bits (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  world->eventful = true;
  /* Of encrypted packets no flipped bit gets through, so everything else holds. */
  world->weak = !world->secure;
  world->close_after = true;
  sim_random_channels (world);
  plain_pair (world, ends, 0);
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 20 * SIM_SEC);
  for (int i = 0; i < 2; i++)
    {
      sim_random_config (world, ends[i]);
      ends[i]->config.idle_timeout = 20 * SIM_SEC;
      ends[i]->config.keepalive_interval = 5 * SIM_SEC;
      sim_random_path (world, &ends[i]->out.path);
      ends[i]->out.path.hostile = true;
      ends[i]->out.path.corrupt = (uint32_t) sim_rng_scale (rng, 100, 10000);
      sim_random_driver (world, ends[i]);
    }
  for (int i = 0; i < 2; i++)
    sim_random_habits (world, ends[i], 100);
  open_both (ends);
  sim_world_run (world);
}

const sim_scenario sim_scenarios_families[] = {
  { "burst", run_burst, 40, 1000, "L1 D2: up to 10 000 at once on each side" },
  { "three-trips", run_three_trips, 20, 200, "L1: 64 and 64 within three round trips" },
  { "capacity", run_capacity, 300, 20000,
    "L1 R7 E4 D7: every credit from 1 to 4096, least windows" },
  { "wrap", run_wrap, 300, 20000, "E4: packet numbers wrap, also before the first that arrives" },
  { "restart", run_restart, 480, 20000, "S8 D5: a side restarts at every packet" },
  { "kill", run_kill, 300, 6000, "L2 D10: a side dies at every packet" },
  { "slow-handler", run_slow_handler, 6, 60, "L3 D9: ten seconds beside ten thousand" },
  { "close", run_close, 400, 20000, "rule 14: close and abort at any time" },
  { "last-words", run_last_words, 60, 1000, "rule 14: what was begun is finished" },
  { "idle", run_idle, 10, 100, "liveness: idle for ten hours" },
  { "flipped-bits", run_flipped_bits, 300, 20000, "F: bits really flipped; bounds and ends hold" },
  { NULL, NULL, 0, 0, NULL },
};
