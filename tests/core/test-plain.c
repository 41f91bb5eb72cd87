/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The PLAIN form: first packets, epochs, restarts, instances, applications, packet numbers.
 */
#include "pair.h"

#include <string.h>

static const sqx_frame *
first_frame (Pair *pair, guint nth)
{
  const FakePacket *packet = g_ptr_array_index (pair->fake.seen, nth);

  return &g_array_index (packet->frames, sqx_frame, 0);
}

static const sqx_plain_header *
header (Pair *pair, guint nth)
{
  return &((const FakePacket *) g_ptr_array_index (pair->fake.seen, nth))->header;
}

/* First packets ----------------------------------------------------------------------- */

static void
test_no_round_trip (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
  g_assert_cmpuint (header (pair, 0)->instance, ==, 7);
  g_assert_cmpuint (header (pair, 0)->source_epoch, ==, PAIR_EPOCH_A);
  g_assert_cmpuint (header (pair, 0)->destination_epoch, ==, 0);
  g_assert_cmpuint (header (pair, 0)->number, ==, 1000);
  g_assert_cmpuint (first_frame (pair, 0)->type, ==, SQX_FRAME_HELLO);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 1);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CONNECTING);
}

static void
test_hello_until_acknowledged (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair_send (pair, PAIR_A, "0", 0);
  pair_drive_for (pair, 2 * SQX_SECOND);
  fake_begin (pair);
  fake_hello (pair);
  fake_message (pair, 0, 0, 0, 0, "x");
  fake_send (pair);
  /* The peer is known, but has acknowledged nothing. */
  pair_send (pair, PAIR_A, "1", 0);
  pair_drive_for (pair, 3 * SQX_SECOND);
  g_assert_cmpuint (pair->fake.seen->len, >=, 4);
  for (guint i = 0; i < pair->fake.seen->len; i++)
    g_assert_cmpuint (first_frame (pair, i)->type, ==, SQX_FRAME_HELLO);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  fake_forget (pair);
  pair_send (pair, PAIR_A, "2", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), >=, 1);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_HELLO), ==, 0);
}

static void
test_answered_at_once (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair->fake.peer_epoch = 0;
  fake_begin (pair);
  fake_hello (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair); /* in which no time passes */
  pair_assert_taken (pair, PAIR_A, "question");
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
  g_assert_cmpuint (first_frame (pair, 0)->type, ==, SQX_FRAME_HELLO);
  g_assert_cmpuint (header (pair, 0)->destination_epoch, ==, PAIR_EPOCH_B);
  g_assert_true (fake_acknowledged (pair, 2000));
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CONNECTED), ==, 1);
}

/* HELLO missing, elsewhere than first, or broken: nothing is learnt from such a packet. */
static void
test_first_needs_hello (gconstpointer data)
{
  guint which = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_begin (pair);
  if (which == 1)
    {
      g_assert_true (sqx_write_ping (&pair->fake.writer));
      fake_hello (pair);
    }
  if (which == 2)
    g_assert_true (sqx_write_hello (&pair->fake.writer, (const uint8_t *) "\x01\x01\x05", 3));
  if (which == 3)
    fake_raw (pair, "\x06\x40", 2);
  if (which != 3)
    fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->no_hello, ==, 1);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (pair->fake.seen->len, ==, 0);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CONNECTING);
  fake_connect (pair);
}

/* A peer whose datagrams may be smaller than ours says so in its HELLO; what goes before that
 * must not be too large for it, or it would never be heard. */
