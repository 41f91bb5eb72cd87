/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "fake-transport.h"
#include "seqex-connection-private.h"

typedef struct
{
  FakeTransport *fake_a;
  FakeTransport *fake_b;
  Pair           pair;
} Fixture;

static void
set_up (Fixture      *fixture,
        gconstpointer data)
{
  fake_transport_new_pair (&fixture->fake_a, &fixture->fake_b);
  fixture->pair.a = seqex_connection_new_for_transport (G_DATAGRAM_BASED (fixture->fake_a));
  fixture->pair.b = seqex_connection_new_for_transport (G_DATAGRAM_BASED (fixture->fake_b));
  g_signal_connect (fixture->pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
}

static void
tear_down (Fixture      *fixture,
           gconstpointer data)
{
  /* Some of the tests leave a side with an answer that it cannot get rid of. */
  util_pair_dispose (&fixture->pair);
  g_assert_finalize_object (fixture->fake_a);
  g_assert_finalize_object (fixture->fake_b);
}

static void
ask_blob (Fixture *fixture,
          gsize    size,
          Outcome *outcome)
{
  g_autoptr (GBytes) payload = util_blob (size, 1);

  seqex_connection_send_with_reply_async (fixture->pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, outcome);
}

static void
assert_answered (Outcome *outcome,
                 gsize    size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;

  wait_until (outcome->result != NULL);
  reply = util_send_with_reply_finish (outcome, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (seqex_message_get_payload (reply)), ==, size);
}

static void
test_exchange (Fixture      *fixture,
               gconstpointer data)
{
  g_assert_null (seqex_connection_get_socket (fixture->pair.a));
  g_assert_null (seqex_connection_get_remote_address (fixture->pair.a));
  g_assert_true (seqex_connection_get_transport (fixture->pair.a)
                 == G_DATAGRAM_BASED (fixture->fake_a));
  for (guint i = 0; i < 10; i++)
    util_exchange (fixture->pair.a, "x");
}

/* A transport that does one datagram in a call is slower, no more. */
static void
test_one_at_a_time (Fixture      *fixture,
                    gconstpointer data)
{
  g_auto (Outcome) asked = { 0 };

  fixture->fake_a->one_at_a_time = 1;
  fixture->fake_b->one_at_a_time = 1;
  ask_blob (fixture, 50000, &asked);
  assert_answered (&asked, 50000);
}

/* What the transport refused is kept, and goes out in order, nothing lost. */
static void
test_refuses (Fixture      *fixture,
              gconstpointer data)
{
  g_autoptr (SeqexStatistics) statistics = NULL;
  g_auto (Outcome) asked = { 0 };
  guint n_sends;

  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->blocked = TRUE;
  ask_blob (fixture, 100, &asked);
  util_run_for (100);
  n_sends = fixture->fake_a->n_sends;
  util_run_for (100);
  /* It waits for the source, and does not ask again by itself. */
  g_assert_cmpuint (fixture->fake_a->n_sends, ==, n_sends);
  g_assert_null (asked.result);

  fixture->fake_a->blocked = FALSE;
  assert_answered (&asked, 100);
  statistics = seqex_connection_get_statistics (fixture->pair.a);
  g_assert_cmpuint (seqex_statistics_get_send_errors (statistics), ==, 0);
}

/* One that says it is writable and refuses all the same keeps nobody busy. */
static void
test_lies (Fixture      *fixture,
           gconstpointer data)
{
  g_auto (Outcome) asked = { 0 };

  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->n_sends = 0;
  fixture->fake_a->blocked = TRUE;
  fixture->fake_a->lies = TRUE;
  ask_blob (fixture, 100, &asked);
  util_run_for (200);
  g_assert_cmpuint (fixture->fake_a->n_sends, >=, 5);
  g_assert_cmpuint (fixture->fake_a->n_sends, <=, 40);

  fixture->fake_a->blocked = FALSE;
  assert_answered (&asked, 100);
}

/* While the transport is full, what the core has to say is not due, however late it is. */
static void
test_full_and_late (Fixture      *fixture,
                    gconstpointer data)
{
  Outcome asked[2] = { 0 };
  SeqexDriver *driver = fixture->pair.b->dialogue.driver;
  guint64 before;

  util_exchange (fixture->pair.a, "x");
  util_run_for (100);
  fixture->fake_b->blocked = TRUE;
  /* The first answer is what the transport refuses, the second is not even offered. */
  for (guint i = 0; i < 2; i++)
    {
      ask_blob (fixture, 100, &asked[i]);
      util_run_for (100);
    }
  before = driver->serial;
  util_run_for (300);
  g_test_message ("%" G_GUINT64_FORMAT " wakes", driver->serial - before);
  g_assert_cmpuint (driver->serial - before, <=, 20);
  fixture->fake_b->blocked = FALSE;
  for (guint i = 0; i < 2; i++)
    {
      assert_answered (&asked[i], 100);
      util_outcome_clear (&asked[i]);
    }
}

/* Errors of sending: the datagram is lost, and sent again. */
static void
test_send_errors (Fixture      *fixture,
                  gconstpointer data)
{
  const int codes[] = {
    G_IO_ERROR_NO_SPACE, G_IO_ERROR_PERMISSION_DENIED, G_IO_ERROR_FAILED,
    G_IO_ERROR_MESSAGE_TOO_LARGE, G_IO_ERROR_CONNECTION_REFUSED, G_IO_ERROR_HOST_UNREACHABLE,
  };

  util_exchange (fixture->pair.a, "x");
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_auto (Outcome) asked = { 0 };

      g_clear_error (&fixture->fake_a->send_error);
      fixture->fake_a->send_error = g_error_new_literal (G_IO_ERROR, codes[i], "No");
      fixture->fake_a->send_errors = 3;
      ask_blob (fixture, 5000, &asked);
      assert_answered (&asked, 5000);
      g_assert_cmpuint (fixture->fake_a->send_errors, ==, 0);
    }
}

