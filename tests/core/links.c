/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "links.h"

#include <string.h>

/* The network -------------------------------------------------------------------------- */

/* What does not fit into the queue is lost. */
static gboolean
pass_bottleneck (World   *world,
                 Flight  *flight,
                 Weather *weather)
{
  Site *first = g_ptr_array_index (world->sites, 0);
  guint64 *free_at = &weather->free_at[sqx_address_equal (&flight->from, &first->address)];

  *free_at = MAX (*free_at, world->now);
  if (*free_at - world->now > QUEUE_TIME)
    return FALSE;
  *free_at += flight->size * SQX_SECOND / weather->rate;
  flight->at += *free_at - world->now;
  return TRUE;
}

/* As a socket does. */
static void
tell_too_large (World        *world,
                const Flight *flight)
{
  for (guint i = 0; i < world->sites->len; i++)
    {
      Site *site = g_ptr_array_index (world->sites, i);

      if (sqx_address_equal (&site->address, &flight->from))
        sqx_endpoint_handle_too_large (site->endpoint, world->now, &flight->to, flight->size);
    }
}

static gboolean
weather_filter (World   *world,
                Flight  *flight,
                gpointer data)
{
  Weather *weather = data;

  if (weather->copying)
    {
      flight->at += weather->jitter > 0 ? g_rand_int_range (weather->rand, 0, weather->jitter) : 0;
      return TRUE;
    }
  if (weather->mtu > 0 && flight->size > weather->mtu)
    {
      weather->too_large++;
      if (weather->tells)
        tell_too_large (world, flight);
      return FALSE;
    }
  weather->largest = MAX (weather->largest, flight->size);
  if (weather->drop_next > 0 && flight->data[0] == weather->drop_type)
    {
      weather->drop_next--;
      weather->dropped++;
      return FALSE;
    }
  if (weather->cut || (weather->loss > 0 &&
                       (guint) g_rand_int_range (weather->rand, 0, 100) < weather->loss) ||
      (weather->rate > 0 && !pass_bottleneck (world, flight, weather)))
    {
      weather->dropped++;
      return FALSE;
    }
  weather->passed++;
  if (weather->jitter > 0)
    flight->at += g_rand_int_range (weather->rand, 0, weather->jitter);
  if (weather->duplicate > 0 &&
      (guint) g_rand_int_range (weather->rand, 0, 100) < weather->duplicate)
    {
      weather->copying = TRUE;
      world_inject (world, &flight->from, &flight->to, flight->data, flight->size);
      weather->copying = FALSE;
    }
  return TRUE;
}

void
links_weather (Links  *links,
               guint32 seed,
               guint   loss,
               guint   duplicate,
               guint64 jitter)
{
  g_rand_set_seed (links->weather.rand, seed);
  links->weather.loss = loss;
  links->weather.duplicate = duplicate;
  links->weather.jitter = jitter;
}

void
site_move (Site *site,
           guint host,
           guint port)
{
  site->address = world_address (host, port);
}

void
site_restart (Site                      *site,
              const sqx_endpoint_config *config)
{
  /* Nothing goes out on the way. */
  site_close (site);
  g_ptr_array_set_size (site->accepted, 0);
  site_open (site, config);
}

/* Programs ----------------------------------------------------------------------------- */

static void
answer (Links      *links,
        const Held *held)
{
  sqx_payload payload = { held->entry->data, held->entry->size, NULL };

  if (sqx_conn_reply (held->talk->conn, links->world->now, &held->id, &payload, SQX_MESSAGE_FINAL,
                      NULL, NULL) == SQX_ERR_NO_MEMORY)
    g_array_append_val (links->held, *held);
}

/* An ordered message comes after all that were sent before it on its channel, but for those that
 * were taken back. */
static void
check_order (Links       *links,
             const Entry *entry)
{
  if (!entry->ordered)
    return;
  for (guint64 id = 0; id < entry->id; id++)
    {
      const Entry *other = g_ptr_array_index (links->entries, id);

      if (other->from == entry->from && other->channel == entry->channel && !other->cancelled)
        g_assert_cmpuint (other->seen, ==, 1);
    }
}