static void
test_first_packets_fit (void)
{
  static const uint32_t sizes[] = { 576, 1200, 9000, 65507 };

  for (guint i = 0; i < 4; i++)
    for (guint j = 0; j < 4; j++)
      {
        sqx_config config[2];
        g_autoptr (Pair) pair = NULL;
        guint tag;

        for (guint side = 0; side < 2; side++)
          {
            pair_config (&config[side], side);
            config[side].max_datagram_size = sizes[side ? j : i];
          }
        pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
        pair->side[PAIR_B].handler = pair_echo;
        tag = pair_send_size (pair, PAIR_A, 0, 15000, 0);
        pair_drive_until (pair, 10 * SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
        pair_drive (pair);
        pair_assert_quiet (pair);
      }
}

static void
test_smaller_datagrams_hold (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair->fake.hello.max_datagram_size = 576;
  fake_connect (pair);
  pair_send_size (pair, PAIR_A, 0, 20000, 0);
  pair_drive (pair);
  g_assert_cmpuint (pair->fake.seen->len, >=, 35);
  for (guint i = 0; i < pair->fake.seen->len; i++)
    g_assert_cmpuint (((FakePacket *) g_ptr_array_index (pair->fake.seen, i))->size, <=, 576);
}

/* What is no packet of this connection ------------------------------------------------- */

static void
test_foreign (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const sqx_counters *counters = pair_counters (pair, PAIR_A);
  uint8_t bytes[2000] = { 0 };
  uint32_t instance;

  fake_connect (pair);
  for (guint first = 0; first < 256; first++)
    {
      bytes[0] = (uint8_t) first;
      if (first != SQX_PACKET_PLAIN)
        pair_inject (pair, PAIR_A, bytes, 100);
    }
  g_assert_cmpuint (counters->foreign, ==, 255);
  pair_inject (pair, PAIR_A, bytes, 0);
  g_assert_cmpuint (counters->foreign + counters->truncated, ==, 256);
  bytes[0] = SQX_PACKET_PLAIN;
  for (guint size = 1; size < SQX_PLAIN_HEADER; size++)
    {
      pair_inject (pair, PAIR_A, bytes, size);
      g_assert_false (sqx_peek_instance (bytes, size, &instance));
    }
  g_assert_cmpuint (counters->truncated, >=, SQX_PLAIN_HEADER - 1);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "x");
  g_assert_true (sqx_peek_instance (pair->fake.buffer, pair->fake.writer.size, &instance));
  g_assert_cmpuint (instance, ==, 7);
  pair->fake.buffer[4] ^= 1;
  g_assert_true (sqx_peek_instance (pair->fake.buffer, pair->fake.writer.size, &instance));
  g_assert_cmpuint (instance, ==, 6);
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (counters->foreign, >=, 256);

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "x");
  fake_raw (pair, bytes + 1, SQX_DATAGRAM_DEFAULT + 1 - pair->fake.writer.size);
  fake_send (pair);
  g_assert_cmpuint (counters->oversized, ==, 1);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_false (pair->side[PAIR_A].closed);
}

/* Two instances on one path hear only their own. */
static void
test_instances (void)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  g_autoptr (Pair) other = NULL;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].instance = 8;
    }
  other = pair_new (&config[PAIR_A], &config[PAIR_B]);
  pair->record = other->record = TRUE;
  pair_send (pair, PAIR_A, "seven", 0);
  pair_send (other, PAIR_A, "eight", 0);
  pair_drive (pair);
  pair_drive (other);
  for (guint i = 0; i < pair->recorded->len; i++)
    {
      const PairPacket *packet = g_ptr_array_index (pair->recorded, i);

      pair_inject (other, !packet->from, packet->data, packet->size);
    }
  pair_drive (other);
  pair_assert_taken (pair, PAIR_B, "seven");
  pair_assert_taken (other, PAIR_B, "eight");
  g_assert_cmpuint (pair_counters (other, PAIR_B)->foreign, >=, 1);
}

static void
test_hint (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const sqx_counters *counters = pair_counters (pair, PAIR_A);

  fake_connect (pair);
  for (guint i = 0; i < 5; i++)
    {
      fake_begin_as (pair, 0xc0000001, PAIR_EPOCH_A - 1, 1);
      fake_hello (pair);
      fake_message (pair, 0, 0, 0, 0, "x");
      pair_inject (pair, PAIR_A, pair->fake.buffer, pair->fake.writer.size);
      pair_flush (pair);
    }
  g_assert_cmpuint (counters->wrong_epoch, ==, 5);
  g_assert_cmpuint (counters->hint_limited, ==, 4);
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
  g_assert_cmpuint (header (pair, 0)->source_epoch, ==, PAIR_EPOCH_A);
  g_assert_cmpuint (header (pair, 0)->destination_epoch, ==, 0xc0000001);
  g_assert_cmpuint (first_frame (pair, 0)->type, ==, SQX_FRAME_HELLO);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);

  /* After a tenth of a second another one; a new epoch that knows nobody gets one too. */
  fake_forget (pair);
  pair_drive_for (pair, SQX_HINT_INTERVAL);
  fake_begin_as (pair, 0xc0000002, 0, 1);
  fake_hello (pair);
  pair_inject (pair, PAIR_A, pair->fake.buffer, pair->fake.writer.size);
  pair_flush (pair);
  g_assert_cmpuint (counters->unknown_epoch, ==, 1);
  g_assert_cmpuint (header (pair, 0)->destination_epoch, ==, 0xc0000002);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_RESTARTED), ==, 0);
}

