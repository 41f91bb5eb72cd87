/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cookie of RETRY: what it is bound to, how long it lives, and the bytes that it consists of.
 */
#include <glib.h>

#include "seqex-crypto-private.h"
#include "sqx-cookie.h"
#include "sqx-util.h"

typedef struct
{
  sqx_cookies cookies;
  guint8      fill; /* random bytes are all this, and then one more */
  guint       drawn;
  sqx_address from;
  guint8      message[64];
  guint8      cookie[SQX_COOKIE_SIZE];
  sqx_init    init;
} Fixture;

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  Fixture *f = user_data;

  memset (bytes, f->fill++, size);
  f->drawn++;
}

static void
setup (Fixture      *f,
       gconstpointer data G_GNUC_UNUSED)
{
  f->fill = 0x10;
  f->from = (sqx_address) { .host = { 192, 0, 2, 1 }, .host_size = 4, .port = 4660 };
  memset (f->message, 0x77, sizeof f->message);
  f->init = (sqx_init) {
    .version = 1,
    .source_id = 0xa1b2c3d4,
    .pattern = 1,
    .message = f->message,
    .message_size = sizeof f->message,
    .datagram_size = 1200,
  };
  sqx_cookies_init (&f->cookies, seqex_crypto_table (), draw, f);
}

static void
teardown (Fixture      *f,
          gconstpointer data G_GNUC_UNUSED)
{
  sqx_cookies_clear (&f->cookies);
  sqx_cookies_clear (&f->cookies);
}

static void
give (Fixture *f,
      guint64  now)
{
  sqx_cookies_make (&f->cookies, now, &f->from, &f->init, f->cookie);
  f->init.cookie = f->cookie;
  f->init.cookie_size = SQX_COOKIE_SIZE;
}

static gboolean
good (Fixture *f,
      guint64  now)
{
  return sqx_cookies_check (&f->cookies, now, &f->from, &f->init);
}

/* HMAC over host size, host, port, source id and the digest of the message, by GLib's functions. */
static void
test_bytes (Fixture      *f,
            gconstpointer data G_GNUC_UNUSED)
{
  const guint8 place[] = {
    4, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34,
    0xa1, 0xb2, 0xc3, 0xd4,
  };
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 secret[32], digest[32], wanted[32];
  GHmac *hmac;
  gsize size = 32;

  give (f, 5);
  g_checksum_update (checksum, f->message, sizeof f->message);
  g_checksum_get_digest (checksum, digest, &size);
  memset (secret, 0x10, sizeof secret);
  hmac = g_hmac_new (G_CHECKSUM_SHA256, secret, sizeof secret);
  g_hmac_update (hmac, place, sizeof place);
  g_hmac_update (hmac, digest, sizeof digest);
  g_hmac_get_digest (hmac, wanted, &size);
  g_hmac_unref (hmac);
  g_assert_cmpmem (f->cookie, SQX_COOKIE_SIZE, wanted, sizeof wanted);
}

