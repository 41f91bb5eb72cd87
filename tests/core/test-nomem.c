/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every allocation of the core fails once, and every allocation from some moment on: nothing
 * crashes, nothing leaks, nothing is delivered twice, every wait ends, and a connection that did
 * not fail goes on. The linker puts the wrappers below in the core's way; GLib's own memory is
 * not touched.
 */
#include "pair.h"

#include <malloc.h>
#include <stdlib.h>

#include "streams-pattern.h"

void *__real_malloc (size_t size);
void *__real_calloc (size_t n, size_t size);
void *__real_realloc (void *block, size_t size);
void  __real_free (void *block);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t n, size_t size);
void *__wrap_realloc (void *block, size_t size);
void  __wrap_free (void *block);

static gboolean armed;
static guint64  calls;     /* while armed */
static guint64  fail_at;   /* 0: never */
static gboolean for_ever;  /* all calls from fail_at on fail */
static gint64   blocks;    /* allocated and not freed */
static gint64   bytes;     /* in them */

static gboolean
fails (void)
{
  if (!armed)
    return FALSE;
  calls++;
  return fail_at != 0 && (for_ever ? calls >= fail_at : calls == fail_at);
}

static void *
allocated (void *block)
{
  blocks += block != NULL;
  bytes += (gint64) malloc_usable_size (block);
  return block;
}

void *
__wrap_malloc (size_t size)
{
  return allocated (fails () ? NULL : __real_malloc (size));
}

void *
__wrap_calloc (size_t n, size_t size)
{
  return allocated (fails () ? NULL : __real_calloc (n, size));
}

void *
__wrap_realloc (void *block, size_t size)
{
  gint64 before = (gint64) malloc_usable_size (block);
  void *moved;

  g_assert_cmpuint (size, >, 0);
  moved = fails () ? NULL : __real_realloc (block, size);
  if (moved != NULL)
    {
      blocks += block == NULL;
      bytes += (gint64) malloc_usable_size (moved) - before;
    }
  return moved;
}

void
__wrap_free (void *block)
{
  blocks -= block != NULL;
  bytes -= (gint64) malloc_usable_size (block);
  __real_free (block);
}

/* Programs that live with every refusal ------------------------------------------------ */

static void
try_send (Pair *pair, guint side, uint32_t channel, size_t size, uint32_t flags)
{
  guint tag;
  sqx_result result;

  result = pair_try_send (pair, side, channel, g_bytes_new_take (g_malloc0 (size + 1), size),
                          flags, &tag);
  /* Anything else would be a wrong word for it; after a failure the connection says which. */
  if (result != SQX_OK && !sqx_conn_is_writable (pair->side[side].conn))
    return;
  if (result != SQX_OK)
    g_assert_cmpint (result, ==, SQX_ERR_NO_MEMORY);
}

static void
try_answer (Pair *pair, guint side, const PairMessage *message)
{
  sqx_conn *conn = pair->side[side].conn;
  guint tag;

  if (message->flags & SQX_MESSAGE_FINAL)
    return;
  if (message->id.number % 3 == 0
      || pair_try_reply (pair, side, &message->id, g_bytes_ref (message->payload),
                         SQX_MESSAGE_FINAL | (message->flags & SQX_MESSAGE_ORDERED), &tag)
           != SQX_OK)
    sqx_conn_end (conn, pair->now, &message->id, SQX_END_ENDED);
}

static gboolean
drop_some (Pair *pair, PairPacket *packet, gpointer data)
{
  if (packet->nth % 11 == 5)
    packet->at += 35 * SQX_MILLISECOND;
  return packet->nth % 9 != 4 && packet->nth % 9 != 6; /* two holes in one flight */
}

