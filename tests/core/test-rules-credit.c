/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rule 8 of the exchange rules: byte and exchange credit.
 */
#include "pair.h"

#define LARGEST  SQX_MESSAGE_MAX_MIN
#define COST     (LARGEST + SQX_MESSAGE_OVERHEAD) /* of a largest message */
#define WINDOW   (2 * COST)                       /* the least there can be */

/* A faces a peer that grants the least, or as many exchanges as said. */
static Pair *
poor_peer (uint64_t exchanges)
{
  Pair *pair = pair_new_fake (NULL);

  pair->fake.hello.max_message_size = LARGEST;
  pair->fake.hello.byte_credit = WINDOW;
  pair->fake.hello.exchange_credit = exchanges;
  fake_connect (pair);
  return pair;
}

/* A grants the least, and its window does not grow. */
static Pair *
poor_self (void)
{
  sqx_config config;
  Pair *pair;

  pair_config (&config, PAIR_A);
  config.max_message_size = LARGEST;
  config.byte_window = config.byte_window_max = WINDOW;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  g_assert_cmpuint (pair->fake.credit_bytes, ==, WINDOW);
  return pair;
}

static void
grant (Pair *pair, uint64_t bytes, uint64_t exchanges)
{
  fake_begin (pair);
  g_assert_true (sqx_write_credit (&pair->fake.writer, bytes, exchanges));
  fake_send (pair);
}

/* How many messages have begun, by the numbers seen. */
static guint
begun (Pair *pair)
{
  const sqx_frame *frame;
  guint n = 0;

  for (guint i = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, i)); i++)
    n += frame->message.offset == 0;
  return n;
}

/* The fake sends a whole message of @size bytes. */
static void
fake_whole (Pair *pair, uint64_t number, uint8_t flags, uint64_t reply_to, uint64_t size)
{
  for (uint64_t offset = 0; offset < size; offset += 1000)
    {
      fake_begin (pair);
      fake_fragment (pair, 0, number, flags, reply_to, size, offset, MIN (1000, size - offset));
      fake_send (pair);
    }
}

/* Exchanges --------------------------------------------------------------------------- */

static void
test_one_unit_each (void)
{
  g_autoptr (Pair) pair = poor_peer (2);

  for (guint i = 0; i < 5; i++)
    pair_send (pair, PAIR_A, "question", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  /* Not the end returns the unit but the peer's word. */
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 0, 2);
  fake_send (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  grant (pair, WINDOW, 3);
  g_assert_cmpuint (begun (pair), ==, 3);
  grant (pair, WINDOW, 3);
  g_assert_cmpuint (begun (pair), ==, 3);
  grant (pair, WINDOW, 100);
  g_assert_cmpuint (begun (pair), ==, 5);
}

static void
test_held_until_chain_ends (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  const PairMessage *message;
  guint tag, waiting;

  pair_config (&config, PAIR_B);
  config.exchange_credit = 1;
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  tag = pair_send (pair, PAIR_A, "first", 0);
  waiting = pair_send (pair, PAIR_A, "waiting", SQX_MESSAGE_FINAL);
  pair_drive (pair);
  message = pair_taken (pair, PAIR_B, 0);
  for (guint i = 0; i < 5; i++)
    {
      guint from = i % 2 ? PAIR_A : PAIR_B;
      guint reply = pair_reply (pair, from, message, "reply", 0);

      pair_drive (pair);
      pair_assert_taken (pair, PAIR_B, "first");
      g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 7 + 64);
      message = pair_wait (pair, !from, tag)->reply;
      tag = reply;
    }
  pair_end (pair, PAIR_A, message, SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_B, "first waiting");
  pair_assert_ended (pair, PAIR_A, waiting, SQX_END_ENDED);
  pair_assert_quiet (pair);
}

