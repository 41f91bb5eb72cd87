/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery-fixture.h"

static void
test_idle (void)
{
  Fixture f;

  set_up (&f);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000);
  g_assert_cmpuint (sqx_recovery_pto (&f.recovery), ==, 1525 * MS);
  sqx_recovery_on_timeout (&f.recovery, f.now);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);

  /* What asks for no acknowledgement takes no room and wakes nobody. */
  send_packet (&f, 1000, FALSE, TRUE);
  assert_rests (&f);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000);
  ack (&f, 0, 0);
  assert_told (&f, "+0");
  g_assert_false (f.recovery.rtt.sampled);
  tear_down (&f);
}

static void
test_room (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 9);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 1200);
  send_packet (&f, 1199, TRUE, FALSE);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 1);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 0);
  check_sums (&f.recovery);

  /* Slow start: every byte acknowledged gives two. */
  f.now += 50 * MS;
  ack (&f, 0, 4);
  assert_told (&f, "+0 +1 +2 +3 +4");
  g_assert_cmpuint (f.recovery.cc.window, ==, 18000);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 18000 - 5 * DATAGRAM - 1199);
  tear_down (&f);
}

static void
test_limited (void)
{
  Fixture f;

  /* A burst that leaves half of the window unused says nothing about it, the first packet of it
   * as little as the last. */
  set_up (&f);
  send_many (&f, 4);
  send_packet (&f, DATAGRAM, TRUE, TRUE);
  f.now += 50 * MS;
  ack (&f, 0, 4);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000);

  /* One that fills it says so, but for the packet that ended it. */
  send_many (&f, 9);
  send_packet (&f, DATAGRAM, TRUE, TRUE);
  f.now += 50 * MS;
  ack (&f, 5, 14);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000 + 9 * DATAGRAM);
  tear_down (&f);
}

static void
test_rtt (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, 100 * MS);
  g_assert_cmpuint (f.recovery.first_sample_time, ==, 1100 * MS);

  /* The peer's delay is taken off, as far as it may delay. */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 180 * MS;
  g_assert_cmpint (ack_delayed (&f, 1, 1, 70 * MS), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 180 * MS);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, (700 + 155) * MS / 8);
  g_assert_cmpuint (f.recovery.first_sample_time, ==, 1100 * MS);

  /* The largest is known already, or asks for nothing: no sample. */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 10 * MS;
  ack (&f, 3, 3);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  f.now += 10 * MS;
  ack (&f, 2, 3);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  f.now += 20 * MS;
  ack (&f, 4, 5);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  g_assert_cmpuint (f.recovery.cc.floor, ==, 4 * DATAGRAM);
  tear_down (&f);

  /* A local network, even one that is faster than the clock, has its floor. */
  set_up (&f);
  sample (&f, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, SQX_WINDOW_LAN + DATAGRAM);
  tear_down (&f);
}

static void
test_pto (void)
{
  Fixture f;
  guint64 sent;

  set_up (&f);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  sent = f.now;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 10 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  sent = f.now;
  send_packet (&f, DATAGRAM, FALSE, FALSE);

  /* From the last packet that asks for an acknowledgement. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, sent + 1525 * MS);
  sqx_recovery_on_timeout (&f.recovery, sent + 1525 * MS - 1);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);
  expire (&f);
  assert_told (&f, "-1"); /* the oldest that asks; it stays in flight */
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 2 * DATAGRAM);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 0);
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  g_assert_true (sqx_recovery_room (&f.recovery) == SIZE_MAX);

  /* Owed and not sent: the timer runs on, doubled, and is not due again. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 3050 * MS);
  sqx_recovery_on_timeout (&f.recovery, f.now);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 1);

  /* A packet that asks for nothing is no probe. */
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  f.now += MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (f.recovery.probes, ==, 0);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000 - 3 * DATAGRAM);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 3050 * MS);

  /* Two probes at the second and third, then one, doubling up to the cap. */
  expire (&f);
  assert_told (&f, "-1");
  g_assert_cmpuint (f.recovery.probes, ==, 2);
  for (guint i = 2; i < 20; i++)
    {
      guint64 before = f.now;

      expire (&f);
      g_assert_cmpuint (f.now - before, ==, MIN (1525 * MS * (G_GUINT64_CONSTANT (1) << i),
                                                 SQX_PTO_MAX));
      g_assert_cmpuint (f.recovery.probes, ==, i == 2 ? 2 : 1);
    }
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 20);

  /* An acknowledgement ends it. */
  g_string_truncate (f.told, 0);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 100 * MS;
  ack (&f, 6, 6);
  assert_told (&f, "+6 -1 -2 -3 -4 -5");
  g_assert_cmpuint (f.recovery.pto_count, ==, 0);
  g_assert_cmpuint (f.recovery.probes, ==, 0);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  tear_down (&f);
}

