/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-message-private.h"

#include <stdlib.h>

#include "seqex-body-private.h"
#include "seqex-connection-private.h"
#include "seqex-error-private.h"

/**
 * SeqexMessage:
 *
 * A message that arrived.
 *
 * It comes from [signal@Seqex.Connection::message] or [signal@Seqex.Channel::message], from
 * [method@Seqex.Connection.receive_async], or as the reply to a message of this side. Its payload
 * does not change.
 *
 * A message whose sender waits for it ([property@Seqex.Message:expects-reply]) is answered exactly
 * once: with [method@Seqex.Message.reply_async], which closes the exchange, with
 * [method@Seqex.Message.reply_with_reply_async], which goes on with it, or with
 * [method@Seqex.Message.end], which closes it without a payload. A message that is dropped
 * unanswered is ended when its last reference goes; as that moment is up to a garbage collector in
 * many languages, and the peer waits until then, end it explicitly.
 *
 * A message keeps its connection alive. Like it, it belongs to the main context in which the
 * connection was made; only the last reference may go away in another thread.
 */
struct _SeqexMessage
{
  GObject          parent_instance;

  /* Read-only, but for dispose */
  SeqexConnection *connection; /* owned */
  GBytes          *payload;    /* owned */
  sqx_message_id   id;
  guint            flags;      /* SQX_MESSAGE_* */
  guint            position;

  /* In the list of the dialogue as long as it can be answered; no data: it is not. Only the thread
   * of the connection changes the list, and a message that is in it does not end: when its last
   * reference goes, in whatever thread, it gets one more until that thread knows. */
  GList            link;
  int              answered;   /* or ended, or dropped; atomic */
  gboolean         cancelled;
};

G_DEFINE_FINAL_TYPE (SeqexMessage, seqex_message, G_TYPE_OBJECT)

typedef enum
{
  PROP_PAYLOAD = 1,
  PROP_CONNECTION,
  PROP_CHANNEL,
  PROP_ORDERED,
  PROP_EXPECTS_REPLY,
  PROP_IS_REPLY,
  PROP_POSITION,
  PROP_CANCELLED,
  PROP_PEER_KEY,
} SeqexMessageProperty;

static GParamSpec *properties[PROP_PEER_KEY + 1];

static gboolean
is_open (SeqexMessage *self)
{
  return self->connection != NULL && !(self->flags & SQX_MESSAGE_FINAL)
         && !g_atomic_int_get (&self->answered) && !self->cancelled;
}

void
seqex_message_forget (SeqexMessage *self)
{
  if (self->link.data == NULL)
    return;

  g_queue_unlink (&seqex_connection_get_dialogue (self->connection)->taken, &self->link);
  self->link.data = NULL;
}

/* For whoever answers: from now on the message is closed. */
static void
set_answered (SeqexMessage *self)
{
  g_atomic_int_set (&self->answered, TRUE);
  seqex_message_forget (self);
}

SeqexMessage *
seqex_message_new (SeqexConnection   *connection,
                   const sqx_message *received,
                   guint              position)
{
  SeqexDialogue *dialogue = seqex_connection_get_dialogue (connection);
  SeqexMessage *self = g_steal_pointer (&dialogue->driver->spare_message);

  if (self == NULL)
    self = g_object_new (SEQEX_TYPE_MESSAGE, NULL);
  self->connection = g_object_ref (connection);
  self->payload = seqex_message_bytes (received);
  self->id = received->id;
  self->flags = received->flags;
  self->position = position;
  if (!(self->flags & SQX_MESSAGE_FINAL))
    {
      self->link.data = self;
      g_queue_push_tail_link (&dialogue->taken, &self->link);
    }
  return self;
}

static void
clear (SeqexMessage *self)
{
  g_clear_pointer (&self->payload, g_bytes_unref);
  g_clear_object (&self->connection);
}

