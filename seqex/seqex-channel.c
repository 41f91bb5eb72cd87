/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-channel-private.h"

#include "seqex-connection-private.h"
#include "seqex-error-private.h"
#include "seqex-message-private.h"

/**
 * SeqexChannel:
 *
 * An independent order within a connection.
 *
 * What is ordered is ordered among the messages of one channel; a channel of a more urgent priority
 * is sent before the others; and a serialized one hands its ordered messages over one after
 * another. The connection itself is channel 0.
 *
 * A channel comes from [method@Seqex.Connection.open_channel]. Both peers use the same ids, and
 * what they mean is up to the application. Messages on a channel that the program did not open
 * arrive at [signal@Seqex.Connection::message].
 *
 * The connection keeps its channels, but a channel does not keep its connection: when the program
 * has dropped the connection, operations fail with %G_IO_ERROR_CLOSED. Like the connection, a
 * channel belongs to the main context in which the connection was made.
 */
struct _SeqexChannel
{
  GObject          parent_instance;

  SeqexConnection *connection; /* unowned: it owns this, and detaches it */
  SeqexPort        port;
  guint            priority;
  gboolean         serialized;
};

G_DEFINE_FINAL_TYPE (SeqexChannel, seqex_channel, G_TYPE_OBJECT)

typedef enum
{
  PROP_CONNECTION = 1,
  PROP_ID,
  PROP_PRIORITY,
  PROP_SERIALIZED,
  PROP_TIMEOUT,
} SeqexChannelProperty;

static GParamSpec *properties[PROP_TIMEOUT + 1];

