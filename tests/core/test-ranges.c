/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets of ranges, against a plain bitmap.
 */
#include <glib.h>

#include "sqx-ranges.h"

#define UNIVERSE 600u

typedef struct
{
  sqx_ranges set;
  guint8     has[UNIVERSE + 1]; /* the last one is never in the set */
} Fixture;

static void
set_up (Fixture      *fixture,
        gconstpointer data)
{
  sqx_ranges_init (&fixture->set);
}

static void
tear_down (Fixture      *fixture,
           gconstpointer data)
{
  sqx_ranges_clear (&fixture->set);
}

static void
mark (Fixture *fixture,
      guint    start,
      guint    end,
      guint8   value)
{
  for (guint i = start; i < end; i++)
    fixture->has[i] = value;
}

/* The ranges are exactly the runs of the bitmap, and the block is as the header says. */
static void
check (Fixture *fixture)
{
  const sqx_ranges *set = &fixture->set;
  gsize runs = 0;

  for (guint i = 0; i < UNIVERSE; i++)
    {
      if (!fixture->has[i] || (i > 0 && fixture->has[i - 1]))
        continue;
      g_assert_cmpuint (runs, <, set->count);
      g_assert_cmpuint (set->items[runs].start, ==, i);
      while (fixture->has[i])
        i++;
      g_assert_cmpuint (set->items[runs].end, ==, i);
      runs++;
    }
  g_assert_cmpuint (set->count, ==, runs);

  if (set->capacity == 0)
    {
      g_assert_cmpuint (set->count, <=, 1);
      g_assert_true (set->count == 0 || set->items == &set->inlined);
    }
  else
    {
      g_assert_cmpuint (set->head + set->count, <=, set->capacity);
    }
}

static void
check_questions (Fixture *fixture,
                 guint    start,
                 guint    end)
{
  const sqx_ranges *set = &fixture->set;
  guint64 overlap = 0;
  gsize at = 0;

  for (guint i = start; i < end; i++)
    overlap += fixture->has[i];
  g_assert_cmpuint (sqx_ranges_overlap (set, start, end), ==, overlap);
  g_assert_cmpint (sqx_ranges_covers (set, start, end), ==,
                   start >= end || overlap == end - start);
  g_assert_cmpint (sqx_ranges_contains (set, start), ==, fixture->has[start]);

  while (at < set->count && set->items[at].end <= start)
    at++;
  g_assert_cmpuint (sqx_ranges_find (set, start), ==, at);
}

static void
test_empty (Fixture      *fixture,
            gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  g_assert_true (sqx_ranges_add (set, 5, 5));
  g_assert_true (sqx_ranges_add (set, 6, 5));
  g_assert_true (sqx_ranges_remove (set, 0, 100));
  g_assert_true (sqx_ranges_remove (set, 7, 7));
  sqx_ranges_drop_below (set, 100);
  check (fixture);
  g_assert_false (sqx_ranges_contains (set, 0));
  g_assert_true (sqx_ranges_covers (set, 9, 9));
  g_assert_false (sqx_ranges_covers (set, 0, 1));
  g_assert_cmpuint (sqx_ranges_overlap (set, 0, G_MAXUINT64), ==, 0);
  g_assert_cmpuint (sqx_ranges_find (set, 0), ==, 0);
}

static void
test_adjoining (Fixture      *fixture,
                gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  g_assert_true (sqx_ranges_add (set, 10, 20));
  g_assert_true (sqx_ranges_add (set, 30, 40));
  g_assert_true (sqx_ranges_add (set, 0, 9));
  g_assert_cmpuint (set->count, ==, 3);
  g_assert_true (sqx_ranges_add (set, 20, 30));
  g_assert_cmpuint (set->count, ==, 2);
  g_assert_true (sqx_ranges_add (set, 9, 10));
  g_assert_cmpuint (set->count, ==, 1);
  g_assert_cmpuint (set->items[0].start, ==, 0);
  g_assert_cmpuint (set->items[0].end, ==, 40);
}

/* The ends of the number space. */
static void
test_extremes (Fixture      *fixture,
               gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  g_assert_true (sqx_ranges_add (set, G_MAXUINT64 - 1, G_MAXUINT64));
  g_assert_true (sqx_ranges_add (set, 0, 1));
  g_assert_cmpuint (set->count, ==, 2);
  g_assert_true (sqx_ranges_contains (set, 0));
  g_assert_true (sqx_ranges_contains (set, G_MAXUINT64 - 1));
  g_assert_false (sqx_ranges_contains (set, G_MAXUINT64));
  g_assert_false (sqx_ranges_contains (set, 1));
  g_assert_true (sqx_ranges_add (set, 0, G_MAXUINT64));
  g_assert_cmpuint (set->count, ==, 1);
  g_assert_cmpuint (sqx_ranges_overlap (set, 0, G_MAXUINT64), ==, G_MAXUINT64);
  g_assert_true (sqx_ranges_remove (set, 1, G_MAXUINT64 - 1));
  g_assert_cmpuint (set->count, ==, 2);
  sqx_ranges_drop_below (set, G_MAXUINT64);
  g_assert_cmpuint (set->count, ==, 0);
}

