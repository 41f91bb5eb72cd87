/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PLAIN: which incarnation of the peer a packet comes from, and which of this side it means.
 */
#pragma once

#include "sqx-wire.h"
#include "sqx.h"

typedef enum
{
  SQX_PLAIN_ACCEPT,  /* of the known peer, or a first packet that is told by its HELLO */
  SQX_PLAIN_ADOPT,   /* of a peer not known yet: its HELLO must come first */
  SQX_PLAIN_RESTART, /* the peer restarted: likewise */
  SQX_PLAIN_FORMER,  /* of a former incarnation of the peer: drop */
  SQX_PLAIN_WRONG,   /* for another incarnation of this side: drop, and answer with a hint */
  SQX_PLAIN_UNKNOWN, /* of an incarnation that does not know this one: likewise */
} sqx_plain_verdict;

typedef struct
{
  uint32_t instance;
  uint32_t epoch;       /* of this side */
  bool     called;      /* packets of it went out to whoever hears them, destination 0 */
  uint32_t renewed;     /* epoch that this side had before; 0: none */
  uint32_t peer_epoch;  /* 0: not known */
  uint32_t former[SQX_FORMER_EPOCHS];
  unsigned n_former;    /* ever; the newest SQX_FORMER_EPOCHS are kept */
  uint64_t next_hint;   /* not before */
  uint32_t hint_for;    /* source epoch that is to be answered; 0: none */
} sqx_plain;

void              sqx_plain_init   (sqx_plain *plain, uint32_t instance, uint32_t epoch);
/* A random epoch, which the one in use is not. */
uint32_t          sqx_plain_draw   (const sqx_plain *plain, const sqx_config *config);
/* This side goes on under another epoch. */
void              sqx_plain_renew  (sqx_plain *plain, uint32_t epoch);
/* @header is of the right instance. Changes nothing. */
sqx_plain_verdict sqx_plain_judge  (const sqx_plain *plain, const sqx_plain_header *header);
/* The packet is of @epoch from now on known as the peer; a former peer is remembered. */
void              sqx_plain_adopt  (sqx_plain *plain, uint32_t epoch);
/* A packet of @epoch that comes from now on is late. */
void              sqx_plain_forget (sqx_plain *plain, uint32_t epoch);
/* Notes that @epoch is to be answered. false: not now, the last answer is too young. */
bool              sqx_plain_hint   (sqx_plain *plain, uint64_t now, uint32_t epoch);
