/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules 6, 9 and 11 of the exchange rules: order of delivery, whose fragments go first, and
 * serialized channels.
 */
#include "pair.h"

/* Rule 6: order ----------------------------------------------------------------------- */

static void
test_ordered_waits_for_lower (gconstpointer data)
{
  uint8_t lower = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 0, 2, SQX_WIRE_ORDERED, 0, "2");
  fake_message (pair, 0, 1, lower, 0, "1");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, lower ? "" : "1");
  fake_begin (pair);
  fake_message (pair, 0, 0, lower, 0, "0");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, lower ? "0 1 2" : "1 0 2");
}

/* Every arrival order of five messages, every choice of which are ordered. */
static void
test_all_arrivals (void)
{
  for (guint ordered = 0; ordered < 32; ordered++)
    for (guint permutation = 0; permutation < 120; permutation++)
      {
        g_autoptr (Pair) pair = pair_new_fake (NULL);
        guint left[] = { 0, 1, 2, 3, 4 }, code = permutation, settled = 0;

        fake_connect (pair);
        for (guint n = 5; n > 0; n--)
          {
            guint number = left[code % n];
            char text[] = { (char) ('0' + number), 0 };

            memmove (left + code % n, left + code % n + 1, (n - 1 - code % n) * sizeof left[0]);
            code /= n;
            fake_begin (pair);
            fake_message (pair, 0, number, ordered >> number & 1 ? SQX_WIRE_ORDERED : 0, 0, text);
            fake_send (pair);
          }
        g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 5);
        for (guint i = 0; i < 5; i++)
          {
            guint64 number = pair_taken (pair, PAIR_A, i)->id.number;

            if (ordered >> number & 1)
              g_assert_cmpuint (settled & ((1u << number) - 1), ==, (1u << number) - 1);
            settled |= 1u << number;
          }
      }
}

static void
test_unordered_when_whole (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 0, 7, 0, 0, "seven");
  fake_fragment (pair, 0, 6, 0, 0, 500, 0, 499);
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "seven");
  fake_begin (pair);
  fake_fragment (pair, 0, 6, 0, 0, 500, 499, 1);
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 2);
}

static void
test_channels_are_apart (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair_connect (pair);
  pair->drop_next[PAIR_A] = 1;
  pair_send_on (pair, PAIR_A, 1, "lost", SQX_MESSAGE_ORDERED);
  pair_flush (pair);
  pair_send_on (pair, PAIR_A, 1, "behind", SQX_MESSAGE_ORDERED);
  pair_send_on (pair, PAIR_A, 2, "apart", SQX_MESSAGE_ORDERED);
  pair_drive_for (pair, 11 * SQX_MILLISECOND);
  pair_assert_taken (pair, PAIR_B, "apart");
  pair_drive_for (pair, 2 * SQX_SECOND);
  pair_assert_taken (pair, PAIR_B, "apart lost behind");
}

/* A has two questions open; the fake answers 1 by number 1, then sends number 0. */
static void
test_replies_either_way (gconstpointer data)
{
  gboolean ordered = GPOINTER_TO_INT (data);
  uint8_t flags = SQX_WIRE_REPLY | SQX_WIRE_FINAL | (ordered ? SQX_WIRE_ORDERED : 0);
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint first, second;

  fake_connect (pair);
  first = pair_send (pair, PAIR_A, "first", 0);
  second = pair_send (pair, PAIR_A, "second", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 1, flags, 1, "to second");
  fake_send (pair);
  pair_assert_pending (pair, PAIR_A, first);
  if (ordered)
    pair_assert_pending (pair, PAIR_A, second);
  else
    pair_assert_replied (pair, PAIR_A, second, "to second");
  fake_begin (pair);
  fake_message (pair, 0, 0, flags, 0, "to first");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, first, "to first");
  pair_assert_replied (pair, PAIR_A, second, "to second");
  g_assert_cmpuint (((PairMessage *) g_ptr_array_index (pair->side[PAIR_A].replies, 0))->id.number,
                    ==, ordered ? 0 : 1);
}

