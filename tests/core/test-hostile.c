/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A broken or hostile peer: what it sends is dropped and counted, or closes the connection with
 * PROTOCOL_VIOLATION; it is never delivered, never held without bound, and every wait ends.
 */
#include "pair.h"

#include <string.h>

typedef struct
{
  const char *name;
  const char *bytes; /* one frame or more */
  size_t      size;
} Bytes;

#define FRAME(name, bytes) { name, bytes, sizeof bytes - 1 }

/* A has sent numbers 0 and 1 on channel 0, both open; the program has the fake's number 0; the
 * fake's number 1 (2000 bytes, ordered) is there in part. */
static Pair *
busy_pair (void)
{
  Pair *pair = pair_new_fake (NULL);

  fake_connect (pair);
  pair_send (pair, PAIR_A, "question", 0);
  pair_send (pair, PAIR_A, "question", SQX_MESSAGE_ORDERED);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "taken");
  fake_fragment (pair, 0, 1, SQX_WIRE_ORDERED, 0, 2000, 0, 500);
  fake_fragment (pair, 0, 2, SQX_WIRE_REPLY, 0, 2000, 0, 500);
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "taken");
  return pair;
}

static void
assert_waits_failed (Pair *pair)
{
  pair_assert_failed (pair, PAIR_A, 1, SQX_ERR_PROTOCOL);
  pair_assert_failed (pair, PAIR_A, 2, SQX_ERR_PROTOCOL);
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_A].conn, pair->now,
                                 &pair_taken (pair, PAIR_A, 0)->id, SQX_END_ENDED), ==,
                   SQX_ERR_PROTOCOL);
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), ==, 0);
}

/* Violations -------------------------------------------------------------------------- */

