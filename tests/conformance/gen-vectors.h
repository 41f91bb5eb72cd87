/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdio.h>

/* One line of output: members follow through json_*(). */
GString *line_begin (const char *kind);
void     line_end   (GString *json);

void generate_fixed     (void);
void generate_handshake (void);
void generate_exchange  (guint64 seed);
void generate_epochs    (guint64 seed);
