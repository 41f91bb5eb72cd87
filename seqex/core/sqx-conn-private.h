/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A connection from within. It only sequences units: what comes in (sqx-receive.c), what goes out
 * (sqx-transmit.c), time (sqx-liveness.c), the end (sqx-closing.c), the program (sqx-conn.c,
 * sqx-settings.c).
 */
#pragma once

#include "sqx-datagrams.h"
#include "sqx-endpoint-private.h"
#include "sqx-hello.h"
#include "sqx-link.h"
#include "sqx-plain.h"
#include "sqx-secure.h"
#include "sqx-session.h"
#include "sqx-timers.h"

/* How and why a connection ends. */
typedef struct
{
  uint64_t   code;
  sqx_result error;      /* what commands answer from now on, if not SQX_OK */
  bool       by_peer;
  bool       due;        /* a packet with CLOSE goes out */
  bool       aside;      /* the last one went to an address that is not proven */
  bool       told;       /* one has gone out */
  bool       forced;     /* the close time-out has passed */
  unsigned   sends_left; /* unasked repetitions of CLOSE */
  uint64_t   answered;   /* packets that came while CLOSING */
  char      *reason;     /* NULL: none, or no memory for it */
} sqx_closing;

struct sqx_conn
{
  sqx_config     config;
  sqx_state      state;
  uint32_t       incarnation;
  uint64_t       now;            /* as last told */
  bool           stale;          /* something changed since the deadlines were set */
  sqx_plain      plain;          /* of a PLAIN connection */
  sqx_secure    *secure;         /* NULL: PLAIN */
  const sqx_address *destination; /* of the datagram given out last, if encrypted */
  const sqx_address *from;       /* of the packet that is being processed, likewise */
  sqx_link       link;
  sqx_session    session;
  sqx_datagrams  datagrams;
  sqx_timers     timers;
  sqx_closing    closing;
  sqx_attachment attachment;     /* to its endpoint */
  void          *user_data;

  bool           peer_known;     /* its HELLO came */
  uint64_t       peer_idle;      /* its idle time-out; SQX_TIME_NEVER: none */
  uint64_t       last_received;  /* when a packet was last accepted */
  uint64_t       busy_since;     /* when something became open; SQX_TIME_NEVER: nothing is */
  uint64_t       stall_pings;    /* sent since frames of a session went or came */
  bool           was_full;       /* a command failed with QUEUE_FULL since the last WRITABLE */

  sqx_node       events;
  sqx_event_node connected_event;
  sqx_event_node writable_event;
  sqx_event_node restarted_event;
  sqx_event_node authorize_event;
  sqx_event_node reconnecting_event;
  sqx_event_node moved_event;
  sqx_event_node closed_event;

  sqx_counters   counters;
  sqx_statistics statistics;
  char          *other_application_id; /* the peer's, if it is not the same; NULL also if there is
                                        * no memory */
  char           application_id[];
};

/* Whoever drives the connection must look at it again. */
static inline void
sqx_conn_touch (sqx_conn *conn)
{
  if (conn->attachment.endpoint != NULL)
    sqx_endpoint_touch (conn);
}

/* CLOSING or later. */
static inline bool
sqx_conn_is_over (const sqx_conn *conn)
{
  return conn->state >= SQX_STATE_CLOSING;
}

/* sqx-settings.c */

/* Puts in what was left to the core. */
void sqx_config_fill     (sqx_config *config);
bool sqx_config_is_valid (const sqx_config *config);

/* sqx-conn.c */

/* What a command answers while the connection cannot do more; @last state in which it can. */
sqx_result sqx_conn_usable (const sqx_conn *conn, sqx_state last);
/* After anything that may have changed what is queued or open. */
void sqx_conn_settle      (sqx_conn *conn, uint64_t now);

/* The peer knows nothing of the session (any more): every wait is told, and another one begins. */
void sqx_conn_new_session (sqx_conn *conn);

/* Bytes that a packet has beyond its frames. */
static inline size_t
sqx_conn_overhead (const sqx_conn *conn)
{
  return conn->secure != NULL ? SQX_DATA_HEADER + SQX_TAG_SIZE : SQX_PLAIN_HEADER;
}

/* sqx-strings.c */

/* NULL: no memory, or nothing in it. */
char *sqx_text_copy (const void *text, size_t size);
static inline const char *
sqx_text_or_none (const char *text)
{
  return text != NULL ? text : "";
}

/* Room for what sqx_application_mismatch() writes. */
#define SQX_APPLICATION_REASON_MAX (2 * SQX_APPLICATION_ID_MAX + 64)
void sqx_application_mismatch (char reason[SQX_APPLICATION_REASON_MAX], const char *own,
                               const char *peer);

/* sqx-receive.c */

/* The peer told its parameters. @resumed: initial credits were spent long ago. */
void sqx_conn_learn_peer    (sqx_conn *conn, const sqx_hello *hello, bool resumed);

/* sqx-liveness.c */

/* After each call that may have changed something: the deadlines are set anew when somebody asks for
 * them, which is once for many changes. */
void sqx_conn_update_timers (sqx_conn *conn, uint64_t now);
/* A packet of the peer was accepted. */
void sqx_conn_heard_peer    (sqx_conn *conn, uint64_t now);

/* sqx-closing.c */

/* What a CLOSE with @code means to the side that gets it. */
sqx_result sqx_result_of_close (uint64_t code);
void sqx_conn_set_state     (sqx_conn *conn, sqx_state state); /* only onwards */
/* Begins an orderly close. */
void sqx_conn_begin_close   (sqx_conn *conn, uint64_t now, uint64_t code, const char *reason);
/* The connection failed here, or the program aborts it (CLOSED): tells the peer by CLOSE, and every
 * wait. */
void sqx_conn_fail          (sqx_conn *conn, uint64_t now, sqx_result error, uint64_t code,
                             const char *reason);
/* Nobody is there: tells every wait, and nobody else. */
void sqx_conn_give_up       (sqx_conn *conn, sqx_result error);
void sqx_conn_give_up_because (sqx_conn *conn, sqx_result error, uint64_t code, const char *reason,
                               bool by_peer);
/* The peer's CLOSE came. */
void sqx_conn_peer_closed   (sqx_conn *conn, uint64_t now, uint64_t code, const uint8_t *reason,
                             size_t size);
/* A packet came while CLOSING. */
void sqx_conn_answer_close  (sqx_conn *conn, bool has_close);
/* Ends an orderly close if nothing is left to be done, and the connection if memory ran out. */
void sqx_conn_check_finished (sqx_conn *conn, uint64_t now);
void sqx_conn_closing_timeouts (sqx_conn *conn, uint64_t now);
