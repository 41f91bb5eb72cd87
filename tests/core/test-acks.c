/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <stdlib.h>

#include "sqx-acks.h"

/* The ranges under test are compiled into this program, so that their allocations can be made to
 * fail. */
static gboolean memory_fails;

static void *
test_malloc (size_t size)
{
  return memory_fails ? NULL : malloc (size);
}

static void *
test_realloc (void   *block,
              size_t  size)
{
  return memory_fails ? NULL : realloc (block, size);
}

#define malloc test_malloc
#define realloc test_realloc
#include "sqx-ranges.c"
#undef malloc
#undef realloc

#define DELAY 25000

static void
add (sqx_acks *acks,
     guint64   now,
     guint64   number,
     gboolean  eliciting)
{
  g_assert_cmpint (sqx_acks_check (acks, number), ==, SQX_ACKS_NEW);
  g_assert_true (sqx_acks_add (acks, now, number, eliciting));
  g_assert_true (acks->pending);
}

/* RFC 9000 appendix A.3, line by line, in signed numbers wide enough for it. */
static guint64
expand_oracle (guint64 largest,
               guint32 low)
{
  __int128 expected = (__int128) largest + 1;
  __int128 window = (__int128) 1 << 32;
  __int128 half = window / 2;
  __int128 candidate = (expected & ~(window - 1)) | low;

  if (candidate <= expected - half && candidate < ((__int128) 1 << 62) - window)
    return (guint64) (candidate + window);
  if (candidate > expected + half && candidate >= window)
    return (guint64) (candidate - window);
  return (guint64) candidate;
}

static void
check_expand (guint64 largest,
              guint32 low)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  add (&acks, 0, largest, FALSE);
  g_assert_cmphex (sqx_acks_expand (&acks, low), ==, expand_oracle (largest, low));
  sqx_acks_clear (&acks);
}

static void
test_expand (void)
{
  static const guint64 around[] = {
    0, 5, G_GUINT64_CONSTANT (1) << 31, G_GUINT64_CONSTANT (1) << 32,
    G_GUINT64_CONSTANT (3) << 31, G_GUINT64_CONSTANT (1) << 33,
    G_GUINT64_CONSTANT (0x12345678) << 32, (G_GUINT64_CONSTANT (1) << 62) - 1,
    (G_GUINT64_CONSTANT (1) << 62) - (G_GUINT64_CONSTANT (1) << 32),
    (G_GUINT64_CONSTANT (1) << 62) - (G_GUINT64_CONSTANT (1) << 31),
  };
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  g_assert_cmphex (sqx_acks_expand (&acks, 0), ==, 0);
  g_assert_cmphex (sqx_acks_expand (&acks, G_MAXUINT32), ==, G_MAXUINT32);
  sqx_acks_clear (&acks);

  for (gsize i = 0; i < G_N_ELEMENTS (around); i++)
    for (int off = -3; off <= 3; off++)
      {
        guint64 largest = around[i] + (guint64) (gint64) off;

        if (largest > SQX_VARINT_MAX)
          continue;
        for (gint64 distance = -4; distance <= 4; distance++)
          {
            check_expand (largest, (guint32) (largest + (guint64) distance));
            check_expand (largest, (guint32) (largest + G_MAXINT32 + (guint64) distance));
            check_expand (largest, (guint32) distance);
          }
        for (int j = 0; j < 50; j++)
          check_expand (largest, g_test_rand_int ());
      }

  /* What it is for: a link runs through 2^32 without a jump. */
  sqx_acks_init (&acks, DELAY);
  add (&acks, 0, 0xfffffff0, FALSE);
  for (guint64 number = 0xfffffff1; number < 0x100000010; number++)
    {
      g_assert_cmphex (sqx_acks_expand (&acks, (guint32) number), ==, number);
      add (&acks, 0, number, FALSE);
    }
  g_assert_cmphex (sqx_acks_expand (&acks, 0xffffffff), ==, 0xffffffff);
  sqx_acks_clear (&acks);
}

