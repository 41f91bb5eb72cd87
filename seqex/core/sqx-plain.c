/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-plain.h"

#include "sqx-util.h"

void
sqx_plain_init (sqx_plain *plain,
                uint32_t   instance,
                uint32_t   epoch)
{
  *plain = (sqx_plain) { .instance = instance, .epoch = epoch };
}

uint32_t
sqx_plain_draw (const sqx_plain  *plain,
                const sqx_config *config)
{
  uint32_t epoch = 0;
  uint8_t bytes[4];

  while (epoch == 0 || epoch == plain->epoch)
    {
      config->random (config->user_data, bytes, sizeof bytes);
      epoch = sqx_get_be32 (bytes);
    }
  return epoch;
}

void
sqx_plain_renew (sqx_plain *plain,
                 uint32_t   epoch)
{
  plain->renewed = plain->epoch;
  plain->epoch = epoch;
  plain->called = false;
}

static bool
is_former (const sqx_plain *plain,
           uint32_t         epoch)
{
  for (unsigned i = 0; i < SQX_MIN (plain->n_former, SQX_FORMER_EPOCHS); i++)
    if (plain->former[i] == epoch)
      return true;
  return false;
}

sqx_plain_verdict
sqx_plain_judge (const sqx_plain        *plain,
                 const sqx_plain_header *header)
{
  bool for_me = header->destination_epoch == plain->epoch;
  bool for_anyone = header->destination_epoch == 0;

  /* A packet cannot come from nobody; own packets come back only from a broken or hostile path. */
  if (header->source_epoch == 0 || header->source_epoch == plain->epoch ||
      is_former (plain, header->source_epoch))
    return SQX_PLAIN_FORMER;
  if (!for_me && !for_anyone)
    return SQX_PLAIN_WRONG;
  if (plain->peer_epoch == 0)
    return SQX_PLAIN_ADOPT;
  if (header->source_epoch == plain->peer_epoch)
    return SQX_PLAIN_ACCEPT;
  return for_me ? SQX_PLAIN_RESTART : SQX_PLAIN_UNKNOWN;
}

void
sqx_plain_forget (sqx_plain *plain,
                  uint32_t   epoch)
{
  if (epoch != 0 && epoch != plain->peer_epoch && !is_former (plain, epoch))
    plain->former[plain->n_former++ % SQX_FORMER_EPOCHS] = epoch;
}

void
sqx_plain_adopt (sqx_plain *plain,
                 uint32_t   epoch)
{
  uint32_t known = plain->peer_epoch;

  plain->peer_epoch = epoch;
  sqx_plain_forget (plain, known);
}

bool
sqx_plain_hint (sqx_plain *plain,
                uint64_t   now,
                uint32_t   epoch)
{
  if (now < plain->next_hint)
    return false;
  plain->next_hint = sqx_time_add (now, SQX_HINT_INTERVAL);
  plain->hint_for = epoch;
  return true;
}
