/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim-hostile.h"

#include "seqex/core/sqx-secure.h"

#include <stdlib.h>
#include <string.h>

static void
hear_frame (sim_hostile     *hostile,
            const sqx_frame *frame)
{
  switch ((sqx_frame_type) frame->type)
    {
    case SQX_FRAME_HELLO:
      hostile->its_hello_known = sqx_hello_decode (&hostile->its_hello, frame->hello.data,
                                                   frame->hello.size);
      if (hostile->its_hello.byte_credit > hostile->credit_bytes)
        hostile->credit_bytes = hostile->its_hello.byte_credit;
      if (hostile->its_hello.exchange_credit > hostile->credit_exchanges)
        hostile->credit_exchanges = hostile->its_hello.exchange_credit;
      break;
    case SQX_FRAME_CREDIT:
      hostile->credit_bytes = frame->credit.bytes;
      hostile->credit_exchanges = frame->credit.exchanges;
      break;
    case SQX_FRAME_CLOSE:
      hostile->closes++;
      hostile->close_code = frame->close.code;
      break;
    case SQX_FRAME_MESSAGE:
      if (frame->message.offset == 0)
        hostile->messages++;
      break;
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
    case SQX_FRAME_ACK:
    case SQX_FRAME_READY:
    case SQX_FRAME_RECEIVED:
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
    case SQX_FRAME_END:
    case SQX_FRAME_CANCEL:
    case SQX_FRAME_DATAGRAM:
    case SQX_FRAME_DATAGRAM_LENGTH:
      break;
    }
}

static void
hear_packet (sim_hostile *hostile,
             uint32_t     number,
             size_t       size,
             sqx_reader   reader)
{
  sqx_frame frame;

  if (hostile->packets == 0)
    hostile->oldest = number;
  else if (number == hostile->newest + 2)
    {
      hostile->any_skipped = true;
      hostile->skipped = number - 1;
    }
  hostile->newest = number;
  hostile->packets++;
  hostile->bytes += size;
  while (reader.at < reader.end)
    {
      if (!sqx_decode_frame (&reader, &frame))
        sim_fail (hostile->world, "the victim sends a malformed frame");
      hear_frame (hostile, &frame);
    }
  if (hostile->acks_all && hostile->closes == 0)
    {
      sim_hostile_begin (hostile);
      sim_hostile_ack (hostile, number, number);
      sim_hostile_send (hostile);
    }
}

static void
hear (sim_end       *end,
      const uint8_t *bytes,
      size_t         size)
{
  sim_hostile *hostile = end->tapper;
  sqx_reader reader = { bytes + SQX_PLAIN_HEADER, bytes + size };
  sqx_plain_header header;

  if (!sqx_decode_plain (bytes, size, &header))
    sim_fail (hostile->world, "the victim sends what is not PLAIN");
  hostile->victim_epoch = header.source_epoch;
  hear_packet (hostile, header.number, size, reader);
}

static void
hear_answer (sim_hostile      *hostile,
             const sim_packet *packet)
{
  if (sqx_handshake_handle_answer (&hostile->handshake, packet->bytes, packet->size)
        != SQX_HANDSHAKE_LEARNED
      || !sqx_handshake_keys (&hostile->handshake, &hostile->keys))
    return;
  hostile->has_keys = hostile->its_hello_known = true;
  hostile->its_hello = hostile->handshake.hello;
  hostile->credit_bytes = hostile->its_hello.byte_credit;
  hostile->credit_exchanges = hostile->its_hello.exchange_credit;
}

