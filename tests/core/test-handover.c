/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

static void
arrive (Fixture *f,
        guint    channel,
        uint64_t number,
        guint    flags)
{
  g_assert_cmpint (message (f, channel, number, flags, 0, 10), ==, SQX_OK);
}

static uint64_t
next_number (Fixture *f,
             guint    channel)
{
  const sqx_incoming *next = sqx_handover_next (f->session.channels[channel]);

  return next ? next->number : UINT64_MAX;
}

static void
serialize (Fixture *f,
           guint    id)
{
  sqx_channel *channel = sqx_session_channel (&f->session, id);

  sqx_session_open_channel (&f->session, channel);
  channel->serialized = true;
  sqx_handover_requeue (&f->session, channel);
}

/* Queues ------------------------------------------------------------------------------- */

/* Channels that are not open share one queue, in the order of delivery. */
static void
test_shared_queue (void)
{
  Fixture f;

  set_up (&f);
  g_assert_null (sqx_handover_next (f.session.channels[0]));
  arrive (&f, 3, 0, 0);
  arrive (&f, 0, 5, 0);
  arrive (&f, 1, 2, 0);
  g_assert_cmpuint (pop_message (&f), ==, 0);
  assert_no_event (&f);
  g_assert_cmpuint (take (&f, 0), ==, 0);
  g_assert_cmpuint (take (&f, 0), ==, 5);
  g_assert_cmpuint (take (&f, 0), ==, 2);
  g_assert_null (sqx_handover_next (f.session.channels[0]));
  tear_down (&f);
}

/* Opening takes the channel's own out of it, and tells. */
static void
test_open (void)
{
  Fixture f;

  set_up (&f);
  arrive (&f, 3, 0, 0);
  arrive (&f, 1, 7, 0);
  arrive (&f, 3, 1, SQX_WIRE_ORDERED);
  pop_message (&f);
  sqx_session_open_channel (&f.session, f.session.channels[3]);
  g_assert_cmpuint (pop_message (&f), ==, 3);
  assert_no_event (&f);
  arrive (&f, 3, 2, 0);
  g_assert_cmpuint (pop_message (&f), ==, 3);
  assert_sound (&f);
  sqx_session_open_channel (&f.session, f.session.channels[3]);
  assert_no_event (&f);

  g_assert_cmpuint (take (&f, 0), ==, 7);
  g_assert_cmpuint (next_number (&f, 0), ==, UINT64_MAX);
  for (guint number = 0; number < 3; number++)
    g_assert_cmpuint (take (&f, 3), ==, number);
  tear_down (&f);
}

/* Messages that go back to a queue find their place by delivery. */
static void
test_requeue_by_stamp (void)
{
  Fixture f;
  sqx_channel *one;

  set_up (&f);
  one = sqx_session_channel (&f.session, 1);
  sqx_session_open_channel (&f.session, one);
  arrive (&f, 0, 10, 0);
  arrive (&f, 1, 11, 0);
  arrive (&f, 0, 12, 0);
  arrive (&f, 1, 13, 0);
  one->opened = false;
  sqx_handover_requeue (&f.session, one);
  assert_sound (&f);
  for (guint number = 10; number < 14; number++)
    g_assert_cmpuint (take (&f, 0), ==, number);
  tear_down (&f);
}

/* Serialized channels ------------------------------------------------------------------ */

static void
test_gate (void)
{
  Fixture f;

  set_up (&f);
  serialize (&f, 1);
  arrive (&f, 1, 0, SQX_WIRE_ORDERED);
  arrive (&f, 1, 1, SQX_WIRE_ORDERED);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (take (&f, 1), ==, 0);
  g_assert_cmpuint (next_number (&f, 1), ==, UINT64_MAX);
  assert_sound (&f);

  /* Unordered ones pass, and hold nothing; nobody is told of what he may not take. */
  arrive (&f, 1, 2, SQX_WIRE_ORDERED);
  assert_no_event (&f);
  arrive (&f, 1, 3, 0);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (take (&f, 1), ==, 3);
  sqx_handover_end (incoming (&f, 1, 3), f.now, SQX_END_ENDED);
  assert_no_event (&f);
  g_assert_cmpuint (next_number (&f, 1), ==, UINT64_MAX);

  sqx_handover_end (incoming (&f, 1, 0), f.now, SQX_END_ENDED);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (take (&f, 1), ==, 1);
  g_assert_cmpuint (next_number (&f, 1), ==, UINT64_MAX);
  tear_down (&f);
}

