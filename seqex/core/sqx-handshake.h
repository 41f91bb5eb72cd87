/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One attempt at a handshake, on either side: from INIT to the keys of a link. Datagrams in,
 * datagrams out; when to resend and how long to try is up to whoever owns it.
 *
 * A call that gets something which does not authenticate, or that is not for this attempt, changes
 * nothing.
 */
#pragma once

#include "sqx-address.h"
#include "sqx-hello.h"
#include "sqx-keys.h"
#include "sqx-noise.h"
#include "sqx-wire-secure.h"

typedef enum
{
  SQX_HANDSHAKE_IGNORED, /* not valid, not for this attempt, or not expected now: drop and count */
  SQX_HANDSHAKE_REPEAT,  /* came before: send what answers it again. The stored packet (CONFIRM);
                          * for the responder, which has none after ACCEPT, a DATA */
  SQX_HANDSHAKE_AGAIN,   /* RETRY was taken: send INIT again, now */
  SQX_HANDSHAKE_VERSION, /* the peer has no version in common; peer_versions says which it has */
  SQX_HANDSHAKE_LEARNED, /* the peer's key and hello are known */
  SQX_HANDSHAKE_REFUSED, /* authentic CLOSE: code and reason; the attempt is over */
} sqx_handshake_verdict;

/* What both sides put in. Nothing of it is used after the call. */
typedef struct
{
  const sqx_crypto *crypto;
  const uint8_t    *secret_key; /* 32: own static private key */
  const uint8_t    *public_key; /* 32: the one that belongs to it; NULL: is computed */
  const uint8_t    *psk;        /* 32, or NULL */
  void            (*random) (void *user_data, uint8_t *bytes, size_t size);
  void             *user_data;
} sqx_handshake_params;

typedef enum
{
  SQX_HANDSHAKE_NONE = 0,
  SQX_HANDSHAKE_CALLING,   /* initiator: INIT is made */
  SQX_HANDSHAKE_DECIDING,  /* LEARNED by the initiator of XX: to be confirmed or refused;
                            * responder: INIT is read, to be accepted or refused */
  SQX_HANDSHAKE_CONFIRMED, /* initiator of XX: CONFIRM is made, with HELLO or CLOSE */
  SQX_HANDSHAKE_ACCEPTED,  /* responder of XX: ACCEPT is made */
  SQX_HANDSHAKE_OVER,      /* nothing more comes or goes, but REPEAT */
} sqx_handshake_state;

/* May be moved, must not be copied. */
typedef struct
{
  const sqx_crypto *crypto;
  sqx_noise noise;
  uint8_t   state;          /* sqx_handshake_state */
  bool      initiator;
  bool      finished;       /* the keys are known to this side: sqx_handshake_keys() works, once */
  bool      has_peer_key;   /* the peer proved that peer_key is its own; in INIT of IK that may
                             * be a replay, until its first DATA */
  bool      used_psk;
  uint8_t   pattern;        /* as on the wire */
  bool      retried;        /* one RETRY is honoured */
  uint8_t   n_peer_versions;
  uint8_t   peer_versions[8];
  uint32_t  local_id, peer_id;
  uint8_t   peer_key[32];   /* of the initiator of IK from the start on: who is expected */
  uint8_t   ephemeral[32];  /* the initiator's public one: half-open state is keyed by it */
  uint8_t   last[32];       /* digest of the peer's last Noise message, to tell a repetition: XX */
  sqx_hello own;            /* as told to the peer */
  union
  {
    sqx_hello hello;        /* the peer's: after LEARNED, and for the responder of IK */
    struct                  /* after REFUSED */
    {
      uint64_t code;
      char     reason[SQX_CLOSE_REASON_MAX + 1]; /* UTF-8, maybe empty */
    };
  };
  size_t    packet_size;
  uint8_t   packet[SQX_HANDSHAKE_PACKET_MAX]; /* INIT, ACCEPT or CONFIRM, to be (re)sent as it is */
} sqx_handshake;

/* Hellos that go out have at least one cipher. Their link id is not the caller's affair. */

/* Initiator --------------------------------------------------------------------------- */

/* Makes INIT. @peer_key NULL: XX, else IK; with params->psk the psk form. @hello goes along with IK
 * now and with XX later. false: no memory, or a bad key; then there is nothing to be cleared. */
bool sqx_handshake_start (sqx_handshake *handshake, const sqx_handshake_params *params,
                          uint32_t local_id, const uint8_t *peer_key, const sqx_hello *hello);
/* ACCEPT, RETRY or VERSION with the own id as destination. After LEARNED of XX one of the next two
 * must be called; IK is finished with it. */
sqx_handshake_verdict sqx_handshake_handle_answer (sqx_handshake *handshake, const uint8_t *data,
                                                   size_t size);
/* Makes CONFIRM; the handshake is finished. @hello: as at the start, or with changes. false: not
 * now, or no memory, and nothing changed. */
bool sqx_handshake_confirm (sqx_handshake *handshake, const sqx_hello *hello);
/* Makes a CONFIRM that tells why not. Nothing follows. @reason may be NULL. */
bool sqx_handshake_confirm_refusal (sqx_handshake *handshake, uint64_t code, const char *reason);

/* Responder --------------------------------------------------------------------------- */

/* true: message 1 is valid; of IK the peer's key and hello are known (has_peer_key). false: then
 * there is nothing to be cleared. */
bool sqx_handshake_respond (sqx_handshake *handshake, const sqx_handshake_params *params,
                            uint32_t local_id, const sqx_init *init);
/* Makes ACCEPT, with @hello; IK is finished with it. false: not now, no memory, or a bad key, and
 * nothing changed. */
bool sqx_handshake_accept  (sqx_handshake *handshake, const sqx_hello *hello);
/* Makes an ACCEPT that tells why not. Nothing follows, nothing need be kept. @reason may be
 * NULL. */
bool sqx_handshake_refuse  (sqx_handshake *handshake, uint64_t code, const char *reason);
/* CONFIRM for this attempt: LEARNED, the handshake is finished; or REFUSED, REPEAT, IGNORED. */
sqx_handshake_verdict sqx_handshake_handle_confirm (sqx_handshake *handshake, const uint8_t *data,
                                                    size_t size);

/* Both -------------------------------------------------------------------------------- */

/* Once finished: takes the keys, once. false: no cipher in common, or no memory. */
bool sqx_handshake_keys  (sqx_handshake *handshake, sqx_keys *keys);
/* Wipes; any number of times, also after zeroing. */
void sqx_handshake_clear (sqx_handshake *handshake);
