/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which packets are lost: RFC 9002 sections 6.1 and 7.6. A part of sqx-recovery.h, which says when it
 * is asked.
 */
#pragma once

#include "sqx-recovery.h"

/* Ends a list of packets that is linked through their marks, lowest first. */
#define SQX_LOSS_NONE UINT64_MAX

/* Lowers @end past the DONE packets right below it, and shortens the way for the next time. A mark
 * above its packet links what an ACK has just acknowledged, and stays. */
uint64_t sqx_loss_skip_done (sqx_recovery *recovery, uint64_t end);

/* Declares lost what is by now, tells the controller, and sets recovery->loss_time. Returns the list
 * of these packets, for sqx_loss_report(). */
uint64_t sqx_loss_detect (sqx_recovery *recovery, uint64_t now);
/* Tells the listener of the packets in the list @head, … */
void     sqx_loss_report (sqx_recovery *recovery, uint64_t now, uint64_t head);
/* … or of one, whatever becomes of it. */
void     sqx_loss_tell   (sqx_recovery *recovery, uint64_t now, const sqx_sent_packet *packet);

/* Takes @packet out of what is outstanding. */
void     sqx_loss_release (sqx_recovery *recovery, const sqx_sent_packet *packet);
