/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-transport.h"

#include <string.h>

static void fake_transport_datagram_based_init (GDatagramBasedInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (FakeTransport, fake_transport, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_DATAGRAM_BASED,
                                                      fake_transport_datagram_based_init))

void
fake_transport_new_pair (FakeTransport **a,
                         FakeTransport **b)
{
  *a = g_object_new (FAKE_TYPE_TRANSPORT, NULL);
  *b = g_object_new (FAKE_TYPE_TRANSPORT, NULL);
  (*a)->peer = *b;
  (*b)->peer = *a;
}

static void
fake_transport_finalize (GObject *object)
{
  FakeTransport *self = FAKE_TRANSPORT (object);

  if (self->peer != NULL)
    self->peer->peer = NULL;
  g_queue_clear_full (&self->inbox, (GDestroyNotify) g_bytes_unref);
  g_clear_pointer (&self->last_sent, g_bytes_unref);
  g_clear_error (&self->send_error);
  g_clear_error (&self->receive_error);

  G_OBJECT_CLASS (fake_transport_parent_class)->finalize (object);
}

static gboolean
fail (GError **error,
      guint   *times,
      GError  *with)
{
  if (*times == 0)
    return FALSE;

  (*times)--;
  g_propagate_error (error, g_error_copy (with));
  return TRUE;
}

static int
would_block (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK, "Would block");
  return -1;
}

static int
fake_transport_receive_messages (GDatagramBased *datagram_based,
                                 GInputMessage  *messages,
                                 guint           n_messages,
                                 int             flags,
                                 gint64          timeout,
                                 GCancellable   *cancellable,
                                 GError        **error)
{
  FakeTransport *self = FAKE_TRANSPORT (datagram_based);
  guint n;

  g_assert_cmpint (timeout, ==, 0);
  self->n_receives++;
  if (self->ended)
    return 0;
  if (fail (error, &self->receive_errors, self->receive_error))
    return -1;
  if (self->inbox.length == 0)
    return would_block (error);

  if (self->one_at_a_time > 0)
    n_messages = MIN (n_messages, self->one_at_a_time);
  for (n = 0; n < n_messages && self->inbox.length > 0; n++)
    {
      g_autoptr (GBytes) datagram = g_queue_pop_head (&self->inbox);
      gsize size;
      gconstpointer data = g_bytes_get_data (datagram, &size);

      g_assert_cmpuint (messages[n].num_vectors, ==, 1);
      messages[n].bytes_received = MIN (size, messages[n].vectors[0].size);
      if (size > 0)
        memcpy (messages[n].vectors[0].buffer, data, messages[n].bytes_received);
    }
  return n;
}

static int
fake_transport_send_messages (GDatagramBased *datagram_based,
                              GOutputMessage *messages,
                              guint           n_messages,
                              int             flags,
                              gint64          timeout,
                              GCancellable   *cancellable,
                              GError        **error)
{
  FakeTransport *self = FAKE_TRANSPORT (datagram_based);
  guint n;

  g_assert_cmpint (timeout, ==, 0);
  self->n_sends++;
  if (self->blocked)
    return would_block (error);
  if (fail (error, &self->send_errors, self->send_error))
    return -1;

  if (self->one_at_a_time > 0)
    n_messages = MIN (n_messages, self->one_at_a_time);
  for (n = 0; n < n_messages; n++)
    {
      const GOutputVector *vector = &messages[n].vectors[0];

      g_assert_cmpuint (messages[n].num_vectors, ==, 1);
      g_assert_cmpuint (vector->size, >, 0);
      if (self->max_size > 0 && vector->size > self->max_size)
        break;
      self->n_sent++;
      g_clear_pointer (&self->last_sent, g_bytes_unref);
      self->last_sent = g_bytes_new (vector->buffer, vector->size);
      if (self->peer != NULL && !self->deaf)
        g_queue_push_tail (&self->peer->inbox, g_bytes_ref (self->last_sent));
    }
  if (n > 0)
    return n;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "Message too long");
  return -1;
}

static GIOCondition
fake_transport_condition_check (GDatagramBased *datagram_based,
                                GIOCondition    condition)
{
  FakeTransport *self = FAKE_TRANSPORT (datagram_based);
  GIOCondition ready = 0;

  if (self->inbox.length > 0 || self->receive_errors > 0 || self->ended)
    ready |= G_IO_IN;
  if (!self->blocked || self->lies)
    ready |= G_IO_OUT;
  return ready & (condition | G_IO_ERR | G_IO_HUP);
}

typedef struct
{
  GSource        source;
  FakeTransport *transport;
  GIOCondition   condition;
} FakeSource;

static gboolean
fake_source_check (GSource *source)
{
  FakeSource *self = (FakeSource *) source;

  return fake_transport_condition_check (G_DATAGRAM_BASED (self->transport), self->condition) != 0;
}

static gboolean
fake_source_prepare (GSource *source,
                     int     *timeout)
{
  *timeout = -1;
  return fake_source_check (source);
}

static gboolean
fake_source_dispatch (GSource     *source,
                      GSourceFunc  callback,
                      gpointer     user_data)
{
  FakeSource *self = (FakeSource *) source;
  GDatagramBasedSourceFunc func = (GDatagramBasedSourceFunc) (GCallback) callback;

  return func (G_DATAGRAM_BASED (self->transport),
               fake_transport_condition_check (G_DATAGRAM_BASED (self->transport),
                                               self->condition),
               user_data);
}

static void
fake_source_finalize (GSource *source)
{
  g_object_unref (((FakeSource *) source)->transport);
}

static GSourceFuncs fake_source_funcs = {
  .prepare = fake_source_prepare,
  .check = fake_source_check,
  .dispatch = fake_source_dispatch,
  .finalize = fake_source_finalize,
};

static GSource *
fake_transport_create_source (GDatagramBased *datagram_based,
                              GIOCondition    condition,
                              GCancellable   *cancellable)
{
  GSource *source = g_source_new (&fake_source_funcs, sizeof (FakeSource));
  FakeSource *self = (FakeSource *) source;

  self->transport = g_object_ref (FAKE_TRANSPORT (datagram_based));
  self->condition = condition;
  return source;
}

static void
fake_transport_datagram_based_init (GDatagramBasedInterface *iface)
{
  iface->receive_messages = fake_transport_receive_messages;
  iface->send_messages = fake_transport_send_messages;
  iface->create_source = fake_transport_create_source;
  iface->condition_check = fake_transport_condition_check;
}

static void
fake_transport_class_init (FakeTransportClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fake_transport_finalize;
}

static void
fake_transport_init (FakeTransport *self)
{
}
