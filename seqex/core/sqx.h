/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The protocol core of Seqex: sans-I/O, C11 and libc only.
 *
 * The only core header that a layer above includes. A connection never reads a clock, a socket
 * or a random source: time comes in as an argument (microseconds of any monotonic clock,
 * SQX_TIME_NEVER for none), randomness through a callback, datagrams through a call. The verbs
 * come in four families, and one wake of whoever drives a connection uses them in this order:
 *
 *   handle_*   sqx_conn_handle_datagram() for each datagram read, then, if the clock has passed
 *              sqx_conn_next_timeout(), sqx_conn_handle_timeout().
 *   commands   sqx_conn_send(), _reply(), _end(), _cancel(), _receive(), _close() … at any time
 *              between other calls. They change state only; what they cause comes out of poll_*.
 *   poll_*     sqx_conn_poll_transmit() until it returns 0, then sqx_conn_poll_event() until it
 *              returns false. Both are due after any handle_* or command.
 *   getters    const, at any time.
 *
 * `now` never goes backwards between calls on one connection. No call re-enters the program but
 * the callbacks of struct sqx_config, which must not call back into the core. A connection
 * belongs to one thread at a time; different connections share nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqx-limits.h"

#define SQX_TIME_NEVER UINT64_MAX

typedef struct sqx_conn sqx_conn;
typedef struct sqx_cc_ops sqx_cc_ops;

/* An outgoing message. The handle is valid from sqx_conn_send() or _reply() until the event that
 * ends it was returned by sqx_conn_poll_event(), or until sqx_conn_cancel(). */
typedef struct sqx_outgoing sqx_outgoing;
/* A stream. The program has it from sqx_conn_open_stream(), or the first EVENT_STREAM with it, until
 * sqx_stream_release(); also when its connection was freed. */
typedef struct sqx_stream sqx_stream;

/* Results. 0 is success; each function names the ones that it returns. */
typedef enum
{
  SQX_OK                       = 0,
  SQX_ERR_NO_MEMORY            = -1,  /* an allocation failed; nothing changed */
  SQX_ERR_INVALID              = -2,  /* an argument is out of its range */
  SQX_ERR_CLOSED               = -3,  /* the connection is closing or closed by this side */
  SQX_ERR_TOO_LARGE            = -4,  /* the payload is larger than the limit */
  SQX_ERR_QUEUE_FULL           = -5,  /* queue_limit is reached; try again when writable */
  SQX_ERR_ALREADY_ANSWERED     = -6,  /* the message was answered, ended or needs no answer */
  SQX_ERR_SESSION_LOST         = -7,  /* the peer restarted */
  SQX_ERR_TIMED_OUT            = -8,  /* the peer was silent for the idle time-out */
  SQX_ERR_UNREACHABLE          = -9,  /* the network says that nobody is there */
  SQX_ERR_PROTOCOL             = -10, /* the peer broke the protocol */
  SQX_ERR_APPLICATION_MISMATCH = -11, /* the peer runs another application */
  SQX_ERR_PEER_CLOSED          = -12, /* the peer closed the connection */
  SQX_ERR_REFUSED              = -13, /* the peer does not want this side, or has no room */
  SQX_ERR_UNTRUSTED            = -14, /* the peer is not who was expected, or is not trusted */
  SQX_ERR_VERSION              = -15, /* no version of the protocol, or no cipher, in common */
} sqx_result;

/* Why an exchange ended: the reason byte of END. */
typedef enum
{
  SQX_END_ENDED     = 0,
  SQX_END_UNHANDLED = 1,
  SQX_END_FAILED    = 2,
  SQX_END_CANCELLED = 3,
  SQX_END_CLOSING   = 4,
} sqx_end_reason;
#define SQX_N_END_REASONS 5

/* Why a connection was closed: the code of CLOSE. */
typedef enum
{
  SQX_CLOSE_NO_ERROR             = 0,
  SQX_CLOSE_PROTOCOL_VIOLATION   = 1,
  SQX_CLOSE_INTERNAL_ERROR       = 2,
  SQX_CLOSE_APPLICATION_MISMATCH = 3,
  SQX_CLOSE_NOT_TRUSTED          = 4,
  SQX_CLOSE_BUSY                 = 5, /* no room for another connection */
  SQX_CLOSE_NO_CIPHER            = 6, /* none in common */
  SQX_CLOSE_FIRST_APPLICATION    = 64, /* this and higher codes belong to programs */
} sqx_close_code;