static gboolean
taken_cb (Talk              *talk,
          const sqx_message *message,
          gpointer           data)
{
  Links *links = data;
  Held held = { .talk = talk, .id = message->id };
  guint64 id;

  g_assert_cmpuint (message->size, >=, sizeof id);
  memcpy (&id, message->data, sizeof id);
  g_assert_cmpuint (id, <, links->entries->len);
  held.entry = g_ptr_array_index (links->entries, id);
  g_assert_true (held.entry->from->site != talk->site);
  g_assert_cmpuint (message->size, ==, held.entry->size);
  g_assert_cmpint (memcmp (message->data, held.entry->data, message->size), ==, 0);
  g_assert_cmpuint (held.entry->seen++, ==, 0);
  check_order (links, held.entry);

  if (links->hold)
    g_array_append_val (links->held, held);
  else
    answer (links, &held);
  return TRUE;
}

static void
told_cb (Talk            *talk,
         const sqx_event *event,
         gpointer         data)
{
  Links *links = data;
  Entry *entry = event->tag;

  if (event->type == SQX_EVENT_RECONNECTING && links->resolve)
    sqx_conn_set_address (talk->conn, links->world->now,
                          &(talk->site == links->a ? links->b : links->a)->address);
  if (entry == NULL || (event->type != SQX_EVENT_REPLY && event->type != SQX_EVENT_END &&
                        event->type != SQX_EVENT_FAILED))
    return;
  g_assert_true (entry->from == talk);
  g_assert_cmpuint (entry->told++, ==, 0);
  entry->outcome = event->type;
  entry->error = event->error;
  entry->told_at = links->world->now;
  g_assert_cmpuint (links->open--, >, 0);
  if (event->type == SQX_EVENT_REPLY)
    {
      g_assert_cmpuint (entry->seen, ==, 1);
      g_assert_cmpuint (event->message.size, ==, entry->size);
      g_assert_cmpint (memcmp (event->message.data, entry->data, entry->size), ==, 0);
    }
}

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->data);
  g_free (entry);
}

static Entry *
try_send_on (Links   *links,
             Talk    *from,
             guint    channel,
             gboolean ordered,
             gsize    size)
{
  Entry *entry = g_new0 (Entry, 1);
  sqx_payload payload;

  entry->id = links->entries->len;
  entry->from = from;
  entry->channel = channel;
  entry->ordered = ordered;
  entry->size = MAX (size, sizeof entry->id);
  entry->sent_at = links->world->now;
  entry->data = g_malloc (entry->size);
  for (gsize i = 0; i < entry->size; i++)
    entry->data[i] = (guint8) (entry->id * 31 + i + (i >> 8));
  memcpy (entry->data, &entry->id, sizeof entry->id);
  g_ptr_array_add (links->entries, entry);
  links->open++;

  payload = (sqx_payload) { entry->data, entry->size, NULL };
  if (sqx_conn_send (from->conn, links->world->now, channel, &payload,
                     ordered ? SQX_MESSAGE_ORDERED : 0, entry, &entry->handle) == SQX_OK)
    return entry;
  links->open--;
  g_ptr_array_set_size (links->entries, (gint) entry->id);
  return NULL;
}

Entry *
links_try_send (Links *links,
                Talk  *from,
                gsize  size)
{
  return try_send_on (links, from, 0, FALSE, size);
}

Entry *
links_send_on (Links   *links,
               Talk    *from,
               guint    channel,
               gboolean ordered,
               gsize    size)
{
  Entry *entry = try_send_on (links, from, channel, ordered, size);

  g_assert_nonnull (entry);
  return entry;
}

void
links_cancel (Links *links,
              Entry *entry)
{
  if (entry->told > 0 || entry->from->conn == NULL)
    return;
  sqx_conn_cancel (entry->from->conn, links->world->now, entry->handle);
  entry->cancelled = TRUE;
  entry->told = 1;
  g_assert_cmpuint (links->open--, >, 0);
}

Entry *
links_send (Links *links,
            Talk  *from,
            gsize  size)
{
  Entry *entry = links_try_send (links, from, size);

  g_assert_nonnull (entry);
  return entry;
}

void
links_send_many (Links *links,
                 Talk  *from,
                 guint  n,
                 gsize  size)
{
  for (guint i = 0; i < n; i++)
    links_send (links, from, size);
}

void
links_answer (Links *links)
{
  guint n = links->held->len;

  links->hold = FALSE;
  for (guint i = 0; i < n; i++)
    {
      Held held = g_array_index (links->held, Held, i);

      answer (links, &held);
    }
  g_array_remove_range (links->held, 0, n);
}

