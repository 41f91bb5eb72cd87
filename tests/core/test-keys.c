/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The keys of a link: its rules one by one, and its limits.
 */
#include "hex.h"
#include "keys-fixture.h"

/* Fixed bytes ------------------------------------------------------------------------- */

/* Made by another implementation, for whoever writes one more: chains 000102…, number
 * 0102030405060708 hex, "header" as header and as data, the first three phases. */
static void
test_vectors (void)
{
  static const char *sealed[2][3] = {
    { "bb1b2549e3197d4a6b9b0e6f1e9b20e604665ab9afd2",
      "92369ea9fdc541c62e1b6585c0bf23550e9f93246a1f",
      "af2d23f119b2eafb082f61f172193b16d4b7e0b7db32" },
    { "d0870051bea01438e27cf697f0f11aa572b4cbc095be",
      "f676ece55bfac20b98af39bf70229105823be0d25712",
      "552ef4fa0f9dd359bd81a511009bc0ff4928fa90ee7c" },
  };
  const guint64 number = G_GUINT64_CONSTANT (0x0102030405060708);
  guint8 chain[32];

  for (guint8 i = 0; i < 32; i++)
    chain[i] = i;
  for (guint c = 0; c < 2; c++)
    for (guint n = 0; n < 3; n++)
      {
        guint8 data[6 + 16] = HEADER;
        sqx_keys keys;

        g_assert_true (sqx_keys_init (&keys, watched (), ciphers[c], chain, chain));
        for (guint i = 0; i < n; i++)
          {
            keys.send_acked = TRUE;
            g_assert_true (sqx_keys_update (&keys));
            keys.receive.phase++;
          }
        g_assert_cmpuint (sqx_keys_phase (&keys), ==, n % 2);
        g_assert_true (sqx_keys_seal (&keys, number, (const guint8 *) HEADER, 6, data, 6));
        assert_hex (data, sizeof data, sealed[c][n]);
        sqx_keys_clear (&keys);
      }
}

/* Rules, one by one ------------------------------------------------------------------- */

/* An update needs an acknowledged packet of the phase, and the peer in the same phase. */
static void
test_update (void)
{
  sqx_keys a, b;
  Packet late, packet;

  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  g_assert_false (sqx_keys_update (&a));
  sqx_keys_acked (&a, 0); /* of nothing */
  g_assert_false (sqx_keys_update (&a));
  pass (&a, &b, 5);
  g_assert_false (sqx_keys_update (&a));
  sqx_keys_acked (&a, 4);
  sqx_keys_acked (&a, 6);
  g_assert_false (sqx_keys_update (&a));
  sqx_keys_acked (&a, 5);
  g_assert_true (seal (&a, 6, &late));
  g_assert_true (sqx_keys_update (&a));
  g_assert_cmpuint (sqx_keys_phase (&a), ==, 1);
  g_assert_cmpuint (sqx_keys_phase (&b), ==, 0);
  g_assert_false (sqx_keys_update (&a));

  /* The other follows, since it has sealed something that may have been an acknowledgement;
   * what was sealed before is still opened, until the time is over. */
  g_assert_cmpuint (sqx_keys_deadline (&b), ==, SQX_TIME_NEVER);
  g_assert_true (seal (&b, 0, &packet));
  pass (&a, &b, 7);
  g_assert_cmpuint (sqx_keys_phase (&b), ==, 1);
  g_assert_cmpuint (sqx_keys_deadline (&b), ==, RETAIN);
  g_assert_cmpint (open_at (&b, RETAIN - 1, &late), ==, SQX_KEYS_OK);
  g_assert_cmpuint (contexts->len, ==, 5);
  sqx_keys_expire (&b, RETAIN - 1);
  g_assert_cmpuint (contexts->len, ==, 5);
  sqx_keys_expire (&b, RETAIN);
  g_assert_cmpuint (contexts->len, ==, 4);
  g_assert_cmpuint (sqx_keys_deadline (&b), ==, SQX_TIME_NEVER);
  g_assert_cmpint (open_at (&b, RETAIN, &late), ==, SQX_KEYS_FORGED);

  /* An old acknowledgement says nothing about the new phase. */
  sqx_keys_acked (&a, 5);
  sqx_keys_acked (&a, 7);
  g_assert_false (sqx_keys_update (&a));
  g_assert_cmpint (open_at (&a, 0, &packet), ==, SQX_KEYS_OK);
  g_assert_false (sqx_keys_update (&a));
  pass (&b, &a, 1);
  g_assert_true (sqx_keys_update (&a));
  clear_pair (&a, &b);
}

