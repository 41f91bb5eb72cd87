/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "sqx-recovery.h"

#define MS       1000
#define DATAGRAM 1200

/* A recovery whose packets carry records that name them, and what its listener was told. */
typedef struct
{
  sqx_recovery recovery;
  guint64      now;
  GString     *told; /* "+n" for an acknowledged record of packet n, "-n" for a lost one */
} Fixture;

static void
on_acked (void             *user_data,
          uint64_t          now,
          const sqx_record *record)
{
  Fixture *f = user_data;

  g_assert_cmpuint (now, ==, f->now);
  g_string_append_printf (f->told, "+%" G_GUINT64_FORMAT " ", record->number);
}

static void
on_lost (void             *user_data,
         uint64_t          now,
         const sqx_record *record)
{
  Fixture *f = user_data;

  g_assert_cmpuint (now, ==, f->now);
  g_string_append_printf (f->told, "-%" G_GUINT64_FORMAT " ", record->number);
}

static const sqx_recovery_listener listener = { on_acked, on_lost };

static void
set_up_from (Fixture *f,
             guint64  first_number)
{
  *f = (Fixture) { .now = 1000 * MS, .told = g_string_new (NULL) };
  sqx_recovery_init (&f->recovery, &listener, f, &sqx_newreno, first_number, DATAGRAM);
}

static void
set_up (Fixture *f)
{
  set_up_from (f, 0);
}

static void
tear_down (Fixture *f)
{
  sqx_recovery_clear (&f->recovery);
  g_string_free (f->told, TRUE);
}

static void
assert_told (Fixture    *f,
             const char *expected)
{
  g_assert_cmpstr (g_strchomp (f->told->str), ==, expected);
  g_string_truncate (f->told, 0);
}

/* bytes_in_flight and its kin are what the packets say. */
static void
check_sums (const sqx_recovery *recovery)
{
  guint64 bytes = 0, eliciting = 0, plain = 0;

  for (guint64 number = recovery->sent.first_number; number < recovery->sent.next_number; number++)
    {
      const sqx_sent_packet *packet = sqx_sent_get (&recovery->sent, number);

      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;
      if (packet->eliciting)
        {
          bytes += packet->size;
          eliciting++;
        }
      else
        {
          plain++;
        }
    }
  g_assert_cmpuint (recovery->bytes_in_flight, ==, bytes);
  g_assert_cmpuint (recovery->eliciting_in_flight, ==, eliciting);
  g_assert_cmpuint (recovery->plain_outstanding, ==, plain);
}

static guint64
send_packet (Fixture *f,
             gsize    size,
             gboolean eliciting,
             gboolean limited)
{
  sqx_record record = {
    .kind = eliciting ? SQX_RECORD_MESSAGE : SQX_RECORD_ACK,
    .number = f->recovery.sent.next_number,
  };

  g_assert_true (sqx_recovery_reserve (&f->recovery, 1));
  sqx_recovery_on_sent (&f->recovery, f->now, size, eliciting, limited, &record, 1);
  return record.number;
}

static void
send_many (Fixture *f,
           guint    count)
{
  for (guint i = 0; i < count; i++)
    send_packet (f, DATAGRAM, TRUE, FALSE);
}

static void
skip (Fixture *f)
{
  g_assert_true (sqx_recovery_reserve (&f->recovery, 0));
  sqx_recovery_skip (&f->recovery);
}

typedef struct
{
  guint64 low, high; /* inclusive */
} Span;

static guint8 *
put_varint (guint8  *at,
            guint64  value)
{
  for (int shift = 56; shift >= 0; shift -= 8)
    *at++ = (guint8) ((value | G_GUINT64_CONSTANT (3) << 62) >> shift);
  return at;
}

/* @spans: ascending, disjoint, not adjacent. */
static sqx_result
ack_spans (Fixture    *f,
           guint64     delay,
           const Span *spans,
           gsize       n)
{
  g_autofree guint8 *pairs = g_malloc (16 * n);
  guint8 *end = pairs;
  sqx_ack ack = {
    .largest = spans[n - 1].high,
    .delay = delay,
    .first_range = spans[n - 1].high - spans[n - 1].low,
    .range_count = n - 1,
  };

  for (gsize i = n - 1; i-- > 0;)
    {
      end = put_varint (end, spans[i + 1].low - spans[i].high - 2);
      end = put_varint (end, spans[i].high - spans[i].low);
    }
  ack.reader = (sqx_reader) { pairs, end };
  return sqx_recovery_on_ack (&f->recovery, f->now, &ack);
}

static sqx_result
ack_delayed (Fixture *f,
             guint64  low,
             guint64  high,
             guint64  delay)
{
  return ack_spans (f, delay, &(Span) { low, high }, 1);
}

static void
ack (Fixture *f,
     guint64  low,
     guint64  high)
{
  g_assert_cmpint (ack_delayed (f, low, high, 0), ==, SQX_OK);
  check_sums (&f->recovery);
}

/* Ends with a sample of @rtt, nothing in flight, and nothing told. */
static void
sample (Fixture *f,
        guint64  rtt)
{
  guint64 number = send_packet (f, DATAGRAM, TRUE, FALSE);

  f->now += rtt;
  ack (f, number, number);
  g_string_truncate (f->told, 0);
}

