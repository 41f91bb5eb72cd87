/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint at an address, and the driver that wakes it.
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
sim_host_enter (sim_host *host)
{
  sim_alloc_pay (&host->ends[0]->account);
}

static void
give_random (void    *user_data,
             uint8_t *bytes,
             size_t   size)
{
  sim_host *host = user_data;

  sim_rng_fill (&host->core_rng, bytes, size);
}

sqx_address
sim_host_address (uint32_t host,
                  uint16_t port)
{
  sqx_address address = { .host = { 10 }, .host_size = 4, .port = port };

  address.host[1] = (uint8_t) (host >> 16);
  address.host[2] = (uint8_t) (host >> 8);
  address.host[3] = (uint8_t) host;
  return address;
}

sim_host *
sim_world_add_host (sim_world *world)
{
  sim_host *host = calloc (1, sizeof *host);
  sim_rng keys;

  host->world = world;
  host->index = world->n_hosts;
  world->hosts[world->n_hosts++] = host;
  host->address = sim_host_address (1 + host->index, 4000);
  host->timer_at = SQX_TIME_NEVER;
  host->retry_threshold = SQX_RETRY_THRESHOLD;
  sim_rng_seed (&host->core_rng, world->seed, 100 + host->index);
  sim_rng_seed (&keys, world->seed, 300 + host->index);
  sim_rng_fill (&keys, host->secret_key, sizeof host->secret_key);
  sim_crypto_init (&host->crypto, sim_rng_chance (&world->secure_rng, 5000));
  host->crypto.x25519_base (host->public_key, host->secret_key);
  return host;
}

void
sim_world_link (sim_world *world,
                sim_host  *a,
                sim_host  *b,
                sim_end  **first,
                sim_end  **second)
{
  sim_rng *rng = &world->secure_rng;
  sim_end *ends[2] = { *first, *second };
  sim_host *hosts[2] = { a, b };
  bool both = a->n_ends == 0 && b->n_ends == 0 && sim_rng_chance (rng, 1500);
  sim_host *mover = sim_rng_chance (rng, 5000) ? a : b;

  for (int i = 0; i < 2; i++)
    {
      ends[i]->host = hosts[i];
      ends[i]->dials = i == 0 || both;
      ends[i]->expects = sim_rng_chance (rng, 6000);
      ends[i]->persist = sim_rng_chance (rng, 6000) ? SQX_TIME_NEVER : 0;
      if (sim_rng_chance (rng, 1500))
        ends[i]->persist = sim_rng_scale (rng, SIM_SEC, 200 * SIM_SEC);
      ends[i]->asks = world->eventful && sim_rng_chance (rng, 500);
      hosts[i]->ends[hosts[i]->n_ends++] = ends[i];
    }
  if (world->eventful && sim_rng_chance (rng, 3000))
    mover->moves = true;
}

/* Whether the peer has the other side of it. */
bool
sim_end_is_linked (const sim_end *end)
{
  const sqx_conn *mine = end->conn, *its = end->peer->conn;

  if (mine == NULL || its == NULL || end->peer->closed || !mine->secure->has_session
      || !its->secure->has_session)
    return false;
  return memcmp (mine->secure->session_id, its->secure->peer_session_id, SQX_SESSION_ID_SIZE) == 0;
}

/* Life -------------------------------------------------------------------------------- */

/* Programs take one connection from each peer that they wait for, and another one if that peer
 * began a new life. */
static sqx_trust
judge (void          *user_data,
       sqx_conn      *conn,
       const uint8_t  key[32])
{
  sim_host *host = user_data;

  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      const sim_end *end = host->ends[i];

      if (memcmp (end->peer->host->public_key, key, 32) != 0)
        continue;
      if (end->pending || end->conn == conn
          || (end->peer_known && end->peer_life != end->peer->life))
        return end->asks ? SQX_TRUST_ASK : SQX_TRUST_ACCEPT;
    }
  return SQX_TRUST_REFUSE;
}

