/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a peer that proved its key is wanted: said at once, or by a program that takes its time.
 */
#include "links.h"

#include "sqx-conn-private.h"

#define MS SQX_MILLISECOND

/* Where the program is asked. */
enum { ASK_A = 1, ASK_B = 2, KNOWN = 4 };

static void
ask (Links *links,
     guint  how)
{
  links->a->hold_authorize = links->b->hold_authorize = TRUE;
  links->a->trust = (how & ASK_A) != 0 ? SQX_TRUST_ASK : SQX_TRUST_ACCEPT;
  links->b->trust = (how & ASK_B) != 0 ? SQX_TRUST_ASK : SQX_TRUST_ACCEPT;
}

/* a dials b; both are asked what @how says, and have not answered. */
static void
begin (Links *links,
       guint  how)
{
  guint n = links->b->accepted->len;

  ask (links, how);
  links->talk = site_connect (links->a, links->b, (how & KNOWN) != 0 ? links->b : NULL);
  world_run (links->world, SQX_SECOND);
  g_assert_cmpuint (links->b->accepted->len, ==, n + 1);
  links->peer = site_accepted (links->b, n);
  g_assert_cmpuint (links->talk->authorize, ==, (how & ASK_A) != 0);
  g_assert_cmpuint (links->peer->authorize, ==, (how & ASK_B) != 0);
  g_assert_cmpmem (sqx_conn_peer_key (links->peer->conn), 32, site_key (links->a), 32);
  g_assert_cmpmem (sqx_conn_peer_key (links->talk->conn), 32, site_key (links->b), 32);
}

static void
authorize (Talk    *talk,
           gboolean accept)
{
  sqx_conn_authorize (talk->conn, talk->site->world->now, accept);
  world_flush (talk->site->world);
}

/* No question is left that would count against others. */
static void
check_no_questions (Site *site)
{
  guint n = 0;

  while (sqx_endpoint_take_question (site->endpoint))
    n++;
  g_assert_cmpuint (n, ==, SQX_AUTHORIZE_MAX);
  while (n-- > 0)
    sqx_endpoint_give_question (site->endpoint);
}

/* This side does not want the one who answered. */
static void
test_refused_here (Links        *links,
                   gconstpointer data)
{
  links_open (links);
  links->a->trust = SQX_TRUST_REFUSE;
  links->talk = site_connect (links->a, links->b, NULL);
  links_send (links, links->talk, 100);
  g_assert_cmpuint (links_all_fail (links, SQX_ERR_UNTRUSTED, SQX_SECOND), <=, 100 * MS);
  g_assert_cmpint (links->talk->closing.error, ==, SQX_ERR_UNTRUSTED);
  g_assert_cmpuint (links->a->judged, ==, 1);
  g_assert_true (links->a->judged_conn == links->talk->conn);
  g_assert_cmpmem (sqx_conn_peer_key (links->talk->conn), 32, site_key (links->b), 32);
  world_run (links->world, SQX_HALF_OPEN_LIFE);
  g_assert_cmpuint (sqx_endpoint_n_half_open (links->b->endpoint), ==, 0);
  g_assert_cmpuint (links->b->accepted->len, ==, 0);
}

/* Who is expected needs no judge. */
static void
test_expected (Links        *links,
               gconstpointer data)
{
  links->config_b.judge = NULL;
  links_open (links);
  links->a->trust = SQX_TRUST_REFUSE;
  links_connect (links, TRUE);
  links_check_works (links);
  g_assert_cmpuint (links->a->judged, ==, 0);
}

/* The program takes 50 seconds to say yes. Nothing is heard of the peer before, the link lives all
 * the time, and what was sent meanwhile arrives. */
