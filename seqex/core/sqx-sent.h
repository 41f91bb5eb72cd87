/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The packets that were sent and are neither acknowledged nor given up, in two rings: packets,
 * indexed by their consecutive numbers, and the records of what was in them. Appending,
 * looking up and dropping are O(1), and nothing is allocated in the steady state.
 */
#pragma once

#include "sqx.h"

/* What a packet carried, named so that it outlives what it names. */
typedef enum
{
  SQX_RECORD_ACK,      /* number: the largest that was acknowledged */
  SQX_RECORD_HELLO,
  SQX_RECORD_PING,     /* also CHALLENGE and RESPONSE: nothing is sent again */
  SQX_RECORD_PROBE,    /* of the path's MTU; number: serial, length: size */
  SQX_RECORD_READY,
  SQX_RECORD_RECEIVED,
  SQX_RECORD_CREDIT,   /* number: which CREDIT, counted by the sender */
  SQX_RECORD_END,      /* channel, reason, number: first, length: run */
  SQX_RECORD_CANCEL,   /* channel, number */
  SQX_RECORD_MESSAGE,  /* channel, number, offset, length */
} sqx_record_kind;

typedef struct
{
  uint8_t  kind;
  uint8_t  reason;
  uint32_t channel;
  uint64_t number;
  uint32_t offset;
  uint32_t length;
} sqx_record;

typedef enum
{
  SQX_SENT_OUTSTANDING,
  SQX_SENT_LOST,    /* declared lost; kept for a while in case it is acknowledged after all */
  SQX_SENT_DONE,    /* acknowledged */
  SQX_SENT_SKIPPED, /* number that was never used */
} sqx_sent_state;

#define SQX_SENT_DELIVERED_BITS 48

/* There are as many of them as packets in flight, so each is kept small: 48 bytes. */
typedef struct
{
  uint64_t time;              /* when it was sent */
  uint64_t mark;              /* LOST: when declared lost. DONE: for sqx-recovery.c, else unused */
  uint64_t first_record : 48; /* counted from the first record ever, modulo 2^48 */
  uint64_t records : 10;
  uint64_t state : 2;         /* sqx_sent_state */
  uint64_t eliciting : 1;
  uint64_t in_flight : 1;     /* counts towards bytes in flight while OUTSTANDING */
  uint64_t limited : 1;       /* sent while the window was not the limit */
  uint64_t app_limited : 1;   /* what follows is of sqx-rate.c: as it was when this went out */
  uint64_t delivered : SQX_SENT_DELIVERED_BITS;
  uint64_t size : 16;         /* of the datagram */
  uint32_t lost_before;
  uint32_t tx_in_flight;
  uint32_t since_first;
  uint32_t since_delivered;
} sqx_sent_packet;

typedef struct
{
  sqx_sent_packet *packets;
  size_t           packet_capacity; /* a power of two, or 0 */
  uint64_t         first_number;    /* of the oldest packet kept */
  uint64_t         next_number;     /* of the packet to be sent next */
  sqx_record      *records;
  size_t           record_capacity; /* a power of two, or 0 */
  uint64_t         first_record;
  uint64_t         next_record;
  uint64_t         recorded_number; /* the oldest packet whose records are kept */
} sqx_sent;

void sqx_sent_init  (sqx_sent *sent, uint64_t first_number);
void sqx_sent_clear (sqx_sent *sent);

/* Makes room for two packets and @records records, so that the next appends cannot fail. */
bool             sqx_sent_reserve (sqx_sent *sent, size_t records);
/* Appends as next_number; returns the packet so that its flags can be set. */
sqx_sent_packet *sqx_sent_append  (sqx_sent *sent, uint64_t now, size_t size,
                                   const sqx_record *records, size_t count);
void             sqx_sent_skip    (sqx_sent *sent);
/* NULL when @number is older than what is kept or was not sent yet. */
sqx_sent_packet *sqx_sent_get     (const sqx_sent *sent, uint64_t number);
const sqx_record *sqx_sent_record (const sqx_sent *sent, const sqx_sent_packet *packet, size_t i);
/* Drops what is settled from the front: DONE, SKIPPED below @skip_floor, and LOST declared before
 * @lost_before. */
void             sqx_sent_trim    (sqx_sent *sent, uint64_t skip_floor, uint64_t lost_before);
/* Gives memory back when nothing is left. */
void             sqx_sent_shrink  (sqx_sent *sent);
/* Whether more memory is held than that of a connection that sends now and then. */
bool             sqx_sent_is_large (const sqx_sent *sent);
