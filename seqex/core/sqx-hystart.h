/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HyStart++ (RFC 9406): slow start that ends when the round-trip time grows, before the queue of
 * the path is full and a whole window is lost.
 */
#pragma once

#include "sqx.h"

typedef enum
{
  SQX_HYSTART_SLOW,         /* slow start as ever */
  SQX_HYSTART_CONSERVATIVE, /* the delay grew: slower, and it may have been an accident */
  SQX_HYSTART_DONE,         /* congestion avoidance begins at the window as it is */
} sqx_hystart_phase;

typedef struct
{
  sqx_hystart_phase phase;
  unsigned samples;         /* of this round */
  unsigned rounds;          /* begun since the phase is conservative */
  uint64_t last_min;        /* the least round-trip time of the round before … */
  uint64_t current_min;     /* … and of this one; SQX_TIME_NEVER: no sample */
  uint64_t baseline;        /* of the round that made the phase conservative */
} sqx_hystart;

void sqx_hystart_init (sqx_hystart *hystart);
/* One acknowledgement that gave a sample of the round-trip time. @round_start: it is the first of a
 * packet that was sent after the last round trip ended. */
void sqx_hystart_add_sample (sqx_hystart *hystart, bool round_start, uint64_t rtt);
/* By how much the window grows for @bytes acknowledged. There is no limit per acknowledgement
 * (RFC 9406 section 4.3), because what is sent is paced. */
uint64_t sqx_hystart_growth (const sqx_hystart *hystart, uint64_t bytes);
