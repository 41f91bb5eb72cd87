/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-enums.h"
#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_MESSAGE (seqex_message_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexMessage, seqex_message, SEQEX, MESSAGE, GObject)

SEQEX_AVAILABLE_IN_ALL
GBytes          *seqex_message_get_payload             (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
SeqexConnection *seqex_message_get_connection          (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
guint            seqex_message_get_channel             (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_message_get_ordered             (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_message_get_expects_reply       (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_message_get_is_reply            (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
guint            seqex_message_get_position            (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_message_get_cancelled           (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
const char      *seqex_message_get_peer_key            (SeqexMessage         *self);

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char            *seqex_message_dup_text                (SeqexMessage         *self);

SEQEX_AVAILABLE_IN_ALL
void             seqex_message_reply_async             (SeqexMessage         *self,
                                                        GBytes               *payload,
                                                        SeqexSendFlags        flags,
                                                        GCancellable         *cancellable,
                                                        GAsyncReadyCallback   callback,
                                                        gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_message_reply_finish            (SeqexMessage         *self,
                                                        GAsyncResult         *result,
                                                        GError              **error);
SEQEX_AVAILABLE_IN_ALL
void             seqex_message_reply_with_reply_async  (SeqexMessage         *self,
                                                        GBytes               *payload,
                                                        SeqexSendFlags        flags,
                                                        GCancellable         *cancellable,
                                                        GAsyncReadyCallback   callback,
                                                        gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexMessage    *seqex_message_reply_with_reply_finish (SeqexMessage         *self,
                                                        GAsyncResult         *result,
                                                        GError              **error);

SEQEX_AVAILABLE_IN_ALL
void             seqex_message_end                     (SeqexMessage         *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_message_end_with_reason         (SeqexMessage         *self,
                                                        SeqexEndReason        reason);
SEQEX_AVAILABLE_IN_ALL
void             seqex_message_release                 (SeqexMessage         *self);

G_END_DECLS
