/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The search for the size of datagrams that a path carries.
 */
#include <glib.h>

#include "sqx-pmtu.h"

#define MS   SQX_MILLISECOND
#define RTT  (20 * MS)
#define PTO  (100 * MS)
#define MOST SQX_DATAGRAM_MAX

typedef struct
{
  sqx_pmtu pmtu;
  guint64  now;
  guint    mtu;    /* what the path carries */
  guint    loss;   /* of what it carries, in percent */
  GRand   *rand;
  guint    probes; /* sent */
} Fixture;

static void
set_up (Fixture *f,
        guint    mtu)
{
  *f = (Fixture) { .now = 1000 * MS, .mtu = mtu, .rand = g_rand_new_with_seed (1) };
  sqx_pmtu_init (&f->pmtu, SQX_DATAGRAM_DEFAULT, MOST);
}

static void
tear_down (Fixture *f)
{
  g_rand_free (f->rand);
}

/* So many full datagrams go out, and then a probe if one is wanted: its size. */
static guint32
offer (Fixture *f,
       guint    full)
{
  guint32 size;

  f->pmtu.full += full;
  size = sqx_pmtu_next_probe (&f->pmtu, f->now, 3 * PTO);
  if (size > 0)
    {
      sqx_pmtu_probe_sent (&f->pmtu, f->now, size);
      f->probes++;
    }
  return size;
}

static gboolean
passes (Fixture *f,
        guint    size)
{
  return size <= f->mtu && (guint) g_rand_int_range (f->rand, 0, 100) >= f->loss;
}

static void
settle (Fixture *f,
        guint32  size)
{
  f->now += RTT;
  if (passes (f, size))
    sqx_pmtu_probe_acked (&f->pmtu, f->pmtu.serial, size);
  else
    sqx_pmtu_probe_lost (&f->pmtu, f->pmtu.serial);
}

/* A program that always has something to send. Returns the probes that it took. */
static guint
search (Fixture *f)
{
  guint before = f->probes;
  guint32 size;

  while ((size = offer (f, SQX_PMTU_FULL)) > 0)
    {
      g_assert_cmpuint (size, >, f->pmtu.size);
      g_assert_cmpuint (size, <=, f->pmtu.limit);
      g_assert_cmpuint (f->probes - before, <, 100);
      settle (f, size);
    }
  return f->probes - before;
}

/* Searching ---------------------------------------------------------------------------- */

/* What real paths have is found by few probes; those that find it are the first ones. */
static void
test_known_paths (void)
{
  static const struct { guint mtu, size, good, all; } cases[] = {
    { 1472, 1472, 1, 7 },    /* Ethernet, IPv4; what follows shows that there is no more */
    { 1452, 1452, 4, 4 },    /* IPv6: 1472 in vain, three times */
    { 8952, 8952, 2, 8 },
    { MOST, MOST, 4, 4 },    /* loopback */
    { 1200, 1200, 0, 9 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f;
      guint32 size;

      set_up (&f, cases[i].mtu);
      for (guint n = 0; n < cases[i].good; n++)
        {
          size = offer (&f, SQX_PMTU_FULL);
          g_assert_cmpuint (size, >, 0);
          settle (&f, size);
        }
      g_assert_cmpuint (f.pmtu.size, ==, cases[i].size);
      search (&f);
      g_assert_cmpuint (f.pmtu.size, ==, cases[i].size);
      g_assert_cmpuint (f.probes, <=, cases[i].all);
      tear_down (&f);
    }
}

/* Any other path is used but for a small part. */
static void
test_any_path (void)
{
  for (guint mtu = SQX_DATAGRAM_DEFAULT; mtu <= MOST; mtu += 97)
    for (guint limit = mtu; limit <= MOST; limit = limit < 20000 ? limit * 2 : limit + 30000)
      {
        Fixture f;

        set_up (&f, mtu);
        sqx_pmtu_set_limit (&f.pmtu, limit);
        g_assert_cmpuint (search (&f), <, 50);
        g_assert_cmpuint (f.pmtu.size, <=, mtu);
        g_assert_cmpuint (mtu - f.pmtu.size, <=, f.pmtu.size / SQX_PMTU_GRANULARITY);
        tear_down (&f);
      }
}

/* Lost probes are tried again. Losing three is possible, but seldom. */
static void
test_lossy_path (void)
{
  guint short_of = 0;

  for (guint seed = 0; seed < 1000; seed++)
    {
      Fixture f;

      set_up (&f, 1472);
      g_rand_set_seed (f.rand, seed);
      f.loss = 10;
      search (&f);
      g_assert_cmpuint (f.pmtu.size, <=, 1472);
      short_of += f.pmtu.size < 1472;
      tear_down (&f);
    }
  g_assert_cmpuint (short_of, <, 10);
}

/* One at a time, and only while full datagrams are sent. */
static void
test_one_at_a_time (void)
{
  Fixture f;
  guint32 size;

  set_up (&f, MOST);
  g_assert_cmpuint (offer (&f, 0), ==, 0);
  g_assert_cmpuint (offer (&f, SQX_PMTU_FULL - 1), ==, 0);
  size = offer (&f, 1);
  g_assert_cmpuint (size, ==, 1472);
  g_assert_cmpuint (offer (&f, 1000), ==, 0);
  settle (&f, size);
  g_assert_cmpuint (f.pmtu.size, ==, 1472);
  g_assert_cmpuint (offer (&f, 0), ==, 8952);
  /* Nobody says what became of it. */
  f.now += 3 * PTO;
  g_assert_cmpuint (offer (&f, 1000), ==, 0);
  f.now++;
  g_assert_cmpuint (offer (&f, 0), ==, 8952);
  g_assert_cmpuint (f.pmtu.tries, ==, 1);
  settle (&f, 8952);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);
  tear_down (&f);
}

