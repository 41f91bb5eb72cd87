/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-wire-secure.h"

#include "sqx-noise.h"
#include "sqx-util.h"

static uint16_t
get_be16 (const uint8_t *p)
{
  return (uint16_t) (p[0] << 8 | p[1]);
}

static void
put_be16 (uint8_t *p,
          size_t   value)
{
  p[0] = (uint8_t) (value >> 8);
  p[1] = (uint8_t) value;
}

/* Where @size more bytes are to be written; NULL: no room. */
static uint8_t *
reserve (sqx_writer *writer,
         size_t      size)
{
  if (sqx_writer_room (writer) < size)
    return NULL;
  writer->size += size;
  return writer->data + writer->size - size;
}

bool
sqx_peek_destination (const uint8_t *data,
                      size_t         size,
                      uint32_t      *id)
{
  if (size < 5)
    return false;
  switch (data[0])
    {
    case SQX_PACKET_ACCEPT:
    case SQX_PACKET_CONFIRM:
    case SQX_PACKET_RETRY:
    case SQX_PACKET_DATA:
    case SQX_PACKET_DATA + 1:
    case SQX_PACKET_VERSION:
      *id = sqx_get_be32 (data + 1);
      return true;
    default:
      return false;
    }
}

/* Handshake --------------------------------------------------------------------------- */

/* A length of two bytes, and a Noise message that begins with an ephemeral key. */
static bool
read_message (sqx_reader     *reader,
              const uint8_t **message,
              size_t         *size)
{
  const uint8_t *length;

  if (!sqx_read_bytes (reader, &length, 2))
    return false;
  *size = get_be16 (length);
  return *size >= SQX_KEY_SIZE && sqx_read_bytes (reader, message, *size);
}

bool
sqx_init_decode (sqx_init      *init,
                 const uint8_t *data,
                 size_t         size)
{
  sqx_reader reader;

  if (size < SQX_INIT_MIN || data[0] != SQX_PACKET_INIT)
    return false;

  *init = (sqx_init) {
    .version = data[1],
    .source_id = sqx_get_be32 (data + 2),
    .datagram_size = size,
  };
  if (init->version != SQX_VERSION)
    return true;

  init->pattern = data[6];
  init->cookie_size = data[7];
  if (init->pattern < SQX_NOISE_XX || init->pattern > SQX_NOISE_IKPSK2 ||
      (init->cookie_size != 0 && init->cookie_size != SQX_COOKIE_SIZE))
    return false;
  if (init->cookie_size > 0)
    init->cookie = data + 8;
  reader = (sqx_reader) { data + 8 + init->cookie_size, data + size };
  return read_message (&reader, &init->message, &init->message_size);
}

bool
sqx_accept_decode (sqx_accept    *accept,
                   const uint8_t *data,
                   size_t         size)
{
  sqx_reader reader;

  if (size < SQX_ACCEPT_HEADER || data[0] != SQX_PACKET_ACCEPT)
    return false;

  accept->destination_id = sqx_get_be32 (data + 1);
  accept->source_id = sqx_get_be32 (data + 5);
  reader = (sqx_reader) { data + 9, data + size };
  return read_message (&reader, &accept->message, &accept->message_size);
}

bool
sqx_confirm_decode (sqx_confirm   *confirm,
                    const uint8_t *data,
                    size_t         size)
{
  if (size <= SQX_CONFIRM_HEADER || data[0] != SQX_PACKET_CONFIRM)
    return false;

  confirm->destination_id = sqx_get_be32 (data + 1);
  confirm->message = data + SQX_CONFIRM_HEADER;
  confirm->message_size = size - SQX_CONFIRM_HEADER;
  return true;
}

bool
sqx_write_init (sqx_writer    *writer,
                uint32_t       source_id,
                uint8_t        pattern,
                const uint8_t *cookie,
                size_t         message_size)
{
  size_t cookie_size = cookie != NULL ? SQX_COOKIE_SIZE : 0;
  uint8_t *p = reserve (writer, SQX_INIT_HEADER + cookie_size);

  if (p == NULL)
    return false;

  p[0] = SQX_PACKET_INIT;
  p[1] = SQX_VERSION;
  sqx_put_be32 (p + 2, source_id);
  p[6] = pattern;
  p[7] = (uint8_t) cookie_size;
  if (cookie_size > 0)
    memcpy (p + 8, cookie, cookie_size);
  put_be16 (p + 8 + cookie_size, message_size);
  return true;
}

