/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "seqex-connection-private.h"

/* Sends @text, with a cancellable, to where somebody receives it. */
static void
ask (SeqexConnection *connection,
     const char      *text,
     GCancellable    *cancellable,
     Outcome         *outcome)
{
  g_autoptr (GBytes) payload = util_bytes (text);

  seqex_connection_send_with_reply_async (connection, payload, SEQEX_SEND_FLAGS_NONE, cancellable,
                                          util_outcome_cb, outcome);
}

static void
assert_cancelled (Outcome *outcome)
{
  g_autoptr (GError) error = NULL;

  wait_until (outcome->result != NULL);
  g_assert_null (util_send_with_reply_finish (outcome, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Nothing is sent, and the callback still comes later. */
static void
test_before (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (SeqexStatistics) statistics = NULL;
  g_auto (Outcome) asked = { 0 };

  g_cancellable_cancel (cancellable);
  ask (pair.a, "never sent", cancellable, &asked);
  g_assert_null (asked.result);
  assert_cancelled (&asked);
  util_settle ();
  statistics = seqex_connection_get_statistics (pair.a);
  g_assert_cmpuint (seqex_statistics_get_packets_sent (statistics), ==, 0);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
test_queued (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (Outcome) asked = { 0 };
  guint count = 0;

  ask (pair.a, "never sent", cancellable, &asked);
  g_cancellable_cancel (cancellable);
  g_assert_null (asked.result);
  assert_cancelled (&asked);

  g_signal_connect_swapped (pair.b, "message", G_CALLBACK (g_atomic_int_inc), &count);
  util_run_for (50);
  g_assert_cmpuint (count, ==, 0);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
notify_cb (GObject    *object,
           GParamSpec *pspec,
           guint      *count)
{
  (*count)++;
}

/* The peer has the message: it learns that nobody waits any more. */
static void
test_taken (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  guint count = 0;

  ask (pair.a, "question", cancellable, &asked);
  message = util_receive (pair.b, NULL);
  g_signal_connect (message, "notify::cancelled", G_CALLBACK (notify_cb), &count);
  g_cancellable_cancel (cancellable);
  assert_cancelled (&asked);
  wait_until (seqex_message_get_cancelled (message));
  g_assert_cmpuint (count, ==, 1);
  g_assert_cmpuint (seqex_connection_get_dialogue (pair.b)->taken.length, ==, 0);

  g_assert_false (util_reply (message, "answer", &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER);
  seqex_message_end (message);
  /* Nothing that a log would name. */
  g_assert_finalize_object (g_steal_pointer (&message));

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  util_exchange (pair.a, "the connection goes on");
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* The peer is answering already. */
static void
test_answered (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) large = util_blob (900000, 1);
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) answered = { 0 };

  ask (pair.a, "question", cancellable, &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_reply_async (message, large, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                             &answered);
  g_main_context_iteration (NULL, FALSE);
  g_cancellable_cancel (cancellable);
  assert_cancelled (&asked);
  wait_until (answered.result != NULL);
  g_assert_false (seqex_message_reply_finish (message, answered.result, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER);
  g_assert_false (seqex_message_get_cancelled (message));

  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_outcome_clear (&answered);
  util_pair_free (&pair);
}

/* A cancelled reply is an answer, too. */
static void
test_reply (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) large = util_blob (900000, 1);
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) answered = { 0 };

  ask (pair.a, "question", NULL, &asked);
  message = util_receive (pair.b, NULL);
  seqex_message_reply_async (message, large, SEQEX_SEND_FLAGS_NONE, cancellable, util_outcome_cb,
                             &answered);
  g_cancellable_cancel (cancellable);
  wait_until (answered.result != NULL && asked.result != NULL);
  g_assert_false (seqex_message_reply_finish (message, answered.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER);

  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_outcome_clear (&answered);
  util_pair_free (&pair);
}

/* An outcome that is there counts. */
static void
test_after (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (SeqexMessage) reply = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  ask (pair.a, "question", cancellable, &asked);
  wait_until (asked.result != NULL);
  g_cancellable_cancel (cancellable);
  reply = util_send_with_reply_finish (&asked, &error);
  g_assert_no_error (error);
  util_assert_text (reply, "question");
  g_clear_object (&reply);
  util_outcome_clear (&asked);

  /* Another one, cancelled when nothing is left of the connection. */
  g_cancellable_reset (cancellable);
  ask (pair.a, "question", cancellable, &asked);
  wait_until (asked.result != NULL);
  g_object_unref (util_send_with_reply_finish (&asked, &error));
  util_outcome_clear (&asked);
  util_pair_free (&pair);
  g_cancellable_cancel (cancellable);
}

typedef struct
{
  SeqexMessage *message;
  GError       *error;
  gboolean      done;
} Late;

static void
late_reply_cb (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  Late *late = user_data;

  g_assert_false (seqex_message_reply_finish (SEQEX_MESSAGE (source), result, &late->error));
  late->done = TRUE;
}

static void
late_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Late *late = user_data;
  g_autoptr (GBytes) payload = util_bytes ("answer");

  g_object_unref (seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result,
                                                           NULL));
  g_assert_false (seqex_message_get_cancelled (late->message));
  seqex_message_reply_async (late->message, payload, SEQEX_SEND_FLAGS_NONE, NULL, late_reply_cb,
                             late);
}

/* An answer that the peer's change of mind overtakes: here a reply and a cancellation arrive
 * together, and the callback for the one answers what the other cancelled. */
static void
test_overtaken (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) payload = util_bytes ("the other way");
  g_autoptr (SeqexMessage) other = NULL;
  g_auto (Outcome) asked = { 0 };
  Late late = { 0 };

  ask (pair.a, "question", cancellable, &asked);
  late.message = util_receive (pair.b, NULL);
  seqex_connection_send_with_reply_async (pair.b, payload, SEQEX_SEND_FLAGS_NONE, NULL, late_cb,
                                          &late);
  other = util_receive (pair.a, NULL);
  seqex_message_reply_async (other, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_cancellable_cancel (cancellable);
  wait_until (late.done);
  g_assert_error (late.error, SEQEX_ERROR, SEQEX_ERROR_CANCELLED_BY_PEER);
  g_assert_true (seqex_message_get_cancelled (late.message));

  g_clear_error (&late.error);
  g_clear_object (&late.message);
  g_clear_object (&other);
  wait_until (asked.result != NULL);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* One that is reset and used again. */
static void
test_reset (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (Outcome) asked = { 0 };

  ask (pair.a, "question", cancellable, &asked);
  for (guint i = 0; i < 3; i++)
    {
      g_cancellable_cancel (cancellable);
      g_cancellable_reset (cancellable);
    }
  assert_cancelled (&asked);
  util_outcome_clear (&asked);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  ask (pair.a, "question", cancellable, &asked);
  wait_until (asked.result != NULL);
  g_object_unref (util_send_with_reply_finish (&asked, NULL));
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

/* A cancelled call of receive takes nothing with it. */
static void
test_receive (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) payload = util_bytes ("precious");
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) first = { 0 };
  g_auto (Outcome) second = { 0 };

  seqex_connection_receive_async (pair.b, cancellable, util_outcome_cb, &first);
  seqex_connection_receive_async (pair.b, NULL, util_outcome_cb, &second);
  seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  g_cancellable_cancel (cancellable);
  wait_until (first.result != NULL && second.result != NULL);
  g_assert_null (util_receive_finish (&first, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  message = util_receive_finish (&second, &error);
  util_assert_text (message, "precious");
  util_outcome_clear (&first);

  /* One that is cancelled from the start. */
  seqex_connection_receive_async (pair.b, cancellable, util_outcome_cb, &first);
  g_assert_null (first.result);
  wait_until (first.result != NULL);
  g_assert_null (util_receive_finish (&first, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_object (&message);
  util_outcome_clear (&first);
  util_outcome_clear (&second);
  util_pair_free (&pair);
}

static void
test_close (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) asked = { 0 };
  g_auto (Outcome) closed = { 0 };
  gint64 start = g_get_monotonic_time ();

  ask (pair.a, "question", NULL, &asked);
  message = util_receive (pair.b, NULL);
  /* This waits for the answer, for 5 seconds if need be. */
  seqex_connection_close_async (pair.b, cancellable, util_outcome_cb, &closed);
  util_run_for (50);
  g_assert_null (closed.result);

  g_cancellable_cancel (cancellable);
  wait_until (closed.result != NULL && asked.result != NULL);
  g_assert_false (seqex_connection_close_finish (pair.b, closed.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 3 * G_USEC_PER_SEC);
  wait_until (seqex_connection_get_state (pair.b) == SEQEX_CONNECTION_STATE_CLOSED);

  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_outcome_clear (&closed);
  util_pair_free (&pair);
}

static gpointer
cancel_thread (gpointer cancellables)
{
  GPtrArray *array = cancellables;

  for (guint i = 0; i < array->len; i++)
    g_cancellable_cancel (array->pdata[i]);
  return NULL;
}

typedef struct
{
  guint done;
  guint cancelled;
} Tally;

static void
tally_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply =
    seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, &error);
  Tally *tally = user_data;

  tally->done++;
  tally->cancelled += g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* A cancellable may be cancelled in any thread; the callback comes in the connection's. */
static void
test_thread (void)
{
  const guint n = 2000;
  Pair pair = util_pair_new ();
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GBytes) payload = util_bytes ("x");
  Tally tally = { 0 };
  GThread *thread;

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < n; i++)
    {
      g_ptr_array_add (cancellables, g_cancellable_new ());
      seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE,
                                              cancellables->pdata[i], tally_cb, &tally);
    }
  thread = g_thread_new ("cancel", cancel_thread, cancellables);
  wait_until (tally.done == n);
  g_thread_join (thread);
  g_test_message ("%u of %u were cancelled in time", tally.cancelled, n);
  util_exchange (pair.a, "the connection goes on");
  util_pair_free (&pair);
}

/* Time-outs -------------------------------------------------------------------------------- */

static void
test_timeout (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (SeqexMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) before = { 0 };
  g_auto (Outcome) asked = { 0 };
  gint64 start;

  /* So that no other timer wakes the connection in time. */
  ask (pair.a, "before", NULL, &before);
  seqex_message_end (message = util_receive (pair.b, NULL));
  g_clear_object (&message);
  wait_until (before.result != NULL);
  util_outcome_clear (&before);
  util_run_for (100);

  start = g_get_monotonic_time ();
  seqex_connection_set_timeout (pair.a, 200);
  ask (pair.a, "question", NULL, &asked);
  message = util_receive (pair.b, NULL);
  wait_until (asked.result != NULL);
  g_assert_null (util_send_with_reply_finish (&asked, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_nonnull (strstr (error->message, "200 ms"));
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  wait_until (seqex_message_get_cancelled (message));
  g_clear_object (&message);
  util_outcome_clear (&asked);
  util_pair_free (&pair);
}

static void
order_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  GString *order = user_data;

  g_assert_false (seqex_connection_send_finish (SEQEX_CONNECTION (source), result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_string_append (order, error->message + strlen ("No answer came within "));
  g_string_append_c (order, ' ');
}

/* The soonest first, in whatever order they began. */
static void
test_timeout_order (void)
{
  const guint timeouts[] = { 60, 20, 80, 40 };
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  g_autoptr (GString) order = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (timeouts); i++)
    {
      seqex_connection_set_timeout (pair.a, timeouts[i]);
      seqex_connection_send_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, order_cb, order);
    }
  wait_until (strlen (order->str) == 24);
  g_assert_cmpstr (order->str, ==, "20 ms 40 ms 60 ms 80 ms ");
  util_pair_dispose (&pair);
}

/* Many waits with a time-out, most of which are answered in time. */
static void
test_timeout_many (void)
{
  const guint n = 20000;
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) payload = util_bytes ("x");
  Tally tally = { 0 };

  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  seqex_connection_set_timeout (pair.a, 60000);
  for (guint i = 0; i < n; i++)
    seqex_connection_send_with_reply_async (pair.a, payload, SEQEX_SEND_FLAGS_NONE, NULL, tally_cb,
                                            &tally);
  wait_until (tally.done == n);
  g_assert_cmpuint (tally.cancelled, ==, 0);
  util_pair_free (&pair);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/cancel/before", test_before);
  g_test_add_func ("/seqex/cancel/queued", test_queued);
  g_test_add_func ("/seqex/cancel/taken", test_taken);
  g_test_add_func ("/seqex/cancel/answered", test_answered);
  g_test_add_func ("/seqex/cancel/reply", test_reply);
  g_test_add_func ("/seqex/cancel/after", test_after);
  g_test_add_func ("/seqex/cancel/overtaken", test_overtaken);
  g_test_add_func ("/seqex/cancel/reset", test_reset);
  g_test_add_func ("/seqex/cancel/receive", test_receive);
  g_test_add_func ("/seqex/cancel/close", test_close);
  g_test_add_func ("/seqex/cancel/thread", test_thread);
  g_test_add_func ("/seqex/cancel/timeout", test_timeout);
  g_test_add_func ("/seqex/cancel/timeout-order", test_timeout_order);
  g_test_add_func ("/seqex/cancel/timeout-many", test_timeout_many);

  return g_test_run ();
}
