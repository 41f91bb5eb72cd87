/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes of outgoing messages: cut into packets, lost, acknowledged, released.
 */
#pragma once

#include "sqx-outgoing.h"

/* @message was begun, or lost bytes, and is in no list: it gets its turns. */
void sqx_fragments_queue        (sqx_outgoing *message);
/* Writes fragments, by priority and then in turn; and cancels. */
void sqx_fragments_pack         (sqx_session *session, sqx_packet *packet);
void sqx_fragments_pack_cancels (sqx_session *session, sqx_packet *packet);
/* Whether there are any to be written. */
bool sqx_fragments_due          (const sqx_session *session);

/* The fate of what was packed. */
void sqx_fragments_acked       (sqx_session *session, const sqx_record *record);
void sqx_fragments_lost        (sqx_session *session, const sqx_record *record);
void sqx_fragments_cancel_lost (sqx_session *session, const sqx_record *record);

/* The bytes are needed no more. */
void sqx_fragments_release (sqx_outgoing *message);
