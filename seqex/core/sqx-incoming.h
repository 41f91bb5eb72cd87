/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages on their way in: put together, put in order, delivered, cancelled. What follows is
 * the part of sqx-handover.h.
 */
#pragma once

#include "sqx-received.h"
#include "sqx-wire.h"

/* A MESSAGE or CANCEL frame. PROTOCOL: a violation, session->violation says which. NO_MEMORY: the
 * packet must not be acknowledged. */
sqx_result sqx_incoming_handle_message (sqx_session *session, uint64_t now, const sqx_frame *frame);
sqx_result sqx_incoming_handle_cancel  (sqx_session *session, uint64_t now, const sqx_frame *frame);

/* The session is lost: takes the record out of it. @lost: the program is told of what it took. */
void sqx_incoming_detach (sqx_incoming *message, bool lost);