static void
test_release (void)
{
  Fixture f;

  set_up (&f);
  serialize (&f, 1);
  for (guint number = 0; number < 4; number++)
    arrive (&f, 1, number, SQX_WIRE_ORDERED);
  pop_message (&f);
  take (&f, 1);
  sqx_handover_release (incoming (&f, 1, 1)); /* holds nothing */
  assert_no_event (&f);
  sqx_handover_release (incoming (&f, 1, 0));
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (take (&f, 1), ==, 1);

  /* The first is answered late: that is no reason to let the third through. */
  sqx_handover_end (incoming (&f, 1, 0), f.now, SQX_END_ENDED);
  assert_no_event (&f);
  g_assert_cmpuint (next_number (&f, 1), ==, UINT64_MAX);
  /* A reply is an answer too, when it is submitted. */
  submit (&f, 1, 5, 0, "r", incoming (&f, 1, 1));
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (take (&f, 1), ==, 2);
  tear_down (&f);
}

/* What waits is moved when the property changes. */
static void
test_serialize_late (void)
{
  Fixture f;
  sqx_channel *one;

  set_up (&f);
  arrive (&f, 1, 0, SQX_WIRE_ORDERED);
  arrive (&f, 1, 1, 0);
  arrive (&f, 1, 2, SQX_WIRE_ORDERED);
  pop_message (&f);
  serialize (&f, 1);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  one = f.session.channels[1];
  assert_sound (&f);
  g_assert_cmpuint (take (&f, 1), ==, 0);
  g_assert_cmpuint (take (&f, 1), ==, 1);
  g_assert_cmpuint (next_number (&f, 1), ==, UINT64_MAX);

  one->serialized = false;
  sqx_handover_requeue (&f.session, one);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_null (one->holder);
  assert_sound (&f);
  g_assert_cmpuint (take (&f, 1), ==, 2);
  tear_down (&f);
}

static void
test_final_holds_nothing (void)
{
  Fixture f;

  set_up (&f);
  serialize (&f, 1);
  arrive (&f, 1, 0, SQX_WIRE_ORDERED | SQX_WIRE_FINAL);
  arrive (&f, 1, 1, SQX_WIRE_ORDERED);
  g_assert_cmpuint (take (&f, 1), ==, 0);
  g_assert_cmpint (incoming (&f, 1, 0)->state, ==, SQX_INCOMING_ENDED);
  g_assert_cmpuint (take (&f, 1), ==, 1);
  tear_down (&f);
}

/* Taking ------------------------------------------------------------------------------- */

static void
test_take (void)
{
  Fixture f;
  sqx_message out;

  set_up (&f);
  message (&f, 2, 3, SQX_WIRE_ORDERED, 0, 0);
  message (&f, 2, 0, SQX_WIRE_FINAL, 0, 100);
  sqx_handover_take (sqx_handover_next (f.session.channels[0]), f.now, &out);
  g_assert_cmpuint (out.id.incarnation, ==, 7);
  g_assert_cmpuint (out.id.channel, ==, 2);
  g_assert_cmpuint (out.id.number, ==, 0);
  g_assert_cmpuint (out.flags, ==, SQX_MESSAGE_FINAL);
  g_assert_cmpmem (out.data, out.size, zeros, 100);
  free (out.data);
  /* Its bytes went back, and the end goes out at once. */
  g_assert_cmpuint (f.session.credit.bytes_returned, ==, 100 + SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (f.session.held, ==, 0);
  g_assert_cmpuint (f.session.taken, ==, 0);
  g_assert_true (sqx_ends_due (&f.session.ends, 0));

  message (&f, 2, 1, 0, 0, 0);
  message (&f, 2, 2, 0, 0, 0);
  take (&f, 0);
  take (&f, 0);
  sqx_handover_take (sqx_handover_next (f.session.channels[0]), f.now, &out);
  g_assert_cmpuint (out.id.number, ==, 3);
  g_assert_cmpuint (out.flags, ==, SQX_MESSAGE_ORDERED);
  g_assert_null (out.data);
  g_assert_cmpuint (out.size, ==, 0);
  g_assert_cmpuint (f.session.taken, ==, 3);
  tear_down (&f);
}

/* A message that outlives its session is taken, and that is all. */
static void
test_take_detached (void)
{
  Fixture f;
  sqx_message out;
  sqx_channel *zero;

  set_up (&f);
  message (&f, 0, 0, 0, 0, 10);
  message (&f, 0, 1, 0, 0, 10);
  zero = f.session.channels[0];
  sqx_session_detach (&f.session, SQX_ERR_PEER_CLOSED, false);
  g_assert_cmpuint (f.session.held, ==, 0);
  sqx_handover_take (sqx_handover_next (zero), f.now, &out);
  g_assert_cmpuint (out.id.number, ==, 0);
  g_assert_cmpuint (out.size, ==, 10);
  g_assert_nonnull (out.data);
  free (out.data);
  g_assert_cmpuint (f.session.taken, ==, 0);
  /* The other one goes with the session. */
  pop_message (&f);
  sqx_session_clear (&f.session);
}

/* A detached reply likewise, in the event that brings it. */
static void
test_take_reply_detached (void)
{
  Fixture f;
  sqx_message out;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 20);
  sqx_session_detach (&f.session, SQX_ERR_PEER_CLOSED, false);
  g_assert_cmpstr (pop_reply (&f, &out), ==, "a");
  g_assert_cmpuint (out.size, ==, 20);
  g_assert_nonnull (out.data);
  free (out.data);
  sqx_session_clear (&f.session);
  g_assert_cmpint (f.refs, ==, 0);
}

