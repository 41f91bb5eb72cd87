/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Packets and frames, but those with a payload: fixed bytes, round trips, every truncation, what is
 * malformed, and bytes that mean nothing.
 */
#include "wire-util.h"

/* A writer that writes the frame @expression has room for every size but none for less, and then
 * writes nothing. */
#define CHECK_ROOM(writer, expression) \
  G_STMT_START { \
    sqx_writer full = *(writer); \
    for (gsize room = 0; room < full.size; room++) \
      { \
        *(writer) = (sqx_writer) { full.data, 3, 3 + room }; \
        g_assert_false (expression); \
        g_assert_cmpuint ((writer)->size, ==, 3); \
      } \
    *(writer) = (sqx_writer) { full.data, 0, full.size }; \
    g_assert_true (expression); \
    g_assert_cmpuint ((writer)->size, ==, full.size); \
  } G_STMT_END

/* Varints ----------------------------------------------------------------------------- */

static void
test_varint (void)
{
  static const struct { guint64 value; gsize size; } cases[] = {
    { 0, 1 }, { 1, 1 }, { 63, 1 }, { 64, 2 }, { 16383, 2 }, { 16384, 4 },
    { (1 << 30) - 1, 4 }, { 1 << 30, 8 }, { SQX_VARINT_MAX, 8 },
  };
  guint8 buffer[16];

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_writer writer = { buffer, 0, sizeof buffer };
      guint64 value;

      g_assert_cmpuint (sqx_varint_size (cases[i].value), ==, cases[i].size);
      g_assert_true (sqx_write_varint (&writer, cases[i].value));
      g_assert_cmpuint (writer.size, ==, cases[i].size);
      for (gsize size = 0; size <= writer.size; size++)
        {
          guint8 *copy = g_memdup2 (buffer, MAX (size, 1));
          sqx_reader reader = { copy, copy + size };

          g_assert_cmpint (sqx_read_varint (&reader, &value), ==, size == writer.size);
          g_assert_true (reader.at == copy + (size == writer.size ? size : 0));
          g_free (copy);
        }
      g_assert_cmpuint (value, ==, cases[i].value);
      CHECK_ROOM (&writer, sqx_write_varint (&writer, cases[i].value));
    }
}

/* The examples of RFC 9000, appendix A.1. */
static void
test_varint_examples (void)
{
  static const struct { guint8 bytes[8]; gsize size; guint64 value; } cases[] = {
    { { 0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c }, 8,
      G_GUINT64_CONSTANT (151288809941952652) },
    { { 0x9d, 0x7f, 0x3e, 0x7d }, 4, 494878333 },
    { { 0x7b, 0xbd }, 2, 15293 },
    { { 0x25 }, 1, 37 },
    { { 0x40, 0x25 }, 2, 37 }, /* longer than need be is legal */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_reader reader = { cases[i].bytes, cases[i].bytes + cases[i].size };
      guint64 value;

      g_assert_true (sqx_read_varint (&reader, &value));
      g_assert_cmpuint (value, ==, cases[i].value);
      g_assert_true (reader.at == reader.end);
    }
}

static void
test_read_bytes (void)
{
  const guint8 data[4] = { 1, 2, 3, 4 };
  sqx_reader reader = { data, data + 4 };
  const guint8 *bytes;

  g_assert_true (sqx_read_bytes (&reader, &bytes, 3));
  g_assert_true (bytes == data);
  g_assert_false (sqx_read_bytes (&reader, &bytes, 2));
  g_assert_false (sqx_read_bytes (&reader, &bytes, G_MAXUINT64));
  g_assert_true (sqx_read_bytes (&reader, &bytes, 0));
  g_assert_true (sqx_read_bytes (&reader, &bytes, 1));
  g_assert_true (bytes == data + 3);
  g_assert_false (sqx_read_bytes (&reader, &bytes, 1));
}

/* Packets ----------------------------------------------------------------------------- */

