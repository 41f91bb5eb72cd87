/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_AUTHORIZATION (seqex_authorization_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexAuthorization, seqex_authorization, SEQEX, AUTHORIZATION, GObject)

SEQEX_AVAILABLE_IN_ALL
SeqexEndpoint  *seqex_authorization_get_endpoint       (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
const char     *seqex_authorization_get_peer_key       (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
const char     *seqex_authorization_get_name           (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
GSocketAddress *seqex_authorization_get_remote_address (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
const char     *seqex_authorization_get_application_id (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
gboolean        seqex_authorization_get_incoming       (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
gboolean        seqex_authorization_get_answered       (SeqexAuthorization *self);

SEQEX_AVAILABLE_IN_ALL
void            seqex_authorization_accept             (SeqexAuthorization *self);
SEQEX_AVAILABLE_IN_ALL
void            seqex_authorization_reject             (SeqexAuthorization *self);

G_END_DECLS
