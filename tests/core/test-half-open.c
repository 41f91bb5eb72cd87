/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of unfinished handshakes, and the queue of answers for which nothing is kept.
 */
#include <glib.h>
#include <string.h>

#include "fail-alloc.h"
#include "sqx-answers.h"
#include "sqx-half-open.h"

static sqx_address
address (guint host,
         guint port)
{
  return (sqx_address) { .host = { 10, 0, 0, (guint8) host }, .host_size = 4,
                         .port = (guint16) port };
}

static sqx_half_open *
add (sqx_half_opens *table,
     guint64         now,
     guint           host,
     guint           port,
     guint32         id,
     guint8          ephemeral,
     guint64         hash)
{
  sqx_half_open *half_open = sqx_half_open_new ();

  g_assert_nonnull (half_open);
  half_open->from = address (host, port);
  half_open->handshake.peer_id = id;
  memset (half_open->handshake.ephemeral, ephemeral, SQX_KEY_SIZE);
  sqx_half_opens_add (table, now, half_open, hash, host % 2);
  return half_open;
}

static sqx_half_open *
find (const sqx_half_opens *table,
      guint                 host,
      guint                 port,
      guint32               id,
      guint8                ephemeral,
      guint64               hash)
{
  sqx_address from = address (host, port);
  guint8 bytes[SQX_KEY_SIZE];

  memset (bytes, ephemeral, sizeof bytes);
  return sqx_half_opens_find (table, hash, &from, id, bytes);
}

static void
drop (sqx_half_opens *table,
      sqx_half_open  *half_open)
{
  sqx_half_opens_remove (table, half_open);
  sqx_half_open_free (half_open);
}

/* Each of address, port, source id and ephemeral tells one from another, also with equal hashes. */
static void
test_find (void)
{
  sqx_half_opens table;
  sqx_half_open *items[5];

  g_assert_true (sqx_half_opens_init (&table, 1));
  g_assert_null (sqx_half_opens_oldest (&table));
  items[0] = add (&table, 0, 1, 1, 1, 1, 7);
  items[1] = add (&table, 0, 2, 1, 1, 1, 7);
  items[2] = add (&table, 0, 1, 2, 1, 1, 7);
  items[3] = add (&table, 0, 1, 1, 2, 1, 7);
  items[4] = add (&table, 0, 1, 1, 1, 2, 7);
  g_assert_true (find (&table, 1, 1, 1, 1, 7) == items[0]);
  g_assert_true (find (&table, 2, 1, 1, 1, 7) == items[1]);
  g_assert_true (find (&table, 1, 2, 1, 1, 7) == items[2]);
  g_assert_true (find (&table, 1, 1, 2, 1, 7) == items[3]);
  g_assert_true (find (&table, 1, 1, 1, 2, 7) == items[4]);
  g_assert_null (find (&table, 2, 2, 1, 1, 7));
  g_assert_null (find (&table, 1, 1, 1, 1, 8));
  g_assert_cmpuint (table.count, ==, 5);
  drop (&table, items[0]);
  g_assert_null (find (&table, 1, 1, 1, 1, 7));
  for (guint i = 1; i < 5; i++)
    drop (&table, items[i]);
  g_assert_cmpuint (table.count, ==, 0);
  sqx_half_opens_clear (&table);
}

static void
test_age (void)
{
  sqx_half_opens table;
  sqx_half_open *first, *second, *third, *oldest;
  sqx_address one = address (1, 9), three = address (3, 9), five = address (5, 9);

  g_assert_true (sqx_half_opens_init (&table, 1));
  first = add (&table, 10, 1, 1, 1, 1, 1);
  second = add (&table, 20, 3, 1, 1, 1, 2);
  third = add (&table, 30, 1, 2, 1, 1, 3);
  g_assert_cmpuint (first->until, ==, 10 + SQX_HALF_OPEN_LIFE);
  g_assert_true (sqx_half_opens_oldest (&table) == first);
  /* Hosts with the same hash are told apart; ports do not matter. */
  g_assert_cmpuint (sqx_half_opens_of_host (&table, 1, &one, &oldest), ==, 2);
  g_assert_true (oldest == first);
  g_assert_cmpuint (sqx_half_opens_of_host (&table, 1, &three, &oldest), ==, 1);
  g_assert_true (oldest == second);
  g_assert_cmpuint (sqx_half_opens_of_host (&table, 1, &five, &oldest), ==, 0);
  g_assert_null (oldest);
  drop (&table, first);
  g_assert_true (sqx_half_opens_oldest (&table) == second);
  g_assert_cmpuint (sqx_half_opens_of_host (&table, 1, &one, &oldest), ==, 1);
  g_assert_true (oldest == third);
  drop (&table, second);
  drop (&table, third);
  sqx_half_opens_clear (&table);
}

