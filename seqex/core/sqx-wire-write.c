/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The writing half of sqx-wire.h.
 */
#include "sqx-wire.h"

#include "sqx-limits.h"
#include "sqx-util.h"

size_t
sqx_varint_size (uint64_t value)
{
  if (value < UINT64_C (1) << 6)
    return 1;
  if (value < UINT64_C (1) << 14)
    return 2;
  return value < UINT64_C (1) << 30 ? 4 : 8;
}

/* The put functions trust that there is room. */
static void
put_byte (sqx_writer *writer,
          uint8_t     byte)
{
  writer->data[writer->size++] = byte;
}

static void
put_sized (sqx_writer *writer,
           uint64_t    value,
           size_t      size)
{
  uint8_t *p = writer->data + writer->size;

  assert (value <= SQX_VARINT_MAX);
  if (size == 1)
    p[0] = (uint8_t) value;
  else if (size == 2)
    {
      p[0] = (uint8_t) (0x40 | value >> 8);
      p[1] = (uint8_t) value;
    }
  else if (size == 4)
    sqx_put_be32 (p, 0x80000000u | (uint32_t) value);
  else
    {
      sqx_put_be32 (p, 0xc0000000u | (uint32_t) (value >> 32));
      sqx_put_be32 (p + 4, (uint32_t) value);
    }
  writer->size += size;
}

static void
put_varint (sqx_writer *writer,
            uint64_t    value)
{
  put_sized (writer, value, sqx_varint_size (value));
}

static void
put_bytes (sqx_writer    *writer,
           const uint8_t *bytes,
           size_t         size)
{
  if (size > 0)
    memcpy (writer->data + writer->size, bytes, size);
  writer->size += size;
}

static void
put_padding (sqx_writer *writer,
             size_t      size)
{
  if (size > 0)
    memset (writer->data + writer->size, SQX_FRAME_PADDING, size);
  writer->size += size;
}

bool
sqx_write_varint (sqx_writer *writer,
                  uint64_t    value)
{
  if (sqx_writer_room (writer) < sqx_varint_size (value))
    return false;
  put_varint (writer, value);
  return true;
}

bool
sqx_write_plain (sqx_writer             *writer,
                 const sqx_plain_header *header)
{
  uint8_t *p = writer->data + writer->size;

  if (sqx_writer_room (writer) < SQX_PLAIN_HEADER)
    return false;

  p[0] = SQX_PACKET_PLAIN;
  sqx_put_be32 (p + 1, header->instance);
  sqx_put_be32 (p + 5, header->source_epoch);
  sqx_put_be32 (p + 9, header->destination_epoch);
  sqx_put_be32 (p + 13, header->number);
  writer->size += SQX_PLAIN_HEADER;
  return true;
}

/* A frame that is nothing but its type. */
static bool
write_bare (sqx_writer    *writer,
            sqx_frame_type type)
{
  if (sqx_writer_room (writer) < 1)
    return false;
  put_byte (writer, type);
  return true;
}

bool
sqx_write_ping (sqx_writer *writer)
{
  return write_bare (writer, SQX_FRAME_PING);
}

bool
sqx_write_ready (sqx_writer *writer)
{
  return write_bare (writer, SQX_FRAME_READY);
}

static bool
write_token (sqx_writer    *writer,
             sqx_frame_type type,
             const uint8_t  token[SQX_CHALLENGE_SIZE])
{
  if (sqx_writer_room (writer) < 1 + SQX_CHALLENGE_SIZE)
    return false;
  put_byte (writer, type);
  put_bytes (writer, token, SQX_CHALLENGE_SIZE);
  return true;
}

bool
sqx_write_challenge (sqx_writer   *writer,
                     const uint8_t token[SQX_CHALLENGE_SIZE])
{
  return write_token (writer, SQX_FRAME_CHALLENGE, token);
}

bool
sqx_write_response (sqx_writer   *writer,
                    const uint8_t token[SQX_CHALLENGE_SIZE])
{
  return write_token (writer, SQX_FRAME_RESPONSE, token);
}

