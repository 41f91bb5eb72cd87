/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a session's counts and lists agree with each other, whatever happened to it. Without
 * GLib, so that a fuzzer can use it.
 */
#pragma once

#include "sqx-session.h"

/* What does not agree, NULL if everything does. To be called between calls, not inside of one,
 * and not after sqx_session_detach(). */
const char *session_check (const sqx_session *session);
