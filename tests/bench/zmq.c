/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ZeroMQ over TCP.
 *
 *   null    without encryption
 *   curve   with CURVE, its own
 *
 * Requests: a DEALER asks and a ROUTER answers, the pair for more than one request at a time. Bulk:
 * PUSH and PULL, messages of bytes that need not be copied, the sender held back by the high-water
 * mark. Each side blocks in zmq_msg_recv(); the sockets are served by ZeroMQ's own thread, which
 * gathers what is ready into one write.
 */
#include <string.h>
#include <zmq.h>

#include "harness.h"

#define KEY_TEXT 41 /* of Z85, as zmq_curve_keypair() writes it */

static void *
new_socket (Bench *bench,
            int    type)
{
  void *context = zmq_ctx_new ();
  void *self = zmq_socket (context, type);
  int limit = (int) bench_depth (bench);
  int linger = 0;

  if (self == NULL)
    bench_fail ("%s", zmq_strerror (errno));
  zmq_setsockopt (self, ZMQ_LINGER, &linger, sizeof linger);
  if (bench_work (bench) == WORK_BULK)
    {
      zmq_setsockopt (self, ZMQ_SNDHWM, &limit, sizeof limit);
      zmq_setsockopt (self, ZMQ_RCVHWM, &limit, sizeof limit);
    }
  return self;
}

static void
receive (void      *self,
         zmq_msg_t *message)
{
  zmq_msg_init (message);
  if (zmq_msg_recv (message, self, 0) < 0)
    bench_fail ("%s", zmq_strerror (errno));
}

static void
send_on (void      *self,
         zmq_msg_t *message,
         int        flags)
{
  if (zmq_msg_send (message, self, flags) < 0)
    bench_fail ("%s", zmq_strerror (errno));
}

/* The server -------------------------------------------------------------------------- */

static void
answer (void *self)
{
  zmq_msg_t peer;
  zmq_msg_t payload;

  receive (self, &peer);
  receive (self, &payload);
  send_on (self, &peer, ZMQ_SNDMORE);
  send_on (self, &payload, 0);
}

static void
count (Bench *bench,
       void  *self)
{
  zmq_msg_t payload;

  receive (self, &payload);
  bench_received (bench, zmq_msg_data (&payload), zmq_msg_size (&payload));
  zmq_msg_close (&payload);
}

static void
serve (Bench *bench)
{
  void *self = new_socket (bench, bench_work (bench) == WORK_BULK ? ZMQ_PULL : ZMQ_ROUTER);
  g_autofree char *endpoint = g_strdup_printf ("tcp://%s:*", bench_host (bench));
  char bound[128];
  size_t bound_size = sizeof bound;
  char public_key[KEY_TEXT] = "";
  char secret_key[KEY_TEXT];
  int on = 1;

  if (bench_is (bench, "curve"))
    {
      zmq_curve_keypair (public_key, secret_key);
      zmq_setsockopt (self, ZMQ_CURVE_SERVER, &on, sizeof on);
      zmq_setsockopt (self, ZMQ_CURVE_SECRETKEY, secret_key, KEY_TEXT);
    }
  if (zmq_bind (self, endpoint) != 0
      || zmq_getsockopt (self, ZMQ_LAST_ENDPOINT, bound, &bound_size) != 0)
    bench_fail ("%s", zmq_strerror (errno));
  bench_ready (bench, (guint) g_ascii_strtoull (strrchr (bound, ':') + 1, NULL, 10), public_key);
  while (TRUE)
    if (bench_work (bench) == WORK_BULK)
      count (bench, self);
    else
      answer (self);
}

/* The client -------------------------------------------------------------------------- */

static void *
open_connection (Bench *bench,
                 int    type)
{
  void *self = new_socket (bench, type);
  g_autofree char *endpoint = g_strdup_printf ("tcp://%s:%u", bench_host (bench),
                                               bench_port (bench));
  char public_key[KEY_TEXT];
  char secret_key[KEY_TEXT];

  if (bench_is (bench, "curve"))
    {
      zmq_curve_keypair (public_key, secret_key);
      zmq_setsockopt (self, ZMQ_CURVE_SERVERKEY, bench_text (bench), KEY_TEXT);
      zmq_setsockopt (self, ZMQ_CURVE_PUBLICKEY, public_key, KEY_TEXT);
      zmq_setsockopt (self, ZMQ_CURVE_SECRETKEY, secret_key, KEY_TEXT);
    }
  if (zmq_connect (self, endpoint) != 0)
    bench_fail ("%s", zmq_strerror (errno));
  return self;
}

static void
send_request (Bench *bench,
              void  *self,
              guint  slot)
{
  zmq_msg_t message;

  zmq_msg_init_size (&message, bench_size (bench));
  bench_request (bench, slot, zmq_msg_data (&message));
  send_on (self, &message, 0);
}

static void
drive_requests (Bench *bench)
{
  void *self = open_connection (bench, ZMQ_DEALER);
  guint slot;

  bench_begin (bench);
  for (slot = 0; slot < bench_depth (bench); slot++)
    send_request (bench, self, slot);
  while (!bench_finished (bench))
    {
      zmq_msg_t message;

      receive (self, &message);
      if (bench_reply (bench, zmq_msg_data (&message), zmq_msg_size (&message), &slot))
        send_request (bench, self, slot);
      zmq_msg_close (&message);
    }
}

static void
kept_cb (void *data,
         void *hint)
{
}

static void
drive_bulk (Bench *bench)
{
  void *self = open_connection (bench, ZMQ_PUSH);
  gconstpointer data;

  bench_begin (bench);
  while (bench_bulk (bench, &data))
    {
      zmq_msg_t message;

      /* ZeroMQ only reads what it is given. */
      zmq_msg_init_data (&message, (void *) (guintptr) data, bench_size (bench), kept_cb, NULL);
      send_on (self, &message, 0);
    }
  while (!bench_finished (bench))
    g_usleep (1000);
}

static void
drive (Bench *bench)
{
  if (bench_work (bench) == WORK_BULK)
    drive_bulk (bench);
  else
    drive_requests (bench);
}

static const char *
missing (Bench *bench)
{
  return bench_is (bench, "curve") && !zmq_has ("curve") ? "this ZeroMQ has no CURVE" : NULL;
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "null", "curve", NULL };
  static const System system = {
    .name = "zmq",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK,
    .serve = serve,
    .drive = drive,
    .missing = missing,
  };

  return bench_main (&system, argc, argv);
}
