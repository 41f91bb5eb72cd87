/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CUBIC (RFC 9438), with HyStart++ in the first slow start: the window grows with the cube of the
 * time since congestion avoidance began, whatever the round-trip time.
 */
#pragma once

#include "sqx-hystart.h"

/* What a reduction changes, and takes back if nothing was lost after all. */
typedef struct
{
  uint64_t window;
  uint64_t threshold; /* slow start ends here; UINT64_MAX at first */
  uint64_t epoch;     /* when congestion avoidance began; SQX_TIME_NEVER: it has not since then */
  uint64_t plateau;   /* W_max; 0: not known */
  uint64_t span;      /* milliseconds from the epoch to the plateau: K */
  uint64_t reno;      /* the window that Reno would have: W_est */
  uint64_t prior;     /* the window before the last reduction: cwnd_prior */
} sqx_cubic_curve;

typedef struct
{
  sqx_cubic_curve curve;       /* its window is kept for the undoing alone */
  sqx_cubic_curve undo;        /* as it was before the last reduction */
  sqx_hystart     hystart;
  uint64_t        recovery_start; /* packets sent up to then do not count again */
  uint64_t        round_end;   /* the packet with which the next round trip begins */
  uint64_t        rtt;         /* smoothed */
  uint64_t        last;        /* when something was acknowledged */
  uint64_t        credit;      /* towards the next byte of the window, … */
  uint64_t        reno_credit; /* … and towards the next datagram of `reno` */
} sqx_cubic_state;
