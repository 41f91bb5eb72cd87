/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two connections of the core, a virtual clock and a network in memory between them.
 *
 * Nothing happens by itself: packets move and timers expire when a test drives the pair, and
 * every packet can be looked at, dropped, held, reordered, duplicated or delayed. Each side keeps
 * a log of what its program was told. The harness has oracles of its own, which hold in every
 * test: a tag is told its outcome once, what a side sends decodes, an expired timer makes
 * progress, no event follows CLOSED, and payloads are unreferenced as often as referenced.
 *
 * In place of side B a test can play a peer by hand: see fake_*().
 */
#pragma once

#include <glib.h>

#include "sqx-hello.h"
#include "sqx-ranges.h"
#include "sqx-wire.h"
#include "sqx.h"

#define PAIR_A 0u
#define PAIR_B 1u

#define PAIR_EPOCH_A 0xa0000001u
#define PAIR_EPOCH_B 0xb0000001u

/* Frame types as bits of a mask; MESSAGE and DATAGRAM without their flags. */
#define PAIR_BIT(type) (UINT64_C (1) << (type))

typedef struct Pair Pair;

/* A received message, initial or reply, as the program got it. */
typedef struct
{
  uint64_t       time;
  sqx_message_id id;
  uint32_t       flags;
  GBytes        *payload;
} PairMessage;

typedef enum
{
  PAIR_PENDING,
  PAIR_REPLIED,
  PAIR_ENDED,
  PAIR_FAILED,
  PAIR_CANCELLED, /* by pair_cancel(): no event may come any more */
  PAIR_GONE,      /* its side was restarted or freed */
} PairState;

/* What became of one sent message; its tag is its index in PairSide.waits plus one. */
typedef struct
{
  PairState      state;
  uint64_t       time;    /* of the outcome */
  sqx_end_reason reason;
  sqx_result     error;
  PairMessage   *reply;   /* owned by PairSide.replies */
  sqx_outgoing  *handle;
  GBytes        *payload;
  int            refs;    /* references to the payload that the core holds now */
} PairWait;

/* Events that belong to no tag. */
typedef struct
{
  uint64_t  time;
  sqx_event event; /* message.data is not valid */
  GBytes   *payload; /* DATAGRAM */
} PairEvent;

typedef void (*PairHandler) (Pair *pair, guint side, const PairMessage *message);

typedef struct
{
  Pair       *pair;
  guint       index;
  sqx_config  config;
  sqx_conn   *conn;     /* NULL: played by the test */
  uint64_t    random;   /* state of the deterministic random source */

  GPtrArray  *waits;    /* owned PairWait */
  GPtrArray  *taken;    /* owned PairMessage: initial messages, in the order of taking */
  GPtrArray  *replies;  /* owned PairMessage, in the order of their events */
  GArray     *events;   /* PairEvent */
  gboolean    closed;   /* CLOSED was polled */
  PairEvent   closing;  /* valid when closed */

  GPtrArray  *streams;  /* sqx_stream that the peer opened, the test's; NULL: released at once */
  gboolean    hold_events; /* do not poll events */
  gboolean    hold_taking; /* do not take messages when told that there are some */
  PairHandler handler;     /* called for each message that is taken */
  gpointer    data;        /* the test's own */
} PairSide;

typedef struct
{
  uint64_t at;   /* when it arrives */
  guint    from;
  guint    nth;  /* how many packets this side had sent before */
  uint64_t mask; /* of the types of its frames */
  uint64_t id;   /* keeps packets with the same time in order */
  uint8_t *data;
  size_t   size;
} PairPacket;

/* Called for each packet that is sent. TRUE: it takes part in the network as usual; FALSE: it
 * is gone. It may change the time of arrival. */
typedef gboolean (*PairFilter) (Pair *pair, PairPacket *packet, gpointer data);

/* A packet that the played peer received. */
typedef struct
{
  uint64_t         time;
  sqx_plain_header header;
  uint8_t         *data;
  size_t           size;
  GArray          *frames; /* sqx_frame, pointing into data */
} FakePacket;

typedef struct
{
  uint32_t   epoch;
  uint32_t   peer_epoch;  /* the destination written; 0 for none */
  uint64_t   next_number;
  gboolean   auto_ack;    /* acknowledge at once whatever asks for it */
  gboolean   say_hello;   /* every packet begins with HELLO */
  sqx_hello  hello;
  sqx_ranges received;    /* packet numbers */
  uint64_t   credit_bytes, credit_exchanges; /* newest that A gave, cumulative */
  GPtrArray *seen;        /* owned FakePacket, since fake_forget() */
  uint8_t    buffer[SQX_DATAGRAM_MAX];
  sqx_writer writer;
} Fake;

