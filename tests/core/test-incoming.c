/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

static void
assert_violation (Fixture    *f,
                  sqx_result  result,
                  const char *what)
{
  g_assert_cmpint (result, ==, SQX_ERR_PROTOCOL);
  g_assert_cmpstr (f->session.violation, ==, what);
  assert_sound (f);
}

/* Admission ---------------------------------------------------------------------------- */

static void
test_record (void)
{
  Fixture f;
  const sqx_incoming *record;

  set_up (&f);
  send_message (&f, 3, 10, 0, "a", NULL);
  fragment (&f, 3, 2, SQX_WIRE_ORDERED | SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, 500, 100, 50);
  record = incoming (&f, 3, 2);
  g_assert_cmpint (record->state, ==, SQX_INCOMING_PARTIAL);
  g_assert_true (record->ordered && record->is_reply && record->final && !record->peer_started);
  g_assert_cmpuint (record->total, ==, 500);
  g_assert_cmpuint (record->incarnation, ==, 7);
  g_assert_cmpuint (f.session.missing, ==, 2);
  g_assert_cmpuint (f.session.open_incoming, ==, 1);
  g_assert_cmpuint (f.session.credit.bytes_seen, ==, 500 + SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (f.session.credit.exchanges_seen, ==, 0);
  g_assert_cmpuint (f.statistics.exchanges_accepted, ==, 0);

  fragment (&f, 3, 0, 0, 0, 500, 100, 50);
  g_assert_true (incoming (&f, 3, 0)->peer_started);
  g_assert_cmpuint (f.session.missing, ==, 1);
  g_assert_cmpuint (f.session.credit.exchanges_seen, ==, 1);
  g_assert_cmpuint (f.statistics.exchanges_accepted, ==, 1);
  g_assert_cmpuint (f.statistics.messages_received, ==, 0);
  tear_down (&f);
}

static void
test_channels (void)
{
  Fixture f;
  sqx_frame frame = {
    .type = SQX_FRAME_MESSAGE,
    .message = { .channel = 3, .data = zeros, .total = 1, .size = 1 },
  };

  set_up (&f);
  assert_violation (&f, take_in (&f, &frame), "message on a stream that is no chunk");
  frame.message.flags = SQX_WIRE_ORDERED | SQX_WIRE_FINAL;
  assert_violation (&f, take_in (&f, &frame), "stream that does not exist");
  assert_violation (&f, message (&f, CHANNELS, 0, 0, 0, 1), "channel that does not exist");
  assert_violation (&f, cancel (&f, CHANNELS, 0, false, 0, 1), "channel that does not exist");
  assert_violation (&f, message (&f, 0, SQX_VARINT_MAX, 0, 0, 1), "message number out of range");
  assert_violation (&f, cancel (&f, 0, SQX_VARINT_MAX, false, 0, 1),
                    "message number out of range");
  g_assert_cmpint (message (&f, CHANNELS - 1, 0, 0, 0, 1), ==, SQX_OK);
  tear_down (&f);
}

static void
test_too_large (void)
{
  Fixture f;

  set_up (&f);
  g_assert_cmpint (fragment (&f, 0, 0, 0, 0, MAX_MESSAGE, 0, 1), ==, SQX_OK);
  assert_violation (&f, fragment (&f, 0, 1, 0, 0, MAX_MESSAGE + 1, 0, 1),
                    "message larger than max-message-size");
  assert_violation (&f, cancel (&f, 0, 1, false, 0, MAX_MESSAGE + 1),
                    "message larger than max-message-size");
  g_assert_cmpuint (f.session.open_incoming, ==, 1);
  tear_down (&f);
}

static void
test_missing (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, 1, 0, "a", NULL);
  /* 100 units, and one reply to what is open here. */
  assert_violation (&f, message (&f, 0, 102, 0, 0, 1), "too many message numbers missing");
  g_assert_cmpint (message (&f, 0, 101, 0, 0, 1), ==, SQX_OK);
  assert_violation (&f, message (&f, 1, 1, 0, 0, 1), "too many message numbers missing");
  g_assert_cmpint (message (&f, 1, 0, 0, 0, 1), ==, SQX_OK);
  g_assert_cmpint (message (&f, 0, 50, 0, 0, 1), ==, SQX_OK);
  g_assert_cmpint (message (&f, 1, 2, 0, 0, 1), ==, SQX_OK);
  assert_violation (&f, cancel (&f, 1, 4, false, 0, 1), "too many message numbers missing");
  tear_down (&f);
}