/* The time is over even if nobody calls sqx_keys_expire(). */
static void
test_expiry_by_open (void)
{
  sqx_keys a, b;
  Packet late;

  init_pair (&a, &b, SQX_CIPHER_CHACHA20POLY1305);
  pass (&b, &a, 0);
  pass (&a, &b, 0);
  sqx_keys_acked (&a, 0);
  g_assert_true (seal (&a, 1, &late));
  g_assert_true (sqx_keys_update (&a));
  pass (&a, &b, 2);
  g_assert_cmpint (open_at (&b, RETAIN, &late), ==, SQX_KEYS_FORGED);
  g_assert_cmpuint (contexts->len, ==, 4);
  clear_pair (&a, &b);
}

/* The old key is for lower numbers than the first of the new phase, the next one for higher numbers
 * than the last of this one, and neither for anything between. */
static void
test_numbers (void)
{
  sqx_keys a, b, other, before;
  Packet packet;

  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  /* The same keys, for a peer that breaks the rules. */
  {
    guint8 chain[32];

    memset (chain, 0xab, 32);
    g_assert_true (sqx_keys_init (&other, watched (), SQX_CIPHER_AES256GCM, chain, chain));
  }
  pass (&b, &a, 0);
  pass (&a, &b, 10);
  sqx_keys_acked (&a, 10);
  g_assert_true (sqx_keys_update (&a));
  pass (&a, &b, 20);
  pass (&a, &b, 30);

  before = b;
  g_assert_true (seal (&other, 19, &packet));
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_OK);
  for (guint64 number = 20; number <= 40; number += 10)
    {
      g_assert_true (seal (&other, number, &packet));
      g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_FORGED);
    }
  /* Under the key of the old phase; only 40 was worth a trial, but b has sealed nothing in phase 1
   * that could have been acknowledged, so not even that. */
  g_assert_cmpmem (&b, sizeof b, &before, sizeof before);
  pass (&b, &a, 1);
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_FORGED);
  g_assert_cmpuint (b.forged, ==, 1);

  /* A packet of this phase that was overtaken moves the bound. */
  {
    sqx_keys twin = a;
    guint8 data[8 + 16] = "payload";

    twin.next_number = 0;
    g_assert_true (sqx_keys_seal (&twin, 15, (const guint8 *) HEADER, 6, data, 8));
    g_assert_cmpint (sqx_keys_open (&b, 0, RETAIN, 1, 15, (const guint8 *) HEADER, 6, data, 8), ==,
                     SQX_KEYS_OK);
    g_assert_cmpuint (b.receive_first, ==, 15);
    g_assert_cmpuint (b.receive_last, ==, 30);
  }
  sqx_keys_clear (&other);
  clear_pair (&a, &b);
}

/* Nothing arrived yet, or nothing was sent: there is no next phase. */
static void
test_too_early (void)
{
  sqx_keys a, b, before;
  Packet first, packet;

  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  g_assert_true (seal (&a, 0, &first));
  sqx_keys_acked (&a, 0);
  g_assert_true (sqx_keys_update (&a));
  g_assert_true (seal (&a, 1, &packet));
  before = b;
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_FORGED);
  g_assert_cmpmem (&b, sizeof b, &before, sizeof before);
  g_assert_cmpint (open_at (&b, 0, &first), ==, SQX_KEYS_OK);
  before = b;
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_FORGED);
  g_assert_cmpmem (&b, sizeof b, &before, sizeof before);
  pass (&b, &a, 0);
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_OK);
  clear_pair (&a, &b);
}

