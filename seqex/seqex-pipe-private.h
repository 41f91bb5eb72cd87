/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What lies between a stream of the core and the SeqexStream of the program.
 *
 * GIO's own users of streams work in threads of their own (GDBusConnection does), so this, and
 * nothing else of the library, may be used in any thread: it has a lock. The core is touched in
 * the thread of the connection alone, by seqex_pipe_pump(); other threads ask for that by mail.
 */
#pragma once

#include "seqex-dialogue-private.h"

G_BEGIN_DECLS

typedef struct _SeqexPipe SeqexPipe;

typedef enum
{
  SEQEX_PIPE_READABLE,
  SEQEX_PIPE_WRITABLE,
  SEQEX_PIPE_DRAINED,  /* the peer has read everything, or never will */
} SeqexPipeCondition;

/* The program's object of a stream of the core, opened by this side or the peer. The dialogue keeps
 * it until the stream is over. */
SeqexStream *seqex_pipe_new_stream   (SeqexDialogue      *dialogue,
                                      sqx_stream         *core);
SeqexPipe   *seqex_pipe_ref          (SeqexPipe          *self);
void         seqex_pipe_unref        (SeqexPipe          *self);
/* In the thread of the connection: moves what can be moved between the program and the core. */
void         seqex_pipe_pump         (SeqexPipe          *self);
/* All of them: what was written goes before what follows. */
void         seqex_pipes_pump        (SeqexDialogue      *dialogue);
/* Likewise: the connection goes. */
void         seqex_pipe_detach       (SeqexPipe          *self,
                                      const GError       *error);
/* NULL: the connection is gone. */
SeqexConnection *seqex_pipe_dup_connection (SeqexPipe    *self);

/* In any thread. -1: an error; WOULD_BLOCK if it had to wait, and must not. */
gssize       seqex_pipe_read         (SeqexPipe          *self,
                                      void               *buffer,
                                      gsize               size,
                                      gboolean            wait,
                                      GCancellable       *cancellable,
                                      GError            **error);
gssize       seqex_pipe_write        (SeqexPipe          *self,
                                      const void         *data,
                                      gsize               size,
                                      gboolean            wait,
                                      GCancellable       *cancellable,
                                      GError            **error);
void         seqex_pipe_close        (SeqexPipe          *self,
                                      SeqexPipeCondition  way);
gboolean     seqex_pipe_is           (SeqexPipe          *self,
                                      SeqexPipeCondition  condition);
guint        seqex_pipe_get_priority (SeqexPipe          *self);
/* FALSE: it is that already. */
gboolean     seqex_pipe_set_priority (SeqexPipe          *self,
                                      guint               priority);
/* Why it never will be drained; NULL: it is. */
GError      *seqex_pipe_get_drain_error (SeqexPipe       *self);
/* Ready while @condition holds. */
GSource     *seqex_pipe_source_new   (SeqexPipe          *self,
                                      SeqexPipeCondition  condition);

/* seqex-stream.c: an object for @pipe, of which it takes a reference. */
SeqexStream *seqex_stream_new        (SeqexPipe          *pipe);
/* Tries to open those streams that the program waits for. */
void         seqex_stream_open_waiting (SeqexDialogue    *dialogue);

G_END_DECLS
