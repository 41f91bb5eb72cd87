/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Streams of encrypted connections whose links come and go under them.
 */
#include "links.h"
#include "session-check.h"
#include "sqx-conn-private.h"
#include "streams-pattern.h"

#define MS      SQX_MILLISECOND
#define STREAMS 3u

/* Both ends of some streams that a opened, written and read both ways. */
typedef struct
{
  Links      *links;
  sqx_stream *ends[2][STREAMS];
  guint64     written[2][STREAMS], got[2][STREAMS];
  gboolean    ended[2][STREAMS];
  guint64     size;
} Traffic;

static Talk *
talk_of (Links *links,
         guint  side)
{
  return side == 0 ? links->talk : links->peer;
}

static sqx_stream_status
status_of (Traffic *traffic,
           guint    side,
           guint    i)
{
  sqx_stream_status status;

  sqx_conn_stream_status (talk_of (traffic->links, side)->conn, traffic->ends[side][i], &status);
  return status;
}

static void
begin (Traffic *traffic,
       Links   *links,
       guint64  size)
{
  *traffic = (Traffic) { .links = links, .size = size };
  links->resolve = TRUE;
  links_open (links);
  links_connect (links, FALSE);
  links_persist (links, SQX_TIME_NEVER);
  links->peer->streams = g_ptr_array_new ();
  for (guint i = 0; i < STREAMS; i++)
    g_assert_cmpint (sqx_conn_open_stream (links->talk->conn, links->world->now,
                                           &traffic->ends[0][i]), ==, SQX_OK);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->peer->streams->len, ==, STREAMS);
  for (guint i = 0; i < STREAMS; i++)
    traffic->ends[1][i] = g_ptr_array_index (links->peer->streams, i);
}

/* Stream 0 is written by a alone, 1 by b alone, 2 by both; each is read in turn. */
static void
go_on (Traffic *traffic,
       guint    round)
{
  Links *links = traffic->links;
  guint64 now = links->world->now;

  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      {
        sqx_conn *conn = talk_of (links, side)->conn;
        sqx_stream *stream = traffic->ends[side][i];
        guint64 *written = &traffic->written[side][i];

        if (i == side || i == 2)
          pattern_write (conn, now, stream, written, traffic->size);
        else
          *written = traffic->size;
        if (*written == traffic->size)
          sqx_conn_stream_close_write (conn, now, stream);
        if (round % 4 == i)
          traffic->ended[side][i] |= pattern_read (conn, now, stream, &traffic->got[side][i]);
        g_assert_cmpstr (session_check (&conn->session), ==, NULL);
      }
}

static gboolean
all_ended (const Traffic *traffic)
{
  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      if (!traffic->ended[side][i])
        return FALSE;
  return TRUE;
}

static void
run_for (Traffic *traffic,
         guint64  span)
{
  guint64 until = traffic->links->world->now + span;

  for (guint round = 0; traffic->links->world->now < until; round++)
    {
      go_on (traffic, round);
      world_run (traffic->links->world, 10 * MS);
    }
}

static void
release_all (Traffic *traffic)
{
  Links *links = traffic->links;

  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      sqx_stream_release (talk_of (links, side)->conn, links->world->now, traffic->ends[side][i]);
  g_clear_pointer (&links->peer->streams, g_ptr_array_unref);
}

static void
finish (Traffic *traffic,
        guint64  span)
{
  Links *links = traffic->links;
  guint64 until = links->world->now + span;

  while (!all_ended (traffic))
    {
      g_assert_cmpuint (links->world->now, <, until);
      run_for (traffic, 50 * MS);
    }
  world_run (links->world, 5 * SQX_SECOND);
  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      {
        g_assert_cmpuint (traffic->got[side][i], ==,
                          i == 1 - side || i == 2 ? traffic->size : 0);
        g_assert_true (status_of (traffic, side, i).drained && status_of (traffic, side, i).over);
      }
  release_all (traffic);
  world_run (links->world, 5 * SQX_SECOND);
  for (guint side = 0; side < 2; side++)
    {
      sqx_session *session = &talk_of (links, side)->conn->session;

      g_assert_cmpstr (session_check (session), ==, NULL);
      g_assert_cmpuint (sqx_index_count (&session->streams.index), ==, 0);
    }
}

