/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an encrypted connection has beyond a PLAIN one: the keys and ids of its link, the handshake
 * that is to give it the next one, and what of its session peers must agree on to resume it. The
 * endpoint calls these; they call back sqx_endpoint_… (sqx-endpoint-private.h).
 */
#pragma once

#include "sqx-address.h"
#include "sqx-endpoint-private.h"
#include "sqx-handshake.h"
#include "sqx-path.h"
#include "sqx.h"

/* An attempt to get a link by a handshake of this side. */
typedef struct
{
  sqx_handshake *handshake; /* NULL: none goes on */
  sqx_address    to;
  uint64_t       generation; /* of the newest attempt to resume: each asks for a higher one */
  unsigned       attempts;  /* since the link was lost */
  unsigned       sends;     /* of INIT or CONFIRM, in this attempt */
  uint64_t       first_sent; /* when the first of these went out */
  uint64_t       interval;  /* until the packet is sent again */
  bool           due;       /* the packet goes out now */
  bool           paused;    /* the peer's INIT went first, once */
  unsigned       unproven;  /* links that were made, never answered, and tried again */
  bool           stranger;  /* the expected peer did not answer: who is there? */
} sqx_dial;

typedef struct
{
  bool       linked;       /* keys, ids and conn->link are in use */
  bool       initiator;    /* of this link */
  bool       proven;       /* a packet of the peer authenticated on it: CONFIRM arrived */
  sqx_keys   keys;
  uint64_t   wanted_phase; /* of the keys that seal: what the program asked for */
  sqx_cipher cipher;
  uint32_t   peer_id;
  sqx_path   path;

  bool       has_peer_key;
  bool       expects_key;
  uint8_t    peer_key[SQX_KEY_SIZE]; /* proven … */
  uint8_t    expected[SQX_KEY_SIZE]; /* … and wanted by the program */

  bool       has_session;  /* a link was joined once … */
  bool       used;         /* … and the session was open to the programs on it */
  uint8_t    session_id[SQX_SESSION_ID_SIZE];
  uint8_t    peer_session_id[SQX_SESSION_ID_SIZE];
  uint64_t   generation;   /* of the link, or of the one that was lost */

  bool       ready;        /* READY came or went: the session may use the link */
  bool       asking;       /* AUTHORIZE is to be answered; events wait until then */

  uint64_t   persist;      /* how long the session outlives its link; 0: not at all */
  bool       reconnecting;
  uint64_t   lost_at;      /* since then */
  sqx_result lost_error;   /* why the link was lost */
  sqx_dial   dial;
} sqx_secure;

/* Made by sqx_endpoint_connect(): begins to dial. */
sqx_conn *sqx_conn_new_dialling (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                 const sqx_address *to, const uint8_t *peer_key, void *user_data);
/* Made, like sqx_conn_join(), when a peer's handshake was finished (CONFIRM, or the first DATA of
 * IK authenticated). */
sqx_conn *sqx_conn_new_accepted (sqx_endpoint *endpoint, uint64_t now, const sqx_config *config,
                                 sqx_handshake *handshake, const sqx_address *from,
                                 sqx_trust trust);
/* Whether @handshake, finished by the peer, may become the link of @conn: it is of the same session
 * (or @conn dials its owner and has none yet) and newer. */
bool      sqx_conn_may_join     (const sqx_conn *conn, const sqx_handshake *handshake);
/* Whether @handshake is of the session of @conn, but not newer than its link: a copy of an old one,
 * or one of two that both sides began at once. */
bool      sqx_conn_is_past      (const sqx_conn *conn, const sqx_handshake *handshake);
/* It does; what had been its link is gone. The caller gives the handshake's id to attachment.link
 * by sqx_endpoint_reroute(). @trust: REFUSE never. NO_MEMORY: nothing changed. */
sqx_result sqx_conn_join        (sqx_conn *conn, uint64_t now, sqx_handshake *handshake,
                                 const sqx_address *from, sqx_trust trust);

/* DATA for the id of its link. */
void sqx_conn_handle_data       (sqx_conn *conn, uint64_t now, const sqx_address *from,
                                 uint8_t *data, size_t size);
/* ACCEPT, RETRY, VERSION for the id of its handshake, or of its link: a late ACCEPT asks for
 * CONFIRM. Wherever it came from, the peer is where INIT went. */
void sqx_conn_handle_answer     (sqx_conn *conn, uint64_t now, const uint8_t *data, size_t size);
/* CONFIRM again for the id of its link: it is answered by DATA at once. */
void sqx_conn_handle_confirm    (sqx_conn *conn, uint64_t now);
/* RESET that names the peer's id of its link. */
void sqx_conn_handle_reset      (sqx_conn *conn, uint64_t now, const sqx_address *from,
                                 uint32_t number);
void sqx_conn_handle_network_changed (sqx_conn *conn, uint64_t now);

/* Where the datagram goes that sqx_conn_poll_transmit() just gave. */
const sqx_address *sqx_conn_destination (const sqx_conn *conn);

/* Within a connection ------------------------------------------------------------------ */

bool sqx_secure_talks     (const sqx_conn *conn); /* frames of the session may be sent */
void sqx_secure_over      (sqx_conn *conn);       /* CLOSING or later: no attempts, no questions */
void sqx_secure_clear     (sqx_conn *conn);       /* wipes and frees what the link had */
/* Sets the timers that only an encrypted connection has. */
void sqx_secure_update_timers (sqx_conn *conn);
void sqx_secure_timeouts  (sqx_conn *conn, uint64_t now);
/* What was on its way is to be sent again, on whatever link comes next. */
void sqx_secure_drop_link (sqx_conn *conn, uint64_t now);
/* The program is asked about the peer. */
void sqx_secure_ask       (sqx_conn *conn, uint64_t now);
/* Tells the program, if the session may use the link now. */
void sqx_secure_check_connected (sqx_conn *conn);
/* READY came, or what only comes after it. */
void sqx_secure_ready     (sqx_conn *conn);
/* The link is of no more use: a persistent connection reconnects, another gives up with @error. */
void sqx_conn_link_lost   (sqx_conn *conn, uint64_t now, sqx_result error);

/* sqx-dial.c */
void   sqx_dial_start     (sqx_conn *conn, uint64_t now);
void   sqx_dial_stop      (sqx_conn *conn);
/* The peer never answered on the link that this side's handshake made: perhaps it had to drop what
 * it remembered of that. false: it did, or this was tried often enough. */
bool   sqx_dial_again    (sqx_conn *conn, uint64_t now);
size_t sqx_dial_transmit  (sqx_conn *conn, uint64_t now, uint8_t *buffer, size_t capacity);
void   sqx_dial_timeouts  (sqx_conn *conn, uint64_t now);
/* The peer's INIT goes first (design section 6): no resends for a while, once. */
void   sqx_dial_pause     (sqx_conn *conn, uint64_t now);
