/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-enums.h"
#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_ENDPOINT (seqex_endpoint_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexEndpoint, seqex_endpoint, SEQEX, ENDPOINT, GObject)

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexEndpoint    *seqex_endpoint_new                           (SeqexIdentity        *identity);

SEQEX_AVAILABLE_IN_ALL
SeqexIdentity    *seqex_endpoint_get_identity                  (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
const char       *seqex_endpoint_get_application_id            (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
GSocketAddress   *seqex_endpoint_get_local_address             (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
SeqexTrustStore  *seqex_endpoint_get_trust_store               (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
void              seqex_endpoint_set_trust_store               (SeqexEndpoint        *self,
                                                                SeqexTrustStore      *store);
SEQEX_AVAILABLE_IN_ALL
SeqexTrustPolicy  seqex_endpoint_get_trust_policy              (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
void              seqex_endpoint_set_trust_policy              (SeqexEndpoint        *self,
                                                                SeqexTrustPolicy      policy);
SEQEX_AVAILABLE_IN_ALL
const char       *seqex_endpoint_get_shared_secret             (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_set_shared_secret             (SeqexEndpoint        *self,
                                                                const char           *secret,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
guint             seqex_endpoint_get_max_connections           (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
guint             seqex_endpoint_get_max_half_open             (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
guint             seqex_endpoint_get_max_half_open_per_address (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
guint64           seqex_endpoint_get_max_message_size          (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
guint             seqex_endpoint_get_max_streams               (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
guint64           seqex_endpoint_get_max_send_rate             (SeqexEndpoint        *self);
SEQEX_AVAILABLE_IN_ALL
SeqexCongestionControl seqex_endpoint_get_congestion_control   (SeqexEndpoint        *self);

SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_bind                          (SeqexEndpoint        *self,
                                                                GSocketAddress       *address,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_rebind                        (SeqexEndpoint        *self,
                                                                GSocketAddress       *address,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_bind_socket                   (SeqexEndpoint        *self,
                                                                GSocket              *socket,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_bind_transport                (SeqexEndpoint        *self,
                                                                GDatagramBased       *transport,
                                                                GError              **error);

SEQEX_AVAILABLE_IN_ALL
void              seqex_endpoint_open_connection_async         (SeqexEndpoint        *self,
                                                                GSocketConnectable   *peer,
                                                                const char           *peer_key,
                                                                GCancellable         *cancellable,
                                                                GAsyncReadyCallback   callback,
                                                                gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection  *seqex_endpoint_open_connection_finish        (SeqexEndpoint        *self,
                                                                GAsyncResult         *result,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection  *seqex_endpoint_open_plain_connection         (SeqexEndpoint        *self,
                                                                GSocketAddress       *address,
                                                                guint                 instance,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
void              seqex_endpoint_accept_async                  (SeqexEndpoint        *self,
                                                                GCancellable         *cancellable,
                                                                GAsyncReadyCallback   callback,
                                                                gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection  *seqex_endpoint_accept_finish                 (SeqexEndpoint        *self,
                                                                GAsyncResult         *result,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_send_foreign_datagram         (SeqexEndpoint        *self,
                                                                GSocketAddress       *address,
                                                                GBytes               *payload,
                                                                GError              **error);
SEQEX_AVAILABLE_IN_ALL
void              seqex_endpoint_close_async                   (SeqexEndpoint        *self,
                                                                GCancellable         *cancellable,
                                                                GAsyncReadyCallback   callback,
                                                                gpointer              user_data);
SEQEX_AVAILABLE_IN_ALL
gboolean          seqex_endpoint_close_finish                  (SeqexEndpoint        *self,
                                                                GAsyncResult         *result,
                                                                GError              **error);

G_END_DECLS
