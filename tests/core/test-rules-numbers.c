/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules 1 to 4 of the exchange rules: numbers, replies and final messages, one answer to each
 * message, one outcome for each sender.
 */
#include "pair.h"

/* Rule 1: numbers --------------------------------------------------------------------- */

static void
test_from_zero (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  for (guint side = 0; side < 2; side++)
    {
      pair->side[!side].handler = pair_end_it;
      for (guint i = 0; i < 3; i++)
        for (uint32_t channel = 0; channel <= 10; channel += 5)
          pair_send_on (pair, side, channel, "text", 0);
    }
  pair_drive (pair);
  for (guint side = 0; side < 2; side++)
    {
      guint64 seen[3] = { 0 };

      g_assert_cmpuint (pair_n_taken (pair, side), ==, 9);
      for (guint i = 0; i < 9; i++)
        {
          const sqx_message_id *id = &pair_taken (pair, side, i)->id;

          g_assert_cmpuint (id->number, ==, seen[id->channel / 5]++);
        }
    }
  pair_assert_quiet (pair);
}

/* The second message waits for credit without a number, so the answer to the peer's question
 * gets number 1 and goes out, and the message, when credit comes, gets 2. */
static void
test_given_at_first_byte (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  Fake *fake = &pair->fake;

  fake->hello.exchange_credit = 1;
  fake_connect (pair);
  pair_send (pair, PAIR_A, "first", 0);
  pair_send (pair, PAIR_A, "second", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 1);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_MESSAGE)->message.number, ==, 0);

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), "answer", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 2);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_MESSAGE)->message.number, ==, 1);
  g_assert_true (fake_last (pair, SQX_FRAME_MESSAGE)->message.flags & SQX_WIRE_REPLY);

  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 2);
  g_assert_true (sqx_write_credit (&fake->writer, fake->hello.byte_credit, 2));
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 3);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_MESSAGE)->message.number, ==, 2);
}

/* Whatever is seen of a message, its whole cost has been granted. */
static void
test_no_number_waits (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  Fake *fake = &pair->fake;
  guint64 cost = 0, next = 0;
  const sqx_frame *frame;

  fake->hello.max_message_size = SQX_MESSAGE_MAX_MIN;
  fake->hello.byte_credit = 3 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD);
  fake->hello.exchange_credit = 40;
  fake_connect (pair);
  for (guint i = 0; i < 60; i++)
    pair_send_size (pair, PAIR_A, 0, (i * 997) % 5000, 0);
  pair_drive (pair);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    {
      if (frame->message.number < next)
        continue;
      g_assert_cmpuint (frame->message.number, ==, next++);
      cost += frame->message.total + SQX_MESSAGE_OVERHEAD;
    }
  g_assert_cmpuint (next, >, 5);
  g_assert_cmpuint (next, <=, 40);
  g_assert_cmpuint (cost, <=, fake->hello.byte_credit);
}

static void
test_initial_in_order (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const sqx_frame *frame;

  pair->fake.hello.exchange_credit = 7;
  fake_connect (pair);
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *text = g_strdup_printf ("%02u", i);

      pair_send (pair, PAIR_A, text, i % 2 ? SQX_MESSAGE_ORDERED : 0);
    }
  pair_flush (pair);
  for (guint credit = 7; credit < 20; credit++)
    {
      fake_begin (pair);
      g_assert_true (sqx_write_credit (&pair->fake.writer, pair->fake.hello.byte_credit,
                                       credit + 1));
      fake_end (pair, 0, SQX_END_ENDED, credit - 7, 1);
      fake_send (pair);
    }
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 20);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    {
      g_autofree char *text = g_strdup_printf ("%02u", n);

      g_assert_cmpuint (frame->message.number, ==, n);
      g_assert_cmpmem (frame->message.data, frame->message.size, text, 2);
    }
}

static void
test_replies_in_order (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const sqx_frame *frame;

  fake_connect (pair);
  fake_begin (pair);
  for (guint i = 0; i < 5; i++)
    fake_message (pair, 0, i, 0, 0, "question");
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 5);
  for (guint i = 5; i-- > 0;)
    pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, i), "answer", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 5);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    {
      g_assert_cmpuint (frame->message.number, ==, n);
      g_assert_cmpuint (frame->message.reply_to, ==, 4 - n);
    }
}

/* The variant with numbers given at submission stops here: every answer waits, in order, for a
 * message that waits for the credit that only those answers return. */
static void
test_answers_while_waiting (void)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].exchange_credit = 1;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  pair->side[PAIR_A].handler = pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 40; i++)
    for (guint side = 0; side < 2; side++)
      pair_send (pair, side, "question", SQX_MESSAGE_ORDERED);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

