/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program sets and asks. What is legal in struct sqx_config is in test-plain.c.
 */
#include <glib.h>

#include "fail-alloc.h"
#include "sqx-conn-private.h"

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  memset (bytes, 7, size);
}

static sqx_config
make_config (void)
{
  sqx_config config;

  sqx_config_init (&config);
  config.random = draw;
  return config;
}

static sqx_conn *
make (void)
{
  sqx_config config = make_config ();

  return sqx_conn_new (&config, 1000);
}

/* Its first packet is gone: a message of @size to @channel. */
static void
send_size (sqx_conn *conn,
           size_t    size)
{
  static uint8_t zeros[SQX_MESSAGE_MAX_DEFAULT];
  sqx_payload payload = { zeros, size, NULL };

  g_assert_cmpint (sqx_conn_send (conn, conn->now, 0, &payload, 0, NULL, NULL), ==, SQX_OK);
}

static size_t
transmit (sqx_conn *conn)
{
  uint8_t buffer[SQX_DATAGRAM_DEFAULT];

  return sqx_conn_poll_transmit (conn, conn->now, buffer, sizeof buffer);
}

/* Configuration ------------------------------------------------------------------------ */

static void
test_defaults (void)
{
  sqx_config config;

  memset (&config, 0xff, sizeof config);
  sqx_config_init (&config);
  g_assert_cmpuint (config.instance, ==, 0);
  g_assert_cmpuint (config.epoch, ==, 0);
  g_assert_cmpuint (config.first_packet_number, ==, 0);
  g_assert_cmpuint (config.max_datagram_size, ==, 1200);
  g_assert_cmpuint (config.max_message_size, ==, 1 << 20);
  g_assert_cmpuint (config.byte_window, ==, 0);
  g_assert_cmpuint (config.byte_window_max, ==, 0);
  g_assert_cmpuint (config.exchange_credit, ==, 1024);
  g_assert_cmpuint (config.max_channels, ==, 256);
  g_assert_cmpuint (config.queue_limit, ==, 64 << 20);
  g_assert_cmpuint (config.ack_delay, ==, 25 * SQX_MILLISECOND);
  g_assert_cmpuint (config.idle_timeout, ==, 30 * SQX_SECOND);
  g_assert_cmpuint (config.keepalive_interval, ==, 10 * SQX_SECOND);
  g_assert_false (config.keepalive_always);
  g_assert_cmpuint (config.close_timeout, ==, 5 * SQX_SECOND);
  g_assert_cmpuint (config.unreachable_timeout, ==, 5 * SQX_SECOND);
  g_assert_true (config.accepts_messages);
  g_assert_null (config.application_id);
  g_assert_null (config.controller);
  g_assert_null (config.random);
}

/* 0 leaves the windows to the core. */
static void
test_fill (void)
{
  static const struct { uint64_t message, window, max, window_then, max_then; } cases[] = {
    { SQX_MESSAGE_MAX_DEFAULT, 0, 0, SQX_WINDOW_DEFAULT, SQX_WINDOW_MAX_DEFAULT },
    { 10000000, 0, 0, 20000128, 20000128 },
    { 4000000, 0, 0, 8000128, SQX_WINDOW_MAX_DEFAULT },
    { SQX_MESSAGE_MAX_MIN, 50000, 0, 50000, SQX_WINDOW_MAX_DEFAULT },
    { SQX_MESSAGE_MAX_MIN, 50000, 60000, 50000, 60000 },
    { SQX_MESSAGE_MAX_MIN, 0, 5, SQX_WINDOW_DEFAULT, 5 },
  };
  sqx_cc_ops mine = sqx_newreno;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      sqx_config config = make_config ();

      config.max_message_size = cases[i].message;
      config.byte_window = cases[i].window;
      config.byte_window_max = cases[i].max;
      config.controller = i == 0 ? NULL : &mine;
      sqx_config_fill (&config);
      g_assert_cmpuint (config.byte_window, ==, cases[i].window_then);
      g_assert_cmpuint (config.byte_window_max, ==, cases[i].max_then);
      g_assert_true (config.controller == (i == 0 ? &sqx_bbr : &mine));
    }
}

