/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Endpoints on the loopback device, and their asynchronous verbs as if they waited.
 */
#pragma once

#include "test-util.h"

G_BEGIN_DECLS

/* "127.0.0.1", "::1" …, port 0 for any. */
GSocketAddress  *endpoint_address      (const char      *host,
                                        guint            port);
guint            endpoint_port         (SeqexEndpoint   *endpoint);
/* Bound to @host, and open to anyone. */
SeqexEndpoint   *endpoint_new_bound    (const char      *host);
/* Not bound, and open to anyone. */
SeqexEndpoint   *endpoint_new          (void);

/* Where @endpoint is, seen from this machine. */
GSocketConnectable *endpoint_target    (SeqexEndpoint   *endpoint);

SeqexConnection *endpoint_open         (SeqexEndpoint       *endpoint,
                                        GSocketConnectable  *peer,
                                        const char          *peer_key,
                                        GError             **error);
SeqexConnection *endpoint_accept       (SeqexEndpoint       *endpoint,
                                        GError             **error);
gboolean         endpoint_close        (SeqexEndpoint       *endpoint,
                                        GError             **error);

/* A connection between two endpoints; both ends. */
Pair             endpoint_join         (SeqexEndpoint       *client,
                                        SeqexEndpoint       *server);
/* Drops an endpoint and asserts that it goes away at once. */
void             endpoint_free         (SeqexEndpoint       *endpoint);

G_END_DECLS
