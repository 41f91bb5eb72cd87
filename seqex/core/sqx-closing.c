/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of a connection: design rule 14, RFC 9000 section 10.2.
 */
#include "sqx-conn-private.h"

#include <stdlib.h>

#include "sqx-handover.h"

void
sqx_conn_set_state (sqx_conn *conn,
                    sqx_state state)
{
  assert (state > conn->state);
  conn->state = state;
  if (state == SQX_STATE_CLOSED && conn->secure != NULL)
    sqx_secure_clear (conn);
}

/* Cuts at a character, so that what is sent stays UTF-8. */
static void
set_reason (sqx_closing   *closing,
            const uint8_t *reason,
            size_t         size)
{
  if (size > SQX_CLOSE_REASON_MAX)
    {
      size = SQX_CLOSE_REASON_MAX;
      while (size > 0 && (reason[size] & 0xc0) == 0x80)
        size--;
    }
  free (closing->reason);
  closing->reason = sqx_utf8_valid (reason, size) ? sqx_text_copy (reason, size) : NULL;
}

/* The program never wanted this peer: it hears of nothing that came from it. */
static void
forget_events (sqx_conn *conn)
{
  sqx_node *node = conn->events.next;

  while (node != &conn->events)
    {
      sqx_event_node *event = SQX_CONTAINER (node, sqx_event_node, node);
      uint8_t *data = NULL;
      size_t size;

      node = node->next;
      if (event->type != SQX_EVENT_MESSAGE && event->type != SQX_EVENT_DATAGRAM &&
          event->type != SQX_EVENT_MOVED)
        continue;
      sqx_event_node_withdraw (event);
      if (event->type == SQX_EVENT_DATAGRAM)
        sqx_datagrams_take (&conn->datagrams, SQX_CONTAINER (event, sqx_received_datagram, event),
                            &data, &size);
      free (data);
    }
}

/* Tells every wait, then the program itself. */
static void
tell_all (sqx_conn  *conn,
          sqx_result wait_error,
          sqx_result error)
{
  bool unwanted = conn->secure != NULL && conn->secure->asking;

  if (conn->secure != NULL)
    sqx_secure_over (conn);
  if (unwanted)
    forget_events (conn);
  sqx_session_detach (&conn->session, wait_error, unwanted);
  sqx_datagrams_clear (&conn->datagrams, &conn->config);
  conn->closing.error = error;
  sqx_events_push (&conn->events, &conn->closed_event, SQX_EVENT_CLOSED);
}

/* Unless an answer comes, CLOSE goes out at even distances: a peer that gets none of them waits for
 * one that is gone. */
static void
close_again (sqx_conn *conn,
             uint64_t  now)
{
  sqx_timers_set (&conn->timers, SQX_TIMER_CLOSE_AGAIN,
                  sqx_time_add (now, SQX_CLOSE_PTOS * sqx_recovery_pto (&conn->link.recovery) /
                                     SQX_CLOSE_SENDS));
}

static void
enter_closing (sqx_conn  *conn,
               uint64_t   now,
               sqx_result wait_error,
               sqx_result error)
{
  uint64_t pto = sqx_recovery_pto (&conn->link.recovery);
  bool anybody_knows = conn->secure != NULL ? conn->secure->linked
                       : conn->plain.peer_epoch != 0 || conn->statistics.packets_sent > 0;

  tell_all (conn, wait_error, error);
  if (!anybody_knows)
    {
      sqx_conn_set_state (conn, SQX_STATE_CLOSED);
      return;
    }
  sqx_conn_set_state (conn, SQX_STATE_CLOSING);
  conn->closing.due = true;
  conn->closing.sends_left = SQX_CLOSE_SENDS - 1;
  sqx_timers_set (&conn->timers, SQX_TIMER_DRAIN, sqx_time_add (now, SQX_CLOSE_PTOS * pto));
  close_again (conn, now);
}

void
sqx_conn_fail (sqx_conn   *conn,
               uint64_t    now,
               sqx_result  error,
               uint64_t    code,
               const char *reason)
{
  if (sqx_conn_is_over (conn))
    return;
  conn->closing.code = code;
  set_reason (&conn->closing, (const uint8_t *) reason, reason ? strlen (reason) : 0);
  /* Closed by the program itself: no error, but its waits end all the same. */
  enter_closing (conn, now, error, error == SQX_ERR_CLOSED ? SQX_OK : error);
}

void
sqx_conn_give_up (sqx_conn  *conn,
                  sqx_result error)
{
  tell_all (conn, error, error);
  sqx_conn_set_state (conn, SQX_STATE_CLOSED);
}

void
sqx_conn_give_up_because (sqx_conn   *conn,
                          sqx_result  error,
                          uint64_t    code,
                          const char *reason,
                          bool        by_peer)
{
  conn->closing.code = code;
  conn->closing.by_peer = by_peer;
  set_reason (&conn->closing, (const uint8_t *) reason, strlen (reason));
  sqx_conn_give_up (conn, error);
}

