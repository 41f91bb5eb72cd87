/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * BBR's phases on a link that does what each of them is for, and its reactions to single events.
 */
#include "bottleneck.h"
#include "sqx-conn-private.h"

#define MS       1000
#define DATAGRAM 1472

static const BottleneckConfig wan = {
  .rate = 12500000, .queue = 500000, .delay = 20 * SQX_MILLISECOND, .seed = 1,
};

typedef struct
{
  Bottleneck          *link;
  const sqx_cc        *cc;
  const sqx_bbr_state *bbr;
} Flow;

static void
set_up (Flow                   *f,
        const BottleneckConfig *config,
        const FlowConfig       *flow)
{
  f->link = bottleneck_new (config);
  bottleneck_add (f->link, flow);
  f->cc = &bottleneck_sender (f->link, 0)->link.recovery.cc;
  f->bbr = &f->cc->bbr;
}

static void
set_up_bulk (Flow *f)
{
  FlowConfig bulk = { .message = 65536, .start = SQX_SECOND };

  set_up (f, &wan, &bulk);
}

/* Until it is in @phase, at most @span. */
static void
wait_for (Flow         *f,
          sqx_bbr_phase phase,
          guint64       span)
{
  guint64 end = bottleneck_now (f->link) + span;

  while (f->bbr->phase != phase)
    {
      g_assert_cmpuint (bottleneck_now (f->link), <, end);
      bottleneck_run (f->link, MS);
    }
}

static void
test_phases (void)
{
  Flow f;
  guint64 begin;

  set_up_bulk (&f);
  g_assert_cmpint (f.bbr->phase, ==, SQX_BBR_STARTUP);
  bottleneck_run (f.link, 60 * MS);
  /* The first flight is not paced; after it the rate doubles each round trip. */
  g_assert_cmpuint (f.cc->pacing_rate, >=, 12000 * 25 * 27 / 10);

  wait_for (&f, SQX_BBR_DRAIN, SQX_SECOND);
  g_assert_true (f.bbr->full_bw_reached);
  g_assert_cmpuint (f.bbr->max_bw, >=, wan.rate * 96 / 100);
  g_assert_cmpuint (f.bbr->max_bw, <=, wan.rate * 101 / 100);
  g_assert_cmpuint (f.bbr->min_rtt, >=, 40 * MS);
  g_assert_cmpuint (f.bbr->min_rtt, <=, 42 * MS);
  g_assert_cmpuint (f.cc->pacing_rate, <=, wan.rate * 51 / 100);

  wait_for (&f, SQX_BBR_CRUISE, SQX_SECOND);
  g_assert_cmpuint (f.cc->window, <=, 2 * 520000 + 20000);
  begin = bottleneck_now (f.link);
  wait_for (&f, SQX_BBR_REFILL, 4 * SQX_SECOND);
  g_assert_cmpuint (bottleneck_now (f.link) - begin, >=, 1 * SQX_SECOND);
  g_assert_cmpuint (f.bbr->bw_shortterm, ==, UINT64_MAX);
  wait_for (&f, SQX_BBR_UP, 60 * MS);
  g_assert_cmpuint (f.cc->pacing_rate, >=, wan.rate * 115 / 100);
  wait_for (&f, SQX_BBR_DOWN, 500 * MS);
  g_assert_cmpuint (f.cc->pacing_rate, <=, wan.rate * 92 / 100);
  wait_for (&f, SQX_BBR_CRUISE, SQX_SECOND);
  bottleneck_free (f.link);
}

/* A path that gets faster or slower is found out. */
static void
test_changes (void)
{
  Flow f;

  set_up_bulk (&f);
  bottleneck_run (f.link, 5 * SQX_SECOND);
  bottleneck_set (f.link, wan.rate / 10, 0);
  bottleneck_run (f.link, 12 * SQX_SECOND);
  g_assert_cmpuint (f.bbr->bw, <=, wan.rate / 10 * 13 / 10);
  g_assert_cmpuint (f.bbr->bw, >=, wan.rate / 10 * 8 / 10);
  bottleneck_set (f.link, wan.rate, 0);
  bottleneck_run (f.link, 12 * SQX_SECOND);
  g_assert_cmpuint (f.bbr->bw, >=, wan.rate * 9 / 10);
  bottleneck_free (f.link);
}

