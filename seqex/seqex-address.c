/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-address-private.h"

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

gsize
seqex_address_to_native (const sqx_address   *address,
                         gboolean             mapped,
                         struct sockaddr_in6 *native)
{
  guint32 scope = 0;

  memset (native, 0, sizeof *native);
  if (address->host_size == 4 && !mapped)
    {
      struct sockaddr_in *four = (struct sockaddr_in *) native;

      four->sin_family = AF_INET;
      four->sin_port = GUINT16_TO_BE (address->port);
      memcpy (&four->sin_addr, address->host, 4);
      return sizeof *four;
    }

  native->sin6_family = AF_INET6;
  native->sin6_port = GUINT16_TO_BE (address->port);
  if (address->host_size == 4)
    {
      memcpy (&native->sin6_addr, mapped_prefix, sizeof mapped_prefix);
      memcpy ((guint8 *) &native->sin6_addr + sizeof mapped_prefix, address->host, 4);
    }
  else
    {
      memcpy (&native->sin6_addr, address->host, 16);
      memcpy (&scope, address->host + 16, sizeof scope);
      native->sin6_scope_id = GUINT32_FROM_BE (scope);
    }
  return sizeof *native;
}

GSocketAddress *
seqex_address_to_gio (const sqx_address *address)
{
  struct sockaddr_in6 native;
  gsize size = seqex_address_to_native (address, FALSE, &native);

  return g_socket_address_new_from_native (&native, size);
}

char *
seqex_address_to_string (const sqx_address *address)
{
  g_autoptr (GSocketAddress) socket_address = NULL;

  if (address->host_size == 0)
    return g_strdup ("the peer");
  socket_address = seqex_address_to_gio (address);
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (socket_address));
}
