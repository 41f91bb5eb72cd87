/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-credit.h"

#define LARGEST UINT64_C (16384)
#define COST    (LARGEST + SQX_MESSAGE_OVERHEAD)
#define WINDOW  (UINT64_C (4) * COST)
#define UNITS   UINT64_C (16)
#define DELAY   (25 * SQX_MILLISECOND)

static void
set_up (sqx_credit *credit)
{
  sqx_credit_init (credit, LARGEST, WINDOW, WINDOW, UNITS, DELAY);
}

/* Sending ------------------------------------------------------------------------------ */

static void
test_early_exchanges (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < SQX_EARLY_EXCHANGES; i++)
    {
      g_assert_true (sqx_credit_may_begin (&credit, SQX_MESSAGE_OVERHEAD, false));
      sqx_credit_begin (&credit, SQX_MESSAGE_OVERHEAD, false);
    }
  g_assert_false (sqx_credit_may_begin (&credit, SQX_MESSAGE_OVERHEAD, false));
  /* A reply takes no unit. */
  g_assert_true (sqx_credit_may_begin (&credit, SQX_MESSAGE_OVERHEAD, true));
}

/* No reserve is kept before HELLO: the last byte can be used. */
static void
test_early_bytes (void)
{
  sqx_credit credit;

  set_up (&credit);
  g_assert_true (sqx_credit_may_begin (&credit, SQX_EARLY_BYTES, false));
  g_assert_false (sqx_credit_may_begin (&credit, SQX_EARLY_BYTES + 1, false));
  sqx_credit_begin (&credit, 1000, false);
  g_assert_true (sqx_credit_may_begin (&credit, SQX_EARLY_BYTES - 1000, false));
  g_assert_false (sqx_credit_may_begin (&credit, SQX_EARLY_BYTES - 999, false));
  g_assert_false (sqx_credit_may_begin (&credit, SQX_EARLY_BYTES - 999, true));
}

/* An initial message leaves the cost of a largest one free, a reply need not. */
static void
test_reserve (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_peer_known (&credit, LARGEST, 2 * COST, 5);
  g_assert_true (sqx_credit_may_begin (&credit, COST, false));
  g_assert_false (sqx_credit_may_begin (&credit, COST + 1, false));
  g_assert_true (sqx_credit_may_begin (&credit, 2 * COST, true));
  g_assert_false (sqx_credit_may_begin (&credit, 2 * COST + 1, true));

  sqx_credit_begin (&credit, COST, false);
  g_assert_false (sqx_credit_may_begin (&credit, SQX_MESSAGE_OVERHEAD, false));
  g_assert_true (sqx_credit_may_begin (&credit, COST, true));
  sqx_credit_begin (&credit, COST, true);
  g_assert_false (sqx_credit_may_begin (&credit, 1, true));
}

static void
test_units (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_peer_known (&credit, LARGEST, 100 * COST, 2);
  sqx_credit_begin (&credit, 100, false);
  g_assert_true (sqx_credit_may_begin (&credit, 100, false));
  sqx_credit_begin (&credit, 100, true);
  g_assert_true (sqx_credit_may_begin (&credit, 100, false));
  sqx_credit_begin (&credit, 100, false);
  g_assert_false (sqx_credit_may_begin (&credit, 100, false));
  g_assert_true (sqx_credit_may_begin (&credit, 100, true));
  g_assert_true (sqx_credit_peer_grants (&credit, 0, 3));
  g_assert_true (sqx_credit_may_begin (&credit, 100, false));
}

/* What was begun early counts, also if it is more than HELLO then allows. */
static void
test_early_counts (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < 10; i++)
    sqx_credit_begin (&credit, 1000, false);
  sqx_credit_peer_known (&credit, 500, 9000, 4);
  g_assert_false (sqx_credit_may_begin (&credit, 64, true));
  g_assert_false (sqx_credit_may_begin (&credit, 64, false));
  sqx_credit_peer_grants (&credit, 10000, 11);
  g_assert_false (sqx_credit_may_begin (&credit, 1, true));
  sqx_credit_peer_grants (&credit, 10064, 11);
  g_assert_true (sqx_credit_may_begin (&credit, 64, true));
  sqx_credit_peer_grants (&credit, 10064 + 564, 11);
  g_assert_true (sqx_credit_may_begin (&credit, 64, false));
  g_assert_false (sqx_credit_may_begin (&credit, 65, false));
}

