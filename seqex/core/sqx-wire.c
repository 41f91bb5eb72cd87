/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reading half of sqx-wire.h.
 */
#include "sqx-wire.h"

#include "sqx-limits.h"
#include "sqx-util.h"

static inline bool
read_varint (sqx_reader *reader,
             uint64_t   *value)
{
  const uint8_t *p = reader->at;
  size_t left = (size_t) (reader->end - p);
  size_t size;

  if (left == 0)
    return false;
  size = (size_t) 1 << (p[0] >> 6);
  if (left < size)
    return false;

  reader->at += size;
  if (size == 1)
    *value = p[0];
  else if (size == 2)
    *value = (uint64_t) (p[0] & 0x3f) << 8 | p[1];
  else if (size == 4)
    *value = sqx_get_be32 (p) & 0x3fffffff;
  else
    *value = (uint64_t) (sqx_get_be32 (p) & 0x3fffffff) << 32 | sqx_get_be32 (p + 4);
  return true;
}

bool
sqx_read_varint (sqx_reader *reader,
                 uint64_t   *value)
{
  return read_varint (reader, value);
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
decode_runs (sqx_reader *reader,
             sqx_runs   *runs)
{
  uint64_t first, run;

  if (!sqx_read_varint (reader, &runs->count))
    return false;

  runs->reader.at = reader->at;
  for (uint64_t i = 0; i < runs->count; i++)
    if (!sqx_read_varint (reader, &first) || !sqx_read_varint (reader, &run) ||
        run == 0 || run - 1 > SQX_VARINT_MAX - first)
      return false;
  runs->reader.end = reader->at;
  return true;
}

static bool
decode_end (sqx_reader *reader,
            sqx_frame  *frame)
{
  const uint8_t *reason;

  if (!sqx_read_varint (reader, &frame->end.channel) || !sqx_read_bytes (reader, &reason, 1))
    return false;
  frame->end.reason = *reason;
  return decode_runs (reader, &frame->end.runs);
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

  if (!read_varint (reader, &frame->message.channel) ||
      !read_varint (reader, &frame->message.number))
    return false;
  if ((flags & SQX_WIRE_REPLY) && !read_varint (reader, &reply_to))
    return false;
  if ((flags & SQX_WIRE_FRAGMENT) &&
      (!read_varint (reader, &total) || !read_varint (reader, &offset)))
    return false;
  size = (uint64_t) (reader->end - reader->at);
  if ((flags & SQX_WIRE_LENGTH) && !read_varint (reader, &size))
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
    case SQX_FRAME_READY:
      return true;
    case SQX_FRAME_ACK:
      return decode_ack (reader, &frame->ack);
    case SQX_FRAME_CLOSE:
      return sqx_read_varint (reader, &frame->close.code) &&
             read_counted (reader, &frame->close.reason, &frame->close.size, SQX_CLOSE_REASON_MAX);
    case SQX_FRAME_HELLO:
      return read_counted (reader, &frame->hello.data, &frame->hello.size, SQX_HELLO_MAX);
    case SQX_FRAME_RECEIVED:
      return sqx_read_varint (reader, &frame->received.channel) &&
             decode_runs (reader, &frame->received.runs);
    case SQX_FRAME_CREDIT:
      return sqx_read_varint (reader, &frame->credit.bytes) &&
             sqx_read_varint (reader, &frame->credit.exchanges);
    case SQX_FRAME_END:
      return decode_end (reader, frame);
    case SQX_FRAME_CANCEL:
      return decode_cancel (reader, frame);
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      return sqx_read_bytes (reader, &frame->challenge.token, SQX_CHALLENGE_SIZE);
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