static void
test_credit (void)
{
  Fixture f;
  uint64_t number = 0;

  set_up (&f);
  for (; number < 4; number++)
    g_assert_cmpint (fragment (&f, 0, number, 0, 0, MAX_MESSAGE, 0, 1), ==, SQX_OK);
  assert_violation (&f, message (&f, 0, number, 0, 0, 0),
                    "more begun than credit was granted for");
  g_assert_null (incoming (&f, 0, number));
  g_assert_cmpuint (f.session.channels[0]->seen_end, ==, number);
  g_assert_cmpuint (f.session.open_incoming, ==, 4);
  tear_down (&f);
}

/* A refused packet comes again; then nothing is in its way. */
static void
test_no_memory (void)
{
  /* The table of channels, the channel, the record, the index, the body. */
  for (guint after = 0; after < 5; after++)
    {
      Fixture f;

      set_up (&f);
      fail_after = after;
      fail_count = 1;
      g_assert_cmpint (message (&f, 9, 3, 0, 0, 10), ==, SQX_ERR_NO_MEMORY);
      g_assert_cmpuint (fail_count, ==, 0);
      g_assert_cmpuint (f.counters.no_memory, ==, 1);
      assert_sound (&f);
      /* A record whose bytes found no room stays, and keeps what it cost. */
      g_assert_cmpuint (f.session.open_incoming, ==, after == 4);
      assert_no_event (&f);
      g_assert_cmpint (message (&f, 9, 3, 0, 0, 10), ==, SQX_OK);
      g_assert_cmpuint (f.session.credit.bytes_seen, ==, 10 + SQX_MESSAGE_OVERHEAD);
      g_assert_cmpuint (pop_message (&f), ==, 0);
      tear_down (&f);
    }
}

/* That a message was delivered could not be noted. */
static void
test_no_memory_delivered (void)
{
  Fixture f;

  set_up (&f);
  g_assert_cmpint (message (&f, 0, 1, 0, 0, 0), ==, SQX_OK);
  fail_after = 1;
  fail_count = 1;
  g_assert_cmpint (message (&f, 0, 3, 0, 0, 0), ==, SQX_OK);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_true (f.session.out_of_memory);
  tear_down_failed (&f);
}

static void
test_no_memory_first (void)
{
  Fixture f;

  set_up_unknown (&f);
  sqx_session_clear (&f.session);
  fail_count = 1;
  g_assert_cmpint (message (&f, 0, 0, 0, 0, 1), ==, SQX_ERR_NO_MEMORY);
  g_assert_cmpuint (f.counters.no_memory, ==, 1);
  tear_down (&f);
}

/* Bytes -------------------------------------------------------------------------------- */

static void
test_accounts (void)
{
  Fixture f;

  set_up (&f);
  fragment (&f, 0, 0, 0, 0, 1000, 300, 100);
  fragment (&f, 0, 0, 0, 0, 1000, 600, 100);
  fragment (&f, 1, 0, 0, 0, 1000, 0, 100);
  g_assert_cmpuint (f.session.fragment_ranges, ==, 3);
  g_assert_cmpuint (f.session.held, >=, 300);
  assert_sound (&f);
  fragment (&f, 0, 0, 0, 0, 1000, 400, 200);
  g_assert_cmpuint (f.session.fragment_ranges, ==, 2);
  g_assert_cmpuint (f.counters.duplicate_message, ==, 0);
  fragment (&f, 0, 0, 0, 0, 1000, 350, 200);
  g_assert_cmpuint (f.counters.duplicate_message, ==, 1);
  fragment (&f, 0, 0, 0, 0, 1000, 0, 1000);
  g_assert_cmpuint (f.session.fragment_ranges, ==, 1);
  g_assert_cmpuint (pop_message (&f), ==, 0);
  g_assert_cmpuint (f.statistics.messages_received, ==, 1);
  assert_sound (&f);

  /* Of a whole message nothing is new, taken or not, answered or not. */
  message (&f, 0, 0, 0, 0, 1000);
  take (&f, 0);
  message (&f, 0, 0, 0, 0, 1000);
  sqx_handover_end (incoming (&f, 0, 0), f.now, SQX_END_ENDED);
  message (&f, 0, 0, 0, 0, 1000);
  flush (&f);
  g_assert_null (incoming (&f, 0, 0));
  message (&f, 0, 0, 0, 0, 1000);
  g_assert_cmpuint (f.counters.duplicate_message, ==, 5);
  assert_no_event (&f);
  tear_down (&f);
}

