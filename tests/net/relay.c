/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A UDP relay that behaves like a bad network.
 *
 *     programs A ──▶ left socket ┃ relay ┃ right sockets, one for each A ◀── program B
 *
 * What comes to one side leaves from the other, or is lost, doubled, held back. As behind a router
 * that translates addresses, each program on the left has a socket of its own on the right, at the
 * same host if that is one of this machine; --rebind gives it another port now and then. Every
 * decision comes from --seed, one generator per direction, a fixed number of draws per datagram: the
 * n-th datagram of a direction always meets the same fate. Jitter keeps the order; only --reorder
 * breaks it, by holding a datagram back while later ones pass.
 */
#include <gio/gio.h>
#include <glib-unix.h>
#include <stdlib.h>

/* Datagrams on their way in one direction; what comes beyond is dropped like on a full router. */
#define QUEUE_MAX 65536u
/* Read in one wake before the other direction and the timer get their turn. */
#define READ_BATCH 64
/* Programs on the left, or addresses that they have had. */
#define FLOWS_MAX 64u

typedef struct _Relay Relay;

/* A program on the left, and the socket that stands for it on the right. */
typedef struct
{
  Relay          *relay;
  GSocketAddress *client; /* owned */
  GSocket        *socket; /* owned */
  GSource        *source; /* owned; of the socket */
  guint64         count;  /* datagrams that left by the socket */
} Flow;

typedef struct
{
  gint64   due;   /* monotonic time at which it leaves */
  guint64  order; /* of arrival in this direction */
  gboolean copy;  /* made by the relay */
  Flow    *flow;
  gsize    size;
  guint8   bytes[];
} Datagram;

typedef struct
{
  guint64 received, received_bytes; /* from the program of this side */
  guint64 lost;                     /* dropped by --loss */
  guint64 duplicated;               /* copies made by --duplicate */
  guint64 held;                     /* chosen by --reorder */
  guint64 overtaken;                /* that left after one which had come later */
  guint64 delivered, delivered_bytes;
  guint64 overflow;                 /* dropped: too many on their way, or the socket was full */
  guint64 stranger;                 /* dropped: not from the program of this side */
  guint64 homeless;                 /* dropped: the other program's address is not known yet */
  guint64 rebound;                  /* times that a socket was replaced by --rebind */
} Counters;

/* One side, and the direction in which its datagrams travel: to the other side. */
typedef struct _Side Side;
struct _Side
{
  Relay          *relay;
  GSocketAddress *peer;    /* owned; the only program; NULL for any, on the right until learned */
  GSequence      *queue;   /* owned Datagrams by due time */
  gint64          last_due;      /* of those that were not held back */
  guint64         next_order;
  guint64         highest_order; /* of those that have left */
  guint64         random;
  Counters        counters;
};

struct _Relay
{
  GMainLoop *loop;
  GSource   *timer;  /* owned; ready when the next datagram is due */
  GSocket   *socket; /* owned; the left one */
  GPtrArray *flows;  /* owned Flows */
  Side       left;
  Side       right;
};

static char    *opt_left;
static char    *opt_right;
static char    *opt_host;
static int      opt_left_port;
static int      opt_right_port;
static int      opt_rebind;
static double   opt_loss;
static double   opt_duplicate;
static double   opt_reorder;
static double   opt_delay;
static double   opt_jitter;
static gint64   opt_seed = 1;
static gboolean opt_json;
static gboolean opt_until_eof;

