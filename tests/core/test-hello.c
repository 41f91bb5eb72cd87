/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parameters in HELLO: their bytes, their bounds, and everything that can be wrong.
 */
#include <glib.h>

#include "sqx-hello.h"

static const sqx_hello usual = {
  .max_message_size = 1048576,
  .byte_credit = 4194304,
  .exchange_credit = 1024,
  .max_channels = 256,
  .max_streams = 16,
  .stream_window = SQX_STREAM_WINDOW_MIN,
  .idle_timeout = 30000000,
  .ack_delay = 25000,
  .max_datagram_size = 1200,
  .application_id = "org.example.Chess",
};

static void
assert_equal (const sqx_hello *a,
              const sqx_hello *b)
{
  g_assert_cmpuint (a->max_message_size, ==, b->max_message_size);
  g_assert_cmpuint (a->byte_credit, ==, b->byte_credit);
  g_assert_cmpuint (a->exchange_credit, ==, b->exchange_credit);
  g_assert_cmpuint (a->max_channels, ==, b->max_channels);
  g_assert_cmpuint (a->max_streams, ==, b->max_streams);
  g_assert_cmpuint (a->idle_timeout, ==, b->idle_timeout);
  g_assert_cmpuint (a->ack_delay, ==, b->ack_delay);
  g_assert_cmpuint (a->max_datagram_size, ==, b->max_datagram_size);
  g_assert_cmpstr (a->application_id, ==, b->application_id);
}

/* Decodes from a block of its own, so that a sanitizer sees a read past it. */
static gboolean
decode (sqx_hello    *hello,
        const guint8 *data,
        gsize         size)
{
  guint8 *copy = g_malloc (MAX (size, 1));
  gboolean ok;

  if (size > 0)
    memcpy (copy, data, size);
  ok = sqx_hello_decode (hello, copy, size);
  g_free (copy);
  return ok;
}

static void
check_round_trip (const sqx_hello *hello)
{
  guint8 buffer[SQX_HELLO_MAX];
  gsize size = sqx_hello_encode (hello, buffer);
  sqx_hello copy;

  g_assert_cmpuint (size, <=, SQX_HELLO_MAX);
  g_assert_true (decode (&copy, buffer, size));
  assert_equal (&copy, hello);
}

/* A list of parameters, built one by one. */
typedef struct
{
  guint8     data[1024];
  sqx_writer writer;
} List;

static void
list_init (List *list)
{
  list->writer = (sqx_writer) { list->data, 0, sizeof list->data };
}

static void
list_bytes (List         *list,
            guint64       id,
            gconstpointer bytes,
            gsize         size)
{
  g_assert_true (sqx_write_varint (&list->writer, id));
  g_assert_true (sqx_write_varint (&list->writer, size));
  if (size > 0)
    memcpy (list->data + list->writer.size, bytes, size);
  list->writer.size += size;
}

static void
list_number (List    *list,
             guint64  id,
             guint64  value)
{
  guint8 bytes[8];
  sqx_writer writer = { bytes, 0, sizeof bytes };

  g_assert_true (sqx_write_varint (&writer, value));
  list_bytes (list, id, bytes, writer.size);
}

static guint64
usual_value (guint64 id)
{
  const guint64 values[] = { 0, usual.max_message_size, usual.byte_credit, usual.exchange_credit,
                             usual.max_channels, usual.max_streams, usual.idle_timeout,
                             usual.ack_delay, usual.max_datagram_size };

  return values[id];
}

/* All numbers but @id; @value is given for it. */
static gboolean
decode_with (sqx_hello *hello,
             guint64    id,
             guint64    value)
{
  List list;

  list_init (&list);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, i == id ? value : usual_value (i));
  return decode (hello, list.data, list.writer.size);
}

static gboolean
decode_window (sqx_hello *hello,
               guint64    window)
{
  List list;

  list_init (&list);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  list_number (&list, SQX_HELLO_STREAM_WINDOW, window);
  return decode (hello, list.data, list.writer.size);
}

static gboolean
decode_id (const char *id,
           gsize       size)
{
  sqx_hello hello;
  List list;

  list_init (&list);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  list_bytes (&list, SQX_HELLO_APPLICATION_ID, id, size);
  return decode (&hello, list.data, list.writer.size);
}

