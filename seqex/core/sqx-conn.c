/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program's side of a connection: life, commands, events.
 */
#include "sqx-conn-private.h"

#include <stdlib.h>

#include "sqx-handover.h"

/* Life --------------------------------------------------------------------------------- */

sqx_conn *
sqx_conn_new (const sqx_config *config,
              uint64_t          now)
{
  sqx_config filled = *config;
  sqx_conn *conn;

  sqx_config_fill (&filled);
  if (!sqx_config_is_valid (&filled))
    return NULL;
  filled.application_id = sqx_text_or_none (filled.application_id);
  conn = calloc (1, sizeof *conn + strlen (filled.application_id) + 1);
  if (conn == NULL)
    return NULL;

  memcpy (conn->application_id, filled.application_id, strlen (filled.application_id));
  filled.application_id = conn->application_id;
  conn->config = filled;
  conn->state = SQX_STATE_CONNECTING;
  conn->peer_idle = SQX_TIME_NEVER;
  conn->last_received = now;
  conn->busy_since = SQX_TIME_NEVER;
  sqx_node_init (&conn->events);
  sqx_event_node_init (&conn->connected_event);
  sqx_event_node_init (&conn->writable_event);
  sqx_event_node_init (&conn->restarted_event);
  sqx_event_node_init (&conn->authorize_event);
  sqx_event_node_init (&conn->reconnecting_event);
  sqx_event_node_init (&conn->moved_event);
  sqx_event_node_init (&conn->closed_event);
  sqx_timers_init (&conn->timers);
  sqx_datagrams_init (&conn->datagrams);
  sqx_plain_init (&conn->plain, &conn->config);
  sqx_session_init (&conn->session, &conn->config, &conn->events, &conn->counters,
                    &conn->statistics, &conn->link.rtt, conn->incarnation);
  sqx_link_init (&conn->link, &conn->session, &conn->config, filled.first_packet_number);
  sqx_conn_update_timers (conn, now);
  return conn;
}

void
sqx_conn_free (sqx_conn *conn)
{
  sqx_event event;

  if (conn == NULL)
    return;
  if (conn->secure != NULL)
    {
      sqx_secure_over (conn);
      sqx_secure_clear (conn);
    }
  sqx_endpoint_detach (conn);
  sqx_session_detach (&conn->session, SQX_ERR_CLOSED, false);
  while (sqx_conn_poll_event (conn, &event))
    if (event.opened)
      sqx_stream_release (conn, conn->now, event.stream);
    else
      free (event.message.data);
  sqx_datagrams_clear (&conn->datagrams, &conn->config);
  sqx_session_clear (&conn->session);
  sqx_link_clear (&conn->link);
  free (conn->secure);
  free (conn->closing.reason);
  free (conn->other_application_id);
  free (conn);
}

/* What the program chose for its channels outlives the session. */
static void
copy_channels (sqx_session       *session,
               const sqx_session *old)
{
  for (uint32_t id = 0; id < old->n_channels; id++)
    {
      const sqx_channel *from = old->channels[id];
      sqx_channel *to = from ? sqx_session_channel (session, id) : NULL;

      if (to != NULL)
        {
          to->opened = from->opened;
          to->priority = from->priority;
          to->serialized = from->serialized;
        }
      session->out_of_memory |= from != NULL && to == NULL;
    }
}

void
sqx_conn_new_session (sqx_conn *conn)
{
  sqx_session old;

  sqx_session_detach (&conn->session, SQX_ERR_SESSION_LOST, true);
  old = conn->session;
  sqx_session_init (&conn->session, &conn->config, &conn->events, &conn->counters,
                    &conn->statistics, &conn->link.rtt, ++conn->incarnation);
  copy_channels (&conn->session, &old);
  conn->session.accepts = old.accepts;
  conn->session.closing = old.closing;
  conn->session.streams.wanted = old.streams.wanted;
  sqx_session_clear (&old);

  conn->peer_known = false;
  conn->busy_since = SQX_TIME_NEVER;
  sqx_events_push (&conn->events, &conn->restarted_event, SQX_EVENT_RESTARTED);
}

void
sqx_conn_settle (sqx_conn *conn,
                 uint64_t  now)
{
  if (conn->was_full && sqx_conn_is_writable (conn))
    {
      conn->was_full = false;
      sqx_events_push (&conn->events, &conn->writable_event, SQX_EVENT_WRITABLE);
    }
  if (!sqx_list_empty (&conn->session.streams.settled))
    sqx_streams_reap (&conn->session);
  if (conn->state >= SQX_STATE_FINISHING || conn->session.out_of_memory)
    sqx_conn_check_finished (conn, now);
  sqx_conn_update_timers (conn, now);
}

/* Commands ----------------------------------------------------------------------------- */

sqx_result
sqx_conn_usable (const sqx_conn *conn,
                 sqx_state       last)
{
  if (conn->state <= last)
    return SQX_OK;
  return conn->closing.error == SQX_OK ? SQX_ERR_CLOSED : conn->closing.error;
}

