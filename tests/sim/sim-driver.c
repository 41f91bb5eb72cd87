/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver of a host: it reads what arrives, wakes the endpoint in time, and sends what that has
 * to say.
 */

#include "sim-host.h"

#include "seqex/core/sqx-conn-private.h"

#include <stdlib.h>
#include <string.h>

/* Time-outs at one instant without a storm, for each connection and for the endpoint itself. */
#define TIMERS_AN_INSTANT  24
#define OUTPUTS_AN_INSTANT 100000

static void pump (sim_world *world, void *data, uint64_t life);

void
sim_host_ready (sim_host *host)
{
  if (host->pump_due || host->endpoint == NULL)
    return;
  host->pump_due = true;
  sim_world_at (host->world, host->world->now, pump, host, host->life);
}

/* In ---------------------------------------------------------------------------------- */

static void
tell_unreachable (sim_world *world,
                  void      *data,
                  uint64_t   life)
{
  sim_host *host = data;

  if (host->endpoint == NULL || host->life != life)
    return;
  SIM_TRACE (world, host->ends[0], "is told that nobody is there");
  for (uint32_t i = 0; i < host->n_ends; i++)
    if (host->ends[i]->first_unreachable == SQX_TIME_NEVER)
      host->ends[i]->first_unreachable = world->now;
  sim_host_enter (host);
  sqx_endpoint_handle_unreachable (host->endpoint, world->now, &host->nobody_at);
  sim_end_leave ();
  sim_host_ready (host);
}

static sim_host *
find_host (const sim_world   *world,
           const sqx_address *address)
{
  for (uint32_t i = 0; i < world->n_hosts; i++)
    if (sqx_address_equal (&world->hosts[i]->address, address))
      return world->hosts[i];
  return NULL;
}

void
sim_host_arrive (sim_world  *world,
                 sim_packet *packet)
{
  sim_host *host = find_host (world, &packet->destination);
  sim_host *from;

  if (host != NULL && host->tap != NULL)
    {
      host->tap (host, packet);
      sim_packet_unref (packet);
      return;
    }
  if (host == NULL || host->endpoint == NULL)
    {
      from = find_host (world, &packet->source);
      if (from != NULL && from->endpoint != NULL && from->ends[0]->driver.unreachable)
        {
          from->nobody_at = packet->destination;
          sim_world_at (world, world->now + from->ends[0]->out.path.delay, tell_unreachable, from,
                        from->life);
        }
      sim_packet_unref (packet);
      return;
    }
  sim_push (&host->inbox, &host->inbox_count, &host->inbox_capacity, packet);
  if (host->pump_due)
    return;
  host->pump_due = true;
  sim_world_at (world, world->now + sim_rng_below (&world->net_rng,
                                                   host->ends[0]->driver.latency + 1),
                pump, host, host->life);
}

void
sim_host_inject (sim_host          *host,
                 const sqx_address *from,
                 const uint8_t     *bytes,
                 size_t             size)
{
  sim_packet *packet = calloc (1, sizeof *packet + size);

  packet->addressed = packet->tampered = true;
  packet->source = *from;
  packet->destination = host->address;
  packet->references = 1;
  packet->size = size;
  memcpy (packet->bytes, bytes, size);
  sim_host_arrive (host->world, packet);
}

/* Peers that are new, and those of which something changed. */
static void
collect (sim_host         *host,
         const sim_packet *packet)
{
  sqx_conn *conn;

  for (;;)
    {
      sim_host_enter (host);
      conn = sqx_endpoint_poll_conn (host->endpoint);
      sim_end_leave ();
      if (conn == NULL)
        return;
      if (sqx_conn_user_data (conn) == NULL)
        sim_host_adopt (host, conn, packet);
    }
}

/* Which DATA may still be taken together with CONFIRM. */
static bool
is_data (const sim_packet *packet)
{
  return packet->frames_size > 0;
}