/* States, in the only order in which they follow each other (any may be skipped), but for
 * RECONNECTING, after which CONNECTED comes again. */
typedef enum
{
  SQX_STATE_CONNECTING, /* the peer's HELLO is not known yet; sending is possible */
  SQX_STATE_CONNECTED,
  SQX_STATE_RECONNECTING, /* the link is lost, the session is not; back to CONNECTED or onwards */
  SQX_STATE_FINISHING,  /* sqx_conn_close(): what has begun is being finished */
  SQX_STATE_CLOSING,    /* CLOSE was sent, later packets are answered by it (RFC 9000 10.2.1) */
  SQX_STATE_DRAINING,   /* the peer's CLOSE came: nothing more is sent (RFC 9000 10.2.2) */
  SQX_STATE_CLOSED,
} sqx_state;

/* Every reason for which something was dropped without a word to the program. */
#define SQX_COUNTERS(X)                                                                      \
  X (foreign)             /* not a PLAIN datagram of this instance */                        \
  X (truncated)           /* shorter than its header */                                      \
  X (oversized)           /* longer than max_datagram_size */                                \
  X (wrong_epoch)         /* for another incarnation of this side */                         \
  X (former_epoch)        /* from a former incarnation of the peer */                        \
  X (unknown_epoch)       /* from an unknown incarnation that does not know this one */      \
  X (no_hello)            /* first packet of an incarnation without HELLO */                 \
  X (forged)              /* does not authenticate */                                        \
  X (duplicate_packet)    /* number seen before */                                           \
  X (old_packet)          /* number below the tracked ranges */                              \
  X (after_close)         /* arrived when closed */                                          \
  X (violation)           /* packets that closed the connection with PROTOCOL_VIOLATION */   \
  X (duplicate_message)   /* message bytes that had arrived already */                       \
  X (early_fragment)      /* fragment too far ahead of what arrived; packet not acked */     \
  X (fragment_ranges)     /* fragment past SQX_FRAGMENT_RANGES; packet not acked */          \
  X (no_memory)           /* allocation failed; packet not acked */                          \
  X (stray_reply)         /* reply to a message never sent or answered already */            \
  X (stray_end)           /* END for a message answered already */                           \
  X (stray_cancel)        /* CANCEL for a message answered already */                        \
  X (datagram_queue_full) /* received datagram that the program did not fetch in time */     \
  X (datagram_too_large)  /* own datagram that waited, and neither peer nor transport take */   \
  X (hint_limited)        /* wrong epoch not answered: rate limit */

typedef struct
{
#define SQX_COUNTER_FIELD(name) uint64_t name;
  SQX_COUNTERS (SQX_COUNTER_FIELD)
#undef SQX_COUNTER_FIELD
} sqx_counters;

typedef struct
{
  uint64_t packets_sent, packets_received;  /* datagrams; received counts only accepted ones */
  uint64_t bytes_sent, bytes_received;      /* payload of those datagrams */
  uint64_t packets_lost;                    /* declared lost, spurious ones included */
  uint64_t spurious_losses;                 /* declared lost, acknowledged later */
  uint64_t probe_timeouts;                  /* PTO expiries */
  uint64_t bytes_resent;                    /* message bytes sent more than once */
  uint64_t messages_sent, messages_received; /* begun; delivered by the core */
  uint64_t exchanges_started, exchanges_accepted; /* initial messages begun; first seen */
  uint64_t replies_delivered;               /* replies matched to their message */
  uint64_t datagrams_sent, datagrams_received;    /* unconfirmed ones */
  uint64_t acks_only;                       /* packets sent that carried nothing but ACK */
  uint64_t congestion_window;               /* bytes */
  uint64_t bytes_in_flight;
  uint64_t smoothed_rtt, min_rtt, rtt_variance; /* 0 before the first sample */
  uint64_t byte_window;                     /* current receive window */
} sqx_statistics;

/* A received message, named for as long as the program may answer it. */
typedef struct
{
  uint32_t incarnation; /* which session of the connection: a peer's restart raises it */
  uint32_t channel;
  uint64_t number;
} sqx_message_id;

