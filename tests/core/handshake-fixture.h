/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two sides of a handshake in memory, and the way up to each of its steps.
 */
#pragma once

#include <glib.h>

#include "seqex-crypto-private.h"
#include "sqx-handshake.h"
#include "sqx-util.h"

#define A_ID 0xa1a2a3a4u
#define B_ID 0xb1b2b3b4u

typedef struct
{
  guint8               secret[32];
  guint8               public[32];
  sqx_handshake_params params;
  sqx_hello            hello;
  sqx_handshake        handshake;
} Side;

typedef struct
{
  sqx_crypto crypto;
  guint8     psk[32];
  Side       a; /* initiator */
  Side       b;
} Pair;

/* aead_new() fails when this reaches 0; below 0 it never does. */
G_GNUC_UNUSED static int aeads_left = -1;

static inline void *
limited_aead_new (sqx_cipher    cipher,
                  const uint8_t key[32])
{
  if (aeads_left == 0)
    return NULL;
  aeads_left -= aeads_left > 0;
  return seqex_crypto_table ()->aead_new (cipher, key);
}

static inline void
draw (void    *user_data G_GNUC_UNUSED,
      uint8_t *bytes,
      size_t   size)
{
  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8) g_test_rand_int ();
}

static const sqx_hello usual = {
  .max_message_size = 1048576,
  .byte_credit = 4194304,
  .exchange_credit = 1024,
  .max_channels = 256,
  .ack_delay = 25000,
  .max_datagram_size = 1200,
  .ciphers = { SQX_CIPHER_AES256GCM, SQX_CIPHER_CHACHA20POLY1305 },
  .n_ciphers = 2,
  .has_session = TRUE,
};

static inline void
side_init (Side       *side,
           Pair       *pair,
           guint8     *psk,
           const char *name)
{
  *side = (Side) { .hello = usual };
  draw (NULL, side->secret, 32);
  pair->crypto.x25519_base (side->public, side->secret);
  side->params = (sqx_handshake_params) {
    .crypto = &pair->crypto,
    .secret_key = side->secret,
    .psk = psk,
    .random = draw,
  };
  draw (NULL, side->hello.session_id, SQX_SESSION_ID_SIZE);
  side->hello.generation = (guint32) g_test_rand_int ();
  g_strlcpy (side->hello.application_id, name, sizeof side->hello.application_id);
}

static inline gboolean
is_xx (guint pattern)
{
  return pattern == SQX_NOISE_XX || pattern == SQX_NOISE_XXPSK3;
}

static inline gboolean
has_psk (guint pattern)
{
  return pattern == SQX_NOISE_XXPSK3 || pattern == SQX_NOISE_IKPSK2;
}

/* @pattern: whether they know a secret; one that is not used hurts nobody. */
static inline void
pair_init (Pair *pair,
           guint pattern)
{
  pair->crypto = *seqex_crypto_table ();
  pair->crypto.aead_new = limited_aead_new;
  draw (NULL, pair->psk, sizeof pair->psk);
  side_init (&pair->a, pair, has_psk (pattern) ? pair->psk : NULL, "the one");
  side_init (&pair->b, pair, pair->psk, "the other");
}

static inline void
pair_clear (Pair *pair)
{
  sqx_handshake_clear (&pair->a.handshake);
  sqx_handshake_clear (&pair->b.handshake);
}

static inline void
start (Pair *pair,
       guint pattern)
{
  g_assert_true (sqx_handshake_start (&pair->a.handshake, &pair->a.params, A_ID,
                                      is_xx (pattern) ? NULL : pair->b.public, &pair->a.hello));
  g_assert_cmpuint (pair->a.handshake.pattern, ==, pattern);
}

/* Gives @side the INIT in @data. */
static inline gboolean
respond (Side         *side,
         const guint8 *data,
         gsize         size)
{
  sqx_init init;

  return sqx_init_decode (&init, data, size) &&
         sqx_handshake_respond (&side->handshake, &side->params, B_ID, &init);
}

static inline gboolean
respond_to (Side                *side,
            const sqx_handshake *from)
{
  return respond (side, from->packet, from->packet_size);
}

static inline sqx_handshake_verdict
answer (Side                *side,
        const sqx_handshake *from)
{
  return sqx_handshake_handle_answer (&side->handshake, from->packet, from->packet_size);
}

static inline sqx_handshake_verdict
confirm (Side                *side,
         const sqx_handshake *from)
{
  return sqx_handshake_handle_confirm (&side->handshake, from->packet, from->packet_size);
}

/* Up to the ACCEPT in b's hands. */
static inline void
to_accept (Pair *pair,
           guint pattern)
{
  pair_init (pair, pattern);
  start (pair, pattern);
  g_assert_true (respond_to (&pair->b, &pair->a.handshake));
  g_assert_true (sqx_handshake_accept (&pair->b.handshake, &pair->b.hello));
}