static void
test_plain (void)
{
  const sqx_plain_header header = { 0x01020304, 0xa1a2a3a4, 0xfffefdfc, 0x80000001 };
  guint8 buffer[32];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_plain_header copy = { 0 };

  g_assert_true (sqx_write_plain (&writer, &header));
  BYTES (&writer, 0x0c, 1, 2, 3, 4, 0xa1, 0xa2, 0xa3, 0xa4, 0xff, 0xfe, 0xfd, 0xfc, 0x80, 0, 0, 1);
  CHECK_ROOM (&writer, sqx_write_plain (&writer, &header));
  g_assert_true (sqx_decode_plain (buffer, writer.size, &copy));
  g_assert_cmpuint (copy.instance, ==, header.instance);
  g_assert_cmpuint (copy.source_epoch, ==, header.source_epoch);
  g_assert_cmpuint (copy.destination_epoch, ==, header.destination_epoch);
  g_assert_cmpuint (copy.number, ==, header.number);

  writer = (sqx_writer) { buffer, 5, sizeof buffer };
  g_assert_true (sqx_write_plain (&writer, &header));
  g_assert_cmpuint (writer.size, ==, 5 + SQX_PLAIN_HEADER);
  g_assert_cmpmem (buffer + 5, 5, buffer, 5);

  for (gsize size = 0; size < SQX_PLAIN_HEADER; size++)
    g_assert_false (sqx_decode_plain (buffer, size, &copy));
  g_assert_true (sqx_decode_plain (buffer, sizeof buffer, &copy));
  buffer[0] = 0x0d;
  g_assert_false (sqx_decode_plain (buffer, sizeof buffer, &copy));
}

/* Frames without much in them ----------------------------------------------------------- */

static void
test_padding_ping (void)
{
  const guint8 data[] = { 0, 0, 0, 1, 0, 1, 1 };
  const guint32 types[] = { SQX_FRAME_PADDING, SQX_FRAME_PING, SQX_FRAME_PADDING, SQX_FRAME_PING,
                            SQX_FRAME_PING };
  sqx_reader reader = { data, data + sizeof data };
  guint8 buffer[8];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_assert_true (sqx_decode_frame (&reader, &frame));
      g_assert_cmpuint (frame.type, ==, types[i]);
    }
  g_assert_false (sqx_decode_frame (&reader, &frame));
  LEGAL (0);
  LEGAL (0, 0, 0, 0);

  g_assert_true (sqx_write_ping (&writer));
  BYTES (&writer, 0x01);
  CHECK_ROOM (&writer, sqx_write_ping (&writer));
  check_truncations (&writer);
}

static void
test_unknown (void)
{
  guint8 data[64] = { 0 };

  for (guint type = 0; type < 256; type++)
    {
      gboolean known = type <= 0x02 || (type >= 0x04 && type <= 0x08) ||
                       (type >= 0x0a && type <= 0x0d) || (type >= 0x10 && type <= 0x31);
      sqx_reader reader = { data, data + sizeof data };
      sqx_frame frame;

      /* Zeros after the type are a legal frame of every kind, but for messages whose fragment
       * claims nothing and has bytes. */
      if (type >= 0x10 && type <= 0x2f && (type & 0x0c) == 0x04)
        known = FALSE;
      data[0] = (guint8) type;
      g_assert_cmpint (sqx_decode_frame (&reader, &frame), ==, known);
    }
}

static void
test_close (void)
{
  guint8 buffer[512];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  g_assert_true (sqx_write_close (&writer, 70, "bye", 3));
  BYTES (&writer, 0x04, 0x40, 70, 3, 'b', 'y', 'e');
  CHECK_ROOM (&writer, sqx_write_close (&writer, 70, "bye", 3));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_CLOSE);
  g_assert_cmpuint (frame.close.code, ==, 70);
  g_assert_cmpmem (frame.close.reason, frame.close.size, "bye", 3);
  g_free (copy);

  writer.size = 0;
  writer.capacity = sizeof buffer;
  g_assert_true (sqx_write_close (&writer, 0, NULL, 0));
  BYTES (&writer, 0x04, 0, 0);
  check_truncations (&writer);

  /* Any bytes are legal, but not any number of them. */
  LEGAL (0x04, 0, 2, 0xff, 0x00);
  buffer[0] = 0x04;
  buffer[1] = 0;
  buffer[2] = 0x40;
  buffer[3] = 255;
  g_assert_true (is_legal (buffer, 4 + 255));
  buffer[2] = 0x41;
  buffer[3] = 0;
  g_assert_false (is_legal (buffer, 4 + 256));
}

