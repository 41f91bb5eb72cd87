/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Peers that change their address in the middle of everything.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MS   SQX_MILLISECOND
#define RATE 12500000 /* 100 Mbit/s */

/* Who moves, and whether its program is told so by the system. */
enum { MOVE_A = 1, MOVE_B = 2, PORT = 4, TOLD = 8 };

static guint64
now (Links *links)
{
  return links->world->now;
}

static void
begin (Links *links)
{
  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
}

static void
move (Links *links,
      guint  how,
      guint  n)
{
  for (guint i = 0; i < 2; i++)
    {
      Site *site = i == 0 ? links->a : links->b;

      if ((how & (i == 0 ? MOVE_A : MOVE_B)) == 0)
        continue;
      site_move (site, (how & PORT) != 0 ? site->index + 1 : 10 + 10 * n + i, 5000 + n);
      if ((how & TOLD) != 0)
        sqx_endpoint_handle_network_changed (site->endpoint, now (links));
    }
}

static void
assert_found (Links *links)
{
  g_assert_true (sqx_address_equal (sqx_conn_address (links->talk->conn), &links->b->address));
  g_assert_true (sqx_address_equal (sqx_conn_address (links->peer->conn), &links->a->address));
}

static guint64
longest_pto (Links *links)
{
  return MAX (sqx_recovery_pto (&links->talk->conn->link.recovery),
              sqx_recovery_pto (&links->peer->conn->link.recovery));
}

/* A third of @bytes has arrived at @talk. */
static void
reach_the_middle (Links *links,
                  Talk  *talk,
                  guint64 bytes)
{
  guint64 before = talk_statistics (talk).bytes_received;

  while (talk_statistics (talk).bytes_received < before + bytes / 3)
    world_run (links->world, MS);
  g_assert_cmpuint (talk_statistics (talk).bytes_received, <, before + bytes / 2);
}

/* How long it takes until bytes flow again to @sides. */
static guint64
measure_stall (Links *links,
               guint  sides)
{
  const guint64 enough = 5 * SQX_DATAGRAM_DEFAULT, start = now (links);
  Talk *talks[2] = { links->talk, links->peer };
  guint64 before[2];

  for (guint i = 0; i < 2; i++)
    before[i] = talk_statistics (talks[i]).bytes_received;
  for (guint i = 0; i < 2; i++)
    while ((sides & 1u << i) != 0 && talk_statistics (talks[i]).bytes_received < before[i] + enough)
      {
        world_run (links->world, MS);
        g_assert_cmpuint (now (links) - start, <, 20 * SQX_SECOND);
      }
  return now (links) - start;
}

/* In the middle of large messages both ways: three probe time-outs, and they go on. */
static void
test_transfer (Links        *links,
               gconstpointer data)
{
  const guint how = GPOINTER_TO_UINT (data);
  guint64 worst = 0;

  begin (links);
  links->weather.rate = RATE;
  for (guint i = 0; i < 5; i++)
    {
      guint64 pto, stall;

      links_send_many (links, links->talk, 150, 60000);
      links_send_many (links, links->peer, 150, 60000);
      reach_the_middle (links, links->talk, 150 * 60000);
      pto = longest_pto (links);
      move (links, how, i + 1);
      stall = measure_stall (links, 3);
      worst = MAX (worst, stall * 100 / pto);
      g_assert_cmpuint (stall, <=, 3 * pto);
      links_finish (links, 30 * SQX_SECOND);
      assert_found (links);
      g_assert_cmpuint (links->peer->moved, ==, (how & MOVE_A) != 0 ? i + 1 : 0);
      g_assert_cmpuint (links->talk->moved, ==, (how & MOVE_B) != 0 ? i + 1 : 0);
    }
  links_check (links);
  g_assert_cmpuint (links->talk->reconnecting + links->talk->restarted, ==, 0);
  g_test_message ("figure: stall of at most %.2f probe time-outs", worst / 100.0);
}

