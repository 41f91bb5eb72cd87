/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CLOSE on the wire and at the program: who is told what, when, and how often.
 */
#include "pair.h"

#include <string.h>

static Pair *
connected_pair (void)
{
  Pair *pair = pair_new (NULL, NULL);

  pair_connect (pair);
  return pair;
}

static void
close_it (Pair *pair, guint side, uint64_t code, const char *reason)
{
  sqx_conn_close (pair->side[side].conn, pair->now, code, reason);
}

static void
fake_close (Pair *pair, uint64_t code, const char *reason, size_t size)
{
  fake_begin (pair);
  g_assert_true (sqx_write_close (&pair->fake.writer, code, reason, size));
  fake_send (pair);
}

static void
test_code_and_reason (void)
{
  static const struct { uint64_t code; const char *reason; } cases[] = {
    { 0, NULL }, { 0, "" }, { 64, "bye" }, { SQX_VARINT_MAX, "größer" }, { 2, "internal" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Pair) pair = connected_pair ();

      close_it (pair, PAIR_B, cases[i].code, cases[i].reason);
      pair_drive (pair);
      pair_assert_closed (pair, PAIR_B, SQX_OK);
      pair_assert_closed (pair, PAIR_A, SQX_ERR_PEER_CLOSED);
      for (guint side = 0; side < 2; side++)
        {
          const sqx_event *event = &pair->side[side].closing.event;

          g_assert_cmpuint (event->code, ==, cases[i].code);
          g_assert_cmpstr (event->reason_text, ==, cases[i].reason ? cases[i].reason : "");
          g_assert_cmpint (event->by_peer, ==, side == PAIR_A);
        }
    }
}

/* A reason that is too long is cut at a character. */
static void
test_long_reason (void)
{
  for (guint pad = 0; pad < 4; pad++)
    {
      g_autoptr (Pair) pair = connected_pair ();
      g_autoptr (GString) reason = g_string_new (NULL);
      const char *text;

      for (guint i = 0; i < pad; i++)
        g_string_append_c (reason, 'x');
      while (reason->len < 400)
        g_string_append (reason, "€𝄞");
      close_it (pair, PAIR_A, 64, reason->str);
      pair_drive (pair);
      text = pair->side[PAIR_B].closing.event.reason_text;
      g_assert_cmpuint (strlen (text), <=, SQX_CLOSE_REASON_MAX);
      g_assert_cmpuint (strlen (text), >, SQX_CLOSE_REASON_MAX - 4);
      g_assert_true (g_str_has_prefix (reason->str, text));
      g_assert_cmpstr (pair->side[PAIR_A].closing.event.reason_text, ==, text);
    }
}

/* The peer's reason may be anything; what the program gets is text. */
static void
test_hostile_reason (gconstpointer data)
{
  guint which = GPOINTER_TO_UINT (data);
  static const struct { const char *bytes; size_t size; } cases[] = {
    { "\xff\xfe", 2 }, { "a\0b", 3 }, { "\xed\xa0\x80", 3 }, { "ok", 2 }, { "\xc3", 1 },
    { "", 0 },
  };
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_close (pair, 65, cases[which].bytes, cases[which].size);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_PEER_CLOSED);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PEER_CLOSED);
  g_assert_cmpstr (pair->side[PAIR_A].closing.event.reason_text, ==,
                   which == 3 ? "ok" : "");
}

static void
test_hostile_long_reason (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  g_autofree char *reason = g_strnfill (1000, 'x');

  fake_connect (pair);
  fake_close (pair, 65, reason, 1000);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PEER_CLOSED);
  g_assert_cmpuint (strlen (pair->side[PAIR_A].closing.event.reason_text), ==,
                    SQX_CLOSE_REASON_MAX);
}

/* The smallest datagrams, the longest name in HELLO, the longest reason: the code must go. */
static void
test_no_room_for_reason (void)
{
  g_autofree char *name = g_strnfill (255, 'n'), *reason = g_strnfill (255, 'r');
  sqx_config config;
  g_autoptr (Pair) pair = NULL;

  pair_config (&config, PAIR_A);
  config.application_id = name;
  config.max_datagram_size = SQX_DATAGRAM_MIN;
  pair = pair_new_fake (&config);
  pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 64, reason);
  pair_flush (pair);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_CLOSE)->close.code, ==, 64);
}

