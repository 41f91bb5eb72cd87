/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-link.h"

static void
record_acked (void             *user_data,
              uint64_t          now,
              const sqx_record *record)
{
  sqx_link *link = user_data;

  if (record->kind == SQX_RECORD_ACK)
    sqx_acks_confirmed (&link->acks, record->number);
  else if (record->kind == SQX_RECORD_HELLO)
    {
      link->hello_acked = true;
      link->hello_due = false;
    }
  else if (record->kind == SQX_RECORD_PROBE)
    sqx_pmtu_probe_acked (&link->pmtu, (uint32_t) record->number, record->length);
  else if (record->kind != SQX_RECORD_READY)
    sqx_session_acked (link->session, now, record);
}

static void
record_lost (void             *user_data,
             uint64_t          now,
             const sqx_record *record)
{
  sqx_link *link = user_data;

  (void) now;
  if (record->kind == SQX_RECORD_HELLO)
    link->hello_due = !link->hello_acked;
  else if (record->kind == SQX_RECORD_READY)
    link->ready_due = true;
  else if (record->kind == SQX_RECORD_PROBE)
    sqx_pmtu_probe_lost (&link->pmtu, (uint32_t) record->number);
  else
    sqx_session_lost (link->session, record);
}

static void
packet_settled (void                  *user_data,
                const sqx_sent_packet *packet,
                bool                   acked)
{
  sqx_link *link = user_data;
  sqx_pmtu *pmtu = &link->pmtu;

  if (!acked)
    sqx_pmtu_packet_lost (pmtu, packet->size, packet->time);
  else if (pmtu->lost > 0 || packet->size == pmtu->size)
    sqx_pmtu_packet_acked (pmtu, packet->size, packet->time, sqx_recovery_pto (&link->recovery));
}

static const sqx_recovery_listener listener = { record_acked, record_lost, packet_settled };

static uint32_t
draw (const sqx_config *config)
{
  uint8_t bytes[4];

  config->random (config->user_data, bytes, sizeof bytes);
  return sqx_get_be32 (bytes);
}

/* Numbers are left out at random, so that a peer which acknowledges what it did not get is found
 * out (RFC 9000 section 21.4). */
static void
draw_skip (sqx_link         *link,
           const sqx_config *config)
{
  link->skip_in = SQX_SKIP_MIN + draw (config) % SQX_SKIP_SPREAD;
}

void
sqx_link_init (sqx_link         *link,
               sqx_session      *session,
               const sqx_config *config,
               uint64_t          first_number)
{
  memset (link, 0, sizeof *link);
  link->session = session;
  sqx_pmtu_init (&link->pmtu, SQX_DATAGRAM_MIN,
                 SQX_MIN (config->max_datagram_size, SQX_DATAGRAM_DEFAULT));
  sqx_acks_init (&link->acks, config->ack_delay);
  sqx_recovery_init (&link->recovery, &listener, link, config->controller, first_number,
                     link->pmtu.size, draw (config));
  sqx_pacer_init (&link->pacer);
  link->max_rate = config->max_send_rate;
  link->paced_until = SQX_TIME_NEVER;
  draw_skip (link, config);
}

void
sqx_link_clear (sqx_link *link)
{
  sqx_acks_clear (&link->acks);
  sqx_recovery_clear (&link->recovery);
}

/* The windows are counted in datagrams. */
static void
size_changed (sqx_link *link)
{
  if (link->recovery.cc.datagram != link->pmtu.size)
    sqx_recovery_set_datagram (&link->recovery, link->pmtu.size);
}

void
sqx_link_peer_known (sqx_link         *link,
                     const sqx_config *config,
                     uint64_t          ack_delay,
                     uint64_t          datagram)
{
  link->recovery.peer_ack_delay = ack_delay;
  sqx_pmtu_set_limit (&link->pmtu, (uint32_t) SQX_MIN (config->max_datagram_size, datagram));
  size_changed (link);
}

void
sqx_link_too_large (sqx_link *link,
                    uint64_t  now,
                    uint32_t  size)
{
  if (!sqx_pmtu_too_large (&link->pmtu, size))
    return;
  sqx_recovery_lose_larger (&link->recovery, now, size);
  size_changed (link);
}

