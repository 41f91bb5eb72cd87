/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PLAIN: which incarnation of the peer a packet comes from, and which of this side it means.
 *
 * A session belongs to one pair of epochs. Packets with destination 0 may reach any incarnation of
 * the peer, also one that starts while the session goes on with another; so an epoch that has
 * called like that serves only its first session. A restarted peer is offered a spare epoch, and
 * the session with it begins with the first packet that means the spare one.
 */
#pragma once

#include "sqx-wire.h"
#include "sqx.h"

typedef enum
{
  SQX_PLAIN_ACCEPT,  /* of the known peer */
  SQX_PLAIN_ADOPT,   /* of a peer not known yet: its HELLO must come first */
  SQX_PLAIN_RESTART, /* the peer restarted: likewise */
  SQX_PLAIN_FORMER,  /* of a former incarnation, or late: drop */
  SQX_PLAIN_WRONG,   /* for another incarnation of this side: drop, and answer with a hint */
  SQX_PLAIN_UNKNOWN, /* of an incarnation that may not begin a session yet: likewise */
} sqx_plain_verdict;

typedef struct
{
  uint32_t instance;
  uint32_t epoch;       /* of this side */
  bool     called;      /* packets of it went out to whoever hears them, destination 0 */
  uint32_t spare;       /* the epoch of the next session, offered in hints; 0: none drawn yet */
  uint32_t peer_epoch;  /* 0: not known */
  uint32_t former[SQX_FORMER_EPOCHS];
  unsigned n_former;    /* ever; the newest SQX_FORMER_EPOCHS are kept */
  uint64_t next_hint;   /* not before */
  uint32_t hint_for;    /* source epoch that is to be answered; 0: none */
  uint32_t hint_from;   /* the source epoch of that answer */
} sqx_plain;

void sqx_plain_init (sqx_plain *plain, const sqx_config *config);
/* @header is of the right instance. Changes nothing. */
sqx_plain_verdict sqx_plain_judge (const sqx_plain *plain, const sqx_plain_header *header);
/* After ADOPT or RESTART: the sender of @header is the peer from now on. A former peer is
 * remembered; if the packet means the spare epoch, that becomes the epoch of this side. */
void sqx_plain_adopt (sqx_plain *plain, const sqx_plain_header *header);
/* After WRONG or UNKNOWN, @verdict: notes that the sender is to be answered. false: not now, the
 * last answer is too young. */
bool sqx_plain_hint  (sqx_plain *plain, const sqx_config *config, uint64_t now,
                      sqx_plain_verdict verdict, uint32_t source_epoch);
