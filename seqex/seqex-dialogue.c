/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-dialogue-private.h"

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-error-private.h"
#include "seqex-pipe-private.h"

/* After so many things told, what the program has answered leaves: if all of it waited for the last
 * one, the peer would have nothing to do meanwhile, and this side nothing while the peer works. */
#define FLUSH_EVERY 32u

static void
touched (SeqexWatcher *watcher)
{
  seqex_dialogue_activate ((SeqexDialogue *) watcher);
}

void
seqex_dialogue_init (SeqexDialogue   *self,
                     SeqexConnection *connection,
                     SeqexPort       *port)
{
  self->watcher.touched = touched;
  self->connection = connection;
  self->ports = port;
  self->all_link.data = self;
  self->active_link.data = self;
  self->unheard_link.data = self;
}

void
seqex_dialogue_set_driver (SeqexDialogue *self,
                           SeqexDriver   *driver)
{
  self->driver = seqex_driver_ref (driver);
  g_queue_push_tail_link (&driver->all, &self->all_link);
}

void
seqex_dialogue_set_core (SeqexDialogue *self,
                         sqx_conn      *core)
{
  self->core = core;
  self->address = *sqx_conn_address (core);
  sqx_conn_set_user_data (core, &self->watcher);
  /* What the core had to say before this would not be said again. */
  seqex_dialogue_activate (self);
}

void
seqex_dialogue_add_port (SeqexDialogue *self,
                         SeqexPort     *port)
{
  SeqexPort *last = self->ports;

  while (last->next != NULL)
    last = last->next;
  last->next = port;
}

gboolean
seqex_dialogue_check_thread (SeqexDialogue *self,
                             const char    *function)
{
  return seqex_driver_check_thread (self->driver, function);
}

static void
hold (SeqexDialogue *self,
      gboolean       held)
{
  held = held && !self->disposed;
  if (self->held == held)
    return;

  self->held = held;
  if (held)
    g_object_ref (self->connection);
  else
    g_object_unref (self->connection);
}

/* As long as something is open, so that what the program has begun goes on, and what it has
 * answered arrives, when it drops the connection; and until the last acknowledgement has left, so
 * that the peer does not go on asking. A message for which nobody listens is not a reason: nobody
 * could come to take it. */
static gboolean
is_busy (SeqexDialogue *self)
{
  if (self->core == NULL || self->unheard)
    return FALSE;
  return sqx_conn_is_busy (self->core) || sqx_conn_state (self->core) == SQX_STATE_CLOSING
         || sqx_conn_next_timeout (self->core)
              <= seqex_driver_time (self->driver) + SQX_ACK_DELAY_DEFAULT;
}

void
seqex_dialogue_activate (SeqexDialogue *self)
{
  if (self->active || self->disposed)
    return;

  self->active = TRUE;
  g_queue_push_tail_link (&self->driver->active, &self->active_link);
}

void
seqex_dialogue_mark_ready (SeqexDialogue *self)
{
  if (self->disposed)
    return;

  hold (self, TRUE);
  seqex_dialogue_activate (self);
  seqex_driver_mark_ready (self->driver);
}

static void
set_unheard (SeqexDialogue *self,
             gboolean       unheard)
{
  unheard = unheard && !self->disposed;
  if (self->unheard == unheard)
    return;

  self->unheard = unheard;
  if (unheard)
    g_queue_push_tail_link (&self->driver->unheard, &self->unheard_link);
  else
    g_queue_unlink (&self->driver->unheard, &self->unheard_link);
}

