/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

/* A message of the peer that the program has and may answer. */
static sqx_incoming *
taken (Fixture *f,
       guint    channel,
       uint64_t number)
{
  g_assert_cmpint (message (f, channel, number, 0, 0, 10), ==, SQX_OK);
  pop_message (f);
  take (f, 0);
  return incoming (f, channel, number);
}

/* Submitting and beginning ------------------------------------------------------------- */

static void
test_submit (void)
{
  Fixture f;
  sqx_outgoing *first, *second;

  set_up (&f);
  first = submit (&f, 1, 100, SQX_MESSAGE_ORDERED, "a", NULL);
  second = submit (&f, 1, 0, SQX_MESSAGE_FINAL, "b", NULL);
  g_assert_true (first->ordered && !first->final && !first->is_reply && !first->begun);
  g_assert_true (!second->ordered && second->final);
  g_assert_cmpuint (f.session.queued, ==, 2);
  g_assert_cmpuint (f.session.queued_bytes, ==, 100 + 2 * SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (f.session.owed_outgoing, ==, 1);
  g_assert_cmpint (f.refs, ==, 2);
  g_assert_false (sqx_fragments_due (&f.session));
  assert_sound (&f);

  sqx_outgoing_begin_waiting (&f.session);
  g_assert_true (first->begun && second->begun);
  g_assert_cmpuint (first->number, ==, 0);
  g_assert_cmpuint (second->number, ==, 1);
  g_assert_cmpuint (f.session.queued, ==, 0);
  g_assert_cmpuint (f.session.queued_bytes, ==, 0);
  g_assert_cmpuint (f.session.open_outgoing, ==, 2);
  g_assert_cmpuint (f.statistics.messages_sent, ==, 2);
  g_assert_cmpuint (f.statistics.exchanges_started, ==, 2);
  g_assert_cmpuint (f.session.credit.bytes_begun, ==, 100 + 2 * SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (f.session.credit.exchanges_begun, ==, 2);
  tear_down (&f);
}

static void
test_submit_reply (void)
{
  Fixture f;
  sqx_incoming *asked;
  sqx_outgoing *reply;

  set_up (&f);
  asked = taken (&f, 3, 0);
  reply = send_message (&f, 3, 20, 0, "r", asked);
  g_assert_true (reply->is_reply && reply->begun && reply->peer_started);
  g_assert_true (reply->answers == asked && asked->answer == reply);
  g_assert_cmpuint (reply->reply_to, ==, 0);
  g_assert_cmpuint (f.session.owed_outgoing, ==, 1);
  g_assert_cmpuint (f.statistics.messages_sent, ==, 1);
  g_assert_cmpuint (f.statistics.exchanges_started, ==, 0);
  tear_down (&f);
}

static void
test_no_memory (void)
{
  Fixture f;

  set_up (&f);
  fail_count = 1;
  g_assert_null (submit (&f, 0, 10, 0, "a", NULL));
  g_assert_cmpuint (f.session.queued, ==, 0);
  g_assert_cmpint (f.refs, ==, 0);
  assert_sound (&f);

  /* One that cannot begin would never be tried again: the connection must fail. */
  submit (&f, 0, 10, 0, "a", NULL);
  fail_count = 1;
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_cmpuint (fail_count, ==, 0);
  g_assert_cmpuint (f.session.queued, ==, 1);
  g_assert_true (f.session.out_of_memory);
  tear_down_failed (&f);
}

/* By priority, replies first, then by age; a number for each in its channel. */
static void
test_order (void)
{
  Fixture f;
  sqx_outgoing *slow, *urgent, *reply, *old, *young;
  sqx_incoming *asked;

  set_up (&f);
  asked = taken (&f, 1, 0);
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 2), 7);
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 3), 0);
  slow = submit (&f, 2, 10, 0, "slow", NULL);
  old = submit (&f, 1, 10, 0, "old", NULL);
  young = submit (&f, 1, 10, 0, "young", NULL);
  reply = submit (&f, 1, 10, 0, "reply", asked);
  urgent = submit (&f, 3, 10, 0, "urgent", NULL);

  sqx_outgoing_begin_waiting (&f.session);
  g_assert_true (f.session.sending[0].next == &urgent->node);
  g_assert_true (f.session.sending[SQX_PRIORITY_DEFAULT].next == &reply->node);
  g_assert_true (reply->node.next == &old->node);
  g_assert_true (old->node.next == &young->node);
  g_assert_true (f.session.sending[7].next == &slow->node);
  g_assert_cmpuint (reply->number, ==, 0);
  g_assert_cmpuint (old->number, ==, 1);
  g_assert_cmpuint (young->number, ==, 2);
  tear_down (&f);
}

