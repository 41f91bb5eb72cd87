/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "hex.h"
#include "seqex-crypto-private.h"
#include "sqx-noise.h"

#define MAX_MESSAGE (SQX_NOISE_PAYLOAD_MAX + 200)

static const sqx_noise_pattern all_patterns[] = {
  SQX_NOISE_XX, SQX_NOISE_IK, SQX_NOISE_XXPSK3, SQX_NOISE_IKPSK2,
};

static const char *
pattern_name (sqx_noise_pattern pattern)
{
  switch (pattern)
    {
    case SQX_NOISE_XX: return "Noise_XX_25519_ChaChaPoly_SHA256";
    case SQX_NOISE_IK: return "Noise_IK_25519_ChaChaPoly_SHA256";
    case SQX_NOISE_XXPSK3: return "Noise_XXpsk3_25519_ChaChaPoly_SHA256";
    case SQX_NOISE_IKPSK2: return "Noise_IKpsk2_25519_ChaChaPoly_SHA256";
    }
  g_assert_not_reached ();
}

static gboolean
has_psk (sqx_noise_pattern pattern)
{
  return pattern == SQX_NOISE_XXPSK3 || pattern == SQX_NOISE_IKPSK2;
}

static gboolean
knows_responder (sqx_noise_pattern pattern)
{
  return pattern == SQX_NOISE_IK || pattern == SQX_NOISE_IKPSK2;
}

static guint
n_messages (sqx_noise_pattern pattern)
{
  return knows_responder (pattern) ? 2 : 3;
}

/* The published vectors ------------------------------------------------------------------ */

static GByteArray *
vector_bytes (JsonObject *vector,
              const char *name)
{
  return hex_decode (json_object_get_string_member (vector, name));
}

/* @prefix is "init" or "resp". */
static void
vector_init (sqx_noise         *noise,
             JsonObject        *vector,
             const char        *prefix,
             sqx_noise_pattern  pattern)
{
  g_autofree char *prologue_name = g_strconcat (prefix, "_prologue", NULL);
  g_autofree char *static_name = g_strconcat (prefix, "_static", NULL);
  g_autofree char *ephemeral_name = g_strconcat (prefix, "_ephemeral", NULL);
  g_autofree char *psks_name = g_strconcat (prefix, "_psks", NULL);
  g_autoptr (GByteArray) prologue = vector_bytes (vector, prologue_name);
  g_autoptr (GByteArray) static_key = vector_bytes (vector, static_name);
  g_autoptr (GByteArray) ephemeral = vector_bytes (vector, ephemeral_name);
  g_autoptr (GByteArray) remote = NULL;
  g_autoptr (GByteArray) psk = NULL;
  gboolean initiator = g_str_equal (prefix, "init");

  if (initiator && json_object_has_member (vector, "init_remote_static"))
    remote = vector_bytes (vector, "init_remote_static");
  if (json_object_has_member (vector, psks_name))
    {
      JsonArray *psks = json_object_get_array_member (vector, psks_name);

      g_assert_cmpuint (json_array_get_length (psks), ==, 1);
      psk = hex_decode (json_array_get_string_element (psks, 0));
    }
  sqx_noise_init (noise, seqex_crypto_table (), &(sqx_noise_config) {
    .pattern = pattern,
    .initiator = initiator,
    .prologue = { prologue->data, prologue->len },
    .static_key = static_key->data,
    .remote_static = remote != NULL ? remote->data : NULL,
    .ephemeral = ephemeral->data,
    .psk = psk != NULL ? psk->data : NULL,
  });
}

/* Message @i of the handshake, from @sender to @receiver. */
static void
vector_handshake (sqx_noise        *sender,
                  sqx_noise        *receiver,
                  const GByteArray *payload,
                  const GByteArray *expected)
{
  guint8 message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
  gsize size, got_size;

  g_assert_cmpuint (sqx_noise_overhead (sender), ==, expected->len - payload->len);
  g_assert_cmpuint (sqx_noise_overhead (receiver), ==, expected->len - payload->len);
  g_assert_true (sqx_noise_write (sender, payload->data, payload->len, message, sizeof message,
                                  &size));
  g_assert_cmpmem (message, size, expected->data, expected->len);
  g_assert_true (sqx_noise_read (receiver, message, size, got, &got_size));
  g_assert_cmpmem (got, got_size, payload->data, payload->len);
}

