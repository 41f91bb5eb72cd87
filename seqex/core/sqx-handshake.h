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

typedef enum
{
  SQX_HANDSHAKE_IGNORED, /* not valid, not for this attempt, or not expected now: drop and count */
  SQX_HANDSHAKE_REPEAT,  /* came before: send the stored packet again */
  SQX_HANDSHAKE_AGAIN,   /* RETRY was taken: send INIT again, now */
  SQX_HANDSHAKE_VERSION, /* the peer has no version in common; peer_versions says which it has */
  SQX_HANDSHAKE_LEARNED, /* peer_key (for IK always, XX: by message 2 or 3) and the peer's hello are known */
  SQX_HANDSHAKE_REFUSED, /* authentic CLOSE: code and reason */
} sqx_handshake_verdict;

/* What both sides put in. */
typedef struct
{
  const sqx_crypto *crypto;
  const uint8_t    *secret_key; /* 32: own static private key */
  const uint8_t    *psk;        /* 32, or NULL */
  void            (*random) (void *user_data, uint8_t *bytes, size_t size);
  void             *user_data;
} sqx_handshake_params;

typedef struct
{
  sqx_noise noise;
  bool      initiator;
  bool      finished;       /* sqx_handshake_keys() works */
  bool      has_peer_key;
  bool      used_psk;
  uint8_t   pattern;        /* as on the wire */
  uint32_t  local_id, peer_id;
  uint8_t   peer_key[32];
  uint8_t   ephemeral[32];  /* the initiator's public one: half-open state is keyed by it */
  sqx_hello hello;          /* the peer's, once LEARNED */
  sqx_hello own;            /* as told to the peer */
  uint64_t  code;           /* REFUSED, by the peer */
  char      reason[SQX_CLOSE_REASON_MAX + 1];
  uint8_t   peer_versions[8];
  uint8_t   n_peer_versions;
  bool      retried;        /* one RETRY is honoured */
  size_t    packet_size;
  uint8_t   packet[SQX_HANDSHAKE_PACKET_MAX]; /* INIT, ACCEPT or CONFIRM, to be (re)sent as it is */
} sqx_handshake;

/* Initiator --------------------------------------------------------------------------- */

/* Makes INIT. @peer_key NULL: XX, else IK; with params->psk the psk form. @hello goes along with IK now
 * and with XX later. false: no memory, or a bad key. */
bool sqx_handshake_start (sqx_handshake *handshake, const sqx_handshake_params *params,
                          uint32_t local_id, const uint8_t *peer_key, const sqx_hello *hello);
/* ACCEPT, RETRY or VERSION with the own id as destination. After LEARNED of XX one of the next two
 * must be called; IK is finished with it. */
sqx_handshake_verdict sqx_handshake_handle_answer (sqx_handshake *handshake, const uint8_t *data, size_t size);
/* Makes CONFIRM; the handshake is finished. @hello: as at the start, or with changes. */
bool sqx_handshake_confirm (sqx_handshake *handshake, const sqx_hello *hello);
/* Makes a CONFIRM that tells why not. Nothing follows. */
bool sqx_handshake_confirm_refusal (sqx_handshake *handshake, uint64_t code, const char *reason);

/* Responder --------------------------------------------------------------------------- */

/* What INIT says before anything expensive is done with it. */
typedef struct
{
  uint8_t        version;
  uint32_t       source_id;
  uint8_t        pattern;
  const uint8_t *cookie;
  uint8_t        cookie_size; /* 0 or 32 */
  const uint8_t *message;     /* Noise message 1; the ephemeral public key comes first */
  size_t         message_size;
  size_t         datagram_size;
} sqx_init;

/* false: malformed. With another version only version and source_id are set. */
bool sqx_init_decode (sqx_init *init, const uint8_t *data, size_t size);

/* true: message 1 is valid; of IK the peer's key and hello are known (has_peer_key). */
bool sqx_handshake_respond (sqx_handshake *handshake, const sqx_handshake_params *params,
                            uint32_t local_id, const sqx_init *init);
/* Makes ACCEPT, with @hello; IK is finished with it. */
bool sqx_handshake_accept  (sqx_handshake *handshake, const sqx_hello *hello);
/* Makes an ACCEPT that tells why not. Nothing follows, nothing need be kept. */
bool sqx_handshake_refuse  (sqx_handshake *handshake, uint64_t code, const char *reason);
/* CONFIRM for this attempt: LEARNED, the handshake is finished; or REFUSED, REPEAT, IGNORED. */
sqx_handshake_verdict sqx_handshake_handle_confirm (sqx_handshake *handshake, const uint8_t *data, size_t size);

/* Both -------------------------------------------------------------------------------- */

/* The cipher that both hellos lead to; 0: none in common. */
sqx_cipher sqx_hello_choose_cipher (const sqx_hello *own, const sqx_hello *peer);
/* Once finished: takes the keys, once. false: no cipher in common, or no memory. */
bool sqx_handshake_keys  (sqx_handshake *handshake, sqx_keys *keys);
void sqx_handshake_clear (sqx_handshake *handshake); /* wipes */

/* Stateless answers. They write at most @capacity bytes (64 is enough) and return the size. */
size_t sqx_write_retry   (uint8_t *buffer, size_t capacity, uint32_t destination_id, const uint8_t cookie[32]);
size_t sqx_write_reset   (uint8_t *buffer, size_t capacity, const uint8_t *data, size_t size);
size_t sqx_write_version (uint8_t *buffer, size_t capacity, uint32_t destination_id);