/* Only one direction carries data, so that one side only listens. @data: who moves; a sends. */
static void
test_one_way (Links        *links,
              gconstpointer data)
{
  const guint how = GPOINTER_TO_UINT (data);
  guint64 worst = 0;

  begin (links);
  links->weather.rate = RATE;
  for (guint i = 0; i < 5; i++)
    {
      guint64 pto, stall;

      links->hold = TRUE;
      links_send_many (links, links->talk, 100, 50000);
      reach_the_middle (links, links->peer, 100 * 50000);
      pto = longest_pto (links);
      move (links, how, i + 1);
      stall = measure_stall (links, 2);
      worst = MAX (worst, stall * 100 / pto);
      /* A side that only listens asks after three of silence, and is found one later. */
      g_assert_cmpuint (stall, <=, ((how & TOLD) != 0 || how == MOVE_A ? 3 : 5) * pto);
      while (links->held->len < 100)
        world_run (links->world, 10 * MS);
      links_answer (links);
      links_finish (links, 5 * SQX_SECOND);
      assert_found (links);
    }
  links_check (links);
  g_test_message ("figure: stall of at most %.2f probe time-outs", worst / 100.0);
}

/* Under 1000 open exchanges that wait for their answers. */
static void
test_open_exchanges (Links        *links,
                     gconstpointer data)
{
  const guint how = GPOINTER_TO_UINT (data);

  begin (links);
  links->hold = TRUE;
  links_send_many (links, links->talk, 500, 100);
  links_send_many (links, links->peer, 500, 100);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->held->len, ==, 1000);
  move (links, how, 1);
  links_answer (links);
  g_assert_cmpuint (links_finish (links, 30 * SQX_SECOND), <=, SQX_SECOND);
  links_check (links);
  assert_found (links);
}

/* Another port is the same path: what is known of it stays. Another host is not. */
static void
test_what_stays (Links        *links,
                 gconstpointer data)
{
  sqx_statistics before, after;

  begin (links);
  for (guint i = 0; i < 200; i++)
    links_send (links, links->peer, 60000);
  links_finish (links, 60 * SQX_SECOND);
  before = talk_statistics (links->peer);
  g_assert_cmpuint (before.congestion_window, >, 20 * SQX_DATAGRAM_DEFAULT);

  move (links, MOVE_A | PORT, 1);
  links_send (links, links->talk, 100);
  links_finish (links, SQX_SECOND);
  after = talk_statistics (links->peer);
  g_assert_cmpuint (links->peer->moved, ==, 1);
  g_assert_cmpuint (after.congestion_window, >=, before.congestion_window / 2);

  links->world->latency = 200 * MS;
  move (links, MOVE_A, 2);
  links_send (links, links->talk, 100);
  links_finish (links, 5 * SQX_SECOND);
  after = talk_statistics (links->peer);
  g_assert_cmpuint (links->peer->moved, ==, 2);
  g_assert_cmpuint (after.congestion_window, <=, 15 * SQX_DATAGRAM_DEFAULT);
  g_assert_cmpuint (after.min_rtt, >=, 390 * MS);
}

/* Both move at once, and neither is told: nobody can find the other, until one of them is told
 * where to look. */
static void
test_both_lost (Links        *links,
                gconstpointer data)
{
  begin (links);
  links_persist (links, SQX_TIME_NEVER);
  links->hold = TRUE;
  links_send_many (links, links->talk, 10, 100);
  links_send_many (links, links->peer, 10, 100);
  world_run (links->world, SQX_SECOND);
  move (links, MOVE_A | MOVE_B, 1);
  world_run (links->world, 40 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
  g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_RECONNECTING);
  sqx_conn_set_address (links->talk->conn, now (links), &links->b->address);
  world_run (links->world, SQX_SECOND);
  links_answer (links);
  g_assert_cmpuint (links_finish (links, SQX_SECOND), <=, SQX_SECOND);
  links_check (links);
  assert_found (links);
  g_assert_cmpuint (links->talk->restarted + links->peer->restarted, ==, 0);
}

