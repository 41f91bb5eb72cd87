/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handshakes in all patterns: what both sides agree on, what is sent again, what is refused, and
 * what is not this side's turn.
 */
#include "handshake-fixture.h"

/* Agreement --------------------------------------------------------------------------- */

static void
test_xx (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  Pair pair;
  sqx_handshake *a = &pair.a.handshake, *b = &pair.b.handshake;
  sqx_keys keys;

  pair_init (&pair, pattern);
  start (&pair, pattern);
  g_assert_true (a->initiator);
  g_assert_cmpint (a->used_psk, ==, has_psk (pattern));
  g_assert_cmpuint (a->packet_size, ==, 1200);
  g_assert_cmpuint (used_size (a), ==, SQX_INIT_HEADER + 32 + (has_psk (pattern) ? 16 : 0));
  assert_zero (a->packet + used_size (a), 1200 - used_size (a));
  g_assert_cmpmem (a->packet + SQX_INIT_HEADER, 32, a->ephemeral, 32);

  g_assert_true (respond_to (&pair.b, a));
  g_assert_false (b->initiator || b->has_peer_key || b->finished);
  g_assert_cmpuint (b->pattern, ==, pattern);
  g_assert_cmpint (b->used_psk, ==, has_psk (pattern));
  g_assert_cmpuint (b->local_id, ==, B_ID);
  g_assert_cmpuint (b->peer_id, ==, A_ID);
  g_assert_cmpmem (b->ephemeral, 32, a->ephemeral, 32);

  g_assert_true (sqx_handshake_accept (b, &pair.b.hello));
  g_assert_cmpuint (b->packet_size, ==, 1200);
  assert_zero (b->packet + used_size (b), 1200 - used_size (b));
  g_assert_false (b->finished || sqx_handshake_keys (b, &keys));

  g_assert_false (a->has_peer_key || a->finished);
  g_assert_cmpint (answer (&pair.a, b), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (a->has_peer_key);
  g_assert_cmpmem (a->peer_key, 32, pair.b.public, 32);
  g_assert_cmpuint (a->peer_id, ==, B_ID);
  assert_told (&a->hello, &pair.b.hello);
  g_assert_false (a->finished || sqx_handshake_keys (a, &keys));

  /* What is told may be another thing than it was at the start. */
  pair.a.hello.generation++;
  g_assert_true (sqx_handshake_confirm (a, &pair.a.hello));
  g_assert_cmpuint (a->own.generation, ==, pair.a.hello.generation);
  g_assert_true (a->finished);
  g_assert_cmpuint (a->packet_size, <, 300);
  g_assert_cmpint (confirm (&pair.b, a), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (b->finished && b->has_peer_key);
  g_assert_cmpmem (b->peer_key, 32, pair.a.public, 32);
  assert_told (&b->hello, &pair.a.hello);
  check_keys (&pair, SQX_CIPHER_AES256GCM);
  pair_clear (&pair);
}

static void
test_ik (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  Pair pair;
  sqx_handshake *a = &pair.a.handshake, *b = &pair.b.handshake;

  pair_init (&pair, pattern);
  start (&pair, pattern);
  g_assert_cmpint (a->used_psk, ==, has_psk (pattern));
  g_assert_cmpuint (a->packet_size, ==, 1200);
  assert_zero (a->packet + used_size (a), 1200 - used_size (a));
  g_assert_cmpmem (a->packet + SQX_INIT_HEADER, 32, a->ephemeral, 32);
  g_assert_false (a->has_peer_key);
  g_assert_cmpmem (a->peer_key, 32, pair.b.public, 32);

  g_assert_true (respond_to (&pair.b, a));
  g_assert_true (b->has_peer_key);
  g_assert_false (b->finished);
  g_assert_cmpmem (b->peer_key, 32, pair.a.public, 32);
  g_assert_cmpmem (b->ephemeral, 32, a->ephemeral, 32);
  assert_told (&b->hello, &pair.a.hello);

  pair.b.hello.ready = TRUE;
  g_assert_true (sqx_handshake_accept (b, &pair.b.hello));
  g_assert_true (b->finished);
  g_assert_cmpuint (b->packet_size, ==, 1200);
  g_assert_cmpint (answer (&pair.a, b), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (a->finished && a->has_peer_key);
  g_assert_cmpmem (a->peer_key, 32, pair.b.public, 32);
  g_assert_cmpuint (a->peer_id, ==, B_ID);
  assert_told (&a->hello, &pair.b.hello);
  /* There is no third message. */
  g_assert_false (sqx_handshake_confirm (a, &pair.a.hello));
  check_keys (&pair, SQX_CIPHER_AES256GCM);
  pair_clear (&pair);
}

/* A public key that is given spares its computing, and changes nothing. */
static void
test_public_key (void)
{
  Pair pair;

  pair_init (&pair, SQX_NOISE_XX);
  pair.a.params.public_key = pair.a.public;
  pair.b.params.public_key = pair.b.public;
  start (&pair, SQX_NOISE_XX);
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_cmpmem (pair.a.handshake.peer_key, 32, pair.b.public, 32);
  pair_clear (&pair);
}

/* The largest HELLO that can be fits into every packet, a cookie beside it. */
static void
test_largest (void)
{
  const guint8 cookie[SQX_COOKIE_SIZE] = { 1 };
  guint8 retry[64];

  for (guint pattern = SQX_NOISE_XX; pattern <= SQX_NOISE_IKPSK2; pattern++)
    {
      gsize size = sqx_write_retry (retry, sizeof retry, A_ID, cookie);
      Pair pair;
      sqx_hello *hellos[] = { &pair.a.hello, &pair.b.hello };

      pair_init (&pair, pattern);
      for (guint i = 0; i < 2; i++)
        {
          hellos[i]->max_message_size = SQX_MESSAGE_MAX_MAX;
          hellos[i]->byte_credit = SQX_WINDOW_MAX;
          hellos[i]->exchange_credit = SQX_EXCHANGES_MAX;
          hellos[i]->max_channels = SQX_CHANNELS_MAX;
          hellos[i]->max_streams = SQX_VARINT_MAX;
          hellos[i]->stream_window = SQX_WINDOW_MAX;
          hellos[i]->idle_timeout = SQX_VARINT_MAX;
          hellos[i]->generation = SQX_VARINT_MAX;
          memset (hellos[i]->application_id, 'x', SQX_APPLICATION_ID_MAX);
        }
      start (&pair, pattern);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, size), ==,
                       SQX_HANDSHAKE_AGAIN);
      g_assert_true (respond_to (&pair.b, &pair.a.handshake));
      g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
      if (is_xx (pattern))
        {
          g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
          g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_LEARNED);
        }
      assert_told (&pair.a.handshake.hello, &pair.b.hello);
      assert_told (&pair.b.handshake.hello, &pair.a.hello);
      pair_clear (&pair);
    }
}