static void
test_reply_takes_no_unit (void)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;
  const PairMessage *message;
  guint tag;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].exchange_credit = 1;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  tag = pair_send (pair, PAIR_A, "0", 0);
  pair_drive (pair);
  message = pair_taken (pair, PAIR_B, 0);
  for (guint i = 0; i < 100; i++)
    {
      guint from = i % 2 ? PAIR_A : PAIR_B;
      guint reply = pair_reply (pair, from, message, "reply", 0);

      pair_drive_until (pair, SQX_SECOND, pair_is_done (pair, !from, tag));
      message = pair_wait (pair, !from, tag)->reply;
      tag = reply;
    }
  pair_end (pair, PAIR_B, message, SQX_END_ENDED);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* Bytes ------------------------------------------------------------------------------- */

static void
test_cost_and_reserve (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  /* 8064 + 8384 leave exactly the cost of a largest message free. */
  pair_send_size (pair, PAIR_A, 0, 8000, 0);
  pair_send_size (pair, PAIR_A, 0, 8320, 0);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  grant (pair, WINDOW + 63, 100);
  g_assert_cmpuint (begun (pair), ==, 2);
  grant (pair, WINDOW + 64, 100);
  g_assert_cmpuint (begun (pair), ==, 3);
}

static void
test_reserve_is_exact (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  pair_send_size (pair, PAIR_A, 0, 8000, 0);
  pair_send_size (pair, PAIR_A, 0, 8321, 0);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 1);
}

static void
test_reply_may_use_everything (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  pair_send_size (pair, PAIR_A, 0, LARGEST, 0);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 1);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_message (pair, 0, 1, 0, 0, "question");
  fake_send (pair);
  pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), LARGEST, 0);
  pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), 0, 0);
  pair_drive (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  grant (pair, WINDOW + 63, 100);
  g_assert_cmpuint (begun (pair), ==, 2);
  grant (pair, WINDOW + 64, 100);
  g_assert_cmpuint (begun (pair), ==, 3);
}

static void
test_taken_whole_at_the_beginning (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  /* Nothing is acknowledged, so little of the first is on its way; it has all its credit. */
  pair->fake.auto_ack = FALSE;
  pair_send_size (pair, PAIR_A, 0, LARGEST, 0);
  pair_send_size (pair, PAIR_A, 1, 10, 0);
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 1);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 74);
}

static void
test_least_window (void)
{
  static const uint64_t sizes[] = { 16384, 20000, 1048576, 268435456 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (Pair) pair = NULL;
      sqx_config config;

      pair_config (&config, PAIR_A);
      config.max_message_size = sizes[i];
      config.byte_window = 2 * (sizes[i] + 64);
      pair = pair_new_fake (&config);
      fake_connect (pair);
      g_assert_cmpuint (pair->fake.credit_bytes, ==, 2 * (sizes[i] + 64));
      g_assert_cmpuint (pair_statistics (pair, PAIR_A).byte_window, ==, 2 * (sizes[i] + 64));

      config.user_data = &pair->side[PAIR_A];
      config.byte_window--;
      g_assert_null (sqx_conn_new (&config, 0));
    }
}

/* Ten times the least window is in flight if the path is long enough. */
static void
run_bulk (Pair *pair, guint n)
{
  pair->latency[PAIR_A] = pair->latency[PAIR_B] = 100 * SQX_MILLISECOND;
  for (guint i = 0; i < n; i++)
    pair_send_size (pair, PAIR_A, 0, LARGEST, SQX_MESSAGE_FINAL);
  pair_drive_until (pair, 300 * SQX_SECOND, pair_all_done (pair, PAIR_A));
  pair_drive (pair);
  pair_assert_quiet (pair);
}

static void
test_window_grows (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;

  pair_config (&config, PAIR_B);
  config.max_message_size = LARGEST;
  config.byte_window = WINDOW;
  config.byte_window_max = 8 * WINDOW;
  pair = pair_new (NULL, &config);
  run_bulk (pair, 300);
  g_assert_cmpuint (pair_statistics (pair, PAIR_B).byte_window, >, 2 * WINDOW);
  g_assert_cmpuint (pair_statistics (pair, PAIR_B).byte_window, <=, 8 * WINDOW);
  g_assert_cmpuint (pair_statistics (pair, PAIR_A).byte_window, ==, SQX_WINDOW_DEFAULT);
}

