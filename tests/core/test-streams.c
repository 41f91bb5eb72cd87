/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "streams-fixture.h"

static Pair *
connected (void)
{
  Pair *pair = pair_new (NULL, NULL);

  take_streams (pair);
  pair_connect (pair);
  return pair;
}

/* A opens, says something; B answers; both close. */
static void
test_echo (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b;

  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "hello ", 6), ==, SQX_OK);
  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "world", 5), ==, SQX_OK);
  pair_drive (pair);
  b = accepted (pair, PAIR_B, 0);
  g_assert_cmpuint (sqx_stream_id (a), ==, 0);
  g_assert_cmpuint (sqx_stream_id (b), ==, 0);
  assert_reads (pair, PAIR_B, b, "hello world");
  g_assert_cmpint (write_bytes (pair, PAIR_B, b, "echo", 4), ==, SQX_OK);
  close_write (pair, PAIR_B, b);
  g_assert_cmpint (write_bytes (pair, PAIR_B, b, "x", 1), ==, SQX_ERR_CLOSED);
  pair_drive (pair);
  g_assert_false (status_of (pair, PAIR_B, b).drained);
  assert_reads (pair, PAIR_A, a, "echo.");
  pair_drive (pair);
  g_assert_true (status_of (pair, PAIR_B, b).drained);
  g_assert_false (status_of (pair, PAIR_A, a).over);

  /* The other way is still open. */
  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "more", 4), ==, SQX_OK);
  close_write (pair, PAIR_A, a);
  pair_drive (pair);
  assert_reads (pair, PAIR_B, b, "more.");
  pair_drive (pair);
  g_assert_true (status_of (pair, PAIR_A, a).over && status_of (pair, PAIR_A, a).drained);
  assert_reads (pair, PAIR_B, b, "");
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, b);
  assert_no_streams (pair);
  forget_streams (pair);
  pair_free (pair);
}

/* Both sides open; the ids say who did; the peer hears of a stream on which nothing was written. */
static void
test_ids (void)
{
  Pair *pair = connected ();
  sqx_stream *a[3], *b[3];

  for (guint i = 0; i < 3; i++)
    {
      a[i] = open_stream (pair, PAIR_A);
      b[i] = open_stream (pair, PAIR_B);
      g_assert_cmpuint (sqx_stream_id (a[i]), ==, 2 * i);
      g_assert_cmpuint (sqx_stream_id (b[i]), ==, 2 * i + 1);
    }
  pair_drive (pair);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpuint (sqx_stream_id (accepted (pair, PAIR_B, i)), ==, 2 * i);
      g_assert_cmpuint (sqx_stream_id (accepted (pair, PAIR_A, i)), ==, 2 * i + 1);
      g_assert_false (status_of (pair, PAIR_B, accepted (pair, PAIR_B, i)).readable);
      close_write (pair, PAIR_B, accepted (pair, PAIR_B, i));
      close_write (pair, PAIR_A, a[i]);
      release (pair, PAIR_B, b[i]);
    }
  pair_drive (pair);
  for (guint i = 0; i < 3; i++)
    {
      assert_reads (pair, PAIR_A, a[i], ".");
      assert_reads (pair, PAIR_B, accepted (pair, PAIR_B, i), ".");
      g_assert_cmpint (status_of (pair, PAIR_A, accepted (pair, PAIR_A, i)).read_error, ==,
                       SQX_ERR_PEER_CLOSED);
      release (pair, PAIR_A, accepted (pair, PAIR_A, i));
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
      release (pair, PAIR_A, a[i]);
    }
  finish_streams (pair);
}

/* Before the peer is known nobody knows whose ids are even. */
static void
test_early (void)
{
  Pair *pair = pair_new (NULL, NULL);
  sqx_stream *stream;
  guint n;

  take_streams (pair);
  g_assert_cmpint (sqx_conn_open_stream (conn_of (pair, PAIR_B), 0, &stream), ==,
                   SQX_ERR_QUEUE_FULL);
  /* Asking is enough for the peers to get to know each other. */
  pair_drive (pair);
  n = pair_n_events (pair, PAIR_B, SQX_EVENT_STREAM);
  g_assert_cmpuint (n, ==, 1);
  g_assert_null (pair_event (pair, PAIR_B, SQX_EVENT_STREAM, 0)->event.stream);
  release (pair, PAIR_B, open_stream (pair, PAIR_B));
  pair_drive (pair);
  release (pair, PAIR_A, accepted (pair, PAIR_A, 0));
  finish_streams (pair);
}

