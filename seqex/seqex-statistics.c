/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-statistics-private.h"

/**
 * SeqexStatistics:
 *
 * What a connection has done so far, as figures of one moment.
 *
 * They come from [property@Seqex.Connection:statistics] and do not change any more. Every figure is
 * for the whole life of the connection unless it says what it is now. "Packet" stands for a
 * datagram of the transport, whatever it carries; "datagram" for what
 * [method@Seqex.Connection.send_datagram] sends.
 */
struct _SeqexStatistics
{
  sqx_statistics core;
  sqx_counters   counters;
  guint64        send_errors;
};

G_DEFINE_BOXED_TYPE (SeqexStatistics, seqex_statistics,
                     seqex_statistics_copy, seqex_statistics_free)

SeqexStatistics *
seqex_statistics_new (const sqx_conn *conn,
                      guint64         send_errors,
                      guint64         foreign)
{
  SeqexStatistics *self = g_new0 (SeqexStatistics, 1);

  if (conn != NULL)
    {
      sqx_conn_statistics (conn, &self->core);
      self->counters = *sqx_conn_counters (conn);
    }
  self->send_errors = send_errors;
  self->counters.foreign += foreign;
  return self;
}

/**
 * seqex_statistics_copy: (skip)
 * @self: statistics
 *
 * Copies statistics.
 *
 * Returns: (transfer full): a copy, to be freed with [method@Seqex.Statistics.free]
 */
SeqexStatistics *
seqex_statistics_copy (const SeqexStatistics *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_memdup2 (self, sizeof *self);
}

/**
 * seqex_statistics_free: (skip)
 * @self: (transfer full): statistics
 *
 * Frees statistics.
 */
void
seqex_statistics_free (SeqexStatistics *self)
{
  g_free (self);
}

static guint64
get_figure (const SeqexStatistics *self,
            gsize                  offset)
{
  g_return_val_if_fail (self != NULL, 0);

  return G_STRUCT_MEMBER (guint64, self, offset);
}

#define GETTER(name, field)                                             \
  guint64                                                               \
  seqex_statistics_get_##name (const SeqexStatistics *self)             \
  {                                                                     \
    return get_figure (self, G_STRUCT_OFFSET (SeqexStatistics, field)); \
  }

/**
 * seqex_statistics_get_packets_sent:
 * @self: statistics
 *
 * Packets sent: datagrams of the transport, whatever they carried.
 *
 * Returns: the number of packets sent
 */
GETTER (packets_sent, core.packets_sent)

/**
 * seqex_statistics_get_packets_received:
 * @self: statistics
 *
 * Packets received and accepted.
 *
 * Returns: the number of packets received
 */
GETTER (packets_received, core.packets_received)

/**
 * seqex_statistics_get_packets_dropped:
 * @self: statistics
 *
 * Packets received and dropped, for whatever reason: duplicates, packets of an earlier incarnation
 * of a peer, garbage.
 *
 * Returns: the number of packets dropped
 */
guint64
seqex_statistics_get_packets_dropped (const SeqexStatistics *self)
{
  const sqx_counters *counters;

  g_return_val_if_fail (self != NULL, 0);

  counters = &self->counters;
  return counters->foreign + counters->truncated + counters->oversized + counters->wrong_epoch
         + counters->former_epoch + counters->unknown_epoch + counters->no_hello
         + counters->duplicate_packet + counters->old_packet + counters->after_close
         + counters->violation + counters->early_fragment + counters->fragment_ranges
         + counters->no_memory;
}

/**
 * seqex_statistics_get_packets_lost:
 * @self: statistics
 *
 * Packets sent that were taken for lost, so that what they carried was sent again. Some of them
 * may have come late instead: see [method@Seqex.Statistics.get_spurious_losses].
 *
 * Returns: the number of packets taken for lost
 */
GETTER (packets_lost, core.packets_lost)

/**
 * seqex_statistics_get_spurious_losses:
 * @self: statistics
 *
 * Packets that were taken for lost and acknowledged later.
 *
 * Returns: the number of packets wrongly taken for lost
 */
