/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looks into the datagrams that an honest end sends. From them alone it knows which number each
 * message got, what the message cost, and how much credit there was for it.
 */

#include "sim-host.h"

#include "seqex/core/sqx-conn-private.h"

#include "seqex/core/sqx-hello.h"
#include "seqex/core/sqx-wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
sim_wire_reset (sim_wire *wire)
{
  sim_wire old = *wire;

  *wire = (sim_wire) { 0 };
  /* Packet numbers go on in a new session of the same connection. */
  wire->any = old.any;
  wire->last_number = old.last_number;
  wire->link = old.link;
  wire->skips = old.skips;
  for (uint32_t i = 0; i < SIM_CHANNELS; i++)
    {
      wire->channels[i].entries = old.channels[i].entries;
      wire->channels[i].capacity = old.channels[i].capacity;
    }
}

static sim_entry *
grow_to (sim_wire_channel *channel,
         uint64_t          number)
{
  if (number >= channel->capacity)
    {
      size_t capacity = channel->capacity == 0 ? 32 : channel->capacity;

      while (capacity <= number)
        capacity *= 2;
      channel->entries = realloc (channel->entries, capacity * sizeof *channel->entries);
      channel->capacity = capacity;
    }
  if (number >= channel->count)
    {
      memset (channel->entries + channel->count, 0,
              (size_t) (number + 1 - channel->count) * sizeof *channel->entries);
      channel->count = (size_t) number + 1;
    }
  return &channel->entries[number];
}

sim_entry *
sim_wire_entry (sim_end  *sender,
                uint32_t  channel,
                uint64_t  number)
{
  sim_wire_channel *it = &sender->wire.channels[channel];

  return number < it->count && it->entries[number].seen ? &it->entries[number] : NULL;
}

/* Credit is taken whole when a message begins, so its first sight is late enough to count. */
static void
look_at_credit (sim_end  *end,
                uint64_t  total,
                bool      is_reply)
{
  sim_wire *wire = &end->wire;
  uint64_t exchanges;

  wire->begun_bytes += total + SQX_MESSAGE_OVERHEAD;
  if (!is_reply)
    wire->begun_exchanges++;
  if (!wire->hello_known)
    {
      if (wire->begun_exchanges > SQX_EARLY_EXCHANGES || wire->begun_bytes > SQX_EARLY_BYTES)
        sim_fail (end->world, "%llu exchanges, %llu bytes begun before the peer's HELLO",
                  (unsigned long long) wire->begun_exchanges,
                  (unsigned long long) wire->begun_bytes);
      return;
    }
  /* What began early may be seen only now. */
  exchanges = wire->early_exchanges < SQX_EARLY_EXCHANGES ? wire->early_exchanges
                                                          : SQX_EARLY_EXCHANGES;
  if (exchanges < wire->limit_exchanges)
    exchanges = wire->limit_exchanges;
  if (wire->begun_bytes > wire->limit_bytes)
    sim_fail (end->world, "%c: byte credit exceeded: %llu of %llu", (int) ('A' + end->index),
              (unsigned long long) wire->begun_bytes, (unsigned long long) wire->limit_bytes);
  if (wire->begun_exchanges > exchanges)
    sim_fail (end->world, "%c: exchange credit exceeded: %llu of %llu", (int) ('A' + end->index),
              (unsigned long long) wire->begun_exchanges, (unsigned long long) exchanges);
}

/* The first sight of a number, or a later one that must agree with it. */
static sim_entry *
meet (sim_end  *end,
      uint32_t  channel,
      uint64_t  number,
      uint64_t  total,
      bool      is_reply,
      uint64_t  reply_to)
{
  sim_wire_channel *it = &end->wire.channels[channel];
  sim_entry *entry;

  if (number > it->count + 100000)
    sim_fail (end->world, "message number %llu after %zu", (unsigned long long) number, it->count);
  entry = grow_to (it, number);
  if (entry->seen)
    {
      if (entry->total != total || entry->reply_to != reply_to
          || ((entry->flags & SQX_MESSAGE_REPLY) != 0) != is_reply)
        sim_fail (end->world, "message %llu of channel %u is two different ones",
                  (unsigned long long) number, end->world->channel_ids[channel]);
      return entry;
    }
  entry->seen = true;
  entry->total = total;
  entry->reply_to = reply_to;
  if (is_reply)
    entry->flags |= SQX_MESSAGE_REPLY;
  look_at_credit (end, total, is_reply);
  return entry;
}

