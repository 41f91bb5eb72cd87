/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

/**
 * SEQEX_ERROR:
 *
 * The domain of the errors in [error@Seqex.Error].
 */
#define SEQEX_ERROR (seqex_error_quark ())

/**
 * SeqexError:
 * @SEQEX_ERROR_FAILED: something failed that has no code of its own.
 * @SEQEX_ERROR_NO_REPLY: the peer dealt with the message and ended it without a reply.
 * @SEQEX_ERROR_UNHANDLED: the peer takes no messages, or none like this one.
 * @SEQEX_ERROR_HANDLER_FAILED: the peer failed while it dealt with the message.
 * @SEQEX_ERROR_CANCELLED_BY_PEER: the peer gave up: dealing with the message, if it received it, or
 *   waiting for the answer, if it sent it.
 * @SEQEX_ERROR_ALREADY_ANSWERED: the message was answered or ended before, or expects no reply.
 * @SEQEX_ERROR_MESSAGE_TOO_LARGE: the payload is larger than what the peer accepts; the error's
 *   message names both sizes.
 * @SEQEX_ERROR_CONNECTION_LOST: the peer or the network to it is gone.
 * @SEQEX_ERROR_SESSION_LOST: the peer restarted and knows nothing of what was open.
 * @SEQEX_ERROR_PEER_REFUSED: the peer closed the connection with a reason of its own.
 * @SEQEX_ERROR_UNTRUSTED_PEER: the peer is not one that is trusted.
 * @SEQEX_ERROR_KEY_CHANGED: the peer has another key than the one that is known for it.
 * @SEQEX_ERROR_APPLICATION_MISMATCH: the peer runs another application.
 * @SEQEX_ERROR_PROTOCOL_VIOLATION: one of the two sides broke the protocol.
 * @SEQEX_ERROR_VERSION_MISMATCH: the two sides have no version of the protocol in common.
 *
 * Errors of Seqex.
 *
 * Three things that can happen to any asynchronous operation are said in the domain of GIO instead:
 * %G_IO_ERROR_CANCELLED, %G_IO_ERROR_TIMED_OUT and %G_IO_ERROR_CLOSED. A queue that is full is
 * %G_IO_ERROR_WOULD_BLOCK.
 */
typedef enum
{
  SEQEX_ERROR_FAILED,
  SEQEX_ERROR_NO_REPLY,
  SEQEX_ERROR_UNHANDLED,
  SEQEX_ERROR_HANDLER_FAILED,
  SEQEX_ERROR_CANCELLED_BY_PEER,
  SEQEX_ERROR_ALREADY_ANSWERED,
  SEQEX_ERROR_MESSAGE_TOO_LARGE,
  SEQEX_ERROR_CONNECTION_LOST,
  SEQEX_ERROR_SESSION_LOST,
  SEQEX_ERROR_PEER_REFUSED,
  SEQEX_ERROR_UNTRUSTED_PEER,
  SEQEX_ERROR_KEY_CHANGED,
  SEQEX_ERROR_APPLICATION_MISMATCH,
  SEQEX_ERROR_PROTOCOL_VIOLATION,
  SEQEX_ERROR_VERSION_MISMATCH,
} SeqexError;

SEQEX_AVAILABLE_IN_ALL
GQuark seqex_error_quark (void);

G_END_DECLS
