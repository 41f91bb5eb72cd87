/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One handshake of the Noise Protocol Framework, revision 34: Noise_XX_25519_ChaChaPoly_SHA256,
 * Noise_IK_…, Noise_XXpsk3_… and Noise_IKpsk2_….
 *
 * Messages are written and read in turn, the initiator begins. A call that fails changes nothing:
 * a forged message is dropped, and the right one may still come.
 */
#pragma once

#include "sqx-crypto.h"

typedef enum
{
  SQX_NOISE_XX     = 1, /* three messages */
  SQX_NOISE_IK     = 2, /* two; the initiator knows the responder's key */
  SQX_NOISE_XXPSK3 = 3, /* as XX, and both know a shared secret */
  SQX_NOISE_IKPSK2 = 4,
} sqx_noise_pattern;

/* Pointers are to 32 bytes, read during sqx_noise_init() alone. */
typedef struct
{
  sqx_noise_pattern pattern;
  bool              initiator;
  sqx_bytes         prologue;       /* what both sides must agree on */
  const uint8_t    *static_key;     /* own private key */
  const uint8_t    *static_public;  /* the public key that belongs to it; NULL: is computed */
  const uint8_t    *remote_static;  /* the responder's public key: the initiator of IK, else NULL */
  const uint8_t    *ephemeral;      /* fresh random bytes, never used twice */
  const uint8_t    *psk;            /* of the psk patterns, else NULL */
} sqx_noise_config;

/* May be moved and copied; every copy must be cleared. */
typedef struct
{
  const sqx_crypto *crypto;
  uint8_t  pattern;        /* sqx_noise_pattern */
  bool     initiator;
  uint8_t  step;           /* messages written and read so far */
  bool     has_key;        /* key is valid: what follows is encrypted */
  bool     knows_remote;   /* remote_static is valid */
  uint64_t nonce;          /* of the next encryption under key */
  uint8_t  key[32];
  uint8_t  chaining[32];
  uint8_t  hash[32];
  uint8_t  static_key[32];
  uint8_t  static_public[32];
  uint8_t  ephemeral[32];
  uint8_t  ephemeral_public[32];
  uint8_t  remote_static[32];
  uint8_t  remote_ephemeral[32];
  uint8_t  psk[32];
} sqx_noise;

void sqx_noise_init  (sqx_noise *noise, const sqx_crypto *crypto, const sqx_noise_config *config);
void sqx_noise_clear (sqx_noise *noise); /* wipes; any number of times, also after zeroing */

/* Whose turn it is. Both are false once all messages went. */
bool sqx_noise_writes   (const sqx_noise *noise);
bool sqx_noise_reads    (const sqx_noise *noise);
bool sqx_noise_finished (const sqx_noise *noise);

/* Bytes that the next message has beyond its payload. */
size_t sqx_noise_overhead (const sqx_noise *noise);

/* Writes the next message, payload_size + sqx_noise_overhead() bytes. @payload_size is at most
 * SQX_NOISE_PAYLOAD_MAX; @payload must not overlap @message. false, and nothing changed: not this
 * side's turn, @capacity is too small, the peer's key is of small order, or no memory. */
bool sqx_noise_write (sqx_noise *noise, const uint8_t *payload, size_t payload_size,
                      uint8_t *message, size_t capacity, size_t *size);

/* Reads the next message. @payload has room for SQX_NOISE_PAYLOAD_MAX bytes and may overlap
 * @message. false, and nothing changed: not the peer's turn, too short or too long, not authentic,
 * a key of small order, or no memory. */
bool sqx_noise_read  (sqx_noise *noise, const uint8_t *message, size_t size,
                      uint8_t *payload, size_t *payload_size);

/* The peer's static public key, 32 bytes; NULL while it is not known. It is proven when the message
 * that brought it was read (XX), or the first that follows it (the responder's key in IK). */
const uint8_t *sqx_noise_remote_static (const sqx_noise *noise);
/* The handshake hash: of a finished handshake, unique to it and the same at both. 32 bytes. */
const uint8_t *sqx_noise_hash          (const sqx_noise *noise);

/* Of a finished handshake: the keys of the two directions, from this side's point of view. */
void sqx_noise_split (const sqx_noise *noise, uint8_t send[32], uint8_t receive[32]);
