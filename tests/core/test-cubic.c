/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CUBIC beside a second account of RFC 9438 in real numbers, datagrams and seconds.
 */
#include <glib.h>
#include <math.h>

#include "sqx-cc.h"
#include "sqx-util.h"

#define DATAGRAM 1200
#define MS       1000

typedef struct
{
  double window, threshold, w_max, k, epoch, reno, prior;
} Oracle;

static double
oracle_curve (const Oracle *o, double t)
{
  return 0.4 * (t - o->k) * (t - o->k) * (t - o->k) + o->w_max;
}

/* Congestion avoidance: one datagram acknowledged, @t seconds after the epoch. */
static void
oracle_acked (Oracle *o, double now, double rtt)
{
  double t, target;

  if (o->epoch < 0)
    {
      o->epoch = now;
      o->reno = o->window;
      o->k = o->w_max > o->window ? cbrt ((o->w_max - o->window) / 0.4) : 0;
      if (o->w_max <= o->window)
        o->w_max = o->window;
    }
  t = now - o->epoch;
  o->reno += (o->reno < o->prior ? 0.9 / 1.7 : 1) / o->window;
  target = oracle_curve (o, t + rtt);
  target = MAX (o->window, MIN (target, 1.5 * o->window));
  if (oracle_curve (o, t) < o->reno)
    o->window = MAX (o->window, o->reno);
  else
    o->window += (target - o->window) / o->window;
}

static void
oracle_lost (Oracle *o)
{
  o->prior = o->window;
  o->w_max = o->window < o->w_max ? 0.85 * o->window : o->window;
  o->threshold = o->window = 0.7 * o->window;
  o->epoch = -1;
}

/* A flow with @rtt that sends its window, evenly spread over the round trip. */
typedef struct
{
  sqx_cc  cc;
  sqx_rtt average;
  guint64 rtt, now, number;
  double  part; /* of a microsecond */
  Oracle  oracle;
  double  worst;
} Flow;

static void
flow_init (Flow *f, guint64 rtt)
{
  *f = (Flow) { .rtt = rtt, .now = 10 * G_USEC_PER_SEC };
  f->average.smoothed = f->average.latest = f->average.min = rtt;
  sqx_cc_init (&f->cc, &sqx_cubic, DATAGRAM, 1);
}

static void
acked (sqx_cc *cc, guint64 now, guint64 sent, bool limited)
{
  sqx_sent_packet packet = { .time = sent, .size = DATAGRAM, .limited = limited };

  sqx_cubic.acked (cc, now, 1, &packet);
}

static void
lost (sqx_cc *cc, guint64 now, guint64 sent)
{
  sqx_sent_packet packet = { .time = sent, .size = DATAGRAM };
  sqx_rate rate = { 0 };

  sqx_cubic.lost (cc, now, 1, &packet, &rate);
}

/* As if one packet of each window before it had been acknowledged by this ACK. */
static void
ack_done (Flow *f, guint64 rtt)
{
  sqx_cc_ack ack = {
    .now = f->now, .acked = DATAGRAM, .rtt = rtt, .average = &f->average,
    .next_number = f->number + f->cc.window / DATAGRAM,
    .sample = { .number = f->number, .sent = f->now - rtt },
  };

  sqx_cubic.ack_done (&f->cc, &ack);
  f->number++;
}

static void
flow_tick (Flow *f)
{
  f->part += (double) f->rtt * DATAGRAM / f->cc.window;
  f->now += (guint64) f->part;
  f->part -= floor (f->part);
}

static void
flow_ack (Flow *f)
{
  flow_tick (f);
  ack_done (f, f->rtt);
  acked (&f->cc, f->now, f->now - f->rtt, false);
}

/* What the flow is in congestion avoidance, as real numbers. */
static void
flow_observe (Flow *f)
{
  f->oracle = (Oracle) { .window = (double) f->cc.window / DATAGRAM, .epoch = -1 };
  f->worst = 0;
}

