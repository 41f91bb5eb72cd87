/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated link under a virtual clock: exact to the nanosecond.
 */
#include <string.h>

#include "link-way.h"

#define MS G_GUINT64_CONSTANT (1000000)

static LinkWay *
new_way (guint64 seed, const LinkSettings *settings)
{
  LinkWay *way = link_way_new (seed);

  link_way_set (way, 0, settings);
  return way;
}

static const char *
push (LinkWay *way, guint64 now, gsize size, guint32 number)
{
  LinkPacket *packet = link_packet_new (size);

  packet->size = size;
  memset (packet->bytes, 0, size);
  memcpy (packet->bytes, &number, sizeof number);
  return link_way_push (way, now, packet);
}

/* The number of the packet that is delivered next, and when; G_MAXUINT32: none is. */
static guint32
pop (LinkWay *way, guint64 *when)
{
  guint64 due;
  guint32 number;

  while ((due = link_way_next (way)) != LINK_NEVER)
    {
      LinkPacket *packet = link_way_pop (way, due);

      if (packet == NULL)
        continue;
      g_assert_cmpuint (packet->due, ==, due);
      memcpy (&number, packet->bytes, sizeof number);
      if (when != NULL)
        *when = due;
      g_free (packet);
      return number;
    }
  return G_MAXUINT32;
}

static void
test_rate_and_delay (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .rate = 100000000, .delay = 20 * MS,
                                               .queue = G_MAXUINT64 });
  guint64 when;

  for (guint32 i = 0; i < 1000; i++)
    g_assert_cmpstr (push (way, 0, 1250, i), ==, "queued");
  for (guint32 i = 0; i < 1000; i++)
    {
      g_assert_cmpuint (pop (way, &when), ==, i);
      g_assert_cmpuint (when, ==, (i + 1) * 100000 + 20 * MS);
    }
  g_assert_cmpuint (pop (way, NULL), ==, G_MAXUINT32);
  g_assert_cmpuint (link_way_counters (way)->busy, ==, 100 * MS);
  g_assert_cmpuint (link_way_counters (way)->delivered_bytes, ==, 1250000);
  g_assert_cmpuint (link_way_counters (way)->late_max, ==, 0);

  /* After a pause the bottleneck begins when the packet comes. */
  push (way, 500 * MS, 1250, 7);
  g_assert_cmpuint (pop (way, &when), ==, 7);
  g_assert_cmpuint (when, ==, 520 * MS + 100000);
  link_way_free (way);
}

/* Who looks late gets everything late, but the link was as fast as ever. */
static void
test_late (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .rate = 100000000, .queue = 10000 });
  LinkPacket *packet;
  guint count = 0;
  guint64 when;

  for (guint32 i = 0; i < 8; i++)
    g_assert_cmpstr (push (way, 0, 1250, i), ==, "queued");
  /* Nobody has popped, but eight have left the bottleneck. */
  for (guint32 i = 8; i < 16; i++)
    g_assert_cmpstr (push (way, 800000, 1250, i), ==, "queued");
  while ((packet = link_way_pop (way, 1000000)) != NULL)
    {
      g_assert_cmpuint (packet->due, ==, ++count * 100000);
      g_free (packet);
    }
  g_assert_cmpuint (count, ==, 10);
  g_assert_cmpuint (link_way_counters (way)->late_max, ==, 900000);
  g_assert_cmpuint (link_way_counters (way)->late_sum, ==, 4500000);
  pop (way, &when);
  g_assert_cmpuint (when, ==, 1100000);
  link_way_free (way);
}

static void
test_queue (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .rate = 8000000, .queue = 5000 });

  for (guint32 i = 0; i < 10; i++)
    g_assert_cmpstr (push (way, 0, 1000, i), ==, i < 5 ? "queued" : "overflow");
  g_assert_cmpuint (link_way_counters (way)->overflow, ==, 5);
  g_assert_cmpuint (link_way_counters (way)->queue_peak, ==, 5000);
  g_assert_cmpuint (link_way_queued (way, 999999), ==, 5000);
  g_assert_cmpstr (push (way, 999999, 4, 0), ==, "overflow");
  g_assert_cmpuint (link_way_queued (way, 1000000), ==, 4000);
  g_assert_cmpstr (push (way, 1000000, 1000, 5), ==, "queued");
  g_assert_cmpstr (push (way, 1000000, 4, 0), ==, "overflow");
  for (guint32 i = 0; i < 6; i++)
    {
      guint64 when;

      g_assert_cmpuint (pop (way, &when), ==, i);
      g_assert_cmpuint (when, ==, (i + 1) * MS);
    }
  g_assert_cmpuint (link_way_counters (way)->queue_time, ==, (1 + 2 + 3 + 4 + 5 + 5) * MS);
  link_way_free (way);
}

static void
test_loss (void)
{
  const LinkSettings lossy = { .loss = 0.05, .queue = G_MAXUINT64 };
  /* The other dice change nothing of what is lost. */
  const LinkSettings others = { .loss = 0.05, .duplicate = 0.5, .reorder = 0.5, .corrupt = 0.5,
                                .jitter = MS, .hold = MS, .queue = G_MAXUINT64 };
  LinkWay *ways[] = { new_way (7, &lossy), new_way (7, &others), new_way (8, &lossy) };
  guint lost = 0, differ = 0;

  for (guint32 i = 0; i < 100000; i++)
    {
      gboolean first = g_str_equal (push (ways[0], i, 100, i), "lost");

      g_assert_true (first == g_str_equal (push (ways[1], i, 100, i), "lost"));
      differ += first != g_str_equal (push (ways[2], i, 100, i), "lost");
      lost += first;
      for (gsize k = 0; k < G_N_ELEMENTS (ways); k++)
        g_free (link_way_pop (ways[k], i));
    }
  g_test_message ("%u lost", lost);
  /* Seven standard deviations are 483. */
  g_assert_cmpuint (lost, >, 5000 - 483);
  g_assert_cmpuint (lost, <, 5000 + 483);
  g_assert_cmpuint (differ, >, 5000);
  g_assert_cmpuint (link_way_counters (ways[0])->lost, ==, lost);
  for (gsize k = 0; k < G_N_ELEMENTS (ways); k++)
    link_way_free (ways[k]);
}

