/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-authorization.h"
#include "seqex-driver-private.h"

G_BEGIN_DECLS

/* @question is what the endpoint knows it by; @name is what was opened, NULL if a peer came. */
SeqexAuthorization *seqex_authorization_new (SeqexEndpoint  *endpoint,
                                             SeqexDriver    *driver,
                                             guint64         question,
                                             const char     *peer_key,
                                             const char     *name,
                                             GSocketAddress *remote_address,
                                             const char     *application_id);

G_END_DECLS