static const Bytes violations[] = {
  FRAME ("unknown-frame-03", "\x03"),
  FRAME ("ready", "\x05"),
  FRAME ("received", "\x07\x00\x01\x00\x01"),
  FRAME ("unknown-frame-09", "\x09"),
  FRAME ("challenge", "\x0c" "12345678"),
  FRAME ("response", "\x0d" "12345678"),
  FRAME ("unknown-frame-0e", "\x0e"),
  FRAME ("unknown-frame-0f", "\x0f"),
  FRAME ("unknown-frame-32", "\x32"),
  FRAME ("unknown-frame-ff", "\xff"),
  FRAME ("after-padding", "\x00\x00\x00\x03"),
  FRAME ("after-ping", "\x01\x03"),
  FRAME ("ack-cut", "\x02\x43"),
  FRAME ("ack-below-zero", "\x02\x05\x00\x00\x06"),
  FRAME ("ack-gap-below-zero", "\x02\x05\x00\x01\x02\x03\x00"),
  FRAME ("ack-ranges-missing", "\x02\x43\xf0\x00\x10\x00"),
  FRAME ("ack-never-sent", "\x02\x7f\xff\x00\x00\x00"),
  FRAME ("close-cut", "\x04\x00\x05" "1234"),
  FRAME ("close-empty", "\x04"),
  FRAME ("hello-cut", "\x06\x05\x01\x01"),
  FRAME ("hello-empty", "\x06\x00"),
  FRAME ("hello-short-value", "\x06\x03\x01\x02\x05"),
  FRAME ("credit-cut", "\x08\x05"),
  FRAME ("credit-empty", "\x08"),
  FRAME ("end-cut", "\x0a\x00\x00\x01\x00"),
  FRAME ("end-run-of-none", "\x0a\x00\x00\x01\x00\x00"),
  FRAME ("end-count-too-large", "\x0a\x00\x00\x02\x00\x01"),
  FRAME ("end-count-huge", "\x0a\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01"),
  FRAME ("end-past-varint", "\x0a\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
  FRAME ("end-of-a-stream", "\x0a\x01\x00\x01\x00\x01"),
  FRAME ("end-never-sent", "\x0a\x00\x00\x01\x02\x01"),
  FRAME ("end-partly-never-sent", "\x0a\x00\x00\x01\x00\x03"),
  FRAME ("cancel-cut", "\x0b\x00\x01"),
  FRAME ("cancel-of-a-stream", "\x0b\x01\x00\x05\x00"),
  FRAME ("cancel-past-channels", "\x0b\x42\x00\x00\x05\x00"),
  FRAME ("cancel-other-total", "\x0b\x00\x01\x47\xd1\x00"),
  FRAME ("cancel-not-a-reply", "\x0b\x00\x01\x47\xd0\x01"),
  FRAME ("cancel-too-large", "\x0b\x00\x03\x80\x10\x00\x01\x00"),
  FRAME ("message-cut", "\x18\x00\x03\x05" "1234"),
  FRAME ("message-no-number", "\x18\x00"),
  FRAME ("message-of-a-stream", "\x18\x01\x00\x01x"),
  FRAME ("message-past-channels", "\x18\x42\x00\x00\x01x"),
  FRAME ("fragment-past-total", "\x1c\x00\x03\x02\x01\x02xy"),
  FRAME ("fragment-offset-past-total", "\x1c\x00\x03\x02\x03\x00"),
  FRAME ("fragment-of-nothing", "\x1c\x00\x03\x02\x01\x00"),
  FRAME ("fragment-offset-huge", "\x1c\x00\x03\x02\xff\xff\xff\xff\xff\xff\xff\xff\x01x"),
  FRAME ("message-too-large", "\x1c\x00\x03\x80\x10\x00\x01\x00\x01x"),
  FRAME ("message-total-huge", "\x1c\x00\x03\xff\xff\xff\xff\xff\xff\xff\xff\x00\x01x"),
  FRAME ("other-total", "\x1d\x00\x01\x47\xd1\x00\x01x"),
  FRAME ("other-total-by-whole", "\x19\x00\x01\x01x"),
  FRAME ("other-reply-to", "\x1e\x00\x02\x01\x47\xd0\x00\x01x"),
  FRAME ("now-a-reply", "\x1f\x00\x01\x00\x47\xd0\x00\x01x"),
  FRAME ("no-reply-any-more", "\x1c\x00\x02\x47\xd0\x00\x01x"),
  FRAME ("now-unordered", "\x1c\x00\x01\x47\xd0\x00\x01x"),
  FRAME ("now-final", "\x2d\x00\x01\x47\xd0\x00\x01x"),
  FRAME ("taken-other-total", "\x18\x00\x00\x04" "take"),
  FRAME ("too-many-missing", "\x18\x00\x47\xd0\x01x"),
  FRAME ("reply-too-many-missing", "\x1a\x00\x47\xd0\x00\x01x"),
  FRAME ("datagram-cut", "\x31\x05" "1234"),
  FRAME ("datagram-no-length", "\x31"),
};

static void
test_violation (gconstpointer data)
{
  const Bytes *bytes = data;
  g_autoptr (Pair) pair = busy_pair ();

  fake_begin (pair);
  fake_raw (pair, bytes->bytes, bytes->size);
  fake_send_violation (pair);
  assert_waits_failed (pair);
}

static void
test_no_frames (void)
{
  g_autoptr (Pair) pair = busy_pair ();

  fake_begin (pair);
  pair_inject (pair, PAIR_A, pair->fake.buffer, SQX_PLAIN_HEADER);
  pair_flush (pair);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PROTOCOL);
  assert_waits_failed (pair);
}

/* What follows in a packet after something wrong is not looked at. */
static void
test_rest_is_ignored (void)
{
  g_autoptr (Pair) pair = busy_pair ();
  const uint8_t unknown = 0x03;

  fake_begin (pair);
  fake_raw (pair, &unknown, 1);
  fake_message (pair, 0, 3, 0, 0, "x");
  fake_end (pair, 0, SQX_END_ENDED, 0, 2);
  fake_send_violation (pair);
  assert_waits_failed (pair);
}

