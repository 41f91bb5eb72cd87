/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parameters in HELLO: a list of (id | length | value), varints, unknown ids skipped.
 */
#pragma once

#include "sqx-crypto.h"
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
  /* In handshakes alone; in PLAIN like any unknown id */
  SQX_HELLO_CIPHERS           = 10, /* sqx_cipher bytes, the preferred one first */
  SQX_HELLO_SESSION_ID        = 11, /* 16 bytes */
  SQX_HELLO_GENERATION        = 12, /* of the session's link; with session id only */
  SQX_HELLO_READY             = 13, /* 1: the responder of IK has accepted already */
  SQX_HELLO_LINK_ID           = 14, /* 4 bytes: the source id of the ACCEPT around it */
  /* In PLAIN too */
  SQX_HELLO_STREAM_WINDOW     = 15, /* with max streams only; absent: SQX_STREAM_WINDOW_MIN */
} sqx_hello_id;

typedef struct
{
  uint64_t max_message_size;
  uint64_t byte_credit;
  uint64_t exchange_credit;
  uint64_t max_channels;
  uint64_t max_streams;
  uint64_t stream_window;
  uint64_t idle_timeout;      /* 0: none */
  uint64_t ack_delay;
  uint64_t max_datagram_size;
  char     application_id[SQX_APPLICATION_ID_MAX + 1]; /* NUL-terminated */

  /* Of handshakes; nothing of it in PLAIN. */
  uint8_t  ciphers[4];        /* a sqx_cipher each; when read, the known ones, each once */
  uint8_t  n_ciphers;
  bool     has_session;       /* session_id and generation are there */
  bool     ready;
  bool     has_link_id;
  uint32_t link_id;
  uint8_t  session_id[SQX_SESSION_ID_SIZE];
  uint64_t generation;
} sqx_hello;

/* What a side tells of itself: the parameters that do not depend on the peer. */
void sqx_hello_of_config (sqx_hello *hello, const sqx_config *config);
/* The same with what belongs to an encrypted link. @cipher: the only one offered, 0: all. */
void sqx_hello_add_secure (sqx_hello *hello, const sqx_crypto *crypto, uint8_t cipher,
                           const uint8_t session_id[SQX_SESSION_ID_SIZE], uint64_t generation);

/* Writes the parameters (not the frame around them); at most SQX_HELLO_MAX bytes. */
size_t sqx_hello_encode (const sqx_hello *hello, uint8_t buffer[SQX_HELLO_MAX]);
/* Of PLAIN. false when malformed, when an id comes twice, when a value is outside of the bounds in
 * sqx-limits.h, when there are more than SQX_HELLO_PARAMETERS, when an id but max streams, idle
 * time-out and application id is missing, or when the application id holds a NUL or is not UTF-8.
 * byte_credit is at least 2 * (max_message_size + SQX_MESSAGE_OVERHEAD), max_message_size at least
 * SQX_MESSAGE_MAX_MIN. */
bool   sqx_hello_decode (sqx_hello *hello, const uint8_t *data, size_t size);
/* Of a handshake: false also when there is no list of ciphers (one without a known cipher is
 * legal), when one of session id and generation comes without the other, or when what is of
 * handshakes alone is malformed. */
bool   sqx_hello_decode_secure (sqx_hello *hello, const uint8_t *data, size_t size);

/* The cipher that both hellos lead to, the same whichever is whose: AES-256-GCM where both prefer
 * it, since it is faster only where hardware helps; else ChaCha20-Poly1305 if both have it; else
 * AES-256-GCM if both have it; else 0. */
sqx_cipher sqx_hello_choose_cipher (const sqx_hello *own, const sqx_hello *peer);

/* Whether @size bytes are well-formed UTF-8 without NUL (RFC 3629). */
bool   sqx_utf8_valid   (const uint8_t *data, size_t size);
