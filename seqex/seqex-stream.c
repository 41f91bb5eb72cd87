/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-stream.h"

#include "seqex-connection-private.h"
#include "seqex-pipe-private.h"

/**
 * SeqexStream:
 *
 * Bytes in order, both ways, beside the messages of a connection.
 *
 * One side calls [method@Seqex.Connection.open_stream_async], the other gets
 * [signal@Seqex.Connection::stream]. A stream is a [class@Gio.IOStream]: whatever works over one
 * works over it, [class@Gio.DataInputStream] and [class@Gio.DBusConnection] for example.
 *
 * A stream that nobody reads holds up its writer, after 4 MiB, and nobody else. Small writes are
 * sent together. Streams survive whatever their connection survives, a change of network too.
 *
 * ## Closing
 *
 * Closing the output stream is a half-close: the peer reads the end after all that was written.
 * [method@Gio.OutputStream.close_async] finishes when the peer's program has read everything;
 * [method@Gio.OutputStream.close] does not wait for that. Closing the input stream makes the
 * peer's writing fail with %G_IO_ERROR_BROKEN_PIPE. [method@Gio.IOStream.close_async] does both.
 *
 * The connection keeps a stream until both sides have closed it, and an open stream keeps its
 * connection.
 *
 * When the connection fails, reading and writing fail with its error, %SEQEX_ERROR_CONNECTION_LOST
 * if the peer is gone and %SEQEX_ERROR_SESSION_LOST if it restarted.
 *
 * ## Threads
 *
 * A stream and its two halves may be used in any thread, as other GIO streams. The connection works in
 * its own thread, so a call that waits must not be made there: instead of waiting for ever, it fails
 * with %G_IO_ERROR_WOULD_BLOCK. Asynchronous calls never do.
 */
struct _SeqexStream
{
  GIOStream      parent_instance;

  SeqexPipe     *pipe;   /* owned */
  GInputStream  *input;  /* owned */
  GOutputStream *output; /* owned */
};

G_DEFINE_FINAL_TYPE (SeqexStream, seqex_stream, G_TYPE_IO_STREAM)

/* Closing both kinds of streams: what is common */

static void
return_closed (gpointer             self,
               gpointer             tag,
               int                  priority,
               GCancellable        *cancellable,
               GAsyncReadyCallback  callback,
               gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  g_task_set_priority (task, priority);
  g_task_return_boolean (task, TRUE);
}

/* Reading -------------------------------------------------------------------------------- */

#define SEQEX_TYPE_STREAM_INPUT (seqex_stream_input_get_type ())
G_DECLARE_FINAL_TYPE (SeqexStreamInput, seqex_stream_input, SEQEX, STREAM_INPUT, GInputStream)

struct _SeqexStreamInput
{
  GInputStream  parent_instance;
  SeqexPipe    *pipe; /* owned */
};

static void input_pollable_init (GPollableInputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SeqexStreamInput, seqex_stream_input, G_TYPE_INPUT_STREAM,
  G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM, input_pollable_init))

static gssize
input_read (GInputStream  *stream,
            void          *buffer,
            gsize          count,
            GCancellable  *cancellable,
            GError       **error)
{
  return seqex_pipe_read (SEQEX_STREAM_INPUT (stream)->pipe, buffer, count, TRUE, cancellable,
                          error);
}

static gboolean
input_close (GInputStream  *stream,
             GCancellable  *cancellable,
             GError       **error)
{
  seqex_pipe_close (SEQEX_STREAM_INPUT (stream)->pipe, SEQEX_PIPE_READABLE);
  return TRUE;
}

static void
input_close_async (GInputStream        *stream,
                   int                  priority,
                   GCancellable        *cancellable,
                   GAsyncReadyCallback  callback,
                   gpointer             user_data)
{
  input_close (stream, NULL, NULL);
  return_closed (stream, input_close_async, priority, cancellable, callback, user_data);
}

static gboolean
input_close_finish (GInputStream  *stream,
                    GAsyncResult  *result,
                    GError       **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
input_is_readable (GPollableInputStream *stream)
{
  return seqex_pipe_is (SEQEX_STREAM_INPUT (stream)->pipe, SEQEX_PIPE_READABLE);
}

static gssize
input_read_nonblocking (GPollableInputStream  *stream,
                        void                  *buffer,
                        gsize                  count,
                        GError               **error)
{
  return seqex_pipe_read (SEQEX_STREAM_INPUT (stream)->pipe, buffer, count, FALSE, NULL, error);
}

static GSource *
input_create_source (GPollableInputStream *stream,
                     GCancellable         *cancellable)
{
  g_autoptr (GSource) source = seqex_pipe_source_new (SEQEX_STREAM_INPUT (stream)->pipe,
                                                      SEQEX_PIPE_READABLE);

  return g_pollable_source_new_full (stream, source, cancellable);
}

static void
input_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = input_is_readable;
  iface->create_source = input_create_source;
  iface->read_nonblocking = input_read_nonblocking;
}