static void
expire (Fixture *f)
{
  guint64 deadline = sqx_recovery_deadline (&f->recovery);

  g_assert_cmpuint (deadline, !=, SQX_TIME_NEVER);
  f->now = MAX (f->now, deadline);
  sqx_recovery_on_timeout (&f->recovery, f->now);
  check_sums (&f->recovery);
  g_assert_true (f->recovery.probes > 0 || sqx_recovery_deadline (&f->recovery) > f->now);
}

static void
test_idle (void)
{
  Fixture f;

  set_up (&f);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000);
  g_assert_cmpuint (sqx_recovery_pto (&f.recovery), ==, 1525 * MS);
  sqx_recovery_on_timeout (&f.recovery, f.now);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);

  /* What asks for no acknowledgement takes no room and wakes nobody. */
  send_packet (&f, 1000, FALSE, TRUE);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000);
  ack (&f, 0, 0);
  assert_told (&f, "+0");
  g_assert_false (f.recovery.rtt.sampled);
  tear_down (&f);
}

static void
test_room (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 9);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 1200);
  send_packet (&f, 1199, TRUE, FALSE);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 1);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 0);
  check_sums (&f.recovery);

  /* Slow start: every byte acknowledged gives two. */
  f.now += 50 * MS;
  ack (&f, 0, 4);
  assert_told (&f, "+0 +1 +2 +3 +4");
  g_assert_cmpuint (f.recovery.cc.window, ==, 18000);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 18000 - 5 * DATAGRAM - 1199);
  tear_down (&f);
}

static void
test_limited (void)
{
  Fixture f;

  /* A burst that leaves half of the window unused says nothing about it, the first packet of it
   * as little as the last. */
  set_up (&f);
  send_many (&f, 4);
  send_packet (&f, DATAGRAM, TRUE, TRUE);
  f.now += 50 * MS;
  ack (&f, 0, 4);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000);

  /* One that fills it says so, but for the packet that ended it. */
  send_many (&f, 9);
  send_packet (&f, DATAGRAM, TRUE, TRUE);
  f.now += 50 * MS;
  ack (&f, 5, 14);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000 + 9 * DATAGRAM);
  tear_down (&f);
}

static void
test_rtt (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, 100 * MS);
  g_assert_cmpuint (f.recovery.first_sample_time, ==, 1100 * MS);

  /* The peer's delay is taken off, as far as it may delay. */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 180 * MS;
  g_assert_cmpint (ack_delayed (&f, 1, 1, 70 * MS), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 180 * MS);
  g_assert_cmpuint (f.recovery.rtt.smoothed, ==, (700 + 155) * MS / 8);
  g_assert_cmpuint (f.recovery.first_sample_time, ==, 1100 * MS);

  /* The largest is known already, or asks for nothing: no sample. */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 10 * MS;
  ack (&f, 3, 3);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  f.now += 10 * MS;
  ack (&f, 2, 3);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  f.now += 20 * MS;
  ack (&f, 4, 5);
  g_assert_cmpuint (f.recovery.rtt.latest, ==, 10 * MS);
  g_assert_cmpuint (f.recovery.cc.floor, ==, 4 * DATAGRAM);
  tear_down (&f);

  /* A local network, even one that is faster than the clock, has its floor. */
  set_up (&f);
  sample (&f, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, SQX_WINDOW_LAN + DATAGRAM);
  tear_down (&f);
}

static void
test_packet_threshold (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 10);
  f.now += 100 * MS;
  ack (&f, 2, 2);
  assert_told (&f, "+2");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, 12000 + DATAGRAM);

  /* 0 is three below now. */
  ack (&f, 3, 3);
  assert_told (&f, "+3 -0");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  g_assert_cmpuint (f.recovery.cc.window, ==, (12000 + DATAGRAM) / 2);

  /* More of the same flight: no second reaction. */
  ack (&f, 9, 9);
  assert_told (&f, "+9 -1 -4 -5 -6");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 5);
  g_assert_cmpuint (f.recovery.cc.window, ==, (12000 + DATAGRAM) / 2);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 2 * DATAGRAM);

  /* 7 and 8 wait for the time threshold: 9/8 of 100 ms after they were sent. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, 1000 * MS + 112500);
  expire (&f);
  assert_told (&f, "-7 -8");
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  tear_down (&f);
}

static void
test_time_threshold (void)
{
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 1 at 1100 */
  f.now += 60 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 2 at 1160 */
  f.now += 10 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE); /* 3 at 1170 */

  /* When 3 is acknowledged, 1 is too old, and 2 will be. */
  f.now += 100 * MS;
  ack (&f, 3, 3);
  assert_told (&f, "+3 -1");
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, 1160 * MS + 112500);
  sqx_recovery_on_timeout (&f.recovery, 1160 * MS + 112499);
  assert_told (&f, "");
  expire (&f);
  assert_told (&f, "-2");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 2);

  /* Nothing waits for a packet that asks for nothing. */
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 90 * MS;
  ack (&f, 5, 5);
  assert_told (&f, "+5");
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, SQX_TIME_NEVER);
  f.now += 100 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 90 * MS;
  ack (&f, 6, 6);
  assert_told (&f, "+6 -4");
  /* Losing it is no congestion. */
  g_assert_cmpuint (f.recovery.cc.recovery_start, <, 1300 * MS);
  tear_down (&f);
}

