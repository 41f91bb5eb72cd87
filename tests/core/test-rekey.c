/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * New keys under way, and links whose keys are used up.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MS SQX_MILLISECOND

static void
update (Talk *talk)
{
  sqx_conn_update_keys (talk->conn, talk->site->world->now);
}

static guint64
send_phase (Talk *talk)
{
  return talk->conn->secure->keys.send.phase;
}

static void
assert_phases (Links  *links,
               guint64 phase)
{
  g_assert_cmpuint (send_phase (links->talk), ==, phase);
  g_assert_cmpuint (send_phase (links->peer), ==, phase);
  g_assert_cmpuint (links->talk->conn->secure->keys.receive.phase, ==, phase);
  g_assert_cmpuint (links->peer->conn->secure->keys.receive.phase, ==, phase);
}

/* Whoever wants it, the other follows. */
static void
test_either_side (Links        *links,
                  gconstpointer data)
{
  links_open (links);
  links_connect (links, FALSE);
  for (guint i = 0; i < 20; i++)
    {
      update (i % 3 == 0 ? links->talk : links->peer);
      links_check_works (links);
      world_run (links->world, SQX_SECOND);
      assert_phases (links, i + 1);
    }
  links_check (links);
  g_assert_cmpuint (talk_counters (links->talk)->forged, ==, 0);
  g_assert_cmpuint (talk_counters (links->peer)->forged, ==, 0);
}

/* Both at once want the same phase. */
static void
test_both_sides (Links        *links,
                 gconstpointer data)
{
  links_open (links);
  links_connect (links, TRUE);
  for (guint i = 0; i < 20; i++)
    {
      update (links->talk);
      update (links->peer);
      links_check_works (links);
      world_run (links->world, SQX_SECOND);
      assert_phases (links, i + 1);
    }
  links_check (links);
}

/* Asked for before the peer has acknowledged anything, it comes as soon as it may; asked for
 * twice, it comes once. */
static void
test_early (Links        *links,
            gconstpointer data)
{
  links_open (links);
  links->talk = site_connect (links->a, links->b, NULL);
  update (links->talk); /* without a link: nothing to be asked for */
  while (links->b->accepted->len == 0)
    world_run (links->world, MS);
  links->peer = site_accepted (links->b, 0);
  update (links->peer);
  update (links->peer);
  g_assert_cmpuint (send_phase (links->peer), ==, 0);
  links_check_works (links);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  assert_phases (links, 1);
  links_check_works (links);
  assert_phases (links, 1);
}

/* In the middle of traffic, on a path that loses, copies and shuffles. */
static void
test_under_way (Links        *links,
                gconstpointer data)
{
  links_open (links);
  links_connect (links, FALSE);
  for (guint i = 0; i < 200; i++)
    {
      links_weather (links, i, 5, 10, 20 * MS);
      links_send (links, links->talk, 20000);
      links_send (links, links->peer, 20000);
      update (i % 2 == 0 ? links->talk : links->peer);
      if (i % 5 == 0)
        update (i % 2 == 0 ? links->peer : links->talk);
      world_run (links->world, 50 * MS);
    }
  links_weather (links, 0, 0, 0, 0);
  links_finish (links, 60 * SQX_SECOND);
  links_check (links);
  g_assert_cmpuint (send_phase (links->talk), >, 20);
  g_assert_cmpuint (MAX (send_phase (links->talk), send_phase (links->peer)) -
                    MIN (send_phase (links->talk), send_phase (links->peer)), <=, 1);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_test_message ("%u phases, %u and %u packets under keys that were gone",
                  (guint) send_phase (links->talk), (guint) talk_counters (links->talk)->forged,
                  (guint) talk_counters (links->peer)->forged);
}

/* Much was sealed with one key: the next one comes by itself. */
static void
test_due (Links        *links,
          gconstpointer data)
{
  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  links->talk->conn->secure->keys.sealed = SQX_KEYS_SEAL_DUE - 1;
  links_check_works (links);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  assert_phases (links, 1);
  g_assert_cmpuint (links->talk->conn->secure->keys.sealed, <, 100);
  links_check (links);
}

/* The old key goes by itself, although nothing is sent any more. */
static void
test_old_key_goes (Links        *links,
                   gconstpointer data)
{
  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  update (links->talk);
  links_check_works (links);
  world_run (links->world, SQX_SECOND);
  assert_phases (links, 1);
  g_assert_null (links->talk->conn->secure->keys.old);
  g_assert_null (links->peer->conn->secure->keys.old);
  world_run (links->world, SQX_REST_DELAY);
  g_assert_cmpuint (sqx_endpoint_next_timeout (links->a->endpoint), ==, SQX_TIME_NEVER);
}

