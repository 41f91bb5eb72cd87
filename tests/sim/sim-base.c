/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim-base.h"

#include <string.h>

static uint64_t
splitmix (uint64_t *state)
{
  *state += UINT64_C (0x9e3779b97f4a7c15);
  return sim_mix (*state);
}

uint64_t
sim_mix (uint64_t value)
{
  value = (value ^ value >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C (0x94d049bb133111eb);
  return value ^ value >> 31;
}

void
sim_rng_seed (sim_rng  *rng,
              uint64_t  seed,
              uint64_t  stream)
{
  uint64_t state = seed ^ sim_mix (stream + 1);

  for (int i = 0; i < 4; i++)
    rng->state[i] = splitmix (&state);
}

static uint64_t
rotate (uint64_t value,
        int      by)
{
  return value << by | value >> (64 - by);
}

uint64_t
sim_rng_next (sim_rng *rng)
{
  uint64_t *s = rng->state;
  uint64_t result = rotate (s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;

  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate (s[3], 45);
  return result;
}

uint64_t
sim_rng_below (sim_rng  *rng,
               uint64_t  bound)
{
  /* The bias of the remainder is of no matter to a simulation. */
  return bound == 0 ? 0 : sim_rng_next (rng) % bound;
}

uint64_t
sim_rng_between (sim_rng  *rng,
                 uint64_t  low,
                 uint64_t  high)
{
  return low + sim_rng_below (rng, high - low + 1);
}

static unsigned
bit_length (uint64_t value)
{
  unsigned bits = 0;

  while (value > 0)
    {
      bits++;
      value >>= 1;
    }
  return bits;
}

uint64_t
sim_rng_scale (sim_rng  *rng,
               uint64_t  low,
               uint64_t  high)
{
  unsigned bits = (unsigned) sim_rng_between (rng, bit_length (low), bit_length (high));
  uint64_t least = bits == 0 ? 0 : UINT64_C (1) << (bits - 1);
  uint64_t most = bits == 0 ? 0 : least + (least - 1);

  if (least < low)
    least = low;
  if (most > high)
    most = high;
  return sim_rng_between (rng, least, most);
}

bool
sim_rng_chance (sim_rng  *rng,
                uint32_t  share)
{
  return sim_rng_below (rng, 10000) < share;
}

void
sim_rng_fill (sim_rng *rng,
              uint8_t *bytes,
              size_t   size)
{
  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) (sim_rng_next (rng) >> 24);
}

uint64_t
sim_hash_bytes (uint64_t       hash,
                const uint8_t *bytes,
                size_t         size)
{
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ bytes[i]) * UINT64_C (0x100000001b3);
  return hash;
}

uint64_t
sim_hash_u64 (uint64_t hash,
              uint64_t value)
{
  for (int i = 0; i < 8; i++)
    hash = (hash ^ (value >> (8 * i) & 0xff)) * UINT64_C (0x100000001b3);
  return hash;
}
