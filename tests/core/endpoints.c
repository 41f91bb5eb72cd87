/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "endpoints.h"

#include "sqx-endpoint-private.h"

#include <stdlib.h>
#include <string.h>

#include "seqex-crypto-private.h"

/* More packets at one instant than any test sends are a storm. */
#define FLUSH_LIMIT 1000000u
#define PAYLOAD_MAX 65536u
#define DELIVER_LIMIT 64u

/* Every message is made of these; they outlive all connections. */
static const guint8 zeros[PAYLOAD_MAX];

static void
flight_free (gpointer data)
{
  Flight *flight = data;

  g_free (flight->data);
  g_free (flight);
}

static void
site_free (gpointer data)
{
  Site *site = data;

  site_close (site);
  g_ptr_array_unref (site->talks);
  g_ptr_array_unref (site->accepted);
  g_free (site);
}

World *
world_new (void)
{
  World *world = g_new0 (World, 1);

  world->now = SQX_SECOND;
  world->latency = 10 * SQX_MILLISECOND;
  world->sites = g_ptr_array_new_with_free_func (site_free);
  world->flights = g_ptr_array_new_with_free_func (flight_free);
  return world;
}

void
world_free (World *world)
{
  g_ptr_array_unref (world->sites);
  g_ptr_array_unref (world->flights);
  g_free (world);
}

sqx_address
world_address (guint host,
               guint port)
{
  sqx_address address = { .host = { 10, 0, (guint8) (host >> 8), (guint8) host }, .host_size = 4,
                          .port = (guint16) port };

  return address;
}

/* Sites -------------------------------------------------------------------------------- */

/* xorshift64*: the same numbers on every machine. */
static void
random_cb (void *user_data, uint8_t *bytes, size_t size)
{
  Site *site = user_data;

  for (size_t i = 0; i < size; i++)
    {
      site->random ^= site->random >> 12;
      site->random ^= site->random << 25;
      site->random ^= site->random >> 27;
      bytes[i] = (uint8_t) ((site->random * UINT64_C (2685821657736338717)) >> 56);
    }
}

static sqx_trust
judge_cb (void *user_data, sqx_conn *conn, const uint8_t key[32])
{
  Site *site = user_data;

  site->judged++;
  site->judged_conn = conn;
  return site->trust;
}

void
site_config (Site                *site,
             sqx_endpoint_config *config)
{
  sqx_endpoint_config_init (config);
  config->connection.random = random_cb;
  config->connection.user_data = site;
  config->judge = judge_cb;
}

void
site_config_secure (Site                *site,
                    sqx_endpoint_config *config)
{
  site_config (site, config);
  config->crypto = seqex_crypto_table ();
  config->accepts = true;
  random_cb (site, config->secret_key, sizeof config->secret_key);
}

Site *
site_new (World *world,
          guint  host)
{
  Site *site = g_new0 (Site, 1);

  site->world = world;
  site->index = world->sites->len;
  site->address = world_address (host, 4000);
  site->random = UINT64_C (0x9e3779b97f4a7c15) + site->index;
  site->talks = g_ptr_array_new_with_free_func (g_free);
  site->accepted = g_ptr_array_new ();
  site->trust = SQX_TRUST_ACCEPT;
  g_ptr_array_add (world->sites, site);
  return site;
}

void
site_open (Site                      *site,
           const sqx_endpoint_config *config)
{
  if (config != NULL)
    site->config = *config;
  else
    site_config (site, &site->config);
  site->endpoint = sqx_endpoint_new (&site->config, site->world->now);
  g_assert_nonnull (site->endpoint);
}

void
site_close (Site *site)
{
  for (guint i = 0; i < site->talks->len; i++)
    talk_free_conn (g_ptr_array_index (site->talks, i));
  g_clear_pointer (&site->endpoint, sqx_endpoint_free);
}

static Talk *
talk_new (Site     *site,
          sqx_conn *conn)
{
  Talk *talk = g_new0 (Talk, 1);

  talk->site = site;
  talk->conn = conn;
  g_ptr_array_add (site->talks, talk);
  return talk;
}

Talk *
site_add_plain (Site              *site,
                guint32            instance,
                const sqx_address *to)
{
  Talk *talk = talk_new (site, NULL);
  sqx_config config = site->config.connection;

  config.instance = instance;
  talk->conn = sqx_endpoint_add_plain (site->endpoint, site->world->now, &config, to, talk);
  if (talk->conn == NULL)
    {
      g_ptr_array_remove (site->talks, talk);
      return NULL;
    }
  g_assert_true (sqx_conn_user_data (talk->conn) == talk);
  return talk;
}

