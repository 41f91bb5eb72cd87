/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The packets of encrypted connections, as far as they can be read and written without any state or
 * key. What they hold inside is the affair of sqx-handshake.h and sqx-keys.h.
 */
#pragma once

#include "sqx-wire.h"

/* The id of the receiver in ACCEPT, CONFIRM, RETRY, DATA and VERSION. false: another packet, or too
 * short for it. */
bool sqx_peek_destination (const uint8_t *data, size_t size, uint32_t *id);

/* Handshake --------------------------------------------------------------------------- */

/* What INIT says before anything expensive is done with it. */
typedef struct
{
  uint8_t        version;
  uint32_t       source_id;
  uint8_t        pattern;     /* a sqx_noise_pattern */
  const uint8_t *cookie;      /* NULL: none */
  uint8_t        cookie_size; /* 0 or SQX_COOKIE_SIZE */
  const uint8_t *message;     /* Noise message 1; the ephemeral public key comes first */
  size_t         message_size; /* at least SQX_KEY_SIZE */
  size_t         datagram_size;
} sqx_init;

typedef struct
{
  uint32_t       destination_id;
  uint32_t       source_id;
  const uint8_t *message;      /* Noise message 2; the ephemeral public key comes first */
  size_t         message_size; /* at least SQX_KEY_SIZE */
} sqx_accept;

typedef struct
{
  uint32_t       destination_id;
  const uint8_t *message; /* Noise message 3 */
  size_t         message_size;
} sqx_confirm;

/* false: malformed, which a datagram below SQX_INIT_MIN is in any version. With another version
 * than SQX_VERSION only version, source_id and datagram_size are set. */
bool sqx_init_decode    (sqx_init *init, const uint8_t *data, size_t size);
bool sqx_accept_decode  (sqx_accept *accept, const uint8_t *data, size_t size);
bool sqx_confirm_decode (sqx_confirm *confirm, const uint8_t *data, size_t size);

/* Writers of the part up to the Noise message, which follows and is not there yet. */
bool sqx_write_init    (sqx_writer *writer, uint32_t source_id, uint8_t pattern,
                        const uint8_t *cookie, size_t message_size);
bool sqx_write_accept  (sqx_writer *writer, uint32_t destination_id, uint32_t source_id,
                        size_t message_size);
bool sqx_write_confirm (sqx_writer *writer, uint32_t destination_id);

/* The size that these three have, and where therefore the Noise message begins. */
#define SQX_INIT_HEADER    10u /* without a cookie */
#define SQX_ACCEPT_HEADER  11u
#define SQX_CONFIRM_HEADER 5u

/* Data -------------------------------------------------------------------------------- */

typedef struct
{
  uint8_t  phase; /* 0 or 1 */
  uint32_t destination_id;
  uint32_t number; /* low 32 bits of the packet number */
} sqx_data_header;

/* false: another packet, or too short for the header, one frame and the tag. */
bool sqx_decode_data (const uint8_t *data, size_t size, sqx_data_header *header);
bool sqx_write_data  (sqx_writer *writer, const sqx_data_header *header);

/* Stateless answers ------------------------------------------------------------------- */

/* @cookie points at SQX_COOKIE_SIZE bytes in @data. */
bool sqx_decode_retry   (const uint8_t *data, size_t size, uint32_t *destination_id,
                         const uint8_t **cookie);
/* @id and @number: of the DATA that is answered. */
bool sqx_decode_reset   (const uint8_t *data, size_t size, uint32_t *id, uint32_t *number);
bool sqx_decode_version (const uint8_t *data, size_t size, uint32_t *destination_id,
                         const uint8_t **versions, size_t *n_versions);

/* They write at most @capacity bytes (64 is enough) and return the size, 0 when there is no room.
 * RESET answers @data, which must be a whole DATA; else 0. */
size_t sqx_write_retry   (uint8_t *buffer, size_t capacity, uint32_t destination_id,
                          const uint8_t cookie[SQX_COOKIE_SIZE]);
size_t sqx_write_reset   (uint8_t *buffer, size_t capacity, const uint8_t *data, size_t size);
size_t sqx_write_version (uint8_t *buffer, size_t capacity, uint32_t destination_id);
