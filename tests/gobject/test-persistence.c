/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint-util.h"

#include <sys/wait.h>
#include <unistd.h>

#include "seqex-endpoint-private.h"

/* A transport between an endpoint and its socket that drops everything when told. */
#define TEST_TYPE_CABLE (test_cable_get_type ())

G_DECLARE_FINAL_TYPE (TestCable, test_cable, TEST, CABLE, GObject)

struct _TestCable
{
  GObject   parent_instance;
  GSocket  *socket; /* owned */
  gboolean  cut;
};

static int
cable_receive (GDatagramBased  *transport,
               GInputMessage   *messages,
               guint            n_messages,
               int              flags,
               gint64           timeout,
               GCancellable    *cancellable,
               GError         **error)
{
  TestCable *self = TEST_CABLE (transport);
  int n = g_datagram_based_receive_messages (G_DATAGRAM_BASED (self->socket), messages, n_messages,
                                             flags, timeout, cancellable, error);

  if (n > 0 && self->cut)
    {
      for (int i = 0; i < n; i++)
        g_clear_object (messages[i].address);
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Cut");
      return -1;
    }
  return n;
}

static int
cable_send (GDatagramBased  *transport,
            GOutputMessage  *messages,
            guint            n_messages,
            int              flags,
            gint64           timeout,
            GCancellable    *cancellable,
            GError         **error)
{
  TestCable *self = TEST_CABLE (transport);

  if (self->cut)
    return (int) n_messages;
  return g_datagram_based_send_messages (G_DATAGRAM_BASED (self->socket), messages, n_messages,
                                         flags, timeout, cancellable, error);
}

static GSource *
cable_create_source (GDatagramBased *transport,
                     GIOCondition    condition,
                     GCancellable   *cancellable)
{
  return g_datagram_based_create_source (G_DATAGRAM_BASED (TEST_CABLE (transport)->socket),
                                         condition, cancellable);
}

static GIOCondition
cable_condition_check (GDatagramBased *transport,
                       GIOCondition    condition)
{
  return g_datagram_based_condition_check (G_DATAGRAM_BASED (TEST_CABLE (transport)->socket),
                                           condition);
}

static void
cable_datagram_based_init (GDatagramBasedInterface *iface)
{
  iface->receive_messages = cable_receive;
  iface->send_messages = cable_send;
  iface->create_source = cable_create_source;
  iface->condition_check = cable_condition_check;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestCable, test_cable, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_DATAGRAM_BASED,
                                                      cable_datagram_based_init))

static void
test_cable_finalize (GObject *object)
{
  g_object_unref (TEST_CABLE (object)->socket);
  G_OBJECT_CLASS (test_cable_parent_class)->finalize (object);
}

static void
test_cable_class_init (TestCableClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_cable_finalize;
}

static void
test_cable_init (TestCable *self)
{
}

static SeqexEndpoint *
new_client (TestCable **cable)
{
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GError) error = NULL;

  *cable = g_object_new (TEST_TYPE_CABLE, NULL);
  (*cable)->socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                   G_SOCKET_PROTOCOL_UDP, NULL);
  g_assert_true (g_socket_bind ((*cable)->socket, address, FALSE, NULL));
  seqex_endpoint_bind_transport (client, G_DATAGRAM_BASED (*cable), &error);
  g_assert_no_error (error);
  g_assert_null (seqex_endpoint_get_local_address (client));
  return client;
}

typedef struct
{
  guint reconnecting;
  guint connected;
} States;

static void
state_cb (SeqexConnection *connection,
          GParamSpec      *pspec,
          States          *states)
{
  SeqexConnectionState state = seqex_connection_get_state (connection);

  states->reconnecting += state == SEQEX_CONNECTION_STATE_RECONNECTING;
  states->connected += state == SEQEX_CONNECTION_STATE_CONNECTED;
}

