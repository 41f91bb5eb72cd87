/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes packets with the encoders of the core, and what the core says of them, one JSON object a
 * line, for verify_wire.py.
 *
 *   gen-vectors fixed                  the vectors of docs/protocol.md
 *   gen-vectors handshake              those of encrypted connections
 *   gen-vectors written SEED COUNT     random frames; the line says what the writers were told
 *   gen-vectors damaged SEED COUNT     such packets changed at random; what the decoder says
 *   gen-vectors hello SEED COUNT       lists of parameters, right and wrong; what the decoder says
 *   gen-vectors numbers SEED COUNT     packet numbers expanded
 *   gen-vectors exchange SEED          a conversation of two connections over a bad network
 *   gen-vectors epochs SEED            a connection among incarnations of its peer
 */
#include "gen-vectors.h"

#include <stdlib.h>
#include <string.h>

#include "sqx-acks.h"
#include "vector-json.h"

#define PACKET_MAX 2048

/* Lines -------------------------------------------------------------------------------- */

GString *
line_begin (const char *kind)
{
  GString *json = g_string_new ("{");

  json_string (json, "kind", kind);
  return json;
}

void
line_end (GString *json)
{
  g_string_append (json, "}\n");
  fputs (json->str, stdout);
  g_string_free (json, TRUE);
}

/* Random values ------------------------------------------------------------------------- */

/* All widths alike, and the edges of each more often than chance would have them. */
static guint64
draw_varint (GRand *rand)
{
  guint bits = (guint) g_rand_int_range (rand, 0, 63);
  guint64 value = (guint64) g_rand_int (rand) << 32 | g_rand_int (rand);
  guint64 mask = (G_GUINT64_CONSTANT (1) << bits) - 1;

  switch (g_rand_int_range (rand, 0, 8))
    {
    case 0: return mask;
    case 1: return MIN (mask + 1, SQX_VARINT_MAX);
    default: return value & mask;
    }
}

/* Both bounds are likelier than chance would have it. */
static guint64
draw_between (GRand  *rand,
              guint64 least,
              guint64 most)
{
  guint64 value = draw_varint (rand);

  return CLAMP (value, least, most);
}

static void
draw_bytes (GRand   *rand,
            uint8_t *bytes,
            gsize    size)
{
  for (gsize i = 0; i < size; i++)
    bytes[i] = (uint8_t) g_rand_int (rand);
}

static gboolean
draw_bool (GRand *rand)
{
  return g_rand_boolean (rand);
}

static void
write_random_header (GRand      *rand,
                     sqx_writer *writer,
                     GString    *json)
{
  sqx_plain_header header = {
    .instance = g_rand_int (rand),
    .source_epoch = g_rand_int (rand),
    .destination_epoch = draw_bool (rand) ? g_rand_int (rand) : 0,
    .number = g_rand_int (rand),
  };

  sqx_write_plain (writer, &header);
  json_header (json, &header);
}

/* Frames --------------------------------------------------------------------------------
 *
 * Each writes a frame with random values, and its line's part from those values and not from what
 * was written. FALSE: it did not fit. */

static gboolean
write_random_ack (GRand      *rand,
                  sqx_writer *writer,
                  sqx_frame  *frame,
                  uint8_t    *scratch)
{
  sqx_range ranges[SQX_ACK_RANGES];
  sqx_writer pairs = { scratch, 0, PACKET_MAX };
  gsize count = 1 + (gsize) g_rand_int_range (rand, 0, draw_bool (rand) ? 3 : SQX_ACK_RANGES);
  guint64 delay = draw_varint (rand), at = draw_varint (rand) / 2;

  for (gsize i = 0; i < count; i++)
    {
      ranges[i].start = at + 1 + draw_varint (rand) % 1000;
      ranges[i].end = at = ranges[i].start + 1 + draw_varint (rand) % 1000;
    }
  /* How many fit is the writer's choice; so these have to, all of them. */
  if (sqx_writer_room (writer) < 25 + 16 * count || !sqx_write_ack (writer, ranges, count, delay))
    return FALSE;

  frame->type = SQX_FRAME_ACK;
  frame->ack = (sqx_ack) {
    .largest = at - 1,
    .delay = delay,
    .first_range = at - 1 - ranges[count - 1].start,
    .range_count = count - 1,
  };
  for (gsize i = count - 1; i > 0; i--)
    {
      sqx_write_varint (&pairs, ranges[i].start - ranges[i - 1].end - 1);
      sqx_write_varint (&pairs, ranges[i - 1].end - 1 - ranges[i - 1].start);
    }
  frame->ack.reader = (sqx_reader) { scratch, scratch + pairs.size };
  return TRUE;
}

