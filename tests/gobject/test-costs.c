/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an exchange costs, counted: wakes, polls, sources, objects and allocations. Times depend on
 * the machine; these do not, and each of them was once a large part of the time.
 */
#include <stdlib.h>

#include "endpoint-util.h"
#include "seqex-connection-private.h"

#include "../sanitized.h"

#define DEPTH     64u
#define EXCHANGES 6400u

#ifdef __GLIBC__
#define COUNTS_ALLOCATIONS (!SANITIZED)
#else
#define COUNTS_ALLOCATIONS 0
#endif

static guint n_allocations;

#if COUNTS_ALLOCATIONS
/* In the place of those of the C library, for it and for every other library as well. */
extern void *__libc_malloc  (size_t size);
extern void *__libc_calloc  (size_t n, size_t size);
extern void *__libc_realloc (void *block, size_t size);

void *
malloc (size_t size)
{
  n_allocations++;
  return __libc_malloc (size);
}

void *
calloc (size_t n,
        size_t size)
{
  n_allocations++;
  return __libc_calloc (n, size);
}

void *
realloc (void   *block,
         size_t  size)
{
  n_allocations++;
  return __libc_realloc (block, size);
}
#endif

typedef struct
{
  guint   wakes;
  guint   polls;
  guint   sources;
  guint   allocations;
  guint64 calls;      /* system calls of both sockets … */
  guint64 datagrams;  /* … and what they sent */
} Costs;

typedef struct
{
  SeqexEndpoint *client;
  SeqexEndpoint *server;
  Pair           pair;
  GBytes        *payload;
  guint          to_begin;
  guint          done;
  gpointer       result;    /* the last one, never looked into */
  guint          n_results; /* changes of it */
  gpointer       reply;     /* likewise */
  guint          n_replies;
} Bench;

static guint n_polls;

static int
count_poll (GPollFD *fds,
            guint    n_fds,
            int      timeout)
{
  n_polls++;
  return g_poll (fds, n_fds, timeout);
}

static gboolean
reply_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          gpointer         user_data)
{
  seqex_message_reply_async (message, seqex_message_get_payload (message), SEQEX_SEND_FLAGS_NONE,
                             NULL, NULL, NULL);
  return TRUE;
}

static void
receive_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  SeqexConnection *connection = SEQEX_CONNECTION (object);
  g_autoptr (SeqexMessage) message = seqex_connection_receive_finish (connection, result, NULL);

  if (message == NULL)
    return;
  reply_cb (connection, message, NULL);
  seqex_connection_receive_async (connection, NULL, receive_cb, NULL);
}

static void replied_cb (GObject      *object,
                        GAsyncResult *result,
                        gpointer      user_data);

static void
begin (Bench *bench)
{
  bench->to_begin--;
  seqex_connection_send_with_reply_async (bench->pair.a, bench->payload, SEQEX_SEND_FLAGS_NONE,
                                          NULL, replied_cb, bench);
}

static void
replied_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  Bench *bench = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;

  reply = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (object), result, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (seqex_message_get_payload (reply), bench->payload));
  bench->n_replies += bench->reply != reply;
  bench->reply = reply;
  seqex_message_end (reply);

  bench->n_results += bench->result != result;
  bench->result = result;
  bench->done++;
  if (bench->to_begin > 0)
    begin (bench);
}

static void
run (Bench *bench,
     guint  n,
     guint  depth)
{
  bench->done = 0;
  bench->to_begin = n;
  for (guint i = 0; i < depth; i++)
    begin (bench);
  wait_until (bench->done == n);
}

/* The numbers of sources of a context rise by one. */
static guint
next_source (void)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  guint id = g_source_attach (source, NULL);

  g_source_destroy (source);
  return id;
}

