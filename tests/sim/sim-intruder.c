/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attackers without keys: on the path, where they see and repeat everything, and beside it.
 */

#include "sim-hostile.h"

#include "seqex/core/sqx-conn-private.h"

#include <stdlib.h>
#include <string.h>

/* What an attacker has seen --------------------------------------------------------------- */

#define SEEN_MAX 4096

typedef struct
{
  sqx_address source, destination;
  sim_packet *packet;      /* as the network would deliver it */
  size_t      size;
  uint8_t     bytes[];
} copy;

typedef struct
{
  copy    *copies[SEEN_MAX];
  uint32_t count;
} memory;

static void
remember (sim_world        *world,
          const sim_packet *notes,
          const uint8_t    *bytes,
          size_t            size)
{
  memory *seen = world->overhearer;
  copy *it;

  if (seen->count == SEEN_MAX)
    return;
  it = malloc (sizeof *it + size);
  it->source = notes->source;
  it->destination = notes->destination;
  it->size = size;
  memcpy (it->bytes, bytes, size);
  it->packet = malloc (sizeof *it->packet + size + notes->frames_size);
  *it->packet = *notes;
  it->packet->references = 1;
  it->packet->size = size;
  it->packet->frames = it->packet->bytes + size;
  memcpy (it->packet->bytes, bytes, size);
  if (notes->frames_size > 0)
    memcpy (it->packet->bytes + size, notes->frames, notes->frames_size);
  seen->copies[seen->count++] = it;
}

static void
forget (memory *seen)
{
  while (seen->count > 0)
    {
      copy *it = seen->copies[--seen->count];

      sim_packet_unref (it->packet);
      free (it);
    }
}

/* What must not change -------------------------------------------------------------------- */

/* All that a connection is, but for what counts packets that were dropped. */
static uint64_t
state_of (const sim_end *end)
{
  sqx_statistics statistics;
  sqx_secure secure = *end->conn->secure;
  sqx_link link;
  uint64_t hash = SIM_HASH_START;

  memset (&statistics, 0, sizeof statistics);
  sqx_conn_statistics (end->conn, &statistics);
  memcpy (&link, &end->conn->link, sizeof link);
  secure.keys.forged = 0;
  hash = sim_hash_bytes (hash, (const uint8_t *) &statistics, sizeof statistics);
  hash = sim_hash_bytes (hash, (const uint8_t *) &secure, sizeof secure);
  hash = sim_hash_bytes (hash, (const uint8_t *) &link, sizeof link);
  hash = sim_hash_bytes (hash, (const uint8_t *) &end->conn->session, sizeof end->conn->session);
  hash = sim_hash_bytes (hash, (const uint8_t *) &end->conn->timers, sizeof end->conn->timers);
  hash = sim_hash_u64 (hash, end->conn->state);
  hash = sim_hash_u64 (hash, end->conn->incarnation);
  hash = sim_hash_u64 (hash, end->conn->last_received);
  return sim_hash_u64 (hash, (uint64_t) end->moves << 32 | end->life);
}

static uint64_t
state_of_all (const sim_world *world)
{
  uint64_t hash = world->delivered;

  for (uint32_t i = 0; i < world->n_ends; i++)
    if (world->ends[i]->conn != NULL && !world->ends[i]->closed)
      hash = sim_mix (hash + state_of (world->ends[i]));
  return hash;
}

static void
attack (sim_world         *world,
        const sqx_address *from,
        const sqx_address *to,
        const uint8_t     *bytes,
        size_t             size)
{
  for (uint32_t i = 0; i < world->n_hosts; i++)
    if (sqx_address_equal (&world->hosts[i]->address, to) && size > 0)
      sim_host_inject (world->hosts[i], from, bytes, size);
}

/* Everything that was thrown at the hosts is read, within this instant. */
static void
let_it_come (sim_world *world)
{
  sim_world_run_until (world, world->now);
}

static void
expect_same (sim_world  *world,
             uint64_t    state,
             const char *what)
{
  let_it_come (world);
  if (state_of_all (world) != state)
    sim_fail (world, "%s changes a connection", what);
}

