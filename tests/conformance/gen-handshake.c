/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handshakes of docs/protocol.md: all that is random is fixed, and what both sides agree on is
 * shown. XX leads to ChaCha20-Poly1305 here, IK to AES-256-GCM.
 */
#include "gen-vectors.h"

#include <string.h>

#include "seqex-crypto-private.h"
#include "sqx-handshake.h"
#include "sqx-hkdf.h"
#include "vector-json.h"

#define ID_A 0xa1a2a3a4u
#define ID_B 0xb1b2b3b4u

typedef struct
{
  const char          *name;
  uint8_t              secret[32];
  uint8_t              public[32];
  uint8_t              ephemeral[32];
  uint8_t              chain[32]; /* of what it sends */
  sqx_handshake_params params;
  sqx_hello            hello;
  sqx_handshake        handshake;
  sqx_keys             keys;
} Side;

static void
draw (void    *user_data,
      uint8_t *bytes,
      size_t   size)
{
  const Side *side = user_data;

  g_assert_cmpuint (size, ==, 32);
  memcpy (bytes, side->ephemeral, size);
}

/* Bytes from @first on. */
static void
count_up (uint8_t *bytes,
          gsize    size,
          guint    first)
{
  for (gsize i = 0; i < size; i++)
    bytes[i] = (uint8_t) (first + i);
}

static void
side_init (Side       *side,
           const char *name,
           guint       first,
           uint8_t     preferred)
{
  *side = (Side) {
    .name = name,
    .hello = {
      .max_message_size = SQX_MESSAGE_MAX_MIN,
      .byte_credit = 2 * (SQX_MESSAGE_MAX_MIN + SQX_MESSAGE_OVERHEAD),
      .exchange_credit = 1,
      .max_channels = SQX_CHANNELS_MIN,
      .max_datagram_size = SQX_DATAGRAM_DEFAULT,
      .application_id = "calc",
      .ciphers = { preferred, (uint8_t) (3 - preferred) },
      .n_ciphers = 2,
      .has_session = TRUE,
    },
  };
  count_up (side->secret, 32, first);
  count_up (side->ephemeral, 32, first + 0x20);
  count_up (side->hello.session_id, SQX_SESSION_ID_SIZE, first + 0x40);
  seqex_crypto_table ()->x25519_base (side->public, side->secret);
  side->params = (sqx_handshake_params) {
    .crypto = seqex_crypto_table (),
    .secret_key = side->secret,
    .random = draw,
    .user_data = side,
  };
}

static void
secret (const char    *pattern,
        const char    *side,
        const char    *what,
        const uint8_t *bytes,
        gsize          size)
{
  g_autofree char *name = g_strdup_printf ("%s-%s-%s", pattern, side, what);
  GString *json = line_begin ("secret");

  json_string (json, "name", name);
  json_hex (json, "hex", bytes, size);
  line_end (json);
}

/* @size: of what comes before the zeros. */
static void
packet (const char    *pattern,
        const char    *what,
        const uint8_t *bytes,
        gsize          size,
        gsize          padded)
{
  g_autofree char *name = g_strdup_printf ("%s-%s", pattern, what);
  GString *json = line_begin ("datagram");

  json_string (json, "name", name);
  json_hex (json, "hex", bytes, size);
  json_number (json, "size", padded);
  line_end (json);
}

static void
handshake_packet (const char          *pattern,
                  const sqx_handshake *handshake)
{
  const uint8_t *p = handshake->packet;
  const char *name = "confirm";
  gsize size = handshake->packet_size;

  if (p[0] == SQX_PACKET_INIT)
    {
      name = "init";
      size = SQX_INIT_HEADER + (gsize) (p[8] << 8 | p[9]);
    }
  else if (p[0] == SQX_PACKET_ACCEPT)
    {
      name = "accept";
      size = SQX_ACCEPT_HEADER + (gsize) (p[9] << 8 | p[10]);
    }
  packet (pattern, name, p, size, handshake->packet_size);
}

static void
data_packet (const char          *pattern,
             const char          *what,
             Side                *from,
             const sqx_handshake *handshake,
             guint64              number,
             guint8               phase,
             const sqx_writer    *frames)
{
  const sqx_data_header header = { phase, handshake->peer_id, (uint32_t) number };
  uint8_t data[200];
  sqx_writer writer = { data, 0, sizeof data };

  g_assert_true (sqx_write_data (&writer, &header));
  memcpy (data + writer.size, frames->data, frames->size);
  g_assert_cmpuint (sqx_keys_phase (&from->keys), ==, phase);
  g_assert_true (sqx_keys_seal (&from->keys, number, data, SQX_DATA_HEADER, data + SQX_DATA_HEADER,
                                frames->size));
  packet (pattern, what, data, SQX_DATA_HEADER + frames->size + SQX_TAG_SIZE,
          SQX_DATA_HEADER + frames->size + SQX_TAG_SIZE);
}