/* What the peer found wrong is an error of its own. */
static void
test_errors_of_codes (void)
{
  static const sqx_result errors[] = {
    [SQX_CLOSE_NO_ERROR] = SQX_ERR_PEER_CLOSED,
    [SQX_CLOSE_PROTOCOL_VIOLATION] = SQX_ERR_PROTOCOL,
    [SQX_CLOSE_INTERNAL_ERROR] = SQX_ERR_PEER_CLOSED,
    [SQX_CLOSE_APPLICATION_MISMATCH] = SQX_ERR_APPLICATION_MISMATCH,
    [SQX_CLOSE_NOT_TRUSTED] = SQX_ERR_REFUSED,
    [SQX_CLOSE_BUSY] = SQX_ERR_REFUSED,
    [SQX_CLOSE_NO_CIPHER] = SQX_ERR_VERSION,
  };

  for (guint code = 0; code < G_N_ELEMENTS (errors); code++)
    {
      g_autoptr (Pair) pair = pair_new_fake (NULL);
      guint tag;

      fake_connect (pair);
      tag = pair_send (pair, PAIR_A, "question", 0);
      fake_close (pair, code, "", 0);
      pair_assert_failed (pair, PAIR_A, tag, errors[code]);
      pair_assert_closed (pair, PAIR_A, errors[code]);
      g_assert_true (pair->side[PAIR_A].closing.event.by_peer);
      g_assert_cmpuint (pair_counters (pair, PAIR_A)->violation, ==, 0);
    }
}

/* The side that is told: one CLOSE back, then silence for three probe time-outs. */
static void
test_one_answer (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_close (pair, 64, "bye", 3);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_DRAINING);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, 1);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_CLOSE)->close.code, ==, 64);
  for (guint i = 0; i < 10; i++)
    {
      fake_close (pair, 64, "bye", 3);
      fake_begin (pair);
      fake_message (pair, 0, i, 0, 0, "x");
      fake_send (pair);
    }
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->after_close, ==, 20);
  pair_drive_for (pair, 10 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

/* The peer's CLOSE comes back, so the own one is not repeated. */
static void
test_not_repeated (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  close_it (pair, PAIR_A, 64, "bye");
  pair_flush (pair);
  fake_close (pair, 64, "bye", 3);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_DRAINING);
  pair_drive_for (pair, 10 * SQX_SECOND);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, 1);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_false (pair->side[PAIR_A].closing.event.by_peer);
}

/* Both close, and the peer's CLOSE is read before the own one went out: it goes out all the same,
 * or the peer would wait three probe time-outs for it. */
static void
test_crossing (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  close_it (pair, PAIR_A, 64, "bye");
  fake_close (pair, 65, "bye", 3);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_DRAINING);
  pair_drive_for (pair, 10 * SQX_SECOND);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, 1);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_CLOSE)->close.code, ==, 64);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
}

/* Closed before anything came: the first that comes is answered, and if it is CLOSE, believed. */
static void
test_first_word_after_close (gconstpointer data)
{
  gboolean is_close = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair_send (pair, PAIR_A, "x", 0);
  pair_flush (pair);
  close_it (pair, PAIR_A, 64, "bye");
  pair_flush (pair);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSING);
  fake_forget (pair);
  fake_begin (pair);
  fake_hello (pair);
  if (is_close)
    g_assert_true (sqx_write_close (&pair->fake.writer, 65, "bye", 3));
  fake_send (pair);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==,
                   is_close ? SQX_STATE_DRAINING : SQX_STATE_CLOSING);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, is_close ? 0 : 1);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->after_close, ==, 0);
}

