/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The packets of encrypted connections: fixed bytes, every truncation, what is malformed, and bytes
 * that mean nothing.
 */
#include "wire-util.h"

#include "sqx-util.h"
#include "sqx-wire-secure.h"

#define MESSAGE "an ephemeral key, and more of it" "the rest" /* 40 bytes, 32 of them the key */
#define MESSAGE_SIZE 40u

static guint8 cookie[SQX_COOKIE_SIZE];

/* The bytes of a datagram in a block of their own, so that a sanitizer sees any read past it. */
static guint8 *
block (const guint8 *data,
       gsize         size)
{
  guint8 *copy = g_malloc (MAX (size, 1));

  if (size > 0)
    memcpy (copy, data, size);
  return copy;
}

/* INIT -------------------------------------------------------------------------------- */

static gsize
make_init (guint8   data[1500],
           gboolean with_cookie)
{
  sqx_writer writer = { data, 0, 1500 };

  memset (data, 0, 1500);
  g_assert_true (sqx_write_init (&writer, 0xa1b2c3d4, 2, with_cookie ? cookie : NULL,
                                 MESSAGE_SIZE));
  memcpy (data + writer.size, MESSAGE, MESSAGE_SIZE);
  return writer.size;
}

static gboolean
takes_init (const guint8 *data,
            gsize         size,
            sqx_init     *init)
{
  guint8 *copy = block (data, size);
  gboolean ok = sqx_init_decode (init, copy, size);

  g_free (copy);
  return ok;
}

static void
test_init (void)
{
  guint8 data[1500];
  sqx_init init;
  sqx_writer writer = { data, 0, make_init (data, FALSE) };

  writer.size = writer.capacity;
  BYTES (&writer, 0x04, 1, 0xa1, 0xb2, 0xc3, 0xd4, 2, 0, 0, 40);
  g_assert_cmpuint (writer.size, ==, SQX_INIT_HEADER);
  g_assert_true (sqx_init_decode (&init, data, 1200));
  g_assert_cmpuint (init.version, ==, 1);
  g_assert_cmpuint (init.source_id, ==, 0xa1b2c3d4);
  g_assert_cmpuint (init.pattern, ==, 2);
  g_assert_null (init.cookie);
  g_assert_cmpuint (init.cookie_size, ==, 0);
  g_assert_cmpmem (init.message, init.message_size, MESSAGE, MESSAGE_SIZE);
  g_assert_cmpuint (init.datagram_size, ==, 1200);
  g_assert_true (sqx_init_decode (&init, data, 1500));
  g_assert_cmpuint (init.datagram_size, ==, 1500);

  g_assert_cmpuint (make_init (data, TRUE), ==, SQX_INIT_HEADER + SQX_COOKIE_SIZE);
  g_assert_true (sqx_init_decode (&init, data, 1200));
  g_assert_cmpmem (init.cookie, init.cookie_size, cookie, sizeof cookie);
  g_assert_cmpmem (init.message, init.message_size, MESSAGE, MESSAGE_SIZE);

  for (gsize room = 0; room < SQX_INIT_HEADER; room++)
    {
      writer = (sqx_writer) { data, 3, 3 + room };
      g_assert_false (sqx_write_init (&writer, 1, 1, NULL, 32));
      g_assert_cmpuint (writer.size, ==, 3);
      writer.capacity += SQX_COOKIE_SIZE;
      g_assert_false (sqx_write_init (&writer, 1, 1, cookie, 32));
      g_assert_cmpuint (writer.size, ==, 3);
    }
}

static void
test_init_malformed (void)
{
  guint8 data[1500];
  sqx_init init;

  make_init (data, FALSE);
  for (gsize size = 0; size < SQX_INIT_MIN; size++)
    g_assert_false (takes_init (data, size, &init));
  g_assert_true (takes_init (data, SQX_INIT_MIN, &init));

  for (guint type = 0; type < 256; type++)
    {
      data[0] = (guint8) type;
      g_assert_cmpint (takes_init (data, 1200, &init), ==, type == 4);
    }
  data[0] = 4;
  for (guint pattern = 0; pattern < 256; pattern++)
    {
      data[6] = (guint8) pattern;
      g_assert_cmpint (takes_init (data, 1200, &init), ==, pattern >= 1 && pattern <= 4);
    }
  data[6] = 1;
  for (guint size = 0; size < 256; size++)
    {
      /* The length that follows is 40 wherever it stands. */
      memset (data + 7, 0, 300);
      data[7] = (guint8) size;
      data[8 + size + 1] = 40;
      g_assert_cmpint (takes_init (data, 1200, &init), ==, size == 0 || size == 32);
    }

  /* The message: shorter than a key, up to the end, and beyond it. */
  make_init (data, FALSE);
  data[9] = 31;
  g_assert_false (takes_init (data, 1200, &init));
  data[9] = 32;
  g_assert_true (takes_init (data, 1200, &init));
  data[8] = (1200 - 10) >> 8;
  data[9] = (1200 - 10) & 0xff;
  g_assert_true (takes_init (data, 1200, &init));
  g_assert_cmpuint (init.message_size, ==, 1190);
  data[9]++;
  g_assert_false (takes_init (data, 1200, &init));
  g_assert_true (takes_init (data, 1201, &init));
  data[8] = data[9] = 0xff;
  g_assert_false (takes_init (data, 1500, &init));
}

