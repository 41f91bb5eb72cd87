/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What somebody without keys can send to a connection, and what everything at once does to it.
 */
#include "links.h"

#include "sqx-conn-private.h"

#include <stdlib.h>
#include <string.h>

#define MS SQX_MILLISECOND

/* All that went over the network. */
typedef struct
{
  Links     *links;
  GPtrArray *flights; /* owned Flight */
  gboolean   on;
} Tape;

static void
flight_free (gpointer data)
{
  Flight *flight = data;

  g_free (flight->data);
  g_free (flight);
}

static gboolean
tape_filter (World   *world,
             Flight  *flight,
             gpointer data)
{
  Tape *tape = data;

  if (tape->on)
    {
      Flight *copy = g_memdup2 (flight, sizeof *flight);

      copy->data = g_memdup2 (flight->data, flight->size);
      g_ptr_array_add (tape->flights, copy);
    }
  return !tape->links->weather.cut;
}

static void
tape_init (Tape  *tape,
           Links *links)
{
  *tape = (Tape) { .links = links, .on = TRUE };
  tape->flights = g_ptr_array_new_with_free_func (flight_free);
  links->world->filter = tape_filter;
  links->world->filter_data = tape;
}

/* Everything again, that is of @type (0: all), from where it came or from elsewhere. */
static void
tape_replay (Tape              *tape,
             guint8             type,
             const sqx_address *from)
{
  World *world = tape->links->world;

  tape->on = FALSE;
  for (guint i = 0; i < tape->flights->len; i++)
    {
      const Flight *flight = g_ptr_array_index (tape->flights, i);

      if (type != 0 && flight->data[0] != type)
        continue;
      world_inject (world, from != NULL ? from : &flight->from, &flight->to, flight->data,
                    flight->size);
      if (i % 20 == 0)
        world_run (world, MS);
    }
  world_run (world, SQX_SECOND);
}

/* What must not change. */
typedef struct
{
  sqx_state   state;
  guint64     generation;
  uint32_t    peer_id, own_id;
  sqx_address address;
  guint       connected, reconnecting, restarted, moved, messages;
  guint64     received;
} Mark;

static Mark
mark (Talk *talk)
{
  const sqx_secure *secure = talk->conn->secure;

  return (Mark) {
    .state = sqx_conn_state (talk->conn),
    .generation = secure->generation,
    .peer_id = secure->peer_id,
    .own_id = sqx_route_id (&talk->conn->attachment.link),
    .address = secure->path.address,
    .connected = talk->connected,
    .reconnecting = talk->reconnecting,
    .restarted = talk->restarted,
    .moved = talk->moved,
    .messages = talk->messages,
    .received = talk_statistics (talk).packets_received,
  };
}

static void
assert_unmoved (const Mark *before,
                Talk       *talk)
{
  Mark after = mark (talk);

  g_assert_cmpint (after.state, ==, before->state);
  g_assert_cmpuint (after.generation, ==, before->generation);
  g_assert_cmpuint (after.peer_id, ==, before->peer_id);
  g_assert_cmpuint (after.own_id, ==, before->own_id);
  g_assert_true (sqx_address_equal (&after.address, &before->address));
  g_assert_cmpuint (after.connected, ==, before->connected);
  g_assert_cmpuint (after.reconnecting, ==, before->reconnecting);
  g_assert_cmpuint (after.restarted, ==, before->restarted);
  g_assert_cmpuint (after.moved, ==, before->moved);
  g_assert_cmpuint (after.messages, ==, before->messages);
}

