/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cryptography that the core uses, as a constant table of functions that whoever embeds the
 * core fills from a library. The core contains no cipher, no hash and no curve.
 *
 * No function keeps a pointer beyond its call, and all but aead_new are infallible unless stated
 * otherwise. A table may be used by several threads at once, an AEAD context by one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqx-limits.h"

#define SQX_HASH_SIZE  32u
#define SQX_NONCE_SIZE 12u

/* The numbers are those of the HELLO parameter. 0: none. */
typedef enum
{
  SQX_CIPHER_AES256GCM        = 1,
  SQX_CIPHER_CHACHA20POLY1305 = 2,
} sqx_cipher;

typedef struct
{
  const uint8_t *data; /* may be NULL if size is 0 */
  size_t         size;
} sqx_bytes;

typedef struct
{
  /* RFC 7748. false: the output is all zero, because @point is of small order; the check takes the
   * same time for every output. @out may be @scalar or @point. */
  bool (*x25519)      (uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]);
  /* The public key that belongs to @scalar. */
  void (*x25519_base) (uint8_t out[32], const uint8_t scalar[32]);

  /* Of the parts, one after the other. @out may overlap the parts and the key. */
  void (*sha256)      (uint8_t out[32], const sqx_bytes *parts, size_t n_parts);
  void (*hmac_sha256) (uint8_t out[32], const uint8_t *key, size_t key_size,
                       const sqx_bytes *parts, size_t n_parts);

  /* NULL: no memory, or the library has no such cipher. The key is copied. */
  void *(*aead_new)  (sqx_cipher cipher, const uint8_t key[32]);
  /* Wipes what it frees. NULL is allowed. */
  void  (*aead_free) (void *aead);
  /* Encrypts @size bytes in place and writes the tag of 16 bytes behind them: @data has room for
   * size + 16. Who calls never repeats a nonce. false: the library failed, @data is lost. */
  bool  (*aead_seal) (void *aead, const uint8_t nonce[12], const uint8_t *ad, size_t ad_size,
                      uint8_t *data, size_t size);
  /* Decrypts @size bytes in place; the tag of 16 bytes stands behind them. false: not authentic;
   * then what @data holds is undefined. */
  bool  (*aead_open) (void *aead, const uint8_t nonce[12], const uint8_t *ad, size_t ad_size,
                      uint8_t *data, size_t size);

  /* Writes zeros that no compiler leaves out. */
  void (*wipe)  (void *data, size_t size);
  /* Takes the same time wherever the difference is. */
  bool (*equal) (const void *a, const void *b, size_t size);

  /* Whether this machine has AES in hardware, so that AES-256-GCM is the faster cipher. */
  bool prefers_aes;
} sqx_crypto;
