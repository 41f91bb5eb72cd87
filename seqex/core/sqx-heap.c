/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-heap.h"

#include <assert.h>
#include <stdlib.h>

#include "sqx.h"

#define FIRST_CAPACITY 16u

void
sqx_heap_init (sqx_heap *heap)
{
  *heap = (sqx_heap) { 0 };
}

void
sqx_heap_clear (sqx_heap *heap)
{
  free (heap->nodes);
  sqx_heap_init (heap);
}

bool
sqx_heap_reserve (sqx_heap *heap,
                  size_t    count)
{
  size_t capacity = heap->capacity > 0 ? heap->capacity : FIRST_CAPACITY;
  sqx_heap_node **nodes;

  if (count <= heap->capacity)
    return true;
  while (capacity < count)
    {
      if (capacity > SIZE_MAX / sizeof (*nodes) / 2)
        return false;
      capacity *= 2;
    }
  nodes = realloc (heap->nodes, capacity * sizeof (*nodes));
  if (nodes == NULL)
    return false;
  heap->nodes = nodes;
  heap->capacity = capacity;
  return true;
}

static void
put (sqx_heap      *heap,
     size_t         place,
     sqx_heap_node *node)
{
  heap->nodes[place] = node;
  node->place = place;
}

static void
move_up (sqx_heap      *heap,
         sqx_heap_node *node)
{
  size_t place = node->place;

  while (place > 0 && heap->nodes[(place - 1) / 2]->at > node->at)
    {
      put (heap, place, heap->nodes[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
  put (heap, place, node);
}

static void
move_down (sqx_heap      *heap,
           sqx_heap_node *node)
{
  size_t place = node->place, child;

  while ((child = 2 * place + 1) < heap->count)
    {
      if (child + 1 < heap->count && heap->nodes[child + 1]->at < heap->nodes[child]->at)
        child++;
      if (heap->nodes[child]->at >= node->at)
        break;
      put (heap, place, heap->nodes[child]);
      place = child;
    }
  put (heap, place, node);
}

static void
take_out (sqx_heap      *heap,
          sqx_heap_node *node)
{
  sqx_heap_node *last = heap->nodes[--heap->count];

  if (last != node)
    {
      put (heap, node->place, last);
      move_up (heap, last);
      move_down (heap, last);
    }
  node->place = SQX_HEAP_NOWHERE;
}

void
sqx_heap_set (sqx_heap      *heap,
              sqx_heap_node *node,
              uint64_t       at)
{
  uint64_t before = node->at;

  node->at = at;
  if (node->place == SQX_HEAP_NOWHERE)
    {
      if (at == SQX_TIME_NEVER)
        return;
      assert (heap->count < heap->capacity);
      put (heap, heap->count++, node);
      move_up (heap, node);
    }
  else if (at == SQX_TIME_NEVER)
    take_out (heap, node);
  else if (at < before)
    move_up (heap, node);
  else if (at > before)
    move_down (heap, node);
}

sqx_heap_node *
sqx_heap_first (const sqx_heap *heap)
{
  return heap->count > 0 ? heap->nodes[0] : NULL;
}
