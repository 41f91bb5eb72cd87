/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clock and what happens when.
 */

#include "sim-host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sim_world *
sim_world_new (const char *scenario,
               uint64_t    seed,
               bool        trace)
{
  sim_world *world = calloc (1, sizeof *world);
  bool secure = strncmp (scenario, "secure-", 7) == 0;
  const char *base = scenario + (secure ? 7 : 0);
  uint64_t stream = sim_hash_bytes (SIM_HASH_START, (const uint8_t *) base, strlen (base));

  world->scenario = scenario;
  world->seed = seed;
  world->trace = trace;
  world->hash = SIM_HASH_START;
  world->limit = UINT64_C (40000000);
  world->done_at = SQX_TIME_NEVER;
  world->trigger_at = UINT64_MAX;
  world->n_channels = 1;
  sim_rng_seed (&world->rng, seed, stream);
  sim_rng_seed (&world->net_rng, seed, stream + 1);
  /* An encrypted world is drawn like the one over PLAIN, and has draws of its own. */
  sim_rng_seed (&world->secure_rng, seed, stream + 2);
  world->secure = secure;
  sim_crypto_begin (world);
  /* Times that a 32-bit clock could not hold, and 0, are all the same to the core. */
  world->start = sim_rng_chance (&world->rng, 2000)
                 ? 0 : sim_rng_scale (&world->rng, 1, UINT64_C (1) << 50);
  world->now = world->start;
  world->last_progress = world->now;
  world->heal_at = world->now;
  return world;
}

static void run_chore (sim_world *world, void *data, uint64_t argument);

void
sim_world_free (sim_world *world)
{
  for (size_t i = 0; i < world->heap_count; i++)
    if (world->heap[i].handler == NULL)
      sim_packet_unref (world->heap[i].data);
    else if (world->heap[i].handler == run_chore)
      free (world->heap[i].data);
  for (uint32_t i = 0; i < world->n_hosts; i++)
    if (world->hosts[i]->n_ends > 0)
      sim_host_kill (world->hosts[i]);
  for (uint32_t i = 0; i < world->n_ends; i++)
    {
      sim_end *end = world->ends[i];

      if (end->host != NULL)
        sim_end_drop (end);
      else
        sim_end_kill (end);
      for (uint32_t c = 0; c < SIM_CHANNELS; c++)
        free (end->wire.channels[c].entries);
      free (end->program.held);
      free (end->program.blocked);
      free (end->program.ordered);
      free (end->inbox);
      free (end);
    }
  for (uint32_t i = 0; i < world->n_hosts; i++)
    sim_host_free (world->hosts[i]);
  for (size_t i = 0; i < world->message_count; i++)
    sim_message_free (world->messages[i]);
  sim_streams_free (world);
  free (world->messages);
  free (world->heap);
  free (world);
}

void
sim_fail (sim_world  *world,
          const char *format,
          ...)
{
  va_list arguments;

  sim_alloc_pay (NULL);
  va_start (arguments, format);
  vsnprintf (world->failure, sizeof world->failure, format, arguments);
  va_end (arguments);
  longjmp (world->failed, 1);
}

void
sim_trace (sim_world     *world,
           const sim_end *end,
           const char    *format,
           ...)
{
  uint64_t since = world->now - world->start;
  va_list arguments;

  printf ("%6llu.%06llu ", (unsigned long long) (since / SIM_SEC),
          (unsigned long long) (since % SIM_SEC));
  if (end == NULL)
    printf ("--- ");
  else
    printf ("%c%u  ", (int) ('A' + end->index), end->life);
  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  putchar ('\n');
}

void
sim_push (void   *array,
          size_t *count,
          size_t *capacity,
          void   *item)
{
  void ***items = array;

  if (*count == *capacity)
    {
      *capacity = *capacity == 0 ? 16 : *capacity * 2;
      *items = realloc (*items, *capacity * sizeof **items);
    }
  (*items)[(*count)++] = item;
}

void
sim_world_note (sim_world *world,
                uint64_t   what,
                uint64_t   value)
{
  world->hash = sim_hash_u64 (world->hash, world->now - world->start);
  world->hash = sim_hash_u64 (world->hash, what);
  world->hash = sim_hash_u64 (world->hash, value);
}

void
sim_world_progress (sim_world *world)
{
  world->last_progress = world->now;
}

static bool
earlier (const sim_event *a,
         const sim_event *b)
{
  return a->time != b->time ? a->time < b->time : a->order < b->order;
}

