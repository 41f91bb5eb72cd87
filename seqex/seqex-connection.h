/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-enums.h"
#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_CONNECTION (seqex_connection_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexConnection, seqex_connection, SEQEX, CONNECTION, GObject)

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection      *seqex_connection_new                    (GSocket              *socket);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection      *seqex_connection_new_for_transport      (GDatagramBased       *transport);

SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_open_stream_async      (SeqexConnection      *self,
                                                               GCancellable         *cancellable,
                                                               GAsyncReadyCallback   callback,
                                                               gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexStream          *seqex_connection_open_stream_finish     (SeqexConnection      *self,
                                                               GAsyncResult         *result,
                                                               GError              **error);

SEQEX_AVAILABLE_IN_ALL
SeqexConnectionState  seqex_connection_get_state              (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
GSocket              *seqex_connection_get_socket             (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
GDatagramBased       *seqex_connection_get_transport          (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
GSocketAddress       *seqex_connection_get_remote_address     (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
SeqexEndpoint        *seqex_connection_get_endpoint           (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
const char           *seqex_connection_get_peer_key           (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
const char           *seqex_connection_get_application_id     (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_instance           (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_max_datagram_size  (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_max_streams        (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
SeqexCongestionControl seqex_connection_get_congestion_control (SeqexConnection     *self);
SEQEX_AVAILABLE_IN_ALL
guint64               seqex_connection_get_queued_bytes       (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_get_writable           (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
guint64               seqex_connection_get_round_trip_time    (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexStatistics      *seqex_connection_get_statistics         (SeqexConnection      *self);

SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_get_accepts_messages   (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_accepts_messages   (SeqexConnection      *self,
                                                               gboolean              accepts);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_timeout            (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_timeout            (SeqexConnection      *self,
                                                               guint                 timeout);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_keepalive_interval (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_keepalive_interval (SeqexConnection      *self,
                                                               guint                 interval);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_idle_timeout       (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_idle_timeout       (SeqexConnection      *self,
                                                               guint                 timeout);
SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_get_persistent         (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_persistent         (SeqexConnection      *self,
                                                               gboolean              persistent);
SEQEX_AVAILABLE_IN_ALL
guint                 seqex_connection_get_persistence_limit  (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_persistence_limit  (SeqexConnection      *self,
                                                               guint                 seconds);
SEQEX_AVAILABLE_IN_ALL
guint64               seqex_connection_get_max_message_size   (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_max_message_size   (SeqexConnection      *self,
                                                               guint64               size);
SEQEX_AVAILABLE_IN_ALL
guint64               seqex_connection_get_max_queued_bytes   (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_max_queued_bytes   (SeqexConnection      *self,
                                                               guint64               bytes);
SEQEX_AVAILABLE_IN_ALL
guint64               seqex_connection_get_max_send_rate      (SeqexConnection      *self);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_set_max_send_rate      (SeqexConnection      *self,
                                                               guint64               rate);

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexChannel         *seqex_connection_open_channel           (SeqexConnection      *self,
                                                               guint                 id);

SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_send_async             (SeqexConnection      *self,
                                                               GBytes               *payload,
                                                               SeqexSendFlags        flags,
                                                               GCancellable         *cancellable,
                                                               GAsyncReadyCallback   callback,
                                                               gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_send_finish            (SeqexConnection      *self,
                                                               GAsyncResult         *result,
                                                               GError              **error);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_send_with_reply_async  (SeqexConnection      *self,
                                                               GBytes               *payload,
                                                               SeqexSendFlags        flags,
                                                               GCancellable         *cancellable,
                                                               GAsyncReadyCallback   callback,
                                                               gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexMessage         *seqex_connection_send_with_reply_finish (SeqexConnection      *self,
                                                               GAsyncResult         *result,
                                                               GError              **error);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_receive_async          (SeqexConnection      *self,
                                                               GCancellable         *cancellable,
                                                               GAsyncReadyCallback   callback,
                                                               gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexMessage         *seqex_connection_receive_finish         (SeqexConnection      *self,
                                                               GAsyncResult         *result,
                                                               GError              **error);
SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_send_datagram          (SeqexConnection      *self,
                                                               GBytes               *payload,
                                                               GError              **error);
SEQEX_AVAILABLE_IN_ALL
void                  seqex_connection_close_async            (SeqexConnection      *self,
                                                               GCancellable         *cancellable,
                                                               GAsyncReadyCallback   callback,
                                                               gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean              seqex_connection_close_finish           (SeqexConnection      *self,
                                                               GAsyncResult         *result,
                                                               GError              **error);

G_END_DECLS
