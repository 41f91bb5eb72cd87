/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How connections end, and what ends with them.
 */
#include "test-util.h"

typedef struct
{
  GString *states;
  guint    closed;
  GError  *error;
} Life;

static void
life_state_cb (SeqexConnection *connection,
               GParamSpec      *pspec,
               Life            *life)
{
  GEnumClass *states = g_type_class_ref (SEQEX_TYPE_CONNECTION_STATE);

  g_string_append_printf (
    life->states, "%s ",
    g_enum_get_value (states, seqex_connection_get_state (connection))->value_nick);
  g_type_class_unref (states);
}

static void
life_closed_cb (SeqexConnection *connection,
                const GError    *error,
                Life            *life)
{
  g_assert_cmpint (seqex_connection_get_state (connection), ==, SEQEX_CONNECTION_STATE_CLOSED);
  life->closed++;
  life->error = error != NULL ? g_error_copy (error) : NULL;
}

static void
life_watch (Life            *life,
            SeqexConnection *connection)
{
  life->states = g_string_new (NULL);
  g_signal_connect (connection, "notify::state", G_CALLBACK (life_state_cb), life);
  g_signal_connect (connection, "closed", G_CALLBACK (life_closed_cb), life);
}

static void
life_clear (Life *life)
{
  g_string_free (life->states, TRUE);
  g_clear_error (&life->error);
}

