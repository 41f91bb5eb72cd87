/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One side of a connection, and the driver that wakes it: what a program's main loop does.
 */

#include "sim-host.h"

#include <stdlib.h>
#include <string.h>

/* Time-outs at one instant without a storm: each of the timers may fire, and bring on another. */
#define TIMERS_AN_INSTANT  24
#define OUTPUTS_AN_INSTANT 100000

static void pump (sim_world *world, void *data, uint64_t life);

void
sim_end_enter (sim_end *end)
{
  if (end->host != NULL)
    sim_host_enter (end->host);
  else
    sim_alloc_pay (&end->account);
}

void
sim_end_leave (void)
{
  sim_alloc_pay (NULL);
}

static void
give_random (void    *user_data,
             uint8_t *bytes,
             size_t   size)
{
  sim_end *end = user_data;

  sim_rng_fill (&end->core_rng, bytes, size);
}

static sim_end *
add_end (sim_world *world)
{
  sim_end *end = calloc (1, sizeof *end);

  if (world->n_ends == SIM_ENDS)
    sim_fail (world, "too many ends");
  end->world = world;
  end->index = world->n_ends;
  end->line = world->n_ends / 2;
  world->ends[world->n_ends++] = end;
  sqx_config_init (&end->config);
  strcpy (end->application, "simulator");
  end->config.application_id = end->application;
  end->config.random = give_random;
  end->config.payload_ref = sim_message_ref;
  end->config.payload_unref = sim_message_unref;
  end->config.user_data = end;
  end->driver = (sim_driver) { .read_batch = 64, .write_batch = 64 };
  sim_path_clean (&end->out.path, 10 * SIM_MS);
  sim_habits_init (&end->program.habits);
  sim_rng_seed (&end->core_rng, world->seed, 100 + end->index);
  end->killed_at = SQX_TIME_NEVER;
  end->lost_at = SQX_TIME_NEVER;
  return end;
}

void
sim_world_add_pair (sim_world *world,
                    sim_end  **a,
                    sim_end  **b)
{
  *a = add_end (world);
  *b = add_end (world);
  (*a)->peer = *b;
  (*b)->peer = *a;
  (*a)->config.instance = (*b)->config.instance = world->n_ends / 2;
  if (world->secure)
    {
      sim_host *host = sim_world_add_host (world);

      sim_world_link (world, host, sim_world_add_host (world), a, b);
    }
}

bool
sim_end_agrees (const sim_end *end)
{
  const sim_end *peer = end->peer;

  return (!end->peer_known || (end->peer_life == peer->life
                               && end->peer_incarnation == peer->incarnation))
         && (!peer->peer_known || (peer->peer_life == end->life
                                   && peer->peer_incarnation == end->incarnation));
}

void
sim_end_prepare (sim_end *end)
{
  sim_world *world = end->world;

  sim_wire_reset (&end->wire);
  end->wire.any = false;
  sim_wire_forget_receiver (&end->peer->wire);
  end->pump_due = false;
  end->closed = end->was_connected = false;
  end->lost_at = SQX_TIME_NEVER;
  end->opened_at = world->now;
  end->closed_error = SQX_OK;
  end->killed_at = SQX_TIME_NEVER;
  end->last_accepted = world->now;
  end->first_unreachable = SQX_TIME_NEVER;
  end->accepted = 0;
  end->quiet_packets = 0;
  end->timer_at = SQX_TIME_NEVER;
  end->peer_known = false;
}

void
sim_end_open (sim_end *end)
{
  sim_world *world = end->world;

  if (end->host != NULL)
    {
      sim_host_open_end (end);
      return;
    }
  sim_end_prepare (end);
  end->account = (sim_account) { 0 };
  sim_end_enter (end);
  end->conn = sqx_conn_new (&end->config, world->now);
  sim_end_leave ();
  if (end->conn == NULL)
    sim_fail (world, "sqx_conn_new() refuses the configuration");
  end->incarnation = sqx_conn_incarnation (end->conn);
  SIM_TRACE (world, end, "opens: window %llu to %llu, messages %llu, exchanges %llu, datagrams %u",
             (unsigned long long) end->config.byte_window,
             (unsigned long long) end->config.byte_window_max,
             (unsigned long long) end->config.max_message_size,
             (unsigned long long) end->config.exchange_credit, end->config.max_datagram_size);
  sim_program_start (end);
  sim_end_ready (end);
}

static void
drop_inbox (sim_end *end)
{
  for (size_t i = 0; i < end->inbox_count; i++)
    sim_packet_unref (end->inbox[i]);
  end->inbox_count = 0;
}

