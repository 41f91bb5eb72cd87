/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the sender does about what is known of the path. The functions bear the names of the draft,
 * so that they can be read beside it. Where this differs:
 *
 * Rounds end at packet numbers instead of delivered bytes, which is the same and cannot be confused
 * by spurious losses. Losses without a sign of a queue are not taken for congestion as long as they
 * are few, see sqx_bbr_is_congestion(). A round-trip time within 1/32 of the least refreshes it, so
 * that a path which ProbeBW drains needs no ProbeRTT. As long as no queue is to be seen, none is
 * avoided by pacing 1 % slower. Among flows that keep the queue short, the rate in ProbeBW_CRUISE
 * is sought by small equal steps, see sqx_bbr_settle(), and a probe ends when it shows as a queue.
 */
#include "sqx-bbr-private.h"

#define STARTUP_LOSSES      6u   /* separate ones in a round */
#define UNDO_ROUNDS         3u   /* after which it is not known any more what a loss did */
#define RENO_ROUNDS         63u
#define PROBE_RTT_DURATION  (200 * SQX_MILLISECOND)

static bool
is_cwnd_limited (const sqx_bbr_state *bbr)
{
  return bbr->cwnd_limited_round + 1 >= bbr->round_count;
}

static void
reset_congestion_signals (sqx_bbr_state *bbr)
{
  bbr->loss_in_round = false;
  bbr->bw_latest = 0;
  bbr->inflight_latest = 0;
}

static void
reset_shortterm_model (sqx_bbr_state *bbr)
{
  bbr->bw_shortterm = SQX_BBR_INFINITE;
  bbr->inflight_shortterm = SQX_BBR_INFINITE;
}

static void
save_cwnd (sqx_cc *cc)
{
  sqx_bbr_state *bbr = &cc->bbr;
  bool modulated = bbr->loss_in_round || bbr->phase == SQX_BBR_PROBE_RTT;

  bbr->prior_cwnd = modulated ? SQX_MAX (bbr->prior_cwnd, cc->window) : cc->window;
}

static void
restore_cwnd (sqx_cc *cc)
{
  cc->window = SQX_MAX (cc->window, cc->bbr.prior_cwnd);
}

static void
save_state_upon_loss (sqx_cc *cc)
{
  sqx_bbr_state *bbr = &cc->bbr;

  save_cwnd (cc);
  bbr->undo = SQX_BBR_PROBE_RTT;
  bbr->undo_round = bbr->round_count;
  bbr->undo_bw_shortterm = bbr->bw_shortterm;
  bbr->undo_inflight_shortterm = bbr->inflight_shortterm;
  bbr->undo_inflight_longterm = bbr->inflight_longterm;
}

static void
enter_startup (sqx_bbr_state *bbr)
{
  bbr->phase = SQX_BBR_STARTUP;
}

static void
start_down (sqx_cc  *cc,
            uint64_t now)
{
  sqx_bbr_state *bbr = &cc->bbr;

  reset_congestion_signals (bbr);
  bbr->probe_up_acked_per_inc = SQX_BBR_INFINITE;
  bbr->rounds_since_probe = sqx_cc_random (cc, 2);
  bbr->probe_wait = 2 * SQX_SECOND + sqx_cc_random (cc, SQX_SECOND);
  bbr->cycle_stamp = now;
  bbr->acks = SQX_BBR_ACKS_STOPPING;
  sqx_bbr_start_round (bbr);
  bbr->phase = SQX_BBR_DOWN;
}

static void
start_refill (sqx_bbr_state *bbr)
{
  reset_shortterm_model (bbr);
  bbr->probe_up_rounds = 0;
  bbr->probe_up_acked = 0;
  bbr->prev_probe_precautionary = false;
  bbr->acks = SQX_BBR_ACKS_REFILLING;
  sqx_bbr_start_round (bbr);
  bbr->phase = SQX_BBR_REFILL;
}

static void
raise_longterm_slope (sqx_cc *cc)
{
  sqx_bbr_state *bbr = &cc->bbr;

  bbr->probe_up_acked_per_inc = SQX_MAX (cc->window >> bbr->probe_up_rounds, cc->datagram);
  bbr->probe_up_rounds = SQX_MIN (bbr->probe_up_rounds + 1u, 30u);
}

static void
start_up (sqx_cc           *cc,
          const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  bbr->acks = SQX_BBR_ACKS_STARTING;
  sqx_bbr_start_round (bbr);
  sqx_bbr_reset_full_bw (bbr, ack->sample.rate);
  bbr->phase = SQX_BBR_UP;
  raise_longterm_slope (cc);
}

