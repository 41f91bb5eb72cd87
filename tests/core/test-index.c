/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The map from numbers to messages, against a balanced tree.
 */
#include <glib.h>

#include "sqx-index.h"
#include "sqx-limits.h"

typedef struct
{
  sqx_index index;
  GTree    *tree; /* guint64 (owned) -> item, the same pointer */
} Fixture;

static gint
compare (gconstpointer a,
         gconstpointer b,
         gpointer      data)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return x < y ? -1 : x > y;
}

static void
set_up (Fixture      *fixture,
        gconstpointer data)
{
  sqx_index_init (&fixture->index);
  fixture->tree = g_tree_new_full (compare, NULL, g_free, NULL);
}

static void
tear_down (Fixture      *fixture,
           gconstpointer data)
{
  sqx_index_clear (&fixture->index);
  g_tree_unref (fixture->tree);
}

static void
insert (Fixture *fixture,
        guint64  number)
{
  guint64 *item = g_new (guint64, 1);

  *item = number;
  g_tree_insert (fixture->tree, item, item);
  g_assert_true (sqx_index_insert (&fixture->index, number, item));
}

static gboolean
contains (Fixture *fixture,
          guint64  number)
{
  return g_tree_lookup (fixture->tree, &number) != NULL;
}

/* Whether it was there or not. */
static void
take_out (Fixture *fixture,
          guint64  number)
{
  gpointer item = g_tree_lookup (fixture->tree, &number);

  g_assert_true (sqx_index_remove (&fixture->index, number) == item);
  g_tree_remove (fixture->tree, &number);
}

static void
check (Fixture *fixture)
{
  const sqx_index *index = &fixture->index;
  gsize live = 0;

  g_assert_cmpuint (sqx_index_count (index), ==, (guint) g_tree_nnodes (fixture->tree));
  if (index->live == 0)
    {
      g_assert_cmpuint (index->capacity, <=, SQX_INDEX_KEPT);
      return;
    }

  g_assert_cmpuint (index->head, <, index->tail);
  g_assert_cmpuint (index->tail, <=, index->capacity);
  g_assert_nonnull (index->slots[index->head].item);
  g_assert_nonnull (index->slots[index->tail - 1].item);
  for (gsize i = index->head; i < index->tail; i++)
    {
      live += index->slots[i].item != NULL;
      if (i > index->head)
        g_assert_cmpuint (index->slots[i - 1].number, <, index->slots[i].number);
    }
  g_assert_cmpuint (live, ==, index->live);
  /* The block is in proportion to what it holds, or small. */
  g_assert_cmpuint (index->capacity, <=, MAX (8 * index->live + 8, SQX_INDEX_KEPT));
}

static void
check_questions (Fixture *fixture,
                 guint64  number)
{
  GTreeNode *node = g_tree_lower_bound (fixture->tree, &number);
  guint64 found = 0;
  gpointer next = sqx_index_next (&fixture->index, number, &found);

  g_assert_true (sqx_index_lookup (&fixture->index, number) ==
                 g_tree_lookup (fixture->tree, &number));
  if (node == NULL)
    {
      g_assert_null (next);
    }
  else
    {
      g_assert_true (next == g_tree_node_value (node));
      g_assert_cmpuint (found, ==, *(guint64 *) next);
    }
}

static void
test_empty (Fixture      *fixture,
            gconstpointer data)
{
  guint64 found = 77;

  check (fixture);
  g_assert_null (sqx_index_lookup (&fixture->index, 0));
  g_assert_null (sqx_index_remove (&fixture->index, 0));
  g_assert_null (sqx_index_next (&fixture->index, 0, &found));
  g_assert_cmpuint (found, ==, 77);

  insert (fixture, 5);
  take_out (fixture, 5);
  check (fixture);
  check_questions (fixture, 5);
}

