/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Seqex through its public C interface, as the programs in bindings/c use it. Encrypted: two
 * endpoints, the client knows the server's key. Plain: the same endpoints without encryption.
 * Stream: encrypted, bulk by a GIOStream of the connection, written asynchronously in pieces of the
 * size of a message and read likewise.
 */
#include <seqex.h>

#include "harness.h"

#define OPENING_MAX 32u /* handshakes under way at the same time */

typedef struct
{
  Bench              *bench;
  SeqexEndpoint      *endpoint;
  GSocketConnectable *target;
  GPtrArray          *connections;
  guint               wanted;
  guint               opening;
  guint               turn;
  guint               bulk_outstanding;
} Client;

/* The server -------------------------------------------------------------------------- */

static gboolean
answer_cb (SeqexConnection *connection,
           SeqexMessage    *message,
           gpointer         user_data)
{
  seqex_message_reply_async (message, seqex_message_get_payload (message), SEQEX_SEND_FLAGS_NONE,
                             NULL, NULL, NULL);
  return TRUE;
}

static gboolean
count_cb (SeqexConnection *connection,
          SeqexMessage    *message,
          gpointer         user_data)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (seqex_message_get_payload (message), &size);

  bench_received (user_data, data, size);
  return TRUE;
}

static void read_piece (GIOStream *stream,
                        Bench     *bench);

static void
piece_read_cb (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  Bench *bench = user_data;
  GIOStream *stream = g_object_get_data (source, "stream");
  g_autofree guint8 *piece = g_object_steal_data (source, "piece");
  g_autoptr (GError) error = NULL;
  gsize size;

  if (!g_input_stream_read_all_finish (G_INPUT_STREAM (source), result, &size, &error))
    bench_fail ("%s", error->message);
  bench_received (bench, piece, size);
  read_piece (stream, bench);
}

/* Into a buffer of its own, which the program may keep. */
static void
read_piece (GIOStream *stream,
            Bench     *bench)
{
  GInputStream *input = g_io_stream_get_input_stream (stream);
  guint8 *piece = g_malloc (bench_size (bench));

  g_object_set_data (G_OBJECT (input), "stream", stream);
  g_object_set_data (G_OBJECT (input), "piece", piece);
  g_input_stream_read_all_async (input, piece, bench_size (bench), G_PRIORITY_DEFAULT, NULL,
                                 piece_read_cb, bench);
}

static void
stream_cb (SeqexConnection *connection,
           SeqexStream     *stream,
           gpointer         user_data)
{
  read_piece (g_object_ref (G_IO_STREAM (stream)), user_data);
}

static void
connection_cb (SeqexEndpoint   *endpoint,
               SeqexConnection *connection,
               gpointer         user_data)
{
  Bench *bench = user_data;

  g_signal_connect (connection, "stream", G_CALLBACK (stream_cb), bench);
  g_signal_connect (connection, "message",
                    G_CALLBACK (bench_work (bench) == WORK_BULK ? count_cb : answer_cb), bench);
}

static SeqexEndpoint *
new_endpoint (Bench *bench)
{
  return g_object_new (SEQEX_TYPE_ENDPOINT, "max-connections", bench_connections (bench) + 100,
                       "max-half-open-per-address", 2 * OPENING_MAX, "trust-policy",
                       SEQEX_TRUST_POLICY_ANYONE, NULL);
}

static void
bind_to (SeqexEndpoint *endpoint,
         const char    *host)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, 0);
  g_autoptr (GError) error = NULL;

  if (!seqex_endpoint_bind (endpoint, address, &error))
    bench_fail ("%s", error->message);
}

static guint
port_of (SeqexEndpoint *endpoint)
{
  return g_inet_socket_address_get_port (
    G_INET_SOCKET_ADDRESS (seqex_endpoint_get_local_address (endpoint)));
}