void
sim_end_drop (sim_end *end)
{
  sim_world *world = end->world;

  drop_inbox (end);
  end->pending = false;
  if (end->conn == NULL)
    return;
  SIM_TRACE (world, end, "is gone");
  sim_program_stop (end);
  sim_end_enter (end);
  sqx_conn_free (end->conn);
  sim_end_leave ();
  end->conn = NULL;
  end->killed_at = world->now;
  for (size_t i = 0; i < world->message_count; i++)
    if (world->messages[i]->from == end && world->messages[i]->references != 0)
      sim_fail (world, "payload of message %zu was referenced %u times too often", i,
                world->messages[i]->references);
}

void
sim_end_kill (sim_end *end)
{
  sim_world *world = end->world;

  if (end->host != NULL)
    {
      sim_host_kill (end->host);
      return;
    }
  sim_end_drop (end);
  if (end->account.current != 0 || end->account.blocks != 0)
    sim_fail (world, "%c%u leaks %llu bytes in %llu blocks", (int) ('A' + end->index), end->life,
              (unsigned long long) end->account.current, (unsigned long long) end->account.blocks);
}

void
sim_end_restart (sim_end *end)
{
  if (end->host != NULL)
    {
      sim_host_restart (end->host);
      return;
    }
  sim_end_kill (end);
  end->life++;
  end->config.first_packet_number = (uint32_t) sim_rng_next (&end->world->rng);
  sim_end_open (end);
  if (end->world->healed)
    sim_program_settle (end);
}

void
sim_end_ready (sim_end *end)
{
  if (end->host != NULL)
    {
      sim_host_ready (end->host);
      return;
    }
  if (end->pump_due || end->conn == NULL)
    return;
  end->pump_due = true;
  sim_world_at (end->world, end->world->now, pump, end, end->life);
}

static void
tell_unreachable (sim_world *world,
                  void      *data,
                  uint64_t   life)
{
  sim_end *end = data;

  if (end->conn == NULL || end->life != life)
    return;
  SIM_TRACE (world, end, "is told that nobody is there");
  if (end->first_unreachable == SQX_TIME_NEVER)
    end->first_unreachable = world->now;
  sim_end_enter (end);
  sqx_conn_handle_unreachable (end->conn, world->now);
  sim_end_leave ();
  sim_end_ready (end);
}

/* Several instances share a socket: now and then one sees what is meant for another. */
static void
misdeliver (sim_end    *end,
            sim_packet *packet)
{
  sim_world *world = end->world;
  sim_end *other;

  if (world->n_ends <= 2 || !sim_rng_chance (&world->net_rng, 100))
    return;
  other = world->ends[sim_rng_below (&world->net_rng, world->n_ends)];
  if (other->line == end->line && other->config.instance != end->config.instance
      && other->conn != NULL)
    sim_end_arrive (other, sim_packet_ref (packet));
}

void
sim_end_arrive (sim_end    *end,
                sim_packet *packet)
{
  sim_world *world = end->world;
  uint64_t latency = sim_rng_below (&world->net_rng, end->driver.latency + 1);

  if (end->tap != NULL)
    {
      end->tap (end, packet->bytes, packet->size);
      sim_packet_unref (packet);
      return;
    }
  if (end->conn == NULL)
    {
      if (end->peer->conn != NULL && end->peer->driver.unreachable)
        sim_world_at (world, world->now + end->out.path.delay, tell_unreachable, end->peer,
                      end->peer->life);
      sim_packet_unref (packet);
      return;
    }
  if (packet->to == end)
    misdeliver (end, packet);
  sim_push (&end->inbox, &end->inbox_count, &end->inbox_capacity, packet);
  if (end->pump_due)
    return;
  end->pump_due = true;
  sim_world_at (world, world->now + latency, pump, end, end->life);
}

/* The core began a new session: nothing of the old one may come any more. */
void
sim_end_look_for_restart (sim_end *end)
{
  sim_world *world = end->world;
  uint32_t incarnation = sqx_conn_incarnation (end->conn);

  if (incarnation == end->incarnation)
    return;
  if (incarnation != end->incarnation + 1)
    sim_fail (world, "the incarnation jumps from %u to %u", end->incarnation, incarnation);
  /* Who never heard the peer cannot know whether it ever had the session. */
  if (!world->restarts && !world->weak && (end->host == NULL || end->accepted > 0))
    sim_fail (world, "%c sees a restart that never was", (int) ('A' + end->index));
  SIM_TRACE (world, end, "learns that its peer restarted");
  end->incarnation = incarnation;
  end->peer_known = false;
  sim_wire_reset (&end->wire);
  sim_wire_forget_receiver (&end->peer->wire);
  for (size_t i = 0; i < world->message_count; i++)
    {
      sim_message *message = world->messages[i];

      if (message->from == end && message->life == end->life && message->wait == SIM_WAIT_OPEN)
        message->doomed = true;
      if (message->from == end->peer && message->received != SIM_RECEIVED_NOT
          && message->receiver_life == end->life)
        message->stale = true;
    }
}

