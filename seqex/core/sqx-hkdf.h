/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HKDF (RFC 5869) with HMAC-SHA-256, for what is at most one hash long.
 */
#pragma once

#include <string.h>

#include "sqx-crypto.h"

/* HKDF-Expand (prk, info, 32). @out may be @prk. */
static inline void
sqx_hkdf_expand (const sqx_crypto *crypto,
                 uint8_t           out[32],
                 const uint8_t     prk[32],
                 const uint8_t    *info,
                 size_t            info_size)
{
  static const uint8_t one = 1;
  const sqx_bytes parts[] = {
    { info, info_size },
    { &one, 1 },
  };

  crypto->hmac_sha256 (out, prk, SQX_KEY_SIZE, parts, 2);
}

/* The same, with a string as info. */
static inline void
sqx_hkdf_expand_label (const sqx_crypto *crypto,
                       uint8_t           out[32],
                       const uint8_t     prk[32],
                       const char       *label)
{
  sqx_hkdf_expand (crypto, out, prk, (const uint8_t *) label, strlen (label));
}

/* HKDF-Extract (salt, input). */
static inline void
sqx_hkdf_extract (const sqx_crypto *crypto,
                  uint8_t           out[32],
                  const uint8_t    *salt,
                  size_t            salt_size,
                  const uint8_t    *input,
                  size_t            input_size)
{
  const sqx_bytes part = { input, input_size };

  crypto->hmac_sha256 (out, salt, salt_size, &part, 1);
}
