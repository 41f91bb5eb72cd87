/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-authorization-private.h"

#include "seqex-endpoint-private.h"

/**
 * SeqexAuthorization:
 *
 * The question whether somebody may be a peer.
 *
 * It comes with [signal@Seqex.Endpoint::authorize], when a peer has proved its key and nothing else
 * decides about it: neither an expected key, nor the trust store, nor the trust policy. The program
 * answers when it likes, for example after it has shown [property@Seqex.Authorization:peer-key] to
 * somebody, with [method@Seqex.Authorization.accept] or [method@Seqex.Authorization.reject]. The
 * first answer counts.
 *
 * After 60 seconds, or if the object is dropped unanswered, the peer is rejected. An accepted peer
 * is not remembered: that is what [method@Seqex.TrustStore.remember] is for.
 */
struct _SeqexAuthorization
{
  GObject         parent_instance;

  /* Read-only */
  GWeakRef        endpoint;
  SeqexDriver    *driver;         /* owned; NULL if the program made this */
  guint64         question;
  char           *peer_key;       /* owned */
  char           *name;           /* owned, nullable */
  GSocketAddress *remote_address; /* owned */
  char           *application_id; /* owned */

  int             answered;       /* atomic */
};

G_DEFINE_FINAL_TYPE (SeqexAuthorization, seqex_authorization, G_TYPE_OBJECT)

typedef enum
{
  PROP_ENDPOINT = 1,
  PROP_PEER_KEY,
  PROP_NAME,
  PROP_REMOTE_ADDRESS,
  PROP_APPLICATION_ID,
  PROP_INCOMING,
  PROP_ANSWERED,
} SeqexAuthorizationProperty;

static GParamSpec *properties[PROP_ANSWERED + 1];

typedef struct
{
  SeqexMail    mail;
  SeqexDriver *driver; /* owned */
  guint64      question;
} RejectMail;

static void
read_reject_mail (SeqexMail *mail)
{
  RejectMail *reject = (RejectMail *) mail;

  if (reject->driver->owner != NULL)
    seqex_endpoint_answer (SEQEX_ENDPOINT (reject->driver->owner), reject->question, FALSE);
}

static void
free_reject_mail (SeqexMail *mail)
{
  seqex_driver_unref (((RejectMail *) mail)->driver);
  g_free (mail);
}

SeqexAuthorization *
seqex_authorization_new (SeqexEndpoint  *endpoint,
                         SeqexDriver    *driver,
                         guint64         question,
                         const char     *peer_key,
                         const char     *name,
                         GSocketAddress *remote_address,
                         const char     *application_id)
{
  SeqexAuthorization *self = g_object_new (SEQEX_TYPE_AUTHORIZATION, NULL);

  g_weak_ref_set (&self->endpoint, endpoint);
  self->driver = seqex_driver_ref (driver);
  self->question = question;
  self->peer_key = g_strdup (peer_key);
  self->name = g_strdup (name);
  self->remote_address = g_object_ref (remote_address);
  self->application_id = g_strdup (application_id);
  return self;
}

/* May run in any thread, in the middle of a garbage collection. */
static void
seqex_authorization_dispose (GObject *object)
{
  SeqexAuthorization *self = SEQEX_AUTHORIZATION (object);

  if (self->driver != NULL && g_atomic_int_compare_and_exchange (&self->answered, FALSE, TRUE))
    {
      RejectMail *mail = g_new0 (RejectMail, 1);

      g_debug ("The question about %s was dropped unanswered", self->peer_key);
      mail->mail.read = read_reject_mail;
      mail->mail.free = free_reject_mail;
      mail->driver = seqex_driver_ref (self->driver);
      mail->question = self->question;
      seqex_driver_post (self->driver, &mail->mail);
    }

  G_OBJECT_CLASS (seqex_authorization_parent_class)->dispose (object);
}

static void
seqex_authorization_finalize (GObject *object)
{
  SeqexAuthorization *self = SEQEX_AUTHORIZATION (object);

  g_weak_ref_clear (&self->endpoint);
  g_clear_pointer (&self->driver, seqex_driver_unref);
  g_clear_object (&self->remote_address);
  g_free (self->peer_key);
  g_free (self->name);
  g_free (self->application_id);

  G_OBJECT_CLASS (seqex_authorization_parent_class)->finalize (object);
}

