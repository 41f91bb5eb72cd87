/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MESSAGE and DATAGRAM, whose form depends on the room that is left.
 */
#include "wire-util.h"

/* MESSAGE ----------------------------------------------------------------------------- */

static guint8 payload[MAX_PACKET];

/* Writes @header into a packet that has @room left after a PING, and decodes it again. Returns how
 * many bytes went, -1 for none and no frame. */
static gssize
round_trip (const sqx_message_header *header,
            gsize                     room,
            sqx_frame                *frame)
{
  guint8 buffer[MAX_PACKET];
  sqx_writer writer = { buffer, 1, 1 + room };
  guint64 written = 99999;
  sqx_reader reader;
  guint8 *copy;

  buffer[0] = SQX_FRAME_PING;
  if (!sqx_write_message (&writer, header, payload + header->offset, &written))
    {
      g_assert_cmpuint (writer.size, ==, 1);
      return -1;
    }

  g_assert_cmpuint (writer.size, <=, writer.capacity);
  /* What does not say its length must be at the packet's end. */
  if (writer.size < writer.capacity)
    {
      check_truncations (&(sqx_writer) { buffer + 1, writer.size - 1, writer.size - 1 });
      g_assert_true (sqx_write_ping (&writer));
    }
  copy = g_memdup2 (buffer, writer.size);
  reader = (sqx_reader) { copy, copy + writer.size };
  g_assert_true (sqx_decode_frame (&reader, frame));
  do
    g_assert_true (sqx_decode_frame (&reader, frame));
  while (frame->type == SQX_FRAME_PADDING);

  g_assert_cmpuint (frame->type, ==, SQX_FRAME_MESSAGE);
  g_assert_cmpuint (frame->message.channel, ==, header->channel);
  g_assert_cmpuint (frame->message.number, ==, header->number);
  g_assert_cmpuint (frame->message.flags & ~SQX_WIRE_FRAGMENT, ==, header->flags);
  g_assert_cmpuint (frame->message.reply_to, ==,
                    header->flags & SQX_WIRE_REPLY ? header->reply_to : 0);
  g_assert_cmpuint (frame->message.total, ==, header->total);
  g_assert_cmpuint (frame->message.offset, ==, header->offset);
  g_assert_cmpmem (frame->message.data, frame->message.size, payload + header->offset, written);
  g_assert_cmpint (!(frame->message.flags & SQX_WIRE_FRAGMENT), ==, written == header->total);
  if (reader.at < reader.end)
    {
      sqx_frame next;

      g_assert_true (sqx_decode_frame (&reader, &next));
      g_assert_cmpuint (next.type, ==, SQX_FRAME_PING);
    }
  g_assert_true (reader.at == reader.end);
  g_free (copy);
  return (gssize) written;
}

/* How many bytes the best possible frame carries: as a whole if at all, else as a fragment. */
static gssize
best_size (const sqx_message_header *header,
           gsize                     room)
{
  gsize whole = 1 + sqx_varint_size (header->channel) + sqx_varint_size (header->number);
  gsize part;

  if (header->flags & SQX_WIRE_REPLY)
    whole += sqx_varint_size (header->reply_to);
  if (header->size == header->total && whole + header->total <= room)
    return (gssize) header->total;

  part = whole + sqx_varint_size (header->total) + sqx_varint_size (header->offset);
  if (header->size == 0 || part >= room)
    return -1;
  return (gssize) MIN (header->size, room - part);
}

