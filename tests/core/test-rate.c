/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>

#include "sqx-rate.h"

#define MS   1000
#define SIZE 1000

typedef struct
{
  sqx_rate rate;
  guint64  now, in_flight, next;
  sqx_sent_packet packets[64];
} Path;

static void
send_packet (Path *path)
{
  sqx_sent_packet *packet = &path->packets[path->next++];

  *packet = (sqx_sent_packet) { .time = path->now, .size = SIZE };
  path->in_flight += SIZE;
  sqx_rate_sent (&path->rate, path->now, path->in_flight, packet);
}

/* The packets @first to @last, in one ACK. */
static sqx_rate_sample
ack (Path   *path,
     guint64 first,
     guint64 last,
     guint64 min_rtt)
{
  sqx_rate_sample sample;

  sqx_rate_begin (&sample);
  for (guint64 i = first; i <= last; i++)
    {
      path->in_flight -= SIZE;
      sqx_rate_acked (&path->rate, path->now, i, &path->packets[i], &sample);
    }
  sqx_rate_finish (&path->rate, min_rtt, &sample);
  return sample;
}

/* Ten packets, one a millisecond, each acknowledged 20 ms later: 1000 bytes a millisecond. */
static void
test_steady (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample = { 0 };

  for (guint i = 0; i < 60; i++)
    {
      if (i < 40)
        send_packet (&path);
      if (i >= 20)
        {
          sample = ack (&path, i - 20, i - 20, 20 * MS);
          g_assert_cmpuint (sample.number, ==, i - 20);
          g_assert_false (sample.limited);
        }
      if (i == 20)
        {
          /* Nothing was delivered before: of one packet in a round trip. */
          g_assert_cmpuint (sample.interval, ==, 20 * MS);
          g_assert_cmpuint (sample.delivered, ==, SIZE);
          g_assert_cmpuint (sample.rate, ==, 50000);
          g_assert_cmpuint (sample.tx_in_flight, ==, 1008); /* rounded up to 16 */
        }
      path.now += MS;
    }
  g_assert_cmpuint (sample.rate, ==, 1000000);
  /* From the ACK before it was sent. */
  g_assert_cmpuint (sample.interval, ==, 21 * MS);
  g_assert_cmpuint (path.rate.delivered, ==, 40 * SIZE);
  g_assert_cmpuint (path.rate.delivered_time, ==, path.now - MS);
}

/* ACKs that come at once after a silence do not show a rate that nobody sent at. */
static void
test_compressed_acks (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample;

  for (guint i = 0; i < 20; i++)
    {
      send_packet (&path);
      path.now += MS;
    }
  path.now += 30 * MS;
  ack (&path, 0, 0, 0);
  sample = ack (&path, 1, 19, 0);
  g_assert_cmpuint (sample.number, ==, 19);
  g_assert_cmpuint (sample.interval, ==, 50 * MS);
  g_assert_cmpuint (sample.rate, ==, 20 * SIZE * 20);

  /* Nor do packets that were sent at once, however they are acknowledged. */
  for (guint i = 0; i < 10; i++)
    send_packet (&path);
  path.now += 10 * MS;
  ack (&path, 20, 20, 0);
  path.now += 10 * MS;
  sample = ack (&path, 21, 29, 0);
  g_assert_cmpuint (sample.interval, ==, 20 * MS);
  g_assert_cmpuint (sample.rate, ==, 10 * SIZE * 50);
}

/* The send rate counts if it was the lower one. */
static void
test_slow_sender (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample;

  send_packet (&path);
  path.now += 40 * MS;
  send_packet (&path);
  ack (&path, 0, 0, 0);
  path.now += 1 * MS;
  sample = ack (&path, 1, 1, 0);
  /* 41 ms since the first was sent; acknowledged within 1 ms of each other. */
  g_assert_cmpuint (sample.interval, ==, 41 * MS);
  g_assert_cmpuint (sample.delivered, ==, 2 * SIZE);

  /* Also where a late ACK comes right before one that is not. */
  send_packet (&path);
  path.now += 50 * MS;
  path.in_flight += SIZE; /* another one is on its way */
  ack (&path, 2, 2, 0);
  send_packet (&path);
  path.now += 5 * MS;
  sample = ack (&path, 3, 3, 0);
  g_assert_cmpuint (sample.interval, ==, 50 * MS);
}

