/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer that restarts, met in every state of an exchange.
 */
#include "pair.h"

static Pair *
fake_pair (void)
{
  Pair *pair = pair_new_fake (NULL);

  fake_connect (pair);
  return pair;
}

static void
restart (Pair *pair)
{
  pair->fake.epoch++;
  pair->fake.next_number = 10;
  fake_begin (pair);
  fake_hello (pair);
  g_assert_true (sqx_write_ping (&pair->fake.writer));
  fake_send (pair);
}

static void
assert_idle (Pair *pair)
{
  g_assert_true (pair_all_done (pair, PAIR_A));
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), ==, 0);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 0);
  g_assert_false (pair->side[PAIR_A].closed);
}

/* Replies and ends that had come are told as what they are. */
static void
test_with_events_waiting (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  sqx_message_id id;
  guint tag[3];

  for (guint i = 0; i < 3; i++)
    tag[i] = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "answer");
  fake_end (pair, 0, SQX_END_FAILED, 1, 1);
  fake_send (pair);
  restart (pair);
  pair->side[PAIR_A].hold_events = FALSE;
  pair_flush (pair);
  pair_assert_replied (pair, PAIR_A, tag[0], "answer");
  pair_assert_ended (pair, PAIR_A, tag[1], SQX_END_FAILED);
  pair_assert_failed (pair, PAIR_A, tag[2], SQX_ERR_SESSION_LOST);
  /* The reply is of the session that is gone. */
  id = pair_wait (pair, PAIR_A, tag[0])->reply->id;
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_A].conn, pair->now, &id, SQX_END_ENDED), ==,
                   SQX_ERR_SESSION_LOST);
  assert_idle (pair);
}

/* The program heard of the cancel already; it is not told twice. */
static void
test_cancelled_before (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  guint answer;

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair->fake.auto_ack = FALSE;
  answer = pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), 900000, 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_cancel (pair, 0, 0, 8);
  fake_send (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 1);
  pair_assert_pending (pair, PAIR_A, answer);
  restart (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 1);
  pair_assert_failed (pair, PAIR_A, answer, SQX_ERR_SESSION_LOST);
  assert_idle (pair);
}

/* Cancelled by the program, queued by the program, half sent, ended and not acknowledged. */
static void
test_every_state (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint half, queued;

  pair->fake.hello.exchange_credit = 2;
  fake_connect (pair);
  fake_begin (pair);
  for (guint i = 0; i < 4; i++)
    fake_message (pair, 0, i, 0, 0, "question");
  fake_send (pair);
  pair->fake.auto_ack = FALSE;
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_flush (pair);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  pair_cancel (pair, PAIR_A, pair_send (pair, PAIR_A, "cancelled", 0));
  half = pair_send_size (pair, PAIR_A, 0, 1000000, 0);
  queued = pair_send (pair, PAIR_A, "queued", 0);
  pair_flush (pair);
  restart (pair);
  pair_assert_failed (pair, PAIR_A, half, SQX_ERR_SESSION_LOST);
  pair_assert_failed (pair, PAIR_A, queued, SQX_ERR_SESSION_LOST);
  /* What the program has, and has not answered. */
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 2);
  g_assert_cmpuint (pair_event (pair, PAIR_A, SQX_EVENT_CANCELLED, 0)->event.id.number, ==, 2);
  g_assert_cmpuint (pair_event (pair, PAIR_A, SQX_EVENT_CANCELLED, 1)->event.id.number, ==, 3);
  assert_idle (pair);
}

/* A new session has its own numbers, credit, order and limits. */
static void
test_all_begins_anew (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  pair_send (pair, PAIR_A, "question", 0);
  fake_begin (pair);
  fake_message (pair, 0, 1, 0, 0, "one");
  fake_send (pair);
  pair->fake.hello.max_message_size = 20000;
  pair->fake.hello.exchange_credit = 3;
  restart (pair);
  g_assert_cmpuint (sqx_conn_peer_max_message_size (pair->side[PAIR_A].conn), ==, 20000);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new_take (g_malloc0 (20001), 20001), 0,
                                  &tag), ==, SQX_ERR_TOO_LARGE);
  fake_begin (pair);
  fake_message (pair, 0, 1, SQX_WIRE_ORDERED, 0, "1");
  fake_message (pair, 0, 0, SQX_WIRE_ORDERED, 0, "0");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "one 0 1");
  fake_forget (pair);
  for (guint i = 0; i < 5; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 3);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (fake_nth (pair, SQX_FRAME_MESSAGE, i)->message.number, ==, i);
}

