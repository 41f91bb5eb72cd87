/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-wait-private.h"

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-dialogue-private.h"
#include "seqex-error-private.h"

SeqexWait *
seqex_wait_ref (SeqexWait *self)
{
  return g_atomic_rc_box_acquire (self);
}

void
seqex_wait_unref (SeqexWait *self)
{
  g_atomic_rc_box_release (self);
}

typedef struct
{
  SeqexMail  mail;
  SeqexWait *wait; /* owned */
} CancelMail;

static void
read_cancel_mail (SeqexMail *mail)
{
  SeqexWait *wait = ((CancelMail *) mail)->wait;

  /* It may have ended in the meantime. */
  if (wait->queue != NULL && wait->queue != wait->done)
    seqex_wait_abandon (wait, g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                           "The operation was cancelled"));
}

static void
free_cancel_mail (SeqexMail *mail)
{
  seqex_wait_unref (((CancelMail *) mail)->wait);
  g_free (mail);
}

/* Runs in whatever thread cancels, so it only posts. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  SeqexWait *self = user_data;
  CancelMail *mail = g_new0 (CancelMail, 1);

  mail->mail.read = read_cancel_mail;
  mail->mail.free = free_cancel_mail;
  mail->wait = g_atomic_rc_box_acquire (self);
  seqex_driver_post (self->driver, &mail->mail);
}

static SeqexWait *
new_wait (SeqexDriver   *driver,
          GObject       *object,
          GQueue        *done,
          SeqexWaitKind  kind,
          GQueue        *queue,
          GTask         *task)
{
  SeqexWait *self = g_atomic_rc_box_new0 (SeqexWait);
  GCancellable *cancellable = g_task_get_cancellable (task);

  self->object = g_object_ref (object);
  self->driver = driver;
  self->done = done;
  self->kind = kind;
  self->serial = driver->serial;
  self->task = task;
  self->queue = queue;
  self->link.data = self;
  g_queue_push_tail_link (queue, &self->link);

  if (cancellable != NULL)
    self->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb),
                                                g_atomic_rc_box_acquire (self),
                                                (GDestroyNotify) seqex_wait_unref);
  return self;
}

SeqexWait *
seqex_wait_new (SeqexDialogue *dialogue,
                SeqexWaitKind  kind,
                GQueue        *queue,
                GTask         *task)
{
  SeqexWait *self = new_wait (dialogue->driver, G_OBJECT (dialogue->connection), &dialogue->done,
                              kind, queue, task);

  self->dialogue = dialogue;
  return self;
}

SeqexWait *
seqex_wait_new_for_endpoint (SeqexDriver   *driver,
                             GObject       *endpoint,
                             GQueue        *done,
                             SeqexWaitKind  kind,
                             GQueue        *queue,
                             GTask         *task)
{
  return new_wait (driver, endpoint, done, kind, queue, task);
}

/* After this nothing but its owner knows @self. */
static void
detach (SeqexWait *self)
{
  if (self->cancelled_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (self->task), self->cancelled_id);
  self->cancelled_id = 0;

  g_clear_pointer (&self->deadline, g_sequence_remove);
  if (self->queue != NULL)
    g_queue_unlink (self->queue, &self->link);
  self->queue = NULL;
  self->handle = NULL;
}

static int
compare_due (gconstpointer a,
             gconstpointer b,
             gpointer      user_data)
{
  const SeqexWait *wait_a = a;
  const SeqexWait *wait_b = b;

  return (wait_a->due > wait_b->due) - (wait_a->due < wait_b->due);
}

void
seqex_wait_limit (SeqexWait *self,
                  guint      timeout)
{
  if (timeout == 0)
    return;

  self->timeout = timeout;
  self->due = seqex_driver_now () + timeout * SQX_MILLISECOND;
  self->deadline = g_sequence_insert_sorted (self->driver->deadlines, self, compare_due, NULL);
}

void
seqex_wait_resolve (SeqexWait *self,
                    gpointer   outcome,
                    GError    *error)
{
  g_assert (self->task != NULL && self->queue != self->done);

  detach (self);
  self->outcome = outcome;
  self->error = error;
  self->queue = self->done;
  g_queue_push_tail_link (self->queue, &self->link);

  if (self->dialogue != NULL)
    seqex_dialogue_activate (self->dialogue);
  else
    self->driver->ready = TRUE;
}

void
seqex_wait_abandon (SeqexWait *self,
                    GError    *error)
{
  sqx_conn *core = self->dialogue != NULL ? self->dialogue->core : NULL;

  if (self->abandoned != NULL)
    self->abandoned (self);
  else if (self->handle != NULL)
    sqx_conn_cancel (core, seqex_driver_now (), self->handle);
  else if (self->kind == SEQEX_WAIT_CLOSE && core != NULL)
    sqx_conn_abort (core, seqex_driver_now (), SQX_CLOSE_NO_ERROR, NULL);

  seqex_wait_resolve (self, NULL, error);
}

void
seqex_wait_return (SeqexWait *self)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (GObject) object = NULL;

  detach (self);
  task = g_steal_pointer (&self->task);
  object = g_steal_pointer (&self->object);

  if (self->error == NULL && self->failure != SQX_OK)
    self->error = seqex_dialogue_error (self->dialogue, self->failure, self->size);

  if (self->error != NULL)
    {
      g_clear_object (&self->outcome);
      g_task_return_error (task, g_steal_pointer (&self->error));
    }
  else if (self->kind == SEQEX_WAIT_DELIVERY || self->kind == SEQEX_WAIT_CLOSE
           || self->kind == SEQEX_WAIT_ENDPOINT_CLOSE)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_pointer (task, g_steal_pointer (&self->outcome), g_object_unref);

  seqex_wait_unref (self);
}

