/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

static guint
pack_fragments (Fixture *f,
                Packed  *packed,
                size_t   capacity)
{
  packed_init (packed, capacity);
  sqx_fragments_pack (&f->session, &packed->packet);
  packed_decode (packed);
  return packed->frames->len;
}

static void
assert_fragment (Packed  *packed,
                 guint    nth,
                 guint    channel,
                 uint64_t number,
                 uint64_t offset,
                 uint64_t size)
{
  const sqx_frame *frame = FRAME (packed, nth);
  const sqx_record *record = &packed->packet.records[nth];

  g_assert_cmpuint (frame->type, ==, SQX_FRAME_MESSAGE);
  g_assert_cmpuint (frame->message.channel, ==, channel * 2);
  g_assert_cmpuint (frame->message.number, ==, number);
  g_assert_cmpuint (frame->message.offset, ==, offset);
  g_assert_cmpuint (frame->message.size, ==, size);
  g_assert_cmpuint (record->kind, ==, SQX_RECORD_MESSAGE);
  g_assert_cmpuint (record->channel, ==, channel * 2);
  g_assert_cmpuint (record->number, ==, number);
  g_assert_cmpuint (record->offset, ==, offset);
  g_assert_cmpuint (record->length, ==, MAX (size, 1));
}

/* Packing ------------------------------------------------------------------------------ */

static void
test_nothing (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  g_assert_false (sqx_fragments_due (&f.session));
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 0);
  g_assert_false (packed.packet.eliciting);
  packed_clear (&packed);
  tear_down (&f);
}

static void
test_flags (void)
{
  Fixture f;
  Packed packed;
  sqx_incoming *asked;

  set_up (&f);
  message (&f, 2, 0, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);
  asked = incoming (&f, 2, 0);
  send_message (&f, 1, 5, 0, "a", NULL);
  send_message (&f, 1, 5, SQX_MESSAGE_ORDERED, "b", NULL);
  send_message (&f, 1, 5, SQX_MESSAGE_FINAL, "c", NULL);
  send_message (&f, 2, 5, SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL, "d", asked);
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 4);
  g_assert_cmpuint (FRAME (&packed, 0)->message.flags, ==, 0);
  g_assert_cmpuint (FRAME (&packed, 1)->message.flags, ==, SQX_WIRE_ORDERED);
  g_assert_cmpuint (FRAME (&packed, 2)->message.flags, ==, SQX_WIRE_FINAL);
  g_assert_cmpuint (FRAME (&packed, 3)->message.flags, ==,
                    SQX_WIRE_ORDERED | SQX_WIRE_FINAL | SQX_WIRE_REPLY);
  g_assert_cmpuint (FRAME (&packed, 3)->message.reply_to, ==, 0);
  assert_fragment (&packed, 1, 1, 1, 0, 5);
  assert_fragment (&packed, 3, 2, 0, 0, 5);
  g_assert_true (packed.packet.eliciting);
  g_assert_false (sqx_fragments_due (&f.session));
  packed_clear (&packed);
  tear_down (&f);
}

/* Two large ones take turns; a more urgent one goes first, whenever it came. */
static void
test_turns (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 3), 1);
  send_message (&f, 1, 50000, 0, "a", NULL);
  send_message (&f, 2, 50000, 0, "b", NULL);
  for (guint turn = 0; turn < 4; turn++)
    {
      g_assert_cmpuint (pack_fragments (&f, &packed, 5000), ==, 1);
      g_assert_cmpuint (FRAME (&packed, 0)->message.channel, ==, turn % 2 ? 4 : 2);
      packed_clear (&packed);
    }
  send_message (&f, 3, 7000, 0, "c", NULL);
  g_assert_cmpuint (pack_fragments (&f, &packed, 5000), ==, 1);
  g_assert_cmpuint (FRAME (&packed, 0)->message.channel, ==, 6);
  packed_clear (&packed);
  g_assert_cmpuint (pack_fragments (&f, &packed, 5000), ==, 2);
  g_assert_cmpuint (FRAME (&packed, 0)->message.channel, ==, 6);
  g_assert_cmpuint (FRAME (&packed, 1)->message.channel, ==, 2);
  packed_clear (&packed);
  tear_down (&f);
}