/* Message @i, after the handshake: both directions count their own. */
static void
vector_transport (const guint8     *send,
                  const guint8     *receive,
                  guint64           number,
                  const GByteArray *payload,
                  const GByteArray *expected)
{
  const sqx_crypto *crypto = seqex_crypto_table ();
  void *sealer = crypto->aead_new (SQX_CIPHER_CHACHA20POLY1305, send);
  void *opener = crypto->aead_new (SQX_CIPHER_CHACHA20POLY1305, receive);
  guint64 little = GUINT64_TO_LE (number);
  guint8 nonce[12] = { 0 };
  guint8 data[256];

  memcpy (nonce + 4, &little, sizeof little);
  memcpy (data, payload->data, payload->len);
  g_assert_true (crypto->aead_seal (sealer, nonce, NULL, 0, data, payload->len));
  g_assert_cmpmem (data, payload->len + 16, expected->data, expected->len);
  g_assert_true (crypto->aead_open (opener, nonce, NULL, 0, data, payload->len));
  g_assert_cmpmem (data, payload->len, payload->data, payload->len);
  crypto->aead_free (sealer);
  crypto->aead_free (opener);
}

static void
check_vector (JsonObject        *vector,
              sqx_noise_pattern  pattern)
{
  JsonArray *messages = json_object_get_array_member (vector, "messages");
  g_autoptr (GByteArray) hash = vector_bytes (vector, "handshake_hash");
  guint8 send[2][32], receive[2][32];
  sqx_noise ends[2];

  vector_init (&ends[0], vector, "init", pattern);
  vector_init (&ends[1], vector, "resp", pattern);
  g_assert_cmpuint (json_array_get_length (messages), >, n_messages (pattern));
  for (guint i = 0; i < json_array_get_length (messages); i++)
    {
      JsonObject *object = json_array_get_object_element (messages, i);
      g_autoptr (GByteArray) payload = vector_bytes (object, "payload");
      g_autoptr (GByteArray) expected = vector_bytes (object, "ciphertext");
      guint from = i % 2;

      if (i < n_messages (pattern))
        vector_handshake (&ends[from], &ends[!from], payload, expected);
      if (i == n_messages (pattern) - 1)
        for (guint end = 0; end < 2; end++)
          {
            g_assert_true (sqx_noise_finished (&ends[end]));
            g_assert_cmpmem (sqx_noise_hash (&ends[end]), 32, hash->data, hash->len);
            g_assert_cmpmem (sqx_noise_remote_static (&ends[end]), 32,
                             ends[!end].static_public, 32);
            sqx_noise_split (&ends[end], send[end], receive[end]);
          }
      if (i >= n_messages (pattern))
        vector_transport (send[from], receive[!from], (i - n_messages (pattern)) / 2, payload,
                          expected);
    }
  sqx_noise_clear (&ends[0]);
  sqx_noise_clear (&ends[1]);
}

static void
test_vectors (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "vectors", "noise-cacophony.json",
                                                 NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  JsonArray *vectors;
  guint found = 0;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  vectors = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)),
                                          "vectors");
  for (guint i = 0; i < json_array_get_length (vectors); i++)
    {
      JsonObject *vector = json_array_get_object_element (vectors, i);
      const char *name = json_object_get_string_member (vector, "protocol_name");

      for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
        if (g_str_equal (name, pattern_name (all_patterns[p])))
          {
            check_vector (vector, all_patterns[p]);
            found |= 1u << p;
          }
    }
  g_assert_cmphex (found, ==, 15);
}

/* Two ends of our own -------------------------------------------------------------------- */

typedef struct
{
  const sqx_crypto *initiator_crypto; /* NULL: the library's */
  gboolean          wrong_prologue;
  gboolean          wrong_psk;
  gboolean          wrong_responder;  /* the initiator of IK expects somebody else */
} Differences;

static void
make_end (sqx_noise         *noise,
          sqx_noise_pattern  pattern,
          gboolean           initiator,
          const Differences *differences)
{
  const sqx_crypto *crypto = seqex_crypto_table ();
  guint8 keys[2][32], ephemeral[32], responder[32], psk[32], public[32];
  const char *prologue = initiator && differences->wrong_prologue ? "prologuf" : "prologue";

  memset (keys[0], 0x31, 32);
  memset (keys[1], 0x32, 32);
  memset (ephemeral, initiator ? 0x41 : 0x42, 32);
  memset (psk, initiator && differences->wrong_psk ? 0x52 : 0x51, 32);
  crypto->x25519_base (responder, keys[differences->wrong_responder ? 0 : 1]);
  crypto->x25519_base (public, keys[!initiator]);
  if (initiator && differences->initiator_crypto != NULL)
    crypto = differences->initiator_crypto;
  sqx_noise_init (noise, crypto, &(sqx_noise_config) {
    .pattern = pattern,
    .initiator = initiator,
    .prologue = { (const guint8 *) prologue, strlen (prologue) },
    .static_key = keys[!initiator],
    .static_public = initiator ? public : NULL,
    .remote_static = initiator && knows_responder (pattern) ? responder : NULL,
    .ephemeral = ephemeral,
    .psk = has_psk (pattern) ? psk : NULL,
  });
}

