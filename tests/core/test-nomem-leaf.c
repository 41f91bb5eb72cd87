/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The leaf units of the core when memory runs out: linked with --wrap, so that every allocation
 * of the core can be made to fail, one after the other.
 */
#include <glib.h>
#include <stdlib.h>

#include "sqx-index.h"
#include "sqx-ranges.h"
#include "sqx-reassembly.h"

/* The allocator ----------------------------------------------------------------------- */

static gboolean counting;
static guint    calls;
static guint    fail_from; /* the first call that fails; 0: none */
static guint    fail_to;   /* the first call after it that does not; 0: none */

void *__real_malloc  (size_t size);
void *__real_calloc  (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);

static gboolean
fails (void)
{
  if (!counting)
    return FALSE;
  calls++;
  return fail_from > 0 && calls >= fail_from && (fail_to == 0 || calls < fail_to);
}

void *
__wrap_malloc (size_t size)
{
  return fails () ? NULL : __real_malloc (size);
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  return fails () ? NULL : __real_calloc (count, size);
}

void *
__wrap_realloc (void  *block,
                size_t size)
{
  return fails () ? NULL : __real_realloc (block, size);
}

static void
start (guint from,
       guint to)
{
  calls = 0;
  fail_from = from;
  fail_to = to;
  counting = TRUE;
}

/* Runs @scenario once as it is, then with each of its allocations failing, alone and together
 * with all that follow. @scenario returns how many operations were refused. */
static void
run_all (guint (*scenario) (void))
{
  guint total;

  start (0, 0);
  g_assert_cmpuint (scenario (), ==, 0);
  counting = FALSE;
  total = calls;
  g_assert_cmpuint (total, >, 0);
  g_test_message ("%u allocations", total);

  for (guint i = 1; i <= total; i++)
    {
      start (i, i + 1);
      scenario ();
      counting = FALSE;
      g_assert_cmpuint (calls, >=, i);

      start (i, 0);
      scenario ();
      counting = FALSE;
    }
}

/* With no memory at all something must be refused, or the scenario shows nothing. */
static void
run (guint (*scenario) (void))
{
  run_all (scenario);
  start (1, 0);
  g_assert_cmpuint (scenario (), >, 0);
  counting = FALSE;
}

/* Ranges ------------------------------------------------------------------------------ */

#define UNIVERSE 400u

static guint8 has[UNIVERSE + 1];

static void
check_ranges (const sqx_ranges *set)
{
  gsize runs = 0;

  for (guint i = 0; i < UNIVERSE; i++)
    {
      g_assert_cmpint (sqx_ranges_contains (set, i), ==, has[i]);
      runs += has[i] && !has[i + 1];
    }
  g_assert_cmpuint (set->count, ==, runs);
}

/* Changes the set and, if that succeeds, the bitmap. Returns 1 if it was refused. */
static guint
change (sqx_ranges *set,
        gboolean    adding,
        guint       first,
        guint       end)
{
  gboolean ok = adding ? sqx_ranges_add (set, first, end) : sqx_ranges_remove (set, first, end);

  for (guint i = first; ok && i < end; i++)
    has[i] = adding;
  check_ranges (set);
  return !ok;
}

static guint
ranges_scenario (void)
{
  sqx_ranges set;
  guint refused = 0;

  memset (has, 0, sizeof has);
  sqx_ranges_init (&set);
  for (guint i = 0; i < 100; i++)
    refused += change (&set, TRUE, 4 * i, 4 * i + 1);
  for (guint i = 0; i < 50; i++)
    refused += change (&set, TRUE, 4 * i + 2, 4 * i + 3);
  refused += change (&set, TRUE, 100, 300);
  for (guint i = 0; i < 40; i++)
    refused += change (&set, FALSE, 102 + 4 * i, 103 + 4 * i);
  for (guint i = 0; i < UNIVERSE; i += 25)
    {
      sqx_ranges_drop_below (&set, i);
      memset (has, 0, i);
      check_ranges (&set);
    }
  /* What needs no memory is never refused. */
  g_assert_cmpuint (change (&set, FALSE, 0, UNIVERSE), ==, 0);
  g_assert_cmpuint (change (&set, TRUE, 5, 50), ==, 0);
  refused += change (&set, FALSE, 20, 30);
  g_assert_cmpuint (change (&set, TRUE, 0, UNIVERSE), ==, 0);
  sqx_ranges_clear (&set);
  return refused;
}

