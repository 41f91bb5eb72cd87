/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules 5 and 7 of the exchange rules: exactly once, receipt apart from answer, and what becomes
 * of answers that answer nothing.
 */
#include "pair.h"

/* Rule 5: exactly once ---------------------------------------------------------------- */

/* Three exchanges of different shape, so that every packet carries something that matters. */
static void
run_exchanges (Pair *pair)
{
  guint small, large, final;

  pair->side[PAIR_B].handler = pair_echo;
  small = pair_send (pair, PAIR_A, "small", SQX_MESSAGE_ORDERED);
  large = pair_send_size (pair, PAIR_A, 1, 4000, 0);
  final = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_drive_until (pair, 60 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  pair_assert_replied (pair, PAIR_A, small, "small");
  pair_assert_replied (pair, PAIR_A, large, NULL);
  g_assert_true (g_bytes_equal (pair_wait (pair, PAIR_A, large)->payload,
                                pair_wait (pair, PAIR_A, large)->reply->payload));
  pair_assert_ended (pair, PAIR_A, final, SQX_END_ENDED);
  pair_drive (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 3);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  pair_assert_quiet (pair);
}

static gboolean
drop_one (Pair *pair, PairPacket *packet, gpointer data)
{
  guint which = GPOINTER_TO_UINT (data);

  return packet->from != which / 100 || packet->nth != which % 100;
}

static void
test_each_packet_lost (void)
{
  for (guint from = 0; from < 2; from++)
    for (guint nth = 0; nth < 15; nth++)
      {
        g_autoptr (Pair) pair = pair_new (NULL, NULL);

        pair->filter = drop_one;
        pair->filter_data = GUINT_TO_POINTER (from * 100 + nth);
        run_exchanges (pair);
      }
}

static gboolean
drop_two (Pair *pair, PairPacket *packet, gpointer data)
{
  guint which = GPOINTER_TO_UINT (data);

  return packet->from != which / 10000
         || (packet->nth != which % 100 && packet->nth != which / 100 % 100);
}

static void
test_each_two_packets_lost (void)
{
  for (guint from = 0; from < 2; from++)
    for (guint first = 0; first < 10; first++)
      for (guint second = first + 1; second < 11; second++)
        {
          g_autoptr (Pair) pair = pair_new (NULL, NULL);

          pair->filter = drop_two;
          pair->filter_data = GUINT_TO_POINTER (from * 10000 + first * 100 + second);
          run_exchanges (pair);
        }
}

static void
test_duplicated (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->duplicate[PAIR_A] = pair->duplicate[PAIR_B] = 3;
  run_exchanges (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->duplicate_packet, >=,
                    3 * pair_statistics (pair, PAIR_B).packets_received);
}

static void
test_reordered (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag[6];

  pair_connect (pair);
  pair->side[PAIR_B].handler = pair_echo;
  pair->hold[PAIR_A] = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (tag); i++)
    {
      tag[i] = pair_send_size (pair, PAIR_A, 0, 2500, i % 2 ? SQX_MESSAGE_ORDERED : 0);
      pair_flush (pair);
    }
  g_assert_cmpuint (pair_n_held (pair, PAIR_A), >=, 6);
  pair->hold[PAIR_A] = FALSE;
  pair_release (pair, PAIR_A, TRUE);
  pair_drive (pair);
  for (guint i = 0; i < G_N_ELEMENTS (tag); i++)
    g_assert_true (g_bytes_equal (pair_wait (pair, PAIR_A, tag[i])->payload,
                                  pair_wait (pair, PAIR_A, tag[i])->reply->payload));
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 6);
  pair_assert_quiet (pair);
}

/* A copy of each packet comes much later than the packet. */
static gboolean
delay_copy (Pair *pair, PairPacket *packet, gpointer data)
{
  GPtrArray *late = data;

  g_ptr_array_add (late, g_bytes_new (packet->data, packet->size));
  return TRUE;
}

