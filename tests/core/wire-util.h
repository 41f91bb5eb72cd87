/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of the wire format share.
 */
#pragma once

#include <glib.h>

#include "sqx-limits.h"
#include "sqx-wire.h"

#define MAX_PACKET 2048u

/* Decodes exactly one frame from a block of its own, so that a sanitizer sees any read past it. */
static inline gboolean
decode_copy (const guint8 *data,
             gsize         size,
             sqx_frame    *frame,
             guint8      **copy)
{
  sqx_reader reader;
  gboolean ok;

  *copy = g_malloc (MAX (size, 1));
  if (size > 0)
    memcpy (*copy, data, size);
  /* Without a byte the block's end is its beginning. */
  reader = (sqx_reader) { *copy, *copy + size };
  ok = sqx_decode_frame (&reader, frame) && reader.at == reader.end;
  return ok;
}

static inline gboolean
is_legal (const guint8 *data,
          gsize         size)
{
  sqx_frame frame;
  guint8 *copy;
  gboolean ok = decode_copy (data, size, &frame, &copy);

  g_free (copy);
  return ok;
}

#define LEGAL(...) \
  g_assert_true (is_legal ((const guint8[]) { __VA_ARGS__ }, sizeof ((guint8[]) { __VA_ARGS__ })))
#define MALFORMED(...) \
  g_assert_false (is_legal ((const guint8[]) { __VA_ARGS__ }, sizeof ((guint8[]) { __VA_ARGS__ })))
#define BYTES(writer, ...) \
  g_assert_cmpmem ((writer)->data, (writer)->size, \
                   ((const guint8[]) { __VA_ARGS__ }), sizeof ((guint8[]) { __VA_ARGS__ }))

/* Every proper beginning of a frame that says its own length is malformed. */
static inline void
check_truncations (const sqx_writer *writer)
{
  for (gsize size = 0; size < writer->size; size++)
    g_assert_false (is_legal (writer->data, size));
  g_assert_true (is_legal (writer->data, writer->size));
}
