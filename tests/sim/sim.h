/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A world of programs that talk through Seqex's core over bad networks, under a virtual clock.
 *
 *   world    the clock, a heap of events, a hash of all that happened       sim-world.c
 *   path     one direction of a network: what it does to a datagram         sim-network.c
 *   end      one side of a connection and the driver that wakes it          sim-end.c
 *   host     an endpoint and the driver that wakes it; its ends are encrypted  sim-host.c
 *   wire     looks into the datagrams that an end sends                     sim-wire.c
 *   program  what uses the end: starts exchanges, answers, cancels          sim-program.c
 *   streams  what uses streams, and what must hold of them                  sim-streams.c
 *   oracle   what must hold, judged from both sides at once                 sim-oracle.c
 *
 * Scenarios (sim-random.c, sim-families.c, sim-attacks.c …) build worlds and run them.
 */
#pragma once

#include "seqex/core/sqx-address.h"
#include "seqex/core/sqx-cc.h"
#include "seqex/core/sqx-limits.h"
#include "seqex/core/sqx.h"

#include "sim-base.h"

#include <setjmp.h>

#define SIM_CHANNELS 6   /* used by one pair of programs */
#define SIM_TINY     8   /* messages below this size cannot carry an id */
#define SIM_SLOTS    32  /* messages of one tiny size at once, per channel */
#define SIM_ENDS     32  /* in one world */

/* No progress for this long on a network that works again is what "stuck" means. */
#define SIM_STUCK    (120 * SIM_SEC)
/* Time after the last exchange ended in which everything has to come to rest: a probe time-out at
 * its longest, twice. */
#define SIM_REST     (130 * SIM_SEC)

typedef struct sim_world sim_world;
typedef struct sim_end sim_end;
typedef struct sim_host sim_host;
typedef struct sim_message sim_message;
typedef struct sim_packet sim_packet;
typedef struct sim_stream sim_stream;

/* Network ------------------------------------------------------------------------------- */

/* What one direction does. Shares are out of 10 000. */
typedef struct
{
  uint32_t loss;
  uint32_t burst;         /* a burst of loss begins … */
  uint32_t burst_end;     /* … and ends */
  uint32_t duplicate;     /* one to three more copies */
  uint32_t late_copy;     /* of the copies: come up to a minute later */
  uint32_t reorder;       /* is held up by reorder_delay at most */
  uint32_t corrupt;       /* a bit is flipped: dropped by UDP's checksum … */
  bool     hostile;       /* … unless this is set: then it arrives so, or cut short */
  uint64_t reorder_delay;
  uint64_t delay;
  uint64_t jitter;        /* added, evenly spread */
  bool     in_order;      /* nothing overtakes, whatever the jitter */
  uint64_t rate;          /* bytes per second; 0: no limit */
  uint64_t queue;         /* bytes that wait for the rate limit at most */
  uint32_t mtu;           /* larger datagrams are dropped; 0: no limit … */
  uint32_t mtu_after;     /* … and when the network works again this is it */
  bool     tells;         /* the sender hears of it, as from a socket */
} sim_path;

typedef struct
{
  sim_path path;
  uint64_t dark_until;    /* blackout; SQX_TIME_NEVER: for ever */
  bool     in_burst;
  uint64_t busy_until;    /* rate limit */
  uint64_t last_arrival;  /* in_order */
  uint64_t sent, lost, delivered;
} sim_direction;

/* A datagram on its way, and what the receiver's books need to know about it. */
struct sim_packet
{
  sim_end *to;
  bool     addressed;        /* it goes to whoever is at … */
  sqx_address destination;
  sqx_address source;
  sim_end *from;             /* of DATA: which connection sent it */
  uint32_t from_life;
  uint32_t from_incarnation;
  uint32_t references;
  bool     has_cancel;
  bool     tampered;
  uint64_t credit_bytes;     /* of HELLO and CREDIT in it, 0: none */
  uint64_t credit_exchanges;
  bool     has_hello;
  uint32_t peer_datagram;    /* HELLO's largest datagram */
  const uint8_t *frames;     /* in clear; sim_network_send() copies them */
  size_t   frames_size;
  size_t   size;
  uint8_t  bytes[];
};

/* The wire's side of what a program sent: sim-wire.c ------------------------------------- */

