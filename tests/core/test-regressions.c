/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The failures of the published reference implementation of the Sequential Exchange Protocol, by
 * name: each trace that broke it must do here what it should have done there.
 */
#include "pair.h"

/* D1: delivered twice ----------------------------------------------------------------- */

/* m0 is lost; unordered m1 arrives, is delivered, acknowledged, and comes again. */
static void
test_d1 (gconstpointer data)
{
  gboolean by_network = GPOINTER_TO_INT (data);
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint tag[2];

  pair_connect (pair);
  pair->drop_next[PAIR_A] = 1;
  tag[0] = pair_send (pair, PAIR_A, "m0", SQX_MESSAGE_ORDERED);
  pair_flush (pair);
  if (by_network)
    pair->duplicate[PAIR_A] = 1;
  else
    pair->block[PAIR_B] = TRUE; /* the acknowledgement is lost, so it is retransmitted */
  tag[1] = pair_send (pair, PAIR_A, "m1", 0);
  pair_drive_for (pair, 11 * SQX_MILLISECOND);
  pair_assert_taken (pair, PAIR_B, "m1");
  pair_drive_for (pair, 200 * SQX_MILLISECOND);
  pair->block[PAIR_B] = FALSE;
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_B, "m1 m0");
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->duplicate_message
                    + pair_counters (pair, PAIR_B)->duplicate_packet, >, 0);
  for (guint i = 0; i < 2; i++)
    {
      pair_assert_pending (pair, PAIR_A, tag[i]);
      pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, 1 - i), SQX_END_ENDED);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* The second copy of a reply is no fresh message, and is answered once. */
static void
test_d1b (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint question, second, ends = 0;
  const sqx_frame *frame;

  fake_connect (pair);
  question = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 1, SQX_WIRE_REPLY, 0, "m1"); /* m0 is lost */
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, question, "m1");
  second = pair_reply (pair, PAIR_A, pair_wait (pair, PAIR_A, question)->reply, "answer", 0);
  pair_flush (pair);
  for (guint i = 0; i < 3; i++)
    {
      fake_begin (pair);
      fake_message (pair, 0, 1, SQX_WIRE_REPLY, 0, "m1");
      fake_send (pair);
    }
  pair_drive (pair);
  pair_assert_taken (pair, PAIR_A, "");
  g_assert_cmpuint (pair->side[PAIR_A].replies->len, ==, 1);
  pair_assert_pending (pair, PAIR_A, second);
  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_MESSAGE, n)); n++)
    ends += frame->message.flags & SQX_WIRE_REPLY ? 1 : 0;
  g_assert_cmpuint (ends, ==, 1);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_END), ==, 0);
  fake_begin (pair);
  fake_end (pair, 0, SQX_END_ENDED, 1, 1);
  fake_send (pair);
  pair_assert_ended (pair, PAIR_A, second, SQX_END_ENDED);
}

/* D2: both sides start at once -------------------------------------------------------- */

static void
test_d2 (gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  uint64_t start = pair->now;
  sqx_statistics statistics;

  for (guint side = 0; side < 2; side++)
    {
      pair->side[side].handler = pair_echo;
      for (guint i = 0; i < n; i++)
        pair_send (pair, side, "question", SQX_MESSAGE_ORDERED);
    }
  pair_drive_until (pair, 30 * SQX_SECOND,
                    pair->side[PAIR_A].replies->len == n && pair->side[PAIR_B].replies->len == n);
  /* Three round trips for 64, from nothing. */
  if (n == 64)
    g_assert_cmpuint (pair->now - start, <=, 3 * 20 * SQX_MILLISECOND);
  for (guint side = 0; side < 2; side++)
    g_assert_cmpuint (pair_n_taken (pair, side), ==, n);
  pair_drive (pair);
  pair_assert_quiet (pair);
  statistics = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (statistics.bytes_resent, ==, 0);
}