/* Messages that waited for the program when the peer closed are the program's still. */
static void
test_untaken_can_be_taken (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  sqx_conn *conn = pair->side[PAIR_B].conn;
  const PairMessage *message;
  guint taken, answer, pending;

  pending = pair_send (pair, PAIR_A, "taken", 0);
  pair_drive (pair);
  pair->side[PAIR_B].hold_taking = TRUE;
  taken = pair_send (pair, PAIR_A, "untaken", 0);
  pair_send_on (pair, PAIR_A, 3, "final", SQX_MESSAGE_FINAL);
  pair_send_size (pair, PAIR_A, 0, 100000, SQX_MESSAGE_FINAL);
  pair_drive (pair);
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 0, NULL);
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_A, pending, SQX_ERR_CLOSED);
  pair_assert_failed (pair, PAIR_A, taken, SQX_ERR_CLOSED);
  pair_assert_closed (pair, PAIR_B, SQX_ERR_PEER_CLOSED);

  g_assert_cmpint (sqx_conn_end (conn, pair->now, &pair_taken (pair, PAIR_B, 0)->id,
                                 SQX_END_ENDED), !=, SQX_OK);
  message = pair_take (pair, PAIR_B, 0);
  g_assert_cmpstr (pair_text (message), ==, "untaken");
  g_assert_cmpint (pair_try_reply (pair, PAIR_B, &message->id, g_bytes_new ("x", 1), 0, &answer),
                   !=, SQX_OK);
  g_assert_cmpint (sqx_conn_end (conn, pair->now, &message->id, SQX_END_ENDED), !=, SQX_OK);
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_B, 0)), ==, "final");
  g_assert_cmpuint (g_bytes_get_size (pair_take (pair, PAIR_B, 0)->payload), ==, 100000);
  g_assert_null (pair_take (pair, PAIR_B, 0));
  pair_drive (pair);
}

/* Likewise replies whose events were not fetched. */
static void
test_unfetched_reply (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag[3];

  fake_connect (pair);
  for (guint i = 0; i < 3; i++)
    tag[i] = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "answer");
  fake_end (pair, 0, SQX_END_FAILED, 1, 1);
  fake_send (pair);
  fake_close (pair, 0, "", 0);
  pair->side[PAIR_A].hold_events = FALSE;
  pair_flush (pair);
  pair_assert_replied (pair, PAIR_A, tag[0], "answer");
  pair_assert_ended (pair, PAIR_A, tag[1], SQX_END_FAILED);
  pair_assert_failed (pair, PAIR_A, tag[2], SQX_ERR_PEER_CLOSED);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PEER_CLOSED);
}

/* The wait is given up while its reply waits in the events of a closed connection. */
static void
test_cancel_after_close (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag[3];

  fake_connect (pair);
  for (guint i = 0; i < 3; i++)
    tag[i] = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "answer");
  fake_end (pair, 0, SQX_END_FAILED, 1, 1);
  fake_send (pair);
  fake_close (pair, 0, "", 0);
  for (guint i = 0; i < 3; i++)
    pair_cancel (pair, PAIR_A, tag[i]);
  pair->side[PAIR_A].hold_events = FALSE;
  pair_flush (pair);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PEER_CLOSED);
}

static void
test_abort (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint final, question, theirs;

  theirs = pair_send (pair, PAIR_B, "taken", 0);
  pair_drive (pair);
  final = pair_send_size (pair, PAIR_A, 0, 500000, SQX_MESSAGE_FINAL);
  question = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 99, "now");
  pair_flush (pair);
  pair_assert_failed (pair, PAIR_A, final, SQX_ERR_CLOSED);
  pair_assert_failed (pair, PAIR_A, question, SQX_ERR_CLOSED);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_A].conn, pair->now,
                                 &pair_taken (pair, PAIR_A, 0)->id, SQX_END_ENDED), ==,
                   SQX_ERR_CLOSED);
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_B, theirs, SQX_ERR_PEER_CLOSED);
  g_assert_cmpuint (pair->side[PAIR_B].closing.event.code, ==, 99);
}

static void
test_abort_while_finishing (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint tag;

  tag = pair_send (pair, PAIR_B, "taken", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A, 64, "slowly");
  pair_drive_for (pair, SQX_SECOND);
  g_assert_false (pair->side[PAIR_A].closed);
  close_it (pair, PAIR_A, 65, "again"); /* a no-op */
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 66, "now");
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 67, "again");
  close_it (pair, PAIR_A, 68, "again");
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_B, tag, SQX_ERR_PEER_CLOSED);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_cmpuint (pair->side[side].closing.event.code, ==, 66);
      g_assert_cmpstr (pair->side[side].closing.event.reason_text, ==, "now");
    }
}

static void
test_both_close (gconstpointer data)
{
  gboolean open = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = connected_pair ();

  if (open)
    {
      pair_send (pair, PAIR_A, "question", 0);
      pair_send (pair, PAIR_B, "question", 0);
      pair_drive (pair);
    }
  close_it (pair, PAIR_A, 64, "a");
  close_it (pair, PAIR_B, 65, "b");
  pair_drive_for (pair, 20 * SQX_SECOND);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_true (pair->side[side].closed);
      g_assert_true (pair_all_done (pair, side));
      g_assert_cmpint (sqx_conn_state (pair->side[side].conn), ==, SQX_STATE_CLOSED);
    }
}

