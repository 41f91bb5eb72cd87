/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of functions and tokens are those of the Noise Protocol Framework, revision 34, sections 5
 * and 7 to 9.
 */
#include "sqx-noise.h"

#include "sqx-util.h"

#define MAX_MESSAGES 3u
#define MAX_TOKENS   5u
#define MAX_OUTPUTS  3u /* of the framework's own HKDF */

typedef enum
{
  END = 0,
  E,
  S,
  EE,
  ES,
  SE,
  SS,
  PSK,
} token;

typedef struct
{
  const char *name;
  bool        knows_responder; /* the pre-message "<- s" */
  bool        has_psk;
  uint8_t     n_messages;
  uint8_t     tokens[MAX_MESSAGES][MAX_TOKENS + 1]; /* each list ends with END */
} pattern;

static const pattern patterns[] = {
  [SQX_NOISE_XX] = {
    "Noise_XX_25519_ChaChaPoly_SHA256", false, false, 3,
    { { E }, { E, EE, S, ES }, { S, SE } },
  },
  [SQX_NOISE_IK] = {
    "Noise_IK_25519_ChaChaPoly_SHA256", true, false, 2,
    { { E, ES, S, SS }, { E, EE, SE } },
  },
  [SQX_NOISE_XXPSK3] = {
    "Noise_XXpsk3_25519_ChaChaPoly_SHA256", false, true, 3,
    { { E }, { E, EE, S, ES }, { S, SE, PSK } },
  },
  [SQX_NOISE_IKPSK2] = {
    "Noise_IKpsk2_25519_ChaChaPoly_SHA256", true, true, 2,
    { { E, ES, S, SS }, { E, EE, SE, PSK } },
  },
};

static const pattern *
get_pattern (const sqx_noise *noise)
{
  return &patterns[noise->pattern];
}

/* Symmetric state (section 5.2) -------------------------------------------------------- */

/* HKDF of section 4.3: @n_outputs hashes out of the chaining key and @input. */
static void
hkdf (const sqx_noise *noise,
      uint8_t          outputs[][SQX_HASH_SIZE],
      uint8_t          n_outputs,
      const uint8_t   *input,
      size_t           input_size)
{
  const sqx_bytes part = { input, input_size };
  uint8_t temporary[SQX_HASH_SIZE];

  noise->crypto->hmac_sha256 (temporary, noise->chaining, SQX_HASH_SIZE, &part, 1);
  for (uint8_t i = 0; i < n_outputs; i++)
    {
      const uint8_t number = (uint8_t) (i + 1);
      const sqx_bytes parts[] = {
        { i == 0 ? NULL : outputs[i - 1], i == 0 ? 0 : SQX_HASH_SIZE },
        { &number, 1 },
      };

      noise->crypto->hmac_sha256 (outputs[i], temporary, SQX_HASH_SIZE, parts, 2);
    }
  noise->crypto->wipe (temporary, sizeof temporary);
}

static void
mix_hash (sqx_noise     *noise,
          const uint8_t *data,
          size_t         size)
{
  const sqx_bytes parts[] = { { noise->hash, SQX_HASH_SIZE }, { data, size } };

  noise->crypto->sha256 (noise->hash, parts, 2);
}

static void
initialize_key (sqx_noise     *noise,
                const uint8_t *key)
{
  memcpy (noise->key, key, SQX_KEY_SIZE);
  noise->has_key = true;
  noise->nonce = 0;
}

static void
mix_key (sqx_noise     *noise,
         const uint8_t *input)
{
  uint8_t outputs[2][SQX_HASH_SIZE];

  hkdf (noise, outputs, 2, input, SQX_KEY_SIZE);
  memcpy (noise->chaining, outputs[0], SQX_HASH_SIZE);
  initialize_key (noise, outputs[1]);
  noise->crypto->wipe (outputs, sizeof outputs);
}

static void
mix_key_and_hash (sqx_noise     *noise,
                  const uint8_t *input)
{
  uint8_t outputs[MAX_OUTPUTS][SQX_HASH_SIZE];

  hkdf (noise, outputs, 3, input, SQX_KEY_SIZE);
  memcpy (noise->chaining, outputs[0], SQX_HASH_SIZE);
  mix_hash (noise, outputs[1], SQX_HASH_SIZE);
  initialize_key (noise, outputs[2]);
  noise->crypto->wipe (outputs, sizeof outputs);
}