static void
test_pto (void)
{
  Fixture f;
  guint64 sent;

  set_up (&f);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  sent = f.now;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 10 * MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  sent = f.now;
  send_packet (&f, DATAGRAM, FALSE, FALSE);

  /* From the last packet that asks for an acknowledgement. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, sent + 1525 * MS);
  sqx_recovery_on_timeout (&f.recovery, sent + 1525 * MS - 1);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 0);
  expire (&f);
  assert_told (&f, "-1"); /* the oldest that asks; it stays in flight */
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 2 * DATAGRAM);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 0);
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  g_assert_true (sqx_recovery_room (&f.recovery) == SIZE_MAX);

  /* Owed and not sent: the timer runs on, doubled, and is not due again. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 3050 * MS);
  sqx_recovery_on_timeout (&f.recovery, f.now);
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 1);

  /* A packet that asks for nothing is no probe. */
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  f.now += MS;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (f.recovery.probes, ==, 0);
  g_assert_cmpuint (sqx_recovery_room (&f.recovery), ==, 12000 - 3 * DATAGRAM);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 3050 * MS);

  /* From the second on two probes, doubling up to the cap. */
  expire (&f);
  assert_told (&f, "-1");
  g_assert_cmpuint (f.recovery.probes, ==, 2);
  for (guint i = 2; i < 20; i++)
    {
      guint64 before = f.now;

      expire (&f);
      g_assert_cmpuint (f.now - before, ==, MIN (1525 * MS * (G_GUINT64_CONSTANT (1) << i),
                                                 SQX_PTO_MAX));
      g_assert_cmpuint (f.recovery.probes, ==, 2);
    }
  g_assert_cmpuint (f.recovery.probe_timeouts, ==, 20);

  /* An acknowledgement ends it. */
  g_string_truncate (f.told, 0);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 100 * MS;
  ack (&f, 6, 6);
  assert_told (&f, "+6 -1 -2 -3 -4 -5");
  g_assert_cmpuint (f.recovery.pto_count, ==, 0);
  g_assert_cmpuint (f.recovery.probes, ==, 0);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  tear_down (&f);
}

static void
test_pto_after_ack (void)
{
  Fixture f;

  /* Only what is new resets the back-off. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 2);
  expire (&f);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  g_assert_cmpuint (f.recovery.pto_count, ==, 1);
  ack (&f, 0, 0);
  g_assert_cmpuint (f.recovery.pto_count, ==, 1);
  ack (&f, 1, 1);
  g_assert_cmpuint (f.recovery.pto_count, ==, 0);

  /* What is left in flight still has its timer. */
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==,
                    f.now + sqx_recovery_pto (&f.recovery));
  tear_down (&f);
}

static void
test_late_timer (void)
{
  Fixture f;

  /* The time threshold and, far behind, the probe time-out are both due when the clock jumps:
   * one call sees to both. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 4); /* 1 … 4 */
  f.now += 100 * MS;
  ack (&f, 2, 2);
  g_string_truncate (f.told, 0);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), ==, f.now + 12500);
  f.now += 3600 * SQX_SECOND;
  expire (&f);
  assert_told (&f, "-1 -3");
  g_assert_cmpuint (f.recovery.probes, ==, 1);
  g_assert_cmpuint (sqx_recovery_deadline (&f.recovery), >, f.now);
  tear_down (&f);
}

static void
test_spurious (void)
{
  Fixture f;
  guint64 window;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 5); /* 1 … 5 */
  f.now += 100 * MS;
  ack (&f, 4, 5);
  assert_told (&f, "+4 +5 -1 -2");
  window = f.recovery.cc.window;
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);

  f.now += 10 * MS;
  ack (&f, 1, 5);
  assert_told (&f, "+1 +2 +3");
  g_assert_cmpuint (f.recovery.packets_lost, ==, 2);
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 2);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (f.recovery.cc.window, ==, window);
  ack (&f, 1, 5);
  assert_told (&f, "");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 2);
  tear_down (&f);
}

static void
test_lost_are_forgotten (void)
{
  Fixture f;
  guint64 lost_at;

  set_up (&f);
  sample (&f, 100 * MS);
  send_many (&f, 5);
  f.now += 100 * MS;
  ack (&f, 2, 5);
  lost_at = f.now;
  ack (&f, 2, 5);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  g_string_truncate (f.told, 0);

  /* Remembered for three probe time-outs, then not. */
  f.now = lost_at + 3 * sqx_recovery_pto (&f.recovery);
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_nonnull (sqx_sent_get (&f.recovery.sent, 1));
  f.now++;
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  g_assert_cmpuint (f.recovery.sent.first_number, ==, 6);
  ack (&f, 1, 5);
  assert_told (&f, "");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);
  tear_down (&f);
}

static void
assert_refused (Fixture    *f,
                const Span *spans,
                gsize       n)
{
  sqx_recovery before = f->recovery;

  g_assert_cmpint (ack_spans (f, 0, spans, n), ==, SQX_ERR_PROTOCOL);
  g_assert_cmpmem (&f->recovery, sizeof before, &before, sizeof before);
  assert_told (f, "");
  check_sums (&f->recovery);
}

