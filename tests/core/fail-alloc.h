/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Allocations of the core that fail when a test says so. For programs linked with --wrap; to be
 * included once.
 */
#pragma once

#include <glib.h>
#include <stdlib.h>

static guint fail_after; /* so many more succeed … */
static guint fail_count; /* … and then so many fail */

void *__real_malloc  (size_t size);
void *__real_calloc  (size_t count, size_t size);
void *__real_realloc (void *block, size_t size);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *block, size_t size);

static gboolean
alloc_fails (void)
{
  if (fail_count == 0)
    return FALSE;
  if (fail_after > 0)
    {
      fail_after--;
      return FALSE;
    }
  fail_count--;
  return TRUE;
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