static void
seqex_stream_input_finalize (GObject *object)
{
  seqex_pipe_unref (SEQEX_STREAM_INPUT (object)->pipe);
  G_OBJECT_CLASS (seqex_stream_input_parent_class)->finalize (object);
}

static void
seqex_stream_input_class_init (SeqexStreamInputClass *klass)
{
  GInputStreamClass *input_class = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = seqex_stream_input_finalize;
  input_class->read_fn = input_read;
  input_class->close_fn = input_close;
  input_class->close_async = input_close_async;
  input_class->close_finish = input_close_finish;
}

static void
seqex_stream_input_init (SeqexStreamInput *self)
{
}

/* Writing -------------------------------------------------------------------------------- */

#define SEQEX_TYPE_STREAM_OUTPUT (seqex_stream_output_get_type ())
G_DECLARE_FINAL_TYPE (SeqexStreamOutput, seqex_stream_output, SEQEX, STREAM_OUTPUT, GOutputStream)

struct _SeqexStreamOutput
{
  GOutputStream  parent_instance;
  SeqexPipe     *pipe; /* owned */
};

static void output_pollable_init (GPollableOutputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SeqexStreamOutput, seqex_stream_output, G_TYPE_OUTPUT_STREAM,
  G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM, output_pollable_init))

static gssize
output_write (GOutputStream  *stream,
              const void     *buffer,
              gsize           count,
              GCancellable   *cancellable,
              GError        **error)
{
  return seqex_pipe_write (SEQEX_STREAM_OUTPUT (stream)->pipe, buffer, count, TRUE, cancellable,
                           error);
}

/* Everything leaves by itself. */
static void
output_flush_async (GOutputStream       *stream,
                    int                  priority,
                    GCancellable        *cancellable,
                    GAsyncReadyCallback  callback,
                    gpointer             user_data)
{
  return_closed (stream, output_flush_async, priority, cancellable, callback, user_data);
}

static gboolean
output_close (GOutputStream  *stream,
              GCancellable   *cancellable,
              GError        **error)
{
  seqex_pipe_close (SEQEX_STREAM_OUTPUT (stream)->pipe, SEQEX_PIPE_WRITABLE);
  return TRUE;
}

static gboolean
drained_cb (gpointer user_data)
{
  GTask *task = user_data;
  SeqexPipe *pipe = SEQEX_STREAM_OUTPUT (g_task_get_source_object (task))->pipe;
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return G_SOURCE_REMOVE;
  if (!seqex_pipe_is (pipe, SEQEX_PIPE_DRAINED))
    return G_SOURCE_CONTINUE;
  error = seqex_pipe_get_drain_error (pipe);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
  return G_SOURCE_REMOVE;
}

static gboolean
drained_pollable_cb (GObject  *pollable,
                     gpointer  user_data)
{
  return drained_cb (user_data);
}

static void
output_close_async (GOutputStream       *stream,
                    int                  priority,
                    GCancellable        *cancellable,
                    GAsyncReadyCallback  callback,
                    gpointer             user_data)
{
  SeqexPipe *pipe = SEQEX_STREAM_OUTPUT (stream)->pipe;
  GTask *task = g_task_new (stream, cancellable, callback, user_data);
  g_autoptr (GSource) child = seqex_pipe_source_new (pipe, SEQEX_PIPE_DRAINED);
  g_autoptr (GSource) source = g_pollable_source_new_full (stream, child, cancellable);

  g_task_set_source_tag (task, output_close_async);
  g_task_set_priority (task, priority);
  seqex_pipe_close (pipe, SEQEX_PIPE_WRITABLE);
  g_source_set_callback (source, G_SOURCE_FUNC (drained_pollable_cb), task, g_object_unref);
  g_source_set_priority (source, priority);
  g_source_attach (source, g_task_get_context (task));
}

