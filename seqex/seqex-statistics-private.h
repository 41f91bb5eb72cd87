/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/sqx.h"
#include "seqex-statistics.h"

G_BEGIN_DECLS

/* @conn may be NULL: all figures of the core are 0 then. @foreign: datagrams that came and did not
 * even reach it. */
SeqexStatistics *seqex_statistics_new (const sqx_conn *conn,
                                       guint64         send_errors,
                                       guint64         foreign);

G_END_DECLS
