/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <math.h>

#include "sqx-hystart.h"

#define MS 1000

/* RFC 9406 section 4.2 word for word, in real numbers: the other account of the same rules. Of the
 * threshold whole microseconds count, or rounding would decide where both sides meet. */
typedef struct
{
  double last_round, current_round, baseline;
  int count, css_rounds;
  gboolean css, done;
} Oracle;

static void
oracle_init (Oracle *o)
{
  *o = (Oracle) { .last_round = INFINITY, .current_round = INFINITY, .baseline = INFINITY };
}

static void
oracle_sample (Oracle *o, gboolean round_start, double rtt)
{
  if (round_start)
    {
      o->last_round = o->current_round;
      o->current_round = INFINITY;
      o->count = 0;
      if (o->css)
        o->done |= ++o->css_rounds == 5;
    }
  o->current_round = MIN (o->current_round, rtt);
  o->count++;
  if (o->done || o->count < 8)
    return;

  if (o->css)
    {
      if (o->current_round < o->baseline)
        {
          o->baseline = INFINITY;
          o->css = FALSE;
        }
    }
  else if (isfinite (o->last_round))
    {
      double threshold = MAX (4 * MS, MIN ((double) (guint64) (o->last_round / 8), 16 * MS));

      if (o->current_round >= o->last_round + threshold)
        {
          o->baseline = o->current_round;
          o->css = TRUE;
          o->css_rounds = 0;
        }
    }
}

static void
round_of (sqx_hystart *h, guint samples, guint64 rtt)
{
  for (guint i = 0; i < samples; i++)
    sqx_hystart_add_sample (h, i == 0, rtt);
}

static void
test_steady (void)
{
  sqx_hystart h;

  sqx_hystart_init (&h);
  for (int i = 0; i < 30; i++)
    round_of (&h, 20, 40 * MS + i * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_SLOW);
  g_assert_cmpuint (sqx_hystart_growth (&h, 1200), ==, 1200);
}

/* The threshold is an eighth of the round-trip time, between 4 and 16 ms. */
static void
test_threshold (void)
{
  static const struct { guint64 before, enough; } cases[] = {
    { 1 * MS, 5 * MS },
    { 32 * MS, 36 * MS },
    { 80 * MS, 90 * MS },
    { 128 * MS, 144 * MS },
    { 600 * MS, 616 * MS },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint less = 0; less < 2; less++)
      {
        sqx_hystart h;

        sqx_hystart_init (&h);
        round_of (&h, 8, cases[i].before);
        round_of (&h, 8, cases[i].enough - less);
        g_assert_cmpint (h.phase, ==, less ? SQX_HYSTART_SLOW : SQX_HYSTART_CONSERVATIVE);
      }
}

/* Seven samples say nothing, and neither does a first round. */
static void
test_few_samples (void)
{
  sqx_hystart h;

  sqx_hystart_init (&h);
  round_of (&h, 100, 40 * MS);
  round_of (&h, 7, 80 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_SLOW);
  sqx_hystart_add_sample (&h, false, 80 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_CONSERVATIVE);
  g_assert_cmpuint (sqx_hystart_growth (&h, 1200), ==, 300);
}

static void
test_five_rounds (void)
{
  sqx_hystart h;

  sqx_hystart_init (&h);
  round_of (&h, 10, 40 * MS);
  for (int i = 0; i < 5; i++)
    {
      round_of (&h, 10, 80 * MS);
      g_assert_cmpint (h.phase, ==, SQX_HYSTART_CONSERVATIVE);
    }
  sqx_hystart_add_sample (&h, true, 80 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_DONE);
}

/* A delay that was an accident: slow start goes on, and its next end takes five rounds again. */
static void
test_resumes (void)
{
  sqx_hystart h;

  sqx_hystart_init (&h);
  round_of (&h, 10, 40 * MS);
  for (int i = 0; i < 4; i++)
    round_of (&h, 10, 80 * MS);
  round_of (&h, 7, 41 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_CONSERVATIVE);
  sqx_hystart_add_sample (&h, false, 41 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_SLOW);

  for (int i = 0; i < 5; i++)
    {
      round_of (&h, 10, 60 * MS);
      g_assert_cmpint (h.phase, ==, SQX_HYSTART_CONSERVATIVE);
    }
  sqx_hystart_add_sample (&h, true, 60 * MS);
  g_assert_cmpint (h.phase, ==, SQX_HYSTART_DONE);
}

