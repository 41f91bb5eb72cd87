/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rules 12 and 13 of the exchange rules: when what is held is freed, and how much a peer may make
 * this side hold.
 */
#include "pair.h"

#include <string.h>

static Pair *
fake_pair (uint64_t exchange_credit)
{
  sqx_config config;
  Pair *pair;

  pair_config (&config, PAIR_A);
  config.exchange_credit = exchange_credit;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  return pair;
}

/* Rule 12: freeing -------------------------------------------------------------------- */

static void
test_payload_when_acknowledged (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  guint tag;

  pair->fake.auto_ack = FALSE;
  tag = pair_send_size (pair, PAIR_A, 0, 3000, 0);
  pair_flush (pair);
  g_assert_cmpuint (pair->fake.seen->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      const FakePacket *packet = g_ptr_array_index (pair->fake.seen, i);

      g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 1);
      fake_begin (pair);
      fake_ack_range (pair, packet->header.number, packet->header.number);
      fake_send (pair);
    }
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 0);
  pair_assert_pending (pair, PAIR_A, tag);
  g_assert_true (sqx_conn_is_busy (pair->side[PAIR_A].conn));
}

/* The bytes may have been acknowledged in any packets; each must have been at least once. */
static void
test_payload_over_resends (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  const FakePacket *first;
  uint64_t last;
  guint tag;

  pair->fake.auto_ack = FALSE;
  tag = pair_send_size (pair, PAIR_A, 0, 3000, 0);
  pair_flush (pair);
  first = g_ptr_array_index (pair->fake.seen, 0);
  /* The first is resent; then the last two are acknowledged, and the first in its old packet. */
  pair_drive_until (pair, 10 * SQX_SECOND, pair->fake.seen->len > 3);
  last = ((FakePacket *) g_ptr_array_index (pair->fake.seen, 2))->header.number;
  fake_begin (pair);
  fake_ack_range (pair, last - 1, last);
  fake_send (pair);
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 1);
  fake_begin (pair);
  fake_ack_range (pair, first->header.number, first->header.number);
  fake_send (pair);
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 0);
}

static void
test_payload_when_answered (gconstpointer data)
{
  gboolean by_reply = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = fake_pair (1024);
  guint tag;

  pair->fake.auto_ack = FALSE;
  tag = pair_send_size (pair, PAIR_A, 0, 3000, 0);
  pair_flush (pair);
  fake_begin (pair);
  if (by_reply)
    fake_message (pair, 0, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, "answer");
  else
    fake_end (pair, 0, SQX_END_ENDED, 0, 1);
  fake_send (pair);
  g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->refs, ==, 0);
  g_assert_true (pair_is_done (pair, PAIR_A, tag));
  /* Nor is it resent, although nothing of it was ever acknowledged. */
  fake_forget (pair);
  pair_drive_for (pair, 20 * SQX_SECOND);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 0);
}

static void
test_end_until_acknowledged (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  guint ends;

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair->fake.auto_ack = FALSE;
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_drive_for (pair, 10 * SQX_SECOND);
  ends = fake_count (pair, SQX_FRAME_END);
  g_assert_cmpuint (ends, >=, 3);
  g_assert_cmpuint (ends, <=, 40);
  g_assert_true (sqx_conn_is_busy (pair->side[PAIR_A].conn));

  fake_forget (pair);
  pair->fake.auto_ack = TRUE;
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  pair_drive_for (pair, 100 * SQX_SECOND);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_END), ==, 0);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
  g_assert_false (pair->side[PAIR_A].closed);
}

static void
test_record_until_reply_answered (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  guint answer;

  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  answer = pair_reply (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), "answer", 0);
  pair_drive (pair);
  g_assert_true (sqx_conn_is_busy (pair->side[PAIR_A].conn));
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_end (pair, 0, SQX_END_ENDED, 0, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, answer, SQX_END_ENDED);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 1);
}

static void
test_duplicate_ends (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);

  for (guint i = 0; i < 3; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  for (guint i = 0; i < 5; i++)
    {
      fake_begin (pair);
      fake_end (pair, 0, SQX_END_FAILED + i % 2, 0, 3);
      fake_send (pair);
    }
  for (guint tag = 1; tag <= 3; tag++)
    pair_assert_ended (pair, PAIR_A, tag, SQX_END_FAILED);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_end, >=, 4);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
  g_assert_false (pair->side[PAIR_A].closed);
}

