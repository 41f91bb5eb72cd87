/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From the core to the program: outcomes of operations, messages, datagrams, the end.
 */
#include "config.h"

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-dialogue-private.h"
#include "seqex-error-private.h"
#include "seqex-message-private.h"
#include "seqex-pipe-private.h"
#include "seqex-stream.h"

/* What is moved out of the core at a time. What is left waits there, where it is bounded. */
#define COLLECT_LIMIT 128u

/* From the core to the queues ------------------------------------------------------------ */

static void
take_cancelled (SeqexDialogue *self,
                SeqexMessage  *message)
{
  g_queue_push_tail (&self->cancelled, g_object_ref (message));
  seqex_message_forget (message);
}

/* Few are open at a time, and the one that is cancelled is mostly old. */
static void
take_cancel (SeqexDialogue        *self,
             const sqx_message_id *id)
{
  for (GList *link = self->taken.head; link != NULL; link = link->next)
    {
      const sqx_message_id *other = seqex_message_get_id (link->data);

      if (other->number == id->number && other->channel == id->channel
          && other->incarnation == id->incarnation)
        {
          take_cancelled (self, link->data);
          return;
        }
    }
}

static gboolean
is_closing (SeqexDialogue *self)
{
  return self->is_closing || self->closing.length > 0;
}

/* No wait: the program does not want to know. */
static void
take_end (SeqexDialogue  *self,
          SeqexWait      *wait,
          sqx_end_reason  reason)
{
  if (reason == SQX_END_CLOSING)
    self->undelivered += is_closing (self);
  if (wait == NULL)
    return;
  if (wait->kind == SEQEX_WAIT_DELIVERY && reason == SQX_END_ENDED)
    seqex_wait_resolve (wait, NULL, NULL);
  else
    seqex_wait_resolve (wait, NULL, seqex_error_from_end (reason));
}

static void
take_failure (SeqexDialogue *self,
              SeqexWait   *wait,
              sqx_result   failure)
{
  self->undelivered += is_closing (self);
  if (wait == NULL)
    return;
  /* Made an error when it is told: by then it may be known why the connection failed. */
  wait->failure = failure;
  seqex_wait_resolve (wait, NULL, NULL);
}

/* What the transport said last of datagrams to this peer. */
static const GError *
get_send_error (SeqexDialogue *self)
{
  SeqexDriver *driver = self->driver;

  if (driver->send_error != NULL
      && sqx_address_equal (&driver->send_error_to, &self->address))
    return driver->send_error;
  return NULL;
}

static void
take_stream (SeqexDialogue   *self,
             const sqx_event *event)
{
  if (event->opened)
    g_queue_push_tail (&self->opened, seqex_pipe_new_stream (self, event->stream));
  if (event->stream != NULL)
    seqex_pipe_pump (sqx_stream_user_data (event->stream));
  else
    seqex_stream_open_waiting (self);
}

static void
take_event (SeqexDialogue *self,
            sqx_event   *event)
{
  SeqexWait *wait = event->tag;

  switch (event->type)
    {
    case SQX_EVENT_REPLY:
      if (event->message.flags & SQX_MESSAGE_FINAL)
        seqex_wait_resolve_final (wait, &event->message);
      else
        seqex_wait_resolve (wait, seqex_message_new (self->connection, &event->message,
                                                     wait->position + 1), NULL);
      break;

    case SQX_EVENT_END:
      take_end (self, wait, event->reason);
      break;

    case SQX_EVENT_FAILED:
      take_failure (self, wait, event->error);
      break;

    case SQX_EVENT_CANCELLED:
      take_cancel (self, &event->id);
      break;

    case SQX_EVENT_DATAGRAM:
      g_queue_push_tail (&self->datagrams, seqex_message_bytes (&event->message));
      break;

    case SQX_EVENT_RESTARTED:
      /* The peer knows nothing any more of what it had sent. */
      while (self->taken.length > 0)
        take_cancelled (self, g_queue_peek_head (&self->taken));
      break;

    case SQX_EVENT_CLOSED:
      self->closed = TRUE;
      if (self->failure == NULL)
        self->failure = seqex_error_from_closed (event, get_send_error (self));
      SEQEX_NOTE (STATE, "%p: closed: %s", self->connection,
                  self->failure != NULL ? self->failure->message : "in good order");
      seqex_stream_open_waiting (self);
      break;

    case SQX_EVENT_RECONNECTING:
      self->lost = TRUE;
      break;

    case SQX_EVENT_STREAM:
      take_stream (self, event);
      break;

    case SQX_EVENT_CONNECTED:
    case SQX_EVENT_MESSAGE:
    case SQX_EVENT_WRITABLE:
    case SQX_EVENT_AUTHORIZE:
    case SQX_EVENT_MOVED:
      /* The core's getters are looked at in every wake. */
      break;
    }
}

