/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A session without a connection around it: what comes in are frames, what goes out are the frames
 * of a packet, and nothing is sent, lost or acknowledged unless a test says so.
 */
#pragma once

#include <glib.h>
#include <stdlib.h>

#include "session-check.h"
#include "sqx-fragments.h"
#include "sqx-handover.h"

#define MAX_MESSAGE SQX_MESSAGE_MAX_MIN
#define WINDOW      (4 * (MAX_MESSAGE + SQX_MESSAGE_OVERHEAD))
#define CHANNELS    20u
#define PACKET      1200u
#define PACKET_MAX  5000u

typedef struct
{
  sqx_config     config;
  sqx_node       events;
  sqx_counters   counters;
  sqx_statistics statistics;
  uint64_t       rtt;
  uint64_t       now;
  int            refs; /* to payloads, held by the core */
  sqx_session    session;
} Fixture;

static guint8 zeros[2 * MAX_MESSAGE];

static inline void
count_ref (void *owner)
{
  (*(int *) owner)++;
}

static inline void
count_unref (void *owner)
{
  g_assert_cmpint (*(int *) owner, >, 0);
  (*(int *) owner)--;
}

/* The peer's HELLO is not known yet. */
static inline void
set_up_unknown (Fixture *f)
{
  memset (f, 0, sizeof *f);
  f->now = SQX_SECOND;
  f->config = (sqx_config) {
    .max_message_size = MAX_MESSAGE,
    .byte_window = WINDOW,
    .byte_window_max = WINDOW,
    .exchange_credit = 100,
    .max_channels = CHANNELS,
    .ack_delay = 25 * SQX_MILLISECOND,
    .accepts_messages = true,
    .payload_ref = count_ref,
    .payload_unref = count_unref,
  };
  sqx_node_init (&f->events);
  sqx_session_init (&f->session, &f->config, &f->events, &f->counters, &f->statistics, &f->rtt, 7);
  g_assert_nonnull (sqx_session_channel (&f->session, 0));
}

static inline void
set_up (Fixture *f)
{
  set_up_unknown (f);
  sqx_session_peer_known (&f->session, MAX_MESSAGE, 4 * WINDOW, 100, CHANNELS);
}

/* Also that nothing ran out of memory unnoticed, because then nothing has to agree. */
#define assert_sound(f)                                          \
  G_STMT_START                                                   \
  {                                                              \
    g_assert_false ((f)->session.out_of_memory);                 \
    g_assert_cmpstr (session_check (&(f)->session), ==, NULL);   \
  }                                                              \
  G_STMT_END

/* Events ------------------------------------------------------------------------------- */

/* Takes the oldest event, which is of @type, as sqx_conn_poll_event() does. */
static inline sqx_event_node *
pop (Fixture       *f,
     sqx_event_type type)
{
  sqx_node *first = sqx_list_first (&f->events);
  sqx_event_node *node;

  g_assert_nonnull (first);
  node = SQX_CONTAINER (first, sqx_event_node, node);
  g_assert_cmpint (node->type, ==, type);
  sqx_event_node_withdraw (node);
  return node;
}

static inline void
assert_no_event (Fixture *f)
{
  g_assert_true (sqx_list_empty (&f->events));
}

/* Events about a sent message: its tag. */
static inline void *
pop_outgoing (Fixture       *f,
              sqx_event_type type)
{
  sqx_outgoing *message = SQX_CONTAINER (pop (f, type), sqx_outgoing, event);
  void *tag = message->tag;

  sqx_outgoing_event_done (message, NULL);
  return tag;
}

static inline void *
pop_end (Fixture       *f,
         sqx_end_reason reason)
{
  g_assert_cmpint (SQX_CONTAINER (sqx_list_first (&f->events), sqx_outgoing, event.node)->reason,
                   ==, reason);
  return pop_outgoing (f, SQX_EVENT_END);
}

static inline void *
pop_failed (Fixture   *f,
            sqx_result error)
{
  g_assert_cmpint (SQX_CONTAINER (sqx_list_first (&f->events), sqx_outgoing, event.node)->error,
                   ==, error);
  return pop_outgoing (f, SQX_EVENT_FAILED);
}

