/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is known about the path: its rate, its round-trip time, how much fits into it, and whether
 * a queue or losses say that it is full.
 */
#include "sqx-bbr-private.h"
#include "sqx-pacer.h"

#define STARTUP_PACING_GAIN 709u /* 2.77 */
#define DRAIN_PACING_GAIN   128u /* 0.5 */
#define UP_PACING_GAIN      320u /* 1.25 */
#define CALM_PACING_GAIN    230u /* 0.9 */
#define CALM_STEP           3u   /* datagrams a round trip */
#define CWND_GAIN           512u /* 2 */
#define UP_CWND_GAIN        576u /* 2.25 */
#define PROBE_RTT_CWND_GAIN 128u /* 0.5 */
#define HEADROOM            38u  /* 0.15 */
#define LOSS_THRESHOLD      50u  /* one of so many is too much */
#define LOSS_WITHOUT_QUEUE  8u   /* likewise, if nothing else tells of a queue */
#define STARTUP_LOSSES      6u   /* separate ones in a round */
#define FULL_BW_ROUNDS      3u
#define FULL_BW_QUEUED      2u   /* likewise, if a queue says the same */
#define CALM_ROUNDS         8u
#define EXTRA_ACKED_ROUNDS  5u   /* each of two windows */
#define MIN_RTT_LIFE        (10 * SQX_SECOND)
#define PROBE_RTT_INTERVAL  (5 * SQX_SECOND)
#define RATE_MAX            (UINT64_C (1) << 40)
#define RTT_MAX             (10 * SQX_SECOND)

/* Volumes ------------------------------------------------------------------------------- */

unsigned
sqx_bbr_pacing_gain (const sqx_bbr_state *bbr)
{
  switch ((sqx_bbr_phase) bbr->phase)
    {
    case SQX_BBR_STARTUP: return STARTUP_PACING_GAIN;
    case SQX_BBR_DRAIN:   return DRAIN_PACING_GAIN;
    case SQX_BBR_DOWN:    return SQX_BBR_DOWN_GAIN;
    case SQX_BBR_UP:      return UP_PACING_GAIN;
    case SQX_BBR_CRUISE:
    case SQX_BBR_REFILL:
    case SQX_BBR_PROBE_RTT:
      break;
    }
  return SQX_BBR_ONE;
}

uint64_t
sqx_bbr_bdp_multiple (const sqx_cc *cc,
                      unsigned      gain)
{
  const sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->min_rtt == SQX_BBR_INFINITE)
    return sqx_cc_initial (cc);
  return sqx_bbr_scale (bbr->bw * bbr->min_rtt / SQX_SECOND, gain);
}

/* The offload budget is one batch: what the pacer lets go at once. */
uint64_t
sqx_bbr_quantization_budget (const sqx_cc *cc,
                             uint64_t      cap)
{
  cap = SQX_MAX (SQX_MAX (cap, sqx_pacer_quantum (cc->bbr.rate, cc->datagram)), cc->floor);
  return cc->bbr.phase == SQX_BBR_UP ? cap + 2 * cc->datagram : cap;
}

uint64_t
sqx_bbr_inflight (const sqx_cc *cc)
{
  return sqx_bbr_quantization_budget (cc, sqx_bbr_bdp_multiple (cc, SQX_BBR_ONE));
}

uint64_t
sqx_bbr_inflight_with_headroom (const sqx_cc *cc)
{
  uint64_t longterm = cc->bbr.inflight_longterm;
  uint64_t headroom;

  if (longterm == SQX_BBR_INFINITE)
    return SQX_BBR_INFINITE;
  headroom = SQX_MAX (cc->datagram, sqx_bbr_scale (longterm, HEADROOM));
  return SQX_MAX (longterm - SQX_MIN (headroom, longterm), cc->floor);
}

uint64_t
sqx_bbr_probe_rtt_cwnd (const sqx_cc *cc)
{
  return SQX_MAX (sqx_bbr_bdp_multiple (cc, PROBE_RTT_CWND_GAIN), cc->floor);
}

uint64_t
sqx_bbr_target_inflight (const sqx_cc *cc)
{
  return SQX_MIN (sqx_bbr_bdp_multiple (cc, SQX_BBR_ONE), cc->window);
}

/* Congestion signals -------------------------------------------------------------------- */

