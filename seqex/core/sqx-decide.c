/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which connection a peer's handshake is for, and whether the peer is taken.
 */
#include "sqx-admission.h"

#include "sqx-conn-private.h"

/* Whom it is about ----------------------------------------------------------------------- */

sqx_conn *
sqx_admission_find_session (const sqx_endpoint  *endpoint,
                            const sqx_handshake *handshake)
{
  sqx_conn *conn = NULL;

  while ((conn = sqx_endpoint_find_peer (endpoint, handshake->peer_key, conn)) != NULL)
    if (conn->secure->has_session && sqx_conn_may_join (conn, handshake))
      return conn;
  return NULL;
}

bool
sqx_admission_is_past (const sqx_endpoint  *endpoint,
                       const sqx_handshake *handshake)
{
  sqx_conn *conn = NULL;

  while ((conn = sqx_endpoint_find_peer (endpoint, handshake->peer_key, conn)) != NULL)
    if (sqx_conn_is_past (conn, handshake))
      return true;
  return false;
}

static bool
is_dialling (const sqx_conn *conn)
{
  return conn->secure != NULL && !conn->secure->has_session &&
         conn->secure->dial.handshake != NULL;
}

static const uint8_t *
ephemeral_of (const sqx_conn *conn)
{
  return conn->secure->dial.handshake->ephemeral;
}

sqx_conn *
sqx_admission_find_dialling (const sqx_endpoint  *endpoint,
                             const sqx_address   *address,
                             const sqx_handshake *handshake)
{
  sqx_conn *conn = NULL, *best = NULL;

  while ((conn = sqx_endpoint_find_unsettled (endpoint, address, conn)) != NULL)
    if (is_dialling (conn) && (handshake == NULL || sqx_conn_may_join (conn, handshake)) &&
        (best == NULL || memcmp (ephemeral_of (conn), ephemeral_of (best), SQX_KEY_SIZE) < 0))
      best = conn;
  return best;
}

/* Only the first link can be doubled: later ones are told apart by their generation. */
bool
sqx_admission_was_answered (const sqx_endpoint *endpoint,
                            uint64_t            now,
                            const sqx_address  *address)
{
  sqx_conn *conn = NULL;

  while ((conn = sqx_endpoint_find_unsettled (endpoint, address, conn)) != NULL)
    if (conn->secure != NULL && conn->secure->linked && conn->secure->initiator &&
        !conn->secure->proven && conn->secure->generation == 0 &&
        now < sqx_time_add (conn->last_received, SQX_HALF_OPEN_LIFE))
      return true;
  return false;
}

/* Deciding ------------------------------------------------------------------------------- */

static void
refuse (sqx_decision *decision,
        uint64_t      code,
        const char   *reason)
{
  decision->code = code;
  memcpy (decision->reason, reason, strlen (reason) + 1);
}

void
sqx_admission_busy (sqx_decision *decision)
{
  refuse (decision, SQX_CLOSE_BUSY, "no room for another connection");
}

static bool
is_full (const sqx_endpoint *endpoint)
{
  return endpoint->n_counted >= endpoint->config.max_connections;
}

static sqx_trust
judge (sqx_endpoint        *endpoint,
       const sqx_handshake *handshake,
       sqx_conn            *conn)
{
  const sqx_endpoint_config *config = &endpoint->config;

  /* Trusted before; expected, or it could not join; or it knows the secret. */
  if ((conn != NULL && (conn->secure->has_session || conn->secure->expects_key)) ||
      handshake->used_psk || config->judge == NULL)
    return SQX_TRUST_ACCEPT;
  return config->judge (config->connection.user_data, conn, handshake->peer_key);
}

void
sqx_admission_decide (sqx_endpoint        *endpoint,
                      const sqx_handshake *handshake,
                      sqx_conn            *conn,
                      const sqx_hello     *own,
                      sqx_decision        *decision)
{
  const sqx_hello *peer = &handshake->hello;

  *decision = (sqx_decision) { .trust = SQX_TRUST_REFUSE };
  if (strcmp (own->application_id, peer->application_id) != 0)
    {
      decision->code = SQX_CLOSE_APPLICATION_MISMATCH;
      sqx_application_mismatch (decision->reason, own->application_id, peer->application_id);
      return;
    }
  if (sqx_hello_choose_cipher (own, peer) == 0)
    {
      refuse (decision, SQX_CLOSE_NO_CIPHER, "no cipher in common");
      return;
    }
  decision->trust = judge (endpoint, handshake, conn);
  if (decision->trust == SQX_TRUST_REFUSE)
    refuse (decision, SQX_CLOSE_NOT_TRUSTED,
            "the key is not trusted here: it must be in the trust store, be expected, or be "
            "authorized by the program");
  else if (conn == NULL && is_full (endpoint))
    sqx_admission_busy (decision);
  else if (decision->trust == SQX_TRUST_ASK && endpoint->n_questions >= SQX_AUTHORIZE_MAX)
    refuse (decision, SQX_CLOSE_BUSY, "too many peers wait for the program to decide about them");
}
