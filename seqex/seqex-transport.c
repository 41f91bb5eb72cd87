/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Datagrams between the transport of a driver and its core.
 */
#include "config.h"

#include "seqex-debug-private.h"
#include "seqex-driver-private.h"
#include "seqex-error-private.h"
#include "seqex-refusal-private.h"

/* What one wake does at most, so that the context's other sources get their turn. */
#define READ_LIMIT 64u /* buffers, each with one datagram or as many as came together */
#define SEND_LIMIT 4u  /* batches */

/* Errors of reading, one after another without a datagram in between, until the transport counts as
 * broken. An error that stays would otherwise keep the source ready for ever. */
#define READ_ERRORS_MAX 16u

/* A transport that says it is writable, refuses, and says so again, is asked by the clock. */
#define REFUSALS_MAX  4u
#define REFUSAL_DELAY (10 * SQX_MILLISECOND)
/* So is a device whose queue is full, which does not say when it is no more. */
#define FULL_DELAY    (1 * SQX_MILLISECOND)

/* Errors that do not go away. */
static gboolean
is_final (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_INITIALIZED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

/* Errors that say that nobody is there, at the moment. CONNECTION_CLOSED and NOT_CONNECTED come
 * from a Unix socket whose other end was closed. */
static gboolean
is_unreachable (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED);
}

static void
lose_transport (SeqexDriver  *self,
                const GError *error)
{
  seqex_driver_fail (self, g_error_new (SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST,
                                        "The transport failed: %s", error->message));
}

static void
tell_unreachable (SeqexDriver       *self,
                  const sqx_address *to,
                  const GError      *error)
{
  sqx_endpoint_handle_unreachable (self->core, seqex_driver_time (self), to);
  if (self->owner != NULL)
    self->funcs->unreachable (self->owner, to, error);
}

/* Reading ------------------------------------------------------------------------------- */

static void
read_failed (SeqexDriver *self,
             GError      *error)
{
  const sqx_address nowhere = { .host_size = 0 };

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return;

  SEQEX_NOTE (TRANSPORT, "%p: cannot receive: %s", self, error->message);
  /* An unconnected socket does not say who it was. */
  if (is_unreachable (error) && !self->addressed)
    tell_unreachable (self, &nowhere, error);
  else if (is_final (error) || (!is_unreachable (error) && ++self->read_errors == READ_ERRORS_MAX))
    lose_transport (self, error);
}

static void
take_datagram (SeqexDriver       *self,
               guint64            now,
               const sqx_address *from,
               guint8            *data,
               gsize              size)
{
  if (sqx_endpoint_handle_datagram (self->core, now, from, data, size))
    return;
  self->n_foreign++;
  if (self->owner != NULL && self->addressed)
    self->funcs->foreign (self->owner, from, data, size);
}

static void
take_buffer (SeqexDriver *self,
             guint64      now,
             SeqexInbox  *inbox,
             guint        i)
{
  const sqx_address nowhere = { .host_size = 0 };
  const sqx_address *from = self->addressed ? &inbox->from[i] : &nowhere;
  gsize size = inbox->sizes[i], at = 0;

  if (self->addressed && from->host_size == 0)
    return;

  /* Not even one that is empty is left out. */
  do
    {
      gsize part = MIN (size - at, inbox->segments[i]);

      take_datagram (self, now, from, inbox->data[i] + at, part);
      at += part;
    }
  while (at < size);
}

/* For transports that are no sockets. */
static guint
receive_messages (SeqexDriver *self,
                  SeqexInbox  *inbox,
                  GError     **error)
{
  GInputVector vectors[SEQEX_INBOX_BUFFERS];
  GInputMessage messages[SEQEX_INBOX_BUFFERS] = { 0 };
  GSocketAddress *addresses[SEQEX_INBOX_BUFFERS] = { NULL };
  int n;

  for (guint i = 0; i < SEQEX_INBOX_BUFFERS; i++)
    {
      vectors[i] = (GInputVector) { inbox->data[i], SEQEX_INBOX_BUFFER_SIZE };
      messages[i].vectors = &vectors[i];
      messages[i].num_vectors = 1;
      messages[i].address = self->addressed ? &addresses[i] : NULL;
    }
  n = g_datagram_based_receive_messages (self->transport, messages, SEQEX_INBOX_BUFFERS, 0, 0, NULL,
                                         error);
  if (n == 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "It was closed");
  for (int i = 0; i < n; i++)
    {
      inbox->sizes[i] = inbox->segments[i] = messages[i].bytes_received;
      if (self->addressed)
        seqex_address_from_gio (&inbox->from[i], addresses[i]);
      g_clear_object (&addresses[i]);
    }
  return (guint) MAX (n, 0);
}