/* The whole life of a connection again, reconnects included, to the living link. */
static void
test_replay (Links        *links,
             gconstpointer data)
{
  const gboolean known = GPOINTER_TO_INT (data);
  sqx_address elsewhere = world_address (77, 77);
  Mark before[2];
  Tape tape;

  links_open (links);
  tape_init (&tape, links);
  links_connect (links, known);
  links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  for (guint i = 0; i < 4; i++)
    {
      Talk *talk = i % 2 == 0 ? links->talk : links->peer;

      sqx_conn_link_lost (talk->conn, links->world->now, SQX_ERR_TIMED_OUT);
      sqx_conn_settle (talk->conn, links->world->now);
      links_check_works (links);
      site_move (links->a, 1, 5000 + i);
      links_check_works (links);
    }
  world_run (links->world, 20 * SQX_SECOND);

  before[0] = mark (links->talk);
  before[1] = mark (links->peer);
  for (guint i = 0; i < 2; i++)
    {
      tape_replay (&tape, 0, i == 0 ? NULL : &elsewhere);
      assert_unmoved (&before[0], links->talk);
      assert_unmoved (&before[1], links->peer);
      g_assert_cmpuint (mark (links->talk).received, ==, before[0].received);
      g_assert_cmpuint (mark (links->peer).received, ==, before[1].received);
    }
  /* Nothing came of the handshakes either. */
  world_run (links->world, 20 * SQX_SECOND);
  g_assert_cmpuint (sqx_endpoint_n_connections (links->a->endpoint), ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_connections (links->b->endpoint), ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_half_open (links->a->endpoint), ==, 0);
  g_assert_cmpuint (sqx_endpoint_n_half_open (links->b->endpoint), ==, 0);
  g_assert_cmpuint (sqx_endpoint_counters_get (links->b->endpoint)->session_past, >, 0);
  links_check_works (links);
  links_check (links);
  assert_unmoved (&(Mark) { .state = SQX_STATE_CONNECTED, .generation = before[0].generation,
                            .peer_id = before[0].peer_id, .own_id = before[0].own_id,
                            .address = before[0].address, .connected = before[0].connected,
                            .reconnecting = before[0].reconnecting,
                            .messages = before[0].messages + 1 }, links->talk);
  g_ptr_array_unref (tape.flights);
}

/* CONFIRM again and again costs at most an answer as long as nothing else came, and then
 * nothing. */
static void
test_confirms (Links        *links,
               gconstpointer data)
{
  guint64 sent;
  Tape tape;

  links_open (links);
  tape_init (&tape, links);
  links_connect (links, FALSE);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  sent = links->b->sent;
  for (guint i = 0; i < 200; i++)
    tape_replay (&tape, SQX_PACKET_CONFIRM, NULL);
  g_assert_cmpuint (links->b->sent, ==, sent);
  links_check_works (links);
  g_ptr_array_unref (tape.flights);
}

/* RESETs, with every packet number there was and others. */
static void
inject_resets (Links   *links,
               Talk    *talk,
               guint32  low,
               guint32  high)
{
  Site *other = talk->site == links->a ? links->b : links->a;
  uint32_t id = talk->conn->secure->peer_id;

  for (guint32 number = low; number < high; number++)
    {
      guint8 packet[9] = {
        SQX_PACKET_RESET, (guint8) (id >> 24), (guint8) (id >> 16), (guint8) (id >> 8), (guint8) id,
        (guint8) (number >> 24), (guint8) (number >> 16), (guint8) (number >> 8), (guint8) number,
      };

      world_inject (links->world, &other->address, &talk->site->address, packet, sizeof packet);
    }
}

static void
test_resets (Links        *links,
             gconstpointer data)
{
  Mark before[2];
  guint64 sent;

  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  world_run (links->world, SQX_REST_DELAY + SQX_SECOND);
  before[0] = mark (links->talk);
  before[1] = mark (links->peer);

  /* Nothing is in flight: nobody even asks. */
  sent = links->a->sent;
  inject_resets (links, links->talk, 0, 10000);
  world_run (links->world, 10 * SQX_SECOND);
  g_assert_cmpuint (links->a->sent, ==, sent);

  /* In the middle of traffic it asks at most once a probe time-out, and the answer settles it. */
  links_send_many (links, links->talk, 50, 50000);
  links_send_many (links, links->peer, 50, 50000);
  while (links->open > 0)
    {
      inject_resets (links, links->talk, 0, 5000);
      inject_resets (links, links->peer, 0, 5000);
      world_run (links->world, 5 * MS);
    }
  before[0].messages += 50;
  before[1].messages += 50;
  assert_unmoved (&before[0], links->talk);
  assert_unmoved (&before[1], links->peer);
  links_check (links);
}

