/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-loss.h"
#include "sqx-util.h"

/* LOST packets and skipped numbers are remembered for so many probe time-outs. */
#define REMEMBERED_PTOS 3

void
sqx_recovery_init (sqx_recovery                *recovery,
                   const sqx_recovery_listener *listener,
                   void                        *user_data,
                   const sqx_cc_ops            *controller,
                   uint64_t                     first_number,
                   uint64_t                     datagram,
                   uint32_t                     seed)
{
  *recovery = (sqx_recovery) {
    .listener = listener,
    .user_data = user_data,
    .controller = controller,
    .peer_ack_delay = SQX_ACK_DELAY_DEFAULT,
    .loss_time = SQX_TIME_NEVER,
    .settled_below = first_number,
    .skip_floor = first_number,
    .skip_mark = first_number,
  };
  sqx_cc_init (&recovery->cc, controller, datagram, seed);
  sqx_rtt_init (&recovery->rtt);
  sqx_reorder_init (&recovery->reorder);
  sqx_sent_init (&recovery->sent, first_number);
}

void
sqx_recovery_clear (sqx_recovery *recovery)
{
  sqx_sent_clear (&recovery->sent);
}

uint64_t
sqx_recovery_room (const sqx_recovery *recovery)
{
  if (recovery->probes > 0)
    return SIZE_MAX;
  if (recovery->bytes_in_flight >= recovery->cc.window)
    return 0;
  return recovery->cc.window - recovery->bytes_in_flight;
}

bool
sqx_recovery_reserve (sqx_recovery *recovery,
                      size_t        records)
{
  return sqx_sent_reserve (&recovery->sent, records);
}

bool
sqx_recovery_may_send_plain (const sqx_recovery *recovery)
{
  uint64_t earned = SQX_MIN (recovery->packets_acked, SQX_PLAIN_OUTSTANDING_MAX);

  return recovery->plain_outstanding <
         SQX_MIN (SQX_PLAIN_FREE + SQX_PLAIN_PER_ACKED * earned, SQX_PLAIN_OUTSTANDING_MAX);
}

uint64_t
sqx_recovery_pto (const sqx_recovery *recovery)
{
  return sqx_rtt_pto (&recovery->rtt, recovery->peer_ack_delay, 0);
}

/* The mark of a DONE packet is the lowest number, as far as it was known when last looked at, from
 * which on to itself all are DONE. */
static void
set_done (sqx_recovery *recovery,
          uint64_t      number)
{
  sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);

  packet->state = SQX_SENT_DONE;
  packet->mark = number;
}

/* Gives up what nobody will acknowledge any more: a peer that receives nothing but ACKs has no
 * reason to say anything about them. */
static void
give_up_plain (sqx_recovery *recovery,
               uint64_t      sent_before)
{
  uint64_t number = SQX_MAX (recovery->settled_below, recovery->sent.first_number);
  const sqx_sent_packet *packet;

  while ((packet = sqx_sent_get (&recovery->sent, number)) != NULL)
    {
      if (packet->state == SQX_SENT_OUTSTANDING)
        {
          if (packet->in_flight || packet->time >= sent_before)
            break;
          sqx_loss_release (recovery, packet);
          set_done (recovery, number);
        }
      number++;
    }
  recovery->settled_below = number;
}

static uint64_t
remembered (const sqx_recovery *recovery)
{
  return REMEMBERED_PTOS * sqx_recovery_pto (recovery);
}

/* A skipped number is remembered for some time, and beyond that while packets are in flight and the
 * peer acknowledged nothing higher. What is below it is settled when the trimming reaches it. */
static uint64_t
skip_floor (sqx_recovery *recovery,
            uint64_t      now)
{
  if (now - recovery->skip_mark_time > remembered (recovery))
    {
      recovery->skip_floor = recovery->skip_mark;
      recovery->skip_mark = recovery->sent.next_number;
      recovery->skip_mark_time = now;
    }

  if (recovery->eliciting_in_flight == 0)
    return recovery->skip_floor;
  return recovery->any_acked ? SQX_MIN (recovery->skip_floor, recovery->largest_acked) : 0;
}

static void
trim (sqx_recovery *recovery,
      uint64_t      now)
{
  uint64_t span = remembered (recovery);
  uint64_t before = now > span ? now - span : 0;

  give_up_plain (recovery, before);
  sqx_sent_trim (&recovery->sent, skip_floor (recovery, now), before);
}