enum
{
  SIGNAL_MESSAGE,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

SeqexChannel *
seqex_channel_new (SeqexConnection *connection,
                   guint            id,
                   guint            timeout)
{
  SeqexChannel *self = g_object_new (SEQEX_TYPE_CHANNEL, NULL);
  SeqexDialogue *dialogue = seqex_connection_get_dialogue (connection);

  self->connection = connection;
  self->port.object = G_OBJECT (self);
  self->port.channel = id;
  self->port.signal_id = signals[SIGNAL_MESSAGE];
  self->port.timeout = timeout;
  seqex_dialogue_add_port (dialogue, &self->port);
  if (dialogue->core != NULL)
    {
      sqx_conn_open_channel (dialogue->core, id);
      seqex_dialogue_mark_ready (dialogue);
    }
  return self;
}

void
seqex_channel_detach (SeqexChannel *self)
{
  self->connection = NULL;
}

/* The dialogue, unless the connection is gone or this is the wrong thread. */
static SeqexDialogue *
get_dialogue (SeqexChannel *self,
            const char   *function)
{
  SeqexDialogue *dialogue;

  if (self->connection == NULL)
    return NULL;
  dialogue = seqex_connection_get_dialogue (self->connection);
  return seqex_dialogue_check_thread (dialogue, function) ? dialogue : NULL;
}

static void
seqex_channel_get_property (GObject    *object,
                            guint       prop_id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  SeqexChannel *self = SEQEX_CHANNEL (object);

  switch ((SeqexChannelProperty) prop_id)
    {
    case PROP_CONNECTION:
      g_value_set_object (value, self->connection);
      break;
    case PROP_ID:
      g_value_set_uint (value, self->port.channel);
      break;
    case PROP_PRIORITY:
      g_value_set_uint (value, self->priority);
      break;
    case PROP_SERIALIZED:
      g_value_set_boolean (value, self->serialized);
      break;
    case PROP_TIMEOUT:
      g_value_set_uint (value, self->port.timeout);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_channel_set_property (GObject      *object,
                            guint         prop_id,
                            const GValue *value,
                            GParamSpec   *pspec)
{
  SeqexChannel *self = SEQEX_CHANNEL (object);

  switch ((SeqexChannelProperty) prop_id)
    {
    case PROP_PRIORITY:
      seqex_channel_set_priority (self, g_value_get_uint (value));
      break;
    case PROP_SERIALIZED:
      seqex_channel_set_serialized (self, g_value_get_boolean (value));
      break;
    case PROP_TIMEOUT:
      seqex_channel_set_timeout (self, g_value_get_uint (value));
      break;
    case PROP_CONNECTION:
    case PROP_ID:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_channel_class_init (SeqexChannelClass *klass)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const GParamFlags writable = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = seqex_channel_get_property;
  object_class->set_property = seqex_channel_set_property;

  /**
   * SeqexChannel:connection: (getter get_connection)
   *
   * The connection, or `NULL` once the program has dropped it.
   */
  properties[PROP_CONNECTION] = g_param_spec_object ("connection", NULL, NULL,
                                                     SEQEX_TYPE_CONNECTION, readable);

  /**
   * SeqexChannel:id: (getter get_id)
   *
   * The number of the channel, the same at both peers.
   */
  properties[PROP_ID] = g_param_spec_uint ("id", NULL, NULL, 0, G_MAXUINT, 0, readable);

  /**
   * SeqexChannel:priority: (getter get_priority) (setter set_priority)
   *
   * How urgent what is sent on the channel is, from 0, the most urgent, to 7.
   *
   * Priority is strict: nothing is sent as long as something more urgent could be. Setting it
   * concerns what waits already, too. The connection itself has priority 3.
   */
  properties[PROP_PRIORITY] = g_param_spec_uint ("priority", NULL, NULL, 0, SQX_PRIORITIES - 1,
                                                 SQX_PRIORITY_DEFAULT, writable);

  /**
   * SeqexChannel:serialized: (getter get_serialized) (setter set_serialized)
   *
   * Whether the channel is a critical section: an ordered message of the peer is handed over only
   * when the one before it was answered, ended, or released with
   * [method@Seqex.Message.release].
   *
   * Replies are never held back, nor are unordered messages.
   */
  properties[PROP_SERIALIZED] = g_param_spec_boolean ("serialized", NULL, NULL, FALSE, writable);

  /**
   * SeqexChannel:timeout: (getter get_timeout) (setter set_timeout)
   *
   * How long a message that is sent on this channel waits for its outcome, in milliseconds; 0 for
   * as long as the connection lasts.
   *
   * At first this is what [property@Seqex.Connection:timeout] was when the channel was opened. A
   * change concerns what is sent afterwards.
   */
  properties[PROP_TIMEOUT] = g_param_spec_uint ("timeout", NULL, NULL, 0, G_MAXUINT, 0, writable);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);

  /**
   * SeqexChannel::message:
   * @self: the channel
   * @message: what arrived
   *
   * A message of the peer on this channel that starts an exchange.
   *
   * Like [signal@Seqex.Connection::message].
   *
   * Returns: `TRUE` if the handler has taken the message, `FALSE` to let it be ended
   */
  signals[SIGNAL_MESSAGE] = seqex_message_install_signal (SEQEX_TYPE_CHANNEL);
}

static void
seqex_channel_init (SeqexChannel *self)
{
  self->priority = SQX_PRIORITY_DEFAULT;
}

/**
 * seqex_channel_get_connection: (get-property connection)
 * @self: a channel
 *
 * Gets the connection of the channel.
 *
 * Returns: (transfer none) (nullable): the connection, or `NULL` once the program has dropped it
 */
SeqexConnection *
seqex_channel_get_connection (SeqexChannel *self)
{
  g_return_val_if_fail (SEQEX_IS_CHANNEL (self), NULL);

  return self->connection;
}

/**
 * seqex_channel_get_id: (get-property id)
 * @self: a channel
 *
 * Gets the number of the channel.
 *
 * Returns: the id
 */
guint
seqex_channel_get_id (SeqexChannel *self)
{
  g_return_val_if_fail (SEQEX_IS_CHANNEL (self), 0);

  return self->port.channel;
}

/**
 * seqex_channel_get_priority: (get-property priority)
 * @self: a channel
 *
 * Gets how urgent what is sent on the channel is.
 *
 * Returns: the priority, from 0, the most urgent, to 7
 */
guint
seqex_channel_get_priority (SeqexChannel *self)
{
  g_return_val_if_fail (SEQEX_IS_CHANNEL (self), 0);

  return self->priority;
}

/**
 * seqex_channel_set_priority: (set-property priority)
 * @self: a channel
 * @priority: from 0, the most urgent, to 7
 *
 * Sets how urgent what is sent on the channel is.
 */
void
seqex_channel_set_priority (SeqexChannel *self,
                            guint         priority)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CHANNEL (self));
  g_return_if_fail (priority < SQX_PRIORITIES);

  dialogue = get_dialogue (self, G_STRFUNC);
  if (dialogue == NULL || self->priority == priority)
    return;

  self->priority = priority;
  if (dialogue->core != NULL)
    sqx_conn_set_priority (dialogue->core, self->port.channel, priority);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PRIORITY]);
}

