/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How large a datagram the path carries (RFC 8899, RFC 9000 section 14.3).
 *
 * A link begins with what every path carries, and finds out more by probes: packets of nothing but
 * PING and PADDING, one at a time, which are not sent again and whose loss says nothing about
 * congestion. Sizes that real paths have come first; then a little more than what passes, which
 * shows at once that such a size was all there is; then steps that double until one is too much, and
 * halves of what is left. There is no timer: the search goes on while full datagrams are sent, and rests with the program.
 *
 * Loss alone does not lower the size. But when several large datagrams were lost in a row, and only
 * smaller ones sent later arrive, the path has changed: a black hole.
 */
#pragma once

#include "sqx.h"

typedef struct
{
  uint32_t floor;      /* never below, unless the limit is */
  uint32_t limit;      /* what both sides take */
  uint32_t size;       /* what the path carries: datagrams are at most this large */
  uint32_t refused;    /* the least that it was found not to carry; limit + 1: nothing */
  uint32_t step;       /* how much more is tried next, between what passes and what does not */
  uint32_t probe;      /* the size of the probe that is on its way; 0: none */
  uint32_t serial;     /* of the newest probe */
  uint32_t path;       /* probes with a lower serial went on another path */
  unsigned tries;      /* lost probes of the size that is tried now */
  unsigned full;       /* datagrams since the last probe that could not take all there was */
  uint64_t probed;     /* when the newest probe went out */
  uint64_t raise_at;   /* when the search begins anew; SQX_TIME_NEVER: it goes on, or found all */

  unsigned lost;       /* large datagrams lost since one arrived … */
  uint32_t lost_least; /* … the smallest of them … */
  uint64_t lost_since; /* … and when the first was sent */
  uint64_t carried;    /* when the newest full one that arrived was sent */
} sqx_pmtu;

/* @floor: as SQX_DATAGRAM_DEFAULT or SQX_DATAGRAM_MIN. @limit: what is known of it so far. */
void sqx_pmtu_init      (sqx_pmtu *pmtu, uint32_t floor, uint32_t limit);
/* The peer told what it takes. */
void sqx_pmtu_set_limit (sqx_pmtu *pmtu, uint32_t limit);
/* Another path: the search begins anew. */
void sqx_pmtu_new_path  (sqx_pmtu *pmtu);

/* Whether it is worth asking for a probe: enough full datagrams were sent. */
static inline bool
sqx_pmtu_wants_probe (const sqx_pmtu *pmtu)
{
  return pmtu->full >= SQX_PMTU_FULL && pmtu->size < pmtu->limit;
}
/* The size of the probe that should go out now, 0: none. A probe that is on its way for longer
 * than @patience counts as lost. */
uint32_t sqx_pmtu_next_probe (sqx_pmtu *pmtu, uint64_t now, uint64_t patience);
/* Returns the probe's serial. */
uint32_t sqx_pmtu_probe_sent (sqx_pmtu *pmtu, uint64_t now, uint32_t size);
void     sqx_pmtu_probe_acked (sqx_pmtu *pmtu, uint32_t serial, uint32_t size);
void     sqx_pmtu_probe_lost  (sqx_pmtu *pmtu, uint32_t serial);

/* The transport refused a datagram of @size. true: that was no probe, and the size is lower now. */
bool sqx_pmtu_too_large    (sqx_pmtu *pmtu, uint32_t size);

/* What became of a datagram of @size that was sent at @sent and asked for an acknowledgement. Over
 * less than @patience, losses are nothing but losses. */
void sqx_pmtu_packet_lost  (sqx_pmtu *pmtu, uint32_t size, uint64_t sent);
void sqx_pmtu_packet_acked (sqx_pmtu *pmtu, uint32_t size, uint64_t sent, uint64_t patience);
