/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A map from numbers, mostly consecutive and mostly growing, to pointers: the open messages of
 * one channel and direction. Kept sorted in one array with holes for what was removed, so that
 * looking a number up is O(1) while the numbers are dense and O(log n) otherwise, appending and
 * removing are O(1) amortised, and walking a run of numbers costs what is in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct
{
  uint64_t number;
  void    *item; /* NULL: removed */
} sqx_index_slot;

typedef struct
{
  sqx_index_slot *slots;
  size_t          head;     /* first used slot; never a hole while live > 0 */
  size_t          tail;     /* one past the last used slot; its predecessor is never a hole */
  size_t          capacity;
  size_t          live;     /* slots with an item */
} sqx_index;

void sqx_index_init  (sqx_index *index);
void sqx_index_clear (sqx_index *index); /* forgets the items without touching them */
void sqx_index_rest  (sqx_index *index); /* gives back the memory of an empty one */

/* @number is not in the map and @item is not NULL. false: no memory, nothing changed. */
bool  sqx_index_insert (sqx_index *index, uint64_t number, void *item);
void *sqx_index_lookup (const sqx_index *index, uint64_t number);
/* Returns what was removed, NULL if nothing. Never needs memory. Gives memory back when the map
 * becomes small, but for a block of SQX_INDEX_KEPT slots. */
void *sqx_index_remove (sqx_index *index, uint64_t number);
/* The item with the lowest number >= @number, NULL if none; @found receives its number. Removing
 * items between two calls is allowed. */
void *sqx_index_next (const sqx_index *index, uint64_t number, uint64_t *found);

static inline size_t
sqx_index_count (const sqx_index *index)
{
  return index->live;
}
