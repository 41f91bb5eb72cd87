/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-key-private.h"

#include <gio/gio.h>
#include <string.h>

#include "seqex-crypto-private.h"

#define CHECK_SIZE 3
#define CODE_SIZE  (SEQEX_KEY_SIZE + CHECK_SIZE)
#define CHARACTERS 56 /* five bits each, with none left over */
#define GROUP      4

G_STATIC_ASSERT (CHARACTERS * 5 == CODE_SIZE * 8);
G_STATIC_ASSERT (SEQEX_KEY_TEXT_SIZE == CHARACTERS + CHARACTERS / GROUP);

/* Fewer characters than this are a code that somebody thought of, not a secret that lost some. */
#define SHORT_CODE 40

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const struct
{
  const char *label;
  const char *name;
  const char *Name;
} kinds[] = {
  [SEQEX_KEY_KIND_FINGERPRINT] = { "seqex 1 fingerprint", "a fingerprint", "A fingerprint" },
  [SEQEX_KEY_KIND_SHARED_SECRET] = { "seqex 1 shared secret", "a shared secret",
                                     "A shared secret" },
  [SEQEX_KEY_KIND_IDENTITY] = { "seqex 1 identity", "the secret key of an identity",
                                "The secret key of an identity" },
};

static void
make_check (SeqexKeyKind kind,
            const guint8 key[SEQEX_KEY_SIZE],
            guint8       check[CHECK_SIZE])
{
  const sqx_crypto *crypto = seqex_crypto_table ();
  const char *label = kinds[kind].label;
  const sqx_bytes parts[] = {
    { (const guint8 *) label, strlen (label) },
    { key, SEQEX_KEY_SIZE },
  };
  guint8 digest[SQX_HASH_SIZE];

  crypto->sha256 (digest, parts, G_N_ELEMENTS (parts));
  memcpy (check, digest, CHECK_SIZE);
  crypto->wipe (digest, sizeof digest);
}

void
seqex_key_encode (SeqexKeyKind kind,
                  const guint8 key[SEQEX_KEY_SIZE],
                  char         text[SEQEX_KEY_TEXT_SIZE])
{
  guint8 code[CODE_SIZE];
  guint bits = 0, n_bits = 0;
  char *at = text;

  memcpy (code, key, SEQEX_KEY_SIZE);
  make_check (kind, key, code + SEQEX_KEY_SIZE);
  for (guint i = 0, next = 0; i < CHARACTERS; i++)
    {
      if (n_bits < 5)
        {
          bits = bits << 8 | code[next++];
          n_bits += 8;
        }
      n_bits -= 5;
      if (i > 0 && i % GROUP == 0)
        *at++ = '-';
      *at++ = alphabet[bits >> n_bits & 31];
    }
  *at = '\0';
  seqex_crypto_table ()->wipe (code, sizeof code);
}

/* What a character stands for, or -1. */
static int
value_of (gunichar character)
{
  const char *found;
  char c = character < 128 ? g_ascii_tolower ((char) character) : '\0';

  if (c == 'o')
    c = '0';
  else if (c == 'i' || c == 'l')
    c = '1';
  found = c != '\0' ? strchr (alphabet, c) : NULL;
  return found != NULL ? (int) (found - alphabet) : -1;
}

/* Programs that people write in turn two dashes into one long one, and break lines. */
static gboolean
is_separator (gunichar character)
{
  return g_unichar_isspace (character) || g_unichar_type (character) == G_UNICODE_DASH_PUNCTUATION;
}

static const char *
skip_prefix (const char *text)
{
  gsize size = strlen (SEQEX_SHARED_SECRET_PREFIX);

  while (g_ascii_isspace (*text))
    text++;
  return g_ascii_strncasecmp (text, SEQEX_SHARED_SECRET_PREFIX, size) == 0 ? text + size : NULL;
}

static void
set_bad_character (SeqexKeyKind   kind,
                   gunichar       character,
                   guint          position,
                   GError       **error)
{
  char shown[8] = { 0 };

  if (g_unichar_isprint (character))
    {
      g_unichar_to_utf8 (character, shown);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "Not %s: the character “%s” at position %u is in none", kinds[kind].name, shown,
                   position);
    }
  else
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "Not %s: the character U+%04X at position %u is in none", kinds[kind].name,
                   character, position);
    }
}

static void
set_bad_length (SeqexKeyKind   kind,
                gsize          n_characters,
                GError       **error)
{
  if (kind == SEQEX_KEY_KIND_SHARED_SECRET && n_characters < SHORT_CODE)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "A shared secret has %u characters and is made by the library, this has %"
                 G_GSIZE_FORMAT ": so short a code could be found by trying all; compare the "
                 "fingerprints of both sides instead", CHARACTERS, n_characters);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "%s has %u characters besides dashes and spaces, this has %" G_GSIZE_FORMAT,
                 kinds[kind].Name, CHARACTERS, n_characters);
}

/* The characters that are not separators; also a password has them. */
static gsize
count_characters (const char *text)
{
  gsize count = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    count += !is_separator (g_utf8_get_char (text));
  return count;
}