/* Who asks now and then is not slowed down by having asked slowly. */
static void
test_limited (void)
{
  FlowConfig flow = { .message = 1000, .depth = 1, .pause = 50 * MS };
  Flow f;

  set_up (&f, &wan, &flow);
  bottleneck_run (f.link, 60 * SQX_SECOND);
  g_assert_cmpint (f.bbr->phase, !=, SQX_BBR_PROBE_RTT);
  g_assert_cmpuint (f.cc->window, >=, 14720);
  g_assert_cmpuint (f.cc->pacing_rate, >=, 14720 * 25);
  g_assert_cmpuint (bottleneck_latency (f.link, 0, 100), <=, 42 * MS);
  bottleneck_free (f.link);
}

/* A queue of others that never drains: the round-trip time is looked for. */
static void
test_probe_rtt (void)
{
  FlowConfig bulk = { .message = 65536, .start = SQX_SECOND };
  FlowConfig reno = { .controller = &sqx_newreno, .message = 65536 };
  BottleneckConfig config = wan;
  Flow f;
  guint64 begin;

  config.queue = 3000000;
  set_up (&f, &config, &bulk);
  for (guint i = 0; i < 3; i++)
    bottleneck_add (f.link, &reno);
  wait_for (&f, SQX_BBR_PROBE_RTT, 15 * SQX_SECOND);
  begin = bottleneck_now (f.link);
  bottleneck_run (f.link, MS);
  g_assert_cmpuint (f.cc->window, <=, MAX (f.bbr->bw * f.bbr->min_rtt / SQX_SECOND / 2,
                                           f.cc->floor) + 1);
  while (f.bbr->phase == SQX_BBR_PROBE_RTT)
    bottleneck_run (f.link, MS);
  g_assert_cmpuint (bottleneck_now (f.link) - begin, >=, 200 * MS);
  g_assert_cmpuint (bottleneck_now (f.link) - begin, <=, 2 * SQX_SECOND);
  g_assert_true (f.bbr->phase == SQX_BBR_CRUISE || f.bbr->phase == SQX_BBR_REFILL);
  bottleneck_free (f.link);
}

/* By hand -------------------------------------------------------------------------------- */

/* A controller in ProbeBW_CRUISE with 1 MB/s and 100 ms. */
static void
cruise (sqx_cc *cc)
{
  sqx_cc_init (cc, &sqx_bbr, DATAGRAM, 7);
  cc->bbr.phase = SQX_BBR_CRUISE;
  cc->bbr.full_bw_reached = true;
  cc->bbr.bw_filter[1] = cc->bbr.max_bw = cc->bbr.bw = 1000000;
  cc->bbr.min_rtt = cc->bbr.probe_rtt_min = cc->bbr.latest_rtt = 100 * MS;
  cc->bbr.probe_rtt_stamp = cc->bbr.min_rtt_stamp = cc->bbr.cycle_stamp = SQX_SECOND;
  cc->bbr.probe_wait = 2 * SQX_SECOND;
  cc->bbr.round_end = cc->bbr.loss_round_end = 1000;
  cc->window = 200000;
}

static void
ack_at (sqx_cc  *cc,
        guint64  now,
        guint64  number,
        guint64  rtt,
        guint64  bw,
        gboolean limited)
{
  static sqx_rate rate = { .delivered = 1000000 };
  sqx_rtt average = { .sampled = true, .min = rtt, .smoothed = rtt, .latest = rtt };
  const sqx_cc_ack ack = {
    .now = now, .acked = DATAGRAM, .in_flight = 100000, .next_number = number + 70, .rtt = rtt,
    .average = &average, .rate = &rate,
    .sample = { .number = number, .sent = now - rtt, .rate = bw, .interval = 100 * MS,
                .delivered = bw / 10, .tx_in_flight = 100000, .limited = limited & 1 },
  };

  sqx_bbr.ack_done (cc, &ack);
}