/* The usual life: numbers come at the end and go near the front. */
static void
test_dense (Fixture      *fixture,
            gconstpointer data)
{
  gsize most = 0;

  for (guint64 i = 0; i < 20000; i++)
    {
      insert (fixture, i);
      if (i >= 100)
        take_out (fixture, i - 100);
      most = MAX (most, fixture->index.capacity);
      if (i % 97 == 0)
        check (fixture);
      for (guint64 k = i < 102 ? 0 : i - 102; k < i + 2; k += 17)
        check_questions (fixture, k);
    }
  /* 101 at once, and at most as many holes. */
  g_assert_cmpuint (most, <=, 256);
}

/* One message stays open while thousands pass by: the holes between do not add up. */
static void
test_pinned (Fixture      *fixture,
             gconstpointer data)
{
  insert (fixture, 0);
  for (guint64 i = 1; i < 20000; i++)
    {
      insert (fixture, i);
      if (i > 10)
        take_out (fixture, i - 10);
      check (fixture);
      check_questions (fixture, 0);
      check_questions (fixture, 1);
      check_questions (fixture, i - 1);
    }
  g_assert_cmpuint (fixture->index.capacity, <=, 64);
}

static void
test_descending (Fixture      *fixture,
                 gconstpointer data)
{
  for (guint64 i = 0; i < 500; i++)
    {
      insert (fixture, 10000 - i);
      check (fixture);
    }
  for (guint64 i = 0; i < 510; i++)
    check_questions (fixture, 10005 - i);

  /* What is free in front is used. */
  for (guint64 i = 0; i < 100; i++)
    take_out (fixture, 9501 + i);
  for (guint64 i = 0; i < 50; i++)
    insert (fixture, 9600 - 2 * i);
  g_assert_cmpuint (fixture->index.head, ==, 50);
  check (fixture);
  insert (fixture, 9511);
  g_assert_cmpuint (fixture->index.head, ==, 49);
  check (fixture);
}

/* What is between two numbers goes into the holes there. */
static void
test_holes (Fixture      *fixture,
            gconstpointer data)
{
  for (guint64 i = 0; i < 7; i++)
    insert (fixture, 10 * i);
  take_out (fixture, 20);
  take_out (fixture, 30);
  take_out (fixture, 50);
  insert (fixture, 20); /* the hole itself */
  insert (fixture, 35); /* the hole before it */
  insert (fixture, 45); /* the hole after it */
  check (fixture);
  g_assert_cmpuint (fixture->index.tail, ==, 7);
  for (guint64 i = 0; i < 65; i++)
    check_questions (fixture, i);
}

/* Walking while removing, as a run of ends does. */
static void
test_walk (Fixture      *fixture,
           gconstpointer data)
{
  guint64 number = 300, found, seen = 0, expected = 0;

  for (guint64 i = 0; i < 1000; i++)
    insert (fixture, i + i / 10);
  for (guint64 i = 300; i < 800; i++)
    expected += contains (fixture, i);
  while (sqx_index_next (&fixture->index, number, &found) != NULL && found < 800)
    {
      g_assert_cmpuint (found, >=, number);
      g_assert_true (contains (fixture, found));
      take_out (fixture, found);
      number = found + 1;
      seen++;
    }
  g_assert_cmpuint (seen, ==, expected);
  check (fixture);
  for (guint64 i = 250; i < 850; i++)
    check_questions (fixture, i);
}

