/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seqex-identity-private.h"

/* A key pair of RFC 7748, section 6.1. */
static const guint8 known_secret[SEQEX_KEY_SIZE] = {
  0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
  0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
};

#define KNOWN_FINGERPRINT "gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk"
#define KNOWN_KEY         "ew3p-t2kk-32jq-tf0p-r5s5-3ck6-8qfm-rbw7-xf09-janh-ezxt-a7ds-5gn1-jk7q"
#define KNOWN_LINE        "secret-key " KNOWN_KEY "\n"

typedef struct
{
  char  *directory;
  char  *path;
  GFile *file;
} Fixture;

static void
set_up (Fixture       *fixture,
        gconstpointer  data)
{
  g_autoptr (GError) error = NULL;

  fixture->directory = g_dir_make_tmp ("seqex-identity-XXXXXX", &error);
  g_assert_no_error (error);
  fixture->path = g_build_filename (fixture->directory, "me", NULL);
  fixture->file = g_file_new_for_path (fixture->path);
}

static void
tear_down (Fixture       *fixture,
           gconstpointer  data)
{
  /* Nothing else was left in the directory. */
  g_remove (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->directory), ==, 0);
  g_object_unref (fixture->file);
  g_free (fixture->path);
  g_free (fixture->directory);
}

static void
write_text (Fixture    *fixture,
            const char *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents_full (fixture->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                            &error);
  g_assert_no_error (error);
}

static void
assert_says (const GError *error,
             const char   *part)
{
  if (strstr (error->message, part) == NULL)
    g_error ("“%s” does not say “%s”", error->message, part);
}

static void
assert_load_fails (Fixture    *fixture,
                   int         code,
                   const char *part)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) same = NULL;

  g_assert_null (seqex_identity_load_file (fixture->file, NULL, &error));
  g_assert_error (error, G_IO_ERROR, code);
  assert_says (error, fixture->directory);
  assert_says (error, part);
  /* What is there and cannot be read is left alone. */
  g_assert_null (seqex_identity_load_or_generate (fixture->file, NULL, &same));
  g_assert_error (same, G_IO_ERROR, code);
}

static void
test_generate (void)
{
  g_autoptr (SeqexIdentity) a = seqex_identity_new_generate ();
  g_autoptr (SeqexIdentity) b = g_object_new (SEQEX_TYPE_IDENTITY, NULL);
  g_autofree char *fingerprint = NULL;
  g_autoptr (GBytes) key = NULL;
  g_autoptr (GBytes) public_key = NULL;

  g_assert_cmpstr (seqex_identity_get_fingerprint (a), !=, seqex_identity_get_fingerprint (b));
  g_assert_cmpuint (g_bytes_get_size (seqex_identity_get_public_key (b)), ==, SEQEX_KEY_SIZE);
  g_assert_false (g_bytes_equal (seqex_identity_get_public_key (a),
                                 seqex_identity_get_public_key (b)));
  g_object_get (a, "fingerprint", &fingerprint, "public-key", &public_key, NULL);
  g_assert_cmpstr (fingerprint, ==, seqex_identity_get_fingerprint (a));
  g_assert_true (g_bytes_equal (public_key, seqex_identity_get_public_key (a)));
  key = seqex_fingerprint_to_key (fingerprint, NULL);
  g_assert_true (g_bytes_equal (key, public_key));
}

static void
test_known (void)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_for_secret (known_secret);

  g_assert_cmpstr (seqex_identity_get_fingerprint (identity), ==, KNOWN_FINGERPRINT);
  g_assert_cmpmem (seqex_identity_get_secret (identity), SEQEX_KEY_SIZE, known_secret,
                   sizeof known_secret);
}

static void
test_save_and_load (Fixture       *fixture,
                    gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_for_secret (known_secret);
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  mode_t mask = umask (0);
  struct stat status;

  g_assert_true (seqex_identity_save_file (identity, fixture->file, NULL, &error));
  umask (mask);
  g_assert_no_error (error);
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);

  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  g_assert_true (g_str_has_prefix (text, "seqex-identity 1\n"));
  g_assert_nonnull (strstr (text, "\n# Fingerprint, for everybody: " KNOWN_FINGERPRINT "\n"));
  g_assert_true (g_str_has_suffix (text, "\n" KNOWN_LINE));

  loaded = seqex_identity_load_file (fixture->file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (loaded), ==, KNOWN_FINGERPRINT);
  g_assert_cmpmem (seqex_identity_get_secret (loaded), SEQEX_KEY_SIZE, known_secret,
                   sizeof known_secret);
}

