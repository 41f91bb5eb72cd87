/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the peer is, and how it proves that it moved.
 */
#include <glib.h>

#include "sqx-path.h"

#define MS   SQX_MILLISECOND
#define PTO  (100 * MS)
#define FULL SQX_DATAGRAM_DEFAULT
/* The smallest packet that carries CHALLENGE or RESPONSE. */
#define LEAST (SQX_DATA_HEADER + 1 + SQX_CHALLENGE_SIZE + SQX_TAG_SIZE)

typedef struct
{
  sqx_config config;
  sqx_path   path;
  guint64    now;
  guint8     next; /* what the random source gives next, so that every question is another */
} Fixture;

static void
random_cb (void *user_data, uint8_t *bytes, size_t size)
{
  Fixture *f = user_data;

  f->next++;
  for (size_t i = 0; i < size; i++)
    bytes[i] = f->next;
}

static sqx_address
address (guint host,
         guint port)
{
  return (sqx_address) { .host = { 10, 0, 0, (guint8) host }, .host_size = 4,
                         .port = (guint16) port };
}

static void
set_up (Fixture *f)
{
  sqx_address home = address (1, 1);

  *f = (Fixture) { .now = 1000 * MS };
  f->config.random = random_cb;
  f->config.user_data = f;
  sqx_path_init (&f->path, &home);
}

static void
receive (Fixture *f,
         guint    host,
         guint    port,
         gsize    size,
         gboolean newest)
{
  sqx_address from = address (host, port);

  sqx_path_received (&f->path, &f->config, &from, size, newest);
}

static void
assert_at (Fixture *f,
           guint    host,
           guint    port)
{
  sqx_address expected = address (host, port);

  g_assert_true (sqx_address_equal (&f->path.address, &expected));
}

/* A CHALLENGE as large as it may be goes out; its size. */
static gsize
challenge (Fixture *f)
{
  gsize size = sqx_path_challenge_room (&f->path, FULL);

  if (size > 0)
    sqx_path_challenge_sent (&f->path, f->now, size, PTO);
  return size;
}

static sqx_path_change
respond (Fixture *f,
         guint64 *rtt)
{
  guint8 bytes[SQX_CHALLENGE_SIZE];

  memcpy (bytes, f->path.challenge, sizeof bytes);
  return sqx_path_proven (&f->path, f->now, bytes, rtt);
}

/* The next deadline comes, at which something must change. */
static void
expire (Fixture *f)
{
  g_assert_cmpuint (f->path.deadline, !=, SQX_TIME_NEVER);
  f->now = f->path.deadline;
  sqx_path_timeout (&f->path, f->now);
  g_assert_cmpuint (f->path.deadline, >, f->now);
}

static void
test_still (void)
{
  Fixture f;
  guint64 rtt = 7;

  set_up (&f);
  receive (&f, 1, 1, FULL, TRUE);
  receive (&f, 1, 1, FULL, FALSE);
  /* What is not the newest may have been on its way before the peer moved. */
  receive (&f, 2, 1, FULL, FALSE);
  g_assert_false (f.path.validating);
  g_assert_cmpuint (challenge (&f), ==, 0);
  g_assert_cmpuint (f.path.deadline, ==, SQX_TIME_NEVER);
  /* Nothing was asked, so zeros are no answer. */
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);
  g_assert_cmpuint (rtt, ==, 7);
  assert_at (&f, 1, 1);
}

static void
test_moves (void)
{
  Fixture f;
  guint64 rtt = 0;
  guint8 wrong[SQX_CHALLENGE_SIZE];

  set_up (&f);
  receive (&f, 1, 2, 500, TRUE);
  g_assert_true (f.path.validating);
  assert_at (&f, 1, 1);

  /* Not even the right bytes count before they were sent. */
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);
  g_assert_cmpuint (challenge (&f), ==, FULL);
  g_assert_cmpuint (challenge (&f), ==, 0);
  for (guint i = 0; i < SQX_CHALLENGE_SIZE; i++)
    {
      memcpy (wrong, f.path.challenge, sizeof wrong);
      wrong[i] ^= 1;
      g_assert_cmpint (sqx_path_proven (&f.path, f.now, wrong, &rtt), ==, SQX_PATH_SAME);
    }

  f.now += 30 * MS;
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_PORT);
  g_assert_cmpuint (rtt, ==, 30 * MS);
  assert_at (&f, 1, 2);
  g_assert_cmpuint (f.path.deadline, ==, SQX_TIME_NEVER);
  /* Once. */
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);

  receive (&f, 2, 2, 500, TRUE);
  challenge (&f);
  f.now += 50 * MS;
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_HOST);
  g_assert_cmpuint (rtt, ==, 50 * MS);
  assert_at (&f, 2, 2);
}

