/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a fuzz target over the files of a corpus, without a fuzzer: what was found once stays found.
 * TAP output, one case a file. Then the same inputs again, each mutated a given number of times
 * with a printed seed, so that the target's own checks are exercised on every machine.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static guint mutations;
static guint seed;

static void
mutate_and_run (const char *contents,
                gsize       size,
                GRand      *rand)
{
  gsize new_size = size + g_rand_int_range (rand, 0, 16);
  g_autofree guint8 *copy = g_malloc0 (new_size + 1);

  memcpy (copy, contents, size);
  for (gint i = g_rand_int_range (rand, 1, 8); i > 0 && new_size > 0; i--)
    copy[g_rand_int_range (rand, 0, (gint32) new_size)] = (guint8) g_rand_int_range (rand, 0, 256);
  if (new_size > 0 && g_rand_boolean (rand))
    new_size = (gsize) g_rand_int_range (rand, 0, (gint32) new_size);
  LLVMFuzzerTestOneInput (copy, new_size);
}

static void
run_file (gconstpointer data)
{
  const char *path = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = NULL;
  g_autofree guint8 *copy = NULL;
  GRand *rand = g_rand_new_with_seed (seed);
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);
  /* An exact block, so that a read past the end is seen. */
  copy = g_memdup2 (contents, size);
  LLVMFuzzerTestOneInput (copy, size);
  for (guint i = 0; i < mutations; i++)
    mutate_and_run (contents, size, rand);
  g_rand_free (rand);
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const char *given = g_getenv ("SEQEX_FUZZ_SEED");
  const char *name;
  GDir *dir;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 3);
  mutations = (guint) g_ascii_strtoull (argv[2], NULL, 10);
  seed = given ? (guint) g_ascii_strtoull (given, NULL, 10) : 1;
  g_test_message ("SEQEX_FUZZ_SEED=%u, %u mutations of each file", seed, mutations);

  dir = g_dir_open (argv[1], 0, NULL);
  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (paths, g_build_filename (argv[1], name, NULL));
  g_dir_close (dir);
  g_assert_cmpuint (paths->len, >, 0);
  g_ptr_array_sort (paths, compare_names);
  for (guint i = 0; i < paths->len; i++)
    {
      g_autofree char *base = g_path_get_basename (paths->pdata[i]);
      g_autofree char *test_path = g_strdup_printf ("/seqex/fuzz/%s", base);

      g_test_add_data_func (test_path, paths->pdata[i], run_file);
    }
  return g_test_run ();
}