static void
test_bytes (void)
{
  const guint8 wanted[] = {
    1, 4, 0x80, 0x10, 0x00, 0x00, 2, 4, 0x80, 0x40, 0x00, 0x00, 3, 2, 0x44, 0x00, 4, 2, 0x41, 0x00,
    5, 1, 16, 6, 4, 0x81, 0xc9, 0xc3, 0x80, 7, 4, 0x80, 0x00, 0x61, 0xa8, 8, 2, 0x44, 0xb0,
    9, 17, 'o', 'r', 'g', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'C', 'h', 'e', 's', 's',
    15, 4, 0x80, 0x04, 0x00, 0x00,
  };
  guint8 buffer[SQX_HELLO_MAX];
  gsize size = sqx_hello_encode (&usual, buffer);

  g_assert_cmpmem (buffer, size, wanted, sizeof wanted);
}

/* What has a meaning when it is absent is not written. */
static void
test_absent (void)
{
  const guint8 wanted[] = {
    1, 4, 0x80, 0x10, 0x00, 0x00, 2, 4, 0x80, 0x40, 0x00, 0x00, 3, 2, 0x44, 0x00, 4, 2, 0x41, 0x00,
    7, 1, 0, 8, 2, 0x44, 0xb0,
  };
  guint8 buffer[SQX_HELLO_MAX];
  sqx_hello hello = usual;
  gsize size;

  hello.max_streams = hello.idle_timeout = hello.ack_delay = 0;
  hello.application_id[0] = '\0';
  size = sqx_hello_encode (&hello, buffer);
  g_assert_cmpmem (buffer, size, wanted, sizeof wanted);
  check_round_trip (&hello);
}

static void
test_stream_window (void)
{
  sqx_hello hello;

  g_assert_true (decode_with (&hello, 5, 0));
  g_assert_cmpuint (hello.stream_window, ==, SQX_STREAM_WINDOW_MIN);
  g_assert_true (decode_window (&hello, SQX_WINDOW_MAX));
  g_assert_cmpuint (hello.stream_window, ==, SQX_WINDOW_MAX);
  g_assert_true (decode_window (&hello, SQX_STREAM_WINDOW_MIN));
  g_assert_false (decode_window (&hello, SQX_STREAM_WINDOW_MIN - 1));
  g_assert_false (decode_window (&hello, SQX_WINDOW_MAX + 1));
}

static void
test_round_trip (void)
{
  sqx_hello hello = usual;

  check_round_trip (&hello);
  hello.max_streams = 0;
  hello.idle_timeout = 0;
  hello.application_id[0] = '\0';
  check_round_trip (&hello);

  hello = (sqx_hello) {
    .max_message_size = SQX_MESSAGE_MAX_MAX,
    .byte_credit = SQX_WINDOW_MAX,
    .exchange_credit = SQX_EXCHANGES_MAX,
    .max_channels = SQX_CHANNELS_MAX,
    .max_streams = SQX_VARINT_MAX,
    .stream_window = SQX_WINDOW_MAX,
    .idle_timeout = SQX_VARINT_MAX,
    .ack_delay = SQX_ACK_DELAY_MAX,
    .max_datagram_size = SQX_DATAGRAM_MAX,
  };
  memset (hello.application_id, 'x', SQX_APPLICATION_ID_MAX);
  check_round_trip (&hello);
}

/* Without @id the others are complete or not. */
static void
test_missing (void)
{
  for (guint64 id = 0; id <= 8; id++)
    {
      sqx_hello hello;
      List list;

      list_init (&list);
      for (guint64 i = 8; i >= 1; i--)
        if (i != id)
          list_number (&list, i, usual_value (i));
      g_assert_cmpint (decode (&hello, list.data, list.writer.size), ==,
                       id == 0 || id == SQX_HELLO_MAX_STREAMS || id == SQX_HELLO_IDLE_TIMEOUT);
    }
  g_assert_false (decode (&(sqx_hello) { 0 }, NULL, 0));
}

