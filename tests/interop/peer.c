/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol core on a UDP socket, with poll(2) and nothing else: what another implementation
 * talks to, and the shortest program that drives the core.
 *
 *   peer SECRET-KEY [cipher=N] [psk=HEX] [retry=N] [ask] [persistent]
 *
 * It prints "port N", then a line for everything that its connections are told. Lines on its
 * standard input are commands to the newest connection:
 *
 *   connect PORT [KEY]   send TEXT   answer TEXT   end   authorize yes|no   update   close
 *   counters             quit
 *
 * A message "echo …" is answered by itself, finally; "chain …" by a message that awaits an answer;
 * any other one is kept until "answer" or "end".
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "seqex-crypto-private.h"
#include "sqx-endpoint.h"

static int udp;
static sqx_endpoint *endpoint;
static sqx_endpoint_config config;
static sqx_trust trust = SQX_TRUST_ACCEPT;
static uint64_t persistence;
static sqx_conn *conns[64];
static unsigned n_conns;
static sqx_conn *newest;
static sqx_message_id kept;
static char sent; /* the tag of every message that awaits an answer */

static uint64_t
clock_now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (uint64_t) t.tv_sec * SQX_SECOND + (uint64_t) t.tv_nsec / 1000;
}

static void
random_cb (void *user_data, uint8_t *bytes, size_t size)
{
  (void) user_data;
  if (getrandom (bytes, size, 0) != (ssize_t) size)
    abort ();
}

static sqx_trust
judge_cb (void *user_data, sqx_conn *conn, const uint8_t key[32])
{
  (void) user_data;
  (void) conn;
  (void) key;
  return trust;
}

static bool
read_key (const char *text, uint8_t key[32])
{
  for (unsigned i = 0; i < 32; i++)
    if (sscanf (text + 2 * i, "%2hhx", &key[i]) != 1)
      return false;
  return true;
}

/* Addresses ---------------------------------------------------------------------------- */

static sqx_address
address_of (const struct sockaddr_in *from)
{
  sqx_address address = { .host_size = 4, .port = ntohs (from->sin_port) };

  memcpy (address.host, &from->sin_addr, 4);
  return address;
}

static struct sockaddr_in
socket_address_of (const sqx_address *to)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (to->port) };

  memcpy (&address.sin_addr, to->host, 4);
  return address;
}

/* What connections are told ------------------------------------------------------------ */

static void
print_text (const char *what, const uint8_t *data, size_t size)
{
  printf ("%s %.*s\n", what, (int) size, size > 0 ? (const char *) data : "");
}

static void
take_messages (sqx_conn *conn, uint64_t now, uint32_t channel)
{
  sqx_message message;

  while (sqx_conn_receive (conn, now, channel, &message))
    {
      sqx_payload payload = { message.data, message.size, message.data };
      bool echo = message.size >= 4 && memcmp (message.data, "echo", 4) == 0;
      bool chain = message.size >= 5 && memcmp (message.data, "chain", 5) == 0;

      print_text ("message", message.data, message.size);
      kept = message.id;
      newest = conn;
      if (!(echo || chain) ||
          sqx_conn_reply (conn, now, &message.id, &payload, echo ? SQX_MESSAGE_FINAL : 0,
                          echo ? NULL : &sent, NULL) != SQX_OK)
        free (message.data);
    }
}

static void
print_connected (const sqx_conn *conn)
{
  const uint8_t *key = sqx_conn_peer_key (conn);

  printf ("connected %s cipher %d application '%s' key ",
          sqx_conn_is_initiator (conn) ? "initiator" : "responder", sqx_conn_cipher (conn),
          sqx_conn_peer_application_id (conn));
  for (unsigned i = 0; i < 32; i++)
    printf ("%02x", key[i]);
  printf ("\n");
}

