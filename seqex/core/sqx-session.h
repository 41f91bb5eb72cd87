/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The session: channels, exchanges, order and credit. It knows messages and frames; packets, keys
 * and addresses are the link's, which carries what the session packs and tells it the fate.
 */
#pragma once

#include "sqx-channels.h"
#include "sqx-incoming.h"
#include "sqx-outgoing.h"
#include "sqx-packet.h"

/* Copies nothing of what it points at. */
void sqx_session_init  (sqx_session *session, const sqx_config *config, sqx_node *events,
                        sqx_counters *counters, sqx_statistics *statistics, const uint64_t *rtt,
                        uint32_t incarnation);
/* After sqx_session_detach(). */
void sqx_session_clear (sqx_session *session);
/* Gives back the memory that is kept for messages to come. */
void sqx_session_rest  (sqx_session *session);
/* Fails every wait with @error and takes all messages out. @lost: the program is told of the
 * messages that it took, and those that wait for it go; else they stay for it. */
void sqx_session_detach (sqx_session *session, sqx_result error, bool lost);

/* Opens, serializes …: see sqx_conn_*. */
void         sqx_session_open_channel (sqx_session *session, sqx_channel *channel);


/* The peer's HELLO came. */
void       sqx_session_peer_known   (sqx_session *session, uint64_t max_message, uint64_t bytes,
                                     uint64_t exchanges, uint64_t max_channels);
/* CREDIT, END, CANCEL, MESSAGE. As sqx_incoming_handle_message(). */
sqx_result sqx_session_handle_frame (sqx_session *session, uint64_t now, const sqx_frame *frame);

/* Whether messages wait for units of exchange credit: what gives them back waits for nothing. */
bool     sqx_session_starves  (const sqx_session *session);
/* Whether something must go out now, or at which time it must. */
bool     sqx_session_due      (const sqx_session *session, uint64_t now);
uint64_t sqx_session_deadline (const sqx_session *session);
/* Writes what fits of all that is there; also what would not go out alone yet. */
void     sqx_session_pack     (sqx_session *session, sqx_packet *packet);
void     sqx_session_acked    (sqx_session *session, uint64_t now, const sqx_record *record);
void     sqx_session_lost     (sqx_session *session, const sqx_record *record);

/* Begins to close: design rule 14. */
void sqx_session_close     (sqx_session *session, uint64_t now);
/* Whether nothing is left that an orderly close waits for. */
bool sqx_session_is_finished (const sqx_session *session);
/* Whether any exchange is open, begun or queued. */
bool sqx_session_is_busy   (const sqx_session *session);
