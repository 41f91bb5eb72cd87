/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vector-json.h"

static void
name_it (GString    *json,
         const char *name)
{
  char last = json->len > 0 ? json->str[json->len - 1] : '{';

  if (last != '{' && last != '[')
    g_string_append (json, ", ");
  if (name != NULL)
    g_string_append_printf (json, "\"%s\": ", name);
}

void
json_hex (GString       *json,
          const char    *name,
          const uint8_t *data,
          gsize          size)
{
  name_it (json, name);
  g_string_append_c (json, '"');
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (json, "%02x", data[i]);
  g_string_append_c (json, '"');
}

void
json_number (GString    *json,
             const char *name,
             guint64     value)
{
  name_it (json, name);
  g_string_append_printf (json, "%" G_GUINT64_FORMAT, value);
}

void
json_bool (GString    *json,
           const char *name,
           gboolean    value)
{
  name_it (json, name);
  g_string_append (json, value ? "true" : "false");
}

void
json_null (GString    *json,
           const char *name)
{
  name_it (json, name);
  g_string_append (json, "null");
}

void
json_string (GString    *json,
             const char *name,
             const char *value)
{
  name_it (json, name);
  g_string_append_printf (json, "\"%s\"", value);
}

/* Frames ------------------------------------------------------------------------------- */

static void
json_ack (GString       *json,
          const sqx_ack *ack)
{
  sqx_ack_iter iter;
  uint64_t low, high;

  json_number (json, "delay", ack->delay);
  name_it (json, "ranges");
  g_string_append_c (json, '[');
  sqx_ack_iter_init (&iter);
  while (sqx_ack_iter_next (&iter, ack, &low, &high))
    {
      name_it (json, NULL);
      g_string_append_c (json, '[');
      json_number (json, NULL, low);
      json_number (json, NULL, high);
      g_string_append_c (json, ']');
    }
  g_string_append_c (json, ']');
}

static void
json_runs (GString *json,
           sqx_runs runs)
{
  uint64_t first, run;

  name_it (json, "runs");
  g_string_append_c (json, '[');
  while (sqx_runs_next (&runs, &first, &run))
    {
      name_it (json, NULL);
      g_string_append_c (json, '[');
      json_number (json, NULL, first);
      json_number (json, NULL, run);
      g_string_append_c (json, ']');
    }
  g_string_append_c (json, ']');
}

static void
json_message (GString         *json,
              const sqx_frame *frame)
{
  uint8_t flags = frame->message.flags;

  json_number (json, "channel", frame->message.channel);
  json_number (json, "number", frame->message.number);
  json_bool (json, "ordered", (flags & SQX_WIRE_ORDERED) != 0);
  json_bool (json, "final", (flags & SQX_WIRE_FINAL) != 0);
  if (flags & SQX_WIRE_REPLY)
    json_number (json, "reply_to", frame->message.reply_to);
  else
    json_null (json, "reply_to");
  json_bool (json, "fragment", (flags & SQX_WIRE_FRAGMENT) != 0);
  json_number (json, "total", frame->message.total);
  json_number (json, "offset", frame->message.offset);
  json_hex (json, "data", frame->message.data, frame->message.size);
}

static void
json_cancel (GString         *json,
             const sqx_frame *frame)
{
  json_number (json, "channel", frame->cancel.channel);
  json_number (json, "number", frame->cancel.number);
  json_number (json, "total", frame->cancel.total);
  if (frame->cancel.is_reply)
    json_number (json, "reply_to", frame->cancel.reply_to);
  else
    json_null (json, "reply_to");
}

/* These are for encrypted packets. */
static gboolean
is_plain (uint32_t type)
{
  return type != SQX_FRAME_READY && type != SQX_FRAME_RECEIVED && type != SQX_FRAME_CHALLENGE &&
         type != SQX_FRAME_RESPONSE;
}

static const char *
type_name (uint32_t type)
{
  switch (type)
    {
    case SQX_FRAME_PADDING: return "PADDING";
    case SQX_FRAME_PING: return "PING";
    case SQX_FRAME_ACK: return "ACK";
    case SQX_FRAME_CLOSE: return "CLOSE";
    case SQX_FRAME_READY: return "READY";
    case SQX_FRAME_HELLO: return "HELLO";
    case SQX_FRAME_RECEIVED: return "RECEIVED";
    case SQX_FRAME_CREDIT: return "CREDIT";
    case SQX_FRAME_END: return "END";
    case SQX_FRAME_CANCEL: return "CANCEL";
    case SQX_FRAME_CHALLENGE: return "CHALLENGE";
    case SQX_FRAME_RESPONSE: return "RESPONSE";
    case SQX_FRAME_MESSAGE: return "MESSAGE";
    case SQX_FRAME_DATAGRAM: return "DATAGRAM";
    default: g_assert_not_reached ();
    }
}