/* Section 12.3: 32 bits of zeros and a little-endian counter. */
static void
make_nonce (uint8_t  nonce[SQX_NONCE_SIZE],
            uint64_t counter)
{
  memset (nonce, 0, SQX_NONCE_SIZE);
  for (size_t i = 0; i < 8; i++)
    nonce[4 + i] = (uint8_t) (counter >> 8 * i);
}

static size_t
tag_size (const sqx_noise *noise)
{
  return noise->has_key ? SQX_TAG_SIZE : 0;
}

/* EncryptAndHash() in place. A key serves for two encryptions at most, so that its context is not
 * kept. */
static bool
encrypt_and_hash (sqx_noise *noise,
                  uint8_t   *data,
                  size_t     size)
{
  const sqx_crypto *crypto = noise->crypto;

  if (noise->has_key)
    {
      uint8_t nonce[SQX_NONCE_SIZE];
      void *aead = crypto->aead_new (SQX_CIPHER_CHACHA20POLY1305, noise->key);
      bool ok;

      if (aead == NULL)
        return false;
      make_nonce (nonce, noise->nonce++);
      ok = crypto->aead_seal (aead, nonce, noise->hash, SQX_HASH_SIZE, data, size);
      crypto->aead_free (aead);
      if (!ok)
        return false;
    }
  mix_hash (noise, data, size + tag_size (noise));
  return true;
}

/* DecryptAndHash() in place. @size is without the tag. */
static bool
decrypt_and_hash (sqx_noise *noise,
                  uint8_t   *data,
                  size_t     size)
{
  const sqx_crypto *crypto = noise->crypto;
  const sqx_bytes parts[] = { { noise->hash, SQX_HASH_SIZE }, { data, size + tag_size (noise) } };
  uint8_t next_hash[SQX_HASH_SIZE];

  /* The hash is of the ciphertext, which is about to be overwritten. */
  crypto->sha256 (next_hash, parts, 2);
  if (noise->has_key)
    {
      uint8_t nonce[SQX_NONCE_SIZE];
      void *aead = crypto->aead_new (SQX_CIPHER_CHACHA20POLY1305, noise->key);
      bool ok;

      if (aead == NULL)
        return false;
      make_nonce (nonce, noise->nonce++);
      ok = crypto->aead_open (aead, nonce, noise->hash, SQX_HASH_SIZE, data, size);
      crypto->aead_free (aead);
      if (!ok)
        return false;
    }
  memcpy (noise->hash, next_hash, SQX_HASH_SIZE);
  return true;
}

/* Handshake state (section 5.3) --------------------------------------------------------- */

void
sqx_noise_init (sqx_noise              *noise,
                const sqx_crypto       *crypto,
                const sqx_noise_config *config)
{
  const pattern *chosen;

  assert (config->pattern >= SQX_NOISE_XX && config->pattern <= SQX_NOISE_IKPSK2);
  chosen = &patterns[config->pattern];
  assert (chosen->has_psk == (config->psk != NULL));
  assert ((chosen->knows_responder && config->initiator) == (config->remote_static != NULL));

  *noise = (sqx_noise) {
    .crypto = crypto,
    .pattern = (uint8_t) config->pattern,
    .initiator = config->initiator,
  };
  memcpy (noise->static_key, config->static_key, SQX_KEY_SIZE);
  memcpy (noise->ephemeral, config->ephemeral, SQX_KEY_SIZE);
  if (config->static_public != NULL)
    memcpy (noise->static_public, config->static_public, SQX_KEY_SIZE);
  else
    crypto->x25519_base (noise->static_public, noise->static_key);
  if (config->psk != NULL)
    memcpy (noise->psk, config->psk, SQX_KEY_SIZE);
  if (config->remote_static != NULL)
    {
      memcpy (noise->remote_static, config->remote_static, SQX_KEY_SIZE);
      noise->knows_remote = true;
    }

  /* A name longer than a hash is hashed. */
  if (strlen (chosen->name) <= SQX_HASH_SIZE)
    memcpy (noise->hash, chosen->name, strlen (chosen->name));
  else
    {
      const sqx_bytes name = { (const uint8_t *) chosen->name, strlen (chosen->name) };

      crypto->sha256 (noise->hash, &name, 1);
    }
  memcpy (noise->chaining, noise->hash, SQX_HASH_SIZE);
  mix_hash (noise, config->prologue.data, config->prologue.size);
  if (chosen->knows_responder)
    mix_hash (noise, config->initiator ? noise->remote_static : noise->static_public, SQX_KEY_SIZE);
}