/* Loses packet @number, of which @lost bytes were lost before and with it. */
static void
lose (sqx_cc *cc,
      guint64 number,
      guint64 lost)
{
  const sqx_rate rate = { .delivered = 1000000, .lost = lost };
  const sqx_sent_packet packet = {
    .time = SQX_SECOND, .size = DATAGRAM, .tx_in_flight = 100000 / 16,
  };

  sqx_bbr.lost (cc, SQX_SECOND, number, &packet, &rate);
}

/* Losses are congestion with a queue, or if they are many. */
static void
test_congestion (void)
{
  sqx_cc cc;

  cruise (&cc);
  lose (&cc, 900, 3 * DATAGRAM);
  g_assert_false (cc.bbr.loss_in_round);
  lose (&cc, 901, 100000 / 7);
  g_assert_true (cc.bbr.loss_in_round);

  cruise (&cc);
  cc.bbr.latest_rtt = 130 * MS;
  lose (&cc, 900, DATAGRAM);
  g_assert_true (cc.bbr.loss_in_round);

  /* At the end of the round the bounds follow what was delivered, at most to 0.7. */
  ack_at (&cc, 2 * SQX_SECOND, 1000, 130 * MS, 800000, false);
  g_assert_cmpuint (cc.bbr.bw_shortterm, ==, 800000);
  g_assert_cmpuint (cc.bbr.inflight_shortterm, <=, 200000 * 180 / 256);
  g_assert_false (cc.bbr.loss_in_round);
  lose (&cc, 1001, 2 * DATAGRAM);
  cc.bbr.bw_latest = 0;
  ack_at (&cc, 2 * SQX_SECOND + 130 * MS, cc.bbr.loss_round_end, 130 * MS, 300000, false);
  g_assert_cmpuint (cc.bbr.bw_shortterm, ==, 800000 / 256 * 179);
}

static void
test_undo (void)
{
  sqx_cc cc;

  cruise (&cc);
  cc.bbr.latest_rtt = 130 * MS;
  lose (&cc, 900, DATAGRAM);
  ack_at (&cc, 2 * SQX_SECOND, 1000, 130 * MS, 800000, false);
  g_assert_cmpuint (cc.bbr.bw_shortterm, ==, 800000);
  sqx_bbr.spurious (&cc, 2 * SQX_SECOND);
  g_assert_cmpuint (cc.bbr.bw_shortterm, ==, UINT64_MAX);
  g_assert_cmpuint (cc.bbr.inflight_shortterm, ==, UINT64_MAX);
  g_assert_cmpuint (cc.window, >=, 200000);

  /* Once. */
  cc.bbr.bw_shortterm = 5;
  sqx_bbr.spurious (&cc, 2 * SQX_SECOND);
  g_assert_cmpuint (cc.bbr.bw_shortterm, ==, 5);
}

/* A probe that loses too much ends, and tells how much is too much. */
static void
test_too_high (void)
{
  sqx_cc cc;

  cruise (&cc);
  cc.bbr.phase = SQX_BBR_UP;
  cc.bbr.is_probe_sample = true;
  cc.bbr.latest_rtt = 150 * MS;
  lose (&cc, 900, DATAGRAM);
  g_assert_cmpint (cc.bbr.phase, ==, SQX_BBR_UP);
  lose (&cc, 902, 2 * DATAGRAM);
  g_assert_cmpint (cc.bbr.phase, ==, SQX_BBR_DOWN);
  g_assert_true (cc.bbr.prev_probe_too_high);
  g_assert_cmpuint (cc.bbr.inflight_longterm, ==, 100000 - DATAGRAM);

  /* If that was no loss, the probe is made again. */
  sqx_bbr.spurious (&cc, SQX_SECOND);
  g_assert_cmpint (cc.bbr.phase, ==, SQX_BBR_REFILL);
  g_assert_cmpuint (cc.bbr.inflight_longterm, ==, UINT64_MAX);
}