bool
sqx_bbr_is_queued (const sqx_bbr_state *bbr,
                   uint64_t             rtt,
                   unsigned             part)
{
  return rtt > bbr->min_rtt && rtt - bbr->min_rtt > SQX_MAX (bbr->min_rtt / part, SQX_MILLISECOND);
}

bool
sqx_bbr_is_calm (const sqx_bbr_state *bbr)
{
  return bbr->round_count - bbr->clear_round <= CALM_ROUNDS;
}

bool
sqx_bbr_is_full (const sqx_bbr_state *bbr)
{
  return sqx_bbr_is_calm (bbr) && sqx_bbr_is_queued (bbr, bbr->round_rtt, SQX_BBR_QUEUE_LARGE);
}

/* A queue that overflows is seen in the round-trip time. Losses without it come from the way itself
 * (a radio link) and slowing down would not make them fewer; unless they are so many that a queue
 * too short to be seen, or a policer, is the likelier reason. */
bool
sqx_bbr_is_congestion (const sqx_cc *cc,
                       uint64_t      lost,
                       uint64_t      tx_in_flight)
{
  return sqx_bbr_is_queued (&cc->bbr, cc->bbr.latest_rtt, SQX_BBR_QUEUE_LARGE) ||
         (lost > tx_in_flight / LOSS_WITHOUT_QUEUE && lost > STARTUP_LOSSES * cc->datagram);
}

bool
sqx_bbr_is_inflight_too_high (const sqx_cc *cc,
                              uint64_t      lost,
                              uint64_t      tx_in_flight)
{
  return lost > tx_in_flight / LOSS_THRESHOLD && sqx_bbr_is_congestion (cc, lost, tx_in_flight);
}

void
sqx_bbr_reset_full_bw (sqx_bbr_state *bbr,
                       uint64_t       full_bw)
{
  bbr->full_bw = full_bw;
  bbr->full_bw_count = 0;
  bbr->full_bw_now = false;
}

/* On each ACK --------------------------------------------------------------------------- */

static bool
is_probing_bw (const sqx_bbr_state *bbr)
{
  return bbr->phase == SQX_BBR_STARTUP || bbr->phase == SQX_BBR_REFILL ||
         bbr->phase == SQX_BBR_UP;
}

static void
update_latest_delivery (sqx_bbr_state    *bbr,
                        const sqx_cc_ack *ack)
{
  bbr->bw_latest = SQX_MAX (bbr->bw_latest, ack->sample.rate);
  bbr->inflight_latest = SQX_MAX (bbr->inflight_latest, ack->sample.delivered);
  bbr->loss_round_start = ack->sample.number >= bbr->loss_round_end;
  if (bbr->loss_round_start)
    bbr->loss_round_end = bbr->next_number;
}

static void
update_max_bw (sqx_bbr_state    *bbr,
               const sqx_cc_ack *ack)
{
  uint64_t rate = SQX_MIN (ack->sample.rate, RATE_MAX);

  bbr->round_start = ack->sample.number >= bbr->round_end;
  bbr->least_rtt = SQX_MIN (bbr->least_rtt, ack->rtt);
  if (bbr->round_start)
    {
      sqx_bbr_start_round (bbr);
      bbr->round_rtt = bbr->least_rtt;
      bbr->least_rtt = SQX_BBR_INFINITE;
      if (!sqx_bbr_is_queued (bbr, bbr->round_rtt, SQX_BBR_QUEUE_SEEN))
        bbr->clear_round = bbr->round_count;
      bbr->round_count++;
      bbr->rounds_since_probe++;
    }

  if (rate > 0 && (rate >= bbr->max_bw || !ack->sample.limited))
    {
      bbr->bw_filter[1] = SQX_MAX (bbr->bw_filter[1], rate);
      bbr->max_bw = SQX_MAX (bbr->bw_filter[0], bbr->bw_filter[1]);
    }
}

