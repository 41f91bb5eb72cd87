/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a program sets on a SeqexConnection.
 */
#include "config.h"

#include "seqex-connection-private.h"

/* Perhaps the core has something to send because of it. */
static void
changed (SeqexConnection *self,
         const char      *property_name)
{
  if (self->dialogue.core != NULL)
    seqex_dialogue_mark_ready (&self->dialogue);
  seqex_connection_notify (self, property_name);
}

/**
 * seqex_connection_get_accepts_messages: (get-property accepts-messages)
 * @self: a connection
 *
 * Gets whether the peer may start exchanges.
 *
 * Returns: whether it may
 */
gboolean
seqex_connection_get_accepts_messages (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), FALSE);

  return self->config.accepts_messages;
}

/**
 * seqex_connection_set_accepts_messages: (set-property accepts-messages)
 * @self: a connection
 * @accepts: whether the peer may start exchanges
 *
 * Sets whether the peer may start exchanges.
 */
void
seqex_connection_set_accepts_messages (SeqexConnection *self,
                                       gboolean         accepts)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  dialogue = &self->dialogue;
  accepts = accepts != FALSE;
  if (self->config.accepts_messages == accepts
      || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  self->config.accepts_messages = accepts;
  if (dialogue->core != NULL)
    sqx_conn_set_accepts_messages (dialogue->core, seqex_driver_time (dialogue->driver), accepts);
  changed (self, "accepts-messages");
}

/**
 * seqex_connection_get_timeout: (get-property timeout)
 * @self: a connection
 *
 * Gets how long a message that is sent waits for its outcome.
 *
 * Returns: the time-out in milliseconds, 0 for none
 */
guint
seqex_connection_get_timeout (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->port.timeout;
}

/**
 * seqex_connection_set_timeout: (set-property timeout)
 * @self: a connection
 * @timeout: the time-out in milliseconds, 0 for none
 *
 * Sets how long a message that is sent from now on waits for its outcome.
 */
void
seqex_connection_set_timeout (SeqexConnection *self,
                              guint            timeout)
{
  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  if (self->port.timeout == timeout)
    return;

  self->port.timeout = timeout;
  seqex_connection_notify (self, "timeout");
}

static guint
to_milliseconds (guint64 time)
{
  return time == SQX_TIME_NEVER ? 0 : (guint) (time / SQX_MILLISECOND);
}

static guint64
from_milliseconds (guint time)
{
  return time == 0 ? SQX_TIME_NEVER : time * SQX_MILLISECOND;
}

/**
 * seqex_connection_get_keepalive_interval: (get-property keepalive-interval)
 * @self: a connection
 *
 * Gets after how much silence the peer is asked whether it is still there.
 *
 * Returns: the time in milliseconds, 0 for never
 */
guint
seqex_connection_get_keepalive_interval (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return to_milliseconds (self->config.keepalive_interval);
}

/**
 * seqex_connection_set_keepalive_interval: (set-property keepalive-interval)
 * @self: a connection
 * @interval: the time in milliseconds, 0 for never
 *
 * Sets after how much silence the peer is asked whether it is still there.
 */
void
seqex_connection_set_keepalive_interval (SeqexConnection *self,
                                         guint            interval)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  dialogue = &self->dialogue;
  if (self->config.keepalive_interval == from_milliseconds (interval)
      || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  self->config.keepalive_interval = from_milliseconds (interval);
  if (dialogue->core != NULL)
    sqx_conn_set_keepalive (dialogue->core, seqex_driver_time (dialogue->driver),
                            self->config.keepalive_interval, self->config.keepalive_always);
  changed (self, "keepalive-interval");
}

/**
 * seqex_connection_get_idle_timeout: (get-property idle-timeout)
 * @self: a connection
 *
 * Gets after how much silence the peer is given up.
 *
 * Returns: the time in milliseconds, 0 for never
 */
guint
seqex_connection_get_idle_timeout (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return to_milliseconds (self->config.idle_timeout);
}

/**
 * seqex_connection_set_idle_timeout: (set-property idle-timeout)
 * @self: a connection
 * @timeout: the time in milliseconds, 0 for never; less than 10 is taken for 10
 *
 * Sets after how much silence the peer is given up.
 */
