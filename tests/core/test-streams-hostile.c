/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a peer may not do with streams, and what it may do late. Side A has the smaller epoch, so
 * the peer's ids are odd.
 */
#include "streams-fixture.h"

#define CHUNK (SQX_WIRE_ORDERED | SQX_WIRE_FINAL)

/* Half a channel: fake_*() put the id times two. */
static void
chunk (Pair *pair, guint64 id, guint64 number, guint flags, const char *text)
{
  sqx_message_header header = {
    .channel = 2 * id + 1, .number = number, .flags = (guint8) flags, .total = strlen (text),
    .size = strlen (text),
  };
  uint64_t written;

  fake_begin (pair);
  g_assert_true (sqx_write_message (&pair->fake.writer, &header, (const guint8 *) text, &written));
}

static Pair *
connected (guint max_streams)
{
  sqx_config config;
  Pair *pair;

  pair_config (&config, PAIR_A);
  config.max_streams = max_streams;
  config.stream_window = SQX_STREAM_WINDOW_MIN;
  pair = pair_new_fake (&config);
  pair->fake.hello.max_streams = 10;
  pair->fake.hello.stream_window = SQX_STREAM_WINDOW_MIN;
  pair->side[PAIR_A].streams = g_ptr_array_new ();
  fake_connect (pair);
  return pair;
}

static void
done (Pair *pair)
{
  for (guint i = 0; i < pair->side[PAIR_A].streams->len; i++)
    release (pair, PAIR_A, accepted (pair, PAIR_A, i));
  forget_streams (pair);
  pair_free (pair);
}

/* Opens stream 1 by an empty chunk, then sends one chunk that is wrong. */
static void
assert_violation (guint64 id, guint64 number, guint flags, const char *text)
{
  Pair *pair = connected (4);

  chunk (pair, 1, 0, CHUNK, "");
  fake_send (pair);
  g_assert_cmpuint (pair->side[PAIR_A].streams->len, ==, 1);
  chunk (pair, id, number, flags, text);
  fake_send_violation (pair);
  done (pair);
}

static void
test_violations (void)
{
  assert_violation (1, 1, SQX_WIRE_ORDERED, "not final");
  assert_violation (1, 1, SQX_WIRE_FINAL, "not ordered");
  assert_violation (1, 1, CHUNK | SQX_WIRE_REPLY, "reply");
  /* Of this side, never opened. */
  assert_violation (0, 0, CHUNK, "");
  /* One too many; far away; beyond all ids. */
  assert_violation (1 + 2 * 4, 0, CHUNK, "");
  assert_violation (SQX_STREAM_IDS - 1, 0, CHUNK, "");
  assert_violation (SQX_STREAM_IDS + 1, 0, CHUNK, "");
  /* More numbers left out than there can be. */
  assert_violation (1, 1 + SQX_STREAM_WINDOW_MIN / SQX_CHUNK_OVERHEAD, CHUNK, "x");
  assert_violation (1, SQX_VARINT_MAX, CHUNK, "x");
}

/* Those that were skipped are open, and told in order. */
static void
test_skipped (void)
{
  Pair *pair = connected (4);

  chunk (pair, 7, 0, CHUNK, "");
  fake_send (pair);
  g_assert_cmpuint (pair->side[PAIR_A].streams->len, ==, 4);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpuint (sqx_stream_id (accepted (pair, PAIR_A, i)), ==, 2 * i + 1);
  chunk (pair, 3, 0, CHUNK, "first bytes");
  fake_send (pair);
  assert_reads (pair, PAIR_A, accepted (pair, PAIR_A, 1), "first bytes");
  done (pair);
}

static void
test_after_last (void)
{
  Pair *pair = connected (4);

  chunk (pair, 1, 1, CHUNK, "");
  fake_send (pair);
  chunk (pair, 1, 2, CHUNK, "x");
  fake_send_violation (pair);
  done (pair);

  pair = connected (4);
  chunk (pair, 1, 2, CHUNK, "x");
  fake_send (pair);
  chunk (pair, 1, 1, CHUNK, "");
  fake_send_violation (pair);
  done (pair);
}

