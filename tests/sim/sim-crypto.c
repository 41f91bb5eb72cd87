/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The library's cryptography with eyes: what was sealed last is remembered in clear, so that the
 * oracles can look into encrypted packets, and no key may seal two packets under one number.
 */

#include "sim-host.h"

#include "seqex/core/sqx-util.h"
#include "seqex/seqex-crypto-private.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  uint64_t key;   /* its hash */
  uint64_t last;  /* number sealed */
  bool     used;  /* there is a last */
} nonces;

typedef struct
{
  void    *real;
  uint64_t key;
} context;

static sim_world *judge;
static nonces *table;      /* open addressing, a power of two, key 0: free */
static size_t table_size, table_used;

static struct
{
  uint64_t number;
  uint8_t  header[SQX_DATA_HEADER];
  size_t   header_size;
  uint8_t  frames[SQX_DATAGRAM_MAX];
  size_t   size;
} sealed;

static nonces *
find (uint64_t key)
{
  size_t at = (size_t) sim_mix (key) & (table_size - 1);

  while (table[at].key != 0 && table[at].key != key)
    at = (at + 1) & (table_size - 1);
  return &table[at];
}

static void
grow (void)
{
  nonces *old = table;
  size_t old_size = table_size;

  table_size = old_size == 0 ? 256 : 2 * old_size;
  table = calloc (table_size, sizeof *table);
  for (size_t i = 0; i < old_size; i++)
    if (old[i].key != 0)
      *find (old[i].key) = old[i];
  free (old);
}

void
sim_crypto_begin (sim_world *world)
{
  judge = world;
  free (table);
  table = NULL;
  table_size = table_used = 0;
  sealed.header_size = 0;
}

static void *
aead_new (sqx_cipher    cipher,
          const uint8_t key[32])
{
  void *real = seqex_crypto_table ()->aead_new (cipher, key);
  context *it = real != NULL ? malloc (sizeof *it) : NULL;

  if (it == NULL)
    return NULL;
  it->real = real;
  it->key = sim_hash_bytes (sim_hash_u64 (SIM_HASH_START, cipher), key, 32) | 1;
  return it;
}

static void
aead_free (void *aead)
{
  context *it = aead;

  if (it == NULL)
    return;
  seqex_crypto_table ()->aead_free (it->real);
  free (it);
}

/* S3: a number is never used again. */
static void
look_at_number (uint64_t key,
                uint64_t number)
{
  sim_account *payer = sim_alloc_pay (NULL);
  nonces *it;

  if (2 * table_used >= table_size)
    grow ();
  it = find (key);
  if (it->key == 0)
    table_used++;
  it->key = key;
  if (it->used && number <= it->last)
    sim_fail (judge, "packet number %llu is sealed after %llu with the same key",
              (unsigned long long) number, (unsigned long long) it->last);
  it->used = true;
  it->last = number;
  sim_alloc_pay (payer);
}

static bool
aead_seal (void          *aead,
           const uint8_t  nonce[12],
           const uint8_t *ad,
           size_t         ad_size,
           uint8_t       *data,
           size_t         size)
{
  context *it = aead;

  sealed.number = (uint64_t) sqx_get_be32 (nonce + 4) << 32 | sqx_get_be32 (nonce + 8);
  sealed.header_size = ad_size == SQX_DATA_HEADER ? ad_size : 0;
  memcpy (sealed.header, ad, sealed.header_size);
  sealed.size = size;
  if (size > 0)
    memcpy (sealed.frames, data, size);
  if (judge != NULL)
    look_at_number (it->key, sealed.number);
  return seqex_crypto_table ()->aead_seal (it->real, nonce, ad, ad_size, data, size);
}

static bool
aead_open (void          *aead,
           const uint8_t  nonce[12],
           const uint8_t *ad,
           size_t         ad_size,
           uint8_t       *data,
           size_t         size)
{
  context *it = aead;

  return seqex_crypto_table ()->aead_open (it->real, nonce, ad, ad_size, data, size);
}

void
sim_crypto_init (sqx_crypto *crypto,
                 bool        prefers_aes)
{
  *crypto = *seqex_crypto_table ();
  crypto->aead_new = aead_new;
  crypto->aead_free = aead_free;
  crypto->aead_seal = aead_seal;
  crypto->aead_open = aead_open;
  /* Not what this machine has: a seed means the same everywhere. */
  crypto->prefers_aes = prefers_aes;
}

bool
sim_crypto_sealed (const uint8_t  *data,
                   size_t          size,
                   uint64_t       *number,
                   const uint8_t **frames,
                   size_t         *frames_size)
{
  if (size < SQX_DATA_HEADER || sealed.header_size != SQX_DATA_HEADER ||
      memcmp (data, sealed.header, SQX_DATA_HEADER) != 0)
    return false;
  *number = sealed.number;
  *frames = sealed.frames;
  *frames_size = sealed.size;
  return true;
}