void
sim_end_took (sim_end          *end,
              const sim_packet *packet)
{
  end->last_accepted = end->world->now;
  end->first_unreachable = SQX_TIME_NEVER;
  end->accepted++;
  end->peer_known = true;
  end->peer_life = packet->from_life;
  end->peer_incarnation = packet->from_incarnation;
  end->quiet_packets = 0;
  sim_wire_accepted (end, packet);
}

static void
read_datagram (sim_end    *end,
               sim_packet *packet)
{
  sim_world *world = end->world;
  sqx_statistics before, after;
  uint8_t *copy = malloc (packet->size > 0 ? packet->size : 1);

  /* A block of its own, so that a sanitizer sees a read past its end. */
  memcpy (copy, packet->bytes, packet->size);
  world->hash = sim_hash_bytes (world->hash, packet->bytes, packet->size);
  sqx_conn_statistics (end->conn, &before);
  if (world->trace)
    sim_wire_trace (world, end, "got", packet->bytes, packet->size);
  sim_end_enter (end);
  sqx_conn_handle_datagram (end->conn, world->now, copy, packet->size);
  sim_end_leave ();
  sqx_conn_statistics (end->conn, &after);
  free (copy);
  sim_end_look_for_restart (end);
  if (after.packets_received != before.packets_received)
    {
      if (packet->to != end && !packet->tampered)
        sim_fail (world, "%c takes a datagram of another instance", (int) ('A' + end->index));
      sim_end_took (end, packet);
    }
  else
    SIM_TRACE (world, end, "  not accepted");
}

static void
read_inbox (sim_end *end)
{
  size_t batch = end->inbox_count;

  if (batch == 0)
    return;
  /* Each datagram may bring on time-outs of its own. */
  end->timers = 0;
  if (batch > end->driver.read_batch)
    batch = end->driver.read_batch;
  for (size_t i = 0; i < batch; i++)
    {
      read_datagram (end, end->inbox[i]);
      sim_packet_unref (end->inbox[i]);
    }
  memmove (end->inbox, end->inbox + batch, (end->inbox_count - batch) * sizeof *end->inbox);
  end->inbox_count -= batch;
}

static void
look_at_clock (sim_end *end)
{
  if (end->instant == end->world->now)
    return;
  end->instant = end->world->now;
  end->timers = 0;
  end->outputs = 0;
}

/* Whether a deadline had passed. */
static bool
handle_timeout (sim_end *end)
{
  sim_world *world = end->world;

  if (sqx_conn_next_timeout (end->conn) > world->now)
    return false;
  look_at_clock (end);
  if (++end->timers > TIMERS_AN_INSTANT)
    sim_fail (world, "%c: a storm of time-outs at one instant", (int) ('A' + end->index));
  SIM_TRACE (world, end, "time-out");
  sim_end_enter (end);
  sqx_conn_handle_timeout (end->conn, world->now);
  sim_end_leave ();
  world->hash = sim_hash_u64 (world->hash, sqx_conn_next_timeout (end->conn));
  return true;
}

/* Bytes sent in the last ten to twenty seconds. */
void
sim_end_note_sent (sim_end *end,
                   size_t   size)
{
  uint64_t now = end->world->now;

  if (now - end->lately > 10 * SIM_SEC)
    {
      end->sent_before = now - end->lately > 20 * SIM_SEC ? 0 : end->sent_lately;
      end->sent_lately = 0;
      end->lately = now;
    }
  end->sent_lately += size;
  if (now != end->last_accepted && now != end->last_wish)
    end->quiet_packets++;
}

