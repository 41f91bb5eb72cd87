/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a connection gets to its peer: over a transport of its own or over its endpoint, at which
 * address; who that is; and how it is found again.
 */
#include "config.h"

#include "seqex-body-private.h"
#include "seqex-connection-private.h"

#include "core/sqx-cc.h"
#include "seqex-endpoint-private.h"
#include "seqex-error-private.h"
#include "seqex-lookup-private.h"
#include "seqex-random-private.h"

/* The core ------------------------------------------------------------------------------- */

static void
ref_payload (void *owner)
{
  g_bytes_ref (owner);
}

static void
unref_payload (void *owner)
{
  g_bytes_unref (owner);
}

void
seqex_connection_init_config (sqx_config *config)
{
  sqx_config_init (config);
  config->max_datagram_size = SQX_DATAGRAM_MAX;
  config->random = seqex_random_fill;
  config->payload_ref = ref_payload;
  config->payload_unref = unref_payload;
  config->body_new = seqex_body_new;
  config->body_rest = seqex_body_rest;
  config->controller = &sqx_bbr;
}

static const sqx_cc_ops *const controllers[] = {
  [SEQEX_CONGESTION_CONTROL_BBR] = &sqx_bbr,
  [SEQEX_CONGESTION_CONTROL_CUBIC] = &sqx_cubic,
  [SEQEX_CONGESTION_CONTROL_NEWRENO] = &sqx_newreno,
};

void
seqex_connection_set_controller (sqx_config             *config,
                                 SeqexCongestionControl  control)
{
  config->controller = controllers[control];
}

SeqexCongestionControl
seqex_connection_get_controller (const sqx_config *config)
{
  SeqexCongestionControl control = 0;

  while (controllers[control] != config->controller)
    control++;
  return control;
}

/* Why no connection can be made of what was given, or NULL. */
static GError *
check_transport (SeqexConnection *self)
{
  const char *application_id = self->application_id;

  if (self->transport == NULL)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                "The connection has neither a socket nor a transport, and did not "
                                "come from an endpoint");
  if (self->socket != NULL && g_socket_is_closed (self->socket))
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
  if (self->socket != NULL && g_socket_get_socket_type (self->socket) != G_SOCKET_TYPE_DATAGRAM)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                "The socket is not a datagram socket");
  if (self->socket != NULL && self->remote_address == NULL)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED,
                                "The socket is not connected to a peer");
  if (application_id != NULL
      && (strlen (application_id) > SQX_APPLICATION_ID_MAX
          || !g_utf8_validate (application_id, -1, NULL)))
    return g_error_new (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "An application id is UTF-8 of at most %u bytes", SQX_APPLICATION_ID_MAX);
  return NULL;
}

static void
set_up_core (SeqexConnection *self)
{
  const sqx_address nowhere = { .host_size = 0 };
  sqx_endpoint_config config;
  sqx_conn *core = NULL;

  /* What the peer sends must not fill the socket by a few datagrams. */
  if (self->socket != NULL)
    self->config.max_datagram_size = MIN (self->config.max_datagram_size,
                                          seqex_udp_largest (self->socket));
  sqx_endpoint_config_init (&config);
  config.connection = self->config;
  if (seqex_driver_start (self->dialogue.driver, &config))
    core = sqx_endpoint_add_plain (self->dialogue.driver->core,
                                   seqex_driver_time (self->dialogue.driver), &self->config,
                                   &nowhere, &self->dialogue.watcher);
  if (core == NULL)
    {
      seqex_dialogue_fail (&self->dialogue,
                           g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                                "A parameter of the connection is not valid"));
      return;
    }

  /* It would end in an error when the connection is merely silent. */
  if (self->socket != NULL)
    g_socket_set_timeout (self->socket, 0);
  seqex_dialogue_set_core (&self->dialogue, core);
  seqex_driver_set_transport (self->dialogue.driver, self->transport, FALSE);
}

static void
set_up_for_endpoint (SeqexConnection *self,
                     SeqexEndpoint   *endpoint)
{
  sqx_conn *core = g_steal_pointer (&endpoint->handover);

  self->config = *endpoint->handover_config;
  if (endpoint->application_id != NULL)
    self->application_id = g_ref_string_acquire (endpoint->application_id);
  seqex_dialogue_set_driver (&self->dialogue, endpoint->driver);
  seqex_dialogue_set_core (&self->dialogue, core);
}