/* Back and forth, faster than a proof takes. */
static void
test_flutter (Links        *links,
              gconstpointer data)
{
  begin (links);
  links_send_many (links, links->talk, 100, 60000);
  links_send_many (links, links->peer, 100, 60000);
  for (guint i = 0; i < 100; i++)
    {
      world_run (links->world, 7 * MS);
      move (links, i % 3 == 0 ? MOVE_A : MOVE_A | PORT, i % 2);
    }
  links_finish (links, 60 * SQX_SECOND);
  links_check (links);
  assert_found (links);
}

/* Who waits for an answer and has nothing to say asks now and then, so that it is found. */
static void
test_waits (Links        *links,
            gconstpointer data)
{
  guint64 pto, sent;

  begin (links);
  links->hold = TRUE;
  links_send (links, links->talk, 100);
  world_run (links->world, 2 * links->world->latency);
  g_assert_cmpuint (links->held->len, ==, 1);
  world_run (links->world, 2 * links->world->latency + SQX_ACK_DELAY_DEFAULT);
  pto = longest_pto (links);
  move (links, MOVE_A | PORT, 1);
  links_answer (links);
  g_assert_cmpuint (links_finish (links, SQX_SECOND), <=, 4 * pto + 10 * MS);
  assert_found (links);
  links_check (links);

  /* Not for ever: after three probe time-outs of silence, and four, 16 and 64 times as many. Both
   * do, and are answered. */
  links->hold = TRUE;
  links_send (links, links->talk, 100);
  world_run (links->world, 2 * links->world->latency + SQX_ACK_DELAY_DEFAULT);
  sent = links->a->sent;
  world_run (links->world, 9 * SQX_SECOND);
  g_assert_cmpuint (links->a->sent - sent, >=, 3);
  g_assert_cmpuint (links->a->sent - sent, <=, 8);
  sent = links->a->sent;
  world_run (links->world, 101 * SQX_SECOND);
  g_assert_cmpuint (links->a->sent - sent, <=, 24);
  links_answer (links);
  links_finish (links, SQX_SECOND);
  links_check (links);
}

/* Who closes while it asks whether the peer is elsewhere tells it there as well. */
static void
test_closes (Links        *links,
             gconstpointer data)
{
  begin (links);
  links->hold = TRUE;
  move (links, MOVE_A, 1);
  links_send (links, links->talk, 100);
  world_run (links->world, links->world->latency);
  g_assert_true (links->peer->conn->secure->path.validating);
  sqx_conn_abort (links->peer->conn, now (links), 0, "over");
  world_run (links->world, links->world->latency);
  g_assert_true (links->talk->closed);
  links_all_fail (links, SQX_ERR_PEER_CLOSED, 0);
}

/* A router that gives the client another port after every few datagrams, and tells who still sends
 * to the old one that nobody is there. */
typedef struct
{
  Links      *links;
  guint       every;
  guint       count;  /* datagrams of the client since the last change */
  WorldFilter filter; /* what else the network does */
  gpointer    data;
} Router;

static gboolean
route (World   *world,
       Flight  *flight,
       gpointer data)
{
  Router *router = data;
  Site *client = router->links->a, *server = router->links->b;

  if (sqx_address_equal (&flight->from, &client->address))
    {
      if (!router->filter (world, flight, router->data))
        return FALSE;
      if (++router->count == router->every)
        {
          router->count = 0;
          site_move (client, client->index + 1, client->address.port + 1);
        }
      flight->from = client->address;
      return TRUE;
    }
  if (!sqx_address_equal (&flight->to, &client->address))
    {
      sqx_endpoint_handle_unreachable (server->endpoint, world->now, &flight->to);
      return FALSE;
    }
  return router->filter (world, flight, router->data);
}