static void
test_never_sent (void)
{
  Fixture f;

  set_up_from (&f, 10);
  assert_refused (&f, &(Span) { 10, 10 }, 1);
  send_many (&f, 3);
  f.now += 10 * MS;
  assert_refused (&f, &(Span) { 13, 13 }, 1);
  assert_refused (&f, &(Span) { 10, 13 }, 1);
  assert_refused (&f, &(Span) { SQX_VARINT_MAX, SQX_VARINT_MAX }, 1);
  assert_refused (&f, &(Span) { 0, SQX_VARINT_MAX }, 1);
  assert_refused (&f, (Span []) { { 0, 0 }, { 10, 13 } }, 2);

  /* Numbers from before the link may have been sent by another. */
  ack (&f, 0, 9);
  assert_told (&f, "");
  g_assert_false (f.recovery.any_acked);
  g_assert_cmpint (ack_spans (&f, 0, (Span []) { { 0, 0 }, { 7, 10 }, { 12, 12 } }, 3),
                   ==, SQX_OK);
  assert_told (&f, "+10 +12");
  g_assert_cmpuint (f.recovery.spurious_losses, ==, 0);
  ack (&f, 0, 12);
  assert_told (&f, "+11");

  /* Nor is it wrong to name what is long forgotten. */
  g_assert_null (sqx_sent_get (&f.recovery.sent, 12));
  ack (&f, 10, 12);
  assert_told (&f, "");
  tear_down (&f);
}

static void
test_skipped (void)
{
  Fixture f;

  set_up (&f);
  send_many (&f, 2);
  skip (&f);
  send_many (&f, 2); /* 3, 4 */
  f.now += 10 * MS;
  assert_refused (&f, &(Span) { 2, 2 }, 1);
  assert_refused (&f, &(Span) { 0, 4 }, 1);
  assert_refused (&f, (Span []) { { 0, 2 }, { 4, 4 } }, 2);
  g_assert_cmpint (ack_spans (&f, 0, (Span []) { { 0, 1 }, { 3, 4 } }, 2), ==, SQX_OK);
  assert_told (&f, "+0 +1 +3 +4");

  /* Still known right after that. */
  assert_refused (&f, &(Span) { 0, 4 }, 1);
  g_assert_cmpuint (f.recovery.sent.first_number, ==, 2);
  tear_down (&f);
}

static void
test_skipped_are_forgotten (void)
{
  Fixture f;
  guint64 pto;

  set_up (&f);
  sample (&f, 100 * MS);
  skip (&f); /* 1 */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  pto = sqx_recovery_pto (&f.recovery);

  /* As long as nothing higher was acknowledged and something is in flight, it is remembered. */
  for (guint i = 0; i < 10; i++)
    {
      f.now += 3 * pto + 1;
      send_packet (&f, DATAGRAM, FALSE, FALSE);
      g_assert_cmpuint (f.recovery.sent.first_number, ==, 1);
    }
  assert_refused (&f, &(Span) { 1, 2 }, 1);
  ack (&f, 2, 2);
  g_assert_cmpuint (f.recovery.sent.first_number, >, 1);
  tear_down (&f);

  /* Nor does it go when what is below has not been settled. */
  set_up (&f);
  sample (&f, 100 * MS);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  skip (&f); /* 2 */
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 100 * MS;
  ack (&f, 3, 3);
  assert_told (&f, "+3");
  for (guint i = 0; i < 4; i++)
    {
      f.now += 10 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
    }
  assert_refused (&f, &(Span) { 0, 4 }, 1);

  /* Within three probe time-outs it is remembered, after twice that it is gone. */
  f.now += 100 * MS;
  ack (&f, 4, 7);
  pto = sqx_recovery_pto (&f.recovery);
  f.now += 2 * pto;
  send_packet (&f, DATAGRAM, FALSE, FALSE);
  assert_told (&f, "+4 +5 +6 +7 -1");
  assert_refused (&f, &(Span) { 2, 2 }, 1);
  for (guint i = 0; i < 2; i++)
    {
      f.now += 3 * pto + 1;
      send_packet (&f, DATAGRAM, FALSE, FALSE);
    }
  g_assert_null (sqx_sent_get (&f.recovery.sent, 2));
  ack (&f, 0, 7);
  tear_down (&f);

  /* A side that only acknowledges, and is never acknowledged itself, forgets as well. */
  set_up (&f);
  for (guint i = 0; i < 2000; i++)
    {
      if (i % 64 == 0)
        skip (&f);
      send_packet (&f, 40, FALSE, TRUE);
      f.now += 100 * MS;
    }
  g_assert_cmpuint (f.recovery.sent.next_number - f.recovery.sent.first_number, <, 150);
  tear_down (&f);
}

static void
test_plain_bound (void)
{
  Fixture f;

  set_up (&f);
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  for (guint i = 0; i < SQX_PLAIN_OUTSTANDING_MAX; i++)
    send_packet (&f, 40, FALSE, TRUE);
  g_assert_false (sqx_recovery_reserve (&f.recovery, 1));

  f.now += 100 * MS;
  ack (&f, 1, 1);
  g_assert_true (sqx_recovery_reserve (&f.recovery, 1));
  ack (&f, 0, SQX_PLAIN_OUTSTANDING_MAX);
  g_assert_cmpuint (f.recovery.sent.packet_capacity, ==, 0);
  tear_down (&f);
}

