/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handshakes in all patterns, and everything that somebody between both sides or beside them can
 * do, or a peer that breaks the rules.
 */
#include "handshake-fixture.h"

/* Damage ------------------------------------------------------------------------------- */

/* INIT of XX is not protected before the answer to it is read. */
static void
check_damaged_init (Pair         *pair,
                    const guint8 *packet,
                    gsize         size)
{
  sqx_handshake before;

  if (!respond (&pair->b, packet, size))
    return;
  copy_state (&before, &pair->a.handshake);
  if (sqx_handshake_accept (&pair->b.handshake, &pair->b.hello))
    {
      g_assert_cmpint (answer (&pair->a, &pair->b.handshake), ==, SQX_HANDSHAKE_IGNORED);
      assert_same (&pair->a.handshake, &before);
    }
  sqx_handshake_clear (&pair->b.handshake);
}

static void
test_damaged_init (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX];
  Pair pair;
  gsize used;
  guint responses = 0;

  pair_init (&pair, pattern);
  start (&pair, pattern);
  used = used_size (&pair.a.handshake);
  memcpy (packet, pair.a.handshake.packet, sizeof packet);
  for (gsize bit = 0; bit < 8 * used; bit++)
    {
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
      check_damaged_init (&pair, packet, sizeof packet);
      responses += respond (&pair.b, packet, sizeof packet);
      sqx_handshake_clear (&pair.b.handshake);
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  /* The source id, or the bare key, at most. */
  g_assert_cmpuint (responses, <=, pattern == SQX_NOISE_XX ? 288 : 0);
  for (gsize size = 0; size < sizeof packet; size++)
    g_assert_false (respond (&pair.b, packet, size));

  /* What stands behind it means nothing. */
  memset (packet + used, 0xff, sizeof packet - used);
  g_assert_true (respond (&pair.b, packet, sizeof packet));
  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  pair_clear (&pair);
}

static void
test_damaged_accept (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX];
  sqx_handshake before;
  Pair pair;
  gsize used;

  to_accept (&pair, pattern);
  copy_state (&before, &pair.a.handshake);
  used = used_size (&pair.b.handshake);
  memcpy (packet, pair.b.handshake.packet, sizeof packet);
  for (gsize bit = 0; bit < 8 * used; bit++)
    {
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, sizeof packet), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.a.handshake, &before);
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  for (gsize size = 0; size < used; size++)
    {
      guint8 *copy = g_malloc (MAX (size, 1));

      memcpy (copy, packet, size);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, copy, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      g_free (copy);
    }
  assert_same (&pair.a.handshake, &before);
  memset (packet + used, 0xff, sizeof packet - used);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, used), ==,
                   SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

static void
test_damaged_confirm (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX + 1] = { 0 };
  sqx_handshake before;
  Pair pair;
  gsize size;

  to_confirm (&pair, pattern);
  copy_state (&before, &pair.b.handshake);
  size = pair.a.handshake.packet_size;
  memcpy (packet, pair.a.handshake.packet, size);
  for (gsize bit = 0; bit < 8 * size; bit++)
    {
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
      g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, packet, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.b.handshake, &before);
      packet[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  /* Shorter, and longer. */
  for (gsize cut = 0; cut <= size + 1; cut++)
    {
      guint8 *copy = g_malloc (MAX (cut, 1));

      memcpy (copy, packet, cut);
      if (cut != size)
        g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, copy, cut), ==,
                         SQX_HANDSHAKE_IGNORED);
      g_free (copy);
    }
  assert_same (&pair.b.handshake, &before);
  g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, packet, size), ==,
                   SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

static void
test_random (void)
{
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX];
  sqx_handshake a, b;
  Pair pair;

  to_accept (&pair, SQX_NOISE_XX);
  copy_state (&a, &pair.a.handshake);
  copy_state (&b, &pair.b.handshake);
  for (guint i = 0; i < 2000; i++)
    {
      gsize size = (gsize) g_test_rand_int_range (0, (gint32) sizeof packet + 1);
      sqx_accept accept;

      draw (NULL, packet, size);
      if (size > SQX_ACCEPT_HEADER)
        {
          packet[0] = (guint8) g_test_rand_int_range (4, 13);
          sqx_put_be32 (packet + 1, g_test_rand_bit () ? A_ID : B_ID);
          packet[9] = 0;
        }
      if (packet[0] == SQX_PACKET_RETRY || packet[0] == SQX_PACKET_VERSION)
        continue;
      sqx_accept_decode (&accept, packet, size);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, packet, size), ==,
                       SQX_HANDSHAKE_IGNORED);
    }
  assert_same (&pair.a.handshake, &a);
  assert_same (&pair.b.handshake, &b);
  sqx_handshake_clear (&a);
  sqx_handshake_clear (&b);
  pair_clear (&pair);
}