/* Of other versions, only where version and source id stand is known. */
static void
test_init_version (void)
{
  guint8 data[1500];
  sqx_init init;

  memset (data, 0xee, sizeof data);
  data[0] = 4;
  data[1] = 2;
  sqx_put_be32 (data + 2, 77);
  g_assert_true (takes_init (data, 1200, &init));
  g_assert_cmpuint (init.version, ==, 2);
  g_assert_cmpuint (init.source_id, ==, 77);
  g_assert_cmpuint (init.datagram_size, ==, 1200);
  g_assert_null (init.message);
  g_assert_false (takes_init (data, 1199, &init));
  data[1] = 0;
  g_assert_true (takes_init (data, 1200, &init));
  data[1] = 1;
  g_assert_false (takes_init (data, 1200, &init));
}

/* ACCEPT, CONFIRM ---------------------------------------------------------------------- */

static void
test_accept (void)
{
  guint8 data[200] = { 0 };
  sqx_writer writer = { data, 0, sizeof data };
  sqx_accept accept;

  g_assert_true (sqx_write_accept (&writer, 0x01020304, 0xf1f2f3f4, MESSAGE_SIZE));
  BYTES (&writer, 0x05, 1, 2, 3, 4, 0xf1, 0xf2, 0xf3, 0xf4, 0, 40);
  g_assert_cmpuint (writer.size, ==, SQX_ACCEPT_HEADER);
  memcpy (data + writer.size, MESSAGE, MESSAGE_SIZE);
  /* With zeros behind it, and without. */
  for (gsize size = 0; size <= sizeof data; size++)
    {
      guint8 *copy = block (data, size);
      gboolean whole = size >= SQX_ACCEPT_HEADER + MESSAGE_SIZE;

      g_assert_cmpint (sqx_accept_decode (&accept, copy, size), ==, whole);
      if (whole)
        {
          g_assert_cmpuint (accept.destination_id, ==, 0x01020304);
          g_assert_cmpuint (accept.source_id, ==, 0xf1f2f3f4);
          g_assert_cmpmem (accept.message, accept.message_size, MESSAGE, MESSAGE_SIZE);
        }
      g_free (copy);
    }
  data[10] = 31;
  g_assert_false (sqx_accept_decode (&accept, data, sizeof data));
  data[10] = 40;
  data[0] = 4;
  g_assert_false (sqx_accept_decode (&accept, data, sizeof data));
  for (gsize room = 0; room < SQX_ACCEPT_HEADER; room++)
    {
      writer = (sqx_writer) { data, 3, 3 + room };
      g_assert_false (sqx_write_accept (&writer, 1, 2, 32));
      g_assert_cmpuint (writer.size, ==, 3);
    }
}

static void
test_confirm (void)
{
  guint8 data[64] = { 0 };
  sqx_writer writer = { data, 0, sizeof data };
  sqx_confirm confirm;

  g_assert_true (sqx_write_confirm (&writer, 0x01020304));
  BYTES (&writer, 0x06, 1, 2, 3, 4);
  memcpy (data + writer.size, MESSAGE, MESSAGE_SIZE);
  for (gsize size = 0; size <= 45; size++)
    {
      guint8 *copy = block (data, size);

      g_assert_cmpint (sqx_confirm_decode (&confirm, copy, size), ==, size > 5);
      g_free (copy);
    }
  g_assert_true (sqx_confirm_decode (&confirm, data, 45));
  g_assert_cmpuint (confirm.destination_id, ==, 0x01020304);
  g_assert_cmpmem (confirm.message, confirm.message_size, MESSAGE, MESSAGE_SIZE);
  data[0] = 7;
  g_assert_false (sqx_confirm_decode (&confirm, data, 45));
  for (gsize room = 0; room < SQX_CONFIRM_HEADER; room++)
    {
      writer = (sqx_writer) { data, 3, 3 + room };
      g_assert_false (sqx_write_confirm (&writer, 1));
      g_assert_cmpuint (writer.size, ==, 3);
    }
}

