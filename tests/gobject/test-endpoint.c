/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint-util.h"

#include <unistd.h>

/* Every combination of how the two sides are bound. */
static void
exchange_over (const char *server_host,
               const char *client_host,
               const char *target_host)
{
  SeqexEndpoint *server = endpoint_new_bound (server_host);
  SeqexEndpoint *client = client_host != NULL ? endpoint_new_bound (client_host) : endpoint_new ();
  g_autoptr (GSocketAddress) target = endpoint_address (target_host, endpoint_port (server));
  g_autoptr (GError) error = NULL;
  Pair pair;

  pair.a = endpoint_open (client, G_SOCKET_CONNECTABLE (target), NULL, &error);
  g_assert_no_error (error);
  pair.b = endpoint_accept (server, &error);
  g_assert_no_error (error);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "over here");
  g_assert_cmpint (seqex_connection_get_state (pair.a), ==, SEQEX_CONNECTION_STATE_CONNECTED);
  g_assert_cmpstr (seqex_connection_get_peer_key (pair.a), ==,
                   seqex_identity_get_fingerprint (seqex_endpoint_get_identity (server)));
  g_assert_cmpstr (seqex_connection_get_peer_key (pair.b), ==,
                   seqex_identity_get_fingerprint (seqex_endpoint_get_identity (client)));
  g_assert_true (seqex_connection_get_endpoint (pair.a) == client);
  g_assert_cmpuint (
    g_inet_socket_address_get_port (
      G_INET_SOCKET_ADDRESS (seqex_connection_get_remote_address (pair.b))), ==,
    endpoint_port (client));

  endpoint_free (client);
  endpoint_free (server);
  g_assert_null (seqex_connection_get_endpoint (pair.a));
  /* Both go on without their endpoints. */
  util_exchange (pair.a, "still here");
  util_pair_free (&pair);
}

static void
test_ipv4 (void)
{
  exchange_over ("127.0.0.1", "127.0.0.1", "127.0.0.1");
  exchange_over ("0.0.0.0", NULL, "127.0.0.1");
}

static gboolean
has_ipv6 (void)
{
  g_autoptr (GSocketAddress) address = endpoint_address ("::1", 0);
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV6, G_SOCKET_TYPE_DATAGRAM,
                                             G_SOCKET_PROTOCOL_UDP, NULL);

  if (socket != NULL && g_socket_bind (socket, address, FALSE, NULL))
    return TRUE;
  g_test_skip ("This machine has no IPv6");
  return FALSE;
}

static void
test_ipv6 (void)
{
  if (!has_ipv6 ())
    return;
  exchange_over ("::1", "::1", "::1");
  exchange_over ("::1", NULL, "::1");
}

static void
test_dual_stack (void)
{
  if (!has_ipv6 ())
    return;
  exchange_over ("::", "127.0.0.1", "127.0.0.1");
  exchange_over ("::", "::1", "::1");
  exchange_over ("127.0.0.1", "::", "127.0.0.1");
  exchange_over ("127.0.0.1", NULL, "127.0.0.1");
}

/* Binding -------------------------------------------------------------------------------- */

static void
test_in_use (void)
{
  SeqexEndpoint *first = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *second = endpoint_new ();
  GSocketAddress *address = seqex_endpoint_get_local_address (first);
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
  g_autoptr (GSocketAddress) other = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GError) error = NULL;

  g_assert_false (seqex_endpoint_bind (second, address, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_assert_nonnull (strstr (error->message, text));
  g_clear_error (&error);

  /* It can be bound elsewhere then, and once. */
  g_assert_true (seqex_endpoint_bind (second, other, &error));
  g_assert_false (seqex_endpoint_bind (second, other, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  endpoint_free (first);
  endpoint_free (second);
}

/* As systemd passes it. */
static void
test_passed_socket (void)
{
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocket) original = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                               G_SOCKET_PROTOCOL_UDP, NULL);
  g_autoptr (GSocket) passed = NULL;
  SeqexEndpoint *server = endpoint_new ();
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GError) error = NULL;
  Pair pair;

  g_assert_true (g_socket_bind (original, address, FALSE, NULL));
  passed = g_socket_new_from_fd (dup (g_socket_get_fd (original)), &error);
  g_assert_no_error (error);
  g_assert_true (seqex_endpoint_bind_socket (server, passed, &error));
  g_clear_object (&original);
  pair = endpoint_join (client, server);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "activated");
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&pair);
}