/* The id is copied. */
static void
test_application_id (void)
{
  sqx_config config = make_config ();
  g_autofree char *id = g_strnfill (SQX_APPLICATION_ID_MAX, 'a');
  sqx_conn *conn;

  config.application_id = id;
  conn = sqx_conn_new (&config, 0);
  memset (id, 'b', SQX_APPLICATION_ID_MAX);
  g_assert_cmpuint (strlen (conn->config.application_id), ==, SQX_APPLICATION_ID_MAX);
  g_assert_cmpint (conn->config.application_id[0], ==, 'a');
  g_assert_cmpstr (sqx_conn_peer_application_id (conn), ==, "");
  sqx_conn_free (conn);
}

/* Channels ----------------------------------------------------------------------------- */

static void
test_channels (void)
{
  sqx_conn *conn = make ();

  g_assert_cmpint (sqx_conn_open_channel (conn, 256), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 256, true), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_priority (conn, 256, 0), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_set_priority (conn, 0, SQX_PRIORITIES), ==, SQX_ERR_INVALID);
  g_assert_cmpuint (conn->session.n_channels, ==, 0);
  g_assert_cmpint (sqx_conn_set_priority (conn, 255, SQX_PRIORITIES - 1), ==, SQX_OK);
  g_assert_cmpuint (conn->session.channels[255]->priority, ==, SQX_PRIORITIES - 1);
  g_assert_false (conn->session.channels[255]->opened);
  g_assert_nonnull (conn->session.channels[0]);
  g_assert_cmpint (sqx_conn_open_channel (conn, 3), ==, SQX_OK);
  g_assert_true (conn->session.channels[3]->opened);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 4, false), ==, SQX_OK);
  g_assert_false (conn->session.channels[4]->opened);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 4, true), ==, SQX_OK);
  g_assert_true (conn->session.channels[4]->opened && conn->session.channels[4]->serialized);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 4, false), ==, SQX_OK);
  g_assert_true (conn->session.channels[4]->opened);
  g_assert_false (conn->session.channels[4]->serialized);
  sqx_conn_free (conn);
}

static void
test_channels_no_memory (void)
{
  sqx_conn *conn = make ();

  for (guint after = 0; after < 4; after++)
    {
      fail_after = after == 0 ? 0 : 1;
      fail_count = 1;
      g_assert_cmpint (after % 2 ? sqx_conn_open_channel (conn, 5)
                                 : sqx_conn_set_serialized (conn, 5 + after, true),
                       ==, SQX_ERR_NO_MEMORY);
      fail_count = 0;
    }
  fail_count = 1;
  g_assert_cmpint (sqx_conn_set_priority (conn, 200, 1), ==, SQX_ERR_NO_MEMORY);
  g_assert_cmpint (sqx_conn_open_channel (conn, 5), ==, SQX_OK);
  sqx_conn_free (conn);
}

/* A closed connection has said its last word. */
static void
test_after_the_end (void)
{
  static const uint8_t text[] = "x";
  sqx_conn *conn = make ();
  sqx_event event;
  sqx_frame frame = {
    .type = SQX_FRAME_MESSAGE,
    .message = { .channel = 2, .flags = SQX_WIRE_ORDERED, .total = 1, .data = text, .size = 1 },
  };

  g_assert_cmpint (sqx_session_handle_frame (&conn->session, 0, &frame), ==, SQX_OK);
  sqx_conn_abort (conn, 2000, 70, NULL);
  while (sqx_conn_poll_event (conn, &event))
    ;
  g_assert_cmpint (event.type, ==, SQX_EVENT_CLOSED);
  g_assert_true (sqx_conn_has_message (conn, 0));
  g_assert_cmpint (sqx_conn_open_channel (conn, 1), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 1, true), ==, SQX_OK);
  g_assert_cmpint (sqx_conn_set_serialized (conn, 300, true), ==, SQX_ERR_INVALID);
  g_assert_cmpint (sqx_conn_open_channel (conn, 0), ==, SQX_OK);
  sqx_conn_set_accepts_messages (conn, 2000, false);
  sqx_conn_set_queue_limit (conn, 5);
  sqx_conn_set_idle_timeout (conn, 2000, SQX_SECOND);
  sqx_conn_set_keepalive (conn, 2000, SQX_SECOND, true);
  g_assert_false (sqx_conn_poll_event (conn, &event));
  g_assert_true (sqx_conn_has_message (conn, 0));
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, SQX_TIME_NEVER);
  sqx_conn_free (conn);
}

/* Times -------------------------------------------------------------------------------- */