static void
test_accepted_late (Links        *links,
                    gconstpointer data)
{
  const guint how = GPOINTER_TO_UINT (data);

  links_open (links);
  begin (links, how);
  links_send (links, links->talk, 2000);
  links_send (links, links->peer, 2000);
  world_run (links->world, 50 * SQX_SECOND);
  g_assert_cmpuint (links->open, ==, 2);
  g_assert_cmpuint (links->talk->messages, ==, 0);
  g_assert_cmpuint (links->peer->messages, ==, 0);
  g_assert_cmpuint (links->talk->connected, ==, 0);
  g_assert_cmpuint (links->peer->connected, ==, how == ASK_A || how == (ASK_A | KNOWN));
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTING);

  if ((how & ASK_B) != 0)
    authorize (links->peer, TRUE);
  world_run (links->world, SQX_SECOND);
  if ((how & ASK_A) != 0)
    {
      g_assert_cmpuint (links->open, ==, 2);
      authorize (links->talk, TRUE);
    }
  links_finish (links, SQX_SECOND);
  links_check (links);
  g_assert_cmpuint (links->talk->connected, ==, 1);
  g_assert_cmpuint (links->peer->connected, ==, 1);
  check_no_questions (links->a);
  check_no_questions (links->b);

  /* Nobody is asked any more. */
  authorize (links->talk, FALSE);
  authorize (links->peer, FALSE);
  links_check_works (links);
  world_run (links->world, 70 * SQX_SECOND);
  links_check_works (links);
  g_assert_cmpuint (links->talk->authorize + links->peer->authorize, ==,
                    ((how & ASK_A) != 0) + ((how & ASK_B) != 0));
}

/* What came from the peer that @talk's program was told of. */
typedef struct
{
  Talk     *talk;
  guint     heard;
  WorldTold told;
  gpointer  data;
} Ear;

static void
hear (Talk            *talk,
      const sqx_event *event,
      gpointer         data)
{
  Ear *ear = data;

  if (talk == ear->talk && (event->type == SQX_EVENT_MESSAGE || event->type == SQX_EVENT_DATAGRAM))
    ear->heard++;
  ear->told (talk, event, ear->data);
}

/* No, or no answer within a minute. */
static void
rejected (Links   *links,
          guint    how,
          gboolean time_out)
{
  const sqx_payload payload = { (const guint8 *) "abc", 3, NULL };
  Ear ear = { .told = links->world->told, .data = links->world->program_data };
  WorldTaken taken = links->world->taken;
  Talk *asked, *other;
  guint64 span = time_out ? SQX_AUTHORIZE_LIFE : SQX_SECOND;
  sqx_message message;

  begin (links, how);
  asked = (how & ASK_A) != 0 ? links->talk : links->peer;
  other = (how & ASK_A) != 0 ? links->peer : links->talk;
  ear.talk = asked;
  links->world->told = hear;
  links->world->taken = NULL;
  links->world->program_data = &ear;
  links_send (links, other, 100);
  g_assert_cmpint (sqx_conn_send_datagram (other->conn, links->world->now, &payload), ==, SQX_OK);
  world_run (links->world, 100 * MS);
  if (!time_out)
    authorize (asked, FALSE);
  links_all_fail (links, SQX_ERR_REFUSED, span);
  g_assert_true (asked->closed);
  g_assert_cmpint (asked->closing.error, ==, SQX_ERR_UNTRUSTED);
  g_assert_cmpuint (asked->messages, ==, 0);
  g_assert_cmpuint (asked->connected, ==, 0);
  g_assert_cmpuint (ear.heard, ==, 0);
  g_assert_false (sqx_conn_receive (asked->conn, links->world->now, 0, &message));
  links->world->told = ear.told;
  links->world->taken = taken;
  links->world->program_data = ear.data;
  g_assert_true (other->closed);
  g_assert_cmpint (other->closing.error, ==, SQX_ERR_REFUSED);
  g_assert_cmpuint (other->closing.code, ==, SQX_CLOSE_NOT_TRUSTED);
  g_assert_true (other->closing.by_peer);
  check_no_questions (links->a);
  check_no_questions (links->b);
  talk_free_conn (links->talk);
  talk_free_conn (links->peer);
}

static void
test_rejected (Links        *links,
               gconstpointer data)
{
  links_open (links);
  for (guint time_out = 0; time_out < 2; time_out++)
    {
      rejected (links, ASK_A, time_out);
      rejected (links, ASK_B, time_out);
      rejected (links, ASK_B | KNOWN, time_out);
    }
}

