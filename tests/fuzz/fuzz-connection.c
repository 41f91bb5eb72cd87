/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two connections, a network and a hostile hand between them, all driven by the input: each byte
 * is an operation, those after it are its arguments. The clock is virtual.
 *
 * Whatever the input says, nothing may crash, leak or be told twice; memory stays bounded; and a
 * timeout leads to a packet or to a later deadline.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sqx-hello.h"
#include "sqx-wire.h"
#include "sqx.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define REQUIRE(condition) do { if (!(condition)) abort (); } while (0)

#define PACKETS 48
#define SENDS 256
#define TAKEN 64
#define STEPS 4096

typedef struct
{
  uint8_t data[1500];
  size_t  size;
} packet;

/* What the program of one side knows of a message that it sent. */
typedef struct
{
  sqx_outgoing *handle;  /* NULL: told, or given up */
  bool          used;
} sent;

typedef struct
{
  sqx_conn      *conn;
  packet         packets[PACKETS]; /* on their way to the other side */
  unsigned       n_packets;
  sent           sends[SENDS];
  unsigned       n_sends;
  sqx_message_id taken[TAKEN];
  unsigned       n_taken;
  sqx_plain_header last; /* of the newest packet sent */
  bool           closed; /* EVENT_CLOSED came */
} side;

typedef struct
{
  const uint8_t *data;
  size_t         size;
  side           sides[2];
  uint64_t       now;
  uint32_t       random;
  unsigned       refs;   /* payloads that the core holds */
} world;

static uint8_t payload_bytes[40000];

static uint8_t
next (world *w)
{
  if (w->size == 0)
    return 0;
  w->size--;
  return *w->data++;
}

static uint64_t
next_number (world *w)
{
  uint8_t width = next (w) & 7;
  uint64_t value = 0;

  for (unsigned i = 0; i <= width; i++)
    value = value << 8 | next (w);
  /* Below what any frame can carry, even as one more than the number. */
  return value % (SQX_VARINT_MAX - 100);
}

static void
fill_random (void    *user_data,
             uint8_t *bytes,
             size_t   size)
{
  world *w = user_data;

  for (size_t i = 0; i < size; i++)
    {
      w->random = w->random * 1664525u + 1013904223u;
      bytes[i] = (uint8_t) (w->random >> 24);
    }
}

static void
payload_ref (void *owner)
{
  (*(unsigned *) owner)++;
}

static void
payload_unref (void *owner)
{
  REQUIRE (*(unsigned *) owner > 0);
  (*(unsigned *) owner)--;
}

static void
start (world *w,
       side  *s)
{
  sqx_config config;

  memset (s, 0, sizeof *s);
  sqx_config_init (&config);
  config.random = fill_random;
  config.user_data = w;
  config.payload_ref = payload_ref;
  config.payload_unref = payload_unref;
  config.max_message_size = SQX_MESSAGE_MAX_MIN + 16000;
  config.byte_window = config.byte_window_max = 2 * (config.max_message_size + SQX_MESSAGE_OVERHEAD);
  config.exchange_credit = 1 + next (w) % 40;
  config.max_channels = SQX_CHANNELS_MIN + 4;
  config.first_packet_number = (next (w) & 1) ? UINT32_MAX - 20 : 0;
  config.queue_limit = 200000;
  s->conn = sqx_conn_new (&config, w->now);
  REQUIRE (s->conn != NULL);
}

/* The network -------------------------------------------------------------------------- */

static void
transmit (world *w,
          side  *s)
{
  uint8_t buffer[1500];
  size_t size;

  for (unsigned i = 0; i < PACKETS; i++)
    {
      size = sqx_conn_poll_transmit (s->conn, w->now, buffer, sizeof buffer);
      if (size == 0)
        return;
      REQUIRE (size <= SQX_DATAGRAM_DEFAULT);
      REQUIRE (sqx_decode_plain (buffer, size, &s->last));
      if (s->n_packets < PACKETS)
        {
          packet *p = &s->packets[s->n_packets++];

          memcpy (p->data, buffer, size);
          p->size = size;
        }
    }
}

static void
give (world         *w,
      side          *to,
      const uint8_t *data,
      size_t         size)
{
  sqx_conn_handle_datagram (to->conn, w->now, data, size);
}

static void
drop (side    *from,
      unsigned i)
{
  from->packets[i] = from->packets[--from->n_packets];
}

/* The program -------------------------------------------------------------------------- */

static void
told (side *s,
      void *tag)
{
  sent *message = tag;

  (void) s;
  REQUIRE (message->used && message->handle != NULL);
  message->handle = NULL;
}

static void
keep_taken (side              *s,
            const sqx_message *message)
{
  free (message->data);
  if (!(message->flags & SQX_MESSAGE_FINAL) && s->n_taken < TAKEN)
    s->taken[s->n_taken++] = message->id;
}

