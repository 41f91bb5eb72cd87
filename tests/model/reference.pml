/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control of exchange.pml: the rules of the Sequential Exchange Protocol as first published
 * (sequential-exchange 1.0.2), in the same world and under the same assertions. There, the receipt
 * of a message is its answer, and receiving needs room to send:
 *   - a message is sent again until its answer comes: a reply, or an acknowledgement when the
 *     program is done with it;
 *   - a number has a slot, number modulo WINDOW, until it is answered; a message begins when its
 *     slot and those promised to answers that are still owed are free;
 *   - a message that arrives is accepted only if a further slot can be promised to its answer, where
 *     the slot of the message that it answers counts as free; else it waits unaccepted;
 *   - what was accepted is known by a floor alone: a number above it may be accepted again.
 * A further limit of the published code, on answers owed, is left out; it forbids more still.
 *
 * The searches must find, with the settings that run-model gives:
 *   D1  an unordered message arrives twice while a lower one is lost: exactly_once
 *   D2  both sides fill their windows at once: everything_ends, on a network without a fault
 *   D3  ordered replies to a full window, in reverse order: everything_ends, likewise
 */

#ifndef FIRST_0
#define FIRST_0 2
#endif
#ifndef FIRST_1
#define FIRST_1 0
#endif
#ifndef REPLIES_1 /* that the program of peer 1 may give */
#define REPLIES_1 0
#endif
#ifndef FAULTS /* 0: every packet arrives once */
#define FAULTS 1
#endif

#define N      4 /* numbers, each way */
#define WINDOW 2

#define OTHER(p) (1 - (p))

/* Sender. */
#define NOT_BEGUN 0
#define BEGUN     1
#define ANSWERED  2

/* Receiver. */
#define UNSEEN       0
#define WAITING      1 /* kept, not accepted */
#define TAKEN        2 /* accepted: the program has it, and owes an answer */
#define ACKNOWLEDGED 3
#define REPLIED      4

typedef Message {
  unsigned sender : 2;
  unsigned receiver : 3;
  unsigned to : 3;
  bit reply;
  bit ordered;
  bit delivered
}

typedef Direction {
  Message m[N];
  byte numbers;
  byte unsent;
  byte replies_left;
  byte open;
  byte owed;   /* answers that the receiver owes */
  byte floor;  /* all lower numbers were accepted */
  bit  locked  /* the receiver's program has an ordered message */
}

Direction dir[2];
bit works;

hidden byte k;
hidden byte exactly_once, everything_ends;

#define M(d, n) dir[d].m[n]

/* Whether slot s of peer p is in use. The slot `freed` counts as free; WINDOW names none. */
#define USES(p, n, s)       (M (p, n).sender == BEGUN && n % WINDOW == (s) % WINDOW)
#define USED(p, s, freed)   ((s) % WINDOW != (freed) && \
                             (USES (p, 0, s) || USES (p, 1, s) || USES (p, 2, s) || USES (p, 3, s)))
/* Whether peer p has no slot for one more number beyond those for the answers that it owes. */
#define OWED(p)             dir[OTHER (p)].owed
#define FULL(p, freed)      (OWED (p) >= WINDOW || USED (p, dir[p].numbers, freed) || \
                             (OWED (p) >= 1 && USED (p, dir[p].numbers + 1, freed)))
/* Whether there is room to accept message n. */
#define HAS_ROOM(d, n)      (M (d, n).reply && !FULL (OTHER (d), M (d, n).to % WINDOW) || \
                             !M (d, n).reply && !FULL (OTHER (d), WINDOW))

inline accept (d, n)
{
  assert (!M (d, n).delivered || exactly_once);
  M (d, n).delivered = 1;
  M (d, n).receiver = TAKEN;
  dir[d].owed++;
  dir[d].locked = dir[d].locked || M (d, n).ordered;
  k = dir[d].floor;
  do
  :: k < N && M (d, k).receiver >= TAKEN -> k++
  :: else -> break
  od;
  dir[d].floor = k;
  k = M (d, n).to;
  if
  :: M (d, n).reply && M (OTHER (d), k).sender == BEGUN ->
     M (OTHER (d), k).sender = ANSWERED;
     dir[OTHER (d)].open--
  :: else
  fi
}

inline begin (d)
{
  k = dir[d].numbers;
  M (d, k).sender = BEGUN;
  dir[d].open++;
  dir[d].numbers++
}

inline answered (d, n)
{
  dir[d].owed--;
  if
  :: M (d, n).ordered -> dir[d].locked = 0
  :: else
  fi
}

/* Something arrives, and is new as far as the floor tells. */
#define COMES(d, n) (M (d, n).sender != NOT_BEGUN && n >= dir[d].floor && \
                     n < dir[d].floor + WINDOW && \
                     (M (d, n).receiver == UNSEEN || (!works && M (d, n).receiver >= TAKEN)))

proctype message (bit d; byte n)
{
end:
  do
  :: atomic {
       COMES (d, n) ->
       if
       :: M (d, n).receiver == UNSEEN -> M (d, n).ordered = 1
       :: skip
       fi;
       d_step {
         if
         :: !HAS_ROOM (d, n) || (M (d, n).ordered && (n != dir[d].floor || dir[d].locked)) ->
            if
            :: M (d, n).receiver == UNSEEN -> M (d, n).receiver = WAITING
            :: else
            fi
         :: else -> accept (d, n)
         fi;
         skip
       }
     }
  /* What waits is accepted when it is next, there is room, and no ordered one is being handled. */
  :: d_step {
       M (d, n).receiver == WAITING && n == dir[d].floor &&
       !(M (d, n).ordered && dir[d].locked) && HAS_ROOM (d, n) ->
       accept (d, n);
       skip
     }
  /* The program's answer. */
  :: d_step {
       M (d, n).receiver == TAKEN -> M (d, n).receiver = ACKNOWLEDGED; answered (d, n)
     }
  :: d_step {
       M (d, n).receiver == TAKEN && dir[OTHER (d)].replies_left > 0 ->
       M (d, n).receiver = REPLIED;
       answered (d, n);
       dir[OTHER (d)].replies_left--;
       M (OTHER (d), dir[OTHER (d)].numbers).reply = 1;
       M (OTHER (d), dir[OTHER (d)].numbers).to = n;
       begin (OTHER (d))
     }
  /* The acknowledgement: sent again whenever its message comes again. */
  :: d_step {
       M (d, n).sender == BEGUN && M (d, n).receiver == ACKNOWLEDGED ->
       M (d, n).sender = ANSWERED;
       dir[d].open--
     }
  od
}

proctype peer (bit p)
{
end:
  do
  :: d_step {
       dir[p].unsent > 0 && !FULL (p, WINDOW) ->
       dir[p].unsent--;
       begin (p)
     }
  od
}

init
{
  byte n;

  d_step {
    dir[0].unsent = FIRST_0;
    dir[1].unsent = FIRST_1;
    dir[1].replies_left = REPLIES_1;
    works = 1 - FAULTS
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
  assert ((dir[0].unsent + dir[1].unsent + dir[0].open + dir[1].open == 0) || everything_ends)
}