/* One that lacks credit holds up those behind it, of all lower priorities, but no reply. */
static void
test_no_overtaking (void)
{
  Fixture f;
  sqx_outgoing *large, *small, *lower, *reply;
  sqx_incoming *asked;

  set_up (&f);
  asked = taken (&f, 2, 0);
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 2), 5);
  f.session.credit.bytes_limit = MAX_MESSAGE + 1000;
  large = submit (&f, 0, 2000, 0, "large", NULL);
  small = submit (&f, 0, 1, 0, "small", NULL);
  lower = submit (&f, 2, 1, 0, "lower", NULL);
  reply = submit (&f, 2, 1, 0, "reply", asked);
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_false (large->begun || small->begun || lower->begun);
  g_assert_true (reply->begun);
  sqx_credit_peer_grants (&f.session.credit, 2 * MAX_MESSAGE + 3000, 0);
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_true (large->begun && small->begun && lower->begun);
  tear_down (&f);
}

/* A reply that lacks credit holds up everything behind it. */
static void
test_reply_blocks (void)
{
  Fixture f;
  sqx_outgoing *reply, *initial, *lower;

  set_up (&f);
  reply = submit (&f, 1, 500, 0, "reply", taken (&f, 1, 0));
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 2), 5);
  lower = submit (&f, 2, 1, 0, "lower", taken (&f, 2, 0));
  initial = submit (&f, 1, 1, 0, "initial", NULL);
  f.session.credit.bytes_limit = 500;
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_false (reply->begun || initial->begun || lower->begun);
  tear_down (&f);
}

static void
test_early_channels (void)
{
  Fixture f;
  sqx_outgoing *last, *beyond;

  set_up_unknown (&f);
  last = send_message (&f, SQX_EARLY_CHANNELS - 1, 10, 0, "last", NULL);
  beyond = send_message (&f, SQX_EARLY_CHANNELS, 10, 0, "beyond", NULL);
  g_assert_true (last->begun);
  g_assert_false (beyond->begun);
  sqx_session_peer_known (&f.session, MAX_MESSAGE, WINDOW, 100, CHANNELS);
  g_assert_true (beyond->begun);
  tear_down (&f);
}

/* What turns out too large, or for a channel that the peer has not, when its HELLO comes. */
static void
test_check_sizes (void)
{
  Fixture f;
  sqx_outgoing *fits;

  set_up_unknown (&f);
  f.session.credit.exchanges_limit = 0;
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 1), 0);
  submit (&f, 1, MAX_MESSAGE + 1, 0, "urgent", NULL);
  submit (&f, 0, MAX_MESSAGE + 1, 0, "large", NULL);
  fits = submit (&f, 0, MAX_MESSAGE, 0, "fits", NULL);
  submit (&f, 18, 10, 0, "eighteen", NULL);
  submit (&f, 17, 10, 0, "seventeen", NULL);
  sqx_session_peer_known (&f.session, MAX_MESSAGE, WINDOW, 100, 18);
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_TOO_LARGE), ==, "urgent");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_TOO_LARGE), ==, "large");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_INVALID), ==, "eighteen");
  assert_no_event (&f);
  g_assert_true (fits->begun);
  g_assert_cmpuint (f.session.open_outgoing, ==, 2);
  tear_down (&f);
}

/* Answers ------------------------------------------------------------------------------ */

