/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encrypted connections over paths that carry more than others, less than before, or nothing large.
 */
#include "links.h"
#include "sqx-cc.h"

#define MS       SQX_MILLISECOND
#define OVERHEAD (SQX_DATA_HEADER + SQX_TAG_SIZE + 1)
#define BULK     400000

static void
start (Links *links,
       gsize  mtu)
{
  links->config_a.connection.max_datagram_size = SQX_DATAGRAM_MAX;
  links->config_b.connection.max_datagram_size = SQX_DATAGRAM_MAX;
  links_open (links);
  links->weather.mtu = mtu;
  links_connect (links, TRUE);
}

static gsize
size_of (Talk *talk)
{
  return sqx_conn_max_datagram_payload (talk->conn) + OVERHEAD;
}

/* A message there, and the same back. */
static guint64
exchange (Links *links,
          gsize  size)
{
  links_send (links, links->talk, size);
  return links_finish (links, 60 * SQX_SECOND);
}

/* The size is found on the way, nothing of the message is sent twice, and the window does not hear
 * of the probes that are lost. */
static void
test_ethernet (Links        *links,
               gconstpointer data)
{
  sqx_statistics a, b;

  links->config_a.connection.controller = &sqx_newreno;
  start (links, 1472);
  g_assert_cmpuint (size_of (links->talk), ==, 1200);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 1472);
  g_assert_cmpuint (size_of (links->peer), ==, 1472);
  g_assert_cmpuint (links->weather.largest, ==, 1472);
  g_assert_cmpuint (links->weather.too_large, <=, 2 * 6);
  a = talk_statistics (links->talk);
  b = talk_statistics (links->peer);
  g_assert_cmpuint (a.bytes_resent + b.bytes_resent, ==, 0);
  g_assert_cmpuint (a.probe_timeouts + b.probe_timeouts, ==, 0);
  g_assert_cmpuint (a.congestion_window, >, BULK / 2);
  links_check (links);
}

/* A few round trips lead up to the largest datagram there is. */
static void
test_loopback (Links        *links,
               gconstpointer data)
{
  start (links, 0);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, SQX_DATAGRAM_MAX);
  exchange (links, 2 * BULK);
  g_assert_cmpuint (size_of (links->peer), ==, SQX_DATAGRAM_MAX);
  links_check (links);
}

/* Neither side goes beyond what the other takes. */
static void
test_peer_limit (Links        *links,
                 gconstpointer data)
{
  links->config_a.connection.max_datagram_size = SQX_DATAGRAM_MAX;
  links->config_b.connection.max_datagram_size = 4000;
  links_open (links);
  links_connect (links, TRUE);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 4000);
  g_assert_cmpuint (size_of (links->peer), ==, 4000);
  g_assert_cmpuint (talk_counters (links->peer)->oversized, ==, 0);
}

/* Who says little does not search, and silence stays silence. */
static void
test_silence (Links        *links,
              gconstpointer data)
{
  guint64 sent;

  start (links, 0);
  for (guint i = 0; i < 20; i++)
    exchange (links, 100);
  g_assert_cmpuint (size_of (links->talk), ==, 1200);
  g_assert_cmpuint (links->weather.largest, <=, 1200);
  exchange (links, 10000);
  world_run (links->world, SQX_SECOND);
  sent = links->a->sent + links->b->sent;
  world_run (links->world, 2000 * SQX_SECOND);
  g_assert_cmpuint (links->a->sent + links->b->sent, ==, sent);
}

/* The path carries less from one moment on, while much is on its way, or when single messages come
 * and go. */
static void
test_black_hole (Links        *links,
                 gconstpointer data)
{
  static const gsize sizes[] = { 30000, 5000, 1472, 1460, 1200 };
  gsize single = GPOINTER_TO_SIZE (data);

  start (links, 0);
  exchange (links, BULK);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      guint64 time;

      if (single == 0)
        {
          links_send (links, links->talk, 1000000);
          links_send (links, links->peer, 1000000);
          world_run (links->world, 15 * MS);
        }
      links->weather.mtu = sizes[i];
      if (single > 0)
        links_send (links, links->talk, single);
      time = links_finish (links, 60 * SQX_SECOND);
      g_test_message ("%zu: %" G_GUINT64_FORMAT " ms", sizes[i], time / MS);
      g_assert_cmpuint (time, <, 4 * SQX_SECOND);
      for (guint n = 0; n < 10; n++)
        exchange (links, 60000);
      g_assert_cmpuint (size_of (links->talk), <=, sizes[i]);
      g_assert_cmpuint (size_of (links->peer), <=, sizes[i]);
    }
  g_assert_cmpuint (size_of (links->talk), ==, 1200);
  links_check (links);
}

/* Loss alone does not lower it. */
static void
test_loss (Links        *links,
           gconstpointer data)
{
  start (links, 8952);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 8952);
  links_weather (links, 7, 20, 0, 0);
  for (guint i = 0; i < 20; i++)
    exchange (links, 50000);
  links->weather.cut = TRUE;
  links_send (links, links->talk, 50000);
  world_run (links->world, 5 * SQX_SECOND);
  links->weather.cut = FALSE;
  links->weather.loss = 0;
  links_finish (links, 60 * SQX_SECOND);
  exchange (links, BULK);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 8952);
  links_check (links);
}