static void
test_pto_after_ack (void)
{
  Fixture f;

  /* Only what is new resets the back-off. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 2);
  expire (&f);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (f.recovery.pto_count, ==, 1);
  ack (&f, 0, 0);
  g_assert_cmpuint (f.recovery.pto_count, ==, 1);
  ack (&f, 1, 1);
  g_assert_cmpuint (f.recovery.pto_count, ==, 0);

  /* What is left in flight still has its timer. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==,
                    f.now + sqx_recovery_pto (&f.recovery));
  tear_down (&f);
}

static void
test_late_timer (void)
{
  Fixture f;

  /* The time threshold and, far behind, the probe time-out are both due when the clock jumps:
   * one call sees to both. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 4); /* 1 … 4 */
  f.now += 100 * MS;
  ack (&f, 2, 2);
  g_string_truncate (f.told, 0);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 6250);
  f.now += 3600 * SQX_SECOND;
  expire (&f);
  assert_told (&f, "-1 -3");
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), >, f.now);
  tear_down (&f);
}

static void
test_never_sent (void)
{
  Fixture f;

  set_up_from (&f, 10);
  assert_refused (&f, &(Span) { 10, 10 }, 1);
  send_many (&f, 3);
  f.now += 10 * MS;
  assert_refused (&f, &(Span) { 13, 13 }, 1);
  assert_refused (&f, &(Span) { 10, 13 }, 1);
  assert_refused (&f, &(Span) { SQX_VARINT_MAX, SQX_VARINT_MAX }, 1);
  assert_refused (&f, &(Span) { 0, SQX_VARINT_MAX }, 1);
  assert_refused (&f, (Span []) { { 0, 0 }, { 10, 13 } }, 2);

  /* Numbers from before the link may have been sent by another. */
  ack (&f, 0, 9);
  assert_told (&f, "");
  g_assert_false (f.recovery.any_acked);
  g_assert_cmpint (ack_spans (&f, 0, (Span []) { { 0, 0 }, { 7, 10 }, { 12, 12 } }, 3),
                   ==, SQX_OK);
  assert_told (&f, "+10 +12");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);
  ack (&f, 0, 12);
  assert_told (&f, "+11");

  /* Nor is it wrong to name what is long forgotten. */
  g_assert_null (sqx_sent_get (&f.recovery.sent, 12));
  ack (&f, 10, 12);
  assert_told (&f, "");
  tear_down (&f);
}

static void
test_skipped (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 2);
  skip (&f);
  send_many (&f, 2); /* 3, 4 */
  f.now += 10 * MS;
  assert_refused (&f, &(Span) { 2, 2 }, 1);
  assert_refused (&f, &(Span) { 0, 4 }, 1);
  assert_refused (&f, (Span []) { { 0, 2 }, { 4, 4 } }, 2);
  g_assert_cmpint (ack_spans (&f, 0, (Span []) { { 0, 1 }, { 3, 4 } }, 2), ==, SQX_OK);
  assert_told (&f, "+0 +1 +3 +4");

  /* Still known right after that. */
  assert_refused (&f, &(Span) { 0, 4 }, 1);
  g_assert_cmpuint (f.recovery.sent.first_number, ==, 2);
  tear_down (&f);
}

