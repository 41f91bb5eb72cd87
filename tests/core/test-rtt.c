/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The numbers are worked out by hand from RFC 9002, in whole microseconds.
 */
#include <glib.h>

#include "sqx-rtt.h"

static void
test_initial (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);
  g_assert_false (rtt.sampled);
  g_assert_cmpuint (rtt.smoothed, ==, 500000);
  g_assert_cmpuint (rtt.variance, ==, 250000);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 0, 0), ==, 1500000);
}

/* It sets the first probe time-outs, and the first sample counts as if it had not been there. */
static void
test_guess (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);
  sqx_rtt_guess (&rtt, 100000);
  g_assert_false (rtt.sampled);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 0), ==, 325000);

  sqx_rtt_add_sample (&rtt, 2000, 0);
  g_assert_cmpuint (rtt.smoothed, ==, 2000);
  g_assert_cmpuint (rtt.variance, ==, 1000);
  g_assert_cmpuint (rtt.min, ==, 2000);
  sqx_rtt_guess (&rtt, 100000);
  g_assert_cmpuint (rtt.smoothed, ==, 2000);
}

static void
test_trace (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);

  /* The first sample counts whole, whatever the peer says of its delay. */
  sqx_rtt_add_sample (&rtt, 100000, 20000);
  g_assert_true (rtt.sampled);
  g_assert_cmpuint (rtt.latest, ==, 100000);
  g_assert_cmpuint (rtt.min, ==, 100000);
  g_assert_cmpuint (rtt.smoothed, ==, 100000);
  g_assert_cmpuint (rtt.variance, ==, 50000);

  /* 140 - 20 = 120: variance 3/4 * 50 + 20 / 4, smoothed 7/8 * 100 + 120 / 8. */
  sqx_rtt_add_sample (&rtt, 140000, 20000);
  g_assert_cmpuint (rtt.latest, ==, 140000);
  g_assert_cmpuint (rtt.min, ==, 100000);
  g_assert_cmpuint (rtt.variance, ==, 42500);
  g_assert_cmpuint (rtt.smoothed, ==, 102500);

  /* 110 - 20 would be less than the minimum: the delay is not believed. */
  sqx_rtt_add_sample (&rtt, 110000, 20000);
  g_assert_cmpuint (rtt.variance, ==, (3 * 42500 + 7500) / 4);
  g_assert_cmpuint (rtt.smoothed, ==, (7 * 102500 + 110000) / 8);

  /* 110 - 10 is the minimum: just believed. */
  sqx_rtt_init (&rtt);
  sqx_rtt_add_sample (&rtt, 100000, 0);
  sqx_rtt_add_sample (&rtt, 110000, 10000);
  g_assert_cmpuint (rtt.smoothed, ==, 100000);
  g_assert_cmpuint (rtt.variance, ==, 37500);

  /* A lower one: the minimum follows, the average from above. */
  sqx_rtt_add_sample (&rtt, 60000, 10000);
  g_assert_cmpuint (rtt.min, ==, 60000);
  g_assert_cmpuint (rtt.variance, ==, (3 * 37500 + 40000) / 4);
  g_assert_cmpuint (rtt.smoothed, ==, 95000);
}

static void
test_steady (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);
  for (int i = 0; i < 100; i++)
    sqx_rtt_add_sample (&rtt, 30000, 0);
  g_assert_cmpuint (rtt.smoothed, ==, 30000);
  g_assert_cmpuint (rtt.variance, ==, 0);

  /* Without variance the granularity stands in. */
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 0), ==, 56000);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 3), ==, 8 * 56000);
  g_assert_cmpuint (sqx_rtt_persistent_duration (&rtt, 25000), ==, 3 * 56000);
}

static void
test_backoff (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 0), ==, 1525000);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 1), ==, 3050000);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 5), ==, 48800000);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, 6), ==, SQX_PTO_MAX);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 25000, G_MAXUINT), ==, SQX_PTO_MAX);

  sqx_rtt_add_sample (&rtt, 2 * SQX_PTO_MAX, 0);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 0, 0), ==, SQX_PTO_MAX);
  /* Not capped: section 7.6.1 speaks of the bare estimate. */
  g_assert_cmpuint (sqx_rtt_persistent_duration (&rtt, 0), ==, 18 * SQX_PTO_MAX);
}

/* A path on which the clock does not tick still has a sample. */
static void
test_still_clock (void)
{
  sqx_rtt rtt;

  sqx_rtt_init (&rtt);
  sqx_rtt_add_sample (&rtt, 40, 0);
  g_assert_cmpuint (sqx_rtt_pto (&rtt, 0, 0), ==, 1040);
  sqx_rtt_init (&rtt);
  sqx_rtt_add_sample (&rtt, 0, 5);
  sqx_rtt_add_sample (&rtt, 0, 5);
  g_assert_true (rtt.sampled);
  g_assert_cmpuint (rtt.smoothed, ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/rtt/initial", test_initial);
  g_test_add_func ("/seqex/rtt/guess", test_guess);
  g_test_add_func ("/seqex/rtt/trace", test_trace);
  g_test_add_func ("/seqex/rtt/steady", test_steady);
  g_test_add_func ("/seqex/rtt/backoff", test_backoff);
  g_test_add_func ("/seqex/rtt/still-clock", test_still_clock);
  return g_test_run ();
}