static void
fetch_events (side *s)
{
  sqx_event event;

  while (sqx_conn_poll_event (s->conn, &event))
    switch (event.type)
      {
      case SQX_EVENT_REPLY:
        told (s, event.tag);
        keep_taken (s, &event.message);
        break;
      case SQX_EVENT_END:
      case SQX_EVENT_FAILED:
        told (s, event.tag);
        break;
      case SQX_EVENT_DATAGRAM:
        free (event.message.data);
        break;
      case SQX_EVENT_CLOSED:
        REQUIRE (!s->closed);
        s->closed = true;
        break;
      case SQX_EVENT_CONNECTED:
      case SQX_EVENT_MESSAGE:
      case SQX_EVENT_CANCELLED:
      case SQX_EVENT_WRITABLE:
      case SQX_EVENT_RESTARTED:
        break;
      }
}

static sent *
new_send (side *s)
{
  for (unsigned i = 0; i < SENDS; i++)
    if (s->sends[i].handle == NULL)
      {
        s->sends[i].used = true;
        return &s->sends[i];
      }
  return NULL;
}

static void
submit (world                *w,
        side                 *s,
        const sqx_message_id *id)
{
  static const size_t sizes[] = { 0, 1, 64, 900, 1150, 1300, 5000, 32384 };
  uint8_t choice = next (w);
  sqx_payload payload = { payload_bytes, sizes[choice & 7], &w->refs };
  uint32_t flags = (choice & 8 ? SQX_MESSAGE_ORDERED : 0) | (choice & 16 ? SQX_MESSAGE_FINAL : 0);
  sent *message = new_send (s);
  sqx_outgoing *handle = NULL;
  sqx_result result;

  if (message == NULL)
    return;
  result = id ? sqx_conn_reply (s->conn, w->now, id, &payload, flags, message, &handle)
              : sqx_conn_send (s->conn, w->now, next (w) % 22, &payload, flags, message, &handle);
  REQUIRE ((result == SQX_OK) == (handle != NULL));
  message->handle = handle;
}

static void
answer (world *w,
        side  *s,
        bool   reply)
{
  unsigned i;
  sqx_message_id id;

  if (s->n_taken == 0)
    return;
  i = next (w) % s->n_taken;
  id = s->taken[i];
  s->taken[i] = s->taken[--s->n_taken];
  if (reply)
    submit (w, s, &id);
  else
    sqx_conn_end (s->conn, w->now, &id, (sqx_end_reason) (next (w) % SQX_N_END_REASONS));
}

static void
receive (world *w,
         side  *s)
{
  sqx_message message;

  if (sqx_conn_receive (s->conn, w->now, next (w) % 20, &message))
    keep_taken (s, &message);
}

static void
cancel (world *w,
        side  *s)
{
  sent *message = &s->sends[next (w)];

  fetch_events (s);
  if (message->handle != NULL)
    {
      sqx_conn_cancel (s->conn, w->now, message->handle);
      message->handle = NULL;
    }
}

static void
set (world *w,
     side  *s)
{
  uint8_t what = next (w), channel = next (w) % 22;

  if ((what & 7) == 0)
    sqx_conn_set_accepts_messages (s->conn, w->now, (what & 8) != 0);
  else if ((what & 7) == 1)
    sqx_conn_set_serialized (s->conn, channel, (what & 8) != 0);
  else if ((what & 7) == 2)
    sqx_conn_set_priority (s->conn, channel, what >> 4);
  else if ((what & 7) == 3)
    sqx_conn_open_channel (s->conn, channel);
  else if ((what & 7) == 4)
    sqx_conn_set_keepalive (s->conn, w->now, SQX_SECOND, (what & 8) != 0);
  else if ((what & 7) == 5 && s->n_taken > 0)
    sqx_conn_release (s->conn, &s->taken[what % s->n_taken]);
  else if ((what & 7) == 6)
    sqx_conn_set_queue_limit (s->conn, what * 1000u);
  else
    sqx_conn_handle_unreachable (s->conn, w->now);
}

static void
send_datagram (world *w,
               side  *s)
{
  sqx_payload payload = { payload_bytes, next (w) * 5u, &w->refs };

  sqx_conn_send_datagram (s->conn, w->now, &payload);
}

static void
restart (world *w,
         side  *s)
{
  sqx_conn_free (s->conn);
  start (w, s);
}

/* The hostile hand --------------------------------------------------------------------- */

