/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Allocations of the core that fail when a test says so. For programs linked with --wrap; to be
 * included once.
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

static unsigned fail_after; /* so many more succeed … */
static unsigned fail_count; /* … and then so many fail */
static unsigned long alloc_count; /* all that were asked for */

void *__real_malloc  (size_t size);
void *__real_calloc  (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);

static bool
alloc_fails (void)
{
  alloc_count++;
  if (fail_count == 0)
    return false;
  if (fail_after > 0)
    {
      fail_after--;
      return false;
    }
  fail_count--;
  return true;
}

void *
__wrap_malloc (size_t size)
{
  return alloc_fails () ? NULL : __real_malloc (size);
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  return alloc_fails () ? NULL : __real_calloc (count, size);
}

void *
__wrap_realloc (void  *block,
                size_t size)
{
  return alloc_fails () ? NULL : __real_realloc (block, size);
}
