/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loss recovery: RFC 9002 over sqx_sent, sqx_rtt, sqx_rate and a congestion controller.
 *
 * Acknowledged and lost records are handed to the listener, one call a record, in the order in
 * which the packets were sent; of one ACK, first what it acknowledged, then what it showed to be
 * lost. Callbacks must not call back into the unit. A record can be lost more than once, and be
 * acknowledged after it was lost.
 */
#pragma once

#include "sqx-cc.h"
#include "sqx-reorder.h"
#include "sqx-rtt.h"
#include "sqx-sent.h"
#include "sqx-wire.h"

/* Packets that only acknowledge fill no window, so something else must bound how many are
 * remembered behind one that a hostile peer never acknowledges. */
#define SQX_PLAIN_OUTSTANDING_MAX 262144u
/* So many of them go out before the peer has acknowledged anything, and so many more for each
 * packet that it did acknowledge. */
#define SQX_PLAIN_FREE            1024u
#define SQX_PLAIN_PER_ACKED       16u

typedef struct
{
  void (*acked) (void *user_data, uint64_t now, const sqx_record *record);
  void (*lost)  (void *user_data, uint64_t now, const sqx_record *record);
  /* An ack-eliciting packet was acknowledged, or lost; of one ACK, first what it showed to be
   * lost. NULL: nobody cares. */
  void (*settled) (void *user_data, const sqx_sent_packet *packet, bool acked);
} sqx_recovery_listener;

typedef struct
{
  const sqx_recovery_listener *listener;
  void             *user_data;
  const sqx_cc_ops *controller;
  sqx_cc            cc;
  sqx_rtt           rtt;
  sqx_sent          sent;
  sqx_rate          rate;
  sqx_reorder       reorder;
  uint64_t          peer_ack_delay;   /* the peer's maximum */
  uint64_t          bytes_in_flight;
  uint64_t          eliciting_in_flight; /* ack-eliciting packets outstanding */
  uint64_t          largest_acked;    /* valid if any_acked */
  bool              any_acked;
  uint64_t          first_sample_time;
  uint64_t          loss_time;        /* SQX_TIME_NEVER: no packet waits for the time threshold */
  uint64_t          last_eliciting;   /* when the last ack-eliciting packet went out */
  uint64_t          pto_start;        /* that, or the last probe time-out if that was later */
  uint64_t          settled_below;    /* no lower number is OUTSTANDING */
  uint64_t          limited_below;    /* of lower numbers the window was not the limit */
  uint64_t          plain_outstanding; /* packets outstanding that are not ack-eliciting */
  uint64_t          skip_floor;       /* numbers below were sent or skipped long ago */
  uint64_t          skip_mark;        /* next_number as it was at skip_mark_time: the next floor */
  uint64_t          skip_mark_time;
  unsigned          pto_count;        /* back-off exponent */
  unsigned          probes;           /* packets that may go out over the window */
  uint64_t          episode_end;      /* losses of lower numbers belong to one round trip, … */
  uint64_t          episode_lost;     /* … of which so many are not known to be spurious */
  uint64_t          packets_acked;
  uint64_t          packets_lost, spurious_losses, probe_timeouts;
} sqx_recovery;

void sqx_recovery_init  (sqx_recovery *recovery, const sqx_recovery_listener *listener,
                         void *user_data, const sqx_cc_ops *controller,
                         uint64_t first_number, uint64_t datagram, uint32_t seed);
void sqx_recovery_clear (sqx_recovery *recovery);

/* Bytes that may be sent now in ack-eliciting packets; SIZE_MAX while a probe is owed. */
uint64_t sqx_recovery_room (const sqx_recovery *recovery);
/* Before a packet with up to @records records is built, so that on_sent cannot fail. false: no
 * memory. */
bool     sqx_recovery_reserve (sqx_recovery *recovery, size_t records);
/* Whether a packet that only acknowledges may go out. A peer that never acknowledges has no right
 * to be acknowledged without end: SQX_PLAIN_OUTSTANDING_MAX of them at most are outstanding. */
bool     sqx_recovery_may_send_plain (const sqx_recovery *recovery);
/* The packet with number sent.next_number went out. @eliciting packets count as in flight and use
 * up a probe. @limited: the sender had nothing more to send. */
void     sqx_recovery_on_sent (sqx_recovery *recovery, uint64_t now, size_t size, bool eliciting,
                               bool limited, const sqx_record *records, size_t count);
/* Leaves out one packet number; one sqx_recovery_reserve() covers this and the packet after it. */
void     sqx_recovery_skip (sqx_recovery *recovery);
/* PROTOCOL: acknowledges a number that was never sent or was skipped; nothing changed then. */
sqx_result sqx_recovery_on_ack (sqx_recovery *recovery, uint64_t now, const sqx_ack *ack);

/* The time of the time threshold or of the probe time-out, SQX_TIME_NEVER if nothing is in
 * flight. */
uint64_t sqx_recovery_deadline (const sqx_recovery *recovery);
/* After the deadline: declares what is lost, or else owes one probe (two at the second and
 * third expiry in a row), backs off, and calls `lost` for the records of the oldest outstanding
 * ack-eliciting packet, which stays outstanding, so that the probe carries what matters most. */
void     sqx_recovery_on_timeout (sqx_recovery *recovery, uint64_t now);
/* The probe time-out without back-off, for the lifetimes that are counted in it. */
uint64_t sqx_recovery_pto (const sqx_recovery *recovery);
/* Declares everything lost that is not acknowledged, so that it is sent again: the way on which it
 * went is gone. What is acknowledged after all counts as spurious. */
void     sqx_recovery_lose_all (sqx_recovery *recovery, uint64_t now);
/* The same of packets of at least @size bytes: they did not get as far as the network. */
void     sqx_recovery_lose_larger (sqx_recovery *recovery, uint64_t now, size_t size);
/* From now on datagrams are at most so large. */
void     sqx_recovery_set_datagram (sqx_recovery *recovery, uint64_t datagram);
/* Starts anew on another path (RFC 9002 sections 5.1 and 7: congestion window, round-trip time),
 * with the sample @rtt that proved it (SQX_TIME_NEVER: none). */
void     sqx_recovery_new_path (sqx_recovery *recovery, uint64_t now, uint64_t rtt);
