/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "histogram.h"

#include <string.h>

/* Values below HISTOGRAM_STEPS have a cell each; above, every power of two has HISTOGRAM_STEPS
 * cells of the same width. */
static guint
cell_of (guint64 value)
{
  guint shift;

  if (value < HISTOGRAM_STEPS)
    return (guint) value;
  shift = g_bit_storage (value) - g_bit_storage (HISTOGRAM_STEPS);
  return MIN (HISTOGRAM_CELLS - 1, shift * HISTOGRAM_STEPS + (guint) (value >> shift));
}

static guint64
end_of_cell (guint cell)
{
  guint shift;

  if (cell < HISTOGRAM_STEPS)
    return cell;
  shift = cell / HISTOGRAM_STEPS - 1;
  return ((guint64) (cell - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
}

void
histogram_clear (Histogram *self)
{
  memset (self, 0, sizeof *self);
}

void
histogram_add (Histogram *self,
               guint64    value)
{
  self->cells[cell_of (value)]++;
  self->total++;
  self->largest = MAX (self->largest, value);
}

guint64
histogram_percentile (const Histogram *self,
                      double           share)
{
  guint64 wanted = MAX (1, (guint64) (share * (double) self->total + 0.5));
  guint64 seen = 0;

  if (self->total == 0)
    return 0;
  for (guint cell = 0; cell < HISTOGRAM_CELLS; cell++)
    {
      seen += self->cells[cell];
      if (seen >= wanted)
        return MIN (end_of_cell (cell), self->largest);
    }
  return self->largest;
}