/* The channels and numbers of the fragments that @packets packets carry, one after the other, without
 * repetition. */
static char *
order_of (Fixture *f,
          guint    packets)
{
  GString *order = g_string_new (NULL);

  for (guint i = 0; i < packets; i++)
    {
      Packed packed;
      guint count = pack_fragments (f, &packed, 4300);

      for (guint k = 0; k < count; k++)
        {
          const sqx_record *record = &packed.packet.records[k];
          g_autofree char *one = g_strdup_printf ("%u.%u ", record->channel / 2,
                                                  (guint) record->number);

          if (!g_str_has_suffix (order->str, one))
            g_string_append (order, one);
        }
      packed_clear (&packed);
    }
  return g_string_free (order, FALSE);
}

static void
assert_order (Fixture    *f,
              guint       packets,
              const char *expected)
{
  g_autofree char *order = order_of (f, packets);

  g_assert_cmpstr (order, ==, expected);
}

/* Ordered messages of a channel are sent one after the other, and lost bytes of an earlier one before
 * them; what need not wait for them takes its turns as ever. */
static void
test_turns_ordered (void)
{
  const sqx_record start = { .channel = 2, .number = 1, .offset = 0, .length = 2000 };
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 6; i++)
    send_message (&f, 1, 15000, SQX_MESSAGE_ORDERED, "a", NULL);
  assert_order (&f, 10, "1.0 1.1 1.2 ");
  sqx_fragments_lost (&f.session, &start);
  assert_order (&f, 1, "1.1 1.2 ");
  send_message (&f, 2, 15000, 0, "b", NULL);
  send_message (&f, 1, 15000, 0, "c", NULL);
  assert_order (&f, 6, "1.3 2.0 1.6 1.3 2.0 1.6 ");
  while (sqx_fragments_due (&f.session))
    g_free (order_of (&f, 1));
  tear_down (&f);
}

/* Nor do large ones that are ordered begin to take turns when something passes them. */
static void
test_turns_ordered_large (void)
{
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 4; i++)
    send_message (&f, 1, SQX_TURN_SMALL + 4000, SQX_MESSAGE_ORDERED, "a", NULL);
  assert_order (&f, 1, "1.0 ");
  send_message (&f, 2, 10, 0, "b", NULL);
  send_message (&f, 3, SQX_TURN_SMALL + 1, 0, "c", NULL);
  assert_order (&f, 7, "1.0 2.0 1.0 3.0 1.0 3.0 1.0 1.1 ");

  /* However long they have been among themselves, who comes gets its turn. */
  assert_order (&f, 6, "3.0 1.1 3.0 1.1 ");
  assert_order (&f, 3, "1.2 ");
  send_message (&f, 4, 5000, 0, "d", NULL);
  assert_order (&f, 3, "1.2 4.0 1.2 ");
  while (sqx_fragments_due (&f.session))
    g_free (order_of (&f, 1));
  tear_down (&f);
}

static const sqx_outgoing *
get_outgoing (Fixture *f,
              guint    number)
{
  return sqx_index_lookup (&sqx_session_channel (&f->session, 1)->outgoing, number);
}

/* Of many large messages a few take turns, and the next begins when one of them is done. What is
 * small, or lost, does not wait for those that have not begun. */
