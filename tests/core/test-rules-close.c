/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rule 14 of the exchange rules: an orderly close.
 */
#include "pair.h"

static void
close_it (Pair *pair, guint side)
{
  sqx_conn_close (pair->side[side].conn, pair->now, 64, "done");
}

static Pair *
connected_pair (void)
{
  Pair *pair = pair_new (NULL, NULL);

  pair_connect (pair);
  return pair;
}

/* Closed in order, by @side, with nothing left anywhere. */
static void
assert_closed_by (Pair *pair, guint side)
{
  pair_assert_closed (pair, side, SQX_OK);
  pair_assert_closed (pair, !side, SQX_ERR_PEER_CLOSED);
  g_assert_false (pair->side[side].closing.event.by_peer);
  g_assert_true (pair->side[!side].closing.event.by_peer);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpuint (pair->side[i].closing.event.code, ==, 64);
      g_assert_cmpstr (pair->side[i].closing.event.reason_text, ==, "done");
      g_assert_cmpuint (pair_counters (pair, i)->violation, ==, 0);
    }
}

static void
test_fails_waiting (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  guint begun, queued, final;

  pair_config (&config, PAIR_B);
  config.exchange_credit = 1;
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  begun = pair_send (pair, PAIR_A, "begun", 0);
  queued = pair_send (pair, PAIR_A, "queued", 0);
  final = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  close_it (pair, PAIR_A);
  /* At once, before anything is sent. */
  pair->block[PAIR_A] = TRUE;
  pair_flush (pair);
  pair_assert_failed (pair, PAIR_A, begun, SQX_ERR_CLOSED);
  pair_assert_failed (pair, PAIR_A, queued, SQX_ERR_CLOSED);
  pair_assert_failed (pair, PAIR_A, final, SQX_ERR_CLOSED);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 0);
}

static void
test_no_more_sends (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  sqx_payload payload = { (const uint8_t *) "x", 1, NULL };
  guint tag;

  pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_FINISHING);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_CLOSED);
  g_assert_cmpint (sqx_conn_send_datagram (pair->side[PAIR_A].conn, pair->now, &payload), ==,
                   SQX_ERR_CLOSED);
  g_assert_false (sqx_conn_is_writable (pair->side[PAIR_A].conn));
  pair_drive (pair);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_CLOSED);
  g_assert_cmpint (pair_try_send (pair, PAIR_B, 0, g_bytes_new ("x", 1), 0, &tag), !=, SQX_OK);
}

static void
test_ends_arriving (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint taken, untaken, partial, late, final;

  taken = pair_send (pair, PAIR_B, "taken", 0);
  pair_drive (pair);
  pair->side[PAIR_A].hold_taking = TRUE;
  untaken = pair_send (pair, PAIR_B, "untaken", 0);
  pair_drive (pair);
  partial = pair_send_size (pair, PAIR_B, 0, 30000, 0);
  pair_drive_for (pair, 11 * SQX_MILLISECOND);
  close_it (pair, PAIR_A);
  late = pair_send (pair, PAIR_B, "late", 0);
  final = pair_send (pair, PAIR_B, "late final", SQX_MESSAGE_FINAL);
  g_assert_false (sqx_conn_has_message (pair->side[PAIR_A].conn, 0));
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_ended (pair, PAIR_B, untaken, SQX_END_CLOSING);
  pair_assert_ended (pair, PAIR_B, partial, SQX_END_CLOSING);
  pair_assert_ended (pair, PAIR_B, late, SQX_END_CLOSING);
  pair_assert_ended (pair, PAIR_B, final, SQX_END_CLOSING);
  pair_assert_pending (pair, PAIR_B, taken);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 1);
}

/* Order gates and gates of serialized channels are no place to hide. */
static void
test_ends_what_is_held_back (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  sqx_conn_set_serialized (pair->side[PAIR_A].conn, 1, true);
  fake_begin (pair);
  fake_message (pair, 1, 0, SQX_WIRE_ORDERED, 0, "taken");
  fake_message (pair, 1, 1, SQX_WIRE_ORDERED, 0, "held");
  fake_message (pair, 0, 1, SQX_WIRE_ORDERED, 0, "gated");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "taken");
  close_it (pair, PAIR_A);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpint (fake_end_reason (pair, 1, 1), ==, SQX_END_CLOSING);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "gap");
  fake_send (pair);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_CLOSING);
  g_assert_cmpint (fake_end_reason (pair, 0, 1), ==, SQX_END_CLOSING);
  g_assert_cmpint (fake_end_reason (pair, 1, 0), ==, -1);
}

static void
test_taken_may_be_answered (gconstpointer data)
{
  gboolean by_reply = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = connected_pair ();
  guint tag, answer = 0;

  tag = pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A);
  pair_drive_for (pair, 3 * SQX_SECOND);
  g_assert_false (pair->side[PAIR_A].closed);
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_CLOSE], ==, 0);
  if (by_reply)
    answer = pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), 50000,
                              SQX_MESSAGE_FINAL);
  else
    pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_FAILED);
  pair_drive_for (pair, SQX_SECOND);
  if (by_reply)
    {
      pair_assert_replied (pair, PAIR_B, tag, NULL);
      pair_assert_ended (pair, PAIR_A, answer, SQX_END_ENDED);
    }
  else
    pair_assert_ended (pair, PAIR_B, tag, SQX_END_FAILED);
  assert_closed_by (pair, PAIR_A);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, <, pair->now);
}

