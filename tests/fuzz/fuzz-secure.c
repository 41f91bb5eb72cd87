/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two endpoints with encrypted connections between them, a network and a hostile hand that has the
 * keys: frames are changed before they are sealed. Links are lost and come back, peers move,
 * restart and change keys; sessions are resumed.
 *
 * Nothing crashes or leaks, no outcome is told twice, no message is delivered twice or changed, a
 * timeout leads to a packet or to a later deadline. While nothing was forged, every wait ends once
 * the network works, and in the end there is neither a connection nor a deadline left.
 */
#include "sites.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define STEPS 1024

/* The connection that @f is for, or any. */
static sqx_conn *
receiver (site         *s,
          const flight *f)
{
  sqx_conn *any = NULL;

  for (unsigned i = 0; i < TALKS; i++)
    if (s->talks[i].conn != NULL)
      {
        any = s->talks[i].conn;
        if (sqx_route_id (&any->attachment.link) == sqx_get_be32 (f->data + 1))
          return any;
      }
  return any;
}

/* Puts frames into a packet that is on its way, before its own: so nobody is told of packets that
 * were never sent. */
static void
forge_into (world *w)
{
  uint8_t choice = input_byte (&w->input), frames[DATAGRAM_MAX], honest[DATAGRAM_MAX];
  sqx_plain_header header = { 0 };
  size_t overhead = SQX_DATA_HEADER + SQX_TAG_SIZE, tail, size;
  sqx_conn *target;
  flight *f;
  site *s;

  if (w->n_flights == 0)
    return;
  f = &w->flights[choice % w->n_flights];
  s = world_site (w, &f->to);
  if (s == NULL || (f->data[0] & 0xfe) != SQX_PACKET_DATA || f->size <= overhead)
    return;
  target = receiver (s, f);
  tail = f->size - overhead;
  memcpy (honest, f->data + SQX_DATA_HEADER, tail + SQX_TAG_SIZE);
  if (target == NULL || !toy_open (&f->seal, f->data, SQX_DATA_HEADER, honest, tail))
    return;
  w->forged = true;
  size = forge_packet (&w->input, target, &header, choice >= 250, honest,
                       (choice & 0xe0) == 0xe0 ? 0 : tail, frames,
                       SQX_DATAGRAM_DEFAULT - overhead + SQX_PLAIN_HEADER) - SQX_PLAIN_HEADER;
  memcpy (f->data + SQX_DATA_HEADER, frames + SQX_PLAIN_HEADER, size);
  toy_seal_again (&f->seal, f->data, SQX_DATA_HEADER, f->data + SQX_DATA_HEADER, size);
  f->size = size + overhead;
  world_deliver (w, (unsigned) (f - w->flights));
}

/* Nobody needs a key for these. */
static void
stranger (world *w)
{
  uint8_t choice = input_byte (&w->input), packet[SQX_DATA_HEADER];
  site *s = &w->sites[choice & 1], *other = &w->sites[1 - (choice & 1)];
  talk *t = site_pick (s);
  flight f;

  if (choice & 2)
    {
      if (w->n_flights == 0)
        return;
      f = w->flights[(choice >> 2) % w->n_flights];
      f.data[input_number (&w->input) % f.size] ^= input_byte (&w->input);
      if (input_byte (&w->input) & 1)
        f.size = 1 + input_number (&w->input) % f.size;
      world_give (w, &f.from, &f.to, f.data, f.size);
    }
  else if (t != NULL)
    {
      packet[0] = SQX_PACKET_RESET;
      sqx_put_be32 (packet + 1, t->conn->attachment.peer_id);
      sqx_put_be32 (packet + 5, (uint32_t)
                    input_near (&w->input, t->conn->link.recovery.sent.next_number - 1));
      world_give (w, (choice & 4) ? &other->address : &t->conn->attachment.address, &s->address,
                  packet, sizeof packet);
    }
}

static void
move (world *w,
      site  *s)
{
  uint8_t choice = input_byte (&w->input);

  s->address = world_place ((choice & 7) == 7 ? (unsigned) (s - w->sites) : s->address.host[3],
                            s->address.port + (choice & 1));
}

static void
step (world *w)
{
  uint8_t op = input_byte (&w->input);
  site *s = &w->sites[op >> 7];
  talk *t = NULL;

  switch (op & 31)
    {
    case 0 ... 8:
      t = site_pick (s);
      if (t != NULL)
        world_program_step (w, t);
      break;
    case 9 ... 15:
      world_network_step (w);
      break;
    case 16 ... 21:
      forge_into (w);
      break;
    case 22:
      stranger (w);
      break;
    case 23 ... 26:
      world_expire (w, s);
      break;
    case 27:
      w->now += input_number (&w->input) % SQX_SECOND;
      break;
    case 28:
      move (w, s);
      break;
    case 29:
      site_connect (s, &w->sites[1 - (op >> 7)].address,
                    (op & 32) ? site_key (&w->sites[1 - (op >> 7)]) : NULL);
      break;
    default:
      world_rare_step (w, s);
      break;
    }
  world_settle (w);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static world w;
  uint8_t choice;

  world_start (&w, data, size);
  choice = input_byte (&w.input);
  for (unsigned i = 0; i < SITES; i++)
    if (choice & 1)
      sqx_endpoint_set_psk (w.sites[i].endpoint, world_psk);
  site_connect (&w.sites[0], &w.sites[1].address, (choice & 2) ? site_key (&w.sites[1]) : NULL);
  for (unsigned i = 0; i < 8; i++)
    {
      world_settle (&w);
      for (unsigned left = w.n_flights; left > 0; left--)
        world_deliver (&w, 0);
    }
  /* Else nothing of what follows would say anything. */
  REQUIRE (size > 0 || sqx_conn_state (w.sites[1].talks[0].conn) == SQX_STATE_CONNECTED);
  for (unsigned i = 0; i < SITES; i++)
    if ((choice & 4) && w.sites[i].talks[0].conn != NULL)
      sqx_conn_set_persistent (w.sites[i].talks[0].conn, w.now, SQX_TIME_NEVER);
  for (unsigned i = 0; i < STEPS && w.input.size > 0; i++)
    step (&w);
  world_finish (&w);
  return 0;
}
