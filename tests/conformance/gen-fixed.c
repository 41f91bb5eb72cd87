/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The test vectors of docs/protocol.md: packets of a small conversation, one for what the others
 * leave out, and what must be refused.
 */
#include "gen-vectors.h"

#include <string.h>

#include "sqx-acks.h"
#include "vector-json.h"

#define INSTANCE 7u
#define EPOCH_A  0xa1a2a3a4u
#define EPOCH_B  0xb1b2b3b4u

static const sqx_hello hello_a = {
  .max_message_size = SQX_MESSAGE_MAX_DEFAULT,
  .byte_credit = SQX_WINDOW_DEFAULT,
  .exchange_credit = SQX_EXCHANGES_DEFAULT,
  .max_channels = SQX_CHANNELS_DEFAULT,
  .idle_timeout = SQX_IDLE_DEFAULT,
  .ack_delay = SQX_ACK_DELAY_DEFAULT,
  .max_datagram_size = SQX_DATAGRAM_DEFAULT,
  .application_id = "calc",
};

static const sqx_hello hello_b = {
  .max_message_size = SQX_MESSAGE_MAX_MIN,
  .byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
  .exchange_credit = 1,
  .max_channels = SQX_CHANNELS_MIN,
  .ack_delay = 0,
  .max_datagram_size = SQX_DATAGRAM_MIN,
  .application_id = "calc",
};

/* Packets ------------------------------------------------------------------------------ */

static uint8_t    data[1200];
static sqx_writer writer;

static void
begin (uint32_t source,
       uint32_t destination,
       uint32_t number)
{
  sqx_plain_header header = { INSTANCE, source, destination, number };

  writer = (sqx_writer) { data, 0, sizeof data };
  sqx_write_plain (&writer, &header);
}

static void
say_hello (const sqx_hello *hello)
{
  uint8_t parameters[SQX_HELLO_MAX];

  sqx_write_hello (&writer, parameters, sqx_hello_encode (hello, parameters));
}

/* @room: what is left of the packet for the frame, so that it ends there; 0: more than enough. */
static void
say_message (uint64_t    number,
             uint8_t     flags,
             uint64_t    reply_to,
             uint64_t    total,
             uint64_t    offset,
             const char *text,
             gsize       room)
{
  sqx_message_header header = {
    .number = number, .flags = flags, .reply_to = reply_to,
    .total = total, .offset = offset, .size = strlen (text),
  };
  uint64_t written;

  if (room > 0)
    writer.capacity = writer.size + room;
  sqx_write_message (&writer, &header, (const uint8_t *) text, &written);
  g_assert_cmpuint (written, ==, strlen (text));
}

static void
say_ack (const sqx_range *ranges,
         gsize            count,
         uint64_t         delay)
{
  g_assert_true (sqx_write_ack (&writer, ranges, count, delay));
}

static void
done (const char *name)
{
  GString *json = line_begin ("packet");

  json_string (json, "name", name);
  json_packet (json, data, writer.size);
  line_end (json);
}

static void
conversation (void)
{
  sqx_runs_writer end;

  begin (EPOCH_A, 0, 41);
  say_hello (&hello_a);
  say_message (0, SQX_WIRE_ORDERED, 0, 3, 0, "6*7", 6);
  done ("first-contact");

  begin (EPOCH_B, EPOCH_A, 9000);
  say_hello (&hello_b);
  say_ack ((sqx_range[]) { { 41, 42 } }, 1, 150);
  say_message (0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, 2, 0, "42", 0);
  done ("reply");

  begin (EPOCH_A, EPOCH_B, 42);
  say_ack ((sqx_range[]) { { 9000, 9001 } }, 1, 25000);
  sqx_write_credit (&writer, SQX_WINDOW_DEFAULT + 66, SQX_EXCHANGES_DEFAULT);
  sqx_end_writer_begin (&end, &writer, 0, 0);
  sqx_runs_writer_add (&end, &writer, 0, 1);
  sqx_runs_writer_finish (&end, &writer);
  done ("end");

  begin (EPOCH_A, EPOCH_B, 43);
  sqx_write_close (&writer, 0, "done", 4);
  done ("close");

  begin (EPOCH_B, 0xc1c2c3c4, 9001);
  say_hello (&hello_b);
  done ("hint");
}

