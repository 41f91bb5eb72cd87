/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-endpoint-private.h"
#include "seqex-error-private.h"

static void touched (SeqexWatcher *watcher);

SeqexAttempt *
seqex_attempt_new (SeqexEndpoint     *endpoint,
                   SeqexOpening      *opening,
                   const sqx_address *address)
{
  SeqexAttempt *self = g_new0 (SeqexAttempt, 1);

  self->watcher.touched = touched;
  self->endpoint = endpoint;
  self->opening = opening;
  self->address = *address;
  self->link.data = self;
  g_queue_push_tail_link (&endpoint->attempts, &self->link);
  return self;
}

void
seqex_attempt_set_core (SeqexAttempt *self,
                        sqx_conn     *core)
{
  self->core = core;
  sqx_conn_set_user_data (core, &self->watcher);
}

SeqexAttempt *
seqex_attempt_get (sqx_conn *conn)
{
  SeqexWatcher *watcher = sqx_conn_user_data (conn);

  return watcher != NULL && watcher->touched == touched ? (SeqexAttempt *) watcher : NULL;
}

void
seqex_attempt_free (SeqexAttempt *self)
{
  g_queue_unlink (&self->endpoint->attempts, &self->link);
  if (self->question != 0)
    g_hash_table_remove (self->endpoint->questions, &self->question);
  g_clear_pointer (&self->core, sqx_conn_free);
  g_clear_error (&self->refusal);
  g_clear_error (&self->unreachable);
  g_free (self);
}

sqx_conn *
seqex_attempt_steal (SeqexAttempt *self)
{
  sqx_conn *core = g_steal_pointer (&self->core);

  seqex_attempt_free (self);
  return core;
}

void
seqex_attempt_drop (SeqexAttempt *self)
{
  SeqexEndpoint *endpoint = self->endpoint;

  self->opening = NULL;
  /* A peer that has finished the handshake has a connection, too. */
  if (sqx_conn_cipher (self->core) != 0)
    sqx_conn_abort (self->core, seqex_driver_time (self->endpoint->driver), SQX_CLOSE_NO_ERROR,
                    NULL);
  if (sqx_conn_state (self->core) != SQX_STATE_CLOSING)
    seqex_attempt_free (self);
  seqex_endpoint_mark_ready (endpoint);
}

static GError *
make_error (SeqexAttempt    *self,
            const sqx_event *event)
{
  g_autofree char *address = NULL;

  if (event->error == SQX_ERR_UNTRUSTED
      || (event->by_peer && event->code == SQX_CLOSE_NOT_TRUSTED))
    return seqex_endpoint_untrusted (self->endpoint, self, event);
  if (event->error == SQX_ERR_UNREACHABLE && self->unreachable != NULL)
    return g_error_copy (self->unreachable);
  if (event->error == SQX_ERR_TIMED_OUT)
    {
      address = seqex_address_to_string (&self->address);
      return g_error_new (SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST,
                          "No answer came from %s within %u seconds", address,
                          (guint) (SQX_HANDSHAKE_DEFAULT / SQX_SECOND));
    }
  if (event->error == SQX_ERR_PEER_CLOSED && event->code == SQX_CLOSE_NO_ERROR)
    return seqex_error_from_result (SQX_ERR_PEER_CLOSED, NULL);
  return seqex_error_from_closed (event, NULL);
}

/* It is over. Its end may still be on the way to the peer. */
static void
take_closed (SeqexAttempt    *self,
             const sqx_event *event)
{
  SeqexOpening *opening = self->opening;
  GError *error;

  if (opening == NULL)
    return;
  error = make_error (self, event);
  self->opening = NULL;
  seqex_opening_failed (opening, error);
}

static void
take_connected (SeqexAttempt *self)
{
  SeqexEndpoint *endpoint = self->endpoint;
  SeqexConnection *connection;

  self->connected = TRUE;
  if (self->opening != NULL)
    {
      seqex_opening_succeeded (self->opening, self);
      return;
    }
  connection = seqex_endpoint_adopt (endpoint, seqex_attempt_steal (self), &endpoint->config,
                                     NULL);
  seqex_endpoint_announce (endpoint, connection);
  g_queue_push_tail (&endpoint->incoming, connection);
}

/* Nothing of the program runs here. */
static void
touched (SeqexWatcher *watcher)
{
  SeqexAttempt *self = (SeqexAttempt *) watcher;
  sqx_event event;

  self->endpoint->driver->ready = TRUE;
  /* The rest is for the connection that is about to be made of it. */
  if (self->connected)
    return;

  while (sqx_conn_poll_event (self->core, &event))
    switch (event.type)
      {
      case SQX_EVENT_CONNECTED:
        if (sqx_conn_state (self->core) != SQX_STATE_CONNECTED)
          break;
        take_connected (self);
        return;

      case SQX_EVENT_AUTHORIZE:
        seqex_endpoint_ask (self->endpoint, self);
        break;

      case SQX_EVENT_CLOSED:
        take_closed (self, &event);
        break;

      case SQX_EVENT_DATAGRAM:
        free (event.message.data);
        break;

      case SQX_EVENT_STREAM:
        if (event.opened)
          sqx_stream_release (self->core, seqex_driver_time (self->endpoint->driver), event.stream);
        break;

      case SQX_EVENT_MESSAGE:
      case SQX_EVENT_REPLY:
      case SQX_EVENT_END:
      case SQX_EVENT_FAILED:
      case SQX_EVENT_CANCELLED:
      case SQX_EVENT_WRITABLE:
      case SQX_EVENT_RESTARTED:
      case SQX_EVENT_RECONNECTING:
      case SQX_EVENT_MOVED:
        break;
      }
  if (sqx_conn_state (self->core) >= SQX_STATE_DRAINING)
    seqex_attempt_free (self);
}
