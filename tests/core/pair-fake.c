/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer played by the test, frame by frame: what no honest implementation would send.
 */
#include <string.h>

#include "pair.h"
#include "sqx-util.h"

static void
fake_packet_free (gpointer data)
{
  FakePacket *packet = data;

  g_array_unref (packet->frames);
  g_free (packet->data);
  g_free (packet);
}

void
fake_init (Pair *pair)
{
  Fake *fake = &pair->fake;

  fake->epoch = PAIR_EPOCH_B;
  fake->peer_epoch = PAIR_EPOCH_A;
  fake->next_number = 2000;
  fake->hello.max_message_size = SQX_MESSAGE_MAX_DEFAULT;
  fake->hello.byte_credit = UINT64_C (16) << 20;
  fake->hello.exchange_credit = SQX_EXCHANGES_DEFAULT;
  fake->hello.max_channels = SQX_CHANNELS_DEFAULT;
  fake->hello.ack_delay = SQX_ACK_DELAY_DEFAULT;
  fake->hello.max_datagram_size = SQX_DATAGRAM_DEFAULT;
  sqx_ranges_init (&fake->received);
  fake->seen = g_ptr_array_new_with_free_func (fake_packet_free);
}

void
fake_clear (Pair *pair)
{
  sqx_ranges_clear (&pair->fake.received);
  g_ptr_array_unref (pair->fake.seen);
}

void
fake_forget (Pair *pair)
{
  g_ptr_array_set_size (pair->fake.seen, 0);
}

/* Receiving --------------------------------------------------------------------------- */

static void
note_credit (Fake *fake, const sqx_frame *frame)
{
  sqx_hello hello;

  if (frame->type == SQX_FRAME_HELLO)
    {
      g_assert_true (sqx_hello_decode (&hello, frame->hello.data, frame->hello.size));
      fake->credit_bytes = MAX (fake->credit_bytes, hello.byte_credit);
      fake->credit_exchanges = MAX (fake->credit_exchanges, hello.exchange_credit);
    }
  else if (frame->type == SQX_FRAME_CREDIT)
    {
      /* Cumulative: it never goes back, whatever is resent. */
      fake->credit_bytes = MAX (fake->credit_bytes, frame->credit.bytes);
      fake->credit_exchanges = MAX (fake->credit_exchanges, frame->credit.exchanges);
    }
}

static gboolean
is_eliciting (const sqx_frame *frame)
{
  return frame->type != SQX_FRAME_ACK && frame->type != SQX_FRAME_CLOSE;
}

void
fake_receive (Pair *pair, const uint8_t *data, size_t size)
{
  Fake *fake = &pair->fake;
  FakePacket *packet = g_new0 (FakePacket, 1);
  gboolean eliciting = FALSE;

  packet->time = pair->now;
  packet->data = g_memdup2 (data, size);
  packet->size = size;
  packet->frames = g_array_new (FALSE, FALSE, sizeof (sqx_frame));
  g_assert_true (pair_decode (packet->data, size, &packet->header, packet->frames));
  g_ptr_array_add (fake->seen, packet);
  /* Once more if a test lets allocations fail: this one is not meant. */
  if (!sqx_ranges_add (&fake->received, packet->header.number,
                       (uint64_t) packet->header.number + 1))
    g_assert_true (sqx_ranges_add (&fake->received, packet->header.number,
                                   (uint64_t) packet->header.number + 1));
  for (guint i = 0; i < packet->frames->len; i++)
    {
      const sqx_frame *frame = &g_array_index (packet->frames, sqx_frame, i);

      note_credit (fake, frame);
      eliciting |= is_eliciting (frame);
    }
  if (eliciting && fake->auto_ack)
    {
      fake_begin (pair);
      fake_ack (pair);
      sqx_conn_handle_datagram (pair->side[PAIR_A].conn, pair->now, fake->buffer,
                                fake->writer.size);
      fake->next_number++;
    }
}

/* Sending ----------------------------------------------------------------------------- */