void
seqex_connection_set_idle_timeout (SeqexConnection *self,
                                   guint            timeout)
{
  SeqexDialogue *dialogue;
  guint64 time;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  dialogue = &self->dialogue;
  time = MAX (from_milliseconds (timeout), SQX_IDLE_MIN);
  if (self->config.idle_timeout == time || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  self->config.idle_timeout = time;
  if (dialogue->core != NULL)
    sqx_conn_set_idle_timeout (dialogue->core, seqex_driver_time (dialogue->driver), time);
  changed (self, "idle-timeout");
}

/**
 * seqex_connection_get_max_message_size: (get-property max-message-size)
 * @self: a connection
 *
 * Gets the size of the largest message that the peer may send.
 *
 * Returns: the size in bytes
 */
guint64
seqex_connection_get_max_message_size (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.max_message_size;
}

/**
 * seqex_connection_set_max_message_size: (set-property max-message-size)
 * @self: a connection
 * @size: the size in bytes, from 16 KiB to 256 MiB
 *
 * Sets the size of the largest message that the peer may send.
 *
 * The peer learns it with the first datagram; to set it later is a programming error.
 */
void
seqex_connection_set_max_message_size (SeqexConnection *self,
                                       guint64          size)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));
  g_return_if_fail (size >= SQX_MESSAGE_MAX_MIN && size <= SQX_MESSAGE_MAX_MAX);

  dialogue = &self->dialogue;
  if (self->config.max_message_size == size
      || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  if (dialogue->core != NULL && sqx_conn_set_max_message_size (dialogue->core, size) != SQX_OK)
    {
      g_critical ("%s() was called after the first datagram. Set the size right after the "
                  "connection was made.", G_STRFUNC);
      return;
    }
  self->config.max_message_size = size;
  seqex_connection_notify (self, "max-message-size");
}

/**
 * seqex_connection_get_max_queued_bytes: (get-property max-queued-bytes)
 * @self: a connection
 *
 * Gets how many bytes may wait to be sent.
 *
 * Returns: the number of bytes, with 64 for each message on top of its payload
 */
guint64
seqex_connection_get_max_queued_bytes (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.queue_limit;
}

/**
 * seqex_connection_set_max_queued_bytes: (set-property max-queued-bytes)
 * @self: a connection
 * @bytes: the number of bytes, with 64 for each message on top of its payload
 *
 * Sets how many bytes may wait to be sent.
 */
void
seqex_connection_set_max_queued_bytes (SeqexConnection *self,
                                       guint64          bytes)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  dialogue = &self->dialogue;
  if (self->config.queue_limit == bytes || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  self->config.queue_limit = bytes;
  if (dialogue->core != NULL)
    sqx_conn_set_queue_limit (dialogue->core, bytes);
  changed (self, "max-queued-bytes");
}

/**
 * seqex_connection_get_max_send_rate: (get-property max-send-rate)
 * @self: a connection
 *
 * Gets how fast this side sends at most.
 *
 * Returns: the rate in bytes a second, 0 for no limit
 */
guint64
seqex_connection_get_max_send_rate (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), 0);

  return self->config.max_send_rate;
}

/**
 * seqex_connection_set_max_send_rate: (set-property max-send-rate)
 * @self: a connection
 * @rate: the rate in bytes a second, 0 for no limit
 *
 * Sets how fast this side sends at most, from the next datagram on.
 */
void
seqex_connection_set_max_send_rate (SeqexConnection *self,
                                    guint64          rate)
{
  SeqexDialogue *dialogue;

  g_return_if_fail (SEQEX_IS_CONNECTION (self));

  dialogue = &self->dialogue;
  if (self->config.max_send_rate == rate || !seqex_dialogue_check_thread (dialogue, G_STRFUNC))
    return;

  self->config.max_send_rate = rate;
  if (dialogue->core != NULL)
    sqx_conn_set_max_send_rate (dialogue->core, seqex_driver_time (dialogue->driver), rate);
  changed (self, "max-send-rate");
}

/**
 * seqex_connection_get_congestion_control: (get-property congestion-control)
 * @self: a connection
 *
 * Gets how the connection finds out how fast it may send.
 *
 * Returns: the way
 */
SeqexCongestionControl
seqex_connection_get_congestion_control (SeqexConnection *self)
{
  g_return_val_if_fail (SEQEX_IS_CONNECTION (self), SEQEX_CONGESTION_CONTROL_BBR);

  return seqex_connection_get_controller (&self->config);
}
