/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Programs that do whatever the interface allows, at random, on both sides of a bad network: what
 * the rules promise holds all the same. A failing seed is printed; G_TEST_MONKEY_SEED runs one.
 */
#include "pair.h"

#include <string.h>

#define CHANNELS 4u

typedef struct
{
  GRand  *rand;
  guint   loss;     /* per cent */
  guint   jitter;   /* ms */
} Monkey;

static guint
pick (Monkey *monkey, guint n)
{
  return (guint) g_rand_int_range (monkey->rand, 0, (gint32) n);
}

/* The network ------------------------------------------------------------------------- */

static gboolean
network (Pair *pair, PairPacket *packet, gpointer data)
{
  Monkey *monkey = data;

  packet->at += pick (monkey, monkey->jitter + 1) * SQX_MILLISECOND;
  if (pick (monkey, 100) < monkey->loss)
    {
      /* A copy that comes late stands for the packet and for its duplicate. */
      if (pick (monkey, 3) > 0)
        return FALSE;
      packet->at += SQX_SECOND;
    }
  return TRUE;
}

/* The programs ------------------------------------------------------------------------ */

static size_t
some_size (Monkey *monkey)
{
  static const guint sizes[] = { 0, 1, 50, 1100, 1200, 2500, 9000, 40000 };

  return pick (monkey, sizes[pick (monkey, G_N_ELEMENTS (sizes))] + 1);
}

static void
do_send (Pair *pair, Monkey *monkey, guint side)
{
  size_t size = some_size (monkey);
  uint8_t *data = g_malloc (size + 1);
  guint tag;

  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t) pick (monkey, 256);
  pair_try_send (pair, side, pick (monkey, CHANNELS), g_bytes_new_take (data, size),
                 pick (monkey, 4), &tag);
}

static void
do_answer (Pair *pair, Monkey *monkey, guint side, const PairMessage *message)
{
  guint tag;

  switch (pick (monkey, 4))
    {
    case 0:
      sqx_conn_end (pair->side[side].conn, pair->now, &message->id,
                    pick (monkey, SQX_N_END_REASONS));
      break;
    case 1:
      pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload), pick (monkey, 2),
                      &tag);
      break;
    default:
      pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload),
                      SQX_MESSAGE_FINAL | pick (monkey, 2), &tag);
      break;
    }
}

static void
do_answers (Pair *pair, Monkey *monkey, guint side)
{
  PairSide *self = &pair->side[side];

  for (guint i = 0; i < 4; i++)
    {
      GPtrArray *from = pick (monkey, 2) ? self->taken : self->replies;

      if (from->len > 0)
        do_answer (pair, monkey, side, g_ptr_array_index (from, pick (monkey, from->len)));
    }
}

static void
do_cancel (Pair *pair, Monkey *monkey, guint side)
{
  guint n = pair->side[side].waits->len;
  guint tag = n > 0 ? 1 + pick (monkey, n) : 0;

  if (tag > 0 && pair_wait (pair, side, tag)->state == PAIR_PENDING)
    pair_cancel (pair, side, tag);
}

static void
do_setting (Pair *pair, Monkey *monkey, guint side)
{
  PairSide *self = &pair->side[side];
  uint32_t channel = pick (monkey, CHANNELS);

  switch (pick (monkey, 7))
    {
    case 0:
      sqx_conn_open_channel (self->conn, channel);
      break;
    case 1:
      sqx_conn_set_serialized (self->conn, channel, pick (monkey, 2));
      break;
    case 2:
      sqx_conn_set_priority (self->conn, channel, pick (monkey, SQX_PRIORITIES));
      break;
    case 3:
      sqx_conn_set_accepts_messages (self->conn, pair->now, pick (monkey, 5) > 0);
      break;
    case 4:
      sqx_conn_set_queue_limit (self->conn, 1000 + pick (monkey, 100000));
      break;
    case 5:
      self->hold_events = pick (monkey, 4) == 0;
      break;
    default:
      if (self->taken->len > 0)
        sqx_conn_release (self->conn,
                          &pair_taken (pair, side, pick (monkey, self->taken->len))->id);
      break;
    }
}

static void
do_datagram (Pair *pair, guint side)
{
  sqx_payload payload = { (const uint8_t *) "datagram", 8, NULL };

  sqx_conn_send_datagram (pair->side[side].conn, pair->now, &payload);
}

static void
take_everything (Pair *pair, guint side)
{
  for (uint32_t channel = 0; channel < CHANNELS; channel++)
    pair_take_all (pair, side, channel);
}

static void
do_something (Pair *pair, Monkey *monkey)
{
  guint side = pick (monkey, 2);

  switch (pick (monkey, 12))
    {
    case 0: case 1: case 2: case 3:
      do_send (pair, monkey, side);
      break;
    case 4: case 5: case 6:
      do_answers (pair, monkey, side);
      break;
    case 7:
      do_cancel (pair, monkey, side);
      break;
    case 8:
      do_setting (pair, monkey, side);
      break;
    case 9:
      do_datagram (pair, side);
      break;
    case 10:
      pair->side[side].hold_taking = pick (monkey, 2);
      if (!pair->side[side].hold_taking)
        take_everything (pair, side);
      break;
    default:
      pair_drive_for (pair, pick (monkey, 60) * SQX_MILLISECOND);
      break;
    }
}

/* The promises ------------------------------------------------------------------------ */

