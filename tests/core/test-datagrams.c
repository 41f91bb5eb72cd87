/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two queues of unconfirmed datagrams. What a connection does with them is in test-datagram.c.
 */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"
#include "sqx-datagrams.h"

typedef struct
{
  sqx_datagrams datagrams;
  sqx_config    config;
  sqx_node      events;
  int           refs;
} Queues;

static void
queues_set_up (Queues *q)
{
  *q = (Queues) { .config = { .payload_ref = count_ref, .payload_unref = count_unref } };
  sqx_node_init (&q->events);
  sqx_datagrams_init (&q->datagrams);
}

static sqx_result
queue (Queues *q,
       size_t  size)
{
  sqx_payload payload = { zeros, size, &q->refs };

  return sqx_datagrams_submit (&q->datagrams, &q->config, &payload);
}

static sqx_received_datagram *
first_received (Queues *q)
{
  sqx_event_node *node = SQX_CONTAINER (sqx_list_first (&q->events), sqx_event_node, node);

  g_assert_cmpint (node->type, ==, SQX_EVENT_DATAGRAM);
  sqx_event_node_withdraw (node);
  return SQX_CONTAINER (node, sqx_received_datagram, event);
}

static void
test_submit (void)
{
  Queues q;

  queues_set_up (&q);
  g_assert_cmpuint (sqx_datagrams_next_size (&q.datagrams), ==, SIZE_MAX);
  for (guint i = 0; i < SQX_DATAGRAM_QUEUE; i++)
    g_assert_cmpint (queue (&q, 10 + i), ==, SQX_OK);
  g_assert_cmpint (queue (&q, 1), ==, SQX_ERR_QUEUE_FULL);
  g_assert_cmpint (q.refs, ==, (int) SQX_DATAGRAM_QUEUE);
  g_assert_cmpuint (sqx_datagrams_next_size (&q.datagrams), ==, 10);
  sqx_datagrams_clear (&q.datagrams, &q.config);
  g_assert_cmpint (q.refs, ==, 0);
  g_assert_cmpuint (q.datagrams.n_outgoing, ==, 0);
  g_assert_cmpint (queue (&q, 0), ==, SQX_OK);
  g_assert_cmpuint (sqx_datagrams_next_size (&q.datagrams), ==, 0);
  sqx_datagrams_clear (&q.datagrams, &q.config);
}

static void
test_no_owner (void)
{
  Queues q;
  sqx_payload payload = { zeros, 5, NULL };

  queues_set_up (&q);
  g_assert_cmpint (sqx_datagrams_submit (&q.datagrams, &q.config, &payload), ==, SQX_OK);
  q.config.payload_ref = q.config.payload_unref = NULL;
  g_assert_cmpint (queue (&q, 5), ==, SQX_OK);
  sqx_datagrams_clear (&q.datagrams, &q.config);
  g_assert_cmpint (q.refs, ==, 0);
}

/* As many as fit, in order; one that does not holds up those behind it. */
static void
test_pack (void)
{
  Queues q;
  Packed packed;

  queues_set_up (&q);
  queue (&q, 100);
  queue (&q, 0);
  queue (&q, 200);
  queue (&q, 10);
  packed_init (&packed, 250);
  g_assert_cmpuint (sqx_datagrams_pack (&q.datagrams, &q.config, &packed.packet), ==, 2);
  packed_decode (&packed);
  g_assert_cmpuint (packed.frames->len, ==, 2);
  g_assert_cmpuint (FRAME (&packed, 0)->datagram.size, ==, 100);
  g_assert_cmpuint (FRAME (&packed, 1)->datagram.size, ==, 0);
  g_assert_true (packed.packet.eliciting);
  g_assert_cmpuint (packed.packet.count, ==, 0);
  g_assert_cmpint (q.refs, ==, 2);
  packed_clear (&packed);

  packed_init (&packed, 250);
  g_assert_cmpuint (sqx_datagrams_pack (&q.datagrams, &q.config, &packed.packet), ==, 2);
  g_assert_cmpuint (q.datagrams.n_outgoing, ==, 0);
  packed_clear (&packed);
  packed_init (&packed, 250);
  g_assert_cmpuint (sqx_datagrams_pack (&q.datagrams, &q.config, &packed.packet), ==, 0);
  g_assert_false (packed.packet.eliciting);
  packed_clear (&packed);
}

