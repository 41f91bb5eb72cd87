/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A session gets another link: what was on its way on the old one is sent again, but for what the
 * peer says that it has (RECEIVED). Deduplication makes that safe, whatever was or was not known.
 */
#pragma once

#include "sqx-channels.h"
#include "sqx-packet.h"
#include "sqx-wire.h"

/* Everything begun and not known to be delivered is to be sent again, CREDIT first; and the peer is
 * to hear what arrived whole. After sqx_recovery_lose_all() of the old link. */
void sqx_resume_begin (sqx_session *session);
/* Whether there is a RECEIVED to be sent; writes those that fit. */
bool sqx_resume_due   (const sqx_session *session);
void sqx_resume_pack  (sqx_session *session, sqx_packet *packet);
/* One was lost: the list begins anew. */
void sqx_resume_lost  (sqx_session *session);
/* The peer has these whole: their bytes are needed no more. PROTOCOL: one was never sent. */
sqx_result sqx_resume_handle_received (sqx_session *session, const sqx_frame *frame);
