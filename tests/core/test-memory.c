/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What encrypted connections cost while nothing happens.
 */
#include "links.h"

#include "sqx-conn-private.h"

#include <malloc.h>

#define MS SQX_MILLISECOND

/* Of one side's connection. What the library keeps for each key comes on top, and is told. */
#define IDLE_MAX 5120

/* What the core holds. */
static gint64 held;

void *__real_malloc  (size_t size);
void *__real_calloc  (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void  __real_free    (void *block);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);
void  __wrap_free    (void *block);

static void *
count_in (void *block)
{
  held += block ? (gint64) malloc_usable_size (block) : 0;
  return block;
}

static void
count_out (void *block)
{
  held -= block ? (gint64) malloc_usable_size (block) : 0;
}

void *
__wrap_malloc (size_t size)
{
  return count_in (__real_malloc (size));
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  return count_in (__real_calloc (count, size));
}

void *
__wrap_realloc (void  *block,
                size_t size)
{
  count_out (block);
  return count_in (__real_realloc (block, size));
}

void
__wrap_free (void *block)
{
  count_out (block);
  __real_free (block);
}

/* The whole heap, with what libraries hold; 0: not known. */
static gint64
heap (void)
{
#if defined (__GLIBC__) && __GLIBC_PREREQ (2, 33)
  return (gint64) mallinfo2 ().uordblks;
#else
  return 0;
#endif
}

/* Connections that were used, and are idle. */
static void
test_idle (Links        *links,
           gconstpointer data)
{
  const guint n = 200;
  gint64 before, once, idle, all;

  links->config_a.max_half_open_per_host = links->config_b.max_half_open_per_host = n;
  links_open (links);
  links_connect (links, TRUE);
  links_check_works (links);
  world_run (links->world, 60 * SQX_SECOND);
  g_ptr_array_set_size (links->entries, 0);
  before = held;
  all = heap ();
  for (guint i = 0; i < n; i++)
    {
      links_connect (links, TRUE);
      links_persist (links, SQX_TIME_NEVER);
    }
  once = (held - before) / (2 * n);
  for (guint i = 1; i < links->b->accepted->len; i++)
    {
      links->peer = site_accepted (links->b, i);
      links->talk = g_ptr_array_index (links->a->talks, i);
      for (guint j = 0; j < 50; j++)
        links_check_works (links);
    }
  world_run (links->world, 120 * SQX_SECOND);
  g_ptr_array_set_size (links->entries, 0);
  idle = (held - before) / (2 * n);
  all = (heap () - all) / (2 * n);
  g_test_message ("figure: %" G_GINT64_FORMAT " bytes after the handshake, %" G_GINT64_FORMAT
                  " after 100 exchanges, %" G_GINT64_FORMAT " with what libraries and this test "
                  "hold; struct sqx_conn %" G_GSIZE_FORMAT ", sqx_secure %" G_GSIZE_FORMAT,
                  once, idle, all, sizeof (sqx_conn), sizeof (sqx_secure));
  g_assert_cmpint (idle, <=, IDLE_MAX);
  /* Nobody does anything. */
  g_assert_cmpuint (sqx_endpoint_next_timeout (links->a->endpoint), ==, SQX_TIME_NEVER);
  g_assert_cmpuint (sqx_endpoint_next_timeout (links->b->endpoint), ==, SQX_TIME_NEVER);
}

/* Links come and go, and what they held goes with them. */
static void
test_reconnects (Links        *links,
                 gconstpointer data)
{
  gint64 before = 0;

  links_open (links);
  links_connect (links, FALSE);
  links_persist (links, SQX_TIME_NEVER);
  for (guint i = 0; i < 200; i++)
    {
      Talk *talk = i % 2 == 0 ? links->talk : links->peer;

      sqx_conn_link_lost (talk->conn, links->world->now, SQX_ERR_TIMED_OUT);
      sqx_conn_settle (talk->conn, links->world->now);
      links_check_works (links);
      world_run (links->world, 20 * SQX_SECOND);
      if (i == 20)
        before = held;
    }
  g_assert_cmpint (held, <=, before + 1024);
}

/* All is given back at the end. */
static void
test_free (Links        *links,
           gconstpointer data)
{
  gint64 before = held;

  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  site_close (links->a);
  site_close (links->b);
  g_assert_cmpint (held, ==, before);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, func) \
  g_test_add ("/seqex/memory/" name, Links, NULL, links_set_up, func, links_tear_down)
  ADD ("idle", test_idle);
  ADD ("reconnects", test_reconnects);
  ADD ("free", test_free);
  return g_test_run ();
}