void
sqx_link_new_path (sqx_link *link)
{
  sqx_pmtu_new_path (&link->pmtu);
  size_changed (link);
}

sqx_result
sqx_link_handle_ack (sqx_link      *link,
                     uint64_t       now,
                     const sqx_ack *ack)
{
  uint64_t next = link->recovery.sent.next_number;
  sqx_ack own = *ack;
  sqx_result result;

  /* The peer takes the low 32 bits of the first packet that it gets for the whole number. If all
   * packets before they wrapped were lost, it counts from a lower multiple of 2^32 than we do. */
  if (own.largest < next)
    own.largest += (next - 1 - own.largest) & ~(uint64_t) UINT32_MAX;
  result = sqx_recovery_on_ack (&link->recovery, now, &own);
  link->rtt = link->recovery.rtt.sampled ? link->recovery.rtt.smoothed : 0;
  size_changed (link);
  return result;
}

bool
sqx_link_may_send (const sqx_link *link)
{
  return sqx_recovery_room (&link->recovery) >= link->pmtu.size;
}

/* Bytes a second; 0: as fast as the window allows. Within a LAN timers are too coarse for anything
 * else. */
static uint64_t
rate (const sqx_link *link)
{
  const sqx_recovery *recovery = &link->recovery;
  uint64_t pacing_rate = recovery->rtt.min < SQX_LAN_RTT ? 0 : recovery->cc.pacing_rate;

  if (pacing_rate == 0 || link->max_rate == 0)
    return SQX_MAX (pacing_rate, link->max_rate);
  return SQX_MIN (pacing_rate, link->max_rate);
}

bool
sqx_link_may_send_now (sqx_link *link,
                       uint64_t  now)
{
  uint64_t at;

  if (!sqx_link_may_send (link))
    return false;
  at = sqx_pacer_next (&link->pacer, now, rate (link));
  if (at <= now || link->recovery.probes > 0)
    return true;
  link->paced_until = at;
  return false;
}

bool
sqx_link_prepare (sqx_link         *link,
                  const sqx_config *config)
{
  if (link->recovery.sent.packets == NULL)
    link->records = SQX_PACKET_RECORDS_FIRST;
  if (!sqx_recovery_reserve (&link->recovery, link->records))
    return false;
  if (link->skip_in == 0)
    {
      sqx_recovery_skip (&link->recovery);
      draw_skip (link, config);
    }
  return true;
}

bool
sqx_link_pack_ack (sqx_link   *link,
                   uint64_t    now,
                   sqx_packet *packet)
{
  sqx_writer *writer = &packet->writer;
  size_t capacity = writer->capacity;
  const sqx_ranges *received = &link->acks.received;
  bool written;

  if (!link->acks.pending || received->count == 0 || sqx_packet_full (packet))
    return false;

  /* Many ranges shall not leave a packet without room for anything else. */
  writer->capacity = writer->size + sqx_writer_room (writer) / 2;
  written = sqx_write_ack (writer, received->items, received->count,
                           sqx_acks_delay (&link->acks, now));
  writer->capacity = capacity;
  if (!written)
    return false;

  sqx_packet_note (packet, &(sqx_record) {
    .kind = SQX_RECORD_ACK, .number = received->items[received->count - 1].end - 1 });
  sqx_acks_sent (&link->acks);
  return true;
}

void
sqx_link_sent (sqx_link         *link,
               uint64_t          now,
               const sqx_packet *packet,
               bool              limited)
{
  sqx_recovery_on_sent (&link->recovery, now, packet->writer.size, packet->eliciting, limited,
                        packet->records, packet->count);
  /* What a long and fast path has on its way of them would grow with it, and tell no more. */
  link->acks.threshold = SQX_ACK_THRESHOLD +
                         (uint32_t) (link->recovery.plain_outstanding / SQX_ACK_THINNING);
  if (sqx_packet_full (packet))
    link->records = SQX_MIN (SQX_PACKET_RECORDS_MORE * link->records, SQX_PACKET_RECORDS);
  link->pmtu.full += packet->eliciting && !limited;
  if (packet->eliciting)
    sqx_pacer_sent (&link->pacer, now, rate (link), link->pmtu.size, packet->writer.size);
  link->skip_in -= link->skip_in > 0;
}