static void
handle_event (sqx_conn *conn, uint64_t now, sqx_event *event)
{
  switch (event->type)
    {
    case SQX_EVENT_CONNECTED:
      print_connected (conn);
      break;
    case SQX_EVENT_MESSAGE:
      take_messages (conn, now, event->channel);
      break;
    case SQX_EVENT_REPLY:
      print_text ("reply", event->message.data, event->message.size);
      free (event->message.data);
      kept = event->message.id;
      break;
    case SQX_EVENT_END:
      if (event->tag != NULL)
        printf ("end %s\n", sqx_end_reason_string (event->reason));
      break;
    case SQX_EVENT_FAILED:
      if (event->tag != NULL)
        printf ("failed %s\n", sqx_result_string (event->error));
      break;
    case SQX_EVENT_CANCELLED:
      printf ("cancelled\n");
      break;
    case SQX_EVENT_DATAGRAM:
      print_text ("datagram", event->message.data, event->message.size);
      free (event->message.data);
      break;
    case SQX_EVENT_STREAM:
      if (event->opened)
        sqx_stream_release (conn, now, event->stream);
      break;
    case SQX_EVENT_WRITABLE:
      break;
    case SQX_EVENT_RESTARTED:
      printf ("restarted\n");
      break;
    case SQX_EVENT_AUTHORIZE:
      printf ("authorize\n");
      break;
    case SQX_EVENT_RECONNECTING:
      printf ("reconnecting\n");
      break;
    case SQX_EVENT_MOVED:
      printf ("moved\n");
      break;
    case SQX_EVENT_CLOSED:
      printf ("closed code %d by %s, %s: %s\n", (int) event->code,
              event->by_peer ? "peer" : "self", sqx_result_string (event->error),
              event->reason_text);
      break;
    }
}

/* Commands ----------------------------------------------------------------------------- */

static void
add (sqx_conn *conn, uint64_t now)
{
  if (conn == NULL || n_conns == sizeof conns / sizeof conns[0])
    abort ();
  conns[n_conns++] = newest = conn;
  sqx_conn_set_user_data (conn, &sent);
  sqx_conn_set_persistent (conn, now, persistence);
}

static void
connect_to (uint64_t now, const char *arguments)
{
  sqx_address to = { .host = { 127, 0, 0, 1 }, .host_size = 4 };
  uint8_t key[32];
  char text[65] = "";

  if (sscanf (arguments, "%hu %64s", &to.port, text) < 1 || (*text && !read_key (text, key)))
    abort ();
  add (sqx_endpoint_connect (endpoint, now, &config.connection, &to, *text ? key : NULL, &sent),
       now);
}

