/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections that outlive their links: nothing is lost, and nothing comes twice.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MS SQX_MILLISECOND

static guint64
now (Links *links)
{
  return links->world->now;
}

/* A link that both sides could resume for ever, with one exchange behind it. */
static void
begin (Links *links)
{
  links_open (links);
  links_connect (links, FALSE);
  links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
}

/* Both sides have something open, so that they find out that the link is dead. */
static void
open_both (Links *links)
{
  links->hold = TRUE;
  links_send (links, links->talk, 100);
  links_send (links, links->peer, 100);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->held->len, ==, 2);
}

static void
assert_resumed (Links *links)
{
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (links->talk->restarted + links->peer->restarted, ==, 0);
  g_assert_cmpuint (links->a->accepted->len + links->b->accepted->len, ==, 1);
  g_assert_cmpuint (links->talk->failed + links->peer->failed, ==, 0);
  g_assert_cmpuint (sqx_endpoint_n_connections (links->a->endpoint), ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_connections (links->b->endpoint), ==, 1);
}

/* The network is gone for two minutes, under 1000 open exchanges in each direction, and with a
 * message of 16 MiB half way. */
static void
test_long_cut (Links        *links,
               gconstpointer data)
{
  const gsize large = 16 << 20;
  guint64 healed;
  sqx_statistics statistics;

  links->config_a.connection.max_message_size = large;
  links->config_b.connection.max_message_size = large;
  begin (links);
  links->hold = TRUE;
  links->weather.rate = 20000000;
  links_send_many (links, links->talk, 500, 700);
  links_send_many (links, links->peer, 500, 700);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->held->len, ==, 1000);
  links_send_many (links, links->talk, 500, 70);
  links_send_many (links, links->peer, 500, 70);
  links_send (links, links->talk, large);
  do
    {
      world_run (links->world, 10 * MS);
      statistics = talk_statistics (links->talk);
    }
  while (statistics.bytes_sent < large / 2);

  links->weather.cut = TRUE;
  world_run (links->world, 31 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
  g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_RECONNECTING);
  g_assert_cmpuint (links->talk->reconnecting, ==, 1);
  world_run (links->world, 89 * SQX_SECOND);
  links->weather.cut = FALSE;
  healed = now (links);
  links_answer (links);
  links_finish (links, 120 * SQX_SECOND);
  links_check (links);
  assert_resumed (links);
  statistics = talk_statistics (links->talk);
  /* The large one began anew, and little else. */
  g_assert_cmpuint (statistics.bytes_resent, <, 3 * large / 4);
  g_test_message ("figure: everything done %.1f s after the network was back",
                  (double) (now (links) - healed) / SQX_SECOND);
}

/* Both sides find out at the same instant, and call each other: whoever has the smaller key. */
static void
test_tie (Links        *links,
          gconstpointer data)
{
  guint a_smaller = 0;

  for (guint i = 0; i < 12; i++)
    {
      g_test_message ("seed %u", i);
      links->config_a.secret_key[0] = (guint8) i;
      links->config_b.secret_key[1] = (guint8) i;
      begin (links);
      a_smaller += memcmp (site_key (links->a), site_key (links->b), 32) < 0;
      open_both (links);
      for (guint round = 0; round < 3; round++)
        {
          links->weather.jitter = i * MS;
          sqx_conn_link_lost (links->talk->conn, now (links), SQX_ERR_TIMED_OUT);
          sqx_conn_link_lost (links->peer->conn, now (links), SQX_ERR_TIMED_OUT);
          sqx_conn_settle (links->talk->conn, now (links));
          sqx_conn_settle (links->peer->conn, now (links));
          world_run (links->world, 5 * SQX_SECOND);
          assert_resumed (links);
          g_assert_cmpuint (sqx_conn_is_initiator (links->talk->conn), !=,
                            sqx_conn_is_initiator (links->peer->conn));
          g_assert_cmpuint (links->talk->conn->secure->generation, ==, round + 1);
          g_assert_cmpuint (links->peer->conn->secure->generation, ==, round + 1);
        }
      /* Nothing is left of the other attempt. */
      world_run (links->world, 30 * SQX_SECOND);
      g_assert_cmpuint (links->talk->conn->secure->generation, ==, 3);
      g_assert_cmpuint (links->talk->reconnecting, ==, 3);
      links_answer (links);
      links_finish (links, SQX_SECOND);
      links_check_works (links);
      links_check (links);
      site_close (links->a);
      site_close (links->b);
      g_ptr_array_set_size (links->b->accepted, 0);
      world_run (links->world, SQX_SECOND);
    }
  g_assert_cmpuint (a_smaller, >, 0);
  g_assert_cmpuint (a_smaller, <, 12);
}

