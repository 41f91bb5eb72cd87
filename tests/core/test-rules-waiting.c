/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rule 8 of the exchange rules, when more is submitted than there are units of exchange credit: what
 * gives units back does not wait for company.
 */
#include "pair.h"

#define UNITS   16u
#define WINDOWS 10u
#define LATENCY 100u /* microseconds, one way */

/* B grants @units exchanges and takes what comes by @handler. */
static Pair *
small_peer (guint units, PairHandler handler)
{
  sqx_config config;
  Pair *pair;

  pair_config (&config, PAIR_B);
  config.exchange_credit = units;
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  pair->side[PAIR_B].handler = handler;
  pair->latency[PAIR_A] = pair->latency[PAIR_B] = LATENCY;
  return pair;
}

/* Sends @count messages; returns how long it took until all were answered. */
static uint64_t
time_of (Pair *pair, guint count, uint32_t flags)
{
  uint64_t start = pair->now;

  for (guint i = 0; i < count; i++)
    pair_send (pair, PAIR_A, "question", flags);
  pair_drive_until (pair, 60 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  g_test_message ("%" G_GUINT64_FORMAT " us", pair->now - start);
  return pair->now - start;
}

/* A reply's END gives its unit back. */
static void
test_replies (void)
{
  g_autoptr (Pair) pair = small_peer (UNITS, pair_echo);

  g_assert_cmpuint (time_of (pair, WINDOWS * UNITS, 0), <, SQX_ACK_DELAY_DEFAULT);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* B ends what awaits no reply; the acknowledgement of that gives its unit back. */
static void
test_final (void)
{
  g_autoptr (Pair) pair = small_peer (1, NULL);

  g_assert_cmpuint (time_of (pair, WINDOWS, SQX_MESSAGE_FINAL), <, SQX_ACK_DELAY_DEFAULT);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* A answers each reply; B ends that, and the acknowledgement of its END gives the unit back. */
static void
answer_once_more (Pair *pair, guint side, const PairMessage *message)
{
  (void) pair_reply (pair, side, message, "answer", 0);
}

static void
test_chains (void)
{
  g_autoptr (Pair) pair = small_peer (UNITS, answer_once_more);
  PairSide *a = &pair->side[PAIR_A];
  uint64_t start = pair->now;
  guint answered = 0;

  for (guint i = 0; i < WINDOWS * UNITS; i++)
    pair_send (pair, PAIR_A, "question", 0);
  while (answered < WINDOWS * UNITS)
    {
      g_assert_true (pair_step (pair));
      for (; answered < a->replies->len; answered++)
        pair_reply (pair, PAIR_A, g_ptr_array_index (a->replies, answered), "last",
                    SQX_MESSAGE_FINAL);
    }
  g_test_message ("%" G_GUINT64_FORMAT " us", pair->now - start);
  g_assert_cmpuint (pair->now - start, <, SQX_ACK_DELAY_DEFAULT);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* The few units that turn over do not wait long for the many that are held. */
static void
hold_most (Pair *pair, guint side, const PairMessage *message)
{
  if (message->id.number >= UNITS - 2)
    pair_echo (pair, side, message);
}

static void
test_few_units (void)
{
  g_autoptr (Pair) pair = small_peer (UNITS, hold_most);
  uint64_t start = pair->now;
  guint last = 0;

  for (guint i = 0; i < UNITS + 18; i++)
    last = pair_send (pair, PAIR_A, "question", 0);
  pair_drive_until (pair, 60 * SQX_SECOND, pair_is_done (pair, PAIR_A, last));
  g_test_message ("%" G_GUINT64_FORMAT " us", pair->now - start);
  g_assert_cmpuint (pair->now - start, <, SQX_ACK_DELAY_DEFAULT);
}

/* Where nobody waits, ENDs ride on what goes out anyway. */
static void
test_nobody_waits (void)
{
  g_autoptr (Pair) pair = small_peer (UNITS, pair_echo);
  guint before;

  pair_drive (pair);
  before = pair->frames[PAIR_A][SQX_FRAME_END];
  for (guint i = 0; i < UNITS / 8; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_drive_until (pair, SQX_SECOND, pair_all_done (pair, PAIR_A));
  pair_flush (pair);
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_END], ==, before);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R "/seqex/rules-waiting/"
  g_test_add_func (R "replies", test_replies);
  g_test_add_func (R "final", test_final);
  g_test_add_func (R "chains", test_chains);
  g_test_add_func (R "few-units", test_few_units);
  g_test_add_func (R "nobody-waits", test_nobody_waits);

  return g_test_run ();
}