/* The network is gone for a minute in the middle, and again when both sides have just begun to
 * resend; bytes go on where they were. */
static void
test_cut (Links        *links,
          gconstpointer data)
{
  Traffic traffic;

  begin (&traffic, links, 20000000);
  links->weather.rate = 2000000;
  sqx_conn_set_max_send_rate (links->talk->conn, links->world->now, 50000000);
  run_for (&traffic, 2 * SQX_SECOND);
  g_assert_cmpuint (traffic.got[1][0] + traffic.got[1][2], >, 0);
  for (guint i = 0; i < 3; i++)
    {
      guint64 got = traffic.got[1][0] + traffic.got[1][2];

      links->weather.cut = TRUE;
      run_for (&traffic, 60 * SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
      g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_RECONNECTING);
      /* Nothing is told to whoever reads and writes. */
      for (guint side = 0; side < 2; side++)
        for (guint j = 0; j < STREAMS; j++)
          g_assert_cmpint (status_of (&traffic, side, j).read_error, ==, SQX_OK);
      links->weather.cut = FALSE;
      while (sqx_conn_state (links->talk->conn) != SQX_STATE_CONNECTED)
        run_for (&traffic, 10 * MS);
      run_for (&traffic, i == 0 ? 30 * MS : 2 * SQX_SECOND);
      if (i > 0)
        g_assert_cmpuint (traffic.got[1][0] + traffic.got[1][2], >, got);
    }
  g_assert_cmpuint (links->talk->reconnecting, >=, 3);
  g_assert_cmpuint (links->talk->conn->link.max_rate, ==, 50000000);
  g_assert_cmpuint (links->talk->restarted + links->peer->restarted, ==, 0);
  finish (&traffic, 120 * SQX_SECOND);
}

/* Links that die again and again, at different moments, over a network that loses and reorders. */
static void
test_many_links (Links        *links,
                 gconstpointer data)
{
  guint32 seed = g_test_rand_int ();
  Traffic traffic;

  g_test_message ("seed %u", seed);
  begin (&traffic, links, 3000000);
  links_weather (links, seed, 5, 5, 20 * MS);
  for (guint i = 0; i < 60 && !all_ended (&traffic); i++)
    {
      Talk *talk = talk_of (links, i % 2);

      run_for (&traffic, (guint64) g_rand_int_range (links->weather.rand, 1, 400) * MS);
      sqx_conn_link_lost (talk->conn, links->world->now, SQX_ERR_TIMED_OUT);
      sqx_conn_settle (talk->conn, links->world->now);
    }
  links_weather (links, seed, 0, 0, 0);
  g_assert_cmpuint (links->talk->reconnecting + links->peer->reconnecting, >=, 10);
  finish (&traffic, 300 * SQX_SECOND);
}

/* A peer that has forgotten everything: both ways end with that, and a new stream works. */
static void
test_restart (Links        *links,
              gconstpointer data)
{
  Traffic traffic;
  sqx_stream *stream;
  guint64 written = 0, got = 0;

  links->config_b.connection.max_streams = STREAMS;
  begin (&traffic, links, 50000000);
  g_assert_cmpint (sqx_conn_open_stream (links->talk->conn, links->world->now, &stream), ==,
                   SQX_ERR_QUEUE_FULL);
  run_for (&traffic, 200 * MS);
  g_assert_cmpuint (links->talk->may_open, ==, 0);
  g_assert_cmpuint (traffic.got[1][0], >, 0);
  site_restart (links->b, &links->config_b);
  links->peer = NULL;
  world_run (links->world, 20 * SQX_SECOND);
  g_assert_cmpuint (links->talk->restarted, ==, 1);
  /* Who waited to open one may do so with the new peer. */
  g_assert_cmpuint (links->talk->may_open, >=, 1);
  for (guint i = 0; i < STREAMS; i++)
    {
      sqx_stream_status status = status_of (&traffic, 0, i);

      g_assert_false (status.readable);
      g_assert_cmpint (status.read_error, ==,
                       traffic.ended[0][i] ? SQX_OK : SQX_ERR_SESSION_LOST);
      g_assert_cmpint (status.write_error, ==, SQX_ERR_SESSION_LOST);
      sqx_stream_release (links->talk->conn, links->world->now, traffic.ends[0][i]);
    }

  g_assert_cmpuint (links->b->accepted->len, ==, 1);
  links->peer = site_accepted (links->b, 0);
  links->peer->streams = g_ptr_array_new ();
  g_assert_cmpint (sqx_conn_open_stream (links->talk->conn, links->world->now, &stream), ==,
                   SQX_OK);
  pattern_write (links->talk->conn, links->world->now, stream, &written, 100000);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->peer->streams->len, ==, 1);
  pattern_read (links->peer->conn, links->world->now,
                g_ptr_array_index (links->peer->streams, 0), &got);
  g_assert_cmpuint (got, ==, 100000);
  sqx_stream_release (links->talk->conn, links->world->now, stream);
  sqx_stream_release (links->peer->conn, links->world->now,
                      g_ptr_array_index (links->peer->streams, 0));
  g_clear_pointer (&links->peer->streams, g_ptr_array_unref);
}

