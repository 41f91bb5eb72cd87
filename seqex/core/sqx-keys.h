/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Packet protection of one link: the keys of both directions, their updates and their limits.
 *
 * Each direction has a chain of keys, one for each phase. The header of a packet tells the phase's
 * lowest bit, so that exactly one key is ever tried on a packet. The sides may be one phase apart:
 * who wants new keys seals with the next phase's, the other follows with the first authentic packet
 * of it. Keys that are not needed any more are wiped at once.
 */
#pragma once

#include "sqx-crypto.h"
#include "sqx.h"

typedef enum
{
  SQX_KEYS_OK = 0,
  SQX_KEYS_FORGED,    /* not authentic, or under a key that is gone: drop and count */
  SQX_KEYS_NO_MEMORY, /* the key of the next phase could not be made: drop; it will be resent */
  SQX_KEYS_EXHAUSTED, /* the link has seen too many forgeries: it must end */
} sqx_keys_verdict;

/* One direction. */
typedef struct
{
  void    *aead;       /* the phase in use */
  uint64_t phase;      /* its number */
  uint8_t  key[32];    /* data key of the next phase, … */
  uint8_t  chain[32];  /* … and its chain */
} sqx_keys_direction;

/* May be moved, must not be copied. */
typedef struct
{
  const sqx_crypto  *crypto;
  sqx_cipher         cipher;
  sqx_keys_direction send;
  sqx_keys_direction receive;

  uint64_t next_number;   /* the lowest packet number that may be sealed */
  uint64_t send_first;    /* the first packet sealed in the send phase; SQX_TIME_NEVER: none */
  uint64_t sealed;        /* packets sealed in the send phase */
  bool     send_acked;    /* one of them was acknowledged */
  bool     broken;        /* a packet number was to be used twice, or the last one was used */

  bool     received;      /* a packet of the receive phase was authentic */
  uint64_t receive_first; /* then: the lowest number of these, … */
  uint64_t receive_last;  /* … and the highest */
  uint64_t forged;        /* packets that failed, under any key */

  void    *old;           /* the receive key of the phase before; NULL: gone */
  uint64_t old_until;     /* when it goes */
} sqx_keys;

/* @send and @receive are the chains of phase 0, as from sqx_noise_split(); who calls wipes them.
 * false: no memory, or the cipher is not supported; then sqx_keys_clear() is a no-op. */
bool sqx_keys_init  (sqx_keys *keys, const sqx_crypto *crypto, sqx_cipher cipher,
                     const uint8_t send[32], const uint8_t receive[32]);
void sqx_keys_clear (sqx_keys *keys); /* wipes; any number of times, also after zeroing */

/* The phase bit, 0 or 1, that the header of the next packet must carry. */
uint8_t sqx_keys_phase (const sqx_keys *keys);

/* Encrypts @size bytes in place and writes the tag of 16 bytes behind them. @number must be higher
 * than every one before; @ad is the header. false: no memory, then another packet may be tried, or
 * the keys are exhausted: sqx_keys_exhausted() tells. */
bool sqx_keys_seal (sqx_keys *keys, uint64_t number, const uint8_t *ad, size_t ad_size,
                    uint8_t *data, size_t size);

/* Decrypts @size bytes in place; the tag of 16 bytes stands behind them. @phase is the header's, 0
 * or 1. If the packet is the first of a new phase, the key of the phase before stays for @retain
 * (three probe time-outs), for packets with lower numbers. Only OK leaves something meaningful in
 * @data and changes anything but a counter. Replays are not looked for: that is sqx_acks' part,
 * before (to drop duplicates cheaply) and after (only authentic numbers enter). */
sqx_keys_verdict sqx_keys_open (sqx_keys *keys, uint64_t now, uint64_t retain, uint8_t phase,
                                uint64_t number, const uint8_t *ad, size_t ad_size,
                                uint8_t *data, size_t size);

/* The peer has authentically acknowledged packet @number. */
void sqx_keys_acked (sqx_keys *keys, uint64_t number);

/* Whether so much was sealed with the key in use that sqx_keys_update() should be called; to be
 * asked before each packet is begun. */
bool sqx_keys_due    (const sqx_keys *keys);
/* Seals with the next phase's key from now on. false, and nothing changed: the peer has not
 * acknowledged a packet of this phase yet, or no memory. May be tried again. */
bool sqx_keys_update (sqx_keys *keys);

/* When sqx_keys_expire() has something to do; SQX_TIME_NEVER: nothing. */
uint64_t sqx_keys_deadline (const sqx_keys *keys);
/* Drops the receive key of the phase before, when its time has come. */
void     sqx_keys_expire   (sqx_keys *keys, uint64_t now);

/* Whether the link must end: too many forgeries, too many packets under one key, or no packet
 * number left. */
bool sqx_keys_exhausted (const sqx_keys *keys);
