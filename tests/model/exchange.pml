/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The exchange rules of Seqex, for spin. The rules' numbers are those of docs/protocol.md, section 8.
 *
 * Two peers, one channel, N messages each way, of which FIRST_0 and FIRST_1 are initial ones and the
 * rest may be replies. Whether a message is ordered, whether it is final, whether it is answered by an
 * end or by a reply, and whether that reply is ordered, final or answered again, is left open: one
 * search covers every program. A message costs one unit of byte credit, which is also the cost of
 * a largest message. With CANCELS, so many begun messages are cancelled, at any moment.
 *
 * The world has two phases. First the network does its worst, and programs take and answer when they
 * like. At any moment `works` may be set: from then on what is sent again and again arrives, and the
 * programs are the most awkward ones that are allowed. That of peer 0 takes nothing and answers
 * nothing while any of its own messages waits for an answer; and both answer something only when
 * nothing more can reach them without that. A search proves
 *   - safety: no assertion fails, in either phase;
 *   - liveness: once the network works, every exchange ends. A state in which nothing can happen
 *     any more must be a finished one (checked at the end of init), and there is no cycle of states
 *     with `works` set (pan -l: the first phase, and nothing else, is labelled as progress).
 *
 * The network has two forms.
 *   - The usual one is the set of all packets ever sent: each may arrive any number of times, at
 *     any time, in any order, or never, which is unlimited loss, duplication and reordering. What
 *     was sent follows from the states of the two ends, so it takes no room; an arrival that would
 *     change nothing is left out. Once the network works, a packet arrives that somebody sends
 *     again until he is answered, and no other.
 *   - With EXPLICIT every packet in flight is a bit. It is delivered, lost, delivered while a copy
 *     stays in flight, overtaken by any other, and sent again by a time-out, too early as well.
 *     This shows that the usual form hides nothing, and that the time-outs find an end.
 *
 * Witnesses. With WITNESS the search must find that the numbered situation occurs: rules that are
 * never put to the test hold in any model.
 *
 * Controls. Each takes one rule away, and the search must then find the failure named:
 *   NUMBER_AT_SUBMISSION  numbers are given at submission (rule 1): everything_ends
 *   NO_RESERVE            an initial message may take all byte credit (rule 8): everything_ends
 *   KEEP_CREDIT           returned credit is told in twos only (rule 8): everything_ends
 *   EARLY_RECEIPT         a packet is acknowledged, then dropped unprocessed (rule 12): everything_ends
 *   END_ONCE              an end is not sent again (rule 12): everything_ends
 *   NO_DEDUP              a number is forgotten with its record (rule 5): exactly_once
 *   NO_GATE               an ordered message does not wait for lower numbers (rule 6): in_order
 *   ONE_RECEIPT           a duplicate is not acknowledged (rule 12): a cycle without an end
 *   TWO_ANSWERS           an end is given although a reply has begun (rule 10): chains_agree
 */

#ifndef N
#define N 3
#endif
#ifndef N_0
#define N_0 N
#endif
#ifndef N_1
#define N_1 N
#endif
#ifndef FIRST_0
#define FIRST_0 2
#endif
#ifndef FIRST_1
#define FIRST_1 1
#endif
#ifndef WINDOW
#define WINDOW 2 /* rule 8: at least two largest messages */
#endif
#ifndef UNITS
#define UNITS 2
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef WITNESS
#define WITNESS 0
#endif

#define OTHER(p) (1 - (p))

/* What the sender of a message knows of it. */
#define NOT_BEGUN 0
#define SUBMITTED 1 /* NUMBER_AT_SUBMISSION only: has a number, and waits for credit */
#define BEGUN     2 /* sent again until its receipt comes */
#define RECEIPTED 3 /* its bytes are freed; its record waits for the answer */
#define CANCELLED 4 /* CANCEL is sent until an end or a reply comes */
#define ANSWERED  5

/* What its receiver knows. */
#define UNSEEN    0
#define HELD      1 /* whole; lower numbers are missing */
#define READY     2 /* an initial message, delivered by the core: the program may take it */
#define TAKEN     3 /* the program has it, and owes an answer */
#define REPLIED   4 /* its reply has begun */
#define ENDED     5 /* an end is sent again until its receipt comes */
#define FORGOTTEN 6 /* the record is gone; the number stays known as seen */