static SeqexConnection *
open_plain (SeqexEndpoint *endpoint,
            const char    *host,
            guint          port,
            guint          instance)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, port);
  g_autoptr (GError) error = NULL;
  SeqexConnection *connection;

  connection = seqex_endpoint_open_plain_connection (endpoint, address, instance, &error);
  if (connection == NULL)
    bench_fail ("%s", error->message);
  return connection;
}

/* Without encryption there is no handshake: each side has to know where the other is. */
static void
expect_plain (Bench         *bench,
              SeqexEndpoint *endpoint)
{
  guint port = bench_wait_client_port (bench);

  for (guint i = 0; i < bench_connections (bench); i++)
    connection_cb (endpoint, open_plain (endpoint, bench_client_host (bench), port, i), bench);
}

static void
serve (Bench *bench)
{
  SeqexEndpoint *endpoint = new_endpoint (bench);
  SeqexIdentity *identity = seqex_endpoint_get_identity (endpoint);

  bind_to (endpoint, bench_host (bench));
  g_signal_connect (endpoint, "connection", G_CALLBACK (connection_cb), bench);
  bench_ready (bench, port_of (endpoint), seqex_identity_get_fingerprint (identity));
  if (bench_is (bench, "plain"))
    expect_plain (bench, endpoint);
  while (TRUE)
    g_main_context_iteration (NULL, TRUE);
}

/* The client: requests ---------------------------------------------------------------- */

static void send_request (Client *client,
                          guint   slot);

static void
replied_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Client *client = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexMessage) reply = NULL;
  gconstpointer data;
  gsize size;
  guint slot;

  reply = seqex_connection_send_with_reply_finish (SEQEX_CONNECTION (source), result, &error);
  if (reply == NULL)
    bench_fail ("%s", error->message);
  data = g_bytes_get_data (seqex_message_get_payload (reply), &size);
  if (bench_reply (client->bench, data, size, &slot))
    send_request (client, slot);
}

/* The requests go round all connections that are used. */
static void
send_request (Client *client,
              guint   slot)
{
  g_autoptr (GBytes) payload = bench_request_bytes (client->bench, slot);
  SeqexConnection *connection = client->connections->pdata[client->turn];

  client->turn = (client->turn + 1) % bench_active (client->bench);
  seqex_connection_send_with_reply_async (connection, payload, SEQEX_SEND_FLAGS_NONE, NULL,
                                          replied_cb, client);
}

/* The client: bulk -------------------------------------------------------------------- */

static void send_bulk (Client *client);

static void
sent_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Client *client = user_data;
  g_autoptr (GError) error = NULL;

  if (!seqex_connection_send_finish (SEQEX_CONNECTION (source), result, &error))
    bench_fail ("%s", error->message);
  client->bulk_outstanding--;
  send_bulk (client);
}

static void
send_bulk (Client *client)
{
  while (client->bulk_outstanding < bench_depth (client->bench))
    {
      g_autoptr (GBytes) payload = bench_bulk_bytes (client->bench);

      if (payload == NULL)
        return;
      client->bulk_outstanding++;
      seqex_connection_send_async (client->connections->pdata[0], payload,
                                   SEQEX_SEND_FLAGS_ORDERED, NULL, sent_cb, client);
    }
}

static void write_piece (Client        *client,
                         GOutputStream *output);

static void
piece_written_cb (GObject      *source,
                  GAsyncResult *result,
                  gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_output_stream_write_all_finish (G_OUTPUT_STREAM (source), result, NULL, &error))
    bench_fail ("%s", error->message);
  write_piece (user_data, G_OUTPUT_STREAM (source));
}

static void
write_piece (Client        *client,
             GOutputStream *output)
{
  gconstpointer piece;

  if (bench_bulk (client->bench, &piece))
    g_output_stream_write_all_async (output, piece, bench_size (client->bench),
                                     G_PRIORITY_DEFAULT, NULL, piece_written_cb, client);
}

