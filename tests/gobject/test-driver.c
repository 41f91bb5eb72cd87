/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "fake-transport.h"

/* Wakes ---------------------------------------------------------------------------------- */

static gboolean
set_flag_cb (gpointer flag)
{
  *(gboolean *) flag = TRUE;
  return G_SOURCE_REMOVE;
}

/* A connection with nothing to do wakes nobody. */
static void
test_idle (void)
{
  Pair pair = util_pair_new ();
  gboolean over = FALSE;
  guint n = 0;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < 10; i++)
    util_exchange (pair.a, "x");
  /* The last acknowledgements, and deadlines that were not moved while they grew. */
  util_run_for (200);

  g_timeout_add (300, set_flag_cb, &over);
  while (!over)
    {
      g_main_context_iteration (NULL, TRUE);
      n++;
    }
  g_assert_cmpuint (n, <=, 4);
  util_pair_free (&pair);
}

typedef struct
{
  guint n_delivered;
  guint n_seen;
  guint most;
} Turns;

static gboolean
count_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          Turns           *turns)
{
  turns->n_delivered++;
  return TRUE;
}

static gboolean
turn_cb (gpointer user_data)
{
  Turns *turns = user_data;

  turns->most = MAX (turns->most, turns->n_delivered - turns->n_seen);
  turns->n_seen = turns->n_delivered;
  return G_SOURCE_CONTINUE;
}

/* However much arrives, other sources of the context get their turn. */
static void
test_bounded (void)
{
  const guint n = 20000;
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GSource) source = g_idle_source_new ();
  Turns turns = { 0 };

  g_signal_connect (pair.b, "message", G_CALLBACK (count_cb), &turns);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, turn_cb, &turns, NULL);
  g_source_attach (source, NULL);
  for (guint i = 0; i < n; i++)
    seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  wait_until (turns.n_delivered == n);
  g_test_message ("at most %u messages between two turns", turns.most);
  g_assert_cmpuint (turns.most, <=, 256);
  g_source_destroy (source);
  util_pair_free (&pair);
}

static void
tally_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  guint *done = user_data;

  g_assert_true (seqex_connection_send_finish (SEQEX_CONNECTION (source), result, NULL));
  (*done)++;
}

/* Many datagrams leave in few calls. */
static void
test_batches (void)
{
  FakeTransport *a, *b;
  Pair pair;
  g_autoptr (GBytes) payload = util_blob (1000000, 1);
  guint done = 0;

  fake_transport_new_pair (&a, &b);
  pair.a = g_object_new (SEQEX_TYPE_CONNECTION, "transport", a, "max-datagram-size", 1200, NULL);
  pair.b = seqex_connection_new_for_transport (G_DATAGRAM_BASED (b));
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  a->n_sends = a->n_sent = b->n_receives = 0;
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, tally_cb, &done);
  wait_until (done == 1);
  g_test_message ("%u datagrams in %u calls, read in %u", a->n_sent, a->n_sends, b->n_receives);
  g_assert_cmpuint (a->n_sent, >=, 800);
  g_assert_cmpuint (a->n_sends * 5, <=, a->n_sent);
  g_assert_cmpuint (b->n_receives * 5, <=, a->n_sent);
  util_pair_free (&pair);
  g_assert_finalize_object (a);
  g_assert_finalize_object (b);
}

/* What a handler sends leaves in the wake that called it. */
static gboolean
reply_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          guint           *wakes)
{
  *wakes = 0;
  return util_echo_cb (G_OBJECT (connection), message, NULL);
}

static void
test_same_wake (void)
{
  FakeTransport *a, *b;
  Pair pair;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_auto (Outcome) asked = { 0 };
  guint iterations = G_MAXUINT / 2;

  fake_transport_new_pair (&a, &b);
  pair.a = seqex_connection_new_for_transport (G_DATAGRAM_BASED (a));
  pair.b = seqex_connection_new_for_transport (G_DATAGRAM_BASED (b));
  g_signal_connect (pair.b, "message", G_CALLBACK (reply_cb), &iterations);
  util_exchange (pair.a, "x");
  util_run_for (100);

  b->n_sent = 0;
  iterations = G_MAXUINT / 2;
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  while (b->n_sent == 0)
    {
      g_main_context_iteration (NULL, TRUE);
      iterations++;
    }
  g_assert_cmpuint (iterations, ==, 1);
  wait_until (asked.result != NULL);
  g_object_unref (util_send_with_reply_finish (&asked, NULL));
  util_outcome_clear (&asked);
  util_pair_free (&pair);
  g_assert_finalize_object (a);
  g_assert_finalize_object (b);
}

