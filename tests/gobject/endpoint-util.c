/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoint-util.h"

GSocketAddress *
endpoint_address (const char *host,
                  guint       port)
{
  return g_inet_socket_address_new_from_string (host, port);
}

guint
endpoint_port (SeqexEndpoint *endpoint)
{
  return g_inet_socket_address_get_port (
    G_INET_SOCKET_ADDRESS (seqex_endpoint_get_local_address (endpoint)));
}

SeqexEndpoint *
endpoint_new (void)
{
  SeqexEndpoint *endpoint = seqex_endpoint_new (NULL);

  seqex_endpoint_set_trust_policy (endpoint, SEQEX_TRUST_POLICY_ANYONE);
  return endpoint;
}

SeqexEndpoint *
endpoint_new_bound (const char *host)
{
  SeqexEndpoint *endpoint = endpoint_new ();
  g_autoptr (GSocketAddress) address = endpoint_address (host, 0);
  g_autoptr (GError) error = NULL;

  seqex_endpoint_bind (endpoint, address, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (endpoint_port (endpoint), !=, 0);
  return endpoint;
}

GSocketConnectable *
endpoint_target (SeqexEndpoint *endpoint)
{
  GInetSocketAddress *local = G_INET_SOCKET_ADDRESS (seqex_endpoint_get_local_address (endpoint));
  GInetAddress *host = g_inet_socket_address_get_address (local);
  g_autoptr (GInetAddress) loopback = NULL;

  if (!g_inet_address_get_is_any (host))
    return G_SOCKET_CONNECTABLE (g_object_ref (local));
  loopback = g_inet_address_new_loopback (g_inet_address_get_family (host));
  return G_SOCKET_CONNECTABLE (
    g_inet_socket_address_new (loopback, g_inet_socket_address_get_port (local)));
}

SeqexConnection *
endpoint_open (SeqexEndpoint       *endpoint,
               GSocketConnectable  *peer,
               const char          *peer_key,
               GError             **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_endpoint_open_connection_async (endpoint, peer, peer_key, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return seqex_endpoint_open_connection_finish (endpoint, outcome.result, error);
}

SeqexConnection *
endpoint_accept (SeqexEndpoint  *endpoint,
                 GError        **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_endpoint_accept_async (endpoint, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return seqex_endpoint_accept_finish (endpoint, outcome.result, error);
}

gboolean
endpoint_close (SeqexEndpoint  *endpoint,
                GError        **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_endpoint_close_async (endpoint, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return seqex_endpoint_close_finish (endpoint, outcome.result, error);
}

Pair
endpoint_join (SeqexEndpoint *client,
               SeqexEndpoint *server)
{
  g_autoptr (GSocketConnectable) target = endpoint_target (server);
  g_autoptr (GError) error = NULL;
  Pair pair;

  pair.a = endpoint_open (client, target, NULL, &error);
  g_assert_no_error (error);
  pair.b = endpoint_accept (server, &error);
  g_assert_no_error (error);
  return pair;
}

void
endpoint_free (SeqexEndpoint *endpoint)
{
  gpointer weak = endpoint;

  g_object_add_weak_pointer (G_OBJECT (endpoint), &weak);
  g_object_unref (endpoint);
  wait_until (weak == NULL);
}