static void
hear_data (sim_host         *host,
           const sim_packet *packet)
{
  sim_hostile *hostile = host->tapper;
  uint8_t *copy = malloc (packet->size);
  sqx_data_header header;
  sqx_reader reader;

  memcpy (copy, packet->bytes, packet->size);
  if (!hostile->has_keys)
    hear_answer (hostile, packet);
  else if (sqx_decode_data (copy, packet->size, &header))
    {
      reader = (sqx_reader) { copy + SQX_DATA_HEADER, copy + packet->size - SQX_TAG_SIZE };
      if (sqx_keys_open (&hostile->keys, hostile->world->now, 0, header.phase, header.number, copy,
                         SQX_DATA_HEADER, copy + SQX_DATA_HEADER,
                         packet->size - SQX_DATA_HEADER - SQX_TAG_SIZE) != SQX_KEYS_OK)
        sim_fail (hostile->world, "the victim sends what its peer cannot read");
      hear_packet (hostile, header.number, packet->size, reader);
    }
  free (copy);
}

sim_hostile *
sim_hostile_new (sim_world *world,
                 sim_end  **victim)
{
  sim_hostile *hostile = calloc (1, sizeof *hostile);

  world->weak = true;
  hostile->world = world;
  sim_world_add_pair (world, &hostile->victim, &hostile->self);
  hostile->self->tap = hear;
  hostile->self->tapper = hostile;
  if (world->secure)
    {
      /* The victim is dialled. */
      hostile->victim->dials = hostile->self->dials = false;
      hostile->victim->persist = 0;
      hostile->self->host->tap = hear_data;
      hostile->self->host->tapper = hostile;
      hostile->address = hostile->self->host->address;
    }
  sim_path_clean (&hostile->victim->out.path, 0);
  hostile->epoch = 0x40000000u | (uint32_t) sim_rng_below (&world->rng, 1u << 30);
  hostile->number = (uint32_t) sim_rng_below (&world->rng, 1u << 30);
  hostile->hello = (sqx_hello) {
    .max_message_size = SQX_MESSAGE_MAX_DEFAULT,
    .byte_credit = 4 * (SQX_MESSAGE_MAX_DEFAULT + SQX_MESSAGE_OVERHEAD),
    .exchange_credit = SQX_EXCHANGES_DEFAULT,
    .max_channels = SQX_CHANNELS_DEFAULT,
    .ack_delay = SQX_ACK_DELAY_DEFAULT,
    .max_datagram_size = SQX_DATAGRAM_DEFAULT,
  };
  strcpy (hostile->hello.application_id, hostile->victim->application);
  *victim = hostile->victim;
  return hostile;
}

void
sim_hostile_free (sim_hostile *hostile)
{
  sqx_handshake_clear (&hostile->handshake);
  sqx_keys_clear (&hostile->keys);
  free (hostile);
}

static void
begin_data (sim_hostile *hostile)
{
  sqx_data_header header = {
    .phase = sqx_keys_phase (&hostile->keys),
    .destination_id = hostile->handshake.peer_id,
    .number = hostile->number++,
  };

  hostile->sealed = false;
  hostile->writer.capacity -= SQX_TAG_SIZE;
  sqx_write_data (&hostile->writer, &header);
}

sqx_writer *
sim_hostile_begin (sim_hostile *hostile)
{
  sqx_plain_header header = {
    .instance = hostile->victim->config.instance,
    .source_epoch = hostile->epoch,
    .destination_epoch = hostile->victim_epoch,
    .number = hostile->number,
  };

  hostile->writer = (sqx_writer) { hostile->buffer, 0, hostile->victim->config.max_datagram_size };
  if (hostile->world->secure)
    {
      begin_data (hostile);
      return &hostile->writer;
    }
  hostile->number++;
  sqx_write_plain (&hostile->writer, &header);
  return &hostile->writer;
}

static void
seal (sim_hostile *hostile)
{
  sqx_writer *writer = &hostile->writer;

  if (hostile->sealed)
    return;
  hostile->sealed = true;
  hostile->clear_size = writer->size - SQX_DATA_HEADER;
  memcpy (hostile->clear, writer->data + SQX_DATA_HEADER, hostile->clear_size);
  if (!sqx_keys_seal (&hostile->keys, hostile->number - 1, writer->data, SQX_DATA_HEADER,
                      writer->data + SQX_DATA_HEADER, hostile->clear_size))
    sim_fail (hostile->world, "a hostile packet cannot be sealed");
  writer->size += SQX_TAG_SIZE;
}

