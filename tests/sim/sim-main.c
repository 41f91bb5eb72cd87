/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sim [--scenario NAME]… [--seeds A..B] [--jobs N] [--trace] [--hashes] [--list] [--tap]
 *     [--short | --long] [--share PERCENT]
 *
 * Runs scenarios, seed by seed, in several processes. What fails is printed with its seed and with
 * the command that shows it again, step by step.
 */

#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX     64
#define WANTED_MAX   128
#define FAILURES_MAX 10  /* of a scenario; it is given up then */
#define SEED_SECONDS 300 /* of real time for one seed: more is a hang inside of the core */

static const char *program_name;

typedef struct
{
  uint64_t first, last;
  unsigned jobs;
  unsigned share;  /* percent of the seeds that a form of the suite has */
  bool     given;  /* seeds were given */
  bool     trace, hashes, tap, is_long, is_short;
} options;

/* What a job tells the others; in shared memory. */
typedef struct
{
  volatile uint64_t seed;    /* being run */
  volatile bool     running;
  uint64_t seeds, failures;
  uint64_t exchanges, delivered, replies, datagrams, links;
  uint64_t hash;             /* sum over the seeds: independent of the number of jobs */
} tally;

static void
print_replay (const char *scenario,
              uint64_t    seed)
{
  printf ("# replay: %s --scenario %s --seeds %llu --trace\n", program_name, scenario,
          (unsigned long long) seed);
}

static const sim_scenario *
find_scenario (const char *name)
{
  for (const sim_scenario *const *set = sim_all_scenarios; *set != NULL; set++)
    for (const sim_scenario *it = *set; it->name != NULL; it++)
      if (strcmp (it->name, name) == 0)
        return it;
  fprintf (stderr, "%s: there is no scenario \"%s\"; --list names them\n", program_name, name);
  exit (2);
}

bool
sim_scenario_run (const sim_scenario *scenario,
                  uint64_t            seed,
                  bool                trace,
                  sim_world          *result)
{
  sim_world *world = sim_world_new (scenario->name, seed, trace);

  if (setjmp (world->failed) != 0)
    {
      /* Nobody knows in which state it is, so it stays as it is. */
      printf ("# FAILED %s, seed %llu, after %llu us: %s\n", scenario->name,
              (unsigned long long) seed, (unsigned long long) (world->now - world->start),
              world->failure);
      print_replay (scenario->name, seed);
      if (trace)
        sim_world_describe (world);
      fflush (stdout);
      return false;
    }
  (scenario->secure ? find_scenario (scenario->name + 7) : scenario)->run (world);
  *result = *world;
  sim_world_free (world);
  return true;
}

static void
run_seed (const sim_scenario *scenario,
          uint64_t            seed,
          const options      *chosen,
          tally              *mine)
{
  static sim_world world;

  mine->seed = seed;
  mine->running = true;
  alarm (SEED_SECONDS);
  mine->seeds++;
  if (sim_scenario_run (scenario, seed, chosen->trace, &world))
    {
      mine->exchanges += world.exchanges;
      mine->delivered += world.delivered;
      mine->replies += world.replies;
      mine->datagrams += world.datagrams;
      mine->links += world.link_losses;
      mine->hash += sim_mix (world.hash);
      if (chosen->hashes)
        {
          printf ("%s %llu %016llx\n", scenario->name, (unsigned long long) seed,
                  (unsigned long long) world.hash);
          fflush (stdout);
        }
    }
  else
    mine->failures++;
  mine->running = false;
}

static void
work (const sim_scenario *scenario,
      const options      *chosen,
      uint64_t            first,
      uint64_t            last,
      tally              *all,
      unsigned            job,
      unsigned            jobs)
{
  for (uint64_t seed = first + job; seed <= last; seed += jobs)
    {
      uint64_t failures = 0;

      for (unsigned i = 0; i < jobs; i++)
        failures += all[i].failures;
      if (failures >= FAILURES_MAX)
        break;
      run_seed (scenario, seed, chosen, &all[job]);
    }
}

