/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-ranges.h"

#include <stdlib.h>

#include "sqx-util.h"

#define FIRST_CAPACITY  4u  /* slots of the first allocation; a power of two */
#define SHRINK_CAPACITY 32u /* smaller blocks are kept until the set is down to one range */

void
sqx_ranges_init (sqx_ranges *set)
{
  *set = (sqx_ranges) { 0 };
}

void
sqx_ranges_clear (sqx_ranges *set)
{
  if (set->capacity > 0)
    free (set->items - set->head);
  sqx_ranges_init (set);
}

/* Moves the ranges to the front of their block. */
static void
compact (sqx_ranges *set)
{
  sqx_range *base = set->items - set->head;

  memmove (base, set->items, set->count * sizeof *base);
  set->items = base;
  set->head = 0;
}

static bool
move_out (sqx_ranges *set)
{
  sqx_range *base = malloc (FIRST_CAPACITY * sizeof *base);

  if (base == NULL)
    return false;

  base[0] = set->inlined;
  set->items = base;
  set->capacity = FIRST_CAPACITY;
  return true;
}

bool
sqx_ranges_reserve (sqx_ranges *set)
{
  sqx_range *base;

  if (set->capacity == 0)
    return set->count == 0 || move_out (set);
  if (set->head + set->count < set->capacity)
    return true;

  /* Half a block is moved only after half a block was dropped. */
  if (set->head >= set->capacity / 2)
    {
      compact (set);
      return true;
    }

  /* No overflow: the block of half this size exists. */
  base = realloc (set->items - set->head, 2 * set->capacity * sizeof *base);
  if (base == NULL)
    return false;
  set->items = base + set->head;
  set->capacity *= 2;
  return true;
}

/* Puts a new range before the one at @at. */
static bool
insert (sqx_ranges *set,
        size_t      at,
        sqx_range   range)
{
  if (!sqx_ranges_reserve (set))
    return false;
  if (set->capacity == 0)
    set->items = &set->inlined;

  if (set->head > 0 && at < set->count / 2)
    {
      set->items--;
      set->head--;
      memmove (set->items, set->items + 1, at * sizeof range);
    }
  else
    {
      memmove (set->items + at + 1, set->items + at, (set->count - at) * sizeof range);
    }
  set->items[at] = range;
  set->count++;
  return true;
}

/* Gives memory back that is not worth keeping. */
static void
settle (sqx_ranges *set)
{
  if (set->capacity > 0 && set->count <= 1)
    {
      sqx_range *base = set->items - set->head;

      if (set->count == 1)
        set->inlined = set->items[0];
      free (base);
      set->items = &set->inlined;
      set->head = 0;
      set->capacity = 0;
    }
  else if (set->capacity >= SHRINK_CAPACITY && set->count <= set->capacity / 8)
    {
      sqx_range *base;

      compact (set);
      base = realloc (set->items, set->capacity / 2 * sizeof *base);
      if (base != NULL)
        {
          set->items = base;
          set->capacity /= 2;
        }
    }
}

/* Takes the ranges at first … last - 1 out, by moving the shorter side. */
static void
erase (sqx_ranges *set,
       size_t      first,
       size_t      last)
{
  size_t n = last - first;

  if (n == 0)
    return;

  if (first < set->count - last)
    {
      memmove (set->items + n, set->items, first * sizeof *set->items);
      set->items += n;
      set->head += n;
    }
  else
    {
      memmove (set->items + first, set->items + last, (set->count - last) * sizeof *set->items);
    }
  set->count -= n;
  settle (set);
}

bool
sqx_ranges_add (sqx_ranges *set,
                uint64_t    start,
                uint64_t    end)
{
  size_t first, last;

  if (start >= end)
    return true;

  /* Most often the last range grows. */
  if (set->count > 0 && set->items[set->count - 1].end == start)
    {
      set->items[set->count - 1].end = end;
      return true;
    }

  /* A range that ends at start adjoins. */
  first = sqx_ranges_find (set, start > 0 ? start - 1 : 0);
  for (last = first; last < set->count && set->items[last].start <= end; last++)
    ;
  if (first == last)
    return insert (set, first, (sqx_range) { start, end });

  set->items[first].start = SQX_MIN (set->items[first].start, start);
  set->items[first].end = SQX_MAX (set->items[last - 1].end, end);
  erase (set, first + 1, last);
  return true;
}

bool
sqx_ranges_remove (sqx_ranges *set,
                   uint64_t    start,
                   uint64_t    end)
{
  size_t first, last;
  sqx_range *range;

  if (start >= end)
    return true;

  first = sqx_ranges_find (set, start);
  if (first == set->count)
    return true;

  range = &set->items[first];
  if (range->start < start)
    {
      if (range->end > end && !insert (set, first + 1, (sqx_range) { end, range->end }))
        return false;
      set->items[first].end = start;
      first++;
    }

  for (last = first; last < set->count && set->items[last].end <= end; last++)
    ;
  if (last < set->count && set->items[last].start < end)
    set->items[last].start = end;
  erase (set, first, last);
  return true;
}

void
sqx_ranges_drop_first (sqx_ranges *set)
{
  assert (set->count > 0);
  erase (set, 0, 1);
}

void
sqx_ranges_drop_below (sqx_ranges *set,
                       uint64_t    floor)
{
  erase (set, 0, sqx_ranges_find (set, floor));
  if (set->count > 0)
    set->items[0].start = SQX_MAX (set->items[0].start, floor);
}

bool
sqx_ranges_contains (const sqx_ranges *set,
                     uint64_t          number)
{
  size_t at = sqx_ranges_find (set, number);

  return at < set->count && set->items[at].start <= number;
}

bool
sqx_ranges_covers (const sqx_ranges *set,
                   uint64_t          start,
                   uint64_t          end)
{
  size_t at;

  if (start >= end)
    return true;

  at = sqx_ranges_find (set, start);
  return at < set->count && set->items[at].start <= start && set->items[at].end >= end;
}

uint64_t
sqx_ranges_overlap (const sqx_ranges *set,
                    uint64_t          start,
                    uint64_t          end)
{
  uint64_t sum = 0;

  for (size_t at = sqx_ranges_find (set, start);
       at < set->count && set->items[at].start < end;
       at++)
    sum += SQX_MIN (set->items[at].end, end) - SQX_MAX (set->items[at].start, start);
  return sum;
}

size_t
sqx_ranges_find (const sqx_ranges *set,
                 uint64_t          number)
{
  size_t low = 0, high = set->count;

  /* Nearly every question is about the newest numbers. */
  if (high == 0 || set->items[high - 1].end <= number)
    return high;
  if (set->items[high - 1].start <= number)
    return high - 1;

  while (low < high)
    {
      size_t middle = low + (high - low) / 2;

      if (set->items[middle].end > number)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}
