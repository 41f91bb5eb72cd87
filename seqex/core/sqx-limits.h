/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every cap and default of the protocol core, in one place.
 *
 * Nothing in the core grows past a number that stands here or that the program set in
 * struct sqx_config between the bounds given here. Times are microseconds.
 */
#pragma once

#include <stdint.h>

#define SQX_MILLISECOND UINT64_C (1000)
#define SQX_SECOND      UINT64_C (1000000)

/* Wire (docs/protocol.md) ------------------------------------------------------------- */

#define SQX_VARINT_MAX          ((UINT64_C (1) << 62) - 1) /* RFC 9000 section 16 */
#define SQX_PLAIN_HEADER        17u    /* type, instance, source epoch, destination epoch, number */
#define SQX_HELLO_MAX           512u   /* bytes of parameters in one HELLO */
#define SQX_HELLO_PARAMETERS    32u    /* in one HELLO, known or not */
#define SQX_HELLO_CIPHERS_MAX   16u    /* in one list, known or not */
#define SQX_APPLICATION_ID_MAX  255u   /* bytes of UTF-8 */
#define SQX_CLOSE_REASON_MAX    255u   /* bytes of UTF-8 carried by CLOSE; a longer one is cut */
#define SQX_CHALLENGE_SIZE      8u     /* bytes in CHALLENGE, which RESPONSE brings back */

/* Datagrams --------------------------------------------------------------------------- */

#define SQX_DATAGRAM_MIN        576u   /* smallest max_datagram_size: HELLO and a frame fit */
#define SQX_DATAGRAM_DEFAULT    1200u  /* RFC 9000 section 14: what every path carries */
#define SQX_DATAGRAM_MAX        65507u /* largest UDP payload over IPv4 */
#define SQX_DATAGRAM_QUEUE      64u    /* unconfirmed datagrams waiting, each way */

/* Path MTU (RFC 8899) ----------------------------------------------------------------- */

#define SQX_PMTU_FULL           3u     /* full datagrams sent before each probe */
#define SQX_PMTU_TRIES          3u     /* MAX_PROBES */
#define SQX_PMTU_LOSSES         3u     /* large datagrams in a row that make a black hole */
#define SQX_PMTU_GRANULARITY    64u    /* the search ends when less than this part is to be won */
#define SQX_PMTU_RAISE          (600 * SQX_SECOND) /* PMTU_RAISE_TIMER */

/* Handshake and keys ------------------------------------------------------------------ */

#define SQX_NOISE_PAYLOAD_MAX   1024u  /* of one handshake message; HELLO or CLOSE fits */
/* RFC 9001 appendix B.1.1: what AES-256-GCM may seal with one key, whatever the packets' size. */
#define SQX_KEYS_SEAL_MAX       (UINT64_C (1) << 23)
#define SQX_KEYS_SEAL_DUE       (UINT64_C (1) << 22) /* an update becomes due, with either cipher */
/* RFC 9001 section 6.6: 2^36 for ChaCha20-Poly1305; AES-GCM could take more. */
#define SQX_KEYS_FORGED_MAX     (UINT64_C (1) << 36)
#define SQX_KEYS_NUMBER_MAX     SQX_VARINT_MAX /* the last packet number: an ACK must carry it */

/* Messages and credit (design rule 8) ------------------------------------------------- */

#define SQX_MESSAGE_OVERHEAD      64u  /* byte credit that a message costs beyond its length */
#define SQX_MESSAGE_MAX_MIN       UINT64_C (16384)
#define SQX_MESSAGE_MAX_DEFAULT   UINT64_C (1048576)
#define SQX_MESSAGE_MAX_MAX       UINT64_C (268435456)
#define SQX_WINDOW_DEFAULT        (UINT64_C (4) << 20)
#define SQX_WINDOW_MAX_DEFAULT    (UINT64_C (16) << 20)
#define SQX_WINDOW_MAX            (UINT64_C (1) << 36) /* cap of the byte window itself */
#define SQX_EXCHANGES_DEFAULT     UINT64_C (1024)
#define SQX_EXCHANGES_MAX         UINT64_C (1048576)
#define SQX_EARLY_EXCHANGES       UINT64_C (16)    /* before the peer's HELLO is known */
#define SQX_EARLY_BYTES           UINT64_C (16384) /* likewise, overhead included */
#define SQX_EARLY_CHANNELS        16u  /* likewise: ids below this; every peer has these */
#define SQX_CHANNELS_MIN          SQX_EARLY_CHANNELS
#define SQX_CHANNELS_DEFAULT      256u
#define SQX_CHANNELS_MAX          65536u
#define SQX_PRIORITIES            8u   /* 0 most urgent … 7; the scale of RFC 9218 */
#define SQX_PRIORITY_DEFAULT      3u
#define SQX_QUEUE_DEFAULT         (UINT64_C (64) << 20) /* bytes a program may have queued */

