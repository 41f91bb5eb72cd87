/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Worlds in which links die and connections do not, and endpoints with many connections.
 */

#include "sim-host.h"

/* Traffic for so long that links die under it. */
static void
draw_long_habits (sim_world *world,
                  sim_end   *end)
{
  sim_rng *rng = &world->rng;
  sim_habits *habits = &end->program.habits;

  sim_random_habits (world, end, 150);
  habits->interval = sim_rng_scale (rng, SIM_MS, 5 * SIM_SEC);
  habits->burst = sim_rng_scale (rng, 1, 20);
  if (sim_rng_chance (rng, 5000))
    {
      habits->late = (uint32_t) sim_rng_below (rng, 10001);
      habits->late_after = sim_rng_scale (rng, SIM_SEC, 60 * SIM_SEC);
    }
}

static void
go_dark (sim_world *world,
         void      *data,
         uint64_t   until)
{
  sim_host *host = data;

  if (world->healed)
    return;
  SIM_TRACE (world, host->ends[0], "is cut off for %llu s",
             (unsigned long long) ((until - world->now) / SIM_SEC));
  host->ends[0]->out.dark_until = until;
  if (until % 4 != 0)
    host->ends[0]->peer->host->ends[0]->out.dark_until = until;
}

/* Blackouts, most of them longer than a link lives. */
static void
draw_long_blackouts (sim_world *world,
                     sim_host  *host)
{
  sim_rng *rng = &world->rng;
  uint64_t at = world->start;

  for (uint64_t i = sim_rng_between (rng, 1, 3); i > 0; i--)
    {
      uint64_t until;

      at += sim_rng_scale (rng, 10 * SIM_MS, 30 * SIM_SEC);
      until = at + sim_rng_scale (rng, SIM_SEC, 120 * SIM_SEC);
      if (at >= world->heal_at)
        return;
      sim_world_chore (world, at, go_dark, host, until);
      at = until;
    }
}

static void
check_nothing_failed (sim_world *world,
                      uint64_t   since)
{
  for (size_t i = 0; i < world->message_count; i++)
    if (world->messages[i]->wait == SIM_WAIT_FAILED && world->messages[i]->told > since
        && world->messages[i]->error != SQX_ERR_TOO_LARGE)
      sim_fail (world, "the wait for message %zu fails: %s", i,
                sqx_result_string (world->messages[i]->error));
}

/* Links die again and again, hosts move, both sides dial: every exchange is finished, once. */
static void
run_links (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];
  uint64_t since;

  sim_random_channels (world);
  world->eventful = true;
  world->heal_at = world->start + sim_rng_scale (rng, 20 * SIM_SEC, 300 * SIM_SEC);
  sim_world_add_pair (world, &ends[0], &ends[1]);
  for (int i = 0; i < 2; i++)
    {
      sim_random_config (world, ends[i]);
      ends[i]->config.idle_timeout = sim_rng_scale (rng, 3 * SIM_SEC, 20 * SIM_SEC);
      ends[i]->config.keepalive_interval = sim_rng_scale (rng, 500 * SIM_MS, 2 * SIM_SEC);
      /* A peer whose link died while it was idle is reached by nobody but itself. */
      ends[i]->config.keepalive_always = true;
      ends[i]->persist = SQX_TIME_NEVER;
      ends[i]->host->moves = sim_rng_chance (rng, 4000);
      sim_random_path (world, &ends[i]->out.path);
      if (ends[i]->out.path.loss > 2000)
        ends[i]->out.path.loss = 2000;
      sim_random_driver (world, ends[i]);
    }
  for (int i = 0; i < 2; i++)
    draw_long_habits (world, ends[i]);
  for (int i = 0; i < 2; i++)
    sim_end_open (ends[i]);
  /* Until there is a session there is nothing that could outlive a link. */
  for (int i = 0; i < 600 && !(ends[0]->was_connected && ends[1]->was_connected); i++)
    sim_world_run_until (world, world->now + 100 * SIM_MS);
  if (ends[0]->closed || !ends[1]->was_connected)
    return;
  since = world->now;
  draw_long_blackouts (world, ends[sim_rng_below (rng, 2)]->host);
  sim_world_run (world);
  check_nothing_failed (world, since);
}