/**
 * seqex_channel_get_serialized: (get-property serialized)
 * @self: a channel
 *
 * Gets whether ordered messages are handed over one after another.
 *
 * Returns: whether the channel is a critical section
 */
gboolean
seqex_channel_get_serialized (SeqexChannel *self)
{
  g_return_val_if_fail (SEQEX_IS_CHANNEL (self), FALSE);

  return self->serialized;
}

/**
 * seqex_channel_set_serialized: (set-property serialized)
 * @self: a channel
 * @serialized: whether the channel is a critical section
 *
 * Sets whether ordered messages are handed over one after another.
 */
void
seqex_channel_set_serialized (SeqexChannel *self,
                              gboolean      serialized)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CHANNEL (self));

  dialogue = get_dialogue (self, G_STRFUNC);
  serialized = serialized != FALSE;
  if (dialogue == NULL || self->serialized == serialized)
    return;

  self->serialized = serialized;
  if (dialogue->core != NULL)
    {
      sqx_conn_set_serialized (dialogue->core, self->port.channel, serialized);
      seqex_dialogue_mark_ready (dialogue);
    }
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SERIALIZED]);
}

/**
 * seqex_channel_get_timeout: (get-property timeout)
 * @self: a channel
 *
 * Gets how long a message that is sent on this channel waits for its outcome.
 *
 * Returns: the time-out in milliseconds, 0 for none
 */
guint
seqex_channel_get_timeout (SeqexChannel *self)
{
  g_return_val_if_fail (SEQEX_IS_CHANNEL (self), 0);

  return self->port.timeout;
}

/**
 * seqex_channel_set_timeout: (set-property timeout)
 * @self: a channel
 * @timeout: the time-out in milliseconds, 0 for none
 *
 * Sets how long a message that is sent on this channel from now on waits for its outcome.
 */
void
seqex_channel_set_timeout (SeqexChannel *self,
                           guint         timeout)
{
  g_return_if_fail (SEQEX_IS_CHANNEL (self));

  if (self->port.timeout == timeout)
    return;

  self->port.timeout = timeout;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TIMEOUT]);
}

/* Where one of the verbs is done; NULL if there is nothing to do any more. */
static SeqexDialogue *
begin (SeqexChannel    *self,
       const char      *function,
       const SeqexCall *call)
{
  g_autoptr (GMainContext) context = NULL;

  if (self->connection != NULL)
    return get_dialogue (self, function);

  context = g_main_context_ref_thread_default ();
  seqex_result_return_later (context, call, NULL, seqex_error_from_result (SQX_ERR_CLOSED, NULL));
  return NULL;
}

/**
 * seqex_channel_send_async:
 * @self: a channel
 * @payload: what to send, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop it
 * @callback: (nullable) (scope async) (closure user_data): called when the message was handed to
 *   the peer's program, or when that failed
 * @user_data: for @callback
 *
 * Sends a message on this channel that expects no reply.
 *
 * Like [method@Seqex.Connection.send_async]. Finish with [method@Seqex.Channel.send_finish].
 */
