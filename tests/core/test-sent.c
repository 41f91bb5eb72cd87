/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <stdlib.h>

/* The unit is compiled into this program, so that its allocations can be counted and fail. */
static guint allocations;
static guint fail_after = G_MAXUINT;

static void *
test_malloc (size_t size)
{
  if (allocations >= fail_after || size > G_MAXSIZE / 4)
    return NULL;
  allocations++;
  return malloc (size);
}

#define malloc test_malloc
#include "sqx-sent.c"
#undef malloc

/* Appends a packet with @count records that name the packet and their place in it. */
static sqx_sent_packet *
append (sqx_sent *sent,
        guint64   now,
        guint     count)
{
  sqx_record records[100];

  g_assert_cmpuint (count, <=, G_N_ELEMENTS (records));
  for (guint i = 0; i < count; i++)
    records[i] = (sqx_record) {
      .kind = SQX_RECORD_MESSAGE,
      .number = sent->next_number,
      .offset = i,
    };
  g_assert_true (sqx_sent_reserve (sent, count));
  return sqx_sent_append (sent, now, 1000 + count, records, count);
}

/* Everything that is kept is as it was appended; @count_of says how many records. */
static void
check (const sqx_sent *sent,
       guint         (*count_of) (guint64 number))
{
  for (guint64 number = sent->first_number; number < sent->next_number; number++)
    {
      const sqx_sent_packet *packet = sqx_sent_get (sent, number);

      g_assert_nonnull (packet);
      g_assert_cmpuint (packet->records, ==, count_of (number));
      g_assert_cmpuint (packet->size, ==, 1000 + packet->records);
      g_assert_cmpuint (packet->time, ==, 10 * number);
      for (guint i = 0; i < packet->records; i++)
        {
          const sqx_record *record = sqx_sent_record (sent, packet, i);

          g_assert_cmpuint (record->number, ==, number);
          g_assert_cmpuint (record->offset, ==, i);
        }
    }
  g_assert_null (sqx_sent_get (sent, sent->first_number - 1));
  g_assert_null (sqx_sent_get (sent, sent->next_number));
}

static guint
some (guint64 number)
{
  return (guint) (number * 7 % 13);
}

static void
test_empty (void)
{
  sqx_sent sent;

  sqx_sent_init (&sent, 5);
  g_assert_null (sqx_sent_get (&sent, 0));
  g_assert_null (sqx_sent_get (&sent, 4));
  g_assert_null (sqx_sent_get (&sent, 5));
  sqx_sent_trim (&sent, G_MAXUINT64, G_MAXUINT64);
  g_assert_cmpuint (sent.first_number, ==, 5);
  sqx_sent_clear (&sent);
}

static void
test_fields (void)
{
  sqx_sent sent;
  sqx_sent_packet *packet;

  sqx_sent_init (&sent, 5);
  packet = append (&sent, 123, 2);
  g_assert_cmpint (packet->state, ==, SQX_SENT_OUTSTANDING);
  g_assert_false (packet->eliciting);
  g_assert_false (packet->in_flight);
  g_assert_false (packet->limited);
  g_assert_cmpuint (packet->size, ==, 1002);
  packet->eliciting = packet->in_flight = true;
  g_assert_true (sqx_sent_get (&sent, 5) == packet);

  sqx_sent_skip (&sent);
  packet = sqx_sent_get (&sent, 6);
  g_assert_cmpint (packet->state, ==, SQX_SENT_SKIPPED);
  g_assert_cmpuint (packet->records, ==, 0);
  g_assert_cmpuint (sent.next_number, ==, 7);
  sqx_sent_clear (&sent);
  g_assert_null (sqx_sent_get (&sent, 5));
  g_assert_cmpuint (sent.next_number, ==, 7);
}

