/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-driver-private.h"

#include "seqex-connection-private.h"
#include "seqex-debug-private.h"
#include "seqex-error-private.h"

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
  guint  first;
  guint  count;
  gsize  sizes[BATCH_DATAGRAMS];
  guint8 data[]; /* one slot of max_datagram_size for each */
};

typedef struct
{
  GSource      source;
  SeqexDriver *driver; /* unowned: it destroys the source */
} WakeSource;

guint64
seqex_driver_now (void)
{
  return (guint64) g_get_monotonic_time ();
}

gboolean
seqex_driver_check_thread (SeqexDriver *self,
                           const char  *function)
{
  if (G_LIKELY (self->thread == g_thread_self ()) || g_main_context_is_owner (self->context))
    return TRUE;

  g_critical ("%s() was called from another thread than that of the connection. Call it in the "
              "connection's thread, from an idle source attached to its main context.", function);
  return FALSE;
}

/* Sources ------------------------------------------------------------------------------- */

static guint
datagrams_in_batch (gsize slot_size)
{
  return CLAMP (BATCH_BYTES / slot_size, 1, BATCH_DATAGRAMS);
}

/* The ready time is left alone when it is too early: such a wake does nothing, and comes once,
 * while every change of it wakes the context. */
static void
arm (SeqexDriver *self,
     guint64      now)
{
  guint64 when = MIN (seqex_waits_next (self), self->retry);

  if (self->core != NULL)
    when = MIN (when, sqx_conn_next_timeout (self->core));

  if (self->disposed || when == self->armed || (when > self->armed && self->armed > now))
    return;

  self->armed = when;
  g_source_set_ready_time (self->wake, when == SQX_TIME_NEVER ? -1 : (gint64) when);
}

static void
hold (SeqexDriver *self,
      gboolean     held)
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
is_busy (SeqexDriver *self)
{
  if (self->core == NULL || self->unheard)
    return FALSE;
  return sqx_conn_is_busy (self->core) || sqx_conn_state (self->core) == SQX_STATE_CLOSING
         || sqx_conn_next_timeout (self->core) <= seqex_driver_now () + SQX_ACK_DELAY_DEFAULT;
}

void
seqex_driver_mark_ready (SeqexDriver *self)
{
  GSource *current = g_main_current_source ();

  if (self->disposed)
    return;
  hold (self, TRUE);
  if (self->ready)
    return;

  self->ready = TRUE;
  /* Inside a dispatch of the context its sources are looked at again before it sleeps. */
  if (current == NULL || g_source_get_context (current) != self->context)
    {
      self->armed = 0;
      g_source_set_ready_time (self->wake, 0);
    }
}

static void
free_mail (SeqexMail *mail)
{
  g_clear_pointer (&mail->wait, seqex_wait_unref);
  g_clear_object (&mail->connection);
  g_free (mail);
}

static SeqexMail *
take_mail (SeqexDriver *self)
{
  SeqexMail *head, *oldest = NULL;

  do
    head = g_atomic_pointer_get (&self->mail);
  while (head != NULL && !g_atomic_pointer_compare_and_exchange (&self->mail, head, NULL));

  while (head != NULL)
    {
      SeqexMail *next = head->next;

      head->next = oldest;
      oldest = head;
      head = next;
    }
  return oldest;
}

static void
discard_mail (SeqexDriver *self)
{
  SeqexMail *mail = take_mail (self);

  while (mail != NULL)
    {
      SeqexMail *next = mail->next;

      free_mail (mail);
      mail = next;
    }
}

void
seqex_driver_post (SeqexDriver *self,
                   SeqexMail   *mail)
{
  do
    mail->next = g_atomic_pointer_get (&self->mail);
  while (!g_atomic_pointer_compare_and_exchange (&self->mail, mail->next, mail));

  /* Nobody reads it any more, or somebody is about to. */
  if (g_source_is_destroyed (self->wake))
    discard_mail (self);
  else
    g_main_context_wakeup (self->context);
}

