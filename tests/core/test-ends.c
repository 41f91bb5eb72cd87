/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

/* Ends of two channels, without messages that they would answer. */
typedef struct
{
  sqx_ends     ends;
  sqx_channel *one, *two;
} Ends;

static void
ends_set_up (Ends *e)
{
  sqx_ends_init (&e->ends);
  e->one = sqx_channel_new (1);
  e->two = sqx_channel_new (300);
}

static void
ends_tear_down (Ends *e)
{
  sqx_channel_free (e->one);
  sqx_channel_free (e->two);
  g_assert_true (sqx_list_empty (&e->ends.channels));
}

static void
add (Ends          *e,
     sqx_channel   *channel,
     sqx_end_reason reason,
     uint64_t       number)
{
  g_assert_true (sqx_ends_add (&e->ends, channel, reason, number, 0));
}

static guint
pack_ends (Ends   *e,
           Packed *packed,
           size_t  capacity)
{
  packed_init (packed, capacity);
  sqx_ends_pack (&e->ends, &packed->packet);
  packed_decode (packed);
  return packed->frames->len;
}

static void
assert_frame (Packed  *packed,
              guint    nth,
              guint    channel,
              guint    reason,
              uint64_t runs)
{
  const sqx_frame *frame = FRAME (packed, nth);

  g_assert_cmpuint (frame->type, ==, SQX_FRAME_END);
  g_assert_cmpuint (frame->end.channel, ==, channel * 2);
  g_assert_cmpuint (frame->end.reason, ==, reason);
  g_assert_cmpuint (frame->end.runs.count, ==, runs);
}

static void
assert_record (Packed  *packed,
               guint    nth,
               guint    channel,
               guint    reason,
               uint64_t first,
               uint64_t run)
{
  const sqx_record *record = &packed->packet.records[nth];

  g_assert_cmpuint (record->kind, ==, SQX_RECORD_END);
  g_assert_cmpuint (record->channel, ==, channel * 2);
  g_assert_cmpuint (record->reason, ==, reason);
  g_assert_cmpuint (record->number, ==, first);
  g_assert_cmpuint (record->length, ==, run);
}

static void
test_empty (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  g_assert_false (sqx_ends_due (&e.ends, SQX_TIME_NEVER - 1));
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 0);
  g_assert_false (packed.packet.eliciting);
  packed_clear (&packed);
  ends_tear_down (&e);
}

static void
test_due (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  sqx_ends_add (&e.ends, e.one, SQX_END_ENDED, 0, 5000);
  sqx_ends_add (&e.ends, e.one, SQX_END_ENDED, 1, 4000);
  sqx_ends_add (&e.ends, e.two, SQX_END_ENDED, 2, 6000);
  g_assert_cmpuint (e.ends.deadline, ==, 4000);
  g_assert_false (sqx_ends_due (&e.ends, 3999));
  g_assert_true (sqx_ends_due (&e.ends, 4000));
  sqx_ends_add (&e.ends, e.two, SQX_END_ENDED, 3, 0);
  g_assert_true (sqx_ends_due (&e.ends, 0));

  pack_ends (&e, &packed, PACKET);
  packed_clear (&packed);
  g_assert_cmpuint (e.ends.deadline, ==, SQX_TIME_NEVER);
  g_assert_false (sqx_ends_due (&e.ends, SQX_TIME_NEVER - 1));
  ends_tear_down (&e);
}

/* Neighbours become a run, whatever their order; each channel and reason has a frame. */
static void
test_gathered (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  add (&e, e.one, SQX_END_CANCELLED, 7);
  add (&e, e.two, SQX_END_ENDED, 0);
  add (&e, e.one, SQX_END_ENDED, 4);
  add (&e, e.one, SQX_END_ENDED, 2);
  add (&e, e.one, SQX_END_ENDED, 3);
  add (&e, e.one, SQX_END_ENDED, 9);
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 3);
  assert_frame (&packed, 0, 1, SQX_END_ENDED, 2);
  assert_frame (&packed, 1, 1, SQX_END_CANCELLED, 1);
  assert_frame (&packed, 2, 300, SQX_END_ENDED, 1);
  g_assert_cmpuint (packed.packet.count, ==, 4);
  assert_record (&packed, 0, 1, SQX_END_ENDED, 2, 3);
  assert_record (&packed, 1, 1, SQX_END_ENDED, 9, 1);
  assert_record (&packed, 2, 1, SQX_END_CANCELLED, 7, 1);
  assert_record (&packed, 3, 300, SQX_END_ENDED, 0, 1);
  g_assert_true (packed.packet.eliciting);
  packed_clear (&packed);

  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 0);
  packed_clear (&packed);
  ends_tear_down (&e);
}

