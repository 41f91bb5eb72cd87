/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What comes to an endpoint's socket from those who are no peers.
 */
#include "endpoint-util.h"

#define N_EXCHANGES 100u

typedef struct
{
  guint port;
  guint32 seed;
  int stop;      /* atomic */
  guint64 sent;
} Flood;

static GSocket *
new_socket (const char *host)
{
  g_autoptr (GSocketAddress) address = endpoint_address (host, 0);
  g_autoptr (GError) error = NULL;
  GSocket *socket = g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_DATAGRAM,
                                  G_SOCKET_PROTOCOL_UDP, &error);

  g_assert_no_error (error);
  g_assert_true (g_socket_bind (socket, address, FALSE, &error));
  return socket;
}

/* Datagrams as fast as one processor makes them: of every type of the protocol, of every size, with
 * random contents, and INITs that look right up to their last bytes. */
static gpointer
flood (gpointer data)
{
  Flood *self = data;
  g_autoptr (GSocket) socket = new_socket ("127.0.0.66");
  g_autoptr (GSocketAddress) to = endpoint_address ("127.0.0.1", self->port);
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->seed);
  guint8 packet[1400];

  for (gsize i = 0; i < sizeof packet; i++)
    packet[i] = (guint8) g_rand_int (rand);
  while (!g_atomic_int_get (&self->stop))
    {
      gsize size = (gsize) g_rand_int_range (rand, 1, sizeof packet);

      packet[0] = (guint8) g_rand_int_range (rand, 4, 16);
      for (guint i = 1; i < 16; i++)
        packet[i] = (guint8) g_rand_int (rand);
      packet[g_rand_int_range (rand, 16, sizeof packet)] ^= (guint8) g_rand_int (rand);
      if (packet[0] == 4 && g_rand_boolean (rand))
        {
          /* Version 1, XX, no cookie, 32 bytes of Noise message 1. */
          size = 1200;
          packet[1] = packet[6] = 1;
          packet[7] = packet[8] = 0;
          packet[9] = 32;
        }
      if (g_socket_send_to (socket, to, (const char *) packet, size, NULL, NULL) > 0)
        self->sent++;
    }
  return NULL;
}

/* An honest peer gets in beside that, and works. */
static void
test_flood (void)
{
  SeqexEndpoint *server = endpoint_new_bound ("127.0.0.1");
  SeqexEndpoint *client = endpoint_new ();
  Flood self = { .port = endpoint_port (server), .seed = g_test_rand_int () };
  GThread *thread = g_thread_new ("flood", flood, &self);
  gint64 start, joined;
  Pair pair;

  util_run_for (100);
  start = g_get_monotonic_time ();
  pair = endpoint_join (client, server);
  joined = g_get_monotonic_time ();
  g_signal_connect (pair.b, "message", G_CALLBACK (util_echo_cb), NULL);
  for (guint i = 0; i < N_EXCHANGES; i++)
    util_exchange (pair.a, "still here");
  g_atomic_int_set (&self.stop, TRUE);
  g_thread_join (thread);

  g_test_message ("figure: beside %" G_GUINT64_FORMAT " datagrams of others, joined after "
                  "%.3f s, %u exchanges after %.3f s", self.sent,
                  (double) (joined - start) / G_USEC_PER_SEC, N_EXCHANGES,
                  (double) (g_get_monotonic_time () - joined) / G_USEC_PER_SEC);
  g_assert_cmpuint (self.sent, >, 1000);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (server)), ==, 1);
  endpoint_free (client);
  endpoint_free (server);
  util_pair_dispose (&pair);
}

static gboolean
answer_version_cb (GSocket      *socket,
                   GIOCondition  condition,
                   gpointer      user_data)
{
  g_autoptr (GSocketAddress) from = NULL;
  guint8 init[1500], version[6];

  g_assert_cmpint (g_socket_receive_from (socket, &from, (char *) init, sizeof init, NULL, NULL), >,
                   1199);
  g_assert_cmpuint (init[0], ==, 4);
  version[0] = 0x0b;
  memcpy (version + 1, init + 2, 4);
  version[5] = 9;
  g_socket_send_to (socket, from, (const char *) version, sizeof version, NULL, NULL);
  return G_SOURCE_CONTINUE;
}

/* A peer of another version: the error names both. */
static void
test_version (void)
{
  SeqexEndpoint *client = endpoint_new ();
  g_autoptr (GSocket) socket = new_socket ("127.0.0.1");
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, NULL);
  g_autoptr (GSource) source = g_socket_create_source (socket, G_IO_IN, NULL);
  g_autoptr (GError) error = NULL;

  g_source_set_callback (source, G_SOURCE_FUNC (answer_version_cb), NULL, NULL);
  g_source_attach (source, NULL);
  g_assert_null (endpoint_open (client, G_SOCKET_CONNECTABLE (address), NULL, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_VERSION_MISMATCH);
  g_assert_nonnull (strstr (error->message, "version 9"));
  g_assert_nonnull (strstr (error->message, "version 1"));
  g_source_destroy (source);
  endpoint_free (client);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/hostile/flood", test_flood);
  g_test_add_func ("/seqex/hostile/version", test_version);
  return g_test_run ();
}
