/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-answers.h"

#include "sqx-util.h"

/* A token bucket told by one number (GCRA): SQX_ANSWER_BURST at once, then SQX_ANSWER_RATE a
 * second. */
static bool
allow (uint64_t *next,
       uint64_t  now)
{
  const uint64_t interval = SQX_SECOND / SQX_ANSWER_RATE;

  if (*next > sqx_time_add (now, (SQX_ANSWER_BURST - 1) * interval))
    return false;
  *next = sqx_time_add (SQX_MAX (*next, now), interval);
  return true;
}

sqx_answer *
sqx_answers_add (sqx_answers       *answers,
                 uint64_t           now,
                 const sqx_address *to,
                 uint64_t           hash)
{
  sqx_answer *answer;

  if (answers->count == SQX_ANSWER_QUEUE || !allow (&answers->next[hash % SQX_ANSWER_BUCKETS], now))
    return NULL;
  answer = &answers->queue[(answers->first + answers->count++) % SQX_ANSWER_QUEUE];
  answer->to = *to;
  answer->size = 0;
  return answer;
}

const sqx_answer *
sqx_answers_take (sqx_answers *answers)
{
  const sqx_answer *answer = &answers->queue[answers->first];

  if (answers->count == 0)
    return NULL;
  answers->first = (answers->first + 1) % SQX_ANSWER_QUEUE;
  answers->count--;
  return answer;
}