static void
test_shrink (Fixture      *fixture,
             gconstpointer data)
{
  gsize largest;

  for (guint64 i = 0; i < 5000; i++)
    insert (fixture, i);
  largest = fixture->index.capacity;
  for (guint64 i = 0; i < 4999; i++)
    {
      take_out (fixture, (i * 1237) % 5000);
      if (i % 50 == 0 || i > 4900)
        check (fixture);
    }
  g_assert_cmpuint (fixture->index.live, ==, 1);
  g_assert_cmpuint (fixture->index.capacity, <=, SQX_INDEX_KEPT);
  g_assert_cmpuint (largest, >=, 5000);

  /* What is small stays until it is of no more use. */
  sqx_index_rest (&fixture->index);
  g_assert_cmpuint (sqx_index_count (&fixture->index), ==, 1);
  take_out (fixture, (guint64) 4999 * 1237 % 5000);
  check (fixture);
  g_assert_nonnull (fixture->index.slots);
  sqx_index_rest (&fixture->index);
  g_assert_null (fixture->index.slots);
  g_assert_cmpuint (fixture->index.capacity, ==, 0);

  sqx_index_clear (&fixture->index);
  g_assert_cmpuint (sqx_index_count (&fixture->index), ==, 0);
  g_assert_null (sqx_index_lookup (&fixture->index, 4999));
}

static void
test_extremes (Fixture      *fixture,
               gconstpointer data)
{
  insert (fixture, G_MAXUINT64);
  insert (fixture, 0);
  insert (fixture, G_MAXUINT64 - 1);
  insert (fixture, G_GUINT64_CONSTANT (1) << 62);
  check (fixture);
  check_questions (fixture, 1);
  check_questions (fixture, G_MAXUINT64);
  check_questions (fixture, G_GUINT64_CONSTANT (1) << 62);
  check_questions (fixture, (G_GUINT64_CONSTANT (1) << 62) + 1);
}

static void
random_run (Fixture *fixture,
            guint64  base,
            gint32   spread,
            guint    steps)
{
  guint64 end = base;

  for (guint i = 0; i < steps; i++)
    {
      /* Growing for a while, then shrinking, so that every size is passed both ways. */
      gboolean grow = g_test_rand_int_range (0, 100) < (i / 500 % 2 == 0 ? 75 : 25);
      guint64 number = base + (guint64) g_test_rand_int_range (0, spread);

      if (grow && g_test_rand_bit ())
        number = MAX (end, base) + (guint64) g_test_rand_int_range (0, 3);
      if (!grow)
        take_out (fixture, number);
      else if (!contains (fixture, number))
        insert (fixture, number);
      end = MAX (end, number + 1);

      check (fixture);
      for (guint k = 0; k < 4; k++)
        check_questions (fixture, base + (guint64) g_test_rand_int_range (0, spread + 10));
      check_questions (fixture, number);
      check_questions (fixture, end);
    }
}

static void
test_random (Fixture      *fixture,
             gconstpointer data)
{
  random_run (fixture, 0, 40, 3000);
  random_run (fixture, 1000000, 1000, 4000);
  random_run (fixture, G_GUINT64_CONSTANT (1) << 40, 1000000, 3000);
}

/* Appending and looking up do not depend on how many there are: a million takes no time. */
static void
test_scale (Fixture      *fixture,
            gconstpointer data)
{
  const guint64 n = 1000000;
  sqx_index *index = &fixture->index;
  guint64 item, found;

  for (guint64 i = 0; i < n; i++)
    g_assert_true (sqx_index_insert (index, i, &item));
  for (guint64 i = 0; i < n; i++)
    g_assert_true (sqx_index_lookup (index, n - 1 - i) == &item);
  for (guint64 i = 0; i < n; i++)
    {
      g_assert_true (sqx_index_next (index, 0, &found) == &item);
      g_assert_cmpuint (found, ==, i);
      g_assert_true (sqx_index_remove (index, i) == &item);
    }
  g_assert_cmpuint (sqx_index_count (index), ==, 0);
}

#define ADD(name, function) \
  g_test_add ("/seqex/index/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("empty", test_empty);
  ADD ("dense", test_dense);
  ADD ("pinned", test_pinned);
  ADD ("descending", test_descending);
  ADD ("holes", test_holes);
  ADD ("walk", test_walk);
  ADD ("shrink", test_shrink);
  ADD ("extremes", test_extremes);
  ADD ("random", test_random);
  ADD ("scale", test_scale);
  return g_test_run ();
}
