/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether comparing secrets takes the same time wherever the difference is, by the method of dudect
 * (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): two classes of inputs,
 * drawn in random order, and Welch's t-test over the times that they take. With --long: ten
 * million samples and the paper's bound; else a smoke test, whose bound only a gross leak breaks. A
 * comparison that stops at the first difference is the control, and must be found out.
 */
#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "seqex-crypto-private.h"

#define SHORT_RUN   200000u
#define LONG_RUN    10000000u
#define SHORT_BOUND 20.0
#define LONG_BOUND  4.5
#define BATCH       1000u
#define LARGEST     64u

typedef gboolean (*Operation) (const guint8 *input, const guint8 *secret, gsize size);

static const guint8 some_secret[LARGEST] = "0123456789abcdefghijklmnopqrstuvwxyz";
static guint samples = SHORT_RUN;
static double bound = SHORT_BOUND;
static void *aead;
static const guint8 nonce[12];

/* What passes without effect would be left out by the compiler. */
static volatile guint sink;

static inline guint64
ticks (void)
{
#if defined(__x86_64__) || defined(__i386__)
  guint32 low, high;

  __asm__ volatile ("lfence\n\trdtsc\n\tlfence" : "=a" (low), "=d" (high) : : "memory");
  return (guint64) high << 32 | low;
#elif defined(__aarch64__)
  guint64 count;

  __asm__ volatile ("isb\n\tmrs %0, cntvct_el0" : "=r" (count) : : "memory");
  return count;
#else
  return 0;
#endif
}

/* Mean and variance, as they come (Welford). */
typedef struct
{
  double n, mean, squares;
} Moments;

static void
add_sample (Moments *moments,
            double   x)
{
  double delta = x - moments->mean;

  moments->n += 1;
  moments->mean += delta / moments->n;
  moments->squares += delta * (x - moments->mean);
}

static double
welch (const Moments *a,
       const Moments *b)
{
  double error = a->squares / (a->n - 1) / a->n + b->squares / (b->n - 1) / b->n;

  return error > 0 ? (a->mean - b->mean) / sqrt (error) : 0;
}

static int
compare_ticks (gconstpointer a,
               gconstpointer b)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return (x > y) - (x < y);
}

/* Class 0 differs from the secret in its first byte, class 1 in its last one, or not at all. Each
 * input lies in a place of its own, so that no class has the warmer cache. */
static void
make_batch (GRand        *rand,
            guint8       *inputs,
            gboolean     *classes,
            const guint8 *secret,
            gsize         size,
            gboolean      same)
{
  for (guint i = 0; i < BATCH; i++)
    {
      guint8 *input = inputs + i * LARGEST;
      guint8 change = (guint8) g_rand_int_range (rand, 1, 256);

      classes[i] = g_rand_boolean (rand);
      memcpy (input, secret, size);
      if (!classes[i])
        input[0] ^= change;
      else if (!same)
        input[size - 1] ^= change;
    }
}

/* |t| over @samples calls of @operation, without the slowest tenth, which interrupts made. */
static double
measure (Operation     operation,
         const guint8 *secret,
         gsize         size,
         gboolean      same)
{
  guint32 seed = (guint32) g_test_rand_int ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autofree guint8 *inputs = g_malloc (BATCH * LARGEST);
  g_autofree gboolean *classes = g_new (gboolean, BATCH);
  g_autofree guint64 *times = g_new (guint64, BATCH);
  g_autofree guint64 *sorted = g_new (guint64, BATCH);
  Moments moments[2] = { { 0 } };
  guint64 limit = G_MAXUINT64;
  double t;

  for (guint done = 0; done < samples; done += BATCH)
    {
      make_batch (rand, inputs, classes, secret, size, same);
      for (guint i = 0; i < BATCH; i++)
        {
          guint64 start = ticks ();

          sink += operation (inputs + i * LARGEST, secret, size);
          times[i] = ticks () - start;
        }
      /* The limit is that of the batch before, and so knows nothing of these classes. */
      if (done > 0)
        for (guint i = 0; i < BATCH; i++)
          if (times[i] <= limit)
            add_sample (&moments[classes[i]], (double) times[i]);
      memcpy (sorted, times, BATCH * sizeof *times);
      qsort (sorted, BATCH, sizeof *sorted, compare_ticks);
      limit = sorted[BATCH * 9 / 10];
    }
  t = fabs (welch (&moments[0], &moments[1]));
  g_test_message ("seed %u: means %.2f and %.2f ticks, |t| = %.2f over %.0f samples", seed,
                  moments[0].mean, moments[1].mean, t, moments[0].n + moments[1].n);
  return t;
}