/* Two pairs of programs that have talked, are still open and at rest. */
static void
make_pairs (sim_world *world,
            memory    *seen)
{
  sim_rng *rng = &world->rng;

  world->overhear = remember;
  world->overhearer = seen;
  for (int i = 0; i < 2; i++)
    {
      sim_end *ends[2];

      sim_world_add_pair (world, &ends[0], &ends[1]);
      for (int k = 0; k < 2; k++)
        {
          sim_habits *habits = &ends[k]->program.habits;

          sim_path_clean (&ends[k]->out.path, sim_rng_scale (rng, 0, 20 * SIM_MS));
          ends[k]->persist = SQX_TIME_NEVER;
          ends[k]->host->cipher = (uint8_t) sim_rng_below (rng, 3) * (ends[k]->index < 2);
          habits->starts = sim_rng_between (rng, 5, 40);
          habits->depth = 2;
          habits->size_small = sim_rng_scale (rng, 10, 300);
          habits->size_large = 3000;
          habits->large = 500;
          habits->chain = 3000;
        }
      /* One cipher forced on one side only is the one of both. */
      ends[1]->host->cipher = 0;
      sim_end_open (ends[0]);
      sim_end_open (ends[1]);
    }
  sim_events_keys (world, 6);
  sim_world_run_until (world, world->now + 100 * SIM_SEC);
  for (uint32_t i = 0; i < world->n_ends; i++)
    if (world->ends[i]->conn == NULL || world->ends[i]->closed
        || world->ends[i]->program.open > 0)
      sim_fail (world, "%c does not come to rest", (int) ('A' + i));
}

/* They still talk to each other as before, and nothing failed. */
static void
talk_again (sim_world *world,
            memory    *seen)
{
  world->overhear = NULL;
  forget (seen);
  for (uint32_t i = 0; i < world->n_ends; i++)
    {
      world->ends[i]->program.left = 10;
      sim_program_start_soon (world->ends[i], 0);
    }
  world->close_after = true;
  sim_world_run (world);
  for (size_t i = 0; i < world->message_count; i++)
    if (world->messages[i]->wait == SIM_WAIT_FAILED)
      sim_fail (world, "a wait fails after the attack: %s",
                sqx_result_string (world->messages[i]->error));
  if (world->link_losses > 0)
    sim_fail (world, "a link is lost by the attack");
}

static const copy *
pick (sim_world    *world,
      const memory *seen)
{
  return seen->copies[sim_rng_below (&world->rng, seen->count)];
}

static sqx_address
anywhere (sim_rng *rng)
{
  uint32_t host = (uint32_t) sim_rng_next (rng) | 1u << 22;

  return sim_host_address (host, (uint16_t) sim_rng_next (rng));
}

/* S1: everything that was sent comes again, to both sides, from there and from elsewhere. */
static void
run_replay (sim_world *world)
{
  memory seen = { .count = 0 };
  uint32_t count;
  uint64_t state;

  make_pairs (world, &seen);
  state = state_of_all (world);
  world->overhear = NULL;
  count = seen.count;
  for (uint32_t round = 0; round < 4; round++)
    for (uint32_t i = 0; i < count; i++)
      {
        const copy *it = round % 2 == 0 ? seen.copies[i] : pick (world, &seen);
        sqx_address from = round < 2 ? it->source : anywhere (&world->rng);

        attack (world, &from, &it->destination, it->bytes, it->size);
        expect_same (world, state, "a replay");
        attack (world, &it->destination, &it->source, it->bytes, it->size);
        expect_same (world, state, "a reflection");
        attack (world, &from, &pick (world, &seen)->destination, it->bytes, it->size);
        expect_same (world, state, "a packet of another session");
      }
  talk_again (world, &seen);
}

