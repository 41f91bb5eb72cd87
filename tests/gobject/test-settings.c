/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program sets to bound or to hurry what is sent.
 */
#include "endpoint-util.h"

#include "core/sqx-conn-private.h"
#include "seqex-connection-private.h"
#include "seqex-endpoint-private.h"

static const sqx_conn *
core_of (SeqexConnection *connection)
{
  return connection->dialogue.core;
}

static void
count_cb (GObject    *object,
          GParamSpec *pspec,
          guint      *count)
{
  ++*count;
}

static void
stream_cb (SeqexConnection *connection,
           SeqexStream     *stream,
           gpointer         user_data)
{
  g_ptr_array_add (user_data, g_object_ref (stream));
}

static SeqexStream *
open_stream (SeqexConnection  *connection,
             GError          **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_connection_open_stream_async (connection, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result);
  return seqex_connection_open_stream_finish (connection, outcome.result, error);
}

/* How many bytes a sends in so many milliseconds. */
static guint64
sent_in (SeqexConnection *connection,
         guint            milliseconds)
{
  guint64 before = core_of (connection)->statistics.bytes_sent;

  util_run_for (milliseconds);
  return core_of (connection)->statistics.bytes_sent - before;
}

/* A cap holds from when it is set, and is lifted at once. */
static void
test_max_send_rate (void)
{
  g_autoptr (GBytes) payload = util_blob (1000000, 1);
  g_auto (Outcome) sent = { 0 };
  g_autoptr (GError) error = NULL;
  Pair pair = util_pair_new ();
  guint count = 0;
  gint64 start;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  g_signal_connect (pair.a, "notify::max-send-rate", G_CALLBACK (count_cb), &count);
  g_assert_cmpuint (seqex_connection_get_max_send_rate (pair.a), ==, 0);
  seqex_connection_set_max_send_rate (pair.a, 500000);
  seqex_connection_set_max_send_rate (pair.a, 500000);
  g_assert_cmpuint (seqex_connection_get_max_send_rate (pair.a), ==, 500000);
  g_assert_cmpuint (count, ==, 1);

  start = g_get_monotonic_time ();
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &sent);
  /* On loopback datagrams are large, and two of them go out at once. */
  g_assert_cmpuint (sent_in (pair.a, 600), <=,
                    500000 / 10 * 6 + 5 * (guint64) core_of (pair.a)->link.pmtu.size);
  g_assert_null (sent.result);
  seqex_connection_set_max_send_rate (pair.a, 1000);
  g_assert_cmpuint (sent_in (pair.a, 300), <=, 4 * (guint64) core_of (pair.a)->link.pmtu.size);
  g_assert_null (sent.result);
  g_object_set (pair.a, "max-send-rate", (guint64) 0, NULL);
  wait_until (sent.result);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 900000);
  g_assert_cmpint (g_get_monotonic_time () - start, <=, 20000000);
  g_assert_true (util_send_finish (&sent, &error) || error != NULL);
  g_clear_error (&error);
  util_outcome_clear (&sent);
  g_assert_cmpuint (count, ==, 3);
  util_pair_free (&pair);
}

/* What is chosen is what the core works with, on connections of both kinds. */
static void
test_congestion_control (void)
{
  static const sqx_cc_ops *const ops[] = { &sqx_bbr, &sqx_cubic, &sqx_newreno };

  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    {
      SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
      SeqexEndpoint *client = g_object_new (SEQEX_TYPE_ENDPOINT, "congestion-control", i,
                                            "trust-policy", SEQEX_TRUST_POLICY_ANYONE,
                                            "max-send-rate", (guint64) 123456789, "max-streams",
                                            i, NULL);
      GSocket *sockets[2];
      SeqexConnection *connection;
      SeqexCongestionControl control;
      Pair pair = endpoint_join (client, server);

      g_assert_cmpint (seqex_endpoint_get_congestion_control (client), ==, i);
      g_assert_cmpuint (seqex_endpoint_get_max_send_rate (client), ==, 123456789);
      g_assert_cmpuint (seqex_endpoint_get_max_streams (client), ==, i);
      g_assert_cmpint (seqex_connection_get_congestion_control (pair.a), ==, i);
      g_assert_cmpuint (seqex_connection_get_max_send_rate (pair.a), ==, 123456789);
      g_assert_cmpuint (seqex_connection_get_max_streams (pair.a), ==, i);
      g_assert_true (core_of (pair.a)->link.recovery.controller == ops[i]);
      g_assert_cmpuint (core_of (pair.a)->link.max_rate, ==, 123456789);
      /* Each side has its own. */
      g_assert_cmpint (seqex_connection_get_congestion_control (pair.b), ==,
                       SEQEX_CONGESTION_CONTROL_BBR);
      g_assert_cmpuint (seqex_connection_get_max_send_rate (pair.b), ==, 0);
      g_assert_cmpuint (seqex_connection_get_max_streams (pair.b), ==, 128);
      g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
      util_exchange (pair.a, "x");
      endpoint_free (client);
      endpoint_free (server);
      util_pair_dispose (&pair);

      util_new_unix_sockets (&sockets[0], &sockets[1]);
      connection = g_object_new (SEQEX_TYPE_CONNECTION, "socket", sockets[0],
                                 "congestion-control", i, "max-send-rate", (guint64) 77777, NULL);
      g_object_get (connection, "congestion-control", &control, NULL);
      g_assert_cmpint (control, ==, i);
      g_assert_true (core_of (connection)->link.recovery.controller == ops[i]);
      g_assert_cmpuint (core_of (connection)->link.max_rate, ==, 77777);
      util_settle ();
      g_assert_finalize_object (connection);
      g_object_unref (sockets[0]);
      g_object_unref (sockets[1]);
    }
}

