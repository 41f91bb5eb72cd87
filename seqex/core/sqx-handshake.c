/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-handshake.h"

#include "sqx-util.h"

/* Up to so many are kept for peers that have proven nothing yet. */
_Static_assert (sizeof (sqx_handshake) <= 2560, "half-open handshakes stay small");
/* The largest Noise message (IK: ephemeral, static, tags, HELLO with its frame) beside the longest
 * header. */
_Static_assert (SQX_INIT_HEADER + SQX_COOKIE_SIZE + 2 * SQX_KEY_SIZE + 2 * SQX_TAG_SIZE + 3 +
                SQX_HELLO_MAX <= SQX_INIT_MIN, "INIT holds the largest HELLO");
_Static_assert (SQX_INIT_MIN <= SQX_HANDSHAKE_PACKET_MAX, "INIT fits");

/* Payloads ----------------------------------------------------------------------------- */

typedef struct
{
  uint8_t    data[SQX_NOISE_PAYLOAD_MAX];
  sqx_writer writer;
} payload;

static void
payload_init (payload *p)
{
  p->writer = (sqx_writer) { p->data, 0, sizeof p->data };
}

static void
put_hello (payload         *p,
           const sqx_hello *hello)
{
  uint8_t parameters[SQX_HELLO_MAX];

  payload_init (p);
  assert (hello->n_ciphers > 0);
  sqx_write_hello (&p->writer, parameters, sqx_hello_encode (hello, parameters));
}

static void
put_close (payload    *p,
           uint64_t    code,
           const char *reason)
{
  payload_init (p);
  sqx_write_close (&p->writer, code, reason, reason != NULL ? strlen (reason) : 0);
}

/* Exactly one HELLO or CLOSE. @link_id: what the HELLO must name, NULL: nothing. */
static sqx_handshake_verdict
take_payload (sqx_handshake  *handshake,
              sqx_reader      reader,
              const uint32_t *link_id)
{
  sqx_hello hello;
  sqx_frame frame;

  if (!sqx_decode_frame (&reader, &frame) || reader.at != reader.end)
    return SQX_HANDSHAKE_IGNORED;

  if (frame.type == SQX_FRAME_CLOSE)
    {
      size_t size = sqx_utf8_valid (frame.close.reason, frame.close.size) ? frame.close.size : 0;

      handshake->code = frame.close.code;
      memcpy (handshake->reason, frame.close.reason, size);
      handshake->reason[size] = '\0';
      return SQX_HANDSHAKE_REFUSED;
    }
  if (frame.type != SQX_FRAME_HELLO ||
      !sqx_hello_decode_secure (&hello, frame.hello.data, frame.hello.size) ||
      (link_id != NULL && (!hello.has_link_id || hello.link_id != *link_id)))
    return SQX_HANDSHAKE_IGNORED;
  handshake->hello = hello;
  return SQX_HANDSHAKE_LEARNED;
}

/* Reads a Noise message, and its payload. An authentic message with a payload that is not valid is
 * as little as one that is not authentic. */
static sqx_handshake_verdict
read_message (sqx_handshake  *handshake,
              const uint8_t  *message,
              size_t          message_size,
              const uint32_t *link_id)
{
  sqx_noise before = handshake->noise;
  sqx_handshake_verdict verdict = SQX_HANDSHAKE_IGNORED;
  uint8_t data[SQX_NOISE_PAYLOAD_MAX];
  size_t size;

  if (sqx_noise_read (&handshake->noise, message, message_size, data, &size))
    verdict = take_payload (handshake, (sqx_reader) { data, data + size }, link_id);

  if (verdict == SQX_HANDSHAKE_IGNORED)
    handshake->noise = before;
  else
    {
      memcpy (handshake->peer_key, sqx_noise_remote_static (&handshake->noise), SQX_KEY_SIZE);
      handshake->has_peer_key = true;
    }
  handshake->crypto->wipe (&before, sizeof before);
  return verdict;
}

/* Both --------------------------------------------------------------------------------- */

static bool
is_xx (const sqx_handshake *handshake)
{
  return handshake->pattern == SQX_NOISE_XX || handshake->pattern == SQX_NOISE_XXPSK3;
}