static void
test_close (void)
{
  Pair pair = util_pair_new ();
  Life life_a = { 0 }, life_b = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) payload = util_bytes ("too late");
  g_auto (Outcome) received = { 0 };

  life_watch (&life_a, pair.a);
  life_watch (&life_b, pair.b);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "hello");
  seqex_connection_receive_async (pair.a, NULL, util_outcome_cb, &received);

  g_assert_true (util_close (pair.a, &error));
  g_assert_no_error (error);
  wait_until (life_b.closed == 1 && received.result != NULL);
  g_assert_cmpuint (life_a.closed, ==, 1);
  g_assert_no_error (life_a.error);
  g_assert_no_error (life_b.error);
  g_assert_cmpstr (life_a.states->str, ==, "connected closing closed ");
  g_assert_cmpstr (life_b.states->str, ==, "connected closed ");
  g_assert_null (util_receive_finish (&received, &error));
  g_assert_no_error (error);

  /* Use after close, on both sides. */
  g_assert_null (util_send_with_reply (pair.a, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (util_send (pair.b, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_false (seqex_connection_send_datagram (pair.a, payload, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (util_receive (pair.b, &error));
  g_assert_no_error (error);
  g_assert_false (seqex_connection_get_writable (pair.a));

  g_assert_true (util_close (pair.a, &error));
  g_assert_no_error (error);
  g_assert_true (util_close (pair.b, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (life_a.closed, ==, 1);
  g_assert_cmpuint (life_b.closed, ==, 1);

  util_outcome_clear (&received);
  util_pair_free (&pair);
  life_clear (&life_a);
  life_clear (&life_b);
}

static gboolean
keep_cb (SeqexConnection *connection,
         SeqexMessage    *message,
         GPtrArray       *kept)
{
  g_ptr_array_add (kept, g_object_ref (message));
  return TRUE;
}

/* What was begun and is final arrives; what waits for a reply is told, and close says so. */
static void
test_close_drains (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_blob (100000, 1);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) sent = { 0 };
  g_auto (Outcome) asked = { 0 };
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_object_unref);

  g_signal_connect (pair.b, "message", G_CALLBACK (keep_cb), kept);
  g_assert_true (util_send (pair.a, "hello", NULL));

  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &sent);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  util_settle ();
  g_assert_false (util_close (pair.a, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "closed: 1"));
  g_clear_error (&error);

  g_assert_true (util_send_finish (&sent, &error));
  g_assert_no_error (error);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_ptr_array_set_size (kept, 0);
  util_outcome_clear (&sent);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* A message that the program has may still be answered. */
static void
test_close_answers (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) refused = { 0 };
  g_auto (Outcome) closed = { 0 };

  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  message = util_receive (pair.b, NULL);
  seqex_connection_close_async (pair.b, NULL, util_outcome_cb, &closed);
  wait_until (seqex_connection_get_state (pair.b) == SEQEX_CONNECTION_STATE_CLOSING);

  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &refused);
  wait_until (refused.result != NULL);
  g_assert_null (util_send_with_reply_finish (&refused, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (closed.result);

  g_assert_true (util_reply (message, "answer", &error));
  g_assert_no_error (error);
  wait_until (asked.result != NULL && closed.result != NULL);
  reply = util_send_with_reply_finish (&asked, &error);
  util_assert_text (reply, "answer");
  g_assert_true (seqex_connection_close_finish (pair.b, closed.result, &error));
  g_assert_no_error (error);

  g_clear_object (&message);
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_outcome_clear (&refused);
  util_outcome_clear (&closed);
  util_pair_free (&pair);
}

static void
closed_tally_cb (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result,
                                                          &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  (*(guint *) user_data)++;
}

/* Everybody who waits is told, before the signal. */
static void
test_close_tells_all (void)
{
  const guint n[] = { 1, 4, 1000 };

  for (guint i = 0; i < G_N_ELEMENTS (n); i++)
    {
      Pair pair = util_pair_new ();
      g_autoptr (GBytes) payload = util_bytes ("x");
      g_autoptr (GError) error = NULL;
      g_autofree char *number = g_strdup_printf ("closed: %u", n[i]);
      guint told = 0;

      for (guint j = 0; j < n[i]; j++)
        seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                                closed_tally_cb, &told);
      g_assert_false (util_close (pair.a, &error));
      g_assert_cmpuint (told, ==, n[i]);
      g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, number));
      util_pair_free (&pair);
    }
}

static void
nothing_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (seqex_connection_receive_finish (SEQEX_CONNECTION (source), result, &error));
  g_assert_no_error (error);
  (*(guint *) user_data)++;
}

static void
test_close_tells_receivers (void)
{
  const guint n = 1000;
  Pair pair = util_pair_new ();
  gint64 start = g_get_monotonic_time ();
  guint told = 0;

  for (guint i = 0; i < n; i++)
    seqex_connection_receive_async (pair.a, NULL, nothing_cb, &told);
  g_assert_true (util_close (pair.a, NULL));
  g_assert_cmpuint (told, ==, n);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
  util_pair_free (&pair);
}

/* The program closes the socket after the connection. */
static void
test_socket_after_close (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) error = NULL;
  Life life = { 0 };

  life_watch (&life, pair.a);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  g_assert_true (util_close (pair.a, NULL));
  g_socket_close (seqex_connection_get_socket (pair.a), NULL);
  util_run_for (50);
  g_assert_false (util_send (pair.a, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_cmpuint (life.closed, ==, 1);
  util_pair_free (&pair);
  life_clear (&life);
}

/* Messages that wait are for the program, even after the peer has closed; so is the end, last. */
static void
test_closed_with_messages (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) closed = { 0 };
  Life life = { 0 };

  life_watch (&life, pair.b);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  wait_until (seqex_connection_get_state (pair.a) == SEQEX_CONNECTION_STATE_CONNECTED);
  seqex_connection_close_async (pair.a, NULL, util_outcome_cb, &closed);
  wait_until (life.closed == 1);

  message = util_receive (pair.b, &error);
  g_assert_no_error (error);
  util_assert_text (message, "question");
  g_assert_false (util_reply (message, "answer", &error));
  g_clear_error (&error);
  g_assert_null (util_receive (pair.b, &error));
  g_assert_no_error (error);

  wait_until (closed.result != NULL);
  g_clear_object (&message);
  util_outcome_clear (&closed);
  util_pair_free (&pair);
  life_clear (&life);
}

static void
test_restart (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  Pair pair;
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_autoptr (SeqexMessage) taken = NULL;
  gpointer former;

  util_new_udp_sockets (&a, &b);
  pair = (Pair) { seqex_connection_new (a), seqex_connection_new (b) };
  seqex_connection_set_keepalive_interval (pair.a, 100);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  seqex_connection_send_with_reply_async (pair.b, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  taken = util_receive (pair.a, NULL);

  /* The peer dies without a word, and another one comes up at its address. */
  former = pair.b;
  g_object_run_dispose (former);
  util_settle ();
  g_object_unref (former);
  pair.b = seqex_connection_new (b);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);

  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_SESSION_LOST);
  g_clear_error (&error);
  g_assert_true (seqex_message_get_cancelled (taken));
  g_assert_false (util_reply (taken, "answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER);

  util_exchange (pair.a, "hello again");
  g_assert_cmpint (seqex_connection_get_state (pair.a), ==, SEQEX_CONNECTION_STATE_CONNECTED);
  g_clear_object (&taken);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
test_application_id (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  g_autofree char *long_id = g_strnfill (256, 'x');
  g_autoptr (GError) error = NULL;
  Life life = { 0 };
  Pair pair;

  util_new_udp_sockets (&a, &b);
  pair.a = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "application-id", "chess", NULL);
  pair.b = g_object_new (SEQEX_TYPE_CONNECTION, "socket", b, "application-id", "chat", NULL);
  life_watch (&life, pair.b);
  g_assert_cmpstr (seqex_connection_get_application_id (pair.a), ==, "chess");
  g_assert_null (util_send_with_reply (pair.a, "e4", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_APPLICATION_MISMATCH);
  g_assert_nonnull (strstr (error->message, "chess"));
  g_assert_nonnull (strstr (error->message, "chat"));
  g_clear_error (&error);
  wait_until (life.closed == 1);
  g_assert_error (life.error, SEQEX_ERROR, SEQEX_ERROR_APPLICATION_MISMATCH);
  util_pair_dispose (&pair);
  life_clear (&life);

  pair.a = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "application-id", long_id, NULL);
  g_assert_cmpint (seqex_connection_get_state (pair.a), ==, SEQEX_CONNECTION_STATE_CLOSED);
  g_assert_false (util_send (pair.a, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "255"));
  g_assert_finalize_object (pair.a);
}

/* A peer that vanishes while something is open. */
static void
test_idle_timeout (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  Life life = { 0 };

  util_new_udp_sockets (&a, &b);
  connection = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "idle-timeout", 100, NULL);
  life_watch (&life, connection);
  g_assert_false (util_send (connection, "anybody?", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_clear_error (&error);
  wait_until (life.closed == 1);
  g_assert_error (life.error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_cmpstr (life.states->str, ==, "closed ");
  g_assert_false (util_send (connection, "anybody?", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_clear_error (&error);
  g_assert_null (util_receive (connection, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  life_clear (&life);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/end/close", test_close);
  g_test_add_func ("/seqex/end/close-drains", test_close_drains);
  g_test_add_func ("/seqex/end/close-answers", test_close_answers);
  g_test_add_func ("/seqex/end/close-tells-all", test_close_tells_all);
  g_test_add_func ("/seqex/end/close-tells-receivers", test_close_tells_receivers);
  g_test_add_func ("/seqex/end/socket-after-close", test_socket_after_close);
  g_test_add_func ("/seqex/end/closed-with-messages", test_closed_with_messages);
  g_test_add_func ("/seqex/end/restart", test_restart);
  g_test_add_func ("/seqex/end/application-id", test_application_id);
  g_test_add_func ("/seqex/end/idle-timeout", test_idle_timeout);

  return g_test_run ();
}
