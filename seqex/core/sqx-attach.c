/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an endpoint knows of its connections, and how it finds them.
 */
#include "sqx-conn-private.h"
#include "sqx-endpoint-inner.h"

/* Finding ------------------------------------------------------------------------------ */

/* Multilinear hashing (Lemire and Kaser, Strongly universal string hashing is fast): of random
 * 64-bit factors, the upper half of the sum is strongly universal. */
uint64_t
sqx_endpoint_hash (const sqx_endpoint *endpoint,
                   const sqx_address  *address,
                   const uint32_t     *words,
                   size_t              n_words)
{
  const uint64_t *secrets = endpoint->hash_secrets;
  uint64_t sum = *secrets++;

  for (size_t i = 0; i < sizeof address->host; i += 4)
    sum += *secrets++ * sqx_get_be32 (address->host + i);
  sum += *secrets++ * ((uint32_t) address->host_size << 16 | address->port);
  assert (n_words <= SQX_HASH_WORDS - sizeof address->host / 4 - 1);
  for (size_t i = 0; i < n_words; i++)
    sum += *secrets++ * words[i];
  return sum >> 32;
}

sqx_conn *
sqx_endpoint_find_address (const sqx_endpoint *endpoint,
                           const sqx_address  *address,
                           sqx_conn           *after)
{
  sqx_table_node *node = after != NULL ? &after->attachment.where : NULL;
  uint64_t key = after != NULL ? node->key : sqx_endpoint_hash (endpoint, address, NULL, 0);

  while ((node = sqx_table_find (&endpoint->where, key, node)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, where);

      if (sqx_address_equal (&attachment->address, address))
        return SQX_CONTAINER (attachment, sqx_conn, attachment);
    }
  return NULL;
}

sqx_conn *
sqx_endpoint_find_unsettled (const sqx_endpoint *endpoint,
                             const sqx_address  *address,
                             sqx_conn           *after)
{
  const sqx_node *node = after != NULL ? &after->attachment.unsettled : &endpoint->unsettled;

  for (node = node->next; node != &endpoint->unsettled; node = node->next)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, unsettled);

      if (attachment->where.linked && sqx_address_equal (&attachment->address, address))
        return SQX_CONTAINER (attachment, sqx_conn, attachment);
    }
  return NULL;
}

void
sqx_endpoint_note_sent (sqx_conn          *conn,
                        const sqx_address *to,
                        const uint8_t     *data,
                        size_t             size)
{
  sqx_attachment *attachment = &conn->attachment;
  sqx_endpoint *endpoint = attachment->endpoint;
  bool is_data = size >= SQX_DATA_HEADER && (data[0] & ~1u) == SQX_PACKET_DATA;
  uint32_t id = is_data ? sqx_get_be32 (data + 1) : attachment->peer_id;
  bool moved = !attachment->where.linked || !sqx_address_equal (&attachment->address, to);

  if (moved)
    {
      attachment->address = *to;
      sqx_table_remove (&endpoint->where, &attachment->where);
      sqx_table_insert (&endpoint->where, &attachment->where,
                        sqx_endpoint_hash (endpoint, to, NULL, 0));
    }
  if (id != 0 && (moved || id != attachment->peer_id))
    {
      attachment->peer_id = id;
      sqx_table_remove (&endpoint->targets, &attachment->target);
      sqx_table_insert (&endpoint->targets, &attachment->target,
                        sqx_endpoint_hash (endpoint, to, &id, 1));
    }
}

/* Entering and leaving ----------------------------------------------------------------- */

bool
sqx_endpoint_attach (sqx_endpoint *endpoint,
                     sqx_conn     *conn)
{
  sqx_attachment *attachment = &conn->attachment;

  assert (attachment->endpoint == NULL);
  if (!sqx_heap_reserve (&endpoint->deadlines, (size_t) endpoint->n_connections + 1))
    return false;
  attachment->endpoint = endpoint;
  sqx_node_init (&attachment->all);
  sqx_node_init (&attachment->touched);
  sqx_node_init (&attachment->sending);
  sqx_node_init (&attachment->unsettled);
  sqx_node_init (&attachment->due);
  sqx_node_init (&attachment->stale);
  attachment->deadline = (sqx_heap_node) { SQX_TIME_NEVER, SQX_HEAP_NOWHERE };
  sqx_list_append (&endpoint->all, &attachment->all);
  endpoint->n_connections++;
  sqx_endpoint_touch (conn);
  return true;
}

void
sqx_endpoint_detach (sqx_conn *conn)
{
  sqx_attachment *attachment = &conn->attachment;
  sqx_endpoint *endpoint = attachment->endpoint;

  if (endpoint == NULL)
    return;
  sqx_node_unlink (&attachment->all);
  sqx_node_unlink (&attachment->touched);
  /* Whoever is first now has a turn of its own. */
  if (sqx_list_first (&endpoint->sending) == &attachment->sending)
    endpoint->turn = SQX_TRANSMIT_TURN;
  sqx_node_unlink (&attachment->sending);
  sqx_node_unlink (&attachment->unsettled);
  sqx_node_unlink (&attachment->due);
  sqx_node_unlink (&attachment->stale);
  sqx_heap_set (&endpoint->deadlines, &attachment->deadline, SQX_TIME_NEVER);
  sqx_endpoint_unroute (endpoint, &attachment->link);
  sqx_endpoint_unroute (endpoint, &attachment->handshake);
  sqx_table_remove (&endpoint->peers, &attachment->peer);
  sqx_table_remove (&endpoint->where, &attachment->where);
  sqx_table_remove (&endpoint->targets, &attachment->target);
  endpoint->n_connections--;
  endpoint->n_counted -= attachment->counted;
  *attachment = (sqx_attachment) { 0 };
}