/* DATA --------------------------------------------------------------------------------- */

static void
test_data (void)
{
  const gsize least = SQX_DATA_HEADER + 1 + SQX_TAG_SIZE;
  guint8 data[64] = { 0 };

  for (guint8 phase = 0; phase < 2; phase++)
    {
      const sqx_data_header header = { phase, 0x01020304, 0xfffefdfc };
      sqx_writer writer = { data, 0, sizeof data };
      sqx_data_header copy;

      g_assert_true (sqx_write_data (&writer, &header));
      BYTES (&writer, 0x08 + phase, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc);
      g_assert_cmpuint (writer.size, ==, SQX_DATA_HEADER);
      for (gsize size = 0; size < least; size++)
        g_assert_false (sqx_decode_data (data, size, &copy));
      g_assert_true (sqx_decode_data (data, least, &copy));
      g_assert_cmpuint (copy.phase, ==, phase);
      g_assert_cmpuint (copy.destination_id, ==, header.destination_id);
      g_assert_cmpuint (copy.number, ==, header.number);
      for (gsize room = 0; room < SQX_DATA_HEADER; room++)
        {
          guint8 other[16];

          writer = (sqx_writer) { other, 3, 3 + room };
          g_assert_false (sqx_write_data (&writer, &header));
          g_assert_cmpuint (writer.size, ==, 3);
        }
    }
  for (guint type = 0; type < 256; type++)
    {
      sqx_data_header copy;

      data[0] = (guint8) type;
      g_assert_cmpint (sqx_decode_data (data, sizeof data, &copy), ==, type == 8 || type == 9);
    }
}

/* Stateless answers -------------------------------------------------------------------- */

static void
test_retry (void)
{
  guint8 data[64];
  sqx_writer writer = { data, 0, sizeof data };
  const guint8 *got;
  guint32 id;

  for (gsize room = 0; room < 37; room++)
    g_assert_cmpuint (sqx_write_retry (data, room, 0x01020304, cookie), ==, 0);
  writer.size = sqx_write_retry (data, 37, 0x01020304, cookie);
  g_assert_cmpuint (writer.size, ==, 37);
  g_assert_cmpuint (data[0], ==, 0x07);
  g_assert_cmpuint (sqx_get_be32 (data + 1), ==, 0x01020304);
  g_assert_cmpmem (data + 5, 32, cookie, 32);
  for (gsize size = 0; size < sizeof data; size++)
    g_assert_cmpint (sqx_decode_retry (data, size, &id, &got), ==, size == 37);
  g_assert_true (sqx_decode_retry (data, 37, &id, &got));
  g_assert_cmpuint (id, ==, 0x01020304);
  g_assert_true (got == data + 5);
  data[0]++;
  g_assert_false (sqx_decode_retry (data, 37, &id, &got));
}

static void
test_reset (void)
{
  guint8 packet[26] = { 0x09, 1, 2, 3, 4, 0xf1, 0xf2, 0xf3, 0xf4 };
  guint8 data[64];
  sqx_writer writer = { data, 0, sizeof data };
  guint32 id, number;

  for (gsize room = 0; room < 9; room++)
    g_assert_cmpuint (sqx_write_reset (data, room, packet, sizeof packet), ==, 0);
  /* Nothing but a whole DATA, which is longer than the answer, is answered. */
  for (gsize size = 0; size < sizeof packet; size++)
    g_assert_cmpuint (sqx_write_reset (data, sizeof data, packet, size), ==, 0);
  writer.size = sqx_write_reset (data, sizeof data, packet, sizeof packet);
  BYTES (&writer, 0x0a, 1, 2, 3, 4, 0xf1, 0xf2, 0xf3, 0xf4);
  g_assert_cmpuint (sqx_write_reset (packet, sizeof packet, data, writer.size), ==, 0);

  for (gsize size = 0; size < sizeof data; size++)
    g_assert_cmpint (sqx_decode_reset (data, size, &id, &number), ==, size == 9);
  g_assert_true (sqx_decode_reset (data, 9, &id, &number));
  g_assert_cmpuint (id, ==, 0x01020304);
  g_assert_cmpuint (number, ==, 0xf1f2f3f4);
  for (guint type = 0; type < 256; type++)
    {
      packet[0] = (guint8) type;
      g_assert_cmpint (sqx_write_reset (data, sizeof data, packet, sizeof packet) > 0, ==,
                       type == 8 || type == 9);
    }
  data[0] = 0x0b;
  g_assert_false (sqx_decode_reset (data, 9, &id, &number));
}

