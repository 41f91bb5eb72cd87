/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-trust-file-private.h"
#include "seqex-trusted-peer.h"

G_BEGIN_DECLS

SeqexTrustedPeer *seqex_trusted_peer_new    (const SeqexTrustLine *line);

/* Whether @line is about this peer under this name. */
gboolean          seqex_trusted_peer_is     (SeqexTrustedPeer     *self,
                                             const SeqexTrustLine *line);

/* Takes the times of @line. */
void              seqex_trusted_peer_update (SeqexTrustedPeer     *self,
                                             const SeqexTrustLine *line);

const guint8     *seqex_trusted_peer_get_key (SeqexTrustedPeer    *self);

G_END_DECLS