void
seqex_waits_expire (SeqexDriver *driver,
                    guint64      now)
{
  while (seqex_waits_next (driver) <= now)
    {
      SeqexWait *wait = g_sequence_get (g_sequence_get_begin_iter (driver->deadlines));

      seqex_wait_abandon (wait, g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                                             "No answer came within %u ms", wait->timeout));
    }
}

guint64
seqex_waits_next (SeqexDriver *driver)
{
  GSequenceIter *first = g_sequence_get_begin_iter (driver->deadlines);

  if (g_sequence_iter_is_end (first))
    return SQX_TIME_NEVER;
  return ((SeqexWait *) g_sequence_get (first))->due;
}

static gboolean
return_cb (gpointer user_data)
{
  seqex_wait_return (user_data);
  return G_SOURCE_REMOVE;
}

void
seqex_waits_clear_queue (GQueue       *queue,
                         const GError *error)
{
  SeqexWait *wait;

  while ((wait = g_queue_peek_head (queue)) != NULL)
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      if (queue != wait->done)
        wait->error = g_error_copy (error);
      detach (wait);

      g_source_set_static_name (source, "[seqex] disposed");
      g_source_set_callback (source, return_cb, wait, NULL);
      g_source_attach (source, wait->driver->context);
    }
}

void
seqex_waits_clear (SeqexDialogue *dialogue,
                   const GError  *error)
{
  seqex_waits_clear_queue (&dialogue->open, error);
  seqex_waits_clear_queue (&dialogue->done, error);
  seqex_waits_clear_queue (&dialogue->closing, error);
  for (SeqexPort *port = dialogue->ports; port != NULL; port = port->next)
    seqex_waits_clear_queue (&port->waits, error);
}

/* Fails @task in a later iteration; takes it. */
static gboolean
refuse (GTask  *task,
        GError *error)
{
  g_task_return_error (task, error);
  g_object_unref (task);
  return FALSE;
}

gboolean
seqex_wait_send (SeqexDialogue        *dialogue,
                 SeqexWaitKind         kind,
                 GTask                *task,
                 guint                 channel,
                 const sqx_message_id *answered,
                 guint                 position,
                 GBytes               *payload,
                 SeqexSendFlags        flags)
{
  sqx_payload bytes = { .owner = payload };
  guint32 core_flags = 0;
  GError *error = NULL;
  sqx_result result;
  SeqexWait *wait;

  if (g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error))
    return refuse (task, error);
  if (dialogue->core == NULL)
    return refuse (task, seqex_dialogue_error (dialogue, SQX_ERR_CLOSED, 0));

  bytes.data = g_bytes_get_data (payload, &bytes.size);
  if (flags & SEQEX_SEND_FLAGS_ORDERED)
    core_flags |= SQX_MESSAGE_ORDERED;
  if (kind == SEQEX_WAIT_DELIVERY)
    core_flags |= SQX_MESSAGE_FINAL;

  wait = seqex_wait_new (dialogue, kind, &dialogue->open, task);
  wait->size = bytes.size;
  wait->position = position;
  if (answered != NULL)
    result = sqx_conn_reply (dialogue->core, seqex_driver_now (), answered, &bytes, core_flags,
                             wait, &wait->handle);
  else
    result = sqx_conn_send (dialogue->core, seqex_driver_now (), channel, &bytes, core_flags, wait,
                            &wait->handle);
  SEQEX_NOTE (MESSAGE, "%p: channel %u: sends %zu bytes%s%s: %s", dialogue->connection, channel,
              bytes.size, answered != NULL ? ", an answer" : "",
              kind == SEQEX_WAIT_DELIVERY ? ", final" : "", sqx_result_string (result));
  if (result != SQX_OK)
    {
      /* The task was made in this call, so it ends in a later iteration. */
      wait->handle = NULL;
      wait->failure = result;
      /* The program did not answer it, so it was cancelled, and the news are on their way. */
      if (result == SQX_ERR_ALREADY_ANSWERED)
        wait->error = seqex_error_from_end (SQX_END_CANCELLED);
      seqex_wait_return (wait);
      return FALSE;
    }

  seqex_wait_limit (wait, seqex_dialogue_get_port (dialogue, channel)->timeout);
  seqex_dialogue_mark_ready (dialogue);
  return TRUE;
}

void
seqex_wait_receive (SeqexDialogue *dialogue,
                    SeqexPort   *port,
                    GTask       *task)
{
  seqex_wait_new (dialogue, SEQEX_WAIT_RECEIVE, &port->waits, task);
  seqex_dialogue_mark_ready (dialogue);
}

void
seqex_wait_close (SeqexDialogue *dialogue,
                  GTask       *task)
{
  sqx_conn *core = dialogue->core;

  if (dialogue->closed
      && (dialogue->failure != NULL || core == NULL || sqx_conn_state (core) >= SQX_STATE_DRAINING))
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }

  seqex_wait_new (dialogue, SEQEX_WAIT_CLOSE, &dialogue->closing, task);
  /* Does nothing the second time. */
  sqx_conn_close (core, seqex_driver_now (), SQX_CLOSE_NO_ERROR, NULL);
  seqex_dialogue_mark_ready (dialogue);
}