void
seqex_channel_send_async (SeqexChannel        *self,
                          GBytes              *payload,
                          SeqexSendFlags       flags,
                          GCancellable        *cancellable,
                          GAsyncReadyCallback  callback,
                          gpointer             user_data)
{
  const SeqexCall *call = SEQEX_CALL (seqex_channel_send_async);
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CHANNEL (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dialogue = begin (self, G_STRFUNC, call);
  if (dialogue != NULL)
    seqex_wait_send (dialogue, SEQEX_WAIT_DELIVERY, call, self->port.channel, NULL, 0, payload,
                     flags);
}

/**
 * seqex_channel_send_finish:
 * @self: a channel
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Channel.send_async].
 *
 * The errors are those of [method@Seqex.Connection.send_finish].
 *
 * Returns: `TRUE` if the peer's program has the message
 */
gboolean
seqex_channel_send_finish (SeqexChannel  *self,
                           GAsyncResult  *result,
                           GError       **error)
{
  return seqex_result_propagate_boolean (result, self, seqex_channel_send_async, G_STRFUNC, error);
}

/**
 * seqex_channel_send_with_reply_async:
 * @self: a channel
 * @payload: what to send, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when the reply is there, or when
 *   it is clear that none comes
 * @user_data: for @callback
 *
 * Sends a message on this channel, and waits for the reply to it.
 *
 * Like [method@Seqex.Connection.send_with_reply_async]. Finish with
 * [method@Seqex.Channel.send_with_reply_finish].
 */
void
seqex_channel_send_with_reply_async (SeqexChannel        *self,
                                     GBytes              *payload,
                                     SeqexSendFlags       flags,
                                     GCancellable        *cancellable,
                                     GAsyncReadyCallback  callback,
                                     gpointer             user_data)
{
  const SeqexCall *call = SEQEX_CALL (seqex_channel_send_with_reply_async);
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CHANNEL (self));
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dialogue = begin (self, G_STRFUNC, call);
  if (dialogue != NULL)
    seqex_wait_send (dialogue, SEQEX_WAIT_REPLY, call, self->port.channel, NULL, 0, payload, flags);
}

/**
 * seqex_channel_send_with_reply_finish:
 * @self: a channel
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Channel.send_with_reply_async].
 *
 * The errors are those of [method@Seqex.Connection.send_with_reply_finish].
 *
 * Returns: (transfer full): the reply
 */
SeqexMessage *
seqex_channel_send_with_reply_finish (SeqexChannel  *self,
                                      GAsyncResult  *result,
                                      GError       **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_channel_send_with_reply_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_channel_receive_async:
 * @self: a channel
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when a message is there, or when
 *   none comes any more
 * @user_data: for @callback
 *
 * Waits for the next message of the peer on this channel that starts an exchange.
 *
 * Like [method@Seqex.Connection.receive_async]. Finish with [method@Seqex.Channel.receive_finish].
 */
void
seqex_channel_receive_async (SeqexChannel        *self,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  const SeqexCall *call = SEQEX_CALL (seqex_channel_receive_async);
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CHANNEL (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dialogue = begin (self, G_STRFUNC, call);
  if (dialogue != NULL)
    seqex_wait_receive (dialogue, &self->port, call);
}

/**
 * seqex_channel_receive_finish:
 * @self: a channel
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Channel.receive_async].
 *
 * The errors are those of [method@Seqex.Connection.receive_finish].
 *
 * Returns: (transfer full) (nullable): the message, or `NULL` without an error if the connection
 *   was closed
 */
SeqexMessage *
seqex_channel_receive_finish (SeqexChannel  *self,
                              GAsyncResult  *result,
                              GError       **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_channel_receive_async,
                                         G_STRFUNC, error);
}
