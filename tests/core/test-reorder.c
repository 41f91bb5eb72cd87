/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-reorder.h"

#define MS 1000

static const sqx_rtt path = {
  .sampled = true, .latest = 80 * MS, .min = 70 * MS, .smoothed = 78 * MS,
};

static void
test_delay (void)
{
  sqx_reorder reorder;
  sqx_rtt rtt = path;

  sqx_reorder_init (&reorder);
  g_assert_cmpuint (reorder.packets, ==, 3);
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &rtt), ==, 85 * MS); /* latest is above smoothed */
  rtt.smoothed = 160 * MS;
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &rtt), ==, 170 * MS);
  rtt.smoothed = rtt.latest = 100;
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &rtt), ==, SQX_GRANULARITY);
  rtt.smoothed = rtt.latest = 0;
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &rtt), ==, SQX_GRANULARITY);
}

/* What came too late once would not be too late again. */
static void
test_spurious (void)
{
  for (guint64 late = 0; late < 80; late++)
    {
      sqx_reorder reorder;

      sqx_reorder_init (&reorder);
      sqx_reorder_spurious (&reorder, &path, (1000 + 80 + late) * MS, 1000 * MS, 10);
      g_assert_cmpuint (sqx_reorder_delay (&reorder, &path), >, (80 + late) * MS);
      g_assert_cmpuint (sqx_reorder_delay (&reorder, &path), <=, (80 + late + 5) * MS);
      g_assert_cmpuint (reorder.packets, ==, 11);
    }
}

static void
test_bounds (void)
{
  sqx_reorder reorder;

  sqx_reorder_init (&reorder);
  sqx_reorder_spurious (&reorder, &path, 1000 * SQX_SECOND, 0, UINT64_MAX);
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &path), ==, 160 * MS);
  g_assert_cmpuint (reorder.packets, ==, SQX_PACKET_THRESHOLD_MAX);
  /* An earlier one changes nothing. */
  sqx_reorder_spurious (&reorder, &path, 80 * MS, 0, 4);
  g_assert_cmpuint (sqx_reorder_delay (&reorder, &path), ==, 160 * MS);
  g_assert_cmpuint (reorder.packets, ==, SQX_PACKET_THRESHOLD_MAX);
}

static void
test_forgiven (void)
{
  sqx_reorder reorder;

  sqx_reorder_init (&reorder);
  sqx_reorder_spurious (&reorder, &path, 140 * MS, 0, 39);
  g_assert_cmpuint (reorder.packets, ==, 40);
  for (guint i = 0; i < 15; i++)
    sqx_reorder_episode (&reorder);
  g_assert_cmpuint (reorder.packets, ==, 40);
  sqx_reorder_episode (&reorder);
  g_assert_cmpuint (reorder.packets, ==, 20);
  g_assert_cmpuint (reorder.part, ==, 7);

  /* One that was spurious begins the count anew. */
  for (guint i = 0; i < 15; i++)
    sqx_reorder_episode (&reorder);
  sqx_reorder_spurious (&reorder, &path, 80 * MS, 0, 3);
  sqx_reorder_episode (&reorder);
  g_assert_cmpuint (reorder.packets, ==, 20);

  for (guint i = 0; i < 200; i++)
    sqx_reorder_episode (&reorder);
  g_assert_cmpuint (reorder.packets, ==, 3);
  g_assert_cmpuint (reorder.part, ==, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/reorder/delay", test_delay);
  g_test_add_func ("/seqex/reorder/spurious", test_spurious);
  g_test_add_func ("/seqex/reorder/bounds", test_bounds);
  g_test_add_func ("/seqex/reorder/forgiven", test_forgiven);
  return g_test_run ();
}
