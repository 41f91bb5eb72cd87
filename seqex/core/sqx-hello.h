/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parameters in HELLO: a list of (id | length | value), varints, unknown ids skipped.
 */
#pragma once

#include "sqx-wire.h"
#include "sqx.h"

typedef enum
{
  SQX_HELLO_MAX_MESSAGE_SIZE  = 1,
  SQX_HELLO_BYTE_CREDIT       = 2, /* initial, cumulative from 0 */
  SQX_HELLO_EXCHANGE_CREDIT   = 3, /* initial, cumulative from 0 */
  SQX_HELLO_MAX_CHANNELS      = 4,
  SQX_HELLO_MAX_STREAMS       = 5,
  SQX_HELLO_IDLE_TIMEOUT      = 6, /* microseconds; absent or 0: none */
  SQX_HELLO_ACK_DELAY         = 7, /* microseconds */
  SQX_HELLO_MAX_DATAGRAM_SIZE = 8,
  SQX_HELLO_APPLICATION_ID    = 9, /* UTF-8 */
} sqx_hello_id;

typedef struct
{
  uint64_t max_message_size;
  uint64_t byte_credit;
  uint64_t exchange_credit;
  uint64_t max_channels;
  uint64_t max_streams;
  uint64_t idle_timeout;      /* 0: none */
  uint64_t ack_delay;
  uint64_t max_datagram_size;
  char     application_id[SQX_APPLICATION_ID_MAX + 1]; /* NUL-terminated */
} sqx_hello;

/* Writes the parameters (not the frame around them); at most SQX_HELLO_MAX bytes. */
size_t sqx_hello_encode (const sqx_hello *hello, uint8_t buffer[SQX_HELLO_MAX]);
/* false when malformed, when an id comes twice, when a value is outside of the bounds in
 * sqx-limits.h, when there are more than SQX_HELLO_PARAMETERS, when an id but max streams, idle time-out and application id is missing, or when
 * the application id holds a NUL or is not UTF-8. byte_credit is at least
 * 2 * (max_message_size + SQX_MESSAGE_OVERHEAD), max_message_size at least SQX_MESSAGE_MAX_MIN. */
bool   sqx_hello_decode (sqx_hello *hello, const uint8_t *data, size_t size);
/* Whether @size bytes are well-formed UTF-8 without NUL (RFC 3629). */
bool   sqx_utf8_valid   (const uint8_t *data, size_t size);
