/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What happens to hosts, drawn by lot: they move, their networks change, keys are updated.
 */

#include "sim-host.h"

#define EVENTS_FOR (60 * SIM_SEC)

static void
update_keys (sim_world *world,
             void      *data,
             uint64_t   argument)
{
  sim_end *end = data;

  if (end->conn == NULL)
    return;
  SIM_TRACE (world, end, "wants new keys");
  sim_end_enter (end);
  sqx_conn_update_keys (end->conn, world->now);
  sim_end_leave ();
  sim_end_ready (end);
}

static void
change_network (sim_world *world,
                void      *data,
                uint64_t   argument)
{
  sim_host *host = data;

  if (host->endpoint == NULL)
    return;
  SIM_TRACE (world, host->ends[0], "is told that its network changed");
  sim_host_enter (host);
  sqx_endpoint_handle_network_changed (host->endpoint, world->now);
  sim_end_leave ();
  sim_host_ready (host);
}

/* Another port, as a NAT gives it, or another host. */
static void
move (sim_world *world,
      void      *data,
      uint64_t   how)
{
  sim_host *host = data;
  sqx_address to = host->address;

  /* Who moves before it was ever heard is lost, and without time-outs for ever. */
  for (uint32_t i = 0; i < host->n_ends; i++)
    if (!host->ends[i]->was_connected || !host->ends[i]->peer->was_connected)
      return;
  world->places++;
  if (how % 2 == 0)
    to = sim_host_address (1000 + world->places, 4000);
  else
    to.port = (uint16_t) (5000 + world->places);
  sim_host_move (host, &to, how % 4 < 2);
}

void
sim_events_keys (sim_world *world,
                 uint64_t   most)
{
  sim_rng *rng = &world->secure_rng;

  for (uint64_t i = sim_rng_scale (rng, 1, most); i > 0; i--)
    {
      sim_end *end = world->ends[sim_rng_below (rng, world->n_ends)];

      sim_world_at (world, world->start + sim_rng_scale (rng, 1, EVENTS_FOR), update_keys, end, 0);
    }
}

void
sim_events_moves (sim_world *world,
                  sim_host  *host,
                  uint64_t   most)
{
  sim_rng *rng = &world->secure_rng;

  for (uint64_t i = sim_rng_between (rng, 1, most); i > 0; i--)
    {
      uint64_t at = world->start + sim_rng_scale (rng, 1, EVENTS_FOR);

      sim_world_at (world, at, move, host, sim_rng_next (rng));
    }
}

/* One that moves without a word, and then says nothing, is lost for its peer. */
void
sim_events_keep_alive (sim_host *host)
{
  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      sqx_config *config = &host->ends[i]->config;

      config->keepalive_always = true;
      if (config->keepalive_interval > 2 * SIM_SEC)
        config->keepalive_interval = 2 * SIM_SEC;
    }
}

void
sim_events_draw (sim_world *world)
{
  sim_rng *rng = &world->secure_rng;

  if (!world->secure || !world->eventful || world->weak)
    return;
  if (sim_rng_chance (rng, 5000))
    sim_events_keys (world, 40);
  if (sim_rng_chance (rng, 2000))
    {
      sim_host *host = world->hosts[sim_rng_below (rng, world->n_hosts)];

      sim_world_at (world, world->start + sim_rng_scale (rng, 1, EVENTS_FOR), change_network, host,
                    0);
    }
  for (uint32_t i = 0; i < world->n_hosts; i++)
    if (world->hosts[i]->moves)
      sim_events_moves (world, world->hosts[i], 6);
}
