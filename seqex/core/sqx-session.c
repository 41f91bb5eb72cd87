/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-session.h"

#include <stdlib.h>

#include "sqx-fragments.h"
#include "sqx-handover.h"
#include "sqx-resume.h"

void
sqx_session_init (sqx_session      *session,
                  const sqx_config *config,
                  sqx_node         *events,
                  sqx_counters     *counters,
                  sqx_statistics   *statistics,
                  const uint64_t   *rtt,
                  uint32_t          incarnation)
{
  memset (session, 0, sizeof *session);
  session->config = config;
  session->events = events;
  session->counters = counters;
  session->statistics = statistics;
  session->rtt = rtt;
  session->incarnation = incarnation;
  session->accepts = config->accepts_messages;
  sqx_credit_init (&session->credit, config->max_message_size, config->byte_window,
                   config->byte_window_max, config->exchange_credit, config->ack_delay);
  sqx_ends_init (&session->ends);
  sqx_streams_init (&session->streams);
  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    {
      sqx_node_init (&session->waiting[priority][0]);
      sqx_node_init (&session->waiting[priority][1]);
      sqx_node_init (&session->sending[priority]);
    }
  sqx_node_init (&session->cancels);
}

/* Messages that waited for a program that never came. */
static void
free_queue (sqx_node *list)
{
  sqx_node *first;

  while ((first = sqx_list_first (list)) != NULL)
    {
      sqx_node_unlink (first);
      sqx_received_free_if_done (SQX_CONTAINER (first, sqx_incoming, node), NULL);
    }
}

void
sqx_session_rest (sqx_session *session)
{
  sqx_channel *channel;
  uint64_t at = 0;

  session->used = false;
  if (session->config->body_rest != NULL)
    session->config->body_rest ();
  sqx_pool_clear (&session->outgoing_pool);
  sqx_pool_clear (&session->incoming_pool);
  sqx_index_rest (&session->streams.index);
  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    {
      sqx_index_rest (&channel->outgoing);
      sqx_index_rest (&channel->incoming);
    }
}

void
sqx_session_clear (sqx_session *session)
{
  sqx_stream *stream;
  uint64_t stream_id = 0;

  sqx_session_rest (session);
  while ((stream = sqx_index_next (&session->streams.index, stream_id, &stream_id)) != NULL)
    {
      stream_id++;
      free_queue (&stream->channel.ready);
      sqx_stream_drop (stream);
    }
  sqx_index_clear (&session->streams.index);
  sqx_event_node_withdraw (&session->streams.event);
  for (uint32_t id = 0; id < session->n_channels; id++)
    if (session->channels[id] != NULL)
      {
        free_queue (&session->channels[id]->ready);
        free_queue (&session->channels[id]->gated);
        sqx_channel_free (session->channels[id]);
      }
  free (session->channels);
  session->channels = NULL;
  session->n_channels = 0;
}

static void
detach_channel (sqx_channel *channel,
                sqx_result   error,
                bool         lost)
{
  sqx_outgoing *sent;
  sqx_incoming *received;
  uint64_t number;

  while ((sent = sqx_index_next (&channel->outgoing, 0, &number)) != NULL)
    sqx_outgoing_detach (sent, error);
  while ((received = sqx_index_next (&channel->incoming, 0, &number)) != NULL)
    sqx_incoming_detach (received, lost);
  sqx_node_unlink (&channel->ends_node);
  if (sqx_channel_is_stream (channel))
    sqx_stream_detach (sqx_channel_stream (channel), error, lost);
}

void
sqx_session_detach (sqx_session *session,
                    sqx_result   error,
                    bool         lost)
{
  sqx_channel *channel;
  uint64_t at = 0;

  for (unsigned priority = 0; priority < SQX_PRIORITIES; priority++)
    for (unsigned kind = 0; kind < 2; kind++)
      {
        sqx_node *first;

        while ((first = sqx_list_first (&session->waiting[priority][kind])) != NULL)
          sqx_outgoing_detach (SQX_CONTAINER (first, sqx_outgoing, node), error);
      }

  while ((channel = sqx_session_next_channel (session, &at)) != NULL)
    detach_channel (channel, error, lost);
  session->open_incoming = 0;
  session->taken = 0;
  session->streams.open[0] = session->streams.open[1] = 0;
}

/* Channels ----------------------------------------------------------------------------- */

void
sqx_session_open_channel (sqx_session *session,
                          sqx_channel *channel)
{
  if (channel->opened)
    return;
  channel->opened = true;
  if (session->channels[0] != NULL)
    sqx_handover_requeue (session, channel);
}

/* Frames ------------------------------------------------------------------------------- */

void
sqx_session_peer_known (sqx_session *session,
                        uint64_t     max_message,
                        uint64_t     bytes,
                        uint64_t     exchanges,
                        uint64_t     max_channels)
{
  sqx_credit_peer_known (&session->credit, max_message, bytes, exchanges);
  session->peer_max_channels = (uint32_t) SQX_MIN (max_channels, UINT32_MAX);
  sqx_outgoing_check_sizes (session);
  sqx_outgoing_begin_waiting (session);
}

