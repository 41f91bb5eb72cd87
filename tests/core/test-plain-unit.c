/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The unit that judges epochs. What a connection makes of its verdicts is in test-plain.c.
 */
#include <glib.h>

#include "sqx-plain.h"

#define ME    0x11u
#define PEER  0x22u
#define OTHER 0x33u
#define SPARE 0x44u

/* Gives what it is set to, and then counts on. */
static uint32_t next_random;

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  g_assert_cmpuint (size, ==, 4);
  g_assert_true (user_data == &next_random);
  bytes[0] = (uint8_t) (next_random >> 24);
  bytes[1] = (uint8_t) (next_random >> 16);
  bytes[2] = (uint8_t) (next_random >> 8);
  bytes[3] = (uint8_t) next_random;
  next_random++;
}

static sqx_config
make_config (uint32_t epoch)
{
  return (sqx_config) {
    .instance = 5, .epoch = epoch, .random = draw, .user_data = &next_random,
  };
}

static sqx_plain_verdict
judge (const sqx_plain *plain,
       uint32_t         source,
       uint32_t         destination)
{
  sqx_plain_header header = { 5, source, destination, 9 };
  sqx_plain before = *plain;
  sqx_plain_verdict verdict = sqx_plain_judge (plain, &header);

  g_assert_cmpmem (&before, sizeof before, plain, sizeof *plain);
  return verdict;
}

static void
adopt (sqx_plain *plain,
       uint32_t   source,
       uint32_t   destination)
{
  sqx_plain_adopt (plain, &(sqx_plain_header) { 5, source, destination, 9 });
}

static sqx_plain
make (uint32_t peer,
      gboolean called)
{
  sqx_plain plain;
  sqx_config config = make_config (ME);

  sqx_plain_init (&plain, &config);
  if (peer != 0)
    adopt (&plain, peer, 0);
  plain.called = called;
  return plain;
}

static void
test_init (void)
{
  sqx_plain plain;
  sqx_config config = make_config (0);

  /* 0 is no epoch. */
  next_random = 0;
  sqx_plain_init (&plain, &config);
  g_assert_cmpuint (plain.epoch, ==, 1);
  g_assert_cmpuint (plain.instance, ==, 5);
  g_assert_cmpuint (plain.peer_epoch, ==, 0);
  g_assert_cmpuint (plain.hint_for, ==, 0);
  g_assert_cmpuint (plain.spare, ==, 0);

  config = make_config (0xfedcba98);
  sqx_plain_init (&plain, &config);
  g_assert_cmpuint (plain.epoch, ==, 0xfedcba98);
}

static void
test_verdicts (void)
{
  /* By destination: 0, this side's, its spare one, another. */
  static const struct
  {
    uint32_t          peer;
    gboolean          called;
    uint32_t          source;
    sqx_plain_verdict verdicts[4];
  } cases[] = {
#define ALL(verdict) { SQX_PLAIN_##verdict, SQX_PLAIN_##verdict, SQX_PLAIN_##verdict, \
                       SQX_PLAIN_##verdict }
    { 0, FALSE, OTHER, { SQX_PLAIN_ADOPT, SQX_PLAIN_ADOPT, SQX_PLAIN_ADOPT, SQX_PLAIN_WRONG } },
    { 0, TRUE, OTHER, { SQX_PLAIN_ADOPT, SQX_PLAIN_ADOPT, SQX_PLAIN_ADOPT, SQX_PLAIN_WRONG } },
    { PEER, TRUE, PEER,
      { SQX_PLAIN_ACCEPT, SQX_PLAIN_ACCEPT, SQX_PLAIN_FORMER, SQX_PLAIN_FORMER } },
    { PEER, FALSE, PEER,
      { SQX_PLAIN_ACCEPT, SQX_PLAIN_ACCEPT, SQX_PLAIN_FORMER, SQX_PLAIN_FORMER } },
    { PEER, FALSE, OTHER,
      { SQX_PLAIN_UNKNOWN, SQX_PLAIN_RESTART, SQX_PLAIN_RESTART, SQX_PLAIN_WRONG } },
    { PEER, TRUE, OTHER,
      { SQX_PLAIN_UNKNOWN, SQX_PLAIN_UNKNOWN, SQX_PLAIN_RESTART, SQX_PLAIN_WRONG } },
    { PEER, TRUE, 0, ALL (FORMER) },
    { 0, FALSE, 0, ALL (FORMER) },
    { PEER, TRUE, ME, ALL (FORMER) },
    { 0, FALSE, SPARE, ALL (FORMER) },
#undef ALL
  };
  static const uint32_t destinations[] = { 0, ME, SPARE, 0x99 };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (guint d = 0; d < G_N_ELEMENTS (destinations); d++)
      {
        sqx_plain plain = make (cases[i].peer, cases[i].called);

        plain.spare = SPARE;
        g_assert_cmpint (judge (&plain, cases[i].source, destinations[d]), ==,
                         cases[i].verdicts[d]);
      }
}

/* Without a spare epoch, destination 0 is not the spare one. */
static void
test_no_spare (void)
{
  sqx_plain plain = make (PEER, TRUE);

  g_assert_cmpint (judge (&plain, OTHER, 0), ==, SQX_PLAIN_UNKNOWN);
  adopt (&plain, OTHER, 0);
  g_assert_cmpuint (plain.epoch, ==, ME);
  g_assert_true (plain.called);
}