/* Two messages open on each side, numbers 0 and window - 1, all between are settled. */
static void
test_d2min (void)
{
  static const guint windows[] = { 2, 3, 4, 16, 63, 64, 65, 256 };

  for (guint w = 0; w < G_N_ELEMENTS (windows); w++)
    {
      guint n = windows[w];
      sqx_config config[2];
      g_autoptr (Pair) pair = NULL;

      for (guint i = 0; i < 2; i++)
        {
          pair_config (&config[i], i);
          config[i].exchange_credit = n;
        }
      pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
      for (guint side = 0; side < 2; side++)
        for (guint i = 0; i < n; i++)
          pair_send (pair, side, "question", SQX_MESSAGE_ORDERED);
      pair_drive (pair);
      for (guint side = 0; side < 2; side++)
        for (guint i = 1; i + 1 < n; i++)
          pair_end (pair, side, pair_taken (pair, side, i), SQX_END_ENDED);
      pair_drive (pair);
      /* What was settled is free for others. */
      for (guint side = 0; side < 2; side++)
        for (guint i = 1; i + 1 < n; i++)
          {
            guint tag = pair_send (pair, side, "next", SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL);

            pair_drive (pair);
            pair_assert_ended (pair, side, tag, SQX_END_ENDED);
          }
      for (guint side = 0; side < 2; side++)
        {
          pair_end (pair, side, pair_taken (pair, side, n - 1), SQX_END_ENDED);
          pair_end (pair, side, pair_taken (pair, side, 0), SQX_END_ENDED);
        }
      pair_drive (pair);
      pair_assert_quiet (pair);
    }
}

/* D3: replies in reverse -------------------------------------------------------------- */

static void
test_d3 (gconstpointer data)
{
  gboolean pushed = GPOINTER_TO_INT (data);

  for (guint n = 1; n <= 130; n += 43)
    {
      sqx_config config;
      g_autoptr (Pair) pair = NULL;

      pair_config (&config, PAIR_B);
      config.exchange_credit = n;
      pair = pair_new (NULL, &config);
      if (pushed)
        pair_send (pair, PAIR_B, "pushed", SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL);
      for (guint i = 0; i < n + 5; i++)
        pair_send (pair, PAIR_A, "question", SQX_MESSAGE_ORDERED);
      for (guint answered = 0; answered < n + 5;)
        {
          guint taken;

          pair_drive (pair);
          taken = pair_n_taken (pair, PAIR_B);
          g_assert_cmpuint (taken, >, answered);
          for (guint i = taken; i-- > answered;)
            pair_reply (pair, PAIR_B, pair_taken (pair, PAIR_B, i), "answer",
                        SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL);
          answered = taken;
        }
      pair_drive (pair);
      for (guint tag = 1; tag <= n + 5; tag++)
        pair_assert_replied (pair, PAIR_A, tag, "answer");
      pair_assert_taken (pair, PAIR_A, pushed ? "pushed" : "");
      pair_assert_quiet (pair);
    }
}

/* D4: a reply that answers nothing ---------------------------------------------------- */

static void
test_d4 (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag[3];

  fake_connect (pair);
  for (guint i = 0; i < 3; i++)
    tag[i] = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 1, "answer 1");
  fake_message (pair, 0, 1, SQX_WIRE_REPLY, 1, "forged");
  fake_message (pair, 0, 2, SQX_WIRE_REPLY, 64, "forged");
  fake_message (pair, 0, 3, SQX_WIRE_REPLY, 1 + 1024, "forged");
  fake_message (pair, 0, 4, SQX_WIRE_REPLY, SQX_VARINT_MAX, "forged");
  fake_send (pair);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_reply, ==, 4);
  pair_assert_pending (pair, PAIR_A, tag[0]);
  pair_assert_replied (pair, PAIR_A, tag[1], "answer 1");
  pair_assert_pending (pair, PAIR_A, tag[2]);
  fake_begin (pair);
  fake_message (pair, 0, 5, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, "answer 0");
  fake_message (pair, 0, 6, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 2, "answer 2");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag[0], "answer 0");
  pair_assert_replied (pair, PAIR_A, tag[2], "answer 2");
  pair_assert_taken (pair, PAIR_A, "");
  pair_drive (pair);
  g_assert_false (sqx_conn_is_busy (pair->side[PAIR_A].conn));
}

/* D5: one peer restarts --------------------------------------------------------------- */

/* B restarts after each of A's and its own packets. Nothing that B's second life acknowledged is
 * unknown to it: what A was told was delivered was delivered to one of them. */
static guint restart_after;

static gboolean
count_packets (Pair *pair, PairPacket *packet, gpointer data)
{
  guint *count = data;

  (*count)++;
  return TRUE;
}