void
sim_world_at (sim_world   *world,
              uint64_t     time,
              sim_handler  handler,
              void        *data,
              uint64_t     argument)
{
  sim_event event = { time < world->now ? world->now : time, world->scheduled++, handler, data,
                      argument };
  size_t at = world->heap_count++;

  if (world->heap_count > world->heap_capacity)
    {
      world->heap_capacity = world->heap_capacity == 0 ? 256 : world->heap_capacity * 2;
      world->heap = realloc (world->heap, world->heap_capacity * sizeof *world->heap);
    }
  for (; at > 0 && earlier (&event, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
    world->heap[at] = world->heap[(at - 1) / 2];
  world->heap[at] = event;
}

static sim_event
take_first (sim_world *world)
{
  sim_event first = world->heap[0];
  sim_event last = world->heap[--world->heap_count];
  size_t at = 0;

  for (;;)
    {
      size_t child = 2 * at + 1;

      if (child >= world->heap_count)
        break;
      if (child + 1 < world->heap_count && earlier (&world->heap[child + 1], &world->heap[child]))
        child++;
      if (!earlier (&world->heap[child], &last))
        break;
      world->heap[at] = world->heap[child];
      at = child;
    }
  world->heap[at] = last;
  return first;
}

/* A chore keeps its own handler in a block, so that the heap's events stay small. */
typedef struct
{
  sim_handler handler;
  void       *data;
} chore;

static void
run_chore (sim_world *world,
           void      *data,
           uint64_t   argument)
{
  chore *it = data;
  chore copy = *it;

  free (it);
  world->chores--;
  copy.handler (world, copy.data, argument);
}

void
sim_world_chore (sim_world   *world,
                 uint64_t     time,
                 sim_handler  handler,
                 void        *data,
                 uint64_t     argument)
{
  chore *it = malloc (sizeof *it);

  it->handler = handler;
  it->data = data;
  world->chores++;
  sim_world_at (world, time, run_chore, it, argument);
}

static bool
everything_done (const sim_world *world)
{
  if (world->chores > 0)
    return false;
  for (uint32_t i = 0; i < world->n_ends; i++)
    if (!sim_program_is_done (world->ends[i]))
      return false;
  return true;
}

static void
heal (sim_world *world,
      void      *data,
      uint64_t   argument)
{
  if (world->healed)
    return;
  SIM_TRACE (world, NULL, "the network is healed");
  world->healed = true;
  world->heal_at = world->now;
  sim_network_heal (world);
  for (uint32_t i = 0; i < world->n_ends; i++)
    sim_program_settle (world->ends[i]);
}

static void
close_all (sim_world *world)
{
  SIM_TRACE (world, NULL, "everything is done; now they close");
  world->closing = true;
  world->done_at = SQX_TIME_NEVER;
  sim_world_progress (world);
  for (uint32_t i = 0; i < world->n_ends; i++)
    if (world->weak || i % 2 == 0 || sim_rng_chance (&world->rng, 5000))
      sim_program_close (world->ends[i]);
}

static void
look_for_stuck (sim_world *world)
{
  uint64_t since = world->last_progress > world->heal_at ? world->last_progress : world->heal_at;

  if (!world->healed || world->done_at != SQX_TIME_NEVER)
    return;
  if (world->now <= since || world->now - since <= SIM_STUCK)
    return;
  /* What a flipped bit said is not known to its sender: only a close ends such waits. */
  if (world->weak && !world->closing)
    {
      close_all (world);
      return;
    }
  sim_fail (world, "stuck: no progress for %llu s on a network that works",
            (unsigned long long) ((world->now - since) / SIM_SEC));
}

static void
step (sim_world *world)
{
  sim_event event = take_first (world);

  if (event.time < world->now)
    sim_fail (world, "the simulator's clock went backwards");
  world->now = event.time;
  if (++world->handled > world->limit)
    sim_fail (world, "more than %llu events: this never ends", (unsigned long long) world->limit);
  if (event.handler == NULL)
    {
      sim_packet *packet = event.data;

      if (packet->addressed)
        sim_host_arrive (world, packet);
      else
        sim_end_arrive (packet->to, packet);
    }
  else
    event.handler (world, event.data, event.argument);
}

static bool
look_whether_done (sim_world *world)
{
  if (!everything_done (world))
    {
      /* A peer that dialled for long may have come at last. */
      if (world->secure)
        world->done_at = SQX_TIME_NEVER;
      return false;
    }
  if (!world->healed)
    {
      heal (world, NULL, 0);
      return false;
    }
  if (world->done_at == SQX_TIME_NEVER)
    {
      SIM_TRACE (world, NULL, "everything is done");
      world->done_at = world->now;
    }
  return true;
}

void
sim_world_run (sim_world *world)
{
  sim_world_at (world, world->heal_at, heal, NULL, 0);
  sim_events_draw (world);
  for (;;)
    {
      while (world->heap_count > 0)
        {
          step (world);
          look_for_stuck (world);
          if (look_whether_done (world) && world->now > world->done_at + SIM_REST)
            break;
        }
      if (world->heap_count == 0 && !look_whether_done (world))
        {
          /* heal() may have woken somebody. */
          if (world->heap_count > 0)
            continue;
          if (world->weak && !world->closing)
            {
              close_all (world);
              continue;
            }
          if (!look_whether_done (world))
            sim_fail (world, "stuck: something is open, and nothing is scheduled");
        }
      sim_oracle_at_rest (world);
      if (!world->close_after || world->closing)
        break;
      close_all (world);
    }
  sim_oracle_agreed (world);
}

void
sim_world_run_until (sim_world *world,
                     uint64_t   until)
{
  while (world->heap_count > 0 && world->heap[0].time <= until)
    step (world);
  if (world->now < until)
    world->now = until;
}
