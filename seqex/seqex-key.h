/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char   *seqex_fingerprint_normalize (const char  *fingerprint,
                                     GError     **error);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char   *seqex_fingerprint_from_key  (GBytes      *public_key,
                                     GError     **error);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
GBytes *seqex_fingerprint_to_key    (const char  *fingerprint,
                                     GError     **error);

G_END_DECLS
