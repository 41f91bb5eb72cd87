/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An endpoint from within: its connections (sqx-attach.c), the way in and out (sqx-endpoint.c),
 * peers who come (sqx-admission.h).
 */
#pragma once

#include "sqx-endpoint-private.h"

/* Words that the hash of an address and something else has at most. */
#define SQX_HASH_WORDS 16u

typedef struct sqx_admission sqx_admission;

struct sqx_endpoint
{
  sqx_endpoint_config config;
  char      application_id[SQX_APPLICATION_ID_MAX + 1];
  uint8_t   public_key[SQX_KEY_SIZE];
  uint8_t   psk[SQX_KEY_SIZE];
  bool      has_psk;
  uint64_t  hash_secrets[SQX_HASH_WORDS + 1];

  sqx_node  all;           /* sqx_attachment.all */
  sqx_node  touched;       /* sqx_attachment.touched, to be polled by the program */
  sqx_node  sending;       /* sqx_attachment.sending, in turn */
  sqx_node  unsettled;     /* sqx_attachment.unsettled */
  unsigned  turn;          /* datagrams that the first of them may still send in this turn */
  sqx_node  stale;         /* sqx_attachment.stale */
  sqx_heap  deadlines;     /* sqx_attachment.deadline */
  sqx_table routes;        /* local id -> sqx_route */
  sqx_table peers;         /* sqx_attachment.peer */
  sqx_table where;         /* sqx_attachment.where */
  sqx_table targets;       /* sqx_attachment.target */

  sqx_admission *admission; /* NULL: PLAIN connections only */

  const sqx_conn *warm;    /* the connection used last: it is in the caches */
  uint32_t  n_connections;
  uint32_t  n_counted;     /* those that peers opened */
  uint32_t  n_questions;   /* that the program has not answered */
  sqx_endpoint_counters counters;
};

/* sqx-attach.c */

/* A keyed hash of @address and @n_words more, for the tables: who does not know the key cannot make
 * collisions. */
uint64_t sqx_endpoint_hash (const sqx_endpoint *endpoint, const sqx_address *address,
                            const uint32_t *words, size_t n_words);
/* The next connection whose last datagram went to @address, after @after (NULL: the first). */
sqx_conn *sqx_endpoint_find_address (const sqx_endpoint *endpoint, const sqx_address *address,
                                     sqx_conn *after);
/* The next connection whose peer proved @key, after @after (NULL: the first). */
sqx_conn *sqx_endpoint_find_peer    (const sqx_endpoint *endpoint, const uint8_t key[SQX_KEY_SIZE],
                                     sqx_conn *after);
/* The next one that has no link that the peer has proven, and whose last datagram went to
   @address. */
sqx_conn *sqx_endpoint_find_unsettled (const sqx_endpoint *endpoint, const sqx_address *address,
                                       sqx_conn *after);
/* @conn has just sent @data to @to: it is found by that. */
void      sqx_endpoint_note_sent    (sqx_conn *conn, const sqx_address *to, const uint8_t *data,
                                     size_t size);
