/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust-fixture.h"

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
    { HEADER "name=anna\n", G_IO_ERROR_INVALID_DATA,
      "line 2: Not a fingerprint: the character “=”" },
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

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  ADD ("/seqex/trust-file/new-file", test_new_file);
  ADD ("/seqex/trust-file/lines-are-kept", test_lines_are_kept);
  ADD ("/seqex/trust-file/last-seen", test_last_seen);
  ADD ("/seqex/trust-file/mode-is-kept", test_mode_is_kept);
  ADD ("/seqex/trust-file/through-a-link", test_through_a_link);
  ADD ("/seqex/trust-file/damaged", test_damaged);
  ADD ("/seqex/trust-file/bytes-in-between", test_bytes_in_between);
  ADD ("/seqex/trust-file/cut-short", test_cut_short);
  ADD ("/seqex/trust-file/unusable", test_unusable);
  ADD ("/seqex/trust-file/held-lock", test_held_lock);

  return g_test_run ();
}