/* Restarts ---------------------------------------------------------------------------- */

static void
fake_restart (Pair *pair, uint32_t epoch)
{
  pair->fake.epoch = epoch;
  pair->fake.next_number = 77;
  fake_begin (pair);
  fake_hello (pair);
  fake_message (pair, 0, 0, 0, 0, "again");
  fake_send (pair);
}

static void
test_restart (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  sqx_message_id id;
  guint tag[3], last;

  pair->fake.hello.exchange_credit = 2;
  fake_connect (pair);
  sqx_conn_open_channel (conn, 1);
  sqx_conn_set_serialized (conn, 1, true);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "taken");
  fake_message (pair, 0, 1, 0, 0, "replied");
  fake_send (pair);
  pair->side[PAIR_A].hold_taking = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 2, 0, 0, "untaken");
  fake_message (pair, 0, 4, SQX_WIRE_ORDERED, 0, "gated");
  fake_fragment (pair, 0, 5, 0, 0, 5000, 0, 500);
  fake_send (pair);
  for (guint i = 0; i < 3; i++)
    tag[i] = pair_send (pair, PAIR_A, "question", 0);
  last = pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), "answer", 0);
  pair_flush (pair);
  id = pair_taken (pair, PAIR_A, 0)->id;
  pair->side[PAIR_A].hold_taking = FALSE;
  fake_forget (pair);

  fake_restart (pair, 0xc0000001);
  for (guint i = 0; i < 3; i++)
    pair_assert_failed (pair, PAIR_A, tag[i], SQX_ERR_SESSION_LOST);
  pair_assert_failed (pair, PAIR_A, last, SQX_ERR_SESSION_LOST);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 2);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_RESTARTED), ==, 1);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CONNECTED), ==, 2);
  g_assert_cmpuint (pair_event (pair, PAIR_A, SQX_EVENT_CONNECTED, 1)->time, ==, pair->now);
  g_assert_cmpuint (sqx_conn_incarnation (conn), ==, id.incarnation + 1);
  g_assert_cmpint (sqx_conn_end (conn, pair->now, &id, SQX_END_ENDED), ==, SQX_ERR_SESSION_LOST);
  g_assert_cmpint (pair_try_reply (pair, PAIR_A, &id, g_bytes_new ("x", 1), 0, &last), ==,
                   SQX_ERR_SESSION_LOST);
  sqx_conn_release (conn, &id);

  /* This packet was processed, in the new incarnation, in which all numbers begin again. */
  pair_assert_taken (pair, PAIR_A, "taken replied again");
  g_assert_cmpuint (pair_taken (pair, PAIR_A, 2)->id.incarnation, ==, id.incarnation + 1);
  g_assert_true (fake_acknowledged (pair, 77));
  g_assert_cmpuint (header (pair, 0)->destination_epoch, ==, 0xc0000001);
  g_assert_cmpuint (header (pair, 0)->number, >, 1001); /* packet numbers go on */
  pair_send_on (pair, PAIR_A, 0, "new", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_MESSAGE)->message.number, ==, 0);

  /* What the program chose for its channels holds. */
  fake_begin (pair);
  fake_message (pair, 1, 0, SQX_WIRE_ORDERED, 0, "s0");
  fake_message (pair, 1, 1, SQX_WIRE_ORDERED, 0, "s1");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "taken replied again s0");
}

/* A claim without HELLO, or without knowledge of this side's epoch, restarts nothing. */
static void
test_no_restart (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin_as (pair, 0xc0000001, PAIR_EPOCH_A, 1);
  fake_message (pair, 0, 0, 0, 0, "x");
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->no_hello, ==, 1);
  fake_begin_as (pair, 0xc0000001, 0, 1);
  fake_hello (pair);
  fake_message (pair, 0, 0, 0, 0, "x");
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->unknown_epoch, ==, 1);
  pair_assert_pending (pair, PAIR_A, tag);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_RESTARTED), ==, 0);
}

