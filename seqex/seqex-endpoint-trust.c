/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may be a peer of an endpoint.
 */
#include "config.h"

#include "seqex-authorization-private.h"
#include "seqex-debug-private.h"
#include "seqex-endpoint-private.h"
#include "seqex-error-private.h"
#include "seqex-trust-store-private.h"

static sqx_trust
refuse (SeqexAttempt *attempt,
        GError       *error)
{
  SEQEX_NOTE (STATE, "a peer is not trusted: %s", error->message);
  if (attempt != NULL)
    {
      g_clear_error (&attempt->refusal);
      attempt->refusal = error;
    }
  else
    g_error_free (error);
  return SQX_TRUST_REFUSE;
}

static GError *
unknown_error (const char   *name,
               const guint8  key[SEQEX_KEY_SIZE])
{
  g_autofree char *fingerprint = seqex_key_format (key);

  return g_error_new (SEQEX_ERROR, SEQEX_ERROR_UNTRUSTED_PEER,
                      "The peer%s%s has the key %s, which is not known. To let it in, expect this "
                      "key when opening the connection, remember it in the trust store, answer "
                      "SeqexEndpoint::authorize, or set the trust policy to anyone",
                      name != NULL ? " at " : "", name != NULL ? name : "", fingerprint);
}

/* The core calls this in the middle of a handshake. Nothing of the program runs. */
sqx_trust
seqex_endpoint_judge (void         *user_data,
                      sqx_conn     *conn,
                      const guint8  key[SEQEX_KEY_SIZE])
{
  SeqexDriver *driver = user_data;
  SeqexEndpoint *self = driver->owner != NULL ? SEQEX_ENDPOINT (driver->owner) : NULL;
  SeqexAttempt *attempt = conn != NULL ? seqex_attempt_get (conn) : NULL;
  const char *name = NULL;

  if (self == NULL || self->is_closing)
    return SQX_TRUST_REFUSE;
  if (attempt != NULL && attempt->opening != NULL)
    name = seqex_opening_get_name (attempt->opening);

  if (self->trust_store != NULL)
    {
      GError *error = NULL;

      switch (seqex_trust_store_check_key (self->trust_store, name, key, &error))
        {
        case SEQEX_TRUST_VERDICT_KNOWN:
          return SQX_TRUST_ACCEPT;
        case SEQEX_TRUST_VERDICT_CHANGED:
          return refuse (attempt, seqex_trust_store_key_changed (self->trust_store, name, key));
        case SEQEX_TRUST_VERDICT_UNKNOWN:
          if (error != NULL)
            return refuse (attempt, error);
          break;
        }
    }

  if (self->trust_policy == SEQEX_TRUST_POLICY_ANYONE)
    {
      if (attempt != NULL)
        attempt->remember = name != NULL && self->trust_store != NULL;
      return SQX_TRUST_ACCEPT;
    }
  if (seqex_endpoint_has_handler (self, "authorize"))
    return SQX_TRUST_ASK;
  return refuse (attempt, unknown_error (name, key));
}

GError *
seqex_endpoint_untrusted (SeqexEndpoint   *self,
                          SeqexAttempt    *attempt,
                          const sqx_event *event)
{
  const guint8 *key = sqx_conn_peer_key (attempt->core);
  const guint8 *expected = NULL;
  g_autofree char *fingerprint = NULL;
  g_autofree char *own = NULL;

  if (attempt->refusal != NULL)
    return g_steal_pointer (&attempt->refusal);
  if (key != NULL)
    fingerprint = seqex_key_format (key);
  if (attempt->opening != NULL)
    expected = seqex_opening_get_key (attempt->opening);

  if (event->by_peer)
    {
      g_autofree char *reason = g_utf8_make_valid (event->reason_text, -1);

      return g_error_new (SEQEX_ERROR, SEQEX_ERROR_PEER_REFUSED,
                          "The peer does not trust this side, whose key is %s%s%s",
                          seqex_identity_get_fingerprint (self->identity),
                          reason[0] != '\0' ? ": " : "", reason);
    }
  if (expected != NULL && fingerprint != NULL
      && memcmp (expected, key, SEQEX_KEY_SIZE) != 0)
    {
      own = seqex_key_format (expected);
      return g_error_new (SEQEX_ERROR, SEQEX_ERROR_UNTRUSTED_PEER,
                          "The peer has the key %s, but %s was expected", fingerprint, own);
    }
  return g_error_new (SEQEX_ERROR, SEQEX_ERROR_UNTRUSTED_PEER,
                      "The program rejected the peer, whose key is %s",
                      fingerprint != NULL ? fingerprint : "not known");
}

/* Questions ------------------------------------------------------------------------------ */

void
seqex_endpoint_ask (SeqexEndpoint *self,
                    SeqexAttempt  *attempt)
{
  const guint8 *key = sqx_conn_peer_key (attempt->core);
  const sqx_address *where = sqx_conn_address (attempt->core);
  g_autofree char *fingerprint = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  const char *name = NULL;

  if (attempt->question != 0)
    return;
  if (attempt->opening != NULL)
    name = seqex_opening_get_name (attempt->opening);
  if (self->questions == NULL)
    self->questions = g_hash_table_new (g_int64_hash, g_int64_equal);

  attempt->question = ++self->last_question;
  g_hash_table_insert (self->questions, &attempt->question, attempt);
  fingerprint = seqex_key_format (key);
  address = seqex_address_to_gio (where);
  g_queue_push_tail (&self->asked,
                     seqex_authorization_new (self, self->driver, attempt->question, fingerprint,
                                              name, address,
                                              sqx_conn_peer_application_id (attempt->core)));
}

void
seqex_endpoint_emit_authorize (SeqexEndpoint *self)
{
  g_autoptr (SeqexAuthorization) authorization = g_queue_pop_head (&self->asked);
  gboolean taken = FALSE;

  g_signal_emit_by_name (self, "authorize", authorization, &taken);
  if (!taken)
    seqex_authorization_reject (authorization);
}

void
seqex_endpoint_answer (SeqexEndpoint *self,
                       guint64        question,
                       gboolean       accept)
{
  SeqexAttempt *attempt = NULL;

  if (self->questions != NULL)
    attempt = g_hash_table_lookup (self->questions, &question);
  if (attempt == NULL)
    return;

  g_hash_table_remove (self->questions, &question);
  attempt->question = 0;
  sqx_conn_authorize (attempt->core, seqex_driver_time (self->driver), accept);
  seqex_endpoint_mark_ready (self);
}
