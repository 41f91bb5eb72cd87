/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two sites that are about to meet, for the tests of how peers arrive.
 */
#pragma once

#include <glib.h>

#include "endpoints.h"

typedef struct
{
  World *world;
  Site  *a, *b;
  sqx_endpoint_config config_a, config_b;
} Two;

/* Two sites, whose endpoints are made by open_both(). */
static inline void
set_up (Two          *two,
        gconstpointer data)
{
  two->world = world_new ();
  two->a = site_new (two->world, 1);
  two->b = site_new (two->world, 2);
  site_config_secure (two->a, &two->config_a);
  site_config_secure (two->b, &two->config_b);
}

static inline void
tear_down (Two          *two,
           gconstpointer data)
{
  world_free (two->world);
}

static inline void
open_both (Two *two)
{
  site_open (two->a, &two->config_a);
  site_open (two->b, &two->config_b);
}

static inline const sqx_endpoint_counters *
counters (Site *site)
{
  return sqx_endpoint_counters_get (site->endpoint);
}

/* One exchange each way. */
static inline void
check_talk (World *world,
            Talk  *talk,
            Talk  *other)
{
  guint replies = talk->replies, back = other->replies;

  g_assert_nonnull (talk->conn);
  g_assert_nonnull (other->conn);
  g_assert_cmpint (talk_send (talk, 3000), ==, SQX_OK);
  g_assert_cmpint (talk_send (other, 10), ==, SQX_OK);
  world_run (world, 3 * SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, replies + 1);
  g_assert_cmpuint (other->replies, ==, back + 1);
}
