/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The properties of SeqexConnection, with their accessors.
 */
#include "config.h"

#include "seqex-connection-private.h"

#include "seqex-debug-private.h"
#include "seqex-endpoint.h"
#include "seqex-enum-types.h"
#include "seqex-statistics.h"

typedef enum
{
  PROP_STATE = 1,
  PROP_SOCKET,
  PROP_TRANSPORT,
  PROP_ENDPOINT,
  PROP_REMOTE_ADDRESS,
  PROP_PEER_KEY,
  PROP_APPLICATION_ID,
  PROP_INSTANCE,
  PROP_ACCEPTS_MESSAGES,
  PROP_TIMEOUT,
  PROP_KEEPALIVE_INTERVAL,
  PROP_IDLE_TIMEOUT,
  PROP_PERSISTENT,
  PROP_PERSISTENCE_LIMIT,
  PROP_MAX_MESSAGE_SIZE,
  PROP_MAX_DATAGRAM_SIZE,
  PROP_MAX_STREAMS,
  PROP_MAX_SEND_RATE,
  PROP_CONGESTION_CONTROL,
  PROP_MAX_QUEUED_BYTES,
  PROP_QUEUED_BYTES,
  PROP_WRITABLE,
  PROP_ROUND_TRIP_TIME,
  PROP_STATISTICS,
} SeqexConnectionProperty;

static GParamSpec *properties[PROP_STATISTICS + 1];

