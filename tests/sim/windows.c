/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bulk over a long and fast path: two connections of the shipped core, a bottleneck with a queue,
 * a virtual clock. What is asked: whether the windows grow until the path is full, and what a packet
 * costs when so many are in flight.
 *
 *   windows                                   1 Gbit/s with 600 ms, held against goals, as TAP
 *   windows MBIT RTT-MS DATAGRAM SECONDS      any other path; prints what came of it
 *   windows --packets                         recovery alone: what a packet costs it, sent and
 *                                             acknowledged, while 1 000 to 5 000 000 are in flight
 *
 * Payloads are zeros, and datagrams are kept without them, so that gigabytes fit on the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fill-random.h"
#include "seqex/core/sqx-recovery.h"
#include "seqex/core/sqx.h"

#define MESSAGE  (1000u * 1000u)
#define WAITING  (64u * MESSAGE) /* submitted and not begun */
#define KEPT     44u             /* bytes of a datagram that are usually not zeros */
#define LEAST_RUN 32u            /* zeros that are not kept */

typedef struct
{
  uint64_t at;
  uint16_t size;
  uint16_t kept;
  uint8_t  little[KEPT]; /* literal length, bytes, length of the zeros as two bytes, and again … */
  uint8_t *much;         /* … if it takes more than that; else NULL */
} packet;

typedef struct
{
  packet  *ring;     /* capacity is a power of two */
  uint64_t capacity;
  uint64_t first, next;
} line;

typedef struct
{
  uint64_t rate;     /* bytes a second */
  uint64_t delay;    /* one way */
  uint64_t queue;    /* bytes that wait for the rate at most */
  uint64_t datagram;
  uint64_t span;
} way;

typedef struct
{
  way path;
  sqx_conn *conns[2];
  line      lines[2];   /* [i]: from i to the other */
  uint64_t  now, busy_until;
  uint64_t  taken;      /* messages that the receiver took */
  uint64_t  dropped;
  uint64_t  most_packets, most_bytes; /* in flight */
  uint64_t  packets[2]; /* that each sent */
  uint64_t  ns[2];      /* time in each core */
  uint64_t  half_taken; /* at half of the span */
} world;

static unsigned tests, failures;
static uint8_t zeros[MESSAGE];

static uint64_t
clock_ns (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000000000u + (uint64_t) time.tv_nsec;
}

/* Datagrams without their zeros ---------------------------------------------------------- */

static size_t
zero_run (const uint8_t *at,
          const uint8_t *end)
{
  const uint8_t *start = at;

  while (end - at >= 8 && memcmp (at, zeros, 8) == 0)
    at += 8;
  while (at < end && *at == 0)
    at++;
  return (size_t) (at - start);
}

static void
squeeze (packet        *p,
         const uint8_t *data,
         size_t         size)
{
  const uint8_t *at = data, *end = data + size;
  static uint8_t buffer[2 * SQX_DATAGRAM_MAX];
  size_t kept = 0;

  while (at < end)
    {
      const uint8_t *literal = at;
      size_t run = 0, length;

      while (at < end && at - literal < 255)
        {
          run = *at == 0 ? zero_run (at, end) : 0;
          if (run >= LEAST_RUN)
            break;
          at += run > 0 ? run : 1;
          run = 0;
        }
      at = at < end ? at : end;
      length = (size_t) (at - literal);
      while (length > 255)
        at--, length--, run = 0;
      buffer[kept++] = (uint8_t) length;
      memcpy (buffer + kept, literal, length);
      kept += length;
      buffer[kept++] = (uint8_t) (run >> 8);
      buffer[kept++] = (uint8_t) run;
      at += run;
    }
  p->size = (uint16_t) size;
  p->kept = (uint16_t) kept;
  p->much = kept > KEPT ? malloc (kept) : NULL;
  memcpy (p->much != NULL ? p->much : p->little, buffer, kept);
}