/* Delivered by the core is enough: the message before the reply need not be taken. */
static void
test_reply_passes_untaken (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  pair->side[PAIR_A].hold_taking = TRUE;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_ORDERED, 0, "untaken");
  fake_message (pair, 0, 1, SQX_WIRE_ORDERED | SQX_WIRE_REPLY, 0, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  g_assert_true (sqx_conn_has_message (pair->side[PAIR_A].conn, 0));
  g_assert_nonnull (pair_take (pair, PAIR_A, 0));
}

/* Order over a network that loses, with replies in the order of the questions. */
static gboolean
drop_some (Pair *pair, PairPacket *packet, gpointer data)
{
  return (packet->nth * 7 + packet->from * 3) % 5 != 0;
}

static void
test_order_under_loss (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->filter = drop_some;
  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 200; i++)
    {
      pair_send_size (pair, PAIR_A, 0, i * 13 % 3000, SQX_MESSAGE_ORDERED);
      if (i % 10 == 9)
        pair_step (pair);
    }
  pair_drive_until (pair, 100 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  for (guint i = 0; i < 200; i++)
    {
      const PairMessage *reply = g_ptr_array_index (pair->side[PAIR_A].replies, i);

      g_assert_cmpuint (pair_taken (pair, PAIR_B, i)->id.number, ==, i);
      g_assert_true (pair_wait (pair, PAIR_A, i + 1)->reply == reply);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* Rule 9: interleaving ---------------------------------------------------------------- */

/* The numbers and channels of the MESSAGE frames seen, as "channel.number". */
static char *
seen_frames (Pair *pair)
{
  GString *text = g_string_new (NULL);
  const sqx_frame *frame;

  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    g_string_append_printf (text, "%s%u.%u", n ? " " : "",
                            (guint) (frame->message.channel / 2), (guint) frame->message.number);
  return g_string_free (text, FALSE);
}

static void
test_round_robin (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  g_autofree char *seen = NULL;

  fake_connect (pair);
  for (guint i = 0; i < 3; i++)
    pair_send_size (pair, PAIR_A, 0, 3400, 0);
  pair_flush (pair);
  seen = seen_frames (pair);
  /* Three datagrams each, in turn; where a datagram has room left, the next begins in it. */
  g_test_message ("%s", seen);
  g_assert_nonnull (strstr (seen, "0.0 0.1 0.2 0.0 0.1 0.2"));
}

/* A small message does not wait until a large one before it is through. */
static void
test_small_beside_large (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint large, small;

  pair_connect (pair);
  pair->side[PAIR_B].handler = pair_echo;
  large = pair_send_size (pair, PAIR_A, 0, 900000, 0);
  pair_drive_for (pair, 21 * SQX_MILLISECOND);
  small = pair_send_on (pair, PAIR_A, 1, "small", 0);
  pair_drive_until (pair, 10 * SQX_SECOND, pair_is_done (pair, PAIR_A, small));
  pair_assert_pending (pair, PAIR_A, large);
  pair_drive_until (pair, 60 * SQX_SECOND, pair_is_done (pair, PAIR_A, large));
}

static void
test_priority_is_strict (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  const sqx_frame *frame;
  guint last_urgent = 0, first_other = G_MAXUINT;

  fake_connect (pair);
  g_assert_cmpint (sqx_conn_set_priority (conn, 1, 0), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_set_priority (conn, 2, SQX_PRIORITIES), ==, SQX_ERR_INVALID);
  pair_send_size (pair, PAIR_A, 0, 20000, 0);
  pair_send_size (pair, PAIR_A, 1, 20000, 0);
  pair_send_size (pair, PAIR_A, 1, 20000, 0);
  pair_drive (pair);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    if (frame->message.channel == 2)
      last_urgent = n;
    else
      first_other = MIN (first_other, n);
  g_assert_cmpuint (last_urgent, >=, 30);
  g_assert_cmpuint (first_other, >, last_urgent);
  /* Raising it takes what waits along, in the middle of a message too. */
  pair->fake.auto_ack = FALSE;
  pair_send_size (pair, PAIR_A, 3, 1000000, 0);
  pair_send_size (pair, PAIR_A, 4, 1000000, 0);
  pair_flush (pair);
  fake_forget (pair);
  g_assert_cmpint (sqx_conn_set_priority (conn, 4, 2), ==, SQX_OK);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), >=, 10);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    g_assert_cmpuint (frame->message.channel, ==, 8);
}