/* Limits ------------------------------------------------------------------------------ */

static void
test_number_limit (void)
{
  static const guint64 beyond[] = {
    SQX_KEYS_NUMBER_MAX + 1, G_GUINT64_CONSTANT (1) << 63, G_MAXUINT64 - 2, G_MAXUINT64,
  };
  sqx_keys a, b;
  Packet packet;

  for (gsize c = 0; c < G_N_ELEMENTS (ciphers); c++)
    {
      init_pair (&a, &b, ciphers[c]);
      pass (&a, &b, SQX_KEYS_NUMBER_MAX - 1);
      g_assert_false (sqx_keys_exhausted (&a));
      pass (&a, &b, SQX_KEYS_NUMBER_MAX);
      g_assert_true (sqx_keys_exhausted (&a));
      for (gsize i = 0; i < G_N_ELEMENTS (beyond); i++)
        g_assert_false (seal (&a, beyond[i], &packet));
      g_assert_false (seal (&a, 0, &packet));
      clear_pair (&a, &b);

      for (gsize i = 0; i < G_N_ELEMENTS (beyond); i++)
        {
          init_pair (&a, &b, ciphers[c]);
          pass (&a, &b, 0);
          g_assert_false (seal (&a, beyond[i], &packet));
          g_assert_cmpmem (packet.data, 8, "payload", 8);
          g_assert_true (sqx_keys_exhausted (&a));
          g_assert_false (seal (&a, 1, &packet));
          packet.number = beyond[i];
          g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_FORGED);
          g_assert_cmpuint (b.forged, ==, 0);
          clear_pair (&a, &b);
        }
    }
}

/* A number that comes twice or late ends the sending for good. */
static void
test_number_twice (void)
{
  static const guint64 bad[] = { 7, 6, 0 };
  sqx_keys a, b;
  Packet packet;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      init_pair (&a, &b, SQX_CIPHER_AES256GCM);
      pass (&a, &b, 7);
      g_assert_false (seal (&a, bad[i], &packet));
      g_assert_cmpmem (packet.data, 8, "payload", 8);
      g_assert_true (sqx_keys_exhausted (&a));
      g_assert_false (seal (&a, 8, &packet));
      clear_pair (&a, &b);
    }

  /* An update does not begin the numbers anew. */
  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  pass (&b, &a, 0);
  pass (&a, &b, 7);
  sqx_keys_acked (&a, 7);
  g_assert_true (sqx_keys_update (&a));
  g_assert_false (seal (&a, 7, &packet));
  g_assert_true (sqx_keys_exhausted (&a));
  clear_pair (&a, &b);
}

static void
test_seal_limit (void)
{
  sqx_keys a, b;
  Packet packet;

  for (gsize c = 0; c < G_N_ELEMENTS (ciphers); c++)
    {
      init_pair (&a, &b, ciphers[c]);
      pass (&b, &a, 0);
      a.sealed = SQX_KEYS_SEAL_DUE - 1;
      g_assert_false (sqx_keys_due (&a));
      pass (&a, &b, 0);
      g_assert_true (sqx_keys_due (&a));

      a.sealed = SQX_KEYS_SEAL_MAX - 1;
      g_assert_false (sqx_keys_exhausted (&a));
      pass (&a, &b, 1);
      g_assert_cmpint (sqx_keys_exhausted (&a), ==, ciphers[c] == SQX_CIPHER_AES256GCM);
      g_assert_cmpint (seal (&a, 2, &packet), ==, ciphers[c] != SQX_CIPHER_AES256GCM);

      /* The update that was due still helps. */
      sqx_keys_acked (&a, 1);
      g_assert_true (sqx_keys_update (&a));
      g_assert_false (sqx_keys_exhausted (&a));
      g_assert_false (sqx_keys_due (&a));
      pass (&a, &b, 3);
      clear_pair (&a, &b);
    }
}