/* A packet with a frame that cannot be taken now is not acknowledged; a resend later is. */
static void
test_refused_is_not_acknowledged (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  uint64_t refused;

  fake_begin (pair);
  g_assert_true (sqx_write_ping (&pair->fake.writer));
  fake_fragment (pair, 0, 0, SQX_WIRE_FINAL, 0, 1000000, 900000, 1000);
  refused = fake_send (pair);
  pair_drive (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->early_fragment, ==, 1);
  g_assert_false (fake_acknowledged (pair, refused));
  for (uint64_t offset = 0; offset < 1000000; offset += 1000)
    {
      uint64_t number;

      fake_begin (pair);
      fake_fragment (pair, 0, 0, SQX_WIRE_FINAL, 0, 1000000, offset, 1000);
      number = fake_send (pair);
      if (offset == 900000)
        {
          pair_drive (pair);
          g_assert_true (fake_acknowledged (pair, number));
        }
    }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 1);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->early_fragment, ==, 1);
}

/* One byte in two: as many ranges as bytes. The ranges are bounded, the message completes. */
static void
test_ranges_are_bounded (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  const uint64_t total = 40000;

  for (uint64_t offset = 0; offset < total;)
    {
      fake_begin (pair);
      for (guint i = 0; i < 80 && offset < total; i++, offset += 2)
        fake_fragment (pair, 0, 0, SQX_WIRE_FINAL, 0, total, offset, 1);
      fake_send (pair);
    }
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->fragment_ranges, >, 0);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 0);
  for (uint64_t offset = 0; offset < total; offset += 1000)
    {
      fake_begin (pair);
      fake_fragment (pair, 0, 0, SQX_WIRE_FINAL, 0, total, offset, 1000);
      fake_send (pair);
    }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 1);
  pair_drive (pair);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_ENDED);
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), ==, 0);
}

/* What is claimed costs nothing; what came is all that is held. */
static void
test_claims_cost_nothing (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);

  for (guint i = 0; i < 3; i++)
    {
      fake_begin (pair);
      fake_fragment (pair, 0, i, 0, 0, 1000000, 0, 1);
      fake_send (pair);
    }
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), <=,
                    3 * (SQX_FRAGMENT_SLACK + 2));
  /* Sparse: far ahead, but within the slack. */
  fake_begin (pair);
  for (guint i = 0; i < 3; i++)
    fake_fragment (pair, 0, i, 0, 0, 1000000, SQX_FRAGMENT_SLACK - 10, 1);
  fake_send (pair);
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_A].conn), <=,
                    3 * (SQX_FRAGMENT_SLACK + 4));
  g_assert_cmpuint (pair_statistics (pair, PAIR_A).byte_window, >=, 3000192);
}

static void
test_idle_holds_nothing (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);

  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 2000; i++)
    {
      pair_send_size (pair, PAIR_A, i % 5, i % 300, i % 4);
      if (i % 50 == 0)
        pair_drive (pair);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

/* Rule 13: bounds --------------------------------------------------------------------- */

/* Numbers that were not seen, below the highest that was. */
static void
test_missing (gconstpointer data)
{
  guint number = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = fake_pair (100);

  fake_begin (pair);
  fake_message (pair, 0, number, 0, 0, "x");
  if (number > 100)
    fake_send_violation (pair);
  else
    {
      fake_send (pair);
      pair_assert_taken (pair, PAIR_A, "x");
    }
}

static void
test_missing_over_channels (void)
{
  g_autoptr (Pair) pair = fake_pair (100);

  for (uint32_t channel = 0; channel < 4; channel++)
    {
      fake_begin (pair);
      fake_message (pair, channel, 24, 0, 0, "x");
      fake_send (pair);
    }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 4);
  fake_begin (pair);
  fake_message (pair, 4, 5, 0, 0, "x");
  fake_send_violation (pair);
}

/* What comes late makes room again. */
static void
test_missing_filled (void)
{
  g_autoptr (Pair) pair = fake_pair (100);

  fake_begin (pair);
  fake_message (pair, 0, 90, SQX_WIRE_FINAL, 0, "x");
  fake_send (pair);
  for (guint i = 0; i < 90; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, SQX_WIRE_FINAL, 0, "x");
      fake_send (pair);
    }
  pair_drive (pair);
  g_assert_cmpuint (pair->fake.credit_exchanges, >=, 150);
  fake_begin (pair);
  fake_message (pair, 0, 91 + 90, SQX_WIRE_FINAL, 0, "x");
  fake_send (pair);
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 92);
}

