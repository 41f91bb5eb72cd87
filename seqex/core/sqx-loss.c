/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every packet is looked at a bounded number of times, however many are in flight: runs of DONE
 * packets are jumped over, and loss detection starts where it stopped.
 */
#include "sqx-loss.h"

#include "sqx-util.h"

/* Beside a number in a list of packets: between the two something was acknowledged. */
#define ACKED_BETWEEN (UINT64_C (1) << 63)

uint64_t
sqx_loss_skip_done (sqx_recovery *recovery,
                    uint64_t      end)
{
  const sqx_sent *sent = &recovery->sent;
  uint64_t low = end;

  while (low > sent->first_number && sqx_sent_get (sent, low - 1)->state == SQX_SENT_DONE)
    low = SQX_MIN (sqx_sent_get (sent, low - 1)->mark, low - 1);

  while (end > low && end > sent->first_number)
    {
      sqx_sent_packet *packet = sqx_sent_get (sent, end - 1);
      uint64_t next = SQX_MIN (packet->mark, end - 1);

      if (packet->mark < end)
        packet->mark = low;
      end = next;
    }
  return low;
}

void
sqx_loss_release (sqx_recovery          *recovery,
                  const sqx_sent_packet *packet)
{
  if (packet->in_flight)
    {
      assert (recovery->bytes_in_flight >= packet->size && recovery->eliciting_in_flight > 0);
      recovery->bytes_in_flight -= packet->size;
      recovery->eliciting_in_flight--;
    }
  else
    {
      assert (recovery->plain_outstanding > 0);
      recovery->plain_outstanding--;
    }
}

void
sqx_loss_tell (sqx_recovery          *recovery,
               uint64_t               now,
               const sqx_sent_packet *packet)
{
  for (size_t i = 0; i < packet->records; i++)
    recovery->listener->lost (recovery->user_data, now,
                              sqx_sent_record (&recovery->sent, packet, i));
}

void
sqx_loss_report (sqx_recovery *recovery,
                 uint64_t      now,
                 uint64_t      head)
{
  for (uint64_t number = head; number != SQX_LOSS_NONE;)
    {
      sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);

      number = packet->mark;
      packet->mark = now;
      sqx_loss_tell (recovery, now, packet);
    }
}

/* What one pass of loss detection found. */
typedef struct
{
  uint64_t head;        /* the lost packets, linked through their marks, lowest first */
  uint64_t tail;
  uint64_t oldest;      /* when the oldest since the last acknowledged one was sent */
  bool     persistent;
} losses;

/* Out of flight, and counted. */
static void
drop (sqx_recovery    *recovery,
      uint64_t         number,
      sqx_sent_packet *packet,
      uint64_t         mark)
{
  packet->state = SQX_SENT_LOST;
  packet->mark = mark;
  sqx_loss_release (recovery, packet);
  recovery->packets_lost++;
  if (!packet->in_flight)
    return;

  recovery->rate.lost += packet->size;
  if (number >= recovery->episode_end)
    {
      sqx_reorder_episode (&recovery->reorder);
      recovery->episode_end = recovery->sent.next_number;
      recovery->episode_lost = 0;
    }
  recovery->episode_lost++;
}

static void
lose (sqx_recovery    *recovery,
      uint64_t         now,
      uint64_t         number,
      sqx_sent_packet *packet,
      losses          *lost)
{
  const sqx_cc_ops *controller = recovery->controller;

  drop (recovery, number, packet, SQX_LOSS_NONE);

  if (lost->head == SQX_LOSS_NONE)
    lost->head = number;
  else
    sqx_sent_get (&recovery->sent, lost->tail)->mark = number;
  lost->tail = number;

  if (!packet->in_flight)
    return;
  if (recovery->listener->settled != NULL)
    recovery->listener->settled (recovery->user_data, packet, false);
  if (controller->lost != NULL)
    controller->lost (&recovery->cc, now, number, packet, &recovery->rate);

  /* RFC 9002 section 7.6.2. */
  if (!recovery->rtt.sampled || packet->time <= recovery->first_sample_time)
    return;
  if (lost->oldest == SQX_TIME_NEVER)
    lost->oldest = packet->time;
  if (packet->time - lost->oldest >
      sqx_rtt_persistent_duration (&recovery->rtt, recovery->peer_ack_delay))
    lost->persistent = true;
}

/* What is lost by now, linked through the marks, lowest first. All numbers below the first that is
 * outstanding are settled, and runs of acknowledged ones are jumped over, so that a hole costs the
 * same however long it is waited for. */
static uint64_t
link_lost (sqx_recovery *recovery,
           uint64_t      now)
{
  uint64_t stop = SQX_MAX (recovery->settled_below, recovery->sent.first_number);
  uint64_t delay = sqx_reorder_delay (&recovery->reorder, &recovery->rtt);
  uint64_t head = SQX_LOSS_NONE;
  uint64_t end = recovery->largest_acked;
  bool acked = false;

  recovery->loss_time = SQX_TIME_NEVER;
  for (; end > stop; end--)
    {
      uint64_t low = sqx_loss_skip_done (recovery, end);
      sqx_sent_packet *packet;
      uint64_t due;

      acked |= low < end;
      end = low;
      if (end <= stop)
        break;
      packet = sqx_sent_get (&recovery->sent, end - 1);
      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;

      due = sqx_time_add (packet->time, delay);
      if (recovery->largest_acked - (end - 1) >= recovery->reorder.packets || due <= now)
        {
          packet->mark = acked && head != SQX_LOSS_NONE ? head | ACKED_BETWEEN : head;
          head = end - 1;
          acked = false;
        }
      else if (packet->in_flight)
        {
          recovery->loss_time = SQX_MIN (recovery->loss_time, due);
        }
    }
  return head;
}

/* RFC 9002 section 6.1. */
uint64_t
sqx_loss_detect (sqx_recovery *recovery,
                 uint64_t      now)
{
  losses lost = { .head = SQX_LOSS_NONE, .oldest = SQX_TIME_NEVER };
  uint64_t next = link_lost (recovery, now);

  while (next != SQX_LOSS_NONE)
    {
      uint64_t number = next;
      sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);
      bool acked = packet->mark != SQX_LOSS_NONE && (packet->mark & ACKED_BETWEEN) != 0;

      next = acked ? packet->mark & ~ACKED_BETWEEN : packet->mark;
      lose (recovery, now, number, packet, &lost);
      if (acked)
        lost.oldest = SQX_TIME_NEVER;
    }

  if (lost.persistent && recovery->controller->persistent != NULL)
    recovery->controller->persistent (&recovery->cc);
  return lost.head;
}

void
sqx_recovery_lose_larger (sqx_recovery *recovery,
                          uint64_t      now,
                          size_t        size)
{
  uint64_t number = SQX_MAX (recovery->settled_below, recovery->sent.first_number);
  sqx_sent_packet *packet;

  for (; (packet = sqx_sent_get (&recovery->sent, number)) != NULL; number++)
    if (packet->state == SQX_SENT_OUTSTANDING && packet->size >= size)
      {
        drop (recovery, number, packet, now);
        sqx_loss_tell (recovery, now, packet);
      }
}

void
sqx_recovery_lose_all (sqx_recovery *recovery,
                       uint64_t      now)
{
  sqx_recovery_lose_larger (recovery, now, 0);
  recovery->settled_below = recovery->sent.next_number;
  recovery->loss_time = SQX_TIME_NEVER;
  recovery->pto_count = 0;
  recovery->probes = 0;
}