static void
test_ciphers (void)
{
  enum { AES = SQX_CIPHER_AES256GCM, CHACHA = SQX_CIPHER_CHACHA20POLY1305 };
  static const struct { guint8 a[2], b[2]; int wanted; } cases[] = {
    { { AES, CHACHA }, { AES, CHACHA }, AES },
    { { AES, CHACHA }, { CHACHA, AES }, CHACHA },
    { { CHACHA }, { AES, CHACHA }, CHACHA },
    { { AES }, { CHACHA, AES }, AES },
    { { AES }, { CHACHA }, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Pair pair;
      sqx_keys keys;

      pair_init (&pair, SQX_NOISE_IK);
      memcpy (pair.a.hello.ciphers, cases[i].a, 2);
      memcpy (pair.b.hello.ciphers, cases[i].b, 2);
      pair.a.hello.n_ciphers = cases[i].a[1] != 0 ? 2 : 1;
      pair.b.hello.n_ciphers = cases[i].b[1] != 0 ? 2 : 1;
      start (&pair, SQX_NOISE_IK);
      g_assert_true (respond_to (&pair.b, &pair.a.handshake));
      g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
      if (cases[i].wanted != 0)
        check_keys (&pair, (sqx_cipher) cases[i].wanted);
      else
        {
          g_assert_false (sqx_handshake_keys (&pair.a.handshake, &keys));
          g_assert_false (sqx_handshake_keys (&pair.b.handshake, &keys));
        }
      pair_clear (&pair);
    }
}

/* Sent again --------------------------------------------------------------------------- */

static void
test_repeats_xx (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  sqx_handshake accepted, before;
  guint8 longer[SQX_HANDSHAKE_PACKET_MAX];
  Pair pair;

  to_accept (&pair, pattern);
  copy_state (&accepted, &pair.b.handshake);
  g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_LEARNED);
  /* The program is still being asked. */
  copy_state (&before, &pair.a.handshake);
  g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
  copy_state (&before, &pair.a.handshake);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_REPEAT);
  assert_same (&pair.a.handshake, &before);
  /* It is a repetition to the last byte, or none. */
  memcpy (longer, accepted.packet, sizeof longer);
  for (gsize bit = 0; bit < 8 * used_size (&accepted); bit++)
    {
      longer[bit / 8] ^= (guint8) (1u << bit % 8);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, longer, sizeof longer), ==,
                       SQX_HANDSHAKE_IGNORED);
      longer[bit / 8] ^= (guint8) (1u << bit % 8);
    }

  g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_LEARNED);
  copy_state (&before, &pair.b.handshake);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_REPEAT);
  assert_same (&pair.b.handshake, &before);
  memcpy (longer, pair.a.handshake.packet, pair.a.handshake.packet_size);
  longer[20] ^= 1;
  g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, longer,
                                                 pair.a.handshake.packet_size), ==,
                   SQX_HANDSHAKE_IGNORED);

  /* Also after the keys were taken. */
  check_keys (&pair, SQX_CIPHER_AES256GCM);
  g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_REPEAT);
  g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_REPEAT);
  sqx_handshake_clear (&accepted);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* INIT is not to be sent again when ACCEPT comes twice. */