/* A reply names the number of the peer's message that its program answered with it. */
static void
look_at_link (sim_end           *end,
              uint32_t           channel,
              const sim_entry   *entry,
              const sim_message *message)
{
  const sim_message *parent = message->parent;

  if (parent == NULL)
    return;
  if (parent->received_id.number != entry->reply_to
      || parent->channel != channel)
    sim_fail (end->world, "reply %llu goes to message %llu, not to %llu",
              (unsigned long long) message->id, (unsigned long long) entry->reply_to,
              (unsigned long long) parent->received_id.number);
}

static void
identify (sim_end   *end,
          uint32_t   channel,
          uint64_t   number,
          sim_entry *entry)
{
  uint64_t need = entry->total < SIM_TINY ? entry->total : SIM_TINY;
  sim_message *message;

  if (entry->message != NULL || entry->have != (1u << need) - 1)
    return;
  message = sim_message_find (end, channel, entry->head, entry->total);
  if (message == NULL || message->life != end->life)
    sim_fail (end->world, "message %llu of channel %u was never sent by its program",
              (unsigned long long) number, end->world->channel_ids[channel]);
  if (message->begun)
    sim_fail (end->world, "message %llu begins twice", (unsigned long long) message->id);
  if (message->size != entry->total
      || message->ordered != ((entry->flags & SQX_MESSAGE_ORDERED) != 0)
      || message->final != ((entry->flags & SQX_MESSAGE_FINAL) != 0)
      || message->is_reply != ((entry->flags & SQX_MESSAGE_REPLY) != 0))
    sim_fail (end->world, "message %llu goes out with other properties",
              (unsigned long long) message->id);
  look_at_link (end, channel, entry, message);
  message->begun = true;
  if (!message->is_reply && message->wait == SIM_WAIT_OPEN)
    {
      message->holds_exchange = true;
      end->wire.open_exchanges++;
    }
  entry->message = message;
}

static bool
is_stream (const sim_end *end,
           uint64_t       field)
{
  return end->world->streaming && field % 2 != 0;
}

/* A chunk is an ordered and final message of at most SQX_CHUNK_MAX bytes. */
static void
see_chunk (sim_end         *end,
           const sqx_frame *frame)
{
  uint8_t flags = frame->message.flags & (SQX_WIRE_ORDERED | SQX_WIRE_FINAL | SQX_WIRE_REPLY);

  if (flags != (SQX_WIRE_ORDERED | SQX_WIRE_FINAL) || frame->message.total > SQX_CHUNK_MAX)
    sim_fail (end->world, "a chunk of %llu bytes with flags %x",
              (unsigned long long) frame->message.total, frame->message.flags);
}

static void
see_message (sim_end         *end,
             const sqx_frame *frame)
{
  uint32_t channel = sim_channel_index (end->world, frame->message.channel / 2);
  bool is_reply = (frame->message.flags & SQX_WIRE_REPLY) != 0;
  sim_entry *entry;

  if (channel == SIM_CHANNELS || frame->message.channel % 2 != 0)
    sim_fail (end->world, "a message on channel field %llu",
              (unsigned long long) frame->message.channel);
  entry = meet (end, channel, frame->message.number, frame->message.total, is_reply,
                is_reply ? frame->message.reply_to : 0);
  if (entry->sends == 0 && entry->have == 0)
    {
      if (frame->message.flags & SQX_WIRE_ORDERED)
        entry->flags |= SQX_MESSAGE_ORDERED;
      if (frame->message.flags & SQX_WIRE_FINAL)
        entry->flags |= SQX_MESSAGE_FINAL;
    }
  if (frame->message.offset == 0)
    entry->sends++;
  for (uint64_t i = frame->message.offset; i < frame->message.offset + frame->message.size; i++)
    {
      if (i >= SIM_TINY)
        break;
      entry->head[i] = frame->message.data[i - frame->message.offset];
      entry->have |= (uint8_t) (1u << i);
    }
  identify (end, channel, frame->message.number, entry);
}

