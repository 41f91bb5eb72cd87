/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

/* The callback never comes from within the call, not even for what fails at once. */
static void
test_later (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_auto (Outcome) sent = { 0 };
  g_auto (Outcome) received = { 0 };
  g_auto (Outcome) closed = { 0 };

  util_close (pair.a, NULL);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &sent);
  seqex_connection_receive_async (pair.a, NULL, util_outcome_cb, &received);
  seqex_connection_close_async (pair.a, NULL, util_outcome_cb, &closed);
  g_assert_null (sent.result);
  g_assert_null (received.result);
  g_assert_null (closed.result);
  wait_until (sent.result != NULL && received.result != NULL && closed.result != NULL);
  util_outcome_clear (&sent);
  util_outcome_clear (&received);
  util_outcome_clear (&closed);
  util_pair_free (&pair);
}

typedef struct
{
  guint    depth;
  guint    count;
  gboolean inside;
} Nesting;

/* From within a callback, too, each callback comes after the one before has returned. */
static void
nesting_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  SeqexConnection *connection = SEQEX_CONNECTION (source);
  Nesting *nesting = user_data;
  g_autoptr (GBytes) payload = util_bytes ("x");

  g_assert_false (nesting->inside);
  nesting->inside = TRUE;
  nesting->count++;
  if (nesting->count < 50)
    seqex_connection_send_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL, nesting_cb,
                                 nesting);
  nesting->inside = FALSE;
}

static void
test_no_recursion (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  Nesting nesting = { 0 };

  util_close (pair.a, NULL);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, nesting_cb, &nesting);
  wait_until (nesting.count == 50);
  util_pair_free (&pair);
}

/* A handler that runs a loop of its own until it has an answer over the same connection. */
static gboolean
ask_back_cb (SeqexConnection *connection,
             SeqexMessage    *message,
             guint           *depth)
{
  g_autofree char *text = seqex_message_dup_text (message);

  if (++*depth < 5)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (SeqexMessage) reply = util_send_with_reply (connection, text, &error);

      g_assert_no_error (error);
      util_assert_text (reply, text);
    }
  return util_echo_cb (G_OBJECT (connection), message, NULL);
}

static void
test_nested_loop (void)
{
  Pair pair = util_pair_new ();
  guint depth = 0;

  g_signal_connect (pair.a, "message", G_CALLBACK (ask_back_cb), &depth);
  g_signal_connect (pair.b, "message", G_CALLBACK (ask_back_cb), &depth);
  util_exchange (pair.a, "what I told you");
  g_assert_cmpuint (depth, ==, 5);
  util_pair_free (&pair);
}

static void
time_out_cb (GObject      *source,
             GAsyncResult *result,
             gpointer      user_data)
{
  SeqexConnection *connection = SEQEX_CONNECTION (source);
  g_autoptr (GError) error = NULL;
  guint *count = user_data;

  g_assert_false (seqex_connection_send_finish (connection, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  (*count)++;
  if (*count == 1)
    {
      g_autoptr (GBytes) payload = util_bytes ("x");
      gint64 start = g_get_monotonic_time ();

      seqex_connection_send_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL, time_out_cb,
                                   count);
      wait_until (*count == 2);
      g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
    }
}

/* A callback that time has brought waits for another one that time is to bring. */
static void
test_nested_time (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  guint count = 0;

  seqex_connection_set_timeout (pair.a, 50);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, time_out_cb, &count);
  wait_until (count == 2);
  util_pair_dispose (&pair);
}

/* A handler that connects late, while the loop sleeps on nothing but time. */
static gboolean
connect_cb (gpointer connection)
{
  g_signal_connect (connection, "message", G_CALLBACK (util_echo_cb), NULL);
  return G_SOURCE_REMOVE;
}

static void
test_late_handler (void)
{
  Pair pair = util_pair_new ();
  gint64 start = g_get_monotonic_time ();

  g_timeout_add (100, connect_cb, pair.b);
  util_exchange (pair.a, "x");
  /* No other timer of the connection is that near. */
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  util_pair_free (&pair);
}

typedef struct
{
  GSource          source;
  SeqexConnection *connection;
  Outcome         *outcome;
} SendingSource;

static gboolean
sending_prepare (GSource *source,
                 int     *timeout)
{
  SendingSource *self = (SendingSource *) source;
  g_autoptr (GBytes) payload = util_bytes ("x");

  *timeout = -1;
  if (self->connection != NULL)
    seqex_connection_send_with_reply_async (self->connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                            util_outcome_cb, self->outcome);
  self->connection = NULL;
  return FALSE;
}

static gboolean
sending_check (GSource *source)
{
  return FALSE;
}

static gboolean
sending_dispatch (GSource     *source,
                  GSourceFunc  callback,
                  gpointer     user_data)
{
  return G_SOURCE_CONTINUE;
}

