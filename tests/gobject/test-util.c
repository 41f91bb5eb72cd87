/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include <sys/socket.h>

#define DEADLINE_SECONDS 60

typedef struct
{
  const char *where;
  const char *what;
} Deadline;

static gboolean
deadline_cb (gpointer user_data)
{
  Deadline *deadline = user_data;

  g_error ("%s: %s did not come true within %d seconds", deadline->where, deadline->what,
           DEADLINE_SECONDS);
  return G_SOURCE_REMOVE;
}

GSource *
util_deadline_new (const char *where,
                   const char *what)
{
  GSource *source = g_timeout_source_new_seconds (DEADLINE_SECONDS);
  Deadline *deadline = g_new (Deadline, 1);

  deadline->where = where;
  deadline->what = what;
  g_source_set_callback (source, deadline_cb, deadline, g_free);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

void
util_settle (void)
{
  while (g_main_context_iteration (g_main_context_get_thread_default (), FALSE))
    ;
}

static gboolean
set_flag_cb (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

void
util_run_for (guint milliseconds)
{
  g_autoptr (GSource) source = g_timeout_source_new (milliseconds);
  gboolean over = FALSE;

  g_source_set_callback (source, set_flag_cb, &over, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  wait_until (over);
}

static GSocket *
new_bound_socket (GSocketAddress **address)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GInetAddress) loopback = g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) any_port = g_inet_socket_address_new (loopback, 0);
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, &error);

  g_assert_no_error (error);
  g_socket_bind (socket, any_port, FALSE, &error);
  g_assert_no_error (error);
  *address = g_socket_get_local_address (socket, &error);
  g_assert_no_error (error);
  return socket;
}

void
util_new_udp_sockets (GSocket **a,
                      GSocket **b)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address_a = NULL;
  g_autoptr (GSocketAddress) address_b = NULL;

  *a = new_bound_socket (&address_a);
  *b = new_bound_socket (&address_b);
  g_socket_connect (*a, address_b, NULL, &error);
  g_assert_no_error (error);
  g_socket_connect (*b, address_a, NULL, &error);
  g_assert_no_error (error);
}

void
util_new_unix_sockets (GSocket **a,
                       GSocket **b)
{
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  *a = g_socket_new_from_fd (fds[0], &error);
  g_assert_no_error (error);
  *b = g_socket_new_from_fd (fds[1], &error);
  g_assert_no_error (error);
}

Pair
util_pair_new (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;

  util_new_udp_sockets (&a, &b);
  return (Pair) { seqex_connection_new (a), seqex_connection_new (b) };
}

Pair
util_pair_new_unix (void)
{
  g_autoptr (GSocket) a = NULL;
  g_autoptr (GSocket) b = NULL;

  util_new_unix_sockets (&a, &b);
  return (Pair) { seqex_connection_new (a), seqex_connection_new (b) };
}

void
util_pair_free (Pair *pair)
{
  gpointer a = pair->a;
  gpointer b = pair->b;

  g_object_add_weak_pointer (a, &a);
  g_object_add_weak_pointer (b, &b);
  g_clear_object (&pair->a);
  g_clear_object (&pair->b);
  wait_until (a == NULL && b == NULL);
}

void
util_pair_dispose (Pair *pair)
{
  g_object_run_dispose (G_OBJECT (pair->a));
  g_object_run_dispose (G_OBJECT (pair->b));
  util_pair_free (pair);
}

GBytes *
util_bytes (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

GBytes *
util_blob (gsize   size,
           guint32 seed)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    {
      seed = seed * 1664525u + 1013904223u;
      data[i] = seed >> 24;
    }
  return g_bytes_new_take (data, size);
}

void
util_assert_text (SeqexMessage *message,
                  const char   *text)
{
  g_autofree char *got = NULL;

  g_assert_true (SEQEX_IS_MESSAGE (message));
  got = seqex_message_dup_text (message);
  g_assert_cmpstr (got, ==, text);
}

void
util_outcome_cb (GObject      *source,
                 GAsyncResult *result,
                 gpointer      user_data)
{
  Outcome *outcome = user_data;

  g_assert_null (outcome->result);
  outcome->source = source != NULL ? g_object_ref (source) : NULL;
  outcome->result = g_object_ref (result);
}

void
util_outcome_clear (Outcome *outcome)
{
  g_clear_object (&outcome->source);
  g_clear_object (&outcome->result);
}

gboolean
util_send_finish (Outcome  *outcome,
                  GError  **error)
{
  g_assert_nonnull (outcome->result);
  return seqex_connection_send_finish (SEQEX_CONNECTION (outcome->source), outcome->result, error);
}

SeqexMessage *
util_send_with_reply_finish (Outcome  *outcome,
                             GError  **error)
{
  g_assert_nonnull (outcome->result);
  return seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (outcome->source),
                                                  outcome->result, error);
}

SeqexMessage *
util_receive_finish (Outcome  *outcome,
                     GError  **error)
{
  g_assert_nonnull (outcome->result);
  return seqex_connection_receive_finish (SEQEX_CONNECTION (outcome->source), outcome->result,
                                          error);
}

gboolean
util_send (SeqexConnection  *connection,
           const char       *text,
           GError          **error)
{
  g_autoptr (GBytes) payload = util_bytes (text);
  g_auto (Outcome) outcome = { 0 };

  seqex_connection_send_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                               &outcome);
  wait_until (outcome.result != NULL);
  return util_send_finish (&outcome, error);
}

SeqexMessage *
util_send_with_reply (SeqexConnection  *connection,
                      const char       *text,
                      GError          **error)
{
  g_autoptr (GBytes) payload = util_bytes (text);
  g_auto (Outcome) outcome = { 0 };

  seqex_connection_send_with_reply_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return util_send_with_reply_finish (&outcome, error);
}

SeqexMessage *
util_receive (SeqexConnection  *connection,
              GError          **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_connection_receive_async (connection, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return util_receive_finish (&outcome, error);
}

gboolean
util_reply (SeqexMessage  *message,
            const char    *text,
            GError       **error)
{
  g_autoptr (GBytes) payload = util_bytes (text);
  g_auto (Outcome) outcome = { 0 };

  seqex_message_reply_async (message, payload, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                             &outcome);
  wait_until (outcome.result != NULL);
  return seqex_message_reply_finish (message, outcome.result, error);
}

void
util_exchange (SeqexConnection *connection,
               const char      *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = util_send_with_reply (connection, text, &error);

  g_assert_no_error (error);
  util_assert_text (reply, text);
}

gboolean
util_close (SeqexConnection  *connection,
            GError          **error)
{
  g_auto (Outcome) outcome = { 0 };

  seqex_connection_close_async (connection, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  return seqex_connection_close_finish (connection, outcome.result, error);
}

gboolean
util_echo_cb (GObject      *object,
              SeqexMessage *message,
              gpointer      user_data)
{
  if (seqex_message_get_expects_reply (message))
    seqex_message_reply_async (message, seqex_message_get_payload (message),
                               SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
  return TRUE;
}
