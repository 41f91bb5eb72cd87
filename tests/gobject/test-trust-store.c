/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seqex-file-private.h"
#include "seqex-trust-store-private.h"

#define HEADER "seqex-known-peers 1\n"
/* Two keys, and their texts. */
#define ANNA "gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk"
#define BERT "y46c-h27a-z9sp-xen9-sj8f-hkkp-kydk-kxa5-jh0b-chs4-wgxg-12ss-5d39-2vfh"
#define CARL "cmpt-kr6q-x4vq-tprz-0bpg-krzs-86ah-ed1j-6k89-kn2c-8nc4-9r4x-tvte-y0hg"

typedef struct
{
  char            *directory;
  char            *path;
  GFile           *file;
  SeqexTrustStore *store;
} Fixture;

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  g_autoptr (GError) error = NULL;

  fixture->directory = g_dir_make_tmp ("seqex-trust-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->directory, "known peers", NULL);
  fixture->file = g_file_new_for_path (fixture->path);
  fixture->store = seqex_trust_store_new (fixture->file);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  g_autofree char *lock = g_strconcat (fixture->path, ".lock", NULL);

  g_assert_finalize_object (fixture->store);
  g_remove (fixture->path);
  g_remove (lock);
  /* Nothing else was left in the directory. */
  g_assert_cmpint (g_rmdir (fixture->directory), ==, 0);
  g_object_unref (fixture->file);
  g_free (fixture->path);
  g_free (fixture->directory);
}

static void
write_bytes (Fixture    *fixture,
             const char *text,
             gssize      size)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->path, text, size, &error);
  g_assert_no_error (error);
}

static void
write_text (Fixture    *fixture,
            const char *text)
{
  write_bytes (fixture, text, -1);
}

static void
assert_text (Fixture    *fixture,
             const char *expected)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_says (const GError *error,
             const char   *part)
{
  if (strstr (error->message, part) == NULL)
    g_error ("“%s” does not say “%s”", error->message, part);
}

static void
assert_verdict (SeqexTrustStore   *store,
                const char        *name,
                const char        *fingerprint,
                SeqexTrustVerdict  expected)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (seqex_trust_store_check (store, name, fingerprint, &error), ==, expected);
  g_assert_no_error (error);
}

#define assert_known(...)   assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_KNOWN)
#define assert_unknown(...) assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_UNKNOWN)
#define assert_changed(...) assert_verdict (__VA_ARGS__, SEQEX_TRUST_VERDICT_CHANGED)

static void
remember (SeqexTrustStore *store,
          const char      *name,
          const char      *fingerprint)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (seqex_trust_store_remember (store, name, fingerprint, &error));
  g_assert_no_error (error);
}

static void
forget_name (SeqexTrustStore *store,
             const char      *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexTrustedPeer) peer = seqex_trust_store_lookup_name (store, name, &error);

  g_assert_nonnull (peer);
  g_assert_true (seqex_trust_store_forget (store, peer, &error));
  g_assert_no_error (error);
}

static guint
n_items (SeqexTrustStore *store)
{
  return g_list_model_get_n_items (G_LIST_MODEL (store));
}

/* Verdicts ------------------------------------------------------------------------------- */

static void
check_verdicts (SeqexTrustStore *store)
{
  g_autoptr (GError) error = NULL;

  assert_unknown (store, "anna.example:7000", ANNA);
  assert_unknown (store, NULL, ANNA);
  remember (store, "anna.example:7000", ANNA);
  assert_known (store, "anna.example:7000", ANNA);
  assert_known (store, "Anna.EXAMPLE:7000", ANNA);
  assert_known (store, NULL, ANNA);
  assert_changed (store, "anna.example:7000", BERT);
  assert_changed (store, "ANNA.example:7000", BERT);
  assert_unknown (store, NULL, BERT);
  /* One acquaintance does not pass for another. */
  assert_unknown (store, "bert.example:7000", ANNA);

  remember (store, "bert.example:7000", BERT);
  assert_changed (store, "bert.example:7000", ANNA);
  assert_changed (store, "anna.example:7000", BERT);
  remember (store, "anna", ANNA);
  assert_known (store, "anna", ANNA);
  g_assert_cmpuint (n_items (store), ==, 3);

  g_assert_false (seqex_trust_store_remember (store, "anna", BERT, &error));
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
  assert_says (error, "“anna”");
  assert_says (error, "was known as " ANNA);
  assert_says (error, "is now " BERT);
  assert_known (store, "anna", ANNA);
  assert_changed (store, "anna", BERT);
  g_assert_cmpuint (n_items (store), ==, 3);

  forget_name (store, "anna");
  assert_unknown (store, "anna", ANNA);
  assert_known (store, "anna.example:7000", ANNA);
  remember (store, "anna", BERT);
  assert_known (store, "anna", BERT);
  assert_changed (store, "anna", ANNA);
}

