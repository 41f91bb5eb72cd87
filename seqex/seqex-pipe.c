/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-pipe-private.h"

#include <string.h>

#include "seqex-body-private.h"
#include "seqex-connection-private.h"
#include "seqex-error-private.h"
#include "seqex-stream.h"

struct _SeqexPipe
{
  gatomicrefcount ref_count;
  GMutex         lock;
  GCond          cond;
  SeqexDriver   *driver;     /* owned */
  GWeakRef       connection;
  gboolean       posted;
  GPtrArray     *sources;    /* owned GSource: to be told when something changed */

  /* In the thread of the connection only */
  SeqexDialogue *dialogue;   /* NULL once detached … */
  sqx_stream    *core;       /* … as is this */
  SeqexStream   *stream;     /* owned while attached */
  GList          link;       /* in the dialogue's streams */

  /* Reading: a chunk, of which the program has read up to at */
  guint8        *data;       /* owned */
  gsize          size;
  gsize          at;
  gboolean       eof;
  gboolean       closed_in;
  gboolean       told_in;    /* the core knows of that */
  GError        *read_error;

  /* Writing: at most one chunk more than the core has */
  guint8        *pending;    /* owned, nullable */
  gsize          n_pending;
  gsize          room;       /* bytes allocated */
  gboolean       closed_out;
  gboolean       told_out;
  gboolean       drained;
  guint          priority;
  GError        *write_error;
};

typedef struct
{
  GSource            source;
  SeqexPipe         *pipe;
  SeqexPipeCondition condition;
} PipeSource;

SeqexPipe *
seqex_pipe_ref (SeqexPipe *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
seqex_pipe_unref (SeqexPipe *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_weak_ref_clear (&self->connection);
  g_ptr_array_unref (self->sources);
  seqex_body_free (self->data);
  seqex_body_free (self->pending);
  g_clear_error (&self->read_error);
  g_clear_error (&self->write_error);
  seqex_driver_unref (self->driver);
  g_free (self);
}

static gboolean
is_owner (SeqexPipe *self)
{
  return self->driver->thread == g_thread_self () || g_main_context_is_owner (self->driver->context);
}

static gboolean
holds (SeqexPipe          *self,
       SeqexPipeCondition  condition)
{
  switch (condition)
    {
    case SEQEX_PIPE_READABLE:
      return self->size > 0 || self->eof || self->closed_in || self->read_error != NULL;
    case SEQEX_PIPE_WRITABLE:
      return self->n_pending < SQX_CHUNK_MAX || self->closed_out || self->write_error != NULL;
    case SEQEX_PIPE_DRAINED:
      return self->drained || self->write_error != NULL;
    }
  return FALSE;
}

/* Whoever waits looks again. */
static void
tell (SeqexPipe *self)
{
  g_cond_broadcast (&self->cond);
  for (guint i = 0; i < self->sources->len; i++)
    g_source_set_ready_time (g_ptr_array_index (self->sources, i), 0);
  g_ptr_array_set_size (self->sources, 0);
}

/* Between the program and the core ------------------------------------------------------- */

static GError *
make_error (SeqexPipe  *self,
            sqx_result  result,
            sqx_result  other)
{
  if (result == SQX_ERR_REFUSED)
    return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE,
                                "The peer does not read the stream any more");
  if (result == SQX_ERR_PEER_CLOSED && other != result)
    return g_error_new_literal (SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER,
                                "The peer aborted the stream");
  return seqex_error_from_result (result, self->dialogue->failure);
}

static void
drop_pending (SeqexPipe *self)
{
  g_clear_pointer (&self->pending, seqex_body_free);
  self->n_pending = self->room = 0;
}

/* The first @size bytes of what is pending, which is all of it most of the time. */
static GBytes *
take_pending (SeqexPipe *self,
              gsize      size)
{
  GBytes *bytes;

  if (size == self->n_pending)
    {
      guint8 *data = g_steal_pointer (&self->pending);

      drop_pending (self);
      return g_bytes_new_with_free_func (data, size, seqex_body_free, data);
    }
  bytes = g_bytes_new (self->pending, size);
  self->n_pending -= size;
  memmove (self->pending, self->pending + size, self->n_pending);
  return bytes;
}