bool
sqx_write_close (sqx_writer *writer,
                 uint64_t    code,
                 const char *reason,
                 size_t      size)
{
  if (size > SQX_CLOSE_REASON_MAX)
    {
      /* Not through the middle of a character. */
      size = SQX_CLOSE_REASON_MAX;
      while (size > 0 && ((uint8_t) reason[size] & 0xc0) == 0x80)
        size--;
    }
  if (sqx_writer_room (writer) < 1 + sqx_varint_size (code) + sqx_varint_size (size) + size)
    return false;

  put_byte (writer, SQX_FRAME_CLOSE);
  put_varint (writer, code);
  put_varint (writer, size);
  put_bytes (writer, (const uint8_t *) reason, size);
  return true;
}

bool
sqx_write_hello (sqx_writer    *writer,
                 const uint8_t *data,
                 size_t         size)
{
  assert (size <= SQX_HELLO_MAX);
  if (sqx_writer_room (writer) < 1 + sqx_varint_size (size) + size)
    return false;

  put_byte (writer, SQX_FRAME_HELLO);
  put_varint (writer, size);
  put_bytes (writer, data, size);
  return true;
}

bool
sqx_write_credit (sqx_writer *writer,
                  uint64_t    bytes,
                  uint64_t    exchanges)
{
  if (sqx_writer_room (writer) < 1 + sqx_varint_size (bytes) + sqx_varint_size (exchanges))
    return false;

  put_byte (writer, SQX_FRAME_CREDIT);
  put_varint (writer, bytes);
  put_varint (writer, exchanges);
  return true;
}

bool
sqx_write_cancel (sqx_writer *writer,
                  uint64_t    channel,
                  uint64_t    number,
                  uint64_t    total,
                  bool        is_reply,
                  uint64_t    reply_to)
{
  uint64_t reply = is_reply ? reply_to + 1 : 0;

  if (sqx_writer_room (writer) < 1 + sqx_varint_size (channel) + sqx_varint_size (number) +
                                   sqx_varint_size (total) + sqx_varint_size (reply))
    return false;

  put_byte (writer, SQX_FRAME_CANCEL);
  put_varint (writer, channel);
  put_varint (writer, number);
  put_varint (writer, total);
  put_varint (writer, reply);
  return true;
}

/* The count of pairs after the first range is written last, over one byte. */
_Static_assert (SQX_ACK_RANGES <= 64, "the count of ranges in ACK is one byte");

bool
sqx_write_ack (sqx_writer      *writer,
               const sqx_range *ranges,
               size_t           count,
               uint64_t         delay)
{
  const sqx_range *range;
  uint64_t largest, length, gap;
  size_t count_at, pairs = 0;

  if (count == 0)
    return false;

  range = ranges + count - 1;
  largest = range->end - 1;
  length = largest - range->start;
  delay = SQX_MIN (delay, SQX_VARINT_MAX);
  if (sqx_writer_room (writer) < 1 + sqx_varint_size (largest) + sqx_varint_size (delay) + 1 +
                                   sqx_varint_size (length))
    return false;

  put_byte (writer, SQX_FRAME_ACK);
  put_varint (writer, largest);
  put_varint (writer, delay);
  count_at = writer->size;
  put_byte (writer, 0);
  put_varint (writer, length);

  for (count = SQX_MIN (count, SQX_ACK_RANGES); pairs < count - 1; pairs++, range--)
    {
      assert (range[-1].end < range->start);
      gap = range->start - range[-1].end - 1;
      length = range[-1].end - 1 - range[-1].start;
      if (sqx_writer_room (writer) < sqx_varint_size (gap) + sqx_varint_size (length))
        break;
      put_varint (writer, gap);
      put_varint (writer, length);
    }
  writer->data[count_at] = (uint8_t) pairs;
  return true;
}

#define RUNS_COUNT_SIZE 2u
#define RUNS_COUNT_MAX  0x3fffu

/* What comes before the runs has been written, from @start on, and there is room for the count. */
static void
begin_runs (sqx_runs_writer *runs,
            sqx_writer      *writer,
            size_t           start)
{
  runs->start = start;
  runs->count_at = writer->size;
  runs->count = 0;
  put_sized (writer, 0, RUNS_COUNT_SIZE);
}

bool
sqx_end_writer_begin (sqx_runs_writer *runs,
                      sqx_writer      *writer,
                      uint64_t         channel,
                      uint8_t          reason)
{
  size_t start = writer->size;

  if (sqx_writer_room (writer) < 1 + sqx_varint_size (channel) + 1 + RUNS_COUNT_SIZE)
    return false;

  put_byte (writer, SQX_FRAME_END);
  put_varint (writer, channel);
  put_byte (writer, reason);
  begin_runs (runs, writer, start);
  return true;
}

