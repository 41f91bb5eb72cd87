/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How peers arrive: handshakes that end in a connection, in a refusal, or in one link for both.
 */
#include <glib.h>
#include <string.h>

#include "arrival-fixture.h"
#include "sqx-wire.h"

/* Both patterns, with and without a shared secret. */
static void
test_patterns (Two          *two,
               gconstpointer data)
{
  static const guint8 psk[32] = { 1, 2, 3 };

  open_both (two);
  for (guint i = 0; i < 4; i++)
    {
      Talk *talk, *other;

      for (guint j = 0; j < 2; j++)
        sqx_endpoint_set_psk (j == 0 ? two->a->endpoint : two->b->endpoint, i & 2 ? psk : NULL);
      talk = site_connect (two->a, two->b, i & 1 ? two->b : NULL);
      world_run (two->world, SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (talk->conn), ==, SQX_STATE_CONNECTED);
      g_assert_cmpuint (talk->connected, ==, 1);
      g_assert_cmpuint (two->b->accepted->len, ==, i + 1);
      other = site_accepted (two->b, i);
      g_assert_cmpuint (other->connected, ==, 1);
      g_assert_cmpmem (sqx_conn_peer_key (talk->conn), 32, site_key (two->b), 32);
      g_assert_cmpmem (sqx_conn_peer_key (other->conn), 32, site_key (two->a), 32);
      g_assert_true (sqx_conn_is_initiator (talk->conn));
      g_assert_false (sqx_conn_is_initiator (other->conn));
      check_talk (two->world, talk, other);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
    }
  /* Who knows the secret is not judged. */
  g_assert_cmpuint (two->b->judged, ==, 2);
  g_assert_null (two->b->judged_conn);
  g_assert_cmpuint (sqx_endpoint_n_connections (two->b->endpoint), ==, 4);
}

