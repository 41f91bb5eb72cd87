/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "sqx-heap.h"
#include "sqx.h"

static void
check (const sqx_heap *heap)
{
  for (gsize i = 0; i < heap->count; i++)
    {
      g_assert_cmpuint (heap->slots[i].node->place, ==, i);
      g_assert_cmpuint (heap->slots[i].at, ==, heap->slots[i].node->at);
      g_assert_cmpuint (heap->slots[i].at, !=, SQX_TIME_NEVER);
      if (i > 0)
        g_assert_cmpuint (heap->slots[(i - 1) / 4].at, <=, heap->slots[i].at);
    }
}

static void
test_empty (void)
{
  sqx_heap heap;
  sqx_heap_node node = { 0, SQX_HEAP_NOWHERE };

  sqx_heap_init (&heap);
  g_assert_null (sqx_heap_first (&heap));
  /* What never happens needs no room. */
  sqx_heap_set (&heap, &node, SQX_TIME_NEVER);
  g_assert_null (sqx_heap_first (&heap));
  g_assert_cmpuint (node.place, ==, SQX_HEAP_NOWHERE);
  sqx_heap_clear (&heap);
}

static void
test_order (void)
{
  sqx_heap heap;
  sqx_heap_node nodes[20];

  sqx_heap_init (&heap);
  g_assert_true (sqx_heap_reserve (&heap, 20));
  for (guint i = 0; i < 20; i++)
    {
      nodes[i].place = SQX_HEAP_NOWHERE;
      sqx_heap_set (&heap, &nodes[i], 100 + (i * 7) % 20);
      check (&heap);
    }
  for (guint i = 0; i < 20; i++)
    {
      sqx_heap_node *first = sqx_heap_first (&heap);

      g_assert_cmpuint (first->at, ==, 100 + i);
      sqx_heap_set (&heap, first, SQX_TIME_NEVER);
      g_assert_cmpuint (first->place, ==, SQX_HEAP_NOWHERE);
      check (&heap);
    }
  g_assert_null (sqx_heap_first (&heap));
  sqx_heap_clear (&heap);
}

static void
test_random (void)
{
  sqx_heap heap;
  sqx_heap_node nodes[500];

  sqx_heap_init (&heap);
  g_assert_true (sqx_heap_reserve (&heap, 500));
  for (guint i = 0; i < 500; i++)
    nodes[i] = (sqx_heap_node) { SQX_TIME_NEVER, SQX_HEAP_NOWHERE };
  for (guint step = 0; step < 20000; step++)
    {
      guint64 soonest = SQX_TIME_NEVER;
      gsize count = 0;
      guint64 at = g_test_rand_int_range (0, 4) == 0 ? SQX_TIME_NEVER
                                                     : (guint64) g_test_rand_int_range (0, 1000);

      sqx_heap_set (&heap, &nodes[g_test_rand_int_range (0, 500)], at);
      for (guint i = 0; i < 500; i++)
        {
          g_assert_true ((nodes[i].place == SQX_HEAP_NOWHERE) == (nodes[i].at == SQX_TIME_NEVER));
          soonest = MIN (soonest, nodes[i].at);
          count += nodes[i].at != SQX_TIME_NEVER;
        }
      g_assert_cmpuint (heap.count, ==, count);
      g_assert_cmpuint (sqx_heap_first (&heap) ? sqx_heap_first (&heap)->at : SQX_TIME_NEVER,
                        ==, soonest);
      if (step % 64 == 0)
        check (&heap);
    }
  sqx_heap_clear (&heap);
}

static void
test_reserve (void)
{
  sqx_heap heap;
  sqx_heap_node node = { 0, SQX_HEAP_NOWHERE };

  sqx_heap_init (&heap);
  fail_count = 1;
  g_assert_false (sqx_heap_reserve (&heap, 1));
  g_assert_true (sqx_heap_reserve (&heap, 1));
  g_assert_cmpuint (heap.capacity, >=, 1);
  sqx_heap_set (&heap, &node, 5);
  fail_count = 1;
  g_assert_false (sqx_heap_reserve (&heap, heap.capacity + 1));
  g_assert_true (sqx_heap_first (&heap) == &node);
  g_assert_true (sqx_heap_reserve (&heap, 1000));
  g_assert_cmpuint (heap.capacity, >=, 1000);
  g_assert_cmpuint (heap.capacity, <, 2000);
  g_assert_true (sqx_heap_first (&heap) == &node);
  g_assert_false (sqx_heap_reserve (&heap, SIZE_MAX));
  sqx_heap_clear (&heap);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/heap/empty", test_empty);
  g_test_add_func ("/seqex/heap/order", test_order);
  g_test_add_func ("/seqex/heap/random", test_random);
  g_test_add_func ("/seqex/heap/reserve", test_reserve);
  return g_test_run ();
}
