/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint: any number of connections over one datagram transport.
 *
 * Sans-I/O like a connection (sqx.h), and driven alike: datagrams and the clock go in through
 * handle_*, commands go to its connections, then poll_* is called until there is nothing left. An
 * endpoint knows by itself which of its connections has something to send, a deadline or an event;
 * one that is idle costs nothing.
 */
#pragma once

#include "sqx-address.h"
#include "sqx-crypto.h"
#include "sqx.h"

typedef struct sqx_endpoint sqx_endpoint;

/* What a program says of a peer that proved its key. */
typedef enum
{
  SQX_TRUST_REFUSE,
  SQX_TRUST_ACCEPT,
  SQX_TRUST_ASK, /* SQX_EVENT_AUTHORIZE comes, and sqx_conn_authorize() answers it */
} sqx_trust;

/* Every reason for which an endpoint dropped something without a word to the program. Packets that
 * reach a connection are counted there. */
#define SQX_ENDPOINT_COUNTERS(X)                                                             \
  X (truncated)          /* shorter than its header */                                       \
  X (malformed)          /* of a known type, but not well formed */                          \
  X (unknown_type)       /* first byte 0d … 0f */                                            \
  X (unknown_version)    /* INIT of another version; answered by VERSION */                  \
  X (unknown_id)         /* for no connection of this endpoint */                            \
  X (unknown_plain)      /* PLAIN of an instance or address that was not added */            \
  X (not_accepting)      /* INIT, but this endpoint accepts no connections */                \
  X (reflected)          /* own INIT that came back */                                       \
  X (simultaneous)       /* INIT of a peer that is to answer the one of this side */         \
  X (handshake_failed)   /* Noise message that does not authenticate */                      \
  X (handshake_retried)  /* INIT answered by RETRY, nothing kept */                          \
  X (handshake_repeated) /* INIT seen before, answered by the stored ACCEPT */               \
  X (host_full)          /* INIT not read: its host has enough young unfinished handshakes */ \
  X (half_open_full)     /* half-open handshake that had to make room */                     \
  X (bad_cookie)         /* INIT with a cookie that is not valid (any more) */               \
  X (answer_limited)     /* RETRY, VERSION or RESET not sent: rate limit */                  \
  X (early_data)         /* DATA of a handshake that is not finished, not kept */            \
  X (peer_refused)       /* CONFIRM in which the peer says that it will not */               \
  X (session_past)       /* handshake for a session that has a newer link */                 \
  X (session_gone)       /* handshake for a session that was over meanwhile */               \
  X (no_memory)

typedef struct
{
#define SQX_COUNTER_FIELD(name) uint64_t name;
  SQX_ENDPOINT_COUNTERS (SQX_COUNTER_FIELD)
#undef SQX_COUNTER_FIELD
} sqx_endpoint_counters;

typedef struct
{
  /* The template of connections that peers open. Its random, payload_ref, payload_unref and
   * user_data are also the endpoint's. */
  sqx_config connection;

  const sqx_crypto *crypto;  /* NULL: PLAIN connections only */
  uint8_t  secret_key[32];   /* X25519 private key: who this endpoint is */
  bool     accepts;          /* peers may open connections */
  uint8_t  cipher;           /* the only sqx_cipher offered; 0: both, as the machine prefers */
  uint32_t max_connections;  /* beyond it peers are refused; own attempts are not counted */
  uint32_t max_half_open;    /* handshakes of peers that are not finished */
  uint32_t max_half_open_per_host;
  uint32_t retry_threshold;  /* half-open handshakes from which on INIT needs a cookie */

  /* Whether the owner of @key may be the peer of a connection. @conn: the attempt of this side,
   * NULL when the peer opened it. Must not call back into the core. NULL: everybody is accepted. */
  sqx_trust (*judge) (void *user_data, sqx_conn *conn, const uint8_t key[32]);
} sqx_endpoint_config;

void sqx_endpoint_config_init (sqx_endpoint_config *config);

/* NULL when a value is out of its range or memory is short. Copies @config. */
sqx_endpoint *sqx_endpoint_new  (const sqx_endpoint_config *config, uint64_t now);
/* Every connection was freed before. Wipes the keys. NULL is allowed. */
void          sqx_endpoint_free (sqx_endpoint *endpoint);

/* A secret that both sides know (psk of Noise, 32 bytes), for attempts from now on and for peers
 * that use one; a peer that proves to know it needs no other trust. NULL: none. */