/* The peer goes before the program has decided: it is told so, and asked no more. */
static void
test_peer_goes (Links        *links,
                gconstpointer data)
{
  links_open (links);
  for (guint how = 0; how < 3 * SQX_AUTHORIZE_MAX; how++)
    {
      gboolean at_a = (how & 1) != 0;
      Talk *asked, *other;

      begin (links, at_a ? ASK_A : (how & 2) != 0 ? ASK_B | KNOWN : ASK_B);
      asked = at_a ? links->talk : links->peer;
      other = at_a ? links->peer : links->talk;
      if (how % 3 == 0)
        sqx_conn_close (other->conn, links->world->now, 0, NULL);
      else if (how % 3 == 1)
        sqx_conn_abort (other->conn, links->world->now, 0, NULL);
      else
        talk_free_conn (other);
      world_run (links->world, how % 3 == 2 ? 40 * SQX_SECOND : SQX_SECOND);
      g_assert_true (asked->closed);
      /* Who went without a word answers the pings with RESET. */
      g_assert_cmpint (asked->closing.error, ==,
                       how % 3 == 2 ? SQX_ERR_SESSION_LOST : SQX_ERR_PEER_CLOSED);
      authorize (asked, TRUE);
      talk_free_conn (asked);
      talk_free_conn (other);
    }
  check_no_questions (links->a);
  check_no_questions (links->b);
}

/* The program of this side goes before it has decided. */
static void
test_asked_goes (Links        *links,
                 gconstpointer data)
{
  links_open (links);
  for (guint how = 0; how < 3 * SQX_AUTHORIZE_MAX; how++)
    {
      gboolean at_a = (how & 1) != 0;
      Talk *asked, *other;

      begin (links, at_a ? ASK_A : (how & 2) != 0 ? ASK_B | KNOWN : ASK_B);
      asked = at_a ? links->talk : links->peer;
      other = at_a ? links->peer : links->talk;
      links_send (links, other, 100);
      world_run (links->world, SQX_SECOND);
      if (how % 3 == 0)
        sqx_conn_close (asked->conn, links->world->now, 0, NULL);
      else if (how % 3 == 1)
        sqx_conn_abort (asked->conn, links->world->now, 0, NULL);
      else
        talk_free_conn (asked);
      world_run (links->world, how % 3 == 2 ? 40 * SQX_SECOND : SQX_SECOND);
      g_assert_true (other->closed);
      g_assert_cmpuint (asked->messages, ==, 0);
      talk_free_conn (asked);
      talk_free_conn (other);
    }
  check_no_questions (links->a);
  check_no_questions (links->b);
}

/* More strangers than the program is asked about at a time: the others may come again. */
static void
test_many (Links        *links,
           gconstpointer data)
{
  links_open (links);
  for (guint i = 0; i < SQX_AUTHORIZE_MAX; i++)
    begin (links, ASK_B);
  for (guint known = 0; known < 2; known++)
    {
      Talk *talk = site_connect (links->a, links->b, known ? links->b : NULL);

      world_run (links->world, SQX_SECOND);
      g_assert_true (talk->closed);
      g_assert_cmpint (talk->closing.error, ==, SQX_ERR_REFUSED);
      g_assert_cmpuint (talk->closing.code, ==, SQX_CLOSE_BUSY);
    }
  authorize (links->peer, TRUE);
  begin (links, ASK_B);
  authorize (links->peer, TRUE);
  links_check_works (links);
}

/* A question is not asked again when the link is replaced. */
static void
test_once (Links        *links,
           gconstpointer data)
{
  links_open (links);
  begin (links, ASK_A | ASK_B);
  authorize (links->talk, TRUE);
  authorize (links->peer, TRUE);
  world_run (links->world, SQX_SECOND);
  links_persist (links, SQX_TIME_NEVER);
  links_check_works (links);
  links_send (links, links->talk, 100);
  links->weather.cut = TRUE;
  world_run (links->world, 40 * SQX_SECOND);
  links->weather.cut = FALSE;
  links_finish (links, 40 * SQX_SECOND);
  links_check_works (links);
  g_assert_cmpuint (links->talk->authorize, ==, 1);
  g_assert_cmpuint (links->peer->authorize, ==, 1);
  g_assert_cmpuint (links->a->judged, ==, 1);
  g_assert_cmpuint (links->b->judged, ==, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, data, func) \
  g_test_add ("/seqex/trust/" name, Links, GUINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("refused-here", 0, test_refused_here);
  ADD ("expected", 0, test_expected);
  ADD ("accepted-late/a", ASK_A, test_accepted_late);
  ADD ("accepted-late/b", ASK_B, test_accepted_late);
  ADD ("accepted-late/both", ASK_A | ASK_B, test_accepted_late);
  ADD ("accepted-late/b-known", ASK_B | KNOWN, test_accepted_late);
  ADD ("rejected", 0, test_rejected);
  ADD ("peer-goes", 0, test_peer_goes);
  ADD ("asked-goes", 0, test_asked_goes);
  ADD ("many", 0, test_many);
  ADD ("once", 0, test_once);
  return g_test_run ();
}
