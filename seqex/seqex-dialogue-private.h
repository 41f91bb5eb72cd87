/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a connection has at its driver: its part of the core, the operations of the program that
 * wait, and what is to be told to the program. It is embedded in the connection.
 *
 * seqex-dialogue.c has its life, seqex-delivery.c what happens in a wake, seqex-wait.c the
 * operations.
 */
#pragma once

#include "seqex-driver-private.h"
#include "seqex-wait-private.h"

G_BEGIN_DECLS

/* A channel of the connection as the program sees it, embedded in whatever represents it. */
struct _SeqexPort
{
  GObject   *object;    /* unowned: embeds this. The connection itself for channel 0 */
  SeqexPort *next;
  guint      channel;
  guint      signal_id; /* of its ::message */
  guint      timeout;   /* milliseconds, 0 for none */
  GQueue     waits;     /* owned SeqexWait: calls of receive, oldest first */
};

struct _SeqexDialogue
{
  SeqexWatcher     watcher;    /* the user data of core */
  SeqexConnection *connection; /* unowned: it embeds this */
  SeqexDriver     *driver;     /* owned */
  sqx_conn        *core;       /* NULL when it could not be made, and after dispose */
  sqx_address      address;    /* of the peer; all zeros on a connected transport */
  GError          *failure;    /* why the connection failed; NULL while it did not */

  /* In the queues of the driver */
  GList            all_link;
  GList            active_link;
  GList            unheard_link;
  gboolean         active;
  gboolean         unheard;    /* a message waits on a port where nobody listens */

  gboolean         held;       /* a reference to the connection is held */
  gboolean         closed;     /* the core is closed for the program, or was never there */
  gboolean         told_closed;
  gboolean         disposed;
  gboolean         is_closing; /* with its endpoint */
  gboolean         lost;       /* the peer is looked for: its address is to be asked for */

  /* Operations of the program. A wait is in one queue, or in that of a port. */
  GQueue           open;       /* owned SeqexWait: the core has its message */
  GQueue           done;       /* owned SeqexWait: has its outcome, to be told */
  GQueue           closing;    /* owned SeqexWait: calls of close */
  GQueue           opening;    /* owned SeqexWait: calls of open_stream */

  /* For the program */
  SeqexPort       *ports;      /* unowned; the first is channel 0 */
  SeqexPort       *next_port;  /* whose turn it is; NULL: the first one's */
  GQueue           taken;      /* unowned SeqexMessage: unanswered; each forgets itself */
  GQueue           cancelled;  /* owned SeqexMessage: the peer cancelled it, to be told */
  GQueue           datagrams;  /* owned GBytes: arrived, to be told */
  GQueue           streams;    /* SeqexPipe, each with its stream */
  GQueue           opened;     /* owned SeqexStream: by the peer, to be told */
  guint            undelivered; /* waits that failed since this side closes */
};

/* @port is that of channel 0. */
void       seqex_dialogue_init       (SeqexDialogue        *self,
                                      SeqexConnection      *connection,
                                      SeqexPort            *port);
/* Once, before anything else. */
void       seqex_dialogue_set_driver (SeqexDialogue        *self,
                                      SeqexDriver          *driver);
/* Its user data becomes the dialogue. */
void       seqex_dialogue_set_core   (SeqexDialogue        *self,
                                      sqx_conn             *core);
void       seqex_dialogue_add_port   (SeqexDialogue        *self,
                                      SeqexPort            *port);
/* The connection fails; takes @failure. */
void       seqex_dialogue_fail       (SeqexDialogue        *self,
                                      GError               *failure);
/* Begins an orderly close. */
void       seqex_dialogue_close      (SeqexDialogue        *self);
void       seqex_dialogue_dispose    (SeqexDialogue        *self);
void       seqex_dialogue_clear      (SeqexDialogue        *self);

/* As seqex_driver_check_thread(). */
gboolean   seqex_dialogue_check_thread (SeqexDialogue      *self,
                                        const char         *function);
/* To be called after any command to the core. */
void       seqex_dialogue_mark_ready (SeqexDialogue        *self);
/* It is looked at in step 6 of the next wake, or of the one that runs. */
void       seqex_dialogue_activate   (SeqexDialogue        *self);
/* The port of @channel, or that of channel 0 if the program did not open it. */
SeqexPort *seqex_dialogue_get_port   (SeqexDialogue        *self,
                                      guint                 channel);
/* Makes an error of a result of a command. */
GError    *seqex_dialogue_error      (SeqexDialogue        *self,
                                      sqx_result            result,
                                      gsize                 payload_size);

/* For the driver: step 6, for a dialogue that is not active any more. Tells the program at most
 * @limit things and returns how many; activates the dialogue again if something is left. */
guint      seqex_dialogue_run        (SeqexDialogue        *self,
                                      guint                 limit);

/* seqex-delivery.c -------------------------------------------------------------------- */

/* Moves events of the core to the queues. Returns whether there may be more. */
gboolean   seqex_delivery_collect    (SeqexDialogue        *self);
/* Tells one thing; returns FALSE when there is nothing to tell. */
gboolean   seqex_delivery_deliver    (SeqexDialogue        *self);
/* Whether there is something that seqex_delivery_deliver() would do. */
gboolean   seqex_delivery_is_due     (SeqexDialogue        *self);
/* Whether a message waits for which nobody listens. */
gboolean   seqex_delivery_is_unheard (SeqexDialogue        *self);
void       seqex_delivery_clear      (SeqexDialogue        *self);

G_END_DECLS