/* The peer restarts while the close waits for it: what it was to finish is gone. */
static void
test_peer_restarts (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint final;

  pair->side[PAIR_B].hold_taking = TRUE;
  final = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_send (pair, PAIR_B, "taken", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A, 64, "bye");
  pair_drive_for (pair, SQX_SECOND);
  pair_restart (pair, PAIR_B);
  pair_send (pair, PAIR_B, "again", 0);
  pair_drive_for (pair, 20 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, final, SQX_ERR_SESSION_LOST);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  pair_assert_closed (pair, PAIR_B, SQX_ERR_PEER_CLOSED);
}

static void
test_never_used (gconstpointer data)
{
  gboolean abort = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  if (abort)
    sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 0, NULL);
  else
    close_it (pair, PAIR_A, 0, NULL);
  pair_drive (pair);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_cmpuint (pair->sent[PAIR_A], ==, 0);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

/* Before the peer answered: it is told all the same, with HELLO, for it may have heard. */
static void
test_before_hello (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 64, "bye");
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_CLOSED);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  pair_assert_closed (pair, PAIR_B, SQX_ERR_PEER_CLOSED);
}

/* Nothing that either sends after some moment arrives: both are through in the end. */
static gboolean
drop_from (Pair *pair, PairPacket *packet, gpointer data)
{
  return packet->nth != GPOINTER_TO_UINT (data) % 20
         || packet->from != GPOINTER_TO_UINT (data) / 20;
}

static void
test_each_packet_lost (void)
{
  for (guint which = 0; which < 40; which++)
    {
      g_autoptr (Pair) pair = connected_pair ();
      guint final;

      pair->sent[PAIR_A] = pair->sent[PAIR_B] = 0;
      pair->filter = drop_from;
      pair->filter_data = GUINT_TO_POINTER (which);
      final = pair_send_size (pair, PAIR_A, 0, 4000, SQX_MESSAGE_FINAL);
      pair_send (pair, PAIR_B, "question", 0);
      close_it (pair, PAIR_A, 64, "bye");
      pair_drive_for (pair, 20 * SQX_SECOND);
      pair_assert_ended (pair, PAIR_A, final, SQX_END_ENDED);
      pair_assert_closed (pair, PAIR_A, SQX_OK);
      pair_assert_closed (pair, PAIR_B, SQX_ERR_PEER_CLOSED);
      g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
    }
}

/* Freed in the middle of everything: nothing is left behind (the harness and a sanitizer look). */
static void
test_free_at_any_time (void)
{
  for (guint steps = 0; steps < 40; steps++)
    {
      g_autoptr (Pair) pair = pair_new (NULL, NULL);

      pair->side[PAIR_B].handler = pair_echo_on;
      pair->side[PAIR_A].hold_events = TRUE;
      for (guint i = 0; i < 10; i++)
        {
          pair_send_size (pair, PAIR_A, i % 3, i * 400, i % 4);
          pair_send_size (pair, PAIR_B, i % 3, i * 400, i % 4);
        }
      for (guint i = 0; i < steps; i++)
        if (!pair_step (pair))
          break;
    }
}

/* Everything that a program may still call does nothing, and harms nothing. */
static void
test_commands_after_close (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  sqx_conn *conn = pair->side[PAIR_B].conn;
  const PairMessage *message;
  guint told;

  pair->side[PAIR_B].hold_taking = TRUE;
  pair_send_on (pair, PAIR_A, 5, "untaken", SQX_MESSAGE_ORDERED);
  pair_drive (pair);
  sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 0, NULL);
  pair_drive (pair);
  told = pair->side[PAIR_B].events->len;
  sqx_conn_open_channel (conn, 5);
  sqx_conn_open_channel (conn, 6);
  sqx_conn_set_serialized (conn, 5, true);
  sqx_conn_set_serialized (conn, 7, true);
  sqx_conn_set_priority (conn, 5, 1);
  sqx_conn_set_accepts_messages (conn, pair->now, false);
  sqx_conn_set_queue_limit (conn, 5);
  sqx_conn_set_keepalive (conn, pair->now, SQX_SECOND, true);
  sqx_conn_set_idle_timeout (conn, pair->now, SQX_SECOND);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 100000), ==, SQX_ERR_INVALID);
  sqx_conn_handle_unreachable (conn, pair->now);
  sqx_conn_close (conn, pair->now, 0, NULL);
  sqx_conn_abort (conn, pair->now, 0, NULL);
  g_assert_false (sqx_conn_is_writable (conn));
  g_assert_false (sqx_conn_is_busy (conn));
  pair_drive_for (pair, 60 * SQX_SECOND);
  g_assert_cmpuint (pair->side[PAIR_B].events->len, ==, told);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
  message = pair_take (pair, PAIR_B, 0);
  if (!message)
    message = pair_take (pair, PAIR_B, 5);
  g_assert_cmpstr (pair_text (message), ==, "untaken");
  sqx_conn_release (conn, &message->id);
}