void
sqx_noise_clear (sqx_noise *noise)
{
  const sqx_crypto *crypto = noise->crypto;

  if (crypto != NULL)
    crypto->wipe (noise, sizeof *noise);
}

bool
sqx_noise_finished (const sqx_noise *noise)
{
  return noise->step == get_pattern (noise)->n_messages;
}

bool
sqx_noise_writes (const sqx_noise *noise)
{
  return !sqx_noise_finished (noise) && noise->initiator == (noise->step % 2 == 0);
}

bool
sqx_noise_reads (const sqx_noise *noise)
{
  return !sqx_noise_finished (noise) && noise->initiator != (noise->step % 2 == 0);
}

size_t
sqx_noise_overhead (const sqx_noise *noise)
{
  bool has_key = noise->has_key;
  size_t size = 0;

  if (sqx_noise_finished (noise))
    return 0;
  for (const uint8_t *at = get_pattern (noise)->tokens[noise->step]; *at != END; at++)
    {
      if (*at == E)
        size += SQX_KEY_SIZE;
      else if (*at == S)
        size += SQX_KEY_SIZE + (has_key ? SQX_TAG_SIZE : 0);
      /* All but S set a key; E does so where there is a psk. */
      has_key = has_key || (*at != E && *at != S) ||
                (*at == E && get_pattern (noise)->has_psk);
    }
  return size + (has_key ? SQX_TAG_SIZE : 0);
}

/* One of the four Diffie-Hellman tokens: their first letter is the initiator's key. */
static bool
mix_dh (sqx_noise *noise,
        token      which)
{
  bool initiator_static = which == SE || which == SS;
  bool responder_static = which == ES || which == SS;
  bool own_static = noise->initiator ? initiator_static : responder_static;
  bool remote_static = noise->initiator ? responder_static : initiator_static;
  uint8_t shared[SQX_KEY_SIZE];
  bool ok = noise->crypto->x25519 (shared,
                                   own_static ? noise->static_key : noise->ephemeral,
                                   remote_static ? noise->remote_static : noise->remote_ephemeral);

  if (ok)
    mix_key (noise, shared);
  noise->crypto->wipe (shared, sizeof shared);
  return ok;
}

static void
mix_ephemeral (sqx_noise     *noise,
               const uint8_t *public)
{
  mix_hash (noise, public, SQX_KEY_SIZE);
  if (get_pattern (noise)->has_psk)
    mix_key (noise, public);
}

/* Processes a token that the message itself has nothing of. */
static bool
mix_secret (sqx_noise *noise,
            token      which)
{
  if (which != PSK)
    return mix_dh (noise, which);
  mix_key_and_hash (noise, noise->psk);
  return true;
}

/* Processes one token on the way out; what it has for the message goes to *@at. */
static bool
write_token (sqx_noise *noise,
             token      which,
             uint8_t  **at)
{
  switch (which)
    {
    case E:
      noise->crypto->x25519_base (noise->ephemeral_public, noise->ephemeral);
      memcpy (*at, noise->ephemeral_public, SQX_KEY_SIZE);
      mix_ephemeral (noise, *at);
      *at += SQX_KEY_SIZE;
      return true;

    case S:
      memcpy (*at, noise->static_public, SQX_KEY_SIZE);
      if (!encrypt_and_hash (noise, *at, SQX_KEY_SIZE))
        return false;
      *at += SQX_KEY_SIZE + tag_size (noise);
      return true;

    case EE:
    case ES:
    case SE:
    case SS:
    case PSK:
    case END:
      break;
    }
  return mix_secret (noise, which);
}

