/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Deadlines of many, soonest first: a heap whose nodes know their place, so that changing one costs
 * O(log n) and reading the soonest nothing. Each has four below it, and the times stand beside each
 * other, so that finding a place looks at few cache lines, and at none of the nodes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SQX_HEAP_NOWHERE SIZE_MAX

typedef struct
{
  uint64_t at;
  size_t   place; /* SQX_HEAP_NOWHERE: not in the heap */
} sqx_heap_node;

typedef struct
{
  uint64_t       at;
  sqx_heap_node *node;
} sqx_heap_slot;

typedef struct
{
  sqx_heap_slot *slots;
  size_t         count;
  size_t         capacity;
} sqx_heap;

void sqx_heap_init    (sqx_heap *heap);
void sqx_heap_clear   (sqx_heap *heap); /* forgets the nodes */
/* Makes room for @count nodes in all, so that setting cannot fail. */
bool sqx_heap_reserve (sqx_heap *heap, size_t count);
/* Enters or moves @node; SQX_TIME_NEVER takes it out. */
void sqx_heap_set     (sqx_heap *heap, sqx_heap_node *node, uint64_t at);
/* NULL: empty. */
sqx_heap_node *sqx_heap_first (const sqx_heap *heap);
