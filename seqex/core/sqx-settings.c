/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program sets, and what it may ask.
 */
#include "sqx-conn-private.h"

#include "sqx-handover.h"

/* Configuration ------------------------------------------------------------------------ */

void
sqx_config_init (sqx_config *config)
{
  *config = (sqx_config) {
    .max_datagram_size = SQX_DATAGRAM_DEFAULT,
    .max_message_size = SQX_MESSAGE_MAX_DEFAULT,
    .exchange_credit = SQX_EXCHANGES_DEFAULT,
    .max_channels = SQX_CHANNELS_DEFAULT,
    .max_streams = SQX_STREAMS_DEFAULT,
    .stream_window = SQX_STREAM_WINDOW_DEFAULT,
    .queue_limit = SQX_QUEUE_DEFAULT,
    .ack_delay = SQX_ACK_DELAY_DEFAULT,
    .idle_timeout = SQX_IDLE_DEFAULT,
    .keepalive_interval = SQX_KEEPALIVE_DEFAULT,
    .close_timeout = SQX_CLOSE_DEFAULT,
    .unreachable_timeout = SQX_UNREACHABLE_DEFAULT,
    .accepts_messages = true,
  };
}

void
sqx_config_fill (sqx_config *config)
{
  uint64_t least = 2 * sqx_message_cost (config->max_message_size);

  if (config->byte_window == 0)
    config->byte_window = SQX_MAX (least, SQX_WINDOW_DEFAULT);
  if (config->byte_window_max == 0)
    config->byte_window_max = SQX_MAX (config->byte_window, SQX_WINDOW_MAX_DEFAULT);
  if (config->controller == NULL)
    config->controller = &sqx_bbr;
}

bool
sqx_config_is_valid (const sqx_config *config)
{
  return config->random != NULL &&
         config->max_datagram_size >= SQX_DATAGRAM_MIN &&
         config->max_datagram_size <= SQX_DATAGRAM_MAX &&
         config->max_message_size >= SQX_MESSAGE_MAX_MIN &&
         config->max_message_size <= SQX_MESSAGE_MAX_MAX &&
         config->byte_window >= 2 * sqx_message_cost (config->max_message_size) &&
         config->byte_window_max >= config->byte_window &&
         config->byte_window_max <= SQX_WINDOW_MAX &&
         config->exchange_credit >= 1 && config->exchange_credit <= SQX_EXCHANGES_MAX &&
         config->max_channels >= SQX_CHANNELS_MIN && config->max_channels <= SQX_CHANNELS_MAX &&
         config->max_streams <= SQX_STREAMS_MAX &&
         config->stream_window >= SQX_STREAM_WINDOW_MIN &&
         config->stream_window <= SQX_WINDOW_MAX / SQX_STREAM_SHARES &&
         config->ack_delay <= SQX_ACK_DELAY_MAX &&
         config->idle_timeout >= SQX_IDLE_MIN &&
         (config->application_id == NULL ||
          (strlen (config->application_id) <= SQX_APPLICATION_ID_MAX &&
           sqx_utf8_valid ((const uint8_t *) config->application_id,
                           strlen (config->application_id))));
}

/* Settings ----------------------------------------------------------------------------- */

static sqx_result
get_channel (sqx_conn     *conn,
             uint32_t      id,
             sqx_channel **channel)
{
  if (id >= conn->config.max_channels)
    return SQX_ERR_INVALID;
  /* Channel 0 is where messages of closed channels wait, so it always comes first. */
  if (sqx_session_channel (&conn->session, 0) == NULL)
    return SQX_ERR_NO_MEMORY;
  *channel = sqx_session_channel (&conn->session, id);
  return *channel != NULL ? SQX_OK : SQX_ERR_NO_MEMORY;
}

sqx_result
sqx_conn_open_channel (sqx_conn *conn,
                       uint32_t  channel)
{
  sqx_channel *opened;
  sqx_result result = get_channel (conn, channel, &opened);

  /* What waits after the end stays where it was announced. */
  if (result == SQX_OK && !sqx_conn_is_over (conn))
    sqx_session_open_channel (&conn->session, opened);
  sqx_conn_touch (conn);
  return result;
}

sqx_result
sqx_conn_set_priority (sqx_conn *conn,
                       uint32_t  channel,
                       uint32_t  priority)
{
  sqx_channel *changed;
  sqx_result result = priority < SQX_PRIORITIES ? get_channel (conn, channel, &changed)
                                                : SQX_ERR_INVALID;

  if (result == SQX_OK)
    sqx_outgoing_change_priority (&conn->session, changed, (uint8_t) priority);
  return result;
}

sqx_result
sqx_conn_set_serialized (sqx_conn *conn,
                         uint32_t  channel,
                         bool      serialized)
{
  sqx_channel *changed;
  sqx_result result = get_channel (conn, channel, &changed);

  if (result != SQX_OK || sqx_conn_is_over (conn))
    return result;
  /* What is held back waits in the channel's own queue, where channel 0 does not find it. */
  if (serialized)
    sqx_session_open_channel (&conn->session, changed);
  if (changed->serialized != serialized)
    {
      changed->serialized = serialized;
      sqx_handover_requeue (&conn->session, changed);
    }
  sqx_conn_touch (conn);
  return SQX_OK;
}

