/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-keys.h"

#include "sqx-hkdf.h"
#include "sqx-util.h"

#define LABEL_AES256GCM        "seqex 1 data aes256gcm"
#define LABEL_CHACHA20POLY1305 "seqex 1 data chacha20poly1305"
#define LABEL_UPDATE           "seqex 1 update"

#define NO_NUMBER UINT64_MAX

static void
derive_data_key (const sqx_keys *keys,
                 uint8_t         out[SQX_KEY_SIZE],
                 const uint8_t   chain[SQX_KEY_SIZE])
{
  sqx_hkdf_expand_label (keys->crypto, out, chain,
                         keys->cipher == SQX_CIPHER_AES256GCM ? LABEL_AES256GCM
                                                              : LABEL_CHACHA20POLY1305);
}

/* What the direction knows of its next phase becomes what it knows of the one after it. */
static void
step_chain (const sqx_keys     *keys,
            sqx_keys_direction *direction)
{
  sqx_hkdf_expand_label (keys->crypto, direction->chain, direction->chain, LABEL_UPDATE);
  derive_data_key (keys, direction->key, direction->chain);
}

static void *
make_next (const sqx_keys           *keys,
           const sqx_keys_direction *direction)
{
  return keys->crypto->aead_new (keys->cipher, direction->key);
}

static bool
init_direction (const sqx_keys     *keys,
                sqx_keys_direction *direction,
                const uint8_t       chain[SQX_KEY_SIZE])
{
  memcpy (direction->chain, chain, SQX_KEY_SIZE);
  derive_data_key (keys, direction->key, direction->chain);
  direction->aead = make_next (keys, direction);
  step_chain (keys, direction);
  return direction->aead != NULL;
}

bool
sqx_keys_init (sqx_keys         *keys,
               const sqx_crypto *crypto,
               sqx_cipher        cipher,
               const uint8_t     send[32],
               const uint8_t     receive[32])
{
  *keys = (sqx_keys) {
    .crypto = crypto,
    .cipher = cipher,
    .send_first = NO_NUMBER,
    .old_until = SQX_TIME_NEVER,
  };
  if (init_direction (keys, &keys->send, send) && init_direction (keys, &keys->receive, receive))
    return true;
  sqx_keys_clear (keys);
  return false;
}

void
sqx_keys_clear (sqx_keys *keys)
{
  const sqx_crypto *crypto = keys->crypto;

  if (crypto == NULL)
    return;
  crypto->aead_free (keys->send.aead);
  crypto->aead_free (keys->receive.aead);
  crypto->aead_free (keys->old);
  crypto->wipe (keys, sizeof *keys);
}

/* Sending ------------------------------------------------------------------------------- */

/* Goes on to the next send phase. The key of the last one goes at once: what was sealed with it was
 * sent, and is never sealed again. */
static bool
advance_send (sqx_keys *keys)
{
  void *aead = make_next (keys, &keys->send);

  if (aead == NULL)
    return false;
  keys->crypto->aead_free (keys->send.aead);
  keys->send.aead = aead;
  keys->send.phase++;
  step_chain (keys, &keys->send);
  keys->send_first = NO_NUMBER;
  keys->sealed = 0;
  keys->send_acked = false;
  return true;
}

/* Whether the peer has gone on to a phase that sending could not follow to for lack of memory. */
static bool
lags (const sqx_keys *keys)
{
  return keys->send.phase < keys->receive.phase;
}

uint8_t
sqx_keys_phase (const sqx_keys *keys)
{
  return SQX_MAX (keys->send.phase, keys->receive.phase) & 1;
}

static void
make_nonce (uint8_t  nonce[SQX_NONCE_SIZE],
            uint64_t number)
{
  memset (nonce, 0, 4);
  sqx_put_be32 (nonce + 4, (uint32_t) (number >> 32));
  sqx_put_be32 (nonce + 8, (uint32_t) number);
}

bool
sqx_keys_seal (sqx_keys      *keys,
               uint64_t       number,
               const uint8_t *ad,
               size_t         ad_size,
               uint8_t       *data,
               size_t         size)
{
  uint8_t nonce[SQX_NONCE_SIZE];

  /* A number that comes twice would give the key away, a number out of order comes of a bug or of a
   * copy of the state: neither may ever send again. */
  if (number < keys->next_number || number > SQX_KEYS_NUMBER_MAX)
    keys->broken = true;
  if (lags (keys) && !advance_send (keys))
    return false;
  if (sqx_keys_exhausted (keys))
    return false;

  make_nonce (nonce, number);
  if (!keys->crypto->aead_seal (keys->send.aead, nonce, ad, ad_size, data, size))
    return false;
  keys->next_number = number + 1;
  keys->send_first = SQX_MIN (keys->send_first, number);
  keys->sealed++;
  return true;
}