static void
flow_lose (Flow *f)
{
  /* At the plateau itself, rounding decides whether it was reached. */
  gboolean near = fabs (f->oracle.window - f->oracle.w_max) < 5;

  oracle_lost (&f->oracle);
  lost (&f->cc, f->now, f->now - f->rtt / 2);
  if (near)
    f->oracle.w_max = (double) f->cc.cubic.curve.plateau / DATAGRAM;
  g_assert_cmpfloat (fabs (f->oracle.window - (double) f->cc.window / DATAGRAM), <, 5);
  /* What was in flight says nothing. */
  for (guint64 end = f->now + f->rtt; f->now < end;)
    {
      flow_tick (f);
      acked (&f->cc, f->now, MIN (f->now - f->rtt, end - f->rtt), false);
    }
  f->oracle.window = (double) f->cc.window / DATAGRAM;
}

static void
flow_run (Flow *f, guint64 span)
{
  for (guint64 end = f->now + span; f->now < end;)
    {
      double mine, error;

      flow_ack (f);
      oracle_acked (&f->oracle, f->now / 1e6, f->rtt / 1e6);
      mine = (double) f->cc.window / DATAGRAM;
      error = fabs (mine - f->oracle.window) / (mine + 100);
      f->worst = MAX (f->worst, error);
    }
}

static void
grow_to (Flow *f, guint64 datagrams)
{
  while (f->cc.window < datagrams * DATAGRAM)
    flow_ack (f);
}

static void
test_initial (void)
{
  sqx_cc cc;

  g_assert_cmpstr (sqx_cubic.name, ==, "cubic");
  sqx_cc_init (&cc, &sqx_cubic, DATAGRAM, 1);
  g_assert_cmpuint (cc.window, ==, 12000);
  for (int i = 0; i < 10; i++)
    acked (&cc, 100, 50, false);
  g_assert_cmpuint (cc.window, ==, 24000);
  for (int i = 0; i < 10; i++)
    acked (&cc, 100, 50, true);
  g_assert_cmpuint (cc.window, ==, 24000);
}

static void
test_recovery (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_cubic, DATAGRAM, 1);
  cc.window = 120000;
  lost (&cc, 1000, 900);
  g_assert_cmpuint (cc.window, ==, 84000);
  lost (&cc, 1010, 1000);
  for (int i = 0; i < 1000; i++)
    acked (&cc, 1020 + i * MS, 1000, false);
  g_assert_cmpuint (cc.window, ==, 84000);
  lost (&cc, 1100, 1001);
  g_assert_cmpuint (cc.window, ==, 58800);
  /* Never below the floor, and time 0 is a time. */
  cc.window = cc.floor;
  lost (&cc, 2000, 1500);
  g_assert_cmpuint (cc.window, ==, 4 * DATAGRAM);
  sqx_cc_init (&cc, &sqx_cubic, DATAGRAM, 1);
  lost (&cc, 0, 0);
  lost (&cc, 1, 0);
  g_assert_cmpuint (cc.window, ==, 8400);
}

/* Back to the window of before after K, slowly around it, and fast beyond. */
static void
test_curve (void)
{
  double k = cbrt (1000 * 0.3 / 0.4);
  Flow f;
  guint64 at_k;

  flow_init (&f, 100 * MS);
  grow_to (&f, 1000);
  flow_observe (&f);
  flow_lose (&f);
  g_assert_cmpuint (f.cc.window, ==, f.oracle.window * DATAGRAM);
  flow_run (&f, (guint64) (k * 1e6));
  at_k = f.cc.window / DATAGRAM;
  g_test_message ("%" G_GUINT64_FORMAT " datagrams after K = %.2f s", at_k, k);
  g_assert_cmpuint (at_k, >=, 990);
  g_assert_cmpuint (at_k, <=, 1010);
  flow_run (&f, (guint64) (k * 1e6));
  g_test_message ("%.1f datagrams after twice that, at most %.4f away", f.oracle.window, f.worst);
  g_assert_cmpuint (f.cc.window / DATAGRAM, >=, 1280);
  g_assert_cmpfloat (f.worst, <, 0.005);
}

