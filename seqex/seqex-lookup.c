/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-lookup-private.h"

#include "seqex-address-private.h"

typedef struct
{
  GSocketAddressEnumerator *enumerator;  /* owned */
  GMainContext             *context;     /* owned */
  GCancellable             *cancellable; /* owned */
  SeqexLookupFunc           func;
  gpointer                  user_data;
  GDestroyNotify            destroy;     /* NULL: none */
  GError                   *unfit;       /* owned: an address that cannot be used */
  gboolean                  found;
} Lookup;

static void
free_lookup (Lookup *self)
{
  if (self->destroy != NULL)
    self->destroy (self->user_data);
  g_object_unref (self->enumerator);
  g_object_unref (self->cancellable);
  g_main_context_unref (self->context);
  g_clear_error (&self->unfit);
  g_free (self);
}

static void next_cb (GObject      *source,
                     GAsyncResult *result,
                     gpointer      user_data);

static void
ask_next (Lookup *self)
{
  g_main_context_push_thread_default (self->context);
  g_socket_address_enumerator_next_async (self->enumerator, self->cancellable, next_cb, self);
  g_main_context_pop_thread_default (self->context);
}

static void
note_unfit (Lookup         *self,
            GSocketAddress *address)
{
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  g_clear_error (&self->unfit);
  g_set_error (&self->unfit, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
               "%s is neither an IPv4 nor an IPv6 address", text);
}

static void
next_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Lookup *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address =
    g_socket_address_enumerator_next_finish (self->enumerator, result, &error);
  sqx_address where;

  if (g_cancellable_is_cancelled (self->cancellable))
    {
      free_lookup (self);
      return;
    }
  if (address != NULL)
    {
      if (seqex_address_from_gio (&where, address))
        {
          self->found = TRUE;
          self->func (self->user_data, &where, NULL);
        }
      else
        note_unfit (self, address);
      ask_next (self);
      return;
    }

  if (error == NULL && !self->found)
    {
      if (self->unfit != NULL)
        error = g_steal_pointer (&self->unfit);
      else
        g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND,
                             "The peer has no address");
    }
  self->func (self->user_data, NULL, error);
  free_lookup (self);
}

void
seqex_lookup_start (GSocketConnectable *peer,
                    GMainContext       *context,
                    GCancellable       *cancellable,
                    SeqexLookupFunc     func,
                    gpointer            user_data,
                    GDestroyNotify      destroy)
{
  Lookup *self = g_new0 (Lookup, 1);

  self->enumerator = g_socket_connectable_enumerate (peer);
  self->context = g_main_context_ref (context);
  self->cancellable = g_object_ref (cancellable);
  self->func = func;
  self->user_data = user_data;
  self->destroy = destroy;
  ask_next (self);
}