/* Sends at @times, in ms after 2000, acknowledges the last, and maybe one in between. */
static gboolean
collapses (const guint64 *times,
           gsize          n,
           gint           acked_between,
           gboolean       sampled_before)
{
  Fixture f;
  gboolean collapsed;

  set_up (&f);
  if (sampled_before)
    {
      sample (&f, 100 * MS); /* PTO: 100 + 4 * 50 + 25 = 325 ms, times three is 975 */
      g_assert_cmpuint (sqx_rtt_persistent_duration (&f.recovery.rtt, 25 * MS), ==, 975 * MS);
    }
  else
    {
      send_packet (&f, DATAGRAM, FALSE, FALSE);
    }
  f.recovery.cc.window = 40 * DATAGRAM;
  for (gsize i = 0; i < n; i++)
    {
      f.now = (2000 + times[i]) * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
    }
  /* After this sample: variance (3 * 50 + 0) / 4 = 37.5, PTO 100 + 150 + 25 = 275, 825. */
  f.now += 100 * MS;
  if (acked_between >= 0)
    g_assert_cmpint (ack_spans (&f, 0, (Span []) { { (guint64) acked_between,
                                                     (guint64) acked_between }, { n, n } }, 2),
                     ==, SQX_OK);
  else
    ack (&f, n, n);
  g_assert_cmpuint (f.recovery.packets_lost, >=, n - 3);
  collapsed = f.recovery.cc.window <= 6 * DATAGRAM; /* four, and one for each acknowledged */
  if (!collapsed)
    g_assert_cmpuint (f.recovery.cc.window, >=, 20 * DATAGRAM);
  tear_down (&f);
  return collapsed;
}

static void
test_persistent (void)
{
  static const guint64 longer[] = { 0, 300, 600, 826, 1500 };
  static const guint64 equal[] = { 0, 300, 600, 825, 1500 };
  static const guint64 longest[] = { 0, 300, 826, 1200, 1652, 2500 };
  static const guint64 no_sample[] = { 0, 1000, 2000, 3000, 20000 };

  g_assert_true (collapses (longer, 5, -1, TRUE));
  g_assert_false (collapses (equal, 5, -1, TRUE));

  /* One acknowledged in between ends the stretch; a new one may be long enough. */
  g_assert_false (collapses (longer, 5, 2, TRUE));
  g_assert_false (collapses (longer, 5, 3, TRUE));
  g_assert_true (collapses (longest, 6, 1, TRUE));
  g_assert_false (collapses (longest, 6, 3, TRUE));

  /* What was sent before the first sample does not count. */
  g_assert_false (collapses (no_sample, 5, -1, FALSE));
}

static void
test_persistent_kinds (void)
{
  Fixture f;

  /* The two ends must ask for an acknowledgement; what is in between need not. */
  for (guint plain_end = 0; plain_end < 2; plain_end++)
    {
      set_up (&f);
      sample (&f, 100 * MS);
      f.recovery.cc.window = 40 * DATAGRAM;
      f.now += MS;
      send_packet (&f, DATAGRAM, plain_end == 0, FALSE);
      f.now += 400 * MS;
      send_packet (&f, DATAGRAM, plain_end == 1, FALSE);
      skip (&f);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 100 * MS;
      ack (&f, 5, 5);
      g_assert_cmpuint (f.recovery.packets_lost, ==, plain_end ? 2 : 3); /* or given up */
      if (plain_end)
        g_assert_cmpuint (f.recovery.cc.window, ==, 20 * DATAGRAM);
      else
        g_assert_cmpuint (f.recovery.cc.window, ==, 5 * DATAGRAM);
      tear_down (&f);
    }
}

/* RFC 9002 section 7.6.2: what was sent up to the first sample, or without one, does not count. */
static void
test_persistent_start (void)
{
  Fixture f;

  for (guint after = 0; after < 2; after++)
    {
      set_up (&f);
      sample (&f, 100 * MS);
      f.recovery.cc.window = 40 * DATAGRAM;
      f.now += after;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 900 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 500 * MS;
      send_packet (&f, DATAGRAM, TRUE, FALSE);
      f.now += 100 * MS;
      ack (&f, 3, 3);
      assert_told (&f, "+3 -1 -2");
      g_assert_cmpuint (f.recovery.cc.window, ==, (after ? 5 : 20) * DATAGRAM);
      tear_down (&f);
    }

  set_up (&f);
  f.recovery.cc.window = 40 * DATAGRAM;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  f.now += 60 * SQX_SECOND;
  send_packet (&f, DATAGRAM, TRUE, FALSE);
  for (guint i = 0; i < 3; i++)
    send_packet (&f, DATAGRAM, FALSE, FALSE);
  ack (&f, 4, 4);
  assert_told (&f, "+4 -0 -1");
  g_assert_false (f.recovery.rtt.sampled);
  g_assert_cmpuint (f.recovery.cc.window, ==, 20 * DATAGRAM);
  tear_down (&f);
}

/* An ACK costs what it newly says: a window that is acknowledged one by one from the top, with the
 * oldest packet missing, must not be walked through each time. Quadratic, this would be 10^11
 * steps. */
