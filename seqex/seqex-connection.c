/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-connection-private.h"

#include "seqex-channel-private.h"
#include "seqex-error-private.h"
#include "seqex-endpoint-private.h"
#include "seqex-message-private.h"
#include "seqex-statistics-private.h"
#include "seqex-stream.h"

/**
 * SeqexConnection:
 *
 * The relation with one peer: messages, each exactly once, and the reply to each.
 *
 * [ctor@Seqex.Connection.new] makes a connection of a connected datagram socket. There is no
 * handshake to wait for: sending works at once, and what is sent waits for the peer.
 *
 * [method@Seqex.Connection.send_with_reply_async] sends a message and waits for the reply to it,
 * [method@Seqex.Connection.send_async] one that expects none. What the peer sends comes to handlers
 * of [signal@Seqex.Connection::message], or to who calls
 * [method@Seqex.Connection.receive_async]; until there is either, it waits, and in the end the peer
 * is held back. Large data goes by [method@Seqex.Connection.open_stream_async].
 *
 * ## Life
 *
 * [method@Seqex.Connection.close_async] ends a connection in good order. A connection also lives as
 * long as an operation of it runs or a message of it exists, and until what was begun is settled.
 * One with nothing to do is freed with its last reference, without a word to the peer; a handler
 * does not keep it. The socket is not closed by any of this, only no longer referred to.
 *
 * ## Threads
 *
 * A connection, its channels and its messages belong to the main context that was the
 * thread-default one when the connection was made. Every callback and every signal comes there,
 * from an iteration of that context and never from within the call that causes it. Methods are
 * called in the thread that runs this context; a call from another one is a programming error and
 * gets a critical warning. There are no other threads behind it.
 *
 * The free function of a payload must not call this library: it may run inside of it.
 */
G_DEFINE_FINAL_TYPE (SeqexConnection, seqex_connection, G_TYPE_OBJECT)

