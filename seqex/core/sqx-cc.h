/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Congestion control behind a table of functions. The controller keeps its state in the union
 * of struct sqx_cc; it sees bytes and times and answers with a window.
 */
#pragma once

#include "sqx.h"

typedef struct
{
  uint64_t window;    /* bytes that may be in flight */
  uint64_t threshold; /* slow start ends here; UINT64_MAX at first */
  /* SQX_TIME_NEVER: none so far; packets sent up to then do not count again. */
  uint64_t recovery_start;
  uint64_t acked;     /* bytes acknowledged towards the next increase of the window */
  uint64_t datagram;  /* current maximum datagram size */
  uint64_t floor;     /* the window is never below */
} sqx_cc;

struct sqx_cc_ops
{
  const char *name;
  void (*init)       (sqx_cc *cc, uint64_t datagram);
  /* One acknowledged packet of @bytes, sent at @sent. @limited: the window was not the limit when
   * it was in flight, so it says nothing about the window (RFC 9002 section 7.8). */
  void (*acked)      (sqx_cc *cc, uint64_t now, uint64_t sent, uint64_t bytes, bool limited);
  /* At least one packet was lost; @sent is when the newest of them was sent. */
  void (*lost)       (sqx_cc *cc, uint64_t now, uint64_t sent);
  /* RFC 9002 section 7.6. */
  void (*persistent) (sqx_cc *cc);
};

extern const sqx_cc_ops sqx_newreno;

/* Sets the window's floor: SQX_WINDOW_MINIMUM datagrams, SQX_WINDOW_LAN while @min_rtt (0: not
 * known) is under SQX_LAN_RTT; lifts the window to it. */
void sqx_cc_set_floor (sqx_cc *cc, uint64_t min_rtt);
