/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-hello.h"

#include "sqx-util.h"

/* What a side tells ----------------------------------------------------------------------- */

void
sqx_hello_of_config (sqx_hello        *hello,
                     const sqx_config *config)
{
  *hello = (sqx_hello) {
    .max_message_size = config->max_message_size,
    .byte_credit = config->byte_window,
    .exchange_credit = config->exchange_credit,
    .max_channels = config->max_channels,
    .max_streams = config->max_streams,
    .stream_window = config->stream_window,
    .idle_timeout = config->idle_timeout == SQX_TIME_NEVER ? 0 : config->idle_timeout,
    .ack_delay = config->ack_delay,
    .max_datagram_size = config->max_datagram_size,
  };
  if (config->application_id != NULL)
    memcpy (hello->application_id, config->application_id, strlen (config->application_id));
}

void
sqx_hello_add_secure (sqx_hello        *hello,
                      const sqx_crypto *crypto,
                      uint8_t           cipher,
                      const uint8_t     session_id[SQX_SESSION_ID_SIZE],
                      uint64_t          generation)
{
  uint8_t first = crypto->prefers_aes ? SQX_CIPHER_AES256GCM : SQX_CIPHER_CHACHA20POLY1305;
  uint8_t second = crypto->prefers_aes ? SQX_CIPHER_CHACHA20POLY1305 : SQX_CIPHER_AES256GCM;

  hello->ciphers[0] = cipher != 0 ? cipher : first;
  hello->ciphers[1] = second;
  hello->n_ciphers = cipher != 0 ? 1 : 2;
  memcpy (hello->session_id, session_id, sizeof hello->session_id);
  hello->has_session = true;
  hello->generation = generation;
}

/* Writing ----------------------------------------------------------------------------- */

static void
put_number (sqx_writer  *writer,
            sqx_hello_id id,
            uint64_t     value)
{
  bool fits = sqx_write_varint (writer, id) &&
              sqx_write_varint (writer, sqx_varint_size (value)) &&
              sqx_write_varint (writer, value);

  assert (fits);
  (void) fits;
}

static void
put_bytes (sqx_writer    *writer,
           sqx_hello_id   id,
           const uint8_t *bytes,
           size_t         size)
{
  bool fits = sqx_write_varint (writer, id) && sqx_write_varint (writer, size) &&
              sqx_writer_room (writer) >= size;

  assert (fits);
  (void) fits;
  memcpy (writer->data + writer->size, bytes, size);
  writer->size += size;
}

static void
put_secure (sqx_writer      *writer,
            const sqx_hello *hello)
{
  uint8_t link_id[4];

  if (hello->n_ciphers > 0)
    put_bytes (writer, SQX_HELLO_CIPHERS, hello->ciphers, hello->n_ciphers);
  if (hello->has_session)
    {
      put_bytes (writer, SQX_HELLO_SESSION_ID, hello->session_id, SQX_SESSION_ID_SIZE);
      put_number (writer, SQX_HELLO_GENERATION, hello->generation);
    }
  if (hello->ready)
    put_number (writer, SQX_HELLO_READY, 1);
  if (hello->has_link_id)
    {
      sqx_put_be32 (link_id, hello->link_id);
      put_bytes (writer, SQX_HELLO_LINK_ID, link_id, sizeof link_id);
    }
}

size_t
sqx_hello_encode (const sqx_hello *hello,
                  uint8_t          buffer[SQX_HELLO_MAX])
{
  sqx_writer writer = { .data = buffer, .capacity = SQX_HELLO_MAX };
  size_t id_size = strlen (hello->application_id);

  put_number (&writer, SQX_HELLO_MAX_MESSAGE_SIZE, hello->max_message_size);
  put_number (&writer, SQX_HELLO_BYTE_CREDIT, hello->byte_credit);
  put_number (&writer, SQX_HELLO_EXCHANGE_CREDIT, hello->exchange_credit);
  put_number (&writer, SQX_HELLO_MAX_CHANNELS, hello->max_channels);
  if (hello->max_streams > 0)
    put_number (&writer, SQX_HELLO_MAX_STREAMS, hello->max_streams);
  if (hello->idle_timeout > 0)
    put_number (&writer, SQX_HELLO_IDLE_TIMEOUT, hello->idle_timeout);
  put_number (&writer, SQX_HELLO_ACK_DELAY, hello->ack_delay);
  put_number (&writer, SQX_HELLO_MAX_DATAGRAM_SIZE, hello->max_datagram_size);
  if (id_size > 0)
    put_bytes (&writer, SQX_HELLO_APPLICATION_ID, (const uint8_t *) hello->application_id, id_size);
  if (hello->max_streams > 0)
    put_number (&writer, SQX_HELLO_STREAM_WINDOW, hello->stream_window);
  put_secure (&writer, hello);
  return writer.size;
}

