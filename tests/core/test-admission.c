/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What strangers cost: floods, limits, and answers for which nothing is kept.
 */
#include <glib.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "endpoints.h"
#include "sqx-endpoint-private.h"
#include "sqx-util.h"
#include "sqx-wire-secure.h"

/* What the core and its cryptography hold. */
static gint64 held;
static guint64 allocations;

void *__real_malloc  (size_t size);
void *__real_calloc  (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void  __real_free    (void *block);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);
void  __wrap_free    (void *block);

static void *
count_in (void *block)
{
  held += block ? (gint64) malloc_usable_size (block) : 0;
  allocations++;
  return block;
}

static void
count_out (void *block)
{
  held -= block ? (gint64) malloc_usable_size (block) : 0;
}

void *
__wrap_malloc (size_t size)
{
  return count_in (__real_malloc (size));
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  return count_in (__real_calloc (count, size));
}

void *
__wrap_realloc (void  *block,
                size_t size)
{
  count_out (block);
  return count_in (__real_realloc (block, size));
}

void
__wrap_free (void *block)
{
  count_out (block);
  __real_free (block);
}

typedef struct
{
  World *world;
  Site  *a, *b;
  sqx_endpoint_config config_a, config_b;
  guint64 in, out, answers; /* bytes and packets of offer() */
  guint8 last[2048];        /* the last answer */
  gsize  last_size;
} Two;

static void
set_up (Two          *two,
        gconstpointer data)
{
  two->world = world_new ();
  two->a = site_new (two->world, 1);
  two->b = site_new (two->world, 2);
  site_config_secure (two->a, &two->config_a);
  site_config_secure (two->b, &two->config_b);
}

static void
tear_down (Two          *two,
           gconstpointer data)
{
  world_free (two->world);
}

static void
open_both (Two *two)
{
  site_open (two->a, &two->config_a);
  site_open (two->b, &two->config_b);
}

static const sqx_endpoint_counters *
counters (Site *site)
{
  return sqx_endpoint_counters_get (site->endpoint);
}

/* Gives @data to b, and takes what it answers. */
static void
offer (Two               *two,
       const sqx_address *from,
       const void        *data,
       gsize              size)
{
  guint8 copy[2048];
  sqx_address to;
  size_t answer;

  memcpy (copy, data, size);
  g_assert_true (sqx_endpoint_handle_datagram (two->b->endpoint, two->world->now, from, copy,
                                               size));
  two->in += size;
  while ((answer = sqx_endpoint_poll_transmit (two->b->endpoint, two->world->now, &to, two->last,
                                               sizeof two->last)) > 0)
    {
      g_assert_true (sqx_address_equal (&to, from));
      two->out += answer;
      two->last_size = answer;
      two->answers++;
    }
}

/* An INIT of a stranger, with a random message of @size bytes. */
static void
make_init (guint8  init[SQX_INIT_MIN],
           guint   number,
           guint8  pattern,
           gsize   size)
{
  sqx_writer writer = { init, 0, SQX_INIT_MIN };

  memset (init, 0, SQX_INIT_MIN);
  g_assert_true (sqx_write_init (&writer, number, pattern, NULL, size));
  for (gsize i = 0; i < size; i++)
    init[writer.size + i] = (guint8) g_test_rand_int ();
}

static sqx_address
stranger (guint number)
{
  sqx_address address = { .host_size = 4, .port = (guint16) number };

  sqx_put_be32 (address.host, number | 0x80000000u);
  return address;
}

/* Floods --------------------------------------------------------------------------------- */

static void
test_flood (Two          *two,
            gconstpointer data)
{
  guint total = g_test_slow () ? 10000000 : 100000;
  gint64 before = 0;
  guint64 calls = 0, start = 0;
  guint8 init[SQX_INIT_MIN];

  open_both (two);
  for (guint i = 0; i < total; i++)
    {
      sqx_address from = stranger (i);

      if (i == 1000)
        {
          before = held;
          calls = allocations;
          start = two->answers;
        }
      make_init (init, i, 1, 32);
      offer (two, &from, init, sizeof init);
      /* Those that were read come and go. */
      if (i > 1000 && two->world->now < 5 * SQX_SECOND)
        {
          g_assert_cmpint (held, ==, before);
          g_assert_cmpuint (allocations, ==, calls);
        }
      two->world->now += 10;
    }
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, SQX_RETRY_THRESHOLD);
  g_assert_cmpint (held, ==, before);
  g_assert_cmpuint (two->answers - start, ==, total - 1000);
  g_assert_cmpuint (counters (two->b)->handshake_retried, ==, total - SQX_RETRY_THRESHOLD);
  g_assert_cmpuint (two->out, <, two->in / 20);
  world_run (two->world, 11 * SQX_SECOND);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

