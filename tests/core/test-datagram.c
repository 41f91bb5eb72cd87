/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Unconfirmed datagrams.
 */
#include "pair.h"

#include <string.h>

static guint refs;

static void
ref_cb (void *owner)
{
  (*(guint *) owner)++;
}

static void
unref_cb (void *owner)
{
  g_assert_cmpuint (*(guint *) owner, >, 0);
  (*(guint *) owner)--;
}

static uint8_t bytes[SQX_DATAGRAM_MAX];

static sqx_result
send_datagram (Pair *pair, guint side, size_t size, guint8 first)
{
  sqx_payload payload = { bytes, size, &refs };

  bytes[0] = first;
  return sqx_conn_send_datagram (pair->side[side].conn, pair->now, &payload);
}

static Pair *
datagram_pair (void)
{
  sqx_config config[2];
  Pair *pair;

  refs = 0;
  for (guint i = 0; i < 2; i++)
    {
      pair_config (&config[i], i);
      config[i].payload_ref = ref_cb;
      config[i].payload_unref = unref_cb;
    }
  pair = pair_new (&config[PAIR_A], &config[PAIR_B]);
  return pair;
}

/* Makes both known to each other. No message: the payload callbacks count datagrams only. */
static void
say_hello (Pair *pair)
{
  g_assert_cmpint (send_datagram (pair, PAIR_A, 1, 0), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpint (send_datagram (pair, PAIR_B, 1, 0), ==, SQX_OK);
  pair_drive (pair);
}

static guint
received (Pair *pair, guint side)
{
  return pair_n_events (pair, side, SQX_EVENT_DATAGRAM);
}

static void
test_arrives (void)
{
  g_autoptr (Pair) pair = datagram_pair ();
  sqx_statistics statistics;

  memset (bytes, 7, sizeof bytes);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 100, 7), ==, SQX_OK);
  g_assert_cmpuint (refs, ==, 1);
  pair_flush (pair);
  g_assert_cmpuint (refs, ==, 0);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 0, 7), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 2);
  g_assert_cmpmem (g_bytes_get_data (pair_event (pair, PAIR_B, SQX_EVENT_DATAGRAM, 0)->payload,
                                     NULL), 100, bytes, 100);
  g_assert_cmpuint (g_bytes_get_size (pair_event (pair, PAIR_B, SQX_EVENT_DATAGRAM, 1)->payload),
                    ==, 0);
  statistics = pair_statistics (pair, PAIR_A);
  g_assert_cmpuint (statistics.datagrams_sent, ==, 2);
  statistics = pair_statistics (pair, PAIR_B);
  g_assert_cmpuint (statistics.datagrams_received, ==, 2);
  pair_assert_quiet (pair);
  g_assert_cmpuint (pair_next (pair), ==, SQX_TIME_NEVER);
}

static void
test_largest (void)
{
  g_autoptr (Pair) pair = datagram_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;
  size_t early = sqx_conn_max_datagram_payload (conn), late;

  /* HELLO takes room until it is acknowledged. */
  g_assert_cmpint (send_datagram (pair, PAIR_A, early + 1, 0), ==, SQX_ERR_TOO_LARGE);
  g_assert_cmpint (send_datagram (pair, PAIR_A, early, 0), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1);
  late = sqx_conn_max_datagram_payload (conn);
  g_assert_cmpuint (late, ==, SQX_DATAGRAM_DEFAULT - SQX_PLAIN_HEADER - 1);
  g_assert_cmpuint (early, <, late);
  g_assert_cmpint (send_datagram (pair, PAIR_A, late + 1, 0), ==, SQX_ERR_TOO_LARGE);
  g_assert_cmpint (send_datagram (pair, PAIR_A, late, 0), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 2);
  g_assert_cmpuint (g_bytes_get_size (pair_event (pair, PAIR_B, SQX_EVENT_DATAGRAM, 1)->payload),
                    ==, late);
  g_assert_cmpuint (refs, ==, 0);
}