/* S1: every bit of a packet is flipped, every length is tried, halves are put together. */
static void
run_forge (sim_world *world)
{
  static uint8_t bytes[2 * SQX_DATAGRAM_MAX];
  memory seen = { .count = 0 };
  uint64_t state;

  make_pairs (world, &seen);
  state = state_of_all (world);
  world->overhear = NULL;
  for (int n = 0; n < 20; n++)
    {
      const copy *it = pick (world, &seen), *other = pick (world, &seen);

      for (size_t bit = 0; bit < it->size * 8; bit++)
        {
          memcpy (bytes, it->bytes, it->size);
          bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
          attack (world, &it->source, &it->destination, bytes, it->size);
          if (bit % 64 == 63)
            expect_same (world, state, "a flipped bit");
        }
      for (size_t size = 1; size < it->size; size++)
        attack (world, &it->source, &it->destination, it->bytes, size);
      expect_same (world, state, "a truncated packet");
      for (size_t cut = 1; cut < it->size && cut < other->size; cut += 1 + cut / 16)
        {
          memcpy (bytes, it->bytes, cut);
          memcpy (bytes + cut, other->bytes + cut, other->size - cut);
          attack (world, &it->source, &it->destination, bytes, other->size);
        }
      memcpy (bytes, it->bytes, it->size);
      memcpy (bytes + it->size, other->bytes, other->size);
      attack (world, &it->source, &it->destination, bytes, it->size + other->size);
      expect_same (world, state, "two packets put together");
    }
  talk_again (world, &seen);
}

/* S2: somebody who knows the addresses, and maybe the ids, but no key, while they talk. */
static size_t
make_blind (sim_world     *world,
            const sim_end *victim,
            bool           knows,
            uint8_t        bytes[SQX_INIT_MIN])
{
  static const uint8_t types[] = { SQX_PACKET_ACCEPT, SQX_PACKET_CONFIRM, SQX_PACKET_RETRY,
                                   SQX_PACKET_DATA, SQX_PACKET_DATA, SQX_PACKET_DATA + 1,
                                   SQX_PACKET_RESET, SQX_PACKET_RESET, SQX_PACKET_VERSION };
  sim_rng *rng = &world->rng;
  uint8_t type = types[sim_rng_below (rng, sizeof types)];
  const sqx_conn *conn = victim->conn;
  size_t size = sim_rng_scale (rng, 5, 200);

  sim_rng_fill (rng, bytes, size);
  bytes[0] = type;
  if (!knows)
    return type == SQX_PACKET_RESET ? 9 : size;
  /* RESET names the id of the peer, and a packet that is on its way. */
  sqx_put_be32 (bytes + 1, type == SQX_PACKET_RESET ? conn->secure->peer_id
                                                    : sqx_route_id (&conn->attachment.link));
  if (type == SQX_PACKET_RESET)
    size = 9;
  if (size >= 9 && sim_rng_chance (rng, 8000))
    sqx_put_be32 (bytes + 5, (uint32_t) (conn->link.recovery.sent.next_number
                                         - sim_rng_below (rng, 20)));
  return size;
}

static void
run_blind (sim_world *world)
{
  memory seen = { .count = 0 };
  uint8_t bytes[SQX_INIT_MIN];
  sim_rng *rng = &world->rng;

  make_pairs (world, &seen);
  forget (&seen);
  world->overhear = NULL;
  for (uint32_t i = 0; i < world->n_ends; i++)
    {
      world->ends[i]->program.left = 200;
      sim_program_start_soon (world->ends[i], 0);
    }
  for (int n = 0; n < 5000; n++)
    {
      sim_end *victim = world->ends[sim_rng_below (rng, world->n_ends)];
      bool knows = sim_rng_chance (rng, 7000);
      sqx_address from = sim_rng_chance (rng, 7000) ? victim->peer->host->address : anywhere (rng);

      size_t size = make_blind (world, victim, knows, bytes);

      attack (world, &from, &victim->host->address, bytes, size);
      if (sim_rng_chance (rng, 500))
        sim_world_run_until (world, world->now + sim_rng_scale (rng, 1, 50 * SIM_MS));
      if (victim->closed || victim->moves > 0)
        sim_fail (world, "a blind attacker %s %c", victim->closed ? "closes" : "moves",
                  (int) ('A' + victim->index));
    }
  talk_again (world, &seen);
}

/* S2: packets are kept from arriving, and come later, from elsewhere: they are authentic, and say
 * nothing of where the peer is. */