static void
test_ended (void)
{
  Fixture f;

  set_up (&f);
  for (guint reason = 0; reason < 7; reason++)
    {
      sqx_outgoing *sent = send_message (&f, 0, 10, 0, "a", NULL);

      sqx_outgoing_ended (sent, f.now, (uint8_t) reason, true);
      g_assert_cmpstr (pop_end (&f, reason < SQX_N_END_REASONS ? (sqx_end_reason) reason
                                                               : SQX_END_FAILED), ==, "a");
      assert_no_event (&f);
      g_assert_cmpuint (f.session.open_outgoing, ==, 0);
    }
  tear_down (&f);
}

/* The end of a reply settles what it answered, and gives the exchange back, or leaves it to the
 * message that follows. */
static void
test_ended_settles (void)
{
  for (guint over = 0; over < 2; over++)
    {
      Fixture f;
      sqx_outgoing *reply;

      set_up (&f);
      reply = send_message (&f, 1, 10, 0, "r", taken (&f, 1, 0));
      sqx_outgoing_ended (reply, f.now, SQX_END_ENDED, over);
      g_assert_null (incoming (&f, 1, 0));
      g_assert_cmpuint (f.session.open_incoming, ==, 0);
      g_assert_cmpuint (f.session.taken, ==, 0);
      g_assert_cmpuint (f.session.owed_outgoing, ==, 0);
      g_assert_cmpuint (f.session.credit.exchanges_returned, ==, over);
      pop_end (&f, SQX_END_ENDED);
      f.session.credit.exchanges_returned = 1;
      tear_down (&f);
    }
}

static void
test_replied (void)
{
  Fixture f;
  sqx_message reply;

  set_up (&f);
  send_message (&f, 1, 10, 0, "a", NULL);
  g_assert_cmpint (message (&f, 1, 0, SQX_WIRE_REPLY, 0, 33), ==, SQX_OK);
  g_assert_cmpuint (f.session.open_outgoing, ==, 0);
  assert_sound (&f);
  g_assert_cmpstr (pop_reply (&f, &reply), ==, "a");
  g_assert_cmpuint (reply.size, ==, 33);
  g_assert_cmpuint (reply.id.incarnation, ==, 7);
  g_assert_cmpuint (reply.flags, ==, SQX_MESSAGE_REPLY);
  g_assert_cmpuint (f.session.taken, ==, 1);
  free (reply.data);
  tear_down (&f);
}

/* A chain: the reply settles what was answered, and its unit goes on to the reply. */
static void
test_replied_chain (void)
{
  Fixture f;
  sqx_message reply;

  set_up (&f);
  send_message (&f, 1, 10, 0, "a", taken (&f, 1, 0));
  g_assert_cmpint (message (&f, 1, 1, SQX_WIRE_REPLY, 0, 10), ==, SQX_OK);
  g_assert_null (incoming (&f, 1, 0));
  g_assert_true (incoming (&f, 1, 1)->peer_started);
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 0);
  assert_sound (&f);
  g_assert_cmpstr (pop_reply (&f, &reply), ==, "a");
  free (reply.data);
  sqx_handover_end (incoming (&f, 1, 1), f.now, SQX_END_ENDED);
  flush (&f);
  g_assert_cmpuint (f.session.credit.exchanges_returned, ==, 1);
  tear_down (&f);
}

/* After the program gave up, a reply finds nobody. */
static void
test_replied_in_vain (void)
{
  Fixture f;
  sqx_outgoing *sent;
  sqx_incoming *reply;

  set_up (&f);
  sent = send_message (&f, 1, 10, 0, "a", NULL);
  sqx_outgoing_cancel (sent, f.now);
  g_assert_cmpint (message (&f, 1, 0, SQX_WIRE_REPLY, 0, 33), ==, SQX_OK);
  assert_no_event (&f);
  reply = incoming (&f, 1, 0);
  g_assert_cmpint (reply->state, ==, SQX_INCOMING_ENDED);
  g_assert_cmpint (reply->reason, ==, SQX_END_CANCELLED);
  g_assert_cmpuint (f.session.open_outgoing, ==, 0);
  g_assert_true (sqx_list_empty (&f.session.cancels));
  tear_down (&f);
}