/* Only one side lost its link; the other one takes the new one without having missed anything. */
static void
test_one_side (Links        *links,
               gconstpointer data)
{
  begin (links);
  open_both (links);
  for (guint i = 0; i < 6; i++)
    {
      Talk *talk = i % 2 == 0 ? links->talk : links->peer;

      sqx_conn_link_lost (talk->conn, now (links), SQX_ERR_TIMED_OUT);
      sqx_conn_settle (talk->conn, now (links));
      links_send (links, links->talk, 5000);
      links_send (links, links->peer, 5000);
      world_run (links->world, SQX_SECOND);
      assert_resumed (links);
      g_assert_cmpuint (links->held->len, ==, 2 * (i + 2));
      g_assert_true (sqx_conn_is_initiator (talk->conn));
      g_assert_cmpuint (talk->reconnecting, ==, i / 2 + 1);
    }
  links_answer (links);
  links_finish (links, SQX_SECOND);
  links_check (links);
}

/* It joined, and the peer did not. The peer is somewhere else then, so that only it can call:
 * first with the generation that a has already, and then with a higher one. */
static void
test_left_behind (Links        *links,
                  gconstpointer data)
{
  for (guint i = 0; i < 2; i++)
    {
      /* Either of them may have the smaller key. */
      do
        {
          links->config_a.secret_key[3]++;
          links_open (links);
          if ((memcmp (site_key (links->a), site_key (links->b), 32) < 0) == i)
            break;
          site_close (links->a);
          site_close (links->b);
        }
      while (TRUE);
      links_connect (links, FALSE);
      links_persist (links, SQX_TIME_NEVER);
      open_both (links);
      sqx_conn_link_lost (links->talk->conn, now (links), SQX_ERR_TIMED_OUT);
      sqx_conn_settle (links->talk->conn, now (links));
      world_run (links->world, 2 * links->world->latency - MS);
      /* ACCEPT comes, and what a sends on the new link is lost. */
      links->weather.drop_type = SQX_PACKET_DATA;
      links->weather.drop_next = 1000;
      world_run (links->world, 2 * MS);
      g_assert_cmpuint (links->talk->conn->secure->generation, ==, 1);
      g_assert_cmpuint (links->peer->conn->secure->generation, ==, 0);

      site_move (links->b, 50 + i, 4000);
      sqx_conn_link_lost (links->peer->conn, now (links), SQX_ERR_TIMED_OUT);
      sqx_conn_settle (links->peer->conn, now (links));
      links->weather.drop_next = 0;
      links_answer (links);
      links_finish (links, 60 * SQX_SECOND);
      links_check (links);
      assert_resumed (links);
      site_close (links->a);
      site_close (links->b);
      g_ptr_array_set_size (links->b->accepted, 0);
      world_run (links->world, SQX_SECOND);
    }
}