static gboolean
lose_some (Pair *pair, PairPacket *packet, gpointer data)
{
  GRand *rand = data;

  packet->at += (guint64) g_rand_int_range (rand, 0, 20000);
  return g_rand_int_range (rand, 0, 100) >= 15;
}

/* Bytes in order, once, over a network that loses, reorders and is slow; both ways, several at
 * once, read in fits and starts. */
static void
test_lossy (void)
{
  enum { STREAMS = 3 };
  const guint64 size = 1500000;
  guint32 seed = g_test_rand_int ();
  GRand *rand = g_rand_new_with_seed (seed);
  Pair *pair = connected ();
  sqx_stream *ends[2][STREAMS];
  guint64 written[2][STREAMS] = { 0 }, got[2][STREAMS] = { 0 };
  guint left = 2 * STREAMS;

  g_test_message ("seed %u", seed);
  for (guint i = 0; i < STREAMS; i++)
    ends[0][i] = open_stream (pair, PAIR_A);
  pair_drive (pair);
  for (guint i = 0; i < STREAMS; i++)
    ends[1][i] = accepted (pair, PAIR_B, i);
  pair->filter = lose_some;
  pair->filter_data = rand;

  while (left > 0)
    {
      guint side = (guint) g_rand_int_range (rand, 0, 2);
      guint i = (guint) g_rand_int_range (rand, 0, STREAMS);

      if (written[side][i] < size)
        {
          guint64 most = written[side][i] + (guint64) g_rand_int_range (rand, 1, 200000);

          write_pattern (pair, side, ends[side][i], &written[side][i], MIN (most, size));
          if (written[side][i] == size)
            close_write (pair, side, ends[side][i]);
        }
      if (read_pattern (pair, side, ends[side][i], &got[side][i]))
        {
          g_assert_cmpuint (got[side][i], ==, size);
          left--;
        }
      g_assert_cmpstr (session_check (&conn_of (pair, side)->session), ==, NULL);
      pair_flush (pair);
      pair_drive_for (pair, 10 * SQX_MILLISECOND);
    }
  pair->filter = NULL;
  pair_drive (pair);
  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      {
        g_assert_true (status_of (pair, side, ends[side][i]).drained);
        release (pair, side, ends[side][i]);
      }
  pair_drive (pair);
  assert_no_streams (pair);
  forget_streams (pair);
  g_rand_free (rand);
  pair_free (pair);
}

/* What nobody reads is bounded, one stream and all together, and holds up no message. */
static void
test_unread (void)
{
  enum { STREAMS = 8 };
  Pair *pair;
  sqx_config config;
  sqx_stream *a[STREAMS];
  guint64 written[STREAMS] = { 0 }, got[STREAMS] = { 0 }, all = 0;
  guint tag;

  pair_config (&config, PAIR_B);
  config.stream_window = SQX_STREAM_WINDOW_MIN;
  pair = pair_new (NULL, &config);
  take_streams (pair);
  pair_connect (pair);
  for (guint i = 0; i < STREAMS; i++)
    {
      a[i] = open_stream (pair, PAIR_A);
      pair_drive (pair);
      write_pattern (pair, PAIR_A, a[i], &written[i], 1 << 30);
      pair_drive (pair);
      g_assert_cmpuint (written[i], <, SQX_STREAM_WINDOW_MIN);
      /* Each gets something. */
      g_assert_cmpuint (written[i], >=, SQX_CHUNK_MAX);
      all += written[i];
    }
  g_assert_cmpuint (all, <, SQX_STREAM_SHARES * SQX_STREAM_WINDOW_MIN + STREAMS * SQX_CHUNK_MAX);
  g_assert_cmpuint (written[0], >, 3 * SQX_STREAM_WINDOW_MIN / 4);

  pair->side[PAIR_B].handler = pair_echo;
  tag = pair_send_size (pair, PAIR_A, 0, SQX_MESSAGE_MAX_DEFAULT, 0);
  pair_drive (pair);
  pair_assert_replied (pair, PAIR_A, tag, NULL);

  /* Reading one lets that one, and then others, go on. */
  for (guint i = 0; i < STREAMS; i++)
    g_assert_false (read_pattern (pair, PAIR_B, accepted (pair, PAIR_B, i), &got[i]));
  pair_drive (pair);
  for (guint i = 0; i < STREAMS; i++)
    {
      g_assert_cmpuint (got[i], ==, written[i]);
      g_assert_cmpuint (status_of (pair, PAIR_A, a[i]).room, ==, SQX_CHUNK_MAX);
      release (pair, PAIR_A, a[i]);
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
    }
  finish_streams (pair);
}

