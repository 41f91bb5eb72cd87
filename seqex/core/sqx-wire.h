/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encoding and decoding of packets and frames, without any state: docs/protocol.md in C.
 * Integers are big-endian; varint is RFC 9000 section 16, any length accepted, the shortest
 * written. Decoders never read past the end and never trust a length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqx-limits.h"
#include "sqx-ranges.h"

/* The first byte of a datagram. */
#define SQX_PACKET_INIT    0x04
#define SQX_PACKET_ACCEPT  0x05
#define SQX_PACKET_CONFIRM 0x06
#define SQX_PACKET_RETRY   0x07
#define SQX_PACKET_DATA    0x08 /* and 0x09: the key phase is the lowest bit */
#define SQX_PACKET_RESET   0x0a
#define SQX_PACKET_VERSION 0x0b
#define SQX_PACKET_PLAIN   0x0c
#define SQX_PACKET_LAST    0x0f /* the first bytes up to here are this protocol's */

typedef enum
{
  SQX_FRAME_PADDING  = 0x00,
  SQX_FRAME_PING     = 0x01,
  SQX_FRAME_ACK      = 0x02,
  SQX_FRAME_CLOSE    = 0x04,
  SQX_FRAME_READY    = 0x05,
  SQX_FRAME_HELLO    = 0x06,
  SQX_FRAME_RECEIVED = 0x07,
  SQX_FRAME_CREDIT   = 0x08,
  SQX_FRAME_END      = 0x0a,
  SQX_FRAME_CANCEL   = 0x0b,
  SQX_FRAME_CHALLENGE = 0x0c,
  SQX_FRAME_RESPONSE = 0x0d,
  SQX_FRAME_MESSAGE  = 0x10, /* … 0x2f: plus SQX_WIRE_… flags */
  SQX_FRAME_DATAGRAM = 0x30, /* to the packet's end */
  SQX_FRAME_DATAGRAM_LENGTH = 0x31,
} sqx_frame_type;

/* Flags in the type byte of MESSAGE. */
enum
{
  SQX_WIRE_ORDERED  = 0x01,
  SQX_WIRE_REPLY    = 0x02,
  SQX_WIRE_FRAGMENT = 0x04,
  SQX_WIRE_LENGTH   = 0x08,
  SQX_WIRE_FINAL    = 0x10,
};

/* Reading ----------------------------------------------------------------------------- */

typedef struct
{
  const uint8_t *at;
  const uint8_t *end;
} sqx_reader;

bool sqx_read_varint (sqx_reader *reader, uint64_t *value);
bool sqx_read_bytes  (sqx_reader *reader, const uint8_t **bytes, uint64_t size);

typedef struct
{
  uint32_t instance;
  uint32_t source_epoch;
  uint32_t destination_epoch; /* 0: not known */
  uint32_t number;            /* low 32 bits of the packet number */
} sqx_plain_header;

/* false when @size is below SQX_PLAIN_HEADER or the first byte is another. */
bool sqx_decode_plain (const uint8_t *data, size_t size, sqx_plain_header *header);

/* A list of (first | run) pairs inside a frame that was decoded, so it is known to be well
 * formed: run >= 1 and first + run - 1 <= SQX_VARINT_MAX. */
typedef struct
{
  sqx_reader reader;
  uint64_t   count;
} sqx_runs;

/* Takes the next pair; false at the end. */
bool sqx_runs_next (sqx_runs *runs, uint64_t *first, uint64_t *run);

/* RFC 9000 section 19.3.1, with the delay in microseconds. Checked by the decoder: no range
 * goes below 0. Ranges come highest first. */
typedef struct
{
  uint64_t   largest;
  uint64_t   delay;
  uint64_t   first_range;  /* numbers below largest that are acknowledged with it */
  uint64_t   range_count;  /* (gap, length) pairs that follow */
  sqx_reader reader;
} sqx_ack;

typedef struct
{
  uint64_t low;  /* of the range given last */
  uint64_t left; /* pairs left; UINT64_MAX: nothing given yet */
  sqx_reader reader;
} sqx_ack_iter;

void sqx_ack_iter_init (sqx_ack_iter *iter);
/* Gives the next range, low … high inclusive, from the highest down; false at the end. */
bool sqx_ack_iter_next (sqx_ack_iter *iter, const sqx_ack *ack, uint64_t *low, uint64_t *high);

