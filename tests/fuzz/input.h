/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes that a fuzzer gives, taken from the front. When they are used up everything is 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sqx-limits.h"

typedef struct
{
  const uint8_t *data;
  size_t         size;
} fuzz_input;

static inline uint8_t
input_byte (fuzz_input *input)
{
  if (input->size == 0)
    return 0;
  input->size--;
  return *input->data++;
}

/* Of any size, but below what a frame can carry, even as one more than the number. */
static inline uint64_t
input_number (fuzz_input *input)
{
  uint8_t width = input_byte (input) & 7;
  uint64_t value = 0;

  for (unsigned i = 0; i <= width; i++)
    value = value << 8 | input_byte (input);
  return value % (SQX_VARINT_MAX - 100);
}

/* Mostly @base or a number beside it, now and then any. */
static inline uint64_t
input_near (fuzz_input *input,
            uint64_t    base)
{
  static const int8_t steps[16] = { 0, 0, 0, 0, 0, 0, 1, 1, -1, -1, 2, -2, 3, 5, -6, 17 };
  uint8_t choice = input_byte (input);
  int64_t step = steps[choice & 15];

  if (choice >= 240)
    return input_number (input);
  if (step < 0)
    return base >= (uint64_t) -step ? base - (uint64_t) -step : 0;
  return base + (uint64_t) step < SQX_VARINT_MAX - 100 ? base + (uint64_t) step : base;
}
