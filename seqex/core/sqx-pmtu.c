/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-pmtu.h"

#include "sqx-util.h"

/* Ethernet with IPv6 and with IPv4, jumbo frames, and the loopback in a step between. */
static const uint16_t known_sizes[] = { SQX_DATAGRAM_DEFAULT, 1452, 1472, 8952, 16384 };
#define N_KNOWN (sizeof known_sizes / sizeof *known_sizes)

static uint32_t
base (const sqx_pmtu *pmtu)
{
  return SQX_MIN (pmtu->limit, SQX_DATAGRAM_DEFAULT);
}

void
sqx_pmtu_init (sqx_pmtu *pmtu,
               uint32_t  floor,
               uint32_t  limit)
{
  *pmtu = (sqx_pmtu) { .floor = floor, .limit = limit };
  sqx_pmtu_new_path (pmtu);
}

void
sqx_pmtu_set_limit (sqx_pmtu *pmtu,
                    uint32_t  limit)
{
  pmtu->limit = limit;
  sqx_pmtu_new_path (pmtu);
}

void
sqx_pmtu_new_path (sqx_pmtu *pmtu)
{
  *pmtu = (sqx_pmtu) {
    .floor = pmtu->floor,
    .limit = pmtu->limit,
    .size = base (pmtu),
    .refused = pmtu->limit + 1,
    .serial = pmtu->serial,
    .path = pmtu->serial + 1,
    .raise_at = SQX_TIME_NEVER,
  };
}

/* The largest known size below @size. */
static uint32_t
known_below (const sqx_pmtu *pmtu,
             uint32_t        size)
{
  uint32_t below = SQX_MIN (pmtu->floor, pmtu->limit);

  for (size_t i = 0; i < N_KNOWN; i++)
    if (known_sizes[i] < size)
      below = SQX_MAX (below, known_sizes[i]);
  return below;
}

/* What to try next; 0: the search is over. */
static uint32_t
candidate (const sqx_pmtu *pmtu)
{
  uint32_t known = known_below (pmtu, pmtu->refused), gap = pmtu->refused - pmtu->size;
  uint32_t least = pmtu->size / SQX_PMTU_GRANULARITY;

  if (pmtu->refused > pmtu->limit)
    {
      /* Upwards. What IPv6 has is tried only when a little more is too much. */
      for (size_t i = 2; i < N_KNOWN; i++)
        if (known_sizes[i] > pmtu->size && known_sizes[i] < pmtu->limit)
          return known_sizes[i];
      return pmtu->limit > pmtu->size ? pmtu->limit : 0;
    }
  if (known > pmtu->size)
    return known;
  return gap > least ? pmtu->size + SQX_MIN (gap / 2, SQX_MAX (pmtu->step, least)) : 0;
}

uint32_t
sqx_pmtu_next_probe (sqx_pmtu *pmtu,
                     uint64_t  now,
                     uint64_t  patience)
{
  uint32_t size;

  if (!sqx_pmtu_wants_probe (pmtu))
    return 0;
  if (pmtu->probe != 0 && now - pmtu->probed > patience)
    sqx_pmtu_probe_lost (pmtu, pmtu->serial);
  if (pmtu->probe != 0)
    return 0;

  if (now >= pmtu->raise_at)
    {
      pmtu->refused = pmtu->limit + 1;
      pmtu->raise_at = SQX_TIME_NEVER;
    }
  size = candidate (pmtu);
  if (size == 0 && pmtu->raise_at == SQX_TIME_NEVER)
    pmtu->raise_at = sqx_time_add (now, SQX_PMTU_RAISE);
  if (size == 0)
    pmtu->full = 0;
  return size;
}

uint32_t
sqx_pmtu_probe_sent (sqx_pmtu *pmtu,
                     uint64_t  now,
                     uint32_t  size)
{
  pmtu->probe = size;
  pmtu->probed = now;
  pmtu->full = 0;
  return ++pmtu->serial;
}

void
sqx_pmtu_probe_acked (sqx_pmtu *pmtu,
                      uint32_t  serial,
                      uint32_t  size)
{
  if (serial < pmtu->path)
    return;
  if (serial == pmtu->serial)
    pmtu->probe = 0;
  if (size <= pmtu->size || size > pmtu->limit)
    return;
  pmtu->step = pmtu->refused <= pmtu->limit ? 2 * (size - pmtu->size) : 0;
  pmtu->size = size;
  pmtu->tries = 0;
  /* It was only late when it was given up. */
  if (pmtu->refused <= size)
    pmtu->refused = pmtu->limit + 1;
}

void
sqx_pmtu_probe_lost (sqx_pmtu *pmtu,
                     uint32_t  serial)
{
  uint32_t size = pmtu->probe;

  if (serial != pmtu->serial || size == 0)
    return;
  pmtu->probe = 0;
  if (++pmtu->tries < SQX_PMTU_TRIES)
    return;
  pmtu->tries = 0;
  pmtu->refused = SQX_MIN (pmtu->refused, size);
}

static void
lower (sqx_pmtu *pmtu,
       uint32_t  size)
{
  pmtu->size = known_below (pmtu, size);
  pmtu->lost = pmtu->tries = 0;
  pmtu->raise_at = SQX_TIME_NEVER;
}

bool
sqx_pmtu_too_large (sqx_pmtu *pmtu,
                    uint32_t  size)
{
  if (size <= SQX_MIN (pmtu->floor, pmtu->limit))
    return false;
  pmtu->refused = SQX_MIN (pmtu->refused, size);
  if (pmtu->probe >= size)
    pmtu->probe = pmtu->tries = 0;
  if (pmtu->size < size)
    return false;
  lower (pmtu, size);
  return true;
}

void
sqx_pmtu_packet_lost (sqx_pmtu *pmtu,
                      uint32_t  size,
                      uint64_t  sent)
{
  if (size <= pmtu->floor || size > pmtu->size || sent < pmtu->carried)
    return;
  if (pmtu->lost++ == 0)
    {
      pmtu->lost_since = sent;
      pmtu->lost_least = size;
    }
  pmtu->lost_least = SQX_MIN (pmtu->lost_least, size);
}

void
sqx_pmtu_packet_acked (sqx_pmtu *pmtu,
                       uint32_t  size,
                       uint64_t  sent,
                       uint64_t  patience)
{
  if (size == pmtu->size)
    pmtu->carried = SQX_MAX (pmtu->carried, sent);
  if (pmtu->lost == 0 || sent < pmtu->lost_since)
    return;
  if (size >= pmtu->lost_least)
    {
      pmtu->lost = 0;
    }
  else if (pmtu->lost >= SQX_PMTU_LOSSES && sent - pmtu->lost_since >= patience)
    {
      lower (pmtu, pmtu->lost_least);
      pmtu->refused = pmtu->limit + 1;
    }
}
