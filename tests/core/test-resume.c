/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A session gets another link: what is sent again, and what need not be.
 */
#include "session-fixture.h"

#include "sqx-outgoing.h"
#include "sqx-resume.h"

#define FRAGMENTED 3000u

/* A RECEIVED of the peer. */
static sqx_result
received (Fixture *f,
          uint64_t channel_field,
          uint64_t first,
          uint64_t run)
{
  uint8_t buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_runs_writer runs;
  sqx_frame frame;

  g_assert_true (sqx_received_writer_begin (&runs, &writer, channel_field));
  g_assert_true (sqx_runs_writer_add (&runs, &writer, first, run));
  sqx_runs_writer_finish (&runs, &writer);
  g_assert_true (sqx_decode_frame (&(sqx_reader) { buffer, buffer + writer.size }, &frame));
  return take_in (f, &frame);
}

/* Packs and forgets, as on a link that dies: @n packets. */
static void
send_in_vain (Fixture *f,
              guint    n)
{
  for (guint i = 0; i < n; i++)
    {
      Packed packed;

      pack (f, &packed, PACKET);
      packed_lost (f, &packed);
      packed_clear (&packed);
    }
}

/* Everything that goes out now is appended to @frames and @bytes, and acknowledged if @ack. */
static void
send_all (Fixture *f,
          GString *text,
          gboolean ack)
{
  Packed packed;

  while (pack (f, &packed, PACKET) > 0)
    {
      for (guint i = 0; i < packed.frames->len; i++)
        {
          const sqx_frame *frame = FRAME (&packed, i);

          if (frame->type == SQX_FRAME_MESSAGE)
            g_string_append_printf (text, "m%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT "@%"
                                    G_GUINT64_FORMAT "+%" G_GSIZE_FORMAT " ",
                                    frame->message.channel / 2, frame->message.number,
                                    frame->message.offset, frame->message.size);
          else
            g_string_append_printf (text, "%s ", frame->type == SQX_FRAME_CREDIT     ? "credit"
                                                 : frame->type == SQX_FRAME_RECEIVED ? "received"
                                                 : frame->type == SQX_FRAME_END      ? "end"
                                                 : frame->type == SQX_FRAME_CANCEL   ? "cancel"
                                                                                     : "other");
        }
      if (ack)
        packed_acked (f, &packed);
      packed_clear (&packed);
    }
  g_strchomp (text->str);
}

static void
assert_sends (Fixture    *f,
              const char *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);

  send_all (f, text, TRUE);
  g_assert_cmpstr (text->str, ==, expected);
}

/* The bytes of @number that are sent now, from the first to the last. */
static uint64_t
sends_bytes_of (Fixture *f,
                uint64_t number)
{
  Packed packed;
  uint64_t bytes = 0;

  while (pack (f, &packed, PACKET) > 0)
    {
      for (guint i = 0; i < packed.frames->len; i++)
        if (FRAME (&packed, i)->type == SQX_FRAME_MESSAGE &&
            FRAME (&packed, i)->message.number == number)
          bytes += FRAME (&packed, i)->message.size;
      packed_acked (f, &packed);
      packed_clear (&packed);
    }
  return bytes;
}

/* Sending again ------------------------------------------------------------------------ */

static void
test_resends (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, 10, 0, "a", NULL); /* arrived */
  flush (&f);
  send_message (&f, 0, 20, 0, "b", NULL); /* on its way */
  send_message (&f, 3, 0, 0, "c", NULL);  /* likewise, and empty */
  send_in_vain (&f, 1);
  send_message (&f, 0, 30, 0, "d", NULL); /* begun, never sent */
  sqx_resume_begin (&f.session);
  assert_sound (&f);
  assert_sends (&f, "credit m0.1@0+20 m3.0@0+0 m0.2@0+30");
  assert_sends (&f, "");
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

/* The peer need not have kept a part of a message from the link before, so all of it goes again,
 * and what was acknowledged before does not count. */
