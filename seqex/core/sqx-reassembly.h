/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Puts the byte ranges of one message together, in the buffer that the program will get.
 *
 * The buffer grows with what has arrived, never with what is claimed: at most
 * SQX_FRAGMENT_SLACK + 2 * received bytes are allocated, and a fragment that ends beyond
 * that is refused. Bytes that came first win; overlaps are legal.
 */
#pragma once

#include "sqx-ranges.h"
#include "sqx.h"

typedef enum
{
  SQX_REASSEMBLY_ADDED,     /* new bytes, not whole yet */
  SQX_REASSEMBLY_WHOLE,     /* new bytes, and now all are there */
  SQX_REASSEMBLY_DUPLICATE, /* nothing new */
  SQX_REASSEMBLY_EARLY,     /* refused: too far ahead of what arrived */
  SQX_REASSEMBLY_RANGES,    /* refused: would add a range beyond @ranges_left */
  SQX_REASSEMBLY_NO_MEMORY, /* refused */
} sqx_reassembly_result;

/* Must not be copied or moved, because of its ranges. */
typedef struct
{
  uint8_t   *data;     /* malloc()ed; NULL until bytes came */
  size_t     capacity; /* bytes allocated */
  uint64_t   total;    /* of the whole message */
  uint64_t   received; /* distinct bytes */
  uint8_t *(*body_new) (size_t size); /* what data comes from; NULL: malloc() */
  sqx_ranges ranges;   /* what has arrived */
} sqx_reassembly;

/* Without body_new, which is set afterwards. */
void sqx_reassembly_init  (sqx_reassembly *reassembly, uint64_t total);
void sqx_reassembly_clear (sqx_reassembly *reassembly);

/* @offset + @size is at most total. @ranges_left: how many more separate ranges the caller still
 * allows; the part that begins at byte 0 is always allowed, so that the oldest missing bytes can
 * always be taken. Refusing changes nothing. A total of 0 is WHOLE at once. */
sqx_reassembly_result sqx_reassembly_add (sqx_reassembly *reassembly,
                                          uint64_t        offset,
                                          const uint8_t  *data,
                                          size_t          size,
                                          size_t          ranges_left);
/* Only when whole: hands over the buffer, which begins with total bytes; NULL for 0 bytes. Later
 * parts are still told as duplicates. */
uint8_t *sqx_reassembly_steal (sqx_reassembly *reassembly);
