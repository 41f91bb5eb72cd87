/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-pacer.h"

#include "sqx-util.h"

/* Fine enough for a packet at 100 Gbit/s, and 64 bits last for 36 years. */
#define TICKS_PER_US UINT64_C (16000)

void
sqx_pacer_init (sqx_pacer *pacer)
{
  *pacer = (sqx_pacer) { .release = SQX_TIME_NEVER };
}

uint64_t
sqx_pacer_quantum (uint64_t rate,
                   uint64_t datagram)
{
  uint64_t quantum = SQX_MIN (rate / (SQX_SECOND / SQX_PACING_INTERVAL), SQX_PACING_BATCH_MAX);

  return SQX_MAX (quantum, SQX_PACING_BATCH_MIN * datagram);
}

uint64_t
sqx_pacer_next (sqx_pacer *pacer,
                uint64_t   now,
                uint64_t   rate)
{
  if (rate == 0 || pacer->release == SQX_TIME_NEVER)
    return now;
  if (pacer->release > now)
    return pacer->release;
  pacer->release = SQX_TIME_NEVER;
  return now;
}

/* How long @size bytes take at @rate. */
static uint64_t
span (uint64_t size,
      uint64_t rate)
{
  return size * SQX_SECOND * TICKS_PER_US / rate;
}

void
sqx_pacer_sent (sqx_pacer *pacer,
                uint64_t   now,
                uint64_t   rate,
                uint64_t   datagram,
                uint64_t   size)
{
  uint64_t ticks = now * TICKS_PER_US;
  uint64_t batch, credit;

  if (rate == 0)
    {
      pacer->release = SQX_TIME_NEVER;
      return;
    }

  batch = span (sqx_pacer_quantum (rate, datagram), rate);
  credit = batch + SQX_PACING_LATE * TICKS_PER_US;
  pacer->empty = SQX_MAX (pacer->empty, ticks - SQX_MIN (credit, ticks)) + span (size, rate);
  /* With the batch paid for, the next one begins: so late that it is a whole one. */
  if (pacer->empty > ticks)
    pacer->release = (pacer->empty + batch + TICKS_PER_US - 1) / TICKS_PER_US;
}