enum
{
  SQX_MESSAGE_ORDERED = 1 << 0,
  SQX_MESSAGE_FINAL   = 1 << 1, /* no answer is awaited */
  SQX_MESSAGE_REPLY   = 1 << 2, /* received messages only */
};

typedef struct
{
  sqx_message_id id;
  uint32_t       flags;
  uint8_t       *data; /* malloc()ed, the receiver's to free(); NULL when size is 0 */
  size_t         size;
} sqx_message;

/* Bytes on their way out. The core calls config.payload_ref(owner) when it accepts them and
 * config.payload_unref(owner) when it needs them no more. data must stay valid in between. */
typedef struct
{
  const uint8_t *data;
  size_t         size;
  void          *owner; /* may be NULL: then no callback, and data outlives the connection */
} sqx_payload;

typedef enum
{
  SQX_EVENT_CONNECTED, /* the peer's HELLO is known; again after RESTARTED and
                        * with every link that follows the first */
  SQX_EVENT_MESSAGE,   /* sqx_conn_receive() of `channel` has something (again) */
  SQX_EVENT_REPLY,     /* `tag` was answered by `message`, which belongs to the program now */
  SQX_EVENT_END,       /* `tag` was answered by an end, with `reason` */
  SQX_EVENT_FAILED,    /* `tag` will not be answered: `error` */
  SQX_EVENT_CANCELLED, /* the peer cancelled message `id`, which the program had taken */
  SQX_EVENT_DATAGRAM,  /* unconfirmed datagram: message.data and .size */
  SQX_EVENT_WRITABLE,  /* the queue fell below half of queue_limit after a QUEUE_FULL */
  SQX_EVENT_RESTARTED, /* the peer restarted; every wait was told SESSION_LOST before this */
  SQX_EVENT_AUTHORIZE, /* sqx_conn_authorize() must say whether the peer's key is trusted */
  SQX_EVENT_RECONNECTING, /* about to dial again: sqx_conn_set_address() may say where */
  SQX_EVENT_MOVED,     /* the peer proved a new address */
  SQX_EVENT_STREAM,    /* look at `stream` again; NULL: sqx_conn_open_stream() may succeed now */
  SQX_EVENT_CLOSED,    /* last one: `error`, `code`, `reason_text`; waits were told before this */
} sqx_event_type;

typedef struct
{
  sqx_event_type type;
  void          *tag;     /* REPLY, END, FAILED: as given to send or reply */
  uint32_t       channel; /* MESSAGE */
  sqx_stream    *stream;  /* STREAM */
  bool           opened;  /* STREAM: by the peer, and the program hears of it for the first time */
  sqx_message    message; /* REPLY, DATAGRAM */
  sqx_message_id id;      /* CANCELLED */
  sqx_end_reason reason;  /* END */
  sqx_result     error;   /* FAILED; CLOSED: SQX_OK after an orderly close by this side */
  uint64_t       code;    /* CLOSED: of CLOSE, whoever sent it */
  bool           by_peer; /* CLOSED */
  char           reason_text[SQX_CLOSE_REASON_MAX + 1]; /* CLOSED: UTF-8, maybe empty */
} sqx_event;

