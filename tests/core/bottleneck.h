/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Several connections of the core that share one slow link with a queue, under a virtual clock: how
 * fast, how even and how prompt they are there.
 *
 * What one side of each flow sends passes the queue, which drops what does not fit; what the other
 * sends back does not. Either way takes the same time, and datagrams are lost and delayed at random
 * on either.
 */
#pragma once

#include <glib.h>

#include "sqx-cc.h"
#include "sqx.h"

#define BOTTLENECK_FLOWS 8u
/* IP and UDP headers, which the link carries too. */
#define BOTTLENECK_HEADERS 28u

typedef struct
{
  guint64 rate;     /* bytes a second */
  guint64 queue;    /* bytes that may wait */
  guint64 delay;    /* one way */
  guint64 jitter;   /* up to so much more for one of … */
  guint   jitter_one_in; /* … so many datagrams, which others overtake then; 0: none */
  guint64 stall;    /* for so long, once in … */
  guint64 stall_every; /* … so long, nothing comes out on either side, and then all; 0: never */
  guint   loss;     /* of 10 000, each way */
  guint32 seed;
} BottleneckConfig;

typedef struct
{
  const sqx_cc_ops *controller; /* NULL: the default */
  guint   datagram;   /* bytes of UDP payload; 0: 1472 */
  guint64 message;    /* bytes of each request, or of the largest message of bulk */
  guint   depth;      /* requests unanswered at a time; 0: bulk, one way */
  guint64 start, stop; /* times at which it begins and sends nothing more; 0: never stops */
  guint64 pause;      /* between an answer and the next request */
  guint64 max_rate;
} FlowConfig;

typedef struct Bottleneck Bottleneck;

Bottleneck *bottleneck_new  (const BottleneckConfig *config);
void        bottleneck_free (Bottleneck *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bottleneck, bottleneck_free)
/* Its number. */
guint       bottleneck_add  (Bottleneck *link, const FlowConfig *flow);
/* For @span of virtual time. */
void        bottleneck_run  (Bottleneck *link, guint64 span);
void        bottleneck_set  (Bottleneck *link, guint64 rate, guint loss);

guint64     bottleneck_now       (const Bottleneck *link);
sqx_conn   *bottleneck_sender    (const Bottleneck *link, guint flow);
/* Begins to count anew what follows. */
void        bottleneck_mark      (Bottleneck *link);
/* Of what flow @flow's programs got since, payload alone: its part of what the link could carry of
 * it, between 0 and 1. */
double      bottleneck_share     (const Bottleneck *link, guint flow);
/* Packets resent since though the first ones arrived, of those sent. */
double      bottleneck_needless  (const Bottleneck *link, guint flow);
/* Requests answered a second since. */
double      bottleneck_exchanges (const Bottleneck *link, guint flow);
/* The time that @percent of the requests answered since took at most, in microseconds. */
guint64     bottleneck_latency   (Bottleneck *link, guint flow, double percent);
/* The time that a datagram waited in the queue, on average since, in microseconds. */
double      bottleneck_waiting   (const Bottleneck *link);