static void
begin (sqx_handshake              *handshake,
       const sqx_handshake_params *params,
       uint8_t                     pattern,
       bool                        initiator,
       uint32_t                    source_id,
       const uint8_t              *peer_key)
{
  uint8_t prologue[] = { 'S', 'e', 'q', 'e', 'x', SQX_VERSION, pattern, 0, 0, 0, 0 };
  uint8_t ephemeral[SQX_KEY_SIZE];
  sqx_noise_config config = {
    .pattern = (sqx_noise_pattern) pattern,
    .initiator = initiator,
    .prologue = { prologue, sizeof prologue },
    .static_key = params->secret_key,
    .static_public = params->public_key,
    .remote_static = peer_key,
    .ephemeral = ephemeral,
  };

  *handshake = (sqx_handshake) {
    .crypto = params->crypto,
    .initiator = initiator,
    .pattern = pattern,
    .used_psk = pattern == SQX_NOISE_XXPSK3 || pattern == SQX_NOISE_IKPSK2,
  };
  sqx_put_be32 (prologue + 7, source_id);
  if (handshake->used_psk)
    config.psk = params->psk;
  params->random (params->user_data, ephemeral, sizeof ephemeral);
  sqx_noise_init (&handshake->noise, params->crypto, &config);
  params->crypto->wipe (ephemeral, sizeof ephemeral);
}

static bool
write_header (const sqx_handshake *handshake,
              uint8_t              type,
              sqx_writer          *writer,
              size_t               message_size)
{
  if (type == SQX_PACKET_INIT)
    return sqx_write_init (writer, handshake->local_id, handshake->pattern, NULL, message_size);
  if (type == SQX_PACKET_ACCEPT)
    return sqx_write_accept (writer, handshake->peer_id, handshake->local_id, message_size);
  return sqx_write_confirm (writer, handshake->peer_id);
}

/* Makes the packet of @type around the next Noise message. INIT and ACCEPT are padded: INIT so that
 * no answer to it is longer, ACCEPT so that the path is known to carry so much both ways. */
static bool
write_packet (sqx_handshake *handshake,
              uint8_t        type,
              const payload *p)
{
  size_t header = type == SQX_PACKET_INIT     ? SQX_INIT_HEADER
                  : type == SQX_PACKET_ACCEPT ? SQX_ACCEPT_HEADER
                                              : SQX_CONFIRM_HEADER;
  uint8_t packet[SQX_HANDSHAKE_PACKET_MAX] = { 0 };
  sqx_writer writer = { packet, 0, header };
  size_t message_size;
  bool fits;

  if (!sqx_noise_write (&handshake->noise, p->data, p->writer.size, packet + header,
                        sizeof packet - header, &message_size))
    return false;

  fits = write_header (handshake, type, &writer, message_size);
  assert (fits && writer.size == header);
  (void) fits;
  memcpy (handshake->packet, packet, sizeof packet);
  handshake->packet_size = type == SQX_PACKET_CONFIRM ? header + message_size : SQX_INIT_MIN;
  return true;
}

static void
digest (const sqx_handshake *handshake,
        const uint8_t       *message,
        size_t               size,
        uint8_t              out[SQX_HASH_SIZE])
{
  const sqx_bytes part = { message, size };

  handshake->crypto->sha256 (out, &part, 1);
}

static bool
is_last (const sqx_handshake *handshake,
         const uint8_t       *message,
         size_t               size)
{
  uint8_t hash[SQX_HASH_SIZE];

  digest (handshake, message, size, hash);
  return handshake->crypto->equal (hash, handshake->last, sizeof hash);
}

bool
sqx_handshake_keys (sqx_handshake *handshake,
                    sqx_keys      *keys)
{
  uint8_t send[SQX_KEY_SIZE], receive[SQX_KEY_SIZE];
  sqx_cipher cipher;
  bool ok;

  if (!handshake->finished || handshake->noise.crypto == NULL)
    return false;
  cipher = sqx_hello_choose_cipher (&handshake->own, &handshake->hello);
  if (cipher == 0)
    return false;

  sqx_noise_split (&handshake->noise, send, receive);
  ok = sqx_keys_init (keys, handshake->crypto, cipher, send, receive);
  handshake->crypto->wipe (send, sizeof send);
  handshake->crypto->wipe (receive, sizeof receive);
  if (ok)
    sqx_noise_clear (&handshake->noise);
  return ok;
}

void
sqx_handshake_clear (sqx_handshake *handshake)
{
  if (handshake->crypto != NULL)
    handshake->crypto->wipe (handshake, sizeof *handshake);
}

/* Initiator ---------------------------------------------------------------------------- */

bool
sqx_handshake_start (sqx_handshake              *handshake,
                     const sqx_handshake_params *params,
                     uint32_t                    local_id,
                     const uint8_t              *peer_key,
                     const sqx_hello            *hello)
{
  uint8_t pattern = peer_key != NULL ? (params->psk != NULL ? SQX_NOISE_IKPSK2 : SQX_NOISE_IK)
                                     : (params->psk != NULL ? SQX_NOISE_XXPSK3 : SQX_NOISE_XX);
  payload p;

  begin (handshake, params, pattern, true, local_id, peer_key);
  handshake->local_id = local_id;
  handshake->own = *hello;
  handshake->own.has_link_id = false;
  payload_init (&p);
  if (peer_key != NULL)
    {
      memcpy (handshake->peer_key, peer_key, SQX_KEY_SIZE);
      put_hello (&p, &handshake->own);
    }
  if (!write_packet (handshake, SQX_PACKET_INIT, &p))
    {
      sqx_handshake_clear (handshake);
      return false;
    }
  memcpy (handshake->ephemeral, handshake->packet + SQX_INIT_HEADER, SQX_KEY_SIZE);
  handshake->state = SQX_HANDSHAKE_CALLING;
  return true;
}

