/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TCP as a GLib program does it when speed matters: GSocketConnection, TCP_NODELAY, messages with
 * their length before them.
 *
 *   tcp    the connection as it is
 *   tls    under a GTlsConnection, with a certificate made for the run
 *
 * Reading: a GBufferedInputStream is filled, and every whole message in it is served before the
 * next read. Each becomes a GBytes, which the program may keep: so much every message system gives.
 * Writing: whatever the messages of one read gave goes out in one asynchronous write; what is
 * ready meanwhile is collected for the next. So with 64 requests outstanding both sides make a
 * system call per batch, not per message. Bulk: several messages in one write, and a buffer for
 * several.
 */
#include <errno.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "certificate.h"
#include "harness.h"

#define LENGTH 4u
#define BUFFER_SIZE (256u * 1024)
#define BULK_BATCH (256u * 1024) /* bytes in one write of the bulk work */

typedef struct
{
  Bench                *bench;
  GIOStream            *stream;
  GBufferedInputStream *input;
  GOutputStream        *output;
  gboolean              serves;
  gboolean              writing;
  GByteArray           *ready;   /* collected while the other one is being written */
  GByteArray           *leaving;
} Peer;

/* Writing ----------------------------------------------------------------------------- */

static void flush (Peer *self);

static void
written_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Peer *self = user_data;
  g_autoptr (GError) error = NULL;

  if (!g_output_stream_write_all_finish (self->output, result, NULL, &error))
    bench_fail ("%s", error->message);
  self->writing = FALSE;
  g_byte_array_set_size (self->leaving, 0);
  flush (self);
}

static void
put (Peer          *self,
     gconstpointer  message,
     gsize          size)
{
  guint32 length = g_htonl ((guint32) size);

  g_byte_array_append (self->ready, (const guint8 *) &length, LENGTH);
  g_byte_array_append (self->ready, message, (guint) size);
}

static void
put_request (Peer  *self,
             guint  slot)
{
  g_autoptr (GBytes) payload = bench_request_bytes (self->bench, slot);

  put (self, g_bytes_get_data (payload, NULL), g_bytes_get_size (payload));
}

static void
fill_bulk (Peer *self)
{
  gconstpointer message;

  while (self->ready->len < BULK_BATCH && bench_bulk (self->bench, &message))
    put (self, message, bench_size (self->bench));
}

static void
flush (Peer *self)
{
  GByteArray *full = self->ready;

  if (self->writing)
    return;
  if (bench_work (self->bench) == WORK_BULK && !self->serves)
    fill_bulk (self);
  if (full->len == 0)
    return;
  self->ready = self->leaving;
  self->leaving = full;
  self->writing = TRUE;
  g_output_stream_write_all_async (self->output, full->data, full->len, G_PRIORITY_DEFAULT, NULL,
                                   written_cb, self);
}

/* Reading ----------------------------------------------------------------------------- */

static void
take (Peer   *self,
      GBytes *payload)
{
  gsize size;
  gconstpointer message = g_bytes_get_data (payload, &size);
  guint slot;

  if (self->serves && bench_work (self->bench) == WORK_BULK)
    bench_received (self->bench, message, size);
  else if (self->serves)
    put (self, message, size);
  else if (bench_reply (self->bench, message, size, &slot))
    put_request (self, slot);
}

static void
filled_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  Peer *self = user_data;
  g_autoptr (GError) error = NULL;
  gssize got = g_buffered_input_stream_fill_finish (self->input, result, &error);
  const guint8 *data;
  gsize size;
  gsize at = 0;

  if (got <= 0)
    bench_fail ("%s", error != NULL ? error->message : "the peer closed");
  data = g_buffered_input_stream_peek_buffer (self->input, &size);
  while (size - at >= LENGTH)
    {
      g_autoptr (GBytes) payload = NULL;
      guint32 length;

      memcpy (&length, data + at, LENGTH);
      length = g_ntohl (length);
      if (length != bench_size (self->bench))
        bench_fail ("a message of %u bytes", length);
      if (size - at < LENGTH + length)
        break;
      payload = g_bytes_new (data + at + LENGTH, length);
      take (self, payload);
      at += LENGTH + length;
    }
  /* What is in the buffer is skipped there and then. */
  if (at > 0)
    g_input_stream_skip (G_INPUT_STREAM (self->input), at, NULL, NULL);
  flush (self);
  g_buffered_input_stream_fill_async (self->input, -1, G_PRIORITY_DEFAULT, NULL, filled_cb, self);
}

/* Connecting -------------------------------------------------------------------------- */

static Peer *
new_peer (Bench     *bench,
          GIOStream *stream,
          gboolean   serves)
{
  Peer *self = g_new0 (Peer, 1);

  self->bench = bench;
  self->serves = serves;
  self->stream = stream;
  self->output = g_io_stream_get_output_stream (stream);
  self->input = G_BUFFERED_INPUT_STREAM (g_buffered_input_stream_new_sized (
    g_io_stream_get_input_stream (stream),
    bench_work (bench) == WORK_IDLE ? 4096 : BUFFER_SIZE));
  self->ready = g_byte_array_new ();
  self->leaving = g_byte_array_new ();
  g_buffered_input_stream_fill_async (self->input, -1, G_PRIORITY_DEFAULT, NULL, filled_cb, self);
  return self;
}