/* K for windows of all sizes, up to the largest that there may be. */
static void
test_span (void)
{
  for (double window = 20; window * DATAGRAM < SQX_WINDOW_MAX; window *= 1.3)
    {
      double k;
      sqx_cc cc;

      sqx_cc_init (&cc, &sqx_cubic, DATAGRAM, 1);
      cc.window = (guint64) (window * DATAGRAM);
      lost (&cc, 1000, 900);
      acked (&cc, 2000, 1500, false);
      k = cbrt (0.3 * window / 0.4);
      g_assert_cmpfloat (fabs (cc.cubic.curve.span - 1000 * k), <, 2);
    }
}

static void
test_reno_friendly (void)
{
  Flow f;

  flow_init (&f, 5 * MS);
  grow_to (&f, 30);
  flow_observe (&f);
  flow_lose (&f);
  flow_run (&f, 2 * G_USEC_PER_SEC);
  /* K is 2.8 s, but Reno would have gained 10 datagrams in 100 round trips, and then one in each. */
  g_test_message ("%.1f, at most %.4f away", (double) f.cc.window / DATAGRAM, f.worst);
  g_assert_cmpuint (f.cc.window, >, 300 * DATAGRAM);
  g_assert_cmpfloat (f.worst, <, 0.01);
}

/* At most half the window more in a round trip, however long that is. */
static void
test_long_way (void)
{
  Flow f;
  guint64 window;

  flow_init (&f, 6 * G_USEC_PER_SEC);
  grow_to (&f, 100);
  flow_observe (&f);
  flow_lose (&f);
  window = f.cc.window;
  flow_run (&f, f.rtt);
  g_assert_cmpuint (f.cc.window, >, window * 3 / 2);
  g_assert_cmpuint (f.cc.window, <, window * 7 / 4);
  g_assert_cmpfloat (f.worst, <, 0.005);
}

static void
test_fast_convergence (void)
{
  Flow f;

  flow_init (&f, 100 * MS);
  grow_to (&f, 1000);
  flow_observe (&f);
  flow_lose (&f);
  g_assert_cmpuint (f.cc.cubic.curve.plateau, >=, 1000 * DATAGRAM);
  flow_run (&f, G_USEC_PER_SEC);
  flow_lose (&f);
  g_assert_cmpuint (f.cc.cubic.curve.plateau, ==, f.cc.cubic.curve.prior * 17 / 20);
  flow_run (&f, 20 * G_USEC_PER_SEC);
  g_assert_cmpfloat (f.worst, <, 0.005);
}

/* Time without use of the window does not let it jump. */
static void
test_limited (void)
{
  enum { BUSY, IDLE, LITTLE, CASES };
  guint64 windows[CASES];

  for (int i = 0; i < CASES; i++)
    {
      Flow f;

      flow_init (&f, 100 * MS);
      grow_to (&f, 1000);
      flow_observe (&f);
      flow_lose (&f);
      flow_run (&f, 3 * G_USEC_PER_SEC);
      for (int step = 0; step < 100 && i == LITTLE; step++)
        {
          f.now += f.rtt;
          acked (&f.cc, f.now, f.now - f.rtt, true);
        }
      if (i == IDLE)
        {
          f.now += 10 * G_USEC_PER_SEC + f.rtt;
          acked (&f.cc, f.now, f.now - f.rtt, false);
        }
      flow_run (&f, 3 * G_USEC_PER_SEC);
      windows[i] = f.cc.window / DATAGRAM;
    }
  g_test_message ("%" G_GUINT64_FORMAT ", after a pause %" G_GUINT64_FORMAT ", after little use %"
                  G_GUINT64_FORMAT, windows[BUSY], windows[IDLE], windows[LITTLE]);
  g_assert_cmpint (ABS ((gint64) (windows[IDLE] - windows[BUSY])), <=, 3);
  g_assert_cmpint (ABS ((gint64) (windows[LITTLE] - windows[BUSY])), <=, 3);
}