typedef struct
{
  sim_message *message;   /* once enough bytes were seen to know */
  uint64_t     total;
  uint64_t     reply_to;
  uint8_t      head[SIM_TINY];
  uint8_t      have;      /* one bit for each byte of head */
  uint8_t      flags;     /* SQX_MESSAGE_* */
  bool         seen : 1;
  bool         cancelled : 1;      /* CANCEL was sent */
  bool         cancel_arrived : 1;
  uint8_t      ended;     /* the receiver's END was sent: reason + 1 */
  uint64_t     sends;     /* frames with offset 0 */
} sim_entry;

typedef struct
{
  sim_entry *entries;     /* by message number */
  size_t     count;
  size_t     capacity;
  uint32_t   floor_session; /* of the receiver, to which the floor belongs */
  uint64_t   floor;       /* all numbers below are settled at the receiver */
} sim_wire_channel;

typedef struct
{
  sim_wire_channel channels[SIM_CHANNELS];
  bool     any;
  uint64_t link;             /* encrypted: to which the packets belong */
  uint64_t last_number;      /* of a packet */
  uint64_t since_skip;
  uint64_t skips;
  uint64_t begun_bytes;      /* cost of all messages begun */
  uint64_t begun_exchanges;
  uint64_t open_exchanges;   /* of them: their first message waits for its answer */
  uint64_t early_exchanges;  /* submitted before the peer's HELLO */
  bool     hello_known;
  uint64_t limit_bytes;      /* credit that arrived */
  uint64_t limit_exchanges;
  uint32_t limit_datagram;
} sim_wire;

/* Messages: one struct for both sides ---------------------------------------------------- */

typedef enum
{
  SIM_WAIT_OPEN,
  SIM_WAIT_REPLIED,
  SIM_WAIT_ENDED,
  SIM_WAIT_FAILED,
  SIM_WAIT_CANCELLED, /* by the program */
  SIM_WAIT_ABANDONED, /* the program died */
} sim_wait;

typedef enum
{
  SIM_RECEIVED_NOT,
  SIM_RECEIVED_OPEN,      /* the program owes an answer */
  SIM_RECEIVED_FINAL,     /* nothing is owed */
  SIM_RECEIVED_REPLIED,
  SIM_RECEIVED_ENDED,
  SIM_RECEIVED_CANCELLED, /* the sender gave up, and the program was told */
  SIM_RECEIVED_LOST,      /* the connection or the session went away under it */
} sim_received;

struct sim_message
{
  uint64_t       id;        /* index in world->messages */
  sim_world     *world;
  sim_end       *from;
  uint32_t       life;      /* of the sender */
  uint8_t        channel;   /* index, not id */
  uint8_t        slot;      /* tiny ones */
  bool           is_datagram;
  bool           ordered, final, is_reply, begun, doomed;
  bool           holds_exchange; /* counted in wire.open_exchanges */
  uint32_t       depth;     /* replies before it in its chain */
  uint64_t       size;
  sim_message   *parent;    /* the message that it answers */
  uint8_t       *bytes;     /* until the core needs them no more */
  uint32_t       references;
  sqx_outgoing  *handle;
  uint64_t       submitted; /* when */
  uint64_t       told;      /* when the wait ended */
  sim_wait       wait;
  sqx_end_reason reason;
  sqx_result     error;
  sim_message   *reply;

  sim_received   received;
  uint32_t       receiver_life;
  sqx_message_id received_id;
  sqx_end_reason answered_reason;
  sim_message   *answer;
  bool           redelivered; /* to another life of the receiver */
  bool           blocked;   /* its answer met a full queue */
  bool           stale;     /* its session is gone */
};

/* Programs ------------------------------------------------------------------------------ */

/* Shares are out of 10 000. */
typedef struct
{
  uint64_t starts;         /* exchanges to start */
  uint64_t depth;          /* of them at once at most; 0: no limit */
  uint64_t burst;          /* started together */
  uint64_t interval;       /* between bursts, at most */
  uint64_t first_start;
  uint64_t size_small, size_large, size_huge;
  uint32_t large, huge;    /* shares */
  uint32_t oversize;       /* larger than the peer takes */
  uint32_t ordered, final;
  uint32_t cancel;         /* given up after … */
  uint64_t cancel_after;   /* … at most this */
  uint32_t reply;          /* an answer is a reply, else an end */
  uint32_t chain;          /* a reply awaits a reply */
  uint32_t chain_length;
  uint32_t cancel_reply;
  uint32_t ordered_reply;
  uint32_t late;           /* answered after … */
  uint64_t late_after;     /* … at most this */
  uint32_t hold;           /* answered only when the program lets go of it */
  bool     reversed;       /* the newest held message is answered first */
  uint32_t answer_twice;   /* tries */
  uint32_t release;        /* serialized channels: lets the next one in before answering */
  uint64_t read_interval;  /* slow reader; 0: reads at once */
  uint64_t read_batch;
  uint64_t datagrams;
  uint64_t datagram_interval;
  uint64_t streams;        /* to open */
  uint64_t close_at;       /* SQX_TIME_NEVER: not by itself */
  bool     abort;
  uint64_t deaf_from, deaf_until; /* accepts no messages */
  uint32_t unowned;        /* payloads without an owner */
  uint32_t shuffle;        /* priorities change on the way */
} sim_habits;