/* A packet as @from would send it next, with frames from the input. */
static void
forge (world *w,
       side  *from,
       side  *to)
{
  uint8_t buffer[1200];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_plain_header header = from->last;
  uint8_t kind = next (w);
  uint64_t number = next_number (w), a = next_number (w), b = next_number (w);
  sqx_end_writer end;
  uint64_t written;

  if (header.source_epoch == 0)
    return;
  header.destination_epoch = to->last.source_epoch;
  header.number += 1 + (kind >> 4);
  from->last.number = header.number;
  sqx_write_plain (&writer, &header);
  switch (kind & 7)
    {
    case 0:
      sqx_write_cancel (&writer, a % 42, number, b, (kind & 8) != 0, a);
      break;
    case 1:
      if (sqx_end_writer_begin (&end, &writer, a % 42, kind & 3))
        {
          sqx_end_writer_run (&end, &writer, number, 1 + b % (SQX_VARINT_MAX - number + 1));
          sqx_end_writer_finish (&end, &writer);
        }
      break;
    case 2:
      sqx_write_credit (&writer, a, b);
      break;
    case 3:
      number %= SQX_VARINT_MAX - 64;
      sqx_write_ack (&writer, &(sqx_range) { number, number + 1 + a % 64 }, 1, b);
      break;
    case 4:
    case 5:
      {
        sqx_message_header message = {
          .channel = (a % 20) * 2, .number = number, .flags = kind & 0x13, .reply_to = b % 64,
          .total = 1 + b % 32000, .offset = a % (1 + b % 32000),
        };

        message.size = message.total - message.offset < 600 ? message.total - message.offset : 600;
        if (message.size > 0)
          sqx_write_message (&writer, &message, payload_bytes, &written);
        break;
      }
    default:
      while (writer.size < 200 && w->size > 0 && next (w) != 0)
        buffer[writer.size++] = next (w);
      break;
    }
  give (w, to, buffer, writer.size);
}

static void
tamper (world *w,
        side  *from,
        side  *to)
{
  packet *p;

  if (from->n_packets == 0)
    return;
  p = &from->packets[next (w) % from->n_packets];
  p->data[next_number (w) % p->size] ^= next (w);
  if (next (w) & 1)
    p->size = 1 + next_number (w) % p->size;
  give (w, to, p->data, p->size);
}

/* Time --------------------------------------------------------------------------------- */

static void
expire (world *w,
        side  *s)
{
  uint64_t at = sqx_conn_next_timeout (s->conn);
  unsigned before = s->n_packets;

  if (at == SQX_TIME_NEVER)
    return;
  if (at > w->now)
    w->now = at;
  sqx_conn_handle_timeout (s->conn, w->now);
  s->n_packets = before < PACKETS ? before : before - 1;
  before = s->n_packets;
  transmit (w, s);
  REQUIRE (s->n_packets > before || sqx_conn_next_timeout (s->conn) > w->now);
}

static void
check (side *s)
{
  REQUIRE (sqx_conn_received_bytes_held (s->conn) <= 2 * (SQX_MESSAGE_MAX_MIN + 16000 + 64));
}

static void
step (world *w)
{
  uint8_t op = next (w);
  side *s = &w->sides[op >> 7], *other = &w->sides[1 - (op >> 7)];

  switch (op & 31)
    {
    case 0: case 1: case 2:
      submit (w, s, NULL);
      break;
    case 3: case 4:
      receive (w, s);
      break;
    case 5: case 6:
      answer (w, s, true);
      break;
    case 7:
      answer (w, s, false);
      break;
    case 8:
      cancel (w, s);
      break;
    case 9: case 10: case 11: case 12:
      if (s->n_packets > 0)
        {
          unsigned i = (op & 96) ? 0 : next (w) % s->n_packets;

          give (w, other, s->packets[i].data, s->packets[i].size);
          drop (s, i);
        }
      break;
    case 13:
      if (s->n_packets > 0)
        drop (s, next (w) % s->n_packets);
      break;
    case 14:
      if (s->n_packets > 0)
        {
          packet copy = s->packets[next (w) % s->n_packets];

          give (w, other, copy.data, copy.size);
        }
      break;
    case 15:
      tamper (w, s, other);
      break;
    case 16: case 17: case 18: case 19:
      forge (w, s, other);
      break;
    case 20: case 21:
      expire (w, s);
      break;
    case 22:
      w->now += next_number (w) % SQX_SECOND;
      break;
    case 23:
      set (w, s);
      break;
    case 24:
      send_datagram (w, s);
      break;
    case 25:
      if ((next (w) & 7) == 0)
        sqx_conn_close (s->conn, w->now, next (w), "closed by the input");
      break;
    case 26:
      if ((next (w) & 15) == 0)
        sqx_conn_abort (s->conn, w->now, next_number (w), NULL);
      break;
    case 27:
      if ((next (w) & 15) == 0)
        restart (w, s);
      break;
    default:
      for (unsigned i = 0; i < 8 && s->n_packets > 0; i++)
        {
          give (w, other, s->packets[0].data, s->packets[0].size);
          memmove (s->packets, s->packets + 1, --s->n_packets * sizeof *s->packets);
        }
      break;
    }
  transmit (w, s);
  fetch_events (s);
  transmit (w, other);
  fetch_events (other);
  check (s);
  check (other);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  static world w;

  memset (&w, 0, sizeof w);
  w.data = data;
  w.size = size;
  w.now = SQX_SECOND;
  w.random = (uint32_t) size;
  start (&w, &w.sides[0]);
  start (&w, &w.sides[1]);
  for (unsigned i = 0; i < STEPS && w.size > 0; i++)
    step (&w);
  sqx_conn_free (w.sides[0].conn);
  sqx_conn_free (w.sides[1].conn);
  REQUIRE (w.refs == 0);
  return 0;
}