static void
run_d5 (guint restarter)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint count = 0, lost = 0, ended = 0, waits;
  uint64_t limit;

  pair->side[PAIR_A].handler = pair->side[PAIR_B].handler = pair_echo;
  pair->filter = count_packets;
  pair->filter_data = &count;
  for (guint i = 0; i < 4; i++)
    {
      pair_send_size (pair, PAIR_A, 0, i * 900, SQX_MESSAGE_ORDERED);
      pair_send (pair, PAIR_B, "question", 0);
    }
  waits = pair->side[!restarter].waits->len;
  pair_flush (pair);
  while (count < restart_after && pair_step (pair))
    ;
  pair_restart (pair, restarter);
  /* The new one says something, and learns that it is not known. */
  pair_send (pair, restarter, "again", SQX_MESSAGE_FINAL);
  limit = pair->now + 25 * SQX_SECOND;
  while (pair->now < limit && !pair_all_done (pair, !restarter))
    g_assert_true (pair_step (pair));
  for (guint tag = 1; tag <= waits; tag++)
    {
      const PairWait *wait = pair_wait (pair, !restarter, tag);

      g_assert_cmpint (wait->state, !=, PAIR_PENDING);
      if (wait->state == PAIR_FAILED)
        {
          g_assert_cmpint (wait->error, ==, SQX_ERR_SESSION_LOST);
          lost++;
        }
      else
        ended++;
    }
  pair_drive (pair);
  g_assert_true (pair_all_done (pair, restarter));
  if (lost > 0)
    g_assert_cmpuint (pair_n_events (pair, !restarter, SQX_EVENT_RESTARTED), ==, 1);
  g_assert_false (pair->side[!restarter].closed);
  g_assert_cmpuint (lost + ended, ==, waits);
  pair_assert_quiet (pair);
}

static void
test_d5 (void)
{
  for (guint restarter = 0; restarter < 2; restarter++)
    for (restart_after = 0; restart_after < 30; restart_after++)
      run_d5 (restarter);
}

/* D6: what makes room is used at once ------------------------------------------------- */

static void
test_d6_credit (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  for (guint i = 0; i < 4; i++)
    pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 1);
  fake_begin (pair);
  g_assert_true (sqx_write_credit (&pair->fake.writer, pair->fake.hello.byte_credit, 3));
  fake_send (pair); /* in which no time passes */
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), ==, 3);
}

static void
test_d6_window (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint seen;

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  pair_send_size (pair, PAIR_A, 0, 1000000, 0);
  pair_flush (pair);
  seen = fake_count (pair, SQX_FRAME_MESSAGE);
  g_assert_cmpuint (seen, <, 500);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_MESSAGE), >, seen + seen / 2);
}

static void
test_d6_gap (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "question", 0);
  pair_flush (pair);
  fake_begin (pair);
  fake_message (pair, 0, 1, SQX_WIRE_ORDERED, 0, "1");
  fake_message (pair, 0, 2, SQX_WIRE_ORDERED | SQX_WIRE_REPLY, 0, "2");
  fake_message (pair, 0, 3, SQX_WIRE_ORDERED, 0, "3");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "");
  fake_begin (pair);
  fake_message (pair, 0, 0, SQX_WIRE_ORDERED, 0, "0");
  fake_send (pair);
  pair_assert_taken (pair, PAIR_A, "0 1 3");
  pair_assert_replied (pair, PAIR_A, tag, "2");
}

/* D7: every window, every wrap -------------------------------------------------------- */

static gboolean
drop_seldom (Pair *pair, PairPacket *packet, gpointer data)
{
  return (packet->nth + packet->from * 5) % 17 != 11;
}

static void
run_d7 (guint credit, guint before)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].exchange_credit = credit;
      config[i].max_message_size = SQX_MESSAGE_MAX_MIN;
      config[i].byte_window = config[i].byte_window_max = 2 * (SQX_MESSAGE_MAX_MIN + 64) + credit;
      config[i].first_packet_number = UINT32_MAX - before;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  pair->filter = drop_seldom;
  for (guint side = 0; side < 2; side++)
    {
      pair->side[side].handler = pair_echo;
      for (guint i = 0; i < 2 * credit + 10; i++)
        pair_send_size (pair, side, i % 2, i * 37 % 500, i % 3 ? SQX_MESSAGE_ORDERED : 0);
    }
  pair_drive_until (pair, 120 * SQX_SECOND,
                    pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
  pair->filter = NULL;
  pair_drive (pair);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_cmpuint (pair_n_taken (pair, side), ==, 2 * credit + 10);
      g_assert_cmpuint (pair->sent[side], >, before);
    }
  pair_assert_quiet (pair);
}

static void
test_d7 (void)
{
  static const guint large[] = { 63, 64, 65, 100, 127, 128, 129, 255, 257, 1000 };

  for (guint credit = 1; credit <= 40; credit++)
    run_d7 (credit, credit % 7);
  for (guint i = 0; i < G_N_ELEMENTS (large); i++)
    run_d7 (large[i], i);
}

