/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

static void
record_done_cb (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  g_autoptr (SeqexMessage) reply =
    seqex_channel_send_with_reply_finish (SEQEX_CHANNEL (source), result, NULL);

  g_assert_nonnull (reply);
  (*(guint *) user_data)++;
}

static gboolean
record_cb (GObject      *object,
           SeqexMessage *message,
           GString      *record)
{
  g_autofree char *text = seqex_message_dup_text (message);

  g_string_append_printf (record, "%u:%s ", seqex_message_get_channel (message), text);
  return FALSE;
}

static void
send_on (SeqexChannel   *channel,
         const char     *text,
         SeqexSendFlags  flags)
{
  g_autoptr (GBytes) payload = util_bytes (text);

  seqex_channel_send_async (channel, payload, flags, NULL, NULL, NULL);
}

static void
test_signal (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 5);
  g_autoptr (SeqexChannel) b = seqex_connection_open_channel (pair.b, 5);
  g_autoptr (SeqexChannel) again = seqex_connection_open_channel (pair.b, 5);
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (GString) on_connection = g_string_new (NULL);
  guint done = 0;

  g_assert_true (again == b);
  g_assert_cmpuint (seqex_channel_get_id (b), ==, 5);
  g_assert_true (seqex_channel_get_connection (b) == pair.b);

  g_signal_connect (b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_signal_connect (pair.b, "message", G_CALLBACK (record_cb), on_connection);
  seqex_channel_send_with_reply_async (a, payload, SEQEX_SEND_FLAGS_NONE, NULL, record_done_cb,
                                       &done);
  wait_until (done == 1);
  g_assert_cmpstr (on_connection->str, ==, "");
  util_pair_free (&pair);
}

/* What nobody opened appears on the connection, until somebody opens it. */
static void
test_not_open (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 255);
  g_autoptr (SeqexChannel) b = NULL;
  g_autoptr (GString) on_connection = g_string_new (NULL);
  g_autoptr (GString) on_channel = g_string_new (NULL);
  gulong id;

  id = g_signal_connect (pair.b, "message", G_CALLBACK (record_cb), on_connection);
  send_on (a, "one", SEQEX_SEND_FLAGS_NONE);
  wait_until (strcmp (on_connection->str, "255:one ") == 0);

  g_signal_handler_disconnect (pair.b, id);
  send_on (a, "two", SEQEX_SEND_FLAGS_NONE);
  util_run_for (50);
  g_signal_connect (pair.b, "message", G_CALLBACK (record_cb), on_connection);
  b = seqex_connection_open_channel (pair.b, 255);
  util_run_for (20);
  g_signal_connect (b, "message", G_CALLBACK (record_cb), on_channel);
  wait_until (strcmp (on_channel->str, "255:two ") == 0);
  g_assert_cmpstr (on_connection->str, ==, "255:one ");
  util_pair_free (&pair);
}

static void
test_receive (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) b = seqex_connection_open_channel (pair.b, 1);
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) other = { 0 };
  g_auto (Outcome) received = { 0 };

  seqex_connection_receive_async (pair.b, NULL, util_outcome_cb, &other);
  send_on (a, "x", SEQEX_SEND_FLAGS_ORDERED);
  seqex_channel_receive_async (b, NULL, util_outcome_cb, &received);
  wait_until (received.result != NULL);
  message = seqex_channel_receive_finish (b, received.result, &error);
  g_assert_no_error (error);
  util_assert_text (message, "x");
  g_assert_cmpuint (seqex_message_get_channel (message), ==, 1);
  g_assert_null (other.result);
  g_clear_object (&message);

  util_outcome_clear (&received);
  seqex_channel_receive_async (b, NULL, util_outcome_cb, &received);
  g_assert_true (util_close (pair.a, NULL));
  wait_until (received.result != NULL && other.result != NULL);
  g_assert_null (seqex_channel_receive_finish (b, received.result, &error));
  g_assert_no_error (error);
  util_outcome_clear (&received);
  util_outcome_clear (&other);
  util_pair_free (&pair);
}