static void
test_twice (void)
{
  for (guint64 id = 1; id <= 20; id++)
    {
      sqx_hello hello;
      List list;

      list_init (&list);
      for (guint64 i = 1; i <= 8; i++)
        list_number (&list, i, usual_value (i));
      for (guint64 i = 9; i <= 20; i++)
        if (i == SQX_HELLO_STREAM_WINDOW)
          list_number (&list, i, SQX_STREAM_WINDOW_MIN);
        else
          list_bytes (&list, i, "a", 1);
      g_assert_true (decode (&hello, list.data, list.writer.size));
      if (id <= 8)
        list_number (&list, id, usual_value (id));
      else
        list_bytes (&list, id, "a", 1);
      g_assert_false (decode (&hello, list.data, list.writer.size));
    }
}

/* So many entries and no more, known and unknown ones together. */
static void
test_too_many (void)
{
  for (guint64 more = 0; more < 3; more++)
    {
      sqx_hello hello;
      List list;

      list_init (&list);
      for (guint64 i = 1; i <= 8; i++)
        list_number (&list, i, usual_value (i));
      for (guint64 i = 9; i < SQX_HELLO_PARAMETERS + more; i++)
        list_bytes (&list, 100 + i, NULL, 0);
      g_assert_cmpint (decode (&hello, list.data, list.writer.size), ==, more <= 1);
    }
}

static void
test_bounds (void)
{
  static const struct { guint64 id, least, most; } cases[] = {
    { SQX_HELLO_MAX_MESSAGE_SIZE, SQX_MESSAGE_MAX_MIN, 2097152 - SQX_MESSAGE_OVERHEAD },
    { SQX_HELLO_BYTE_CREDIT, 2 * (1048576 + SQX_MESSAGE_OVERHEAD), SQX_WINDOW_MAX },
    { SQX_HELLO_EXCHANGE_CREDIT, 1, SQX_EXCHANGES_MAX },
    { SQX_HELLO_MAX_CHANNELS, SQX_CHANNELS_MIN, SQX_CHANNELS_MAX },
    { SQX_HELLO_MAX_STREAMS, 0, SQX_VARINT_MAX },
    { SQX_HELLO_IDLE_TIMEOUT, SQX_IDLE_MIN, SQX_VARINT_MAX },
    { SQX_HELLO_ACK_DELAY, 0, SQX_ACK_DELAY_MAX },
    { SQX_HELLO_MAX_DATAGRAM_SIZE, SQX_DATAGRAM_MIN, SQX_DATAGRAM_MAX },
  };
  sqx_hello hello;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_true (decode_with (&hello, cases[i].id, cases[i].least));
      g_assert_true (decode_with (&hello, cases[i].id, cases[i].most));
      if (cases[i].least > 0)
        g_assert_false (decode_with (&hello, cases[i].id, cases[i].least - 1));
      if (cases[i].most < SQX_VARINT_MAX)
        g_assert_false (decode_with (&hello, cases[i].id, cases[i].most + 1));
    }
  g_assert_true (decode_with (&hello, SQX_HELLO_IDLE_TIMEOUT, 0));
  g_assert_cmpuint (hello.idle_timeout, ==, 0);
  g_assert_false (decode_with (&hello, SQX_HELLO_IDLE_TIMEOUT, 1));
}

/* The largest message has a bound of its own, whatever the credit. */
static void
test_largest_message (void)
{
  for (guint64 extra = 0; extra < 2; extra++)
    {
      sqx_hello hello;
      List list;

      list_init (&list);
      for (guint64 i = 1; i <= 8; i++)
        list_number (&list, i,
                     i == SQX_HELLO_MAX_MESSAGE_SIZE ? SQX_MESSAGE_MAX_MAX + extra
                     : i == SQX_HELLO_BYTE_CREDIT    ? SQX_WINDOW_MAX
                                                     : usual_value (i));
      g_assert_cmpint (decode (&hello, list.data, list.writer.size), ==, extra == 0);
    }
}