static void
read_mail (SeqexDriver *self)
{
  SeqexMail *mail = take_mail (self);

  while (mail != NULL)
    {
      SeqexMail *next = mail->next;

      if (mail->wait == NULL)
        {
          seqex_delivery_forget (self, &mail->dropped);
          if (self->core != NULL)
            sqx_conn_end (self->core, seqex_driver_now (), &mail->dropped, SQX_END_ENDED);
        }
      /* Else it may have ended in the meantime. */
      else if (mail->wait->queue != NULL && mail->wait->queue != &self->done)
        seqex_wait_abandon (mail->wait, g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                                     "The operation was cancelled"));
      free_mail (mail);
      mail = next;
    }
}

/* The transport ------------------------------------------------------------------------- */

static void
close_transport (SeqexDriver *self)
{
  if (self->readable != NULL)
    g_source_destroy (self->readable);
  g_clear_pointer (&self->readable, g_source_unref);
  if (self->writable != NULL)
    g_source_destroy (self->writable);
  g_clear_pointer (&self->writable, g_source_unref);

  g_clear_pointer (&self->batch, g_free);
  g_clear_object (&self->transport);
  self->retry = SQX_TIME_NEVER;
}

void
seqex_driver_fail (SeqexDriver *self,
                   GError      *failure)
{
  SEQEX_NOTE (STATE, "%p: fails: %s", self->connection, failure->message);

  close_transport (self);
  self->ready = TRUE;
  /* Nobody minds a transport that goes after the end. */
  if (self->closed || self->failure != NULL)
    {
      g_error_free (failure);
      return;
    }

  self->failure = failure;
  if (self->core != NULL)
    sqx_conn_abort (self->core, seqex_driver_now (), SQX_CLOSE_INTERNAL_ERROR, NULL);
  else
    self->closed = TRUE;
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
read_failed (SeqexDriver *self,
             GError      *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return;

  SEQEX_NOTE (TRANSPORT, "%p: cannot receive: %s", self->connection, error->message);
  if (is_unreachable (error))
    sqx_conn_handle_unreachable (self->core, seqex_driver_now ());
  else if (is_final (error) || ++self->read_errors == READ_ERRORS_MAX)
    lose_transport (self, error);
}

static void
read_datagrams (SeqexDriver *self)
{
  /* One byte more, so that the core sees what is too long. */
  gsize slot_size = self->max_datagram_size + 1;
  guint n_slots = datagrams_in_batch (slot_size);
  g_autofree guint8 *data = g_malloc (n_slots * slot_size);
  GInputVector vectors[BATCH_DATAGRAMS];
  GInputMessage messages[BATCH_DATAGRAMS] = { 0 };
  guint n_read = 0;

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
      int n = g_datagram_based_receive_messages (self->transport, messages, n_slots, 0, 0, NULL,
                                                 &error);
      guint64 now = seqex_driver_now ();

      if (n == 0)
        error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "It was closed");
      if (error != NULL)
        {
          read_failed (self, error);
          return;
        }

      for (int i = 0; i < n; i++)
        sqx_conn_handle_datagram (self->core, now, vectors[i].buffer, messages[i].bytes_received);
      self->read_errors = 0;
      n_read += n;
      if ((guint) n < n_slots)
        return;
    }
}

/* The core sends what was lost again, in datagrams that fit. */
static void
shrink_datagrams (SeqexDriver *self,
                  gsize        refused_size)
{
  for (guint i = 0; i < G_N_ELEMENTS (datagram_sizes); i++)
    if (datagram_sizes[i] < refused_size)
      {
        self->datagram_size = MIN (self->datagram_size, datagram_sizes[i]);
        return;
      }
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
  batch->first++;
}