static void
test_repeats_ik (void)
{
  sqx_handshake before;
  Pair pair;

  to_end (&pair, SQX_NOISE_IK);
  copy_state (&before, &pair.a.handshake);
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);
  check_keys (&pair, SQX_CIPHER_AES256GCM);
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_IGNORED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* An INIT seen by two responders, or twice by one that forgot: only one of them is confirmed. */
static void
test_replayed_init (void)
{
  for (guint pattern = SQX_NOISE_XX; pattern <= SQX_NOISE_IKPSK2; pattern++)
    {
      Pair pair;
      Side second;
      guint8 packet[SQX_HANDSHAKE_PACKET_MAX];

      to_accept (&pair, pattern);
      second = pair.b;
      second.params.crypto = &pair.crypto;
      second.params.secret_key = second.secret;
      second.params.psk = pair.psk;
      g_assert_true (respond_to (&second, &pair.a.handshake));
      g_assert_true (sqx_handshake_accept (&second.handshake, &second.hello));
      g_assert_false (memcmp (second.handshake.packet, pair.b.handshake.packet,
                              used_size (&second.handshake)) == 0);

      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
      g_assert_cmpint (answer (&pair.a, &second.handshake), ==, SQX_HANDSHAKE_IGNORED);
      if (is_xx (pattern))
        {
          g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
          g_assert_cmpint (answer (&pair.a, &second.handshake), ==, SQX_HANDSHAKE_IGNORED);
          g_assert_cmpint (confirm (&second, &pair.a.handshake), ==, SQX_HANDSHAKE_IGNORED);
          g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_LEARNED);
        }
      else
        {
          /* Who replays has nothing of it: the keys are of no use to it. */
          sqx_keys a, other;
          guint8 data[4 + SQX_TAG_SIZE] = "data";

          g_assert_true (sqx_handshake_keys (&pair.a.handshake, &a));
          g_assert_true (sqx_handshake_keys (&second.handshake, &other));
          g_assert_true (sqx_keys_seal (&a, 0, NULL, 0, data, 4));
          g_assert_cmpint (sqx_keys_open (&other, 0, 0, 0, 0, NULL, 0, data, 4), ==,
                           SQX_KEYS_FORGED);
          sqx_keys_clear (&a);
          sqx_keys_clear (&other);
        }
      memcpy (packet, second.handshake.packet, sizeof packet);
      sqx_handshake_clear (&second.handshake);
      pair_clear (&pair);
    }
}