static void
test_forged_limit (void)
{
  sqx_keys a, b;
  Packet packet, bad;

  init_pair (&a, &b, SQX_CIPHER_CHACHA20POLY1305);
  pass (&b, &a, 0);
  pass (&a, &b, 0);
  g_assert_true (seal (&a, 1, &packet));
  bad = packet;
  bad.data[3] ^= 1;
  b.forged = SQX_KEYS_FORGED_MAX - 1;
  g_assert_false (sqx_keys_exhausted (&b));
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_OK);
  g_assert_cmpint (open_at (&b, 0, &bad), ==, SQX_KEYS_FORGED);
  g_assert_true (sqx_keys_exhausted (&b));
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_EXHAUSTED);
  g_assert_false (seal (&b, 1, &packet));

  /* An update gives no new allowance. */
  b.forged--;
  sqx_keys_acked (&b, 0);
  g_assert_true (sqx_keys_update (&b));
  g_assert_cmpint (open_at (&b, 0, &bad), ==, SQX_KEYS_FORGED);
  g_assert_true (sqx_keys_exhausted (&b));
  clear_pair (&a, &b);
}

/* Every bit of a packet of each phase, of its number, phase and header. */
static void
test_bits (void)
{
  sqx_keys a, b, before;
  Packet packets[3]; /* of the old, the current and the next phase */

  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  pass (&b, &a, 0);
  pass (&a, &b, 0);
  g_assert_true (seal (&a, 1, &packets[0]));
  sqx_keys_acked (&a, 0);
  g_assert_true (sqx_keys_update (&a));
  pass (&a, &b, 2);
  pass (&b, &a, 1);
  g_assert_true (seal (&a, 3, &packets[1]));
  sqx_keys_acked (&a, 2);
  g_assert_true (sqx_keys_update (&a));
  g_assert_true (seal (&a, 4, &packets[2]));

  for (guint p = 0; p < 3; p++)
    for (guint bit = 0; bit < 8 * (sizeof packets[p].data + 6 + 8) + 1; bit++)
      {
        Packet packet = packets[p];
        guint8 header[6] = HEADER;
        guint byte = bit / 8;

        if (byte < sizeof packet.data)
          packet.data[byte] ^= (guint8) (1 << bit % 8);
        else if (byte < sizeof packet.data + 6)
          header[byte - sizeof packet.data] ^= (guint8) (1 << bit % 8);
        else if (byte < sizeof packet.data + 6 + 8)
          packet.number ^= G_GUINT64_CONSTANT (1) << (bit - 8 * (sizeof packet.data + 6));
        else
          packet.phase ^= 1;
        before = b;
        g_assert_cmpint (sqx_keys_open (&b, 1, RETAIN, packet.phase, packet.number, header, 6,
                                        packet.data, 8), ==, SQX_KEYS_FORGED);
        g_assert_cmpuint (b.forged - before.forged, <=, 1);
        before.forged = b.forged;
        g_assert_cmpmem (&b, sizeof b, &before, sizeof before);
        g_assert_cmpuint (contexts->len, ==, 3 + 2 + (a.old != NULL));
      }
  g_assert_cmpuint (b.forged, >, 3 * 8 * sizeof packets[0].data);
  for (guint p = 0; p < 3; p++)
    g_assert_cmpint (open_at (&b, 1, &packets[p]), ==, SQX_KEYS_OK);
  clear_pair (&a, &b);
}

/* No memory --------------------------------------------------------------------------- */