/* What comes by accepting is as the endpoint says, too. */
static void
test_accepted (void)
{
  SeqexEndpoint *server = g_object_new (SEQEX_TYPE_ENDPOINT, "congestion-control",
                                        SEQEX_CONGESTION_CONTROL_CUBIC, "trust-policy",
                                        SEQEX_TRUST_POLICY_ANYONE, "max-send-rate",
                                        (guint64) 5000000, "max-streams", 0, NULL);
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GError) error = NULL;
  Pair pair;

  g_assert_true (seqex_endpoint_bind (server, address, NULL));
  pair = endpoint_join (client, server);
  g_assert_true (core_of (pair.b)->link.recovery.controller == &sqx_cubic);
  g_assert_cmpuint (seqex_connection_get_max_send_rate (pair.b), ==, 5000000);
  g_assert_cmpuint (core_of (pair.b)->link.max_rate, ==, 5000000);
  g_assert_null (open_stream (pair.a, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  endpoint_free (client);
  endpoint_free (server);
  util_pair_free (&pair);
}

static gpointer
hurry (gpointer stream)
{
  seqex_stream_set_priority (stream, 0);
  g_assert_cmpuint (seqex_stream_get_priority (stream), ==, 0);
  return NULL;
}

/* Drives until @input has given so much. */
static void
read_all (SeqexStream *stream,
          gsize        size)
{
  GInputStream *input = g_io_stream_get_input_stream (G_IO_STREAM (stream));
  g_autofree char *buffer = g_malloc (size);
  g_auto (Outcome) outcome = { 0 };
  gsize done;

  g_input_stream_read_all_async (input, buffer, size, 0, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result);
  g_assert_true (g_input_stream_read_all_finish (input, outcome.result, &done, NULL));
  g_assert_cmpuint (done, ==, size);
}

static gsize
available (SeqexStream *stream)
{
  GPollableInputStream *input = G_POLLABLE_INPUT_STREAM (
    g_io_stream_get_input_stream (G_IO_STREAM (stream)));
  g_autofree char *buffer = g_malloc (1 << 20);
  gsize all = 0;
  gssize n;

  while ((n = g_pollable_input_stream_read_nonblocking (input, buffer, 1 << 20, NULL, NULL)) > 0)
    all += (gsize) n;
  return all;
}

/* How many streams of the core have it. */
static guint
n_with_priority (SeqexConnection *connection,
                 guint            priority)
{
  sqx_stream *stream;
  guint n = 0;

  for (uint64_t id = 0;
       (stream = sqx_index_next (&core_of (connection)->session.streams.index, id, &id)) != NULL;
       id++)
    n += stream->channel.priority == priority;
  return n;
}

/* The more urgent stream goes first, whoever was written first; set from any thread. */
static void
test_priority (void)
{
  const gsize size = 400000;
  g_autofree char *zeros = g_malloc0 (size);
  g_autoptr (GPtrArray) accepted = g_ptr_array_new_with_free_func (g_object_unref);
  Outcome written[2] = { 0 };
  SeqexStream *streams[2];
  Pair pair = util_pair_new_unix ();
  guint count = 0;

  g_signal_connect (pair.b, "stream", G_CALLBACK (stream_cb), accepted);
  for (guint i = 0; i < 2; i++)
    {
      streams[i] = open_stream (pair.a, NULL);
      wait_until (accepted->len == i + 1);
      g_assert_cmpuint (seqex_stream_get_priority (streams[i]), ==, SQX_PRIORITY_DEFAULT);
      g_signal_connect (streams[i], "notify::priority", G_CALLBACK (count_cb), &count);
    }
  seqex_connection_set_max_send_rate (pair.a, 4000000);
  g_object_set (streams[0], "priority", 7, NULL);
  seqex_stream_set_priority (streams[0], 7);
  g_assert_cmpuint (count, ==, 1);
  /* Also when nothing else happens. */
  util_settle ();
  g_assert_cmpuint (n_with_priority (pair.a, 7), ==, 1);
  for (guint i = 0; i < 2; i++)
    g_output_stream_write_all_async (g_io_stream_get_output_stream (G_IO_STREAM (streams[i])),
                                     zeros, size, 0, NULL, util_outcome_cb, &written[i]);
  util_settle ();
  g_thread_join (g_thread_new ("hurry", hurry, streams[1]));
  g_assert_cmpuint (count, ==, 2);
  read_all (g_ptr_array_index (accepted, 1), size);
  g_assert_cmpuint (available (g_ptr_array_index (accepted, 0)), <=, size / 2);
  wait_until (written[0].result && written[1].result);

  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*priority < SQX_PRIORITIES*");
  seqex_stream_set_priority (streams[0], 8);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (seqex_stream_get_priority (streams[0]), ==, 7);
  for (guint i = 0; i < 2; i++)
    {
      g_io_stream_close (G_IO_STREAM (streams[i]), NULL, NULL);
      g_io_stream_close (g_ptr_array_index (accepted, i), NULL, NULL);
      util_outcome_clear (&written[i]);
    }
  wait_until (pair.a->dialogue.streams.length == 0 && pair.b->dialogue.streams.length == 0);
  /* Nobody is left to hear of it. */
  seqex_stream_set_priority (streams[0], 1);
  util_settle ();
  for (guint i = 0; i < 2; i++)
    g_assert_finalize_object (streams[i]);
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/settings/max-send-rate", test_max_send_rate);
  g_test_add_func ("/seqex/settings/congestion-control", test_congestion_control);
  g_test_add_func ("/seqex/settings/accepted", test_accepted);
  g_test_add_func ("/seqex/settings/priority", test_priority);

  return g_test_run ();
}