static void
push_pending (SeqexPipe *self)
{
  sqx_conn *conn = self->dialogue->core;
  sqx_result result = SQX_OK;

  while (result == SQX_OK && self->n_pending > 0)
    {
      g_autoptr (GBytes) bytes = NULL;
      sqx_stream_status status;
      sqx_payload payload;
      gsize size;

      sqx_conn_stream_status (conn, self->core, &status);
      size = MIN (self->n_pending, status.room);
      payload = (sqx_payload) { (const guint8 *) "", 1, NULL };
      if (size > 0)
        {
          bytes = take_pending (self, size);
          payload = (sqx_payload) { g_bytes_get_data (bytes, NULL), size, bytes };
        }
      /* Without room it is refused, and so the core tells when there is some. */
      result = sqx_conn_stream_write (conn, seqex_driver_time (self->dialogue->driver), self->core,
                                      &payload);
    }
}

static void
pull_chunk (SeqexPipe *self)
{
  sqx_message message;

  if (self->size > 0 || self->eof
      || !sqx_conn_stream_read (self->dialogue->core, seqex_driver_time (self->dialogue->driver),
                                self->core, &message))
    return;
  self->data = message.data;
  self->size = message.size;
  self->at = 0;
  self->eof = message.size == 0;
}

static void
move (SeqexPipe *self)
{
  sqx_conn *conn = self->dialogue->core;
  guint64 now = seqex_driver_time (self->dialogue->driver);

  sqx_conn_stream_set_priority (conn, self->core, self->priority);
  push_pending (self);
  if (self->closed_out && !self->told_out && self->n_pending == 0)
    {
      self->told_out = TRUE;
      sqx_conn_stream_close_write (conn, now, self->core);
    }
  if (self->closed_in && !self->told_in)
    {
      self->told_in = TRUE;
      sqx_conn_stream_close_read (conn, now, self->core);
    }
  if (!self->closed_in)
    pull_chunk (self);
}

/* Lets go of the core, and of the object. */
static SeqexStream *
leave (SeqexPipe *self)
{
  sqx_stream_release (self->dialogue->core, seqex_driver_time (self->dialogue->driver), self->core);
  g_queue_unlink (&self->dialogue->streams, &self->link);
  self->core = NULL;
  self->dialogue = NULL;
  return g_steal_pointer (&self->stream);
}

void
seqex_pipe_pump (SeqexPipe *self)
{
  g_autoptr (SeqexStream) stream = NULL;
  SeqexDialogue *dialogue = self->dialogue;
  sqx_stream_status status;

  if (dialogue == NULL || dialogue->core == NULL)
    return;

  g_mutex_lock (&self->lock);
  move (self);
  sqx_conn_stream_status (dialogue->core, self->core, &status);
  self->drained = status.drained;
  if (status.read_error != SQX_OK && !status.readable && self->size == 0 && !self->closed_in
      && self->read_error == NULL)
    self->read_error = make_error (self, status.read_error, status.write_error);
  if (status.write_error != SQX_OK && self->write_error == NULL && !status.drained
      && (status.write_error != SQX_ERR_CLOSED || !self->told_out))
    {
      self->write_error = make_error (self, status.write_error, SQX_ERR_PEER_CLOSED);
      drop_pending (self);
    }
  /* What came before the end of the connection can still be read. */
  if (status.over || (self->read_error != NULL && self->write_error != NULL
                      && sqx_conn_state (dialogue->core) >= SQX_STATE_CLOSING))
    stream = leave (self);
  tell (self);
  g_mutex_unlock (&self->lock);
  seqex_dialogue_mark_ready (dialogue);
}

void
seqex_pipes_pump (SeqexDialogue *dialogue)
{
  GList *next;

  for (GList *link = dialogue->streams.head; link != NULL; link = next)
    {
      next = link->next;
      seqex_pipe_pump (link->data);
    }
}

typedef struct
{
  SeqexMail  mail;
  SeqexPipe *pipe; /* owned */
} PumpMail;

static void
read_pump_mail (SeqexMail *mail)
{
  SeqexPipe *self = ((PumpMail *) mail)->pipe;

  g_mutex_lock (&self->lock);
  self->posted = FALSE;
  g_mutex_unlock (&self->lock);
  seqex_pipe_pump (self);
}

static void
free_pump_mail (SeqexMail *mail)
{
  seqex_pipe_unref (((PumpMail *) mail)->pipe);
  g_free (mail);
}

/* With the lock: the thread of the connection will pump. */
static void
post (SeqexPipe *self)
{
  PumpMail *mail;

  if (self->posted)
    return;
  self->posted = TRUE;
  mail = g_new0 (PumpMail, 1);
  mail->mail.read = read_pump_mail;
  mail->mail.free = free_pump_mail;
  mail->pipe = seqex_pipe_ref (self);
  seqex_driver_post (self->driver, &mail->mail);
}