static sqx_handshake_verdict
handle_accept (sqx_handshake *handshake,
               const uint8_t *data,
               size_t         size)
{
  sqx_handshake_verdict verdict;
  sqx_accept accept;

  if (!sqx_accept_decode (&accept, data, size) || accept.destination_id != handshake->local_id)
    return SQX_HANDSHAKE_IGNORED;
  if (handshake->state == SQX_HANDSHAKE_CONFIRMED && accept.source_id == handshake->peer_id &&
      is_last (handshake, accept.message, accept.message_size))
    return SQX_HANDSHAKE_REPEAT;
  if (handshake->state != SQX_HANDSHAKE_CALLING)
    return SQX_HANDSHAKE_IGNORED;

  verdict = read_message (handshake, accept.message, accept.message_size, &accept.source_id);
  if (verdict == SQX_HANDSHAKE_IGNORED)
    return verdict;
  handshake->peer_id = accept.source_id;
  handshake->state = SQX_HANDSHAKE_OVER;
  if (verdict == SQX_HANDSHAKE_LEARNED)
    {
      handshake->finished = !is_xx (handshake);
      if (is_xx (handshake))
        {
          digest (handshake, accept.message, accept.message_size, handshake->last);
          handshake->state = SQX_HANDSHAKE_DECIDING;
        }
    }
  return verdict;
}

/* The Noise message stays the same: a cookie is no part of what is authenticated, or else each
 * RETRY would cost the initiator another handshake. */
static sqx_handshake_verdict
handle_retry (sqx_handshake *handshake,
              const uint8_t *data,
              size_t         size)
{
  sqx_writer writer = { handshake->packet, 0, SQX_INIT_HEADER + SQX_COOKIE_SIZE };
  const uint8_t *cookie;
  sqx_init init;
  uint32_t id;
  bool fits;

  if (!sqx_decode_retry (data, size, &id, &cookie) || id != handshake->local_id ||
      handshake->state != SQX_HANDSHAKE_CALLING || handshake->retried)
    return SQX_HANDSHAKE_IGNORED;

  fits = sqx_init_decode (&init, handshake->packet, handshake->packet_size);
  memmove (handshake->packet + SQX_INIT_HEADER + SQX_COOKIE_SIZE, init.message, init.message_size);
  fits &= sqx_write_init (&writer, handshake->local_id, handshake->pattern, cookie,
                          init.message_size);
  assert (fits);
  (void) fits;
  handshake->retried = true;
  return SQX_HANDSHAKE_AGAIN;
}

static sqx_handshake_verdict
handle_version (sqx_handshake *handshake,
                const uint8_t *data,
                size_t         size)
{
  const uint8_t *versions;
  uint32_t id;
  size_t n;

  /* Who has this version did not get that INIT wrong: somebody else sent it, or it was damaged. */
  if (!sqx_decode_version (data, size, &id, &versions, &n) || id != handshake->local_id ||
      handshake->state != SQX_HANDSHAKE_CALLING || memchr (versions, SQX_VERSION, n) != NULL)
    return SQX_HANDSHAKE_IGNORED;

  handshake->n_peer_versions = (uint8_t) SQX_MIN (n, sizeof handshake->peer_versions);
  memcpy (handshake->peer_versions, versions, handshake->n_peer_versions);
  return SQX_HANDSHAKE_VERSION;
}

sqx_handshake_verdict
sqx_handshake_handle_answer (sqx_handshake *handshake,
                             const uint8_t *data,
                             size_t         size)
{
  if (size == 0 || !handshake->initiator)
    return SQX_HANDSHAKE_IGNORED;
  switch (data[0])
    {
    case SQX_PACKET_ACCEPT:
      return handle_accept (handshake, data, size);
    case SQX_PACKET_RETRY:
      return handle_retry (handshake, data, size);
    case SQX_PACKET_VERSION:
      return handle_version (handshake, data, size);
    default:
      return SQX_HANDSHAKE_IGNORED;
    }
}

static bool
may_confirm (const sqx_handshake *handshake)
{
  return handshake->initiator && handshake->state == SQX_HANDSHAKE_DECIDING;
}