bool
sqx_noise_write (sqx_noise     *noise,
                 const uint8_t *payload,
                 size_t         payload_size,
                 uint8_t       *message,
                 size_t         capacity,
                 size_t        *size)
{
  size_t total = payload_size + sqx_noise_overhead (noise);
  uint8_t *at = message;
  sqx_noise next;
  bool ok = true;

  if (!sqx_noise_writes (noise) || payload_size > SQX_NOISE_PAYLOAD_MAX || capacity < total)
    return false;

  next = *noise;
  for (const uint8_t *t = get_pattern (noise)->tokens[noise->step]; ok && *t != END; t++)
    ok = write_token (&next, (token) *t, &at);
  if (ok && payload_size > 0)
    memcpy (at, payload, payload_size);
  if (ok && encrypt_and_hash (&next, at, payload_size))
    {
      assert (at + payload_size + tag_size (&next) == message + total);
      next.step++;
      *noise = next;
      *size = total;
    }
  else
    ok = false;
  noise->crypto->wipe (&next, sizeof next);
  return ok;
}

/* Processes one token on the way in; what the message has for it is at *@at. */
static bool
read_token (sqx_noise      *noise,
            token           which,
            const uint8_t **at)
{
  uint8_t data[SQX_KEY_SIZE + SQX_TAG_SIZE];

  switch (which)
    {
    case E:
      memcpy (noise->remote_ephemeral, *at, SQX_KEY_SIZE);
      mix_ephemeral (noise, *at);
      *at += SQX_KEY_SIZE;
      return true;

    case S:
      memcpy (data, *at, SQX_KEY_SIZE + tag_size (noise));
      *at += SQX_KEY_SIZE + tag_size (noise);
      if (!decrypt_and_hash (noise, data, SQX_KEY_SIZE))
        return false;
      memcpy (noise->remote_static, data, SQX_KEY_SIZE);
      noise->knows_remote = true;
      return true;

    case EE:
    case ES:
    case SE:
    case SS:
    case PSK:
    case END:
      break;
    }
  return mix_secret (noise, which);
}

bool
sqx_noise_read (sqx_noise     *noise,
                const uint8_t *message,
                size_t         size,
                uint8_t       *payload,
                size_t        *payload_size)
{
  size_t overhead = sqx_noise_overhead (noise);
  uint8_t data[SQX_NOISE_PAYLOAD_MAX + SQX_TAG_SIZE];
  const uint8_t *at = message;
  sqx_noise next;
  bool ok = true;

  if (!sqx_noise_reads (noise) || size < overhead || size - overhead > SQX_NOISE_PAYLOAD_MAX)
    return false;

  next = *noise;
  for (const uint8_t *t = get_pattern (noise)->tokens[noise->step]; ok && *t != END; t++)
    ok = read_token (&next, (token) *t, &at);
  if (ok)
    {
      memcpy (data, at, size - (size_t) (at - message));
      ok = decrypt_and_hash (&next, data, size - overhead);
    }
  if (ok)
    {
      next.step++;
      *noise = next;
      if (size > overhead)
        memcpy (payload, data, size - overhead);
      *payload_size = size - overhead;
    }
  noise->crypto->wipe (&next, sizeof next);
  noise->crypto->wipe (data, sizeof data);
  return ok;
}

const uint8_t *
sqx_noise_remote_static (const sqx_noise *noise)
{
  return noise->knows_remote ? noise->remote_static : NULL;
}

const uint8_t *
sqx_noise_hash (const sqx_noise *noise)
{
  return noise->hash;
}

void
sqx_noise_split (const sqx_noise *noise,
                 uint8_t          send[32],
                 uint8_t          receive[32])
{
  uint8_t outputs[2][SQX_HASH_SIZE];

  assert (sqx_noise_finished (noise));
  hkdf (noise, outputs, 2, NULL, 0);
  memcpy (send, outputs[noise->initiator ? 0 : 1], SQX_KEY_SIZE);
  memcpy (receive, outputs[noise->initiator ? 1 : 0], SQX_KEY_SIZE);
  noise->crypto->wipe (outputs, sizeof outputs);
}