static const Differences no_differences;

/* Reads what must be refused, and sees that nothing changed. */
static void
assert_refused (sqx_noise    *noise,
                const guint8 *message,
                gsize         size)
{
  guint8 payload[SQX_NOISE_PAYLOAD_MAX], untouched[SQX_NOISE_PAYLOAD_MAX];
  g_autofree guint8 *exact = g_memdup2 (message, MAX (size, 1));
  sqx_noise before;
  gsize payload_size = 12345;

  memset (payload, 0xee, sizeof payload);
  memset (untouched, 0xee, sizeof untouched);
  memcpy (&before, noise, sizeof before);
  g_assert_false (sqx_noise_read (noise, exact, size, payload, &payload_size));
  g_assert_cmpmem (noise, sizeof *noise, &before, sizeof before);
  g_assert_cmpmem (payload, sizeof payload, untouched, sizeof untouched);
  g_assert_cmpuint (payload_size, ==, 12345);
}

/* The message that is refused: by its reader, or, when nothing protects it, what comes of it by the
 * peer that wrote it. */
static void
assert_useless (sqx_noise    *reader,
                sqx_noise    *writer,
                gboolean      is_protected,
                const guint8 *message,
                gsize         size)
{
  guint8 payload[SQX_NOISE_PAYLOAD_MAX], answer[MAX_MESSAGE];
  gsize payload_size, answer_size;
  sqx_noise copy;

  if (is_protected || size < 32)
    {
      assert_refused (reader, message, size);
      return;
    }
  copy = *reader;
  g_assert_true (sqx_noise_read (&copy, message, size, payload, &payload_size));
  g_assert_true (sqx_noise_write (&copy, NULL, 0, answer, sizeof answer, &answer_size));
  assert_refused (writer, answer, answer_size);
  sqx_noise_clear (&copy);
}

/* All bits, all lengths. */
static void
spoil (sqx_noise    *reader,
       sqx_noise    *writer,
       gboolean      is_protected,
       const guint8 *message,
       gsize         size)
{
  guint8 spoilt[MAX_MESSAGE];

  for (gsize bit = 0; bit < 8 * size; bit++)
    {
      memcpy (spoilt, message, size);
      spoilt[bit / 8] ^= (guint8) (1 << bit % 8);
      assert_useless (reader, writer, is_protected, spoilt, size);
    }
  memcpy (spoilt, message, size);
  spoilt[size] = 0;
  for (gsize length = 0; length <= size + 1; length++)
    if (length != size)
      assert_useless (reader, writer, is_protected, spoilt, length);
}

static void
test_forged (gconstpointer data)
{
  sqx_noise_pattern pattern = *(const sqx_noise_pattern *) data;
  static const guint8 payload[] = { 'h', 'e', 'l', 'l', 'o' };
  guint8 keys[2][2][32], message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
  gsize size, got_size;
  sqx_noise ends[2];

  make_end (&ends[0], pattern, TRUE, &no_differences);
  make_end (&ends[1], pattern, FALSE, &no_differences);
  for (guint i = 0; i < n_messages (pattern); i++)
    {
      sqx_noise *writer = &ends[i % 2], *reader = &ends[!(i % 2)];

      g_assert_true (sqx_noise_writes (writer) && !sqx_noise_reads (writer));
      g_assert_true (sqx_noise_reads (reader) && !sqx_noise_writes (reader));
      g_assert_true (sqx_noise_write (writer, payload, sizeof payload, message, sizeof message,
                                      &size));
      /* The reader's own turn has not come, and the writer's has gone. */
      assert_refused (writer, message, size);
      g_assert_false (sqx_noise_write (reader, payload, sizeof payload, got, sizeof got,
                                       &got_size));
      spoil (reader, writer, i > 0 || pattern != SQX_NOISE_XX, message, size);

      g_assert_true (sqx_noise_read (reader, message, size, got, &got_size));
      g_assert_cmpmem (got, got_size, payload, sizeof payload);
      /* A replay. */
      assert_refused (reader, message, size);
    }
  for (guint end = 0; end < 2; end++)
    {
      g_assert_true (sqx_noise_finished (&ends[end]));
      g_assert_false (sqx_noise_writes (&ends[end]) || sqx_noise_reads (&ends[end]));
      g_assert_cmpuint (sqx_noise_overhead (&ends[end]), ==, 0);
      sqx_noise_split (&ends[end], keys[end][0], keys[end][1]);
    }
  g_assert_cmpmem (keys[0][0], 32, keys[1][1], 32);
  g_assert_cmpmem (keys[0][1], 32, keys[1][0], 32);
  g_assert_true (memcmp (keys[0][0], keys[0][1], 32) != 0);
  sqx_noise_clear (&ends[0]);
  sqx_noise_clear (&ends[1]);
}