static sim_packet *
make_packet (sim_hostile   *hostile,
             const uint8_t *bytes,
             size_t         size)
{
  sim_packet *packet = calloc (1, sizeof *packet + size + hostile->clear_size);

  packet->to = hostile->victim;
  packet->references = 1;
  packet->size = size;
  memcpy (packet->bytes, bytes, size);
  if (!hostile->world->secure)
    return packet;
  packet->addressed = true;
  packet->source = hostile->address;
  packet->destination = hostile->victim->host->address;
  packet->from = hostile->self;
  packet->frames = packet->bytes + size;
  packet->frames_size = hostile->clear_size;
  memcpy (packet->bytes + size, hostile->clear, hostile->clear_size);
  return packet;
}

void
sim_hostile_send (sim_hostile *hostile)
{
  sim_packet *packet;

  if (hostile->world->secure)
    seal (hostile);
  packet = make_packet (hostile, hostile->buffer, hostile->writer.size);
  if (hostile->world->secure)
    sim_host_arrive (hostile->world, packet);
  else
    sim_end_arrive (hostile->victim, packet);
}

void
sim_hostile_wait (sim_hostile *hostile,
                  uint64_t     time)
{
  sim_world_run_until (hostile->world, hostile->world->now + time);
}

static void
give_random (void    *user_data,
             uint8_t *bytes,
             size_t   size)
{
  sim_rng_fill (user_data, bytes, size);
}

