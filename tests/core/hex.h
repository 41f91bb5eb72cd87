/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Published vectors come in hexadecimal.
 */
#pragma once

#include <glib.h>

/* The bytes that @text stands for. */
static inline GByteArray *
hex_decode (const char *text)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; text[0] != '\0'; text += 2)
    {
      int high = g_ascii_xdigit_value (text[0]);
      int low = g_ascii_xdigit_value (text[1]);
      guint8 byte = (guint8) (high << 4 | low);

      g_assert_cmpint (high, >=, 0);
      g_assert_cmpint (low, >=, 0);
      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

static inline void
hex_decode_exactly (guint8     *out,
                    gsize       size,
                    const char *text)
{
  g_autoptr (GByteArray) bytes = hex_decode (text);

  g_assert_cmpuint (bytes->len, ==, size);
  for (gsize i = 0; i < size; i++)
    out[i] = bytes->data[i];
}

static inline void
assert_hex (const guint8 *data,
            gsize         size,
            const char   *text)
{
  g_autoptr (GByteArray) expected = hex_decode (text);

  g_assert_cmpmem (data, size, expected->data, expected->len);
}