/* One side's secret is not the other's. */
static void
test_wrong_psk (Two          *two,
                gconstpointer data)
{
  static const guint8 one[32] = { 1 }, two_[32] = { 2 };
  Talk *talk, *other;

  open_both (two);
  sqx_endpoint_set_psk (two->a->endpoint, one);
  sqx_endpoint_set_psk (two->b->endpoint, two_);
  talk = site_connect (two->a, two->b, NULL);
  other = site_connect (two->a, two->b, two->b);
  world_run (two->world, 60 * SQX_SECOND);
  g_assert_true (talk->closed);
  g_assert_true (other->closed);
  g_assert_cmpuint (two->b->accepted->len, ==, 0);
  g_assert_cmpuint (counters (two->b)->handshake_failed, >, 0);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

/* Refusals ------------------------------------------------------------------------------- */

static void
refused_patterns (Two         *two,
                  sqx_result   error,
                  guint64      code,
                  const char  *words)
{
  for (guint i = 0; i < 2; i++)
    {
      Talk *talk = site_connect (two->a, two->b, i == 1 ? two->b : NULL);

      world_run (two->world, 30 * SQX_SECOND);
      g_assert_true (talk->closed);
      g_assert_cmpint (talk->closing.error, ==, error);
      g_assert_cmpuint (talk->closing.code, ==, code);
      g_assert_nonnull (strstr (talk->closing.reason_text, words));
    }
  g_assert_cmpuint (two->b->accepted->len, ==, 0);
  g_assert_cmpuint (sqx_endpoint_n_connections (two->b->endpoint), ==, 0);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

static void
test_not_trusted (Two          *two,
                  gconstpointer data)
{
  open_both (two);
  two->b->trust = SQX_TRUST_REFUSE;
  refused_patterns (two, SQX_ERR_REFUSED, SQX_CLOSE_NOT_TRUSTED, "trust store");
  g_assert_cmpuint (two->b->judged, ==, 2);
}

static void
test_application (Two          *two,
                  gconstpointer data)
{
  two->config_a.connection.application_id = "one";
  two->config_b.connection.application_id = "two";
  open_both (two);
  refused_patterns (two, SQX_ERR_APPLICATION_MISMATCH, SQX_CLOSE_APPLICATION_MISMATCH, "\"one\"");
}

static void
test_cipher (Two          *two,
             gconstpointer data)
{
  two->config_a.cipher = SQX_CIPHER_AES256GCM;
  two->config_b.cipher = SQX_CIPHER_CHACHA20POLY1305;
  open_both (two);
  refused_patterns (two, SQX_ERR_VERSION, SQX_CLOSE_NO_CIPHER, "cipher");
}

static void
test_full (Two          *two,
           gconstpointer data)
{
  Talk *talk;

  two->config_b.max_connections = 1;
  open_both (two);
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (two->b->accepted->len, ==, 1);
  check_talk (two->world, talk, site_accepted (two->b, 0));

  for (guint i = 0; i < 2; i++)
    {
      Talk *other = site_connect (two->a, two->b, i == 1 ? two->b : NULL);
      guint64 sent = two->a->sent;

      /* The first answer says it. */
      world_run (two->world, SQX_SECOND);
      g_assert_cmpuint (two->a->sent, ==, sent + 1);
      g_assert_true (other->closed);
      g_assert_cmpint (other->closing.error, ==, SQX_ERR_REFUSED);
      g_assert_cmpuint (other->closing.code, ==, SQX_CLOSE_BUSY);
    }
  /* Own attempts are not counted, and a place that is free again is given. */
  talk = site_connect (two->b, two->a, NULL);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
  talk_free_conn (site_accepted (two->b, 0));
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
}

/* Two handshakes for one place: the one that finishes later is refused by a packet of its link. */
static void
test_full_race (Two          *two,
                gconstpointer data)
{
  two->config_b.max_connections = 1;
  open_both (two);
  for (guint round = 0; round < 2; round++)
    {
      Talk *talks[2];
      guint connected = 0, refused = 0;

      for (guint i = 0; i < 2; i++)
        talks[i] = site_connect (two->a, two->b, round == 1 ? two->b : NULL);
      for (guint i = 0; i < 2; i++)
        talk_send (talks[i], 10);
      world_run (two->world, 20 * SQX_SECOND);
      for (guint i = 0; i < 2; i++)
        {
          connected += talks[i]->replies == 1;
          refused += talks[i]->closed && talks[i]->closing.code == SQX_CLOSE_BUSY;
        }
      g_assert_cmpuint (connected, ==, 1);
      g_assert_cmpuint (refused, ==, 1);
      g_assert_cmpuint (two->b->accepted->len, ==, round + 1);
      for (guint i = 0; i < 2; i++)
        talk_free_conn (talks[i]);
      talk_free_conn (site_accepted (two->b, round));
      world_run (two->world, 20 * SQX_SECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
    }
}

static void
test_not_accepting (Two          *two,
                    gconstpointer data)
{
  two->config_b.accepts = false;
  open_both (two);
  for (guint i = 0; i < 2; i++)
    {
      Talk *talk = site_connect (two->a, two->b, i == 1 ? two->b : NULL);

      world_run (two->world, 30 * SQX_SECOND);
      g_assert_true (talk->closed);
      g_assert_cmpint (talk->closing.error, ==, SQX_ERR_TIMED_OUT);
    }
  g_assert_cmpuint (counters (two->b)->not_accepting, >, 0);
  g_assert_cmpuint (two->b->sent, ==, 0);
  sqx_endpoint_set_accepts (two->b->endpoint, true);
  check_talk (two->world, site_connect (two->a, two->b, NULL), site_connect (two->b, two->a, NULL));
}

/* Who has peers of its own lets in only them. */
static void
test_not_accepting_others (Two          *two,
                           gconstpointer data)
{
  Site *third = site_new (two->world, 3);
  sqx_endpoint_config config;
  Talk *talk;
  guint64 sent;

  two->config_b.accepts = false;
  open_both (two);
  site_config_secure (third, &config);
  site_open (third, &config);
  talk = site_connect (two->b, two->a, NULL);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
  sent = two->b->sent;
  talk = site_connect (third, two->b, two->b);
  world_run (two->world, 30 * SQX_SECOND);
  g_assert_true (talk->closed);
  g_assert_cmpuint (two->b->sent, ==, sent);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

/* It changes its mind while a peer arrives. */
static void
test_accepting_no_more (Two          *two,
                        gconstpointer data)
{
  open_both (two);
  for (guint i = 0; i < 2; i++)
    {
      Talk *talk;

      sqx_endpoint_set_accepts (two->b->endpoint, true);
      talk = site_connect (two->a, two->b, i == 1 ? two->b : NULL);
      world_run (two->world, 25 * SQX_MILLISECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 1);
      sqx_endpoint_set_accepts (two->b->endpoint, false);
      world_run (two->world, 30 * SQX_SECOND);
      g_assert_cmpuint (two->b->accepted->len, ==, 0);
      g_assert_true (talk->closed);
      g_assert_cmpuint (talk->closing.code, ==, SQX_CLOSE_BUSY);
    }
}

/* The program is asked, and nothing but that question is heard of until it answers. */
static void
test_ask (Two          *two,
          gconstpointer data)
{
  open_both (two);
  two->b->trust = SQX_TRUST_ASK;
  two->b->hold_authorize = TRUE;
  for (guint i = 0; i < 4; i++)
    {
      Talk *talk = site_connect (two->a, two->b, i & 1 ? two->b : NULL), *other;
      gboolean accept = i < 2;

      talk_send (talk, 10);
      world_run (two->world, 5 * SQX_SECOND);
      g_assert_cmpuint (two->b->accepted->len, ==, i + 1);
      other = site_accepted (two->b, i);
      g_assert_cmpuint (other->authorize, ==, 1);
      g_assert_cmpuint (other->connected, ==, 0);
      g_assert_cmpuint (talk->connected, ==, 0);
      sqx_conn_authorize (other->conn, two->world->now, accept);
      world_run (two->world, 5 * SQX_SECOND);
      g_assert_cmpuint (talk->connected, ==, accept);
      g_assert_cmpuint (talk->replies, ==, accept);
      g_assert_cmpint (talk->closed, ==, !accept);
      if (!accept)
        g_assert_cmpuint (talk->closing.code, ==, SQX_CLOSE_NOT_TRUSTED);
    }
}

static void
test_ask_many (Two          *two,
               gconstpointer data)
{
  Talk *talks[SQX_AUTHORIZE_MAX + 2];
  guint busy = 0;

  two->config_b.max_half_open_per_host = 100;
  open_both (two);
  two->b->trust = SQX_TRUST_ASK;
  two->b->hold_authorize = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (talks); i++)
    {
      talks[i] = site_connect (two->a, two->b, i % 2 ? two->b : NULL);
      world_run (two->world, SQX_SECOND / 10);
    }
  world_run (two->world, SQX_SECOND);
  for (guint i = 0; i < G_N_ELEMENTS (talks); i++)
    busy += talks[i]->closed && talks[i]->closing.code == SQX_CLOSE_BUSY;
  g_assert_cmpuint (busy, ==, 2);
  g_assert_cmpuint (two->b->accepted->len, ==, SQX_AUTHORIZE_MAX);
  world_run (two->world, SQX_AUTHORIZE_LIFE);
  for (guint i = 0; i < G_N_ELEMENTS (talks); i++)
    g_assert_true (talks[i]->closed);
}

/* Both at once ----------------------------------------------------------------------------- */

static void
test_simultaneous (Two          *two,
                   gconstpointer data)
{
  open_both (two);
  for (guint i = 0; i < 8; i++)
    {
      Talk *one, *other;
      guint failed = two->a->accepted->len + two->b->accepted->len;

      g_test_message ("round %u", i);
      one = site_connect (two->a, two->b, i & 1 ? two->b : NULL);
      other = site_connect (two->b, two->a, i & 2 ? two->a : NULL);
      talk_send (one, 10);
      talk_send (other, 10);
      world_run (two->world, 15 * SQX_SECOND);
      g_assert_cmpuint (two->a->accepted->len + two->b->accepted->len, ==, failed);
      g_assert_cmpuint (one->connected, ==, 1);
      g_assert_cmpuint (other->connected, ==, 1);
      g_assert_cmpuint (one->replies, ==, 1);
      g_assert_cmpuint (other->replies, ==, 1);
      g_assert_true (sqx_conn_is_initiator (one->conn) != sqx_conn_is_initiator (other->conn));
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->a->endpoint), ==, 0);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
      talk_free_conn (one);
      talk_free_conn (other);
    }
  g_assert_cmpuint (counters (two->a)->simultaneous + counters (two->b)->simultaneous, >=, 8);
}

/* Who answers the other's INIT does not go on at once with its own. */
static gboolean
count_inits (World   *world,
             Flight  *flight,
             gpointer data)
{
  guint *n = data;

  *n += flight->data[0] == SQX_PACKET_INIT;
  return flight->data[0] != SQX_PACKET_ACCEPT;
}

static void
test_pause (Two          *two,
            gconstpointer data)
{
  guint inits = 0;

  open_both (two);
  two->world->filter = count_inits;
  two->world->filter_data = &inits;
  site_connect (two->a, two->b, NULL);
  site_connect (two->b, two->a, NULL);
  world_run (two->world, 900 * SQX_MILLISECOND);
  g_assert_cmpuint (inits, ==, 3);
}

/* Several attempts of one side: one of them is that of the other. */
static void
test_simultaneous_many (Two          *two,
                        gconstpointer data)
{
  two->config_a.max_half_open_per_host = two->config_b.max_half_open_per_host = 10;
  open_both (two);
  for (guint round = 0; round < 10; round++)
    {
      Talk *talks[4];
      guint accepted = two->b->accepted->len;

      for (guint i = 0; i < 3; i++)
        talks[i] = site_connect (two->a, two->b, round & 1 ? two->b : NULL);
      talks[3] = site_connect (two->b, two->a, round & 2 ? two->a : NULL);
      for (guint i = 0; i < 4; i++)
        talk_send (talks[i], 10);
      world_run (two->world, 15 * SQX_SECOND);
      for (guint i = 0; i < 4; i++)
        g_assert_cmpuint (talks[i]->replies, ==, 1);
      g_assert_cmpuint (two->a->accepted->len, ==, 0);
      g_assert_cmpuint (two->b->accepted->len, ==, accepted + 2);
      for (guint i = 0; i < 4; i++)
        talk_free_conn (talks[i]);
    }
}

/* A handshake that told other terms than an attempt has does not become its link. */
static void
test_other_terms (Two          *two,
                  gconstpointer data)
{
  Talk *talk, *own;

  open_both (two);
  talk = site_connect (two->b, two->a, NULL);
  world_run (two->world, 15 * SQX_MILLISECOND);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->a->endpoint), ==, 1);
  two->a->config.connection.exchange_credit = 7;
  own = site_connect (two->a, two->b, NULL);
  world_run (two->world, 10 * SQX_SECOND);
  g_assert_cmpuint (two->a->accepted->len, ==, 1);
  check_talk (two->world, talk, site_accepted (two->a, 0));
  check_talk (two->world, own, site_accepted (two->b, 0));
}