static void
every_other_form (void)
{
  static const sqx_range ranges[] = {
    { 1000, 1001 }, { 1003, 1010 }, { 20000, 3000000000 },
    { G_GUINT64_CONSTANT (0x100000000), G_GUINT64_CONSTANT (0x100000002) },
  };
  sqx_runs_writer end;

  begin (EPOCH_A, EPOCH_B, 0xffffffff);
  sqx_write_ping (&writer);
  data[writer.size++] = 0;
  data[writer.size++] = 0;
  say_ack (ranges, G_N_ELEMENTS (ranges), 0);
  sqx_end_writer_begin (&end, &writer, 510, 3);
  sqx_runs_writer_add (&end, &writer, 5, 1);
  sqx_runs_writer_add (&end, &writer, 100, 16384);
  sqx_runs_writer_add (&end, &writer, SQX_VARINT_MAX, 1);
  sqx_runs_writer_finish (&end, &writer);
  sqx_write_cancel (&writer, 2, 64, 1048576, FALSE, 0);
  sqx_write_cancel (&writer, 0, 1, 0, TRUE, 63);
  done ("ack-end-cancel");

  begin (EPOCH_A, EPOCH_B, 44);
  say_message (1, 0, 0, 0, 0, "", 0);
  say_message (2, SQX_WIRE_ORDERED | SQX_WIRE_FINAL, 0, 70000, 0, "abc", 0);
  say_message (2, SQX_WIRE_ORDERED | SQX_WIRE_FINAL, 0, 70000, 69997, "xyz", 0);
  say_message (3, SQX_WIRE_REPLY | SQX_WIRE_ORDERED, 17, 16384, 64, "0123", 14);
  done ("message-forms");

  begin (EPOCH_B, EPOCH_A, 9002);
  sqx_write_datagram (&writer, (const uint8_t *) "one", 3);
  writer.capacity = writer.size + 4;
  sqx_write_datagram (&writer, (const uint8_t *) "two", 3);
  done ("datagrams");

  begin (EPOCH_A, EPOCH_B, 45);
  sqx_write_close (&writer, SQX_CLOSE_APPLICATION_MISMATCH,
                   "this is application \"calc\", not \"chess\"", 39);
  done ("close-mismatch");
}

/* Frames after a good header, as bytes: those that nobody writes. */
static void
given (const char *name,
       const char *hex)
{
  begin (EPOCH_A, EPOCH_B, 46);
  for (; *hex != '\0'; hex += 2)
    data[writer.size++] = (uint8_t) (g_ascii_xdigit_value (hex[0]) << 4 |
                                     g_ascii_xdigit_value (hex[1]));
  done (name);
}

static void
by_hand (void)
{
  given ("long-varints", "08" "c000000000000001" "80000002" "0a" "4000" "00" "8000000140054001");
  given ("bad-empty", "");
  given ("bad-plain-ready", "05");
  given ("bad-plain-received", "07" "00" "01" "0001");
  given ("bad-plain-challenge", "0c" "0001020304050607");
  given ("bad-plain-response", "0d" "0001020304050607");
  given ("bad-unassigned", "32");
  given ("bad-ack-below-zero", "02" "05" "00" "00" "06");
  given ("bad-ack-gap", "02" "05" "00" "01" "02" "0200");
  given ("bad-close-length", "04" "00" "4100");
  given ("bad-hello-length", "06" "4201");
  given ("bad-end-run", "0a" "00" "00" "01" "0500");
  given ("bad-end-past-the-last", "0a" "00" "00" "01" "ffffffffffffffff" "02");
  given ("bad-end-short", "0a" "00" "00" "02" "0501");
  given ("bad-message-no-bytes", "1c" "00" "00" "05" "00" "00");
  given ("bad-message-past-its-end", "1c" "00" "00" "05" "04" "02" "6161");
  given ("bad-message-length", "18" "00" "00" "03" "6161");
  given ("bad-datagram-length", "31" "02" "61");
  begin (EPOCH_A, EPOCH_B, 47);
  writer.size--;
  done ("bad-header");
}

/* Parameters and numbers ---------------------------------------------------------------- */

static void
parameters (const char    *name,
            const uint8_t *bytes,
            gsize          size)
{
  GString *json = line_begin ("hello");

  json_string (json, "name", name);
  json_hello (json, bytes, size);
  line_end (json);
}

static void
all_parameters (void)
{
  uint8_t bytes[SQX_HELLO_MAX + 8];
  gsize size = sqx_hello_encode (&hello_a, bytes);
  sqx_hello low = hello_b;

  parameters ("hello", bytes, size);
  memcpy (bytes + size, "\x3f\x02hi", 4);
  parameters ("hello-unknown-id", bytes, size + 4);
  memcpy (bytes + size, "\x09\x02hi", 4);
  parameters ("bad-hello-twice", bytes, size + 4);
  parameters ("bad-hello-short", bytes, size - 1);

  parameters ("hello-least", bytes, sqx_hello_encode (&hello_b, bytes));
  low.byte_credit--;
  parameters ("bad-hello-credit", bytes, sqx_hello_encode (&low, bytes));
  low = hello_b;
  low.max_channels = SQX_CHANNELS_MIN - 1;
  parameters ("bad-hello-channels", bytes, sqx_hello_encode (&low, bytes));
  low = hello_b;
  strcpy (low.application_id, "\xc0\xaf");
  parameters ("bad-hello-utf8", bytes, sqx_hello_encode (&low, bytes));
}

static void
number (gboolean first,
        uint64_t largest,
        uint32_t bits)
{
  GString *json = line_begin ("number");
  sqx_acks acks;

  sqx_acks_init (&acks, 0);
  if (first)
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

void
generate_fixed (void)
{
  conversation ();
  every_other_form ();
  by_hand ();
  all_parameters ();
  number (TRUE, 0, 0xfffffff0);
  number (FALSE, 0xfffffff0, 0xfffffff1);
  number (FALSE, 0xffffffff, 0);
  number (FALSE, G_GUINT64_CONSTANT (0x100000000), 0xffffffff);
  number (FALSE, G_GUINT64_CONSTANT (0x17fffffff), 0);
  number (FALSE, G_GUINT64_CONSTANT (0x180000000), 0);
  number (FALSE, 5, 0xfffffffe);
}