static void
enter_drain (sqx_bbr_state *bbr)
{
  bbr->phase = SQX_BBR_DRAIN;
  bbr->drain_start_round = bbr->round_count;
}

static void
check_startup_done (sqx_cc           *cc,
                    const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (!bbr->full_bw_reached && bbr->loss_round_start)
    {
      if (bbr->loss_events >= STARTUP_LOSSES &&
          sqx_bbr_is_inflight_too_high (cc, ack->sample.lost, ack->sample.tx_in_flight))
        {
          bbr->undo = SQX_BBR_STARTUP;
          bbr->full_bw_now = bbr->full_bw_reached = true;
          bbr->inflight_longterm = SQX_MAX (sqx_bbr_bdp_multiple (cc, SQX_BBR_ONE),
                                            bbr->inflight_latest);
        }
      bbr->loss_events = 0;
    }
  if (bbr->phase == SQX_BBR_STARTUP && bbr->full_bw_reached)
    enter_drain (bbr);
}

static void
check_drain_done (sqx_cc           *cc,
                  const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->phase == SQX_BBR_DRAIN &&
      (ack->in_flight <= sqx_bbr_inflight (cc) || bbr->round_count > bbr->drain_start_round + 3))
    start_down (cc, ack->now);
}

static void
probe_longterm_upward (sqx_cc           *cc,
                       const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (is_cwnd_limited (bbr) && cc->window >= bbr->inflight_longterm)
    {
      uint64_t delta;

      bbr->probe_up_acked += ack->acked;
      delta = bbr->probe_up_acked / bbr->probe_up_acked_per_inc;
      bbr->probe_up_acked -= delta * bbr->probe_up_acked_per_inc;
      bbr->inflight_longterm += delta * cc->datagram;
      if (bbr->round_start)
        raise_longterm_slope (cc);
    }
}

/* Whether it decided on the phase. */
static bool
adapt_longterm_model (sqx_cc           *cc,
                      const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->acks == SQX_BBR_ACKS_STARTING && bbr->round_start)
    bbr->acks = SQX_BBR_ACKS_FEEDBACK;
  if (bbr->acks == SQX_BBR_ACKS_STOPPING && bbr->round_start)
    {
      bbr->is_probe_sample = false;
      bbr->acks = SQX_BBR_ACKS_INIT;
      if (sqx_bbr_is_in_probe_bw (bbr) && !ack->sample.limited)
        sqx_bbr_advance_max_bw_filter (bbr);
      if (sqx_bbr_is_in_probe_bw (bbr) && bbr->prev_probe_precautionary &&
          !bbr->prev_probe_too_high)
        {
          start_refill (bbr);
          return true;
        }
    }

  if (bbr->inflight_longterm != SQX_BBR_INFINITE &&
      !sqx_bbr_is_inflight_too_high (cc, ack->sample.lost, ack->sample.tx_in_flight))
    {
      bbr->inflight_longterm = SQX_MAX (bbr->inflight_longterm, ack->sample.tx_in_flight);
      if (bbr->phase == SQX_BBR_UP)
        probe_longterm_upward (cc, ack);
    }
  return false;
}

static bool
is_time_to_probe (const sqx_cc *cc,
                  uint64_t      now)
{
  const sqx_bbr_state *bbr = &cc->bbr;

  uint64_t reno_rounds = sqx_bbr_target_inflight (cc) / cc->datagram;

  return now > bbr->cycle_stamp + bbr->probe_wait ||
         bbr->rounds_since_probe >= SQX_MIN (reno_rounds, RENO_ROUNDS);
}

static bool
is_time_to_go_down (sqx_cc           *cc,
                    const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->prev_probe_too_high && ack->in_flight >= bbr->inflight_longterm)
    {
      bbr->prev_probe_precautionary = true;
      return true;
    }
  if (is_cwnd_limited (bbr) && cc->window >= bbr->inflight_longterm &&
      !sqx_bbr_is_full (bbr))
    sqx_bbr_reset_full_bw (bbr, ack->sample.rate);
  else if (bbr->full_bw_now)
    return true;
  return false;
}