static void
host_open (sim_host *host)
{
  sim_end *first = host->ends[0];
  sqx_endpoint_config config;

  sqx_endpoint_config_init (&config);
  first->account = (sim_account) { 0 };
  config.connection = first->config;
  config.connection.random = give_random;
  config.connection.user_data = host;
  config.crypto = &host->crypto;
  memcpy (config.secret_key, host->secret_key, sizeof config.secret_key);
  config.accepts = true;
  config.cipher = host->cipher;
  config.retry_threshold = host->retry_threshold;
  config.judge = judge;
  host->pump_due = false;
  host->timer_at = SQX_TIME_NEVER;
  sim_host_enter (host);
  host->endpoint = sqx_endpoint_new (&config, host->world->now);
  sim_end_leave ();
  if (host->endpoint == NULL)
    sim_fail (host->world, "sqx_endpoint_new() refuses the configuration");
}

/* @conn is the end's from now on. */
static void
begin_life (sim_end  *end,
            sqx_conn *conn)
{
  sim_world *world = end->world;

  sim_end_prepare (end);
  end->pending = false;
  end->conn = conn;
  end->incarnation = sqx_conn_incarnation (conn);
  sim_end_enter (end);
  if (end->persist != 0 && !world->mortal)
    sqx_conn_set_persistent (conn, world->now, end->persist);
  sim_end_leave ();
  sim_program_start (end);
  if (world->healed)
    sim_program_settle (end);
}

/* A peer that gets nothing of what comes before the low 32 bits wrap cannot read what comes after:
 * the header has no more bits, and the key is for the full number. */
#define BEFORE_WRAP 60

static void
choose_first_number (sim_end *end)
{
  uint32_t *first = &end->config.first_packet_number;

  if (!end->world->wraps)
    *first &= INT32_MAX;
  else if (*first > UINT32_MAX - BEFORE_WRAP)
    *first -= BEFORE_WRAP;
}

void
sim_host_open_end (sim_end *end)
{
  sim_world *world = end->world;
  sim_host *host = end->host;
  const sim_host *its = end->peer->host;
  sqx_config config;
  sqx_conn *conn;

  choose_first_number (end);
  if (host->moves)
    sim_events_keep_alive (host);
  if (host->endpoint == NULL)
    host_open (host);
  config = end->config;
  SIM_TRACE (world, end, "opens: window %llu to %llu, messages %llu, exchanges %llu, datagrams %u",
             (unsigned long long) end->config.byte_window,
             (unsigned long long) end->config.byte_window_max,
             (unsigned long long) end->config.max_message_size,
             (unsigned long long) end->config.exchange_credit, end->config.max_datagram_size);
  end->pending = !end->dials;
  end->killed_at = SQX_TIME_NEVER;
  sim_host_ready (host);
  if (end->pending)
    return;
  config.random = give_random;
  config.user_data = host;
  sim_host_enter (host);
  conn = sqx_endpoint_connect (host->endpoint, world->now, &config, &its->address,
                               end->expects ? its->public_key : NULL, end);
  sim_end_leave ();
  if (conn == NULL)
    sim_fail (world, "sqx_endpoint_connect() refuses the configuration");
  begin_life (end, conn);
}

/* A peer opened a connection by @packet: it belongs to the end whose peer did that. */
static void
adopt (sim_host         *host,
       sqx_conn         *conn,
       const sim_packet *packet)
{
  sim_end *end = packet != NULL && packet->from != NULL ? packet->from->peer : NULL;

  if (end == NULL || end->host != host || packet->tampered
      || memcmp (end->peer->host->public_key, conn->secure->peer_key, SQX_KEY_SIZE) != 0)
    sim_fail (host->world, "a connection comes that nobody dialled");
  if (end->conn != NULL)
    {
      SIM_TRACE (host->world, end, "its peer comes back as a new one");
      sim_end_drop (end);
      end->life++;
    }
  sqx_conn_set_user_data (conn, end);
  begin_life (end, conn);
}

