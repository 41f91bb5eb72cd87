/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An intrusive hash table from 64-bit keys to nodes. Several nodes may have the same key. Slots are
 * chosen by multiplying with a secret odd number, so that a peer who chooses keys cannot make them
 * collide on purpose.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sqx_table_node sqx_table_node;
struct sqx_table_node
{
  sqx_table_node *next;
  uint64_t        key;
  bool            linked;
};

typedef struct
{
  sqx_table_node **slots;
  size_t           n_slots; /* 1 << bits, or 0 */
  unsigned         bits;
  size_t           count;
  uint64_t         secret;  /* odd */
} sqx_table;

/* Makes the first slots. false: no memory; clearing is a no-op then. */
bool sqx_table_init   (sqx_table *table, uint64_t secret);
void sqx_table_clear  (sqx_table *table); /* forgets the nodes; any number of times */
/* Cannot fail: growing that does only makes it slower. */
void sqx_table_insert (sqx_table *table, sqx_table_node *node, uint64_t key);
/* A no-op for a node that is in no table. */
void sqx_table_remove (sqx_table *table, sqx_table_node *node);
/* The first node with @key, or the next one after @after. NULL: none. */
sqx_table_node *sqx_table_find (const sqx_table *table, uint64_t key, const sqx_table_node *after);