static void
test_never_reused (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  g_autoptr (GHashTable) numbers = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free,
                                                         NULL);

  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 300; i++)
    {
      guint tag = pair_send (pair, PAIR_A, "text", 0);

      if (i % 3 == 0)
        pair->drop_next[i % 2] = 1;
      if (i % 5 == 0)
        {
          pair_flush (pair);
          pair_cancel (pair, PAIR_A, tag);
        }
      pair_drive (pair);
    }
  for (guint i = 0; i < pair_n_taken (pair, PAIR_B); i++)
    g_assert_true (g_hash_table_add (numbers, g_memdup2 (&pair_taken (pair, PAIR_B, i)->id.number,
                                                         sizeof (guint64))));
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), >=, 240);
  pair_assert_quiet (pair);
}

/* Rule 2: initial, reply, final ------------------------------------------------------- */

static void
test_reply_names_message (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const sqx_frame *frame;

  fake_connect (pair);
  fake_begin (pair);
  fake_message (pair, 3, 0, 0, 0, "a");
  fake_message (pair, 3, 1, 0, 0, "b");
  fake_send (pair);
  pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), "answer", 0);
  pair_flush (pair);
  frame = fake_last (pair, SQX_FRAME_MESSAGE);
  g_assert_cmpuint (frame->message.channel, ==, 3 * 2);
  g_assert_true (frame->message.flags & SQX_WIRE_REPLY);
  g_assert_cmpuint (frame->message.reply_to, ==, 1);
}

static void
test_final_ended_at_hand_over (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  const PairMessage *message;
  guint tag, reply = 1;

  pair_connect (pair);
  pair->side[PAIR_B].hold_taking = TRUE;
  tag = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  g_assert_true (sqx_conn_has_message (pair->side[PAIR_B].conn, 0));

  message = pair_take (pair, PAIR_B, 0);
  g_assert_nonnull (message);
  g_assert_true (message->flags & SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);

  g_assert_cmpint (pair_try_reply (pair, PAIR_B, &message->id, g_bytes_new (NULL, 0), 0, &reply),
                   ==, SQX_ERR_ALREADY_ANSWERED);
  g_assert_cmpuint (reply, ==, 0);
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_B].conn, pair->now, &message->id, SQX_END_ENDED),
                   ==, SQX_ERR_ALREADY_ANSWERED);
  pair_assert_quiet (pair);
}

static void
test_final_reply_ended_at_delivery (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint question, answer;

  pair_connect (pair);
  question = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  answer = pair_reply (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), "answer", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_pending (pair, PAIR_B, answer);

  pair->side[PAIR_A].hold_events = FALSE;
  pair_drive (pair);
  pair_assert_replied (pair, PAIR_A, question, "answer");
  g_assert_true (pair_wait (pair, PAIR_A, question)->reply->flags & SQX_MESSAGE_FINAL);
  pair_assert_ended (pair, PAIR_B, answer, SQX_END_ENDED);
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_A].conn, pair->now,
                                 &pair_wait (pair, PAIR_A, question)->reply->id, SQX_END_ENDED),
                   ==, SQX_ERR_ALREADY_ANSWERED);
  pair_assert_quiet (pair);
}

static void
test_chain_of_five (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag[5];
  const PairMessage *message;

  tag[0] = pair_send (pair, PAIR_A, "0", 0);
  pair_drive (pair);
  message = pair_taken (pair, PAIR_B, 0);
  for (guint i = 1; i < 5; i++)
    {
      guint from = i % 2 ? PAIR_B : PAIR_A;
      g_autofree char *text = g_strdup_printf ("%u", i);

      tag[i] = pair_reply (pair, from, message, text, 0);
      pair_drive (pair);
      pair_assert_replied (pair, !from, tag[i - 1], text);
      pair_assert_pending (pair, from, tag[i]);
      message = pair_wait (pair, !from, tag[i - 1])->reply;
    }
  pair_end (pair, PAIR_B, message, SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag[4], SQX_END_ENDED);
  pair_assert_quiet (pair);
}

/* A message that awaits an answer is open for as long as its receiver takes. */
static void
test_not_final_stays_open (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag = pair_send (pair, PAIR_A, "question", 0);

  pair_drive_for (pair, 600 * SQX_SECOND);
  pair_assert_pending (pair, PAIR_A, tag);
  pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  pair_assert_quiet (pair);
}