/* A peer that counts in huge steps does not use up the generations: it gets no answer. */
static void
test_huge_generation (Links        *links,
                      gconstpointer data)
{
  begin (links);
  links->talk->conn->secure->generation = UINT64_C (1) << 40;
  sqx_conn_link_lost (links->talk->conn, now (links), SQX_ERR_TIMED_OUT);
  sqx_conn_settle (links->talk->conn, now (links));
  world_run (links->world, 60 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
  g_assert_cmpuint (links->peer->conn->secure->generation, ==, 0);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
  g_assert_cmpuint (sqx_endpoint_counters_get (links->b->endpoint)->session_past, >, 0);
}

/* What arrived and was not acknowledged any more is not sent again, because the peer says so. */
static void
test_received_is_spared (Links        *links,
                         gconstpointer data)
{
  sqx_statistics before, after;

  begin (links);
  links_send_many (links, links->talk, 100, 60000);
  links_finish (links, 10 * SQX_SECOND);
  links->hold = TRUE;
  links_send_many (links, links->talk, 100, 1000);
  /* They are on their way, and no acknowledgement comes back. */
  world_flush (links->world);
  links->weather.cut = TRUE;
  world_run (links->world, 20 * MS);
  before = talk_statistics (links->talk);
  g_assert_cmpuint (links->held->len, ==, 100);
  g_assert_cmpuint (before.bytes_in_flight, >, 90000);
  sqx_conn_link_lost (links->talk->conn, now (links), SQX_ERR_TIMED_OUT);
  sqx_conn_settle (links->talk->conn, now (links));
  links->weather.cut = FALSE;
  world_run (links->world, 2 * SQX_SECOND);
  links_answer (links);
  links_finish (links, 5 * SQX_SECOND);
  links_check (links);
  after = talk_statistics (links->talk);
  /* One first window of the new link. */
  g_assert_cmpuint (after.bytes_resent - before.bytes_resent, <=,
                    2 * SQX_WINDOW_INITIAL * SQX_DATAGRAM_DEFAULT);
}

/* The peer's program was started anew. Whoever waits learns it: at once, if anything is sent, else
 * when the next ping is due. */
static void
test_restarted_peer (Links        *links,
                     gconstpointer data)
{
  const gboolean persistent = GPOINTER_TO_INT (data);
  guint64 took;

  links_open (links);
  links_connect (links, FALSE);
  if (persistent)
    links_persist (links, SQX_TIME_NEVER);
  links->hold = TRUE;
  links_send_many (links, links->talk, 1000, 100);
  world_run (links->world, SQX_SECOND);
  site_restart (links->b, &links->config_b);
  took = links_all_fail (links, SQX_ERR_SESSION_LOST, 20 * SQX_SECOND);
  g_assert_cmpuint (took, <=, SQX_KEEPALIVE_DEFAULT + SQX_SECOND);
  g_test_message ("figure: all of 1000 waits told after %.2f s, when idle",
                  (double) took / SQX_SECOND);
  if (!persistent)
    {
      g_assert_true (links->talk->closed);
      g_assert_cmpint (links->talk->closing.error, ==, SQX_ERR_SESSION_LOST);
      return;
    }

  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (links->talk->restarted, ==, 1);
  g_assert_cmpuint (links->talk->connected, ==, 2);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
  links->peer = site_accepted (links->b, 0);
  links->hold = FALSE;
  links_check_works (links);

  /* In the middle of sending. */
  links_send_many (links, links->talk, 100, 10000);
  world_run (links->world, 15 * MS);
  site_restart (links->b, &links->config_b);
  took = links_all_fail (links, SQX_ERR_SESSION_LOST, 20 * SQX_SECOND);
  g_assert_cmpuint (took, <=, SQX_SECOND);
  g_test_message ("figure: %.2f s, when sending", (double) took / SQX_SECOND);
}

/* Nobody comes back within the time that the program gave. */
static void
test_limit (Links        *links,
            gconstpointer data)
{
  guint64 took;

  begin (links);
  links_persist (links, 20 * SQX_SECOND);
  open_both (links);
  links->weather.cut = TRUE;
  took = links_all_fail (links, SQX_ERR_TIMED_OUT, 60 * SQX_SECOND);
  g_assert_cmpuint (took, <=, 51 * SQX_SECOND);
  g_assert_cmpuint (took, >=, 48 * SQX_SECOND);
  g_assert_true (links->talk->closed);
  g_assert_cmpint (links->talk->closing.error, ==, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (sqx_endpoint_next_timeout (links->a->endpoint), ==, SQX_TIME_NEVER);
}

/* The limit counts from the loss, also when it is set later. */
static void
test_limit_changes (Links        *links,
                    gconstpointer data)
{
  begin (links);
  open_both (links);
  links->weather.cut = TRUE;
  world_run (links->world, 60 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
  g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_RECONNECTING);
  links_persist (links, 40 * SQX_SECOND);
  world_run (links->world, 5 * SQX_SECOND);
  g_assert_false (links->talk->closed);
  world_run (links->world, 10 * SQX_SECOND);
  g_assert_true (links->talk->closed);
  g_assert_true (links->peer->closed);
  links_all_fail (links, SQX_ERR_TIMED_OUT, 0);
}

static void
test_not_any_more (Links        *links,
                   gconstpointer data)
{
  begin (links);
  open_both (links);
  links->weather.cut = TRUE;
  world_run (links->world, 40 * SQX_SECOND);
  links_persist (links, 0);
  world_run (links->world, MS);
  g_assert_true (links->talk->closed);
  g_assert_true (links->peer->closed);
  links_all_fail (links, SQX_ERR_TIMED_OUT, 0);
}

/* The network says that it is back: nobody waits for the next attempt. */
static void
test_network_changed (Links        *links,
                      gconstpointer data)
{
  begin (links);
  links_send (links, links->talk, 100);
  links_finish (links, SQX_SECOND);
  for (guint wait = 0; wait < 40; wait += 3)
    {
      guint64 took;

      links->weather.cut = TRUE;
      links_send (links, links->talk, 100);
      world_run (links->world, (60 + wait) * SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
      links->weather.cut = FALSE;
      sqx_endpoint_handle_network_changed (links->a->endpoint, now (links));
      took = links_finish (links, SQX_SECOND);
      g_assert_cmpuint (took, <=, 4 * links->world->latency + 20 * MS);
    }
  links_check (links);
  assert_resumed (links);
}

/* While nobody answers, attempts come less and less often, but never end. */
static void
test_attempts (Links        *links,
               gconstpointer data)
{
  guint64 sent, minutes[10];

  begin (links);
  links_send (links, links->talk, 100);
  links->weather.cut = TRUE;
  world_run (links->world, 31 * SQX_SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (minutes); i++)
    {
      sent = links->a->sent;
      world_run (links->world, 60 * SQX_SECOND);
      minutes[i] = links->a->sent - sent;
      g_assert_cmpuint (minutes[i], <=, 40);
      g_assert_cmpuint (minutes[i], >=, 5);
    }
  g_assert_cmpuint (minutes[9], <, minutes[0]);
  g_test_message ("figure: %u datagrams in the first minute, %u in the tenth", (guint) minutes[0],
                  (guint) minutes[9]);
}

/* The peer does not want this side any more, since it was started anew. */
static void
test_refused (Links        *links,
              gconstpointer data)
{
  begin (links);
  links->hold = TRUE;
  links_send_many (links, links->talk, 10, 100);
  world_run (links->world, SQX_SECOND);
  links->b->trust = SQX_TRUST_REFUSE;
  site_restart (links->b, &links->config_b);
  links_all_fail (links, SQX_ERR_REFUSED, 20 * SQX_SECOND);
  g_assert_true (links->talk->closed);
  g_assert_cmpuint (links->talk->closing.code, ==, SQX_CLOSE_NOT_TRUSTED);
  g_assert_true (links->talk->closing.by_peer);
}

/* It has no room now, and later has. */
static void
test_busy (Links        *links,
           gconstpointer data)
{
  Site *other = site_new (links->world, 3);
  sqx_endpoint_config config;
  Talk *talk;

  site_config_secure (other, &config);
  site_open (other, &config);
  begin (links);
  links->hold = TRUE;
  links_send (links, links->talk, 100);
  world_run (links->world, SQX_SECOND);
  links->config_b.max_connections = 1;
  site_restart (links->b, &links->config_b);
  talk = site_connect (other, links->b, NULL);
  world_run (links->world, 30 * SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
  talk_free_conn (site_accepted (links->b, 0));
  links_all_fail (links, SQX_ERR_SESSION_LOST, 60 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
}

/* The peer takes less than before: what was promised cannot be kept. */
static void
test_smaller_messages (Links        *links,
                       gconstpointer data)
{
  begin (links);
  links->hold = TRUE;
  links_send_many (links, links->talk, 10, 100);
  links_send_many (links, links->peer, 10, 100);
  world_run (links->world, SQX_SECOND);
  links->talk->conn->config.max_message_size = SQX_MESSAGE_MAX_MIN;
  sqx_conn_link_lost (links->talk->conn, now (links), SQX_ERR_TIMED_OUT);
  sqx_conn_settle (links->talk->conn, now (links));
  links_all_fail (links, SQX_ERR_SESSION_LOST, 60 * SQX_SECOND);
  g_assert_cmpuint (links->talk->restarted, ==, 1);
}

/* The program ends it while nobody is there. */
static void
test_closed_meanwhile (Links        *links,
                       gconstpointer data)
{
  begin (links);
  open_both (links);
  links->weather.cut = TRUE;
  world_run (links->world, 40 * SQX_SECOND);
  sqx_conn_close (links->talk->conn, now (links), 0, NULL);
  sqx_conn_abort (links->peer->conn, now (links), 0, NULL);
  links_all_fail (links, SQX_ERR_CLOSED, MS);
  g_assert_true (links->talk->closed);
  g_assert_true (links->peer->closed);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CLOSED);
  g_assert_cmpuint (sqx_endpoint_next_timeout (links->a->endpoint), ==, SQX_TIME_NEVER);
}

/* What is given up while nobody is there is given up at the peer too. */
static void
test_cancelled_meanwhile (Links        *links,
                          gconstpointer data)
{
  Entry *begun, *waiting;

  begin (links);
  links->hold = TRUE;
  begun = links_send (links, links->talk, 100);
  world_run (links->world, SQX_SECOND);
  links->weather.cut = TRUE;
  world_run (links->world, 40 * SQX_SECOND);
  waiting = links_send (links, links->talk, 100);
  sqx_conn_cancel (links->talk->conn, now (links), begun->handle);
  sqx_conn_cancel (links->talk->conn, now (links), waiting->handle);
  links->open -= 2;
  links->weather.cut = FALSE;
  world_run (links->world, 60 * SQX_SECOND);
  g_assert_cmpuint (waiting->seen, ==, 0);
  g_array_set_size (links->held, 0);
  links->hold = FALSE;
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  g_assert_false (sqx_conn_is_busy (links->talk->conn));
  g_assert_false (sqx_conn_is_busy (links->peer->conn));
}

/* Nobody notices a cut while nothing is open, and nobody needs to. */
static void
test_asleep (Links        *links,
             gconstpointer data)
{
  guint64 sent;

  begin (links);
  world_run (links->world, 60 * SQX_SECOND);
  sent = links->a->sent + links->b->sent;
  links->weather.cut = TRUE;
  world_run (links->world, 3600 * SQX_SECOND);
  links->weather.cut = FALSE;
  g_assert_cmpuint (links->a->sent + links->b->sent, ==, sent);
  links_check_works (links);
  g_assert_cmpuint (links->talk->reconnecting, ==, 0);
  world_run (links->world, SQX_SECOND);

  /* Who slept where the peer was started anew learns that with the next message. */
  site_restart (links->b, &links->config_b);
  world_run (links->world, 60 * SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  links_send (links, links->talk, 100);
  g_assert_cmpuint (links_all_fail (links, SQX_ERR_SESSION_LOST, 10 * SQX_SECOND), <=, SQX_SECOND);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/reconnect/" name, Links, GINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("long-cut", 0, test_long_cut);
  ADD ("tie", 0, test_tie);
  ADD ("one-side", 0, test_one_side);
  ADD ("left-behind", 0, test_left_behind);
  ADD ("huge-generation", 0, test_huge_generation);
  ADD ("received-is-spared", 0, test_received_is_spared);
  ADD ("restarted-peer", FALSE, test_restarted_peer);
  ADD ("restarted-peer/persistent", TRUE, test_restarted_peer);
  ADD ("limit", 0, test_limit);
  ADD ("limit-changes", 0, test_limit_changes);
  ADD ("not-any-more", 0, test_not_any_more);
  ADD ("network-changed", 0, test_network_changed);
  ADD ("attempts", 0, test_attempts);
  ADD ("refused", 0, test_refused);
  ADD ("busy", 0, test_busy);
  ADD ("smaller-messages", 0, test_smaller_messages);
  ADD ("closed-meanwhile", 0, test_closed_meanwhile);
  ADD ("cancelled-meanwhile", 0, test_cancelled_meanwhile);
  ADD ("asleep", 0, test_asleep);
  return g_test_run ();
}