/* A close goes on: the new peer gets no further than the old one would have. */
static void
test_while_finishing (void)
{
  g_autoptr (Pair) pair = fake_pair ();

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "taken");
  fake_send (pair);
  sqx_conn_close (pair->side[PAIR_A].conn, pair->now, 64, "bye");
  pair_flush (pair);
  fake_forget (pair);
  pair->fake.epoch++;
  fake_begin (pair);
  fake_hello (pair);
  fake_message (pair, 0, 0, 0, 0, "again");
  fake_send (pair);
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_taken (pair, PAIR_A, "taken");
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_CLOSING);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_CLOSE)->close.code, ==, 64);
}

static void
test_priorities_stay (void)
{
  g_autoptr (Pair) pair = fake_pair ();

  sqx_conn_set_priority (pair->side[PAIR_A].conn, 3, 0);
  restart (pair);
  fake_forget (pair);
  pair_send (pair, PAIR_A, "low", 0);
  pair_send_on (pair, PAIR_A, 3, "high", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_nth (pair, SQX_FRAME_MESSAGE, 0)->message.channel, ==, 6);
  g_assert_cmpuint (fake_nth (pair, SQX_FRAME_MESSAGE, 1)->message.channel, ==, 0);
}

/* Again and again, at every moment, both sides: the connections live on. */
static void
run_restarts (guint32 seed)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  guint tag[2];

  g_test_message ("seed %u", seed);
  for (guint side = 0; side < 2; side++)
    pair->side[side].handler = pair_echo;
  for (guint i = 0; i < 12; i++)
    {
      for (guint side = 0; side < 2; side++)
        for (gint n = g_rand_int_range (rand, 0, 4); n > 0; n--)
          pair_send_size (pair, side, (uint32_t) g_rand_int_range (rand, 0, 3),
                          (size_t) g_rand_int_range (rand, 0, 5000),
                          (uint32_t) g_rand_int_range (rand, 0, 4));
      pair_drive_for (pair, (uint64_t) g_rand_int_range (rand, 0, 80) * SQX_MILLISECOND);
      if (i % 2)
        pair_restart (pair, (guint) g_rand_int_range (rand, 0, 2));
    }
  /* Both have something to say, so that both learn who is there now. */
  for (guint round = 0; round < 3; round++)
    {
      for (guint side = 0; side < 2; side++)
        tag[side] = pair_send (pair, side, "there?", 0);
      pair_drive_until (pair, 25 * SQX_SECOND,
                        pair_is_done (pair, PAIR_A, tag[0]) && pair_is_done (pair, PAIR_B, tag[1]));
    }
  pair_drive_until (pair, 25 * SQX_SECOND,
                    pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
  for (guint side = 0; side < 2; side++)
    {
      pair_assert_replied (pair, side, tag[side], "there?");
      pair_assert_all_failed (pair, side, SQX_ERR_SESSION_LOST);
      g_assert_false (pair->side[side].closed);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
}

static void
test_random (void)
{
  for (guint32 seed = 1; seed <= 150; seed++)
    run_restarts (seed);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define RS "/seqex/restart/"
  g_test_add_func (RS "with-events-waiting", test_with_events_waiting);
  g_test_add_func (RS "cancelled-before", test_cancelled_before);
  g_test_add_func (RS "every-state", test_every_state);
  g_test_add_func (RS "all-begins-anew", test_all_begins_anew);
  g_test_add_func (RS "while-finishing", test_while_finishing);
  g_test_add_func (RS "priorities-stay", test_priorities_stay);
  g_test_add_func (RS "at-random", test_random);

  return g_test_run ();
}
