/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

/* Sending ------------------------------------------------------------------------------- */

typedef Pair (*PairFunc) (void);

static void
test_reply (gconstpointer data)
{
  Pair pair = (*(const PairFunc *) data) ();
  g_autoptr (GError) error = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *text = g_strdup_printf ("ping %u", i);
      g_autoptr (SeqexMessage) reply = util_send_with_reply (pair.a, text, &error);

      g_assert_no_error (error);
      util_assert_text (reply, text);
    }
  util_pair_free (&pair);
}

static gboolean
count_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          guint           *count)
{
  (*count)++;
  return TRUE;
}

/* A final message is done when the peer's program has it, and not before. */
static void
test_send (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("news");
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) outcome = { 0 };
  guint count = 0;

  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &outcome);
  wait_until (seqex_connection_get_state (pair.a) == SEQEX_CONNECTION_STATE_CONNECTED);
  util_run_for (100);
  g_assert_null (outcome.result);

  g_signal_connect (pair.b, "message", G_CALLBACK (count_cb), &count);
  wait_until (outcome.result != NULL);
  g_assert_cmpuint (count, ==, 1);
  g_assert_true (util_send_finish (&outcome, &error));
  g_assert_no_error (error);
  util_outcome_clear (&outcome);
  util_pair_free (&pair);
}

static void
test_sizes (void)
{
  const gsize sizes[] = { 0, 1, 1100, 1200, 1201, 16384, 65536, 1048576 };
  Pair pair = util_pair_new ();

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) payload = util_blob (sizes[i], i);
      g_autoptr (GError) error = NULL;
      g_autoptr (SeqexMessage) reply = NULL;
      g_auto (Outcome) outcome = { 0 };

      seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              util_outcome_cb, &outcome);
      wait_until (outcome.result != NULL);
      reply = util_send_with_reply_finish (&outcome, &error);
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (seqex_message_get_payload (reply), payload));
    }
  util_pair_free (&pair);
}

typedef struct
{
  guint done;
  guint failed;
} Tally;

static void
tally_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (SeqexMessage) reply =
    seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, NULL);
  Tally *tally = user_data;

  tally->done++;
  tally->failed += reply == NULL;
}

static void
test_many (void)
{
  const guint n = 10000;
  Pair pair = util_pair_new ();
  Tally tally = { 0 };

  g_signal_connect (pair.a, "message", G_CALLBACK (util_echo_cb), NULL);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (&i, sizeof i);
      SeqexSendFlags flags = i % 3 == 0 ? SEQEX_SEND_FLAGS_ORDERED : SEQEX_SEND_FLAGS_NONE;

      seqex_connection_send_with_reply_async (pair.a, payload, flags, NULL, tally_cb, &tally);
      seqex_connection_send_with_reply_async (pair.b, payload, flags, NULL, tally_cb, &tally);
    }
  wait_until (tally.done == 2 * n);
  g_assert_cmpuint (tally.failed, ==, 0);
  util_pair_free (&pair);
}

static gboolean
in_order_cb (SeqexConnection *connection,
             SeqexMessage    *message,
             guint           *next)
{
  guint i;

  memcpy (&i, g_bytes_get_data (seqex_message_get_payload (message), NULL), sizeof i);
  g_assert_cmpuint (i, ==, *next);
  g_assert_true (seqex_message_get_ordered (message));
  (*next)++;
  return FALSE;
}

static void
test_ordered (void)
{
  Pair pair = util_pair_new ();
  guint next = 0;

  g_signal_connect (pair.b, "message", G_CALLBACK (in_order_cb), &next);
  for (guint i = 0; i < 1000; i++)
    {
      g_autoptr (GBytes) payload = g_bytes_new (&i, sizeof i);

      seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_ORDERED, NULL, NULL, NULL);
    }
  wait_until (next == 1000);
  util_pair_free (&pair);
}

