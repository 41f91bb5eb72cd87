/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GDBus from peer to peer, without a bus: a GDBusServer on a Unix socket, which is D-Bus's own
 * transport and cheaper than TCP. A request is a method call with one byte array, and so is its
 * reply. Bulk: calls with empty replies, as many outstanding as asked for; without replies nothing
 * would hold the sender back. GDBus reads and writes in a thread of its own.
 */
#include <gio/gio.h>

#include "harness.h"

#define PATH "/bench"
#define INTERFACE "bench.Bench"

static const char introspection[] =
  "<node><interface name='" INTERFACE "'>"
  "<method name='Echo'><arg type='ay' direction='in'/><arg type='ay' direction='out'/></method>"
  "<method name='Take'><arg type='ay' direction='in'/></method>"
  "</interface></node>";

typedef struct
{
  Bench           *bench;
  GDBusConnection *connection;
  guint            outstanding;
} Client;

/* The server -------------------------------------------------------------------------- */

static void
call_cb (GDBusConnection       *connection,
         const char            *sender,
         const char            *path,
         const char            *interface,
         const char            *method,
         GVariant              *parameters,
         GDBusMethodInvocation *invocation,
         gpointer               user_data)
{
  g_autoptr (GVariant) payload = g_variant_get_child_value (parameters, 0);

  if (g_str_equal (method, "Echo"))
    {
      g_dbus_method_invocation_return_value (invocation, g_variant_new_tuple (&payload, 1));
      return;
    }
  bench_received (user_data, g_variant_get_data (payload), g_variant_get_size (payload));
  g_dbus_method_invocation_return_value (invocation, NULL);
}

static gboolean
new_connection_cb (GDBusServer     *server,
                   GDBusConnection *connection,
                   gpointer         user_data)
{
  static const GDBusInterfaceVTable table = { .method_call = call_cb };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, NULL);

  g_object_ref (connection);
  return g_dbus_connection_register_object (connection, PATH, node->interfaces[0], &table,
                                            user_data, NULL, NULL) != 0;
}

static void
serve (Bench *bench)
{
  g_autofree char *guid = g_dbus_generate_guid ();
  g_autoptr (GError) error = NULL;
  GDBusServer *server;

  server = g_dbus_server_new_sync ("unix:dir=/tmp", G_DBUS_SERVER_FLAGS_NONE, guid, NULL, NULL,
                                   &error);
  if (server == NULL)
    bench_fail ("%s", error->message);
  g_signal_connect (server, "new-connection", G_CALLBACK (new_connection_cb), bench);
  g_dbus_server_start (server);
  bench_ready (bench, 0, g_dbus_server_get_client_address (server));
  while (TRUE)
    g_main_context_iteration (NULL, TRUE);
}

/* The client -------------------------------------------------------------------------- */

static void send_request (Client *client,
                          guint   slot);
static void send_bulk    (Client *client);

static void
call (Client              *client,
      const char          *method,
      GBytes              *payload,
      GAsyncReadyCallback  callback)
{
  GVariant *bytes = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, payload, TRUE);

  g_dbus_connection_call (client->connection, NULL, PATH, INTERFACE, method,
                          g_variant_new_tuple (&bytes, 1), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL,
                          callback, client);
}

static GVariant *
finish (GObject      *source,
        GAsyncResult *result)
{
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL)
    bench_fail ("%s", error->message);
  return reply;
}

static void
replied_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Client *client = user_data;
  g_autoptr (GVariant) reply = finish (source, result);
  g_autoptr (GVariant) payload = g_variant_get_child_value (reply, 0);
  guint slot;

  if (bench_reply (client->bench, g_variant_get_data (payload), g_variant_get_size (payload),
                   &slot))
    send_request (client, slot);
}

static void
send_request (Client *client,
              guint   slot)
{
  g_autoptr (GBytes) payload = bench_request_bytes (client->bench, slot);

  call (client, "Echo", payload, replied_cb);
}

static void
taken_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  Client *client = user_data;

  g_variant_unref (finish (source, result));
  client->outstanding--;
  send_bulk (client);
}

static void
send_bulk (Client *client)
{
  while (client->outstanding < bench_depth (client->bench))
    {
      g_autoptr (GBytes) payload = bench_bulk_bytes (client->bench);

      if (payload == NULL)
        return;
      client->outstanding++;
      call (client, "Take", payload, taken_cb);
    }
}

static GDBusConnection *
open_connection (Bench *bench)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *connection;

  connection = g_dbus_connection_new_for_address_sync (
    bench_text (bench), G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
  if (connection == NULL)
    bench_fail ("%s", error->message);
  return connection;
}

static void
drive (Bench *bench)
{
  Client client = { .bench = bench };
  guint opened = 0;

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
  client.connection = open_connection (bench);
  bench_begin (bench);
  if (bench_work (bench) == WORK_BULK)
    send_bulk (&client);
  else
    for (guint slot = 0; slot < bench_depth (bench); slot++)
      send_request (&client, slot);
  bench_run_loop (bench);
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "unix", NULL };
  static const System system = {
    .name = "gdbus",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK | WORK_IDLE,
    .serve = serve,
    .drive = drive,
  };

  return bench_main (&system, argc, argv);
}
