/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Congestion control behind a table of functions. The controller keeps its state in the union
 * of struct sqx_cc; it sees packets, bytes and times, and answers with a window and a rate.
 */
#pragma once

#include "sqx-bbr.h"
#include "sqx-cubic.h"
#include "sqx-newreno.h"
#include "sqx-rate.h"
#include "sqx-rtt.h"

typedef struct
{
  uint64_t window;      /* bytes that may be in flight */
  uint64_t pacing_rate; /* bytes a second at which they go out; 0: all at once */
  uint64_t datagram;    /* current maximum datagram size */
  uint64_t floor;       /* the window is never below */
  uint32_t seed;        /* for sqx_cc_random() */
  union
  {
    sqx_newreno_state newreno;
    sqx_cubic_state   cubic;
    sqx_bbr_state     bbr;
  };
} sqx_cc;

/* What one ACK told, after its packets were. */
typedef struct
{
  uint64_t       now;
  uint64_t       acked;       /* bytes that it newly acknowledged, … */
  uint64_t       lost;        /* … and that it showed to be lost */
  uint64_t       in_flight;   /* bytes still in flight */
  uint64_t       next_number; /* of the packet to be sent next: a round trip that begins now ends
                               * when this one is acknowledged */
  uint64_t       rtt;         /* of the newest packet acknowledged, with the peer's delay */
  const sqx_rtt *average;
  sqx_rate      *rate;        /* bytes delivered and lost so far */
  sqx_rate_sample sample;
} sqx_cc_ack;

/* All packets are ack-eliciting ones. What does nothing may be NULL but `init`. */
struct sqx_cc_ops
{
  const char *name;
  /* At the beginning, and anew on another path: `datagram`, `floor` and `seed` are set, the rest is
   * 0. */
  void (*init)       (sqx_cc *cc);
  /* Before packet @number goes out. @in_flight: without it. */
  void (*sent)       (sqx_cc *cc, uint64_t now, uint64_t number, uint64_t in_flight,
                      const sqx_rate *rate);
  /* @packet was acknowledged and not declared lost before. packet->limited: the window was not the
   * limit when it was in flight, so it says nothing about the window (RFC 9002 section 7.8). */
  void (*acked)      (sqx_cc *cc, uint64_t now, uint64_t number, const sqx_sent_packet *packet);
  /* @packet was lost; rate->lost counts it already. Several at a time come in the order in which
   * they were sent, and before what the same ACK acknowledged. */
  void (*lost)       (sqx_cc *cc, uint64_t now, uint64_t number, const sqx_sent_packet *packet,
                      const sqx_rate *rate);
  void (*ack_done)   (sqx_cc *cc, const sqx_cc_ack *ack);
  /* RFC 9002 section 7.6. */
  void (*persistent) (sqx_cc *cc);
  /* All packets that were declared lost since the last round trip that had losses began were
   * acknowledged after all. */
  void (*spurious)   (sqx_cc *cc, uint64_t now);
};

extern const sqx_cc_ops sqx_newreno;
extern const sqx_cc_ops sqx_cubic;
extern const sqx_cc_ops sqx_bbr;

void     sqx_cc_init         (sqx_cc *cc, const sqx_cc_ops *ops, uint64_t datagram, uint32_t seed);
/* Sets the window's floor: SQX_WINDOW_MINIMUM datagrams, SQX_WINDOW_LAN while @min_rtt (0: not
 * known) is under SQX_LAN_RTT; lifts the window to it. */
void     sqx_cc_set_floor    (sqx_cc *cc, uint64_t min_rtt);
/* RFC 9002 section 7.2: ten datagrams, but of large ones no more than two, or 14720 bytes. */
uint64_t sqx_cc_initial      (const sqx_cc *cc);
/* Any number below @limit: not unguessable, only different for everyone. */
uint32_t sqx_cc_random       (sqx_cc *cc, uint32_t limit);
