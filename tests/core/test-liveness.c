/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time: keep-alive, a silent peer, an unreachable one, probe time-outs, sleep.
 */
#include "pair.h"

static Pair *
pair_with (uint64_t idle_a, uint64_t idle_b, uint64_t keepalive, gboolean always)
{
  sqx_config config[2];
  Pair *pair;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].idle_timeout = i ? idle_b : idle_a;
      config[i].keepalive_interval = keepalive;
      config[i].keepalive_always = always;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  pair_connect (pair);
  return pair;
}

static guint
pings (Pair *pair)
{
  return pair->frames[PAIR_A][SQX_FRAME_PING] + pair->frames[PAIR_B][SQX_FRAME_PING];
}

/* Sleep ------------------------------------------------------------------------------- */

static void
test_sleeps (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint sent;

  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
  pair->side[PAIR_B].handler = pair_echo;
  pair_connect (pair);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
  sent = pair->sent[PAIR_A] + pair->sent[PAIR_B];
  for (guint i = 0; i < 3; i++)
    {
      guint tag;

      pair_drive_for (pair, 1000 * SQX_SECOND);
      g_assert_cmpuint (pair->sent[PAIR_A] + pair->sent[PAIR_B], ==, sent);
      /* The next send wakes both. */
      tag = pair_send (pair, PAIR_A, "question", 0);
      pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
      pair_drive (pair);
      g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
      g_assert_cmpuint (pair->sent[PAIR_A] + pair->sent[PAIR_B], >, sent);
      sent = pair->sent[PAIR_A] + pair->sent[PAIR_B];
    }
  pair_assert_quiet (pair);
}

/* A deadline that has not passed is none; called late is called once. */
static void
test_early_and_late_calls (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  uint8_t buffer[SQX_DATAGRAM_MAX];
  uint64_t next;
  guint seen;

  sqx_conn_handle_timeout (conn, pair->now);
  g_assert_cmpuint (sqx_conn_poll_transmit (conn, pair->now, buffer, sizeof buffer), ==, 0);
  pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  next = sqx_conn_next_timeout (conn);
  sqx_conn_handle_timeout (conn, pair->now);
  pair->now = next - 1;
  sqx_conn_handle_timeout (conn, pair->now);
  g_assert_cmpuint (sqx_conn_poll_transmit (conn, pair->now, buffer, sizeof buffer), ==, 0);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, next);
  seen = pair->fake.seen->len;
  pair->now = next + 3 * SQX_SECOND;
  pair_flush (pair);
  g_assert_cmpuint (pair->fake.seen->len, >, seen);
  g_assert_cmpuint (pair->fake.seen->len, <=, seen + 2);
}

/* Fetching an event may give the core something to do, and a driver looks at the deadline next. */
static void
test_deadline_after_event (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  sqx_event event;

  fake_connect (pair);
  g_assert_cmpint (sqx_conn_send (conn, pair->now, 0, &(sqx_payload){ NULL, 0, NULL }, 0, NULL,
                                  NULL), ==, SQX_OK);
  pair_flush (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, "");
  fake_send (pair);
  pair_drive_for (pair, SQX_SECOND); /* its packet is acknowledged, so nothing else is due */
  g_assert_true (sqx_conn_poll_event (conn, &event));
  while (event.type != SQX_EVENT_REPLY)
    g_assert_true (sqx_conn_poll_event (conn, &event));
  g_assert_cmpuint (sqx_conn_next_timeout (conn), <=, pair->now + SQX_ACK_DELAY_DEFAULT);
}

/* Keep-alive -------------------------------------------------------------------------- */

static void
test_keepalive (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_IDLE_DEFAULT, SQX_IDLE_DEFAULT, 10 * SQX_SECOND, FALSE);
  guint tag = pair_send (pair, PAIR_A, "question", 0);

  pair_drive_for (pair, 105 * SQX_SECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  /* One side's ping breaks the silence for both. */
  g_assert_cmpuint (pings (pair), >=, 10);
  g_assert_cmpuint (pings (pair), <=, 20);
  g_assert_cmpuint (pair->sent[PAIR_A] + pair->sent[PAIR_B], <=, 50);
  pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), SQX_END_ENDED);
  pair_drive (pair);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
  pair_assert_quiet (pair);
}

