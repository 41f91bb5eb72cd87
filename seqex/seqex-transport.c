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
#define READ_LIMIT 64u /* datagrams */
#define SEND_LIMIT 128u

/* Datagrams in one system call, and the memory for them, which is only held while it is used. */
#define BATCH_DATAGRAMS 32u
#define BATCH_BYTES     65536u

/* Errors of reading, one after another without a datagram in between, until the transport counts as
 * broken. An error that stays would otherwise keep the source ready for ever. */
#define READ_ERRORS_MAX 16u

/* A transport that says it is writable, refuses, and says so again, is asked by the clock. */
#define REFUSALS_MAX  4u
#define REFUSAL_DELAY (10 * SQX_MILLISECOND)

/* What is tried next when the transport calls a datagram too long: half the largest, jumbo frames,
 * Ethernet with IPv4 and IPv6, what every path carries, and the least that works. */
static const guint datagram_sizes[] = {
  32768, 16384, 8952, 4096, 1472, 1452, SQX_DATAGRAM_DEFAULT, SQX_DATAGRAM_MIN,
};

/* Datagrams that the core has given out and the transport has not taken. */
struct _SeqexBatch
{
  guint           first;
  guint           count;
  gsize           sizes[BATCH_DATAGRAMS];
  sqx_address     to[BATCH_DATAGRAMS];
  GSocketAddress *addresses[BATCH_DATAGRAMS]; /* owned; NULL: the transport is connected */
  guint8          data[]; /* one slot of max_datagram_size for each */
};

static guint
datagrams_in_batch (gsize slot_size)
{
  return CLAMP (BATCH_BYTES / slot_size, 1, BATCH_DATAGRAMS);
}

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
  sqx_endpoint_handle_unreachable (self->core, seqex_driver_now (), to);
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
take_datagrams (SeqexDriver     *self,
                GInputMessage   *messages,
                GSocketAddress **addresses,
                guint            n)
{
  guint64 now = seqex_driver_now ();
  sqx_address from = { .host_size = 0 };

  for (guint i = 0; i < n; i++)
    {
      guint8 *data = messages[i].vectors[0].buffer;
      gsize size = messages[i].bytes_received;

      /* A socket gives the same object again and again. */
      if (self->addressed && (i == 0 || addresses[i] != addresses[i - 1]))
        seqex_address_from_gio (&from, addresses[i]);
      if (self->addressed && from.host_size == 0)
        continue;
      if (sqx_endpoint_handle_datagram (self->core, now, &from, data, size))
        continue;
      self->n_foreign++;
      if (self->owner != NULL && addresses[i] != NULL)
        self->funcs->foreign (self->owner, addresses[i], data, size);
    }
}

static int
receive (SeqexDriver     *self,
         GInputMessage   *messages,
         GSocketAddress **addresses,
         guint            n_slots,
         GError         **error)
{
  int n;

  for (guint i = 0; i < n_slots; i++)
    {
      addresses[i] = NULL;
      messages[i].address = self->addressed ? &addresses[i] : NULL;
    }
  n = g_datagram_based_receive_messages (self->transport, messages, n_slots, 0, 0, NULL, error);
  if (n == 0)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "It was closed");
  return n;
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
                      GIOCondition  condition)
{
  /* One byte more, so that the core sees what is too long. */
  gsize slot_size = self->max_datagram_size + 1;
  guint n_slots = datagrams_in_batch (slot_size);
  g_autofree guint8 *data = g_malloc (n_slots * slot_size);
  GInputVector vectors[BATCH_DATAGRAMS];
  GInputMessage messages[BATCH_DATAGRAMS] = { 0 };
  GSocketAddress *addresses[BATCH_DATAGRAMS];
  guint n_read = 0;

  if ((condition & G_IO_ERR) && self->addressed && G_IS_SOCKET (self->transport))
    read_refusals (self);

  for (guint i = 0; i < n_slots; i++)
    {
      vectors[i].buffer = data + i * slot_size;
      vectors[i].size = slot_size;
      messages[i].vectors = &vectors[i];
      messages[i].num_vectors = 1;
    }

  while (n_read < READ_LIMIT && self->transport != NULL)
    {
      g_autoptr (GError) error = NULL;
      int n = receive (self, messages, addresses, n_slots, &error);

      if (error != NULL)
        {
          read_failed (self, error);
          return;
        }
      take_datagrams (self, messages, addresses, n);
      for (int i = 0; i < n; i++)
        g_clear_object (&addresses[i]);
      self->read_errors = 0;
      n_read += n;
      if ((guint) n < n_slots)
        return;
    }
}

/* Writing ------------------------------------------------------------------------------- */

/* The core sends what was lost again, in datagrams that fit. */
static void
shrink_datagrams (SeqexDriver *self,
                  gsize        refused_size)
{
  for (guint i = 0; i < G_N_ELEMENTS (datagram_sizes); i++)
    if (datagram_sizes[i] < refused_size && datagram_sizes[i] >= self->least_size)
      {
        self->datagram_size = MIN (self->datagram_size, datagram_sizes[i]);
        return;
      }
}

