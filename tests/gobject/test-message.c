/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

static void
ask (SeqexConnection *connection,
     const char      *text,
     Outcome         *outcome)
{
  g_autoptr (GBytes) payload = util_bytes (text);

  seqex_connection_send_with_reply_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, outcome);
}

static void
test_properties (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("ordered and final");
  g_autoptr (GBytes) got = NULL;
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) question = NULL;
  g_auto (Outcome) asked = { 0 };
  gboolean ordered, expects_reply, is_reply, cancelled;
  guint channel, position;

  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_ORDERED, NULL, NULL, NULL);
  message = util_receive (pair.b, NULL);
  g_object_get (message, "payload", &got, "connection", &connection, "channel", &channel,
                "ordered", &ordered, "expects-reply", &expects_reply, "is-reply", &is_reply,
                "position", &position, "cancelled", &cancelled, NULL);
  g_assert_true (g_bytes_equal (got, payload));
  g_assert_true (connection == pair.b);
  g_assert_cmpuint (channel, ==, 0);
  g_assert_true (ordered);
  g_assert_false (expects_reply);
  g_assert_false (is_reply);
  g_assert_cmpuint (position, ==, 0);
  g_assert_false (cancelled);

  ask (pair.a, "question", &asked);
  question = util_receive (pair.b, NULL);
  g_assert_false (seqex_message_get_ordered (question));
  g_assert_true (seqex_message_get_expects_reply (question));
  g_assert_true (seqex_message_get_connection (question) == pair.b);
  seqex_message_end (question);
  g_assert_true (seqex_message_get_expects_reply (question));
  wait_until (asked.result != NULL);

  g_clear_object (&message);
  g_clear_object (&question);
  g_clear_object (&connection);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
test_text (void)
{
  const struct
  {
    const char *data;
    gsize       size;
    const char *text;
  } cases[] = {
    { "", 0, "" },
    { "plain", 5, "plain" },
    { "gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f" },
    { "gr\xfc\xdf", 4, NULL },
    { "cut \xc3", 5, NULL },
    { "with\0NUL", 8, NULL },
  };
  Pair pair = util_pair_new ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (cases[i].data, cases[i].size);
      g_autoptr (SeqexMessage) message = NULL;
      g_autofree char *text = NULL;

      seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
      message = util_receive (pair.b, NULL);
      text = seqex_message_dup_text (message);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
  util_pair_free (&pair);
}

/* Chains --------------------------------------------------------------------------------- */

typedef struct
{
  GString *record;
  guint    last;   /* position that is answered by an end */
  gboolean over;
} Chain;

static void chain_go_on (Chain        *chain,
                         SeqexMessage *message);

static void
chain_reply_cb (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  Chain *chain = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) message =
    seqex_message_reply_with_reply_finish (SEQEX_MESSAGE (source), result, &error);

  if (message != NULL)
    {
      chain_go_on (chain, message);
      return;
    }
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  chain->over = TRUE;
}

static void
chain_start_cb (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) message =
    seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, &error);

  g_assert_no_error (error);
  chain_go_on (user_data, message);
}

static void
chain_go_on (Chain        *chain,
             SeqexMessage *message)
{
  guint position = seqex_message_get_position (message);
  g_autofree char *text = seqex_message_dup_text (message);
  g_autofree char *next = g_strdup_printf ("message %u", position + 1);
  g_autoptr (GBytes) payload = util_bytes (next);

  g_assert_cmpint (seqex_message_get_is_reply (message), ==, position > 0);
  g_string_append_printf (chain->record, "%u=%s ", position, text);
  if (position == chain->last)
    seqex_message_end (message);
  else
    seqex_message_reply_with_reply_async (message, payload, SEQEX_SEND_FLAGS_ORDERED, NULL,
                                          chain_reply_cb, chain);
}

static gboolean
chain_message_cb (SeqexConnection *connection,
                  SeqexMessage    *message,
                  Chain           *chain)
{
  chain_go_on (chain, message);
  return TRUE;
}

/* Five messages, the last one answered by an end. */
static void
test_chain (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("message 0");
  Chain chain = { g_string_new (NULL), 4, FALSE };

  g_signal_connect (pair.b, "message", G_CALLBACK (chain_message_cb), &chain);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          chain_start_cb, &chain);
  wait_until (chain.over);
  g_assert_cmpstr (chain.record->str, ==,
                   "0=message 0 1=message 1 2=message 2 3=message 3 4=message 4 ");
  g_string_free (chain.record, TRUE);
  util_pair_free (&pair);
}

/* Answers -------------------------------------------------------------------------------- */

