/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-debug-private.h"

static const GDebugKey keys[] = {
  { "state", SEQEX_DEBUG_STATE },
  { "message", SEQEX_DEBUG_MESSAGE },
  { "transport", SEQEX_DEBUG_TRANSPORT },
  { "wake", SEQEX_DEBUG_WAKE },
};

gboolean
seqex_debug_has (SeqexDebugFlags category)
{
  /* One more than the flags, because 0 stands for "not read yet". */
  static gsize flags_plus_one;

  if (g_once_init_enter (&flags_plus_one))
    {
      guint flags = g_parse_debug_string (g_getenv ("SEQEX_DEBUG"), keys, G_N_ELEMENTS (keys));

      g_once_init_leave (&flags_plus_one, (gsize) flags + 1);
    }
  return ((flags_plus_one - 1) & category) != 0;
}
