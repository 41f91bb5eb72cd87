/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-rtt.h"

#include "sqx-util.h"

void
sqx_rtt_init (sqx_rtt *rtt)
{
  *rtt = (sqx_rtt) {
    .smoothed = SQX_INITIAL_RTT,
    .variance = SQX_INITIAL_RTT / 2,
  };
}

void
sqx_rtt_guess (sqx_rtt *rtt,
               uint64_t smoothed)
{
  if (rtt->sampled)
    return;
  rtt->smoothed = smoothed;
  rtt->variance = smoothed / 2;
}

void
sqx_rtt_add_sample (sqx_rtt *rtt,
                    uint64_t latest,
                    uint64_t ack_delay)
{
  uint64_t adjusted = latest;
  uint64_t deviation;

  rtt->latest = latest;
  if (!rtt->sampled)
    {
      rtt->sampled = true;
      rtt->min = latest;
      rtt->smoothed = latest;
      rtt->variance = latest / 2;
      return;
    }

  rtt->min = SQX_MIN (rtt->min, latest);
  if (latest - rtt->min >= ack_delay)
    adjusted -= ack_delay;

  /* The deviation is from the old average, as in appendix A.7 and RFC 6298; section 5.3 has the
   * two steps the other way round by mistake. */
  deviation = rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;
  rtt->variance = (3 * rtt->variance + deviation) / 4;
  rtt->smoothed = (7 * rtt->smoothed + adjusted) / 8;
}

/* The probe time-out without back-off and without a cap. */
static uint64_t
base (const sqx_rtt *rtt,
      uint64_t       max_ack_delay)
{
  return rtt->smoothed + SQX_MAX (4 * rtt->variance, SQX_GRANULARITY) + max_ack_delay;
}

uint64_t
sqx_rtt_pto (const sqx_rtt *rtt,
             uint64_t       max_ack_delay,
             unsigned       backoff)
{
  uint64_t pto = base (rtt, max_ack_delay);

  while (backoff-- > 0 && pto < SQX_PTO_MAX)
    pto *= 2;
  return SQX_MIN (pto, SQX_PTO_MAX);
}

uint64_t
sqx_rtt_persistent_duration (const sqx_rtt *rtt,
                             uint64_t       max_ack_delay)
{
  return base (rtt, max_ack_delay) * SQX_PERSISTENT_THRESHOLD;
}