static void
test_limits (void)
{
  static const struct { guint floor, limit, size, found; } cases[] = {
    { 1200, 576, 576, 576 }, { 1200, 1200, 1200, 1200 }, { 1200, 1300, 1200, 1300 },
    { 1200, 1460, 1200, 1460 }, { 576, 1000, 1000, 1000 }, { 576, 20000, 1200, 20000 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Fixture f;

      set_up (&f, MOST);
      sqx_pmtu_init (&f.pmtu, cases[i].floor, cases[i].limit);
      g_assert_cmpuint (f.pmtu.size, ==, cases[i].size);
      search (&f);
      g_assert_cmpuint (f.pmtu.size, ==, cases[i].found);
      g_assert_false (sqx_pmtu_wants_probe (&f.pmtu));
      tear_down (&f);
    }
}

/* What became possible meanwhile is found after ten minutes, not before. */
static void
test_raise (void)
{
  Fixture f;
  guint64 end;

  set_up (&f, 1472);
  search (&f);
  end = f.now;
  f.mtu = MOST;
  f.now = end + SQX_PMTU_RAISE - 1;
  g_assert_cmpuint (search (&f), ==, 0);
  f.now++;
  g_assert_cmpuint (search (&f), ==, 3);
  g_assert_cmpuint (f.pmtu.size, ==, MOST);
  f.now += 2 * SQX_PMTU_RAISE;
  g_assert_cmpuint (search (&f), ==, 0);
  tear_down (&f);
}

/* What the transport says --------------------------------------------------------------- */

static void
test_too_large_probe (void)
{
  Fixture f;
  guint32 size;

  /* A machine whose interface has 1500 bytes: each probe costs nothing but a call. */
  set_up (&f, 1472);
  while ((size = offer (&f, SQX_PMTU_FULL)) > 0)
    if (size <= f.mtu)
      settle (&f, size);
    else
      {
        g_assert_false (sqx_pmtu_too_large (&f.pmtu, size));
        g_assert_cmpuint (f.pmtu.probe, ==, 0);
      }
  g_assert_cmpuint (f.pmtu.size, ==, 1472);
  g_assert_cmpuint (f.probes, <=, 12);
  tear_down (&f);
}

static void
test_too_large_datagram (void)
{
  static const guint steps[] = { 16384, 8952, 1472, 1452, 1200 };
  Fixture f;

  set_up (&f, MOST);
  search (&f);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_assert_false (sqx_pmtu_too_large (&f.pmtu, f.pmtu.size + 1));
      g_assert_true (sqx_pmtu_too_large (&f.pmtu, f.pmtu.size));
      g_assert_cmpuint (f.pmtu.size, ==, steps[i]);
    }
  g_assert_false (sqx_pmtu_too_large (&f.pmtu, 1200));
  g_assert_false (sqx_pmtu_too_large (&f.pmtu, 1));
  g_assert_cmpuint (f.pmtu.size, ==, 1200);
  /* And it is believed: what was refused is not tried. */
  f.mtu = 1300;
  search (&f);
  g_assert_cmpuint (f.pmtu.refused, <=, 1452);
  g_assert_cmpuint (f.pmtu.size, >, 1280);

  /* PLAIN may lead over less. */
  sqx_pmtu_init (&f.pmtu, SQX_DATAGRAM_MIN, MOST);
  g_assert_true (sqx_pmtu_too_large (&f.pmtu, 1200));
  g_assert_cmpuint (f.pmtu.size, ==, SQX_DATAGRAM_MIN);
  tear_down (&f);
}