typedef Message {
  unsigned sender : 3;
  unsigned receiver : 3;
  unsigned to : 3;  /* reply: the number that it answers */
  bit reply;
  bit ordered;
  bit final;
  bit wants_reply;  /* what the receiver's program will do: answer by a reply, not by an end */
  bit starter;      /* the peer that started the exchange */
  bit delivered;    /* by the receiver's core: known to the assertions only */
  bit cancel_sent   /* and a copy of it can still change something */
#ifdef EXPLICIT
  ;
  bit net_message;
  bit net_receipt;
  bit net_end;
  bit net_end_receipt;
  bit net_cancel;
  bit cancel_came;  /* stands for the receipt of CANCEL */
  bit ended         /* by an end, at some time */
#endif
}

/* From peer d to the other one. */
typedef Direction {
  Message m[N];
  byte numbers;        /* given so far */
  byte initials;       /* initial messages that the program will submit */
  byte unsent;         /* those of them not submitted yet */
  byte handed;         /* those of them taken, or cancelled before */
  byte replies_left;   /* that the programs may still decide on */
  byte open;           /* messages whose sender waits for an answer */
  byte bytes_begun;    /* credit: all counts are cumulative */
  byte bytes_returned; /* by the receiver */
  byte bytes_known;    /* to the sender, of what was returned */
  byte units_begun;
  byte units_returned;
  byte units_known
#ifdef EXPLICIT
  ;
  bit  net_credit;
  byte net_bytes;
  byte net_units
#endif
}

Direction dir[2];
byte cancels_left = CANCELS;
bit  works;

/* Scratch of one d_step, not part of the state. */
hidden byte i, j, k, answer, missing, unanswered;

/* Names of what is proved, for the message of a failed assertion; never true. */
hidden byte exactly_once, in_order, chains_agree, told_once, credit_held, numbers_bounded,
            everything_ends, credit_comes_back, it_happens;

#define SITUATION(number, condition) assert (WITNESS != number || !(condition) || it_happens)

#define M(d, n) dir[d].m[n]

#define FREE_BYTES(d) (WINDOW + dir[d].bytes_known - dir[d].bytes_begun)
#define FREE_UNITS(d) (UNITS + dir[d].units_known - dir[d].units_begun)

/* Rule 8. */
#ifdef NO_RESERVE
#define RESERVE 0
#else
#define RESERVE 1
#endif
#define MAY_BEGIN_INITIAL(d) (FREE_BYTES (d) >= 1 + RESERVE && FREE_UNITS (d) >= 1)
#define MAY_BEGIN_REPLY(d)   (FREE_BYTES (d) >= 1)

#ifdef NUMBER_AT_SUBMISSION
#define MAY_SUBMIT_INITIAL(d) (1)
#define MAY_SUBMIT_REPLY(d)   (1)
#else
#define MAY_SUBMIT_INITIAL(d) MAY_BEGIN_INITIAL (d)
#define MAY_SUBMIT_REPLY(d)   MAY_BEGIN_REPLY (d)
#endif

/* Whether no lower number of its kind waits for credit: NUMBER_AT_SUBMISSION only, N up to 4. */
#define WAITS(d, n, k, kind) (k < n && M (d, k).sender == SUBMITTED && M (d, k).reply == kind)
#define IS_FIRST(d, n, kind) (!WAITS (d, n, 0, kind) && !WAITS (d, n, 1, kind) && \
                              !WAITS (d, n, 2, kind))

#ifdef KEEP_CREDIT
#define CREDIT_STEP 2
#else
#define CREDIT_STEP 1
#endif

#define OPEN(d, n) (M (d, n).sender == BEGUN || M (d, n).sender == RECEIPTED)

/* Whether nothing more can reach the program of direction d's receiver before it answers something. */
#define ALL_CAME(d) (dir[d].handed == dir[d].units_begun && \
                     (dir[d].units_begun == dir[d].initials || \
                      dir[d].units_begun == dir[d].units_returned + UNITS))

/* Whether the program of peer p takes a message, and whether it answers one. */
#define TAKES(p)   (!works || p == 1 || dir[p].open == 0)
#define ANSWERS(p) (!works || (TAKES (p) && ALL_CAME (OTHER (p))))

/* Arrivals -------------------------------------------------------------------------------- */

#ifdef NO_DEDUP
#define IS_NEW(d, n) (M (d, n).receiver == UNSEEN || M (d, n).receiver == FORGOTTEN)
#else
#define IS_NEW(d, n) (M (d, n).receiver == UNSEEN)
#endif

#ifdef EXPLICIT

#define SEND(packet) packet = 1
#define TAKE(packet) packet = 0