static void
test_delayed (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  g_assert_false (sqx_acks_due (&acks, SQX_TIME_NEVER));
  g_assert_false (acks.pending);

  /* The first packet of a link leaves no gap, whatever its number. */
  add (&acks, 1000, 77, TRUE);
  g_assert_cmpuint (acks.deadline, ==, 26000);
  g_assert_false (sqx_acks_due (&acks, 25999));
  g_assert_true (sqx_acks_due (&acks, 26000));
  g_assert_cmpuint (sqx_acks_delay (&acks, 26000), ==, 25000);

  /* One that asks for nothing does not move it. */
  add (&acks, 5000, 78, FALSE);
  g_assert_cmpuint (acks.deadline, ==, 26000);
  g_assert_false (sqx_acks_due (&acks, 25999));
  g_assert_cmpuint (sqx_acks_delay (&acks, 26000), ==, 21000);

  sqx_acks_sent (&acks);
  g_assert_false (acks.pending);
  g_assert_cmpuint (acks.deadline, ==, SQX_TIME_NEVER);
  g_assert_false (sqx_acks_due (&acks, SQX_TIME_NEVER));

  /* Alone, one that asks for nothing is never a reason. */
  add (&acks, 40000, 79, FALSE);
  g_assert_false (sqx_acks_due (&acks, SQX_TIME_NEVER));
  sqx_acks_clear (&acks);
}

