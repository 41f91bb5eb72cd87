/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The properties of SeqexEndpoint, with their accessors.
 */
#include "config.h"

#include "seqex-endpoint-private.h"

#include "seqex-connection-private.h"
#include "seqex-crypto-private.h"
#include "seqex-enum-types.h"
#include "seqex-shared-secret-private.h"

typedef enum
{
  PROP_IDENTITY = 1,
  PROP_APPLICATION_ID,
  PROP_LOCAL_ADDRESS,
  PROP_TRUST_STORE,
  PROP_TRUST_POLICY,
  PROP_SHARED_SECRET,
  PROP_MAX_CONNECTIONS,
  PROP_MAX_HALF_OPEN,
  PROP_MAX_HALF_OPEN_PER_ADDRESS,
  PROP_MAX_MESSAGE_SIZE,
  PROP_MAX_STREAMS,
  PROP_MAX_SEND_RATE,
  PROP_CONGESTION_CONTROL,
  PROP_ITEM_TYPE,
  PROP_N_ITEMS,
} SeqexEndpointProperty;

static GParamSpec *properties[PROP_N_ITEMS + 1];

static void
seqex_endpoint_get_property (GObject    *object,
                             guint       prop_id,
                             GValue     *value,
                             GParamSpec *pspec)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (object);

  switch ((SeqexEndpointProperty) prop_id)
    {
    case PROP_IDENTITY:
      g_value_set_object (value, self->identity);
      break;
    case PROP_APPLICATION_ID:
      g_value_set_string (value, self->application_id);
      break;
    case PROP_LOCAL_ADDRESS:
      g_value_set_object (value, self->local_address);
      break;
    case PROP_TRUST_STORE:
      g_value_set_object (value, self->trust_store);
      break;
    case PROP_TRUST_POLICY:
      g_value_set_enum (value, self->trust_policy);
      break;
    case PROP_SHARED_SECRET:
      g_value_set_string (value, self->shared_secret);
      break;
    case PROP_MAX_CONNECTIONS:
      g_value_set_uint (value, self->max_connections);
      break;
    case PROP_MAX_HALF_OPEN:
      g_value_set_uint (value, self->max_half_open);
      break;
    case PROP_MAX_HALF_OPEN_PER_ADDRESS:
      g_value_set_uint (value, self->max_half_open_per_address);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, self->config.max_message_size);
      break;
    case PROP_MAX_STREAMS:
      g_value_set_uint (value, self->config.max_streams);
      break;
    case PROP_MAX_SEND_RATE:
      g_value_set_uint64 (value, self->config.max_send_rate);
      break;
    case PROP_CONGESTION_CONTROL:
      g_value_set_enum (value, seqex_connection_get_controller (&self->config));
      break;
    case PROP_ITEM_TYPE:
      g_value_set_gtype (value, SEQEX_TYPE_CONNECTION);
      break;
    case PROP_N_ITEMS:
      g_value_set_uint (value, self->connections->len);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

/* Through a property there is no way to say what is wrong but a critical. */
static void
set_shared_secret (SeqexEndpoint *self,
                   const char    *secret)
{
  g_autoptr (GError) error = NULL;

  if (!seqex_endpoint_set_shared_secret (self, secret, &error))
    g_critical ("SeqexEndpoint:shared-secret: %s", error->message);
}