static void
test_oracle (void)
{
  guint ends = 0, resumed = 0;

  for (int trace = 0; trace < 2000; trace++)
    {
      guint64 base = g_test_rand_int_range (100, 400 * MS), delay = 0;
      sqx_hystart h;
      Oracle o;

      sqx_hystart_init (&h);
      oracle_init (&o);
      for (int round = 0; round < 30 && h.phase != SQX_HYSTART_DONE; round++)
        {
          int samples = g_test_rand_int_range (1, 30);

          if (g_test_rand_int_range (0, 3) == 0)
            delay = g_test_rand_int_range (0, 20 * MS);
          for (int i = 0; i < samples; i++)
            {
              guint64 rtt = base + delay + g_test_rand_int_range (0, 3 * MS);
              gboolean css = o.css;

              sqx_hystart_add_sample (&h, i == 0, rtt);
              oracle_sample (&o, i == 0, (double) rtt);
              resumed += css && !o.css;
              g_assert_cmpint (h.phase, ==, o.done ? SQX_HYSTART_DONE
                                            : o.css ? SQX_HYSTART_CONSERVATIVE : SQX_HYSTART_SLOW);
              if (o.done)
                break;
            }
        }
      ends += h.phase == SQX_HYSTART_DONE;
    }
  g_test_message ("%u traces ended, slow start resumed %u times", ends, resumed);
  g_assert_cmpuint (ends, >, 50);
  g_assert_cmpuint (resumed, >, 100);
}

/* A sender that is limited by its window alone, on a path of @rate bytes a millisecond with a queue
 * without end. Returns the window at which slow start ends. */
static guint64
window_at_end (guint64 rate, guint64 rtt)
{
  g_autoptr (GArray) flying = g_array_new (FALSE, FALSE, sizeof (guint64)); /* sent, acknowledged */
  guint64 window = 12000, free_at = 0, now = 0, acked = 0, round_end = 0;
  sqx_hystart h;

  sqx_hystart_init (&h);
  while (h.phase != SQX_HYSTART_DONE)
    {
      guint64 times[2];
      gboolean round_start;

      while (flying->len / 2 - acked < window / 1200)
        {
          free_at = MAX (free_at, now) + 1200 * MS / rate;
          times[0] = now;
          times[1] = free_at + rtt * MS;
          g_array_append_vals (flying, times, 2);
        }
      memcpy (times, &g_array_index (flying, guint64, 2 * acked), sizeof times);
      now = times[1];
      round_start = acked >= round_end;
      if (round_start)
        round_end = flying->len / 2;
      acked++;
      sqx_hystart_add_sample (&h, round_start, now - times[0]);
      window += sqx_hystart_growth (&h, 1200);
      g_assert_cmpuint (acked, <, 10000000);
    }
  return window;
}

/* Slow start fills the path, and ends although nothing is lost: when the delay grew the window is
 * two to four times what the path holds, and five rounds of a quarter more make it threefold. */
static void
test_path (void)
{
  static const guint64 rates[] = { 1250, 12500, 125000 };
  static const guint64 rtts[] = { 10, 40, 200 };

  for (gsize r = 0; r < G_N_ELEMENTS (rates); r++)
    for (gsize d = 0; d < G_N_ELEMENTS (rtts); d++)
      {
        guint64 holds = rates[r] * rtts[d];
        guint64 window = window_at_end (rates[r], rtts[d]);

        g_test_message ("%" G_GUINT64_FORMAT " B/ms, %" G_GUINT64_FORMAT " ms: %.2f of the path",
                        rates[r], rtts[d], (double) window / holds);
        g_assert_cmpuint (window, >=, holds);
        g_assert_cmpuint (window, <=, 16 * holds);
      }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/hystart/steady", test_steady);
  g_test_add_func ("/seqex/hystart/threshold", test_threshold);
  g_test_add_func ("/seqex/hystart/few-samples", test_few_samples);
  g_test_add_func ("/seqex/hystart/five-rounds", test_five_rounds);
  g_test_add_func ("/seqex/hystart/resumes", test_resumes);
  g_test_add_func ("/seqex/hystart/oracle", test_oracle);
  g_test_add_func ("/seqex/hystart/path", test_path);
  return g_test_run ();
}
