/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/sqx.h"
#include "seqex-message.h"

G_BEGIN_DECLS

/* Takes the data of @received. Uses the spare one of the driver, if there is one. */
SeqexMessage         *seqex_message_new           (SeqexConnection   *connection,
                                                   const sqx_message *received,
                                                   guint              position);
/* Likewise, without a message around it. */
GBytes               *seqex_message_bytes         (const sqx_message *received);
const sqx_message_id *seqex_message_get_id        (SeqexMessage      *self);
/* Drops the last reference of the library after an emission. If nothing of the program refers to the
 * message it becomes the spare one: to make and to finalize an object for every message costs more
 * than to receive one. */
void                  seqex_message_drop          (SeqexMessage      *self);
/* It is not among those that wait for an answer any more. */
void                  seqex_message_forget        (SeqexMessage      *self);
/* Runs code of the program. */
void                  seqex_message_set_cancelled (SeqexMessage      *self);

/* The message signal of the connection and of the channel. */
guint                 seqex_message_install_signal (GType             type);

G_END_DECLS