typedef struct
{
  uint32_t       type;     /* MESSAGE without its flags, DATAGRAM_LENGTH as DATAGRAM */
  union
  {
    sqx_ack ack;
    struct
    {
      uint64_t       code;
      const uint8_t *reason; /* may not be valid UTF-8 */
      size_t         size;   /* at most SQX_CLOSE_REASON_MAX */
    } close;
    struct
    {
      const uint8_t *data;
      size_t         size; /* at most SQX_HELLO_MAX */
    } hello;
    struct
    {
      uint64_t bytes;
      uint64_t exchanges;
    } credit;
    struct
    {
      uint64_t channel; /* the wire's channel field: id * 2, + 1 for a stream */
      uint8_t  reason;  /* unknown values are passed on */
      sqx_runs runs;
    } end;
    struct
    {
      uint64_t channel;
      sqx_runs runs; /* numbers of messages that arrived whole */
    } received;
    struct
    {
      const uint8_t *token; /* SQX_CHALLENGE_SIZE bytes; of RESPONSE too */
    } challenge;
    struct
    {
      uint64_t channel;
      uint64_t number;
      uint64_t total;
      uint64_t reply_to; /* when is_reply */
      bool     is_reply;
    } cancel;
    struct
    {
      uint64_t       channel;
      uint64_t       number;
      uint8_t        flags;    /* SQX_WIRE_ORDERED, REPLY, FINAL, FRAGMENT as they were */
      uint64_t       reply_to; /* when REPLY */
      uint64_t       total;    /* = size without FRAGMENT */
      uint64_t       offset;   /* 0 without FRAGMENT; offset + size <= total is checked */
      const uint8_t *data;
      size_t         size;
    } message;
    struct
    {
      const uint8_t *data;
      size_t         size;
    } datagram;
  };
} sqx_frame;

/* Takes one frame off @reader, whichever packets it may stand in. false: unknown or malformed,
 * which is a violation; the reader is then of no more use. A run of PADDING is one frame. A
 * FRAGMENT of 0 bytes with a total other than 0 is malformed. An END or RECEIVED without runs is
 * legal. */
bool sqx_decode_frame (sqx_reader *reader, sqx_frame *frame);

/* Writing ----------------------------------------------------------------------------- */

/* Writers return false, and write nothing, when the room left is too small. */
typedef struct
{
  uint8_t *data;
  size_t   size;     /* written so far */
  size_t   capacity;
} sqx_writer;

static inline size_t
sqx_writer_room (const sqx_writer *writer)
{
  return writer->capacity - writer->size;
}

size_t sqx_varint_size   (uint64_t value); /* 1, 2, 4 or 8 */
bool   sqx_write_varint  (sqx_writer *writer, uint64_t value);
bool   sqx_write_plain   (sqx_writer *writer, const sqx_plain_header *header);
bool   sqx_write_ping    (sqx_writer *writer);
bool   sqx_write_ready   (sqx_writer *writer);
bool   sqx_write_challenge (sqx_writer *writer, const uint8_t token[SQX_CHALLENGE_SIZE]);
bool   sqx_write_response  (sqx_writer *writer, const uint8_t token[SQX_CHALLENGE_SIZE]);
/* A reason longer than SQX_CLOSE_REASON_MAX is cut, at the end of a character. */
bool   sqx_write_close   (sqx_writer *writer, uint64_t code, const char *reason, size_t size);
bool   sqx_write_hello   (sqx_writer *writer, const uint8_t *data, size_t size);
bool   sqx_write_credit  (sqx_writer *writer, uint64_t bytes, uint64_t exchanges);
bool   sqx_write_cancel  (sqx_writer *writer, uint64_t channel, uint64_t number, uint64_t total,
                          bool is_reply, uint64_t reply_to);

/* Writes as many of the highest of @count ascending, disjoint ranges as fit, at most
 * SQX_ACK_RANGES. false when not even the highest fits. */
bool   sqx_write_ack     (sqx_writer *writer, const sqx_range *ranges, size_t count,
                          uint64_t delay);

/* END and RECEIVED are built run by run, because how many fit is known only then. The count is a
 * varint of two bytes, reserved by begin. */
typedef struct
{
  size_t   start;    /* writer->size before the frame */
  size_t   count_at; /* where the count stands */
  uint64_t count;
} sqx_runs_writer;

bool sqx_end_writer_begin      (sqx_runs_writer *runs, sqx_writer *writer, uint64_t channel,
                                uint8_t reason);
bool sqx_received_writer_begin (sqx_runs_writer *runs, sqx_writer *writer, uint64_t channel);
bool sqx_runs_writer_add       (sqx_runs_writer *runs, sqx_writer *writer, uint64_t first,
                                uint64_t run);
/* Writes the count; with no run at all, takes the frame back. */
void sqx_runs_writer_finish    (sqx_runs_writer *runs, sqx_writer *writer);

/* Everything of a MESSAGE but its bytes. */
typedef struct
{
  uint64_t channel;
  uint64_t number;
  uint8_t  flags;    /* ORDERED, REPLY, FINAL; FRAGMENT and LENGTH are chosen by the writer */
  uint64_t reply_to;
  uint64_t total;
  uint64_t offset;
  uint64_t size;     /* bytes that the caller would like to send from offset */
} sqx_message_header;

/* Writes one MESSAGE with as many of header->size bytes from @bytes (which point at offset) as fit,
 * and returns how many through @written. Omits the length when it fills the packet exactly,
 * omits total and offset when the whole message fits. Where the bytes fit but not their length too,
 * a few bytes of PADDING in front make the frame fill the packet exactly. false when not one byte
 * fits (or, for an empty message, the header does not fit). */
bool sqx_write_message  (sqx_writer *writer, const sqx_message_header *header,
                         const uint8_t *bytes, uint64_t *written);
/* All or nothing; without length when it fills the packet exactly, with PADDING like MESSAGE. */
bool sqx_write_datagram (sqx_writer *writer, const uint8_t *data, size_t size);
/* Bytes that a DATAGRAM frame adds to @size bytes of payload, with length. */
size_t sqx_datagram_overhead (size_t size);