/* A stream has one chunk at a time on the way, so a message beside it goes with the next packet. */
static void
test_beside (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A);
  guint64 written = 0, got = 0;
  uint64_t before;
  guint tag;

  pair->side[PAIR_B].handler = pair_echo;
  write_pattern (pair, PAIR_A, a, &written, 3000000);
  pair_drive_for (pair, 15 * SQX_MILLISECOND);
  before = pair->now;
  tag = pair_send (pair, PAIR_A, "ping", 0);
  pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
  /* Two ways of 10 ms, and what the window held back. */
  g_assert_cmpuint (pair->now - before, <=, 45 * SQX_MILLISECOND);
  while (got < written)
    {
      pair_drive (pair);
      g_assert_false (read_pattern (pair, PAIR_B, accepted (pair, PAIR_B, 0), &got));
    }
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, accepted (pair, PAIR_B, 0));
  finish_streams (pair);
}

/* Whose frames are in the packets that A sent, in their order: the fields of their channels. */
static GArray *
fields_sent (Pair *pair)
{
  GArray *fields = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GArray) frames = g_array_new (FALSE, FALSE, sizeof (sqx_frame));

  for (guint i = 0; i < pair->recorded->len; i++)
    {
      const PairPacket *packet = g_ptr_array_index (pair->recorded, i);
      sqx_plain_header header;

      g_array_set_size (frames, 0);
      if (packet->from != PAIR_A)
        continue;
      g_assert_true (pair_decode (packet->data, packet->size, &header, frames));
      for (guint j = 0; j < frames->len; j++)
        {
          const sqx_frame *frame = &g_array_index (frames, sqx_frame, j);

          if (frame->type >= SQX_FRAME_MESSAGE && frame->type < SQX_FRAME_DATAGRAM)
            g_array_append_val (fields, frame->message.channel);
        }
    }
  return fields;
}

/* Thousands of small chunks of one stream take their turns with all else one by one. */
static void
test_small_chunks (void)
{
  enum { CHUNKS = 5000 };
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *other = open_stream (pair, PAIR_A);
  g_autoptr (GArray) fields = NULL;
  guint64 got = 0, last[2] = { 0 };
  guint tag;

  pair_drive (pair);
  pair->side[PAIR_B].handler = pair_echo;
  pair->record = TRUE;
  for (guint64 i = 0; i < CHUNKS; i++)
    g_assert_cmpint (write_bytes (pair, PAIR_A, a, pattern (i), 1), ==, SQX_OK);
  g_assert_cmpint (write_bytes (pair, PAIR_A, other, "other", 5), ==, SQX_OK);
  tag = pair_send (pair, PAIR_A, "ping", 0);
  g_assert_cmpstr (session_check (&conn_of (pair, PAIR_A)->session), ==, NULL);
  pair_drive_for (pair, 5 * SQX_SECOND);
  pair_assert_replied (pair, PAIR_A, tag, "ping");
  fields = fields_sent (pair);
  g_assert_cmpuint (fields->len, >=, CHUNKS);
  for (guint i = 0; i < fields->len; i++)
    {
      guint64 field = g_array_index (fields, guint64, i);

      if (field == 0 || field == 2 * sqx_stream_id (other) + 1)
        last[field != 0] = i;
    }
  g_assert_cmpuint (last[0], <=, 3);
  g_assert_cmpuint (last[1], <=, 3);

  g_assert_false (read_pattern (pair, PAIR_B, accepted (pair, PAIR_B, 0), &got));
  g_assert_cmpuint (got, ==, CHUNKS);
  assert_reads (pair, PAIR_B, accepted (pair, PAIR_B, 1), "other");
  for (guint i = 0; i < 2; i++)
    {
      release (pair, PAIR_A, i == 0 ? a : other);
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
    }
  finish_streams (pair);
}

