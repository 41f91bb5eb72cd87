/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Attempts of this side to get a link: the first one, and those after a link was lost.
 */
#include "sqx-conn-private.h"

#include <stdlib.h>

/* An expected peer is asked by IK, which another one cannot even read. After so many INITs without
 * an answer XX finds out whether somebody else is there. */
#define SENDS_TO_EXPECTED 3u

/* After so many CONFIRMs without an answer, more than SQX_HALF_OPEN_LIFE after the first, the
 * responder knows nothing of INIT any more; and so many times that is tried again. */
#define SENDS_OF_CONFIRM 7u
#define UNPROVEN_MAX     2u

/* Text ----------------------------------------------------------------------------------- */

static size_t
append_number (char    *text,
               size_t   used,
               unsigned number)
{
  if (number >= 10)
    used = append_number (text, used, number / 10);
  text[used] = (char) ('0' + number % 10);
  return used + 1;
}

/* Only versions from the wire come in here, so the space is enough. */
static void
describe_versions (const sqx_handshake *handshake,
                   char                 text[96])
{
  static const char first[] = "the peer speaks version ";
  static const char last[] = " of the protocol, this side version ";
  size_t used = sizeof first - 1;

  memcpy (text, first, used);
  for (unsigned i = 0; i < handshake->n_peer_versions && used < 96 - sizeof last - 12; i++)
    {
      if (i > 0)
        {
          memcpy (text + used, ", ", 2);
          used += 2;
        }
      used = append_number (text, used, handshake->peer_versions[i]);
    }
  memcpy (text + used, last, sizeof last - 1);
  used = append_number (text, used + sizeof last - 1, SQX_VERSION);
  text[used] = '\0';
}

/* Attempts ------------------------------------------------------------------------------- */

/* The handshake is needed no more. The time limit of the attempt goes on. */
static void
forget_handshake (sqx_conn *conn)
{
  sqx_dial *dial = &conn->secure->dial;

  sqx_timers_stop (&conn->timers, SQX_TIMER_DIAL);
  if (conn->attachment.handshake.owner != NULL)
    sqx_endpoint_unroute (conn->attachment.endpoint, &conn->attachment.handshake);
  if (dial->handshake != NULL)
    sqx_handshake_clear (dial->handshake);
  free (dial->handshake);
  dial->handshake = NULL;
  dial->due = false;
}

void
sqx_dial_stop (sqx_conn *conn)
{
  forget_handshake (conn);
  sqx_timers_stop (&conn->timers, SQX_TIMER_HANDSHAKE);
}

static const uint8_t *
known_key (const sqx_conn *conn)
{
  const sqx_secure *secure = conn->secure;

  if (secure->has_session)
    return secure->peer_key;
  return secure->expects_key && !secure->dial.stranger ? secure->expected : NULL;
}

static bool
make_init (sqx_conn *conn)
{
  sqx_secure *secure = conn->secure;
  const sqx_endpoint_config *endpoint = sqx_endpoint_get_config (conn->attachment.endpoint);
  sqx_handshake_params params = {
    .crypto = endpoint->crypto,
    .secret_key = endpoint->secret_key,
    .psk = sqx_endpoint_psk (conn->attachment.endpoint),
    .random = conn->config.random,
    .user_data = conn->config.user_data,
  };
  sqx_hello hello;

  secure->dial.handshake = calloc (1, sizeof *secure->dial.handshake);
  if (secure->dial.handshake == NULL)
    return false;
  sqx_endpoint_route (conn->attachment.endpoint, &conn->attachment.handshake, SQX_ROUTE_HANDSHAKE,
                      conn);
  sqx_hello_of_config (&hello, &conn->config);
  /* The peer may have joined a link of an earlier attempt that this side knows nothing of. */
  if (secure->has_session)
    secure->dial.generation = SQX_MAX (secure->dial.generation, secure->generation) + 1;
  sqx_hello_add_secure (&hello, endpoint->crypto, endpoint->cipher, secure->session_id,
                        secure->dial.generation);
  return sqx_handshake_start (secure->dial.handshake, &params,
                              sqx_route_id (&conn->attachment.handshake), known_key (conn), &hello);
}

/* Another handshake, in the time that the attempt still has; a whole one's if it is the first. */
static void
begin_handshake (sqx_conn *conn,
                 uint64_t  now)
{
  sqx_dial *dial = &conn->secure->dial;

  forget_handshake (conn);
  if (!make_init (conn))
    {
      sqx_dial_stop (conn);
      conn->session.out_of_memory = true;
      return;
    }
  dial->due = true;
  dial->sends = 0;
  dial->paused = false;
  dial->interval = SQX_HANDSHAKE_RESEND;
  if (conn->timers.at[SQX_TIMER_HANDSHAKE] == SQX_TIME_NEVER)
    sqx_timers_set (&conn->timers, SQX_TIMER_HANDSHAKE, sqx_time_add (now, SQX_HANDSHAKE_DEFAULT));
}

