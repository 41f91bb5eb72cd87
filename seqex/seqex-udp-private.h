/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Datagrams in and out of a socket, as many in one system call as the kernel takes.
 *
 * Those of one size that follow each other to one address leave as one buffer, which the network
 * card or the kernel cuts (UDP_SEGMENT), and arrive as one (UDP_GRO). What a kernel, a device or a
 * sandbox does not have is found out on the way, and done without.
 */
#pragma once

#include <gio/gio.h>

#include "core/sqx-address.h"
#include "core/sqx-limits.h"

G_BEGIN_DECLS

/* Datagrams that the core has given out, one behind the other. */
#define SEQEX_BATCH_DATAGRAMS 64u               /* also the most segments of one buffer … */
#define SEQEX_BATCH_BYTES     SQX_DATAGRAM_MAX  /* … and its largest size */

typedef struct
{
  guint       first;   /* that the transport has not taken yet */
  guint       count;
  guint       alone;   /* those before this one are not put together */
  guint       offered; /* how many share the fate of the first one: they went out together */
  guint32     at[SEQEX_BATCH_DATAGRAMS + 1]; /* where each begins, and the last one ends */
  sqx_address to[SEQEX_BATCH_DATAGRAMS];
  guint8      data[SEQEX_BATCH_BYTES + SQX_DATAGRAM_MAX]; /* one may follow when all but full */
} SeqexBatch;

static inline gsize
seqex_batch_size (const SeqexBatch *self,
                  guint             i)
{
  return self->at[i + 1] - self->at[i];
}

/* What was read. A buffer has one datagram, or several of one size, the last of which may be
 * shorter. */
#define SEQEX_INBOX_BUFFERS 16u
/* No datagram is so long. Of a multiple of the page all buffers would share the same lines of the
 * cache. */
#define SEQEX_INBOX_BUFFER_SIZE (65536u + 2048u)

typedef struct
{
  gsize       sizes[SEQEX_INBOX_BUFFERS];
  gsize       segments[SEQEX_INBOX_BUFFERS]; /* the size of each datagram but the last */
  sqx_address from[SEQEX_INBOX_BUFFERS];
  guint8      data[SEQEX_INBOX_BUFFERS][SEQEX_INBOX_BUFFER_SIZE];
} SeqexInbox;

/* Both are of the thread, and shared by all its transports: they are empty between two wakes. A
 * batch that was refused is kept, and the next one is a new one. */
SeqexBatch *seqex_batch_take (void);
void        seqex_batch_give (SeqexBatch *batch); /* NULL is allowed */
SeqexInbox *seqex_inbox_get  (void);

typedef enum
{
  SEQEX_SENT_SOME,   /* or all */
  SEQEX_SENT_WAIT,   /* the transport has no room, and says when */
  SEQEX_SENT_FULL,   /* the device has no room, and nobody says when */
  SEQEX_SENT_FAILED, /* the first of the batch, and as many as were offered with it */
} SeqexSent;

typedef struct
{
  GSocket *socket;    /* unowned */
  gboolean addressed; /* it is not connected */
  gboolean mapped;    /* of IPv6: takes IPv4 addresses in that form */
  gboolean gso;       /* several datagrams in one buffer */
  gboolean suspect;   /* the last such buffer was refused, maybe for what it is */
  gboolean many;      /* several messages in one system call */
  int      former[3]; /* values of the options that were changed; -1: it was not */
  guint    n_single;  /* receives in a row that found one message */
  guint64  n_sends, n_receives;       /* system calls that did something … */
  guint64  n_sent, n_received;        /* … with so many datagrams … */
  guint64  n_joined_out, n_joined_in; /* … of which so many came with others in one buffer */
} SeqexUdp;

/* Sets what only matters to whoever uses the socket: no fragments, one buffer for several
 * datagrams. */
void      seqex_udp_init    (SeqexUdp    *self,
                             GSocket     *socket,
                             gboolean     addressed);
/* The socket is as it was. */
void      seqex_udp_clear   (SeqexUdp    *self);
/* Moves batch->first. @error is set with SEQEX_SENT_FAILED. */
SeqexSent seqex_udp_send    (SeqexUdp    *self,
                             SeqexBatch  *batch,
                             GError     **error);
/* Returns how many buffers of the inbox were filled; 0: nothing is there, or an error. */
guint     seqex_udp_receive (SeqexUdp    *self,
                             GError     **error);
/* Makes room for a burst in a socket of the library's own. */
void      seqex_udp_enlarge (GSocket     *socket);
/* The largest datagram of which the socket keeps enough: an eighth of what it has room for. */
guint     seqex_udp_largest (GSocket     *socket);

G_END_DECLS
