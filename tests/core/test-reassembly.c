/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages put together from parts in any order.
 */
#include <glib.h>
#include <stdlib.h>

#include "sqx-reassembly.h"

#define UNLIMITED G_MAXSIZE

/* What the sender sent, and which of it arrived. */
typedef struct
{
  sqx_reassembly reassembly;
  guint8        *bytes;
  guint8        *arrived;
  gsize          total;
} Message;

static void
message_init (Message *message,
              gsize    total)
{
  sqx_reassembly_init (&message->reassembly, total);
  message->total = total;
  message->bytes = g_malloc (total + 1);
  message->arrived = g_malloc0 (total + 1);
  for (gsize i = 0; i < total; i++)
    message->bytes[i] = (guint8) g_test_rand_int ();
}

static void
message_clear (Message *message)
{
  sqx_reassembly_clear (&message->reassembly);
  g_free (message->bytes);
  g_free (message->arrived);
}

/* The bounds on memory, and the ranges. */
static void
check (Message *message)
{
  const sqx_reassembly *reassembly = &message->reassembly;
  guint64 received = sqx_ranges_overlap (&reassembly->ranges, 0, message->total);

  /* What came in one piece has no ranges. */
  if (reassembly->received == message->total && reassembly->ranges.count == 0)
    received = message->total;

  g_assert_cmpuint (reassembly->received, ==, received);
  g_assert_cmpuint (reassembly->capacity, <=, SQX_FRAGMENT_SLACK + 2 * received);
  g_assert_cmpuint (reassembly->capacity, <=, message->total);
  g_assert_cmpint (reassembly->data == NULL, ==, reassembly->capacity == 0);
}

/* Adds a part; the bytes go through a block of its own, so that a sanitizer sees a read past it. */
static sqx_reassembly_result
add (Message *message,
     gsize    offset,
     gsize    size,
     gsize    ranges_left)
{
  guint8 *part = g_malloc (MAX (size, 1));
  sqx_reassembly_result result;

  memcpy (part, message->bytes + offset, size);
  result = sqx_reassembly_add (&message->reassembly, offset, part, size, ranges_left);
  g_free (part);
  if (result == SQX_REASSEMBLY_ADDED || result == SQX_REASSEMBLY_WHOLE)
    memset (message->arrived + offset, 1, size);
  check (message);
  return result;
}

static void
check_whole (Message *message)
{
  guint8 *data = sqx_reassembly_steal (&message->reassembly);

  g_assert_cmpmem (data, message->total, message->bytes, message->total);
  /* The block has exactly this size, which the sanitizer watches. */
  data[message->total - 1] ^= 1;
  free (data);
  g_assert_null (message->reassembly.data);
  g_assert_cmpint (add (message, 0, message->total, 0), ==, SQX_REASSEMBLY_DUPLICATE);
}

static void
test_empty (void)
{
  Message message;

  message_init (&message, 0);
  g_assert_cmpint (add (&message, 0, 0, 0), ==, SQX_REASSEMBLY_WHOLE);
  g_assert_null (sqx_reassembly_steal (&message.reassembly));
  message_clear (&message);
}

static void
test_one_part (void)
{
  Message message;

  message_init (&message, 1000);
  g_assert_cmpint (add (&message, 0, 1000, 0), ==, SQX_REASSEMBLY_WHOLE);
  g_assert_cmpuint (message.reassembly.capacity, ==, 1000);
  check_whole (&message);
  message_clear (&message);
}

static void
test_in_order (void)
{
  Message message;
  gsize blocks = 0;

  message_init (&message, 1000000);
  for (gsize at = 0; at < 1000000; at += 1000)
    {
      gsize capacity = message.reassembly.capacity;

      g_assert_cmpint (add (&message, at, 1000, 0), ==,
                       at == 999000 ? SQX_REASSEMBLY_WHOLE : SQX_REASSEMBLY_ADDED);
      blocks += message.reassembly.capacity != capacity;
    }
  /* It doubles, it does not creep. */
  g_assert_cmpuint (blocks, <, 15);
  check_whole (&message);
  message_clear (&message);
}

