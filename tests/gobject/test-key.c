/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "seqex-key-private.h"

/* A public key of RFC 7748, section 6.1, and its text, by an implementation of its own in
 * Python. */
static const guint8 known_key[SEQEX_KEY_SIZE] = {
  0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
  0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a,
};

#define KNOWN_TEXT "gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk"

static void
assert_parses (const char   *text,
               const guint8 *expected)
{
  g_autoptr (GError) error = NULL;
  guint8 key[SEQEX_KEY_SIZE];

  g_assert_true (seqex_key_parse (text, key, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (key, sizeof key, expected, SEQEX_KEY_SIZE);
}

static void
assert_fails (SeqexKeyKind  kind,
              const char   *text,
              const char   *part)
{
  static const guint8 zeros[SEQEX_KEY_SIZE];
  g_autoptr (GError) error = NULL;
  guint8 key[SEQEX_KEY_SIZE] = { 1 };

  g_assert_false (seqex_key_decode (kind, text, key, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  if (strstr (error->message, part) == NULL)
    g_error ("“%s” does not say “%s”", error->message, part);
  g_assert_cmpmem (key, sizeof key, zeros, sizeof zeros);
}

static void
test_known (void)
{
  g_autofree char *text = seqex_key_format (known_key);

  g_assert_cmpstr (text, ==, KNOWN_TEXT);
  g_assert_cmpuint (strlen (text) + 1, ==, SEQEX_KEY_TEXT_SIZE);
  assert_parses (KNOWN_TEXT, known_key);
}

static void
test_random (void)
{
  for (guint i = 0; i < 2000; i++)
    {
      guint8 key[SEQEX_KEY_SIZE];
      g_autofree char *text = NULL;
      g_auto (GStrv) groups = NULL;

      for (guint j = 0; j < sizeof key; j++)
        key[j] = (guint8) g_test_rand_int ();
      text = seqex_key_format (key);
      groups = g_strsplit (text, "-", -1);
      g_assert_cmpuint (g_strv_length (groups), ==, 14);
      for (guint j = 0; groups[j] != NULL; j++)
        g_assert_cmpuint (strspn (groups[j], "0123456789abcdefghjkmnpqrstvwxyz"), ==, 4);
      assert_parses (text, key);
    }
}

static char *
replace_all (const char *text,
             const char *what,
             const char *by)
{
  g_auto (GStrv) parts = g_strsplit (text, what, -1);

  return g_strjoinv (by, parts);
}

/* What people and programs do to a text that is copied. */
static void
test_tolerant (void)
{
  const struct
  {
    const char *what;
    const char *by;
  } cases[] = {
    { "-", "" }, { "-", " " }, { "-", "–" }, { "-", "—" }, { "-", "\n" }, { "-", "\u00a0" },
    { "-", "--" }, { "-", "\u2011" }, { "0", "o" }, { "0", "O" }, { "1", "I" }, { "1", "l" },
    { "1", "i" }, { "1", "L" },
  };
  g_autofree char *upper = g_ascii_strup (KNOWN_TEXT, -1);
  g_autofree char *spaced = g_strdup (" \t" KNOWN_TEXT "\r\n");

  g_assert_nonnull (strchr (KNOWN_TEXT, '0'));
  g_assert_nonnull (strchr (KNOWN_TEXT, '1'));
  assert_parses (upper, known_key);
  assert_parses (spaced, known_key);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = replace_all (KNOWN_TEXT, cases[i].what, cases[i].by);
      g_autofree char *normal = seqex_fingerprint_normalize (text, NULL);

      assert_parses (text, known_key);
      g_assert_cmpstr (normal, ==, KNOWN_TEXT);
    }
}

static void
test_bad_characters (void)
{
  const SeqexKeyKind kind = SEQEX_KEY_KIND_FINGERPRINT;

  assert_fails (kind, "u", "“u” at position 1");
  assert_fails (kind, "abcd-efgu", "“u” at position 9");
  assert_fails (kind, "example.org", "“.” at position 8");
  assert_fails (kind, "ab\tcdé", "“é” at position 6");
  /* An é of two bytes is one character. */
  assert_fails (kind, "– –u", "“u” at position 4");
  assert_fails (kind, "0\x01", "U+0001 at position 2");
  assert_fails (kind, "0\u200b", "U+200B at position 2");
  assert_fails (kind, "00\xff", "byte 3");
  /* A wrong character behind everything else counts, too. */
  assert_fails (kind, KNOWN_TEXT "!", "“!” at position 70");
}

static void
test_bad_lengths (void)
{
  g_autofree char *shorter = g_strndup (KNOWN_TEXT, strlen (KNOWN_TEXT) - 1);
  g_autofree char *longer = g_strconcat (KNOWN_TEXT, "0", NULL);
  g_autofree char *huge = g_strnfill (100000, '7');

  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, "", "has 56 characters besides dashes and spaces, this "
                "has 0");
  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, " - - ", "this has 0");
  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, shorter, "this has 55");
  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, longer, "this has 57");
  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, huge, "this has 100000");
}