enum
{
  SIGNAL_MESSAGE,
  SIGNAL_DATAGRAM,
  SIGNAL_STREAM,
  SIGNAL_CLOSED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* For the driver ------------------------------------------------------------------------- */

SeqexDialogue *
seqex_connection_get_dialogue (SeqexConnection *self)
{
  return &self->dialogue;
}

void
seqex_connection_emit_datagram (SeqexConnection *self,
                                GBytes          *payload)
{
  g_signal_emit (self, signals[SIGNAL_DATAGRAM], 0, payload);
}

void
seqex_connection_emit_stream (SeqexConnection *self,
                              SeqexStream     *stream)
{
  g_signal_emit (self, signals[SIGNAL_STREAM], 0, stream);
}

gboolean
seqex_connection_hears_streams (SeqexConnection *self)
{
  return g_signal_has_handler_pending (self, signals[SIGNAL_STREAM], 0, FALSE);
}

void
seqex_connection_emit_closed (SeqexConnection *self,
                              const GError    *error)
{
  g_autoptr (SeqexEndpoint) endpoint = g_weak_ref_get (&self->endpoint);

  g_signal_emit (self, signals[SIGNAL_CLOSED], 0, error);
  if (endpoint != NULL)
    seqex_endpoint_forget (endpoint, self);
}

/* GObject -------------------------------------------------------------------------------- */

static void
seqex_connection_constructed (GObject *object)
{
  SeqexConnection *self = SEQEX_CONNECTION (object);

  G_OBJECT_CLASS (seqex_connection_parent_class)->constructed (object);

  seqex_connection_set_up (self);
}

static void
seqex_connection_dispose (GObject *object)
{
  SeqexConnection *self = SEQEX_CONNECTION (object);

  g_autoptr (SeqexEndpoint) endpoint = g_weak_ref_get (&self->endpoint);

  if (self->lookup != NULL)
    g_cancellable_cancel (self->lookup);
  g_clear_object (&self->lookup);
  seqex_dialogue_dispose (&self->dialogue);
  /* It is in the list only if somebody insists on dispose. */
  if (endpoint != NULL && !self->dialogue.told_closed)
    seqex_endpoint_forget (endpoint, self);
  if (self->channels != NULL)
    g_ptr_array_foreach (self->channels, (GFunc) (GCallback) seqex_channel_detach, NULL);
  g_clear_pointer (&self->channels, g_ptr_array_unref);

  G_OBJECT_CLASS (seqex_connection_parent_class)->dispose (object);
}

static void
seqex_connection_finalize (GObject *object)
{
  SeqexConnection *self = SEQEX_CONNECTION (object);

  seqex_dialogue_clear (&self->dialogue);
  g_weak_ref_clear (&self->endpoint);
  g_clear_object (&self->peer);
  g_clear_object (&self->remote_address);
  g_free (self->peer_key);
  g_clear_object (&self->socket);
  g_clear_object (&self->transport);
  g_clear_pointer (&self->application_id, g_ref_string_release);

  G_OBJECT_CLASS (seqex_connection_parent_class)->finalize (object);
}

static void
install_signals (void)
{
  /**
   * SeqexConnection::message:
   * @self: the connection
   * @message: what arrived
   *
   * A message of the peer that starts an exchange, on channel 0 or on a channel that is not open.
   *
   * A handler that returns `TRUE` has taken the message, and answers it when it likes; no other
   * handler sees it. If every handler returns `FALSE`, the message is ended after the emission, and
   * a peer that waits for a reply gets %SEQEX_ERROR_NO_REPLY.
   *
   * As long as no handler is connected and nobody calls
   * [method@Seqex.Connection.receive_async], messages wait.
   *
   * Returns: `TRUE` if the handler has taken the message, `FALSE` to let it be ended
   */
  signals[SIGNAL_MESSAGE] = seqex_message_install_signal (SEQEX_TYPE_CONNECTION);

  /**
   * SeqexConnection::datagram:
   * @self: the connection
   * @payload: what arrived
   *
   * An unconfirmed datagram of the peer arrived: see [method@Seqex.Connection.send_datagram].
   *
   * Datagrams do not wait: without a handler they are dropped.
   */
  signals[SIGNAL_DATAGRAM] = g_signal_new ("datagram", SEQEX_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);

  /**
   * SeqexConnection::stream:
   * @self: the connection
   * @stream: what the peer opened
   *
   * The peer opened a stream.
   *
   * As long as no handler is connected, streams wait. The connection keeps the stream: a handler that
   * does not want it closes it.
   */
  signals[SIGNAL_STREAM] = g_signal_new ("stream", SEQEX_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, SEQEX_TYPE_STREAM);

  /**
   * SeqexConnection::closed:
   * @self: the connection
   * @error: (nullable): why, or `NULL` if one of the two sides closed in good order
   *
   * The connection is over. Every operation that waited was told before, and every message that
   * somebody listens for was handed over.
   *
   * This comes once.
   */
  signals[SIGNAL_CLOSED] = g_signal_new ("closed", SEQEX_TYPE_CONNECTION, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_ERROR);
}

static void
seqex_connection_class_init (SeqexConnectionClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = seqex_connection_constructed;
  object_class->dispose = seqex_connection_dispose;
  object_class->finalize = seqex_connection_finalize;

  seqex_connection_install_properties (object_class);
  install_signals ();
}

static void
seqex_connection_init (SeqexConnection *self)
{
  seqex_connection_init_config (&self->config);
  g_weak_ref_init (&self->endpoint, NULL);
  self->persistence_limit = SEQEX_PERSISTENCE_DEFAULT;
  self->writable = TRUE;
  self->port.object = G_OBJECT (self);
  self->port.signal_id = signals[SIGNAL_MESSAGE];
  seqex_dialogue_init (&self->dialogue, self, &self->port);
}

/**
 * seqex_connection_new:
 * @socket: a connected datagram socket
 *
 * Makes a connection to the peer that a socket is connected to.
 *
 * The two programs may start in any order. Nothing is encrypted: this is for a pair of Unix
 * sockets, a tunnel, or a network that is trusted.
 *
 * A socket that is not a datagram socket, or not connected, makes a connection that is closed from
 * the start: every operation, and [signal@Seqex.Connection::closed], says why. To set properties
 * that can only be set at construction use `g_object_new()`. A time-out of the socket is switched
 * off.
 *
 * Returns: (transfer full): a new connection
 */
SeqexConnection *
seqex_connection_new (GSocket *socket)
{
  g_return_val_if_fail (G_IS_SOCKET (socket), NULL);

  return g_object_new (SEQEX_TYPE_CONNECTION, "socket", socket, NULL);
}

/**
 * seqex_connection_new_for_transport:
 * @transport: what carries datagrams to the peer and back
 *
 * Makes a connection to the peer at the other end of a transport.
 *
 * The transport must work without waiting: the connection only uses it with a time-out of 0, and
 * waits for the sources that it makes.
 *
 * Returns: (transfer full): a new connection
 */
SeqexConnection *
seqex_connection_new_for_transport (GDatagramBased *transport)
{
  g_return_val_if_fail (G_IS_DATAGRAM_BASED (transport), NULL);

  return g_object_new (SEQEX_TYPE_CONNECTION, "transport", transport, NULL);
}

/**
 * seqex_connection_get_state: (get-property state)
 * @self: a connection
 *
 * Gets where the connection is in its life.
 *
 * Returns: the state
 */
SeqexConnectionState
seqex_connection_get_state (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), SEQEX_CONNECTION_STATE_CLOSED);

  return self->state;
}

