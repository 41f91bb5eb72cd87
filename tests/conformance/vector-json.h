/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the C side says of a packet, as JSON for verify_wire.py. Bytes are hexadecimal strings.
 */
#pragma once

#include <glib.h>

#include "sqx-hello.h"
#include "sqx-wire.h"

void json_hex    (GString *json, const char *name, const uint8_t *data, gsize size);
/* "name": value, with a comma in front unless an object begins. */
void json_number (GString *json, const char *name, guint64 value);
void json_bool   (GString *json, const char *name, gboolean value);
void json_null   (GString *json, const char *name);
void json_string (GString *json, const char *name, const char *value);

/* Members of a packet: its hex, whether it is valid, its header, and what its frames are, up to the
 * first one that is malformed. A HELLO is valid in the packet even if its parameters are not. */
void json_packet (GString *json, const uint8_t *data, gsize size);
/* The same of what is encrypted: no header, and frames of all types. */
void json_frames (GString *json, const uint8_t *data, gsize size);
void json_frame  (GString *json, const sqx_frame *frame);
void json_header (GString *json, const sqx_plain_header *header);
/* Members of a list of parameters: its hex, whether it is valid, and what it says. */
void json_hello  (GString *json, const uint8_t *data, gsize size);