void
sqx_conn_set_accepts_messages (sqx_conn *conn,
                               uint64_t  now,
                               bool      accepts)
{
  conn->config.accepts_messages = accepts;
  conn->session.accepts = accepts;
  if (!accepts && !sqx_conn_is_over (conn))
    sqx_handover_end_untaken (&conn->session, now, SQX_END_UNHANDLED);
  sqx_conn_settle (conn, now);
}

void
sqx_conn_set_queue_limit (sqx_conn *conn,
                          uint64_t  bytes)
{
  conn->config.queue_limit = bytes;
  sqx_conn_settle (conn, conn->now);
}

void
sqx_conn_set_keepalive (sqx_conn *conn,
                        uint64_t  now,
                        uint64_t  interval,
                        bool      always)
{
  conn->config.keepalive_interval = interval;
  conn->config.keepalive_always = always;
  sqx_conn_update_timers (conn, now);
}

void
sqx_conn_set_idle_timeout (sqx_conn *conn,
                           uint64_t  now,
                           uint64_t  timeout)
{
  conn->config.idle_timeout = SQX_MAX (timeout, SQX_IDLE_MIN);
  sqx_conn_update_timers (conn, now);
}

void
sqx_conn_set_max_send_rate (sqx_conn *conn,
                            uint64_t  now,
                            uint64_t  rate)
{
  conn->config.max_send_rate = conn->link.max_rate = rate;
  /* What waits by the old rate may wait far too long. */
  sqx_pacer_init (&conn->link.pacer);
  sqx_conn_update_timers (conn, now);
}

sqx_result
sqx_conn_set_max_message_size (sqx_conn *conn,
                               uint64_t  size)
{
  sqx_config config = conn->config;

  if (conn->statistics.packets_sent > 0 || conn->statistics.packets_received > 0)
    return SQX_ERR_INVALID;
  config.max_message_size = size;
  config.byte_window = config.byte_window_max = 0;
  if (size > SQX_MESSAGE_MAX_MAX)
    return SQX_ERR_INVALID;
  sqx_config_fill (&config);
  if (!sqx_config_is_valid (&config))
    return SQX_ERR_INVALID;

  conn->config = config;
  conn->session.credit.max_message = size;
  conn->session.credit.window = config.byte_window;
  conn->session.credit.window_max = config.byte_window_max;
  conn->session.credit.bytes_told = config.byte_window;
  return SQX_OK;
}

/* Getters ------------------------------------------------------------------------------ */

sqx_state
sqx_conn_state (const sqx_conn *conn)
{
  return conn->state;
}

const sqx_counters *
sqx_conn_counters (const sqx_conn *conn)
{
  return &conn->counters;
}

void
sqx_conn_statistics (const sqx_conn *conn,
                     sqx_statistics *statistics)
{
  const sqx_recovery *recovery = &conn->link.recovery;

  *statistics = conn->statistics;
  statistics->packets_lost += recovery->packets_lost;
  statistics->spurious_losses += recovery->spurious_losses;
  statistics->probe_timeouts += recovery->probe_timeouts;
  statistics->congestion_window = recovery->cc.window;
  statistics->bytes_in_flight = recovery->bytes_in_flight;
  statistics->byte_window = conn->session.credit.window;
  statistics->smoothed_rtt = sqx_conn_smoothed_rtt (conn);
  if (recovery->rtt.sampled)
    {
      statistics->min_rtt = recovery->rtt.min;
      statistics->rtt_variance = recovery->rtt.variance;
    }
}

uint64_t
sqx_conn_smoothed_rtt (const sqx_conn *conn)
{
  return conn->link.recovery.rtt.sampled ? conn->link.recovery.rtt.smoothed : 0;
}

bool
sqx_conn_has_message (const sqx_conn *conn,
                      uint32_t        channel)
{
  const sqx_channel *queue = sqx_session_find_channel (&conn->session, channel);

  return queue != NULL && sqx_handover_next (queue) != NULL;
}

bool
sqx_conn_is_busy (const sqx_conn *conn)
{
  return sqx_session_is_busy (&conn->session);
}

uint64_t
sqx_conn_queued_bytes (const sqx_conn *conn)
{
  return conn->session.queued_bytes;
}

bool
sqx_conn_is_writable (const sqx_conn *conn)
{
  return conn->state <= SQX_STATE_RECONNECTING &&
         conn->session.queued_bytes <= conn->config.queue_limit / 2;
}

uint64_t
sqx_conn_peer_max_message_size (const sqx_conn *conn)
{
  return conn->peer_known ? conn->session.credit.peer_max_message : 0;
}

const char *
sqx_conn_peer_application_id (const sqx_conn *conn)
{
  return conn->peer_known ? conn->application_id : sqx_text_or_none (conn->other_application_id);
}

uint32_t
sqx_conn_incarnation (const sqx_conn *conn)
{
  return conn->incarnation;
}

uint64_t
sqx_conn_received_bytes_held (const sqx_conn *conn)
{
  return conn->session.held;
}