void
seqex_connection_set_up (SeqexConnection *self)
{
  g_autoptr (SeqexEndpoint) endpoint = g_weak_ref_get (&self->endpoint);
  g_autoptr (SeqexDriver) driver = NULL;
  GError *error;

  if (endpoint != NULL && endpoint->handover != NULL)
    {
      set_up_for_endpoint (self, endpoint);
      return;
    }

  g_weak_ref_set (&self->endpoint, NULL);
  if (self->socket != NULL)
    g_set_object (&self->transport, G_DATAGRAM_BASED (self->socket));
  else if (G_IS_SOCKET (self->transport))
    self->socket = g_object_ref (G_SOCKET (self->transport));
  if (self->socket != NULL && !g_socket_is_closed (self->socket))
    self->remote_address = g_socket_get_remote_address (self->socket, NULL);

  driver = seqex_driver_new ();
  seqex_dialogue_set_driver (&self->dialogue, driver);
  self->config.application_id = self->application_id;
  error = check_transport (self);
  if (error != NULL)
    {
      /* Said to the program in the first iteration of the context, and by every operation. */
      self->state = SEQEX_CONNECTION_STATE_CLOSED;
      seqex_dialogue_fail (&self->dialogue, error);
    }
  else
    {
      set_up_core (self);
    }
}

/* Looking for the peer ------------------------------------------------------------------- */

void
seqex_connection_set_peer (SeqexConnection    *self,
                           GSocketConnectable *peer)
{
  g_set_object (&self->peer, peer);
}

typedef struct
{
  GWeakRef connection;
  guint    n_found;
  guint    wanted; /* which of the addresses */
} Lookup;

static void
found_cb (gpointer           user_data,
          const sqx_address *address,
          const GError      *error)
{
  Lookup *lookup = user_data;
  g_autoptr (SeqexConnection) self = g_weak_ref_get (&lookup->connection);

  if (self == NULL)
    return;
  if (address == NULL)
    {
      g_clear_object (&self->lookup);
      /* The next time it begins with the first one again. */
      if (lookup->n_found <= lookup->wanted)
        self->n_lookups = 0;
      return;
    }
  /* The first address is tried at once, for the one that is wanted may not come. */
  if ((lookup->n_found == 0 || lookup->n_found == lookup->wanted) && self->dialogue.core != NULL)
    {
      sqx_conn_set_address (self->dialogue.core, seqex_driver_time (self->dialogue.driver),
                            address);
      seqex_dialogue_mark_ready (&self->dialogue);
    }
  lookup->n_found++;
}

static void
free_lookup (gpointer data)
{
  Lookup *lookup = data;

  g_weak_ref_clear (&lookup->connection);
  g_free (lookup);
}

/* The peer may have another address by now. Each time the next one of those that it has is
 * tried. */
static void
look_for_peer (SeqexConnection *self)
{
  Lookup *lookup;

  if (self->peer == NULL || G_IS_SOCKET_ADDRESS (self->peer) || self->lookup != NULL
      || self->dialogue.disposed)
    return;

  lookup = g_new0 (Lookup, 1);
  g_weak_ref_init (&lookup->connection, self);
  lookup->wanted = self->n_lookups++;
  self->lookup = g_cancellable_new ();
  seqex_lookup_start (self->peer, self->dialogue.driver->context, self->lookup, found_cb, lookup,
                      free_lookup);
}

void
seqex_connection_settle (SeqexConnection *self)
{
  SeqexDialogue *dialogue = &self->dialogue;

  /* Nothing is read or sent any more; the core stays for what the program has not taken yet. */
  if (dialogue->driver->owner == NULL && dialogue->core != NULL
      && sqx_conn_state (dialogue->core) == SQX_STATE_CLOSED && dialogue->driver->all.length == 1)
    seqex_driver_close_transport (dialogue->driver);
  if (dialogue->lost)
    {
      dialogue->lost = FALSE;
      look_for_peer (self);
    }
}

/**
 * seqex_connection_get_socket: (get-property socket)
 * @self: a connection
 *
 * Gets the socket that the connection uses.
 *
 * Returns: (transfer none) (nullable): the socket, or `NULL` if the transport is something else
 */
GSocket *
seqex_connection_get_socket (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  return self->socket;
}