void
seqex_message_drop (SeqexMessage *self)
{
  SeqexDriver *driver = seqex_connection_get_dialogue (self->connection)->driver;

  if (driver->spare_message != NULL || !seqex_object_is_untouched (self) || is_open (self))
    {
      g_object_unref (self);
      return;
    }

  /* As the end of an object would. */
  g_signal_handlers_destroy (self);
  driver->spare_message = self;
  self->answered = FALSE;
  self->cancelled = FALSE;
  clear (self);
}

GBytes *
seqex_message_bytes (const sqx_message *received)
{
  return g_bytes_new_with_free_func (received->data, received->size,
                                     received->size < SEQEX_BODY_LEAST ? free : seqex_body_free,
                                     received->data);
}

const sqx_message_id *
seqex_message_get_id (SeqexMessage *self)
{
  return &self->id;
}

void
seqex_message_set_cancelled (SeqexMessage *self)
{
  if (!is_open (self))
    return;

  self->cancelled = TRUE;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_CANCELLED]);
}

#define DROP_DELAY 100 /* milliseconds */

typedef struct
{
  SeqexMail     mail;
  SeqexMessage *message; /* owned */
  gboolean      foreign; /* another thread dropped it */
} DropMail;

static void
read_drop_mail (SeqexMail *mail)
{
  SeqexMessage *self = ((DropMail *) mail)->message;
  SeqexDialogue *dialogue = seqex_connection_get_dialogue (self->connection);

  seqex_message_forget (self);
  if (dialogue->core != NULL)
    sqx_conn_end (dialogue->core, seqex_driver_time (dialogue->driver), &self->id, SQX_END_ENDED);
  seqex_dialogue_activate (dialogue);
}

