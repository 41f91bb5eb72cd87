/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-streams.h"

#include <stdlib.h>

#include "sqx-channels.h"
#include "sqx-fragments.h"
#include "sqx-handover.h"
#include "sqx-outgoing.h"

#define MINE  0u
#define PEERS 1u

static uint64_t
chunk_cost (uint64_t size)
{
  return size + SQX_CHUNK_OVERHEAD;
}

static void
tell (sqx_stream *stream)
{
  if (!stream->released)
    sqx_events_push (stream->session->events, &stream->event, SQX_EVENT_STREAM);
}

/* All of them ------------------------------------------------------------------------- */

void
sqx_streams_init (sqx_streams *streams)
{
  sqx_index_init (&streams->index);
  sqx_node_init (&streams->settled);
  sqx_event_node_init (&streams->event);
}

void
sqx_streams_may_open (sqx_session *session)
{
  if (session->streams.wanted)
    sqx_events_push (session->events, &session->streams.event, SQX_EVENT_STREAM);
  session->streams.wanted = false;
}

void
sqx_streams_peer_known (sqx_session *session,
                        bool         even,
                        uint64_t     max,
                        uint64_t     window)
{
  sqx_streams *streams = &session->streams;

  streams->known = true;
  streams->next[MINE] = even ? 0 : 1;
  streams->next[PEERS] = even ? 1 : 0;
  streams->peer_max = SQX_MIN (max, SQX_STREAMS_MAX);
  streams->peer_window = window;
  sqx_streams_may_open (session);
}

static sqx_stream *
add (sqx_session *session,
     unsigned     whose)
{
  sqx_streams *streams = &session->streams;
  uint64_t id = streams->next[whose];
  sqx_stream *stream = calloc (1, sizeof *stream);

  if (stream == NULL || !sqx_index_insert (&streams->index, id, stream))
    {
      free (stream);
      session->counters->no_memory++;
      return NULL;
    }
  sqx_channel_init (&stream->channel, (uint32_t) (2 * id + 1));
  stream->channel.opened = true;
  stream->session = session;
  sqx_event_node_init (&stream->event);
  sqx_node_init (&stream->settled);
  sqx_node_init (&stream->unsent);
  stream->last_in = UINT64_MAX;
  stream->own = whose == MINE;
  stream->indexed = true;
  streams->next[whose] += 2;
  streams->open[whose]++;
  streams->records[whose]++;
  return stream;
}

sqx_result
sqx_streams_open (sqx_session *session,
                  sqx_stream **opened)
{
  sqx_streams *streams = &session->streams;
  sqx_stream *stream;

  if (streams->known && streams->peer_max == 0)
    return SQX_ERR_REFUSED;
  if (streams->next[MINE] >= SQX_STREAM_IDS)
    return SQX_ERR_INVALID;
  /* The peer counts one until it has the ends of its own chunks. */
  if (!streams->known || streams->records[MINE] >= streams->peer_max)
    {
      streams->wanted = true;
      return SQX_ERR_QUEUE_FULL;
    }
  stream = add (session, MINE);
  if (stream == NULL)
    return SQX_ERR_NO_MEMORY;
  /* The opening: the peer hears of the stream although nothing was written. */
  if (sqx_stream_begin (stream, &(sqx_payload) { 0 }) == SQX_OK)
    {
      stream->known = true;
      *opened = stream;
      return SQX_OK;
    }
  sqx_index_remove (&streams->index, stream->channel.id);
  streams->next[MINE] -= 2;
  streams->open[MINE]--;
  streams->records[MINE]--;
  sqx_stream_drop (stream);
  return SQX_ERR_NO_MEMORY;
}

static sqx_result
violation (sqx_session *session,
           const char  *what)
{
  session->violation = what;
  return SQX_ERR_PROTOCOL;
}

bool
sqx_streams_is_past (const sqx_session *session,
                     uint64_t           id)
{
  const sqx_streams *streams = &session->streams;

  return streams->known && id < streams->next[(id ^ streams->next[MINE]) & 1];
}

sqx_result
sqx_streams_find (sqx_session  *session,
                  uint64_t      id,
                  sqx_channel **channel)
{
  sqx_streams *streams = &session->streams;
  sqx_stream *stream;

  if (!sqx_streams_is_past (session, id))
    {
      uint64_t next = streams->next[PEERS];
      uint64_t more = (id - next) / 2 + 1;

      if (!streams->known || id >= SQX_STREAM_IDS || ((id ^ next) & 1) != 0)
        return violation (session, "stream that does not exist");
      if (more > session->config->max_streams - SQX_MIN (streams->open[PEERS],
                                                         session->config->max_streams))
        return violation (session, "more streams than max-streams");
      /* Those before it, whose first packets are late, are open too. */
      for (; more > 0; more--)
        {
          if (streams->records[PEERS] >= 2 * session->config->max_streams ||
              (stream = add (session, PEERS)) == NULL)
            return SQX_ERR_NO_MEMORY;
          tell (stream);
        }
    }
  stream = sqx_index_lookup (&streams->index, id);
  *channel = stream != NULL ? &stream->channel : NULL;
  return SQX_OK;
}