static void
test_former_epochs (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const guint n = SQX_FORMER_EPOCHS;
  guint taken;

  fake_connect (pair);
  for (guint i = 1; i <= n; i++)
    fake_restart (pair, PAIR_EPOCH_B + i);
  g_assert_cmpuint (sqx_conn_incarnation (pair->side[PAIR_A].conn), ==, n);
  taken = pair_n_taken (pair, PAIR_A);
  /* Delayed packets of all former ones, the first included. */
  for (guint i = 0; i < n; i++)
    {
      fake_begin_as (pair, PAIR_EPOCH_B + i, PAIR_EPOCH_A, 5000);
      fake_hello (pair);
      fake_message (pair, 0, 0, 0, 0, "old");
      fake_send (pair);
    }
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->former_epoch, ==, n);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, taken);
  g_assert_cmpuint (sqx_conn_incarnation (pair->side[PAIR_A].conn), ==, n);
  /* And the present one is still at home. */
  pair->fake.epoch = PAIR_EPOCH_B + n;
  fake_begin (pair);
  fake_message (pair, 0, 1, 0, 0, "new");
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, taken + 1);
}

/* Whoever speaks first after the restart, both go on talking. */
static void
test_restarted_pair (gconstpointer data)
{
  guint first = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint old, tag;

  pair_connect (pair);
  old = pair_send (pair, PAIR_A, "old", 0);
  pair_drive (pair);
  pair_restart (pair, PAIR_B);
  pair->side[PAIR_A].handler = pair->side[PAIR_B].handler = pair_echo;
  tag = pair_send (pair, first, "new", 0);
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_A, old, SQX_ERR_SESSION_LOST);
  if (first == PAIR_A)
    {
      /* It was sent to the one that is gone; only now is that known. */
      pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_SESSION_LOST);
      tag = pair_send (pair, PAIR_A, "new", 0);
      pair_drive (pair);
    }
  pair_assert_replied (pair, first, tag, "new");
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_RESTARTED), ==, 1);
  g_assert_cmpuint (pair_n_events (pair, PAIR_B, SQX_EVENT_RESTARTED), ==, 0);
  pair_assert_quiet (pair);
}

static void
test_both_restart (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag[2];

  pair_connect (pair);
  pair_restart (pair, PAIR_A);
  pair_restart (pair, PAIR_B);
  for (guint side = 0; side < 2; side++)
    {
      pair->side[side].handler = pair_echo;
      tag[side] = pair_send (pair, side, "new", 0);
    }
  pair_drive (pair);
  for (guint side = 0; side < 2; side++)
    pair_assert_replied (pair, side, tag[side], "new");
  pair_assert_quiet (pair);
}

/* Packets of the old incarnation come after those of the new one. */
static void
test_delayed_past_restart (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair_connect (pair);
  pair->hold[PAIR_B] = TRUE;
  pair_send (pair, PAIR_B, "old", SQX_MESSAGE_FINAL);
  pair_flush (pair);
  pair->hold[PAIR_B] = FALSE;
  pair_restart (pair, PAIR_B);
  pair_send (pair, PAIR_B, "new", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "new");
  pair_release (pair, PAIR_B, FALSE);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "new");
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->former_epoch, ==, 1);
  pair_assert_quiet (pair);
}

/* Applications ------------------------------------------------------------------------ */

