/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bottleneck.h"

#include <string.h>

/* Bytes that a bulk flow keeps handed over. */
#define BULK_QUEUE (UINT64_C (1) << 20)

typedef struct
{
  guint64 at;
  guint64 order;
  guint   flow, to;
  guint   size;
  guint8  data[];
} Datagram;

typedef struct
{
  FlowConfig      config;
  sqx_conn       *conns[2]; /* sender, receiver */
  guint           open;
  guint64         next_request;
  gboolean        started;
  guint64         delivered, answered, marked_delivered;
  sqx_statistics  marked;
  GArray         *latencies; /* of the exchanges since the mark */
} Flow;

struct Bottleneck
{
  BottleneckConfig config;
  GRand     *rand;
  guint64    now, marked, orders;
  guint64    free_at;  /* when the link has sent all that waits */
  guint64    waited, passed;
  GPtrArray *wire;     /* a heap of Datagram */
  Flow       flows[BOTTLENECK_FLOWS];
  guint      n_flows;
  guint8    *zeros;
};

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  Bottleneck *link = user_data;

  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t) g_rand_int (link->rand);
}

/* The heap --------------------------------------------------------------------------------- */

static gboolean
before (const Datagram *a,
        const Datagram *b)
{
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void
wire_push (GPtrArray *wire,
           Datagram  *datagram)
{
  guint i = wire->len;

  g_ptr_array_add (wire, datagram);
  for (; i > 0 && before (datagram, wire->pdata[(i - 1) / 2]); i = (i - 1) / 2)
    wire->pdata[i] = wire->pdata[(i - 1) / 2];
  wire->pdata[i] = datagram;
}

static Datagram *
wire_pop (GPtrArray *wire)
{
  Datagram *first = wire->pdata[0];
  Datagram *last = wire->pdata[wire->len - 1];
  guint i = 0, child;

  g_ptr_array_set_size (wire, (gint) wire->len - 1);
  while ((child = 2 * i + 1) < wire->len)
    {
      if (child + 1 < wire->len && before (wire->pdata[child + 1], wire->pdata[child]))
        child++;
      if (before (last, wire->pdata[child]))
        break;
      wire->pdata[i] = wire->pdata[child];
      i = child;
    }
  if (wire->len > 0)
    wire->pdata[i] = last;
  return first;
}

/* The link --------------------------------------------------------------------------------- */

static void
forward (Bottleneck   *link,
         guint         flow,
         guint         from,
         const guint8 *data,
         guint         size)
{
  guint64 at = link->now;
  Datagram *datagram;

  if (from == 0)
    {
      guint64 begin = MAX (link->free_at, link->now);

      if ((begin - link->now) * link->config.rate / SQX_SECOND + size > link->config.queue)
        return;
      link->waited += begin - link->now;
      link->passed++;
      at = begin + (size + BOTTLENECK_HEADERS) * SQX_SECOND / link->config.rate;
      link->free_at = at;
    }
  if (link->config.loss > 0 && (guint) g_rand_int_range (link->rand, 0, 10000) < link->config.loss)
    return;
  at += link->config.delay;
  if (link->config.jitter_one_in > 0 &&
      g_rand_int_range (link->rand, 0, (gint) link->config.jitter_one_in) == 0)
    at += (guint64) g_rand_int_range (link->rand, 0, (gint) link->config.jitter + 1);

  if (link->config.stall_every > 0 && at % link->config.stall_every < link->config.stall)
    at += link->config.stall - at % link->config.stall_every;

  datagram = g_malloc (sizeof *datagram + size);
  *datagram = (Datagram) { .at = at, .order = link->orders++, .flow = flow, .to = 1 - from,
                           .size = size };
  memcpy (datagram->data, data, size);
  wire_push (link->wire, datagram);
}

/* Programs --------------------------------------------------------------------------------- */

static void
feed (Bottleneck *link,
      Flow       *flow)
{
  const FlowConfig *config = &flow->config;
  sqx_payload payload = { .data = link->zeros, .size = config->message };
  gboolean bulk = config->depth == 0;
  sqx_conn *conn = flow->conns[0];

  if (link->now < config->start || (config->stop > 0 && link->now >= config->stop))
    return;
  flow->started = TRUE;
  while (bulk ? sqx_conn_queued_bytes (conn) < BULK_QUEUE
              : flow->open < config->depth && link->now >= flow->next_request)
    {
      sqx_result result;

      /* All that have begun go forward side by side, and credit comes when one is whole: so they
       * shall not all be whole at the same time. */
      if (bulk)
        payload.size = (gsize) g_rand_int_range (link->rand, 1, (gint) config->message + 1);
      result = sqx_conn_send (conn, link->now, 0, &payload,
                              bulk ? SQX_MESSAGE_FINAL : 0, GSIZE_TO_POINTER (link->now + 1),
                              NULL);

      if (result == SQX_ERR_QUEUE_FULL)
        break;
      g_assert_cmpint (result, ==, SQX_OK);
      flow->open++;
    }
}

static void
take (Bottleneck *link,
      Flow       *flow)
{
  const sqx_payload payload = { .data = link->zeros, .size = flow->config.message };
  sqx_message message;

  while (sqx_conn_receive (flow->conns[1], link->now, 0, &message))
    {
      flow->delivered += message.size;
      if (flow->config.depth > 0)
        g_assert_cmpint (sqx_conn_reply (flow->conns[1], link->now, &message.id, &payload,
                                         SQX_MESSAGE_FINAL, NULL, NULL), ==, SQX_OK);
      free (message.data);
    }
}

static void
look (Bottleneck *link,
      Flow       *flow)
{
  sqx_event event;

  for (guint i = 0; i < 2; i++)
    while (sqx_conn_poll_event (flow->conns[i], &event))
      {
        g_assert_cmpint (event.type, !=, SQX_EVENT_FAILED);
        g_assert_cmpint (event.type, !=, SQX_EVENT_CLOSED);
        if (i == 1 || (event.type != SQX_EVENT_REPLY && event.type != SQX_EVENT_END))
          continue;
        flow->open--;
        if (event.type == SQX_EVENT_REPLY)
          {
            guint64 latency = link->now + 1 - GPOINTER_TO_SIZE (event.tag);

            g_array_append_val (flow->latencies, latency);
            flow->answered++;
            flow->next_request = link->now + flow->config.pause;
            free (event.message.data);
          }
      }
  take (link, flow);
}

/* Everything that flow @i can do at this instant. */
static void
serve (Bottleneck *link,
       guint       i)
{
  Flow *flow = &link->flows[i];
  guint8 buffer[SQX_DATAGRAM_MAX];
  size_t size;
  gboolean any;

  do
    {
      any = FALSE;
      look (link, flow);
      feed (link, flow);
      for (guint side = 0; side < 2; side++)
        {
          if (sqx_conn_next_timeout (flow->conns[side]) <= link->now)
            sqx_conn_handle_timeout (flow->conns[side], link->now);
          while ((size = sqx_conn_poll_transmit (flow->conns[side], link->now, buffer,
                                                 sizeof buffer)) > 0)
            {
              forward (link, i, side, buffer, (guint) size);
              any = TRUE;
            }
        }
    }
  while (any);
}

static guint64
next_of (const Bottleneck *link,
         const Flow       *flow)
{
  guint64 next = MIN (sqx_conn_next_timeout (flow->conns[0]),
                      sqx_conn_next_timeout (flow->conns[1]));

  if (!flow->started)
    next = MIN (next, flow->config.start);
  if (flow->config.depth > flow->open && flow->next_request > link->now)
    next = MIN (next, flow->next_request);
  return next;
}

void
bottleneck_run (Bottleneck *link,
                guint64     span)
{
  guint64 end = link->now + span;

  for (guint i = 0; i < link->n_flows; i++)
    serve (link, i);
  for (;;)
    {
      guint64 next = link->wire->len > 0 ? ((Datagram *) link->wire->pdata[0])->at : SQX_TIME_NEVER;
      guint awake = G_MAXUINT;

      for (guint i = 0; i < link->n_flows; i++)
        {
          guint64 at = next_of (link, &link->flows[i]);

          if (at < next)
            {
              next = at;
              awake = i;
            }
        }
      if (next > end)
        break;
      link->now = MAX (link->now, next);
      if (awake == G_MAXUINT)
        {
          g_autofree Datagram *datagram = wire_pop (link->wire);

          sqx_conn_handle_datagram (link->flows[datagram->flow].conns[datagram->to], link->now,
                                    datagram->data, datagram->size);
          awake = datagram->flow;
        }
      serve (link, awake);
    }
  link->now = end;
}

/* Setting up, and what came of it ------------------------------------------------------------ */

Bottleneck *
bottleneck_new (const BottleneckConfig *config)
{
  Bottleneck *link = g_new0 (Bottleneck, 1);

  link->config = *config;
  link->now = SQX_SECOND;
  link->rand = g_rand_new_with_seed (config->seed);
  link->wire = g_ptr_array_new ();
  link->zeros = g_malloc0 (131072);
  return link;
}

void
bottleneck_free (Bottleneck *link)
{
  for (guint i = 0; i < link->n_flows; i++)
    {
      sqx_conn_free (link->flows[i].conns[0]);
      sqx_conn_free (link->flows[i].conns[1]);
      g_array_free (link->flows[i].latencies, TRUE);
    }
  g_ptr_array_foreach (link->wire, (GFunc) (void (*) (void)) g_free, NULL);
  g_ptr_array_free (link->wire, TRUE);
  g_rand_free (link->rand);
  g_free (link->zeros);
  g_free (link);
}

guint
bottleneck_add (Bottleneck       *link,
                const FlowConfig *config)
{
  Flow *flow = &link->flows[link->n_flows];
  sqx_config settings;

  g_assert_cmpuint (link->n_flows, <, BOTTLENECK_FLOWS);
  g_assert_cmpuint (config->message, <=, 131072);
  *flow = (Flow) { .config = *config };
  sqx_config_init (&settings);
  settings.random = draw;
  settings.user_data = link;
  settings.instance = link->n_flows + 1;
  settings.max_datagram_size = config->datagram > 0 ? config->datagram : 1472;
  /* Not what limits, but not so much either that most of what passed is in unfinished messages. */
  settings.max_message_size = 131072;
  settings.byte_window = settings.byte_window_max =
    MAX (262144 + 2 * SQX_MESSAGE_OVERHEAD,
         4 * (link->config.rate * 2 * link->config.delay / SQX_SECOND + link->config.queue));
  settings.controller = config->controller;
  settings.max_send_rate = config->max_rate;
  flow->conns[0] = sqx_conn_new (&settings, link->now);
  flow->conns[1] = sqx_conn_new (&settings, link->now);
  flow->latencies = g_array_new (FALSE, FALSE, sizeof (guint64));
  return link->n_flows++;
}

void
bottleneck_set (Bottleneck *link,
                guint64     rate,
                guint       loss)
{
  link->config.rate = rate;
  link->config.loss = loss;
}

guint64
bottleneck_now (const Bottleneck *link)
{
  return link->now;
}

sqx_conn *
bottleneck_sender (const Bottleneck *link,
                   guint             flow)
{
  return link->flows[flow].conns[0];
}

void
bottleneck_mark (Bottleneck *link)
{
  link->marked = link->now;
  link->waited = link->passed = 0;
  for (guint i = 0; i < link->n_flows; i++)
    {
      link->flows[i].marked_delivered = link->flows[i].delivered;
      sqx_conn_statistics (link->flows[i].conns[0], &link->flows[i].marked);
      g_array_set_size (link->flows[i].latencies, 0);
    }
}

double
bottleneck_share (const Bottleneck *link,
                  guint             i)
{
  const Flow *flow = &link->flows[i];
  double seconds = (double) (link->now - link->marked) / SQX_SECOND;
  double datagram = flow->config.datagram > 0 ? flow->config.datagram : 1472;
  /* Header of the packet, and of the one frame in it. */
  double payload = (datagram - 17 - 12) / (datagram + BOTTLENECK_HEADERS);

  return (double) (flow->delivered - flow->marked_delivered) / payload /
         ((double) link->config.rate * seconds);
}

double
bottleneck_needless (const Bottleneck *link,
                     guint             i)
{
  const Flow *flow = &link->flows[i];
  sqx_statistics now;

  sqx_conn_statistics (flow->conns[0], &now);
  return (double) (now.spurious_losses - flow->marked.spurious_losses) /
         (double) (now.packets_sent - flow->marked.packets_sent);
}

double
bottleneck_exchanges (const Bottleneck *link,
                      guint             i)
{
  return (double) link->flows[i].latencies->len * SQX_SECOND / (double) (link->now - link->marked);
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  guint64 one = *(const guint64 *) a, other = *(const guint64 *) b;

  return one < other ? -1 : one > other;
}

guint64
bottleneck_latency (Bottleneck *link,
                    guint       i,
                    double      percent)
{
  GArray *latencies = link->flows[i].latencies;

  g_assert_cmpuint (latencies->len, >, 0);
  g_array_sort (latencies, compare);
  return g_array_index (latencies, guint64,
                        MIN ((guint) (latencies->len * percent / 100), latencies->len - 1));
}

double
bottleneck_waiting (const Bottleneck *link)
{
  return (double) link->waited / (double) MAX (link->passed, 1);
}
