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

void
sqx_conn_learn_peer (sqx_conn        *conn,
                     const sqx_hello *hello,
                     bool             resumed)
{
  conn->peer_known = true;
  conn->peer_idle = hello->idle_timeout > 0 ? hello->idle_timeout : SQX_TIME_NEVER;
  sqx_link_peer_known (&conn->link, &conn->config, hello->ack_delay, hello->max_datagram_size);
  if (resumed)
    return;
  sqx_session_peer_known (&conn->session, hello->max_message_size, hello->byte_credit,
                          hello->exchange_credit, hello->max_channels);
  sqx_streams_peer_known (&conn->session,
                          conn->secure != NULL
                          ? memcmp (conn->secure->session_id, hello->session_id,
                                    SQX_SESSION_ID_SIZE) < 0
                          : conn->plain.epoch < conn->plain.peer_epoch,
                          hello->max_streams, hello->stream_window);
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

  if (strcmp (hello.application_id, conn->application_id) != 0)
    {
      char reason[SQX_APPLICATION_REASON_MAX];

      conn->other_application_id = sqx_text_copy (hello.application_id,
                                                  strlen (hello.application_id));
      sqx_application_mismatch (reason, conn->application_id, hello.application_id);
      sqx_conn_fail (conn, now, SQX_ERR_APPLICATION_MISMATCH, SQX_CLOSE_APPLICATION_MISMATCH,
                     reason);
      return;
    }
  sqx_conn_learn_peer (conn, &hello, false);
  conn->link.hello_due = true;
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

/* What is wrong with @frame in a packet of this kind of connection, now; NULL: nothing. */
static const char *
find_misplaced (sqx_conn        *conn,
                const sqx_frame *frame)
{
  const sqx_secure *secure = conn->secure;

  switch (frame->type)
    {
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
    case SQX_FRAME_ACK:
    case SQX_FRAME_CLOSE:
      return NULL;
    case SQX_FRAME_HELLO:
      return secure != NULL ? "HELLO after the handshake" : NULL;
    case SQX_FRAME_READY:
      return secure == NULL || !secure->initiator ? "READY that is not for this side to get" : NULL;
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      return secure == NULL ? "frame that PLAIN does not have" : NULL;
    case SQX_FRAME_RECEIVED:
      if (secure == NULL)
        return "frame that PLAIN does not have";
      break;
    default:
      break;
    }

  /* What only comes after READY may overtake it. Who accepts may not have accepted yet. */
  if (secure != NULL && !secure->ready)
    {
      if (!secure->initiator)
        return "frame of the session before READY";
      sqx_secure_ready (conn);
    }
  return NULL;
}

static sqx_result
handle_ack (sqx_conn      *conn,
            uint64_t       now,
            const sqx_ack *ack)
{
  sqx_result result = sqx_link_handle_ack (&conn->link, now, ack);

  if (result == SQX_ERR_PROTOCOL)
    conn->session.violation = "acknowledgement of a packet that was never sent";
  else if (conn->secure != NULL)
    sqx_keys_acked (&conn->secure->keys, ack->largest);
  return result;
}

static void
handle_response (sqx_conn        *conn,
                 uint64_t         now,
                 const sqx_frame *frame)
{
  uint64_t rtt;
  sqx_path_change change = sqx_path_proven (&conn->secure->path, now, frame->challenge.token, &rtt);

  if (change == SQX_PATH_SAME)
    return;
  /* What went to the old address since the peer left did not arrive. */
  sqx_recovery_lose_all (&conn->link.recovery, now);
  if (change == SQX_PATH_HOST)
    {
      sqx_link_new_path (&conn->link);
      sqx_recovery_new_path (&conn->link.recovery, now, rtt);
    }
  sqx_events_push (&conn->events, &conn->moved_event, SQX_EVENT_MOVED);
}

/* PROTOCOL: a violation that was not told yet. NO_MEMORY: the packet is not acknowledged. @size is
 * that of the packet. */
static sqx_result
handle_frame (sqx_conn        *conn,
              uint64_t         now,
              const sqx_frame *frame,
              size_t           size)
{
  const char *misplaced = find_misplaced (conn, frame);

  if (misplaced != NULL)
    {
      conn->session.violation = misplaced;
      return SQX_ERR_PROTOCOL;
    }
  switch (frame->type)
    {
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
      return SQX_OK;
    case SQX_FRAME_HELLO:
      handle_hello (conn, now, frame);
      return SQX_OK;
    case SQX_FRAME_ACK:
      return handle_ack (conn, now, &frame->ack);
    case SQX_FRAME_CLOSE:
      sqx_conn_peer_closed (conn, now, frame->close.code, frame->close.reason, frame->close.size);
      return SQX_OK;
    case SQX_FRAME_DATAGRAM:
      return SQX_OK; /* see receive_datagrams() */
    case SQX_FRAME_READY:
      sqx_secure_ready (conn);
      return SQX_OK;
    case SQX_FRAME_CHALLENGE:
      sqx_path_challenged (&conn->secure->path, conn->from, frame->challenge.token, size);
      return SQX_OK;
    case SQX_FRAME_RESPONSE:
      handle_response (conn, now, frame);
      return SQX_OK;
    default:
      conn->stall_pings = 0;
      return sqx_session_handle_frame (&conn->session, now, frame);
    }
}

/* Unconfirmed datagrams come when the whole packet is accepted: one that is refused for another
 * frame may arrive again, as a copy that the network made, and would deliver them twice. */
static void
receive_datagrams (sqx_conn  *conn,
                   sqx_reader reader)
{
  sqx_frame frame;

  while (reader.at < reader.end && sqx_decode_frame (&reader, &frame))
    if (frame.type != SQX_FRAME_DATAGRAM)
      continue;
    else if (sqx_datagrams_receive (&conn->datagrams, &conn->events, frame.datagram.data,
                                    frame.datagram.size))
      conn->statistics.datagrams_received++;
    else
      conn->counters.datagram_queue_full++;
}

/* Processes all frames. false: the packet must not be acknowledged, or the connection is over. */
static bool
handle_frames (sqx_conn   *conn,
               uint64_t    now,
               sqx_reader  reader,
               bool       *eliciting)
{
  sqx_result result = SQX_OK;
  sqx_reader all = reader;
  size_t size = (size_t) (reader.end - reader.at);
  bool datagrams = false;
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
      datagrams |= frame.type == SQX_FRAME_DATAGRAM;
      result = handle_frame (conn, now, &frame, size);
      if (result == SQX_ERR_PROTOCOL)
        fail_violation (conn, now, conn->session.violation);
      if (result != SQX_OK || sqx_conn_is_over (conn))
        return false;
    }
  if (datagrams)
    receive_datagrams (conn, all);
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

/* The peer restarted: it knows nothing of the session, so that is over; the connection is not. */
static void
restart (sqx_conn *conn)
{
  uint64_t next_number = conn->link.recovery.sent.next_number;

  sqx_conn_new_session (conn);
  sqx_link_clear (&conn->link);
  sqx_link_init (&conn->link, &conn->session, &conn->config, next_number);
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

/* The frames of a packet that is the peer's, and new. */
static void
handle_accepted (sqx_conn  *conn,
                 uint64_t   now,
                 uint64_t   number,
                 size_t     size,
                 sqx_reader reader)
{
  bool eliciting = false;

  conn->statistics.packets_received++;
  conn->statistics.bytes_received += size;
  sqx_conn_heard_peer (conn, now);
  if (!handle_frames (conn, now, reader, &eliciting))
    return;
  if (!sqx_acks_add (&conn->link.acks, now, number, eliciting))
    conn->counters.no_memory++;
  conn->link.acks.immediate |= eliciting && sqx_session_starves (&conn->session);
}

static void
handle_packet (sqx_conn               *conn,
               uint64_t                now,
               const sqx_plain_header *header,
               sqx_reader              reader)
{
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
  if (is_new_packet (conn, number))
    handle_accepted (conn, now, number, SQX_PLAIN_HEADER + (size_t) (reader.end - reader.at),
                     reader);
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

/* Encrypted packets -------------------------------------------------------------------- */

/* Opens the packet in place. false: it is not the peer's, or comes too late. */
static bool
open_packet (sqx_conn *conn,
             uint64_t  now,
             uint8_t   phase,
             uint64_t  number,
             uint8_t  *data,
             size_t    size)
{
  uint64_t retain = 3 * sqx_recovery_pto (&conn->link.recovery);

  switch (sqx_keys_open (&conn->secure->keys, now, retain, phase, number, data,
                         SQX_DATA_HEADER, data + SQX_DATA_HEADER,
                         size - SQX_DATA_HEADER - SQX_TAG_SIZE))
    {
    case SQX_KEYS_OK:
      return true;
    case SQX_KEYS_NO_MEMORY:
      conn->counters.no_memory++;
      return false;
    case SQX_KEYS_FORGED:
      conn->counters.forged++;
      return false;
    case SQX_KEYS_EXHAUSTED:
      conn->counters.forged++;
      if (!sqx_conn_is_over (conn))
        sqx_conn_link_lost (conn, now, SQX_ERR_PROTOCOL);
      return false;
    }
  return false;
}

static bool
is_newest (const sqx_conn *conn,
           uint64_t        number)
{
  const sqx_ranges *received = &conn->link.acks.received;

  return received->count == 0 || number >= received->items[received->count - 1].end;
}

static void
handle_data (sqx_conn              *conn,
             uint64_t               now,
             const sqx_address     *from,
             const sqx_data_header *header,
             uint8_t               *data,
             size_t                 size)
{
  sqx_secure *secure = conn->secure;
  uint64_t number = sqx_acks_expand (&conn->link.acks, header->number);
  sqx_reader reader = { data + SQX_DATA_HEADER, data + size - SQX_TAG_SIZE };

  if (!is_new_packet (conn, number) || !open_packet (conn, now, header->phase, number, data, size))
    return;
  /* The peer has the keys, so CONFIRM arrived. */
  if (!secure->proven)
    sqx_dial_stop (conn);
  secure->dial.unproven = 0;
  secure->proven = true;
  sqx_path_received (&secure->path, &conn->config, from, size, is_newest (conn, number));

  conn->from = from;
  if (conn->state == SQX_STATE_CLOSING)
    handle_while_closing (conn, reader);
  else if (sqx_conn_is_over (conn))
    conn->counters.after_close++;
  else
    handle_accepted (conn, now, number, size, reader);
  conn->from = NULL;
}

void
sqx_conn_handle_data (sqx_conn          *conn,
                      uint64_t           now,
                      const sqx_address *from,
                      uint8_t           *data,
                      size_t             size)
{
  sqx_data_header header;

  if (!conn->secure->linked)
    conn->counters.after_close++;
  else if (!sqx_decode_data (data, size, &header))
    conn->counters.truncated++;
  else if (size > SQX_MAX (conn->config.max_datagram_size, SQX_DATAGRAM_DEFAULT))
    conn->counters.oversized++;
  else
    {
      handle_data (conn, now, from, &header, data, size);
      sqx_conn_settle (conn, now);
    }
}
