/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The window against replays is what sqx_acks tracks. Here it runs beside a plain set of all
 * numbers that were ever accepted: with --long, a thousand million operations.
 */
#include <glib.h>
#include <string.h>

#include "sqx-acks.h"

#define SHORT_RUN 10000000u
#define LONG_RUN  1000000000u
#define SPAN      (1u << 18) /* numbers in one world */

static guint64 operations = SHORT_RUN;

typedef struct
{
  guint64  random;
  sqx_acks acks;
  guint64  base;      /* what bit 0 of the set stands for */
  guint64 *set;       /* SPAN bits: every number that was ever accepted */
  guint64  floor;     /* numbers below are refused whether they came or not */
  guint64  highest;   /* accepted, plus one */
  guint    runs;      /* of set numbers, from floor on */
  guint    gaps;      /* how far apart new numbers come; the larger, the more gaps */
  guint64  verdicts[3];
} World;

/* xorshift64*: nothing that costs as much as what is tested. */
static inline guint64
draw (World *world)
{
  world->random ^= world->random >> 12;
  world->random ^= world->random << 25;
  world->random ^= world->random >> 27;
  return world->random * G_GUINT64_CONSTANT (2685821657736338717);
}

static inline guint
below (World *world,
       guint  bound)
{
  return (guint) ((draw (world) >> 32) * bound >> 32);
}

static inline gboolean
is_set (const World *world,
        guint64      number)
{
  guint64 bit = number - world->base;

  return number >= world->base && bit < SPAN && (world->set[bit / 64] >> bit % 64 & 1) != 0;
}

/* Below, nothing in the set is tracked any more. */
static inline guint64
lowest (const World *world)
{
  return MAX (world->floor, world->base);
}

/* Gives up the lowest run. */
static void
drop_run (World *world)
{
  world->floor = lowest (world);
  g_assert_cmpuint (world->runs, >, 0);
  while (!is_set (world, world->floor))
    world->floor++;
  while (is_set (world, world->floor))
    world->floor++;
  world->runs--;
}

static void
accept_number (World   *world,
               guint64  number)
{
  guint64 bit = number - world->base;
  gboolean left = number > world->floor && is_set (world, number - 1);
  gboolean right = is_set (world, number + 1);

  g_assert_true (sqx_acks_add (&world->acks, 0, number, TRUE));
  world->set[bit / 64] |= G_GUINT64_CONSTANT (1) << bit % 64;
  world->runs = world->runs + 1 - left - right;
  world->highest = MAX (world->highest, number + 1);
  if (world->runs > SQX_ACK_RANGES)
    drop_run (world);
}

/* The peer knows everything below the run that holds @number, if any does. */
static void
confirm (World   *world,
         guint64  number)
{
  guint64 start = number;

  sqx_acks_confirmed (&world->acks, number);
  if (number < world->floor || !is_set (world, number))
    return;
  while (start > lowest (world) && is_set (world, start - 1))
    start--;
  /* The floor goes to the end of the run before, if there is one. */
  while (start > lowest (world) && !is_set (world, start - 1))
    start--;
  while (lowest (world) < start)
    drop_run (world);
}

/* Numbers where something may be off by one are drawn often. */
static guint64
draw_number (World *world)
{
  const sqx_ranges *ranges = &world->acks.received;
  const sqx_range *range = &ranges->items[below (world, (guint) ranges->count)];
  guint64 word = (world->highest - world->base) & ~(guint64) 63;
  guint64 number = 0;

  switch (below (world, 16))
    {
    case 0: number = lowest (world) - 2 + below (world, 5); break;
    case 1: number = range->start - 2 + below (world, 5); break;
    case 2: number = range->end - 2 + below (world, 5); break;
    case 3: number = world->base + below (world, SPAN); break;                /* an old replay */
    case 4: number = world->base + word - 65 + 64 * below (world, 3); break;  /* edges of words */
    case 5: case 6: case 7: number = world->highest - below (world, 200); break;
    case 8: number = lowest (world) + below (world, 400); break;
    default:
      number = world->highest + (below (world, 4) != 0 ? 0 : below (world, world->gaps));
      break;
    }
  /* Outside of the set nothing is known. */
  if (number < world->base || number >= MIN (world->base + SPAN, world->highest + 2000))
    number = world->highest;
  return number;
}