/* The peer learns why, in words, and so does the program. */
static void
test_peer_is_told (void)
{
  g_autoptr (Pair) pair = busy_pair ();

  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 7, 1);
  fake_send_violation (pair);
  g_assert_cmpmem (fake_last (pair, SQX_FRAME_CLOSE)->close.reason,
                   fake_last (pair, SQX_FRAME_CLOSE)->close.size,
                   pair->side[PAIR_A].closing.event.reason_text,
                   strlen (pair->side[PAIR_A].closing.event.reason_text));
  g_assert_true (g_str_has_prefix (pair->side[PAIR_A].closing.event.reason_text, "end of"));
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSING);
}

/* What waited for the program when the peer went wrong had been received well. */
static void
test_untaken_after_violation (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const uint8_t unknown = 0x03;

  fake_connect (pair);
  pair->side[PAIR_A].hold_taking = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "good");
  fake_send (pair);
  fake_begin (pair);
  fake_raw (pair, &unknown, 1);
  fake_send_violation (pair);
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_A, 0)), ==, "good");
}

/* As the very first packet: HELLO, then nonsense. */
static void
test_first_packet (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const uint8_t unknown = 0x03;

  fake_begin (pair);
  fake_hello (pair);
  fake_raw (pair, &unknown, 1);
  fake_send_violation (pair);
}

static void
test_bad_hello (gconstpointer data)
{
  guint which = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = busy_pair ();
  sqx_hello *hello = &pair->fake.hello;

  fake_begin (pair);
  switch (which)
    {
    case 0: hello->max_message_size = SQX_MESSAGE_MAX_MIN - 1; break;
    case 1: hello->byte_credit = 2 * (hello->max_message_size + 64) - 1; break;
    case 2: hello->exchange_credit = 0; break;
    case 3: hello->max_datagram_size = SQX_DATAGRAM_MIN - 1; break;
    case 4: hello->ack_delay = SQX_ACK_DELAY_MAX + 1; break;
    case 5: hello->max_channels = 0; break;
    default: strcpy (hello->application_id, "\xff\xff"); break;
    }
  fake_hello (pair);
  fake_send_violation (pair);
  assert_waits_failed (pair);
}

/* Every prefix of every frame, alone in a packet. What is whole at some shorter length is none of
 * a violation; all else is. */