/**
 * seqex_connection_get_transport: (get-property transport)
 * @self: a connection
 *
 * Gets what carries the connection's datagrams.
 *
 * Returns: (transfer none) (nullable): the transport, or `NULL` if the connection was made
 *   without one
 */
GDatagramBased *
seqex_connection_get_transport (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  return self->transport;
}

/**
 * seqex_connection_get_remote_address: (get-property remote-address)
 * @self: a connection
 *
 * Gets the peer's address.
 *
 * Returns: (transfer none) (nullable): the address, or `NULL` if there is no socket that has one
 */
GSocketAddress *
seqex_connection_get_remote_address (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  if (self->remote_address == NULL && self->dialogue.address.host_size > 0)
    self->remote_address = seqex_address_to_gio (&self->dialogue.address);
  return self->remote_address;
}

/**
 * seqex_connection_get_endpoint: (get-property endpoint)
 * @self: a connection
 *
 * Gets the endpoint that the connection is of.
 *
 * Returns: (transfer none) (nullable): the endpoint, or `NULL` if the connection has a transport of
 *   its own, or once the program has dropped the endpoint
 */
SeqexEndpoint *
seqex_connection_get_endpoint (SeqexConnection *self)
{
  SeqexEndpoint *endpoint;

  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  endpoint = g_weak_ref_get (&self->endpoint);
  /* It is the program that keeps it. */
  if (endpoint != NULL)
    g_object_unref (endpoint);
  return endpoint;
}

/**
 * seqex_connection_get_peer_key: (get-property peer-key)
 * @self: a connection
 *
 * Gets the key that the peer has proved to own.
 *
 * Returns: (transfer none) (nullable): its fingerprint, or `NULL` if the connection is not
 *   encrypted
 */
const char *
seqex_connection_get_peer_key (SeqexConnection *self)
{
  const guint8 *key = NULL;

  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  if (self->peer_key == NULL && self->dialogue.core != NULL)
    key = sqx_conn_peer_key (self->dialogue.core);
  /* It never changes, so it is made once, for those that are asked. */
  if (key != NULL)
    self->peer_key = seqex_key_format (key);
  return self->peer_key;
}

/* Persistence ---------------------------------------------------------------------------- */

static void
apply_persistence (SeqexConnection *self)
{
  guint64 limit = 0;

  if (self->persistent)
    limit = self->persistence_limit > 0 ? self->persistence_limit * SQX_SECOND : SQX_TIME_NEVER;
  if (self->dialogue.core == NULL)
    return;
  sqx_conn_set_persistent (self->dialogue.core, seqex_driver_time (self->dialogue.driver), limit);
  seqex_dialogue_mark_ready (&self->dialogue);
}

/**
 * seqex_connection_get_persistent: (get-property persistent)
 * @self: a connection
 *
 * Gets whether the connection outlives the loss of its peer.
 *
 * Returns: whether the peer is looked for when it is lost
 */
gboolean
seqex_connection_get_persistent (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), FALSE);

  return self->persistent;
}

/**
 * seqex_connection_set_persistent: (set-property persistent)
 * @self: a connection
 * @persistent: whether the peer is looked for when it is lost
 *
 * Sets whether the connection outlives the loss of its peer.
 */
void
seqex_connection_set_persistent (SeqexConnection *self,
                                 gboolean         persistent)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  persistent = persistent != FALSE;
  if (self->persistent == persistent
      || !seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  self->persistent = persistent;
  apply_persistence (self);
  seqex_connection_notify (self, "persistent");
}

/**
 * seqex_connection_get_persistence_limit: (get-property persistence-limit)
 * @self: a connection
 *
 * Gets for how long a lost peer is looked for.
 *
 * Returns: the time in seconds, 0 for ever
 */
guint
seqex_connection_get_persistence_limit (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->persistence_limit;
}

/**
 * seqex_connection_set_persistence_limit: (set-property persistence-limit)
 * @self: a connection
 * @seconds: the time in seconds, 0 for ever
 *
 * Sets for how long a lost peer is looked for. A peer that is looked for already keeps the limit
 * that held when it was lost.
 */
void
seqex_connection_set_persistence_limit (SeqexConnection *self,
                                        guint            seconds)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  if (self->persistence_limit == seconds
      || !seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  self->persistence_limit = seconds;
  apply_persistence (self);
  seqex_connection_notify (self, "persistence-limit");
}