/* Five bits a character, into @code. @base: how many characters came before @text. */
static gboolean
read_characters (SeqexKeyKind   kind,
                 const char    *text,
                 guint          base,
                 guint8         code[CODE_SIZE],
                 GError       **error)
{
  guint bits = 0, n_bits = 0, position = base;
  gsize count = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      gunichar character = g_utf8_get_char (text);
      int value = value_of (character);

      position++;
      if (is_separator (character))
        continue;
      if (value < 0)
        {
          set_bad_character (kind, character, position, error);
          return FALSE;
        }
      if (count++ >= CHARACTERS)
        continue;
      bits = bits << 5 | (guint) value;
      n_bits += 5;
      if (n_bits >= 8)
        {
          n_bits -= 8;
          *code++ = (guint8) (bits >> n_bits);
        }
    }
  if (count != CHARACTERS)
    set_bad_length (kind, count, error);
  return count == CHARACTERS;
}

static gboolean
verify_check (SeqexKeyKind   kind,
              const guint8   code[CODE_SIZE],
              GError       **error)
{
  guint8 check[CHECK_SIZE];

  make_check (kind, code, check);
  if (memcmp (check, code + SEQEX_KEY_SIZE, CHECK_SIZE) == 0)
    return TRUE;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      make_check (i, code, check);
      if (memcmp (check, code + SEQEX_KEY_SIZE, CHECK_SIZE) == 0)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "This is %s, not %s",
                       kinds[i].name, kinds[kind].name);
          return FALSE;
        }
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "Not %s: the check does not match, so a character is wrong", kinds[kind].name);
  return FALSE;
}

gboolean
seqex_key_decode (SeqexKeyKind   kind,
                  const char    *text,
                  guint8         key[SEQEX_KEY_SIZE],
                  GError       **error)
{
  guint8 code[CODE_SIZE] = { 0 };
  const char *rest, *end;
  gboolean valid;

  memset (key, 0, SEQEX_KEY_SIZE);
  if (!g_utf8_validate (text, -1, &end))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "Not %s: not UTF-8 at byte %" G_GSIZE_FORMAT, kinds[kind].name,
                   (gsize) (end - text) + 1);
      return FALSE;
    }
  rest = skip_prefix (text);
  if (rest != NULL && kind != SEQEX_KEY_KIND_SHARED_SECRET)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "This is a shared secret, not %s", kinds[kind].name);
      return FALSE;
    }
  if (rest == NULL)
    rest = text;
  if (kind == SEQEX_KEY_KIND_SHARED_SECRET && count_characters (rest) < SHORT_CODE)
    {
      set_bad_length (kind, count_characters (rest), error);
      return FALSE;
    }

  valid = read_characters (kind, rest, (guint) (rest - text), code, error) &&
          verify_check (kind, code, error);
  if (valid)
    memcpy (key, code, SEQEX_KEY_SIZE);
  seqex_crypto_table ()->wipe (code, sizeof code);
  return valid;
}

gboolean
seqex_key_parse (const char    *text,
                 guint8         key[SEQEX_KEY_SIZE],
                 GError       **error)
{
  return seqex_key_decode (SEQEX_KEY_KIND_FINGERPRINT, text, key, error);
}

char *
seqex_key_format (const guint8 key[SEQEX_KEY_SIZE])
{
  char text[SEQEX_KEY_TEXT_SIZE];

  seqex_key_encode (SEQEX_KEY_KIND_FINGERPRINT, key, text);
  return g_strdup (text);
}

/**
 * seqex_fingerprint_normalize:
 * @fingerprint: what somebody typed, pasted or stored
 *
 * Gets a fingerprint in its normal form, lower-case and in groups of four.
 *
 * Upper case, missing or other dashes, spaces, and `O`, `I` and `L` for `0` and `1` are taken. If
 * the text is no fingerprint, the error is %G_IO_ERROR_INVALID_ARGUMENT and says where it is wrong.
 *
 * Two fingerprints are of the same key if their normal forms are equal.
 *
 * Returns: (transfer full): the normal form, or `NULL` with @error set
 */
char *
seqex_fingerprint_normalize (const char  *fingerprint,
                             GError     **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (fingerprint != NULL, NULL);

  return seqex_key_parse (fingerprint, key, error) ? seqex_key_format (key) : NULL;
}

/**
 * seqex_fingerprint_from_key:
 * @public_key: an X25519 public key, 32 bytes
 *
 * Gets the fingerprint of a public key.
 *
 * The error is %G_IO_ERROR_INVALID_ARGUMENT if @public_key has not 32 bytes.
 *
 * Returns: (transfer full): the fingerprint, or `NULL` with @error set
 */
char *
seqex_fingerprint_from_key (GBytes  *public_key,
                            GError **error)
{
  g_return_val_if_fail (public_key != NULL, NULL);

  if (g_bytes_get_size (public_key) != SEQEX_KEY_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "A public key has %u bytes, this has %" G_GSIZE_FORMAT, SEQEX_KEY_SIZE,
                   g_bytes_get_size (public_key));
      return NULL;
    }
  return seqex_key_format (g_bytes_get_data (public_key, NULL));
}

/**
 * seqex_fingerprint_to_key:
 * @fingerprint: a fingerprint in any form that [func@Seqex.fingerprint_normalize] takes
 *
 * Gets the public key that a fingerprint stands for.
 *
 * Returns: (transfer full): the X25519 public key, 32 bytes, or `NULL` with @error set
 */
GBytes *
seqex_fingerprint_to_key (const char  *fingerprint,
                          GError     **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (fingerprint != NULL, NULL);

  return seqex_key_parse (fingerprint, key, error) ? g_bytes_new (key, sizeof key) : NULL;
}