static void
test_older_grants (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_peer_known (&credit, LARGEST, 1000, 10);
  g_assert_false (sqx_credit_peer_grants (&credit, 1000, 10));
  g_assert_false (sqx_credit_peer_grants (&credit, 999, 9));
  g_assert_true (sqx_credit_peer_grants (&credit, 1001, 9));
  g_assert_true (sqx_credit_peer_grants (&credit, 0, 11));
  g_assert_cmpuint (credit.bytes_limit, ==, 1001);
  g_assert_cmpuint (credit.exchanges_limit, ==, 11);
}

/* Receiving ---------------------------------------------------------------------------- */

static void
test_seen_bytes (void)
{
  sqx_credit credit;

  set_up (&credit);
  g_assert_true (sqx_credit_seen (&credit, 0, WINDOW - 10, true));
  g_assert_false (sqx_credit_seen (&credit, 0, 11, true));
  g_assert_cmpuint (credit.bytes_seen, ==, WINDOW - 10);
  g_assert_true (sqx_credit_seen (&credit, 0, 10, false));
  g_assert_false (sqx_credit_seen (&credit, 0, 1, true));

  /* What was returned counts once the peer was told. */
  sqx_credit_return_bytes (&credit, 0, 500, 0);
  g_assert_false (sqx_credit_seen (&credit, 0, 500, true));
  sqx_credit_sent (&credit);
  g_assert_false (sqx_credit_seen (&credit, 0, 501, true));
  g_assert_true (sqx_credit_seen (&credit, 0, 500, true));
}

static void
test_seen_units (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < UNITS; i++)
    g_assert_true (sqx_credit_seen (&credit, 0, 64, false));
  g_assert_false (sqx_credit_seen (&credit, 0, 64, false));
  g_assert_cmpuint (credit.exchanges_seen, ==, UNITS);
  g_assert_cmpuint (credit.bytes_seen, ==, UNITS * 64);
  g_assert_true (sqx_credit_seen (&credit, 0, 64, true));
  g_assert_cmpuint (credit.exchanges_seen, ==, UNITS);

  sqx_credit_return_exchange (&credit, 0);
  g_assert_false (sqx_credit_seen (&credit, 0, 64, false));
  sqx_credit_sent (&credit);
  g_assert_true (sqx_credit_seen (&credit, 0, 64, false));
}

/* The peer may begin early what it does not know to be too much. */
static void
test_seen_early_units (void)
{
  sqx_credit credit;

  sqx_credit_init (&credit, LARGEST, WINDOW, WINDOW, 1, DELAY);
  for (guint i = 0; i < SQX_EARLY_EXCHANGES; i++)
    g_assert_true (sqx_credit_seen (&credit, 0, 64, false));
  g_assert_false (sqx_credit_seen (&credit, 0, 64, false));
}

/* CREDIT rides from an eighth of the window on, and goes out alone from a quarter on. */
static void
test_due_by_bytes (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_seen (&credit, 0, WINDOW / 2, true);
  sqx_credit_return_bytes (&credit, 0, WINDOW / 8 - 1, 0);
  g_assert_false (sqx_credit_worth (&credit));
  sqx_credit_return_bytes (&credit, 0, 1, 0);
  g_assert_true (sqx_credit_worth (&credit));
  sqx_credit_return_bytes (&credit, 0, WINDOW / 8 - 1, 0);
  g_assert_false (sqx_credit_due (&credit, SQX_TIME_NEVER - 1));
  sqx_credit_return_bytes (&credit, 0, 1, 0);
  g_assert_true (sqx_credit_due (&credit, 0));
}

static void
test_due_by_units (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < UNITS / 2; i++)
    sqx_credit_seen (&credit, 0, 64, false);
  sqx_credit_return_exchange (&credit, 0);
  g_assert_false (sqx_credit_worth (&credit));
  sqx_credit_return_exchange (&credit, 0);
  g_assert_true (sqx_credit_worth (&credit));
  sqx_credit_return_exchange (&credit, 0);
  g_assert_false (sqx_credit_due (&credit, 0));
  sqx_credit_return_exchange (&credit, 0);
  g_assert_true (sqx_credit_due (&credit, 0));
}

