/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two sites with encrypted connections between them, weather in the network, and a ledger of all
 * that their programs told each other.
 *
 * Every message has contents of its own, and is answered by the same bytes. The ledger asserts at
 * each step that no program sees a message twice or with other contents, and that no wait is told
 * twice.
 */
#pragma once

#include "endpoints.h"

#define QUEUE_TIME (100 * SQX_MILLISECOND)

/* What the network does to each datagram; in percent. */
typedef struct
{
  GRand   *rand;
  guint    loss;
  guint    duplicate;
  guint64  jitter;   /* up to so much later, so that others overtake it */
  guint64  rate;     /* bytes a second in each direction, with a queue of QUEUE_TIME; 0: no limit */
  guint64  free_at[2];
  gsize    mtu;      /* no larger datagram passes; 0: no limit */
  gsize    largest;  /* that passed */
  guint    too_large; /* datagrams that did not for their size */
  gboolean tells;    /* who sends such a one is told */
  gboolean cut;      /* nothing passes */
  guint    passed, dropped;
  guint8   drop_type; /* the next datagrams of this type … */
  guint    drop_next; /* … are lost, so many of them */
  gboolean copying;
} Weather;

/* One message, and the answer to it. */
typedef struct
{
  guint64        id;
  Talk          *from;
  guint          channel;
  gboolean       ordered;
  gboolean       cancelled; /* by its sender */
  guint8        *data;
  gsize          size;
  sqx_outgoing  *handle;
  guint          seen;     /* how often the peer's program got it */
  guint          told;     /* how often its own was told what came of it */
  sqx_event_type outcome;
  sqx_result     error;
  guint64        sent_at, told_at;
} Entry;

/* A message that a program has not answered. */
typedef struct
{
  Talk          *talk;
  sqx_message_id id;
  Entry         *entry;
} Held;

typedef struct
{
  World    *world;
  Site     *a, *b;
  sqx_endpoint_config config_a, config_b;
  Weather   weather;
  GPtrArray *entries; /* owned Entry */
  guint      open;    /* of them, not told */
  gboolean   hold;    /* programs do not answer … */
  GArray    *held;    /* … but keep it: Held */
  gboolean   resolve; /* programs know where the peer is when they are to reconnect */
  Talk      *talk;    /* of a, as made by links_connect() … */
  Talk      *peer;    /* … and its other end */
} Links;

/* For g_test_add(). The endpoints are made by links_open(), after changes to the configurations. */
void links_set_up    (Links *links, gconstpointer data);
void links_tear_down (Links *links, gconstpointer data);
void links_open      (Links *links);
/* A connection from a to b, which has READY. @known: IK, else XX. */
void links_connect   (Links *links, gboolean known);
/* Both can be resumed. */
void links_persist   (Links *links, guint64 limit);
/* Other weather, from @seed on. */
void links_weather   (Links *links, guint32 seed, guint loss, guint duplicate, guint64 jitter);

/* From now on its datagrams come from there, and none reaches the old address. */
void site_move       (Site *site, guint host, guint port);
/* The program ends, and another one begins, with the same key, at the same place. */
void site_restart    (Site *site, const sqx_endpoint_config *config);

Entry *links_send      (Links *links, Talk *from, gsize size);
/* NULL: it was not taken. */
Entry *links_try_send  (Links *links, Talk *from, gsize size);
Entry *links_send_on   (Links *links, Talk *from, guint channel, gboolean ordered, gsize size);
/* Its sender waits no more. */
void   links_cancel    (Links *links, Entry *entry);
void   links_send_many (Links *links, Talk *from, guint n, gsize size);
/* Answers what is held. */
void   links_answer    (Links *links);
/* Lets time pass until every wait was told, at most @span; how long that took. */
guint64 links_finish   (Links *links, guint64 span);
/* Every message so far was seen once and answered. */
void   links_check     (Links *links);
/* Every wait that is open now is told @error within @span; how long that took. */
guint64 links_all_fail (Links *links, sqx_result error, guint64 span);
/* One exchange each way works. */
void   links_check_works (Links *links);

const sqx_counters *talk_counters   (Talk *talk);
sqx_statistics      talk_statistics (Talk *talk);