static void
test_cost (void)
{
  const guint64 count = 300000;
  Fixture f;

  set_up (&f);
  sample (&f, 100 * MS);
  for (guint64 i = 0; i < count; i++)
    send_packet (&f, 40, TRUE, FALSE);
  f.now += 100 * MS;
  for (guint64 number = 2; number <= count; number++)
    g_assert_cmpint (ack_delayed (&f, 2, number, 0), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  g_assert_cmpuint (f.recovery.packets_lost, ==, 1);
  for (guint64 number = 2; number <= count; number++)
    g_assert_cmpint (ack_delayed (&f, 2, number, 0), ==, SQX_OK);

  /* The same from the top down. */
  for (guint64 i = 0; i < count; i++)
    send_packet (&f, 40, TRUE, FALSE);
  for (guint64 number = 2 * count; number > count; number--)
    g_assert_cmpint (ack_delayed (&f, number, 2 * count, 0), ==, SQX_OK);
  g_assert_cmpuint (f.recovery.bytes_in_flight, ==, 0);
  ack (&f, 1, 2 * count);
  g_assert_cmpuint (f.recovery.sent.packet_capacity, ==, 0);
  tear_down (&f);
}

/* Random traces against an oracle ------------------------------------------------------- */

/* RFC 9002 with a list of all packets that is walked from end to end each time. */
typedef struct
{
  guint64        time;
  guint64        lost_at;
  guint16        size;
  gboolean       eliciting;
  gboolean       limited;
  gboolean       received; /* by the peer, or will be */
  sqx_sent_state state;
} Packet;

typedef struct
{
  GArray  *packets;
  sqx_cc   cc;
  sqx_rtt  rtt;
  guint64  first_sample;
  gint64   largest_acked; /* -1: none */
  guint64  loss_time;
  guint64  pto_start;
  guint    pto_count, probes;
  guint64  lost, spurious;
  guint64  least_remembered; /* three times the smallest probe time-out so far */
  GString *told;
} Oracle;

#define PACKET(o, i) (&g_array_index ((o)->packets, Packet, (i)))

static guint64
oracle_in_flight (const Oracle *o)
{
  guint64 bytes = 0;

  for (guint i = 0; i < o->packets->len; i++)
    if (PACKET (o, i)->state == SQX_SENT_OUTSTANDING && PACKET (o, i)->eliciting)
      bytes += PACKET (o, i)->size;
  return bytes;
}

static guint64
oracle_deadline (const Oracle *o)
{
  if (o->loss_time != SQX_TIME_NEVER)
    return o->loss_time;
  if (oracle_in_flight (o) == 0)
    return SQX_TIME_NEVER;
  return o->pto_start + sqx_rtt_pto (&o->rtt, SQX_ACK_DELAY_DEFAULT, o->pto_count);
}

static void
oracle_sent (Oracle  *o,
             guint64  now,
             guint16  size,
             gboolean eliciting,
             gboolean limited,
             gboolean received)
{
  Packet packet = { now, 0, size, eliciting, limited, received, SQX_SENT_OUTSTANDING };

  g_array_append_val (o->packets, packet);
  if (!eliciting)
    return;
  o->pto_start = now;
  if (o->probes > 0)
    o->probes--;
  if (limited && oracle_in_flight (o) <= o->cc.window / 2)
    for (guint i = 0; i < o->packets->len; i++)
      PACKET (o, i)->limited = TRUE;
}

/* Whether two of the packets lost right now, nothing acknowledged in between, are far enough
 * apart. */
static gboolean
oracle_is_persistent (const Oracle *o,
                      GArray       *lost)
{
  guint64 duration = sqx_rtt_persistent_duration (&o->rtt, SQX_ACK_DELAY_DEFAULT);

  for (guint i = 0; i < lost->len; i++)
    for (guint j = i + 1; j < lost->len; j++)
      {
        guint from = g_array_index (lost, guint, i);
        guint to = g_array_index (lost, guint, j);
        gboolean broken = FALSE;

        for (guint k = from; k < to; k++)
          broken |= PACKET (o, k)->state == SQX_SENT_DONE;
        if (!broken && PACKET (o, from)->eliciting && PACKET (o, to)->eliciting &&
            o->rtt.sampled && PACKET (o, from)->time > o->first_sample &&
            PACKET (o, to)->time - PACKET (o, from)->time > duration)
          return TRUE;
      }
  return FALSE;
}

static GString *
oracle_detect (Oracle  *o,
               guint64  now)
{
  g_autoptr (GArray) lost = g_array_new (FALSE, FALSE, sizeof (guint));
  GString *told = g_string_new (NULL);
  guint64 newest = SQX_TIME_NEVER;

  o->loss_time = SQX_TIME_NEVER;
  for (guint i = 0; (gint64) i < o->largest_acked; i++)
    {
      Packet *packet = PACKET (o, i);
      guint64 due = packet->time + sqx_rtt_loss_delay (&o->rtt);

      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;
      if (o->largest_acked - (gint64) i >= 3 || due <= now)
        {
          packet->state = SQX_SENT_LOST;
          packet->lost_at = now;
          o->lost++;
          g_string_append_printf (told, "-%u ", i);
          g_array_append_val (lost, i);
          if (packet->eliciting)
            newest = packet->time;
        }
      else if (packet->eliciting)
        {
          o->loss_time = MIN (o->loss_time, due);
        }
    }
  if (newest != SQX_TIME_NEVER)
    sqx_newreno.lost (&o->cc, now, newest);
  if (oracle_is_persistent (o, lost))
    sqx_newreno.persistent (&o->cc);
  return told;
}

/* @kept: what the unit under test still remembers; which numbers it may forget is checked
 * elsewhere. */
static void
oracle_ack (Oracle     *o,
            guint64     now,
            guint64     delay,
            guint64     kept,
            const Span *spans,
            gsize       n)
{
  g_autoptr (GArray) acked = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GArray) flown = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autoptr (GString) acked_told = g_string_new (NULL);
  g_autoptr (GString) lost_told = NULL;
  Packet *largest = PACKET (o, spans[n - 1].high);
  gboolean largest_is_new = FALSE;

  for (gsize s = 0; s < n; s++)
    for (guint i = (guint) MAX (spans[s].low, kept); i <= spans[s].high; i++)
      if (PACKET (o, i)->state != SQX_SENT_DONE)
        {
          Packet *packet = PACKET (o, i);

          g_assert_cmpint (packet->state, !=, SQX_SENT_SKIPPED);
          g_array_append_val (acked, i);
          g_string_append_printf (acked_told, "+%u ", i);
          if (packet->state == SQX_SENT_LOST)
            o->spurious++;
          else if (packet->eliciting)
            g_array_append_val (flown, i);
          packet->state = SQX_SENT_DONE;
          largest_is_new |= packet == largest;
        }
  if (acked->len == 0)
    return;

  o->largest_acked = MAX (o->largest_acked, (gint64) spans[n - 1].high);
  if (largest_is_new && largest->eliciting)
    {
      if (!o->rtt.sampled)
        o->first_sample = now;
      sqx_rtt_add_sample (&o->rtt, now - largest->time, MIN (delay, SQX_ACK_DELAY_DEFAULT));
      sqx_cc_set_floor (&o->cc, MAX (o->rtt.min, 1));
    }
  lost_told = oracle_detect (o, now);
  for (guint i = 0; i < flown->len; i++)
    {
      Packet *packet = PACKET (o, g_array_index (flown, guint, i));

      sqx_newreno.acked (&o->cc, now, packet->time, packet->size, packet->limited);
    }
  g_string_append_printf (o->told, "%s%s", acked_told->str, lost_told->str);
  o->pto_count = o->probes = 0;
}

