/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Channels: queues of their own, priorities, and what happens to messages that wait while the
 * program changes its mind.
 */
#include "pair.h"

static Pair *
fake_pair (void)
{
  Pair *pair = pair_new_fake (NULL);

  fake_connect (pair);
  return pair;
}

static void
fake_texts (Pair *pair, uint32_t channel, uint8_t flags, uint64_t first, const char *text)
{
  fake_begin (pair);
  for (guint i = 0; text[i] != '\0'; i++)
    {
      char one[] = { text[i], '\0' };

      fake_message (pair, channel, first + i, flags, 0, one);
    }
  fake_send (pair);
}

/* Taken one by one from @channel, joined. */
static char *
take_texts (Pair *pair, uint32_t channel)
{
  GString *text = g_string_new (NULL);
  const PairMessage *message;

  while ((message = pair_take (pair, PAIR_A, channel)))
    g_string_append (text, pair_text (message));
  return g_string_free (text, FALSE);
}

#define assert_takes(pair, channel, expected)                   \
  G_STMT_START                                                  \
  {                                                             \
    g_autofree char *texts_ = take_texts (pair, channel);       \
    g_assert_cmpstr (texts_, ==, expected);                     \
  }                                                             \
  G_STMT_END

static void
test_open_twice (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_texts (pair, 1, 0, 0, "ab");
  g_assert_cmpint (sqx_conn_open_channel (conn, 1), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_open_channel (conn, 1), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_open_channel (conn, 0), ==, SQX_OK);
  pair_flush (pair);
  g_assert_false (sqx_conn_has_message (conn, 0));
  g_assert_false (sqx_conn_has_message (conn, 77));
  g_assert_null (pair_take (pair, PAIR_A, 77));
  assert_takes (pair, 1, "ab");
}

/* Opening tells of what moved, even if channel 0 had been told of it already. */
static void
test_open_tells (void)
{
  g_autoptr (Pair) pair = fake_pair ();

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_texts (pair, 1, 0, 0, "a");
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_MESSAGE), ==, 1);
  sqx_conn_open_channel (pair->side[PAIR_A].conn, 1);
  pair_flush (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_MESSAGE), ==, 2);
  g_assert_cmpuint (pair_event (pair, PAIR_A, SQX_EVENT_MESSAGE, 1)->event.channel, ==, 1);
}

/* Before any message, and before the connection. */
static void
test_open_first (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  g_assert_cmpint (sqx_conn_open_channel (pair->side[PAIR_B].conn, 3), ==, SQX_OK);
  pair_send_on (pair, PAIR_A, 3, "three", SQX_MESSAGE_FINAL);
  pair_send_on (pair, PAIR_A, 4, "four", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_B, "three four");
  g_assert_cmpuint (pair_event (pair, PAIR_B, SQX_EVENT_MESSAGE, 0)->event.channel, ==, 3);
  g_assert_cmpuint (pair_event (pair, PAIR_B, SQX_EVENT_MESSAGE, 1)->event.channel, ==, 0);
  pair_assert_quiet (pair);
}

/* Ordered ones of a serialized channel and others of the same queue come in order of delivery. */
static void
test_serialized_among_others (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;

  pair->side[PAIR_A].hold_taking = TRUE;
  sqx_conn_open_channel (conn, 1);
  sqx_conn_set_serialized (conn, 1, true);
  fake_texts (pair, 1, 0, 0, "a");
  fake_texts (pair, 1, SQX_WIRE_ORDERED, 1, "BC");
  fake_texts (pair, 1, 0, 3, "d");
  fake_texts (pair, 1, SQX_WIRE_ORDERED, 4, "E");
  assert_takes (pair, 1, "aBd");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  fake_texts (pair, 1, 0, 5, "f");
  assert_takes (pair, 1, "Cf");
  /* In the middle of it all the program no longer wants it. */
  fake_texts (pair, 1, 0, 6, "g");
  sqx_conn_set_serialized (conn, 1, false);
  assert_takes (pair, 1, "Eg");
}

/* Made serialized while messages wait: the channel has a queue of its own from now on, and those
 * that are ordered wait for each other. */
static void
test_serialized_late (void)
{
  g_autoptr (Pair) pair = fake_pair ();

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_texts (pair, 1, SQX_WIRE_ORDERED, 0, "AB");
  fake_texts (pair, 0, SQX_WIRE_ORDERED, 0, "x");
  fake_texts (pair, 1, SQX_WIRE_ORDERED, 2, "C");
  sqx_conn_set_serialized (pair->side[PAIR_A].conn, 1, true);
  assert_takes (pair, 0, "x");
  assert_takes (pair, 1, "A");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  assert_takes (pair, 1, "B");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 2), SQX_END_ENDED);
  assert_takes (pair, 1, "C");
}

/* Answering frees the gate even where the queue was told about long ago. */
static void
test_serialized_tells (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  guint told;

  sqx_conn_set_serialized (pair->side[PAIR_A].conn, 0, true);
  fake_texts (pair, 0, SQX_WIRE_ORDERED, 0, "AB");
  pair_assert_taken (pair, PAIR_A, "A");
  told = pair_n_events (pair, PAIR_A, SQX_EVENT_MESSAGE);
  pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), "answer", 0);
  pair_flush (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_MESSAGE), ==, told + 1);
  pair_assert_taken (pair, PAIR_A, "A B");
}