/* As long as the peer may not have taken the link it may be back with another session, for which
 * the ids are others: until then none is opened. */
static void
test_early (Links        *links,
            gconstpointer data)
{
  sqx_stream *stream;
  guint64 written = 0, got = 0;

  links_open (links);
  links->weather.drop_type = SQX_PACKET_CONFIRM;
  links->weather.drop_next = 1000;
  links->talk = site_connect (links->a, links->b, NULL);
  world_run (links->world, 2 * SQX_SECOND);
  g_assert_true (links->talk->conn->peer_known);
  g_assert_cmpint (sqx_conn_open_stream (links->talk->conn, links->world->now, &stream), ==,
                   SQX_ERR_QUEUE_FULL);
  /* What the peer has of the handshake goes, and another one is begun, which needs no CONFIRM. */
  world_run (links->world, 20 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (links->talk->may_open, >=, 1);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
  links->peer = site_accepted (links->b, 0);
  links->peer->streams = g_ptr_array_new ();
  g_assert_cmpint (sqx_conn_open_stream (links->talk->conn, links->world->now, &stream), ==,
                   SQX_OK);
  pattern_write (links->talk->conn, links->world->now, stream, &written, 1000);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->peer->streams->len, ==, 1);
  pattern_read (links->peer->conn, links->world->now,
                g_ptr_array_index (links->peer->streams, 0), &got);
  g_assert_cmpuint (got, ==, 1000);
  sqx_stream_release (links->talk->conn, links->world->now, stream);
  sqx_stream_release (links->peer->conn, links->world->now,
                      g_ptr_array_index (links->peer->streams, 0));
  g_clear_pointer (&links->peer->streams, g_ptr_array_unref);
}

/* A peer that does not come back within the time that the program gave it. What had arrived can be
 * read still. */
static void
test_gone (Links        *links,
           gconstpointer data)
{
  Traffic traffic;

  begin (&traffic, links, 50000000);
  links_persist (links, GPOINTER_TO_UINT (data) * SQX_SECOND);
  run_for (&traffic, 200 * MS);
  links->weather.cut = TRUE;
  world_run (links->world, 100 * SQX_SECOND);
  g_assert_true (links->talk->closed && links->peer->closed);
  for (guint side = 0; side < 2; side++)
    for (guint i = 0; i < STREAMS; i++)
      {
        sqx_conn *conn = talk_of (links, side)->conn;

        g_assert_cmpint (status_of (&traffic, side, i).write_error, !=, SQX_OK);
        if (!traffic.ended[side][i])
          traffic.ended[side][i] = pattern_read (conn, links->world->now, traffic.ends[side][i],
                                                 &traffic.got[side][i]);
        if (!traffic.ended[side][i])
          g_assert_cmpint (status_of (&traffic, side, i).read_error, ==, SQX_ERR_TIMED_OUT);
      }
  release_all (&traffic);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func, data)                                                                   \
  g_test_add ("/seqex/streams-links/" name, Links, GUINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("cut", test_cut, 0);
  ADD ("many-links", test_many_links, 0);
  ADD ("restart", test_restart, 0);
  ADD ("early", test_early, 0);
  ADD ("gone", test_gone, 0);
  ADD ("gone-persistent", test_gone, 20);
  return g_test_run ();
}