/* One who is honest gets in all the same, in two seconds. */
static void
test_honest (Two          *two,
             gconstpointer data)
{
  guint8 init[SQX_INIT_MIN], other[1200] = { 0 };
  Talk *talk;

  open_both (two);
  for (guint i = 0; i < 200; i++)
    {
      sqx_address from = stranger (i);

      make_init (init, i, 1, 32);
      offer (two, &from, init, sizeof init);
    }
  talk = site_connect (two->a, two->b, NULL);
  for (guint i = 0; i < 2000 && talk->connected == 0; i++)
    {
      for (guint j = 0; j < 50; j++)
        {
          sqx_address from = stranger (1000 + i * 50 + j);
          guint64 now = two->world->now;

          make_init (init, i, j % 2 ? 1 : 2, j % 2 ? 32 : 200);
          sqx_endpoint_handle_datagram (two->b->endpoint, now, &from, init, sizeof init);
          other[0] = (guint8) g_test_rand_int_range (4, 16);
          sqx_endpoint_handle_datagram (two->b->endpoint, now, &from, other, sizeof other);
        }
      world_run (two->world, SQX_MILLISECOND);
    }
  g_assert_cmpuint (talk->connected, ==, 1);
}

/* Reading INIT costs much; what cannot be read is not read often, and not kept. */
static void
test_garbage_handshakes (Two          *two,
                         gconstpointer data)
{
  guint8 init[SQX_INIT_MIN];
  gint64 before;

  open_both (two);
  before = held;
  for (guint i = 0; i < 5000; i++)
    {
      sqx_address from = stranger (i);

      make_init (init, i, 2, 300);
      offer (two, &from, init, sizeof init);
      two->world->now += 100;
    }
  g_assert_cmpint (held, ==, before);
  g_assert_cmpuint (counters (two->b)->handshake_failed, >=, SQX_UNPROVEN_BURST);
  g_assert_cmpuint (counters (two->b)->handshake_failed, <=,
                    SQX_UNPROVEN_BURST + SQX_UNPROVEN_RATE / 2 + 1);
  g_assert_cmpuint (two->out, <, two->in / 20);
}

/* Limits --------------------------------------------------------------------------------- */

static gboolean
drop_type (World   *world,
           Flight  *flight,
           gpointer data)
{
  return flight->data[0] != GPOINTER_TO_UINT (data);
}

/* With a real return path: few for each host; the oldest goes, if it had time to finish. */
static void
test_host_limit (Two          *two,
                 gconstpointer data)
{
  open_both (two);
  two->world->filter = drop_type;
  two->world->filter_data = GUINT_TO_POINTER (SQX_PACKET_ACCEPT);
  for (guint i = 0; i < 12; i++)
    {
      site_connect (two->a, two->b, i % 2 ? two->b : NULL);
      world_run (two->world, 30 * SQX_MILLISECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==,
                        MIN (i + 1, SQX_HALF_OPEN_HOST_DEFAULT));
    }
  g_assert_cmpuint (counters (two->b)->half_open_full, ==, 0);
  g_assert_cmpuint (counters (two->b)->host_full, ==, 8);
  g_assert_cmpuint (counters (two->b)->handshake_retried, ==, 8);
  for (guint i = 0; i < 50; i++)
    {
      world_run (two->world, 100 * SQX_MILLISECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==,
                        SQX_HALF_OPEN_HOST_DEFAULT);
    }
  /* Only who proved where it is pushed another out. */
  g_assert_cmpuint (counters (two->b)->half_open_full, >=, 8);
  world_run (two->world, 30 * SQX_SECOND);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

/* A crowd behind one address: each gets its turn. */
static void
test_crowd (Two          *two,
            gconstpointer data)
{
  const guint n = 30;

  open_both (two);
  two->world->latency = 50 * SQX_MILLISECOND;
  for (guint i = 0; i < n; i++)
    site_connect (two->a, two->b, i % 2 ? two->b : NULL);
  world_run (two->world, 10 * SQX_SECOND);
  g_assert_cmpuint (two->b->accepted->len, >=, n);
  for (guint i = 0; i < n; i++)
    {
      Talk *talk = g_ptr_array_index (two->a->talks, i);

      g_assert_cmpint (sqx_conn_state (talk->conn), ==, SQX_STATE_CONNECTED);
    }
}

static void
test_limit (Two          *two,
            gconstpointer data)
{
  two->config_b.max_half_open = 5;
  two->config_b.retry_threshold = 100;
  open_both (two);
  two->world->filter = drop_type;
  two->world->filter_data = GUINT_TO_POINTER (SQX_PACKET_ACCEPT);
  for (guint i = 0; i < 9; i++)
    {
      Site *site = site_new (two->world, 10 + i);
      sqx_endpoint_config config;

      site_config_secure (site, &config);
      site_open (site, &config);
      site_connect (site, two->b, two->b);
      world_run (two->world, 50 * SQX_MILLISECOND);
      g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, MIN (i + 1, 5));
    }
  g_assert_cmpuint (counters (two->b)->half_open_full, ==, 4);
  g_assert_cmpuint (counters (two->b)->handshake_retried, ==, 4);
}