struct Pair
{
  PairSide   side[2];
  Fake       fake;
  uint64_t   now;
  uint64_t   latency[2];  /* by sender */
  guint      duplicate[2]; /* extra copies of everything */
  gboolean   block[2];    /* drop everything */
  gboolean   hold[2];     /* keep everything in `held` */
  uint64_t   drop_mask[2]; /* drop packets with one of these frames */
  guint      drop_next[2]; /* drop this many */
  PairFilter filter;
  gpointer   filter_data;
  gboolean   record;      /* keep a copy of every packet sent in `recorded` */

  GPtrArray *wire;        /* owned PairPacket, sorted by arrival */
  GPtrArray *held;        /* owned PairPacket, in the order of sending */
  GPtrArray *recorded;    /* owned PairPacket */
  guint      sent[2];     /* packets */
  guint      frames[2][64]; /* frames sent, by type */
  uint64_t   next_id;
};

/* Setting up -------------------------------------------------------------------------- */

/* Defaults, with the pair's epochs, random source and payload callbacks. */
void  pair_config   (sqx_config *config, guint side);
/* NULL stands for pair_config(). Each way takes 10 ms. */
Pair *pair_new      (const sqx_config *a, const sqx_config *b);
/* A as configured, B played by the test; packets take no time. */
Pair *pair_new_fake (const sqx_config *a);
void  pair_free     (Pair *pair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Pair, pair_free)
/* Sends one message each way and drives until all is acknowledged. */
void  pair_connect  (Pair *pair);
/* Replaces the connection of @side by a fresh one with another epoch; its waits are GONE. */
void  pair_restart  (Pair *pair, guint side);

/* Driving ----------------------------------------------------------------------------- */

/* All that can happen at this instant. */
void     pair_flush     (Pair *pair);
/* Goes to the next instant at which something happens; FALSE: nothing ever will. */
gboolean pair_step      (Pair *pair);
/* Until no packet is on its way and no timer expires within the next five seconds. */
void     pair_drive     (Pair *pair);
/* For @span of virtual time. */
void     pair_drive_for (Pair *pair, uint64_t span);
/* The time of whatever happens next. */
uint64_t pair_next      (const Pair *pair);

/* Steps until @condition holds; fails after @span of virtual time. */
#define pair_drive_until(pair, span, condition)                     \
  G_STMT_START                                                      \
  {                                                                 \
    uint64_t pair_limit_ = (pair)->now + (span);                    \
    pair_flush (pair);                                              \
    while (!(condition))                                            \
      {                                                             \
        g_assert_true (pair_step (pair));                           \
        g_assert_cmpuint ((pair)->now, <=, pair_limit_);            \
      }                                                             \
  }                                                                 \
  G_STMT_END

/* The network ------------------------------------------------------------------------- */

/* Puts the held packets of @from onto the wire, as if sent now; in reverse if @reversed. */
void     pair_release  (Pair *pair, guint from, gboolean reversed);
/* Only the @nth of the held ones (0 the oldest). */
void     pair_release_nth (Pair *pair, guint from, guint nth);
guint    pair_n_held   (const Pair *pair, guint from);
/* Delivers @size bytes to @to at once. */
void     pair_inject   (Pair *pair, guint to, const uint8_t *data, size_t size);
/* Decodes a whole packet; @frames receives sqx_frame that point into @data. */
gboolean pair_decode   (const uint8_t *data, size_t size, sqx_plain_header *header,
                        GArray *frames);

/* The programs ------------------------------------------------------------------------ */

/* On channel 0; returns the tag. */
guint              pair_send      (Pair *pair, guint side, const char *text, uint32_t flags);
guint              pair_send_on   (Pair *pair, guint side, uint32_t channel, const char *text,
                                   uint32_t flags);
/* @size bytes of a pattern that depends on the tag. */
guint              pair_send_size (Pair *pair, guint side, uint32_t channel, size_t size,
                                   uint32_t flags);
/* Takes @payload over. *@tag is 0 on an error. */
sqx_result         pair_try_send  (Pair *pair, guint side, uint32_t channel, GBytes *payload,
                                   uint32_t flags, guint *tag);
guint              pair_reply     (Pair *pair, guint side, const PairMessage *to,
                                   const char *text, uint32_t flags);
guint              pair_reply_size (Pair *pair, guint side, const PairMessage *to, size_t size,
                                    uint32_t flags);
sqx_result         pair_try_reply (Pair *pair, guint side, const sqx_message_id *to,
                                   GBytes *payload, uint32_t flags, guint *tag);
void               pair_end       (Pair *pair, guint side, const PairMessage *message,
                                   sqx_end_reason reason);