void
seqex_pipe_detach (SeqexPipe    *self,
                   const GError *error)
{
  g_autoptr (SeqexStream) stream = NULL;

  g_mutex_lock (&self->lock);
  if (self->read_error == NULL && !self->eof)
    self->read_error = g_error_copy (error);
  if (self->write_error == NULL && !self->drained)
    self->write_error = g_error_copy (error);
  stream = leave (self);
  tell (self);
  g_mutex_unlock (&self->lock);
}

SeqexStream *
seqex_pipe_new_stream (SeqexDialogue *dialogue,
                       sqx_stream    *core)
{
  SeqexPipe *self = g_new0 (SeqexPipe, 1);

  self->priority = SQX_PRIORITY_DEFAULT;
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  g_weak_ref_init (&self->connection, dialogue->connection);
  self->driver = seqex_driver_ref (dialogue->driver);
  self->sources = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);
  self->dialogue = dialogue;
  self->core = core;
  self->link.data = self;
  g_queue_push_tail_link (&dialogue->streams, &self->link);
  sqx_stream_set_user_data (core, self);
  self->stream = seqex_stream_new (self);
  seqex_pipe_unref (self);
  return g_object_ref (self->stream);
}

SeqexConnection *
seqex_pipe_dup_connection (SeqexPipe *self)
{
  return g_weak_ref_get (&self->connection);
}

/* The program ---------------------------------------------------------------------------- */

static void
cancelled_cb (GCancellable *cancellable,
              SeqexPipe    *self)
{
  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* With the lock: waits until @condition holds. FALSE: it must not wait, or was cancelled. */
static gboolean
wait_for (SeqexPipe          *self,
          SeqexPipeCondition  condition,
          gboolean            wait,
          GCancellable       *cancellable,
          GError            **error)
{
  gulong id = 0;

  if (holds (self, condition))
    return TRUE;
  if (!wait || is_owner (self))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                   wait ? "The stream would wait for its own thread: use an asynchronous call, or "
                          "another thread"
                        : "The stream is not ready");
      return FALSE;
    }

  g_mutex_unlock (&self->lock);
  if (cancellable != NULL)
    id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), self, NULL);
  g_mutex_lock (&self->lock);
  while (!holds (self, condition) && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  g_cancellable_disconnect (cancellable, id);
  g_mutex_lock (&self->lock);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* With the lock, which is given up meanwhile: something was taken or added. */
static void
changed (SeqexPipe *self)
{
  if (!is_owner (self))
    {
      post (self);
      return;
    }
  g_mutex_unlock (&self->lock);
  seqex_pipe_pump (self);
  g_mutex_lock (&self->lock);
}

gssize
seqex_pipe_read (SeqexPipe     *self,
                 void          *buffer,
                 gsize          size,
                 gboolean       wait,
                 GCancellable  *cancellable,
                 GError       **error)
{
  gssize result = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  g_mutex_lock (&self->lock);
  if (!wait_for (self, SEQEX_PIPE_READABLE, wait, cancellable, error))
    result = -1;
  else if (self->size > 0)
    {
      result = (gssize) MIN (size, self->size - self->at);
      memcpy (buffer, self->data + self->at, (gsize) result);
      self->at += (gsize) result;
      if (self->at == self->size)
        {
          g_clear_pointer (&self->data, seqex_body_free);
          self->size = 0;
          changed (self);
        }
    }
  else if (self->read_error != NULL && !self->eof)
    {
      g_propagate_error (error, g_error_copy (self->read_error));
      result = -1;
    }
  g_mutex_unlock (&self->lock);
  return result;
}

/* So that many small pieces do not each move all before them, and a few take no more than they are. */
static void
make_room (SeqexPipe *self,
           gsize      size)
{
  gsize room = MAX (size, MIN (2 * self->room, SQX_CHUNK_MAX));
  guint8 *pending;

  if (size <= self->room)
    return;
  pending = seqex_body_new (room);
  /* The program ends as it does without memory elsewhere. */
  if (pending == NULL)
    pending = g_malloc (room);
  if (self->n_pending > 0)
    memcpy (pending, self->pending, self->n_pending);
  seqex_body_free (self->pending);
  self->pending = pending;
  self->room = room;
}

/* With the lock: adds what fits. */
static gsize
append (SeqexPipe    *self,
        const guint8 *data,
        gsize         size)
{
  size = MIN (size, SQX_CHUNK_MAX - self->n_pending);
  if (size == 0)
    return 0;
  make_room (self, self->n_pending + size);
  memcpy (self->pending + self->n_pending, data, size);
  self->n_pending += size;
  if (self->n_pending == SQX_CHUNK_MAX)
    changed (self);
  else
    post (self);
  return size;
}

gssize
seqex_pipe_write (SeqexPipe     *self,
                  const void    *data,
                  gsize          size,
                  gboolean       wait,
                  GCancellable  *cancellable,
                  GError       **error)
{
  gsize done = 0, n;
  gssize result;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  g_mutex_lock (&self->lock);
  if (!wait_for (self, SEQEX_PIPE_WRITABLE, wait, cancellable, error))
    result = -1;
  else if (self->write_error != NULL)
    {
      g_propagate_error (error, g_error_copy (self->write_error));
      result = -1;
    }
  else if (self->closed_out)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The stream is closed");
      result = -1;
    }
  else
    {
      while (done < size && self->write_error == NULL
             && (n = append (self, (const guint8 *) data + done, size - done)) > 0)
        done += n;
      result = (gssize) done;
    }
  g_mutex_unlock (&self->lock);
  return result;
}