/* What became of datagrams that were sent. */
static void
read_refusals (SeqexDriver *self)
{
  sqx_address to;

  for (guint i = 0; i < READ_LIMIT; i++)
    {
      g_autoptr (GError) error = NULL;

      if (!seqex_refusal_take (G_SOCKET (self->transport), &to, &error))
        return;
      if (error != NULL)
        tell_unreachable (self, &to, error);
    }
}

void
seqex_transport_read (SeqexDriver  *self,
                      GIOCondition  condition,
                      guint64       now)
{
  SeqexInbox *inbox = seqex_inbox_get ();
  guint n_read = 0, n;

  if ((condition & G_IO_ERR) && self->addressed && self->udp.socket != NULL)
    read_refusals (self);

  do
    {
      g_autoptr (GError) error = NULL;

      n = self->udp.socket != NULL ? seqex_udp_receive (&self->udp, &error)
                                   : receive_messages (self, inbox, &error);
      if (error != NULL)
        {
          read_failed (self, error);
          return;
        }
      if (n_read > 0)
        now = seqex_driver_read_clock (self);
      for (guint i = 0; i < n; i++)
        take_buffer (self, now, inbox, i);
      if (n > 0)
        self->read_errors = 0;
      n_read += n;
    }
  while (n == SEQEX_INBOX_BUFFERS && n_read < READ_LIMIT && self->transport != NULL);
}

/* Writing ------------------------------------------------------------------------------- */

void
seqex_transport_drop_batch (SeqexDriver *self)
{
  if (self->batch != NULL)
    seqex_batch_give (g_steal_pointer (&self->batch));
}

/* Datagrams are not going to be sent: too long for the route, forbidden … They are lost, and the
 * core deals with that. */
static void
lose_datagrams (SeqexDriver *self,
                GError      *error)
{
  SeqexBatch *batch = self->batch;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    sqx_endpoint_handle_too_large (self->core, seqex_driver_time (self), &batch->to[batch->first],
                                   seqex_batch_size (batch, batch->first));
  self->send_errors += batch->offered;
  g_clear_error (&self->send_error);
  self->send_error = error;
  self->send_error_to = batch->to[batch->first];
  batch->first += batch->offered;
}

/* For transports that are no sockets. */
static SeqexSent
send_messages (SeqexDriver *self,
               SeqexBatch  *batch,
               GError     **error)
{
  GSocketAddress *addresses[SEQEX_BATCH_DATAGRAMS] = { NULL };
  GOutputVector vectors[SEQEX_BATCH_DATAGRAMS];
  GOutputMessage messages[SEQEX_BATCH_DATAGRAMS] = { 0 };
  guint n_left = batch->count - batch->first;
  int n;

  for (guint i = 0, j = batch->first; i < n_left; i++, j++)
    {
      if (self->addressed && batch->to[j].host_size > 0)
        addresses[i] = seqex_address_to_gio (&batch->to[j]);
      vectors[i] = (GOutputVector) { batch->data + batch->at[j], seqex_batch_size (batch, j) };
      messages[i].address = addresses[i];
      messages[i].vectors = &vectors[i];
      messages[i].num_vectors = 1;
    }
  batch->offered = 1;
  n = g_datagram_based_send_messages (self->transport, messages, n_left, 0, 0, NULL, error);
  for (guint i = 0; i < n_left; i++)
    g_clear_object (&addresses[i]);

  if (n > 0)
    {
      batch->first += (guint) n;
      return SEQEX_SENT_SOME;
    }
  if (n == 0 || g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      g_clear_error (error);
      return SEQEX_SENT_WAIT;
    }
  return SEQEX_SENT_FAILED;
}

