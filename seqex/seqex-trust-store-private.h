/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A trust store for a handshake, which has keys and not texts.
 */
#pragma once

#include "seqex-key-private.h"
#include "seqex-trust-store.h"

G_BEGIN_DECLS

/* As seqex_trust_store_check(). With an error, which is one of the file, the verdict is UNKNOWN:
 * then nobody is to be let in. Without, @error stays unset whatever the verdict is. */
SeqexTrustVerdict  seqex_trust_store_check_key    (SeqexTrustStore  *self,
                                                   const char       *name,
                                                   const guint8      key[SEQEX_KEY_SIZE],
                                                   GError          **error);

/* As seqex_trust_store_remember(). */
gboolean           seqex_trust_store_remember_key (SeqexTrustStore  *self,
                                                   const char       *name,
                                                   const guint8      key[SEQEX_KEY_SIZE],
                                                   GError          **error);

/* The error SEQEX_ERROR_KEY_CHANGED that names both fingerprints, when check_key said CHANGED. */
GError            *seqex_trust_store_key_changed  (SeqexTrustStore  *self,
                                                   const char       *name,
                                                   const guint8      key[SEQEX_KEY_SIZE]);

G_END_DECLS