static gboolean
drop_cb (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

static void
free_drop_mail (SeqexMail *mail)
{
  DropMail *drop = (DropMail *) mail;
  SeqexMessage *self = drop->message;
  GSource *source;

  if (!drop->foreign)
    {
      g_object_unref (self);
      g_free (mail);
      return;
    }
  /* The thread that dropped it still touches it on the way out of g_object_unref(), so the reference
   * that dispose added must not be the last one to go before that. */
  source = g_timeout_source_new (DROP_DELAY);
  g_source_set_callback (source, G_SOURCE_FUNC (drop_cb), self, g_object_unref);
  g_source_attach (source, seqex_connection_get_dialogue (self->connection)->driver->context);
  g_source_unref (source);
  g_free (mail);
}

/* May run in any thread, in the middle of a garbage collection: nothing but a note for the driver
 * leaves from here. */
static void
seqex_message_dispose (GObject *object)
{
  SeqexMessage *self = SEQEX_MESSAGE (object);

  if (is_open (self))
    {
      DropMail *drop = g_new0 (DropMail, 1);

      g_atomic_int_set (&self->answered, TRUE);
      g_debug ("Message %" G_GUINT64_FORMAT " on channel %u, of %" G_GSIZE_FORMAT " bytes, was "
               "dropped unanswered", self->id.number, self->id.channel,
               g_bytes_get_size (self->payload));
      drop->mail.read = read_drop_mail;
      drop->mail.free = free_drop_mail;
      drop->message = g_object_ref (self);
      drop->foreign = seqex_connection_get_dialogue (self->connection)->driver->thread
                      != g_thread_self ();
      seqex_driver_post (seqex_connection_get_dialogue (self->connection)->driver, &drop->mail);
    }

  /* With the last reference g_object_unref() does itself what the parent does here. */
  if (g_atomic_int_get (&object->ref_count) > 1)
    G_OBJECT_CLASS (seqex_message_parent_class)->dispose (object);
}

static void
seqex_message_finalize (GObject *object)
{
  SeqexMessage *self = SEQEX_MESSAGE (object);

  clear (self);

  G_OBJECT_CLASS (seqex_message_parent_class)->finalize (object);
}

static void
seqex_message_get_property (GObject    *object,
                            guint       prop_id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  SeqexMessage *self = SEQEX_MESSAGE (object);

  switch ((SeqexMessageProperty) prop_id)
    {
    case PROP_PAYLOAD:
      g_value_set_boxed (value, self->payload);
      break;
    case PROP_CONNECTION:
      g_value_set_object (value, self->connection);
      break;
    case PROP_CHANNEL:
      g_value_set_uint (value, self->id.channel);
      break;
    case PROP_ORDERED:
      g_value_set_boolean (value, seqex_message_get_ordered (self));
      break;
    case PROP_EXPECTS_REPLY:
      g_value_set_boolean (value, seqex_message_get_expects_reply (self));
      break;
    case PROP_IS_REPLY:
      g_value_set_boolean (value, seqex_message_get_is_reply (self));
      break;
    case PROP_POSITION:
      g_value_set_uint (value, self->position);
      break;
    case PROP_CANCELLED:
      g_value_set_boolean (value, self->cancelled);
      break;
    case PROP_PEER_KEY:
      g_value_set_string (value, seqex_message_get_peer_key (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_message_class_init (SeqexMessageClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = seqex_message_dispose;
  object_class->finalize = seqex_message_finalize;
  object_class->get_property = seqex_message_get_property;

  /**
   * SeqexMessage:payload: (getter get_payload)
   *
   * The bytes of the message, maybe none.
   */
  properties[PROP_PAYLOAD] = g_param_spec_boxed ("payload", NULL, NULL, G_TYPE_BYTES, flags);

  /**
   * SeqexMessage:connection: (getter get_connection)
   *
   * The connection on which the message arrived.
   */
  properties[PROP_CONNECTION] = g_param_spec_object ("connection", NULL, NULL,
                                                     SEQEX_TYPE_CONNECTION, flags);

  /**
   * SeqexMessage:channel: (getter get_channel)
   *
   * The id of the channel on which the message arrived, open or not.
   */
  properties[PROP_CHANNEL] = g_param_spec_uint ("channel", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * SeqexMessage:ordered: (getter get_ordered)
   *
   * Whether the message was sent with %SEQEX_SEND_FLAGS_ORDERED.
   */
  properties[PROP_ORDERED] = g_param_spec_boolean ("ordered", NULL, NULL, FALSE, flags);

  /**
   * SeqexMessage:expects-reply: (getter get_expects_reply)
   *
   * Whether the sender waits for an answer.
   *
   * This does not change when the message is answered.
   */
  properties[PROP_EXPECTS_REPLY] = g_param_spec_boolean ("expects-reply", NULL, NULL, FALSE,
                                                         flags);

  /**
   * SeqexMessage:is-reply: (getter get_is_reply)
   *
   * Whether the message is the reply to a message of this side.
   */
  properties[PROP_IS_REPLY] = g_param_spec_boolean ("is-reply", NULL, NULL, FALSE, flags);

  /**
   * SeqexMessage:position: (getter get_position)
   *
   * How many messages came before this one in its exchange: 0 for the message that started it, 1
   * for the reply to that, and so on.
   */
  properties[PROP_POSITION] = g_param_spec_uint ("position", NULL, NULL, 0, G_MAXUINT, 0, flags);

  /**
   * SeqexMessage:cancelled: (getter get_cancelled)
   *
   * Whether the sender stopped waiting before the message was answered, or restarted.
   *
   * An answer would reach nobody any more and fails with %SEQEX_ERROR_CANCELLED_BY_PEER.
   */
  properties[PROP_CANCELLED] = g_param_spec_boolean ("cancelled", NULL, NULL, FALSE, flags);

  /**
   * SeqexMessage:peer-key: (getter get_peer_key)
   *
   * The fingerprint of the key of who sent the message. `NULL` if the connection is not encrypted.
   */
  properties[PROP_PEER_KEY] = g_param_spec_string ("peer-key", NULL, NULL, NULL, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
seqex_message_init (SeqexMessage *self)
{
}

/* A handler of C gets its message without values and libffi in between, which would be half of what
 * a message costs here. */
static void
marshal_message (GClosure *closure,
                 GValue   *return_value,
                 gpointer  instance,
                 va_list   args,
                 gpointer  marshal_data,
                 int       n_params,
                 GType    *param_types)
{
  typedef gboolean (*Handler) (gpointer first, gpointer message, gpointer last);
  Handler handler = (Handler) (marshal_data != NULL ? marshal_data
                                                    : ((GCClosure *) closure)->callback);
  gboolean swapped = G_CCLOSURE_SWAP_DATA (closure);
  gpointer message;
  va_list copy;

  va_copy (copy, args);
  message = va_arg (copy, gpointer);
  va_end (copy);
  g_value_set_boolean (return_value, handler (swapped ? closure->data : instance, message,
                                              swapped ? instance : closure->data));
}

guint
seqex_message_install_signal (GType type)
{
  guint id = g_signal_new ("message", type, G_SIGNAL_RUN_LAST, 0,
                           g_signal_accumulator_true_handled, NULL, NULL,
                           G_TYPE_BOOLEAN, 1, SEQEX_TYPE_MESSAGE);

  g_signal_set_va_marshaller (id, type, marshal_message);
  return id;
}

/**
 * seqex_message_get_payload: (get-property payload)
 * @self: a message
 *
 * Gets the bytes of the message.
 *
 * Returns: (transfer none) (not nullable): the payload
 */
GBytes *
seqex_message_get_payload (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), NULL);

  return self->payload;
}

/**
 * seqex_message_get_connection: (get-property connection)
 * @self: a message
 *
 * Gets the connection on which the message arrived.
 *
 * Returns: (transfer none) (not nullable): the connection
 */
SeqexConnection *
seqex_message_get_connection (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), NULL);

  return self->connection;
}

/**
 * seqex_message_get_channel: (get-property channel)
 * @self: a message
 *
 * Gets the id of the channel on which the message arrived.
 *
 * Returns: the id; 0 is the connection itself
 */
guint
seqex_message_get_channel (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), 0);

  return self->id.channel;
}

/**
 * seqex_message_get_ordered: (get-property ordered)
 * @self: a message
 *
 * Gets whether the message was sent with %SEQEX_SEND_FLAGS_ORDERED.
 *
 * Returns: whether it is ordered
 */
gboolean
seqex_message_get_ordered (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), FALSE);

  return (self->flags & SQX_MESSAGE_ORDERED) != 0;
}