static gboolean
mirror (World   *world,
        Flight  *flight,
        gpointer data)
{
  sqx_address to = flight->to;

  if (flight->data[0] == SQX_PACKET_INIT)
    {
      flight->to = flight->from;
      flight->from = to;
    }
  return TRUE;
}

static void
test_reflected (Two          *two,
                gconstpointer data)
{
  Talk *talk;

  open_both (two);
  two->world->filter = mirror;
  talk = site_connect (two->a, two->b, NULL);
  world_run (two->world, 60 * SQX_SECOND);
  g_assert_true (talk->closed);
  g_assert_cmpuint (counters (two->a)->reflected, >=, 3);
  g_assert_cmpuint (sqx_endpoint_n_connections (two->a->endpoint), ==, 1);
  g_assert_cmpuint (two->a->accepted->len, ==, 0);
}

/* Somebody who speaks to itself. */
static void
test_self (Two          *two,
           gconstpointer data)
{
  Talk *talk;

  open_both (two);
  talk = site_connect (two->a, two->a, NULL);
  world_run (two->world, 60 * SQX_SECOND);
  g_assert_true (talk->closed);
  g_assert_cmpint (talk->closing.error, ==, SQX_ERR_TIMED_OUT);
}

/* Coming back ------------------------------------------------------------------------------ */

