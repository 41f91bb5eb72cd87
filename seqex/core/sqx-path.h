/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the peer is, and the proof of it when it seems to have moved (RFC 9000 section 9, design
 * section 5 "Moving").
 *
 * An authentic packet with the highest number so far, from another address, makes that address the
 * candidate. It is asked by CHALLENGE, and becomes the peer's when RESPONSE brings the same bytes
 * back; until then everything else goes to the old address, CLOSE to both, and no more than three
 * times of what came from the candidate goes there. Who challenges is answered where the question
 * came from.
 */
#pragma once

#include "sqx-address.h"
#include "sqx.h"

#define SQX_PATH_FACTOR 3u /* bytes to an unproven address for each byte from it */

typedef struct
{
  sqx_address address;      /* of the peer, as proven by the handshake or a RESPONSE */

  sqx_address candidate;
  bool        validating;   /* candidate is to be proven */
  bool        due;          /* CHALLENGE goes out as soon as the budget allows it */
  uint8_t     challenge[SQX_CHALLENGE_SIZE];
  uint64_t    received;     /* bytes that came from the candidate … */
  uint64_t    sent;         /* … and went to it */
  uint64_t    challenged;   /* when the newest CHALLENGE went out … */
  uint64_t    interval;     /* … and the probe time-out then */
  unsigned    tries;
  uint64_t    deadline;     /* CHALLENGE again, or giving up; SQX_TIME_NEVER: none */

  bool        response_due; /* only the newest question is answered */
  sqx_address response_to;
  uint64_t    response_budget;
  uint8_t     response[SQX_CHALLENGE_SIZE];
} sqx_path;

/* @address: as dialled, or as the peer proved it by a handshake. Whatever was asked is forgotten. */
void sqx_path_init (sqx_path *path, const sqx_address *address);

/* An authentic packet of @size bytes came from @from. @newest: none with a higher number came
 * before. */
void sqx_path_received  (sqx_path *path, const sqx_config *config, const sqx_address *from,
                         size_t size, bool newest);
void sqx_path_challenged (sqx_path *path, const sqx_address *from, const uint8_t *bytes,
                          size_t size);

typedef enum
{
  SQX_PATH_SAME,  /* proves nothing that was asked */
  SQX_PATH_PORT,  /* the peer has another port now … */
  SQX_PATH_HOST,  /* … or another host: RTT and congestion start anew */
} sqx_path_change;

/* RESPONSE came, from wherever. @rtt is set for a change; SQX_TIME_NEVER: not known, because it may
 * answer any of several questions. */
sqx_path_change sqx_path_proven (sqx_path *path, uint64_t now, const uint8_t *bytes, uint64_t *rtt);

/* The size up to which a CHALLENGE may be padded now, 0: none is due or the budget is used up. */
size_t sqx_path_challenge_room (const sqx_path *path, size_t full);
void   sqx_path_challenge_sent (sqx_path *path, uint64_t now, size_t size, uint64_t pto);
size_t sqx_path_response_room  (const sqx_path *path, size_t full);
void   sqx_path_response_sent  (sqx_path *path, size_t size);
/* Whether a packet of @size bytes may go to the candidate, unproven as it is; then it does. */
bool   sqx_path_send_aside     (sqx_path *path, size_t size);
/* The time of path->deadline has come. */
void   sqx_path_timeout        (sqx_path *path, uint64_t now);