/* Black holes --------------------------------------------------------------------------- */

static void
lose (Fixture *f,
      guint    size)
{
  sqx_pmtu_packet_lost (&f->pmtu, size, f->now++);
}

static void
deliver (Fixture *f,
         guint    size)
{
  sqx_pmtu_packet_acked (&f->pmtu, size, f->now++, PTO);
}

/* As large datagrams are lost, and only small ones arrive, it is lowered step by step. */
static void
test_black_hole (void)
{
  static const guint steps[] = { 16384, 8952, 1472, 1452, 1200 };
  Fixture f;

  set_up (&f, MOST);
  search (&f);
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      guint full = f.pmtu.size;

      for (guint n = 0; n < SQX_PMTU_LOSSES; n++)
        {
          g_assert_cmpuint (f.pmtu.size, ==, full);
          lose (&f, full);
        }
      /* Too soon: a full queue loses many at once. */
      deliver (&f, 100);
      g_assert_cmpuint (f.pmtu.size, ==, full);
      f.now += PTO;
      deliver (&f, 100);
      g_assert_cmpuint (f.pmtu.size, ==, steps[i]);
    }
  for (guint n = 0; n < 10; n++)
    lose (&f, 1200);
  f.now += PTO;
  deliver (&f, 100);
  g_assert_cmpuint (f.pmtu.size, ==, 1200);

  /* And the search is open again, for all sizes. */
  f.mtu = 8952;
  search (&f);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);
  tear_down (&f);
}

/* Loss that is no black hole. */
static void
test_no_black_hole (void)
{
  Fixture f;
  guint64 sent;

  set_up (&f, 8952);
  search (&f);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);

  /* Too few, and a full one in between. */
  for (guint n = 0; n < 100; n++)
    {
      lose (&f, 8952);
      lose (&f, 8952);
      f.now += PTO;
      deliver (&f, 100);
      deliver (&f, 8952);
    }
  /* Small ones are lost as well, and nothing else. */
  for (guint n = 0; n < 100; n++)
    lose (&f, 1200);
  f.now += PTO;
  deliver (&f, 100);
  /* Nothing arrives at all. */
  for (guint n = 0; n < 100; n++)
    lose (&f, 8952);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);
  f.now += PTO;
  deliver (&f, 8952);
  /* Small ones that were sent before. */
  sent = f.now;
  f.now += PTO;
  for (guint n = 0; n < 100; n++)
    lose (&f, 8952);
  sqx_pmtu_packet_acked (&f.pmtu, 100, sent, PTO);
  f.now += PTO;
  deliver (&f, 8952);
  /* Losses that are told late, of before a full one arrived. */
  sent = f.now;
  f.now += PTO;
  deliver (&f, 8952);
  for (guint n = 0; n < 100; n++)
    sqx_pmtu_packet_lost (&f.pmtu, 8952, sent);
  f.now += PTO;
  deliver (&f, 100);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);
  tear_down (&f);
}