static void
test_until_the_time_out (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  uint64_t start;
  guint tag;

  tag = pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  start = pair->now;
  close_it (pair, PAIR_A);
  pair_drive_for (pair, SQX_CLOSE_DEFAULT - 1);
  pair_assert_pending (pair, PAIR_B, tag);
  pair_drive_for (pair, 2 * SQX_SECOND);
  pair_assert_ended (pair, PAIR_B, tag, SQX_END_CLOSING);
  g_assert_cmpuint (pair_wait (pair, PAIR_B, tag)->time, >=, start + SQX_CLOSE_DEFAULT);
  assert_closed_by (pair, PAIR_A);
}

/* A reply that awaits an answer cannot be waited for: it is a wait, and fails; but it arrives. */
static void
test_reply_that_waits (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint tag, answer;

  tag = pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  answer = pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), 50000, 0);
  pair_flush (pair);
  close_it (pair, PAIR_A);
  pair_flush (pair);
  pair_assert_failed (pair, PAIR_A, answer, SQX_ERR_CLOSED);
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_replied (pair, PAIR_B, tag, NULL);
  pair_end (pair, PAIR_B, pair_wait (pair, PAIR_B, tag)->reply, SQX_END_ENDED);
  pair_drive_for (pair, SQX_SECOND);
  assert_closed_by (pair, PAIR_A);
}

/* Answers that wait for credit when the close begins are answers still. */
static void
test_waiting_replies (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  guint tag[4], answer[4];

  pair_config (&config, PAIR_B);
  config.max_message_size = SQX_MESSAGE_MAX_MIN;
  config.byte_window = config.byte_window_max = 2 * (SQX_MESSAGE_MAX_MIN + 64);
  pair = pair_new (NULL, &config);
  for (guint i = 0; i < 4; i++)
    tag[i] = pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  for (guint i = 0; i < 4; i++)
    answer[i] = pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, i), SQX_MESSAGE_MAX_MIN,
                                 i % 2 ? SQX_MESSAGE_FINAL : 0);
  pair_flush (pair);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), >, 0);
  close_it (pair, PAIR_A);
  pair_flush (pair);
  pair_assert_failed (pair, PAIR_A, answer[2], SQX_ERR_CLOSED);
  pair_assert_pending (pair, PAIR_A, answer[3]);
  pair_drive_for (pair, SQX_SECOND);
  for (guint i = 0; i < 4; i++)
    {
      pair_assert_replied (pair, PAIR_B, tag[i], NULL);
      if (i % 2)
        pair_assert_ended (pair, PAIR_A, answer[i], SQX_END_ENDED);
      else
        pair_end (pair, PAIR_B, pair_wait (pair, PAIR_B, tag[i])->reply, SQX_END_ENDED);
    }
  pair_drive_for (pair, SQX_SECOND);
  assert_closed_by (pair, PAIR_A);
}

/* A reply that had come when the close began is the program's; it may answer that too. */
static void
test_unfetched_reply (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint tag, answer;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  answer = pair_reply (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), "answer", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A);
  pair_drive_for (pair, SQX_SECOND);
  pair->side[PAIR_A].hold_events = FALSE;
  pair_flush (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
  pair_end (pair, PAIR_A, pair_wait (pair, PAIR_A, tag)->reply, SQX_END_FAILED);
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_ended (pair, PAIR_B, answer, SQX_END_FAILED);
  assert_closed_by (pair, PAIR_A);
}

static void
test_close_time_out_is_set (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint tag;

  pair_config (&config, PAIR_A);
  config.close_timeout = 100 * SQX_MILLISECOND;
  pair = pair_new (&config, NULL);
  tag = pair_send (pair, PAIR_B, "question", 0);
  pair_drive (pair);
  close_it (pair, PAIR_A);
  pair_drive_for (pair, 90 * SQX_MILLISECOND);
  pair_assert_pending (pair, PAIR_B, tag);
  pair_drive_for (pair, 100 * SQX_MILLISECOND);
  pair_assert_ended (pair, PAIR_B, tag, SQX_END_CLOSING);
}

/* Begun final messages are finished first. */
static void
test_final_is_finished (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  guint tag;

  pair->drop_next[PAIR_A] = 3;
  tag = pair_send_size (pair, PAIR_A, 0, 100000, SQX_MESSAGE_FINAL);
  close_it (pair, PAIR_A);
  pair_drive_for (pair, 4 * SQX_SECOND);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  g_assert_cmpuint (g_bytes_get_size (pair_taken (pair, PAIR_B, 0)->payload), ==, 100000);
  assert_closed_by (pair, PAIR_A);
}