static void
test_every_reason (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  for (guint reason = 0; reason < SQX_N_END_REASONS; reason++)
    add (&e, e.one, (sqx_end_reason) reason, reason * 10);
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, SQX_N_END_REASONS);
  for (guint reason = 0; reason < SQX_N_END_REASONS; reason++)
    {
      assert_frame (&packed, reason, 1, reason, 1);
      assert_record (&packed, reason, 1, reason, reason * 10, 1);
    }
  packed_clear (&packed);
  ends_tear_down (&e);
}

/* What does not fit stays due, and comes with the next packets: nothing twice, nothing never. */
static void
test_full_packets (void)
{
  Ends e;
  Packed packed;
  sqx_ranges told;
  guint packets = 0;

  ends_set_up (&e);
  sqx_ranges_init (&told);
  for (guint i = 0; i < 100; i++)
    add (&e, i % 2 ? e.one : e.two, i % 3 ? SQX_END_ENDED : SQX_END_FAILED, i * 1000);
  while (!sqx_list_empty (&e.ends.channels))
    {
      g_assert_true (sqx_ends_due (&e.ends, 0));
      g_assert_cmpuint (pack_ends (&e, &packed, 60), >, 0);
      for (gsize i = 0; i < packed.packet.count; i++)
        {
          uint64_t number = packed.packet.records[i].number;

          g_assert_cmpuint (packed.packet.records[i].channel, ==, number / 1000 % 2 ? 2 : 600);
          g_assert_false (sqx_ranges_contains (&told, number));
          g_assert_true (sqx_ranges_add (&told, number, number + 1));
        }
      packets++;
      packed_clear (&packed);
    }
  g_assert_cmpuint (told.count, ==, 100);
  g_assert_cmpuint (packets, >, 8);
  g_assert_false (sqx_ends_due (&e.ends, SQX_TIME_NEVER - 1));
  sqx_ranges_clear (&told);
  ends_tear_down (&e);
}

/* Not one run without its record, and no frame without runs. */
static void
test_full_records (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  add (&e, e.one, SQX_END_ENDED, 0);
  add (&e, e.one, SQX_END_ENDED, 2);
  packed_init (&packed, PACKET);
  packed.packet.count = SQX_PACKET_RECORDS - 1;
  sqx_ends_pack (&e.ends, &packed.packet);
  packed_decode (&packed);
  assert_frame (&packed, 0, 1, SQX_END_ENDED, 1);
  g_assert_true (sqx_ends_due (&e.ends, 0));

  packed.packet.writer.size = 0;
  sqx_ends_pack (&e.ends, &packed.packet);
  g_assert_cmpuint (packed.packet.writer.size, ==, 0);
  g_assert_true (sqx_ends_due (&e.ends, 0));
  packed_clear (&packed);
  ends_tear_down (&e);
}

static void
test_no_room (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  add (&e, e.two, SQX_END_ENDED, 1);
  /* Type, channel, reason, count; first, run. */
  for (gsize room = 0; room < 8; room++)
    {
      g_assert_cmpuint (pack_ends (&e, &packed, room), ==, 0);
      g_assert_cmpuint (packed.packet.writer.size, ==, 0);
      g_assert_true (sqx_ends_due (&e.ends, 0));
      packed_clear (&packed);
    }
  g_assert_cmpuint (pack_ends (&e, &packed, 8), ==, 1);
  packed_clear (&packed);
  ends_tear_down (&e);
}