static void
seqex_endpoint_set_property (GObject      *object,
                             guint         prop_id,
                             const GValue *value,
                             GParamSpec   *pspec)
{
  SeqexEndpoint *self = SEQEX_ENDPOINT (object);

  switch ((SeqexEndpointProperty) prop_id)
    {
    case PROP_IDENTITY:
      self->identity = g_value_dup_object (value);
      break;
    case PROP_APPLICATION_ID:
      if (g_value_get_string (value) != NULL)
        self->application_id = g_ref_string_new (g_value_get_string (value));
      break;
    case PROP_TRUST_STORE:
      seqex_endpoint_set_trust_store (self, g_value_get_object (value));
      break;
    case PROP_TRUST_POLICY:
      seqex_endpoint_set_trust_policy (self, g_value_get_enum (value));
      break;
    case PROP_SHARED_SECRET:
      set_shared_secret (self, g_value_get_string (value));
      break;
    case PROP_MAX_CONNECTIONS:
      self->max_connections = g_value_get_uint (value);
      break;
    case PROP_MAX_HALF_OPEN:
      self->max_half_open = g_value_get_uint (value);
      break;
    case PROP_MAX_HALF_OPEN_PER_ADDRESS:
      self->max_half_open_per_address = g_value_get_uint (value);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      self->config.max_message_size = g_value_get_uint64 (value);
      break;
    case PROP_MAX_STREAMS:
      self->config.max_streams = g_value_get_uint (value);
      break;
    case PROP_MAX_SEND_RATE:
      self->config.max_send_rate = g_value_get_uint64 (value);
      break;
    case PROP_CONGESTION_CONTROL:
      seqex_connection_set_controller (&self->config, g_value_get_enum (value));
      break;
    case PROP_LOCAL_ADDRESS:
    case PROP_ITEM_TYPE:
    case PROP_N_ITEMS:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
install_fixed_properties (void)
{
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  /**
   * SeqexEndpoint:identity: (getter get_identity)
   *
   * Who this side is. If it is not given, somebody new.
   */
  properties[PROP_IDENTITY] = g_param_spec_object ("identity", NULL, NULL, SEQEX_TYPE_IDENTITY,
                                                   construct);

  /**
   * SeqexEndpoint:application-id: (getter get_application_id)
   *
   * A name of what is spoken on the connections, of at most 255 bytes. `NULL` is the empty name.
   *
   * See [property@Seqex.Connection:application-id].
   */
  properties[PROP_APPLICATION_ID] = g_param_spec_string ("application-id", NULL, NULL, NULL,
                                                         construct);

  /**
   * SeqexEndpoint:max-connections: (getter get_max_connections)
   *
   * How many connections that peers have opened there may be. Further peers get
   * %SEQEX_ERROR_PEER_REFUSED. What this side opens does not count.
   */
  properties[PROP_MAX_CONNECTIONS] =
    g_param_spec_uint ("max-connections", NULL, NULL, 0, SQX_CONNECTIONS_MAX,
                       SQX_CONNECTIONS_DEFAULT, construct);

  /**
   * SeqexEndpoint:max-half-open: (getter get_max_half_open)
   *
   * How many handshakes of peers may be unfinished at a time. Beyond that the oldest makes room.
   */
  properties[PROP_MAX_HALF_OPEN] =
    g_param_spec_uint ("max-half-open", NULL, NULL, 1, SQX_HALF_OPEN_MAX, SQX_HALF_OPEN_DEFAULT,
                       construct);

  /**
   * SeqexEndpoint:max-half-open-per-address: (getter get_max_half_open_per_address)
   *
   * How many of them may come from one IP address.
   */
  properties[PROP_MAX_HALF_OPEN_PER_ADDRESS] =
    g_param_spec_uint ("max-half-open-per-address", NULL, NULL, 1, SQX_HALF_OPEN_MAX,
                       SQX_HALF_OPEN_HOST_DEFAULT, construct);

  /**
   * SeqexEndpoint:max-message-size: (getter get_max_message_size)
   *
   * The size of the largest message that a peer may send on any of the connections, in bytes, from
   * 16 KiB to 256 MiB.
   *
   * The memory that a peer can make this side use grows with it.
   */
  properties[PROP_MAX_MESSAGE_SIZE] =
    g_param_spec_uint64 ("max-message-size", NULL, NULL, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_MAX,
                         SQX_MESSAGE_MAX_DEFAULT, construct);

  /**
   * SeqexEndpoint:max-streams: (getter get_max_streams)
   *
   * How many streams a peer may have open at once on its connection. See
   * [property@Seqex.Connection:max-streams].
   */
  properties[PROP_MAX_STREAMS] =
    g_param_spec_uint ("max-streams", NULL, NULL, 0, SQX_STREAMS_MAX, SQX_STREAMS_DEFAULT,
                       construct);

  /**
   * SeqexEndpoint:max-send-rate: (getter get_max_send_rate)
   *
   * What [property@Seqex.Connection:max-send-rate] of each connection is at first, in bytes a
   * second; 0 for no limit. All together may send faster.
   */
  properties[PROP_MAX_SEND_RATE] =
    g_param_spec_uint64 ("max-send-rate", NULL, NULL, 0, G_MAXUINT64, 0, construct);

  /**
   * SeqexEndpoint:congestion-control: (getter get_congestion_control)
   *
   * How the connections find out how fast they may send.
   */
  properties[PROP_CONGESTION_CONTROL] =
    g_param_spec_enum ("congestion-control", NULL, NULL, SEQEX_TYPE_CONGESTION_CONTROL,
                       SEQEX_CONGESTION_CONTROL_BBR, construct);
}

static void
install_settings (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * SeqexEndpoint:local-address: (getter get_local_address)
   *
   * The address that the endpoint is bound to. `NULL` if it is not bound, or to a transport without
   * an address.
   */
  properties[PROP_LOCAL_ADDRESS] = g_param_spec_object ("local-address", NULL, NULL,
                                                        G_TYPE_SOCKET_ADDRESS, readable);

  /**
   * SeqexEndpoint:trust-store: (getter get_trust_store) (setter set_trust_store)
   *
   * The peers that are known. What is opened is looked up by its name, as
   * [method@Gio.SocketConnectable.to_string] gives it; a peer that comes by itself, by its key.
   *
   * Another key under a known name is %SEQEX_ERROR_KEY_CHANGED, whatever else would decide.
   */
  properties[PROP_TRUST_STORE] = g_param_spec_object ("trust-store", NULL, NULL,
                                                      SEQEX_TYPE_TRUST_STORE, flags);

  /**
   * SeqexEndpoint:trust-policy: (getter get_trust_policy) (setter set_trust_policy)
   *
   * Who may be a peer when neither an expected key nor the trust store decides.
   */
  properties[PROP_TRUST_POLICY] = g_param_spec_enum ("trust-policy", NULL, NULL,
                                                     SEQEX_TYPE_TRUST_POLICY,
                                                     SEQEX_TRUST_POLICY_STRICT, flags);

  /**
   * SeqexEndpoint:shared-secret: (getter get_shared_secret)
   *
   * A secret of [func@Seqex.shared_secret_generate] that both sides know. Who proves to know it is
   * trusted, and who does not gets no answer. `NULL` for none.
   *
   * Setting it to something malformed is a programming error here; use
   * [method@Seqex.Endpoint.set_shared_secret] for what somebody has typed.
   */
  properties[PROP_SHARED_SECRET] = g_param_spec_string ("shared-secret", NULL, NULL, NULL, flags);

  /**
   * SeqexEndpoint:item-type:
   *
   * The type of what is in the list: [class@Seqex.Connection].
   */
  properties[PROP_ITEM_TYPE] = g_param_spec_gtype ("item-type", NULL, NULL, G_TYPE_OBJECT,
                                                   G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * SeqexEndpoint:n-items:
   *
   * How many connections there are.
   */
  properties[PROP_N_ITEMS] = g_param_spec_uint ("n-items", NULL, NULL, 0, G_MAXUINT, 0, readable);
}

void
seqex_endpoint_install_properties (GObjectClass *object_class)
{
  object_class->get_property = seqex_endpoint_get_property;
  object_class->set_property = seqex_endpoint_set_property;

  install_fixed_properties ();
  install_settings ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

void
seqex_endpoint_notify_local_address (SeqexEndpoint *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LOCAL_ADDRESS]);
}

void
seqex_endpoint_notify_n_items (SeqexEndpoint *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_ITEMS]);
}