/* RETRY and VERSION -------------------------------------------------------------------- */

static void
test_retry (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 cookie[SQX_COOKIE_SIZE], retry[64], message[SQX_HANDSHAKE_PACKET_MAX];
  gsize size, used, message_size;
  sqx_handshake before;
  sqx_init init;
  Pair pair;

  draw (NULL, cookie, sizeof cookie);
  pair_init (&pair, pattern);
  start (&pair, pattern);
  used = used_size (&pair.a.handshake);
  message_size = used - SQX_INIT_HEADER;
  memcpy (message, pair.a.handshake.packet + SQX_INIT_HEADER, message_size);

  /* For another attempt, or of another length. */
  copy_state (&before, &pair.a.handshake);
  size = sqx_write_retry (retry, sizeof retry, A_ID + 1, cookie);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, size), ==,
                   SQX_HANDSHAKE_IGNORED);
  size = sqx_write_retry (retry, sizeof retry, A_ID, cookie);
  for (gsize i = 0; i < sizeof retry; i++)
    if (i != size)
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, i), ==,
                       SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, size), ==,
                   SQX_HANDSHAKE_AGAIN);
  g_assert_cmpuint (pair.a.handshake.packet_size, ==, 1200);
  g_assert_true (sqx_init_decode (&init, pair.a.handshake.packet, 1200));
  g_assert_cmpmem (init.cookie, init.cookie_size, cookie, sizeof cookie);
  g_assert_cmpmem (init.message, init.message_size, message, message_size);
  g_assert_cmpuint (init.source_id, ==, A_ID);
  g_assert_cmpuint (init.pattern, ==, pattern);
  used = used_size (&pair.a.handshake);
  assert_zero (pair.a.handshake.packet + used, 1200 - used);

  /* One is enough. */
  copy_state (&before, &pair.a.handshake);
  retry[5] ^= 1;
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, size), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* It is too late for them once the peer has accepted. */
static void
test_late_answers (void)
{
  const guint8 cookie[SQX_COOKIE_SIZE] = { 1 }, version[] = { SQX_PACKET_VERSION, 0xa1, 0xa2, 0xa3,
                                                              0xa4, 2 };
  guint8 retry[64];
  gsize size = sqx_write_retry (retry, sizeof retry, A_ID, cookie);

  for (guint pattern = SQX_NOISE_XX; pattern <= SQX_NOISE_IK; pattern++)
    {
      sqx_handshake before;
      Pair pair;

      to_accept (&pair, pattern);
      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
      copy_state (&before, &pair.a.handshake);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, retry, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, sizeof version), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.a.handshake, &before);
      sqx_handshake_clear (&before);
      pair_clear (&pair);
    }
}

static void
test_version (void)
{
  guint8 version[64] = { SQX_PACKET_VERSION, 0xa1, 0xa2, 0xa3, 0xa4, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
  guint8 own[64];
  gsize size = sqx_write_version (own, sizeof own, A_ID);
  sqx_handshake before;
  Pair pair;

  pair_init (&pair, SQX_NOISE_XX);
  start (&pair, SQX_NOISE_XX);
  copy_state (&before, &pair.a.handshake);
  /* Empty; for another attempt; with the version that was spoken. */
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, 5), ==,
                   SQX_HANDSHAKE_IGNORED);
  version[4]++;
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, 14), ==,
                   SQX_HANDSHAKE_IGNORED);
  version[4]--;
  version[13] = SQX_VERSION;
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, 14), ==,
                   SQX_HANDSHAKE_IGNORED);
  version[13] = 10;
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, own, size), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, 7), ==,
                   SQX_HANDSHAKE_VERSION);
  g_assert_cmpmem (pair.a.handshake.peer_versions, pair.a.handshake.n_peer_versions, "\2\3", 2);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, version, 14), ==,
                   SQX_HANDSHAKE_VERSION);
  g_assert_cmpmem (pair.a.handshake.peer_versions, pair.a.handshake.n_peer_versions,
                   "\2\3\4\5\6\7\10\11", 8);

  /* Somebody else may have said that. */
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

