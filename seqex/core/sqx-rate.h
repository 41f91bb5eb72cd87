/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How fast the path delivers, measured from one acknowledged packet to the next: "Delivery Rate
 * Samples" of draft-ietf-ccwg-bbr. What a packet must remember of the time when it went out is
 * kept in struct sqx_sent_packet, as differences.
 */
#pragma once

#include "sqx-sent.h"

typedef struct
{
  uint64_t delivered;      /* bytes acknowledged so far */
  uint64_t delivered_time; /* when that last changed, or when sending began after a pause */
  uint64_t first_sent;     /* when the packet was sent that was delivered last, or likewise */
  uint64_t limited_until;  /* the sender had nothing to send: what goes out until so much is
                            * delivered says nothing about the path. 0: it had */
  uint64_t lost;           /* bytes declared lost so far */
} sqx_rate;

/* From the newest packet that an ACK acknowledged. */
typedef struct
{
  uint64_t number;       /* of that packet */
  uint64_t sent;         /* when it was; SQX_TIME_NEVER: there is none, and nothing else counts */
  uint64_t rate;         /* bytes a second; 0: the interval is too short to tell */
  uint64_t interval;     /* over which that was measured */
  uint64_t delivered;    /* bytes in that interval, */
  uint64_t lost;         /* and bytes declared lost in it */
  uint64_t tx_in_flight; /* bytes in flight when that packet went out, itself included */
  bool     limited;      /* it was application-limited */
} sqx_rate_sample;

/* @packet goes out; with it, @in_flight bytes are in flight. */
void sqx_rate_sent   (sqx_rate *rate, uint64_t now, uint64_t in_flight, sqx_sent_packet *packet);
/* Nothing more is to be sent though there is room for it. */
void sqx_rate_limit  (sqx_rate *rate, uint64_t in_flight);

void sqx_rate_begin  (sqx_rate_sample *sample);
/* For each packet that an ACK newly acknowledges, in their order. */
void sqx_rate_acked  (sqx_rate *rate, uint64_t now, uint64_t number, const sqx_sent_packet *packet,
                      sqx_rate_sample *sample);
/* @min_rtt: no shorter interval is believed. */
void sqx_rate_finish (sqx_rate *rate, uint64_t min_rtt, sqx_rate_sample *sample);

uint64_t sqx_rate_tx_in_flight (const sqx_sent_packet *packet);
/* Bytes declared lost since @packet went out. */
uint64_t sqx_rate_lost_since   (const sqx_rate *rate, const sqx_sent_packet *packet);