/* Each open message of this side may have an answer on its way, which has a number too. */
static void
test_missing_and_own_open (void)
{
  g_autoptr (Pair) pair = fake_pair (100);

  for (guint i = 0; i < 10; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 109, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 9, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, 10, "answer");
  fake_begin (pair);
  fake_message (pair, 1, 2, 0, 0, "x");
  fake_send_violation (pair);
}

static void
test_missing_by_cancel (void)
{
  g_autoptr (Pair) pair = fake_pair (100);

  fake_begin (pair);
  fake_cancel (pair, 0, 101, 5);
  fake_send_violation (pair);
}

static void
test_highest_number (gconstpointer data)
{
  guint by_cancel = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = fake_pair (100);

  fake_begin (pair);
  if (by_cancel)
    fake_cancel (pair, 0, SQX_VARINT_MAX, 5);
  else
    fake_message (pair, 0, SQX_VARINT_MAX, 0, 0, "x");
  fake_send_violation (pair);
}

/* Deduplication is exact for every number and every pattern of arrival within the bound. */
static void
test_deduplication (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  guint stride = 7, n = 500;

  for (guint round = 0; round < 3; round++)
    for (guint i = 0; i < n; i++)
      {
        guint number = i * stride % n;
        char text[8];

        g_snprintf (text, sizeof text, "%u", number);
        fake_begin (pair);
        fake_message (pair, 0, number, SQX_WIRE_FINAL, 0, text);
        fake_send (pair);
      }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (pair_taken (pair, PAIR_A, i)->id.number, ==, i * stride % n);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->duplicate_message, ==, 2 * n);
}

static void
test_channel_ids (gconstpointer data)
{
  guint field = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  const uint8_t type = SQX_FRAME_MESSAGE | SQX_WIRE_LENGTH;
  guint tag;

  pair_config (&config, PAIR_A);
  config.max_channels = 20;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 20, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_open_channel (pair->side[PAIR_A].conn, 20), ==, SQX_ERR_INVALID);
  fake_begin (pair);
  fake_raw (pair, &type, 1);
  fake_varint (pair, field);
  fake_varint (pair, 0);
  fake_varint (pair, 1);
  fake_raw (pair, "x", 1);
  if (field == 38)
    {
      fake_send (pair);
      pair_assert_taken (pair, PAIR_A, "x");
    }
  else
    fake_send_violation (pair);
}

static void
test_unopened_channel (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);
  sqx_conn *conn = pair->side[PAIR_A].conn;

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_begin (pair);
  fake_message (pair, 9, 0, 0, 0, "nine");
  fake_message (pair, 0, 0, 0, 0, "zero");
  fake_message (pair, 9, 1, 0, 0, "nine again");
  fake_send (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_MESSAGE), >=, 1);
  g_assert_cmpuint (pair_event (pair, PAIR_A, SQX_EVENT_MESSAGE, 0)->event.channel, ==, 0);
  g_assert_false (sqx_conn_has_message (conn, 9));
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_A, 0)), ==, "nine");
  g_assert_cmpuint (pair_taken (pair, PAIR_A, 0)->id.channel, ==, 9);

  /* Opened, it has its own, and what waited moves. */
  g_assert_cmpint (sqx_conn_open_channel (conn, 9), ==, SQX_OK);
  pair_flush (pair);
  g_assert_true (sqx_conn_has_message (conn, 9));
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_A, 9)), ==, "nine again");
  g_assert_null (pair_take (pair, PAIR_A, 9));
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_A, 0)), ==, "zero");
  g_assert_null (pair_take (pair, PAIR_A, 0));
  fake_begin (pair);
  fake_message (pair, 9, 2, 0, 0, "later");
  fake_send (pair);
  g_assert_null (pair_take (pair, PAIR_A, 0));
  g_assert_cmpstr (pair_text (pair_take (pair, PAIR_A, 9)), ==, "later");
}

