/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-reorder.h"

#include "sqx-util.h"

#define PARTS    16u /* of a round trip */
#define FORGIVEN 16u /* losses in a row that were ones lower the thresholds again */

void
sqx_reorder_init (sqx_reorder *reorder)
{
  *reorder = (sqx_reorder) { .packets = SQX_PACKET_THRESHOLD, .part = 1 };
}

static uint64_t
round_trip (const sqx_rtt *rtt)
{
  return SQX_MAX (SQX_MAX (rtt->smoothed, rtt->latest), 1);
}

void
sqx_reorder_spurious (sqx_reorder   *reorder,
                      const sqx_rtt *rtt,
                      uint64_t       now,
                      uint64_t       sent,
                      uint64_t       distance)
{
  uint64_t whole = round_trip (rtt);
  uint64_t late = now - sent > whole ? now - sent - whole : 0;

  /* One more than it was late by, and no more than another round trip. */
  reorder->part = (uint32_t) SQX_MAX (reorder->part,
                                      SQX_MIN (late * PARTS / whole, PARTS - 1) + 1);
  reorder->packets = (uint32_t) SQX_MAX (reorder->packets,
                                         SQX_MIN (distance, SQX_PACKET_THRESHOLD_MAX - 1) + 1);
  reorder->calm = 0;
}

void
sqx_reorder_episode (sqx_reorder *reorder)
{
  if (++reorder->calm < FORGIVEN)
    return;
  reorder->calm = 0;
  reorder->part = (reorder->part + 1) / 2;
  reorder->packets = SQX_MAX (reorder->packets / 2, SQX_PACKET_THRESHOLD);
}

uint64_t
sqx_reorder_delay (const sqx_reorder *reorder,
                   const sqx_rtt     *rtt)
{
  uint64_t whole = round_trip (rtt);

  return SQX_MAX (whole + whole * reorder->part / PARTS, SQX_GRANULARITY);
}
