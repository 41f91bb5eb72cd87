/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "example.h"

#include <stdlib.h>

static gboolean opt_serve;
static gboolean opt_ask;
static char    *opt_local;
static char    *opt_remote;
static gboolean opt_statistics;

static const GOptionEntry common_entries[] = {
  { "serve", 0, 0, G_OPTION_ARG_NONE, &opt_serve, "Wait for the other program", NULL },
  { "ask", 0, 0, G_OPTION_ARG_NONE, &opt_ask, "Speak first", NULL },
  { "local", 0, 0, G_OPTION_ARG_STRING, &opt_local,
    "Own address (127.0.0.1, port 5001 to serve, 5002 to ask)", "HOST:PORT" },
  { "remote", 0, 0, G_OPTION_ARG_STRING, &opt_remote,
    "Address of the other program, or of what leads to it", "HOST:PORT" },
  { "statistics", 0, 0, G_OPTION_ARG_NONE, &opt_statistics, "At the end, as JSON", NULL },
  G_OPTION_ENTRY_NULL
};

void
example_say (const char *format, ...)
{
  va_list arguments;
  g_autofree char *line = NULL;

  va_start (arguments, format);
  line = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_print ("%s\n", line);
}

GBytes *
example_text (const char *format, ...)
{
  va_list arguments;
  char *text;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return g_bytes_new_take (text, strlen (text));
}

static void
closed_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Example *example = user_data;
  g_autoptr (GError) error = NULL;

  if (!seqex_connection_close_finish (SEQEX_CONNECTION (source), result, &error)
      && !example->failed)
    {
      example_say ("failed: %s", error->message);
      example->failed = TRUE;
    }
  g_main_loop_quit (example->loop);
}

void
example_done (Example *example)
{
  if (example->over)
    return;
  example->over = TRUE;
  seqex_connection_close_async (example->connection, NULL, closed_cb, example);
}

void
example_fail (Example *example, const char *format, ...)
{
  va_list arguments;
  g_autofree char *problem = NULL;

  if (example->over)
    return;
  va_start (arguments, format);
  problem = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  example_say ("failed: %s", problem);
  example->failed = TRUE;
  example_done (example);
}

/* What the demo's table is made of. */
static const struct
{
  const char *name;
  guint64 (*get) (const SeqexStatistics *statistics);
} counters[] = {
  { "messages-sent", seqex_statistics_get_messages_sent },
  { "messages-received", seqex_statistics_get_messages_received },
  { "exchanges-started", seqex_statistics_get_exchanges_started },
  { "exchanges-accepted", seqex_statistics_get_exchanges_accepted },
  { "packets-sent", seqex_statistics_get_packets_sent },
  { "packets-received", seqex_statistics_get_packets_received },
  { "packets-lost", seqex_statistics_get_packets_lost },
  { "spurious-losses", seqex_statistics_get_spurious_losses },
  { "duplicate-packets", seqex_statistics_get_duplicate_packets },
  { "bytes-sent", seqex_statistics_get_bytes_sent },
  { "bytes-resent", seqex_statistics_get_bytes_resent },
};

static void
print_statistics (SeqexConnection *connection)
{
  g_autoptr (SeqexStatistics) statistics = seqex_connection_get_statistics (connection);

  for (gsize i = 0; i < G_N_ELEMENTS (counters); i++)
    g_print ("%s\"%s\": %" G_GUINT64_FORMAT, i == 0 ? "{" : ", ", counters[i].name,
             counters[i].get (statistics));
  g_print ("}\n");
}

static GSocketAddress *
parse_address (const char *text, GError **error)
{
  g_autoptr (GSocketConnectable) parsed = g_network_address_parse (text, 0, error);
  GNetworkAddress *address;
  GSocketAddress *result;

  if (parsed == NULL)
    return NULL;
  address = G_NETWORK_ADDRESS (parsed);
  result = g_inet_socket_address_new_from_string (g_network_address_get_hostname (address),
                                                  g_network_address_get_port (address));
  if (result == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s' is not a numeric address",
                 text);
  return result;
}

/* A connection over a UDP socket that is bound to one address and connected to the other. */
static SeqexConnection *
open_connection (const char *application_id, GError **error)
{
  const char *local_text = opt_serve ? "127.0.0.1:5001" : "127.0.0.1:5002";
  const char *remote_text = opt_serve ? "127.0.0.1:5002" : "127.0.0.1:5001";
  g_autoptr (GSocketAddress) local = NULL;
  g_autoptr (GSocketAddress) remote = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autofree char *local_name = NULL;
  g_autofree char *remote_name = NULL;

  if ((local = parse_address (opt_local ? opt_local : local_text, error)) == NULL
      || (remote = parse_address (opt_remote ? opt_remote : remote_text, error)) == NULL)
    return NULL;
  socket = g_socket_new (g_socket_address_get_family (local), G_SOCKET_TYPE_DATAGRAM,
                         G_SOCKET_PROTOCOL_UDP, error);
  if (socket == NULL || !g_socket_bind (socket, local, FALSE, error)
      || !g_socket_connect (socket, remote, NULL, error))
    return NULL;

  local_name = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (local));
  remote_name = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (remote));
  example_say ("%s at %s, other side at %s", opt_serve ? "listening" : "asking", local_name,
               remote_name);
  return g_object_new (SEQEX_TYPE_CONNECTION, "socket", socket, "application-id", application_id,
                       NULL);
}

static gboolean
parse_options (int *argc, char ***argv, const char *summary, const GOptionEntry *entries,
               GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (summary);

  g_option_context_add_main_entries (context, common_entries, NULL);
  if (entries != NULL)
    g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (opt_serve == opt_ask)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           "one of --serve and --ask is needed");
      return FALSE;
    }
  return TRUE;
}

int
example_main (int argc, char **argv, const char *summary, const GOptionEntry *entries,
              const char *application_id, ExampleSide serve, ExampleSide ask, gpointer data)
{
  Example example = { .data = data };
  g_autoptr (GError) error = NULL;

  if (!parse_options (&argc, &argv, summary, entries, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  example.connection = open_connection (application_id, &error);
  if (example.connection == NULL)
    {
      g_printerr ("%s\n", error->message);
      return EXIT_FAILURE;
    }

  example.loop = g_main_loop_new (NULL, FALSE);
  if (opt_serve)
    serve (&example);
  else
    ask (&example);
  g_main_loop_run (example.loop);
  if (opt_statistics)
    print_statistics (example.connection);

  g_main_loop_unref (example.loop);
  g_object_unref (example.connection);
  g_free (opt_local);
  g_free (opt_remote);
  return example.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