/* A reason that is too long is cut between characters. */
static void
test_close_cut (void)
{
  g_autofree char *ascii = g_strnfill (400, 'x');
  g_autoptr (GString) text = g_string_new ("x");
  guint8 buffer[512];
  sqx_writer writer = { buffer, 0, sizeof buffer };

  g_assert_true (sqx_write_close (&writer, 0, ascii, 400));
  g_assert_cmpuint (writer.size, ==, 4 + 255);
  check_truncations (&writer);

  /* The longest one that is not; the byte after it is not looked at. */
  ascii[255] = (char) 0x80;
  writer.size = 0;
  g_assert_true (sqx_write_close (&writer, 0, ascii, 255));
  g_assert_cmpuint (writer.size, ==, 4 + 255);

  /* 1 + 84 * 3 is 253: the character over bytes 253 to 255 does not go with it. */
  for (guint i = 0; i < 100; i++)
    g_string_append (text, "€");
  writer.size = 0;
  g_assert_true (sqx_write_close (&writer, 0, text->str, text->len));
  g_assert_cmpuint (writer.size, ==, 4 + 253);
  g_assert_true (g_utf8_validate_len ((const char *) buffer + 4, 253, NULL));
  check_truncations (&writer);

  /* What is no text at all ends up empty. */
  memset (ascii, 0x80, 400);
  writer.size = 0;
  g_assert_true (sqx_write_close (&writer, 0, ascii, 400));
  BYTES (&writer, 0x04, 0, 0);
}

static void
test_hello (void)
{
  guint8 buffer[1024], data[SQX_HELLO_MAX + 1];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  for (gsize i = 0; i < sizeof data; i++)
    data[i] = (guint8) (i * 7);
  g_assert_true (sqx_write_hello (&writer, data, 5));
  BYTES (&writer, 0x06, 5, 0, 7, 14, 21, 28);
  CHECK_ROOM (&writer, sqx_write_hello (&writer, data, 5));
  check_truncations (&writer);

  writer.size = 0;
  writer.capacity = sizeof buffer;
  g_assert_true (sqx_write_hello (&writer, data, SQX_HELLO_MAX));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_HELLO);
  g_assert_cmpmem (frame.hello.data, frame.hello.size, data, SQX_HELLO_MAX);
  g_free (copy);

  /* One byte more is too long. */
  buffer[2]++;
  g_assert_false (is_legal (buffer, writer.size + 1));
}

static void
test_credit (void)
{
  guint8 buffer[32];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  g_assert_true (sqx_write_credit (&writer, 100000, 1024));
  BYTES (&writer, 0x08, 0x80, 0x01, 0x86, 0xa0, 0x44, 0x00);
  CHECK_ROOM (&writer, sqx_write_credit (&writer, 100000, 1024));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_CREDIT);
  g_assert_cmpuint (frame.credit.bytes, ==, 100000);
  g_assert_cmpuint (frame.credit.exchanges, ==, 1024);
  g_free (copy);
}

static void
test_ready (void)
{
  guint8 buffer[8];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  g_assert_true (sqx_write_ready (&writer));
  BYTES (&writer, 0x05);
  CHECK_ROOM (&writer, sqx_write_ready (&writer));
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_READY);
  g_free (copy);
}

