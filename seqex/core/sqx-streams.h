/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Streams: channels with odd fields, which carry bytes in chunks. A chunk is an ordered, final
 * initial message; what it costs is the stream's, not the connection's, so that a stream that
 * nobody reads holds up no message.
 *
 *   open → chunks, each ended when the reader takes it → the last one, empty (half-close)
 *
 * in each direction. A stream is over when both have come to that, and settled, and its record
 * gone, when the peer knows it.
 */
#pragma once

#include "sqx-channel.h"

typedef struct sqx_session sqx_session;

struct sqx_stream
{
  sqx_channel    channel;
  sqx_session   *session;  /* NULL: settled, or the session is lost */
  sqx_event_node event;
  sqx_node       settled;  /* in sqx_streams.settled until it is reaped */
  void          *user_data;
  sqx_result     error;    /* why the session was lost */

  /* Sending. Chunks go out one after the other. */
  sqx_node      unsent;    /* sqx_outgoing.node: begun, and not in session->sending yet */
  sqx_outgoing *active;    /* the one that is there for the first time */
  uint64_t      cost_out;  /* of what was begun and is not ended */

  /* Receiving. */
  uint64_t cost_in;        /* of what was seen and is not ended */
  uint64_t last_in;        /* number of the last chunk; UINT64_MAX while not known */

  bool own : 1;            /* this side opened it */
  bool known : 1;          /* the program has it … */
  bool released : 1;       /* … or has it no more */
  bool indexed : 1;        /* in sqx_streams.index */
  bool over : 1;
  bool closed_out : 1;     /* the last chunk was begun */
  bool aborted_out : 1;
  bool drained : 1;        /* the peer took all, the last chunk too */
  bool refused : 1;        /* the peer reads no more */
  bool blocked : 1;        /* a write found no room */
  bool closed_in : 1;      /* the program reads no more */
  bool aborted_in : 1;     /* by the peer */
  bool eof : 1;            /* the program has read the end */
};

typedef struct
{
  sqx_index index;         /* id -> sqx_stream */
  /* [0]: this side's, [1]: the peer's */
  uint64_t  next[2];       /* id of the one to be opened next */
  uint32_t  open[2];       /* not over */
  uint32_t  records[2];    /* in the index */
  uint64_t  cost_out, cost_in;
  uint64_t  untold;        /* cost of what was ended since an END went out at once */
  uint64_t  peer_max;
  uint64_t  peer_window;
  sqx_node  settled;
  sqx_event_node event;    /* another one may be opened */
  bool known : 1;          /* the peer's HELLO came */
  bool wanted : 1;         /* one could not be opened */
  bool starved : 1;        /* one was blocked by what all cost */
} sqx_streams;

static inline bool
sqx_channel_is_stream (const sqx_channel *channel)
{
  return (channel->field & 1) != 0;
}

static inline sqx_stream *
sqx_channel_stream (sqx_channel *channel)
{
  return SQX_CONTAINER (channel, sqx_stream, channel);
}

void       sqx_streams_init       (sqx_streams *streams);
/* @even: this side's ids are. */
void       sqx_streams_peer_known (sqx_session *session, bool even, uint64_t max, uint64_t window);
/* Who waits for that may try to open another one. */
void       sqx_streams_may_open   (sqx_session *session);
/* QUEUE_FULL: not now; REFUSED: the peer takes none; NO_MEMORY, INVALID. */
sqx_result sqx_streams_open       (sqx_session *session, sqx_stream **opened);
/* Finds, or opens, what the peer names. *@channel NULL: settled. PROTOCOL, NO_MEMORY. */
sqx_result sqx_streams_find       (sqx_session *session, uint64_t id, sqx_channel **channel);
/* Whether @id names a stream that was settled. */
bool       sqx_streams_is_past    (const sqx_session *session, uint64_t id);
/* Takes out those that are settled: not while a channel is being looked at. */
void       sqx_streams_reap       (sqx_session *session);

/* Sending */
uint64_t   sqx_stream_room        (const sqx_stream *stream);
/* Begins a chunk of at most that; an empty one is the last. */
sqx_result sqx_stream_begin       (sqx_stream *stream, const sqx_payload *payload);
void       sqx_stream_close_write (sqx_stream *stream);
void       sqx_stream_abort       (sqx_stream *stream, uint64_t now);
/* For sqx-outgoing.c: a chunk has its number; was sent, or need not be; left the session; was
 * ended. */
void       sqx_stream_begun       (sqx_stream *stream, sqx_outgoing *chunk);
void       sqx_stream_sent        (sqx_stream *stream, sqx_outgoing *chunk);
void       sqx_stream_left        (sqx_stream *stream, const sqx_outgoing *chunk);
void       sqx_stream_ended       (sqx_stream *stream, uint64_t now, sqx_end_reason reason);

/* Receiving */
void        sqx_stream_close_read (sqx_stream *stream, uint64_t now);
/* For sqx-incoming.c. What is wrong with a chunk that was not seen before, NULL: nothing. */
const char *sqx_stream_judge      (const sqx_stream *stream, uint64_t number, uint64_t total);
void        sqx_stream_seen       (sqx_stream *stream, uint64_t number, uint64_t total);
void        sqx_stream_deliver    (sqx_incoming *chunk, uint64_t now);
void        sqx_stream_cancelled  (sqx_stream *stream, uint64_t now);
/* Whether its END may wait for a packet to go with; and it is ended. */
bool        sqx_stream_end_waits  (sqx_stream *stream, const sqx_incoming *chunk);
void        sqx_stream_returned   (sqx_stream *stream, uint64_t total);
/* Something was settled. */
void        sqx_stream_check      (sqx_stream *stream);

/* The session ends: @lost as for sqx_session_detach(). */
void sqx_stream_detach (sqx_stream *stream, sqx_result error, bool lost);
/* Out of the index; its channel holds nothing any more. */
void sqx_stream_drop   (sqx_stream *stream);
void sqx_stream_free_if_done (sqx_stream *stream);
