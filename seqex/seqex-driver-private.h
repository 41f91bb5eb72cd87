/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one pump between a transport, the clock, the core and the program.
 *
 * A driver has one endpoint of the core, and any number of connections of it: those of a
 * SeqexEndpoint, or the one of a connected socket. It works on the context that was the thread's
 * default when it was made. Public calls change the state of the core and mark the driver ready;
 * everything else happens in a wake:
 *
 *   1. mail from other threads: cancelled operations, dropped messages
 *   2. up to a number of datagrams are read and fed to the core
 *   3. what has passed its time
 *   4. if something has: outgoing datagrams, in batches, until none is left or a limit is reached;
 *      what the transport refuses is kept
 *   5. connections in which something changed become active
 *   6. for each active connection: events of the core are collected, tasks finished, signals
 *      emitted, messages handed over. The program's code runs here and nowhere else. It may do
 *      anything, a nested main loop included. What it has submitted leaves as in 4 when it was told
 *      all, and in between if that is much, and acknowledgements of what came with it
 *
 * When it is due next is asked once before the context sleeps.
 *
 * A connection with nothing to do is not looked at. What each has for itself is a dialogue
 * (seqex-dialogue-private.h).
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx-endpoint.h"
#include "seqex-address-private.h"
#include "seqex-result-private.h"
#include "seqex-types.h"
#include "seqex-udp-private.h"

G_BEGIN_DECLS

typedef struct _SeqexDialogue SeqexDialogue;
typedef struct _SeqexDriver   SeqexDriver;
typedef struct _SeqexMail     SeqexMail;
typedef struct _SeqexNews     SeqexNews;
typedef struct _SeqexWatcher  SeqexWatcher;

/* What the user data of every connection of the core points to. */
struct _SeqexWatcher
{
  /* Step 5: something changed in the connection. Nothing of the program runs. */
  void (*touched) (SeqexWatcher *self);
};

/* Something for the driver that any thread may post, without a lock. */
struct _SeqexMail
{
  SeqexMail *next;
  void     (*read) (SeqexMail *self); /* in step 1; NULL: there is nothing to do */
  void     (*free) (SeqexMail *self); /* afterwards, or instead */
};

/* What a SeqexEndpoint does for its driver. Nothing of the program runs in any but deliver. */
typedef struct
{
  /* A peer has opened @conn, which is the owner's now. */
  void     (*incoming)    (GObject           *owner,
                           sqx_conn          *conn);
  /* @data is not of this protocol. */
  void     (*foreign)     (GObject           *owner,
                           const sqx_address *from,
                           const guint8      *data,
                           gsize              size);
  /* The network says that nobody is at @to. */
  void     (*unreachable) (GObject           *owner,
                           const sqx_address *to,
                           const GError      *error);
  /* The transport is lost. */
  void     (*failed)      (GObject           *owner,
                           const GError      *error);
  /* Tells one thing to the program; returns FALSE when there is nothing. */
  gboolean (*deliver)     (GObject           *owner);
  /* Whether deliver would do something. */
  gboolean (*is_due)      (GObject           *owner);
} SeqexDriverFuncs;

struct _SeqexDriver
{
  GMainContext    *context;    /* owned, read-only */
  GThread         *thread;     /* in which it was made, read-only */
  GObject         *owner;      /* unowned: the endpoint, until it leaves; else NULL */
  const SeqexDriverFuncs *funcs;
  sqx_endpoint    *core;       /* NULL before start, and after stop */
  guint            n_forks;    /* of the process that has the keys */

  /* Input and output */
  GDatagramBased  *transport;  /* owned; NULL when there is none, or it failed */
  gboolean         addressed;  /* datagrams have addresses: the transport is not connected */
  SeqexUdp         udp;        /* without a socket when the transport is none */
  GSource         *wake;       /* attached to context, destroyed by stop … */
  gpointer         polled;     /* … and of it: the socket; NULL: the transport is none */
  GSource         *readable;   /* of another transport, attached to context */
  GSource         *writable;   /* likewise, as long as waits_writable */
  gboolean         waits_writable; /* the transport refused something */
  SeqexBatch      *batch;      /* what it refused; NULL for nothing */
  guint64          armed;      /* when the next wake is due … */
  gboolean         unarmed;    /* … which is to be looked at again before the context sleeps */
  int              timer;      /* a timerfd, -1 until there is need of one … */
  gpointer         timed;      /* … how it is polled; NULL: it is not … */
  guint64          timer_at;   /* … when it goes off … */
  guint            timer_idle; /* … and in how many iterations nobody needed it */
  guint64          retry;      /* when to offer the batch again, beside writable */
  guint64          send_errors;
  GError          *send_error; /* the last one, NULL if none followed the last success … */
  sqx_address      send_error_to; /* … and for whom it was */
  guint64          n_foreign;  /* datagrams that are not of this protocol */
  guint            refusals;   /* in a row */
  guint            read_errors; /* in a row */
  gboolean         ready;      /* a wake is due */
  gboolean         unsent;     /* since the last time that all was sent something was done */
  guint            waking;     /* wakes that run, one in a handler of the other */
  gboolean         stopped;

