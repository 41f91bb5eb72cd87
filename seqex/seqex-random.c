/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-random-private.h"

#include <errno.h>
#include <glib.h>
#include <sys/random.h>

void
seqex_random_fill (void    *user_data,
                   uint8_t *bytes,
                   size_t   size)
{
  while (size > 0)
    {
      ssize_t n = getrandom (bytes, size, 0);

      if (n < 0 && errno != EINTR)
        g_error ("The system has no random numbers: %s", g_strerror (errno));
      if (n > 0)
        {
          bytes += n;
          size -= (size_t) n;
        }
    }
}
