/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What comes in: from the first byte of a datagram to the units that its frames are for.
 */
#include "sqx-conn-private.h"

bool
sqx_peek_instance (const uint8_t *data,
                   size_t         size,
                   uint32_t      *instance)
{
  sqx_plain_header header;

  if (!sqx_decode_plain (data, size, &header))
    return false;
  *instance = header.instance;
  return true;
}

static void
fail_violation (sqx_conn   *conn,
                uint64_t    now,
                const char *what)
{
  conn->counters.violation++;
  sqx_conn_fail (conn, now, SQX_ERR_PROTOCOL, SQX_CLOSE_PROTOCOL_VIOLATION, what);
}

/* HELLO -------------------------------------------------------------------------------- */

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

static void
refuse_application (sqx_conn        *conn,
                    uint64_t         now,
                    const sqx_hello *hello)
{
  char reason[2 * SQX_APPLICATION_ID_MAX + 64];
  size_t used = 0;

  used = append (reason, used, sizeof reason, "this is application \"");
  used = append (reason, used, sizeof reason, conn->application_id);
  used = append (reason, used, sizeof reason, "\", not \"");
  used = append (reason, used, sizeof reason, hello->application_id);
  append (reason, used, sizeof reason, "\"");
  sqx_conn_fail (conn, now, SQX_ERR_APPLICATION_MISMATCH, SQX_CLOSE_APPLICATION_MISMATCH, reason);
}

static void
handle_hello (sqx_conn        *conn,
              uint64_t         now,
              const sqx_frame *frame)
{
  sqx_hello hello;

  if (!sqx_hello_decode (&hello, frame->hello.data, frame->hello.size))
    {
      fail_violation (conn, now, "malformed HELLO");
      return;
    }
  /* It is in every packet until it is acknowledged; the first one counts. */
  if (conn->peer_known)
    return;

  memcpy (conn->peer_application_id, hello.application_id, sizeof hello.application_id);
  if (strcmp (hello.application_id, conn->application_id) != 0)
    {
      refuse_application (conn, now, &hello);
      return;
    }
  conn->peer_known = true;
  conn->peer_idle = hello.idle_timeout > 0 ? hello.idle_timeout : SQX_TIME_NEVER;
  conn->link.hello_due = true;
  sqx_link_peer_known (&conn->link, &conn->config, hello.ack_delay, hello.max_datagram_size);
  conn->counters.datagram_too_large +=
    sqx_datagrams_drop_larger (&conn->datagrams, &conn->config,
                               conn->link.datagram - SQX_PLAIN_HEADER - 1);
  sqx_session_peer_known (&conn->session, hello.max_message_size, hello.byte_credit,
                          hello.exchange_credit, hello.max_channels);
  if (conn->state == SQX_STATE_CONNECTING)
    sqx_conn_set_state (conn, SQX_STATE_CONNECTED);
  sqx_events_push (&conn->events, &conn->connected_event, SQX_EVENT_CONNECTED);
}

/* Frames ------------------------------------------------------------------------------- */

static bool
is_eliciting (uint32_t type)
{
  return type != SQX_FRAME_PADDING && type != SQX_FRAME_ACK && type != SQX_FRAME_CLOSE;
}

/* PROTOCOL: a violation that was not told yet. NO_MEMORY: the packet is not acknowledged. */
static sqx_result
handle_frame (sqx_conn        *conn,
              uint64_t         now,
              const sqx_frame *frame)
{
  switch (frame->type)
    {
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
      return SQX_OK;
    case SQX_FRAME_HELLO:
      handle_hello (conn, now, frame);
      return SQX_OK;
    case SQX_FRAME_ACK:
      conn->session.violation = "acknowledgement of a packet that was never sent";
      return sqx_link_handle_ack (&conn->link, now, &frame->ack);
    case SQX_FRAME_CLOSE:
      sqx_conn_peer_closed (conn, now, frame->close.code, frame->close.reason, frame->close.size);
      return SQX_OK;
    case SQX_FRAME_DATAGRAM:
      if (sqx_datagrams_receive (&conn->datagrams, &conn->events, frame->datagram.data,
                                 frame->datagram.size))
        conn->statistics.datagrams_received++;
      else
        conn->counters.datagram_queue_full++;
      return SQX_OK;
    case SQX_FRAME_READY:
    case SQX_FRAME_RECEIVED:
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      conn->session.violation = "frame that PLAIN does not have";
      return SQX_ERR_PROTOCOL;
    default:
      return sqx_session_handle_frame (&conn->session, now, frame);
    }
}