static void
test_version (void)
{
  guint8 data[300] = { 0 };
  sqx_writer writer = { data, 0, sizeof data };
  const guint8 *versions;
  guint32 id;
  gsize n;

  for (gsize room = 0; room < 6; room++)
    g_assert_cmpuint (sqx_write_version (data, room, 0x01020304), ==, 0);
  writer.size = sqx_write_version (data, sizeof data, 0x01020304);
  BYTES (&writer, 0x0b, 1, 2, 3, 4, 1);
  for (gsize size = 0; size < sizeof data; size++)
    {
      g_assert_cmpint (sqx_decode_version (data, size, &id, &versions, &n), ==, size >= 6);
      if (size >= 6)
        {
          g_assert_cmpuint (id, ==, 0x01020304);
          g_assert_true (versions == data + 5);
          g_assert_cmpuint (n, ==, size - 5);
        }
    }
  data[0]++;
  g_assert_false (sqx_decode_version (data, 6, &id, &versions, &n));
}

static void
test_destination (void)
{
  guint8 data[5] = { 0, 1, 2, 3, 4 };
  guint32 id;

  for (guint type = 0; type < 256; type++)
    {
      gboolean wanted = (type >= 5 && type <= 9) || type == 0x0b;

      data[0] = (guint8) type;
      id = 0;
      g_assert_cmpint (sqx_peek_destination (data, 5, &id), ==, wanted);
      g_assert_cmpuint (id, ==, wanted ? 0x01020304 : 0);
      for (gsize size = 0; size < 5; size++)
        g_assert_false (sqx_peek_destination (data, size, &id));
    }
}

/* Whatever a decoder takes lies inside of the datagram. */
static void
test_random (void)
{
  guint taken = 0;

  for (guint i = 0; i < 100000; i++)
    {
      gsize size = (gsize) g_test_rand_int_range (0, 60) +
                   (g_test_rand_int_range (0, 8) == 0 ? 1200 : 0);
      guint8 *data = g_malloc0 (MAX (size, 1));
      const guint8 *bytes = NULL;
      gsize length = 0;
      sqx_init init;
      sqx_accept accept;
      sqx_confirm confirm;
      guint32 id, number;
      sqx_data_header header;

      for (gsize k = 0; k < MIN (size, 12); k++)
        data[k] = (guint8) g_test_rand_int_range (0, 2) * (guint8) g_test_rand_int ();
      if (size > 7)
        {
          data[0] = (guint8) g_test_rand_int_range (4, 12);
          data[1] &= 1;
          data[6] &= 3;
          data[7] &= 0x20;
        }
      if (sqx_init_decode (&init, data, size) && init.version == 1)
        {
          bytes = init.message;
          length = init.message_size;
          g_assert_true (init.cookie_size == 0 || init.cookie + init.cookie_size <= data + size);
        }
      else if (sqx_accept_decode (&accept, data, size))
        {
          bytes = accept.message;
          length = accept.message_size;
        }
      else if (sqx_confirm_decode (&confirm, data, size))
        {
          bytes = confirm.message;
          length = confirm.message_size;
        }
      else if (!sqx_decode_retry (data, size, &id, &bytes) &&
               !sqx_decode_version (data, size, &id, &bytes, &length))
        {
          sqx_decode_reset (data, size, &id, &number);
          sqx_decode_data (data, size, &header);
        }
      if (bytes != NULL)
        {
          g_assert_true (bytes > data && bytes + length <= data + size);
          taken++;
        }
      g_free (data);
    }
  g_assert_cmpuint (taken, >, 10000);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < sizeof cookie; i++)
    cookie[i] = (guint8) (0x80 + i);

  g_test_add_func ("/seqex/wire-secure/init", test_init);
  g_test_add_func ("/seqex/wire-secure/init-malformed", test_init_malformed);
  g_test_add_func ("/seqex/wire-secure/init-version", test_init_version);
  g_test_add_func ("/seqex/wire-secure/accept", test_accept);
  g_test_add_func ("/seqex/wire-secure/confirm", test_confirm);
  g_test_add_func ("/seqex/wire-secure/data", test_data);
  g_test_add_func ("/seqex/wire-secure/retry", test_retry);
  g_test_add_func ("/seqex/wire-secure/reset", test_reset);
  g_test_add_func ("/seqex/wire-secure/version", test_version);
  g_test_add_func ("/seqex/wire-secure/destination", test_destination);
  g_test_add_func ("/seqex/wire-secure/random", test_random);
  return g_test_run ();
}