static void
see_cancel (sim_end         *end,
            const sqx_frame *frame)
{
  uint32_t channel = sim_channel_index (end->world, frame->cancel.channel / 2);
  sim_entry *entry;

  if (channel == SIM_CHANNELS)
    sim_fail (end->world, "CANCEL on channel field %llu",
              (unsigned long long) frame->cancel.channel);
  entry = meet (end, channel, frame->cancel.number, frame->cancel.total, frame->cancel.is_reply,
                frame->cancel.is_reply ? frame->cancel.reply_to : 0);
  entry->cancelled = true;
}

/* Each message is answered once: by one end with one reason, or by a reply. */
static void
see_end_of (sim_end   *end,
            sim_entry *entry,
            uint64_t   number,
            uint8_t    reason)
{
  const sim_message *answer = entry->message != NULL ? entry->message->answer : NULL;

  if (entry->ended != 0 && entry->ended != reason + 1)
    sim_fail (end->world, "message %llu is ended for two reasons, %u and %u",
              (unsigned long long) number, entry->ended - 1u, reason);
  entry->ended = (uint8_t) (reason + 1);
  if (answer != NULL && answer->begun && answer->wait != SIM_WAIT_CANCELLED
      && answer->from == end && answer->life == end->life
      && entry->message->receiver_life == end->life && entry->message->wait != SIM_WAIT_CANCELLED)
    sim_fail (end->world, "message %llu is answered by a reply and by an end",
              (unsigned long long) number);
}

static void
see_end (sim_end         *end,
         const sqx_frame *frame)
{
  uint32_t channel = sim_channel_index (end->world, frame->end.channel / 2);
  sqx_runs runs = frame->end.runs;
  uint64_t first, run;

  /* One of them may have begun anew, and the other does not know yet. */
  if (!sim_end_agrees (end))
    return;
  if (channel == SIM_CHANNELS || frame->end.reason >= SQX_N_END_REASONS)
    sim_fail (end->world, "END on channel field %llu with reason %u",
              (unsigned long long) frame->end.channel, frame->end.reason);
  while (sqx_runs_next (&runs, &first, &run))
    for (; run > 0; first++, run--)
      {
        sim_entry *entry = sim_wire_entry (end->peer, channel, first);

        if (entry != NULL)
          see_end_of (end, entry, first, frame->end.reason);
        else
          sim_fail (end->world, "END of message %llu, which was never sent",
                    (unsigned long long) first);
      }
}

static void
see_hello (sim_end         *end,
           const sqx_frame *frame,
           sim_packet      *notes)
{
  sqx_hello hello;

  if (!sqx_hello_decode (&hello, frame->hello.data, frame->hello.size))
    sim_fail (end->world, "a malformed HELLO goes out");
  notes->has_hello = true;
  notes->credit_bytes = hello.byte_credit;
  notes->credit_exchanges = hello.exchange_credit;
  notes->peer_datagram = (uint32_t) hello.max_datagram_size;
}

/* What is granted is the window, and what came back of all that the peer began. */
static void
see_credit (sim_end         *end,
            const sqx_frame *frame,
            sim_packet      *notes)
{
  const sim_end *peer = end->peer;
  uint64_t exchanges = end->config.exchange_credit + peer->wire.begun_exchanges
                       - peer->wire.open_exchanges;
  sqx_statistics statistics;

  if (frame->credit.bytes > notes->credit_bytes)
    notes->credit_bytes = frame->credit.bytes;
  if (frame->credit.exchanges > notes->credit_exchanges)
    notes->credit_exchanges = frame->credit.exchanges;
  /* A peer that died may not have been told what it acknowledged. */
  if (!sim_end_agrees (end) || peer->conn == NULL)
    return;
  sqx_conn_statistics (end->conn, &statistics);
  if (frame->credit.exchanges > exchanges)
    sim_fail (end->world, "%c grants %llu exchanges, %llu are right", (int) ('A' + end->index),
              (unsigned long long) frame->credit.exchanges, (unsigned long long) exchanges);
  if (frame->credit.bytes > statistics.byte_window + peer->wire.begun_bytes)
    sim_fail (end->world, "%c grants %llu bytes, %llu are right", (int) ('A' + end->index),
              (unsigned long long) frame->credit.bytes,
              (unsigned long long) (statistics.byte_window + peer->wire.begun_bytes));
}