void
fake_begin_as (Pair *pair, uint32_t source, uint32_t destination, uint32_t number)
{
  Fake *fake = &pair->fake;
  sqx_plain_header header = {
    .instance = pair->side[PAIR_A].config.instance,
    .source_epoch = source,
    .destination_epoch = destination,
    .number = number,
  };

  fake->writer = (sqx_writer){ fake->buffer, 0, sizeof fake->buffer };
  g_assert_true (sqx_write_plain (&fake->writer, &header));
}

void
fake_begin (Pair *pair)
{
  Fake *fake = &pair->fake;

  fake_begin_as (pair, fake->epoch, fake->peer_epoch, (uint32_t) fake->next_number);
  if (fake->say_hello)
    fake_hello (pair);
}

void
fake_hello (Pair *pair)
{
  uint8_t buffer[SQX_HELLO_MAX];
  size_t size = sqx_hello_encode (&pair->fake.hello, buffer);

  g_assert_true (sqx_write_hello (&pair->fake.writer, buffer, size));
}

void
fake_raw (Pair *pair, const void *data, size_t size)
{
  sqx_writer *writer = &pair->fake.writer;

  g_assert_cmpuint (size, <=, sqx_writer_room (writer));
  memcpy (writer->data + writer->size, data, size);
  writer->size += size;
}

void
fake_varint (Pair *pair, uint64_t value)
{
  g_assert_true (sqx_write_varint (&pair->fake.writer, value));
}

/* By hand rather than by sqx_write_message(), which knows only what an honest sender says. */
static void
fake_message_header (Pair *pair, uint32_t channel, uint64_t number, uint8_t flags,
                     uint64_t reply_to)
{
  uint8_t type = SQX_FRAME_MESSAGE + flags;

  fake_raw (pair, &type, 1);
  fake_varint (pair, (uint64_t) channel * 2);
  fake_varint (pair, number);
  if (flags & SQX_WIRE_REPLY)
    fake_varint (pair, reply_to);
}

void
fake_message (Pair *pair, uint32_t channel, uint64_t number, uint8_t flags, uint64_t reply_to,
              const char *text)
{
  fake_message_header (pair, channel, number, flags | SQX_WIRE_LENGTH, reply_to);
  fake_varint (pair, strlen (text));
  fake_raw (pair, text, strlen (text));
}

void
fake_fragment (Pair *pair, uint32_t channel, uint64_t number, uint8_t flags, uint64_t reply_to,
               uint64_t total, uint64_t offset, uint64_t size)
{
  sqx_writer *writer = &pair->fake.writer;

  fake_message_header (pair, channel, number, flags | SQX_WIRE_LENGTH | SQX_WIRE_FRAGMENT,
                       reply_to);
  fake_varint (pair, total);
  fake_varint (pair, offset);
  fake_varint (pair, size);
  g_assert_cmpuint (size, <=, sqx_writer_room (writer));
  memset (writer->data + writer->size, 0, size);
  writer->size += size;
}

void
fake_end (Pair *pair, uint32_t channel, uint8_t reason, uint64_t first, uint64_t run)
{
  uint8_t type = SQX_FRAME_END;

  fake_raw (pair, &type, 1);
  fake_varint (pair, (uint64_t) channel * 2);
  fake_raw (pair, &reason, 1);
  fake_varint (pair, 1);
  fake_varint (pair, first);
  fake_varint (pair, run);
}

void
fake_cancel (Pair *pair, uint32_t channel, uint64_t number, uint64_t total)
{
  g_assert_true (sqx_write_cancel (&pair->fake.writer, (uint64_t) channel * 2, number, total,
                                   false, 0));
}

void
fake_ack (Pair *pair)
{
  const sqx_ranges *received = &pair->fake.received;

  if (received->count > 0)
    g_assert_true (sqx_write_ack (&pair->fake.writer, received->items, received->count, 0));
}

void
fake_ack_range (Pair *pair, uint64_t low, uint64_t high)
{
  sqx_range range = { low, high + 1 };

  g_assert_true (sqx_write_ack (&pair->fake.writer, &range, 1, 0));
}

