/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-trusted-peer-private.h"

#include <string.h>

/**
 * SeqexTrustedPeer:
 *
 * A peer that a [class@Seqex.TrustStore] knows.
 *
 * A peer that is known by several names is there several times. The objects come from the store;
 * one that a program makes itself means nothing.
 */
struct _SeqexTrustedPeer
{
  GObject    parent_instance;

  guint8     key[SEQEX_KEY_SIZE];
  char      *fingerprint;
  char      *name;       /* nullable */
  GBytes    *public_key;
  GDateTime *first_seen; /* nullable */
  GDateTime *last_seen;  /* nullable */
};

G_DEFINE_FINAL_TYPE (SeqexTrustedPeer, seqex_trusted_peer, G_TYPE_OBJECT)

typedef enum
{
  PROP_FINGERPRINT = 1,
  PROP_FIRST_SEEN,
  PROP_LAST_SEEN,
  PROP_NAME,
  PROP_PUBLIC_KEY,
} SeqexTrustedPeerProperty;

static GParamSpec *properties[PROP_PUBLIC_KEY + 1];

static void
set_key (SeqexTrustedPeer *self,
         const guint8      key[SEQEX_KEY_SIZE])
{
  memcpy (self->key, key, SEQEX_KEY_SIZE);
  g_free (self->fingerprint);
  self->fingerprint = seqex_key_format (key);
  g_clear_pointer (&self->public_key, g_bytes_unref);
  self->public_key = g_bytes_new (key, SEQEX_KEY_SIZE);
}

SeqexTrustedPeer *
seqex_trusted_peer_new (const SeqexTrustLine *line)
{
  SeqexTrustedPeer *self = g_object_new (SEQEX_TYPE_TRUSTED_PEER, NULL);

  set_key (self, line->key);
  self->name = g_strdup (line->name);
  seqex_trusted_peer_update (self, line);
  return self;
}

gboolean
seqex_trusted_peer_is (SeqexTrustedPeer     *self,
                       const SeqexTrustLine *line)
{
  return memcmp (self->key, line->key, SEQEX_KEY_SIZE) == 0 &&
         g_strcmp0 (self->name, line->name) == 0;
}

const guint8 *
seqex_trusted_peer_get_key (SeqexTrustedPeer *self)
{
  return self->key;
}