static void
test_refused_fragments (void)
{
  Fixture f;

  set_up (&f);
  f.session.credit.max_message = 2 * SQX_FRAGMENT_SLACK;
  f.session.credit.bytes_told = f.session.credit.window = 8 * SQX_FRAGMENT_SLACK;
  f.session.credit.window_max = f.session.credit.window;
  g_assert_cmpint (fragment (&f, 0, 0, 0, 0, 2 * SQX_FRAGMENT_SLACK,
                             2 * SQX_FRAGMENT_SLACK - 10, 10), ==, SQX_ERR_NO_MEMORY);
  g_assert_cmpuint (f.counters.early_fragment, ==, 1);

  f.session.fragment_ranges = SQX_FRAGMENT_RANGES;
  g_assert_cmpint (fragment (&f, 0, 0, 0, 0, 2 * SQX_FRAGMENT_SLACK, 10, 10), ==,
                   SQX_ERR_NO_MEMORY);
  g_assert_cmpuint (f.counters.fragment_ranges, ==, 1);
  g_assert_cmpint (fragment (&f, 0, 0, 0, 0, 2 * SQX_FRAGMENT_SLACK, 0, 10), ==, SQX_OK);
  f.session.fragment_ranges -= SQX_FRAGMENT_RANGES;
  tear_down (&f);
}

/* What the first frame says, every other must repeat; flags while something is missing. */
static void
test_contradictions (void)
{
  static const struct
  {
    guint flags; uint64_t reply_to, total; gboolean partial, whole;
  } cases[] = {
    { SQX_WIRE_REPLY, 0, 100, TRUE, TRUE },
    { SQX_WIRE_REPLY, 1, 100, FALSE, FALSE },
    { SQX_WIRE_REPLY, 0, 99, FALSE, FALSE },
    { SQX_WIRE_REPLY, 0, 101, FALSE, FALSE },
    { 0, 0, 100, FALSE, FALSE },
    { SQX_WIRE_REPLY | SQX_WIRE_ORDERED, 0, 100, FALSE, TRUE },
    { SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, 100, FALSE, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint whole = 0; whole < 2; whole++)
      {
        Fixture f;
        gboolean legal = whole ? cases[i].whole : cases[i].partial;
        sqx_result result;

        set_up (&f);
        send_message (&f, 0, 1, 0, "a", NULL);
        send_message (&f, 0, 1, 0, "b", NULL);
        fragment (&f, 0, 0, SQX_WIRE_REPLY, 0, 100, 0, whole ? 100 : 10);
        result = fragment (&f, 0, 0, cases[i].flags, cases[i].reply_to, cases[i].total, 0, 5);
        if (legal)
          g_assert_cmpint (result, ==, SQX_OK);
        else
          assert_violation (&f, result, "message that contradicts itself");

        result = cancel (&f, 0, 0, (cases[i].flags & SQX_WIRE_REPLY) != 0, cases[i].reply_to,
                         cases[i].total);
        if (cases[i].whole)
          g_assert_cmpint (result, ==, SQX_OK);
        else
          assert_violation (&f, result, "cancel that contradicts its message");
        tear_down (&f);
      }
}

/* Order -------------------------------------------------------------------------------- */

static void
test_order_gate (void)
{
  Fixture f;

  set_up (&f);
  message (&f, 0, 3, SQX_WIRE_ORDERED, 0, 1);
  message (&f, 0, 1, SQX_WIRE_ORDERED, 0, 1);
  message (&f, 0, 5, SQX_WIRE_ORDERED, 0, 1);
  assert_no_event (&f);
  g_assert_cmpint (incoming (&f, 0, 1)->state, ==, SQX_INCOMING_WHOLE);
  message (&f, 0, 2, 0, 0, 1);
  g_assert_cmpuint (take (&f, 0), ==, 2);
  /* One that is ordered or not opens the gate for all that follow without a gap. */
  message (&f, 0, 0, 0, 0, 1);
  g_assert_cmpuint (take (&f, 0), ==, 0);
  g_assert_cmpuint (take (&f, 0), ==, 1);
  g_assert_cmpuint (take (&f, 0), ==, 3);
  g_assert_null (sqx_handover_next (f.session.channels[0]));
  cancel (&f, 0, 4, false, 0, 1);
  g_assert_cmpuint (take (&f, 0), ==, 5);
  tear_down (&f);
}

/* Initial messages that nobody takes ----------------------------------------------------- */

static void
test_not_accepted (void)
{
  Fixture f;

  set_up (&f);
  f.session.accepts = false;
  message (&f, 0, 0, 0, 0, 1);
  g_assert_cmpint (incoming (&f, 0, 0)->reason, ==, SQX_END_UNHANDLED);
  f.session.closing = true;
  message (&f, 0, 1, 0, 0, 1);
  g_assert_cmpint (incoming (&f, 0, 1)->reason, ==, SQX_END_CLOSING);
  f.session.accepts = true;
  message (&f, 0, 2, 0, 0, 1);
  g_assert_cmpint (incoming (&f, 0, 2)->reason, ==, SQX_END_CLOSING);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.credit.bytes_returned, ==, 3 * (1 + SQX_MESSAGE_OVERHEAD));
  tear_down (&f);
}