/* The limit is for initial messages. A reply that it held back could be what the peer's credit, and
 * with it the queue, waits for; and how many replies there can be is bounded by the own credit. A
 * message that is alone is taken even if it is larger than the limit, or it could never go. */
static sqx_result
check_payload (sqx_conn          *conn,
               const sqx_payload *payload,
               bool               reply)
{
  uint64_t limit = conn->peer_known ? conn->session.credit.peer_max_message : SQX_MESSAGE_MAX_MAX;
  uint64_t queued = conn->session.queued_bytes;

  if (payload->size > limit)
    return SQX_ERR_TOO_LARGE;
  if (!reply && queued > 0 && queued + sqx_message_cost (payload->size) > conn->config.queue_limit)
    {
      conn->was_full = true;
      return SQX_ERR_QUEUE_FULL;
    }
  return SQX_OK;
}

static sqx_result
submit (sqx_conn          *conn,
        uint64_t           now,
        sqx_channel       *channel,
        const sqx_payload *payload,
        uint32_t           flags,
        void              *tag,
        sqx_incoming      *answers,
        sqx_outgoing     **handle)
{
  sqx_outgoing *message;

  if (channel == NULL)
    return SQX_ERR_NO_MEMORY;
  message = sqx_outgoing_submit (&conn->session, channel, payload, flags, tag, answers);
  if (message == NULL)
    return SQX_ERR_NO_MEMORY;
  if (handle != NULL)
    *handle = message;
  sqx_outgoing_begin (message);
  sqx_conn_settle (conn, now);
  return SQX_OK;
}

sqx_result
sqx_conn_send (sqx_conn          *conn,
               uint64_t           now,
               uint32_t           channel,
               const sqx_payload *payload,
               uint32_t           flags,
               void              *tag,
               sqx_outgoing     **handle)
{
  sqx_result result;

  sqx_endpoint_warm (conn);
  result = sqx_conn_usable (conn, SQX_STATE_RECONNECTING);
  if (result == SQX_OK && (channel >= conn->config.max_channels ||
                           (conn->peer_known && channel >= conn->session.peer_max_channels)))
    result = SQX_ERR_INVALID;
  if (result == SQX_OK)
    result = check_payload (conn, payload, false);
  if (result != SQX_OK)
    return result;
  return submit (conn, now, sqx_session_channel (&conn->session, channel), payload, flags, tag,
                 NULL, handle);
}

/* The message that the program has and may answer. */
static sqx_result
find_unanswered (const sqx_conn       *conn,
                 const sqx_message_id *id,
                 sqx_incoming        **found)
{
  sqx_result result = sqx_conn_usable (conn, SQX_STATE_FINISHING);
  const sqx_channel *channel;
  sqx_incoming *message;

  if (result != SQX_OK)
    return result;
  if (id->incarnation != conn->incarnation)
    return SQX_ERR_SESSION_LOST;

  channel = sqx_session_find_channel (&conn->session, id->channel);
  message = channel ? sqx_index_lookup (&channel->incoming, id->number) : NULL;
  if (message == NULL || message->state != SQX_INCOMING_TAKEN || message->answer != NULL)
    return SQX_ERR_ALREADY_ANSWERED;
  *found = message;
  return SQX_OK;
}

sqx_result
sqx_conn_reply (sqx_conn             *conn,
                uint64_t              now,
                const sqx_message_id *id,
                const sqx_payload    *payload,
                uint32_t              flags,
                void                 *tag,
                sqx_outgoing        **handle)
{
  sqx_incoming *message;
  sqx_result result = find_unanswered (conn, id, &message);

  if (result == SQX_OK)
    result = check_payload (conn, payload, true);
  if (result != SQX_OK)
    return result;
  return submit (conn, now, message->channel, payload, flags, tag, message, handle);
}

sqx_result
sqx_conn_end (sqx_conn             *conn,
              uint64_t              now,
              const sqx_message_id *id,
              sqx_end_reason        reason)
{
  sqx_incoming *message;
  sqx_result result = find_unanswered (conn, id, &message);

  if (result != SQX_OK)
    return result;
  sqx_handover_end (message, now, reason);
  sqx_conn_settle (conn, now);
  return SQX_OK;
}

void
sqx_conn_release (sqx_conn             *conn,
                  const sqx_message_id *id)
{
  sqx_incoming *message;

  if (find_unanswered (conn, id, &message) == SQX_OK)
    sqx_handover_release (message);
  sqx_conn_touch (conn);
}

void
sqx_conn_cancel (sqx_conn     *conn,
                 uint64_t      now,
                 sqx_outgoing *handle)
{
  sqx_outgoing_cancel (handle, now);
  sqx_outgoing_begin_waiting (&conn->session);
  sqx_conn_settle (conn, now);
}