static void
see_frame (sim_end         *end,
           const sqx_frame *frame,
           sim_packet      *notes)
{
  switch ((sqx_frame_type) frame->type)
    {
    case SQX_FRAME_MESSAGE:
      if (is_stream (end, frame->message.channel))
        see_chunk (end, frame);
      else
        see_message (end, frame);
      break;
    case SQX_FRAME_CANCEL:
      if (is_stream (end, frame->cancel.channel))
        break;
      notes->has_cancel = true;
      see_cancel (end, frame);
      break;
    case SQX_FRAME_END:
      if (!is_stream (end, frame->end.channel))
        see_end (end, frame);
      break;
    case SQX_FRAME_HELLO:
      see_hello (end, frame, notes);
      break;
    case SQX_FRAME_CREDIT:
      see_credit (end, frame, notes);
      break;
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
    case SQX_FRAME_ACK:
    case SQX_FRAME_CLOSE:
    case SQX_FRAME_READY:
    case SQX_FRAME_RECEIVED:
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
    case SQX_FRAME_DATAGRAM:
    case SQX_FRAME_DATAGRAM_LENGTH:
      break;
    }
}

/* Numbers grow by one, but for one left out now and then. */
static void
see_number (sim_end  *end,
            uint64_t  number)
{
  sim_wire *wire = &end->wire;
  uint64_t step = end->host != NULL ? number - wire->last_number
                                    : (uint32_t) (number - wire->last_number);

  if (wire->any && step == 2)
    {
      if (wire->skips > 0 && wire->since_skip + 1 < SQX_SKIP_MIN)
        sim_fail (end->world, "two packet numbers skipped within %llu packets",
                  (unsigned long long) wire->since_skip);
      wire->since_skip = 0;
      wire->skips++;
    }
  else if (wire->any && step != 1)
    sim_fail (end->world, "packet number %llu after %llu", (unsigned long long) number,
              (unsigned long long) wire->last_number);
  else if (++wire->since_skip > SQX_SKIP_MIN + SQX_SKIP_SPREAD + 2)
    sim_fail (end->world, "no packet number skipped within %llu packets",
              (unsigned long long) wire->since_skip);
  wire->any = true;
  wire->last_number = number;
}

/* The receiver starts anew: what it did to messages is not so any more. */
void
sim_wire_forget_receiver (sim_wire *wire)
{
  for (uint32_t c = 0; c < SIM_CHANNELS; c++)
    for (size_t i = 0; i < wire->channels[c].count; i++)
      {
        wire->channels[c].entries[i].cancel_arrived = false;
        wire->channels[c].entries[i].ended = 0;
      }
}

static void
see_frames (sim_end    *end,
            size_t      size,
            sim_packet *notes)
{
  sqx_reader reader = { notes->frames, notes->frames + notes->frames_size };
  sqx_frame frame;

  notes->from_life = end->life;
  notes->from_incarnation = end->incarnation;
  if (end->world->weak)
    return;
  if (end->wire.limit_datagram != 0 && size > end->wire.limit_datagram)
    sim_fail (end->world, "a datagram of %zu bytes for a peer that takes %u", size,
              end->wire.limit_datagram);
  if (reader.at == reader.end)
    sim_fail (end->world, "a datagram without any frame goes out");
  while (reader.at < reader.end)
    {
      if (!sqx_decode_frame (&reader, &frame))
        sim_fail (end->world, "a malformed frame goes out");
      see_frame (end, &frame, notes);
    }
}

