/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One link: packet numbers, acknowledgements, recovery. It outlives no restart of the peer; what
 * must outlive it is the session's.
 */
#pragma once

#include "sqx-acks.h"
#include "sqx-pacer.h"
#include "sqx-packet.h"
#include "sqx-pmtu.h"
#include "sqx-recovery.h"
#include "sqx-session.h"

typedef struct
{
  sqx_session  *session;     /* which hears of the fate of what it packed */
  sqx_acks      acks;
  sqx_recovery  recovery;
  sqx_pacer     pacer;
  uint64_t      max_rate;    /* bytes a second, 0: no cap */
  uint64_t      paced_until; /* packets are ready, and wait for this; SQX_TIME_NEVER: they do not */
  uint64_t      rtt;         /* smoothed, 0 before the first sample: what the session looks at */
  sqx_pmtu      pmtu;        /* how large datagrams are; until HELLO tells what the peer takes,
                              * no larger than any path carries */
  bool          hello_due;   /* HELLO must go out now */
  bool          hello_acked; /* the peer has it */
  bool          ready_due;   /* READY must go out now */
  bool          ping_due;
  uint64_t      skip_in;     /* packets until a number is left out */
  size_t        records;     /* that one packet may have: few, until one was full of them */
} sqx_link;

void sqx_link_init  (sqx_link *link, sqx_session *session, const sqx_config *config,
                     uint64_t first_number);
void sqx_link_clear (sqx_link *link);

/* The peer's HELLO: its maximum acknowledgement delay and datagram size. */
void sqx_link_peer_known (sqx_link *link, const sqx_config *config, uint64_t ack_delay,
                          uint64_t datagram);
/* PROTOCOL: acknowledges what was not sent. */
sqx_result sqx_link_handle_ack (sqx_link *link, uint64_t now, const sqx_ack *ack);
/* The transport refused a datagram of @size. */
void sqx_link_too_large (sqx_link *link, uint64_t now, uint32_t size);
/* Another path may carry other sizes. */
void sqx_link_new_path  (sqx_link *link);

/* Whether packets that the peer acknowledges may go out now. */
bool sqx_link_may_send (const sqx_link *link);
/* The same, if the pacer lets them. */
bool sqx_link_may_send_now (sqx_link *link, uint64_t now);
/* Before a packet: leaves out a number now and then, makes room for what on_sent needs. */
bool sqx_link_prepare  (sqx_link *link, const sqx_config *config);
/* Writes an ACK if there is something new to say. */
bool sqx_link_pack_ack (sqx_link *link, uint64_t now, sqx_packet *packet);
/* The packet went out. @limited: there was nothing more to send. */
void sqx_link_sent     (sqx_link *link, uint64_t now, const sqx_packet *packet, bool limited);
