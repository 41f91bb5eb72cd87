/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-timers.h"

#include "sqx-util.h"

void
sqx_timers_init (sqx_timers *timers)
{
  for (size_t i = 0; i < SQX_N_TIMERS; i++)
    timers->at[i] = SQX_TIME_NEVER;
}

void
sqx_timers_set (sqx_timers *timers,
                sqx_timer   timer,
                uint64_t    at)
{
  timers->at[timer] = at;
}

void
sqx_timers_stop (sqx_timers *timers,
                 sqx_timer   timer)
{
  timers->at[timer] = SQX_TIME_NEVER;
}

bool
sqx_timers_expired (sqx_timers *timers,
                    sqx_timer   timer,
                    uint64_t    now)
{
  if (timers->at[timer] == SQX_TIME_NEVER || now < timers->at[timer])
    return false;

  timers->at[timer] = SQX_TIME_NEVER;
  return true;
}

uint64_t
sqx_timers_next (const sqx_timers *timers)
{
  uint64_t next = SQX_TIME_NEVER;

  for (size_t i = 0; i < SQX_N_TIMERS; i++)
    next = SQX_MIN (next, timers->at[i]);
  return next;
}