void
sim_host_kill (sim_host *host)
{
  sim_world *world = host->world;
  const sim_account *account = &host->ends[0]->account;

  for (size_t i = 0; i < host->inbox_count; i++)
    sim_packet_unref (host->inbox[i]);
  host->inbox_count = 0;
  while (host->n_early > 0)
    sim_packet_unref (host->early[--host->n_early]);
  for (uint32_t i = 0; i < host->n_ends; i++)
    sim_end_drop (host->ends[i]);
  if (host->endpoint == NULL)
    return;
  sim_host_enter (host);
  for (sqx_conn *conn; (conn = sqx_endpoint_poll_conn (host->endpoint)) != NULL;)
    if (sqx_conn_user_data (conn) == NULL)
      sqx_conn_free (conn);
  sqx_endpoint_free (host->endpoint);
  sim_end_leave ();
  host->endpoint = NULL;
  host->life++;
  host->ends[0]->killed_at = world->now;
  if (account->current != 0 || account->blocks != 0)
    sim_fail (world, "host %u leaks %llu bytes in %llu blocks", host->index,
              (unsigned long long) account->current, (unsigned long long) account->blocks);
}

void
sim_host_restart (sim_host *host)
{
  sim_world_progress (host->world);
  sim_host_kill (host);
  for (uint32_t i = 0; i < host->n_ends; i++)
    {
      sim_end *end = host->ends[i];

      end->life++;
      end->config.first_packet_number = (uint32_t) sim_rng_next (&host->world->rng);
    }
  for (uint32_t i = 0; i < host->n_ends; i++)
    sim_host_open_end (host->ends[i]);
}

void
sim_host_free (sim_host *host)
{
  free (host->inbox);
  free (host);
}

void
sim_host_ready (sim_host *host)
{
  if (host->pump_due || host->endpoint == NULL)
    return;
  host->pump_due = true;
  sim_world_at (host->world, host->world->now, pump, host, host->life);
}

/* @told: the system says so. */
void
sim_host_move (sim_host          *host,
               const sqx_address *to,
               bool               told)
{
  SIM_TRACE (host->world, host->ends[0], "moves to %u.%u.%u.%u:%u", to->host[0], to->host[1],
             to->host[2], to->host[3], to->port);
  host->address = *to;
  if (!told || host->endpoint == NULL)
    return;
  sim_host_enter (host);
  sqx_endpoint_handle_network_changed (host->endpoint, host->world->now);
  sim_end_leave ();
  sim_host_ready (host);
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
        adopt (host, conn, packet);
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
      sim_network_send (host->ends[0], buffer, size, &notes);
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

/* What only encrypted connections tell ------------------------------------------------- */

static void
answer_question (sim_world *world,
                 void      *data,
                 uint64_t   life)
{
  sim_end *end = data;

  if (end->conn == NULL || end->life != life)
    return;
  SIM_TRACE (world, end, "trusts its peer");
  sim_end_enter (end);
  sqx_conn_authorize (end->conn, world->now, true);
  sim_end_leave ();
  sim_end_ready (end);
}

/* The program looks up anew where its peer is. */
static void
look_up (sim_end *end)
{
  const sqx_address *to = &end->peer->host->address;

  sim_end_enter (end);
  sqx_conn_set_address (end->conn, end->world->now, to);
  sim_end_leave ();
  sim_end_ready (end);
}

void
sim_host_event (sim_end         *end,
                const sqx_event *event)
{
  sim_world *world = end->world;

  if (event->type == SQX_EVENT_AUTHORIZE)
    {
      sim_world_chore (world, world->now + sim_rng_below (&world->secure_rng, 20 * SIM_SEC),
                       answer_question, end, end->life);
      return;
    }
  if (event->type == SQX_EVENT_MOVED)
    {
      SIM_TRACE (world, end, "is told that its peer moved");
      end->moves++;
      return;
    }
  SIM_TRACE (world, end, "is reconnecting");
  if (end->persist == 0 || world->mortal)
    sim_fail (world, "a connection that is not persistent reconnects");
  if (end->lost_at == SQX_TIME_NEVER)
    {
      end->lost_at = world->now;
      world->link_losses++;
      sim_world_progress (world);
    }
  end->program.told_connected = false;
  look_up (end);
}
