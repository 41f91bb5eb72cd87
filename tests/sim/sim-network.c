/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a bad network does to datagrams.
 */

#include "sim.h"

#include <stdlib.h>
#include <string.h>

void
sim_path_clean (sim_path *path,
                uint64_t  delay)
{
  *path = (sim_path) { .delay = delay, .in_order = true };
}

sim_packet *
sim_packet_ref (sim_packet *packet)
{
  packet->references++;
  return packet;
}

void
sim_packet_unref (sim_packet *packet)
{
  if (--packet->references == 0)
    free (packet);
}

static sim_packet *
make_packet (sim_end          *to,
             const uint8_t    *bytes,
             size_t            size,
             const sim_packet *notes)
{
  sim_packet *packet = malloc (sizeof *packet + size + notes->frames_size);

  *packet = *notes;
  packet->to = to;
  packet->references = 1;
  packet->size = size;
  memcpy (packet->bytes, bytes, size);
  packet->frames = packet->bytes + size;
  if (notes->frames_size > 0)
    memcpy (packet->bytes + size, notes->frames, notes->frames_size);
  return packet;
}

static bool
is_lost (sim_direction *direction,
         sim_rng       *rng)
{
  const sim_path *path = &direction->path;

  if (path->burst > 0)
    {
      if (direction->in_burst ? sim_rng_chance (rng, path->burst_end)
                              : sim_rng_chance (rng, path->burst))
        direction->in_burst = !direction->in_burst;
      if (direction->in_burst)
        return true;
    }
  return sim_rng_chance (rng, path->loss);
}

/* When a datagram that is sent now has passed the bottleneck; SQX_TIME_NEVER: its queue is full. */
static uint64_t
pass_bottleneck (sim_direction *direction,
                 uint64_t       now,
                 size_t         size)
{
  const sim_path *path = &direction->path;
  uint64_t begin = direction->busy_until > now ? direction->busy_until : now;

  if (path->rate == 0)
    return now;
  if ((begin - now) * path->rate / SIM_SEC > path->queue)
    return SQX_TIME_NEVER;
  direction->busy_until = begin + size * SIM_SEC / path->rate;
  return direction->busy_until;
}

static uint64_t
arrival (sim_direction *direction,
         sim_rng       *rng,
         uint64_t       leaves)
{
  const sim_path *path = &direction->path;
  uint64_t time = leaves + path->delay + sim_rng_below (rng, path->jitter + 1);

  if (sim_rng_chance (rng, path->reorder))
    return time + sim_rng_below (rng, path->reorder_delay + 1);
  if (path->in_order && time < direction->last_arrival)
    time = direction->last_arrival;
  if (time > direction->last_arrival)
    direction->last_arrival = time;
  return time;
}

/* Flips a bit, or cuts the end off. */
static sim_packet *
tamper (sim_packet    *packet,
        sim_rng       *rng,
        const uint8_t *original)
{
  size_t size = packet->size;

  if (sim_rng_chance (rng, 2000))
    packet->size = (size_t) sim_rng_below (rng, packet->size);
  else
    for (uint64_t flips = sim_rng_scale (rng, 1, 16); flips > 0; flips--)
      {
        uint64_t bit = sim_rng_below (rng, packet->size * 8);

        packet->bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
      }
  /* The same bit may have been flipped back. */
  packet->tampered = packet->size != size || memcmp (packet->bytes, original, size) != 0;
  return packet;
}

static void
deliver_at (sim_world  *world,
            sim_packet *packet,
            uint64_t    time)
{
  sim_world_at (world, time, NULL, packet, 0);
}

static void
send_copies (sim_end          *from,
             uint64_t          leaves,
             const uint8_t    *bytes,
             size_t            size,
             const sim_packet *notes)
{
  sim_world *world = from->world;
  sim_rng *rng = &world->net_rng;
  const sim_path *path = &from->out.path;
  uint64_t copies = sim_rng_chance (rng, path->duplicate) ? 1 + sim_rng_between (rng, 1, 3) : 1;
  sim_packet *packet = make_packet (from->peer, bytes, size, notes);

  for (uint64_t i = 0; i < copies; i++)
    {
      uint64_t time = arrival (&from->out, rng, leaves);

      if (i > 0 && sim_rng_chance (rng, path->late_copy))
        time += sim_rng_scale (rng, SIM_MS, 60 * SIM_SEC);
      if (sim_rng_chance (rng, path->corrupt))
        {
          world->tampers = world->tampers || path->hostile;
          if (path->hostile)
            deliver_at (world, tamper (make_packet (from->peer, bytes, size, notes), rng, bytes),
                        time);
          continue;
        }
      from->out.delivered++;
      deliver_at (world, sim_packet_ref (packet), time);
    }
  sim_packet_unref (packet);
}

bool
sim_network_send (sim_end          *from,
                  const uint8_t    *bytes,
                  size_t            size,
                  const sim_packet *notes)
{
  sim_world *world = from->world;
  sim_direction *out = &from->out;
  bool too_large = out->path.mtu > 0 && size > out->path.mtu;
  uint64_t leaves;

  out->sent++;
  if (world->overhear != NULL)
    world->overhear (world, notes, bytes, size);
  /* The draw comes first, so that a blackout does not change what happens after it. */
  if (is_lost (out, &world->net_rng) || world->now < out->dark_until || too_large)
    {
      out->lost++;
      SIM_TRACE (world, from, too_large ? "  too large" : "  lost");
      return !(too_large && out->path.tells);
    }
  leaves = pass_bottleneck (out, world->now, size);
  if (leaves == SQX_TIME_NEVER)
    {
      out->lost++;
      SIM_TRACE (world, from, "  dropped by a full queue");
      return true;
    }
  send_copies (from, leaves, bytes, size, notes);
  return true;
}

void
sim_network_heal (sim_world *world)
{
  for (uint32_t i = 0; i < world->n_ends; i++)
    {
      sim_direction *out = &world->ends[i]->out;
      uint64_t delay = out->path.delay > 100 * SIM_MS ? 100 * SIM_MS : out->path.delay;
      uint32_t mtu = out->path.mtu_after;
      bool tells = out->path.tells;

      sim_path_clean (&out->path, delay);
      out->path.mtu = out->path.mtu_after = mtu;
      out->path.tells = tells;
      /* For ever is what happens to a peer that was killed. */
      if (out->dark_until != SQX_TIME_NEVER)
        out->dark_until = 0;
      out->in_burst = false;
      out->busy_until = 0;
    }
}
