/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-shared-secret-private.h"

#include "core/sqx-hkdf.h"
#include "seqex-crypto-private.h"
#include "seqex-random-private.h"

gboolean
seqex_shared_secret_parse (const char   *text,
                           guint8        secret[SEQEX_KEY_SIZE],
                           GError      **error)
{
  return seqex_key_decode (SEQEX_KEY_KIND_SHARED_SECRET, text, secret, error);
}

void
seqex_shared_secret_get_psk (const guint8 secret[SEQEX_KEY_SIZE],
                             guint8       psk[SEQEX_KEY_SIZE])
{
  sqx_hkdf_expand_label (seqex_crypto_table (), psk, secret, "seqex 1 psk");
}

/* The text form of a secret, which is wiped. */
static char *
format_and_wipe (guint8 secret[SEQEX_KEY_SIZE])
{
  char code[SEQEX_KEY_TEXT_SIZE];
  char *text;

  seqex_key_encode (SEQEX_KEY_KIND_SHARED_SECRET, secret, code);
  text = g_strconcat (SEQEX_SHARED_SECRET_PREFIX, code, NULL);
  seqex_crypto_table ()->wipe (code, sizeof code);
  seqex_crypto_table ()->wipe (secret, SEQEX_KEY_SIZE);
  return text;
}

/**
 * seqex_shared_secret_generate:
 *
 * Makes a secret for two peers that shall know each other without comparing fingerprints.
 *
 * It is 32 random bytes as text, `seqex-secret:` and groups of four characters. Whoever knows it
 * can be taken for either peer when they meet, so show it to nobody else, and do not write it to a
 * log.
 *
 * Returns: (transfer full): a new shared secret
 */
char *
seqex_shared_secret_generate (void)
{
  guint8 secret[SEQEX_KEY_SIZE];

  seqex_random_fill (NULL, secret, sizeof secret);
  return format_and_wipe (secret);
}

/**
 * seqex_shared_secret_normalize:
 * @secret: what somebody typed, pasted, scanned or stored
 *
 * Gets a shared secret in its normal form, lower-case and in groups of four.
 *
 * What [func@Seqex.shared_secret_to_uri] made is taken, and the text with or without its prefix, in
 * any case, with any dashes and spaces. Otherwise the error is %G_IO_ERROR_INVALID_ARGUMENT and
 * says what is wrong. Only secrets that the library made are taken: a short code or a password
 * could be found by trying. Where somebody has to type, compare fingerprints instead.
 *
 * Returns: (transfer full): the normal form, or `NULL` with @error set
 */
char *
seqex_shared_secret_normalize (const char  *secret,
                               GError     **error)
{
  guint8 key[SEQEX_KEY_SIZE];

  g_return_val_if_fail (secret != NULL, NULL);

  return seqex_shared_secret_parse (secret, key, error) ? format_and_wipe (key) : NULL;
}

/**
 * seqex_shared_secret_to_uri:
 * @secret: a shared secret
 *
 * Gets the form of a shared secret that makes the smallest QR code.
 *
 * It is a URI, `SEQEX-SECRET:` and 56 characters, upper-case and without dashes, so that a QR code
 * can have it in alphanumeric mode: version 4 with error correction M. Whatever takes a shared
 * secret takes it in this form too.
 *
 * Returns: (transfer full): the URI, or `NULL` with @error set to %G_IO_ERROR_INVALID_ARGUMENT
 */
char *
seqex_shared_secret_to_uri (const char  *secret,
                            GError     **error)
{
  char *uri = seqex_shared_secret_normalize (secret, error);
  gsize size = 0;

  if (uri == NULL)
    return NULL;
  for (char *at = uri, *colon = strchr (uri, ':'); *at != '\0'; at++)
    if (*at != '-' || at < colon)
      uri[size++] = g_ascii_toupper (*at);
  /* What it was longer is a part of the secret. */
  seqex_crypto_table ()->wipe (uri + size, strlen (uri) - size);
  return uri;
}
