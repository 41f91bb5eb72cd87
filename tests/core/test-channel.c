/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One channel, and the session's table of them.
 */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"

static void
test_new (void)
{
  sqx_channel *channel = sqx_channel_new (5);

  g_assert_cmpuint (channel->id, ==, 5);
  g_assert_cmpuint (channel->priority, ==, SQX_PRIORITY_DEFAULT);
  g_assert_false (channel->opened);
  g_assert_false (channel->serialized);
  g_assert_cmpuint (channel->next_number, ==, 0);
  g_assert_cmpuint (channel->seen_end, ==, 0);
  g_assert_null (channel->holder);
  g_assert_cmpuint (sqx_channel_floor (channel), ==, 0);
  g_assert_true (sqx_list_empty (&channel->gated) && sqx_list_empty (&channel->ready));
  g_assert_false (sqx_node_linked (&channel->ends_node));
  g_assert_false (sqx_event_node_pending (&channel->message_event));
  sqx_channel_free (channel);
}

/* A freed channel is in no list any more. */
static void
test_free_unlinks (void)
{
  sqx_channel *channel = sqx_channel_new (0);
  sqx_node events, ends;

  sqx_node_init (&events);
  sqx_node_init (&ends);
  sqx_events_push (&events, &channel->message_event, SQX_EVENT_MESSAGE);
  sqx_list_append (&ends, &channel->ends_node);
  for (guint reason = 0; reason < SQX_N_END_REASONS; reason++)
    {
      g_assert_true (sqx_ranges_add (&channel->ends[reason], 3, 5));
      g_assert_true (sqx_ranges_add (&channel->ends[reason], 7, 9));
    }
  g_assert_true (sqx_ranges_add (&channel->delivered, 1, 2));
  g_assert_true (sqx_ranges_add (&channel->delivered, 3, 4));
  sqx_channel_free (channel);
  g_assert_true (sqx_list_empty (&events));
  g_assert_true (sqx_list_empty (&ends));
}

static void
test_no_memory (void)
{
  fail_count = 1;
  g_assert_null (sqx_channel_new (0));
  g_assert_cmpuint (fail_count, ==, 0);
}

static void
test_floor (void)
{
  sqx_channel *channel = sqx_channel_new (0);

  g_assert_true (sqx_ranges_add (&channel->delivered, 1, 4));
  g_assert_cmpuint (sqx_channel_floor (channel), ==, 0);
  g_assert_true (sqx_ranges_add (&channel->delivered, 0, 1));
  g_assert_cmpuint (sqx_channel_floor (channel), ==, 4);
  g_assert_true (sqx_ranges_add (&channel->delivered, 6, 7));
  g_assert_cmpuint (sqx_channel_floor (channel), ==, 4);
  sqx_channel_free (channel);
}

static void
test_was_seen (void)
{
  sqx_channel *channel = sqx_channel_new (0);
  int record;

  g_assert_false (sqx_channel_was_seen (channel, 0));
  g_assert_cmpint (sqx_channel_see (channel, 4), ==, 4);
  g_assert_true (sqx_index_insert (&channel->incoming, 4, &record));
  g_assert_cmpint (sqx_channel_see (channel, 2), ==, -1);
  g_assert_true (sqx_ranges_add (&channel->delivered, 2, 3));
  for (guint number = 0; number < 7; number++)
    g_assert_cmpint (sqx_channel_was_seen (channel, number), ==, number == 2 || number == 4);
  sqx_index_remove (&channel->incoming, 4);
  sqx_channel_free (channel);
}

