/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-key-private.h"
#include "seqex-shared-secret.h"

G_BEGIN_DECLS

/* From text or URI; G_IO_ERROR_INVALID_ARGUMENT otherwise, and then @secret is all zeros. The
 * caller wipes it. */
gboolean seqex_shared_secret_parse   (const char   *text,
                                      guint8        secret[SEQEX_KEY_SIZE],
                                      GError      **error);

/* The pre-shared key of a Noise handshake: HKDF-Expand (secret, "seqex 1 psk", 32). @psk may be
 * @secret. The caller wipes it. */
void     seqex_shared_secret_get_psk (const guint8  secret[SEQEX_KEY_SIZE],
                                      guint8        psk[SEQEX_KEY_SIZE]);

G_END_DECLS
