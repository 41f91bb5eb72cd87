/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint: its life, and the way of datagrams in and out.
 */
#include "sqx-admission.h"

#include <stdlib.h>

#include "sqx-conn-private.h"

/* Life --------------------------------------------------------------------------------- */

void
sqx_endpoint_config_init (sqx_endpoint_config *config)
{
  *config = (sqx_endpoint_config) {
    .max_connections = SQX_CONNECTIONS_DEFAULT,
    .max_half_open = SQX_HALF_OPEN_DEFAULT,
    .max_half_open_per_host = SQX_HALF_OPEN_HOST_DEFAULT,
    .retry_threshold = SQX_RETRY_THRESHOLD,
  };
  sqx_config_init (&config->connection);
}

static bool
config_is_valid (const sqx_endpoint_config *config)
{
  return sqx_config_is_valid (&config->connection) &&
         config->cipher <= SQX_CIPHER_CHACHA20POLY1305 &&
         config->max_connections <= SQX_CONNECTIONS_MAX &&
         config->max_half_open >= 1 && config->max_half_open <= SQX_HALF_OPEN_MAX &&
         config->max_half_open_per_host >= 1;
}

static uint64_t
draw (const sqx_config *config)
{
  uint8_t bytes[8];

  config->random (config->user_data, bytes, sizeof bytes);
  return (uint64_t) sqx_get_be32 (bytes) << 32 | sqx_get_be32 (bytes + 4);
}

static bool
init_tables (sqx_endpoint *endpoint)
{
  const sqx_config *config = &endpoint->config.connection;
  sqx_table *tables[] = {
    &endpoint->routes, &endpoint->peers, &endpoint->where, &endpoint->targets
  };

  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    if (!sqx_table_init (tables[i], draw (config)))
      return false;
  for (size_t i = 0; i <= SQX_HASH_WORDS; i++)
    endpoint->hash_secrets[i] = draw (config);
  return true;
}

sqx_endpoint *
sqx_endpoint_new (const sqx_endpoint_config *config,
                  uint64_t                   now)
{
  sqx_endpoint_config filled = *config;
  sqx_endpoint *endpoint;

  sqx_config_fill (&filled.connection);
  if (!config_is_valid (&filled))
    return NULL;
  endpoint = calloc (1, sizeof *endpoint);
  if (endpoint == NULL)
    return NULL;

  if (filled.connection.application_id != NULL)
    memcpy (endpoint->application_id, filled.connection.application_id,
            strlen (filled.connection.application_id));
  filled.connection.application_id = endpoint->application_id;
  endpoint->config = filled;
  endpoint->turn = SQX_TRANSMIT_TURN;
  sqx_node_init (&endpoint->all);
  sqx_node_init (&endpoint->touched);
  sqx_node_init (&endpoint->sending);
  sqx_node_init (&endpoint->unsettled);
  sqx_node_init (&endpoint->stale);
  sqx_heap_init (&endpoint->deadlines);
  if (!init_tables (endpoint) ||
      (filled.crypto != NULL && !sqx_admission_init (endpoint, draw (&filled.connection))))
    {
      sqx_endpoint_free (endpoint);
      return NULL;
    }
  if (filled.crypto != NULL)
    filled.crypto->x25519_base (endpoint->public_key, endpoint->config.secret_key);
  return endpoint;
}

static void
wipe_keys (sqx_endpoint *endpoint)
{
  const sqx_crypto *crypto = endpoint->config.crypto;

  if (crypto == NULL)
    return;
  crypto->wipe (endpoint->config.secret_key, sizeof endpoint->config.secret_key);
  crypto->wipe (endpoint->psk, sizeof endpoint->psk);
}

void
sqx_endpoint_free (sqx_endpoint *endpoint)
{
  if (endpoint == NULL)
    return;
  assert (endpoint->n_connections == 0);
  sqx_admission_clear (endpoint);
  wipe_keys (endpoint);
  sqx_heap_clear (&endpoint->deadlines);
  sqx_table_clear (&endpoint->routes);
  sqx_table_clear (&endpoint->peers);
  sqx_table_clear (&endpoint->where);
  sqx_table_clear (&endpoint->targets);
  free (endpoint);
}