/* The client waits, and has nothing to say: the server cannot know where it is. */
static void
test_router (Links        *links,
             gconstpointer data)
{
  const guint loss = GPOINTER_TO_UINT (data);
  guint64 longest = 0, longest_close = 0;

  links_open (links);
  for (guint32 seed = 1; seed <= 60; seed++)
    {
      Router router = { .links = links, .every = 6 + seed % 25, .filter = links->world->filter,
                        .data = links->world->filter_data };
      guint64 start, took;

      links_weather (links, 0, 0, 0, 0);
      links_connect (links, FALSE);
      links_weather (links, seed, loss, 5, 2 * MS);
      links->world->latency = 2 * MS;
      links->world->filter = route;
      links->world->filter_data = &router;
      for (guint i = 0; i < 300; i++)
        links_send_on (links, links->talk, 1, TRUE, 20);
      took = links_finish (links, 60 * SQX_SECOND);
      longest = MAX (longest, took);
      start = now (links);
      sqx_conn_close (links->talk->conn, start, 0, NULL);
      sqx_conn_close (links->peer->conn, start, 0, NULL);
      while (!links->talk->closed || !links->peer->closed)
        world_run (links->world, MS);
      longest_close = MAX (longest_close, now (links) - start);
      talk_free_conn (links->talk);
      talk_free_conn (links->peer);
      links->world->filter = router.filter;
      links->world->filter_data = router.data;
    }
  links_check (links);
  g_test_message ("figure: at %u %% loss at most %.2f s, and %.2f s to close", loss,
                  longest / 1e6, longest_close / 1e6);
  g_assert_cmpuint (longest, <, 3 * SQX_SECOND);
  g_assert_cmpuint (longest_close, <, SQX_SECOND);
}

/* Attackers ------------------------------------------------------------------------------ */

/* Somebody on the path sends copies of what passes from addresses of his choice, before or after
 * the packet itself; he counts what goes there. */
typedef struct
{
  Links      *links;
  sqx_address from;     /* where the copies come from */
  gboolean    instead;  /* the packet itself does not arrive */
  gboolean    on;
  guint64     sent, received; /* bytes from there, and to there */
  WorldFilter filter;
  gpointer    data;
} Spoofer;

static gboolean
spoof (World   *world,
       Flight  *flight,
       gpointer data)
{
  Spoofer *spoofer = data;

  if (sqx_address_equal (&flight->to, &spoofer->from))
    {
      spoofer->received += flight->size;
      g_assert_cmpuint (spoofer->received, <=, 3 * spoofer->sent);
      return FALSE;
    }
  if (spoofer->on && sqx_address_equal (&flight->from, &spoofer->links->a->address) &&
      (flight->data[0] & ~1) == SQX_PACKET_DATA)
    {
      spoofer->on = FALSE;
      spoofer->sent += flight->size;
      world->latency -= MS;
      world_inject (world, &spoofer->from, &flight->to, flight->data, flight->size);
      world->latency += MS;
      spoofer->on = TRUE;
      return !spoofer->instead;
    }
  return TRUE;
}

/* Neither can he move the connection, nor make it send him much, nor does he stop it. */
static void
test_spoofed (Links        *links,
              gconstpointer data)
{
  Spoofer spoofer = { .links = links, .from = world_address (99, 99) };

  begin (links);
  links->world->filter = spoof;
  links->world->filter_data = &spoofer;
  spoofer.on = TRUE;
  for (guint i = 0; i < 20; i++)
    {
      links_send_many (links, links->talk, 3, 3000);
      links_send_many (links, links->peer, 3, 3000);
      links_finish (links, 30 * SQX_SECOND);
      g_assert_cmpuint (sqx_conn_address (links->peer->conn)->port, ==, 4000);
    }
  g_assert_cmpuint (links->peer->moved, ==, 0);
  links_check (links);
  g_test_message ("figure: %u bytes to the spoofed address for %u from it",
                  (guint) spoofer.received, (guint) spoofer.sent);
  g_assert_cmpuint (spoofer.received, >, 0);
}

/* A handshake packet that seems to come from elsewhere does not prove that anybody is there. */
typedef struct
{
  Links      *links;
  guint8      type;
  sqx_address from;
  guint64     sent, received;
} Elsewhere;