static const GOptionEntry entries[] = {
  { "left", 0, 0, G_OPTION_ARG_STRING, &opt_left,
    "The only program on the left (any)", "HOST:PORT" },
  { "right", 0, 0, G_OPTION_ARG_STRING, &opt_right,
    "The program on the right; learned from its first datagram if not given", "HOST:PORT" },
  { "host", 0, 0, G_OPTION_ARG_STRING, &opt_host, "Own address (127.0.0.1)", "HOST" },
  { "left-port", 0, 0, G_OPTION_ARG_INT, &opt_left_port,
    "Own port towards the left program (0: any free one)", "PORT" },
  { "right-port", 0, 0, G_OPTION_ARG_INT, &opt_right_port,
    "Own port towards the right program (0: any free one)", "PORT" },
  { "rebind", 0, 0, G_OPTION_ARG_INT, &opt_rebind,
    "Take another port towards the right program after so many datagrams", "DATAGRAMS" },
  { "loss", 0, 0, G_OPTION_ARG_DOUBLE, &opt_loss, "Lose so many of 100", "PERCENT" },
  { "duplicate", 0, 0, G_OPTION_ARG_DOUBLE, &opt_duplicate, "Double so many of 100", "PERCENT" },
  { "reorder", 0, 0, G_OPTION_ARG_DOUBLE, &opt_reorder, "Hold back so many of 100", "PERCENT" },
  { "delay", 0, 0, G_OPTION_ARG_DOUBLE, &opt_delay, "Delay each, in one direction", "MS" },
  { "jitter", 0, 0, G_OPTION_ARG_DOUBLE, &opt_jitter, "Random delay on top, up to this", "MS" },
  { "seed", 0, 0, G_OPTION_ARG_INT64, &opt_seed, "Seed of all decisions (1)", "NUMBER" },
  { "json", 0, 0, G_OPTION_ARG_NONE, &opt_json, "Print JSON at the end, not a table", NULL },
  { "until-eof", 0, 0, G_OPTION_ARG_NONE, &opt_until_eof,
    "Also stop when standard input ends, so that no relay outlives its parent", NULL },
  G_OPTION_ENTRY_NULL
};

