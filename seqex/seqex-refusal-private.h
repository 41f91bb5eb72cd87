/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the network answers to datagrams that it could not deliver, for a socket that is not
 * connected. Such a socket is told only if it asks.
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx-address.h"

G_BEGIN_DECLS

/* Asks for it. */
void     seqex_refusal_watch (GSocket      *socket);
/* Takes the next one; FALSE: there is none. @to: where the datagram went; @error: what became of
 * it, and unset if it says nothing about whether somebody is there. */
gboolean seqex_refusal_take  (GSocket      *socket,
                              sqx_address  *to,
                              GError      **error);

G_END_DECLS
