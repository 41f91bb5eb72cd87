/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection counts, and what may be asked of it.
 */
#include "pair.h"

static void
test_exchanges (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_statistics a, b;

  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 10; i++)
    pair_send_size (pair, PAIR_A, 0, 100 * i, i < 4 ? SQX_MESSAGE_FINAL : 0);
  pair_send (pair, PAIR_B, "final", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  a = pair_statistics (pair, PAIR_A);
  b = pair_statistics (pair, PAIR_B);
  g_assert_cmpuint (a.messages_sent, ==, 10);
  g_assert_cmpuint (a.messages_received, ==, 7);
  g_assert_cmpuint (a.exchanges_started, ==, 10);
  g_assert_cmpuint (a.exchanges_accepted, ==, 1);
  g_assert_cmpuint (a.replies_delivered, ==, 6);
  g_assert_cmpuint (b.messages_sent, ==, 7);
  g_assert_cmpuint (b.messages_received, ==, 10);
  g_assert_cmpuint (b.exchanges_started, ==, 1);
  g_assert_cmpuint (b.exchanges_accepted, ==, 10);
  g_assert_cmpuint (b.replies_delivered, ==, 0);
  g_assert_cmpuint (a.bytes_resent, ==, 0);
  pair_assert_quiet (pair);
}

static uint64_t wire_bytes[2];

static gboolean
count_bytes (Pair *pair, PairPacket *packet, gpointer data)
{
  wire_bytes[packet->from] += packet->size;
  return TRUE;
}

static void
test_packets (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  wire_bytes[0] = wire_bytes[1] = 0;
  pair->filter = count_bytes;
  pair->side[PAIR_B].handler = pair_echo;
  pair->duplicate[PAIR_A] = 1; /* copies are not accepted, so they do not count */
  for (guint i = 0; i < 20; i++)
    {
      pair_send_size (pair, PAIR_A, 0, 500, 0);
      pair_drive (pair);
    }
  for (guint side = 0; side < 2; side++)
    {
      sqx_statistics own = pair_statistics (pair, side), other = pair_statistics (pair, !side);

      g_assert_cmpuint (own.packets_sent, ==, pair->sent[side]);
      g_assert_cmpuint (own.packets_sent, ==, other.packets_received);
      g_assert_cmpuint (own.bytes_sent, ==, wire_bytes[side]);
      g_assert_cmpuint (own.bytes_sent, ==, other.bytes_received);
      g_assert_cmpuint (own.packets_lost, ==, 0);
      g_assert_cmpuint (own.spurious_losses, ==, 0);
      g_assert_cmpuint (own.bytes_in_flight, ==, 0);
      g_assert_cmpuint (own.congestion_window, >=, SQX_WINDOW_INITIAL * SQX_DATAGRAM_DEFAULT);
      g_assert_cmpuint (own.smoothed_rtt, >=, 20 * SQX_MILLISECOND);
      g_assert_cmpuint (own.smoothed_rtt, <=, 46 * SQX_MILLISECOND);
      g_assert_cmpuint (own.min_rtt, ==, 20 * SQX_MILLISECOND);
      g_assert_cmpuint (own.rtt_variance, <, 30 * SQX_MILLISECOND);
    }
  pair_assert_quiet (pair);
}

static void
test_before_anything (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  sqx_statistics statistics = pair_statistics (pair, PAIR_A);

  g_assert_cmpuint (statistics.smoothed_rtt, ==, 0);
  g_assert_cmpuint (statistics.min_rtt, ==, 0);
  g_assert_cmpuint (statistics.rtt_variance, ==, 0);
  g_assert_cmpuint (statistics.packets_sent, ==, 0);
  g_assert_cmpint (sqx_conn_state (conn), ==, SQX_STATE_CONNECTING);
  g_assert_false (sqx_conn_is_busy (conn));
  g_assert_true (sqx_conn_is_writable (conn));
  g_assert_false (sqx_conn_has_message (conn, 0));
  g_assert_cmpuint (sqx_conn_incarnation (conn), ==, 0);
  g_assert_cmpuint (sqx_conn_peer_max_message_size (conn), ==, 0);
  g_assert_cmpuint (sqx_conn_received_bytes_held (conn), ==, 0);
}

