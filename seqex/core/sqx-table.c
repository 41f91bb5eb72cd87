/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-table.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_BITS 4u
#define LAST_BITS  31u

/* The highest bits of the product depend on every bit of the key. */
static size_t
slot_of (const sqx_table *table,
         uint64_t         key)
{
  return (size_t) (key * table->secret >> (64 - table->bits));
}

static bool
resize (sqx_table *table,
        unsigned   bits)
{
  sqx_table_node **old = table->slots;
  size_t n_old = table->n_slots, n_slots = (size_t) 1 << bits;
  sqx_table_node **slots = calloc (n_slots, sizeof *slots);

  if (slots == NULL)
    return false;
  table->slots = slots;
  table->n_slots = n_slots;
  table->bits = bits;
  for (size_t i = 0; i < n_old; i++)
    while (old[i] != NULL)
      {
        sqx_table_node *node = old[i];
        size_t slot = slot_of (table, node->key);

        old[i] = node->next;
        node->next = slots[slot];
        slots[slot] = node;
      }
  free (old);
  return true;
}

bool
sqx_table_init (sqx_table *table,
                uint64_t   secret)
{
  *table = (sqx_table) { .secret = secret | 1 };
  return resize (table, FIRST_BITS);
}

void
sqx_table_clear (sqx_table *table)
{
  free (table->slots);
  *table = (sqx_table) { .secret = table->secret };
}

void
sqx_table_insert (sqx_table      *table,
                  sqx_table_node *node,
                  uint64_t        key)
{
  size_t slot;

  assert (!node->linked && table->n_slots > 0);
  if (table->count >= table->n_slots && table->bits < LAST_BITS)
    (void) resize (table, table->bits + 1);

  slot = slot_of (table, key);
  node->key = key;
  node->linked = true;
  node->next = table->slots[slot];
  table->slots[slot] = node;
  table->count++;
}

void
sqx_table_remove (sqx_table      *table,
                  sqx_table_node *node)
{
  sqx_table_node **link;

  if (!node->linked)
    return;
  link = &table->slots[slot_of (table, node->key)];
  while (*link != node)
    link = &(*link)->next;
  *link = node->next;
  node->next = NULL;
  node->linked = false;
  table->count--;
}

sqx_table_node *
sqx_table_find (const sqx_table      *table,
                uint64_t              key,
                const sqx_table_node *after)
{
  sqx_table_node *node;

  if (after != NULL)
    node = after->next;
  else
    node = table->n_slots > 0 ? table->slots[slot_of (table, key)] : NULL;
  while (node != NULL && node->key != key)
    node = node->next;
  return node;
}
