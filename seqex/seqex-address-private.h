/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses of the core and of GIO. In the core an IPv4 address is always an IPv4 address, whatever
 * the socket makes of it.
 */
#pragma once

#include <gio/gio.h>
#include <netinet/in.h>

#include "core/sqx-address.h"

G_BEGIN_DECLS

/* FALSE if it is neither IPv4 nor IPv6; @address is all zeros then. */
gboolean        seqex_address_from_native (sqx_address           *address,
                                           const struct sockaddr *native,
                                           gsize                  size);
gboolean        seqex_address_from_gio    (sqx_address           *address,
                                           GSocketAddress        *socket_address);
/* Returns the size. @mapped: an IPv4 address in the form that an IPv6 socket takes. Both: @address
 * has a host. */
gsize           seqex_address_to_native   (const sqx_address     *address,
                                           gboolean               mapped,
                                           struct sockaddr_in6   *native);
GSocketAddress *seqex_address_to_gio      (const sqx_address     *address);
char           *seqex_address_to_string   (const sqx_address     *address);

G_END_DECLS
