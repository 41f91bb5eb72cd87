/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-error-private.h"

#include <gio/gio.h>

/**
 * seqex_error_quark:
 *
 * The domain of the errors of Seqex, [error@Seqex.Error].
 *
 * Returns: the domain
 */
G_DEFINE_QUARK (seqex-error-quark, seqex_error)

static GError *
new_error (SeqexError  code,
           const char *text)
{
  return g_error_new_literal (SEQEX_ERROR, code, text);
}

static GError *
new_io_error (GIOErrorEnum  code,
              const char   *text)
{
  return g_error_new_literal (G_IO_ERROR, code, text);
}

/* Whether the connection's own failure is the reason for @result. */
static gboolean
is_failure (sqx_result result)
{
  switch (result)
    {
    case SQX_ERR_CLOSED:
    case SQX_ERR_SESSION_LOST:
    case SQX_ERR_TIMED_OUT:
    case SQX_ERR_UNREACHABLE:
    case SQX_ERR_PROTOCOL:
    case SQX_ERR_APPLICATION_MISMATCH:
    case SQX_ERR_PEER_CLOSED:
    case SQX_ERR_REFUSED:
    case SQX_ERR_UNTRUSTED:
    case SQX_ERR_VERSION:
      return TRUE;

    case SQX_OK:
    case SQX_ERR_NO_MEMORY:
    case SQX_ERR_INVALID:
    case SQX_ERR_TOO_LARGE:
    case SQX_ERR_QUEUE_FULL:
    case SQX_ERR_ALREADY_ANSWERED:
      break;
    }
  return FALSE;
}

GError *
seqex_error_from_result (sqx_result    result,
                         const GError *failure)
{
  if (failure != NULL && is_failure (result))
    return g_error_copy (failure);

  switch (result)
    {
    case SQX_ERR_INVALID:
      return new_io_error (G_IO_ERROR_INVALID_ARGUMENT, "The peer has no such channel");
    case SQX_ERR_CLOSED:
      return new_io_error (G_IO_ERROR_CLOSED, "The connection is closed");
    case SQX_ERR_PEER_CLOSED:
      return new_io_error (G_IO_ERROR_CLOSED, "The peer closed the connection");
    case SQX_ERR_ALREADY_ANSWERED:
      return new_error (SEQEX_ERROR_ALREADY_ANSWERED, "The message was answered already");
    case SQX_ERR_SESSION_LOST:
      return new_error (SEQEX_ERROR_SESSION_LOST,
                        "The peer restarted and knows nothing of what was open");
    case SQX_ERR_TIMED_OUT:
      return new_error (SEQEX_ERROR_CONNECTION_LOST, "The peer does not answer any more");
    case SQX_ERR_UNREACHABLE:
      return new_error (SEQEX_ERROR_CONNECTION_LOST, "Nobody answers at the peer's address");
    case SQX_ERR_PROTOCOL:
      return new_error (SEQEX_ERROR_PROTOCOL_VIOLATION, "The protocol was broken");
    case SQX_ERR_APPLICATION_MISMATCH:
      return new_error (SEQEX_ERROR_APPLICATION_MISMATCH, "The peer runs another application");
    case SQX_ERR_UNTRUSTED:
      return new_error (SEQEX_ERROR_UNTRUSTED_PEER, "The peer is not trusted");
    case SQX_ERR_REFUSED:
      return new_error (SEQEX_ERROR_PEER_REFUSED, "The peer refused the connection");
    case SQX_ERR_VERSION:
      return new_error (SEQEX_ERROR_VERSION_MISMATCH,
                        "The two sides have no version of the protocol in common");

    case SQX_OK:
    case SQX_ERR_NO_MEMORY:
    case SQX_ERR_TOO_LARGE:
    case SQX_ERR_QUEUE_FULL:
      break;
    }
  return new_error (SEQEX_ERROR_FAILED, sqx_result_string (result));
}

GError *
seqex_error_from_end (sqx_end_reason reason)
{
  switch (reason)
    {
    case SQX_END_ENDED:
      return new_error (SEQEX_ERROR_NO_REPLY, "The peer ended the message without a reply");
    case SQX_END_UNHANDLED:
      return new_error (SEQEX_ERROR_UNHANDLED, "The peer does not take this message");
    case SQX_END_FAILED:
      return new_error (SEQEX_ERROR_HANDLER_FAILED, "The peer failed to deal with the message");
    case SQX_END_CANCELLED:
      return new_error (SEQEX_ERROR_CANCELLED_BY_PEER, "The peer cancelled the exchange");
    case SQX_END_CLOSING:
      return new_io_error (G_IO_ERROR_CLOSED, "The peer is closing the connection");
    }
  g_assert_not_reached ();
}

GError *
seqex_error_from_closed (const sqx_event *event,
                         const GError    *send_error)
{
  g_autoptr (GError) error = NULL;

  if (event->error == SQX_OK)
    return NULL;
  /* A peer that closes without a complaint ends the connection as orderly as this side would. */
  if (event->error == SQX_ERR_PEER_CLOSED && event->code == SQX_CLOSE_NO_ERROR)
    return NULL;

  if (event->error == SQX_ERR_PEER_CLOSED)
    error = g_error_new (SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED,
                         "The peer closed the connection with code %" G_GUINT64_FORMAT,
                         event->code);
  else if (event->error == SQX_ERR_PROTOCOL)
    error = new_error (SEQEX_ERROR_PROTOCOL_VIOLATION,
                       event->by_peer ? "The peer says that this side broke the protocol"
                                      : "The peer broke the protocol");
  else
    error = seqex_error_from_result (event->error, NULL);

  if (event->reason_text[0] != '\0')
    {
      g_autofree char *reason = g_utf8_make_valid (event->reason_text, -1);

      return g_error_new (error->domain, error->code, "%s: %s", error->message, reason);
    }
  /* A peer that seems silent may never have heard anything. */
  if (event->error == SQX_ERR_TIMED_OUT && send_error != NULL)
    return g_error_new (error->domain, error->code, "%s; sending failed: %s", error->message,
                        send_error->message);
  return g_steal_pointer (&error);
}

GError *
seqex_error_too_large (gsize   size,
                       guint64 limit)
{
  return g_error_new (SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE,
                      "A payload of %" G_GSIZE_FORMAT " bytes is too large, the limit is "
                      "%" G_GUINT64_FORMAT " bytes", size, limit);
}
