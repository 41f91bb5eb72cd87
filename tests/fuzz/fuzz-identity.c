/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text of identity files, and that of keys of each kind: what is read must read the same when
 * it is written again, and what is refused leaves no key behind.
 */
#include "key-text.h"

#include "seqex-identity-private.h"

static const guint8 zeros[SEQEX_KEY_SIZE];

static void
check_key (SeqexKeyKind  kind,
           const char   *text)
{
  g_autoptr (GError) error = NULL;
  guint8 key[SEQEX_KEY_SIZE], again[SEQEX_KEY_SIZE];
  char normal[SEQEX_KEY_TEXT_SIZE];

  if (!seqex_key_decode (kind, text, key, &error))
    {
      require_error (error);
      REQUIRE (memcmp (key, zeros, sizeof zeros) == 0);
      return;
    }
  REQUIRE (error == NULL);
  seqex_key_encode (kind, key, normal);
  REQUIRE (seqex_key_decode (kind, normal, again, NULL));
  REQUIRE (memcmp (key, again, sizeof key) == 0);
  for (guint other = 0; other <= SEQEX_KEY_KIND_IDENTITY; other++)
    REQUIRE (other == kind || !seqex_key_decode (other, text, again, NULL));
}

static void
check_file (const GString *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *file = NULL;
  guint8 secret[SEQEX_KEY_SIZE], again[SEQEX_KEY_SIZE];
  char line[SEQEX_KEY_TEXT_SIZE];

  if (!seqex_identity_parse (text->str, text->len, "name", secret, &error))
    {
      require_error (error);
      REQUIRE (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA) ||
               g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED));
      REQUIRE (memcmp (secret, zeros, sizeof zeros) == 0);
      return;
    }
  REQUIRE (error == NULL && strlen (text->str) == text->len);
  seqex_key_encode (SEQEX_KEY_KIND_IDENTITY, secret, line);
  file = g_strdup_printf ("seqex-identity 1\nsecret-key %s\n", line);
  REQUIRE (seqex_identity_parse (file, strlen (file), "name", again, NULL));
  REQUIRE (memcmp (secret, again, sizeof secret) == 0);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data,
                        size_t         size)
{
  for (guint kind = 0; kind <= SEQEX_KEY_KIND_IDENTITY; kind++)
    {
      GString *text = expand_keys (data, size, kind);

      check_key (kind, text->str);
      if (kind == SEQEX_KEY_KIND_IDENTITY)
        check_file (text);
      g_string_free (text, TRUE);
    }
  return 0;
}