#define MESSAGE_COMES(d, n)     (M (d, n).net_message)
#define RECEIPT_COMES(d, n)     (M (d, n).net_receipt)
#define END_COMES(d, n)         (M (d, n).net_end)
#define END_RECEIPT_COMES(d, n) (M (d, n).net_end_receipt)
#define CANCEL_COMES(d, n)      (M (d, n).net_cancel)
#define CREDIT_COMES(d)         (dir[d].net_credit)
#define CREDIT_BYTES(d)         dir[d].net_bytes
#define CREDIT_UNITS(d)         dir[d].net_units
#define FORGET_CREDIT(d)        dir[d].net_credit = 0; dir[d].net_bytes = 0; dir[d].net_units = 0

#else

#define SEND(packet) skip
#define TAKE(packet) skip

#ifdef EARLY_RECEIPT
#define RECEIPT_SENT(d, n) (M (d, n).receiver != UNSEEN || !works)
#else
#define RECEIPT_SENT(d, n) (M (d, n).receiver != UNSEEN)
#endif

#define MESSAGE_COMES(d, n)     (IS_NEW (d, n) && \
                                 (M (d, n).sender == BEGUN || (!works && M (d, n).sender > BEGUN)))
#define RECEIPT_COMES(d, n)     (M (d, n).sender == BEGUN && RECEIPT_SENT (d, n))
#define END_COMES(d, n)         ((OPEN (d, n) || M (d, n).sender == CANCELLED) && \
                                 (M (d, n).receiver == ENDED || \
                                  (!works && M (d, n).receiver == FORGOTTEN)))
#define END_RECEIPT_COMES(d, n) (M (d, n).receiver == ENDED && M (d, n).sender == ANSWERED)
#define CANCEL_COMES(d, n)      (M (d, n).cancel_sent && M (d, n).receiver < ENDED && \
                                 (M (d, n).sender == CANCELLED || !works))
#define CREDIT_COMES(d)         (dir[d].bytes_known + CREDIT_STEP <= dir[d].bytes_returned || \
                                 dir[d].units_known < dir[d].units_returned)
#define CREDIT_BYTES(d)         dir[d].bytes_returned
#define CREDIT_UNITS(d)         dir[d].units_returned
#define FORGET_CREDIT(d)        skip

#endif

/* Sender ---------------------------------------------------------------------------------- */

inline cancel (d, n)
{
  M (d, n).sender = CANCELLED;
  M (d, n).cancel_sent = 1;
  dir[d].open--;
  SEND (M (d, n).net_cancel)
}

/* Rules 1 and 8: the first byte goes out, all credit is taken. */
inline begin (d, n)
{
  M (d, n).sender = BEGUN;
  dir[d].open++;
  dir[d].bytes_begun++;
  if
  :: !M (d, n).reply -> dir[d].units_begun++
  :: else
  fi;
  assert (dir[d].bytes_begun <= WINDOW + dir[d].bytes_returned || credit_held);
  assert (dir[d].units_begun <= UNITS + dir[d].units_returned || credit_held);
  SITUATION (1, M (d, n).reply && FREE_BYTES (d) == 0); /* a reply needs the reserve */
  SEND (M (d, n).net_message)
}

/* The next number of direction d goes to a message that peer `by` started the exchange of. */
inline number (d, by)
{
  d_step {
    k = dir[d].numbers;
    dir[d].numbers++;
    M (d, k).starter = by;
#ifdef NUMBER_AT_SUBMISSION
    M (d, k).sender = SUBMITTED
#else
    begin (d, k)
#endif
  }
}

/* Receiver -------------------------------------------------------------------------------- */

inline return_unit (d, n)
{
  dir[M (d, n).starter].units_returned++;
  assert (dir[M (d, n).starter].units_returned <= dir[M (d, n).starter].units_begun || credit_held)
}

/* Rules 3 and 12: one answer, sent until it is acknowledged. */
inline say_end (d, n)
{
  M (d, n).final = 0;
  M (d, n).wants_reply = 0;
#ifdef EXPLICIT
  M (d, n).ended = 1;
#endif
#ifdef END_ONCE
  M (d, n).receiver = FORGOTTEN;
  if
  :: M (d, n).starter == d -> return_unit (d, n)
  :: else
  fi;
#else
  M (d, n).receiver = ENDED;
#endif
  SEND (M (d, n).net_end)
}

/* Rule 4: the sender of n is told its one answer. Rule 12: its own record of what n answered is
 * gone with that. Of a cancelled message nobody is told anything. */