static void
keep_early (sim_host   *host,
            sim_packet *packet)
{
  if (!is_data (packet) || packet->tampered || host->world->weak)
    return;
  if (host->n_early == sizeof host->early / sizeof *host->early)
    {
      sim_packet_unref (host->early[0]);
      memmove (host->early, host->early + 1, --host->n_early * sizeof *host->early);
    }
  host->early[host->n_early++] = sim_packet_ref (packet);
}

static void
took_early (sim_end *end)
{
  sim_host *host = end->host;

  for (uint32_t i = 0; i < host->n_early; i++)
    if (host->early[i]->from == end->peer && host->early[i]->from_life == end->peer->life)
      sim_end_took (end, host->early[i]);
}

/* Of a session, later links replace earlier ones; of two that both sides began at once, both keep
 * the one that the smaller key began. */
static void
look_at_link (sim_end *end)
{
  const sqx_secure *secure = end->conn->secure;
  const uint8_t *own = end->host->public_key, *its = secure->peer_key;
  uint64_t session, link;

  if (!secure->linked)
    return;
  session = sim_hash_bytes (SIM_HASH_START, secure->session_id, SQX_SESSION_ID_SIZE);
  session = sim_hash_bytes (session, secure->peer_session_id, SQX_SESSION_ID_SIZE);
  link = 2 * secure->generation + (secure->initiator == (memcmp (own, its, SQX_KEY_SIZE) < 0));
  if (session == end->session && secure->peer_id != end->link_id && link <= end->link)
    sim_fail (end->world, "%c goes back to a link of its past (%llu after %llu)",
              (int) ('A' + end->index), (unsigned long long) link,
              (unsigned long long) end->link);
  end->session = session;
  end->link = link;
  end->link_id = secure->peer_id;
}

static void
look_who_took (sim_host         *host,
               sim_packet       *packet,
               const uint64_t   *before,
               sqx_conn *const  *conns)
{
  bool taken = false;

  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      sim_end *end = host->ends[i];
      uint64_t count;

      if (end->conn == NULL)
        continue;
      sim_end_look_for_restart (end);
      look_at_link (end);
      count = end->conn->statistics.packets_received - (end->conn == conns[i] ? before[i] : 0);
      if (count == 0)
        continue;
      taken = true;
      if (packet->tampered)
        sim_fail (host->world, "%c takes a datagram that was forged", (int) ('A' + end->index));
      if (packet->from != NULL && packet->from->peer != end)
        sim_fail (host->world, "%c takes a datagram of another connection",
                  (int) ('A' + end->index));
      if (!is_data (packet) || count > 1)
        took_early (end);
      if (is_data (packet))
        sim_end_took (end, packet);
    }
  if (taken)
    return;
  SIM_TRACE (host->world, host->ends[0], "  not accepted");
  keep_early (host, packet);
}

static void
read_datagram (sim_host   *host,
               sim_packet *packet)
{
  sim_world *world = host->world;
  uint8_t *copy = malloc (packet->size > 0 ? packet->size : 1);
  uint64_t before[SIM_ENDS];
  sqx_conn *conns[SIM_ENDS];

  memcpy (copy, packet->bytes, packet->size);
  world->hash = sim_hash_bytes (world->hash, packet->bytes, packet->size);
  host->bytes_in += packet->size;
  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      conns[i] = host->ends[i]->conn;
      before[i] = conns[i] != NULL ? conns[i]->statistics.packets_received : 0;
    }
  if (world->trace)
    sim_wire_trace_data (world, host->ends[0], "got", packet->bytes, packet->size, packet->frames,
                         packet->frames_size);
  sim_host_enter (host);
  sqx_endpoint_handle_datagram (host->endpoint, world->now, &packet->source, copy, packet->size);
  sim_end_leave ();
  free (copy);
  collect (host, packet);
  look_who_took (host, packet, before, conns);
}

static void
read_inbox (sim_host *host)
{
  size_t batch = host->inbox_count;

  if (batch == 0)
    return;
  host->timers = 0;
  if (batch > host->ends[0]->driver.read_batch)
    batch = host->ends[0]->driver.read_batch;
  for (size_t i = 0; i < batch; i++)
    {
      read_datagram (host, host->inbox[i]);
      sim_packet_unref (host->inbox[i]);
    }
  memmove (host->inbox, host->inbox + batch, (host->inbox_count - batch) * sizeof *host->inbox);
  host->inbox_count -= batch;
}