static gboolean
same_bytes (Pair *pair, guint sender, const PairMessage *message)
{
  GPtrArray *waits = pair->side[sender].waits;

  for (guint i = 0; i < waits->len; i++)
    if (g_bytes_equal (((PairWait *) g_ptr_array_index (waits, i))->payload, message->payload))
      return TRUE;
  return FALSE;
}

/* Once each, as it was sent, and after an ordered one nothing that was to come before it. */
static void
check_taken (Pair *pair, guint side)
{
  gint64 highest_ordered[CHANNELS];
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  memset (highest_ordered, -1, sizeof highest_ordered);
  for (guint i = 0; i < pair_n_taken (pair, side); i++)
    {
      const PairMessage *message = pair_taken (pair, side, i);
      uint32_t channel = message->id.channel;
      gint64 number = (gint64) message->id.number;

      g_assert_cmpuint (channel, <, CHANNELS);
      g_assert_true (g_hash_table_add (seen, g_strdup_printf ("%u %" G_GINT64_FORMAT, channel,
                                                              number)));
      g_assert_true (same_bytes (pair, !side, message));
      g_assert_cmpint (number, >, highest_ordered[channel]);
      if (message->flags & SQX_MESSAGE_ORDERED)
        highest_ordered[channel] = number;
    }
}

static void
check_replies (Pair *pair, guint side)
{
  GPtrArray *waits = pair->side[side].waits;

  /* Every program here replies with the bytes of what it answers. */
  for (guint i = 0; i < waits->len; i++)
    {
      const PairWait *wait = g_ptr_array_index (waits, i);

      if (wait->state == PAIR_REPLIED)
        g_assert_true (g_bytes_equal (wait->payload, wait->reply->payload));
      g_assert_cmpint (wait->state, !=, PAIR_PENDING);
    }
}

/* Answers and takes until nothing is open. */
static void
settle (Pair *pair)
{
  for (guint round = 0; round < 400; round++)
    {
      for (guint side = 0; side < 2; side++)
        {
          PairSide *self = &pair->side[side];

          self->hold_taking = self->hold_events = FALSE;
          take_everything (pair, side);
          for (guint i = 0; i < self->taken->len; i++)
            sqx_conn_end (self->conn, pair->now, &pair_taken (pair, side, i)->id, SQX_END_ENDED);
          for (guint i = 0; i < self->replies->len; i++)
            sqx_conn_end (self->conn, pair->now,
                          &((PairMessage *) g_ptr_array_index (self->replies, i))->id,
                          SQX_END_ENDED);
        }
      pair_drive_for (pair, 250 * SQX_MILLISECOND);
      if (!sqx_conn_is_busy (pair->side[PAIR_A].conn)
          && !sqx_conn_is_busy (pair->side[PAIR_B].conn))
        break;
    }
  pair_drive (pair);
}

static Pair *
monkey_pair (Monkey *monkey)
{
  sqx_config config[2];

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].exchange_credit = 1 + pick (monkey, pick (monkey, 2) ? 4 : 200);
      config[i].max_message_size = 40000;
      config[i].byte_window = 2 * (40000 + 64) + pick (monkey, 100000);
      config[i].max_datagram_size = SQX_DATAGRAM_MIN + pick (monkey, 2000);
      config[i].ack_delay = pick (monkey, 60) * SQX_MILLISECOND;
      config[i].first_packet_number = UINT32_MAX - pick (monkey, 300);
    }
  return pair_new (&config[PAIR_A], &config[PAIR_B]);
}

static void
run (guint32 seed)
{
  Monkey monkey = { .rand = g_rand_new_with_seed (seed) };
  Pair *pair = monkey_pair (&monkey);

  g_test_message ("seed %u", seed);
  monkey.loss = pick (&monkey, 30);
  monkey.jitter = pick (&monkey, 40);
  pair->filter = network;
  pair->filter_data = &monkey;
  pair->duplicate[PAIR_A] = pick (&monkey, 2);
  pair->latency[PAIR_A] = pick (&monkey, 50) * SQX_MILLISECOND;
  for (guint i = 0; i < 250; i++)
    do_something (pair, &monkey);
  if (seed % 4 == 0)
    {
      /* Over, in the middle of everything. */
      guint closer = pick (&monkey, 2);

      for (guint side = 0; side < 2; side++)
        pair->side[side].hold_events = FALSE;
      sqx_conn_close (pair->side[closer].conn, pair->now, 64, "bye");
      pair_drive_for (pair, 60 * SQX_SECOND);
      g_assert_true (pair->side[closer].closed);
      pair->block[PAIR_A] = pair->block[PAIR_B] = TRUE;
      pair_drive_for (pair, 60 * SQX_SECOND);
    }
  else
    {
      settle (pair);
      pair_assert_quiet (pair);
    }
  for (guint side = 0; side < 2; side++)
    {
      check_taken (pair, side);
      check_replies (pair, side);
    }
  pair_free (pair);
  g_rand_free (monkey.rand);
}

static void
test_monkeys (void)
{
  const char *one = g_getenv ("G_TEST_MONKEY_SEED");

  if (one)
    run ((guint32) g_ascii_strtoull (one, NULL, 10));
  else
    for (guint32 seed = 1; seed <= 400; seed++)
      run (seed);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/monkey/random", test_monkeys);

  return g_test_run ();
}