/* The figures that batches and acknowledgements that ride along promise. */
static void
test_datagrams_per_exchange (void)
{
  const guint n = 640;
  Pair pair = util_pair_new ();
  g_autoptr (SeqexStatistics) before = NULL;
  g_autoptr (SeqexStatistics) between = NULL;
  g_autoptr (SeqexStatistics) after = NULL;
  g_autoptr (GBytes) payload = util_blob (64, 1);
  Tally tally = { 0 };
  guint64 alone, pipelined;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "first");

  before = seqex_connection_get_statistics (pair.a);
  for (guint i = 0; i < n; i++)
    util_exchange (pair.a, "one by one");
  between = seqex_connection_get_statistics (pair.a);
  for (guint i = 0; i < n; i += 64)
    {
      for (guint j = 0; j < 64; j++)
        seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                                tally_cb, &tally);
      wait_until (tally.done == i + 64);
    }
  after = seqex_connection_get_statistics (pair.a);

  alone = seqex_statistics_get_packets_sent (between) - seqex_statistics_get_packets_sent (before)
          + seqex_statistics_get_packets_received (between)
          - seqex_statistics_get_packets_received (before);
  pipelined = seqex_statistics_get_packets_sent (after)
              - seqex_statistics_get_packets_sent (between)
              + seqex_statistics_get_packets_received (after)
              - seqex_statistics_get_packets_received (between);
  g_test_message ("datagrams per exchange: %.3f one by one, %.3f in flights of 64",
                  (double) alone / n, (double) pipelined / n);
  g_assert_cmpuint (alone * 100, <=, 205 * n);
  g_assert_cmpuint (pipelined * 100, <=, 30 * n);
  g_assert_cmpuint (tally.failed, ==, 0);
  util_pair_free (&pair);
}

/* Receiving ------------------------------------------------------------------------------ */

static gboolean
leave_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          guint           *count)
{
  (*count)++;
  return FALSE;
}

static void
test_untaken (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GError) error = NULL;
  guint count = 0;

  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &count);
  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &count);
  g_assert_null (util_send_with_reply (pair.a, "anybody?", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_NO_REPLY);
  g_assert_cmpuint (count, ==, 2);
  util_pair_free (&pair);
}

/* The first handler that takes a message is the last one that sees it. */
static void
test_taken (void)
{
  Pair pair = util_pair_new ();
  guint left = 0, behind = 0;

  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &left);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &behind);
  util_exchange (pair.a, "anybody?");
  g_assert_cmpuint (left, ==, 1);
  g_assert_cmpuint (behind, ==, 0);
  util_pair_free (&pair);
}

static gboolean
reply_and_leave_cb (SeqexConnection *connection,
                    SeqexMessage    *message,
                    gpointer         user_data)
{
  util_echo_cb (G_OBJECT (connection), message, NULL);
  return FALSE;
}

static void
test_answered_and_untaken (void)
{
  Pair pair = util_pair_new ();

  g_signal_connect (pair.b, "message", G_CALLBACK (reply_and_leave_cb), NULL);
  util_exchange (pair.a, "anybody?");
  util_pair_free (&pair);
}

static void
test_receive (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) first = util_bytes ("first");
  g_autoptr (GBytes) second = util_bytes ("second");
  g_auto (Outcome) sent = { 0 };
  g_auto (Outcome) one = { 0 };
  g_auto (Outcome) two = { 0 };
  g_autoptr (SeqexMessage) message_one = NULL;
  g_autoptr (SeqexMessage) message_two = NULL;
  guint count = 0;

  /* A call of receive goes before the signal, the first call before the second. */
  g_signal_connect (pair.b, "message", G_CALLBACK (leave_cb), &count);
  seqex_connection_receive_async (pair.b, NULL, util_outcome_cb, &one);
  seqex_connection_receive_async (pair.b, NULL, util_outcome_cb, &two);
  seqex_connection_send_async (pair.a, first, SEQEX_SEND_FLAGS_ORDERED, NULL, NULL, NULL);
  seqex_connection_send_with_reply_async (pair.a, second, SEQEX_SEND_FLAGS_ORDERED, NULL,
                                          util_outcome_cb, &sent);
  wait_until (one.result != NULL && two.result != NULL);
  message_one = util_receive_finish (&one, NULL);
  message_two = util_receive_finish (&two, NULL);
  util_assert_text (message_one, "first");
  util_assert_text (message_two, "second");
  g_assert_cmpuint (count, ==, 0);

  /* A message that was received counts as taken. */
  util_run_for (50);
  g_assert_null (sent.result);
  seqex_message_end (message_two);
  wait_until (sent.result != NULL);

  g_assert_false (util_send_with_reply (pair.a, "third", NULL) != NULL);
  g_assert_cmpuint (count, ==, 1);
  g_clear_object (&message_one);
  g_clear_object (&message_two);
  util_outcome_clear (&one);
  util_outcome_clear (&two);
  util_outcome_clear (&sent);
  util_pair_free (&pair);
}