bool
sqx_handshake_confirm (sqx_handshake   *handshake,
                       const sqx_hello *hello)
{
  sqx_hello own = *hello;
  payload p;

  if (!may_confirm (handshake))
    return false;
  own.has_link_id = false;
  put_hello (&p, &own);
  if (!write_packet (handshake, SQX_PACKET_CONFIRM, &p))
    return false;
  handshake->own = own;
  handshake->finished = true;
  handshake->state = SQX_HANDSHAKE_CONFIRMED;
  return true;
}

bool
sqx_handshake_confirm_refusal (sqx_handshake *handshake,
                               uint64_t       code,
                               const char    *reason)
{
  payload p;

  if (!may_confirm (handshake))
    return false;
  put_close (&p, code, reason);
  if (!write_packet (handshake, SQX_PACKET_CONFIRM, &p))
    return false;
  handshake->state = SQX_HANDSHAKE_CONFIRMED;
  return true;
}

/* Responder ---------------------------------------------------------------------------- */

/* Message 1 of XX has no payload, that of IK HELLO. */
static bool
read_first (sqx_handshake  *handshake,
            const sqx_init *init)
{
  uint8_t data[SQX_NOISE_PAYLOAD_MAX];
  size_t size;

  if (is_xx (handshake))
    return sqx_noise_read (&handshake->noise, init->message, init->message_size, data, &size) &&
           size == 0;
  return read_message (handshake, init->message, init->message_size, NULL) == SQX_HANDSHAKE_LEARNED;
}

bool
sqx_handshake_respond (sqx_handshake              *handshake,
                       const sqx_handshake_params *params,
                       uint32_t                    local_id,
                       const sqx_init             *init)
{
  bool wants_psk = init->pattern == SQX_NOISE_XXPSK3 || init->pattern == SQX_NOISE_IKPSK2;

  if (init->version != SQX_VERSION || (wants_psk && params->psk == NULL))
    {
      *handshake = (sqx_handshake) { 0 };
      return false;
    }

  begin (handshake, params, init->pattern, false, init->source_id, NULL);
  handshake->local_id = local_id;
  handshake->peer_id = init->source_id;
  memcpy (handshake->ephemeral, init->message, SQX_KEY_SIZE);
  if (!read_first (handshake, init))
    {
      sqx_handshake_clear (handshake);
      return false;
    }
  handshake->state = SQX_HANDSHAKE_DECIDING;
  return true;
}

static bool
may_accept (const sqx_handshake *handshake)
{
  return !handshake->initiator && handshake->state == SQX_HANDSHAKE_DECIDING;
}

bool
sqx_handshake_accept (sqx_handshake   *handshake,
                      const sqx_hello *hello)
{
  sqx_hello own = *hello;
  payload p;

  if (!may_accept (handshake))
    return false;
  /* The header of ACCEPT is authenticated by nothing else, and a wrong id would cost the link. */
  own.has_link_id = true;
  own.link_id = handshake->local_id;
  put_hello (&p, &own);
  if (!write_packet (handshake, SQX_PACKET_ACCEPT, &p))
    return false;
  handshake->own = own;
  handshake->finished = !is_xx (handshake);
  handshake->state = is_xx (handshake) ? SQX_HANDSHAKE_ACCEPTED : SQX_HANDSHAKE_OVER;
  return true;
}

bool
sqx_handshake_refuse (sqx_handshake *handshake,
                      uint64_t       code,
                      const char    *reason)
{
  payload p;

  if (!may_accept (handshake))
    return false;
  put_close (&p, code, reason);
  if (!write_packet (handshake, SQX_PACKET_ACCEPT, &p))
    return false;
  handshake->state = SQX_HANDSHAKE_OVER;
  return true;
}

sqx_handshake_verdict
sqx_handshake_handle_confirm (sqx_handshake *handshake,
                              const uint8_t *data,
                              size_t         size)
{
  sqx_handshake_verdict verdict;
  sqx_confirm confirm;

  if (handshake->initiator || !sqx_confirm_decode (&confirm, data, size) ||
      confirm.destination_id != handshake->local_id)
    return SQX_HANDSHAKE_IGNORED;
  if (handshake->state == SQX_HANDSHAKE_OVER && handshake->finished && is_xx (handshake) &&
      is_last (handshake, confirm.message, confirm.message_size))
    return SQX_HANDSHAKE_REPEAT;
  if (handshake->state != SQX_HANDSHAKE_ACCEPTED)
    return SQX_HANDSHAKE_IGNORED;

  verdict = read_message (handshake, confirm.message, confirm.message_size, NULL);
  if (verdict == SQX_HANDSHAKE_IGNORED)
    return verdict;
  digest (handshake, confirm.message, confirm.message_size, handshake->last);
  handshake->finished = verdict == SQX_HANDSHAKE_LEARNED;
  handshake->state = SQX_HANDSHAKE_OVER;
  return verdict;
}
