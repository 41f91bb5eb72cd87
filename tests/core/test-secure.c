/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encrypted connections: how they come up, on kind networks and on others.
 */
#include "links.h"

#include <string.h>

#include "sqx-conn-private.h"
#include "sqx-wire-secure.h"

#define MS SQX_MILLISECOND

static const guint8 psk[32] = { 1, 2, 3 };

/* The whole trip of the first request, in round trips: what is sent with the very first datagram in
 * mind is answered after two of them when the key is known, else after three. */
static void
test_round_trips (Links        *links,
                  gconstpointer data)
{
  const guint64 rtt = 2 * links->world->latency;

  links_open (links);
  for (guint form = 0; form < 4; form++)
    {
      gboolean known = (form & 1) != 0;
      guint64 sent = links->a->sent, back = links->b->sent, took;

      for (guint side = 0; side < 2; side++)
        sqx_endpoint_set_psk (side == 0 ? links->a->endpoint : links->b->endpoint,
                              (form & 2) != 0 ? psk : NULL);
      links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
      links_send (links, links->talk, 100);
      took = links_finish (links, SQX_SECOND);
      g_assert_cmpuint (took, ==, (known ? 2 : 3) * rtt);
      /* INIT, CONFIRM or not, request; ACCEPT, READY or not, reply; nothing twice. */
      g_assert_cmpuint (links->a->sent - sent, <=, known ? 2 : 4);
      g_assert_cmpuint (links->b->sent - back, <=, known ? 2 : 3);
      g_test_message ("%s%s: %u datagrams", known ? "IK" : "XX", (form & 2) != 0 ? " with psk" : "",
                      (guint) (links->a->sent - sent + links->b->sent - back));
      world_run (links->world, SQX_SECOND);
    }
  links_check (links);
}

/* Both ciphers, by taste and by force of either side. */
static void
test_ciphers (Links        *links,
              gconstpointer data)
{
  static const guint8 ciphers[] = { 0, SQX_CIPHER_AES256GCM, SQX_CIPHER_CHACHA20POLY1305 };
  sqx_crypto crypto[2] = { *links->config_a.crypto, *links->config_a.crypto };

  for (guint forced_a = 0; forced_a < 3; forced_a++)
    for (guint forced_b = 0; forced_b < 3; forced_b++)
      for (guint tastes = 0; tastes < 4; tastes++)
        {
          sqx_cipher expected = tastes == 3 ? SQX_CIPHER_AES256GCM : SQX_CIPHER_CHACHA20POLY1305;

          if (ciphers[forced_a] != 0 && ciphers[forced_b] != 0 && forced_a != forced_b)
            continue;
          if (ciphers[forced_a] != 0 || ciphers[forced_b] != 0)
            expected = MAX (ciphers[forced_a], ciphers[forced_b]);
          crypto[0].prefers_aes = (tastes & 1) != 0;
          crypto[1].prefers_aes = (tastes & 2) != 0;
          links->config_a.crypto = &crypto[0];
          links->config_b.crypto = &crypto[1];
          links->config_a.cipher = ciphers[forced_a];
          links->config_b.cipher = ciphers[forced_b];
          links_open (links);
          links_connect (links, tastes & 1);
          g_assert_cmpint (sqx_conn_cipher (links->talk->conn), ==, expected);
          g_assert_cmpint (sqx_conn_cipher (links->peer->conn), ==, expected);
          links_check_works (links);
          site_close (links->a);
          site_close (links->b);
          g_ptr_array_set_size (links->b->accepted, 0);
          world_run (links->world, SQX_SECOND);
        }
  links_check (links);
}