/* Replies ------------------------------------------------------------------------------ */

static void
test_stray_replies (void)
{
  Fixture f;
  sqx_message out;

  set_up (&f);
  send_message (&f, 0, 1, SQX_MESSAGE_FINAL, "final", NULL);
  send_message (&f, 0, 1, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 1); /* awaits none */
  message (&f, 0, 1, SQX_WIRE_REPLY, 2, 1); /* never sent */
  message (&f, 0, 2, SQX_WIRE_REPLY, 1, 1);
  message (&f, 0, 3, SQX_WIRE_REPLY, 1, 1); /* answered already */
  message (&f, 1, 0, SQX_WIRE_REPLY, 1, 1); /* of another channel */
  g_assert_cmpuint (f.counters.stray_reply, ==, 4);
  g_assert_cmpuint (f.statistics.replies_delivered, ==, 1);
  for (guint number = 0; number < 4; number += number == 1 ? 2 : 1)
    g_assert_cmpint (incoming (&f, 0, number)->reason, ==, SQX_END_UNHANDLED);
  g_assert_cmpstr (pop_reply (&f, &out), ==, "a");
  g_assert_cmpuint (out.id.number, ==, 2);
  free (out.data);
  assert_no_event (&f);
  /* The final message goes on. */
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  tear_down (&f);
}

static void
test_reply_while_closing (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, 1, 0, "a", NULL);
  sqx_session_close (&f.session, f.now);
  pop_failed (&f, SQX_ERR_CLOSED);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 1);
  g_assert_cmpint (incoming (&f, 0, 0)->reason, ==, SQX_END_CLOSING);
  assert_no_event (&f);
  tear_down (&f);
}

/* Bytes of a reply go back when it is delivered, whoever fetches it when. */
static void
test_reply_credit (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, 1, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 500);
  g_assert_cmpuint (f.session.credit.bytes_returned, ==, 500 + SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (f.session.held, ==, 500);
  tear_down (&f);
}

/* Cancel ------------------------------------------------------------------------------- */

static void
test_cancel_states (void)
{
  Fixture f;

  set_up (&f);
  fragment (&f, 0, 0, 0, 0, 100, 50, 10);
  message (&f, 0, 2, SQX_WIRE_ORDERED, 0, 100);
  message (&f, 1, 0, 0, 0, 100);
  pop_message (&f);
  cancel (&f, 0, 1, false, 0, 100);
  cancel (&f, 0, 2, false, 0, 100);
  cancel (&f, 1, 0, false, 0, 100);
  cancel (&f, 0, 0, false, 0, 100);
  for (guint number = 0; number < 3; number++)
    {
      g_assert_cmpint (incoming (&f, 0, number)->state, ==, SQX_INCOMING_ENDED);
      g_assert_cmpint (incoming (&f, 0, number)->reason, ==, SQX_END_CANCELLED);
    }
  g_assert_cmpint (incoming (&f, 1, 0)->reason, ==, SQX_END_CANCELLED);
  g_assert_cmpuint (sqx_channel_floor (f.session.channels[0]), ==, 3);
  g_assert_cmpuint (f.session.held, ==, 0);
  g_assert_cmpuint (f.session.fragment_ranges, ==, 0);
  g_assert_cmpuint (f.session.credit.bytes_returned, ==, f.session.credit.bytes_seen);
  assert_no_event (&f);

  /* Again, and when its end is settled. */
  cancel (&f, 0, 0, false, 0, 100);
  g_assert_cmpuint (f.counters.stray_cancel, ==, 0);
  flush (&f);
  g_assert_cmpuint (f.session.open_incoming, ==, 0);
  cancel (&f, 0, 0, false, 0, 100);
  g_assert_cmpuint (f.counters.stray_cancel, ==, 1);
  tear_down (&f);
}

