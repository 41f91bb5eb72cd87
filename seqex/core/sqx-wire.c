/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-wire.h"

#include "sqx-limits.h"
#include "sqx-util.h"

/* Reading ----------------------------------------------------------------------------- */

bool
sqx_read_varint (sqx_reader *reader,
                 uint64_t   *value)
{
  size_t left = (size_t) (reader->end - reader->at);
  size_t size;
  uint64_t v;

  if (left == 0)
    return false;
  size = (size_t) 1 << (reader->at[0] >> 6);
  if (left < size)
    return false;

  v = reader->at[0] & 0x3f;
  for (size_t i = 1; i < size; i++)
    v = v << 8 | reader->at[i];
  reader->at += size;
  *value = v;
  return true;
}

bool
sqx_read_bytes (sqx_reader     *reader,
                const uint8_t **bytes,
                uint64_t        size)
{
  if (size > (size_t) (reader->end - reader->at))
    return false;

  *bytes = reader->at;
  reader->at += size;
  return true;
}

/* A length, and as many bytes. */
static bool
read_counted (sqx_reader     *reader,
              const uint8_t **bytes,
              size_t         *size,
              uint64_t        limit)
{
  uint64_t length;

  if (!sqx_read_varint (reader, &length) || length > limit ||
      !sqx_read_bytes (reader, bytes, length))
    return false;
  *size = (size_t) length;
  return true;
}

bool
sqx_decode_plain (const uint8_t    *data,
                  size_t            size,
                  sqx_plain_header *header)
{
  if (size < SQX_PLAIN_HEADER || data[0] != SQX_PACKET_PLAIN)
    return false;

  header->instance = sqx_get_be32 (data + 1);
  header->source_epoch = sqx_get_be32 (data + 5);
  header->destination_epoch = sqx_get_be32 (data + 9);
  header->number = sqx_get_be32 (data + 13);
  return true;
}

bool
sqx_runs_next (sqx_runs *runs,
               uint64_t *first,
               uint64_t *run)
{
  if (runs->count == 0 ||
      !sqx_read_varint (&runs->reader, first) || !sqx_read_varint (&runs->reader, run))
    return false;
  runs->count--;
  return true;
}

void
sqx_ack_iter_init (sqx_ack_iter *iter)
{
  *iter = (sqx_ack_iter) { .left = UINT64_MAX };
}

bool
sqx_ack_iter_next (sqx_ack_iter  *iter,
                   const sqx_ack *ack,
                   uint64_t      *low,
                   uint64_t      *high)
{
  uint64_t gap, length;

  if (iter->left == UINT64_MAX)
    {
      iter->left = ack->range_count;
      iter->reader = ack->reader;
      *high = ack->largest;
      length = ack->first_range;
    }
  else
    {
      if (iter->left == 0 ||
          !sqx_read_varint (&iter->reader, &gap) || !sqx_read_varint (&iter->reader, &length))
        return false;
      iter->left--;
      *high = iter->low - gap - 2;
    }

  *low = iter->low = *high - length;
  return true;
}

static bool
decode_ack (sqx_reader *reader,
            sqx_ack    *ack)
{
  uint64_t low, gap, length;

  if (!sqx_read_varint (reader, &ack->largest) || !sqx_read_varint (reader, &ack->delay) ||
      !sqx_read_varint (reader, &ack->range_count) ||
      !sqx_read_varint (reader, &ack->first_range) || ack->first_range > ack->largest)
    return false;

  ack->reader.at = reader->at;
  low = ack->largest - ack->first_range;
  for (uint64_t i = 0; i < ack->range_count; i++)
    {
      if (!sqx_read_varint (reader, &gap) || !sqx_read_varint (reader, &length) ||
          gap + 2 > low || length > low - gap - 2)
        return false;
      low = low - gap - 2 - length;
    }
  ack->reader.end = reader->at;
  return true;
}

static bool
decode_end (sqx_reader *reader,
            sqx_frame  *frame)
{
  const uint8_t *reason;
  uint64_t first, run;

  if (!sqx_read_varint (reader, &frame->end.channel) || !sqx_read_bytes (reader, &reason, 1) ||
      !sqx_read_varint (reader, &frame->end.runs.count))
    return false;

  frame->end.reason = *reason;
  frame->end.runs.reader.at = reader->at;
  for (uint64_t i = 0; i < frame->end.runs.count; i++)
    if (!sqx_read_varint (reader, &first) || !sqx_read_varint (reader, &run) ||
        run == 0 || run - 1 > SQX_VARINT_MAX - first)
      return false;
  frame->end.runs.reader.end = reader->at;
  return true;
}

static bool
decode_cancel (sqx_reader *reader,
               sqx_frame  *frame)
{
  uint64_t reply;

  if (!sqx_read_varint (reader, &frame->cancel.channel) ||
      !sqx_read_varint (reader, &frame->cancel.number) ||
      !sqx_read_varint (reader, &frame->cancel.total) || !sqx_read_varint (reader, &reply))
    return false;

  frame->cancel.is_reply = reply > 0;
  frame->cancel.reply_to = reply > 0 ? reply - 1 : 0;
  return true;
}