static gboolean
from_elsewhere (World   *world,
                Flight  *flight,
                gpointer data)
{
  Elsewhere *elsewhere = data;

  if (sqx_address_equal (&flight->to, &elsewhere->from))
    {
      elsewhere->received += flight->size;
      g_assert_cmpuint (elsewhere->received, <=, 3 * elsewhere->sent);
      return FALSE;
    }
  if (flight->data[0] == elsewhere->type && elsewhere->sent == 0)
    {
      elsewhere->sent += flight->size;
      flight->from = elsewhere->from;
    }
  return TRUE;
}

static void
test_handshake_from_elsewhere (Links        *links,
                               gconstpointer data)
{
  guint8 type = (guint8) GPOINTER_TO_UINT (data);
  Elsewhere elsewhere = { .links = links, .type = type, .from = world_address (99, 99) };

  links_open (links);
  links->world->filter = from_elsewhere;
  links->world->filter_data = &elsewhere;
  links->talk = site_connect (links->a, links->b, type == SQX_PACKET_DATA ? links->b : NULL);
  links_send_many (links, links->talk, 40, 10000);
  links_finish (links, 5 * SQX_SECOND);
  links_check (links);
  g_assert_cmpuint (elsewhere.sent, >, 0);
  links->peer = site_accepted (links->b, 0);
  assert_found (links);
}

/* The same with every packet taken away and sent on from there, small ones too; when he stops,
 * all goes on. */
static void
test_diverted (Links        *links,
               gconstpointer data)
{
  Spoofer spoofer = { .links = links, .from = world_address (99, 99), .instead = TRUE };

  begin (links);
  links->world->filter = spoof;
  links->world->filter_data = &spoofer;
  for (guint i = 0; i < 10; i++)
    {
      spoofer.on = TRUE;
      links_send (links, links->talk, i % 2 == 0 ? 10 : 3000);
      world_run (links->world, 2 * SQX_SECOND);
      spoofer.on = FALSE;
      links_finish (links, 30 * SQX_SECOND);
    }
  g_assert_cmpuint (links->peer->moved, ==, 0);
  links_check (links);
}

/* Keeps one packet of the client for later. */
typedef struct
{
  Links  *links;
  Flight  kept;
} Keeper;

static gboolean
keep_one (World   *world,
          Flight  *flight,
          gpointer data)
{
  Keeper *keeper = data;

  if (keeper->kept.data != NULL ||
      !sqx_address_equal (&flight->from, &keeper->links->a->address))
    return TRUE;
  keeper->kept = *flight;
  keeper->kept.data = g_memdup2 (flight->data, flight->size);
  return FALSE;
}

/* A packet that was long on its way from the old address says nothing of where the peer is now. */
static void
test_straggler (Links        *links,
                gconstpointer data)
{
  Keeper keeper = { .links = links };
  guint64 received;

  begin (links);
  world_run (links->world, SQX_SECOND);
  links->world->filter = keep_one;
  links->world->filter_data = &keeper;
  links_send (links, links->talk, 100);
  world_flush (links->world);
  g_assert_nonnull (keeper.kept.data);
  move (links, MOVE_A, 1);
  links_send (links, links->talk, 100);
  links_finish (links, 5 * SQX_SECOND);
  assert_found (links);
  g_assert_cmpuint (links->peer->moved, ==, 1);

  received = talk_statistics (links->peer).packets_received;
  world_inject (links->world, &keeper.kept.from, &keeper.kept.to, keeper.kept.data,
                keeper.kept.size);
  world_run (links->world, links->world->latency);
  g_assert_cmpuint (talk_statistics (links->peer).packets_received, ==, received + 1);
  g_assert_false (links->peer->conn->secure->path.validating);
  links_check (links);
  assert_found (links);
  g_free (keeper.kept.data);
}