static void
test_challenge (void)
{
  const guint8 token[SQX_CHALLENGE_SIZE] = { 0xf1, 2, 3, 4, 5, 6, 7, 0xf8 };
  guint8 buffer[32];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  g_assert_true (sqx_write_challenge (&writer, token));
  BYTES (&writer, 0x0c, 0xf1, 2, 3, 4, 5, 6, 7, 0xf8);
  CHECK_ROOM (&writer, sqx_write_challenge (&writer, token));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_CHALLENGE);
  g_assert_cmpmem (frame.challenge.token, SQX_CHALLENGE_SIZE, token, sizeof token);
  g_free (copy);

  writer = (sqx_writer) { buffer, 0, sizeof buffer };
  g_assert_true (sqx_write_response (&writer, token));
  BYTES (&writer, 0x0d, 0xf1, 2, 3, 4, 5, 6, 7, 0xf8);
  CHECK_ROOM (&writer, sqx_write_response (&writer, token));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_RESPONSE);
  g_assert_cmpmem (frame.challenge.token, SQX_CHALLENGE_SIZE, token, sizeof token);
  g_free (copy);
}

static void
test_cancel (void)
{
  guint8 buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_frame frame;
  guint8 *copy;

  g_assert_true (sqx_write_cancel (&writer, 6, 300, 20000, true, 62));
  BYTES (&writer, 0x0b, 6, 0x41, 0x2c, 0x80, 0x00, 0x4e, 0x20, 63);
  CHECK_ROOM (&writer, sqx_write_cancel (&writer, 6, 300, 20000, true, 62));
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_CANCEL);
  g_assert_cmpuint (frame.cancel.channel, ==, 6);
  g_assert_cmpuint (frame.cancel.number, ==, 300);
  g_assert_cmpuint (frame.cancel.total, ==, 20000);
  g_assert_true (frame.cancel.is_reply);
  g_assert_cmpuint (frame.cancel.reply_to, ==, 62);
  g_free (copy);

  writer = (sqx_writer) { buffer, 0, sizeof buffer };
  g_assert_true (sqx_write_cancel (&writer, 0, 0, 0, true, 0));
  BYTES (&writer, 0x0b, 0, 0, 0, 1);
  writer.size = 0;
  g_assert_true (sqx_write_cancel (&writer, 0, 0, 0, false, 99));
  BYTES (&writer, 0x0b, 0, 0, 0, 0);
  check_truncations (&writer);
  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_false (frame.cancel.is_reply);
  g_assert_cmpuint (frame.cancel.reply_to, ==, 0);
  g_free (copy);
}

/* ACK --------------------------------------------------------------------------------- */