/* A record's length has 32 bits. */
static void
test_long_run (void)
{
  const uint64_t end = 2 * (uint64_t) UINT32_MAX + 10;
  Ends e;
  Packed packed;

  ends_set_up (&e);
  add (&e, e.one, SQX_END_ENDED, 5);
  g_assert_true (sqx_ranges_add (&e.one->ends[SQX_END_ENDED], 5, end));
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 1);
  assert_frame (&packed, 0, 1, SQX_END_ENDED, 3);
  assert_record (&packed, 0, 1, SQX_END_ENDED, 5, UINT32_MAX);
  assert_record (&packed, 1, 1, SQX_END_ENDED, 5 + (uint64_t) UINT32_MAX, UINT32_MAX);
  assert_record (&packed, 2, 1, SQX_END_ENDED, end - 5, 5);
  packed_clear (&packed);
  ends_tear_down (&e);
}

static void
test_remove (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  for (guint number = 0; number < 6; number++)
    add (&e, e.one, SQX_END_ENDED, number);
  add (&e, e.two, SQX_END_FAILED, 3);
  /* Another reason, another channel, and what is not there: no change. */
  sqx_ends_remove (&e.ends, e.one, SQX_END_FAILED, 0, 6);
  sqx_ends_remove (&e.ends, e.two, SQX_END_FAILED, 4, 10);
  sqx_ends_remove (&e.ends, e.one, SQX_END_ENDED, 2, 2);
  sqx_ends_remove (&e.ends, e.two, SQX_END_FAILED, 3, 1);
  g_assert_false (sqx_node_linked (&e.two->ends_node));
  g_assert_true (sqx_ends_due (&e.ends, 0));
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 1);
  assert_frame (&packed, 0, 1, SQX_END_ENDED, 2);
  assert_record (&packed, 0, 1, SQX_END_ENDED, 0, 2);
  assert_record (&packed, 1, 1, SQX_END_ENDED, 4, 2);
  packed_clear (&packed);

  /* The last one takes the reason to send with it. */
  sqx_ends_add (&e.ends, e.two, SQX_END_FAILED, 3, 77);
  sqx_ends_remove (&e.ends, e.two, SQX_END_FAILED, 0, 4);
  g_assert_cmpuint (e.ends.deadline, ==, SQX_TIME_NEVER);
  g_assert_false (sqx_ends_due (&e.ends, SQX_TIME_NEVER - 1));
  ends_tear_down (&e);
}

static void
test_no_memory (void)
{
  Ends e;
  Packed packed;

  ends_set_up (&e);
  add (&e, e.one, SQX_END_ENDED, 0);
  fail_count = 1;
  g_assert_false (sqx_ends_add (&e.ends, e.one, SQX_END_ENDED, 2, 0));
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_cmpuint (e.one->ends[SQX_END_ENDED].count, ==, 1);
  g_assert_false (sqx_node_linked (&e.two->ends_node));

  /* What cannot be taken out in the middle is sent once more. */
  add (&e, e.two, SQX_END_ENDED, 1);
  add (&e, e.two, SQX_END_ENDED, 2);
  add (&e, e.two, SQX_END_ENDED, 3);
  fail_count = 1;
  sqx_ends_remove (&e.ends, e.two, SQX_END_ENDED, 2, 1);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_cmpuint (pack_ends (&e, &packed, PACKET), ==, 2);
  assert_record (&packed, 1, 300, SQX_END_ENDED, 1, 3);
  packed_clear (&packed);
  ends_tear_down (&e);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/ends/empty", test_empty);
  g_test_add_func ("/seqex/ends/due", test_due);
  g_test_add_func ("/seqex/ends/gathered", test_gathered);
  g_test_add_func ("/seqex/ends/every-reason", test_every_reason);
  g_test_add_func ("/seqex/ends/full-packets", test_full_packets);
  g_test_add_func ("/seqex/ends/full-records", test_full_records);
  g_test_add_func ("/seqex/ends/no-room", test_no_room);
  g_test_add_func ("/seqex/ends/long-run", test_long_run);
  g_test_add_func ("/seqex/ends/remove", test_remove);
  g_test_add_func ("/seqex/ends/no-memory", test_no_memory);
  return g_test_run ();
}