uint64_t
fake_send (Pair *pair)
{
  Fake *fake = &pair->fake;
  uint64_t number = fake->next_number++;

  /* A packet that holds nothing would be malformed. */
  g_assert_cmpuint (fake->writer.size, >, SQX_PLAIN_HEADER);
  pair_inject (pair, PAIR_A, fake->buffer, fake->writer.size);
  pair_flush (pair);
  return number;
}

void
fake_send_violation (Pair *pair)
{
  const PairSide *side = &pair->side[PAIR_A];
  guint taken = side->taken->len;

  g_assert_false (side->closed);
  fake_send (pair);
  pair_assert_closed (pair, PAIR_A, SQX_ERR_PROTOCOL);
  g_assert_cmpuint (side->closing.event.code, ==, SQX_CLOSE_PROTOCOL_VIOLATION);
  g_assert_false (side->closing.event.by_peer);
  g_assert_cmpuint (strlen (side->closing.event.reason_text), >, 0);
  g_assert_cmpuint (side->taken->len, ==, taken);
  g_assert_cmpuint (pair_counters (pair, PAIR_A)->violation, ==, 1);
  g_assert_cmpuint (fake_last (pair, SQX_FRAME_CLOSE)->close.code, ==,
                    SQX_CLOSE_PROTOCOL_VIOLATION);
}

void
fake_connect (Pair *pair)
{
  fake_begin (pair);
  if (!pair->fake.say_hello)
    fake_hello (pair);
  g_assert_true (sqx_write_ping (&pair->fake.writer));
  fake_send (pair);
  g_assert_cmpuint (fake_count (pair, SQX_FRAME_HELLO), >=, 1);
  fake_begin (pair);
  fake_ack (pair);
  fake_send (pair);
  g_assert_cmpint (sqx_conn_state (pair->side[PAIR_A].conn), ==, SQX_STATE_CONNECTED);
  pair->fake.auto_ack = TRUE;
  fake_forget (pair);
}

/* Looking at what came ---------------------------------------------------------------- */

const sqx_frame *
fake_nth (Pair *pair, uint32_t type, guint nth)
{
  for (guint i = 0; i < pair->fake.seen->len; i++)
    {
      const FakePacket *packet = g_ptr_array_index (pair->fake.seen, i);

      for (guint j = 0; j < packet->frames->len; j++)
        {
          const sqx_frame *frame = &g_array_index (packet->frames, sqx_frame, j);

          if (frame->type == type && nth-- == 0)
            return frame;
        }
    }
  return NULL;
}

guint
fake_count (Pair *pair, uint32_t type)
{
  guint n = 0;

  while (fake_nth (pair, type, n))
    n++;
  return n;
}

const sqx_frame *
fake_last (Pair *pair, uint32_t type)
{
  guint n = fake_count (pair, type);

  g_assert_cmpuint (n, >, 0);
  return fake_nth (pair, type, n - 1);
}

int
fake_end_reason (Pair *pair, uint32_t channel, uint64_t number)
{
  const sqx_frame *frame;

  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_END, n)); n++)
    {
      sqx_runs runs = frame->end.runs;
      uint64_t first, run;

      while (frame->end.channel == (uint64_t) channel * 2
             && sqx_runs_next (&runs, &first, &run))
        if (number >= first && number - first < run)
          return frame->end.reason;
    }
  return -1;
}

gboolean
fake_acknowledged (Pair *pair, uint64_t number)
{
  const sqx_frame *frame;
  gboolean found = FALSE;

  for (guint n = 0; (frame = fake_nth (pair, SQX_FRAME_ACK, n)); n++)
    {
      sqx_ack_iter iter;
      uint64_t low, high;

      found = FALSE;
      sqx_ack_iter_init (&iter);
      while (sqx_ack_iter_next (&iter, &frame->ack, &low, &high))
        found |= low <= number && number <= high;
    }
  return found;
}
