/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses of the core and of GIO. In the core an IPv4 address is always an IPv4 address, whatever
 * the socket makes of it.
 */
#pragma once

#include <gio/gio.h>
#include <sys/socket.h>

#include "core/sqx-address.h"

G_BEGIN_DECLS

/* FALSE if it is neither IPv4 nor IPv6; @address is all zeros then. */
gboolean        seqex_address_from_native (sqx_address           *address,
                                           const struct sockaddr *native,
                                           gsize                  size);
gboolean        seqex_address_from_gio    (sqx_address           *address,
                                           GSocketAddress        *socket_address);
/* @mapped: IPv4 in the form that an IPv6 socket takes. @address has a host. */
GSocketAddress *seqex_address_to_gio      (const sqx_address     *address,
                                           gboolean               mapped);
char           *seqex_address_to_string   (const sqx_address     *address);

/* Remembers the GSocketAddress of peers, so that not each datagram needs a new one. */
typedef struct
{
  gboolean  mapped;
  guint     size;    /* a power of two, or 0 as long as nothing was asked for */
  gpointer  entries;
} SeqexAddressCache;

/* @n_peers: how many there are about. The result belongs to the caller. */
GSocketAddress *seqex_address_cache_get   (SeqexAddressCache     *self,
                                           const sqx_address     *address,
                                           guint                  n_peers);
void            seqex_address_cache_clear (SeqexAddressCache     *self);

G_END_DECLS