/* Where it does not belong -------------------------------------------------------------- */

/* Own packets that come back. Who called itself can see that. */
static void
test_reflection (void)
{
  sqx_handshake before;
  Side self;
  Pair pair;

  for (guint pattern = SQX_NOISE_XX; pattern <= SQX_NOISE_IKPSK2; pattern++)
    {
      pair_init (&pair, pattern);
      start (&pair, pattern);
      copy_state (&before, &pair.a.handshake);
      g_assert_cmpint (answer (&pair.a, &before), ==, SQX_HANDSHAKE_IGNORED);
      g_assert_cmpint (confirm (&pair.a, &before), ==, SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.a.handshake, &before);

      self = pair.a;
      self.params.psk = pair.psk;
      if (is_xx (pattern))
        {
          g_assert_true (respond_to (&self, &before));
          g_assert_cmpmem (self.handshake.ephemeral, 32, before.ephemeral, 32);
          g_assert_true (sqx_handshake_accept (&self.handshake, &self.hello));
          g_assert_cmpint (answer (&pair.a, &self.handshake), ==, SQX_HANDSHAKE_LEARNED);
          g_assert_cmpmem (pair.a.handshake.peer_key, 32, pair.a.public, 32);
        }
      else
        g_assert_false (respond_to (&self, &before));
      sqx_handshake_clear (&self.handshake);
      pair_clear (&pair);

      to_accept (&pair, pattern);
      copy_state (&before, &pair.b.handshake);
      g_assert_cmpint (confirm (&pair.b, &before), ==, SQX_HANDSHAKE_IGNORED);
      g_assert_cmpint (answer (&pair.b, &before), ==, SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.b.handshake, &before);
      pair_clear (&pair);
    }

  to_confirm (&pair, SQX_NOISE_XX);
  copy_state (&before, &pair.a.handshake);
  g_assert_cmpint (answer (&pair.a, &before), ==, SQX_HANDSHAKE_IGNORED);
  g_assert_cmpint (confirm (&pair.a, &before), ==, SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* A third one that calls the caller's own key learns whose it is. */
static void
test_own_key (void)
{
  Pair pair;

  pair_init (&pair, SQX_NOISE_IK);
  g_assert_true (sqx_handshake_start (&pair.a.handshake, &pair.a.params, A_ID, pair.a.public,
                                      &pair.a.hello));
  memcpy (pair.b.secret, pair.a.secret, 32);
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  g_assert_true (pair.b.handshake.has_peer_key);
  g_assert_cmpmem (pair.b.handshake.peer_key, 32, pair.a.public, 32);
  pair_clear (&pair);
}

/* Packets of one attempt of the same two in another: ids are made to fit. */
static void
test_splices (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX];
  sqx_handshake second, accepted, before;
  Pair pair;

  to_accept (&pair, pattern);
  g_assert_true (sqx_handshake_start (&second, &pair.a.params, A_ID + 1,
                                      is_xx (pattern) ? NULL : pair.b.public, &pair.a.hello));

  /* The other's ACCEPT, with its own destination and with this one's. */
  copy_state (&before, &second);
  memcpy (packet, pair.b.handshake.packet, sizeof packet);
  g_assert_cmpint (sqx_handshake_handle_answer (&second, packet, sizeof packet), ==,
                   SQX_HANDSHAKE_IGNORED);
  sqx_put_be32 (packet + 1, A_ID + 1);
  g_assert_cmpint (sqx_handshake_handle_answer (&second, packet, sizeof packet), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&second, &before);
  /* The right one, with another source. */
  copy_state (&before, &pair.a.handshake);
  memcpy (packet, pair.b.handshake.packet, sizeof packet);
  sqx_put_be32 (packet + 5, B_ID + 1);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, sizeof packet), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  /* An INIT under the source id of the other one, or as another pattern. */
  copy_state (&accepted, &pair.b.handshake);
  memcpy (packet, second.packet, sizeof packet);
  sqx_put_be32 (packet + 2, A_ID);
  check_damaged_init (&pair, packet, sizeof packet);
  for (guint8 other = 1; other <= 4; other++)
    if (other != pattern)
      {
        memcpy (packet, second.packet, sizeof packet);
        packet[6] = other;
        check_damaged_init (&pair, packet, sizeof packet);
      }

  if (is_xx (pattern))
    {
      sqx_init init;

      g_assert_cmpint (answer (&pair.a, &accepted), ==, SQX_HANDSHAKE_LEARNED);
      g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
      g_assert_true (sqx_init_decode (&init, second.packet, second.packet_size));
      g_assert_true (sqx_handshake_respond (&pair.b.handshake, &pair.b.params, B_ID + 1, &init));
      g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
      copy_state (&before, &pair.b.handshake);
      memcpy (packet, pair.a.handshake.packet, sizeof packet);
      sqx_put_be32 (packet + 1, B_ID + 1);
      g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, packet,
                                                     pair.a.handshake.packet_size), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.b.handshake, &before);
    }
  sqx_handshake_clear (&before);
  sqx_handshake_clear (&accepted);
  sqx_handshake_clear (&second);
  pair_clear (&pair);
}

