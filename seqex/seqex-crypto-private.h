/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cryptography of the core, out of GnuTLS and Nettle. Neither GLib nor anything else of the
 * library is used, so that the simulator and the tests of the core link it too.
 */
#pragma once

#include "core/sqx-crypto.h"

/* Constant: the same table for ever, for every thread. */
const sqx_crypto *seqex_crypto_table (void);
