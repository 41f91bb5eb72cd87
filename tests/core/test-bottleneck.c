/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the default controller makes of a link of 100 Mbit/s and 40 ms with a queue of 500 kB, and
 * of others. Deterministic: the clock is virtual, the seeds are fixed.
 */
#include "bottleneck.h"

static const BottleneckConfig wan = {
  .rate = 12500000, .queue = 500000, .delay = 20 * SQX_MILLISECOND, .seed = 1,
};
static const FlowConfig bulk = { .message = 65536, .start = SQX_SECOND };

/* One flow for @span, @before which it has run already. */
static double
single (const BottleneckConfig *config,
        guint64                 before,
        guint64                 span,
        double                 *needless)
{
  g_autoptr (Bottleneck) link = bottleneck_new (config);
  guint flow = bottleneck_add (link, &bulk);
  double share;

  bottleneck_run (link, before);
  bottleneck_mark (link);
  bottleneck_run (link, span);
  share = bottleneck_share (link, flow);
  *needless = bottleneck_needless (link, flow);
  g_test_message ("share %.4f needless %.4f waiting %.1f ms", share, *needless,
                  bottleneck_waiting (link) / SQX_MILLISECOND);
  return share;
}

/* A size of some message changes all that follows, so that a single run says less than several. */
#define SEEDS 3u

