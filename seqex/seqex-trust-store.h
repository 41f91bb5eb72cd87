/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

/**
 * SeqexTrustVerdict:
 * @SEQEX_TRUST_VERDICT_UNKNOWN: nothing is known of the peer.
 * @SEQEX_TRUST_VERDICT_KNOWN: the peer is the one that was remembered.
 * @SEQEX_TRUST_VERDICT_CHANGED: another key was remembered under this name: somebody else answers,
 *   or the peer has a new identity.
 *
 * What a [class@Seqex.TrustStore] says of a peer.
 */
typedef enum
{
  SEQEX_TRUST_VERDICT_UNKNOWN,
  SEQEX_TRUST_VERDICT_KNOWN,
  SEQEX_TRUST_VERDICT_CHANGED,
} SeqexTrustVerdict;

#define SEQEX_TYPE_TRUST_STORE (seqex_trust_store_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexTrustStore, seqex_trust_store, SEQEX, TRUST_STORE, GObject)

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexTrustStore   *seqex_trust_store_new         (GFile             *file);

SEQEX_AVAILABLE_IN_ALL
GFile             *seqex_trust_store_get_file    (SeqexTrustStore   *self);

SEQEX_AVAILABLE_IN_ALL
gboolean           seqex_trust_store_load        (SeqexTrustStore   *self,
                                                  GError           **error);
SEQEX_AVAILABLE_IN_ALL
SeqexTrustVerdict  seqex_trust_store_check       (SeqexTrustStore   *self,
                                                  const char        *name,
                                                  const char        *fingerprint,
                                                  GError           **error);
SEQEX_AVAILABLE_IN_ALL
SeqexTrustedPeer  *seqex_trust_store_lookup      (SeqexTrustStore   *self,
                                                  const char        *fingerprint,
                                                  GError           **error);
SEQEX_AVAILABLE_IN_ALL
SeqexTrustedPeer  *seqex_trust_store_lookup_name (SeqexTrustStore   *self,
                                                  const char        *name,
                                                  GError           **error);
SEQEX_AVAILABLE_IN_ALL
gboolean           seqex_trust_store_remember    (SeqexTrustStore   *self,
                                                  const char        *name,
                                                  const char        *fingerprint,
                                                  GError           **error);
SEQEX_AVAILABLE_IN_ALL
gboolean           seqex_trust_store_forget      (SeqexTrustStore   *self,
                                                  SeqexTrustedPeer  *peer,
                                                  GError           **error);

G_END_DECLS
