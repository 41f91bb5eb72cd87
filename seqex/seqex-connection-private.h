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
  GSocketAddress       *remote_address; /* owned, nullable */
  char                 *application_id; /* nullable */
  sqx_config            config;         /* kept up to date, for the getters */

  SeqexDialogue         dialogue;
  SeqexPort             port;
  GPtrArray            *channels;       /* owned SeqexChannel; NULL: none yet */

  /* As last notified, but for the state, which is the one that the program sees */
  SeqexConnectionState  state;
  guint64               queued_bytes;
  gboolean              writable;
  guint64               round_trip_time;
};

/* seqex-connection-properties.c */
void           seqex_connection_install_properties (GObjectClass    *object_class);

/* Works as long as the connection lives, disposed or not. */
SeqexDialogue *seqex_connection_get_dialogue   (SeqexConnection *self);

/* What the driver calls in a wake. Each runs code of the program. */
void           seqex_connection_notify_changes (SeqexConnection *self);
void           seqex_connection_emit_datagram  (SeqexConnection *self,
                                                GBytes          *payload);
void           seqex_connection_emit_closed    (SeqexConnection *self,
                                                const GError    *error);
/* Likewise, but nothing of the program runs. */
void           seqex_connection_settle         (SeqexConnection *self);

G_END_DECLS