static void
operate (World *world)
{
  guint64 number = draw_number (world);
  sqx_acks_verdict expected = number < world->floor     ? SQX_ACKS_OLD
                              : is_set (world, number) ? SQX_ACKS_DUPLICATE
                                                       : SQX_ACKS_NEW;
  sqx_acks_verdict verdict = sqx_acks_check (&world->acks, number);

  if (G_UNLIKELY (verdict != expected ||
                  sqx_acks_expand (&world->acks, (guint32) number) != number))
    g_error ("%" G_GUINT64_FORMAT " of base %" G_GUINT64_FORMAT ": verdict %d, expected %d",
             number, world->base, verdict, expected);
  world->verdicts[expected]++;
  /* One in eight is a forgery, which must leave no trace. */
  if (expected == SQX_ACKS_NEW && below (world, 8) != 0)
    accept_number (world, number);
  else if (below (world, 512) == 0)
    confirm (world, lowest (world) + below (world, (guint) (world->highest - lowest (world)) + 2));

  if (G_UNLIKELY (world->acks.floor != world->floor || world->acks.received.count != world->runs))
    g_error ("floor %" G_GUINT64_FORMAT " and %" G_GSIZE_FORMAT " ranges, expected %"
             G_GUINT64_FORMAT " and %u", world->acks.floor, world->acks.received.count,
             world->floor, world->runs);
}

/* The edges of 32 bits, of where a packet is too far ahead, and of all numbers. */
static guint64
draw_base (World *world)
{
  static const guint64 bases[] = {
    0, G_GUINT64_CONSTANT (1) << 31, G_GUINT64_CONSTANT (1) << 32, G_GUINT64_CONSTANT (3) << 31,
    G_GUINT64_CONSTANT (1) << 48, (G_GUINT64_CONSTANT (1) << 62) - (G_GUINT64_CONSTANT (3) << 32),
  };
  guint64 base = bases[below (world, G_N_ELEMENTS (bases))];

  return base == 0 ? 0 : base - below (world, SPAN);
}

static void
begin (World *world)
{
  const guint64 ahead = G_GUINT64_CONSTANT (1) << 31; /* more than a peer can be */

  memset (world->set, 0, SPAN / 8);
  sqx_acks_init (&world->acks, 0);
  world->base = draw_base (world);
  world->floor = 0;
  world->runs = 0;
  world->highest = 0;
  world->gaps = 2u << below (world, 8);
  accept_number (world, world->base + below (world, 300));
  /* The set knows nothing below its base, and sqx_acks nothing was refused there: so far both say
   * new. */
  g_assert_cmpint (sqx_acks_check (&world->acks, world->highest), ==, SQX_ACKS_NEW);
  g_assert_cmpint (sqx_acks_check (&world->acks, world->highest + ahead), ==, SQX_ACKS_NEW);
  g_assert_cmpint (sqx_acks_check (&world->acks, world->highest + ahead + 1), ==, SQX_ACKS_OLD);
}

static void
test_against_set (void)
{
  World world = { .random = (guint64) g_test_rand_int () << 32 | g_test_rand_int () | 1 };
  guint64 left = operations;
  guint worlds = 0;

  world.set = g_new (guint64, SPAN / 64);
  g_test_message ("state %" G_GUINT64_FORMAT, world.random);
  while (left > 0)
    {
      begin (&world);
      worlds++;
      for (; left > 0 && world.highest < world.base + SPAN - 2000; left--)
        operate (&world);
      sqx_acks_clear (&world.acks);
    }
  g_test_message ("%u worlds; %" G_GUINT64_FORMAT " new, %" G_GUINT64_FORMAT " duplicate, %"
                  G_GUINT64_FORMAT " too old", worlds, world.verdicts[SQX_ACKS_NEW],
                  world.verdicts[SQX_ACKS_DUPLICATE], world.verdicts[SQX_ACKS_OLD]);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (world.verdicts[i], >, operations / 50);
  g_free (world.set);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  for (int i = 1; i < argc; i++)
    if (g_str_equal (argv[i], "--long"))
      operations = LONG_RUN;
  g_test_add_func ("/seqex/replay/against-set", test_against_set);
  return g_test_run ();
}