typedef struct
{
  sim_habits    habits;
  sim_rng       rng;
  uint64_t      left;            /* exchanges to start */
  uint64_t      open;            /* waits of it */
  uint64_t      starting;        /* of them: initial messages */
  uint64_t      given_up;        /* waits that it cancelled */
  uint64_t      submitted;       /* exchanges that it started */
  uint64_t      datagrams_left;
  uint64_t      streams_left;    /* to open */
  uint64_t      streams_open;    /* of both sides, and not released */
  bool          start_due;       /* an event to start is scheduled */
  bool          full;            /* QUEUE_FULL, and no WRITABLE since */
  bool          told_connected;
  bool          close_called;
  uint64_t      close_code;
  bool          closed_once;     /* also in a former life */
  bool          deaf_once;       /* it was deaf some time */
  uint64_t      owed;            /* messages received and not answered */
  sim_message **held;
  size_t        held_count, held_capacity;
  sim_message **blocked;         /* answers that met a full queue */
  size_t        blocked_count, blocked_capacity;
  sim_message  *holder[SIM_CHANNELS]; /* serialized: the one that keeps the others out */
  sim_message **ordered;         /* ordered replies whose order is to be judged */
  size_t        ordered_count, ordered_capacity;
  bool          readable[SIM_CHANNELS];
  bool          opened[SIM_CHANNELS];
  bool          serialized[SIM_CHANNELS];
  sim_message  *tiny[SIM_CHANNELS][SIM_TINY][SIM_SLOTS];
} sim_program;

/* Ends ---------------------------------------------------------------------------------- */

/* How a driver behaves. */
typedef struct
{
  uint64_t latency;      /* from readable to read, at most */
  uint64_t timer_late;   /* at most */
  uint32_t read_batch;   /* datagrams a wake */
  uint32_t write_batch;
  uint32_t small_buffer; /* share of datagrams for which the socket has only room for few bytes */
  bool     unreachable;  /* the network says so when the peer is gone */
} sim_driver;

struct sim_end
{
  sim_world    *world;
  uint32_t      index;
  sim_end      *peer;
  uint32_t      line;        /* ends on one line can get each other's datagrams */
  sim_direction out;
  sqx_config    config;
  char          application[16];
  sqx_conn     *conn;        /* NULL: dead */
  uint32_t      life;        /* restarts */
  uint32_t      incarnation; /* of conn, when last looked at */
  sim_account   account;
  sim_rng       core_rng;    /* config.random */
  sim_driver    driver;
  sim_program   program;
  sim_wire      wire;        /* of what it sends */

  /* Who hears instead of conn. */
  void        (*tap) (sim_end *end, const uint8_t *bytes, size_t size);
  void         *tapper;
  sim_packet  **inbox;       /* arrived, not read */
  size_t        inbox_count, inbox_capacity;
  bool          pump_due;
  uint64_t      timer_at;
  uint64_t      instant;     /* … at which … */
  uint32_t      timers;      /* … so many time-outs were handled, … */
  uint64_t      outputs;     /* … and so many datagrams sent */

  uint64_t      last_accepted;  /* a datagram that the core took */
  uint64_t      first_unreachable; /* since then; SQX_TIME_NEVER: none */
  uint64_t      accepted;
  uint64_t      records;        /* messages to remember, at most since the last look at memory */
  uint64_t      sent_lately;    /* bytes since lately, and in as long a time before it */
  uint64_t      sent_before;
  uint64_t      lately;
  uint64_t      highest;        /* peak of memory, ever */
  uint64_t      last_wish;      /* the program submitted something */
  uint64_t      quiet_packets;  /* sent at other instants than those two */
  bool          peer_known;     /* the core took a datagram of its peer's life … */
  uint32_t      peer_life;      /* … which was this one, last … */
  uint32_t      peer_incarnation; /* … and in this session */
  bool          closed;         /* EVENT_CLOSED came */
  sqx_result    closed_error;
  uint64_t      closed_at;
  uint64_t      killed_at;      /* SQX_TIME_NEVER: lives */