static void
test_verdicts (Fixture       *fixture,
               gconstpointer  data)
{
  g_autoptr (SeqexTrustStore) other = seqex_trust_store_new (fixture->file);

  check_verdicts (fixture->store);
  assert_known (other, "bert.example:7000", BERT);
  assert_changed (other, "anna", ANNA);
}

static void
test_in_memory (void)
{
  SeqexTrustStore *store = seqex_trust_store_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (seqex_trust_store_get_file (store));
  g_assert_true (seqex_trust_store_load (store, &error));
  check_verdicts (store);
  g_assert_finalize_object (store);
  store = g_object_new (SEQEX_TYPE_TRUST_STORE, NULL);
  assert_unknown (store, NULL, ANNA);
  g_assert_finalize_object (store);
}

/* A peer that came by itself has no name; that it is known does not make it known by any. */
static void
test_without_name (Fixture       *fixture,
                   gconstpointer  data)
{
  g_autoptr (SeqexTrustedPeer) peer = NULL;
  g_autoptr (GError) error = NULL;

  remember (fixture->store, NULL, ANNA);
  assert_known (fixture->store, NULL, ANNA);
  assert_unknown (fixture->store, "anna", ANNA);
  peer = seqex_trust_store_lookup (fixture->store, ANNA, &error);
  g_assert_null (seqex_trusted_peer_get_name (peer));
  remember (fixture->store, "anna", ANNA);
  g_assert_cmpuint (n_items (fixture->store), ==, 2);
  g_assert_true (seqex_trust_store_forget (fixture->store, peer, &error));
  g_assert_cmpuint (n_items (fixture->store), ==, 1);
  assert_known (fixture->store, "anna", ANNA);
  /* Again, by then nobody's. */
  g_assert_true (seqex_trust_store_forget (fixture->store, peer, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n_items (fixture->store), ==, 1);
}

static void
test_keys (void)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (NULL);
  g_autoptr (GError) error = NULL;
  guint8 anna[SEQEX_KEY_SIZE], bert[SEQEX_KEY_SIZE];

  g_assert_true (seqex_key_parse (ANNA, anna, NULL));
  g_assert_true (seqex_key_parse (BERT, bert, NULL));
  g_assert_true (seqex_trust_store_remember_key (store, "anna", anna, &error));
  g_assert_cmpint (seqex_trust_store_check_key (store, "anna", bert, &error), ==,
                   SEQEX_TRUST_VERDICT_CHANGED);
  g_assert_no_error (error);
  error = seqex_trust_store_key_changed (store, "anna", bert);
  g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
  assert_says (error, ANNA);
  assert_says (error, BERT);
}

