/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nng over TCP. Requests: REQ and REP, a context for each request that is outstanding at either
 * side, and completion in nng's own threads, as its asynchronous demonstration does. Bulk: PUSH and
 * PULL; nng copies what is sent into messages of its own.
 */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "harness.h"

typedef enum
{
  STEP_SEND,
  STEP_RECEIVE,
} Step;

/* One exchange at a time, at one side. */
typedef struct
{
  Bench    *bench;
  nng_ctx   context;
  nng_aio  *aio;
  Step      step;
  guint     slot;
} Worker;

/* The threads of nng complete side by side; the harness counts for one. */
static GMutex mutex;
static GCond finished;

static void
must (int result)
{
  if (result != 0)
    bench_fail ("%s", nng_strerror (result));
}

static void
worker_send (Worker  *self,
             nng_msg *message)
{
  self->step = STEP_SEND;
  nng_aio_set_msg (self->aio, message);
  nng_ctx_send (self->context, self->aio);
}

static void
worker_receive (Worker *self)
{
  self->step = STEP_RECEIVE;
  nng_ctx_recv (self->context, self->aio);
}

static Worker *
worker_new (Bench      *bench,
            nng_socket  socket,
            guint       slot,
            void      (*callback) (void *))
{
  Worker *self = g_new0 (Worker, 1);

  self->bench = bench;
  self->slot = slot;
  must (nng_ctx_open (&self->context, socket));
  must (nng_aio_alloc (&self->aio, callback, self));
  return self;
}

/* The server -------------------------------------------------------------------------- */

static void
server_cb (void *user_data)
{
  Worker *self = user_data;

  must (nng_aio_result (self->aio));
  if (self->step == STEP_SEND)
    worker_receive (self);
  else
    worker_send (self, nng_aio_get_msg (self->aio));
}

static void
count (Bench      *bench,
       nng_socket  socket)
{
  nng_msg *message;

  must (nng_recvmsg (socket, &message, 0));
  bench_received (bench, nng_msg_body (message), nng_msg_len (message));
  nng_msg_free (message);
}

static void
serve (Bench *bench)
{
  gboolean bulk = bench_work (bench) == WORK_BULK;
  g_autofree char *url = g_strdup_printf ("tcp://%s:0", bench_host (bench));
  nng_listener listener;
  nng_socket socket;
  int port;

  must (bulk ? nng_pull0_open (&socket) : nng_rep0_open (&socket));
  must (nng_socket_set_size (socket, NNG_OPT_RECVMAXSZ, 0));
  if (!bulk)
    for (guint i = 0; i < bench_depth (bench); i++)
      worker_receive (worker_new (bench, socket, i, server_cb));
  must (nng_listener_create (&listener, socket, url));
  must (nng_listener_start (listener, 0));
  must (nng_listener_get_int (listener, NNG_OPT_TCP_BOUND_PORT, &port));
  bench_ready (bench, (guint) port, NULL);
  while (TRUE)
    if (bulk)
      count (bench, socket);
    else
      g_usleep (G_USEC_PER_SEC);
}

/* The client -------------------------------------------------------------------------- */

static void
send_request (Worker *self)
{
  nng_msg *message;

  must (nng_msg_alloc (&message, bench_size (self->bench)));
  bench_request (self->bench, self->slot, nng_msg_body (message));
  worker_send (self, message);
}

static void
client_cb (void *user_data)
{
  Worker *self = user_data;
  g_autoptr (GMutexLocker) locker = NULL;
  nng_msg *reply;
  guint slot;

  must (nng_aio_result (self->aio));
  if (self->step == STEP_SEND)
    {
      worker_receive (self);
      return;
    }
  reply = nng_aio_get_msg (self->aio);
  locker = g_mutex_locker_new (&mutex);
  if (bench_reply (self->bench, nng_msg_body (reply), nng_msg_len (reply), &slot))
    send_request (self);
  else if (bench_finished (self->bench))
    g_cond_signal (&finished);
  nng_msg_free (reply);
}

static void
drive_requests (Bench      *bench,
                nng_socket  socket)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);

  bench_begin (bench);
  for (guint slot = 0; slot < bench_depth (bench); slot++)
    send_request (worker_new (bench, socket, slot, client_cb));
  while (!bench_finished (bench))
    g_cond_wait (&finished, &mutex);
}

static void
drive_bulk (Bench      *bench,
            nng_socket  socket)
{
  gconstpointer data;

  bench_begin (bench);
  while (bench_bulk (bench, &data))
    {
      nng_msg *message;

      must (nng_msg_alloc (&message, 0));
      must (nng_msg_append (message, data, bench_size (bench)));
      must (nng_sendmsg (socket, message, 0));
    }
  while (!bench_finished (bench))
    g_usleep (1000);
}

static void
drive (Bench *bench)
{
  gboolean bulk = bench_work (bench) == WORK_BULK;
  g_autofree char *url = g_strdup_printf ("tcp://%s:%u", bench_host (bench), bench_port (bench));
  nng_socket socket;

  must (bulk ? nng_push0_open (&socket) : nng_req0_open (&socket));
  must (nng_socket_set_size (socket, NNG_OPT_RECVMAXSZ, 0));
  must (nng_dial (socket, url, NULL, 0));
  if (bulk)
    drive_bulk (bench, socket);
  else
    drive_requests (bench, socket);
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "tcp", NULL };
  static const System system = {
    .name = "nng",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK,
    .serve = serve,
    .drive = drive,
  };

  return bench_main (&system, argc, argv);
}