sqx_result
sqx_result_of_close (uint64_t code)
{
  switch (code)
    {
    case SQX_CLOSE_PROTOCOL_VIOLATION:
      return SQX_ERR_PROTOCOL;
    case SQX_CLOSE_APPLICATION_MISMATCH:
      return SQX_ERR_APPLICATION_MISMATCH;
    case SQX_CLOSE_NOT_TRUSTED:
    case SQX_CLOSE_BUSY:
      return SQX_ERR_REFUSED;
    case SQX_CLOSE_NO_CIPHER:
      return SQX_ERR_VERSION;
    default:
      return SQX_ERR_PEER_CLOSED;
    }
}

void
sqx_conn_peer_closed (sqx_conn      *conn,
                      uint64_t       now,
                      uint64_t       code,
                      const uint8_t *reason,
                      size_t         size)
{
  sqx_result error = sqx_result_of_close (code);

  conn->closing.code = code;
  conn->closing.by_peer = true;
  set_reason (&conn->closing, reason, size);
  tell_all (conn, error, error);
  sqx_conn_set_state (conn, SQX_STATE_DRAINING);
  /* One CLOSE back tells the peer that it need not repeat its own. */
  conn->closing.due = true;
  sqx_timers_set (&conn->timers, SQX_TIMER_DRAIN,
                  sqx_time_add (now, SQX_CLOSE_PTOS * sqx_recovery_pto (&conn->link.recovery)));
}

void
sqx_conn_answer_close (sqx_conn *conn,
                       bool      has_close)
{
  uint64_t count = ++conn->closing.answered;

  if (has_close)
    {
      /* The peer knows, or closes by itself; then it waits for a CLOSE of this side. */
      conn->closing.due = !conn->closing.told;
      sqx_timers_stop (&conn->timers, SQX_TIMER_CLOSE_AGAIN);
      sqx_conn_set_state (conn, SQX_STATE_DRAINING);
    }
  else if ((count & (count - 1)) == 0)
    conn->closing.due = true;
}

void
sqx_conn_check_finished (sqx_conn *conn,
                         uint64_t  now)
{
  if (sqx_conn_is_over (conn))
    return;
  if (conn->session.out_of_memory)
    sqx_conn_fail (conn, now, SQX_ERR_NO_MEMORY, SQX_CLOSE_INTERNAL_ERROR, "out of memory");
  else if (conn->state == SQX_STATE_FINISHING && sqx_session_is_finished (&conn->session))
    enter_closing (conn, now, SQX_ERR_CLOSED, SQX_OK);
}

/* The close time-out passed: what the program still has is ended, and those ends get three probe
 * time-outs to arrive. */
static void
force_close (sqx_conn *conn,
             uint64_t  now)
{
  if (conn->closing.forced)
    {
      enter_closing (conn, now, SQX_ERR_CLOSED, SQX_OK);
      return;
    }
  conn->closing.forced = true;
  sqx_handover_end_taken (&conn->session, now, SQX_END_CLOSING);
  sqx_timers_set (&conn->timers, SQX_TIMER_CLOSE,
                  sqx_time_add (now, SQX_CLOSE_PTOS * sqx_recovery_pto (&conn->link.recovery)));
}

void
sqx_conn_closing_timeouts (sqx_conn *conn,
                           uint64_t  now)
{
  sqx_timers *timers = &conn->timers;

  if (sqx_timers_expired (timers, SQX_TIMER_CLOSE, now))
    force_close (conn, now);
  if (sqx_timers_expired (timers, SQX_TIMER_CLOSE_AGAIN, now) && conn->closing.sends_left > 0)
    {
      conn->closing.sends_left--;
      conn->closing.due = true;
      close_again (conn, now);
    }
  if (sqx_timers_expired (timers, SQX_TIMER_DRAIN, now))
    {
      conn->closing.due = false;
      sqx_timers_stop (timers, SQX_TIMER_CLOSE_AGAIN);
      sqx_conn_set_state (conn, SQX_STATE_CLOSED);
    }
}

void
sqx_conn_begin_close (sqx_conn   *conn,
                      uint64_t    now,
                      uint64_t    code,
                      const char *reason)
{
  conn->closing.code = code;
  conn->closing.error = SQX_ERR_CLOSED;
  set_reason (&conn->closing, (const uint8_t *) reason, reason ? strlen (reason) : 0);
  sqx_conn_set_state (conn, SQX_STATE_FINISHING);
  if (conn->secure != NULL && (!conn->secure->linked || conn->secure->asking))
    {
      /* Nothing can be finished without a peer. */
      enter_closing (conn, now, SQX_ERR_CLOSED, SQX_OK);
      return;
    }
  sqx_timers_set (&conn->timers, SQX_TIMER_CLOSE, sqx_time_add (now, conn->config.close_timeout));
  sqx_session_close (&conn->session, now);
}