/* Giving up ---------------------------------------------------------------------------- */

static void
test_cancel_waiting (void)
{
  Fixture f;
  sqx_outgoing *sent;

  set_up (&f);
  sent = submit (&f, 0, 10, SQX_MESSAGE_FINAL, "a", NULL);
  sqx_outgoing_cancel (sent, f.now);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.queued, ==, 0);
  g_assert_cmpuint (f.session.queued_bytes, ==, 0);
  g_assert_cmpuint (f.session.owed_outgoing, ==, 0);
  g_assert_cmpint (f.refs, ==, 0);
  g_assert_true (sqx_list_empty (&f.session.cancels));
  tear_down (&f);
}

/* A reply that was not begun counts as END(cancelled) for what it answered. */
static void
test_cancel_waiting_reply (void)
{
  Fixture f;
  sqx_incoming *asked;

  set_up (&f);
  asked = taken (&f, 1, 0);
  sqx_outgoing_cancel (submit (&f, 1, 10, 0, "r", asked), f.now);
  assert_no_event (&f);
  g_assert_cmpint (asked->state, ==, SQX_INCOMING_ENDED);
  g_assert_cmpint (asked->reason, ==, SQX_END_CANCELLED);
  g_assert_null (asked->answer);
  tear_down (&f);
}

static void
test_cancel_begun (void)
{
  Fixture f;
  sqx_outgoing *sent;

  set_up (&f);
  sent = send_message (&f, 0, 10, 0, "a", NULL);
  sqx_outgoing_cancel (sent, f.now);
  g_assert_true (sent->cancelling);
  g_assert_cmpint (f.refs, ==, 0);
  g_assert_false (sqx_fragments_due (&f.session));
  g_assert_false (sqx_list_empty (&f.session.cancels));
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  assert_sound (&f);
  g_assert_cmpint (end_run (&f, 0, SQX_END_CANCELLED, 0, 1), ==, SQX_OK);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.open_outgoing, ==, 0);
  g_assert_true (sqx_list_empty (&f.session.cancels));
  tear_down (&f);
}

/* The answer waits in an event that the program does not want any more. */
static void
test_cancel_with_event (void)
{
  Fixture f;
  sqx_outgoing *ended, *replied;

  set_up (&f);
  ended = send_message (&f, 0, 10, 0, "a", NULL);
  replied = send_message (&f, 0, 10, 0, "b", NULL);
  end_run (&f, 0, SQX_END_ENDED, 0, 1);
  message (&f, 0, 0, SQX_WIRE_REPLY, 1, 10);
  sqx_outgoing_cancel (ended, f.now);
  sqx_outgoing_cancel (replied, f.now);
  assert_no_event (&f);
  g_assert_cmpint (incoming (&f, 0, 0)->reason, ==, SQX_END_CANCELLED);
  g_assert_null (incoming (&f, 0, 0)->wait);
  tear_down (&f);
}

/* The same after the session is gone. */
static void
test_cancel_detached (void)
{
  Fixture f;
  sqx_outgoing *failed, *replied;

  set_up (&f);
  replied = send_message (&f, 0, 10, 0, "b", NULL);
  failed = send_message (&f, 0, 10, 0, "a", NULL);
  message (&f, 0, 0, SQX_WIRE_REPLY, 0, 10);
  sqx_session_detach (&f.session, SQX_ERR_TIMED_OUT, false);
  g_assert_cmpint (failed->error, ==, SQX_ERR_TIMED_OUT);
  sqx_outgoing_cancel (replied, f.now);
  sqx_outgoing_cancel (failed, f.now);
  assert_no_event (&f);
  sqx_session_clear (&f.session);
  g_assert_cmpint (f.refs, ==, 0);
}