void
sqx_dial_start (sqx_conn *conn,
                uint64_t  now)
{
  sqx_dial_stop (conn);
  begin_handshake (conn, now);
}

bool
sqx_dial_again (sqx_conn *conn,
                uint64_t  now)
{
  sqx_secure *secure = conn->secure;

  if (!secure->linked || !secure->initiator || secure->proven ||
      conn->state >= SQX_STATE_FINISHING || secure->dial.unproven == UNPROVEN_MAX)
    return false;
  secure->dial.unproven++;
  sqx_secure_drop_link (conn, now);
  begin_handshake (conn, now);
  return true;
}

void
sqx_dial_pause (sqx_conn *conn,
                uint64_t  now)
{
  sqx_dial *dial = &conn->secure->dial;

  if (dial->handshake == NULL || dial->paused)
    return;
  dial->paused = true;
  dial->due = false;
  sqx_timers_set (&conn->timers, SQX_TIMER_DIAL, sqx_time_add (now, SQX_SIMULTANEOUS_PAUSE));
  sqx_conn_update_timers (conn, now);
}

size_t
sqx_dial_transmit (sqx_conn *conn,
                   uint64_t  now,
                   uint8_t  *buffer,
                   size_t    capacity)
{
  sqx_dial *dial = &conn->secure->dial;
  const sqx_handshake *handshake = dial->handshake;

  if (!dial->due)
    return 0;
  dial->due = false;
  dial->sends++;
  if (dial->sends == 1)
    dial->first_sent = now;
  sqx_timers_set (&conn->timers, SQX_TIMER_DIAL, sqx_time_add (now, dial->interval));
  dial->interval = SQX_MIN (2 * dial->interval, SQX_HANDSHAKE_RESEND_MAX);
  /* What the transport cannot carry is lost, like everything that a network does not carry. */
  if (handshake->packet_size > capacity)
    return 0;
  memcpy (buffer, handshake->packet, handshake->packet_size);
  conn->destination = &dial->to;
  conn->statistics.packets_sent++;
  conn->statistics.bytes_sent += handshake->packet_size;
  return handshake->packet_size;
}

/* Failing -------------------------------------------------------------------------------- */

/* The next attempt comes after a pause that doubles; a quarter of it is random, so that many who
 * lost the same peer do not come back at the same instant. */
static void
schedule (sqx_conn *conn,
          uint64_t  now)
{
  sqx_dial *dial = &conn->secure->dial;
  uint64_t pause = SQX_MIN (SQX_RECONNECT_FIRST << SQX_MIN (dial->attempts, 16), SQX_RECONNECT_MAX);
  uint8_t bytes[4];

  conn->config.random (conn->config.user_data, bytes, sizeof bytes);
  pause = pause * 3 / 4 + sqx_get_be32 (bytes) % (pause / 4);
  dial->attempts++;
  sqx_timers_set (&conn->timers, SQX_TIMER_DIAL, sqx_time_add (now, pause));
}

static void
attempt_failed (sqx_conn *conn,
                uint64_t  now)
{
  sqx_secure *secure = conn->secure;
  sqx_handshake *handshake = secure->dial.handshake;
  char text[96];

  if (secure->reconnecting)
    {
      sqx_dial_stop (conn);
      schedule (conn, now);
      return;
    }
  if (secure->linked)
    {
      /* CONFIRM was never answered. */
      sqx_dial_stop (conn);
      secure->dial.unproven = UNPROVEN_MAX;
      sqx_conn_link_lost (conn, now, SQX_ERR_TIMED_OUT);
      return;
    }
  if (handshake->n_peer_versions > 0)
    {
      describe_versions (handshake, text);
      sqx_conn_give_up_because (conn, SQX_ERR_VERSION, 0, text, false);
      return;
    }
  sqx_conn_give_up (conn, SQX_ERR_TIMED_OUT);
}

void
sqx_dial_timeouts (sqx_conn *conn,
                   uint64_t  now)
{
  sqx_secure *secure = conn->secure;
  sqx_dial *dial = &secure->dial;

  if (sqx_timers_expired (&conn->timers, SQX_TIMER_HANDSHAKE, now))
    attempt_failed (conn, now);
  else if (!sqx_timers_expired (&conn->timers, SQX_TIMER_DIAL, now))
    return;
  else if (dial->handshake == NULL)
    {
      sqx_events_push (&conn->events, &conn->reconnecting_event, SQX_EVENT_RECONNECTING);
      sqx_dial_start (conn, now);
    }
  else if (dial->handshake->n_peer_versions > 0 && !secure->linked)
    attempt_failed (conn, now);
  else if (secure->linked && dial->sends >= SENDS_OF_CONFIRM && sqx_dial_again (conn, now))
    ;
  else
    {
      if (secure->expects_key && !secure->has_session && !dial->stranger &&
          dial->sends >= SENDS_TO_EXPECTED)
        {
          dial->stranger = true;
          begin_handshake (conn, now);
        }
      dial->due = dial->handshake != NULL;
    }
}

/* Answers -------------------------------------------------------------------------------- */