static void
test_times (void)
{
  sqx_conn *conn = make ();

  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, SQX_TIME_NEVER);
  sqx_conn_set_idle_timeout (conn, 2000, 0);
  g_assert_cmpuint (conn->config.idle_timeout, ==, SQX_IDLE_MIN);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, SQX_TIME_NEVER);

  /* With something to watch, a change counts at once. */
  sqx_conn_set_keepalive (conn, 2000, 3 * SQX_SECOND, true);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, 2000 + SQX_IDLE_MIN);
  sqx_conn_set_idle_timeout (conn, 3000, 9 * SQX_SECOND);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, 2000 + 3 * SQX_SECOND);
  g_assert_cmpuint (conn->timers.at[SQX_TIMER_IDLE], ==, 2000 + 9 * SQX_SECOND);
  sqx_conn_set_keepalive (conn, 4000, SQX_TIME_NEVER, true);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, 2000 + 9 * SQX_SECOND);
  g_assert_cmpuint (conn->timers.at[SQX_TIMER_KEEPALIVE], ==, SQX_TIME_NEVER);
  sqx_conn_set_idle_timeout (conn, 4000, SQX_TIME_NEVER);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, SQX_TIME_NEVER);
  sqx_conn_set_keepalive (conn, 4000, SQX_SECOND, false);
  g_assert_cmpuint (sqx_conn_next_timeout (conn), ==, SQX_TIME_NEVER);
  sqx_conn_free (conn);
}

/* Sizes -------------------------------------------------------------------------------- */

static void
test_max_message_size (void)
{
  sqx_conn *conn = make ();

  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 30000000), ==, SQX_OK);
  g_assert_cmpuint (conn->config.max_message_size, ==, 30000000);
  g_assert_cmpuint (conn->session.credit.max_message, ==, 30000000);
  g_assert_cmpuint (conn->session.credit.window, ==, 60000128);
  g_assert_cmpuint (conn->session.credit.window_max, ==, 60000128);
  g_assert_cmpuint (conn->session.credit.bytes_told, ==, 60000128);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 20000), ==, SQX_OK);
  g_assert_cmpuint (conn->session.credit.window, ==, SQX_WINDOW_DEFAULT);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 5), ==, SQX_ERR_INVALID);
  g_assert_cmpuint (conn->config.max_message_size, ==, 20000);

  send_size (conn, 1);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 30000), ==, SQX_OK);
  g_assert_cmpuint (transmit (conn), >, 0);
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 20000), ==, SQX_ERR_INVALID);
  sqx_conn_free (conn);

  conn = make ();
  conn->statistics.packets_received = 1;
  g_assert_cmpint (sqx_conn_set_max_message_size (conn, 20000), ==, SQX_ERR_INVALID);
  sqx_conn_free (conn);
}

static void
test_datagram_payload (void)
{
  sqx_conn *conn = make ();
  size_t early = sqx_conn_max_datagram_payload (conn);
  static uint8_t zeros[SQX_DATAGRAM_DEFAULT];
  sqx_payload payload = { zeros, early + 1, NULL };

  g_assert_cmpint (sqx_conn_send_datagram (conn, 1000, &payload), ==, SQX_ERR_TOO_LARGE);
  payload.size = early;
  g_assert_cmpint (sqx_conn_send_datagram (conn, 1000, &payload), ==, SQX_OK);
  g_assert_cmpuint (transmit (conn), ==, SQX_DATAGRAM_DEFAULT);
  /* HELLO is needed no more. */
  conn->peer_known = conn->link.hello_acked = true;
  g_assert_cmpuint (sqx_conn_max_datagram_payload (conn), ==,
                    SQX_DATAGRAM_DEFAULT - SQX_PLAIN_HEADER - 1);
  sqx_conn_free (conn);
}

/* The queue ---------------------------------------------------------------------------- */