static void
test_partial (void)
{
  Packed first, rest;
  sqx_outgoing *sent;
  Fixture f;

  set_up (&f);
  sent = send_message (&f, 0, FRAGMENTED, 0, "a", NULL);
  pack (&f, &first, PACKET);
  packed_acked (&f, &first);
  packed_clear (&first);
  send_in_vain (&f, 1);
  g_assert_cmpuint (sent->acked.count, ==, 1);
  sqx_resume_begin (&f.session);
  assert_sound (&f);

  pack (&f, &first, PACKET);
  g_assert_cmpuint (FRAME (&first, 1)->message.offset, ==, 0);
  while (pack (&f, &rest, PACKET) > 0)
    {
      packed_acked (&f, &rest);
      packed_clear (&rest);
    }
  packed_clear (&rest);
  g_assert_cmpint (f.refs, ==, 1);
  packed_acked (&f, &first);
  packed_clear (&first);
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

/* Each link that dies begins the message anew, and bytes that were never sent are sent once. */
static void
test_again_and_again (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, FRAGMENTED, 0, "a", NULL);
  for (guint i = 0; i < 3; i++)
    {
      send_in_vain (&f, 2);
      sqx_resume_begin (&f.session);
      assert_sound (&f);
    }
  g_assert_cmpuint (sends_bytes_of (&f, 0), ==, FRAGMENTED);
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

/* Ends and cancels that were acknowledged are settled, the others go again. */
static void
test_ends_and_cancels (void)
{
  sqx_outgoing *sent[2];
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 2; i++)
    {
      message (&f, 0, i, 0, 0, 10);
      pop_message (&f);
      take (&f, 0);
      sent[i] = send_message (&f, 0, 10, 0, "a", NULL);
    }
  flush (&f);

  sqx_handover_end (incoming (&f, 0, 0), f.now, SQX_END_ENDED);
  sqx_outgoing_cancel (sent[0], f.now);
  f.now += SQX_SECOND;
  flush (&f);
  sqx_handover_end (incoming (&f, 0, 1), f.now, SQX_END_ENDED);
  sqx_outgoing_cancel (sent[1], f.now);
  f.now += SQX_SECOND;
  send_in_vain (&f, 1);

  sqx_resume_begin (&f.session);
  assert_sound (&f);
  /* The second message is ended and not acknowledged, so nothing is left to be told as received. */
  assert_sends (&f, "credit cancel end");
  for (guint i = 0; i < 2; i++)
    g_assert_cmpint (end_run (&f, 0, SQX_END_CANCELLED, i, 1), ==, SQX_OK);
  tear_down (&f);
}

/* CREDIT goes first even if the last one arrived: what HELLO says now was spent long ago, and who
 * resumes with less than it was granted would wait for ever. */
static void
test_credit_first (void)
{
  Packed packed;
  Fixture f;

  set_up (&f);
  message (&f, 0, 0, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);
  send_message (&f, 0, 10, 0, "a", NULL);
  send_in_vain (&f, 1);
  sqx_resume_begin (&f.session);
  g_assert_true (sqx_session_due (&f.session, f.now));
  g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 3);
  g_assert_cmpuint (FRAME (&packed, 0)->type, ==, SQX_FRAME_CREDIT);
  g_assert_cmpuint (FRAME (&packed, 0)->credit.bytes, ==, WINDOW + 10 + SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (FRAME (&packed, 0)->credit.exchanges, ==, f.config.exchange_credit);
  g_assert_cmpuint (FRAME (&packed, 1)->type, ==, SQX_FRAME_RECEIVED);
  g_assert_cmpuint (FRAME (&packed, 2)->type, ==, SQX_FRAME_MESSAGE);
  packed_acked (&f, &packed);
  packed_clear (&packed);
  tear_down (&f);
}

/* RECEIVED, told ----------------------------------------------------------------------- */

/* All runs that RECEIVED frames told, as "channel:first+run ". */
static void
collect_runs (Packed  *packed,
              GString *text)
{
  for (guint i = 0; i < packed->frames->len; i++)
    {
      const sqx_frame *frame = FRAME (packed, i);
      sqx_runs runs = frame->received.runs;
      uint64_t first, run;

      if (frame->type != SQX_FRAME_RECEIVED)
        continue;
      while (sqx_runs_next (&runs, &first, &run))
        g_string_append_printf (text, "%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT "+%"
                                G_GUINT64_FORMAT " ", frame->received.channel, first, run);
    }
}

static void
assert_tells (Fixture    *f,
              const char *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);
  Packed packed;

  while (pack (f, &packed, PACKET) > 0)
    {
      collect_runs (&packed, text);
      packed_acked (f, &packed);
      packed_clear (&packed);
    }
  packed_clear (&packed);
  g_assert_cmpstr (g_strchomp (text->str), ==, expected);
}

static void
test_tells_nothing (void)
{
  Fixture f;

  set_up (&f);
  sqx_resume_begin (&f.session);
  g_assert_false (sqx_resume_due (&f.session));
  assert_tells (&f, "");

  /* A part is nothing that the peer may count on. */
  fragment (&f, 0, 0, 0, 0, 100, 0, 50);
  sqx_resume_begin (&f.session);
  assert_tells (&f, "");
  g_assert_false (sqx_resume_due (&f.session));
  tear_down (&f);
}

