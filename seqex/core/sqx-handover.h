/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Delivered messages: in queues for the program, taken by it, answered, settled.
 */
#pragma once

#include "sqx-received.h"
#include "sqx-sent.h"

/* Puts a delivered initial message where the program finds it. */
void sqx_handover_queue (sqx_incoming *message);
/* After @channel was opened, serialized or freed of that: its messages go to their right queue. */
void sqx_handover_requeue (sqx_session *session, sqx_channel *channel);

/* Answers by an end. The message has no answer yet. */
void sqx_handover_end (sqx_incoming *message, uint64_t now, sqx_end_reason reason);
/* The program takes the next message waiting in @queue. NULL: none. */
sqx_incoming *sqx_handover_next (const sqx_channel *queue);
void sqx_handover_take (sqx_incoming *message, uint64_t now, sqx_message *out);
/* The program has the reply that an event brings. */
void sqx_handover_take_reply (sqx_incoming *message, uint64_t now, sqx_message *out);
/* Lets the next ordered message of a serialized channel through. */
void sqx_handover_release (sqx_incoming *message);

/* The end was acknowledged, or the reply to it answered: nothing more is owed. @exchange_over: no
 * further message of the exchange follows. */
void sqx_handover_settle (sqx_incoming *message, uint64_t now, bool exchange_over);
/* The fate of an END that was sent. */
void sqx_handover_ends_acked (sqx_session *session, uint64_t now, const sqx_record *record);
void sqx_handover_ends_lost  (sqx_session *session, const sqx_record *record);

/* Ends every initial message that the program has not taken. */
void sqx_handover_end_untaken (sqx_session *session, uint64_t now, sqx_end_reason reason);
/* Ends every message that the program took and did not answer. */
void sqx_handover_end_taken   (sqx_session *session, uint64_t now, sqx_end_reason reason);
