/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cryptography that protects nothing, and costs nothing: a fuzzer makes thousands of handshakes a
 * second with it. It behaves like the real one in what the core can see: both sides of an exchange
 * get the same secret, every changed byte is noticed, and nobody but who has the key can seal.
 */
#pragma once

#include "sqx-crypto.h"

/* Under what a packet was sealed, so that it can be opened and sealed again. */
typedef struct
{
  uint8_t key[32];
  uint8_t nonce[SQX_NONCE_SIZE];
} toy_seal;

extern const sqx_crypto toy_crypto;
/* Of the last aead_seal(). */
extern toy_seal toy_last;

/* As aead_seal() and aead_open(), in place. */
void toy_seal_again (const toy_seal *seal, const uint8_t *ad, size_t ad_size, uint8_t *data,
                     size_t size);
bool toy_open       (const toy_seal *seal, const uint8_t *ad, size_t ad_size, uint8_t *data,
                     size_t size);
