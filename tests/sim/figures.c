/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The figures that the core promises, each measured and held against its goal: datagrams per
 * exchange, memory of an idle connection, round trips of a burst. Two connections of the shipped
 * core on a network without faults, under a virtual clock. TAP output. The cost per exchange is
 * counted by check-cost, which runs this program under valgrind: figures OUTSTANDING EXCHANGES.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fill-random.h"
#include "seqex/core/sqx.h"
#include "sim-base.h"

#define PAYLOAD 64u
#define DELAY   (10 * SQX_MILLISECOND) /* one way, where the time matters */

typedef struct packet packet;
struct packet
{
  packet  *next;
  uint64_t at;
  size_t   size;
  uint8_t  data[];
};

typedef struct
{
  packet  *first;
  packet **last;
} queue;

typedef struct
{
  sqx_conn *conns[2];
  queue     line[2];     /* [i]: from i to the other */
  uint64_t  now;
  uint64_t  delay;
  uint64_t  datagrams;
  uint64_t  started[2];  /* requests */
  uint64_t  replied[2];  /* replies that came */
  uint64_t  want[2];     /* requests to start in all … */
  uint64_t  depth;       /* … so many unanswered at once */
  uint64_t  hold;        /* requests that a side keeps unanswered */
  sqx_message_id *held[2]; /* a ring of hold + depth */
  uint64_t  held_first[2], held_next[2];
  sim_account account;   /* what the first connection holds */
} world;

static unsigned tests, failures;
static uint8_t payload_bytes[PAYLOAD];

static void
report (const char *what,
        double      value,
        double      goal,
        const char *unit)
{
  int held = value <= goal;

  printf ("# %-58s %10.3f %s (goal: at most %g)\n", what, value, unit, goal);
  printf ("%sok %u - %s\n", held ? "" : "not ", ++tests, what);
  failures += !held;
}

/* The world ---------------------------------------------------------------------------- */

static void
world_init (world   *w,
            uint64_t delay,
            uint64_t depth,
            uint64_t hold,
            uint64_t credit)
{
  sqx_config config;

  memset (w, 0, sizeof *w);
  w->now = SQX_SECOND;
  w->delay = delay;
  w->depth = depth;
  w->hold = hold;
  sqx_config_init (&config);
  config.random = fill_random;
  config.exchange_credit = credit;
  /* So that the exchange credit is what limits, not the bytes. */
  config.byte_window = SQX_WINDOW_DEFAULT + 2 * credit * (PAYLOAD + SQX_MESSAGE_OVERHEAD);
  config.byte_window_max = 2 * config.byte_window;
  for (unsigned i = 0; i < 2; i++)
    {
      w->line[i].last = &w->line[i].first;
      w->held[i] = malloc ((hold + depth + 1) * sizeof *w->held[i]);
      sim_alloc_pay (i == 0 ? &w->account : NULL);
      w->conns[i] = sqx_conn_new (&config, w->now);
      sim_alloc_pay (NULL);
      if (w->conns[i] == NULL)
        abort ();
    }
}

static void
world_clear (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      packet *next;

      for (packet *p = w->line[i].first; p != NULL; p = next)
        {
          next = p->next;
          free (p);
        }
      sqx_conn_free (w->conns[i]);
      free (w->held[i]);
    }
}

static void
transmit (world   *w,
          unsigned i)
{
  uint8_t buffer[SQX_DATAGRAM_DEFAULT];
  size_t size;

  while ((size = sqx_conn_poll_transmit (w->conns[i], w->now, buffer, sizeof buffer)) > 0)
    {
      packet *p;

      sim_alloc_pay (NULL);
      p = malloc (sizeof *p + size);
      p->next = NULL;
      p->at = w->now + w->delay;
      p->size = size;
      memcpy (p->data, buffer, size);
      *w->line[i].last = p;
      w->line[i].last = &p->next;
      w->datagrams++;
      sim_alloc_pay (i == 0 ? &w->account : NULL);
    }
}

static void
arrive (world   *w,
        unsigned i)
{
  queue *line = &w->line[!i];

  while (line->first != NULL && line->first->at <= w->now)
    {
      packet *p = line->first;

      line->first = p->next;
      if (p->next == NULL)
        line->last = &line->first;
      sqx_conn_handle_datagram (w->conns[i], w->now, p->data, p->size);
      free (p);
    }
}

static void
start_requests (world   *w,
                unsigned i)
{
  const sqx_payload payload = { payload_bytes, PAYLOAD, NULL };

  while (w->started[i] < w->want[i] && w->started[i] - w->replied[i] < w->depth + w->hold)
    {
      if (sqx_conn_send (w->conns[i], w->now, 0, &payload, 0, w, NULL) != SQX_OK)
        abort ();
      w->started[i]++;
    }
}

