/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-cookie.h"

#include "sqx-util.h"
#include "sqx.h"

void
sqx_cookies_init (sqx_cookies      *cookies,
                  const sqx_crypto *crypto,
                  void            (*random) (void *user_data, uint8_t *bytes, size_t size),
                  void             *user_data)
{
  *cookies = (sqx_cookies) {
    .crypto = crypto,
    .random = random,
    .user_data = user_data,
    .since = SQX_TIME_NEVER,
  };
}

void
sqx_cookies_clear (sqx_cookies *cookies)
{
  if (cookies->crypto != NULL)
    cookies->crypto->wipe (cookies, sizeof *cookies);
}

/* Replaces the secrets whose time is over. Periods go on where the one before ended, however late
 * that is noticed, so that no cookie outlives two of them. */
static void
rotate (sqx_cookies *cookies,
        uint64_t     now)
{
  bool first = cookies->since == SQX_TIME_NEVER;
  uint64_t periods = first ? 0 : (now - cookies->since) / SQX_COOKIE_LIFE;

  if (!first && periods == 0)
    return;

  cookies->has_former = periods == 1;
  if (cookies->has_former)
    memcpy (cookies->former, cookies->secret, sizeof cookies->former);
  else
    cookies->crypto->wipe (cookies->former, sizeof cookies->former);
  cookies->random (cookies->user_data, cookies->secret, sizeof cookies->secret);
  cookies->since = first ? now : cookies->since + periods * SQX_COOKIE_LIFE;
}

/* Every field has a fixed size, so that no two inputs run together. */
static void
compute (const sqx_cookies *cookies,
         const uint8_t      secret[32],
         const sqx_address *from,
         const sqx_init    *init,
         uint8_t            cookie[SQX_COOKIE_SIZE])
{
  const sqx_bytes message = { init->message, init->message_size };
  uint8_t place[1 + sizeof from->host + 2 + 4], digest[SQX_HASH_SIZE];
  uint8_t *p = place;
  sqx_bytes parts[2] = { { place, sizeof place }, { digest, sizeof digest } };

  *p++ = from->host_size;
  memcpy (p, from->host, sizeof from->host);
  p += sizeof from->host;
  *p++ = (uint8_t) (from->port >> 8);
  *p++ = (uint8_t) from->port;
  sqx_put_be32 (p, init->source_id);
  cookies->crypto->sha256 (digest, &message, 1);
  cookies->crypto->hmac_sha256 (cookie, secret, 32, parts, 2);
}

void
sqx_cookies_make (sqx_cookies       *cookies,
                  uint64_t           now,
                  const sqx_address *from,
                  const sqx_init    *init,
                  uint8_t            cookie[SQX_COOKIE_SIZE])
{
  rotate (cookies, now);
  compute (cookies, cookies->secret, from, init, cookie);
}

bool
sqx_cookies_check (sqx_cookies       *cookies,
                   uint64_t           now,
                   const sqx_address *from,
                   const sqx_init    *init)
{
  uint8_t right[SQX_COOKIE_SIZE];

  if (init->cookie_size != SQX_COOKIE_SIZE)
    return false;

  rotate (cookies, now);
  compute (cookies, cookies->secret, from, init, right);
  if (cookies->crypto->equal (right, init->cookie, sizeof right))
    return true;
  if (!cookies->has_former)
    return false;
  compute (cookies, cookies->former, from, init, right);
  return cookies->crypto->equal (right, init->cookie, sizeof right);
}
