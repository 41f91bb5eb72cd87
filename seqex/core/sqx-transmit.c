/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What goes out: one datagram a call, with everything in it that is ready and fits.
 */
#include "sqx-conn-private.h"

/* HELLO -------------------------------------------------------------------------------- */

static size_t
encode_hello (const sqx_conn *conn,
              uint8_t         buffer[SQX_HELLO_MAX])
{
  sqx_hello hello;

  sqx_hello_of_config (&hello, &conn->config);
  return sqx_hello_encode (&hello, buffer);
}

/* Every packet of PLAIN begins with HELLO until the peer is known to have it. */
static bool
needs_hello (const sqx_conn *conn)
{
  if (conn->secure != NULL)
    return false;
  return !conn->peer_known || !conn->link.hello_acked;
}

/* What it takes in a packet: 0 when packets need none any more. */
static size_t
hello_size (const sqx_conn *conn)
{
  uint8_t parameters[SQX_HELLO_MAX];
  size_t size;

  if (!needs_hello (conn))
    return 0;
  size = encode_hello (conn, parameters);
  return 1 + sqx_varint_size (size) + size;
}

static void
pack_hello (sqx_conn   *conn,
            sqx_packet *packet)
{
  uint8_t parameters[SQX_HELLO_MAX];

  sqx_write_hello (&packet->writer, parameters, encode_hello (conn, parameters));
}

/* Of a packet of at most @capacity bytes, for an unconfirmed datagram: one byte is its type. */
static size_t
payload_room (const sqx_conn *conn,
              size_t          capacity)
{
  return SQX_MIN (capacity, conn->link.pmtu.size) - sqx_conn_overhead (conn) - hello_size (conn) - 1;
}

size_t
sqx_conn_max_datagram_payload (const sqx_conn *conn)
{
  return payload_room (conn, conn->link.pmtu.size);
}

/* Packets ------------------------------------------------------------------------------ */

/* The records are not touched: there is room for many. */
static void
init_packet (const sqx_conn *conn,
             sqx_packet     *packet,
             uint8_t        *buffer,
             size_t          capacity)
{
  packet->writer = (sqx_writer) { buffer, 0, capacity };
  packet->count = 0;
  packet->most = conn->link.records;
  packet->eliciting = false;
}

static void
begin_plain (sqx_conn   *conn,
             sqx_packet *packet,
             uint8_t    *buffer,
             size_t      capacity,
             uint32_t    source_epoch,
             uint32_t    destination_epoch)
{
  sqx_plain_header header = {
    .instance = conn->plain.instance,
    .source_epoch = source_epoch,
    .destination_epoch = destination_epoch,
    .number = (uint32_t) conn->link.recovery.sent.next_number,
  };

  conn->plain.called |= destination_epoch == 0;
  init_packet (conn, packet, buffer, capacity);
  sqx_write_plain (&packet->writer, &header);
}

static void
begin_data (sqx_conn   *conn,
            sqx_packet *packet,
            uint8_t    *buffer,
            size_t      capacity)
{
  sqx_secure *secure = conn->secure;
  sqx_data_header header = {
    .destination_id = secure->peer_id,
    .number = (uint32_t) conn->link.recovery.sent.next_number,
  };

  /* A new key is wanted now and then; as long as it cannot be had, the old one goes on. */
  if (secure->wanted_phase > secure->keys.send.phase || sqx_keys_due (&secure->keys))
    (void) sqx_keys_update (&secure->keys);
  header.phase = sqx_keys_phase (&secure->keys);
  init_packet (conn, packet, buffer, capacity - SQX_TAG_SIZE);
  sqx_write_data (&packet->writer, &header);
}

/* Of at most @size bytes, header and tag included. */
static void
begin_packet (sqx_conn   *conn,
              sqx_packet *packet,
              uint8_t    *buffer,
              size_t      size)
{
  if (conn->secure != NULL)
    begin_data (conn, packet, buffer, size);
  else
    begin_plain (conn, packet, buffer, size, conn->plain.epoch, conn->plain.peer_epoch);
  packet->full_size = packet->writer.capacity;
}

/* What cannot be encrypted is a packet that is lost, and its keys may be used up. */
static bool
seal_packet (sqx_conn   *conn,
             uint64_t    number,
             sqx_packet *packet)
{
  sqx_writer *writer = &packet->writer;
  bool sealed = sqx_keys_seal (&conn->secure->keys, number, writer->data, SQX_DATA_HEADER,
                               writer->data + SQX_DATA_HEADER, writer->size - SQX_DATA_HEADER);

  writer->size += SQX_TAG_SIZE;
  return sealed;
}

