/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "session-fixture.h"

/* Frames ------------------------------------------------------------------------------- */

static void
test_ends (void)
{
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < 5; i++)
    send_message (&f, 1, 10, 0, "a", NULL);
  /* The open ones of a run, whatever is not open in it. */
  g_assert_cmpint (end_run (&f, 1, SQX_END_FAILED, 1, 1), ==, SQX_OK);
  g_assert_cmpint (end_run (&f, 1, SQX_END_ENDED, 0, 4), ==, SQX_OK);
  pop_end (&f, SQX_END_FAILED);
  for (guint i = 0; i < 3; i++)
    pop_end (&f, SQX_END_ENDED);
  assert_no_event (&f);
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  g_assert_cmpuint (f.counters.stray_end, ==, 0);
  g_assert_cmpint (end_run (&f, 1, SQX_END_ENDED, 0, 4), ==, SQX_OK);
  g_assert_cmpuint (f.counters.stray_end, ==, 1);
  assert_sound (&f);
  tear_down (&f);
}

static void
test_end_of_unsent (void)
{
  static const struct { guint channel; uint64_t first, run; gboolean legal; } cases[] = {
    { 1, 0, 2, TRUE }, { 1, 1, 1, TRUE }, { 1, 2, 1, FALSE }, { 1, 0, 3, FALSE },
    { 1, 0, SQX_VARINT_MAX, FALSE }, { 1, SQX_VARINT_MAX, 1, FALSE }, { 0, 0, 1, FALSE },
    { 2, 0, 1, FALSE }, { CHANNELS, 0, 1, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f;
      sqx_result result;

      set_up (&f);
      send_message (&f, 1, 10, 0, "a", NULL);
      send_message (&f, 1, 10, 0, "b", NULL);
      result = end_run (&f, cases[i].channel, SQX_END_ENDED, cases[i].first, cases[i].run);
      g_assert_cmpint (result, ==, cases[i].legal ? SQX_OK : SQX_ERR_PROTOCOL);
      if (!cases[i].legal)
        {
          g_assert_cmpstr (f.session.violation, ==, "end of a message that was never sent");
          g_assert_cmpuint (f.session.open_outgoing, ==, 2);
        }
      tear_down (&f);
    }
}

/* A stream's channel field is no channel's. */
static void
test_end_of_stream (void)
{
  static const uint8_t bytes[] = { SQX_FRAME_END, 3, 0, 1, 0, 1 };
  sqx_reader reader = { bytes, bytes + sizeof bytes };
  sqx_frame frame;
  Fixture f;

  set_up (&f);
  send_message (&f, 1, 10, 0, "a", NULL);
  g_assert_true (sqx_decode_frame (&reader, &frame));
  g_assert_cmpint (take_in (&f, &frame), ==, SQX_ERR_PROTOCOL);
  g_assert_cmpuint (f.session.open_outgoing, ==, 1);
  tear_down (&f);
}

static void
test_credit (void)
{
  Fixture f;
  sqx_frame frame = { .type = SQX_FRAME_CREDIT, .credit = { 5 * WINDOW, 0 } };
  sqx_outgoing *waiting;

  set_up (&f);
  f.session.credit.bytes_limit = 0;
  waiting = send_message (&f, 0, 10, 0, "a", NULL);
  g_assert_false (waiting->begun);
  g_assert_cmpint (take_in (&f, &frame), ==, SQX_OK);
  g_assert_true (waiting->begun);
  tear_down (&f);
}

static void
test_foreign_frames (void)
{
  static const guint types[] = {
    SQX_FRAME_PADDING, SQX_FRAME_PING, SQX_FRAME_ACK, SQX_FRAME_CLOSE, SQX_FRAME_HELLO,
    SQX_FRAME_DATAGRAM,
  };
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      sqx_frame frame = { .type = types[i] };

      f.session.violation = NULL;
      g_assert_cmpint (take_in (&f, &frame), ==, SQX_ERR_PROTOCOL);
      g_assert_cmpstr (f.session.violation, ==, "frame of no session");
    }
  tear_down (&f);
}