/**
 * seqex_connection_get_queued_bytes: (get-property queued-bytes)
 * @self: a connection
 *
 * Gets how many bytes wait to be sent.
 *
 * Returns: the number of bytes, with 64 for each message on top of its payload
 */
guint64
seqex_connection_get_queued_bytes (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->dialogue.core != NULL ? sqx_conn_queued_bytes (self->dialogue.core) : 0;
}

/**
 * seqex_connection_get_writable: (get-property writable)
 * @self: a connection
 *
 * Gets whether it is a good moment to send.
 *
 * Returns: whether at most half of what may wait to be sent does
 */
gboolean
seqex_connection_get_writable (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), FALSE);

  return self->dialogue.core != NULL && sqx_conn_is_writable (self->dialogue.core);
}

/**
 * seqex_connection_get_round_trip_time: (get-property round-trip-time)
 * @self: a connection
 *
 * Gets the smoothed time from here to the peer and back.
 *
 * Returns: the time in microseconds, 0 while it is not known
 */
guint64
seqex_connection_get_round_trip_time (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->dialogue.core != NULL ? sqx_conn_smoothed_rtt (self->dialogue.core) : 0;
}

/**
 * seqex_connection_get_statistics: (get-property statistics)
 * @self: a connection
 *
 * Gets what the connection has done so far.
 *
 * Returns: (transfer full): the figures of this moment
 */
SeqexStatistics *
seqex_connection_get_statistics (SeqexConnection *self)
{
  SeqexDriver *driver;

  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  driver = self->dialogue.driver;
  /* What an endpoint drops is not of any of its connections. */
  return seqex_statistics_new (self->dialogue.core, driver->send_errors,
                               driver->owner == NULL ? seqex_driver_count_foreign (driver) : 0);
}

/**
 * seqex_connection_get_application_id: (get-property application-id)
 * @self: a connection
 *
 * Gets the name of what is spoken on the connection.
 *
 * Returns: (transfer none) (nullable): the name
 */
const char *
seqex_connection_get_application_id (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);

  return self->application_id;
}

/**
 * seqex_connection_get_instance: (get-property instance)
 * @self: a connection
 *
 * Gets the number that every datagram carries.
 *
 * Returns: the instance
 */
guint
seqex_connection_get_instance (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.instance;
}

/**
 * seqex_connection_get_max_datagram_size: (get-property max-datagram-size)
 * @self: a connection
 *
 * Gets the size of the largest datagram that is sent and accepted.
 *
 * Returns: the size in bytes
 */
guint
seqex_connection_get_max_datagram_size (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.max_datagram_size;
}

/**
 * seqex_connection_open_channel:
 * @self: a connection
 * @id: which channel, from 1 to 255
 *
 * Opens a channel: an independent order, with signals and operations of its own.
 *
 * Messages that wait on it move to it from the connection. A channel is opened once; opening it
 * again gives the same one. The connection keeps it.
 *
 * Returns: (transfer full): the channel
 */
SeqexChannel *
seqex_connection_open_channel (SeqexConnection *self,
                               guint            id)
{
  SeqexChannel *channel;

  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), NULL);
  g_return_val_if_fail (id > 0 && id < SQX_CHANNELS_DEFAULT, NULL);
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return NULL;

  for (guint i = 0; self->channels != NULL && i < self->channels->len; i++)
    {
      channel = g_ptr_array_index (self->channels, i);
      if (seqex_channel_get_id (channel) == id)
        return g_object_ref (channel);
    }

  if (self->channels == NULL)
    self->channels = g_ptr_array_new_with_free_func (g_object_unref);
  channel = seqex_channel_new (self, id, self->port.timeout);
  g_ptr_array_add (self->channels, channel);
  return g_object_ref (channel);
}

