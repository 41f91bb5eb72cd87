/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the environment variable SEQEX_DEBUG switches on: a list of these categories, "all" or
 * "help". It is read once.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SEQEX_DEBUG_STATE     = 1 << 0, /* how connections begin, change and end, and why */
  SEQEX_DEBUG_MESSAGE   = 1 << 1, /* each message sent, handed over, answered */
  SEQEX_DEBUG_TRANSPORT = 1 << 2, /* what the transport refuses, and its errors */
  SEQEX_DEBUG_WAKE      = 1 << 3, /* each wake of a connection's driver */
} SeqexDebugFlags;

gboolean seqex_debug_has (SeqexDebugFlags category) G_GNUC_PURE;

/* Says something under a category that is switched on, as a message and not as a debug message, so
 * that one variable is enough to see it. */
#define SEQEX_NOTE(category, ...)                          \
  G_STMT_START                                             \
    {                                                      \
      if (G_UNLIKELY (seqex_debug_has (SEQEX_DEBUG_##category))) \
        g_message (#category ": " __VA_ARGS__);            \
    }                                                      \
  G_STMT_END

G_END_DECLS