static void
set_time (SeqexTrustedPeer          *self,
          GDateTime                **time,
          GDateTime                 *to,
          SeqexTrustedPeerProperty   property)
{
  if (*time == to || (*time != NULL && to != NULL && g_date_time_equal (*time, to)))
    return;
  g_clear_pointer (time, g_date_time_unref);
  *time = to != NULL ? g_date_time_ref (to) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

void
seqex_trusted_peer_update (SeqexTrustedPeer     *self,
                           const SeqexTrustLine *line)
{
  set_time (self, &self->first_seen, line->first_seen, PROP_FIRST_SEEN);
  set_time (self, &self->last_seen, line->last_seen, PROP_LAST_SEEN);
}

static void
seqex_trusted_peer_get_property (GObject    *object,
                                 guint       prop_id,
                                 GValue     *value,
                                 GParamSpec *pspec)
{
  SeqexTrustedPeer *self = SEQEX_TRUSTED_PEER (object);

  switch ((SeqexTrustedPeerProperty) prop_id)
    {
    case PROP_FINGERPRINT:
      g_value_set_string (value, self->fingerprint);
      break;
    case PROP_FIRST_SEEN:
      g_value_set_boxed (value, self->first_seen);
      break;
    case PROP_LAST_SEEN:
      g_value_set_boxed (value, self->last_seen);
      break;
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_PUBLIC_KEY:
      g_value_set_boxed (value, self->public_key);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
seqex_trusted_peer_finalize (GObject *object)
{
  SeqexTrustedPeer *self = SEQEX_TRUSTED_PEER (object);

  g_free (self->fingerprint);
  g_free (self->name);
  g_bytes_unref (self->public_key);
  g_clear_pointer (&self->first_seen, g_date_time_unref);
  g_clear_pointer (&self->last_seen, g_date_time_unref);

  G_OBJECT_CLASS (seqex_trusted_peer_parent_class)->finalize (object);
}

static void
seqex_trusted_peer_class_init (SeqexTrustedPeerClass *klass)
{
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = seqex_trusted_peer_get_property;
  object_class->finalize = seqex_trusted_peer_finalize;

  /**
   * SeqexTrustedPeer:fingerprint: (getter get_fingerprint)
   *
   * The public key as people and files have it.
   */
  properties[PROP_FINGERPRINT] = g_param_spec_string ("fingerprint", NULL, NULL, NULL, readable);

  /**
   * SeqexTrustedPeer:first-seen: (getter get_first_seen)
   *
   * When the peer was first remembered, or `NULL` if the file does not say.
   */
  properties[PROP_FIRST_SEEN] = g_param_spec_boxed ("first-seen", NULL, NULL, G_TYPE_DATE_TIME,
                                                    readable);

  /**
   * SeqexTrustedPeer:last-seen: (getter get_last_seen)
   *
   * When the peer was last remembered, or `NULL` if the file does not say.
   *
   * It may be up to an hour behind, because the file is not written for less.
   */
  properties[PROP_LAST_SEEN] = g_param_spec_boxed ("last-seen", NULL, NULL, G_TYPE_DATE_TIME,
                                                   readable);

  /**
   * SeqexTrustedPeer:name: (getter get_name)
   *
   * What the peer was opened as, or `NULL` if it is known by its key alone.
   */
  properties[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, readable);

  /**
   * SeqexTrustedPeer:public-key: (getter get_public_key)
   *
   * The X25519 public key, 32 bytes.
   */
  properties[PROP_PUBLIC_KEY] = g_param_spec_boxed ("public-key", NULL, NULL, G_TYPE_BYTES,
                                                    readable);

  g_object_class_install_properties (object_class, G_N_ELEMENTS (properties), properties);
}

static void
seqex_trusted_peer_init (SeqexTrustedPeer *self)
{
  static const guint8 nobody[SEQEX_KEY_SIZE];

  set_key (self, nobody);
}

/**
 * seqex_trusted_peer_get_fingerprint: (get-property fingerprint)
 * @self: a trusted peer
 *
 * Gets the public key as people and files have it.
 *
 * Returns: (transfer none) (not nullable): the fingerprint
 */
const char *
seqex_trusted_peer_get_fingerprint (SeqexTrustedPeer *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (self), NULL);

  return self->fingerprint;
}

/**
 * seqex_trusted_peer_get_first_seen: (get-property first-seen)
 * @self: a trusted peer
 *
 * Gets when the peer was first remembered.
 *
 * Returns: (transfer none) (nullable): the time, or `NULL` if the file does not say
 */
GDateTime *
seqex_trusted_peer_get_first_seen (SeqexTrustedPeer *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (self), NULL);

  return self->first_seen;
}

/**
 * seqex_trusted_peer_get_last_seen: (get-property last-seen)
 * @self: a trusted peer
 *
 * Gets when the peer was last remembered.
 *
 * Returns: (transfer none) (nullable): the time, or `NULL` if the file does not say
 */
GDateTime *
seqex_trusted_peer_get_last_seen (SeqexTrustedPeer *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (self), NULL);

  return self->last_seen;
}

/**
 * seqex_trusted_peer_get_name: (get-property name)
 * @self: a trusted peer
 *
 * Gets what the peer was opened as.
 *
 * Returns: (transfer none) (nullable): the name, or `NULL` if it is known by its key alone
 */
const char *
seqex_trusted_peer_get_name (SeqexTrustedPeer *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (self), NULL);

  return self->name;
}

/**
 * seqex_trusted_peer_get_public_key: (get-property public-key)
 * @self: a trusted peer
 *
 * Gets the public key.
 *
 * Returns: (transfer none) (not nullable): the X25519 public key, 32 bytes
 */
GBytes *
seqex_trusted_peer_get_public_key (SeqexTrustedPeer *self)
{
  g_return_val_if_fail (SEQEX_IS_TRUSTED_PEER (self), NULL);

  return self->public_key;
}