/* The decoded frame tells @ranges, which are ascending, from the last one down. */
static void
check_ack (const sqx_writer *writer,
           const sqx_range  *ranges,
           gsize             count,
           guint64           delay)
{
  sqx_ack_iter iter;
  sqx_frame frame;
  guint8 *copy;
  guint64 low, high;

  g_assert_true (decode_copy (writer->data, writer->size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_ACK);
  g_assert_cmpuint (frame.ack.delay, ==, delay);
  g_assert_cmpuint (frame.ack.largest, ==, ranges[count - 1].end - 1);
  g_assert_cmpuint (frame.ack.range_count, ==, count - 1);

  sqx_ack_iter_init (&iter);
  for (gsize i = count; i-- > 0;)
    {
      g_assert_true (sqx_ack_iter_next (&iter, &frame.ack, &low, &high));
      g_assert_cmpuint (low, ==, ranges[i].start);
      g_assert_cmpuint (high, ==, ranges[i].end - 1);
    }
  g_assert_false (sqx_ack_iter_next (&iter, &frame.ack, &low, &high));
  g_assert_false (sqx_ack_iter_next (&iter, &frame.ack, &low, &high));
  g_free (copy);
}

static void
test_ack (void)
{
  /* Gap = the numbers between, less 1; length = the numbers in the range, less 1. */
  const sqx_range ranges[] = { { 0, 1 }, { 2, 5 }, { 90, 101 } };
  guint8 buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };

  g_assert_false (sqx_write_ack (&writer, NULL, 0, 0));
  g_assert_cmpuint (writer.size, ==, 0);

  g_assert_true (sqx_write_ack (&writer, ranges + 2, 1, 25000));
  BYTES (&writer, 0x02, 0x40, 100, 0x80, 0x00, 0x61, 0xa8, 0, 10);
  CHECK_ROOM (&writer, sqx_write_ack (&writer, ranges + 2, 1, 25000));
  check_truncations (&writer);
  check_ack (&writer, ranges + 2, 1, 25000);

  writer = (sqx_writer) { buffer, 0, sizeof buffer };
  g_assert_true (sqx_write_ack (&writer, ranges, 3, 7));
  BYTES (&writer, 0x02, 0x40, 100, 7, 2, 10, 0x40, 84, 2, 0, 0);
  check_truncations (&writer);
  check_ack (&writer, ranges, 3, 7);

  /* A pair less when there is no room for it. */
  for (gsize room = 9; room < 11; room++)
    {
      writer = (sqx_writer) { buffer, 0, room };
      g_assert_true (sqx_write_ack (&writer, ranges, 3, 7));
      g_assert_cmpuint (writer.size, ==, 9);
      check_ack (&writer, ranges + 1, 2, 7);
    }
  writer = (sqx_writer) { buffer, 0, 8 };
  g_assert_true (sqx_write_ack (&writer, ranges, 3, 7));
  g_assert_cmpuint (writer.size, ==, 6);
  check_ack (&writer, ranges + 2, 1, 7);
}

static void
test_ack_extremes (void)
{
  const sqx_range all = { 0, SQX_VARINT_MAX + 1 };
  const sqx_range two[] = { { 0, 1 }, { SQX_VARINT_MAX, SQX_VARINT_MAX + 1 } };
  sqx_range many[SQX_ACK_RANGES + 10];
  guint8 buffer[MAX_PACKET];
  sqx_writer writer = { buffer, 0, sizeof buffer };

  g_assert_true (sqx_write_ack (&writer, &all, 1, G_MAXUINT64));
  check_ack (&writer, &all, 1, SQX_VARINT_MAX);
  writer.size = 0;
  g_assert_true (sqx_write_ack (&writer, two, 2, 0));
  check_ack (&writer, two, 2, 0);
  check_truncations (&writer);

  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = (sqx_range) { 1000 * i + i, 1000 * i + 3 * i + 1 };
  writer.size = 0;
  g_assert_true (sqx_write_ack (&writer, many, G_N_ELEMENTS (many), 1));
  check_ack (&writer, many + 10, SQX_ACK_RANGES, 1);
  check_truncations (&writer);
}

static void
test_ack_malformed (void)
{
  LEGAL (0x02, 10, 0, 0, 10);
  MALFORMED (0x02, 10, 0, 0, 11); /* below 0 */
  LEGAL (0x02, 10, 0, 1, 2, 6, 0);
  MALFORMED (0x02, 10, 0, 1, 2, 7, 0);
  MALFORMED (0x02, 10, 0, 1, 2, 6, 1);
  LEGAL (0x02, 10, 0, 1, 2, 2, 4);
  MALFORMED (0x02, 10, 0, 1, 2, 2, 5);
  MALFORMED (0x02, 10, 0, 1, 9, 0, 0);
  /* A gap or a length near the top of the number space does not wrap round. */
  MALFORMED (0x02, 10, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0);
  MALFORMED (0x02, 10, 0, 1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  /* More pairs claimed than there are. */
  MALFORMED (0x02, 60, 0, 3, 0, 0, 0, 0, 0);
  MALFORMED (0x02, 60, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0);
}

/* END --------------------------------------------------------------------------------- */

static void
test_end (void)
{
  guint8 buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_runs_writer end;
  sqx_frame frame;
  guint8 *copy;
  guint64 first, run;

  g_assert_true (sqx_write_ping (&writer));
  g_assert_true (sqx_end_writer_begin (&end, &writer, 8, 3));
  sqx_runs_writer_finish (&end, &writer);
  BYTES (&writer, 0x01);

  writer.size = 0;
  g_assert_true (sqx_end_writer_begin (&end, &writer, 8, 3));
  g_assert_true (sqx_runs_writer_add (&end, &writer, 5, 1));
  g_assert_true (sqx_runs_writer_add (&end, &writer, 100, 3));
  sqx_runs_writer_finish (&end, &writer);
  BYTES (&writer, 0x0a, 8, 3, 0x40, 2, 5, 1, 0x40, 100, 3);
  check_truncations (&writer);

  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_END);
  g_assert_cmpuint (frame.end.channel, ==, 8);
  g_assert_cmpuint (frame.end.reason, ==, 3);
  g_assert_cmpuint (frame.end.runs.count, ==, 2);
  g_assert_true (sqx_runs_next (&frame.end.runs, &first, &run));
  g_assert_cmpuint (first, ==, 5);
  g_assert_cmpuint (run, ==, 1);
  g_assert_true (sqx_runs_next (&frame.end.runs, &first, &run));
  g_assert_cmpuint (first, ==, 100);
  g_assert_cmpuint (run, ==, 3);
  g_assert_false (sqx_runs_next (&frame.end.runs, &first, &run));
  g_free (copy);
}