static void
oracle_timeout (Oracle  *o,
                guint64  now)
{
  if (o->loss_time <= now)
    {
      g_autoptr (GString) lost_told = oracle_detect (o, now);

      g_string_append (o->told, lost_told->str);
    }
  if (oracle_deadline (o) <= now)
    {
      guint i = 0;

      o->probes = o->pto_count++ == 0 ? 1 : 2;
      o->pto_start = now;
      while (PACKET (o, i)->state != SQX_SENT_OUTSTANDING || !PACKET (o, i)->eliciting)
        i++;
      g_string_append_printf (o->told, "-%u ", i);
    }
}

/* Packets at the front that nobody was asked to acknowledge are given up with time. */
static void
oracle_give_up (Oracle  *o,
                guint64  now)
{
  guint64 remembered = 3 * sqx_rtt_pto (&o->rtt, SQX_ACK_DELAY_DEFAULT, 0);

  for (guint i = 0; i < o->packets->len; i++)
    {
      Packet *packet = PACKET (o, i);

      if (packet->state != SQX_SENT_OUTSTANDING)
        continue;
      if (packet->eliciting || packet->time + remembered >= now)
        return;
      packet->state = SQX_SENT_DONE;
    }
}

static void
compare (Fixture *f,
         Oracle  *o,
         guint64  kept_before)
{
  const sqx_recovery *r = &f->recovery;
  guint64 remembered = 3 * sqx_recovery_pto (r);

  g_assert_cmpstr (f->told->str, ==, o->told->str);
  g_string_truncate (f->told, 0);
  g_string_truncate (o->told, 0);
  check_sums (r);
  g_assert_cmpuint (r->bytes_in_flight, ==, oracle_in_flight (o));
  g_assert_cmpuint (sqx_recovery_deadline (r), ==, oracle_deadline (o));
  g_assert_cmpuint (r->pto_count, ==, o->pto_count);
  g_assert_cmpuint (r->probes, ==, o->probes);
  g_assert_cmpuint (r->packets_lost, ==, o->lost);
  g_assert_cmpuint (r->spurious_losses, ==, o->spurious);
  g_assert_cmpuint (r->cc.window, ==, o->cc.window);
  g_assert_cmpuint (r->cc.acked, ==, o->cc.acked);
  g_assert_cmpuint (r->rtt.smoothed, ==, o->rtt.smoothed);
  g_assert_cmpuint (r->sent.next_number, ==, o->packets->len);
  o->least_remembered = MIN (o->least_remembered, remembered);
  for (guint64 i = r->sent.first_number; i < r->sent.next_number; i++)
    g_assert_cmpint (sqx_sent_get (&r->sent, i)->state, ==, PACKET (o, i)->state);

  /* What was forgotten was settled, and long enough ago. */
  for (guint64 i = kept_before; i < r->sent.first_number; i++)
    {
      const Packet *packet = PACKET (o, i);

      g_assert_cmpint (packet->state, !=, SQX_SENT_OUTSTANDING);
      if (packet->state == SQX_SENT_LOST)
        g_assert_cmpuint (packet->lost_at + remembered, <, f->now);
      if (packet->state == SQX_SENT_SKIPPED)
        g_assert_cmpuint (packet->time + o->least_remembered, <, f->now);
    }
}

/* An ACK of some of the highest ranges of what the peer has, as of up to @lag packets ago. */
static gsize
make_ack (const Oracle *o,
          guint         lag,
          Span         *spans,
          gsize         max)
{
  gsize n = 0;
  gint64 i = (gint64) o->packets->len - 1 - (gint64) lag;

  for (; i >= 0; i--)
    {
      const Packet *packet = PACKET (o, i);

      if (packet->state == SQX_SENT_SKIPPED || !packet->received)
        continue;
      if (n > 0 && spans[n - 1].low == (guint64) i + 1)
        spans[n - 1].low = (guint64) i;
      else if (n == max)
        break;
      else
        spans[n++] = (Span) { (guint64) i, (guint64) i };
    }
  for (gsize a = 0; a < n / 2; a++)
    {
      Span other = spans[a];

      spans[a] = spans[n - 1 - a];
      spans[n - 1 - a] = other;
    }
  return n;
}