static void
test_window_stays_below_cap (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;

  pair_config (&config, PAIR_B);
  config.max_message_size = LARGEST;
  config.byte_window = WINDOW;
  config.byte_window_max = WINDOW + 5000;
  pair = pair_new (NULL, &config);
  run_bulk (pair, 60);
  g_assert_cmpuint (pair_statistics (pair, PAIR_B).byte_window, <=, WINDOW + 5000);
}

/* What the program does not take does not look like a fast path. */
static void
test_window_needs_a_reader (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;

  pair_config (&config, PAIR_B);
  config.max_message_size = LARGEST;
  config.byte_window = WINDOW;
  pair = pair_new (NULL, &config);
  pair->side[PAIR_B].hold_taking = TRUE;
  for (guint i = 0; i < 40; i++)
    pair_send_size (pair, PAIR_A, 0, LARGEST, SQX_MESSAGE_FINAL);
  pair_drive (pair);
  g_assert_cmpuint (pair_statistics (pair, PAIR_B).byte_window, ==, WINDOW);
  g_assert_cmpuint (sqx_conn_received_bytes_held (pair->side[PAIR_B].conn), <=, WINDOW);
}

/* Returning credit -------------------------------------------------------------------- */

static void
test_reply_returns_at_delivery (void)
{
  g_autoptr (Pair) pair = poor_self ();

  pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  pair->side[PAIR_A].hold_events = TRUE;
  fake_whole (pair, 0, SQX_WIRE_REPLY, 0, LARGEST);
  pair_drive_for (pair, SQX_SECOND);
  pair_assert_pending (pair, PAIR_A, 1);
  g_assert_cmpuint (pair->fake.credit_bytes, ==, WINDOW + COST);
}

static void
test_initial_returns_when_taken (void)
{
  g_autoptr (Pair) pair = poor_self ();

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_whole (pair, 0, 0, 0, LARGEST);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_true (sqx_conn_has_message (pair->side[PAIR_A].conn, 0));
  g_assert_cmpuint (pair->fake.credit_bytes, ==, WINDOW);
  /* It is the taking that counts, not the answer. */
  pair_take (pair, PAIR_A, 0);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpuint (pair->fake.credit_bytes, ==, WINDOW + COST);
  g_assert_cmpuint (pair->fake.credit_exchanges, ==, SQX_EXCHANGES_DEFAULT);
}

static void
test_unit_returns_after_the_end (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  uint64_t number;

  pair_config (&config, PAIR_A);
  config.exchange_credit = 1;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  pair_end (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), SQX_END_ENDED);
  pair_drive_for (pair, 50 * SQX_MILLISECOND);
  g_assert_cmpint (fake_end_reason (pair, 0, 0), ==, SQX_END_ENDED);
  /* Settled at both only when the end was acknowledged. */
  g_assert_cmpuint (pair->fake.credit_exchanges, ==, 1);
  pair->fake.auto_ack = TRUE;
  fake_begin (pair);
  fake_ack (pair);
  number = fake_send (pair);
  g_assert_cmpuint (number, >, 0);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpuint (pair->fake.credit_exchanges, ==, 2);
}

/* What came back in small amounts need not be told, until the peer runs short and nothing more
 * comes back. */
static void
test_told_when_short (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;

  pair_config (&config, PAIR_A);
  config.max_message_size = LARGEST;
  config.byte_window = config.byte_window_max = 2 * WINDOW;
  config.exchange_credit = 100;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  for (guint i = 0; i < 10; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, SQX_WIRE_FINAL, 0, "");
      fake_send (pair);
      pair_drive_for (pair, SQX_SECOND);
    }
  g_assert_cmpuint (pair->fake.credit_bytes, ==, 2 * WINDOW);
  g_assert_cmpuint (pair->fake.credit_exchanges, ==, 100);

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_whole (pair, 10, 0, 0, LARGEST);
  fake_whole (pair, 11, 0, 0, LARGEST);
  pair_drive_for (pair, SQX_SECOND);
  g_assert_cmpuint (pair->fake.credit_bytes, ==, 2 * WINDOW + 640);
}

