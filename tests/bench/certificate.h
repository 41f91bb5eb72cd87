/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A new key and a certificate that it signed itself, both as PEM: what TLS cannot do without. ECDSA
 * over P-256, as servers of today have. Free with g_free(). */
char *certificate_new (void);
