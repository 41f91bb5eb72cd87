/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a datagram comes from or goes to. The core only compares addresses; whoever drives it gives
 * one peer's address always in the same form (an IPv4 address that is mapped into IPv6 as IPv4).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct
{
  uint8_t  host[20];  /* 4 bytes: IPv4; 16: IPv6; 20: IPv6 and a scope; what is unused is 0 */
  uint8_t  host_size; /* 0: the transport has one peer, which needs no address */
  uint16_t port;
} sqx_address;

static inline bool
sqx_address_same_host (const sqx_address *a, const sqx_address *b)
{
  return a->host_size == b->host_size && memcmp (a->host, b->host, sizeof a->host) == 0;
}

static inline bool
sqx_address_equal (const sqx_address *a, const sqx_address *b)
{
  return a->port == b->port && sqx_address_same_host (a, b);
}