/* What the drivers of both sides have counted so far. */
static Costs
count (Bench *bench)
{
  SeqexConnection *sides[] = { bench->pair.a, bench->pair.b };
  Costs costs = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (sides); i++)
    {
      const SeqexDriver *driver = seqex_connection_get_dialogue (sides[i])->driver;

      costs.wakes += driver->serial;
      costs.calls += driver->udp.n_sends + driver->udp.n_receives;
      costs.datagrams += driver->udp.n_sent;
    }
  return costs;
}

static Costs
measure (Bench *bench,
         guint  depth)
{
  Costs before, costs;
  guint sources;

  run (bench, EXCHANGES / 4, depth);

  before = count (bench);
  sources = next_source ();
  n_polls = 0;
  n_allocations = 0;
  bench->n_results = bench->n_replies = 0;
  run (bench, EXCHANGES, depth);
  costs = count (bench);
  costs.allocations = n_allocations;
  costs.polls = n_polls;
  /* Without the deadline of wait_until(). */
  costs.sources = next_source () - sources - 2;
  costs.wakes -= before.wakes;
  costs.calls -= before.calls;
  costs.datagrams -= before.datagrams;

  g_test_message ("depth %u, of %u exchanges: %u wakes, %u polls, %u sources, %u allocations, "
                  "%u results, %u replies, %" G_GUINT64_FORMAT " system calls, %" G_GUINT64_FORMAT
                  " datagrams", depth, EXCHANGES, costs.wakes, costs.polls, costs.sources,
                  costs.allocations, bench->n_results, bench->n_replies, costs.calls,
                  costs.datagrams);
  return costs;
}

static void
bench_init (Bench *bench)
{
  *bench = (Bench) { .client = endpoint_new_bound ("127.0.0.1"),
                     .server = endpoint_new_bound ("127.0.0.1"),
                     .payload = util_blob (64, 1) };
  bench->pair = endpoint_join (bench->client, bench->server);
  g_main_context_set_poll_func (NULL, count_poll);
}

static void
bench_clear (Bench *bench)
{
  g_main_context_set_poll_func (NULL, g_poll);
  endpoint_close (bench->client, NULL);
  endpoint_close (bench->server, NULL);
  g_object_unref (bench->pair.a);
  g_object_unref (bench->pair.b);
  endpoint_free (bench->client);
  endpoint_free (bench->server);
  g_bytes_unref (bench->payload);
}

/* Two connections in one loop: each wake is of one of them, and serves all that is there. */
static void
assert_cheap (Bench *bench,
              Costs  costs,
              guint  allocations)
{
  g_assert_cmpuint (costs.wakes, <=, EXCHANGES / 8);
  g_assert_cmpuint (costs.datagrams, <=, EXCHANGES / 12);
  g_assert_cmpuint (costs.polls, <=, EXCHANGES / 8);
  g_assert_cmpuint (costs.sources, <=, EXCHANGES / 64);
  g_assert_cmpuint (costs.allocations, <=, allocations * EXCHANGES + EXCHANGES / 8);
  /* One result after another in the same object, and so the replies. */
  g_assert_cmpuint (bench->n_results, <=, 1);
  g_assert_cmpuint (bench->n_replies, <=, 1);
}

static void
test_signal (void)
{
  Bench bench;

  bench_init (&bench);
  g_signal_connect (bench.pair.b, "message", G_CALLBACK (reply_cb), NULL);
  assert_cheap (&bench, measure (&bench, DEPTH), 3);
  bench_clear (&bench);
}

static void
test_receive (void)
{
  Bench bench;

  bench_init (&bench);
  seqex_connection_receive_async (bench.pair.b, NULL, receive_cb, NULL);
  assert_cheap (&bench, measure (&bench, DEPTH), 4);
  bench_clear (&bench);
}

/* One after another: each side wakes once for each, reads once, sends one datagram, which
 * acknowledges what came as well, and nothing is attached or thrown away. */