/* Waits for the transport to take what it has refused. */
static void
wait_writable (SeqexDriver *self);

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

      SEQEX_NOTE (TRANSPORT, "%p: cannot send %zu bytes: %s", self->connection,
                  batch->sizes[batch->first], error->message);
      if (is_final (error))
        {
          lose_transport (self, error);
          return FALSE;
        }
      if (is_unreachable (error))
        {
          sqx_conn_handle_unreachable (self->core, seqex_driver_now ());
          /* This is how the socket tells what became of an earlier datagram. */
          if (!tried_again)
            {
              tried_again = TRUE;
              continue;
            }
        }

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
    self->batch = batch = g_malloc (sizeof *batch + n_slots * self->max_datagram_size);

  batch->first = 0;
  for (batch->count = 0; batch->count < n_slots; batch->count++)
    {
      guint8 *slot = batch->data + batch->count * self->max_datagram_size;
      gsize size = sqx_conn_poll_transmit (self->core, now, slot, self->datagram_size);

      if (size == 0)
        break;
      batch->sizes[batch->count] = size;
    }
  return batch->count > 0;
}

static void
transmit (SeqexDriver *self)
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
  g_clear_pointer (&self->batch, g_free);
}

/* Wakes --------------------------------------------------------------------------------- */

static void
finish_core (SeqexDriver *self)
{
  /* Nothing is read or sent any more; the core stays for what the program has not taken yet. */
  if (self->core != NULL && sqx_conn_state (self->core) == SQX_STATE_CLOSED)
    close_transport (self);
}

/* Steps 4 to 6. */
static void
send_and_collect (SeqexDriver *self)
{
  transmit (self);
  if (self->core != NULL && seqex_delivery_collect (self))
    self->ready = TRUE;
  finish_core (self);
  arm (self, seqex_driver_now ());
}

static void
wake (SeqexDriver *self,
      gboolean     readable)
{
  g_autoptr (SeqexConnection) connection = g_object_ref (self->connection);
  guint64 now;

  self->serial++;
  self->ready = FALSE;
  read_mail (self);
  if (self->core != NULL)
    {
      if (readable && self->transport != NULL)
        read_datagrams (self);

      now = seqex_driver_now ();
      seqex_waits_expire (self, now);
      if (now >= sqx_conn_next_timeout (self->core))
        sqx_conn_handle_timeout (self->core, now);
      if (self->retry <= now)
        self->retry = SQX_TIME_NEVER;
    }
  send_and_collect (self);

  seqex_delivery_run (self);

  if (self->ready && !self->disposed)
    {
      self->ready = FALSE;
      send_and_collect (self);
      if (seqex_delivery_is_due (self))
        self->ready = TRUE;
      seqex_connection_notify_changes (self->connection);
    }
  hold (self, self->ready || is_busy (self));
  SEQEX_NOTE (WAKE, "%p: woken by %s, %s", connection, readable ? "the transport" : "itself",
              self->ready ? "and again at once" : "done");
}

static gboolean
readable_cb (GDatagramBased *transport,
             GIOCondition    condition,
             gpointer        user_data)
{
  wake (user_data, TRUE);
  return G_SOURCE_CONTINUE;
}

static gboolean
writable_cb (GDatagramBased *transport,
             GIOCondition    condition,
             gpointer        user_data)
{
  SeqexDriver *self = user_data;

  g_source_destroy (self->writable);
  g_clear_pointer (&self->writable, g_source_unref);
  wake (self, FALSE);
  return G_SOURCE_REMOVE;
}

static GSource *
watch_transport (SeqexDriver             *self,
                 GIOCondition             condition,
                 GDatagramBasedSourceFunc callback,
                 const char              *name)
{
  GSource *source = g_datagram_based_create_source (self->transport, condition, NULL);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, G_SOURCE_FUNC (callback), self, NULL);
  /* A handler may run a nested main loop, which needs the connection to go on. */
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, self->context);
  return source;
}

static void
wait_writable (SeqexDriver *self)
{
  if (++self->refusals <= REFUSALS_MAX)
    self->writable = watch_transport (self, G_IO_OUT, writable_cb, "[seqex] writable");
  else
    self->retry = seqex_driver_now () + REFUSAL_DELAY;
}

