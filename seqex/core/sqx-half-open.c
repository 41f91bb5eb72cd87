/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-half-open.h"

#include <stdlib.h>

/* One handshake ------------------------------------------------------------------------ */

sqx_half_open *
sqx_half_open_new (void)
{
  sqx_half_open *half_open = calloc (1, sizeof *half_open);

  if (half_open != NULL)
    {
      sqx_node_init (&half_open->age);
      sqx_node_init (&half_open->due);
    }
  return half_open;
}

void
sqx_half_open_free (sqx_half_open *half_open)
{
  if (half_open == NULL)
    return;
  assert (!half_open->node.linked && half_open->route.owner == NULL);
  sqx_handshake_clear (&half_open->handshake);
  if (half_open->has_keys)
    sqx_keys_clear (&half_open->keys);
  for (unsigned i = 0; i < half_open->n_early; i++)
    free (half_open->early[i]);
  free (half_open);
}

bool
sqx_half_open_keep (sqx_half_open *half_open,
                    const uint8_t *data,
                    size_t         size)
{
  uint8_t *copy;

  if (half_open->n_early == SQX_EARLY_DATA || size > SQX_DATAGRAM_DEFAULT)
    return false;
  copy = malloc (size);
  if (copy == NULL)
    return false;
  memcpy (copy, data, size);
  half_open->early_size[half_open->n_early] = (uint16_t) size;
  half_open->early[half_open->n_early++] = copy;
  return true;
}

/* All of them -------------------------------------------------------------------------- */

bool
sqx_half_opens_init (sqx_half_opens *half_opens,
                     uint64_t        secret)
{
  *half_opens = (sqx_half_opens) { .count = 0 };
  sqx_node_init (&half_opens->by_age);
  sqx_node_init (&half_opens->due);
  if (sqx_table_init (&half_opens->table, secret) && sqx_table_init (&half_opens->hosts, ~secret))
    return true;
  sqx_half_opens_clear (half_opens);
  return false;
}

void
sqx_half_opens_clear (sqx_half_opens *half_opens)
{
  assert (half_opens->count == 0);
  sqx_table_clear (&half_opens->table);
  sqx_table_clear (&half_opens->hosts);
}

void
sqx_half_opens_add (sqx_half_opens *half_opens,
                    uint64_t        now,
                    sqx_half_open  *half_open,
                    uint64_t        hash,
                    uint64_t        host_hash)
{
  half_open->until = sqx_time_add (now, SQX_HALF_OPEN_LIFE);
  sqx_table_insert (&half_opens->table, &half_open->node, hash);
  sqx_table_insert (&half_opens->hosts, &half_open->host, host_hash);
  sqx_list_append (&half_opens->by_age, &half_open->age);
  half_opens->count++;
}

void
sqx_half_opens_remove (sqx_half_opens *half_opens,
                       sqx_half_open  *half_open)
{
  sqx_table_remove (&half_opens->table, &half_open->node);
  sqx_table_remove (&half_opens->hosts, &half_open->host);
  sqx_node_unlink (&half_open->age);
  sqx_node_unlink (&half_open->due);
  half_opens->count--;
}

sqx_half_open *
sqx_half_opens_find (const sqx_half_opens *half_opens,
                     uint64_t              hash,
                     const sqx_address    *from,
                     uint32_t              source_id,
                     const uint8_t         ephemeral[SQX_KEY_SIZE])
{
  sqx_table_node *node = NULL;

  while ((node = sqx_table_find (&half_opens->table, hash, node)) != NULL)
    {
      sqx_half_open *half_open = SQX_CONTAINER (node, sqx_half_open, node);
      const sqx_handshake *handshake = &half_open->handshake;

      if (sqx_address_equal (&half_open->from, from) && handshake->peer_id == source_id &&
          memcmp (handshake->ephemeral, ephemeral, SQX_KEY_SIZE) == 0)
        return half_open;
    }
  return NULL;
}

sqx_half_open *
sqx_half_opens_oldest (const sqx_half_opens *half_opens)
{
  sqx_node *node = sqx_list_first (&half_opens->by_age);

  return node != NULL ? SQX_CONTAINER (node, sqx_half_open, age) : NULL;
}

uint32_t
sqx_half_opens_of_host (const sqx_half_opens *half_opens,
                        uint64_t              host_hash,
                        const sqx_address    *from,
                        sqx_half_open       **oldest)
{
  sqx_table_node *node = NULL;
  uint32_t count = 0;

  *oldest = NULL;
  while ((node = sqx_table_find (&half_opens->hosts, host_hash, node)) != NULL)
    {
      sqx_half_open *half_open = SQX_CONTAINER (node, sqx_half_open, host);

      if (!sqx_address_same_host (&half_open->from, from))
        continue;
      count++;
      if (*oldest == NULL || half_open->until < (*oldest)->until)
        *oldest = half_open;
    }
  return count;
}

void
sqx_half_opens_send (sqx_half_opens *half_opens,
                     sqx_half_open  *half_open)
{
  if (!sqx_node_linked (&half_open->due))
    sqx_list_append (&half_opens->due, &half_open->due);
}

sqx_half_open *
sqx_half_opens_next (sqx_half_opens *half_opens)
{
  sqx_node *node = sqx_list_first (&half_opens->due);

  if (node == NULL)
    return NULL;
  sqx_node_unlink (node);
  return SQX_CONTAINER (node, sqx_half_open, due);
}
