/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-cc.h"

#include "sqx-util.h"

void
sqx_cc_init (sqx_cc           *cc,
             const sqx_cc_ops *ops,
             uint64_t          datagram,
             uint32_t          seed)
{
  *cc = (sqx_cc) { .datagram = datagram, .seed = seed };
  cc->window = sqx_cc_initial (cc);
  sqx_cc_set_floor (cc, 0);
  ops->init (cc);
}

void
sqx_cc_set_floor (sqx_cc  *cc,
                  uint64_t min_rtt)
{
  cc->floor = SQX_WINDOW_MINIMUM * cc->datagram;
  if (min_rtt > 0 && min_rtt < SQX_LAN_RTT)
    cc->floor = SQX_MAX (cc->floor, SQX_WINDOW_LAN);
  cc->window = SQX_MAX (cc->window, cc->floor);
}

uint64_t
sqx_cc_initial (const sqx_cc *cc)
{
  return SQX_MIN (SQX_WINDOW_INITIAL * cc->datagram, SQX_MAX (14720, 2 * cc->datagram));
}

uint32_t
sqx_cc_random (sqx_cc  *cc,
               uint32_t limit)
{
  /* The constants of Numerical Recipes; the high bits are the good ones. */
  cc->seed = cc->seed * 1664525u + 1013904223u;
  return (uint32_t) (((uint64_t) cc->seed * limit) >> 32);
}
