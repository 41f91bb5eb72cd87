/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Endpoints that move to another address of the machine, under connections that go on.
 */
#include "endpoint-util.h"

#define N_OPEN 200u

typedef struct
{
  Outcome outcomes[N_OPEN];
  GQueue  held; /* SeqexMessage */
} Exchanges;

static gboolean
hold_cb (SeqexConnection *connection,
         SeqexMessage    *message,
         Exchanges       *exchanges)
{
  g_queue_push_tail (&exchanges->held, g_object_ref (message));
  return TRUE;
}

/* Starts exchanges, and waits until the other program has all of them. */
static void
begin (Exchanges       *exchanges,
       SeqexConnection *from,
       SeqexConnection *to)
{
  g_signal_connect (to, "message", G_CALLBACK (hold_cb), exchanges);
  for (guint i = 0; i < N_OPEN; i++)
    {
      g_autofree char *text = g_strdup_printf ("question %u", i);
      g_autoptr (GBytes) payload = util_bytes (text);

      seqex_connection_send_with_reply_async (from, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                              util_outcome_cb, &exchanges->outcomes[i]);
    }
  wait_until (exchanges->held.length == N_OPEN);
}

static void
finish (Exchanges *exchanges)
{
  g_autoptr (GBytes) answer = util_bytes ("answer");
  SeqexMessage *message;

  while ((message = g_queue_pop_head (&exchanges->held)) != NULL)
    {
      seqex_message_reply_async (message, answer, SEQEX_SEND_FLAGS_NONE, NULL, NULL, NULL);
      g_object_unref (message);
    }
  for (guint i = 0; i < N_OPEN; i++)
    {
      g_autoptr (SeqexMessage) reply = NULL;

      wait_until (exchanges->outcomes[i].result != NULL);
      reply = util_send_with_reply_finish (&exchanges->outcomes[i], NULL);
      util_assert_text (reply, "answer");
      util_outcome_clear (&exchanges->outcomes[i]);
    }
}

static char *
host_of (SeqexConnection *connection)
{
  GSocketAddress *address = seqex_connection_get_remote_address (connection);

  return g_inet_address_to_string (
    g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

static gboolean
has_moved (SeqexConnection *connection,
           const char      *host)
{
  g_autofree char *now = host_of (connection);

  return g_strcmp0 (now, host) == 0;
}

/* @who: 0, the side that opened the connection, moves; 1, the other one; 2, both at once. */
static void
test_rebind (gconstpointer who)
{
  g_autoptr (SeqexEndpoint) client = endpoint_new ();
  g_autoptr (SeqexEndpoint) server = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GSocketAddress) old = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GSocketAddress) two = endpoint_address ("127.0.0.2", 0);
  g_autoptr (GSocketAddress) three = endpoint_address ("127.0.0.3", 0);
  guint which = GPOINTER_TO_UINT (who);
  g_autoptr (GError) error = NULL;
  Exchanges up = { 0 }, down = { 0 };
  Pair pair;

  g_assert_true (seqex_endpoint_bind (client, old, &error));
  pair = endpoint_join (client, server);
  begin (&up, pair.a, pair.b);
  begin (&down, pair.b, pair.a);

  if (which != 1)
    g_assert_true (seqex_endpoint_rebind (client, two, &error));
  if (which == 1)
    g_assert_true (seqex_endpoint_rebind (server, three, &error));
  g_assert_no_error (error);
  if (which != 1)
    wait_until (has_moved (pair.b, "127.0.0.2"));
  if (which == 2)
    g_assert_true (seqex_endpoint_rebind (server, three, &error));
  if (which != 0)
    wait_until (has_moved (pair.a, "127.0.0.3"));

  finish (&up);
  finish (&down);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (server)), ==, 1);
  g_assert_true (endpoint_close (client, &error));
  g_assert_no_error (error);
  g_clear_object (&pair.a);
  g_clear_object (&pair.b);
}

/* What cannot be had leaves everything as it was. */
static void
test_errors (void)
{
  g_autoptr (SeqexEndpoint) client = endpoint_new ();
  g_autoptr (SeqexEndpoint) server = endpoint_new_bound ("127.0.0.1");
  g_autoptr (GSocketAddress) taken = endpoint_address ("127.0.0.1", endpoint_port (server));
  g_autoptr (GSocketAddress) elsewhere = endpoint_address ("192.0.2.1", 0);
  g_autoptr (GSocketAddress) address = endpoint_address ("127.0.0.1", 0);
  g_autoptr (GError) error = NULL;
  guint port;
  Pair pair;

  /* Not bound yet: as bind(). */
  g_assert_true (seqex_endpoint_rebind (client, address, &error));
  port = endpoint_port (client);
  pair = endpoint_join (client, server);
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);

  g_assert_false (seqex_endpoint_rebind (client, taken, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_clear_error (&error);
  g_assert_false (seqex_endpoint_rebind (client, elsewhere, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_cmpuint (endpoint_port (client), ==, port);
  util_exchange (pair.a, "still here");

  g_assert_true (endpoint_close (client, &error));
  g_assert_no_error (error);
  g_assert_false (seqex_endpoint_rebind (client, address, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_object (&pair.a);
  g_clear_object (&pair.b);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/seqex/moving/client", GUINT_TO_POINTER (0), test_rebind);
  g_test_add_data_func ("/seqex/moving/server", GUINT_TO_POINTER (1), test_rebind);
  g_test_add_data_func ("/seqex/moving/both", GUINT_TO_POINTER (2), test_rebind);
  g_test_add_func ("/seqex/moving/errors", test_errors);
  return g_test_run ();
}