static void
run_held (sim_world *world)
{
  memory seen = { .count = 0 };
  sim_end *sender;

  make_pairs (world, &seen);
  forget (&seen);
  sender = world->ends[sim_rng_below (&world->rng, world->n_ends)];
  sender->out.dark_until = world->now + 200 * SIM_MS;
  sender->program.left = 10;
  sender->program.habits.depth = 0;
  sim_program_start_soon (sender, 0);
  sim_world_run_until (world, world->now + 150 * SIM_MS);
  world->overhear = NULL;
  sim_world_run_until (world, world->now + 20 * SIM_SEC);
  for (uint32_t i = 0; i < seen.count; i++)
    {
      sim_packet *packet = sim_packet_ref (seen.copies[i]->packet);

      if (packet->from != sender)
        {
          sim_packet_unref (packet);
          continue;
        }
      packet->source = anywhere (&world->rng);
      sim_host_arrive (world, packet);
      let_it_come (world);
      if (sender->peer->conn->secure->path.validating)
        sim_fail (world, "an old packet makes it look for its peer elsewhere");
    }
  talk_again (world, &seen);
}

/* R1, R2 ------------------------------------------------------------------------------- */

/* INIT as anybody can make it: the ephemeral key is a point like any other. */
static void
make_init (sim_rng *rng,
           uint8_t  bytes[SQX_INIT_MIN])
{
  sqx_writer writer = { bytes, 0, SQX_INIT_MIN };
  uint8_t key[SQX_KEY_SIZE];

  memset (bytes, 0, SQX_INIT_MIN);
  sim_rng_fill (rng, key, sizeof key);
  sqx_write_init (&writer, (uint32_t) sim_rng_next (rng) | 1, SQX_NOISE_XX, NULL, SQX_KEY_SIZE);
  memcpy (bytes + writer.size, key, SQX_KEY_SIZE);
}

static void
throw_init (sim_host          *victim,
            const sqx_address *from,
            uint8_t           *bytes,
            size_t             size)
{
  sim_host_enter (victim);
  sqx_endpoint_handle_datagram (victim->endpoint, victim->world->now, from, bytes, size);
  sim_end_leave ();
  victim->bytes_in += size;
  sim_host_ready (victim);
}

typedef struct
{
  uint64_t count;         /* INITs thrown */
  uint64_t each;          /* microseconds between hundreds of them */
  uint64_t kept;          /* bytes held since the threshold was reached … */
  uint64_t calls;         /* … and allocations by then; 0: not reached */
  bool     reached;
} flood;

static void
look_at_flood (sim_host *victim,
               flood    *it)
{
  sim_world *world = victim->world;
  const sim_account *account = &victim->ends[0]->account;
  uint32_t half_open = sqx_endpoint_n_half_open (victim->endpoint);

  if (half_open > SQX_HALF_OPEN_DEFAULT)
    sim_fail (world, "%u handshakes are half open", half_open);
  if (victim->bytes_out > 3 * victim->bytes_in)
    sim_fail (world, "%llu bytes answer %llu", (unsigned long long) victim->bytes_out,
              (unsigned long long) victim->bytes_in);
  if (half_open < victim->retry_threshold)
    return;
  if (it->calls != 0 && account->current > it->kept)
    sim_fail (world, "a flood makes it keep %llu bytes, %llu before",
              (unsigned long long) account->current, (unsigned long long) it->kept);
  if (it->calls != 0 && account->calls != it->calls)
    sim_fail (world, "a flood makes it allocate %llu times",
              (unsigned long long) (account->calls - it->calls));
  it->kept = account->current;
  it->calls = account->calls;
  it->reached = true;
}

static void
throw_hundred (sim_host *victim,
               flood    *it)
{
  uint8_t bytes[SQX_INIT_MIN];
  sim_rng *rng = &victim->world->rng;

  for (int i = 0; i < 100; i++)
    {
      sqx_address from = anywhere (rng);

      make_init (rng, bytes);
      throw_init (victim, &from, bytes, sizeof bytes);
      it->count++;
    }
  sim_world_run_until (victim->world, victim->world->now + it->each);
}

static uint64_t
flood_size (const sim_world *world)
{
  /* The last seed of the long form is the long one. */
  return world->seed == 20 ? 10000000 : world->seed % 4 == 1 ? 200000 : 20000;
}