static bool
decode_message (sqx_reader *reader,
                uint8_t     flags,
                sqx_frame  *frame)
{
  uint64_t size, total = 0, offset = 0, reply_to = 0;

  if (!sqx_read_varint (reader, &frame->message.channel) ||
      !sqx_read_varint (reader, &frame->message.number))
    return false;
  if ((flags & SQX_WIRE_REPLY) && !sqx_read_varint (reader, &reply_to))
    return false;
  if ((flags & SQX_WIRE_FRAGMENT) &&
      (!sqx_read_varint (reader, &total) || !sqx_read_varint (reader, &offset)))
    return false;
  size = (uint64_t) (reader->end - reader->at);
  if ((flags & SQX_WIRE_LENGTH) && !sqx_read_varint (reader, &size))
    return false;

  if (!(flags & SQX_WIRE_FRAGMENT))
    total = size;
  if (offset + size > total || (size == 0 && total > 0) ||
      !sqx_read_bytes (reader, &frame->message.data, size))
    return false;

  frame->message.flags = flags & (uint8_t) ~SQX_WIRE_LENGTH;
  frame->message.reply_to = reply_to;
  frame->message.total = total;
  frame->message.offset = offset;
  frame->message.size = (size_t) size;
  return true;
}

static bool
decode_datagram (sqx_reader *reader,
                 bool        counted,
                 sqx_frame  *frame)
{
  if (counted)
    return read_counted (reader, &frame->datagram.data, &frame->datagram.size, SQX_VARINT_MAX);

  frame->datagram.size = (size_t) (reader->end - reader->at);
  return sqx_read_bytes (reader, &frame->datagram.data, frame->datagram.size);
}

bool
sqx_decode_frame (sqx_reader *reader,
                  sqx_frame  *frame)
{
  uint8_t type;

  if (reader->at == reader->end)
    return false;

  type = *reader->at++;
  frame->type = type;
  switch (type)
    {
    case SQX_FRAME_PADDING:
      while (reader->at < reader->end && *reader->at == SQX_FRAME_PADDING)
        reader->at++;
      return true;
    case SQX_FRAME_PING:
      return true;
    case SQX_FRAME_ACK:
      return decode_ack (reader, &frame->ack);
    case SQX_FRAME_CLOSE:
      return sqx_read_varint (reader, &frame->close.code) &&
             read_counted (reader, &frame->close.reason, &frame->close.size, SQX_CLOSE_REASON_MAX);
    case SQX_FRAME_HELLO:
      return read_counted (reader, &frame->hello.data, &frame->hello.size, SQX_HELLO_MAX);
    case SQX_FRAME_CREDIT:
      return sqx_read_varint (reader, &frame->credit.bytes) &&
             sqx_read_varint (reader, &frame->credit.exchanges);
    case SQX_FRAME_END:
      return decode_end (reader, frame);
    case SQX_FRAME_CANCEL:
      return decode_cancel (reader, frame);
    case SQX_FRAME_DATAGRAM:
    case SQX_FRAME_DATAGRAM_LENGTH:
      frame->type = SQX_FRAME_DATAGRAM;
      return decode_datagram (reader, type == SQX_FRAME_DATAGRAM_LENGTH, frame);
    default:
      if (type < SQX_FRAME_MESSAGE || type >= SQX_FRAME_DATAGRAM)
        return false;
      frame->type = SQX_FRAME_MESSAGE;
      return decode_message (reader, (uint8_t) (type - SQX_FRAME_MESSAGE), frame);
    }
}

/* Writing ----------------------------------------------------------------------------- */

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
  for (size_t i = size; i-- > 0; value >>= 8)
    p[i] = (uint8_t) value;
  p[0] |= (uint8_t) (size == 1 ? 0x00 : size == 2 ? 0x40 : size == 4 ? 0x80 : 0xc0);
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

bool
sqx_write_ping (sqx_writer *writer)
{
  if (sqx_writer_room (writer) < 1)
    return false;
  put_byte (writer, SQX_FRAME_PING);
  return true;
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

#define END_COUNT_SIZE 2u
#define END_COUNT_MAX  0x3fffu

bool
sqx_end_writer_begin (sqx_end_writer *end,
                      sqx_writer     *writer,
                      uint64_t        channel,
                      uint8_t         reason)
{
  if (sqx_writer_room (writer) < 1 + sqx_varint_size (channel) + 1 + END_COUNT_SIZE)
    return false;

  end->start = writer->size;
  put_byte (writer, SQX_FRAME_END);
  put_varint (writer, channel);
  put_byte (writer, reason);
  end->count_at = writer->size;
  end->count = 0;
  put_sized (writer, 0, END_COUNT_SIZE);
  return true;
}

bool
sqx_end_writer_run (sqx_end_writer *end,
                    sqx_writer     *writer,
                    uint64_t        first,
                    uint64_t        run)
{
  if (end->count == END_COUNT_MAX ||
      sqx_writer_room (writer) < sqx_varint_size (first) + sqx_varint_size (run))
    return false;

  put_varint (writer, first);
  put_varint (writer, run);
  end->count++;
  return true;
}

void
sqx_end_writer_finish (sqx_end_writer *end,
                       sqx_writer     *writer)
{
  sqx_writer count = { .data = writer->data, .size = end->count_at };

  if (end->count == 0)
    writer->size = end->start;
  else
    put_sized (&count, end->count, END_COUNT_SIZE);
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
