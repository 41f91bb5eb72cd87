/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The encrypted link under a connection: how it gets one, loses it, and gets the next.
 */
#include "sqx-conn-private.h"
#include "sqx-endpoint-inner.h"

/* The link ----------------------------------------------------------------------------- */

bool
sqx_secure_talks (const sqx_conn *conn)
{
  const sqx_secure *secure = conn->secure;

  return secure == NULL || (secure->linked && secure->ready && !secure->asking);
}

/* What the link counted stays in the connection's statistics. */
static void
keep_statistics (sqx_conn *conn)
{
  const sqx_recovery *recovery = &conn->link.recovery;

  conn->statistics.packets_lost += recovery->packets_lost;
  conn->statistics.spurious_losses += recovery->spurious_losses;
  conn->statistics.probe_timeouts += recovery->probe_timeouts;
}

void
sqx_secure_drop_link (sqx_conn *conn,
                      uint64_t  now)
{
  sqx_secure *secure = conn->secure;

  if (!secure->linked)
    return;
  sqx_recovery_lose_all (&conn->link.recovery, now);
  keep_statistics (conn);
  sqx_link_clear (&conn->link);
  sqx_link_init (&conn->link, &conn->session, &conn->config, conn->config.first_packet_number);
  sqx_keys_clear (&secure->keys);
  sqx_endpoint_unroute (conn->attachment.endpoint, &conn->attachment.link);
  secure->linked = secure->proven = secure->ready = false;
  secure->wanted_phase = 0;
}

void
sqx_secure_clear (sqx_conn *conn)
{
  sqx_secure *secure = conn->secure;

  sqx_dial_stop (conn);
  sqx_keys_clear (&secure->keys);
  if (conn->attachment.link.owner != NULL)
    sqx_endpoint_unroute (conn->attachment.endpoint, &conn->attachment.link);
  secure->linked = secure->ready = false;
}

/* Trust -------------------------------------------------------------------------------- */

static void
end_question (sqx_conn *conn)
{
  if (!conn->secure->asking)
    return;
  conn->secure->asking = false;
  sqx_endpoint_give_question (conn->attachment.endpoint);
  sqx_event_node_withdraw (&conn->authorize_event);
  sqx_timers_stop (&conn->timers, SQX_TIMER_AUTHORIZE);
}

void
sqx_secure_ask (sqx_conn *conn,
                uint64_t  now)
{
  if (!sqx_endpoint_take_question (conn->attachment.endpoint))
    {
      sqx_conn_fail (conn, now, SQX_ERR_REFUSED, SQX_CLOSE_BUSY,
                     "too many peers wait for the program to decide about them");
      return;
    }
  conn->secure->asking = true;
  sqx_events_push (&conn->events, &conn->authorize_event, SQX_EVENT_AUTHORIZE);
  sqx_timers_set (&conn->timers, SQX_TIMER_AUTHORIZE, sqx_time_add (now, SQX_AUTHORIZE_LIFE));
}

void
sqx_secure_check_connected (sqx_conn *conn)
{
  sqx_secure *secure = conn->secure;

  if (!secure->ready || secure->asking)
    return;
  secure->reconnecting = false;
  secure->used = true;
  sqx_timers_stop (&conn->timers, SQX_TIMER_RECONNECT);
  if (conn->state < SQX_STATE_FINISHING)
    conn->state = SQX_STATE_CONNECTED;
  sqx_events_push (&conn->events, &conn->connected_event, SQX_EVENT_CONNECTED);
  sqx_streams_may_open (&conn->session);
}

void
sqx_secure_ready (sqx_conn *conn)
{
  if (conn->secure->ready)
    return;
  conn->secure->ready = true;
  sqx_secure_check_connected (conn);
}

static void
refuse (sqx_conn *conn,
        uint64_t  now)
{
  sqx_conn_fail (conn, now, SQX_ERR_UNTRUSTED, SQX_CLOSE_NOT_TRUSTED,
                 "this key is not trusted here");
}

void
sqx_conn_authorize (sqx_conn *conn,
                    uint64_t  now,
                    bool      accept)
{
  if (conn->secure == NULL || !conn->secure->asking)
    return;

  if (accept)
    {
      end_question (conn);
      if (!conn->secure->initiator)
        {
          conn->link.ready_due = true;
          conn->secure->ready = true;
        }
      sqx_secure_check_connected (conn);
    }
  else
    refuse (conn, now);
  sqx_conn_settle (conn, now);
}

/* Losing ------------------------------------------------------------------------------- */

