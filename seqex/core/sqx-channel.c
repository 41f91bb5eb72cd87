/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-channel.h"

#include <stdlib.h>

void
sqx_channel_init (sqx_channel *channel,
                  uint32_t     field)
{
  channel->id = field / 2;
  channel->field = field;
  channel->priority = SQX_PRIORITY_DEFAULT;
  sqx_index_init (&channel->outgoing);
  sqx_index_init (&channel->incoming);
  sqx_ranges_init (&channel->delivered);
  sqx_node_init (&channel->gated);
  sqx_node_init (&channel->ready);
  sqx_event_node_init (&channel->message_event);
  for (int i = 0; i < SQX_N_END_REASONS; i++)
    sqx_ranges_init (&channel->ends[i]);
  sqx_node_init (&channel->ends_node);
}

sqx_channel *
sqx_channel_new (uint32_t id)
{
  sqx_channel *channel = calloc (1, sizeof *channel);

  if (channel != NULL)
    sqx_channel_init (channel, 2 * id);
  return channel;
}

void
sqx_channel_clear (sqx_channel *channel)
{
  assert (sqx_index_count (&channel->outgoing) == 0);
  assert (sqx_index_count (&channel->incoming) == 0);

  sqx_index_clear (&channel->outgoing);
  sqx_index_clear (&channel->incoming);
  sqx_ranges_clear (&channel->delivered);
  for (int i = 0; i < SQX_N_END_REASONS; i++)
    sqx_ranges_clear (&channel->ends[i]);
  sqx_node_unlink (&channel->ends_node);
  sqx_event_node_withdraw (&channel->message_event);
}

void
sqx_channel_free (sqx_channel *channel)
{
  sqx_channel_clear (channel);
  free (channel);
}

uint64_t
sqx_channel_floor (const sqx_channel *channel)
{
  const sqx_ranges *delivered = &channel->delivered;

  return delivered->count > 0 && delivered->items[0].start == 0 ? delivered->items[0].end : 0;
}

bool
sqx_channel_was_seen (const sqx_channel *channel,
                      uint64_t           number)
{
  return number < channel->seen_end &&
         (sqx_index_lookup (&channel->incoming, number) != NULL ||
          sqx_ranges_contains (&channel->delivered, number));
}

int64_t
sqx_channel_would_miss (const sqx_channel *channel,
                        uint64_t           number)
{
  return number >= channel->seen_end ? (int64_t) (number - channel->seen_end) : -1;
}

int64_t
sqx_channel_see (sqx_channel *channel,
                 uint64_t     number)
{
  int64_t change = sqx_channel_would_miss (channel, number);

  channel->seen_end = SQX_MAX (channel->seen_end, number + 1);
  return change;
}