/* Reading ----------------------------------------------------------------------------- */

typedef struct
{
  uint64_t   id;
  sqx_reader value;
} parameter;

static bool
read_parameter (sqx_reader *reader,
                parameter  *p)
{
  uint64_t size;

  if (!sqx_read_varint (reader, &p->id) || !sqx_read_varint (reader, &size) ||
      !sqx_read_bytes (reader, &p->value.at, size))
    return false;
  p->value.end = p->value.at + size;
  return true;
}

/* Whether @id comes in the parameters from @data up to @end, which were read before. */
static bool
came_before (const uint8_t *data,
             const uint8_t *end,
             uint64_t       id)
{
  sqx_reader reader = { data, end };
  parameter p;

  while (read_parameter (&reader, &p))
    if (p.id == id)
      return true;
  return false;
}

/* One varint, and nothing after it. */
static bool
take_number (parameter *p,
             uint64_t   least,
             uint64_t   most,
             uint64_t  *value)
{
  return sqx_read_varint (&p->value, value) && p->value.at == p->value.end &&
         *value >= least && *value <= most;
}

static bool
take_application_id (const parameter *p,
                     sqx_hello       *hello)
{
  size_t size = (size_t) (p->value.end - p->value.at);

  if (size > SQX_APPLICATION_ID_MAX || !sqx_utf8_valid (p->value.at, size))
    return false;
  memcpy (hello->application_id, p->value.at, size);
  hello->application_id[size] = '\0';
  return true;
}

/* The ciphers that are known, in the peer's order. */
static bool
take_ciphers (const parameter *p,
              sqx_hello       *hello)
{
  size_t size = (size_t) (p->value.end - p->value.at);

  if (size == 0 || size > SQX_HELLO_CIPHERS_MAX)
    return false;
  for (const uint8_t *at = p->value.at; at < p->value.end; at++)
    if ((*at == SQX_CIPHER_AES256GCM || *at == SQX_CIPHER_CHACHA20POLY1305) &&
        memchr (hello->ciphers, *at, hello->n_ciphers) == NULL)
      hello->ciphers[hello->n_ciphers++] = *at;
  return true;
}

static bool
take_session_id (parameter *p,
                 sqx_hello *hello)
{
  if (p->value.end - p->value.at != SQX_SESSION_ID_SIZE)
    return false;
  memcpy (hello->session_id, p->value.at, SQX_SESSION_ID_SIZE);
  hello->has_session = true;
  return true;
}

/* What only handshakes have. */
static bool
take_secure (parameter *p,
             sqx_hello *hello)
{
  uint64_t ready = 0;

  switch (p->id)
    {
    case SQX_HELLO_CIPHERS:
      return take_ciphers (p, hello);
    case SQX_HELLO_SESSION_ID:
      return take_session_id (p, hello);
    case SQX_HELLO_GENERATION:
      return take_number (p, 0, SQX_VARINT_MAX, &hello->generation);
    case SQX_HELLO_READY:
      if (!take_number (p, 0, 1, &ready))
        return false;
      hello->ready = ready == 1;
      return true;
    case SQX_HELLO_LINK_ID:
      if (p->value.end - p->value.at != 4)
        return false;
      hello->link_id = sqx_get_be32 (p->value.at);
      hello->has_link_id = true;
      return true;
    default:
      return true;
    }
}

static bool
take_parameter (parameter *p,
                sqx_hello *hello,
                bool       secure)
{
  switch (p->id)
    {
    case SQX_HELLO_MAX_MESSAGE_SIZE:
      return take_number (p, SQX_MESSAGE_MAX_MIN, SQX_MESSAGE_MAX_MAX, &hello->max_message_size);
    case SQX_HELLO_BYTE_CREDIT:
      return take_number (p, 0, SQX_WINDOW_MAX, &hello->byte_credit);
    case SQX_HELLO_EXCHANGE_CREDIT:
      return take_number (p, 1, SQX_EXCHANGES_MAX, &hello->exchange_credit);
    case SQX_HELLO_MAX_CHANNELS:
      return take_number (p, SQX_CHANNELS_MIN, SQX_CHANNELS_MAX, &hello->max_channels);
    case SQX_HELLO_MAX_STREAMS:
      return take_number (p, 0, SQX_VARINT_MAX, &hello->max_streams);
    case SQX_HELLO_STREAM_WINDOW:
      return take_number (p, SQX_STREAM_WINDOW_MIN, SQX_WINDOW_MAX, &hello->stream_window);
    case SQX_HELLO_IDLE_TIMEOUT:
      return take_number (p, 0, SQX_VARINT_MAX, &hello->idle_timeout) &&
             (hello->idle_timeout == 0 || hello->idle_timeout >= SQX_IDLE_MIN);
    case SQX_HELLO_ACK_DELAY:
      return take_number (p, 0, SQX_ACK_DELAY_MAX, &hello->ack_delay);
    case SQX_HELLO_MAX_DATAGRAM_SIZE:
      return take_number (p, SQX_DATAGRAM_MIN, SQX_DATAGRAM_MAX, &hello->max_datagram_size);
    case SQX_HELLO_APPLICATION_ID:
      return take_application_id (p, hello);
    default:
      return !secure || take_secure (p, hello);
    }
}