/* Traffic is as good as a ping. */
static void
test_no_ping_while_talking (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_IDLE_DEFAULT, SQX_IDLE_DEFAULT, 10 * SQX_SECOND, FALSE);

  pair_send (pair, PAIR_A, "open", 0);
  for (guint i = 0; i < 20; i++)
    {
      pair_drive_for (pair, 7 * SQX_SECOND);
      pair_send (pair, PAIR_A, "x", SQX_MESSAGE_FINAL);
    }
  g_assert_cmpuint (pings (pair), ==, 0);
}

static void
test_keepalive_off (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_IDLE_DEFAULT, SQX_IDLE_DEFAULT, SQX_TIME_NEVER, FALSE);
  uint64_t start = pair->now;
  guint tag = pair_send (pair, PAIR_A, "question", 0);

  pair_drive (pair);
  pair_drive_for (pair, 60 * SQX_SECOND);
  g_assert_cmpuint (pings (pair), ==, 0);
  /* With no pings to hear, silence is all there is to go by. */
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair_wait (pair, PAIR_A, tag)->time, >=, start + SQX_IDLE_DEFAULT);
}

static void
test_keepalive_always (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_IDLE_DEFAULT, SQX_IDLE_DEFAULT, 10 * SQX_SECOND, TRUE);
  uint64_t death;

  pair_drive_for (pair, 100 * SQX_SECOND);
  g_assert_cmpuint (pings (pair), >=, 9);
  g_assert_false (pair->side[PAIR_A].closed);
  pair->block[PAIR_B] = TRUE;
  death = pair->now;
  pair_drive_for (pair, 60 * SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, <=, death + 30 * SQX_SECOND);
}

static void
test_keepalive_set (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_IDLE_DEFAULT, SQX_IDLE_DEFAULT, SQX_TIME_NEVER, FALSE);
  guint before;

  sqx_conn_set_keepalive (pair->side[PAIR_A].conn, pair->now, SQX_SECOND, true);
  pair_drive_for (pair, 10500 * SQX_MILLISECOND);
  g_assert_cmpuint (pings (pair), >=, 9);
  g_assert_cmpuint (pings (pair), <=, 11);
  sqx_conn_set_keepalive (pair->side[PAIR_A].conn, pair->now, SQX_SECOND, false);
  before = pings (pair);
  pair_drive_for (pair, 100 * SQX_SECOND);
  g_assert_cmpuint (pings (pair), <=, before + 1);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

/* Idle -------------------------------------------------------------------------------- */

static void
test_smaller_idle_holds (gconstpointer data)
{
  gboolean own = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = pair_with (own ? 3 * SQX_SECOND : SQX_IDLE_DEFAULT,
                                     own ? SQX_IDLE_DEFAULT : 3 * SQX_SECOND, SQX_SECOND, FALSE);
  uint64_t start;
  guint tag;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive_for (pair, 20 * SQX_SECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  pair->block[PAIR_B] = TRUE;
  start = pair->now;
  pair_drive_for (pair, 20 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair_wait (pair, PAIR_A, tag)->time, <=, start + 3 * SQX_SECOND);
  g_assert_cmpuint (pair_wait (pair, PAIR_A, tag)->time, >=, start + 1500 * SQX_MILLISECOND);
}

static void
test_idle_never (void)
{
  g_autoptr (Pair) pair = pair_with (SQX_TIME_NEVER, SQX_TIME_NEVER, 10 * SQX_SECOND, FALSE);
  guint tag, sent;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair->block[PAIR_A] = TRUE;
  pair_drive_for (pair, 3600 * SQX_SECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  /* Probes grow seldom, but go on: at most a minute apart. */
  sent = pair->sent[PAIR_A];
  g_assert_cmpuint (sent, <=, 200);
  pair_drive_for (pair, 61 * SQX_SECOND);
  g_assert_cmpuint (pair->sent[PAIR_A], >, sent);
  pair->block[PAIR_A] = FALSE;
  pair_drive_for (pair, 61 * SQX_SECOND);
  pair_assert_taken (pair, PAIR_B, "question");
}

/* A connection that slept is not dead because nothing came meanwhile. */
static void
test_idle_from_opening (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  uint64_t start;
  guint tag;

  pair_connect (pair);
  pair_drive_for (pair, 3600 * SQX_SECOND);
  pair->block[PAIR_A] = TRUE;
  start = pair->now;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  pair_drive_for (pair, 29900 * SQX_MILLISECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair_wait (pair, PAIR_A, tag)->time, ==, start + 30 * SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  /* Nobody is told who is not there. */
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_CLOSE], ==, 0);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CLOSED);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_TIMED_OUT);
}