/* Each single mistake, and each exchange of neighbours, is noticed. */
static void
test_check (void)
{
  g_autofree char *text = g_strdup (KNOWN_TEXT);
  guint swaps = 0;

  for (guint i = 0; text[i] != '\0'; i++)
    {
      char was = text[i];

      if (was == '-')
        continue;
      for (const char *other = "0123456789abcdefghjkmnpqrstvwxyz"; *other != '\0'; other++)
        if (*other != was)
          {
            text[i] = *other;
            assert_fails (SEQEX_KEY_KIND_FINGERPRINT, text, "check does not match");
          }
      text[i] = was;
      if (text[i + 1] != was && text[i + 1] != '-' && text[i + 1] != '\0')
        {
          text[i] = text[i + 1];
          text[i + 1] = was;
          assert_fails (SEQEX_KEY_KIND_FINGERPRINT, text, "check does not match");
          text[i + 1] = text[i];
          text[i] = was;
          swaps++;
        }
    }
  g_assert_cmpuint (swaps, >, 30);
  g_assert_cmpstr (text, ==, KNOWN_TEXT);
}

/* One kind is never taken for another, and the error says what it is. */
static void
test_kinds (void)
{
  const char *names[] = { "a fingerprint", "a shared secret", "the secret key of an identity" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char text[SEQEX_KEY_TEXT_SIZE];
      guint8 key[SEQEX_KEY_SIZE];

      seqex_key_encode (i, known_key, text);
      for (guint j = 0; j < G_N_ELEMENTS (names); j++)
        {
          g_autofree char *said = g_strdup_printf ("This is %s, not %s", names[i], names[j]);

          if (i != j)
            assert_fails (j, text, said);
          else
            g_assert_true (seqex_key_decode (j, text, key, NULL));
        }
    }
  assert_fails (SEQEX_KEY_KIND_FINGERPRINT, SEQEX_SHARED_SECRET_PREFIX "whatever",
                "This is a shared secret, not a fingerprint");
}

static void
test_bytes (void)
{
  g_autoptr (GBytes) key = g_bytes_new_static (known_key, sizeof known_key);
  g_autoptr (GBytes) shorter = g_bytes_new_static (known_key, sizeof known_key - 1);
  g_autoptr (GBytes) back = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = seqex_fingerprint_from_key (key, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, KNOWN_TEXT);
  back = seqex_fingerprint_to_key (text, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (key, back));

  g_assert_null (seqex_fingerprint_from_key (shorter, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "31"));
  g_clear_error (&error);
  g_assert_null (seqex_fingerprint_to_key ("no", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (seqex_fingerprint_normalize ("no", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/key/known", test_known);
  g_test_add_func ("/seqex/key/random", test_random);
  g_test_add_func ("/seqex/key/tolerant", test_tolerant);
  g_test_add_func ("/seqex/key/bad-characters", test_bad_characters);
  g_test_add_func ("/seqex/key/bad-lengths", test_bad_lengths);
  g_test_add_func ("/seqex/key/check", test_check);
  g_test_add_func ("/seqex/key/kinds", test_kinds);
  g_test_add_func ("/seqex/key/bytes", test_bytes);

  return g_test_run ();
}