/* A number is one varint of any length, and nothing else. */
static void
test_numbers (void)
{
  static const struct { guint8 bytes[9]; gsize size; gboolean legal; } cases[] = {
    { { 0 }, 0, FALSE },
    { { 0x10 }, 1, TRUE },
    { { 0x10, 0 }, 2, FALSE },
    { { 0x40, 0x10 }, 2, TRUE },
    { { 0x40 }, 1, FALSE },
    { { 0xc0, 0, 0, 0, 0, 0, 0, 0x10 }, 8, TRUE },
    { { 0xc0, 0, 0, 0, 0, 0, 0, 0x10, 0 }, 9, FALSE },
    { { 0xc0, 0, 0, 0, 0, 0, 0 }, 7, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_hello hello;
      List list;

      list_init (&list);
      for (guint64 id = 1; id <= 8; id++)
        if (id == SQX_HELLO_MAX_STREAMS)
          list_bytes (&list, id, cases[i].bytes, cases[i].size);
        else
          list_number (&list, id, usual_value (id));
      g_assert_cmpint (decode (&hello, list.data, list.writer.size), ==, cases[i].legal);
      if (cases[i].legal)
        g_assert_cmpuint (hello.max_streams, ==, 16);
    }
}

static void
test_unknown (void)
{
  guint8 bytes[100] = { 0xff, 0xff };
  sqx_hello hello;
  List list;

  list_init (&list);
  list_bytes (&list, 0, bytes, 3);
  list_bytes (&list, SQX_VARINT_MAX, bytes, sizeof bytes);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  list_bytes (&list, 10, NULL, 0);
  list_bytes (&list, 64 + 1, bytes, 1); /* no id that is equal modulo some power of two */
  list_bytes (&list, G_GUINT64_CONSTANT (1) << 32 | 1, bytes, 1);
  list_bytes (&list, SQX_HELLO_APPLICATION_ID, usual.application_id, 17);
  g_assert_true (decode (&hello, list.data, list.writer.size));
  assert_equal (&hello, &usual);
}

/* The parameters that must be there come last, so that no beginning is legal. */
static void
test_truncations (void)
{
  sqx_hello hello;
  List list;
  gsize whole;

  list_init (&list);
  list_bytes (&list, SQX_HELLO_APPLICATION_ID, "abc", 3);
  list_bytes (&list, 12345, "abc", 3);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  for (gsize size = 0; size < list.writer.size; size++)
    g_assert_false (decode (&hello, list.data, size));
  g_assert_true (decode (&hello, list.data, list.writer.size));

  /* After them, only what is cut between two parameters is legal. */
  whole = list.writer.size;
  list_bytes (&list, 77, "abc", 3);
  for (gsize size = whole + 1; size < list.writer.size; size++)
    g_assert_false (decode (&hello, list.data, size));
  g_assert_true (decode (&hello, list.data, list.writer.size));

  /* A length that wraps round. */
  g_assert_true (sqx_write_varint (&list.writer, 78));
  g_assert_true (sqx_write_varint (&list.writer, SQX_VARINT_MAX));
  g_assert_false (decode (&hello, list.data, list.writer.size));
}

static void
test_application_id (void)
{
  g_autofree char *longest = g_strnfill (SQX_APPLICATION_ID_MAX + 1, 'x');

  g_assert_true (decode_id (NULL, 0));
  g_assert_true (decode_id ("a", 1));
  g_assert_true (decode_id ("schön", 6));
  g_assert_true (decode_id (longest, SQX_APPLICATION_ID_MAX));
  g_assert_false (decode_id (longest, SQX_APPLICATION_ID_MAX + 1));
  g_assert_false (decode_id ("a\0b", 3));
  g_assert_false (decode_id ("", 1));
  g_assert_false (decode_id ("\xff", 1));
  g_assert_false (decode_id ("sch\xc3", 4));
}

/* Of handshakes ------------------------------------------------------------------------ */

static const sqx_hello secure = {
  .max_message_size = 1048576,
  .byte_credit = 4194304,
  .exchange_credit = 1024,
  .max_channels = 256,
  .ack_delay = 25000,
  .max_datagram_size = 1200,
  .ciphers = { SQX_CIPHER_CHACHA20POLY1305, SQX_CIPHER_AES256GCM },
  .n_ciphers = 2,
  .has_session = TRUE,
  .session_id = { 0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff },
  .generation = 300,
  .ready = TRUE,
  .has_link_id = TRUE,
  .link_id = 0xa1b2c3d4,
};

static const guint8 secure_bytes[] = {
  1, 4, 0x80, 0x10, 0x00, 0x00, 2, 4, 0x80, 0x40, 0x00, 0x00, 3, 2, 0x44, 0x00, 4, 2, 0x41, 0x00,
  7, 4, 0x80, 0x00, 0x61, 0xa8, 8, 2, 0x44, 0xb0, 10, 2, 2, 1,
  11, 16, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff, 12, 2, 0x41, 0x2c, 13, 1, 1,
  14, 4, 0xa1, 0xb2, 0xc3, 0xd4,
};

static gboolean
decode_secure (sqx_hello    *hello,
               const guint8 *data,
               gsize         size)
{
  guint8 *copy = g_malloc (MAX (size, 1));
  gboolean ok;

  if (size > 0)
    memcpy (copy, data, size);
  ok = sqx_hello_decode_secure (hello, copy, size);
  g_free (copy);
  return ok;
}

static void
assert_secure_equal (const sqx_hello *a,
                     const sqx_hello *b)
{
  assert_equal (a, b);
  g_assert_cmpmem (a->ciphers, a->n_ciphers, b->ciphers, b->n_ciphers);
  g_assert_cmpint (a->has_session, ==, b->has_session);
  g_assert_cmpmem (a->session_id, SQX_SESSION_ID_SIZE, b->session_id, SQX_SESSION_ID_SIZE);
  g_assert_cmpuint (a->generation, ==, b->generation);
  g_assert_cmpint (a->ready, ==, b->ready);
  g_assert_cmpint (a->has_link_id, ==, b->has_link_id);
  g_assert_cmpuint (a->link_id, ==, b->link_id);
}

static void
test_secure (void)
{
  guint8 buffer[SQX_HELLO_MAX];
  gsize size = sqx_hello_encode (&secure, buffer);
  sqx_hello copy, largest = {
    .max_message_size = SQX_MESSAGE_MAX_MAX,
    .byte_credit = SQX_WINDOW_MAX,
    .exchange_credit = SQX_EXCHANGES_MAX,
    .max_channels = SQX_CHANNELS_MAX,
    .max_streams = SQX_VARINT_MAX,
    .stream_window = SQX_WINDOW_MAX,
    .idle_timeout = SQX_VARINT_MAX,
    .ack_delay = SQX_ACK_DELAY_MAX,
    .max_datagram_size = SQX_DATAGRAM_MAX,
    .ciphers = { 1, 2 },
    .n_ciphers = 2,
    .has_session = TRUE,
    .generation = SQX_VARINT_MAX,
    .ready = TRUE,
    .has_link_id = TRUE,
    .link_id = G_MAXUINT32,
  };

  g_assert_cmpmem (buffer, size, secure_bytes, sizeof secure_bytes);
  g_assert_true (decode_secure (&copy, buffer, size));
  assert_secure_equal (&copy, &secure);

  memset (largest.application_id, 'x', SQX_APPLICATION_ID_MAX);
  size = sqx_hello_encode (&largest, buffer);
  g_assert_cmpuint (size, <=, SQX_HELLO_MAX);
  g_assert_true (decode_secure (&copy, buffer, size));
  assert_secure_equal (&copy, &largest);
}

/* In PLAIN these ids are unknown ones: whatever they hold, nothing of it is there. */
static void
test_secure_in_plain (void)
{
  sqx_hello hello, wanted = { 0 };
  List list;

  g_assert_true (decode (&hello, secure_bytes, sizeof secure_bytes));
  g_assert_cmpuint (hello.n_ciphers, ==, 0);
  g_assert_false (hello.has_session || hello.ready || hello.has_link_id);
  assert_secure_equal (&hello, &(sqx_hello) {
    .max_message_size = 1048576, .byte_credit = 4194304, .exchange_credit = 1024,
    .max_channels = 256, .ack_delay = 25000, .max_datagram_size = 1200,
  });

  list_init (&list);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  for (guint64 i = 10; i <= 14; i++)
    list_bytes (&list, i, "abcdefghijklmnopqrstuvw", 17);
  g_assert_true (decode (&hello, list.data, list.writer.size));
  g_assert_false (decode_secure (&hello, list.data, list.writer.size));
  wanted = usual;
  wanted.application_id[0] = '\0';
  g_assert_true (decode (&hello, list.data, list.writer.size));
  assert_secure_equal (&hello, &wanted);
}

/* All that every HELLO has, ciphers unless they are the one in question, and @id. */
static gboolean
secure_with (sqx_hello    *hello,
             guint64       id,
             gconstpointer bytes,
             gsize         size)
{
  List list;

  list_init (&list);
  for (guint64 i = 1; i <= 8; i++)
    list_number (&list, i, usual_value (i));
  if (id != SQX_HELLO_CIPHERS)
    list_bytes (&list, SQX_HELLO_CIPHERS, "\1", 1);
  if (id == SQX_HELLO_GENERATION)
    list_bytes (&list, SQX_HELLO_SESSION_ID, "0123456789abcdef", 16);
  if (id == SQX_HELLO_SESSION_ID)
    list_bytes (&list, SQX_HELLO_GENERATION, "\0", 1);
  if (id != 0)
    list_bytes (&list, id, bytes, size);
  return decode_secure (hello, list.data, list.writer.size);
}

static void
test_ciphers (void)
{
  guint8 many[SQX_HELLO_CIPHERS_MAX + 1];
  sqx_hello hello;

  g_assert_false (decode_secure (&hello, secure_bytes, 30)); /* what comes before the ciphers */
  g_assert_false (secure_with (&hello, SQX_HELLO_CIPHERS, NULL, 0));
  g_assert_true (secure_with (&hello, SQX_HELLO_CIPHERS, "\2", 1));
  g_assert_cmpmem (hello.ciphers, hello.n_ciphers, "\2", 1);
  /* The order stays; what is unknown or comes again is left out. */
  g_assert_true (secure_with (&hello, SQX_HELLO_CIPHERS, "\7\2\0\2\1\377\1", 7));
  g_assert_cmpmem (hello.ciphers, hello.n_ciphers, "\2\1", 2);
  g_assert_true (secure_with (&hello, SQX_HELLO_CIPHERS, "\7\3", 2));
  g_assert_cmpuint (hello.n_ciphers, ==, 0);

  for (guint i = 0; i < sizeof many; i++)
    many[i] = (guint8) (100 + i);
  many[SQX_HELLO_CIPHERS_MAX - 1] = 1;
  g_assert_true (secure_with (&hello, SQX_HELLO_CIPHERS, many, SQX_HELLO_CIPHERS_MAX));
  g_assert_cmpmem (hello.ciphers, hello.n_ciphers, "\1", 1);
  g_assert_false (secure_with (&hello, SQX_HELLO_CIPHERS, many, SQX_HELLO_CIPHERS_MAX + 1));
}

static void
test_session (void)
{
  const char *bytes = "0123456789abcdefg";
  sqx_hello hello;
  List list;

  g_assert_true (secure_with (&hello, 0, NULL, 0));
  g_assert_false (hello.has_session || hello.ready || hello.has_link_id);
  for (gsize size = 0; size <= 17; size++)
    {
      g_assert_cmpint (secure_with (&hello, SQX_HELLO_SESSION_ID, bytes, size), ==, size == 16);
      g_assert_cmpint (secure_with (&hello, SQX_HELLO_LINK_ID, bytes, size), ==, size == 4);
    }
  g_assert_true (secure_with (&hello, SQX_HELLO_SESSION_ID, bytes, 16));
  g_assert_true (hello.has_session);
  g_assert_cmpmem (hello.session_id, 16, bytes, 16);
  g_assert_true (secure_with (&hello, SQX_HELLO_LINK_ID, "\0\0\0\0", 4));
  g_assert_true (hello.has_link_id);
  g_assert_cmpuint (hello.link_id, ==, 0);

  g_assert_true (secure_with (&hello, SQX_HELLO_GENERATION, "\101\54", 2));
  g_assert_cmpuint (hello.generation, ==, 300);
  g_assert_false (secure_with (&hello, SQX_HELLO_GENERATION, "\101\54\0", 3));
  g_assert_true (secure_with (&hello, SQX_HELLO_READY, "\0", 1));
  g_assert_false (hello.ready);
  g_assert_true (secure_with (&hello, SQX_HELLO_READY, "\1", 1));
  g_assert_true (hello.ready);
  g_assert_false (secure_with (&hello, SQX_HELLO_READY, "\2", 1));
  g_assert_false (secure_with (&hello, SQX_HELLO_READY, "", 0));

  /* One of the two alone. */
  for (guint64 id = SQX_HELLO_SESSION_ID; id <= SQX_HELLO_GENERATION; id++)
    {
      list_init (&list);
      for (guint64 i = 1; i <= 8; i++)
        list_number (&list, i, usual_value (i));
      list_bytes (&list, SQX_HELLO_CIPHERS, "\1", 1);
      list_bytes (&list, id, bytes, id == SQX_HELLO_SESSION_ID ? 16 : 1);
      g_assert_false (decode_secure (&hello, list.data, list.writer.size));
    }
}

/* Cut between two parameters it is whole again only where nothing is missing. */
static void
test_secure_truncations (void)
{
  static const gsize whole[] = { 34, 56, 59, sizeof secure_bytes };
  sqx_hello hello;

  for (gsize size = 0, i = 0; size <= sizeof secure_bytes; size++)
    {
      gboolean wanted = size == whole[i];

      g_assert_cmpint (decode_secure (&hello, secure_bytes, size), ==, wanted);
      i += wanted;
    }
}

static void
test_choose_cipher (void)
{
  enum { AES = SQX_CIPHER_AES256GCM, CHACHA = SQX_CIPHER_CHACHA20POLY1305 };
  static const struct { guint8 own[3], peer[3]; int wanted; } cases[] = {
    { { AES, CHACHA }, { AES, CHACHA }, AES },
    { { AES, CHACHA }, { CHACHA, AES }, CHACHA },
    { { CHACHA, AES }, { CHACHA, AES }, CHACHA },
    { { AES }, { AES, CHACHA }, AES },
    { { AES }, { CHACHA, AES }, AES },
    { { CHACHA }, { AES, CHACHA }, CHACHA },
    { { AES }, { AES }, AES },
    { { CHACHA }, { CHACHA }, CHACHA },
    { { AES }, { CHACHA }, 0 },
    { { AES }, { 0 }, 0 },
    { { CHACHA }, { 0 }, 0 },
    { { 0 }, { 0 }, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_hello own = { 0 }, peer = { 0 };

      memcpy (own.ciphers, cases[i].own, 3);
      memcpy (peer.ciphers, cases[i].peer, 3);
      own.n_ciphers = (guint8) strlen ((const char *) cases[i].own);
      peer.n_ciphers = (guint8) strlen ((const char *) cases[i].peer);
      g_assert_cmpint ((int) sqx_hello_choose_cipher (&own, &peer), ==, cases[i].wanted);
      g_assert_cmpint ((int) sqx_hello_choose_cipher (&peer, &own), ==, cases[i].wanted);
    }
}

/* UTF-8 ------------------------------------------------------------------------------- */

static void
check_utf8 (const guint8 *bytes,
            gsize         size)
{
  guint8 *copy = g_malloc (MAX (size, 1));

  /* GLib's own judgement, which takes no NUL either. */
  memcpy (copy, bytes, size);
  g_assert_cmpint (sqx_utf8_valid (copy, size), ==,
                   g_utf8_validate_len ((const char *) copy, size, NULL));
  g_free (copy);
}

/* Every sequence of up to three bytes, and the four-byte ones at their edges. */
static void
test_utf8 (void)
{
  static const guint8 edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
  guint8 bytes[5];

  g_assert_true (sqx_utf8_valid (NULL, 0));
  for (guint i = 0; i < 0x10000; i++)
    {
      bytes[0] = (guint8) (i >> 8);
      bytes[1] = (guint8) i;
      check_utf8 (bytes, 1);
      check_utf8 (bytes, 2);
      for (guint k = 0; k < G_N_ELEMENTS (edges); k++)
        {
          bytes[2] = edges[k];
          check_utf8 (bytes, 3);
          if (bytes[0] < 0xe0)
            continue;
          for (guint l = 0; l < G_N_ELEMENTS (edges); l++)
            {
              bytes[3] = edges[l];
              check_utf8 (bytes, 4);
            }
        }
    }
}

static void
test_utf8_random (void)
{
  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) text = g_string_new (NULL);
      gint32 count = g_test_rand_int_range (0, 12);

      for (gint32 k = 0; k < count; k++)
        {
          gunichar c = (gunichar) g_test_rand_int_range (1, 0x110000) >>
                       g_test_rand_int_range (0, 16);

          if (c > 0 && (c < 0xd800 || c >= 0xe000))
            g_string_append_unichar (text, c);
        }
      g_assert_true (sqx_utf8_valid ((const guint8 *) text->str, text->len));
      /* One byte changed or left out gives the same verdict as GLib's. */
      if (text->len > 0)
        {
          text->str[g_test_rand_int_range (0, (gint32) text->len)] = (char) g_test_rand_int ();
          check_utf8 ((const guint8 *) text->str, text->len);
          check_utf8 ((const guint8 *) text->str, text->len - 1);
        }
    }
}