static gboolean
write_random_runs (GRand           *rand,
                   sqx_runs_writer *runs_writer,
                   sqx_writer      *writer,
                   sqx_runs        *runs,
                   uint8_t         *scratch)
{
  sqx_writer pairs = { scratch, 0, PACKET_MAX };
  guint count = 1 + (guint) g_rand_int_range (rand, 0, 20);

  runs->count = 0;
  while (runs->count < count)
    {
      guint64 run = 1 + draw_varint (rand) / 2, first = draw_varint (rand) / 2;

      if (!sqx_runs_writer_add (runs_writer, writer, first, run))
        break;
      sqx_write_varint (&pairs, first);
      sqx_write_varint (&pairs, run);
      runs->count++;
    }
  sqx_runs_writer_finish (runs_writer, writer);
  runs->reader = (sqx_reader) { scratch, scratch + pairs.size };
  return runs->count > 0;
}

static gboolean
write_random_end (GRand      *rand,
                  sqx_writer *writer,
                  sqx_frame  *frame,
                  uint8_t    *scratch)
{
  sqx_runs_writer end;

  frame->type = SQX_FRAME_END;
  frame->end.channel = draw_varint (rand);
  frame->end.reason = (uint8_t) g_rand_int (rand);
  return sqx_end_writer_begin (&end, writer, frame->end.channel, frame->end.reason) &&
         write_random_runs (rand, &end, writer, &frame->end.runs, scratch);
}

static gboolean
write_random_received (GRand      *rand,
                       sqx_writer *writer,
                       sqx_frame  *frame,
                       uint8_t    *scratch)
{
  sqx_runs_writer received;

  frame->type = SQX_FRAME_RECEIVED;
  frame->received.channel = draw_varint (rand);
  return sqx_received_writer_begin (&received, writer, frame->received.channel) &&
         write_random_runs (rand, &received, writer, &frame->received.runs, scratch);
}

static gboolean
write_random_message (GRand      *rand,
                      sqx_writer *writer,
                      sqx_frame  *frame,
                      uint8_t    *scratch)
{
  sqx_message_header header = {
    .channel = draw_varint (rand),
    .number = draw_varint (rand),
    .reply_to = draw_varint (rand),
    .flags = (uint8_t) (g_rand_int (rand) & (SQX_WIRE_ORDERED | SQX_WIRE_REPLY | SQX_WIRE_FINAL)),
  };
  uint64_t written = 0;

  /* A whole message, or what there is of a larger one from some place on. */
  header.size = header.total = (uint64_t) g_rand_int_range (rand, 0, PACKET_MAX);
  if (header.size > 0 && draw_bool (rand))
    {
      header.offset = draw_varint (rand) / 2;
      header.total = header.offset + header.size + (draw_bool (rand) ? draw_varint (rand) / 4 : 0);
    }
  draw_bytes (rand, scratch, header.size);
  if (!sqx_write_message (writer, &header, scratch, &written))
    return FALSE;

  frame->type = SQX_FRAME_MESSAGE;
  frame->message.channel = header.channel;
  frame->message.number = header.number;
  frame->message.flags = header.flags;
  frame->message.reply_to = header.reply_to;
  frame->message.total = header.total;
  frame->message.offset = header.offset;
  frame->message.data = scratch;
  frame->message.size = written;
  if (written < header.total)
    frame->message.flags |= SQX_WIRE_FRAGMENT;
  return TRUE;
}

