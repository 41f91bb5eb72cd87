/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The worlds of sim-random.c and sim-families.c with encrypted links, and what only these have.
 */

#include "sim-host.h"

const sim_scenario sim_scenarios_secure[] = {
  { "secure-random", NULL, 2000, 40000, "E1 E2 E3 E4 L1, encrypted", true },
  { "secure-burst", NULL, 8, 300, "L1, encrypted", true },
  { "secure-three-trips", NULL, 10, 200, "L1, encrypted", true },
  { "secure-capacity", NULL, 200, 8000, "L1 R7 E4, encrypted", true },
  { "secure-wrap", NULL, 300, 10000, "E4, encrypted", true },
  { "secure-restart", NULL, 480, 20000, "S8: an endpoint restarts at every packet", true },
  { "secure-kill", NULL, 200, 6000, "L2, encrypted", true },
  { "secure-slow-handler", NULL, 1, 20, "L3, encrypted", true },
  { "secure-close", NULL, 400, 10000, "rule 14, encrypted", true },
  { "secure-last-words", NULL, 40, 1000, "rule 14, encrypted", true },
  { "secure-idle", NULL, 4, 100, "liveness, encrypted", true },
  { "secure-flipped-bits", NULL, 200, 10000, "S1: no flipped bit gets through", true },
  { "secure-streams", NULL, 300, 20000, "E1 E2 L1 of streams, while hosts move and links die",
    true },
  { "secure-sparse", NULL, 4, 100, "R3, encrypted", true },
  { "secure-last-missing", NULL, 4, 100, "R3, encrypted", true },
  { "secure-huge-claims", NULL, 10, 300, "R3, encrypted", true },
  { "secure-overlaps", NULL, 20, 1000, "R3, encrypted", true },
  { "secure-violations", NULL, 120, 6000, "A1 D11, encrypted", true },
  { "secure-strays", NULL, 10, 300, "D4 D11, encrypted", true },
  { "secure-never-acks", NULL, 4, 100, "R4, encrypted", true },
  { "secure-acks-few", NULL, 3, 50, "R4, encrypted", true },
  { "secure-withheld", NULL, 4, 100, "R4, encrypted", true },
  { "secure-flood", NULL, 3, 12, "R5, encrypted", true },
  { NULL, NULL, 0, 0, NULL, false },
};