static void
test_application (gconstpointer data)
{
  const char *theirs = data;
  gboolean same = g_strcmp0 (theirs, "org.example.Ours") == 0;
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;
  guint tag;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].application_id = i ? theirs : "org.example.Ours";
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  g_assert_cmpstr (sqx_conn_peer_application_id (pair->side[PAIR_A].conn), ==, "");
  tag = pair_send (pair, PAIR_A, "question", SQX_MESSAGE_FINAL);
  pair_drive_for (pair, 20 * SQX_SECOND);
  g_assert_cmpstr (sqx_conn_peer_application_id (pair->side[PAIR_B].conn), ==,
                   "org.example.Ours");
  if (same)
    {
      pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
      g_assert_cmpstr (sqx_conn_peer_application_id (pair->side[PAIR_A].conn), ==, theirs);
      return;
    }
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_APPLICATION_MISMATCH);
  for (guint i = 0; i < 2; i++)
    {
      const sqx_event *closed = &pair->side[i].closing.event;

      pair_assert_closed (pair, i, SQX_ERR_APPLICATION_MISMATCH);
      g_assert_cmpuint (closed->code, ==, SQX_CLOSE_APPLICATION_MISMATCH);
      g_assert_nonnull (strstr (closed->reason_text, "org.example.Ours"));
      g_assert_nonnull (strstr (closed->reason_text, theirs));
      g_assert_nonnull (strstr (closed->reason_text, "\", not \""));
      g_assert_true (g_str_has_suffix (closed->reason_text, "\""));
      g_assert_cmpuint (pair_n_taken (pair, i), ==, 0);
    }
}

/* Names as long as can be: the reason is cut, at a character. */
static void
test_application_long (void)
{
  g_autofree char *name = g_strnfill (255, 'x');
  sqx_config config;
  g_autoptr (Pair) pair = NULL;

  for (guint i = 1; i < 250; i += 2)
    memcpy (name + i, "é", 2);
  pair_config (&config, PAIR_A);
  config.application_id = name;
  pair = pair_new (&config, NULL);
  pair_send (pair, PAIR_A, "question", 0);
  pair_drive_for (pair, 10 * SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_APPLICATION_MISMATCH);
  pair_assert_closed (pair, PAIR_B, SQX_ERR_APPLICATION_MISMATCH);
  g_assert_cmpuint (strlen (pair->side[PAIR_B].closing.event.reason_text), >, 200);
}

/* Packet numbers ---------------------------------------------------------------------- */

static void
test_wrap (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint last = 0;

  pair->fake.next_number = UINT32_MAX - 5;
  fake_connect (pair);
  for (guint i = 0; i < 300; i++)
    {
      char text[8];
      uint64_t number;

      g_snprintf (text, sizeof text, "%u", i);
      fake_begin (pair);
      fake_message (pair, 0, i, SQX_WIRE_FINAL, 0, text);
      number = fake_send (pair);
      pair_drive (pair);
      g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, i + 1);
      g_assert_true (fake_acknowledged (pair, number));
      fake_forget (pair);
      last = i;
    }
  g_assert_cmpuint (pair->fake.next_number, >, UINT64_C (1) << 32);
  /* From before the wrap, again. */
  fake_begin_as (pair, PAIR_EPOCH_B, PAIR_EPOCH_A, UINT32_MAX - 3);
  fake_message (pair, 0, last + 1, SQX_WIRE_FINAL, 0, "old");
  pair_inject (pair, PAIR_A, pair->fake.buffer, pair->fake.writer.size);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, last + 1);
}

static void
test_wrap_reordered (void)
{
  for (guint before = 0; before < 30; before++)
    {
      sqx_config config[2];
      g_autoptr (Pair) pair = NULL;

      for (guint i = 0; i < 2; i++)
        {
          pair_config (&config[i], i);
          config[i].first_packet_number = UINT32_MAX - before;
        }
      pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
      pair_connect (pair);
      pair->hold[PAIR_A] = TRUE;
      for (guint i = 0; i < 12; i++)
        {
          pair_send_size (pair, PAIR_A, 0, 700, SQX_MESSAGE_FINAL | SQX_MESSAGE_ORDERED);
          pair_flush (pair);
        }
      pair->hold[PAIR_A] = FALSE;
      pair_release (pair, PAIR_A, TRUE);
      pair_drive (pair);
      g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 12);
      g_assert_cmpuint (pair_statistics (pair, PAIR_A).bytes_resent, ==, 0);
      pair_assert_quiet (pair);
    }
}