/* SplitMix64: good enough for dice, the same on every machine. */
static guint64
next_random (guint64 *state)
{
  guint64 z = (*state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* In [0, 1). */
static double
next_fraction (guint64 *state)
{
  return (double) (next_random (state) >> 11) * 0x1.0p-53;
}

static gint64
milliseconds (double ms)
{
  return (gint64) (ms * 1000.0);
}

static int
compare_due (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const Datagram *left = a;
  const Datagram *right = b;

  if (left->due != right->due)
    return left->due < right->due ? -1 : 1;
  return left->order < right->order ? -1 : left->order > right->order;
}

static Datagram *
first_due (Side *side)
{
  GSequenceIter *iter = g_sequence_get_begin_iter (side->queue);

  return g_sequence_iter_is_end (iter) ? NULL : g_sequence_get (iter);
}

static void
rearm (Relay *relay)
{
  gint64 ready = -1;
  Side *sides[] = { &relay->left, &relay->right };

  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    {
      const Datagram *first = first_due (sides[i]);

      if (first != NULL && (ready < 0 || first->due < ready))
        ready = first->due;
    }
  g_source_set_ready_time (relay->timer, ready);
}

static void
enqueue (Side *side, Flow *flow, gint64 due, guint64 order, gboolean copy, const guint8 *bytes,
         gsize size)
{
  Datagram *datagram;

  if ((guint) g_sequence_get_length (side->queue) >= QUEUE_MAX)
    {
      side->counters.overflow++;
      return;
    }
  datagram = g_malloc (sizeof (Datagram) + size);
  datagram->due = due;
  datagram->order = order;
  datagram->copy = copy;
  datagram->flow = flow;
  datagram->size = size;
  memcpy (datagram->bytes, bytes, size);
  g_sequence_insert_sorted (side->queue, datagram, compare_due, NULL);
}

/* Draws the fate of one datagram. All draws are made whatever comes of them. */
static void
accept_datagram (Side *side, Flow *flow, const guint8 *bytes, gsize size)
{
  double lost = 100.0 * next_fraction (&side->random);
  double doubled = 100.0 * next_fraction (&side->random);
  double held = 100.0 * next_fraction (&side->random);
  double jitter = next_fraction (&side->random);
  double copy_jitter = next_fraction (&side->random);
  /* What is held back waits for one more delay, but long enough for others to pass. */
  gint64 hold = milliseconds (MAX (opt_delay + opt_jitter, 2.0));
  gint64 now = g_get_monotonic_time ();
  gint64 due = MAX (now + milliseconds (opt_delay + jitter * opt_jitter), side->last_due);
  guint64 order = side->next_order++;

  side->counters.received++;
  side->counters.received_bytes += size;
  if (lost < opt_loss)
    {
      side->counters.lost++;
      return;
    }
  if (doubled < opt_duplicate)
    {
      side->counters.duplicated++;
      enqueue (side, flow, due + (gint64) (copy_jitter * hold), order, TRUE, bytes, size);
    }
  if (held < opt_reorder)
    {
      side->counters.held++;
      enqueue (side, flow, due + hold, order, FALSE, bytes, size);
    }
  else
    {
      side->last_due = due;
      enqueue (side, flow, due, order, FALSE, bytes, size);
    }
}

static gboolean
same_address (GSocketAddress *a, GSocketAddress *b)
{
  GInetSocketAddress *left = G_INET_SOCKET_ADDRESS (a);
  GInetSocketAddress *right = G_INET_SOCKET_ADDRESS (b);

  return g_inet_socket_address_get_port (left) == g_inet_socket_address_get_port (right)
         && g_inet_address_equal (g_inet_socket_address_get_address (left),
                                  g_inet_socket_address_get_address (right));
}

static gboolean right_readable_cb (GSocket      *socket,
                                   GIOCondition  condition,
                                   gpointer      user_data);
static GSocket *open_socket (const char  *host,
                             int          port,
                             GError     **error);

static GSource *
watch (GSocket *socket, GSocketSourceFunc callback, gpointer user_data)
{
  GSource *source = g_socket_create_source (socket, G_IO_IN, NULL);

  g_source_set_static_name (source, "[relay] socket");
  g_source_set_callback (source, G_SOURCE_FUNC (callback), user_data, NULL);
  g_source_attach (source, NULL);
  return source;
}

static void
flow_close (Flow *flow)
{
  if (flow->source != NULL)
    g_source_destroy (flow->source);
  g_clear_pointer (&flow->source, g_source_unref);
  g_clear_object (&flow->socket);
}

/* Opens the socket towards the right, at the host that the program has if it is one of ours. */
static gboolean
flow_open (Flow *flow, int port, GError **error)
{
  GInetAddress *host =
    g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (flow->client));
  g_autofree char *text = g_inet_address_to_string (host);
  GSocket *socket = open_socket (text, port, NULL);

  if (socket == NULL)
    socket = open_socket (opt_host != NULL ? opt_host : "127.0.0.1", port, error);
  if (socket == NULL)
    return FALSE;
  /* The new one is there before the old one goes, so the port is another. */
  flow_close (flow);
  flow->socket = socket;
  flow->source = watch (socket, right_readable_cb, flow);
  return TRUE;
}

static void
flow_free (Flow *flow)
{
  flow_close (flow);
  g_object_unref (flow->client);
  g_free (flow);
}

static Flow *
flow_new (Relay *relay, GSocketAddress *client, GError **error)
{
  Flow *flow = g_new0 (Flow, 1);

  flow->relay = relay;
  flow->client = g_object_ref (client);
  if (!flow_open (flow, opt_right_port, error))
    {
      flow_free (flow);
      return NULL;
    }
  g_ptr_array_add (relay->flows, flow);
  return flow;
}

/* NULL for a stranger. */
static Flow *
find_flow (Relay *relay, GSocketAddress *client)
{
  for (guint i = 0; i < relay->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (relay->flows, i);

      if (same_address (flow->client, client))
        return flow;
    }
  if (relay->left.peer != NULL || relay->flows->len >= FLOWS_MAX)
    return NULL;
  return flow_new (relay, client, NULL);
}

static gssize
receive (GSocket *socket, GSocketAddress **from, guint8 *buffer, gsize size)
{
  /* Would block, or an ICMP error of an earlier send: neither concerns a relay. */
  return g_socket_receive_from (socket, from, (char *) buffer, size, NULL, NULL);
}

static gboolean
left_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Relay *relay = user_data;
  guint8 buffer[65536];

  for (int i = 0; i < READ_BATCH; i++)
    {
      g_autoptr (GSocketAddress) from = NULL;
      gssize size = receive (socket, &from, buffer, sizeof buffer);
      Flow *flow;

      if (size < 0)
        break;
      if ((flow = find_flow (relay, from)) != NULL)
        accept_datagram (&relay->left, flow, buffer, (gsize) size);
      else
        relay->left.counters.stranger++;
    }
  rearm (relay);
  return G_SOURCE_CONTINUE;
}

static gboolean
right_readable_cb (GSocket *socket, GIOCondition condition, gpointer user_data)
{
  Flow *flow = user_data;
  Side *side = &flow->relay->right;
  guint8 buffer[65536];

  for (int i = 0; i < READ_BATCH; i++)
    {
      g_autoptr (GSocketAddress) from = NULL;
      gssize size = receive (socket, &from, buffer, sizeof buffer);

      if (size < 0)
        break;
      if (side->peer == NULL)
        side->peer = g_object_ref (from);
      if (same_address (side->peer, from))
        accept_datagram (side, flow, buffer, (gsize) size);
      else
        side->counters.stranger++;
    }
  rearm (flow->relay);
  return G_SOURCE_CONTINUE;
}

