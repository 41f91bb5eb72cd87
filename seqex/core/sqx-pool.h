/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Blocks of one size that are needed again soon: a few are kept when they are given back, so that
 * what is allocated for each message costs nothing while messages come and go.
 */
#pragma once

#include <stddef.h>

typedef struct
{
  void  *first; /* each begins with the pointer to the next */
  size_t count;
} sqx_pool;

/* A zeroed block of @size bytes, at least that of a pointer and the same in every call. NULL: no
 * memory. */
void *sqx_pool_take  (sqx_pool *pool, size_t size);
/* Keeps @block, or frees it if SQX_POOL_MAX are kept. NULL is allowed for @pool: frees it. */
void  sqx_pool_give  (sqx_pool *pool, void *block);
/* Frees what is kept. A pool of zeros is empty. */
void  sqx_pool_clear (sqx_pool *pool);
