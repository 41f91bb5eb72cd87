/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

/**
 * SeqexConnectionState:
 * @SEQEX_CONNECTION_STATE_CONNECTING: nothing was heard from the peer yet. Sending works, and what
 *   is sent waits for the peer.
 * @SEQEX_CONNECTION_STATE_CONNECTED: both sides know each other.
 * @SEQEX_CONNECTION_STATE_RECONNECTING: the peer cannot be reached at the moment, and this side
 *   looks for it. Nothing that was begun is lost, and sending works; see
 *   [property@Seqex.Connection:persistent].
 * @SEQEX_CONNECTION_STATE_CLOSING: this side closes, and what was begun is being finished.
 * @SEQEX_CONNECTION_STATE_CLOSED: the end, after an orderly close or a failure.
 *
 * Where a [class@Seqex.Connection] is in its life.
 *
 * The states follow each other in this order only; any of them may be skipped.
 */
typedef enum
{
  SEQEX_CONNECTION_STATE_CONNECTING,
  SEQEX_CONNECTION_STATE_CONNECTED,
  SEQEX_CONNECTION_STATE_RECONNECTING,
  SEQEX_CONNECTION_STATE_CLOSING,
  SEQEX_CONNECTION_STATE_CLOSED,
} SeqexConnectionState;

/**
 * SeqexCongestionControl:
 * @SEQEX_CONGESTION_CONTROL_BBR: by measuring how much the path carries, and how long that takes
 *   (BBR, draft-ietf-ccwg-bbr). Loss that is not caused by too much traffic, as on radio links,
 *   costs little.
 * @SEQEX_CONGESTION_CONTROL_CUBIC: more and more, until something is lost (CUBIC, RFC 9438, with
 *   HyStart++, RFC 9406), as most of TCP does.
 * @SEQEX_CONGESTION_CONTROL_NEWRENO: the same, more slowly (RFC 9002, section 7).
 *
 * How a [class@Seqex.Connection] finds out how fast it may send.
 */
typedef enum
{
  SEQEX_CONGESTION_CONTROL_BBR,
  SEQEX_CONGESTION_CONTROL_CUBIC,
  SEQEX_CONGESTION_CONTROL_NEWRENO,
} SeqexCongestionControl;

/**
 * SeqexTrustPolicy:
 * @SEQEX_TRUST_POLICY_STRICT: nobody: somebody must say yes, be it by an expected key, by the trust
 *   store, or by an answer to [signal@Seqex.Endpoint::authorize].
 * @SEQEX_TRUST_POLICY_ANYONE: whoever proves to own any key. A peer that is opened by name is
 *   remembered in the trust store, if there is one, and another key under that name is refused from
 *   then on.
 *
 * Who is a peer of a [class@Seqex.Endpoint] when nothing else decides.
 */
typedef enum
{
  SEQEX_TRUST_POLICY_STRICT,
  SEQEX_TRUST_POLICY_ANYONE,
} SeqexTrustPolicy;

/**
 * SeqexEndReason:
 * @SEQEX_END_REASON_ENDED: the message was dealt with, and there is nothing to say about it;
 *   %SEQEX_ERROR_NO_REPLY for a peer that waits for a reply.
 * @SEQEX_END_REASON_UNHANDLED: nobody here deals with such a message; %SEQEX_ERROR_UNHANDLED at the
 *   peer.
 * @SEQEX_END_REASON_FAILED: dealing with it failed; %SEQEX_ERROR_HANDLER_FAILED at the peer.
 * @SEQEX_END_REASON_CANCELLED: dealing with it was given up; %SEQEX_ERROR_CANCELLED_BY_PEER at the
 *   peer.
 * @SEQEX_END_REASON_CLOSING: this side is closing; %G_IO_ERROR_CLOSED at the peer.
 *
 * Why a message is answered by an end instead of a reply.
 */
typedef enum
{
  SEQEX_END_REASON_ENDED,
  SEQEX_END_REASON_UNHANDLED,
  SEQEX_END_REASON_FAILED,
  SEQEX_END_REASON_CANCELLED,
  SEQEX_END_REASON_CLOSING,
} SeqexEndReason;

/**
 * SeqexSendFlags:
 * @SEQEX_SEND_FLAGS_NONE: the message is delivered as soon as it is whole.
 * @SEQEX_SEND_FLAGS_ORDERED: the message is delivered after every message that was begun before it
 *   on the same channel, in the same direction.
 *
 * How a message is sent.
 */
typedef enum
{
  SEQEX_SEND_FLAGS_NONE    = 0,
  SEQEX_SEND_FLAGS_ORDERED = 1 << 0,
} SeqexSendFlags;

G_END_DECLS
