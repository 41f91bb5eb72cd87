/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * BBR from within. What is known about the path is of sqx-bbr-model.c, what to do about it of
 * sqx-bbr.c.
 */
#pragma once

#include "sqx-cc.h"
#include "sqx-util.h"

#define SQX_BBR_INFINITE UINT64_MAX

/* Gains are 256ths. */
#define SQX_BBR_ONE       256u
#define SQX_BBR_DOWN_GAIN 230u /* 0.9 */
#define SQX_BBR_BETA      179u /* 0.7 */

/* Parts of the path that a queue is compared with. */
#define SQX_BBR_QUEUE_SEEN  16u
#define SQX_BBR_QUEUE_LARGE 4u

static inline uint64_t
sqx_bbr_scale (uint64_t value,
               unsigned gain)
{
  /* Few values are so large that the order matters, and none of them needs the last byte. */
  return value < UINT64_MAX / 1024 ? value * gain / SQX_BBR_ONE : value / SQX_BBR_ONE * gain;
}

static inline bool
sqx_bbr_is_in_probe_bw (const sqx_bbr_state *bbr)
{
  return bbr->phase >= SQX_BBR_DOWN && bbr->phase <= SQX_BBR_UP;
}

static inline void
sqx_bbr_start_round (sqx_bbr_state *bbr)
{
  bbr->round_end = bbr->next_number;
}

unsigned sqx_bbr_pacing_gain            (const sqx_bbr_state *bbr);
uint64_t sqx_bbr_bdp_multiple           (const sqx_cc *cc, unsigned gain);
uint64_t sqx_bbr_quantization_budget    (const sqx_cc *cc, uint64_t cap);
uint64_t sqx_bbr_inflight               (const sqx_cc *cc);
uint64_t sqx_bbr_inflight_with_headroom (const sqx_cc *cc);
uint64_t sqx_bbr_probe_rtt_cwnd         (const sqx_cc *cc);
/* The estimate of the bandwidth-delay product, unless congestion cut the window. */
uint64_t sqx_bbr_target_inflight        (const sqx_cc *cc);
/* Whether @rtt shows a queue of more than 1 / @part of the path. */
bool     sqx_bbr_is_queued              (const sqx_bbr_state *bbr, uint64_t rtt, unsigned part);
/* Whether this flow is among those that keep the queue short: not long ago there was none. Who
 * fills queues until they overflow leaves none empty; beside them the draft alone is followed. */
bool     sqx_bbr_is_calm                (const sqx_bbr_state *bbr);
/* It is, and all through the last round trip there was a queue. */
bool     sqx_bbr_is_full                (const sqx_bbr_state *bbr);
/* Whether losses, @lost bytes since there were @tx_in_flight, say that the path is full. */
bool     sqx_bbr_is_congestion          (const sqx_cc *cc, uint64_t lost, uint64_t tx_in_flight);
bool     sqx_bbr_is_inflight_too_high   (const sqx_cc *cc, uint64_t lost, uint64_t tx_in_flight);

void     sqx_bbr_reset_full_bw          (sqx_bbr_state *bbr, uint64_t full_bw);
/* The cycle before goes when this one has seen anything. */
void     sqx_bbr_advance_max_bw_filter  (sqx_bbr_state *bbr);
/* On each ACK, before the phase is looked at … */
void     sqx_bbr_observe                (sqx_cc *cc, const sqx_cc_ack *ack);
/* … and after. */
void     sqx_bbr_update_min_rtt         (sqx_bbr_state *bbr, const sqx_cc_ack *ack);
void     sqx_bbr_settle                 (sqx_bbr_state *bbr, const sqx_cc_ack *ack);
void     sqx_bbr_set_pacing_rate        (sqx_cc *cc, unsigned gain);
void     sqx_bbr_set_cwnd               (sqx_cc *cc, const sqx_cc_ack *ack);