void sqx_endpoint_set_psk     (sqx_endpoint *endpoint, const uint8_t *psk);
void sqx_endpoint_set_accepts (sqx_endpoint *endpoint, bool accepts);
/* Of connections that peers open from now on: config.connection.max_datagram_size, if @size is
 * valid. */
void sqx_endpoint_set_max_datagram_size (sqx_endpoint *endpoint, uint32_t size);

/* handle_* ---------------------------------------------------------------------------- */

/* @data is overwritten. false: not of this protocol (first byte below 4 or above 15, or empty), and
 * untouched. */
bool sqx_endpoint_handle_datagram    (sqx_endpoint *endpoint, uint64_t now, const sqx_address *from,
                                      uint8_t *data, size_t size);
void sqx_endpoint_handle_timeout     (sqx_endpoint *endpoint, uint64_t now);
/* The network said that nobody listens at @to: see sqx_conn_handle_unreachable(). */
void sqx_endpoint_handle_unreachable (sqx_endpoint *endpoint, uint64_t now, const sqx_address *to);
/* The transport refused a datagram of @size to @to as too large for the path: it, and all that were
 * as large, go again in smaller ones. */
void sqx_endpoint_handle_too_large   (sqx_endpoint *endpoint, uint64_t now, const sqx_address *to,
                                      size_t size);
/* The machine's addresses or routes changed, or it slept: asks every peer of a connection with
 * something open at once, and dials again where a connection is reconnecting. */
void sqx_endpoint_handle_network_changed (sqx_endpoint *endpoint, uint64_t now);

/* poll_* ------------------------------------------------------------------------------ */

/* As sqx_conn_poll_transmit(), for all connections in turn and for the endpoint itself. */
size_t    sqx_endpoint_poll_transmit (sqx_endpoint *endpoint, uint64_t now, sqx_address *to,
                                      uint8_t *buffer, size_t capacity);
/* The next connection in which something may have changed since it was last given: events are to be
 * polled, getters to be looked at. One whose sqx_conn_user_data() is NULL was opened by a peer, who
 * is trusted, and is the program's from now on. NULL: none. */
sqx_conn *sqx_endpoint_poll_conn     (sqx_endpoint *endpoint);
/* O(1), and O(log n) more for each connection that changed since. */
uint64_t  sqx_endpoint_next_timeout  (sqx_endpoint *endpoint);

/* Connections ------------------------------------------------------------------------- */

/* Opens an encrypted connection; sqx_conn_free() ends it as any other. @peer_key: who is expected,
 * NULL: whoever answers, as judge says. NULL: @config is out of range, no crypto, or no memory. */
sqx_conn *sqx_endpoint_connect   (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                  const sqx_address *to, const uint8_t *peer_key, void *user_data);
/* A PLAIN connection, with config->instance, to @to. NULL also when there is one already. */
sqx_conn *sqx_endpoint_add_plain (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                  const sqx_address *to, void *user_data);

uint32_t sqx_endpoint_n_connections (const sqx_endpoint *endpoint);
uint32_t sqx_endpoint_n_half_open   (const sqx_endpoint *endpoint);
const sqx_endpoint_counters *sqx_endpoint_counters_get (const sqx_endpoint *endpoint);

/* What sqx_conn_new() does not have */

void              *sqx_conn_user_data     (const sqx_conn *conn);
void               sqx_conn_set_user_data (sqx_conn *conn, void *user_data);
/* Where the peer is, as far as it proved that. */
const sqx_address *sqx_conn_address       (const sqx_conn *conn);
/* 32 bytes; NULL for PLAIN, and before the peer proved its key. */
const uint8_t     *sqx_conn_peer_key      (const sqx_conn *conn);
sqx_cipher         sqx_conn_cipher        (const sqx_conn *conn); /* 0: no link */
bool               sqx_conn_is_initiator  (const sqx_conn *conn);
/* Answers SQX_EVENT_AUTHORIZE; else a no-op. */
void               sqx_conn_authorize     (sqx_conn *conn, uint64_t now, bool accept);
/* Outlives the loss of its link for @limit (microseconds, counted from the loss; SQX_TIME_NEVER:
 * for ever) in SQX_STATE_RECONNECTING. 0: not persistent. */
void               sqx_conn_set_persistent (sqx_conn *conn, uint64_t now, uint64_t limit);
/* Where to look for the peer when dialling (again). */
void               sqx_conn_set_address   (sqx_conn *conn, uint64_t now, const sqx_address *to);
/* New keys for what is sent from now on, as soon as the protocol allows it. */
void               sqx_conn_update_keys   (sqx_conn *conn, uint64_t now);
