/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forge.h"

#include "sqx-conn-private.h"

/* Bytes in one forged fragment. */
#define FRAGMENT_MAX 500u

uint8_t forge_pattern[40000];

void
forge_init (void)
{
  for (size_t i = 0; i < sizeof forge_pattern; i++)
    forge_pattern[i] = (uint8_t) (i % 251);
}

typedef struct
{
  fuzz_input     *input;
  const sqx_conn *target;
  sqx_writer     *writer;
} forger;

/* What the target has ------------------------------------------------------------------ */

/* Mostly one that exists; NULL if there is none like that, *id is valid all the same. */
static const sqx_channel *
pick_channel (forger   *f,
              uint64_t *id)
{
  uint8_t choice = input_byte (f->input);

  *id = choice < 192 ? choice % 4 : choice % FORGE_CHANNELS;
  return sqx_session_find_channel (&f->target->session, *id);
}

/* One of the first few that are open. NULL: none. */
static const void *
pick_open (forger          *f,
           const sqx_index *index)
{
  unsigned skip = input_byte (f->input) & 7;
  uint64_t number = 0;
  const void *item = NULL, *next;

  while ((next = sqx_index_next (index, number, &number)) != NULL)
    {
      item = next;
      number++;
      if (skip-- == 0)
        break;
    }
  return item;
}

/* The number of a message that the target sent on @channel, answered or not. */
static uint64_t
pick_sent (forger            *f,
           const sqx_channel *channel)
{
  const sqx_outgoing *open = NULL;

  if (channel == NULL)
    return input_near (f->input, 0);
  if (input_byte (f->input) & 1)
    open = pick_open (f, &channel->outgoing);
  if (open != NULL)
    return open->number;
  return input_near (f->input, channel->next_number - (channel->next_number > 0));
}

/* Frames ------------------------------------------------------------------------------- */

static void
describe_new (forger             *f,
              const sqx_channel  *channel,
              sqx_message_header *header)
{
  static const uint64_t totals[] = { 0, 1, 30, 300, 2000, 9000, SQX_MESSAGE_MAX_MIN, 32384 };
  uint8_t choice = input_byte (f->input);

  header->number = input_near (f->input, channel ? channel->seen_end : 0);
  header->total = choice >= 250 ? input_number (f->input) : totals[choice & 7];
  if (choice & 8)
    header->flags |= SQX_WIRE_ORDERED;
  if (choice & 16)
    header->flags |= SQX_WIRE_FINAL;
  if (choice & 32)
    {
      header->flags |= SQX_WIRE_REPLY;
      header->reply_to = pick_sent (f, channel);
    }
}

/* As the target knows it already, but for what @choice changes. */
static void
describe_open (const sqx_incoming *message,
               uint8_t             choice,
               sqx_message_header *header)
{
  header->number = message->number;
  header->total = message->total + (choice == 255);
  header->reply_to = message->reply_to + (choice == 254);
  header->flags = (uint8_t) ((message->ordered ^ (choice == 253) ? SQX_WIRE_ORDERED : 0) |
                             (message->is_reply ^ (choice == 252) ? SQX_WIRE_REPLY : 0) |
                             (message->final ^ (choice == 251) ? SQX_WIRE_FINAL : 0));
}

/* A message that the target has a record of, or one that it has not. */
static const sqx_incoming *
describe (forger             *f,
          sqx_message_header *header)
{
  uint64_t id;
  const sqx_channel *channel = pick_channel (f, &id);
  uint8_t choice = input_byte (f->input);
  const sqx_incoming *open = NULL;

  header->channel = id * 2 + (choice == 250);
  if (channel != NULL && (choice & 1))
    open = pick_open (f, &channel->incoming);
  if (open != NULL)
    describe_open (open, choice, header);
  else
    describe_new (f, channel, header);
  return open;
}

static void
forge_message (forger *f)
{
  sqx_message_header header = { 0 };
  const sqx_incoming *open = describe (f, &header);
  uint64_t written;

  if (header.total > 0)
    {
      header.offset = input_near (f->input, open ? open->body.received : 0);
      if (header.offset >= header.total)
        header.offset = header.total - 1;
      header.size = 1 + (input_byte (f->input) * 4u) % FRAGMENT_MAX;
      header.size = SQX_MIN (header.size, header.total - header.offset);
    }
  sqx_write_message (f->writer, &header, forge_pattern + header.offset % 251, &written);
}

static void
forge_cancel (forger *f)
{
  sqx_message_header header = { 0 };

  describe (f, &header);
  sqx_write_cancel (f->writer, header.channel, header.number, header.total,
                    (header.flags & SQX_WIRE_REPLY) != 0, header.reply_to);
}

static void
forge_end (forger *f)
{
  uint64_t id;
  const sqx_channel *channel = pick_channel (f, &id);
  uint8_t choice = input_byte (f->input);
  sqx_runs_writer end;

  if (!sqx_end_writer_begin (&end, f->writer, id * 2 + (choice == 255), choice & 7))
    return;
  for (unsigned runs = (choice >> 3 & 3) + 1; runs > 0; runs--)
    {
      uint64_t first = pick_sent (f, channel);
      uint64_t run = input_near (f->input, 1);

      sqx_runs_writer_add (&end, f->writer, first, SQX_MAX (run, 1));
    }
  sqx_runs_writer_finish (&end, f->writer);
}

static void
forge_credit (forger *f)
{
  const sqx_credit *credit = &f->target->session.credit;
  uint64_t more = input_byte (f->input) * 200u;
  uint64_t bytes = input_near (f->input, credit->bytes_limit + more);
  uint64_t exchanges = input_near (f->input, credit->exchanges_limit);

  sqx_write_credit (f->writer, bytes, exchanges);
}