  /* Of an encrypted connection only. */
  sim_host     *host;           /* NULL: PLAIN, with a driver of its own */
  bool          dials;
  bool          expects;        /* … the peer's key, so by IK */
  bool          pending;        /* waits for the peer to dial */
  bool          was_connected;
  bool          asks;           /* the program thinks about whom to trust */
  uint64_t      persist;        /* 0: a lost link is the end */
  uint64_t      opened_at;
  uint64_t      lost_at;        /* SQX_TIME_NEVER: not reconnecting */
  uint64_t      moves;          /* MOVED came */
  uint64_t      session;        /* hash of its id … */
  uint64_t      link;           /* … and the link in use: its order among those of the session, … */
  uint32_t      link_id;        /* … and the peer's id of it */
};

/* The world ----------------------------------------------------------------------------- */

typedef void (*sim_handler) (sim_world *world, void *data, uint64_t argument);

typedef struct
{
  uint64_t    time;
  uint64_t    order;
  sim_handler handler;
  void       *data;
  uint64_t    argument;
} sim_event;

struct sim_world
{
  const char  *scenario;
  uint64_t     seed;
  bool         trace;
  jmp_buf      failed;
  char         failure[512];

  uint64_t     now;
  uint64_t     start;
  sim_event   *heap;
  size_t       heap_count, heap_capacity;
  uint64_t     scheduled;
  uint64_t     handled;
  uint64_t     limit;         /* events, against a scenario that never ends */
  uint64_t     hash;

  sim_rng      rng;           /* scenario */
  sim_rng      net_rng;
  sim_end     *ends[SIM_ENDS];
  uint32_t     n_ends;
  uint32_t     channel_ids[SIM_CHANNELS];
  uint32_t     n_channels;

  sim_message **messages;
  size_t       message_count, message_capacity;

  sim_stream **streams;       /* ends of them */
  size_t       stream_count, stream_capacity;

  uint64_t     heal_at;       /* the networks work from then on */
  bool         healed;
  uint64_t     last_progress;
  uint64_t     chores;        /* events of programs that are scheduled */
  uint64_t     done_at;       /* SQX_TIME_NEVER: not done */
  bool         weak;          /* hostile network: only the oracles that hold then */
  bool         patient;       /* no idle time-outs */
  bool         restarts;      /* some program dies or comes back */
  bool         close_after;   /* close all in the end, and look at that too */
  bool         closing;
  bool         streaming;     /* programs use streams */
  bool         secure;        /* its ends are encrypted */
  bool         eventful;      /* hosts move, keys change … */
  uint32_t     places;        /* where hosts have been */
  bool         wraps;         /* packet numbers begin close to 2^32 */
  bool         mortal;        /* nobody waits for a peer to come back */
  sim_rng      secure_rng;    /* what only an encrypted world draws */
  sim_host    *hosts[SIM_ENDS];
  uint32_t     n_hosts;
  uint64_t     link_losses;

  /* Somebody on the path sees all that is sent. */
  void       (*overhear) (sim_world *world, const sim_packet *notes, const uint8_t *bytes,
                          size_t size);
  void        *overhearer;
  bool         tampers;       /* somebody changed what was sent */
  uint64_t     packets;       /* sent by all */
  uint64_t     trigger_at;    /* after so many packets … */
  void       (*trigger) (sim_world *world); /* … this */

  /* Figures. */
  uint64_t     exchanges, delivered, replies, datagrams, stream_bytes;
};

/* sim-world.c */
sim_world *sim_world_new  (const char *scenario, uint64_t seed, bool trace);
void       sim_world_free (sim_world *world);
/* Like all that is scheduled: runs after everything scheduled earlier for the same time. */
void       sim_world_at   (sim_world *world, uint64_t time, sim_handler handler, void *data,
                           uint64_t argument);
/* The same, and the world is not done before it ran: what a program means to do. */
void       sim_world_chore (sim_world *world, uint64_t time, sim_handler handler, void *data,
                            uint64_t argument);