static gboolean
is_pending (GSource *source)
{
  SeqexDriver *self = ((WakeSource *) source)->driver;

  return self->ready || g_atomic_pointer_get (&self->mail) != NULL
         || (self->unheard && seqex_delivery_is_due (self));
}

static gboolean
prepare_wake (GSource *source,
              int     *timeout)
{
  *timeout = -1;
  return is_pending (source);
}

static gboolean
dispatch_wake (GSource     *source,
               GSourceFunc  callback,
               gpointer     user_data)
{
  wake (((WakeSource *) source)->driver, FALSE);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs wake_funcs = {
  .prepare  = prepare_wake,
  .check    = is_pending,
  .dispatch = dispatch_wake,
};

/* Life ---------------------------------------------------------------------------------- */

SeqexDriver *
seqex_driver_new (SeqexConnection *connection)
{
  SeqexDriver *self = g_new0 (SeqexDriver, 1);

  self->connection = connection;
  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  self->armed = SQX_TIME_NEVER;
  self->retry = SQX_TIME_NEVER;
  self->deadlines = g_sequence_new (NULL);
  self->ports = g_ptr_array_new ();

  self->wake = g_source_new (&wake_funcs, sizeof (WakeSource));
  ((WakeSource *) self->wake)->driver = self;
  g_source_set_static_name (self->wake, "[seqex] wake");
  g_source_set_can_recurse (self->wake, TRUE);
  g_source_attach (self->wake, self->context);
  return self;
}

void
seqex_driver_start (SeqexDriver      *self,
                    GDatagramBased   *transport,
                    const sqx_config *config)
{
  self->core = sqx_conn_new (config, seqex_driver_now ());
  if (self->core == NULL)
    {
      seqex_driver_fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                                    "A parameter of the connection is not valid"));
      return;
    }

  self->transport = g_object_ref (transport);
  self->max_datagram_size = self->datagram_size = config->max_datagram_size;
  self->readable = watch_transport (self, G_IO_IN, readable_cb, "[seqex] readable");
}

void
seqex_driver_dispose (SeqexDriver *self)
{
  self->disposed = TRUE;
  close_transport (self);
  g_source_destroy (self->wake);

  /* Every wait refers to the connection, so there are only some if somebody insists on dispose. */
  if (self->core != NULL)
    {
      g_autoptr (GError) error = seqex_driver_error (self, SQX_ERR_CLOSED, 0);

      seqex_waits_clear (self, error);
    }
  g_clear_pointer (&self->core, sqx_conn_free);
  seqex_delivery_clear (self);
  discard_mail (self);
  g_ptr_array_set_size (self->ports, 0);
  self->closed = TRUE;
  hold (self, FALSE);
}

void
seqex_driver_free (SeqexDriver *self)
{
  g_source_unref (self->wake);
  g_clear_error (&self->failure);
  g_clear_error (&self->send_error);
  g_sequence_free (self->deadlines);
  g_ptr_array_unref (self->ports);
  g_main_context_unref (self->context);
  g_free (self);
}

GTask *
seqex_driver_new_task (SeqexDriver         *self,
                       gpointer             source_object,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  GTask *task;

  /* So that the callback comes on the connection's context, whatever the caller's is. */
  g_main_context_push_thread_default (self->context);
  task = g_task_new (source_object, cancellable, callback, user_data);
  g_main_context_pop_thread_default (self->context);
  /* An outcome that is there counts, a received message above all. */
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

SeqexPort *
seqex_driver_get_port (SeqexDriver *self,
                       guint        channel)
{
  for (guint i = 1; i < self->ports->len; i++)
    {
      SeqexPort *port = g_ptr_array_index (self->ports, i);

      if (port->channel == channel)
        return port;
    }
  return g_ptr_array_index (self->ports, 0);
}

GError *
seqex_driver_error (SeqexDriver *self,
                    sqx_result   result,
                    gsize        payload_size)
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
