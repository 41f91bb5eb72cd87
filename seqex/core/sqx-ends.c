/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-ends.h"

void
sqx_ends_init (sqx_ends *ends)
{
  sqx_node_init (&ends->channels);
  ends->due = false;
  ends->deadline = SQX_TIME_NEVER;
}

static bool
channel_has_ends (const sqx_channel *channel)
{
  for (int i = 0; i < SQX_N_END_REASONS; i++)
    if (channel->ends[i].count > 0)
      return true;
  return false;
}

static void
settle_channel (sqx_ends    *ends,
                sqx_channel *channel)
{
  if (!channel_has_ends (channel))
    sqx_node_unlink (&channel->ends_node);
  if (sqx_list_empty (&ends->channels))
    {
      ends->due = false;
      ends->deadline = SQX_TIME_NEVER;
    }
}

bool
sqx_ends_add (sqx_ends      *ends,
              sqx_channel   *channel,
              sqx_end_reason reason,
              uint64_t       number,
              uint64_t       at)
{
  if (!sqx_ranges_add (&channel->ends[reason], number, number + 1))
    return false;

  if (!sqx_node_linked (&channel->ends_node))
    sqx_list_append (&ends->channels, &channel->ends_node);
  if (at == 0)
    ends->due = true;
  else
    ends->deadline = SQX_MIN (ends->deadline, at);
  return true;
}

void
sqx_ends_remove (sqx_ends      *ends,
                 sqx_channel   *channel,
                 sqx_end_reason reason,
                 uint64_t       first,
                 uint64_t       run)
{
  /* Removing may fail for want of memory; an end that is sent once more does no harm. */
  if (channel->ends[reason].count > 0 &&
      sqx_ranges_remove (&channel->ends[reason], first, first + run))
    settle_channel (ends, channel);
}

bool
sqx_ends_due (const sqx_ends *ends,
              uint64_t        now)
{
  return ends->due || now >= ends->deadline;
}

/* Writes the ends of one channel and reason. false: the packet is full. */
static bool
pack_reason (sqx_channel   *channel,
             sqx_end_reason reason,
             sqx_packet    *packet)
{
  sqx_ranges *set = &channel->ends[reason];
  sqx_runs_writer end;
  bool fits = true;

  if (set->count == 0)
    return true;
  if (!sqx_end_writer_begin (&end, &packet->writer, channel->field, (uint8_t) reason))
    return false;

  while (set->count > 0 && fits)
    {
      uint64_t first = set->items[0].start;
      uint64_t run = SQX_MIN (set->items[0].end - first, UINT32_MAX);

      fits = !sqx_packet_full (packet) &&
             sqx_runs_writer_add (&end, &packet->writer, first, run);
      if (fits)
        {
          sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_END,
                                                   .reason = (uint8_t) reason,
                                                   .channel = channel->field,
                                                   .number = first,
                                                   .length = (uint32_t) run });
          sqx_ranges_drop_below (set, first + run);
        }
    }
  sqx_runs_writer_finish (&end, &packet->writer);
  return fits;
}

void
sqx_ends_pack (sqx_ends   *ends,
               sqx_packet *packet)
{
  sqx_node *node;

  while ((node = sqx_list_first (&ends->channels)) != NULL)
    {
      sqx_channel *channel = SQX_CONTAINER (node, sqx_channel, ends_node);
      bool fits = true;

      for (int i = 0; i < SQX_N_END_REASONS && fits; i++)
        fits = pack_reason (channel, (sqx_end_reason) i, packet);
      settle_channel (ends, channel);
      if (!fits)
        return;
    }
}