static void
test_other_version (void)
{
  sqx_init init;
  Pair pair;

  pair_init (&pair, SQX_NOISE_XX);
  start (&pair, SQX_NOISE_XX);
  pair.a.handshake.packet[1] = 2;
  g_assert_true (sqx_init_decode (&init, pair.a.handshake.packet, 1200));
  g_assert_false (sqx_handshake_respond (&pair.b.handshake, &pair.b.params, B_ID, &init));
  assert_zero (&pair.b.handshake, sizeof pair.b.handshake);
  pair_clear (&pair);
}

/* Refusals ----------------------------------------------------------------------------- */

static void
test_refuse (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  g_autofree char *endless = g_strnfill (1000, 'x');
  const struct { guint64 code; const char *reason, *heard; } cases[] = {
    { 0, NULL, "" },
    { 66, "no strangers", "no strangers" },
    { SQX_VARINT_MAX, endless, endless + 1000 - SQX_CLOSE_REASON_MAX },
  };
  sqx_keys keys;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Pair pair;
      sqx_handshake *a = &pair.a.handshake;

      pair_init (&pair, pattern);
      start (&pair, pattern);
      g_assert_true (respond_to (&pair.b, a));
      g_assert_true (sqx_handshake_refuse (&pair.b.handshake, cases[i].code, cases[i].reason));
      g_assert_cmpuint (pair.b.handshake.packet_size, ==, 1200);
      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_REFUSED);
      g_assert_cmpuint (a->code, ==, cases[i].code);
      g_assert_cmpstr (a->reason, ==, cases[i].heard);
      g_assert_true (a->has_peer_key);
      g_assert_cmpmem (a->peer_key, 32, pair.b.public, 32);
      g_assert_false (a->finished || sqx_handshake_keys (a, &keys));
      /* That was all. */
      g_assert_false (sqx_handshake_confirm (a, &pair.a.hello));
      g_assert_false (sqx_handshake_confirm_refusal (a, 0, NULL));
      g_assert_false (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
      g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_IGNORED);
      pair_clear (&pair);
    }
}

static void
test_confirm_refusal (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  Pair pair;
  sqx_handshake *a = &pair.a.handshake, *b = &pair.b.handshake;
  sqx_handshake accepted;
  sqx_keys keys;

  to_accept (&pair, pattern);
  copy_state (&accepted, b);
  g_assert_cmpint (answer (&pair.a, b), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (sqx_handshake_confirm_refusal (a, 66, "not who I expect"));
  g_assert_false (a->finished || sqx_handshake_keys (a, &keys));
  g_assert_false (sqx_handshake_confirm (a, &pair.a.hello));
  /* It may get lost. */
  g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_REPEAT);
  g_assert_cmpint (confirm (&pair.b, a), ==, SQX_HANDSHAKE_REFUSED);
  g_assert_cmpuint (b->code, ==, 66);
  g_assert_cmpstr (b->reason, ==, "not who I expect");
  g_assert_true (b->has_peer_key);
  g_assert_cmpmem (b->peer_key, 32, pair.a.public, 32);
  g_assert_false (b->finished || sqx_handshake_keys (b, &keys));
  g_assert_cmpint (confirm (&pair.b, a), ==, SQX_HANDSHAKE_IGNORED);
  sqx_handshake_clear (&accepted);
  pair_clear (&pair);
}

/* What peers must know ------------------------------------------------------------------ */

