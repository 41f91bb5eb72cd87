/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program's side of streams.
 */
#include "sqx-conn-private.h"

#include "sqx-handover.h"

static sqx_result
usable (const sqx_conn   *conn,
        const sqx_stream *stream)
{
  if (stream->error != SQX_OK)
    return stream->error;
  return stream->session != NULL ? sqx_conn_usable (conn, SQX_STATE_RECONNECTING) : SQX_ERR_CLOSED;
}

sqx_result
sqx_conn_open_stream (sqx_conn    *conn,
                      uint64_t     now,
                      sqx_stream **stream)
{
  sqx_result result = sqx_conn_usable (conn, SQX_STATE_RECONNECTING);

  /* A peer that never said READY may be back with another session, in which other ids are even. */
  if (result == SQX_OK && conn->secure != NULL && !conn->secure->used)
    {
      conn->session.streams.wanted = true;
      result = SQX_ERR_QUEUE_FULL;
    }
  if (result == SQX_OK)
    result = sqx_streams_open (&conn->session, stream);
  /* Perhaps there is nothing else to be said, and then nobody would ever say HELLO. */
  if (result == SQX_ERR_QUEUE_FULL && !conn->peer_known && conn->secure == NULL)
    conn->link.ping_due = true;
  sqx_conn_settle (conn, now);
  return result;
}

sqx_result
sqx_conn_stream_write (sqx_conn          *conn,
                       uint64_t           now,
                       sqx_stream        *stream,
                       const sqx_payload *payload)
{
  sqx_result result = usable (conn, stream);

  if (result == SQX_OK && stream->refused)
    result = SQX_ERR_REFUSED;
  if (result == SQX_OK && stream->closed_out)
    result = SQX_ERR_CLOSED;
  if (result == SQX_OK && payload->size > sqx_stream_room (stream))
    {
      stream->blocked = true;
      stream->session->streams.starved = true;
      result = SQX_ERR_QUEUE_FULL;
    }
  if (result == SQX_OK)
    result = payload->size > 0 ? sqx_stream_begin (stream, payload) : SQX_ERR_INVALID;
  sqx_conn_settle (conn, now);
  return result;
}

void
sqx_conn_stream_close_write (sqx_conn   *conn,
                             uint64_t    now,
                             sqx_stream *stream)
{
  if (usable (conn, stream) != SQX_OK)
    return;
  sqx_stream_close_write (stream);
  sqx_conn_settle (conn, now);
}

void
sqx_conn_stream_abort (sqx_conn   *conn,
                       uint64_t    now,
                       sqx_stream *stream)
{
  if (stream->session == NULL)
    return;
  sqx_stream_abort (stream, now);
  sqx_conn_settle (conn, now);
}

void
sqx_conn_stream_close_read (sqx_conn   *conn,
                            uint64_t    now,
                            sqx_stream *stream)
{
  if (stream->session == NULL)
    return;
  sqx_stream_close_read (stream, now);
  sqx_conn_settle (conn, now);
}

bool
sqx_conn_stream_read (sqx_conn    *conn,
                      uint64_t     now,
                      sqx_stream  *stream,
                      sqx_message *message)
{
  sqx_incoming *next = sqx_handover_next (&stream->channel);

  if (next == NULL)
    return false;
  sqx_handover_take (next, now, message);
  stream->eof = message->size == 0;
  sqx_conn_settle (conn, now);
  return true;
}

sqx_result
sqx_conn_stream_set_priority (sqx_conn   *conn,
                              sqx_stream *stream,
                              uint32_t    priority)
{
  if (priority >= SQX_PRIORITIES)
    return SQX_ERR_INVALID;
  if (stream->session != NULL && stream->channel.priority != priority)
    {
      sqx_outgoing_change_priority (stream->session, &stream->channel, (uint8_t) priority);
      sqx_conn_touch (conn);
    }
  return SQX_OK;
}

void
sqx_stream_release (sqx_conn   *conn,
                    uint64_t    now,
                    sqx_stream *stream)
{
  if (stream->session != NULL)
    {
      sqx_stream_close_read (stream, now);
      if (!stream->closed_out)
        sqx_stream_abort (stream, now);
    }
  stream->released = true;
  sqx_event_node_withdraw (&stream->event);
  sqx_stream_free_if_done (stream);
  if (conn != NULL)
    sqx_conn_settle (conn, now);
}

void
sqx_conn_stream_status (const sqx_conn    *conn,
                        const sqx_stream  *stream,
                        sqx_stream_status *status)
{
  sqx_result result = usable (conn, stream);

  status->readable = sqx_handover_next (&stream->channel) != NULL;
  status->drained = stream->drained;
  status->over = stream->over;
  status->read_error = stream->aborted_in ? SQX_ERR_PEER_CLOSED : stream->closed_in ? SQX_ERR_CLOSED
                       : stream->eof ? SQX_OK : result;
  /* Also when nothing else is left of the stream. */
  status->write_error = stream->refused ? SQX_ERR_REFUSED
                        : result == SQX_OK && stream->closed_out ? SQX_ERR_CLOSED : result;
  status->room = status->write_error == SQX_OK ? sqx_stream_room (stream) : 0;
}

void
sqx_stream_set_user_data (sqx_stream *stream,
                          void       *user_data)
{
  stream->user_data = user_data;
}

void *
sqx_stream_user_data (const sqx_stream *stream)
{
  return stream->user_data;
}

uint64_t
sqx_stream_id (const sqx_stream *stream)
{
  return stream->channel.id;
}
