/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Handshakes that peers began and that are not finished: found by where INIT came from, its source
 * id and its ephemeral key, and dropped when they are too old or too many.
 *
 * Keys of tables are hashes that the caller makes; what has the same hash is told apart here.
 */
#pragma once

#include "sqx-endpoint-private.h"
#include "sqx-handshake.h"

typedef struct
{
  sqx_table_node node;      /* by address, source id and ephemeral key */
  sqx_table_node host;      /* by host */
  sqx_node       age;       /* oldest first */
  sqx_node       due;       /* in the list of those that have something to send */
  sqx_route      route;     /* of its local id */
  uint64_t       until;     /* when it is dropped */
  sqx_address    from;      /* where INIT came from, and where its packet goes */
  sqx_handshake  handshake; /* with the packet that answers INIT, or ends it all (refused) */
  sqx_trust      trust;     /* IK: what the program said of the peer */
  bool           resumes;   /* it is to get a session that exists another link */
  bool           refused;   /* nothing comes of it; whoever goes on is told so again */
  unsigned       asked;     /* packets that came after it was refused */

  /* IK: what the first DATA is tried with. */
  sqx_keys       keys;
  bool           has_keys;

  /* XX: DATA that came before CONFIRM, copied. */
  uint8_t       *early[SQX_EARLY_DATA];
  uint16_t       early_size[SQX_EARLY_DATA];
  unsigned       n_early;
} sqx_half_open;

typedef struct
{
  sqx_table table;
  sqx_table hosts;
  sqx_node  by_age;
  sqx_node  due;
  uint32_t  count;
} sqx_half_opens;

/* NULL: no memory. */
sqx_half_open *sqx_half_open_new  (void);
/* Wipes. It is in no table and not routed. NULL is allowed. */
void           sqx_half_open_free (sqx_half_open *half_open);
/* Keeps a copy of @data for when the keys are known. false: there are enough, it is too large, or
 * no memory. */
bool           sqx_half_open_keep (sqx_half_open *half_open, const uint8_t *data, size_t size);

/* Random secrets for the tables. false: no memory; clearing is a no-op then. */
bool sqx_half_opens_init  (sqx_half_opens *half_opens, uint64_t secret);
/* None is in it any more. */
void sqx_half_opens_clear (sqx_half_opens *half_opens);

/* Enters @half_open, the youngest from now on: its from and its handshake's peer_id and ephemeral
 * are set. It is dropped SQX_HALF_OPEN_LIFE from @now on, by whoever looks at the oldest. */
void sqx_half_opens_add    (sqx_half_opens *half_opens, uint64_t now, sqx_half_open *half_open,
                            uint64_t hash, uint64_t host_hash);
void sqx_half_opens_remove (sqx_half_opens *half_opens, sqx_half_open *half_open);
/* NULL: none. */
sqx_half_open *sqx_half_opens_find   (const sqx_half_opens *half_opens, uint64_t hash,
                                      const sqx_address *from, uint32_t source_id,
                                      const uint8_t ephemeral[SQX_KEY_SIZE]);
sqx_half_open *sqx_half_opens_oldest (const sqx_half_opens *half_opens);
/* How many there are from the host of @from; *@oldest is the oldest of them. */
uint32_t       sqx_half_opens_of_host (const sqx_half_opens *half_opens, uint64_t host_hash,
                                       const sqx_address *from, sqx_half_open **oldest);

/* Its packet is to be sent. */
void           sqx_half_opens_send (sqx_half_opens *half_opens, sqx_half_open *half_open);
/* Takes the next one whose packet is to be sent. NULL: none. */
sqx_half_open *sqx_half_opens_next (sqx_half_opens *half_opens);
