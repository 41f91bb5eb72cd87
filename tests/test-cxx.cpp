/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The public headers are C++ as well, and declare their functions as C. */
#include <seqex.h>

int
main ()
{
  g_type_ensure (SEQEX_TYPE_CONNECTION);
  return SEQEX_ERROR == 0;
}