/* That nobody is there is how a socket tells what became of an earlier datagram: this one is not
 * lost. */
static void
test_refused_once (Fixture      *fixture,
                   gconstpointer data)
{
  g_autoptr (SeqexStatistics) statistics = NULL;

  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->send_error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED,
                                                     "No");
  fixture->fake_a->send_errors = 1;
  util_exchange (fixture->pair.a, "x");
  statistics = seqex_connection_get_statistics (fixture->pair.a);
  g_assert_cmpuint (seqex_statistics_get_send_errors (statistics), ==, 0);
}

/* A route that carries less than max-datagram-size: what is sent becomes smaller. */
static void
test_too_long (Fixture      *fixture,
               gconstpointer data)
{
  g_autoptr (SeqexStatistics) statistics = NULL;
  g_auto (Outcome) asked = { 0 };

  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->max_size = 600;
  ask_blob (fixture, 100000, &asked);
  assert_answered (&asked, 100000);
  statistics = seqex_connection_get_statistics (fixture->pair.a);
  g_assert_cmpuint (seqex_statistics_get_send_errors (statistics), >=, 1);
  g_assert_cmpuint (seqex_statistics_get_send_errors (statistics), <=, 64);
}

/* A route that carries next to nothing: no busy loop, and the error says what is wrong. */
static void
test_much_too_long (Fixture      *fixture,
                    gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  util_exchange (fixture->pair.a, "x");
  seqex_connection_set_idle_timeout (fixture->pair.a, 300);
  fixture->fake_a->max_size = 10;
  fixture->fake_a->n_sends = 0;
  g_assert_null (util_send_with_reply (fixture->pair.a, "x", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_nonnull (strstr (error->message, "Message too long"));
  g_assert_cmpuint (fixture->fake_a->n_sends, <, 50);
}

/* Errors of receiving that pass. */
static void
test_receive_errors (Fixture      *fixture,
                     gconstpointer data)
{
  const int codes[] = {
    G_IO_ERROR_FAILED, G_IO_ERROR_CONNECTION_REFUSED, G_IO_ERROR_NETWORK_UNREACHABLE,
    G_IO_ERROR_CONNECTION_CLOSED, G_IO_ERROR_MESSAGE_TOO_LARGE,
  };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_clear_error (&fixture->fake_a->receive_error);
      fixture->fake_a->receive_error = g_error_new_literal (G_IO_ERROR, codes[i], "No");
      fixture->fake_a->receive_errors = 10;
      util_exchange (fixture->pair.a, "x");
      wait_until (fixture->fake_a->receive_errors == 0);
    }
}

static void
assert_lost (Fixture    *fixture,
             const char *reason)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (util_send_with_reply (fixture->pair.a, "x", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  g_assert_nonnull (strstr (error->message, reason));
  wait_until (seqex_connection_get_state (fixture->pair.a) == SEQEX_CONNECTION_STATE_CLOSED);
}

/* One that stays: the connection is lost, and nothing turns any more. */
static void
test_receive_error_stays (Fixture      *fixture,
                          gconstpointer data)
{
  guint n_receives;

  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->receive_error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "Broken");
  fixture->fake_a->receive_errors = G_MAXUINT;
  assert_lost (fixture, "Broken");
  n_receives = fixture->fake_a->n_receives;
  g_assert_cmpuint (n_receives, <, 100);
  util_run_for (50);
  g_assert_cmpuint (fixture->fake_a->n_receives, ==, n_receives);
}

/* Errors that do not go away are believed at once. */
static void
test_final_errors (Fixture      *fixture,
                   gconstpointer data)
{
  util_exchange (fixture->pair.a, "x");
  fixture->fake_a->send_error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "Shut");
  fixture->fake_a->send_errors = G_MAXUINT;
  assert_lost (fixture, "Shut");
}

