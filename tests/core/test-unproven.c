/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Links of which the peer knows nothing any more, before it has shown that it has the keys, and
 * links that are about to be replaced.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MS SQX_MILLISECOND

/* What passes of a connection of which the peer forgets its half before it is complete. */
typedef struct
{
  Links   *links;
  gboolean answers; /* ACCEPT passed: the peer forgets now */
  gboolean forgot;
  guint    resets;
  guint    confirms;
  gboolean drop_resets;
} Watch;

static gboolean
watch (World   *world,
       Flight  *flight,
       gpointer data)
{
  Watch *self = data;

  self->answers |= flight->data[0] == SQX_PACKET_ACCEPT;
  self->confirms += flight->data[0] == SQX_PACKET_CONFIRM;
  if (flight->data[0] == SQX_PACKET_RESET)
    {
      self->resets++;
      return !self->drop_resets;
    }
  /* The peer never had what completes the link. */
  return self->forgot || !self->answers ||
         !sqx_address_equal (&flight->to, &self->links->b->address);
}

/* Dials, and lets the peer forget everything after its ACCEPT. */
static void
dial_forgetful (Links   *links,
                Watch   *self,
                gboolean known)
{
  self->links = links;
  links_open (links);
  links->world->filter = watch;
  links->world->filter_data = self;
  links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
  links_send (links, links->talk, 100);
  while (!links->talk->conn->secure->linked)
    world_run (links->world, 10 * MS);
  g_assert_false (links->talk->conn->secure->proven);
  site_restart (links->b, &links->config_b);
  self->forgot = TRUE;
}

/* It says so when it is asked: a handshake follows at once, and nothing is lost of what waited for
 * the link. */
static void
test_reset (Links        *links,
            gconstpointer data)
{
  Watch self = { 0 };

  links->config_a.connection.keepalive_interval = SQX_SECOND;
  dial_forgetful (links, &self, FALSE);
  g_assert_cmpuint (links_finish (links, SQX_HANDSHAKE_DEFAULT), <, 3 * SQX_SECOND);
  g_assert_cmpuint (self.resets, >, 0);
  g_assert_cmpuint (links->talk->failed, ==, 0);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
}

/* With a known key messages go out with the first DATA: the peer may have had them before it forgot
 * them, so they are not sent to what came after it. */
static void
test_reset_known (Links        *links,
                  gconstpointer data)
{
  Watch self = { 0 };

  dial_forgetful (links, &self, TRUE);
  g_assert_cmpuint (links_all_fail (links, SQX_ERR_SESSION_LOST, SQX_HANDSHAKE_DEFAULT), <,
                    3 * SQX_SECOND);
  g_assert_cmpuint (self.resets, >, 0);
  links_send (links, links->talk, 100);
  g_assert_cmpuint (links_finish (links, SQX_SECOND), <, 100 * MS);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
}

/* It does not: who has sent CONFIRM often enough tries another handshake, in the same time. */
static void
test_confirm (Links        *links,
              gconstpointer data)
{
  Watch self = { .drop_resets = TRUE };

  dial_forgetful (links, &self, FALSE);
  g_assert_cmpuint (links_finish (links, SQX_HANDSHAKE_DEFAULT), <, SQX_HANDSHAKE_DEFAULT);
  g_assert_cmpuint (self.confirms, >=, 7);
  g_assert_cmpuint (links->talk->failed, ==, 0);
  g_assert_cmpuint (links->b->accepted->len, ==, 1);
}

/* There is nobody any more: the time of the attempt holds although ACCEPT came. @data: the key of the
 * peer is known. */
static void
test_silence (Links        *links,
              gconstpointer data)
{
  Watch self = { 0 };
  guint64 span;

  dial_forgetful (links, &self, data != NULL);
  site_close (links->b);
  span = links_all_fail (links, SQX_ERR_TIMED_OUT, 40 * SQX_SECOND);
  g_assert_cmpuint (span, <=, SQX_HANDSHAKE_DEFAULT);
  g_assert_cmpuint (span, >, SQX_HANDSHAKE_DEFAULT - SQX_SECOND);
  g_assert_true (links->talk->closed);
}

/* A side that gave up its link and dials gets packets of that link. It does not say that it knows
 * nothing of it: the other side would give up the session. */
static void
test_replacing (Links        *links,
                gconstpointer data)
{
  Watch self = { .links = links, .forgot = TRUE };

  links_open (links);
  links_connect (links, FALSE);
  links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  links->world->filter = watch;
  links->world->filter_data = &self;
  sqx_conn_link_lost (links->talk->conn, links->world->now, SQX_ERR_TIMED_OUT);
  sqx_conn_settle (links->talk->conn, links->world->now);
  links_send_many (links, links->peer, 20, 500);
  links_finish (links, 10 * SQX_SECOND);
  links_check (links);
  g_assert_cmpuint (self.resets, ==, 0);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (links->talk->restarted + links->peer->restarted, ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(path, data, function) \
  g_test_add ("/core/unproven/" path, Links, data, links_set_up, function, links_tear_down)
  ADD ("reset", NULL, test_reset);
  ADD ("reset-known", NULL, test_reset_known);
  ADD ("confirm", NULL, test_confirm);
  ADD ("silence", NULL, test_silence);
  ADD ("silence-known", "known", test_silence);
  ADD ("replacing", NULL, test_replacing);
#undef ADD

  return g_test_run ();
}