static void
test_d7_every_offset (void)
{
  for (guint before = 0; before < 25; before++)
    run_d7 (20, before);
}

/* D8: everybody is woken -------------------------------------------------------------- */

static void
test_d8_close (gconstpointer data)
{
  guint n = GPOINTER_TO_UINT (data);

  for (guint abort = 0; abort < 2; abort++)
    {
      sqx_config config;
      g_autoptr (Pair) pair = NULL;

      pair_config (&config, PAIR_B);
      config.exchange_credit = MAX (n / 3, 1); /* most are blocked for want of it */
      pair = pair_new (NULL, &config);
      for (guint i = 0; i < n; i++)
        pair_send_on (pair, PAIR_A, i % 5, "question", i % 2 ? SQX_MESSAGE_ORDERED : 0);
      pair_drive (pair);
      if (abort)
        sqx_conn_abort (pair->side[PAIR_A].conn, pair->now, 0, NULL);
      else
        sqx_conn_close (pair->side[PAIR_A].conn, pair->now, 0, NULL);
      pair_flush (pair);
      for (guint tag = 1; tag <= n; tag++)
        pair_assert_failed (pair, PAIR_A, tag, SQX_ERR_CLOSED);
      pair_drive_for (pair, 10 * SQX_SECOND);
      pair_assert_closed (pair, PAIR_A, SQX_OK);
      pair_assert_closed (pair, PAIR_B, SQX_ERR_PEER_CLOSED);
    }
}

/* Eight blocked senders, eight ends that come in every rotation and in reverse: each end lets
 * one proceed. */
static void
test_d8_any_order (void)
{
  for (guint order = 0; order < 16; order++)
    {
      sqx_config config;
      g_autoptr (Pair) pair = NULL;

      pair_config (&config, PAIR_B);
      config.exchange_credit = 8;
      pair = pair_new (NULL, &config);
      pair_connect (pair);
      for (guint i = 0; i < 16; i++)
        pair_send (pair, PAIR_A, "question", 0);
      pair_drive (pair);
      for (guint i = 0; i < 8; i++)
        {
          guint which = (order & 1 ? 7 - i : i) + order / 2;

          g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 8 + i);
          pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, which % 8), SQX_END_ENDED);
          pair_drive (pair);
        }
      g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, 16);
    }
}

/* D9: a slow handler ------------------------------------------------------------------ */

static void
answer_fast (Pair *pair, guint side, const PairMessage *message)
{
  if (g_strcmp0 (pair_text (message), "slow") != 0)
    pair_echo (pair, side, message);
}

static uint64_t
run_d9 (gboolean with_slow)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  uint64_t start, took;
  guint slow = 0;

  pair_connect (pair);
  pair->side[PAIR_B].handler = answer_fast;
  start = pair->now;
  if (with_slow)
    slow = pair_send (pair, PAIR_A, "slow", 0);
  for (guint i = 0; i < 10000; i++)
    pair_send (pair, PAIR_A, "fast", i % 2 ? SQX_MESSAGE_ORDERED : 0);
  pair_drive_until (pair, 10 * SQX_SECOND,
                    pair->side[PAIR_A].replies->len == 10000);
  took = pair->now - start;
  if (with_slow)
    {
      guint taken = pair_n_taken (pair, PAIR_B);

      pair_drive_for (pair, 10 * SQX_SECOND - took);
      pair_assert_pending (pair, PAIR_A, slow);
      g_assert_cmpuint (pair_n_taken (pair, PAIR_B), ==, taken);
      /* Not even once is it sent again. */
      g_assert_cmpuint (pair_statistics (pair, PAIR_A).bytes_resent, ==, 0);
      g_assert_cmpuint (pair_counters (pair, PAIR_B)->duplicate_message, ==, 0);
      pair_end (pair, PAIR_B, pair_taken (pair, PAIR_B, 0), SQX_END_ENDED);
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
  return took;
}

static void
test_d9 (void)
{
  uint64_t alone = run_d9 (FALSE), beside = run_d9 (TRUE);

  g_assert_cmpuint (beside, <=, alone + 20 * SQX_MILLISECOND);
}

/* D10: a dead peer, a long path ------------------------------------------------------- */

typedef struct
{
  guint    dies_after;  /* packets of both */
  guint    to_the_dead;
  uint64_t last_sign;   /* when the last packet that got through arrives */
} Death;

