/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * BBR: draft-ietf-ccwg-bbr ("BBRv3"). The state, named as there.
 */
#pragma once

#include "sqx.h"

typedef enum
{
  SQX_BBR_STARTUP,
  SQX_BBR_DRAIN,
  SQX_BBR_DOWN,   /* ProbeBW: the four in this order */
  SQX_BBR_CRUISE,
  SQX_BBR_REFILL,
  SQX_BBR_UP,
  SQX_BBR_PROBE_RTT,
} sqx_bbr_phase;

typedef enum
{
  SQX_BBR_ACKS_INIT,
  SQX_BBR_ACKS_REFILLING,
  SQX_BBR_ACKS_STARTING,
  SQX_BBR_ACKS_FEEDBACK,
  SQX_BBR_ACKS_STOPPING,
} sqx_bbr_acks;

/* Rates are bytes a second, UINT64_MAX: no bound. Rounds end at packet numbers. */
typedef struct
{
  uint64_t bw_filter[2];       /* highest of the cycle before and of this one */
  uint64_t max_bw, bw_shortterm, bw;
  uint64_t rate;               /* paced at; 0: no sample yet */
  uint64_t inflight_longterm, inflight_shortterm;
  uint64_t bw_latest, inflight_latest;
  uint64_t next_number;
  uint64_t round_end, loss_round_end;
  uint64_t round_count;
  uint64_t cwnd_limited_round; /* in which the window was full last */
  uint64_t last_lost;          /* number of the packet lost last */
  uint64_t full_bw;
  uint64_t drain_start_round;
  uint64_t min_rtt, min_rtt_stamp;
  uint64_t probe_rtt_min, probe_rtt_stamp;
  uint64_t probe_rtt_done;     /* SQX_TIME_NEVER: not settled to the small window yet */
  uint64_t latest_rtt;
  uint64_t least_rtt, round_rtt; /* least in this round so far, and in the one before */
  uint64_t clear_round;        /* in which there was no queue last */
  uint64_t cycle_stamp, probe_wait;
  uint64_t probe_up_acked, probe_up_acked_per_inc;
  uint64_t rounds_since_probe;
  uint64_t extra_start, extra_delivered;
  uint64_t extra_acked[2], extra_round; /* highest of two windows, and when the newer one began */
  uint64_t prior_cwnd;
  uint64_t undo_round;         /* in which what follows was saved; UINT64_MAX: nothing is */
  uint64_t undo_bw_shortterm, undo_inflight_shortterm, undo_inflight_longterm;
  uint32_t phase : 3;
  uint32_t acks : 3;
  uint32_t undo : 3;           /* phase to go back to: STARTUP, UP, or PROBE_RTT for none */
  uint32_t full_bw_count : 2;
  uint32_t loss_events : 3;    /* in this round, at most 7 */
  uint32_t probe_up_rounds : 5;
  uint32_t round_start : 1;
  uint32_t loss_round_start : 1;
  uint32_t loss_in_round : 1;
  uint32_t full_bw_now : 1;
  uint32_t full_bw_reached : 1;
  uint32_t is_probe_sample : 1;
  uint32_t prev_probe_too_high : 1;
  uint32_t prev_probe_precautionary : 1;
  uint32_t idle_restart : 1;
  uint32_t probe_rtt_expired : 1;
  uint32_t probe_rtt_round_done : 1;
} sqx_bbr_state;