/* Waits for the transport to take what it has refused. */
static void
wait_for_room (SeqexDriver *self,
               gboolean     full)
{
  if (++self->refusals > REFUSALS_MAX)
    self->retry = seqex_driver_now () + REFUSAL_DELAY;
  else if (full)
    self->retry = seqex_driver_now () + FULL_DELAY;
  else
    seqex_driver_watch_writable (self);
}

/* FALSE: that was all for now. */
static gboolean
send_failed (SeqexDriver *self,
             GError      *error,
             gboolean    *tried_again)
{
  SeqexBatch *batch = self->batch;

  SEQEX_NOTE (TRANSPORT, "%p: cannot send %zu bytes: %s", self,
              seqex_batch_size (batch, batch->first), error->message);
  if (is_final (error))
    {
      lose_transport (self, error);
      g_error_free (error);
      return FALSE;
    }
  /* This is how a socket tells what became of an earlier datagram. */
  if (is_unreachable (error) && !*tried_again)
    {
      if (!self->addressed)
        tell_unreachable (self, &batch->to[batch->first], error);
      g_error_free (error);
      *tried_again = TRUE;
      return TRUE;
    }
  if (is_unreachable (error))
    tell_unreachable (self, &batch->to[batch->first], error);

  lose_datagrams (self, error);
  *tried_again = FALSE;
  return TRUE;
}

static gboolean
offer_batch (SeqexDriver *self)
{
  gboolean tried_again = FALSE;

  while (self->batch->first < self->batch->count)
    {
      guint before = self->batch->first;
      GError *error = NULL;
      SeqexSent sent = self->udp.socket != NULL ? seqex_udp_send (&self->udp, self->batch, &error)
                                                : send_messages (self, self->batch, &error);

      if (self->batch->first > before)
        {
          g_clear_error (&self->send_error);
          self->refusals = 0;
          tried_again = FALSE;
        }
      if (sent == SEQEX_SENT_FAILED && !send_failed (self, error, &tried_again))
        return FALSE;
      if (sent == SEQEX_SENT_WAIT || sent == SEQEX_SENT_FULL)
        {
          wait_for_room (self, sent == SEQEX_SENT_FULL);
          return FALSE;
        }
    }
  return TRUE;
}

/* Sets @drained if that was all. */
static gboolean
fill_batch (SeqexDriver *self,
            gboolean    *drained)
{
  SeqexBatch *batch = self->batch;
  guint64 now = seqex_driver_read_clock (self);
  gsize size = 0;

  batch->first = batch->count = batch->alone = 0;
  /* As much as may go out in one buffer, if the next one is like the last. */
  while (batch->count < SEQEX_BATCH_DATAGRAMS
         && batch->at[batch->count] + size <= SEQEX_BATCH_BYTES)
    {
      guint32 at = batch->at[batch->count];

      size = sqx_endpoint_poll_transmit (self->core, now, &batch->to[batch->count],
                                         batch->data + at, SQX_DATAGRAM_MAX);
      *drained = size == 0;
      if (size == 0)
        break;
      batch->at[++batch->count] = at + (guint32) size;
    }
  return batch->count > 0;
}

void
seqex_transport_write (SeqexDriver *self)
{
  guint64 n_errors = self->send_errors;
  gboolean drained = FALSE;
  guint n_batches = 0;

  if (self->waits_writable || self->retry != SQX_TIME_NEVER || self->core == NULL)
    return;
  if (self->batch == NULL)
    self->batch = seqex_batch_take ();

  while (self->core != NULL)
    {
      if (self->batch->first == self->batch->count)
        {
          /* Unless what was refused is to be sent in another form. */
          if (drained && self->send_errors == n_errors)
            break;
          if (n_batches++ == SEND_LIMIT)
            {
              self->ready = TRUE;
              break;
            }
          if (!fill_batch (self, &drained))
            break;
        }
      /* Without a transport everything is lost, but the core ends in good order. */
      if (self->transport == NULL)
        self->batch->first = self->batch->count;
      else if (!offer_batch (self))
        return;
    }
  seqex_transport_drop_batch (self);
}