/* Ends --------------------------------------------------------------------------------- */

/* Only the end of a final reply may wait for a packet: nobody waits for it. */
static void
test_end_waits (void)
{
  Fixture f;
  sqx_message out;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, 20);
  pop_reply (&f, &out);
  free (out.data);
  g_assert_false (sqx_ends_due (&f.session.ends, f.now));
  g_assert_cmpuint (f.session.ends.deadline, ==, f.now + f.config.ack_delay);
  g_assert_cmpuint (sqx_session_deadline (&f.session), <=, f.now + f.config.ack_delay);

  send_message (&f, 0, 10, 0, "b", NULL);
  message (&f, 0, 1, SQX_WIRE_REPLY, 1, 20);
  pop_reply (&f, &out);
  free (out.data);
  sqx_handover_end (incoming (&f, 0, 1), f.now, SQX_END_ENDED);
  g_assert_true (sqx_ends_due (&f.session.ends, f.now));
  tear_down (&f);
}

static void
test_end_untaken (void)
{
  Fixture f;
  sqx_incoming *body;

  set_up (&f);
  message (&f, 0, 0, 0, 0, 1000);
  body = incoming (&f, 0, 0);
  g_assert_cmpuint (f.session.held, ==, 1000);
  sqx_handover_end (body, f.now, SQX_END_FAILED);
  g_assert_cmpint (body->reason, ==, SQX_END_FAILED);
  g_assert_cmpuint (f.session.held, ==, 0);
  g_assert_cmpuint (f.session.credit.bytes_returned, ==, 1000 + SQX_MESSAGE_OVERHEAD);
  g_assert_null (sqx_handover_next (f.session.channels[0]));
  tear_down (&f);
}

static void
test_end_all (void)
{
  Fixture f;
  static const int states[] = {
    SQX_INCOMING_TAKEN, SQX_INCOMING_TAKEN, SQX_INCOMING_READY, SQX_INCOMING_READY,
    SQX_INCOMING_PARTIAL, SQX_INCOMING_WHOLE,
  };

  set_up (&f);
  send_message (&f, 1, 10, 0, "a", NULL);
  message (&f, 1, 9, SQX_WIRE_REPLY, 0, 10);
  for (guint number = 0; number < 4; number++)
    arrive (&f, number % 2, number, 0);
  take (&f, 0);
  take (&f, 0);
  submit (&f, 1, 10, 0, "r", incoming (&f, 1, 1));
  fragment (&f, 0, 4, 0, 0, 100, 0, 50);
  arrive (&f, 1, 5, SQX_WIRE_ORDERED);

  sqx_handover_end_untaken (&f.session, f.now, SQX_END_CLOSING);
  for (guint number = 0; number < 6; number++)
    g_assert_cmpint (incoming (&f, number % 2, number)->state, ==,
                     states[number] == SQX_INCOMING_READY ? SQX_INCOMING_ENDED : states[number]);
  g_assert_cmpint (incoming (&f, 0, 2)->reason, ==, SQX_END_CLOSING);
  /* The reply that waits in its event is not the program's to take. */
  g_assert_cmpint (incoming (&f, 1, 9)->state, ==, SQX_INCOMING_READY);

  sqx_handover_end_taken (&f.session, f.now, SQX_END_CLOSING);
  g_assert_cmpint (incoming (&f, 0, 0)->state, ==, SQX_INCOMING_ENDED);
  /* It has its answer already. */
  g_assert_cmpint (incoming (&f, 1, 1)->state, ==, SQX_INCOMING_TAKEN);
  assert_sound (&f);
  tear_down (&f);
}