/* A call from where the context has already asked the connection whether it is ready. */
static void
test_from_prepare (void)
{
  static GSourceFuncs funcs = {
    .prepare = sending_prepare, .check = sending_check, .dispatch = sending_dispatch,
  };
  Pair pair = util_pair_new ();
  GSource *source = g_source_new (&funcs, sizeof (SendingSource));
  g_autoptr (SeqexMessage) reply = NULL;
  g_auto (Outcome) asked = { 0 };
  gint64 start = g_get_monotonic_time ();

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_settle ();
  ((SendingSource *) source)->connection = pair.a;
  ((SendingSource *) source)->outcome = &asked;
  g_source_attach (source, NULL);
  wait_until (asked.result != NULL);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
  reply = util_send_with_reply_finish (&asked, NULL);
  util_assert_text (reply, "x");
  g_source_destroy (source);
  g_source_unref (source);
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* An emission is blocked, unblocked: a blocked handler does not listen. */
static void
test_blocked_handler (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_auto (Outcome) asked = { 0 };
  g_autoptr (SeqexMessage) reply = NULL;
  gulong id = g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);

  g_signal_handler_block (pair.b, id);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  util_run_for (50);
  g_assert_null (asked.result);
  g_signal_handler_unblock (pair.b, id);
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, NULL);
  util_assert_text (reply, "x");
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* Threads -------------------------------------------------------------------------------- */

static gboolean
check_thread_cb (SeqexConnection *connection,
                 SeqexMessage    *message,
                 GThread         *thread)
{
  g_assert_true (g_thread_self () == thread);
  return util_echo_cb (G_OBJECT (connection), message, NULL);
}

static gpointer
pair_thread (gpointer user_data)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Pair pair;

  g_main_context_push_thread_default (context);
  pair = util_pair_new ();
  g_signal_connect (pair.b, "message", G_CALLBACK (check_thread_cb), g_thread_self ());
  for (guint i = 0; i < 200; i++)
    util_exchange (pair.a, "x");
  g_assert_true (util_close (pair.a, NULL));
  util_pair_free (&pair);
  g_main_context_pop_thread_default (context);
  return NULL;
}

/* Different connections in different threads share nothing. */
static void
test_threads (void)
{
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("pair", pair_thread, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* The callback comes on the connection's context, whatever the caller's is. */
static void
test_other_default (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GMainContext) other = g_main_context_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_auto (Outcome) sent = { 0 };

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_main_context_push_thread_default (other);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &sent);
  g_main_context_pop_thread_default (other);
  wait_until (sent.result != NULL);
  g_assert_true (util_send_finish (&sent, NULL));
  util_outcome_clear (&sent);
  util_pair_free (&pair);
}

static gpointer
wrong_thread (gpointer user_data)
{
  Pair *pair = user_data;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (SeqexMessage) message = NULL;

  seqex_connection_send_async (pair->a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               NULL);
  g_assert_false (seqex_connection_send_datagram (pair->a, payload, NULL));
  g_assert_null (seqex_connection_open_channel (pair->a, 1));
  seqex_connection_set_accepts_messages (pair->a, FALSE);
  return NULL;
}

static void
test_wrong_thread (void)
{
  const char *functions[] = {
    "*seqex_connection_send_async()*another thread*idle source*",
    "*seqex_connection_send_datagram()*another thread*",
    "*seqex_connection_open_channel()*another thread*",
    "*seqex_connection_set_accepts_messages()*another thread*",
  };
  Pair pair = util_pair_new ();

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, functions[i]);
  g_thread_join (g_thread_new ("wrong", wrong_thread, &pair));
  g_test_assert_expected_messages ();
  g_assert_true (seqex_connection_get_accepts_messages (pair.a));
  util_pair_free (&pair);
}

static gpointer
run_context (gpointer user_data)
{
  GMainLoop *loop = user_data;

  g_main_context_push_thread_default (g_main_loop_get_context (loop));
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (g_main_loop_get_context (loop));
  return NULL;
}

static gboolean
exchange_there_cb (gpointer user_data)
{
  Pair *pair = user_data;

  g_signal_connect (pair->b, "message", G_CALLBACK (check_thread_cb), g_thread_self ());
  util_exchange (pair->a, "x");
  util_pair_free (pair);
  return G_SOURCE_REMOVE;
}

static gboolean
quit_cb (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* Made here for a context that another thread runs. */
static void
test_handed_over (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GSource) exchange = g_idle_source_new ();
  g_autoptr (GSource) quit = g_idle_source_new ();
  GThread *thread;
  Pair pair;

  g_main_context_push_thread_default (context);
  pair = util_pair_new ();
  g_main_context_pop_thread_default (context);

  g_source_set_callback (exchange, exchange_there_cb, &pair, NULL);
  g_source_set_callback (quit, quit_cb, loop, NULL);
  g_source_set_priority (quit, G_PRIORITY_LOW + 1);
  g_source_attach (exchange, context);
  g_source_attach (quit, context);
  thread = g_thread_new ("context", run_context, loop);
  g_thread_join (thread);
  g_assert_null (pair.a);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/context/later", test_later);
  g_test_add_func ("/seqex/context/no-recursion", test_no_recursion);
  g_test_add_func ("/seqex/context/nested-loop", test_nested_loop);
  g_test_add_func ("/seqex/context/nested-time", test_nested_time);
  g_test_add_func ("/seqex/context/late-handler", test_late_handler);
  g_test_add_func ("/seqex/context/from-prepare", test_from_prepare);
  g_test_add_func ("/seqex/context/blocked-handler", test_blocked_handler);
  g_test_add_func ("/seqex/context/threads", test_threads);
  g_test_add_func ("/seqex/context/other-default", test_other_default);
  g_test_add_func ("/seqex/context/wrong-thread", test_wrong_thread);
  g_test_add_func ("/seqex/context/handed-over", test_handed_over);

  return g_test_run ();
}