static void
print_counters (void)
{
#define PRINT(name) \
  if (counters->name > 0) \
    printf (" " #name "=%d", (int) counters->name);

  printf ("counters");
  {
    const sqx_endpoint_counters *counters = sqx_endpoint_counters_get (endpoint);

    SQX_ENDPOINT_COUNTERS (PRINT)
  }
  if (newest != NULL)
    {
      const sqx_counters *counters = sqx_conn_counters (newest);

      SQX_COUNTERS (PRINT)
    }
  printf (" half-open=%u\n", sqx_endpoint_n_half_open (endpoint));
#undef PRINT
}

static sqx_result
say (uint64_t now, const char *text, bool initial)
{
  char *copy = strdup (text);
  sqx_payload payload = { (const uint8_t *) copy, strlen (text), copy };
  sqx_result result = initial
    ? sqx_conn_send (newest, now, 0, &payload, SQX_MESSAGE_ORDERED, &sent, NULL)
    : sqx_conn_reply (newest, now, &kept, &payload, SQX_MESSAGE_FINAL, NULL, NULL);

  if (result != SQX_OK)
    free (copy);
  return result;
}

/* false: the program ends. */
static bool
run_command (uint64_t now, char *line)
{
  char *arguments = line + strcspn (line, " ");
  sqx_result result = SQX_OK;

  if (*arguments != '\0')
    *arguments++ = '\0';

  if (strcmp (line, "connect") == 0)
    connect_to (now, arguments);
  else if (strcmp (line, "send") == 0 || strcmp (line, "answer") == 0)
    result = say (now, arguments, line[0] == 's');
  else if (strcmp (line, "end") == 0)
    result = sqx_conn_end (newest, now, &kept, SQX_END_ENDED);
  else if (strcmp (line, "authorize") == 0)
    sqx_conn_authorize (newest, now, strcmp (arguments, "yes") == 0);
  else if (strcmp (line, "update") == 0)
    sqx_conn_update_keys (newest, now);
  else if (strcmp (line, "close") == 0)
    sqx_conn_close (newest, now, 0, "that was all");
  else if (strcmp (line, "counters") == 0)
    print_counters ();
  else
    return false;
  if (result != SQX_OK)
    printf ("error %s\n", sqx_result_string (result));
  return true;
}

static bool
read_commands (uint64_t now)
{
  static char line[2048];
  static size_t size;
  char *end;
  ssize_t n = read (STDIN_FILENO, line + size, sizeof line - size - 1);

  if (n <= 0)
    return false;
  size += (size_t) n;
  line[size] = '\0';
  while ((end = strchr (line, '\n')) != NULL)
    {
      *end = '\0';
      if (!run_command (now, line))
        return false;
      size -= (size_t) (end + 1 - line);
      memmove (line, end + 1, size + 1);
    }
  return true;
}

/* The pump ----------------------------------------------------------------------------- */

static void
read_datagrams (uint64_t now)
{
  uint8_t buffer[2048];
  struct sockaddr_in from;
  socklen_t from_size = sizeof from;
  ssize_t size;

  while ((size = recvfrom (udp, buffer, sizeof buffer, MSG_DONTWAIT, (struct sockaddr *) &from,
                           &from_size)) >= 0)
    {
      sqx_address address = address_of (&from);

      if (!sqx_endpoint_handle_datagram (endpoint, now, &address, buffer, (size_t) size))
        printf ("foreign %d\n", buffer[0]);
    }
}

static void
drain (uint64_t now)
{
  uint8_t buffer[1500];
  sqx_address to;
  sqx_event event;
  sqx_conn *conn;
  size_t size;

  do
    {
      while ((size = sqx_endpoint_poll_transmit (endpoint, now, &to, buffer, sizeof buffer)) > 0)
        {
          struct sockaddr_in address = socket_address_of (&to);

          if (sendto (udp, buffer, size, 0, (struct sockaddr *) &address, sizeof address) < 0)
            perror ("sendto");
        }
      if ((conn = sqx_endpoint_poll_conn (endpoint)) == NULL)
        break;
      if (sqx_conn_user_data (conn) == NULL)
        add (conn, now);
      while (sqx_conn_poll_event (conn, &event))
        handle_event (conn, now, &event);
    }
  while (true);
}

static void
run (void)
{
  struct pollfd fds[2] = { { udp, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
  bool goes_on = true;

  while (goes_on)
    {
      uint64_t now = clock_now ();
      uint64_t next = sqx_endpoint_next_timeout (endpoint);

      if (next <= now)
        sqx_endpoint_handle_timeout (endpoint, now);
      drain (now);
      next = sqx_endpoint_next_timeout (endpoint);
      if (poll (fds, 2, next == SQX_TIME_NEVER ? -1 :
                        next <= now ? 0 : (int) ((next - now) / SQX_MILLISECOND) + 1) < 0)
        abort ();
      now = clock_now ();
      if (fds[0].revents)
        read_datagrams (now);
      if (fds[1].revents)
        goes_on = read_commands (now);
    }
  drain (clock_now ());
}

static void
open_socket (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  udp = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (udp < 0 || bind (udp, (struct sockaddr *) &address, size) < 0 ||
      getsockname (udp, (struct sockaddr *) &address, &size) < 0)
    abort ();
  printf ("port %d\n", ntohs (address.sin_port));
}

int
main (int argc, char **argv)
{
  uint8_t psk[32];
  bool has_psk = false;

  setvbuf (stdout, NULL, _IOLBF, 0);
  sqx_endpoint_config_init (&config);
  config.connection.random = random_cb;
  config.connection.payload_unref = free;
  config.connection.application_id = "interop";
  config.crypto = seqex_crypto_table ();
  config.accepts = true;
  config.judge = judge_cb;
  if (argc < 2 || !read_key (argv[1], config.secret_key))
    return 2;
  for (int i = 2; i < argc; i++)
    {
      if (sscanf (argv[i], "cipher=%hhu", &config.cipher) == 1 ||
          sscanf (argv[i], "retry=%u", &config.retry_threshold) == 1)
        continue;
      if (strncmp (argv[i], "psk=", 4) == 0)
        has_psk = read_key (argv[i] + 4, psk);
      else if (strcmp (argv[i], "ask") == 0)
        trust = SQX_TRUST_ASK;
      else if (strcmp (argv[i], "refuse") == 0)
        trust = SQX_TRUST_REFUSE;
      else if (strcmp (argv[i], "persistent") == 0)
        persistence = SQX_TIME_NEVER;
      else
        return 2;
    }

  endpoint = sqx_endpoint_new (&config, clock_now ());
  if (endpoint == NULL)
    return 3;
  if (has_psk)
    sqx_endpoint_set_psk (endpoint, psk);
  open_socket ();
  run ();
  for (unsigned i = 0; i < n_conns; i++)
    sqx_conn_free (conns[i]);
  sqx_endpoint_free (endpoint);
  return 0;
}
