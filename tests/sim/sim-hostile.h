/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer that says what it likes: packets built frame by frame, against a real end.
 */
#pragma once

#include "sim-host.h"

#include "seqex/core/sqx-handshake.h"
#include "seqex/core/sqx-hello.h"
#include "seqex/core/sqx-wire.h"

typedef struct
{
  sim_world *world;
  sim_end   *victim;
  sim_end   *self;          /* its place in the world: no connection, only ears */
  uint32_t   epoch;
  uint32_t   victim_epoch;  /* 0: not heard yet */
  uint32_t   number;        /* of its next packet */
  sqx_hello  hello;
  uint8_t    buffer[SQX_DATAGRAM_MAX];
  sqx_writer writer;

  /* What it heard. */
  uint64_t   packets, bytes;
  uint64_t   messages;      /* frames with offset 0 */
  uint32_t   newest;        /* packet number */
  uint32_t   oldest;
  uint32_t   skipped;       /* a number that was left out, if … */
  bool       any_skipped;
  uint64_t   credit_bytes, credit_exchanges;
  sqx_hello  its_hello;
  bool       its_hello_known;
  uint64_t   closes;
  uint64_t   close_code;
  bool       acks_all;      /* it acknowledges every packet at once */

  /* Encrypted: it has valid keys. */
  sqx_handshake handshake;
  sqx_keys   keys;
  bool       has_keys;
  bool       sealed;        /* the packet, which is then sent again as it is */
  sqx_address address;      /* from which it sends */
  uint8_t    clear[SQX_DATAGRAM_MAX];
  size_t     clear_size;
} sim_hostile;

/* Makes the two, the victim's connection included; @config changes are done by then. */
sim_hostile *sim_hostile_new  (sim_world *world, sim_end **victim);
void         sim_hostile_free (sim_hostile *hostile);
/* Introduces itself, and lets what follows from that happen. */
void sim_hostile_connect (sim_hostile *hostile);

/* A packet: begun, filled with frames by the encoders of sqx-wire.h, sent. */
sqx_writer *sim_hostile_begin (sim_hostile *hostile);
void        sim_hostile_send  (sim_hostile *hostile);
/* Lets the world go on for so long. */
void        sim_hostile_wait  (sim_hostile *hostile, uint64_t time);

/* Frames that the encoders do not make because no honest peer sends them. */
void sim_hostile_message  (sim_hostile *hostile, uint64_t channel, uint64_t number, uint8_t flags,
                           uint64_t reply_to, uint64_t total, uint64_t offset,
                           const uint8_t *bytes, size_t size);
void sim_hostile_ack      (sim_hostile *hostile, uint64_t low, uint64_t high);
void sim_hostile_end      (sim_hostile *hostile, uint64_t channel, uint8_t reason, uint64_t first,
                           uint64_t run);
void sim_hostile_raw      (sim_hostile *hostile, const uint8_t *bytes, size_t size);

/* The victim must have closed with a violation, or must not. */
void sim_hostile_expect_violation (sim_hostile *hostile, const char *what);
void sim_hostile_expect_alive     (sim_hostile *hostile, const char *what);
/* What the victim may hold at most: the window and a constant that depends on its limits alone. */
uint64_t sim_hostile_memory_bound (const sim_hostile *hostile);
void sim_hostile_check_memory     (sim_hostile *hostile, const char *what);