static void
test_message_bytes (void)
{
  sqx_message_header header = { .channel = 2, .number = 64, .flags = SQX_WIRE_ORDERED, .total = 3,
                                .size = 3 };
  guint8 buffer[128];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  guint64 written;

  g_assert_true (sqx_write_message (&writer, &header, (const guint8 *) "abc", &written));
  BYTES (&writer, 0x19, 2, 0x40, 64, 3, 'a', 'b', 'c');

  /* The length takes the last byte. */
  writer = (sqx_writer) { buffer, 0, 8 };
  g_assert_true (sqx_write_message (&writer, &header, (const guint8 *) "abc", &written));
  BYTES (&writer, 0x19, 2, 0x40, 64, 3, 'a', 'b', 'c');

  /* Exactly full: no length. */
  writer = (sqx_writer) { buffer, 0, 7 };
  g_assert_true (sqx_write_message (&writer, &header, (const guint8 *) "abc", &written));
  BYTES (&writer, 0x11, 2, 0x40, 64, 'a', 'b', 'c');

  /* A byte less: a fragment, which has two numbers more. */
  writer.size = 0;
  writer.capacity = 6;
  g_assert_false (sqx_write_message (&writer, &header, (const guint8 *) "abc", &written));

  header.flags = SQX_WIRE_REPLY | SQX_WIRE_FINAL;
  header.reply_to = 5;
  header.total = 1000;
  header.offset = 500;
  header.size = 2;
  writer.capacity = sizeof buffer;
  g_assert_true (sqx_write_message (&writer, &header, (const guint8 *) "xy", &written));
  BYTES (&writer, 0x2e, 2, 0x40, 64, 5, 0x43, 0xe8, 0x41, 0xf4, 2, 'x', 'y');
  g_assert_cmpuint (written, ==, 2);
  check_truncations (&writer);

  /* A length of two bytes has no room but one is left: PADDING in front. */
  header = (sqx_message_header) { .total = 64, .size = 64 };
  writer = (sqx_writer) { buffer, 0, 68 };
  g_assert_true (sqx_write_message (&writer, &header, payload, &written));
  g_assert_cmpuint (written, ==, 64);
  g_assert_cmpuint (writer.size, ==, 68);
  g_assert_cmpmem (buffer, 4, ((const guint8[]) { 0x00, 0x10, 0, 0 }), 4);
  g_assert_cmpmem (buffer + 4, 64, payload, 64);

  /* Flags that the writer chooses are not taken from the caller. */
  header = (sqx_message_header) { .flags = 0xff & ~SQX_WIRE_REPLY };
  writer.size = 0;
  g_assert_true (sqx_write_message (&writer, &header, NULL, &written));
  BYTES (&writer, 0x29, 0, 0, 0);
  g_assert_cmpuint (written, ==, 0);
}

/* Every size of room around every size of message. */
static void
test_message_room (void)
{
  static const gsize totals[] = { 0, 1, 2, 5, 62, 63, 64, 65, 66, 130, 300 };
  static const guint8 flags[] = { 0, SQX_WIRE_REPLY, SQX_WIRE_ORDERED | SQX_WIRE_FINAL };

  for (guint i = 0; i < G_N_ELEMENTS (totals); i++)
    for (guint k = 0; k < G_N_ELEMENTS (flags); k++)
      for (gsize offset = 0; offset <= totals[i]; offset += 31)
        for (gsize room = 0; room < 330; room++)
          {
            sqx_message_header header = { .channel = 100, .number = 7, .flags = flags[k],
                                          .reply_to = 70, .total = totals[i], .offset = offset,
                                          .size = totals[i] - offset };
            sqx_frame frame;

            g_assert_cmpint (round_trip (&header, room, &frame), ==, best_size (&header, room));
          }
}

static guint64
random_varint (void)
{
  guint64 value = (guint64) (guint32) g_test_rand_int () << 32 | (guint32) g_test_rand_int ();

  return value >> g_test_rand_int_range (2, 64);
}

static void
test_message_random (void)
{
  for (guint i = 0; i < 20000; i++)
    {
      gsize total = (gsize) g_test_rand_int_range (0, MAX_PACKET);
      gsize offset = g_test_rand_bit () ? 0 : (gsize) g_test_rand_int_range (0, (gint32) total + 1);
      gsize size = total - offset;
      gsize room = (gsize) g_test_rand_int_range (0, MAX_PACKET - 1);
      sqx_message_header header = {
        .channel = random_varint (), .number = random_varint (), .reply_to = random_varint (),
        .flags = (guint8) g_test_rand_int_range (0, 32) & 0x13, .total = total, .offset = offset,
      };
      sqx_frame frame;

      if (g_test_rand_int_range (0, 4) == 0)
        size = (gsize) g_test_rand_int_range (0, (gint32) size + 1);
      header.size = size;
      g_assert_cmpint (round_trip (&header, room, &frame), ==, best_size (&header, room));
    }
}