static void
test_sizes (void)
{
  static const size_t sizes[] = { 0, 1, 1100, 1200, 5000, 16384, 100000, 1048576 };
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag;

  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      pair_connect (pair);
      tag = pair_send_size (pair, PAIR_A, 0, sizes[i], 0);
      pair_drive (pair);
      g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->state, ==, PAIR_REPLIED);
      g_assert_true (g_bytes_equal (pair_wait (pair, PAIR_A, tag)->reply->payload,
                                    pair_wait (pair, PAIR_A, tag)->payload));
    }
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0,
                                  g_bytes_new_take (g_malloc0 (1048577), 1048577), 0, &tag), ==,
                   SQX_ERR_TOO_LARGE);
  pair_assert_quiet (pair);
}

static void
test_reply_too_large (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint question, answer;

  pair_config (&config, PAIR_A);
  config.max_message_size = SQX_MESSAGE_MAX_MIN;
  pair = pair_new (&config, NULL);
  question = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  g_assert_cmpint (pair_try_reply (pair, PAIR_B, &pair_taken (pair, PAIR_B, 0)->id,
                                   g_bytes_new_take (g_malloc0 (16385), 16385), 0, &answer), ==,
                   SQX_ERR_TOO_LARGE);
  /* It is not answered by that. */
  answer = pair_reply (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), "answer", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_replied (pair, PAIR_A, question, "answer");
  pair_assert_ended (pair, PAIR_B, answer, SQX_END_ENDED);
}

/* Rule 3: one answer ------------------------------------------------------------------ */

static void
test_reasons (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  for (guint reason = 0; reason < SQX_N_END_REASONS; reason++)
    {
      guint tag = pair_send (pair, PAIR_A, "question", 0);

      pair_drive (pair);
      pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, reason), reason);
      pair_drive (pair);
      pair_assert_ended (pair, PAIR_A, tag, reason);
    }
  pair_assert_quiet (pair);
}

static void
assert_answered (Pair *pair, const sqx_message_id *id)
{
  guint tag;

  g_assert_cmpint (pair_try_reply (pair, PAIR_B, id, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_ALREADY_ANSWERED);
  g_assert_cmpint (sqx_conn_end (pair->side[PAIR_B].conn, pair->now, id, SQX_END_FAILED), ==,
                   SQX_ERR_ALREADY_ANSWERED);
}

static void
test_answered_once (gconstpointer data)
{
  gboolean by_reply = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  const PairMessage *message;
  guint tag = pair_send (pair, PAIR_A, "question", 0);

  pair_drive (pair);
  message = pair_taken (pair, PAIR_B, 0);
  if (by_reply)
    pair_reply (pair, PAIR_B, message, "answer", SQX_MESSAGE_FINAL);
  else
    pair_end (pair, PAIR_B, message, SQX_END_ENDED);
  /* Refused before the answer has gone out, on its way, and after all is over. */
  assert_answered (pair, &message->id);
  pair_flush (pair);
  assert_answered (pair, &message->id);
  pair_drive (pair);
  assert_answered (pair, &message->id);
  if (by_reply)
    pair_assert_replied (pair, PAIR_A, tag, "answer");
  else
    pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* The end of a message that is awaited goes at once; that of a final reply, for which nobody
 * waits, when something else goes, but no later than an acknowledgement would. */
static void
test_end_at_once (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  for (guint i = 0; i < 4; i++)
    pair_send (pair, PAIR_A, "question", 0);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_flush (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_ENDED);

  fake_begin (pair);
  fake_message (pair, 0, 1, SQX_WIRE_FINAL, 0, "final");
  fake_send (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, 1), ==, SQX_END_ENDED);

  fake_begin (pair);
  fake_message (pair, 0, 2, SQX_WIRE_REPLY, 0, "answer");
  fake_send (pair);
  pair_end (pair, PAIR_A, pair_wait (pair, PAIR_A, 1)->reply, SQX_END_ENDED);
  pair_flush (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, 2), ==, SQX_END_ENDED);

  for (guint i = 0; i < 2; i++)
    {
      pair_drive_for (pair, SQX_SECOND);
      fake_begin (pair);
      fake_message (pair, 0, 3 + i, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 1 + i, "answer");
      fake_send (pair);
      g_assert_cmpint (fake_end_reason (pair, 0, 3 + i), ==, -1);
      if (i == 0)
        pair_send (pair, PAIR_A, "company", SQX_MESSAGE_FINAL);
      else
        pair_drive_for (pair, SQX_ACK_DELAY_DEFAULT);
      pair_flush (pair);
      g_assert_cmpint (fake_end_reason (pair, 0, 3 + i), ==, SQX_END_ENDED);
    }
}