#define SQX_POOL_MAX              128u /* records of messages kept, each way, while messages come */
#define SQX_INDEX_KEPT            128u /* slots for open messages, likewise */
#define SQX_REST_DELAY            (2 * SQX_SECOND) /* without an open message until they go */

/* Streams (docs/protocol.md, section 8) ------------------------------------------------ */

#define SQX_STREAMS_DEFAULT       128u /* opened by the peer, at once */
#define SQX_STREAMS_MAX           65536u
#define SQX_STREAM_IDS            (UINT64_C (1) << 31) /* in one session, both sides' */
#define SQX_CHUNK_MAX             UINT64_C (65536)
#define SQX_CHUNK_OVERHEAD        512u /* what a chunk costs beyond its length: its record */
#define SQX_CHUNK_LEAST           4096u /* less room than that waits to become more */
#define SQX_STREAM_WINDOW_DEFAULT (UINT64_C (4) << 20) /* cost of one stream that is not read … */
#define SQX_STREAM_WINDOW_MIN     UINT64_C (262144)
#define SQX_STREAM_SHARES         4u   /* … and so many times that of all together */

/* Reassembly -------------------------------------------------------------------------- */

#define SQX_FRAGMENT_SLACK        UINT64_C (262144) /* allocated ahead of what came, at most */
#define SQX_FRAGMENT_RANGES       8192u /* separate byte ranges held, over all messages */

/* Packets ----------------------------------------------------------------------------- */

#define SQX_ACK_THRESHOLD       2u     /* ack-eliciting packets that make an ACK due at once, … */
#define SQX_ACK_THINNING        4096u  /* … and one more for so many packets on their way that only
                                        * acknowledge */
#define SQX_ACK_RANGES            64u  /* ranges of packet numbers tracked, and put into one ACK */
#define SQX_SKIP_MIN              64u  /* packets between two skipped numbers, at least … */
#define SQX_SKIP_SPREAD           512u /* … and this many more at random */
#define SQX_FORMER_EPOCHS         8u   /* earlier incarnations of the peer that are remembered */
#define SQX_HINT_INTERVAL         (100 * SQX_MILLISECOND) /* between answers to a wrong epoch */

#define SQX_PACKET_RECORDS        512u /* frames in one packet that are tracked, at most … */
#define SQX_PACKET_RECORDS_FIRST  32u  /* … and until one was full of them … */
#define SQX_PACKET_RECORDS_MORE   4u   /* … so many times as many are allowed */
#define SQX_FRAGMENT_LEAST        64u  /* a message is not cut into pieces smaller than this */
#define SQX_TURNS                 8u   /* large messages of one urgency that are sent in turn */
#define SQX_TURN_SMALL            16384u /* a message of that size does not wait behind larger ones */
#define SQX_TURNS_PASSED          256u /* messages that one may pass on the way to its turn */

/* Handshake and endpoint (design section 6) ------------------------------------------- */