static void
test_unit_told_when_short (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;

  pair_config (&config, PAIR_A);
  config.exchange_credit = 100;
  pair = pair_new_fake (&config);
  fake_connect (pair);
  for (guint i = 0; i < 100; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, i, i < 10 ? SQX_WIRE_FINAL : 0, 0, "");
      fake_send (pair);
      pair_drive_for (pair, SQX_SECOND);
      if (i < 99)
        g_assert_cmpuint (pair->fake.credit_exchanges, ==, 100);
    }
  g_assert_cmpuint (pair->fake.credit_exchanges, ==, 110);
}

static void
test_credit_never_falls (void)
{
  g_autoptr (Pair) pair = poor_peer (1);

  pair_send (pair, PAIR_A, "first", 0);
  grant (pair, WINDOW + 1000, 3);
  grant (pair, WINDOW, 1); /* delayed by the network */
  pair_send (pair, PAIR_A, "second", 0);
  pair_send (pair, PAIR_A, "third", 0);
  pair_send (pair, PAIR_A, "fourth", 0);
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 3);
}

/* Who gets it ------------------------------------------------------------------------- */

static const sqx_frame *
last_begun (Pair *pair, guint expected)
{
  g_assert_cmpuint (begun (pair), ==, expected);
  return fake_last (pair, SQX_FRAME_MESSAGE);
}

static void
test_priority_then_age (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  sqx_conn_set_priority (pair->side[PAIR_A].conn, 1, 0);
  pair_send_size (pair, PAIR_A, 0, LARGEST, 0);
  pair_flush (pair);
  fake_forget (pair);
  pair_send_size (pair, PAIR_A, 2, 5000, 0);
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_send_size (pair, PAIR_A, 1, 100, 0);
  grant (pair, WINDOW + 163, 100);
  g_assert_cmpuint (begun (pair), ==, 0);
  grant (pair, WINDOW + 164, 100);
  g_assert_cmpuint (last_begun (pair, 1)->message.channel, ==, 2);
  /* Enough for the smaller one, but the older one is first. */
  grant (pair, WINDOW + 164 + 5063, 100);
  g_assert_cmpuint (begun (pair), ==, 1);
  grant (pair, WINDOW + 164 + 5064, 100);
  g_assert_cmpuint (last_begun (pair, 2)->message.channel, ==, 4);
  grant (pair, WINDOW + 164 + 5064 + 64, 100);
  g_assert_cmpuint (last_begun (pair, 3)->message.channel, ==, 0);
}

/* Nor does one of a less urgent channel slip through where a more urgent one does not fit. */
static void
test_no_overtaking (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  sqx_conn_set_priority (pair->side[PAIR_A].conn, 1, 0);
  pair_send_size (pair, PAIR_A, 0, LARGEST, 0);
  pair_flush (pair);
  fake_forget (pair);
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_send_size (pair, PAIR_A, 1, 5000, 0);
  grant (pair, WINDOW + 5063, 100);
  g_assert_cmpuint (begun (pair), ==, 0);
  grant (pair, WINDOW + 5064, 100);
  g_assert_cmpuint (last_begun (pair, 1)->message.channel, ==, 2);
  grant (pair, WINDOW + 5064 + 64, 100);
  g_assert_cmpuint (last_begun (pair, 2)->message.channel, ==, 0);
}

static void
test_replies_first (void)
{
  g_autoptr (Pair) pair = poor_peer (100);

  pair_send_size (pair, PAIR_A, 0, LARGEST, 0);
  fake_begin (pair);
  for (guint i = 0; i < 3; i++)
    fake_message (pair, 0, i, 0, 0, "question");
  fake_send (pair);
  pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 0), LARGEST, 0);
  pair_flush (pair);
  fake_forget (pair);
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 1), 100, 0);
  pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, 2), 0, 0);
  grant (pair, WINDOW + 64 + COST, 100);
  /* The replies cost 164 and 64; then what is left is less than the reserve asks for. */
  g_assert_cmpuint (begun (pair), ==, 2);
  g_assert_true (last_begun (pair, 2)->message.flags & SQX_WIRE_REPLY);
  grant (pair, WINDOW + 228 + 64 + COST, 100);
  g_assert_false (last_begun (pair, 3)->message.flags & SQX_WIRE_REPLY);
}

