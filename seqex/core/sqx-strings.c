/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-conn-private.h"

#include <stdlib.h>

const char *
sqx_result_string (sqx_result result)
{
  switch (result)
    {
    case SQX_OK:                       return "success";
    case SQX_ERR_NO_MEMORY:            return "out of memory";
    case SQX_ERR_INVALID:              return "argument out of range";
    case SQX_ERR_CLOSED:               return "connection closed";
    case SQX_ERR_TOO_LARGE:            return "payload too large";
    case SQX_ERR_QUEUE_FULL:           return "queue full";
    case SQX_ERR_ALREADY_ANSWERED:     return "message already answered";
    case SQX_ERR_SESSION_LOST:         return "peer restarted";
    case SQX_ERR_TIMED_OUT:            return "peer silent";
    case SQX_ERR_UNREACHABLE:          return "peer unreachable";
    case SQX_ERR_PROTOCOL:             return "protocol violation";
    case SQX_ERR_APPLICATION_MISMATCH: return "other application";
    case SQX_ERR_PEER_CLOSED:          return "closed by the peer";
    case SQX_ERR_REFUSED:              return "refused by the peer";
    case SQX_ERR_UNTRUSTED:            return "the peer is not trusted";
    case SQX_ERR_VERSION:              return "no version of the protocol in common";
    }
  return "unknown result";
}

const char *
sqx_state_string (sqx_state state)
{
  switch (state)
    {
    case SQX_STATE_CONNECTING: return "connecting";
    case SQX_STATE_CONNECTED:  return "connected";
    case SQX_STATE_RECONNECTING: return "reconnecting";
    case SQX_STATE_FINISHING:  return "finishing";
    case SQX_STATE_CLOSING:    return "closing";
    case SQX_STATE_DRAINING:   return "draining";
    case SQX_STATE_CLOSED:     return "closed";
    }
  return "unknown state";
}

const char *
sqx_end_reason_string (sqx_end_reason reason)
{
  switch (reason)
    {
    case SQX_END_ENDED:     return "ended";
    case SQX_END_UNHANDLED: return "unhandled";
    case SQX_END_FAILED:    return "failed";
    case SQX_END_CANCELLED: return "cancelled";
    case SQX_END_CLOSING:   return "closing";
    }
  return "unknown reason";
}

char *
sqx_text_copy (const void *text,
               size_t      size)
{
  char *copy = size > 0 ? calloc (1, size + 1) : NULL;

  return copy != NULL ? memcpy (copy, text, size) : NULL;
}

/* Appends as much of @text as fits. */
static size_t
append (char       *buffer,
        size_t      used,
        size_t      capacity,
        const char *text)
{
  size_t size = SQX_MIN (strlen (text), capacity - 1 - used);

  memcpy (buffer + used, text, size);
  buffer[used + size] = '\0';
  return used + size;
}

void
sqx_application_mismatch (char        reason[SQX_APPLICATION_REASON_MAX],
                          const char *own,
                          const char *peer)
{
  size_t used = 0;

  used = append (reason, used, SQX_APPLICATION_REASON_MAX, "this is application \"");
  used = append (reason, used, SQX_APPLICATION_REASON_MAX, own);
  used = append (reason, used, SQX_APPLICATION_REASON_MAX, "\", not \"");
  used = append (reason, used, SQX_APPLICATION_REASON_MAX, peer);
  append (reason, used, SQX_APPLICATION_REASON_MAX, "\"");
}
