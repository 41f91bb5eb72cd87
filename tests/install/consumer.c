/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A program of somebody else: all it knows is <seqex.h>. */
#include <seqex.h>

#if !SEQEX_CHECK_VERSION(0, 1, 0)
#error "SEQEX_CHECK_VERSION refuses the version that it describes"
#endif

int
main (void)
{
  g_autofree char *error = g_enum_to_string (SEQEX_TYPE_ERROR, SEQEX_ERROR_FAILED);

  g_type_ensure (SEQEX_TYPE_CONNECTION);
  g_print ("%s %s %s\n", SEQEX_VERSION_S, g_quark_to_string (SEQEX_ERROR), error);
  return 0;
}