static void
stream_opened_cb (GObject      *source,
                  GAsyncResult *result,
                  gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  SeqexStream *stream;

  stream = seqex_connection_open_stream_finish (SEQEX_CONNECTION (source), result, &error);
  if (stream == NULL)
    bench_fail ("%s", error->message);
  write_piece (user_data, g_io_stream_get_output_stream (G_IO_STREAM (stream)));
}

/* The client: connections ------------------------------------------------------------- */

static void open_more (Client *client);

static void
opened_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  Client *client = user_data;
  g_autoptr (GError) error = NULL;
  SeqexConnection *connection;

  connection = seqex_endpoint_open_connection_finish (SEQEX_ENDPOINT (source), result, &error);
  if (connection == NULL)
    bench_fail ("%s", error->message);
  g_ptr_array_add (client->connections, connection);
  client->opening--;
  open_more (client);
}

static void
open_more (Client *client)
{
  while (client->opening < OPENING_MAX
         && client->connections->len + client->opening < client->wanted)
    {
      client->opening++;
      seqex_endpoint_open_connection_async (client->endpoint, client->target,
                                            bench_text (client->bench), NULL, opened_cb, client);
    }
}

static void
open_connections (Client *client,
                  guint   wanted)
{
  Bench *bench = client->bench;

  client->wanted = wanted;
  if (bench_is (bench, "plain"))
    for (guint i = client->connections->len; i < wanted; i++)
      g_ptr_array_add (client->connections, open_plain (client->endpoint, bench_host (bench),
                                                        bench_port (bench), i));
  open_more (client);
  while (client->connections->len < wanted)
    g_main_context_iteration (NULL, TRUE);
}

static void
count (Bench           *bench,
       SeqexConnection *connection)
{
  g_autoptr (SeqexStatistics) statistics = seqex_connection_get_statistics (connection);

  bench_count (bench, "packets_sent", seqex_statistics_get_packets_sent (statistics));
  bench_count (bench, "bytes_sent", seqex_statistics_get_bytes_sent (statistics));
  bench_count (bench, "bytes_resent", seqex_statistics_get_bytes_resent (statistics));
  bench_count (bench, "packets_lost", seqex_statistics_get_packets_lost (statistics));
  bench_count (bench, "spurious_losses", seqex_statistics_get_spurious_losses (statistics));
  bench_count (bench, "probe_timeouts", seqex_statistics_get_probe_timeouts (statistics));
  bench_count (bench, "window", seqex_statistics_get_congestion_window (statistics));
}

static void
drive (Bench *bench)
{
  Client client = { .bench = bench };

  client.endpoint = new_endpoint (bench);
  client.target = G_SOCKET_CONNECTABLE (
    g_inet_socket_address_new_from_string (bench_host (bench), bench_port (bench)));
  client.connections = g_ptr_array_new ();
  bind_to (client.endpoint, bench_client_host (bench));
  bench_set_client_port (bench, port_of (client.endpoint));

  if (bench_work (bench) == WORK_IDLE)
    {
      open_connections (&client, bench_connections (bench) / 10);
      bench_opened (bench, client.connections->len);
    }
  open_connections (&client, bench_connections (bench));
  bench_begin (bench);
  if (bench_work (bench) == WORK_IDLE)
    bench_opened (bench, client.connections->len);
  else if (bench_work (bench) == WORK_BULK && bench_is (bench, "stream"))
    seqex_connection_open_stream_async (client.connections->pdata[0], NULL, stream_opened_cb,
                                        &client);
  else if (bench_work (bench) == WORK_BULK)
    send_bulk (&client);
  else
    for (guint slot = 0; slot < bench_depth (bench); slot++)
      send_request (&client, slot);
  bench_run_loop (bench);
  count (bench, client.connections->pdata[0]);
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "encrypted", "plain", "stream", NULL };
  static const System system = {
    .name = "seqex",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK | WORK_IDLE,
    .serve = serve,
    .drive = drive,
  };

  return bench_main (&system, argc, argv);
}