static void
update_cycle_phase (sqx_cc           *cc,
                    const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (!bbr->full_bw_reached || adapt_longterm_model (cc, ack))
    return;

  switch ((sqx_bbr_phase) bbr->phase)
    {
    case SQX_BBR_DOWN:
    case SQX_BBR_CRUISE:
      if (is_time_to_probe (cc, ack->now))
        start_refill (bbr);
      else if (ack->in_flight <= sqx_bbr_inflight_with_headroom (cc) &&
               ack->in_flight <= sqx_bbr_inflight (cc))
        bbr->phase = SQX_BBR_CRUISE;
      break;
    case SQX_BBR_REFILL:
      if (bbr->round_start)
        {
          bbr->is_probe_sample = true;
          start_up (cc, ack);
        }
      break;
    case SQX_BBR_UP:
      if (is_time_to_go_down (cc, ack))
        {
          bbr->prev_probe_too_high = false;
          start_down (cc, ack->now);
        }
      break;
    case SQX_BBR_STARTUP:
    case SQX_BBR_DRAIN:
    case SQX_BBR_PROBE_RTT:
      break;
    }
}

static void
check_probe_rtt_done (sqx_cc  *cc,
                      uint64_t now)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->probe_rtt_done == SQX_TIME_NEVER || now <= bbr->probe_rtt_done)
    return;
  bbr->probe_rtt_stamp = now;
  restore_cwnd (cc);
  reset_shortterm_model (bbr);
  if (bbr->full_bw_reached)
    {
      start_down (cc, now);
      bbr->phase = SQX_BBR_CRUISE;
    }
  else
    {
      enter_startup (bbr);
    }
}

static void
check_probe_rtt (sqx_cc           *cc,
                 const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  if (bbr->phase != SQX_BBR_PROBE_RTT && bbr->probe_rtt_expired && !bbr->idle_restart)
    {
      save_cwnd (cc);
      bbr->phase = SQX_BBR_PROBE_RTT;
      bbr->probe_rtt_done = SQX_TIME_NEVER;
      bbr->acks = SQX_BBR_ACKS_STOPPING;
      sqx_bbr_start_round (bbr);
    }
  if (bbr->phase == SQX_BBR_PROBE_RTT)
    {
      /* Low rates say nothing now. */
      sqx_rate_limit (ack->rate, ack->in_flight);
      if (bbr->probe_rtt_done == SQX_TIME_NEVER && ack->in_flight <= sqx_bbr_probe_rtt_cwnd (cc))
        {
          bbr->probe_rtt_done = ack->now + PROBE_RTT_DURATION;
          bbr->probe_rtt_round_done = false;
          sqx_bbr_start_round (bbr);
        }
      else if (bbr->probe_rtt_done != SQX_TIME_NEVER)
        {
          bbr->probe_rtt_round_done |= bbr->round_start;
          if (bbr->probe_rtt_round_done)
            check_probe_rtt_done (cc, ack->now);
        }
    }
  bbr->idle_restart = false;
}

static void
bbr_ack_done (sqx_cc           *cc,
              const sqx_cc_ack *ack)
{
  sqx_bbr_state *bbr = &cc->bbr;

  bbr->next_number = ack->next_number;
  sqx_bbr_observe (cc, ack);
  check_startup_done (cc, ack);
  check_drain_done (cc, ack);
  update_cycle_phase (cc, ack);
  sqx_bbr_update_min_rtt (bbr, ack);
  check_probe_rtt (cc, ack);
  if (bbr->loss_round_start)
    {
      bbr->bw_latest = ack->sample.rate;
      bbr->inflight_latest = ack->sample.delivered;
    }
  sqx_bbr_settle (bbr, ack);
  bbr->bw = SQX_MIN (bbr->max_bw, bbr->bw_shortterm);

  sqx_bbr_set_pacing_rate (cc, sqx_bbr_pacing_gain (bbr));
  sqx_bbr_set_cwnd (cc, ack);
}

static void
bbr_init (sqx_cc *cc)
{
  sqx_bbr_state *bbr = &cc->bbr;

  bbr->min_rtt = bbr->probe_rtt_min = bbr->least_rtt = SQX_BBR_INFINITE;
  bbr->undo = SQX_BBR_PROBE_RTT;
  bbr->undo_round = SQX_BBR_INFINITE;
  bbr->inflight_longterm = SQX_BBR_INFINITE;
  bbr->probe_up_acked_per_inc = SQX_BBR_INFINITE;
  bbr->last_lost = SQX_BBR_INFINITE;
  bbr->probe_rtt_done = SQX_TIME_NEVER;
  reset_shortterm_model (bbr);
  enter_startup (bbr);
}