static size_t
end_packet (sqx_conn   *conn,
            uint64_t    now,
            sqx_packet *packet,
            bool        limited)
{
  bool sealed = conn->secure == NULL ||
                seal_packet (conn, conn->link.recovery.sent.next_number, packet);

  sqx_link_sent (&conn->link, now, packet, limited);
  if (!sealed)
    {
      if (sqx_keys_exhausted (&conn->secure->keys))
        sqx_conn_link_lost (conn, now, SQX_ERR_PROTOCOL);
      return 0;
    }
  conn->statistics.packets_sent++;
  conn->statistics.bytes_sent += packet->writer.size;
  if (conn->secure != NULL)
    conn->destination = &conn->secure->path.address;
  return packet->writer.size;
}

/* A packet beside the link: nothing of it is resent. */
static size_t
transmit_hint (sqx_conn *conn,
               uint64_t  now,
               uint8_t  *buffer,
               size_t    capacity)
{
  sqx_packet packet;
  uint32_t destination = conn->plain.hint_for;

  conn->plain.hint_for = 0;
  if (!sqx_link_prepare (&conn->link, &conn->config))
    return 0;
  begin_plain (conn, &packet, buffer, SQX_MIN (capacity, conn->link.pmtu.size),
               conn->plain.hint_from, destination);
  pack_hello (conn, &packet);
  return end_packet (conn, now, &packet, true);
}

static size_t
transmit_close (sqx_conn *conn,
                uint64_t  now,
                uint8_t  *buffer,
                size_t    capacity)
{
  const sqx_closing *closing = &conn->closing;
  sqx_packet packet;
  const char *reason = sqx_text_or_none (closing->reason);
  size_t size;
  bool aside;

  /* It stays due, and is tried again with the next call. */
  if (!sqx_link_prepare (&conn->link, &conn->config))
    return 0;
  begin_packet (conn, &packet, buffer, SQX_MIN (capacity, conn->link.pmtu.size));
  if (needs_hello (conn))
    pack_hello (conn, &packet);
  /* The code alone fits always. */
  if (!sqx_write_close (&packet.writer, closing->code, reason, strlen (reason)))
    sqx_write_close (&packet.writer, closing->code, "", 0);
  size = end_packet (conn, now, &packet, true);

  /* A peer that seems to have moved is told at both places: no time is left to prove one. */
  aside = size > 0 && conn->secure != NULL && !closing->aside &&
          sqx_path_send_aside (&conn->secure->path, size);
  if (aside)
    conn->destination = &conn->secure->path.candidate;
  conn->closing.aside = conn->closing.due = aside;
  conn->closing.told = true;
  return size;
}

static bool
datagrams_due (const sqx_conn *conn,
               size_t          capacity)
{
  size_t next = sqx_datagrams_next_size (&conn->datagrams);

  return next != SIZE_MAX && next <= payload_room (conn, capacity);
}

/* What neither the peer nor the path nor the transport take would hold up all others. */
static void
drop_too_large (sqx_conn *conn,
                size_t    capacity)
{
  size_t next = sqx_datagrams_next_size (&conn->datagrams);
  size_t room = SQX_MIN (capacity, conn->link.pmtu.size) - sqx_conn_overhead (conn) - 1;

  if (next != SIZE_MAX && next > room)
    conn->counters.datagram_too_large +=
      sqx_datagrams_drop_larger (&conn->datagrams, &conn->config, room);
}

/* A message that is too large to be begun early waits for the peer's HELLO, which only comes as an
 * answer: so this side's goes out alone, and is resent by recovery. */
static bool
must_introduce (const sqx_conn *conn)
{
  return conn->secure == NULL && !conn->peer_known && conn->session.queued > 0 &&
         conn->link.recovery.eliciting_in_flight == 0;
}

static bool
eliciting_due (const sqx_conn *conn,
               uint64_t        now,
               size_t          capacity)
{
  const sqx_link *link = &conn->link;

  return link->hello_due || link->ready_due || link->ping_due || must_introduce (conn) ||
         link->recovery.probes > 0 ||
         (sqx_secure_talks (conn) &&
          (sqx_session_due (&conn->session, now) || datagrams_due (conn, capacity)));
}

/* What asks after a silent peer for the second time is small: perhaps the path does not carry large
 * ones any more. */
static bool
asks_again (const sqx_recovery *recovery)
{
  return recovery->probes > 0 && recovery->pto_count > 1;
}

static size_t
packet_size (const sqx_link *link,
             size_t          capacity)
{
  size_t size = SQX_MIN (capacity, link->pmtu.size);

  return asks_again (&link->recovery) ? SQX_MIN (size, SQX_DATAGRAM_DEFAULT) : size;
}