inline settle (d, n)
{
  assert (OPEN (d, n) || M (d, n).sender == CANCELLED || told_once);
  if
  :: OPEN (d, n) -> dir[d].open--
  :: else
  fi;
  M (d, n).sender = ANSWERED;
  if
  :: M (d, n).reply -> M (OTHER (d), M (d, n).to).receiver = FORGOTTEN
  :: else
  fi
}

/* Rules 5, 6 and 7. A reply completes the wait at once and gives its bytes back, an initial message
 * waits for the program. The reply to a cancelled message is ended by the core (rule 10). */
inline deliver (d, n)
{
  assert (!M (d, n).delivered || exactly_once);
  M (d, n).delivered = 1;
  j = 0;
  do
  :: j < n ->
     assert (!M (d, n).ordered || M (d, j).delivered || M (d, j).cancel_sent || in_order);
     j++
  :: else -> break
  od;
  M (d, n).ordered = 0;
  if
  :: M (d, n).reply ->
     dir[d].bytes_returned++;
     k = M (d, n).to;
     assert (M (OTHER (d), k).receiver == REPLIED || chains_agree);
     answer = M (d, n).final || M (OTHER (d), k).sender == CANCELLED;
     SITUATION (2, M (OTHER (d), k).reply); /* a chain of three messages */
     SITUATION (3, M (OTHER (d), k).sender == CANCELLED); /* the wait was cancelled */
     settle (OTHER (d), k);
     if
     :: answer -> say_end (d, n)
     :: else -> M (d, n).receiver = TAKEN
     fi
  :: else -> M (d, n).receiver = READY
  fi
}

/* Delivers what no lower number holds back. */
inline gate (d)
{
  i = 0;
  missing = 0;
  do
  :: i < N ->
     if
     :: M (d, i).receiver == HELD && (!M (d, i).ordered || missing == 0) -> deliver (d, i)
     :: else -> SITUATION (4, M (d, i).receiver == HELD) /* order holds a message back */
     fi;
     if
#ifndef NO_GATE
     :: M (d, i).receiver <= HELD -> missing = 1
#endif
     :: else
     fi;
     i++
  :: else -> break
  od
}

/* What the message says, and what its receiver's program will do with it, is decided when it arrives:
 * it makes no difference to anybody before. */
inline look (d, n)
{
  if
  :: M (d, n).ordered = 1
  :: skip
  fi;
  if
  :: skip
  :: M (d, n).final = 1
  :: dir[OTHER (d)].replies_left > 0 ->
     M (d, n).wants_reply = 1;
     dir[OTHER (d)].replies_left--
  fi
}

/* Rule 13, when n was seen for the first time. */
inline check_numbers (d, n)
{
  i = 0;
  missing = 0;
  unanswered = 0;
  answer = 0;
  do
  :: i < N ->
     if
     :: M (d, N - 1 - i).receiver != UNSEEN -> answer = 1
     :: else -> missing = missing + answer
     fi;
     if
     :: OPEN (OTHER (d), i) || M (OTHER (d), i).sender == CANCELLED -> unanswered++
     :: else
     fi;
     i++
  :: else -> break
  od;
  assert (missing <= UNITS + unanswered || numbers_bounded);
  SITUATION (5, missing > 0) /* a lower number has not come */
}

/* Rule 10, at the receiver of the cancelled message. */
inline cancelled (d, n)
{
  SITUATION (6, M (d, n).receiver == UNSEEN);
  SITUATION (7, M (d, n).receiver == HELD);
  SITUATION (8, M (d, n).receiver == READY);
  SITUATION (9, M (d, n).receiver == TAKEN && M (d, n).wants_reply);
  SITUATION (10, M (d, n).receiver == REPLIED);
  SITUATION (11, M (d, n).receiver == UNSEEN && M (d, n).reply);
  if
  :: M (d, n).receiver <= READY ->
     dir[d].bytes_returned++;
     if
     :: M (d, n).reply ->
        k = M (d, n).to;
        assert (M (OTHER (d), k).receiver == REPLIED || chains_agree);
        settle (OTHER (d), k)
     :: else -> dir[d].handed++
     fi;
     say_end (d, n);
     check_numbers (d, n);
     gate (d)
  :: M (d, n).receiver == TAKEN -> say_end (d, n)
  :: M (d, n).receiver == REPLIED ->
     M (d, n).cancel_sent = 0;
#ifdef TWO_ANSWERS
     say_end (d, n);
#endif
     k = 0;
     do
     :: k < dir[OTHER (d)].numbers ->
        if
        :: M (OTHER (d), k).reply && M (OTHER (d), k).to == n && OPEN (OTHER (d), k) ->
           cancel (OTHER (d), k)
        :: else
        fi;
        k++
     :: else -> break
     od
  :: else
  fi
}

