/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Credit, both ways (design rule 8): what this side may begin at the peer, and what the peer may
 * begin here. All counts are cumulative from the beginning of the session.
 */
#pragma once

#include "sqx.h"

typedef struct
{
  /* What the peer lets this side begin. */
  bool     peer_known;          /* its HELLO came */
  uint64_t peer_max_message;    /* valid if peer_known */
  uint64_t bytes_limit;         /* granted by the peer */
  uint64_t bytes_begun;
  uint64_t exchanges_limit;
  uint64_t exchanges_begun;

  /* What this side lets the peer begin. */
  uint64_t max_message;
  uint64_t window;              /* bytes that the peer may have begun and not got back */
  uint64_t window_max;
  uint64_t exchange_window;
  uint64_t bytes_seen;          /* cost of the messages of which something arrived */
  uint64_t bytes_returned;
  uint64_t bytes_told;          /* the newest limit that the peer was told */
  uint64_t exchanges_seen;
  uint64_t exchanges_returned;
  uint64_t exchanges_told;

  uint64_t serial;              /* CREDIT frames sent: only the newest is sent again */
  bool     urgent;              /* a CREDIT is due now */
  bool     lost;                /* the newest CREDIT was lost */
  uint64_t deadline;            /* when one is due that waits for a packet; SQX_TIME_NEVER: none */
  uint64_t delay;               /* for how long it waits */

  uint64_t round_start;         /* window growth: when the current half window began … */
  uint64_t round_bytes;         /* … and what was returned since */
} sqx_credit;

static inline uint64_t
sqx_message_cost (uint64_t size)
{
  return size + SQX_MESSAGE_OVERHEAD;
}

/* What waits here waits for exchanges of the peer. */
static inline bool
sqx_credit_is_short (const sqx_credit *credit)
{
  return credit->exchanges_begun >= credit->exchanges_limit;
}

/* The peer has begun all that it was told of: perhaps more waits there. */
static inline bool
sqx_credit_is_used_up (const sqx_credit *credit)
{
  return credit->exchanges_told <= credit->exchanges_seen;
}

void sqx_credit_init (sqx_credit *credit, uint64_t max_message, uint64_t window,
                      uint64_t window_max, uint64_t exchange_window, uint64_t delay);

/* Sending ------------------------------------------------------------------------------ */

/* The peer's HELLO came, with its limits. */
void sqx_credit_peer_known (sqx_credit *credit, uint64_t max_message, uint64_t bytes,
                            uint64_t exchanges);
/* CREDIT came. A smaller number than before is an older frame and changes nothing. Whether
 * anything changed. */
bool sqx_credit_peer_grants (sqx_credit *credit, uint64_t bytes, uint64_t exchanges);
bool sqx_credit_may_begin (const sqx_credit *credit, uint64_t cost, bool reply);
void sqx_credit_begin     (sqx_credit *credit, uint64_t cost, bool reply);

/* Receiving ---------------------------------------------------------------------------- */

/* The first sight of a message. false: the peer began more than it was granted. */
bool sqx_credit_seen            (sqx_credit *credit, uint64_t now, uint64_t cost, bool reply);
/* @rtt: smoothed, 0 if unknown; lets the window grow. */
void sqx_credit_return_bytes    (sqx_credit *credit, uint64_t now, uint64_t cost, uint64_t rtt);
void sqx_credit_return_exchange (sqx_credit *credit, uint64_t now);

/* Whether a CREDIT must go out now, or is worth a place in a packet that goes out anyway. */
bool sqx_credit_due      (const sqx_credit *credit, uint64_t now);
bool sqx_credit_worth    (const sqx_credit *credit);
/* What a CREDIT says. */
uint64_t sqx_credit_bytes     (const sqx_credit *credit);
uint64_t sqx_credit_exchanges (const sqx_credit *credit);
/* A CREDIT was put into a packet; returns its serial. */
uint64_t sqx_credit_sent     (sqx_credit *credit);
/* The CREDIT with @serial was lost. */
void     sqx_credit_was_lost (sqx_credit *credit, uint64_t serial);