/* Packets ------------------------------------------------------------------------------ */

/* Each kind of frame alone is a reason to send; all go into one packet. */
static void
test_due (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  g_assert_false (sqx_session_due (&f.session, SQX_TIME_NEVER - 1));
  g_assert_cmpuint (sqx_session_deadline (&f.session), ==, SQX_TIME_NEVER);

  send_message (&f, 0, 10, 0, "a", NULL);
  g_assert_true (sqx_session_due (&f.session, 0));
  flush (&f);
  g_assert_false (sqx_session_due (&f.session, SQX_TIME_NEVER - 1));

  sqx_outgoing_cancel (send_message (&f, 0, 10, 0, "b", NULL), f.now);
  g_assert_true (sqx_session_due (&f.session, 0));
  flush (&f);
  g_assert_false (sqx_session_due (&f.session, SQX_TIME_NEVER - 1));

  f.session.credit.urgent = true;
  g_assert_true (sqx_session_due (&f.session, 0));
  g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 1);
  g_assert_cmpuint (FRAME (&packed, 0)->type, ==, SQX_FRAME_CREDIT);
  g_assert_cmpuint (FRAME (&packed, 0)->credit.bytes, ==, WINDOW);
  g_assert_cmpuint (FRAME (&packed, 0)->credit.exchanges, ==, 100);
  g_assert_cmpuint (packed.packet.records[0].number, ==, f.session.credit.serial);
  packed_clear (&packed);

  message (&f, 0, 0, SQX_WIRE_FINAL, 0, 10);
  take (&f, 0);
  g_assert_true (sqx_session_due (&f.session, 0));
  send_message (&f, 0, 10, 0, "c", NULL);
  sqx_outgoing_cancel (send_message (&f, 0, 10, 0, "d", NULL), f.now);
  f.session.credit.urgent = true;
  g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 4);
  g_assert_cmpuint (FRAME (&packed, 0)->type, ==, SQX_FRAME_CREDIT);
  g_assert_cmpuint (FRAME (&packed, 1)->type, ==, SQX_FRAME_CANCEL);
  g_assert_cmpuint (FRAME (&packed, 2)->type, ==, SQX_FRAME_END);
  g_assert_cmpuint (FRAME (&packed, 3)->type, ==, SQX_FRAME_MESSAGE);
  g_assert_false (sqx_session_due (&f.session, f.now));

  /* And what was lost is due again. */
  packed_lost (&f, &packed);
  assert_sound (&f);
  packed_clear (&packed);
  g_assert_cmpuint (pack (&f, &packed, PACKET), ==, 4);
  packed_clear (&packed);
  tear_down (&f);
}

/* ENDs wait for company, unless somebody waits for units of exchange credit. */
static void
test_ends_awaited (void)
{
  Fixture f;
  sqx_channel *channel;

  set_up (&f);
  channel = sqx_session_find_channel (&f.session, 0);
  sqx_ends_add (&f.session.ends, channel, SQX_END_ENDED, 0, SQX_TIME_NEVER - 1);
  for (guint i = 0; i < 100; i++)
    send_message (&f, 0, 10, SQX_MESSAGE_FINAL, "a", NULL);
  f.session.ends.deadline = SQX_TIME_NEVER;
  flush (&f);

  /* All units are used, but nobody waits for more. */
  sqx_ends_add (&f.session.ends, channel, SQX_END_ENDED, 0, SQX_TIME_NEVER - 1);
  g_assert_false (sqx_session_starves (&f.session));
  g_assert_false (sqx_session_due (&f.session, f.now));
  send_message (&f, 0, 10, SQX_MESSAGE_FINAL, "b", NULL);
  g_assert_true (sqx_session_starves (&f.session));
  g_assert_true (sqx_session_due (&f.session, f.now));
  g_assert_cmpuint (sqx_session_deadline (&f.session), <=, f.now);
  flush (&f);
  g_assert_true (sqx_session_starves (&f.session));
  g_assert_false (sqx_session_due (&f.session, f.now));

  /* What waits for something else. */
  sqx_ends_add (&f.session.ends, channel, SQX_END_ENDED, 0, SQX_TIME_NEVER - 1);
  f.session.credit.exchanges_limit++;
  g_assert_false (sqx_session_starves (&f.session));
  g_assert_false (sqx_session_due (&f.session, f.now));

  /* And as far as this side knows, the peer may wait. */
  f.session.credit.exchanges_seen = f.session.credit.exchanges_told - 1;
  g_assert_false (sqx_session_due (&f.session, f.now));
  f.session.credit.exchanges_seen++;
  g_assert_true (sqx_session_due (&f.session, f.now));
  f.session.credit.exchanges_seen = 0;
  f.session.credit.exchanges_limit--;
  flush (&f);
  tear_down (&f);
}