void
sqx_endpoint_set_psk (sqx_endpoint  *endpoint,
                      const uint8_t *psk)
{
  endpoint->has_psk = psk != NULL;
  if (psk != NULL)
    memcpy (endpoint->psk, psk, sizeof endpoint->psk);
  else if (endpoint->config.crypto != NULL)
    endpoint->config.crypto->wipe (endpoint->psk, sizeof endpoint->psk);
}

void
sqx_endpoint_set_accepts (sqx_endpoint *endpoint,
                          bool          accepts)
{
  endpoint->config.accepts = accepts;
}

void
sqx_endpoint_set_max_datagram_size (sqx_endpoint *endpoint,
                                    uint32_t      size)
{
  if (size >= SQX_DATAGRAM_MIN && size <= SQX_DATAGRAM_MAX)
    endpoint->config.connection.max_datagram_size = size;
}

/* Connections -------------------------------------------------------------------------- */

static uint64_t
plain_key (const sqx_endpoint *endpoint,
           const sqx_address  *address,
           uint32_t            instance)
{
  return sqx_endpoint_hash (endpoint, address, &instance, 1);
}

static sqx_conn *
find_plain (const sqx_endpoint *endpoint,
            const sqx_address  *address,
            uint32_t            instance)
{
  uint64_t key = plain_key (endpoint, address, instance);
  sqx_table_node *node = NULL;

  while ((node = sqx_table_find (&endpoint->peers, key, node)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, peer);
      sqx_conn *conn = SQX_CONTAINER (attachment, sqx_conn, attachment);

      if (attachment->plain && conn->plain.instance == instance &&
          sqx_address_equal (&attachment->address, address))
        return conn;
    }
  return NULL;
}

sqx_conn *
sqx_endpoint_add_plain (sqx_endpoint      *endpoint,
                        uint64_t           now,
                        const sqx_config  *config,
                        const sqx_address *to,
                        void              *user_data)
{
  sqx_conn *conn;

  if (find_plain (endpoint, to, config->instance) != NULL)
    return NULL;
  conn = sqx_conn_new (config, now);
  if (conn == NULL)
    return NULL;
  conn->user_data = user_data;
  if (!sqx_endpoint_attach (endpoint, conn))
    {
      sqx_conn_free (conn);
      return NULL;
    }
  conn->attachment.plain = true;
  sqx_endpoint_note_sent (conn, to, NULL, 0);
  sqx_table_insert (&endpoint->peers, &conn->attachment.peer,
                    plain_key (endpoint, to, config->instance));
  return conn;
}

sqx_conn *
sqx_endpoint_connect (sqx_endpoint      *endpoint,
                      uint64_t           now,
                      const sqx_config  *config,
                      const sqx_address *to,
                      const uint8_t     *peer_key,
                      void              *user_data)
{
  if (endpoint->config.crypto == NULL)
    return NULL;
  return sqx_conn_new_dialling (endpoint, now, config, to, peer_key, user_data);
}

uint32_t
sqx_endpoint_n_connections (const sqx_endpoint *endpoint)
{
  return endpoint->n_connections;
}

uint32_t
sqx_endpoint_n_half_open (const sqx_endpoint *endpoint)
{
  return endpoint->admission != NULL ? endpoint->admission->half_opens.count : 0;
}

const sqx_endpoint_counters *
sqx_endpoint_counters_get (const sqx_endpoint *endpoint)
{
  return &endpoint->counters;
}

/* In ----------------------------------------------------------------------------------- */

static void
handle_plain (sqx_endpoint      *endpoint,
              uint64_t           now,
              const sqx_address *from,
              const uint8_t     *data,
              size_t             size)
{
  uint32_t instance;
  sqx_conn *conn;

  if (!sqx_peek_instance (data, size, &instance))
    {
      endpoint->counters.truncated++;
      return;
    }
  conn = find_plain (endpoint, from, instance);
  if (conn == NULL)
    endpoint->counters.unknown_plain++;
  else
    sqx_conn_handle_datagram (conn, now, data, size);
}