static gboolean
broken (World   *world,
        Flight  *flight,
        gpointer data)
{
  return *(gboolean *) data;
}

/* A link that is lost, by both sides and at once, is replaced by one. */
static void
test_resume (Two          *two,
             gconstpointer data)
{
  gboolean works = TRUE;
  Talk *talk, *other;

  /* Who comes back is let in, though nobody else is. */
  open_both (two);
  two->world->filter = broken;
  two->world->filter_data = &works;
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  sqx_endpoint_set_accepts (two->b->endpoint, false);
  other = site_accepted (two->b, 0);
  sqx_conn_set_persistent (talk->conn, two->world->now, SQX_TIME_NEVER);
  sqx_conn_set_persistent (other->conn, two->world->now, SQX_TIME_NEVER);
  for (guint round = 0; round < 4; round++)
    {
      works = FALSE;
      g_assert_cmpint (talk_send (talk, 3000), ==, SQX_OK);
      if (round & 1)
        g_assert_cmpint (talk_send (other, 3000), ==, SQX_OK);
      world_run (two->world, 100 * SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (talk->conn), ==, SQX_STATE_RECONNECTING);
      if (round & 1)
        g_assert_cmpint (sqx_conn_state (other->conn), ==, SQX_STATE_RECONNECTING);
      works = TRUE;
      world_run (two->world, 60 * SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (talk->conn), ==, SQX_STATE_CONNECTED);
      g_assert_cmpint (sqx_conn_state (other->conn), ==, SQX_STATE_CONNECTED);
      g_assert_cmpuint (talk->replies, ==, round + 1);
      g_assert_cmpuint (other->replies, ==, (round + 1) / 2);
      g_assert_cmpuint (other->messages, ==, round + 1);
      g_assert_cmpuint (sqx_endpoint_n_connections (two->a->endpoint), ==, 1);
      g_assert_cmpuint (sqx_endpoint_n_connections (two->b->endpoint), ==, 1);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->a->endpoint), ==, 0);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
    }
  g_assert_cmpuint (talk->restarted + other->restarted, ==, 0);
  g_assert_cmpuint (two->b->judged, ==, 1);
}