Talk *
site_connect (Site *site,
              Site *to,
              Site *expected)
{
  Talk *talk = talk_new (site, NULL);

  talk->conn = sqx_endpoint_connect (site->endpoint, site->world->now, &site->config.connection,
                                     &to->address, expected ? site_key (expected) : NULL, talk);
  g_assert_nonnull (talk->conn);
  return talk;
}

const guint8 *
site_key (Site *site)
{
  return sqx_endpoint_public_key (site->endpoint);
}

Talk *
site_accepted (Site *site,
               guint n)
{
  g_assert_cmpuint (n, <, site->accepted->len);
  return g_ptr_array_index (site->accepted, n);
}

/* Programs ----------------------------------------------------------------------------- */

sqx_result
talk_send (Talk *talk,
           gsize size)
{
  sqx_payload payload = { zeros, size, NULL };

  g_assert_cmpuint (size, <=, PAYLOAD_MAX);
  return sqx_conn_send (talk->conn, talk->site->world->now, 0, &payload, 0, talk, NULL);
}

void
talk_free_conn (Talk *talk)
{
  g_clear_pointer (&talk->conn, sqx_conn_free);
}

static void
take_messages (Talk   *talk,
               guint32 channel)
{
  World *world = talk->site->world;
  guint64 now = world->now;
  sqx_message message;

  while (sqx_conn_receive (talk->conn, now, channel, &message))
    {
      sqx_payload payload = { zeros, message.size, NULL };
      gboolean handled = world->taken != NULL && world->taken (talk, &message, world->program_data);

      talk->messages++;
      free (message.data);
      if (handled || talk->mute || (message.flags & SQX_MESSAGE_FINAL))
        continue;
      if (sqx_conn_reply (talk->conn, now, &message.id, &payload, SQX_MESSAGE_FINAL, NULL,
                          NULL) != SQX_OK)
        sqx_conn_end (talk->conn, now, &message.id, SQX_END_FAILED);
    }
}

static void
handle_event (Talk      *talk,
              sqx_event *event)
{
  World *world = talk->site->world;

  g_assert_false (talk->closed);
  if (world->told != NULL)
    world->told (talk, event, world->program_data);
  switch (event->type)
    {
    case SQX_EVENT_CONNECTED:
      talk->connected++;
      break;
    case SQX_EVENT_MESSAGE:
      take_messages (talk, event->channel);
      break;
    case SQX_EVENT_REPLY:
      talk->replies++;
      free (event->message.data);
      break;
    case SQX_EVENT_END:
      talk->ends += event->tag != NULL;
      break;
    case SQX_EVENT_FAILED:
      talk->failed += event->tag != NULL;
      talk->error = event->error;
      break;
    case SQX_EVENT_DATAGRAM:
      free (event->message.data);
      break;
    case SQX_EVENT_STREAM:
      talk->may_open += event->stream == NULL;
      if (event->opened && talk->streams != NULL)
        g_ptr_array_add (talk->streams, event->stream);
      else if (event->opened)
        sqx_stream_release (talk->conn, talk->site->world->now, event->stream);
      break;
    case SQX_EVENT_RESTARTED:
      talk->restarted++;
      break;
    case SQX_EVENT_AUTHORIZE:
      talk->authorize++;
      if (!talk->site->hold_authorize)
        sqx_conn_authorize (talk->conn, talk->site->world->now, talk->site->authorize);
      break;
    case SQX_EVENT_RECONNECTING:
      talk->reconnecting++;
      break;
    case SQX_EVENT_MOVED:
      talk->moved++;
      break;
    case SQX_EVENT_CLOSED:
      talk->closed = TRUE;
      talk->closing = *event;
      break;
    case SQX_EVENT_CANCELLED:
    case SQX_EVENT_WRITABLE:
      break;
    }
}

/* The network -------------------------------------------------------------------------- */

/* By time, and those of one instant in the order in which they were sent. */
static void
add_flight (World  *world,
            Flight *flight)
{
  GPtrArray *flights = world->flights;
  guint at = flights->len;

  while (at > 0 && ((const Flight *) g_ptr_array_index (flights, at - 1))->at > flight->at)
    at--;
  g_ptr_array_insert (flights, at, flight);
}

void
world_inject (World             *world,
              const sqx_address *from,
              const sqx_address *to,
              const void        *data,
              gsize              size)
{
  Flight *flight = g_new0 (Flight, 1);

  flight->at = world->now + world->latency;
  flight->from = *from;
  flight->to = *to;
  flight->data = g_memdup2 (data, size);
  flight->size = size;
  if (world->filter != NULL && !world->filter (world, flight, world->filter_data))
    {
      flight_free (flight);
      return;
    }
  add_flight (world, flight);
}