void
sqx_keys_acked (sqx_keys *keys,
                uint64_t  number)
{
  if (number >= keys->send_first && number < keys->next_number)
    keys->send_acked = true;
}

bool
sqx_keys_due (const sqx_keys *keys)
{
  return keys->sealed >= SQX_KEYS_SEAL_DUE && !lags (keys);
}

bool
sqx_keys_update (sqx_keys *keys)
{
  /* A peer that acknowledges the new phase and goes on in the old one breaks the rules; it must not
   * make the phases two apart, since a header could not tell them. */
  if (!keys->send_acked || keys->send.phase != keys->receive.phase)
    return false;
  return advance_send (keys);
}

/* Receiving ----------------------------------------------------------------------------- */

static sqx_keys_verdict
open_with (sqx_keys      *keys,
           void          *aead,
           uint64_t       number,
           const uint8_t *ad,
           size_t         ad_size,
           uint8_t       *data,
           size_t         size)
{
  uint8_t nonce[SQX_NONCE_SIZE];

  make_nonce (nonce, number);
  if (keys->crypto->aead_open (aead, nonce, ad, ad_size, data, size))
    return SQX_KEYS_OK;
  keys->forged++;
  return SQX_KEYS_FORGED;
}

/* The peer has gone on, and its packet @number with the key of the next phase is authentic. */
static void
advance_receive (sqx_keys *keys,
                 void     *aead,
                 uint64_t  number,
                 uint64_t  until)
{
  keys->crypto->aead_free (keys->old);
  keys->old = keys->receive.aead;
  keys->old_until = until;
  keys->receive.aead = aead;
  keys->receive.phase++;
  step_chain (keys, &keys->receive);
  keys->receive_first = keys->receive_last = number;

  /* Nothing must be sealed with a key of the phase before, whether there is memory for the new one
   * or not. */
  if (lags (keys) && !advance_send (keys))
    {
      keys->crypto->aead_free (keys->send.aead);
      keys->send.aead = NULL;
    }
}

/* Whether a packet may be the first of the peer's next phase. An honest peer goes on only after it
 * was told that a packet of this phase arrived, or to follow; and its numbers only grow. */
static bool
may_be_next (const sqx_keys *keys,
             uint64_t        number)
{
  bool told = keys->send.phase == keys->receive.phase && keys->sealed > 0;
  bool follows = keys->send.phase > keys->receive.phase;

  return keys->received && number > keys->receive_last && (told || follows);
}

sqx_keys_verdict
sqx_keys_open (sqx_keys      *keys,
               uint64_t       now,
               uint64_t       retain,
               uint8_t        phase,
               uint64_t       number,
               const uint8_t *ad,
               size_t         ad_size,
               uint8_t       *data,
               size_t         size)
{
  sqx_keys_verdict verdict;
  void *next;

  sqx_keys_expire (keys, now);
  if (keys->forged >= SQX_KEYS_FORGED_MAX)
    return SQX_KEYS_EXHAUSTED;
  if (number > SQX_KEYS_NUMBER_MAX)
    return SQX_KEYS_FORGED;

  if (phase == (keys->receive.phase & 1))
    {
      verdict = open_with (keys, keys->receive.aead, number, ad, ad_size, data, size);
      if (verdict == SQX_KEYS_OK)
        {
          keys->receive_first = keys->received ? SQX_MIN (keys->receive_first, number) : number;
          keys->receive_last = SQX_MAX (keys->receive_last, number);
          keys->received = true;
        }
      return verdict;
    }

  if (keys->old != NULL && number < keys->receive_first)
    return open_with (keys, keys->old, number, ad, ad_size, data, size);
  if (!may_be_next (keys, number))
    return SQX_KEYS_FORGED;

  next = make_next (keys, &keys->receive);
  if (next == NULL)
    return SQX_KEYS_NO_MEMORY;
  verdict = open_with (keys, next, number, ad, ad_size, data, size);
  if (verdict == SQX_KEYS_OK)
    advance_receive (keys, next, number, sqx_time_add (now, retain));
  else
    keys->crypto->aead_free (next);
  return verdict;
}

uint64_t
sqx_keys_deadline (const sqx_keys *keys)
{
  return keys->old_until;
}

void
sqx_keys_expire (sqx_keys *keys,
                 uint64_t  now)
{
  if (now < keys->old_until)
    return;
  keys->crypto->aead_free (keys->old);
  keys->old = NULL;
  keys->old_until = SQX_TIME_NEVER;
}

/* Both --------------------------------------------------------------------------------- */

bool
sqx_keys_exhausted (const sqx_keys *keys)
{
  return keys->broken || keys->next_number > SQX_KEYS_NUMBER_MAX ||
         keys->forged >= SQX_KEYS_FORGED_MAX ||
         (keys->cipher == SQX_CIPHER_AES256GCM && keys->sealed >= SQX_KEYS_SEAL_MAX &&
          !lags (keys));
}
