/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of a link's keys share.
 */
#pragma once

#include <glib.h>
#include <string.h>

#include "seqex-crypto-private.h"
#include "sqx-keys.h"

#define HEADER "header"
#define RETAIN 300

static const sqx_cipher ciphers[] = { SQX_CIPHER_AES256GCM, SQX_CIPHER_CHACHA20POLY1305 };

/* The library's cryptography, with an eye on which keys are in use. ------------------- */

typedef struct
{
  void  *aead;
  guint8 key[32];
} Context;

static GArray *contexts;       /* of Context *: those that live */
static int contexts_left = -1; /* that may still be made; -1: any number */

static inline void *
watched_new (sqx_cipher   cipher,
             const guint8 key[32])
{
  Context *context;

  if (contexts_left == 0)
    return NULL;
  if (contexts_left > 0)
    contexts_left--;
  context = g_new (Context, 1);
  context->aead = seqex_crypto_table ()->aead_new (cipher, key);
  memcpy (context->key, key, 32);
  g_array_append_val (contexts, context);
  return context;
}

static inline void
watched_free (void *aead)
{
  Context *context = aead;

  if (context == NULL)
    return;
  for (guint i = 0; i < contexts->len; i++)
    if (g_array_index (contexts, Context *, i) == context)
      {
        g_array_remove_index_fast (contexts, i);
        seqex_crypto_table ()->aead_free (context->aead);
        g_free (context);
        return;
      }
  g_assert_not_reached ();
}

static inline bool
watched_seal (void         *aead,
              const guint8  nonce[12],
              const guint8 *ad,
              size_t        ad_size,
              guint8       *data,
              size_t        size)
{
  return seqex_crypto_table ()->aead_seal (((Context *) aead)->aead, nonce, ad, ad_size, data,
                                           size);
}

static inline bool
watched_open (void         *aead,
              const guint8  nonce[12],
              const guint8 *ad,
              size_t        ad_size,
              guint8       *data,
              size_t        size)
{
  return seqex_crypto_table ()->aead_open (((Context *) aead)->aead, nonce, ad, ad_size, data,
                                           size);
}

static inline const sqx_crypto *
watched (void)
{
  static sqx_crypto table;

  table = *seqex_crypto_table ();
  table.aead_new = watched_new;
  table.aead_free = watched_free;
  table.aead_seal = watched_seal;
  table.aead_open = watched_open;
  return &table;
}

/* Two ends, and helpers --------------------------------------------------------------- */

static inline void
init_pair (sqx_keys   *a,
           sqx_keys   *b,
           sqx_cipher  cipher)
{
  guint8 ab[32], ba[32];

  memset (ab, 0xab, 32);
  memset (ba, 0xba, 32);
  g_assert_true (sqx_keys_init (a, watched (), cipher, ab, ba));
  g_assert_true (sqx_keys_init (b, watched (), cipher, ba, ab));
}

static inline void
clear_pair (sqx_keys *a,
            sqx_keys *b)
{
  static const sqx_keys nothing;

  sqx_keys_clear (a);
  sqx_keys_clear (b);
  g_assert_cmpmem (a, sizeof *a, &nothing, sizeof nothing);
  g_assert_cmpmem (b, sizeof *b, &nothing, sizeof nothing);
  g_assert_cmpuint (contexts->len, ==, 0);
  sqx_keys_clear (a);
}

typedef struct
{
  guint8  phase;
  guint64 number;
  guint8  data[8 + 16];
} Packet;

static inline gboolean
seal (sqx_keys *keys,
      guint64   number,
      Packet   *packet)
{
  *packet = (Packet) { .phase = sqx_keys_phase (keys), .number = number, .data = "payload" };
  return sqx_keys_seal (keys, number, (const guint8 *) HEADER, 6, packet->data, 8);
}

static inline sqx_keys_verdict
open_at (sqx_keys     *keys,
         guint64       now,
         const Packet *packet)
{
  Packet copy = *packet;
  sqx_keys_verdict verdict = sqx_keys_open (keys, now, RETAIN, copy.phase, copy.number,
                                            (const guint8 *) HEADER, 6, copy.data, 8);

  if (verdict == SQX_KEYS_OK)
    g_assert_cmpmem (copy.data, 8, "payload", 8);
  return verdict;
}

static inline void
pass (sqx_keys *from,
      sqx_keys *to,
      guint64   number)
{
  Packet packet;

  g_assert_true (seal (from, number, &packet));
  g_assert_cmpint (open_at (to, 0, &packet), ==, SQX_KEYS_OK);
}