/* Not all large datagrams are full ones. */
static void
test_black_hole_of_others (void)
{
  Fixture f;

  set_up (&f, 8952);
  search (&f);
  for (guint n = 0; n < SQX_PMTU_LOSSES; n++)
    {
      lose (&f, 5000 + 1000 * n);
      deliver (&f, 4999);
    }
  f.now += PTO;
  deliver (&f, 4999);
  g_assert_cmpuint (f.pmtu.size, ==, 1472);

  /* One that arrives was as large as those that were lost. */
  search (&f);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);
  for (guint n = 0; n < SQX_PMTU_LOSSES; n++)
    lose (&f, 5000);
  deliver (&f, 6000);
  f.now += PTO;
  deliver (&f, 100);
  g_assert_cmpuint (f.pmtu.size, ==, 8952);

  /* What was refused before is tried again. */
  f.mtu = MOST;
  for (guint n = 0; n < SQX_PMTU_LOSSES; n++)
    lose (&f, 8952);
  f.now += PTO;
  deliver (&f, 100);
  g_assert_cmpuint (f.pmtu.size, ==, 1472);
  search (&f);
  g_assert_cmpuint (f.pmtu.size, ==, MOST);
  tear_down (&f);
}

/* Paths --------------------------------------------------------------------------------- */

static void
test_new_path (void)
{
  Fixture f;
  guint32 serial;

  set_up (&f, MOST);
  search (&f);
  sqx_pmtu_new_path (&f.pmtu);
  g_assert_cmpuint (f.pmtu.size, ==, 1200);
  g_assert_cmpuint (offer (&f, SQX_PMTU_FULL), ==, 1472);
  serial = f.pmtu.serial;
  sqx_pmtu_new_path (&f.pmtu);
  /* What went the old way says nothing. */
  sqx_pmtu_probe_acked (&f.pmtu, serial, 1472);
  g_assert_cmpuint (f.pmtu.size, ==, 1200);
  sqx_pmtu_probe_lost (&f.pmtu, serial);
  g_assert_cmpuint (f.pmtu.tries, ==, 0);
  search (&f);
  g_assert_cmpuint (f.pmtu.size, ==, MOST);
  tear_down (&f);
}

/* A probe that was given up arrives after all. */
static void
test_late_probe (void)
{
  Fixture f;

  set_up (&f, 1472);
  for (guint n = 0; n < SQX_PMTU_TRIES; n++)
    {
      g_assert_cmpuint (offer (&f, SQX_PMTU_FULL), ==, 1472);
      sqx_pmtu_probe_lost (&f.pmtu, f.pmtu.serial);
    }
  g_assert_cmpuint (offer (&f, SQX_PMTU_FULL), ==, 1452);
  sqx_pmtu_probe_acked (&f.pmtu, f.pmtu.serial - 2, 1472);
  g_assert_cmpuint (f.pmtu.size, ==, 1472);
  g_assert_cmpuint (f.pmtu.probe, ==, 1452);
  sqx_pmtu_probe_acked (&f.pmtu, f.pmtu.serial, 1452);
  g_assert_cmpuint (f.pmtu.size, ==, 1472);
  g_assert_cmpuint (offer (&f, SQX_PMTU_FULL), ==, 8952);
  tear_down (&f);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/pmtu/known-paths", test_known_paths);
  g_test_add_func ("/seqex/pmtu/any-path", test_any_path);
  g_test_add_func ("/seqex/pmtu/lossy-path", test_lossy_path);
  g_test_add_func ("/seqex/pmtu/one-at-a-time", test_one_at_a_time);
  g_test_add_func ("/seqex/pmtu/limits", test_limits);
  g_test_add_func ("/seqex/pmtu/raise", test_raise);
  g_test_add_func ("/seqex/pmtu/too-large-probe", test_too_large_probe);
  g_test_add_func ("/seqex/pmtu/too-large-datagram", test_too_large_datagram);
  g_test_add_func ("/seqex/pmtu/black-hole", test_black_hole);
  g_test_add_func ("/seqex/pmtu/no-black-hole", test_no_black_hole);
  g_test_add_func ("/seqex/pmtu/black-hole-of-others", test_black_hole_of_others);
  g_test_add_func ("/seqex/pmtu/new-path", test_new_path);
  g_test_add_func ("/seqex/pmtu/late-probe", test_late_probe);
  return g_test_run ();
}