static void
test_loss (void)
{
  static const struct { guint loss; double share; } cases[] = {
    { 0, 0.97 }, { 100, 0.97 }, { 500, 0.85 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      double sum = 0;

      for (guint seed = 1; seed <= SEEDS; seed++)
        {
          BottleneckConfig config = wan;
          double needless, share;

          config.loss = cases[i].loss;
          config.seed = seed;
          share = single (&config, SQX_SECOND, 20 * SQX_SECOND, &needless);
          sum += share;
          g_assert_cmpfloat (share, >=, cases[i].share - 0.02);
          g_assert_cmpfloat (needless, <=, 0.03);
        }
      g_assert_cmpfloat (sum / SEEDS, >=, cases[i].share);
    }
}

/* One of a hundred datagrams comes up to 10 ms late. */
static void
test_reordering (void)
{
  BottleneckConfig config = wan;
  double needless;

  config.jitter = 10 * SQX_MILLISECOND;
  config.jitter_one_in = 100;
  config.loss = 100;
  g_assert_cmpfloat (single (&config, SQX_SECOND, 20 * SQX_SECOND, &needless), >=, 0.94);
  g_assert_cmpfloat (needless, <=, 0.004);
}

/* A host of virtual machines that is busy, a radio that changes its channel: for a moment nothing
 * passes, and then everything. */
static void
test_stalls (void)
{
  static const struct { guint64 stall; double share; } cases[] = {
    { 15 * SQX_MILLISECOND, 0.96 }, { 45 * SQX_MILLISECOND, 0.94 }, { 150 * SQX_MILLISECOND, 0.88 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint loss = 0; loss <= 100; loss += 100)
      for (guint seed = 1; seed <= SEEDS; seed++)
        {
          BottleneckConfig config = wan;
          double needless;

          config.stall = cases[i].stall;
          config.stall_every = 2100 * SQX_MILLISECOND + 37 * seed * SQX_MILLISECOND;
          config.loss = loss;
          config.seed = seed;
          g_assert_cmpfloat (single (&config, SQX_SECOND, 20 * SQX_SECOND, &needless), >=,
                             cases[i].share);
          g_assert_cmpfloat (needless, <=, 0.001);
        }
}

/* Much slower, much longer, much shorter queues. */
static void
test_other_links (void)
{
  static const struct { BottleneckConfig config; double share; } cases[] = {
    { { .rate = 125000, .queue = 30000, .delay = 30 * SQX_MILLISECOND, .seed = 1 }, 0.87 },
    { { .rate = 2500000, .queue = 1500000, .delay = 300 * SQX_MILLISECOND, .seed = 1 }, 0.90 },
    { { .rate = 12500000, .queue = 60000, .delay = 20 * SQX_MILLISECOND, .seed = 1 }, 0.90 },
    { { .rate = 125000000, .queue = 1000000, .delay = 2 * SQX_MILLISECOND, .seed = 1 }, 0.90 },
  };
  double needless;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_cmpfloat (single (&cases[i].config, i == 1 ? 10 * SQX_SECOND : SQX_SECOND,
                                 i == 3 ? 2 * SQX_SECOND : 20 * SQX_SECOND, &needless), >=,
                         cases[i].share);
      g_assert_cmpfloat (needless, <=, 0.03);
    }
}

/* The second begins while the first has all of the link. */
static void
test_two_flows (void)
{
  double sum = 0;

  for (guint seed = 1; seed <= SEEDS; seed++)
    for (guint loss = 0; loss <= 100; loss += 100)
      {
        BottleneckConfig config = wan;
        FlowConfig late = bulk;
        g_autoptr (Bottleneck) link = NULL;
        double one, other, index;

        config.loss = loss;
        config.seed = seed;
        late.start = 1500 * SQX_MILLISECOND;
        link = bottleneck_new (&config);
        bottleneck_add (link, &bulk);
        bottleneck_add (link, &late);
        bottleneck_run (link, 1 * SQX_SECOND);
        bottleneck_mark (link);
        bottleneck_run (link, 30 * SQX_SECOND);
        one = bottleneck_share (link, 0);
        other = bottleneck_share (link, 1);
        g_test_message ("shares %.3f and %.3f", one, other);
        index = (one + other) * (one + other) / (2 * (one * one + other * other));
        sum += index;
        g_assert_cmpfloat (index, >=, 0.9);
        g_assert_cmpfloat (one + other, >=, 0.93);
      }
  g_assert_cmpfloat (sum / (2 * SEEDS), >=, 0.95);
}

/* Beside one that fills the queue until it overflows, whoever begins. */
static void
test_beside_cubic (void)
{
  for (guint first = 0; first < 2; first++)
    {
      g_autoptr (Bottleneck) link = bottleneck_new (&wan);
      double own, cubic;

      for (guint i = 0; i < 2; i++)
        {
          FlowConfig flow = bulk;

          flow.controller = i == first ? NULL : &sqx_cubic;
          flow.start += i * 500 * SQX_MILLISECOND;
          bottleneck_add (link, &flow);
        }
      bottleneck_run (link, 40 * SQX_SECOND);
      own = bottleneck_share (link, first);
      cubic = bottleneck_share (link, 1 - first);
      g_test_message ("shares %.3f and %.3f", own, cubic);
      g_assert_cmpfloat (own / cubic, >=, 0.5);
      g_assert_cmpfloat (own / cubic, <=, 2);
    }
}

/* Questions beside a transfer wait no longer than the way itself takes. */
static void
test_requests_beside_bulk (void)
{
  g_autoptr (Bottleneck) link = bottleneck_new (&wan);
  FlowConfig requests = { .message = 64, .depth = 1, .pause = 10 * SQX_MILLISECOND };
  guint64 p99;

  bottleneck_add (link, &bulk);
  bottleneck_add (link, &requests);
  bottleneck_run (link, 22 * SQX_SECOND);
  p99 = bottleneck_latency (link, 1, 99);
  g_test_message ("p99 %" G_GUINT64_FORMAT " us", p99);
  g_assert_cmpuint (p99, <=, 2 * 40100);
  g_assert_cmpuint (bottleneck_latency (link, 1, 50), <=, 46 * SQX_MILLISECOND);
}

/* Sixteen questions of 1 KiB at a time, 1 % lost each way. */
static void
test_requests_with_loss (void)
{
  BottleneckConfig config = wan;
  FlowConfig requests = { .message = 1024, .depth = 16 };
  g_autoptr (Bottleneck) link = NULL;
  guint64 p99;

  config.loss = 100;
  link = bottleneck_new (&config);
  bottleneck_add (link, &requests);
  bottleneck_run (link, 60 * SQX_SECOND);
  p99 = bottleneck_latency (link, 0, 99);
  g_test_message ("%.1f a second, p99 %" G_GUINT64_FORMAT " us", bottleneck_exchanges (link, 0),
                  p99);
  g_assert_cmpfloat (bottleneck_exchanges (link, 0), >=, 345);
  g_assert_cmpuint (p99, <=, 85 * SQX_MILLISECOND);
}

/* A cap holds with any controller. */
static void
test_max_rate (void)
{
  static const sqx_cc_ops *const controllers[] = { &sqx_bbr, &sqx_cubic, &sqx_newreno };

  for (gsize i = 0; i < G_N_ELEMENTS (controllers); i++)
    {
      g_autoptr (Bottleneck) link = bottleneck_new (&wan);
      FlowConfig flow = bulk;

      flow.controller = controllers[i];
      flow.max_rate = 1000000;
      bottleneck_add (link, &flow);
      bottleneck_run (link, SQX_SECOND);
      bottleneck_mark (link);
      bottleneck_run (link, 5 * SQX_SECOND);
      g_assert_cmpfloat (bottleneck_share (link, 0), >=, 0.072);
      g_assert_cmpfloat (bottleneck_share (link, 0), <=, 0.083);
      g_assert_cmpfloat (bottleneck_waiting (link), <=, 2 * SQX_MILLISECOND);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/bottleneck/loss", test_loss);
  g_test_add_func ("/seqex/bottleneck/reordering", test_reordering);
  g_test_add_func ("/seqex/bottleneck/stalls", test_stalls);
  g_test_add_func ("/seqex/bottleneck/other-links", test_other_links);
  g_test_add_func ("/seqex/bottleneck/two-flows", test_two_flows);
  g_test_add_func ("/seqex/bottleneck/beside-cubic", test_beside_cubic);
  g_test_add_func ("/seqex/bottleneck/requests-beside-bulk", test_requests_beside_bulk);
  g_test_add_func ("/seqex/bottleneck/requests-with-loss", test_requests_with_loss);
  g_test_add_func ("/seqex/bottleneck/max-rate", test_max_rate);
  return g_test_run ();
}
