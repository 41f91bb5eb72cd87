/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-connection.h"
#include "seqex-dialogue-private.h"

G_BEGIN_DECLS

struct _SeqexConnection
{
  GObject               parent_instance;

  /* Read-only after construction */
  GSocket              *socket;         /* owned, nullable */
  GDatagramBased       *transport;      /* owned, nullable */
  GWeakRef              endpoint;       /* NULL: it has a transport of its own, or that is gone */
  char                 *application_id; /* a GRefString, nullable */
  sqx_config            config;         /* kept up to date, for the getters */

  SeqexDialogue         dialogue;
  SeqexPort             port;
  GPtrArray            *channels;       /* owned SeqexChannel; NULL: none yet */

  /* The peer */
  GSocketConnectable   *peer;           /* owned, nullable: where to ask for its address */
  GSocketAddress       *remote_address; /* owned; NULL: not known, or nobody asked */
  char                 *peer_key;       /* its fingerprint; likewise */
  GCancellable         *lookup;         /* owned; NULL: its address is not being asked for */
  guint                 n_lookups;
  gboolean              persistent;
  guint                 persistence_limit; /* seconds, 0 for ever */

  /* As last notified, but for the state, which is the one that the program sees */
  SeqexConnectionState  state;
  guint64               queued_bytes;
  gboolean              writable;
  guint64               round_trip_time;
};

/* For how long a lost peer is looked for, in seconds. */
#define SEQEX_PERSISTENCE_DEFAULT 86400u

/* seqex-connection-properties.c */

void           seqex_connection_install_properties (GObjectClass    *object_class);
void           seqex_connection_notify         (SeqexConnection *self,
                                                const char      *property_name);

/* seqex-connection-path.c */

void           seqex_connection_init_config    (sqx_config      *config);
void           seqex_connection_set_controller (sqx_config      *config,
                                                SeqexCongestionControl control);
SeqexCongestionControl
               seqex_connection_get_controller (const sqx_config *config);
/* Gives the connection its driver and its part of the core. */
void           seqex_connection_set_up         (SeqexConnection *self);
/* What was opened; NULL: the peer came by itself. */
void           seqex_connection_set_peer       (SeqexConnection    *self,
                                                GSocketConnectable *peer);

/* Works as long as the connection lives, disposed or not. */
SeqexDialogue *seqex_connection_get_dialogue   (SeqexConnection *self);

/* What the driver calls in a wake. Each runs code of the program. */
void           seqex_connection_notify_changes (SeqexConnection *self);
void           seqex_connection_emit_datagram  (SeqexConnection *self,
                                                GBytes          *payload);
void           seqex_connection_emit_stream    (SeqexConnection *self,
                                                SeqexStream     *stream);
gboolean       seqex_connection_hears_streams  (SeqexConnection *self);
void           seqex_connection_emit_closed    (SeqexConnection *self,
                                                const GError    *error);
/* Likewise, but nothing of the program runs. */
void           seqex_connection_settle         (SeqexConnection *self);

G_END_DECLS
