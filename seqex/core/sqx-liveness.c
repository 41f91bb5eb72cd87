/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time: what is due, and whether the peer still lives.
 */
#include "sqx-conn-private.h"

/* Whether the peer owes a sign of life: something is open, or was sent and not acknowledged. */
static bool
expects_peer (const sqx_conn *conn)
{
  if (conn->secure != NULL && !conn->secure->linked)
    return false; /* dialling has time-outs of its own */
  if (conn->secure != NULL && !sqx_secure_talks (conn))
    return true;
  return conn->config.keepalive_always || sqx_session_is_busy (&conn->session) ||
         conn->link.recovery.eliciting_in_flight > 0;
}

static bool
is_pinging (const sqx_conn *conn)
{
  if (conn->secure != NULL && !sqx_secure_talks (conn))
    return conn->secure->linked;
  return conn->config.keepalive_always || sqx_session_is_busy (&conn->session);
}

static uint64_t
idle_timeout (const sqx_conn *conn)
{
  return SQX_MIN (conn->config.idle_timeout, conn->peer_idle);
}

static void
update_idle (sqx_conn *conn,
             uint64_t  now)
{
  if (!expects_peer (conn))
    {
      conn->busy_since = SQX_TIME_NEVER;
      sqx_timers_stop (&conn->timers, SQX_TIMER_IDLE);
      return;
    }
  if (conn->busy_since == SQX_TIME_NEVER)
    conn->busy_since = now;
  sqx_timers_set (&conn->timers, SQX_TIMER_IDLE,
                  sqx_time_add (SQX_MAX (conn->last_received, conn->busy_since),
                                idle_timeout (conn)));
}

/* A peer that falls silent while something is open may have lost the way to this side, for example
 * because a router gave this side another address. It learns the new one from the next packet. One
 * that answers, and still sends no more, has its reasons. */
static uint64_t
keepalive_interval (const sqx_conn *conn)
{
  uint64_t interval = conn->config.keepalive_interval;

  if (interval != SQX_TIME_NEVER && conn->secure != NULL && conn->stall_pings < SQX_STALL_PINGS)
    interval = SQX_MIN (interval, SQX_STALL_PTOS * sqx_recovery_pto (&conn->link.recovery)
                                  << (SQX_STALL_SHIFT * conn->stall_pings));
  return interval;
}

/* While something unacknowledged is in flight, probe time-outs ask after the peer anyway. */
static void
update_keepalive (sqx_conn *conn)
{
  const sqx_recovery *recovery = &conn->link.recovery;

  if (!is_pinging (conn) || recovery->eliciting_in_flight > 0 || conn->link.ping_due)
    sqx_timers_stop (&conn->timers, SQX_TIMER_KEEPALIVE);
  else
    sqx_timers_set (&conn->timers, SQX_TIMER_KEEPALIVE,
                    sqx_time_add (SQX_MAX (SQX_MAX (conn->last_received, recovery->last_eliciting),
                                           conn->busy_since),
                                  keepalive_interval (conn)));
}

static void
update_rest (sqx_conn *conn)
{
  if (!conn->session.used || sqx_session_is_busy (&conn->session))
    sqx_timers_stop (&conn->timers, SQX_TIMER_REST);
  else if (conn->timers.at[SQX_TIMER_REST] == SQX_TIME_NEVER)
    sqx_timers_set (&conn->timers, SQX_TIMER_REST,
                    sqx_time_later (sqx_time_add (conn->now, SQX_REST_DELAY)));
}

static void
set_timers (sqx_conn *conn)
{
  sqx_timers *timers = &conn->timers;

  if (sqx_conn_is_over (conn))
    {
      for (unsigned i = 0; i < SQX_N_TIMERS; i++)
        if (i != SQX_TIMER_DRAIN && i != SQX_TIMER_CLOSE_AGAIN)
          sqx_timers_stop (timers, (sqx_timer) i);
      return;
    }

  update_idle (conn, conn->now);
  update_keepalive (conn);
  update_rest (conn);
  sqx_timers_set (timers, SQX_TIMER_RECOVERY, sqx_recovery_deadline (&conn->link.recovery));
  sqx_timers_set (timers, SQX_TIMER_ACK, conn->link.acks.deadline);
  sqx_timers_set (timers, SQX_TIMER_PACING, conn->link.paced_until);
  /* While the window is closed nothing could be flushed; an ACK or a probe opens it. What is paced
   * goes out with the next batch. */
  sqx_timers_set (timers, SQX_TIMER_FLUSH,
                  conn->link.paced_until == SQX_TIME_NEVER &&
                  sqx_link_may_send (&conn->link) && sqx_secure_talks (conn)
                  ? sqx_session_deadline (&conn->session)
                  : SQX_TIME_NEVER);
  if (conn->secure != NULL)
    sqx_secure_update_timers (conn);
}

