/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-cc.h"

#include "sqx-util.h"

/* RFC 9438 section 4.6: a reduction leaves 0.7 of the window. */
#define REDUCE(window) ((window) * 7 / 10)
/* Section 4.7: the plateau of a flow that makes room for others, (1 + 0.7) / 2. */
#define CONVERGE(window) ((window) * 17 / 20)
/* Section 4.3: 3 (1 - 0.7) / (1 + 0.7) datagrams a round trip make a flow that leaves 0.7 as fast
 * as Reno, in 17ths. */
#define RENO_SHARE 9
#define RENO_WHOLE 17
/* Milliseconds from the plateau beyond which the curve is as high as it gets: 80 GB of windows. */
#define AWAY_MAX (UINT64_C (1) << 19)

static void
cubic_init (sqx_cc *cc)
{
  sqx_hystart_init (&cc->cubic.hystart);
  cc->cubic.curve.threshold = UINT64_MAX;
  cc->cubic.curve.epoch = SQX_TIME_NEVER;
  cc->cubic.recovery_start = SQX_TIME_NEVER;
}

/* Three bits of @x at a time give one of the root. */
static uint64_t
cube_root (uint64_t x)
{
  uint64_t root = 0;

  for (int shift = 63; shift >= 0; shift -= 3)
    {
      uint64_t step;

      root *= 2;
      step = 3 * root * (root + 1) + 1;
      if (x >> shift >= step)
        {
          x -= step << shift;
          root++;
        }
    }
  return root;
}

/* Section 4.4 and 4.5: congestion avoidance begins with the window as it is. Below the plateau of
 * before it takes the cube root of what is missing, in datagrams, over 0.4. */
static void
begin_epoch (sqx_cc  *cc,
             uint64_t now)
{
  sqx_cubic_curve *curve = &cc->cubic.curve;

  curve->epoch = now;
  curve->reno = cc->window;
  curve->span = 0;
  if (curve->plateau > cc->window)
    curve->span = cube_root ((curve->plateau - cc->window) * 2500 / cc->datagram * 1000000);
  else
    curve->plateau = cc->window;
}

/* Section 4.2: 0.4 datagrams times the cube of the seconds from the plateau, @time after the
 * epoch. */
static uint64_t
window_at (const sqx_cc *cc,
           uint64_t      time)
{
  const sqx_cubic_curve *curve = &cc->cubic.curve;
  uint64_t ms = time / SQX_MILLISECOND;
  bool beyond = ms >= curve->span;
  uint64_t away = SQX_MIN (beyond ? ms - curve->span : curve->span - ms, AWAY_MAX);
  uint64_t rise = away * away * away / 2500 * cc->datagram / 1000000;

  if (beyond)
    return curve->plateau + rise;
  return curve->plateau - SQX_MIN (rise, curve->plateau);
}

static void
avoid_congestion (sqx_cc  *cc,
                  uint64_t now,
                  uint64_t bytes)
{
  sqx_cubic_state *cubic = &cc->cubic;
  sqx_cubic_curve *curve = &cubic->curve;
  uint64_t time, target;

  if (curve->epoch == SQX_TIME_NEVER)
    begin_epoch (cc, now);
  time = now - curve->epoch;

  cubic->reno_credit += bytes * (curve->reno < curve->prior ? RENO_SHARE : RENO_WHOLE);
  if (cubic->reno_credit >= RENO_WHOLE * cc->window)
    {
      cubic->reno_credit -= RENO_WHOLE * cc->window;
      curve->reno += cc->datagram;
    }
  if (window_at (cc, time) < curve->reno)
    {
      cc->window = SQX_MAX (cc->window, curve->reno);
      return;
    }

  /* The window shall be on the curve one round trip from now. */
  target = SQX_MIN (window_at (cc, time + cubic->rtt), cc->window + cc->window / 2);
  if (target > cc->window)
    {
      uint64_t window = cc->window;

      cubic->credit += bytes * (target - window);
      cc->window += cubic->credit / window;
      cubic->credit %= window;
    }
}