static void
test_drop_larger (void)
{
  Queues q;

  queues_set_up (&q);
  for (guint size = 10; size < 16; size++)
    queue (&q, size % 2 ? size + 100 : size);
  queue (&q, 50);
  queue (&q, 51);
  g_assert_cmpuint (sqx_datagrams_drop_larger (&q.datagrams, &q.config, 50), ==, 4);
  g_assert_cmpuint (q.datagrams.n_outgoing, ==, 4);
  g_assert_cmpint (q.refs, ==, 4);
  g_assert_cmpuint (sqx_datagrams_next_size (&q.datagrams), ==, 10);
  g_assert_cmpuint (sqx_datagrams_drop_larger (&q.datagrams, &q.config, 50), ==, 0);
  g_assert_cmpuint (sqx_datagrams_drop_larger (&q.datagrams, &q.config, 0), ==, 4);
  g_assert_cmpuint (sqx_datagrams_drop_larger (&q.datagrams, &q.config, 0), ==, 0);
  g_assert_cmpint (q.refs, ==, 0);
}

static void
test_receive (void)
{
  Queues q;
  uint8_t *data;
  size_t size;

  queues_set_up (&q);
  for (guint i = 0; i < SQX_DATAGRAM_QUEUE; i++)
    {
      uint8_t bytes[SQX_DATAGRAM_QUEUE];

      memset (bytes, (int) i, sizeof bytes);
      g_assert_true (sqx_datagrams_receive (&q.datagrams, &q.events, bytes, i));
    }
  g_assert_false (sqx_datagrams_receive (&q.datagrams, &q.events, zeros, 1));
  for (guint i = 0; i < SQX_DATAGRAM_QUEUE; i++)
    {
      sqx_datagrams_take (&q.datagrams, first_received (&q), &data, &size);
      g_assert_cmpuint (size, ==, i);
      g_assert_cmpint (data == NULL, ==, i == 0);
      for (guint at = 0; at < i; at++)
        g_assert_cmpuint (data[at], ==, i);
      free (data);
      /* There is room again. */
      g_assert_true (sqx_datagrams_receive (&q.datagrams, &q.events, NULL, 0));
    }
  while (!sqx_list_empty (&q.events))
    sqx_datagrams_take (&q.datagrams, first_received (&q), &data, &size);
  g_assert_cmpuint (q.datagrams.n_incoming, ==, 0);
}

static void
test_no_memory (void)
{
  Queues q;

  queues_set_up (&q);
  fail_count = 1;
  g_assert_cmpint (queue (&q, 1), ==, SQX_ERR_NO_MEMORY);
  g_assert_cmpint (q.refs, ==, 0);
  g_assert_cmpuint (q.datagrams.n_outgoing, ==, 0);
  fail_count = 1;
  g_assert_false (sqx_datagrams_receive (&q.datagrams, &q.events, zeros, 1));
  g_assert_cmpuint (q.datagrams.n_incoming, ==, 0);
  g_assert_true (sqx_list_empty (&q.events));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/datagrams/submit", test_submit);
  g_test_add_func ("/seqex/datagrams/no-owner", test_no_owner);
  g_test_add_func ("/seqex/datagrams/pack", test_pack);
  g_test_add_func ("/seqex/datagrams/drop-larger", test_drop_larger);
  g_test_add_func ("/seqex/datagrams/receive", test_receive);
  g_test_add_func ("/seqex/datagrams/no-memory", test_no_memory);
  return g_test_run ();
}
