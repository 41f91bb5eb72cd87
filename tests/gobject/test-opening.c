/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint-util.h"

/* A name with several addresses, of which the first are dead. */
static void
test_name (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketConnectable) target = g_network_address_new ("localhost",
                                                                 endpoint_port (server));
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (SeqexConnection) connection = endpoint_open (client, target, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (connection);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 3 * G_USEC_PER_SEC);
  g_clear_object (&connection);
  endpoint_free (client);
  endpoint_free (server);
}

/* Errors of opening ---------------------------------------------------------------------- */

static void
assert_open_fails (SeqexEndpoint      *client,
                   GSocketConnectable *target,
                   const char         *peer_key,
                   GQuark              domain,
                   int                 code,
                   const char         *part1,
                   const char         *part2)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  g_assert_null (endpoint_open (client, target, peer_key, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  if (part1 != NULL)
    g_assert_nonnull (strstr (error->message, part1));
  if (part2 != NULL)
    g_assert_nonnull (strstr (error->message, part2));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 35 * G_USEC_PER_SEC);
}

static void
test_unknown_host (void)
{
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketConnectable) target = g_network_address_new ("no-such-host.invalid", 1);

  assert_open_fails (client, target, NULL, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                     "no-such-host.invalid", NULL);
  endpoint_free (client);
}

static void
test_not_an_address (void)
{
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) target = g_unix_socket_address_new ("/nowhere");

  assert_open_fails (client, G_SOCKET_CONNECTABLE (target), NULL, G_IO_ERROR,
                     G_IO_ERROR_NOT_SUPPORTED, "/nowhere", NULL);
  endpoint_free (client);
}

static void
test_other_family (void)
{
  SeqexEndpoint *client = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GSocketAddress) target = endpoint_address ("::1", 1);

  assert_open_fails (client, G_SOCKET_CONNECTABLE (target), NULL, G_IO_ERROR,
                     G_IO_ERROR_NETWORK_UNREACHABLE, "::1", NULL);
  endpoint_free (client);
}

static void
test_refused (void)
{
  SeqexEndpoint *gone = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketConnectable) target = endpoint_target (gone);

  endpoint_free (gone);
  assert_open_fails (client, target, NULL, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED, "127.0.0.1",
                     NULL);
  endpoint_free (client);
}

/* Somebody is there, but says nothing. */
static void
test_no_answer (void)
{
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocket) silent = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                             G_SOCKET_PROTOCOL_UDP, NULL);
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) target = NULL;

  g_assert_true (g_socket_bind (silent, address, FALSE, NULL));
  target = g_socket_get_local_address (silent, NULL);
  assert_open_fails (client, G_SOCKET_CONNECTABLE (target), NULL, SEQEX_ERROR,
                     SEQEX_ERROR_CONNECTION_LOST, "127.0.0.1", "seconds");
  endpoint_free (client);
}

static void
test_malformed_key (void)
{
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) target = endpoint_address ("127.0.0.1", 1);

  assert_open_fails (client, G_SOCKET_CONNECTABLE (target), "what is this?", G_IO_ERROR,
                     G_IO_ERROR_INVALID_ARGUMENT, NULL, NULL);
  endpoint_free (client);
}

static void
test_other_application (void)
{
  SeqexEndpoint *server = g_object_new (SEQEX_TYPE_ENDPOINT, "application-id", "org.example.Chess",
                                        "trust-policy", SEQEX_TRUST_POLICY_ANYONE, NULL);
  SeqexEndpoint *client = g_object_new (SEQEX_TYPE_ENDPOINT, "application-id", "org.example.Go",
                                        "trust-policy", SEQEX_TRUST_POLICY_ANYONE, NULL);
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocketConnectable) target = NULL;

  g_assert_true (seqex_endpoint_bind (server, address, NULL));
  target = endpoint_target (server);
  assert_open_fails (client, target, NULL, SEQEX_ERROR, SEQEX_ERROR_APPLICATION_MISMATCH,
                     "org.example.Chess", "org.example.Go");
  /* With the expected key it is the peer who says no. */
  assert_open_fails (client, target,
                     seqex_identity_get_fingerprint (seqex_endpoint_get_identity (server)),
                     SEQEX_ERROR, SEQEX_ERROR_APPLICATION_MISMATCH, "org.example.Chess",
                     "org.example.Go");
  endpoint_free (client);
  endpoint_free (server);
}

/* An endpoint that was not bound by the program accepts nobody. */
static void
test_not_accepting (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  Pair pair = endpoint_join (client, server);
  g_autoptr (GSocketAddress) target = endpoint_address ("127.0.0.1", endpoint_port (client));
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (Outcome) opened = { 0 };

  seqex_endpoint_open_connection_async (server, G_SOCKET_CONNECTABLE (target), NULL, cancellable,
                                        util_outcome_cb, &opened);
  util_run_for (200);
  g_assert_null (opened.result);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 1);
  g_cancellable_cancel (cancellable);
  wait_until (opened.result != NULL);
  g_assert_null (seqex_endpoint_open_connection_finish (server, opened.result, NULL));
  util_outcome_clear (&opened);
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&pair);
}

