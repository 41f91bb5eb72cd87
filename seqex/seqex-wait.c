/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-wait-private.h"

#include <string.h>

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-dialogue-private.h"
#include "seqex-error-private.h"
#include "seqex-message-private.h"
#include "seqex-pipe-private.h"

SeqexWait *
seqex_wait_ref (SeqexWait *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
seqex_wait_unref (SeqexWait *self)
{
  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
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
  mail->wait = seqex_wait_ref (self);
  seqex_driver_post (self->driver, &mail->mail);
}

SeqexWait *
seqex_wait_new_for_endpoint (SeqexDriver     *driver,
                             GObject         *object,
                             GQueue          *done,
                             SeqexWaitKind    kind,
                             GQueue          *queue,
                             const SeqexCall *call)
{
  SeqexWait *self = g_malloc (sizeof *self);

  /* Made for each exchange: malloc() has such blocks at hand, calloc() does not. */
  memset (self, 0, sizeof *self);
  g_atomic_ref_count_init (&self->ref_count);
  self->call = *call;
  if (call->callback != NULL && call->object != object)
    g_object_ref (call->object);
  self->object = g_object_ref (object);
  self->driver = driver;
  self->done = done;
  self->kind = kind;
  self->queue = queue;
  self->link.data = self;
  g_queue_push_tail_link (queue, &self->link);

  if (call->cancellable != NULL)
    {
      g_object_ref (call->cancellable);
      self->cancelled_id = g_cancellable_connect (call->cancellable, G_CALLBACK (cancelled_cb),
                                                  seqex_wait_ref (self),
                                                  (GDestroyNotify) seqex_wait_unref);
    }
  return self;
}

SeqexWait *
seqex_wait_new (SeqexDialogue   *dialogue,
                SeqexWaitKind    kind,
                GQueue          *queue,
                const SeqexCall *call)
{
  SeqexWait *self = seqex_wait_new_for_endpoint (dialogue->driver, G_OBJECT (dialogue->connection),
                                                 &dialogue->done, kind, queue, call);

  self->dialogue = dialogue;
  return self;
}

/* After this nothing but its owner knows @self. */
static void
detach (SeqexWait *self)
{
  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->call.cancellable, self->cancelled_id);
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
  g_assert (self->queue != NULL && self->queue != self->done);

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
seqex_wait_resolve_final (SeqexWait         *self,
                          const sqx_message *reply)
{
  self->reply = *reply;
  self->has_reply = TRUE;
  seqex_wait_resolve (self, NULL, NULL);
}

/* The end of it in the wait. */
static GObject *
take_outcome (SeqexWait *self)
{
  if (self->has_reply)
    {
      self->has_reply = FALSE;
      return G_OBJECT (seqex_message_new (self->dialogue->connection, &self->reply,
                                          self->position + 1));
    }
  return g_steal_pointer (&self->outcome);
}

void
seqex_wait_abandon (SeqexWait *self,
                    GError    *error)
{
  sqx_conn *core = self->dialogue != NULL ? self->dialogue->core : NULL;

  if (self->abandoned != NULL)
    self->abandoned (self);
  else if (self->handle != NULL)
    sqx_conn_cancel (core, seqex_driver_time (self->driver), self->handle);
  else if (self->kind == SEQEX_WAIT_CLOSE && core != NULL)
    sqx_conn_abort (core, seqex_driver_time (self->driver), SQX_CLOSE_NO_ERROR, NULL);

  seqex_wait_resolve (self, NULL, error);
}

/* The end of @self, but for what it tells the program. */
static void
take_apart (SeqexWait *self)
{
  if (self->call.callback != NULL && self->call.object != self->object)
    g_object_unref (self->call.object);
  g_clear_object (&self->call.cancellable);
  g_object_unref (self->object);
  seqex_wait_unref (self);
}

void
seqex_wait_return (SeqexWait *self)
{
  SeqexMessage *message = NULL;
  GObject *outcome;

  detach (self);
  if (self->error == NULL && self->failure != SQX_OK)
    self->error = seqex_dialogue_error (self->dialogue, self->failure, self->size);
  outcome = take_outcome (self);
  if (self->error != NULL)
    g_clear_object (&outcome);

  /* So that it does not end when the program lets go of it. */
  if (outcome != NULL && (self->kind == SEQEX_WAIT_REPLY || self->kind == SEQEX_WAIT_RECEIVE))
    message = (SeqexMessage *) g_object_ref (outcome);
  seqex_result_return (&self->driver->spare_result, &self->call, outcome,
                       g_steal_pointer (&self->error));
  if (message != NULL)
    seqex_message_drop (message);
  take_apart (self);
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

void
seqex_waits_clear_queue (GQueue       *queue,
                         const GError *error)
{
  SeqexWait *wait;

  while ((wait = g_queue_peek_head (queue)) != NULL)
    {
      if (queue != wait->done)
        wait->error = g_error_copy (error);
      else if (wait->error == NULL && wait->failure != SQX_OK)
        wait->error = seqex_dialogue_error (wait->dialogue, wait->failure, wait->size);
      detach (wait);
      seqex_result_return_later (wait->driver->context, &wait->call,
                                 take_outcome (wait), g_steal_pointer (&wait->error));
      take_apart (wait);
    }
}

void
seqex_waits_clear (SeqexDialogue *dialogue,
                   const GError  *error)
{
  seqex_waits_clear_queue (&dialogue->open, error);
  seqex_waits_clear_queue (&dialogue->done, error);
  seqex_waits_clear_queue (&dialogue->closing, error);
  seqex_waits_clear_queue (&dialogue->opening, error);
  for (SeqexPort *port = dialogue->ports; port != NULL; port = port->next)
    seqex_waits_clear_queue (&port->waits, error);
}

static gboolean
refuse (SeqexDialogue   *dialogue,
        const SeqexCall *call,
        GError          *error)
{
  seqex_result_return_later (dialogue->driver->context, call, NULL, error);
  return FALSE;
}

/* @wait: NULL if nobody wants to know. */
static sqx_result
submit (SeqexDialogue        *dialogue,
        SeqexWait            *wait,
        SeqexWaitKind         kind,
        guint                 channel,
        const sqx_message_id *answered,
        GBytes               *payload,
        SeqexSendFlags        flags)
{
  sqx_outgoing **handle = wait != NULL ? &wait->handle : NULL;
  guint64 now = seqex_driver_time (dialogue->driver);
  sqx_payload bytes = { .owner = payload };
  guint32 core_flags = 0;

  bytes.data = g_bytes_get_data (payload, &bytes.size);
  if (flags & SEQEX_SEND_FLAGS_ORDERED)
    core_flags |= SQX_MESSAGE_ORDERED;
  if (kind == SEQEX_WAIT_DELIVERY)
    core_flags |= SQX_MESSAGE_FINAL;

  if (answered != NULL)
    return sqx_conn_reply (dialogue->core, now, answered, &bytes, core_flags, wait, handle);
  return sqx_conn_send (dialogue->core, now, channel, &bytes, core_flags, wait, handle);
}

gboolean
seqex_wait_send (SeqexDialogue        *dialogue,
                 SeqexWaitKind         kind,
                 const SeqexCall      *call,
                 guint                 channel,
                 const sqx_message_id *answered,
                 guint                 position,
                 GBytes               *payload,
                 SeqexSendFlags        flags)
{
  guint timeout = seqex_dialogue_get_port (dialogue, channel)->timeout;
  SeqexWait *wait = NULL;
  GError *error = NULL;
  sqx_result result;

  if (g_cancellable_set_error_if_cancelled (call->cancellable, &error))
    return refuse (dialogue, call, error);
  if (dialogue->core == NULL)
    return refuse (dialogue, call, seqex_dialogue_error (dialogue, SQX_ERR_CLOSED, 0));

  /* A wait that tells nobody and ends by nothing here is none. */
  if (kind != SEQEX_WAIT_DELIVERY || call->callback != NULL || call->cancellable != NULL
      || timeout > 0)
    {
      wait = seqex_wait_new (dialogue, kind, &dialogue->open, call);
      wait->size = g_bytes_get_size (payload);
      wait->position = position;
    }
  result = submit (dialogue, wait, kind, channel, answered, payload, flags);
  SEQEX_NOTE (MESSAGE, "%p: channel %u: sends %zu bytes%s%s: %s", dialogue->connection, channel,
              g_bytes_get_size (payload), answered != NULL ? ", an answer" : "",
              kind == SEQEX_WAIT_DELIVERY ? ", final" : "", sqx_result_string (result));
  if (result != SQX_OK)
    {
      /* The program did not answer it, so it was cancelled, and the news are on their way. */
      if (result == SQX_ERR_ALREADY_ANSWERED)
        error = seqex_error_from_end (SQX_END_CANCELLED);
      else
        error = seqex_dialogue_error (dialogue, result, g_bytes_get_size (payload));
      refuse (dialogue, call, error);
      if (wait != NULL)
        {
          detach (wait);
          take_apart (wait);
        }
      return FALSE;
    }

  if (wait != NULL)
    seqex_wait_limit (wait, timeout);
  seqex_dialogue_mark_ready (dialogue);
  return TRUE;
}

void
seqex_wait_receive (SeqexDialogue   *dialogue,
                    SeqexPort       *port,
                    const SeqexCall *call)
{
  seqex_wait_new (dialogue, SEQEX_WAIT_RECEIVE, &port->waits, call);
  seqex_dialogue_mark_ready (dialogue);
}

void
seqex_wait_close (SeqexDialogue   *dialogue,
                  const SeqexCall *call)
{
  sqx_conn *core = dialogue->core;

  if (dialogue->closed
      && (dialogue->failure != NULL || core == NULL || sqx_conn_state (core) >= SQX_STATE_DRAINING))
    {
      refuse (dialogue, call, NULL);
      return;
    }

  seqex_wait_new (dialogue, SEQEX_WAIT_CLOSE, &dialogue->closing, call);
  seqex_pipes_pump (dialogue);
  /* Does nothing the second time. */
  sqx_conn_close (core, seqex_driver_time (dialogue->driver), SQX_CLOSE_NO_ERROR, NULL);
  seqex_dialogue_mark_ready (dialogue);
}
