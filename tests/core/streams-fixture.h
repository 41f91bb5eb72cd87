/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that use streams: what they write is a pattern, which the reader knows by its place.
 */
#pragma once

#include "pair.h"
#include "session-check.h"
#include "sqx-conn-private.h"
#include "streams-pattern.h"

static inline sqx_conn *
conn_of (Pair *pair, guint side)
{
  return pair->side[side].conn;
}

static inline sqx_stream_status
status_of (Pair *pair, guint side, sqx_stream *stream)
{
  sqx_stream_status status;

  sqx_conn_stream_status (conn_of (pair, side), stream, &status);
  return status;
}

static inline sqx_stream *
open_stream (Pair *pair, guint side)
{
  sqx_stream *stream = NULL;

  g_assert_cmpint (sqx_conn_open_stream (conn_of (pair, side), pair->now, &stream), ==, SQX_OK);
  return stream;
}

/* The @nth that the peer of @side's other end opened. */
static inline sqx_stream *
accepted (Pair *pair, guint side, guint nth)
{
  g_assert_cmpuint (nth, <, pair->side[side].streams->len);
  return g_ptr_array_index (pair->side[side].streams, nth);
}

static inline sqx_result
write_bytes (Pair *pair, guint side, sqx_stream *stream, const void *data, gsize size)
{
  sqx_payload payload = { data, size, NULL };

  return sqx_conn_stream_write (conn_of (pair, side), pair->now, stream, &payload);
}

/* Up to @most bytes of the pattern from *@offset on, as far as there is room. */
static inline void
write_pattern (Pair *pair, guint side, sqx_stream *stream, guint64 *offset, guint64 most)
{
  pattern_write (conn_of (pair, side), pair->now, stream, offset, most);
}

/* Everything that is there; it must be the pattern from *@offset on. TRUE: the end. */
static inline gboolean
read_pattern (Pair *pair, guint side, sqx_stream *stream, guint64 *offset)
{
  return pattern_read (conn_of (pair, side), pair->now, stream, offset);
}

static inline char *
read_text (Pair *pair, guint side, sqx_stream *stream)
{
  GString *text = g_string_new (NULL);
  sqx_message message;

  while (sqx_conn_stream_read (conn_of (pair, side), pair->now, stream, &message))
    {
      g_string_append_len (text, (const char *) message.data, (gssize) message.size);
      if (message.size == 0)
        g_string_append_c (text, '.');
      free (message.data);
    }
  return g_string_free (text, FALSE);
}

#define assert_reads(pair, side, stream, wanted)                   \
  G_STMT_START                                                     \
  {                                                                \
    g_autofree char *text_ = read_text ((pair), (side), (stream)); \
    g_assert_cmpstr (text_, ==, (wanted));                         \
  }                                                                \
  G_STMT_END

static inline void
close_write (Pair *pair, guint side, sqx_stream *stream)
{
  sqx_conn_stream_close_write (conn_of (pair, side), pair->now, stream);
}

static inline void
release (Pair *pair, guint side, sqx_stream *stream)
{
  sqx_stream_release (conn_of (pair, side), pair->now, stream);
}

static inline void
take_streams (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    pair->side[i].streams = g_ptr_array_new ();
}

static inline void
forget_streams (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    g_clear_pointer (&pair->side[i].streams, g_ptr_array_unref);
}

/* All counts agree, and no stream is left. */
static inline void
assert_no_streams (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    {
      const sqx_session *session = &conn_of (pair, i)->session;

      g_assert_cmpstr (session_check (session), ==, NULL);
      g_assert_cmpuint (sqx_index_count (&session->streams.index), ==, 0);
      g_assert_cmpuint (session->streams.open[0] + session->streams.open[1], ==, 0);
      g_assert_cmpuint (session->streams.cost_in + session->streams.cost_out, ==, 0);
      g_assert_cmpuint (session->open_incoming, ==, 0);
    }
  pair_assert_quiet (pair);
}

/* The end of a test whose streams are released: none is left, and @pair goes. */
static inline void
finish_streams (Pair *pair)
{
  pair_drive (pair);
  assert_no_streams (pair);
  forget_streams (pair);
  pair_free (pair);
}
