/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A conversation of two connections over a network that loses and delays: every packet with the
 * time of its arrival, and what the programs got.
 */
#include "gen-vectors.h"

#include <string.h>

#include "../core/pair.h"
#include "vector-json.h"

typedef struct
{
  GRand  *rand;
  guint64 start;
  guint   started[2];
  guint   limit;       /* messages that each side starts */
  guint   answered[2]; /* replies that were looked at */
} Talk;

static void
json_arrival (GString *json,
              guint64  time)
{
  g_string_append_printf (json, "%s%" G_GUINT64_FORMAT, json->str[json->len - 1] == '[' ? "" : ", ",
                          time);
}

/* Prints the packet, and decides whether and when it arrives. */
static gboolean
filter (Pair       *pair,
        PairPacket *packet,
        gpointer    data)
{
  Talk *talk = data;
  GString *json = line_begin ("packet");
  gboolean arrives = g_rand_int_range (talk->rand, 0, 100) >= 15;

  packet->at += (guint64) g_rand_int_range (talk->rand, 0, 30000);
  json_number (json, "from", packet->from);
  json_number (json, "time", pair->now);
  g_string_append (json, ", \"arrivals\": [");
  if (arrives)
    json_arrival (json, packet->at);
  g_string_append_c (json, ']');
  json_packet (json, packet->data, packet->size);
  line_end (json);
  return arrives;
}

static void
start_one (Pair *pair,
           guint side)
{
  Talk *talk = pair->side[side].data;
  guint flags = (g_rand_boolean (talk->rand) ? SQX_MESSAGE_ORDERED : 0) |
                (g_rand_int_range (talk->rand, 0, 4) == 0 ? SQX_MESSAGE_FINAL : 0);
  gint most = pair->now > talk->start && g_rand_int_range (talk->rand, 0, 10) == 0 ? 30000 : 300;
  gsize size = (gsize) g_rand_int_range (talk->rand, 0, most);
  guint tag = pair_send_size (pair, side, (guint) g_rand_int_range (talk->rand, 0, 3), size, flags);

  talk->started[side]++;
  if (g_rand_int_range (talk->rand, 0, 12) == 0)
    pair_cancel (pair, side, tag);
}

/* The program: mostly answers at once, by a reply or an end; sometimes starts something more. */
static void
answer (Pair              *pair,
        guint              side,
        const PairMessage *message)
{
  Talk *talk = pair->side[side].data;
  guint flags = (g_rand_boolean (talk->rand) ? SQX_MESSAGE_ORDERED : 0) |
                (g_rand_int_range (talk->rand, 0, 3) > 0 ? SQX_MESSAGE_FINAL : 0);

  if (talk->started[side] < talk->limit && g_rand_boolean (talk->rand))
    start_one (pair, side);
  if (message->flags & SQX_MESSAGE_FINAL)
    return;
  if (g_rand_int_range (talk->rand, 0, 3) == 0)
    pair_end (pair, side, message, (sqx_end_reason) g_rand_int_range (talk->rand, 0, 3));
  else
    pair_reply_size (pair, side, message, (gsize) g_rand_int_range (talk->rand, 0, 2000), flags);
}

/* Replies come without a call of the handler. FALSE: there was none. */
static gboolean
answer_replies (Pair *pair)
{
  gboolean any = FALSE;

  for (guint side = 0; side < 2; side++)
    {
      Talk *talk = pair->side[side].data;
      GPtrArray *replies = pair->side[side].replies;

      for (; talk->answered[side] < replies->len; any = TRUE)
        answer (pair, side, g_ptr_array_index (replies, talk->answered[side]++));
    }
  return any;
}

static void
print_messages (guint      side,
                GPtrArray *messages)
{
  for (guint i = 0; i < messages->len; i++)
    {
      const PairMessage *message = g_ptr_array_index (messages, i);
      GString *json = line_begin ("delivered");
      gsize size;
      const uint8_t *data = g_bytes_get_data (message->payload, &size);

      json_number (json, "to", side);
      json_number (json, "channel", message->id.channel);
      json_number (json, "number", message->id.number);
      json_bool (json, "ordered", (message->flags & SQX_MESSAGE_ORDERED) != 0);
      json_bool (json, "final", (message->flags & SQX_MESSAGE_FINAL) != 0);
      json_bool (json, "reply", (message->flags & SQX_MESSAGE_REPLY) != 0);
      json_hex (json, "data", data, size);
      line_end (json);
    }
}

void
generate_exchange (guint64 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) seed);
  Talk talk = { .rand = rand, .limit = 40 };
  sqx_config a, b;
  Pair *pair;

  pair_config (&a, PAIR_A);
  pair_config (&b, PAIR_B);
  a.max_message_size = b.max_message_size = 32768;
  a.byte_window = a.byte_window_max = 2 * (a.max_message_size + SQX_MESSAGE_OVERHEAD);
  b.exchange_credit = 5;
  a.first_packet_number = 0xffffffe0;

  pair = pair_new (&a, &b);
  talk.start = pair->now;
  pair->filter = filter;
  pair->filter_data = &talk;
  for (guint side = 0; side < 2; side++)
    {
      pair->side[side].data = &talk;
      pair->side[side].handler = answer;
      /* More than may begin before the peer is known. */
      for (guint i = 0; i < 20; i++)
        start_one (pair, side);
    }
  while (talk.started[0] < talk.limit || talk.started[1] < talk.limit)
    {
      pair_drive_for (pair, (guint64) g_rand_int_range (rand, 1000, 200000));
      for (guint side = 0; side < 2; side++)
        if (talk.started[side] < talk.limit)
          start_one (pair, side);
      answer_replies (pair);
    }
  do
    pair_drive (pair);
  while (answer_replies (pair));

  sqx_conn_send_datagram (pair->side[0].conn, pair->now,
                          &(sqx_payload) { .data = (const uint8_t *) "datagram", .size = 8 });
  pair_drive (pair);
  sqx_conn_close (pair->side[1].conn, pair->now, 77, "enough");
  pair_drive (pair);

  for (guint side = 0; side < 2; side++)
    {
      print_messages (side, pair->side[side].taken);
      print_messages (side, pair->side[side].replies);
    }
  pair_free (pair);
}