/* Of packets that the target really sent, or nearly so: up to three ranges. */
static void
forge_ack (forger *f)
{
  uint64_t next = f->target->link.recovery.sent.next_number;
  sqx_range ranges[3];
  unsigned count = 0, first = 3;
  uint8_t choice = input_byte (f->input);
  uint64_t end = input_near (f->input, next - (next > 0)) + 1;

  while (count < 1 + (choice & 3u) % 3 && end > 0)
    {
      uint64_t length = 1 + input_byte (f->input) % 12;
      uint64_t gap = 1 + input_byte (f->input) % 3;

      first--;
      count++;
      ranges[first] = (sqx_range) { end > length ? end - length : 0, end };
      end = ranges[first].start > gap ? ranges[first].start - gap : 0;
    }
  sqx_write_ack (f->writer, ranges + first, count, choice >> 2);
}

static void
forge_hello (forger *f)
{
  uint8_t parameters[SQX_HELLO_MAX];
  uint8_t choice = input_byte (f->input);
  sqx_hello hello = {
    .max_message_size = SQX_MESSAGE_MAX_MIN,
    .byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
    .exchange_credit = 1 + (choice & 31),
    .max_channels = SQX_CHANNELS_MIN,
    .max_streams = choice & 3,
    .stream_window = SQX_STREAM_WINDOW_MIN,
    .idle_timeout = 20 * SQX_SECOND,
    .ack_delay = SQX_ACK_DELAY_DEFAULT,
    .max_datagram_size = SQX_DATAGRAM_DEFAULT,
  };
  uint64_t *fields[8] = { &hello.max_message_size, &hello.byte_credit, &hello.exchange_credit,
                          &hello.max_channels, &hello.max_streams, &hello.idle_timeout,
                          &hello.ack_delay, &hello.max_datagram_size };

  memcpy (hello.application_id, f->target->application_id, strlen (f->target->application_id));
  if (choice >= 192)
    *fields[choice & 7] = input_near (f->input, *fields[choice & 7]);
  if (choice == 191)
    hello.application_id[0] ^= 0x80;
  sqx_write_hello (f->writer, parameters, sqx_hello_encode (&hello, parameters));
}

static void
forge_close (forger *f)
{
  char reason[8];
  uint8_t choice = input_byte (f->input);

  /* It ends most of what could still happen. */
  if ((choice & 7) != 7)
    return;
  for (unsigned i = 0; i < sizeof reason; i++)
    reason[i] = (char) input_byte (f->input);
  sqx_write_close (f->writer, input_near (f->input, choice >> 4), reason, choice >> 5);
}

/* What only encrypted packets have. */
static void
forge_secure (forger *f)
{
  uint8_t choice = input_byte (f->input);
  uint64_t id;
  const sqx_channel *channel;
  sqx_runs_writer runs;

  switch (choice & 7)
    {
    case 0:
      sqx_write_ready (f->writer);
      break;
    case 1: case 2: case 3:
      channel = pick_channel (f, &id);
      if (!sqx_received_writer_begin (&runs, f->writer, id * 2))
        return;
      for (unsigned left = 1 + (choice >> 3 & 1); left > 0; left--)
        sqx_runs_writer_add (&runs, f->writer, pick_sent (f, channel), 1 + (choice >> 4 & 3));
      sqx_runs_writer_finish (&runs, f->writer);
      break;
    case 4: case 5:
      sqx_write_challenge (f->writer, forge_pattern + choice);
      break;
    case 6:
      sqx_write_response (f->writer, forge_pattern + choice);
      break;
    default:
      sqx_write_ping (f->writer);
      break;
    }
}

static void
forge_raw (forger *f)
{
  unsigned left = input_byte (f->input) & 31;

  for (; left > 0 && sqx_writer_room (f->writer) > 0; left--)
    f->writer->data[f->writer->size++] = input_byte (f->input);
}

static void
forge_frame (forger *f)
{
  switch (input_byte (f->input) & 15)
    {
    case 0: case 1: case 2: case 3: case 4:
      forge_message (f);
      break;
    case 5: case 6:
      forge_cancel (f);
      break;
    case 7: case 8:
      forge_end (f);
      break;
    case 9:
      forge_credit (f);
      break;
    case 10: case 11:
      forge_ack (f);
      break;
    case 12:
      forge_hello (f);
      break;
    case 13:
      if (f->target->secure != NULL)
        forge_secure (f);
      else
        sqx_write_ping (f->writer);
      break;
    case 14:
      if (input_byte (f->input) & 1)
        sqx_write_datagram (f->writer, forge_pattern, input_byte (f->input));
      else
        forge_close (f);
      break;
    default:
      forge_raw (f);
      break;
    }
}

size_t
forge_packet (fuzz_input             *input,
              const sqx_conn         *target,
              const sqx_plain_header *header,
              bool                    hello,
              const uint8_t          *tail,
              size_t                  tail_size,
              uint8_t                *buffer,
              size_t                  capacity)
{
  sqx_writer writer = { buffer, 0, capacity };
  forger f = { input, target, &writer };

  sqx_write_plain (&writer, header);
  if (hello)
    forge_hello (&f);
  for (unsigned frames = 1 + (input_byte (input) & 3); frames > 0; frames--)
    forge_frame (&f);
  if (tail_size > 0 && tail_size <= sqx_writer_room (&writer))
    {
      memcpy (writer.data + writer.size, tail, tail_size);
      writer.size += tail_size;
    }
  return writer.size;
}