/* Processes ------------------------------------------------------------------------------- */

/* All that happens to message n of direction d. */
proctype message (bit d; byte n)
{
end:
  do
#ifdef NUMBER_AT_SUBMISSION
  /* In the order of submission, initial messages and replies each on their own (rule 1). */
  :: d_step { M (d, n).sender == SUBMITTED && IS_FIRST (d, n, 0) && !M (d, n).reply &&
              MAY_BEGIN_INITIAL (d) -> begin (d, n) }
  :: d_step { M (d, n).sender == SUBMITTED && IS_FIRST (d, n, 1) && M (d, n).reply &&
              MAY_BEGIN_REPLY (d) -> begin (d, n) }
#endif
  /* The network brings something. Whatever comes is acknowledged once it was processed. */
  :: atomic {
       MESSAGE_COMES (d, n) && IS_NEW (d, n) ->
       look (d, n);
       d_step {
         TAKE (M (d, n).net_message);
         SEND (M (d, n).net_receipt);
         M (d, n).receiver = HELD;
         check_numbers (d, n);
         gate (d);
         skip
       }
     }
#ifdef EXPLICIT
  :: d_step {
       MESSAGE_COMES (d, n) && !IS_NEW (d, n) ->
       TAKE (M (d, n).net_message);
#ifndef ONE_RECEIPT
       SEND (M (d, n).net_receipt)
#endif
     }
#endif
  :: d_step {
       RECEIPT_COMES (d, n) ->
       TAKE (M (d, n).net_receipt);
       if
       :: M (d, n).sender == BEGUN -> M (d, n).sender = RECEIPTED
       :: else
       fi
     }
  :: d_step {
       END_COMES (d, n) ->
       TAKE (M (d, n).net_end);
       SEND (M (d, n).net_end_receipt);
       if
       :: OPEN (d, n) || M (d, n).sender == CANCELLED ->
#ifndef END_ONCE
          assert (M (d, n).receiver == ENDED || chains_agree);
#endif
          settle (d, n);
          if
          :: M (d, n).starter != d -> return_unit (d, n)
          :: else
          fi
       :: else
       fi
     }
  :: d_step {
       END_RECEIPT_COMES (d, n) ->
       TAKE (M (d, n).net_end_receipt);
       if
       :: M (d, n).receiver == ENDED ->
          M (d, n).receiver = FORGOTTEN;
          if
          :: M (d, n).starter == d -> return_unit (d, n)
          :: else
          fi
       :: else
       fi
     }
#if CANCELS > 0
  :: d_step {
       CANCEL_COMES (d, n) ->
       TAKE (M (d, n).net_cancel);
       SEND (M (d, n).cancel_came);
       cancelled (d, n);
       skip
     }
#endif

  /* The receiver's program takes an initial message, which gives its bytes back, and answers. A
   * final one is ended by itself (rule 2). */
  :: d_step {
       M (d, n).receiver == READY && TAKES (OTHER (d)) ->
       dir[d].bytes_returned++;
       dir[d].handed++;
       if
       :: M (d, n).final -> say_end (d, n)
       :: else -> M (d, n).receiver = TAKEN
       fi
     }
  :: d_step {
       M (d, n).receiver == TAKEN && !M (d, n).wants_reply && ANSWERS (OTHER (d)) -> say_end (d, n)
     }
  :: atomic {
       M (d, n).receiver == TAKEN && M (d, n).wants_reply && ANSWERS (OTHER (d)) &&
       MAY_SUBMIT_REPLY (OTHER (d)) ->
       M (d, n).receiver = REPLIED;
       M (d, n).wants_reply = 0;
       M (OTHER (d), dir[OTHER (d)].numbers).reply = 1;
       M (OTHER (d), dir[OTHER (d)].numbers).to = n;
       number (OTHER (d), M (d, n).starter)
     }
#if CANCELS > 0
  /* The sender's program loses interest. */
  :: d_step { OPEN (d, n) && cancels_left > 0 -> cancels_left--; cancel (d, n) }
#endif

#ifdef EXPLICIT
  /* Time-outs, when neither the packet nor its answer is on the way any more. */
  :: d_step {
       M (d, n).sender == BEGUN && !M (d, n).net_message && !M (d, n).net_receipt ->
       M (d, n).net_message = 1
     }
  :: d_step {
       M (d, n).receiver == ENDED && !M (d, n).net_end && !M (d, n).net_end_receipt ->
       M (d, n).net_end = 1
     }
#if CANCELS > 0
  :: d_step { M (d, n).sender == CANCELLED && !M (d, n).net_cancel && !M (d, n).cancel_came ->
              M (d, n).net_cancel = 1 }
#endif
  /* Copies of what was sent before, made by the network or by time-outs that come too early. */
  :: d_step { !works && M (d, n).sender >= BEGUN && !M (d, n).net_message ->
              M (d, n).net_message = 1 }
  :: d_step { !works && M (d, n).receiver != UNSEEN && !M (d, n).net_receipt ->
              M (d, n).net_receipt = 1 }
  :: d_step { !works && M (d, n).ended && !M (d, n).net_end -> M (d, n).net_end = 1 }
  :: d_step { !works && M (d, n).ended && M (d, n).sender == ANSWERED &&
              !M (d, n).net_end_receipt -> M (d, n).net_end_receipt = 1 }
#if CANCELS > 0
  :: d_step { !works && M (d, n).cancel_sent && !M (d, n).net_cancel -> M (d, n).net_cancel = 1 }
  :: d_step { !works && M (d, n).net_cancel -> M (d, n).net_cancel = 0 }
#endif
  /* Loss. */
  :: d_step { !works && M (d, n).net_message -> M (d, n).net_message = 0 }
  :: d_step { !works && M (d, n).net_receipt -> M (d, n).net_receipt = 0 }
  :: d_step { !works && M (d, n).net_end -> M (d, n).net_end = 0 }
  :: d_step { !works && M (d, n).net_end_receipt -> M (d, n).net_end_receipt = 0 }
#endif
  od
}

