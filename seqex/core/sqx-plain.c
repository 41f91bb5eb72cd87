/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-plain.h"

#include "sqx-util.h"

static uint32_t
draw_epoch (const sqx_plain  *plain,
            const sqx_config *config)
{
  uint8_t bytes[4];
  uint32_t epoch;

  do
    {
      config->random (config->user_data, bytes, sizeof bytes);
      epoch = sqx_get_be32 (bytes);
    }
  while (epoch == 0 || epoch == plain->epoch);
  return epoch;
}

void
sqx_plain_init (sqx_plain        *plain,
                const sqx_config *config)
{
  *plain = (sqx_plain) { .instance = config->instance };
  plain->epoch = config->epoch != 0 ? config->epoch : draw_epoch (plain, config);
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
  uint32_t source = header->source_epoch, destination = header->destination_epoch;
  bool for_spare = plain->spare != 0 && destination == plain->spare;
  bool for_epoch = destination == plain->epoch;

  /* A packet cannot come from nobody; own packets come back only from a broken or hostile path. */
  if (source == 0 || source == plain->epoch || source == plain->spare || is_former (plain, source))
    return SQX_PLAIN_FORMER;
  if (source == plain->peer_epoch)
    return for_epoch || destination == 0 ? SQX_PLAIN_ACCEPT : SQX_PLAIN_FORMER;
  if (!for_epoch && !for_spare && destination != 0)
    return SQX_PLAIN_WRONG;
  if (plain->peer_epoch == 0)
    return SQX_PLAIN_ADOPT;
  return for_spare || (for_epoch && !plain->called) ? SQX_PLAIN_RESTART : SQX_PLAIN_UNKNOWN;
}

void
sqx_plain_adopt (sqx_plain              *plain,
                 const sqx_plain_header *header)
{
  if (plain->peer_epoch != 0)
    plain->former[plain->n_former++ % SQX_FORMER_EPOCHS] = plain->peer_epoch;
  plain->peer_epoch = header->source_epoch;

  if (plain->spare != 0 && header->destination_epoch == plain->spare)
    {
      plain->epoch = plain->spare;
      plain->spare = 0;
      plain->called = false;
    }
}

bool
sqx_plain_hint (sqx_plain        *plain,
                const sqx_config *config,
                uint64_t          now,
                sqx_plain_verdict verdict,
                uint32_t          source_epoch)
{
  if (now < plain->next_hint)
    return false;
  plain->next_hint = sqx_time_add (now, SQX_HINT_INTERVAL);
  plain->hint_for = source_epoch;
  plain->hint_from = plain->epoch;
  if (verdict == SQX_PLAIN_UNKNOWN && plain->called)
    {
      if (plain->spare == 0)
        plain->spare = draw_epoch (plain, config);
      plain->hint_from = plain->spare;
    }
  return true;
}
