/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-reassembly.h"

#include <stdlib.h>

#include "sqx-util.h"

void
sqx_reassembly_init (sqx_reassembly *reassembly,
                     uint64_t        total)
{
  *reassembly = (sqx_reassembly) { .total = total };
}

void
sqx_reassembly_clear (sqx_reassembly *reassembly)
{
  uint8_t *(*body_new) (size_t size) = reassembly->body_new;

  free (reassembly->data);
  sqx_ranges_clear (&reassembly->ranges);
  sqx_reassembly_init (reassembly, reassembly->total);
  reassembly->body_new = body_new;
}

/* Whether a part that holds nothing of what arrived adjoins something that did. */
static bool
adjoins (const sqx_ranges *ranges,
         uint64_t          start,
         uint64_t          end)
{
  return (start > 0 && sqx_ranges_contains (ranges, start - 1)) ||
         sqx_ranges_contains (ranges, end);
}

static uint8_t *
new_body (const sqx_reassembly *reassembly,
          uint64_t              size)
{
  return reassembly->body_new != NULL ? reassembly->body_new ((size_t) size)
                                      : malloc ((size_t) size);
}

/* Makes the buffer hold @needed bytes, which is at most @limit, and as many more of what follows. */
static bool
grow (sqx_reassembly *reassembly,
      uint64_t        needed,
      uint64_t        limit)
{
  uint64_t capacity = SQX_MIN (limit, reassembly->total);
  uint8_t *data;

  if (needed <= reassembly->capacity)
    return true;

  data = reassembly->data == NULL ? new_body (reassembly, capacity)
                                  : realloc (reassembly->data, (size_t) capacity);
  if (data == NULL)
    return false;
  reassembly->data = data;
  reassembly->capacity = (size_t) capacity;
  return true;
}

/* Copies what was missing of start … end - 1; @data points at start. */
static void
fill (sqx_reassembly *reassembly,
      uint64_t        start,
      uint64_t        end,
      const uint8_t  *data)
{
  const sqx_ranges *ranges = &reassembly->ranges;
  uint64_t at = start;

  for (size_t i = sqx_ranges_find (ranges, start); at < end; i++)
    {
      uint64_t gap_end = i < ranges->count ? SQX_MIN (ranges->items[i].start, end) : end;

      if (gap_end > at)
        memcpy (reassembly->data + at, data + (at - start), (size_t) (gap_end - at));
      at = gap_end < end ? ranges->items[i].end : end;
    }
}

/* Most messages come in one piece, and what is whole needs no ranges. */
static sqx_reassembly_result
add_whole (sqx_reassembly *reassembly,
           const uint8_t  *data,
           size_t          size)
{
  reassembly->data = new_body (reassembly, size);
  if (reassembly->data == NULL)
    return SQX_REASSEMBLY_NO_MEMORY;
  memcpy (reassembly->data, data, size);
  reassembly->capacity = size;
  reassembly->received = size;
  return SQX_REASSEMBLY_WHOLE;
}

sqx_reassembly_result
sqx_reassembly_add (sqx_reassembly *reassembly,
                    uint64_t        offset,
                    const uint8_t  *data,
                    size_t          size,
                    size_t          ranges_left)
{
  sqx_ranges *ranges = &reassembly->ranges;
  uint64_t end = offset + size;
  uint64_t limit, fresh;
  bool apart, added;

  assert (end >= offset && end <= reassembly->total);
  if (reassembly->total == 0)
    return SQX_REASSEMBLY_WHOLE;
  if (reassembly->received == reassembly->total)
    return SQX_REASSEMBLY_DUPLICATE;
  if (size == reassembly->total && reassembly->received == 0)
    return add_whole (reassembly, data, size);
  fresh = size - sqx_ranges_overlap (ranges, offset, end);
  if (fresh == 0)
    return SQX_REASSEMBLY_DUPLICATE;

  limit = SQX_FRAGMENT_SLACK + 2 * (reassembly->received + fresh);
  if (end > limit)
    return SQX_REASSEMBLY_EARLY;
  apart = fresh == size && !adjoins (ranges, offset, end);
  if (apart && offset > 0 && ranges_left == 0)
    return SQX_REASSEMBLY_RANGES;

  /* In this order nothing has to be taken back. */
  if ((apart && !sqx_ranges_reserve (ranges)) || !grow (reassembly, end, limit))
    return SQX_REASSEMBLY_NO_MEMORY;
  fill (reassembly, offset, end, data);
  added = sqx_ranges_add (ranges, offset, end);
  assert (added);
  (void) added;

  reassembly->received += fresh;
  return reassembly->received == reassembly->total ? SQX_REASSEMBLY_WHOLE : SQX_REASSEMBLY_ADDED;
}

uint8_t *
sqx_reassembly_steal (sqx_reassembly *reassembly)
{
  uint8_t *data = reassembly->data;

  assert (reassembly->received == reassembly->total);
  reassembly->data = NULL;
  reassembly->capacity = 0;
  return data;
}
