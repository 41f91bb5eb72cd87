/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NewReno as in RFC 9002 section 7 and appendix B.
 */
#include "sqx-cc.h"

#include "sqx-util.h"

static void
newreno_init (sqx_cc *cc)
{
  cc->newreno.threshold = UINT64_MAX;
  cc->newreno.recovery_start = SQX_TIME_NEVER;
}

/* Whether a packet sent at @sent belongs to the round trip that was already reacted to. */
static bool
in_recovery (const sqx_cc *cc,
             uint64_t      sent)
{
  return cc->newreno.recovery_start != SQX_TIME_NEVER && sent <= cc->newreno.recovery_start;
}

static void
newreno_acked (sqx_cc                *cc,
               uint64_t               now,
               uint64_t               number,
               const sqx_sent_packet *packet)
{
  (void) now;
  (void) number;

  if (packet->limited || in_recovery (cc, packet->time))
    return;

  if (cc->window < cc->newreno.threshold)
    {
      cc->window += packet->size;
      return;
    }

  cc->newreno.acked += packet->size;
  if (cc->newreno.acked >= cc->window)
    {
      cc->newreno.acked -= cc->window;
      cc->window += cc->datagram;
    }
}

static void
newreno_lost (sqx_cc                *cc,
              uint64_t               now,
              uint64_t               number,
              const sqx_sent_packet *packet,
              const sqx_rate        *rate)
{
  (void) number;
  (void) rate;

  if (in_recovery (cc, packet->time))
    return;

  cc->newreno.recovery_start = now;
  cc->newreno.threshold = cc->window / 2;
  cc->window = SQX_MAX (cc->newreno.threshold, cc->floor);
  cc->newreno.acked = 0;
}

static void
newreno_persistent (sqx_cc *cc)
{
  cc->window = cc->floor;
  cc->newreno.recovery_start = SQX_TIME_NEVER;
  cc->newreno.acked = 0;
}

const sqx_cc_ops sqx_newreno = {
  .name = "newreno",
  .init = newreno_init,
  .acked = newreno_acked,
  .lost = newreno_lost,
  .persistent = newreno_persistent,
};