static void
test_duplicates (void)
{
  Message message;

  message_init (&message, 100);
  g_assert_cmpint (add (&message, 10, 20, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 10, 20, UNLIMITED), ==, SQX_REASSEMBLY_DUPLICATE);
  g_assert_cmpint (add (&message, 15, 5, UNLIMITED), ==, SQX_REASSEMBLY_DUPLICATE);
  g_assert_cmpint (add (&message, 50, 0, UNLIMITED), ==, SQX_REASSEMBLY_DUPLICATE);
  g_assert_cmpint (add (&message, 29, 2, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpuint (message.reassembly.received, ==, 21);
  g_assert_cmpint (add (&message, 40, 60, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 0, 100, 0), ==, SQX_REASSEMBLY_WHOLE);
  check_whole (&message);
  message_clear (&message);
}

/* The bytes that came first win. */
static void
test_first_wins (void)
{
  guint8 old[100], later[100], *data;
  sqx_reassembly reassembly;

  memset (old, 'o', sizeof old);
  memset (later, 'n', sizeof later);
  sqx_reassembly_init (&reassembly, 100);
  g_assert_cmpint (sqx_reassembly_add (&reassembly, 20, old, 10, 9), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (sqx_reassembly_add (&reassembly, 50, old, 10, 9), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (sqx_reassembly_add (&reassembly, 25, later, 30, 9), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (sqx_reassembly_add (&reassembly, 80, old, 20, 9), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (sqx_reassembly_add (&reassembly, 0, later, 100, 9), ==, SQX_REASSEMBLY_WHOLE);
  data = sqx_reassembly_steal (&reassembly);
  for (guint i = 0; i < 100; i++)
    {
      gboolean is_old = (i >= 20 && i < 30) || (i >= 50 && i < 60) || i >= 80;

      g_assert_cmpuint (data[i], ==, is_old ? 'o' : 'n');
    }
  free (data);
  sqx_reassembly_clear (&reassembly);
}

/* A part too far ahead is refused, and taken later. */
static void
test_early (void)
{
  const gsize slack = SQX_FRAGMENT_SLACK;
  Message message;

  message_init (&message, 4 * slack);
  g_assert_cmpint (add (&message, 4 * slack - 1, 1, UNLIMITED), ==, SQX_REASSEMBLY_EARLY);
  g_assert_cmpuint (message.reassembly.capacity, ==, 0);
  /* A part of n bytes may end at slack + 2 n. */
  g_assert_cmpint (add (&message, slack + 101, 100, UNLIMITED), ==, SQX_REASSEMBLY_EARLY);
  g_assert_cmpint (add (&message, slack + 100, 100, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, slack + 400, 100, UNLIMITED), ==, SQX_REASSEMBLY_EARLY);
  g_assert_cmpint (add (&message, 0, slack, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, slack + 400, 100, UNLIMITED), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 4 * slack - 1, 1, UNLIMITED), ==, SQX_REASSEMBLY_EARLY);
  /* Bytes in order are never too early, however many. */
  g_assert_cmpint (add (&message, slack, 3 * slack, UNLIMITED), ==, SQX_REASSEMBLY_WHOLE);
  check_whole (&message);
  message_clear (&message);
}

static void
test_range_cap (void)
{
  Message message;

  message_init (&message, 1000);
  g_assert_cmpint (add (&message, 100, 10, 0), ==, SQX_REASSEMBLY_RANGES);
  g_assert_null (message.reassembly.data);
  g_assert_cmpint (add (&message, 100, 10, 1), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 200, 10, 1), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 150, 10, 0), ==, SQX_REASSEMBLY_RANGES);
  g_assert_cmpint (add (&message, 111, 88, 0), ==, SQX_REASSEMBLY_RANGES);
  g_assert_cmpuint (message.reassembly.received, ==, 20);
  /* What adjoins or overlaps adds no range. */
  g_assert_cmpint (add (&message, 110, 5, 0), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 90, 10, 0), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 205, 10, 0), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 115, 85, 0), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpuint (message.reassembly.ranges.count, ==, 1);
  /* The beginning is always taken, and so is what follows it. */
  g_assert_cmpint (add (&message, 0, 10, 0), ==, SQX_REASSEMBLY_ADDED);
  g_assert_cmpint (add (&message, 11, 10, 0), ==, SQX_REASSEMBLY_RANGES);
  for (gsize at = 10; at < 990; at += 10)
    g_assert_cmpint (add (&message, at, 10, 0), !=, SQX_REASSEMBLY_RANGES);
  g_assert_cmpint (add (&message, 985, 15, 0), ==, SQX_REASSEMBLY_WHOLE);
  check_whole (&message);
  message_clear (&message);
}

/* One byte at the far end of what is allowed costs the slack and no more. */
static void
test_memory (void)
{
  Message message;

  message_init (&message, 16 * SQX_FRAGMENT_SLACK);
  g_assert_cmpint (add (&message, SQX_FRAGMENT_SLACK + 1, 1, 1), ==, SQX_REASSEMBLY_ADDED);
  for (gsize at = 0; at < SQX_FRAGMENT_SLACK; at += 4096)
    {
      g_assert_cmpint (add (&message, at, 1, 1000), ==, SQX_REASSEMBLY_ADDED);
      g_assert_cmpuint (message.reassembly.capacity, <=, SQX_FRAGMENT_SLACK + 2 * (at + 2));
    }
  sqx_reassembly_clear (&message.reassembly);
  g_assert_null (message.reassembly.data);
  g_assert_cmpuint (message.reassembly.received, ==, 0);
  g_assert_cmpuint (message.reassembly.total, ==, message.total);
  message_clear (&message);
}

/* What the result must be, from a bitmap of what arrived. */
static sqx_reassembly_result
expected (Message *message,
          gsize    offset,
          gsize    size,
          gsize    ranges_left)
{
  gsize fresh = 0, missing = 0, end = offset + size;
  gboolean touches;

  for (gsize i = offset; i < end; i++)
    fresh += !message->arrived[i];
  for (gsize i = 0; i < message->total; i++)
    missing += !message->arrived[i];
  if (fresh == 0)
    return SQX_REASSEMBLY_DUPLICATE;
  if (end > SQX_FRAGMENT_SLACK + 2 * (message->total - missing + fresh))
    return SQX_REASSEMBLY_EARLY;
  touches = fresh < size || (offset > 0 && message->arrived[offset - 1]) ||
            (end < message->total && message->arrived[end]);
  if (!touches && offset > 0 && ranges_left == 0)
    return SQX_REASSEMBLY_RANGES;
  return fresh == missing ? SQX_REASSEMBLY_WHOLE : SQX_REASSEMBLY_ADDED;
}

static void
random_message (gsize total,
                gsize longest,
                gsize cap)
{
  sqx_reassembly_result result;
  Message message;

  message_init (&message, total);
  do
    {
      gsize offset = (gsize) g_test_rand_int_range (0, (gint32) total);
      gsize size = (gsize) g_test_rand_int_range (0, (gint32) longest) + 1;
      gsize count = message.reassembly.ranges.count;
      gsize left = cap > count ? cap - count : 0;
      sqx_reassembly_result wanted;

      /* Now and then the oldest missing bytes, which must bring every message to its end. */
      if (g_test_rand_int_range (0, 4) == 0)
        for (offset = 0; message.arrived[offset];)
          offset++;
      size = MIN (size, total - offset);
      wanted = expected (&message, offset, size, left);
      result = add (&message, offset, size, left);
      g_assert_cmpint (result, ==, wanted);
      g_assert_cmpuint (message.reassembly.ranges.count, <=, cap + 1);
    }
  while (result != SQX_REASSEMBLY_WHOLE);
  check_whole (&message);
  message_clear (&message);
}

static void
test_random (void)
{
  for (guint i = 0; i < 300; i++)
    random_message ((gsize) g_test_rand_int_range (1, 2000),
                    (gsize) g_test_rand_int_range (1, 300),
                    (gsize) g_test_rand_int_range (0, 20));
  random_message (2 * SQX_FRAGMENT_SLACK, 60000, 20);
  random_message (5 * SQX_FRAGMENT_SLACK, 60000, 5);
}

static guint n_bodies;

static uint8_t *
new_body (size_t size)
{
  n_bodies++;
  return malloc (size);
}

/* The program's memory: asked for once a message, of one piece or of several. */
static void
test_body_new (void)
{
  for (guint parts = 1; parts <= 3; parts++)
    {
      Message message;

      n_bodies = 0;
      message_init (&message, 3000);
      message.reassembly.body_new = new_body;
      for (guint i = 0; i < parts; i++)
        add (&message, i * 3000 / parts, 3000 / parts, 5);
      g_assert_cmpuint (n_bodies, ==, 1);
      check_whole (&message);
      sqx_reassembly_clear (&message.reassembly);
      g_assert_true (message.reassembly.body_new == new_body);
      message_clear (&message);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/reassembly/empty", test_empty);
  g_test_add_func ("/seqex/reassembly/one-part", test_one_part);
  g_test_add_func ("/seqex/reassembly/in-order", test_in_order);
  g_test_add_func ("/seqex/reassembly/duplicates", test_duplicates);
  g_test_add_func ("/seqex/reassembly/first-wins", test_first_wins);
  g_test_add_func ("/seqex/reassembly/early", test_early);
  g_test_add_func ("/seqex/reassembly/range-cap", test_range_cap);
  g_test_add_func ("/seqex/reassembly/memory", test_memory);
  g_test_add_func ("/seqex/reassembly/random", test_random);
  g_test_add_func ("/seqex/reassembly/body-new", test_body_new);
  return g_test_run ();
}