static void
test_replayed (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  g_autoptr (GPtrArray) late = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  guint taken, sent;

  pair->filter = delay_copy;
  pair->filter_data = late;
  run_exchanges (pair);
  pair_drive_for (pair, 20 * SQX_SECOND);
  pair->filter = NULL;
  taken = pair_n_taken (pair, PAIR_B);
  sent = pair->sent[PAIR_A] + pair->sent[PAIR_B];
  for (guint i = 0; i < late->len; i++)
    for (guint side = 0; side < 2; side++)
      {
        /* Also back to the one that sent it. */
        gsize size;
        const uint8_t *data = g_bytes_get_data (g_ptr_array_index (late, i), &size);

        pair_inject (pair, side, data, size);
        pair_flush (pair);
      }
  pair_drive (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, taken);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (pair->sent[PAIR_A] + pair->sent[PAIR_B], <=, sent + 4);
  pair_assert_quiet (pair);
}

static gboolean
delay_some (Pair *pair, PairPacket *packet, gpointer data)
{
  if (packet->nth % 3 == 0)
    packet->at += 3 * SQX_SECOND;
  return TRUE;
}

static void
test_delayed (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->filter = delay_some;
  run_exchanges (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->duplicate_message, >, 0);
}

/* The same bytes in a fresh packet: what a resend that was not needed looks like. */
static void
test_resent_in_new_packet (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint64_t duplicates;

  fake_connect (pair);
  for (guint i = 0; i < 4; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, 0, 0, 0, "a");
      fake_message (pair, 0, 1, SQX_WIRE_ORDERED, 0, "b");
      fake_message (pair, 0, 2, SQX_WIRE_FINAL, 0, "c");
      fake_send (pair);
    }
  pair_assert_taken (pair, PAIR_A, "a b c");
  duplicates = pair_counters (pair, PAIR_A)->duplicate_message;
  g_assert_cmpuint (duplicates, ==, 9);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  pair_drive (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "a");
  fake_message (pair, 0, 1, SQX_WIRE_ORDERED, 0, "b");
  fake_send (pair);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "a b c");
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->duplicate_message, ==, duplicates + 2);
}

static void
test_receipt_and_answer (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag, frames;

  pair_connect (pair);
  pair->side[PAIR_B].hold_taking = TRUE;
  tag = pair_send_size (pair, PAIR_A, 0, 5000, 0);
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 1);
  pair_drive (pair);
  /* Received, so its payload is free and nothing is resent; not answered, so the wait is open. */
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 0);
  pair_assert_pending (pair, PAIR_A, tag);
  frames = pair->frames[PAIR_A][SQX_FRAME_MESSAGE];
  pair_drive_for (pair, 300 * SQX_SECOND);
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_MESSAGE], ==, frames);
  g_assert_cmpuint (pair_statistics (pair, PAIR_A).bytes_resent, ==, 0);
  pair_assert_pending (pair, PAIR_A, tag);

  pair_end (pair, PAIR_B, pair_take (pair, PAIR_B, 0), SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  pair_assert_quiet (pair);
}

/* The peer has granted nothing more, and the own queue is full. */
static void
test_receiving_needs_no_credit (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  sqx_conn_set_queue_limit (pair->side[PAIR_A].conn, 1000);
  pair_send_size (pair, PAIR_A, 0, 500, 0);
  while (pair_try_send (pair, PAIR_A, 0, g_bytes_new_take (g_malloc0 (200), 200), 0, &tag)
         == SQX_OK)
    pair_flush (pair);
  g_assert_false (sqx_conn_is_writable (pair->side[PAIR_A].conn));
  fake_forget (pair);
  for (guint i = 0; i < 100; i++)
    {
      uint64_t number;

      fake_begin (pair);
      fake_message (pair, 0, i, SQX_WIRE_ORDERED, 0, "question");
      number = fake_send (pair);
      g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, i + 1);
      pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, i), SQX_END_ENDED);
      pair_drive (pair);
      g_assert_true (fake_acknowledged (pair, number));
      g_assert_cmpint (fake_end_reason (pair, 0, i), ==, SQX_END_ENDED);
    }
}