GETTER (spurious_losses, core.spurious_losses)

/**
 * seqex_statistics_get_duplicate_packets:
 * @self: statistics
 *
 * Packets that arrived more than once; each was dropped from the second time on. They count as
 * dropped too.
 *
 * Returns: the number of duplicate packets
 */
GETTER (duplicate_packets, counters.duplicate_packet)

/**
 * seqex_statistics_get_send_errors:
 * @self: statistics
 *
 * Packets that the transport refused for good, with an error. They are treated like lost ones.
 *
 * Returns: the number of packets that could not be sent
 */
GETTER (send_errors, send_errors)

/**
 * seqex_statistics_get_bytes_sent:
 * @self: statistics
 *
 * Bytes in the packets sent, without the headers of UDP and IP.
 *
 * Returns: the number of bytes sent
 */
GETTER (bytes_sent, core.bytes_sent)

/**
 * seqex_statistics_get_bytes_received:
 * @self: statistics
 *
 * Bytes in the packets received and accepted, without the headers of UDP and IP.
 *
 * Returns: the number of bytes received
 */
GETTER (bytes_received, core.bytes_received)

/**
 * seqex_statistics_get_bytes_resent:
 * @self: statistics
 *
 * Bytes of messages that were sent more than once.
 *
 * Returns: the number of bytes sent again
 */
GETTER (bytes_resent, core.bytes_resent)

/**
 * seqex_statistics_get_messages_sent:
 * @self: statistics
 *
 * Messages of this side whose first byte was sent.
 *
 * Returns: the number of messages sent
 */
GETTER (messages_sent, core.messages_sent)

/**
 * seqex_statistics_get_messages_received:
 * @self: statistics
 *
 * Messages that arrived, each counted once.
 *
 * Returns: the number of messages received
 */
GETTER (messages_received, core.messages_received)

/**
 * seqex_statistics_get_duplicate_messages:
 * @self: statistics
 *
 * Messages and parts of messages that arrived although they had arrived already; they were
 * dropped.
 *
 * Returns: the number of duplicates
 */
GETTER (duplicate_messages, counters.duplicate_message)

/**
 * seqex_statistics_get_exchanges_started:
 * @self: statistics
 *
 * Exchanges that this side started.
 *
 * Returns: the number of exchanges started
 */
GETTER (exchanges_started, core.exchanges_started)

/**
 * seqex_statistics_get_exchanges_accepted:
 * @self: statistics
 *
 * Exchanges that the peer started.
 *
 * Returns: the number of exchanges accepted
 */
GETTER (exchanges_accepted, core.exchanges_accepted)

/**
 * seqex_statistics_get_replies_received:
 * @self: statistics
 *
 * Replies that arrived for a message of this side.
 *
 * Returns: the number of replies received
 */
GETTER (replies_received, core.replies_delivered)

/**
 * seqex_statistics_get_datagrams_sent:
 * @self: statistics
 *
 * Unconfirmed datagrams sent: see [method@Seqex.Connection.send_datagram].
 *
 * Returns: the number of datagrams sent
 */
GETTER (datagrams_sent, core.datagrams_sent)

/**
 * seqex_statistics_get_datagrams_received:
 * @self: statistics
 *
 * Unconfirmed datagrams received: see [signal@Seqex.Connection::datagram].
 *
 * Returns: the number of datagrams received
 */
GETTER (datagrams_received, core.datagrams_received)

/**
 * seqex_statistics_get_probe_timeouts:
 * @self: statistics
 *
 * How often nothing was acknowledged for so long that a probe was sent.
 *
 * Returns: the number of probe time-outs
 */
GETTER (probe_timeouts, core.probe_timeouts)

/**
 * seqex_statistics_get_congestion_window:
 * @self: statistics
 *
 * How many bytes may be on their way at once, as the network is judged now.
 *
 * Returns: the congestion window, in bytes
 */
GETTER (congestion_window, core.congestion_window)

