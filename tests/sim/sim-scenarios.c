/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "sim.h"

const sim_scenario *const sim_all_scenarios[] = {
  sim_scenarios_random,
  sim_scenarios_families,
  sim_scenarios_streams,
  sim_scenarios_attacks,
  sim_scenarios_costs,
  sim_scenarios_secure,
  sim_scenarios_links,
  sim_scenarios_intruders,
  NULL,
};