/* At most three bytes for each that came. */
static void
test_budget (void)
{
  const gsize first = 100;
  Fixture f;

  set_up (&f);
  receive (&f, 2, 1, first, TRUE);
  /* All tries have their share. */
  for (guint try = 0; try < 4; try++)
    {
      g_assert_cmpuint (challenge (&f), ==, 3 * first / 4);
      g_assert_cmpuint (challenge (&f), ==, 0);
      expire (&f);
    }
  g_assert_false (f.path.validating);

  /* It goes out as soon as there is enough to answer with. */
  receive (&f, 3, 1, (LEAST + 2) / 3, TRUE);
  g_assert_cmpuint (challenge (&f), >=, LEAST);
  expire (&f);
  g_assert_cmpuint (challenge (&f), ==, 0);
  receive (&f, 3, 1, (LEAST + 2) / 3, FALSE);
  g_assert_cmpuint (challenge (&f), >=, LEAST);
  g_assert_cmpuint (f.path.sent, <=, 3 * f.path.received);

  /* Too little for the smallest packet. */
  receive (&f, 5, 1, (LEAST - 1) / 3, TRUE);
  g_assert_cmpuint (challenge (&f), ==, 0);
  /* Whose packets do not come from the candidate does not pay for it. */
  receive (&f, 1, 1, FULL, FALSE);
  receive (&f, 4, 1, FULL, FALSE);
  g_assert_cmpuint (challenge (&f), ==, 0);
  receive (&f, 5, 1, LEAST, FALSE);
  g_assert_cmpuint (challenge (&f), >=, LEAST);
}

static void
test_comes_back (void)
{
  Fixture f;
  guint64 rtt;

  set_up (&f);
  receive (&f, 2, 1, FULL, TRUE);
  challenge (&f);
  /* A late packet from the old address says nothing … */
  receive (&f, 1, 1, FULL, FALSE);
  g_assert_true (f.path.validating);
  /* … but a new one does. */
  receive (&f, 1, 1, FULL, TRUE);
  g_assert_false (f.path.validating);
  g_assert_cmpuint (f.path.deadline, ==, SQX_TIME_NEVER);
  g_assert_cmpuint (challenge (&f), ==, 0);
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);
  assert_at (&f, 1, 1);
}

/* It moves on before the first candidate answered. */
static void
test_moves_on (void)
{
  Fixture f;
  guint64 rtt;
  guint8 first[SQX_CHALLENGE_SIZE];

  set_up (&f);
  receive (&f, 2, 1, FULL, TRUE);
  challenge (&f);
  memcpy (first, f.path.challenge, sizeof first);
  receive (&f, 3, 1, 200, TRUE);
  g_assert_cmpint (sqx_path_proven (&f.path, f.now, first, &rtt), ==, SQX_PATH_SAME);
  /* Each starts with what it sent itself. */
  g_assert_cmpuint (challenge (&f), ==, 600 / 4);
  f.now += 10 * MS;
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_HOST);
  assert_at (&f, 3, 1);
}

static void
test_tries (void)
{
  Fixture f;
  guint64 rtt, waits[4];

  set_up (&f);
  receive (&f, 2, 1, 100 * FULL, TRUE);
  for (guint try = 0; try < G_N_ELEMENTS (waits); try++)
    {
      g_assert_cmpuint (challenge (&f), ==, FULL);
      waits[try] = f.path.deadline - f.now;
      /* Early timers do nothing. */
      sqx_path_timeout (&f.path, f.path.deadline - 1);
      g_assert_cmpuint (challenge (&f), ==, 0);
      expire (&f);
      g_assert_cmpuint (waits[try], ==, PTO << try);
    }
  g_assert_false (f.path.validating);
  g_assert_cmpuint (challenge (&f), ==, 0);
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);
  assert_at (&f, 1, 1);

  /* Another packet from there begins anew. */
  receive (&f, 2, 1, FULL, TRUE);
  g_assert_cmpuint (challenge (&f), ==, FULL);
}

/* Who is heard and does not answer is asked again soon, and not given up. */
static void
test_heard (void)
{
  Fixture f;
  guint64 rtt;

  set_up (&f);
  receive (&f, 2, 1, 100 * FULL, TRUE);
  for (guint try = 0; try < 3; try++)
    {
      g_assert_cmpuint (challenge (&f), ==, FULL);
      expire (&f);
    }
  g_assert_cmpuint (challenge (&f), ==, FULL);
  g_assert_cmpuint (f.path.deadline, ==, f.now + 8 * PTO);
  for (guint i = 0; i < 20; i++)
    {
      f.now += PTO / 2;
      receive (&f, 2, 1, FULL, i % 2);
      g_assert_cmpuint (f.path.deadline, ==, f.now + PTO / 2);
      g_assert_cmpuint (challenge (&f), ==, 0);
      expire (&f);
      g_assert_cmpuint (challenge (&f), ==, FULL);
    }
  /* Which question this answers is not known. */
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_HOST);
  g_assert_cmpuint (rtt, ==, SQX_TIME_NEVER);
}

