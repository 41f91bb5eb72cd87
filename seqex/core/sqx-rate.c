/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-rate.h"

#include "sqx-util.h"

/* What is in flight is kept in this unit, so that 64 GB fit. */
#define UNIT 16u

#define DELIVERED_MASK ((UINT64_C (1) << SQX_SENT_DELIVERED_BITS) - 1)

static uint32_t
narrow (uint64_t value)
{
  return (uint32_t) SQX_MIN (value, UINT32_MAX);
}

void
sqx_rate_sent (sqx_rate        *rate,
               uint64_t         now,
               uint64_t         in_flight,
               sqx_sent_packet *packet)
{
  if (in_flight == packet->size)
    rate->first_sent = rate->delivered_time = now;

  packet->since_first = narrow (now - rate->first_sent);
  packet->since_delivered = narrow (now - rate->delivered_time);
  packet->delivered = rate->delivered & DELIVERED_MASK;
  packet->lost_before = (uint32_t) rate->lost;
  packet->tx_in_flight = narrow ((in_flight + UNIT - 1) / UNIT);
  packet->app_limited = rate->limited_until != 0;
}

void
sqx_rate_limit (sqx_rate *rate,
                uint64_t  in_flight)
{
  rate->limited_until = SQX_MAX (rate->delivered + in_flight, 1);
}

void
sqx_rate_begin (sqx_rate_sample *sample)
{
  *sample = (sqx_rate_sample) { .sent = SQX_TIME_NEVER };
}

void
sqx_rate_acked (sqx_rate              *rate,
                uint64_t               now,
                uint64_t               number,
                const sqx_sent_packet *packet,
                sqx_rate_sample       *sample)
{
  rate->delivered += packet->size;
  rate->delivered_time = now;
  rate->first_sent = packet->time;

  /* The longer of the time in which they were sent, and that in which they arrived. */
  sample->interval = SQX_MAX (packet->since_first, now - packet->time + packet->since_delivered);
  sample->number = number;
  sample->sent = packet->time;
  sample->delivered = (rate->delivered - packet->delivered) & DELIVERED_MASK;
  sample->lost = sqx_rate_lost_since (rate, packet);
  sample->tx_in_flight = sqx_rate_tx_in_flight (packet);
  sample->limited = packet->app_limited;
}

void
sqx_rate_finish (sqx_rate        *rate,
                 uint64_t         min_rtt,
                 sqx_rate_sample *sample)
{
  if (rate->delivered > rate->limited_until)
    rate->limited_until = 0;
  if (sample->interval > 0 && sample->interval >= min_rtt)
    sample->rate = sample->delivered * SQX_SECOND / sample->interval;
}

uint64_t
sqx_rate_tx_in_flight (const sqx_sent_packet *packet)
{
  return (uint64_t) packet->tx_in_flight * UNIT;
}

uint64_t
sqx_rate_lost_since (const sqx_rate        *rate,
                     const sqx_sent_packet *packet)
{
  return (uint32_t) rate->lost - packet->lost_before;
}
