/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-index.h"

#include <stdlib.h>

#include "sqx-limits.h"
#include "sqx-util.h"

#define FIRST_CAPACITY 8u /* slots; no smaller block is ever allocated */

void
sqx_index_init (sqx_index *index)
{
  *index = (sqx_index) { 0 };
}

void
sqx_index_clear (sqx_index *index)
{
  free (index->slots);
  sqx_index_init (index);
}

void
sqx_index_rest (sqx_index *index)
{
  if (index->live == 0)
    sqx_index_clear (index);
}

/* The first slot whose number is not below @number, tail if none. */
static size_t
find (const sqx_index *index,
      uint64_t         number)
{
  const sqx_index_slot *slots = index->slots;
  size_t low = index->head, high = index->tail;

  if (low == high || number > slots[high - 1].number)
    return high;
  if (number <= slots[low].number)
    return low;

  /* Numbers differ by at least 1 from slot to slot, so the place lies between these two; both
   * are exact if no number is missing on their side. */
  if (number - slots[low].number < high - low)
    {
      high = low + (size_t) (number - slots[low].number);
      if (slots[high].number == number)
        return high;
    }
  else
    {
      high--;
    }
  if (slots[index->tail - 1].number - number < index->tail - low)
    {
      low = index->tail - 1 - (size_t) (slots[index->tail - 1].number - number);
      if (slots[low].number == number)
        return low;
    }

  while (low < high)
    {
      size_t middle = low + (high - low) / 2;

      if (slots[middle].number < number)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

/* Squeezes the holes out. */
static void
compact (sqx_index *index)
{
  size_t to = 0;

  for (size_t from = index->head; from < index->tail; from++)
    if (index->slots[from].item != NULL)
      index->slots[to++] = index->slots[from];
  index->head = 0;
  index->tail = to;
}

/* Makes room for one slot at the tail. */
static bool
make_room (sqx_index *index)
{
  size_t capacity = SQX_MAX (2 * index->capacity, FIRST_CAPACITY);
  sqx_index_slot *slots;

  if (index->tail < index->capacity)
    return true;

  /* At least half of the block becomes free, so this cost is shared by as many appends. */
  if (index->capacity > 0 && index->live <= index->capacity / 2)
    {
      compact (index);
      return true;
    }

  /* No overflow: the block of half this size exists. */
  slots = realloc (index->slots, capacity * sizeof *slots);
  if (slots == NULL)
    return false;
  index->slots = slots;
  index->capacity = capacity;
  return true;
}

/* Frees the slot before which @number belongs, by moving the shorter side. Returns its place;
 * SIZE_MAX: no memory. */
static size_t
open_slot (sqx_index *index,
           uint64_t   number)
{
  size_t at = find (index, number);
  sqx_index_slot *slots = index->slots;

  /* A hole next to the place does as well, and keeps the order. */
  if (at < index->tail && slots[at].item == NULL)
    return at;
  if (at > index->head && slots[at - 1].item == NULL)
    return at - 1;

  if (index->head > 0 && at - index->head < index->tail - at)
    {
      memmove (slots + index->head - 1, slots + index->head,
               (at - index->head) * sizeof *slots);
      index->head--;
      return at - 1;
    }

  if (!make_room (index))
    return SIZE_MAX;
  /* Making room may have moved everything. */
  at = find (index, number);
  slots = index->slots;
  memmove (slots + at + 1, slots + at, (index->tail - at) * sizeof *slots);
  index->tail++;
  return at;
}

bool
sqx_index_insert (sqx_index *index,
                  uint64_t   number,
                  void      *item)
{
  size_t at;

  assert (item != NULL);
  /* Most often it is the highest. */
  if (index->tail > index->head && number > index->slots[index->tail - 1].number &&
      index->tail < index->capacity)
    at = index->tail++;
  else
    at = open_slot (index, number);
  if (at == SIZE_MAX)
    return false;

  index->slots[at] = (sqx_index_slot) { number, item };
  index->live++;
  return true;
}

void *
sqx_index_lookup (const sqx_index *index,
                  uint64_t         number)
{
  size_t at = index->head;

  /* Most often none is missing before it. */
  if (index->live > 0 && number - index->slots[at].number < index->tail - at)
    at += (size_t) (number - index->slots[at].number);
  if (index->live == 0 || index->slots[at].number != number)
    at = find (index, number);
  return at < index->tail && index->slots[at].number == number ? index->slots[at].item : NULL;
}

/* Keeps head and tail off the holes, and gives memory back when little is left. */
static void
settle (sqx_index *index)
{
  sqx_index_slot *slots;

  if (index->live == 0)
    {
      index->head = index->tail = 0;
      if (index->capacity > SQX_INDEX_KEPT)
        sqx_index_clear (index);
      return;
    }

  while (index->slots[index->head].item == NULL)
    index->head++;
  while (index->slots[index->tail - 1].item == NULL)
    index->tail--;

  /* No more holes than items, so that walking over holes costs no more than what is open. A block
   * is squeezed only after as many removals as it has items left. */
  if (index->tail - index->head > 2 * index->live + FIRST_CAPACITY)
    compact (index);

  if (index->capacity > SQX_INDEX_KEPT && index->live <= index->capacity / 8)
    {
      compact (index);
      slots = realloc (index->slots, index->capacity / 2 * sizeof *slots);
      if (slots != NULL)
        {
          index->slots = slots;
          index->capacity /= 2;
        }
    }
}

void *
sqx_index_remove (sqx_index *index,
                  uint64_t   number)
{
  size_t at = find (index, number);
  void *item;

  if (at == index->tail || index->slots[at].number != number || index->slots[at].item == NULL)
    return NULL;

  item = index->slots[at].item;
  index->slots[at].item = NULL;
  index->live--;
  settle (index);
  return item;
}

void *
sqx_index_next (const sqx_index *index,
                uint64_t         number,
                uint64_t        *found)
{
  for (size_t at = find (index, number); at < index->tail; at++)
    if (index->slots[at].item != NULL)
      {
        *found = index->slots[at].number;
        return index->slots[at].item;
      }
  return NULL;
}