static void
test_unknown_id (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  sqx_message_id id = { 0, 0, 0 };

  pair_connect (pair);
  id.incarnation = sqx_conn_incarnation (pair->side[PAIR_B].conn);
  id.number = 77;
  assert_answered (pair, &id);
  id.channel = SQX_CHANNELS_MAX + 5;
  assert_answered (pair, &id);
  id.channel = 200;
  assert_answered (pair, &id);
  /* One that arrived in part is not the program's to answer. */
  pair->drop_next[PAIR_A] = 1;
  pair_send_size (pair, PAIR_A, 9, 3000, 0);
  pair_drive_for (pair, 11 * SQX_MILLISECOND);
  id.channel = 9;
  id.number = 0;
  assert_answered (pair, &id);
  sqx_conn_release (pair->side[PAIR_B].conn, &id);
}

static void
test_unhandled (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint tag;

  pair_config (&config, PAIR_B);
  config.accepts_messages = false;
  pair = pair_new (NULL, &config);
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_UNHANDLED);

  /* Final ones were not handed over, so they are unhandled too. */
  tag = pair_send (pair, PAIR_A, "final", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_UNHANDLED);

  sqx_conn_set_accepts_messages (pair->side[PAIR_B].conn, pair->now, true);
  pair->side[PAIR_B].hold_taking = TRUE;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair_assert_pending (pair, PAIR_A, tag);
  sqx_conn_set_accepts_messages (pair->side[PAIR_B].conn, pair->now, false);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_UNHANDLED);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 0);
  g_assert_false (sqx_conn_has_message (pair->side[PAIR_B].conn, 0));
  pair_assert_quiet (pair);
}

/* A reply is delivered to the wait whether the program takes messages or not. */
static void
test_unhandled_spares_replies (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag;

  sqx_conn_set_accepts_messages (pair->side[PAIR_A].conn, pair->now, false);
  pair->side[PAIR_B].handler = pair_echo;
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_drive (pair);
  pair_assert_replied (pair, PAIR_A, tag, "question");
  pair_assert_quiet (pair);
}

/* Rule 4: one outcome, always --------------------------------------------------------- */

/* A connection with waits of every kind on A: queued, begun, received, taken. */
static Pair *
waiting_pair (guint n)
{
  sqx_config config;
  Pair *pair;

  pair_config (&config, PAIR_B);
  config.exchange_credit = n / 2;
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  for (guint i = 0; i < n; i++)
    pair_send (pair, PAIR_A, "question", i % 2 ? SQX_MESSAGE_ORDERED : 0);
  pair_drive (pair);
  for (guint i = 0; i < n; i++)
    pair_assert_pending (pair, PAIR_A, 2 + i);
  return pair;
}

static void
test_peer_dies (void)
{
  g_autoptr (Pair) pair = waiting_pair (20);
  uint64_t start = pair->now;

  pair->block[PAIR_B] = TRUE;
  pair_drive_for (pair, 31 * SQX_SECOND);
  pair_assert_all_failed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair->side[PAIR_A].closing.time, <=, start + 30 * SQX_SECOND);
}

/* Neither direction works, and what is sent now never leaves. */
static void
test_network_lost (void)
{
  g_autoptr (Pair) pair = waiting_pair (4);
  guint tag;

  pair->block[PAIR_A] = pair->block[PAIR_B] = TRUE;
  pair_drive_for (pair, 5 * SQX_SECOND);
  tag = pair_send (pair, PAIR_A, "late", 0);
  pair_drive_for (pair, 31 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  pair_assert_closed (pair, PAIR_B, SQX_ERR_TIMED_OUT);
}

static void
test_never_answered_hello (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag = pair_send (pair, PAIR_A, "question", 0);

  pair->block[PAIR_A] = TRUE;
  pair_drive_for (pair, 31 * SQX_SECOND);
  pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_TIMED_OUT);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  g_assert_false (pair->side[PAIR_B].closed);
}

static void
test_close_ends_waits (gconstpointer data)
{
  guint closer = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = waiting_pair (20);

  sqx_conn_abort (pair->side[closer].conn, pair->now, 70, "bye");
  pair_drive (pair);
  pair_assert_all_failed (pair, PAIR_A,
                          closer == PAIR_A ? SQX_ERR_CLOSED : SQX_ERR_PEER_CLOSED);
  pair_assert_closed (pair, closer, SQX_OK);
  pair_assert_closed (pair, !closer, SQX_ERR_PEER_CLOSED);
}