/**
 * seqex_endpoint_get_identity: (get-property identity)
 * @self: an endpoint
 *
 * Gets who this side is.
 *
 * Returns: (transfer none): the identity
 */
SeqexIdentity *
seqex_endpoint_get_identity (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);

  return self->identity;
}

/**
 * seqex_endpoint_get_application_id: (get-property application-id)
 * @self: an endpoint
 *
 * Gets the name of what is spoken on the connections.
 *
 * Returns: (transfer none) (nullable): the name
 */
const char *
seqex_endpoint_get_application_id (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);

  return self->application_id;
}

/**
 * seqex_endpoint_get_local_address: (get-property local-address)
 * @self: an endpoint
 *
 * Gets the address that the endpoint is bound to.
 *
 * Returns: (transfer none) (nullable): the address, or `NULL` if it is not bound, or has none
 */
GSocketAddress *
seqex_endpoint_get_local_address (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);

  return self->local_address;
}

/**
 * seqex_endpoint_get_trust_store: (get-property trust-store)
 * @self: an endpoint
 *
 * Gets the peers that are known.
 *
 * Returns: (transfer none) (nullable): the trust store
 */
SeqexTrustStore *
seqex_endpoint_get_trust_store (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);

  return self->trust_store;
}

/**
 * seqex_endpoint_set_trust_store: (set-property trust-store)
 * @self: an endpoint
 * @store: (nullable): the peers that are known
 *
 * Sets the peers that are known. Connections that are open stay open.
 */
void
seqex_endpoint_set_trust_store (SeqexEndpoint   *self,
                                SeqexTrustStore *store)
{
  g_return_if_fail (SEQEX_IS_ENDPOINT (self));
  g_return_if_fail (store == NULL || SEQEX_IS_TRUST_STORE (store));
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return;

  if (g_set_object (&self->trust_store, store))
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TRUST_STORE]);
}

/**
 * seqex_endpoint_get_trust_policy: (get-property trust-policy)
 * @self: an endpoint
 *
 * Gets who may be a peer when nothing else decides.
 *
 * Returns: the policy
 */
SeqexTrustPolicy
seqex_endpoint_get_trust_policy (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), SEQEX_TRUST_POLICY_STRICT);

  return self->trust_policy;
}

/**
 * seqex_endpoint_set_trust_policy: (set-property trust-policy)
 * @self: an endpoint
 * @policy: who may be a peer when nothing else decides
 *
 * Sets who may be a peer when nothing else decides. Connections that are open stay open.
 */