/* What comes after READY may overtake it. */
static void
test_overtaken_ready (Links        *links,
                      gconstpointer data)
{
  guint64 sent;

  links_open (links);
  links->talk = site_connect (links->a, links->b, NULL);
  links->weather.drop_type = SQX_PACKET_DATA;
  links->weather.drop_next = 1;
  world_run (links->world, 4 * links->world->latency);
  g_assert_cmpuint (links->weather.drop_next, ==, 0);
  g_assert_cmpuint (links->talk->connected, ==, 0);
  links->peer = site_accepted (links->b, 0);
  sent = links->world->now;
  links_send (links, links->peer, 100);
  links_finish (links, SQX_SECOND);
  g_assert_cmpuint (links->talk->connected, ==, 1);
  g_assert_cmpuint (links->world->now - sent, <=, 3 * links->world->latency);
  links_check_works (links);
  links_check (links);
  g_assert_cmpuint (links->talk->connected, ==, 1);
}

/* Each packet of the handshake lost once, twice, three times. */
static void
test_lost_packets (Links        *links,
                   gconstpointer data)
{
  static const guint8 types[] = {
    SQX_PACKET_INIT, SQX_PACKET_ACCEPT, SQX_PACKET_CONFIRM, SQX_PACKET_DATA,
  };
  guint n = 0;

  links_open (links);
  for (guint known = 0; known < 2; known++)
    for (guint type = 0; type < G_N_ELEMENTS (types); type++)
      for (guint times = 1; times <= 3; times++)
        {
          links->weather.drop_type = types[type];
          links->weather.drop_next = types[type] == SQX_PACKET_CONFIRM && known ? 0 : times;
          links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
          links_send (links, links->talk, 100);
          /* 500 ms, 1 s and 2 s, or probe time-outs of at most 1.5, 3 and 6 s. */
          g_assert_cmpuint (links_finish (links, 15 * SQX_SECOND), <,
                            types[type] == SQX_PACKET_DATA ? 11 * SQX_SECOND : 4 * SQX_SECOND);
          g_assert_cmpuint (links->weather.drop_next, ==, 0);
          g_assert_cmpuint (links->b->accepted->len, ==, ++n);
          links->peer = site_accepted (links->b, n - 1);
          links_check_works (links);
          world_run (links->world, 20 * SQX_SECOND);
          g_assert_cmpuint (links->talk->connected, ==, 1);
          g_assert_cmpuint (links->peer->connected, ==, 1);
          g_assert_cmpuint (sqx_endpoint_n_half_open (links->b->endpoint), ==, 0);
        }
  links_check (links);
}

/* A network that copies and shuffles everything. */
static void
test_shuffled (Links        *links,
               gconstpointer data)
{
  links_open (links);
  for (guint i = 0; i < 40; i++)
    {
      links_weather (links, i, 0, 100, 60 * MS);
      links->talk = site_connect (links->a, links->b, (i & 1) != 0 ? links->b : NULL);
      for (guint j = 0; j < 10; j++)
        links_send (links, links->talk, 500 * j);
      links_finish (links, 5 * SQX_SECOND);
      g_assert_cmpuint (links->b->accepted->len, ==, i + 1);
      links->peer = site_accepted (links->b, i);
      links_check_works (links);
      g_assert_cmpuint (links->talk->connected, ==, 1);
      g_assert_cmpuint (links->peer->connected, ==, 1);
    }
  links_check (links);
}

/* Of 50 connections over a path that loses 30 % each way, 50 come up. */
static void
test_lossy (Links        *links,
            gconstpointer data)
{
  const gboolean known = GPOINTER_TO_INT (data);
  guint64 longest = 0, took;

  links_open (links);
  for (guint i = 0; i < 50; i++)
    {
      links_weather (links, 1000 + i, 30, 0, 0);
      g_test_message ("seed %u", 1000 + i);
      links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
      links_send (links, links->talk, 100);
      took = links_finish (links, 60 * SQX_SECOND);
      longest = MAX (longest, took);
      g_assert_false (links->talk->closed);
      talk_free_conn (links->talk);
    }
  links_check (links);
  g_test_message ("the longest took %.1f s", (double) longest / SQX_SECOND);
}