/* Nobody but the flood: what it leaves. */
static void
run_spoofed (sim_world *world)
{
  uint64_t size = flood_size (world);
  flood it = { .each = 100 };
  sim_end *ends[2];
  sim_host *victim;

  sim_world_add_pair (world, &ends[0], &ends[1]);
  victim = ends[1]->host;
  ends[1]->dials = false;
  sim_end_open (ends[1]);
  sim_world_run_until (world, world->now + SIM_MS);
  while (it.count < size)
    {
      throw_hundred (victim, &it);
      look_at_flood (victim, &it);
      /* What is half open lives for ten seconds, then others take its place. */
      if (sqx_endpoint_n_half_open (victim->endpoint) < victim->retry_threshold)
        it.calls = 0;
    }
  if (!it.reached)
    sim_fail (world, "the threshold is never reached");
  sim_world_run_until (world, world->now + 11 * SIM_SEC);
  if (sqx_endpoint_n_half_open (victim->endpoint) != 0)
    sim_fail (world, "half-open handshakes are left after the flood");
  sim_world_run (world);
}

/* Beside the flood an honest peer is let in within two seconds. */
static void
run_beside (sim_world *world)
{
  flood it = { .each = sim_rng_scale (&world->rng, 20, 5000) };
  sim_end *ends[2];
  uint64_t since;

  sim_world_add_pair (world, &ends[0], &ends[1]);
  ends[0]->dials = true;
  ends[1]->dials = false;
  for (int i = 0; i < 2; i++)
    {
      sim_path_clean (&ends[i]->out.path, sim_rng_scale (&world->rng, 0, 100 * SIM_MS));
      ends[i]->persist = 0;
      ends[i]->program.habits.starts = 50;
      ends[i]->program.habits.depth = 2;
    }
  sim_end_open (ends[1]);
  while (it.count < 3000)
    throw_hundred (ends[1]->host, &it);
  since = world->now;
  sim_end_open (ends[0]);
  while (!ends[0]->was_connected || !ends[1]->was_connected)
    {
      throw_hundred (ends[1]->host, &it);
      if (world->now - since > 2 * SIM_SEC)
        sim_fail (world, "beside a flood an honest handshake takes longer than 2 s");
    }
  for (int i = 0; i < 200; i++)
    throw_hundred (ends[1]->host, &it);
  sim_world_run (world);
}

/* R2: attackers who do get the answers, and leave every handshake half open. */
typedef struct
{
  sim_host *victim;
  uint8_t   init[SQX_INIT_MIN];
  bool      again;
} returner;

static void
return_cookie (sim_world        *world,
               const sim_packet *notes,
               const uint8_t    *bytes,
               size_t            size)
{
  returner *it = world->overhearer;
  sqx_writer writer = { it->init, 0, SQX_INIT_MIN };
  uint8_t key[SQX_KEY_SIZE];
  const uint8_t *cookie;
  uint32_t id;

  if (!sqx_decode_retry (bytes, size, &id, &cookie))
    return;
  memcpy (key, it->init + SQX_INIT_HEADER, sizeof key);
  memset (it->init, 0, sizeof it->init);
  sqx_write_init (&writer, id, SQX_NOISE_XX, cookie, SQX_KEY_SIZE);
  memcpy (it->init + writer.size, key, sizeof key);
  it->again = true;
}