static void
test_truncated (void)
{
  static const Bytes frames[] = {
    FRAME ("ack", "\x02\x43\xf0\x00\x01\x00\x00\x00"),
    FRAME ("close", "\x04\x40\x40\x03" "bye"),
    FRAME ("credit", "\x08\x80\x00\x00\x00\x40\x00"),
    FRAME ("end", "\x0a\x00\x00\x02\x00\x01\x01\x01"),
    FRAME ("cancel", "\x0b\x00\x01\x47\xd0\x00"),
    FRAME ("message", "\x18\x00\x03\x04text"),
    FRAME ("reply", "\x1a\x00\x03\x00\x04text"),
    FRAME ("fragment", "\x1c\x00\x03\x04\x01\x03" "ext"),
    FRAME ("datagram", "\x31\x04text"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (frames); i++)
    for (size_t size = 1; size < frames[i].size; size++)
      {
        g_autoptr (Pair) pair = busy_pair ();

        fake_begin (pair);
        fake_raw (pair, frames[i].bytes, size);
        fake_send_violation (pair);
      }
}

/* No violations ----------------------------------------------------------------------- */

static const Bytes legal[] = {
  FRAME ("padding", "\x00\x00\x00\x00\x00"),
  FRAME ("long-varints", "\x18\xc0\x00\x00\x00\x00\x00\x00\x00\x40\x03\x80\x00\x00\x01x"),
  FRAME ("ack-before-the-first", "\x02\x05\x00\x00\x00"), /* as that of a hint may be */
  FRAME ("credit-of-nothing", "\x08\x00\x00"),
  FRAME ("credit-of-everything",
         "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
  FRAME ("end-of-nothing", "\x0a\x00\x00\x00"),
  FRAME ("end-unknown-reason", "\x0a\x00\xff\x01\x00\x01"),
  FRAME ("end-twice", "\x0a\x00\x00\x02\x00\x01\x00\x01"),
  FRAME ("taken-again", "\x18\x00\x00\x05taken"),
  FRAME ("overlap", "\x1d\x00\x01\x47\xd0\x00\x03" "abc"),
  FRAME ("hello-again", "\x01"),
};

static void
test_legal (gconstpointer data)
{
  const Bytes *bytes = data;
  g_autoptr (Pair) pair = busy_pair ();
  uint64_t number;

  fake_begin (pair);
  if (g_str_equal (bytes->name, "hello-again"))
    fake_hello (pair);
  fake_raw (pair, bytes->bytes, bytes->size);
  number = fake_send (pair);
  g_assert_false (pair->side[PAIR_A].closed);
  pair_drive (pair);
  if (!g_str_equal (bytes->name, "padding") && !g_str_has_prefix (bytes->name, "ack"))
    g_assert_true (fake_acknowledged (pair, number));
  /* All goes on. */
  pair_send (pair, PAIR_A, "next", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 3);
  fake_send (pair);
  g_assert_true (pair_all_done (pair, PAIR_A));
  if (g_str_equal (bytes->name, "end-unknown-reason"))
    pair_assert_ended (pair, PAIR_A, 1, SQX_END_FAILED);
}

/* The first bytes win. */
static void
test_overlaps (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  static const struct { guint offset; const char *bytes; } parts[] = {
    { 10, "bbbbb" }, { 8, "aaaaaaaa" }, { 0, "xxx" }, { 0, "yyyyyyyyy" }, { 15, "ccccc" },
  };

  fake_connect (pair);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      const uint8_t type = SQX_FRAME_MESSAGE | SQX_WIRE_FRAGMENT | SQX_WIRE_LENGTH | SQX_WIRE_FINAL;

      fake_begin (pair);
      fake_raw (pair, &type, 1);
      fake_varint (pair, 0);
      fake_varint (pair, 0);
      fake_varint (pair, 20);
      fake_varint (pair, parts[i].offset);
      fake_varint (pair, strlen (parts[i].bytes));
      fake_raw (pair, parts[i].bytes, strlen (parts[i].bytes));
      fake_send (pair);
    }
  pair_assert_taken (pair, PAIR_A, "xxxyyyyyaabbbbbacccc");
}

/* Storms ------------------------------------------------------------------------------ */

/* At every moment: what is held stays below the window and the slack of what is open. */
static void
check_bounds (Pair *pair)
{
  sqx_statistics statistics = pair_statistics (pair, PAIR_A);

  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), <=,
                    statistics.byte_window * 2 + 16 * SQX_FRAGMENT_SLACK);
}

static void
finish (Pair *pair)
{
  pair->fake.auto_ack = FALSE;
  pair->side[PAIR_A].hold_events = FALSE;
  pair_drive_for (pair, 100 * SQX_SECOND);
  g_assert_true (pair_all_done (pair, PAIR_A));
}