static void
test_cancel_taken (void)
{
  Fixture f;

  set_up (&f);
  message (&f, 0, 0, 0, 0, 100);
  pop_message (&f);
  take (&f, 0);
  cancel (&f, 0, 0, false, 0, 100);
  g_assert_cmpuint (pop_cancelled (&f), ==, 0);
  g_assert_cmpint (incoming (&f, 0, 0)->reason, ==, SQX_END_CANCELLED);
  cancel (&f, 0, 0, false, 0, 100);
  assert_no_event (&f);
  tear_down (&f);
}

static void
test_cancel_answered (void)
{
  Fixture f;

  set_up (&f);
  for (guint number = 0; number < 2; number++)
    {
      message (&f, 0, number, 0, 0, 100);
      take (&f, 0);
    }
  pop_message (&f);
  /* An answer that was not begun is dropped; one that was keeps the record. */
  send_message (&f, 0, 10, 0, "begun", incoming (&f, 0, 1));
  submit (&f, 0, 10, 0, "waiting", incoming (&f, 0, 0));
  cancel (&f, 0, 0, false, 0, 100);
  g_assert_cmpuint (pop_cancelled (&f), ==, 0);
  g_assert_cmpstr (pop_end (&f, SQX_END_CANCELLED), ==, "waiting");
  g_assert_cmpint (incoming (&f, 0, 0)->state, ==, SQX_INCOMING_ENDED);
  cancel (&f, 0, 1, false, 0, 100);
  g_assert_cmpuint (pop_cancelled (&f), ==, 1);
  cancel (&f, 0, 1, false, 0, 100);
  assert_no_event (&f);
  g_assert_cmpint (incoming (&f, 0, 1)->state, ==, SQX_INCOMING_TAKEN);
  g_assert_true (incoming (&f, 0, 1)->answer->cancelling);
  tear_down (&f);
}

/* A reply that is taken back counts as END(cancelled) for what it answered. */
static void
test_cancel_reply (void)
{
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 3; i++)
    send_message (&f, 0, 1, i == 2 ? SQX_MESSAGE_FINAL : 0, "a", NULL);
  /* Never seen, and not fetched yet. */
  cancel (&f, 0, 0, true, 0, 100);
  pop_end (&f, SQX_END_CANCELLED);
  message (&f, 0, 1, SQX_WIRE_REPLY, 1, 100);
  cancel (&f, 0, 1, true, 1, 100);
  g_assert_null (incoming (&f, 0, 1)->wait);
  assert_sound (&f);
  pop_end (&f, SQX_END_CANCELLED);
  /* To what awaits none. */
  cancel (&f, 0, 2, true, 2, 100);
  cancel (&f, 0, 3, true, 9, 100);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  g_assert_cmpuint (f.session.held, ==, 0);
  tear_down (&f);
}

/* In a chain of the peer: its unit goes back when the end of the cancelled reply is settled. */
static void
test_cancel_reply_chain (void)
{
  Fixture f;

  set_up (&f);
  message (&f, 0, 0, 0, 0, 100);
  pop_message (&f);
  take (&f, 0);
  send_message (&f, 0, 10, 0, "r", incoming (&f, 0, 0));
  cancel (&f, 0, 1, true, 0, 100);
  pop_end (&f, SQX_END_CANCELLED);
  g_assert_null (incoming (&f, 0, 0));
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 0);
  assert_sound (&f);
  flush (&f);
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 1);
  g_assert_cmpuint (f.session.open_incoming, ==, 0);
  tear_down (&f);
}

/* The reply is taken back, and then the program gives up the wait that it had answered. */
static void
test_cancel_reply_and_wait (void)
{
  Fixture f;
  sqx_outgoing *sent;

  set_up (&f);
  sent = send_message (&f, 0, 10, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 100);
  cancel (&f, 0, 0, true, 0, 100);
  flush (&f);
  g_assert_null (incoming (&f, 0, 0));
  sqx_outgoing_cancel (sent, f.now);
  assert_no_event (&f);
  tear_down (&f);
}

/* The end of the session ----------------------------------------------------------------- */

/* What the program took: it is told if the session is lost, once. What waits for it stays, unless
 * the session is lost; a reply stays in its event. */
