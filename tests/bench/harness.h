/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every program of the benchmark shares, so that all of them do the same work and count it the
 * same way.
 *
 * A program is one system under test. It forks: the child serves, the parent drives the load,
 * measures, and prints one line of JSON. Both may be pinned to processors and put into network
 * namespaces of their own. Every payload says what it is and is checked by whom it reaches.
 *
 * Requests: the client keeps `depth` requests of `size` bytes outstanding; the server answers each
 * with the same bytes. Bulk: the client sends messages of `size` bytes as fast as they are taken,
 * and the server counts. Idle: the client opens connections, and both processes' memory is looked
 * at. What came during the warm-up counts nowhere.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum
{
  WORK_REQUESTS = 1 << 0,
  WORK_BULK = 1 << 1,
  WORK_IDLE = 1 << 2,
} Work;

#define BULK_BUFFERS 16u /* of different contents, sent in turn */

typedef struct _Bench Bench;

typedef struct
{
  const char         *name;
  const char *const  *variants;                 /* ends with NULL; the first runs unless told */
  guint               works;                    /* the Work that it knows */
  void              (*serve)    (Bench *bench); /* until killed; calls bench_ready() once */
  void              (*drive)    (Bench *bench); /* until bench_finished() */
  /* What this machine lacks for the variant, or NULL; may be left out. */
  const char       *(*missing)  (Bench *bench);
} System;

int           bench_main          (const System *system,
                                   int           argc,
                                   char        **argv);

/* What was asked for ------------------------------------------------------------------ */

gboolean      bench_is            (Bench        *bench,
                                   const char   *variant);
Work          bench_work          (Bench        *bench);
guint         bench_depth         (Bench        *bench);
gsize         bench_size          (Bench        *bench);
guint         bench_connections   (Bench        *bench);
guint         bench_active        (Bench        *bench); /* connections that are used */
guint         bench_datagram_size (Bench        *bench); /* of systems that choose it themselves */
const char   *bench_host          (Bench        *bench); /* where the server listens */
const char   *bench_client_host   (Bench        *bench); /* where the client binds, if it does */
const char   *bench_congestion    (Bench        *bench); /* of TCP; NULL: the system's */

/* The server ---------------------------------------------------------------------------- */

/* The port that was bound, and text that the client needs: a key, a certificate. */
void          bench_ready         (Bench        *bench,
                                   guint         port,
                                   const char   *text);
/* Waits until the client has told. */
guint         bench_wait_client_port (Bench     *bench);
/* A message of the bulk work came, in the order of sending. */
void          bench_received      (Bench        *bench,
                                   gconstpointer data,
                                   gsize         size);

/* The client -------------------------------------------------------------------------- */

guint         bench_port          (Bench        *bench);
const char   *bench_text          (Bench        *bench);

void          bench_set_client_port (Bench      *bench,
                                     guint       port);
/* Whatever the system needed to connect is done: from here on time counts. */
void          bench_begin         (Bench        *bench);

/* Requests: one per slot is outstanding, slots are 0 … depth - 1. */
void          bench_request       (Bench        *bench,
                                   guint         slot,
                                   gpointer      out);
GBytes       *bench_request_bytes (Bench        *bench,
                                   guint         slot);
/* Checks a reply and counts it. TRUE: send the next request of @slot. */
gboolean      bench_reply         (Bench        *bench,
                                   gconstpointer data,
                                   gsize         size,
                                   guint        *slot);

/* Bulk: TRUE and a message, or FALSE when enough was sent. */
gboolean      bench_bulk          (Bench        *bench,
                                   gconstpointer *out);
GBytes       *bench_bulk_bytes    (Bench        *bench);
guint64       bench_bulk_sent     (Bench        *bench);
guint64       bench_bulk_received (Bench        *bench);

/* Idle: called when a tenth of the connections is open, and when all are. */
void          bench_opened        (Bench        *bench,
                                   guint         connections);

/* Everything was measured, and everything that was sent has arrived. */
gboolean      bench_finished      (Bench        *bench);
/* For a loop that may sleep after the last message was sent. */
void          bench_run_loop      (Bench        *bench);
/* What the system itself counted at the client, for the line that is printed. */
void          bench_count         (Bench        *bench,
                                   const char   *name,
                                   guint64       value);
/* Ends both processes: what came is not what was sent, or a call failed. */
void          bench_fail          (const char   *format,
                                   ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;