/* B's program takes nothing and its window is full; the answer that it waits for comes. */
static void
test_reply_never_waits (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  guint tag;

  pair_config (&config, PAIR_B);
  config.max_message_size = LARGEST;
  config.byte_window = config.byte_window_max = WINDOW;
  pair = pair_new (NULL, &config);
  pair_connect (pair);
  pair->side[PAIR_B].hold_taking = TRUE;
  for (guint i = 0; i < 10; i++)
    pair_send_size (pair, PAIR_A, 0, LARGEST, SQX_MESSAGE_ORDERED);
  pair_drive (pair);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), >=, 8 * COST);

  for (guint i = 0; i < 5; i++)
    {
      tag = pair_send (pair, PAIR_B, "question", SQX_MESSAGE_ORDERED);
      pair_drive (pair);
      pair_reply_size (pair, PAIR_A, pair_taken (pair, PAIR_A, i), LARGEST,
                       SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL);
      pair_drive (pair);
      pair_assert_replied (pair, PAIR_B, tag, NULL);
    }
  g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 0);
}

/* The least window on both sides, largest messages and answers only. */
static void
test_begun_can_be_finished (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config[2];

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].max_message_size = LARGEST;
      config[i].byte_window = config[i].byte_window_max = WINDOW;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  for (guint side = 0; side < 2; side++)
    {
      pair->side[side].handler = pair_echo;
      for (guint i = 0; i < 25; i++)
        pair_send_size (pair, side, i % 3, LARGEST, SQX_MESSAGE_ORDERED);
    }
  pair_drive_until (pair, 60 * SQX_SECOND,
                    pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* Before HELLO ------------------------------------------------------------------------ */

static void
test_early_exchanges (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  for (guint i = 0; i < 30; i++)
    pair_send (pair, PAIR_A, "x", 0);
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 16);
  /* What was used early counts towards what HELLO grants. */
  pair->fake.hello.exchange_credit = 18;
  fake_begin (pair);
  fake_hello (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpuint (begun (pair), ==, 18);
}

static void
test_early_bytes (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair_send_size (pair, PAIR_A, 0, 8000, 0);
  pair_send_size (pair, PAIR_A, 0, 8256, 0); /* 8064 + 8320 = 16384 */
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair->fake.hello.max_message_size = LARGEST;
  pair->fake.hello.byte_credit = WINDOW;
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 2);
  fake_begin (pair);
  fake_hello (pair);
  fake_ack (pair);
  fake_send (pair);
  pair->fake.auto_ack = TRUE;
  g_assert_cmpuint (begun (pair), ==, 3); /* 16448 used, as much is reserved */
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 3);
}

static void
test_early_too_large (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair_send_size (pair, PAIR_A, 0, 8000, 0);
  pair_send_size (pair, PAIR_A, 0, 8257, 0);
  pair_send_size (pair, PAIR_A, 0, 0, 0);
  pair_flush (pair);
  g_assert_cmpuint (begun (pair), ==, 1);
}

/* A peer that granted one exchange takes sixteen that were sent before it said so. */
static void
test_early_is_allowed (void)
{
  for (uint64_t credit = 1; credit <= 20; credit += 19)
    {
      g_autoptr (Pair) pair = NULL;
      sqx_config config;
      guint allowed = MAX (credit, 16);

      pair_config (&config, PAIR_A);
      config.exchange_credit = credit;
      pair = pair_new_fake (&config);
      pair->fake.say_hello = TRUE;
      for (guint i = 0; i < allowed; i++)
        {
          fake_begin (pair);
          fake_message (pair, i % 3, i / 3, 0, 0, "x");
          fake_send (pair);
        }
      g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, allowed);
      g_assert_false (pair->side[PAIR_A].closed);
      fake_begin (pair);
      fake_message (pair, 5, 0, 0, 0, "one too many");
      fake_send_violation (pair);
    }
}

/* Enforced ---------------------------------------------------------------------------- */