/* The program of the peer is slow: it has until the time-out. */
static void
test_final_until_time_out (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  uint64_t start = pair->now;
  guint tag;

  pair->side[PAIR_B].hold_taking = TRUE;
  tag = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  start = pair->now;
  close_it (pair, PAIR_A);
  pair_drive_for (pair, 20 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_CLOSED);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, >=, start + SQX_CLOSE_DEFAULT);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, <=, start + SQX_CLOSE_DEFAULT + SQX_SECOND);
  assert_closed_by (pair, PAIR_A);
  /* It can still be taken. */
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_B, 0)), ==, "final");
}

static void
test_close_after_ends_acknowledged (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair->fake.auto_ack = FALSE;
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  close_it (pair, PAIR_A);
  pair_drive_for (pair, 4 * SQX_SECOND);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_END), >=, 2);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, 0);
  g_assert_false (pair->side[PAIR_A].closed);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_CLOSE), ==, 1);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
}

/* The peer never acknowledges: the close ends all the same. */
static void
test_ends_never_acknowledged (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint64_t start;

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair->fake.auto_ack = FALSE;
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  close_it (pair, PAIR_A);
  start = pair->now;
  pair_drive_until (pair, 10 * SQX_SECOND, pair->side[PAIR_A].closed);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_cmpuint (pair->now, >=, start + SQX_CLOSE_DEFAULT);
  pair_drive_for (pair, 60 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

static void
test_nothing_open (void)
{
  g_autoptr (Pair) pair = connected_pair ();

  close_it (pair, PAIR_A);
  pair_flush (pair);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSING);
  pair_drive (pair);
  assert_closed_by (pair, PAIR_A);
}

/* Packets are answered by CLOSE, more and more seldom, for three probe time-outs. */
static void
test_answered_by_close (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint closes[20];

  fake_connect (pair);
  close_it (pair, PAIR_A);
  pair_flush (pair);
  for (guint i = 0; i < G_N_ELEMENTS (closes); i++)
    {
      fake_forget (pair);
      fake_begin (pair);
      g_assert_true (sqx_write_ping (&pair->fake.writer));
      fake_send (pair);
      closes[i] = fake_count (pair, SQX_FRAME_CLOSE);
      g_assert_cmpuint (closes[i], ==, (i & (i + 1)) == 0);
    }
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSING);
  pair_drive_for (pair, 10 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  fake_forget (pair);
  for (guint i = 0; i < 64; i++)
    {
      fake_begin (pair);
      g_assert_true (sqx_write_ping (&pair->fake.writer));
      fake_send (pair);
    }
  g_assert_cmpuint (pair->fake.seen->len, ==, 0);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->after_close, ==, 64);
}

static void
test_three_probe_time_outs (void)
{
  g_autoptr (Pair) pair = connected_pair ();
  sqx_statistics statistics = pair_statistics (pair, PAIR_A);
  uint64_t pto = statistics.smoothed_rtt + MAX (4 * statistics.rtt_variance, SQX_GRANULARITY)
                 + SQX_ACK_DELAY_DEFAULT;
  uint64_t start = pair->now;

  pair->block[PAIR_A] = TRUE;
  close_it (pair, PAIR_A);
  pair_drive_until (pair, 10 * SQX_SECOND,
                    sqx_conn_state (pair->side[PAIR_A].conn) == SQX_STATE_CLOSED);
  g_assert_cmpuint (pair->now - start, ==, 3 * pto);
  /* Unasked, CLOSE goes out six times, half a probe time-out apart. */
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_CLOSE], ==, 6);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R14 "/seqex/rules/r14-close/"
  g_test_add_func (R14 "fails-own-waiting-sends", test_fails_waiting);
  g_test_add_func (R14 "no-more-sends", test_no_more_sends);
  g_test_add_func (R14 "arriving-are-ended", test_ends_arriving);
  g_test_add_func (R14 "held-back-are-ended", test_ends_what_is_held_back);
  g_test_add_data_func (R14 "taken-may-be-ended", GINT_TO_POINTER (FALSE),
                        test_taken_may_be_answered);
  g_test_add_data_func (R14 "taken-may-be-replied-to", GINT_TO_POINTER (TRUE),
                        test_taken_may_be_answered);
  g_test_add_func (R14 "until-the-time-out", test_until_the_time_out);
  g_test_add_func (R14 "time-out-is-set", test_close_time_out_is_set);
  g_test_add_func (R14 "reply-that-awaits-an-answer", test_reply_that_waits);
  g_test_add_func (R14 "replies-that-wait-for-credit", test_waiting_replies);
  g_test_add_func (R14 "reply-not-fetched", test_unfetched_reply);
  g_test_add_func (R14 "final-is-finished", test_final_is_finished);
  g_test_add_func (R14 "final-until-the-time-out", test_final_until_time_out);
  g_test_add_func (R14 "close-after-own-ends", test_close_after_ends_acknowledged);
  g_test_add_func (R14 "own-ends-never-acknowledged", test_ends_never_acknowledged);
  g_test_add_func (R14 "nothing-open", test_nothing_open);
  g_test_add_func (R14 "packets-answered-by-close", test_answered_by_close);
  g_test_add_func (R14 "three-probe-time-outs", test_three_probe_time_outs);

  return g_test_run ();
}