static gboolean
is_over (Pair *pair)
{
  return (pair->side[PAIR_A].closed && pair->side[PAIR_B].closed)
         || (!sqx_conn_is_busy (pair->side[PAIR_A].conn)
             && !sqx_conn_is_busy (pair->side[PAIR_B].conn)
             && pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
}

/* Scenarios --------------------------------------------------------------------------- */

typedef void (*Scenario) (Pair *pair);

static void
exchanges (Pair *pair)
{
  try_send (pair, PAIR_A, 0, 60000, 0); /* long enough to be lost in several places at once */
  for (guint i = 0; i < 12; i++)
    {
      try_send (pair, PAIR_A, i % 3, i * 700, i % 4);
      try_send (pair, PAIR_B, i % 2, i * 100, (i + 1) % 4);
      pair_drive_for (pair, 4 * SQX_MILLISECOND);
      if (i % 4 == 3)
        for (guint side = 0; side < 2; side++)
          {
            guint tag = pair->side[side].waits->len;

            if (tag > 0 && !pair_is_done (pair, side, tag))
              pair_cancel (pair, side, tag);
          }
    }
}

static void
send_datagram (Pair *pair, guint side)
{
  sqx_payload payload = { (const uint8_t *) "datagram", 8, NULL };

  sqx_conn_send_datagram (pair->side[side].conn, pair->now, &payload);
}

static void
channels_and_restart (Pair *pair)
{
  sqx_conn *conn = pair->side[PAIR_A].conn;

  sqx_conn_open_channel (conn, 7);
  sqx_conn_set_serialized (conn, 7, true);
  sqx_conn_set_priority (conn, 40, 0);
  for (guint i = 0; i < 6; i++)
    {
      try_send (pair, PAIR_B, 7, 50, SQX_MESSAGE_ORDERED);
      try_send (pair, PAIR_A, i * 20, 3000, 0);
      try_send (pair, PAIR_A, 40, 3000, SQX_MESSAGE_FINAL);
      send_datagram (pair, i % 2);
      pair_drive_for (pair, 9 * SQX_MILLISECOND);
    }
  armed = FALSE;
  pair_restart (pair, PAIR_B);
  armed = TRUE;
  for (guint i = 0; i < 6; i++)
    {
      try_send (pair, PAIR_B, 7, 500, SQX_MESSAGE_ORDERED);
      send_datagram (pair, i % 2);
      pair_drive_for (pair, 9 * SQX_MILLISECOND);
    }
}

static void
closing (Pair *pair)
{
  pair->side[PAIR_B].hold_taking = TRUE;
  for (guint i = 0; i < 8; i++)
    {
      try_send (pair, PAIR_A, i % 3, i * 500, i % 4);
      try_send (pair, PAIR_B, i % 3, i * 500, i % 4);
    }
  pair_drive_for (pair, 25 * SQX_MILLISECOND);
  sqx_conn_close (pair->side[PAIR_A].conn, pair->now, 64, "bye");
  pair_drive_for (pair, 200 * SQX_MILLISECOND);
  pair->side[PAIR_B].hold_taking = FALSE;
  pair_take_all (pair, PAIR_B, 0);
  pair_drive_for (pair, 20 * SQX_SECOND);
}

/* One writes what the other reads, both ways, and each ends in another way. */
static void
streams (Pair *pair)
{
  enum { STREAMS = 3 };
  GPtrArray *accepted = pair->side[PAIR_B].streams = g_ptr_array_new ();
  sqx_conn *a = pair->side[PAIR_A].conn, *b = pair->side[PAIR_B].conn;
  sqx_stream *opened[STREAMS] = { NULL };
  guint64 written[2][STREAMS] = { 0 }, got[2][STREAMS] = { 0 };

  try_send (pair, PAIR_A, 0, 10, SQX_MESSAGE_FINAL);
  for (guint round = 0; round < 20; round++)
    {
      for (guint i = 0; i < STREAMS; i++)
        {
          if (round >= 5 + i && opened[i] == NULL)
            sqx_conn_open_stream (a, pair->now, &opened[i]);
          if (opened[i] == NULL)
            continue;
          pattern_write (a, pair->now, opened[i], &written[0][i], 3000 * round);
          pattern_read (a, pair->now, opened[i], &got[0][i]);
          if (round == 15 && i == 1)
            sqx_conn_stream_close_write (a, pair->now, opened[i]);
        }
      for (guint i = 0; i < MIN (accepted->len, STREAMS); i++)
        {
          sqx_stream *stream = g_ptr_array_index (accepted, i);

          pattern_write (b, pair->now, stream, &written[1][i], 2000 * round);
          pattern_read (b, pair->now, stream, &got[1][i]);
        }
      pair_drive_for (pair, 30 * SQX_MILLISECOND);
    }
  for (guint i = 0; i < STREAMS; i++)
    if (opened[i] != NULL)
      sqx_stream_release (a, pair->now, opened[i]);
  pair_drive_for (pair, 30 * SQX_MILLISECOND);
  while (accepted->len > 0)
    sqx_stream_release (b, pair->now, g_ptr_array_steal_index (accepted, 0));
  pair->side[PAIR_B].streams = NULL;
  g_ptr_array_unref (accepted);
}

/* Every message taken was sent once: numbers do not repeat within an incarnation. */
static void
assert_taken_once (Pair *pair)
{
  for (guint side = 0; side < 2; side++)
    {
      g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

      for (guint i = 0; i < pair_n_taken (pair, side); i++)
        {
          const sqx_message_id *id = &pair_taken (pair, side, i)->id;

          /* The epoch stands for the life of this side, the incarnation for that of the peer. */
          if (side == PAIR_B && pair->side[PAIR_B].config.epoch != PAIR_EPOCH_B)
            break;
          g_assert_true (g_hash_table_add (seen, g_strdup_printf (
            "%u %u %" G_GUINT64_FORMAT, id->incarnation, id->channel, id->number)));
        }
    }
}

/* A connection that has not failed works. */
static void
assert_goes_on (Pair *pair)
{
  guint tag;

  if (sqx_conn_state (pair->side[PAIR_A].conn) > SQX_STATE_CONNECTED
      || sqx_conn_state (pair->side[PAIR_B].conn) > SQX_STATE_CONNECTED)
    return;
  pair->filter = NULL;
  tag = pair_send (pair, PAIR_A, "still there", 0);
  pair_drive_until (pair, 10 * SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
  if (!pair->side[PAIR_A].closed)
    g_assert_cmpint (pair_wait (pair, PAIR_A, tag)->error, ==, SQX_OK);
  pair_drive (pair);
  pair_assert_quiet (pair);
}

/* Returns how many allocations there were. */
static guint64
run (Scenario scenario, guint64 at, gboolean from_then_on)
{
  Pair *pair;
  gint64 before = blocks;

  calls = 0;
  fail_at = at;
  for_ever = from_then_on;
  pair = pair_new (NULL, NULL);
  pair->filter = drop_some;
  pair->side[PAIR_A].handler = pair->side[PAIR_B].handler = try_answer;
  armed = TRUE;
  scenario (pair);
  pair_drive_until (pair, 200 * SQX_SECOND, is_over (pair));
  armed = FALSE;
  assert_taken_once (pair);
  g_assert_true (pair_all_done (pair, PAIR_A) && pair_all_done (pair, PAIR_B));
  assert_goes_on (pair);
  pair_free (pair);
  g_assert_cmpint (blocks, ==, before);
  return calls;
}

static void
test_scenario (gconstpointer data)
{
  Scenario scenario = *(const Scenario *) data;
  guint64 n = run (scenario, 0, FALSE);

  g_test_message ("%" G_GUINT64_FORMAT " allocations", n);
  g_assert_cmpuint (n, >, 50);
  for (guint64 at = 1; at <= n; at++)
    {
      g_test_message ("at %" G_GUINT64_FORMAT, at);
      run (scenario, at, FALSE);
      run (scenario, at, TRUE);
    }
}

static void
test_new (void)
{
  sqx_config config;
  gint64 before = blocks;
  guint failed = 0;

  pair_config (&config, PAIR_A);
  config.user_data = &(PairSide){ .random = 5 };
  for_ever = FALSE;
  for (fail_at = 1;; fail_at++)
    {
      sqx_conn *conn;

      calls = 0;
      armed = TRUE;
      conn = sqx_conn_new (&config, 1);
      armed = FALSE;
      if (conn != NULL)
        {
          sqx_conn_free (conn);
          break;
        }
      failed++;
      g_assert_cmpint (blocks, ==, before);
    }
  g_assert_cmpuint (failed, >=, 1);
  g_assert_cmpint (blocks, ==, before);
}

/* One message, nothing else going on, and no memory at the moment when it could begin: it is
 * refused, or begins later, or fails; it is not forgotten. */
static void
test_alone (void)
{
  for (guint64 at = 1; at < 20; at++)
    {
      Pair *pair;
      guint tag;
      gint64 before = blocks;

      pair = pair_new (NULL, NULL);
      pair_connect (pair);
      pair->side[PAIR_B].handler = pair_echo;
      calls = 0;
      fail_at = at;
      for_ever = FALSE;
      armed = TRUE;
      if (pair_try_send (pair, PAIR_A, 3, g_bytes_new ("alone", 5), 0, &tag) == SQX_OK)
        {
          armed = FALSE;
          pair_drive_until (pair, 9 * SQX_SECOND, pair_is_done (pair, PAIR_A, tag));
        }
      armed = FALSE;
      pair_free (pair);
      g_assert_cmpint (blocks, ==, before);
    }
}

/* Every second number arrives, in fragments with holes; then all of it again, and the rest. */
static uint64_t
run_gaps (guint64 at)
{
  gint64 before = blocks;
  Pair *pair = pair_new_fake (NULL);
  guint64 seen = 0;
  uint64_t counted;

  fake_connect (pair);
  calls = 0;
  fail_at = at;
  for_ever = FALSE;
  armed = TRUE;
  for (guint pass = 0; pass < 3; pass++)
    for (guint number = 1; number < 40 && !pair->side[PAIR_A].closed; number += pass ? 1 : 2)
      for (guint offset = 0; offset < 12; offset += pass ? 3 : 4)
        {
          fake_begin (pair);
          fake_fragment (pair, number % 2, number / 2, SQX_WIRE_FINAL, 0, 12, offset, 3);
          fake_send (pair);
          if (offset == 8 && pass == 0)
            pair->fake.next_number += 2; /* holes in the packet numbers too */
        }
  armed = FALSE;
  pair_flush (pair);
  for (guint i = 0; i < pair_n_taken (pair, PAIR_A); i++)
    {
      const sqx_message_id *id = &pair_taken (pair, PAIR_A, i)->id;
      guint number = (guint) id->number * 2 + id->channel;

      g_assert_cmpuint (seen >> number & 1, ==, 0);
      seen |= UINT64_C (1) << number;
    }
  counted = pair_counters (pair, PAIR_A)->no_memory;
  g_assert_cmpuint (counted, <=, 1);
  if (pair->side[PAIR_A].closed)
    pair_assert_closed (pair, PAIR_A, SQX_ERR_NO_MEMORY);
  else
    g_assert_cmpuint (pair_n_taken (pair, PAIR_A), ==, 39);
  pair_free (pair);
  g_assert_cmpint (blocks, ==, before);
  return counted;
}

static void
test_gaps (void)
{
  uint64_t counted = 0;
  guint64 n;

  run_gaps (0);
  n = calls;
  g_assert_cmpuint (n, >, 30);
  for (guint64 at = 1; at <= n; at++)
    {
      g_test_message ("at %" G_GUINT64_FORMAT, at);
      counted += run_gaps (at);
    }
  g_assert_cmpuint (counted, >, n / 2); /* the others failed where the core can do without */
}

/* A connection that has done much and now does nothing holds little. */
static void
test_idle_is_small (void)
{
  gint64 before = bytes;
  Pair *pair = pair_new (NULL, NULL);

  fail_at = 0;
  pair->side[PAIR_B].handler = pair_echo;
  for (guint i = 0; i < 5000; i++)
    pair_send_size (pair, PAIR_A, i % 2, i % 3000, i % 4);
  pair_drive (pair);
  pair_assert_quiet (pair);
  g_test_message ("%" G_GINT64_FORMAT " bytes each", (bytes - before) / 2);
  g_assert_cmpint (bytes - before, <=, 2 * 8192);
  pair_free (pair);
  g_assert_cmpint (bytes, ==, before);
}

int
main (int argc, char *argv[])
{
  static const Scenario scenarios[] = { exchanges, channels_and_restart, closing, streams };

  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/nomem/new", test_new);
  g_test_add_func ("/seqex/nomem/alone", test_alone);
  g_test_add_func ("/seqex/nomem/gaps", test_gaps);
  g_test_add_func ("/seqex/nomem/idle-is-small", test_idle_is_small);
  g_test_add_data_func ("/seqex/nomem/exchanges", &scenarios[0], test_scenario);
  g_test_add_data_func ("/seqex/nomem/channels-and-restart", &scenarios[1], test_scenario);
  g_test_add_data_func ("/seqex/nomem/closing", &scenarios[2], test_scenario);
  g_test_add_data_func ("/seqex/nomem/streams", &scenarios[3], test_scenario);

  return g_test_run ();
}