static void
test_skipped_are_forgotten (void)
{
  Fixture f;
  guint64 pto;

  set_up (&f);
  sample (&f, 100 * MS);
  skip (&f); /* 1 */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  pto = sqx_recovery_pto (&f.recovery);

  /* As long as nothing higher was acknowledged and something is in flight, it is remembered. */
  for (guint i = 0; i < 10; i++)
    {
      f.now += 3 * pto + 1;
      send_packet (&f, DATAGRAM, FALSE, FALSE);
      g_assert_cmpuint (f.recovery.sent.first_number, ==, 1);
    }
  assert_refused (&f, &(Span) { 1, 2 }, 1);
  ack (&f, 2, 2);
  g_assert_cmpuint (f.recovery.sent.first_number, >, 1);
  tear_down (&f);

  /* Nor does it go when what is below has not been settled. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  skip (&f); /* 2 */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 100 * MS;
  ack (&f, 3, 3);
  assert_told (&f, "+3");
  for (guint i = 0; i < 4; i++)
    {
      f.now += 10 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
    }
  assert_refused (&f, &(Span) { 0, 4 }, 1);

  /* Within three probe time-outs it is remembered, after twice that it is gone. */
  f.now += 100 * MS;
  ack (&f, 4, 7);
  pto = sqx_recovery_pto (&f.recovery);
  f.now += 2 * pto;
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  assert_told (&f, "+4 +5 +6 +7 -1");
  assert_refused (&f, &(Span) { 2, 2 }, 1);
  for (guint i = 0; i < 2; i++)
    {
      f.now += 3 * pto + 1;
      send_packet (&f, DATAGRAM, FALSE, FALSE);
    }
  g_assert_null (sqx_sent_get (&f.recovery.sent, 2));
  ack (&f, 0, 7);
  tear_down (&f);

  /* A side that only acknowledges, and is never acknowledged itself, forgets as well. */
  set_up (&f);
  for (guint i = 0; i < 2000; i++)
    {
      if (i % 64 == 0)
        skip (&f);
      send_packet (&f, 40, FALSE, TRUE);
      f.now += 100 * MS;
    }
  g_assert_cmpuint (f.recovery.sent.next_number - f.recovery.sent.first_number, <, 150);
  tear_down (&f);
}

static void
test_plain_bound (void)
{
  Fixture f;

  set_up (&f);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  for (guint i = 0; i < SQX_PLAIN_OUTSTANDING_MAX; i++)
    send_packet (&f, 40, FALSE, TRUE);
  f.recovery.packets_acked = SQX_PLAIN_OUTSTANDING_MAX;
  g_assert_false (sqx_recovery_may_send_plain (&f.recovery));
  /* Others may go. */
  g_assert_true (sqx_recovery_reserve (&f.recovery, 1));

  f.now += 100 * MS;
  ack (&f, 1, 1);
  g_assert_true (sqx_recovery_may_send_plain (&f.recovery));
  ack (&f, 0, SQX_PLAIN_OUTSTANDING_MAX);
  /* What they took is kept for some time, for others to come. */
  g_assert_cmpuint (f.recovery.sent.packet_capacity, >, SQX_PLAIN_OUTSTANDING_MAX);
  f.now = sqx_recovery_deadline (&f.recovery);
  g_assert_cmpuint (f.now, !=, SQX_TIME_NEVER);
  sqx_recovery_on_timeout (&f.recovery, f.now);
  g_assert_cmpuint (f.recovery.sent.packet_capacity, ==, 0);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  tear_down (&f);
}