/* Calls of receive, each from the callback of the one before. */
static void
receive_next_cb (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  SeqexConnection *connection = SEQEX_CONNECTION (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) message = seqex_connection_receive_finish (connection, result, &error);
  guint *count = user_data;

  g_assert_no_error (error);
  if (message == NULL)
    {
      *count = G_MAXUINT;
      return;
    }
  (*count)++;
  seqex_connection_receive_async (connection, NULL, receive_next_cb, user_data);
}

static void
test_receive_all (void)
{
  Pair pair = util_pair_new ();
  guint count = 0;

  seqex_connection_receive_async (pair.b, NULL, receive_next_cb, &count);
  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (GBytes) payload = util_bytes ("x");

      seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
    }
  wait_until (count == 300);
  g_assert_true (util_close (pair.a, NULL));
  wait_until (count == G_MAXUINT);
  util_pair_free (&pair);
}

static void
test_accepts_messages (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("waits");
  g_auto (Outcome) waiting = { 0 };
  g_autoptr (GError) error = NULL;

  /* What waits is ended, too. */
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &waiting);
  wait_until (seqex_connection_get_state (pair.a) == SEQEX_CONNECTION_STATE_CONNECTED);
  seqex_connection_set_accepts_messages (pair.b, FALSE);
  wait_until (waiting.result != NULL);
  g_assert_null (util_send_with_reply_finish (&waiting, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_UNHANDLED);
  g_clear_error (&error);

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_assert_null (util_send_with_reply (pair.a, "refused", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_UNHANDLED);
  g_clear_error (&error);
  g_assert_false (util_send (pair.a, "refused", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_UNHANDLED);

  /* Replies are no messages in this sense. */
  g_signal_connect (pair.a, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.b, "the other way");
  seqex_connection_set_accepts_messages (pair.b, TRUE);
  util_exchange (pair.a, "welcome");
  util_outcome_clear (&waiting);
  util_pair_free (&pair);
}

/* Datagrams ------------------------------------------------------------------------------ */

static void
datagram_cb (SeqexConnection *connection,
             GBytes          *payload,
             GBytes         **kept)
{
  g_assert_null (*kept);
  *kept = g_bytes_ref (payload);
}

static void
test_datagram (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("unconfirmed");
  g_autoptr (GBytes) large = util_blob (1201, 1);
  g_autoptr (GBytes) kept = NULL;
  g_autoptr (GError) error = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "now both know each other");

  /* Without a handler datagrams are dropped. */
  g_assert_true (seqex_connection_send_datagram (pair.a, payload, &error));
  g_assert_no_error (error);
  util_exchange (pair.a, "behind it");
  g_signal_connect (pair.b, "datagram", G_CALLBACK (datagram_cb), &kept);
  util_run_for (20);
  g_assert_null (kept);

  g_assert_true (seqex_connection_send_datagram (pair.a, payload, &error));
  wait_until (kept != NULL);
  g_assert_true (g_bytes_equal (kept, payload));

  g_assert_false (seqex_connection_send_datagram (pair.a, large, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "1201"));
  util_pair_free (&pair);
}

static void
test_datagram_queue (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GError) error = NULL;
  guint n = 0;

  while (seqex_connection_send_datagram (pair.a, payload, &error))
    n++;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_assert_nonnull (strstr (error->message, "64"));
  g_assert_cmpuint (n, ==, 64);
  util_settle ();
  g_assert_true (seqex_connection_send_datagram (pair.a, payload, NULL));
  util_pair_free (&pair);
}