/* Time -------------------------------------------------------------------------------- */

static void
look_at_clock (sim_host *host)
{
  if (host->instant == host->world->now)
    return;
  host->instant = host->world->now;
  host->timers = 0;
  host->outputs = 0;
}

/* Whether a deadline had passed. */
static bool
handle_timeout (sim_host *host)
{
  sim_world *world = host->world;

  if (sqx_endpoint_next_timeout (host->endpoint) > world->now)
    return false;
  look_at_clock (host);
  if (++host->timers > TIMERS_AN_INSTANT * (1 + host->n_ends))
    sim_fail (world, "host %u: a storm of time-outs at one instant", host->index);
  SIM_TRACE (world, host->ends[0], "time-out");
  sim_host_enter (host);
  sqx_endpoint_handle_timeout (host->endpoint, world->now);
  sim_end_leave ();
  world->hash = sim_hash_u64 (world->hash, sqx_endpoint_next_timeout (host->endpoint));
  return true;
}

static void on_timer (sim_world *world, void *data, uint64_t life);

static void
rearm (sim_host *host)
{
  sim_world *world = host->world;
  uint64_t at = sqx_endpoint_next_timeout (host->endpoint);

  if (at == SQX_TIME_NEVER)
    return;
  if (at < world->now)
    at = world->now;
  at += sim_rng_below (&world->net_rng, host->ends[0]->driver.timer_late + 1);
  if (host->timer_at != SQX_TIME_NEVER && host->timer_at <= at)
    return;
  host->timer_at = at;
  sim_world_at (world, at, on_timer, host, host->life);
}

static void
on_timer (sim_world *world,
          void      *data,
          uint64_t   life)
{
  sim_host *host = data;

  if (host->endpoint == NULL || host->life != life || host->timer_at != world->now)
    return;
  host->timer_at = SQX_TIME_NEVER;
  if (sqx_endpoint_next_timeout (host->endpoint) <= world->now)
    sim_host_ready (host);
  else
    rearm (host);
}

/* Out --------------------------------------------------------------------------------- */

static sim_end *
find_sender (sim_host       *host,
             const uint64_t *before)
{
  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      sim_end *end = host->ends[i];

      if (end->conn != NULL && end->conn->statistics.packets_sent != before[i])
        return end;
    }
  return NULL;
}

static void
see_datagram (sim_host       *host,
              sim_end        *end,
              const uint8_t  *bytes,
              size_t          size,
              sim_packet     *notes)
{
  sim_world *world = host->world;
  bool sealed = (bytes[0] & ~1u) == SQX_PACKET_DATA && end != NULL;
  uint64_t number;

  if (sealed && !sim_crypto_sealed (bytes, size, &number, &notes->frames, &notes->frames_size))
    sim_fail (world, "a packet goes out that was not sealed for it");
  if (world->trace)
    sim_wire_trace_data (world, end != NULL ? end : host->ends[0], "sends", bytes, size,
                         notes->frames, notes->frames_size);
  if (end != NULL)
    sim_end_note_sent (end, size);
  notes->from = end;
  if (!sealed)
    return;
  sim_wire_sent_data (end, number, bytes, size, notes);
}

static size_t
size_limit (const sim_host *host,
            const sim_end  *end)
{
  uint32_t own = end != NULL ? end->config.max_datagram_size : 0;

  return own > SQX_HANDSHAKE_PACKET_MAX ? own : SQX_HANDSHAKE_PACKET_MAX;
}