/* The cable is cut under an open exchange, and mended: nothing is lost and nothing comes twice. */
static void
test_cut (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  TestCable *cable;
  SeqexEndpoint *client = new_client (&cable);
  g_autoptr (GBytes) payload = util_bytes ("patience");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  States states = { 0 };
  Pair pair = endpoint_join (client, server);

  g_signal_connect (pair.a, "notify::state", G_CALLBACK (state_cb), &states);
  g_object_set (pair.a, "persistent", TRUE, "idle-timeout", 300, "keepalive-interval", 100, NULL);
  g_object_set (pair.b, "persistent", TRUE, "idle-timeout", 300, "keepalive-interval", 100, NULL);
  g_assert_true (seqex_connection_get_persistent (pair.a));
  g_assert_cmpuint (seqex_connection_get_persistence_limit (pair.a), ==, 86400);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  message = util_receive (pair.b, &error);
  g_assert_no_error (error);
  cable->cut = TRUE;
  wait_until (states.reconnecting == 1);
  g_assert_null (asked.result);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 1);

  cable->cut = FALSE;
  wait_until (states.connected == 1);
  g_assert_true (util_reply (message, "here it is", &error));
  g_assert_no_error (error);
  wait_until (asked.result != NULL);
  reply = util_send_with_reply_finish (&asked, &error);
  g_assert_no_error (error);
  util_assert_text (reply, "here it is");
  g_clear_object (&reply);
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_close (pair.a, NULL);
  util_pair_free (&pair);
  endpoint_free (client);
  endpoint_free (server);
  g_assert_finalize_object (cable);
}

/* Streams ------------------------------------------------------------------------------- */

#define STREAM_SIZE (8u << 20)

typedef struct
{
  SeqexStream *a, *b; /* owned: both ends */
  Outcome      written, read;
  guint8      *sent, *got;
} Traffic;

static void
stream_cb (SeqexConnection *connection,
           SeqexStream     *stream,
           SeqexStream    **accepted)
{
  *accepted = g_object_ref (stream);
}

/* A stream that pair->a opened, and writes to; pair->b reads. */
static void
traffic_start (Traffic *self,
               Pair    *pair)
{
  g_auto (Outcome) opened = { 0 };
  gulong id = g_signal_connect (pair->b, "stream", G_CALLBACK (stream_cb), &self->b);

  seqex_connection_open_stream_async (pair->a, NULL, util_outcome_cb, &opened);
  wait_until (opened.result != NULL);
  self->a = seqex_connection_open_stream_finish (pair->a, opened.result, NULL);
  wait_until (self->b != NULL);
  g_signal_handler_disconnect (pair->b, id);
  self->sent = g_malloc (STREAM_SIZE);
  self->got = g_malloc (STREAM_SIZE);
  for (guint i = 0; i < STREAM_SIZE; i++)
    self->sent[i] = (guint8) (i * 2654435761u >> 16);
  g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (self->a)),
                                   self->sent, STREAM_SIZE, 0, NULL, util_outcome_cb,
                                   &self->written);
}

static void
traffic_read (Traffic *self,
              gsize    at,
              gsize    size)
{
  g_input_stream_read_all_async (g_io_stream_get_input_stream (G_IO_STREAM (self->b)),
                                 self->got + at, size, 0, NULL, util_outcome_cb, &self->read);
}

static void
traffic_clear (Traffic *self)
{
  g_clear_object (&self->a);
  g_clear_object (&self->b);
  util_outcome_clear (&self->written);
  util_outcome_clear (&self->read);
  g_free (self->sent);
  g_free (self->got);
}

static void
set_persistent (Pair *pair)
{
  SeqexConnection *connections[] = { pair->a, pair->b };

  for (guint i = 0; i < 2; i++)
    if (connections[i] != NULL)
      g_object_set (connections[i], "persistent", TRUE, "idle-timeout", 300, "keepalive-interval",
                    100, NULL);
}

/* The cable is cut in the middle of a stream, for longer than the time-out, and mended: it goes on
 * where it was, and ends in good order. */
