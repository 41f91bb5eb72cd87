/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqx.h"

typedef struct
{
  uint64_t threshold;      /* slow start ends here; UINT64_MAX at first */
  /* SQX_TIME_NEVER: none so far; packets sent up to then do not count again. */
  uint64_t recovery_start;
  uint64_t acked;          /* bytes acknowledged towards the next increase of the window */
} sqx_newreno_state;