/* Runs the handshake until a message is refused, and says the index of that message; -1: none. A
 * refusal by the writer counts for the message that it would have written. */
static int
run (sqx_noise *initiator,
     sqx_noise *responder)
{
  sqx_noise *ends[2] = { initiator, responder };
  guint8 message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
  gsize size, got_size;
  sqx_noise before;

  for (int i = 0; !sqx_noise_finished (responder); i++)
    {
      memcpy (&before, ends[i % 2], sizeof before);
      if (!sqx_noise_write (ends[i % 2], NULL, 0, message, sizeof message, &size))
        {
          g_assert_cmpmem (ends[i % 2], sizeof before, &before, sizeof before);
          return i;
        }
      memcpy (&before, ends[!(i % 2)], sizeof before);
      if (!sqx_noise_read (ends[!(i % 2)], message, size, got, &got_size))
        {
          g_assert_cmpmem (ends[!(i % 2)], sizeof before, &before, sizeof before);
          return i;
        }
      if (sqx_noise_finished (ends[i % 2]))
        break;
    }
  return -1;
}

static int
run_with (sqx_noise_pattern  pattern,
          const Differences *differences)
{
  sqx_noise ends[2];
  int refused;

  make_end (&ends[0], pattern, TRUE, differences);
  make_end (&ends[1], pattern, FALSE, differences);
  refused = run (&ends[0], &ends[1]);
  sqx_noise_clear (&ends[0]);
  sqx_noise_clear (&ends[1]);
  return refused;
}

/* What both must agree on is noticed with the first message that is encrypted after it was mixed
 * in. */
static void
test_differences (void)
{
  const Differences prologue = { .wrong_prologue = TRUE };
  const Differences psk = { .wrong_psk = TRUE };
  const Differences responder = { .wrong_responder = TRUE };

  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    g_assert_cmpint (run_with (all_patterns[p], &no_differences), ==, -1);
  g_assert_cmpint (run_with (SQX_NOISE_XX, &prologue), ==, 1);
  g_assert_cmpint (run_with (SQX_NOISE_IK, &prologue), ==, 0);
  g_assert_cmpint (run_with (SQX_NOISE_XXPSK3, &prologue), ==, 0);
  g_assert_cmpint (run_with (SQX_NOISE_IKPSK2, &prologue), ==, 0);
  g_assert_cmpint (run_with (SQX_NOISE_XXPSK3, &psk), ==, 2);
  g_assert_cmpint (run_with (SQX_NOISE_IKPSK2, &psk), ==, 1);
  g_assert_cmpint (run_with (SQX_NOISE_IK, &responder), ==, 0);
  g_assert_cmpint (run_with (SQX_NOISE_IKPSK2, &responder), ==, 0);
}

/* The patterns are told apart. */
static void
test_other_pattern (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (all_patterns); i++)
    for (gsize r = 0; r < G_N_ELEMENTS (all_patterns); r++)
      if (i != r)
        {
          sqx_noise ends[2];

          make_end (&ends[0], all_patterns[i], TRUE, &no_differences);
          make_end (&ends[1], all_patterns[r], FALSE, &no_differences);
          g_assert_cmpint (run (&ends[0], &ends[1]), >=, 0);
          sqx_noise_clear (&ends[0]);
          sqx_noise_clear (&ends[1]);
        }
}

/* An attacker whose public keys are of small order, so that it knows the result of every
 * Diffie-Hellman operation with them: the tags are right, only the zeros give it away. */
static const guint8 zeros[32];
static int zero_bases;   /* calls of x25519_base() that still give the zero point; -1: no call */