gboolean
seqex_delivery_collect (SeqexDialogue *self)
{
  sqx_event event;

  for (guint n = self->done.length + self->cancelled.length + self->datagrams.length;
       n < COLLECT_LIMIT; n++)
    {
      if (!sqx_conn_poll_event (self->core, &event))
        return FALSE;
      take_event (self, &event);
    }
  return TRUE;
}

/* From the queues to the program --------------------------------------------------------- */

static gboolean
has_message (SeqexDialogue *self,
             SeqexPort   *port)
{
  return self->core != NULL && sqx_conn_has_message (self->core, port->channel);
}

static gboolean
is_heard (SeqexPort *port)
{
  return port->waits.length > 0
         || g_signal_has_handler_pending (port->object, port->signal_id, 0, FALSE);
}

static void
emit_message (SeqexPort    *port,
              SeqexMessage *message)
{
  g_autoptr (GObject) object = g_object_ref (port->object);
  gboolean taken = FALSE;

  g_signal_emit (object, port->signal_id, 0, message, &taken);
  if (!taken)
    seqex_message_end (message);
}

static gboolean
hand_over_from (SeqexDialogue *self,
                SeqexPort   *port)
{
  SeqexWait *wait = g_queue_peek_head (&port->waits);
  SeqexMessage *message;
  sqx_message received;

  if (!has_message (self, port) || !is_heard (port))
    return FALSE;
  if (!sqx_conn_receive (self->core, seqex_driver_time (self->driver), port->channel, &received))
    return FALSE;

  /* Credit, and the end of a final message, are to be sent. */
  self->driver->unsent = TRUE;
  message = seqex_message_new (self->connection, &received, 0);
  SEQEX_NOTE (MESSAGE, "%p: channel %u: hands over message %" G_GUINT64_FORMAT ", %zu bytes",
              self->connection, received.id.channel, received.id.number, received.size);
  if (wait != NULL)
    {
      wait->outcome = G_OBJECT (message);
      seqex_wait_return (wait);
    }
  else
    {
      emit_message (port, message);
      seqex_message_drop (message);
    }
  return TRUE;
}

/* One message, of each port in turn. */
static gboolean
hand_over (SeqexDialogue *self)
{
  SeqexPort *first = self->next_port != NULL ? self->next_port : self->ports;
  SeqexPort *port = first;

  do
    {
      SeqexPort *next = port->next != NULL ? port->next : self->ports;

      if (hand_over_from (self, port))
        {
          /* Unless the program has disposed the connection. */
          self->next_port = self->disposed ? NULL : next;
          return TRUE;
        }
      port = next;
    }
  while (port != first);
  return FALSE;
}

/* A call of receive that will get nothing any more. */
static SeqexWait *
find_vain_receive (SeqexDialogue *self)
{
  if (!self->closed)
    return NULL;

  for (SeqexPort *port = self->ports; port != NULL; port = port->next)
    if (port->waits.length > 0 && !has_message (self, port))
      return g_queue_peek_head (&port->waits);
  return NULL;
}

