/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-acks.h"

#include "sqx-util.h"

void
sqx_acks_init (sqx_acks *acks,
               uint64_t  max_delay)
{
  *acks = (sqx_acks) {
    .max_delay = max_delay,
    .threshold = SQX_ACK_THRESHOLD,
    .deadline = SQX_TIME_NEVER,
  };
  sqx_ranges_init (&acks->received);
}

void
sqx_acks_clear (sqx_acks *acks)
{
  sqx_ranges_clear (&acks->received);
}

/* The highest range is never dropped, so its end is always the largest seen plus one; 0 before any
 * was seen. */
static uint64_t
expected (const sqx_acks *acks)
{
  const sqx_ranges *received = &acks->received;

  return received->count == 0 ? 0 : received->items[received->count - 1].end;
}

uint64_t
sqx_acks_expand (const sqx_acks *acks,
                 uint32_t        low)
{
  const uint64_t window = UINT64_C (1) << 32;
  const uint64_t half = window / 2;
  uint64_t next = expected (acks);
  uint64_t candidate = (next & ~(window - 1)) | low;

  if (acks->received.count == 0)
    return low;

  /* RFC 9000 appendix A.3. */
  if (candidate + half <= next && candidate <= SQX_VARINT_MAX - window)
    return candidate + window;
  if (candidate > next + half && candidate >= window)
    return candidate - window;
  return candidate;
}

sqx_acks_verdict
sqx_acks_check (const sqx_acks *acks,
                uint64_t        number)
{
  /* So far ahead is only what came before 0: the peer's numbers wrapped before the first packet of
   * it that arrived. As its own it would hide that everything after it is known. */
  if (number < acks->floor ||
      (acks->received.count > 0 && number > expected (acks) + (UINT64_C (1) << 31)))
    return SQX_ACKS_OLD;
  return sqx_ranges_contains (&acks->received, number) ? SQX_ACKS_DUPLICATE : SQX_ACKS_NEW;
}

bool
sqx_acks_add (sqx_acks *acks,
              uint64_t  now,
              uint64_t  number,
              bool      eliciting)
{
  uint64_t next = expected (acks);
  bool first = acks->received.count == 0;

  if (!sqx_ranges_add (&acks->received, number, number + 1))
    return false;

  if (acks->received.count > SQX_ACK_RANGES)
    {
      acks->floor = acks->received.items[0].end;
      sqx_ranges_drop_first (&acks->received);
    }

  if (first || number >= next)
    acks->largest_time = now;
  acks->pending = true;
  if (!eliciting)
    return true;

  acks->eliciting++;
  if (acks->eliciting >= acks->threshold || (!first && number != next))
    acks->immediate = true;
  if (acks->deadline == SQX_TIME_NEVER)
    acks->deadline = sqx_time_by (now, acks->max_delay);
  return true;
}

void
sqx_acks_sent (sqx_acks *acks)
{
  acks->eliciting = 0;
  acks->immediate = false;
  acks->pending = false;
  acks->deadline = SQX_TIME_NEVER;
}

void
sqx_acks_confirmed (sqx_acks *acks,
                    uint64_t  largest)
{
  sqx_ranges *received = &acks->received;
  size_t i = sqx_ranges_find (received, largest);

  /* The floor goes no higher than what is dropped: a packet that is late in the gap between is
   * still new. */
  if (i == 0 || i == received->count || received->items[i].start > largest)
    return;
  acks->floor = received->items[i - 1].end;
  sqx_ranges_drop_below (received, acks->floor);
}

uint64_t
sqx_acks_delay (const sqx_acks *acks,
                uint64_t        now)
{
  return now - acks->largest_time;
}

bool
sqx_acks_due (const sqx_acks *acks,
              uint64_t        now)
{
  return acks->immediate || (acks->deadline != SQX_TIME_NEVER && now >= acks->deadline);
}