static void
count_for_rebind (Side *side, Flow *flow)
{
  if (opt_rebind > 0 && ++flow->count % (guint64) opt_rebind == 0 && flow_open (flow, 0, NULL))
    side->counters.rebound++;
}

static void
deliver (Side *side, const Datagram *datagram)
{
  Relay *relay = side->relay;
  Flow *flow = datagram->flow;
  gboolean to_right = side == &relay->left;
  GSocketAddress *to = to_right ? relay->right.peer : flow->client;

  if (to == NULL)
    {
      side->counters.homeless++;
      return;
    }
  if (g_socket_send_to (to_right ? flow->socket : relay->socket, to,
                        (const char *) datagram->bytes, datagram->size, NULL, NULL) < 0)
    {
      side->counters.overflow++;
      return;
    }
  side->counters.delivered++;
  side->counters.delivered_bytes += datagram->size;
  if (to_right)
    count_for_rebind (side, flow);
  if (datagram->copy)
    return;
  if (datagram->order < side->highest_order)
    side->counters.overtaken++;
  else
    side->highest_order = datagram->order;
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback (user_data);
}

static gboolean
timer_cb (gpointer user_data)
{
  Relay *relay = user_data;
  gint64 now = g_get_monotonic_time ();
  Side *sides[] = { &relay->left, &relay->right };

  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    {
      Datagram *first;

      while ((first = first_due (sides[i])) != NULL && first->due <= now)
        {
          deliver (sides[i], first);
          g_sequence_remove (g_sequence_get_begin_iter (sides[i]->queue));
        }
    }
  rearm (relay);
  return G_SOURCE_CONTINUE;
}

static GSocketAddress *
parse_address (const char *host_and_port, GError **error)
{
  g_autoptr (GSocketConnectable) connectable = g_network_address_parse (host_and_port, 0, error);
  GNetworkAddress *address;
  GSocketAddress *result;

  if (connectable == NULL)
    return NULL;
  address = G_NETWORK_ADDRESS (connectable);
  result = g_inet_socket_address_new_from_string (g_network_address_get_hostname (address),
                                                  g_network_address_get_port (address));
  if (result == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s' is not a numeric address",
                 host_and_port);
  return result;
}

static GSocket *
open_socket (const char *host, int port, GError **error)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (host, port);

  if (address == NULL || port < 0 || port > G_MAXUINT16)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "'%s', port %d, is not an address to listen at", host, port);
      return NULL;
    }
  socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_DATAGRAM,
                         G_SOCKET_PROTOCOL_UDP, error);
  if (socket == NULL || !g_socket_bind (socket, address, FALSE, error))
    return NULL;
  g_socket_set_blocking (socket, FALSE);
  return g_steal_pointer (&socket);
}

static gboolean
side_init (Side *side, Relay *relay, const char *peer, GError **error)
{
  side->relay = relay;
  side->queue = g_sequence_new (g_free);
  side->random = (guint64) opt_seed * 2 + (side == &relay->right);
  next_random (&side->random);
  return peer == NULL || (side->peer = parse_address (peer, error)) != NULL;
}

static void
side_clear (Side *side)
{
  g_clear_object (&side->peer);
  g_clear_pointer (&side->queue, g_sequence_free);
}

static char *
own_address (GSocket *socket)
{
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (socket, NULL);

  return g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));
}

static gboolean
open_sides (Relay *relay, GError **error)
{
  g_autoptr (GSource) source = NULL;
  g_autofree char *left = NULL;
  g_autofree char *right = NULL;
  Flow *flow = NULL;

  relay->flows = g_ptr_array_new_with_free_func ((GDestroyNotify) flow_free);
  if (!side_init (&relay->left, relay, opt_left, error)
      || !side_init (&relay->right, relay, opt_right, error))
    return FALSE;
  relay->socket = open_socket (opt_host != NULL ? opt_host : "127.0.0.1", opt_left_port, error);
  if (relay->socket == NULL
      || (relay->left.peer != NULL && (flow = flow_new (relay, relay->left.peer, error)) == NULL))
    return FALSE;
  source = watch (relay->socket, left_readable_cb, relay);

  left = own_address (relay->socket);
  right = flow != NULL ? own_address (flow->socket) : g_strdup ("unknown");
  g_print ("relay: left %s right %s seed %" G_GINT64_FORMAT "\n", left, right, opt_seed);
  return TRUE;
}

