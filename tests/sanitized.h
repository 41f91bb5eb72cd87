/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether the program runs under a sanitizer, where everything takes several times as long and
 * memory is another matter.
 */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature (address_sanitizer)
#else
#define SANITIZED 0
#endif