/* Whoever has another key than the one expected cannot read the INIT. */
static void
test_wrong_key (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  Pair pair;
  Side other;

  pair_init (&pair, pattern);
  side_init (&other, &pair, pair.psk, "a third one");
  start (&pair, pattern);
  g_assert_false (respond_to (&other, &pair.a.handshake));
  assert_zero (&other.handshake, sizeof other.handshake);
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  pair_clear (&pair);
}

static void
test_wrong_psk (void)
{
  sqx_handshake before;
  Pair pair;

  /* It comes last: XXpsk3 fails with CONFIRM, IKpsk2 with ACCEPT. */
  pair_init (&pair, SQX_NOISE_XXPSK3);
  start (&pair, SQX_NOISE_XXPSK3);
  pair.psk[31] ^= 1;
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
  copy_state (&before, &pair.b.handshake);
  g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.b.handshake, &before);
  pair_clear (&pair);

  pair_init (&pair, SQX_NOISE_IKPSK2);
  start (&pair, SQX_NOISE_IKPSK2);
  pair.psk[0] ^= 0x80;
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  copy_state (&before, &pair.a.handshake);
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);
  pair_clear (&pair);

  /* No secret at all. */
  for (guint pattern = SQX_NOISE_XXPSK3; pattern <= SQX_NOISE_IKPSK2; pattern++)
    {
      pair_init (&pair, pattern);
      start (&pair, pattern);
      pair.b.params.psk = NULL;
      g_assert_false (respond_to (&pair.b, &pair.a.handshake));
      assert_zero (&pair.b.handshake, sizeof pair.b.handshake);
      pair_clear (&pair);
    }
  sqx_handshake_clear (&before);
}

/* The rest ----------------------------------------------------------------------------- */