static gboolean
stop_cb (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_CONTINUE;
}

static gboolean
stdin_cb (int fd, GIOCondition condition, gpointer user_data)
{
  char buffer[256];

  if (read (fd, buffer, sizeof buffer) > 0)
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

/* The rows of the table and the members of the JSON objects. */
static const struct
{
  const char *title;
  const char *key;
  gsize       offset;
} rows[] = {
  { "datagrams in", "received", G_STRUCT_OFFSET (Counters, received) },
  { "bytes in", "received-bytes", G_STRUCT_OFFSET (Counters, received_bytes) },
  { "lost", "lost", G_STRUCT_OFFSET (Counters, lost) },
  { "copies made", "duplicated", G_STRUCT_OFFSET (Counters, duplicated) },
  { "held back", "held", G_STRUCT_OFFSET (Counters, held) },
  { "overtaken", "overtaken", G_STRUCT_OFFSET (Counters, overtaken) },
  { "datagrams out", "delivered", G_STRUCT_OFFSET (Counters, delivered) },
  { "bytes out", "delivered-bytes", G_STRUCT_OFFSET (Counters, delivered_bytes) },
  { "queue overflow", "overflow", G_STRUCT_OFFSET (Counters, overflow) },
  { "from strangers", "stranger", G_STRUCT_OFFSET (Counters, stranger) },
  { "nowhere to go", "homeless", G_STRUCT_OFFSET (Counters, homeless) },
  { "ports changed", "rebound", G_STRUCT_OFFSET (Counters, rebound) },
};

static void
print_table (Relay *relay)
{
  g_print ("%-16s %14s %14s\n", "relay", "left to right", "right to left");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_print ("%-16s %14" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT "\n", rows[i].title,
             G_STRUCT_MEMBER (guint64, &relay->left.counters, rows[i].offset),
             G_STRUCT_MEMBER (guint64, &relay->right.counters, rows[i].offset));
}

static void
print_json (Relay *relay)
{
  static const char *const names[] = { "left", "right" };
  const Side *sides[] = { &relay->left, &relay->right };

  g_print ("{\"seed\": %" G_GINT64_FORMAT, opt_seed);
  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    {
      g_print (", \"from-%s\": {", names[i]);
      for (gsize j = 0; j < G_N_ELEMENTS (rows); j++)
        g_print ("%s\"%s\": %" G_GUINT64_FORMAT, j > 0 ? ", " : "", rows[j].key,
                 G_STRUCT_MEMBER (guint64, &sides[i]->counters, rows[j].offset));
      g_print ("}");
    }
  g_print ("}\n");
}

static gboolean
run (Relay *relay, GError **error)
{
  static GSourceFuncs timer_funcs = { .dispatch = timer_dispatch };

  relay->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_static_name (relay->timer, "[relay] timer");
  g_source_set_callback (relay->timer, timer_cb, relay, NULL);
  g_source_attach (relay->timer, NULL);

  if (!open_sides (relay, error))
    return FALSE;

  relay->loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGTERM, stop_cb, relay->loop);
  g_unix_signal_add (SIGINT, stop_cb, relay->loop);
  if (opt_until_eof)
    g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, stdin_cb, relay->loop);

  g_main_loop_run (relay->loop);

  if (opt_json)
    print_json (relay);
  else
    print_table (relay);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("- a bad network in one program");
  g_autoptr (GError) error = NULL;
  Relay relay = { 0 };
  gboolean ok;

  g_option_context_add_main_entries (context, entries, NULL);
  ok = g_option_context_parse (context, &argc, &argv, &error) && run (&relay, &error);
  if (!ok)
    g_printerr ("relay: %s\n", error->message);

  g_clear_pointer (&relay.flows, g_ptr_array_unref);
  g_clear_object (&relay.socket);
  side_clear (&relay.left);
  side_clear (&relay.right);
  if (relay.timer != NULL)
    g_source_destroy (relay.timer);
  g_clear_pointer (&relay.timer, g_source_unref);
  g_clear_pointer (&relay.loop, g_main_loop_unref);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
