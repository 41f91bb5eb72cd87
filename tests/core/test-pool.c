/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "sqx-limits.h"
#include "sqx-pool.h"

#define SIZE 48u

static guint8 *
take (sqx_pool *pool)
{
  guint8 *block = sqx_pool_take (pool, SIZE);

  g_assert_nonnull (block);
  for (guint i = 0; i < SIZE; i++)
    g_assert_cmpuint (block[i], ==, 0);
  memset (block, 0xa5, SIZE);
  return block;
}

/* What was given back comes again, the last one first, and zeroed. */
static void
test_again (void)
{
  sqx_pool pool = { 0 };
  guint8 *a = take (&pool), *b = take (&pool);

  g_assert_true (a != b);
  sqx_pool_give (&pool, a);
  sqx_pool_give (&pool, b);
  g_assert_cmpuint (pool.count, ==, 2);
  g_assert_true (take (&pool) == b);
  g_assert_true (take (&pool) == a);
  g_assert_cmpuint (pool.count, ==, 0);
  sqx_pool_give (&pool, a);
  sqx_pool_give (NULL, b);
  g_assert_cmpuint (pool.count, ==, 1);
  sqx_pool_clear (&pool);
  g_assert_cmpuint (pool.count, ==, 0);
  g_assert_null (pool.first);
  sqx_pool_clear (&pool);
}

static void
test_bounded (void)
{
  sqx_pool pool = { 0 };
  guint8 *blocks[SQX_POOL_MAX + 10];

  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    blocks[i] = take (&pool);
  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++)
    sqx_pool_give (&pool, blocks[i]);
  g_assert_cmpuint (pool.count, ==, SQX_POOL_MAX);
  sqx_pool_clear (&pool);
}

static void
test_no_memory (void)
{
  sqx_pool pool = { 0 };
  guint8 *block = take (&pool);

  fail_count = 1;
  g_assert_null (sqx_pool_take (&pool, SIZE));
  /* One that is kept needs none. */
  sqx_pool_give (&pool, block);
  fail_count = 1;
  g_assert_true (take (&pool) == block);
  g_assert_cmpuint (fail_count, ==, 1);
  fail_count = 0;
  sqx_pool_give (NULL, block);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/pool/again", test_again);
  g_test_add_func ("/seqex/pool/bounded", test_bounded);
  g_test_add_func ("/seqex/pool/no-memory", test_no_memory);
  return g_test_run ();
}
