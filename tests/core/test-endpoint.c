/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint as the host of PLAIN connections.
 */
#include <glib.h>
#include <string.h>

#include "endpoints.h"
#include "fail-alloc.h"

/* Counts of what connections were asked, since the last reset. */
static guint64 transmits, timeouts;

size_t __real_sqx_conn_poll_transmit (sqx_conn *conn, uint64_t now, uint8_t *buffer,
                                       size_t capacity);
size_t __wrap_sqx_conn_poll_transmit (sqx_conn *conn, uint64_t now, uint8_t *buffer,
                                       size_t capacity);
void   __real_sqx_conn_handle_timeout (sqx_conn *conn, uint64_t now);
void   __wrap_sqx_conn_handle_timeout (sqx_conn *conn, uint64_t now);

size_t
__wrap_sqx_conn_poll_transmit (sqx_conn *conn,
                               uint64_t  now,
                               uint8_t  *buffer,
                               size_t    capacity)
{
  transmits++;
  return __real_sqx_conn_poll_transmit (conn, now, buffer, capacity);
}

void
__wrap_sqx_conn_handle_timeout (sqx_conn *conn,
                                uint64_t  now)
{
  timeouts++;
  __real_sqx_conn_handle_timeout (conn, now);
}

/* Two sites with an endpoint each. */
static World *
two_sites (Site **a,
           Site **b)
{
  World *world = world_new ();

  *a = site_new (world, 1);
  *b = site_new (world, 2);
  site_open (*a, NULL);
  site_open (*b, NULL);
  return world;
}

static void
test_config (void)
{
  World *world = world_new ();
  Site *site = site_new (world, 1);
  sqx_endpoint_config config;

  site_config (site, &config);
  config.connection.random = NULL;
  g_assert_null (sqx_endpoint_new (&config, 0));
  site_config (site, &config);
  config.cipher = 3;
  g_assert_null (sqx_endpoint_new (&config, 0));
  site_config (site, &config);
  config.max_half_open = 0;
  g_assert_null (sqx_endpoint_new (&config, 0));
  config.max_half_open = SQX_HALF_OPEN_MAX + 1;
  g_assert_null (sqx_endpoint_new (&config, 0));
  site_config (site, &config);
  config.max_half_open_per_host = 0;
  g_assert_null (sqx_endpoint_new (&config, 0));
  site_config (site, &config);
  config.max_connections = SQX_CONNECTIONS_MAX + 1;
  g_assert_null (sqx_endpoint_new (&config, 0));
  sqx_endpoint_free (NULL);
  world_free (world);
}

static void
test_exchange (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  Talk *talk = site_add_plain (a, 1, &b->address), *other = site_add_plain (b, 1, &a->address);

  g_assert_cmpuint (sqx_endpoint_n_connections (a->endpoint), ==, 1);
  g_assert_cmpint (talk_send (talk, 100), ==, SQX_OK);
  g_assert_cmpint (talk_send (other, 20000), ==, SQX_OK);
  world_run (world, SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 1);
  g_assert_cmpuint (talk->messages, ==, 1);
  g_assert_cmpuint (talk->connected, ==, 1);
  g_assert_cmpuint (other->replies, ==, 1);
  g_assert_cmpuint (other->messages, ==, 1);
  talk_free_conn (talk);
  g_assert_cmpuint (sqx_endpoint_n_connections (a->endpoint), ==, 0);
  world_free (world);
}

static const sqx_address no_address = { .host_size = 0 };

/* Between two sites that know no addresses. */
static gboolean
direct (World   *world,
        Flight  *flight,
        gpointer data)
{
  Site *a = g_ptr_array_index (world->sites, 0), *b = g_ptr_array_index (world->sites, 1);

  g_assert_true (sqx_address_equal (&flight->to, &no_address));
  flight->to = sqx_address_equal (&flight->from, &a->address) ? b->address : a->address;
  flight->from = no_address;
  return TRUE;
}