void
sqx_stream_free_if_done (sqx_stream *stream)
{
  if (!stream->indexed && (stream->released || !stream->known))
    {
      sqx_event_node_withdraw (&stream->event);
      free (stream);
    }
}

void
sqx_stream_drop (sqx_stream *stream)
{
  stream->indexed = false;
  stream->session = NULL;
  sqx_channel_clear (&stream->channel);
  sqx_stream_free_if_done (stream);
}

void
sqx_streams_reap (sqx_session *session)
{
  sqx_streams *streams = &session->streams;
  sqx_node *node;

  while ((node = sqx_list_first (&streams->settled)) != NULL)
    {
      sqx_stream *stream = SQX_CONTAINER (node, sqx_stream, settled);

      sqx_node_unlink (node);
      sqx_index_remove (&streams->index, stream->channel.id);
      streams->records[stream->own ? MINE : PEERS]--;
      if (stream->own)
        sqx_streams_may_open (session);
      sqx_stream_drop (stream);
    }
}

void
sqx_stream_check (sqx_stream *stream)
{
  sqx_streams *streams = &stream->session->streams;

  if (!stream->over && stream->closed_out && sqx_index_count (&stream->channel.outgoing) == 0 &&
      stream->cost_in == 0 && stream->last_in < sqx_channel_floor (&stream->channel))
    {
      stream->over = true;
      tell (stream);
      streams->open[stream->own ? MINE : PEERS]--;
    }
  if (stream->over && sqx_index_count (&stream->channel.incoming) == 0 &&
      !sqx_node_linked (&stream->settled))
    sqx_list_append (&streams->settled, &stream->settled);
}

void
sqx_stream_detach (sqx_stream *stream,
                   sqx_result  error,
                   bool        lost)
{
  if (stream->session == NULL)
    return;
  stream->error = error;
  if (lost && !stream->known)
    sqx_event_node_withdraw (&stream->event);
  else
    tell (stream);
  sqx_node_unlink (&stream->settled);
  stream->session = NULL;
}

/* Sending ----------------------------------------------------------------------------- */

uint64_t
sqx_stream_room (const sqx_stream *stream)
{
  const sqx_streams *streams = &stream->session->streams;
  uint64_t window = streams->peer_window, total = SQX_STREAM_SHARES * window;
  /* What the last chunk costs always stays free. */
  uint64_t used = stream->cost_out + 2 * SQX_CHUNK_OVERHEAD;
  uint64_t room = window - SQX_MIN (window, used);

  if (stream->cost_out > 0)
    room = SQX_MIN (room, total - SQX_MIN (total, streams->cost_out + SQX_CHUNK_OVERHEAD));
  room = SQX_MIN (room, SQX_CHUNK_MAX);
  return room < SQX_CHUNK_LEAST ? 0 : room;
}

void
sqx_stream_begun (sqx_stream   *stream,
                  sqx_outgoing *chunk)
{
  uint64_t cost = chunk_cost (chunk->size);

  stream->cost_out += cost;
  stream->session->streams.cost_out += cost;
  sqx_list_append (&stream->unsent, &chunk->node);
  if (stream->active == NULL)
    sqx_stream_sent (stream, NULL);
}

void
sqx_stream_sent (sqx_stream   *stream,
                 sqx_outgoing *chunk)
{
  sqx_node *next = sqx_list_first (&stream->unsent);

  if (stream->active != chunk)
    return;
  stream->active = NULL;
  if (next == NULL)
    return;
  stream->active = SQX_CONTAINER (next, sqx_outgoing, node);
  sqx_node_unlink (next);
  sqx_fragments_queue (stream->active);
}

void
sqx_stream_left (sqx_stream         *stream,
                 const sqx_outgoing *chunk)
{
  uint64_t cost = chunk_cost (chunk->size);

  stream->cost_out -= cost;
  stream->session->streams.cost_out -= cost;
}

sqx_result
sqx_stream_begin (sqx_stream        *stream,
                  const sqx_payload *payload)
{
  sqx_outgoing *chunk = sqx_outgoing_submit (stream->session, &stream->channel, payload,
                                             SQX_MESSAGE_ORDERED | SQX_MESSAGE_FINAL, NULL, NULL);

  if (chunk == NULL)
    return SQX_ERR_NO_MEMORY;
  chunk->told = true;
  if (sqx_outgoing_start (chunk))
    return SQX_OK;
  sqx_outgoing_detach (chunk, SQX_ERR_NO_MEMORY);
  return SQX_ERR_NO_MEMORY;
}

static void
cancel_all (sqx_stream *stream,
            uint64_t    now)
{
  sqx_outgoing *chunk;

  for (uint64_t number = 0;
       (chunk = sqx_index_next (&stream->channel.outgoing, number, &number)) != NULL; number++)
    sqx_outgoing_cancel (chunk, now);
}