/* How many datagrams went out. */
static uint32_t
transmit (sim_end *end)
{
  static uint8_t buffer[SQX_DATAGRAM_MAX + 1];
  sim_world *world = end->world;
  uint32_t life = end->life;
  uint32_t count = 0;

  for (; count < end->driver.write_batch; count++)
    {
      size_t capacity = SQX_DATAGRAM_MAX;
      sim_packet notes = { 0 };
      size_t size;

      if (sim_rng_chance (&world->net_rng, end->driver.small_buffer))
        capacity = (size_t) sim_rng_between (&world->net_rng, SQX_DATAGRAM_MIN, 1500);
      buffer[capacity] = 0xa5;
      sim_end_enter (end);
      size = sqx_conn_poll_transmit (end->conn, world->now, buffer, capacity);
      sim_end_leave ();
      if (size == 0)
        return count;
      if (size > capacity || size > end->config.max_datagram_size || buffer[capacity] != 0xa5)
        sim_fail (world, "a datagram of %zu bytes where %zu were allowed", size, capacity);
      look_at_clock (end);
      if (++end->outputs > OUTPUTS_AN_INSTANT)
        sim_fail (world, "%c: a storm of datagrams at one instant", (int) ('A' + end->index));
      world->hash = sim_hash_bytes (world->hash, buffer, size);
      world->datagrams++;
      sim_end_note_sent (end, size);
      if (world->trace)
        sim_wire_trace (world, end, "sends", buffer, size);
      sim_wire_sent (end, buffer, size, &notes);
      if (!sim_network_send (end, buffer, size, &notes))
        {
          sim_end_enter (end);
          sqx_conn_handle_too_large (end->conn, world->now, size);
          sim_end_leave ();
        }
      if (++world->packets == world->trigger_at)
        {
          world->trigger (world);
          if (end->conn == NULL || end->life != life)
            return count;
        }
    }
  sim_end_ready (end);
  return count;
}

uint32_t
sim_end_events (sim_end *end)
{
  uint32_t count = 0;
  sqx_event event;

  for (;;)
    {
      bool any;

      memset (&event, 0x5a, sizeof event);
      sim_end_enter (end);
      any = sqx_conn_poll_event (end->conn, &event);
      sim_end_leave ();
      if (!any)
        return count;
      count++;
      sim_program_event (end, &event);
    }
}

static void on_timer (sim_world *world, void *data, uint64_t life);

static void
rearm (sim_end *end)
{
  sim_world *world = end->world;
  uint64_t at = sqx_conn_next_timeout (end->conn);

  if (at == SQX_TIME_NEVER)
    return;
  if (at < world->now)
    at = world->now;
  at += sim_rng_below (&world->net_rng, end->driver.timer_late + 1);
  if (end->timer_at != SQX_TIME_NEVER && end->timer_at <= at)
    return;
  end->timer_at = at;
  sim_world_at (world, at, on_timer, end, end->life);
}

static void
on_timer (sim_world *world,
          void      *data,
          uint64_t   life)
{
  sim_end *end = data;

  if (end->conn == NULL || end->life != life || end->timer_at != world->now)
    return;
  end->timer_at = SQX_TIME_NEVER;
  if (sqx_conn_next_timeout (end->conn) <= world->now)
    sim_end_ready (end);
  else
    rearm (end);
}

/* A call that comes before any deadline does nothing. */
static void
try_early_timeout (sim_end *end)
{
  sim_world *world = end->world;
  uint64_t before = sqx_conn_next_timeout (end->conn);
  uint64_t after;

  /* With another buffer there may well be something to send. */
  if (before <= world->now || end->pump_due || end->driver.small_buffer > 0)
    return;
  sim_end_enter (end);
  sqx_conn_handle_timeout (end->conn, world->now);
  sim_end_leave ();
  after = sqx_conn_next_timeout (end->conn);
  if (after != before)
    sim_fail (world, "an early handle_timeout() moves the deadline");
  if (transmit (end) != 0)
    sim_fail (world, "an early handle_timeout() sends");
}

static void
pump (sim_world *world,
      void      *data,
      uint64_t   life)
{
  sim_end *end = data;
  bool fired;
  uint32_t output;

  /* A restart drops what was scheduled for the life before. */
  if (end->life != life)
    return;
  end->pump_due = false;
  if (end->conn == NULL)
    return;
  read_inbox (end);
  fired = handle_timeout (end);
  output = transmit (end);
  if (end->conn == NULL || end->life != life)
    return;
  output += sim_end_events (end);
  if (fired && output == 0 && sqx_conn_next_timeout (end->conn) <= world->now)
    sim_fail (world, "%c: after handle_timeout (next_timeout ()) there is neither output nor a "
              "later deadline", (int) ('A' + end->index));
  sim_program_read (end);
  sim_oracle_ordered (end);
  sim_oracle_memory (end);
  if (end->inbox_count > 0)
    sim_end_ready (end);
  if (!end->pump_due && sim_rng_chance (&world->net_rng, 150))
    try_early_timeout (end);
  rearm (end);
}