/**
 * seqex_message_get_expects_reply: (get-property expects-reply)
 * @self: a message
 *
 * Gets whether the sender waits for an answer.
 *
 * Returns: whether the message can be answered
 */
gboolean
seqex_message_get_expects_reply (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), FALSE);

  return (self->flags & SQX_MESSAGE_FINAL) == 0;
}

/**
 * seqex_message_get_is_reply: (get-property is-reply)
 * @self: a message
 *
 * Gets whether the message is the reply to a message of this side.
 *
 * Returns: whether it is a reply
 */
gboolean
seqex_message_get_is_reply (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), FALSE);

  return (self->flags & SQX_MESSAGE_REPLY) != 0;
}

/**
 * seqex_message_get_position: (get-property position)
 * @self: a message
 *
 * Gets how many messages came before this one in its exchange.
 *
 * Returns: the position, from 0
 */
guint
seqex_message_get_position (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), 0);

  return self->position;
}

/**
 * seqex_message_get_cancelled: (get-property cancelled)
 * @self: a message
 *
 * Gets whether the sender stopped waiting before the message was answered.
 *
 * Returns: whether the message was cancelled
 */
gboolean
seqex_message_get_cancelled (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), FALSE);

  return self->cancelled;
}

/**
 * seqex_message_get_peer_key: (get-property peer-key)
 * @self: a message
 *
 * Gets the key of who sent the message.
 *
 * Returns: (transfer none) (nullable): its fingerprint, or `NULL` if the connection is not
 *   encrypted
 */
