/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery-fixture.h"

static void
test_packet_threshold (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 10);
  f.now += 100 * MS;
  ack (&f, 2, 2);
  assert_told (&f, "+2");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000 + DATAGRAM);

  /* 0 is three below now. */
  ack (&f, 3, 3);
  assert_told (&f, "+3 -0");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  g_assert_cmpuint (f.recovery.cc.window, ==, (12000 + DATAGRAM) / 2);

  /* More of the same flight: no second reaction. */
  ack (&f, 9, 9);
  assert_told (&f, "+9 -1 -4 -5 -6");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 5);
  g_assert_cmpuint (f.recovery.cc.window, ==, (12000 + DATAGRAM) / 2);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 2 * DATAGRAM);

  /* 7 and 8 wait for the time threshold: 17/16 of 100 ms after they were sent. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, 1000 * MS + 106250);
  expire (&f);
  assert_told (&f, "-7 -8");
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  assert_rests (&f);
  tear_down (&f);
}

static void
test_time_threshold (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 1 at 1100 */
  f.now += 60 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 2 at 1160 */
  f.now += 3 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 3 at 1163 */

  /* When 3 is acknowledged, 1 is too old, and 2 will be. */
  f.now += 100 * MS;
  ack (&f, 3, 3);
  assert_told (&f, "+3 -1");
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, 1160 * MS + 106250);
  sqx_recovery_on_timeout (&f.recovery, 1160 * MS + 106249);
  assert_told (&f, "");
  expire (&f);
  assert_told (&f, "-2");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 2);

  /* Nothing waits for a packet that asks for nothing. */
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 90 * MS;
  ack (&f, 5, 5);
  assert_told (&f, "+5");
  assert_rests (&f);
  f.now += 100 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 90 * MS;
  ack (&f, 6, 6);
  assert_told (&f, "+6 -4");
  /* Losing it is no congestion. */
  g_assert_cmpuint (f.recovery.cc.newreno.recovery_start, <, 1300 * MS);
  tear_down (&f);
}

static void
test_spurious (void)
{
  Fixture f;
  guint64 window;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 5); /* 1 … 5 */
  f.now += 100 * MS;
  ack (&f, 4, 5);
  assert_told (&f, "+4 +5 -1 -2");
  window = f.recovery.cc.window;
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);

  f.now += 10 * MS;
  ack (&f, 1, 5);
  assert_told (&f, "+1 +2 +3");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 2);
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 2);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, window);
  ack (&f, 1, 5);
  assert_told (&f, "");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 2);
  tear_down (&f);
}

static void
test_lost_are_forgotten (void)
{
  Fixture f;
  guint64 lost_at;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 5);
  f.now += 100 * MS;
  ack (&f, 2, 5);
  lost_at = f.now;
  ack (&f, 2, 5);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  g_string_truncate (f.told, 0);

  /* Remembered for three probe time-outs, then not. */
  f.now = lost_at + 3 * sqx_recovery_pto (&f.recovery);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_nonnull (sqx_sent_get (&f.recovery.sent, 1));
  f.now++;
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_cmpuint (f.recovery.sent.first_number, ==, 6);
  ack (&f, 1, 5);
  assert_told (&f, "");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);
  tear_down (&f);
}

/* Sends at @times, in ms after 2000, acknowledges the last, and maybe one in between. */
static gboolean
collapses (const guint64 *times,
           gsize          n,
           gint           acked_between,
           gboolean       sampled_before)
{
  Fixture f;
  gboolean collapsed;

  set_up (&f);
  if (sampled_before)
    {
      sample (&f, 100 * MS); /* PTO: 100 + 4 * 50 + 25 = 325 ms, times three is 975 */
      g_assert_cmpuint (sqx_rtt_persistent_duration (&f.recovery.rtt, 25 * MS), ==, 975 * MS);
    }
  else
    {
      send_packet (&f, DATAGRAM, FALSE, FALSE);
    }
  f.recovery.cc.window = 40 * DATAGRAM;
  for (gsize i = 0; i < n; i++)
    {
      f.now = (2000 + times[i]) * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
    }
  /* After this sample: variance (3 * 50 + 0) / 4 = 37.5, PTO 100 + 150 + 25 = 275, 825. */
  f.now += 100 * MS;
  if (acked_between >= 0)
    g_assert_cmpint (ack_spans (&f, 0, (Span []) { { (guint64) acked_between,
                                                     (guint64) acked_between }, { n, n } }, 2),
                     ==, SQX_OK);
  else
    ack (&f, n, n);
  g_assert_cmpuint (f.recovery.packets_lost, >=, n - 3);
  collapsed = f.recovery.cc.window <= 6 * DATAGRAM; /* four, and one for each acknowledged */
  if (!collapsed)
    g_assert_cmpuint (f.recovery.cc.window, >=, 20 * DATAGRAM);
  tear_down (&f);
  return collapsed;
}