/* Nothing of a stream goes out as long as something more urgent could; a change concerns what waits
 * already. */
static void
test_priority (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b = open_stream (pair, PAIR_A);
  g_autoptr (GArray) fields = NULL;
  guint64 written[2] = { 0 }, got[2] = { 0 };
  guint turns = 0;

  g_assert_cmpint (sqx_conn_stream_set_priority (conn_of (pair, PAIR_A), a, SQX_PRIORITIES), ==,
                   SQX_ERR_INVALID);
  pair_drive (pair);
  pair->record = TRUE;
  write_pattern (pair, PAIR_A, a, &written[0], 300000);
  write_pattern (pair, PAIR_A, b, &written[1], 300000);
  g_assert_cmpint (sqx_conn_stream_set_priority (conn_of (pair, PAIR_A), a, 7), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_stream_set_priority (conn_of (pair, PAIR_A), b, 0), ==, SQX_OK);
  pair_send (pair, PAIR_A, "between", SQX_MESSAGE_FINAL);
  g_assert_cmpstr (session_check (&conn_of (pair, PAIR_A)->session), ==, NULL);
  pair_drive_for (pair, 5 * SQX_SECOND);
  fields = fields_sent (pair);
  /* b, the message, a, each as a whole. */
  for (guint i = 1; i < fields->len; i++)
    turns += g_array_index (fields, guint64, i) != g_array_index (fields, guint64, i - 1);
  g_assert_cmpuint (turns, ==, 2);
  g_assert_cmpuint (g_array_index (fields, guint64, 0), ==, 2 * sqx_stream_id (b) + 1);

  for (guint i = 0; i < 2; i++)
    {
      g_assert_false (read_pattern (pair, PAIR_B, accepted (pair, PAIR_B, i), &got[i]));
      g_assert_cmpuint (got[i], ==, 300000);
      release (pair, PAIR_A, i == 0 ? a : b);
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
    }
  finish_streams (pair);
}

/* One that had no room only because of what the others cost is told when one of those is read. */
static void
test_starved (void)
{
  enum { STREAMS = SQX_STREAM_SHARES + 1 };
  Pair *pair;
  sqx_config config;
  sqx_stream *a[STREAMS];
  guint64 written[STREAMS] = { 0 }, got = 0, before;
  guint told = 0, n;

  pair_config (&config, PAIR_B);
  config.stream_window = SQX_STREAM_WINDOW_MIN;
  pair = pair_new (NULL, &config);
  take_streams (pair);
  pair_connect (pair);
  for (guint i = 0; i < STREAMS; i++)
    {
      a[i] = open_stream (pair, PAIR_A);
      pair_drive (pair);
      write_pattern (pair, PAIR_A, a[i], &written[i], 1 << 30);
      pair_drive (pair);
    }
  before = written[STREAMS - 1];
  g_assert_cmpuint (before, <, SQX_STREAM_WINDOW_MIN / 2);
  n = pair_n_events (pair, PAIR_A, SQX_EVENT_STREAM);
  g_assert_false (read_pattern (pair, PAIR_B, accepted (pair, PAIR_B, 0), &got));
  pair_drive (pair);
  for (guint i = n; i < pair_n_events (pair, PAIR_A, SQX_EVENT_STREAM); i++)
    told += pair_event (pair, PAIR_A, SQX_EVENT_STREAM, i)->event.stream == a[STREAMS - 1];
  g_assert_cmpuint (told, >=, 1);
  write_pattern (pair, PAIR_A, a[STREAMS - 1], &written[STREAMS - 1], 1 << 30);
  g_assert_cmpuint (written[STREAMS - 1], >=, before + SQX_CHUNK_MAX);
  for (guint i = 0; i < STREAMS; i++)
    {
      release (pair, PAIR_A, a[i]);
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
    }
  finish_streams (pair);
}