static inline void *
pop_reply (Fixture     *f,
           sqx_message *reply)
{
  sqx_outgoing *message = SQX_CONTAINER (sqx_list_first (&f->events), sqx_outgoing, event.node);

  sqx_handover_take_reply (message->reply, f->now, reply);
  return pop_outgoing (f, SQX_EVENT_REPLY);
}

static inline guint
pop_message (Fixture *f)
{
  return SQX_CONTAINER (pop (f, SQX_EVENT_MESSAGE), sqx_channel, message_event)->id;
}

static inline uint64_t
pop_cancelled (Fixture *f)
{
  sqx_incoming *message = SQX_CONTAINER (pop (f, SQX_EVENT_CANCELLED), sqx_incoming, event);
  uint64_t number = message->number;

  sqx_received_free_if_done (message, NULL);
  return number;
}

/* Incoming ----------------------------------------------------------------------------- */

static inline sqx_result
take_in (Fixture   *f,
         sqx_frame *frame)
{
  return sqx_session_handle_frame (&f->session, f->now, frame);
}

static inline sqx_result
fragment (Fixture *f,
          guint    channel,
          uint64_t number,
          guint    flags,
          uint64_t reply_to,
          uint64_t total,
          uint64_t offset,
          size_t   size)
{
  sqx_frame frame = {
    .type = SQX_FRAME_MESSAGE,
    .message = {
      .channel = channel * 2, .number = number, .flags = (uint8_t) flags, .reply_to = reply_to,
      .total = total, .offset = offset, .data = zeros, .size = size,
    },
  };

  return take_in (f, &frame);
}

/* A whole message. */
static inline sqx_result
message (Fixture *f,
         guint    channel,
         uint64_t number,
         guint    flags,
         uint64_t reply_to,
         size_t   size)
{
  return fragment (f, channel, number, flags, reply_to, size, 0, size);
}

static inline sqx_result
cancel (Fixture *f,
        guint    channel,
        uint64_t number,
        bool     is_reply,
        uint64_t reply_to,
        uint64_t total)
{
  sqx_frame frame = {
    .type = SQX_FRAME_CANCEL,
    .cancel = { channel * 2, number, total, reply_to, is_reply },
  };

  return take_in (f, &frame);
}

static inline sqx_result
end_run (Fixture *f,
         guint    channel,
         guint    reason,
         uint64_t first,
         uint64_t run)
{
  uint8_t buffer[64];
  sqx_writer writer = { buffer, 0, sizeof buffer };
  sqx_runs_writer end;
  sqx_frame frame;

  g_assert_true (sqx_end_writer_begin (&end, &writer, channel * 2, (uint8_t) reason));
  g_assert_true (sqx_runs_writer_add (&end, &writer, first, run));
  sqx_runs_writer_finish (&end, &writer);
  g_assert_true (sqx_decode_frame (&(sqx_reader) { buffer, buffer + writer.size }, &frame));
  return take_in (f, &frame);
}

/* What the program has or may take. */
static inline sqx_incoming *
incoming (Fixture *f,
          guint    channel,
          uint64_t number)
{
  const sqx_channel *found = sqx_session_find_channel (&f->session, channel);

  return found ? sqx_index_lookup (&found->incoming, number) : NULL;
}

/* The program takes the next message of a queue; its number. */
static inline uint64_t
take (Fixture *f,
      guint    channel)
{
  sqx_incoming *next = sqx_handover_next (f->session.channels[channel]);
  sqx_message out;

  g_assert_nonnull (next);
  sqx_handover_take (next, f->now, &out);
  free (out.data);
  return out.id.number;
}

/* Outgoing ----------------------------------------------------------------------------- */

static inline sqx_outgoing *
submit (Fixture      *f,
        guint         channel,
        size_t        size,
        guint         flags,
        const char   *tag,
        sqx_incoming *answers)
{
  sqx_payload payload = { zeros, size, &f->refs };

  return sqx_outgoing_submit (&f->session, sqx_session_channel (&f->session, channel), &payload,
                              flags, (void *) tag, answers);
}