/* What A has not ended is bounded by the window. */
static void
test_window (void)
{
  Pair *pair = connected (4);
  guint64 number = 0;

  for (guint64 cost = 0; cost + SQX_CHUNK_MAX + SQX_CHUNK_OVERHEAD <= SQX_STREAM_WINDOW_MIN;
       cost += SQX_CHUNK_MAX + SQX_CHUNK_OVERHEAD)
    {
      sqx_message_header header = { .channel = 3, .number = number++, .flags = CHUNK,
                                    .total = SQX_CHUNK_MAX, .size = 1 };
      uint64_t written;

      fake_begin (pair);
      sqx_write_message (&pair->fake.writer, &header, pattern (0), &written);
      fake_send (pair);
    }
  g_assert_cmpuint (number, ==, 3);
  fake_begin (pair);
  sqx_write_message (&pair->fake.writer,
                     &(sqx_message_header) { .channel = 3, .number = number, .flags = CHUNK,
                                             .total = SQX_CHUNK_MAX, .size = 1 },
                     pattern (0), &(uint64_t) { 0 });
  fake_send_violation (pair);
  done (pair);
}

static void
stream_end (Pair *pair, guint64 id, guint reason, guint64 first, guint64 run)
{
  sqx_runs_writer end;

  fake_begin (pair);
  g_assert_true (sqx_end_writer_begin (&end, &pair->fake.writer, 2 * id + 1, (guint8) reason));
  g_assert_true (sqx_runs_writer_add (&end, &pair->fake.writer, first, run));
  sqx_runs_writer_finish (&end, &pair->fake.writer);
}

/* Late packets for a stream that is settled change nothing. */
static void
test_late (void)
{
  Pair *pair = connected (4);
  sqx_stream *a;

  chunk (pair, 1, 0, CHUNK, "");
  fake_send (pair);
  a = accepted (pair, PAIR_A, 0);
  chunk (pair, 1, 1, CHUNK, "");
  fake_send (pair);
  assert_reads (pair, PAIR_A, a, ".");
  close_write (pair, PAIR_A, a);
  pair_flush (pair);
  stream_end (pair, 1, 0, 0, 1);
  fake_send (pair);
  pair_drive (pair);
  g_assert_true (status_of (pair, PAIR_A, a).drained);
  g_assert_cmpuint (sqx_index_count (&conn_of (pair, PAIR_A)->session.streams.index), ==, 0);

  chunk (pair, 1, 1, CHUNK, "");
  fake_send (pair);
  chunk (pair, 1, 5, CHUNK, "never sent");
  fake_send (pair);
  stream_end (pair, 1, 0, 0, 1);
  fake_send (pair);
  fake_begin (pair);
  sqx_write_cancel (&pair->fake.writer, 3, 1, 0, false, 0);
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->violation, ==, 0);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->duplicate_message, ==, 2);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_end, ==, 1);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_cancel, ==, 1);

  /* An end for a stream of which nothing was ever heard is something else. */
  stream_end (pair, 3, 0, 0, 1);
  fake_send_violation (pair);
  done (pair);
}

/* A peer that acknowledges nothing gets no more than twice the streams. */
static void
test_silent (void)
{
  Pair *pair = connected (4);
  guint64 id = 1;

  pair->fake.auto_ack = FALSE;
  for (guint i = 0; i < 30; i++, id += 2)
    {
      guint n = pair->side[PAIR_A].streams->len;

      chunk (pair, id, 1, CHUNK, "");
      fake_send (pair);
      if (pair->side[PAIR_A].streams->len == n)
        break;
      release (pair, PAIR_A, accepted (pair, PAIR_A, n));
      g_ptr_array_index (pair->side[PAIR_A].streams, n) = NULL;
      chunk (pair, id, 0, CHUNK, "");
      fake_send (pair);
      stream_end (pair, id, 0, 0, 1);
      fake_send (pair);
    }
  g_assert_cmpuint (id, ==, 1 + 2 * 8);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->violation, ==, 0);
  g_ptr_array_set_size (pair->side[PAIR_A].streams, 0);
  done (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/streams-hostile/violations", test_violations);
  g_test_add_func ("/seqex/streams-hostile/skipped", test_skipped);
  g_test_add_func ("/seqex/streams-hostile/after-last", test_after_last);
  g_test_add_func ("/seqex/streams-hostile/window", test_window);
  g_test_add_func ("/seqex/streams-hostile/late", test_late);
  g_test_add_func ("/seqex/streams-hostile/silent", test_silent);

  return g_test_run ();
}