static void
test_restart_ends_waits (void)
{
  g_autoptr (Pair) pair = waiting_pair (20);

  pair_restart (pair, PAIR_B);
  pair_drive_for (pair, 25 * SQX_SECOND);
  pair_assert_all_failed (pair, PAIR_A, SQX_ERR_SESSION_LOST);
  g_assert_true (pair_all_done (pair, PAIR_A));
  g_assert_false (pair->side[PAIR_A].closed);
}

static void
test_cancel_ends_wait (void)
{
  g_autoptr (Pair) pair = waiting_pair (10);

  for (guint tag = 2; tag <= 11; tag++)
    pair_cancel (pair, PAIR_A, tag);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* The limit comes with HELLO; a message that was taken in before is told. */
static void
test_too_large_for_peer (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint fits, too_large, late;

  pair_config (&config, PAIR_B);
  config.max_message_size = SQX_MESSAGE_MAX_MIN;
  pair = pair_new (NULL, &config);
  pair->side[PAIR_B].handler = pair_echo;
  g_assert_cmpuint (sqx_conn_peer_max_message_size (pair->side[PAIR_A].conn), ==, 0);
  too_large = pair_send_size (pair, PAIR_A, 0, SQX_MESSAGE_MAX_MIN + 1, 0);
  fits = pair_send_size (pair, PAIR_A, 0, SQX_MESSAGE_MAX_MIN, 0);
  pair_drive (pair);
  pair_assert_failed (pair, PAIR_A, too_large, SQX_ERR_TOO_LARGE);
  pair_assert_replied (pair, PAIR_A, fits, NULL);
  g_assert_cmpuint (sqx_conn_peer_max_message_size (pair->side[PAIR_A].conn), ==,
                    SQX_MESSAGE_MAX_MIN);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new_take (g_malloc0 (16385), 16385), 0,
                                  &late), ==, SQX_ERR_TOO_LARGE);
  pair_assert_quiet (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R1 "/seqex/rules/r01-numbers/"
  g_test_add_func (R1 "from-zero-per-channel-and-direction", test_from_zero);
  g_test_add_func (R1 "given-when-the-first-byte-may-be-sent", test_given_at_first_byte);
  g_test_add_func (R1 "no-number-waits-for-credit", test_no_number_waits);
  g_test_add_func (R1 "initial-messages-in-their-order", test_initial_in_order);
  g_test_add_func (R1 "replies-in-their-order", test_replies_in_order);
  g_test_add_func (R1 "answers-pass-messages-that-wait", test_answers_while_waiting);
  g_test_add_func (R1 "never-reused", test_never_reused);

#define R2 "/seqex/rules/r02-messages/"
  g_test_add_func (R2 "reply-names-message-on-its-channel", test_reply_names_message);
  g_test_add_func (R2 "final-is-ended-at-hand-over", test_final_ended_at_hand_over);
  g_test_add_func (R2 "final-reply-is-ended-at-delivery", test_final_reply_ended_at_delivery);
  g_test_add_func (R2 "chain-of-five", test_chain_of_five);
  g_test_add_func (R2 "not-final-stays-open", test_not_final_stays_open);
  g_test_add_func (R2 "sizes", test_sizes);
  g_test_add_func (R2 "reply-too-large", test_reply_too_large);

#define R3 "/seqex/rules/r03-answers/"
  g_test_add_func (R3 "every-reason", test_reasons);
  g_test_add_data_func (R3 "once-by-end", GINT_TO_POINTER (FALSE), test_answered_once);
  g_test_add_data_func (R3 "once-by-reply", GINT_TO_POINTER (TRUE), test_answered_once);
  g_test_add_func (R3 "end-goes-at-once", test_end_at_once);
  g_test_add_func (R3 "unknown-message", test_unknown_id);
  g_test_add_func (R3 "unhandled", test_unhandled);
  g_test_add_func (R3 "unhandled-spares-replies", test_unhandled_spares_replies);

#define R4 "/seqex/rules/r04-outcomes/"
  g_test_add_func (R4 "peer-dies", test_peer_dies);
  g_test_add_func (R4 "network-lost", test_network_lost);
  g_test_add_func (R4 "peer-never-there", test_never_answered_hello);
  g_test_add_data_func (R4 "close-by-this-side", GUINT_TO_POINTER (PAIR_A),
                        test_close_ends_waits);
  g_test_add_data_func (R4 "close-by-peer", GUINT_TO_POINTER (PAIR_B), test_close_ends_waits);
  g_test_add_func (R4 "peer-restarts", test_restart_ends_waits);
  g_test_add_func (R4 "cancel", test_cancel_ends_wait);
  g_test_add_func (R4 "too-large-for-the-peer", test_too_large_for_peer);

  return g_test_run ();
}