/* RESET tells a hint to whoever has sent such a DATA there. */
static void
handle_reset (sqx_endpoint      *endpoint,
              uint64_t           now,
              const sqx_address *from,
              const uint8_t     *data,
              size_t             size)
{
  sqx_table_node *node = NULL;
  uint32_t id, number;
  uint64_t hash;

  if (!sqx_decode_reset (data, size, &id, &number))
    {
      endpoint->counters.malformed++;
      return;
    }
  hash = sqx_endpoint_hash (endpoint, from, &id, 1);
  while ((node = sqx_table_find (&endpoint->targets, hash, node)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, target);

      if (attachment->peer_id == id && sqx_address_equal (&attachment->address, from))
        {
          sqx_conn_handle_reset (SQX_CONTAINER (attachment, sqx_conn, attachment), now, from,
                                 number);
          return;
        }
    }
  endpoint->counters.unknown_id++;
}

static void
handle_half_open (sqx_endpoint      *endpoint,
                  uint64_t           now,
                  const sqx_address *from,
                  sqx_half_open     *half_open,
                  uint8_t           *data,
                  size_t             size)
{
  if (data[0] == SQX_PACKET_CONFIRM)
    sqx_arrival_handle_confirm (endpoint, now, from, half_open, data, size);
  else if ((data[0] & ~1u) == SQX_PACKET_DATA)
    sqx_arrival_handle_data (endpoint, now, from, half_open, data, size);
  else
    endpoint->counters.unknown_id++;
}

/* What bears an id of this side. */
static void
handle_routed (sqx_endpoint      *endpoint,
               uint64_t           now,
               const sqx_address *from,
               uint8_t           *data,
               size_t             size)
{
  bool is_data = (data[0] & ~1u) == SQX_PACKET_DATA;
  bool is_answer = !is_data && data[0] != SQX_PACKET_CONFIRM;
  sqx_table_node *node;
  sqx_route *route;
  uint32_t id;

  if (!sqx_peek_destination (data, size, &id))
    {
      endpoint->counters.truncated++;
      return;
    }
  node = sqx_table_find (&endpoint->routes, id, NULL);
  route = node != NULL ? SQX_CONTAINER (node, sqx_route, node) : NULL;
  if (route == NULL)
    {
      endpoint->counters.unknown_id++;
      if (is_data)
        sqx_admission_answer_reset (endpoint, now, from, data, size);
    }
  else if (route->kind == SQX_ROUTE_HALF_OPEN)
    handle_half_open (endpoint, now, from, route->owner, data, size);
  else if (is_answer)
    sqx_conn_handle_answer (route->owner, now, data, size);
  else if (route->kind == SQX_ROUTE_HANDSHAKE)
    endpoint->counters.unknown_id++; /* nobody knows that id as one of a link yet */
  else if (is_data)
    {
      sqx_endpoint_warm (route->owner);
      sqx_conn_handle_data (route->owner, now, from, data, size);
    }
  else
    sqx_conn_handle_confirm (route->owner, now);
}

static void
handle_secure (sqx_endpoint      *endpoint,
               uint64_t           now,
               const sqx_address *from,
               uint8_t           *data,
               size_t             size)
{
  if (endpoint->admission == NULL || data[0] > SQX_PACKET_PLAIN)
    endpoint->counters.unknown_type++;
  else if (data[0] == SQX_PACKET_INIT)
    sqx_admission_handle_init (endpoint, now, from, data, size);
  else if (data[0] == SQX_PACKET_RESET)
    handle_reset (endpoint, now, from, data, size);
  else
    handle_routed (endpoint, now, from, data, size);
}

bool
sqx_endpoint_handle_datagram (sqx_endpoint      *endpoint,
                              uint64_t           now,
                              const sqx_address *from,
                              uint8_t           *data,
                              size_t             size)
{
  if (size == 0 || data[0] < SQX_PACKET_INIT || data[0] > SQX_PACKET_LAST)
    return false;
  if (data[0] == SQX_PACKET_PLAIN)
    handle_plain (endpoint, now, from, data, size);
  else
    handle_secure (endpoint, now, from, data, size);
  return true;
}

void
sqx_endpoint_handle_unreachable (sqx_endpoint      *endpoint,
                                 uint64_t           now,
                                 const sqx_address *to)
{
  sqx_conn *conn = NULL;

  while ((conn = sqx_endpoint_find_address (endpoint, to, conn)) != NULL)
    sqx_conn_handle_unreachable (conn, now);
}