void
sqx_conn_update_timers (sqx_conn *conn,
                        uint64_t  now)
{
  conn->now = now;
  conn->stale = true;
  sqx_conn_touch (conn);
}

uint64_t
sqx_conn_next_timeout (sqx_conn *conn)
{
  if (conn->stale)
    set_timers (conn);
  conn->stale = false;
  return sqx_timers_next (&conn->timers);
}

void
sqx_conn_heard_peer (sqx_conn *conn,
                     uint64_t  now)
{
  conn->last_received = now;
  sqx_timers_stop (&conn->timers, SQX_TIMER_UNREACHABLE);
  sqx_timers_stop (&conn->timers, SQX_TIMER_RESET);
}

void
sqx_conn_handle_timeout (sqx_conn *conn,
                         uint64_t  now)
{
  sqx_timers *timers = &conn->timers;

  if (sqx_conn_next_timeout (conn) > now)
    return;

  if (sqx_timers_expired (timers, SQX_TIMER_IDLE, now))
    sqx_conn_link_lost (conn, now, SQX_ERR_TIMED_OUT);
  else if (sqx_timers_expired (timers, SQX_TIMER_UNREACHABLE, now))
    sqx_conn_link_lost (conn, now, SQX_ERR_UNREACHABLE);
  else
    {
      if (sqx_timers_expired (timers, SQX_TIMER_RECOVERY, now))
        {
          sqx_recovery_on_timeout (&conn->link.recovery, now);
          /* Nobody answered yet: perhaps the peer takes small datagrams only. */
          if (!conn->peer_known && conn->secure == NULL)
            (void) sqx_pmtu_too_large (&conn->link.pmtu, SQX_DATAGRAM_DEFAULT);
          /* What was given up as lost leaves nothing in flight that asks after the peer. */
          update_keepalive (conn);
        }
      if (sqx_timers_expired (timers, SQX_TIMER_REST, now))
        sqx_session_rest (&conn->session);
      if (sqx_timers_expired (timers, SQX_TIMER_KEEPALIVE, now))
        {
          conn->link.ping_due = true;
          conn->stall_pings++;
        }
      if (conn->secure != NULL)
        sqx_secure_timeouts (conn, now);
      sqx_conn_closing_timeouts (conn, now);
      sqx_conn_check_finished (conn, now);
    }

  /* What else is due shows itself when the next packet is built. */
  sqx_conn_update_timers (conn, now);
}

void
sqx_conn_handle_too_large (sqx_conn *conn,
                           uint64_t  now,
                           size_t    size)
{
  if (sqx_conn_is_over (conn) || size > SQX_DATAGRAM_MAX)
    return;
  sqx_link_too_large (&conn->link, now, (uint32_t) size);
  sqx_conn_settle (conn, now);
}

/* A peer that is elsewhere is heard with its next keep-alive; its interval is taken to be ours. */
static uint64_t
unreachable_timeout (const sqx_conn *conn)
{
  uint64_t wait = conn->config.unreachable_timeout;
  uint64_t interval = conn->config.keepalive_interval;

  if (conn->secure == NULL || !conn->secure->linked || interval == SQX_TIME_NEVER)
    return wait;
  return SQX_MAX (wait, sqx_time_add (interval, SQX_STALL_PTOS *
                                                sqx_recovery_pto (&conn->link.recovery)));
}

void
sqx_conn_handle_unreachable (sqx_conn *conn,
                             uint64_t  now)
{
  /* Who reconnects asks again anyway, and for longer. */
  if (conn->secure != NULL && conn->secure->reconnecting)
    return;
  if (!sqx_conn_is_over (conn) && conn->timers.at[SQX_TIMER_UNREACHABLE] == SQX_TIME_NEVER)
    {
      sqx_timers_set (&conn->timers, SQX_TIMER_UNREACHABLE,
                      sqx_time_add (now, unreachable_timeout (conn)));
      /* Anybody could have said so; who is there answers. */
      if (conn->secure != NULL && conn->secure->linked)
        conn->link.ping_due = true;
      sqx_conn_update_timers (conn, now);
    }
}