/* Cookies -------------------------------------------------------------------------------- */

static gboolean
record_cookie (World   *world,
               Flight  *flight,
               gpointer data)
{
  GByteArray *init = data;

  if (flight->data[0] == SQX_PACKET_INIT && flight->data[7] == SQX_COOKIE_SIZE && init->len == 0)
    g_byte_array_append (init, flight->data, (guint) flight->size);
  return TRUE;
}

static void
test_retry (Two          *two,
            gconstpointer data)
{
  g_autoptr (GByteArray) init = g_byte_array_new ();
  sqx_address elsewhere = world_address (1, 4001);
  Talk *talk;
  guint retried;

  two->config_b.retry_threshold = 0;
  open_both (two);
  two->world->filter = record_cookie;
  two->world->filter_data = init;
  talk = site_connect (two->a, two->b, NULL);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
  g_assert_cmpuint (counters (two->b)->handshake_retried, ==, 1);
  g_assert_cmpuint (counters (two->b)->bad_cookie, ==, 0);
  g_assert_cmpuint (init->len, ==, SQX_INIT_MIN);

  /* The cookie holds for that address alone, as it is, and for a while. */
  offer (two, &elsewhere, init->data, init->len);
  g_assert_cmpuint (counters (two->b)->bad_cookie, ==, 1);
  g_assert_cmpuint (two->last[0], ==, SQX_PACKET_RETRY);
  init->data[8 + 5] ^= 1;
  offer (two, &two->a->address, init->data, init->len);
  g_assert_cmpuint (counters (two->b)->bad_cookie, ==, 2);
  init->data[8 + 5] ^= 1;
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
  offer (two, &two->a->address, init->data, init->len);
  g_assert_cmpuint (counters (two->b)->bad_cookie, ==, 2);
  g_assert_cmpuint (two->last[0], ==, SQX_PACKET_ACCEPT);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 1);
  retried = (guint) counters (two->b)->handshake_retried;
  world_run (two->world, 2 * SQX_COOKIE_LIFE);
  offer (two, &two->a->address, init->data, init->len);
  g_assert_cmpuint (counters (two->b)->bad_cookie, ==, 3);
  g_assert_cmpuint (counters (two->b)->handshake_retried, ==, retried + 1);
}

/* The same INIT again gets the same ACCEPT, and makes no second handshake. */
static void
test_repeated (Two          *two,
               gconstpointer data)
{
  guint8 init[SQX_INIT_MIN], accept[SQX_INIT_MIN];

  open_both (two);
  make_init (init, 1, 1, 32);
  offer (two, &two->a->address, init, sizeof init);
  g_assert_cmpuint (two->last[0], ==, SQX_PACKET_ACCEPT);
  g_assert_cmpuint (two->last_size, ==, sizeof accept);
  memcpy (accept, two->last, sizeof accept);
  memset (two->last, 0, sizeof two->last);
  offer (two, &two->a->address, init, sizeof init);
  g_assert_cmpmem (two->last, two->last_size, accept, sizeof accept);
  g_assert_cmpuint (two->answers, ==, 2);
  g_assert_cmpuint (counters (two->b)->handshake_repeated, ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 1);
  world_run (two->world, SQX_HALF_OPEN_LIFE);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
  offer (two, &two->a->address, init, sizeof init);
  g_assert_cmpuint (counters (two->b)->handshake_repeated, ==, 1);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 1);
}

/* Answers for which nothing is kept ------------------------------------------------------- */

