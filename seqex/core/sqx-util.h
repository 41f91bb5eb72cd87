/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sqx-limits.h"

#define SQX_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SQX_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Asks for memory that is about to be used and, being one of many of its kind, is in no cache. */
static inline void
sqx_prefetch (const void *block, size_t size)
{
#ifdef __GNUC__
  for (size_t at = 0; at < size; at += 64)
    __builtin_prefetch ((const char *) block + at);
#else
  (void) block;
  (void) size;
#endif
}

/* The struct that embeds @node as @member. */
#define SQX_CONTAINER(node, type, member) \
  ((type *) (void *) ((char *) (node) - offsetof (type, member)))

static inline uint32_t
sqx_get_be32 (const uint8_t *p)
{
  return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static inline void
sqx_put_be32 (uint8_t *p, uint32_t value)
{
  p[0] = (uint8_t) (value >> 24);
  p[1] = (uint8_t) (value >> 16);
  p[2] = (uint8_t) (value >> 8);
  p[3] = (uint8_t) value;
}

/* @time + @span, where SQX_TIME_NEVER stays never. */
static inline uint64_t
sqx_time_add (uint64_t time, uint64_t span)
{
  return span > UINT64_MAX - time ? UINT64_MAX : time + span;
}

/* What many connections do at no very particular time they do in the same instants, so that one wake
 * serves them: within @span, but up to a millisecond before its end; or up to 65 ms later. */
static inline uint64_t
sqx_time_by (uint64_t now, uint64_t span)
{
  uint64_t at = sqx_time_add (now, span);

  return SQX_MAX (now, at - at % SQX_MILLISECOND);
}

static inline uint64_t
sqx_time_later (uint64_t time)
{
  return time | 0xffff;
}

/* An intrusive, circular, doubly linked list. A node that is in no list points at itself. */
typedef struct sqx_node sqx_node;
struct sqx_node
{
  sqx_node *next;
  sqx_node *prev;
};

static inline void
sqx_node_init (sqx_node *node)
{
  node->next = node->prev = node;
}

static inline bool
sqx_node_linked (const sqx_node *node)
{
  return node->next != node;
}

static inline void
sqx_node_insert_before (sqx_node *position, sqx_node *node)
{
  assert (!sqx_node_linked (node));
  node->next = position;
  node->prev = position->prev;
  position->prev->next = node;
  position->prev = node;
}

static inline void
sqx_node_unlink (sqx_node *node)
{
  node->prev->next = node->next;
  node->next->prev = node->prev;
  sqx_node_init (node);
}

/* The list head is a node too. */
static inline bool
sqx_list_empty (const sqx_node *list)
{
  return !sqx_node_linked (list);
}

static inline void
sqx_list_append (sqx_node *list, sqx_node *node)
{
  sqx_node_insert_before (list, node);
}

static inline sqx_node *
sqx_list_first (const sqx_node *list)
{
  return sqx_list_empty (list) ? NULL : list->next;
}