static void
test_bad_arguments (Fixture       *fixture,
                    gconstpointer  data)
{
  g_autofree char *long_name = g_strnfill (256, 'x');
  g_autofree char *longest_name = g_strnfill (255, 'x');
  const char *names[] = { "", long_name, "a\nb", "a\x7f" "b", "\xff", "a\xc2\x85" "b" };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_assert_false (seqex_trust_store_remember (fixture->store, names[i], ANNA, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_assert_cmpint (seqex_trust_store_check (fixture->store, names[i], ANNA, &error), ==,
                       SEQEX_TRUST_VERDICT_UNKNOWN);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
      g_assert_null (seqex_trust_store_lookup_name (fixture->store, names[i], &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
  g_assert_false (seqex_trust_store_remember (fixture->store, "x", "anna", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (seqex_trust_store_lookup (fixture->store, "", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  remember (fixture->store, longest_name, ANNA);
  assert_known (fixture->store, longest_name, ANNA);
}

/* The file ------------------------------------------------------------------------------- */

static void
test_new_file (Fixture       *fixture,
               gconstpointer  data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  mode_t mask = umask (0);
  struct stat status;

  g_assert_true (seqex_trust_store_load (fixture->store, &error));
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  remember (fixture->store, "Café #1 = 100 %", ANNA);
  umask (mask);
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  g_assert_cmpstr (lines[0], ==, "seqex-known-peers 1");
  g_assert_true (g_str_has_prefix (lines[1], "# "));
  g_assert_true (g_regex_match_simple ("^" ANNA " name=Café%20%231%20=%20100%20%25 "
                                       "first-seen=20[0-9T:-]{17}Z last-seen=20[0-9T:-]{17}Z$",
                                       lines[2], 0, 0));
  g_assert_cmpstr (lines[3], ==, "");
}

/* What is in a line besides is kept, wherever it stands. */
static void
test_lines_are_kept (Fixture       *fixture,
                     gconstpointer  data)
{
  g_autoptr (SeqexTrustedPeer) peer = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  write_text (fixture, HEADER
              "# from the year dot\n"
              "\n"
              ANNA "\tcolour=blue last-seen=2001-01-01T00:00:00Z   name=anna shape=\n"
              "  \t \n"
              BERT " name=bert  ca=x=y\n"
              "#" CARL "\n"
              CARL "\n");
  assert_known (fixture->store, "anna", ANNA);
  assert_known (fixture->store, "bert", BERT);
  assert_known (fixture->store, NULL, CARL);
  g_assert_cmpuint (n_items (fixture->store), ==, 3);
  peer = seqex_trust_store_lookup_name (fixture->store, "anna", &error);
  g_assert_null (seqex_trusted_peer_get_first_seen (peer));
  g_assert_cmpint (g_date_time_get_year (seqex_trusted_peer_get_last_seen (peer)), ==, 2001);

  remember (fixture->store, "anna", ANNA);
  forget_name (fixture->store, "bert");
  g_assert_cmpint (g_date_time_get_year (seqex_trusted_peer_get_last_seen (peer)), >, 2001);
  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  g_assert_true (g_regex_match_simple ("^" HEADER
                                       "# from the year dot\n"
                                       "\n"
                                       ANNA "\tcolour=blue last-seen=20[0-9T:-]{17}Z   name=anna "
                                       "shape=\n"
                                       "  \t \n"
                                       "#" CARL "\n"
                                       CARL "\n$", text, 0, 0));
  g_assert_null (strstr (text, "2001"));
}

/* Seeing a peer again soon writes nothing; after long, its line. */
static void
test_last_seen (Fixture       *fixture,
                gconstpointer  data)
{
  g_autoptr (SeqexTrustedPeer) peer = NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autoptr (GDateTime) late = g_date_time_add_days (now, 2);
  g_autofree char *future = g_date_time_format (late, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *text = g_strconcat (HEADER ANNA " last-seen=", future, "\n", NULL);
  g_autofree char *after = NULL;
  struct stat before, again;

  remember (fixture->store, "bert", BERT);
  g_assert_cmpint (stat (fixture->path, &before), ==, 0);
  remember (fixture->store, "bert", BERT);
  g_assert_cmpint (stat (fixture->path, &again), ==, 0);
  g_assert_cmpuint (before.st_ino, ==, again.st_ino);
  peer = seqex_trust_store_lookup (fixture->store, BERT, NULL);
  g_assert_cmpint (ABS (g_date_time_difference (seqex_trusted_peer_get_last_seen (peer), now)), <,
                   G_TIME_SPAN_MINUTE);
  g_assert_true (g_date_time_equal (seqex_trusted_peer_get_last_seen (peer),
                                    seqex_trusted_peer_get_first_seen (peer)));

  /* The clock was wrong once. */
  write_text (fixture, text);
  remember (fixture->store, NULL, ANNA);
  g_assert_true (g_file_get_contents (fixture->path, &after, NULL, NULL));
  g_assert_null (strstr (after, future));
  /* A line that did not say gets it. */
  write_text (fixture, HEADER CARL "\n");
  remember (fixture->store, NULL, CARL);
  g_clear_pointer (&after, g_free);
  g_assert_true (g_file_get_contents (fixture->path, &after, NULL, NULL));
  g_assert_true (g_str_has_prefix (after, HEADER CARL " last-seen=20"));
}

static void
test_mode_is_kept (Fixture       *fixture,
                   gconstpointer  data)
{
  struct stat status;

  write_text (fixture, HEADER);
  g_assert_cmpint (chmod (fixture->path, 0640), ==, 0);
  remember (fixture->store, "anna", ANNA);
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0640);
}

static void
test_through_a_link (Fixture       *fixture,
                     gconstpointer  data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "link", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (file);
  struct stat status;

  write_text (fixture, HEADER);
  g_assert_cmpint (symlink ("known peers", path), ==, 0);
  remember (store, "anna", ANNA);
  assert_known (fixture->store, "anna", ANNA);
  g_assert_cmpint (lstat (path, &status), ==, 0);
  g_assert_true (S_ISLNK (status.st_mode));
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
test_damaged (Fixture       *fixture,
              gconstpointer  data)
{
  const struct
  {
    const char *text;
    int         code;
    const char *part;
  } cases[] = {
    { "", G_IO_ERROR_INVALID_DATA, "is empty" },
    { "\n", G_IO_ERROR_INVALID_DATA, "line 1: a file of known peers begins with" },
    { "example.org ssh-ed25519 AAAA\n", G_IO_ERROR_INVALID_DATA, "line 1: a file of known peers" },
    { ANNA "\n", G_IO_ERROR_INVALID_DATA, "line 1: a file of known peers" },
    { "seqex-known-peers 1", G_IO_ERROR_INVALID_DATA, "line 1: the line is cut short" },
    { "seqex-known-peers 2\n", G_IO_ERROR_NOT_SUPPORTED, "line 1: “2” is another version" },
    { "seqex-known-peers 1\r\n", G_IO_ERROR_INVALID_DATA, "line 1: the control character U+000D" },
    { HEADER ANNA " name=anna", G_IO_ERROR_INVALID_DATA, "line 2: the line is cut short" },
    { HEADER "# a\n" ANNA "\nanna\n", G_IO_ERROR_INVALID_DATA,
      "line 4: A fingerprint has 56 characters besides dashes and spaces, this has 4" },
    { HEADER "name=anna\n", G_IO_ERROR_INVALID_DATA, "line 2: Not a fingerprint: the character “=”" },
    { HEADER "hmgf" "-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk\n",
      G_IO_ERROR_INVALID_DATA, "line 2: Not a fingerprint: the check does not match" },
    { HEADER ANNA " anna\n", G_IO_ERROR_INVALID_DATA, "line 2: “anna” is no field" },
    { HEADER ANNA " =anna\n", G_IO_ERROR_INVALID_DATA, "line 2: “=anna” is no field" },
    { HEADER ANNA " name=\n", G_IO_ERROR_INVALID_DATA, "line 2: A peer's name has 1 to 255 bytes" },
    { HEADER ANNA " name=%0a\n", G_IO_ERROR_INVALID_DATA, "line 2: A peer's name has the control" },
    { HEADER ANNA " name=%00\n", G_IO_ERROR_INVALID_DATA, "line 2: the name is not escaped" },
    { HEADER ANNA " name=%zz\n", G_IO_ERROR_INVALID_DATA, "line 2: the name is not escaped" },
    { HEADER ANNA " name=%ff\n", G_IO_ERROR_INVALID_DATA, "line 2: " },
    { HEADER ANNA " name=a name=b\n", G_IO_ERROR_INVALID_DATA, "line 2: “name” is there twice" },
    { HEADER ANNA " last-seen=2026-01-01T00:00:00Z last-seen=2026-01-01T00:00:00Z\n",
      G_IO_ERROR_INVALID_DATA, "line 2: “last-seen” is there twice" },
    { HEADER ANNA " first-seen=today\n", G_IO_ERROR_INVALID_DATA, "line 2: “today” is not a time" },
    { HEADER "# caf\xe9\n", G_IO_ERROR_INVALID_DATA, "line 2: not a text in UTF-8" },
    { HEADER "# \x1b[2J\n", G_IO_ERROR_INVALID_DATA, "line 2: the control character U+001B" },
  };
  g_autoptr (SeqexTrustedPeer) anna = NULL;

  write_text (fixture, HEADER ANNA " name=anna\n");
  anna = seqex_trust_store_lookup_name (fixture->store, "anna", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) same = NULL;
      g_autoptr (GError) third = NULL;

      write_text (fixture, cases[i].text);
      g_assert_false (seqex_trust_store_load (fixture->store, &error));
      g_assert_error (error, G_IO_ERROR, cases[i].code);
      assert_says (error, fixture->path);
      assert_says (error, cases[i].part);
      /* Nobody is trusted, nothing is written. */
      g_assert_cmpint (seqex_trust_store_check (fixture->store, "anna", ANNA, &same), ==,
                       SEQEX_TRUST_VERDICT_UNKNOWN);
      g_assert_cmpstr (same->message, ==, error->message);
      g_assert_false (seqex_trust_store_remember (fixture->store, "bert", BERT, &third));
      g_assert_cmpstr (third->message, ==, error->message);
      g_clear_error (&third);
      g_assert_false (seqex_trust_store_forget (fixture->store, anna, &third));
      g_assert_cmpstr (third->message, ==, error->message);
      assert_text (fixture, cases[i].text);
    }

  /* As soon as it is mended, all is well. */
  write_text (fixture, HEADER ANNA " name=anna\n");
  assert_known (fixture->store, "anna", ANNA);
}

static void
test_bytes_in_between (Fixture       *fixture,
                       gconstpointer  data)
{
  static const char text[] = HEADER ANNA "\0\n";
  g_autoptr (GError) error = NULL;

  write_bytes (fixture, text, sizeof text - 1);
  g_assert_false (seqex_trust_store_load (fixture->store, &error));
  assert_says (error, "line 2: not a text in UTF-8");
}

/* However a file was cut short, it is noticed or has only lost whole lines. */
static void
test_cut_short (Fixture       *fixture,
                gconstpointer  data)
{
  static const char text[] = HEADER ANNA " name=anna.example.org\n" BERT " name=bert\n";

  for (gsize size = 0; size < sizeof text; size++)
    {
      g_autoptr (GError) error = NULL;
      gboolean loaded;

      write_bytes (fixture, text, (gssize) size);
      loaded = seqex_trust_store_load (fixture->store, &error);
      g_assert_cmpint (loaded, ==, size > 0 && text[size - 1] == '\n');
      if (!loaded)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
    }
}

static void
test_unusable (Fixture       *fixture,
               gconstpointer  data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "no", "where", NULL);
  g_autoptr (GFile) nowhere = g_file_new_for_path (path);
  g_autoptr (GFile) remote = g_file_new_for_uri ("http://example.org/peers");
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (nowhere);
  g_autoptr (SeqexTrustStore) remote_store = seqex_trust_store_new (remote);
  g_autoptr (GError) error = NULL;

  /* Nothing is known as yet; remembering needs the directory. */
  assert_unknown (store, "anna", ANNA);
  g_assert_false (seqex_trust_store_remember (store, "anna", ANNA, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_says (error, "/no” does not exist; make this directory first");
  g_clear_error (&error);
  assert_unknown (store, "anna", ANNA);

  g_assert_false (seqex_trust_store_load (remote_store, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);

  g_assert_cmpint (g_mkdir (fixture->path, 0700), ==, 0);
  g_assert_false (seqex_trust_store_load (fixture->store, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE);
}

/* Another program that was stopped while it had the lock does not hang this one; looking needs no
 * lock. */
static void
test_held_lock (Fixture       *fixture,
                gconstpointer  data)
{
  g_autofree char *lock = g_strconcat (fixture->path, ".lock", NULL);
  g_autoptr (GError) error = NULL;
  int first = seqex_file_lock (fixture->path, 0, &error);
  int second;

  g_assert_no_error (error);
  assert_unknown (fixture->store, "anna", ANNA);
  g_assert_cmpint (seqex_file_lock (fixture->path, G_TIME_SPAN_MILLISECOND, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  assert_says (error, lock);
  g_clear_error (&error);
  close (first);
  second = seqex_file_lock (fixture->path, 0, &error);
  g_assert_no_error (error);
  close (second);
  remember (fixture->store, "anna", ANNA);
}

/* Several at once ------------------------------------------------------------------------ */

static char *
fingerprint_of (guint writer,
                guint number)
{
  guint8 key[SEQEX_KEY_SIZE] = { 0 };

  key[0] = (guint8) (writer + 1);
  key[1] = (guint8) number;
  return seqex_key_format (key);
}

#define WRITERS 6
#define PEERS   25

/* Remembers its peers and forgets every fifth of them again; false if anything failed. */
static gboolean
write_peers (GFile *file,
             guint  writer)
{
  g_autoptr (SeqexTrustStore) store = seqex_trust_store_new (file);

  for (guint i = 0; i < PEERS; i++)
    {
      g_autofree char *fingerprint = fingerprint_of (writer, i);
      g_autofree char *name = g_strdup_printf ("peer %u of %u", i, writer);
      g_autoptr (SeqexTrustedPeer) peer = NULL;

      if (!seqex_trust_store_remember (store, name, fingerprint, NULL))
        return FALSE;
      if (i % 5 != 0)
        continue;
      peer = seqex_trust_store_lookup (store, fingerprint, NULL);
      if (peer == NULL || !seqex_trust_store_forget (store, peer, NULL))
        return FALSE;
    }
  return TRUE;
}

static void
assert_all_there (Fixture *fixture)
{
  for (guint writer = 0; writer < WRITERS; writer++)
    for (guint i = 0; i < PEERS; i++)
      {
        g_autofree char *fingerprint = fingerprint_of (writer, i);
        g_autofree char *name = g_strdup_printf ("peer %u of %u", i, writer);

        assert_verdict (fixture->store, name, fingerprint,
                        i % 5 != 0 ? SEQEX_TRUST_VERDICT_KNOWN : SEQEX_TRUST_VERDICT_UNKNOWN);
      }
  g_assert_cmpuint (n_items (fixture->store), ==, WRITERS * (PEERS - PEERS / 5));
}

static void
test_processes (Fixture       *fixture,
                gconstpointer  data)
{
  guint running = WRITERS;
  int status;

  for (guint writer = 0; writer < WRITERS; writer++)
    {
      pid_t pid = fork ();

      g_assert_cmpint (pid, >=, 0);
      if (pid == 0)
        _exit (write_peers (fixture->file, writer) ? 0 : 1);
    }
  while (running > 0)
    {
      g_autoptr (GError) error = NULL;
      pid_t pid = waitpid (-1, &status, WNOHANG);

      g_assert_true (pid >= 0 || errno == EINTR);
      if (pid > 0)
        {
          g_assert_true (WIFEXITED (status));
          g_assert_cmpint (WEXITSTATUS (status), ==, 0);
          running--;
        }
      /* Who reads meanwhile always finds a whole file. */
      g_assert_true (seqex_trust_store_load (fixture->store, &error));
      g_assert_no_error (error);
    }
  assert_all_there (fixture);
}

typedef struct
{
  GFile *file;
  guint  writer;
} Writer;

static gpointer
writer_thread (gpointer data)
{
  const Writer *writer = data;

  return GINT_TO_POINTER (write_peers (writer->file, writer->writer));
}

static void
test_threads (Fixture       *fixture,
              gconstpointer  data)
{
  GThread *threads[WRITERS];
  Writer writers[WRITERS];

  for (guint i = 0; i < WRITERS; i++)
    {
      writers[i] = (Writer) { fixture->file, i };
      threads[i] = g_thread_new ("writer", writer_thread, &writers[i]);
    }
  for (guint i = 0; i < WRITERS; i++)
    g_assert_true (GPOINTER_TO_INT (g_thread_join (threads[i])));
  assert_all_there (fixture);
}

/* The list ------------------------------------------------------------------------------- */

/* A copy that follows items-changed, as a view does. */
typedef struct
{
  GPtrArray *items;
  guint      changes;
} View;

static void
items_changed_cb (GListModel *model,
                  guint       position,
                  guint       removed,
                  guint       added,
                  gpointer    user_data)
{
  View *view = user_data;

  view->changes++;
  if (removed > 0)
    g_ptr_array_remove_range (view->items, position, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (view->items, (int) (position + i),
                        g_list_model_get_item (model, position + i));
  g_assert_cmpuint (view->items->len, ==, g_list_model_get_n_items (model));
  for (guint i = 0; i < view->items->len; i++)
    {
      g_autoptr (GObject) item = g_list_model_get_item (model, i);

      g_assert_true (item == view->items->pdata[i]);
    }
}

static void
count_cb (GObject    *object,
          GParamSpec *spec,
          gpointer    user_data)
{
  *(guint *) user_data += 1;
}

static void
test_list (Fixture       *fixture,
           gconstpointer  data)
{
  View view = { g_ptr_array_new_with_free_func (g_object_unref), 0 };
  g_autoptr (SeqexTrustedPeer) anna = NULL;
  g_autoptr (SeqexTrustedPeer) again = NULL;
  g_autoptr (GBytes) key = seqex_fingerprint_to_key (ANNA, NULL);
  g_autofree char *name = NULL;
  guint resized = 0, seen = 0, items;

  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (fixture->store)) ==
                 SEQEX_TYPE_TRUSTED_PEER);
  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (items_changed_cb), &view);
  g_signal_connect (fixture->store, "notify::n-items", G_CALLBACK (count_cb), &resized);
  write_text (fixture, HEADER ANNA " name=anna\n" BERT " name=bert\n" CARL "\n");
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 3);
  g_assert_cmpuint (resized, ==, 1);
  g_object_get (fixture->store, "n-items", &items, NULL);
  g_assert_cmpuint (items, ==, 3);
  g_assert_null (g_list_model_get_item (G_LIST_MODEL (fixture->store), 3));

  anna = seqex_trust_store_lookup_name (fixture->store, "ANNA", NULL);
  g_assert_true (anna == view.items->pdata[0]);
  g_assert_cmpstr (seqex_trusted_peer_get_fingerprint (anna), ==, ANNA);
  g_assert_true (g_bytes_equal (seqex_trusted_peer_get_public_key (anna), key));
  g_object_get (anna, "name", &name, NULL);
  g_assert_cmpstr (name, ==, "anna");

  /* What is the same keeps its object, and says what changed in it. */
  g_signal_connect (anna, "notify::last-seen", G_CALLBACK (count_cb), &seen);
  write_text (fixture, HEADER ANNA " name=anna last-seen=2020-02-02T02:02:02Z\n" CARL "\n");
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 2);
  g_assert_true (anna == view.items->pdata[0]);
  g_assert_cmpuint (seen, ==, 1);
  g_assert_cmpuint (view.changes, ==, 2);
  remember (fixture->store, "anna", ANNA);
  g_assert_cmpuint (seen, ==, 2);
  g_assert_cmpuint (view.changes, ==, 2);
  g_assert_cmpuint (resized, ==, 2);

  /* One for another. */
  write_text (fixture, HEADER BERT " name=bert\n" CARL "\n");
  again = seqex_trust_store_lookup_name (fixture->store, "bert", NULL);
  g_assert_true (again == view.items->pdata[0]);
  g_assert_cmpuint (view.changes, ==, 3);
  g_assert_cmpuint (resized, ==, 2);

  g_assert_cmpint (g_remove (fixture->path), ==, 0);
  g_assert_true (seqex_trust_store_load (fixture->store, NULL));
  g_assert_cmpuint (view.items->len, ==, 0);
  g_ptr_array_unref (view.items);
}

static void
change_it_again_cb (GListModel *model,
                    guint       position,
                    guint       removed,
                    guint       added,
                    gpointer    user_data)
{
  remember (SEQEX_TRUST_STORE (model), "bert", BERT);
}

/* A handler may change the store again: the lock is not held any more. */
static void
test_change_in_handler (Fixture       *fixture,
                        gconstpointer  data)
{
  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (change_it_again_cb), NULL);
  remember (fixture->store, "anna", ANNA);
  assert_known (fixture->store, "anna", ANNA);
  assert_known (fixture->store, "bert", BERT);
  g_assert_cmpuint (n_items (fixture->store), ==, 2);
}

/* Against a plain table, with changes from inside and outside of the object. */
static void
test_random (Fixture       *fixture,
             gconstpointer  data)
{
  g_autoptr (GHashTable) table = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (SeqexTrustStore) other = seqex_trust_store_new (fixture->file);
  View view = { g_ptr_array_new_with_free_func (g_object_unref), 0 };

  g_signal_connect (fixture->store, "items-changed", G_CALLBACK (items_changed_cb), &view);
  for (guint i = 0; i < 300; i++)
    {
      SeqexTrustStore *store = g_test_rand_bit () ? fixture->store : other;
      g_autofree char *name = g_strdup_printf ("name %d", g_test_rand_int_range (0, 12));
      g_autofree char *fingerprint = fingerprint_of (0, (guint) g_test_rand_int_range (0, 3));
      const char *known = g_hash_table_lookup (table, name);
      g_autoptr (GError) error = NULL;

      assert_verdict (store, name, fingerprint,
                      known == NULL ? SEQEX_TRUST_VERDICT_UNKNOWN
                      : g_str_equal (known, fingerprint) ? SEQEX_TRUST_VERDICT_KNOWN
                                                         : SEQEX_TRUST_VERDICT_CHANGED);
      if (known != NULL && g_test_rand_bit ())
        {
          forget_name (store, name);
          g_hash_table_remove (table, name);
        }
      else if (seqex_trust_store_remember (store, name, fingerprint, &error))
        g_hash_table_insert (table, g_strdup (name), g_strdup (fingerprint));
      else
        g_assert_error (error, SEQEX_ERROR, SEQEX_ERROR_KEY_CHANGED);
      g_assert_cmpuint (n_items (store), ==, g_hash_table_size (table));
    }
  g_ptr_array_unref (view.items);
}

static void
test_empty_peer (void)
{
  g_autoptr (SeqexTrustedPeer) peer = g_object_new (SEQEX_TYPE_TRUSTED_PEER, NULL);

  g_assert_cmpuint (strlen (seqex_trusted_peer_get_fingerprint (peer)), ==,
                    SEQEX_KEY_TEXT_SIZE - 1);
  g_assert_null (seqex_trusted_peer_get_name (peer));
  g_assert_null (seqex_trusted_peer_get_first_seen (peer));
  g_assert_null (seqex_trusted_peer_get_last_seen (peer));
}

#define ADD(path, function) \
  g_test_add ("/seqex/trust-store/" path, Fixture, NULL, set_up, function, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("verdicts", test_verdicts);
  g_test_add_func ("/seqex/trust-store/in-memory", test_in_memory);
  ADD ("without-name", test_without_name);
  g_test_add_func ("/seqex/trust-store/keys", test_keys);
  g_test_add_func ("/seqex/trust-store/empty-peer", test_empty_peer);
  ADD ("bad-arguments", test_bad_arguments);
  ADD ("new-file", test_new_file);
  ADD ("lines-are-kept", test_lines_are_kept);
  ADD ("last-seen", test_last_seen);
  ADD ("mode-is-kept", test_mode_is_kept);
  ADD ("through-a-link", test_through_a_link);
  ADD ("damaged", test_damaged);
  ADD ("bytes-in-between", test_bytes_in_between);
  ADD ("cut-short", test_cut_short);
  ADD ("unusable", test_unusable);
  ADD ("held-lock", test_held_lock);
  ADD ("processes", test_processes);
  ADD ("threads", test_threads);
  ADD ("list", test_list);
  ADD ("change-in-handler", test_change_in_handler);
  ADD ("random", test_random);

  return g_test_run ();
}