static void
test_stream_cut (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  TestCable *cable;
  SeqexEndpoint *client = new_client (&cable);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) closed = { 0 };
  States states = { 0 };
  Pair pair = endpoint_join (client, server);
  Traffic traffic = { 0 };

  set_persistent (&pair);
  g_signal_connect (pair.a, "notify::state", G_CALLBACK (state_cb), &states);
  traffic_start (&traffic, &pair);
  for (guint i = 0; i < 4; i++)
    {
      gsize done;

      traffic_read (&traffic, i * (STREAM_SIZE / 4), STREAM_SIZE / 4);
      if (i % 2 == 1)
        {
          cable->cut = TRUE;
          wait_until (states.reconnecting == i / 2 + 1);
          util_run_for (100);
          cable->cut = FALSE;
        }
      wait_until (traffic.read.result != NULL);
      g_assert_true (g_input_stream_read_all_finish (
        g_io_stream_get_input_stream (G_IO_STREAM (traffic.b)), traffic.read.result, &done,
        &error));
      g_assert_no_error (error);
      g_assert_cmpuint (done, ==, STREAM_SIZE / 4);
      util_outcome_clear (&traffic.read);
    }
  wait_until (states.connected == 2);
  g_assert_cmpmem (traffic.got, STREAM_SIZE, traffic.sent, STREAM_SIZE);
  wait_until (traffic.written.result != NULL);
  g_output_stream_close_async (g_io_stream_get_output_stream (G_IO_STREAM (traffic.a)), 0, NULL,
                               util_outcome_cb, &closed);
  traffic_read (&traffic, 0, 1);
  wait_until (closed.result != NULL && traffic.read.result != NULL);
  g_assert_true (g_output_stream_close_finish (
    g_io_stream_get_output_stream (G_IO_STREAM (traffic.a)), closed.result, &error));
  g_assert_no_error (error);
  util_outcome_clear (&closed);
  g_io_stream_close (G_IO_STREAM (traffic.a), NULL, NULL);
  g_io_stream_close (G_IO_STREAM (traffic.b), NULL, NULL);
  traffic_clear (&traffic);
  util_close (pair.a, NULL);
  util_pair_free (&pair);
  endpoint_free (client);
  endpoint_free (server);
  g_assert_finalize_object (cable);
}

/* Whoever reads or writes, or waits for the end, when the peer is gone for good or has restarted, is
 * told so; and so is who waits to open another one. */
static void
test_stream_lost (gconstpointer data)
{
  const gboolean restart = GPOINTER_TO_INT (data);
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  SeqexEndpoint *server = g_object_new (SEQEX_TYPE_ENDPOINT, "identity", identity, "trust-policy",
                                        SEQEX_TRUST_POLICY_ANYONE, "max-streams", 1, NULL);
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) any = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) reading = { 0 };
  g_auto (Outcome) opening = { 0 };
  int code = restart ? SEQEX_ERROR_SESSION_LOST : SEQEX_ERROR_CONNECTION_LOST;
  Traffic traffic = { 0 };
  Pair pair;
  char byte;

  g_assert_true (seqex_endpoint_bind (server, any, NULL));
  address = g_object_ref (seqex_endpoint_get_local_address (server));
  pair = endpoint_join (client, server);
  set_persistent (&pair);
  seqex_connection_set_persistence_limit (pair.a, restart ? 60 : 1);
  traffic_start (&traffic, &pair);
  g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (traffic.a)), &byte, 1, 0,
                             NULL, util_outcome_cb, &reading);
  seqex_connection_open_stream_async (pair.a, NULL, util_outcome_cb, &opening);
  util_run_for (100);
  g_assert_true (traffic.written.result == NULL && reading.result == NULL
                 && opening.result == NULL);
  g_clear_object (&traffic.b);
  g_object_run_dispose (G_OBJECT (pair.b));
  g_clear_object (&pair.b);
  endpoint_free (server);
  server = NULL;
  if (restart)
    {
      server = seqex_endpoint_new (identity);
      seqex_endpoint_set_trust_policy (server, SEQEX_TRUST_POLICY_ANYONE);
      g_assert_true (seqex_endpoint_bind (server, address, &error));
    }

  wait_until (traffic.written.result != NULL && reading.result != NULL && opening.result != NULL);
  g_assert_false (g_output_stream_write_all_finish (
    g_io_stream_get_output_stream (G_IO_STREAM (traffic.a)), traffic.written.result, NULL,
    &error));
  g_assert_error (error, SEQEX_ERROR, code);
  g_clear_error (&error);
  g_assert_cmpint (g_input_stream_read_finish (
    g_io_stream_get_input_stream (G_IO_STREAM (traffic.a)), reading.result, &error), ==, -1);
  g_assert_error (error, SEQEX_ERROR, code);
  g_clear_error (&error);
  /* The peer that is there now takes another one. */
  g_clear_object (&traffic.a);
  traffic.a = seqex_connection_open_stream_finish (pair.a, opening.result, &error);
  if (restart)
    g_assert_no_error (error);
  else
    g_assert_error (error, SEQEX_ERROR, code);
  util_outcome_clear (&opening);
  util_outcome_clear (&reading);
  traffic_clear (&traffic);
  g_object_run_dispose (G_OBJECT (pair.a));
  g_clear_object (&pair.a);
  endpoint_free (client);
  if (server != NULL)
    endpoint_free (server);
}