/* Up to the CONFIRM in a's hands. */
static inline void
to_confirm (Pair *pair,
            guint pattern)
{
  to_accept (pair, pattern);
  g_assert_cmpint (answer (&pair->a, &pair->b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (sqx_handshake_confirm (&pair->a.handshake, &pair->a.hello));
}

/* Both finished. */
static inline void
to_end (Pair *pair,
        guint pattern)
{
  if (!is_xx (pattern))
    {
      to_accept (pair, pattern);
      g_assert_cmpint (answer (&pair->a, &pair->b.handshake), ==, SQX_HANDSHAKE_LEARNED);
      return;
    }
  to_confirm (pair, pattern);
  g_assert_cmpint (confirm (&pair->b, &pair->a.handshake), ==, SQX_HANDSHAKE_LEARNED);
}

static inline void
assert_told (const sqx_hello *heard,
             const sqx_hello *told)
{
  g_assert_cmpuint (heard->max_message_size, ==, told->max_message_size);
  g_assert_cmpstr (heard->application_id, ==, told->application_id);
  g_assert_cmpmem (heard->ciphers, heard->n_ciphers, told->ciphers, told->n_ciphers);
  g_assert_true (heard->has_session);
  g_assert_cmpmem (heard->session_id, SQX_SESSION_ID_SIZE, told->session_id, SQX_SESSION_ID_SIZE);
  g_assert_cmpuint (heard->generation, ==, told->generation);
  g_assert_cmpint (heard->ready, ==, told->ready);
}

/* What one seals the other opens, and nobody else. */
static inline void
check_packet (sqx_keys *from,
              sqx_keys *to,
              guint64   number)
{
  guint8 data[4 + SQX_TAG_SIZE] = "data";

  g_assert_true (sqx_keys_seal (from, number, (const guint8 *) "header", 6, data, 4));
  g_assert_cmpint (sqx_keys_open (to, 0, 1000, 0, number, (const guint8 *) "header", 6, data, 4),
                   ==, SQX_KEYS_OK);
  g_assert_cmpmem (data, 4, "data", 4);
  g_assert_true (sqx_keys_seal (from, number + 1, (const guint8 *) "header", 6, data, 4));
  g_assert_cmpint (sqx_keys_open (from, 0, 1000, 0, number + 1, (const guint8 *) "header", 6, data,
                                  4), ==, SQX_KEYS_FORGED);
}

static inline void
check_keys (Pair      *pair,
            sqx_cipher cipher)
{
  sqx_keys a, b;

  g_assert_true (sqx_handshake_keys (&pair->a.handshake, &a));
  g_assert_true (sqx_handshake_keys (&pair->b.handshake, &b));
  g_assert_cmpint (a.cipher, ==, cipher);
  g_assert_cmpint (b.cipher, ==, cipher);
  check_packet (&a, &b, 7);
  check_packet (&b, &a, 100);
  sqx_keys_clear (&a);
  sqx_keys_clear (&b);
  /* Once. */
  g_assert_false (sqx_handshake_keys (&pair->a.handshake, &a));
  g_assert_false (sqx_handshake_keys (&pair->b.handshake, &b));
}

static inline void
assert_zero (gconstpointer data,
             gsize         size)
{
  for (gsize i = 0; i < size; i++)
    g_assert_cmpuint (((const guint8 *) data)[i], ==, 0);
}

/* Nothing at all in @handshake is different from @before. */
static inline void
assert_same (const sqx_handshake *handshake,
             const sqx_handshake *before)
{
  g_assert_cmpmem (handshake, sizeof *handshake, before, sizeof *before);
}

/* Struct assignment need not copy what lies between the members. */
static inline void
copy_state (sqx_handshake       *to,
            const sqx_handshake *from)
{
  memcpy (to, from, sizeof *to);
}

/* The size of the part of a packet that means anything: without the zeros behind it. */
static inline gsize
used_size (const sqx_handshake *handshake)
{
  const guint8 *p = handshake->packet;

  switch (p[0])
    {
    case SQX_PACKET_INIT:
      return SQX_INIT_HEADER + p[7] + (gsize) (p[8 + p[7]] << 8 | p[9 + p[7]]);
    case SQX_PACKET_ACCEPT:
      return SQX_ACCEPT_HEADER + (gsize) (p[9] << 8 | p[10]);
    default:
      return handshake->packet_size;
    }
}

/* A test for some of the patterns */

enum { XX = 1, IK = 2, ALL = XX | IK };

static inline void
add (const char   *name,
     guint         which,
     GTestDataFunc function)
{
  static const char *const names[] = { "", "xx", "ik", "xx-psk3", "ik-psk2" };

  for (guint pattern = SQX_NOISE_XX; pattern <= SQX_NOISE_IKPSK2; pattern++)
    if (which & (is_xx (pattern) ? XX : IK))
      {
        g_autofree char *path = g_strdup_printf ("/seqex/handshake/%s/%s", name, names[pattern]);

        g_test_add_data_func (path, GUINT_TO_POINTER (pattern), function);
      }
}
