/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_STREAM (seqex_stream_get_type ())

SEQEX_AVAILABLE_IN_ALL
G_DECLARE_FINAL_TYPE (SeqexStream, seqex_stream, SEQEX, STREAM, GIOStream)

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexConnection *seqex_stream_dup_connection (SeqexStream *self);

SEQEX_AVAILABLE_IN_ALL
guint            seqex_stream_get_priority   (SeqexStream *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_stream_set_priority   (SeqexStream *self,
                                              guint        priority);

G_END_DECLS