/* The ordered messages of one channel wait for each other, not for those of another one. */
static void
test_order (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a1 = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) a2 = seqex_connection_open_channel (pair.a, 2);
  g_autoptr (GString) record = g_string_new (NULL);

  g_signal_connect (pair.b, "message", G_CALLBACK (record_cb), record);
  send_on (a1, "a", SEQEX_SEND_FLAGS_ORDERED);
  send_on (a1, "b", SEQEX_SEND_FLAGS_ORDERED);
  send_on (a1, "c", SEQEX_SEND_FLAGS_ORDERED);
  wait_until (strcmp (record->str, "1:a 1:b 1:c ") == 0);
  send_on (a2, "d", SEQEX_SEND_FLAGS_ORDERED);
  wait_until (strcmp (record->str, "1:a 1:b 1:c 2:d ") == 0);
  util_pair_free (&pair);
}

static void
test_priority (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) low = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) high = seqex_connection_open_channel (pair.a, 2);
  g_autoptr (GString) record = g_string_new (NULL);
  g_autoptr (GBytes) large = util_blob (900000, 1);
  guint count = 0;

  g_assert_cmpuint (seqex_channel_get_priority (low), ==, 3);
  g_signal_connect_swapped (low, "notify::priority", G_CALLBACK (g_atomic_int_inc), &count);
  seqex_channel_set_priority (low, 7);
  seqex_channel_set_priority (low, 7);
  seqex_channel_set_priority (high, 0);
  g_assert_cmpuint (count, ==, 1);
  g_assert_cmpuint (seqex_channel_get_priority (low), ==, 7);

  g_signal_connect (pair.b, "message", G_CALLBACK (record_cb), record);
  send_on (low, "hello", SEQEX_SEND_FLAGS_NONE);
  wait_until (strcmp (record->str, "1:hello ") == 0);

  /* The large message was submitted first and arrives last. */
  seqex_channel_send_async (low, large, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  send_on (high, "urgent", SEQEX_SEND_FLAGS_NONE);
  wait_until (strlen (record->str) > 16);
  g_assert_true (g_str_has_prefix (record->str, "1:hello 2:urgent "));

  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*priority <*");
  seqex_channel_set_priority (low, 8);
  g_test_assert_expected_messages ();
  g_assert_true (util_close (pair.a, NULL));
  util_pair_free (&pair);
}

typedef struct
{
  guint n_connection;
  guint behind; /* messages of the connection before that of the channel */
} Fair;

static gboolean
fair_connection_cb (SeqexConnection *connection,
                    SeqexMessage    *message,
                    Fair            *fair)
{
  fair->n_connection++;
  return FALSE;
}

static gboolean
fair_channel_cb (SeqexChannel *channel,
                 SeqexMessage *message,
                 Fair         *fair)
{
  fair->behind = fair->n_connection;
  return FALSE;
}

/* However much waits on one channel, the others have their turn. */
static void
test_fair (void)
{
  const guint n = 500;
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) b = seqex_connection_open_channel (pair.b, 1);
  g_autoptr (GBytes) payload = util_bytes ("x");
  Fair fair = { 0 };

  for (guint i = 0; i < n; i++)
    seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  send_on (a, "x", SEQEX_SEND_FLAGS_NONE);
  wait_until (seqex_connection_get_queued_bytes (pair.a) == 0);
  util_run_for (100);
  g_signal_connect (pair.b, "message", G_CALLBACK (fair_connection_cb), &fair);
  g_signal_connect (b, "message", G_CALLBACK (fair_channel_cb), &fair);
  wait_until (fair.n_connection == n);
  g_assert_cmpuint (fair.behind, <=, 1);
  util_pair_free (&pair);
}

static gboolean
keep_cb (GObject      *object,
         SeqexMessage *message,
         GPtrArray    *kept)
{
  g_ptr_array_add (kept, g_object_ref (message));
  return TRUE;
}