/* A window of one unit has no quarter. */
static void
test_due_single_unit (void)
{
  sqx_credit credit;

  sqx_credit_init (&credit, LARGEST, WINDOW, WINDOW, 1, DELAY);
  sqx_credit_seen (&credit, 0, 64, false);
  g_assert_false (sqx_credit_due (&credit, 0));
  sqx_credit_return_exchange (&credit, 0);
  g_assert_true (sqx_credit_due (&credit, 0));
}

/* Less than a quarter waits for a packet, but not for ever if the peer may lack it. */
static void
test_deadline_bytes (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_seen (&credit, 1000, WINDOW - 2 * COST, true);
  sqx_credit_return_bytes (&credit, 1000, 10, 0);
  g_assert_cmpuint (credit.deadline, ==, SQX_TIME_NEVER);
  g_assert_false (sqx_credit_worth (&credit));
  sqx_credit_seen (&credit, 2000, 1, true);
  g_assert_cmpuint (credit.deadline, ==, 2000 + DELAY);
  g_assert_true (sqx_credit_worth (&credit));

  /* What comes later does not put it off. */
  sqx_credit_return_bytes (&credit, 9000, 10, 0);
  g_assert_cmpuint (credit.deadline, ==, 2000 + DELAY);
  g_assert_false (sqx_credit_due (&credit, 2000 + DELAY - 1));
  g_assert_true (sqx_credit_due (&credit, 2000 + DELAY));
  sqx_credit_sent (&credit);
  g_assert_cmpuint (credit.deadline, ==, SQX_TIME_NEVER);
}

static void
test_deadline_units (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < UNITS - 1; i++)
    sqx_credit_seen (&credit, 0, 64, false);
  sqx_credit_return_exchange (&credit, 3000);
  g_assert_cmpuint (credit.deadline, ==, SQX_TIME_NEVER);
  sqx_credit_seen (&credit, 4000, 64, false);
  g_assert_cmpuint (credit.deadline, ==, 4000 + SQX_CREDIT_DELAY_SHORT);
  sqx_credit_return_exchange (&credit, 4500);
  g_assert_cmpuint (credit.deadline, ==, 4000 + SQX_CREDIT_DELAY_SHORT);

  /* Also if bytes were in less of a hurry; never later than the delay. */
  credit.deadline = 9000;
  sqx_credit_seen (&credit, 4600, 0, true);
  g_assert_cmpuint (credit.deadline, ==, 4600 + SQX_CREDIT_DELAY_SHORT);
  credit.deadline = SQX_TIME_NEVER;
  credit.delay = 100;
  sqx_credit_seen (&credit, 4700, 0, true);
  g_assert_cmpuint (credit.deadline, ==, 4800);
}

/* Nothing to tell is no reason to tell it, however little the peer has. */
static void
test_nothing_to_tell (void)
{
  sqx_credit credit;

  set_up (&credit);
  for (guint i = 0; i < UNITS; i++)
    sqx_credit_seen (&credit, 0, WINDOW / UNITS, false);
  g_assert_cmpuint (credit.deadline, ==, SQX_TIME_NEVER);
  g_assert_false (sqx_credit_worth (&credit));
  g_assert_false (sqx_credit_due (&credit, SQX_TIME_NEVER - 1));
}

static void
test_sent (void)
{
  sqx_credit credit;

  set_up (&credit);
  g_assert_cmpuint (sqx_credit_bytes (&credit), ==, WINDOW);
  g_assert_cmpuint (sqx_credit_exchanges (&credit), ==, UNITS);
  sqx_credit_seen (&credit, 0, 2 * COST, false);
  sqx_credit_return_bytes (&credit, 0, 2 * COST, 0);
  sqx_credit_return_exchange (&credit, 0);
  g_assert_cmpuint (sqx_credit_bytes (&credit), ==, WINDOW + 2 * COST);
  g_assert_cmpuint (sqx_credit_exchanges (&credit), ==, UNITS + 1);
  g_assert_true (sqx_credit_due (&credit, 0));
  g_assert_cmpuint (sqx_credit_sent (&credit), ==, 1);
  g_assert_false (sqx_credit_due (&credit, 0));
  g_assert_false (sqx_credit_worth (&credit));
  g_assert_cmpuint (credit.bytes_told, ==, WINDOW + 2 * COST);
  g_assert_cmpuint (credit.exchanges_told, ==, UNITS + 1);
  g_assert_cmpuint (sqx_credit_sent (&credit), ==, 2);
}