/* Keys of small order make a secret that everybody knows. */
static void
test_small_order (void)
{
  static const guint8 zero[32];
  sqx_handshake before;
  guint8 packet[SQX_HANDSHAKE_PACKET_MAX];
  Pair pair;

  pair_init (&pair, SQX_NOISE_IK);
  g_assert_false (sqx_handshake_start (&pair.a.handshake, &pair.a.params, A_ID, zero,
                                       &pair.a.hello));
  assert_zero (&pair.a.handshake, sizeof pair.a.handshake);

  start (&pair, SQX_NOISE_XX);
  memcpy (packet, pair.a.handshake.packet, sizeof packet);
  memset (packet + SQX_INIT_HEADER, 0, 32);
  g_assert_true (respond (&pair.b, packet, sizeof packet));
  copy_state (&before, &pair.b.handshake);
  g_assert_false (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_false (sqx_handshake_refuse (&pair.b.handshake, 0, NULL));
  assert_same (&pair.b.handshake, &before);
  pair_clear (&pair);
}

/* Payloads ----------------------------------------------------------------------------- */

/* Takes @payload for the next message of @from, and makes its packet of it: a peer that has the
 * keys, and breaks the rules. */
static gsize
forge (const sqx_handshake *from,
       guint8               type,
       const guint8        *payload,
       gsize                payload_size,
       guint8               packet[2048])
{
  gsize header = type == SQX_PACKET_INIT     ? SQX_INIT_HEADER
                 : type == SQX_PACKET_ACCEPT ? SQX_ACCEPT_HEADER
                                             : SQX_CONFIRM_HEADER;
  sqx_noise noise = from->noise;
  sqx_writer writer = { packet, 0, header };
  gsize size;

  memset (packet, 0, 2048);
  g_assert_true (sqx_noise_write (&noise, payload, payload_size, packet + header, 2048 - header,
                                  &size));
  sqx_noise_clear (&noise);
  if (type == SQX_PACKET_INIT)
    g_assert_true (sqx_write_init (&writer, from->local_id, from->pattern, NULL, size));
  else if (type == SQX_PACKET_ACCEPT)
    g_assert_true (sqx_write_accept (&writer, from->peer_id, from->local_id, size));
  else
    g_assert_true (sqx_write_confirm (&writer, from->peer_id));
  return type == SQX_PACKET_INIT ? MAX (header + size, SQX_INIT_MIN) : header + size;
}

typedef struct
{
  const char *name;
  guint8      data[SQX_NOISE_PAYLOAD_MAX];
  gsize       size;
} Payload;

static void
add_hello (Payload         *payload,
           const sqx_hello *hello)
{
  sqx_writer writer = { payload->data, payload->size, sizeof payload->data };
  guint8 parameters[SQX_HELLO_MAX];

  g_assert_true (sqx_write_hello (&writer, parameters, sqx_hello_encode (hello, parameters)));
  payload->size = writer.size;
}

static void
add_bytes (Payload    *payload,
           const void *bytes,
           gsize       size)
{
  memcpy (payload->data + payload->size, bytes, size);
  payload->size += size;
}

#define N_BAD 10

/* What is neither one HELLO nor one CLOSE. @id: the link id that is right; NULL: none is wanted. */
static void
make_bad (Payload         bad[N_BAD],
          const guint32  *id)
{
  sqx_hello good = usual, plain = usual, astray = usual;
  guint i = 0;

  memset (bad, 0, N_BAD * sizeof *bad);
  good.has_link_id = id != NULL;
  good.link_id = id != NULL ? *id : 0;
  plain = good;
  plain.n_ciphers = 0;
  astray = good;
  astray.max_channels = 1;

  bad[i++].name = "empty";
  bad[i].name = "two hellos";
  add_hello (&bad[i], &good);
  add_hello (&bad[i++], &good);
  bad[i].name = "padding after";
  add_hello (&bad[i], &good);
  add_bytes (&bad[i++], "\0", 1);
  bad[i].name = "padding before";
  add_bytes (&bad[i], "\0", 1);
  add_hello (&bad[i++], &good);
  bad[i].name = "ping";
  add_bytes (&bad[i++], "\1", 1);
  bad[i].name = "close and more";
  add_bytes (&bad[i++], "\4\0\0\1", 4);
  bad[i].name = "hello of plain";
  add_hello (&bad[i++], &plain);
  bad[i].name = "out of bounds";
  add_hello (&bad[i++], &astray);
  bad[i].name = "cut";
  add_hello (&bad[i], &good);
  bad[i++].size--;
  bad[i].name = "a message";
  add_bytes (&bad[i++], "\x18\0\0\1x", 5);
  g_assert_cmpuint (i, ==, N_BAD);
}

static void
test_bad_accept (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[2048];
  sqx_handshake before;
  Payload bad[N_BAD], other = { 0 };
  const guint32 id = B_ID;
  sqx_hello hello = usual;
  Pair pair;
  gsize size;

  pair_init (&pair, pattern);
  start (&pair, pattern);
  g_assert_true (respond_to (&pair.b, &pair.a.handshake));
  copy_state (&before, &pair.a.handshake);
  make_bad (bad, &id);
  for (guint i = 0; i < N_BAD; i++)
    {
      size = forge (&pair.b.handshake, SQX_PACKET_ACCEPT, bad[i].data, bad[i].size, packet);
      g_test_message ("%s", bad[i].name);
      g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.a.handshake, &before);
    }
  /* No link id, or another one than the header has. */
  add_hello (&other, &hello);
  size = forge (&pair.b.handshake, SQX_PACKET_ACCEPT, other.data, other.size, packet);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, size), ==,
                   SQX_HANDSHAKE_IGNORED);
  hello.has_link_id = TRUE;
  hello.link_id = B_ID ^ 1;
  other.size = 0;
  add_hello (&other, &hello);
  size = forge (&pair.b.handshake, SQX_PACKET_ACCEPT, other.data, other.size, packet);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, size), ==,
                   SQX_HANDSHAKE_IGNORED);
  assert_same (&pair.a.handshake, &before);

  /* A reason that is no text counts as empty. */
  size = forge (&pair.b.handshake, SQX_PACKET_ACCEPT, (const guint8 *) "\4\7\2\xc0\xaf", 5, packet);
  g_assert_cmpint (sqx_handshake_handle_answer (&pair.a.handshake, packet, size), ==,
                   SQX_HANDSHAKE_REFUSED);
  g_assert_cmpuint (pair.a.handshake.code, ==, 7);
  g_assert_cmpstr (pair.a.handshake.reason, ==, "");
  copy_state (&pair.a.handshake, &before);

  g_assert_true (sqx_handshake_accept (&pair.b.handshake, &pair.b.hello));
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