/* A DATA for the link of @talk that nobody could have made. */
static void
inject_forged (Links *links,
               Talk  *talk)
{
  uint32_t id = sqx_route_id (&talk->conn->attachment.link);
  guint8 packet[64] = { SQX_PACKET_DATA, id >> 24, id >> 16, id >> 8, id, 0, 0, 1, 0 };
  Site *other = talk->site == links->a ? links->b : links->a;

  world_inject (links->world, &other->address, &talk->site->address, packet, sizeof packet);
  world_run (links->world, links->world->latency);
}

static void
test_forgeries (Links        *links,
                gconstpointer data)
{
  const gboolean persistent = GPOINTER_TO_INT (data);

  links_open (links);
  links_connect (links, FALSE);
  if (persistent)
    links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  links->hold = TRUE;
  links_send_many (links, links->talk, 10, 100);
  world_run (links->world, SQX_SECOND);

  for (guint i = 0; i < 1000; i++)
    inject_forged (links, links->talk);
  g_assert_cmpuint (talk_counters (links->talk)->forged, ==, 1000);
  links->talk->conn->secure->keys.forged = SQX_KEYS_FORGED_MAX - 1;
  inject_forged (links, links->talk);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  inject_forged (links, links->talk);
  if (persistent)
    {
      links_answer (links);
      links_finish (links, 10 * SQX_SECOND);
      links_check (links);
      g_assert_cmpuint (links->talk->reconnecting, ==, 1);
      g_assert_cmpuint (links->talk->restarted, ==, 0);
    }
  else
    {
      links_all_fail (links, SQX_ERR_PROTOCOL, SQX_SECOND);
      g_assert_true (links->talk->closed);
    }
}

/* No new key can be had, and the one in use may seal no more. */
static void
test_used_up (Links        *links,
              gconstpointer data)
{
  const gboolean persistent = GPOINTER_TO_INT (data);
  sqx_keys *keys;

  links->config_a.cipher = SQX_CIPHER_AES256GCM;
  links_open (links);
  links_connect (links, FALSE);
  if (persistent)
    links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  keys = &links->talk->conn->secure->keys;
  keys->sealed = SQX_KEYS_SEAL_MAX - 1;
  keys->send_acked = false;
  links->weather.cut = TRUE;
  links_send_many (links, links->talk, 10, 1000);
  if (persistent)
    {
      world_run (links->world, SQX_SECOND);
      g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_RECONNECTING);
      links->weather.cut = FALSE;
      links_finish (links, 10 * SQX_SECOND);
      links_check_works (links);
      links_check (links);
    }
  else
    {
      links_all_fail (links, SQX_ERR_PROTOCOL, 10 * SQX_SECOND);
      g_assert_true (links->talk->closed);
    }
}

/* The last CLOSE cannot be sealed: the connection is closed all the same, once. */
static void
test_used_up_closing (Links        *links,
                      gconstpointer data)
{
  sqx_keys *keys;

  links->config_a.cipher = SQX_CIPHER_AES256GCM;
  links_open (links);
  links_connect (links, FALSE);
  links_check_works (links);
  keys = &links->talk->conn->secure->keys;
  keys->sealed = SQX_KEYS_SEAL_MAX;
  keys->send_acked = false;
  sqx_conn_abort (links->talk->conn, links->world->now, 0, NULL);
  world_run (links->world, 10 * SQX_SECOND);
  g_assert_true (links->talk->closed);
  g_assert_cmpint (links->talk->closing.error, ==, SQX_OK);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CLOSED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/rekey/" name, Links, GINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("either-side", 0, test_either_side);
  ADD ("both-sides", 0, test_both_sides);
  ADD ("early", 0, test_early);
  ADD ("under-way", 0, test_under_way);
  ADD ("due", 0, test_due);
  ADD ("old-key-goes", 0, test_old_key_goes);
  ADD ("forgeries", FALSE, test_forgeries);
  ADD ("forgeries/persistent", TRUE, test_forgeries);
  ADD ("used-up", FALSE, test_used_up);
  ADD ("used-up/persistent", TRUE, test_used_up);
  ADD ("used-up/closing", 0, test_used_up_closing);
  return g_test_run ();
}
