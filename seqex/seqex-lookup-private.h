/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All addresses of a GSocketConnectable, as they come.
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx-address.h"

G_BEGIN_DECLS

/* @address: one more; NULL: that was the last one. @error: why there is none, if there is none. */
typedef void (*SeqexLookupFunc) (gpointer           user_data,
                                 const sqx_address *address,
                                 const GError      *error);

/* Calls @func on @context until it is told the end, or @cancellable, which is required, is
 * cancelled; never from within this call. @destroy, which may be NULL, follows the last call. */
void seqex_lookup_start (GSocketConnectable *peer,
                         GMainContext       *context,
                         GCancellable       *cancellable,
                         SeqexLookupFunc     func,
                         gpointer            user_data,
                         GDestroyNotify      destroy);

G_END_DECLS