const char *
seqex_message_get_peer_key (SeqexMessage *self)
{
  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), NULL);

  return self->connection != NULL ? seqex_connection_get_peer_key (self->connection) : NULL;
}

/**
 * seqex_message_dup_text:
 * @self: a message
 *
 * Gets the payload as text.
 *
 * Returns: (transfer full) (nullable): the text, or `NULL` if the payload is not valid UTF-8 or
 *   has a NUL byte in it
 */
char *
seqex_message_dup_text (SeqexMessage *self)
{
  const char *data;
  gsize size;

  g_return_val_if_fail (SEQEX_IS_MESSAGE (self), NULL);
  g_return_val_if_fail (self->payload != NULL, NULL);

  data = g_bytes_get_data (self->payload, &size);
  if (size == 0)
    return g_strdup ("");
  return g_utf8_validate_len (data, size, NULL) ? g_strndup (data, size) : NULL;
}

/* Why no answer is possible, or NULL if one is. */
static GError *
check_open (SeqexMessage *self)
{
  if (self->flags & SQX_MESSAGE_FINAL)
    return g_error_new_literal (SEQEX_ERROR, SEQEX_ERROR_ALREADY_ANSWERED,
                                "The message expects no reply");
  if (self->answered)
    return seqex_error_from_result (SQX_ERR_ALREADY_ANSWERED, NULL);
  if (self->cancelled)
    return seqex_error_from_end (SQX_END_CANCELLED);
  return NULL;
}

static void
answer (SeqexMessage    *self,
        SeqexDialogue   *dialogue,
        SeqexWaitKind    kind,
        const SeqexCall *call,
        GBytes          *payload,
        SeqexSendFlags   flags)
{
  GError *error = check_open (self);

  if (error != NULL)
    seqex_result_return_later (dialogue->driver->context, call, NULL, error);
  else if (seqex_wait_send (dialogue, kind, call, self->id.channel, &self->id, self->position + 1,
                            payload, flags))
    set_answered (self);
}

/**
 * seqex_message_reply_async:
 * @self: a message that expects a reply
 * @payload: what to reply, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop it
 * @callback: (nullable) (scope async) (closure user_data): called when the reply was handed to the
 *   program that waits for it, or when that failed
 * @user_data: for @callback
 *
 * Replies to the message, and closes the exchange with that.
 *
 * The payload is not copied. If @cancellable is cancelled before the peer has the reply, the
 * exchange ends without one: the peer is told %SEQEX_ERROR_CANCELLED_BY_PEER.
 *
 * Finish with [method@Seqex.Message.reply_finish].
 */