void
seqex_pipe_close (SeqexPipe          *self,
                  SeqexPipeCondition  way)
{
  g_mutex_lock (&self->lock);
  if (way == SEQEX_PIPE_READABLE)
    {
      self->closed_in = TRUE;
      g_clear_pointer (&self->data, seqex_body_free);
      self->size = 0;
    }
  else
    self->closed_out = TRUE;
  tell (self);
  post (self);
  g_mutex_unlock (&self->lock);
}

gboolean
seqex_pipe_is (SeqexPipe          *self,
               SeqexPipeCondition  condition)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = holds (self, condition);
  g_mutex_unlock (&self->lock);
  return result;
}

GError *
seqex_pipe_get_drain_error (SeqexPipe *self)
{
  GError *error;

  g_mutex_lock (&self->lock);
  error = self->drained ? NULL : g_error_copy (self->write_error);
  g_mutex_unlock (&self->lock);
  return error;
}

guint
seqex_pipe_get_priority (SeqexPipe *self)
{
  guint priority;

  g_mutex_lock (&self->lock);
  priority = self->priority;
  g_mutex_unlock (&self->lock);
  return priority;
}

gboolean
seqex_pipe_set_priority (SeqexPipe *self,
                         guint      priority)
{
  gboolean changes;

  g_mutex_lock (&self->lock);
  changes = self->priority != priority;
  self->priority = priority;
  if (changes)
    post (self);
  g_mutex_unlock (&self->lock);
  return changes;
}

/* Sources -------------------------------------------------------------------------------- */

static gboolean
prepare (GSource *source,
         int     *timeout)
{
  PipeSource *self = (PipeSource *) source;
  gboolean ready;

  *timeout = -1;
  g_source_set_ready_time (source, -1);
  g_mutex_lock (&self->pipe->lock);
  ready = holds (self->pipe, self->condition);
  if (!ready && !g_ptr_array_find (self->pipe->sources, source, NULL))
    g_ptr_array_add (self->pipe->sources, g_source_ref (source));
  g_mutex_unlock (&self->pipe->lock);
  return ready;
}

static gboolean
check (GSource *source)
{
  PipeSource *self = (PipeSource *) source;

  return seqex_pipe_is (self->pipe, self->condition);
}

static gboolean
dispatch (GSource     *source,
          GSourceFunc  callback,
          gpointer     user_data)
{
  PipeSource *self = (PipeSource *) source;

  /* It was woken, and somebody else was faster. */
  if (callback == NULL || !seqex_pipe_is (self->pipe, self->condition))
    return G_SOURCE_CONTINUE;
  return callback (user_data);
}

static void
finalize (GSource *source)
{
  seqex_pipe_unref (((PipeSource *) source)->pipe);
}

/* As the child of another source it is only looked at. */
static gboolean
closure_callback (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs funcs = {
  .prepare = prepare,
  .check = check,
  .dispatch = dispatch,
  .finalize = finalize,
  .closure_callback = closure_callback,
};

GSource *
seqex_pipe_source_new (SeqexPipe          *self,
                       SeqexPipeCondition  condition)
{
  GSource *source = g_source_new (&funcs, sizeof (PipeSource));

  g_source_set_static_name (source, "[seqex] stream");
  ((PipeSource *) source)->pipe = seqex_pipe_ref (self);
  ((PipeSource *) source)->condition = condition;
  return source;
}
