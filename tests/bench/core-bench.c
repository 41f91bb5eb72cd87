/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The core alone: two encrypted endpoints in one process, and between them a ring of buffers in
 * which one writes what the other decrypts in place. No socket, no main loop; the clock is virtual,
 * so that pacing and time-outs cost nothing but their instructions. What is measured is processor
 * time of both ends together.
 *
 *   core-bench                    every work for a second, one line of JSON each
 *   core-bench WORK               that one
 *   core-bench WORK COUNT         that one, COUNT exchanges after the warm-up, for a profiler
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fill-random.h"
#include "seqex-crypto-private.h"
#include "sqx-endpoint.h"

#define SLOTS      256u /* datagrams on their way, each way */
#define PAYLOAD    65536u
#define TICK       10u  /* microseconds of the virtual clock from wake to wake */
#define WARM_UP    UINT64_C (20000)
#define BATCH      UINT64_C (1000)
#define NS         UINT64_C (1000000000)

typedef struct
{
  const char *name;
  size_t      request;
  size_t      reply;    /* 0: the requests are final, and nobody answers */
  uint64_t    depth;    /* exchanges open at once */
  uint32_t    datagram; /* the largest */
} work;

static const work works[] = {
  { "request-64-depth-1", 64, 64, 1, 1452 },
  { "request-64-depth-64", 64, 64, 64, 1452 },
  { "request-64-depth-64-jumbo", 64, 64, 64, 8952 },
  { "request-64-depth-64-loopback", 64, 64, 64, 65507 },
  { "request-1024-depth-1", 1024, 1024, 1, 1452 },
  { "request-1024-depth-64", 1024, 1024, 64, 1452 },
  { "request-1024-depth-64-loopback", 1024, 1024, 64, 65507 },
  { "bulk-65536-datagram-1200", 65536, 0, 32, 1200 },
  { "bulk-65536-datagram-1452", 65536, 0, 32, 1452 },
  { "bulk-65536-datagram-8952", 65536, 0, 32, 8952 },
  { "bulk-65536-datagram-65507", 65536, 0, 32, 65507 },
};

typedef struct
{
  size_t  size[SLOTS];
  uint8_t data[SLOTS][SQX_DATAGRAM_MAX + 1];
  size_t  first, next;
} ring;

typedef struct
{
  sqx_endpoint *endpoint;
  sqx_conn     *conn;
  sqx_address   address;
  ring          out;
} side;

typedef struct
{
  side        sides[2]; /* 0 asks, 1 answers */
  const work *work;
  uint64_t    now;
  uint64_t    started, done, want;
  uint64_t    datagrams;
  bool        moved;    /* something happened in this wake */
} world;

static world the_world;
static uint8_t payload_bytes[PAYLOAD];

/* Counting allocations -------------------------------------------------------------------- */

static uint64_t allocations;

void *__real_malloc (size_t size);
void *__wrap_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void *__wrap_realloc (void *block, size_t size);

void *
__wrap_malloc (size_t size)
{
  allocations++;
  return __real_malloc (size);
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  allocations++;
  return __real_calloc (count, size);
}

void *
__wrap_realloc (void  *block,
                size_t size)
{
  allocations++;
  return __real_realloc (block, size);
}

/* The world ------------------------------------------------------------------------------- */

static void
check (bool        holds,
       const char *what)
{
  if (holds)
    return;
  fprintf (stderr, "core-bench: %s\n", what);
  exit (1);
}

static void
world_init (world      *w,
            const work *what)
{
  w->work = what;
  w->now = SQX_SECOND;
  w->started = w->done = w->want = w->datagrams = 0;
  for (unsigned i = 0; i < 2; i++)
    {
      side *s = &w->sides[i];
      sqx_endpoint_config config;

      sqx_endpoint_config_init (&config);
      config.connection.random = fill_random;
      config.connection.max_datagram_size = what->datagram;
      config.crypto = seqex_crypto_table ();
      config.accepts = true;
      fill_random (NULL, config.secret_key, sizeof config.secret_key);
      s->address = (sqx_address) { .host = { 127, 0, 0, 1 }, .host_size = 4,
                                   .port = (uint16_t) (4000 + i) };
      s->out.first = s->out.next = 0;
      s->conn = NULL;
      s->endpoint = sqx_endpoint_new (&config, w->now);
      check (s->endpoint != NULL, "no endpoint");
      if (i == 0)
        s->conn = sqx_endpoint_connect (s->endpoint, w->now, &config.connection,
                                        &(sqx_address) { .host = { 127, 0, 0, 1 }, .host_size = 4,
                                                         .port = 4001 }, NULL, s);
    }
  check (w->sides[0].conn != NULL, "no connection");
}

static void
world_clear (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      sqx_conn_free (w->sides[i].conn);
      sqx_endpoint_free (w->sides[i].endpoint);
    }
}

static void
arrive (world *w,
        side  *s,
        side  *peer)
{
  ring *in = &peer->out;

  for (; in->first != in->next; in->first++)
    {
      sqx_endpoint_handle_datagram (s->endpoint, w->now, &peer->address,
                                    in->data[in->first % SLOTS], in->size[in->first % SLOTS]);
      w->moved = true;
    }
}