/* The peer's datagrams turn out to be smaller than what waits: that is dropped, or it would hold up
 * all that come after it for ever. */
static void
test_too_large_for_peer (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_conn *conn = pair->side[PAIR_A].conn;
  sqx_payload large = { bytes, 1000, &refs }, small = { bytes, 10, &refs };

  refs = 0;
  pair->side[PAIR_A].config.payload_ref = ref_cb;
  sqx_conn_free (conn);
  pair->side[PAIR_A].config.payload_unref = unref_cb;
  conn = pair->side[PAIR_A].conn = sqx_conn_new (&pair->side[PAIR_A].config, pair->now);
  g_assert_cmpint (sqx_conn_send_datagram (conn, pair->now, &small), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_send_datagram (conn, pair->now, &large), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_send_datagram (conn, pair->now, &small), ==, SQX_OK);
  pair->fake.hello.max_datagram_size = SQX_DATAGRAM_MIN;
  fake_begin (pair);
  fake_hello (pair);
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_DATAGRAM), ==, 2);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->datagram_too_large, ==, 1);
  g_assert_cmpuint (refs, ==, 0);
  g_assert_cmpint (sqx_conn_send_datagram (conn, pair->now, &large), ==, SQX_ERR_TOO_LARGE);
}

/* A transport that carries less than both sides allow: what does not fit never will. */
static void
test_too_large_for_transport (void)
{
  g_autoptr (Pair) pair = datagram_pair ();
  sqx_conn *conn = pair->side[PAIR_A].conn;
  guint8 buffer[SQX_DATAGRAM_DEFAULT];

  say_hello (pair);
  pair_drive (pair);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 1000, 1), ==, SQX_OK);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 2), ==, SQX_OK);
  g_assert_cmpuint (sqx_conn_poll_transmit (conn, pair->now, buffer, SQX_DATAGRAM_MIN), >, 10);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->datagram_too_large, ==, 1);
  g_assert_cmpuint (sqx_conn_poll_transmit (conn, pair->now, buffer, SQX_DATAGRAM_MIN), ==, 0);
}

static void
test_never_resent (void)
{
  g_autoptr (Pair) pair = datagram_pair ();

  say_hello (pair);
  pair->drop_next[PAIR_A] = 1;
  for (guint i = 0; i < 10; i++)
    {
      g_assert_cmpint (send_datagram (pair, PAIR_A, 10, i), ==, SQX_OK);
      pair_flush (pair);
    }
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1 + 9);
  g_assert_cmpuint (pair->frames[PAIR_A][SQX_FRAME_DATAGRAM], ==, 1 + 10);
  for (guint i = 0; i < 9; i++)
    g_assert_cmpuint (*(const guint8 *) g_bytes_get_data (
                        pair_event (pair, PAIR_B, SQX_EVENT_DATAGRAM, 1 + i)->payload, NULL),
                      ==, i + 1);
}

static void
test_duplicated_packet (void)
{
  g_autoptr (Pair) pair = datagram_pair ();

  say_hello (pair);
  pair->duplicate[PAIR_A] = 2;
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 1), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1 + 1);
}

/* A packet that the receiver cannot take yet, because of a fragment far ahead of what arrived, is
 * not acknowledged, and counts when it comes again, as a copy that the network made: what it said
 * before must not be heard twice. */