static void
test_no_address (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  Talk *talk = site_add_plain (a, 0, &no_address);

  site_add_plain (b, 0, &no_address);
  world->filter = direct;
  g_assert_cmpint (talk_send (talk, 5), ==, SQX_OK);
  world_run (world, SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 1);
  world_free (world);
}

/* One connection for each instance and address, and no other gets its datagrams. */
static void
test_lookup (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  sqx_address elsewhere = world_address (2, 4001), third = world_address (3, 4000);
  Talk *talks[3], *others[3];

  for (guint i = 0; i < 3; i++)
    {
      talks[i] = site_add_plain (a, i, &b->address);
      others[i] = site_add_plain (b, i, &a->address);
    }
  g_assert_null (site_add_plain (a, 1, &b->address));
  g_assert_nonnull (site_add_plain (a, 1, &elsewhere));
  g_assert_nonnull (site_add_plain (a, 1, &third));
  for (guint i = 0; i < 3; i++)
    for (guint j = 0; j <= i; j++)
      g_assert_cmpint (talk_send (talks[i], 10), ==, SQX_OK);
  world_run (world, SQX_SECOND);
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpuint (talks[i]->replies, ==, i + 1);
      g_assert_cmpuint (others[i]->messages, ==, i + 1);
    }

  /* What was freed is not found any more, and may come again. */
  talk_free_conn (talks[1]);
  talks[1] = site_add_plain (a, 1, &b->address);
  g_assert_nonnull (talks[1]);
  g_assert_cmpint (talk_send (talks[1], 10), ==, SQX_OK);
  world_run (world, SQX_SECOND);
  g_assert_cmpuint (talks[1]->replies, ==, 1);
  world_free (world);
}

static void
handle (Site              *site,
        const sqx_address *from,
        const char        *bytes,
        gsize              size,
        gboolean           ours)
{
  g_autofree guint8 *data = g_memdup2 (bytes, size);

  g_assert_true (sqx_endpoint_handle_datagram (site->endpoint, 0, from, data, size) == ours);
  if (!ours && size > 0)
    g_assert_cmpmem (data, size, bytes, size);
}

static void
test_foreign (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  const sqx_endpoint_counters *counters = sqx_endpoint_counters_get (a->endpoint);
  static const char plain[] = "\x0c\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\1";

  site_add_plain (a, 1, &b->address);
  handle (a, &b->address, "", 0, FALSE);
  handle (a, &b->address, "\x03zzz", 4, FALSE);
  handle (a, &b->address, "\x10zzz", 4, FALSE);
  g_assert_cmpuint (counters->unknown_type, ==, 0);
  for (char type = 0x0d; type <= 0x0f; type++)
    handle (a, &b->address, (char[]) { type, 0 }, 2, TRUE);
  g_assert_cmpuint (counters->unknown_type, ==, 3);
  handle (a, &b->address, plain, 16, TRUE);
  g_assert_cmpuint (counters->truncated, ==, 1);
  handle (a, &a->address, plain, sizeof plain - 1, TRUE);
  g_assert_cmpuint (counters->unknown_plain, ==, 1);
  handle (a, &b->address, plain, sizeof plain - 1, TRUE);
  g_assert_cmpuint (counters->unknown_plain, ==, 1);
  world_free (world);
}

static void
test_unreachable (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  sqx_address elsewhere = world_address (3, 4000);
  Talk *first = site_add_plain (a, 1, &b->address), *second = site_add_plain (a, 2, &b->address);
  Talk *third = site_add_plain (a, 2, &elsewhere);

  talk_send (first, 1);
  talk_send (second, 1);
  talk_send (third, 1);
  world_flush (world);
  sqx_endpoint_handle_unreachable (a->endpoint, world->now, &b->address);
  world_run (world, SQX_UNREACHABLE_DEFAULT);
  g_assert_true (first->closed);
  g_assert_cmpint (first->closing.error, ==, SQX_ERR_UNREACHABLE);
  g_assert_true (second->closed);
  g_assert_false (third->closed);
  world_free (world);
}

