/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-heap.h"

#include <assert.h>
#include <stdlib.h>

#include "sqx-util.h"
#include "sqx.h"

#define FIRST_CAPACITY 16u
#define FANOUT         4u

void
sqx_heap_init (sqx_heap *heap)
{
  *heap = (sqx_heap) { 0 };
}

void
sqx_heap_clear (sqx_heap *heap)
{
  free (heap->slots);
  sqx_heap_init (heap);
}

bool
sqx_heap_reserve (sqx_heap *heap,
                  size_t    count)
{
  size_t capacity = heap->capacity > 0 ? heap->capacity : FIRST_CAPACITY;
  sqx_heap_slot *slots;

  if (count <= heap->capacity)
    return true;
  while (capacity < count)
    {
      if (capacity > SIZE_MAX / sizeof *slots / 2)
        return false;
      capacity *= 2;
    }
  slots = realloc (heap->slots, capacity * sizeof *slots);
  if (slots == NULL)
    return false;
  heap->slots = slots;
  heap->capacity = capacity;
  return true;
}

static void
put (sqx_heap     *heap,
     size_t        place,
     sqx_heap_slot slot)
{
  heap->slots[place] = slot;
  slot.node->place = place;
}

static void
move_up (sqx_heap     *heap,
         size_t        place,
         sqx_heap_slot slot)
{
  size_t parent;

  for (; place > 0 && heap->slots[parent = (place - 1) / FANOUT].at > slot.at; place = parent)
    put (heap, place, heap->slots[parent]);
  put (heap, place, slot);
}

static void
move_down (sqx_heap     *heap,
           size_t        place,
           sqx_heap_slot slot)
{
  size_t child;

  while ((child = FANOUT * place + 1) < heap->count)
    {
      size_t end = SQX_MIN (child + FANOUT, heap->count);

      for (size_t next = child + 1; next < end; next++)
        if (heap->slots[next].at < heap->slots[child].at)
          child = next;
      if (heap->slots[child].at >= slot.at)
        break;
      put (heap, place, heap->slots[child]);
      place = child;
    }
  put (heap, place, slot);
}

/* @slot comes to @place, or where it belongs from there. */
static void
settle (sqx_heap     *heap,
        size_t        place,
        sqx_heap_slot slot)
{
  if (place > 0 && heap->slots[(place - 1) / FANOUT].at > slot.at)
    move_up (heap, place, slot);
  else
    move_down (heap, place, slot);
}

void
sqx_heap_set (sqx_heap      *heap,
              sqx_heap_node *node,
              uint64_t       at)
{
  size_t place = node->place;

  if (node->at == at && place != SQX_HEAP_NOWHERE)
    return;
  node->at = at;
  if (at != SQX_TIME_NEVER)
    {
      assert (place != SQX_HEAP_NOWHERE || heap->count < heap->capacity);
      settle (heap, place != SQX_HEAP_NOWHERE ? place : heap->count++,
              (sqx_heap_slot) { at, node });
    }
  else if (place != SQX_HEAP_NOWHERE)
    {
      node->place = SQX_HEAP_NOWHERE;
      if (place != --heap->count)
        settle (heap, place, heap->slots[heap->count]);
    }
}

sqx_heap_node *
sqx_heap_first (const sqx_heap *heap)
{
  return heap->count > 0 ? heap->slots[0].node : NULL;
}