/**
 * seqex_connection_send_async:
 * @self: a connection
 * @payload: what to send, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop it
 * @callback: (nullable) (scope async) (closure user_data): called when the message was handed to
 *   the peer's program, or when that failed
 * @user_data: for @callback
 *
 * Sends a message that expects no reply.
 *
 * The payload is not copied. Any number of messages may be on their way at once, in the limits of
 * [property@Seqex.Connection:max-queued-bytes].
 *
 * If @cancellable is cancelled, or [property@Seqex.Connection:timeout] passes, before the peer's
 * program has the message, it is cancelled at the peer, too.
 *
 * Finish with [method@Seqex.Connection.send_finish].
 */
void
seqex_connection_send_async (SeqexConnection     *self,
                             GBytes              *payload,
                             SeqexSendFlags       flags,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  seqex_wait_send (&self->dialogue, SEQEX_WAIT_DELIVERY, SEQEX_CALL (seqex_connection_send_async),
                   0, NULL, 0, payload, flags);
}

/**
 * seqex_connection_send_finish:
 * @self: a connection
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Connection.send_async].
 *
 * The errors are:
 *
 * - %SEQEX_ERROR_MESSAGE_TOO_LARGE: the payload is larger than the peer accepts;
 * - %G_IO_ERROR_WOULD_BLOCK: too much waits to be sent already;
 * - %SEQEX_ERROR_UNHANDLED: the peer takes no messages;
 * - %SEQEX_ERROR_CONNECTION_LOST, %SEQEX_ERROR_SESSION_LOST, %SEQEX_ERROR_PEER_REFUSED,
 *   %SEQEX_ERROR_APPLICATION_MISMATCH, %SEQEX_ERROR_PROTOCOL_VIOLATION: the connection failed, and
 *   the message arrived or not;
 * - %G_IO_ERROR_CLOSED: one of the two sides closed the connection, or is closing it;
 * - %G_IO_ERROR_TIMED_OUT: the time-out passed;
 * - %G_IO_ERROR_CANCELLED: the operation was cancelled.
 *
 * Returns: `TRUE` if the peer's program has the message
 */