bool
sqx_conn_receive (sqx_conn    *conn,
                  uint64_t     now,
                  uint32_t     channel,
                  sqx_message *message)
{
  sqx_channel *queue = sqx_session_find_channel (&conn->session, channel);
  sqx_incoming *next = queue ? sqx_handover_next (queue) : NULL;

  if (next == NULL)
    return false;
  sqx_handover_take (next, now, message);
  sqx_conn_settle (conn, now);
  return true;
}

sqx_result
sqx_conn_send_datagram (sqx_conn          *conn,
                        uint64_t           now,
                        const sqx_payload *payload)
{
  sqx_result result = sqx_conn_usable (conn, SQX_STATE_RECONNECTING);

  if (result == SQX_OK && payload->size > sqx_conn_max_datagram_payload (conn))
    {
      /* The path may carry it, so it is asked. */
      conn->link.pmtu.full = SQX_PMTU_FULL;
      result = SQX_ERR_TOO_LARGE;
    }
  if (result == SQX_OK)
    result = sqx_datagrams_submit (&conn->datagrams, &conn->config, payload);
  sqx_conn_update_timers (conn, now);
  return result;
}

void
sqx_conn_close (sqx_conn   *conn,
                uint64_t    now,
                uint64_t    code,
                const char *reason)
{
  if (conn->state >= SQX_STATE_FINISHING)
    return;
  sqx_conn_begin_close (conn, now, code, reason);
  sqx_conn_settle (conn, now);
}

void
sqx_conn_abort (sqx_conn   *conn,
                uint64_t    now,
                uint64_t    code,
                const char *reason)
{
  sqx_conn_fail (conn, now, SQX_ERR_CLOSED, code, reason);
  sqx_conn_settle (conn, now);
}

/* Events ------------------------------------------------------------------------------- */

static void
fill_outgoing_event (sqx_conn     *conn,
                     sqx_outgoing *message,
                     sqx_event    *event)
{
  event->tag = message->tag;
  event->reason = (sqx_end_reason) message->reason;
  event->error = message->error;
  if (event->type == SQX_EVENT_REPLY)
    {
      sqx_handover_take_reply (message->reply, conn->now, &event->message);
      sqx_conn_settle (conn, conn->now);
    }
  sqx_outgoing_event_done (message, &conn->session.outgoing_pool);
}

static void
fill_closed_event (const sqx_conn *conn,
                   sqx_event      *event)
{
  event->error = conn->closing.error;
  event->code = conn->closing.code;
  event->by_peer = conn->closing.by_peer;
  strcpy (event->reason_text, sqx_text_or_none (conn->closing.reason));
}

static void
fill_cancelled_event (sqx_incoming *message,
                      sqx_event    *event)
{
  event->id = (sqx_message_id) { message->incarnation, message->channel_id, message->number };
  sqx_received_free_if_done (message, NULL);
}

/* While the program has not decided about the peer, it hears nothing else of it. */
static sqx_event_node *
next_event (sqx_conn *conn)
{
  sqx_node *first = sqx_list_first (&conn->events);

  if (conn->secure != NULL && conn->secure->asking)
    return sqx_event_node_pending (&conn->authorize_event) ? &conn->authorize_event : NULL;
  return first != NULL ? SQX_CONTAINER (first, sqx_event_node, node) : NULL;
}

bool
sqx_conn_poll_event (sqx_conn  *conn,
                     sqx_event *event)
{
  sqx_event_node *node = next_event (conn);

  if (node == NULL)
    return false;
  sqx_event_node_withdraw (node);
  /* All but the text, which only one of them has. */
  memset (event, 0, offsetof (sqx_event, reason_text));
  event->reason_text[0] = '\0';
  event->type = node->type;
  switch (node->type)
    {
    case SQX_EVENT_MESSAGE:
      event->channel = SQX_CONTAINER (node, sqx_channel, message_event)->id;
      break;
    case SQX_EVENT_REPLY:
    case SQX_EVENT_END:
    case SQX_EVENT_FAILED:
      fill_outgoing_event (conn, SQX_CONTAINER (node, sqx_outgoing, event), event);
      break;
    case SQX_EVENT_CANCELLED:
      fill_cancelled_event (SQX_CONTAINER (node, sqx_incoming, event), event);
      break;
    case SQX_EVENT_DATAGRAM:
      sqx_datagrams_take (&conn->datagrams, SQX_CONTAINER (node, sqx_received_datagram, event),
                          &event->message.data, &event->message.size);
      break;
    case SQX_EVENT_CLOSED:
      fill_closed_event (conn, event);
      break;
    case SQX_EVENT_STREAM:
      if (node == &conn->session.streams.event)
        break;
      event->stream = SQX_CONTAINER (node, sqx_stream, event);
      event->opened = !event->stream->known;
      event->stream->known = true;
      break;
    case SQX_EVENT_CONNECTED:
    case SQX_EVENT_WRITABLE:
    case SQX_EVENT_RESTARTED:
    case SQX_EVENT_AUTHORIZE:
    case SQX_EVENT_RECONNECTING:
    case SQX_EVENT_MOVED:
      break;
    }
  return true;
}