/* The congestion window is full of what the peer does not acknowledge. */
static void
test_receiving_needs_no_window (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint64_t number;
  guint seen;

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  pair_send_size (pair, PAIR_A, 0, 900000, 0);
  pair_flush (pair);
  seen = pair->fake.seen->len;
  g_assert_cmpuint (seen, <, 700);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  number = fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "question");
  pair_drive_for (pair, 30 * SQX_MILLISECOND);
  g_assert_true (fake_acknowledged (pair, number));
}

/* Rule 7: answers that answer nothing ------------------------------------------------- */

/* A has sent number 0, and has been told by an end. */
static Pair *
stray_pair (void)
{
  Pair *pair = pair_new_fake (NULL);

  fake_connect (pair);
  pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, 1, SQX_END_ENDED);
  fake_forget (pair);
  return pair;
}

/* Its number is settled: what is ordered behind it is delivered, it is ended, its bytes return. */
static void
assert_stray_settled_but (Pair *pair, uint64_t number, gboolean busy)
{
  guint taken = pair_n_taken (pair, PAIR_A);

  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_cmpuint (pair->side[PAIR_A].replies->len, ==, 0);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_reply, ==, 1);
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), ==, 0);
  fake_begin (pair);
  fake_message (pair, 0, number + 1, SQX_WIRE_ORDERED | SQX_WIRE_FINAL, 0, "next");
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, taken + 1);
  pair_drive (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, number), ==, SQX_END_UNHANDLED);
  g_assert_false (pair->side[PAIR_A].closed);
  g_assert_cmpint (sqx_conn_is_busy (pair->side[PAIR_A].conn), ==, busy);
}

static void
assert_stray_settled (Pair *pair, uint64_t number)
{
  assert_stray_settled_but (pair, number, FALSE);
}

static void
test_stray_reply_never_sent (void)
{
  g_autoptr (Pair) pair = stray_pair ();

  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 5, "answer to nothing");
  fake_send (pair);
  assert_stray_settled (pair, 0);
}

static void
test_stray_reply_answered (void)
{
  g_autoptr (Pair) pair = stray_pair ();

  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "second answer");
  fake_send (pair);
  assert_stray_settled (pair, 0);
}

static void
test_stray_reply_other_channel (void)
{
  g_autoptr (Pair) pair = stray_pair ();
  guint tag;

  tag = pair_send_on (pair, PAIR_A, 1, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "answer on the wrong channel");
  fake_send (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_reply, ==, 1);
  fake_begin (pair);
  fake_message (pair, 1, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
}

/* In fragments, some of which came while the question was still open. */
static void
test_stray_reply_whole_too_late (void)
{
  g_autoptr (Pair) pair = stray_pair ();
  guint tag;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_fragment (pair, 0, 0, SQX_WIRE_REPLY, 1, 2000, 0, 1000);
  fake_send (pair);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_FAILED, 1, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_FAILED);
  fake_begin (pair);
  fake_fragment (pair, 0, 0, SQX_WIRE_REPLY, 1, 2000, 1000, 1000);
  fake_send (pair);
  assert_stray_settled (pair, 0);
}

/* Two replies to one message on their way at once: the first that is whole answers it. */
static void
test_second_reply (void)
{
  g_autoptr (Pair) pair = stray_pair ();
  guint tag;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 1, "first");
  fake_message (pair, 0, 1, SQX_WIRE_REPLY, 1, "second");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "first");
  pair_drive (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_reply, ==, 1);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_ENDED);
  g_assert_cmpint (fake_end_reason (pair, 0, 1), ==, SQX_END_UNHANDLED);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
}

