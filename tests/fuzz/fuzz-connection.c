/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two connections, a network, memory that runs short, and a hostile hand between them, all driven
 * by the input: each byte is an operation, those after it are its arguments. The clock is virtual.
 *
 * Whatever the input says: nothing crashes or leaks, no outcome is told twice and no message
 * delivered twice, no event is missing that a program waits for, memory stays bounded, the
 * session's counts agree, a timeout leads to a packet or to a later deadline, and a peer that
 * fell silent leaves no deadline for ever. While nothing was forged, every wait ends once the
 * network works, every payload arrives unchanged, and then both sides are idle without a deadline.
 */
#include "world.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define STEPS 2048

/* The hostile hand --------------------------------------------------------------------- */

/* Puts frames into a packet of @from that is on its way, before its own: so nobody is told of
 * packets that were never sent. */
static void
forge_into (world *w,
            side  *from,
            side  *to)
{
  uint8_t buffer[DATAGRAM_MAX];
  uint8_t choice = input_byte (&w->input);
  sqx_plain_header header;
  packet *p;
  size_t skip = SQX_PLAIN_HEADER;

  if (from->n_packets == 0)
    return;
  w->forged = true;
  p = &from->packets[choice % from->n_packets];
  sqx_decode_plain (p->data, p->size, &header);
  if ((choice & 0xe0) == 0xe0)
    skip = p->size;
  p->size = forge_packet (&w->input, to->conn, &header, (choice & 0x80) != 0, p->data + skip,
                          p->size - skip, buffer, sizeof buffer);
  memcpy (p->data, buffer, p->size);
  side_deliver (w, from, to, (unsigned) (p - from->packets));
}

/* A packet of somebody else, who knows the epoch or not, and whom @to may take for its peer. */
static void
forge_stranger (world *w,
                side  *to)
{
  uint8_t buffer[DATAGRAM_MAX];
  uint8_t choice = input_byte (&w->input);
  bool known = to->stranger != 0 && to->conn->plain.peer_epoch == to->stranger;
  sqx_plain_header header = { .destination_epoch = to->conn->plain.epoch };
  size_t size;

  w->forged = true;
  if (to->stranger == 0 || (choice & 15) == 15)
    {
      world_random (w, buffer, 4);
      to->stranger = sqx_get_be32 (buffer) | 1;
      to->stranger_number = (choice & 16) ? UINT32_MAX - 5 : 0;
    }
  if ((choice & 15) == 14)
    header.destination_epoch = (choice & 16) ? 0 : input_byte (&w->input);
  if ((choice & 15) == 13)
    header.instance = choice & 16;
  header.source_epoch = to->stranger;
  to->stranger_number += choice >> 5 == 7 ? (uint32_t) input_near (&w->input, 0) : 1;
  header.number = to->stranger_number;
  size = forge_packet (&w->input, to->conn, &header, !known || (choice & 15) == 12, NULL, 0, buffer,
                       sizeof buffer);
  side_give (w, to, buffer, size);
}

static void
tamper (world *w,
        side  *from,
        side  *to)
{
  packet *p;
  uint64_t at;

  if (from->n_packets == 0)
    return;
  w->forged = true;
  p = &from->packets[input_byte (&w->input) % from->n_packets];
  at = input_number (&w->input) % p->size;
  p->data[at] ^= input_byte (&w->input);
  if (input_byte (&w->input) & 1)
    p->size = 1 + input_number (&w->input) % p->size;
  side_give (w, to, p->data, p->size);
}

/* The end ------------------------------------------------------------------------------- */

static bool
is_idle (const side *s)
{
  return s->n_packets == 0 && sqx_conn_next_timeout (s->conn) == SQX_TIME_NEVER;
}

/* The network works from now on: everything comes to an end, unless something was forged, which
 * may have told a side that the other has what it never got. */
static void
finish_honestly (world *w)
{
  side *a = &w->sides[0], *b = &w->sides[1];
  unsigned rounds = 0;

  for (unsigned i = 0; i < 2; i++)
    sqx_conn_set_keepalive (w->sides[i].conn, w->now, SQX_KEEPALIVE_DEFAULT, false);
  do
    {
      side_end_everything (w, a);
      side_end_everything (w, b);
      world_settle (w);
      if (a->n_packets > 0 || b->n_packets > 0)
        {
          for (unsigned left = a->n_packets; left > 0; left--)
            side_deliver (w, a, b, 0);
          for (unsigned left = b->n_packets; left > 0; left--)
            side_deliver (w, b, a, 0);
        }
      else if (sqx_conn_next_timeout (a->conn) < sqx_conn_next_timeout (b->conn))
        side_expire (w, a);
      else
        side_expire (w, b);
      world_settle (w);
      REQUIRE (++rounds < 4000);
    }
  while (!is_idle (a) || !is_idle (b) || a->n_taken > 0 || b->n_taken > 0);
  REQUIRE (side_all_told (a) && side_all_told (b));
}

