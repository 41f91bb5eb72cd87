/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "example.h"

#include <stdlib.h>

static gboolean opt_serve;
static gboolean opt_ask;
static char    *opt_local;
static char    *opt_remote;
static char    *opt_peer_key;
static char    *opt_identity;
static gboolean opt_statistics;

#define DEFAULT_PORT 5001

static const GOptionEntry common_entries[] = {
  { "serve", 0, 0, G_OPTION_ARG_NONE, &opt_serve, "Wait for the other program", NULL },
  { "ask", 0, 0, G_OPTION_ARG_NONE, &opt_ask, "Speak first", NULL },
  { "local", 0, 0, G_OPTION_ARG_STRING, &opt_local,
    "Own address (to serve: 127.0.0.1:5001; to ask: any)", "HOST:PORT" },
  { "remote", 0, 0, G_OPTION_ARG_STRING, &opt_remote, "Whom to ask (127.0.0.1:5001)",
    "HOST:PORT" },
  { "peer-key", 0, 0, G_OPTION_ARG_STRING, &opt_peer_key,
    "Who the other program must be; needed to ask, to serve it is anyone otherwise",
    "FINGERPRINT" },
  { "identity", 0, 0, G_OPTION_ARG_FILENAME, &opt_identity,
    "Who this program is, made if it is not there (somebody new each time)", "FILE" },
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

  if (!seqex_endpoint_close_finish (SEQEX_ENDPOINT (source), result, &error) && !example->failed)
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
  seqex_endpoint_close_async (example->endpoint, NULL, closed_cb, example);
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

GSocketAddress *
example_parse_address (const char *text, GError **error)
{
  g_autoptr (GSocketConnectable) parsed = g_network_address_parse (text, DEFAULT_PORT, error);
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

char *
example_describe_address (GSocketAddress *address)
{
  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
}

/* The two sides meet ------------------------------------------------------------------ */

static void
moved_cb (SeqexConnection *connection, GParamSpec *pspec, gpointer user_data)
{
  g_autofree char *address =
    example_describe_address (seqex_connection_get_remote_address (connection));

  example_say ("the other side moved to %s", address);
}

/* Takes the connection, or the error. */
static void
connected (Example *example, SeqexConnection *connection, GError *error)
{
  g_autofree char *address = NULL;

  if (connection == NULL)
    {
      example_fail (example, "%s", error != NULL ? error->message : "closed");
      g_clear_error (&error);
      return;
    }
  example->connection = connection;
  address = example_describe_address (seqex_connection_get_remote_address (connection));
  example_say ("connected to %s, who is %s", address, seqex_connection_get_peer_key (connection));
  g_signal_connect (connection, "notify::remote-address", G_CALLBACK (moved_cb), NULL);
  example->side (example);
}

static void
accepted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;
  SeqexConnection *connection =
    seqex_endpoint_accept_finish (SEQEX_ENDPOINT (source), result, &error);

  connected (user_data, connection, error);
}

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;
  SeqexConnection *connection =
    seqex_endpoint_open_connection_finish (SEQEX_ENDPOINT (source), result, &error);

  connected (user_data, connection, error);
}

static gboolean
authorize_cb (SeqexEndpoint *endpoint, SeqexAuthorization *question, gpointer user_data)
{
  if (g_strcmp0 (seqex_authorization_get_peer_key (question), user_data) == 0)
    seqex_authorization_accept (question);
  else
    seqex_authorization_reject (question);
  return TRUE;
}

static gboolean
start_serving (Example *example, const char *peer_key, GError **error)
{
  g_autoptr (GSocketAddress) local = NULL;
  g_autofree char *address = NULL;

  local = example_parse_address (opt_local != NULL ? opt_local : "127.0.0.1", error);
  if (local == NULL || !seqex_endpoint_bind (example->endpoint, local, error))
    return FALSE;
  /* Whom the trust policy does not let in, the program is asked about. */
  if (peer_key != NULL)
    g_signal_connect_data (example->endpoint, "authorize", G_CALLBACK (authorize_cb),
                           g_strdup (peer_key), (GClosureNotify) (void (*) (void)) g_free, 0);
  else
    seqex_endpoint_set_trust_policy (example->endpoint, SEQEX_TRUST_POLICY_ANYONE);
  address = example_describe_address (seqex_endpoint_get_local_address (example->endpoint));
  example_say ("listening at %s", address);
  seqex_endpoint_accept_async (example->endpoint, NULL, accepted_cb, example);
  return TRUE;
}

static gboolean
start_asking (Example *example, const char *peer_key, GError **error)
{
  g_autoptr (GSocketConnectable) peer = NULL;
  g_autofree char *name = NULL;

  peer = g_network_address_parse (opt_remote != NULL ? opt_remote : "127.0.0.1", DEFAULT_PORT,
                                  error);
  if (peer == NULL)
    return FALSE;
  if (opt_local != NULL)
    {
      g_autoptr (GSocketAddress) local = example_parse_address (opt_local, error);

      if (local == NULL || !seqex_endpoint_bind (example->endpoint, local, error))
        return FALSE;
    }
  name = g_socket_connectable_to_string (peer);
  example_say ("asking %s", name);
  seqex_endpoint_open_connection_async (example->endpoint, peer, peer_key, NULL, opened_cb,
                                        example);
  return TRUE;
}

/* An identity from a file, or for this time only. */
static SeqexIdentity *
get_identity (GError **error)
{
  g_autoptr (GFile) file = NULL;

  if (opt_identity == NULL)
    return seqex_identity_new_generate ();
  file = g_file_new_for_commandline_arg (opt_identity);
  return seqex_identity_load_or_generate (file, NULL, error);
}

static gboolean
start (Example *example, const char *application_id, GError **error)
{
  g_autoptr (SeqexIdentity) identity = NULL;
  g_autofree char *peer_key = NULL;

  if (opt_peer_key != NULL
      && (peer_key = seqex_fingerprint_normalize (opt_peer_key, error)) == NULL)
    return FALSE;
  if ((identity = get_identity (error)) == NULL)
    return FALSE;
  example->endpoint = g_object_new (SEQEX_TYPE_ENDPOINT, "identity", identity, "application-id",
                                    application_id, NULL);
  example_say ("fingerprint %s", seqex_identity_get_fingerprint (identity));
  return opt_serve ? start_serving (example, peer_key, error)
                   : start_asking (example, peer_key, error);
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
  if (opt_ask && opt_peer_key == NULL)
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                           "--peer-key is needed: the fingerprint that the other program prints");
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
  example.side = opt_serve ? serve : ask;
  example.loop = g_main_loop_new (NULL, FALSE);
  if (start (&example, application_id, &error))
    {
      g_main_loop_run (example.loop);
    }
  else
    {
      g_printerr ("%s\n", error->message);
      example.failed = TRUE;
    }
  if (opt_statistics && example.connection != NULL)
    print_statistics (example.connection);

  g_main_loop_unref (example.loop);
  g_clear_object (&example.connection);
  g_clear_object (&example.endpoint);
  g_free (opt_local);
  g_free (opt_remote);
  g_free (opt_peer_key);
  g_free (opt_identity);
  return example.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