static gboolean
die (Pair *pair, PairPacket *packet, gpointer data)
{
  Death *death = data;

  if (pair->sent[PAIR_A] + pair->sent[PAIR_B] > death->dies_after)
    {
      death->to_the_dead += packet->from == PAIR_A;
      return FALSE;
    }
  if (packet->from == PAIR_B)
    death->last_sign = packet->at;
  return TRUE;
}

static void
test_d10_dead (void)
{
  for (guint dies_after = 0; dies_after < 40; dies_after++)
    {
      g_autoptr (Pair) pair = pair_new (NULL, NULL);
      Death death = { dies_after, 0, pair->now };

      pair->filter = die;
      pair->filter_data = &death;
      for (guint i = 0; i < 10; i++)
        pair_send_size (pair, PAIR_A, 0, i * 150, 0);
      pair_drive_for (pair, 500 * SQX_SECOND);
      pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
      pair_assert_all_failed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
      g_assert_cmpuint (pair->side[PAIR_A].closing.time, <=, death.last_sign + 30 * SQX_SECOND);
      g_assert_cmpuint (death.to_the_dead, <=, 20);
      g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
    }
}

static void
test_d10_dead_in_bulk (void)
{
  g_autoptr (Pair) pair = pair_new (NULL, NULL);
  guint sent;

  for (guint i = 0; i < 50; i++)
    pair_send_size (pair, PAIR_A, 0, 100000, 0);
  pair_drive_for (pair, 300 * SQX_MILLISECOND);
  pair->block[PAIR_A] = pair->block[PAIR_B] = TRUE;
  pair_drive_for (pair, 20 * SQX_MILLISECOND); /* acknowledgements that were on their way */
  sent = pair->sent[PAIR_A];
  pair_drive_for (pair, 60 * SQX_SECOND);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_TIMED_OUT);
  g_assert_cmpuint (pair->sent[PAIR_A] - sent, <=, 20);
}

/* A round trip of 1.2 s costs no packet more than one of 1 ms. */
static void
test_d10_satellite (void)
{
  guint sent[2];

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (Pair) pair = pair_new (NULL, NULL);

      pair->latency[PAIR_A] = pair->latency[PAIR_B] = (i ? 600 : 1) * SQX_MILLISECOND;
      pair->side[PAIR_B].handler = pair_echo;
      for (guint n = 0; n < 5; n++)
        {
          guint tag = pair_send (pair, PAIR_A, "question", SQX_MESSAGE_ORDERED);

          pair_drive_until (pair, 20 * SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
        }
      pair_drive (pair);
      pair_assert_quiet (pair);
      g_assert_cmpuint (pair_statistics (pair, PAIR_A).bytes_resent, ==, 0);
      g_assert_cmpuint (pair_statistics (pair, PAIR_A).probe_timeouts, ==, 0);
      g_assert_cmpuint (pair_statistics (pair, PAIR_B).probe_timeouts, ==, 0);
      sent[i] = pair->sent[PAIR_A] + pair->sent[PAIR_B];
    }
  g_assert_cmpuint (sent[1], <=, sent[0] + 2);
}

/* D11: forgery. PLAIN has no keys: what holds here is that whoever does not know both epochs
 * achieves nothing, and who does cannot claim what never was. Encryption completes it. ---- */

typedef enum { FORGED_ACK, FORGED_END, FORGED_REPLY, FORGED_CLOSE, FORGED_CANCEL, N_FORGED } Forged;

static void
forge (Pair *pair, Forged what)
{
  switch (what)
    {
    case FORGED_ACK:
      fake_ack_range (pair, 1000, 1000000);
      break;
    case FORGED_END:
      fake_end (pair, 0, SQX_END_ENDED, 0, 1);
      break;
    case FORGED_REPLY:
      fake_message (pair, 0, 0, SQX_WIRE_REPLY, 0, "forged");
      break;
    case FORGED_CLOSE:
      g_assert_true (sqx_write_close (&pair->fake.writer, 0, "forged", 6));
      break;
    case FORGED_CANCEL:
      fake_cancel (pair, 0, 0, 8);
      break;
    case N_FORGED:
      break;
    }
}

/* From an epoch that is not the peer's, to one that is not this side's, from a former one, to
 * another instance: with HELLO or without. */