static void
test_persistent (void)
{
  static const guint64 longer[] = { 0, 300, 600, 826, 1500 };
  static const guint64 equal[] = { 0, 300, 600, 825, 1500 };
  static const guint64 longest[] = { 0, 300, 826, 1200, 1652, 2500 };
  static const guint64 no_sample[] = { 0, 1000, 2000, 3000, 20000 };

  g_assert_true (collapses (longer, 5, -1, TRUE));
  g_assert_false (collapses (equal, 5, -1, TRUE));

  /* One acknowledged in between ends the stretch; a new one may be long enough. */
  g_assert_false (collapses (longer, 5, 2, TRUE));
  g_assert_false (collapses (longer, 5, 3, TRUE));
  g_assert_true (collapses (longest, 6, 1, TRUE));
  g_assert_false (collapses (longest, 6, 3, TRUE));

  /* What was sent before the first sample does not count. */
  g_assert_false (collapses (no_sample, 5, -1, FALSE));
}

static void
test_persistent_kinds (void)
{
  Fixture f;

  /* The two ends must ask for an acknowledgement; what is in between need not. */
  for (guint plain_end = 0; plain_end < 2; plain_end++)
    {
      set_up (&f);
      sample (&f, 100 * MS);
      f.recovery.cc.window = 40 * DATAGRAM;
      f.now += MS;
      send_packet (&f, DATAGRAM, plain_end == 0, FALSE);
      f.now += 400 * MS;
      send_packet (&f, DATAGRAM, plain_end == 1, FALSE);
      skip (&f);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 100 * MS;
      ack (&f, 5, 5);
      g_assert_cmpuint (f.recovery.packets_lost, ==, plain_end ? 2 : 3); /* or given up */
      if (plain_end)
        g_assert_cmpuint (f.recovery.cc.window, ==, 20 * DATAGRAM);
      else
        g_assert_cmpuint (f.recovery.cc.window, ==, 5 * DATAGRAM);
      tear_down (&f);
    }
}

/* RFC 9002 section 7.6.2: what was sent up to the first sample, or without one, does not count. */
static void
test_persistent_start (void)
{
  Fixture f;

  for (guint after = 0; after < 2; after++)
    {
      set_up (&f);
      sample (&f, 100 * MS);
      f.recovery.cc.window = 40 * DATAGRAM;
      f.now += after;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 900 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 100 * MS;
      ack (&f, 3, 3);
      assert_told (&f, "+3 -1 -2");
      g_assert_cmpuint (f.recovery.cc.window, ==, (after ? 5 : 20) * DATAGRAM);
      tear_down (&f);
    }

  set_up (&f);
  f.recovery.cc.window = 40 * DATAGRAM;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 60 * SQX_SECOND;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  for (guint i = 0; i < 3; i++)
    send_packet (&f, DATAGRAM, FALSE, FALSE);
  ack (&f, 4, 4);
  assert_told (&f, "+4 -0 -1");
  g_assert_false (f.recovery.rtt.sampled);
  g_assert_cmpuint (f.recovery.cc.window, ==, 20 * DATAGRAM);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/loss/packet-threshold", test_packet_threshold);
  g_test_add_func ("/seqex/loss/time-threshold", test_time_threshold);
  g_test_add_func ("/seqex/loss/spurious", test_spurious);
  g_test_add_func ("/seqex/loss/lost-are-forgotten", test_lost_are_forgotten);
  g_test_add_func ("/seqex/loss/persistent", test_persistent);
  g_test_add_func ("/seqex/loss/persistent-kinds", test_persistent_kinds);
  g_test_add_func ("/seqex/loss/persistent-start", test_persistent_start);
  return g_test_run ();
}