static void
evil_base (guint8       out[32],
           const guint8 scalar[32])
{
  if (zero_bases > 0)
    memcpy (out, zeros, 32);
  else
    seqex_crypto_table ()->x25519_base (out, scalar);
}

static bool
evil_x25519 (guint8       out[32],
             const guint8 scalar[32],
             const guint8 point[32])
{
  memcpy (out, zeros, 32);
  return true;
}

static void
test_zero_dh (void)
{
  sqx_crypto evil = *seqex_crypto_table ();
  const Differences differences = { .initiator_crypto = &evil };
  sqx_noise ends[2];

  evil.x25519 = evil_x25519;
  evil.x25519_base = evil_base;
  zero_bases = 1;

  /* The ephemeral key: XX uses it for message 2, the others for message 1. */
  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    g_assert_cmpint (run_with (all_patterns[p], &differences), ==,
                     knows_responder (all_patterns[p]) ? 0 : 1);

  /* The responder's ephemeral key, against an honest initiator. */
  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    {
      make_end (&ends[0], all_patterns[p], TRUE, &no_differences);
      make_end (&ends[1], all_patterns[p], FALSE, &no_differences);
      ends[1].crypto = &evil;
      g_assert_cmpint (run (&ends[0], &ends[1]), ==, knows_responder (all_patterns[p]) ? 0 : 1);
      sqx_noise_clear (&ends[0]);
      sqx_noise_clear (&ends[1]);
    }
  zero_bases = 0;

  /* The static key in IK: known to be bad before anything is sent. */
  make_end (&ends[0], SQX_NOISE_IK, TRUE, &no_differences);
  memset (ends[0].remote_static, 0, 32);
  make_end (&ends[1], SQX_NOISE_IK, FALSE, &no_differences);
  g_assert_cmpint (run (&ends[0], &ends[1]), ==, 0);
  sqx_noise_clear (&ends[0]);
  sqx_noise_clear (&ends[1]);
}

/* The static key that message 3 of XX carries is of small order. The attacker does everything
 * right but the last operation. */
static gboolean zero_now;

static bool
evil_last_x25519 (guint8       out[32],
                  const guint8 scalar[32],
                  const guint8 point[32])
{
  if (zero_now)
    return evil_x25519 (out, scalar, point);
  return seqex_crypto_table ()->x25519 (out, scalar, point);
}

static void
test_zero_static (void)
{
  sqx_crypto evil = *seqex_crypto_table ();
  const Differences differences = { .initiator_crypto = &evil };
  guint8 message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
  gsize size, got_size;
  sqx_noise ends[2];

  evil.x25519 = evil_last_x25519;
  zero_now = FALSE;
  make_end (&ends[0], SQX_NOISE_XX, TRUE, &differences);
  make_end (&ends[1], SQX_NOISE_XX, FALSE, &no_differences);
  memset (ends[0].static_public, 0, 32);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (sqx_noise_write (&ends[i], NULL, 0, message, sizeof message, &size));
      g_assert_true (sqx_noise_read (&ends[!i], message, size, got, &got_size));
    }
  zero_now = TRUE;
  g_assert_true (sqx_noise_write (&ends[0], NULL, 0, message, sizeof message, &size));
  assert_refused (&ends[1], message, size);
  g_assert_null (sqx_noise_remote_static (&ends[1]));
  sqx_noise_clear (&ends[0]);
  sqx_noise_clear (&ends[1]);
}

static void
test_sizes (void)
{
  guint8 payload[SQX_NOISE_PAYLOAD_MAX + 1], message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
  gsize size, got_size, overhead;
  sqx_noise ends[2], before;

  memset (payload, 7, sizeof payload);
  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    {
      make_end (&ends[0], all_patterns[p], TRUE, &no_differences);
      make_end (&ends[1], all_patterns[p], FALSE, &no_differences);
      for (guint i = 0; i < n_messages (all_patterns[p]); i++)
        {
          sqx_noise *writer = &ends[i % 2], *reader = &ends[!(i % 2)];

          overhead = sqx_noise_overhead (writer);
          memcpy (&before, writer, sizeof before);
          g_assert_false (sqx_noise_write (writer, payload, SQX_NOISE_PAYLOAD_MAX + 1, message,
                                           sizeof message, &size));
          g_assert_false (sqx_noise_write (writer, payload, SQX_NOISE_PAYLOAD_MAX, message,
                                           SQX_NOISE_PAYLOAD_MAX + overhead - 1, &size));
          g_assert_cmpmem (writer, sizeof before, &before, sizeof before);
          g_assert_true (sqx_noise_write (writer, payload, SQX_NOISE_PAYLOAD_MAX, message,
                                          SQX_NOISE_PAYLOAD_MAX + overhead, &size));
          g_assert_cmpuint (size, ==, SQX_NOISE_PAYLOAD_MAX + overhead);
          /* One byte more than any honest message. */
          assert_refused (reader, message, size + 1);
          g_assert_true (sqx_noise_read (reader, message, size, got, &got_size));
          g_assert_cmpmem (got, got_size, payload, SQX_NOISE_PAYLOAD_MAX);
        }
      sqx_noise_clear (&ends[0]);
      sqx_noise_clear (&ends[1]);
    }
}