/* Only what was ended is settled by an acknowledged END, or ended again by a lost one. */
static void
test_fate_of_ends (void)
{
  Fixture f;
  Packed packed;
  sqx_record stranger = { .kind = SQX_RECORD_END, .channel = 9, .length = 1 };

  set_up (&f);
  for (guint number = 4; number < 9; number++)
    {
      arrive (&f, 0, number, 0);
      take (&f, 0);
      if (number != 6)
        sqx_handover_end (incoming (&f, 0, number), f.now, SQX_END_ENDED);
      if (number == 7)
        g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 1);
    }
  sqx_handover_ends_lost (&f.session, &stranger);
  sqx_handover_ends_acked (&f.session, f.now, &stranger);
  packed_lost (&f, &packed);
  assert_sound (&f);
  g_assert_cmpuint (f.session.channels[0]->ends[SQX_END_ENDED].count, ==, 2);
  g_assert_true (sqx_ranges_covers (&f.session.channels[0]->ends[SQX_END_ENDED], 4, 6));
  g_assert_true (sqx_ranges_covers (&f.session.channels[0]->ends[SQX_END_ENDED], 7, 9));
  g_assert_cmpuint (f.session.open_incoming, ==, 5);

  /* It was late, not lost; what was ended after it is still to be told. */
  packed_acked (&f, &packed);
  g_assert_cmpuint (f.session.open_incoming, ==, 2);
  g_assert_nonnull (incoming (&f, 0, 6));
  g_assert_nonnull (incoming (&f, 0, 8));
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 3);
  packed_lost (&f, &packed);
  packed_acked (&f, &packed);
  assert_sound (&f);
  packed_clear (&packed);
  g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 1);
  g_assert_cmpuint (packed.packet.records[0].number, ==, 8);
  g_assert_cmpuint (packed.packet.records[0].length, ==, 1);
  packed_lost (&f, &packed);
  g_assert_false (sqx_ranges_contains (&f.session.channels[0]->ends[SQX_END_ENDED], 7));
  packed_clear (&packed);
  tear_down (&f);
}

/* An exchange that this side started has no unit to give back. */
static void
test_settle_own_exchange (void)
{
  Fixture f;
  sqx_message out;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 20);
  pop_reply (&f, &out);
  free (out.data);
  sqx_handover_end (incoming (&f, 0, 0), f.now, SQX_END_ENDED);
  flush (&f);
  g_assert_cmpuint (f.session.open_incoming, ==, 0);
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 0);
  tear_down (&f);
}

/* The gate opens also when the answer's own answer comes first. */
static void
test_settle_opens_gate (void)
{
  Fixture f;
  sqx_incoming *holder;

  set_up (&f);
  serialize (&f, 1);
  arrive (&f, 1, 0, SQX_WIRE_ORDERED);
  arrive (&f, 1, 1, SQX_WIRE_ORDERED);
  take (&f, 1);
  holder = incoming (&f, 1, 0);
  pop_message (&f);
  sqx_handover_settle (holder, f.now, true);
  g_assert_cmpuint (pop_message (&f), ==, 1);
  g_assert_cmpuint (f.session.taken, ==, 0);
  g_assert_cmpuint (take (&f, 1), ==, 1);
  tear_down (&f);
}

static void
test_no_memory (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  for (guint number = 0; number < 3; number++)
    {
      arrive (&f, 0, number, 0);
      take (&f, 0);
    }
  sqx_handover_end (incoming (&f, 0, 0), f.now, SQX_END_ENDED);
  fail_count = 1;
  sqx_handover_end (incoming (&f, 0, 2), f.now, SQX_END_ENDED);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_true (f.session.out_of_memory);

  f.session.out_of_memory = false;
  pack (&f, &packed, PACKET);
  g_assert_true (sqx_ends_add (&f.session.ends, f.session.channels[0], SQX_END_ENDED, 2, 0));
  fail_count = 1;
  packed_lost (&f, &packed);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_true (f.session.out_of_memory);
  packed_clear (&packed);
  tear_down_failed (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/handover/shared-queue", test_shared_queue);
  g_test_add_func ("/seqex/handover/open", test_open);
  g_test_add_func ("/seqex/handover/requeue-by-stamp", test_requeue_by_stamp);
  g_test_add_func ("/seqex/handover/gate", test_gate);
  g_test_add_func ("/seqex/handover/release", test_release);
  g_test_add_func ("/seqex/handover/serialize-late", test_serialize_late);
  g_test_add_func ("/seqex/handover/final-holds-nothing", test_final_holds_nothing);
  g_test_add_func ("/seqex/handover/take", test_take);
  g_test_add_func ("/seqex/handover/take-detached", test_take_detached);
  g_test_add_func ("/seqex/handover/take-reply-detached", test_take_reply_detached);
  g_test_add_func ("/seqex/handover/end-waits", test_end_waits);
  g_test_add_func ("/seqex/handover/end-untaken", test_end_untaken);
  g_test_add_func ("/seqex/handover/end-all", test_end_all);
  g_test_add_func ("/seqex/handover/fate-of-ends", test_fate_of_ends);
  g_test_add_func ("/seqex/handover/settle-own-exchange", test_settle_own_exchange);
  g_test_add_func ("/seqex/handover/settle-opens-gate", test_settle_opens_gate);
  g_test_add_func ("/seqex/handover/no-memory", test_no_memory);
  return g_test_run ();
}
