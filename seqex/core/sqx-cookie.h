/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cookie in RETRY: a proof that whoever sends it gets what is sent to its address, for which
 * nothing need be kept. It is an authentication code over everything that must not change between
 * two sendings of one INIT, under a secret that is replaced every SQX_COOKIE_LIFE; the secret
 * before is still good, so a cookie lives for one to two of these.
 */
#pragma once

#include "sqx-address.h"
#include "sqx-crypto.h"
#include "sqx-wire-secure.h"

typedef struct
{
  const sqx_crypto *crypto;
  void    (*random) (void *user_data, uint8_t *bytes, size_t size);
  void     *user_data;
  uint64_t  since;         /* when the newest secret came into force; SQX_TIME_NEVER: there is
                            * none */
  bool      has_former;
  uint8_t   secret[32];
  uint8_t   former[32];
} sqx_cookies;

void sqx_cookies_init  (sqx_cookies *cookies, const sqx_crypto *crypto,
                        void (*random) (void *user_data, uint8_t *bytes, size_t size),
                        void *user_data);
void sqx_cookies_clear (sqx_cookies *cookies); /* wipes; any number of times, also after zeroing */

/* The cookie for @init, which came from @from. */
void sqx_cookies_make  (sqx_cookies *cookies, uint64_t now, const sqx_address *from,
                        const sqx_init *init, uint8_t cookie[SQX_COOKIE_SIZE]);
/* Whether @init has the cookie that it was given not too long ago. */
bool sqx_cookies_check (sqx_cookies *cookies, uint64_t now, const sqx_address *from,
                        const sqx_init *init);
