/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#if !defined(SEQEX_INSIDE) && !defined(SEQEX_COMPILATION)
#error "Only <seqex.h> can be included directly."
#endif

#include <glib.h>

#include "seqex-version.h"

/* config.h defines this for the library itself, with visibility; a program only declares. */
#ifndef _SEQEX_EXTERN
#define _SEQEX_EXTERN extern
#endif

/**
 * SEQEX_VERSION_1_0:
 *
 * Version 1.0, for `SEQEX_VERSION_MIN_REQUIRED` and `SEQEX_VERSION_MAX_ALLOWED`.
 */
#define SEQEX_VERSION_1_0 (G_ENCODE_VERSION (1, 0))

/* The stable API that these headers describe. What is written before 1.0 becomes 1.0, and an odd
 * minor version leads to the next even one. Everything compared below is encoded: a bare
 * major number would never equal an encoded version. */
#if SEQEX_MAJOR_VERSION == 0
#define SEQEX_VERSION_CUR_STABLE SEQEX_VERSION_1_0
#else
#define SEQEX_VERSION_CUR_STABLE \
  (G_ENCODE_VERSION (SEQEX_MAJOR_VERSION, SEQEX_MINOR_VERSION + SEQEX_MINOR_VERSION % 2))
#endif

/**
 * SEQEX_VERSION_MIN_REQUIRED:
 *
 * The oldest version that a program supports: what was deprecated later gives no warning.
 *
 * A program defines it to a `SEQEX_VERSION_x_y` before it includes `<seqex.h>`.
 */
#ifndef SEQEX_VERSION_MIN_REQUIRED
#define SEQEX_VERSION_MIN_REQUIRED SEQEX_VERSION_CUR_STABLE
#endif

/**
 * SEQEX_VERSION_MAX_ALLOWED:
 *
 * The newest version whose API a program may use: what came later gives a warning.
 *
 * A program defines it to a `SEQEX_VERSION_x_y` before it includes `<seqex.h>`.
 */
#ifndef SEQEX_VERSION_MAX_ALLOWED
#define SEQEX_VERSION_MAX_ALLOWED SEQEX_VERSION_CUR_STABLE
#endif

#if SEQEX_VERSION_MIN_REQUIRED < SEQEX_VERSION_1_0
#error "SEQEX_VERSION_MIN_REQUIRED must be SEQEX_VERSION_1_0 or later"
#endif
#if SEQEX_VERSION_MAX_ALLOWED < SEQEX_VERSION_MIN_REQUIRED
#error "SEQEX_VERSION_MAX_ALLOWED must not be before SEQEX_VERSION_MIN_REQUIRED"
#endif

#define _SEQEX_UNAVAILABLE(major, minor) G_UNAVAILABLE (major, minor) _SEQEX_EXTERN

#define SEQEX_AVAILABLE_IN_ALL _SEQEX_EXTERN

#if SEQEX_VERSION_MAX_ALLOWED < SEQEX_VERSION_1_0
#define SEQEX_AVAILABLE_IN_1_0 _SEQEX_UNAVAILABLE (1, 0)
#else
#define SEQEX_AVAILABLE_IN_1_0 _SEQEX_EXTERN
#endif