/* After ten minutes it is tried again. */
static void
test_raise (Links        *links,
            gconstpointer data)
{
  start (links, 1472);
  exchange (links, BULK);
  exchange (links, BULK);
  links->weather.mtu = 0;
  world_run (links->world, 580 * SQX_SECOND);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 1472);
  world_run (links->world, 20 * SQX_SECOND);
  for (guint n = 0; n < 5; n++)
    exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, SQX_DATAGRAM_MAX);
}

/* A socket says what it does not take: nothing waits for a time-out, and no size is tried twice. */
static void
test_told (Links        *links,
           gconstpointer data)
{
  guint64 time;

  links->weather.tells = TRUE;
  start (links, 8952);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), ==, 8952);
  g_assert_cmpuint (links->weather.too_large, <=, 2 * 2);

  links->weather.mtu = 1400;
  links_send (links, links->talk, 3000);
  time = links_finish (links, 60 * SQX_SECOND);
  g_assert_cmpuint (time, <, 5 * links->world->latency + 20 * MS);
  exchange (links, BULK);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->talk), <=, 1400);
  g_assert_cmpuint (size_of (links->talk), >, 1378);
  g_assert_cmpuint (talk_statistics (links->talk).probe_timeouts, ==, 0);
  links_check (links);
}

/* Another host is another path. */
static void
test_move (Links        *links,
           gconstpointer data)
{
  start (links, 8952);
  exchange (links, BULK);
  g_assert_cmpuint (size_of (links->peer), ==, 8952);
  site_move (links->a, 9, 900);
  links->weather.mtu = 1300;
  links->weather.largest = 0;
  links_send (links, links->talk, 100);
  links_finish (links, 10 * SQX_SECOND);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->peer->moved, ==, 1);
  g_assert_cmpuint (size_of (links->peer), ==, 1200);
  sqx_endpoint_handle_network_changed (links->a->endpoint, links->world->now);
  g_assert_cmpuint (size_of (links->talk), ==, 1200);
  for (guint n = 0; n < 10; n++)
    exchange (links, BULK);
  g_assert_cmpuint (size_of (links->peer), <=, 1300);
  g_assert_cmpuint (size_of (links->peer), >, 1280);

  /* A port is not. */
  site_move (links->a, 9, 901);
  links->weather.mtu = 0;
  links_send (links, links->talk, 100);
  links_finish (links, 10 * SQX_SECOND);
  g_assert_cmpuint (links->peer->moved, ==, 2);
  g_assert_cmpuint (size_of (links->peer), >, 1280);
  links_check (links);
}

/* Unconfirmed datagrams follow the path, and asking for more makes it be searched. */
static void
test_datagrams (Links        *links,
                gconstpointer data)
{
  static const guint8 zeros[8000];
  const sqx_payload payload = { zeros, sizeof zeros, NULL };
  guint tries = 0;

  start (links, 0);
  while (sqx_conn_send_datagram (links->talk->conn, links->world->now, &payload)
         == SQX_ERR_TOO_LARGE)
    {
      g_assert_cmpuint (tries++, <, 5);
      world_run (links->world, 200 * MS);
    }
  g_assert_cmpuint (tries, >=, 1);
  world_run (links->world, 200 * MS);
  g_assert_cmpuint (talk_statistics (links->peer).datagrams_received, ==, 1);

  /* One that waits when the path is said to carry less is dropped, and holds up nothing. */
  g_assert_cmpint (sqx_conn_send_datagram (links->talk->conn, links->world->now, &payload), ==,
                   SQX_OK);
  sqx_endpoint_handle_too_large (links->a->endpoint, links->world->now, &links->b->address, 5000);
  exchange (links, 3000);
  g_assert_cmpuint (talk_counters (links->talk)->datagram_too_large, ==, 1);
}

int
main (int    argc,
      char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Links *links, gconstpointer data);
    gsize       data;
  } tests[] = {
    { "/seqex/path-mtu/ethernet", test_ethernet, 0 },
    { "/seqex/path-mtu/loopback", test_loopback, 0 },
    { "/seqex/path-mtu/peer-limit", test_peer_limit, 0 },
    { "/seqex/path-mtu/silence", test_silence, 0 },
    { "/seqex/path-mtu/black-hole/bulk", test_black_hole, 0 },
    { "/seqex/path-mtu/black-hole/single", test_black_hole, 40000 },
    { "/seqex/path-mtu/loss", test_loss, 0 },
    { "/seqex/path-mtu/raise", test_raise, 0 },
    { "/seqex/path-mtu/told", test_told, 0 },
    { "/seqex/path-mtu/move", test_move, 0 },
    { "/seqex/path-mtu/datagrams", test_datagrams, 0 },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Links, GSIZE_TO_POINTER (tests[i].data), links_set_up, tests[i].run,
                links_tear_down);
  return g_test_run ();
}