static void
test_end_room (void)
{
  guint8 buffer[64];
  sqx_runs_writer end;

  for (gsize room = 0; room < 16; room++)
    {
      sqx_writer writer = { buffer, 0, room };

      g_assert_cmpint (sqx_end_writer_begin (&end, &writer, 8, 0), ==, room >= 5);
      g_assert_cmpuint (writer.size, ==, room >= 5 ? 5 : 0);
      if (room < 5)
        continue;
      g_assert_cmpint (sqx_runs_writer_add (&end, &writer, 64, 2), ==, room >= 8);
      g_assert_cmpint (sqx_runs_writer_add (&end, &writer, 64, 64), ==, room >= 12);
      sqx_runs_writer_finish (&end, &writer);
      g_assert_cmpuint (writer.size, ==, room >= 12 ? 12 : room >= 8 ? 8 : 0);
      if (writer.size > 0)
        check_truncations (&writer);
    }
}

/* The count has two bytes and no more. */
static void
test_end_most (void)
{
  const gsize capacity = 65507;
  g_autofree guint8 *buffer = g_malloc (capacity);
  sqx_writer writer = { buffer, 0, capacity };
  sqx_runs_writer end;
  sqx_frame frame;
  guint64 first, run, count = 0;
  guint8 *copy;

  g_assert_true (sqx_end_writer_begin (&end, &writer, 0, 0));
  while (sqx_runs_writer_add (&end, &writer, count % 64, 1))
    count++;
  sqx_runs_writer_finish (&end, &writer);
  g_assert_cmpuint (count, ==, 16383);

  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  while (sqx_runs_next (&frame.end.runs, &first, &run))
    count--;
  g_assert_cmpuint (count, ==, 0);
  g_free (copy);
}

