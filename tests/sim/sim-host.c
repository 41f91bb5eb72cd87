/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint at an address: its connections, its lives, and where it moves. sim-driver.c wakes it.
 */

#include "sim-host.h"

#include "seqex/core/sqx-conn-private.h"

#include <stdlib.h>
#include <string.h>

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

void
sim_host_adopt (sim_host         *host,
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