/* Frames that are well formed, with small random numbers, so that they often meet. */
static void
random_frame (Pair *pair, GRand *rand)
{
  sqx_writer *writer = &pair->fake.writer;
  uint64_t a = (uint64_t) g_rand_int_range (rand, 0, 12);
  uint64_t b = (uint64_t) g_rand_int_range (rand, 1, 6);
  uint32_t channel = (uint32_t) g_rand_int_range (rand, 0, 3);
  uint8_t flags = (uint8_t) (g_rand_int_range (rand, 0, 32)
                             & (SQX_WIRE_ORDERED | SQX_WIRE_REPLY | SQX_WIRE_FINAL));

  switch (g_rand_int_range (rand, 0, 8))
    {
    case 0:
      fake_message (pair, channel, a, flags, b, "0123");
      break;
    case 1:
      fake_fragment (pair, channel, a, flags, b, 40, b * 3, b);
      break;
    case 2:
      fake_end (pair, channel, (uint8_t) g_rand_int_range (rand, 0, 6), a / 4, b / 3 + 1);
      break;
    case 3:
      g_assert_true (sqx_write_cancel (writer, channel * 2, a, b > 3 ? 4 : 40, flags & 2, b));
      break;
    case 4:
      g_assert_true (sqx_write_credit (writer, a << 20, 1024 + b));
      break;
    case 5:
      fake_ack (pair);
      break;
    case 6:
      g_assert_true (sqx_write_datagram (writer, (const uint8_t *) "datagram", 8));
      break;
    default:
      g_assert_true (sqx_write_ping (writer));
      break;
    }
}

/* The connection may be over when the program gets to it. */
static void
answer_if_possible (Pair *pair, guint side, const PairMessage *message)
{
  guint tag;

  if (message->id.number % 3 == 0)
    sqx_conn_end (pair->side[side].conn, pair->now, &message->id, SQX_END_ENDED);
  else
    pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload),
                    message->flags & SQX_MESSAGE_ORDERED, &tag);
}

static void
test_random_frames (void)
{
  for (guint32 seed = 1; seed <= 1500; seed++)
    {
      g_autoptr (Pair) pair = pair_new_fake (NULL);
      g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

      g_test_message ("seed %u", seed);
      fake_connect (pair);
      pair->side[PAIR_A].handler = answer_if_possible;
      for (guint i = 0; i < 60 && !pair->side[PAIR_A].closed; i++)
        {
          guint tag;

          if (i % 4 == 0)
            pair_try_send (pair, PAIR_A, i % 3, g_bytes_new ("question", 8), i % 2, &tag);
          pair->side[PAIR_A].hold_events = g_rand_boolean (rand);
          pair->side[PAIR_A].hold_taking = g_rand_boolean (rand);
          fake_begin (pair);
          for (gint n = g_rand_int_range (rand, 1, 5); n > 0; n--)
            random_frame (pair, rand);
          fake_send (pair);
          check_bounds (pair);
          if (i % 7 == 0)
            pair_drive_for (pair, 30 * SQX_MILLISECOND);
        }
      finish (pair);
    }
}

static void
test_random_bytes (void)
{
  for (guint32 seed = 1; seed <= 3000; seed++)
    {
      g_autoptr (Pair) pair = busy_pair ();
      g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

      fake_begin (pair);
      for (gint n = g_rand_int_range (rand, 1, 60); n > 0; n--)
        {
          uint8_t byte = (uint8_t) (g_rand_boolean (rand) ? g_rand_int_range (rand, 0, 0x32)
                                                          : g_rand_int_range (rand, 0, 256));

          fake_raw (pair, &byte, 1);
        }
      fake_send (pair);
      check_bounds (pair);
      finish (pair);
    }
}