/* A peer that opens connections and leaves them would have them all kept: of those the ones go that
 * are nearest to their end anyway. */
static void
bound_sleeping (sqx_conn *conn)
{
  const sqx_endpoint *endpoint = conn->attachment.endpoint;
  sqx_conn *other = NULL, *oldest = NULL;
  unsigned count = 0;

  if (!conn->attachment.counted)
    return;
  while ((other = sqx_endpoint_find_peer (endpoint, conn->secure->peer_key, other)) != NULL)
    if (other->attachment.counted && other->secure->reconnecting)
      {
        count++;
        if (oldest == NULL ||
            other->timers.at[SQX_TIMER_RECONNECT] < oldest->timers.at[SQX_TIMER_RECONNECT])
          oldest = other;
      }
  if (count < SQX_SLEEPING_PER_KEY)
    return;
  sqx_conn_give_up (oldest, oldest->secure->lost_error);
  sqx_conn_update_timers (oldest, oldest->now);
}

void
sqx_conn_link_lost (sqx_conn  *conn,
                    uint64_t   now,
                    sqx_result error)
{
  sqx_secure *secure = conn->secure;

  /* The last CLOSE could not be sealed. */
  if (sqx_conn_is_over (conn))
    return;
  /* The peer had to drop what it remembered of the handshake. Who reconnects tries for longer. */
  if (secure != NULL && error == SQX_ERR_SESSION_LOST &&
      (secure->persist == 0 || !secure->used) && sqx_dial_again (conn, now))
    return;
  if (secure == NULL || !secure->has_session || secure->persist == 0 || secure->asking ||
      conn->state >= SQX_STATE_FINISHING)
    {
      sqx_conn_give_up (conn, error);
      return;
    }
  sqx_secure_drop_link (conn, now);
  if (!secure->reconnecting)
    {
      bound_sleeping (conn);
      secure->reconnecting = true;
      secure->lost_error = error;
      secure->lost_at = now;
      conn->state = SQX_STATE_RECONNECTING;
      sqx_timers_set (&conn->timers, SQX_TIMER_RECONNECT, sqx_time_add (now, secure->persist));
    }
  sqx_timers_stop (&conn->timers, SQX_TIMER_UNREACHABLE);
  secure->dial.to = secure->path.address;
  secure->dial.attempts = 0;
  sqx_events_push (&conn->events, &conn->reconnecting_event, SQX_EVENT_RECONNECTING);
  sqx_dial_start (conn, now);
}

void
sqx_conn_handle_reset (sqx_conn          *conn,
                       uint64_t           now,
                       const sqx_address *from,
                       uint32_t           number)
{
  const sqx_sent *sent = &conn->link.recovery.sent;
  uint64_t next = sent->next_number;
  uint64_t full = (next & ~(uint64_t) UINT32_MAX) | number;
  const sqx_sent_packet *packet;

  if (full >= next && full > UINT32_MAX)
    full -= UINT64_C (1) << 32;
  packet = sqx_sent_get (sent, full);
  if (!conn->secure->linked || sqx_conn_is_over (conn) ||
      !sqx_address_equal (from, &conn->secure->path.address) || packet == NULL ||
      (packet->state != SQX_SENT_OUTSTANDING && packet->state != SQX_SENT_LOST) ||
      conn->timers.at[SQX_TIMER_RESET] != SQX_TIME_NEVER)
    return;

  /* It may be the window that is full of what the peer does not know. */
  conn->link.ping_due = true;
  conn->link.recovery.probes = SQX_MAX (conn->link.recovery.probes, 1);
  sqx_timers_set (&conn->timers, SQX_TIMER_RESET,
                  sqx_time_add (now, sqx_recovery_pto (&conn->link.recovery)));
  sqx_conn_settle (conn, now);
}

void
sqx_conn_handle_confirm (sqx_conn *conn,
                         uint64_t  now)
{
  /* Once the peer's DATA came it knows that CONFIRM arrived, or will by the answer to that. */
  if (!conn->secure->linked || conn->secure->proven || sqx_conn_is_over (conn))
    return;
  conn->link.ping_due = true;
  sqx_conn_settle (conn, now);
}

