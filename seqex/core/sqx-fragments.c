/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-fragments.h"

#include "sqx-channels.h"

/* The bytes that acknowledgements are counted in. An empty message counts as one byte, so that it
 * too can be unsent, lost and acknowledged. */
static uint64_t
span (const sqx_outgoing *message)
{
  return SQX_MAX (message->size, 1);
}

static bool
has_fragments (const sqx_outgoing *message)
{
  return !message->received &&
         (message->lost.count > 0 || message->next_offset < span (message));
}

void
sqx_fragments_release (sqx_outgoing *message)
{
  const sqx_config *config = message->session->config;

  if (message->received)
    return;
  message->received = true;
  if (sqx_channel_is_stream (message->channel))
    sqx_stream_sent (sqx_channel_stream (message->channel), message);
  if (message->payload.owner != NULL && config->payload_unref != NULL)
    config->payload_unref (message->payload.owner);
  message->payload = (sqx_payload) { 0 };
  /* What went in one piece has none. */
  if (message->lost.count + message->acked.count > 0)
    {
      sqx_ranges_clear (&message->lost);
      sqx_ranges_clear (&message->acked);
    }
}

/* Whether @node is of a message that is of no use to the program before @message is there. */
static bool
waits_for (const sqx_node     *node,
           const sqx_outgoing *message)
{
  const sqx_outgoing *other = SQX_CONTAINER (node, const sqx_outgoing, node);

  return other->ordered && other->channel == message->channel && other->number > message->number;
}

/* Whether the message of @node is small, or was sent before: then it does not wait behind large
 * ones. */
static bool
is_soon (const sqx_node *node)
{
  const sqx_outgoing *message = SQX_CONTAINER (node, const sqx_outgoing, node);

  return message->size <= SQX_TURN_SMALL || message->is_reply || message->next_offset > 0 ||
         sqx_channel_is_stream (message->channel);
}

/* The first of the list has had its turn, and so have those behind it that wait for it: what is
 * delivered one after the other is sent one after the other. They go behind those that take
 * turns with it, not behind all: of many large messages that grow together none is ready for
 * long, and then all at once, and the peer returns their credit too late. */
static void
end_turn (sqx_node     *list,
          sqx_outgoing *message)
{
  sqx_node *first = &message->node, *next = first->next, *last, *at;
  sqx_session *session = message->session;

  /* As before, and nobody has come who does not wait. */
  if (session->alone == message)
    return;
  for (unsigned passed = 0; passed < SQX_TURNS_PASSED && next != list &&
                            waits_for (next, message); passed++)
    next = next->next;
  session->alone = next == list ? message : NULL;
  at = next;
  for (unsigned passed = 1; at != list && !waits_for (at, message) &&
                            (passed < SQX_TURNS || (passed < SQX_TURNS_PASSED && is_soon (at)));
       passed++)
    at = at->next;

  last = next->prev;
  first->prev->next = next;
  next->prev = first->prev;
  first->prev = at->prev;
  last->next = at;
  at->prev->next = first;
  at->prev = last;
}

/* Whether the message of @waiting lets @message pass, which comes later. */
static bool
lets_pass (const sqx_node     *waiting,
           const sqx_outgoing *message)
{
  const sqx_outgoing *other = SQX_CONTAINER (waiting, const sqx_outgoing, node);

  return waits_for (waiting, message) ||
         (!is_soon (waiting) && is_soon (&message->node) && !waits_for (&message->node, other));
}

void
sqx_fragments_queue (sqx_outgoing *message)
{
  sqx_node *list = &message->session->sending[message->channel->priority];
  sqx_node *at = list;

  for (unsigned passed = 0; passed < SQX_TURNS_PASSED && at->prev != list &&
                            lets_pass (at->prev, message); passed++)
    at = at->prev;
  if (at != list || list->prev == list ||
      !waits_for (&message->node, SQX_CONTAINER (list->prev, const sqx_outgoing, node)))
    message->session->alone = NULL;
  sqx_node_insert_before (at, &message->node);
}

/* Packing ------------------------------------------------------------------------------ */

/* The next bytes to send: what was lost first. */
static void
next_chunk (const sqx_outgoing *message,
            uint64_t           *offset,
            uint64_t           *end)
{
  if (message->lost.count > 0)
    {
      *offset = message->lost.items[0].start;
      *end = message->lost.items[0].end;
    }
  else
    {
      *offset = message->next_offset;
      *end = span (message);
    }
}

/* A message is not cut in two only to fill the last corner of a packet. */
static bool
is_worth_cutting (const sqx_packet *packet,
                  uint64_t          size)
{
  size_t room = sqx_writer_room (&packet->writer);

  if (size + SQX_FRAGMENT_LEAST / 2 <= room)
    return true;
  return room >= packet->full_size / 4 && room >= SQX_FRAGMENT_LEAST;
}

static void
sent_bytes (sqx_session  *session,
            sqx_outgoing *message,
            uint64_t      offset,
            uint64_t      end)
{
  if (offset < message->next_offset)
    session->statistics->bytes_resent +=
      SQX_MIN (end, message->size) - SQX_MIN (offset, message->size);
  if (message->lost.count > 0 && !sqx_ranges_remove (&message->lost, offset, end))
    session->out_of_memory = true;
  message->next_offset = SQX_MAX (message->next_offset, end);
}