/* More gaps than are tracked: what lies below cannot be told from a duplicate. */
static void
test_old_packets (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint64_t first;

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  first = pair->fake.next_number;
  for (guint i = 0; i < SQX_ACK_RANGES + 10; i++)
    {
      pair->fake.next_number++;
      fake_begin (pair);
      fake_message (pair, 0, i, SQX_WIRE_FINAL, 0, "x");
      fake_send (pair);
    }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, SQX_ACK_RANGES + 10);
  pair->fake.next_number = first;
  fake_begin (pair);
  fake_message (pair, 0, 1000, SQX_WIRE_FINAL, 0, "old");
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->old_packet, ==, 1);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, SQX_ACK_RANGES + 10);
  g_assert_false (fake_acknowledged (pair, first));
  /* In a gap that is tracked it is new. */
  pair->fake.next_number = first + 2 * (SQX_ACK_RANGES + 8);
  fake_begin (pair);
  fake_message (pair, 0, 1000, SQX_WIRE_FINAL, 0, "late");
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, SQX_ACK_RANGES + 11);
}

/* Numbers are left out; who acknowledges one of them acknowledges blindly. */
static void
test_skipped_numbers (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint32_t skipped;

  fake_connect (pair);
  for (guint i = 0; i < 1200; i++)
    {
      pair_send (pair, PAIR_A, "x", SQX_MESSAGE_FINAL);
      pair_flush (pair);
      fake_begin (pair);
      fake_end (pair, 0, SQX_END_ENDED, i, 1);
      g_assert_true (sqx_write_credit (&pair->fake.writer, UINT64_C (1) << 30, 2000));
      fake_send (pair);
      fake_forget (pair);
    }
  g_assert_cmpuint (pair->fake.received.count, >=, 2);
  g_assert_cmpuint (pair->fake.received.count, <=, 1200 / SQX_SKIP_MIN + 1);
  skipped = (uint32_t) pair->fake.received.items[pair->fake.received.count - 1].start - 1;
  fake_begin (pair);
  fake_ack_range (pair, skipped, skipped);
  fake_send_violation (pair);
}

/* Configuration ----------------------------------------------------------------------- */

static void
assert_config (const sqx_config *config, gboolean valid)
{
  sqx_conn *conn = sqx_conn_new (config, 1);

  g_assert_true ((conn != NULL) == valid);
  sqx_conn_free (conn);
}

static guint random_calls;

/* Four zero bytes first: no epoch may be zero. */
static void
reluctant_random (void *user_data, uint8_t *bytes, size_t size)
{
  memset (bytes, random_calls++ == 0 ? 0 : 0x55, size);
}

static void
test_config (void)
{
  sqx_config good, config;
  g_autofree char *long_id = g_strnfill (256, 'x');
  uint8_t buffer[SQX_DATAGRAM_MAX];
  sqx_plain_header plain;
  sqx_payload payload = { NULL, 0, NULL };
  sqx_conn *conn;

  sqx_config_init (&good);
  assert_config (&good, FALSE); /* no source of randomness */
  good.random = reluctant_random;
  assert_config (&good, TRUE);
#define BAD(field, value)           \
  config = good;                    \
  config.field = (value);           \
  assert_config (&config, FALSE)
#define GOOD(field, value)          \
  config = good;                    \
  config.field = (value);           \
  assert_config (&config, TRUE)
  BAD (max_datagram_size, SQX_DATAGRAM_MIN - 1);
  GOOD (max_datagram_size, SQX_DATAGRAM_MIN);
  GOOD (max_datagram_size, SQX_DATAGRAM_MAX);
  BAD (max_datagram_size, SQX_DATAGRAM_MAX + 1);
  BAD (max_message_size, SQX_MESSAGE_MAX_MIN - 1);
  GOOD (max_message_size, SQX_MESSAGE_MAX_MAX);
  BAD (max_message_size, SQX_MESSAGE_MAX_MAX + 1);
  BAD (max_message_size, UINT64_MAX);
  BAD (byte_window, 2 * (SQX_MESSAGE_MAX_DEFAULT + 64) - 1);
  GOOD (byte_window, 2 * (SQX_MESSAGE_MAX_DEFAULT + 64));
  BAD (byte_window, SQX_WINDOW_MAX + 1);
  GOOD (byte_window_max, SQX_WINDOW_MAX);
  BAD (byte_window_max, SQX_WINDOW_MAX + 1);
  BAD (byte_window_max, 2 * (SQX_MESSAGE_MAX_DEFAULT + 64));
  BAD (exchange_credit, 0);
  GOOD (exchange_credit, SQX_EXCHANGES_MAX);
  BAD (exchange_credit, SQX_EXCHANGES_MAX + 1);
  BAD (max_channels, 0);
  GOOD (max_channels, SQX_CHANNELS_MAX);
  BAD (max_channels, SQX_CHANNELS_MAX + 1);
  GOOD (ack_delay, 0);
  BAD (ack_delay, SQX_ACK_DELAY_MAX + 1);
  BAD (idle_timeout, SQX_IDLE_MIN - 1);
  GOOD (idle_timeout, SQX_TIME_NEVER);
  GOOD (application_id, "");
  BAD (application_id, long_id);
  BAD (application_id, "\xff");
  sqx_conn_free (NULL);

  random_calls = 0;
  conn = sqx_conn_new (&good, 1);
  g_assert_cmpuint (random_calls, >=, 2);
  g_assert_cmpint (sqx_conn_send (conn, 1, 0, &payload, 0, NULL, NULL), ==, SQX_OK);
  g_assert_cmpuint (sqx_conn_poll_transmit (conn, 1, buffer, sizeof buffer), >, 0);
  g_assert_true (sqx_decode_plain (buffer, sizeof buffer, &plain));
  g_assert_cmpuint (plain.source_epoch, ==, 0x55555555);
  sqx_conn_free (conn);
}