/* The session goes away between INIT and the DATA that is to join it. */
static gboolean
free_on_data (World   *world,
              Flight  *flight,
              gpointer data)
{
  Talk *other = data;

  if (flight->data[0] == SQX_PACKET_ACCEPT && other->conn != NULL)
    talk_free_conn (other);
  return TRUE;
}

static void
test_session_gone (Two          *two,
                   gconstpointer data)
{
  gboolean works = TRUE;
  Talk *talk, *other;

  open_both (two);
  two->world->filter = broken;
  two->world->filter_data = &works;
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  other = site_accepted (two->b, 0);
  sqx_conn_set_persistent (talk->conn, two->world->now, SQX_TIME_NEVER);
  sqx_conn_set_persistent (other->conn, two->world->now, SQX_TIME_NEVER);
  works = FALSE;
  talk_send (talk, 10);
  world_run (two->world, 40 * SQX_SECOND);
  two->world->filter = free_on_data;
  two->world->filter_data = other;
  world_run (two->world, 120 * SQX_SECOND);
  g_assert_null (other->conn);
  g_assert_cmpuint (counters (two->b)->session_gone, ==, 1);
  /* It comes back once more, and hears that the session is lost. */
  g_assert_cmpuint (talk->failed, ==, 1);
  g_assert_cmpint (talk->error, ==, SQX_ERR_SESSION_LOST);
  g_assert_cmpuint (two->b->accepted->len, ==, 2);
}

#define ADD(path, func) g_test_add ("/seqex/arrival/" path, Two, NULL, set_up, func, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("patterns", test_patterns);
  ADD ("wrong-psk", test_wrong_psk);
  ADD ("not-trusted", test_not_trusted);
  ADD ("application", test_application);
  ADD ("cipher", test_cipher);
  ADD ("full", test_full);
  ADD ("full-race", test_full_race);
  ADD ("not-accepting", test_not_accepting);
  ADD ("not-accepting-others", test_not_accepting_others);
  ADD ("accepting-no-more", test_accepting_no_more);
  ADD ("ask", test_ask);
  ADD ("ask-many", test_ask_many);
  ADD ("simultaneous", test_simultaneous);
  ADD ("pause", test_pause);
  ADD ("simultaneous-many", test_simultaneous_many);
  ADD ("other-terms", test_other_terms);
  ADD ("reflected", test_reflected);
  ADD ("self", test_self);
  ADD ("resume", test_resume);
  ADD ("session-gone", test_session_gone);
  return g_test_run ();
}
