/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_TRUSTED_PEER (seqex_trusted_peer_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexTrustedPeer, seqex_trusted_peer, SEQEX, TRUSTED_PEER, GObject)

SEQEX_AVAILABLE_IN_ALL
const char *seqex_trusted_peer_get_fingerprint (SeqexTrustedPeer *self);
SEQEX_AVAILABLE_IN_ALL
GDateTime  *seqex_trusted_peer_get_first_seen  (SeqexTrustedPeer *self);
SEQEX_AVAILABLE_IN_ALL
GDateTime  *seqex_trusted_peer_get_last_seen   (SeqexTrustedPeer *self);
SEQEX_AVAILABLE_IN_ALL
const char *seqex_trusted_peer_get_name        (SeqexTrustedPeer *self);
SEQEX_AVAILABLE_IN_ALL
GBytes     *seqex_trusted_peer_get_public_key  (SeqexTrustedPeer *self);

G_END_DECLS