static void
assert_unfit (GSocket    *socket,
              int         code,
              const char *part)
{
  SeqexEndpoint *endpoint = endpoint_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (seqex_endpoint_bind_socket (endpoint, socket, &error));
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_nonnull (strstr (error->message, part));
  endpoint_free (endpoint);
}

static void
test_unfit_sockets (void)
{
  g_autoptr (GSocket) connected = NULL;
  g_autoptr (GSocket) other = NULL;
  g_autoptr (GSocket) closed = NULL;
  g_autoptr (GSocket) local = NULL;
  g_autoptr (GSocket) local_other = NULL;
  g_autoptr (GSocket) stream = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_TCP, NULL);
  g_autoptr (GSocket) unbound = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                              G_SOCKET_PROTOCOL_UDP, NULL);
  g_autoptr (GSocketAddress) path = g_unix_socket_address_new ("/nowhere");
  g_autoptr (GError) error = NULL;
  SeqexEndpoint *endpoint = endpoint_new ();

  util_new_udp_sockets (&connected, &other);
  assert_unfit (connected, G_IO_ERROR_NOT_SUPPORTED, "SeqexConnection");
  assert_unfit (stream, G_IO_ERROR_NOT_SUPPORTED, "datagram");
  util_new_unix_sockets (&local, &local_other);
  assert_unfit (local, G_IO_ERROR_NOT_SUPPORTED, "IPv4");
  closed = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP,
                         NULL);
  g_socket_close (closed, NULL);
  assert_unfit (closed, G_IO_ERROR_CLOSED, "closed");

  g_assert_false (seqex_endpoint_bind (endpoint, path, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_true (seqex_endpoint_bind_socket (endpoint, unbound, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (endpoint_port (endpoint), !=, 0);
  endpoint_free (endpoint);
}

/* Plain and foreign ---------------------------------------------------------------------- */

static void
test_plain (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GSocketConnectable) to_server = endpoint_target (server);
  g_autoptr (GSocketConnectable) to_client = endpoint_target (client);
  g_autoptr (GError) error = NULL;
  Pair pairs[3];

  for (guint i = 0; i < 2; i++)
    {
      pairs[i].a = seqex_endpoint_open_plain_connection (client, G_SOCKET_ADDRESS (to_server), i,
                                                         &error);
      g_assert_no_error (error);
      pairs[i].b = seqex_endpoint_open_plain_connection (server, G_SOCKET_ADDRESS (to_client), i,
                                                         &error);
      g_assert_no_error (error);
    }
  g_assert_null (seqex_endpoint_open_plain_connection (client, G_SOCKET_ADDRESS (to_server), 1,
                                                       &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  pairs[2] = endpoint_join (client, server);
  for (guint i = 0; i < 3; i++)
    {
      g_signal_connect (pairs[i].b, "message", G_CALLBACK (util_echo_cb), NULL);
      util_exchange (pairs[i].a, "side by side");
    }
  g_assert_null (seqex_connection_get_peer_key (pairs[0].a));
  g_assert_nonnull (seqex_connection_get_peer_key (pairs[2].a));
  g_assert_cmpuint (seqex_connection_get_instance (pairs[1].a), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 3);
  endpoint_free (client);
  endpoint_free (server);
  for (guint i = 0; i < 3; i++)
    util_pair_free (&pairs[i]);
}

typedef struct
{
  GSocketAddress *from;
  GBytes         *payload;
} Foreign;

static void
foreign_cb (SeqexEndpoint  *endpoint,
            GSocketAddress *from,
            GBytes         *payload,
            Foreign        *foreign)
{
  g_set_object (&foreign->from, from);
  g_clear_pointer (&foreign->payload, g_bytes_unref);
  foreign->payload = g_bytes_ref (payload);
}

static void
test_foreign (void)
{
  SeqexEndpoint *a = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *b = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GBytes) payload = util_bytes ("not of Seqex");
  g_autoptr (GBytes) own = g_bytes_new_static ("\x04", 1);
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
  g_autoptr (GError) error = NULL;
  Foreign foreign = { 0 };

  g_signal_connect (b, "foreign-datagram", G_CALLBACK (foreign_cb), &foreign);
  g_assert_true (seqex_endpoint_send_foreign_datagram (a, seqex_endpoint_get_local_address (b),
                                                       payload, &error));
  g_assert_no_error (error);
  wait_until (foreign.payload != NULL);
  g_assert_true (g_bytes_equal (foreign.payload, payload));
  g_assert_cmpuint (g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (foreign.from)), ==,
                    endpoint_port (a));
  g_assert_false (seqex_endpoint_send_foreign_datagram (a, foreign.from, own, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (seqex_endpoint_send_foreign_datagram (a, foreign.from, empty, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_object (&foreign.from);
  g_clear_pointer (&foreign.payload, g_bytes_unref);
  endpoint_free (a);
  endpoint_free (b);
}

/* Life ----------------------------------------------------------------------------------- */

typedef struct
{
  guint n_added;
  guint n_removed;
  guint n_notified;
} Changes;

static void
changed_cb (GListModel *model,
            guint       position,
            guint       removed,
            guint       added,
            Changes    *changes)
{
  changes->n_added += added;
  changes->n_removed += removed;
  for (guint i = position; i < position + added; i++)
    {
      g_autoptr (SeqexConnection) connection = g_list_model_get_item (model, i);

      g_assert_true (SEQEX_IS_CONNECTION (connection));
    }
}

static void
notify_cb (GObject    *object,
           GParamSpec *pspec,
           Changes    *changes)
{
  changes->n_notified++;
}

static void
test_list (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  GListModel *model = G_LIST_MODEL (server);
  Changes changes = { 0 };
  g_autoptr (SeqexConnection) first = NULL;
  Pair one, two;

  g_signal_connect (server, "items-changed", G_CALLBACK (changed_cb), &changes);
  g_signal_connect (server, "notify::n-items", G_CALLBACK (notify_cb), &changes);
  g_assert_true (g_list_model_get_item_type (model) == SEQEX_TYPE_CONNECTION);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 0);
  g_assert_null (g_list_model_get_item (model, 0));
  one = endpoint_join (client, server);
  two = endpoint_join (client, server);
  g_assert_cmpuint (changes.n_added, ==, 2);
  g_assert_cmpuint (changes.n_notified, ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 2);
  first = g_list_model_get_item (model, 0);
  g_assert_true (first == one.b);

  g_assert_true (util_close (one.a, NULL));
  wait_until (changes.n_removed == 1);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 1);
  g_clear_object (&first);
  util_pair_free (&one);
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&two);
}

static void
connection_cb (SeqexEndpoint   *endpoint,
               SeqexConnection *connection,
               guint           *n)
{
  g_signal_connect (connection, "message", G_CALLBACK (util_echo_cb), NULL);
  (*n)++;
}

/* The endpoint alone keeps what a handler does not. */
static void
test_signal (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketConnectable) target = endpoint_target (server);
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GBytes) payload = util_bytes ("early");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  guint n = 0;

  /* What comes before somebody listens waits. */
  connection = endpoint_open (client, target, NULL, &error);
  g_assert_no_error (error);
  seqex_connection_send_with_reply_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  util_run_for (50);
  g_assert_null (asked.result);
  g_signal_connect (server, "connection", G_CALLBACK (connection_cb), &n);
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, &error);
  g_assert_no_error (error);
  util_assert_text (reply, "early");
  g_assert_cmpstr (seqex_message_get_peer_key (reply), ==,
                   seqex_connection_get_peer_key (connection));
  g_assert_cmpuint (n, ==, 1);
  g_clear_object (&reply);
  g_clear_object (&connection);
  util_outcome_clear (&asked);
  endpoint_free (client);
  endpoint_free (server);
}