static void
test_due (void)
{
  sqx_half_opens table;
  sqx_half_open *first, *second;

  g_assert_true (sqx_half_opens_init (&table, 1));
  first = add (&table, 10, 1, 1, 1, 1, 1);
  second = add (&table, 20, 3, 1, 1, 1, 2);
  g_assert_null (sqx_half_opens_next (&table));
  sqx_half_opens_send (&table, second);
  sqx_half_opens_send (&table, first);
  sqx_half_opens_send (&table, second);
  g_assert_true (sqx_half_opens_next (&table) == second);
  drop (&table, first);
  g_assert_null (sqx_half_opens_next (&table));
  drop (&table, second);
  sqx_half_opens_clear (&table);
}

static void
test_early (void)
{
  static const guint8 data[SQX_DATAGRAM_DEFAULT + 1] = { 8, 1, 2 };
  sqx_half_open *half_open = sqx_half_open_new ();

  g_assert_false (sqx_half_open_keep (half_open, data, sizeof data));
  fail_count = 1;
  g_assert_false (sqx_half_open_keep (half_open, data, 3));
  for (guint i = 0; i < SQX_EARLY_DATA; i++)
    g_assert_true (sqx_half_open_keep (half_open, data, sizeof data - 1 - i));
  g_assert_false (sqx_half_open_keep (half_open, data, 3));
  g_assert_cmpuint (half_open->n_early, ==, SQX_EARLY_DATA);
  g_assert_cmpmem (half_open->early[1], half_open->early_size[1], data, sizeof data - 2);
  sqx_half_open_free (half_open);
  sqx_half_open_free (NULL);
}

static void
test_no_memory (void)
{
  sqx_half_opens table;

  for (guint i = 0; i < 2; i++)
    {
      fail_after = i;
      fail_count = 1;
      g_assert_false (sqx_half_opens_init (&table, 1));
      sqx_half_opens_clear (&table);
    }
  fail_count = 1;
  g_assert_null (sqx_half_open_new ());
}

/* Answers ------------------------------------------------------------------------------ */

static guint
burst (sqx_answers *answers,
       guint64      now,
       guint64      hash)
{
  sqx_address to = address (1, 1);
  guint n = 0;

  while (sqx_answers_add (answers, now, &to, hash) != NULL)
    {
      g_assert_nonnull (sqx_answers_take (answers));
      g_assert_cmpuint (n++, <, 100000);
    }
  return n;
}

static void
test_rate (void)
{
  g_autofree sqx_answers *answers = g_new0 (sqx_answers, 1);
  guint64 now = 5 * SQX_SECOND;

  g_assert_cmpuint (burst (answers, now, 1), ==, SQX_ANSWER_BURST);
  g_assert_cmpuint (burst (answers, now, 1 + SQX_ANSWER_BUCKETS), ==, 0);
  g_assert_cmpuint (burst (answers, now, 2), ==, SQX_ANSWER_BURST);
  g_assert_cmpuint (burst (answers, now + SQX_SECOND / SQX_ANSWER_RATE - 1, 1), ==, 0);
  g_assert_cmpuint (burst (answers, now + SQX_SECOND / SQX_ANSWER_RATE, 1), ==, 1);
  g_assert_cmpuint (burst (answers, now + 10 * SQX_SECOND / SQX_ANSWER_RATE, 1), ==, 9);
  /* What was not used is not saved up. */
  g_assert_cmpuint (burst (answers, now + 1000 * SQX_SECOND, 1), ==, SQX_ANSWER_BURST);
}

static void
test_queue (void)
{
  g_autofree sqx_answers *answers = g_new0 (sqx_answers, 1);
  guint64 now = SQX_SECOND;

  g_assert_null (sqx_answers_take (answers));
  for (guint round = 0; round < 3; round++)
    {
      for (guint i = 0; i < SQX_ANSWER_QUEUE; i++)
        {
          sqx_address to = address (1, i);
          sqx_answer *answer = sqx_answers_add (answers, now, &to, i);

          g_assert_nonnull (answer);
          answer->size = (guint8) (i % 64);
        }
      g_assert_null (sqx_answers_add (answers, now, &(sqx_address) { .port = 1 }, 1));
      for (guint i = 0; i < SQX_ANSWER_QUEUE - round; i++)
        {
          const sqx_answer *answer = sqx_answers_take (answers);

          g_assert_cmpuint (answer->to.port, ==, i);
          g_assert_cmpuint (answer->size, ==, i % 64);
        }
      for (guint i = 0; i < round; i++)
        g_assert_nonnull (sqx_answers_take (answers));
      g_assert_null (sqx_answers_take (answers));
      sqx_answers_add (answers, now, &(sqx_address) { .port = 1 }, 500);
      sqx_answers_take (answers);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/half-open/find", test_find);
  g_test_add_func ("/seqex/half-open/age", test_age);
  g_test_add_func ("/seqex/half-open/due", test_due);
  g_test_add_func ("/seqex/half-open/early", test_early);
  g_test_add_func ("/seqex/half-open/no-memory", test_no_memory);
  g_test_add_func ("/seqex/answers/rate", test_rate);
  g_test_add_func ("/seqex/answers/queue", test_queue);
  return g_test_run ();
}
