/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-cc.h"

#define DATAGRAM 1200

static void
acked (sqx_cc  *cc,
       guint64  now,
       guint64  sent,
       guint64  bytes,
       gboolean limited)
{
  const sqx_sent_packet packet = { .time = sent, .size = bytes & 0xffff, .limited = limited & 1 };

  sqx_newreno.acked (cc, now, 0, &packet);
}

static void
lost (sqx_cc  *cc,
      guint64  now,
      guint64  sent)
{
  sqx_newreno.lost (cc, now, 0, &(sqx_sent_packet) { .time = sent, .size = DATAGRAM },
                    &(sqx_rate) { 0 });
}

static void
test_initial (void)
{
  static const struct { guint64 datagram, window; } cases[] = {
    { 576, 5760 },
    { 1200, 12000 },
    { 1472, 14720 },
    { 1500, 14720 },
    { 9000, 36000 },       /* twice is less than the floor of four */
    { 65507, 4 * 65507 },
  };

  g_assert_cmpstr (sqx_newreno.name, ==, "newreno");
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_cc cc;

      sqx_cc_init (&cc, &sqx_newreno, cases[i].datagram, 0);
      g_assert_cmpuint (cc.window, ==, cases[i].window);
      g_assert_cmpuint (cc.floor, ==, 4 * cases[i].datagram);
      g_assert_cmpuint (cc.newreno.threshold, ==, G_MAXUINT64);
    }
}

static void
test_slow_start (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  for (int round = 0; round < 5; round++)
    {
      guint64 window = cc.window;

      for (guint64 bytes = 0; bytes < window; bytes += DATAGRAM)
        acked (&cc, 100 * round + 100, 100 * round, DATAGRAM, false);
      g_assert_cmpuint (cc.window, ==, 2 * window);
    }
}

static void
test_limited (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  acked (&cc, 200, 100, DATAGRAM, true);
  g_assert_cmpuint (cc.window, ==, 12000);

  cc.newreno.threshold = 12000;
  for (int i = 0; i < 100; i++)
    acked (&cc, 200, 100, DATAGRAM, true);
  g_assert_cmpuint (cc.window, ==, 12000);
  g_assert_cmpuint (cc.newreno.acked, ==, 0);
}

static void
test_recovery (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  cc.window = 48000;

  lost (&cc, 1000, 900);
  g_assert_cmpuint (cc.window, ==, 24000);
  g_assert_cmpuint (cc.newreno.threshold, ==, 24000);

  /* Once a round trip: what was sent up to the reaction neither shrinks nor grows the window. */
  lost (&cc, 1010, 950);
  lost (&cc, 1020, 1000);
  g_assert_cmpuint (cc.window, ==, 24000);
  acked (&cc, 1030, 1000, 30000, false);
  g_assert_cmpuint (cc.window, ==, 24000);
  g_assert_cmpuint (cc.newreno.acked, ==, 0);

  /* Later packets end it. */
  acked (&cc, 1100, 1001, 24000, false);
  g_assert_cmpuint (cc.window, ==, 25200);
  lost (&cc, 1200, 1001);
  g_assert_cmpuint (cc.window, ==, 12600);

  /* A packet lost at time 0 is a loss as any other. */
  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  lost (&cc, 0, 0);
  g_assert_cmpuint (cc.window, ==, 6000);
  lost (&cc, 0, 0);
  g_assert_cmpuint (cc.window, ==, 6000);
}

static void
test_avoidance (void)
{
  sqx_cc cc;
  guint64 now = 1000;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  cc.window = 48000;
  lost (&cc, now, 900);
  g_assert_cmpuint (cc.window, ==, 24000);

  /* One datagram more a window, to the byte. */
  for (guint64 window = 24000; window < 60000; window += DATAGRAM)
    {
      g_assert_cmpuint (cc.newreno.acked, ==, 0);
      for (guint64 bytes = 0; bytes < window; bytes += DATAGRAM)
        {
          g_assert_cmpuint (cc.window, ==, window);
          acked (&cc, now + 100, now + 1, DATAGRAM, false);
        }
      g_assert_cmpuint (cc.window, ==, window + DATAGRAM);
    }

  /* What is left over counts towards the next. */
  acked (&cc, now + 100, now + 1, 60500, false);
  g_assert_cmpuint (cc.window, ==, 61200);
  g_assert_cmpuint (cc.newreno.acked, ==, 500);
  lost (&cc, now + 300, now + 200);
  g_assert_cmpuint (cc.newreno.acked, ==, 0);
}