static void
test_turns_of_few (void)
{
  const sqx_record start = { .channel = 2, .number = 0, .offset = 0, .length = 1000 };
  g_autoptr (GString) expected = g_string_new (NULL);
  const guint size = SQX_TURN_SMALL + 16;
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < SQX_TURNS + 2; i++)
    send_message (&f, 1, size, 0, "a", NULL);
  for (guint i = 0; i < SQX_TURNS; i++)
    g_string_append_printf (expected, "1.%u ", i);
  assert_order (&f, SQX_TURNS, expected->str);

  /* These are sent in the next round. */
  send_message (&f, 2, 100, 0, "b", NULL);
  send_message (&f, 3, 100, SQX_MESSAGE_ORDERED, "c", NULL);
  g_string_append (expected, "2.0 3.0 1.0 ");
  assert_order (&f, SQX_TURNS + 1, expected->str);

  while (get_outgoing (&f, 0)->next_offset < size)
    {
      g_assert_cmpuint (get_outgoing (&f, SQX_TURNS)->next_offset, ==, 0);
      g_free (order_of (&f, 1));
    }
  for (guint i = 0; i < 2 * SQX_TURNS; i++)
    g_free (order_of (&f, 1));
  g_assert_cmpuint (get_outgoing (&f, SQX_TURNS)->next_offset, >, 0);

  sqx_fragments_lost (&f.session, &start);
  g_assert_cmpuint (get_outgoing (&f, 0)->lost.count, ==, 1);
  for (guint i = 0; i < SQX_TURNS + 1; i++)
    g_free (order_of (&f, 1));
  g_assert_cmpuint (get_outgoing (&f, 0)->lost.count, ==, 0);
  while (sqx_fragments_due (&f.session))
    g_free (order_of (&f, 1));
  tear_down (&f);
}

/* From the most urgent priority to the least; what is cancelled has none. */
static void
test_priorities (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  sqx_outgoing_cancel (send_message (&f, 0, 10, 0, "c", NULL), f.now);
  for (guint priority = SQX_PRIORITIES; priority-- > 0;)
    {
      sqx_channel *channel = sqx_session_channel (&f.session, 1 + priority);

      sqx_outgoing_change_priority (&f.session, channel, (uint8_t) priority);
      send_message (&f, 1 + priority, 10, 0, "a", NULL);
      g_assert_true (sqx_fragments_due (&f.session));
    }
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, SQX_PRIORITIES);
  for (guint priority = 0; priority < SQX_PRIORITIES; priority++)
    assert_fragment (&packed, priority, 1 + priority, 0, 0, 10);
  packed_clear (&packed);

  /* Each alone is a reason to send. */
  for (guint priority = 0; priority < SQX_PRIORITIES; priority++)
    {
      g_assert_false (sqx_fragments_due (&f.session));
      send_message (&f, 1 + priority, 10, 0, "b", NULL);
      g_assert_true (sqx_fragments_due (&f.session));
      pack_fragments (&f, &packed, PACKET);
      packed_clear (&packed);
    }
  tear_down (&f);
}

/* Every byte goes out once, in order. */
static void
test_whole (void)
{
  Fixture f;
  Packed packed;
  uint64_t at = 0;

  set_up (&f);
  send_message (&f, 0, 10000, 0, "a", NULL);
  while (sqx_fragments_due (&f.session))
    {
      g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 1);
      g_assert_cmpuint (FRAME (&packed, 0)->message.offset, ==, at);
      g_assert_cmpuint (FRAME (&packed, 0)->message.total, ==, 10000);
      at += FRAME (&packed, 0)->message.size;
      packed_clear (&packed);
    }
  g_assert_cmpuint (at, ==, 10000);
  g_assert_cmpuint (f.statistics.bytes_resent, ==, 0);
  tear_down (&f);
}

/* A message is cut only for a good part of a packet: a quarter of it, and SQX_FRAGMENT_LEAST. */
static void
test_cutting (void)
{
  static const struct { size_t room, full; gboolean cut; } cases[] = {
    { 300, 1200, TRUE }, { 299, 1200, FALSE }, { 64, 200, TRUE }, { 63, 200, FALSE },
    { 50, 200, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f;
      Packed packed;

      set_up (&f);
      send_message (&f, 0, 5000, 0, "a", NULL);
      packed_init (&packed, cases[i].room);
      packed.packet.full_size = cases[i].full;
      sqx_fragments_pack (&f.session, &packed.packet);
      g_assert_cmpuint (packed.packet.count, ==, cases[i].cut);
      g_assert_true (sqx_fragments_due (&f.session));
      packed_clear (&packed);
      tear_down (&f);
    }
}

/* What fits whole goes out in any corner. */
static void
test_small_fits (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL);
  packed_init (&packed, 10 + SQX_FRAGMENT_LEAST / 2);
  packed.packet.full_size = PACKET;
  sqx_fragments_pack (&f.session, &packed.packet);
  packed_decode (&packed);
  assert_fragment (&packed, 0, 0, 0, 0, 10);
  packed_clear (&packed);
  tear_down (&f);
}