/* Once per round trip with losses. */
static void
adapt_lower_bounds (sqx_cc *cc)
{
  sqx_bbr_state *bbr = &cc->bbr;
  uint64_t latest, lower;

  if (is_probing_bw (bbr) || !bbr->loss_in_round)
    return;
  if (bbr->bw_shortterm == SQX_BBR_INFINITE)
    bbr->bw_shortterm = bbr->max_bw;
  if (bbr->inflight_shortterm == SQX_BBR_INFINITE)
    bbr->inflight_shortterm = cc->window;
  /* What was delivered while this flow itself held back is no measure of the path. */
  latest = bbr->bw_latest * SQX_BBR_ONE / SQX_MIN (sqx_bbr_pacing_gain (bbr), SQX_BBR_ONE);
  lower = SQX_MAX (latest, sqx_bbr_scale (bbr->bw_shortterm, SQX_BBR_BETA));
  bbr->bw_shortterm = SQX_MIN (bbr->bw_shortterm, lower);
  lower = sqx_bbr_scale (bbr->inflight_shortterm, SQX_BBR_BETA);
  bbr->inflight_shortterm = SQX_MAX (bbr->inflight_latest, lower);
}

static void
update_congestion_signals (sqx_cc           *cc,
                           const sqx_cc_ack *ack)
{
  update_max_bw (&cc->bbr, ack);
  if (!cc->bbr.loss_round_start)
    return;
  adapt_lower_bounds (cc);
  cc->bbr.loss_in_round = false;
}

static void
update_ack_aggregation (sqx_cc           *cc,
                        const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;
  uint64_t span = SQX_MIN (ack->now - bbr->extra_start, RTT_MAX);
  uint64_t expected = bbr->bw * span / SQX_SECOND;
  unsigned rounds = bbr->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1;
  uint64_t extra;

  if (bbr->extra_delivered <= expected)
    {
      bbr->extra_delivered = expected = 0;
      bbr->extra_start = ack->now;
    }
  bbr->extra_delivered += ack->acked;
  extra = SQX_MIN (bbr->extra_delivered - expected, cc->window);

  if (bbr->round_count - bbr->extra_round >= rounds)
    {
      bbr->extra_acked[0] = bbr->full_bw_reached ? bbr->extra_acked[1] : 0;
      bbr->extra_acked[1] = 0;
      bbr->extra_round = bbr->round_count;
    }
  bbr->extra_acked[1] = SQX_MAX (bbr->extra_acked[1], extra);
}

static void
check_full_bw_reached (sqx_bbr_state    *bbr,
                       const sqx_cc_ack *ack)
{
  if (bbr->full_bw_now || !bbr->round_start || ack->sample.limited)
    return;
  if (ack->sample.rate >= bbr->full_bw + bbr->full_bw / 4)
    {
      sqx_bbr_reset_full_bw (bbr, ack->sample.rate);
      return;
    }
  bbr->full_bw_count++;
  bbr->full_bw_now = bbr->full_bw_count >= (sqx_bbr_is_full (bbr) ? FULL_BW_QUEUED
                                                                  : FULL_BW_ROUNDS);
  bbr->full_bw_reached |= bbr->full_bw_now;
}

void
sqx_bbr_observe (sqx_cc           *cc,
                 const sqx_cc_ack *ack)
{
  update_latest_delivery (&cc->bbr, ack);
  update_congestion_signals (cc, ack);
  update_ack_aggregation (cc, ack);
  check_full_bw_reached (&cc->bbr, ack);
}

void
sqx_bbr_advance_max_bw_filter (sqx_bbr_state *bbr)
{
  if (bbr->bw_filter[1] == 0)
    return;
  bbr->bw_filter[0] = bbr->bw_filter[1];
  bbr->bw_filter[1] = 0;
  bbr->max_bw = bbr->bw_filter[0];
}

void
sqx_bbr_update_min_rtt (sqx_bbr_state    *bbr,
                        const sqx_cc_ack *ack)
{
  uint64_t rtt = SQX_MIN (ack->rtt, RTT_MAX);

  bbr->latest_rtt = rtt;
  bbr->probe_rtt_expired = bbr->probe_rtt_min != SQX_BBR_INFINITE &&
                           ack->now > bbr->probe_rtt_stamp + PROBE_RTT_INTERVAL;
  if (bbr->probe_rtt_expired || bbr->probe_rtt_min == SQX_BBR_INFINITE)
    {
      bbr->probe_rtt_min = rtt;
      bbr->probe_rtt_stamp = ack->now;
    }
  else if (rtt <= bbr->probe_rtt_min + bbr->probe_rtt_min / 32)
    {
      bbr->probe_rtt_min = SQX_MIN (bbr->probe_rtt_min, rtt);
      bbr->probe_rtt_stamp = ack->now;
    }

  if (bbr->probe_rtt_min < bbr->min_rtt || ack->now > bbr->min_rtt_stamp + MIN_RTT_LIFE)
    {
      bbr->min_rtt = bbr->probe_rtt_min;
      bbr->min_rtt_stamp = bbr->probe_rtt_stamp;
    }
}

