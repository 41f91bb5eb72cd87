/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#define SEQEX_INSIDE

#include "seqex-version.h"
#include "seqex-version-macros.h"

#include "seqex-authorization.h"
#include "seqex-channel.h"
#include "seqex-connection.h"
#include "seqex-endpoint.h"
#include "seqex-enum-types.h"
#include "seqex-enums.h"
#include "seqex-error.h"
#include "seqex-identity.h"
#include "seqex-key.h"
#include "seqex-message.h"
#include "seqex-shared-secret.h"
#include "seqex-statistics.h"
#include "seqex-stream.h"
#include "seqex-trust-store.h"
#include "seqex-trusted-peer.h"
#include "seqex-types.h"

#undef SEQEX_INSIDE
