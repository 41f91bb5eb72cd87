/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-resume.h"

#include "sqx-fragments.h"
#include "sqx-received.h"

/* A message is whole for the peer only if it was acknowledged on one link, because nobody promises
 * to keep parts of it longer (design rule 12). */
static void
resend (sqx_session  *session,
        sqx_outgoing *message)
{
  if (message->received || message->next_offset == 0)
    return;
  sqx_ranges_clear (&message->acked);
  if (!sqx_ranges_add (&message->lost, 0, message->next_offset))
    session->out_of_memory = true;
  if (!sqx_node_linked (&message->node))
    sqx_fragments_queue (message);
}

void
sqx_resume_begin (sqx_session *session)
{
  sqx_channel *channel;
  sqx_outgoing *message;
  uint64_t at = 0;

  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    for (uint64_t number = 0;
         (message = sqx_index_next (&channel->outgoing, number, &number)) != NULL; number++)
      resend (session, message);
  session->credit.lost = true;
  sqx_resume_lost (session);
}

void
sqx_resume_lost (sqx_session *session)
{
  session->received_due = session->open_incoming > 0;
  session->received_at = 0;
  session->received_number = 0;
}

bool
sqx_resume_due (const sqx_session *session)
{
  return session->received_due;
}

static bool
is_whole (const sqx_incoming *message)
{
  return message->state == SQX_INCOMING_WHOLE || message->state == SQX_INCOMING_READY ||
         message->state == SQX_INCOMING_TAKEN;
}

/* The next run of whole messages in @channel from *@number on. */
static bool
next_run (const sqx_channel *channel,
          uint64_t          *number,
          uint64_t          *run)
{
  uint64_t first = 0, at = *number;
  const sqx_incoming *message;

  *run = 0;
  while ((message = sqx_index_next (&channel->incoming, at, &at)) != NULL)
    {
      if (*run > 0 && (at != first + *run || !is_whole (message)))
        break;
      if (is_whole (message))
        {
          first = *run > 0 ? first : at;
          ++*run;
        }
      at++;
    }
  *number = first;
  return *run > 0;
}

/* Writes one frame with the runs of one channel. false: the packet is full. */
static bool
pack_channel (sqx_session *session,
              sqx_channel *channel,
              sqx_packet  *packet)
{
  uint64_t number = session->received_number, run;
  sqx_runs_writer runs;
  bool fits = true, any = false;

  if (!next_run (channel, &number, &run))
    return true;
  if (sqx_packet_full (packet) ||
      !sqx_received_writer_begin (&runs, &packet->writer, channel->field))
    return false;
  do
    {
      fits = sqx_runs_writer_add (&runs, &packet->writer, number, run);
      if (fits)
        {
          any = true;
          number += run;
          session->received_number = number;
        }
    }
  while (fits && next_run (channel, &number, &run));
  sqx_runs_writer_finish (&runs, &packet->writer);
  if (any)
    sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_RECEIVED });
  return fits;
}

void
sqx_resume_pack (sqx_session *session,
                 sqx_packet  *packet)
{
  sqx_channel *channel;
  uint64_t at = session->received_at;

  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    {
      if (!pack_channel (session, channel, packet))
        return;
      session->received_at = at;
      session->received_number = 0;
    }
  session->received_due = false;
}

sqx_result
sqx_resume_handle_received (sqx_session     *session,
                            const sqx_frame *frame)
{
  sqx_channel *channel = sqx_session_find_field (session, frame->received.channel);
  sqx_runs runs = frame->received.runs;
  uint64_t first, run;

  if (channel == NULL && sqx_session_is_past (session, frame->received.channel))
    return SQX_OK;
  while (sqx_runs_next (&runs, &first, &run))
    {
      uint64_t number = first;
      sqx_outgoing *message;

      if (channel == NULL || first + run > channel->next_number)
        {
          session->violation = "receipt of a message that was never sent";
          return SQX_ERR_PROTOCOL;
        }
      for (; (message = sqx_index_next (&channel->outgoing, number, &number)) != NULL &&
             number < first + run; number++)
        {
          sqx_fragments_release (message);
          if (!message->cancelling)
            sqx_node_unlink (&message->node);
        }
    }
  return SQX_OK;
}