/* Processes all frames. false: the packet must not be acknowledged, or the connection is over. */
static bool
handle_frames (sqx_conn   *conn,
               uint64_t    now,
               sqx_reader  reader,
               bool       *eliciting)
{
  sqx_result result = SQX_OK;
  sqx_frame frame;

  if (reader.at == reader.end)
    {
      fail_violation (conn, now, "packet without frames");
      return false;
    }
  while (reader.at < reader.end)
    {
      if (!sqx_decode_frame (&reader, &frame))
        {
          fail_violation (conn, now, "malformed frame");
          return false;
        }
      *eliciting |= is_eliciting (frame.type);
      result = handle_frame (conn, now, &frame);
      if (result == SQX_ERR_PROTOCOL)
        fail_violation (conn, now, conn->session.violation);
      if (result != SQX_OK || sqx_conn_is_over (conn))
        return false;
    }
  return true;
}

/* Packets ------------------------------------------------------------------------------ */

/* While closing, only the peer's CLOSE matters; everything else is answered by the own one. */
static void
handle_while_closing (sqx_conn  *conn,
                      sqx_reader reader)
{
  sqx_frame frame;
  bool has_close = false;

  while (reader.at < reader.end && sqx_decode_frame (&reader, &frame))
    has_close |= frame.type == SQX_FRAME_CLOSE;
  sqx_conn_answer_close (conn, has_close);
}

static bool
begins_with_hello (sqx_reader reader)
{
  sqx_hello hello;
  sqx_frame frame;

  return sqx_decode_frame (&reader, &frame) && frame.type == SQX_FRAME_HELLO &&
         sqx_hello_decode (&hello, frame.hello.data, frame.hello.size);
}

/* What the program chose for its channels outlives the session. */
static void
copy_channels (sqx_session       *session,
               const sqx_session *old)
{
  for (uint32_t id = 0; id < old->n_channels; id++)
    {
      const sqx_channel *from = old->channels[id];
      sqx_channel *to = from ? sqx_session_channel (session, id) : NULL;

      if (to != NULL)
        {
          to->opened = from->opened;
          to->priority = from->priority;
          to->serialized = from->serialized;
        }
      session->out_of_memory |= from != NULL && to == NULL;
    }
}

/* The peer restarted: it knows nothing of the session, so that is over; the connection is not. */
static void
restart (sqx_conn *conn)
{
  sqx_session old;
  uint64_t next_number = conn->link.recovery.sent.next_number;

  sqx_session_detach (&conn->session, SQX_ERR_SESSION_LOST, true);
  old = conn->session;
  sqx_session_init (&conn->session, &conn->config, &conn->events, &conn->counters,
                    &conn->statistics, &conn->link.rtt, ++conn->incarnation);
  copy_channels (&conn->session, &old);
  conn->session.accepts = old.accepts;
  conn->session.closing = old.closing;
  sqx_session_clear (&old);

  sqx_link_clear (&conn->link);
  sqx_link_init (&conn->link, &conn->session, &conn->config, next_number);
  conn->peer_known = false;
  conn->busy_since = SQX_TIME_NEVER;
  sqx_events_push (&conn->events, &conn->restarted_event, SQX_EVENT_RESTARTED);
}

