/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * malloc() and its kin, with a header in front of each block that says who pays for it.
 */

#include "sim-base.h"

#include <string.h>

void *__real_malloc  (size_t size);
void  __real_free    (void *pointer);
void *__wrap_malloc  (size_t size);
void *__wrap_calloc  (size_t count, size_t size);
void *__wrap_realloc (void *pointer, size_t size);
void  __wrap_free    (void *pointer);

/* As long as the strictest alignment that malloc() promises. */
typedef union
{
  struct
  {
    sim_account *account;
    size_t       size;
  };
  uint8_t space[16];
} header;

static sim_account *payer;

sim_account *
sim_alloc_pay (sim_account *account)
{
  sim_account *before = payer;

  payer = account;
  return before;
}

uint64_t
sim_alloc_charge (size_t size)
{
  /* What glibc's malloc takes on 64 bits: 8 bytes beside the block, in steps of 16. */
  uint64_t charge = ((uint64_t) size + 8 + 15) / 16 * 16;

  return charge < 32 ? 32 : charge;
}

static void
charge (header *block)
{
  sim_account *account = block->account;

  if (account == NULL)
    return;
  account->current += sim_alloc_charge (block->size);
  account->blocks++;
  account->calls++;
  if (account->current > account->peak)
    account->peak = account->current;
  if (block->size > account->largest)
    account->largest = block->size;
}

static void
discharge (header *block)
{
  sim_account *account = block->account;

  if (account == NULL)
    return;
  account->current -= sim_alloc_charge (block->size);
  account->blocks--;
}

static void *
allocate (size_t       size,
          sim_account *account)
{
  header *block;

  if (size > SIZE_MAX - sizeof (header))
    return NULL;
  block = __real_malloc (sizeof (header) + size);
  if (block == NULL)
    return NULL;
  block->account = account;
  block->size = size;
  charge (block);
  return block + 1;
}

void *
__wrap_malloc (size_t size)
{
  return allocate (size, payer);
}

void *
__wrap_calloc (size_t count,
               size_t size)
{
  void *pointer;

  if (size > 0 && count > (SIZE_MAX - sizeof (header)) / size)
    return NULL;
  pointer = allocate (count * size, payer);
  if (pointer != NULL)
    memset (pointer, 0, count * size);
  return pointer;
}

/* Always moves, so that nobody gets away with keeping the old address. */
void *
__wrap_realloc (void  *pointer,
                size_t size)
{
  header *old;
  void *moved;

  if (pointer == NULL)
    return allocate (size, payer);
  old = (header *) pointer - 1;
  moved = allocate (size, payer != NULL ? payer : old->account);
  if (moved == NULL)
    return NULL;
  memcpy (moved, pointer, size < old->size ? size : old->size);
  __wrap_free (pointer);
  return moved;
}

void
__wrap_free (void *pointer)
{
  header *block;

  if (pointer == NULL)
    return;
  block = (header *) pointer - 1;
  discharge (block);
  __real_free (block);
}