void
sqx_endpoint_handle_too_large (sqx_endpoint      *endpoint,
                               uint64_t           now,
                               const sqx_address *to,
                               size_t             size)
{
  sqx_conn *conn = NULL;

  while ((conn = sqx_endpoint_find_address (endpoint, to, conn)) != NULL)
    sqx_conn_handle_too_large (conn, now, size);
}

void
sqx_endpoint_handle_network_changed (sqx_endpoint *endpoint,
                                     uint64_t      now)
{
  for (sqx_node *node = endpoint->all.next; node != &endpoint->all; node = node->next)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, all);

      sqx_conn_handle_network_changed (SQX_CONTAINER (attachment, sqx_conn, attachment), now);
    }
}

/* Which connection has something to do first; NULL: none has. */
static sqx_heap_node *
first_deadline (sqx_endpoint *endpoint)
{
  sqx_node *node;

  while ((node = sqx_list_first (&endpoint->stale)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, stale);

      sqx_node_unlink (node);
      sqx_heap_set (&endpoint->deadlines, &attachment->deadline,
                    sqx_conn_next_timeout (SQX_CONTAINER (attachment, sqx_conn, attachment)));
    }
  return sqx_heap_first (&endpoint->deadlines);
}

/* A deadline may stay passed until what it asks for was sent, so those that are due now are set
 * apart first. */
void
sqx_endpoint_handle_timeout (sqx_endpoint *endpoint,
                             uint64_t      now)
{
  sqx_heap_node *first;
  sqx_node due, *node;

  sqx_admission_timeout (endpoint, now);
  sqx_node_init (&due);
  while ((first = first_deadline (endpoint)) != NULL && first->at <= now)
    {
      sqx_list_append (&due, &SQX_CONTAINER (first, sqx_attachment, deadline)->due);
      sqx_heap_set (&endpoint->deadlines, first, SQX_TIME_NEVER);
    }
  while ((node = sqx_list_first (&due)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, due);
      sqx_conn *conn = SQX_CONTAINER (attachment, sqx_conn, attachment);

      sqx_node_unlink (node);
      sqx_endpoint_warm (conn);
      sqx_conn_handle_timeout (conn, now);
      sqx_endpoint_touch (conn);
    }
}

uint64_t
sqx_endpoint_next_timeout (sqx_endpoint *endpoint)
{
  const sqx_heap_node *first = first_deadline (endpoint);
  uint64_t deadline = sqx_admission_deadline (endpoint);

  return first != NULL ? SQX_MIN (first->at, deadline) : deadline;
}

/* Out ---------------------------------------------------------------------------------- */

size_t
sqx_endpoint_poll_transmit (sqx_endpoint *endpoint,
                            uint64_t      now,
                            sqx_address  *to,
                            uint8_t      *buffer,
                            size_t        capacity)
{
  size_t size = sqx_admission_transmit (endpoint, to, buffer, capacity);
  sqx_node *node;

  if (size > 0)
    return size;
  while ((node = sqx_list_first (&endpoint->sending)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, sending);
      sqx_conn *conn = SQX_CONTAINER (attachment, sqx_conn, attachment);
      bool turn_ends;

      size = sqx_conn_poll_transmit (conn, now, buffer, capacity);
      turn_ends = size == 0 || --endpoint->turn == 0;
      if (turn_ends)
        {
          sqx_node_unlink (node);
          endpoint->turn = SQX_TRANSMIT_TURN;
        }
      if (size == 0)
        continue;
      if (turn_ends)
        sqx_list_append (&endpoint->sending, node);
      *to = attachment->plain ? attachment->address : *sqx_conn_destination (conn);
      sqx_endpoint_note_sent (conn, to, buffer, size);
      return size;
    }
  return 0;
}

sqx_conn *
sqx_endpoint_poll_conn (sqx_endpoint *endpoint)
{
  sqx_node *node = sqx_list_first (&endpoint->touched);
  sqx_attachment *attachment;

  if (node == NULL)
    return NULL;
  sqx_node_unlink (node);
  attachment = SQX_CONTAINER (node, sqx_attachment, touched);
  return SQX_CONTAINER (attachment, sqx_conn, attachment);
}