static void
draw_hello (GRand     *rand,
            sqx_hello *hello)
{
  static const char *const names[] = {
    "", "calculator", "org.example.Ünïcödé", "\xf0\x9f\x90\xa6",
  };

  *hello = (sqx_hello) {
    .max_message_size = draw_between (rand, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_MAX),
    .exchange_credit = draw_between (rand, 1, SQX_EXCHANGES_MAX),
    .max_channels = draw_between (rand, SQX_CHANNELS_MIN, SQX_CHANNELS_MAX),
    .max_streams = draw_bool (rand) ? draw_varint (rand) : 0,
    .idle_timeout = draw_bool (rand) ? draw_between (rand, SQX_IDLE_MIN, SQX_VARINT_MAX) : 0,
    .ack_delay = draw_between (rand, 0, SQX_ACK_DELAY_MAX),
    .max_datagram_size = draw_between (rand, SQX_DATAGRAM_MIN, SQX_DATAGRAM_MAX),
  };
  hello->stream_window = hello->max_streams > 0
                         ? draw_between (rand, SQX_STREAM_WINDOW_MIN, SQX_WINDOW_MAX)
                         : SQX_STREAM_WINDOW_MIN;
  hello->byte_credit = draw_between (rand, 2 * (hello->max_message_size + SQX_MESSAGE_OVERHEAD),
                                     SQX_WINDOW_MAX);
  strcpy (hello->application_id, names[g_rand_int_range (rand, 0, G_N_ELEMENTS (names))]);
}

/* Those that stand in encrypted packets alone. */
static gboolean
write_secure_frame (GRand      *rand,
                    sqx_writer *writer,
                    sqx_frame  *frame,
                    uint8_t    *scratch)
{
  frame->challenge.token = scratch;
  draw_bytes (rand, scratch, SQX_CHALLENGE_SIZE);
  switch (g_rand_int_range (rand, 0, 5))
    {
    case 0:
      frame->type = SQX_FRAME_READY;
      return sqx_write_ready (writer);
    case 1:
      frame->type = SQX_FRAME_CHALLENGE;
      return sqx_write_challenge (writer, scratch);
    case 2:
      frame->type = SQX_FRAME_RESPONSE;
      return sqx_write_response (writer, scratch);
    default:
      return write_random_received (rand, writer, frame, scratch);
    }
}

static gboolean
write_random_frame (GRand      *rand,
                    sqx_writer *writer,
                    sqx_frame  *frame,
                    uint8_t    *scratch,
                    gboolean    plain)
{
  sqx_hello hello;

  if (!plain && draw_bool (rand))
    return write_secure_frame (rand, writer, frame, scratch);

  switch (g_rand_int_range (rand, 0, 10))
    {
    case 0:
      frame->type = SQX_FRAME_PING;
      return sqx_write_ping (writer);
    case 1:
      return write_random_ack (rand, writer, frame, scratch);
    case 2:
      frame->type = SQX_FRAME_CLOSE;
      frame->close.code = draw_varint (rand);
      frame->close.reason = scratch;
      frame->close.size = (gsize) g_rand_int_range (rand, 0, SQX_CLOSE_REASON_MAX + 1);
      draw_bytes (rand, scratch, frame->close.size);
      return sqx_write_close (writer, frame->close.code, (const char *) scratch, frame->close.size);
    case 3:
      draw_hello (rand, &hello);
      frame->type = SQX_FRAME_HELLO;
      frame->hello.data = scratch;
      frame->hello.size = sqx_hello_encode (&hello, scratch);
      return sqx_write_hello (writer, scratch, frame->hello.size);
    case 4:
      frame->type = SQX_FRAME_CREDIT;
      frame->credit.bytes = draw_varint (rand);
      frame->credit.exchanges = draw_varint (rand);
      return sqx_write_credit (writer, frame->credit.bytes, frame->credit.exchanges);
    case 5:
      return write_random_end (rand, writer, frame, scratch);
    case 6:
      frame->type = SQX_FRAME_CANCEL;
      frame->cancel.channel = draw_varint (rand);
      frame->cancel.number = draw_varint (rand);
      frame->cancel.total = draw_varint (rand);
      frame->cancel.is_reply = draw_bool (rand);
      frame->cancel.reply_to = draw_between (rand, 0, SQX_VARINT_MAX - 1);
      return sqx_write_cancel (writer, frame->cancel.channel, frame->cancel.number,
                               frame->cancel.total, frame->cancel.is_reply, frame->cancel.reply_to);
    case 7:
      frame->type = SQX_FRAME_DATAGRAM;
      frame->datagram.data = scratch;
      frame->datagram.size = (gsize) g_rand_int_range (rand, 0, 200);
      if (draw_bool (rand) && sqx_writer_room (writer) > 0)
        frame->datagram.size = MIN (sqx_writer_room (writer) - 1, PACKET_MAX);
      draw_bytes (rand, scratch, frame->datagram.size);
      return sqx_write_datagram (writer, scratch, frame->datagram.size);
    default:
      return write_random_message (rand, writer, frame, scratch);
    }
}

