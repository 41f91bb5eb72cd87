/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What everything in the simulator stands on: random numbers, hashing, and malloc() that is
 * charged to whoever caused it. Nothing here, nor anywhere else in the simulator, computes in
 * floating point or looks at an address, so that a seed means the same on every machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_MS  UINT64_C (1000)
#define SIM_SEC UINT64_C (1000000)

/* Random numbers: xoshiro256**, seeded by splitmix64. ------------------------------------ */

typedef struct
{
  uint64_t state[4];
} sim_rng;

/* Different @stream, independent numbers. */
void     sim_rng_seed    (sim_rng *rng, uint64_t seed, uint64_t stream);
uint64_t sim_rng_next    (sim_rng *rng);
/* 0 … @bound - 1; 0 for a @bound of 0. */
uint64_t sim_rng_below   (sim_rng *rng, uint64_t bound);
/* @low … @high inclusive. */
uint64_t sim_rng_between (sim_rng *rng, uint64_t low, uint64_t high);
/* The same, every order of magnitude (base 2) equally likely. */
uint64_t sim_rng_scale   (sim_rng *rng, uint64_t low, uint64_t high);
/* True @share times out of 10 000. */
bool     sim_rng_chance  (sim_rng *rng, uint32_t share);
void     sim_rng_fill    (sim_rng *rng, uint8_t *bytes, size_t size);

/* A mixer without state: what bytes a message holds. */
uint64_t sim_mix (uint64_t value);

/* Hashing: FNV-1a, 64 bits. ------------------------------------------------------------- */

#define SIM_HASH_START UINT64_C (0xcbf29ce484222325)

uint64_t sim_hash_bytes (uint64_t hash, const uint8_t *bytes, size_t size);
uint64_t sim_hash_u64   (uint64_t hash, uint64_t value);

/* Memory: the linker turns malloc() and its kin of every object into these (--wrap). -------- */

typedef struct
{
  uint64_t current; /* bytes held, as sim_alloc_charge() counts them */
  uint64_t peak;    /* the most since somebody set it back */
  uint64_t blocks;  /* held */
  uint64_t calls;   /* malloc, calloc and realloc, ever */
  uint64_t largest; /* block ever asked for, in bytes */
} sim_account;

/* Who pays for what is allocated now; NULL: nobody. A block that is freed or grown later is
 * taken off the account that paid for it. */
/* Returns who paid until now. */
sim_account *sim_alloc_pay (sim_account *account);
/* What @size bytes are counted as: with the allocator's own overhead. */
uint64_t sim_alloc_charge (size_t size);