/* Contexts that may still be made; -1: any number. */
static int contexts_left = -1;
static gboolean sealing_fails;

static void *
failing_aead_new (sqx_cipher   cipher,
                  const guint8 key[32])
{
  if (contexts_left == 0)
    return NULL;
  if (contexts_left > 0)
    contexts_left--;
  return seqex_crypto_table ()->aead_new (cipher, key);
}

static bool
failing_aead_seal (void         *aead,
                   const guint8  nonce[12],
                   const guint8 *ad,
                   size_t        ad_size,
                   guint8       *data,
                   size_t        size)
{
  return !sealing_fails &&
         seqex_crypto_table ()->aead_seal (aead, nonce, ad, ad_size, data, size);
}

/* Whatever context cannot be made: nothing changes, and it works the next time. */
static void
test_no_memory (void)
{
  sqx_crypto failing = *seqex_crypto_table ();

  failing.aead_new = failing_aead_new;
  failing.aead_seal = failing_aead_seal;
  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    {
      guint8 message[MAX_MESSAGE], got[SQX_NOISE_PAYLOAD_MAX];
      sqx_noise ends[2], before;
      gsize size = 0, got_size;

      make_end (&ends[0], all_patterns[p], TRUE, &no_differences);
      make_end (&ends[1], all_patterns[p], FALSE, &no_differences);
      ends[0].crypto = ends[1].crypto = &failing;
      for (guint i = 0; i < n_messages (all_patterns[p]); i++)
        for (guint reading = 0; reading < 2; reading++)
          {
            sqx_noise *noise = &ends[reading ? !(i % 2) : i % 2];
            gboolean ok = FALSE;

            for (int n = 0; !ok; n++)
              {
                contexts_left = n;
                memcpy (&before, noise, sizeof before);
                ok = reading ? sqx_noise_read (noise, message, size, got, &got_size)
                             : sqx_noise_write (noise, NULL, 0, message, sizeof message, &size);
                if (!ok)
                  g_assert_cmpmem (noise, sizeof before, &before, sizeof before);
                g_assert_cmpint (n, <=, 3);
              }
          }
      contexts_left = -1;
      sqx_noise_clear (&ends[0]);
      sqx_noise_clear (&ends[1]);
    }

  sealing_fails = TRUE;
  g_assert_cmpint (run_with (SQX_NOISE_IK, &(Differences) { .initiator_crypto = &failing }), ==, 0);
  sealing_fails = FALSE;
}

static void
test_clear (void)
{
  static const sqx_noise nothing;
  sqx_noise noise = nothing;

  sqx_noise_clear (&noise);
  make_end (&noise, SQX_NOISE_IKPSK2, TRUE, &no_differences);
  g_assert_nonnull (sqx_noise_remote_static (&noise));
  sqx_noise_clear (&noise);
  g_assert_cmpmem (&noise, sizeof noise, &nothing, sizeof nothing);
  sqx_noise_clear (&noise);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/noise/vectors", test_vectors);
  for (gsize p = 0; p < G_N_ELEMENTS (all_patterns); p++)
    {
      g_autofree char *path = g_strconcat ("/seqex/noise/forged/", pattern_name (all_patterns[p]),
                                           NULL);

      g_test_add_data_func (path, &all_patterns[p], test_forged);
    }
  g_test_add_func ("/seqex/noise/differences", test_differences);
  g_test_add_func ("/seqex/noise/other-pattern", test_other_pattern);
  g_test_add_func ("/seqex/noise/zero-dh", test_zero_dh);
  g_test_add_func ("/seqex/noise/zero-static", test_zero_static);
  g_test_add_func ("/seqex/noise/sizes", test_sizes);
  g_test_add_func ("/seqex/noise/no-memory", test_no_memory);
  g_test_add_func ("/seqex/noise/clear", test_clear);
  return g_test_run ();
}
