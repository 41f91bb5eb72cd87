/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-datagrams.h"

#include <stdlib.h>

typedef struct
{
  sqx_node    node;
  sqx_payload payload;
} outgoing_datagram;

void
sqx_datagrams_init (sqx_datagrams *datagrams)
{
  sqx_node_init (&datagrams->outgoing);
  datagrams->n_outgoing = 0;
  datagrams->n_incoming = 0;
}

static void
drop (sqx_datagrams     *datagrams,
      const sqx_config  *config,
      outgoing_datagram *datagram)
{
  sqx_node_unlink (&datagram->node);
  datagrams->n_outgoing--;
  if (datagram->payload.owner != NULL && config->payload_unref != NULL)
    config->payload_unref (datagram->payload.owner);
  free (datagram);
}

static void
drop_first (sqx_datagrams    *datagrams,
            const sqx_config *config)
{
  drop (datagrams, config,
        SQX_CONTAINER (sqx_list_first (&datagrams->outgoing), outgoing_datagram, node));
}

void
sqx_datagrams_clear (sqx_datagrams    *datagrams,
                     const sqx_config *config)
{
  while (!sqx_list_empty (&datagrams->outgoing))
    drop_first (datagrams, config);
}

sqx_result
sqx_datagrams_submit (sqx_datagrams     *datagrams,
                      const sqx_config  *config,
                      const sqx_payload *payload)
{
  outgoing_datagram *datagram;

  if (datagrams->n_outgoing == SQX_DATAGRAM_QUEUE)
    return SQX_ERR_QUEUE_FULL;
  datagram = malloc (sizeof *datagram);
  if (datagram == NULL)
    return SQX_ERR_NO_MEMORY;

  datagram->payload = *payload;
  if (payload->owner != NULL && config->payload_ref != NULL)
    config->payload_ref (payload->owner);
  sqx_node_init (&datagram->node);
  sqx_list_append (&datagrams->outgoing, &datagram->node);
  datagrams->n_outgoing++;
  return SQX_OK;
}

size_t
sqx_datagrams_next_size (const sqx_datagrams *datagrams)
{
  sqx_node *first = sqx_list_first (&datagrams->outgoing);

  return first ? SQX_CONTAINER (first, outgoing_datagram, node)->payload.size : SIZE_MAX;
}

unsigned
sqx_datagrams_pack (sqx_datagrams    *datagrams,
                    const sqx_config *config,
                    sqx_packet       *packet)
{
  sqx_node *first;
  unsigned packed = 0;

  while ((first = sqx_list_first (&datagrams->outgoing)) != NULL)
    {
      const sqx_payload *payload = &SQX_CONTAINER (first, outgoing_datagram, node)->payload;

      if (!sqx_write_datagram (&packet->writer, payload->data, payload->size))
        break;
      packet->eliciting = true;
      drop_first (datagrams, config);
      packed++;
    }
  return packed;
}

unsigned
sqx_datagrams_drop_larger (sqx_datagrams    *datagrams,
                           const sqx_config *config,
                           size_t            limit)
{
  unsigned dropped = 0;
  sqx_node *next;

  for (sqx_node *node = datagrams->outgoing.next; node != &datagrams->outgoing; node = next)
    {
      outgoing_datagram *datagram = SQX_CONTAINER (node, outgoing_datagram, node);

      next = node->next;
      if (datagram->payload.size > limit)
        {
          drop (datagrams, config, datagram);
          dropped++;
        }
    }
  return dropped;
}

bool
sqx_datagrams_receive (sqx_datagrams *datagrams,
                       sqx_node      *events,
                       const uint8_t *data,
                       size_t         size)
{
  sqx_received_datagram *received;

  if (datagrams->n_incoming == SQX_DATAGRAM_QUEUE)
    return false;
  received = malloc (sizeof *received + size);
  if (received == NULL)
    return false;

  sqx_event_node_init (&received->event);
  received->size = size;
  if (size > 0)
    memcpy (received->data, data, size);
  sqx_events_push (events, &received->event, SQX_EVENT_DATAGRAM);
  datagrams->n_incoming++;
  return true;
}

void
sqx_datagrams_take (sqx_datagrams         *datagrams,
                    sqx_received_datagram *received,
                    uint8_t              **data,
                    size_t                *size)
{
  datagrams->n_incoming--;
  *size = received->size;
  if (received->size == 0)
    {
      free (received);
      *data = NULL;
      return;
    }
  /* The block itself becomes the payload, so that nothing can be lost here for want of memory. */
  *data = memmove (received, received->data, received->size);
}