static void
test_bad_confirm (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[2048];
  sqx_handshake before;
  Payload bad[N_BAD];
  Pair pair;
  gsize size;

  to_accept (&pair, pattern);
  g_assert_cmpint (answer (&pair.a, &pair.b.handshake), ==, SQX_HANDSHAKE_LEARNED);
  copy_state (&before, &pair.b.handshake);
  make_bad (bad, NULL);
  for (guint i = 0; i < N_BAD; i++)
    {
      size = forge (&pair.a.handshake, SQX_PACKET_CONFIRM, bad[i].data, bad[i].size, packet);
      g_test_message ("%s", bad[i].name);
      g_assert_cmpint (sqx_handshake_handle_confirm (&pair.b.handshake, packet, size), ==,
                       SQX_HANDSHAKE_IGNORED);
      assert_same (&pair.b.handshake, &before);
    }
  g_assert_true (sqx_handshake_confirm (&pair.a.handshake, &pair.a.hello));
  g_assert_cmpint (confirm (&pair.b, &pair.a.handshake), ==, SQX_HANDSHAKE_LEARNED);
  sqx_handshake_clear (&before);
  pair_clear (&pair);
}

/* A Noise state of @pair's initiator before its first message. */
static void
first_noise (Pair          *pair,
             guint          pattern,
             sqx_handshake *from)
{
  guint8 prologue[] = { 'S', 'e', 'q', 'e', 'x', 1, (guint8) pattern, 0xa1, 0xa2, 0xa3, 0xa4 };
  guint8 ephemeral[32];
  const sqx_noise_config config = {
    .pattern = (sqx_noise_pattern) pattern,
    .initiator = TRUE,
    .prologue = { prologue, sizeof prologue },
    .static_key = pair->a.secret,
    .remote_static = is_xx (pattern) ? NULL : pair->b.public,
    .ephemeral = ephemeral,
    .psk = has_psk (pattern) ? pair->psk : NULL,
  };

  draw (NULL, ephemeral, sizeof ephemeral);
  *from = (sqx_handshake) { .local_id = A_ID, .pattern = (guint8) pattern };
  sqx_noise_init (&from->noise, &pair->crypto, &config);
}

