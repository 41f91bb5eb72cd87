/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-received.h"

#include <stdlib.h>

#include "sqx-channels.h"

void
sqx_received_return_bytes (sqx_incoming *message,
                           uint64_t      now)
{
  sqx_session *session = message->session;

  if (message->returned)
    return;
  message->returned = true;
  if (sqx_channel_is_stream (message->channel))
    {
      sqx_stream_returned (sqx_channel_stream (message->channel), message->total);
      return;
    }
  sqx_credit_return_bytes (&session->credit, now, sqx_message_cost (message->total),
                           *session->rtt);
}

/* Gives up what has arrived: nobody will read it. */
void
sqx_received_drop_body (sqx_incoming *message)
{
  sqx_session *session = message->session;

  session->held -= message->body.capacity;
  session->fragment_ranges -= message->body.ranges.count;
  sqx_reassembly_clear (&message->body);
}

void
sqx_received_free_if_done (sqx_incoming *message,
                           sqx_pool     *pool)
{
  if (message->session != NULL || message->wait != NULL ||
      sqx_node_linked (&message->node) || sqx_event_node_pending (&message->event))
    return;
  sqx_reassembly_clear (&message->body);
  sqx_pool_give (pool, message);
}