/* Who reads no more says so; what was on its way comes to its end. */
static void
test_reader_closes (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b;
  guint64 written = 0;

  write_pattern (pair, PAIR_A, a, &written, 2000000);
  pair_drive_for (pair, 30 * SQX_MILLISECOND);
  b = accepted (pair, PAIR_B, 0);
  sqx_conn_stream_close_read (conn_of (pair, PAIR_B), pair->now, b);
  pair_drive (pair);
  g_assert_cmpint (status_of (pair, PAIR_A, a).write_error, ==, SQX_ERR_REFUSED);
  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "x", 1), ==, SQX_ERR_REFUSED);
  g_assert_cmpint (status_of (pair, PAIR_B, b).read_error, ==, SQX_ERR_CLOSED);
  g_assert_cmpuint (conn_of (pair, PAIR_B)->session.held, ==, 0);
  /* The rest was taken back. */
  g_assert_cmpuint (pair_statistics (pair, PAIR_A).bytes_sent, <, 1500000);
  close_write (pair, PAIR_A, a);
  /* The other way still works. */
  g_assert_cmpint (write_bytes (pair, PAIR_B, b, "bye", 3), ==, SQX_OK);
  close_write (pair, PAIR_B, b);
  pair_drive (pair);
  assert_reads (pair, PAIR_A, a, "bye.");
  pair_drive (pair);
  g_assert_false (status_of (pair, PAIR_A, a).drained);
  g_assert_true (status_of (pair, PAIR_A, a).over);
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, b);
  finish_streams (pair);
}

/* The last ends may come together, and then nothing is left of the stream but why. */
static void
test_refused_at_last (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b;
  guint64 written = 0;

  write_pattern (pair, PAIR_A, a, &written, 1000);
  close_write (pair, PAIR_A, a);
  pair_drive (pair);
  b = accepted (pair, PAIR_B, 0);
  close_write (pair, PAIR_B, b);
  pair_drive (pair);
  assert_reads (pair, PAIR_A, a, ".");
  pair_drive (pair);
  g_assert_false (status_of (pair, PAIR_A, a).over);
  sqx_conn_stream_close_read (conn_of (pair, PAIR_B), pair->now, b);
  pair_drive (pair);
  g_assert_true (status_of (pair, PAIR_A, a).over && !status_of (pair, PAIR_A, a).drained);
  g_assert_cmpint (status_of (pair, PAIR_A, a).write_error, ==, SQX_ERR_REFUSED);
  g_assert_cmpint (status_of (pair, PAIR_A, a).read_error, ==, SQX_OK);
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, b);
  assert_no_streams (pair);
  forget_streams (pair);
  pair_free (pair);
}

/* Who handles no messages reads streams all the same. */
static void
test_no_messages (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b;

  write_bytes (pair, PAIR_A, a, "unread, ", 8);
  pair_drive (pair);
  b = accepted (pair, PAIR_B, 0);
  sqx_conn_set_accepts_messages (conn_of (pair, PAIR_B), pair->now, false);
  pair_drive (pair);
  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "and more", 8), ==, SQX_OK);
  close_write (pair, PAIR_A, a);
  pair_drive (pair);
  assert_reads (pair, PAIR_B, b, "unread, and more.");
  pair_drive (pair);
  g_assert_true (status_of (pair, PAIR_A, a).drained);
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, b);
  finish_streams (pair);
}

