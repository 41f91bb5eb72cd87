/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hosts: endpoints with an address, whose connections are ends of the world.
 */
#pragma once

#include "sim.h"

#include "seqex/core/sqx-endpoint.h"

struct sim_host
{
  sim_rng       core_rng;    /* config.random: first, so that its address is the host's */
  sim_world    *world;
  uint32_t      index;
  uint32_t      life;        /* restarts */
  sqx_endpoint *endpoint;    /* NULL: dead */
  sqx_crypto    crypto;
  uint8_t       secret_key[32];
  uint8_t       public_key[32];
  uint8_t       cipher;      /* the only one; 0: both */
  uint32_t      retry_threshold;
  sqx_address   address;
  bool          moves;       /* … to another one now and then */
  sim_end      *ends[SIM_ENDS]; /* the first one's driver and way out are the host's */
  uint32_t      n_ends;

  sim_packet  **inbox;       /* arrived, not read */
  size_t        inbox_count, inbox_capacity;
  sim_packet   *early[16];   /* DATA that nobody has taken yet: before CONFIRM, perhaps */
  uint32_t      n_early;
  bool          pump_due;
  uint64_t      timer_at;
  uint64_t      instant;     /* … at which … */
  uint32_t      timers;      /* … so many time-outs were handled, … */
  uint64_t      outputs;     /* … and so many datagrams sent */
  uint64_t      bytes_in, bytes_out;
  uint32_t      half_open;   /* when last looked at */
  sqx_address   nobody_at;   /* the last notice was about this address */

  void        (*tap) (sim_host *host, const sim_packet *packet); /* hears instead of the endpoint */
  void         *tapper;
};

sim_host   *sim_world_add_host (sim_world *world);
/* Two ends, of which the first one's host dials the other one's. */
void        sim_world_link    (sim_world *world, sim_host *a, sim_host *b, sim_end **first,
                               sim_end **second);
sqx_address sim_host_address  (uint32_t host, uint16_t port);
/* The part of sim_end_open() that only a host has. */
void        sim_host_open_end (sim_end *end);
/* All its connections with it. */
void        sim_host_kill     (sim_host *host);
/* … and new ones come. */
void        sim_host_restart  (sim_host *host);
/* A peer opened a connection by @packet: it belongs to the end whose peer did that. */
void        sim_host_adopt    (sim_host *host, sqx_conn *conn, const sim_packet *packet);
/* @told: the system says so. */
void        sim_host_move     (sim_host *host, const sqx_address *to, bool told);
void        sim_host_free     (sim_host *host);
/* What only encrypted connections tell. */
void        sim_host_event    (sim_end *end, const sqx_event *event);
/* Whether the peer has the other side of what @end has. */
bool        sim_end_is_linked (const sim_end *end);
/* Charges what the core allocates between the two to the host. */
void        sim_host_enter    (sim_host *host);

/* sim-driver.c */
/* Something changed: the endpoint is asked soon what it has to say. */
void sim_host_ready  (sim_host *host);
void sim_host_arrive (sim_world *world, sim_packet *packet);
/* As if it came from the network at once, from somebody who has no key. */
void sim_host_inject (sim_host *host, const sqx_address *from, const uint8_t *bytes, size_t size);

/* sim-crypto.c */
void sim_crypto_begin  (sim_world *world);
void sim_crypto_init   (sqx_crypto *crypto, bool prefers_aes);
/* What was sealed last, if that was @data: its full number and its frames in clear. */
bool sim_crypto_sealed (const uint8_t *data, size_t size, uint64_t *number, const uint8_t **frames,
                        size_t *frames_size);

/* sim-events.c: what happens to hosts, drawn by lot. */
void sim_events_draw  (sim_world *world);
void sim_events_keys  (sim_world *world, uint64_t most);
void sim_events_moves (sim_world *world, sim_host *host, uint64_t most);
/* Its connections are not open yet. */
void sim_events_keep_alive (sim_host *host);