/* A satellite: three quarters of a second each way. */
static void
test_long_way (Links        *links,
               gconstpointer data)
{
  const gboolean known = GPOINTER_TO_INT (data);
  sqx_statistics statistics[2];

  links->world->latency = 750 * MS;
  links_open (links);
  links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
  links_send (links, links->talk, 100);
  g_assert_cmpuint (links_finish (links, 20 * SQX_SECOND), ==, (known ? 3000 : 4500) * MS);
  links->peer = site_accepted (links->b, 0);
  for (guint i = 0; i < 20; i++)
    {
      links_send (links, links->talk, 5000);
      links_send (links, links->peer, 5000);
      links_finish (links, 20 * SQX_SECOND);
    }
  links_check (links);
  statistics[0] = talk_statistics (links->talk);
  statistics[1] = talk_statistics (links->peer);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpuint (statistics[i].probe_timeouts, ==, 0);
      g_assert_cmpuint (statistics[i].packets_lost, ==, 0);
      g_assert_cmpuint (statistics[i].bytes_resent, ==, 0);
    }
}

/* 5 MiB both ways over a bottleneck that loses 2 %, and with a network that is gone for 2 s. */
static void
test_transfer (Links        *links,
               gconstpointer data)
{
  const gboolean blackout = GPOINTER_TO_INT (data);
  guint64 took;

  links->world->latency = 15 * MS;
  links->weather.rate = 1250000; /* 10 Mbit/s */
  links_open (links);
  links_weather (links, 42, blackout ? 0 : 2, 0, 0);
  links->talk = site_connect (links->a, links->b, links->b);
  links_send_many (links, links->talk, 5, 1 << 20);
  if (blackout)
    {
      world_run (links->world, 2 * SQX_SECOND);
      links->weather.cut = TRUE;
      world_run (links->world, 2 * SQX_SECOND);
      links->weather.cut = FALSE;
    }
  took = links_finish (links, 120 * SQX_SECOND);
  links_check (links);
  g_assert_cmpuint (links->talk->reconnecting, ==, 0);
  g_test_message ("figure: the %s took %.1f s", blackout ? "rest" : "whole",
                  (double) took / SQX_SECOND);
}

/* Who it is ------------------------------------------------------------------------------- */

/* Somebody else is there than was expected: soon known, with the key that is. */
static void
test_wrong_key (Links        *links,
                gconstpointer data)
{
  Site *other = site_new (links->world, 3);
  sqx_endpoint_config config;
  guint64 start;

  site_config_secure (other, &config);
  links_open (links);
  site_open (other, &config);
  start = links->world->now;
  links->talk = site_connect (links->a, links->b, other);
  links_send (links, links->talk, 100);
  links_all_fail (links, SQX_ERR_UNTRUSTED, 20 * SQX_SECOND);
  g_assert_cmpuint (((Entry *) g_ptr_array_index (links->entries, 0))->told_at - start, <,
                    5 * SQX_SECOND);
  g_assert_true (links->talk->closed);
  g_assert_cmpint (links->talk->closing.error, ==, SQX_ERR_UNTRUSTED);
  g_assert_cmpmem (sqx_conn_peer_key (links->talk->conn), 32, site_key (links->b), 32);
  g_assert_cmpuint (links->b->accepted->len, ==, 0);
}

/* The expected one, who is only hard to reach, is not taken for somebody else. */
static void
test_slow_key (Links        *links,
               gconstpointer data)
{
  links_open (links);
  links->weather.cut = TRUE;
  links->talk = site_connect (links->a, links->b, links->b);
  links_send (links, links->talk, 100);
  world_run (links->world, 5 * SQX_SECOND);
  links->weather.cut = FALSE;
  links_finish (links, 5 * SQX_SECOND);
  links_check (links);
}

