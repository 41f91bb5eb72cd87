/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of the GObject layer share: two connections, a loop that gives up, and the
 * asynchronous verbs as if they waited.
 */
#pragma once

#include <gio/gio.h>

#include "seqex.h"

G_BEGIN_DECLS

/* Iterates the thread-default context until @condition holds; aborts the test after a minute. */
#define wait_until(condition)                                             \
  G_STMT_START                                                            \
    {                                                                     \
      GSource *deadline_source = util_deadline_new (G_STRLOC, #condition); \
                                                                          \
      while (!(condition))                                                \
        g_main_context_iteration (g_main_context_get_thread_default (), TRUE); \
      g_source_destroy (deadline_source);                                 \
      g_source_unref (deadline_source);                                   \
    }                                                                     \
  G_STMT_END

GSource *util_deadline_new (const char *where,
                            const char *what);
/* Iterates the context for as long as it has something to do at once. */
void     util_settle       (void);
/* Iterates the context for some milliseconds, for what must not happen or has no other sign. */
void     util_run_for      (guint milliseconds);

typedef struct
{
  SeqexConnection *a;
  SeqexConnection *b;
} Pair;

/* Two connected sockets: UDP on the loopback device, or a Unix socketpair. */
void     util_new_udp_sockets  (GSocket **a,
                                GSocket **b);
void     util_new_unix_sockets (GSocket **a,
                                GSocket **b);
/* Two connections over UDP. */
Pair     util_pair_new         (void);
Pair     util_pair_new_unix    (void);
/* Drops both and asserts that they go away. */
void     util_pair_free        (Pair *pair);
/* Likewise, when one of them has something to do still that the other does not help with. */
void     util_pair_dispose     (Pair *pair);

GBytes  *util_bytes            (const char *text);
/* @size bytes that differ with @seed */
GBytes  *util_blob             (gsize   size,
                                guint32 seed);
void     util_assert_text      (SeqexMessage *message,
                                const char   *text);

/* Keeps what a callback got. */
typedef struct
{
  GObject      *source;
  GAsyncResult *result; /* NULL until the callback came */
} Outcome;

void          util_outcome_cb    (GObject      *source,
                                  GAsyncResult *result,
                                  gpointer      user_data);
void          util_outcome_clear (Outcome *outcome);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, util_outcome_clear)

/* The verbs, waiting. */
gboolean      util_send            (SeqexConnection  *connection,
                                    const char       *text,
                                    GError          **error);
SeqexMessage *util_send_with_reply (SeqexConnection  *connection,
                                    const char       *text,
                                    GError          **error);
SeqexMessage *util_receive         (SeqexConnection  *connection,
                                    GError          **error);
gboolean      util_reply           (SeqexMessage     *message,
                                    const char       *text,
                                    GError          **error);
/* Sends @text to a peer that echoes. */
void          util_exchange        (SeqexConnection  *connection,
                                    const char       *text);
gboolean      util_close           (SeqexConnection  *connection,
                                    GError          **error);

/* Finishes what is in @outcome, which must be there. */
gboolean      util_send_finish            (Outcome *outcome,
                                           GError **error);
SeqexMessage *util_send_with_reply_finish (Outcome *outcome,
                                           GError **error);
SeqexMessage *util_receive_finish         (Outcome *outcome,
                                           GError **error);

/* A ::message handler that replies with the payload and takes the message. */
gboolean util_echo_cb (GObject      *object,
                       SeqexMessage *message,
                       gpointer      user_data);

G_END_DECLS
