/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Packets of a hostile peer that knows what it is doing: their frames name channels, messages
 * and packets which the connection they are for really has, or that come next to those.
 */
#pragma once

#include "input.h"
#include "sqx-wire.h"
#include "sqx.h"

#define FORGE_CHANNELS 22u

/* What a payload's byte at @offset is, wherever a message comes from. */
extern uint8_t forge_pattern[40000];
void forge_init (void);

/* Writes a packet with one to four frames for @target, after them those of the honest packet in
 * @tail (may be empty). @hello: it begins with HELLO. Returns its size. */
size_t forge_packet (fuzz_input             *input,
                     const sqx_conn         *target,
                     const sqx_plain_header *header,
                     bool                    hello,
                     const uint8_t          *tail,
                     size_t                  tail_size,
                     uint8_t                *buffer,
                     size_t                  capacity);
