/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keys as text. 32 bytes and three of a check are 56 characters of Crockford's base 32, written in
 * groups of four. That alphabet leaves out i, l, o and u, so every look-alike (1, I and l; 0 and O)
 * can be read without a guess; the alphabet of RFC 4648 cannot tell what a 1 was meant to be.
 *
 * The check is the beginning of a SHA-256 over a label and the key. Each kind of key has a label of
 * its own, so one is never taken for another.
 */
#pragma once

#include <glib.h>

#include "seqex-key.h"

G_BEGIN_DECLS

#define SEQEX_KEY_SIZE 32

/* A key as text, with its NUL. */
#define SEQEX_KEY_TEXT_SIZE 70

typedef enum
{
  SEQEX_KEY_KIND_FINGERPRINT,   /* a public key */
  SEQEX_KEY_KIND_SHARED_SECRET,
  SEQEX_KEY_KIND_IDENTITY,      /* a secret key, as it is in a file */
} SeqexKeyKind;

/* What a shared secret begins with. A colon is in no key, so no key begins like this; and the whole
 * is a URI. */
#define SEQEX_SHARED_SECRET_PREFIX "seqex-secret:"

/* Without the prefix of a shared secret. The caller wipes @text of what is secret. */
void     seqex_key_encode (SeqexKeyKind kind,
                           const guint8 key[SEQEX_KEY_SIZE],
                           char         text[SEQEX_KEY_TEXT_SIZE]);

/* Takes either case, look-alikes, and any spaces and dashes; a shared secret with its prefix or
 * without. Otherwise G_IO_ERROR_INVALID_ARGUMENT says what is wrong and where, and @key is all
 * zeros. Errors never contain what could be a part of a secret. */
gboolean seqex_key_decode (SeqexKeyKind   kind,
                           const char    *text,
                           guint8         key[SEQEX_KEY_SIZE],
                           GError       **error);

/* The same for fingerprints, which are public keys. */
gboolean seqex_key_parse  (const char    *text,
                           guint8         key[SEQEX_KEY_SIZE],
                           GError       **error);
char    *seqex_key_format (const guint8 key[SEQEX_KEY_SIZE]);

G_END_DECLS