static void
test_spurious (void)
{
  Flow f;
  guint64 window;

  flow_init (&f, 100 * MS);
  grow_to (&f, 1000);
  flow_observe (&f);
  flow_lose (&f);
  flow_run (&f, 8 * G_USEC_PER_SEC);
  window = f.cc.window;
  lost (&f.cc, f.now, f.now - f.rtt / 2);
  g_assert_cmpuint (f.cc.window, ==, window * 7 / 10);
  sqx_cubic.spurious (&f.cc, f.now + 10);
  g_assert_cmpuint (f.cc.window, ==, window);
  /* And on the curve as if nothing had been. */
  flow_run (&f, 4 * G_USEC_PER_SEC);
  g_assert_cmpfloat (f.worst, <, 0.005);
  /* A window that is larger by now stays. */
  window = f.cc.window;
  sqx_cubic.spurious (&f.cc, f.now + 10);
  g_assert_cmpuint (f.cc.window, ==, window);
  /* In slow start as well. */
  flow_init (&f, 100 * MS);
  grow_to (&f, 100);
  window = f.cc.window;
  lost (&f.cc, f.now, f.now - 1);
  sqx_cubic.spurious (&f.cc, f.now + 10);
  g_assert_cmpuint (f.cc.window, ==, window);
  acked (&f.cc, f.now + 20, f.now - 1, false);
  g_assert_cmpuint (f.cc.window, ==, window + DATAGRAM);
}

static void
test_persistent (void)
{
  Flow f;

  flow_init (&f, 20 * MS);
  grow_to (&f, 100);
  lost (&f.cc, f.now, f.now - 1);
  sqx_cubic.persistent (&f.cc);
  g_assert_cmpuint (f.cc.window, ==, 4 * DATAGRAM);
  /* Slow start to what was left of the window, … */
  f.now += G_USEC_PER_SEC;
  for (int i = 0; i < 66; i++)
    acked (&f.cc, f.now, f.now - 1, false);
  g_assert_cmpuint (f.cc.window, ==, 70 * DATAGRAM);
  /* … and from there a curve without a plateau above it. */
  flow_ack (&f);
  g_assert_cmpuint (f.cc.cubic.curve.span, ==, 0);
  g_assert_cmpuint (f.cc.cubic.curve.plateau, ==, 70 * DATAGRAM);
}

static void
test_hystart (void)
{
  Flow f;
  guint64 window = 0;

  flow_init (&f, 40 * MS);
  grow_to (&f, 200);
  g_assert_cmpuint (f.cc.cubic.curve.threshold, ==, G_MAXUINT64);
  g_assert_cmpuint (f.cc.pacing_rate, >=, 2 * (f.cc.window - DATAGRAM) * 25);
  while (f.cc.cubic.curve.threshold == G_MAXUINT64)
    {
      flow_tick (&f);
      ack_done (&f, 60 * MS);
      acked (&f.cc, f.now, f.now - f.rtt, false);
      g_assert_cmpuint (f.cc.window, <, 4000 * DATAGRAM);
    }
  g_test_message ("ended at %" G_GUINT64_FORMAT, f.cc.window / DATAGRAM);
  g_assert_cmpuint (f.cc.window, >, 400 * DATAGRAM);
  /* Congestion avoidance, and no second time. */
  window = f.cc.window;
  for (guint64 i = 0; i < 100; i++)
    flow_ack (&f);
  g_assert_cmpuint (f.cc.window, <, window + 10 * DATAGRAM);
  g_assert_cmpuint (f.cc.pacing_rate, <=, f.cc.window * 25 * 5 / 4);
  g_assert_cmpuint (f.cc.pacing_rate, >=, (f.cc.window - DATAGRAM) * 25 * 5 / 4);
}

/* The average window for one loss in so many packets, as section 5.1 gives it for the deterministic
 * loss model. */
