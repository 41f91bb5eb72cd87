/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim-hostile.h"

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
hear (sim_end       *end,
      const uint8_t *bytes,
      size_t         size)
{
  sim_hostile *hostile = end->tapper;
  sqx_reader reader = { bytes + SQX_PLAIN_HEADER, bytes + size };
  sqx_plain_header header;
  sqx_frame frame;

  if (!sqx_decode_plain (bytes, size, &header))
    sim_fail (hostile->world, "the victim sends what is not PLAIN");
  if (hostile->packets == 0)
    hostile->oldest = header.number;
  else if (header.number == hostile->newest + 2)
    {
      hostile->any_skipped = true;
      hostile->skipped = header.number - 1;
    }
  hostile->newest = header.number;
  hostile->victim_epoch = header.source_epoch;
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
      sim_hostile_ack (hostile, header.number, header.number);
      sim_hostile_send (hostile);
    }
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
  free (hostile);
}

sqx_writer *
sim_hostile_begin (sim_hostile *hostile)
{
  sqx_plain_header header = {
    .instance = hostile->victim->config.instance,
    .source_epoch = hostile->epoch,
    .destination_epoch = hostile->victim_epoch,
    .number = hostile->number++,
  };

  hostile->writer = (sqx_writer) { hostile->buffer, 0, hostile->victim->config.max_datagram_size };
  sqx_write_plain (&hostile->writer, &header);
  return &hostile->writer;
}

void
sim_hostile_send (sim_hostile *hostile)
{
  sim_packet *packet = calloc (1, sizeof *packet + hostile->writer.size);

  packet->to = hostile->victim;
  packet->references = 1;
  packet->size = hostile->writer.size;
  memcpy (packet->bytes, hostile->buffer, hostile->writer.size);
  sim_end_arrive (hostile->victim, packet);
}

void
sim_hostile_wait (sim_hostile *hostile,
                  uint64_t     time)
{
  sim_world_run_until (hostile->world, hostile->world->now + time);
}

void
sim_hostile_connect (sim_hostile *hostile)
{
  uint8_t parameters[SQX_HELLO_MAX];
  size_t size = sqx_hello_encode (&hostile->hello, parameters);
  sqx_writer *writer = sim_hostile_begin (hostile);

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
