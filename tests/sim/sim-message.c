/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages: their bytes, by which they are known on the wire and when they arrive.
 */

#include "sim.h"

#include <stdlib.h>
#include <string.h>

uint32_t
sim_channel_index (const sim_world *world,
                   uint64_t         id)
{
  for (uint32_t i = 0; i < world->n_channels; i++)
    if (world->channel_ids[i] == id)
      return i;
  return SIM_CHANNELS;
}

/* Byte 0 … 7 of a larger message are its id, all others follow from it. A tiny one has the number
 * of its slot, and others that follow from that. */
static void
make_bytes (const sim_message *message,
            uint64_t           from,
            uint8_t           *bytes,
            uint64_t           size)
{
  for (uint64_t i = 0; i < size;)
    {
      uint64_t word = (from + i) / 8;
      uint64_t value = message->id;

      if (message->size < SIM_TINY)
        value = message->slot | (sim_mix (message->size * 64 + message->slot) << 8);
      else if (word > 0)
        value = sim_mix (message->id * UINT64_C (0x9e3779b97f4a7c15) + word);
      for (uint64_t at = (from + i) % 8; at < 8 && i < size; at++, i++)
        bytes[i] = (uint8_t) (value >> (8 * at));
    }
}

bool
sim_message_matches (const sim_message *message,
                     const uint8_t     *bytes,
                     size_t             size)
{
  uint8_t expected[256];

  if (size != message->size)
    return false;
  for (size_t at = 0; at < size; at += sizeof expected)
    {
      size_t part = size - at < sizeof expected ? size - at : sizeof expected;

      make_bytes (message, at, expected, part);
      if (memcmp (bytes + at, expected, part) != 0)
        return false;
    }
  return true;
}

/* A slot is free again when nothing of the message in it can come any more. */
static bool
slot_is_free (const sim_message *message)
{
  if (message == NULL)
    return true;
  /* A first packet may reach a later life of the receiver, long after it was answered. */
  if (message->world->restarts)
    return false;
  return message->life == message->from->life
         && (message->wait == SIM_WAIT_REPLIED || message->wait == SIM_WAIT_ENDED);
}

/* Without a free slot the message is no tiny one. */
static void
find_slot (sim_message *message)
{
  sim_message **slots = message->from->program.tiny[message->channel][message->size];
  uint8_t count = message->size == 0 ? 1 : SIM_SLOTS;

  for (uint8_t i = 0; i < count; i++)
    if (slot_is_free (slots[i]))
      {
        slots[i] = message;
        message->slot = i;
        return;
      }
  message->size = SIM_TINY;
}

sim_message *
sim_message_new (sim_end     *from,
                 uint32_t     channel,
                 uint64_t     size,
                 uint32_t     flags,
                 sim_message *parent)
{
  sim_world *world = from->world;
  sim_message *message = calloc (1, sizeof *message);

  message->id = world->message_count;
  message->world = world;
  message->from = from;
  message->life = from->life;
  message->channel = (uint8_t) channel;
  message->size = size;
  message->ordered = (flags & SQX_MESSAGE_ORDERED) != 0;
  message->final = (flags & SQX_MESSAGE_FINAL) != 0;
  message->is_reply = parent != NULL;
  message->parent = parent;
  message->depth = parent != NULL ? parent->depth + 1 : 0;
  message->submitted = world->now;
  if (size < SIM_TINY)
    find_slot (message);
  message->bytes = malloc (message->size > 0 ? message->size : 1);
  make_bytes (message, 0, message->bytes, message->size);
  sim_push (&world->messages, &world->message_count, &world->message_capacity, message);
  return message;
}

void
sim_message_payload (sim_message *message,
                     bool         owned,
                     sqx_payload *payload)
{
  payload->data = message->bytes;
  payload->size = message->size;
  payload->owner = owned ? message : NULL;
}

void
sim_message_ref (void *owner)
{
  sim_message *message = owner;

  message->references++;
}

void
sim_message_unref (void *owner)
{
  sim_message *message = owner;

  if (message->references == 0)
    sim_fail (message->world, "payload of message %llu is unreferenced too often",
              (unsigned long long) message->id);
  if (--message->references > 0)
    return;
  /* Whoever looks at the bytes from now on does wrong. */
  free (message->bytes);
  message->bytes = NULL;
}

void
sim_message_free (sim_message *message)
{
  free (message->bytes);
  free (message);
}

void
sim_message_discard (sim_message *message)
{
  sim_world *world = message->world;
  sim_message **slot = &message->from->program.tiny[message->channel][message->size % SIM_TINY]
                                                   [message->slot];

  if (message->references != 0)
    sim_fail (world, "a payload that was not taken is kept");
  if (message->size < SIM_TINY && *slot == message)
    *slot = NULL;
  world->message_count--;
  sim_message_free (message);
}

sim_message *
sim_message_find (sim_end       *from,
                  uint32_t       channel,
                  const uint8_t *head,
                  uint64_t       size)
{
  sim_world *world = from->world;
  sim_message *message;
  uint64_t id = 0;

  if (size < SIM_TINY)
    {
      uint8_t slot = size == 0 ? 0 : head[0];

      message = slot < SIM_SLOTS ? from->program.tiny[channel][size][slot] : NULL;
    }
  else
    {
      for (int i = 0; i < SIM_TINY; i++)
        id |= (uint64_t) head[i] << (8 * i);
      message = id < world->message_count ? world->messages[id] : NULL;
    }
  if (message == NULL || message->from != from || message->channel != channel
      || message->is_datagram)
    return NULL;
  return message;
}