/* Whatever the mask of the process is. */
static void
test_mode_under_a_tight_mask (Fixture       *fixture,
                              gconstpointer  data)
{
  mode_t mask = umask (0777);
  g_autoptr (SeqexIdentity) identity = seqex_identity_load_or_generate (fixture->file, NULL, NULL);
  struct stat status;

  umask (mask);
  g_assert_nonnull (identity);
  g_assert_cmpint (stat (fixture->path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
}

static void
test_never_replaced (Fixture       *fixture,
                     gconstpointer  data)
{
  g_autoptr (SeqexIdentity) first = seqex_identity_new_generate ();
  g_autoptr (SeqexIdentity) second = seqex_identity_new_generate ();
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  g_assert_true (seqex_identity_save_file (first, fixture->file, NULL, &error));
  g_assert_no_error (error);
  /* Again what is there already. */
  g_assert_true (seqex_identity_save_file (first, fixture->file, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (seqex_identity_save_file (second, fixture->file, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  assert_says (error, fixture->path);
  g_clear_error (&error);
  loaded = seqex_identity_load_file (fixture->file, NULL, NULL);
  g_assert_cmpstr (seqex_identity_get_fingerprint (loaded), ==,
                   seqex_identity_get_fingerprint (first));

  /* Neither is what cannot be read. */
  write_text (fixture, "something else\n");
  g_assert_false (seqex_identity_save_file (first, fixture->file, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_assert_true (g_file_get_contents (fixture->path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "something else\n");
}

static void
test_load_or_generate (Fixture       *fixture,
                       gconstpointer  data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SeqexIdentity) first = NULL;
  g_autoptr (SeqexIdentity) second = NULL;

  first = seqex_identity_load_or_generate (fixture->file, NULL, &error);
  g_assert_no_error (error);
  second = seqex_identity_load_or_generate (fixture->file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (first), ==,
                   seqex_identity_get_fingerprint (second));
}

/* Several programs that start at once are one. Each tells its fingerprint through the pipe. */
static void
test_race (Fixture       *fixture,
           gconstpointer  data)
{
  enum { PROGRAMS = 8, LENGTH = SEQEX_KEY_TEXT_SIZE - 1 };

  for (guint round = 0; round < 20; round++)
    {
      char first[LENGTH], other[LENGTH];
      int start[2], told[2];
      char go;

      g_remove (fixture->path);
      g_assert_cmpint (pipe (start), ==, 0);
      g_assert_cmpint (pipe (told), ==, 0);
      for (guint i = 0; i < PROGRAMS; i++)
        {
          pid_t pid = fork ();

          g_assert_cmpint (pid, >=, 0);
          if (pid == 0)
            {
              SeqexIdentity *identity;

              close (start[1]);
              /* Nobody writes: it returns when the parent closes its end, for all at once. */
              if (read (start[0], &go, 1) != 0)
                _exit (1);
              identity = seqex_identity_load_or_generate (fixture->file, NULL, NULL);
              if (identity == NULL)
                _exit (2);
              if (write (told[1], seqex_identity_get_fingerprint (identity), LENGTH) != LENGTH)
                _exit (3);
              _exit (0);
            }
        }
      close (start[0]);
      close (start[1]);
      for (guint i = 0; i < PROGRAMS; i++)
        {
          int status;

          g_assert_cmpint (wait (&status), >, 0);
          g_assert_true (WIFEXITED (status));
          g_assert_cmpint (WEXITSTATUS (status), ==, 0);
          g_assert_cmpint (read (told[0], other, LENGTH), ==, LENGTH);
          if (i == 0)
            memcpy (first, other, LENGTH);
          g_assert_cmpmem (first, LENGTH, other, LENGTH);
        }
      close (told[0]);
      close (told[1]);
    }
}

static void
test_wrong_mode (Fixture       *fixture,
                 gconstpointer  data)
{
  const mode_t modes[] = { 0644, 0640, 0604, 0660, 0601, 0777 };
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (GError) error = NULL;

  seqex_identity_save_file (identity, fixture->file, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *mode = g_strdup_printf ("mode %04o", modes[i]);
      g_autofree char *advice = g_strdup_printf ("chmod 600 '%s'", fixture->path);

      g_assert_cmpint (chmod (fixture->path, modes[i]), ==, 0);
      assert_load_fails (fixture, G_IO_ERROR_PERMISSION_DENIED, mode);
      assert_load_fails (fixture, G_IO_ERROR_PERMISSION_DENIED, advice);
    }
  /* Its owner need not be able to write it. */
  g_assert_cmpint (chmod (fixture->path, 0400), ==, 0);
  loaded = seqex_identity_load_file (fixture->file, NULL, &error);
  g_assert_no_error (error);
}

static void
test_not_regular (Fixture       *fixture,
                  gconstpointer  data)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  g_assert_cmpint (g_mkdir (fixture->path, 0700), ==, 0);
  assert_load_fails (fixture, G_IO_ERROR_NOT_REGULAR_FILE, "not a regular file");
  g_assert_cmpint (g_rmdir (fixture->path), ==, 0);

  /* Nobody writes to it; reading must not wait. */
  g_assert_cmpint (mkfifo (fixture->path, 0600), ==, 0);
  assert_load_fails (fixture, G_IO_ERROR_NOT_REGULAR_FILE, "not a regular file");
  g_assert_cmpint (g_remove (fixture->path), ==, 0);

  fd = socket (AF_UNIX, SOCK_STREAM, 0);
  g_assert_cmpuint (strlen (fixture->path), <, sizeof address.sun_path);
  g_strlcpy (address.sun_path, fixture->path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  assert_load_fails (fixture, G_IO_ERROR_NOT_REGULAR_FILE, "not a regular file");
  close (fd);
}

static void
test_missing (Fixture       *fixture,
              gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  g_autofree char *path = g_build_filename (fixture->directory, "no", "where", NULL);
  g_autoptr (GFile) nowhere = g_file_new_for_path (path);
  g_autoptr (GFile) remote = g_file_new_for_uri ("http://example.org/me");
  g_autoptr (GError) error = NULL;

  g_assert_null (seqex_identity_load_file (fixture->file, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_says (error, fixture->path);
  g_clear_error (&error);

  g_assert_false (seqex_identity_save_file (identity, nowhere, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_says (error, "/no” does not exist");
  g_clear_error (&error);
  g_assert_null (seqex_identity_load_or_generate (nowhere, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_says (error, "make this directory first");
  g_clear_error (&error);

  g_assert_null (seqex_identity_load_file (remote, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_false (seqex_identity_save_file (identity, remote, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
}

static void
test_bad_contents (Fixture       *fixture,
                   gconstpointer  data)
{
  const struct
  {
    const char *text;
    int         code;
    const char *part;
  } cases[] = {
    { "", G_IO_ERROR_INVALID_DATA, "is empty" },
    { "-----BEGIN OPENSSH PRIVATE KEY-----\n", G_IO_ERROR_INVALID_DATA,
      "not an identity of Seqex" },
    { KNOWN_LINE, G_IO_ERROR_INVALID_DATA, "not an identity of Seqex" },
    { "seqex-known-peers 1\n", G_IO_ERROR_INVALID_DATA, "not an identity of Seqex" },
    { "seqex-ident", G_IO_ERROR_INVALID_DATA, "not an identity of Seqex" },
    { "seqex-identity 2\n" KNOWN_LINE, G_IO_ERROR_NOT_SUPPORTED, "another version than 1" },
    { "seqex-identity 10\n" KNOWN_LINE, G_IO_ERROR_NOT_SUPPORTED, "another version than 1" },
    { "seqex-identity \n" KNOWN_LINE, G_IO_ERROR_NOT_SUPPORTED, "another version than 1" },
    { "seqex-identity 1", G_IO_ERROR_INVALID_DATA, "cut short" },
    { "seqex-identity 1\n# only\n# comments\n", G_IO_ERROR_INVALID_DATA, "cut short" },
    { "seqex-identity 1\nsecret-key\n", G_IO_ERROR_INVALID_DATA, "cut short" },
    { "seqex-identity 1\nsecret-key \n", G_IO_ERROR_INVALID_DATA, "line 2: The secret key of an "
      "identity has 56 characters besides dashes and spaces, this has 0" },
    { "seqex-identity 1\n# comment\nsecret-key esv6-t2kk\n", G_IO_ERROR_INVALID_DATA,
      "line 3: The secret key of an identity has 56 characters" },
    { "seqex-identity 1\nsecret-key " KNOWN_FINGERPRINT "\n", G_IO_ERROR_INVALID_DATA,
      "line 2: This is a fingerprint, not the secret key of an identity" },
    { "seqex-identity 1\n" KNOWN_LINE KNOWN_LINE, G_IO_ERROR_INVALID_DATA,
      "line 3: a second secret key" },
    { "seqex-identity 1\r\n\r\nsecret-key u\r\n", G_IO_ERROR_INVALID_DATA,
      "line 3: Not the secret key of an identity: the character “u” at position 1" },
    { "seqex-identity 1\nsecret-key \xff\n", G_IO_ERROR_INVALID_DATA, "not UTF-8 at byte 1" },
  };
  g_autofree char *large = g_strnfill (5000, '#');

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      write_text (fixture, cases[i].text);
      assert_load_fails (fixture, cases[i].code, cases[i].part);
    }
  write_text (fixture, large);
  assert_load_fails (fixture, G_IO_ERROR_INVALID_DATA, "much too large");
}

static void
test_bytes_in_between (Fixture       *fixture,
                       gconstpointer  data)
{
  static const char text[] = "seqex-identity 1\n\0" KNOWN_LINE;

  g_file_set_contents_full (fixture->path, text, sizeof text - 1, G_FILE_SET_CONTENTS_CONSISTENT,
                            0600, NULL);
  assert_load_fails (fixture, G_IO_ERROR_INVALID_DATA, "not a text");
}

/* Each length of the file but the last one or two is an error, and none is a different identity. */
static void
test_cut_short (Fixture       *fixture,
                gconstpointer  data)
{
  static const char text[] = "seqex-identity 1\n# comment\n" KNOWN_LINE;

  for (gsize size = 0; size < sizeof text; size++)
    {
      g_autofree char *part = g_strndup (text, size);
      g_autoptr (SeqexIdentity) identity = NULL;

      write_text (fixture, part);
      identity = seqex_identity_load_file (fixture->file, NULL, NULL);
      g_assert_cmpint (identity != NULL, ==, size >= sizeof text - 2);
    }
}

static void
test_later_fields (Fixture       *fixture,
                   gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = NULL;
  g_autoptr (GError) error = NULL;

  write_text (fixture, "seqex-identity 1\r\nmade-by seqex 7\r\n\r\n" KNOWN_LINE "# end");
  identity = seqex_identity_load_file (fixture->file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (identity), ==, KNOWN_FINGERPRINT);
}

static void
test_through_a_link (Fixture       *fixture,
                     gconstpointer  data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "link", NULL);
  g_autoptr (GFile) link_file = g_file_new_for_path (path);
  g_autoptr (SeqexIdentity) identity = NULL;
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (GError) error = NULL;

  identity = seqex_identity_load_or_generate (fixture->file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (symlink ("me", path), ==, 0);
  loaded = seqex_identity_load_or_generate (link_file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (loaded), ==,
                   seqex_identity_get_fingerprint (identity));
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
test_async (Fixture       *fixture,
            gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (SeqexIdentity) again = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) saving = { 0 };
  g_auto (Outcome) loading = { 0 };
  g_auto (Outcome) reloading = { 0 };

  seqex_identity_save_file_async (identity, fixture->file, NULL, util_outcome_cb, &saving);
  g_assert_null (saving.result);
  wait_until (saving.result != NULL);
  g_assert_true (seqex_identity_save_file_finish (identity, saving.result, &error));
  g_assert_no_error (error);

  seqex_identity_load_file_async (fixture->file, NULL, util_outcome_cb, &loading);
  seqex_identity_load_or_generate_async (fixture->file, NULL, util_outcome_cb, &reloading);
  wait_until (loading.result != NULL && reloading.result != NULL);
  loaded = seqex_identity_load_file_finish (loading.result, &error);
  g_assert_no_error (error);
  again = seqex_identity_load_or_generate_finish (reloading.result, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (loaded), ==,
                   seqex_identity_get_fingerprint (identity));
  g_assert_cmpstr (seqex_identity_get_fingerprint (again), ==,
                   seqex_identity_get_fingerprint (identity));
}

static void
test_async_generate (Fixture       *fixture,
                     gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = NULL;
  g_autoptr (SeqexIdentity) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) outcome = { 0 };

  seqex_identity_load_or_generate_async (fixture->file, NULL, util_outcome_cb, &outcome);
  wait_until (outcome.result != NULL);
  identity = seqex_identity_load_or_generate_finish (outcome.result, &error);
  g_assert_no_error (error);
  loaded = seqex_identity_load_file (fixture->file, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (seqex_identity_get_fingerprint (loaded), ==,
                   seqex_identity_get_fingerprint (identity));
}

static void
test_async_errors (Fixture       *fixture,
                   gconstpointer  data)
{
  g_autoptr (SeqexIdentity) identity = seqex_identity_new_generate ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Outcome) loading = { 0 };
  g_auto (Outcome) saving = { 0 };

  seqex_identity_load_file_async (fixture->file, NULL, util_outcome_cb, &loading);
  g_cancellable_cancel (cancellable);
  seqex_identity_save_file_async (identity, fixture->file, cancellable, util_outcome_cb, &saving);
  wait_until (loading.result != NULL && saving.result != NULL);
  g_assert_null (seqex_identity_load_file_finish (loading.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (seqex_identity_save_file_finish (identity, saving.result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_null (seqex_identity_load_file (fixture->file, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (seqex_identity_save_file (identity, fixture->file, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

/* What is searched for is never itself in memory: each byte is masked. */
#define MASK 0xa5
#define FROM 4 /* the curve changes bits of the first and the last byte of what it works on */

typedef struct
{
  guint8 masked[24];
} Needle;

static void
needle_init (Needle       *needle,
             const guint8 *bytes)
{
  for (guint i = 0; i < sizeof needle->masked; i++)
    needle->masked[i] = bytes[FROM + i] ^ MASK;
}

static guint
count_in_block (const guint8 *block,
                gsize         size,
                const Needle *needle)
{
  guint count = 0;

  for (gsize i = 0; i + sizeof needle->masked <= size; i++)
    {
      gsize same = 0;

      while (same < sizeof needle->masked && (block[i + same] ^ MASK) == needle->masked[same])
        same++;
      count += same == sizeof needle->masked;
    }
  return count;
}

/* How often it is in the memory from @start to @end. */
static guint
count_in_range (int           memory,
                guint64       start,
                guint64       end,
                const Needle *needle)
{
  /* Static, and wiped each time, so that nothing is found in here. */
  static guint8 block[4096];
  guint count = 0;

  while (start < end)
    {
      gssize n = pread (memory, block, MIN (sizeof block, end - start), (off_t) start);

      if (n < (gssize) sizeof needle->masked)
        break;
      count += count_in_block (block, (gsize) n, needle);
      explicit_bzero (block, sizeof block);
      /* What begins in this block and ends in the next is found in the next. */
      start += (guint64) n - (sizeof needle->masked - 1);
    }
  return count;
}

/* How often it is in the memory that this process can write to. Read through the file, so that no
 * sanitizer minds. */
static guint
count_in_memory (const Needle *needle)
{
  const guint64 size_max = 64 * 1024 * 1024;
  FILE *maps = fopen ("/proc/self/maps", "re");
  int memory = open ("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  guint count = 0;
  char line[512];

  while (maps != NULL && memory >= 0 && fgets (line, sizeof line, maps) != NULL)
    {
      guint64 start = g_ascii_strtoull (line, NULL, 16);
      guint64 end = g_ascii_strtoull (strchr (line, '-') + 1, NULL, 16);

      /* A sanitizer's own tables are large. */
      if (strstr (line, " rw-p ") != NULL && end - start <= size_max)
        count += count_in_range (memory, start, end, needle);
    }
  g_clear_pointer (&maps, fclose);
  if (memory >= 0)
    close (memory);
  return count;
}

static gpointer
make_thread (gpointer file)
{
  return seqex_identity_load_or_generate (file, NULL, NULL);
}

static gpointer
load_thread (gpointer file)
{
  return seqex_identity_load_file (file, NULL, NULL);
}

static gpointer
damaged_thread (gpointer file)
{
  g_assert_null (seqex_identity_load_file (file, NULL, NULL));
  return NULL;
}

/* A thread leaves its stack as it was at the end, so what a function left there can be seen. */
static gpointer
call_in_thread (GThreadFunc  function,
                GFile       *file)
{
  return g_thread_join (g_thread_new ("stack", function, file));
}

/* Neither the secret key nor its text is anywhere but in the identities, nor outlives them. */
static void
test_wiped (Fixture       *fixture,
            gconstpointer  data)
{
  SeqexIdentity *made = call_in_thread (make_thread, fixture->file);
  SeqexIdentity *loaded;
  char text[SEQEX_KEY_TEXT_SIZE];
  Needle key, line;
  FILE *file;

  needle_init (&key, seqex_identity_get_secret (made));
  seqex_key_encode (SEQEX_KEY_KIND_IDENTITY, seqex_identity_get_secret (made), text);
  needle_init (&line, (const guint8 *) text);
  explicit_bzero (text, sizeof text);
  if (count_in_memory (&key) == 0)
    {
      g_test_skip ("the memory of the process cannot be read");
      g_object_unref (made);
      return;
    }
  g_assert_cmpuint (count_in_memory (&key), ==, 1);
  g_assert_cmpuint (count_in_memory (&line), ==, 0);
  loaded = call_in_thread (load_thread, fixture->file);
  g_assert_cmpuint (count_in_memory (&key), ==, 2);
  g_assert_cmpuint (count_in_memory (&line), ==, 0);
  g_object_unref (made);
  g_object_unref (loaded);
  g_assert_cmpuint (count_in_memory (&key), ==, 0);

  /* A key too many, after one that was read well. */
  file = fopen (fixture->path, "ae");
  g_assert_cmpint (fputs ("secret-key \n", file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
  call_in_thread (damaged_thread, fixture->file);
  g_assert_cmpuint (count_in_memory (&key), ==, 0);
  g_assert_cmpuint (count_in_memory (&line), ==, 0);
}

static void
test_lifetime (void)
{
  SeqexIdentity *identity = seqex_identity_new_generate ();

  g_assert_finalize_object (identity);
}

#define ADD(path, function) \
  g_test_add ("/seqex/identity/" path, Fixture, NULL, set_up, function, tear_down)

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/identity/generate", test_generate);
  g_test_add_func ("/seqex/identity/known", test_known);
  g_test_add_func ("/seqex/identity/lifetime", test_lifetime);
  ADD ("save-and-load", test_save_and_load);
  ADD ("mode-under-a-tight-mask", test_mode_under_a_tight_mask);
  ADD ("never-replaced", test_never_replaced);
  ADD ("load-or-generate", test_load_or_generate);
  ADD ("race", test_race);
  ADD ("wrong-mode", test_wrong_mode);
  ADD ("not-regular", test_not_regular);
  ADD ("missing", test_missing);
  ADD ("bad-contents", test_bad_contents);
  ADD ("bytes-in-between", test_bytes_in_between);
  ADD ("cut-short", test_cut_short);
  ADD ("later-fields", test_later_fields);
  ADD ("through-a-link", test_through_a_link);
  ADD ("wiped", test_wiped);
  ADD ("async", test_async);
  ADD ("async-generate", test_async_generate);
  ADD ("async-errors", test_async_errors);

  return g_test_run ();
}