static void
test_idle_set (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag;

  pair_connect (pair);
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair->block[PAIR_B] = TRUE;
  sqx_conn_set_idle_timeout (pair->side[PAIR_A].conn, pair->now, 5 * SQX_SECOND);
  pair_drive_for (pair, 6 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
}

static void
test_blackout_heals (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag[2];

  pair_connect (pair);
  pair->side[PAIR_A].handler = pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 2; i++)
    tag[i] = pair_send_size (pair, i, 0, 300000, 0);
  pair_drive_for (pair, 25 * SQX_MILLISECOND);
  pair->block[PAIR_A] = pair->block[PAIR_B] = TRUE;
  pair_drive_for (pair, 10 * SQX_SECOND);
  pair->block[PAIR_A] = pair->block[PAIR_B] = FALSE;
  pair_drive_until (pair, 30 * SQX_SECOND,
                    pair_is_done (pair, PAIR_A, tag[0]) && pair_is_done (pair, PAIR_B, tag[1]));
  pair_assert_replied (pair, PAIR_A, tag[0], NULL);
  pair_assert_replied (pair, PAIR_B, tag[1], NULL);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* Unreachable ------------------------------------------------------------------------- */

static void
test_unreachable (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  uint64_t start = pair->now;
  guint tag;

  pair->block[PAIR_A] = TRUE;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  for (guint i = 0; i < 49; i++)
    {
      /* Every packet brings a notice; the first one counts. */
      sqx_conn_handle_unreachable (conn, pair->now);
      pair_assert_pending (pair, PAIR_A, tag);
      pair_drive_for (pair, 100 * SQX_MILLISECOND);
    }
  pair_assert_pending (pair, PAIR_A, tag);
  pair_drive_for (pair, 200 * SQX_MILLISECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_UNREACHABLE);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_UNREACHABLE);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, ==, start + SQX_UNREACHABLE_DEFAULT);
  sqx_conn_handle_unreachable (conn, pair->now);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

