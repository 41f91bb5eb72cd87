/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Endpoints with encrypted connections and their programs, a network in memory, memory that runs
 * short, all driven by an input; and what must hold of them at any time.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "forge.h"
#include "sqx-conn-private.h"
#include "toy-crypto.h"

/* abort() is what fuzzers and sanitizers notice, NDEBUG or not. */
#define REQUIRE(condition) do { if (!(condition)) abort (); } while (0)

#define DATAGRAM_MAX 1500
#define FLIGHTS 48
#define HISTORY 16
#define SITES 2
#define TALKS 6
#define SENDS 24
#define TAKEN 24
#define SEEN 512
#define HOSTS 4 /* places; the first ones are those of the sites */

typedef struct
{
  uint8_t     data[DATAGRAM_MAX];
  size_t      size;
  sqx_address from, to;
  toy_seal    seal; /* of DATA */
} flight;

typedef struct site site;

/* A connection and its program. */
typedef struct
{
  site          *site;
  sqx_conn      *conn;         /* NULL: not in use */
  sqx_outgoing  *sends[SENDS]; /* NULL: told, or given up */
  sqx_message_id taken[TAKEN];
  unsigned       n_taken;
  sqx_message_id seen[SEEN];
  unsigned       n_seen;
  bool           asked;        /* AUTHORIZE is not answered */
  bool           closed;       /* EVENT_CLOSED came */
} talk;

typedef struct world world;

struct site
{
  world        *world;
  sqx_endpoint *endpoint;
  sqx_endpoint_config config;
  sqx_address   address;
  sqx_trust     trust;
  talk          talks[TALKS];
  unsigned      sent;          /* datagrams */
};

struct world
{
  fuzz_input input;
  site       sites[SITES];
  flight     flights[FLIGHTS];
  unsigned   n_flights;
  flight     history[HISTORY];
  unsigned   n_history;
  uint64_t   now;
  uint32_t   random;
  unsigned   refs;             /* payloads that the core holds */
  bool       forged;           /* somebody who has keys lied */
  /* Places that no site calls: what they got is bounded by what came from there. */
  uint64_t   bytes_from[HOSTS], bytes_to[HOSTS];
};

extern const uint8_t world_psk[32];

/* Memory: @until allocations succeed, then @fail fail. */
void        world_fail_allocations (unsigned until, unsigned fail);
void        world_random    (void *user_data, uint8_t *bytes, size_t size);
sqx_address world_place     (unsigned host, unsigned port);
void        world_start     (world *w, const uint8_t *data, size_t size);
/* Everything comes to an end, and is freed. */
void        world_finish    (world *w);
/* Everything that is due goes out, what happened is told, and everything is checked. */
void        world_settle    (world *w);
void        world_give      (world *w, const sqx_address *from, const sqx_address *to,
                             const uint8_t *data, size_t size);
/* Delivers one that is on its way; with nobody there it is gone. */
void        world_deliver   (world *w, unsigned i);
void        world_drop      (world *w, unsigned i);
/* Passes the next deadline of @s. */
void        world_expire    (world *w, site *s);
site       *world_site      (world *w, const sqx_address *address); /* NULL: nobody there */

void        site_start      (world *w, site *s);
void        site_stop       (site *s);
const uint8_t *site_key     (const site *s);
/* @key: who is expected, or NULL. NULL: no room, or no memory. */
talk       *site_connect    (site *s, const sqx_address *to, const uint8_t *key);
/* One of those in use; NULL: none. */
talk       *site_pick       (site *s);
void        talk_free       (talk *t);

/* What the input says, each takes from it what it needs. */
void        world_network_step (world *w);
void        world_program_step (world *w, talk *t);
void        world_rare_step    (world *w, site *s);