void
sqx_conn_handle_network_changed (sqx_conn *conn,
                                 uint64_t  now)
{
  sqx_secure *secure = conn->secure;

  if (sqx_conn_is_over (conn))
    return;
  if (conn->peer_known)
    sqx_link_new_path (&conn->link);
  if (secure != NULL && secure->reconnecting)
    {
      secure->dial.attempts = 0;
      sqx_events_push (&conn->events, &conn->reconnecting_event, SQX_EVENT_RECONNECTING);
      sqx_dial_start (conn, now);
    }
  else if (secure != NULL && !secure->linked)
    secure->dial.due = secure->dial.handshake != NULL;
  else if (sqx_session_is_busy (&conn->session) || conn->config.keepalive_always)
    {
      conn->link.ping_due = true;
      conn->link.recovery.pto_count = 0;
      conn->link.recovery.probes = 1;
    }
  sqx_conn_settle (conn, now);
}

/* Time --------------------------------------------------------------------------------- */

void
sqx_secure_update_timers (sqx_conn *conn)
{
  sqx_timers_set (&conn->timers, SQX_TIMER_PATH, conn->secure->linked ? conn->secure->path.deadline
                                                                       : SQX_TIME_NEVER);
  sqx_timers_set (&conn->timers, SQX_TIMER_KEYS, conn->secure->linked
                                                 ? sqx_keys_deadline (&conn->secure->keys)
                                                 : SQX_TIME_NEVER);
}

void
sqx_secure_timeouts (sqx_conn *conn,
                     uint64_t  now)
{
  sqx_secure *secure = conn->secure;
  sqx_timers *timers = &conn->timers;

  if (sqx_timers_expired (timers, SQX_TIMER_PATH, now))
    sqx_path_timeout (&secure->path, now);
  if (sqx_timers_expired (timers, SQX_TIMER_KEYS, now))
    sqx_keys_expire (&secure->keys, now);
  if (sqx_conn_is_over (conn))
    return;

  if (sqx_timers_expired (timers, SQX_TIMER_AUTHORIZE, now))
    refuse (conn, now);
  else if (sqx_timers_expired (timers, SQX_TIMER_RECONNECT, now))
    sqx_conn_give_up (conn, secure->lost_error);
  else if (sqx_timers_expired (timers, SQX_TIMER_RESET, now))
    sqx_conn_link_lost (conn, now, SQX_ERR_SESSION_LOST);
  else
    sqx_dial_timeouts (conn, now);
}

void
sqx_secure_over (sqx_conn *conn)
{
  end_question (conn);
  sqx_dial_stop (conn);
  conn->secure->reconnecting = false;
}

/* The program -------------------------------------------------------------------------- */

void
sqx_conn_set_persistent (sqx_conn *conn,
                         uint64_t  now,
                         uint64_t  limit)
{
  if (conn->secure == NULL)
    return;
  conn->secure->persist = limit;
  if (conn->secure->reconnecting && limit == 0)
    sqx_conn_give_up (conn, conn->secure->lost_error);
  else if (conn->secure->reconnecting)
    sqx_timers_set (&conn->timers, SQX_TIMER_RECONNECT,
                    sqx_time_add (conn->secure->lost_at, limit));
  sqx_conn_settle (conn, now);
}

void
sqx_conn_set_address (sqx_conn          *conn,
                      uint64_t           now,
                      const sqx_address *to)
{
  sqx_secure *secure = conn->secure;

  if (secure == NULL || secure->linked || sqx_conn_is_over (conn) ||
      sqx_address_equal (to, &secure->dial.to))
    return;
  secure->dial.to = *to;
  sqx_dial_start (conn, now);
  sqx_conn_settle (conn, now);
}

void
sqx_conn_update_keys (sqx_conn *conn,
                      uint64_t  now)
{
  sqx_secure *secure = conn->secure;

  /* Without a link the next one brings new keys. The peer's update is as good as an own one. */
  if (secure == NULL || !secure->linked)
    return;
  secure->wanted_phase = secure->keys.send.phase + 1;
  sqx_conn_settle (conn, now);
}

const sqx_address *
sqx_conn_destination (const sqx_conn *conn)
{
  return conn->secure != NULL ? conn->destination : &conn->attachment.address;
}

const sqx_address *
sqx_conn_address (const sqx_conn *conn)
{
  return conn->secure != NULL ? &conn->secure->path.address : &conn->attachment.address;
}

const uint8_t *
sqx_conn_peer_key (const sqx_conn *conn)
{
  return conn->secure != NULL && conn->secure->has_peer_key ? conn->secure->peer_key : NULL;
}

sqx_cipher
sqx_conn_cipher (const sqx_conn *conn)
{
  return conn->secure != NULL && conn->secure->linked ? conn->secure->cipher : (sqx_cipher) 0;
}

bool
sqx_conn_is_initiator (const sqx_conn *conn)
{
  return conn->secure != NULL && conn->secure->initiator;
}