/* A machine that is busy may break the bound by chance, but not three times in a row. */
static void
assert_constant (Operation     operation,
                 const guint8 *secret,
                 gsize         size,
                 gboolean      same)
{
  double t = 0;

  for (guint attempt = 0; attempt < 3; attempt++)
    {
      t = measure (operation, secret, size, same);
      if (t < bound)
        return;
    }
  g_assert_cmpfloat (t, <, bound);
}

static gboolean
compare_equal (const guint8 *input,
               const guint8 *secret,
               gsize         size)
{
  return seqex_crypto_table ()->equal (input, secret, size);
}

static gboolean
compare_early (const guint8 *input,
               const guint8 *secret,
               gsize         size)
{
  for (gsize i = 0; i < size; i++)
    if (((volatile const guint8 *) input)[i] != secret[i])
      return FALSE;
  return TRUE;
}

/* Opens an empty packet that is nothing but a tag. */
static gboolean
compare_tag (const guint8 *input,
             const guint8 *secret,
             gsize         size)
{
  guint8 data[LARGEST];

  memcpy (data, input, LARGEST);
  return seqex_crypto_table ()->aead_open (aead, nonce, NULL, 0, data, 0);
}

static void
test_control (void)
{
  g_assert_cmpfloat (measure (compare_early, some_secret, 32, TRUE), >, bound);
  g_assert_cmpfloat (measure (compare_early, some_secret, 16, FALSE), >, bound);
}

/* Cookies and keys are 32 bytes, tags 16. */
static void
test_equal (void)
{
  assert_constant (compare_equal, some_secret, 32, TRUE);
  assert_constant (compare_equal, some_secret, 32, FALSE);
  assert_constant (compare_equal, some_secret, 16, TRUE);
  assert_constant (compare_equal, some_secret, 16, FALSE);
}

/* Both classes are wrong tags: that a packet is authentic shows anyway, how much of a guess is
 * right must not. */
static void
test_tag (void)
{
  static const guint8 key[32] = { 1 };
  guint8 tag[16];

  for (int cipher = SQX_CIPHER_AES256GCM; cipher <= SQX_CIPHER_CHACHA20POLY1305; cipher++)
    {
      aead = seqex_crypto_table ()->aead_new ((sqx_cipher) cipher, key);
      g_assert_true (seqex_crypto_table ()->aead_seal (aead, nonce, NULL, 0, tag, 0));
      assert_constant (compare_tag, tag, sizeof tag, FALSE);
      seqex_crypto_table ()->aead_free (aead);
    }
}

int
main (int   argc,
      char *argv[])
{
  if (ticks () == 0)
    {
      g_print ("1..0 # SKIP no clock here is fine enough\n");
      return 0;
    }
  g_test_init (&argc, &argv, NULL);
  for (int i = 1; i < argc; i++)
    if (g_str_equal (argv[i], "--long"))
      {
        samples = LONG_RUN;
        bound = LONG_BOUND;
      }
  g_test_add_func ("/seqex/constant-time/control", test_control);
  g_test_add_func ("/seqex/constant-time/equal", test_equal);
  g_test_add_func ("/seqex/constant-time/tag", test_tag);
  return g_test_run ();
}