static void
seqex_connection_get_property (GObject    *object,
                               guint       prop_id,
                               GValue     *value,
                               GParamSpec *pspec)
{
  SeqexConnection *self = SEQEX_CONNECTION (object);

  switch ((SeqexConnectionProperty) prop_id)
    {
    case PROP_STATE:
      g_value_set_enum (value, self->state);
      break;
    case PROP_SOCKET:
      g_value_set_object (value, self->socket);
      break;
    case PROP_TRANSPORT:
      g_value_set_object (value, self->transport);
      break;
    case PROP_ENDPOINT:
      g_value_take_object (value, g_weak_ref_get (&self->endpoint));
      break;
    case PROP_REMOTE_ADDRESS:
      g_value_set_object (value, seqex_connection_get_remote_address (self));
      break;
    case PROP_PEER_KEY:
      g_value_set_string (value, seqex_connection_get_peer_key (self));
      break;
    case PROP_APPLICATION_ID:
      g_value_set_string (value, self->application_id);
      break;
    case PROP_INSTANCE:
      g_value_set_uint (value, self->config.instance);
      break;
    case PROP_ACCEPTS_MESSAGES:
      g_value_set_boolean (value, self->config.accepts_messages);
      break;
    case PROP_TIMEOUT:
      g_value_set_uint (value, self->port.timeout);
      break;
    case PROP_KEEPALIVE_INTERVAL:
      g_value_set_uint (value, seqex_connection_get_keepalive_interval (self));
      break;
    case PROP_IDLE_TIMEOUT:
      g_value_set_uint (value, seqex_connection_get_idle_timeout (self));
      break;
    case PROP_PERSISTENT:
      g_value_set_boolean (value, self->persistent);
      break;
    case PROP_PERSISTENCE_LIMIT:
      g_value_set_uint (value, self->persistence_limit);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, self->config.max_message_size);
      break;
    case PROP_MAX_DATAGRAM_SIZE:
      g_value_set_uint (value, self->config.max_datagram_size);
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
    case PROP_MAX_QUEUED_BYTES:
      g_value_set_uint64 (value, self->config.queue_limit);
      break;
    case PROP_QUEUED_BYTES:
      g_value_set_uint64 (value, seqex_connection_get_queued_bytes (self));
      break;
    case PROP_WRITABLE:
      g_value_set_boolean (value, seqex_connection_get_writable (self));
      break;
    case PROP_ROUND_TRIP_TIME:
      g_value_set_uint64 (value, seqex_connection_get_round_trip_time (self));
      break;
    case PROP_STATISTICS:
      g_value_take_boxed (value, seqex_connection_get_statistics (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_connection_set_property (GObject      *object,
                               guint         prop_id,
                               const GValue *value,
                               GParamSpec   *pspec)
{
  SeqexConnection *self = SEQEX_CONNECTION (object);

  switch ((SeqexConnectionProperty) prop_id)
    {
    case PROP_SOCKET:
      self->socket = g_value_dup_object (value);
      break;
    case PROP_TRANSPORT:
      self->transport = g_value_dup_object (value);
      break;
    case PROP_ENDPOINT:
      g_weak_ref_set (&self->endpoint, g_value_get_object (value));
      break;
    case PROP_APPLICATION_ID:
      if (g_value_get_string (value) != NULL)
        self->application_id = g_ref_string_new (g_value_get_string (value));
      break;
    case PROP_INSTANCE:
      self->config.instance = g_value_get_uint (value);
      break;
    case PROP_MAX_STREAMS:
      self->config.max_streams = g_value_get_uint (value);
      break;
    case PROP_CONGESTION_CONTROL:
      seqex_connection_set_controller (&self->config, g_value_get_enum (value));
      break;
    case PROP_MAX_DATAGRAM_SIZE:
      self->config.max_datagram_size = g_value_get_uint (value);
      break;
    case PROP_ACCEPTS_MESSAGES:
      seqex_connection_set_accepts_messages (self, g_value_get_boolean (value));
      break;
    case PROP_TIMEOUT:
      seqex_connection_set_timeout (self, g_value_get_uint (value));
      break;
    case PROP_KEEPALIVE_INTERVAL:
      seqex_connection_set_keepalive_interval (self, g_value_get_uint (value));
      break;
    case PROP_IDLE_TIMEOUT:
      seqex_connection_set_idle_timeout (self, g_value_get_uint (value));
      break;
    case PROP_PERSISTENT:
      seqex_connection_set_persistent (self, g_value_get_boolean (value));
      break;
    case PROP_PERSISTENCE_LIMIT:
      seqex_connection_set_persistence_limit (self, g_value_get_uint (value));
      break;
    case PROP_MAX_MESSAGE_SIZE:
      seqex_connection_set_max_message_size (self, g_value_get_uint64 (value));
      break;
    case PROP_MAX_SEND_RATE:
      seqex_connection_set_max_send_rate (self, g_value_get_uint64 (value));
      break;
    case PROP_MAX_QUEUED_BYTES:
      seqex_connection_set_max_queued_bytes (self, g_value_get_uint64 (value));
      break;
    case PROP_STATE:
    case PROP_REMOTE_ADDRESS:
    case PROP_PEER_KEY:
    case PROP_QUEUED_BYTES:
    case PROP_WRITABLE:
    case PROP_ROUND_TRIP_TIME:
    case PROP_STATISTICS:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
install_fixed_properties (void)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  /**
   * SeqexConnection:socket: (getter get_socket)
   *
   * The connected datagram socket that the connection uses: UDP, or one of a pair of Unix datagram
   * sockets. `NULL` if [property@Seqex.Connection:transport] is something else.
   */
  properties[PROP_SOCKET] = g_param_spec_object ("socket", NULL, NULL, G_TYPE_SOCKET, construct);

  /**
   * SeqexConnection:transport: (getter get_transport)
   *
   * What carries the connection's datagrams to the peer and back: the socket, or anything else that
   * keeps them whole and private, such as a DTLS connection.
   */
  properties[PROP_TRANSPORT] = g_param_spec_object ("transport", NULL, NULL, G_TYPE_DATAGRAM_BASED,
                                                    construct);

  /**
   * SeqexConnection:endpoint: (getter get_endpoint)
   *
   * The endpoint that the connection is of. `NULL` if the connection has a transport of its own, or
   * once the program has dropped the endpoint. Nobody but an endpoint sets it.
   */
  properties[PROP_ENDPOINT] = g_param_spec_object ("endpoint", NULL, NULL, SEQEX_TYPE_ENDPOINT,
                                                   construct);

  /**
   * SeqexConnection:peer-key: (getter get_peer_key)
   *
   * The fingerprint of the key that the peer has proved to own. `NULL` if the connection is not
   * encrypted.
   */
  properties[PROP_PEER_KEY] = g_param_spec_string ("peer-key", NULL, NULL, NULL, readable);

  /**
   * SeqexConnection:application-id: (getter get_application_id)
   *
   * A name of what is spoken on the connection, of at most 255 bytes. `NULL` is the empty name.
   *
   * Two peers with different names refuse each other with %SEQEX_ERROR_APPLICATION_MISMATCH. A name
   * like `org.example.Chess/2` says what is meant, and which version of it.
   */
  properties[PROP_APPLICATION_ID] = g_param_spec_string ("application-id", NULL, NULL, NULL,
                                                         construct);

  /**
   * SeqexConnection:instance: (getter get_instance)
   *
   * A number that both peers agree on, and that every datagram carries.
   *
   * It tells apart connections whose datagrams travel together, for example through one tunnel.
   */
  properties[PROP_INSTANCE] = g_param_spec_uint ("instance", NULL, NULL, 0, G_MAXUINT32, 0,
                                                 construct);

  /**
   * SeqexConnection:max-streams: (getter get_max_streams)
   *
   * How many streams the peer may have open at once: see [signal@Seqex.Connection::stream]. With 0 it
   * can open none.
   *
   * That of a connection of an endpoint is [property@Seqex.Endpoint:max-streams].
   */
  properties[PROP_MAX_STREAMS] = g_param_spec_uint ("max-streams", NULL, NULL, 0, SQX_STREAMS_MAX,
    SQX_STREAMS_DEFAULT, construct);

  /**
   * SeqexConnection:congestion-control: (getter get_congestion_control)
   *
   * How the connection finds out how fast it may send. It concerns this side alone.
   *
   * That of a connection of an endpoint is [property@Seqex.Endpoint:congestion-control].
   */
  properties[PROP_CONGESTION_CONTROL] =
    g_param_spec_enum ("congestion-control", NULL, NULL, SEQEX_TYPE_CONGESTION_CONTROL,
                       SEQEX_CONGESTION_CONTROL_BBR, construct);

  /**
   * SeqexConnection:max-datagram-size: (getter get_max_datagram_size)
   *
   * The size of the largest datagram that is sent and accepted, in bytes, without the headers of
   * UDP and IP.
   *
   * It is at most an eighth of the socket's receive buffer (but not below 1200), and sending stays
   * below what the peer accepts. How much the path to the peer carries is found out while data is
   * sent (RFC 8899): the first datagrams have 1200 bytes, which every path through the internet
   * carries.
   */
  properties[PROP_MAX_DATAGRAM_SIZE] = g_param_spec_uint ("max-datagram-size", NULL, NULL,
                                                          SQX_DATAGRAM_MIN, SQX_DATAGRAM_MAX,
                                                          SQX_DATAGRAM_MAX, construct);
}

static void
install_settings (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * SeqexConnection:accepts-messages: (getter get_accepts_messages) (setter set_accepts_messages)
   *
   * Whether the peer may start exchanges.
   *
   * If not, its messages are ended at once, those that wait for somebody to take them included; the
   * peer gets %SEQEX_ERROR_UNHANDLED. Replies are not concerned.
   */
  properties[PROP_ACCEPTS_MESSAGES] = g_param_spec_boolean ("accepts-messages", NULL, NULL, TRUE,
                                                            flags);

  /**
   * SeqexConnection:timeout: (getter get_timeout) (setter set_timeout)
   *
   * How long a message that is sent waits for its outcome, in milliseconds; 0 for as long as the
   * connection lasts.
   *
   * After that the message is cancelled, at the peer, too, and the operation fails with
   * %G_IO_ERROR_TIMED_OUT. A change concerns what is sent afterwards. Every channel has a time-out
   * of its own.
   */
  properties[PROP_TIMEOUT] = g_param_spec_uint ("timeout", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * SeqexConnection:keepalive-interval:
   *
   * After how many milliseconds of silence the peer is asked whether it is still there, while
   * something is open; 0 for never. With nothing open a connection is silent.
   */
  properties[PROP_KEEPALIVE_INTERVAL] =
    g_param_spec_uint ("keepalive-interval", NULL, NULL, 0, G_MAXUINT,
                       SQX_KEEPALIVE_DEFAULT / SQX_MILLISECOND, flags);

  /**
   * SeqexConnection:idle-timeout: (getter get_idle_timeout) (setter set_idle_timeout)
   *
   * After how many milliseconds of silence the peer is given up, while something is open; 0 for
   * never, at least 10.
   *
   * The connection then fails with %SEQEX_ERROR_CONNECTION_LOST. The smaller value of the two peers
   * holds.
   */
  properties[PROP_IDLE_TIMEOUT] = g_param_spec_uint ("idle-timeout", NULL, NULL, 0, G_MAXUINT,
                                                     SQX_IDLE_DEFAULT / SQX_MILLISECOND, flags);

  /**
   * SeqexConnection:persistent: (getter get_persistent) (setter set_persistent)
   *
   * Whether the connection outlives the loss of its peer. Only an encrypted one can.
   *
   * When the peer does not answer any more, for [property@Seqex.Connection:idle-timeout], such a
   * connection is %SEQEX_CONNECTION_STATE_RECONNECTING instead of closed: this side looks for the
   * peer, asks for its address anew, and everything that is open goes on when it is found. If the
   * peer has restarted meanwhile, what is open fails with %SEQEX_ERROR_SESSION_LOST.
   */
  properties[PROP_PERSISTENT] = g_param_spec_boolean ("persistent", NULL, NULL, FALSE, flags);

  /**
   * SeqexConnection:persistence-limit: (getter get_persistence_limit)
   *
   * For how many seconds a lost peer is looked for, 0 for ever. Then the connection fails with
   * %SEQEX_ERROR_CONNECTION_LOST.
   */
  properties[PROP_PERSISTENCE_LIMIT] = g_param_spec_uint ("persistence-limit", NULL, NULL, 0,
                                                          G_MAXUINT, SEQEX_PERSISTENCE_DEFAULT,
                                                          flags);

  /**
   * SeqexConnection:max-message-size: (getter get_max_message_size) (setter set_max_message_size)
   *
   * The size of the largest message that the peer may send, in bytes, from 16 KiB to 256 MiB.
   *
   * The memory that the peer can make this side use grows with it. It can be set until the first
   * datagram is sent or received: best right after construction.
   */
  properties[PROP_MAX_MESSAGE_SIZE] =
    g_param_spec_uint64 ("max-message-size", NULL, NULL, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_MAX,
                         SQX_MESSAGE_MAX_DEFAULT, flags);

  /**
   * SeqexConnection:max-queued-bytes: (getter get_max_queued_bytes) (setter set_max_queued_bytes)
   *
   * How many bytes may wait to be sent, with 64 for each message on top of its payload.
   *
   * Beyond that, sending fails with %G_IO_ERROR_WOULD_BLOCK until
   * [property@Seqex.Connection:writable] is true again.
   */
  properties[PROP_MAX_QUEUED_BYTES] =
    g_param_spec_uint64 ("max-queued-bytes", NULL, NULL, 0, G_MAXUINT64, SQX_QUEUE_DEFAULT, flags);

  /**
   * SeqexConnection:max-send-rate: (getter get_max_send_rate) (setter set_max_send_rate)
   *
   * How many bytes a second this side sends at most, over some milliseconds and without the headers
   * of UDP and IP; 0 for as many as the path carries.
   *
   * A change holds from the next datagram on, for what waits already, too. Questions whether the
   * peer is still there, and acknowledgements, are not held up. At a few kilobytes a second it takes
   * seconds from one datagram to the next, so that [property@Seqex.Connection:idle-timeout] should
   * not be short.
   */
  properties[PROP_MAX_SEND_RATE] = g_param_spec_uint64 ("max-send-rate", NULL, NULL, 0, G_MAXUINT64,
                                                        0, flags);
}

static void
install_changing_properties (void)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * SeqexConnection:remote-address: (getter get_remote_address)
   *
   * The peer's address, if there is a socket or an endpoint. It changes when the peer moves.
   */
  properties[PROP_REMOTE_ADDRESS] = g_param_spec_object ("remote-address", NULL, NULL,
                                                         G_TYPE_SOCKET_ADDRESS, flags);

  /**
   * SeqexConnection:state: (getter get_state)
   *
   * Where the connection is in its life.
   */
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, SEQEX_TYPE_CONNECTION_STATE,
                                              SEQEX_CONNECTION_STATE_CONNECTING, flags);

  /**
   * SeqexConnection:queued-bytes: (getter get_queued_bytes)
   *
   * How many bytes wait to be sent, with 64 for each message on top of its payload. What was begun
   * does not count any more.
   */
  properties[PROP_QUEUED_BYTES] = g_param_spec_uint64 ("queued-bytes", NULL, NULL, 0, G_MAXUINT64,
                                                       0, flags);

  /**
   * SeqexConnection:writable: (getter get_writable)
   *
   * Whether it is a good moment to send: at most half of
   * [property@Seqex.Connection:max-queued-bytes] wait, and the connection is not closing.
   *
   * A program that sends much stops when this becomes false, and goes on when it is true again.
   */
  properties[PROP_WRITABLE] = g_param_spec_boolean ("writable", NULL, NULL, TRUE, flags);

  /**
   * SeqexConnection:round-trip-time: (getter get_round_trip_time)
   *
   * The smoothed time from here to the peer and back, in microseconds; 0 while it is not known.
   */
  properties[PROP_ROUND_TRIP_TIME] = g_param_spec_uint64 ("round-trip-time", NULL, NULL, 0,
                                                          G_MAXUINT64, 0, flags);

  /**
   * SeqexConnection:statistics: (getter get_statistics)
   *
   * What the connection has done so far. Each reading gives new figures; there are no
   * notifications.
   */
  properties[PROP_STATISTICS] = g_param_spec_boxed ("statistics", NULL, NULL, SEQEX_TYPE_STATISTICS,
                                                    flags);
}

void
seqex_connection_install_properties (GObjectClass *object_class)
{
  object_class->get_property = seqex_connection_get_property;
  object_class->set_property = seqex_connection_set_property;

  install_fixed_properties ();
  install_settings ();
  install_changing_properties ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static SeqexConnectionState
find_state (SeqexConnection *self)
{
  if (self->dialogue.closed)
    return SEQEX_CONNECTION_STATE_CLOSED;

  switch (sqx_conn_state (self->dialogue.core))
    {
    case SQX_STATE_CONNECTING:
      return SEQEX_CONNECTION_STATE_CONNECTING;
    case SQX_STATE_CONNECTED:
      return SEQEX_CONNECTION_STATE_CONNECTED;
    case SQX_STATE_RECONNECTING:
      return SEQEX_CONNECTION_STATE_RECONNECTING;
    case SQX_STATE_FINISHING:
    case SQX_STATE_CLOSING:
    case SQX_STATE_DRAINING:
      return SEQEX_CONNECTION_STATE_CLOSING;
    case SQX_STATE_CLOSED:
      return SEQEX_CONNECTION_STATE_CLOSED;
    }
  g_assert_not_reached ();
}

static void
set_state (SeqexConnection      *self,
           SeqexConnectionState  state)
{
  if (self->state == state)
    return;

  g_assert (state > self->state || self->state == SEQEX_CONNECTION_STATE_RECONNECTING);
  SEQEX_NOTE (STATE, "%p: state %d", self, state);
  self->state = state;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
}

void
seqex_connection_notify (SeqexConnection *self,
                         const char      *property_name)
{
  g_object_notify (G_OBJECT (self), property_name);
}

static void
check_address (SeqexConnection *self)
{
  SeqexDialogue *dialogue = &self->dialogue;
  const sqx_address *address;

  if (dialogue->core == NULL)
    return;
  address = sqx_conn_address (dialogue->core);
  if (sqx_address_equal (address, &dialogue->address))
    return;

  dialogue->address = *address;
  g_clear_object (&self->remote_address);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_REMOTE_ADDRESS]);
}

void
seqex_connection_notify_changes (SeqexConnection *self)
{
  const sqx_conn *core = self->dialogue.core;
  guint64 queued_bytes = core != NULL ? sqx_conn_queued_bytes (core) : 0;
  guint64 round_trip_time = core != NULL ? sqx_conn_smoothed_rtt (core) : 0;
  gboolean writable = core != NULL && sqx_conn_is_writable (core);
  GObject *object = (GObject *) self;

  set_state (self, find_state (self));
  check_address (self);
  if (self->queued_bytes != queued_bytes)
    {
      self->queued_bytes = queued_bytes;
      g_object_notify_by_pspec (object, properties[PROP_QUEUED_BYTES]);
    }
  if (self->writable != writable)
    {
      self->writable = writable;
      g_object_notify_by_pspec (object, properties[PROP_WRITABLE]);
    }
  if (self->round_trip_time != round_trip_time)
    {
      self->round_trip_time = round_trip_time;
      g_object_notify_by_pspec (object, properties[PROP_ROUND_TRIP_TIME]);
    }
}

/**
 * seqex_connection_get_max_streams: (get-property max-streams)
 * @self: a connection
 *
 * Gets how many streams the peer may have open at once.
 *
 * Returns: the number
 */
guint
seqex_connection_get_max_streams (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.max_streams;
}