static void
test_full_records (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL);
  packed_init (&packed, PACKET);
  packed.packet.count = SQX_PACKET_RECORDS;
  sqx_fragments_pack (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.writer.size, ==, 0);
  g_assert_true (sqx_fragments_due (&f.session));
  packed_clear (&packed);
  tear_down (&f);
}

/* What became of it -------------------------------------------------------------------- */

static void
test_acked (void)
{
  Fixture f;
  Packed first, second;
  sqx_outgoing *sent;

  set_up (&f);
  sent = send_message (&f, 0, 1500, 0, "a", NULL);
  pack_fragments (&f, &first, PACKET);
  pack_fragments (&f, &second, PACKET);
  g_assert_cmpint (f.refs, ==, 1);
  packed_acked (&f, &second);
  packed_acked (&f, &second);
  g_assert_false (sent->received);
  packed_acked (&f, &first);
  g_assert_true (sent->received);
  g_assert_cmpint (f.refs, ==, 0);
  /* The record stays until the answer; late news of its bytes is none. */
  packed_acked (&f, &first);
  packed_lost (&f, &first);
  g_assert_false (sqx_fragments_due (&f.session));
  assert_sound (&f);
  packed_clear (&first);
  packed_clear (&second);
  tear_down (&f);
}

static void
test_empty_message (void)
{
  Fixture f;
  Packed packed;
  sqx_outgoing *sent;

  set_up (&f);
  sent = send_message (&f, 0, 0, 0, "a", NULL);
  g_assert_true (sqx_fragments_due (&f.session));
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 1);
  assert_fragment (&packed, 0, 0, 0, 0, 0);
  g_assert_false (sqx_fragments_due (&f.session));
  packed_lost (&f, &packed);
  packed_clear (&packed);
  g_assert_true (sqx_fragments_due (&f.session));
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 1);
  assert_fragment (&packed, 0, 0, 0, 0, 0);
  g_assert_cmpuint (f.statistics.bytes_resent, ==, 0);
  packed_acked (&f, &packed);
  g_assert_true (sent->received);
  packed_clear (&packed);
  tear_down (&f);
}

static void
lose_bytes (Fixture *f,
            uint64_t offset,
            uint64_t length)
{
  sqx_record record = { .kind = SQX_RECORD_MESSAGE, .offset = (uint32_t) offset,
                        .length = (uint32_t) length };

  sqx_fragments_lost (&f->session, &record);
}

static void
ack_bytes (Fixture *f,
           uint64_t offset,
           uint64_t length)
{
  sqx_record record = { .kind = SQX_RECORD_MESSAGE, .offset = (uint32_t) offset,
                        .length = (uint32_t) length };

  sqx_fragments_acked (&f->session, &record);
}

/* What was lost goes before what was never sent, and counts as sent again. */
static void
test_lost_first (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 3000, 0, "a", NULL);
  pack_fragments (&f, &packed, 1000);
  packed_clear (&packed);
  lose_bytes (&f, 200, 100);
  lose_bytes (&f, 500, 50);
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 3);
  assert_fragment (&packed, 0, 0, 0, 200, 100);
  assert_fragment (&packed, 1, 0, 0, 500, 50);
  g_assert_cmpuint (FRAME (&packed, 2)->message.offset, <=, 1000);
  g_assert_cmpuint (FRAME (&packed, 2)->message.offset, >, 900);
  g_assert_cmpuint (f.statistics.bytes_resent, ==, 150);
  assert_sound (&f);
  packed_clear (&packed);
  /* Those that wait to be sent again go with the message. */
  lose_bytes (&f, 200, 100);
  lose_bytes (&f, 500, 50);
  tear_down (&f);
}