static void
run_half_open (sim_world *world)
{
  sim_rng *rng = &world->rng;
  returner it = { .again = false };
  sim_end *ends[2];
  uint64_t most = 0;

  sim_world_add_pair (world, &ends[0], &ends[1]);
  ends[1]->dials = false;
  sim_end_open (ends[1]);
  it.victim = ends[1]->host;
  world->overhear = return_cookie;
  world->overhearer = &it;
  for (int n = 0; n < 1000; n++)
    {
      bool one_host = sim_rng_chance (rng, 5000);
      sqx_address from = sim_host_address (one_host ? 77 : 1000 + (uint32_t) n, (uint16_t) (n + 1));
      uint8_t bytes[SQX_INIT_MIN];

      make_init (rng, it.init);
      it.again = false;
      memcpy (bytes, it.init, sizeof bytes);
      throw_init (it.victim, &from, bytes, sizeof bytes);
      let_it_come (world);
      if (it.again)
        {
          memcpy (bytes, it.init, sizeof bytes);
          throw_init (it.victim, &from, bytes, sizeof bytes);
        }
      sim_world_run_until (world, world->now + 2 * SIM_MS);
      if (sqx_endpoint_n_half_open (it.victim->endpoint) > most)
        most = sqx_endpoint_n_half_open (it.victim->endpoint);
    }
  if (most != SQX_HALF_OPEN_DEFAULT)
    sim_fail (world, "%llu handshakes are half open at most", (unsigned long long) most);
  if (sqx_endpoint_counters_get (it.victim->endpoint)->half_open_full == 0)
    sim_fail (world, "no handshake has to make room");
  world->overhear = NULL;
  sim_world_run_until (world, world->now + 11 * SIM_SEC);
  if (sqx_endpoint_n_half_open (it.victim->endpoint) != 0)
    sim_fail (world, "half-open handshakes live longer than ten seconds");
  sim_world_run (world);
}

/* Valid keys, and no manners ------------------------------------------------------------ */

static sim_hostile *
begin_keyed (sim_world *world)
{
  sim_end *victim;
  sim_hostile *hostile = sim_hostile_new (world, &victim);

  sim_end_open (victim);
  sim_hostile_connect (hostile);
  return hostile;
}

static void
leave (sim_hostile *hostile)
{
  sim_world *world = hostile->world;

  world->overhear = NULL;
  world->close_after = true;
  sim_world_run (world);
  sim_hostile_free (hostile);
}

/* A connection's own state, with the rings of what it sent, may take so much. */
static void
check_small (const sim_hostile *hostile,
             const char        *what)
{
  if (hostile->victim->account.current > 393216)
    sim_fail (hostile->world, "%s leave %llu bytes", what,
              (unsigned long long) hostile->victim->account.current);
}

/* R5: a million questions; only the newest is owed an answer. */
static void
run_challenges (sim_world *world)
{
  sim_hostile *hostile = begin_keyed (world);
  uint64_t count = world->seed % 10 == 0 ? 1000000 : 50000;
  uint8_t token[SQX_CHALLENGE_SIZE];
  sqx_statistics statistics;

  for (uint64_t i = 0; i < count; i++)
    {
      sim_rng_fill (&world->rng, token, sizeof token);
      sqx_write_challenge (sim_hostile_begin (hostile), token);
      sim_hostile_send (hostile);
      if (i % 32 == 31)
        sim_hostile_wait (hostile, 50);
    }
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_expect_alive (hostile, "a question");
  check_small (hostile, "questions");
  sqx_conn_statistics (hostile->victim->conn, &statistics);
  if (statistics.packets_sent > count / 8)
    sim_fail (world, "%llu packets answer %llu questions",
              (unsigned long long) statistics.packets_sent, (unsigned long long) count);
  leave (hostile);
}

/* Each packet from another address, which is never proven: little goes there, nothing is kept. */
typedef struct
{
  sqx_address home;
  uint64_t    sent;    /* by the victim, to other places than that */
} wanderer;

static void
count_elsewhere (sim_world        *world,
                 const sim_packet *notes,
                 const uint8_t    *bytes,
                 size_t            size)
{
  wanderer *it = world->overhearer;

  if (!sqx_address_equal (&notes->destination, &it->home))
    it->sent += size;
}

