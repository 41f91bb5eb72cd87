/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How results of the core become errors of the library. Every function returns a new error.
 */
#pragma once

#include "core/sqx.h"
#include "seqex-error.h"

G_BEGIN_DECLS

/* @failure is why the connection failed, or NULL; it says more than @result can. Not for SQX_OK
 * and SQX_ERR_TOO_LARGE. */
GError *seqex_error_from_result (sqx_result    result,
                                 const GError *failure);

/* What the sender of a message is told when it was answered by an end. */
GError *seqex_error_from_end    (sqx_end_reason reason);

/* Why a connection is closed, NULL after an orderly close. @event is a SQX_EVENT_CLOSED;
 * @send_error is what the transport said last, or NULL. */
GError *seqex_error_from_closed (const sqx_event *event,
                                 const GError    *send_error);

/* @size is that of a payload, @limit the largest that would do. */
GError *seqex_error_too_large   (gsize   size,
                                 guint64 limit);

G_END_DECLS