static gboolean
leave_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          gboolean        *called)
{
  *called = TRUE;
  return FALSE;
}

/* So does the end of a message that was handed over. */
static void
test_end_in_same_wake (void)
{
  FakeTransport *a, *b;
  Pair pair;
  g_autoptr (GBytes) payload = util_bytes ("x");
  gboolean called = FALSE;

  fake_transport_new_pair (&a, &b);
  pair.a = seqex_connection_new_for_transport (G_DATAGRAM_BASED (a));
  pair.b = seqex_connection_new_for_transport (G_DATAGRAM_BASED (b));
  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &called);
  for (guint i = 0; i < 3; i++)
    {
      seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
      called = FALSE;
      b->n_sent = 0;
      while (!called)
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (b->n_sent, >=, 1);
      util_run_for (100);
    }
  util_pair_free (&pair);
  g_assert_finalize_object (a);
  g_assert_finalize_object (b);
}

/* Nobody there --------------------------------------------------------------------------- */

/* The network says at once that nobody listens, but the peer may be starting. */
static void
test_unreachable_at_first (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  g_autoptr (GSocket) later = NULL;
  g_autoptr (GSocketAddress) address_a = NULL;
  g_autoptr (GSocketAddress) address_b = NULL;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_auto (Outcome) asked = { 0 };
  Pair pair;

  util_new_udp_sockets (&a, &b);
  address_a = g_socket_get_local_address (a, NULL);
  address_b = g_socket_get_local_address (b, NULL);
  g_socket_close (b, NULL);

  pair.a = seqex_connection_new (a);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  util_run_for (200);
  g_assert_null (asked.result);

  later = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, NULL);
  g_socket_bind (later, address_b, FALSE, &error);
  g_assert_no_error (error);
  g_socket_connect (later, address_a, NULL, &error);
  g_assert_no_error (error);
  pair.b = seqex_connection_new (later);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, &error);
  g_assert_no_error (error);
  util_assert_text (reply, "x");
  g_clear_object (&reply);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* Nobody comes: the wait fails, after a while and not with the first datagram. UDP, and a Unix
 * socket whose other end is closed, at the same time. */
static void
test_unreachable (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  g_autoptr (GSocket) c = NULL;
  g_autoptr (GSocket) d = NULL;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (SeqexConnection) udp = NULL;
  g_autoptr (SeqexConnection) unix_socket = NULL;
  g_auto (Outcome) asked_udp = { 0 };
  g_auto (Outcome) asked_unix = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  gint64 waited;

  util_new_udp_sockets (&a, &b);
  g_socket_close (b, NULL);
  util_new_unix_sockets (&c, &d);
  g_socket_close (d, NULL);
  udp = seqex_connection_new (a);
  unix_socket = seqex_connection_new (c);
  seqex_connection_send_with_reply_async (udp, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked_udp);
  seqex_connection_send_with_reply_async (unix_socket, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked_unix);
  wait_until (asked_udp.result != NULL && asked_unix.result != NULL);
  waited = g_get_monotonic_time () - start;
  g_assert_cmpint (waited, >=, 4 * G_USEC_PER_SEC);

  g_assert_null (util_send_with_reply_finish (&asked_udp, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_clear_error (&error);
  g_assert_null (util_send_with_reply_finish (&asked_unix, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_cmpint (seqex_connection_get_state (udp), ==, SEQEX_CONNECTION_STATE_CLOSED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/driver/idle", test_idle);
  g_test_add_func ("/seqex/driver/bounded", test_bounded);
  g_test_add_func ("/seqex/driver/batches", test_batches);
  g_test_add_func ("/seqex/driver/same-wake", test_same_wake);
  g_test_add_func ("/seqex/driver/end-in-same-wake", test_end_in_same_wake);
  g_test_add_func ("/seqex/driver/unreachable-at-first", test_unreachable_at_first);
  g_test_add_func ("/seqex/driver/unreachable", test_unreachable);

  return g_test_run ();
}
