/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "sqx-util.h"

/* More packets at one instant than any test sends are a storm. */
#define FLUSH_LIMIT 200000u
#define QUIET_SPAN  (5 * SQX_SECOND)

/* Small things ------------------------------------------------------------------------ */

static void
message_free (gpointer data)
{
  PairMessage *message = data;

  g_bytes_unref (message->payload);
  g_free (message);
}

static void
packet_free (gpointer data)
{
  PairPacket *packet = data;

  g_free (packet->data);
  g_free (packet);
}

static void
wait_free (gpointer data)
{
  PairWait *wait = data;

  g_assert_cmpint (wait->refs, ==, 0);
  g_bytes_unref (wait->payload);
  g_free (wait);
}

static PairPacket *
packet_copy (const PairPacket *packet)
{
  PairPacket *copy = g_memdup2 (packet, sizeof *packet);

  copy->data = g_memdup2 (packet->data, packet->size);
  return copy;
}

/* xorshift64*: the same numbers on every machine. */
static void
random_cb (void *user_data, uint8_t *bytes, size_t size)
{
  PairSide *side = user_data;

  for (size_t i = 0; i < size; i++)
    {
      side->random ^= side->random >> 12;
      side->random ^= side->random << 25;
      side->random ^= side->random >> 27;
      bytes[i] = (uint8_t) ((side->random * UINT64_C (2685821657736338717)) >> 56);
    }
}

static void
payload_ref_cb (void *owner)
{
  PairWait *wait = owner;

  wait->refs++;
}

static void
payload_unref_cb (void *owner)
{
  PairWait *wait = owner;

  g_assert_cmpint (wait->refs, >, 0);
  wait->refs--;
}

/* Setting up -------------------------------------------------------------------------- */

void
pair_config (sqx_config *config, guint side)
{
  sqx_config_init (config);
  config->epoch = side == PAIR_A ? PAIR_EPOCH_A : PAIR_EPOCH_B;
  config->instance = 7;
  config->first_packet_number = side == PAIR_A ? 1000 : 2000;
  config->random = random_cb;
  config->payload_ref = payload_ref_cb;
  config->payload_unref = payload_unref_cb;
}

static void
side_open (PairSide *side)
{
  side->conn = sqx_conn_new (&side->config, side->pair->now);
  g_assert_nonnull (side->conn);
}

static Pair *
pair_alloc (void)
{
  Pair *pair = g_new0 (Pair, 1);

  pair->now = SQX_SECOND;
  pair->wire = g_ptr_array_new ();
  pair->held = g_ptr_array_new ();
  pair->recorded = g_ptr_array_new_with_free_func (packet_free);
  for (guint i = 0; i < 2; i++)
    {
      PairSide *side = &pair->side[i];

      side->pair = pair;
      side->index = i;
      side->random = UINT64_C (0x9e3779b97f4a7c15) + i;
      side->waits = g_ptr_array_new_with_free_func (wait_free);
      side->taken = g_ptr_array_new_with_free_func (message_free);
      side->replies = g_ptr_array_new_with_free_func (message_free);
      side->events = g_array_new (FALSE, TRUE, sizeof (PairEvent));
    }
  return pair;
}

static void
side_configure (PairSide *side, const sqx_config *config)
{
  if (config)
    side->config = *config;
  else
    pair_config (&side->config, side->index);
  if (side->config.user_data == NULL)
    side->config.user_data = side;
}

Pair *
pair_new (const sqx_config *a, const sqx_config *b)
{
  Pair *pair = pair_alloc ();

  for (guint i = 0; i < 2; i++)
    {
      pair->latency[i] = 10 * SQX_MILLISECOND;
      side_configure (&pair->side[i], i == PAIR_A ? a : b);
      side_open (&pair->side[i]);
    }
  fake_init (pair);
  return pair;
}

Pair *
pair_new_fake (const sqx_config *a)
{
  Pair *pair = pair_alloc ();

  side_configure (&pair->side[PAIR_A], a);
  side_open (&pair->side[PAIR_A]);
  fake_init (pair);
  return pair;
}

static void
side_close (PairSide *side)
{
  sqx_conn_free (side->conn);
  side->conn = NULL;
  for (guint i = 0; i < side->waits->len; i++)
    {
      PairWait *wait = g_ptr_array_index (side->waits, i);

      g_assert_cmpint (wait->refs, ==, 0);
      if (wait->state == PAIR_PENDING)
        wait->state = PAIR_GONE;
      wait->handle = NULL;
    }
}

