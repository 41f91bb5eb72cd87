/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills @bytes from the system's random source; ends the program if there is none. @user_data is
 * not used: it lets the core call this. */
void seqex_random_fill (void    *user_data,
                        uint8_t *bytes,
                        size_t   size);
