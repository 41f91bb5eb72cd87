/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the fuzz targets of files share. No fuzzer finds a text whose check matches, so an input may
 * say "@x" for the text of the key whose bytes are all x.
 */
#pragma once

#include <gio/gio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seqex-key-private.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* abort() is what fuzzers and sanitizers notice, NDEBUG or not. */
#define REQUIRE(condition) do { if (!(condition)) abort (); } while (0)

static inline GString *
expand_keys (const uint8_t *data,
             size_t         size,
             SeqexKeyKind   kind)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < size; i++)
    {
      guint8 key[SEQEX_KEY_SIZE];
      char key_text[SEQEX_KEY_TEXT_SIZE];

      if (data[i] != '@' || i + 1 == size)
        {
          g_string_append_c (text, (char) data[i]);
          continue;
        }
      memset (key, data[++i], sizeof key);
      seqex_key_encode (kind, key, key_text);
      g_string_append (text, key_text);
    }
  return text;
}

static inline void
require_error (const GError *error)
{
  REQUIRE (error != NULL && error->domain == G_IO_ERROR);
  REQUIRE (error->message[0] != '\0' && g_utf8_validate (error->message, -1, NULL));
}
