/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-enums.h"
#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_CHANNEL (seqex_channel_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexChannel, seqex_channel, SEQEX, CHANNEL, GObject)

SEQEX_AVAILABLE_IN_ALL
SeqexConnection *seqex_channel_get_connection         (SeqexChannel         *self);
SEQEX_AVAILABLE_IN_ALL
guint            seqex_channel_get_id                 (SeqexChannel         *self);

SEQEX_AVAILABLE_IN_ALL
guint            seqex_channel_get_priority           (SeqexChannel         *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_set_priority           (SeqexChannel         *self,
                                                       guint                 priority);

SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_channel_get_serialized         (SeqexChannel         *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_set_serialized         (SeqexChannel         *self,
                                                       gboolean              serialized);

SEQEX_AVAILABLE_IN_ALL
guint            seqex_channel_get_timeout            (SeqexChannel         *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_set_timeout            (SeqexChannel         *self,
                                                       guint                 timeout);

SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_send_async             (SeqexChannel         *self,
                                                       GBytes               *payload,
                                                       SeqexSendFlags        flags,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean         seqex_channel_send_finish            (SeqexChannel         *self,
                                                       GAsyncResult         *result,
                                                       GError              **error);
SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_send_with_reply_async  (SeqexChannel         *self,
                                                       GBytes               *payload,
                                                       SeqexSendFlags        flags,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexMessage    *seqex_channel_send_with_reply_finish (SeqexChannel         *self,
                                                       GAsyncResult         *result,
                                                       GError              **error);
SEQEX_AVAILABLE_IN_ALL
void             seqex_channel_receive_async          (SeqexChannel         *self,
                                                       GCancellable         *cancellable,
                                                       GAsyncReadyCallback   callback,
                                                       gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexMessage    *seqex_channel_receive_finish         (SeqexChannel         *self,
                                                       GAsyncResult         *result,
                                                       GError              **error);

G_END_DECLS
