/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of nodes, against GLib's.
 */
#include <glib.h>

#include "fail-alloc.h"
#include "sqx-table.h"

#define SECRET UINT64_C (0x9e3779b97f4a7c15)

static guint
count_key (const sqx_table *table,
           guint64          key)
{
  const sqx_table_node *node = NULL;
  guint count = 0;

  while ((node = sqx_table_find (table, key, node)) != NULL)
    {
      g_assert_cmpuint (node->key, ==, key);
      g_assert_true (node->linked);
      count++;
    }
  return count;
}

static void
test_empty (void)
{
  sqx_table table;
  sqx_table_node node = { 0 };

  g_assert_true (sqx_table_init (&table, SECRET));
  g_assert_null (sqx_table_find (&table, 0, NULL));
  sqx_table_remove (&table, &node);
  g_assert_cmpuint (table.count, ==, 0);
  sqx_table_clear (&table);
  g_assert_null (sqx_table_find (&table, 7, NULL));
  sqx_table_clear (&table);
}

static void
test_same_key (void)
{
  sqx_table table;
  sqx_table_node nodes[3] = { 0 };

  g_assert_true (sqx_table_init (&table, SECRET));
  for (guint i = 0; i < 3; i++)
    sqx_table_insert (&table, &nodes[i], 5);
  g_assert_cmpuint (count_key (&table, 5), ==, 3);
  g_assert_cmpuint (count_key (&table, 6), ==, 0);
  sqx_table_remove (&table, &nodes[1]);
  g_assert_false (nodes[1].linked);
  g_assert_cmpuint (count_key (&table, 5), ==, 2);
  sqx_table_remove (&table, &nodes[1]);
  g_assert_cmpuint (table.count, ==, 2);
  sqx_table_insert (&table, &nodes[1], 6);
  g_assert_true (sqx_table_find (&table, 6, NULL) == &nodes[1]);
  g_assert_null (sqx_table_find (&table, 6, &nodes[1]));
  sqx_table_clear (&table);
}

/* An even secret is made odd. */
static void
test_clear (void)
{
  sqx_table table;
  sqx_table_node first = { 0 };

  g_assert_true (sqx_table_init (&table, 2));
  g_assert_cmpuint (table.secret % 2, ==, 1);
  sqx_table_insert (&table, &first, 1);
  sqx_table_clear (&table);
  g_assert_cmpuint (table.count, ==, 0);
  g_assert_null (sqx_table_find (&table, 1, NULL));
}

static void
test_random (void)
{
  g_autofree sqx_table_node *nodes = g_new0 (sqx_table_node, 5000);
  g_autoptr (GHashTable) counts = g_hash_table_new (NULL, NULL); /* key + 1 -> nodes with it */
  sqx_table table;
  guint linked = 0;

  g_assert_true (sqx_table_init (&table, SECRET ^ (guint32) g_test_rand_int ()));
  for (guint step = 0; step < 60000; step++)
    {
      sqx_table_node *node = &nodes[g_test_rand_int_range (0, 5000)];
      guint64 key = node->linked ? node->key : (guint64) g_test_rand_int_range (0, 3000);
      gpointer name = GSIZE_TO_POINTER (key + 1);
      guint count = GPOINTER_TO_UINT (g_hash_table_lookup (counts, name));

      if (node->linked)
        {
          sqx_table_remove (&table, node);
          count--, linked--;
        }
      else
        {
          sqx_table_insert (&table, node, key);
          count++, linked++;
        }
      g_hash_table_insert (counts, name, GUINT_TO_POINTER (count));
      g_assert_cmpuint (count_key (&table, key), ==, count);
      g_assert_cmpuint (table.count, ==, linked);
    }
  for (guint64 key = 0; key < 3000; key++)
    g_assert_cmpuint (count_key (&table, key), ==,
                      GPOINTER_TO_UINT (g_hash_table_lookup (counts, GSIZE_TO_POINTER (key + 1))));
  sqx_table_clear (&table);
}

static guint
longest_chain (const sqx_table *table)
{
  guint longest = 0;

  for (gsize i = 0; i < table->n_slots; i++)
    {
      guint length = 0;

      for (const sqx_table_node *node = table->slots[i]; node != NULL; node = node->next)
        length++;
      longest = MAX (longest, length);
    }
  return longest;
}

/* Keys that a peer would choose: in a row, and with the same low or high bits. */
static void
test_spread (void)
{
  static const guint shifts[] = { 0, 8, 16, 32, 48 };
  g_autofree sqx_table_node *nodes = g_new (sqx_table_node, 10000);

  for (guint s = 0; s < G_N_ELEMENTS (shifts); s++)
    {
      sqx_table table;

      memset (nodes, 0, 10000 * sizeof *nodes);
      g_assert_true (sqx_table_init (&table, SECRET));
      for (guint i = 0; i < 10000; i++)
        sqx_table_insert (&table, &nodes[i], (guint64) i << shifts[s]);
      g_assert_cmpuint (table.n_slots, >=, 10000);
      g_assert_cmpuint (table.n_slots, <, 20000 * 2);
      g_assert_cmpuint (longest_chain (&table), <=, 12);
      sqx_table_clear (&table);
    }
}

/* Without memory it does not begin, and does not grow; nothing is lost. */
static void
test_no_memory (void)
{
  sqx_table table;
  sqx_table_node nodes[100] = { 0 };

  fail_count = 1;
  g_assert_false (sqx_table_init (&table, SECRET));
  sqx_table_clear (&table);

  g_assert_true (sqx_table_init (&table, SECRET));
  fail_count = G_MAXUINT;
  for (guint i = 0; i < 100; i++)
    sqx_table_insert (&table, &nodes[i], i);
  fail_count = 0;
  for (guint i = 0; i < 100; i++)
    g_assert_true (sqx_table_find (&table, i, NULL) == &nodes[i]);
  sqx_table_clear (&table);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/table/empty", test_empty);
  g_test_add_func ("/seqex/table/same-key", test_same_key);
  g_test_add_func ("/seqex/table/clear", test_clear);
  g_test_add_func ("/seqex/table/random", test_random);
  g_test_add_func ("/seqex/table/spread", test_spread);
  g_test_add_func ("/seqex/table/no-memory", test_no_memory);
  return g_test_run ();
}