static void
test_detach (void)
{
  for (guint lost = 0; lost < 2; lost++)
    {
      Fixture f;
      sqx_message out;

      set_up (&f);
      for (guint number = 0; number < 3; number++)
        message (&f, 0, number, 0, 0, 100);
      pop_message (&f);
      fragment (&f, 0, 3, 0, 0, 100, 0, 10);
      take (&f, 0);
      take (&f, 0);
      send_message (&f, 0, 10, 0, "r", incoming (&f, 0, 1));
      cancel (&f, 0, 1, false, 0, 100);
      g_assert_cmpuint (pop_cancelled (&f), ==, 1);
      send_message (&f, 1, 1, 0, "a", NULL);
      message (&f, 1, 0, SQX_WIRE_REPLY, 0, 100);

      sqx_session_detach (&f.session, SQX_ERR_SESSION_LOST, lost);
      g_assert_cmpuint (f.session.held, ==, 0);
      g_assert_cmpuint (f.session.fragment_ranges, ==, 0);
      g_assert_cmpint (f.refs, ==, 0);
      g_assert_cmpint (sqx_handover_next (f.session.channels[0]) == NULL, ==, lost);

      g_assert_cmpstr (pop_reply (&f, &out), ==, "a");
      g_assert_cmpuint (out.size, ==, 100);
      free (out.data);
      g_assert_cmpstr (pop_failed (&f, SQX_ERR_SESSION_LOST), ==, "r");
      if (lost)
        g_assert_cmpuint (pop_cancelled (&f), ==, 0);
      assert_no_event (&f);
      sqx_session_clear (&f.session);
    }
}

/* What was held back can be taken when nobody can answer any more. */
static void
test_detach_serialized (void)
{
  Fixture f;
  sqx_channel *one;

  set_up (&f);
  one = sqx_session_channel (&f.session, 1);
  sqx_session_open_channel (&f.session, one);
  one->serialized = true;
  message (&f, 1, 0, SQX_WIRE_ORDERED, 0, 10);
  message (&f, 1, 1, SQX_WIRE_ORDERED, 0, 10);
  pop_message (&f);
  take (&f, 1);
  g_assert_null (sqx_handover_next (one));
  sqx_session_detach (&f.session, SQX_ERR_PEER_CLOSED, false);
  g_assert_cmpuint (take (&f, 1), ==, 1);
  sqx_session_clear (&f.session);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/incoming/record", test_record);
  g_test_add_func ("/seqex/incoming/channels", test_channels);
  g_test_add_func ("/seqex/incoming/too-large", test_too_large);
  g_test_add_func ("/seqex/incoming/missing", test_missing);
  g_test_add_func ("/seqex/incoming/credit", test_credit);
  g_test_add_func ("/seqex/incoming/no-memory", test_no_memory);
  g_test_add_func ("/seqex/incoming/no-memory-delivered", test_no_memory_delivered);
  g_test_add_func ("/seqex/incoming/no-memory-first", test_no_memory_first);
  g_test_add_func ("/seqex/incoming/accounts", test_accounts);
  g_test_add_func ("/seqex/incoming/refused-fragments", test_refused_fragments);
  g_test_add_func ("/seqex/incoming/contradictions", test_contradictions);
  g_test_add_func ("/seqex/incoming/order-gate", test_order_gate);
  g_test_add_func ("/seqex/incoming/not-accepted", test_not_accepted);
  g_test_add_func ("/seqex/incoming/stray-replies", test_stray_replies);
  g_test_add_func ("/seqex/incoming/reply-while-closing", test_reply_while_closing);
  g_test_add_func ("/seqex/incoming/reply-credit", test_reply_credit);
  g_test_add_func ("/seqex/incoming/cancel-states", test_cancel_states);
  g_test_add_func ("/seqex/incoming/cancel-taken", test_cancel_taken);
  g_test_add_func ("/seqex/incoming/cancel-answered", test_cancel_answered);
  g_test_add_func ("/seqex/incoming/cancel-reply", test_cancel_reply);
  g_test_add_func ("/seqex/incoming/cancel-reply-chain", test_cancel_reply_chain);
  g_test_add_func ("/seqex/incoming/cancel-reply-and-wait", test_cancel_reply_and_wait);
  g_test_add_func ("/seqex/incoming/detach", test_detach);
  g_test_add_func ("/seqex/incoming/detach-serialized", test_detach_serialized);
  return g_test_run ();
}
