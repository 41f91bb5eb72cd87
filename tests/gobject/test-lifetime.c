/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "seqex-connection-private.h"

static void
test_fresh (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GSocket) socket = g_object_ref (seqex_connection_get_socket (pair.a));

  g_assert_finalize_object (pair.a);
  /* The socket is the program's as much as it was the connection's. */
  g_assert_false (g_socket_is_closed (socket));
  g_object_run_dispose (G_OBJECT (pair.b));
  g_object_run_dispose (G_OBJECT (pair.b));
  g_assert_finalize_object (pair.b);
}

/* A connection that has nothing to do is freed with its last reference. */
static void
test_idle (void)
{
  Pair pair = util_pair_new ();

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  /* The last acknowledgement may be on its way still. */
  util_run_for (100);
  g_assert_finalize_object (pair.a);
  g_assert_finalize_object (pair.b);
}

static void
test_closed (void)
{
  Pair pair = util_pair_new ();

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  g_assert_true (util_close (pair.a, NULL));
  g_assert_finalize_object (pair.a);
  wait_until (seqex_connection_get_state (pair.b) == SEQEX_CONNECTION_STATE_CLOSED);
  g_assert_finalize_object (pair.b);
}

static void
drop_cb (SeqexConnection  *connection,
         const GError     *error,
         SeqexConnection **kept)
{
  g_clear_object (kept);
}

/* The last reference goes in a signal. */
static void
test_dropped_in_signal (void)
{
  Pair pair = util_pair_new ();
  gpointer b = pair.b;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_signal_connect (pair.b, "closed", G_CALLBACK (drop_cb), &pair.b);
  g_object_add_weak_pointer (b, &b);
  util_exchange (pair.a, "x");
  g_assert_true (util_close (pair.a, NULL));
  wait_until (b == NULL);
  g_assert_null (pair.b);
  g_assert_finalize_object (pair.a);
}

static void
drop_source_cb (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  SeqexConnection **kept = user_data;

  g_assert_true (seqex_connection_send_finish (*kept, result, NULL));
  g_clear_object (kept);
}

static void
test_dropped_in_callback (void)
{
  Pair pair = util_pair_new ();
  gpointer a = pair.a;
  g_autoptr (GBytes) payload = util_bytes ("x");

  g_object_add_weak_pointer (a, &a);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, drop_source_cb,
                               &pair.a);
  wait_until (a == NULL);
  util_run_for (100);
  g_assert_finalize_object (pair.b);
}

/* What was sent arrives although nobody holds the connection any more. */
static void
test_pending (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_blob (100000, 1);
  g_autoptr (SeqexMessage) message = NULL;
  gpointer a = pair.a;

  g_object_add_weak_pointer (a, &a);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_clear_object (&pair.a);
  g_assert_nonnull (a);
  message = util_receive (pair.b, NULL);
  g_assert_true (g_bytes_equal (seqex_message_get_payload (message), payload));
  wait_until (a == NULL);
  /* The peer has its acknowledgements, so it is left in peace. */
  util_run_for (100);
  g_assert_cmpint (seqex_connection_get_state (pair.b), ==, SEQEX_CONNECTION_STATE_CONNECTED);
  g_clear_object (&message);
  g_assert_finalize_object (pair.b);
}

static void
datagram_cb (SeqexConnection *connection,
             GBytes          *payload,
             guint           *count)
{
  (*count)++;
}

/* A datagram leaves. */
static void
test_pending_datagram (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  guint count = 0;

  g_signal_connect (pair.b, "datagram", G_CALLBACK (datagram_cb), &count);
  g_assert_true (seqex_connection_send_datagram (pair.a, payload, NULL));
  g_clear_object (&pair.a);
  wait_until (count == 1);
  g_object_run_dispose (G_OBJECT (pair.b));
  g_assert_finalize_object (pair.b);
}

/* An end arrives, too. */
static void
test_pending_end (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  SeqexMessage *message;
  gpointer b = pair.b;

  g_object_add_weak_pointer (b, &b);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  message = util_receive (pair.b, NULL);
  g_clear_object (&pair.b);
  util_run_for (20);
  g_assert_nonnull (b);
  g_object_unref (message);
  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  wait_until (b == NULL);
  util_outcome_clear (&asked);
  util_run_for (100);
  g_assert_finalize_object (pair.a);
}

/* A message for which nobody listens keeps nothing. */
static void
test_unheard (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("question");
  gpointer b = pair.b;

  g_object_add_weak_pointer (b, &b);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL,
                                          NULL);
  wait_until (seqex_connection_get_state (pair.a) == SEQEX_CONNECTION_STATE_CONNECTED);
  util_run_for (50);
  g_clear_object (&pair.b);
  g_assert_null (b);
  g_object_run_dispose (G_OBJECT (pair.a));
  util_settle ();
  g_assert_finalize_object (pair.a);
}

