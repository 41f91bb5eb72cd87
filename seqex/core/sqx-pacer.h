/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When packets may go out, so that they leave at a rate and not all at once.
 *
 * They go in batches: what one millisecond of the rate is, so that a coarse timer and a driver that
 * hands many datagrams to the kernel at once can keep up. What a late timer left unused is made up
 * for, up to a few milliseconds' worth; what an idle sender did not use is not.
 */
#pragma once

#include "sqx.h"

typedef struct
{
  uint64_t empty;   /* in fractions of a microsecond: when all that went out has been paid for */
  uint64_t release; /* no batch begins before, SQX_TIME_NEVER: one is under way */
} sqx_pacer;

void     sqx_pacer_init (sqx_pacer *pacer);
/* Bytes that go out at once at @rate. */
uint64_t sqx_pacer_quantum (uint64_t rate, uint64_t datagram);
/* When the next packet may go out; not later than @now: at once. @rate in bytes a second, 0: not
 * paced. */
uint64_t sqx_pacer_next (sqx_pacer *pacer, uint64_t now, uint64_t rate);
/* @size bytes went out. */
void     sqx_pacer_sent (sqx_pacer *pacer, uint64_t now, uint64_t rate, uint64_t datagram,
                         uint64_t size);