/* Limits --------------------------------------------------------------------------------- */

static void
test_too_large (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_blob (20001, 1);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) early = { 0 };
  g_auto (Outcome) late = { 0 };

  seqex_connection_set_max_message_size (pair.b, 20000);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);

  /* Before the peer's limit is known … */
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &early);
  util_exchange (pair.a, "small");
  wait_until (early.result != NULL);
  g_assert_null (util_send_with_reply_finish (&early, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "20001"));
  g_assert_nonnull (strstr (error->message, "20000"));
  g_clear_error (&error);

  /* … and after. */
  seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &late);
  g_assert_null (late.result);
  g_main_context_iteration (NULL, FALSE);
  g_assert_nonnull (late.result);
  g_assert_null (util_send_with_reply_finish (&late, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_MESSAGE_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "20001"));
  g_assert_nonnull (strstr (error->message, "20000"));

  /* It is settled by the first datagram. */
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*after the first datagram*");
  seqex_connection_set_max_message_size (pair.b, 30000);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (seqex_connection_get_max_message_size (pair.b), ==, 20000);

  util_outcome_clear (&early);
  util_outcome_clear (&late);
  util_pair_free (&pair);
}

static void
notify_count_cb (GObject    *object,
                 GParamSpec *pspec,
                 guint      *count)
{
  (*count)++;
}