static void
test_deadline (void)
{
  Fixture f;

  set_up (&f);
  f.session.ends.deadline = 700;
  f.session.credit.deadline = 900;
  g_assert_cmpuint (sqx_session_deadline (&f.session), ==, 700);
  f.session.credit.deadline = 500;
  g_assert_cmpuint (sqx_session_deadline (&f.session), ==, 500);
  g_assert_false (sqx_session_due (&f.session, 499));
  g_assert_true (sqx_session_due (&f.session, 500));
  f.session.ends.deadline = f.session.credit.deadline = SQX_TIME_NEVER;
  tear_down (&f);
}

/* CREDIT is not lost in a packet that is full. */
static void
test_credit_without_room (void)
{
  Fixture f;
  Packed packed;

  set_up (&f);
  f.session.credit.urgent = true;
  g_assert_cmpuint (pack (&f, &packed, 3), ==, 0);
  packed_clear (&packed);
  packed_init (&packed, PACKET);
  packed.packet.count = SQX_PACKET_RECORDS;
  sqx_session_pack (&f.session, &packed.packet);
  g_assert_cmpuint (packed.packet.writer.size, ==, 0);
  g_assert_true (f.session.credit.urgent);
  packed_clear (&packed);
  tear_down (&f);
}

/* What is packed and lost in every order comes to an end. */
static void
test_loss (void)
{
  GRand *rand = g_rand_new_with_seed (3);

  for (guint round = 0; round < 200; round++)
    {
      Fixture f;
      guint sent = 0;

      set_up (&f);
      for (guint i = 0; i < 6; i++)
        {
          send_message (&f, i % 3, (gsize) g_rand_int_range (rand, 0, 3000), SQX_MESSAGE_FINAL,
                        "a", NULL);
          message (&f, i % 3, i / 3, SQX_WIRE_FINAL, 0, 10);
          take (&f, 0);
        }
      while (sqx_session_due (&f.session, f.now))
        {
          Packed packed;

          g_assert_cmpuint (pack (&f, &packed, (gsize) g_rand_int_range (rand, 400, 1200)), >, 0);
          if (g_rand_boolean (rand))
            packed_lost (&f, &packed);
          if (g_rand_boolean (rand))
            packed_acked (&f, &packed);
          else
            packed_lost (&f, &packed);
          packed_clear (&packed);
          assert_sound (&f);
          g_assert_cmpuint (++sent, <, 1000);
        }
      g_assert_cmpuint (f.session.open_incoming, ==, 0);
      g_assert_cmpint (f.refs, ==, 0);
      tear_down (&f);
    }
  g_rand_free (rand);
}

/* Closing ------------------------------------------------------------------------------ */