static void
seqex_authorization_get_property (GObject    *object,
                                  guint       prop_id,
                                  GValue     *value,
                                  GParamSpec *pspec)
{
  SeqexAuthorization *self = SEQEX_AUTHORIZATION (object);

  switch ((SeqexAuthorizationProperty) prop_id)
    {
    case PROP_ENDPOINT:
      g_value_take_object (value, g_weak_ref_get (&self->endpoint));
      break;
    case PROP_PEER_KEY:
      g_value_set_string (value, self->peer_key);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_REMOTE_ADDRESS:
      g_value_set_object (value, self->remote_address);
      break;
    case PROP_APPLICATION_ID:
      g_value_set_string (value, self->application_id);
      break;
    case PROP_INCOMING:
      g_value_set_boolean (value, seqex_authorization_get_incoming (self));
      break;
    case PROP_ANSWERED:
      g_value_set_boolean (value, seqex_authorization_get_answered (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_authorization_class_init (SeqexAuthorizationClass *klass)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = seqex_authorization_dispose;
  object_class->finalize = seqex_authorization_finalize;
  object_class->get_property = seqex_authorization_get_property;

  /**
   * SeqexAuthorization:endpoint: (getter get_endpoint)
   *
   * The endpoint that asks, or `NULL` once the program has dropped it.
   */
  properties[PROP_ENDPOINT] = g_param_spec_object ("endpoint", NULL, NULL, SEQEX_TYPE_ENDPOINT,
                                                   flags);

  /**
   * SeqexAuthorization:peer-key: (getter get_peer_key)
   *
   * The fingerprint of the key that the peer has proved to own.
   */
  properties[PROP_PEER_KEY] = g_param_spec_string ("peer-key", NULL, NULL, NULL, flags);

  /**
   * SeqexAuthorization:name: (getter get_name)
   *
   * What this side opened, as in the trust store; `NULL` if the peer came by itself.
   */
  properties[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);

  /**
   * SeqexAuthorization:remote-address: (getter get_remote_address)
   *
   * Where the peer is.
   */
  properties[PROP_REMOTE_ADDRESS] = g_param_spec_object ("remote-address", NULL, NULL,
                                                         G_TYPE_SOCKET_ADDRESS, flags);

  /**
   * SeqexAuthorization:application-id: (getter get_application_id)
   *
   * What the peer speaks: the same as [property@Seqex.Endpoint:application-id], or it would have
   * been refused.
   */
  properties[PROP_APPLICATION_ID] = g_param_spec_string ("application-id", NULL, NULL, NULL, flags);

  /**
   * SeqexAuthorization:incoming: (getter get_incoming)
   *
   * Whether the peer opened the connection.
   */
  properties[PROP_INCOMING] = g_param_spec_boolean ("incoming", NULL, NULL, FALSE, flags);

  /**
   * SeqexAuthorization:answered: (getter get_answered)
   *
   * Whether the question was answered.
   */
  properties[PROP_ANSWERED] = g_param_spec_boolean ("answered", NULL, NULL, FALSE, flags);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
seqex_authorization_init (SeqexAuthorization *self)
{
  g_weak_ref_init (&self->endpoint, NULL);
}

/**
 * seqex_authorization_get_endpoint: (get-property endpoint)
 * @self: a question
 *
 * Gets the endpoint that asks.
 *
 * Returns: (transfer none) (nullable): the endpoint, or `NULL` once the program has dropped it
 */
SeqexEndpoint *
seqex_authorization_get_endpoint (SeqexAuthorization *self)
{
  SeqexEndpoint *endpoint;

  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), NULL);

  endpoint = g_weak_ref_get (&self->endpoint);
  /* It is the program that keeps it. */
  if (endpoint != NULL)
    g_object_unref (endpoint);
  return endpoint;
}

/**
 * seqex_authorization_get_peer_key: (get-property peer-key)
 * @self: a question
 *
 * Gets the key that the peer has proved to own.
 *
 * Returns: (transfer none) (nullable): its fingerprint
 */
const char *
seqex_authorization_get_peer_key (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), NULL);

  return self->peer_key;
}

/**
 * seqex_authorization_get_name: (get-property name)
 * @self: a question
 *
 * Gets what this side opened.
 *
 * Returns: (transfer none) (nullable): the name, as in the trust store; `NULL` if the peer came by
 *   itself
 */
const char *
seqex_authorization_get_name (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), NULL);

  return self->name;
}

/**
 * seqex_authorization_get_remote_address: (get-property remote-address)
 * @self: a question
 *
 * Gets where the peer is.
 *
 * Returns: (transfer none) (nullable): its address
 */
GSocketAddress *
seqex_authorization_get_remote_address (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), NULL);

  return self->remote_address;
}

/**
 * seqex_authorization_get_application_id: (get-property application-id)
 * @self: a question
 *
 * Gets what the peer speaks.
 *
 * Returns: (transfer none) (nullable): the name of it
 */
const char *
seqex_authorization_get_application_id (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), NULL);

  return self->application_id;
}

/**
 * seqex_authorization_get_incoming: (get-property incoming)
 * @self: a question
 *
 * Gets whether the peer opened the connection.
 *
 * Returns: whether it did; this side did otherwise
 */
gboolean
seqex_authorization_get_incoming (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), FALSE);

  return self->name == NULL;
}

/**
 * seqex_authorization_get_answered: (get-property answered)
 * @self: a question
 *
 * Gets whether the question was answered.
 *
 * Returns: whether the peer was accepted or rejected
 */
gboolean
seqex_authorization_get_answered (SeqexAuthorization *self)
{
  g_return_val_if_fail (SEQEX_IS_AUTHORIZATION (self), FALSE);

  return g_atomic_int_get (&self->answered);
}

static void
answer (SeqexAuthorization *self,
        gboolean            accept,
        const char         *function)
{
  g_autoptr (SeqexEndpoint) endpoint = NULL;

  if (self->driver == NULL || !seqex_driver_check_thread (self->driver, function)
      || !g_atomic_int_compare_and_exchange (&self->answered, FALSE, TRUE))
    return;

  endpoint = g_weak_ref_get (&self->endpoint);
  if (endpoint != NULL)
    seqex_endpoint_answer (endpoint, self->question, accept);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ANSWERED]);
}

/**
 * seqex_authorization_accept:
 * @self: a question
 *
 * Lets the peer in.
 *
 * Does nothing if the question was answered before, or if nobody waits for the answer any more.
 */
void
seqex_authorization_accept (SeqexAuthorization *self)
{
  g_return_if_fail (SEQEX_IS_AUTHORIZATION (self));

  answer (self, TRUE, G_STRFUNC);
}

/**
 * seqex_authorization_reject:
 * @self: a question
 *
 * Does not let the peer in: it gets %SEQEX_ERROR_PEER_REFUSED. If this side opened the connection,
 * that fails with %SEQEX_ERROR_UNTRUSTED_PEER.
 *
 * Does nothing if the question was answered before.
 */
void
seqex_authorization_reject (SeqexAuthorization *self)
{
  g_return_if_fail (SEQEX_IS_AUTHORIZATION (self));

  answer (self, FALSE, G_STRFUNC);
}
