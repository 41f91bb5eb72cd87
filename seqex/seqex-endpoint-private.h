/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint from within:
 *
 *   seqex-endpoint.c            its life: list, signals, accepting, closing
 *   seqex-endpoint-properties.c
 *   seqex-endpoint-bind.c       how it gets its transport; datagrams of others
 *   seqex-endpoint-open.c       from a GSocketConnectable to a connection
 *   seqex-endpoint-trust.c      who may be a peer
 *   seqex-attempt.c             connections of the core on their way to the program
 */
#pragma once

#include "seqex-connection-private.h"
#include "seqex-endpoint.h"
#include "seqex-identity.h"
#include "seqex-key-private.h"
#include "seqex-trust-store.h"

G_BEGIN_DECLS

typedef struct _SeqexAttempt SeqexAttempt;
typedef struct _SeqexOpening SeqexOpening;

/* A connection of the core that the program does not have yet: this side opens it, or a peer did
 * and is about to be asked about; or one that nobody wants and that is saying goodbye. */
struct _SeqexAttempt
{
  SeqexWatcher   watcher;     /* the user data of core */
  SeqexEndpoint *endpoint;    /* unowned */
  SeqexOpening  *opening;     /* unowned; NULL: a peer opened it, or nobody wants it any more */
  sqx_conn      *core;        /* owned */
  GList          link;        /* in the endpoint's attempts */
  sqx_address    address;
  guint64        question;    /* its key in the endpoint's questions; 0: none is open */
  gboolean       remember;    /* its key goes into the trust store */
  gboolean       connected;   /* it is to become the program's */
  GError        *refusal;     /* why its key is not trusted; NULL: not said */
  GError        *unreachable; /* what the network said of the address */
};

struct _SeqexEndpoint
{
  GObject              parent_instance;

  /* Read-only after construction */
  SeqexIdentity       *identity;       /* owned */
  char                *application_id; /* a GRefString, nullable */
  guint                max_connections;
  guint                max_half_open;
  guint                max_half_open_per_address;
  sqx_config           config;         /* of its connections */
  SeqexDriver         *driver;         /* owned */

  SeqexTrustStore     *trust_store;    /* owned, nullable */
  SeqexTrustPolicy     trust_policy;
  char                *shared_secret;  /* nullable, wiped */
  GSocketAddress      *local_address;  /* owned; NULL: not bound, or not known */
  gboolean             bound;
  gboolean             accepts;        /* peers may open connections */

  GPtrArray           *connections;    /* owned SeqexConnection: the list */
  GQueue               attempts;       /* owned SeqexAttempt */
  GQueue               openings;       /* owned SeqexOpening */
  guint                n_succeeded;    /* of them */
  GHashTable          *questions;      /* question -> SeqexAttempt; NULL: none yet */
  guint64              last_question;

  /* For a connection that is being made */
  sqx_conn            *handover;
  const sqx_config    *handover_config;

  /* For the program */
  GQueue               arrivals;       /* owned SeqexConnection: to be put into the list … */
  GQueue               incoming;       /* owned SeqexConnection: … and are not accepted yet */
  GQueue               asked;          /* owned SeqexAuthorization: to be asked */
  GQueue               foreign;        /* owned Foreign: datagrams of others */
  GQueue               done;           /* owned SeqexWait: has its outcome */
  GQueue               opening;        /* owned SeqexWait: calls of open_connection */
  GQueue               accepting;      /* owned SeqexWait: calls of accept */
  GQueue               closing;        /* owned SeqexWait: calls of close */
  GError              *failure;        /* why the transport failed */
  guint                undelivered;    /* messages, since it closes */
  gboolean             is_closing;
  gboolean             closed;
};

/* seqex-endpoint.c */

void             seqex_endpoint_mark_ready   (SeqexEndpoint       *self);
/* Makes a connection of @core; the caller gets the reference. */
SeqexConnection *seqex_endpoint_adopt        (SeqexEndpoint       *self,
                                              sqx_conn            *core,
                                              const sqx_config    *config,
                                              GSocketConnectable  *peer);