/* Only what was not acknowledged from another packet. */
static void
test_lost_gaps (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 1000, 0, "a", NULL);
  pack_fragments (&f, &packed, PACKET);
  packed_clear (&packed);
  ack_bytes (&f, 100, 100);
  ack_bytes (&f, 400, 200);
  ack_bytes (&f, 900, 50);
  lose_bytes (&f, 0, 950);
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 3);
  assert_fragment (&packed, 0, 0, 0, 0, 100);
  assert_fragment (&packed, 1, 0, 0, 200, 200);
  assert_fragment (&packed, 2, 0, 0, 600, 300);
  packed_clear (&packed);

  lose_bytes (&f, 150, 300);
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 1);
  assert_fragment (&packed, 0, 0, 0, 200, 200);
  packed_clear (&packed);
  lose_bytes (&f, 110, 20);
  lose_bytes (&f, 900, 50);
  g_assert_false (sqx_fragments_due (&f.session));
  lose_bytes (&f, 950, 50);
  g_assert_true (sqx_fragments_due (&f.session));
  tear_down (&f);
}

/* Acknowledged while it waits to be sent again: it is not. */
static void
test_lost_then_acked (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 100, 0, "a", NULL);
  pack_fragments (&f, &packed, PACKET);
  lose_bytes (&f, 0, 100);
  ack_bytes (&f, 0, 60);
  g_assert_true (sqx_fragments_due (&f.session));
  ack_bytes (&f, 60, 39);
  packed_clear (&packed);
  g_assert_cmpuint (pack_fragments (&f, &packed, PACKET), ==, 1);
  assert_fragment (&packed, 0, 0, 0, 99, 1);
  packed_clear (&packed);
  lose_bytes (&f, 99, 1);
  ack_bytes (&f, 99, 1);
  g_assert_false (sqx_fragments_due (&f.session));
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

static void
test_gone (void)
{
  Fixture f;
  Packed packed;
  sqx_record stranger = { .kind = SQX_RECORD_MESSAGE, .channel = 9, .length = 1 };

  set_up (&f);
  send_message (&f, 0, 100, 0, "a", NULL);
  pack_fragments (&f, &packed, PACKET);
  g_assert_cmpint (end_run (&f, 0, SQX_END_ENDED, 0, 1), ==, SQX_OK);
  g_assert_cmpint (f.refs, ==, 0);
  packed_lost (&f, &packed);
  packed_acked (&f, &packed);
  sqx_fragments_lost (&f.session, &stranger);
  sqx_fragments_acked (&f.session, &stranger);
  sqx_fragments_cancel_lost (&f.session, &stranger);
  g_assert_false (sqx_fragments_due (&f.session));
  packed_clear (&packed);
  tear_down (&f);
}

