/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The decoders, fed with anything: a datagram's header, its frames, HELLO's parameters. What is
 * decoded must lie inside the input, keep its promises, and decode the same when written again.
 */
#include <stdlib.h>
#include <string.h>

#include "sqx-hello.h"
#include "sqx-limits.h"
#include "sqx-wire.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* abort() is what fuzzers and sanitizers notice, NDEBUG or not. */
#define REQUIRE(condition) do { if (!(condition)) abort (); } while (0)

static const uint8_t *input;
static size_t input_size;

static void
require_inside (const uint8_t *bytes,
                size_t         size)
{
  REQUIRE (bytes >= input && bytes + size <= input + input_size);
}

static void
check_ack (const sqx_ack *ack)
{
  sqx_range ranges[SQX_ACK_RANGES];
  sqx_ack_iter iter;
  uint64_t low, high, last = UINT64_MAX;
  size_t count = 0;

  sqx_ack_iter_init (&iter);
  while (sqx_ack_iter_next (&iter, ack, &low, &high))
    {
      REQUIRE (low <= high && high <= SQX_VARINT_MAX);
      REQUIRE (last == UINT64_MAX ? high == ack->largest : high + 1 < last);
      last = low;
      if (count < SQX_ACK_RANGES)
        {
          count++;
          ranges[SQX_ACK_RANGES - count] = (sqx_range) { low, high + 1 };
        }
    }
  REQUIRE (count > 0);

  {
    uint8_t buffer[SQX_ACK_RANGES * 16 + 32];
    sqx_writer writer = { buffer, 0, sizeof buffer };
    sqx_reader reader;
    sqx_frame again;

    REQUIRE (sqx_write_ack (&writer, ranges + SQX_ACK_RANGES - count, count, ack->delay));
    reader = (sqx_reader) { buffer, buffer + writer.size };
    REQUIRE (sqx_decode_frame (&reader, &again) && reader.at == reader.end);
    REQUIRE (again.type == SQX_FRAME_ACK && again.ack.largest == ack->largest);
    REQUIRE (again.ack.delay == ack->delay && again.ack.first_range == ack->first_range);
  }
}

static void
check_runs (sqx_runs runs)
{
  uint64_t first, run, count = 0, wanted = runs.count;

  while (sqx_runs_next (&runs, &first, &run))
    {
      REQUIRE (run >= 1 && first <= SQX_VARINT_MAX && run - 1 <= SQX_VARINT_MAX - first);
      count++;
    }
  REQUIRE (count == wanted);
}

static void
check_message (const sqx_frame *frame)
{
  static uint8_t buffer[70000];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_message_header header = {
    .channel = frame->message.channel,
    .number = frame->message.number,
    .flags = frame->message.flags & (SQX_WIRE_ORDERED | SQX_WIRE_REPLY | SQX_WIRE_FINAL),
    .reply_to = frame->message.reply_to,
    .total = frame->message.total,
    .offset = frame->message.offset,
    .size = frame->message.size,
  };
  sqx_reader reader;
  sqx_frame again;
  uint64_t written;

  require_inside (frame->message.data, frame->message.size);
  REQUIRE (frame->message.offset <= frame->message.total);
  REQUIRE (frame->message.size <= frame->message.total - frame->message.offset);
  REQUIRE (frame->message.size > 0 || frame->message.total == 0);

  REQUIRE (sqx_write_message (&writer, &header, frame->message.data, &written));
  REQUIRE (written == frame->message.size);
  reader = (sqx_reader) { buffer, buffer + writer.size };
  REQUIRE (sqx_decode_frame (&reader, &again) && reader.at == reader.end);
  REQUIRE (again.message.number == header.number && again.message.channel == header.channel);
  REQUIRE (again.message.total == header.total && again.message.offset == header.offset);
  REQUIRE (again.message.size == written);
  REQUIRE (written == 0 || memcmp (again.message.data, frame->message.data, written) == 0);
}

static void
check_hello (const uint8_t *data,
             size_t         size)
{
  uint8_t buffer[SQX_HELLO_MAX];
  sqx_hello hello, again;

  if (sqx_hello_decode_secure (&hello, data, size) && hello.n_ciphers > 0)
    {
      REQUIRE (sqx_hello_decode_secure (&again, buffer, sqx_hello_encode (&hello, buffer)));
      REQUIRE (again.n_ciphers == hello.n_ciphers && again.generation == hello.generation);
    }
  if (!sqx_hello_decode (&hello, data, size))
    return;
  REQUIRE (strlen (hello.application_id) <= SQX_APPLICATION_ID_MAX);
  REQUIRE (sqx_hello_decode (&again, buffer, sqx_hello_encode (&hello, buffer)));
  REQUIRE (again.byte_credit == hello.byte_credit);
  REQUIRE (strcmp (again.application_id, hello.application_id) == 0);
}

static void
check_frame (const sqx_frame *frame)
{
  switch (frame->type)
    {
    case SQX_FRAME_ACK:
      check_ack (&frame->ack);
      break;
    case SQX_FRAME_END:
      check_runs (frame->end.runs);
      break;
    case SQX_FRAME_RECEIVED:
      check_runs (frame->received.runs);
      break;
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      require_inside (frame->challenge.token, SQX_CHALLENGE_SIZE);
      break;
    case SQX_FRAME_MESSAGE:
      check_message (frame);
      break;
    case SQX_FRAME_HELLO:
      require_inside (frame->hello.data, frame->hello.size);
      REQUIRE (frame->hello.size <= SQX_HELLO_MAX);
      check_hello (frame->hello.data, frame->hello.size);
      break;
    case SQX_FRAME_CLOSE:
      require_inside (frame->close.reason, frame->close.size);
      break;
    case SQX_FRAME_DATAGRAM:
      require_inside (frame->datagram.data, frame->datagram.size);
      break;
    case SQX_FRAME_PADDING:
    case SQX_FRAME_PING:
    case SQX_FRAME_READY:
    case SQX_FRAME_CREDIT:
    case SQX_FRAME_CANCEL:
      break;
    default:
      abort ();
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  sqx_reader reader = { data, data + size };
  sqx_plain_header header;
  sqx_frame frame;

  input = data;
  input_size = size;
  REQUIRE (sqx_decode_plain (data, size, &header) ==
           (size >= SQX_PLAIN_HEADER && data[0] == SQX_PACKET_PLAIN));
  if (size <= SQX_HELLO_MAX)
    check_hello (data, size);

  while (reader.at < reader.end)
    {
      const uint8_t *before = reader.at;

      if (!sqx_decode_frame (&reader, &frame))
        break;
      REQUIRE (reader.at > before && reader.at <= reader.end);
      check_frame (&frame);
    }
  return 0;
}
