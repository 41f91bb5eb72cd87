/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Round-trip time and the probe time-out: RFC 9002 sections 5 and 6.2.
 */
#pragma once

#include "sqx.h"

typedef struct
{
  uint64_t latest;
  uint64_t min;
  uint64_t smoothed; /* SQX_INITIAL_RTT before the first sample */
  uint64_t variance;
  bool     sampled;
} sqx_rtt;

void sqx_rtt_init (sqx_rtt *rtt);
/* What the round-trip time may be, as long as there is no sample. */
void sqx_rtt_guess (sqx_rtt *rtt, uint64_t smoothed);
/* @ack_delay is what the peer said, already cut to its own maximum (RFC 9002 section 5.3). */
void sqx_rtt_add_sample (sqx_rtt *rtt, uint64_t latest, uint64_t ack_delay);
/* smoothed + max (4 * variance, granularity) + @max_ack_delay, doubled @backoff times, at most
 * SQX_PTO_MAX. */
uint64_t sqx_rtt_pto (const sqx_rtt *rtt, uint64_t max_ack_delay, unsigned backoff);
/* RFC 9002 section 7.6.1. */
uint64_t sqx_rtt_persistent_duration (const sqx_rtt *rtt, uint64_t max_ack_delay);