/* Somebody insists: everything that waits is told, later. */
static void
test_dispose (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexChannel) channel = seqex_connection_open_channel (pair.a, 1);
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) taken = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) received = { 0 };
  g_auto (Outcome) closed = { 0 };
  g_auto (Outcome) other = { 0 };

  seqex_connection_set_timeout (pair.a, 60000);
  seqex_connection_send_with_reply_async (pair.b, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &other);
  taken = util_receive (pair.a, NULL);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, cancellable,
                                          util_outcome_cb, &asked);
  seqex_channel_receive_async (channel, NULL, util_outcome_cb, &received);
  util_settle ();
  seqex_connection_close_async (pair.a, NULL, util_outcome_cb, &closed);
  g_object_run_dispose (G_OBJECT (pair.a));
  g_assert_null (asked.result);
  g_assert_null (received.result);
  g_assert_null (closed.result);

  wait_until (asked.result != NULL && received.result != NULL && closed.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (seqex_channel_receive_finish (channel, received.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (seqex_connection_close_finish (pair.a, closed.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);

  /* It still answers politely. */
  g_assert_false (util_send (pair.a, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (util_reply (taken, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_true (util_close (pair.a, NULL));
  g_assert_cmpuint (seqex_connection_get_queued_bytes (pair.a), ==, 0);
  seqex_connection_set_idle_timeout (pair.a, 100);

  g_object_run_dispose (G_OBJECT (pair.b));
  util_settle ();
  util_outcome_clear (&asked);
  util_outcome_clear (&received);
  util_outcome_clear (&closed);
  util_outcome_clear (&other);
  g_clear_object (&taken);
  util_settle ();
  g_assert_finalize_object (pair.a);
  g_assert_finalize_object (pair.b);
}

static gboolean
dispose_cb (SeqexConnection *connection,
            SeqexMessage    *message,
            gpointer         user_data)
{
  g_object_run_dispose (G_OBJECT (connection));
  return FALSE;
}

static void
test_dispose_in_handler (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (SeqexChannel) a = seqex_connection_open_channel (pair.a, 1);
  SeqexChannel *b = seqex_connection_open_channel (pair.b, 1);

  g_signal_connect_swapped (b, "message", G_CALLBACK (dispose_cb), pair.b);
  g_object_add_weak_pointer (G_OBJECT (b), (gpointer *) &b);
  g_object_unref (b);
  seqex_channel_send_async (a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  seqex_channel_send_async (a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  wait_until (b == NULL);
  g_object_run_dispose (G_OBJECT (pair.a));
  util_settle ();
  g_assert_finalize_object (pair.a);
  g_assert_finalize_object (pair.b);
}

static gpointer
unref_thread (gpointer messages)
{
  g_ptr_array_unref (messages);
  return NULL;
}

/* A garbage collector may run in another thread. */
static void
test_messages_in_thread (void)
{
  const guint n = 500;
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("question");
  GPtrArray *messages = g_ptr_array_new_with_free_func (g_object_unref);
  Outcome *asked = g_new0 (Outcome, n);
  GThread *thread;

  for (guint i = 0; i < n; i++)
    {
      seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              util_outcome_cb, &asked[i]);
      g_ptr_array_add (messages, util_receive (pair.b, NULL));
    }
  thread = g_thread_new ("unref", unref_thread, messages);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GError) error = NULL;

      wait_until (asked[i].result != NULL);
      g_assert_null (util_send_with_reply_finish (&asked[i], &error));
      g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
      util_outcome_clear (&asked[i]);
    }
  g_thread_join (thread);
  g_free (asked);
  g_assert_cmpuint (seqex_connection_get_dialogue (pair.b)->taken.length, ==, 0);
  /* The messages that the thread dropped go a little later, and hold the connection until then. */
  wait_until (G_OBJECT (pair.b)->ref_count == 1);
  util_pair_free (&pair);
}

/* The payload is released when it is not needed any more. */
static void
test_payload (void)
{
  Pair pair = util_pair_new ();
  gpointer released = &pair;
  GBytes *payload = g_bytes_new_with_free_func ("static", 6, (GDestroyNotify) g_nullify_pointer,
                                                &released);

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_bytes_unref (payload);
  g_assert_nonnull (released);
  wait_until (released == NULL);
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/lifetime/fresh", test_fresh);
  g_test_add_func ("/seqex/lifetime/idle", test_idle);
  g_test_add_func ("/seqex/lifetime/closed", test_closed);
  g_test_add_func ("/seqex/lifetime/dropped-in-signal", test_dropped_in_signal);
  g_test_add_func ("/seqex/lifetime/dropped-in-callback", test_dropped_in_callback);
  g_test_add_func ("/seqex/lifetime/pending", test_pending);
  g_test_add_func ("/seqex/lifetime/pending-datagram", test_pending_datagram);
  g_test_add_func ("/seqex/lifetime/pending-end", test_pending_end);
  g_test_add_func ("/seqex/lifetime/unheard", test_unheard);
  g_test_add_func ("/seqex/lifetime/dispose", test_dispose);
  g_test_add_func ("/seqex/lifetime/dispose-in-handler", test_dispose_in_handler);
  g_test_add_func ("/seqex/lifetime/messages-in-thread", test_messages_in_thread);
  g_test_add_func ("/seqex/lifetime/payload", test_payload);

  return g_test_run ();
}