static void
test_queue (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_blob (936, 1);
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) refused = { 0 };
  guint n_queued = 0, n_writable = 0;
  Tally tally = { 0 };
  guint n;

  g_signal_connect (pair.a, "notify::queued-bytes", G_CALLBACK (notify_count_cb), &n_queued);
  g_signal_connect (pair.a, "notify::writable", G_CALLBACK (notify_count_cb), &n_writable);
  seqex_connection_set_max_queued_bytes (pair.a, 100000);
  g_assert_true (seqex_connection_get_writable (pair.a));

  for (n = 0; seqex_connection_get_writable (pair.a); n++)
    seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, tally_cb,
                                            &tally);
  g_assert_cmpuint (seqex_connection_get_queued_bytes (pair.a), >, 50000);
  g_assert_cmpuint (seqex_connection_get_queued_bytes (pair.a), <=, 51000);

  while (seqex_connection_get_queued_bytes (pair.a) + 1000 <= 100000)
    {
      seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              tally_cb, &tally);
      n++;
    }
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &refused);
  wait_until (refused.result != NULL);
  g_assert_false (util_send_finish (&refused, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
  g_assert_nonnull (strstr (error->message, "100000"));

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  wait_until (tally.done == n);
  g_assert_cmpuint (tally.failed, ==, 0);
  g_assert_true (seqex_connection_get_writable (pair.a));
  g_assert_cmpuint (seqex_connection_get_queued_bytes (pair.a), ==, 0);
  g_assert_cmpuint (n_queued, >=, 2);
  g_assert_cmpuint (n_writable, ==, 2);
  util_outcome_clear (&refused);
  util_pair_free (&pair);
}

/* Two connections with another instance do not hear each other. */
static void
test_instance (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  Pair pair;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexStatistics) statistics = NULL;

  util_new_udp_sockets (&a, &b);
  pair.a = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "instance", 7, "timeout", 50, NULL);
  pair.b = g_object_new (SEQEX_TYPE_CONNECTION, "socket", b, "instance", 8, NULL);
  g_assert_cmpuint (seqex_connection_get_instance (pair.a), ==, 7);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  g_assert_null (util_send_with_reply (pair.a, "x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  statistics = seqex_connection_get_statistics (pair.b);
  g_assert_cmpuint (seqex_statistics_get_packets_dropped (statistics), >=, 1);
  g_assert_cmpuint (seqex_statistics_get_packets_received (statistics), ==, 0);
  util_pair_dispose (&pair);
}

/* Properties ----------------------------------------------------------------------------- */

static void
test_properties (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;
  g_autoptr (SeqexConnection) connection = NULL;
  g_autoptr (GSocketAddress) local = NULL;
  guint n_specs;
  g_autofree GParamSpec **specs = NULL;
  guint count = 0;

  util_new_udp_sockets (&a, &b);
  connection = g_object_new (SEQEX_TYPE_CONNECTION, "socket", a, "max-datagram-size", 9000, NULL);
  local = g_socket_get_local_address (b, NULL);
  g_assert_true (seqex_connection_get_socket (connection) == a);
  g_assert_true (seqex_connection_get_transport (connection) == G_DATAGRAM_BASED (a));
  g_assert_cmpuint (seqex_connection_get_max_datagram_size (connection), ==, 9000);
  g_assert_cmpuint (
    g_inet_socket_address_get_port (
      G_INET_SOCKET_ADDRESS (seqex_connection_get_remote_address (connection))), ==,
    g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (local)));

  g_assert_cmpint (seqex_connection_get_state (connection), ==, SEQEX_CONNECTION_STATE_CONNECTING);
  g_assert_null (seqex_connection_get_application_id (connection));
  g_assert_true (seqex_connection_get_accepts_messages (connection));
  g_assert_cmpuint (seqex_connection_get_timeout (connection), ==, 0);
  g_assert_cmpuint (seqex_connection_get_keepalive_interval (connection), ==, 10000);
  g_assert_cmpuint (seqex_connection_get_idle_timeout (connection), ==, 30000);
  g_assert_cmpuint (seqex_connection_get_max_message_size (connection), ==, 1048576);
  g_assert_cmpuint (seqex_connection_get_max_queued_bytes (connection), ==, 64 << 20);
  g_assert_cmpuint (seqex_connection_get_queued_bytes (connection), ==, 0);
  g_assert_true (seqex_connection_get_writable (connection));
  g_assert_cmpuint (seqex_connection_get_round_trip_time (connection), ==, 0);

  g_signal_connect (connection, "notify", G_CALLBACK (notify_count_cb), &count);
  for (guint i = 0; i < 2; i++)
    {
      /* The second round changes nothing, so it notifies of nothing. */
      g_object_set (connection, "accepts-messages", FALSE, "timeout", 1, "keepalive-interval", 0,
                    "idle-timeout", 3, "max-message-size", G_GUINT64_CONSTANT (268435456),
                    "max-queued-bytes", G_GUINT64_CONSTANT (1), NULL);
      g_assert_cmpuint (count, ==, 6);
    }
  g_assert_cmpuint (seqex_connection_get_keepalive_interval (connection), ==, 0);
  g_assert_cmpuint (seqex_connection_get_idle_timeout (connection), ==, 10);
  seqex_connection_set_idle_timeout (connection, 0);
  g_assert_cmpuint (seqex_connection_get_idle_timeout (connection), ==, 0);

  /* Every property says through GObject what its getter says, and reading changes nothing. */
  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (connection), &n_specs);
  g_assert_cmpuint (n_specs, ==, 24);
  for (guint i = 0; i < n_specs; i++)
    {
      g_auto (GValue) value = G_VALUE_INIT;

      g_object_get_property (G_OBJECT (connection), specs[i]->name, &value);
      g_assert_true (G_VALUE_HOLDS (&value, specs[i]->value_type));
    }
  util_settle ();
  g_object_run_dispose (G_OBJECT (connection));
}