static void
drop_addresses (SeqexBatch *batch)
{
  for (guint i = 0; i < batch->count; i++)
    g_clear_object (&batch->addresses[i]);
}

void
seqex_transport_drop_batch (SeqexDriver *self)
{
  if (self->batch != NULL)
    drop_addresses (self->batch);
  g_clear_pointer (&self->batch, g_free);
}

/* A datagram is not going to be sent: too long for the route, forbidden, no memory … It is lost,
 * and the core deals with that. */
static void
lose_datagram (SeqexDriver *self,
               GError      *error)
{
  SeqexBatch *batch = self->batch;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    shrink_datagrams (self, batch->sizes[batch->first]);
  self->send_errors++;
  g_clear_error (&self->send_error);
  self->send_error = error;
  self->send_error_to = batch->to[batch->first];
  batch->first++;
}

/* Waits for the transport to take what it has refused. */
static void
wait_writable (SeqexDriver *self)
{
  if (++self->refusals <= REFUSALS_MAX)
    self->writable = seqex_driver_watch (self, G_IO_OUT);
  else
    self->retry = seqex_driver_now () + REFUSAL_DELAY;
}

static gboolean
offer_batch (SeqexDriver *self)
{
  SeqexBatch *batch = self->batch;
  GOutputVector vectors[BATCH_DATAGRAMS];
  GOutputMessage messages[BATCH_DATAGRAMS] = { 0 };
  gboolean tried_again = FALSE;

  for (guint i = batch->first; i < batch->count; i++)
    {
      vectors[i].buffer = batch->data + i * self->max_datagram_size;
      vectors[i].size = batch->sizes[i];
      messages[i].address = batch->addresses[i];
      messages[i].vectors = &vectors[i];
      messages[i].num_vectors = 1;
    }

  while (batch->first < batch->count)
    {
      g_autoptr (GError) error = NULL;
      int n = g_datagram_based_send_messages (self->transport, messages + batch->first,
                                              batch->count - batch->first, 0, 0, NULL, &error);

      if (n > 0)
        {
          batch->first += n;
          g_clear_error (&self->send_error);
          self->refusals = 0;
          tried_again = FALSE;
          continue;
        }
      if (n == 0 || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        {
          wait_writable (self);
          return FALSE;
        }

      SEQEX_NOTE (TRANSPORT, "%p: cannot send %zu bytes: %s", self, batch->sizes[batch->first],
                  error->message);
      if (is_final (error))
        {
          lose_transport (self, error);
          return FALSE;
        }
      /* This is how a socket tells what became of an earlier datagram. */
      if (is_unreachable (error) && !tried_again)
        {
          if (!self->addressed)
            tell_unreachable (self, &batch->to[batch->first], error);
          tried_again = TRUE;
          continue;
        }
      if (is_unreachable (error))
        tell_unreachable (self, &batch->to[batch->first], error);

      lose_datagram (self, g_steal_pointer (&error));
      tried_again = FALSE;
    }
  return TRUE;
}

static gboolean
fill_batch (SeqexDriver *self)
{
  guint n_slots = datagrams_in_batch (self->max_datagram_size);
  SeqexBatch *batch = self->batch;
  guint64 now = seqex_driver_now ();

  if (batch == NULL)
    {
      self->batch = batch = g_malloc (sizeof *batch + n_slots * self->max_datagram_size);
      batch->count = 0;
    }

  drop_addresses (batch);
  batch->first = 0;
  for (batch->count = 0; batch->count < n_slots; batch->count++)
    {
      guint8 *slot = batch->data + batch->count * self->max_datagram_size;
      sqx_address *to = &batch->to[batch->count];
      gsize size = sqx_endpoint_poll_transmit (self->core, now, to, slot, self->datagram_size);

      if (size == 0)
        break;
      batch->sizes[batch->count] = size;
      batch->addresses[batch->count] = NULL;
      if (self->addressed && to->host_size > 0)
        batch->addresses[batch->count] =
          seqex_address_cache_get (&self->addresses, to, sqx_endpoint_n_connections (self->core));
    }
  return batch->count > 0;
}

void
seqex_transport_write (SeqexDriver *self)
{
  guint n_sent = 0;

  if (self->writable != NULL || self->retry != SQX_TIME_NEVER)
    return;

  while (self->core != NULL)
    {
      if (self->batch == NULL || self->batch->first == self->batch->count)
        {
          if (n_sent >= SEND_LIMIT)
            {
              self->ready = TRUE;
              break;
            }
          if (!fill_batch (self))
            break;
          n_sent += self->batch->count;
        }
      /* Without a transport everything is lost, but the core ends in good order. */
      if (self->transport == NULL)
        self->batch->first = self->batch->count;
      else if (!offer_batch (self))
        return;
    }
  seqex_transport_drop_batch (self);
}