static void
test_message_malformed (void)
{
  LEGAL (0x10, 0, 0);
  LEGAL (0x10, 0, 0, 'a');
  LEGAL (0x18, 0, 0, 0);
  LEGAL (0x18, 0, 0, 1, 'a');
  MALFORMED (0x18, 0, 0, 2, 'a');
  MALFORMED (0x18, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a');
  MALFORMED (0x12, 0, 0); /* no reply-to */
  MALFORMED (0x14, 0, 0, 5);
  /* Fragments: total, offset. */
  LEGAL (0x14, 0, 0, 5, 4, 'a');
  MALFORMED (0x14, 0, 0, 5, 5, 'a');
  MALFORMED (0x14, 0, 0, 5, 6, 'a');
  LEGAL (0x14, 0, 0, 1, 0, 'a'); /* as long as the whole */
  LEGAL (0x14, 0, 0, 0, 0);
  MALFORMED (0x14, 0, 0, 0, 1);
  MALFORMED (0x14, 0, 0, 5, 0); /* no bytes of something */
  MALFORMED (0x1c, 0, 0, 5, 0, 0);
  MALFORMED (0x14, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a');
  MALFORMED (0x1c, 0, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a');
}

/* DATAGRAM ---------------------------------------------------------------------------- */

static void
test_datagram (void)
{
  static const gsize sizes[] = { 0, 1, 3, 62, 63, 64, 65, 200 };
  guint8 buffer[512];
  sqx_writer writer = { buffer, 0, sizeof buffer };

  g_assert_true (sqx_write_datagram (&writer, (const guint8 *) "ab", 2));
  BYTES (&writer, 0x31, 2, 'a', 'b');
  check_truncations (&writer);
  writer = (sqx_writer) { buffer, 0, 3 };
  g_assert_true (sqx_write_datagram (&writer, (const guint8 *) "ab", 2));
  BYTES (&writer, 0x30, 'a', 'b');

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize room = 0; room < 210; room++)
      {
        gsize size = sizes[i];
        sqx_frame frame = { 0 };
        sqx_reader reader;

        writer = (sqx_writer) { buffer, 0, room };
        g_assert_cmpint (sqx_write_datagram (&writer, payload, size), ==, room > size);
        if (room <= size)
          {
            g_assert_cmpuint (writer.size, ==, 0);
            continue;
          }
        g_assert_cmpuint (writer.size, ==, MIN (room, size + sqx_datagram_overhead (size)));
        reader = (sqx_reader) { buffer, buffer + writer.size };
        do
          g_assert_true (sqx_decode_frame (&reader, &frame));
        while (frame.type == SQX_FRAME_PADDING);
        g_assert_cmpuint (frame.type, ==, SQX_FRAME_DATAGRAM);
        g_assert_cmpmem (frame.datagram.data, frame.datagram.size, payload, size);
        g_assert_true (reader.at == reader.end);
      }

  LEGAL (0x30);
  LEGAL (0x31, 0);
  MALFORMED (0x31);
  MALFORMED (0x31, 2, 'a');
  MALFORMED (0x31, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a');
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < sizeof payload; i++)
    payload[i] = (guint8) (i * 31 + i / 256);

  g_test_add_func ("/seqex/wire-message/bytes", test_message_bytes);
  g_test_add_func ("/seqex/wire-message/room", test_message_room);
  g_test_add_func ("/seqex/wire-message/random", test_message_random);
  g_test_add_func ("/seqex/wire-message/malformed", test_message_malformed);
  g_test_add_func ("/seqex/wire-message/datagram", test_datagram);
  return g_test_run ();
}