/* XX: nothing; IK: HELLO, not even CLOSE. The prologue is built by hand here. */
static void
test_bad_init (gconstpointer data)
{
  guint pattern = GPOINTER_TO_UINT (data);
  guint8 packet[2048];
  Payload bad[N_BAD], good = { 0 };
  sqx_handshake from;
  Pair pair;
  gsize size;

  pair_init (&pair, pattern);
  first_noise (&pair, pattern, &from);
  make_bad (bad, NULL);
  for (guint i = is_xx (pattern); i < N_BAD; i++)
    {
      size = forge (&from, SQX_PACKET_INIT, bad[i].data, bad[i].size, packet);
      g_test_message ("%s", bad[i].name);
      g_assert_false (respond (&pair.b, packet, size));
      assert_zero (&pair.b.handshake, sizeof pair.b.handshake);
    }
  size = forge (&from, SQX_PACKET_INIT, (const guint8 *) "\4\0\0", 3, packet);
  g_assert_false (respond (&pair.b, packet, size));
  add_hello (&good, &usual);
  size = forge (&from, SQX_PACKET_INIT, good.data, good.size, packet);
  g_assert_cmpint (respond (&pair.b, packet, size), ==, !is_xx (pattern));
  sqx_handshake_clear (&pair.b.handshake);
  size = forge (&from, SQX_PACKET_INIT, NULL, 0, packet);
  g_assert_cmpint (respond (&pair.b, packet, size), ==, is_xx (pattern));
  sqx_noise_clear (&from.noise);
  pair_clear (&pair);
}

/* -------------------------------------------------------------------------------------- */

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  add ("damaged-init", ALL, test_damaged_init);
  add ("damaged-accept", ALL, test_damaged_accept);
  add ("damaged-confirm", XX, test_damaged_confirm);
  g_test_add_func ("/seqex/handshake/random", test_random);
  g_test_add_func ("/seqex/handshake/reflection", test_reflection);
  g_test_add_func ("/seqex/handshake/own-key", test_own_key);
  add ("splices", ALL, test_splices);
  g_test_add_func ("/seqex/handshake/small-order", test_small_order);
  add ("bad-accept", ALL, test_bad_accept);
  add ("bad-confirm", XX, test_bad_confirm);
  add ("bad-init", ALL, test_bad_init);
  return g_test_run ();
}