static void
test_version (Two          *two,
              gconstpointer data)
{
  guint8 init[SQX_INIT_MIN];
  sqx_address other = world_address (77, 1);

  open_both (two);
  make_init (init, 0x01020304, 1, 32);
  offer (two, &two->a->address, init, SQX_INIT_MIN - 1);
  g_assert_cmpuint (counters (two->b)->malformed, ==, 1);
  init[1] = SQX_VERSION + 1;
  offer (two, &two->a->address, init, SQX_INIT_MIN - 1);
  g_assert_cmpuint (counters (two->b)->malformed, ==, 2);
  g_assert_cmpuint (two->answers, ==, 0);
  offer (two, &two->a->address, init, sizeof init);
  g_assert_cmpuint (two->answers, ==, 1);
  g_assert_cmpmem (two->last, two->last_size, "\x0b\1\2\3\4\1", 6);
  for (guint i = 1; i < SQX_ANSWER_BURST + 10; i++)
    {
      sqx_address from = world_address (1, 5000 + i);

      offer (two, &from, init, sizeof init);
    }
  g_assert_cmpuint (two->answers, ==, SQX_ANSWER_BURST);
  g_assert_cmpuint (counters (two->b)->answer_limited, ==, 10);
  /* Another host has answers of its own, and this one again after a while. */
  offer (two, &other, init, sizeof init);
  two->world->now += SQX_SECOND;
  offer (two, &two->a->address, init, sizeof init);
  g_assert_cmpuint (two->answers, ==, SQX_ANSWER_BURST + 2);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

static void
test_reset (Two          *two,
            gconstpointer data)
{
  guint8 packet[64] = "\x09\1\2\3\4\5\6\7\x08";
  Talk *talk;

  open_both (two);
  for (guint size = 1; size <= SQX_DATA_HEADER + SQX_TAG_SIZE; size++)
    offer (two, &two->a->address, packet, size);
  g_assert_cmpuint (two->answers, ==, 0);
  offer (two, &two->a->address, packet, SQX_DATA_HEADER + SQX_TAG_SIZE + 1);
  g_assert_cmpuint (two->answers, ==, 1);
  g_assert_cmpmem (two->last, two->last_size, "\x0a\1\2\3\4\5\6\7\x08", 9);
  /* Nothing else of an unknown id is answered, RESET least of all. */
  for (guint8 type = SQX_PACKET_ACCEPT; type <= SQX_PACKET_VERSION; type++)
    if ((type & ~1) != SQX_PACKET_DATA)
      {
        packet[0] = type;
        offer (two, &two->a->address, packet, sizeof packet);
      }
  g_assert_cmpuint (two->answers, ==, 1);

  /* A peer that has forgotten everything is found out at once, not by silence. */
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->connected, ==, 1);
  site_close (two->b);
  g_ptr_array_set_size (two->b->accepted, 0);
  site_open (two->b, &two->config_b);
  talk_send (talk, 10);
  world_run (two->world, 3 * SQX_SECOND);
  g_assert_true (talk->closed);
  g_assert_cmpuint (talk->failed, ==, 1);
}

/* The same after the peer moved to another address. */
static void
test_reset_moved (Two          *two,
                  gconstpointer data)
{
  Talk *talk;

  open_both (two);
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  two->b->address = world_address (20, 20);
  talk_send (site_accepted (two->b, 0), 10);
  world_run (two->world, 3 * SQX_SECOND);
  g_assert_cmpuint (site_accepted (two->b, 0)->replies, ==, 1);
  g_assert_true (sqx_address_equal (sqx_conn_address (talk->conn), &two->b->address));
  talk_send (talk, 10);
  world_run (two->world, 3 * SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 1);
  site_close (two->b);
  g_ptr_array_set_size (two->b->accepted, 0);
  site_open (two->b, &two->config_b);
  talk_send (talk, 10);
  world_run (two->world, 3 * SQX_SECOND);
  g_assert_true (talk->closed);
}

