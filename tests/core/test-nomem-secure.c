/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encrypted connections when memory runs out: at each allocation in turn of a whole life.
 */
#include "links.h"

#include "fail-alloc.h"
#include "sqx-conn-private.h"

#define MS SQX_MILLISECOND
#define MANY 1000000u

static void
send_some (Links *links)
{
  for (guint i = 0; i < 3; i++)
    {
      links_try_send (links, links->talk, 2000);
      if (links->b->accepted->len > 0)
        links_try_send (links, site_accepted (links->b, 0), 2000);
    }
}

static void
lose_link (Links *links,
           Talk  *talk)
{
  if (talk->conn->secure->linked && talk->conn->secure->ready && !sqx_conn_is_over (talk->conn))
    {
      sqx_conn_link_lost (talk->conn, links->world->now, SQX_ERR_TIMED_OUT);
      sqx_conn_settle (talk->conn, links->world->now);
    }
}

/* Coming up, traffic, new keys, another address, another link from either side. */
static void
live (Links *links)
{
  send_some (links);
  world_run (links->world, SQX_SECOND);
  if (links->b->accepted->len > 0)
    sqx_conn_set_persistent (site_accepted (links->b, 0)->conn, links->world->now, SQX_TIME_NEVER);
  sqx_conn_update_keys (links->talk->conn, links->world->now);
  send_some (links);
  world_run (links->world, SQX_SECOND);
  site_move (links->a, 7, 7);
  send_some (links);
  world_run (links->world, SQX_SECOND);
  lose_link (links, links->talk);
  send_some (links);
  world_run (links->world, 5 * SQX_SECOND);
  if (links->b->accepted->len > 0)
    lose_link (links, site_accepted (links->b, 0));
  send_some (links);
  world_run (links->world, 5 * SQX_SECOND);
}

/* @count allocations fail after @after more; how many there were in all. */
static guint
live_without_memory (Links *links,
                     guint  after,
                     guint  count)
{
  guint used;

  links->resolve = TRUE;
  links_open (links);
  links->talk = site_connect (links->a, links->b, after % 2 == 0 ? links->b : NULL);
  sqx_conn_set_persistent (links->talk->conn, links->world->now, SQX_TIME_NEVER);
  fail_after = after;
  fail_count = count;
  live (links);
  used = after - fail_after;
  fail_count = fail_after = 0;

  /* Whatever became of it, every wait is told when there is memory again. */
  links_answer (links);
  links_finish (links, 100 * SQX_SECOND);
  if (!links->talk->closed)
    {
      Entry *entry = links_send (links, links->talk, 100);

      links_finish (links, 60 * SQX_SECOND);
      g_assert_cmpuint (entry->told, ==, 1);
    }
  site_close (links->a);
  site_close (links->b);
  g_ptr_array_set_size (links->b->accepted, 0);
  g_ptr_array_set_size (links->a->accepted, 0);
  g_ptr_array_set_size (links->entries, 0);
  g_array_set_size (links->held, 0);
  site_move (links->a, 1, 4000);
  world_run (links->world, SQX_SECOND);
  return used;
}

static void
test_each (Links        *links,
           gconstpointer data)
{
  const guint count = GPOINTER_TO_UINT (data);
  guint n = live_without_memory (links, MANY, 1);

  g_assert_cmpuint (n, >, 30);
  for (guint i = 0; i < n; i++)
    {
      g_test_message ("allocation %u", i);
      live_without_memory (links, i, count);
    }
}

/* Connections that cannot be made leave nothing behind. */
static void
test_connect (Links        *links,
              gconstpointer data)
{
  guint failed = 0;

  links_open (links);
  for (guint i = 0;; i++)
    {
      sqx_conn *conn;

      fail_after = i;
      fail_count = 1;
      conn = sqx_endpoint_connect (links->a->endpoint, links->world->now,
                                   &links->config_a.connection, &links->b->address, NULL, links);
      if (fail_count > 0)
        {
          fail_count = 0;
          g_assert_nonnull (conn);
          sqx_conn_free (conn);
          break;
        }
      failed += conn == NULL;
      sqx_conn_free (conn);
      g_assert_cmpuint (sqx_endpoint_n_connections (links->a->endpoint), ==, 0);
    }
  g_assert_cmpuint (failed, >, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/nomem-secure/" name, Links, GUINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("each", 1, test_each);
  ADD ("some", 5, test_each);
  ADD ("connect", 0, test_connect);
  return g_test_run ();
}