void
sqx_stream_close_write (sqx_stream *stream)
{
  if (stream->closed_out)
    return;
  stream->closed_out = true;
  /* Nobody tries it again, and the peer would wait for ever. */
  if (sqx_stream_begin (stream, &(sqx_payload) { 0 }) != SQX_OK)
    stream->session->out_of_memory = true;
}

void
sqx_stream_abort (sqx_stream *stream,
                  uint64_t    now)
{
  /* The last chunk is what an abort is told by, if all others were taken. */
  sqx_stream_close_write (stream);
  stream->aborted_out = true;
  cancel_all (stream, now);
}

static void
wake (sqx_stream *stream)
{
  if (!stream->blocked || sqx_stream_room (stream) < SQX_CHUNK_MAX)
    return;
  stream->blocked = false;
  tell (stream);
}

void
sqx_stream_ended (sqx_stream    *stream,
                  uint64_t       now,
                  sqx_end_reason reason)
{
  sqx_streams *streams = &stream->session->streams;
  sqx_stream *other;

  if (reason != SQX_END_ENDED && !stream->refused && !stream->aborted_out)
    {
      stream->refused = true;
      cancel_all (stream, now);
      tell (stream);
    }
  if (stream->closed_out && sqx_index_count (&stream->channel.outgoing) == 0)
    {
      stream->drained = !stream->refused && !stream->aborted_out;
      tell (stream);
    }
  wake (stream);
  if (streams->starved)
    {
      streams->starved = false;
      for (uint64_t id = 0; (other = sqx_index_next (&streams->index, id, &id)) != NULL; id++)
        {
          wake (other);
          streams->starved |= other->blocked;
        }
    }
  sqx_stream_check (stream);
}

/* Receiving --------------------------------------------------------------------------- */

static bool
is_opening (const sqx_stream *stream,
            uint64_t          number)
{
  return number == 0 && !stream->own;
}

const char *
sqx_stream_judge (const sqx_stream *stream,
                  uint64_t          number,
                  uint64_t          total)
{
  const sqx_streams *streams = &stream->session->streams;
  const sqx_channel *channel = &stream->channel;
  uint64_t window = stream->session->config->stream_window, cost = chunk_cost (total);
  uint64_t records = (uint64_t) streams->records[MINE] + streams->records[PEERS];

  if (total > SQX_CHUNK_MAX)
    return "chunk larger than 65536 bytes";
  if (number > stream->last_in ||
      (total == 0 && !is_opening (stream, number) && number + 1 < channel->seen_end))
    return "chunk after the last one of its stream";
  if (stream->cost_in + cost > window ||
      number - sqx_channel_floor (channel) >= window / SQX_CHUNK_OVERHEAD ||
      streams->cost_in + cost > SQX_STREAM_SHARES * window +
                                records * (SQX_CHUNK_MAX + 2 * SQX_CHUNK_OVERHEAD))
    return "more of a stream than its window";
  return NULL;
}

void
sqx_stream_seen (sqx_stream *stream,
                 uint64_t    number,
                 uint64_t    total)
{
  if (total == 0 && !is_opening (stream, number))
    stream->last_in = number;
  stream->cost_in += chunk_cost (total);
  stream->session->streams.cost_in += chunk_cost (total);
}

/* Ends what the program will not read. */
static void
refuse (sqx_incoming *chunk,
        uint64_t      now)
{
  sqx_handover_end (chunk, now, chunk->total == 0 ? SQX_END_ENDED : SQX_END_CANCELLED);
}

void
sqx_stream_deliver (sqx_incoming *chunk,
                    uint64_t      now)
{
  sqx_stream *stream = sqx_channel_stream (chunk->channel);

  if (stream->session->closing)
    sqx_handover_end (chunk, now, SQX_END_CLOSING);
  else if (stream->closed_in || stream->aborted_in ||
           (chunk->total == 0 && is_opening (stream, chunk->number)))
    refuse (chunk, now);
  else
    sqx_handover_queue (chunk);
}

void
sqx_stream_close_read (sqx_stream *stream,
                       uint64_t    now)
{
  sqx_node *first;

  stream->closed_in = true;
  while ((first = sqx_list_first (&stream->channel.ready)) != NULL)
    refuse (SQX_CONTAINER (first, sqx_incoming, node), now);
}

void
sqx_stream_cancelled (sqx_stream *stream,
                      uint64_t    now)
{
  if (!stream->closed_in)
    {
      sqx_stream_close_read (stream, now);
      stream->closed_in = false;
      stream->aborted_in = true;
      tell (stream);
    }
  sqx_stream_check (stream);
}

bool
sqx_stream_end_waits (sqx_stream         *stream,
                      const sqx_incoming *chunk)
{
  sqx_streams *streams = &stream->session->streams;

  streams->untold += chunk_cost (chunk->total);
  if (chunk->number != stream->last_in &&
      streams->untold < stream->session->config->stream_window / 4)
    return true;
  streams->untold = 0;
  return false;
}

void
sqx_stream_returned (sqx_stream *stream,
                     uint64_t    total)
{
  stream->cost_in -= chunk_cost (total);
  stream->session->streams.cost_in -= chunk_cost (total);
  sqx_stream_check (stream);
}