/* Honest packets with one bit wrong. Without keys the core cannot know; it must not break. */
static gboolean
flip_bits (Pair *pair, PairPacket *packet, gpointer data)
{
  GRand *rand = data;

  if (g_rand_int_range (rand, 0, 20) == 0)
    {
      gint32 bit = g_rand_int_range (rand, 0, (gint32) packet->size * 8);

      packet->data[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
  if (g_rand_int_range (rand, 0, 40) == 0)
    packet->size = (size_t) g_rand_int_range (rand, 0, (gint32) packet->size);
  return TRUE;
}

static void
test_flipped_bits (void)
{
  for (guint32 seed = 1; seed <= 400; seed++)
    {
      g_autoptr (Pair) pair = pair_new (NULL, NULL);
      g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

      g_test_message ("seed %u", seed);
      pair->filter = flip_bits;
      pair->filter_data = rand;
      for (guint side = 0; side < 2; side++)
        pair->side[side].handler = answer_if_possible;
      for (guint i = 0; i < 30; i++)
        for (guint side = 0; side < 2; side++)
          {
            guint tag;

            pair_try_send (pair, side, i % 2, g_bytes_new_take (g_malloc0 (i * 50), i * 50), i % 2,
                           &tag);
            pair_drive_for (pair, 3 * SQX_MILLISECOND);
          }
      for (guint side = 0; side < 2; side++)
        pair->side[side].handler = NULL;
      pair_drive_for (pair, 40 * SQX_SECOND);
      pair->block[PAIR_A] = pair->block[PAIR_B] = TRUE;
      pair_drive_for (pair, 40 * SQX_SECOND);
      g_assert_true (pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
    }
}

/* A peer that asks for ever and never listens: what is owed to it does not pile up. */
static void
test_never_acknowledges (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  pair->side[PAIR_A].handler = pair_end_it;
  for (guint i = 0; i < 1024; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, 0, 0, "x");
      for (guint j = 0; j < 20; j++)
        g_assert_true (sqx_write_ping (&pair->fake.writer));
      fake_send (pair);
      fake_forget (pair);
    }
  /* Not one exchange came back, so there is no next one. */
  fake_begin (pair);
  fake_message (pair, 0, 1024, 0, 0, "x");
  fake_send_violation (pair);
}

/* Ends are owed for all of that, and resent; still a dead peer gets few packets. */
static void
test_bounded_answers (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint seen;

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  pair->side[PAIR_A].handler = pair_end_it;
  for (guint i = 0; i < 1000; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, 0, 0, "x");
      fake_send (pair);
    }
  seen = pair->fake.seen->len;
  pair_drive_for (pair, 60 * SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair->fake.seen->len, <=, seen + 40);
}

/* Pings are answered by acknowledgements, one for two at most. */
static void
test_ping_storm (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  for (guint i = 0; i < 10000; i++)
    {
      fake_begin (pair);
      g_assert_true (sqx_write_ping (&pair->fake.writer));
      fake_send (pair);
    }
  g_assert_cmpuint (pair->fake.seen->len, <=, 5001);
  pair_drive (pair);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define H "/seqex/hostile/"
  for (guint i = 0; i < G_N_ELEMENTS (violations); i++)
    {
      g_autofree char *path = g_strdup_printf (H "violation/%s", violations[i].name);

      g_test_add_data_func (path, &violations[i], test_violation);
    }
  for (guint i = 0; i < G_N_ELEMENTS (legal); i++)
    {
      g_autofree char *path = g_strdup_printf (H "legal/%s", legal[i].name);

      g_test_add_data_func (path, &legal[i], test_legal);
    }
  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *path = g_strdup_printf (H "violation/hello-value-%u", i);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_bad_hello);
    }
  g_test_add_func (H "no-frames", test_no_frames);
  g_test_add_func (H "rest-is-ignored", test_rest_is_ignored);
  g_test_add_func (H "peer-is-told", test_peer_is_told);
  g_test_add_func (H "untaken-after-violation", test_untaken_after_violation);
  g_test_add_func (H "first-packet", test_first_packet);
  g_test_add_func (H "truncated", test_truncated);
  g_test_add_func (H "overlaps", test_overlaps);
  g_test_add_func (H "random-frames", test_random_frames);
  g_test_add_func (H "random-bytes", test_random_bytes);
  g_test_add_func (H "flipped-bits", test_flipped_bits);
  g_test_add_func (H "never-acknowledges", test_never_acknowledges);
  g_test_add_func (H "bounded-answers", test_bounded_answers);
  g_test_add_func (H "ping-storm", test_ping_storm);

  return g_test_run ();
}