static void
test_threshold_is_crossed_once (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  cc.newreno.threshold = 12600;
  acked (&cc, 10, 5, DATAGRAM, false);
  g_assert_cmpuint (cc.window, ==, 13200);
  acked (&cc, 10, 5, DATAGRAM, false);
  g_assert_cmpuint (cc.window, ==, 13200);
  g_assert_cmpuint (cc.newreno.acked, ==, DATAGRAM);
}

static void
test_floor (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  for (guint64 now = 1000; now < 10000; now += 1000)
    {
      lost (&cc, now, now);
      g_assert_cmpuint (cc.window, >=, 4 * DATAGRAM);
      lost (&cc, now + 500, now + 500);
    }
  g_assert_cmpuint (cc.window, ==, 4 * DATAGRAM);
}

static void
test_persistent (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  cc.window = 100 * DATAGRAM;
  lost (&cc, 1000, 900);
  cc.newreno.acked = 77;
  sqx_newreno.persistent (&cc);
  g_assert_cmpuint (cc.window, ==, 4 * DATAGRAM);
  g_assert_cmpuint (cc.newreno.threshold, ==, 50 * DATAGRAM);
  g_assert_cmpuint (cc.newreno.acked, ==, 0);

  /* Slow start begins at once, with packets that were sent before as well. */
  acked (&cc, 1100, 950, DATAGRAM, false);
  g_assert_cmpuint (cc.window, ==, 5 * DATAGRAM);
}

static void
test_lan_floor (void)
{
  sqx_cc cc;

  sqx_cc_init (&cc, &sqx_newreno, DATAGRAM, 0);
  sqx_cc_set_floor (&cc, SQX_LAN_RTT);
  g_assert_cmpuint (cc.floor, ==, 4 * DATAGRAM);
  g_assert_cmpuint (cc.window, ==, 10 * DATAGRAM);

  sqx_cc_set_floor (&cc, SQX_LAN_RTT - 1);
  g_assert_cmpuint (cc.floor, ==, 262144);
  g_assert_cmpuint (cc.window, ==, 262144);
  lost (&cc, 1000, 900);
  g_assert_cmpuint (cc.window, ==, 262144);
  sqx_newreno.persistent (&cc);
  g_assert_cmpuint (cc.window, ==, 262144);

  /* Unknown again (the path changed): the floor falls, the window stays until a loss. */
  sqx_cc_set_floor (&cc, 0);
  g_assert_cmpuint (cc.floor, ==, 4 * DATAGRAM);
  g_assert_cmpuint (cc.window, ==, 262144);
  lost (&cc, 3000, 2900);
  g_assert_cmpuint (cc.window, ==, 131072);

  /* Four datagrams of the largest size are a little less than the floor of a LAN, so it rules. */
  sqx_cc_init (&cc, &sqx_newreno, SQX_DATAGRAM_MAX, 0);
  sqx_cc_set_floor (&cc, 1);
  g_assert_cmpuint (cc.floor, ==, 262144);
  cc.datagram = 70000;
  sqx_cc_set_floor (&cc, 1);
  g_assert_cmpuint (cc.floor, ==, 280000);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/newreno/initial", test_initial);
  g_test_add_func ("/seqex/newreno/slow-start", test_slow_start);
  g_test_add_func ("/seqex/newreno/limited", test_limited);
  g_test_add_func ("/seqex/newreno/recovery", test_recovery);
  g_test_add_func ("/seqex/newreno/avoidance", test_avoidance);
  g_test_add_func ("/seqex/newreno/threshold", test_threshold_is_crossed_once);
  g_test_add_func ("/seqex/newreno/floor", test_floor);
  g_test_add_func ("/seqex/newreno/persistent", test_persistent);
  g_test_add_func ("/seqex/newreno/lan-floor", test_lan_floor);
  return g_test_run ();
}