static void
test_one_at_a_time (void)
{
  Bench bench;
  Costs costs;

  bench_init (&bench);
  g_signal_connect (bench.pair.b, "message", G_CALLBACK (reply_cb), NULL);
  costs = measure (&bench, 1);
  g_assert_cmpuint (costs.wakes, <=, 2 * EXCHANGES + EXCHANGES / 8);
  g_assert_cmpuint (costs.polls, <=, 2 * EXCHANGES + EXCHANGES / 8);
  g_assert_cmpuint (costs.sources, <=, EXCHANGES / 64);
  g_assert_cmpuint (costs.allocations, <=, 3 * EXCHANGES + EXCHANGES / 8);
  g_assert_cmpuint (costs.calls, <=, 4 * EXCHANGES + EXCHANGES / 8);
  g_assert_cmpuint (costs.datagrams, <=, 2 * EXCHANGES + EXCHANGES / 8);
  g_assert_cmpuint (bench.n_results, <=, 1);
  g_assert_cmpuint (bench.n_replies, <=, 1);
  bench_clear (&bench);
}

static void
never_cb (SeqexMessage *message)
{
  g_assert_not_reached ();
}

/* A handler that keeps messages, connects to them and leaves data with them gets each as new. */
static gboolean
keep_cb (SeqexConnection *connection,
         SeqexMessage    *message,
         gpointer         user_data)
{
  GPtrArray *kept = user_data;

  g_assert_null (g_object_get_data (G_OBJECT (message), "mark"));
  g_assert_false (g_signal_has_handler_pending (message, g_signal_lookup ("notify", G_TYPE_OBJECT),
                                                g_quark_from_static_string ("cancelled"), TRUE));
  g_assert_false (seqex_message_get_cancelled (message));
  if (kept->len % 3 == 0)
    g_object_set_data (G_OBJECT (message), "mark", kept);
  if (kept->len % 3 == 1)
    g_signal_connect (message, "notify::cancelled", G_CALLBACK (never_cb), NULL);
  g_ptr_array_add (kept, kept->len % 2 == 0 ? g_object_ref (message) : NULL);
  return reply_cb (connection, message, NULL);
}

static void
test_kept (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  GPtrArray *kept = g_ptr_array_new ();
  Bench bench;

  bench_init (&bench);
  g_signal_connect (bench.pair.b, "message", G_CALLBACK (keep_cb), kept);
  run (&bench, 60, 8);
  g_assert_cmpuint (kept->len, ==, 60);
  for (guint i = 0; i < kept->len; i += 2)
    {
      g_assert_true (g_hash_table_add (seen, kept->pdata[i]));
      g_assert_true (g_bytes_equal (seqex_message_get_payload (kept->pdata[i]), bench.payload));
      g_assert_true (seqex_message_get_connection (kept->pdata[i]) == bench.pair.b);
      g_object_unref (kept->pdata[i]);
    }
  g_ptr_array_unref (kept);
  bench_clear (&bench);
}

typedef struct
{
  GPtrArray *kept;
  guint      left;
} Keeper;

/* Keeps every other reply. */
static void
keep_reply_cb (GObject      *object,
               GAsyncResult *result,
               gpointer      user_data)
{
  SeqexConnection *connection = SEQEX_CONNECTION (object);
  g_autoptr (SeqexMessage) reply = NULL;
  Keeper *keeper = user_data;

  reply = seqex_connection_send_with_reply_finish (connection, result, NULL);
  g_assert_nonnull (reply);
  g_assert_null (g_object_get_data (G_OBJECT (reply), "mark"));
  for (guint i = 0; i < keeper->kept->len; i++)
    g_assert_true (keeper->kept->pdata[i] != reply);
  if (--keeper->left % 2 == 0)
    g_ptr_array_add (keeper->kept, g_object_ref (reply));
  else if (keeper->left % 5 == 0)
    g_object_set_data (G_OBJECT (reply), "mark", keeper);
}