void
json_frame (GString         *json,
            const sqx_frame *frame)
{
  name_it (json, NULL);
  g_string_append_c (json, '{');
  json_string (json, "type", type_name (frame->type));
  switch (frame->type)
    {
    case SQX_FRAME_ACK:
      json_ack (json, &frame->ack);
      break;
    case SQX_FRAME_CLOSE:
      json_number (json, "code", frame->close.code);
      json_hex (json, "reason", frame->close.reason, frame->close.size);
      break;
    case SQX_FRAME_HELLO:
      name_it (json, "parameters");
      g_string_append_c (json, '{');
      json_hello (json, frame->hello.data, frame->hello.size);
      g_string_append_c (json, '}');
      break;
    case SQX_FRAME_CREDIT:
      json_number (json, "bytes", frame->credit.bytes);
      json_number (json, "exchanges", frame->credit.exchanges);
      break;
    case SQX_FRAME_END:
      json_number (json, "channel", frame->end.channel);
      json_number (json, "reason", frame->end.reason);
      json_runs (json, frame->end.runs);
      break;
    case SQX_FRAME_RECEIVED:
      json_number (json, "channel", frame->received.channel);
      json_runs (json, frame->received.runs);
      break;
    case SQX_FRAME_CHALLENGE:
    case SQX_FRAME_RESPONSE:
      json_hex (json, "token", frame->challenge.token, SQX_CHALLENGE_SIZE);
      break;
    case SQX_FRAME_CANCEL:
      json_cancel (json, frame);
      break;
    case SQX_FRAME_MESSAGE:
      json_message (json, frame);
      break;
    case SQX_FRAME_DATAGRAM:
      json_hex (json, "data", frame->datagram.data, frame->datagram.size);
      break;
    default:
      break;
    }
  g_string_append_c (json, '}');
}

/* Packets ------------------------------------------------------------------------------ */

void
json_header (GString                *json,
             const sqx_plain_header *header)
{
  json_number (json, "instance", header->instance);
  json_number (json, "source_epoch", header->source_epoch);
  json_number (json, "destination_epoch", header->destination_epoch);
  json_number (json, "number", header->number);
}

/* "frames" and "valid". */
static void
add_frames (GString       *json,
            const uint8_t *data,
            gsize          size,
            gboolean       plain)
{
  sqx_reader reader = { data, data + size };
  gboolean valid = size > 0;
  sqx_frame frame;

  name_it (json, "frames");
  g_string_append_c (json, '[');
  while (valid && reader.at < reader.end)
    {
      valid = sqx_decode_frame (&reader, &frame) && (!plain || is_plain (frame.type));
      if (valid)
        json_frame (json, &frame);
    }
  g_string_append_c (json, ']');
  json_bool (json, "valid", valid);
}

void
json_frames (GString       *json,
             const uint8_t *data,
             gsize          size)
{
  json_hex (json, "hex", data, size);
  add_frames (json, data, size, FALSE);
}

void
json_packet (GString       *json,
             const uint8_t *data,
             gsize          size)
{
  sqx_plain_header header;

  json_hex (json, "hex", data, size);
  if (!sqx_decode_plain (data, size, &header))
    {
      json_bool (json, "valid", FALSE);
      return;
    }

  json_header (json, &header);
  add_frames (json, data + SQX_PLAIN_HEADER, size - SQX_PLAIN_HEADER, TRUE);
}

void
json_hello (GString       *json,
            const uint8_t *data,
            gsize          size)
{
  sqx_hello hello;
  gboolean valid = sqx_hello_decode (&hello, data, size);

  json_hex (json, "hex", data, size);
  json_bool (json, "valid", valid);
  if (!valid)
    return;
  json_number (json, "max_message_size", hello.max_message_size);
  json_number (json, "byte_credit", hello.byte_credit);
  json_number (json, "exchange_credit", hello.exchange_credit);
  json_number (json, "max_channels", hello.max_channels);
  json_number (json, "max_streams", hello.max_streams);
  if (hello.max_streams > 0)
    json_number (json, "stream_window", hello.stream_window);
  json_number (json, "idle_timeout", hello.idle_timeout);
  json_number (json, "ack_delay", hello.ack_delay);
  json_number (json, "max_datagram_size", hello.max_datagram_size);
  json_hex (json, "application_id", (const uint8_t *) hello.application_id,
            strlen (hello.application_id));
}