/* Packets ------------------------------------------------------------------------------ */

/* Of PLAIN, or what an encrypted packet holds. */
static void
write_random_packet (GRand      *rand,
                     sqx_writer *writer,
                     GString    *json,
                     gboolean    plain)
{
  uint8_t scratch[PACKET_MAX];
  sqx_frame frame;
  guint count = 0;

  writer->size = 0;
  writer->capacity = (gsize) g_rand_int_range (rand, SQX_PLAIN_HEADER + 1, PACKET_MAX);
  if (plain)
    write_random_header (rand, writer, json);
  g_string_append (json, ", \"frames\": [");
  while (count == 0 || (count < 5 && sqx_writer_room (writer) > 0))
    {
      gsize before = writer->size;

      if (write_random_frame (rand, writer, &frame, scratch, plain))
        json_frame (json, &frame);
      else
        g_assert_cmpuint (writer->size, ==, before);
      count += writer->size > before;
    }
  g_string_append_c (json, ']');
}

static void
generate_written (GRand *rand)
{
  uint8_t data[PACKET_MAX];
  sqx_writer writer = { .data = data };
  GString *json = line_begin ("written");

  write_random_packet (rand, &writer, json, g_rand_int_range (rand, 0, 3) > 0);
  json_hex (json, "hex", data, writer.size);
  line_end (json);
}

/* Changes, drops, doubles or adds something. */
static void
damage (GRand      *rand,
        GByteArray *bytes)
{
  guint at = bytes->len > 0 ? (guint) g_rand_int_range (rand, 0, (gint32) bytes->len) : 0;
  guint size = (guint) g_rand_int_range (rand, 1, 9);
  uint8_t noise[9];

  draw_bytes (rand, noise, sizeof noise);
  switch (g_rand_int_range (rand, 0, 7))
    {
    case 0:
      if (bytes->len > 0)
        bytes->data[at] ^= (uint8_t) (1u << g_rand_int_range (rand, 0, 8));
      break;
    case 1:
      if (bytes->len > 0)
        bytes->data[at] = noise[0];
      break;
    case 2:
      g_byte_array_set_size (bytes, at);
      break;
    case 3:
      g_byte_array_remove_range (bytes, at, MIN (size, bytes->len - at));
      break;
    case 4:
      g_byte_array_append (bytes, noise, (guint) g_rand_int_range (rand, 1, sizeof noise));
      break;
    case 5:
      /* A frame of any type where the first one was, so that no type is rare. */
      if (bytes->len > SQX_PLAIN_HEADER)
        bytes->data[SQX_PLAIN_HEADER] = noise[0] & 0x3f;
      break;
    default:
      /* Small numbers: counts, lengths and offsets that may come true. */
      if (bytes->len > 0)
        bytes->data[at] = noise[0] & 7;
      break;
    }
}

/* CLOSE or HELLO, complete, with a length around the one that is too much. */
static void
write_edge (GRand      *rand,
            sqx_writer *writer)
{
  gboolean close = draw_bool (rand);
  guint limit = close ? SQX_CLOSE_REASON_MAX : SQX_HELLO_MAX;
  guint size = limit + (guint) g_rand_int_range (rand, -3, 4);

  writer->size = 0;
  sqx_write_plain (writer, &(sqx_plain_header) { .number = g_rand_int (rand) });
  writer->data[writer->size++] = close ? SQX_FRAME_CLOSE : SQX_FRAME_HELLO;
  if (close)
    writer->data[writer->size++] = 0;
  sqx_write_varint (writer, size);
  draw_bytes (rand, writer->data + writer->size, size);
  writer->size += size;
}