/* Connections send in turns, so that none waits for all that another has. */
static void
test_turns (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  sqx_address to;
  Talk *talks[3];
  guint in_row = 0, longest = 0, turns = 0, before = 0;
  guint32 instance, last = G_MAXUINT32;
  guint8 buffer[2048];
  size_t size;

  /* On a short path the window is large. */
  world->latency = 100;
  for (guint i = 0; i < 3; i++)
    {
      talks[i] = site_add_plain (a, i, &b->address);
      site_add_plain (b, i, &a->address);
      talk_send (talks[i], 1);
    }
  world_run (world, SQX_SECOND);
  for (guint i = 0; i < 3; i++)
    talk_send (talks[i], 60000);
  while ((size = sqx_endpoint_poll_transmit (a->endpoint, world->now, &to, buffer,
                                             sizeof buffer)) > 0)
    {
      g_assert_true (sqx_peek_instance (buffer, size, &instance));
      in_row = instance == last ? in_row + 1 : 1;
      turns += in_row == 1;
      longest = MAX (longest, in_row);
      last = instance;
      if (turns == 7)
        g_assert_cmpuint (in_row, <=, 5);
      if (turns == 9 && in_row == 1)
        g_assert_cmpuint (before, ==, SQX_TRANSMIT_TURN);
      before = in_row;
      /* The one whose turn it is goes away: the next has a whole turn. */
      if (turns == 7 && in_row == 5)
        talk_free_conn (talks[instance]);
    }
  g_assert_cmpuint (longest, ==, SQX_TRANSMIT_TURN);
  g_assert_cmpuint (turns, >=, 10);
  world_free (world);
}

/* Whoever is idle is not even looked at. */
static void
test_idle_cost (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  Talk *talk = NULL;
  guint64 polled;

  for (guint i = 0; i < 10000; i++)
    {
      talk = site_add_plain (a, i, &b->address);
      g_assert_nonnull (talk);
    }
  site_add_plain (b, 9999, &a->address);
  world_run (world, SQX_SECOND);
  g_assert_cmpuint (sqx_endpoint_next_timeout (a->endpoint), ==, SQX_TIME_NEVER);

  transmits = timeouts = 0;
  polled = a->polled;
  for (guint i = 0; i < 1000; i++)
    {
      guint8 buffer[2048];
      sqx_address to;

      sqx_endpoint_handle_timeout (a->endpoint, world->now);
      g_assert_cmpuint (sqx_endpoint_poll_transmit (a->endpoint, world->now, &to, buffer,
                                                    sizeof buffer), ==, 0);
      g_assert_null (sqx_endpoint_poll_conn (a->endpoint));
    }
  g_assert_cmpuint (transmits, ==, 0);
  g_assert_cmpuint (timeouts, ==, 0);

  /* One that talks does not wake the others. */
  talk_send (talk, 100);
  world_run (world, 60 * SQX_SECOND);
  g_assert_cmpuint (talk->replies, ==, 1);
  g_assert_cmpuint (transmits, <, 100);
  g_assert_cmpuint (timeouts, <, 100);
  g_assert_cmpuint (a->polled - polled, <, 100);
  world_free (world);
}

/* Each deadline is met at its instant, whichever connection has it. */
static void
test_deadlines (void)
{
  World *world = world_new ();
  Site *a = site_new (world, 1);
  Talk *talks[100];

  site_open (a, NULL);
  for (guint i = 0; i < 100; i++)
    {
      sqx_address peer = world_address (10 + i, 1);

      talks[i] = site_add_plain (a, 0, &peer);
      sqx_conn_set_idle_timeout (talks[i]->conn, world->now, (1 + (i * 37) % 100) * SQX_SECOND);
      talk_send (talks[i], 1);
    }
  for (guint second = 1; second <= 100; second++)
    {
      guint closed = 0;

      world_run (world, SQX_SECOND);
      for (guint i = 0; i < 100; i++)
        closed += talks[i]->closed;
      g_assert_cmpuint (closed, ==, second);
    }
  g_assert_cmpuint (sqx_endpoint_next_timeout (a->endpoint), ==, SQX_TIME_NEVER);
  world_free (world);
}