/* Flows that share a path do so evenly when each adds the same to its rate while there is no queue,
 * and all take what they are given when there is one. */
void
sqx_bbr_settle (sqx_bbr_state    *bbr,
                const sqx_cc_ack *ack)
{
  if (bbr->phase != SQX_BBR_CRUISE || !bbr->round_start || !sqx_bbr_is_calm (bbr))
    return;
  if (!sqx_bbr_is_queued (bbr, bbr->round_rtt, SQX_BBR_QUEUE_SEEN))
    {
      /* Nothing holds it back any more. */
      bbr->bw_shortterm = sqx_time_add (bbr->bw_shortterm, bbr->bw_shortterm / 16);
      bbr->inflight_shortterm = sqx_time_add (bbr->inflight_shortterm,
                                              bbr->inflight_shortterm / 16);
      return;
    }
  if (ack->sample.limited || bbr->bw_latest >= bbr->max_bw || bbr->bw_latest == 0)
    return;
  bbr->bw_filter[0] = 0;
  bbr->bw_filter[1] = bbr->max_bw = bbr->bw_latest;
}

/* Control parameters -------------------------------------------------------------------- */

void
sqx_bbr_set_pacing_rate (sqx_cc  *cc,
                         unsigned gain)
{
  sqx_bbr_state *bbr = &cc->bbr;
  uint64_t rate = sqx_bbr_scale (bbr->bw, gain);

  /* As long as no queue is there, none needs to be avoided. */
  if (sqx_bbr_is_queued (bbr, bbr->latest_rtt, SQX_BBR_QUEUE_SEEN))
    rate = rate * 99 / 100;
  if (bbr->phase == SQX_BBR_CRUISE && sqx_bbr_is_calm (bbr))
    {
      if (sqx_bbr_is_queued (bbr, bbr->round_rtt, SQX_BBR_QUEUE_SEEN))
        rate = sqx_bbr_scale (rate, CALM_PACING_GAIN);
      else
        rate += CALM_STEP * cc->datagram * SQX_SECOND / bbr->min_rtt;
    }

  if (bbr->rate == 0)
    bbr->rate = sqx_bbr_scale (sqx_cc_initial (cc) * SQX_SECOND / SQX_MAX (bbr->min_rtt, 1),
                       STARTUP_PACING_GAIN);
  if (rate > 0 && (bbr->full_bw_reached || rate > bbr->rate))
    bbr->rate = rate;
  /* What the window always allows in a round trip is not held back either. */
  cc->pacing_rate = SQX_MAX (bbr->rate, cc->floor * SQX_SECOND / SQX_MAX (bbr->latest_rtt, 1));
}

void
sqx_bbr_set_cwnd (sqx_cc           *cc,
                  const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;
  unsigned gain = bbr->phase == SQX_BBR_UP          ? UP_CWND_GAIN
                  : bbr->phase == SQX_BBR_PROBE_RTT ? PROBE_RTT_CWND_GAIN
                                                    : CWND_GAIN;
  uint64_t extra = SQX_MAX (bbr->extra_acked[0], bbr->extra_acked[1]);
  uint64_t max_inflight = sqx_bbr_quantization_budget (cc, sqx_bbr_bdp_multiple (cc, gain) + extra);
  uint64_t cap = SQX_BBR_INFINITE;

  if (bbr->full_bw_reached)
    cc->window = SQX_MIN (cc->window + ack->acked, max_inflight);
  else if (cc->window < max_inflight || ack->rate->delivered < sqx_cc_initial (cc))
    cc->window += ack->acked;

  if (bbr->phase == SQX_BBR_PROBE_RTT)
    cc->window = SQX_MIN (cc->window, sqx_bbr_probe_rtt_cwnd (cc));

  if (bbr->phase == SQX_BBR_CRUISE || bbr->phase == SQX_BBR_PROBE_RTT)
    cap = sqx_bbr_inflight_with_headroom (cc);
  else if (sqx_bbr_is_in_probe_bw (bbr))
    cap = bbr->inflight_longterm;
  cc->window = SQX_MIN (cc->window, SQX_MIN (cap, bbr->inflight_shortterm));
  cc->window = SQX_MAX (cc->window, cc->floor);
}