/* A final message awaits no answer, so a reply to it answers nothing; its end is still to come. */
static void
test_reply_to_final (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "answer");
  fake_send (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  assert_stray_settled_but (pair, 0, TRUE);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
}

/* Nor does taking such a reply back say anything about the final message. */
static void
test_reply_to_final_taken_back (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_flush (pair);
  fake_begin (pair);
  fake_fragment (pair, 0, 0, SQX_WIRE_REPLY, 0, 100, 0, 50);
  g_assert_true (sqx_write_cancel (&pair->fake.writer, 0, 0, 100, true, 0));
  g_assert_true (sqx_write_cancel (&pair->fake.writer, 0, 1, 100, true, 77));
  fake_send (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  pair_drive (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_CANCELLED);
  g_assert_cmpint (fake_end_reason (pair, 0, 1), ==, SQX_END_CANCELLED);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
}

static void
test_stray_end (void)
{
  g_autoptr (Pair) pair = stray_pair ();
  guint tag;
  uint64_t strays = pair_counters (pair, PAIR_A)->stray_end;

  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY, 1, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
  /* Now an end for the same, and one for the message that was ended before. */
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_FAILED, 0, 2);
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
  pair_assert_ended (pair, PAIR_A, 1, SQX_END_ENDED);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_end, >, strays);
  g_assert_false (pair->side[PAIR_A].closed);
}

/* Every reply answers the message that it echoes, although all are under way at once and are
 * answered in reverse. */
static void
test_chains_agree (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->hold[PAIR_A] = TRUE;
  pair->side[PAIR_B].handler = pair_echo_on;
  for (guint i = 0; i < 12; i++)
    {
      g_autofree char *text = g_strdup_printf ("question %u", i);

      pair_send_on (pair, PAIR_A, i % 3, text, 0);
      pair_flush (pair);
    }
  pair->hold[PAIR_A] = FALSE;
  pair_release (pair, PAIR_A, TRUE);
  pair_drive_until (pair, 20 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  for (guint tag = 1; tag <= 12; tag++)
    {
      const PairWait *wait = pair_wait (pair, PAIR_A, tag);

      g_assert_true (g_bytes_equal (wait->payload, wait->reply->payload));
      pair_end (pair, PAIR_A, wait->reply, SQX_END_ENDED);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R5 "/seqex/rules/r05-once/"
  g_test_add_func (R5 "each-packet-lost", test_each_packet_lost);
  g_test_add_func (R5 "each-two-packets-lost", test_each_two_packets_lost);
  g_test_add_func (R5 "duplicated", test_duplicated);
  g_test_add_func (R5 "reordered", test_reordered);
  g_test_add_func (R5 "delayed", test_delayed);
  g_test_add_func (R5 "replayed", test_replayed);
  g_test_add_func (R5 "resent-in-a-new-packet", test_resent_in_new_packet);
  g_test_add_func (R5 "receipt-is-not-the-answer", test_receipt_and_answer);
  g_test_add_func (R5 "receiving-needs-no-credit", test_receiving_needs_no_credit);
  g_test_add_func (R5 "receiving-needs-no-window", test_receiving_needs_no_window);

#define R7 "/seqex/rules/r07-chains/"
  g_test_add_func (R7 "reply-to-message-never-sent", test_stray_reply_never_sent);
  g_test_add_func (R7 "reply-to-answered-message", test_stray_reply_answered);
  g_test_add_func (R7 "reply-on-another-channel", test_stray_reply_other_channel);
  g_test_add_func (R7 "reply-whole-too-late", test_stray_reply_whole_too_late);
  g_test_add_func (R7 "second-reply", test_second_reply);
  g_test_add_func (R7 "reply-to-final-message", test_reply_to_final);
  g_test_add_func (R7 "reply-to-final-taken-back", test_reply_to_final_taken_back);
  g_test_add_func (R7 "end-of-answered-message", test_stray_end);
  g_test_add_func (R7 "both-agree", test_chains_agree);

  return g_test_run ();
}