static void
generate_damaged (GRand *rand)
{
  uint8_t data[PACKET_MAX];
  sqx_writer writer = { .data = data };
  gboolean edge = g_rand_int_range (rand, 0, 20) == 0;
  gboolean plain = edge || g_rand_int_range (rand, 0, 3) > 0;
  GString *json = line_begin (plain ? "packet" : "frames");
  g_autoptr (GString) unused = g_string_new ("{");
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  write_random_packet (rand, &writer, unused, plain);
  if (edge)
    {
      writer.capacity = sizeof data;
      write_edge (rand, &writer);
    }
  g_byte_array_append (bytes, data, (guint) writer.size);
  for (gint i = edge ? -1 : g_rand_int_range (rand, 0, 4); i >= 0; i--)
    damage (rand, bytes);
  if (plain)
    json_packet (json, bytes->data, bytes->len);
  else
    json_frames (json, bytes->data, bytes->len);
  line_end (json);
}

/* Parameters --------------------------------------------------------------------------- */

static void
add_parameter (GByteArray *bytes,
               guint64     id,
               guint64     length,
               const void *value,
               guint       size)
{
  uint8_t buffer[16];
  sqx_writer writer = { buffer, 0, sizeof buffer };

  sqx_write_varint (&writer, id);
  sqx_write_varint (&writer, length);
  g_byte_array_append (bytes, buffer, (guint) writer.size);
  g_byte_array_append (bytes, value, size);
}

/* At one of the bounds in sqx-limits.h, or one beside it. */
static guint64
draw_bound (GRand *rand)
{
  static const guint64 bounds[] = {
    0, 1, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_MAX, SQX_WINDOW_MAX, SQX_EXCHANGES_MAX,
    SQX_CHANNELS_MIN, SQX_CHANNELS_MAX, SQX_IDLE_MIN, SQX_ACK_DELAY_MAX, SQX_DATAGRAM_MIN,
    SQX_DATAGRAM_MAX, G_MAXUINT32, SQX_VARINT_MAX, 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
  };
  guint64 bound = bounds[g_rand_int_range (rand, 0, G_N_ELEMENTS (bounds))];

  switch (g_rand_int_range (rand, 0, 3))
    {
    case 0: return bound > 0 ? bound - 1 : 0;
    case 1: return MIN (bound + 1, SQX_VARINT_MAX);
    default: return bound;
    }
}

/* An application id: valid UTF-8 of several lengths, or bytes. */
static guint
draw_text (GRand   *rand,
           uint8_t *text)
{
  guint size = 0;

  if (draw_bool (rand))
    {
      while (size < 250 && g_rand_int_range (rand, 0, 8) > 0)
        size += (guint) g_unichar_to_utf8 ((gunichar) (draw_varint (rand) % 0x110000),
                                           (char *) text + size);
      return size;
    }
  size = (guint) g_rand_int_range (rand, 0, draw_bool (rand) ? 4 : 300);
  draw_bytes (rand, text, size);
  return size;
}

/* As many as there may be, or about so many. */
static void
add_unknown_parameters (GRand      *rand,
                        GByteArray *bytes)
{
  guint count = SQX_HELLO_PARAMETERS - 10 + (guint) g_rand_int_range (rand, 0, 5);

  for (guint i = 0; i < count; i++)
    add_parameter (bytes, 100 + i, 0, NULL, 0);
}