static void
transmit (world *w,
          side  *s)
{
  ring *out = &s->out;
  sqx_address to;

  /* The same few buffers again and again, as a program would. */
  if (out->first == out->next)
    out->first = out->next = 0;

  while (out->next - out->first < SLOTS)
    {
      size_t at = out->next % SLOTS;

      out->size[at] = sqx_endpoint_poll_transmit (s->endpoint, w->now, &to, out->data[at],
                                                  w->work->datagram);
      if (out->size[at] == 0)
        return;
      out->next++;
      w->datagrams++;
      w->moved = true;
    }
}

static void
ask (world *w,
     side  *s)
{
  const sqx_payload payload = { payload_bytes, w->work->request, NULL };
  uint32_t flags = w->work->reply == 0 ? SQX_MESSAGE_FINAL : 0;

  for (; w->started < w->want && w->started - w->done < w->work->depth; w->started++)
    check (sqx_conn_send (s->conn, w->now, 0, &payload, flags, w, NULL) == SQX_OK, "not sent");
}

static void
answer (world *w,
        side  *s)
{
  const sqx_payload payload = { payload_bytes, w->work->reply, NULL };
  sqx_message message;

  while (sqx_conn_receive (s->conn, w->now, 0, &message))
    {
      check (message.size == w->work->request, "another size");
      free (message.data);
      if (w->work->reply > 0)
        check (sqx_conn_reply (s->conn, w->now, &message.id, &payload, SQX_MESSAGE_FINAL, NULL,
                               NULL) == SQX_OK, "not answered");
    }
}

static void
fetch_events (world *w,
              side  *s)
{
  sqx_event event;

  if (s->conn == NULL)
    return;
  while (sqx_conn_poll_event (s->conn, &event))
    {
      check (event.type != SQX_EVENT_FAILED && event.type != SQX_EVENT_CLOSED, "it failed");
      if (event.type == (w->work->reply > 0 ? SQX_EVENT_REPLY : SQX_EVENT_END) && event.tag == w)
        w->done++;
      free (event.message.data);
    }
}

static void
find_conn (side *s)
{
  sqx_conn *conn;

  while ((conn = sqx_endpoint_poll_conn (s->endpoint)) != NULL)
    if (s->conn == NULL)
      {
        s->conn = conn;
        sqx_conn_set_user_data (conn, s);
      }
}

/* One wake of each side, in the order that sqx.h asks for. */
static void
wake (world *w)
{
  w->moved = false;
  for (unsigned i = 0; i < 2; i++)
    {
      side *s = &w->sides[i];

      arrive (w, s, &w->sides[!i]);
      if (sqx_endpoint_next_timeout (s->endpoint) <= w->now)
        sqx_endpoint_handle_timeout (s->endpoint, w->now);
      find_conn (s);
      fetch_events (w, s);
      if (i == 0)
        ask (w, s);
      else if (s->conn != NULL)
        answer (w, s);
      transmit (w, s);
    }
}

static void
run (world   *w,
     uint64_t exchanges)
{
  w->want += exchanges;
  while (w->done < w->want)
    {
      uint64_t a, b, before = w->datagrams;

      wake (w);
      /* Real ends would need about a microsecond for a datagram. */
      w->now += TICK + w->datagrams - before;
      if (w->moved)
        continue;
      a = sqx_endpoint_next_timeout (w->sides[0].endpoint);
      b = sqx_endpoint_next_timeout (w->sides[1].endpoint);
      a = a < b ? a : b;
      check (a != SQX_TIME_NEVER, "nothing goes on");
      w->now = a > w->now ? a : w->now;
    }
}

/* Measuring ------------------------------------------------------------------------------- */

static uint64_t
processor_time (void)
{
  struct timespec at;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &at);
  return (uint64_t) at.tv_sec * NS + (uint64_t) at.tv_nsec;
}

static void
measure (const work *what,
         uint64_t    count)
{
  world *w = &the_world;
  uint64_t begin, spent, allocated, datagrams, exchanges = 0;

  world_init (w, what);
  run (w, count > 0 && count < WARM_UP ? count : WARM_UP);
  allocated = allocations;
  datagrams = w->datagrams;
  begin = processor_time ();
  do
    {
      uint64_t batch = count > 0 ? count : BATCH;

      run (w, batch);
      exchanges += batch;
      spent = processor_time () - begin;
    }
  while (count == 0 && spent < NS);
  printf ("{\"work\": \"%s\", \"exchanges_per_second\": %.0f, \"ns_per_exchange\": %.1f, "
          "\"megabytes_per_second\": %.0f, \"allocations_per_exchange\": %.3f, "
          "\"datagrams_per_exchange\": %.3f}\n",
          what->name, (double) exchanges * (double) NS / (double) spent,
          (double) spent / (double) exchanges,
          (double) (exchanges * (what->request + what->reply)) * 1e3 / (double) spent,
          (double) (allocations - allocated) / (double) exchanges,
          (double) (w->datagrams - datagrams) / (double) exchanges);
  fflush (stdout);
  world_clear (w);
}

int
main (int    argc,
      char **argv)
{
  unsigned found = 0;

  for (unsigned i = 0; i < sizeof works / sizeof *works; i++)
    if (argc < 2 || strcmp (argv[1], works[i].name) == 0)
      {
        measure (&works[i], argc > 2 ? strtoull (argv[2], NULL, 10) : 0);
        found++;
      }
  check (found > 0, "no such work");
  return 0;
}