/* Rule 11: serialized channels -------------------------------------------------------- */

static Pair *
serialized_pair (void)
{
  Pair *pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;

  fake_connect (pair);
  g_assert_cmpint (sqx_conn_open_channel (conn, 1), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 1, true), ==, SQX_OK);
  fake_begin (pair);
  fake_message (pair, 1, 0, SQX_WIRE_ORDERED, 0, "0");
  fake_message (pair, 1, 1, SQX_WIRE_ORDERED, 0, "1");
  fake_message (pair, 1, 2, SQX_WIRE_ORDERED, 0, "2");
  fake_send (pair);
  return pair;
}

static void
test_held_until_answered (void)
{
  g_autoptr (Pair) pair = serialized_pair ();

  pair_assert_taken (pair, PAIR_A, "0");
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "0");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1");
  pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), "answer", 0);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1 2");
}

static void
test_held_until_released (void)
{
  g_autoptr (Pair) pair = serialized_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;
  sqx_message_id id = pair_taken (pair, PAIR_A, 0)->id;

  id.number = 2; /* not taken yet: a no-op */
  sqx_conn_release (conn, &id);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0");
  id.number = 0;
  sqx_conn_release (conn, &id);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1");
  /* Once is enough, and answering what was released lets nothing more through. */
  sqx_conn_release (conn, &id);
  pair_flush (pair);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1 2");
}

static void
test_held_until_cancelled (void)
{
  g_autoptr (Pair) pair = serialized_pair ();

  fake_begin (pair);
  fake_cancel (pair, 1, 0, 1);
  fake_send (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 1);
  pair_assert_taken (pair, PAIR_A, "0 1");
  /* One that is cancelled while it is held back vanishes. */
  fake_begin (pair);
  fake_cancel (pair, 1, 2, 1);
  fake_send (pair);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "0 1");
  g_assert_cmpint (fake_end_reason (pair, 1, 2), ==, SQX_END_CANCELLED);
}

static void
test_final_holds_nothing (void)
{
  g_autoptr (Pair) pair = serialized_pair ();

  fake_begin (pair);
  fake_message (pair, 1, 3, SQX_WIRE_ORDERED | SQX_WIRE_FINAL, 0, "3");
  fake_message (pair, 1, 4, SQX_WIRE_ORDERED, 0, "4");
  fake_send (pair);
  for (guint i = 0; i < 3; i++)
    {
      pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, i), SQX_END_ENDED);
      pair_flush (pair);
    }
  /* It was ended when it was handed over, so the next follows at once. */
  pair_assert_taken (pair, PAIR_A, "0 1 2 3 4");
}

static void
test_unordered_is_not_held (void)
{
  g_autoptr (Pair) pair = serialized_pair ();

  fake_begin (pair);
  fake_message (pair, 1, 3, 0, 0, "3");
  fake_message (pair, 0, 0, SQX_WIRE_ORDERED, 0, "other");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "0 3 other");
}