/* What was not read by then is gone, also if nothing was on its way. */
static void
test_abort (void)
{
  for (guint taken = 0; taken < 3; taken++)
    {
      Pair *pair = connected ();
      sqx_stream *a = open_stream (pair, PAIR_A), *b;
      guint64 written = 0, got = 0;

      write_pattern (pair, PAIR_A, a, &written, 100000);
      pair_drive (pair);
      b = accepted (pair, PAIR_B, 0);
      if (taken > 0)
        g_assert_false (read_pattern (pair, PAIR_B, b, &got));
      pair_drive (pair);
      if (taken > 1)
        close_write (pair, PAIR_A, a);
      sqx_conn_stream_abort (conn_of (pair, PAIR_A), pair->now, a);
      g_assert_cmpint (write_bytes (pair, PAIR_A, a, "x", 1), ==, SQX_ERR_CLOSED);
      pair_drive (pair);
      g_assert_false (status_of (pair, PAIR_B, b).readable);
      g_assert_cmpint (status_of (pair, PAIR_B, b).read_error, ==, SQX_ERR_PEER_CLOSED);
      g_assert_cmpuint (conn_of (pair, PAIR_B)->session.held, ==, 0);
      close_write (pair, PAIR_B, b);
      pair_drive (pair);
      assert_reads (pair, PAIR_A, a, ".");
      pair_drive (pair);
      release (pair, PAIR_A, a);
      release (pair, PAIR_B, b);
      assert_no_streams (pair);
      forget_streams (pair);
      pair_free (pair);
    }
}

static void
test_limit (void)
{
  Pair *pair;
  sqx_config config;
  sqx_stream *a[4], *more;

  pair_config (&config, PAIR_B);
  config.max_streams = 4;
  pair = pair_new (NULL, &config);
  take_streams (pair);
  pair_connect (pair);
  for (guint round = 0; round < 20; round++)
    {
      guint before = pair_n_events (pair, PAIR_A, SQX_EVENT_STREAM);

      for (guint i = 0; i < 4; i++)
        a[i] = open_stream (pair, PAIR_A);
      g_assert_cmpint (sqx_conn_open_stream (conn_of (pair, PAIR_A), pair->now, &more), ==,
                       SQX_ERR_QUEUE_FULL);
      pair_drive (pair);
      for (guint i = 0; i < 4; i++)
        {
          release (pair, PAIR_A, a[i]);
          release (pair, PAIR_B, accepted (pair, PAIR_B, 4 * round + i));
        }
      pair_drive (pair);
      g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_STREAM), >, before);
    }
  assert_no_streams (pair);

  /* The other side's limit is its own. */
  config.max_streams = 0;
  forget_streams (pair);
  pair_free (pair);
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  g_assert_cmpint (sqx_conn_open_stream (conn_of (pair, PAIR_A), pair->now, &more), ==,
                   SQX_ERR_REFUSED);
  pair_free (pair);
}

/* One is open for the peer until it has the ends of its own chunks. */
static void
test_limit_and_loss (void)
{
  Pair *pair;
  sqx_config config;
  sqx_stream *a, *more;

  pair_config (&config, PAIR_B);
  config.max_streams = 1;
  pair = pair_new (NULL, &config);
  take_streams (pair);
  pair_connect (pair);
  a = open_stream (pair, PAIR_A);
  close_write (pair, PAIR_A, a);
  pair_drive (pair);
  assert_reads (pair, PAIR_B, accepted (pair, PAIR_B, 0), ".");
  close_write (pair, PAIR_B, accepted (pair, PAIR_B, 0));
  pair_drive (pair);
  pair->block[PAIR_A] = TRUE;
  assert_reads (pair, PAIR_A, a, ".");
  pair_flush (pair);
  g_assert_true (status_of (pair, PAIR_A, a).over);
  g_assert_cmpint (sqx_conn_open_stream (conn_of (pair, PAIR_A), pair->now, &more), ==,
                   SQX_ERR_QUEUE_FULL);
  pair->block[PAIR_A] = FALSE;
  pair_drive (pair);
  g_assert_null (pair_event (pair, PAIR_A, SQX_EVENT_STREAM,
                             pair_n_events (pair, PAIR_A, SQX_EVENT_STREAM) - 1)->event.stream);
  more = open_stream (pair, PAIR_A);
  pair_drive (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->violation, ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      release (pair, PAIR_A, i == 0 ? a : more);
      release (pair, PAIR_B, accepted (pair, PAIR_B, i));
    }
  finish_streams (pair);
}

/* A restart, or the end of the connection, ends streams: what came can be read only after the
 * latter. */