/* Low rates of a sender that has little to say are not believed, high ones are. */
static void
test_limited_samples (void)
{
  sqx_cc cc;

  cruise (&cc);
  cc.bbr.bw_filter[0] = 1000000;
  cc.bbr.bw_filter[1] = 0;
  for (guint i = 0; i < 100; i++)
    ack_at (&cc, 2 * SQX_SECOND + i, 1000 + 70 * i, 100 * MS, 10000, true);
  g_assert_cmpuint (cc.bbr.max_bw, ==, 1000000);
  g_assert_cmpuint (cc.bbr.bw_filter[1], ==, 0);
  ack_at (&cc, 2 * SQX_SECOND + 200, 9000, 100 * MS, 1500000, true);
  g_assert_cmpuint (cc.bbr.max_bw, ==, 1500000);
}

/* In a calm path: small steps up without a queue, what is delivered with one. */
static void
test_calm (void)
{
  sqx_cc cc;
  guint64 number = 1000, now = 2 * SQX_SECOND;

  cruise (&cc);
  cc.bbr.bw_filter[0] = 1000000;
  ack_at (&cc, now, number, 100 * MS, 1000000, false);
  g_assert_cmpuint (cc.pacing_rate, ==, 1000000 + 3 * DATAGRAM * 10);

  /* One round later it is known that a queue was there all the time. */
  for (guint round = 0; round < 2; round++)
    ack_at (&cc, now += 110 * MS, number += 70, 110 * MS, 900000, false);
  g_assert_cmpuint (cc.bbr.max_bw, ==, 900000);
  g_assert_cmpuint (cc.pacing_rate, <, 900000);

  /* One that stays is not ours, and neither feared nor fed. */
  cruise (&cc);
  number = 1000;
  cc.bbr.clear_round = 0;
  cc.bbr.round_count = 20;
  ack_at (&cc, now, number, 150 * MS, 900000, false);
  ack_at (&cc, now, number + 70, 150 * MS, 900000, false);
  g_assert_cmpuint (cc.bbr.max_bw, ==, 1000000);
  g_assert_cmpuint (cc.pacing_rate, ==, 990000);
}

static void
test_floor (void)
{
  sqx_cc cc;

  cruise (&cc);
  sqx_bbr.persistent (&cc);
  g_assert_cmpuint (cc.window, ==, 4 * DATAGRAM);
  cc.bbr.bw_filter[0] = cc.bbr.bw_filter[1] = cc.bbr.max_bw = 10;
  for (guint i = 0; i < 50; i++)
    ack_at (&cc, 2 * SQX_SECOND + i * 100 * MS, 1000 + 70 * i, 100 * MS, 10, false);
  g_assert_cmpuint (cc.window, >=, 4 * DATAGRAM);
  /* Four datagrams a round trip, whatever was measured. */
  g_assert_cmpuint (cc.pacing_rate, >=, 4 * DATAGRAM * 10);

  sqx_cc_set_floor (&cc, 500);
  ack_at (&cc, 9 * SQX_SECOND, 9000, 500, 10, false);
  g_assert_cmpuint (cc.window, >=, SQX_WINDOW_LAN);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/bbr/phases", test_phases);
  g_test_add_func ("/seqex/bbr/changes", test_changes);
  g_test_add_func ("/seqex/bbr/limited", test_limited);
  g_test_add_func ("/seqex/bbr/probe-rtt", test_probe_rtt);
  g_test_add_func ("/seqex/bbr/congestion", test_congestion);
  g_test_add_func ("/seqex/bbr/undo", test_undo);
  g_test_add_func ("/seqex/bbr/too-high", test_too_high);
  g_test_add_func ("/seqex/bbr/limited-samples", test_limited_samples);
  g_test_add_func ("/seqex/bbr/calm", test_calm);
  g_test_add_func ("/seqex/bbr/floor", test_floor);
  return g_test_run ();
}