static void
test_response (void)
{
  static const double rates[] = { 1e-4, 1e-5, 1e-6 };

  for (gsize r = 0; r < G_N_ELEMENTS (rates); r++)
    {
      double expected = pow (0.4 * 3.7 / 1.2, 0.25) * pow (0.1 / rates[r], 0.75);
      double sum = 0, time = 0;
      guint64 count = 0;
      Flow f;

      flow_init (&f, 100 * MS);
      grow_to (&f, (guint64) expected);
      for (int losses = 0; losses < 24; losses++)
        {
          lost (&f.cc, f.now, f.now);
          count += (guint64) (1 / rates[r]);
          while (count > 0)
            {
              double span = 0.1 * DATAGRAM / f.cc.window;

              flow_ack (&f);
              count--;
              if (losses < 8)
                continue;
              time += span;
              sum += span * f.cc.window / DATAGRAM;
            }
        }
      g_test_message ("%g: %.0f datagrams, by the formula %.0f", rates[r], sum / time, expected);
      g_assert_cmpfloat (sum / time, >, 0.9 * expected);
      g_assert_cmpfloat (sum / time, <, 1.1 * expected);
    }
}

static void
test_random (void)
{
  double worst = 0;

  for (int trace = 0; trace < 30; trace++)
    {
      Flow f;

      flow_init (&f, g_test_rand_int_range (1 * MS, 300 * MS));
      grow_to (&f, g_test_rand_int_range (20, 3000));
      flow_observe (&f);
      for (int losses = 0; losses < 6; losses++)
        {
          flow_lose (&f);
          flow_run (&f, f.rtt * g_test_rand_int_range (1, 60));
          g_assert_cmpuint (f.cc.window, >=, f.cc.floor);
        }
      worst = MAX (worst, f.worst);
    }
  g_test_message ("at most %.4f away", worst);
  g_assert_cmpfloat (worst, <, 0.03);
}

/* The largest window there may be, for hours: no number wraps. */
static void
test_huge (void)
{
  sqx_cc cc;
  guint64 window, now = G_USEC_PER_SEC;

  sqx_cc_init (&cc, &sqx_cubic, 65507, 1);
  cc.window = SQX_WINDOW_MAX;
  lost (&cc, now, now);
  window = cc.window;
  g_assert_cmpuint (window, ==, SQX_WINDOW_MAX / 10 * 7 + 4);
  for (int i = 0; i < 100000; i++)
    {
      sqx_sent_packet packet = { .time = now += 40 * MS, .size = 65507 };

      sqx_cubic.acked (&cc, packet.time, 1, &packet);
      g_assert_cmpuint (cc.window, >=, window);
      g_assert_cmpuint (cc.window, <=, window + window / 2);
      window = cc.window;
    }
  g_assert_cmpuint (window, >, SQX_WINDOW_MAX / 10 * 7);
  g_assert_cmpuint (window, <, SQX_WINDOW_MAX * 4);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/cubic/initial", test_initial);
  g_test_add_func ("/seqex/cubic/recovery", test_recovery);
  g_test_add_func ("/seqex/cubic/curve", test_curve);
  g_test_add_func ("/seqex/cubic/span", test_span);
  g_test_add_func ("/seqex/cubic/reno-friendly", test_reno_friendly);
  g_test_add_func ("/seqex/cubic/long-way", test_long_way);
  g_test_add_func ("/seqex/cubic/fast-convergence", test_fast_convergence);
  g_test_add_func ("/seqex/cubic/limited", test_limited);
  g_test_add_func ("/seqex/cubic/spurious", test_spurious);
  g_test_add_func ("/seqex/cubic/persistent", test_persistent);
  g_test_add_func ("/seqex/cubic/hystart", test_hystart);
  g_test_add_func ("/seqex/cubic/response", test_response);
  g_test_add_func ("/seqex/cubic/random", test_random);
  g_test_add_func ("/seqex/cubic/huge", test_huge);
  return g_test_run ();
}