/* What the count of missing numbers changes by, told beforehand and then. */
static void
test_see (void)
{
  static const struct { uint64_t number; int64_t change; uint64_t seen_end; } steps[] = {
    { 0, 0, 1 }, { 1, 0, 2 }, { 5, 3, 6 }, { 2, -1, 6 }, { 4, -1, 6 }, { 3, -1, 6 }, { 6, 0, 7 },
    { SQX_VARINT_MAX - 1, (int64_t) SQX_VARINT_MAX - 8, SQX_VARINT_MAX },
  };
  sqx_channel *channel = sqx_channel_new (0);

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_assert_cmpint (sqx_channel_would_miss (channel, steps[i].number), ==, steps[i].change);
      g_assert_cmpint (sqx_channel_see (channel, steps[i].number), ==, steps[i].change);
      g_assert_cmpuint (channel->seen_end, ==, steps[i].seen_end);
    }
  sqx_channel_free (channel);
}

/* The table ---------------------------------------------------------------------------- */

static void
test_table (void)
{
  Fixture f;
  sqx_channel *last, *first;

  set_up (&f);
  first = f.session.channels[0];
  g_assert_null (sqx_session_find_channel (&f.session, 3));
  g_assert_null (sqx_session_find_channel (&f.session, CHANNELS));
  g_assert_null (sqx_session_find_channel (&f.session, UINT64_MAX));

  last = sqx_session_channel (&f.session, CHANNELS - 1);
  g_assert_cmpuint (last->id, ==, CHANNELS - 1);
  g_assert_cmpuint (f.session.n_channels, ==, CHANNELS);
  g_assert_true (sqx_session_channel (&f.session, CHANNELS - 1) == last);
  g_assert_true (sqx_session_find_channel (&f.session, CHANNELS - 1) == last);
  g_assert_true (sqx_session_find_channel (&f.session, 0) == first);
  g_assert_null (sqx_session_find_channel (&f.session, 3));
  g_assert_null (sqx_session_find_channel (&f.session, CHANNELS));
  tear_down (&f);
}

/* It doubles, and so is not moved for each new channel, but never holds more than there may be. */
static void
test_table_grows (void)
{
  Fixture f;

  set_up (&f);
  for (guint id = 0; id < CHANNELS; id++)
    {
      sqx_channel *channel = sqx_session_channel (&f.session, id);

      g_assert_cmpuint (channel->id, ==, id);
      g_assert_cmpuint (f.session.n_channels, >, id);
      g_assert_cmpuint (f.session.n_channels, <=, MIN (2 * id + 1, CHANNELS));
    }
  tear_down (&f);
}

static void
test_table_no_memory (void)
{
  Fixture f;

  set_up (&f);
  for (guint after = 0; after < 2; after++)
    {
      fail_after = after;
      fail_count = 1;
      g_assert_null (sqx_session_channel (&f.session, 9));
      g_assert_cmpuint (fail_count, ==, 0);
      g_assert_null (sqx_session_find_channel (&f.session, 9));
      assert_sound (&f);
    }
  g_assert_nonnull (sqx_session_channel (&f.session, 9));
  tear_down (&f);
}

static void
test_queue_of (void)
{
  Fixture f;
  sqx_channel *two;

  set_up (&f);
  two = sqx_session_channel (&f.session, 2);
  g_assert_true (sqx_session_queue_of (&f.session, two) == f.session.channels[0]);
  g_assert_true (sqx_session_queue_of (&f.session, f.session.channels[0])
                 == f.session.channels[0]);
  sqx_session_open_channel (&f.session, two);
  g_assert_true (sqx_session_queue_of (&f.session, two) == two);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/channel/new", test_new);
  g_test_add_func ("/seqex/channel/free-unlinks", test_free_unlinks);
  g_test_add_func ("/seqex/channel/no-memory", test_no_memory);
  g_test_add_func ("/seqex/channel/floor", test_floor);
  g_test_add_func ("/seqex/channel/was-seen", test_was_seen);
  g_test_add_func ("/seqex/channel/see", test_see);
  g_test_add_func ("/seqex/channel/table", test_table);
  g_test_add_func ("/seqex/channel/table-grows", test_table_grows);
  g_test_add_func ("/seqex/channel/table-no-memory", test_table_no_memory);
  g_test_add_func ("/seqex/channel/queue-of", test_queue_of);
  return g_test_run ();
}