void
sim_wire_sent (sim_end       *end,
               const uint8_t *bytes,
               size_t         size,
               sim_packet    *notes)
{
  sqx_plain_header header;

  if (!sqx_decode_plain (bytes, size, &header) || header.instance != end->config.instance)
    sim_fail (end->world, "a datagram goes out that is not PLAIN");
  see_number (end, header.number);
  notes->frames = bytes + SQX_PLAIN_HEADER;
  notes->frames_size = size - SQX_PLAIN_HEADER;
  see_frames (end, size, notes);
}

/* HELLO came by the handshake. */
static void
learn_peer (sim_end *end)
{
  sim_wire *wire = &end->wire;
  sqx_config config = end->peer->config;

  if (wire->hello_known)
    return;
  sqx_config_fill (&config);
  wire->hello_known = true;
  wire->limit_bytes = config.byte_window;
  wire->limit_exchanges = config.exchange_credit;
  wire->limit_datagram = config.max_datagram_size > SQX_DATAGRAM_DEFAULT
                           ? config.max_datagram_size : SQX_DATAGRAM_DEFAULT;
}

void
sim_wire_sent_data (sim_end       *end,
                    uint64_t       number,
                    const uint8_t *bytes,
                    size_t         size,
                    sim_packet    *notes)
{
  uint64_t link = end->conn->secure->generation << 32 | end->conn->secure->peer_id;

  if (end->wire.link != link)
    {
      end->wire.any = false;
      end->wire.since_skip = 0;
      end->wire.skips = 0;
    }
  end->wire.link = link;
  learn_peer (end);
  see_number (end, number);
  see_frames (end, size, notes);
}

static void
cancels_arrive (sim_end          *end,
                const sim_packet *packet)
{
  sqx_reader reader = { packet->frames, packet->frames + packet->frames_size };
  sqx_frame frame;

  while (reader.at < reader.end && sqx_decode_frame (&reader, &frame))
    if (frame.type == SQX_FRAME_CANCEL && !is_stream (end, frame.cancel.channel))
      {
        uint32_t channel = sim_channel_index (end->world, frame.cancel.channel / 2);
        sim_entry *entry = sim_wire_entry (end->peer, channel, frame.cancel.number);

        if (entry != NULL)
          entry->cancel_arrived = true;
      }
}

void
sim_wire_accepted (sim_end          *end,
                   const sim_packet *packet)
{
  sim_wire *wire = &end->wire;

  if (packet->tampered || end->world->weak)
    return;
  if (packet->has_hello)
    {
      wire->hello_known = true;
      wire->limit_datagram = packet->peer_datagram;
    }
  if (packet->credit_bytes > wire->limit_bytes)
    wire->limit_bytes = packet->credit_bytes;
  if (packet->credit_exchanges > wire->limit_exchanges)
    wire->limit_exchanges = packet->credit_exchanges;
  if (packet->has_cancel && packet->from_life == end->peer->life
      && packet->from_incarnation == end->peer->incarnation)
    cancels_arrive (end, packet);
}

/* Trace ------------------------------------------------------------------------------- */

static void
print_runs (sqx_runs runs)
{
  uint64_t first, run;

  while (sqx_runs_next (&runs, &first, &run))
    printf (" %llu+%llu", (unsigned long long) first, (unsigned long long) run);
}

static void
print_ack (const sqx_ack *ack)
{
  sqx_ack_iter iter;
  uint64_t low, high;

  sqx_ack_iter_init (&iter);
  printf (" ACK");
  while (sqx_ack_iter_next (&iter, ack, &low, &high))
    printf (" %llu-%llu", (unsigned long long) low, (unsigned long long) high);
}