static gboolean
output_finish (GOutputStream  *stream,
               GAsyncResult   *result,
               GError        **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static gboolean
output_is_writable (GPollableOutputStream *stream)
{
  return seqex_pipe_is (SEQEX_STREAM_OUTPUT (stream)->pipe, SEQEX_PIPE_WRITABLE);
}

static gssize
output_write_nonblocking (GPollableOutputStream  *stream,
                          const void             *buffer,
                          gsize                   count,
                          GError                **error)
{
  return seqex_pipe_write (SEQEX_STREAM_OUTPUT (stream)->pipe, buffer, count, FALSE, NULL, error);
}

static GSource *
output_create_source (GPollableOutputStream *stream,
                      GCancellable          *cancellable)
{
  g_autoptr (GSource) source = seqex_pipe_source_new (SEQEX_STREAM_OUTPUT (stream)->pipe,
                                                      SEQEX_PIPE_WRITABLE);

  return g_pollable_source_new_full (stream, source, cancellable);
}

static void
output_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = output_is_writable;
  iface->create_source = output_create_source;
  iface->write_nonblocking = output_write_nonblocking;
}

static void
seqex_stream_output_finalize (GObject *object)
{
  seqex_pipe_unref (SEQEX_STREAM_OUTPUT (object)->pipe);
  G_OBJECT_CLASS (seqex_stream_output_parent_class)->finalize (object);
}

static void
seqex_stream_output_class_init (SeqexStreamOutputClass *klass)
{
  GOutputStreamClass *output_class = G_OUTPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = seqex_stream_output_finalize;
  output_class->write_fn = output_write;
  output_class->flush_async = output_flush_async;
  output_class->flush_finish = output_finish;
  output_class->close_fn = output_close;
  output_class->close_async = output_close_async;
  output_class->close_finish = output_finish;
}

static void
seqex_stream_output_init (SeqexStreamOutput *self)
{
}

/* Both ----------------------------------------------------------------------------------- */

static GInputStream *
seqex_stream_get_input_stream (GIOStream *stream)
{
  return SEQEX_STREAM (stream)->input;
}

static GOutputStream *
seqex_stream_get_output_stream (GIOStream *stream)
{
  return SEQEX_STREAM (stream)->output;
}

static void
seqex_stream_finalize (GObject *object)
{
  SeqexStream *self = SEQEX_STREAM (object);

  g_clear_object (&self->input);
  g_clear_object (&self->output);
  g_clear_pointer (&self->pipe, seqex_pipe_unref);

  G_OBJECT_CLASS (seqex_stream_parent_class)->finalize (object);
}

enum
{
  PROP_PRIORITY = 1,
};

static void
seqex_stream_get_property (GObject    *object,
                           guint       prop_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  g_value_set_uint (value, seqex_stream_get_priority (SEQEX_STREAM (object)));
}

static void
seqex_stream_set_property (GObject      *object,
                           guint         prop_id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  seqex_stream_set_priority (SEQEX_STREAM (object), g_value_get_uint (value));
}

static void
seqex_stream_class_init (SeqexStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (klass);

  object_class->finalize = seqex_stream_finalize;
  object_class->get_property = seqex_stream_get_property;
  object_class->set_property = seqex_stream_set_property;

  /**
   * SeqexStream:priority: (getter get_priority) (setter set_priority)
   *
   * How urgent what this side writes is, from 0, the most urgent, to 7; at first 3, as messages are
   * that are sent by the connection itself. The peer's side has one of its own.
   *
   * Priority is strict, among streams and [property@Seqex.Channel:priority] of messages alike:
   * nothing is sent as long as something more urgent could be. Setting it concerns what waits
   * already, too. Notifications come in the thread that sets it.
   */
  g_object_class_install_property (object_class, PROP_PRIORITY,
    g_param_spec_uint ("priority", NULL, NULL, 0, SQX_PRIORITIES - 1, SQX_PRIORITY_DEFAULT,
                       G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS));

  stream_class->get_input_stream = seqex_stream_get_input_stream;
  stream_class->get_output_stream = seqex_stream_get_output_stream;
}

static void
seqex_stream_init (SeqexStream *self)
{
}

SeqexStream *
seqex_stream_new (SeqexPipe *pipe)
{
  SeqexStream *self = g_object_new (SEQEX_TYPE_STREAM, NULL);
  SeqexStreamInput *input = g_object_new (SEQEX_TYPE_STREAM_INPUT, NULL);
  SeqexStreamOutput *output = g_object_new (SEQEX_TYPE_STREAM_OUTPUT, NULL);

  self->pipe = seqex_pipe_ref (pipe);
  input->pipe = seqex_pipe_ref (pipe);
  output->pipe = seqex_pipe_ref (pipe);
  self->input = G_INPUT_STREAM (input);
  self->output = G_OUTPUT_STREAM (output);
  return self;
}

