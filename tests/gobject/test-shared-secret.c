/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-util.h"

#include "seqex-shared-secret-private.h"

/* The bytes 0, 1 … 31, by an implementation of its own in Python. */
#define KNOWN_TEXT "seqex-secret:" \
                   "000g-40r4-0m30-e209-185g-r38e-1w81-24gk-2gah-c5rr-34d1-p70x-3rfq-qp72"
#define KNOWN_URI  "SEQEX-SECRET:000G40R40M30E209185GR38E1W8124GK2GAHC5RR34D1P70X3RFQQP72"
#define KNOWN_PSK  "7e9d5a94c507e036e907cd10b43b3d3cbcd0372cda91b11188badaf526c7d7aa"

static void
assert_known (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *normal = seqex_shared_secret_normalize (text, &error);
  guint8 secret[SEQEX_KEY_SIZE];

  g_assert_no_error (error);
  g_assert_cmpstr (normal, ==, KNOWN_TEXT);
  g_assert_true (seqex_shared_secret_parse (text, secret, &error));
  for (guint i = 0; i < sizeof secret; i++)
    g_assert_cmpuint (secret[i], ==, i);
}

static void
test_known (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *uri = seqex_shared_secret_to_uri (KNOWN_TEXT, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (uri, ==, KNOWN_URI);
  assert_known (KNOWN_TEXT);
  assert_known (KNOWN_URI);
  assert_known ("  " KNOWN_URI "\n");
  assert_known (strchr (KNOWN_TEXT, ':') + 1);
  assert_known (strchr (KNOWN_URI, ':') + 1);
}

/* A QR code has it in alphanumeric mode, version 4 with error correction M: 90 characters. */
static void
test_uri_is_for_qr (void)
{
  const char *alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

  g_assert_cmpuint (strspn (KNOWN_URI, alphanumeric), ==, strlen (KNOWN_URI));
  g_assert_cmpuint (strlen (KNOWN_URI), <=, 90);
  g_assert_true (g_uri_is_valid (KNOWN_URI, G_URI_FLAGS_NONE, NULL));
}

static void
test_generate (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < 100; i++)
    {
      char *text = seqex_shared_secret_generate ();
      g_autofree char *normal = seqex_shared_secret_normalize (text, NULL);
      g_autofree char *uri = seqex_shared_secret_to_uri (text, NULL);
      g_autofree char *back = seqex_shared_secret_normalize (uri, NULL);

      g_assert_cmpstr (normal, ==, text);
      g_assert_cmpstr (back, ==, text);
      g_assert_true (g_hash_table_add (seen, text));
    }
}

static void
test_psk (void)
{
  guint8 secret[SEQEX_KEY_SIZE];
  guint8 psk[SEQEX_KEY_SIZE];
  g_autoptr (GString) hex = g_string_new (NULL);

  g_assert_true (seqex_shared_secret_parse (KNOWN_TEXT, secret, NULL));
  seqex_shared_secret_get_psk (secret, psk);
  for (guint i = 0; i < sizeof psk; i++)
    g_string_append_printf (hex, "%02x", psk[i]);
  g_assert_cmpstr (hex->str, ==, KNOWN_PSK);
  seqex_shared_secret_get_psk (secret, secret);
  g_assert_cmpmem (secret, sizeof secret, psk, sizeof psk);
}

static void
test_refused (void)
{
  const struct
  {
    const char *text;
    const char *part;
  } cases[] = {
    { "", "this has 0" },
    { "123456", "compare the fingerprints" },
    { "seqex-secret:123456", "compare the fingerprints" },
    { "correct horse battery staple", "compare the fingerprints" },
    { "p4$$w0rd! u", "compare the fingerprints" },
    { "seqex-secret:", "this has 0" },
    { "seqex-secret:000g-40r4-0m30-e209-185g-r38e-1w81-24gk-2gah-c5rr-34d1-p70x-3rfq-qp7",
      "this has 55" },
    { "seqex-secret:000g-40r4-0m30-e209-185g-r38e-1w81-24gk-2gah-c5rr-34d1-p70x-3rfq-qp73",
      "check does not match" },
    { "seqex-secret:000g-40r4-0m30-e209-185g-r38e-1w81-24gk-2gau-c5rr-34d1-p70x-3rfq-qp72",
      "“u” at position 57" },
    { "gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk",
      "This is a fingerprint, not a shared secret" },
    { "seqex-secret:gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk",
      "This is a fingerprint, not a shared secret" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) again = NULL;

      g_assert_null (seqex_shared_secret_normalize (cases[i].text, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      if (strstr (error->message, cases[i].part) == NULL)
        g_error ("“%s” does not say “%s”", error->message, cases[i].part);
      g_assert_null (seqex_shared_secret_to_uri (cases[i].text, &again));
      g_assert_cmpstr (again->message, ==, error->message);
    }
}

/* What could be a secret is in no error. */
static void
test_errors_are_silent (void)
{
  const char *codes[] = { "hunter2", "s3cr3t-code",
                          "seqex-secret:zzzz-40r4-0m30-e209-185g-r38e-1w81-24gk-2gah-c5rr-34d1" };

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (seqex_shared_secret_normalize (codes[i], &error));
      g_assert_null (strstr (error->message, "hunter2"));
      g_assert_null (strstr (error->message, "s3cr3t"));
      g_assert_null (strstr (error->message, "zzzz"));
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/seqex/shared-secret/known", test_known);
  g_test_add_func ("/seqex/shared-secret/uri-is-for-qr", test_uri_is_for_qr);
  g_test_add_func ("/seqex/shared-secret/generate", test_generate);
  g_test_add_func ("/seqex/shared-secret/psk", test_psk);
  g_test_add_func ("/seqex/shared-secret/refused", test_refused);
  g_test_add_func ("/seqex/shared-secret/errors-are-silent", test_errors_are_silent);

  return g_test_run ();
}