/* @seen gets a bit for each id up to 31 that was there. */
static bool
decode (sqx_hello     *hello,
        const uint8_t *data,
        size_t         size,
        bool           secure,
        unsigned      *seen)
{
  const unsigned required = 1u << SQX_HELLO_MAX_MESSAGE_SIZE | 1u << SQX_HELLO_BYTE_CREDIT |
                            1u << SQX_HELLO_EXCHANGE_CREDIT | 1u << SQX_HELLO_MAX_CHANNELS |
                            1u << SQX_HELLO_ACK_DELAY | 1u << SQX_HELLO_MAX_DATAGRAM_SIZE;
  sqx_reader reader = { data, data + size };
  unsigned count = 0;
  parameter p;

  *seen = 0;
  *hello = (sqx_hello) { .stream_window = SQX_STREAM_WINDOW_MIN };
  while (reader.at < reader.end)
    {
      const uint8_t *start = reader.at;

      /* Each is compared with all before it, so there must not be too many. */
      if (++count > SQX_HELLO_PARAMETERS || !read_parameter (&reader, &p) ||
          came_before (data, start, p.id) || !take_parameter (&p, hello, secure))
        return false;
      if (p.id < 32)
        *seen |= 1u << p.id;
    }
  return (*seen & required) == required &&
         hello->byte_credit >= 2 * (hello->max_message_size + SQX_MESSAGE_OVERHEAD);
}

bool
sqx_hello_decode (sqx_hello     *hello,
                  const uint8_t *data,
                  size_t         size)
{
  unsigned seen;

  return decode (hello, data, size, false, &seen);
}

bool
sqx_hello_decode_secure (sqx_hello     *hello,
                         const uint8_t *data,
                         size_t         size)
{
  unsigned seen;

  return decode (hello, data, size, true, &seen) && (seen & 1u << SQX_HELLO_CIPHERS) != 0 &&
         hello->has_session == ((seen & 1u << SQX_HELLO_GENERATION) != 0);
}

/* Ciphers ------------------------------------------------------------------------------ */

static bool
has_cipher (const sqx_hello *hello,
            sqx_cipher       cipher)
{
  return memchr (hello->ciphers, (int) cipher, hello->n_ciphers) != NULL;
}

static bool
prefers (const sqx_hello *hello,
         sqx_cipher       cipher)
{
  return hello->n_ciphers > 0 && hello->ciphers[0] == cipher;
}

sqx_cipher
sqx_hello_choose_cipher (const sqx_hello *own,
                         const sqx_hello *peer)
{
  if (prefers (own, SQX_CIPHER_AES256GCM) && prefers (peer, SQX_CIPHER_AES256GCM))
    return SQX_CIPHER_AES256GCM;
  if (has_cipher (own, SQX_CIPHER_CHACHA20POLY1305) &&
      has_cipher (peer, SQX_CIPHER_CHACHA20POLY1305))
    return SQX_CIPHER_CHACHA20POLY1305;
  if (has_cipher (own, SQX_CIPHER_AES256GCM) && has_cipher (peer, SQX_CIPHER_AES256GCM))
    return SQX_CIPHER_AES256GCM;
  return (sqx_cipher) 0;
}

/* Text --------------------------------------------------------------------------------- */

bool
sqx_utf8_valid (const uint8_t *data,
                size_t         size)
{
  const uint8_t *end = size > 0 ? data + size : data;

  while (data < end)
    {
      uint8_t lead = *data++;
      /* The second byte's range keeps out overlong forms, surrogates and what is too high. */
      uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
      int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;

      if (lead == 0 || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || end - data < more)
        return false;
      for (; more > 0; more--, low = 0x80, high = 0xbf)
        {
          if (*data < low || *data > high)
            return false;
          data++;
        }
    }
  return true;
}
