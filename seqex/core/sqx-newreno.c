/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NewReno as in RFC 9002 section 7 and appendix B.
 */
#include "sqx-cc.h"

#include "sqx-util.h"

void
sqx_cc_set_floor (sqx_cc  *cc,
                  uint64_t min_rtt)
{
  cc->floor = SQX_WINDOW_MINIMUM * cc->datagram;
  if (min_rtt > 0 && min_rtt < SQX_LAN_RTT)
    cc->floor = SQX_MAX (cc->floor, SQX_WINDOW_LAN);
  cc->window = SQX_MAX (cc->window, cc->floor);
}

static void
newreno_init (sqx_cc  *cc,
              uint64_t datagram)
{
  *cc = (sqx_cc) {
    /* Section 7.2: ten datagrams, but of large ones no more than two, or 14720 bytes. */
    .window = SQX_MIN (SQX_WINDOW_INITIAL * datagram, SQX_MAX (14720, 2 * datagram)),
    .threshold = UINT64_MAX,
    .recovery_start = SQX_TIME_NEVER,
    .datagram = datagram,
  };
  sqx_cc_set_floor (cc, 0);
}

/* Whether a packet sent at @sent belongs to the round trip that was already reacted to. */
static bool
in_recovery (const sqx_cc *cc,
             uint64_t      sent)
{
  return cc->recovery_start != SQX_TIME_NEVER && sent <= cc->recovery_start;
}

static void
newreno_acked (sqx_cc  *cc,
               uint64_t now,
               uint64_t sent,
               uint64_t bytes,
               bool     limited)
{
  (void) now;

  if (limited || in_recovery (cc, sent))
    return;

  if (cc->window < cc->threshold)
    {
      cc->window += bytes;
      return;
    }

  cc->acked += bytes;
  if (cc->acked >= cc->window)
    {
      cc->acked -= cc->window;
      cc->window += cc->datagram;
    }
}

static void
newreno_lost (sqx_cc  *cc,
              uint64_t now,
              uint64_t sent)
{
  if (in_recovery (cc, sent))
    return;

  cc->recovery_start = now;
  cc->threshold = cc->window / 2;
  cc->window = SQX_MAX (cc->threshold, cc->floor);
  cc->acked = 0;
}

static void
newreno_persistent (sqx_cc *cc)
{
  cc->window = cc->floor;
  cc->recovery_start = SQX_TIME_NEVER;
  cc->acked = 0;
}

const sqx_cc_ops sqx_newreno = {
  .name = "newreno",
  .init = newreno_init,
  .acked = newreno_acked,
  .lost = newreno_lost,
  .persistent = newreno_persistent,
};
