/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-identity.h"
#include "seqex-key-private.h"

G_BEGIN_DECLS

/* An X25519 scalar of SEQEX_KEY_SIZE bytes, as long as @self lives. Never copy it to where nobody
 * wipes it. */
const guint8  *seqex_identity_get_secret     (SeqexIdentity *self);

/* @secret is copied. */
SeqexIdentity *seqex_identity_new_for_secret (const guint8   secret[SEQEX_KEY_SIZE]);

/* Reads the text of an identity file, which ends with a NUL; docs/identity.md has the format.
 * G_IO_ERROR_INVALID_DATA or G_IO_ERROR_NOT_SUPPORTED otherwise, with @name as the file's, and then
 * @secret is all zeros. The caller wipes it. */
gboolean       seqex_identity_parse          (const char     *text,
                                              gsize           size,
                                              const char     *name,
                                              guint8          secret[SEQEX_KEY_SIZE],
                                              GError        **error);

G_END_DECLS