/* Whether the packet is of the peer, adopting it if it is new. */
static bool
is_from_peer (sqx_conn               *conn,
              uint64_t                now,
              const sqx_plain_header *header,
              sqx_reader              reader)
{
  sqx_counters *counters = &conn->counters;
  sqx_plain_verdict verdict = sqx_plain_judge (&conn->plain, header);

  switch (verdict)
    {
    case SQX_PLAIN_ACCEPT:
      return true;
    case SQX_PLAIN_FORMER:
      counters->former_epoch++;
      return false;
    case SQX_PLAIN_WRONG:
    case SQX_PLAIN_UNKNOWN:
      if (verdict == SQX_PLAIN_WRONG)
        counters->wrong_epoch++;
      else
        counters->unknown_epoch++;
      if (!sqx_conn_is_over (conn) && !sqx_plain_hint (&conn->plain, &conn->config, now, verdict,
                                                       header->source_epoch))
        counters->hint_limited++;
      return false;
    case SQX_PLAIN_ADOPT:
    case SQX_PLAIN_RESTART:
      /* A peer that answers only now is still told, and its CLOSE is still heard. */
      if (sqx_conn_is_over (conn)
          && (verdict == SQX_PLAIN_RESTART || conn->state != SQX_STATE_CLOSING))
        {
          counters->after_close++;
          return false;
        }
      if (!begins_with_hello (reader))
        {
          counters->no_hello++;
          return false;
        }
      if (verdict == SQX_PLAIN_RESTART)
        restart (conn);
      sqx_plain_adopt (&conn->plain, header);
      return true;
    }
  return false;
}

static bool
is_new_packet (sqx_conn *conn,
               uint64_t  number)
{
  switch (sqx_acks_check (&conn->link.acks, number))
    {
    case SQX_ACKS_DUPLICATE:
      conn->counters.duplicate_packet++;
      return false;
    case SQX_ACKS_OLD:
      conn->counters.old_packet++;
      return false;
    case SQX_ACKS_NEW:
      return true;
    }
  return false;
}

static void
handle_packet (sqx_conn               *conn,
               uint64_t                now,
               const sqx_plain_header *header,
               sqx_reader              reader)
{
  bool eliciting = false;
  uint64_t number;

  if (!is_from_peer (conn, now, header, reader))
    return;
  if (conn->state == SQX_STATE_CLOSING)
    {
      handle_while_closing (conn, reader);
      return;
    }
  if (sqx_conn_is_over (conn))
    {
      conn->counters.after_close++;
      return;
    }
  number = sqx_acks_expand (&conn->link.acks, header->number);
  if (!is_new_packet (conn, number))
    return;

  conn->statistics.packets_received++;
  conn->statistics.bytes_received += SQX_PLAIN_HEADER + (uint64_t) (reader.end - reader.at);
  sqx_conn_heard_peer (conn, now);
  if (handle_frames (conn, now, reader, &eliciting) &&
      !sqx_acks_add (&conn->link.acks, now, number, eliciting))
    conn->counters.no_memory++;
}

void
sqx_conn_handle_datagram (sqx_conn      *conn,
                          uint64_t       now,
                          const uint8_t *data,
                          size_t         size)
{
  sqx_plain_header header;
  sqx_reader reader;

  if (size == 0 || data[0] != SQX_PACKET_PLAIN)
    conn->counters.foreign++;
  else if (!sqx_decode_plain (data, size, &header))
    conn->counters.truncated++;
  else if (header.instance != conn->plain.instance)
    conn->counters.foreign++;
  else if (size > SQX_MAX (conn->config.max_datagram_size, SQX_DATAGRAM_DEFAULT))
    conn->counters.oversized++; /* the peer cannot know of a lower limit before HELLO */
  else
    {
      reader.at = data + SQX_PLAIN_HEADER;
      reader.end = data + size;
      handle_packet (conn, now, &header, reader);
      sqx_conn_settle (conn, now);
    }
}