/* And every other time it is a mere question: what is far ahead of all that arrived the peer cannot
 * take, and does not acknowledge. */
static bool
only_asks (const sqx_recovery *recovery)
{
  return asks_again (recovery) && recovery->probes == 1 &&
         (recovery->pto_count <= 3 || recovery->pto_count % 2 == 1);
}

static void
pack_eliciting (sqx_conn   *conn,
                sqx_packet *packet,
                bool        asks)
{
  if (conn->link.ready_due && sqx_write_ready (&packet->writer))
    {
      sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_READY });
      conn->link.ready_due = false;
    }
  if (sqx_secure_talks (conn) && !asks)
    {
      conn->statistics.datagrams_sent += sqx_datagrams_pack (&conn->datagrams, &conn->config,
                                                             packet);
      sqx_session_pack (&conn->session, packet);
      if (packet->eliciting)
        conn->stall_pings = 0;
    }

  /* A probe must be acknowledged even if there is nothing to say. */
  if (conn->link.ping_due || (conn->link.recovery.probes > 0 && !packet->eliciting))
    if (!sqx_packet_full (packet) && sqx_write_ping (&packet->writer))
      {
        sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_PING });
        conn->link.ping_due = false;
      }
}

static size_t
transmit_packet (sqx_conn *conn,
                 uint64_t  now,
                 uint8_t  *buffer,
                 size_t    capacity)
{
  sqx_link *link = &conn->link;
  sqx_packet packet;
  bool may_send, asks = only_asks (&link->recovery);

  drop_too_large (conn, capacity);
  capacity = packet_size (link, capacity);
  may_send = eliciting_due (conn, now, capacity) && sqx_link_may_send_now (link, now);
  /* However slowly everything else goes, the peer is asked in time. */
  if (!may_send && link->ping_due && sqx_link_may_send (link))
    may_send = asks = true;

  if (!may_send && !sqx_acks_due (&link->acks, now))
    return 0;
  if (!may_send && !sqx_recovery_may_send_plain (&link->recovery))
    {
      sqx_acks_sent (&link->acks);
      return 0;
    }
  if (!sqx_link_prepare (link, &conn->config))
    {
      conn->session.out_of_memory = true;
      return 0;
    }

  begin_packet (conn, &packet, buffer, capacity);
  if (needs_hello (conn))
    {
      pack_hello (conn, &packet);
      sqx_packet_note (&packet, &(sqx_record) { .kind = SQX_RECORD_HELLO });
      link->hello_due = false;
      /* With no room in the window it comes along unasked, like the acknowledgement: there is one
       * on its way that is resent. */
      packet.eliciting = may_send;
    }
  sqx_link_pack_ack (link, now, &packet);
  if (may_send)
    pack_eliciting (conn, &packet, asks);
  if (packet.count == 0 && !packet.eliciting)
    return 0;
  conn->statistics.acks_only += !packet.eliciting;
  return end_packet (conn, now, &packet, !eliciting_due (conn, now, capacity));
}

/* A packet of PADDING up to its capacity: what is asked is about the path. */
static void
pad_packet (sqx_packet *packet)
{
  /* PADDING is zeros. */
  memset (packet->writer.data + packet->writer.size, 0, sqx_writer_room (&packet->writer));
  packet->writer.size = packet->writer.capacity;
}

/* Whether larger datagrams may be tried now: when nothing else is doubtful. */
static bool
may_search (const sqx_conn *conn)
{
  const sqx_secure *secure = conn->secure;

  return sqx_pmtu_wants_probe (&conn->link.pmtu) && conn->peer_known && !needs_hello (conn) &&
         (secure == NULL || (secure->proven && !secure->path.validating)) &&
         conn->link.recovery.pto_count == 0 && sqx_link_may_send (&conn->link);
}

/* A larger datagram than all before, to see whether the path carries it. It fills no window. */
static size_t
transmit_search (sqx_conn *conn,
                 uint64_t  now,
                 uint8_t  *buffer,
                 size_t    capacity)
{
  sqx_link *link = &conn->link;
  sqx_packet packet;
  uint32_t size;

  if (!may_search (conn))
    return 0;
  size = sqx_pmtu_next_probe (&link->pmtu, now, 3 * sqx_recovery_pto (&link->recovery));
  if (size > capacity)
    sqx_link_too_large (link, now, (uint32_t) capacity + 1);
  if (size == 0 || size > capacity || !sqx_link_prepare (link, &conn->config))
    return 0;

  begin_packet (conn, &packet, buffer, size);
  sqx_write_ping (&packet.writer);
  pad_packet (&packet);
  sqx_packet_note (&packet, &(sqx_record) {
    .kind = SQX_RECORD_PROBE, .number = sqx_pmtu_probe_sent (&link->pmtu, now, size),
    .length = size });
  packet.eliciting = false;
  return end_packet (conn, now, &packet, true);
}

