/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "fail-alloc.h"
#include "session-fixture.h"
#include "sqx-link.h"

static uint32_t next_random;

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  g_assert_cmpuint (size, ==, 4);
  bytes[0] = (uint8_t) (next_random >> 24);
  bytes[1] = (uint8_t) (next_random >> 16);
  bytes[2] = (uint8_t) (next_random >> 8);
  bytes[3] = (uint8_t) next_random;
}

/* A link over a session. */
typedef struct
{
  Fixture  f;
  sqx_link link;
} Linked;

static void
link_set_up (Linked  *l,
             size_t   datagram,
             uint64_t first)
{
  set_up (&l->f);
  l->f.config.max_datagram_size = (uint32_t) datagram;
  l->f.config.controller = &sqx_newreno;
  l->f.config.random = draw;
  next_random = 0;
  sqx_link_init (&l->link, &l->f.session, &l->f.config, first);
}

static void
link_tear_down (Linked *l)
{
  sqx_link_clear (&l->link);
  tear_down (&l->f);
}

/* Sends a packet with what @record stands for; NULL: one that only acknowledges. Its number. */
static uint64_t
send_packet (Linked           *l,
             const sqx_record *record)
{
  Packed packed;
  uint64_t number;

  packed_init (&packed, PACKET);
  packed.packet.writer.size = 100;
  g_assert_true (sqx_link_prepare (&l->link, &l->f.config));
  number = l->link.recovery.sent.next_number;
  if (record != NULL)
    sqx_packet_note (&packed.packet, record);
  sqx_link_sent (&l->link, l->f.now, &packed.packet, true);
  packed_clear (&packed);
  return number;
}

static sqx_result
ack (Linked  *l,
     uint64_t low,
     uint64_t high)
{
  sqx_ack frame = { .largest = high, .first_range = high - low };

  return sqx_link_handle_ack (&l->link, l->f.now, &frame);
}

static void
receive (Linked  *l,
         uint64_t number)
{
  g_assert_true (sqx_acks_add (&l->link.acks, l->f.now, number, true));
}

static const sqx_record hello = { .kind = SQX_RECORD_HELLO };
static const sqx_record ping = { .kind = SQX_RECORD_PING };

/* Datagrams ---------------------------------------------------------------------------- */