static bool
wait_for_job (const sim_scenario *scenario,
              pid_t               process,
              const tally        *its)
{
  int status = 0;

  while (waitpid (process, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0 && !its->running)
    return true;
  if (WIFSIGNALED (status))
    printf ("# FAILED %s, seed %llu: %s\n", scenario->name, (unsigned long long) its->seed,
            WTERMSIG (status) == SIGALRM ? "it hangs" : strsignal (WTERMSIG (status)));
  else
    printf ("# FAILED %s, seed %llu: its process exits with %d\n", scenario->name,
            (unsigned long long) its->seed, WEXITSTATUS (status));
  print_replay (scenario->name, its->seed);
  return false;
}

/* Without other processes, so that a debugger and a trace see it. */
static bool
run_here (const sim_scenario *scenario,
          const options      *chosen,
          uint64_t            first,
          uint64_t            last,
          tally              *sum)
{
  work (scenario, chosen, first, last, sum, 0, 1);
  return sum->failures == 0;
}

static bool
run_jobs (const sim_scenario *scenario,
          const options      *chosen,
          uint64_t            first,
          uint64_t            last,
          tally              *sum)
{
  unsigned jobs = chosen->jobs;
  pid_t processes[JOBS_MAX];
  bool good = true;
  tally *all = mmap (NULL, jobs * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);

  if (all == MAP_FAILED)
    abort ();
  fflush (stdout);
  for (unsigned i = 0; i < jobs; i++)
    {
      processes[i] = fork ();
      if (processes[i] == 0)
        {
          work (scenario, chosen, first, last, all, i, jobs);
          fflush (stdout);
          _exit (0);
        }
      if (processes[i] < 0)
        abort ();
    }
  for (unsigned i = 0; i < jobs; i++)
    {
      good = wait_for_job (scenario, processes[i], &all[i]) && good && all[i].failures == 0;
      sum->seeds += all[i].seeds;
      sum->failures += all[i].failures;
      sum->exchanges += all[i].exchanges;
      sum->delivered += all[i].delivered;
      sum->replies += all[i].replies;
      sum->datagrams += all[i].datagrams;
      sum->links += all[i].links;
      sum->hash += all[i].hash;
    }
  munmap (all, jobs * sizeof *all);
  return good;
}

static bool
run_scenario (const sim_scenario *scenario,
              const options      *chosen,
              unsigned            number,
              tally              *total)
{
  uint64_t first = 1;
  uint64_t last = (chosen->is_long ? scenario->long_seeds : scenario->seeds) * chosen->share / 100;
  struct timespec begin, end;
  tally sum = { 0 };
  bool good;

  if (chosen->given)
    {
      first = chosen->first;
      last = chosen->last;
    }
  else if (last == 0)
    last = 1;
  clock_gettime (CLOCK_MONOTONIC, &begin);
  if (chosen->jobs == 1)
    good = run_here (scenario, chosen, first, last, &sum);
  else
    good = run_jobs (scenario, chosen, first, last, &sum);
  clock_gettime (CLOCK_MONOTONIC, &end);
  if (chosen->tap)
    printf ("%s %u - %s\n", good ? "ok" : "not ok", number, scenario->name);
  if (!chosen->hashes)
    printf ("# %-20s %8llu seeds %10llu exchanges %10llu messages %10llu datagrams  %lld s  hash "
            "%016llx\n", scenario->name, (unsigned long long) sum.seeds,
            (unsigned long long) sum.exchanges, (unsigned long long) sum.delivered,
            (unsigned long long) sum.datagrams, (long long) (end.tv_sec - begin.tv_sec),
            (unsigned long long) sum.hash);
  fflush (stdout);
  total->seeds += sum.seeds;
  total->exchanges += sum.exchanges;
  total->delivered += sum.delivered;
  total->replies += sum.replies;
  total->datagrams += sum.datagrams;
  total->links += sum.links;
  return good;
}

static unsigned
count_scenarios (void)
{
  unsigned count = 0;

  for (const sim_scenario *const *set = sim_all_scenarios; *set != NULL; set++)
    for (const sim_scenario *it = *set; it->name != NULL; it++)
      count++;
  return count;
}

static void
list_scenarios (void)
{
  for (const sim_scenario *const *set = sim_all_scenarios; *set != NULL; set++)
    for (const sim_scenario *it = *set; it->name != NULL; it++)
      printf ("%-20s %6llu / %6llu seeds   %s\n", it->name, (unsigned long long) it->seeds,
              (unsigned long long) it->long_seeds, it->shows);
}

static void
parse_seeds (options    *chosen,
             const char *text)
{
  char *rest;

  chosen->first = chosen->last = strtoull (text, &rest, 10);
  if (strncmp (rest, "..", 2) == 0)
    chosen->last = strtoull (rest + 2, &rest, 10);
  if (*rest != '\0' || chosen->last < chosen->first)
    {
      fprintf (stderr, "%s: seeds are given as A or A..B\n", program_name);
      exit (2);
    }
  chosen->given = true;
}

static void
usage (void)
{
  fprintf (stderr, "usage: %s [--scenario NAME]... [--seeds A..B] [--jobs N] [--trace] [--hashes]\n"
                   "       [--list] [--tap] [--long] [--share PERCENT]\n", program_name);
  exit (2);
}

static unsigned
parse_number (const char *text,
              unsigned    most)
{
  unsigned long value = strtoul (text, NULL, 10);

  if (value == 0 || value > most)
    usage ();
  return (unsigned) value;
}

int
main (int   argc,
      char *argv[])
{
  static const struct option known[] = {
    { "scenario", required_argument, NULL, 'n' }, { "seeds", required_argument, NULL, 's' },
    { "jobs", required_argument, NULL, 'j' },     { "trace", no_argument, NULL, 't' },
    { "hashes", no_argument, NULL, 'h' },         { "list", no_argument, NULL, 'l' },
    { "tap", no_argument, NULL, 'p' },            { "long", no_argument, NULL, 'L' },
    { "share", required_argument, NULL, 'S' },    { NULL, 0, NULL, 0 },
  };
  options chosen = { .jobs = 1, .share = 100 };
  const sim_scenario *wanted[WANTED_MAX];
  unsigned count = 0;
  tally total = { 0 };
  bool good = true;
  int option;

  program_name = argv[0];
  while ((option = getopt_long (argc, argv, "", known, NULL)) != -1)
    switch (option)
      {
      case 'n':
        if (count == WANTED_MAX)
          usage ();
        wanted[count++] = find_scenario (optarg);
        break;
      case 's': parse_seeds (&chosen, optarg); break;
      case 'j': chosen.jobs = parse_number (optarg, JOBS_MAX); break;
      case 'S': chosen.share = parse_number (optarg, 100000); break;
      case 't': chosen.trace = true; break;
      case 'h': chosen.hashes = true; break;
      case 'p': chosen.tap = true; break;
      case 'L': chosen.is_long = true; break;
      case 'l': list_scenarios (); return 0;
      default: usage ();
      }
  if (optind != argc)
    usage ();
  if (count == 0 && count_scenarios () <= WANTED_MAX)
    for (const sim_scenario *const *set = sim_all_scenarios; *set != NULL; set++)
      for (const sim_scenario *it = *set; it->name != NULL; it++)
        wanted[count++] = it;
  if (chosen.tap)
    printf ("1..%u\n", count);
  for (unsigned i = 0; i < count; i++)
    good = run_scenario (wanted[i], &chosen, i + 1, &total) && good;
  if (!chosen.hashes)
    printf ("# in all: %llu seeds, %llu exchanges, %llu messages delivered, %llu replies, "
            "%llu datagrams, %llu links lost\n", (unsigned long long) total.seeds,
            (unsigned long long) total.exchanges, (unsigned long long) total.delivered,
            (unsigned long long) total.replies, (unsigned long long) total.datagrams,
            (unsigned long long) total.links);
  fflush (stdout);
  /* A failed world is left lying where it fell: no leak checker should add to what was said. */
  if (!good)
    _exit (1);
  return 0;
}
