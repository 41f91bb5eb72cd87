/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include "seqex-types.h"

G_BEGIN_DECLS

#define SEQEX_TYPE_STATISTICS (seqex_statistics_get_type ())

SEQEX_AVAILABLE_IN_ALL
GType            seqex_statistics_get_type                  (void) G_GNUC_CONST;

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
SeqexStatistics *seqex_statistics_copy                      (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
void             seqex_statistics_free                      (SeqexStatistics       *self);

SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_packets_sent          (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_packets_received      (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_packets_dropped       (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_packets_lost          (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_spurious_losses       (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_duplicate_packets     (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_send_errors           (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_bytes_sent            (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_bytes_received        (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_bytes_resent          (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_messages_sent         (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_messages_received     (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_duplicate_messages    (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_exchanges_started     (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_exchanges_accepted    (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_replies_received      (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_datagrams_sent        (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_datagrams_received    (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_probe_timeouts        (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_congestion_window     (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_bytes_in_flight       (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_receive_window        (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_round_trip_time       (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_min_round_trip_time   (const SeqexStatistics *self);
SEQEX_AVAILABLE_IN_ALL
guint64          seqex_statistics_get_round_trip_variation  (const SeqexStatistics *self);

SEQEX_AVAILABLE_IN_ALL G_GNUC_WARN_UNUSED_RESULT
char            *seqex_statistics_to_string                 (const SeqexStatistics *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SeqexStatistics, seqex_statistics_free)

G_END_DECLS