bool
sqx_received_writer_begin (sqx_runs_writer *runs,
                           sqx_writer      *writer,
                           uint64_t         channel)
{
  size_t start = writer->size;

  if (sqx_writer_room (writer) < 1 + sqx_varint_size (channel) + RUNS_COUNT_SIZE)
    return false;

  put_byte (writer, SQX_FRAME_RECEIVED);
  put_varint (writer, channel);
  begin_runs (runs, writer, start);
  return true;
}

bool
sqx_runs_writer_add (sqx_runs_writer *runs,
                     sqx_writer      *writer,
                     uint64_t         first,
                     uint64_t         run)
{
  if (runs->count == RUNS_COUNT_MAX ||
      sqx_writer_room (writer) < sqx_varint_size (first) + sqx_varint_size (run))
    return false;

  put_varint (writer, first);
  put_varint (writer, run);
  runs->count++;
  return true;
}

void
sqx_runs_writer_finish (sqx_runs_writer *runs,
                        sqx_writer      *writer)
{
  sqx_writer count = { .data = writer->data, .size = runs->count_at };

  if (runs->count == 0)
    writer->size = runs->start;
  else
    put_sized (&count, runs->count, RUNS_COUNT_SIZE);
}

/* How @size bytes at the end of a frame are told from what follows, when @room is left for them
 * and their length. Either the length stands before them, or the frame ends with the packet. If
 * the length just does not fit, PADDING in front moves the frame to the packet's end. */
typedef struct
{
  bool   counted;
  size_t padding;
} tail;

static tail
choose_tail (size_t room,
             size_t size)
{
  if (sqx_varint_size (size) <= room - size)
    return (tail) { .counted = true };
  return (tail) { .padding = room - size };
}

bool
sqx_write_message (sqx_writer               *writer,
                   const sqx_message_header *header,
                   const uint8_t            *bytes,
                   uint64_t                 *written)
{
  uint8_t flags = header->flags & (SQX_WIRE_ORDERED | SQX_WIRE_REPLY | SQX_WIRE_FINAL);
  size_t overhead = 1 + sqx_varint_size (header->channel) + sqx_varint_size (header->number);
  size_t room = sqx_writer_room (writer), size;
  tail end;

  assert (header->offset + header->size <= header->total);
  if (flags & SQX_WIRE_REPLY)
    overhead += sqx_varint_size (header->reply_to);
  if (header->size < header->total || header->total > room || overhead > room - header->total)
    {
      flags |= SQX_WIRE_FRAGMENT;
      overhead += sqx_varint_size (header->total) + sqx_varint_size (header->offset);
      if (header->size == 0 || overhead >= room)
        return false;
    }
  size = (size_t) SQX_MIN (header->size, room - overhead);
  end = choose_tail (room - overhead, size);
  if (end.counted)
    flags |= SQX_WIRE_LENGTH;

  put_padding (writer, end.padding);
  put_byte (writer, (uint8_t) (SQX_FRAME_MESSAGE + flags));
  put_varint (writer, header->channel);
  put_varint (writer, header->number);
  if (flags & SQX_WIRE_REPLY)
    put_varint (writer, header->reply_to);
  if (flags & SQX_WIRE_FRAGMENT)
    {
      put_varint (writer, header->total);
      put_varint (writer, header->offset);
    }
  if (flags & SQX_WIRE_LENGTH)
    put_varint (writer, size);
  put_bytes (writer, bytes, size);
  *written = size;
  return true;
}

bool
sqx_write_datagram (sqx_writer    *writer,
                    const uint8_t *data,
                    size_t         size)
{
  size_t room = sqx_writer_room (writer);
  tail end;

  if (room < 1 || size > room - 1)
    return false;

  end = choose_tail (room - 1, size);
  put_padding (writer, end.padding);
  put_byte (writer, end.counted ? SQX_FRAME_DATAGRAM_LENGTH : SQX_FRAME_DATAGRAM);
  if (end.counted)
    put_varint (writer, size);
  put_bytes (writer, data, size);
  return true;
}

size_t
sqx_datagram_overhead (size_t size)
{
  return 1 + sqx_varint_size (size);
}