/* ICMP is as easily forged as RESET, also while nothing is on its way: the peer is asked, and
 * that it is there counts. */
static void
test_unreachable (Links        *links,
                  gconstpointer data)
{
  Mark before;
  guint64 took;

  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  world_run (links->world, 60 * SQX_SECOND);
  before = mark (links->talk);
  for (guint i = 0; i < 20; i++)
    {
      sqx_endpoint_handle_unreachable (links->a->endpoint, links->world->now, &links->b->address);
      world_run (links->world, SQX_SECOND);
    }
  world_run (links->world, 60 * SQX_SECOND);
  assert_unmoved (&before, links->talk);
  links_check_works (links);

  /* Really nobody there: no keep-alive comes from elsewhere either. */
  site_close (links->b);
  sqx_endpoint_handle_unreachable (links->a->endpoint, links->world->now, &links->b->address);
  links_send (links, links->talk, 10);
  took = links_all_fail (links, SQX_ERR_UNREACHABLE, 20 * SQX_SECOND);
  g_assert_cmpuint (took, >=, SQX_KEEPALIVE_DEFAULT);
  g_assert_cmpuint (took, <=, SQX_KEEPALIVE_DEFAULT + SQX_SECOND);
}

/* A window that is full does not keep a link from asking whether the peer still knows it. */
static void
test_reset_in_full_window (Links        *links,
                           gconstpointer data)
{
  Mark before;

  links_open (links);
  links_connect (links, FALSE);
  links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  before = mark (links->talk);
  /* All of the first window is lost, and the ping that asks arrives. */
  links->weather.cut = TRUE;
  links_send_many (links, links->talk, 50, 50000);
  world_run (links->world, MS);
  links->weather.cut = FALSE;
  inject_resets (links, links->talk, 0, 5000);
  links_finish (links, 10 * SQX_SECOND);
  assert_unmoved (&before, links->talk);
  links_check (links);
}

/* A packet of @talk's peer that is taken out of the network. */
static gboolean
catch_data (World   *world,
            Flight  *flight,
            gpointer data)
{
  Flight *caught = data;

  if (caught->data != NULL || (flight->data[0] & ~1) != SQX_PACKET_DATA)
    return TRUE;
  *caught = *flight;
  caught->data = g_memdup2 (flight->data, flight->size);
  return FALSE;
}

/* Each bit of a packet flipped, each length of it, and what else an attacker makes of it: only
 * the packet itself counts, and once. */
static void
test_altered (Links        *links,
              gconstpointer data)
{
  Flight caught = { 0 };
  Mark before;
  guint64 n = 0;

  links_open (links);
  links_connect (links, TRUE);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  links->world->filter = catch_data;
  links->world->filter_data = &caught;
  links_send (links, links->talk, 150);
  world_flush (links->world);
  g_assert_nonnull (caught.data);
  before = mark (links->peer);
  for (gsize bit = 0; bit < 8 * caught.size; bit++, n++)
    {
      caught.data[bit / 8] ^= (guint8) (1u << bit % 8);
      world_inject (links->world, &caught.from, &caught.to, caught.data, caught.size);
      caught.data[bit / 8] ^= (guint8) (1u << bit % 8);
    }
  for (gsize size = 0; size < caught.size; size++, n++)
    world_inject (links->world, &caught.from, &caught.to, caught.data, size);
  world_run (links->world, 20 * MS);
  /* Back to where it came from. */
  world_inject (links->world, &caught.to, &caught.from, caught.data, caught.size);
  world_run (links->world, 20 * MS);
  assert_unmoved (&before, links->peer);
  g_assert_cmpuint (mark (links->peer).received, ==, before.received);

  for (guint i = 0; i < 5; i++)
    world_inject (links->world, &caught.from, &caught.to, caught.data, caught.size);
  world_run (links->world, 20 * MS);
  g_assert_cmpuint (mark (links->peer).received, ==, before.received + 1);
  links_finish (links, 5 * SQX_SECOND);
  links_check (links);
  g_test_message ("figure: %" G_GUINT64_FORMAT " altered packets", n);
  g_free (caught.data);
}