static void
test_end_past_the_last (gconstpointer data)
{
  guint which = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = fake_pair (1024);
  static const struct { uint32_t channel; uint64_t first, run; } cases[] = {
    { 0, 0, 4 }, { 0, 3, 1 }, { 1, 0, 1 }, { 0, 0, SQX_VARINT_MAX }, { 255, 0, 1 },
    { 70000, 0, 1 }, { 0, SQX_VARINT_MAX, 1 },
  };

  for (guint i = 0; i < 3; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_end (pair, cases[which].channel, SQX_END_ENDED, cases[which].first, cases[which].run);
  fake_send_violation (pair);
}

/* 20 000 runs of 20 000 ends cost what is open in them, which is one message. */
static void
test_run_costs_what_is_open (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const guint n = 20000;
  guint open;

  pair->fake.hello.exchange_credit = 2 * n;
  fake_connect (pair);
  open = pair_send (pair, PAIR_A, "open", 0);
  for (guint i = 1; i < n; i++)
    {
      pair_send (pair, PAIR_A, "", 0);
      if (i % 100 == 99)
        {
          pair_flush (pair);
          fake_forget (pair);
          fake_begin (pair);
          fake_end (pair, 0, SQX_END_ENDED, 1, i);
          fake_send (pair);
        }
    }
  for (guint i = 0; i < n / 20; i++)
    {
      fake_begin (pair);
      for (guint j = 0; j < 20; j++)
        fake_end (pair, 0, SQX_END_ENDED, 1, n - 1);
      fake_send (pair);
    }
  pair_assert_pending (pair, PAIR_A, open);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_end, >=, n);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, n);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, open, SQX_END_ENDED);
}

/* Ends of many messages share a frame. */
static void
test_ends_in_runs (void)
{
  g_autoptr (Pair) pair = fake_pair (1024);

  for (guint i = 0; i < 500; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, 0, 0, "");
      fake_send (pair);
    }
  fake_forget (pair);
  for (guint i = 0; i < 500; i++)
    if (i != 250)
      pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, i), SQX_END_ENDED);
  pair_drive (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_END), ==, 1);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_END)->end.runs.count, ==, 2);
  g_assert_cmpint (fake_end_reason (pair, 0, 249), ==, SQX_END_ENDED);
  g_assert_cmpint (fake_end_reason (pair, 0, 250), ==, -1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R12 "/seqex/rules/r12-freeing/"
  g_test_add_func (R12 "payload-when-acknowledged", test_payload_when_acknowledged);
  g_test_add_func (R12 "payload-over-resends", test_payload_over_resends);
  g_test_add_data_func (R12 "payload-when-ended", GINT_TO_POINTER (FALSE),
                        test_payload_when_answered);
  g_test_add_data_func (R12 "payload-when-replied", GINT_TO_POINTER (TRUE),
                        test_payload_when_answered);
  g_test_add_func (R12 "end-until-acknowledged", test_end_until_acknowledged);
  g_test_add_func (R12 "record-until-the-reply-is-answered", test_record_until_reply_answered);
  g_test_add_func (R12 "duplicate-ends", test_duplicate_ends);
  g_test_add_func (R12 "refused-is-not-acknowledged", test_refused_is_not_acknowledged);
  g_test_add_func (R12 "ranges-are-bounded", test_ranges_are_bounded);
  g_test_add_func (R12 "claims-cost-nothing", test_claims_cost_nothing);
  g_test_add_func (R12 "idle-holds-nothing", test_idle_holds_nothing);

#define R13 "/seqex/rules/r13-bounds/"
  g_test_add_data_func (R13 "missing-at-the-bound", GUINT_TO_POINTER (99), test_missing);
  g_test_add_data_func (R13 "missing-over-the-bound", GUINT_TO_POINTER (101), test_missing);
  g_test_add_func (R13 "missing-over-channels", test_missing_over_channels);
  g_test_add_func (R13 "missing-filled", test_missing_filled);
  g_test_add_func (R13 "missing-and-own-open", test_missing_and_own_open);
  g_test_add_func (R13 "missing-by-cancel", test_missing_by_cancel);
  g_test_add_data_func (R13 "highest-number", GUINT_TO_POINTER (0), test_highest_number);
  g_test_add_data_func (R13 "highest-number-cancelled", GUINT_TO_POINTER (1),
                        test_highest_number);
  g_test_add_func (R13 "deduplication", test_deduplication);
  g_test_add_data_func (R13 "channel-last", GUINT_TO_POINTER (38), test_channel_ids);
  g_test_add_data_func (R13 "channel-past-the-last", GUINT_TO_POINTER (40), test_channel_ids);
  g_test_add_data_func (R13 "channel-of-a-stream", GUINT_TO_POINTER (1), test_channel_ids);
  g_test_add_func (R13 "channel-not-opened", test_unopened_channel);
  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *path = g_strdup_printf (R13 "end-past-the-last/%u", i);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_end_past_the_last);
    }
  g_test_add_func (R13 "run-costs-what-is-open", test_run_costs_what_is_open);
  g_test_add_func (R13 "ends-in-runs", test_ends_in_runs);

  return g_test_run ();
}