/* By IK, with a key of its own. */
static void
shake_hands (sim_hostile *hostile)
{
  const sim_host *host = hostile->self->host;
  sqx_handshake_params params = {
    .crypto = &host->crypto, .secret_key = host->secret_key, .random = give_random,
    .user_data = &hostile->self->core_rng,
  };
  static const uint8_t session_id[SQX_SESSION_ID_SIZE] = { 42 };

  sqx_hello_add_secure (&hostile->hello, &host->crypto, 0, session_id, 0);
  if (!sqx_handshake_start (&hostile->handshake, &params, 0x12345678,
                            hostile->victim->host->public_key, &hostile->hello))
    sim_fail (hostile->world, "a hostile handshake does not begin");
  sim_host_arrive (hostile->world, make_packet (hostile, hostile->handshake.packet,
                                                hostile->handshake.packet_size));
  sim_hostile_wait (hostile, 100 * SIM_MS);
  if (!hostile->has_keys)
    sim_fail (hostile->world, "the victim does not answer a handshake");
  sqx_write_ping (sim_hostile_begin (hostile));
  sim_hostile_send (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  if (hostile->victim->conn == NULL)
    sim_fail (hostile->world, "the victim does not finish a handshake");
}

void
sim_hostile_connect (sim_hostile *hostile)
{
  uint8_t parameters[SQX_HELLO_MAX];
  size_t size = sqx_hello_encode (&hostile->hello, parameters);
  sqx_writer *writer;

  if (hostile->world->secure)
    {
      shake_hands (hostile);
      return;
    }
  writer = sim_hostile_begin (hostile);
  sqx_write_hello (writer, parameters, size);
  sim_hostile_send (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  if (!hostile->its_hello_known)
    sim_fail (hostile->world, "the victim does not answer HELLO at once");
}

void
sim_hostile_raw (sim_hostile   *hostile,
                 const uint8_t *bytes,
                 size_t         size)
{
  sqx_writer *writer = &hostile->writer;

  if (sqx_writer_room (writer) < size)
    sim_fail (hostile->world, "a hostile packet is too long");
  memcpy (writer->data + writer->size, bytes, size);
  writer->size += size;
}

void
sim_hostile_message (sim_hostile   *hostile,
                     uint64_t       channel,
                     uint64_t       number,
                     uint8_t        flags,
                     uint64_t       reply_to,
                     uint64_t       total,
                     uint64_t       offset,
                     const uint8_t *bytes,
                     size_t         size)
{
  sqx_writer *writer = &hostile->writer;
  uint8_t type = (uint8_t) (SQX_FRAME_MESSAGE + (flags & ~SQX_WIRE_FINAL) + SQX_WIRE_LENGTH
                            + (flags & SQX_WIRE_FINAL));

  sim_hostile_raw (hostile, &type, 1);
  sqx_write_varint (writer, channel * 2);
  sqx_write_varint (writer, number);
  if (flags & SQX_WIRE_REPLY)
    sqx_write_varint (writer, reply_to);
  if (flags & SQX_WIRE_FRAGMENT)
    {
      sqx_write_varint (writer, total);
      sqx_write_varint (writer, offset);
    }
  sqx_write_varint (writer, size);
  sim_hostile_raw (hostile, bytes, size);
}

void
sim_hostile_ack (sim_hostile *hostile,
                 uint64_t     low,
                 uint64_t     high)
{
  sqx_range range = { low, high + 1 };

  sqx_write_ack (&hostile->writer, &range, 1, 0);
}

void
sim_hostile_end (sim_hostile *hostile,
                 uint64_t     channel,
                 uint8_t      reason,
                 uint64_t     first,
                 uint64_t     run)
{
  sqx_runs_writer end;

  sqx_end_writer_begin (&end, &hostile->writer, channel * 2, reason);
  sqx_runs_writer_add (&end, &hostile->writer, first, run);
  sqx_runs_writer_finish (&end, &hostile->writer);
}

void
sim_hostile_expect_violation (sim_hostile *hostile,
                              const char  *what)
{
  const sim_end *victim = hostile->victim;

  if (!victim->closed || victim->closed_error != SQX_ERR_PROTOCOL)
    sim_fail (hostile->world, "%s is not found to be a violation (%s)", what,
              victim->closed ? sqx_result_string (victim->closed_error) : "open");
  if (hostile->closes == 0 || hostile->close_code != SQX_CLOSE_PROTOCOL_VIOLATION)
    sim_fail (hostile->world, "%s is not told to be a violation", what);
  if (victim->program.open > 0)
    sim_fail (hostile->world, "%s leaves waits behind", what);
}

void
sim_hostile_expect_alive (sim_hostile *hostile,
                          const char  *what)
{
  if (hostile->victim->closed)
    sim_fail (hostile->world, "%s closes the connection: %s", what,
              sqx_result_string (hostile->victim->closed_error));
}

/* A connection that does nothing, and what SQX_FRAGMENT_RANGES, SQX_ACK_RANGES and a full
 * congestion window take at most. */
#define CONSTANT       UINT64_C (524288)
/* A message that is remembered without its bytes; a channel. */
#define A_MESSAGE      UINT64_C (400)
#define A_CHANNEL      UINT64_C (1024)

uint64_t
sim_hostile_memory_bound (const sim_hostile *hostile)
{
  const sqx_config *config = &hostile->victim->config;
  sqx_statistics statistics;

  sqx_conn_statistics (hostile->victim->conn, &statistics);
  return statistics.byte_window + CONSTANT
         + (config->exchange_credit + hostile->victim->program.open) * A_MESSAGE
         + config->max_channels * A_CHANNEL
         + SQX_DATAGRAM_QUEUE * (uint64_t) config->max_datagram_size;
}

void
sim_hostile_check_memory (sim_hostile *hostile,
                          const char  *what)
{
  uint64_t bound = sim_hostile_memory_bound (hostile);
  uint64_t peak = hostile->victim->highest > hostile->victim->account.peak
                    ? hostile->victim->highest : hostile->victim->account.peak;

  SIM_TRACE (hostile->world, hostile->victim, "%s: %llu bytes at most, %llu allowed", what,
             (unsigned long long) peak, (unsigned long long) bound);
  if (peak > bound)
    sim_fail (hostile->world, "%s makes the victim hold %llu bytes, %llu are allowed", what,
              (unsigned long long) peak, (unsigned long long) bound);
}