static sqx_result
handle_end (sqx_session     *session,
            uint64_t         now,
            const sqx_frame *frame)
{
  sqx_channel *channel = sqx_session_find_field (session, frame->end.channel);
  sqx_runs runs = frame->end.runs;
  uint64_t first, run;

  if (channel == NULL && sqx_session_is_past (session, frame->end.channel))
    {
      session->counters->stray_end++;
      return SQX_OK;
    }
  while (sqx_runs_next (&runs, &first, &run))
    {
      sqx_outgoing *message;
      uint64_t number = first;
      bool any = false;

      if (channel == NULL || first + run > channel->next_number)
        {
          session->violation = "end of a message that was never sent";
          return SQX_ERR_PROTOCOL;
        }
      while ((message = sqx_index_next (&channel->outgoing, number, &number)) != NULL &&
             number < first + run)
        {
          sqx_outgoing_ended (message, now, frame->end.reason, true);
          any = true;
        }
      if (!any)
        session->counters->stray_end++;
    }
  return SQX_OK;
}

sqx_result
sqx_session_handle_frame (sqx_session     *session,
                          uint64_t         now,
                          const sqx_frame *frame)
{
  if (sqx_session_find_channel (session, 0) == NULL && sqx_session_channel (session, 0) == NULL)
    {
      session->counters->no_memory++;
      return SQX_ERR_NO_MEMORY;
    }

  switch (frame->type)
    {
    case SQX_FRAME_CREDIT:
      if (sqx_credit_peer_grants (&session->credit, frame->credit.bytes, frame->credit.exchanges))
        sqx_outgoing_begin_waiting (session);
      return SQX_OK;
    case SQX_FRAME_END:
      return handle_end (session, now, frame);
    case SQX_FRAME_RECEIVED:
      return sqx_resume_handle_received (session, frame);
    case SQX_FRAME_CANCEL:
      return sqx_incoming_handle_cancel (session, now, frame);
    case SQX_FRAME_MESSAGE:
      return sqx_incoming_handle_message (session, now, frame);
    default:
      session->violation = "frame of no session";
      return SQX_ERR_PROTOCOL;
    }
}

/* Packets ------------------------------------------------------------------------------ */

bool
sqx_session_starves (const sqx_session *session)
{
  return session->queued > 0 && sqx_credit_is_short (&session->credit);
}

/* The unit that an END gives back is waited for, here or perhaps there. */
static bool
ends_are_awaited (const sqx_session *session)
{
  return session->ends.deadline != SQX_TIME_NEVER &&
         (sqx_session_starves (session) || sqx_credit_is_used_up (&session->credit));
}

bool
sqx_session_due (const sqx_session *session,
                 uint64_t           now)
{
  return sqx_fragments_due (session) || !sqx_list_empty (&session->cancels) ||
         sqx_ends_due (&session->ends, now) || ends_are_awaited (session) ||
         sqx_credit_due (&session->credit, now) || sqx_resume_due (session);
}

uint64_t
sqx_session_deadline (const sqx_session *session)
{
  /* Fetching an event may have made it so. */
  if (ends_are_awaited (session))
    return 0;
  return SQX_MIN (session->ends.deadline, session->credit.deadline);
}

static void
pack_credit (sqx_session *session,
             sqx_packet  *packet)
{
  sqx_credit *credit = &session->credit;

  if (sqx_credit_worth (credit) && !sqx_packet_full (packet) &&
      sqx_write_credit (&packet->writer, sqx_credit_bytes (credit), sqx_credit_exchanges (credit)))
    sqx_packet_note (packet, &(sqx_record) { .kind = SQX_RECORD_CREDIT,
                                             .number = sqx_credit_sent (credit) });
}

void
sqx_session_pack (sqx_session *session,
                  sqx_packet  *packet)
{
  pack_credit (session, packet);
  if (sqx_resume_due (session))
    sqx_resume_pack (session, packet);
  sqx_fragments_pack_cancels (session, packet);
  sqx_ends_pack (&session->ends, packet);
  sqx_fragments_pack (session, packet);
}

void
sqx_session_acked (sqx_session      *session,
                   uint64_t          now,
                   const sqx_record *record)
{
  if (record->kind == SQX_RECORD_MESSAGE)
    sqx_fragments_acked (session, record);
  else if (record->kind == SQX_RECORD_END)
    sqx_handover_ends_acked (session, now, record);
}

void
sqx_session_lost (sqx_session      *session,
                  const sqx_record *record)
{
  if (record->kind == SQX_RECORD_MESSAGE)
    sqx_fragments_lost (session, record);
  else if (record->kind == SQX_RECORD_END)
    sqx_handover_ends_lost (session, record);
  else if (record->kind == SQX_RECORD_CANCEL)
    sqx_fragments_cancel_lost (session, record);
  else if (record->kind == SQX_RECORD_CREDIT)
    sqx_credit_was_lost (&session->credit, record->number);
  else if (record->kind == SQX_RECORD_RECEIVED)
    sqx_resume_lost (session);
}

/* Closing ------------------------------------------------------------------------------ */

void
sqx_session_close (sqx_session *session,
                   uint64_t     now)
{
  session->closing = true;
  sqx_outgoing_close (session);
  sqx_handover_end_untaken (session, now, SQX_END_CLOSING);
}

bool
sqx_session_is_finished (const sqx_session *session)
{
  return session->open_incoming == 0 && session->owed_outgoing == 0;
}

bool
sqx_session_is_busy (const sqx_session *session)
{
  return session->queued > 0 || session->open_outgoing > 0 || session->open_incoming > 0 ||
         session->streams.open[0] + session->streams.open[1] > 0;
}
