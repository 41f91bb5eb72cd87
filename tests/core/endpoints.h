/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Endpoints, a virtual clock and a network in memory between them.
 *
 * Nothing happens by itself: world_run() lets time pass, and then every packet arrives and every
 * deadline is met at its instant. Each connection has a program that answers every message by the
 * same bytes and counts what it is told.
 */
#pragma once

#include <glib.h>

#include "sqx-endpoint.h"

typedef struct World World;
typedef struct Site Site;

/* The program of one connection. */
typedef struct
{
  Site     *site;
  sqx_conn *conn;      /* NULL: freed */
  guint     connected; /* events, by type */
  guint     reconnecting, restarted, authorize, moved;
  guint     messages;  /* taken */
  guint     replies, ends, failed;
  sqx_result error;    /* of the last one that failed */
  gboolean  closed;
  sqx_event closing;
  guint     may_open;  /* a stream */
  GPtrArray *streams;  /* that the peer opened, the test's; NULL: released at once */
  gboolean  mute;      /* takes messages, and never answers */
} Talk;

/* One endpoint and where it is. */
struct Site
{
  World        *world;
  guint         index;
  sqx_address   address;
  sqx_endpoint_config config;
  sqx_endpoint *endpoint;  /* NULL: gone */
  guint64       random;    /* state of the deterministic random source */
  GPtrArray    *talks;     /* owned Talk */
  GPtrArray    *accepted;  /* Talk of peers that opened a connection */
  guint64       sent, sent_bytes;
  guint64       sent_before; /* its deadline came */
  gboolean      expired;     /* it did, and the site is to show that something came of it */
  guint64       polled;    /* connections that sqx_endpoint_poll_conn() gave */
  sqx_trust     trust;     /* what judge says */
  guint         judged;    /* how often it was asked … */
  sqx_conn     *judged_conn; /* … and last about this attempt */
  gboolean      authorize; /* what sqx_conn_authorize() is told at once, without hold_authorize */
  gboolean      hold_authorize;
};

typedef struct
{
  guint64     at;
  sqx_address from, to;
  guint8     *data;
  gsize       size;
} Flight;

/* TRUE: @flight takes part in the network as usual, maybe changed; FALSE: it is gone. */
typedef gboolean (*WorldFilter) (World *world, Flight *flight, gpointer data);
/* A program took @message; TRUE: it is answered, or will be, and nothing else is done with it. */
typedef gboolean (*WorldTaken)  (Talk *talk, const sqx_message *message, gpointer data);
/* A program was told something, which is counted after this. */
typedef void     (*WorldTold)   (Talk *talk, const sqx_event *event, gpointer data);

struct World
{
  guint64     now;
  guint64     latency;
  GPtrArray  *sites;   /* owned Site */
  GPtrArray  *flights; /* owned Flight */
  WorldFilter filter;
  gpointer    filter_data;
  WorldTaken  taken;
  WorldTold   told;
  gpointer    program_data; /* of these two */
};

World *world_new      (void);
void   world_free     (World *world);
/* Takes part with all connections and endpoints at once, until @span has passed. */
void   world_run      (World *world, guint64 span);
/* Sends what is to be sent now, and tells the programs. */
void   world_flush    (World *world);
/* As if @from had sent it to @to just now. */
void   world_inject   (World *world, const sqx_address *from, const sqx_address *to,
                       const void *data, gsize size);

sqx_address world_address (guint host, guint port);

/* Fills in what every site has: random source and judge. */
void   site_config    (Site *site, sqx_endpoint_config *config);
/* The same for encrypted connections, which it accepts, with a key of its own. */
void   site_config_secure (Site *site, sqx_endpoint_config *config);
/* @config: NULL, or from site_config() and changed. */
Site  *site_new       (World *world, guint host);
void   site_open      (Site *site, const sqx_endpoint_config *config);
/* Frees its connections and the endpoint. */
void   site_close     (Site *site);
Talk  *site_add_plain (Site *site, guint32 instance, const sqx_address *to);
/* @expected: whose key is expected, or NULL. */
Talk  *site_connect   (Site *site, Site *to, Site *expected);
/* Its public key. */
const guint8 *site_key (Site *site);
/* The peer who opened the @n-th connection. */
Talk  *site_accepted  (Site *site, guint n);

/* Sends @size bytes. */
sqx_result talk_send  (Talk *talk, gsize size);
void       talk_free_conn (Talk *talk);
