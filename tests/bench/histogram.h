/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Times in nanoseconds, counted in cells whose width is at most 1/64 of their value: what a
 * percentile needs, in memory that does not grow with the run.
 */
#pragma once

#include <glib.h>

#define HISTOGRAM_STEPS 64u
#define HISTOGRAM_CELLS (HISTOGRAM_STEPS * 40u) /* up to 2^45 ns, ten hours */

typedef struct
{
  guint64 total;
  guint64 largest;
  guint64 cells[HISTOGRAM_CELLS];
} Histogram;

void    histogram_clear      (Histogram       *self);
void    histogram_add        (Histogram       *self,
                              guint64          value);
/* The value that a share of @share of all values do not exceed; 0 if there are none. */
guint64 histogram_percentile (const Histogram *self,
                              double           share);