/* Whole messages in every state, and runs that end where they must. */
static void
test_tells_runs (void)
{
  Fixture f;

  set_up (&f);
  for (guint number = 0; number < 3; number++)
    message (&f, 0, number, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);                                         /* 0 taken, 1 and 2 ready */
  fragment (&f, 0, 3, 0, 0, 100, 0, 50);                /* 3 partial */
  message (&f, 0, 4, SQX_WIRE_ORDERED, 0, 10);          /* 4 whole, waits for 3 */
  message (&f, 0, 6, 0, 0, 10);                         /* 5 never seen */
  message (&f, 0, 7, 0, 0, 10);
  message (&f, 2, 9, 0, 0, 10);
  fragment (&f, 4, 0, 0, 0, 100, 0, 50);                /* nothing of channel 4 */
  message (&f, CHANNELS - 1, 0, 0, 0, 10);
  sqx_resume_begin (&f.session);
  assert_tells (&f, "0:0+3 0:4+1 0:6+2 4:9+1 38:0+1");
  g_assert_false (sqx_resume_due (&f.session));
  tear_down (&f);
}

/* What is ended says so by its end, which goes again until it is acknowledged. */
static void
test_tells_no_ends (void)
{
  Fixture f;

  set_up (&f);
  for (guint number = 0; number < 3; number++)
    message (&f, 0, number, 0, 0, 10);
  pop_message (&f);
  for (guint number = 0; number < 3; number++)
    take (&f, 0);
  sqx_handover_end (incoming (&f, 0, 1), f.now, SQX_END_ENDED);
  send_in_vain (&f, 1);
  sqx_resume_begin (&f.session);
  assert_tells (&f, "0:0+1 0:2+1");
  tear_down (&f);
}

/* Makes as many runs as there may be numbers left out. */
static guint
make_runs (Fixture *f,
           GString *expected)
{
  const guint n = 40;

  for (guint channel = 0; channel < 2; channel++)
    for (guint i = 0; i < n; i++)
      {
        g_assert_cmpint (message (f, channel * 7, 2 * i + 1, 0, 0, 1), ==, SQX_OK);
        g_string_append_printf (expected, "%u:%u+1 ", channel * 14, 2 * i + 1);
      }
  g_strchomp (expected->str);
  return 2 * n;
}

static void
test_tells_in_several_packets (void)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  guint packets = 0;
  Packed packed;
  Fixture f;

  set_up (&f);
  make_runs (&f, expected);
  sqx_resume_begin (&f.session);
  while (sqx_resume_due (&f.session))
    {
      g_assert_cmpuint (pack (&f, &packed, 48), >, 0);
      collect_runs (&packed, text);
      packed_acked (&f, &packed);
      packed_clear (&packed);
      g_assert_cmpuint (packets++, <, 80);
    }
  g_assert_cmpuint (packets, >, 3);
  g_assert_cmpstr (g_strchomp (text->str), ==, g_strchomp (expected->str));
  tear_down (&f);
}

static void
test_lost_begins_anew (void)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  Packed first, second;
  Fixture f;

  set_up (&f);
  make_runs (&f, expected);
  sqx_resume_begin (&f.session);
  pack (&f, &first, 48);
  pack (&f, &second, 48);
  packed_lost (&f, &first);
  packed_acked (&f, &second);
  packed_clear (&first);
  packed_clear (&second);
  assert_tells (&f, g_strchomp (expected->str));

  /* Also after the last one went out. */
  sqx_resume_begin (&f.session);
  pack (&f, &first, PACKET);
  g_assert_false (sqx_resume_due (&f.session));
  packed_lost (&f, &first);
  packed_clear (&first);
  g_assert_true (sqx_resume_due (&f.session));
  assert_tells (&f, expected->str);
  tear_down (&f);
}

/* What changes while the list goes out harms nobody. */
static void
test_changes_meanwhile (void)
{
  g_autoptr (GString) expected = g_string_new (NULL);
  Packed packed;
  Fixture f;

  set_up (&f);
  make_runs (&f, expected);
  sqx_resume_begin (&f.session);
  pack (&f, &packed, 48);
  packed_clear (&packed);
  pop_message (&f);
  for (guint i = 0; i < 80; i++)
    {
      uint64_t number = take (&f, 0);

      sqx_handover_end (incoming (&f, i < 40 ? 0 : 7, number), f.now, SQX_END_ENDED);
    }
  flush (&f);
  assert_sound (&f);
  g_assert_false (sqx_resume_due (&f.session));
  g_assert_cmpuint (f.session.open_incoming, ==, 0);
  tear_down (&f);
}

/* RECEIVED, heard ---------------------------------------------------------------------- */