guint64
links_finish (Links  *links,
              guint64 span)
{
  guint64 start = links->world->now;

  while (links->open > 0)
    {
      g_assert_cmpuint (links->world->now - start, <, span);
      world_run (links->world, 10 * SQX_MILLISECOND);
    }
  return links->world->now - start;
}

void
links_check (Links *links)
{
  g_assert_cmpuint (links->open, ==, 0);
  for (guint i = 0; i < links->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (links->entries, i);

      if (entry->cancelled)
        continue;
      g_assert_cmpuint (entry->seen, ==, 1);
      g_assert_cmpuint (entry->told, ==, 1);
      g_assert_cmpint (entry->outcome, ==, SQX_EVENT_REPLY);
    }
}

guint64
links_all_fail (Links     *links,
                sqx_result error,
                guint64    span)
{
  guint64 start = links->world->now, last = start;
  g_autoptr (GPtrArray) waits = g_ptr_array_new ();

  for (guint i = 0; i < links->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (links->entries, i);

      if (entry->told == 0)
        g_ptr_array_add (waits, entry);
    }
  world_run (links->world, span);
  for (guint i = 0; i < waits->len; i++)
    {
      Entry *entry = g_ptr_array_index (waits, i);

      g_assert_cmpuint (entry->told, ==, 1);
      g_assert_cmpint (entry->outcome, ==, SQX_EVENT_FAILED);
      g_assert_cmpint (entry->error, ==, error);
      last = MAX (last, entry->told_at);
    }
  g_array_set_size (links->held, 0);
  return last - start;
}

void
links_check_works (Links *links)
{
  Entry *there = links_send (links, links->talk, 3000), *back = links_send (links, links->peer, 10);

  links_finish (links, 20 * SQX_SECOND);
  g_assert_cmpint (there->outcome, ==, SQX_EVENT_REPLY);
  g_assert_cmpint (back->outcome, ==, SQX_EVENT_REPLY);
}

const sqx_counters *
talk_counters (Talk *talk)
{
  return sqx_conn_counters (talk->conn);
}

sqx_statistics
talk_statistics (Talk *talk)
{
  sqx_statistics statistics;

  sqx_conn_statistics (talk->conn, &statistics);
  return statistics;
}

/* Fixture ------------------------------------------------------------------------------ */

void
links_set_up (Links        *links,
              gconstpointer data)
{
  memset (links, 0, sizeof *links);
  links->world = world_new ();
  links->weather.rand = g_rand_new_with_seed (1);
  links->world->filter = weather_filter;
  links->world->filter_data = &links->weather;
  links->world->taken = taken_cb;
  links->world->told = told_cb;
  links->world->program_data = links;
  links->entries = g_ptr_array_new_with_free_func (entry_free);
  links->held = g_array_new (FALSE, FALSE, sizeof (Held));
  links->a = site_new (links->world, 1);
  links->b = site_new (links->world, 2);
  site_config_secure (links->a, &links->config_a);
  site_config_secure (links->b, &links->config_b);
}

void
links_tear_down (Links        *links,
                 gconstpointer data)
{
  world_free (links->world);
  g_rand_free (links->weather.rand);
  g_ptr_array_unref (links->entries);
  g_array_unref (links->held);
}

void
links_open (Links *links)
{
  site_open (links->a, &links->config_a);
  site_open (links->b, &links->config_b);
}

void
links_connect (Links   *links,
               gboolean known)
{
  guint n = links->b->accepted->len;

  links->talk = site_connect (links->a, links->b, known ? links->b : NULL);
  world_run (links->world, 10 * links->world->latency + SQX_SECOND);
  g_assert_cmpint (sqx_conn_state (links->talk->conn), ==, SQX_STATE_CONNECTED);
  g_assert_cmpuint (links->b->accepted->len, ==, n + 1);
  links->peer = site_accepted (links->b, n);
  g_assert_cmpint (sqx_conn_state (links->peer->conn), ==, SQX_STATE_CONNECTED);
}

void
links_persist (Links  *links,
               guint64 limit)
{
  sqx_conn_set_persistent (links->talk->conn, links->world->now, limit);
  sqx_conn_set_persistent (links->peer->conn, links->world->now, limit);
}
