/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Very many connections between two endpoints of one process, and what they cost.
 *
 *     test-many                the tests
 *     test-many --figures      memory, handshakes and wakes, as lines of text
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "endpoint-util.h"

#include "../sanitized.h"

/* Handshakes that are under way at the same time; all are of one address. */
#define OPENING_MAX 32u
#define CONNECTIONS_MAX 20000u
#define EXCHANGES 100u
#define IDLE (SANITIZED ? 2000u : 10000u)

typedef struct
{
  SeqexEndpoint      *server;
  SeqexEndpoint      *client;
  GSocketConnectable *target;
  gboolean            with_key;
  GPtrArray          *connections; /* the client's ends */
  guint               accepted;
  guint               wanted;
  guint               opening;
} Crowd;

static void
connection_cb (SeqexEndpoint   *endpoint,
               SeqexConnection *connection,
               gpointer         user_data)
{
  Crowd *crowd = user_data;

  g_signal_connect (connection, "message", G_CALLBACK (util_echo_cb), NULL);
  crowd->accepted++;
}

static Crowd *
crowd_new (gboolean with_key)
{
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GError) error = NULL;
  Crowd *crowd = g_new0 (Crowd, 1);

  crowd->server = g_object_new (SEQEX_TYPE_ENDPOINT, "max-connections", CONNECTIONS_MAX,
                                "max-half-open-per-address", 2 * OPENING_MAX, "trust-policy",
                                SEQEX_TRUST_POLICY_ANYONE, NULL);
  seqex_endpoint_bind (crowd->server, address, &error);
  g_assert_no_error (error);
  g_signal_connect (crowd->server, "connection", G_CALLBACK (connection_cb), crowd);
  crowd->client = endpoint_new ();
  crowd->target = endpoint_target (crowd->server);
  crowd->with_key = with_key;
  crowd->connections = g_ptr_array_new_with_free_func (g_object_unref);
  return crowd;
}

static void
crowd_free (Crowd *crowd)
{
  g_autoptr (GError) error = NULL;

  g_ptr_array_unref (crowd->connections);
  endpoint_close (crowd->client, &error);
  g_assert_no_error (error);
  endpoint_close (crowd->server, &error);
  g_assert_no_error (error);
  g_object_unref (crowd->target);
  endpoint_free (crowd->client);
  endpoint_free (crowd->server);
  g_free (crowd);
}

static void open_more (Crowd *crowd);

static void
opened_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  Crowd *crowd = user_data;
  g_autoptr (GError) error = NULL;
  SeqexConnection *connection =
    seqex_endpoint_open_connection_finish (SEQEX_ENDPOINT (source), result, &error);

  g_assert_no_error (error);
  g_ptr_array_add (crowd->connections, connection);
  crowd->opening--;
  open_more (crowd);
}

static void
open_more (Crowd *crowd)
{
  const char *key =
    seqex_identity_get_fingerprint (seqex_endpoint_get_identity (crowd->server));

  while (crowd->opening < OPENING_MAX
         && crowd->connections->len + crowd->opening < crowd->wanted)
    {
      crowd->opening++;
      seqex_endpoint_open_connection_async (crowd->client, crowd->target,
                                            crowd->with_key ? key : NULL, NULL, opened_cb, crowd);
    }
}

/* However long it takes: the runner of the tests has a limit for what hangs. */
static void
crowd_open (Crowd *crowd,
            guint  n)
{
  crowd->wanted = n;
  open_more (crowd);
  while (crowd->connections->len < n || crowd->accepted < n)
    g_main_context_iteration (NULL, TRUE);
}

/* Exchanges ------------------------------------------------------------------------------ */

/* One exchange after another on one connection. */
typedef struct
{
  SeqexConnection *connection;
  guint            number;
  guint            left;
  guint           *running;
} Talk;

static void
talk_payload (Talk *talk,
              char  text[static 32])
{
  g_snprintf (text, 32, "%u of %u", talk->left, talk->number);
}

static void talk_next (Talk *talk);

static void
replied_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Talk *talk = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  char text[32];

  reply = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, &error);
  g_assert_no_error (error);
  talk_payload (talk, text);
  util_assert_text (reply, text);
  talk->left--;
  talk_next (talk);
}

static void
talk_next (Talk *talk)
{
  g_autoptr (GBytes) payload = NULL;
  char text[32];

  if (talk->left == 0)
    {
      (*talk->running)--;
      g_free (talk);
      return;
    }
  talk_payload (talk, text);
  payload = util_bytes (text);
  seqex_connection_send_with_reply_async (talk->connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          replied_cb, talk);
}