/* Until nothing is left to happen; judges all oracles of the end. */
void       sim_world_run  (sim_world *world);
/* Until @until at most; judges nothing. */
void       sim_world_run_until (sim_world *world, uint64_t until);
void       sim_world_progress (sim_world *world);
void       sim_world_note (sim_world *world, uint64_t what, uint64_t value);
void       sim_fail  (sim_world *world, const char *format, ...)
             __attribute__ ((format (printf, 2, 3), noreturn));
void       sim_trace (sim_world *world, const sim_end *end, const char *format, ...)
             __attribute__ ((format (printf, 3, 4)));
#define SIM_TRACE(world, end, ...) \
  do { if ((world)->trace) sim_trace (world, end, __VA_ARGS__); } while (0)
/* Prints what is still open. */
void       sim_world_describe (const sim_world *world);
/* Grows an array of pointers. */
void       sim_push (void *array, size_t *count, size_t *capacity, void *item);

/* sim-network.c */
void        sim_path_clean  (sim_path *path, uint64_t delay);
/* false: it is too large for the path, and the sender hears of that. */
bool        sim_network_send (sim_end *from, const uint8_t *bytes, size_t size,
                              const sim_packet *notes);
void        sim_network_heal (sim_world *world);
sim_packet *sim_packet_ref   (sim_packet *packet);
void        sim_packet_unref (sim_packet *packet);

/* sim-end.c */
/* Adds two ends, connected to each other, not alive yet; the driver and the habits are modest. */
void       sim_world_add_pair (sim_world *world, sim_end **a, sim_end **b);
void       sim_end_open   (sim_end *end);
/* The process goes away without a word; its messages with it. */
void       sim_end_kill   (sim_end *end);
/* The connection alone goes. */
void       sim_end_drop   (sim_end *end);
void       sim_end_restart (sim_end *end);
/* Wakes the driver in this instant. */
void       sim_end_ready  (sim_end *end);
void       sim_end_arrive (sim_end *end, sim_packet *packet);
/* Whether both are in the same session, as far as they know. */
bool       sim_end_agrees (const sim_end *end);
/* Charges what the core allocates between the two to the end. */
void       sim_end_enter  (sim_end *end);
void       sim_end_leave  (void);

/* The steps of a driver, for those that have another one. */
void       sim_end_note_sent (sim_end *end, size_t size);
uint32_t   sim_end_events  (sim_end *end);
void       sim_end_took    (sim_end *end, const sim_packet *packet);
void       sim_end_look_for_restart (sim_end *end);
void       sim_end_prepare (sim_end *end);

/* sim-wire.c */
void       sim_wire_reset  (sim_wire *wire);
void       sim_wire_forget_receiver (sim_wire *wire);
/* Looks at a datagram before it goes out, and fills in what its receiver's books need. */
void       sim_wire_sent   (sim_end *end, const uint8_t *bytes, size_t size, sim_packet *notes);
/* The same for DATA with packet number @number, of which notes->frames are known. */
void       sim_wire_sent_data (sim_end *end, uint64_t number, const uint8_t *bytes, size_t size,
                               sim_packet *notes);
/* The core took a datagram. */
void       sim_wire_accepted (sim_end *end, const sim_packet *packet);
sim_entry *sim_wire_entry  (sim_end *sender, uint32_t channel, uint64_t number);
void       sim_wire_trace  (sim_world *world, const sim_end *end, const char *verb,
                            const uint8_t *bytes, size_t size);
/* The same for any packet but PLAIN, of which the frames may be known. */
void       sim_wire_trace_data (sim_world *world, const sim_end *end, const char *verb,
                                const uint8_t *bytes, size_t size, const uint8_t *frames,
                                size_t frames_size);

/* sim-program.c */
void       sim_program_event  (sim_end *end, sqx_event *event);
void       sim_program_read   (sim_end *end);
/* Starts one exchange now; NULL if the core did not take it. */
sim_message *sim_program_send (sim_end *end, uint32_t channel, uint64_t size, uint32_t flags);
void       sim_program_answer (sim_message *message);
/* Starts more after so long, if there is more to start. */
void       sim_program_start_soon (sim_end *end, uint64_t after);
/* Answers everything that it holds back. */
void       sim_program_let_go (sim_end *end);

/* sim-life.c */
void       sim_habits_init    (sim_habits *habits);
void       sim_program_start  (sim_end *end);
void       sim_program_stop   (sim_end *end);
/* The network works again: everything that was put off is done now. */
void       sim_program_settle (sim_end *end);
void       sim_program_close  (sim_end *end);
bool       sim_program_is_done (const sim_end *end);