static void
test_lost (void)
{
  for (guint restart = 0; restart < 2; restart++)
    {
      Pair *pair = connected ();
      sqx_stream *a = open_stream (pair, PAIR_A), *unknown;
      sqx_stream *b;
      sqx_result error = restart ? SQX_ERR_SESSION_LOST : SQX_ERR_PEER_CLOSED;

      write_bytes (pair, PAIR_A, a, "unread", 6);
      pair_drive (pair);
      b = accepted (pair, PAIR_B, 0);
      write_bytes (pair, PAIR_B, b, "unread", 6);
      pair_drive (pair);
      if (restart)
        {
          release (pair, PAIR_B, b);
          pair_restart (pair, PAIR_B);
          pair_send (pair, PAIR_B, "again", 0);
        }
      else
        sqx_conn_abort (conn_of (pair, PAIR_B), pair->now, 0, NULL);
      pair_drive (pair);
      g_assert_cmpint (status_of (pair, PAIR_A, a).write_error, ==, error);
      g_assert_cmpint (status_of (pair, PAIR_A, a).read_error, ==, error);
      assert_reads (pair, PAIR_A, a, restart ? "" : "unread");
      if (restart)
        {
          unknown = open_stream (pair, PAIR_A);
          g_assert_cmpuint (sqx_stream_id (unknown), ==, 0);
          /* Released after the connection is gone. */
          forget_streams (pair);
          pair_free (pair);
          sqx_stream_release (NULL, 0, unknown);
          sqx_stream_release (NULL, 0, a);
          continue;
        }
      assert_reads (pair, PAIR_B, b, "unread");
      g_assert_false (sqx_conn_is_busy (conn_of (pair, PAIR_A)));
      release (pair, PAIR_A, a);
      release (pair, PAIR_B, b);
      forget_streams (pair);
      pair_free (pair);
    }
}

/* An orderly close waits until what was written is read. */
static void
test_close (void)
{
  Pair *pair = connected ();
  sqx_stream *a = open_stream (pair, PAIR_A), *b;

  write_bytes (pair, PAIR_A, a, "last words", 10);
  close_write (pair, PAIR_A, a);
  sqx_conn_close (conn_of (pair, PAIR_A), pair->now, 0, NULL);
  g_assert_cmpint (write_bytes (pair, PAIR_A, a, "x", 1), ==, SQX_ERR_CLOSED);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_false (pair->side[PAIR_A].closed);
  b = accepted (pair, PAIR_B, 0);
  g_assert_cmpint (write_bytes (pair, PAIR_B, b, "too late", 8), ==, SQX_OK);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpint (status_of (pair, PAIR_B, b).write_error, ==, SQX_ERR_REFUSED);
  assert_reads (pair, PAIR_B, b, "last words.");
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_OK);
  release (pair, PAIR_A, a);
  release (pair, PAIR_B, b);
  forget_streams (pair);
  pair_free (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/streams/echo", test_echo);
  g_test_add_func ("/seqex/streams/ids", test_ids);
  g_test_add_func ("/seqex/streams/early", test_early);
  g_test_add_func ("/seqex/streams/lossy", test_lossy);
  g_test_add_func ("/seqex/streams/unread", test_unread);
  g_test_add_func ("/seqex/streams/beside", test_beside);
  g_test_add_func ("/seqex/streams/small-chunks", test_small_chunks);
  g_test_add_func ("/seqex/streams/priority", test_priority);
  g_test_add_func ("/seqex/streams/starved", test_starved);
  g_test_add_func ("/seqex/streams/reader-closes", test_reader_closes);
  g_test_add_func ("/seqex/streams/refused-at-last", test_refused_at_last);
  g_test_add_func ("/seqex/streams/no-messages", test_no_messages);
  g_test_add_func ("/seqex/streams/abort", test_abort);
  g_test_add_func ("/seqex/streams/limit", test_limit);
  g_test_add_func ("/seqex/streams/limit-and-loss", test_limit_and_loss);
  g_test_add_func ("/seqex/streams/lost", test_lost);
  g_test_add_func ("/seqex/streams/close", test_close);

  return g_test_run ();
}