void
seqex_endpoint_set_trust_policy (SeqexEndpoint    *self,
                                 SeqexTrustPolicy  policy)
{
  g_return_if_fail (SEQEX_IS_ENDPOINT (self));
  g_return_if_fail (policy == SEQEX_TRUST_POLICY_STRICT || policy == SEQEX_TRUST_POLICY_ANYONE);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC) || self->trust_policy == policy)
    return;

  self->trust_policy = policy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TRUST_POLICY]);
}

/**
 * seqex_endpoint_get_shared_secret: (get-property shared-secret)
 * @self: an endpoint
 *
 * Gets the secret that both sides know.
 *
 * Returns: (transfer none) (nullable): the secret as it was set
 */
const char *
seqex_endpoint_get_shared_secret (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), NULL);

  return self->shared_secret;
}

static void
wipe_text (char *text)
{
  if (text != NULL)
    seqex_crypto_table ()->wipe (text, strlen (text));
  g_free (text);
}

/**
 * seqex_endpoint_set_shared_secret:
 * @self: an endpoint
 * @secret: (nullable): a secret of [func@Seqex.shared_secret_generate], or `NULL` for none
 * @error: where to put an error
 *
 * Sets the secret that both sides know, for connections that are opened from now on.
 *
 * The error is %G_IO_ERROR_INVALID_ARGUMENT if the secret is malformed; it says where, and nothing
 * changes.
 *
 * Returns: `TRUE` if the secret is set
 */
gboolean
seqex_endpoint_set_shared_secret (SeqexEndpoint  *self,
                                  const char     *secret,
                                  GError        **error)
{
  guint8 psk[SEQEX_KEY_SIZE];

  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!seqex_driver_check_thread (self->driver, G_STRFUNC))
    return FALSE;
  if (g_strcmp0 (self->shared_secret, secret) == 0)
    return TRUE;

  if (secret != NULL)
    {
      if (!seqex_shared_secret_parse (secret, psk, error))
        return FALSE;
      seqex_shared_secret_get_psk (psk, psk);
    }
  if (self->driver->core != NULL)
    sqx_endpoint_set_psk (self->driver->core, secret != NULL ? psk : NULL);
  seqex_crypto_table ()->wipe (psk, sizeof psk);
  wipe_text (self->shared_secret);
  self->shared_secret = g_strdup (secret);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SHARED_SECRET]);
  return TRUE;
}

/**
 * seqex_endpoint_get_max_connections: (get-property max-connections)
 * @self: an endpoint
 *
 * Gets how many connections that peers have opened there may be.
 *
 * Returns: the number
 */
guint
seqex_endpoint_get_max_connections (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->max_connections;
}

/**
 * seqex_endpoint_get_max_half_open: (get-property max-half-open)
 * @self: an endpoint
 *
 * Gets how many handshakes of peers may be unfinished at a time.
 *
 * Returns: the number
 */
guint
seqex_endpoint_get_max_half_open (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->max_half_open;
}

/**
 * seqex_endpoint_get_max_half_open_per_address: (get-property max-half-open-per-address)
 * @self: an endpoint
 *
 * Gets how many unfinished handshakes may come from one IP address.
 *
 * Returns: the number
 */
guint
seqex_endpoint_get_max_half_open_per_address (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->max_half_open_per_address;
}

/**
 * seqex_endpoint_get_max_message_size: (get-property max-message-size)
 * @self: an endpoint
 *
 * Gets the size of the largest message that a peer may send.
 *
 * Returns: the size in bytes
 */
guint64
seqex_endpoint_get_max_message_size (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->config.max_message_size;
}

/**
 * seqex_endpoint_get_max_streams: (get-property max-streams)
 * @self: an endpoint
 *
 * Gets how many streams a peer may have open at once on its connection.
 *
 * Returns: the number
 */
guint
seqex_endpoint_get_max_streams (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->config.max_streams;
}

/**
 * seqex_endpoint_get_max_send_rate: (get-property max-send-rate)
 * @self: an endpoint
 *
 * Gets how fast each connection sends at most, at first.
 *
 * Returns: the rate in bytes a second, 0 for no limit
 */
guint64
seqex_endpoint_get_max_send_rate (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), 0);

  return self->config.max_send_rate;
}

/**
 * seqex_endpoint_get_congestion_control: (get-property congestion-control)
 * @self: an endpoint
 *
 * Gets how the connections find out how fast they may send.
 *
 * Returns: the way
 */
SeqexCongestionControl
seqex_endpoint_get_congestion_control (SeqexEndpoint *self)
{
  g_return_val_if_fail (SEQEX_IS_ENDPOINT (self), SEQEX_CONGESTION_CONTROL_BBR);

  return seqex_connection_get_controller (&self->config);
}