static void
bbr_sent (sqx_cc         *cc,
          uint64_t        now,
          uint64_t        number,
          uint64_t        in_flight,
          const sqx_rate *rate)
{
  sqx_bbr_state *bbr = &cc->bbr;

  bbr->next_number = number + 1;
  if (in_flight + 2 * cc->datagram > cc->window)
    bbr->cwnd_limited_round = bbr->round_count;
  if (in_flight > 0 || rate->limited_until == 0)
    return;

  bbr->idle_restart = true;
  bbr->extra_start = now;
  if (sqx_bbr_is_in_probe_bw (bbr))
    sqx_bbr_set_pacing_rate (cc, SQX_BBR_ONE);
  else if (bbr->phase == SQX_BBR_PROBE_RTT)
    check_probe_rtt_done (cc, now);
}

/* At what volume in flight did losses cross the threshold? A packet is no batch here, so that the
 * answer is what was there before it, and the part of it that was one too many is not looked at. */
static void
handle_inflight_too_high (sqx_cc                *cc,
                          uint64_t               now,
                          const sqx_sent_packet *packet)
{
  sqx_bbr_state *bbr = &cc->bbr;
  uint64_t before = sqx_rate_tx_in_flight (packet) - packet->size;

  bbr->prev_probe_too_high = true;
  bbr->is_probe_sample = false;
  if (!packet->app_limited)
    bbr->inflight_longterm = SQX_MAX (before, sqx_bbr_scale (sqx_bbr_target_inflight (cc),
                                                             SQX_BBR_BETA));
  if (bbr->phase == SQX_BBR_UP)
    {
      bbr->undo = SQX_BBR_UP;
      start_down (cc, now);
    }
}

static void
bbr_lost (sqx_cc                *cc,
          uint64_t               now,
          uint64_t               number,
          const sqx_sent_packet *packet,
          const sqx_rate        *rate)
{
  sqx_bbr_state *bbr = &cc->bbr;
  uint64_t lost = sqx_rate_lost_since (rate, packet);
  uint64_t tx_in_flight = sqx_rate_tx_in_flight (packet);
  bool separate = number != bbr->last_lost + 1;

  bbr->last_lost = number;
  if (!sqx_bbr_is_congestion (cc, lost, tx_in_flight))
    return;

  if (!bbr->loss_in_round)
    {
      bbr->loss_round_end = bbr->next_number;
      save_state_upon_loss (cc);
    }
  bbr->loss_in_round = true;
  if (separate)
    bbr->loss_events = SQX_MIN (bbr->loss_events + 1u, 7u);
  if (bbr->is_probe_sample && sqx_bbr_is_inflight_too_high (cc, lost, tx_in_flight))
    handle_inflight_too_high (cc, now, packet);
}

static void
bbr_persistent (sqx_cc *cc)
{
  save_state_upon_loss (cc);
  cc->window = cc->floor;
}

static void
bbr_spurious (sqx_cc  *cc,
              uint64_t now)
{
  sqx_bbr_state *bbr = &cc->bbr;

  (void) now;
  if (bbr->undo_round == SQX_BBR_INFINITE || bbr->round_count - bbr->undo_round > UNDO_ROUNDS)
    return;
  bbr->undo_round = SQX_BBR_INFINITE;
  restore_cwnd (cc);
  bbr->loss_in_round = false;
  sqx_bbr_reset_full_bw (bbr, 0);
  bbr->bw_shortterm = SQX_MAX (bbr->bw_shortterm, bbr->undo_bw_shortterm);
  bbr->inflight_shortterm = SQX_MAX (bbr->inflight_shortterm, bbr->undo_inflight_shortterm);
  bbr->inflight_longterm = SQX_MAX (bbr->inflight_longterm, bbr->undo_inflight_longterm);
  if (bbr->undo == SQX_BBR_STARTUP && bbr->phase != SQX_BBR_STARTUP)
    {
      bbr->full_bw_reached = false;
      if (bbr->phase != SQX_BBR_PROBE_RTT)
        enter_startup (bbr);
    }
  else if (bbr->undo == SQX_BBR_UP && bbr->phase != SQX_BBR_UP &&
           bbr->phase != SQX_BBR_PROBE_RTT)
    {
      start_refill (bbr);
    }
  bbr->undo = SQX_BBR_PROBE_RTT;
}

const sqx_cc_ops sqx_bbr = {
  .name = "bbr",
  .init = bbr_init,
  .sent = bbr_sent,
  .lost = bbr_lost,
  .ack_done = bbr_ack_done,
  .persistent = bbr_persistent,
  .spurious = bbr_spurious,
};