static void
test_full (void)
{
  SeqexEndpoint *server = g_object_new (SEQEX_TYPE_ENDPOINT, "max-connections", 1,
                                        "trust-policy", SEQEX_TRUST_POLICY_ANYONE, NULL);
  SeqexEndpoint *client = endpoint_new ();
  SeqexEndpoint *other = endpoint_new ();
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocketConnectable) target = NULL;
  Pair pair;

  g_assert_true (seqex_endpoint_bind (server, address, NULL));
  target = endpoint_target (server);
  pair = endpoint_join (client, server);
  assert_open_fails (other, target, NULL, SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED, NULL, NULL);
  endpoint_free (client);
  endpoint_free (other);
  endpoint_free (server);
  util_pair_free (&pair);
}

static void
test_cancel_open (void)
{
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) target = endpoint_address ("127.0.0.1", 1);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) later = { 0 };
  g_auto (Outcome) before = { 0 };

  seqex_endpoint_open_connection_async (client, G_SOCKET_CONNECTABLE (target), NULL, cancellable,
                                        util_outcome_cb, &later);
  util_settle ();
  g_cancellable_cancel (cancellable);
  g_assert_null (later.result);
  wait_until (later.result != NULL);
  g_assert_null (seqex_endpoint_open_connection_finish (client, later.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  seqex_endpoint_open_connection_async (client, G_SOCKET_CONNECTABLE (target), NULL, cancellable,
                                        util_outcome_cb, &before);
  g_assert_null (before.result);
  wait_until (before.result != NULL);
  g_assert_null (seqex_endpoint_open_connection_finish (client, before.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  util_outcome_clear (&later);
  util_outcome_clear (&before);
  endpoint_free (client);
}

/* A GSocketConnectable with a list of addresses, which may be dead. */
#define TEST_TYPE_PEER (test_peer_get_type ())

G_DECLARE_FINAL_TYPE (TestPeer, test_peer, TEST, PEER, GObject)

struct _TestPeer
{
  GObject  parent_instance;
  GQueue   addresses; /* owned GSocketAddress */
  guint    n_asked;
};

#define TEST_TYPE_ENUMERATOR (test_enumerator_get_type ())

G_DECLARE_FINAL_TYPE (TestEnumerator, test_enumerator, TEST, ENUMERATOR, GSocketAddressEnumerator)

struct _TestEnumerator
{
  GSocketAddressEnumerator  parent_instance;
  TestPeer                 *peer; /* owned */
  guint                     next;
};

G_DEFINE_FINAL_TYPE (TestEnumerator, test_enumerator, G_TYPE_SOCKET_ADDRESS_ENUMERATOR)

static GSocketAddress *
test_enumerator_next (GSocketAddressEnumerator  *enumerator,
                      GCancellable              *cancellable,
                      GError                   **error)
{
  TestEnumerator *self = TEST_ENUMERATOR (enumerator);
  GSocketAddress *address = g_queue_peek_nth (&self->peer->addresses, self->next++);

  return address != NULL ? g_object_ref (address) : NULL;
}

static void
test_enumerator_finalize (GObject *object)
{
  g_object_unref (TEST_ENUMERATOR (object)->peer);
  G_OBJECT_CLASS (test_enumerator_parent_class)->finalize (object);
}

static void
test_enumerator_class_init (TestEnumeratorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_enumerator_finalize;
  G_SOCKET_ADDRESS_ENUMERATOR_CLASS (klass)->next = test_enumerator_next;
}

static void
test_enumerator_init (TestEnumerator *self)
{
}

static GSocketAddressEnumerator *
test_peer_enumerate (GSocketConnectable *connectable)
{
  TestPeer *self = TEST_PEER (connectable);
  TestEnumerator *enumerator = g_object_new (TEST_TYPE_ENUMERATOR, NULL);

  enumerator->peer = g_object_ref (self);
  self->n_asked++;
  return G_SOCKET_ADDRESS_ENUMERATOR (enumerator);
}

static char *
test_peer_to_string (GSocketConnectable *connectable)
{
  return g_strdup ("a friend");
}

static void
test_peer_connectable_init (GSocketConnectableIface *iface)
{
  iface->enumerate = test_peer_enumerate;
  iface->to_string = test_peer_to_string;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestPeer, test_peer, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_SOCKET_CONNECTABLE,
                                                      test_peer_connectable_init))

static void
test_peer_finalize (GObject *object)
{
  g_queue_clear_full (&TEST_PEER (object)->addresses, g_object_unref);
  G_OBJECT_CLASS (test_peer_parent_class)->finalize (object);
}

static void
test_peer_class_init (TestPeerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_peer_finalize;
}

static void
test_peer_init (TestPeer *self)
{
}

/* A connection that is just finishing keeps where its peer is. */
static void
free_peer (TestPeer *peer)
{
  gpointer weak = peer;

  g_object_add_weak_pointer (G_OBJECT (peer), &weak);
  g_object_unref (peer);
  wait_until (weak == NULL);
}

/* Sockets that are there and say nothing. */
static GSocket *
add_silent (TestPeer   *peer,
            const char *host)
{
  g_autoptr (GSocketAddress) address = endpoint_address (host, 0);
  GSocket *silent = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, NULL);

  g_assert_true (g_socket_bind (silent, address, FALSE, NULL));
  g_queue_push_tail (&peer->addresses, g_socket_get_local_address (silent, NULL));
  return silent;
}

/* Two addresses are dead, and the third one answers, a little later. */
static void
test_stagger (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new_bound ("127.0.0.1");
  TestPeer *peer = g_object_new (TEST_TYPE_PEER, NULL);
  g_autoptr (GSocket) first = add_silent (peer, "127.0.0.1");
  g_autoptr (GSocket) second = add_silent (peer, "127.0.0.1");
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  gint64 took;

  g_queue_push_tail (&peer->addresses,
                     g_object_ref (seqex_endpoint_get_local_address (server)));
  connection = endpoint_open (client, G_SOCKET_CONNECTABLE (peer), NULL, &error);
  took = g_get_monotonic_time () - start;
  g_assert_no_error (error);
  g_assert_cmpint (took, >=, 500 * 1000);
  g_assert_cmpint (took, <, 5 * G_USEC_PER_SEC);
  /* Both were asked before. */
  g_assert_cmpint (g_socket_get_available_bytes (first), >, 0);
  g_assert_cmpint (g_socket_get_available_bytes (second), >, 0);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (client)), ==, 1);
  g_clear_object (&connection);
  endpoint_free (client);
  endpoint_free (server);
  free_peer (peer);
}

