/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What programs write into streams: a pattern, which the reader knows by its place.
 */
#pragma once

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "sqx.h"

/* Long, and of no length that others have. */
#define PATTERN_PERIOD 65521u

static inline const guint8 *
pattern (guint64 offset)
{
  static guint8 bytes[PATTERN_PERIOD + SQX_CHUNK_MAX];

  if (bytes[0] == 0)
    for (guint i = 0; i < sizeof bytes; i++)
      bytes[i] = (guint8) (1 + (i % PATTERN_PERIOD * 2654435761u >> 13) % 255);
  return bytes + offset % PATTERN_PERIOD;
}

/* Up to @most bytes of the pattern from *@offset on, as far as there is room. */
static inline void
pattern_write (sqx_conn *conn, guint64 now, sqx_stream *stream, guint64 *offset, guint64 most)
{
  while (*offset < most)
    {
      sqx_stream_status status;
      sqx_payload payload;

      sqx_conn_stream_status (conn, stream, &status);
      /* Being refused is what asks to be told. */
      payload = (sqx_payload) { pattern (*offset), MAX (MIN (status.room, most - *offset), 1),
                                NULL };
      if (sqx_conn_stream_write (conn, now, stream, &payload) != SQX_OK)
        return;
      *offset += payload.size;
    }
}

/* Everything that is there; it must be the pattern from *@offset on. TRUE: the end. */
static inline gboolean
pattern_read (sqx_conn *conn, guint64 now, sqx_stream *stream, guint64 *offset)
{
  sqx_message message;

  while (sqx_conn_stream_read (conn, now, stream, &message))
    {
      if (message.size == 0)
        return TRUE;
      g_assert_cmpint (memcmp (message.data, pattern (*offset), message.size), ==, 0);
      *offset += message.size;
      free (message.data);
    }
  return FALSE;
}