/**
 * seqex_stream_dup_connection:
 * @self: a stream
 *
 * Gets the connection that the stream is of. This may be called in any thread.
 *
 * Returns: (transfer full) (nullable): the connection, or `NULL` if it is gone
 */
SeqexConnection *
seqex_stream_dup_connection (SeqexStream *self)
{
  g_return_val_if_fail (SEQEX_IS_STREAM (self), NULL);

  return seqex_pipe_dup_connection (self->pipe);
}

/**
 * seqex_stream_get_priority: (get-property priority)
 * @self: a stream
 *
 * Gets how urgent what this side writes is. This may be called in any thread.
 *
 * Returns: the priority, from 0, the most urgent, to 7
 */
guint
seqex_stream_get_priority (SeqexStream *self)
{
  g_return_val_if_fail (SEQEX_IS_STREAM (self), 0);

  return seqex_pipe_get_priority (self->pipe);
}

/**
 * seqex_stream_set_priority: (set-property priority)
 * @self: a stream
 * @priority: from 0, the most urgent, to 7
 *
 * Sets how urgent what this side writes is. This may be called in any thread.
 */
void
seqex_stream_set_priority (SeqexStream *self,
                           guint        priority)
{
  g_return_if_fail (SEQEX_IS_STREAM (self));
  g_return_if_fail (priority < SQX_PRIORITIES);

  if (seqex_pipe_set_priority (self->pipe, priority))
    g_object_notify (G_OBJECT (self), "priority");
}

/* Opening -------------------------------------------------------------------------------- */

void
seqex_stream_open_waiting (SeqexDialogue *dialogue)
{
  SeqexWait *wait;

  while ((wait = g_queue_peek_head (&dialogue->opening)) != NULL)
    {
      sqx_stream *core = NULL;
      sqx_result result = SQX_ERR_CLOSED;

      if (dialogue->core != NULL)
        result = sqx_conn_open_stream (dialogue->core, seqex_driver_time (dialogue->driver), &core);
      if (result == SQX_ERR_QUEUE_FULL)
        return;
      if (result == SQX_OK)
        seqex_wait_resolve (wait, seqex_pipe_new_stream (dialogue, core), NULL);
      else if (result == SQX_ERR_REFUSED && dialogue->failure == NULL)
        seqex_wait_resolve (wait, NULL, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                                             "The peer takes no streams"));
      else
        seqex_wait_resolve (wait, NULL, seqex_dialogue_error (dialogue, result, 0));
    }
}

/**
 * seqex_connection_open_stream_async:
 * @self: a connection
 * @cancellable: (nullable): to stop waiting
 * @callback: (nullable) (scope async) (closure user_data): called when the stream is there, or when
 *   none can be opened
 * @user_data: for @callback
 *
 * Opens a stream to the peer.
 *
 * There is no round trip: this waits only for the connection itself, and as long as this side has as
 * many streams open as the peer takes at once, usually 128.
 *
 * Finish with [method@Seqex.Connection.open_stream_finish].
 */
void
seqex_connection_open_stream_async (SeqexConnection     *self,
                                    GCancellable        *cancellable,
                                    GAsyncReadyCallback  callback,
                                    gpointer             user_data)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));
  dialogue = seqex_connection_get_dialogue (self);
  if (!seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  seqex_wait_new (dialogue, SEQEX_WAIT_STREAM, &dialogue->opening,
                  SEQEX_CALL (seqex_connection_open_stream_async));
  seqex_stream_open_waiting (dialogue);
  seqex_dialogue_mark_ready (dialogue);
}

/**
 * seqex_connection_open_stream_finish:
 * @self: a connection
 * @result: what the callback got
 * @error: return location for an error
 *
 * Finishes [method@Seqex.Connection.open_stream_async].
 *
 * The errors are %G_IO_ERROR_NOT_SUPPORTED if the peer takes no streams, %G_IO_ERROR_CANCELLED, and
 * those of a connection that is closed or failed.
 *
 * Returns: (transfer full): the stream
 */
SeqexStream *
seqex_connection_open_stream_finish (SeqexConnection  *self,
                                     GAsyncResult     *result,
                                     GError          **error)
{
  return seqex_result_propagate_pointer (result, self, seqex_connection_open_stream_async,
                                         G_STRFUNC, error);
}