/* sqx_config_init() fills in the defaults. All times are microseconds. */
typedef struct
{
  /* PLAIN: both sides use the same instance; epoch 0 is replaced by a random one */
  uint32_t instance;
  uint32_t epoch;
  /* Of an encrypted link too, and there best left at 0: a peer that gets none of the packets below
   * 2^32 cannot read those above. */
  uint32_t first_packet_number;

  uint32_t max_datagram_size; /* largest datagram sent, SQX_DATAGRAM_MIN … _MAX, if the path
                               * carries it: the first ones are SQX_DATAGRAM_DEFAULT at most; also
                               * the largest accepted, but SQX_DATAGRAM_DEFAULT always is */
  uint64_t max_message_size;  /* accepted from the peer, SQX_MESSAGE_MAX_MIN … _MAX */
  uint64_t byte_window;       /* at least 2 * (max_message_size + overhead); 0: that, or
                               * SQX_WINDOW_DEFAULT if more */
  uint64_t byte_window_max;   /* up to which the window grows; 0: byte_window, or
                               * SQX_WINDOW_MAX_DEFAULT if more */
  uint64_t exchange_credit;   /* 1 … SQX_EXCHANGES_MAX */
  uint32_t max_channels;      /* SQX_CHANNELS_MIN … _MAX */
  uint32_t max_streams;       /* that the peer may have open; 0 … SQX_STREAMS_MAX */
  uint64_t stream_window;     /* bytes of a stream that the program has not read, overhead
                               * included; of all together at most SQX_STREAM_SHARES times that */
  uint64_t queue_limit;       /* bytes (overhead included) submitted and not begun */

  uint64_t ack_delay;           /* 0 … SQX_ACK_DELAY_MAX */
  uint64_t idle_timeout;        /* SQX_IDLE_MIN …; SQX_TIME_NEVER: none. The smaller side's holds */
  uint64_t keepalive_interval;  /* SQX_TIME_NEVER: no pings */
  bool     keepalive_always;    /* ping and watch the peer also without open exchanges */
  uint64_t close_timeout;
  uint64_t unreachable_timeout; /* from the first notice without a packet in between */
  bool     accepts_messages;    /* false: initial messages are ended as unhandled */

  const char *application_id; /* UTF-8, copied; NULL is the same as "" */

  const sqx_cc_ops *controller; /* NULL: BBR */
  uint64_t max_send_rate;       /* bytes a second in ack-eliciting packets; 0: no cap */

  void (*random) (void *user_data, uint8_t *bytes, size_t size); /* required */
  void (*payload_ref) (void *owner);   /* NULL: none */
  void (*payload_unref) (void *owner);
  /* Memory for a received message: malloc()ed, with anything in it. NULL: malloc(). */
  uint8_t *(*body_new) (size_t size);
  /* No message was open for SQX_REST_DELAY: what is kept for the next ones may go. NULL: none. */
  void (*body_rest) (void);
  void *user_data;
} sqx_config;

void sqx_config_init (sqx_config *config);

/* Whether a datagram is PLAIN, and then of which instance: for whoever shares a socket. */
bool sqx_peek_instance (const uint8_t *data, size_t size, uint32_t *instance);

/* NULL when a value of @config is out of its range or memory is short. Copies @config. */
sqx_conn *sqx_conn_new  (const sqx_config *config, uint64_t now);
/* Frees at once: nothing is sent, no event comes; every payload is unreferenced. NULL is
 * allowed. */
void      sqx_conn_free (sqx_conn *conn);

/* handle_* ---------------------------------------------------------------------------- */

/* @data may be anything; what is dropped is counted. */
void sqx_conn_handle_datagram    (sqx_conn *conn, uint64_t now, const uint8_t *data, size_t size);
/* Does nothing when no deadline has passed, so a late or an early call is harmless. */
void sqx_conn_handle_timeout     (sqx_conn *conn, uint64_t now);
/* The network said that nobody listens (ICMP port unreachable). A hint: the connection fails
 * only after config.unreachable_timeout without a packet from the peer. */
void sqx_conn_handle_unreachable (sqx_conn *conn, uint64_t now);
/* The transport refused a datagram of @size as too large for the path: it, and all that were as
 * large, go again in smaller ones. */
void sqx_conn_handle_too_large   (sqx_conn *conn, uint64_t now, size_t size);

/* poll_* ------------------------------------------------------------------------------ */

/* Writes one datagram of at most min (@capacity, max_datagram_size) bytes and returns its size;
 * 0 when there is nothing (more) to send now. @capacity is at least SQX_DATAGRAM_MIN. */
size_t   sqx_conn_poll_transmit (sqx_conn *conn, uint64_t now, uint8_t *buffer, size_t capacity);
/* Moves the oldest event to @event; false when there is none. */
bool     sqx_conn_poll_event    (sqx_conn *conn, sqx_event *event);
/* The time at which sqx_conn_handle_timeout() is due; SQX_TIME_NEVER for none. */
uint64_t sqx_conn_next_timeout  (sqx_conn *conn);

/* Commands ---------------------------------------------------------------------------- */