static void
test_adopt_spare (void)
{
  sqx_plain plain = make (PEER, TRUE);

  plain.spare = SPARE;
  adopt (&plain, OTHER, ME);
  g_assert_cmpuint (plain.epoch, ==, ME);
  g_assert_cmpuint (plain.spare, ==, SPARE);
  g_assert_true (plain.called);
  adopt (&plain, OTHER + 1, SPARE);
  g_assert_cmpuint (plain.epoch, ==, SPARE);
  g_assert_cmpuint (plain.spare, ==, 0);
  g_assert_false (plain.called);
  g_assert_cmpuint (plain.peer_epoch, ==, OTHER + 1);
  g_assert_cmpint (judge (&plain, OTHER + 1, ME), ==, SQX_PLAIN_FORMER);
  g_assert_cmpint (judge (&plain, OTHER + 1, SPARE), ==, SQX_PLAIN_ACCEPT);
}

/* The newest SQX_FORMER_EPOCHS of them, not the first peer's nobody. */
static void
test_former (void)
{
  sqx_plain plain = make (0, FALSE);
  const uint32_t count = 2 * SQX_FORMER_EPOCHS + 3;

  for (uint32_t i = 0; i < count; i++)
    {
      adopt (&plain, 100 + i, ME);
      g_assert_cmpint (judge (&plain, 100 + i, ME), ==, SQX_PLAIN_ACCEPT);
      for (uint32_t old = 0; old < i; old++)
        g_assert_cmpint (judge (&plain, 100 + old, ME), ==,
                         i - old <= SQX_FORMER_EPOCHS ? SQX_PLAIN_FORMER : SQX_PLAIN_RESTART);
    }
  g_assert_cmpint (judge (&plain, 0, ME), ==, SQX_PLAIN_FORMER);
}

static void
test_hint_interval (void)
{
  sqx_plain plain = make (PEER, FALSE);
  sqx_config config = make_config (ME);

  g_assert_true (sqx_plain_hint (&plain, &config, 0, SQX_PLAIN_WRONG, OTHER));
  g_assert_cmpuint (plain.hint_for, ==, OTHER);
  g_assert_cmpuint (plain.hint_from, ==, ME);
  plain.hint_for = 0;
  g_assert_false (sqx_plain_hint (&plain, &config, SQX_HINT_INTERVAL - 1, SQX_PLAIN_WRONG, 7));
  g_assert_cmpuint (plain.hint_for, ==, 0);
  g_assert_true (sqx_plain_hint (&plain, &config, SQX_HINT_INTERVAL, SQX_PLAIN_WRONG, 8));
  g_assert_cmpuint (plain.hint_for, ==, 8);
  g_assert_false (sqx_plain_hint (&plain, &config, 2 * SQX_HINT_INTERVAL - 1, SQX_PLAIN_WRONG, 9));
}

/* Offered to whom may not begin a session with the epoch in use, and to nobody else; drawn once. */
static void
test_hint_spare (void)
{
  sqx_plain plain = make (PEER, FALSE);
  sqx_config config = make_config (ME);
  uint64_t now = 0;

  next_random = ME - 1;
  sqx_plain_hint (&plain, &config, now, SQX_PLAIN_UNKNOWN, OTHER);
  g_assert_cmpuint (plain.hint_from, ==, ME);
  plain.called = true;
  sqx_plain_hint (&plain, &config, now += SQX_SECOND, SQX_PLAIN_WRONG, OTHER);
  g_assert_cmpuint (plain.hint_from, ==, ME);
  g_assert_cmpuint (plain.spare, ==, 0);

  sqx_plain_hint (&plain, &config, now += SQX_SECOND, SQX_PLAIN_UNKNOWN, OTHER);
  g_assert_cmpuint (plain.spare, ==, ME - 1);
  g_assert_cmpuint (plain.hint_from, ==, ME - 1);
  sqx_plain_hint (&plain, &config, now += SQX_SECOND, SQX_PLAIN_UNKNOWN, OTHER);
  g_assert_cmpuint (plain.hint_from, ==, ME - 1);

  /* Never the one in use, and never 0. */
  plain.spare = 0;
  sqx_plain_hint (&plain, &config, now += SQX_SECOND, SQX_PLAIN_UNKNOWN, OTHER);
  g_assert_cmpuint (plain.spare, ==, ME + 1);
  plain.spare = 0;
  next_random = 0;
  sqx_plain_hint (&plain, &config, now += SQX_SECOND, SQX_PLAIN_UNKNOWN, OTHER);
  g_assert_cmpuint (plain.spare, ==, 1);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/plain-unit/init", test_init);
  g_test_add_func ("/seqex/plain-unit/verdicts", test_verdicts);
  g_test_add_func ("/seqex/plain-unit/no-spare", test_no_spare);
  g_test_add_func ("/seqex/plain-unit/adopt-spare", test_adopt_spare);
  g_test_add_func ("/seqex/plain-unit/former", test_former);
  g_test_add_func ("/seqex/plain-unit/hint-interval", test_hint_interval);
  g_test_add_func ("/seqex/plain-unit/hint-spare", test_hint_spare);
  return g_test_run ();
}
