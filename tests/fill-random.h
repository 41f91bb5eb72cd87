/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random bytes for a core that is driven without GLib: the same in every run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* For sqx_config.random. */
static inline void
fill_random (void    *user_data,
             uint8_t *bytes,
             size_t   size)
{
  static uint32_t state = 1;

  (void) user_data;
  while (size-- > 0)
    {
      state = state * 1664525u + 1013904223u;
      *bytes++ = (uint8_t) (state >> 24);
    }
}