static void
take_keys (const char *pattern,
           Side       *a,
           Side       *b)
{
  const sqx_crypto *crypto = seqex_crypto_table ();
  uint8_t key[32];

  secret (pattern, "both", "hash", sqx_noise_hash (&a->handshake.noise), 32);
  sqx_noise_split (&a->handshake.noise, a->chain, b->chain);
  g_assert_true (sqx_handshake_keys (&a->handshake, &a->keys));
  g_assert_true (sqx_handshake_keys (&b->handshake, &b->keys));
  for (Side *side = a; side != NULL; side = side == a ? b : NULL)
    {
      secret (pattern, side->name, "chain-0", side->chain, 32);
      sqx_hkdf_expand_label (crypto, key, side->chain,
                             side->keys.cipher == SQX_CIPHER_AES256GCM
                             ? "seqex 1 data aes256gcm" : "seqex 1 data chacha20poly1305");
      secret (pattern, side->name, "key-0", key, 32);
    }
}

static void
show_inputs (const char *pattern,
             const Side *side)
{
  uint8_t parameters[SQX_HELLO_MAX];

  secret (pattern, side->name, "static", side->secret, 32);
  secret (pattern, side->name, "public", side->public, 32);
  secret (pattern, side->name, "ephemeral", side->ephemeral, 32);
  secret (pattern, side->name, "hello", parameters,
          sqx_hello_encode (&side->handshake.own, parameters));
}

static void
data_packets (const char *pattern,
              Side       *a,
              Side       *b)
{
  static const uint8_t token[SQX_CHALLENGE_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };
  const sqx_message_header header = { .flags = SQX_WIRE_FINAL, .total = 3, .size = 3 };
  uint8_t frames[100];
  sqx_writer writer = { frames, 0, sizeof frames };
  sqx_runs_writer received;
  uint64_t written;

  sqx_write_ready (&writer);
  data_packet (pattern, "ready", b, &b->handshake, 0, 0, &writer);

  writer.size = 0;
  sqx_write_ack (&writer, (sqx_range[]) { { 0, 1 } }, 1, 150);
  sqx_received_writer_begin (&received, &writer, 0);
  sqx_runs_writer_add (&received, &writer, 0, 3);
  sqx_runs_writer_finish (&received, &writer);
  sqx_write_challenge (&writer, token);
  sqx_write_message (&writer, &header, (const uint8_t *) "6*7", &written);
  data_packet (pattern, "data", a, &a->handshake, G_GUINT64_CONSTANT (0x100000002), 0, &writer);

  /* The next key phase: b was told that its packet arrived. */
  sqx_keys_acked (&b->keys, 0);
  g_assert_true (sqx_keys_update (&b->keys));
  writer.size = 0;
  sqx_write_response (&writer, token);
  data_packet (pattern, "update", b, &b->handshake, 7, 1, &writer);
}

static void
handshake (const char *pattern,
           gboolean    knows_key,
           gboolean    aes)
{
  sqx_init init;
  Side a, b;

  side_init (&a, "a", 0x00, aes ? SQX_CIPHER_AES256GCM : SQX_CIPHER_CHACHA20POLY1305);
  side_init (&b, "b", 0x80, SQX_CIPHER_AES256GCM);
  b.hello.ready = knows_key;
  g_assert_true (sqx_handshake_start (&a.handshake, &a.params, ID_A, knows_key ? b.public : NULL,
                                      &a.hello));
  g_assert_true (sqx_init_decode (&init, a.handshake.packet, a.handshake.packet_size));
  g_assert_true (sqx_handshake_respond (&b.handshake, &b.params, ID_B, &init));
  g_assert_true (sqx_handshake_accept (&b.handshake, &b.hello));
  show_inputs (pattern, &a);
  show_inputs (pattern, &b);
  handshake_packet (pattern, &a.handshake);
  handshake_packet (pattern, &b.handshake);
  g_assert_cmpint (sqx_handshake_handle_answer (&a.handshake, b.handshake.packet,
                                                b.handshake.packet_size), ==,
                   SQX_HANDSHAKE_LEARNED);
  if (!knows_key)
    {
      g_assert_true (sqx_handshake_confirm (&a.handshake, &a.hello));
      handshake_packet (pattern, &a.handshake);
      g_assert_cmpint (sqx_handshake_handle_confirm (&b.handshake, a.handshake.packet,
                                                     a.handshake.packet_size), ==,
                       SQX_HANDSHAKE_LEARNED);
    }
  take_keys (pattern, &a, &b);
  data_packets (pattern, &a, &b);
  sqx_keys_clear (&a.keys);
  sqx_keys_clear (&b.keys);
  sqx_handshake_clear (&a.handshake);
  sqx_handshake_clear (&b.handshake);
}

/* What is not encrypted. */
static void
stateless (void)
{
  uint8_t data[40] = { 0x09, 0xb1, 0xb2, 0xb3, 0xb4, 0, 0, 0, 7 };
  uint8_t buffer[64], cookie[SQX_COOKIE_SIZE];
  gsize size;

  count_up (cookie, sizeof cookie, 0xc0);
  size = sqx_write_retry (buffer, sizeof buffer, ID_A, cookie);
  packet ("stateless", "retry", buffer, size, size);
  size = sqx_write_reset (buffer, sizeof buffer, data, sizeof data);
  packet ("stateless", "reset", buffer, size, size);
  size = sqx_write_version (buffer, sizeof buffer, ID_A);
  packet ("stateless", "version", buffer, size, size);
}

void
generate_handshake (void)
{
  handshake ("xx", FALSE, FALSE);
  handshake ("ik", TRUE, TRUE);
  stateless ();
}
