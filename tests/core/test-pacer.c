/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-pacer.h"

#define MS       UINT64_C (1000)
#define DATAGRAM 1472

static void
test_quantum (void)
{
  g_assert_cmpuint (sqx_pacer_quantum (1, DATAGRAM), ==, 2 * DATAGRAM);
  g_assert_cmpuint (sqx_pacer_quantum (12500000, DATAGRAM), ==, 12500);
  g_assert_cmpuint (sqx_pacer_quantum (UINT64_MAX, DATAGRAM), ==, 65536);
  g_assert_cmpuint (sqx_pacer_quantum (12500000, 65507), ==, 2 * 65507);
}

/* What goes out in @span of a sender that always has something, whose timer is @late; how large
 * the largest batch was. */
static guint64
run (guint64  rate,
     guint64  span,
     guint64  late,
     guint64 *largest)
{
  sqx_pacer pacer;
  guint64 now = 1000 * MS, end = now + span, sent = 0, batch = 0;

  sqx_pacer_init (&pacer);
  *largest = 0;
  while (now < end)
    {
      guint64 next = sqx_pacer_next (&pacer, now, rate);

      if (next > now)
        {
          now = next + late;
          *largest = MAX (*largest, batch);
          batch = 0;
          continue;
        }
      sqx_pacer_sent (&pacer, now, rate, DATAGRAM, DATAGRAM);
      sent += DATAGRAM;
      batch += DATAGRAM;
    }
  return sent;
}

static void
test_rate (void)
{
  static const guint64 rates[] = { 20000, 125000, 12500000, 125000000, 1250000000,
                                   UINT64_C (12500000000) };

  for (gsize i = 0; i < G_N_ELEMENTS (rates); i++)
    for (guint64 late = 0; late <= 1500; late += 500)
      {
        guint64 quantum = sqx_pacer_quantum (rates[i], DATAGRAM), largest;
        guint64 sent = run (rates[i], 2 * SQX_SECOND, late, &largest);

        /* A sender that was idle has some credit; a timer that is late loses none of the rate. */
        g_assert_cmpuint (sent, <=, 2 * rates[i] + quantum + DATAGRAM + rates[i] / 333);
        g_assert_cmpuint (sent + quantum + 2 * DATAGRAM, >=, 2 * rates[i]);
        if (late == 0)
          g_assert_cmpuint (largest, <=, quantum + rates[i] / 333 + 2 * DATAGRAM);
      }
}

/* After a pause, what may go out at once is a few milliseconds' worth. */
static void
test_idle (void)
{
  const guint64 rate = 12500000;
  sqx_pacer pacer;
  guint64 now = 1000 * MS, sent = 0;

  sqx_pacer_init (&pacer);
  for (guint pause = 0; pause < 3; pause++)
    {
      now += 5 * SQX_SECOND;
      for (sent = 0; sqx_pacer_next (&pacer, now, rate) <= now; sent += DATAGRAM)
        sqx_pacer_sent (&pacer, now, rate, DATAGRAM, DATAGRAM);
      g_assert_cmpuint (sent, >=, 12500);
      g_assert_cmpuint (sent, <=, 3 * 12500 + 2 * DATAGRAM);
    }
  /* And then a whole batch, not one datagram after the other. */
  now = sqx_pacer_next (&pacer, now, rate);
  for (sent = 0; sqx_pacer_next (&pacer, now, rate) <= now; sent += DATAGRAM)
    sqx_pacer_sent (&pacer, now, rate, DATAGRAM, DATAGRAM);
  g_assert_cmpuint (sent, >=, 12500 - DATAGRAM);
  g_assert_cmpuint (sent, <=, 12500 + 2 * DATAGRAM);
}

static void
test_unpaced (void)
{
  sqx_pacer pacer;

  sqx_pacer_init (&pacer);
  for (guint i = 0; i < 10000; i++)
    {
      g_assert_cmpuint (sqx_pacer_next (&pacer, 5, 0), ==, 5);
      sqx_pacer_sent (&pacer, 5, 0, DATAGRAM, DATAGRAM);
    }
  /* A rate that comes later is not charged with what went before. */
  g_assert_cmpuint (sqx_pacer_next (&pacer, 5, 1000), ==, 5);

  /* One that goes away holds nothing back. */
  for (guint i = 0; i < 100; i++)
    sqx_pacer_sent (&pacer, 5, 1000, DATAGRAM, DATAGRAM);
  g_assert_cmpuint (sqx_pacer_next (&pacer, 5, 1000), >, 5);
  g_assert_cmpuint (sqx_pacer_next (&pacer, 5, 0), ==, 5);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/pacer/quantum", test_quantum);
  g_test_add_func ("/seqex/pacer/rate", test_rate);
  g_test_add_func ("/seqex/pacer/idle", test_idle);
  g_test_add_func ("/seqex/pacer/unpaced", test_unpaced);
  return g_test_run ();
}