static void
test_cancel_answer (void)
{
  Fixture f;
  sqx_incoming *asked;
  sqx_outgoing *reply;

  set_up (&f);
  /* Not begun: dropped, and the program is told. */
  asked = taken (&f, 1, 0);
  reply = submit (&f, 1, 10, 0, "r", asked);
  sqx_outgoing_cancel_answer (reply);
  g_assert_null (asked->answer);
  g_assert_cmpstr (pop_end (&f, SQX_END_CANCELLED), ==, "r");
  g_assert_cmpint (asked->state, ==, SQX_INCOMING_TAKEN);
  g_assert_cmpuint (f.session.queued, ==, 0);

  /* Begun: cancelled at the peer, and told when its end comes. */
  reply = send_message (&f, 1, 10, 0, "s", asked);
  sqx_outgoing_cancel_answer (reply);
  g_assert_false (sqx_list_empty (&f.session.cancels));
  flush (&f);
  sqx_outgoing_cancel_answer (reply);
  g_assert_true (sqx_list_empty (&f.session.cancels));
  assert_no_event (&f);
  g_assert_true (asked->answer == reply);
  end_run (&f, 1, SQX_END_CANCELLED, 0, 1);
  g_assert_cmpstr (pop_end (&f, SQX_END_CANCELLED), ==, "s");
  tear_down (&f);
}

/* The program had its word already: nobody else remembers the record. */
static void
test_cancel_answer_told (void)
{
  Fixture f;
  sqx_outgoing *reply;

  set_up (&f);
  reply = submit (&f, 1, 10, 0, "r", taken (&f, 1, 0));
  sqx_outgoing_close (&f.session);
  pop_failed (&f, SQX_ERR_CLOSED);
  sqx_outgoing_cancel_answer (reply);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.queued, ==, 0);
  tear_down (&f);
}

/* One word, whichever comes first. */
static void
test_told_once (void)
{
  Fixture f;
  sqx_outgoing *sent;

  set_up (&f);
  sent = send_message (&f, 0, 10, 0, "a", NULL);
  sqx_outgoing_fail (sent, SQX_ERR_CLOSED);
  sqx_outgoing_fail (sent, SQX_ERR_PROTOCOL);
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "a");
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  end_run (&f, 0, SQX_END_ENDED, 0, 1);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.open_outgoing, ==, 0);

  sent = send_message (&f, 0, 10, 0, "b", NULL);
  sqx_outgoing_fail (sent, SQX_ERR_CLOSED);
  sqx_outgoing_detach (sent, SQX_ERR_PROTOCOL);
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "b");
  assert_no_event (&f);
  tear_down (&f);
}

static void
test_close (void)
{
  Fixture f;
  sqx_outgoing *waiting_reply;

  set_up (&f);
  send_message (&f, 0, 10, 0, "begun", NULL);
  send_message (&f, 0, 10, SQX_MESSAGE_FINAL, "final", NULL);
  send_message (&f, 0, 10, 0, "second", NULL);
  send_message (&f, 1, 10, 0, "reply", taken (&f, 1, 0));
  f.session.credit.bytes_limit = 0;
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 3), 0);
  submit (&f, 3, 10, 0, "urgent", NULL);
  submit (&f, 2, 10, 0, "waiting", NULL);
  submit (&f, 2, 10, SQX_MESSAGE_FINAL, "waiting-final", NULL);
  waiting_reply = submit (&f, 1, 10, 0, "waiting-reply", taken (&f, 1, 1));
  submit (&f, 1, 10, SQX_MESSAGE_FINAL, "last-reply", taken (&f, 1, 2));

  sqx_outgoing_close (&f.session);
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "urgent");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "waiting");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "waiting-final");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "waiting-reply");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "begun");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "second");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_CLOSED), ==, "reply");
  assert_no_event (&f);
  /* The replies are still owed, and so is the receipt of what is final. */
  g_assert_cmpuint (f.session.queued, ==, 2);
  g_assert_cmpuint (f.session.owed_outgoing, ==, 4);
  assert_sound (&f);
  sqx_credit_peer_grants (&f.session.credit, WINDOW, 0);
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_true (waiting_reply->begun);
  tear_down (&f);
}

