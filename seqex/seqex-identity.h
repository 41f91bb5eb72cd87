/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_IDENTITY (seqex_identity_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexIdentity, seqex_identity, SEQEX, IDENTITY, GObject)

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexIdentity *seqex_identity_new_generate            (void);

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexIdentity *seqex_identity_load_file               (GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GError              **error);
SEQEX_AVAILABLE_IN_ALL
void           seqex_identity_load_file_async         (GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexIdentity *seqex_identity_load_file_finish        (GAsyncResult         *result,
                                                       GError              **error);

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexIdentity *seqex_identity_load_or_generate        (GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GError              **error);
SEQEX_AVAILABLE_IN_ALL
void           seqex_identity_load_or_generate_async  (GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexIdentity *seqex_identity_load_or_generate_finish (GAsyncResult         *result,
                                                       GError              **error);

SEQEX_AVAILABLE_IN_ALL
gboolean       seqex_identity_save_file               (SeqexIdentity        *self,
                                                       GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GError              **error);
SEQEX_AVAILABLE_IN_ALL
void           seqex_identity_save_file_async         (SeqexIdentity        *self,
                                                       GFile                *file,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean       seqex_identity_save_file_finish        (SeqexIdentity        *self,
                                                       GAsyncResult         *result,
                                                       GError              **error);

SEQEX_AVAILABLE_IN_ALL
GBytes        *seqex_identity_get_public_key          (SeqexIdentity        *self);
SEQEX_AVAILABLE_IN_ALL
const char    *seqex_identity_get_fingerprint         (SeqexIdentity        *self);

G_END_DECLS