static void
print_frame (const sqx_frame *frame)
{
  switch ((sqx_frame_type) frame->type)
    {
    case SQX_FRAME_PADDING: printf (" PADDING"); break;
    case SQX_FRAME_PING:    printf (" PING"); break;
    case SQX_FRAME_ACK:     print_ack (&frame->ack); break;
    case SQX_FRAME_CLOSE:
      printf (" CLOSE %llu", (unsigned long long) frame->close.code);
      break;
    case SQX_FRAME_READY:   printf (" READY"); break;
    case SQX_FRAME_HELLO:   printf (" HELLO"); break;
    case SQX_FRAME_RECEIVED:
      printf (" RECEIVED[%llu]", (unsigned long long) frame->received.channel / 2);
      print_runs (frame->received.runs);
      break;
    case SQX_FRAME_CHALLENGE: printf (" CHALLENGE"); break;
    case SQX_FRAME_RESPONSE:  printf (" RESPONSE"); break;
    case SQX_FRAME_CREDIT:
      printf (" CREDIT %llu/%llu", (unsigned long long) frame->credit.bytes,
              (unsigned long long) frame->credit.exchanges);
      break;
    case SQX_FRAME_END:
      printf (" END[%llu,%u]", (unsigned long long) frame->end.channel / 2, frame->end.reason);
      print_runs (frame->end.runs);
      break;
    case SQX_FRAME_CANCEL:
      printf (" CANCEL[%llu] %llu", (unsigned long long) frame->cancel.channel / 2,
              (unsigned long long) frame->cancel.number);
      break;
    case SQX_FRAME_MESSAGE:
      printf (" %s%s%s[%llu] %llu", frame->message.flags & SQX_WIRE_ORDERED ? "o" : "",
              frame->message.flags & SQX_WIRE_FINAL ? "f" : "",
              frame->message.flags & SQX_WIRE_REPLY ? "REPLY" : "MESSAGE",
              (unsigned long long) frame->message.channel / 2,
              (unsigned long long) frame->message.number);
      if (frame->message.flags & SQX_WIRE_REPLY)
        printf ("->%llu", (unsigned long long) frame->message.reply_to);
      printf (" %llu+%zu/%llu", (unsigned long long) frame->message.offset, frame->message.size,
              (unsigned long long) frame->message.total);
      break;
    case SQX_FRAME_DATAGRAM:
    case SQX_FRAME_DATAGRAM_LENGTH:
      printf (" DATAGRAM %zu", frame->datagram.size);
      break;
    }
}

void
sim_wire_trace (sim_world     *world,
                const sim_end *end,
                const char    *verb,
                const uint8_t *bytes,
                size_t         size)
{
  sqx_plain_header header;
  sqx_reader reader = { bytes + SQX_PLAIN_HEADER, bytes + size };
  sqx_frame frame;

  if (!sqx_decode_plain (bytes, size, &header))
    {
      sim_trace (world, end, "%s %zu bytes that are not PLAIN", verb, size);
      return;
    }
  sim_trace (world, end, "%s %u (%zu bytes, %08x to %08x):", verb, header.number, size,
             header.source_epoch, header.destination_epoch);
  printf ("                    ");
  while (reader.at < reader.end && sqx_decode_frame (&reader, &frame))
    print_frame (&frame);
  putchar ('\n');
}

void
sim_wire_trace_data (sim_world     *world,
                     const sim_end *end,
                     const char    *verb,
                     const uint8_t *bytes,
                     size_t         size,
                     const uint8_t *frames,
                     size_t         frames_size)
{
  static const char *const names[] = { "INIT", "ACCEPT", "CONFIRM", "RETRY", "DATA", "DATA'",
                                       "RESET", "VERSION" };
  bool known = size >= 9 && bytes[0] >= SQX_PACKET_INIT && bytes[0] < SQX_PACKET_INIT + 8;
  sqx_reader reader = { frames, frames + frames_size };
  sqx_frame frame;

  if (!known)
    {
      sim_trace (world, end, "%s %zu bytes", verb, size);
      return;
    }
  sim_trace (world, end, "%s %s (%zu bytes) %08x %08x", verb, names[bytes[0] - SQX_PACKET_INIT],
             size, sqx_get_be32 (bytes + 1), sqx_get_be32 (bytes + 5));
  if (frames_size == 0)
    return;
  printf ("                    ");
  while (reader.at < reader.end && sqx_decode_frame (&reader, &frame))
    print_frame (&frame);
  putchar ('\n');
}