static void
test_close (void)
{
  Fixture f;

  set_up (&f);
  g_assert_true (sqx_session_is_finished (&f.session));
  send_message (&f, 0, 10, 0, "a", NULL);
  send_message (&f, 0, 10, SQX_MESSAGE_FINAL, "b", NULL);
  message (&f, 0, 0, 0, 0, 10);
  message (&f, 0, 1, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);

  sqx_session_close (&f.session, f.now);
  pop_failed (&f, SQX_ERR_CLOSED);
  assert_no_event (&f);
  g_assert_cmpint (incoming (&f, 0, 1)->reason, ==, SQX_END_CLOSING);
  g_assert_cmpint (incoming (&f, 0, 0)->state, ==, SQX_INCOMING_TAKEN);
  flush (&f);
  g_assert_false (sqx_session_is_finished (&f.session));
  end_run (&f, 0, SQX_END_ENDED, 1, 1);
  pop_end (&f, SQX_END_ENDED);
  g_assert_false (sqx_session_is_finished (&f.session));
  sqx_handover_end (incoming (&f, 0, 0), f.now, SQX_END_ENDED);
  g_assert_false (sqx_session_is_finished (&f.session));
  flush (&f);
  /* The wait that failed keeps nobody from going. */
  g_assert_true (sqx_session_is_finished (&f.session));
  g_assert_true (sqx_session_is_busy (&f.session));
  tear_down (&f);
}

static void
test_busy (void)
{
  Fixture f;

  set_up (&f);
  g_assert_false (sqx_session_is_busy (&f.session));
  f.session.credit.exchanges_limit = 0;
  send_message (&f, 0, 10, 0, "a", NULL);
  g_assert_true (sqx_session_is_busy (&f.session));
  f.session.credit.exchanges_limit = 9;
  sqx_outgoing_begin_waiting (&f.session);
  g_assert_true (sqx_session_is_busy (&f.session));
  end_run (&f, 0, SQX_END_ENDED, 0, 1);
  g_assert_false (sqx_session_is_busy (&f.session));
  fragment (&f, 0, 0, 0, 0, 100, 0, 1);
  g_assert_true (sqx_session_is_busy (&f.session));
  cancel (&f, 0, 0, false, 0, 100);
  g_assert_true (sqx_session_is_busy (&f.session));
  flush (&f);
  g_assert_false (sqx_session_is_busy (&f.session));
  tear_down (&f);
}

static void
test_detach (void)
{
  Fixture f;

  set_up (&f);
  send_message (&f, 0, 10, 0, "begun", NULL);
  f.session.credit.exchanges_limit = 0;
  send_message (&f, 3, 10, 0, "waiting", NULL);
  message (&f, 3, 0, SQX_WIRE_FINAL, 0, 10);
  message (&f, 4, 0, 0, 0, 10);
  pop_message (&f);
  take (&f, 0);
  take (&f, 0);
  submit (&f, 4, 10, SQX_MESSAGE_FINAL, "reply", incoming (&f, 4, 0));

  sqx_session_detach (&f.session, SQX_ERR_UNREACHABLE, false);
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_UNREACHABLE), ==, "reply");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_UNREACHABLE), ==, "waiting");
  g_assert_cmpstr (pop_failed (&f, SQX_ERR_UNREACHABLE), ==, "begun");
  assert_no_event (&f);
  g_assert_cmpint (f.refs, ==, 0);
  g_assert_cmpuint (f.session.taken, ==, 0);
  g_assert_true (sqx_list_empty (&f.session.ends.channels));
  g_assert_false (sqx_session_is_busy (&f.session));
  sqx_session_clear (&f.session);
  g_assert_null (f.session.channels);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/session/ends", test_ends);
  g_test_add_func ("/seqex/session/end-of-unsent", test_end_of_unsent);
  g_test_add_func ("/seqex/session/end-of-stream", test_end_of_stream);
  g_test_add_func ("/seqex/session/credit", test_credit);
  g_test_add_func ("/seqex/session/foreign-frames", test_foreign_frames);
  g_test_add_func ("/seqex/session/due", test_due);
  g_test_add_func ("/seqex/session/ends-awaited", test_ends_awaited);
  g_test_add_func ("/seqex/session/deadline", test_deadline);
  g_test_add_func ("/seqex/session/credit-without-room", test_credit_without_room);
  g_test_add_func ("/seqex/session/loss", test_loss);
  g_test_add_func ("/seqex/session/close", test_close);
  g_test_add_func ("/seqex/session/busy", test_busy);
  g_test_add_func ("/seqex/session/detach", test_detach);
  return g_test_run ();
}