static void
test_statistics (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexStatistics) statistics = NULL;
  g_autoptr (SeqexStatistics) copy = NULL;
  g_autofree char *text = NULL;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < 10; i++)
    util_exchange (pair.a, "x");
  g_object_get (pair.a, "statistics", &statistics, NULL);
  copy = seqex_statistics_copy (statistics);
  g_assert_cmpuint (seqex_statistics_get_messages_sent (copy), ==, 10);
  g_assert_cmpuint (seqex_statistics_get_exchanges_started (copy), ==, 10);
  g_assert_cmpuint (seqex_statistics_get_exchanges_accepted (copy), ==, 0);
  g_assert_cmpuint (seqex_statistics_get_replies_received (copy), ==, 10);
  g_assert_cmpuint (seqex_statistics_get_messages_received (copy), ==, 10);
  g_assert_cmpuint (seqex_statistics_get_packets_lost (copy), ==, 0);
  g_assert_cmpuint (seqex_statistics_get_packets_sent (copy), >=, 10);
  g_assert_cmpuint (seqex_statistics_get_bytes_sent (copy), >, 170);
  g_assert_cmpuint (seqex_statistics_get_round_trip_time (copy), >, 0);
  g_assert_cmpuint (seqex_statistics_get_round_trip_time (copy), ==,
                    seqex_connection_get_round_trip_time (pair.a));
  text = seqex_statistics_to_string (copy);
  g_assert_nonnull (strstr (text, "messages_sent: 10\n"));
  g_assert_nonnull (strstr (text, "dropped, stray_reply: 0\n"));
  util_pair_free (&pair);
}

/* Programming errors --------------------------------------------------------------------- */

static void
test_arguments (void)
{
  Pair pair = util_pair_new ();

  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*payload != NULL*");
  seqex_connection_send_async (pair.a, NULL, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*payload != NULL*");
  g_assert_false (seqex_connection_send_datagram (pair.a, NULL, NULL));
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*id > 0*");
  g_assert_null (seqex_connection_open_channel (pair.a, 0));
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*id > 0*");
  g_assert_null (seqex_connection_open_channel (pair.a, 256));
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*G_IS_SOCKET*");
  g_assert_null (seqex_connection_new (NULL));
  g_test_expect_message ("Seqex", G_LOG_LEVEL_CRITICAL, "*G_IS_DATAGRAM_BASED*");
  g_assert_null (seqex_connection_new_for_transport (NULL));
  g_test_assert_expected_messages ();
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  static const PairFunc udp = util_pair_new;
  static const PairFunc unix_sockets = util_pair_new_unix;

  g_test_init (&argc, &argv, NULL);

  g_test_add_data_func ("/seqex/connection/reply/udp", &udp, test_reply);
  g_test_add_data_func ("/seqex/connection/reply/unix", &unix_sockets, test_reply);
  g_test_add_func ("/seqex/connection/send", test_send);
  g_test_add_func ("/seqex/connection/sizes", test_sizes);
  g_test_add_func ("/seqex/connection/many", test_many);
  g_test_add_func ("/seqex/connection/ordered", test_ordered);
  g_test_add_func ("/seqex/connection/datagrams-per-exchange", test_datagrams_per_exchange);
  g_test_add_func ("/seqex/connection/untaken", test_untaken);
  g_test_add_func ("/seqex/connection/taken", test_taken);
  g_test_add_func ("/seqex/connection/answered-and-untaken", test_answered_and_untaken);
  g_test_add_func ("/seqex/connection/receive", test_receive);
  g_test_add_func ("/seqex/connection/receive-all", test_receive_all);
  g_test_add_func ("/seqex/connection/accepts-messages", test_accepts_messages);
  g_test_add_func ("/seqex/connection/datagram", test_datagram);
  g_test_add_func ("/seqex/connection/datagram-queue", test_datagram_queue);
  g_test_add_func ("/seqex/connection/too-large", test_too_large);
  g_test_add_func ("/seqex/connection/queue", test_queue);
  g_test_add_func ("/seqex/connection/instance", test_instance);
  g_test_add_func ("/seqex/connection/properties", test_properties);
  g_test_add_func ("/seqex/connection/statistics", test_statistics);
  g_test_add_func ("/seqex/connection/arguments", test_arguments);

  return g_test_run ();
}
