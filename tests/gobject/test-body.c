/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-body-private.h"

#include <stdlib.h>
#include <string.h>

#include "test-util.h"

#define SIZE 65536u

static gboolean
are_kept_at_all (void)
{
#ifdef HAVE_MALLOC_USABLE_SIZE
  return TRUE;
#else
  g_test_skip ("the allocator does not tell sizes");
  return FALSE;
#endif
}

static void
test_again (void)
{
  guint8 *first, *second;

  seqex_body_rest ();
  if (!are_kept_at_all ())
    return;

  /* The last one first, and one that is a little larger as well. */
  first = seqex_body_new (SIZE);
  second = seqex_body_new (SIZE);
  memset (first, 1, SIZE);
  memset (second, 2, SIZE);
  seqex_body_free (first);
  seqex_body_free (second);
  g_assert_cmpuint (seqex_body_kept (), >=, 2 * SIZE);
  g_assert_true (seqex_body_new (SIZE) == second);
  g_assert_true (seqex_body_new (SIZE - SIZE / 8) == first);
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
  seqex_body_free (first);

  /* The program may have got them from somebody who frees. */
  free (second);
  seqex_body_rest ();
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
}

static void
test_unfit (void)
{
  guint8 *body;

  seqex_body_rest ();
  if (!are_kept_at_all ())
    return;

  /* Much smaller and larger ones get one of their own, and push out what does not fit. */
  body = seqex_body_new (SIZE / 2);
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
  seqex_body_free (body);
  g_assert_cmpuint (seqex_body_kept (), >=, SIZE / 2);
  body = seqex_body_new (SIZE);
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
  memset (body, 3, SIZE);
  seqex_body_free (body);

  seqex_body_rest ();
  seqex_body_free (seqex_body_new (SEQEX_BODY_LEAST));
  seqex_body_rest ();
  seqex_body_free (seqex_body_new (100));
  seqex_body_free (seqex_body_new (2 * SEQEX_BODY_MOST));
  seqex_body_free (NULL);
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
}

static void
test_bounded (void)
{
  const guint n = 2 * SEQEX_BODY_KEPT / SIZE;
  g_autofree guint8 **bodies = g_new (guint8 *, n);

  seqex_body_rest ();
  if (!are_kept_at_all ())
    return;

  for (guint i = 0; i < n; i++)
    bodies[i] = seqex_body_new (SIZE);
  for (guint i = 0; i < n; i++)
    {
      seqex_body_free (bodies[i]);
      g_assert_cmpuint (seqex_body_kept (), <=, SEQEX_BODY_KEPT);
    }
  g_assert_cmpuint (seqex_body_kept (), >, SEQEX_BODY_KEPT / 2);

  /* And none that comes back after the rest. */
  bodies[0] = seqex_body_new (SIZE);
  seqex_body_rest ();
  seqex_body_free (bodies[0]);
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
}

static gpointer
juggle (gpointer data)
{
  guint8 *bodies[8] = { NULL };
  GRand *random = g_rand_new_with_seed (GPOINTER_TO_UINT (data));

  for (guint i = 0; i < 20000; i++)
    {
      guint at = (guint) g_rand_int_range (random, 0, G_N_ELEMENTS (bodies));
      gsize size = (gsize) g_rand_int_range (random, 1, SIZE);

      if (bodies[at] != NULL)
        g_assert_cmpuint (*bodies[at], ==, at);
      seqex_body_free (bodies[at]);
      bodies[at] = seqex_body_new (size);
      bodies[at][size - 1] = 0xff;
      *bodies[at] = (guint8) at;
      if (i % 1000 == 0)
        seqex_body_rest ();
    }
  for (guint i = 0; i < G_N_ELEMENTS (bodies); i++)
    seqex_body_free (bodies[i]);
  g_rand_free (random);
  return NULL;
}

static void
test_threads (void)
{
  GThread *threads[4];

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("bodies", juggle, GUINT_TO_POINTER (i + 1));
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  seqex_body_rest ();
  g_assert_cmpuint (seqex_body_kept (), ==, 0);
}

/* Messages get them, one after the other the same, and the end of the messages empties all. */
static void
test_messages (void)
{
  Pair pair = util_pair_new ();
  g_autoptr (GBytes) blob = util_blob (SIZE, 7);
  gconstpointer data = NULL;

  seqex_body_rest ();
  if (!are_kept_at_all ())
    return;

  for (guint i = 0; i < 10; i++)
    {
      g_auto (Outcome) sent = { 0 };
      g_autoptr (SeqexMessage) message = NULL;
      GBytes *payload;

      seqex_connection_send_async (pair.a, blob, SEQEX_SEND_FLAGS_NONE, NULL, util_outcome_cb,
                                   &sent);
      message = util_receive (pair.b, NULL);
      payload = seqex_message_get_payload (message);
      g_assert_true (g_bytes_equal (payload, blob));
      if (i > 0)
        g_assert_true (g_bytes_get_data (payload, NULL) == data);
      data = g_bytes_get_data (payload, NULL);
      wait_until (sent.result != NULL);
    }
  g_assert_cmpuint (seqex_body_kept (), >=, SIZE);
  wait_until (seqex_body_kept () == 0);

  util_pair_free (&pair);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/body/again", test_again);
  g_test_add_func ("/seqex/body/unfit", test_unfit);
  g_test_add_func ("/seqex/body/bounded", test_bounded);
  g_test_add_func ("/seqex/body/threads", test_threads);
  g_test_add_func ("/seqex/body/messages", test_messages);
  return g_test_run ();
}