static size_t
transmit_frames (sqx_conn *conn,
                 uint64_t  now,
                 uint8_t  *buffer,
                 size_t    capacity)
{
  size_t size = transmit_search (conn, now, buffer, capacity);

  return size > 0 ? size : transmit_packet (conn, now, buffer, capacity);
}

/* Encrypted connections ------------------------------------------------------------------ */

/* A packet that proves an address, or asks for that proof. Larger than it needs to be, so that the
 * path is known to carry datagrams of this size. */
static size_t
transmit_probe (sqx_conn *conn,
                uint64_t  now,
                uint8_t  *buffer,
                size_t    capacity)
{
  sqx_path *path = &conn->secure->path;
  size_t full = SQX_MIN (capacity, SQX_DATAGRAM_DEFAULT);
  size_t room = sqx_path_response_room (path, full);
  bool response = room > 0;
  sqx_packet packet;
  size_t size;

  if (!response)
    room = sqx_path_challenge_room (path, full);
  if (room == 0 || !sqx_link_prepare (&conn->link, &conn->config))
    return 0;

  begin_packet (conn, &packet, buffer, room);
  if (response)
    sqx_write_response (&packet.writer, path->response);
  else
    sqx_write_challenge (&packet.writer, path->challenge);
  pad_packet (&packet);
  sqx_packet_note (&packet, &(sqx_record) { .kind = SQX_RECORD_PING });
  size = end_packet (conn, now, &packet, true);
  conn->destination = response ? &path->response_to : &path->candidate;
  if (response)
    sqx_path_response_sent (path, size);
  else
    sqx_path_challenge_sent (path, now, size, sqx_recovery_pto (&conn->link.recovery));
  return size;
}

static size_t
transmit_secure (sqx_conn *conn,
                 uint64_t  now,
                 uint8_t  *buffer,
                 size_t    capacity)
{
  size_t size = sqx_dial_transmit (conn, now, buffer, capacity);

  if (size == 0 && conn->secure->linked)
    size = transmit_probe (conn, now, buffer, capacity);
  if (size == 0 && conn->secure->linked && !sqx_conn_is_over (conn))
    size = transmit_frames (conn, now, buffer, capacity);
  /* The link may just have used up its keys. */
  if (size == 0)
    size = sqx_dial_transmit (conn, now, buffer, capacity);
  return size;
}

static size_t
transmit_open (sqx_conn *conn,
               uint64_t  now,
               uint8_t  *buffer,
               size_t    capacity)
{
  if (conn->secure != NULL)
    return transmit_secure (conn, now, buffer, capacity);
  return conn->plain.hint_for != 0 ? transmit_hint (conn, now, buffer, capacity)
                                   : transmit_frames (conn, now, buffer, capacity);
}

/* Whether there may be anything to send. Mostly there is not: who empties an endpoint asks once more
 * after the last packet, and a program that hears of a message answers only later. */
static bool
has_work (const sqx_conn *conn,
          uint64_t        now,
          size_t          capacity)
{
  const sqx_secure *secure = conn->secure;
  const sqx_link *link = &conn->link;

  if (conn->state >= SQX_STATE_FINISHING || conn->session.out_of_memory ||
      link->paced_until != SQX_TIME_NEVER || conn->plain.hint_for != 0 ||
      sqx_datagrams_next_size (&conn->datagrams) != SIZE_MAX)
    return true;
  if (secure != NULL && (secure->dial.due || secure->path.due || secure->path.response_due))
    return true;
  return sqx_acks_due (&link->acks, now) || sqx_pmtu_wants_probe (&link->pmtu) ||
         eliciting_due (conn, now, capacity);
}

size_t
sqx_conn_poll_transmit (sqx_conn *conn,
                        uint64_t  now,
                        uint8_t  *buffer,
                        size_t    capacity)
{
  size_t size = 0;

  assert (capacity >= SQX_DATAGRAM_MIN);
  if (!has_work (conn, now, capacity))
    return 0;
  conn->link.paced_until = SQX_TIME_NEVER;
  if (!sqx_conn_is_over (conn))
    {
      size = transmit_open (conn, now, buffer, capacity);
      sqx_conn_check_finished (conn, now);
    }
  if (size == 0 && sqx_conn_is_over (conn) && conn->closing.due)
    size = transmit_close (conn, now, buffer, capacity);
  sqx_conn_update_timers (conn, now);
  return size;
}
