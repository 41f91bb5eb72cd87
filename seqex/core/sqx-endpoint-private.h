/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Between an endpoint and its connections. A connection embeds sqx_attachment; everything else that
 * it knows of its endpoint goes through these functions.
 */
#pragma once

#include "sqx-endpoint.h"
#include "sqx-heap.h"
#include "sqx-table.h"
#include "sqx-util.h"

/* What datagrams with one local id are for. */
typedef enum
{
  SQX_ROUTE_HALF_OPEN, /* CONFIRM, DATA: a peer's handshake that is not finished */
  SQX_ROUTE_HANDSHAKE, /* ACCEPT, RETRY, VERSION: a connection's own attempt */
  SQX_ROUTE_LINK,      /* DATA, CONFIRM again: a connection's link */
} sqx_route_kind;

typedef struct
{
  sqx_table_node node;  /* its key is the id */
  sqx_route_kind kind;
  void          *owner; /* NULL: not routed */
} sqx_route;

typedef struct
{
  sqx_endpoint *endpoint;  /* NULL: the connection stands alone */
  sqx_node      all;
  sqx_node      touched;   /* in the list of sqx_endpoint_poll_conn() */
  sqx_node      sending;   /* in the list of those that may have something to send */
  sqx_node      unsettled; /* in the list of those that have no link that the peer has proven */
  sqx_node      due;       /* in the list of those whose deadline has passed */
  sqx_node      stale;     /* in the list of those whose deadline is to be looked at anew */
  sqx_heap_node deadline;
  sqx_route     link;
  sqx_route     handshake;
  sqx_table_node peer;     /* by peer key, or by instance and address for PLAIN */
  sqx_table_node where;    /* by address */
  sqx_table_node target;   /* by address and peer_id */
  sqx_address   address;   /* where the last datagram went; PLAIN: where all go */
  uint32_t      peer_id;   /* destination id of the last DATA; 0: none was sent */
  bool          plain;
  bool          counted;   /* towards max_connections: opened by the peer */
} sqx_attachment;

/* Enters @conn, whose attachment is zero. false: no memory. */
bool sqx_endpoint_attach (sqx_endpoint *endpoint, sqx_conn *conn);
/* A no-op for one that stands alone. */
void sqx_endpoint_detach (sqx_conn *conn);
/* Something in @conn changed: it is polled, and its deadline is looked at anew. */
void sqx_endpoint_touch  (sqx_conn *conn);
/* @conn is about to be used. */
void sqx_endpoint_warm   (const sqx_conn *conn);
/* The peer key of @conn is known now. */
void sqx_endpoint_peer_known (sqx_conn *conn);

/* Draws an unguessable local id, not 0, that nobody else has. */
void     sqx_endpoint_route   (sqx_endpoint *endpoint, sqx_route *route, sqx_route_kind kind,
                               void *owner);
/* The id of @from, which is not routed any more then, becomes that of @to. */
void     sqx_endpoint_reroute (sqx_endpoint *endpoint, sqx_route *from, sqx_route *to,
                               sqx_route_kind kind, void *owner);
/* A no-op for one that is not routed. */
void     sqx_endpoint_unroute (sqx_endpoint *endpoint, sqx_route *route);
static inline uint32_t
sqx_route_id (const sqx_route *route)
{
  return (uint32_t) route->node.key;
}

/* Room for one more question to the program; given back when it is answered. */
bool sqx_endpoint_take_question (sqx_endpoint *endpoint);
void sqx_endpoint_give_question (sqx_endpoint *endpoint);

const sqx_endpoint_config *sqx_endpoint_get_config (const sqx_endpoint *endpoint);
const uint8_t             *sqx_endpoint_psk        (const sqx_endpoint *endpoint); /* NULL: none */
const uint8_t             *sqx_endpoint_public_key (const sqx_endpoint *endpoint);