static gboolean
site_flush (Site *site)
{
  guint8 buffer[SQX_DATAGRAM_MAX];
  sqx_address to;
  gboolean moved = FALSE;
  sqx_conn *conn;
  size_t size;

  while ((size = sqx_endpoint_poll_transmit (site->endpoint, site->world->now, &to, buffer,
                                             sizeof buffer)) > 0)
    {
      site->sent++;
      site->sent_bytes += size;
      moved = TRUE;
      world_inject (site->world, &site->address, &to, buffer, size);
    }
  while ((conn = sqx_endpoint_poll_conn (site->endpoint)) != NULL)
    {
      Talk *talk = sqx_conn_user_data (conn);
      sqx_event event;

      site->polled++;
      if (talk == NULL)
        {
          talk = talk_new (site, conn);
          sqx_conn_set_user_data (conn, talk);
          g_ptr_array_add (site->accepted, talk);
        }
      while (sqx_conn_poll_event (conn, &event))
        {
          handle_event (talk, &event);
          moved = TRUE;
        }
    }
  return moved;
}

void
world_flush (World *world)
{
  guint rounds = 0;
  gboolean moved;

  do
    {
      moved = FALSE;
      for (guint i = 0; i < world->sites->len; i++)
        {
          Site *site = g_ptr_array_index (world->sites, i);

          moved |= site->endpoint != NULL && site_flush (site);
        }
      g_assert_cmpuint (rounds++, <, FLUSH_LIMIT);
    }
  while (moved);
}

static guint64
next_instant (World *world)
{
  guint64 next = SQX_TIME_NEVER;

  if (world->flights->len > 0)
    next = ((Flight *) g_ptr_array_index (world->flights, 0))->at;
  for (guint i = 0; i < world->sites->len; i++)
    {
      Site *site = g_ptr_array_index (world->sites, i);

      if (site->endpoint != NULL)
        next = MIN (next, sqx_endpoint_next_timeout (site->endpoint));
    }
  return next;
}

/* As many as whoever drives an endpoint would read in one go. TRUE: there may be more. */
static gboolean
deliver (World *world)
{
  for (guint n = 0; n < DELIVER_LIMIT; n++)
    {
      Flight *flight = world->flights->len > 0 ? g_ptr_array_index (world->flights, 0) : NULL;

      if (flight == NULL || flight->at > world->now)
        return FALSE;
      g_ptr_array_steal_index (world->flights, 0);
      for (guint i = 0; i < world->sites->len; i++)
        {
          Site *site = g_ptr_array_index (world->sites, i);

          if (site->endpoint != NULL && sqx_address_equal (&site->address, &flight->to))
            sqx_endpoint_handle_datagram (site->endpoint, world->now, &flight->from, flight->data,
                                          flight->size);
        }
      flight_free (flight);
    }
  return TRUE;
}

static void
meet_deadlines (World *world)
{
  for (guint i = 0; i < world->sites->len; i++)
    {
      Site *site = g_ptr_array_index (world->sites, i);

      if (site->endpoint == NULL || sqx_endpoint_next_timeout (site->endpoint) > world->now)
        continue;
      site->expired = TRUE;
      site->sent_before = site->sent;
      sqx_endpoint_handle_timeout (site->endpoint, world->now);
    }
}

/* A deadline that came leads to a packet or to a later deadline, or else timers would fire for
 * ever. */
static void
check_progress (World *world)
{
  for (guint i = 0; i < world->sites->len; i++)
    {
      Site *site = g_ptr_array_index (world->sites, i);

      if (site->expired && site->endpoint != NULL)
        g_assert_true (site->sent > site->sent_before ||
                       sqx_endpoint_next_timeout (site->endpoint) > world->now);
      site->expired = FALSE;
    }
}

void
world_run (World  *world,
           guint64 span)
{
  guint64 end = world->now + span, next;
  guint still = 0;

  world_flush (world);
  while ((next = next_instant (world)) <= end)
    {
      /* A deadline that stays where it is, without anything to send, would stop time. */
      still = next <= world->now ? still + 1 : 0;
      g_assert_cmpuint (still, <, 1000);
      world->now = MAX (world->now, next);
      while (deliver (world))
        world_flush (world);
      meet_deadlines (world);
      world_flush (world);
      check_progress (world);
    }
  world->now = end;
}