/* Another application is refused, by the side that learns of it first, and by name. */
static void
test_applications (Links        *links,
                   gconstpointer data)
{
  links->config_a.connection.application_id = "org.example.One";
  links->config_b.connection.application_id = "org.example.Two";
  links_open (links);
  for (guint known = 0; known < 2; known++)
    {
      links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
      links_send (links, links->talk, 100);
      g_assert_cmpuint (links_all_fail (links, SQX_ERR_APPLICATION_MISMATCH, SQX_SECOND), <=,
                        100 * MS);
      g_assert_cmpuint (links->talk->closing.code, ==, SQX_CLOSE_APPLICATION_MISMATCH);
      g_assert_nonnull (strstr (links->talk->closing.reason_text, "\"org.example.One\""));
      g_assert_nonnull (strstr (links->talk->closing.reason_text, "\"org.example.Two\""));
      g_assert_cmpint (links->talk->closing.by_peer, ==, known);
    }
  world_run (links->world, SQX_HALF_OPEN_LIFE);
  g_assert_cmpuint (links->b->accepted->len, ==, 0);
}

/* Versions -------------------------------------------------------------------------------- */

static void
inject_version (Links *links,
                guint8 version)
{
  uint32_t id = (uint32_t) links->talk->conn->attachment.handshake.node.key;
  guint8 packet[6] = { SQX_PACKET_VERSION, id >> 24, id >> 16, id >> 8, id, version };

  world_inject (links->world, &links->b->address, &links->a->address, packet, sizeof packet);
}

static void
test_version (Links        *links,
              gconstpointer data)
{
  links_open (links);
  links->talk = site_connect (links->a, links->b, NULL);
  links->weather.cut = TRUE;
  world_flush (links->world);
  links->weather.cut = FALSE;
  links->weather.drop_type = SQX_PACKET_INIT;
  links->weather.drop_next = 100;
  links_send (links, links->talk, 100);
  inject_version (links, 7);
  g_assert_cmpuint (links_all_fail (links, SQX_ERR_VERSION, 20 * SQX_SECOND), <=, 600 * MS);
  g_assert_cmpint (links->talk->closing.error, ==, SQX_ERR_VERSION);
  g_assert_cmpstr (links->talk->closing.reason_text, ==,
                   "the peer speaks version 7 of the protocol, this side version 1");
}

/* Anybody can say that: an ACCEPT that comes in time counts more. */
static void
test_forged_version (Links        *links,
                     gconstpointer data)
{
  links_open (links);
  links->talk = site_connect (links->a, links->b, NULL);
  inject_version (links, 7);
  world_flush (links->world);
  links_send (links, links->talk, 100);
  links_finish (links, SQX_SECOND);
  links_check (links);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

#define ADD(name, func) \
  g_test_add ("/seqex/secure/" name, Links, NULL, links_set_up, func, links_tear_down)
#define ADD_DATA(name, data, func) \
  g_test_add ("/seqex/secure/" name, Links, GINT_TO_POINTER (data), links_set_up, func, \
              links_tear_down)
  ADD ("round-trips", test_round_trips);
  ADD ("ciphers", test_ciphers);
  ADD ("overtaken-ready", test_overtaken_ready);
  ADD ("lost-packets", test_lost_packets);
  ADD ("shuffled", test_shuffled);
  ADD_DATA ("lossy/unknown", FALSE, test_lossy);
  ADD_DATA ("lossy/known", TRUE, test_lossy);
  ADD_DATA ("long-way/unknown", FALSE, test_long_way);
  ADD_DATA ("long-way/known", TRUE, test_long_way);
  ADD_DATA ("transfer/loss", FALSE, test_transfer);
  ADD_DATA ("transfer/blackout", TRUE, test_transfer);
  ADD ("wrong-key", test_wrong_key);
  ADD ("slow-key", test_slow_key);
  ADD ("applications", test_applications);
  ADD ("version", test_version);
  ADD ("forged-version", test_forged_version);
  return g_test_run ();
}