void               pair_cancel    (Pair *pair, guint side, guint tag);
/* The next waiting message; NULL if none. Calls no handler. */
const PairMessage *pair_take      (Pair *pair, guint side, uint32_t channel);
guint              pair_take_all  (Pair *pair, guint side, uint32_t channel);

/* Handlers: reply with the same bytes, final; reply and await an answer; end; do nothing. */
void pair_echo      (Pair *pair, guint side, const PairMessage *message);
void pair_echo_on   (Pair *pair, guint side, const PairMessage *message);
void pair_end_it    (Pair *pair, guint side, const PairMessage *message);

/* What happened ----------------------------------------------------------------------- */

const PairWait    *pair_wait     (Pair *pair, guint side, guint tag);
gboolean           pair_is_done  (Pair *pair, guint side, guint tag);
/* Whether no tag of @side is pending. */
gboolean           pair_all_done (Pair *pair, guint side);
const PairMessage *pair_taken    (Pair *pair, guint side, guint nth);
guint              pair_n_taken  (Pair *pair, guint side);
guint              pair_n_events (Pair *pair, guint side, sqx_event_type type);
const PairEvent   *pair_event    (Pair *pair, guint side, sqx_event_type type, guint nth);
const char        *pair_text     (const PairMessage *message);
const sqx_counters *pair_counters (Pair *pair, guint side);
sqx_statistics     pair_statistics (Pair *pair, guint side);

void pair_assert_pending (Pair *pair, guint side, guint tag);
void pair_assert_replied (Pair *pair, guint side, guint tag, const char *text);
void pair_assert_ended   (Pair *pair, guint side, guint tag, sqx_end_reason reason);
void pair_assert_failed  (Pair *pair, guint side, guint tag, sqx_result error);
/* Every pending-no-more tag of @side failed with @error. */
void pair_assert_all_failed (Pair *pair, guint side, sqx_result error);
/* The texts of all messages taken so far, separated by spaces. */
void pair_assert_taken   (Pair *pair, guint side, const char *texts);
/* Nobody waits, nothing is open, in flight, held or referenced on either side. */
void pair_assert_quiet   (Pair *pair);
/* CLOSED came with this error; every tag is decided. */
void pair_assert_closed  (Pair *pair, guint side, sqx_result error);

/* The peer played by the test --------------------------------------------------------- */

/* Says HELLO, learns A's, acknowledges, and forgets what was seen; from then on packets that ask
 * for it are acknowledged at once (auto_ack). */
void     fake_connect (Pair *pair);
/* Starts a packet; frames follow through fake->writer. */
void     fake_begin   (Pair *pair);
void     fake_begin_as (Pair *pair, uint32_t source, uint32_t destination, uint32_t number);
void     fake_hello   (Pair *pair);
void     fake_message (Pair *pair, uint32_t channel, uint64_t number, uint8_t flags,
                       uint64_t reply_to, const char *text);
/* @size zero bytes at @offset of a message of @total. */
void     fake_fragment (Pair *pair, uint32_t channel, uint64_t number, uint8_t flags,
                        uint64_t reply_to, uint64_t total, uint64_t offset, uint64_t size);
void     fake_end     (Pair *pair, uint32_t channel, uint8_t reason, uint64_t first,
                       uint64_t run);
void     fake_cancel  (Pair *pair, uint32_t channel, uint64_t number, uint64_t total);
/* Of everything received so far. */
void     fake_ack     (Pair *pair);
void     fake_ack_range (Pair *pair, uint64_t low, uint64_t high);
void     fake_raw     (Pair *pair, const void *data, size_t size);
void     fake_varint  (Pair *pair, uint64_t value);
/* Delivers the packet and drives A at this instant; returns the packet's number. */
uint64_t fake_send    (Pair *pair);
/* The same, and the connection must now be closed by PROTOCOL_VIOLATION. */
void     fake_send_violation (Pair *pair);
/* Drops the log of what was seen. */
void     fake_forget  (Pair *pair);
/* Frames of @type that A sent since. */
guint    fake_count   (Pair *pair, uint32_t type);
const sqx_frame *fake_nth (Pair *pair, uint32_t type, guint nth);
const sqx_frame *fake_last (Pair *pair, uint32_t type);
/* Whether A ended @number on @channel since, and the reason (or -1). */
int      fake_end_reason (Pair *pair, uint32_t channel, uint64_t number);
/* Whether the newest ACK since covers @number. */
gboolean fake_acknowledged (Pair *pair, uint64_t number);
/* For pair.c: a packet that A sent arrives at the played peer. */
void     fake_receive (Pair *pair, const uint8_t *data, size_t size);
void     fake_init    (Pair *pair);
void     fake_clear   (Pair *pair);