static void
run_wander (sim_world *world)
{
  sim_hostile *hostile = begin_keyed (world);
  wanderer it = { .home = hostile->address };
  uint8_t guess[SQX_CHALLENGE_SIZE];
  uint64_t received = 0;

  world->overhear = count_elsewhere;
  world->overhearer = &it;
  for (int i = 0; i < 20000; i++)
    {
      /* There it stays for a while, so that it could be asked. */
      if (sim_rng_chance (&world->rng, 500))
        hostile->address = it.home;
      else if (sim_rng_chance (&world->rng, 6000))
        hostile->address = anywhere (&world->rng);
      sim_rng_fill (&world->rng, guess, sizeof guess);
      if (sim_rng_chance (&world->rng, 5000))
        sqx_write_ping (sim_hostile_begin (hostile));
      else
        sqx_write_response (sim_hostile_begin (hostile), guess);
      sim_hostile_send (hostile);
      if (!sqx_address_equal (&hostile->address, &it.home))
        received += hostile->writer.size;
      if (i % 8 == 7)
        sim_hostile_wait (hostile, sim_rng_scale (&world->rng, 1, 5 * SIM_MS));
      if (it.sent > 3 * received)
        sim_fail (world, "%llu bytes go to unproven places for %llu from there",
                  (unsigned long long) it.sent, (unsigned long long) received);
    }
  sim_hostile_expect_alive (hostile, "a new address");
  if (hostile->victim->moves > 0
      || !sqx_address_equal (sqx_conn_address (hostile->victim->conn), &it.home))
    sim_fail (world, "a place that was never proven is taken for the peer's");
  check_small (hostile, "new addresses");
  hostile->address = it.home;
  leave (hostile);
}

/* Packet numbers that jump as far as they can, phases that change with each packet. */
static void
run_jumps (sim_world *world)
{
  sim_hostile *hostile = begin_keyed (world);

  for (int i = 0; i < 5000; i++)
    {
      hostile->number += (uint32_t) sim_rng_scale (&world->rng, 1, 100000);
      sqx_write_ping (sim_hostile_begin (hostile));
      sim_hostile_send (hostile);
      if (i % 8 == 7)
        sim_hostile_wait (hostile, sim_rng_scale (&world->rng, 1, SIM_MS));
    }
  sim_hostile_expect_alive (hostile, "a packet number far away");
  check_small (hostile, "packet numbers that jump");
  leave (hostile);
}

/* Frames that only encrypted links have, at the wrong time or of nothing. */
static void
run_wrong_frames (sim_world *world)
{
  static const char *const names[] = { "RECEIVED of nothing", "READY from who dials",
                                       "HELLO after the handshake" };
  sim_hostile *hostile = begin_keyed (world);
  unsigned which = world->seed % 3;
  sqx_writer *writer = sim_hostile_begin (hostile);
  uint8_t parameters[SQX_HELLO_MAX];
  static const uint8_t ready = SQX_FRAME_READY;
  sqx_runs_writer runs;

  if (which == 0)
    {
      sqx_received_writer_begin (&runs, writer, 0);
      sqx_runs_writer_add (&runs, writer, 0, sim_rng_scale (&world->rng, 1, SQX_VARINT_MAX / 2));
      sqx_runs_writer_finish (&runs, writer);
    }
  else if (which == 1)
    sim_hostile_raw (hostile, &ready, 1);
  else
    sqx_write_hello (writer, parameters, sqx_hello_encode (&hostile->hello, parameters));
  sim_hostile_send (hostile);
  sim_hostile_wait (hostile, SIM_MS);
  sim_hostile_expect_violation (hostile, names[which]);
  leave (hostile);
}

const sim_scenario sim_scenarios_intruders[] = {
  { "secure-replay", run_replay, 20, 400, "S1: replays, reflections, other sessions", false },
  { "secure-forge", run_forge, 6, 100, "S1: every bit, every length, spliced", false },
  { "secure-blind", run_blind, 20, 500, "S2: closes, resets, acknowledgements by guessing", false },
  { "secure-held", run_held, 20, 500,
    "S2: packets that are held back, and come from elsewhere", false },
  { "secure-spoofed", run_spoofed, 4, 20, "R1: forged INITs leave nothing", false },
  { "secure-beside", run_beside, 10, 200, "R1: an honest handshake beside a flood", false },
  { "secure-half-open", run_half_open, 4, 100, "R2: handshakes that are never finished", false },
  { "secure-challenges", run_challenges, 2, 20, "R5: a million questions", false },
  { "secure-wander", run_wander, 4, 100, "R1: addresses that are never proven", false },
  { "secure-jumps", run_jumps, 10, 300, "R3: packet numbers far apart", false },
  { "secure-wrong-frames", run_wrong_frames, 9, 300, "D11: frames at the wrong time", false },
  { NULL, NULL, 0, 0, NULL, false },
};