static void
test_accept (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) cancelled = { 0 };
  g_auto (Outcome) waiting = { 0 };
  Pair pair;

  seqex_endpoint_accept_async (server, cancellable, util_outcome_cb, &cancelled);
  g_cancellable_cancel (cancellable);
  pair = endpoint_join (client, server);
  g_assert_null (seqex_endpoint_accept_finish (server, cancelled.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  /* Closing ends the waiting without an error. */
  seqex_endpoint_accept_async (server, NULL, util_outcome_cb, &waiting);
  g_assert_true (endpoint_close (server, &error));
  g_assert_no_error (error);
  wait_until (waiting.result != NULL);
  g_assert_null (seqex_endpoint_accept_finish (server, waiting.result, &error));
  g_assert_no_error (error);
  g_assert_null (endpoint_accept (server, &error));
  g_assert_no_error (error);
  util_outcome_clear (&cancelled);
  util_outcome_clear (&waiting);
  util_pair_free (&pair);
  endpoint_free (client);
  endpoint_free (server);
}

static void
test_close (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GBytes) payload = util_bytes ("last words");
  g_autoptr (GSocketConnectable) target = endpoint_target (server);
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) message = NULL;
  Outcome sent[3] = { { 0 } };
  g_auto (Outcome) received = { 0 };
  Pair pairs[3];

  for (guint i = 0; i < 3; i++)
    {
      pairs[i] = endpoint_join (client, server);
      g_signal_connect (pairs[i].b, "message", G_CALLBACK (util_echo_cb), NULL);
      util_exchange (pairs[i].a, "x");
      seqex_connection_send_async (pairs[i].a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                   util_outcome_cb, &sent[i]);
    }
  g_assert_true (endpoint_close (client, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_nonnull (sent[i].result);
      g_assert_true (util_send_finish (&sent[i], &error));
      g_assert_cmpint (seqex_connection_get_state (pairs[i].a), ==,
                       SEQEX_CONNECTION_STATE_CLOSED);
      util_outcome_clear (&sent[i]);
    }
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 0);
  g_assert_null (endpoint_open (client, target, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_true (endpoint_close (client, &error));
  for (guint i = 0; i < 3; i++)
    util_pair_free (&pairs[i]);
  endpoint_free (client);
  endpoint_free (server);
}

/* Who is asked for a reply and never answers is not waited for for ever. */
static void
test_close_cancelled (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) closed = { 0 };
  Pair pair = endpoint_join (client, server);

  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  message = util_receive (pair.b, &error);
  g_assert_no_error (error);
  seqex_endpoint_close_async (server, cancellable, util_outcome_cb, &closed);
  util_run_for (50);
  g_assert_null (closed.result);
  g_cancellable_cancel (cancellable);
  wait_until (closed.result != NULL && asked.result != NULL);
  g_assert_false (seqex_endpoint_close_finish (server, closed.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_nonnull (error);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_outcome_clear (&closed);
  util_pair_free (&pair);
  endpoint_free (client);
  endpoint_free (server);
}

static gpointer
exchange_in_thread (gpointer data)
{
  GSocketConnectable *target = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GError) error = NULL;
  SeqexEndpoint *client;
  SeqexConnection *connection;

  g_main_context_push_thread_default (context);
  client = endpoint_new ();
  connection = endpoint_open (client, target, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 50; i++)
    util_exchange (connection, "from a thread");
  g_assert_true (util_close (connection, &error));
  g_assert_no_error (error);
  g_assert_finalize_object (connection);
  endpoint_free (client);
  g_main_context_pop_thread_default (context);
  return NULL;
}

/* Several endpoints, each in a thread with a context of its own, and one for all of them here. */
static void
test_threads (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GSocketConnectable) target = endpoint_target (server);
  GThread *threads[4];
  guint n = 0;
  Changes changes = { 0 };

  g_signal_connect (server, "connection", G_CALLBACK (connection_cb), &n);
  g_signal_connect (server, "items-changed", G_CALLBACK (changed_cb), &changes);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("client", exchange_in_thread, target);
  wait_until (changes.n_removed == G_N_ELEMENTS (threads));
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (threads));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  endpoint_free (server);
}