/* Only the newest is sent again. */
static void
test_lost (void)
{
  sqx_credit credit;

  set_up (&credit);
  sqx_credit_sent (&credit);
  sqx_credit_sent (&credit);
  sqx_credit_was_lost (&credit, 1);
  g_assert_false (sqx_credit_due (&credit, 0));
  g_assert_false (sqx_credit_worth (&credit));
  sqx_credit_was_lost (&credit, 2);
  g_assert_true (sqx_credit_due (&credit, 0));
  g_assert_true (sqx_credit_worth (&credit));
  g_assert_cmpuint (sqx_credit_sent (&credit), ==, 3);
  g_assert_false (sqx_credit_due (&credit, 0));
}

/* The window --------------------------------------------------------------------------- */

/* Half a window, seen and returned. */
static void
return_half (sqx_credit *credit,
             uint64_t    now,
             uint64_t    rtt)
{
  uint64_t half = credit->window / 2;

  g_assert_true (sqx_credit_seen (credit, now, half, true));
  sqx_credit_return_bytes (credit, now, half - 1, rtt);
  sqx_credit_return_bytes (credit, now, 1, rtt);
  sqx_credit_sent (credit);
}

static void
test_window_grows (void)
{
  const uint64_t rtt = 1000;
  sqx_credit credit;

  sqx_credit_init (&credit, LARGEST, WINDOW, 3 * WINDOW, UNITS, DELAY);
  return_half (&credit, 2 * rtt, rtt);
  g_assert_cmpuint (credit.window, ==, 2 * WINDOW);
  g_assert_cmpuint (sqx_credit_bytes (&credit), ==, 2 * WINDOW + WINDOW / 2);
  /* Two round trips are still fast enough, a moment more is not. */
  return_half (&credit, 4 * rtt + 1, rtt);
  g_assert_cmpuint (credit.window, ==, 2 * WINDOW);
  return_half (&credit, 6 * rtt + 1, rtt);
  g_assert_cmpuint (credit.window, ==, 3 * WINDOW);
  return_half (&credit, 6 * rtt + 2, rtt);
  g_assert_cmpuint (credit.window, ==, 3 * WINDOW);
}

static void
test_window_unknown_rtt (void)
{
  sqx_credit credit;

  sqx_credit_init (&credit, LARGEST, WINDOW, 4 * WINDOW, UNITS, DELAY);
  return_half (&credit, 0, 0);
  return_half (&credit, 0, 0);
  g_assert_cmpuint (credit.window, ==, WINDOW);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/credit/early-exchanges", test_early_exchanges);
  g_test_add_func ("/seqex/credit/early-bytes", test_early_bytes);
  g_test_add_func ("/seqex/credit/reserve", test_reserve);
  g_test_add_func ("/seqex/credit/units", test_units);
  g_test_add_func ("/seqex/credit/early-counts", test_early_counts);
  g_test_add_func ("/seqex/credit/older-grants", test_older_grants);
  g_test_add_func ("/seqex/credit/seen-bytes", test_seen_bytes);
  g_test_add_func ("/seqex/credit/seen-units", test_seen_units);
  g_test_add_func ("/seqex/credit/seen-early-units", test_seen_early_units);
  g_test_add_func ("/seqex/credit/due-by-bytes", test_due_by_bytes);
  g_test_add_func ("/seqex/credit/due-by-units", test_due_by_units);
  g_test_add_func ("/seqex/credit/due-single-unit", test_due_single_unit);
  g_test_add_func ("/seqex/credit/deadline-bytes", test_deadline_bytes);
  g_test_add_func ("/seqex/credit/deadline-units", test_deadline_units);
  g_test_add_func ("/seqex/credit/nothing-to-tell", test_nothing_to_tell);
  g_test_add_func ("/seqex/credit/sent", test_sent);
  g_test_add_func ("/seqex/credit/lost", test_lost);
  g_test_add_func ("/seqex/credit/window-grows", test_window_grows);
  g_test_add_func ("/seqex/credit/window-unknown-rtt", test_window_unknown_rtt);
  return g_test_run ();
}