static void
test_writable (void)
{
  sqx_conn *conn = make ();
  sqx_event event;
  sqx_payload payload = { NULL, 0, NULL };

  g_assert_true (sqx_conn_is_writable (conn));
  g_assert_false (sqx_conn_is_busy (conn));
  sqx_conn_set_queue_limit (conn, 40000);
  send_size (conn, 19999 - SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (sqx_conn_queued_bytes (conn), ==, 19999);
  g_assert_true (sqx_conn_is_busy (conn));
  g_assert_true (sqx_conn_is_writable (conn));
  send_size (conn, 20001 - SQX_MESSAGE_OVERHEAD);
  g_assert_cmpuint (sqx_conn_queued_bytes (conn), ==, 40000);
  g_assert_false (sqx_conn_is_writable (conn));
  g_assert_cmpint (sqx_conn_send (conn, 1000, 0, &payload, 0, NULL, NULL), ==, SQX_ERR_QUEUE_FULL);
  g_assert_false (sqx_conn_poll_event (conn, &event));

  /* A half is free from here on. */
  sqx_conn_set_queue_limit (conn, 79999);
  g_assert_false (sqx_conn_poll_event (conn, &event));
  sqx_conn_set_queue_limit (conn, 80000);
  g_assert_true (sqx_conn_is_writable (conn));
  g_assert_true (sqx_conn_poll_event (conn, &event));
  g_assert_cmpint (event.type, ==, SQX_EVENT_WRITABLE);
  g_assert_false (sqx_conn_poll_event (conn, &event));

  /* Nothing can be written to what closes. */
  sqx_conn_close (conn, 1000, 0, NULL);
  g_assert_false (sqx_conn_is_writable (conn));
  sqx_conn_free (conn);
}

static void
test_getters (void)
{
  sqx_conn *conn = make ();
  sqx_statistics statistics;

  memset (&statistics, 0xff, sizeof statistics);
  sqx_conn_statistics (conn, &statistics);
  g_assert_cmpuint (statistics.packets_sent, ==, 0);
  g_assert_cmpuint (statistics.smoothed_rtt, ==, 0);
  g_assert_cmpuint (statistics.min_rtt, ==, 0);
  g_assert_cmpuint (statistics.byte_window, ==, SQX_WINDOW_DEFAULT);
  g_assert_cmpuint (statistics.congestion_window, ==, conn->link.recovery.cc.window);
  g_assert_cmpint (sqx_conn_state (conn), ==, SQX_STATE_CONNECTING);
  g_assert_cmpuint (sqx_conn_incarnation (conn), ==, 0);
  g_assert_cmpuint (sqx_conn_received_bytes_held (conn), ==, 0);
  g_assert_cmpuint (sqx_conn_peer_max_message_size (conn), ==, 0);
  g_assert_false (sqx_conn_has_message (conn, 0));
  g_assert_false (sqx_conn_has_message (conn, UINT32_MAX));
  g_assert_true (sqx_conn_counters (conn) == &conn->counters);

  /* What recovery counts is added to what its predecessors counted. */
  conn->statistics.packets_lost = 100;
  conn->statistics.spurious_losses = 200;
  conn->statistics.probe_timeouts = 300;
  conn->link.recovery.packets_lost = 1;
  conn->link.recovery.spurious_losses = 2;
  conn->link.recovery.probe_timeouts = 3;
  conn->link.recovery.bytes_in_flight = 4;
  sqx_rtt_add_sample (&conn->link.recovery.rtt, 500, 0);
  sqx_conn_statistics (conn, &statistics);
  g_assert_cmpuint (statistics.packets_lost, ==, 101);
  g_assert_cmpuint (statistics.spurious_losses, ==, 202);
  g_assert_cmpuint (statistics.probe_timeouts, ==, 303);
  g_assert_cmpuint (statistics.bytes_in_flight, ==, 4);
  g_assert_cmpuint (statistics.smoothed_rtt, ==, 500);
  g_assert_cmpuint (statistics.min_rtt, ==, 500);
  g_assert_cmpuint (statistics.rtt_variance, ==, 250);
  conn->link.recovery.bytes_in_flight = 0;
  sqx_conn_free (conn);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seqex/settings/defaults", test_defaults);
  g_test_add_func ("/seqex/settings/fill", test_fill);
  g_test_add_func ("/seqex/settings/application-id", test_application_id);
  g_test_add_func ("/seqex/settings/channels", test_channels);
  g_test_add_func ("/seqex/settings/channels-no-memory", test_channels_no_memory);
  g_test_add_func ("/seqex/settings/after-the-end", test_after_the_end);
  g_test_add_func ("/seqex/settings/times", test_times);
  g_test_add_func ("/seqex/settings/max-message-size", test_max_message_size);
  g_test_add_func ("/seqex/settings/datagram-payload", test_datagram_payload);
  g_test_add_func ("/seqex/settings/writable", test_writable);
  g_test_add_func ("/seqex/settings/getters", test_getters);
  return g_test_run ();
}