static void
test_d11_blind (gconstpointer data)
{
  Forged what = GPOINTER_TO_UINT (data);
  static const struct { uint32_t source, destination; } cases[] = {
    { 0xdead0001, 0 }, { 0xdead0002, 0xdead }, { PAIR_EPOCH_B, 0xdead },
    { PAIR_EPOCH_A, PAIR_EPOCH_A }, { 0, PAIR_EPOCH_A }, { PAIR_EPOCH_B + 1, PAIR_EPOCH_A - 1 },
  };
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  fake_connect (pair);
  tag = pair_send (pair, PAIR_A, "question", 0);
  fake_begin (pair);
  fake_message (pair, 0, 0, 0, 0, "question");
  fake_send (pair);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (cases); i++)
    {
      uint64_t next = pair->fake.next_number;

      fake_begin_as (pair, cases[i / 2].source, cases[i / 2].destination, (uint32_t) next);
      if (i & 1)
        fake_hello (pair);
      forge (pair, what);
      fake_send (pair);
      pair->fake.next_number = next;
      pair_assert_pending (pair, PAIR_A, tag);
      g_assert_false (pair->side[PAIR_A].closed);
      g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 1);
      g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_CANCELLED), ==, 0);
    }
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->violation, ==, 0);
  fake_begin (pair);
  fake_message (pair, 0, 1, SQX_WIRE_REPLY | SQX_WIRE_FINAL, 0, "answer");
  fake_send (pair);
  pair_assert_replied (pair, PAIR_A, tag, "answer");
}

/* With both epochs right, but for what was never sent. */
static void
test_d11_never_sent (gconstpointer data)
{
  Forged what = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = pair_new_fake (NULL);

  fake_connect (pair);
  fake_begin (pair);
  forge (pair, what);
  if (what == FORGED_REPLY)
    {
      fake_send (pair);
      g_assert_cmpuint (pair_counters (pair, PAIR_A)->stray_reply, ==, 1);
      g_assert_false (pair->side[PAIR_A].closed);
    }
  else
    fake_send_violation (pair);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define D "/seqex/regressions/"
  g_test_add_data_func (D "d1/duplicated", GINT_TO_POINTER (TRUE), test_d1);
  g_test_add_data_func (D "d1/retransmitted", GINT_TO_POINTER (FALSE), test_d1);
  g_test_add_func (D "d1b", test_d1b);
  g_test_add_data_func (D "d2/64", GUINT_TO_POINTER (64), test_d2);
  g_test_add_data_func (D "d2/128", GUINT_TO_POINTER (128), test_d2);
  g_test_add_data_func (D "d2/10000", GUINT_TO_POINTER (10000), test_d2);
  g_test_add_func (D "d2min", test_d2min);
  g_test_add_data_func (D "d3/plain", GINT_TO_POINTER (FALSE), test_d3);
  g_test_add_data_func (D "d3/one-pushed-first", GINT_TO_POINTER (TRUE), test_d3);
  g_test_add_func (D "d4", test_d4);
  g_test_add_func (D "d5", test_d5);
  g_test_add_func (D "d6/credit", test_d6_credit);
  g_test_add_func (D "d6/window", test_d6_window);
  g_test_add_func (D "d6/gap", test_d6_gap);
  g_test_add_func (D "d7/every-credit", test_d7);
  g_test_add_func (D "d7/every-offset", test_d7_every_offset);
  g_test_add_data_func (D "d8/close-1", GUINT_TO_POINTER (1), test_d8_close);
  g_test_add_data_func (D "d8/close-4", GUINT_TO_POINTER (4), test_d8_close);
  g_test_add_data_func (D "d8/close-1000", GUINT_TO_POINTER (1000), test_d8_close);
  g_test_add_func (D "d8/any-order", test_d8_any_order);
  g_test_add_func (D "d9", test_d9);
  g_test_add_func (D "d10/dead-peer", test_d10_dead);
  g_test_add_func (D "d10/dead-in-bulk", test_d10_dead_in_bulk);
  g_test_add_func (D "d10/satellite", test_d10_satellite);
  for (guint what = 0; what < N_FORGED; what++)
    {
      static const char *const names[] = { "ack", "end", "reply", "close", "cancel" };
      g_autofree char *blind = g_strdup_printf (D "d11/blind-%s", names[what]);
      g_autofree char *never = g_strdup_printf (D "d11/never-sent-%s", names[what]);

      g_test_add_data_func (blind, GUINT_TO_POINTER (what), test_d11_blind);
      if (what < FORGED_CLOSE)
        g_test_add_data_func (never, GUINT_TO_POINTER (what), test_d11_never_sent);
    }

  return g_test_run ();
}