/* A thousand connections between two endpoints, which then cost nothing while they are idle. */
static void
test_many (Two          *two,
           gconstpointer data)
{
  static Talk *talks[1000];
  gint64 before;
  guint64 sent, polled;

  two->config_b.max_half_open = two->config_b.max_half_open_per_host = 1000;
  open_both (two);
  before = held;
  for (guint i = 0; i < 1000; i++)
    talks[i] = site_connect (two->a, two->b, i % 2 ? two->b : NULL);
  world_run (two->world, 5 * SQX_SECOND);
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < 1000; i++)
        g_assert_cmpint (talk_send (talks[i], 100), ==, SQX_OK);
      world_run (two->world, 5 * SQX_SECOND);
    }
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpuint (talks[i]->replies, ==, 3);
  g_assert_cmpuint (two->b->accepted->len, ==, 1000);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);

  world_run (two->world, 60 * SQX_SECOND);
  g_test_message ("%" G_GINT64_FORMAT " bytes for each idle connection", (held - before) / 2000);
  g_assert_cmpint (held - before, <, 2000 * 8192);
  g_assert_cmpuint (sqx_endpoint_next_timeout (two->a->endpoint), ==, SQX_TIME_NEVER);
  sent = two->a->sent + two->b->sent;
  polled = two->a->polled + two->b->polled;
  talk_send (talks[500], 10);
  world_run (two->world, 60 * SQX_SECOND);
  g_assert_cmpuint (two->a->sent + two->b->sent - sent, <, 10);
  g_assert_cmpuint (two->a->polled + two->b->polled - polled, <, 20);
}

/* A forged RESET costs a packet, and no connection. */
static void
test_forged_reset (Two          *two,
                   gconstpointer data)
{
  Talk *talk;
  guint64 sent;

  open_both (two);
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  talk_send (talk, 10);
  world_run (two->world, SQX_SECOND);
  sent = two->a->sent + two->b->sent;
  for (guint i = 0; i < 1000; i++)
    {
      guint8 reset[9] = { SQX_PACKET_RESET };
      sqx_address from = i % 2 ? two->b->address : world_address (9, i);

      sqx_put_be32 (reset + 1, (guint32) g_test_rand_int ());
      sqx_put_be32 (reset + 5, i % 10);
      world_inject (two->world, &from, &two->a->address, reset, 9);
    }
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (counters (two->a)->unknown_id, ==, 1000);
  g_assert_cmpuint (two->a->sent + two->b->sent, ==, sent);
  talk_send (talk, 10);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 2);
}

/* Whatever comes in, nothing changes but counters. */
static void
test_noise (Two          *two,
            gconstpointer data)
{
  Talk *talk;

  open_both (two);
  talk = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  for (guint i = 0; i < 20000; i++)
    {
      guint8 bytes[1300];
      gsize size = (gsize) g_test_rand_int_range (1, i % 8 == 0 ? sizeof bytes : 64);

      for (gsize j = 0; j < size; j++)
        bytes[j] = (guint8) g_test_rand_int ();
      bytes[0] = (guint8) (4 + i % 12);
      world_inject (two->world, &two->a->address, &two->b->address, bytes, size);
      world_inject (two->world, &two->b->address, &two->a->address, bytes, size);
      if (i % 100 == 0)
        world_run (two->world, SQX_MILLISECOND);
    }
  world_run (two->world, SQX_SECOND);
  talk_send (talk, 10);
  world_run (two->world, SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 1);
  g_assert_cmpuint (two->b->accepted->len, ==, 1);
  world_run (two->world, SQX_HALF_OPEN_LIFE);
  g_assert_cmpuint (sqx_endpoint_n_half_open (two->b->endpoint), ==, 0);
}

/* The route changed: whoever has something open asks after its peer at once. */
static void
test_network_changed (Two          *two,
                      gconstpointer data)
{
  Talk *busy, *idle;
  guint64 sent;

  open_both (two);
  busy = site_connect (two->a, two->b, two->b);
  idle = site_connect (two->a, two->b, two->b);
  world_run (two->world, SQX_SECOND);
  site_accepted (two->b, 0)->mute = site_accepted (two->b, 1)->mute = TRUE;
  talk_send (busy, 10);
  world_run (two->world, SQX_SECOND);
  sent = two->a->sent;
  sqx_endpoint_handle_network_changed (two->a->endpoint, two->world->now);
  world_flush (two->world);
  g_assert_cmpuint (two->a->sent, ==, sent + 1);
  g_assert_nonnull (idle->conn);
}

#define ADD(path, func) g_test_add ("/seqex/admission/" path, Two, NULL, set_up, func, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("flood", test_flood);
  ADD ("honest", test_honest);
  ADD ("garbage-handshakes", test_garbage_handshakes);
  ADD ("host-limit", test_host_limit);
  ADD ("crowd", test_crowd);
  ADD ("limit", test_limit);
  ADD ("retry", test_retry);
  ADD ("repeated", test_repeated);
  ADD ("version", test_version);
  ADD ("reset", test_reset);
  ADD ("reset-moved", test_reset_moved);
  ADD ("forged-reset", test_forged_reset);
  ADD ("many", test_many);
  ADD ("noise", test_noise);
  ADD ("network-changed", test_network_changed);
  return g_test_run ();
}