void
sqx_recovery_on_sent (sqx_recovery     *recovery,
                      uint64_t          now,
                      size_t            size,
                      bool              eliciting,
                      bool              limited,
                      const sqx_record *records,
                      size_t            count)
{
  const sqx_cc_ops *controller = recovery->controller;
  sqx_sent_packet *packet;

  if (eliciting && controller->sent != NULL)
    controller->sent (&recovery->cc, now, recovery->sent.next_number, recovery->bytes_in_flight,
                      &recovery->rate);
  packet = sqx_sent_append (&recovery->sent, now, size, records, count);
  packet->eliciting = packet->in_flight = eliciting;
  packet->limited = limited;
  if (eliciting)
    {
      recovery->bytes_in_flight += size;
      recovery->eliciting_in_flight++;
      sqx_rate_sent (&recovery->rate, now, recovery->bytes_in_flight, packet);
      if (limited && recovery->bytes_in_flight < recovery->cc.window)
        sqx_rate_limit (&recovery->rate, recovery->bytes_in_flight);
      recovery->last_eliciting = recovery->pto_start = now;
      if (recovery->probes > 0)
        recovery->probes--;
      /* The sender ran dry with half the window unused: nothing of what is in flight says that
       * the window should grow. */
      if (limited && recovery->bytes_in_flight <= recovery->cc.window / 2)
        recovery->limited_below = recovery->sent.next_number;
    }
  else
    {
      recovery->plain_outstanding++;
    }
  trim (recovery, now);
}

void
sqx_recovery_skip (sqx_recovery *recovery)
{
  sqx_sent_skip (&recovery->sent);
}

/* Links the packets that @ack newly acknowledges through their marks, from @head on, lowest first.
 * False: a number is acknowledged that was never sent or was skipped; the connection ends then. One
 * before first_number may have been sent, on the link before this one or beside it. */
static bool
link_acked (sqx_recovery  *recovery,
            const sqx_ack *ack,
            uint64_t      *head)
{
  sqx_ack_iter iter;
  uint64_t low, high;

  if (ack->largest >= recovery->sent.next_number)
    return false;

  sqx_ack_iter_init (&iter);
  while (sqx_ack_iter_next (&iter, ack, &low, &high) && high >= recovery->sent.first_number)
    {
      uint64_t stop = SQX_MAX (low, recovery->sent.first_number);

      for (uint64_t end = sqx_loss_skip_done (recovery, high + 1); end > stop;
           end = sqx_loss_skip_done (recovery, end - 1))
        {
          sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, end - 1);

          if (packet->state == SQX_SENT_SKIPPED)
            return false;
          packet->mark = *head;
          *head = end - 1;
        }
    }
  return true;
}

/* A packet that was declared lost has arrived. */
static void
note_spurious (sqx_recovery    *recovery,
               uint64_t         now,
               uint64_t         number,
               sqx_sent_packet *packet)
{
  recovery->spurious_losses++;
  sqx_reorder_spurious (&recovery->reorder, &recovery->rtt, now, packet->time,
                        recovery->largest_acked - SQX_MIN (number, recovery->largest_acked));
  if (!packet->in_flight)
    return;
  packet->in_flight = false;
  if (number >= recovery->episode_end || recovery->episode_lost == 0)
    return;
  if (--recovery->episode_lost == 0 && recovery->controller->spurious != NULL)
    recovery->controller->spurious (&recovery->cc, now);
}

/* Takes the packets of the list @head out of what is outstanding; the list stays. Those that were
 * declared lost before are not in flight any more. Returns the highest. */
static uint64_t
settle_acked (sqx_recovery *recovery,
              uint64_t      head,
              sqx_cc_ack   *told)
{
  uint64_t highest = head;

  for (uint64_t number = head; number != SQX_LOSS_NONE;)
    {
      sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);

      if (packet->eliciting)
        {
          told->acked += packet->size;
          sqx_rate_acked (&recovery->rate, told->now, number, packet, &told->sample);
        }
      if (packet->state == SQX_SENT_LOST)
        note_spurious (recovery, told->now, number, packet);
      else
        sqx_loss_release (recovery, packet);
      packet->state = SQX_SENT_DONE;
      recovery->packets_acked++;
      highest = number;
      number = packet->mark;
    }
  return highest;
}

static void
report_acked (sqx_recovery *recovery,
              uint64_t      now,
              uint64_t      head)
{
  void (*acked) (sqx_cc *, uint64_t, uint64_t, const sqx_sent_packet *) =
    recovery->controller->acked;

  for (uint64_t number = head; number != SQX_LOSS_NONE;)
    {
      sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);
      uint64_t next = packet->mark;

      if (packet->in_flight && acked != NULL)
        {
          packet->limited |= number < recovery->limited_below;
          acked (&recovery->cc, now, number, packet);
        }
      if (packet->eliciting && recovery->listener->settled != NULL)
        recovery->listener->settled (recovery->user_data, packet, true);
      for (size_t i = 0; i < packet->records; i++)
        recovery->listener->acked (recovery->user_data, now,
                                   sqx_sent_record (&recovery->sent, packet, i));
      set_done (recovery, number);
      number = next;
    }
}

static void
sample_rtt (sqx_recovery  *recovery,
            uint64_t       now,
            const sqx_ack *ack)
{
  const sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, ack->largest);

  if (!packet->eliciting)
    return;
  if (!recovery->rtt.sampled)
    recovery->first_sample_time = now;
  sqx_rtt_add_sample (&recovery->rtt, now - packet->time,
                      SQX_MIN (ack->delay, recovery->peer_ack_delay));
  /* 0 would mean that no sample is there. */
  sqx_cc_set_floor (&recovery->cc, SQX_MAX (recovery->rtt.min, 1));
}

