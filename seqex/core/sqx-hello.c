/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-hello.h"

#include "sqx-util.h"

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
    {
      sqx_write_varint (&writer, SQX_HELLO_APPLICATION_ID);
      sqx_write_varint (&writer, id_size);
      memcpy (buffer + writer.size, hello->application_id, id_size);
      writer.size += id_size;
    }
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

static bool
take_parameter (parameter *p,
                sqx_hello *hello)
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
      return true;
    }
}

bool
sqx_hello_decode (sqx_hello     *hello,
                  const uint8_t *data,
                  size_t         size)
{
  const unsigned required = 1u << SQX_HELLO_MAX_MESSAGE_SIZE | 1u << SQX_HELLO_BYTE_CREDIT |
                            1u << SQX_HELLO_EXCHANGE_CREDIT | 1u << SQX_HELLO_MAX_CHANNELS |
                            1u << SQX_HELLO_ACK_DELAY | 1u << SQX_HELLO_MAX_DATAGRAM_SIZE;
  sqx_reader reader = { data, data + size };
  unsigned seen = 0, count = 0;
  parameter p;

  *hello = (sqx_hello) { 0 };
  while (reader.at < reader.end)
    {
      const uint8_t *start = reader.at;

      /* Each is compared with all before it, so there must not be too many. */
      if (++count > SQX_HELLO_PARAMETERS || !read_parameter (&reader, &p) ||
          came_before (data, start, p.id) || !take_parameter (&p, hello))
        return false;
      if (p.id <= SQX_HELLO_APPLICATION_ID)
        seen |= 1u << p.id;
    }
  return (seen & required) == required &&
         hello->byte_credit >= 2 * (hello->max_message_size + SQX_MESSAGE_OVERHEAD);
}

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