/* Where nobody listens is known at once, and costs no waiting. */
static void
test_refused_first (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *gone = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  TestPeer *peer = g_object_new (TEST_TYPE_PEER, NULL);
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (GError) error = NULL;
  gint64 start;

  for (guint i = 0; i < 10; i++)
    g_queue_push_tail (&peer->addresses,
                       g_object_ref (seqex_endpoint_get_local_address (gone)));
  g_queue_push_tail (&peer->addresses,
                     g_object_ref (seqex_endpoint_get_local_address (server)));
  endpoint_free (gone);
  start = g_get_monotonic_time ();
  connection = endpoint_open (client, G_SOCKET_CONNECTABLE (peer), NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * G_USEC_PER_SEC);
  g_clear_object (&connection);
  endpoint_free (client);
  endpoint_free (server);
  free_peer (peer);
}

/* A name without an address. */
static void
test_no_address (void)
{
  SeqexEndpoint *client = endpoint_new ();
  TestPeer *peer = g_object_new (TEST_TYPE_PEER, NULL);

  assert_open_fails (client, G_SOCKET_CONNECTABLE (peer), NULL, G_IO_ERROR,
                     G_IO_ERROR_HOST_NOT_FOUND, "no address", NULL);
  endpoint_free (client);
  free_peer (peer);
}

/* Everything given up and dropped at any moment of opening. */
static void
test_drop_early (void)
{
  for (guint i = 0; i < 40; i++)
    {
      SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
      SeqexEndpoint *client = endpoint_new ();
      g_autoptr (GSocketConnectable) target = endpoint_target (server);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_auto (Outcome) outcome = { 0 };
      g_autoptr (SeqexConnection) connection = NULL;

      seqex_endpoint_open_connection_async (client, target, NULL, cancellable, util_outcome_cb,
                                            &outcome);
      for (guint j = 0; j < i; j++)
        g_main_context_iteration (NULL, FALSE);
      g_cancellable_cancel (cancellable);
      wait_until (outcome.result != NULL);
      connection = seqex_endpoint_open_connection_finish (client, outcome.result, NULL);
      util_outcome_clear (&outcome);
      /* A server that has a connection by now is told that nobody is there. */
      if (connection == NULL)
        {
          util_run_for (10);
          wait_until (g_list_model_get_n_items (G_LIST_MODEL (server)) == 0);
        }
      g_clear_object (&connection);
      endpoint_free (server);
      endpoint_free (client);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/opening/name", test_name);
  g_test_add_func ("/seqex/opening/unknown-host", test_unknown_host);
  g_test_add_func ("/seqex/opening/not-an-address", test_not_an_address);
  g_test_add_func ("/seqex/opening/other-family", test_other_family);
  g_test_add_func ("/seqex/opening/refused", test_refused);
  g_test_add_func ("/seqex/opening/no-answer", test_no_answer);
  g_test_add_func ("/seqex/opening/malformed-key", test_malformed_key);
  g_test_add_func ("/seqex/opening/other-application", test_other_application);
  g_test_add_func ("/seqex/opening/not-accepting", test_not_accepting);
  g_test_add_func ("/seqex/opening/full", test_full);
  g_test_add_func ("/seqex/opening/cancel-open", test_cancel_open);
  g_test_add_func ("/seqex/opening/drop-early", test_drop_early);
  g_test_add_func ("/seqex/opening/stagger", test_stagger);
  g_test_add_func ("/seqex/opening/refused-first", test_refused_first);
  g_test_add_func ("/seqex/opening/no-address", test_no_address);

  return g_test_run ();
}
