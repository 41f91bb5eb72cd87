/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link-way.h"

#include <string.h>

#define SECOND G_GUINT64_CONSTANT (1000000000)
/* Behind the largest header that a packet without options has. */
#define HEADER 40

struct _LinkWay
{
  LinkSettings settings;
  LinkCounters counters;
  guint64      random;
  guint64      next_order;
  GQueue       queue;    /* owned LinkPackets that wait; the first is being sent */
  guint64      queued;   /* bytes of them */
  guint64      last_due; /* of packets that were not held back */
  GPtrArray   *heap;     /* owned LinkPackets on their way, by due time and order */
};

/* SplitMix64: good enough for dice, the same on every machine. */
static guint64
next_random (guint64 *state)
{
  guint64 z = (*state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* In [0, 1). */
static double
next_fraction (guint64 *state)
{
  return (double) (next_random (state) >> 11) * 0x1.0p-53;
}

LinkWay *
link_way_new (guint64 seed)
{
  LinkWay *way = g_new0 (LinkWay, 1);

  way->settings.queue = G_MAXUINT64;
  way->random = seed;
  way->heap = g_ptr_array_new_with_free_func (g_free);
  g_queue_init (&way->queue);
  return way;
}

void
link_way_free (LinkWay *way)
{
  g_queue_clear_full (&way->queue, g_free);
  g_ptr_array_unref (way->heap);
  g_free (way);
}

LinkPacket *
link_packet_new (gsize size)
{
  LinkPacket *packet = g_malloc (sizeof (LinkPacket) + size);

  memset (packet, 0, sizeof *packet);
  return packet;
}

static gboolean
is_before (const LinkPacket *a, const LinkPacket *b)
{
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
heap_add (GPtrArray *heap, LinkPacket *packet)
{
  guint at = heap->len;

  g_ptr_array_add (heap, packet);
  while (at > 0 && is_before (packet, heap->pdata[(at - 1) / 2]))
    {
      heap->pdata[at] = heap->pdata[(at - 1) / 2];
      at = (at - 1) / 2;
    }
  heap->pdata[at] = packet;
}

static LinkPacket *
heap_take (GPtrArray *heap)
{
  LinkPacket *first = heap->pdata[0];
  LinkPacket *last = heap->pdata[heap->len - 1];
  guint at = 0, count = heap->len - 1;

  while (2 * at + 1 < count)
    {
      guint child = 2 * at + 1;

      if (child + 1 < count && is_before (heap->pdata[child + 1], heap->pdata[child]))
        child++;
      if (!is_before (heap->pdata[child], last))
        break;
      heap->pdata[at] = heap->pdata[child];
      at = child;
    }
  heap->pdata[at] = last;
  heap->pdata[count] = NULL;
  g_ptr_array_set_size (heap, (int) count);
  return first;
}

/* The bottleneck begins with @packet at @start. */
static void
begin (LinkWay *way, LinkPacket *packet, guint64 start)
{
  guint64 bits = packet->size * 8;

  packet->done = start;
  if (way->settings.rate > 0)
    packet->done += (bits * SECOND + way->settings.rate / 2) / way->settings.rate;
  way->counters.busy += packet->done - start;
}

/* Its last bit has left: it travels on. */
static void
travel (LinkWay *way, LinkPacket *packet)
{
  const LinkSettings *settings = &way->settings;

  way->counters.sent++;
  way->counters.sent_bytes += packet->size;
  way->counters.queue_time += packet->done - packet->arrived;
  packet->due = MAX (packet->done + settings->delay + packet->jitter, way->last_due);
  if (packet->held)
    packet->due += settings->hold;
  else
    way->last_due = packet->due;
  heap_add (way->heap, packet);
}

/* Everything that happened in the bottleneck up to @now. */
static void
advance (LinkWay *way, guint64 now)
{
  LinkPacket *packet;

  while ((packet = g_queue_peek_head (&way->queue)) != NULL && packet->done <= now)
    {
      LinkPacket *next;

      g_queue_pop_head (&way->queue);
      way->queued -= packet->size;
      next = g_queue_peek_head (&way->queue);
      if (next != NULL)
        begin (way, next, packet->done);
      travel (way, packet);
    }
}

void
link_way_set (LinkWay *way, guint64 now, const LinkSettings *settings)
{
  advance (way, now);
  way->settings = *settings;
}

const LinkSettings *
link_way_settings (const LinkWay *way)
{
  return &way->settings;
}

const LinkCounters *
link_way_counters (const LinkWay *way)
{
  return &way->counters;
}

void
link_way_reset_counters (LinkWay *way)
{
  memset (&way->counters, 0, sizeof way->counters);
}

guint64
link_way_queued (LinkWay *way, guint64 now)
{
  advance (way, now);
  return way->queued;
}

static gboolean
enqueue (LinkWay *way, guint64 now, LinkPacket *packet)
{
  if (packet->size > way->settings.queue || way->queued > way->settings.queue - packet->size)
    {
      way->counters.overflow++;
      g_free (packet);
      return FALSE;
    }
  packet->arrived = now;
  packet->order = way->next_order++;
  if (g_queue_is_empty (&way->queue))
    begin (way, packet, now);
  g_queue_push_tail (&way->queue, packet);
  way->queued += packet->size;
  way->counters.queue_peak = MAX (way->counters.queue_peak, way->queued);
  return TRUE;
}

const char *
link_way_push (LinkWay *way, guint64 now, LinkPacket *packet)
{
  const LinkSettings *settings = &way->settings;
  /* All draws are made whatever comes of them. */
  double lost = next_fraction (&way->random);
  double doubled = next_fraction (&way->random);
  double held = next_fraction (&way->random);
  double corrupted = next_fraction (&way->random);
  double jitter = next_fraction (&way->random);
  guint64 bit = next_random (&way->random);

  packet->jitter = (guint64) (jitter * (double) settings->jitter);
  advance (way, now);
  way->counters.received++;
  way->counters.received_bytes += packet->size;
  if (settings->cut || lost < settings->loss)
    {
      way->counters.lost++;
      g_free (packet);
      return "lost";
    }
  if (corrupted < settings->corrupt && packet->size > HEADER)
    {
      bit %= (packet->size - HEADER) * 8;
      packet->bytes[HEADER + bit / 8] ^= (guint8) (1u << bit % 8);
      way->counters.corrupted++;
    }
  if (doubled < settings->duplicate)
    {
      LinkPacket *copy = link_packet_new (packet->size);

      copy->size = packet->size;
      memcpy (copy->bytes, packet->bytes, packet->size);
      copy->jitter = packet->jitter;
      way->counters.duplicated += enqueue (way, now, copy);
    }
  packet->held = held < settings->reorder;
  way->counters.held += packet->held;
  return enqueue (way, now, packet) ? "queued" : "overflow";
}

guint64
link_way_next (const LinkWay *way)
{
  const LinkPacket *sending = g_queue_peek_head ((GQueue *) &way->queue);
  guint64 next = LINK_NEVER;

  if (way->heap->len > 0)
    next = ((const LinkPacket *) way->heap->pdata[0])->due;
  if (sending != NULL)
    next = MIN (next, sending->done + way->settings.delay);
  return next;
}

LinkPacket *
link_way_pop (LinkWay *way, guint64 now)
{
  LinkPacket *packet;

  advance (way, now);
  if (way->heap->len == 0 || ((const LinkPacket *) way->heap->pdata[0])->due > now)
    return NULL;
  packet = heap_take (way->heap);
  way->counters.delivered++;
  way->counters.delivered_bytes += packet->size;
  way->counters.late_max = MAX (way->counters.late_max, now - packet->due);
  way->counters.late_sum += now - packet->due;
  return packet;
}
