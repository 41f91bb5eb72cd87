/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Worlds of which everything is drawn by lot.
 */

#include "sim.h"

static uint32_t
draw_datagram_size (sim_rng *rng)
{
  static const uint32_t sizes[] = { SQX_DATAGRAM_MIN, SQX_DATAGRAM_DEFAULT, SQX_DATAGRAM_DEFAULT,
                                    SQX_DATAGRAM_DEFAULT, SQX_DATAGRAM_DEFAULT, 1472, 9000,
                                    SQX_DATAGRAM_MAX };

  return sizes[sim_rng_below (rng, sizeof sizes / sizeof *sizes)];
}

static void
draw_windows (sim_rng    *rng,
              sqx_config *config)
{
  uint64_t least;

  config->max_message_size = sim_rng_scale (rng, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_DEFAULT);
  least = 2 * (config->max_message_size + SQX_MESSAGE_OVERHEAD);
  if (sim_rng_chance (rng, 5000))
    config->byte_window = least + sim_rng_below (rng, sim_rng_scale (rng, 1, 100000));
  if (config->byte_window > 0 && sim_rng_chance (rng, 5000))
    config->byte_window_max = config->byte_window + sim_rng_below (rng, 300000);
  config->exchange_credit = sim_rng_chance (rng, 3000) ? SQX_EXCHANGES_DEFAULT
                                                       : sim_rng_scale (rng, 1, 4096);
}

static void
draw_times (sim_world  *world,
            sqx_config *config)
{
  sim_rng *rng = &world->rng;

  if (sim_rng_chance (rng, 5000))
    config->ack_delay = sim_rng_chance (rng, 3000) ? 0 : sim_rng_scale (rng, SIM_MS, 200 * SIM_MS);
  /* Both or none: else one gives up, and the other waits for it for ever. */
  if (world->patient)
    config->idle_timeout = SQX_TIME_NEVER;
  else if (sim_rng_chance (rng, 5000))
    config->idle_timeout = sim_rng_scale (rng, 6 * SIM_SEC, 90 * SIM_SEC);
  if (sim_rng_chance (rng, 3000))
    config->keepalive_interval = sim_rng_scale (rng, SIM_SEC, 2 * SIM_SEC);
  else if (config->idle_timeout == SQX_TIME_NEVER && sim_rng_chance (rng, 3000))
    config->keepalive_interval = SQX_TIME_NEVER;
  config->close_timeout = sim_rng_scale (rng, SIM_MS, 10 * SIM_SEC);
}

static const sqx_cc_ops *const controllers[] = { NULL, &sqx_bbr, &sqx_cubic, &sqx_newreno };

void
sim_random_config (sim_world *world,
                   sim_end   *end)
{
  sim_rng *rng = &world->rng;
  sqx_config *config = &end->config;

  config->max_datagram_size = draw_datagram_size (rng);
  draw_windows (rng, config);
  draw_times (world, config);
  config->max_channels = SQX_CHANNELS_DEFAULT;
  /* Close to where the low 32 bits wrap, often. */
  config->first_packet_number = sim_rng_chance (rng, 4000)
                                  ? (uint32_t) (UINT32_MAX - sim_rng_below (rng, 100))
                                  : (uint32_t) sim_rng_next (rng);
  /* BBR, which is the default, as often as the others together. */
  config->controller = controllers[sim_rng_below (rng, sizeof controllers / sizeof *controllers)];
  config->max_send_rate = sim_rng_chance (rng, 500) ? sim_rng_scale (rng, 10000, 10000000) : 0;
  if (sim_rng_chance (rng, 3000))
    config->queue_limit = SQX_MESSAGE_MAX_DEFAULT + 2 * SQX_MESSAGE_OVERHEAD
                          + sim_rng_below (rng, 100000);
}

/* Every path carries SQX_DATAGRAM_DEFAULT, many little more, and some less in the end than at
 * first. */
static uint32_t
draw_mtu (sim_rng *rng)
{
  static const uint32_t sizes[] = { 0, 0, SQX_DATAGRAM_DEFAULT, 1300, 1452, 1472, 1472, 8952 };

  return sizes[sim_rng_below (rng, sizeof sizes / sizeof *sizes)];
}