/* Writes one fragment. false: it does not fit. */
static bool
pack_fragment (sqx_session  *session,
               sqx_outgoing *message,
               sqx_packet   *packet)
{
  uint64_t offset, end, written = 0;
  sqx_message_header header = {
    .channel = message->channel->field,
    .number = message->number,
    .flags = (uint8_t) ((message->ordered ? SQX_WIRE_ORDERED : 0) |
                        (message->is_reply ? SQX_WIRE_REPLY : 0) |
                        (message->final ? SQX_WIRE_FINAL : 0)),
    .reply_to = message->reply_to,
    .total = message->size,
  };

  next_chunk (message, &offset, &end);
  if (message->size > 0)
    {
      header.offset = offset;
      header.size = end - offset;
    }
  if (sqx_packet_full (packet) || !is_worth_cutting (packet, header.size) ||
      !sqx_write_message (&packet->writer, &header,
                          header.size > 0 ? message->payload.data + header.offset : NULL,
                          &written))
    return false;

  end = offset + (message->size > 0 ? written : 1);
  sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_MESSAGE,
                                           .channel = message->channel->field,
                                           .number = message->number,
                                           .offset = (uint32_t) offset,
                                           .length = (uint32_t) (end - offset) });
  sent_bytes (session, message, offset, end);
  return true;
}

void
sqx_fragments_pack (sqx_session *session,
                    sqx_packet  *packet)
{
  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    {
      sqx_node *list = &session->sending[priority];
      sqx_node *first;

      while ((first = sqx_list_first (list)) != NULL)
        {
          sqx_outgoing *message = SQX_CONTAINER (first, sqx_outgoing, node);


          if (!pack_fragment (session, message, packet))
            return;
          if (has_fragments (message))
            {
              end_turn (list, message);
              continue;
            }
          sqx_node_unlink (&message->node);
          if (sqx_channel_is_stream (message->channel))
            sqx_stream_sent (sqx_channel_stream (message->channel), message);
        }
    }
}

void
sqx_fragments_pack_cancels (sqx_session *session,
                            sqx_packet  *packet)
{
  sqx_node *first;

  while ((first = sqx_list_first (&session->cancels)) != NULL)
    {
      sqx_outgoing *message = SQX_CONTAINER (first, sqx_outgoing, node);

      if (sqx_packet_full (packet) ||
          !sqx_write_cancel (&packet->writer, message->channel->field, message->number,
                             message->size, message->is_reply, message->reply_to))
        return;
      sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_CANCEL,
                                               .channel = message->channel->field,
                                               .number = message->number });
      sqx_node_unlink (&message->node);
    }
}

bool
sqx_fragments_due (const sqx_session *session)
{
  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    if (!sqx_list_empty (&session->sending[priority]))
      return true;
  return false;
}

/* What became of it -------------------------------------------------------------------- */

static sqx_outgoing *
find (sqx_session      *session,
      const sqx_record *record)
{
  sqx_channel *channel = sqx_session_find_field (session, record->channel);

  return channel ? sqx_index_lookup (&channel->outgoing, record->number) : NULL;
}

void
sqx_fragments_acked (sqx_session      *session,
                     const sqx_record *record)
{
  sqx_outgoing *message = find (session, record);
  uint64_t start = record->offset, end = start + record->length;

  if (message == NULL || message->received)
    return;

  /* One piece may be all. */
  if (end - start < span (message) &&
      (!sqx_ranges_add (&message->acked, start, end) ||
       !sqx_ranges_remove (&message->lost, start, end)))
    {
      session->out_of_memory = true;
      return;
    }
  if (end - start == span (message) || sqx_ranges_covers (&message->acked, 0, span (message)))
    sqx_fragments_release (message);
  if (!has_fragments (message) && !message->cancelling)
    sqx_node_unlink (&message->node);
}

void
sqx_fragments_lost (sqx_session      *session,
                    const sqx_record *record)
{
  sqx_outgoing *message = find (session, record);
  uint64_t end = (uint64_t) record->offset + record->length;
  uint64_t at = record->offset;

  if (message == NULL || message->received)
    return;

  /* What was acknowledged from another packet meanwhile need not go again. */
  while (at < end)
    {
      size_t i = sqx_ranges_find (&message->acked, at);
      uint64_t gap_end = i < message->acked.count
                         ? SQX_MIN (end, SQX_MAX (message->acked.items[i].start, at)) : end;

      if (!sqx_ranges_add (&message->lost, at, gap_end))
        session->out_of_memory = true;
      at = i < message->acked.count ? SQX_MAX (gap_end, message->acked.items[i].end) : end;
    }
  if (has_fragments (message) && !sqx_node_linked (&message->node))
    sqx_fragments_queue (message);
}

void
sqx_fragments_cancel_lost (sqx_session      *session,
                           const sqx_record *record)
{
  sqx_outgoing *message = find (session, record);

  if (message != NULL && !sqx_node_linked (&message->node))
    sqx_list_append (&session->cancels, &message->node);
}