static void
unsqueeze (packet  *p,
           uint8_t *data)
{
  const uint8_t *from = p->much != NULL ? p->much : p->little;
  size_t at = 0;

  for (size_t i = 0; i < p->kept;)
    {
      size_t length = from[i++], run;

      memcpy (data + at, from + i, length);
      at += length;
      i += length;
      run = (size_t) from[i] << 8 | from[i + 1];
      i += 2;
      memset (data + at, 0, run);
      at += run;
    }
  free (p->much);
  p->much = NULL;
}

static packet *
line_push (line *l)
{
  if (l->next - l->first == l->capacity)
    {
      uint64_t capacity = l->capacity > 0 ? 2 * l->capacity : 1024;
      packet *ring = malloc (capacity * sizeof *ring);

      if (ring == NULL)
        abort ();
      for (uint64_t i = l->first; i < l->next; i++)
        ring[i & (capacity - 1)] = l->ring[i & (l->capacity - 1)];
      free (l->ring);
      l->ring = ring;
      l->capacity = capacity;
    }
  return &l->ring[l->next++ & (l->capacity - 1)];
}

/* The world ------------------------------------------------------------------------------ */

static void
world_init (world      *w,
            const way *path)
{
  uint64_t product = path->rate * 2 * path->delay / SQX_SECOND;
  sqx_config config;

  memset (w, 0, sizeof *w);
  w->path = *path;
  w->now = SQX_SECOND;
  sqx_config_init (&config);
  config.random = fill_random;
  config.max_datagram_size = (uint32_t) path->datagram;
  config.exchange_credit = SQX_EXCHANGES_MAX;
  config.byte_window_max = SQX_WINDOW_MAX_DEFAULT + 4 * product;
  for (unsigned i = 0; i < 2; i++)
    if ((w->conns[i] = sqx_conn_new (&config, w->now)) == NULL)
      abort ();
}

static void
world_clear (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      sqx_conn_free (w->conns[i]);
      for (uint64_t n = w->lines[i].first; n < w->lines[i].next; n++)
        free (w->lines[i].ring[n & (w->lines[i].capacity - 1)].much);
      free (w->lines[i].ring);
    }
}

/* When a datagram of @size from @i arrives; SQX_TIME_NEVER: the queue is full. */
static uint64_t
arrival (world   *w,
         unsigned i,
         size_t   size)
{
  uint64_t begin = w->busy_until > w->now * 1000 ? w->busy_until : w->now * 1000;

  if (i == 1)
    return w->now + w->path.delay;
  if ((begin - w->now * 1000) * w->path.rate / 1000000000u > w->path.queue)
    return SQX_TIME_NEVER;
  w->busy_until = begin + size * 1000000000u / w->path.rate;
  return w->busy_until / 1000 + w->path.delay;
}

static void
transmit (world   *w,
          unsigned i)
{
  static uint8_t buffer[SQX_DATAGRAM_MAX];

  for (;;)
    {
      uint64_t start = clock_ns (), at;
      size_t size = sqx_conn_poll_transmit (w->conns[i], w->now, buffer, sizeof buffer);
      packet *p;

      w->ns[i] += clock_ns () - start;
      if (size == 0)
        return;
      w->packets[i]++;
      at = arrival (w, i, size);
      if (at == SQX_TIME_NEVER)
        {
          w->dropped++;
          continue;
        }
      p = line_push (&w->lines[i]);
      p->at = at;
      squeeze (p, buffer, size);
    }
}

static void
arrive (world   *w,
        unsigned i)
{
  static uint8_t buffer[SQX_DATAGRAM_MAX];
  line *l = &w->lines[!i];

  while (l->first < l->next && l->ring[l->first & (l->capacity - 1)].at <= w->now)
    {
      packet *p = &l->ring[l->first++ & (l->capacity - 1)];
      uint64_t start;

      unsqueeze (p, buffer);
      start = clock_ns ();
      sqx_conn_handle_datagram (w->conns[i], w->now, buffer, p->size);
      w->ns[i] += clock_ns () - start;
    }
}