/* Submits an initial message. @flags: ORDERED, FINAL. @tag comes back in exactly one of REPLY, END
 * and FAILED. @handle may be NULL. Errors: INVALID (channel), CLOSED (also SESSION_LOST,
 * TIMED_OUT … after a failure), TOO_LARGE (over the peer's limit if known, else over
 * SQX_MESSAGE_MAX_MAX; one that turns out too large when HELLO comes is told by FAILED),
 * QUEUE_FULL, NO_MEMORY. On an error nothing was taken. */
sqx_result sqx_conn_send  (sqx_conn *conn, uint64_t now, uint32_t channel,
                           const sqx_payload *payload, uint32_t flags, void *tag,
                           sqx_outgoing **handle);
/* The same, as the answer to @id, on its channel, but never QUEUE_FULL: the peer may wait for it
 * before it lets the queue go. Errors also: ALREADY_ANSWERED, SESSION_LOST. */
sqx_result sqx_conn_reply (sqx_conn *conn, uint64_t now, const sqx_message_id *id,
                           const sqx_payload *payload, uint32_t flags, void *tag,
                           sqx_outgoing **handle);
/* Answers @id by an end. Errors: ALREADY_ANSWERED, SESSION_LOST, CLOSED. */
sqx_result sqx_conn_end   (sqx_conn *conn, uint64_t now, const sqx_message_id *id,
                           sqx_end_reason reason);
/* Serialized channels: lets the next ordered message through before @id is answered. A no-op on
 * any other message. */
void       sqx_conn_release (sqx_conn *conn, const sqx_message_id *id);
/* Gives up waiting: no event with its tag comes any more, and @handle is void. What had not
 * begun is dropped; what had is cancelled at the peer, reliably. */
void       sqx_conn_cancel  (sqx_conn *conn, uint64_t now, sqx_outgoing *handle);
/* Takes the next message waiting for the program on @channel. Channel 0 also holds those of the
 * channels that are not open. Returns their credit; a final message is ended by this. */
bool       sqx_conn_receive (sqx_conn *conn, uint64_t now, uint32_t channel, sqx_message *message);
/* Sends once, unconfirmed. Errors: TOO_LARGE (see sqx_conn_max_datagram_payload()), QUEUE_FULL
 * (SQX_DATAGRAM_QUEUE), CLOSED …, NO_MEMORY. */
sqx_result sqx_conn_send_datagram (sqx_conn *conn, uint64_t now, const sqx_payload *payload);

/* Gives @channel a queue of its own; messages of it that wait in channel 0's move there. */
sqx_result sqx_conn_open_channel  (sqx_conn *conn, uint32_t channel);
/* 0 most urgent … SQX_PRIORITIES - 1; strict. What waits moves along. */
sqx_result sqx_conn_set_priority  (sqx_conn *conn, uint32_t channel, uint32_t priority);
/* Setting it to true also opens the channel. */
sqx_result sqx_conn_set_serialized (sqx_conn *conn, uint32_t channel, bool serialized);
/* Setting it to false ends the initial messages that wait untaken. */
void       sqx_conn_set_accepts_messages (sqx_conn *conn, uint64_t now, bool accepts);
void       sqx_conn_set_queue_limit (sqx_conn *conn, uint64_t bytes);
void       sqx_conn_set_keepalive   (sqx_conn *conn, uint64_t now, uint64_t interval, bool always);
void       sqx_conn_set_idle_timeout (sqx_conn *conn, uint64_t now, uint64_t timeout);
/* As config.max_send_rate, from the next packet on. */
void       sqx_conn_set_max_send_rate (sqx_conn *conn, uint64_t now, uint64_t rate);
/* Before the first packet only, later INVALID. */
sqx_result sqx_conn_set_max_message_size (sqx_conn *conn, uint64_t size);

/* Streams: bytes in order, both ways, each way ended by itself. QUEUE_FULL: not now, an EVENT_STREAM
 * tells when; REFUSED: the peer takes none. */
sqx_result sqx_conn_open_stream        (sqx_conn *conn, uint64_t now, sqx_stream **stream);
/* Sends 1 … SQX_CHUNK_MAX bytes. QUEUE_FULL: there is less room, an EVENT_STREAM tells when there
 * is SQX_CHUNK_MAX; REFUSED: the peer reads no more; CLOSED (also after close_write), or why the
 * connection failed; NO_MEMORY. */