/* It is not looked for for ever, and without being asked to, not at all. */
static void
test_limit (void)
{
  for (guint persistent = 0; persistent < 2; persistent++)
    {
      SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
      TestCable *cable;
      SeqexEndpoint *client = new_client (&cable);
      g_autoptr (GBytes) payload = util_bytes ("x");
      g_autoptr (GError) error = NULL;
      g_auto (Outcome) asked = { 0 };
      States states = { 0 };
      Pair pair = endpoint_join (client, server);

      g_signal_connect (pair.a, "notify::state", G_CALLBACK (state_cb), &states);
      g_object_set (pair.a, "persistent", persistent, "persistence-limit", 1, "idle-timeout", 200,
                    NULL);
      cable->cut = TRUE;
      seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              util_outcome_cb, &asked);
      wait_until (asked.result != NULL);
      g_assert_null (util_send_with_reply_finish (&asked, &error));
      g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
      g_assert_cmpuint (states.reconnecting, ==, persistent);
      wait_until (g_list_model_get_n_items (G_LIST_MODEL (client)) == 0);
      util_outcome_clear (&asked);
      endpoint_free (client);
      endpoint_free (server);
      util_pair_dispose (&pair);
      g_assert_finalize_object (cable);
    }
}

/* The peer restarts with the same identity, and knows nothing any more. */
static void
test_restart (void)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  SeqexEndpoint *server = seqex_endpoint_new (identity);
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) any = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  Pair pair;

  seqex_endpoint_set_trust_policy (server, SEQEX_TRUST_POLICY_ANYONE);
  g_assert_true (seqex_endpoint_bind (server, any, NULL));
  address = g_object_ref (seqex_endpoint_get_local_address (server));
  pair = endpoint_join (client, server);
  g_object_set (pair.a, "persistent", TRUE, "idle-timeout", 500, "keepalive-interval", 100, NULL);
  g_object_run_dispose (G_OBJECT (pair.b));
  g_clear_object (&pair.b);
  endpoint_free (server);

  server = seqex_endpoint_new (identity);
  seqex_endpoint_set_trust_policy (server, SEQEX_TRUST_POLICY_ANYONE);
  g_assert_true (seqex_endpoint_bind (server, address, &error));
  g_assert_no_error (error);
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_SESSION_LOST);
  util_outcome_clear (&asked);
  g_object_run_dispose (G_OBJECT (pair.a));
  g_clear_object (&pair.a);
  endpoint_free (client);
  endpoint_free (server);
}

/* What the system says of the network reaches the core, from whatever thread. */
static void
test_network_changed (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  Pair pair = endpoint_join (client, server);
  guint64 before;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  util_run_for (100);
  before = client->driver->serial;
  g_signal_emit_by_name (g_network_monitor_get_default (), "network-changed", TRUE);
  wait_until (client->driver->serial > before);
  util_exchange (pair.a, "still there");
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&pair);
}

/* A forked child has lost its connections, and the parent has not. */
static void
test_fork (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  Pair pair = endpoint_join (client, server);
  int status;
  pid_t child;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (SeqexMessage) reply = util_send_with_reply (pair.a, "from the child", &error);

      _exit (reply == NULL && g_error_matches (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST)
             && client->driver->transport == NULL ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  util_exchange (pair.a, "from the parent");
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&pair);
}

/* A connection that does nothing is small. */
static void
test_size (void)
{
  g_test_message ("%zu bytes in a connection, %zu of them its dialogue", sizeof (SeqexConnection),
                  sizeof (SeqexDialogue));
  g_assert_cmpuint (sizeof (SeqexConnection), <=, 1536);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/persistence/cut", test_cut);
  g_test_add_func ("/seqex/persistence/stream-cut", test_stream_cut);
  g_test_add_data_func ("/seqex/persistence/stream-gone", GINT_TO_POINTER (FALSE),
                        test_stream_lost);
  g_test_add_data_func ("/seqex/persistence/stream-restart", GINT_TO_POINTER (TRUE),
                        test_stream_lost);
  g_test_add_func ("/seqex/persistence/limit", test_limit);
  g_test_add_func ("/seqex/persistence/restart", test_restart);
  g_test_add_func ("/seqex/persistence/network-changed", test_network_changed);
  g_test_add_func ("/seqex/persistence/fork", test_fork);
  g_test_add_func ("/seqex/persistence/size", test_size);

  return g_test_run ();
}
