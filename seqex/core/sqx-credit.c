/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-credit.h"

#include "sqx-util.h"

/* Whether the peer, as far as it was told, may lack the bytes to begin a largest message. */
static bool
bytes_are_short (const sqx_credit *credit)
{
  uint64_t needed = 2 * sqx_message_cost (credit->max_message);

  return sqx_credit_bytes (credit) > credit->bytes_told &&
         credit->bytes_told - credit->bytes_seen < needed;
}

static bool
exchanges_are_short (const sqx_credit *credit)
{
  return sqx_credit_exchanges (credit) > credit->exchanges_told && sqx_credit_is_used_up (credit);
}

/* Looks at the state again after something was seen or returned. */
static void
update (sqx_credit *credit, uint64_t now)
{
  uint64_t bytes = sqx_credit_bytes (credit) - credit->bytes_told;
  uint64_t exchanges = sqx_credit_exchanges (credit) - credit->exchanges_told;

  if (credit->urgent)
    return;
  if (bytes >= credit->window / 4 ||
      exchanges >= SQX_MAX (credit->exchange_window / 4, 1))
    credit->urgent = true;
  else if (exchanges_are_short (credit))
    credit->deadline = SQX_MIN (credit->deadline,
                                now + SQX_MIN (credit->delay, SQX_CREDIT_DELAY_SHORT));
  else if (credit->deadline == SQX_TIME_NEVER && bytes_are_short (credit))
    credit->deadline = sqx_time_add (now, credit->delay);
}

void
sqx_credit_init (sqx_credit *credit,
                 uint64_t    max_message,
                 uint64_t    window,
                 uint64_t    window_max,
                 uint64_t    exchange_window,
                 uint64_t    delay)
{
  *credit = (sqx_credit) {
    .bytes_limit = SQX_EARLY_BYTES,
    .exchanges_limit = SQX_EARLY_EXCHANGES,
    .max_message = max_message,
    .window = window,
    .window_max = window_max,
    .exchange_window = exchange_window,
    .bytes_told = window,
    .exchanges_told = exchange_window,
    .deadline = SQX_TIME_NEVER,
    .delay = delay,
  };
}

void
sqx_credit_peer_known (sqx_credit *credit,
                       uint64_t    max_message,
                       uint64_t    bytes,
                       uint64_t    exchanges)
{
  credit->peer_known = true;
  credit->peer_max_message = max_message;
  credit->bytes_limit = bytes;
  credit->exchanges_limit = exchanges;
}

bool
sqx_credit_peer_grants (sqx_credit *credit,
                        uint64_t    bytes,
                        uint64_t    exchanges)
{
  bool changed = bytes > credit->bytes_limit || exchanges > credit->exchanges_limit;

  credit->bytes_limit = SQX_MAX (credit->bytes_limit, bytes);
  credit->exchanges_limit = SQX_MAX (credit->exchanges_limit, exchanges);
  return changed;
}

bool
sqx_credit_may_begin (const sqx_credit *credit,
                      uint64_t          cost,
                      bool              reply)
{
  uint64_t free_bytes;

  /* What was begun early may exceed the limits that HELLO then told. */
  if (credit->bytes_begun >= credit->bytes_limit)
    return false;

  free_bytes = credit->bytes_limit - credit->bytes_begun;
  if (reply)
    return cost <= free_bytes;

  if (credit->exchanges_begun >= credit->exchanges_limit)
    return false;
  if (credit->peer_known)
    cost += sqx_message_cost (credit->peer_max_message);
  return cost <= free_bytes;
}

void
sqx_credit_begin (sqx_credit *credit,
                  uint64_t    cost,
                  bool        reply)
{
  credit->bytes_begun += cost;
  if (!reply)
    credit->exchanges_begun++;
}

bool
sqx_credit_seen (sqx_credit *credit,
                 uint64_t    now,
                 uint64_t    cost,
                 bool        reply)
{
  uint64_t exchanges = SQX_MAX (credit->exchanges_told, SQX_EARLY_EXCHANGES);

  if (cost > credit->bytes_told - credit->bytes_seen)
    return false;
  if (!reply && credit->exchanges_seen >= exchanges)
    return false;

  credit->bytes_seen += cost;
  if (!reply)
    credit->exchanges_seen++;
  update (credit, now);
  return true;
}

/* The program (or the core) took half a window within two round trips: the window may be what
 * holds the peer back, so it doubles. */
static void
grow (sqx_credit *credit,
      uint64_t    now,
      uint64_t    cost,
      uint64_t    rtt)
{
  credit->round_bytes += cost;
  if (credit->round_bytes < credit->window / 2)
    return;
  if (rtt > 0 && now - credit->round_start <= 2 * rtt)
    credit->window = SQX_MIN (2 * credit->window, credit->window_max);
  credit->round_bytes = 0;
  credit->round_start = now;
}

void
sqx_credit_return_bytes (sqx_credit *credit,
                         uint64_t    now,
                         uint64_t    cost,
                         uint64_t    rtt)
{
  assert (credit->bytes_returned + cost <= credit->bytes_seen);
  credit->bytes_returned += cost;
  grow (credit, now, cost, rtt);
  update (credit, now);
}

void
sqx_credit_return_exchange (sqx_credit *credit,
                            uint64_t    now)
{
  assert (credit->exchanges_returned < credit->exchanges_seen);
  credit->exchanges_returned++;
  update (credit, now);
}

bool
sqx_credit_due (const sqx_credit *credit,
                uint64_t          now)
{
  return credit->urgent || credit->lost || now >= credit->deadline;
}

bool
sqx_credit_worth (const sqx_credit *credit)
{
  uint64_t bytes = sqx_credit_bytes (credit) - credit->bytes_told;
  uint64_t exchanges = sqx_credit_exchanges (credit) - credit->exchanges_told;

  return credit->urgent || credit->lost || credit->deadline != SQX_TIME_NEVER ||
         bytes >= credit->window / 8 || exchanges >= SQX_MAX (credit->exchange_window / 8, 1);
}

uint64_t
sqx_credit_bytes (const sqx_credit *credit)
{
  return credit->bytes_returned + credit->window;
}

uint64_t
sqx_credit_exchanges (const sqx_credit *credit)
{
  return credit->exchanges_returned + credit->exchange_window;
}

uint64_t
sqx_credit_sent (sqx_credit *credit)
{
  credit->bytes_told = sqx_credit_bytes (credit);
  credit->exchanges_told = sqx_credit_exchanges (credit);
  credit->urgent = credit->lost = false;
  credit->deadline = SQX_TIME_NEVER;
  return ++credit->serial;
}

void
sqx_credit_was_lost (sqx_credit *credit,
                     uint64_t    serial)
{
  if (serial == credit->serial)
    credit->lost = true;
}
