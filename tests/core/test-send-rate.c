/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A cap on what is sent, which may change at any time. That it holds with each controller is in
 * test-bottleneck.c.
 */
#include "pair.h"

#define MS SQX_MILLISECOND

static void
set_rate (Pair *pair, guint side, uint64_t rate)
{
  sqx_conn_set_max_send_rate (pair->side[side].conn, pair->now, rate);
}

/* Bytes that A sends in @span. */
static uint64_t
sent_in (Pair *pair, uint64_t span)
{
  uint64_t before = pair_statistics (pair, PAIR_A).bytes_sent;

  pair_drive_for (pair, span);
  return pair_statistics (pair, PAIR_A).bytes_sent - before;
}

/* Each change holds from then on, for what waits already, too. */
static void
test_changes (void)
{
  static const uint64_t rates[] = { 200000, 1000000, 20000, 400000 };
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint tag;

  pair_config (&config, PAIR_A);
  config.max_send_rate = 100000;
  pair = pair_new (&config, NULL);
  pair_connect (pair);
  tag = pair_send_size (pair, PAIR_A, 0, SQX_MESSAGE_MAX_DEFAULT, SQX_MESSAGE_FINAL);
  pair_drive_for (pair, 100 * MS);
  g_assert_cmpuint (sent_in (pair, SQX_SECOND), >=, 90000);
  g_assert_cmpuint (sent_in (pair, SQX_SECOND), <=, 110000);
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    {
      uint64_t sent;

      set_rate (pair, PAIR_A, rates[i]);
      sent = sent_in (pair, 200 * MS);
      g_test_message ("%" G_GUINT64_FORMAT " bytes in 200 ms", sent);
      g_assert_cmpuint (sent, >=, rates[i] / 5 * 4 / 5);
      g_assert_cmpuint (sent, <=, rates[i] / 5 + 3 * SQX_DATAGRAM_DEFAULT);
    }
  /* Without one the rest goes as fast as the path allows. */
  g_assert_false (pair_is_done (pair, PAIR_A, tag));
  set_rate (pair, PAIR_A, 0);
  pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
}

/* With next to nothing, the peer is asked all the same whether it is there, and nothing else goes
 * along; lifting the cap ends the wait at once. */
static void
test_hardly_any (void)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;
  uint64_t pings;
  guint tag;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].idle_timeout = 2 * SQX_SECOND;
      config[i].keepalive_interval = 500 * MS;
    }
  pair = pair_new (&config[0], &config[1]);
  pair_connect (pair);
  set_rate (pair, PAIR_A, 20);
  pings = pair->frames[PAIR_A][SQX_FRAME_PING];
  tag = pair_send_size (pair, PAIR_A, 0, 100000, SQX_MESSAGE_FINAL);
  g_assert_cmpuint (sent_in (pair, SQX_SECOND), <=, 3 * SQX_DATAGRAM_DEFAULT);
  g_assert_cmpuint (sent_in (pair, 60 * SQX_SECOND), <=, 120 * 50);
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_PING] - pings, >=, 40);
  g_assert_false (pair->side[PAIR_A].closed || pair->side[PAIR_B].closed);
  g_assert_false (pair_is_done (pair, PAIR_A, tag));
  set_rate (pair, PAIR_A, 1000000);
  pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/send-rate/changes", test_changes);
  g_test_add_func ("/seqex/send-rate/hardly-any", test_hardly_any);
  return g_test_run ();
}