/* A single range needs no block of its own, and the set goes back to that. */
static void
test_memory (Fixture      *fixture,
             gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  for (guint64 i = 0; i < 1000; i++)
    g_assert_true (sqx_ranges_add (set, i, i + 1));
  g_assert_cmpuint (set->capacity, ==, 0);

  for (guint64 i = 0; i < 1000; i++)
    g_assert_true (sqx_ranges_add (set, 2000 + 2 * i, 2001 + 2 * i));
  g_assert_cmpuint (set->count, ==, 1001);
  g_assert_cmpuint (set->capacity, <=, 2048);

  g_assert_true (sqx_ranges_remove (set, 0, 2000 + 2 * 900));
  g_assert_cmpuint (set->count, ==, 100);
  g_assert_cmpuint (set->capacity, <=, 1024);
  g_assert_true (sqx_ranges_add (set, 0, 10000));
  g_assert_cmpuint (set->count, ==, 1);
  g_assert_cmpuint (set->capacity, ==, 0);
  g_assert_cmpuint (set->items[0].end, ==, 10000);

  g_assert_true (sqx_ranges_remove (set, 0, 10000));
  g_assert_cmpuint (set->count, ==, 0);
}

/* A window that slides: ranges come at the end and go at the front, in a block of fixed size. */
static void
test_sliding (Fixture      *fixture,
              gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  for (guint64 i = 0; i < 100000; i++)
    {
      g_assert_true (sqx_ranges_add (set, 2 * i, 2 * i + 1));
      if (set->count > 64)
        sqx_ranges_drop_first (set);
      g_assert_cmpuint (set->items[set->count - 1].end, ==, 2 * i + 1);
    }
  g_assert_cmpuint (set->count, ==, 64);
  g_assert_cmpuint (set->items[0].start, ==, 2 * (100000 - 64));
  g_assert_cmpuint (set->capacity, <=, 256);

  /* And the other way round: new ranges at the front, some of them before free slots. */
  for (guint64 i = 1; i <= 32; i++)
    g_assert_true (sqx_ranges_add (set, 1000 - 2 * i, 1001 - 2 * i));
  g_assert_cmpuint (set->count, ==, 96);
  for (gsize i = 0; i < 32; i++)
    g_assert_cmpuint (set->items[i].start, ==, 1000 - 64 + 2 * i);
}

static void
test_reserve (Fixture      *fixture,
              gconstpointer data)
{
  sqx_ranges *set = &fixture->set;

  g_assert_true (sqx_ranges_reserve (set));
  g_assert_cmpuint (set->capacity, ==, 0);
  for (guint64 i = 0; i < 200; i++)
    {
      gsize room;

      g_assert_true (sqx_ranges_reserve (set));
      room = set->capacity == 0 ? 1 : set->capacity;
      g_assert_cmpuint (set->head + set->count, <, room);
      g_assert_true (sqx_ranges_add (set, 3 * i, 3 * i + 1));
      g_assert_cmpuint (set->items[i].start, ==, 3 * i);
    }
}

static void
random_step (Fixture *fixture,
             guint    longest)
{
  sqx_ranges *set = &fixture->set;
  guint start = (guint) g_test_rand_int_range (0, UNIVERSE);
  guint end = start + (guint) g_test_rand_int_range (0, (gint32) longest);

  end = MIN (end, UNIVERSE);
  switch (g_test_rand_int_range (0, 40))
    {
    case 0:
      sqx_ranges_drop_below (set, start / 2);
      mark (fixture, 0, start / 2, 0);
      break;
    case 1:
      if (set->count > 0)
        {
          mark (fixture, 0, (guint) set->items[0].end, 0);
          sqx_ranges_drop_first (set);
        }
      break;
    case 2:
      g_assert_true (sqx_ranges_reserve (set));
      break;
    default:
      if (g_test_rand_bit ())
        {
          g_assert_true (sqx_ranges_add (set, start, end));
          mark (fixture, start, end, 1);
        }
      else
        {
          g_assert_true (sqx_ranges_remove (set, start, end));
          mark (fixture, start, end, 0);
        }
      break;
    }
}

static void
test_random (Fixture      *fixture,
             gconstpointer data)
{
  const guint longest[] = { 2, 3, 8, 60, 400 };

  for (guint round = 0; round < 200; round++)
    {
      for (guint i = 0; i < 150; i++)
        {
          guint start = (guint) g_test_rand_int_range (0, UNIVERSE);

          random_step (fixture, longest[round % G_N_ELEMENTS (longest)]);
          check (fixture);
          check_questions (fixture, start,
                           (guint) g_test_rand_int_range ((gint32) start, UNIVERSE));
        }
      if (round % 20 == 19)
        {
          sqx_ranges_clear (&fixture->set);
          mark (fixture, 0, UNIVERSE, 0);
          check (fixture);
        }
    }
}

#define ADD(name, function) \
  g_test_add ("/seqex/ranges/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  ADD ("empty", test_empty);
  ADD ("adjoining", test_adjoining);
  ADD ("extremes", test_extremes);
  ADD ("memory", test_memory);
  ADD ("sliding", test_sliding);
  ADD ("reserve", test_reserve);
  ADD ("random", test_random);
  return g_test_run ();
}