static void
test_end_malformed (void)
{
  LEGAL (0x0a, 0, 0, 0);
  LEGAL (0x0a, 0, 255, 1, 0, 1);
  MALFORMED (0x0a, 0, 0, 1, 0, 0); /* an empty run */
  MALFORMED (0x0a, 0, 0, 2, 0, 1);
  MALFORMED (0x0a, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1);
  /* The last number of all, and the one after it. */
  LEGAL (0x0a, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
  MALFORMED (0x0a, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2);
  LEGAL (0x0a, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  MALFORMED (0x0a, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
}

/* RECEIVED ---------------------------------------------------------------------------- */

static void
test_received (void)
{
  guint8 buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_runs_writer received;
  sqx_frame frame;
  guint8 *copy;
  guint64 first, run;

  g_assert_true (sqx_write_ping (&writer));
  g_assert_true (sqx_received_writer_begin (&received, &writer, 8));
  sqx_runs_writer_finish (&received, &writer);
  BYTES (&writer, 0x01);

  writer.size = 0;
  g_assert_true (sqx_received_writer_begin (&received, &writer, 300));
  g_assert_true (sqx_runs_writer_add (&received, &writer, 0, 64));
  g_assert_true (sqx_runs_writer_add (&received, &writer, 100, 3));
  sqx_runs_writer_finish (&received, &writer);
  BYTES (&writer, 0x07, 0x41, 0x2c, 0x40, 2, 0, 0x40, 64, 0x40, 100, 3);
  check_truncations (&writer);

  g_assert_true (decode_copy (buffer, writer.size, &frame, &copy));
  g_assert_cmpuint (frame.type, ==, SQX_FRAME_RECEIVED);
  g_assert_cmpuint (frame.received.channel, ==, 300);
  g_assert_cmpuint (frame.received.runs.count, ==, 2);
  g_assert_true (sqx_runs_next (&frame.received.runs, &first, &run));
  g_assert_cmpuint (first, ==, 0);
  g_assert_cmpuint (run, ==, 64);
  g_assert_true (sqx_runs_next (&frame.received.runs, &first, &run));
  g_assert_cmpuint (first, ==, 100);
  g_assert_cmpuint (run, ==, 3);
  g_assert_false (sqx_runs_next (&frame.received.runs, &first, &run));
  g_free (copy);
}

static void
test_received_room (void)
{
  guint8 buffer[64];
  sqx_runs_writer received;

  for (gsize room = 0; room < 16; room++)
    {
      sqx_writer writer = { buffer, 0, room };

      g_assert_cmpint (sqx_received_writer_begin (&received, &writer, 8), ==, room >= 4);
      g_assert_cmpuint (writer.size, ==, room >= 4 ? 4 : 0);
      if (room < 4)
        continue;
      g_assert_cmpint (sqx_runs_writer_add (&received, &writer, 64, 2), ==, room >= 7);
      sqx_runs_writer_finish (&received, &writer);
      g_assert_cmpuint (writer.size, ==, room >= 7 ? 7 : 0);
    }
}

static void
test_received_malformed (void)
{
  LEGAL (0x07, 0, 0);
  LEGAL (0x07, 1, 1, 0, 1);
  MALFORMED (0x07, 0, 1, 0, 0); /* an empty run */
  MALFORMED (0x07, 0, 2, 0, 1);
  MALFORMED (0x07, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1);
  LEGAL (0x07, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
  MALFORMED (0x07, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2);
  MALFORMED (0x07, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
}

/* Random bytes ------------------------------------------------------------------------ */

/* Whatever was taken for a frame holds what its decoder promises. */
static void
check_promises (const sqx_frame *frame,
                const guint8    *data,
                gsize            size)
{
  sqx_ack_iter iter;
  guint64 low, high, below = G_MAXUINT64, count = 0;
  sqx_runs runs = frame->type == SQX_FRAME_END ? frame->end.runs : frame->received.runs;
  guint64 wanted = runs.count;

  switch (frame->type)
    {
    case SQX_FRAME_ACK:
      sqx_ack_iter_init (&iter);
      while (sqx_ack_iter_next (&iter, &frame->ack, &low, &high))
        {
          g_assert_cmpuint (low, <=, high);
          g_assert_cmpuint (high, <, below);
          below = low;
          count++;
        }
      g_assert_cmpuint (count, ==, frame->ack.range_count + 1);
      break;
    case SQX_FRAME_END:
    case SQX_FRAME_RECEIVED:
      while (sqx_runs_next (&runs, &low, &high))
        {
          g_assert_cmpuint (high, >=, 1);
          g_assert_cmpuint (low + high - 1, <=, SQX_VARINT_MAX);
          count++;
        }
      g_assert_cmpuint (count, ==, wanted);
      break;
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      g_assert_true (frame->challenge.token >= data);
      g_assert_true (frame->challenge.token + SQX_CHALLENGE_SIZE <= data + size);
      break;
    case SQX_FRAME_MESSAGE:
      g_assert_cmpuint (frame->message.offset + frame->message.size, <=, frame->message.total);
      g_assert_true (frame->message.data >= data);
      g_assert_true (frame->message.data + frame->message.size <= data + size);
      break;
    case SQX_FRAME_HELLO:
      g_assert_cmpuint (frame->hello.size, <=, SQX_HELLO_MAX);
      g_assert_true (frame->hello.data + frame->hello.size <= data + size);
      break;
    case SQX_FRAME_CLOSE:
      g_assert_cmpuint (frame->close.size, <=, SQX_CLOSE_REASON_MAX);
      g_assert_true (frame->close.reason + frame->close.size <= data + size);
      break;
    case SQX_FRAME_DATAGRAM:
      g_assert_true (frame->datagram.data + frame->datagram.size <= data + size);
      break;
    default:
      break;
    }
}

static void
test_random (void)
{
  static const guint8 types[] = { 0, 1, 2, 2, 4, 5, 6, 7, 8, 0x0a, 0x0a, 0x0b, 0x0c, 0x0d, 0x10,
                                  0x31 };
  guint frames = 0;

  for (guint i = 0; i < 100000; i++)
    {
      gsize size = (gsize) g_test_rand_int_range (1, 80);
      guint8 *data = g_malloc (size);
      sqx_reader reader = { data, data + size };
      const guint8 *before = data;
      sqx_frame frame;

      /* Mostly small numbers, so that frames get far. */
      for (gsize k = 0; k < size; k++)
        data[k] = (guint8) g_test_rand_int () >> (g_test_rand_int_range (0, 8) < 7 ? 3 : 0);
      data[0] = types[g_test_rand_int_range (0, G_N_ELEMENTS (types))];
      if (data[0] == 0x10)
        data[0] += (guint8) g_test_rand_int_range (0, 33);

      while (sqx_decode_frame (&reader, &frame))
        {
          g_assert_true (reader.at > before && reader.at <= reader.end);
          before = reader.at;
          check_promises (&frame, data, size);
          frames++;
        }
      g_free (data);
    }
  g_assert_cmpuint (frames, >, 10000);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/wire/varint", test_varint);
  g_test_add_func ("/seqex/wire/varint-examples", test_varint_examples);
  g_test_add_func ("/seqex/wire/read-bytes", test_read_bytes);
  g_test_add_func ("/seqex/wire/plain", test_plain);
  g_test_add_func ("/seqex/wire/padding-ping", test_padding_ping);
  g_test_add_func ("/seqex/wire/unknown", test_unknown);
  g_test_add_func ("/seqex/wire/close", test_close);
  g_test_add_func ("/seqex/wire/close-cut", test_close_cut);
  g_test_add_func ("/seqex/wire/hello", test_hello);
  g_test_add_func ("/seqex/wire/credit", test_credit);
  g_test_add_func ("/seqex/wire/ready", test_ready);
  g_test_add_func ("/seqex/wire/challenge", test_challenge);
  g_test_add_func ("/seqex/wire/cancel", test_cancel);
  g_test_add_func ("/seqex/wire/ack", test_ack);
  g_test_add_func ("/seqex/wire/ack-extremes", test_ack_extremes);
  g_test_add_func ("/seqex/wire/ack-malformed", test_ack_malformed);
  g_test_add_func ("/seqex/wire/end", test_end);
  g_test_add_func ("/seqex/wire/end-room", test_end_room);
  g_test_add_func ("/seqex/wire/end-most", test_end_most);
  g_test_add_func ("/seqex/wire/end-malformed", test_end_malformed);
  g_test_add_func ("/seqex/wire/received", test_received);
  g_test_add_func ("/seqex/wire/received-room", test_received_room);
  g_test_add_func ("/seqex/wire/received-malformed", test_received_malformed);
  g_test_add_func ("/seqex/wire/random", test_random);
  return g_test_run ();
}