sqx_result sqx_conn_stream_write       (sqx_conn *conn, uint64_t now, sqx_stream *stream,
                                        const sqx_payload *payload);
/* The peer's program reads the end after all that was written. */
void       sqx_conn_stream_close_write (sqx_conn *conn, uint64_t now, sqx_stream *stream);
/* What the peer's program has not read it will not read: reading fails there. */
void       sqx_conn_stream_abort       (sqx_conn *conn, uint64_t now, sqx_stream *stream);
/* The program reads no more: writing fails at the peer. */
void       sqx_conn_stream_close_read  (sqx_conn *conn, uint64_t now, sqx_stream *stream);
/* Takes the next bytes, of which @message has data and size; size 0: the end. false: none now. */
bool       sqx_conn_stream_read        (sqx_conn *conn, uint64_t now, sqx_stream *stream,
                                        sqx_message *message);
/* As sqx_conn_set_priority(). */
sqx_result sqx_conn_stream_set_priority (sqx_conn *conn, sqx_stream *stream, uint32_t priority);
/* The program forgets the stream. What it has not closed is aborted. @conn NULL: was freed. */
void       sqx_stream_release (sqx_conn *conn, uint64_t now, sqx_stream *stream);

typedef struct
{
  uint64_t   room;        /* bytes that one write takes now */
  bool       readable;    /* bytes, or the end, can be read now */
  bool       drained;     /* write was closed, and the peer's program has read everything */
  bool       over;        /* both ways */
  sqx_result read_error;  /* why nothing more comes, if not readable: PEER_CLOSED: aborted … */
  sqx_result write_error; /* why nothing more can be written: REFUSED … */
} sqx_stream_status;

void  sqx_conn_stream_status (const sqx_conn *conn, const sqx_stream *stream,
                              sqx_stream_status *status);
void  sqx_stream_set_user_data (sqx_stream *stream, void *user_data);
void *sqx_stream_user_data     (const sqx_stream *stream);
uint64_t sqx_stream_id         (const sqx_stream *stream);

/* Orderly: design rule 14. Waits fail with CLOSED, begun final messages are finished, taken
 * messages may be answered until close_timeout. @reason may be NULL. */
void sqx_conn_close (sqx_conn *conn, uint64_t now, uint64_t code, const char *reason);
/* At once: every wait fails with CLOSED, CLOSE is sent. */
void sqx_conn_abort (sqx_conn *conn, uint64_t now, uint64_t code, const char *reason);

/* Getters ----------------------------------------------------------------------------- */

sqx_state           sqx_conn_state           (const sqx_conn *conn);
const sqx_counters *sqx_conn_counters        (const sqx_conn *conn);
void                sqx_conn_statistics      (const sqx_conn *conn, sqx_statistics *statistics);
/* As in the statistics. */
uint64_t            sqx_conn_smoothed_rtt    (const sqx_conn *conn);
bool                sqx_conn_has_message     (const sqx_conn *conn, uint32_t channel);
/* Whether anything that the program or the peer waits for is open, begun or queued. */
bool                sqx_conn_is_busy         (const sqx_conn *conn);
/* Bytes (overhead included) submitted and not begun. */
uint64_t            sqx_conn_queued_bytes    (const sqx_conn *conn);
bool                sqx_conn_is_writable     (const sqx_conn *conn);
/* The peer's limit, 0 while its HELLO is not known. */
uint64_t            sqx_conn_peer_max_message_size (const sqx_conn *conn);
/* The largest payload that one unconfirmed datagram carries now. */
size_t              sqx_conn_max_datagram_payload  (const sqx_conn *conn);
/* The peer's application id, "" before its HELLO. */
const char         *sqx_conn_peer_application_id   (const sqx_conn *conn);
uint32_t            sqx_conn_incarnation     (const sqx_conn *conn);
/* Bytes that the connection holds in malloc()ed blocks of its own for received messages, those
 * waiting for the program included: what the byte window bounds. */
uint64_t            sqx_conn_received_bytes_held (const sqx_conn *conn);

/* Stable text for logs, never NULL. */
const char *sqx_result_string     (sqx_result result);
const char *sqx_state_string      (sqx_state state);
const char *sqx_end_reason_string (sqx_end_reason reason);
