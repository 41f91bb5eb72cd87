/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How peers get in: from INIT (sqx-admission.c) to a connection (sqx-arrival.c).
 *
 * Nothing is kept for an INIT that was not read, and none is read without a cookie when there are
 * many unfinished handshakes. Those that are kept are few for each host and in all, and
 * short-lived.
 */
#pragma once

#include "sqx-answers.h"
#include "sqx-cookie.h"
#include "sqx-endpoint-inner.h"
#include "sqx-half-open.h"

struct sqx_admission
{
  sqx_half_opens half_opens;
  sqx_answers    answers;
  sqx_cookies    cookies;
  uint64_t       next_unproven; /* when the next INIT without cookie would keep to the rate */
};

/* Room for the reason of a refusal. */
#define SQX_REFUSAL_MAX (2 * SQX_APPLICATION_ID_MAX + 64)

/* What the endpoint decided about a peer whose key and HELLO are known. */
typedef struct
{
  sqx_trust trust;  /* not REFUSE, if code is 0 */
  uint64_t  code;   /* 0: taken; else of CLOSE */
  char      reason[SQX_REFUSAL_MAX];
} sqx_decision;

/* false: no memory. */
bool sqx_admission_init  (sqx_endpoint *endpoint, uint64_t secret);
/* A no-op without. */
void sqx_admission_clear (sqx_endpoint *endpoint);

/* The next datagram of a handshake that is not finished, or of none: as
 * sqx_endpoint_poll_transmit(). */
size_t   sqx_admission_transmit (sqx_endpoint *endpoint, sqx_address *to, uint8_t *buffer,
                                 size_t capacity);
void     sqx_admission_timeout  (sqx_endpoint *endpoint, uint64_t now);
uint64_t sqx_admission_deadline (const sqx_endpoint *endpoint);

void sqx_admission_handle_init (sqx_endpoint *endpoint, uint64_t now, const sqx_address *from,
                                const uint8_t *data, size_t size);
/* DATA for nobody. */
void sqx_admission_answer_reset (sqx_endpoint *endpoint, uint64_t now, const sqx_address *from,
                                 const uint8_t *data, size_t size);
/* Takes @half_open out and frees it. */
void sqx_admission_drop        (sqx_endpoint *endpoint, sqx_half_open *half_open);

/* sqx-decide.c */

/* Whether the peer of @handshake is taken by this side, which tells @own of itself. @conn: the one
 * that it is to join, NULL: it is to get a new one. */
void sqx_admission_decide (sqx_endpoint *endpoint, const sqx_handshake *handshake, sqx_conn *conn,
                           const sqx_hello *own, sqx_decision *decision);
/* There is no room for the peer. */
void sqx_admission_busy (sqx_decision *decision);
/* The connection with a session that @handshake may resume. NULL: none. */
sqx_conn *sqx_admission_find_session  (const sqx_endpoint  *endpoint,
                                       const sqx_handshake *handshake);
/* Whether it asks for a session that has a newer link, and is to get no answer therefore. */
bool      sqx_admission_is_past       (const sqx_endpoint  *endpoint,
                                       const sqx_handshake *handshake);
/* The connection that dials @address, has no session yet, and of which the ephemeral key is the
 * smallest. With @handshake: that may join it. NULL: none. */
sqx_conn *sqx_admission_find_dialling (const sqx_endpoint  *endpoint,
                                       const sqx_address   *address,
                                       const sqx_handshake *handshake);

/* Whether a peer at @address answered what this side dials, and has not heard of it yet: if that
 * peer dials too, its attempt is about to end. */
bool sqx_admission_was_answered (const sqx_endpoint *endpoint, uint64_t now,
                                 const sqx_address *address);

/* sqx-arrival.c */

void sqx_arrival_handle_confirm (sqx_endpoint *endpoint, uint64_t now, const sqx_address *from,
                                 sqx_half_open *half_open, const uint8_t *data, size_t size);
void sqx_arrival_handle_data    (sqx_endpoint *endpoint, uint64_t now, const sqx_address *from,
                                 sqx_half_open *half_open, uint8_t *data, size_t size);
