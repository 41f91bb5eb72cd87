/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The datagrams by which peers arrive: lost, repeated, too early, forged, or without memory for
 * them.
 */
#include <glib.h>
#include <string.h>

#include "arrival-fixture.h"
#include "fail-alloc.h"
#include "sqx-secure.h"

/* Lost and repeated ------------------------------------------------------------------------ */

typedef struct
{
  guint8  type;   /* of the datagrams that are lost … */
  guint   lose;   /* … so many of them */
  guint   copies; /* each datagram comes so many times more */
  guint   lost;
} Loss;

static gboolean
lossy (World   *world,
       Flight  *flight,
       gpointer data)
{
  Loss *loss = data;

  if (loss->copies > 0)
    {
      Loss none = { 0 };

      world->filter_data = &none;
      for (guint i = 0; i < loss->copies; i++)
        world_inject (world, &flight->from, &flight->to, flight->data, flight->size);
      world->filter_data = loss;
    }
  if ((flight->data[0] == SQX_PACKET_DATA + 1 ? SQX_PACKET_DATA : flight->data[0]) != loss->type ||
      loss->lost == loss->lose)
    return TRUE;
  loss->lost++;
  return FALSE;
}

static void
test_loss (Two          *two,
           gconstpointer data)
{
  static const guint8 types[] = { SQX_PACKET_INIT, SQX_PACKET_ACCEPT, SQX_PACKET_CONFIRM,
                                  SQX_PACKET_DATA };
  Loss loss;
  guint n = 0;

  open_both (two);
  two->world->filter = lossy;
  two->world->filter_data = &loss;
  for (guint t = 0; t < G_N_ELEMENTS (types); t++)
    for (guint lose = 0; lose < 3; lose++)
      for (guint ik = 0; ik < 2; ik++)
        {
          Talk *talk = site_connect (two->a, two->b, ik ? two->b : NULL);

          g_test_message ("type %u, lost %u, IK %u", types[t], lose, ik);
          loss = (Loss) { .type = types[t], .lose = lose, .copies = lose == 0 ? 2 : 0 };
          talk_send (talk, 10);
          world_run (two->world, 15 * SQX_SECOND);
          g_assert_cmpuint (talk->connected, ==, 1);
          g_assert_cmpuint (talk->replies, ==, 1);
          g_assert_cmpuint (two->b->accepted->len, ==, ++n);
          g_assert_cmpuint (site_accepted (two->b, n - 1)->messages, ==, 1);
          g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
        }
  g_assert_cmpuint (counters (two->b)->handshake_repeated, >, 0);
}

static void
no_memory_once (guint    n,
                gboolean ik)
{
  Two two;
  Talk *talk;

  set_up (&two, NULL);
  open_both (&two);
  talk = site_connect (two.a, two.b, ik ? two.b : NULL);
  talk_send (talk, 10);
  /* Only from the moment on when the responder has INIT. */
  world_flush (two.world);
  fail_after = n;
  fail_count = 1;
  world_run (two.world, 12 * SQX_SECOND);
  fail_count = fail_after = 0;
  world_run (two.world, 60 * SQX_SECOND);
  g_test_message ("allocation %u, IK %d: state %d, connected %u, replies %u, failed %u", n, ik,
                  sqx_conn_state (talk->conn), talk->connected, talk->replies, talk->failed);
  /* Whatever failed, everybody is told something, and nothing is left over. */
  g_assert_cmpuint (talk->replies + talk->ends + talk->failed, ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two.b->endpoint), ==, 0);
  tear_down (&two, NULL);
}

static void
test_no_memory (Two          *two,
                gconstpointer data)
{
  for (guint n = 0; n < 60; n++)
    for (guint ik = 0; ik < 2; ik++)
      no_memory_once (n, ik);
}

/* A peer played by hand -------------------------------------------------------------------- */

typedef struct
{
  Two          *two;
  sqx_handshake handshake;
  sqx_keys      keys;
  guint64       number;
  guint8        answer[2048]; /* the last one of b */
  gsize         answer_size;
  guint         answers;
} Hand;