/* An unproven address that asks, and is to be asked, has one account for both. */
static void
test_one_account (Links        *links,
                  gconstpointer data)
{
  const guint8 challenge[SQX_CHALLENGE_SIZE] = "1234567";
  Spoofer spoofer = { .links = links, .from = world_address (99, 99), .sent = 120 };
  sqx_path *path;

  begin (links);
  world_run (links->world, SQX_SECOND);
  links->world->filter = spoof;
  links->world->filter_data = &spoofer;
  path = &links->peer->conn->secure->path;
  sqx_path_received (path, &links->peer->conn->config, &spoofer.from, 120, true);
  sqx_path_challenged (path, &spoofer.from, challenge, 120 - SQX_DATA_HEADER - SQX_TAG_SIZE);
  sqx_conn_settle (links->peer->conn, now (links));
  world_run (links->world, 60 * SQX_SECOND);
  g_assert_cmpuint (spoofer.received, >, 0);
}

/* Who is not on the path cannot even make it ask. */
static void
test_blind (Links        *links,
            gconstpointer data)
{
  sqx_address from = world_address (99, 99);
  guint64 sent;
  sqx_path before;
  guint8 packet[1200];
  uint32_t id;

  begin (links);
  world_run (links->world, SQX_SECOND);
  sent = links->b->sent;
  before = links->peer->conn->secure->path;
  id = sqx_route_id (&links->peer->conn->attachment.link);
  for (guint i = 0; i < 20000; i++)
    {
      memset (packet, (int) i, sizeof packet);
      packet[0] = SQX_PACKET_DATA + (i & 1);
      packet[1] = (guint8) (id >> 24);
      packet[2] = (guint8) (id >> 16);
      packet[3] = (guint8) (id >> 8);
      packet[4] = (guint8) id;
      packet[5] = packet[6] = packet[7] = 0;
      packet[8] = (guint8) i;
      world_inject (links->world, i % 3 == 0 ? &links->a->address : &from, &links->b->address,
                    packet, 30 + i % 1000);
      if (i % 100 == 0)
        world_run (links->world, 20 * MS);
    }
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->b->sent, ==, sent);
  g_assert_cmpmem (&links->peer->conn->secure->path, sizeof before, &before, sizeof before);
  g_assert_cmpuint (talk_counters (links->peer)->forged +
                    talk_counters (links->peer)->duplicate_packet, ==, 20000);
  links_check_works (links);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/roaming/" name, Links, GUINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("transfer/client/port", MOVE_A | PORT, test_transfer);
  ADD ("transfer/client/host", MOVE_A, test_transfer);
  ADD ("transfer/server/port", MOVE_B | PORT, test_transfer);
  ADD ("transfer/server/host", MOVE_B, test_transfer);
  ADD ("one-way/sender", MOVE_A, test_one_way);
  ADD ("one-way/listener", MOVE_B, test_one_way);
  ADD ("one-way/listener/told", MOVE_B | TOLD, test_one_way);
  ADD ("open-exchanges/client", MOVE_A, test_open_exchanges);
  ADD ("open-exchanges/server", MOVE_B, test_open_exchanges);
  ADD ("what-stays", 0, test_what_stays);
  ADD ("both-lost", 0, test_both_lost);
  ADD ("flutter", 0, test_flutter);
  ADD ("waits", 0, test_waits);
  ADD ("closes", 0, test_closes);
  ADD ("router", 0, test_router);
  ADD ("router/lossy", 20, test_router);
  ADD ("spoofed", 0, test_spoofed);
  ADD ("elsewhere/accept", SQX_PACKET_ACCEPT, test_handshake_from_elsewhere);
  ADD ("elsewhere/confirm", SQX_PACKET_CONFIRM, test_handshake_from_elsewhere);
  ADD ("elsewhere/data", SQX_PACKET_DATA, test_handshake_from_elsewhere);
  ADD ("diverted", 0, test_diverted);
  ADD ("straggler", 0, test_straggler);
  ADD ("one-account", 0, test_one_account);
  ADD ("blind", 0, test_blind);
  return g_test_run ();
}