/* After reserve, one change cannot fail. */
static guint
reserve_scenario (void)
{
  sqx_ranges set;
  guint refused = 0;

  memset (has, 0, sizeof has);
  sqx_ranges_init (&set);
  for (guint i = 0; i < 60; i++)
    {
      guint from = fail_from, to = fail_to;
      gboolean ok = sqx_ranges_reserve (&set);

      refused += !ok;
      if (!ok)
        continue;
      fail_from = 1;
      fail_to = 0;
      g_assert_cmpuint (change (&set, TRUE, 6 * i, 6 * i + 5), ==, 0);
      fail_from = from;
      fail_to = to;
      ok = sqx_ranges_reserve (&set);
      refused += !ok;
      if (!ok)
        continue;
      fail_from = 1;
      fail_to = 0;
      g_assert_cmpuint (change (&set, FALSE, 6 * i + 2, 6 * i + 3), ==, 0);
      fail_from = from;
      fail_to = to;
    }
  sqx_ranges_clear (&set);
  return refused;
}

/* Index ------------------------------------------------------------------------------- */

static guint8 items[UNIVERSE];

static void
check_index (const sqx_index *index)
{
  gsize live = 0;

  for (guint i = 0; i < UNIVERSE; i++)
    {
      g_assert_true (sqx_index_lookup (index, i) == (has[i] ? &items[i] : NULL));
      live += has[i];
    }
  g_assert_cmpuint (sqx_index_count (index), ==, live);
}

static guint
insert (sqx_index *index,
        guint      number)
{
  gboolean ok = sqx_index_insert (index, number, &items[number]);

  has[number] = ok;
  check_index (index);
  return !ok;
}

static void
take_out (sqx_index *index,
          guint      number)
{
  g_assert_true (sqx_index_remove (index, number) == (has[number] ? &items[number] : NULL));
  has[number] = 0;
  check_index (index);
}

static guint
index_scenario (void)
{
  sqx_index index;
  guint refused = 0;

  memset (has, 0, sizeof has);
  sqx_index_init (&index);
  refused += insert (&index, 0);
  take_out (&index, 0);
  for (guint i = 0; i < 100; i++)
    refused += insert (&index, 2 * i);
  for (guint i = 0; i < 60; i++)
    refused += insert (&index, 199 - 2 * i);
  for (guint i = 0; i < 190; i++)
    take_out (&index, (7 * i) % 200);
  for (guint i = 200; i < 300; i++)
    refused += insert (&index, i);
  for (guint i = 0; i < 300; i++)
    take_out (&index, i);
  g_assert_cmpuint (sqx_index_count (&index), ==, 0);
  refused += insert (&index, 7);
  sqx_index_clear (&index);
  return refused;
}

/* Reassembly -------------------------------------------------------------------------- */

#define MESSAGE_SIZE 60000u
#define PART_SIZE    500u

/* Parts in a scattered order; a refused one comes again later, as on a real path. */
static guint
reassembly_scenario (void)
{
  static guint8 bytes[MESSAGE_SIZE];
  const guint parts = MESSAGE_SIZE / PART_SIZE;
  sqx_reassembly reassembly;
  sqx_reassembly_result result = SQX_REASSEMBLY_ADDED;
  guint refused = 0;

  for (guint i = 0; i < MESSAGE_SIZE; i++)
    bytes[i] = (guint8) (i * 13 + i / 251);
  sqx_reassembly_init (&reassembly, MESSAGE_SIZE);
  for (guint i = 0; result != SQX_REASSEMBLY_WHOLE; i++)
    {
      guint at = i * 37 % parts * PART_SIZE;
      guint64 received = reassembly.received;
      gsize count = reassembly.ranges.count;

      /* Nobody is without memory for ever. */
      if (i == 3 * parts)
        fail_from = 0;
      g_assert_cmpuint (i, <, 5 * parts);
      result = sqx_reassembly_add (&reassembly, at, bytes + at, PART_SIZE, 1000);
      if (result == SQX_REASSEMBLY_NO_MEMORY)
        {
          refused++;
          g_assert_cmpuint (reassembly.received, ==, received);
          g_assert_cmpuint (reassembly.ranges.count, ==, count);
        }
      g_assert_cmpuint (reassembly.capacity, <=, SQX_FRAGMENT_SLACK + 2 * reassembly.received);
    }
  g_assert_cmpmem (reassembly.data, reassembly.capacity, bytes, MESSAGE_SIZE);
  if (refused == 0)
    free (sqx_reassembly_steal (&reassembly));
  sqx_reassembly_clear (&reassembly);
  return refused;
}

static void
test_ranges (void)
{
  run (ranges_scenario);
}

static void
test_reserve (void)
{
  run (reserve_scenario);
}

static void
test_index (void)
{
  run (index_scenario);
}

static void
test_reassembly (void)
{
  run (reassembly_scenario);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/nomem-leaf/ranges", test_ranges);
  g_test_add_func ("/seqex/nomem-leaf/reserve", test_reserve);
  g_test_add_func ("/seqex/nomem-leaf/index", test_index);
  g_test_add_func ("/seqex/nomem-leaf/reassembly", test_reassembly);
  return g_test_run ();
}