static void
test_refused_packet (gconstpointer data)
{
  const gboolean first = GPOINTER_TO_INT (data);
  const uint64_t total = 2 * SQX_FRAGMENT_SLACK, offset = SQX_FRAGMENT_SLACK + 900;
  const uint8_t with_length = SQX_FRAME_DATAGRAM_LENGTH;
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  uint32_t refused;

  fake_connect (pair);
  refused = (uint32_t) pair->fake.next_number++;
  for (guint arrival = 0; arrival < 5; arrival++)
    {
      gboolean taken = arrival >= 3;

      if (arrival == 3)
        {
          fake_begin (pair);
          fake_fragment (pair, 0, 0, 0, 0, total, 0, 1000);
          fake_send (pair);
        }
      fake_begin_as (pair, pair->fake.epoch, pair->fake.peer_epoch, refused);
      for (guint part = 0; part < 2; part++)
        if ((part == 0) == first)
          {
            fake_raw (pair, &with_length, 1);
            fake_varint (pair, 3);
            fake_raw (pair, "abc", 3);
          }
        else
          fake_fragment (pair, 0, 0, 0, 0, total, offset, 100);
      pair_inject (pair, PAIR_A, pair->fake.buffer, pair->fake.writer.size);
      pair_drive (pair);
      g_assert_cmpuint (received (pair, PAIR_A), ==, taken);
      g_assert_cmpint (fake_acknowledged (pair, refused), ==, taken);
    }
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->early_fragment, ==, 3);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->duplicate_packet, ==, 1);
}

static void
test_outgoing_queue (void)
{
  g_autoptr (Pair) pair = datagram_pair ();

  say_hello (pair);
  for (guint i = 0; i < SQX_DATAGRAM_QUEUE; i++)
    g_assert_cmpint (send_datagram (pair, PAIR_A, 10, i), ==, SQX_OK);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 0), ==, SQX_ERR_QUEUE_FULL);
  g_assert_cmpuint (refs, ==, SQX_DATAGRAM_QUEUE);
  pair_drive (pair);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 0), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1 + SQX_DATAGRAM_QUEUE + 1);
  g_assert_cmpuint (refs, ==, 0);
}

/* A program that does not fetch loses the newest, and nothing but datagrams. */
static void
test_incoming_queue (void)
{
  g_autoptr (Pair) pair = datagram_pair ();

  say_hello (pair);
  pair->side[PAIR_B].hold_events = TRUE;
  for (guint i = 0; i < SQX_DATAGRAM_QUEUE + 10; i++)
    {
      g_assert_cmpint (send_datagram (pair, PAIR_A, 10, i), ==, SQX_OK);
      pair_drive (pair);
    }
  g_assert_cmpuint (pair_counters (pair, PAIR_B)->datagram_queue_full, ==, 10);
  pair->side[PAIR_B].hold_events = FALSE;
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1 + SQX_DATAGRAM_QUEUE);
  g_assert_cmpuint (*(const guint8 *) g_bytes_get_data (
                      pair_event (pair, PAIR_B, SQX_EVENT_DATAGRAM, 1)->payload, NULL), ==, 0);
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 99), ==, SQX_OK);
  pair_drive (pair);
  g_assert_cmpuint (received (pair, PAIR_B), ==, 2 + SQX_DATAGRAM_QUEUE);
}

/* They do not wait behind messages, and the congestion window holds for them too. */
static void
test_beside_messages (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  sqx_payload payload = { bytes, 10, NULL };
  guint seen;

  fake_connect (pair);
  pair->fake.auto_ack = FALSE;
  pair_send_size (pair, PAIR_A, 0, 1000000, 0);
  pair_flush (pair);
  seen = pair->fake.seen->len;
  g_assert_cmpint (sqx_conn_send_datagram (pair->side[PAIR_A].conn, pair->now, &payload), ==,
                   SQX_OK);
  pair_flush (pair);
  g_assert_cmpuint (pair->fake.seen->len, ==, seen);
  fake_forget (pair);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_DATAGRAM), ==, 1);
  g_assert_cmpuint (((FakePacket *) g_ptr_array_index (pair->fake.seen, 0))->frames->len, >=, 2);
  for (guint i = 1; i < pair->fake.seen->len; i++)
    {
      const FakePacket *packet = g_ptr_array_index (pair->fake.seen, i);

      for (guint j = 0; j < packet->frames->len; j++)
        g_assert_cmpuint (g_array_index (packet->frames, sqx_frame, j).type, !=,
                          SQX_FRAME_DATAGRAM);
    }
}