static void
closed_cb (SeqexConnection *connection,
           const GError    *error,
           GError         **kept)
{
  g_assert_null (*kept);
  *kept = g_error_copy (error);
}

static void
test_ended (Fixture      *fixture,
            gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  util_exchange (fixture->pair.a, "x");
  g_signal_connect (fixture->pair.a, "closed", G_CALLBACK (closed_cb), &error);
  fixture->fake_a->ended = TRUE;
  wait_until (error != NULL);
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  assert_lost (fixture, "closed");
}

/* A network that drops everything from one moment on. */
static void
test_dead (Fixture      *fixture,
           gconstpointer data)
{
  util_exchange (fixture->pair.a, "x");
  seqex_connection_set_idle_timeout (fixture->pair.a, 200);
  fixture->fake_a->deaf = TRUE;
  fixture->fake_a->n_sent = 0;
  assert_lost (fixture, "does not answer");
  g_assert_cmpuint (fixture->fake_a->n_sent, <=, 20);
}

/* Datagrams that are too long, foreign or garbage are dropped and counted. */
static void
test_garbage (Fixture      *fixture,
              gconstpointer data)
{
  g_autoptr (SeqexStatistics) before = NULL;
  g_autoptr (SeqexStatistics) after = NULL;
  g_autofree char *text = NULL;
  guint8 *too_long = g_malloc0 (65508);

  too_long[0] = 0x0c;
  util_exchange (fixture->pair.a, "x");
  before = seqex_connection_get_statistics (fixture->pair.b);
  g_queue_push_tail (&fixture->fake_b->inbox, g_bytes_new_take (too_long, 65508));
  g_queue_push_tail (&fixture->fake_b->inbox, g_bytes_new (NULL, 0));
  g_queue_push_tail (&fixture->fake_b->inbox, util_bytes ("\x0c"));
  for (guint i = 0; i < 200; i++)
    g_queue_push_tail (&fixture->fake_b->inbox, util_blob (i * 6, i));
  util_exchange (fixture->pair.a, "x");
  wait_until (fixture->fake_b->inbox.length == 0);
  after = seqex_connection_get_statistics (fixture->pair.b);
  g_assert_cmpuint (seqex_statistics_get_packets_dropped (after)
                    - seqex_statistics_get_packets_dropped (before), ==, 203);
  text = seqex_statistics_to_string (after);
  g_assert_nonnull (strstr (text, "dropped, oversized: 1\n"));
}

/* A peer that breaks the protocol: its last datagram again, with another number and a frame that
 * there is not. */
static void
test_violation (Fixture      *fixture,
                gconstpointer data)
{
  enum { NUMBER = 13, HEADER = 17 };
  g_autoptr (GBytes) payload = util_bytes ("question");
  g_autoptr (SeqexMessage) taken = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) closed_a = NULL;
  g_autoptr (GError) closed_b = NULL;
  g_auto (Outcome) asked = { 0 };
  guint8 bad[HEADER + 1];

  g_signal_connect (fixture->pair.a, "closed", G_CALLBACK (closed_cb), &closed_a);
  g_signal_connect (fixture->pair.b, "closed", G_CALLBACK (closed_cb), &closed_b);
  seqex_connection_send_with_reply_async (fixture->pair.b, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &asked);
  taken = util_receive (fixture->pair.a, NULL);

  memcpy (bad, g_bytes_get_data (fixture->fake_b->last_sent, NULL), HEADER);
  bad[NUMBER + 2]++;
  bad[HEADER] = 0x3f;
  g_queue_push_tail (&fixture->fake_a->inbox, g_bytes_new (bad, sizeof bad));
  wait_until (closed_a != NULL && closed_b != NULL && asked.result != NULL);
  g_assert_error (closed_a, SEQEX_ERROR, SEQEX_ERROR_PROTOCOL_VIOLATION);
  g_assert_error (closed_b, SEQEX_ERROR, SEQEX_ERROR_PROTOCOL_VIOLATION);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_PROTOCOL_VIOLATION);
  g_clear_error (&error);
  g_assert_false (util_reply (taken, "answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_PROTOCOL_VIOLATION);
}

/* Bad sockets ------------------------------------------------------------------------------- */

static void
assert_unusable (SeqexConnection *connection,
                 GIOErrorEnum     code)
{
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) closed = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexChannel) channel = NULL;
  g_autoptr (SeqexStatistics) statistics = NULL;

  g_assert_cmpint (seqex_connection_get_state (connection), ==, SEQEX_CONNECTION_STATE_CLOSED);
  g_signal_connect (connection, "closed", G_CALLBACK (closed_cb), &closed);
  g_assert_null (closed);
  wait_until (closed != NULL);
  g_assert_error (closed, G_IO_ERROR, (int) code);

  g_assert_false (util_send (connection, "x", &error));
  g_assert_error (error, G_IO_ERROR, (int) code);
  g_clear_error (&error);
  g_assert_null (util_send_with_reply (connection, "x", &error));
  g_assert_error (error, G_IO_ERROR, (int) code);
  g_clear_error (&error);
  g_assert_null (util_receive (connection, &error));
  g_assert_error (error, G_IO_ERROR, (int) code);
  g_clear_error (&error);
  g_assert_false (seqex_connection_send_datagram (connection, payload, &error));
  g_assert_error (error, G_IO_ERROR, (int) code);
  g_clear_error (&error);
  channel = seqex_connection_open_channel (connection, 1);
  seqex_channel_set_priority (channel, 1);
  seqex_channel_set_serialized (channel, TRUE);
  statistics = seqex_connection_get_statistics (connection);
  g_assert_cmpuint (seqex_statistics_get_packets_sent (statistics), ==, 0);
  g_assert_false (seqex_connection_get_writable (connection));
  g_assert_cmpuint (seqex_connection_get_round_trip_time (connection), ==, 0);
  seqex_connection_set_idle_timeout (connection, 1000);
  seqex_connection_set_max_message_size (connection, 20000);
  g_assert_true (util_close (connection, &error));
  g_assert_no_error (error);
  g_assert_finalize_object (connection);
}

