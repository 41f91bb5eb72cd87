/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How far packets may overtake each other before one counts as lost: RFC 9002 section 6.1 with
 * thresholds that begin low and follow what the path does, as RACK's (RFC 8985) do.
 */
#pragma once

#include "sqx-rtt.h"

typedef struct
{
  uint32_t packets; /* a packet is lost when so many later ones … */
  uint32_t part;    /* … or one was acknowledged that was sent so many sixteenths of a round trip
                     * after it */
  uint32_t calm;    /* round trips with losses, none of them spurious, in a row */
} sqx_reorder;

void     sqx_reorder_init     (sqx_reorder *reorder);
/* A packet sent at @sent was declared lost and came after all, @distance numbers after the largest
 * that was acknowledged by then. */
void     sqx_reorder_spurious (sqx_reorder *reorder, const sqx_rtt *rtt, uint64_t now,
                               uint64_t sent, uint64_t distance);
/* A round trip with losses begins. */
void     sqx_reorder_episode  (sqx_reorder *reorder);
/* So long after it was sent a packet is lost if a later one was acknowledged. */
uint64_t sqx_reorder_delay    (const sqx_reorder *reorder, const sqx_rtt *rtt);