static void
test_replies_are_not_held (void)
{
  g_autoptr (Pair) pair = serialized_pair ();
  guint tag;

  tag = pair_send_on (pair, PAIR_A, 1, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 1, 3, SQX_WIRE_ORDERED | SQX_WIRE_REPLY, 0, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
  pair_assert_taken (pair, PAIR_A, "0");
}

static void
test_unset_lets_through (void)
{
  g_autoptr (Pair) pair = serialized_pair ();

  g_assert_cmpint (sqx_conn_set_serialized (pair->side[PAIR_A].conn, 1, false), ==, SQX_OK);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "0 1 2");
  g_assert_cmpint (sqx_conn_set_serialized (pair->side[PAIR_A].conn, SQX_CHANNELS_MAX + 1, true),
                   ==, SQX_ERR_INVALID);
}

/* The critical section holds over a bad network, at depth one. */
static guint open_now;

static void
one_at_a_time (Pair *pair, guint side, const PairMessage *message)
{
  g_assert_cmpuint (open_now, ==, 0);
  open_now++;
}

static void
test_one_at_a_time (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->filter = drop_some;
  pair->duplicate[PAIR_A] = 1;
  pair->side[PAIR_B].handler = one_at_a_time;
  sqx_conn_set_serialized (pair->side[PAIR_B].conn, 0, true);
  for (guint i = 0; i < 30; i++)
    pair_send (pair, PAIR_A, "question", SQX_MESSAGE_ORDERED);
  for (guint i = 0; i < 30; i++)
    {
      pair_drive_until (pair, 60 * SQX_SECOND, pair_n_taken (pair, PAIR_B) == i + 1);
      pair_drive_for (pair, 100 * SQX_MILLISECOND);
      g_assert_cmpuint (open_now, ==, 1);
      open_now--;
      pair_reply (pair, PAIR_B, pair_taken (pair, PAIR_B, i), "answer", SQX_MESSAGE_FINAL);
    }
  pair_drive_until (pair, 60 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  pair_drive (pair);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R6 "/seqex/rules/r06-order/"
  g_test_add_data_func (R6 "ordered-waits-for-unordered", GUINT_TO_POINTER (0),
                        test_ordered_waits_for_lower);
  g_test_add_data_func (R6 "ordered-waits-for-ordered", GUINT_TO_POINTER (SQX_WIRE_ORDERED),
                        test_ordered_waits_for_lower);
  g_test_add_func (R6 "every-order-of-arrival", test_all_arrivals);
  g_test_add_func (R6 "unordered-when-whole", test_unordered_when_whole);
  g_test_add_func (R6 "channels-are-apart", test_channels_are_apart);
  g_test_add_data_func (R6 "reply-ordered", GINT_TO_POINTER (TRUE), test_replies_either_way);
  g_test_add_data_func (R6 "reply-unordered", GINT_TO_POINTER (FALSE), test_replies_either_way);
  g_test_add_func (R6 "reply-passes-what-is-untaken", test_reply_passes_untaken);
  g_test_add_func (R6 "order-under-loss", test_order_under_loss);

#define R9 "/seqex/rules/r09-fragments/"
  g_test_add_func (R9 "round-robin", test_round_robin);
  g_test_add_func (R9 "small-beside-large", test_small_beside_large);
  g_test_add_func (R9 "priority-is-strict", test_priority_is_strict);

#define R11 "/seqex/rules/r11-serialized/"
  g_test_add_func (R11 "held-until-answered", test_held_until_answered);
  g_test_add_func (R11 "held-until-released", test_held_until_released);
  g_test_add_func (R11 "held-until-cancelled", test_held_until_cancelled);
  g_test_add_func (R11 "final-holds-nothing", test_final_holds_nothing);
  g_test_add_func (R11 "unordered-is-not-held", test_unordered_is_not_held);
  g_test_add_func (R11 "replies-are-not-held", test_replies_are_not_held);
  g_test_add_func (R11 "unset-lets-through", test_unset_lets_through);
  g_test_add_func (R11 "one-at-a-time", test_one_at_a_time);

  return g_test_run ();
}