/* Those of many connections are due in the same instants, and never too late or in the past. */
static void
test_together (void)
{
  static const struct { uint64_t now, delay, due; } cases[] = {
    { 1001, 25000, 26000 }, { 1999, 25000, 26000 }, { 2000, 25000, 27000 },
    { 1500, 600, 2000 }, { 1500, 300, 1500 }, { 1500, 0, 1500 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_acks acks;

      sqx_acks_init (&acks, cases[i].delay);
      g_assert_true (sqx_acks_add (&acks, cases[i].now, 0, true));
      g_assert_cmpuint (acks.deadline, ==, cases[i].due);
      sqx_acks_clear (&acks);
    }
}

static void
test_second (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  for (guint64 number = 0; number < 20; number += 2)
    {
      add (&acks, number, number, TRUE);
      g_assert_false (sqx_acks_due (&acks, number));
      add (&acks, number + 1, number + 1, TRUE);
      g_assert_true (sqx_acks_due (&acks, number + 1));
      g_assert_cmpuint (acks.deadline, ==, (number + DELAY) / 1000 * 1000);
      sqx_acks_sent (&acks);
      g_assert_false (sqx_acks_due (&acks, number + 1));
    }
  g_assert_cmpuint (acks.received.count, ==, 1);
  sqx_acks_clear (&acks);
}

static void
test_gap (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  add (&acks, 0, 10, TRUE);
  sqx_acks_sent (&acks);

  add (&acks, 5, 12, TRUE); /* leaves one */
  g_assert_true (sqx_acks_due (&acks, 5));
  g_assert_cmpuint (acks.largest_time, ==, 5);
  sqx_acks_sent (&acks);

  add (&acks, 9, 11, TRUE); /* fills it; the delay is still that of the largest */
  g_assert_true (sqx_acks_due (&acks, 9));
  g_assert_cmpuint (sqx_acks_delay (&acks, 10), ==, 5);
  sqx_acks_sent (&acks);

  add (&acks, 12, 14, FALSE); /* a gap, but nothing that asks */
  g_assert_false (sqx_acks_due (&acks, 12));
  add (&acks, 12, 13, FALSE);
  g_assert_false (sqx_acks_due (&acks, 12));
  add (&acks, 13, 15, TRUE);
  g_assert_false (sqx_acks_due (&acks, 13));

  add (&acks, 14, 3, TRUE); /* older than the first that came */
  g_assert_true (sqx_acks_due (&acks, 14));
  g_assert_cmpuint (acks.largest_time, ==, 13);
  sqx_acks_clear (&acks);
}

static void
test_duplicates (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  add (&acks, 0, 10, TRUE);
  add (&acks, 0, 12, TRUE);
  g_assert_cmpint (sqx_acks_check (&acks, 10), ==, SQX_ACKS_DUPLICATE);
  g_assert_cmpint (sqx_acks_check (&acks, 11), ==, SQX_ACKS_NEW);
  g_assert_cmpint (sqx_acks_check (&acks, 12), ==, SQX_ACKS_DUPLICATE);
  g_assert_cmpint (sqx_acks_check (&acks, 13), ==, SQX_ACKS_NEW);
  g_assert_cmpint (sqx_acks_check (&acks, 0), ==, SQX_ACKS_NEW);
  sqx_acks_clear (&acks);
}

static void
test_range_cap (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  for (guint64 i = 0; i < SQX_ACK_RANGES; i++)
    add (&acks, i, 100 + 2 * i, TRUE);
  g_assert_cmpuint (acks.received.count, ==, SQX_ACK_RANGES);
  g_assert_cmpuint (acks.floor, ==, 0);

  /* The lowest is given up, and all up to it is old from now on. */
  add (&acks, 100, 100 + 2 * SQX_ACK_RANGES, TRUE);
  g_assert_cmpuint (acks.received.count, ==, SQX_ACK_RANGES);
  g_assert_cmpuint (acks.floor, ==, 101);
  g_assert_cmpint (sqx_acks_check (&acks, 100), ==, SQX_ACKS_OLD);
  g_assert_cmpint (sqx_acks_check (&acks, 0), ==, SQX_ACKS_OLD);
  g_assert_cmpint (sqx_acks_check (&acks, 101), ==, SQX_ACKS_NEW);
  g_assert_cmpint (sqx_acks_check (&acks, 102), ==, SQX_ACKS_DUPLICATE);

  /* One that joins two makes room again. */
  add (&acks, 101, 103, TRUE);
  g_assert_cmpuint (acks.received.count, ==, SQX_ACK_RANGES - 1);

  /* One that is itself the lowest of too many is gone at once, but never taken twice. */
  add (&acks, 102, 100 + 2 * SQX_ACK_RANGES + 10, TRUE);
  g_assert_cmpuint (acks.received.items[0].start, ==, 102);
  g_assert_cmpuint (acks.received.count, ==, SQX_ACK_RANGES);
  acks.floor = 50;
  add (&acks, 103, 60, TRUE);
  g_assert_cmpuint (acks.floor, ==, 61);
  g_assert_cmpint (sqx_acks_check (&acks, 60), ==, SQX_ACKS_OLD);
  g_assert_cmpuint (acks.received.items[0].start, ==, 102);
  sqx_acks_clear (&acks);
}

static void
test_confirmed (void)
{
  sqx_acks acks;

  sqx_acks_init (&acks, DELAY);
  sqx_acks_confirmed (&acks, 5);
  g_assert_cmpuint (acks.floor, ==, 0);

  for (guint64 number = 10; number < 60; number++)
    if (number % 10 < 5)
      add (&acks, number, number, TRUE);
  g_assert_cmpuint (acks.received.count, ==, 5);

  /* Not one that was received, or the lowest range: nothing to forget. */
  sqx_acks_confirmed (&acks, 12);
  sqx_acks_confirmed (&acks, 36);
  sqx_acks_confirmed (&acks, 1000);
  sqx_acks_confirmed (&acks, 2);
  g_assert_cmpuint (acks.received.count, ==, 5);
  g_assert_cmpuint (acks.floor, ==, 0);

  sqx_acks_confirmed (&acks, 32);
  g_assert_cmpuint (acks.received.count, ==, 3);
  g_assert_cmpuint (acks.received.items[0].start, ==, 30);
  g_assert_cmpint (sqx_acks_check (&acks, 24), ==, SQX_ACKS_OLD);
  g_assert_cmpint (sqx_acks_check (&acks, 27), ==, SQX_ACKS_NEW); /* late in the gap */
  g_assert_cmpint (sqx_acks_check (&acks, 30), ==, SQX_ACKS_DUPLICATE);

  /* Confirmations that come out of order change nothing any more. */
  sqx_acks_confirmed (&acks, 22);
  g_assert_cmpuint (acks.received.count, ==, 3);

  sqx_acks_confirmed (&acks, 54);
  g_assert_cmpuint (acks.received.count, ==, 1);
  g_assert_cmpuint (acks.received.items[0].start, ==, 50);
  g_assert_cmphex (sqx_acks_expand (&acks, 55), ==, 55);
  sqx_acks_clear (&acks);
}

static void
test_no_memory (void)
{
  sqx_acks acks, before;

  sqx_acks_init (&acks, DELAY);
  add (&acks, 1, 10, FALSE); /* needs none */
  before = acks;
  memory_fails = TRUE;
  g_assert_false (sqx_acks_add (&acks, 5, 20, TRUE));
  memory_fails = FALSE;
  g_assert_false (sqx_acks_due (&acks, SQX_TIME_NEVER));
  g_assert_cmpuint (acks.deadline, ==, before.deadline);
  g_assert_cmpuint (acks.largest_time, ==, before.largest_time);
  g_assert_cmpuint (acks.eliciting, ==, 0);
  g_assert_cmpint (sqx_acks_check (&acks, 20), ==, SQX_ACKS_NEW);
  add (&acks, 6, 20, TRUE);
  sqx_acks_clear (&acks);
}

/* Whatever comes in whatever order: nothing is accepted twice, and the bounds hold. */
static void
test_random (void)
{
  for (int run = 0; run < 30; run++)
    {
      g_autoptr (GHashTable) accepted = g_hash_table_new (NULL, NULL);
      sqx_acks acks;
      guint64 base = 1000;

      sqx_acks_init (&acks, DELAY);
      for (int i = 0; i < 3000; i++)
        {
          guint64 number = base + (guint64) g_test_rand_int_range (-200, 200);
          sqx_acks_verdict verdict = sqx_acks_check (&acks, number);
          gboolean seen = g_hash_table_contains (accepted, GSIZE_TO_POINTER (number));

          g_assert_cmphex (sqx_acks_expand (&acks, (guint32) number), ==, number);
          if (verdict == SQX_ACKS_NEW)
            {
              g_assert_false (seen);
              g_assert_true (sqx_acks_add (&acks, (guint64) i, number,
                                           g_test_rand_bit () != 0));
              g_hash_table_add (accepted, GSIZE_TO_POINTER (number));
            }
          else if (verdict == SQX_ACKS_DUPLICATE)
            {
              g_assert_true (seen);
            }
          g_assert_cmpuint (acks.received.count, <=, SQX_ACK_RANGES);
          if (acks.received.count > 0)
            g_assert_cmpuint (acks.received.items[0].start, >=, acks.floor);
          if (g_test_rand_int_range (0, 100) == 0)
            sqx_acks_confirmed (&acks, number);
          base += (guint64) g_test_rand_int_range (0, 3);
        }
      sqx_acks_clear (&acks);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/acks/expand", test_expand);
  g_test_add_func ("/seqex/acks/delayed", test_delayed);
  g_test_add_func ("/seqex/acks/together", test_together);
  g_test_add_func ("/seqex/acks/second", test_second);
  g_test_add_func ("/seqex/acks/gap", test_gap);
  g_test_add_func ("/seqex/acks/duplicates", test_duplicates);
  g_test_add_func ("/seqex/acks/range-cap", test_range_cap);
  g_test_add_func ("/seqex/acks/confirmed", test_confirmed);
  g_test_add_func ("/seqex/acks/no-memory", test_no_memory);
  g_test_add_func ("/seqex/acks/random", test_random);
  return g_test_run ();
}
