/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one pump between a connection's transport, the clock, its core and the program.
 *
 * A driver belongs to one connection and works on the context that was the thread's default when
 * the connection was made. Public calls change the state of the core and mark the driver ready;
 * everything else happens in a wake:
 *
 *   1. mail from other threads: cancelled operations, dropped messages
 *   2. up to a number of datagrams are read and fed to the core
 *   3. what has passed its time
 *   4. outgoing datagrams, in batches, until none is left or a limit is reached; what the transport
 *      refuses is kept
 *   5. events of the core are moved to the queues below
 *   6. the ready time is set, if it changed
 *   7. tasks are finished, signals emitted, messages handed over: the program's code runs here and
 *      nowhere else. It may do anything, a nested main loop included
 *   8. what the program has just submitted leaves as in 4 to 6
 *
 * seqex-driver.c does all but 5 and 7, which are in seqex-delivery.c.
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx.h"
#include "seqex-types.h"
#include "seqex-wait-private.h"

G_BEGIN_DECLS

/* A channel of the connection as the program sees it, embedded in whatever represents it. */
struct _SeqexPort
{
  GObject *object;    /* unowned: embeds this. The connection itself for channel 0 */
  guint    channel;
  guint    signal_id; /* of its ::message */
  guint    timeout;   /* milliseconds, 0 for none */
  GQueue   waits;     /* owned SeqexWait: calls of receive, oldest first */
};

/* Something for the driver that any thread may post, without a lock. */
struct _SeqexMail
{
  SeqexMail       *next;
  SeqexWait       *wait;       /* owned: was cancelled. NULL: … */
  SeqexConnection *connection; /* … owned: … */
  sqx_message_id   dropped;    /* … went away unanswered */
};

typedef struct _SeqexBatch SeqexBatch;

struct _SeqexDriver
{
  SeqexConnection *connection; /* unowned: it owns this */
  GMainContext    *context;    /* owned, read-only */
  GThread         *thread;     /* in which the connection was made, read-only */
  GDatagramBased  *transport;  /* owned; NULL when there is none, or it failed */
  sqx_conn        *core;       /* NULL when it could not be made, and after dispose */
  GError          *failure;    /* why the connection failed; NULL while it did not */

  /* Input and output */
  GSource    *wake;        /* attached to context, destroyed by dispose */
  GSource    *readable;    /* attached to context; NULL when nothing is read any more */
  GSource    *writable;    /* NULL unless the transport refused something */
  SeqexBatch *batch;       /* what it refused; NULL for nothing */
  guint64     armed;       /* the ready time of wake */
  guint64     retry;       /* when to offer the batch again, beside writable */
  guint64     send_errors;
  GError     *send_error;  /* the last one, NULL if none followed the last success */
  guint       refusals;    /* in a row */
  guint       read_errors; /* in a row */
  guint       max_datagram_size; /* that is received … */
  guint       datagram_size;     /* … and sent: smaller if the transport said so */
  gboolean    ready;       /* a wake is due */
  gboolean    held;        /* a reference to the connection is held */
  gboolean    disposed;

  SeqexMail *mail; /* newest first; atomic */

  /* Operations of the program. A wait is in one queue, or in that of a port. */
  GQueue     open;      /* owned SeqexWait: the core has its message */
  GQueue     done;      /* owned SeqexWait: has its outcome, to be told */
  GQueue     closing;   /* owned SeqexWait: calls of close */
  GSequence *deadlines; /* unowned SeqexWait, soonest first */
  guint64    serial;    /* of the wake */

  /* For the program */
  GPtrArray  *ports;     /* unowned SeqexPort; the first is channel 0 */
  guint       next_port; /* whose turn it is */
  GHashTable *taken;     /* sqx_message_id in its value -> owned SeqexTaken */
  GQueue      cancelled; /* owned SeqexMessage: the peer cancelled it, to be told */
  GQueue      datagrams; /* owned GBytes: arrived, to be told */
  guint       undelivered; /* waits that failed since this side closes */
  gboolean    unheard;   /* a message waits on a port where nobody listens */
  gboolean    closed;    /* the core is closed for the program, or was never there */
  gboolean    told_closed;
};

SeqexDriver *seqex_driver_new          (SeqexConnection  *connection);
void         seqex_driver_start        (SeqexDriver      *self,
                                        GDatagramBased   *transport,
                                        const sqx_config *config);
void         seqex_driver_fail         (SeqexDriver      *self,
                                        GError           *failure);
void         seqex_driver_dispose      (SeqexDriver      *self);
void         seqex_driver_free         (SeqexDriver      *self);

/* Says with a critical that @function was called from a thread where it must not be. */
gboolean     seqex_driver_check_thread (SeqexDriver      *self,
                                        const char       *function);
/* To be called after any command to the core. */
void         seqex_driver_mark_ready   (SeqexDriver      *self);
/* Takes @mail, from any thread. The caller holds a reference to the connection. */
void         seqex_driver_post         (SeqexDriver      *self,
                                        SeqexMail        *mail);
guint64      seqex_driver_now          (void);
GTask       *seqex_driver_new_task     (SeqexDriver         *self,
                                        gpointer             source_object,
                                        GCancellable        *cancellable,
                                        GAsyncReadyCallback  callback,
                                        gpointer             user_data);
/* The port of @channel, or that of channel 0 if the program did not open it. */
SeqexPort   *seqex_driver_get_port     (SeqexDriver      *self,
                                        guint             channel);

/* Makes an error of a result of a command. */
GError      *seqex_driver_error        (SeqexDriver      *self,
                                        sqx_result        result,
                                        gsize             payload_size);

/* seqex-delivery.c -------------------------------------------------------------------- */

/* Step 5: moves events of the core to the queues. Returns whether there may be more. */
gboolean     seqex_delivery_collect    (SeqexDriver      *self);
/* Step 7. Marks the driver ready if something is left. */
void         seqex_delivery_run        (SeqexDriver      *self);
/* Whether there is something that seqex_delivery_run() would do. */
gboolean     seqex_delivery_is_due     (SeqexDriver      *self);
/* Remembers @message, which is unanswered, until it is forgotten. */
void         seqex_delivery_remember   (SeqexDriver      *self,
                                        SeqexMessage     *message);
void         seqex_delivery_forget     (SeqexDriver      *self,
                                        const sqx_message_id *id);
void         seqex_delivery_clear      (SeqexDriver      *self);

G_END_DECLS
