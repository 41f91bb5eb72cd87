/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "seqex-channel.h"
#include "seqex-dialogue-private.h"

G_BEGIN_DECLS

SeqexChannel *seqex_channel_new    (SeqexConnection *connection,
                                    guint            id,
                                    guint            timeout);
/* The connection is going away. */
void          seqex_channel_detach (SeqexChannel    *self);

G_END_DECLS