static void
test_growth (void)
{
  sqx_sent sent;

  /* Trimming while appending, so that both rings have wrapped whenever they grow. */
  sqx_sent_init (&sent, 1000003);
  for (guint64 number = 1000003; number < 1010000; number++)
    {
      append (&sent, 10 * number, some (number));
      if (number % 3 == 0)
        {
          sqx_sent_get (&sent, sent.first_number)->state = SQX_SENT_DONE;
          sqx_sent_trim (&sent, 0, 0);
        }
      if (number % 500 == 0)
        check (&sent, some);
    }
  check (&sent, some);
  g_assert_cmpuint (sent.next_number - sent.first_number, ==, 6665);
  g_assert_cmpuint (sent.packet_capacity, ==, 8192);

  for (guint64 number = sent.first_number; number < sent.next_number; number++)
    sqx_sent_get (&sent, number)->state = SQX_SENT_DONE;
  sqx_sent_trim (&sent, 0, 0);
  g_assert_cmpuint (sent.first_number, ==, sent.next_number);
  g_assert_cmpuint (sent.first_record, ==, sent.next_record);
  g_assert_cmpuint (sent.packet_capacity, ==, 8192);
  sqx_sent_shrink (&sent);
  g_assert_null (sent.packets);
  g_assert_null (sent.records);
  g_assert_cmpuint (sent.packet_capacity + sent.record_capacity, ==, 0);

  append (&sent, 10 * sent.next_number, some (sent.next_number));
  check (&sent, some);
  sqx_sent_clear (&sent);
}

static void
test_steady (void)
{
  sqx_sent sent;
  guint before;

  /* One ring holds all; and an exchange now and then that leaves it empty each time. */
  sqx_sent_init (&sent, 0);
  for (guint round = 0; round < 2; round++)
    {
      guint kept = round == 0 ? 200 : 0;

      for (guint i = 0; i < kept; i++)
        append (&sent, 10 * sent.next_number, some (sent.next_number));
      append (&sent, 10 * sent.next_number, some (sent.next_number));
      before = allocations;
      for (guint i = 0; i < 5000; i++)
        {
          sqx_sent_get (&sent, sent.first_number)->state = SQX_SENT_DONE;
          sqx_sent_trim (&sent, 0, 0);
          append (&sent, 10 * sent.next_number, some (sent.next_number));
        }
      g_assert_cmpuint (allocations - before, <=, 1);
      check (&sent, some);
      while (sent.first_number < sent.next_number)
        {
          sqx_sent_get (&sent, sent.first_number)->state = SQX_SENT_DONE;
          sqx_sent_trim (&sent, 0, 0);
        }
    }
  sqx_sent_clear (&sent);
}

static void
test_trim (void)
{
  sqx_sent sent;

  sqx_sent_init (&sent, 0);
  for (guint i = 0; i < 6; i++)
    append (&sent, 0, 3);
  g_assert_true (sqx_sent_reserve (&sent, 0));
  sqx_sent_skip (&sent);
  append (&sent, 0, 3);

  /* 0 done, 1 outstanding: stops there, whatever comes after. */
  sqx_sent_get (&sent, 0)->state = SQX_SENT_DONE;
  sqx_sent_get (&sent, 2)->state = SQX_SENT_DONE;
  sqx_sent_trim (&sent, G_MAXUINT64, G_MAXUINT64);
  g_assert_cmpuint (sent.first_number, ==, 1);
  g_assert_cmpuint (sent.first_record, ==, 3);

  /* 1 done, 2 done, 3 lost at 100. */
  sqx_sent_get (&sent, 1)->state = SQX_SENT_DONE;
  sqx_sent_get (&sent, 3)->state = SQX_SENT_LOST;
  sqx_sent_get (&sent, 3)->mark = 100;
  sqx_sent_trim (&sent, G_MAXUINT64, 100);
  g_assert_cmpuint (sent.first_number, ==, 3);
  sqx_sent_trim (&sent, G_MAXUINT64, 101);
  g_assert_cmpuint (sent.first_number, ==, 4);
  g_assert_cmpuint (sent.first_record, ==, 12);

  /* 6 is skipped and carries no record. */
  sqx_sent_get (&sent, 4)->state = SQX_SENT_DONE;
  sqx_sent_get (&sent, 5)->state = SQX_SENT_DONE;
  sqx_sent_trim (&sent, 6, 0);
  g_assert_cmpuint (sent.first_number, ==, 6);
  g_assert_cmpuint (sent.first_record, ==, 18);
  sqx_sent_trim (&sent, 7, 0);
  g_assert_cmpuint (sent.first_number, ==, 7);
  g_assert_cmpuint (sent.first_record, ==, 18);
  g_assert_cmpuint (sqx_sent_record (&sent, sqx_sent_get (&sent, 7), 2)->number, ==, 7);

  /* What is acknowledged behind a skipped number is kept without its records, until one follows that
   * is not. */
  g_assert_true (sqx_sent_reserve (&sent, 0));
  sqx_sent_skip (&sent);
  for (guint i = 0; i < 3; i++)
    append (&sent, 0, 3);
  sqx_sent_get (&sent, 7)->state = SQX_SENT_DONE;
  sqx_sent_get (&sent, 9)->state = SQX_SENT_DONE;
  sqx_sent_get (&sent, 11)->state = SQX_SENT_DONE;
  sqx_sent_trim (&sent, 8, 0);
  g_assert_cmpuint (sent.first_number, ==, 8);
  g_assert_cmpuint (sent.first_record, ==, 24);
  g_assert_cmpuint (sqx_sent_record (&sent, sqx_sent_get (&sent, 10), 2)->number, ==, 10);
  sqx_sent_clear (&sent);
}