/* A call of close whose purpose is reached: the peer knows, or was told for long enough. */
static SeqexWait *
find_finished_close (SeqexDialogue *self)
{
  if (!self->told_closed
      || (self->core != NULL && sqx_conn_state (self->core) < SQX_STATE_DRAINING))
    return NULL;
  return g_queue_peek_head (&self->closing);
}

/* A stream of the peer, and somebody who wants it. */
static gboolean
has_stream (SeqexDialogue *self)
{
  return self->opened.length > 0 && seqex_connection_hears_streams (self->connection);
}

static gboolean
finish_receive (SeqexDialogue *self)
{
  SeqexWait *wait = find_vain_receive (self);

  if (wait == NULL)
    return FALSE;
  if (self->failure != NULL)
    wait->error = g_error_copy (self->failure);
  seqex_wait_return (wait);
  return TRUE;
}

static gboolean
finish_close (SeqexDialogue *self)
{
  SeqexWait *wait = find_finished_close (self);

  if (wait == NULL)
    return FALSE;
  if (self->failure != NULL)
    wait->error = g_error_copy (self->failure);
  else if (self->undelivered > 0)
    wait->error = g_error_new (SEQEX_ERROR, SEQEX_ERROR_FAILED,
                               "Messages that were not delivered, or not answered, when the "
                               "connection was closed: %u", self->undelivered);
  seqex_wait_return (wait);
  return TRUE;
}

gboolean
seqex_delivery_deliver (SeqexDialogue *self)
{
  g_autoptr (SeqexMessage) cancelled = NULL;
  g_autoptr (GBytes) datagram = NULL;
  SeqexWait *wait = g_queue_peek_head (&self->done);

  if (wait != NULL)
    seqex_wait_return (wait);
  else if ((cancelled = g_queue_pop_head (&self->cancelled)) != NULL)
    seqex_message_set_cancelled (cancelled);
  else if ((datagram = g_queue_pop_head (&self->datagrams)) != NULL)
    seqex_connection_emit_datagram (self->connection, datagram);
  else if (hand_over (self))
    ;
  else if (has_stream (self))
    {
      g_autoptr (SeqexStream) stream = g_queue_pop_head (&self->opened);

      seqex_connection_emit_stream (self->connection, stream);
    }
  else if (self->closed && !self->told_closed && !self->disposed)
    {
      self->told_closed = TRUE;
      seqex_connection_emit_closed (self->connection, self->failure);
    }
  else
    return finish_receive (self) || finish_close (self);
  return TRUE;
}

gboolean
seqex_delivery_is_unheard (SeqexDialogue *self)
{
  for (SeqexPort *port = self->ports; port != NULL; port = port->next)
    if (has_message (self, port) && !is_heard (port))
      return TRUE;
  return self->opened.length > 0 && !has_stream (self);
}

gboolean
seqex_delivery_is_due (SeqexDialogue *self)
{
  if (self->done.length > 0 || self->cancelled.length > 0 || self->datagrams.length > 0
      || (self->closed && !self->told_closed)
      || has_stream (self) || find_vain_receive (self) != NULL || find_finished_close (self) != NULL)
    return TRUE;

  for (SeqexPort *port = self->ports; port != NULL; port = port->next)
    if (has_message (self, port) && is_heard (port))
      return TRUE;
  return FALSE;
}

void
seqex_delivery_clear (SeqexDialogue *self)
{
  while (self->taken.length > 0)
    seqex_message_forget (g_queue_peek_head (&self->taken));
  while (self->streams.length > 0)
    {
      g_autoptr (GError) error = seqex_dialogue_error (self, SQX_ERR_CLOSED, 0);

      seqex_pipe_detach (g_queue_peek_head (&self->streams), error);
    }
  g_queue_clear_full (&self->opened, g_object_unref);
  g_queue_clear_full (&self->cancelled, g_object_unref);
  g_queue_clear_full (&self->datagrams, (GDestroyNotify) g_bytes_unref);
}