/* Random lists: nothing is read past the end, and what is taken is within the bounds. */
static void
test_random (void)
{
  guint taken = 0;

  for (guint i = 0; i < 50000; i++)
    {
      guint8 buffer[SQX_HELLO_MAX];
      gsize size = sqx_hello_encode (&usual, buffer);
      gint32 changes = g_test_rand_int_range (0, 4);
      sqx_hello hello;

      for (gint32 k = 0; k < changes; k++)
        buffer[g_test_rand_int_range (0, (gint32) size)] = (guint8) g_test_rand_int ();
      if (!decode (&hello, buffer, size))
        continue;
      taken++;
      g_assert_cmpuint (hello.max_message_size, >=, SQX_MESSAGE_MAX_MIN);
      g_assert_cmpuint (hello.max_message_size, <=, SQX_MESSAGE_MAX_MAX);
      g_assert_cmpuint (hello.byte_credit, >=,
                        2 * (hello.max_message_size + SQX_MESSAGE_OVERHEAD));
      g_assert_cmpuint (hello.max_datagram_size, >=, SQX_DATAGRAM_MIN);
      g_assert_true (g_utf8_validate (hello.application_id, -1, NULL));
      check_round_trip (&hello);
    }
  g_assert_cmpuint (taken, >, 10000);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/hello/too-many", test_too_many);
  g_test_add_func ("/seqex/hello/bytes", test_bytes);
  g_test_add_func ("/seqex/hello/absent", test_absent);
  g_test_add_func ("/seqex/hello/round-trip", test_round_trip);
  g_test_add_func ("/seqex/hello/stream-window", test_stream_window);
  g_test_add_func ("/seqex/hello/missing", test_missing);
  g_test_add_func ("/seqex/hello/twice", test_twice);
  g_test_add_func ("/seqex/hello/bounds", test_bounds);
  g_test_add_func ("/seqex/hello/largest-message", test_largest_message);
  g_test_add_func ("/seqex/hello/numbers", test_numbers);
  g_test_add_func ("/seqex/hello/unknown", test_unknown);
  g_test_add_func ("/seqex/hello/truncations", test_truncations);
  g_test_add_func ("/seqex/hello/application-id", test_application_id);
  g_test_add_func ("/seqex/hello/secure", test_secure);
  g_test_add_func ("/seqex/hello/secure-in-plain", test_secure_in_plain);
  g_test_add_func ("/seqex/hello/ciphers", test_ciphers);
  g_test_add_func ("/seqex/hello/session", test_session);
  g_test_add_func ("/seqex/hello/secure-truncations", test_secure_truncations);
  g_test_add_func ("/seqex/hello/choose-cipher", test_choose_cipher);
  g_test_add_func ("/seqex/hello/utf8", test_utf8);
  g_test_add_func ("/seqex/hello/utf8-random", test_utf8_random);
  g_test_add_func ("/seqex/hello/random", test_random);
  return g_test_run ();
}