static void
test_reserve (void)
{
  sqx_sent sent;
  static const sqx_record records[SQX_PACKET_RECORDS];

  /* What was reserved holds a skipped number, a packet and its records, whenever it is. */
  sqx_sent_init (&sent, 0);
  for (guint i = 0; i < 300; i++)
    {
      guint before;

      g_assert_true (sqx_sent_reserve (&sent, SQX_PACKET_RECORDS));
      before = allocations;
      sqx_sent_skip (&sent);
      sqx_sent_append (&sent, 0, 1200, records, SQX_PACKET_RECORDS);
      g_assert_cmpuint (allocations, ==, before);
    }
  sqx_sent_clear (&sent);
}

static void
test_no_memory (void)
{
  for (guint64 wanted = 0; wanted < 2; wanted++)
    {
      sqx_sent sent;

      sqx_sent_init (&sent, 0);
      while (sent.next_number + 2 <= 64)
        append (&sent, 10 * sent.next_number, some (sent.next_number));

      /* The first ring, or only the second, cannot grow. */
      fail_after = allocations + (guint) wanted;
      g_assert_false (sqx_sent_reserve (&sent, 10000));
      fail_after = G_MAXUINT;
      check (&sent, some);
      g_assert_true (sqx_sent_reserve (&sent, 10000));
      check (&sent, some);
      g_assert_false (sqx_sent_reserve (&sent, G_MAXSIZE));
      g_assert_false (sqx_sent_reserve (&sent, G_MAXSIZE / 2));
      g_assert_false (sqx_sent_reserve (&sent, G_MAXSIZE / 4));
      g_assert_false (sqx_sent_reserve (&sent, G_MAXSIZE / 64));
      check (&sent, some);

      /* No ring holds so many packets. */
      sent.next_number += G_GUINT64_CONSTANT (1) << 63;
      g_assert_false (sqx_sent_reserve (&sent, 0));
      sqx_sent_clear (&sent);
    }
}

/* Seeded changes against a plain array of everything ever appended. */
static void
test_random (void)
{
  g_autoptr (GArray) states = g_array_new (FALSE, FALSE, sizeof (guint8));
  sqx_sent sent;
  guint64 first = 0;

  sqx_sent_init (&sent, 0);
  for (guint i = 0; i < 20000; i++)
    {
      guint appends = (i / 4000) % 2 == 0 ? 6 : 3; /* the rings grow, then run dry */
      guint8 state = SQX_SENT_OUTSTANDING;

      if ((guint) g_test_rand_int_range (0, 10) < appends)
        {
          append (&sent, 10 * sent.next_number, some (sent.next_number));
          g_array_append_val (states, state);
        }
      else if (first < sent.next_number)
        {
          guint64 reach = MIN (sent.next_number, first + 20);
          guint64 number = (guint64) g_test_rand_int_range ((gint32) first, (gint32) reach);

          sqx_sent_get (&sent, number)->state = SQX_SENT_DONE;
          g_array_index (states, guint8, number) = SQX_SENT_DONE;
          sqx_sent_trim (&sent, 0, 0);
          while (first < states->len && g_array_index (states, guint8, first) == SQX_SENT_DONE)
            first++;
        }
      g_assert_cmpuint (sent.first_number, ==, first);
      if (i % 100 == 0)
        check (&sent, some);
    }
  sqx_sent_clear (&sent);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/sent/empty", test_empty);
  g_test_add_func ("/seqex/sent/fields", test_fields);
  g_test_add_func ("/seqex/sent/growth", test_growth);
  g_test_add_func ("/seqex/sent/steady", test_steady);
  g_test_add_func ("/seqex/sent/trim", test_trim);
  g_test_add_func ("/seqex/sent/reserve", test_reserve);
  g_test_add_func ("/seqex/sent/no-memory", test_no_memory);
  g_test_add_func ("/seqex/sent/random", test_random);
  return g_test_run ();
}