void
pair_free (Pair *pair)
{
  for (guint i = 0; i < 2; i++)
    {
      PairSide *side = &pair->side[i];

      side_close (side);
      g_ptr_array_unref (side->waits);
      g_ptr_array_unref (side->taken);
      g_ptr_array_unref (side->replies);
      for (guint j = 0; j < side->events->len; j++)
        g_clear_pointer (&g_array_index (side->events, PairEvent, j).payload, g_bytes_unref);
      g_array_unref (side->events);
    }
  g_ptr_array_set_free_func (pair->wire, packet_free);
  g_ptr_array_set_free_func (pair->held, packet_free);
  g_ptr_array_unref (pair->wire);
  g_ptr_array_unref (pair->held);
  g_ptr_array_unref (pair->recorded);
  fake_clear (pair);
  g_free (pair);
}

void
pair_connect (Pair *pair)
{
  guint a = pair_send (pair, PAIR_A, "hello", SQX_MESSAGE_FINAL);
  guint b = pair_send (pair, PAIR_B, "hello", SQX_MESSAGE_FINAL);

  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, a, SQX_END_ENDED);
  pair_assert_ended (pair, PAIR_B, b, SQX_END_ENDED);
  g_ptr_array_set_size (pair->side[PAIR_A].taken, 0);
  g_ptr_array_set_size (pair->side[PAIR_B].taken, 0);
}

void
pair_restart (Pair *pair, guint side)
{
  PairSide *self = &pair->side[side];

  side_close (self);
  self->config.epoch += 0x100;
  self->config.first_packet_number += 5000;
  self->closed = FALSE;
  side_open (self);
}

/* The network ------------------------------------------------------------------------- */

static void
wire_insert (Pair *pair, PairPacket *packet)
{
  guint at = pair->wire->len;

  packet->id = pair->next_id++;
  while (at > 0)
    {
      const PairPacket *before = g_ptr_array_index (pair->wire, at - 1);

      if (before->at <= packet->at)
        break;
      at--;
    }
  g_ptr_array_insert (pair->wire, (gint) at, packet);
}

static void
wire_send (Pair *pair, PairPacket *packet)
{
  guint from = packet->from;

  packet->at = pair->now + pair->latency[from];
  if (pair->record)
    g_ptr_array_add (pair->recorded, packet_copy (packet));
  if (pair->block[from] || (packet->mask & pair->drop_mask[from]) != 0)
    packet_free (packet);
  else if (pair->drop_next[from] > 0)
    {
      pair->drop_next[from]--;
      packet_free (packet);
    }
  else if (pair->filter && !pair->filter (pair, packet, pair->filter_data))
    packet_free (packet);
  else if (pair->hold[from])
    g_ptr_array_add (pair->held, packet);
  else
    {
      for (guint i = 0; i < pair->duplicate[from]; i++)
        wire_insert (pair, packet_copy (packet));
      wire_insert (pair, packet);
    }
}

void
pair_release_nth (Pair *pair, guint from, guint nth)
{
  for (guint i = 0; i < pair->held->len; i++)
    {
      PairPacket *packet = g_ptr_array_index (pair->held, i);

      if (packet->from != from || nth-- != 0)
        continue;
      g_ptr_array_remove_index (pair->held, i);
      packet->at = pair->now + pair->latency[from];
      wire_insert (pair, packet);
      return;
    }
  g_assert_not_reached ();
}

void
pair_release (Pair *pair, guint from, gboolean reversed)
{
  for (guint n = pair_n_held (pair, from); n > 0; n--)
    pair_release_nth (pair, from, reversed ? n - 1 : 0);
}

guint
pair_n_held (const Pair *pair, guint from)
{
  guint n = 0;

  for (guint i = 0; i < pair->held->len; i++)
    n += ((const PairPacket *) g_ptr_array_index (pair->held, i))->from == from;
  return n;
}

void
pair_inject (Pair *pair, guint to, const uint8_t *data, size_t size)
{
  /* An exact copy, so that a sanitizer sees every byte read past the end. */
  uint8_t *copy = g_memdup2 (data, size);

  if (pair->side[to].conn)
    sqx_conn_handle_datagram (pair->side[to].conn, pair->now, copy, size);
  else
    fake_receive (pair, copy, size);
  g_free (copy);
}