/* The peer restarts while the program is in the critical section of a channel. */
static void
test_serialized_restart (void)
{
  g_autoptr (Pair) pair = fake_pair ();

  sqx_conn_set_serialized (pair->side[PAIR_A].conn, 0, true);
  fake_texts (pair, 0, SQX_WIRE_ORDERED, 0, "AB");
  pair_assert_taken (pair, PAIR_A, "A");
  pair->fake.epoch++;
  pair->fake.say_hello = TRUE;
  fake_texts (pair, 0, SQX_WIRE_ORDERED, 0, "CD");
  pair_assert_taken (pair, PAIR_A, "A C");
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), SQX_END_ENDED);
  pair_flush (pair);
  pair_assert_taken (pair, PAIR_A, "A C D");
}

/* Messages that wait for credit move with their channel, and keep their age. */
static void
test_priority_of_waiting (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  static const guint expected[] = { 1, 2, 2, 3, 0 };
  const sqx_frame *frame;

  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  pair_send (pair, PAIR_A, "first", 0);
  pair_flush (pair);
  fake_forget (pair);
  for (guint i = 0; i < 5; i++)
    pair_send_on (pair, PAIR_A, (uint32_t[]){ 0, 1, 2, 2, 3 }[i], "waiting", 0);
  sqx_conn_set_priority (conn, 3, 1);
  sqx_conn_set_priority (conn, 2, 1);
  sqx_conn_set_priority (conn, 1, 1);
  sqx_conn_set_priority (conn, 1, 1);
  /* Age decides among those that are equal now, until channel 2 becomes the most urgent. */
  for (guint i = 0; i < 5; i++)
    {
      fake_begin (pair);
      g_assert_true (sqx_write_credit (&pair->fake.writer, pair->fake.hello.byte_credit, i + 2));
      fake_send (pair);
      if (i == 0)
        sqx_conn_set_priority (conn, 2, 0);
    }
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 5);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    g_assert_cmpuint (frame->message.channel / 2, ==, expected[n]);
}

static void
test_priority_range (void)
{
  g_autoptr (Pair) pair = fake_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;

  for (uint32_t priority = 0; priority < SQX_PRIORITIES; priority++)
    g_assert_cmpint (sqx_conn_set_priority (conn, 9, priority), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_set_priority (conn, 9, SQX_PRIORITIES), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_priority (conn, SQX_CHANNELS_DEFAULT, 1), ==, SQX_ERR_INVALID);
}

/* The peer has fewer channels than was hoped: it says so in HELLO. */
static void
test_peer_has_fewer (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint low, high, tag;

  low = pair_send_on (pair, PAIR_A, 15, "low", 0);
  high = pair_send_on (pair, PAIR_A, 20, "high", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 1);
  pair->fake.hello.max_channels = 20;
  fake_connect (pair);
  pair_assert_pending (pair, PAIR_A, low);
  pair_assert_failed (pair, PAIR_A, high, SQX_ERR_INVALID);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 20, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_INVALID);
  tag = pair_send_on (pair, PAIR_A, 19, "last", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_MESSAGE)->message.channel, ==, 38);
  pair_assert_pending (pair, PAIR_A, tag);
}

/* More cancels and ends at once than fit into one packet. */
static void
test_many_at_once (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  const guint n = 900;

  pair_connect (pair);
  for (guint i = 0; i < n; i++)
    pair_send_on (pair, PAIR_A, i % 200, "question", 0);
  pair_drive (pair);
  for (guint tag = 2; tag <= n + 1; tag++)
    pair_cancel (pair, PAIR_A, tag);
  pair_drive (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_B, SQX_EVENT_CANCELLED), ==, n);
  pair_assert_quiet (pair);
}

/* Ends of many reasons, channels and gaps, with loss: each reaches the right message. */
static gboolean
drop_third (Pair *pair, PairPacket *packet, gpointer data)
{
  return packet->nth % 3 != 1;
}

static void
test_many_ends (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  const guint n = 1000;

  pair_connect (pair);
  for (guint i = 0; i < n; i++)
    pair_send_on (pair, PAIR_A, 1 + i * 7 % 250, "question", 0);
  pair_drive (pair);
  pair->filter = drop_third;
  for (guint i = 0; i < n; i++)
    {
      const PairMessage *message = pair_taken (pair, PAIR_B, i);

      pair_end (pair, PAIR_B, message, (message->id.number + message->id.channel) % 5);
    }
  pair_drive_until (pair, 60 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  for (guint i = 0; i < n; i++)
    pair_assert_ended (pair, PAIR_A, 2 + i, (i / 250 + 1 + i * 7 % 250) % 5);
  pair->filter = NULL;
  pair_drive (pair);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define CH "/seqex/channels/"
  g_test_add_func (CH "open-twice", test_open_twice);
  g_test_add_func (CH "open-tells", test_open_tells);
  g_test_add_func (CH "open-first", test_open_first);
  g_test_add_func (CH "serialized-among-others", test_serialized_among_others);
  g_test_add_func (CH "serialized-late", test_serialized_late);
  g_test_add_func (CH "serialized-tells", test_serialized_tells);
  g_test_add_func (CH "serialized-restart", test_serialized_restart);
  g_test_add_func (CH "priority-of-waiting", test_priority_of_waiting);
  g_test_add_func (CH "priority-range", test_priority_range);
  g_test_add_func (CH "peer-has-fewer", test_peer_has_fewer);
  g_test_add_func (CH "many-cancels-at-once", test_many_at_once);
  g_test_add_func (CH "many-ends", test_many_ends);

  return g_test_run ();
}