static void
test_stream_socket (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM,
                                             G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  assert_unusable (seqex_connection_new (socket), G_IO_ERROR_NOT_SUPPORTED);
  assert_unusable (seqex_connection_new_for_transport (G_DATAGRAM_BASED (socket)),
                   G_IO_ERROR_NOT_SUPPORTED);
}

static void
test_unconnected_socket (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocket) socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                             G_SOCKET_PROTOCOL_DEFAULT, &error);

  g_assert_no_error (error);
  assert_unusable (seqex_connection_new (socket), G_IO_ERROR_NOT_CONNECTED);
}

static void
test_closed_socket (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;

  util_new_udp_sockets (&a, &b);
  g_socket_close (a, NULL);
  assert_unusable (seqex_connection_new (a), G_IO_ERROR_CLOSED);
}

static void
test_no_socket (void)
{
  assert_unusable (g_object_new (SEQEX_TYPE_CONNECTION, NULL), G_IO_ERROR_INVALID_ARGUMENT);
}

/* The program closes the socket under the connection. */
static void
test_socket_closed_later (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) closed = NULL;
  g_autoptr (GError) error = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  g_signal_connect (pair.a, "closed", G_CALLBACK (closed_cb), &closed);
  g_socket_close (seqex_connection_get_socket (pair.a), NULL);
  g_assert_null (util_send_with_reply (pair.a, "x", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  wait_until (closed != NULL);
  g_assert_error (closed, SEQEX_ERROR, SEQEX_ERROR_CONNECTION_LOST);
  util_pair_dispose (&pair);
}

/* A socket with a time-out of its own, which means something else. */
static void
test_socket_timeout (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  Pair pair;

  util_new_udp_sockets (&a, &b);
  g_socket_set_timeout (a, 1);
  pair = (Pair) { seqex_connection_new (a), seqex_connection_new (b) };
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "x");
  util_run_for (1200);
  util_exchange (pair.a, "x");
  util_pair_free (&pair);
}

#define ADD(name, func) \
  g_test_add ("/seqex/transport/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("exchange", test_exchange);
  ADD ("one-at-a-time", test_one_at_a_time);
  ADD ("refuses", test_refuses);
  ADD ("lies", test_lies);
  ADD ("full-and-late", test_full_and_late);
  ADD ("send-errors", test_send_errors);
  ADD ("refused-once", test_refused_once);
  ADD ("too-long", test_too_long);
  ADD ("much-too-long", test_much_too_long);
  ADD ("receive-errors", test_receive_errors);
  ADD ("receive-error-stays", test_receive_error_stays);
  ADD ("final-errors", test_final_errors);
  ADD ("ended", test_ended);
  ADD ("dead", test_dead);
  ADD ("garbage", test_garbage);
  ADD ("violation", test_violation);
  g_test_add_func ("/seqex/transport/stream-socket", test_stream_socket);
  g_test_add_func ("/seqex/transport/unconnected-socket", test_unconnected_socket);
  g_test_add_func ("/seqex/transport/closed-socket", test_closed_socket);
  g_test_add_func ("/seqex/transport/no-socket", test_no_socket);
  g_test_add_func ("/seqex/transport/socket-closed-later", test_socket_closed_later);
  g_test_add_func ("/seqex/transport/socket-timeout", test_socket_timeout);

  return g_test_run ();
}