static void
hand_give (Hand         *hand,
           const guint8 *data,
           gsize         size)
{
  Two *two = hand->two;
  g_autofree guint8 *copy = g_memdup2 (data, size);
  sqx_address to;
  size_t n;

  sqx_endpoint_handle_datagram (two->b->endpoint, two->world->now, &two->a->address, copy, size);
  while ((n = sqx_endpoint_poll_transmit (two->b->endpoint, two->world->now, &to, hand->answer,
                                          sizeof hand->answer)) > 0)
    {
      hand->answer_size = n;
      hand->answers++;
    }
  world_flush (two->world);
}

/* A DATA with PING. @break_it: that does not authenticate. */
static void
hand_data (Hand    *hand,
           gsize    padding,
           gboolean break_it)
{
  g_autofree guint8 *packet = g_malloc0 (2048);
  sqx_writer writer = { packet, 0, 2048 - SQX_TAG_SIZE };
  sqx_data_header header = { .destination_id = hand->handshake.peer_id,
                             .number = (guint32) hand->number };

  g_assert_true (sqx_write_data (&writer, &header));
  g_assert_true (sqx_write_ping (&writer));
  writer.size += padding;
  g_assert_true (sqx_keys_seal (&hand->keys, hand->number++, packet, SQX_DATA_HEADER,
                                packet + SQX_DATA_HEADER, writer.size - SQX_DATA_HEADER));
  packet[writer.size] ^= break_it;
  hand_give (hand, packet, writer.size + SQX_TAG_SIZE);
}

/* Gets as far as ACCEPT. */
static void
hand_begin (Hand    *hand,
            Two     *two,
            gboolean ik)
{
  const sqx_endpoint_config *config = &two->config_a;
  sqx_handshake_params params = { .crypto = config->crypto, .secret_key = config->secret_key,
                                  .random = config->connection.random,
                                  .user_data = config->connection.user_data };
  static const guint8 session_id[SQX_SESSION_ID_SIZE] = { 1, 2, 3 };
  sqx_hello hello;

  memset (hand, 0, sizeof *hand);
  hand->two = two;
  sqx_hello_of_config (&hello, &two->b->config.connection);
  hello.byte_credit = 4 * hello.max_message_size;
  sqx_hello_add_secure (&hello, config->crypto, 0, session_id, 0);
  g_assert_true (sqx_handshake_start (&hand->handshake, &params, 77, ik ? site_key (two->b) : NULL,
                                      &hello));
  hand_give (hand, hand->handshake.packet, hand->handshake.packet_size);
  g_assert_cmpuint (hand->answers, ==, 1);
  g_assert_cmpuint (hand->answer[0], ==, SQX_PACKET_ACCEPT);
  if (sqx_handshake_handle_answer (&hand->handshake, hand->answer, hand->answer_size) !=
      SQX_HANDSHAKE_LEARNED)
    return;
  if (!ik)
    g_assert_true (sqx_handshake_confirm (&hand->handshake, &hello));
  g_assert_true (sqx_handshake_keys (&hand->handshake, &hand->keys));
}

static void
hand_end (Hand *hand)
{
  sqx_keys_clear (&hand->keys);
  sqx_handshake_clear (&hand->handshake);
}

static guint64
received_by (Talk *talk)
{
  sqx_statistics statistics;

  sqx_conn_statistics (talk->conn, &statistics);
  return statistics.packets_received;
}

/* DATA that overtakes CONFIRM is kept: some of it, and no giants. */
static void
test_early_data (Two          *two,
                 gconstpointer data)
{
  Hand hand;

  open_both (two);
  hand_begin (&hand, two, FALSE);
  hand_data (&hand, 1500, FALSE);
  g_assert_cmpuint (counters (two->b)->early_data, ==, 1);
  for (guint i = 0; i < SQX_EARLY_DATA + 1; i++)
    hand_data (&hand, i, FALSE);
  g_assert_cmpuint (counters (two->b)->early_data, ==, 2);
  g_assert_cmpuint (two->b->accepted->len, ==, 0);
  g_assert_cmpuint (hand.answers, ==, 1);
  hand_give (&hand, hand.handshake.packet, hand.handshake.packet_size);
  g_assert_cmpuint (two->b->accepted->len, ==, 1);
  g_assert_cmpuint (received_by (site_accepted (two->b, 0)), ==, SQX_EARLY_DATA);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
  hand_end (&hand);
}