  SeqexMail       *mail;       /* newest first; atomic */
  SeqexNews       *news;       /* of the network; NULL: nobody asked for them */
  guint64          asleep;     /* how long the machine has slept since it started … */
  guint64          next_check; /* … and when to look again */

  /* Connections; each link is in its dialogue */
  GQueue           all;        /* unowned SeqexDialogue */
  GQueue           active;     /* those to be looked at in step 6 */
  GQueue           unheard;    /* those with a message for which nobody listens */
  GSequence       *deadlines;  /* unowned SeqexWait, soonest first */
  SeqexResult     *spare_result; /* owned, not in use; NULL: none */
  SeqexMessage    *spare_message; /* likewise */
  guint64          now;        /* when the clock was last read for the core */
  guint64          serial;     /* of the wake, for tests */
};

SeqexDriver *seqex_driver_new           (void);
SeqexDriver *seqex_driver_ref           (SeqexDriver               *self);
void         seqex_driver_unref         (SeqexDriver               *self);
/* FALSE: a value of @config is not valid. */
gboolean     seqex_driver_start         (SeqexDriver               *self,
                                         const sqx_endpoint_config *config);
/* From now on datagrams come and go. @addressed: with addresses. */
void         seqex_driver_set_transport (SeqexDriver               *self,
                                         GDatagramBased            *transport,
                                         gboolean                   addressed);
void         seqex_driver_close_transport (SeqexDriver             *self);
/* The transport failed: so does every connection. Takes @failure. */
void         seqex_driver_fail          (SeqexDriver               *self,
                                         GError                    *failure);
/* NULL: it leaves, and the driver stops with the last connection. */
void         seqex_driver_set_owner     (SeqexDriver               *self,
                                         GObject                   *owner,
                                         const SeqexDriverFuncs    *funcs);
/* Listens to what the system says of the network. */
void         seqex_driver_watch_network (SeqexDriver               *self);
/* How many datagrams came that were for no connection. */
guint64      seqex_driver_count_foreign (SeqexDriver               *self);
/* Stops if there is nobody left. */
void         seqex_driver_release       (SeqexDriver               *self);

/* Says with a critical that @function was called from a thread where it must not be. */
gboolean     seqex_driver_check_thread  (SeqexDriver               *self,
                                         const char                *function);
/* To be called after any command to the core. */
void         seqex_driver_mark_ready    (SeqexDriver               *self);
/* Sends what there is, and looks which connections have something to tell. */
void         seqex_driver_flush         (SeqexDriver               *self);
/* Takes @mail, from any thread. The caller keeps the driver alive. */
void         seqex_driver_post          (SeqexDriver               *self,
                                         SeqexMail                 *mail);
guint64      seqex_driver_now           (void);
/* The same, which a wake goes by from now on. */
guint64      seqex_driver_read_clock    (SeqexDriver               *self);
/* For the core, where milliseconds do not matter: what is sent has its time when it leaves. Inside
 * of a wake this is cheap; it never goes back. */
guint64      seqex_driver_time          (SeqexDriver               *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SeqexDriver, seqex_driver_unref)

/* seqex-transport.c: steps 2 and 4 ------------------------------------------------------- */

void         seqex_transport_read       (SeqexDriver               *self,
                                         GIOCondition               condition,
                                         guint64                    now);
void         seqex_transport_write      (SeqexDriver               *self);
/* Forgets what the transport has refused. */
void         seqex_transport_drop_batch (SeqexDriver               *self);

/* For seqex-transport.c: a wake comes when the transport has room. */
void         seqex_driver_watch_writable (SeqexDriver              *self);

G_END_DECLS