/* A reply that the program keeps stays what it is, whatever comes after it. */
static void
test_kept_replies (void)
{
  GPtrArray *kept = g_ptr_array_new_with_free_func (g_object_unref);
  Keeper keeper = { .kept = kept, .left = 40 };
  Bench bench;

  bench_init (&bench);
  g_signal_connect (bench.pair.b, "message", G_CALLBACK (reply_cb), NULL);
  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", 39 - i);
      g_autoptr (GBytes) payload = util_bytes (text);

      seqex_connection_send_with_reply_async (bench.pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              keep_reply_cb, &keeper);
      if (i % 7 == 6)
        wait_until (keeper.left == 39 - i);
    }
  wait_until (keeper.left == 0);
  g_assert_cmpuint (kept->len, ==, 20);
  for (guint i = 0; i < kept->len; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", 38 - 2 * i);

      util_assert_text (kept->pdata[i], text);
      g_assert_true (seqex_message_get_connection (kept->pdata[i]) == bench.pair.a);
    }
  g_ptr_array_unref (kept);
  bench_clear (&bench);
}

static gboolean
press_cb (gpointer user_data)
{
  SeqexConnection *connection = user_data;
  g_autoptr (GBytes) payload = util_bytes ("x");

  seqex_connection_send_datagram (connection, payload, NULL);
  return G_SOURCE_CONTINUE;
}

/* Keeps the message. */
static gboolean
never_reply_cb (SeqexConnection *connection,
                SeqexMessage    *message,
                gpointer         user_data)
{
  SeqexMessage **kept = user_data;

  *kept = g_object_ref (message);
  return TRUE;
}

/* What is due comes even if there is something to do in every iteration. */
static void
test_busy (void)
{
  g_autoptr (GBytes) payload = util_bytes ("?");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  const SeqexDriver *driver;
  SeqexMessage *kept = NULL;
  Bench bench;
  guint id;

  bench_init (&bench);
  driver = seqex_connection_get_dialogue (bench.pair.a)->driver;
  wait_until (driver->armed == SQX_TIME_NEVER || driver->armed > seqex_driver_now () + SQX_SECOND);
  g_signal_connect (bench.pair.b, "message", G_CALLBACK (never_reply_cb), &kept);
  g_object_set (bench.pair.a, "timeout", 20u, NULL);
  id = g_timeout_add (0, press_cb, bench.pair.a);
  seqex_connection_send_with_reply_async (bench.pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_source_remove (id);
  g_clear_object (&kept);
  bench_clear (&bench);
}

/* The time of a wake, after a handler that takes its time. */
static gboolean
look_cb (SeqexConnection *connection,
         SeqexMessage    *message,
         gpointer         user_data)
{
  SeqexDriver *driver = seqex_connection_get_dialogue (connection)->driver;
  guint64 begin = seqex_driver_now ();

  g_assert_cmpuint (driver->waking, ==, 1);
  while (seqex_driver_now () < begin + 60 * SQX_MILLISECOND)
    ;
  g_assert_cmpuint (seqex_driver_time (driver), >=, begin + 40 * SQX_MILLISECOND);
  for (guint i = 0; i < 100; i++)
    {
      seqex_driver_read_clock (driver);
      g_assert_cmpuint (seqex_driver_time (driver), >=, driver->now);
      g_assert_cmpuint (seqex_driver_time (driver), <=, seqex_driver_now ());
    }
  return util_echo_cb (G_OBJECT (connection), message, user_data);
}

/* The coarse clock is a tick behind at most, and does not go back behind the other. */
static void
test_time (void)
{
  Pair pair = util_pair_new ();

  g_signal_connect (pair.b, "message", G_CALLBACK (look_cb), NULL);
  util_exchange (pair.a, "x");
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/costs/signal", test_signal);
  g_test_add_func ("/seqex/costs/receive", test_receive);
  g_test_add_func ("/seqex/costs/one-at-a-time", test_one_at_a_time);
  g_test_add_func ("/seqex/costs/kept", test_kept);
  g_test_add_func ("/seqex/costs/kept-replies", test_kept_replies);
  g_test_add_func ("/seqex/costs/busy", test_busy);
  g_test_add_func ("/seqex/costs/time", test_time);
  return g_test_run ();
}
