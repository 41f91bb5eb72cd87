/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Recovery when the path, or the link, is gone or another one.
 */
#include "recovery-fixture.h"

/* The way on which all went is gone: everything is to go again, and nothing is waited for. */
static void
test_lose_all (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 2);                        /* 1, 2 */
  skip (&f);                                /* 3 */
  send_packet (&f, 50, FALSE, FALSE);       /* 4 */
  send_packet (&f, DATAGRAM, TRUE, FALSE);  /* 5 */
  f.now += 100 * MS;
  ack (&f, 2, 2);
  assert_told (&f, "+2");
  expire (&f);
  assert_told (&f, "-1");

  sqx_recovery_lose_all (&f.recovery, f.now);
  check_sums (&f.recovery);
  assert_told (&f, "-4 -5");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 3);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (f.recovery.pto_count, ==, 0);
  g_assert_cmpuint (f.recovery.probes, ==, 0);
  assert_rests (&f);

  /* Again there is nothing. */
  sqx_recovery_lose_all (&f.recovery, f.now);
  assert_told (&f, "");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 3);

  /* What arrived all the same is acknowledged, and the sums stay right. */
  ack (&f, 4, 5);
  assert_told (&f, "+4 +5");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 2);
  assert_refused (&f, &(Span) { 3, 3 }, 1);
  ack (&f, 1, 2);
  assert_told (&f, "+1");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 3);
  g_assert_cmpuint (f.recovery.spurious_losses, <=, f.recovery.packets_lost);
  tear_down (&f);
}

/* The next packet has a probe time-out of its own, and is not lost with the others. */
static void
test_lose_all_and_go_on (void)
{
  Fixture f;
  guint64 pto;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 3); /* 1 to 3 */
  for (guint i = 0; i < 3; i++)
    expire (&f);
  sqx_recovery_lose_all (&f.recovery, f.now);
  g_string_truncate (f.told, 0);

  f.now += MS;
  send_packet (&f, DATAGRAM, TRUE, TRUE); /* 4 */
  pto = sqx_recovery_pto (&f.recovery);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + pto);
  expire (&f);
  assert_told (&f, "-4");
  g_assert_cmpuint (f.recovery.eliciting_in_flight, ==, 1);
  f.now += MS;
  ack (&f, 4, 4);
  assert_told (&f, "+4");
  assert_rests (&f);
  tear_down (&f);
}

/* Another host: the window and the round-trip time begin anew, from the sample that proved it. */
static void
test_new_path (void)
{
  Fixture f;
  guint64 window;

  set_up (&f);
  window = f.recovery.cc.window;
  sample (&f, 100 * MS);
  send_many (&f, 9); /* 1 to 9 */
  f.now += 100 * MS;
  ack (&f, 9, 9);
  g_assert_cmpuint (f.recovery.cc.window, <, window);
  sqx_recovery_lose_all (&f.recovery, f.now);
  sqx_recovery_new_path (&f.recovery, f.now, 300 * MS);
  check_sums (&f.recovery);
  g_string_truncate (f.told, 0);

  g_assert_cmpuint (f.recovery.cc.window, ==, window);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, window);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, 300 * MS);
  g_assert_cmpuint (f.recovery.rtt.min, ==, 300 * MS);
  g_assert_cmpuint (sqx_recovery_pto (&f.recovery), >=, 300 * MS);

  /* Later samples count as usual, also smaller ones. */
  sample (&f, 200 * MS);
  g_assert_cmpuint (f.recovery.rtt.min, ==, 200 * MS);
  /* What was lost on the old path is no congestion on the new one. */
  window = f.recovery.cc.window;
  ack (&f, 1, 9);
  g_assert_cmpuint (f.recovery.cc.window, >=, window);
  tear_down (&f);
}

/* Without a sample all is as with the first packet, and the next acknowledgement gives one. */
static void
test_new_path_unknown (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 3000 * MS);
  sqx_recovery_new_path (&f.recovery, f.now, SQX_TIME_NEVER);
  g_assert_false (f.recovery.rtt.sampled);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, SQX_INITIAL_RTT);
  sample (&f, 40 * MS);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, 40 * MS);
  tear_down (&f);
}

/* A path within the machine or the house has the floor of one. */
static void
test_new_path_floor (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  g_assert_cmpuint (f.recovery.cc.window, <, SQX_WINDOW_LAN);
  sqx_recovery_new_path (&f.recovery, f.now, 0);
  g_assert_cmpuint (f.recovery.cc.window, >=, SQX_WINDOW_LAN);
  sqx_recovery_new_path (&f.recovery, f.now, 50 * MS);
  g_assert_cmpuint (f.recovery.cc.window, <, SQX_WINDOW_LAN);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/recovery-path/lose-all", test_lose_all);
  g_test_add_func ("/seqex/recovery-path/lose-all-and-go-on", test_lose_all_and_go_on);
  g_test_add_func ("/seqex/recovery-path/new-path", test_new_path);
  g_test_add_func ("/seqex/recovery-path/new-path-unknown", test_new_path_unknown);
  g_test_add_func ("/seqex/recovery-path/new-path-floor", test_new_path_floor);
  return g_test_run ();
}