/* Whatever is not this side's turn is refused, and changes nothing. */
static void
test_turns (void)
{
  sqx_handshake before;
  sqx_keys keys;
  Pair pair;

  pair_init (&pair, SQX_NOISE_XX);
  start (&pair, SQX_NOISE_XX);
  copy_state (&before, &pair.a.handshake);
  g_assert_false (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
  g_assert_false (sqx_handshake_confirm_refusal (&pair.a.handshake, 0, NULL));
  g_assert_false (sqx_handshake_accept (&pair.a.handshake, &pair.a.hello));
  g_assert_false (sqx_handshake_refuse (&pair.a.handshake, 0, NULL));
  g_assert_false (sqx_handshake_keys (&pair.a.handshake, &keys));
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, NULL, 0), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  copy_state (&before, &pair.b.handshake);
  g_assert_false (sqx_handshake_confirm (&pair.b.handshake, &pair.b.hello));
  g_assert_false (sqx_handshake_confirm_refusal (&pair.b.handshake, 0, NULL));
  g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, NULL, 0), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.b.handshake, &before);
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  copy_state (&before, &pair.b.handshake);
  g_assert_false (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_false (sqx_handshake_refuse (&pair.b.handshake, 0, NULL));
  assert_same (&pair.b.handshake, &before);

  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  copy_state (&before, &pair.a.handshake);
  g_assert_false (sqx_handshake_accept (&pair.a.handshake, &pair.a.hello));
  assert_same (&pair.a.handshake, &before);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* Each call that could not get a cipher context fails cleanly, and works afterwards. */
static void
test_no_memory (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  sqx_handshake before;
  sqx_keys keys;
  guint failures = 0;
  Pair pair;

#define UNTIL_IT_WORKS(handshake, expression) \
  G_STMT_START { \
    gboolean ok = FALSE; \
    copy_state (&before, (handshake)); \
    for (int left = 0; !ok; left++) \
      { \
        aeads_left = left; \
        ok = (expression); \
        aeads_left = -1; \
        if (!ok) \
          { \
            failures++; \
            assert_same ((handshake), &before); \
          } \
        g_assert_cmpint (left, <, 10); \
      } \
  } G_STMT_END

  pair_init (&pair, pattern);
  UNTIL_IT_WORKS (&pair.a.handshake,
                  sqx_handshake_start (&pair.a.handshake, &pair.a.params, A_ID,
                                       is_xx (pattern) ? NULL : pair.b.public, &pair.a.hello));
  UNTIL_IT_WORKS (&pair.b.handshake, respond_to (&pair.b, &pair.a.handshake));
  UNTIL_IT_WORKS (&pair.b.handshake, sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  UNTIL_IT_WORKS (&pair.a.handshake,
                  answer (&pair.a, &pair.b.handshake) == SQX_HANDSHAKE_LEARNED);
  if (is_xx (pattern))
    {
      UNTIL_IT_WORKS (&pair.a.handshake,
                      sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
      UNTIL_IT_WORKS (&pair.b.handshake,
                      confirm (&pair.b, &pair.a.handshake) == SQX_HANDSHAKE_LEARNED);
    }
  UNTIL_IT_WORKS (&pair.a.handshake, sqx_handshake_keys (&pair.a.handshake, &keys));
  sqx_keys_clear (&keys);
  g_assert_cmpuint (failures, >=, 8);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
#undef UNTIL_IT_WORKS
}

static void
test_clear (void)
{
  Pair pair;

  to_end (&pair, SQX_NOISE_XX);
  for (guint i = 0; i < 2; i++)
    {
      pair_clear (&pair);
      assert_zero (&pair.a.handshake, sizeof pair.a.handshake);
      assert_zero (&pair.b.handshake, sizeof pair.b.handshake);
    }
}

/* Whoever took the keys has nothing secret left in here. */
static void
test_wiped (void)
{
  sqx_keys keys;
  Pair pair;

  to_end (&pair, SQX_NOISE_IK);
  g_assert_true (sqx_handshake_keys (&pair.a.handshake, &keys));
  assert_zero (&pair.a.handshake.noise, sizeof pair.a.handshake.noise);
  sqx_keys_clear (&keys);
  pair_clear (&pair);
}

/* A half-open handshake is moved by its owner's table. */
static void
test_moved (void)
{
  Pair pair;
  sqx_handshake moved;

  to_confirm (&pair, SQX_NOISE_XX);
  copy_state (&moved, &pair.b.handshake);
  memset (&pair.b.handshake, 0xee, sizeof pair.b.handshake);
  g_assert_cmpint (sqx_handshake_handle_confirm (&moved, pair.a.handshake.packet,
                                                 pair.a.handshake.packet_size), ==,
                   SQX_HANDSHAKE_LEARNED);
  copy_state (&pair.b.handshake, &moved);
  check_keys (&pair, SQX_CIPHER_AES256GCM);
  pair_clear (&pair);
}

/* -------------------------------------------------------------------------------------- */

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  add ("agree", XX, test_xx);
  add ("agree", IK, test_ik);
  g_test_add_func ("/seqex/handshake/public-key", test_public_key);
  g_test_add_func ("/seqex/handshake/largest", test_largest);
  g_test_add_func ("/seqex/handshake/ciphers", test_ciphers);
  add ("repeats", XX, test_repeats_xx);
  g_test_add_func ("/seqex/handshake/repeats/ik", test_repeats_ik);
  g_test_add_func ("/seqex/handshake/replayed-init", test_replayed_init);
  add ("retry", ALL, test_retry);
  g_test_add_func ("/seqex/handshake/late-answers", test_late_answers);
  g_test_add_func ("/seqex/handshake/version", test_version);
  g_test_add_func ("/seqex/handshake/other-version", test_other_version);
  add ("refuse", ALL, test_refuse);
  add ("confirm-refusal", XX, test_confirm_refusal);
  add ("wrong-key", IK, test_wrong_key);
  g_test_add_func ("/seqex/handshake/wrong-psk", test_wrong_psk);
  g_test_add_func ("/seqex/handshake/turns", test_turns);
  add ("no-memory", ALL, test_no_memory);
  g_test_add_func ("/seqex/handshake/clear", test_clear);
  g_test_add_func ("/seqex/handshake/wiped", test_wiped);
  g_test_add_func ("/seqex/handshake/moved", test_moved);
  return g_test_run ();
}