/* It begins with what every path carries, and the search ends with what both sides take. */
static void
test_datagram_size (void)
{
  static const struct { size_t own, before, peer, size, limit; } cases[] = {
    { 65507, 1200, 1472, 1200, 1472 }, { 65507, 1200, 65507, 1200, 65507 },
    { 1472, 1200, 65507, 1200, 1472 }, { 576, 576, 1200, 576, 576 },
    { 1200, 1200, 576, 576, 576 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Linked l;

      link_set_up (&l, cases[i].own, 0);
      g_assert_cmpuint (l.link.pmtu.size, ==, cases[i].before);
      g_assert_cmpuint (l.link.recovery.cc.datagram, ==, cases[i].before);
      sqx_link_peer_known (&l.link, &l.f.config, 7777, cases[i].peer);
      g_assert_cmpuint (l.link.pmtu.size, ==, cases[i].size);
      g_assert_cmpuint (l.link.pmtu.limit, ==, cases[i].limit);
      g_assert_cmpuint (l.link.recovery.cc.datagram, ==, cases[i].size);
      g_assert_cmpuint (l.link.recovery.peer_ack_delay, ==, 7777);
      link_tear_down (&l);
    }
}

/* A whole datagram must fit into the window. */
static void
test_may_send (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  g_assert_true (sqx_link_may_send (&l.link));
  l.link.recovery.bytes_in_flight = l.link.recovery.cc.window - PACKET;
  g_assert_true (sqx_link_may_send (&l.link));
  l.link.recovery.bytes_in_flight++;
  g_assert_false (sqx_link_may_send (&l.link));
  l.link.recovery.probes = 1;
  g_assert_true (sqx_link_may_send (&l.link));
  l.link.recovery.bytes_in_flight = 0;
  link_tear_down (&l);
}

/* Numbers ------------------------------------------------------------------------------ */

static void
test_skip (void)
{
  Linked l;
  uint64_t expected = 40;

  link_set_up (&l, PACKET, 40);
  /* Drawn: the least, and the most. */
  g_assert_cmpuint (l.link.skip_in, ==, SQX_SKIP_MIN);
  next_random = 10 * SQX_SKIP_SPREAD - 1;
  for (guint i = 0; i < SQX_SKIP_MIN; i++)
    g_assert_cmpuint (send_packet (&l, &ping), ==, expected++);
  g_assert_cmpuint (send_packet (&l, &ping), ==, ++expected);
  g_assert_cmpuint (l.link.skip_in, ==, SQX_SKIP_MIN + SQX_SKIP_SPREAD - 2);

  /* Whoever acknowledges the gap did not look. */
  g_assert_cmpint (ack (&l, 40, expected - 2), ==, SQX_OK);
  g_assert_cmpint (ack (&l, expected - 1, expected), ==, SQX_ERR_PROTOCOL);
  g_assert_cmpint (ack (&l, expected, expected), ==, SQX_OK);
  link_tear_down (&l);
}

/* One is left out once, however often a packet is prepared that is not sent. */
static void
test_skip_once (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  l.link.skip_in = 0;
  g_assert_true (sqx_link_prepare (&l.link, &l.f.config));
  g_assert_true (sqx_link_prepare (&l.link, &l.f.config));
  g_assert_cmpuint (l.link.recovery.sent.next_number, ==, 1);
  link_tear_down (&l);
}

/* The more packets that only acknowledge are on their way, the fewer follow. */
static void
test_thin_acks (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  l.link.skip_in = UINT64_MAX;
  send_packet (&l, &ping);
  g_assert_cmpuint (l.link.acks.threshold, ==, SQX_ACK_THRESHOLD);
  for (guint i = 0; i < 3 * SQX_ACK_THINNING; i++)
    send_packet (&l, NULL);
  g_assert_cmpuint (l.link.acks.threshold, ==, SQX_ACK_THRESHOLD + 3);
  for (guint i = 0; i < SQX_ACK_THRESHOLD + 3; i++)
    {
      g_assert_false (sqx_acks_due (&l.link.acks, l.f.now));
      receive (&l, i);
    }
  g_assert_true (sqx_acks_due (&l.link.acks, l.f.now));

  g_assert_cmpint (ack (&l, 0, 3 * SQX_ACK_THINNING), ==, SQX_OK);
  send_packet (&l, NULL);
  g_assert_cmpuint (l.link.acks.threshold, ==, SQX_ACK_THRESHOLD);
  link_tear_down (&l);
}

/* A packet with as many records as one may have. */
static void
send_full (Linked *l)
{
  Packed packed;

  packed_init (&packed, PACKET);
  packed.packet.writer.size = 100;
  g_assert_true (sqx_link_prepare (&l->link, &l->f.config));
  packed.packet.most = l->link.records;
  while (!sqx_packet_full (&packed.packet))
    sqx_packet_note (&packed.packet, &ping);
  sqx_link_sent (&l->link, l->f.now, &packed.packet, true);
  packed_clear (&packed);
}

/* Where packets hold few frames there is room for few; where one was full of them, for more, until
 * all is given back. */
static void
test_records (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  for (guint i = 0; i < 5; i++)
    {
      send_packet (&l, &ping);
      g_assert_cmpuint (l.link.records, ==, SQX_PACKET_RECORDS_FIRST);
    }
  g_assert_cmpuint (l.link.recovery.sent.record_capacity, ==, 2 * SQX_PACKET_RECORDS_FIRST);
  for (size_t most = 2 * SQX_PACKET_RECORDS_FIRST; most < SQX_PACKET_RECORDS; most *= 2)
    {
      send_full (&l);
      g_assert_cmpuint (l.link.records, >=, most);
    }
  send_full (&l);
  g_assert_cmpuint (l.link.records, ==, SQX_PACKET_RECORDS);
  send_packet (&l, &ping);
  g_assert_cmpuint (l.link.records, ==, SQX_PACKET_RECORDS);

  ack (&l, 0, l.link.recovery.sent.next_number - 1);
  while (sqx_recovery_deadline (&l.link.recovery) != SQX_TIME_NEVER)
    {
      l.f.now = sqx_recovery_deadline (&l.link.recovery);
      sqx_recovery_on_timeout (&l.link.recovery, l.f.now);
    }
  send_packet (&l, &ping);
  g_assert_cmpuint (l.link.records, ==, SQX_PACKET_RECORDS_FIRST);
  link_tear_down (&l);
}

static void
test_no_memory (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  l.link.skip_in = 0;
  fail_count = 1;
  g_assert_false (sqx_link_prepare (&l.link, &l.f.config));
  g_assert_cmpuint (l.link.recovery.sent.next_number, ==, 0);
  g_assert_cmpuint (l.link.skip_in, ==, 0);
  link_tear_down (&l);
}

/* Acknowledgements of ours ------------------------------------------------------------- */

static void
test_ack_of_unsent (void)
{
  Linked l;

  link_set_up (&l, PACKET, 0);
  send_packet (&l, &ping);
  g_assert_cmpint (ack (&l, 0, 1), ==, SQX_ERR_PROTOCOL);
  g_assert_cmpuint (l.link.recovery.eliciting_in_flight, ==, 1);
  g_assert_cmpuint (l.link.rtt, ==, 0);
  l.f.now += 30000;
  g_assert_cmpint (ack (&l, 0, 0), ==, SQX_OK);
  g_assert_cmpuint (l.link.rtt, ==, 30000);
  g_assert_cmpuint (l.link.recovery.eliciting_in_flight, ==, 0);
  link_tear_down (&l);
}

/* The peer may count from a lower multiple of 2^32. */
static void
test_ack_modulo (void)
{
  const uint64_t wrap = UINT64_C (1) << 32;
  Linked l;

  link_set_up (&l, PACKET, 3 * wrap - 2);
  for (guint i = 0; i < 5; i++)
    send_packet (&l, &ping);
  g_assert_cmpint (ack (&l, 0, 1), ==, SQX_OK);
  g_assert_cmpuint (l.link.recovery.largest_acked, ==, 3 * wrap + 1);
  g_assert_cmpint (ack (&l, wrap + 2, wrap + 2), ==, SQX_OK);
  g_assert_cmpuint (l.link.recovery.largest_acked, ==, 3 * wrap + 2);
  /* The low 32 bits of a number that is still to come are those of one long ago. */
  g_assert_cmpint (ack (&l, 3, 3), ==, SQX_OK);
  g_assert_cmpuint (l.link.recovery.largest_acked, ==, 3 * wrap + 2);
  g_assert_cmpint (ack (&l, 3 * wrap + 3, 3 * wrap + 3), ==, SQX_ERR_PROTOCOL);
  link_tear_down (&l);
}

static void
test_hello (void)
{
  Linked l;
  uint64_t first;

  link_set_up (&l, PACKET, 0);
  first = send_packet (&l, &hello);
  for (guint i = 0; i < 4; i++)
    send_packet (&l, &ping);
  /* Lost by three later ones. */
  g_assert_cmpint (ack (&l, first + 4, first + 4), ==, SQX_OK);
  g_assert_true (l.link.hello_due);
  g_assert_false (l.link.hello_acked);
  g_assert_cmpint (ack (&l, first, first), ==, SQX_OK);
  g_assert_true (l.link.hello_acked);
  g_assert_false (l.link.hello_due);

  /* The peer has it: another copy that is lost is no loss. */
  first = send_packet (&l, &hello);
  for (guint i = 0; i < 4; i++)
    send_packet (&l, &ping);
  g_assert_cmpint (ack (&l, first + 4, first + 4), ==, SQX_OK);
  g_assert_false (l.link.hello_due);
  link_tear_down (&l);
}

/* What was packed for the session comes back to it. */
static void
test_session_hears (void)
{
  Linked l;
  Packed packed;
  sqx_outgoing *first, *second = NULL;

  link_set_up (&l, PACKET, 0);
  first = send_message (&l.f, 0, 100, 0, "a", NULL);
  for (guint i = 0; i < 2; i++)
    {
      pack (&l.f, &packed, PACKET);
      g_assert_true (sqx_link_prepare (&l.link, &l.f.config));
      sqx_link_sent (&l.link, l.f.now, &packed.packet, true);
      packed_clear (&packed);
      if (i == 0)
        second = send_message (&l.f, 0, 100, 0, "b", NULL);
    }
  for (guint i = 0; i < 3; i++)
    send_packet (&l, &ping);
  g_assert_cmpint (ack (&l, 1, 4), ==, SQX_OK);
  g_assert_true (second->received);
  g_assert_false (first->received);
  g_assert_true (sqx_fragments_due (&l.f.session));
  link_tear_down (&l);
}

/* Acknowledgements of theirs ----------------------------------------------------------- */

static void
test_pack_ack (void)
{
  Linked l;
  Packed packed;

  link_set_up (&l, PACKET, 0);
  packed_init (&packed, PACKET);
  g_assert_false (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  receive (&l, 5);
  receive (&l, 7);
  l.f.now += 1234;
  packed.packet.count = SQX_PACKET_RECORDS;
  g_assert_false (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  packed.packet.count = 0;
  g_assert_true (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  g_assert_cmpuint (packed.packet.writer.capacity, ==, PACKET);
  g_assert_false (packed.packet.eliciting);
  g_assert_cmpuint (packed.packet.records[0].kind, ==, SQX_RECORD_ACK);
  g_assert_cmpuint (packed.packet.records[0].number, ==, 7);
  packed_decode (&packed);
  g_assert_cmpuint (FRAME (&packed, 0)->type, ==, SQX_FRAME_ACK);
  g_assert_cmpuint (FRAME (&packed, 0)->ack.largest, ==, 7);
  g_assert_cmpuint (FRAME (&packed, 0)->ack.range_count, ==, 1);
  g_assert_cmpuint (FRAME (&packed, 0)->ack.delay, ==, 1234);

  /* Nothing new since. */
  g_assert_false (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  packed_clear (&packed);
  link_tear_down (&l);
}

/* However many ranges there are, half of the room is left. */
static void
test_pack_ack_room (void)
{
  Linked l;
  Packed packed;

  link_set_up (&l, PACKET, 0);
  for (guint i = 0; i < SQX_ACK_RANGES; i++)
    receive (&l, 1000 * i);
  packed_init (&packed, 100);
  packed.packet.writer.size = 20;
  g_assert_true (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  g_assert_cmpuint (packed.packet.writer.size, <=, 60);
  g_assert_cmpuint (packed.packet.writer.size, >, 50);
  g_assert_cmpuint (packed.packet.writer.capacity, ==, 100);
  packed_clear (&packed);

  receive (&l, 1);
  packed_init (&packed, 100);
  packed.packet.writer.size = 96;
  g_assert_false (sqx_link_pack_ack (&l.link, l.f.now, &packed.packet));
  g_assert_cmpuint (packed.packet.writer.size, ==, 96);
  g_assert_cmpuint (packed.packet.writer.capacity, ==, 100);
  g_assert_true (l.link.acks.pending);
  packed_clear (&packed);
  link_tear_down (&l);
}

/* An acknowledgement that the peer has need not be repeated. */
static void
test_ack_confirmed (void)
{
  const sqx_record told = { .kind = SQX_RECORD_ACK, .number = 20 };
  Linked l;
  uint64_t number;

  link_set_up (&l, PACKET, 0);
  receive (&l, 10);
  receive (&l, 20);
  receive (&l, 30);
  send_packet (&l, &told);
  number = send_packet (&l, &ping);
  g_assert_cmpint (ack (&l, number - 1, number), ==, SQX_OK);
  g_assert_cmpuint (l.link.acks.received.count, ==, 2);
  g_assert_cmpint (sqx_acks_check (&l.link.acks, 10), ==, SQX_ACKS_OLD);
  link_tear_down (&l);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/link/datagram-size", test_datagram_size);
  g_test_add_func ("/seqex/link/may-send", test_may_send);
  g_test_add_func ("/seqex/link/skip", test_skip);
  g_test_add_func ("/seqex/link/skip-once", test_skip_once);
  g_test_add_func ("/seqex/link/records", test_records);
  g_test_add_func ("/seqex/link/thin-acks", test_thin_acks);
  g_test_add_func ("/seqex/link/no-memory", test_no_memory);
  g_test_add_func ("/seqex/link/ack-of-unsent", test_ack_of_unsent);
  g_test_add_func ("/seqex/link/ack-modulo", test_ack_modulo);
  g_test_add_func ("/seqex/link/hello", test_hello);
  g_test_add_func ("/seqex/link/session-hears", test_session_hears);
  g_test_add_func ("/seqex/link/pack-ack", test_pack_ack);
  g_test_add_func ("/seqex/link/pack-ack-room", test_pack_ack_room);
  g_test_add_func ("/seqex/link/ack-confirmed", test_ack_confirmed);
  return g_test_run ();
}