/* A command asks for the connection to be polled, also when all that it causes is an event. */
static void
test_touched (void)
{
  Site *a, *b;
  World *world = two_sites (&a, &b);
  Talk *talk = site_add_plain (a, 1, &b->address), *other = site_add_plain (b, 1, &a->address);
  sqx_message message;

  world_run (world, SQX_SECOND);
  g_assert_null (sqx_endpoint_poll_conn (b->endpoint));
  g_assert_cmpint (sqx_conn_set_serialized (other->conn, 0, true), ==, SQX_OK);
  g_assert_true (sqx_endpoint_poll_conn (b->endpoint) == other->conn);
  g_assert_null (sqx_endpoint_poll_conn (b->endpoint));
  g_assert_cmpint (sqx_conn_open_channel (other->conn, 3), ==, SQX_OK);
  g_assert_true (sqx_endpoint_poll_conn (b->endpoint) == other->conn);

  other->mute = TRUE;
  for (guint i = 0; i < 2; i++)
    {
      sqx_payload payload = { (const uint8_t *) "x", 1, NULL };

      g_assert_cmpint (sqx_conn_send (talk->conn, world->now, 0, &payload, SQX_MESSAGE_ORDERED,
                                      talk, NULL), ==, SQX_OK);
    }
  world_run (world, SQX_SECOND);
  g_assert_cmpuint (other->messages, ==, 1);
  g_assert_false (sqx_conn_receive (other->conn, world->now, 0, &message));
  sqx_conn_release (other->conn, &(sqx_message_id) { 0, 0, 0 });
  world_flush (world);
  g_assert_cmpuint (other->messages, ==, 2);
  world_free (world);
}

static void
test_no_memory (void)
{
  World *world = world_new ();
  Site *site = site_new (world, 1);
  sqx_address peer = world_address (2, 1);
  sqx_conn *conn = NULL;
  guint n;

  site_config (site, &site->config);
  for (n = 0; n < 100 && site->endpoint == NULL; n++)
    {
      fail_after = n;
      fail_count = 1;
      site->endpoint = sqx_endpoint_new (&site->config, 0);
      fail_count = fail_after = 0;
    }
  g_assert_cmpuint (n, ==, 6);
  for (n = 0; conn == NULL; n++)
    {
      fail_after = n;
      fail_count = 1;
      conn = sqx_endpoint_add_plain (site->endpoint, 0, &site->config.connection, &peer, site);
      fail_count = fail_after = 0;
      g_assert_cmpuint (sqx_endpoint_n_connections (site->endpoint), ==, conn != NULL);
    }
  g_assert_cmpuint (n, >, 2);
  sqx_conn_free (conn);
  world_free (world);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/endpoint/config", test_config);
  g_test_add_func ("/seqex/endpoint/exchange", test_exchange);
  g_test_add_func ("/seqex/endpoint/no-address", test_no_address);
  g_test_add_func ("/seqex/endpoint/lookup", test_lookup);
  g_test_add_func ("/seqex/endpoint/foreign", test_foreign);
  g_test_add_func ("/seqex/endpoint/unreachable", test_unreachable);
  g_test_add_func ("/seqex/endpoint/turns", test_turns);
  g_test_add_func ("/seqex/endpoint/idle-cost", test_idle_cost);
  g_test_add_func ("/seqex/endpoint/deadlines", test_deadlines);
  g_test_add_func ("/seqex/endpoint/touched", test_touched);
  g_test_add_func ("/seqex/endpoint/no-memory", test_no_memory);
  return g_test_run ();
}
