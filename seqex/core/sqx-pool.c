/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-pool.h"

#include <stdlib.h>
#include <string.h>

#include "sqx-limits.h"

void *
sqx_pool_take (sqx_pool *pool,
               size_t    size)
{
  void *block = pool->first;

  if (block == NULL)
    return calloc (1, size);
  memcpy (&pool->first, block, sizeof pool->first);
  pool->count--;
  return memset (block, 0, size);
}

void
sqx_pool_give (sqx_pool *pool,
               void     *block)
{
  if (pool == NULL || pool->count >= SQX_POOL_MAX)
    {
      free (block);
      return;
    }
  memcpy (block, &pool->first, sizeof pool->first);
  pool->first = block;
  pool->count++;
}

void
sqx_pool_clear (sqx_pool *pool)
{
  while (pool->first != NULL)
    {
      void *block = pool->first;

      memcpy (&pool->first, block, sizeof pool->first);
      free (block);
    }
  pool->count = 0;
}
