/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-hystart.h"

#include "sqx-util.h"

/* RFC 9406 section 4.3. */
#define RTT_THRESHOLD_MIN   (4 * SQX_MILLISECOND)
#define RTT_THRESHOLD_MAX   (16 * SQX_MILLISECOND)
#define RTT_DIVISOR         8
#define SAMPLES             8
#define CONSERVATIVE_SHARE  4
#define CONSERVATIVE_ROUNDS 5

void
sqx_hystart_init (sqx_hystart *hystart)
{
  *hystart = (sqx_hystart) {
    .phase = SQX_HYSTART_SLOW,
    .last_min = SQX_TIME_NEVER,
    .current_min = SQX_TIME_NEVER,
  };
}

static void
begin_round (sqx_hystart *hystart)
{
  hystart->last_min = hystart->current_min;
  hystart->current_min = SQX_TIME_NEVER;
  hystart->samples = 0;
  /* The round in which the delay grew counts as the first. */
  if (hystart->phase == SQX_HYSTART_CONSERVATIVE && ++hystart->rounds >= CONSERVATIVE_ROUNDS)
    hystart->phase = SQX_HYSTART_DONE;
}

/* Whether the least round-trip time of this round is longer than a queue that comes and goes makes
 * it. */
static bool
delay_grew (const sqx_hystart *hystart)
{
  uint64_t threshold = SQX_MIN (hystart->last_min / RTT_DIVISOR, RTT_THRESHOLD_MAX);

  return hystart->last_min != SQX_TIME_NEVER &&
         hystart->current_min >= hystart->last_min + SQX_MAX (threshold, RTT_THRESHOLD_MIN);
}

void
sqx_hystart_add_sample (sqx_hystart *hystart,
                        bool         round_start,
                        uint64_t     rtt)
{
  if (round_start)
    begin_round (hystart);

  hystart->current_min = SQX_MIN (hystart->current_min, rtt);
  if (++hystart->samples < SAMPLES)
    return;

  if (hystart->phase == SQX_HYSTART_SLOW && delay_grew (hystart))
    {
      hystart->phase = SQX_HYSTART_CONSERVATIVE;
      hystart->baseline = hystart->current_min;
      hystart->rounds = 0;
    }
  else if (hystart->phase == SQX_HYSTART_CONSERVATIVE &&
           hystart->current_min < hystart->baseline)
    {
      hystart->phase = SQX_HYSTART_SLOW;
    }
}

uint64_t
sqx_hystart_growth (const sqx_hystart *hystart,
                    uint64_t           bytes)
{
  return hystart->phase == SQX_HYSTART_SLOW ? bytes : bytes / CONSERVATIVE_SHARE;
}