static void
set_options (Bench             *bench,
             GSocketConnection *connection)
{
  const char *congestion = bench_congestion (bench);
  GSocket *socket = g_socket_connection_get_socket (connection);
  g_autoptr (GError) error = NULL;

  if (!g_socket_set_option (socket, IPPROTO_TCP, TCP_NODELAY, 1, &error))
    bench_fail ("TCP_NODELAY: %s", error->message);
  if (congestion != NULL
      && setsockopt (g_socket_get_fd (socket), IPPROTO_TCP, TCP_CONGESTION, congestion,
                     (socklen_t) strlen (congestion)) != 0)
    bench_fail ("TCP %s: %s", congestion, g_strerror (errno));
}

static void
handshaken_cb (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  if (!g_tls_connection_handshake_finish (G_TLS_CONNECTION (source), result, &error))
    bench_fail ("%s", error->message);
  new_peer (user_data, G_IO_STREAM (source), TRUE);
}

static gboolean
incoming_cb (GSocketService    *service,
             GSocketConnection *connection,
             GObject           *certificate,
             gpointer           user_data)
{
  Bench *bench = user_data;
  g_autoptr (GError) error = NULL;
  GIOStream *tls;

  set_options (bench, connection);
  if (!bench_is (bench, "tls"))
    {
      new_peer (bench, g_object_ref (G_IO_STREAM (connection)), TRUE);
      return TRUE;
    }
  tls = g_tls_server_connection_new (G_IO_STREAM (connection), G_TLS_CERTIFICATE (certificate),
                                     &error);
  if (tls == NULL)
    bench_fail ("%s", error->message);
  g_tls_connection_handshake_async (G_TLS_CONNECTION (tls), G_PRIORITY_DEFAULT, NULL,
                                    handshaken_cb, bench);
  return TRUE;
}

static void
serve (Bench *bench)
{
  GSocketService *service = g_socket_service_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (bench_host (bench),
                                                                              0);
  g_autoptr (GSocketAddress) bound = NULL;
  g_autoptr (GTlsCertificate) certificate = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *pem = NULL;

  if (bench_is (bench, "tls"))
    {
      pem = certificate_new ();
      certificate = g_tls_certificate_new_from_pem (pem, -1, &error);
      if (certificate == NULL)
        bench_fail ("%s", error->message);
    }
  g_signal_connect (service, "incoming", G_CALLBACK (incoming_cb), bench);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (service), address, G_SOCKET_TYPE_STREAM,
                                      G_SOCKET_PROTOCOL_TCP, G_OBJECT (certificate), &bound,
                                      &error))
    bench_fail ("%s", error->message);
  bench_ready (bench, g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (bound)), pem);
  while (TRUE)
    g_main_context_iteration (NULL, TRUE);
}

/* The one certificate that is right is the server's. */
static gboolean
accept_cb (GTlsConnection       *connection,
           GTlsCertificate      *certificate,
           GTlsCertificateFlags  problems,
           gpointer              expected)
{
  return g_tls_certificate_is_same (certificate, expected);
}

static Peer *
open_connection (Bench *bench)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_autoptr (GSocketConnectable) target = G_SOCKET_CONNECTABLE (
    g_inet_socket_address_new_from_string (bench_host (bench), bench_port (bench)));
  g_autoptr (GTlsCertificate) expected = NULL;
  g_autoptr (GError) error = NULL;
  GSocketConnection *connection;
  GIOStream *tls;

  g_socket_client_set_enable_proxy (client, FALSE);
  connection = g_socket_client_connect (client, target, NULL, &error);
  if (connection == NULL)
    bench_fail ("%s", error->message);
  set_options (bench, connection);
  if (!bench_is (bench, "tls"))
    return new_peer (bench, G_IO_STREAM (connection), FALSE);

  expected = g_tls_certificate_new_from_pem (bench_text (bench), -1, &error);
  tls = g_tls_client_connection_new (G_IO_STREAM (connection), NULL, &error);
  if (expected == NULL || tls == NULL)
    bench_fail ("%s", error->message);
  g_signal_connect_object (tls, "accept-certificate", G_CALLBACK (accept_cb), expected, 0);
  if (!g_tls_connection_handshake (G_TLS_CONNECTION (tls), NULL, &error))
    bench_fail ("%s", error->message);
  return new_peer (bench, tls, FALSE);
}

static void
drive (Bench *bench)
{
  guint opened = 0;
  Peer *peer = NULL;

  if (bench_work (bench) == WORK_IDLE)
    {
      for (; opened < bench_connections (bench) / 10; opened++)
        open_connection (bench);
      bench_opened (bench, opened);
      for (; opened < bench_connections (bench); opened++)
        open_connection (bench);
      bench_opened (bench, opened);
      return;
    }
  peer = open_connection (bench);
  bench_begin (bench);
  if (bench_work (bench) == WORK_REQUESTS)
    for (guint slot = 0; slot < bench_depth (bench); slot++)
      put_request (peer, slot);
  flush (peer);
  bench_run_loop (bench);
}

static const char *
missing (Bench *bench)
{
  if (bench_is (bench, "tls") && !g_tls_backend_supports_tls (g_tls_backend_get_default ()))
    return "GIO has no TLS here";
  return NULL;
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "tcp", "tls", NULL };
  static const System system = {
    .name = "gio",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK | WORK_IDLE,
    .serve = serve,
    .drive = drive,
    .missing = missing,
  };

  return bench_main (&system, argc, argv);
}