gboolean
pair_decode (const uint8_t *data, size_t size, sqx_plain_header *header, GArray *frames)
{
  sqx_reader reader = { data + SQX_PLAIN_HEADER, data + size };

  if (!sqx_decode_plain (data, size, header))
    return FALSE;
  while (reader.at < reader.end)
    {
      sqx_frame frame;

      if (!sqx_decode_frame (&reader, &frame))
        return FALSE;
      g_array_append_val (frames, frame);
    }
  return TRUE;
}

/* Looks at what a side sends: it must decode, and fit. */
static void
side_sent (PairSide *side, const uint8_t *data, size_t size)
{
  Pair *pair = side->pair;
  GArray *frames = g_array_new (FALSE, FALSE, sizeof (sqx_frame));
  sqx_plain_header header;
  PairPacket *packet;

  g_assert_cmpuint (size, <=, side->config.max_datagram_size);
  g_assert_true (pair_decode (data, size, &header, frames));
  g_assert_cmpuint (header.source_epoch, !=, 0);
  g_assert_cmpuint (frames->len, >, 0);

  packet = g_new0 (PairPacket, 1);
  packet->from = side->index;
  packet->nth = pair->sent[side->index]++;
  packet->data = g_memdup2 (data, size);
  packet->size = size;
  for (guint i = 0; i < frames->len; i++)
    {
      uint32_t type = g_array_index (frames, sqx_frame, i).type;

      pair->frames[side->index][type]++;
      packet->mask |= PAIR_BIT (type);
    }
  g_array_unref (frames);
  wire_send (pair, packet);
}

/* Events ------------------------------------------------------------------------------ */

static PairMessage *
message_new (Pair *pair, const sqx_message *message)
{
  PairMessage *copy = g_new0 (PairMessage, 1);

  g_assert_true ((message->size == 0) == (message->data == NULL));
  copy->time = pair->now;
  copy->id = message->id;
  copy->flags = message->flags;
  copy->payload = g_bytes_new (message->data, message->size);
  free (message->data);
  return copy;
}

static PairWait *
side_wait (PairSide *side, void *tag)
{
  guint n = GPOINTER_TO_UINT (tag);

  g_assert_cmpuint (n, >=, 1);
  g_assert_cmpuint (n, <=, side->waits->len);
  return g_ptr_array_index (side->waits, n - 1);
}

static void
side_outcome (PairSide *side, const sqx_event *event)
{
  PairWait *wait = side_wait (side, event->tag);

  /* Exactly one outcome, and none after a cancel. */
  g_assert_cmpint (wait->state, ==, PAIR_PENDING);
  wait->time = side->pair->now;
  wait->handle = NULL;
  if (event->type == SQX_EVENT_REPLY)
    {
      g_assert_true (event->message.flags & SQX_MESSAGE_REPLY);
      wait->state = PAIR_REPLIED;
      wait->reply = message_new (side->pair, &event->message);
      g_ptr_array_add (side->replies, wait->reply);
    }
  else if (event->type == SQX_EVENT_END)
    {
      g_assert_cmpuint (event->reason, <, SQX_N_END_REASONS);
      wait->state = PAIR_ENDED;
      wait->reason = event->reason;
    }
  else
    {
      g_assert_cmpint (event->error, !=, SQX_OK);
      wait->state = PAIR_FAILED;
      wait->error = event->error;
    }
}