/* The peer comes up within the time. */
static void
test_unreachable_at_first (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag;

  pair->side[PAIR_B].handler = pair_echo;
  pair->block[PAIR_A] = TRUE;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  sqx_conn_handle_unreachable (pair->side[PAIR_A].conn, pair->now);
  pair_drive_for (pair, 2 * SQX_SECOND);
  pair->block[PAIR_A] = FALSE;
  pair_drive_until (pair, 4 * SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
  pair_assert_replied (pair, PAIR_A, tag, "question");
  pair_drive_for (pair, 60 * SQX_SECOND);
  g_assert_false (pair->side[PAIR_A].closed);
  /* A later notice begins a time of its own. */
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair->block[PAIR_A] = TRUE;
  pair_flush (pair);
  sqx_conn_handle_unreachable (pair->side[PAIR_A].conn, pair->now);
  pair_drive_for (pair, 4900 * SQX_MILLISECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  pair_drive_for (pair, 200 * SQX_MILLISECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_UNREACHABLE);
}

/* Probe time-outs --------------------------------------------------------------------- */

static void
test_back_off (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  GArray *times = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  uint64_t last = 0;

  pair_send (pair, PAIR_A, "question", 0);
  pair_drive_for (pair, 31 * SQX_SECOND);
  for (guint i = 0; i < pair->fake.seen->len; i++)
    {
      uint64_t time = ((FakePacket *) g_ptr_array_index (pair->fake.seen, i))->time;

      if (time != last)
        g_array_append_val (times, time);
      last = time;
    }
  g_assert_cmpuint (times->len, >=, 4);
  for (guint i = 2; i < times->len; i++)
    g_assert_cmpuint (g_array_index (times, uint64_t, i) - g_array_index (times, uint64_t, i - 1),
                      ==, 2 * (g_array_index (times, uint64_t, i - 1)
                               - g_array_index (times, uint64_t, i - 2)));
  /* The first leaves time for a satellite. */
  g_assert_cmpuint (g_array_index (times, uint64_t, 1) - g_array_index (times, uint64_t, 0), >=,
                    1500 * SQX_MILLISECOND);
  g_array_unref (times);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
}

/* What a probe carries is what was lost: the exchange goes on at the first that arrives. */
static void
test_probe_carries (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_statistics statistics;
  guint tag;

  pair_connect (pair);
  pair->side[PAIR_B].handler = pair_echo;
  pair->drop_next[PAIR_A] = 1;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
  statistics = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (statistics.probe_timeouts, ==, 1);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* An acknowledgement waits for company, but not longer than the delay. */
static void
test_delayed_acknowledgement (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint64_t number, start;

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  number = fake_send (pair);
  start = pair->now;
  pair_drive_for (pair, SQX_ACK_DELAY_DEFAULT - 1);
  g_assert_cmpuint (pair->fake.seen->len, ==, 0);
  pair_drive_for (pair, 1);
  g_assert_true (fake_acknowledged (pair, number));
  g_assert_cmpuint (((FakePacket *) g_ptr_array_index (pair->fake.seen, 0))->time, ==,
                    start + SQX_ACK_DELAY_DEFAULT);

  /* A reply carries it at once, and a second packet asks for it. */
  fake_forget (pair);
  pair_drive_for (pair, SQX_SECOND);
  fake_begin (pair);
  fake_message (pair, 0, 1, 0, 0, "question");
  number = fake_send (pair);
  pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), "answer", SQX_MESSAGE_FINAL);
  pair_flush (pair);
  g_assert_true (fake_acknowledged (pair, number));
  g_assert_cmpuint (pair->fake.seen->len, ==, 1);
}

/* Steady request and reply at depth one: two datagrams an exchange. */
static void
test_two_datagrams (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint before;

  pair_connect (pair);
  pair->side[PAIR_B].handler = pair_echo;
  before = pair->sent[PAIR_A] + pair->sent[PAIR_B];
  for (guint i = 0; i < 1000; i++)
    {
      guint tag = pair_send (pair, PAIR_A, "question", 0);

      pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
    }
  g_assert_cmpuint (pair->sent[PAIR_A] + pair->sent[PAIR_B] - before, <=, 2050);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define L "/seqex/liveness/"
  g_test_add_func (L "sleeps", test_sleeps);
  g_test_add_func (L "early-and-late-calls", test_early_and_late_calls);
  g_test_add_func (L "deadline-after-an-event", test_deadline_after_event);
  g_test_add_func (L "keepalive", test_keepalive);
  g_test_add_func (L "no-ping-while-talking", test_no_ping_while_talking);
  g_test_add_func (L "keepalive-off", test_keepalive_off);
  g_test_add_func (L "keepalive-always", test_keepalive_always);
  g_test_add_func (L "keepalive-set", test_keepalive_set);
  g_test_add_data_func (L "idle-own-is-smaller", GINT_TO_POINTER (TRUE),
                        test_smaller_idle_holds);
  g_test_add_data_func (L "idle-peer-is-smaller", GINT_TO_POINTER (FALSE),
                        test_smaller_idle_holds);
  g_test_add_func (L "idle-never", test_idle_never);
  g_test_add_func (L "idle-from-opening", test_idle_from_opening);
  g_test_add_func (L "idle-set", test_idle_set);
  g_test_add_func (L "blackout-heals", test_blackout_heals);
  g_test_add_func (L "unreachable", test_unreachable);
  g_test_add_func (L "unreachable-at-first", test_unreachable_at_first);
  g_test_add_func (L "back-off", test_back_off);
  g_test_add_func (L "probe-carries-what-was-lost", test_probe_carries);
  g_test_add_func (L "delayed-acknowledgement", test_delayed_acknowledgement);
  g_test_add_func (L "two-datagrams-an-exchange", test_two_datagrams);

  return g_test_run ();
}