/**
 * seqex_statistics_get_bytes_in_flight:
 * @self: statistics
 *
 * How many bytes are on their way now: sent, and neither acknowledged nor taken for lost.
 *
 * Returns: the bytes in flight
 */
GETTER (bytes_in_flight, core.bytes_in_flight)

/**
 * seqex_statistics_get_receive_window:
 * @self: statistics
 *
 * How many bytes of messages the peer may have on their way to this side at once.
 *
 * Returns: the receive window, in bytes
 */
GETTER (receive_window, core.byte_window)

/**
 * seqex_statistics_get_round_trip_time:
 * @self: statistics
 *
 * The smoothed round-trip time, in microseconds; 0 while none was measured.
 *
 * Returns: the round-trip time, in microseconds
 */
GETTER (round_trip_time, core.smoothed_rtt)

/**
 * seqex_statistics_get_min_round_trip_time:
 * @self: statistics
 *
 * The smallest round-trip time measured, in microseconds; 0 while none was.
 *
 * Returns: the smallest round-trip time, in microseconds
 */
GETTER (min_round_trip_time, core.min_rtt)

/**
 * seqex_statistics_get_round_trip_variation:
 * @self: statistics
 *
 * By how much the round-trip time varies, in microseconds; 0 while none was measured.
 *
 * Returns: the variation of the round-trip time, in microseconds
 */
GETTER (round_trip_variation, core.rtt_variance)

/* What the getters give, and then every counter of the core. */
static const struct
{
  const char *name;
  gsize       offset;
} figures[] = {
#define FIGURE(name, field) { name, G_STRUCT_OFFSET (SeqexStatistics, field) },
  FIGURE ("packets_sent", core.packets_sent)
  FIGURE ("packets_received", core.packets_received)
  FIGURE ("packets_lost", core.packets_lost)
  FIGURE ("spurious_losses", core.spurious_losses)
  FIGURE ("duplicate_packets", counters.duplicate_packet)
  FIGURE ("send_errors", send_errors)
  FIGURE ("bytes_sent", core.bytes_sent)
  FIGURE ("bytes_received", core.bytes_received)
  FIGURE ("bytes_resent", core.bytes_resent)
  FIGURE ("messages_sent", core.messages_sent)
  FIGURE ("messages_received", core.messages_received)
  FIGURE ("duplicate_messages", counters.duplicate_message)
  FIGURE ("exchanges_started", core.exchanges_started)
  FIGURE ("exchanges_accepted", core.exchanges_accepted)
  FIGURE ("replies_received", core.replies_delivered)
  FIGURE ("datagrams_sent", core.datagrams_sent)
  FIGURE ("datagrams_received", core.datagrams_received)
  FIGURE ("probe_timeouts", core.probe_timeouts)
  FIGURE ("congestion_window", core.congestion_window)
  FIGURE ("bytes_in_flight", core.bytes_in_flight)
  FIGURE ("receive_window", core.byte_window)
  FIGURE ("round_trip_time", core.smoothed_rtt)
  FIGURE ("min_round_trip_time", core.min_rtt)
  FIGURE ("round_trip_variation", core.rtt_variance)
#define COUNTER(name) FIGURE ("dropped, " #name, counters.name)
  SQX_COUNTERS (COUNTER)
#undef COUNTER
#undef FIGURE
};

/**
 * seqex_statistics_to_string:
 * @self: statistics
 *
 * Writes down all figures for a person to read, one in a line.
 *
 * Beyond those that have a getter, these are the reasons for which something was dropped without a
 * word, each with how often. The names and their order are not part of the interface.
 *
 * Returns: (transfer full): the text
 */
char *
seqex_statistics_to_string (const SeqexStatistics *self)
{
  GString *text;

  g_return_val_if_fail (self != NULL, NULL);

  text = g_string_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (figures); i++)
    g_string_append_printf (text, "%s: %" G_GUINT64_FORMAT "\n", figures[i].name,
                            get_figure (self, figures[i].offset));
  return g_string_free (text, FALSE);
}