/* Every @step-th connection has @count exchanges, all at the same time. */
static void
crowd_talk (Crowd *crowd,
            guint  step,
            guint  count)
{
  guint running = 0;

  for (guint i = 0; i < crowd->connections->len; i += step)
    {
      Talk *talk = g_new0 (Talk, 1);

      talk->connection = g_ptr_array_index (crowd->connections, i);
      talk->number = i;
      talk->left = count;
      talk->running = &running;
      running++;
      talk_next (talk);
    }
  while (running > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
assert_all_there (Crowd *crowd)
{
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (crowd->client)), ==,
                    crowd->connections->len);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (crowd->server)), ==,
                    crowd->connections->len);
  for (guint i = 0; i < crowd->connections->len; i++)
    g_assert_cmpint (seqex_connection_get_state (g_ptr_array_index (crowd->connections, i)), ==,
                     SEQEX_CONNECTION_STATE_CONNECTED);
}

static void
test_busy (void)
{
  Crowd *crowd = crowd_new (TRUE);

  crowd_open (crowd, 1000);
  crowd_talk (crowd, 1, EXCHANGES);
  assert_all_there (crowd);
  for (guint i = 0; i < crowd->connections->len; i++)
    {
      g_autoptr (SeqexStatistics) statistics =
        seqex_connection_get_statistics (g_ptr_array_index (crowd->connections, i));

      g_assert_cmpuint (seqex_statistics_get_exchanges_started (statistics), ==, EXCHANGES);
      g_assert_cmpuint (seqex_statistics_get_replies_received (statistics), ==, EXCHANGES);
    }
  crowd_free (crowd);
}

static void
test_idle (void)
{
  Crowd *crowd = crowd_new (TRUE);

  crowd_open (crowd, IDLE);
  assert_all_there (crowd);
  crowd_talk (crowd, 100, EXCHANGES);
  assert_all_there (crowd);
  crowd_free (crowd);
}

/* Figures -------------------------------------------------------------------------------- */

static gsize
resident_bytes (void)
{
  unsigned long pages = 0;
  FILE *file;

  /* What was freed is given back, as far as that goes. */
  malloc_trim (0);
  file = fopen ("/proc/self/statm", "r");
  g_assert_nonnull (file);
  g_assert_cmpint (fscanf (file, "%*u %lu", &pages), ==, 1);
  fclose (file);
  return pages * (gsize) sysconf (_SC_PAGESIZE);
}

static double
cpu_seconds (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static double
exchange_microseconds (Crowd *crowd)
{
  const guint count = 20000;
  double start;

  crowd_talk (crowd, G_MAXUINT / 2, 1000);
  start = cpu_seconds ();
  crowd_talk (crowd, G_MAXUINT / 2, count);
  return (cpu_seconds () - start) * 1e6 / count;
}

static void
print_memory (void)
{
  const guint steps[] = { 1, 1000, 10000 };
  Crowd *crowd = crowd_new (TRUE);
  gsize before = 0;
  double alone = 0;

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      gsize after;

      crowd_open (crowd, steps[i]);
      after = resident_bytes ();
      if (i > 0)
        g_print ("resident memory of an idle connection, %u to %u of them: %.0f bytes\n",
                 steps[i - 1], steps[i],
                 (double) (after - before) / (2.0 * (steps[i] - steps[i - 1])));
      if (i == 0)
        alone = exchange_microseconds (crowd);
      before = resident_bytes ();
    }
  g_print ("processor time of an exchange, both sides: %.1f us alone, %.1f us beside 9 999 idle "
           "connections\n", alone, exchange_microseconds (crowd));
  crowd_free (crowd);
}

/* Of few connections at a time: an arrival is compared with what its address has already. */
static void
print_handshakes (gboolean with_key)
{
  const guint rounds = 20, count = 100;
  double seconds = 0;

  for (guint i = 0; i < rounds; i++)
    {
      Crowd *crowd = crowd_new (with_key);
      double start = cpu_seconds ();

      crowd_open (crowd, count);
      seconds += cpu_seconds () - start;
      crowd_free (crowd);
    }
  g_print ("handshakes %s, both sides on one core: %.0f a second, %.0f us for a side\n",
           with_key ? "with a known key (IK)" : "with an unknown key (XX)",
           rounds * count / seconds, seconds * 1e6 / (rounds * count) / 2);
}

int
main (int    argc,
      char **argv)
{
  if (argc > 1 && strcmp (argv[1], "--figures") == 0)
    {
      print_handshakes (TRUE);
      print_handshakes (FALSE);
      print_memory ();
      return 0;
    }

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/many/busy", test_busy);
  g_test_add_func ("/seqex/many/idle", test_idle);
  return g_test_run ();
}
