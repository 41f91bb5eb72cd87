/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-timers.h"
#include "sqx-util.h"

static void
test_empty (void)
{
  sqx_timers timers;

  sqx_timers_init (&timers);
  g_assert_cmpuint (sqx_timers_next (&timers), ==, SQX_TIME_NEVER);
  for (sqx_timer timer = 0; timer < SQX_N_TIMERS; timer++)
    {
      g_assert_false (sqx_timers_expired (&timers, timer, 0));
      g_assert_false (sqx_timers_expired (&timers, timer, SQX_TIME_NEVER));
    }
}

static void
test_order (void)
{
  sqx_timers timers;

  /* Each in turn is the earliest, wherever it stands in the table. */
  for (sqx_timer first = 0; first < SQX_N_TIMERS; first++)
    {
      sqx_timers_init (&timers);
      for (sqx_timer timer = 0; timer < SQX_N_TIMERS; timer++)
        sqx_timers_set (&timers, timer, timer == first ? 5 : 10 + timer);
      g_assert_cmpuint (sqx_timers_next (&timers), ==, 5);

      sqx_timers_stop (&timers, first);
      g_assert_cmpuint (sqx_timers_next (&timers), ==, first == 0 ? 11 : 10);
      g_assert_false (sqx_timers_expired (&timers, first, 1000));
    }
}

static void
test_expiry (void)
{
  sqx_timers timers;

  sqx_timers_init (&timers);
  sqx_timers_set (&timers, SQX_TIMER_ACK, 100);
  sqx_timers_set (&timers, SQX_TIMER_IDLE, 200);

  g_assert_false (sqx_timers_expired (&timers, SQX_TIMER_ACK, 99));
  g_assert_cmpuint (sqx_timers_next (&timers), ==, 100);
  g_assert_true (sqx_timers_expired (&timers, SQX_TIMER_ACK, 100));
  g_assert_false (sqx_timers_expired (&timers, SQX_TIMER_ACK, 100));
  g_assert_cmpuint (sqx_timers_next (&timers), ==, 200);

  sqx_timers_set (&timers, SQX_TIMER_IDLE, 300);
  g_assert_false (sqx_timers_expired (&timers, SQX_TIMER_IDLE, 250));
  g_assert_true (sqx_timers_expired (&timers, SQX_TIMER_IDLE, 1000));
  g_assert_cmpuint (sqx_timers_next (&timers), ==, SQX_TIME_NEVER);

  sqx_timers_set (&timers, SQX_TIMER_DRAIN, 0);
  g_assert_cmpuint (sqx_timers_next (&timers), ==, 0);
  g_assert_true (sqx_timers_expired (&timers, SQX_TIMER_DRAIN, 0));
}

/* Instants that many connections share. */
static void
test_instants (void)
{
  g_assert_cmpuint (sqx_time_by (0, 25000), ==, 25000);
  g_assert_cmpuint (sqx_time_by (1, 25998), ==, 25000);
  g_assert_cmpuint (sqx_time_by (1, 25999), ==, 26000);
  g_assert_cmpuint (sqx_time_by (390, 609), ==, 390);
  g_assert_cmpuint (sqx_time_later (SQX_TIME_NEVER), ==, SQX_TIME_NEVER);
  for (uint64_t time = 0; time < 300000; time += 77)
    {
      g_assert_cmpuint (sqx_time_later (time), >=, time);
      g_assert_cmpuint (sqx_time_later (time), <, time + 65536);
      g_assert_cmpuint (sqx_time_later (time), ==, sqx_time_later (time / 65536 * 65536));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/timers/empty", test_empty);
  g_test_add_func ("/seqex/timers/order", test_order);
  g_test_add_func ("/seqex/timers/expiry", test_expiry);
  g_test_add_func ("/seqex/timers/instants", test_instants);
  return g_test_run ();
}