static void
test_max_message_size (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;

  g_assert_cmpint (sqx_conn_set_max_message_size (conn, SQX_MESSAGE_MAX_MIN - 1), ==,
                   SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, SQX_MESSAGE_MAX_MAX + 1), ==,
                   SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, UINT64_MAX), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 8000000), ==, SQX_OK);
  g_assert_cmpuint (pair_statistics (pair, PAIR_A).byte_window, >=, 16000128);
  pair_connect (pair);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 9000000), ==, SQX_ERR_INVALID);
  g_assert_cmpuint (sqx_conn_peer_max_message_size (pair->side[PAIR_B].conn), ==, 8000000);
  pair_send_size (pair, PAIR_B, 0, 8000000, SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define P "/seqex/plain/"
  g_test_add_func (P "no-round-trip", test_no_round_trip);
  g_test_add_func (P "hello-until-acknowledged", test_hello_until_acknowledged);
  g_test_add_func (P "answered-at-once", test_answered_at_once);
  g_test_add_data_func (P "first-without-hello", GUINT_TO_POINTER (0), test_first_needs_hello);
  g_test_add_data_func (P "first-with-hello-late", GUINT_TO_POINTER (1), test_first_needs_hello);
  g_test_add_data_func (P "first-with-hello-bad", GUINT_TO_POINTER (2), test_first_needs_hello);
  g_test_add_data_func (P "first-with-hello-cut", GUINT_TO_POINTER (3), test_first_needs_hello);
  g_test_add_func (P "first-packets-fit", test_first_packets_fit);
  g_test_add_func (P "smaller-datagrams-hold", test_smaller_datagrams_hold);
  g_test_add_func (P "foreign", test_foreign);
  g_test_add_func (P "instances", test_instances);
  g_test_add_func (P "hint", test_hint);
  g_test_add_func (P "restart", test_restart);
  g_test_add_func (P "no-restart", test_no_restart);
  g_test_add_func (P "former-epochs", test_former_epochs);
  g_test_add_data_func (P "restarted-peer-is-spoken-to", GUINT_TO_POINTER (PAIR_A),
                        test_restarted_pair);
  g_test_add_data_func (P "restarted-peer-speaks", GUINT_TO_POINTER (PAIR_B),
                        test_restarted_pair);
  g_test_add_func (P "both-restart", test_both_restart);
  g_test_add_func (P "delayed-past-a-restart", test_delayed_past_restart);
  g_test_add_data_func (P "application-same", "org.example.Ours", test_application);
  g_test_add_data_func (P "application-other", "org.example.Theirs", test_application);
  g_test_add_data_func (P "application-none", "", test_application);
  g_test_add_func (P "application-long", test_application_long);
  g_test_add_func (P "wrap", test_wrap);
  g_test_add_func (P "wrap-reordered", test_wrap_reordered);
  g_test_add_func (P "old-packets", test_old_packets);
  g_test_add_func (P "skipped-numbers", test_skipped_numbers);
  g_test_add_func (P "config", test_config);
  g_test_add_func (P "max-message-size", test_max_message_size);

  return g_test_run ();
}