/* Both dial at once, over a network that loses much: they get one connection. */
static void
run_crossing (sim_world *world)
{
  sim_rng *rng = &world->rng;
  sim_end *ends[2];

  world->heal_at = world->start + sim_rng_scale (rng, 100 * SIM_MS, 8 * SIM_SEC);
  sim_world_add_pair (world, &ends[0], &ends[1]);
  for (int i = 0; i < 2; i++)
    {
      ends[i]->dials = true;
      ends[i]->expects = sim_rng_chance (rng, 5000);
      ends[i]->persist = 0;
      sim_path_clean (&ends[i]->out.path, sim_rng_scale (rng, 0, SIM_SEC));
      ends[i]->out.path.jitter = sim_rng_scale (rng, 1, 200 * SIM_MS);
      ends[i]->out.path.in_order = false;
      ends[i]->out.path.loss = (uint32_t) sim_rng_below (rng, 6000);
      ends[i]->program.habits.starts = 5;
    }
  sim_end_open (ends[0]);
  sim_world_run_until (world, world->now + sim_rng_scale (rng, 1, 3 * SIM_SEC));
  if (ends[1]->conn == NULL)
    sim_end_open (ends[1]);
  sim_world_run (world);
  for (int i = 0; i < 2; i++)
    if (ends[i]->life > 0 || (ends[i]->closed && ends[i]->closed_error != SQX_ERR_TIMED_OUT))
      sim_fail (world, "%c dials while it is dialled, and its connection ends: %s", 'A' + i,
                sqx_result_string (ends[i]->closed_error));
}

/* Several hosts, several connections between any two of them, and one of them may restart. */
#define HOSTS 5

static void
restart_some (sim_world *world)
{
  sim_host *host = world->hosts[sim_rng_below (&world->rng, world->n_hosts)];

  sim_host_restart (host);
  if (host->life < 6 && sim_rng_chance (&world->rng, 3000))
    world->trigger_at = world->packets + sim_rng_scale (&world->rng, 1, 300);
}

static void
add_connection (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t first = sim_rng_below (rng, world->n_hosts - 1);
  sim_host *a = world->hosts[first];
  sim_host *b = world->hosts[sim_rng_between (rng, first + 1, world->n_hosts - 1)];
  sim_end *ends[2];

  /* Of two hosts always the same one dials: two that dial each other get one connection. */
  world->secure = false;
  sim_world_add_pair (world, &ends[0], &ends[1]);
  world->secure = true;
  sim_world_link (world, a, b, &ends[0], &ends[1]);
  ends[1]->dials = false;
  if (world->restarts)
    ends[1]->persist = 0;
}

/* All connections of an endpoint that peers opened have the same terms. */
static void
configure (sim_world *world,
           sim_host  *host)
{
  sim_end *first = host->ends[0];

  sim_random_config (world, first);
  first->config.idle_timeout = 20 * SIM_SEC;
  first->config.keepalive_interval = 2 * SIM_SEC;
  first->config.queue_limit = SQX_QUEUE_DEFAULT;
  sim_random_path (world, &first->out.path);
  first->out.path.loss /= 2;
  sim_random_driver (world, first);
  first->driver.small_buffer = 0;
  for (uint32_t i = 1; i < host->n_ends; i++)
    host->ends[i]->config = first->config;
}

static void
run_many (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t hosts = sim_rng_between (rng, 2, HOSTS);

  sim_random_channels (world);
  world->eventful = true;
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 40 * SIM_SEC);
  if (sim_rng_chance (rng, 4000))
    {
      world->restarts = true;
      world->trigger = restart_some;
      world->trigger_at = 1 + sim_rng_scale (rng, 1, 2000);
    }
  for (uint64_t i = 0; i < hosts; i++)
    sim_world_add_host (world);
  for (uint64_t i = sim_rng_between (rng, 1, SIM_ENDS / 2); i > 0; i--)
    add_connection (world);
  /* A host without a connection is not there. */
  for (uint32_t i = 0; i < world->n_hosts; i++)
    if (world->hosts[i]->n_ends == 0)
      {
        sim_host_free (world->hosts[i]);
        world->hosts[i--] = world->hosts[--world->n_hosts];
      }
  for (uint32_t i = 0; i < world->n_hosts; i++)
    configure (world, world->hosts[i]);
  for (uint32_t i = 0; i < world->n_ends; i++)
    sim_random_habits (world, world->ends[i], 60);
  for (uint32_t i = 0; i < world->n_ends; i++)
    sim_end_open (world->ends[i]);
  world->close_after = sim_rng_chance (rng, 6000);
  if (world->n_ends > 0)
    sim_world_run (world);
}

const sim_scenario sim_scenarios_links[] = {
  { "secure-links", run_links, 1200, 30000, "links die and hosts move, exactly once across links",
    false },
  { "secure-crossing", run_crossing, 400, 2000, "two that dial each other get one connection",
    false },
  { "secure-many", run_many, 300, 8000, "several hosts, many connections, restarts", false },
  { NULL, NULL, 0, 0, NULL, false },
};
