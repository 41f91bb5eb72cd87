/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a finished handshake becomes the link of a connection.
 */
#include "sqx-conn-private.h"

#include <stdlib.h>

#include "sqx-resume.h"

static bool
same_id (const uint8_t *a,
         const uint8_t *b)
{
  return memcmp (a, b, SQX_SESSION_ID_SIZE) == 0;
}

/* Of two links of one session the one with the higher generation counts; of two with the same,
 * which both sides began at once, the one that the smaller key began. */
static uint64_t
order_of (const sqx_conn *conn,
          uint64_t        generation,
          bool            own)
{
  const uint8_t *own_key = sqx_endpoint_public_key (conn->attachment.endpoint);
  bool own_smaller = memcmp (own_key, conn->secure->peer_key, SQX_KEY_SIZE) < 0;

  return 2 * generation + (own == own_smaller);
}

/* Nobody reconnects as often as that; and so a peer cannot use up the generations. */
static bool
is_newer (const sqx_conn      *conn,
          const sqx_handshake *handshake)
{
  const sqx_secure *secure = conn->secure;
  uint64_t generation = handshake->hello.generation;

  return order_of (conn, generation, handshake->initiator) >
         order_of (conn, secure->generation, secure->initiator) &&
         generation - secure->generation <= UINT32_MAX;
}

static bool
names_session (const sqx_conn      *conn,
               const sqx_handshake *handshake)
{
  const sqx_secure *secure = conn->secure;

  return secure != NULL && !sqx_conn_is_over (conn) && secure->has_session &&
         memcmp (secure->peer_key, handshake->peer_key, SQX_KEY_SIZE) == 0 &&
         handshake->hello.has_session &&
         same_id (handshake->hello.session_id, secure->peer_session_id);
}

static bool
is_same_session (const sqx_conn      *conn,
                 const sqx_handshake *handshake)
{
  return names_session (conn, handshake) &&
         handshake->hello.max_message_size >= conn->session.credit.peer_max_message;
}

bool
sqx_conn_may_join (const sqx_conn      *conn,
                   const sqx_handshake *handshake)
{
  const sqx_secure *secure = conn->secure;

  if (secure == NULL || sqx_conn_is_over (conn))
    return false;
  if (!secure->has_session)
    return secure->dial.handshake != NULL &&
           (!secure->expects_key ||
            memcmp (secure->expected, handshake->peer_key, SQX_KEY_SIZE) == 0);
  return is_same_session (conn, handshake) && is_newer (conn, handshake);
}

bool
sqx_conn_is_past (const sqx_conn      *conn,
                  const sqx_handshake *handshake)
{
  return names_session (conn, handshake) && !is_newer (conn, handshake);
}

static void
take_link (sqx_conn            *conn,
           const sqx_handshake *handshake,
           const sqx_keys      *keys,
           const sqx_address   *from)
{
  sqx_secure *secure = conn->secure;

  secure->keys = *keys;
  secure->linked = true;
  secure->initiator = handshake->initiator;
  secure->cipher = keys->cipher;
  secure->peer_id = handshake->peer_id;
  secure->has_peer_key = secure->has_session = true;
  memcpy (secure->peer_key, handshake->peer_key, sizeof secure->peer_key);
  memcpy (secure->session_id, handshake->own.session_id, sizeof secure->session_id);
  memcpy (secure->peer_session_id, handshake->hello.session_id, sizeof secure->peer_session_id);
  secure->generation = SQX_MIN (handshake->initiator ? handshake->own.generation
                                                     : handshake->hello.generation,
                                secure->generation + UINT32_MAX);
  sqx_path_init (&secure->path, from);
  /* The handshake has shown that datagrams of this size arrive. */
  conn->link.pmtu.floor = SQX_DATAGRAM_DEFAULT;
}

sqx_result
sqx_conn_join (sqx_conn          *conn,
               uint64_t           now,
               sqx_handshake     *handshake,
               const sqx_address *from,
               sqx_trust          trust)
{
  sqx_secure *secure = conn->secure;
  bool resumed = is_same_session (conn, handshake);
  sqx_keys keys;

  if (!sqx_handshake_keys (handshake, &keys))
    return SQX_ERR_NO_MEMORY;

  sqx_secure_drop_link (conn, now);
  if (!handshake->initiator)
    sqx_dial_stop (conn);
  if (secure->used && !resumed)
    sqx_conn_new_session (conn);
  take_link (conn, handshake, &keys, from);
  sqx_timers_stop (&conn->timers, SQX_TIMER_UNREACHABLE);
  sqx_timers_stop (&conn->timers, SQX_TIMER_RESET);
  conn->last_received = now;
  sqx_conn_learn_peer (conn, &handshake->hello, resumed);
  if (resumed)
    sqx_resume_begin (&conn->session);
  sqx_endpoint_peer_known (conn);

  if (trust == SQX_TRUST_ASK && !resumed)
    sqx_secure_ask (conn, now);
  if (handshake->initiator)
    {
      secure->ready = handshake->hello.ready;
      /* With IK the responder waits for a packet that only this side can have made. */
      conn->link.ping_due = handshake->pattern == SQX_NOISE_IK ||
                            handshake->pattern == SQX_NOISE_IKPSK2;
    }
  else if (!secure->asking)
    {
      secure->ready = true;
      conn->link.ready_due = !handshake->own.ready;
    }
  else
    conn->link.ping_due = true; /* CONFIRM is answered at once */
  sqx_secure_check_connected (conn);
  return SQX_OK;
}

static sqx_conn *
new_secure (sqx_endpoint     *endpoint,
            uint64_t          now,
            const sqx_config *config,
            const sqx_address *address,
            void             *user_data)
{
  sqx_conn *conn = sqx_conn_new (config, now);

  if (conn == NULL)
    return NULL;
  conn->secure = calloc (1, sizeof *conn->secure);
  if (conn->secure == NULL)
    {
      sqx_conn_free (conn);
      return NULL;
    }
  conn->user_data = user_data;
  sqx_path_init (&conn->secure->path, address);
  if (!sqx_endpoint_attach (endpoint, conn))
    {
      sqx_conn_free (conn);
      return NULL;
    }
  return conn;
}

sqx_conn *
sqx_conn_new_dialling (sqx_endpoint      *endpoint,
                       uint64_t           now,
                       const sqx_config  *config,
                       const sqx_address *to,
                       const uint8_t     *peer_key,
                       void              *user_data)
{
  sqx_conn *conn = new_secure (endpoint, now, config, to, user_data);
  sqx_secure *secure;

  if (conn == NULL)
    return NULL;
  secure = conn->secure;
  if (peer_key != NULL)
    {
      secure->expects_key = true;
      memcpy (secure->expected, peer_key, sizeof secure->expected);
    }
  conn->config.random (conn->config.user_data, secure->session_id, sizeof secure->session_id);
  secure->dial.to = *to;
  sqx_dial_start (conn, now);
  sqx_conn_settle (conn, now);
  return conn;
}

sqx_conn *
sqx_conn_new_accepted (sqx_endpoint      *endpoint,
                       uint64_t           now,
                       const sqx_config  *config,
                       sqx_handshake     *handshake,
                       const sqx_address *from,
                       sqx_trust          trust)
{
  sqx_conn *conn = new_secure (endpoint, now, config, from, NULL);

  if (conn == NULL)
    return NULL;
  conn->secure->dial.to = *from;
  if (sqx_conn_join (conn, now, handshake, from, trust) != SQX_OK)
    {
      sqx_conn_free (conn);
      return NULL;
    }
  sqx_conn_settle (conn, now);
  return conn;
}