/* A critical section: answered, ended, released, in turn. */
static void
test_serialized (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) b = seqex_connection_open_channel (pair.b, 1);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GBytes) payload = util_bytes ("x");
  guint notified = 0;

  g_signal_connect_swapped (b, "notify::serialized", G_CALLBACK (g_atomic_int_inc), &notified);
  seqex_channel_set_serialized (b, TRUE);
  seqex_channel_set_serialized (b, TRUE);
  g_assert_true (seqex_channel_get_serialized (b));
  g_assert_cmpuint (notified, ==, 1);
  g_signal_connect (b, "message", G_CALLBACK (keep_cb), kept);
  for (guint i = 0; i < 5; i++)
    seqex_channel_send_with_reply_async (a, payload, SEQEX_SEND_FLAGS_ORDERED, NULL, NULL, NULL);

  wait_until (kept->len == 1);
  util_run_for (50);
  g_assert_cmpuint (kept->len, ==, 1);

  seqex_message_reply_async (kept->pdata[0], payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  wait_until (kept->len == 2);
  util_run_for (20);
  g_assert_cmpuint (kept->len, ==, 2);

  seqex_message_end (kept->pdata[1]);
  wait_until (kept->len == 3);
  util_run_for (20);
  g_assert_cmpuint (kept->len, ==, 3);

  seqex_message_release (kept->pdata[2]);
  wait_until (kept->len == 4);
  util_run_for (20);
  g_assert_cmpuint (kept->len, ==, 4);

  seqex_channel_set_serialized (b, FALSE);
  wait_until (kept->len == 5);
  util_close (pair.a, NULL);
  g_ptr_array_set_size (kept, 0);
  util_pair_free (&pair);
}

static void
test_timeout (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) before = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (SeqexChannel) after = NULL;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) sent = { 0 };

  seqex_connection_set_timeout (pair.a, 5000);
  after = seqex_connection_open_channel (pair.a, 2);
  g_assert_cmpuint (seqex_channel_get_timeout (before), ==, 0);
  g_assert_cmpuint (seqex_channel_get_timeout (after), ==, 5000);

  seqex_channel_set_timeout (after, 20);
  seqex_channel_send_async (after, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb, &sent);
  wait_until (sent.result != NULL);
  g_assert_false (seqex_channel_send_finish (after, sent.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "20 ms"));
  util_outcome_clear (&sent);
  util_pair_dispose (&pair);
}

/* A channel does not keep its connection. */
static void
test_without_connection (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) channel = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) sent = { 0 };
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) received = { 0 };

  util_pair_free (&pair);
  g_assert_null (seqex_channel_get_connection (channel));
  g_assert_cmpuint (seqex_channel_get_id (channel), ==, 1);
  seqex_channel_set_priority (channel, 1);

  seqex_channel_send_async (channel, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb, &sent);
  seqex_channel_send_with_reply_async (channel, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                       util_outcome_cb, &asked);
  seqex_channel_receive_async (channel, NULL, util_outcome_cb, &received);
  g_assert_null (sent.result);
  wait_until (sent.result != NULL && asked.result != NULL && received.result != NULL);
  g_assert_false (seqex_channel_send_finish (channel, sent.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (seqex_channel_send_with_reply_finish (channel, asked.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (seqex_channel_receive_finish (channel, received.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}

/* … but what it has begun does. */
static void
test_pending (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) channel = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (GBytes) payload = util_bytes ("x");
  guint done = 0;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  seqex_channel_send_with_reply_async (channel, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                       record_done_cb, &done);
  g_object_add_weak_pointer (G_OBJECT (pair.a), (gpointer *) &pair.a);
  g_object_unref (pair.a);
  g_assert_nonnull (pair.a);
  wait_until (done == 1);
  wait_until (pair.a == NULL);
  g_assert_null (seqex_channel_get_connection (channel));
  seqex_connection_close_async (pair.b, NULL, NULL, NULL);
  g_object_run_dispose (G_OBJECT (pair.b));
  util_settle ();
  g_assert_finalize_object (pair.b);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/channel/signal", test_signal);
  g_test_add_func ("/seqex/channel/not-open", test_not_open);
  g_test_add_func ("/seqex/channel/receive", test_receive);
  g_test_add_func ("/seqex/channel/order", test_order);
  g_test_add_func ("/seqex/channel/priority", test_priority);
  g_test_add_func ("/seqex/channel/fair", test_fair);
  g_test_add_func ("/seqex/channel/serialized", test_serialized);
  g_test_add_func ("/seqex/channel/timeout", test_timeout);
  g_test_add_func ("/seqex/channel/without-connection", test_without_connection);
  g_test_add_func ("/seqex/channel/pending", test_pending);

  return g_test_run ();
}