/* Nobody answers any more. */
static void
fall_silent (world *w,
             side  *s)
{
  sqx_conn_set_keepalive (s->conn, w->now, SQX_SECOND, false);
  world_settle (w);
  for (unsigned expiries = 0; sqx_conn_next_timeout (s->conn) != SQX_TIME_NEVER; expiries++)
    {
      REQUIRE (expiries < 200);
      s->n_packets = 0;
      side_expire (w, s);
      world_settle (w);
    }

  sqx_conn_abort (s->conn, w->now, SQX_CLOSE_FIRST_APPLICATION, "over");
  world_settle (w);
  REQUIRE (s->closed && side_all_told (s));
  for (unsigned expiries = 0; sqx_conn_next_timeout (s->conn) != SQX_TIME_NEVER; expiries++)
    {
      REQUIRE (expiries < 10);
      s->n_packets = 0;
      side_expire (w, s);
    }
  REQUIRE (sqx_conn_state (s->conn) == SQX_STATE_CLOSED);
}

/* Steps -------------------------------------------------------------------------------- */

static void
network_step (world  *w,
              uint8_t op,
              side   *s,
              side   *other)
{
  uint8_t i = (op & 96) ? 0 : input_byte (&w->input);

  switch (op & 31)
    {
    case 13:
      if (s->n_packets > 0)
        {
          i %= s->n_packets;
          s->packets[i] = s->packets[--s->n_packets];
        }
      break;
    case 14:
      if (s->n_packets > 0)
        {
          packet copy = s->packets[i % s->n_packets];

          side_give (w, other, copy.data, copy.size);
        }
      break;
    case 15:
      if (s->n_history > 0)
        {
          packet copy = s->history[i % SQX_MIN (s->n_history, HISTORY)];

          side_give (w, (op & 64) ? s : other, copy.data, copy.size);
        }
      break;
    case 16: case 17:
      for (unsigned left = SQX_MIN (s->n_packets, 8); left > 0; left--)
        side_deliver (w, s, other, 0);
      break;
    default:
      if (s->n_packets > 0)
        side_deliver (w, s, other, i % s->n_packets);
      break;
    }
}

static void
program_step (world  *w,
              uint8_t op,
              side   *s)
{
  switch (op & 31)
    {
    case 0: case 1: case 2:
      side_submit (w, s);
      break;
    case 3: case 4:
      side_receive (w, s, (op & 96) ? op >> 5 & 3 : input_byte (&w->input) % FORGE_CHANNELS);
      break;
    case 5: case 6:
      side_answer (w, s, true);
      break;
    case 7:
      side_answer (w, s, false);
      break;
    case 8:
      side_cancel (w, s);
      break;
    default:
      side_send_datagram (w, s);
      break;
    }
}

static void
rare_step (world *w,
           side  *s)
{
  uint8_t what = input_byte (&w->input);

  switch (what & 7)
    {
    case 0:
      sqx_conn_close (s->conn, w->now, what >> 4, (what & 8) ? "closed by the input" : NULL);
      break;
    case 1:
      sqx_conn_abort (s->conn, w->now, what >> 3, (what & 8) ? "aborted" : NULL);
      break;
    case 2: case 3:
      side_restart (w, s);
      break;
    case 4: case 5:
      side_use_stream (w, s);
      break;
    default:
      world_fail_allocations (what >> 4, what >= 0xf8 ? 200 : 1 + (what >> 3 & 1) * 3);
      break;
    }
}

static void
step (world *w)
{
  uint8_t op = input_byte (&w->input);
  side *s = &w->sides[op >> 7], *other = &w->sides[1 - (op >> 7)];

  switch (op & 31)
    {
    case 0 ... 9:
      program_step (w, op, s);
      break;
    case 10 ... 17:
      network_step (w, op, s, other);
      break;
    case 18:
      tamper (w, s, other);
      break;
    case 19: case 20: case 21:
      forge_into (w, s, other);
      break;
    case 22: case 23: case 24:
      forge_stranger (w, s);
      break;
    case 25: case 26: case 27:
      side_expire (w, s);
      break;
    case 28:
      w->now += input_number (&w->input) % SQX_SECOND;
      break;
    case 29: case 30:
      side_set (w, s);
      break;
    default:
      rare_step (w, s);
      break;
    }
  world_settle (w);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static world w;

  memset (&w, 0, sizeof w);
  if (forge_pattern[1] == 0)
    forge_init ();
  w.input = (fuzz_input) { data, size };
  w.now = SQX_SECOND;
  w.random = (uint32_t) size;
  side_start (&w, &w.sides[0]);
  side_start (&w, &w.sides[1]);
  for (unsigned i = 0; i < STEPS && w.input.size > 0; i++)
    step (&w);
  world_fail_allocations (0, 0);
  w.sides[0].deaf = w.sides[1].deaf = false;
  if (!w.forged)
    finish_honestly (&w);
  for (unsigned i = 0; i < 2; i++)
    fall_silent (&w, &w.sides[i]);
  for (unsigned i = 0; i < 2; i++)
    {
      side_drop_stream (&w, &w.sides[i]);
      sqx_conn_free (w.sides[i].conn);
    }
  REQUIRE (w.refs == 0);
  return 0;
}
