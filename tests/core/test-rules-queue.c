/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The queue of messages that wait for credit: its bound, and who is told when there is room.
 */
#include "pair.h"

static void
grant (Pair *pair, uint64_t bytes, uint64_t exchanges)
{
  fake_begin (pair);
  g_assert_true (sqx_write_credit (&pair->fake.writer, bytes, exchanges));
  fake_send (pair);
}

static void
test_queue_limit (void)
{
  g_autoptr (Pair) pair = NULL;
  sqx_config config;
  guint tag, first;

  pair_config (&config, PAIR_A);
  config.queue_limit = 1000;
  pair = pair_new_fake (&config);
  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  pair_send (pair, PAIR_A, "begun", 0);
  pair_flush (pair);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 0);
  first = pair_send_size (pair, PAIR_A, 0, 436, 0);
  pair_send_size (pair, PAIR_A, 0, 436, 0);
  g_assert_cmpuint (sqx_conn_queued_bytes (pair->side[PAIR_A].conn), ==, 1000);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new (NULL, 0), 0, &tag), ==,
                   SQX_ERR_QUEUE_FULL);
  g_assert_false (sqx_conn_is_writable (pair->side[PAIR_A].conn));
  pair_flush (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 0);
  grant (pair, UINT64_C (16) << 20, 2);
  pair_assert_pending (pair, PAIR_A, first);
  grant (pair, UINT64_C (16) << 20, 3);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 1);
  g_assert_true (sqx_conn_is_writable (pair->side[PAIR_A].conn));
  /* Told once. */
  grant (pair, UINT64_C (16) << 20, 4);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 1);
}

/* Both sides have full queues, which only the answers to each other's questions let go. */
static void
test_answers_pass_full_queue (void)
{
  sqx_config config[2];
  g_autoptr (Pair) pair = NULL;
  guint tag;

  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].exchange_credit = 1;
      config[i].queue_limit = 1000;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  pair_connect (pair);
  for (guint side = 0; side < 2; side++)
    do
      pair_flush (pair);
    while (pair_try_send (pair, side, 0, g_bytes_new ("question", 8), 0, &tag) == SQX_OK);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_false (sqx_conn_is_writable (pair->side[side].conn));
      pair->side[side].handler = pair_echo;
    }
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* One that is larger than the limit is taken when it is alone: waiting would not help. */
static void
test_larger_than_limit (void)
{
  sqx_config config;
  g_autoptr (Pair) pair = NULL;
  guint tag, second;

  pair_config (&config, PAIR_A);
  config.queue_limit = 1000;
  pair = pair_new (&config, NULL);
  tag = pair_send_size (pair, PAIR_A, 0, 100000, SQX_MESSAGE_FINAL);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &second), ==,
                   SQX_ERR_QUEUE_FULL);
  pair_drive (pair);
  pair_assert_ended (pair, PAIR_A, tag, SQX_END_ENDED);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 1);
  pair_assert_quiet (pair);
}

/* Raising the limit makes room too, and the program is told. */
static void
test_limit_raised (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  guint tag;

  pair->fake.hello.exchange_credit = 1;
  fake_connect (pair);
  sqx_conn_set_queue_limit (pair->side[PAIR_A].conn, 100);
  for (guint i = 0; i < 2; i++)
    pair_send (pair, PAIR_A, "question", 0);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &tag), ==,
                   SQX_ERR_QUEUE_FULL);
  pair_flush (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 0);
  sqx_conn_set_queue_limit (pair->side[PAIR_A].conn, 1000);
  pair_flush (pair);
  g_assert_cmpuint (pair_n_events (pair, PAIR_A, SQX_EVENT_WRITABLE), ==, 1);
  g_assert_cmpint (pair_try_send (pair, PAIR_A, 0, g_bytes_new ("x", 1), 0, &tag), ==, SQX_OK);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define Q "/seqex/rules/r08-queue/"
  g_test_add_func (Q "bounded", test_queue_limit);
  g_test_add_func (Q "answers-pass", test_answers_pass_full_queue);
  g_test_add_func (Q "larger-than-the-limit", test_larger_than_limit);
  g_test_add_func (Q "limit-raised", test_limit_raised);

  return g_test_run ();
}