guint
seqex_dialogue_run (SeqexDialogue *self,
                    guint          limit)
{
  g_autoptr (SeqexConnection) connection = g_object_ref (self->connection);
  gboolean more = self->core != NULL && seqex_delivery_collect (self);
  guint n = 0;

  seqex_connection_notify_changes (self->connection);
  while (n < limit && seqex_delivery_deliver (self))
    if (++n % FLUSH_EVERY == 0)
      seqex_driver_flush (self->driver);
  /* Before it is asked whether the connection has nothing to do any more. */
  if (self->driver->unsent)
    {
      seqex_driver_flush (self->driver);
      more = more || (self->core != NULL && seqex_delivery_collect (self));
      seqex_connection_notify_changes (self->connection);
    }

  /* What was done meanwhile has been looked at. */
  if (self->active)
    g_queue_unlink (&self->driver->active, &self->active_link);
  self->active = FALSE;
  if (more || seqex_delivery_is_due (self))
    {
      self->driver->ready = TRUE;
      seqex_dialogue_activate (self);
    }
  set_unheard (self, seqex_delivery_is_unheard (self));
  /* Its address was told to the peer, or its end to the program: there may be nobody left. */
  seqex_connection_settle (self->connection);
  hold (self, self->active || is_busy (self));
  return n;
}

void
seqex_dialogue_fail (SeqexDialogue *self,
                     GError        *failure)
{
  SEQEX_NOTE (STATE, "%p: fails: %s", self->connection, failure->message);

  self->driver->ready = TRUE;
  seqex_dialogue_activate (self);
  /* Nobody minds a transport that goes after the end. */
  if (self->closed || self->failure != NULL)
    {
      g_error_free (failure);
      return;
    }

  self->failure = failure;
  if (self->core != NULL)
    sqx_conn_abort (self->core, seqex_driver_time (self->driver), SQX_CLOSE_INTERNAL_ERROR, NULL);
  else
    self->closed = TRUE;
}

void
seqex_dialogue_close (SeqexDialogue *self)
{
  self->is_closing = TRUE;
  seqex_pipes_pump (self);
  if (self->core != NULL)
    sqx_conn_close (self->core, seqex_driver_time (self->driver), SQX_CLOSE_NO_ERROR, NULL);
  seqex_dialogue_mark_ready (self);
}

void
seqex_dialogue_dispose (SeqexDialogue *self)
{
  if (self->disposed)
    return;

  self->disposed = TRUE;
  set_unheard (self, FALSE);
  if (self->active)
    g_queue_unlink (&self->driver->active, &self->active_link);
  self->active = FALSE;
  g_queue_unlink (&self->driver->all, &self->all_link);

  /* Every wait refers to the connection, so there are only some if somebody insists on dispose. */
  if (self->core != NULL)
    {
      g_autoptr (GError) error = seqex_dialogue_error (self, SQX_ERR_CLOSED, 0);

      seqex_waits_clear (self, error);
    }
  seqex_delivery_clear (self);
  g_clear_pointer (&self->core, sqx_conn_free);
  self->ports->next = NULL;
  self->next_port = NULL;
  self->closed = TRUE;
  seqex_driver_release (self->driver);
  if (self->held)
    {
      self->held = FALSE;
      g_object_unref (self->connection);
    }
}

void
seqex_dialogue_clear (SeqexDialogue *self)
{
  g_clear_error (&self->failure);
  g_clear_pointer (&self->driver, seqex_driver_unref);
}

SeqexPort *
seqex_dialogue_get_port (SeqexDialogue *self,
                         guint          channel)
{
  for (SeqexPort *port = self->ports->next; port != NULL; port = port->next)
    if (port->channel == channel)
      return port;
  return self->ports;
}

GError *
seqex_dialogue_error (SeqexDialogue *self,
                      sqx_result     result,
                      gsize          payload_size)
{
  guint64 limit;

  switch (result)
    {
    case SQX_ERR_TOO_LARGE:
      limit = self->core != NULL ? sqx_conn_peer_max_message_size (self->core) : 0;
      return seqex_error_too_large (payload_size, limit != 0 ? limit : SQX_MESSAGE_MAX_MAX);

    case SQX_ERR_QUEUE_FULL:
      return g_error_new (G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                          "%" G_GUINT64_FORMAT " bytes wait to be sent, the limit is "
                          "%" G_GUINT64_FORMAT " bytes",
                          seqex_connection_get_queued_bytes (self->connection),
                          seqex_connection_get_max_queued_bytes (self->connection));

    default:
      return seqex_error_from_result (result, self->failure);
    }
}
