/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include <gio/gio.h>

#include "seqex-version-macros.h"

G_BEGIN_DECLS

/* The headers of the classes name each other's types; none of them includes another one. */
typedef struct _SeqexAuthorization SeqexAuthorization;
typedef struct _SeqexChannel       SeqexChannel;
typedef struct _SeqexConnection    SeqexConnection;
typedef struct _SeqexEndpoint      SeqexEndpoint;
typedef struct _SeqexIdentity      SeqexIdentity;
typedef struct _SeqexMessage       SeqexMessage;
typedef struct _SeqexStatistics    SeqexStatistics;
typedef struct _SeqexStream        SeqexStream;
typedef struct _SeqexTrustedPeer   SeqexTrustedPeer;
typedef struct _SeqexTrustStore    SeqexTrustStore;

G_END_DECLS
