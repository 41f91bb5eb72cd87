/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of packet numbers: which arrived, and when to say so (RFC 9000 section 13.2).
 */
#pragma once

#include "sqx-ranges.h"
#include "sqx.h"

typedef enum
{
  SQX_ACKS_NEW,
  SQX_ACKS_DUPLICATE, /* seen before */
  SQX_ACKS_OLD,       /* below the tracked ranges: cannot be told from a duplicate */
} sqx_acks_verdict;

typedef struct
{
  sqx_ranges received;      /* at most SQX_ACK_RANGES; the lowest are given up first */
  uint64_t   floor;         /* numbers below are not tracked any more */
  uint64_t   largest_time;  /* when the largest number arrived */
  uint64_t   max_delay;     /* own acknowledgement delay */
  uint32_t   eliciting;     /* ack-eliciting packets since the last ACK was sent */
  uint32_t   threshold;     /* so many make one due at once */
  bool       immediate;     /* an ACK is due now */
  bool       pending;       /* something was received since the last ACK was sent */
  uint64_t   deadline;      /* when a delayed ACK is due; SQX_TIME_NEVER: none */
} sqx_acks;

void sqx_acks_init  (sqx_acks *acks, uint64_t max_delay);
void sqx_acks_clear (sqx_acks *acks);

/* The full number that a packet with these low 32 bits has: the one nearest to the largest seen
 * plus one, or the bits themselves before any was seen. */
uint64_t         sqx_acks_expand (const sqx_acks *acks, uint32_t low);
sqx_acks_verdict sqx_acks_check  (const sqx_acks *acks, uint64_t number);
/* Notes a packet all of whose frames were processed. An ACK is due at once after `threshold`
 * ack-eliciting packets and when an ack-eliciting one left or filled a gap, else after max_delay.
 * false: no memory, nothing noted. */
bool             sqx_acks_add    (sqx_acks *acks, uint64_t now, uint64_t number, bool eliciting);
/* An ACK with everything in `received` was put into a packet. */
void             sqx_acks_sent   (sqx_acks *acks);
/* A packet whose ACK named @largest was acknowledged: ranges that end below the one that holds
 * @largest need not be told again (RFC 9000 section 13.2.4). */
void             sqx_acks_confirmed (sqx_acks *acks, uint64_t largest);
/* What the ACK's delay field says. */
uint64_t         sqx_acks_delay  (const sqx_acks *acks, uint64_t now);
/* Whether an ACK must go out now, alone if need be. */
bool             sqx_acks_due    (const sqx_acks *acks, uint64_t now);
