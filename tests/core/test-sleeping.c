/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sessions of one peer that wait for it to come back: not without bound.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MORE 6u

static guint
count_state (GPtrArray *talks,
             sqx_state  state)
{
  guint count = 0;

  for (guint i = 0; i < talks->len; i++)
    {
      Talk *talk = g_ptr_array_index (talks, i);

      count += talk->conn != NULL && sqx_conn_state (talk->conn) == state;
    }
  return count;
}

/* The peer opens connections, and leaves them all: those that it left last are kept. */
static void
test_bounded (Links        *links,
              gconstpointer data)
{
  sqx_config *config = &links->config_b.connection;

  links->config_b.max_half_open = links->config_b.max_half_open_per_host = 1000;
  config->keepalive_always = true;
  links_open (links);
  for (guint i = 0; i < SQX_SLEEPING_PER_KEY + MORE; i++)
    {
      Talk *talk = site_connect (links->a, links->b, NULL);

      world_run (links->world, SQX_SECOND / 10);
      g_assert_cmpint (sqx_conn_state (talk->conn), ==, SQX_STATE_CONNECTED);
      sqx_conn_set_persistent (site_accepted (links->b, i)->conn, links->world->now,
                               3600 * SQX_SECOND);
    }

  links->weather.cut = TRUE;
  world_run (links->world, 2 * SQX_IDLE_DEFAULT);
  g_assert_cmpuint (count_state (links->b->accepted, SQX_STATE_RECONNECTING), ==,
                    SQX_SLEEPING_PER_KEY);
  for (guint i = 0; i < MORE; i++)
    {
      g_assert_true (site_accepted (links->b, i)->closed);
      g_assert_cmpint (site_accepted (links->b, i)->closing.error, ==, SQX_ERR_TIMED_OUT);
    }
}

/* Connections that this side opened are its own affair. */
static void
test_own_are_kept (Links        *links,
                   gconstpointer data)
{
  links->config_b.max_half_open = links->config_b.max_half_open_per_host = 1000;
  links->config_a.connection.keepalive_always = true;
  links_open (links);
  for (guint i = 0; i < SQX_SLEEPING_PER_KEY + MORE; i++)
    {
      Talk *talk = site_connect (links->a, links->b, NULL);

      world_run (links->world, SQX_SECOND / 10);
      sqx_conn_set_persistent (talk->conn, links->world->now, 3600 * SQX_SECOND);
    }

  links->weather.cut = TRUE;
  world_run (links->world, 2 * SQX_IDLE_DEFAULT);
  g_assert_cmpuint (count_state (links->a->talks, SQX_STATE_RECONNECTING), ==,
                    SQX_SLEEPING_PER_KEY + MORE);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/seqex/sleeping/bounded", Links, NULL, links_set_up, test_bounded, links_tear_down);
  g_test_add ("/seqex/sleeping/own-are-kept", Links, NULL, links_set_up, test_own_are_kept,
              links_tear_down);
  return g_test_run ();
}
