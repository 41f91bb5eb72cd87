/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char *seqex_shared_secret_generate  (void);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char *seqex_shared_secret_normalize (const char  *secret,
                                     GError     **error);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char *seqex_shared_secret_to_uri    (const char  *secret,
                                     GError     **error);

G_END_DECLS