static void
test_no_memory (void)
{
  sqx_keys a, b, before;
  guint8 chain[32] = { 1 };
  Packet packet, further;

  /* At the start. */
  for (int n = 0; n < 2; n++)
    {
      contexts_left = n;
      g_assert_false (sqx_keys_init (&a, watched (), SQX_CIPHER_AES256GCM, chain, chain));
      g_assert_cmpuint (contexts->len, ==, 0);
      sqx_keys_clear (&a);
    }
  contexts_left = -1;
  g_assert_false (sqx_keys_init (&a, seqex_crypto_table (), (sqx_cipher) 3, chain, chain));

  /* For an update. */
  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  pass (&b, &a, 0);
  pass (&a, &b, 0);
  sqx_keys_acked (&a, 0);
  before = a;
  contexts_left = 0;
  g_assert_false (sqx_keys_update (&a));
  g_assert_cmpmem (&a, sizeof a, &before, sizeof before);
  contexts_left = 1;
  g_assert_true (sqx_keys_update (&a));
  g_assert_true (seal (&a, 1, &packet));

  /* To receive the new phase. */
  before = b;
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_NO_MEMORY);
  g_assert_cmpmem (&b, sizeof b, &before, sizeof before);

  /* To follow it: nothing is sealed any more, until there is memory again. */
  contexts_left = 1;
  g_assert_cmpint (open_at (&b, 0, &packet), ==, SQX_KEYS_OK);
  g_assert_cmpuint (sqx_keys_phase (&b), ==, 1);
  g_assert_cmpuint (contexts->len, ==, 2 + 2);
  g_assert_null (b.send.aead);
  g_assert_false (seal (&b, 1, &further));
  g_assert_false (sqx_keys_exhausted (&b));
  g_assert_false (sqx_keys_due (&b));
  g_assert_false (sqx_keys_update (&b));
  /* Not even a peer that breaks the rules gets further ahead meanwhile. */
  a.receive.phase = a.send.phase;
  a.send_acked = TRUE;
  contexts_left = -1;
  g_assert_true (sqx_keys_update (&a));
  g_assert_true (seal (&a, 2, &further));
  g_assert_cmpint (open_at (&b, 0, &further), ==, SQX_KEYS_FORGED);
  a.receive.phase -= 1;
  pass (&b, &a, 1);
  g_assert_cmpuint (b.send.phase, ==, 1);
  clear_pair (&a, &b);
}

/* The library refuses to seal: the number was not used. */
static bool
refuse_seal (void         *aead,
             const guint8  nonce[12],
             const guint8 *ad,
             size_t        ad_size,
             guint8       *data,
             size_t        size)
{
  return false;
}

static void
test_seal_fails (void)
{
  sqx_crypto broken = *watched ();
  sqx_keys a, b;
  Packet packet;

  broken.aead_seal = refuse_seal;
  init_pair (&a, &b, SQX_CIPHER_AES256GCM);
  a.crypto = &broken;
  g_assert_false (seal (&a, 0, &packet));
  g_assert_false (sqx_keys_exhausted (&a));
  a.crypto = watched ();
  pass (&a, &b, 0);
  clear_pair (&a, &b);
}
int
main (int   argc,
      char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  contexts = g_array_new (FALSE, FALSE, sizeof (Context *));
  g_test_add_func ("/seqex/keys/vectors", test_vectors);
  g_test_add_func ("/seqex/keys/update", test_update);
  g_test_add_func ("/seqex/keys/expiry-by-open", test_expiry_by_open);
  g_test_add_func ("/seqex/keys/numbers", test_numbers);
  g_test_add_func ("/seqex/keys/too-early", test_too_early);
  g_test_add_func ("/seqex/keys/number-limit", test_number_limit);
  g_test_add_func ("/seqex/keys/number-twice", test_number_twice);
  g_test_add_func ("/seqex/keys/seal-limit", test_seal_limit);
  g_test_add_func ("/seqex/keys/forged-limit", test_forged_limit);
  g_test_add_func ("/seqex/keys/bits", test_bits);
  g_test_add_func ("/seqex/keys/no-memory", test_no_memory);
  g_test_add_func ("/seqex/keys/seal-fails", test_seal_fails);
  status = g_test_run ();
  g_array_unref (contexts);
  return status;
}