static void
test_hears (void)
{
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 4; i++)
    send_message (&f, 0, 10, 0, "a", NULL);
  send_message (&f, 1, FRAGMENTED, 0, "b", NULL);
  send_in_vain (&f, 4);
  sqx_resume_begin (&f.session);
  g_assert_cmpint (f.refs, ==, 5);
  g_assert_cmpint (received (&f, 0, 0, 2), ==, SQX_OK);
  g_assert_cmpint (received (&f, 0, 3, 1), ==, SQX_OK);
  g_assert_cmpint (received (&f, 2, 0, 1), ==, SQX_OK);
  assert_sound (&f);
  g_assert_cmpint (f.refs, ==, 1);
  assert_sends (&f, "credit m0.2@0+10");

  /* They are received, not answered. */
  assert_no_event (&f);
  g_assert_cmpuint (f.session.open_outgoing, ==, 5);
  /* Again, and for what was answered: nothing. */
  g_assert_cmpint (received (&f, 0, 0, 4), ==, SQX_OK);
  g_assert_cmpint (end_run (&f, 0, SQX_END_ENDED, 0, 4), ==, SQX_OK);
  g_assert_cmpint (received (&f, 0, 0, 4), ==, SQX_OK);
  tear_down (&f);
}

/* In the middle of being sent, and while it is being cancelled. */
static void
test_hears_early (void)
{
  sqx_outgoing *sent;
  Packed packed;
  Fixture f;

  set_up (&f);
  sent = send_message (&f, 0, FRAGMENTED, 0, "a", NULL);
  pack (&f, &packed, PACKET);
  g_assert_cmpint (received (&f, 0, 0, 1), ==, SQX_OK);
  g_assert_cmpint (f.refs, ==, 0);
  assert_sound (&f);
  /* What becomes of the packet matters no more. */
  packed_lost (&f, &packed);
  packed_acked (&f, &packed);
  packed_clear (&packed);
  assert_sends (&f, "");

  sqx_outgoing_cancel (sent, f.now);
  g_assert_cmpint (received (&f, 0, 0, 1), ==, SQX_OK);
  assert_sound (&f);
  assert_sends (&f, "cancel");
  g_assert_cmpint (end_run (&f, 0, SQX_END_CANCELLED, 0, 1), ==, SQX_OK);
  tear_down (&f);
}

static void
assert_refused (uint64_t channel_field,
                uint64_t first,
                uint64_t run)
{
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 3; i++)
    send_message (&f, 1, 10, 0, "a", NULL);
  submit (&f, 1, 10, 0, "waits", NULL);
  g_assert_cmpint (received (&f, channel_field, first, run), ==, SQX_ERR_PROTOCOL);
  g_assert_nonnull (f.session.violation);
  tear_down_failed (&f);
}

static void
test_never_sent (void)
{
  assert_refused (2, 3, 1);
  assert_refused (2, 0, 4);
  assert_refused (2, 2, SQX_VARINT_MAX - 2);
  assert_refused (2, SQX_VARINT_MAX, 1);
  /* A channel that was never used, one that does not exist, a stream. */
  assert_refused (4, 0, 1);
  assert_refused (2 * CHANNELS, 0, 1);
  assert_refused (SQX_VARINT_MAX - 1, 0, 1);
  assert_refused (3, 0, 1);
}

/* A run costs what is open in it, not its length. */
static void
test_cost (void)
{
  const uint64_t far = UINT64_C (1) << 50;
  Fixture f;

  set_up (&f);
  sqx_session_channel (&f.session, 1)->next_number = far;
  send_message (&f, 1, 10, 0, "a", NULL);
  for (guint i = 0; i < 100000; i++)
    g_assert_cmpint (received (&f, 2, 0, far), ==, SQX_OK);
  g_assert_cmpint (f.refs, ==, 1);
  g_assert_cmpint (received (&f, 2, 0, far + 1), ==, SQX_OK);
  g_assert_cmpint (f.refs, ==, 0);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/resume/resends", test_resends);
  g_test_add_func ("/seqex/resume/partial", test_partial);
  g_test_add_func ("/seqex/resume/again-and-again", test_again_and_again);
  g_test_add_func ("/seqex/resume/ends-and-cancels", test_ends_and_cancels);
  g_test_add_func ("/seqex/resume/credit-first", test_credit_first);
  g_test_add_func ("/seqex/resume/tells-nothing", test_tells_nothing);
  g_test_add_func ("/seqex/resume/tells-runs", test_tells_runs);
  g_test_add_func ("/seqex/resume/tells-no-ends", test_tells_no_ends);
  g_test_add_func ("/seqex/resume/tells-in-several-packets", test_tells_in_several_packets);
  g_test_add_func ("/seqex/resume/lost-begins-anew", test_lost_begins_anew);
  g_test_add_func ("/seqex/resume/changes-meanwhile", test_changes_meanwhile);
  g_test_add_func ("/seqex/resume/hears", test_hears);
  g_test_add_func ("/seqex/resume/hears-early", test_hears_early);
  g_test_add_func ("/seqex/resume/never-sent", test_never_sent);
  g_test_add_func ("/seqex/resume/cost", test_cost);
  return g_test_run ();
}
