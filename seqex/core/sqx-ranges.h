/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A set of 64-bit numbers kept as sorted, disjoint, non-adjacent ranges: packet numbers that
 * arrived, message numbers that are settled, bytes of a message that are acknowledged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers start … end - 1; start < end. */
typedef struct
{
  uint64_t start;
  uint64_t end;
} sqx_range;

/* Must not be copied or moved: items may point at inlined. */
typedef struct
{
  sqx_range *items;    /* the ranges, ascending; read-only for users of the unit; NULL: none yet */
  size_t     count;
  size_t     head;     /* free slots in front of items, so that dropping the first is O(1) */
  size_t     capacity; /* slots allocated, head included */
  sqx_range  inlined;  /* holds the only range without an allocation */
} sqx_ranges;

void sqx_ranges_init  (sqx_ranges *set); /* one of zeros is empty, too */
void sqx_ranges_clear (sqx_ranges *set); /* empties and frees; usable again */

/* Adds start … end - 1, merging what overlaps or adjoins; an empty range is a no-op. O(log n) to
 * find, at worst O(n) to move. false: no memory, nothing changed. */
bool sqx_ranges_add (sqx_ranges *set, uint64_t start, uint64_t end);
/* Removes start … end - 1. May split one range, which may need memory. */
bool sqx_ranges_remove (sqx_ranges *set, uint64_t start, uint64_t end);
/* Makes room, so that the next add or remove cannot fail. */
bool sqx_ranges_reserve (sqx_ranges *set);
/* Drops the lowest range. */
void sqx_ranges_drop_first (sqx_ranges *set);
/* Drops every number below @floor. Never needs memory. */
void sqx_ranges_drop_below (sqx_ranges *set, uint64_t floor);

bool   sqx_ranges_contains (const sqx_ranges *set, uint64_t number);
/* Whether all of start … end - 1 is in the set; true for an empty range. */
bool   sqx_ranges_covers   (const sqx_ranges *set, uint64_t start, uint64_t end);
/* How many of start … end - 1 are in the set. */
uint64_t sqx_ranges_overlap (const sqx_ranges *set, uint64_t start, uint64_t end);
/* Index of the first range whose end is above @number; count if none. */
size_t sqx_ranges_find     (const sqx_ranges *set, uint64_t number);