static void
answer (world   *w,
        unsigned i)
{
  const sqx_payload payload = { payload_bytes, PAYLOAD, NULL };
  uint64_t slots = w->hold + w->depth;
  sqx_message message;

  while (sqx_conn_receive (w->conns[i], w->now, 0, &message))
    {
      free (message.data);
      w->held[i][w->held_next[i]++ % slots] = message.id;
    }
  while (w->held_next[i] - w->held_first[i] > (w->want[!i] == w->started[!i] ? 0 : w->hold))
    if (sqx_conn_reply (w->conns[i], w->now, &w->held[i][w->held_first[i]++ % slots], &payload,
                        SQX_MESSAGE_FINAL, NULL, NULL) != SQX_OK)
      abort ();
}

static void
fetch_events (world   *w,
              unsigned i)
{
  sqx_event event;

  while (sqx_conn_poll_event (w->conns[i], &event))
    {
      if (event.type == SQX_EVENT_REPLY)
        w->replied[i]++;
      else if (event.type == SQX_EVENT_FAILED || event.type == SQX_EVENT_CLOSED)
        abort ();
      free (event.message.data);
    }
}

/* One wake of each side, in the order that sqx.h asks for. */
static void
wake (world *w)
{
  for (unsigned i = 0; i < 2; i++)
    {
      sim_alloc_pay (i == 0 ? &w->account : NULL);
      arrive (w, i);
      sqx_conn_handle_timeout (w->conns[i], w->now);
      fetch_events (w, i);
      answer (w, i);
      start_requests (w, i);
      transmit (w, i);
      fetch_events (w, i);
      sim_alloc_pay (NULL);
    }
}

/* Moves the clock to whatever comes next; 0: nothing does. */
static int
advance (world *w)
{
  uint64_t at = SQX_TIME_NEVER;

  for (unsigned i = 0; i < 2; i++)
    {
      uint64_t due = sqx_conn_next_timeout (w->conns[i]);

      if (w->line[i].first != NULL && w->line[i].first->at < at)
        at = w->line[i].first->at;
      if (due < at)
        at = due;
    }
  if (at == SQX_TIME_NEVER)
    return 0;
  if (at > w->now)
    w->now = at;
  return 1;
}

static void
run_until (world   *w,
           uint64_t replies)
{
  do
    wake (w);
  while (w->replied[0] + w->replied[1] < replies && advance (w));
}

/* Figures ------------------------------------------------------------------------------ */

static void
measure_datagrams (const char *what,
                   uint64_t    depth,
                   double      goal)
{
  const uint64_t warm_up = 2000, exchanges = 20000;
  uint64_t before;
  world w;

  world_init (&w, DELAY, depth, 0, SQX_EXCHANGES_DEFAULT);
  w.want[0] = warm_up + exchanges;
  run_until (&w, warm_up);
  before = w.datagrams;
  run_until (&w, warm_up + exchanges);
  report (what, (double) (w.datagrams - before) / (double) exchanges, goal, "datagrams");
  world_clear (&w);
}

/* Work for a profiler: @exchanges with @outstanding of them open all the time, answered in the
 * order in which they came. What check-cost counts is the difference between two such runs. */
static void
work (uint64_t outstanding,
      uint64_t exchanges)
{
  world w;

  world_init (&w, 0, 64, outstanding - 64, 2 * outstanding);
  w.want[0] = 2 * outstanding + exchanges;
  run_until (&w, exchanges);
  world_clear (&w);
}

static void
measure_idle (void)
{
  world w;

  world_init (&w, DELAY, 64, 0, SQX_EXCHANGES_DEFAULT);
  w.want[0] = w.want[1] = 5000;
  run_until (&w, 10000);
  /* Until nothing is due any more. */
  while (advance (&w))
    wake (&w);
  report ("an idle connection after 10 000 exchanges", (double) w.account.current, 8192, "bytes");
  world_clear (&w);
}

static void
measure_burst (const char *what,
               uint64_t    each,
               double      goal)
{
  uint64_t start;
  world w;

  world_init (&w, DELAY, each, 0, SQX_EXCHANGES_DEFAULT);
  start = w.now;
  w.want[0] = w.want[1] = each;
  run_until (&w, 2 * each);
  printf ("# %s: %llu of %llu answered\n", what,
          (unsigned long long) (w.replied[0] + w.replied[1]), (unsigned long long) (2 * each));
  report (what, w.replied[0] + w.replied[1] == 2 * each
                ? (double) (w.now - start) / (double) (2 * DELAY) : 1e9, goal, "round trips");
  world_clear (&w);
}

int
main (int    argc,
      char **argv)
{
  if (argc == 3)
    {
      work (strtoull (argv[1], NULL, 10), strtoull (argv[2], NULL, 10));
      return 0;
    }
  measure_datagrams ("request and reply at depth 1, both directions together", 1, 2.05);
  measure_datagrams ("request and reply at depth 64, 64 bytes", 64, 0.3);
  measure_idle ();
  measure_burst ("64 and 64 started at once, all answered", 64, 3);
  measure_burst ("10 000 and 10 000 started at once, all answered", 10000, 200);
  printf ("1..%u\n", tests);
  return failures > 0;
}
