/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A wait is an operation of the program that is not finished, with what belongs to it.
 *
 * It ends in two steps. seqex_wait_resolve() settles the outcome, from then on nothing changes it;
 * seqex_wait_return() tells the program, from a wake of the driver.
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx.h"
#include "seqex-enums.h"
#include "seqex-result-private.h"
#include "seqex-types.h"

G_BEGIN_DECLS

typedef struct _SeqexDialogue SeqexDialogue;
typedef struct _SeqexDriver   SeqexDriver;
typedef struct _SeqexPort     SeqexPort;
typedef struct _SeqexWait     SeqexWait;

typedef enum
{
  SEQEX_WAIT_DELIVERY, /* of a final message: a boolean */
  SEQEX_WAIT_REPLY,    /* a message */
  SEQEX_WAIT_RECEIVE,  /* a message, or NULL when closed */
  SEQEX_WAIT_CLOSE,    /* a boolean */
  SEQEX_WAIT_STREAM,   /* a stream */
  SEQEX_WAIT_ENDPOINT_OPEN,   /* a connection */
  SEQEX_WAIT_ENDPOINT_ACCEPT, /* a connection, or NULL when closed */
  SEQEX_WAIT_ENDPOINT_CLOSE,  /* a boolean */
} SeqexWaitKind;

struct _SeqexWait
{
  gatomicrefcount  ref_count;

  /* Read-only */
  SeqexCall        call;        /* owns its cancellable, and its object if there is a callback */
  GObject         *object;      /* owned: the connection or the endpoint; keeps the rest of these */
  SeqexDriver     *driver;
  SeqexDialogue   *dialogue;    /* NULL for a wait of an endpoint */
  GQueue          *done;        /* of the dialogue or the endpoint: has its outcome, to be told */
  SeqexWaitKind    kind;
  gsize            size;        /* of the payload */
  guint            position;    /* in its chain, of the message that was sent */
  guint            timeout;     /* milliseconds, 0 for none */

  GQueue          *queue;       /* in which link is; NULL once returned */
  GList            link;
  sqx_outgoing    *handle;      /* while the core has the message */
  guint64          due;
  GSequenceIter   *deadline;    /* NULL for none */
  gulong           cancelled_id;
  void           (*abandoned) (SeqexWait *self); /* of an endpoint: gives up what is behind it */
  gpointer         data;        /* for that */

  /* The outcome: a reply, a message or connection, an error, a failure of the core, or success */
  sqx_message      reply;       /* has_reply: not an object yet, owns its data */
  gboolean         has_reply;
  GObject         *outcome;     /* owned */
  GError          *error;       /* owned */
  sqx_result       failure;
};

/* Puts a wait for @call, whose cancellable is watched from now on, at the end of @queue. */
SeqexWait *seqex_wait_new     (SeqexDialogue   *dialogue,
                               SeqexWaitKind    kind,
                               GQueue          *queue,
                               const SeqexCall *call);
/* The same for @endpoint, whose finished waits are in @done. */
SeqexWait *seqex_wait_new_for_endpoint (SeqexDriver     *driver,
                                        GObject         *endpoint,
                                        GQueue          *done,
                                        SeqexWaitKind    kind,
                                        GQueue          *queue,
                                        const SeqexCall *call);
SeqexWait *seqex_wait_ref     (SeqexWait     *self);
void       seqex_wait_unref   (SeqexWait     *self);
/* Lets it time out. */
void       seqex_wait_limit   (SeqexWait     *self,
                               guint          timeout);
/* Settles the outcome: takes @outcome and @error. */
void       seqex_wait_resolve (SeqexWait     *self,
                               gpointer       outcome,
                               GError        *error);
/* The same with a reply that answers itself. It is made an object only when it is told: one after
 * the other, all in the same object if the program lets go of it. */
void       seqex_wait_resolve_final (SeqexWait         *self,
                                     const sqx_message *reply);
/* Gives up: the message is cancelled at the peer, too. Takes @error. */
void       seqex_wait_abandon (SeqexWait     *self,
                               GError        *error);
/* Tells the program; takes @self. */
void       seqex_wait_return  (SeqexWait     *self);

/* Abandons what has waited for too long. */
void       seqex_waits_expire (SeqexDriver   *driver,
                               guint64        now);
/* When that is due next, SQX_TIME_NEVER for never. */
guint64    seqex_waits_next   (SeqexDriver   *driver);
/* Ends every wait with @error, each in a later iteration of the context. */
void       seqex_waits_clear  (SeqexDialogue *dialogue,
                               const GError  *error);
/* The same for those in @queue. */
void       seqex_waits_clear_queue (GQueue       *queue,
                                    const GError *error);

/* Sends @payload and waits for what the kind of the wait says. @answered is the message that it
 * answers, at @position of its chain, or NULL. Returns whether it was submitted; if not, @call fails
 * in a later iteration. */
gboolean   seqex_wait_send    (SeqexDialogue        *dialogue,
                               SeqexWaitKind         kind,
                               const SeqexCall      *call,
                               guint                 channel,
                               const sqx_message_id *answered,
                               guint                 position,
                               GBytes               *payload,
                               SeqexSendFlags        flags);
/* Waits for a message on @port. */
void       seqex_wait_receive (SeqexDialogue        *dialogue,
                               SeqexPort            *port,
                               const SeqexCall      *call);
/* Closes the connection, and waits for that. */
void       seqex_wait_close   (SeqexDialogue        *dialogue,
                               const SeqexCall      *call);

G_END_DECLS
