/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A recovery under test, packets for it, and acknowledgements as they come off the wire.
 */
#pragma once

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

static inline void
on_acked (void             *user_data,
          uint64_t          now,
          const sqx_record *record)
{
  Fixture *f = user_data;

  g_assert_cmpuint (now, ==, f->now);
  g_string_append_printf (f->told, "+%" G_GUINT64_FORMAT " ", record->number);
}

static inline void
on_lost (void             *user_data,
         uint64_t          now,
         const sqx_record *record)
{
  Fixture *f = user_data;

  g_assert_cmpuint (now, ==, f->now);
  g_string_append_printf (f->told, "-%" G_GUINT64_FORMAT " ", record->number);
}

static const sqx_recovery_listener listener = { on_acked, on_lost };

static inline void
set_up_from (Fixture *f,
             guint64  first_number)
{
  *f = (Fixture) { .now = 1000 * MS, .told = g_string_new (NULL) };
  sqx_recovery_init (&f->recovery, &listener, f, &sqx_newreno, first_number, DATAGRAM, 0);
}

static inline void
set_up (Fixture *f)
{
  set_up_from (f, 0);
}

static inline void
tear_down (Fixture *f)
{
  sqx_recovery_clear (&f->recovery);
  g_string_free (f->told, TRUE);
}

static inline void
assert_told (Fixture    *f,
             const char *expected)
{
  g_assert_cmpstr (g_strchomp (f->told->str), ==, expected);
  g_string_truncate (f->told, 0);
}

/* bytes_in_flight and its kin are what the packets say. */
static inline void
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

/* Nothing is waited for but the time to give memory back. */
static inline void
assert_rests (const Fixture *f)
{
  const sqx_recovery *recovery = &f->recovery;
  guint64 deadline = sqx_recovery_deadline (recovery);

  g_assert_cmpuint (recovery->eliciting_in_flight, ==, 0);
  g_assert_true (deadline == SQX_TIME_NEVER || recovery->sent.packets != NULL);
  g_assert_true (sqx_sent_is_large (&recovery->sent) ||
                 deadline >= recovery->last_eliciting + SQX_REST_DELAY);
}

static inline guint64
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

static inline void
send_many (Fixture *f,
           guint    count)
{
  for (guint i = 0; i < count; i++)
    send_packet (f, DATAGRAM, TRUE, FALSE);
}

static inline void
skip (Fixture *f)
{
  g_assert_true (sqx_recovery_reserve (&f->recovery, 0));
  sqx_recovery_skip (&f->recovery);
}

typedef struct
{
  guint64 low, high; /* inclusive */
} Span;

static inline guint8 *
put_varint (guint8  *at,
            guint64  value)
{
  for (int shift = 56; shift >= 0; shift -= 8)
    *at++ = (guint8) ((value | G_GUINT64_CONSTANT (3) << 62) >> shift);
  return at;
}

/* @spans: ascending, disjoint, not adjacent. */
static inline sqx_result
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

static inline sqx_result
ack_delayed (Fixture *f,
             guint64  low,
             guint64  high,
             guint64  delay)
{
  return ack_spans (f, delay, &(Span) { low, high }, 1);
}

static inline void
ack (Fixture *f,
     guint64  low,
     guint64  high)
{
  g_assert_cmpint (ack_delayed (f, low, high, 0), ==, SQX_OK);
  check_sums (&f->recovery);
}

/* Ends with a sample of @rtt, nothing in flight, and nothing told. */
static inline void
sample (Fixture *f,
        guint64  rtt)
{
  guint64 number = send_packet (f, DATAGRAM, TRUE, FALSE);

  f->now += rtt;
  ack (f, number, number);
  g_string_truncate (f->told, 0);
}

static inline void
expire (Fixture *f)
{
  guint64 deadline = sqx_recovery_deadline (&f->recovery);

  g_assert_cmpuint (deadline, !=, SQX_TIME_NEVER);
  f->now = MAX (f->now, deadline);
  sqx_recovery_on_timeout (&f->recovery, f->now);
  check_sums (&f->recovery);
  g_assert_true (f->recovery.probes > 0 || sqx_recovery_deadline (&f->recovery) > f->now);
}

static inline void
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