/* One packet may go there before the proof, if the account has it. */
static void
test_aside (void)
{
  Fixture f;
  guint64 rtt;

  set_up (&f);
  g_assert_false (sqx_path_send_aside (&f.path, 1));
  receive (&f, 2, 1, 100, TRUE);
  g_assert_false (sqx_path_send_aside (&f.path, 301));
  g_assert_true (sqx_path_send_aside (&f.path, 200));
  g_assert_false (sqx_path_send_aside (&f.path, 101));
  g_assert_cmpuint (challenge (&f), <=, 100);
  respond (&f, &rtt);
  g_assert_false (sqx_path_send_aside (&f.path, 1));
}

/* Which of several questions was answered is not known: too small a sample would make all that
 * comes later than it seem lost, and too large a one would make probe time-outs of it. */
static void
test_ambiguous_rtt (void)
{
  Fixture f;
  guint64 rtt = 0;

  set_up (&f);
  receive (&f, 2, 1, 100 * FULL, TRUE);
  challenge (&f);
  expire (&f);
  challenge (&f);
  f.now += MS;
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_HOST);
  g_assert_cmpuint (rtt, ==, SQX_TIME_NEVER);
}

static void
test_response (void)
{
  const guint8 first[SQX_CHALLENGE_SIZE] = "1234567", second[SQX_CHALLENGE_SIZE] = "abcdefg";
  sqx_address here = address (1, 1), there = address (2, 2);
  Fixture f;

  set_up (&f);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 0);
  sqx_path_challenged (&f.path, &here, first, 1000);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, FULL);
  /* Only the newest is owed, to whoever asked. */
  sqx_path_challenged (&f.path, &there, second, 100);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 300);
  g_assert_cmpmem (f.path.response, sizeof f.path.response, second, sizeof second);
  g_assert_true (sqx_address_equal (&f.path.response_to, &there));
  sqx_path_response_sent (&f.path, 300);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 0);

  sqx_path_challenged (&f.path, &there, second, (LEAST - 1) / 3);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 0);
  assert_at (&f, 1, 1);
}

/* Who is asked and asks at once has one account, not two. */
static void
test_shared_budget (void)
{
  const guint8 bytes[SQX_CHALLENGE_SIZE] = "1234567";
  sqx_address there = address (2, 2);
  const gsize size = 200;
  gsize response, challenged;
  Fixture f;

  set_up (&f);
  receive (&f, 2, 2, size, TRUE);
  sqx_path_challenged (&f.path, &there, bytes, size - SQX_DATA_HEADER - SQX_TAG_SIZE);
  response = sqx_path_response_room (&f.path, FULL);
  g_assert_cmpuint (response, >=, LEAST);
  sqx_path_response_sent (&f.path, response);
  g_assert_cmpuint (response + challenge (&f), <=, 3 * size);

  /* The other way round. */
  receive (&f, 3, 2, size, TRUE);
  there = address (3, 2);
  sqx_path_challenged (&f.path, &there, bytes, size - SQX_DATA_HEADER - SQX_TAG_SIZE);
  challenged = challenge (&f);
  g_assert_cmpuint (challenged, >=, LEAST);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), <=, 3 * size - challenged);
  g_assert_true (sqx_path_send_aside (&f.path, 3 * size - challenged));
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 0);

  /* The proven address owes nothing. */
  there = address (1, 1);
  sqx_path_challenged (&f.path, &there, bytes, size);
  g_assert_cmpuint (sqx_path_response_room (&f.path, FULL), ==, 3 * size);
}

/* A handshake proved another address: what was asked before is void. */
static void
test_set (void)
{
  sqx_address there = address (9, 9);
  Fixture f;
  guint64 rtt;

  set_up (&f);
  receive (&f, 2, 1, FULL, TRUE);
  challenge (&f);
  sqx_path_init (&f.path, &there);
  assert_at (&f, 9, 9);
  g_assert_cmpuint (f.path.deadline, ==, SQX_TIME_NEVER);
  g_assert_cmpint (respond (&f, &rtt), ==, SQX_PATH_SAME);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/path/still", test_still);
  g_test_add_func ("/seqex/path/moves", test_moves);
  g_test_add_func ("/seqex/path/budget", test_budget);
  g_test_add_func ("/seqex/path/comes-back", test_comes_back);
  g_test_add_func ("/seqex/path/moves-on", test_moves_on);
  g_test_add_func ("/seqex/path/tries", test_tries);
  g_test_add_func ("/seqex/path/heard", test_heard);
  g_test_add_func ("/seqex/path/aside", test_aside);
  g_test_add_func ("/seqex/path/ambiguous-rtt", test_ambiguous_rtt);
  g_test_add_func ("/seqex/path/response", test_response);
  g_test_add_func ("/seqex/path/shared-budget", test_shared_budget);
  g_test_add_func ("/seqex/path/set", test_set);
  return g_test_run ();
}