/* One side's program is started anew when the @k-th datagram has gone out. */
typedef struct
{
  guint count, k;
} Fuse;

static gboolean
burn (World   *world,
      Flight  *flight,
      gpointer data)
{
  ((Fuse *) data)->count++;
  return TRUE;
}

/* A program that went waits for nothing. */
static void
forget_waits (Links *links)
{
  for (guint i = 0; i < links->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (links->entries, i);

      if (entry->from->conn == NULL && entry->told == 0)
        {
          entry->told = 1;
          links->open--;
        }
    }
}

static void
restart_at (Links *links,
            Fuse  *fuse,
            Site  *site)
{
  gboolean peer_sent = FALSE;

  links->talk = site_connect (links->a, links->b, fuse->k % 2 == 0 ? links->b : NULL);
  sqx_conn_set_persistent (links->talk->conn, links->world->now, SQX_TIME_NEVER);
  links_send_many (links, links->talk, 8, 1500);
  while (fuse->count < fuse->k)
    {
      world_run (links->world, MS);
      g_assert_cmpuint (links->world->now, <, 1000000 * SQX_SECOND);
      if (!peer_sent && links->b->accepted->len > 0)
        {
          peer_sent = TRUE;
          links->peer = site_accepted (links->b, 0);
          sqx_conn_set_persistent (links->peer->conn, links->world->now, SQX_TIME_NEVER);
          links_send_many (links, links->peer, 8, 1500);
        }
      if (links->open == 0 && peer_sent)
        links_send (links, links->talk, 1500);
    }
  site_restart (site, site == links->a ? &links->config_a : &links->config_b);
  forget_waits (links);
  links_finish (links, 60 * SQX_SECOND);
  for (guint i = 0; i < links->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (links->entries, i);

      g_assert_cmpuint (entry->told, ==, 1);
      if (entry->outcome == SQX_EVENT_FAILED)
        g_assert_cmpint (entry->error, ==, SQX_ERR_SESSION_LOST);
    }
}

/* Whenever it happens, every wait of the other side is told: the reply, or that the session is
 * lost. */
static void
test_restart_everywhere (Links        *links,
                         gconstpointer data)
{
  const gboolean at_b = GPOINTER_TO_INT (data);
  Fuse fuse = { 0 };

  links->world->filter = burn;
  links->world->filter_data = &fuse;
  for (fuse.k = 1; fuse.k <= 120; fuse.k++)
    {
      fuse.count = 0;
      links_open (links);
      restart_at (links, &fuse, at_b ? links->b : links->a);
      site_close (links->a);
      site_close (links->b);
      g_ptr_array_set_size (links->a->accepted, 0);
      g_ptr_array_set_size (links->b->accepted, 0);
      g_ptr_array_set_size (links->entries, 0);
      world_run (links->world, SQX_SECOND);
    }
}

/* Everything at once ------------------------------------------------------------------------ */

static void
disturb (Links *links,
         GRand *rand)
{
  Talk *talk = g_rand_boolean (rand) ? links->talk : links->peer;
  guint64 now = links->world->now;

  switch (g_rand_int_range (rand, 0, 12))
    {
    case 0:
      links->weather.cut = TRUE;
      break;
    case 1:
      links->weather.cut = FALSE;
      break;
    case 2:
      site_move (links->a, 1, g_rand_int_range (rand, 4000, 4100));
      break;
    case 3:
      site_move (links->a, g_rand_int_range (rand, 10, 20), 4000);
      break;
    case 4:
      sqx_conn_update_keys (talk->conn, now);
      break;
    case 5:
      links->weather.loss = g_rand_int_range (rand, 0, 20);
      break;
    case 6:
      links->weather.duplicate = g_rand_int_range (rand, 0, 50);
      links->weather.jitter = g_rand_int_range (rand, 0, 50) * MS;
      break;
    case 7:
      sqx_endpoint_handle_network_changed (talk->site->endpoint, now);
      break;
    case 8:
      if (talk->conn->secure->linked && talk->conn->secure->ready)
        {
          sqx_conn_link_lost (talk->conn, now, SQX_ERR_TIMED_OUT);
          sqx_conn_settle (talk->conn, now);
        }
      break;
    case 9:
      links->hold = !links->hold;
      if (!links->hold)
        links_answer (links);
      break;
    case 10:
      inject_resets (links, talk, 0, 200);
      break;
    default:
      world_run (links->world, g_rand_int_range (rand, 1, 30) * SQX_SECOND);
      break;
    }
}