/* How many datagrams went out. */
static uint32_t
transmit (sim_host *host)
{
  static uint8_t buffer[SQX_DATAGRAM_MAX + 1];
  sim_world *world = host->world;
  const sim_driver *driver = &host->ends[0]->driver;
  uint32_t life = host->life, count = 0;

  for (; count < driver->write_batch; count++)
    {
      size_t capacity = SQX_DATAGRAM_MAX, size;
      sim_packet notes = { .addressed = true, .source = host->address };
      uint64_t before[SIM_ENDS];
      sim_end *end;

      for (uint32_t i = 0; i < host->n_ends; i++)
        before[i] = host->ends[i]->conn != NULL ? host->ends[i]->conn->statistics.packets_sent : 0;
      if (sim_rng_chance (&world->net_rng, driver->small_buffer))
        capacity = (size_t) sim_rng_between (&world->net_rng, SQX_HANDSHAKE_PACKET_MAX, 1500);
      buffer[capacity] = 0xa5;
      sim_host_enter (host);
      size = sqx_endpoint_poll_transmit (host->endpoint, world->now, &notes.destination, buffer,
                                         capacity);
      sim_end_leave ();
      if (size == 0)
        return count;
      end = find_sender (host, before);
      if (size > capacity || size > size_limit (host, end) || buffer[capacity] != 0xa5)
        sim_fail (world, "a datagram of %zu bytes where %zu were allowed", size, capacity);
      look_at_clock (host);
      if (++host->outputs > OUTPUTS_AN_INSTANT)
        sim_fail (world, "host %u: a storm of datagrams at one instant", host->index);
      world->hash = sim_hash_bytes (world->hash, buffer, size);
      world->datagrams++;
      host->bytes_out += size;
      see_datagram (host, end, buffer, size, &notes);
      if (!sim_network_send (host->ends[0], buffer, size, &notes))
        {
          sim_host_enter (host);
          sqx_endpoint_handle_too_large (host->endpoint, world->now, &notes.destination, size);
          sim_end_leave ();
        }
      if (++world->packets == world->trigger_at)
        {
          world->trigger (world);
          if (host->endpoint == NULL || host->life != life)
            return count;
        }
    }
  sim_host_ready (host);
  return count;
}

/* A call that comes before any deadline does nothing. */
static void
try_early_timeout (sim_host *host)
{
  sim_world *world = host->world;
  uint64_t before = sqx_endpoint_next_timeout (host->endpoint);

  if (before <= world->now || host->pump_due || host->ends[0]->driver.small_buffer > 0)
    return;
  sim_host_enter (host);
  sqx_endpoint_handle_timeout (host->endpoint, world->now);
  sim_end_leave ();
  if (sqx_endpoint_next_timeout (host->endpoint) != before)
    sim_fail (world, "an early handle_timeout() moves the deadline");
  if (transmit (host) != 0)
    sim_fail (world, "an early handle_timeout() sends");
}

static uint32_t
tell_programs (sim_host *host)
{
  uint32_t count = 0;

  collect (host, NULL);
  for (uint32_t i = 0; i < host->n_ends; i++)
    if (host->ends[i]->conn != NULL)
      {
        sim_end_look_for_restart (host->ends[i]);
        count += sim_end_events (host->ends[i]);
      }
  return count;
}

static void
pump (sim_world *world,
      void      *data,
      uint64_t   life)
{
  sim_host *host = data;
  uint32_t output;
  bool fired;

  /* A restart drops what was scheduled for the life before. */
  if (host->life != life)
    return;
  host->pump_due = false;
  if (host->endpoint == NULL)
    return;
  read_inbox (host);
  fired = handle_timeout (host);
  output = transmit (host);
  if (host->endpoint == NULL || host->life != life)
    return;
  output += tell_programs (host);
  if (fired && output == 0 && sqx_endpoint_next_timeout (host->endpoint) <= world->now)
    sim_fail (world, "host %u: after handle_timeout (next_timeout ()) there is neither output nor "
              "a later deadline", host->index);
  for (uint32_t i = 0; i < host->n_ends; i++)
    if (host->ends[i]->conn != NULL)
      {
        sim_program_read (host->ends[i]);
        sim_oracle_ordered (host->ends[i]);
      }
  sim_oracle_host_memory (host);
  if (host->inbox_count > 0)
    sim_host_ready (host);
  if (!host->pump_due && sim_rng_chance (&world->net_rng, 150))
    try_early_timeout (host);
  rearm (host);
}
