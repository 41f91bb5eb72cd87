/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers for which nothing is kept (RETRY, RESET, VERSION), from when they are made until they are
 * sent, and how many of them there may be.
 *
 * The rate is limited for each host, or rather for all hosts that share one of SQX_ANSWER_BUCKETS:
 * so nobody can have one host flooded with answers, and a flood from forged addresses does not use
 * up the answers for an honest host.
 */
#pragma once

#include "sqx-address.h"
#include "sqx-limits.h"

typedef struct
{
  sqx_address to;
  uint8_t     size;
  uint8_t     data[64];
} sqx_answer;

/* All zero when new. */
typedef struct
{
  sqx_answer queue[SQX_ANSWER_QUEUE];
  uint32_t   first;
  uint32_t   count;
  uint64_t   next[SQX_ANSWER_BUCKETS]; /* when the next answer would keep to the rate exactly */
} sqx_answers;

/* Room for an answer to @to, whose data and size are to be set. @hash: of the host, and of the type
 * of the answer. NULL: there are too many. */
sqx_answer       *sqx_answers_add  (sqx_answers *answers, uint64_t now, const sqx_address *to,
                                    uint64_t hash);
/* The oldest one, until the next call. NULL: none. */
const sqx_answer *sqx_answers_take (sqx_answers *answers);