static void
use (world   *w,
     unsigned i)
{
  const sqx_payload payload = { zeros, MESSAGE, NULL };
  sqx_message message;
  sqx_event event;

  while (sqx_conn_poll_event (w->conns[i], &event))
    if (event.type == SQX_EVENT_FAILED || event.type == SQX_EVENT_CLOSED)
      abort ();
  if (i == 1)
    while (sqx_conn_receive (w->conns[1], w->now, 0, &message))
      {
        free (message.data);
        w->taken++;
      }
  else
    while (sqx_conn_queued_bytes (w->conns[0]) < WAITING - 2 * MESSAGE)
      if (sqx_conn_send (w->conns[0], w->now, 0, &payload, SQX_MESSAGE_FINAL, w, NULL) != SQX_OK)
        abort ();
}

static void
wake (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      arrive (w, i);
      sqx_conn_handle_timeout (w->conns[i], w->now);
      use (w, i);
      transmit (w, i);
    }
}

static void
note_flight (world *w)
{
  sqx_statistics statistics;
  uint64_t packets = w->lines[0].next - w->lines[0].first + w->lines[1].next - w->lines[1].first;

  sqx_conn_statistics (w->conns[0], &statistics);
  if (statistics.bytes_in_flight > w->most_bytes)
    w->most_bytes = statistics.bytes_in_flight;
  if (packets > w->most_packets)
    w->most_packets = packets;
}

static void
world_run (world *w)
{
  uint64_t start = w->now, end = start + w->path.span;

  for (uint64_t round = 0; w->now < end; round++)
    {
      uint64_t at = SQX_TIME_NEVER;

      wake (w);
      if (round % 64 == 0)
        note_flight (w);
      if (w->half_taken == 0 && w->now - start >= w->path.span / 2)
        w->half_taken = w->taken;
      for (unsigned i = 0; i < 2; i++)
        {
          const line *l = &w->lines[i];
          uint64_t due = sqx_conn_next_timeout (w->conns[i]);

          if (l->first < l->next && l->ring[l->first & (l->capacity - 1)].at < at)
            at = l->ring[l->first & (l->capacity - 1)].at;
          at = due < at ? due : at;
        }
      w->now = at > w->now ? at : w->now + (at == w->now && round % 1024 == 0);
    }
}

/* What came of it ------------------------------------------------------------------------- */

static void
report (const char *what,
        double      value,
        double      goal,
        const char *unit,
        bool        at_least)
{
  bool held = at_least ? value >= goal : value <= goal;

  printf ("# %-52s %12.3f %s (goal: at %s %g)\n", what, value, unit, at_least ? "least" : "most",
          goal);
  printf ("%sok %u - %s\n", held ? "" : "not ", ++tests, what);
  failures += !held;
}

static double
share (const world *w)
{
  double seconds = (double) w->path.span / 2 / SQX_SECOND;

  return (double) (w->taken - w->half_taken) * MESSAGE / seconds / (double) w->path.rate;
}

static void
print (const world *w)
{
  sqx_statistics a, b;

  sqx_conn_statistics (w->conns[0], &a);
  sqx_conn_statistics (w->conns[1], &b);
  printf ("# %.0f Mbit/s, %llu ms, datagrams of %llu bytes, %llu s: %.3f of the path in the second "
          "half, %llu packets and %.1f MB in flight at most\n",
          (double) w->path.rate * 8 / 1e6, (unsigned long long) (w->path.delay / 500),
          (unsigned long long) w->path.datagram, (unsigned long long) (w->path.span / SQX_SECOND),
          share (w), (unsigned long long) w->most_packets, (double) w->most_bytes / 1e6);
  printf ("# window %.1f MB, receive window %.1f MB, %llu dropped, %.2f %% resent; a packet sent "
          "costs its sender %.0f ns and its receiver %.0f ns, with ACKs\n",
          (double) a.congestion_window / 1e6, (double) b.byte_window / 1e6,
          (unsigned long long) w->dropped, 100.0 * (double) a.bytes_resent / (double) a.bytes_sent,
          (double) w->ns[0] / (double) w->packets[0], (double) w->ns[1] / (double) w->packets[0]);
}