/* It is to come into the list. */
void             seqex_endpoint_announce     (SeqexEndpoint       *self,
                                              SeqexConnection     *connection);
/* A connection is closed. Runs code of the program. */
void             seqex_endpoint_forget       (SeqexEndpoint       *self,
                                              SeqexConnection     *connection);
/* Why nothing can be opened or accepted any more; NULL: something can. */
GError          *seqex_endpoint_get_failure  (SeqexEndpoint       *self);
gboolean         seqex_endpoint_has_handler  (SeqexEndpoint       *self,
                                              const char          *signal_name);

/* seqex-endpoint-properties.c */

void             seqex_endpoint_install_properties (GObjectClass  *object_class);
void             seqex_endpoint_notify_local_address (SeqexEndpoint *self);
void             seqex_endpoint_notify_n_items (SeqexEndpoint     *self);

/* seqex-endpoint-bind.c */

/* Before something is sent. */
gboolean         seqex_endpoint_ensure_bound (SeqexEndpoint       *self,
                                              GError             **error);
/* Whether the transport can send to such an address. */
gboolean         seqex_endpoint_can_reach    (SeqexEndpoint       *self,
                                              const sqx_address   *address);
void             seqex_endpoint_take_foreign (SeqexEndpoint       *self,
                                              const sqx_address   *from,
                                              const guint8        *data,
                                              gsize                size);
/* Tells the oldest one. */
void             seqex_endpoint_emit_foreign (SeqexEndpoint       *self);
void             seqex_endpoint_clear_foreign (SeqexEndpoint      *self);

/* seqex-endpoint-open.c */

/* An attempt of @self is over. Takes @error. */
void             seqex_opening_failed        (SeqexOpening        *self,
                                              GError              *error);
void             seqex_opening_succeeded     (SeqexOpening        *self,
                                              SeqexAttempt        *attempt);
/* Finishes one opening that has succeeded; FALSE: there is none. Runs code of the program. */
gboolean         seqex_endpoint_finish_opening (SeqexEndpoint     *self);
/* There is no hurry to wait for this one. */
void             seqex_opening_unreachable   (SeqexOpening        *self);
const char      *seqex_opening_get_name      (SeqexOpening        *self);
const guint8    *seqex_opening_get_key       (SeqexOpening        *self); /* NULL: any */
/* Every opening fails. */
void             seqex_endpoint_fail_openings (SeqexEndpoint      *self,
                                               const GError       *error);

/* seqex-endpoint-trust.c */

sqx_trust        seqex_endpoint_judge        (void                *user_data,
                                              sqx_conn            *conn,
                                              const uint8_t        key[SEQEX_KEY_SIZE]);
/* The question that is in an attempt. */
void             seqex_endpoint_ask          (SeqexEndpoint       *self,
                                              SeqexAttempt        *attempt);
void             seqex_endpoint_emit_authorize (SeqexEndpoint     *self);
/* Answers a question, if it is still open. */
void             seqex_endpoint_answer       (SeqexEndpoint       *self,
                                              guint64              question,
                                              gboolean             accept);
/* The error of @attempt, which closed because one side does not trust the other. */
GError          *seqex_endpoint_untrusted    (SeqexEndpoint       *self,
                                              SeqexAttempt        *attempt,
                                              const sqx_event     *event);

/* seqex-attempt.c */

SeqexAttempt    *seqex_attempt_new           (SeqexEndpoint       *endpoint,
                                              SeqexOpening        *opening,
                                              const sqx_address   *address);
/* Its user data becomes the attempt. */
void             seqex_attempt_set_core      (SeqexAttempt        *self,
                                              sqx_conn            *core);
/* The attempt that is behind @conn, or NULL. */
SeqexAttempt    *seqex_attempt_get           (sqx_conn            *conn);
/* Takes the core's connection out of it, and frees it. */
sqx_conn        *seqex_attempt_steal         (SeqexAttempt        *self);
/* Nobody wants it any more: frees it at once, or when the peer was told. */
void             seqex_attempt_drop          (SeqexAttempt        *self);
void             seqex_attempt_free          (SeqexAttempt        *self);

G_END_DECLS
