/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two sides, each a connection with its program and with the packets that it sent, under a virtual
 * clock; and what must hold of them at any time.
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "forge.h"
#include "session-check.h"
#include "sqx-conn-private.h"

/* abort() is what fuzzers and sanitizers notice, NDEBUG or not. */
#define REQUIRE(condition) do { if (!(condition)) abort (); } while (0)

#define DATAGRAM_MAX 1500
#define PACKETS 48
#define HISTORY 16
#define SENDS 256
#define TAKEN 64
#define SEEN 4096
/* More former incarnations than a connection remembers may come back. */
#define RESTARTS 6
#define MESSAGE_MAX (SQX_MESSAGE_MAX_MIN + 16000)
/* So large that a fragment can be too far ahead of what arrived. */
#define MESSAGE_HUGE (2 * SQX_FRAGMENT_SLACK)

typedef struct
{
  uint8_t data[DATAGRAM_MAX];
  size_t  size;
} packet;

/* What the program of one side knows of a message that it sent. */
typedef struct
{
  sqx_outgoing *handle;  /* NULL: told, or given up */
  bool          used;
} sent;

typedef struct
{
  sqx_conn      *conn;
  packet         packets[PACKETS]; /* on their way to the other side */
  unsigned       n_packets;
  packet         history[HISTORY]; /* sent before */
  unsigned       n_history;
  sent           sends[SENDS];
  sqx_message_id taken[TAKEN];
  unsigned       n_taken;
  sqx_message_id seen[SEEN];       /* every message that was delivered */
  unsigned       n_seen;
  bool           announced[FORGE_CHANNELS]; /* MESSAGE came since the queue was last empty */
  bool           full;             /* QUEUE_FULL was returned, WRITABLE did not come since */
  bool           closed;           /* EVENT_CLOSED came */
  bool           deaf;             /* the program does not fetch events */
  sqx_state      state;            /* as last looked at */
  size_t         max_datagram_size;
  sqx_stream    *stream;           /* that the program keeps, NULL: none … */
  uint64_t       stream_written;   /* … and how much of the pattern went in … */
  uint64_t       stream_read;      /* … and came out */
  unsigned       restarts;
  uint32_t       stranger;         /* epoch of a peer that is not the other side */
  uint32_t       stranger_number;
} side;

typedef struct
{
  fuzz_input input;
  side       sides[2];
  uint64_t   now;
  uint32_t   random;
  unsigned   refs;   /* payloads that the core holds */
  bool       forged; /* not everything came from an honest side */
} world;

/* Memory: @until allocations succeed, then @fail fail. */
void world_fail_allocations (unsigned until, unsigned fail);
void world_random           (void *user_data, uint8_t *bytes, size_t size);
void side_start             (world *w, side *s);
/* Another process at the same address. What the old one sent is still on its way, and so is what
 * the other side sent to it, or to anybody. */
void side_restart           (world *w, side *s);

/* The network. */
void side_transmit (world *w, side *s);
void side_give     (world *w, side *to, const uint8_t *data, size_t size);
void side_deliver  (world *w, side *from, side *to, unsigned i);

/* The program: each takes from the input what it needs. */
void side_submit        (world *w, side *s);
bool side_receive       (world *w, side *s, uint32_t channel);
void side_answer        (world *w, side *s, bool reply);
void side_cancel        (world *w, side *s);
void side_set           (world *w, side *s);
void side_send_datagram (world *w, side *s);
/* Opens a stream, or does something with the one that there is. */
void side_use_stream    (world *w, side *s);
void side_drop_stream   (world *w, side *s);
/* Takes and ends whatever there is. */
void side_end_everything (world *w, side *s);
bool side_all_told      (const side *s);

/* Goes to the next deadline and passes it. */
void side_expire  (world *w, side *s);
/* Everything that is due goes out, what happened is told, and everything is checked. */
void world_settle (world *w);