static void
test_jitter_keeps_order (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .jitter = 10 * MS, .delay = MS,
                                               .queue = G_MAXUINT64 });
  guint64 when, longest = 0;

  for (guint32 i = 0; i < 10000; i++)
    push (way, i * 100000, 100, i);
  for (guint32 i = 0; i < 10000; i++)
    {
      g_assert_cmpuint (pop (way, &when), ==, i);
      g_assert_cmpuint (when, >=, i * 100000 + MS);
      g_assert_cmpuint (when, <=, i * 100000 + 11 * MS);
      longest = MAX (longest, when - i * 100000);
    }
  g_assert_cmpuint (longest, >, 10 * MS);
  link_way_free (way);
}

static void
test_reorder_and_duplicate (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .reorder = 0.1, .duplicate = 0.2, .hold = 5 * MS,
                                               .rate = 1000000000, .queue = G_MAXUINT64 });
  guint8 seen[10000] = { 0 };
  guint32 number, highest = 0;
  guint overtaken = 0, twice = 0;

  for (guint32 i = 0; i < G_N_ELEMENTS (seen); i++)
    push (way, i * 100000, 1000, i);
  while ((number = pop (way, NULL)) != G_MAXUINT32)
    {
      overtaken += number < highest;
      highest = MAX (highest, number);
      twice += ++seen[number] == 2;
    }
  for (guint32 i = 0; i < G_N_ELEMENTS (seen); i++)
    g_assert_cmpuint (seen[i], >=, 1);
  g_test_message ("%u overtaken, %u twice", overtaken, twice);
  /* Of the last few held ones nobody comes later. */
  g_assert_cmpuint (overtaken, <=, link_way_counters (way)->held);
  g_assert_cmpuint (overtaken + 50, >=, link_way_counters (way)->held);
  g_assert_cmpuint (overtaken, >, 790);
  g_assert_cmpuint (overtaken, <, 1210);
  g_assert_cmpuint (twice, ==, link_way_counters (way)->duplicated);
  g_assert_cmpuint (twice, >, 1720);
  g_assert_cmpuint (twice, <, 2280);
  link_way_free (way);
}

static void
test_corrupt (void)
{
  LinkWay *way = new_way (1, &(LinkSettings) { .corrupt = 0.5, .queue = G_MAXUINT64 });
  guint spoiled = 0;

  for (guint32 i = 0; i < 1000; i++)
    {
      LinkPacket *packet;
      guint bits = 0;

      push (way, i, 200, 0);
      packet = link_way_pop (way, i);
      for (gsize k = 0; k < packet->size; k++)
        {
          bits += (guint) __builtin_popcount (packet->bytes[k]);
          g_assert_true (k >= 40 || packet->bytes[k] == 0);
        }
      g_assert_cmpuint (bits, <=, 1);
      spoiled += bits;
      g_free (packet);
    }
  g_assert_cmpuint (spoiled, ==, link_way_counters (way)->corrupted);
  g_assert_cmpuint (spoiled, >, 380);
  g_assert_cmpuint (spoiled, <, 620);
  link_way_free (way);
}

/* The packet in transmission ends as it began; those behind it go by the new rate. */
static void
test_changes (void)
{
  LinkSettings settings = { .rate = 8000000, .delay = 5 * MS, .queue = G_MAXUINT64 };
  LinkWay *way = new_way (1, &settings);
  guint64 when;

  for (guint32 i = 0; i < 4; i++)
    push (way, 0, 1000, i);
  settings.rate = 4000000;
  settings.delay = 9 * MS;
  link_way_set (way, 1500000, &settings);
  g_assert_cmpuint (pop (way, &when), ==, 0);
  g_assert_cmpuint (when, ==, 6 * MS);
  g_assert_cmpuint (pop (way, &when), ==, 1);
  g_assert_cmpuint (when, ==, 11 * MS);
  g_assert_cmpuint (pop (way, &when), ==, 2);
  g_assert_cmpuint (when, ==, 13 * MS);

  settings.cut = TRUE;
  link_way_set (way, 20 * MS, &settings);
  g_assert_cmpstr (push (way, 20 * MS, 1000, 9), ==, "lost");
  /* What was on its way arrives. */
  g_assert_cmpuint (pop (way, NULL), ==, 3);
  g_assert_cmpuint (pop (way, NULL), ==, G_MAXUINT32);
  link_way_free (way);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link-way/rate-and-delay", test_rate_and_delay);
  g_test_add_func ("/link-way/late", test_late);
  g_test_add_func ("/link-way/queue", test_queue);
  g_test_add_func ("/link-way/loss", test_loss);
  g_test_add_func ("/link-way/jitter", test_jitter_keeps_order);
  g_test_add_func ("/link-way/reorder-and-duplicate", test_reorder_and_duplicate);
  g_test_add_func ("/link-way/corrupt", test_corrupt);
  g_test_add_func ("/link-way/changes", test_changes);
  return g_test_run ();
}