static void
side_event (PairSide *side, const sqx_event *event)
{
  PairEvent copy = { side->pair->now, *event, NULL };

  g_assert_false (side->closed);
  switch (event->type)
    {
    case SQX_EVENT_REPLY:
    case SQX_EVENT_END:
    case SQX_EVENT_FAILED:
      side_outcome (side, event);
      return;

    case SQX_EVENT_DATAGRAM:
      copy.payload = g_bytes_new (event->message.data, event->message.size);
      free (event->message.data);
      break;

    case SQX_EVENT_CLOSED:
      side->closed = TRUE;
      side->closing = copy;
      g_assert_true (g_utf8_validate (event->reason_text, -1, NULL));
      break;

    case SQX_EVENT_MESSAGE:
      if (!side->hold_taking)
        pair_take_all (side->pair, side->index, event->channel);
      break;

    case SQX_EVENT_STREAM:
      if (event->opened && side->streams != NULL)
        g_ptr_array_add (side->streams, event->stream);
      else if (event->opened)
        sqx_stream_release (side->conn, side->pair->now, event->stream);
      break;

    case SQX_EVENT_CONNECTED:
    case SQX_EVENT_CANCELLED:
    case SQX_EVENT_WRITABLE:
    case SQX_EVENT_RESTARTED:
    case SQX_EVENT_AUTHORIZE:
    case SQX_EVENT_RECONNECTING:
    case SQX_EVENT_MOVED:
      break;
    }
  g_array_append_val (side->events, copy);
}

/* Driving ----------------------------------------------------------------------------- */

static gboolean
side_timeout (PairSide *side)
{
  uint64_t now = side->pair->now;

  if (sqx_conn_next_timeout (side->conn) > now)
    return FALSE;
  sqx_conn_handle_timeout (side->conn, now);
  return TRUE;
}

static gboolean
side_transmit (PairSide *side)
{
  static uint8_t buffer[SQX_DATAGRAM_MAX];
  size_t size;
  gboolean any = FALSE;

  while ((size = sqx_conn_poll_transmit (side->conn, side->pair->now, buffer, sizeof buffer)) > 0)
    {
      any = TRUE;
      side_sent (side, buffer, size);
    }
  return any;
}

static gboolean
side_poll (PairSide *side)
{
  sqx_event event;
  gboolean any = FALSE;

  while (!side->hold_events && sqx_conn_poll_event (side->conn, &event))
    {
      any = TRUE;
      side_event (side, &event);
    }
  return any;
}

static gboolean
side_pump (PairSide *side)
{
  gboolean timed, sent, polled;

  if (!side->conn)
    return FALSE;
  timed = side_timeout (side);
  sent = side_transmit (side);
  polled = side_poll (side);
  /* A timer that expired has done something, or has moved: otherwise a driver would spin. */
  if (!sent && !polled)
    g_assert_cmpuint (sqx_conn_next_timeout (side->conn), >, side->pair->now);
  return timed || sent || polled;
}

static gboolean
wire_deliver (Pair *pair)
{
  PairPacket *packet;

  if (pair->wire->len == 0)
    return FALSE;
  packet = g_ptr_array_index (pair->wire, 0);
  if (packet->at > pair->now)
    return FALSE;
  g_ptr_array_remove_index (pair->wire, 0);
  pair_inject (pair, !packet->from, packet->data, packet->size);
  packet_free (packet);
  return TRUE;
}

void
pair_flush (Pair *pair)
{
  for (guint n = 0;; n++)
    {
      gboolean any = FALSE;

      g_assert_cmpuint (n, <, FLUSH_LIMIT);
      while (wire_deliver (pair))
        any = TRUE;
      for (guint i = 0; i < 2; i++)
        any |= side_pump (&pair->side[i]);
      if (!any)
        return;
    }
}

uint64_t
pair_next (const Pair *pair)
{
  uint64_t next = SQX_TIME_NEVER;

  if (pair->wire->len > 0)
    next = ((const PairPacket *) g_ptr_array_index (pair->wire, 0))->at;
  for (guint i = 0; i < 2; i++)
    if (pair->side[i].conn)
      next = MIN (next, sqx_conn_next_timeout (pair->side[i].conn));
  return next;
}

gboolean
pair_step (Pair *pair)
{
  uint64_t next;

  pair_flush (pair);
  next = pair_next (pair);
  if (next == SQX_TIME_NEVER)
    return FALSE;
  g_assert_cmpuint (next, >, pair->now);
  pair->now = next;
  pair_flush (pair);
  return TRUE;
}

void
pair_drive (Pair *pair)
{
  pair_flush (pair);
  while (pair->wire->len > 0 || pair_next (pair) <= pair->now + QUIET_SPAN)
    pair_step (pair);
}

void
pair_drive_for (Pair *pair, uint64_t span)
{
  uint64_t end = pair->now + span;

  pair_flush (pair);
  while (pair_next (pair) <= end)
    pair_step (pair);
  pair->now = end;
  pair_flush (pair);
}