/* Nobody can open it again. */
static void
test_new_peer_after_close (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_close (pair, 0, "", 0);
  fake_forget (pair);
  pair->fake.epoch++;
  for (guint i = 0; i < 2; i++)
    {
      fake_begin (pair);
      fake_hello (pair);
      fake_message (pair, 0, 0, 0, 0, "x");
      fake_send (pair);
      g_assert_cmpuint (pair_counters (pair, PAIR_A)->after_close, ==, i + 1);
      pair_drive_for (pair, 20 * SQX_SECOND);
    }
  g_assert_cmpuint (pair->fake.seen->len, ==, 0);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
}

static void
test_strings (void)
{
  for (int i = SQX_ERR_VERSION; i <= SQX_OK; i++)
    for (int j = SQX_ERR_VERSION; j < i; j++)
      g_assert_cmpstr (sqx_result_string (i), !=, sqx_result_string (j));
  for (guint i = 0; i <= SQX_STATE_CLOSED; i++)
    for (guint j = 0; j < i; j++)
      g_assert_cmpstr (sqx_state_string (i), !=, sqx_state_string (j));
  for (guint i = 0; i < SQX_N_END_REASONS; i++)
    for (guint j = 0; j < i; j++)
      g_assert_cmpstr (sqx_end_reason_string (i), !=, sqx_end_reason_string (j));
  g_assert_nonnull (sqx_result_string ((sqx_result) -1000));
  g_assert_nonnull (sqx_state_string ((sqx_state) 1000));
  g_assert_nonnull (sqx_end_reason_string ((sqx_end_reason) 1000));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define C "/seqex/close/"
  g_test_add_func (C "code-and-reason", test_code_and_reason);
  g_test_add_func (C "long-reason", test_long_reason);
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *path = g_strdup_printf (C "hostile-reason/%u", i);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_hostile_reason);
    }
  g_test_add_func (C "hostile-long-reason", test_hostile_long_reason);
  g_test_add_func (C "no-room-for-the-reason", test_no_room_for_reason);
  g_test_add_func (C "errors-of-codes", test_errors_of_codes);
  g_test_add_func (C "one-answer", test_one_answer);
  g_test_add_func (C "not-repeated", test_not_repeated);
  g_test_add_func (C "crossing", test_crossing);
  g_test_add_data_func (C "first-word-is-close", GINT_TO_POINTER (TRUE),
                        test_first_word_after_close);
  g_test_add_data_func (C "first-word-is-hello", GINT_TO_POINTER (FALSE),
                        test_first_word_after_close);
  g_test_add_func (C "untaken-can-be-taken", test_untaken_can_be_taken);
  g_test_add_func (C "unfetched-reply", test_unfetched_reply);
  g_test_add_func (C "cancel-after-close", test_cancel_after_close);
  g_test_add_func (C "abort", test_abort);
  g_test_add_func (C "abort-while-finishing", test_abort_while_finishing);
  g_test_add_data_func (C "both", GINT_TO_POINTER (FALSE), test_both_close);
  g_test_add_data_func (C "both-with-messages-taken", GINT_TO_POINTER (TRUE), test_both_close);
  g_test_add_func (C "peer-restarts", test_peer_restarts);
  g_test_add_data_func (C "never-used", GINT_TO_POINTER (FALSE), test_never_used);
  g_test_add_data_func (C "never-used-abort", GINT_TO_POINTER (TRUE), test_never_used);
  g_test_add_func (C "before-hello", test_before_hello);
  g_test_add_func (C "each-packet-lost", test_each_packet_lost);
  g_test_add_func (C "free-at-any-time", test_free_at_any_time);
  g_test_add_func (C "commands-after-close", test_commands_after_close);
  g_test_add_func (C "new-peer-after-close", test_new_peer_after_close);
  g_test_add_func (C "strings", test_strings);

  return g_test_run ();
}