static void
test_answer_twice (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("answer");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) again = { 0 };

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_reply_async (message, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_assert_false (util_reply (message, "another answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED);
  g_clear_error (&error);
  seqex_message_reply_with_reply_async (message, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                        util_outcome_cb, &again);
  wait_until (again.result != NULL && asked.result != NULL);
  g_assert_null (seqex_message_reply_with_reply_finish (message, again.result, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED);
  g_clear_error (&error);
  /* No-ops. */
  seqex_message_end (message);
  seqex_message_end_with_reason (message, SEQEX_END_REASON_FAILED);

  reply = util_send_with_reply_finish (&asked, NULL);
  util_assert_text (reply, "answer");
  /* A final reply expects no answer. */
  g_assert_false (seqex_message_get_expects_reply (reply));
  g_assert_false (util_reply (reply, "answer to the answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED);
  g_assert_nonnull (strstr (error->message, "expects no reply"));
  g_clear_error (&error);
  seqex_message_end (reply);

  g_clear_object (&message);
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_outcome_clear (&again);
  util_pair_free (&pair);
}

static void
test_answer_after_end (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_end (message);
  seqex_message_end (message);
  g_assert_false (util_reply (message, "answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED);
  wait_until (asked.result != NULL);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
test_end_reasons (void)
{
  const struct
  {
    SeqexEndReason reason;
    GQuark         domain;
    int            code;
  } cases[] = {
    { SEQEX_END_REASON_ENDED, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY },
    { SEQEX_END_REASON_UNHANDLED, SEQEX_ERROR, SEQEX_ERROR_UNHANDLED },
    { SEQEX_END_REASON_FAILED, SEQEX_ERROR, SEQEX_ERROR_HANDLER_FAILED },
    { SEQEX_END_REASON_CANCELLED, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER },
    { SEQEX_END_REASON_CLOSING, G_IO_ERROR, G_IO_ERROR_CLOSED },
  };
  Pair pair = util_pair_new ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (SeqexMessage) message = NULL;
      g_autoptr (GError) error = NULL;
      g_auto (Outcome) asked = { 0 };

      ask (pair.a, "question", &asked);
      message = util_receive (pair.b, NULL);
      seqex_message_end_with_reason (message, cases[i].reason);
      wait_until (asked.result != NULL);
      g_assert_null (util_send_with_reply_finish (&asked, &error));
      g_assert_error (error, cases[i].domain, cases[i].code);
    }
  util_pair_free (&pair);
}

/* A reply that is too large can be tried again with a smaller one. */
static void
test_large_reply (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) large = util_blob (20001, 1);
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) refused = { 0 };

  seqex_connection_set_max_message_size (pair.a, 20000);
  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_reply_async (message, large, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                             &refused);
  wait_until (refused.result != NULL);
  g_assert_false (seqex_message_reply_finish (message, refused.result, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE);
  g_clear_error (&error);
  g_assert_true (util_reply (message, "in short", &error));
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, NULL);
  util_assert_text (reply, "in short");
  g_clear_object (&message);
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_outcome_clear (&refused);
  util_pair_free (&pair);
}

/* A message that goes away unanswered is ended, and a log names it. */
static void
test_dropped (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  SeqexMessage *message;

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  util_run_for (50);
  g_assert_null (asked.result);

  g_test_expect_message ("Seqex", G_LOG_LEVEL_DEBUG,
                         "Message 0 on channel 0, of 8 bytes, was dropped unanswered");
  g_assert_finalize_object (message);
  g_test_assert_expected_messages ();
  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static gboolean
take_cb (SeqexConnection *connection,
         SeqexMessage    *message,
         gpointer         user_data)
{
  return TRUE;
}

static void
test_taken_and_dropped (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) error = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (take_cb), NULL);
  g_assert_null (util_send_with_reply (pair.a, "question", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  util_pair_free (&pair);
}

/* A reply that expects one in turn and is dropped. */
static void
test_dropped_reply (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("answer");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) answered = { 0 };

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_reply_with_reply_async (message, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                        util_outcome_cb, &answered);
  wait_until (asked.result != NULL);
  g_object_unref (util_send_with_reply_finish (&asked, NULL));
  wait_until (answered.result != NULL);
  g_assert_null (seqex_message_reply_with_reply_finish (message, answered.result, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_outcome_clear (&answered);
  util_pair_free (&pair);
}

/* Answering when the connection is over. */
static void
test_answer_after_close (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  util_close (pair.a, NULL);
  wait_until (seqex_connection_get_state (pair.b) == SEQEX_CONNECTION_STATE_CLOSED);
  g_assert_false (util_reply (message, "answer", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  seqex_message_release (message);
  seqex_message_end (message);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
test_arguments (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) empty = g_object_new (SEQEX_TYPE_MESSAGE, NULL);
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_auto (Outcome) asked = { 0 };

  ask (pair.a, "question", &asked);
  message = util_receive (pair.b, NULL);
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*payload != NULL*");
  seqex_message_reply_async (message, NULL, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*reason*");
  seqex_message_end_with_reason (message, 5);

  /* Nobody but the library makes messages, but bindings let a program try. */
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*connection != NULL*");
  seqex_message_reply_async (empty, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*payload != NULL*");
  g_assert_null (seqex_message_dup_text (empty));
  seqex_message_end (empty);
  g_test_assert_expected_messages ();

  seqex_message_end (message);
  wait_until (asked.result != NULL);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/message/properties", test_properties);
  g_test_add_func ("/seqex/message/text", test_text);
  g_test_add_func ("/seqex/message/chain", test_chain);
  g_test_add_func ("/seqex/message/answer-twice", test_answer_twice);
  g_test_add_func ("/seqex/message/answer-after-end", test_answer_after_end);
  g_test_add_func ("/seqex/message/end-reasons", test_end_reasons);
  g_test_add_func ("/seqex/message/large-reply", test_large_reply);
  g_test_add_func ("/seqex/message/dropped", test_dropped);
  g_test_add_func ("/seqex/message/taken-and-dropped", test_taken_and_dropped);
  g_test_add_func ("/seqex/message/dropped-reply", test_dropped_reply);
  g_test_add_func ("/seqex/message/answer-after-close", test_answer_after_close);
  g_test_add_func ("/seqex/message/arguments", test_arguments);

  return g_test_run ();
}