#define SQX_VERSION               1u   /* of the protocol */
#define SQX_KEY_SIZE              32u
#define SQX_TAG_SIZE              16u  /* of the AEAD */
#define SQX_COOKIE_SIZE           32u
#define SQX_DATA_HEADER           9u   /* type, destination id, packet number */
#define SQX_INIT_MIN              1200u /* an INIT is padded to this, so that answers are smaller */
#define SQX_HANDSHAKE_PACKET_MAX  1200u /* INIT, ACCEPT, CONFIRM as this side makes them */
#define SQX_EARLY_DATA            4u   /* DATA kept until the keys are known */
#define SQX_CONNECTIONS_DEFAULT   16384u
#define SQX_CONNECTIONS_MAX       1048576u
#define SQX_HALF_OPEN_DEFAULT     128u
#define SQX_HALF_OPEN_MAX         65536u
#define SQX_HALF_OPEN_HOST_DEFAULT 4u
#define SQX_RETRY_THRESHOLD       32u  /* half-open handshakes */
#define SQX_HALF_OPEN_LIFE        (10 * SQX_SECOND)
#define SQX_HALF_OPEN_SPARED      (1 * SQX_SECOND)  /* so long no other of its host pushes it out */
#define SQX_COOKIE_LIFE           (60 * SQX_SECOND) /* of its secret; the one before still counts */
#define SQX_ANSWER_RATE           1000u /* RETRY, VERSION and RESET a second, each, for a host … */
#define SQX_ANSWER_BURST          1000u /* … of which so many at once */
#define SQX_ANSWER_BUCKETS        1024u /* which hosts share */
#define SQX_ANSWER_QUEUE          128u /* of them waiting to be sent */
#define SQX_UNPROVEN_RATE         100u /* INIT a second that are read without a cookie … */
#define SQX_UNPROVEN_BURST        100u /* … of which so many at once */
#define SQX_HANDSHAKE_RESEND      (500 * SQX_MILLISECOND) /* first time; doubles … */
#define SQX_HANDSHAKE_RESEND_MAX  (2 * SQX_SECOND)        /* … up to this */
#define SQX_HANDSHAKE_DEFAULT     (20 * SQX_SECOND) /* of a handshake: enough where 30 % is lost */
#define SQX_SIMULTANEOUS_PAUSE    (1 * SQX_SECOND)  /* of own resends: the peer's INIT goes first */
#define SQX_AUTHORIZE_MAX         16u  /* questions to the program at a time */
#define SQX_AUTHORIZE_LIFE        (60 * SQX_SECOND)
#define SQX_RECONNECT_FIRST       (1 * SQX_SECOND)  /* pause between attempts; doubles … */
#define SQX_RECONNECT_MAX         (30 * SQX_SECOND) /* … up to this; a quarter of it is random */
#define SQX_SLEEPING_PER_KEY      64u  /* connections that one peer opened and left reconnecting */
#define SQX_SESSION_ID_SIZE       16u
#define SQX_TRANSMIT_TURN         16u  /* datagrams of one connection in a row, as one batch */

/* Recovery (RFC 9002) ----------------------------------------------------------------- */

#define SQX_PACKET_THRESHOLD      3u     /* at first, and at least */
#define SQX_PACKET_THRESHOLD_MAX  65536u /* where much is overtaken, the time decides */
#define SQX_GRANULARITY           SQX_MILLISECOND
/* RFC 9002 section 6.2.2 recommends 333 ms. 500 ms makes the first probe time-out 1.5 s, so that a
 * satellite path of 1.2 s sees no needless resend before its first sample. */
#define SQX_INITIAL_RTT           (500 * SQX_MILLISECOND)
/* One sample, of a small packet: a peer that dies after it shall not be probed every few
 * milliseconds. */
#define SQX_HANDSHAKE_RTT_MIN     (100 * SQX_MILLISECOND)
#define SQX_PTO_MAX               (60 * SQX_SECOND)
#define SQX_PERSISTENT_THRESHOLD  3u
#define SQX_WINDOW_INITIAL        10u  /* datagrams, RFC 9002 section 7.2 */
#define SQX_WINDOW_MINIMUM        4u   /* datagrams */
#define SQX_WINDOW_LAN            UINT64_C (262144) /* floor in bytes while the RTT is under … */
#define SQX_LAN_RTT               SQX_MILLISECOND

/* Pacing ------------------------------------------------------------------------------ */

#define SQX_PACING_INTERVAL       SQX_MILLISECOND /* what it lets go at once lasts so long … */
#define SQX_PACING_BATCH_MIN      2u   /* … but is so many datagrams at least … */
#define SQX_PACING_BATCH_MAX      UINT64_C (65536) /* … and so many bytes at most */
#define SQX_PACING_LATE           (2 * SQX_MILLISECOND) /* of a timer, which is made up for */

/* Time -------------------------------------------------------------------------------- */

#define SQX_ACK_DELAY_DEFAULT     (25 * SQX_MILLISECOND)
#define SQX_CREDIT_DELAY_SHORT    SQX_MILLISECOND /* of a CREDIT while the peer can begin nothing */
#define SQX_ACK_DELAY_MAX         (1 * SQX_SECOND)
#define SQX_IDLE_DEFAULT          (30 * SQX_SECOND)
#define SQX_IDLE_MIN              (10 * SQX_MILLISECOND)
#define SQX_KEEPALIVE_DEFAULT     (10 * SQX_SECOND)
#define SQX_STALL_PTOS            3u   /* silence while something is open until it is asked … */
#define SQX_STALL_SHIFT           2u   /* … and four times as long until it is asked again … */
#define SQX_STALL_PINGS           4u   /* … so often, until something of a message goes or comes */
#define SQX_CLOSE_DEFAULT         (5 * SQX_SECOND)
#define SQX_UNREACHABLE_DEFAULT   (5 * SQX_SECOND)
#define SQX_CLOSE_PTOS            3u   /* probe time-outs that a closed one still answers for */
#define SQX_CLOSE_SENDS           6u   /* … and sends CLOSE so often unless the peer's comes back */