/* Of what is acknowledged, the peer may forget the lowest; and what was late arrives. */
static void
random_ack (Fixture *f,
            Oracle  *o)
{
  Span spans[20];
  guint lag = MIN ((guint) g_test_rand_int_range (0, 12), o->packets->len);
  guint64 delay = (guint64) g_test_rand_int_range (0, 60 * MS);
  gsize n;

  for (guint i = 0; i < 3 && o->packets->len > 0; i++)
    {
      guint back = (guint) g_test_rand_int_range (0, 30);

      if (back < o->packets->len)
        PACKET (o, o->packets->len - 1 - back)->received = TRUE;
    }
  n = make_ack (o, lag, spans, (gsize) g_test_rand_int_range (1, G_N_ELEMENTS (spans)));
  if (n == 0)
    return;
  oracle_ack (o, f->now, delay, f->recovery.sent.first_number, spans, n);
  g_assert_cmpint (ack_spans (f, delay, spans, n), ==, SQX_OK);
}

static void
random_step (Fixture *f,
             Oracle  *o,
             guint    loss)
{
  guint64 kept = f->recovery.sent.first_number;
  gint action = g_test_rand_int_range (0, 100);

  if (action < 55)
    {
      gboolean eliciting = g_test_rand_int_range (0, 4) > 0;
      gboolean limited = g_test_rand_int_range (0, 8) == 0;
      guint16 size = (guint16) g_test_rand_int_range (30, DATAGRAM + 1);

      if (eliciting && sqx_recovery_room (&f->recovery) < size)
        return;
      oracle_sent (o, f->now, size, eliciting, limited,
                   (guint) g_test_rand_int_range (0, 100) >= loss);
      send_packet (f, size, eliciting, limited);
    }
  else if (action < 75)
    {
      random_ack (f, o);
    }
  else if (action < 77)
    {
      Packet packet = { .time = f->now, .state = SQX_SENT_SKIPPED };

      skip (f);
      g_array_append_val (o->packets, packet);
    }
  else if (action < 80)
    {
      guint64 next = f->recovery.sent.next_number;

      assert_refused (f, (Span []) { { next, next + 5 } }, 1);
      for (guint64 i = kept; i < next; i++)
        if (PACKET (o, i)->state == SQX_SENT_SKIPPED)
          assert_refused (f, (Span []) { { i / 2, i } }, 1);
    }
  else
    {
      f->now += (guint64) g_test_rand_int_range (0, action < 99 ? 30 * MS : 900 * MS);
      if (sqx_recovery_deadline (&f->recovery) <= f->now || action == 80)
        {
          oracle_timeout (o, f->now);
          sqx_recovery_on_timeout (&f->recovery, f->now);
          g_assert_true (f->recovery.probes > 0 ||
                         sqx_recovery_deadline (&f->recovery) > f->now);
          oracle_give_up (o, f->now);
        }
    }

  if (action < 75)
    {
      /* The unit gives up when it sends and when an ACK says something new, and only then. */
      if (action < 55 || f->told->len > 0)
        oracle_give_up (o, f->now);
    }
  compare (f, o, kept);
}

static void
test_random (void)
{
  for (guint run = 0; run < 60; run++)
    {
      guint loss = run % 6 * 15;
      Fixture f;
      Oracle o = {
        .packets = g_array_new (FALSE, FALSE, sizeof (Packet)),
        .largest_acked = -1,
        .loss_time = SQX_TIME_NEVER,
        .least_remembered = G_MAXUINT64,
        .told = g_string_new (NULL),
      };

      set_up (&f);
      sqx_newreno.init (&o.cc, DATAGRAM);
      sqx_rtt_init (&o.rtt);
      for (guint i = 0; i < 1500; i++)
        random_step (&f, &o, loss);
      g_array_free (o.packets, TRUE);
      g_string_free (o.told, TRUE);
      tear_down (&f);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/recovery/idle", test_idle);
  g_test_add_func ("/seqex/recovery/room", test_room);
  g_test_add_func ("/seqex/recovery/limited", test_limited);
  g_test_add_func ("/seqex/recovery/rtt", test_rtt);
  g_test_add_func ("/seqex/recovery/packet-threshold", test_packet_threshold);
  g_test_add_func ("/seqex/recovery/time-threshold", test_time_threshold);
  g_test_add_func ("/seqex/recovery/pto", test_pto);
  g_test_add_func ("/seqex/recovery/pto-after-ack", test_pto_after_ack);
  g_test_add_func ("/seqex/recovery/late-timer", test_late_timer);
  g_test_add_func ("/seqex/recovery/spurious", test_spurious);
  g_test_add_func ("/seqex/recovery/lost-are-forgotten", test_lost_are_forgotten);
  g_test_add_func ("/seqex/recovery/never-sent", test_never_sent);
  g_test_add_func ("/seqex/recovery/skipped", test_skipped);
  g_test_add_func ("/seqex/recovery/skipped-are-forgotten", test_skipped_are_forgotten);
  g_test_add_func ("/seqex/recovery/plain-bound", test_plain_bound);
  g_test_add_func ("/seqex/recovery/persistent", test_persistent);
  g_test_add_func ("/seqex/recovery/persistent-kinds", test_persistent_kinds);
  g_test_add_func ("/seqex/recovery/persistent-start", test_persistent_start);
  g_test_add_func ("/seqex/recovery/cost", test_cost);
  g_test_add_func ("/seqex/recovery/random", test_random);
  return g_test_run ();
}