/* sim-streams.c */
void       sim_streams_start  (sim_end *end);
void       sim_streams_event  (sim_end *end, const sqx_event *event);
/* The connection, or the session, is over: so are the streams that were of it. */
void       sim_streams_lost   (sim_end *end);
/* The program is about to vanish. */
void       sim_streams_stop   (sim_end *end);
/* What @end may hold of streams. */
uint64_t   sim_streams_bound  (const sim_end *end);
void       sim_streams_agreed (sim_world *world);
/* Prints those that are open. */
void       sim_streams_describe (const sim_end *end);
void       sim_streams_free   (sim_world *world);

/* sim-message.c */
sim_message *sim_message_new  (sim_end *from, uint32_t channel, uint64_t size, uint32_t flags,
                               sim_message *parent);
void       sim_message_payload (sim_message *message, bool owned, sqx_payload *payload);
/* The core did not take it. */
void       sim_message_discard (sim_message *message);
void       sim_message_free    (sim_message *message);
bool       sim_message_matches (const sim_message *message, const uint8_t *bytes, size_t size);
void       sim_message_ref     (void *owner);
void       sim_message_unref   (void *owner);
/* By its first bytes; of any life of its sender. */
sim_message *sim_message_find  (sim_end *from, uint32_t channel, const uint8_t *head,
                                uint64_t size);
uint32_t   sim_channel_index   (const sim_world *world, uint64_t id);

/* sim-oracle.c: each fails the world when something is wrong. */
sim_message *sim_oracle_delivered (sim_end *end, const sqx_message *message, bool is_reply);
/* Everything that was delivered was also read: the moment to judge the order of replies. */
void       sim_oracle_ordered   (sim_end *end);
void       sim_oracle_replied   (sim_end *end, sim_message *asked, sim_message *reply);
void       sim_oracle_ended     (sim_end *end, sim_message *asked, sqx_end_reason reason);
void       sim_oracle_failed    (sim_end *end, sim_message *asked, sqx_result error);
void       sim_oracle_cancelled (sim_end *end, const sim_message *message);
void       sim_oracle_closed    (sim_end *end, const sqx_event *event);
void       sim_oracle_restarted (sim_end *end);
void       sim_oracle_send_error (sim_end *end, const sim_message *message, sqx_result result);
void       sim_oracle_answer_error (sim_end *end, const sim_message *asked, sqx_result result);
void       sim_oracle_memory    (sim_end *end);
/* What @end may hold, by what it was seen to do; begins to look anew. */
uint64_t   sim_oracle_memory_bound (sim_end *end);
void       sim_oracle_host_memory (sim_host *host);
/* Notes how many messages the core has to remember. */
void       sim_oracle_remember  (sim_end *end);
void       sim_oracle_at_rest   (sim_world *world);
void       sim_oracle_agreed    (sim_world *world);

/* Scenarios ----------------------------------------------------------------------------- */

typedef struct
{
  const char *name;
  void (*run) (sim_world *world);
  uint64_t    seeds;       /* in the short form of the suite */
  uint64_t    long_seeds;  /* in the long form */
  const char *shows;       /* promises */
  bool        secure;      /* its name is "secure-" and that of the same over PLAIN */
} sim_scenario;

extern const sim_scenario sim_scenarios_random[];
extern const sim_scenario sim_scenarios_families[];
extern const sim_scenario sim_scenarios_streams[];
extern const sim_scenario sim_scenarios_attacks[];
extern const sim_scenario sim_scenarios_costs[];
extern const sim_scenario sim_scenarios_secure[];
extern const sim_scenario sim_scenarios_links[];
extern const sim_scenario sim_scenarios_intruders[];
extern const sim_scenario *const sim_all_scenarios[];

/* sim-random.c: what random worlds are made of. */
void sim_random_config  (sim_world *world, sim_end *end);
void sim_random_path    (sim_world *world, sim_path *path);
void sim_random_habits  (sim_world *world, sim_end *end, uint64_t most_starts);
void sim_random_driver  (sim_world *world, sim_end *end);
void sim_random_channels (sim_world *world);
void sim_random_blackouts (sim_world *world, sim_end *end);
/* One, in one direction or both. */
void sim_random_black_out (sim_end *end, uint64_t from, uint64_t until);

/* Runs one; false if it failed, which was printed. The world is filled with what it counted. */
bool sim_scenario_run (const sim_scenario *scenario, uint64_t seed, bool trace, sim_world *result);
