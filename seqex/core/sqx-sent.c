/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-sent.h"

#include <stdlib.h>

#include "sqx-util.h"

/* Of the first rings; larger ones are given back sooner. */
#define SMALL_PACKETS 8u
#define SMALL_RECORDS 16u
#define LARGE_PACKETS 32u

void
sqx_sent_init (sqx_sent *sent,
               uint64_t  first_number)
{
  *sent = (sqx_sent) {
    .first_number = first_number,
    .next_number = first_number,
    .recorded_number = first_number,
  };
}

static void
free_packets (sqx_sent *sent)
{
  free (sent->packets);
  sent->packets = NULL;
  sent->packet_capacity = 0;
}

static void
free_records (sqx_sent *sent)
{
  free (sent->records);
  sent->records = NULL;
  sent->record_capacity = 0;
}

void
sqx_sent_clear (sqx_sent *sent)
{
  free_packets (sent);
  free_records (sent);
  sent->first_number = sent->recorded_number = sent->next_number;
  sent->first_record = sent->next_record;
}

static sqx_sent_packet *
packet_slot (const sqx_sent *sent,
             uint64_t        number)
{
  return &sent->packets[number & (sent->packet_capacity - 1)];
}

static sqx_record *
record_slot (const sqx_sent *sent,
             uint64_t        record)
{
  return &sent->records[record & (sent->record_capacity - 1)];
}

/* A ring of @capacity elements of @size with those of @ring that are numbered @first to @next - 1;
 * frees @ring. NULL: no memory, nothing changed. */
static void *
grow (void    *ring,
      size_t   old_capacity,
      size_t   capacity,
      size_t   size,
      uint64_t first,
      uint64_t next)
{
  char *grown;

  if (capacity > SIZE_MAX / size)
    return NULL;
  grown = malloc (capacity * size);
  if (grown == NULL)
    return NULL;

  for (uint64_t i = first; i < next; i++)
    memcpy (grown + (i & (capacity - 1)) * size,
            (char *) ring + (i & (old_capacity - 1)) * size, size);
  free (ring);
  return grown;
}

/* The smallest power of two that holds @needed, at least @least; 0 if there is none. */
static size_t
capacity_for (uint64_t needed,
              size_t   least)
{
  size_t capacity = least;

  while (capacity != 0 && capacity < needed)
    capacity *= 2;
  return capacity;
}

static bool
reserve_packets (sqx_sent *sent,
                 uint64_t  needed)
{
  size_t capacity = capacity_for (needed, SMALL_PACKETS);
  sqx_sent_packet *packets;

  if (needed <= sent->packet_capacity)
    return true;
  if (capacity == 0)
    return false;

  packets = grow (sent->packets, sent->packet_capacity, capacity, sizeof *packets,
                  sent->first_number, sent->next_number);
  if (packets == NULL)
    return false;
  sent->packets = packets;
  sent->packet_capacity = capacity;
  return true;
}

static bool
reserve_records (sqx_sent *sent,
                 uint64_t  needed)
{
  size_t capacity = capacity_for (needed, SMALL_RECORDS);
  sqx_record *records;

  if (needed <= sent->record_capacity)
    return true;
  if (capacity == 0)
    return false;

  records = grow (sent->records, sent->record_capacity, capacity, sizeof *records,
                  sent->first_record, sent->next_record);
  if (records == NULL)
    return false;
  sent->records = records;
  sent->record_capacity = capacity;
  return true;
}

bool
sqx_sent_reserve (sqx_sent *sent,
                  size_t    records)
{
  return reserve_packets (sent, sent->next_number - sent->first_number + 2) &&
         reserve_records (sent, sqx_time_add (sent->next_record - sent->first_record, records));
}

static sqx_sent_packet *
push (sqx_sent             *sent,
      const sqx_sent_packet *packet)
{
  sqx_sent_packet *slot;

  assert (sent->next_number - sent->first_number < sent->packet_capacity);
  slot = packet_slot (sent, sent->next_number++);
  *slot = *packet;
  return slot;
}

sqx_sent_packet *
sqx_sent_append (sqx_sent         *sent,
                 uint64_t          now,
                 size_t            size,
                 const sqx_record *records,
                 size_t            count)
{
  uint64_t first_record = sent->next_record;

  assert (size <= UINT16_MAX && count <= SQX_PACKET_RECORDS);
  assert (sent->next_record - sent->first_record + count <= sent->record_capacity);
  for (size_t i = 0; i < count; i++)
    *record_slot (sent, sent->next_record++) = records[i];

  return push (sent, &(sqx_sent_packet) {
    .time = now,
    .first_record = first_record,
    .records = (unsigned) count,
    .size = (unsigned) size,
    .state = SQX_SENT_OUTSTANDING,
  });
}

void
sqx_sent_skip (sqx_sent *sent)
{
  push (sent, &(sqx_sent_packet) {
    .first_record = sent->next_record,
    .state = SQX_SENT_SKIPPED,
  });
}

sqx_sent_packet *
sqx_sent_get (const sqx_sent *sent,
              uint64_t        number)
{
  if (number < sent->first_number || number >= sent->next_number)
    return NULL;
  return packet_slot (sent, number);
}

const sqx_record *
sqx_sent_record (const sqx_sent        *sent,
                 const sqx_sent_packet *packet,
                 size_t                 i)
{
  assert (i < packet->records);
  return record_slot (sent, packet->first_record + i);
}

static bool
is_settled (const sqx_sent_packet *packet,
            uint64_t               number,
            uint64_t               skip_floor,
            uint64_t               lost_before)
{
  switch ((sqx_sent_state) packet->state)
    {
    case SQX_SENT_DONE:
      return true;
    case SQX_SENT_SKIPPED:
      return number < skip_floor;
    case SQX_SENT_LOST:
      return packet->mark < lost_before;
    case SQX_SENT_OUTSTANDING:
      break;
    }
  return false;
}

/* A packet may be kept for long because of another before it, but what was in it is forgotten as
 * soon as it and all before it are acknowledged. */
static void
trim_records (sqx_sent *sent)
{
  for (; sent->recorded_number < sent->next_number; sent->recorded_number++)
    {
      const sqx_sent_packet *packet = packet_slot (sent, sent->recorded_number);

      if (sent->recorded_number >= sent->first_number &&
          packet->state != SQX_SENT_DONE && packet->state != SQX_SENT_SKIPPED)
        return;
      sent->first_record += packet->records;
    }
}

void
sqx_sent_trim (sqx_sent *sent,
               uint64_t  skip_floor,
               uint64_t  lost_before)
{
  while (sent->first_number < sent->next_number &&
         is_settled (packet_slot (sent, sent->first_number), sent->first_number, skip_floor,
                     lost_before))
    sent->first_number++;
  trim_records (sent);
}

void
sqx_sent_shrink (sqx_sent *sent)
{
  if (sent->first_number == sent->next_number)
    sqx_sent_clear (sent);
}

bool
sqx_sent_is_large (const sqx_sent *sent)
{
  return sent->packet_capacity > LARGE_PACKETS || sent->record_capacity > 2 * LARGE_PACKETS;
}