/* The rest of what happens in direction p: from peer p to the other one. */
proctype peer (bit p)
{
end:
  do
  :: atomic {
       dir[p].unsent > 0 && MAY_SUBMIT_INITIAL (p) ->
       dir[p].unsent--;
       number (p, p)
     }
  :: d_step {
       CREDIT_COMES (p) ->
       if
       :: CREDIT_BYTES (p) > dir[p].bytes_known -> dir[p].bytes_known = CREDIT_BYTES (p)
       :: else
       fi;
       if
       :: CREDIT_UNITS (p) > dir[p].units_known -> dir[p].units_known = CREDIT_UNITS (p)
       :: else
       fi;
       FORGET_CREDIT (p)
     }
#ifdef EXPLICIT
  /* Sent when there is news, and again when the newest was lost; only the newest is in flight: an
   * older one that comes late says what the receiver could have said before. */
  :: d_step {
       (dir[p].bytes_known < dir[p].bytes_returned || dir[p].units_known < dir[p].units_returned) &&
       (dir[p].net_bytes < dir[p].bytes_returned || dir[p].net_units < dir[p].units_returned) ->
       dir[p].net_credit = 1;
       dir[p].net_bytes = dir[p].bytes_returned;
       dir[p].net_units = dir[p].units_returned
     }
  :: d_step { !works && CREDIT_COMES (p) -> FORGET_CREDIT (p) }
#endif
  od
}

inline check_finished (d)
{
  assert ((dir[d].unsent == 0 && dir[d].open == 0) || everything_ends);
  i = 0;
  do
  :: i < dir[d].numbers ->
     assert ((M (d, i).sender == ANSWERED && M (d, i).receiver == FORGOTTEN) || everything_ends);
     i++
  :: else -> break
  od;
#ifndef KEEP_CREDIT
  assert ((dir[d].bytes_begun == dir[d].numbers && dir[d].bytes_known == dir[d].numbers &&
           dir[d].units_known == dir[d].units_begun) || credit_comes_back);
#endif
  skip
}

init
{
  byte n;

  d_step {
    dir[0].initials = FIRST_0;
    dir[0].unsent = FIRST_0;
    dir[0].replies_left = N_0 - FIRST_0;
    dir[1].initials = FIRST_1;
    dir[1].unsent = FIRST_1;
    dir[1].replies_left = N_1 - FIRST_1
  }
  atomic {
    run peer (0);
    run peer (1);
    do
    :: n < N -> run message (0, n); run message (1, n); n++
    :: else -> break
    od;
    n = 0
  }
progress_network_fails:
  d_step { works = 1 };
  timeout;
  d_step { check_finished (0); check_finished (1) }
}