static gpointer
misuse (gpointer endpoint)
{
  g_assert_false (seqex_endpoint_bind (endpoint, NULL, NULL));
  seqex_endpoint_accept_async (endpoint, NULL, NULL, NULL);
  seqex_endpoint_close_async (endpoint, NULL, NULL, NULL);
  seqex_endpoint_set_trust_policy (endpoint, SEQEX_TRUST_POLICY_STRICT);
  return NULL;
}

static void
test_wrong_thread (void)
{
  if (g_test_subprocess ())
    {
      SeqexEndpoint *endpoint = endpoint_new ();

      g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
      g_log_set_fatal_mask ("Seqex", G_LOG_LEVEL_ERROR);
      g_thread_join (g_thread_new ("other", misuse, endpoint));
      g_object_unref (endpoint);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("*seqex_endpoint_accept_async()*another thread*"
                             "seqex_endpoint_close_async()*another thread*"
                             "seqex_endpoint_set_trust_policy()*another thread*");
}

static gboolean
set_flag_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* An endpoint with idle connections wakes nobody, and one of them costs the others nothing. */
static void
test_idle (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  Pair pairs[20];
  gboolean over = FALSE;
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      pairs[i] = endpoint_join (client, server);
      g_signal_connect (pairs[i].b, "message", G_CALLBACK (util_echo_cb), NULL);
      util_exchange (pairs[i].a, "x");
    }
  /* What the exchanges left behind is tidied up within some probe time-outs. */
  util_run_for (1000);
  g_timeout_add (300, set_flag_cb, &over);
  while (!over)
    {
      g_main_context_iteration (NULL, TRUE);
      n++;
    }
  g_test_message ("%u iterations", n);
  g_assert_cmpuint (n, <, G_N_ELEMENTS (pairs));
  endpoint_free (client);
  endpoint_free (server);
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    util_pair_free (&pairs[i]);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/endpoint/ipv4", test_ipv4);
  g_test_add_func ("/seqex/endpoint/ipv6", test_ipv6);
  g_test_add_func ("/seqex/endpoint/dual-stack", test_dual_stack);
  g_test_add_func ("/seqex/endpoint/in-use", test_in_use);
  g_test_add_func ("/seqex/endpoint/passed-socket", test_passed_socket);
  g_test_add_func ("/seqex/endpoint/unfit-sockets", test_unfit_sockets);
  g_test_add_func ("/seqex/endpoint/plain", test_plain);
  g_test_add_func ("/seqex/endpoint/foreign", test_foreign);
  g_test_add_func ("/seqex/endpoint/list", test_list);
  g_test_add_func ("/seqex/endpoint/signal", test_signal);
  g_test_add_func ("/seqex/endpoint/accept", test_accept);
  g_test_add_func ("/seqex/endpoint/close", test_close);
  g_test_add_func ("/seqex/endpoint/close-cancelled", test_close_cancelled);
  g_test_add_func ("/seqex/endpoint/threads", test_threads);
  g_test_add_func ("/seqex/endpoint/wrong-thread", test_wrong_thread);
  g_test_add_func ("/seqex/endpoint/idle", test_idle);

  return g_test_run ();
}
