/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "toy-crypto.h"

#include <stdlib.h>
#include <string.h>

/* The public key of 0. */
#define BASE 0x5a

toy_seal toy_last;

/* Hash --------------------------------------------------------------------------------- */

typedef struct
{
  uint64_t lanes[4];
  unsigned at;
} hash;

static void
hash_add (hash          *h,
          const uint8_t *data,
          size_t         size)
{
  for (size_t i = 0; i < size; i++)
    {
      uint64_t *lane = &h->lanes[h->at++ & 3];

      *lane = (*lane ^ data[i]) * UINT64_C (0x100000001b3);
      *lane ^= *lane >> 29;
    }
}

static void
hash_parts (uint8_t          out[32],
            const uint8_t   *key,
            size_t           key_size,
            const sqx_bytes *parts,
            size_t           n_parts)
{
  hash h = { { 1, 2, 3, 4 }, 0 };
  const uint8_t sizes[2] = { (uint8_t) key_size, (uint8_t) (key_size >> 8) };

  hash_add (&h, sizes, sizeof sizes);
  hash_add (&h, key, key_size);
  for (size_t i = 0; i < n_parts; i++)
    hash_add (&h, parts[i].data, parts[i].size);
  for (unsigned round = 0; round < 12; round++)
    {
      uint64_t *lane = &h.lanes[round & 3];

      *lane += h.lanes[(round + 1) & 3];
      *lane *= UINT64_C (0x9e3779b97f4a7c15);
      *lane ^= *lane >> 31;
    }
  memcpy (out, h.lanes, 32);
}

static void
sha256 (uint8_t          out[32],
        const sqx_bytes *parts,
        size_t           n_parts)
{
  hash_parts (out, NULL, 0, parts, n_parts);
}

/* Curve -------------------------------------------------------------------------------- */

static void
x25519_base (uint8_t       out[32],
             const uint8_t scalar[32])
{
  for (unsigned i = 0; i < 32; i++)
    out[i] = scalar[i] ^ BASE;
}

static bool
x25519 (uint8_t       out[32],
        const uint8_t scalar[32],
        const uint8_t point[32])
{
  uint8_t any = 0;

  for (unsigned i = 0; i < 32; i++)
    any |= out[i] = scalar[i] ^ point[i] ^ BASE;
  return any != 0;
}

/* AEAD --------------------------------------------------------------------------------- */

static void
crypt (const toy_seal *seal,
       uint8_t        *data,
       size_t          size)
{
  const sqx_bytes nonce = { seal->nonce, sizeof seal->nonce };
  uint64_t stream[4];

  hash_parts ((uint8_t *) stream, seal->key, 32, &nonce, 1);
  stream[0] |= 1;
  for (size_t i = 0; i < size; i++)
    {
      stream[0] ^= stream[0] << 13;
      stream[0] ^= stream[0] >> 7;
      stream[0] ^= stream[0] << 17;
      data[i] ^= (uint8_t) (stream[0] >> 32);
    }
}

static void
make_tag (const toy_seal *seal,
          const uint8_t  *ad,
          size_t          ad_size,
          const uint8_t  *data,
          size_t          size,
          uint8_t         tag[32])
{
  const sqx_bytes parts[3] = {
    { seal->nonce, sizeof seal->nonce }, { ad, ad_size }, { data, size },
  };

  hash_parts (tag, seal->key, 32, parts, 3);
}

void
toy_seal_again (const toy_seal *seal,
                const uint8_t  *ad,
                size_t          ad_size,
                uint8_t        *data,
                size_t          size)
{
  uint8_t tag[32];

  crypt (seal, data, size);
  make_tag (seal, ad, ad_size, data, size, tag);
  memcpy (data + size, tag, SQX_TAG_SIZE);
}

bool
toy_open (const toy_seal *seal,
          const uint8_t  *ad,
          size_t          ad_size,
          uint8_t        *data,
          size_t          size)
{
  uint8_t tag[32];

  make_tag (seal, ad, ad_size, data, size, tag);
  if (memcmp (data + size, tag, SQX_TAG_SIZE) != 0)
    return false;
  crypt (seal, data, size);
  return true;
}

static void *
aead_new (sqx_cipher    cipher,
          const uint8_t key[32])
{
  uint8_t *aead = malloc (32);

  if (aead != NULL)
    for (unsigned i = 0; i < 32; i++)
      aead[i] = key[i] ^ (uint8_t) cipher;
  return aead;
}

static bool
aead_seal (void          *aead,
           const uint8_t  nonce[12],
           const uint8_t *ad,
           size_t         ad_size,
           uint8_t       *data,
           size_t         size)
{
  memcpy (toy_last.key, aead, 32);
  memcpy (toy_last.nonce, nonce, SQX_NONCE_SIZE);
  toy_seal_again (&toy_last, ad, ad_size, data, size);
  return true;
}

static bool
aead_open (void          *aead,
           const uint8_t  nonce[12],
           const uint8_t *ad,
           size_t         ad_size,
           uint8_t       *data,
           size_t         size)
{
  toy_seal seal;

  memcpy (seal.key, aead, 32);
  memcpy (seal.nonce, nonce, SQX_NONCE_SIZE);
  return toy_open (&seal, ad, ad_size, data, size);
}

static void
wipe (void  *data,
      size_t size)
{
  if (size > 0)
    memset (data, 0, size);
}

static bool
equal (const void *a,
       const void *b,
       size_t      size)
{
  return memcmp (a, b, size) == 0;
}

const sqx_crypto toy_crypto = {
  .x25519 = x25519,
  .x25519_base = x25519_base,
  .sha256 = sha256,
  .hmac_sha256 = hash_parts,
  .aead_new = aead_new,
  .aead_free = free,
  .aead_seal = aead_seal,
  .aead_open = aead_open,
  .wipe = wipe,
  .equal = equal,
  .prefers_aes = true,
};