/* Whether a packet sent at @sent belongs to the round trip that was already reacted to. */
static bool
in_recovery (const sqx_cc *cc,
             uint64_t      sent)
{
  return cc->cubic.recovery_start != SQX_TIME_NEVER && sent <= cc->cubic.recovery_start;
}

static void
cubic_acked (sqx_cc                *cc,
             uint64_t               now,
             uint64_t               number,
             const sqx_sent_packet *packet)
{
  sqx_cubic_state *cubic = &cc->cubic;
  uint64_t active = packet->limited ? now : packet->time;

  (void) number;

  /* Section 5.8: time in which the sender did not use the window does not count. */
  if (cubic->curve.epoch != SQX_TIME_NEVER && active > cubic->last)
    cubic->curve.epoch += active - cubic->last;
  cubic->last = now;
  if (packet->limited || in_recovery (cc, packet->time))
    return;

  if (cc->window < cubic->curve.threshold)
    cc->window += cubic->curve.threshold == UINT64_MAX
                  ? sqx_hystart_growth (&cubic->hystart, packet->size) : packet->size;
  else
    avoid_congestion (cc, now, packet->size);
}

static void
cubic_lost (sqx_cc                *cc,
            uint64_t               now,
            uint64_t               number,
            const sqx_sent_packet *packet,
            const sqx_rate        *rate)
{
  sqx_cubic_curve *curve = &cc->cubic.curve;

  (void) number;
  (void) rate;

  if (in_recovery (cc, packet->time))
    return;

  curve->window = cc->window;
  cc->cubic.undo = *curve;
  cc->cubic.recovery_start = now;
  curve->prior = cc->window;
  curve->plateau = cc->window < curve->plateau ? CONVERGE (cc->window) : cc->window;
  curve->threshold = REDUCE (cc->window);
  curve->epoch = SQX_TIME_NEVER;
  cc->window = SQX_MAX (curve->threshold, cc->floor);
}

static void
cubic_ack_done (sqx_cc           *cc,
                const sqx_cc_ack *ack)
{
  sqx_cubic_state *cubic = &cc->cubic;
  bool slow = cc->window < cubic->curve.threshold;

  cubic->rtt = ack->average->smoothed;
  if (cubic->curve.threshold == UINT64_MAX)
    {
      bool round_start = ack->sample.number >= cubic->round_end;

      if (round_start)
        cubic->round_end = ack->next_number;
      sqx_hystart_add_sample (&cubic->hystart, round_start, ack->rtt);
      if (cubic->hystart.phase == SQX_HYSTART_DONE)
        cubic->curve.threshold = cc->window;
    }
  /* RFC 9002 section 7.7: a little faster than the window a round trip, and twice in slow start, so
   * that pacing is not what holds back. */
  cc->pacing_rate = cc->window * (slow ? 8 : 5) / 4 * 1000000 / SQX_MAX (cubic->rtt, 1);
}

/* RFC 9438 section 4.8: the next epoch knows no plateau. */
static void
cubic_persistent (sqx_cc *cc)
{
  cc->window = cc->floor;
  cc->cubic.curve.plateau = 0;
  cc->cubic.curve.epoch = SQX_TIME_NEVER;
  cc->cubic.recovery_start = SQX_TIME_NEVER;
}

/* Section 4.9.2. */
static void
cubic_spurious (sqx_cc  *cc,
                uint64_t now)
{
  (void) now;

  if (cc->cubic.undo.window <= cc->window)
    return;
  cc->cubic.curve = cc->cubic.undo;
  cc->window = cc->cubic.undo.window;
  cc->cubic.recovery_start = SQX_TIME_NEVER;
}

const sqx_cc_ops sqx_cubic = {
  .name = "cubic",
  .init = cubic_init,
  .acked = cubic_acked,
  .lost = cubic_lost,
  .ack_done = cubic_ack_done,
  .persistent = cubic_persistent,
  .spurious = cubic_spurious,
};
