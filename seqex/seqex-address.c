/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-address-private.h"

#include <netinet/in.h>

/* Entries of a cache: as many as there are peers, twice that so that they rarely share one. */
#define CACHE_SIZE_MIN 16u
#define CACHE_SIZE_MAX 8192u

typedef struct
{
  sqx_address     key;
  GSocketAddress *value; /* owned; NULL: empty */
} Entry;

static const guint8 mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

gboolean
seqex_address_from_native (sqx_address           *address,
                           const struct sockaddr *native,
                           gsize                  size)
{
  struct sockaddr_in6 six;

  memset (address, 0, sizeof *address);
  if (size >= sizeof (struct sockaddr_in) && native->sa_family == AF_INET)
    {
      struct sockaddr_in four;

      memcpy (&four, native, sizeof four);
      memcpy (address->host, &four.sin_addr, 4);
      address->host_size = 4;
      address->port = GUINT16_FROM_BE (four.sin_port);
      return TRUE;
    }
  if (size < sizeof six || native->sa_family != AF_INET6)
    return FALSE;

  memcpy (&six, native, sizeof six);
  address->port = GUINT16_FROM_BE (six.sin6_port);
  if (memcmp (&six.sin6_addr, mapped_prefix, sizeof mapped_prefix) == 0)
    {
      memcpy (address->host, (guint8 *) &six.sin6_addr + sizeof mapped_prefix, 4);
      address->host_size = 4;
      return TRUE;
    }
  memcpy (address->host, &six.sin6_addr, 16);
  address->host_size = 16;
  if (six.sin6_scope_id != 0)
    {
      guint32 scope = GUINT32_TO_BE (six.sin6_scope_id);

      memcpy (address->host + 16, &scope, sizeof scope);
      address->host_size = 20;
    }
  return TRUE;
}

gboolean
seqex_address_from_gio (sqx_address    *address,
                        GSocketAddress *socket_address)
{
  struct sockaddr_storage native;
  gssize size = 0;

  if (socket_address != NULL)
    size = g_socket_address_get_native_size (socket_address);
  if (size <= 0 || (gsize) size > sizeof native
      || !g_socket_address_to_native (socket_address, &native, sizeof native, NULL))
    {
      memset (address, 0, sizeof *address);
      return FALSE;
    }
  return seqex_address_from_native (address, (const struct sockaddr *) &native, size);
}

GSocketAddress *
seqex_address_to_gio (const sqx_address *address,
                      gboolean           mapped)
{
  g_autoptr (GInetAddress) host = NULL;
  guint32 scope = 0;

  if (address->host_size == 4 && mapped)
    {
      guint8 six[16];

      memcpy (six, mapped_prefix, sizeof mapped_prefix);
      memcpy (six + sizeof mapped_prefix, address->host, 4);
      host = g_inet_address_new_from_bytes (six, G_SOCKET_FAMILY_IPV6);
    }
  else
    {
      host = g_inet_address_new_from_bytes (address->host, address->host_size == 4
                                                             ? G_SOCKET_FAMILY_IPV4
                                                             : G_SOCKET_FAMILY_IPV6);
    }

  if (address->host_size == 20)
    memcpy (&scope, address->host + 16, sizeof scope);
  if (scope == 0)
    return g_inet_socket_address_new (host, address->port);
  return g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", host, "port", (guint) address->port,
                       "scope-id", GUINT32_FROM_BE (scope), NULL);
}

char *
seqex_address_to_string (const sqx_address *address)
{
  g_autoptr (GSocketAddress) socket_address = NULL;

  if (address->host_size == 0)
    return g_strdup ("the peer");
  socket_address = seqex_address_to_gio (address, FALSE);
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (socket_address));
}

static guint
hash_address (const sqx_address *address)
{
  guint32 hash = 0x811c9dc5u ^ address->port;

  for (guint i = 0; i < address->host_size; i++)
    hash = (hash ^ address->host[i]) * 0x01000193u;
  return hash ^ hash >> 15;
}

GSocketAddress *
seqex_address_cache_get (SeqexAddressCache *self,
                         const sqx_address *address,
                         guint              n_peers)
{
  Entry *entry;

  if (self->size < CACHE_SIZE_MAX && (self->size == 0 || self->size < n_peers))
    {
      guint size = CACHE_SIZE_MIN;

      while (size < CACHE_SIZE_MAX && size < n_peers * 2)
        size *= 2;
      seqex_address_cache_clear (self);
      self->entries = g_new0 (Entry, size);
      self->size = size;
    }

  entry = (Entry *) self->entries + (hash_address (address) & (self->size - 1));
  if (entry->value == NULL || !sqx_address_equal (&entry->key, address))
    {
      g_clear_object (&entry->value);
      entry->key = *address;
      entry->value = seqex_address_to_gio (address, self->mapped);
    }
  return g_object_ref (entry->value);
}

void
seqex_address_cache_clear (SeqexAddressCache *self)
{
  for (guint i = 0; i < self->size; i++)
    g_clear_object (&((Entry *) self->entries)[i].value);
  g_clear_pointer (&self->entries, g_free);
  self->size = 0;
}