void
sim_random_path (sim_world *world,
                 sim_path  *path)
{
  sim_rng *rng = &world->rng;

  sim_path_clean (path, sim_rng_scale (rng, 0, sim_rng_chance (rng, 500) ? SIM_SEC : 150 * SIM_MS));
  path->mtu = path->mtu_after = draw_mtu (rng);
  if (sim_rng_chance (rng, 2000))
    path->mtu_after = draw_mtu (rng);
  path->tells = sim_rng_chance (rng, 3000);
  path->in_order = sim_rng_chance (rng, 5000);
  if (sim_rng_chance (rng, 1500))
    return;
  if (sim_rng_chance (rng, 8000))
    path->loss = (uint32_t) sim_rng_scale (rng, 1, sim_rng_chance (rng, 1000) ? 6000 : 3000);
  if (sim_rng_chance (rng, 2000))
    {
      path->burst = (uint32_t) sim_rng_scale (rng, 1, 500);
      path->burst_end = (uint32_t) sim_rng_scale (rng, 300, 5000);
    }
  if (sim_rng_chance (rng, 6000))
    path->duplicate = (uint32_t) sim_rng_scale (rng, 1, 5000);
  path->late_copy = sim_rng_chance (rng, 3000) ? 2000 : 0;
  if (sim_rng_chance (rng, 6000))
    {
      path->reorder = (uint32_t) sim_rng_scale (rng, 1, 8000);
      path->reorder_delay = sim_rng_scale (rng, SIM_MS, 400 * SIM_MS);
    }
  if (sim_rng_chance (rng, 5000))
    path->jitter = sim_rng_scale (rng, 1, 200 * SIM_MS);
  if (sim_rng_chance (rng, 2000))
    path->corrupt = (uint32_t) sim_rng_scale (rng, 1, 2000);
  if (sim_rng_chance (rng, 2000))
    {
      path->rate = sim_rng_scale (rng, 20000, 10000000);
      path->queue = sim_rng_scale (rng, 3000, 200000);
    }
}

static void
draw_starts (sim_world  *world,
             sim_habits *habits,
             uint64_t    most)
{
  sim_rng *rng = &world->rng;

  habits->starts = sim_rng_chance (rng, 1000) ? 0 : sim_rng_scale (rng, 1, most);
  habits->depth = sim_rng_chance (rng, 3000) ? sim_rng_scale (rng, 1, 64) : 0;
  habits->burst = sim_rng_scale (rng, 1, habits->starts + 1);
  habits->interval = sim_rng_chance (rng, 5000) ? 0 : sim_rng_scale (rng, 1, 200 * SIM_MS);
  habits->first_start = sim_rng_chance (rng, 5000) ? 0 : sim_rng_scale (rng, 1, SIM_SEC);
  habits->size_small = sim_rng_scale (rng, 0, 400);
  habits->size_large = sim_rng_scale (rng, 401, 20000);
  habits->size_huge = sim_rng_scale (rng, 20001, 400000);
  habits->large = (uint32_t) sim_rng_below (rng, 1000);
  habits->huge = sim_rng_chance (rng, 3000) ? (uint32_t) sim_rng_below (rng, 100) : 0;
  habits->oversize = sim_rng_chance (rng, 500) ? 100 : 0;
  habits->ordered = (uint32_t) sim_rng_below (rng, 10001);
  habits->final = sim_rng_chance (rng, 4000) ? (uint32_t) sim_rng_below (rng, 10001) : 500;
  habits->unowned = sim_rng_chance (rng, 2000) ? 1000 : 0;
  if (sim_rng_chance (rng, 4000))
    {
      habits->cancel = (uint32_t) sim_rng_scale (rng, 100, 8000);
      habits->cancel_after = sim_rng_scale (rng, 1, 3 * SIM_SEC);
      habits->cancel_reply = (uint32_t) sim_rng_below (rng, habits->cancel);
    }
}

static void
draw_answers (sim_world  *world,
              sim_habits *habits)
{
  sim_rng *rng = &world->rng;

  habits->reply = sim_rng_chance (rng, 5000) ? 10000 : (uint32_t) sim_rng_below (rng, 10001);
  habits->chain = sim_rng_chance (rng, 5000) ? 0 : (uint32_t) sim_rng_below (rng, 9001);
  habits->chain_length = (uint32_t) sim_rng_scale (rng, 1, 32);
  habits->ordered_reply = (uint32_t) sim_rng_below (rng, 10001);
  habits->answer_twice = sim_rng_chance (rng, 3000) ? 2000 : 100;
  habits->release = sim_rng_chance (rng, 3000) ? 5000 : 0;
  habits->reversed = sim_rng_chance (rng, 5000);
  if (sim_rng_chance (rng, 5000))
    {
      habits->late = (uint32_t) sim_rng_below (rng, 10001);
      habits->late_after = sim_rng_scale (rng, 1, 2 * SIM_SEC);
    }
  if (sim_rng_chance (rng, 2500))
    habits->hold = (uint32_t) sim_rng_scale (rng, 10, 10000);
  if (sim_rng_chance (rng, 2000))
    {
      habits->read_interval = sim_rng_scale (rng, 1, 300 * SIM_MS);
      habits->read_batch = sim_rng_scale (rng, 1, 16);
    }
}