/* INIT of IK may be a replay: only DATA makes a connection, and it is not lost. */
static void
test_first_data (Two          *two,
                 gconstpointer data)
{
  Hand hand;

  open_both (two);
  hand_begin (&hand, two, TRUE);
  for (guint i = 0; i < 10; i++)
    hand_data (&hand, i, TRUE);
  g_assert_cmpuint (counters (two->b)->handshake_failed, ==, 10);
  g_assert_cmpuint (hand.answers, ==, 1);
  world_flush (two->world);
  g_assert_cmpuint (two->b->accepted->len, ==, 0);
  hand_data (&hand, 3, FALSE);
  g_assert_cmpuint (two->b->accepted->len, ==, 1);
  g_assert_cmpuint (received_by (site_accepted (two->b, 0)), ==, 1);
  hand_data (&hand, 0, FALSE);
  g_assert_cmpuint (received_by (site_accepted (two->b, 0)), ==, 2);
  hand_end (&hand);
}

/* Who was refused and goes on hears of it less and less often, and not in large packets. */
static void
test_refused_again (Two          *two,
                    gconstpointer data)
{
  Hand hand;
  guint8 packet[40] = { SQX_PACKET_DATA };

  /* By ACCEPT: small DATA gets no large answer. */
  two->config_b.max_connections = 1;
  open_both (two);
  two->b->trust = SQX_TRUST_REFUSE;
  hand_begin (&hand, two, TRUE);
  g_assert_cmpuint (hand.answers, ==, 1);
  memcpy (packet + 1, hand.answer + 5, 4);
  for (guint i = 0; i < 20; i++)
    hand_give (&hand, packet, sizeof packet);
  g_assert_cmpuint (hand.answers, ==, 1);
  hand_end (&hand);

  /* By DATA, after CONFIRM. */
  hand_begin (&hand, two, FALSE);
  for (guint i = 1; i <= 64; i++)
    {
      hand_give (&hand, hand.handshake.packet, hand.handshake.packet_size);
      g_assert_cmpuint (hand.answer[0], ==, SQX_PACKET_DATA);
      g_assert_cmpuint (hand.answer_size, <, 2 * hand.handshake.packet_size);
    }
  g_assert_cmpuint (hand.answers, ==, 1 + 1 + 6);
  g_assert_cmpuint (two->b->accepted->len, ==, 0);
  hand_end (&hand);
}

/* Who is at the same address without the keys gets nowhere, and disturbs nobody. */
static void
test_forged_data (Two          *two,
                  gconstpointer data)
{
  g_autofree guint8 *forged = g_malloc0 (1200);
  Talk *talk;

  open_both (two);
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, 25 * SQX_MILLISECOND);
  for (guint i = 0; i < 20; i++)
    {
      sqx_writer writer = { forged, 0, 1200 };

      sqx_write_data (&writer, &(sqx_data_header) {
        .destination_id = sqx_conn_peer_key (talk->conn) ? 1 + i : 1, .number = i });
      world_inject (two->world, &two->a->address, &two->b->address, forged, 100 + i);
      world_inject (two->world, &two->b->address, &two->a->address, forged, 100 + i);
    }
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (counters (two->b)->unknown_id, >=, 20);
  check_talk (two->world, talk, site_accepted (two->b, 0));
}

#define ADD(path, func) \
  g_test_add ("/seqex/arrival-packets/" path, Two, NULL, set_up, func, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("loss", test_loss);
  ADD ("early-data", test_early_data);
  ADD ("first-data", test_first_data);
  ADD ("refused-again", test_refused_again);
  ADD ("forged-data", test_forged_data);
  ADD ("no-memory", test_no_memory);
  return g_test_run ();
}