/* Parameters one by one: some left out, some twice, some beside their bounds, in any order. */
static void
draw_parameters (GRand      *rand,
                 GByteArray *bytes)
{
  sqx_hello hello;
  guint64 values[9];

  draw_hello (rand, &hello);
  values[1] = hello.max_message_size;
  values[2] = hello.byte_credit;
  values[3] = hello.exchange_credit;
  values[4] = hello.max_channels;
  values[5] = hello.max_streams;
  values[6] = hello.idle_timeout;
  values[7] = hello.ack_delay;
  values[8] = hello.max_datagram_size;
  if (g_rand_int_range (rand, 0, 3) == 0)
    values[g_rand_int_range (rand, 1, 9)] = draw_bound (rand);

  for (guint i = (guint) g_rand_int_range (rand, 0, 9), n = 0; n < 9; n++, i++)
    {
      uint8_t value[300];
      sqx_writer writer = { value, 0, 8 };
      guint id = 1 + i % 9;

      if (g_rand_int_range (rand, 0, 60) == 0)
        continue;
      if (id == SQX_HELLO_APPLICATION_ID)
        writer.size = draw_text (rand, value);
      else
        sqx_write_varint (&writer, values[id]);
      add_parameter (bytes, id, writer.size, value, (guint) writer.size);
      /* The same again, or under an id that nobody knows, which must not come twice either. */
      if (g_rand_int_range (rand, 0, 100) == 0)
        add_parameter (bytes, id, writer.size, value, (guint) writer.size);
      if (g_rand_int_range (rand, 0, 10) == 0)
        add_parameter (bytes, draw_bool (rand) ? 10 : 10 + draw_varint (rand) / 2, writer.size,
                       value, (guint) writer.size);
    }
}

static void
generate_hello (GRand *rand)
{
  GString *json = line_begin ("hello");
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  if (g_rand_int_range (rand, 0, 10) == 0)
    add_unknown_parameters (rand, bytes);
  draw_parameters (rand, bytes);
  if (g_rand_int_range (rand, 0, 3) == 0)
    damage (rand, bytes);
  json_hello (json, bytes->data, bytes->len);
  line_end (json);
}

/* Packet numbers ----------------------------------------------------------------------- */

static void
generate_number (GRand *rand)
{
  GString *json = line_begin ("number");
  guint64 largest = draw_varint (rand);
  guint32 bits = g_rand_int (rand);
  sqx_acks acks;

  /* Around a wrap, or anywhere. */
  if (draw_bool (rand))
    largest = (largest & ~(guint64) G_MAXUINT32) + g_rand_int_range (rand, -2000, 2000);
  largest = MIN (largest, SQX_VARINT_MAX - 1);
  if (draw_bool (rand))
    bits = (guint32) (largest + (guint64) g_rand_int_range (rand, -2000, 2000));

  sqx_acks_init (&acks, 0);
  if (g_rand_int_range (rand, 0, 20) == 0)
    json_null (json, "largest");
  else
    {
      json_number (json, "largest", largest);
      sqx_acks_add (&acks, 0, largest, FALSE);
    }
  json_number (json, "bits", bits);
  json_number (json, "number", sqx_acks_expand (&acks, bits));
  json_bool (json, "old", sqx_acks_check (&acks, sqx_acks_expand (&acks, bits)) == SQX_ACKS_OLD);
  sqx_acks_clear (&acks);
  line_end (json);
}

/* -------------------------------------------------------------------------------------- */

static gint
usage (void)
{
  g_printerr ("usage: gen-vectors fixed | handshake | exchange SEED | epochs SEED |\n"
              "       written|damaged|hello|numbers SEED COUNT\n");
  return 2;
}

int
main (int    argc,
      char **argv)
{
  static const struct { const char *name; void (*generate) (GRand *rand); } kinds[] = {
    { "written", generate_written },
    { "damaged", generate_damaged },
    { "hello", generate_hello },
    { "numbers", generate_number },
  };

  if (argc == 2 && g_str_equal (argv[1], "fixed"))
    {
      generate_fixed ();
      return 0;
    }
  if (argc == 2 && g_str_equal (argv[1], "handshake"))
    {
      generate_handshake ();
      return 0;
    }
  if (argc == 3 && g_str_equal (argv[1], "exchange"))
    {
      generate_exchange (g_ascii_strtoull (argv[2], NULL, 10));
      return 0;
    }
  if (argc == 3 && g_str_equal (argv[1], "epochs"))
    {
      generate_epochs (g_ascii_strtoull (argv[2], NULL, 10));
      return 0;
    }
  if (argc != 4)
    return usage ();

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (argv[1], kinds[i].name))
      {
        guint32 seed = (guint32) g_ascii_strtoull (argv[2], NULL, 10);
        guint64 count = g_ascii_strtoull (argv[3], NULL, 10);
        g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

        while (count-- > 0)
          kinds[i].generate (rand);
        return 0;
      }
  return usage ();
}