/* However the weather is, as soon as it is kind again everything arrives, once. */
static void
test_everything (Links        *links,
                 gconstpointer data)
{
  const char *only = g_getenv ("SEQEX_SEED");
  const guint first = only != NULL ? (guint) atoi (only) : GPOINTER_TO_UINT (data);
  const guint count = only != NULL ? 1 : g_test_thorough () ? 3000 : 60;

  links->resolve = TRUE;
  for (guint seed = first; seed < first + count; seed++)
    {
      g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

      g_test_message ("seed %u", seed);
      links_weather (links, seed, 0, 0, 0);
      links->config_a.secret_key[5] = (guint8) seed;
      links_open (links);
      links_connect (links, seed % 2);
      links_persist (links, SQX_TIME_NEVER);
      for (guint i = 0; i < 60; i++)
        {
          links_send_on (links, g_rand_boolean (rand) ? links->talk : links->peer,
                         g_rand_int_range (rand, 0, 3), g_rand_boolean (rand),
                         g_rand_int_range (rand, 8, g_rand_boolean (rand) ? 100 : 20000));
          if (g_rand_int_range (rand, 0, 8) == 0)
            links_cancel (links,
                          g_ptr_array_index (links->entries,
                                             g_rand_int_range (rand, 0, links->entries->len)));
          disturb (links, rand);
          world_run (links->world, g_rand_int_range (rand, 1, 200) * MS);
        }
      links_weather (links, seed, 0, 0, 0);
      links->weather.cut = FALSE;
      links_answer (links);
      links_finish (links, 200 * SQX_SECOND);
      links_check (links);
      g_assert_cmpuint (links->talk->restarted + links->peer->restarted, ==, 0);
      links_check_works (links);
      world_run (links->world, 100 * SQX_SECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (links->a->endpoint), ==, 0);
      g_assert_cmpuint (sqx_endpoint_n_half_open (links->b->endpoint), ==, 0);
      g_assert_false (sqx_conn_is_busy (links->talk->conn));
      g_assert_false (sqx_conn_is_busy (links->peer->conn));
      g_assert_cmpuint (sqx_endpoint_next_timeout (links->a->endpoint), ==, SQX_TIME_NEVER);
      g_assert_cmpuint (sqx_endpoint_next_timeout (links->b->endpoint), ==, SQX_TIME_NEVER);
      site_close (links->a);
      site_close (links->b);
      g_ptr_array_set_size (links->a->accepted, 0);
      g_ptr_array_set_size (links->b->accepted, 0);
      g_ptr_array_set_size (links->entries, 0);
      world_run (links->world, SQX_SECOND);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/storms/" name, Links, GINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("replay/unknown", FALSE, test_replay);
  ADD ("replay/known", TRUE, test_replay);
  ADD ("confirms", 0, test_confirms);
  ADD ("resets", 0, test_resets);
  ADD ("reset-in-full-window", 0, test_reset_in_full_window);
  ADD ("unreachable", 0, test_unreachable);
  ADD ("altered", 0, test_altered);
  ADD ("restart-everywhere/a", FALSE, test_restart_everywhere);
  ADD ("restart-everywhere/b", TRUE, test_restart_everywhere);
  ADD ("everything", 1, test_everything);
  return g_test_run ();
}