/* A peer that is only busy may have room later. */
static void
was_refused (sqx_conn *conn,
             uint64_t  now)
{
  const sqx_handshake *handshake = conn->secure->dial.handshake;

  if (conn->secure->reconnecting && handshake->code == SQX_CLOSE_BUSY)
    {
      sqx_dial_stop (conn);
      schedule (conn, now);
      return;
    }
  sqx_conn_give_up_because (conn, sqx_result_of_close (handshake->code), handshake->code,
                            handshake->reason, true);
}

/* Who answered is known, and what it wants: is that what this side wants? */
static sqx_trust
judge (sqx_conn *conn)
{
  sqx_secure *secure = conn->secure;
  const sqx_handshake *handshake = secure->dial.handshake;
  const sqx_endpoint_config *config = sqx_endpoint_get_config (conn->attachment.endpoint);

  if (secure->has_session)
    return SQX_TRUST_ACCEPT; /* IK: nobody else could answer */
  memcpy (secure->peer_key, handshake->peer_key, sizeof secure->peer_key);
  secure->has_peer_key = true;
  if (secure->expects_key)
    return memcmp (secure->expected, handshake->peer_key, SQX_KEY_SIZE) == 0 ? SQX_TRUST_ACCEPT
                                                                            : SQX_TRUST_REFUSE;
  if (handshake->used_psk || config->judge == NULL)
    return SQX_TRUST_ACCEPT;
  return config->judge (config->connection.user_data, conn, handshake->peer_key);
}

static void
was_accepted (sqx_conn *conn,
              uint64_t  now)
{
  sqx_secure *secure = conn->secure;
  sqx_handshake *handshake = secure->dial.handshake;
  sqx_trust trust = judge (conn);
  char reason[SQX_APPLICATION_REASON_MAX];
  uint64_t rtt;

  if (trust == SQX_TRUST_REFUSE)
    {
      sqx_conn_give_up_because (conn, SQX_ERR_UNTRUSTED, SQX_CLOSE_NOT_TRUSTED, "", false);
      return;
    }
  if (strcmp (handshake->hello.application_id, conn->application_id) != 0)
    {
      sqx_application_mismatch (reason, conn->application_id, handshake->hello.application_id);
      sqx_conn_give_up_because (conn, SQX_ERR_APPLICATION_MISMATCH, SQX_CLOSE_APPLICATION_MISMATCH,
                                reason, false);
      return;
    }
  if (sqx_hello_choose_cipher (&handshake->own, &handshake->hello) == 0)
    {
      sqx_conn_give_up_because (conn, SQX_ERR_VERSION, SQX_CLOSE_NO_CIPHER, "no cipher in common",
                                false);
      return;
    }
  if (!handshake->finished && !sqx_handshake_confirm (handshake, &handshake->own))
    {
      conn->session.out_of_memory = true;
      return;
    }

  /* Of IK nothing needs to be sent again, of XX CONFIRM until the peer's first DATA. */
  if (sqx_conn_join (conn, now, handshake, &secure->dial.to, trust) != SQX_OK)
    {
      conn->session.out_of_memory = true;
      return;
    }
  sqx_endpoint_reroute (conn->attachment.endpoint, &conn->attachment.handshake,
                        &conn->attachment.link, SQX_ROUTE_LINK, conn);
  /* Which INIT is answered is not known if there were several. */
  rtt = (now - secure->dial.first_sent) / SQX_MAX (secure->dial.sends, 1);
  sqx_rtt_guess (&conn->link.recovery.rtt,
                 SQX_MIN (SQX_MAX (rtt, SQX_HANDSHAKE_RTT_MIN), SQX_INITIAL_RTT));
  if (handshake->pattern == SQX_NOISE_XX || handshake->pattern == SQX_NOISE_XXPSK3)
    {
      secure->dial.due = true;
      secure->dial.sends = 0;
      secure->dial.interval = SQX_HANDSHAKE_RESEND;
    }
  else
    forget_handshake (conn); /* the attempt is over when the peer shows that it has the keys, too */
}

void
sqx_conn_handle_answer (sqx_conn      *conn,
                        uint64_t       now,
                        const uint8_t *data,
                        size_t         size)
{
  sqx_dial *dial = &conn->secure->dial;

  if (dial->handshake == NULL || sqx_conn_is_over (conn))
    return;
  switch (sqx_handshake_handle_answer (dial->handshake, data, size))
    {
    case SQX_HANDSHAKE_IGNORED:
      conn->counters.forged++;
      break;
    case SQX_HANDSHAKE_AGAIN:
      dial->sends = 0;
      dial->due = true;
      break;
    case SQX_HANDSHAKE_REPEAT:
      dial->due = true;
      break;
    case SQX_HANDSHAKE_VERSION:
      break; /* an ACCEPT may still come until the next time-out */
    case SQX_HANDSHAKE_LEARNED:
      was_accepted (conn, now);
      break;
    case SQX_HANDSHAKE_REFUSED:
      was_refused (conn, now);
      break;
    }
  sqx_conn_settle (conn, now);
}