static void
test_no_owner (void)
{
  Fixture f;
  sqx_payload payload = { zeros, 10, NULL };
  sqx_outgoing *sent;

  set_up (&f);
  sent = sqx_outgoing_submit (&f.session, f.session.channels[0], &payload, 0, NULL, NULL);
  sqx_fragments_release (sent);
  g_assert_null (sent->payload.data);
  sqx_fragments_release (sent);
  sqx_outgoing_cancel (sent, f.now);
  f.config.payload_ref = f.config.payload_unref = NULL;
  sent = submit (&f, 0, 10, 0, NULL, NULL);
  sqx_outgoing_cancel (sent, f.now);
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

static void
test_no_memory (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  send_message (&f, 0, 1000, 0, "a", NULL);
  pack_fragments (&f, &packed, PACKET);
  packed_clear (&packed);
  ack_bytes (&f, 0, 10);
  fail_count = 1;
  ack_bytes (&f, 20, 10);
  g_assert_true (f.session.out_of_memory);

  f.session.out_of_memory = false;
  lose_bytes (&f, 100, 10);
  g_assert_false (f.session.out_of_memory);
  fail_count = 1;
  lose_bytes (&f, 200, 10);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_true (f.session.out_of_memory);

  /* Taking a part out of the middle. */
  f.session.out_of_memory = false;
  lose_bytes (&f, 100, 300);
  fail_count = 1;
  ack_bytes (&f, 150, 10);
  g_assert_true (f.session.out_of_memory);
  fail_count = 0;
  tear_down_failed (&f);
}

/* Cancels ------------------------------------------------------------------------------ */

static void
test_cancels (void)
{
  Fixture f;
  Packed packed;
  sqx_outgoing *sent;

  set_up (&f);
  message (&f, 1, 4, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);
  sent = send_message (&f, 0, 900, 0, "a", NULL);
  sqx_outgoing_cancel (sent, f.now);
  sqx_outgoing_cancel (send_message (&f, 1, 30, 0, "b", incoming (&f, 1, 4)), f.now);
  g_assert_false (sqx_fragments_due (&f.session));

  packed_init (&packed, PACKET);
  sqx_fragments_pack_cancels (&f.session, &packed.packet);
  packed_decode (&packed);
  g_assert_cmpuint (packed.frames->len, ==, 2);
  g_assert_cmpuint (FRAME (&packed, 0)->type, ==, SQX_FRAME_CANCEL);
  g_assert_cmpuint (FRAME (&packed, 0)->cancel.total, ==, 900);
  g_assert_false (FRAME (&packed, 0)->cancel.is_reply);
  g_assert_cmpuint (FRAME (&packed, 1)->cancel.channel, ==, 2);
  g_assert_true (FRAME (&packed, 1)->cancel.is_reply);
  g_assert_cmpuint (FRAME (&packed, 1)->cancel.reply_to, ==, 4);
  g_assert_cmpuint (packed.packet.records[0].kind, ==, SQX_RECORD_CANCEL);
  g_assert_true (sqx_list_empty (&f.session.cancels));

  /* Lost, and lost again while it waits already. */
  packed_lost (&f, &packed);
  packed_lost (&f, &packed);
  packed_clear (&packed);
  packed_init (&packed, PACKET);
  sqx_fragments_pack_cancels (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.count, ==, 2);

  /* Answered meanwhile: not sent again. */
  g_assert_cmpint (end_run (&f, 0, SQX_END_CANCELLED, 0, 1), ==, SQX_OK);
  packed_lost (&f, &packed);
  packed_clear (&packed);
  packed_init (&packed, PACKET);
  sqx_fragments_pack_cancels (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.count, ==, 1);
  packed_clear (&packed);
  assert_no_event (&f);
  tear_down (&f);
}

static void
test_cancels_wait (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  sqx_outgoing_cancel (send_message (&f, 0, 900, 0, "a", NULL), f.now);
  packed_init (&packed, 4);
  sqx_fragments_pack_cancels (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.writer.size, ==, 0);
  packed.packet.writer.capacity = PACKET;
  packed.packet.count = SQX_PACKET_RECORDS;
  sqx_fragments_pack_cancels (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.writer.size, ==, 0);
  g_assert_false (sqx_list_empty (&f.session.cancels));
  packed_clear (&packed);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/fragments/nothing", test_nothing);
  g_test_add_func ("/seqex/fragments/flags", test_flags);
  g_test_add_func ("/seqex/fragments/turns", test_turns);
  g_test_add_func ("/seqex/fragments/priorities", test_priorities);
  g_test_add_func ("/seqex/fragments/turns-ordered", test_turns_ordered);
  g_test_add_func ("/seqex/fragments/turns-ordered-large", test_turns_ordered_large);
  g_test_add_func ("/seqex/fragments/turns-of-few", test_turns_of_few);
  g_test_add_func ("/seqex/fragments/whole", test_whole);
  g_test_add_func ("/seqex/fragments/cutting", test_cutting);
  g_test_add_func ("/seqex/fragments/small-fits", test_small_fits);
  g_test_add_func ("/seqex/fragments/full-records", test_full_records);
  g_test_add_func ("/seqex/fragments/acked", test_acked);
  g_test_add_func ("/seqex/fragments/empty-message", test_empty_message);
  g_test_add_func ("/seqex/fragments/lost-first", test_lost_first);
  g_test_add_func ("/seqex/fragments/lost-gaps", test_lost_gaps);
  g_test_add_func ("/seqex/fragments/lost-then-acked", test_lost_then_acked);
  g_test_add_func ("/seqex/fragments/gone", test_gone);
  g_test_add_func ("/seqex/fragments/no-owner", test_no_owner);
  g_test_add_func ("/seqex/fragments/no-memory", test_no_memory);
  g_test_add_func ("/seqex/fragments/cancels", test_cancels);
  g_test_add_func ("/seqex/fragments/cancels-wait", test_cancels_wait);
  return g_test_run ();
}
