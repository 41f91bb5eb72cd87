/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The queue of events on their way to the program. A node is embedded in what the event is
 * about, so that telling the program can never fail for want of memory.
 */
#pragma once

#include "sqx-util.h"
#include "sqx.h"

typedef struct
{
  sqx_node       node;
  sqx_event_type type;
} sqx_event_node;

static inline void
sqx_event_node_init (sqx_event_node *event)
{
  sqx_node_init (&event->node);
}

static inline bool
sqx_event_node_pending (const sqx_event_node *event)
{
  return sqx_node_linked (&event->node);
}

/* Appends @event, or gives it a new type at the place where it waits already. */
static inline void
sqx_events_push (sqx_node *queue, sqx_event_node *event, sqx_event_type type)
{
  event->type = type;
  if (!sqx_event_node_pending (event))
    sqx_list_append (queue, &event->node);
}

static inline void
sqx_event_node_withdraw (sqx_event_node *event)
{
  sqx_node_unlink (&event->node);
}