bool
sqx_write_accept (sqx_writer *writer,
                  uint32_t    destination_id,
                  uint32_t    source_id,
                  size_t      message_size)
{
  uint8_t *p = reserve (writer, SQX_ACCEPT_HEADER);

  if (p == NULL)
    return false;

  p[0] = SQX_PACKET_ACCEPT;
  sqx_put_be32 (p + 1, destination_id);
  sqx_put_be32 (p + 5, source_id);
  put_be16 (p + 9, message_size);
  return true;
}

bool
sqx_write_confirm (sqx_writer *writer,
                   uint32_t    destination_id)
{
  uint8_t *p = reserve (writer, SQX_CONFIRM_HEADER);

  if (p == NULL)
    return false;

  p[0] = SQX_PACKET_CONFIRM;
  sqx_put_be32 (p + 1, destination_id);
  return true;
}

/* Data -------------------------------------------------------------------------------- */

bool
sqx_decode_data (const uint8_t   *data,
                 size_t           size,
                 sqx_data_header *header)
{
  if (size <= SQX_DATA_HEADER + SQX_TAG_SIZE ||
      (data[0] != SQX_PACKET_DATA && data[0] != SQX_PACKET_DATA + 1))
    return false;

  header->phase = data[0] - SQX_PACKET_DATA;
  header->destination_id = sqx_get_be32 (data + 1);
  header->number = sqx_get_be32 (data + 5);
  return true;
}

bool
sqx_write_data (sqx_writer            *writer,
                const sqx_data_header *header)
{
  uint8_t *p = reserve (writer, SQX_DATA_HEADER);

  if (p == NULL)
    return false;

  p[0] = (uint8_t) (SQX_PACKET_DATA + header->phase);
  sqx_put_be32 (p + 1, header->destination_id);
  sqx_put_be32 (p + 5, header->number);
  return true;
}

/* Stateless answers ------------------------------------------------------------------- */

#define RETRY_SIZE   (5u + SQX_COOKIE_SIZE)
#define RESET_SIZE   9u
#define VERSION_SIZE 6u /* with one version */

bool
sqx_decode_retry (const uint8_t  *data,
                  size_t          size,
                  uint32_t       *destination_id,
                  const uint8_t **cookie)
{
  if (size != RETRY_SIZE || data[0] != SQX_PACKET_RETRY)
    return false;

  *destination_id = sqx_get_be32 (data + 1);
  *cookie = data + 5;
  return true;
}

bool
sqx_decode_reset (const uint8_t *data,
                  size_t         size,
                  uint32_t      *id,
                  uint32_t      *number)
{
  if (size != RESET_SIZE || data[0] != SQX_PACKET_RESET)
    return false;

  *id = sqx_get_be32 (data + 1);
  *number = sqx_get_be32 (data + 5);
  return true;
}

bool
sqx_decode_version (const uint8_t  *data,
                    size_t          size,
                    uint32_t       *destination_id,
                    const uint8_t **versions,
                    size_t         *n_versions)
{
  if (size < VERSION_SIZE || data[0] != SQX_PACKET_VERSION)
    return false;

  *destination_id = sqx_get_be32 (data + 1);
  *versions = data + 5;
  *n_versions = size - 5;
  return true;
}

size_t
sqx_write_retry (uint8_t       *buffer,
                 size_t         capacity,
                 uint32_t       destination_id,
                 const uint8_t  cookie[SQX_COOKIE_SIZE])
{
  if (capacity < RETRY_SIZE)
    return 0;

  buffer[0] = SQX_PACKET_RETRY;
  sqx_put_be32 (buffer + 1, destination_id);
  memcpy (buffer + 5, cookie, SQX_COOKIE_SIZE);
  return RETRY_SIZE;
}

size_t
sqx_write_reset (uint8_t       *buffer,
                 size_t         capacity,
                 const uint8_t *data,
                 size_t         size)
{
  sqx_data_header header;

  /* A whole DATA is longer, so that no two peers answer each other for ever. */
  if (capacity < RESET_SIZE || !sqx_decode_data (data, size, &header))
    return 0;

  buffer[0] = SQX_PACKET_RESET;
  sqx_put_be32 (buffer + 1, header.destination_id);
  sqx_put_be32 (buffer + 5, header.number);
  return RESET_SIZE;
}

size_t
sqx_write_version (uint8_t *buffer,
                   size_t   capacity,
                   uint32_t destination_id)
{
  if (capacity < VERSION_SIZE)
    return 0;

  buffer[0] = SQX_PACKET_VERSION;
  sqx_put_be32 (buffer + 1, destination_id);
  buffer[5] = SQX_VERSION;
  return VERSION_SIZE;
}