void
sim_random_habits (sim_world *world,
                   sim_end   *end,
                   uint64_t   most_starts)
{
  sim_rng *rng = &world->rng;
  sim_habits *habits = &end->program.habits;

  draw_starts (world, habits, most_starts);
  draw_answers (world, habits);
  if (sim_rng_chance (rng, 1500))
    {
      habits->datagrams = sim_rng_scale (rng, 1, 100);
      habits->datagram_interval = sim_rng_scale (rng, 1, 100 * SIM_MS);
    }
  if (sim_rng_chance (rng, 800))
    {
      habits->deaf_from = sim_rng_scale (rng, 1, 2 * SIM_SEC);
      habits->deaf_until = habits->deaf_from + sim_rng_scale (rng, 1, 2 * SIM_SEC);
    }
  habits->shuffle = sim_rng_chance (rng, 1000) ? 10000 : 0;
  for (uint32_t i = 0; i < world->n_channels; i++)
    {
      end->program.opened[i] = sim_rng_chance (rng, 6000);
      end->program.serialized[i] = sim_rng_chance (rng, 1500);
    }
}

void
sim_random_driver (sim_world *world,
                   sim_end   *end)
{
  sim_rng *rng = &world->rng;

  if (sim_rng_chance (rng, 3000))
    end->driver.latency = sim_rng_scale (rng, 1, 20 * SIM_MS);
  if (sim_rng_chance (rng, 3000))
    end->driver.timer_late = sim_rng_scale (rng, 1, 20 * SIM_MS);
  if (sim_rng_chance (rng, 3000))
    {
      end->driver.read_batch = (uint32_t) sim_rng_scale (rng, 1, 64);
      end->driver.write_batch = (uint32_t) sim_rng_scale (rng, 1, 64);
    }
  if (sim_rng_chance (rng, 1000))
    end->driver.small_buffer = (uint32_t) sim_rng_below (rng, 10001);
}

void
sim_random_channels (sim_world *world)
{
  static const uint32_t ids[SIM_CHANNELS] = { 0, 1, 255, 7, 64, 100 };

  world->n_channels = (uint32_t) sim_rng_between (&world->rng, 1, SIM_CHANNELS);
  if (sim_rng_chance (&world->rng, 5000))
    world->n_channels = 1;
  for (uint32_t i = 0; i < world->n_channels; i++)
    world->channel_ids[i] = ids[i];
}

/* Both directions, or one of them, carry nothing for a while. */
static void
black_out (sim_world *world,
           void      *data,
           uint64_t   until)
{
  sim_end *end = data;

  SIM_TRACE (world, end, "hears nothing and is not heard for a while");
  if (world->healed)
    return;
  end->out.dark_until = until;
  if (until % 2 == 0)
    end->peer->out.dark_until = until;
}

void
sim_random_black_out (sim_end  *end,
                      uint64_t  from,
                      uint64_t  until)
{
  sim_world_at (end->world, from, black_out, end, until);
}

void
sim_random_blackouts (sim_world *world,
                      sim_end   *end)
{
  sim_rng *rng = &world->rng;

  if (!sim_rng_chance (rng, 2000))
    return;
  for (uint64_t i = sim_rng_between (rng, 1, 3); i > 0; i--)
    {
      uint64_t at = world->start + sim_rng_scale (rng, 1, 20 * SIM_SEC);
      uint64_t until = at + sim_rng_scale (rng, SIM_MS, 60 * SIM_SEC);

      sim_random_black_out (end, at, until);
    }
}

static void
run_random (sim_world *world)
{
  sim_rng *rng = &world->rng;
  uint64_t pairs = sim_rng_chance (rng, 1000) ? sim_rng_between (rng, 2, 4) : 1;
  bool one_line = sim_rng_chance (rng, 5000);

  world->eventful = true;
  sim_random_channels (world);
  world->patient = sim_rng_chance (rng, 7000);
  world->heal_at = world->start + sim_rng_scale (rng, SIM_MS, 60 * SIM_SEC);
  for (uint64_t i = 0; i < pairs; i++)
    {
      sim_end *ends[2];
      uint64_t most = sim_rng_chance (rng, 200) ? 2000 : 300 / pairs;

      sim_world_add_pair (world, &ends[0], &ends[1]);
      for (int k = 0; k < 2; k++)
        {
          if (one_line)
            ends[k]->line = (uint32_t) k;
          sim_random_config (world, ends[k]);
          sim_random_path (world, &ends[k]->out.path);
          sim_random_driver (world, ends[k]);
        }
      for (int k = 0; k < 2; k++)
        {
          sim_random_habits (world, ends[k], most);
          sim_random_blackouts (world, ends[k]);
          sim_end_open (ends[k]);
        }
    }
  world->close_after = sim_rng_chance (rng, 6000);
  sim_world_run (world);
}

const sim_scenario sim_scenarios_random[] = {
  { "random", run_random, 2000, 100000, "E1 E2 E3 E4 L1: everything drawn by lot" },
  { NULL, NULL, 0, 0, NULL },
};
