/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The deadlines of a connection: a fixed table, one entry a purpose.
 */
#pragma once

#include "sqx.h"

typedef enum
{
  SQX_TIMER_RECOVERY,    /* time threshold or probe time-out: RFC 9002 section 6 */
  SQX_TIMER_PACING,      /* the next batch of packets goes out */
  SQX_TIMER_ACK,         /* a delayed ACK is due */
  SQX_TIMER_FLUSH,       /* an END or CREDIT waited long enough for a packet to ride on */
  SQX_TIMER_KEEPALIVE,   /* silence lasted for the keep-alive interval while something is open */
  SQX_TIMER_IDLE,        /* silence lasted for the idle time-out: the peer is dead */
  SQX_TIMER_UNREACHABLE, /* nobody listens there, and nothing came since that was first said */
  SQX_TIMER_CLOSE,       /* FINISHING lasted for the close time-out */
  SQX_TIMER_DRAIN,       /* CLOSING or DRAINING lasted for three probe time-outs */
  SQX_TIMER_CLOSE_AGAIN, /* CLOSE is due once more: the peer's did not come back */
  SQX_TIMER_DIAL,        /* INIT or CONFIRM again, or another attempt */
  SQX_TIMER_HANDSHAKE,   /* the attempt took too long */
  SQX_TIMER_RECONNECT,   /* reconnecting took too long */
  SQX_TIMER_AUTHORIZE,   /* the program did not answer in time */
  SQX_TIMER_PATH,        /* CHALLENGE again */
  SQX_TIMER_RESET,       /* the peer said that it does not know the link, and nothing came since */
  SQX_TIMER_KEYS,        /* the key of the phase before goes */
  SQX_TIMER_REST,        /* nothing was open for a while: memory kept for messages goes */
  SQX_N_TIMERS
} sqx_timer;

typedef struct
{
  uint64_t at[SQX_N_TIMERS]; /* SQX_TIME_NEVER: not set */
} sqx_timers;

void     sqx_timers_init    (sqx_timers *timers);
void     sqx_timers_set     (sqx_timers *timers, sqx_timer timer, uint64_t at);
void     sqx_timers_stop    (sqx_timers *timers, sqx_timer timer);
/* Whether @timer is due at @now; then it is stopped. */
bool     sqx_timers_expired (sqx_timers *timers, sqx_timer timer, uint64_t now);
uint64_t sqx_timers_next    (const sqx_timers *timers);