static bool
is_unsettled (const sqx_conn *conn)
{
  return conn->secure != NULL && !sqx_conn_is_over (conn) &&
         !(conn->secure->linked && conn->secure->proven);
}

void
sqx_endpoint_touch (sqx_conn *conn)
{
  sqx_attachment *attachment = &conn->attachment;
  sqx_endpoint *endpoint = attachment->endpoint;

  if (!sqx_node_linked (&attachment->touched))
    sqx_list_append (&endpoint->touched, &attachment->touched);
  if (!sqx_node_linked (&attachment->sending))
    sqx_list_append (&endpoint->sending, &attachment->sending);
  if (is_unsettled (conn) != sqx_node_linked (&attachment->unsettled))
    {
      if (is_unsettled (conn))
        sqx_list_append (&endpoint->unsettled, &attachment->unsettled);
      else
        sqx_node_unlink (&attachment->unsettled);
    }
  if (!sqx_node_linked (&attachment->stale))
    sqx_list_append (&endpoint->stale, &attachment->stale);
}

void
sqx_endpoint_warm (const sqx_conn *conn)
{
  sqx_endpoint *endpoint = conn->attachment.endpoint;

  if (endpoint == NULL || endpoint->warm == conn)
    return;
  endpoint->warm = conn;
  sqx_prefetch (conn, sizeof *conn);
  if (conn->secure != NULL)
    sqx_prefetch (conn->secure, sizeof *conn->secure);
}

/* By the key alone: who opens several connections has them under one. */
static uint64_t
hash_of_key (const sqx_endpoint *endpoint,
             const uint8_t       key[SQX_KEY_SIZE])
{
  static const sqx_address nowhere;
  uint32_t words[SQX_KEY_SIZE / 4];

  for (size_t i = 0; i < SQX_KEY_SIZE / 4; i++)
    words[i] = sqx_get_be32 (key + 4 * i);
  return sqx_endpoint_hash (endpoint, &nowhere, words, SQX_KEY_SIZE / 4);
}

void
sqx_endpoint_peer_known (sqx_conn *conn)
{
  sqx_attachment *attachment = &conn->attachment;
  sqx_endpoint *endpoint = attachment->endpoint;

  sqx_table_remove (&endpoint->peers, &attachment->peer);
  sqx_table_insert (&endpoint->peers, &attachment->peer,
                    hash_of_key (endpoint, sqx_conn_peer_key (conn)));
}

sqx_conn *
sqx_endpoint_find_peer (const sqx_endpoint *endpoint,
                        const uint8_t       key[SQX_KEY_SIZE],
                        sqx_conn           *after)
{
  sqx_table_node *node = after != NULL ? &after->attachment.peer : NULL;
  uint64_t hash = hash_of_key (endpoint, key);

  while ((node = sqx_table_find (&endpoint->peers, hash, node)) != NULL)
    {
      sqx_attachment *attachment = SQX_CONTAINER (node, sqx_attachment, peer);
      sqx_conn *conn = SQX_CONTAINER (attachment, sqx_conn, attachment);

      if (!attachment->plain && memcmp (sqx_conn_peer_key (conn), key, SQX_KEY_SIZE) == 0)
        return conn;
    }
  return NULL;
}

/* Routes ------------------------------------------------------------------------------- */

void
sqx_endpoint_route (sqx_endpoint  *endpoint,
                    sqx_route     *route,
                    sqx_route_kind kind,
                    void          *owner)
{
  const sqx_config *config = &endpoint->config.connection;
  uint8_t bytes[4];
  uint32_t id;

  assert (route->owner == NULL);
  do
    {
      config->random (config->user_data, bytes, sizeof bytes);
      id = sqx_get_be32 (bytes);
    }
  while (id == 0 || sqx_table_find (&endpoint->routes, id, NULL) != NULL);
  sqx_table_insert (&endpoint->routes, &route->node, id);
  route->kind = kind;
  route->owner = owner;
}

void
sqx_endpoint_reroute (sqx_endpoint  *endpoint,
                      sqx_route     *from,
                      sqx_route     *to,
                      sqx_route_kind kind,
                      void          *owner)
{
  uint64_t id = from->node.key;

  assert (from->owner != NULL && to->owner == NULL);
  sqx_endpoint_unroute (endpoint, from);
  sqx_table_insert (&endpoint->routes, &to->node, id);
  to->kind = kind;
  to->owner = owner;
}

void
sqx_endpoint_unroute (sqx_endpoint *endpoint,
                      sqx_route    *route)
{
  sqx_table_remove (&endpoint->routes, &route->node);
  route->owner = NULL;
}

/* What connections ask for ------------------------------------------------------------- */

bool
sqx_endpoint_take_question (sqx_endpoint *endpoint)
{
  if (endpoint->n_questions >= SQX_AUTHORIZE_MAX)
    return false;
  endpoint->n_questions++;
  return true;
}

void
sqx_endpoint_give_question (sqx_endpoint *endpoint)
{
  assert (endpoint->n_questions > 0);
  endpoint->n_questions--;
}

const sqx_endpoint_config *
sqx_endpoint_get_config (const sqx_endpoint *endpoint)
{
  return &endpoint->config;
}

const uint8_t *
sqx_endpoint_psk (const sqx_endpoint *endpoint)
{
  return endpoint->has_psk ? endpoint->psk : NULL;
}

const uint8_t *
sqx_endpoint_public_key (const sqx_endpoint *endpoint)
{
  return endpoint->public_key;
}

/* What programs ask for ---------------------------------------------------------------- */

void *
sqx_conn_user_data (const sqx_conn *conn)
{
  return conn->user_data;
}

void
sqx_conn_set_user_data (sqx_conn *conn,
                        void     *user_data)
{
  conn->user_data = user_data;
}