/* What waits keeps its place by age among what is there already. */
static void
test_change_priority (void)
{
  Fixture f;
  sqx_outgoing *first, *second, *third, *fourth, *reply;

  set_up (&f);
  reply = submit (&f, 1, 10, 0, "r", taken (&f, 1, 0));
  f.session.credit.exchanges_limit = 0;
  sqx_outgoing_change_priority (&f.session, sqx_session_channel (&f.session, 2), 1);
  first = submit (&f, 1, 10, 0, "1", NULL);
  second = submit (&f, 2, 10, 0, "2", NULL);
  third = submit (&f, 1, 10, 0, "3", NULL);
  fourth = submit (&f, 2, 10, 0, "4", NULL);
  submit (&f, 0, 10, 0, "other", NULL);
  sqx_outgoing_change_priority (&f.session, f.session.channels[1], 1);
  sqx_outgoing_change_priority (&f.session, f.session.channels[1], 1);
  assert_sound (&f);
  g_assert_true (f.session.waiting[1][0].next == &reply->node);
  g_assert_true (f.session.waiting[1][1].next == &first->node);
  g_assert_true (first->node.next == &second->node);
  g_assert_true (second->node.next == &third->node);
  g_assert_true (third->node.next == &fourth->node);
  g_assert_true (fourth->node.next == &f.session.waiting[1][1]);
  tear_down (&f);
}

/* What is being sent moves along; the cancels have no priority. */
static void
test_change_priority_sending (void)
{
  Fixture f;
  sqx_outgoing *sent, *cancelled;

  set_up (&f);
  sent = send_message (&f, 1, 10, 0, "1", NULL);
  cancelled = send_message (&f, 1, 10, 0, "2", NULL);
  sqx_outgoing_cancel (cancelled, f.now);
  sqx_outgoing_change_priority (&f.session, f.session.channels[1], 7);
  g_assert_true (sqx_list_first (&f.session.sending[7]) == &sent->node);
  g_assert_true (sqx_list_first (&f.session.cancels) == &cancelled->node);
  g_assert_true (sqx_list_empty (&f.session.sending[SQX_PRIORITY_DEFAULT]));
  flush (&f);
  assert_sound (&f);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/outgoing/submit", test_submit);
  g_test_add_func ("/seqex/outgoing/submit-reply", test_submit_reply);
  g_test_add_func ("/seqex/outgoing/no-memory", test_no_memory);
  g_test_add_func ("/seqex/outgoing/order", test_order);
  g_test_add_func ("/seqex/outgoing/no-overtaking", test_no_overtaking);
  g_test_add_func ("/seqex/outgoing/reply-blocks", test_reply_blocks);
  g_test_add_func ("/seqex/outgoing/early-channels", test_early_channels);
  g_test_add_func ("/seqex/outgoing/check-sizes", test_check_sizes);
  g_test_add_func ("/seqex/outgoing/ended", test_ended);
  g_test_add_func ("/seqex/outgoing/ended-settles", test_ended_settles);
  g_test_add_func ("/seqex/outgoing/replied", test_replied);
  g_test_add_func ("/seqex/outgoing/replied-chain", test_replied_chain);
  g_test_add_func ("/seqex/outgoing/replied-in-vain", test_replied_in_vain);
  g_test_add_func ("/seqex/outgoing/cancel-waiting", test_cancel_waiting);
  g_test_add_func ("/seqex/outgoing/cancel-waiting-reply", test_cancel_waiting_reply);
  g_test_add_func ("/seqex/outgoing/cancel-begun", test_cancel_begun);
  g_test_add_func ("/seqex/outgoing/cancel-with-event", test_cancel_with_event);
  g_test_add_func ("/seqex/outgoing/cancel-detached", test_cancel_detached);
  g_test_add_func ("/seqex/outgoing/cancel-answer", test_cancel_answer);
  g_test_add_func ("/seqex/outgoing/cancel-answer-told", test_cancel_answer_told);
  g_test_add_func ("/seqex/outgoing/told-once", test_told_once);
  g_test_add_func ("/seqex/outgoing/close", test_close);
  g_test_add_func ("/seqex/outgoing/change-priority", test_change_priority);
  g_test_add_func ("/seqex/outgoing/change-priority-sending", test_change_priority_sending);
  return g_test_run ();
}
