/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One direction of an emulated link: a bottleneck with a queue, and the way behind it.
 *
 *     push ──▶ loss · copies ──▶ queue, tail drop ──▶ rate ──▶ delay · jitter · order ──▶ pop
 *
 * Time comes in as nanoseconds, so that the same code is tested under a virtual clock. A packet
 * leaves the bottleneck at the moment that follows from rate and queue, not when somebody looks,
 * so a program that wakes late delivers late but never slows the link down. Every decision comes
 * from the seed, a fixed number of draws per packet: the n-th packet always meets the same fate.
 */
#pragma once

#include <glib.h>

#define LINK_NEVER G_MAXUINT64

typedef struct
{
  guint64  rate;      /* bits of IP packets a second; 0: no limit */
  guint64  queue;     /* bytes that may wait, that in transmission included */
  guint64  delay;     /* ns */
  guint64  jitter;    /* ns on top, up to this; keeps the order */
  guint64  hold;      /* ns for which a packet is held back that others shall overtake */
  double   loss;      /* shares of 1; lost before the queue, so that they cost no rate */
  double   duplicate;
  double   reorder;
  double   corrupt;   /* one bit behind the IP header is turned */
  gboolean cut;       /* everything is lost */
} LinkSettings;

typedef struct
{
  guint64 received, received_bytes;
  guint64 lost;       /* by chance or by a cut */
  guint64 overflow;   /* the queue was full */
  guint64 duplicated; /* copies made */
  guint64 held;
  guint64 corrupted;
  guint64 sent, sent_bytes; /* by the bottleneck */
  guint64 delivered, delivered_bytes;
  guint64 busy;       /* ns for which the bottleneck was sending */
  guint64 queue_peak; /* bytes */
  guint64 queue_time; /* sum over all packets, ns from arrival to the end of transmission */
  guint64 late_max;   /* ns by which pop() came late at most … */
  guint64 late_sum;   /* … and in all */
} LinkCounters;

typedef struct
{
  guint64  arrived;   /* when it was pushed */
  guint64  done;      /* when its last bit leaves the bottleneck */
  guint64  due;
  guint64  order;
  guint64  jitter;    /* ns */
  gboolean held;
  gsize    size;
  guint8   bytes[];
} LinkPacket;

typedef struct _LinkWay LinkWay;

LinkWay      *link_way_new      (guint64 seed);
void          link_way_free     (LinkWay *way);
/* What is in the queue already is sent by the new settings, but for the first. */
void          link_way_set      (LinkWay *way, guint64 now, const LinkSettings *settings);
const LinkSettings *link_way_settings (const LinkWay *way);
const LinkCounters *link_way_counters (const LinkWay *way);
void          link_way_reset_counters (LinkWay *way);

/* An empty packet for up to @size bytes; free with g_free(). */
LinkPacket   *link_packet_new   (gsize size);
/* Takes @packet, of which size and bytes are set. Returns what becomes of it. */
const char   *link_way_push     (LinkWay *way, guint64 now, LinkPacket *packet);
/* The bytes that wait in the queue. */
guint64       link_way_queued   (LinkWay *way, guint64 now);
/* When the next packet is due; LINK_NEVER: there is none. Not later than that, at least. */
guint64       link_way_next     (const LinkWay *way);
/* The next packet that is due at @now, or NULL. */
LinkPacket   *link_way_pop      (LinkWay *way, guint64 now);