static gboolean
drop_one_of (Pair *pair, PairPacket *packet, gpointer data)
{
  return packet->from != PAIR_A || packet->nth % 10 != 5;
}

static void
test_losses (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_statistics statistics;

  pair_connect (pair);
  pair->filter = drop_one_of;
  pair_send_size (pair, PAIR_A, 0, 200000, SQX_MESSAGE_FINAL);
  pair_drive (pair);
  statistics = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (statistics.packets_lost, >=, 15);
  g_assert_cmpuint (statistics.packets_lost, <=, 60);
  g_assert_cmpuint (statistics.spurious_losses, ==, 0);
  g_assert_cmpuint (statistics.bytes_resent, >=, 15 * 1000);
  g_assert_cmpuint (statistics.bytes_resent, <=, statistics.packets_lost * 1200);
  g_assert_cmpuint (statistics.bytes_sent, >=, 200000 + statistics.bytes_resent);
  pair_assert_quiet (pair);
}

/* Three packets pass another: it is declared lost, and then it was not. */
static void
test_spurious (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_statistics statistics;

  pair_connect (pair);
  pair->hold[PAIR_A] = TRUE;
  pair_send_size (pair, PAIR_A, 0, 1000, SQX_MESSAGE_FINAL);
  pair_flush (pair);
  pair->hold[PAIR_A] = FALSE;
  for (guint i = 0; i < 5; i++)
    {
      pair_send_size (pair, PAIR_A, 0, 1000, SQX_MESSAGE_FINAL);
      pair_flush (pair);
    }
  pair_drive_for (pair, 21 * SQX_MILLISECOND);
  pair_release (pair, PAIR_A, FALSE);
  pair_drive (pair);
  statistics = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (statistics.packets_lost, ==, 1);
  g_assert_cmpuint (statistics.spurious_losses, ==, 1);
  g_assert_cmpuint (statistics.bytes_resent, ==, 1000);
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->duplicate_message, ==, 1);
  pair_assert_quiet (pair);
}

/* A packet that carries nothing but an acknowledgement, which nobody acknowledges. */
static void
test_acks_only (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_statistics before[2], after;

  pair_connect (pair);
  before[PAIR_A] = pair_statistics (pair, PAIR_A);
  before[PAIR_B] = pair_statistics (pair, PAIR_B);
  pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  after = pair_statistics (pair, PAIR_B);
  g_assert_cmpuint (after.acks_only, ==, before[PAIR_B].acks_only + 1);
  g_assert_cmpuint (after.packets_sent, ==, before[PAIR_B].packets_sent + 1);
  after = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (after.acks_only, ==, before[PAIR_A].acks_only);
  g_assert_cmpuint (after.packets_sent, ==, before[PAIR_A].packets_sent + 1);
}

/* Busy from the submission to the last acknowledgement, on both sides. */
static void
test_busy (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_conn *a = pair->side[PAIR_A].conn, *b = pair->side[PAIR_B].conn;

  pair_connect (pair);
  pair_send (pair, PAIR_A, "question", 0);
  g_assert_true (sqx_conn_is_busy (a));
  g_assert_false (sqx_conn_is_busy (b));
  pair_drive (pair);
  g_assert_true (sqx_conn_is_busy (a) && sqx_conn_is_busy (b));
  pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), SQX_END_ENDED);
  g_assert_true (sqx_conn_is_busy (b));
  pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, 2));
  g_assert_false (sqx_conn_is_busy (a));
  g_assert_true (sqx_conn_is_busy (b)); /* its end is not acknowledged */
  pair_drive (pair);
  g_assert_false (sqx_conn_is_busy (b));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define S "/seqex/statistics/"
  g_test_add_func (S "before-anything", test_before_anything);
  g_test_add_func (S "exchanges", test_exchanges);
  g_test_add_func (S "packets", test_packets);
  g_test_add_func (S "losses", test_losses);
  g_test_add_func (S "spurious", test_spurious);
  g_test_add_func (S "acks-only", test_acks_only);
  g_test_add_func (S "busy", test_busy);

  return g_test_run ();
}