/* What is remembered of a connection at rest, also of what nobody acknowledges, goes within a few
 * deadlines, and the memory with it; then there is none. */
static void
test_rest (void)
{
  Fixture f;
  guint64 last;
  guint wakes = 0;

  set_up (&f);
  sample (&f, 10 * MS); /* 0 */
  skip (&f);            /* 1 */
  send_many (&f, 4);    /* 2 to 5 */
  f.now += 10 * MS;
  ack (&f, 5, 5);
  expire (&f);
  ack (&f, 3, 5);
  send_packet (&f, 40, FALSE, TRUE); /* 6 */
  last = f.recovery.last_eliciting;
  g_assert_cmpuint (f.recovery.sent.packet_capacity, <=, 8);
  while (sqx_recovery_deadline (&f.recovery) != SQX_TIME_NEVER)
    {
      g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), >=, f.now);
      f.now = sqx_recovery_deadline (&f.recovery);
      g_assert_cmpuint (f.now, >=, last + SQX_REST_DELAY);
      g_assert_nonnull (f.recovery.sent.packets);
      sqx_recovery_on_timeout (&f.recovery, f.now);
      g_assert_cmpuint (++wakes, <=, 3);
    }
  g_assert_null (f.recovery.sent.packets);
  g_assert_null (f.recovery.sent.records);
  g_assert_cmpuint (f.recovery.plain_outstanding, ==, 0);
  g_assert_cmpuint (f.now, <, last + SQX_REST_DELAY + SQX_SECOND);

  /* It goes on as if nothing had been. */
  g_string_truncate (f.told, 0);
  g_assert_cmpuint (send_packet (&f, DATAGRAM, TRUE, TRUE), ==, 7);
  ack (&f, 6, 7);
  assert_told (&f, "+7");
  tear_down (&f);
}

/* An ACK costs what it newly says: a window that is acknowledged one by one from the top, with the
 * oldest packet missing, must not be walked through each time. Quadratic, this would be 10^11
 * steps. */
static void
test_cost (void)
{
  const guint64 count = 300000;
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  for (guint64 i = 0; i < count; i++)
    send_packet (&f, 40, TRUE, FALSE);
  f.now += 100 * MS;
  for (guint64 number = 2; number <= count; number++)
    g_assert_cmpint (ack_delayed (&f, 2, number, 0), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  for (guint64 number = 2; number <= count; number++)
    g_assert_cmpint (ack_delayed (&f, 2, number, 0), ==, SQX_OK);

  /* The same from the top down. */
  for (guint64 i = 0; i < count; i++)
    send_packet (&f, 40, TRUE, FALSE);
  for (guint64 number = 2 * count; number > count; number--)
    g_assert_cmpint (ack_delayed (&f, number, 2 * count, 0), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  ack (&f, 1, 2 * count);
  g_assert_cmpuint (f.recovery.sent.first_number, ==, f.recovery.sent.next_number);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/recovery/idle", test_idle);
  g_test_add_func ("/seqex/recovery/room", test_room);
  g_test_add_func ("/seqex/recovery/limited", test_limited);
  g_test_add_func ("/seqex/recovery/rtt", test_rtt);
  g_test_add_func ("/seqex/recovery/pto", test_pto);
  g_test_add_func ("/seqex/recovery/pto-after-ack", test_pto_after_ack);
  g_test_add_func ("/seqex/recovery/late-timer", test_late_timer);
  g_test_add_func ("/seqex/recovery/never-sent", test_never_sent);
  g_test_add_func ("/seqex/recovery/skipped", test_skipped);
  g_test_add_func ("/seqex/recovery/skipped-are-forgotten", test_skipped_are_forgotten);
  g_test_add_func ("/seqex/recovery/plain-bound", test_plain_bound);
  g_test_add_func ("/seqex/recovery/rest", test_rest);
  g_test_add_func ("/seqex/recovery/cost", test_cost);
  return g_test_run ();
}
