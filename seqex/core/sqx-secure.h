/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an encrypted connection has beyond a PLAIN one: the keys and ids of its link, the handshake
 * that is to give it the next one, and what of its session peers must agree on to resume it. The
 * endpoint calls these; they call back sqx_endpoint_… (sqx-endpoint-private.h).
 */
#pragma once

#include "sqx-address.h"
#include "sqx-handshake.h"
#include "sqx.h"

/* Made by sqx_endpoint_connect(): begins to dial. */
sqx_conn *sqx_conn_new_dialling (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                 const sqx_address *to, const uint8_t *peer_key, void *user_data);
/* Made when a peer's handshake was finished (CONFIRM, or the first DATA of IK authenticated). */
sqx_conn *sqx_conn_new_accepted (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                 sqx_handshake *handshake, const sqx_address *from, sqx_trust trust);
/* Whether @handshake, finished by the peer, may become the link of @conn: it is of the same session (or
 * @conn dials its owner and has none yet) and newer. */
bool      sqx_conn_may_join     (const sqx_conn *conn, const sqx_handshake *handshake);
/* It does. @trust: REFUSE never. NO_MEMORY: nothing changed. */
sqx_result sqx_conn_join        (sqx_conn *conn, uint64_t now, sqx_handshake *handshake,
                                 const sqx_address *from, sqx_trust trust);

/* DATA for the id of its link. */
void sqx_conn_handle_data       (sqx_conn *conn, uint64_t now, const sqx_address *from,
                                 uint8_t *data, size_t size);
/* ACCEPT, RETRY, VERSION for the id of its handshake. */
void sqx_conn_handle_answer     (sqx_conn *conn, uint64_t now, const sqx_address *from,
                                 const uint8_t *data, size_t size);
/* CONFIRM again for the id of its link: it is answered by DATA at once. */
void sqx_conn_handle_confirm    (sqx_conn *conn, uint64_t now);
/* RESET that names the peer's id of its link. */
void sqx_conn_handle_reset      (sqx_conn *conn, uint64_t now, const sqx_address *from, uint32_t number);
void sqx_conn_handle_network_changed (sqx_conn *conn, uint64_t now);

/* Where the datagram goes that sqx_conn_poll_transmit() just gave. */
const sqx_address *sqx_conn_destination (const sqx_conn *conn);