gboolean
seqex_connection_send_finish (SeqexConnection  *self,
                              GAsyncResult     *result,
                              GError          **error)
{
  return seqex_result_propagate_boolean (result, self, seqex_connection_send_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_connection_send_with_reply_async:
 * @self: a connection
 * @payload: what to send, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when the reply is there, or when
 *   it is clear that none comes
 * @user_data: for @callback
 *
 * Sends a message, and waits for the reply to it.
 *
 * Otherwise like [method@Seqex.Connection.send_async]. A program that only replies can never wait
 * for itself; two programs that start exchanges from within their handlers can, when both have very
 * many open: answer instead, or set a time-out.
 *
 * Finish with [method@Seqex.Connection.send_with_reply_finish].
 */
void
seqex_connection_send_with_reply_async (SeqexConnection     *self,
                                        GBytes              *payload,
                                        SeqexSendFlags       flags,
                                        GCancellable        *cancellable,
                                        GAsyncReadyCallback  callback,
                                        gpointer             user_data)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  seqex_wait_send (&self->dialogue, SEQEX_WAIT_REPLY,
                   SEQEX_CALL (seqex_connection_send_with_reply_async), 0, NULL, 0, payload, flags);
}

/**
 * seqex_connection_send_with_reply_finish:
 * @self: a connection
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Connection.send_with_reply_async].
 *
 * The errors are those of [method@Seqex.Connection.send_finish], and beyond them:
 *
 * - %SEQEX_ERROR_NO_REPLY: the peer ended the message without a reply;
 * - %SEQEX_ERROR_HANDLER_FAILED: the peer failed while it dealt with the message;
 * - %SEQEX_ERROR_CANCELLED_BY_PEER: the peer gave up dealing with it.
 *
 * Returns: (transfer full): the reply
 */
SeqexMessage *
seqex_connection_send_with_reply_finish (SeqexConnection  *self,
                                         GAsyncResult     *result,
                                         GError          **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_connection_send_with_reply_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_connection_receive_async:
 * @self: a connection
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when a message is there, or when
 *   none comes any more
 * @user_data: for @callback
 *
 * Waits for the next message of the peer that starts an exchange, on channel 0 or on a channel that
 * is not open.
 *
 * This is the other form of [signal@Seqex.Connection::message], and goes before it. Several calls
 * may wait at once; the first one gets the first message. The message counts as taken. If
 * @cancellable is cancelled no message is lost: it goes to the next one who asks.
 *
 * Finish with [method@Seqex.Connection.receive_finish].
 */
void
seqex_connection_receive_async (SeqexConnection     *self,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  seqex_wait_receive (&self->dialogue, &self->port, SEQEX_CALL (seqex_connection_receive_async));
}

/**
 * seqex_connection_receive_finish:
 * @self: a connection
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Connection.receive_async].
 *
 * The errors are %G_IO_ERROR_CANCELLED, and why the connection failed if it did.
 *
 * Returns: (transfer full) (nullable): the message, or `NULL` without an error if the connection
 *   was closed
 */
SeqexMessage *
seqex_connection_receive_finish (SeqexConnection  *self,
                                 GAsyncResult     *result,
                                 GError          **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_connection_receive_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_connection_send_datagram:
 * @self: a connection
 * @payload: what to send, at most what fits in one datagram
 * @error: return location for an error
 *
 * Sends a few bytes once, without confirmation: they arrive or not, and nobody is told.
 *
 * They arrive at most once, in any order. The payload is not copied.
 *
 * The errors are %SEQEX_ERROR_MESSAGE_TOO_LARGE, %G_IO_ERROR_WOULD_BLOCK if too many wait to be
 * sent, and those of a connection that is closed or failed.
 *
 * Returns: `TRUE` if the datagram will be sent
 */
gboolean
seqex_connection_send_datagram (SeqexConnection  *self,
                                GBytes           *payload,
                                GError          **error)
{
  sqx_payload bytes = { .owner = payload };
  sqx_result result = SQX_ERR_CLOSED;

  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), FALSE);
  g_return_val_if_fail (payload != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return FALSE;

  bytes.data = g_bytes_get_data (payload, &bytes.size);
  if (self->dialogue.core != NULL)
    result = sqx_conn_send_datagram (self->dialogue.core,
                                     seqex_driver_time (self->dialogue.driver), &bytes);

  switch (result)
    {
    case SQX_OK:
      seqex_dialogue_mark_ready (&self->dialogue);
      return TRUE;

    case SQX_ERR_TOO_LARGE:
      g_propagate_error (error, seqex_error_too_large (
        bytes.size, sqx_conn_max_datagram_payload (self->dialogue.core)));
      return FALSE;

    case SQX_ERR_QUEUE_FULL:
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                   "%u datagrams wait to be sent, which is the limit", SQX_DATAGRAM_QUEUE);
      return FALSE;

    default:
      g_propagate_error (error, seqex_dialogue_error (&self->dialogue, result, bytes.size));
      return FALSE;
    }
}

/**
 * seqex_connection_close_async:
 * @self: a connection
 * @cancellable: (nullable): to stop finishing what was begun
 * @callback: (nullable) (scope async) (closure user_data): called when the connection is closed
 * @user_data: for @callback
 *
 * Closes the connection in good order.
 *
 * Messages that were begun and expect no reply are delivered, and messages of the peer that the
 * program has may be answered for up to 5 seconds. Everything else that waits fails with
 * %G_IO_ERROR_CLOSED at once. Then the peer is told, and the callback comes when it knows, or does
 * not answer.
 *
 * If @cancellable is cancelled the connection is closed at once, and everything fails. Closing a
 * closed connection does nothing.
 *
 * Finish with [method@Seqex.Connection.close_finish].
 */
void
seqex_connection_close_async (SeqexConnection     *self,
                              GCancellable        *cancellable,
                              GAsyncReadyCallback  callback,
                              gpointer             user_data)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  if (!seqex_dialogue_check_thread (&self->dialogue, G_STRFUNC))
    return;

  seqex_wait_close (&self->dialogue, SEQEX_CALL (seqex_connection_close_async));
}

/**
 * seqex_connection_close_finish:
 * @self: a connection
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Connection.close_async].
 *
 * The connection is closed in any case. An error says what was lost by it:
 *
 * - %SEQEX_ERROR_FAILED: some messages were not delivered or not answered; the error's message says
 *   how many;
 * - %SEQEX_ERROR_CONNECTION_LOST and its like: the connection failed while it was closed;
 * - %G_IO_ERROR_CANCELLED: the operation was cancelled.
 *
 * Returns: `TRUE` if nothing was lost
 */
gboolean
seqex_connection_close_finish (SeqexConnection  *self,
                               GAsyncResult     *result,
                               GError          **error)
{
  return seqex_result_propagate_boolean (result, self, seqex_connection_close_async,
                                         G_STRFUNC, error);
}