/* Both forms on the wire. */
static void
test_wire (void)
{
  g_autoptr (Pair) pair = pair_new_fake (NULL);
  const uint8_t with_length = SQX_FRAME_DATAGRAM_LENGTH, to_the_end = SQX_FRAME_DATAGRAM;

  fake_connect (pair);
  fake_begin (pair);
  fake_raw (pair, &with_length, 1);
  fake_varint (pair, 3);
  fake_raw (pair, "abc", 3);
  fake_raw (pair, &to_the_end, 1);
  fake_raw (pair, "defg", 4);
  fake_send (pair);
  fake_begin (pair);
  fake_raw (pair, &to_the_end, 1);
  fake_send (pair);
  g_assert_cmpuint (received (pair, PAIR_A), ==, 3);
  g_assert_cmpmem (g_bytes_get_data (pair_event (pair, PAIR_A, SQX_EVENT_DATAGRAM, 0)->payload,
                                     NULL), 3, "abc", 3);
  g_assert_cmpmem (g_bytes_get_data (pair_event (pair, PAIR_A, SQX_EVENT_DATAGRAM, 1)->payload,
                                     NULL), 4, "defg", 4);
  g_assert_cmpuint (g_bytes_get_size (pair_event (pair, PAIR_A, SQX_EVENT_DATAGRAM, 2)->payload),
                    ==, 0);
  /* They ask for an acknowledgement. */
  pair_drive (pair);
  g_assert_true (fake_acknowledged (pair, pair->fake.next_number - 1));
}

static void
test_after_close (gconstpointer data)
{
  guint how = GPOINTER_TO_UINT (data);
  g_autoptr (Pair) pair = datagram_pair ();

  say_hello (pair);
  pair->side[PAIR_B].hold_events = TRUE;
  g_assert_cmpint (send_datagram (pair, PAIR_A, 10, 1), ==, SQX_OK);
  pair_drive (pair);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (send_datagram (pair, PAIR_B, 10, 1), ==, SQX_OK);
  if (how == 0)
    return; /* freed with datagrams both ways */
  sqx_conn_abort (pair->side[how - 1].conn, pair->now, 0, NULL);
  pair_drive (pair);
  pair->side[PAIR_B].hold_events = FALSE;
  pair_drive (pair);
  /* What had come can be fetched. */
  g_assert_cmpuint (received (pair, PAIR_B), ==, 1 + 1);
  g_assert_cmpuint (refs, ==, 0);
  for (guint side = 0; side < 2; side++)
    {
      g_assert_cmpint (send_datagram (pair, side, 10, 1), ==,
                       how - 1 == side ? SQX_ERR_CLOSED : SQX_ERR_PEER_CLOSED);
      g_assert_true (pair->side[side].closed);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);

#define DG "/seqex/datagram/"
  g_test_add_func (DG "arrives", test_arrives);
  g_test_add_func (DG "largest", test_largest);
  g_test_add_func (DG "too-large-for-the-peer", test_too_large_for_peer);
  g_test_add_func (DG "too-large-for-the-transport", test_too_large_for_transport);
  g_test_add_func (DG "never-resent", test_never_resent);
  g_test_add_func (DG "duplicated-packet", test_duplicated_packet);
  g_test_add_data_func (DG "refused-packet/datagram-first", GINT_TO_POINTER (TRUE),
                        test_refused_packet);
  g_test_add_data_func (DG "refused-packet/fragment-first", GINT_TO_POINTER (FALSE),
                        test_refused_packet);
  g_test_add_func (DG "outgoing-queue", test_outgoing_queue);
  g_test_add_func (DG "incoming-queue", test_incoming_queue);
  g_test_add_func (DG "beside-messages", test_beside_messages);
  g_test_add_func (DG "wire", test_wire);
  g_test_add_data_func (DG "free", GUINT_TO_POINTER (0), test_after_close);
  g_test_add_data_func (DG "after-peer-closed", GUINT_TO_POINTER (1), test_after_close);
  g_test_add_data_func (DG "after-close", GUINT_TO_POINTER (2), test_after_close);

  return g_test_run ();
}
