/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-events.h"

/* The types in the queue, in their order. */
static void
assert_queue (const sqx_node *queue,
              guint           count,
              ...)
{
  const sqx_node *node = queue->next;
  va_list args;

  va_start (args, count);
  for (guint i = 0; i < count; i++, node = node->next)
    {
      g_assert_true (node != queue);
      g_assert_cmpint (SQX_CONTAINER (node, const sqx_event_node, node)->type, ==,
                       va_arg (args, int));
    }
  va_end (args);
  g_assert_true (node == queue);
}

static void
test_order (void)
{
  sqx_node queue;
  sqx_event_node a, b, c;

  sqx_node_init (&queue);
  sqx_event_node_init (&a);
  sqx_event_node_init (&b);
  sqx_event_node_init (&c);
  g_assert_false (sqx_event_node_pending (&a));

  sqx_events_push (&queue, &b, SQX_EVENT_CONNECTED);
  sqx_events_push (&queue, &a, SQX_EVENT_REPLY);
  sqx_events_push (&queue, &c, SQX_EVENT_CLOSED);
  g_assert_true (sqx_event_node_pending (&a));
  assert_queue (&queue, 3, SQX_EVENT_CONNECTED, SQX_EVENT_REPLY, SQX_EVENT_CLOSED);
  g_assert_true (sqx_list_first (&queue) == &b.node);

  sqx_event_node_withdraw (&b);
  g_assert_false (sqx_event_node_pending (&b));
  assert_queue (&queue, 2, SQX_EVENT_REPLY, SQX_EVENT_CLOSED);
  sqx_event_node_withdraw (&c);
  sqx_event_node_withdraw (&a);
  g_assert_true (sqx_list_empty (&queue));
}

/* What waits already gets its new type where it stands. */
static void
test_again (void)
{
  sqx_node queue;
  sqx_event_node a, b;

  sqx_node_init (&queue);
  sqx_event_node_init (&a);
  sqx_event_node_init (&b);
  sqx_events_push (&queue, &a, SQX_EVENT_REPLY);
  sqx_events_push (&queue, &b, SQX_EVENT_MESSAGE);
  sqx_events_push (&queue, &a, SQX_EVENT_END);
  assert_queue (&queue, 2, SQX_EVENT_END, SQX_EVENT_MESSAGE);

  /* Once it was withdrawn it goes to the end. */
  sqx_event_node_withdraw (&a);
  sqx_events_push (&queue, &a, SQX_EVENT_FAILED);
  assert_queue (&queue, 2, SQX_EVENT_MESSAGE, SQX_EVENT_FAILED);
}

static void
test_withdraw_twice (void)
{
  sqx_node queue;
  sqx_event_node a, b;

  sqx_node_init (&queue);
  sqx_event_node_init (&a);
  sqx_event_node_init (&b);
  sqx_event_node_withdraw (&a);
  g_assert_false (sqx_event_node_pending (&a));

  sqx_events_push (&queue, &a, SQX_EVENT_DATAGRAM);
  sqx_events_push (&queue, &b, SQX_EVENT_DATAGRAM);
  sqx_event_node_withdraw (&a);
  sqx_event_node_withdraw (&a);
  assert_queue (&queue, 1, SQX_EVENT_DATAGRAM);
  g_assert_true (sqx_list_first (&queue) == &b.node);
}

/* A queue knows nothing of another. */
static void
test_two_queues (void)
{
  sqx_node first, second;
  sqx_event_node a, b;

  sqx_node_init (&first);
  sqx_node_init (&second);
  sqx_event_node_init (&a);
  sqx_event_node_init (&b);
  sqx_events_push (&first, &a, SQX_EVENT_WRITABLE);
  sqx_events_push (&second, &b, SQX_EVENT_RESTARTED);
  assert_queue (&first, 1, SQX_EVENT_WRITABLE);
  assert_queue (&second, 1, SQX_EVENT_RESTARTED);
  sqx_event_node_withdraw (&a);
  assert_queue (&second, 1, SQX_EVENT_RESTARTED);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/events/order", test_order);
  g_test_add_func ("/seqex/events/again", test_again);
  g_test_add_func ("/seqex/events/withdraw-twice", test_withdraw_twice);
  g_test_add_func ("/seqex/events/two-queues", test_two_queues);
  return g_test_run ();
}