/* The same, and begun if credit allows. */
static inline sqx_outgoing *
send_message (Fixture      *f,
              guint         channel,
              size_t        size,
              guint         flags,
              const char   *tag,
              sqx_incoming *answers)
{
  sqx_outgoing *sent = submit (f, channel, size, flags, tag, answers);

  sqx_outgoing_begin_waiting (&f->session);
  return sent;
}

/* A packet that the session fills. */
typedef struct
{
  sqx_packet packet;
  uint8_t    data[PACKET_MAX];
  GArray    *frames; /* sqx_frame that point into data */
} Packed;

static inline void
packed_init (Packed *packed,
             size_t  capacity)
{
  g_assert_cmpuint (capacity, <=, PACKET_MAX);
  memset (&packed->packet, 0, sizeof packed->packet);
  packed->packet.writer = (sqx_writer) { packed->data, 0, capacity };
  packed->packet.full_size = capacity;
  packed->packet.most = SQX_PACKET_RECORDS;
  packed->frames = g_array_new (FALSE, TRUE, sizeof (sqx_frame));
}

/* Decodes what was written. */
static inline void
packed_decode (Packed *packed)
{
  sqx_reader reader = { packed->data, packed->data + packed->packet.writer.size };

  g_array_set_size (packed->frames, 0);
  while (reader.at < reader.end)
    {
      sqx_frame frame;

      g_assert_true (sqx_decode_frame (&reader, &frame));
      if (frame.type != SQX_FRAME_PADDING)
        g_array_append_val (packed->frames, frame);
    }
}

/* Fills a packet with all there is; how many frames. */
static inline guint
pack (Fixture *f,
      Packed  *packed,
      size_t   capacity)
{
  packed_init (packed, capacity);
  sqx_session_pack (&f->session, &packed->packet);
  packed_decode (packed);
  return packed->frames->len;
}

#define FRAME(packed, i) (&g_array_index ((packed)->frames, sqx_frame, i))

static inline void
packed_clear (Packed *packed)
{
  g_array_unref (packed->frames);
}

static inline void
packed_acked (Fixture *f,
              Packed  *packed)
{
  for (size_t i = 0; i < packed->packet.count; i++)
    sqx_session_acked (&f->session, f->now, &packed->packet.records[i]);
}

static inline void
packed_lost (Fixture *f,
             Packed  *packed)
{
  for (size_t i = 0; i < packed->packet.count; i++)
    sqx_session_lost (&f->session, &packed->packet.records[i]);
}

/* Everything that is to be sent is, and arrives. */
static inline void
flush (Fixture *f)
{
  Packed packed;
  guint frames;

  do
    {
      frames = pack (f, &packed, PACKET);
      packed_acked (f, &packed);
      packed_clear (&packed);
    }
  while (frames > 0);
}

/* --------------------------------------------------------------------------------------- */

/* After a failure that ends the connection. */
static inline void
tear_down_failed (Fixture *f)
{
  sqx_node *first;

  sqx_session_detach (&f->session, SQX_ERR_CLOSED, false);
  while ((first = sqx_list_first (&f->events)) != NULL)
    {
      sqx_event_node *node = SQX_CONTAINER (first, sqx_event_node, node);
      sqx_message reply = { 0 };

      if (node->type == SQX_EVENT_REPLY)
        pop_reply (f, &reply);
      else if (node->type == SQX_EVENT_END || node->type == SQX_EVENT_FAILED)
        pop_outgoing (f, node->type);
      else if (node->type == SQX_EVENT_CANCELLED)
        pop_cancelled (f);
      else
        sqx_event_node_withdraw (node);
      free (reply.data);
    }
  sqx_session_clear (&f->session);
  g_assert_cmpint (f->refs, ==, 0);
  g_assert_cmpuint (f->session.held, ==, 0);
}

static inline void
tear_down (Fixture *f)
{
  assert_sound (f);
  tear_down_failed (f);
}