static void
tell_controller (sqx_recovery *recovery,
                 sqx_cc_ack   *told)
{
  if (told->sample.sent == SQX_TIME_NEVER || recovery->controller->ack_done == NULL)
    return;
  told->lost = recovery->rate.lost - told->lost;
  told->in_flight = recovery->bytes_in_flight;
  told->next_number = recovery->sent.next_number;
  told->rtt = told->now - told->sample.sent;
  recovery->controller->ack_done (&recovery->cc, told);
}

sqx_result
sqx_recovery_on_ack (sqx_recovery  *recovery,
                     uint64_t       now,
                     const sqx_ack *ack)
{
  sqx_cc_ack told = {
    .now = now, .average = &recovery->rtt, .rate = &recovery->rate, .lost = recovery->rate.lost,
  };
  uint64_t acked = SQX_LOSS_NONE, lost;

  if (!link_acked (recovery, ack, &acked))
    return SQX_ERR_PROTOCOL;
  if (acked == SQX_LOSS_NONE)
    return SQX_OK;

  recovery->largest_acked = recovery->any_acked ? SQX_MAX (recovery->largest_acked, ack->largest)
                                                : ack->largest;
  recovery->any_acked = true;
  sqx_rate_begin (&told.sample);
  if (settle_acked (recovery, acked, &told) == ack->largest)
    sample_rtt (recovery, now, ack);
  sqx_rate_finish (&recovery->rate, recovery->rtt.min, &told.sample);

  lost = sqx_loss_detect (recovery, now);
  report_acked (recovery, now, acked);
  sqx_loss_report (recovery, now, lost);
  tell_controller (recovery, &told);

  recovery->pto_count = 0;
  recovery->probes = 0;
  trim (recovery, now);
  return SQX_OK;
}

static uint64_t
probe_deadline (const sqx_recovery *recovery)
{
  if (recovery->eliciting_in_flight == 0)
    return SQX_TIME_NEVER;
  return sqx_time_add (recovery->pto_start,
                       sqx_rtt_pto (&recovery->rtt, recovery->peer_ack_delay,
                                    recovery->pto_count));
}

/* When all is settled, what is remembered of it is forgotten: in good time if it is much, else after
 * a rest, because sending may go on. */
static uint64_t
tidy_deadline (const sqx_recovery *recovery)
{
  uint64_t at = sqx_time_add (recovery->skip_mark_time, remembered (recovery) + 1);

  if (recovery->eliciting_in_flight > 0 || recovery->sent.packets == NULL)
    return SQX_TIME_NEVER;
  if (sqx_sent_is_large (&recovery->sent))
    return at;
  return SQX_MAX (at, sqx_time_later (sqx_time_add (recovery->last_eliciting, SQX_REST_DELAY)));
}

uint64_t
sqx_recovery_deadline (const sqx_recovery *recovery)
{
  if (recovery->loss_time != SQX_TIME_NEVER)
    return recovery->loss_time;
  return SQX_MIN (probe_deadline (recovery), tidy_deadline (recovery));
}

static void
owe_probes (sqx_recovery *recovery,
            uint64_t      now)
{
  uint64_t number = SQX_MAX (recovery->settled_below, recovery->sent.first_number);
  const sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);

  /* Two raise the odds on a lossy path; after a few expiries the path is dead rather than lossy. */
  recovery->probes = recovery->pto_count == 1 || recovery->pto_count == 2 ? 2 : 1;
  recovery->pto_count++;
  recovery->probe_timeouts++;
  recovery->pto_start = now;

  while (packet->state != SQX_SENT_OUTSTANDING || !packet->eliciting)
    packet = sqx_sent_get (&recovery->sent, ++number);
  sqx_loss_tell (recovery, now, packet);
}

void
sqx_recovery_on_timeout (sqx_recovery *recovery,
                         uint64_t      now)
{
  if (recovery->loss_time <= now)
    sqx_loss_report (recovery, now, sqx_loss_detect (recovery, now));
  /* Of a timer that is late the probe time-out may be due as well. */
  if (recovery->loss_time == SQX_TIME_NEVER && probe_deadline (recovery) <= now)
    owe_probes (recovery, now);
  trim (recovery, now);
  sqx_sent_shrink (&recovery->sent);
}

void
sqx_recovery_set_datagram (sqx_recovery *recovery,
                           uint64_t      datagram)
{
  recovery->cc.datagram = datagram;
  sqx_cc_set_floor (&recovery->cc, recovery->rtt.sampled ? SQX_MAX (recovery->rtt.min, 1) : 0);
}

void
sqx_recovery_new_path (sqx_recovery *recovery,
                       uint64_t      now,
                       uint64_t      rtt)
{
  sqx_cc_init (&recovery->cc, recovery->controller, recovery->cc.datagram, recovery->cc.seed);
  sqx_rtt_init (&recovery->rtt);
  sqx_reorder_init (&recovery->reorder);
  if (rtt == SQX_TIME_NEVER)
    return;
  sqx_rtt_add_sample (&recovery->rtt, rtt, 0);
  recovery->first_sample_time = now;
  sqx_cc_set_floor (&recovery->cc, SQX_MAX (rtt, 1));
}