void
seqex_message_reply_async (SeqexMessage        *self,
                           GBytes              *payload,
                           SeqexSendFlags       flags,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           gpointer             user_data)
{
  SeqexDialogue *dialogue;
  g_return_if_fail (SEQEX_IS_MESSAGE (self));
  g_return_if_fail (self->connection != NULL);
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dialogue = seqex_connection_get_dialogue (self->connection);
  if (!seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  answer (self, dialogue, SEQEX_WAIT_DELIVERY, SEQEX_CALL (seqex_message_reply_async), payload,
          flags);
}

/**
 * seqex_message_reply_finish:
 * @self: a message
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Message.reply_async].
 *
 * The errors are those of [method@Seqex.Connection.send_finish], and beyond them:
 *
 * - %SEQEX_ERROR_ALREADY_ANSWERED: the message was answered or ended before, or expects no reply;
 * - %SEQEX_ERROR_CANCELLED_BY_PEER: nobody waits for the reply any more.
 *
 * Returns: `TRUE` if the program that waits has the reply
 */
gboolean
seqex_message_reply_finish (SeqexMessage  *self,
                            GAsyncResult  *result,
                            GError       **error)
{
  return seqex_result_propagate_boolean (result, self, seqex_message_reply_async, G_STRFUNC, error);
}

/**
 * seqex_message_reply_with_reply_async:
 * @self: a message that expects a reply
 * @payload: what to reply, maybe no bytes
 * @flags: how to send it
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when the reply to the reply is
 *   there, or when that failed
 * @user_data: for @callback
 *
 * Replies to the message, and waits for the reply to that: the exchange goes on.
 *
 * Otherwise like [method@Seqex.Message.reply_async]. Finish with
 * [method@Seqex.Message.reply_with_reply_finish].
 */
void
seqex_message_reply_with_reply_async (SeqexMessage        *self,
                                      GBytes              *payload,
                                      SeqexSendFlags       flags,
                                      GCancellable        *cancellable,
                                      GAsyncReadyCallback  callback,
                                      gpointer             user_data)
{
  SeqexDialogue *dialogue;
  g_return_if_fail (SEQEX_IS_MESSAGE (self));
  g_return_if_fail (self->connection != NULL);
  g_return_if_fail (payload != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  dialogue = seqex_connection_get_dialogue (self->connection);
  if (!seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  answer (self, dialogue, SEQEX_WAIT_REPLY, SEQEX_CALL (seqex_message_reply_with_reply_async),
          payload, flags);
}

/**
 * seqex_message_reply_with_reply_finish:
 * @self: a message
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Message.reply_with_reply_async].
 *
 * The errors are those of [method@Seqex.Message.reply_finish] and
 * [method@Seqex.Connection.send_with_reply_finish].
 *
 * Returns: (transfer full): the next message of the exchange
 */
SeqexMessage *
seqex_message_reply_with_reply_finish (SeqexMessage  *self,
                                       GAsyncResult  *result,
                                       GError       **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_message_reply_with_reply_async,
                                         G_STRFUNC, error);
}

/**
 * seqex_message_end:
 * @self: a message
 *
 * Ends the exchange: there is nothing to say about the message.
 *
 * A sender that waits for a reply gets %SEQEX_ERROR_NO_REPLY. Does nothing if the message expects
 * no reply, or was answered, ended or cancelled before.
 */
void
seqex_message_end (SeqexMessage *self)
{
  seqex_message_end_with_reason (self, SEQEX_END_REASON_ENDED);
}

/**
 * seqex_message_end_with_reason:
 * @self: a message
 * @reason: why there is no reply
 *
 * Ends the exchange, and tells the sender why.
 *
 * Does nothing if the message expects no reply, or was answered, ended or cancelled before.
 */
void
seqex_message_end_with_reason (SeqexMessage   *self,
                               SeqexEndReason  reason)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_MESSAGE (self));
  g_return_if_fail (reason >= SEQEX_END_REASON_ENDED && reason <= SEQEX_END_REASON_CLOSING);

  if (!is_open (self))
    return;
  dialogue = seqex_connection_get_dialogue (self->connection);
  if (!seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  set_answered (self);
  if (dialogue->core == NULL)
    return;
  /* Should the core know better, nobody waits for the end. */
  sqx_conn_end (dialogue->core, seqex_driver_time (dialogue->driver), &self->id,
                (sqx_end_reason) reason);
  seqex_dialogue_mark_ready (dialogue);
}

/**
 * seqex_message_release:
 * @self: a message
 *
 * Lets the next ordered message of a serialized channel through, before this one is answered.
 *
 * See [property@Seqex.Channel:serialized]. Answering or ending the message does it as well. Does
 * nothing to a message that holds nothing up.
 */
void
seqex_message_release (SeqexMessage *self)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_MESSAGE (self));
  g_return_if_fail (self->connection != NULL);

  dialogue = seqex_connection_get_dialogue (self->connection);
  if (!seqex_dialogue_check_thread (dialogue, G_STRFUNC) || dialogue->core == NULL)
    return;

  sqx_conn_release (dialogue->core, &self->id);
  seqex_dialogue_mark_ready (dialogue);
}