static void
test_bound (Fixture      *f,
            gconstpointer data G_GNUC_UNUSED)
{
  const sqx_address from = f->from;

  give (f, 0);
  g_assert_true (good (f, 0));

  for (guint i = 0; i < sizeof f->from.host; i++)
    {
      f->from.host[i] ^= 1;
      g_assert_false (good (f, 0));
      f->from = from;
    }
  f->from.host_size = 16;
  g_assert_false (good (f, 0));
  f->from = from;
  f->from.port ^= 0x100;
  g_assert_false (good (f, 0));
  f->from = from;
  for (guint bit = 0; bit < 32; bit++)
    {
      f->init.source_id ^= 1u << bit;
      g_assert_false (good (f, 0));
      f->init.source_id ^= 1u << bit;
    }
  for (guint i = 0; i < sizeof f->message; i++)
    {
      f->message[i] ^= 0x80;
      g_assert_false (good (f, 0));
      f->message[i] ^= 0x80;
    }
  f->init.message_size--;
  g_assert_false (good (f, 0));
  f->init.message_size++;
  for (guint bit = 0; bit < 8 * SQX_COOKIE_SIZE; bit++)
    {
      f->cookie[bit / 8] ^= (guint8) (1u << bit % 8);
      g_assert_false (good (f, 0));
      f->cookie[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  f->init.cookie_size = 0;
  g_assert_false (good (f, 0));
  f->init.cookie_size = SQX_COOKIE_SIZE;
  g_assert_true (good (f, 0));

  /* What is padded to more is the same INIT. */
  f->init.datagram_size = 1400;
  g_assert_true (good (f, 0));
}

/* A cookie of any time in a period is good to the end of the next one. */
static void
test_life (Fixture      *f,
           gconstpointer data G_GNUC_UNUSED)
{
  const guint64 start = 1000 * SQX_SECOND;

  give (f, start);
  g_assert_cmpuint (f->drawn, ==, 1);
  g_assert_true (good (f, start + SQX_COOKIE_LIFE - 1));
  g_assert_cmpuint (f->drawn, ==, 1);
  g_assert_true (good (f, start + SQX_COOKIE_LIFE));
  g_assert_cmpuint (f->drawn, ==, 2);
  g_assert_true (good (f, start + 2 * SQX_COOKIE_LIFE - 1));
  g_assert_cmpuint (f->drawn, ==, 2);
  g_assert_false (good (f, start + 2 * SQX_COOKIE_LIFE));
  g_assert_cmpuint (f->drawn, ==, 3);

  give (f, start + 3 * SQX_COOKIE_LIFE - 1);
  g_assert_cmpuint (f->drawn, ==, 3);
  g_assert_true (good (f, start + 3 * SQX_COOKIE_LIFE + 1));
  g_assert_true (good (f, start + 4 * SQX_COOKIE_LIFE - 1));
  g_assert_false (good (f, start + 4 * SQX_COOKIE_LIFE));
}

/* When nobody asked for long, nothing old becomes good again by that. */
static void
test_long_pause (Fixture      *f,
                 gconstpointer data G_GNUC_UNUSED)
{
  give (f, 0);
  g_assert_true (good (f, 2 * SQX_COOKIE_LIFE - 1));
  /* Noticed late, but the period began at its time. */
  g_assert_false (good (f, 2 * SQX_COOKIE_LIFE));

  give (f, 2 * SQX_COOKIE_LIFE);
  g_assert_false (good (f, 10 * SQX_COOKIE_LIFE));
  give (f, 10 * SQX_COOKIE_LIFE + 5);
  g_assert_true (good (f, 11 * SQX_COOKIE_LIFE + 5));
  g_assert_false (good (f, G_MAXUINT64 - 1));
}

/* Two endpoints have nothing in common. */
static void
test_secrets (Fixture      *f,
              gconstpointer data G_GNUC_UNUSED)
{
  Fixture other;

  setup (&other, NULL);
  other.fill = 0x11;
  give (f, 0);
  give (&other, 0);
  g_assert_false (memcmp (f->cookie, other.cookie, SQX_COOKIE_SIZE) == 0);
  other.init = f->init;
  g_assert_false (good (&other, 0));
  teardown (&other, NULL);
}

/* A secret that is not there (any more) is not one of zeros, which everybody knows. */
static void
test_no_former (Fixture      *f,
                gconstpointer data G_GNUC_UNUSED)
{
  Fixture known;

  setup (&known, NULL);
  known.fill = 0;
  give (&known, 0);
  f->init = known.init;
  g_assert_false (good (f, 0));
  give (f, 0);
  f->init = known.init;
  g_assert_false (good (f, 1));
  g_assert_false (good (f, 10 * SQX_COOKIE_LIFE));
  teardown (&known, NULL);
}

static void
test_clear (Fixture      *f,
            gconstpointer data G_GNUC_UNUSED)
{
  static const sqx_cookies nothing;

  give (f, 0);
  give (f, SQX_COOKIE_LIFE);
  sqx_cookies_clear (&f->cookies);
  g_assert_cmpmem (&f->cookies, sizeof f->cookies, &nothing, sizeof nothing);
}

#define ADD(name, function) \
  g_test_add ("/seqex/cookie/" name, Fixture, NULL, setup, function, teardown)

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("bytes", test_bytes);
  ADD ("bound", test_bound);
  ADD ("life", test_life);
  ADD ("long-pause", test_long_pause);
  ADD ("secrets", test_secrets);
  ADD ("no-former", test_no_former);
  ADD ("clear", test_clear);
  return g_test_run ();
}