/* Recovery alone ---------------------------------------------------------------------------- */

static void
ignore (void             *user_data,
        uint64_t          now,
        const sqx_record *record)
{
  (void) user_data;
  (void) now;
  (void) record;
}

static void
send_packet (sqx_recovery *recovery,
             uint64_t      now)
{
  const sqx_record record = { .kind = SQX_RECORD_MESSAGE, .length = 1400 };

  if (!sqx_recovery_reserve (recovery, 1))
    abort ();
  sqx_recovery_on_sent (recovery, now, 1472, true, false, &record, 1);
}

/* @in_flight packets are on their way, and every second one that arrives is acknowledged. ACKs tell
 * of at most 50 packets, so that each tells again of what was told; none is lost. */
static void
measure (uint64_t in_flight)
{
  static const sqx_recovery_listener listener = { ignore, ignore, NULL };
  const uint64_t count = 4000000, rtt = 600 * SQX_MILLISECOND;
  sqx_recovery recovery;
  uint64_t start, now = 0;

  sqx_recovery_init (&recovery, &listener, NULL, &sqx_bbr, 0, 1472, 1);
  for (uint64_t i = 0; i < in_flight; i++)
    send_packet (&recovery, now = SQX_SECOND + i * rtt / in_flight);
  start = clock_ns ();
  for (uint64_t i = 0; i < count; i++)
    {
      now = SQX_SECOND + (in_flight + i) * rtt / in_flight;
      send_packet (&recovery, now);
      if (i % 2 == 1 &&
          sqx_recovery_on_ack (&recovery, now, &(sqx_ack) {
            .largest = i, .first_range = i % 100 < 50 ? i % 100 : 49 }) != SQX_OK)
        abort ();
    }
  printf ("# %8llu packets in flight: %4.0f ns a packet\n", (unsigned long long) in_flight,
          (double) (clock_ns () - start) / (double) count);
  sqx_recovery_clear (&recovery);
}

int
main (int    argc,
      char **argv)
{
  way path = { .rate = 125000000, .delay = 300 * SQX_MILLISECOND, .datagram = 1472,
                .span = 40 * SQX_SECOND };
  double product;
  sqx_statistics b;
  world w;

  setvbuf (stdout, NULL, _IOLBF, 0);
  if (argc == 2)
    {
      for (uint64_t n = 1000; n <= 5000000; n *= n < 1000000 ? 10 : 5)
        measure (n);
      return 0;
    }
  if (argc == 5)
    {
      path.rate = strtoull (argv[1], NULL, 10) * 125000;
      path.delay = strtoull (argv[2], NULL, 10) * 500;
      path.datagram = strtoull (argv[3], NULL, 10);
      path.span = strtoull (argv[4], NULL, 10) * SQX_SECOND;
    }
  product = (double) path.rate * 2 * (double) path.delay / SQX_SECOND;
  path.queue = (uint64_t) product;
  world_init (&w, &path);
  world_run (&w);
  print (&w);
  if (argc == 1)
    {
      sqx_conn_statistics (w.conns[1], &b);
      report ("1 Gbit/s with 600 ms: share of the path", share (&w), 0.90, "", true);
      report ("bytes in flight", (double) w.most_bytes / product, 1.0, "of 75 MB", true);
      report ("receive window", (double) b.byte_window / product, 1.0, "of 75 MB", true);
      printf ("1..%u\n", tests);
    }
  world_clear (&w);
  return failures > 0;
}