static void
test_bytes_enforced (gconstpointer data)
{
  g_autoptr (Pair) pair = poor_self ();
  uint64_t total = GPOINTER_TO_SIZE (data);

  pair->side[PAIR_A].hold_taking = TRUE;
  fake_begin (pair);
  fake_fragment (pair, 0, 0, 0, 0, LARGEST, 0, 100);
  fake_fragment (pair, 0, 1, 0, 0, LARGEST - 64, 0, 100);
  fake_send (pair);
  g_assert_false (pair->side[PAIR_A].closed);
  /* 64 bytes are left: an empty message fits, one byte does not. */
  fake_begin (pair);
  fake_fragment (pair, 0, 2, 0, 0, total, 0, total);
  if (total > 0)
    fake_send_violation (pair);
  else
    fake_send (pair);
}

static void
test_largest_enforced (void)
{
  g_autoptr (Pair) pair = poor_self ();

  fake_begin (pair);
  fake_fragment (pair, 0, 0, 0, 0, LARGEST + 1, 0, 100);
  fake_send_violation (pair);
}

/* A reply is paid for like any other message. */
static void
test_reply_bytes_enforced (void)
{
  g_autoptr (Pair) pair = poor_self ();

  for (guint i = 0; i < 3; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_fragment (pair, 0, 0, SQX_WIRE_REPLY, 0, LARGEST, 0, 100);
  fake_fragment (pair, 0, 1, SQX_WIRE_REPLY, 1, LARGEST, 0, 100);
  fake_send (pair);
  g_assert_false (pair->side[PAIR_A].closed);
  fake_begin (pair);
  fake_fragment (pair, 0, 2, SQX_WIRE_REPLY, 2, 1, 0, 1);
  fake_send_violation (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define R8 "/seqex/rules/r08-credit/"
  g_test_add_func (R8 "one-unit-an-exchange", test_one_unit_each);
  g_test_add_func (R8 "unit-held-until-the-chain-ends", test_held_until_chain_ends);
  g_test_add_func (R8 "reply-takes-no-unit", test_reply_takes_no_unit);
  g_test_add_func (R8 "cost-and-reserve", test_cost_and_reserve);
  g_test_add_func (R8 "reserve-is-exact", test_reserve_is_exact);
  g_test_add_func (R8 "reply-may-use-everything", test_reply_may_use_everything);
  g_test_add_func (R8 "taken-whole-at-the-beginning", test_taken_whole_at_the_beginning);
  g_test_add_func (R8 "least-window", test_least_window);
  g_test_add_func (R8 "window-grows", test_window_grows);
  g_test_add_func (R8 "window-stays-below-its-cap", test_window_stays_below_cap);
  g_test_add_func (R8 "window-needs-a-reader", test_window_needs_a_reader);
  g_test_add_func (R8 "reply-returns-at-delivery", test_reply_returns_at_delivery);
  g_test_add_func (R8 "initial-returns-when-taken", test_initial_returns_when_taken);
  g_test_add_func (R8 "unit-returns-after-the-end", test_unit_returns_after_the_end);
  g_test_add_func (R8 "told-when-the-peer-is-short", test_told_when_short);
  g_test_add_func (R8 "unit-told-when-the-peer-is-short", test_unit_told_when_short);
  g_test_add_func (R8 "credit-never-falls", test_credit_never_falls);
  g_test_add_func (R8 "by-priority-then-age", test_priority_then_age);
  g_test_add_func (R8 "no-overtaking", test_no_overtaking);
  g_test_add_func (R8 "replies-first", test_replies_first);
  g_test_add_func (R8 "reply-never-waits-for-taking-program", test_reply_never_waits);
  g_test_add_func (R8 "what-has-begun-can-be-finished", test_begun_can_be_finished);
  g_test_add_func (R8 "early-exchanges", test_early_exchanges);
  g_test_add_func (R8 "early-bytes", test_early_bytes);
  g_test_add_func (R8 "early-too-large", test_early_too_large);
  g_test_add_func (R8 "early-is-allowed", test_early_is_allowed);
  g_test_add_data_func (R8 "bytes-used-up", GSIZE_TO_POINTER (0), test_bytes_enforced);
  g_test_add_data_func (R8 "bytes-exceeded", GSIZE_TO_POINTER (1), test_bytes_enforced);
  g_test_add_func (R8 "largest-message-exceeded", test_largest_enforced);
  g_test_add_func (R8 "reply-bytes-exceeded", test_reply_bytes_enforced);

  return g_test_run ();
}