static void
test_too_short (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample;

  send_packet (&path);
  path.now += 9 * MS;
  sample = ack (&path, 0, 0, 10 * MS);
  g_assert_cmpuint (sample.rate, ==, 0);
  g_assert_cmpuint (sample.delivered, ==, SIZE);

  /* Nothing at all. */
  sqx_rate_begin (&sample);
  sqx_rate_finish (&path.rate, 0, &sample);
  g_assert_cmpuint (sample.sent, ==, SQX_TIME_NEVER);
  g_assert_cmpuint (sample.rate, ==, 0);
}

/* What goes out until the pause is over in the other side's eyes is application-limited. */
static void
test_limited (void)
{
  Path path = { .now = 5000 * MS };

  send_packet (&path);
  send_packet (&path);
  sqx_rate_limit (&path.rate, path.in_flight);
  path.now += 10 * MS;
  send_packet (&path);
  g_assert_false (ack (&path, 0, 1, 0).limited);
  g_assert_cmpuint (path.rate.limited_until, ==, 2 * SIZE);
  send_packet (&path);
  path.now += 10 * MS;
  g_assert_true (ack (&path, 2, 2, 0).limited);
  g_assert_cmpuint (path.rate.limited_until, ==, 0);
  send_packet (&path);
  path.now += 10 * MS;
  g_assert_true (ack (&path, 3, 3, 0).limited);
  g_assert_false (ack (&path, 4, 4, 0).limited);

  /* Also with nothing delivered and nothing in flight. */
  path = (Path) { .now = MS };
  sqx_rate_limit (&path.rate, 0);
  send_packet (&path);
  g_assert_true (ack (&path, 0, 0, 0).limited);
}

/* An idle time is in no interval. */
static void
test_restart (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample;

  send_packet (&path);
  path.now += 10 * MS;
  ack (&path, 0, 0, 0);
  path.now += 10000 * MS;
  send_packet (&path);
  send_packet (&path);
  path.now += 10 * MS;
  sample = ack (&path, 1, 2, 0);
  g_assert_cmpuint (sample.interval, ==, 10 * MS);
  g_assert_cmpuint (sample.rate, ==, 200000);
}

/* Counts go on past what their fields hold. */
static void
test_wide (void)
{
  Path path = { .now = 5000 * MS };
  sqx_rate_sample sample;

  path.rate.delivered = (UINT64_C (1) << SQX_SENT_DELIVERED_BITS) - SIZE;
  path.rate.lost = (UINT64_C (3) << 32) + UINT32_MAX - 10;
  path.in_flight = UINT64_C (7500000000);
  path.rate.first_sent = path.rate.delivered_time = path.now - 5 * MS;
  send_packet (&path);
  send_packet (&path);
  path.rate.lost += 5000;
  path.now += 10 * MS;
  sample = ack (&path, 0, 1, 0);
  g_assert_cmpuint (sample.delivered, ==, 2 * SIZE);
  g_assert_cmpuint (sample.lost, ==, 5000);
  g_assert_cmpuint (sample.interval, ==, 15 * MS);
  g_assert_cmpuint (sample.tx_in_flight, >=, UINT64_C (7500002000));
  g_assert_cmpuint (sample.tx_in_flight, <, UINT64_C (7500002016));
  g_assert_cmpuint (path.rate.delivered, ==, (UINT64_C (1) << SQX_SENT_DELIVERED_BITS) + SIZE);
  g_assert_cmpuint (sizeof (sqx_sent_packet), ==, 48);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/rate/steady", test_steady);
  g_test_add_func ("/seqex/rate/compressed-acks", test_compressed_acks);
  g_test_add_func ("/seqex/rate/slow-sender", test_slow_sender);
  g_test_add_func ("/seqex/rate/too-short", test_too_short);
  g_test_add_func ("/seqex/rate/limited", test_limited);
  g_test_add_func ("/seqex/rate/restart", test_restart);
  g_test_add_func ("/seqex/rate/wide", test_wide);
  return g_test_run ();
}
