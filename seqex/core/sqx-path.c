/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sqx-path.h"

#include "sqx-util.h"

/* CHALLENGE is sent so many times, with the probe time-out doubling in between. */
#define CHALLENGE_TRIES 4u
/* Header, tag and the frame itself. */
#define LEAST (SQX_DATA_HEADER + SQX_TAG_SIZE + 1 + SQX_CHALLENGE_SIZE)

void
sqx_path_init (sqx_path          *path,
               const sqx_address *address)
{
  memset (path, 0, sizeof *path);
  path->address = *address;
  path->deadline = SQX_TIME_NEVER;
}

static void
stop (sqx_path *path)
{
  path->validating = path->due = false;
  path->deadline = SQX_TIME_NEVER;
}

static void
start (sqx_path          *path,
       const sqx_config  *config,
       const sqx_address *candidate)
{
  path->candidate = *candidate;
  path->validating = path->due = true;
  path->received = path->sent = 0;
  path->tries = 0;
  path->deadline = SQX_TIME_NEVER;
  config->random (config->user_data, path->challenge, sizeof path->challenge);
}

void
sqx_path_received (sqx_path          *path,
                   const sqx_config  *config,
                   const sqx_address *from,
                   size_t             size,
                   bool               newest)
{
  bool is_candidate = path->validating && sqx_address_equal (from, &path->candidate);

  if (newest && sqx_address_equal (from, &path->address))
    stop (path); /* the peer is where it was, or came back */
  else if (newest && !is_candidate)
    {
      start (path, config, from);
      is_candidate = true;
    }
  if (!is_candidate)
    return;
  path->received += size;
  /* It is heard and does not answer: CHALLENGE or RESPONSE was lost, and is worth another try. */
  if (path->tries > 1)
    {
      path->tries = 2;
      path->deadline = SQX_MIN (path->deadline, sqx_time_add (path->challenged, path->interval));
    }
}

void
sqx_path_challenged (sqx_path          *path,
                     const sqx_address *from,
                     const uint8_t     *bytes,
                     size_t             size)
{
  path->response_due = true;
  path->response_to = *from;
  path->response_budget = SQX_PATH_FACTOR * (uint64_t) size;
  memcpy (path->response, bytes, sizeof path->response);
}

sqx_path_change
sqx_path_proven (sqx_path      *path,
                 uint64_t       now,
                 const uint8_t *bytes,
                 uint64_t      *rtt)
{
  bool same_host;

  if (!path->validating || path->tries == 0 ||
      memcmp (bytes, path->challenge, sizeof path->challenge) != 0)
    return SQX_PATH_SAME;

  *rtt = path->tries == 1 ? now - path->challenged : SQX_TIME_NEVER;
  same_host = sqx_address_same_host (&path->candidate, &path->address);
  path->address = path->candidate;
  stop (path);
  return same_host ? SQX_PATH_PORT : SQX_PATH_HOST;
}

static size_t
room (uint64_t budget,
      size_t   full)
{
  size_t size = (size_t) SQX_MIN (budget, full);

  return size >= LEAST ? size : 0;
}

/* What may still go to the candidate, for whatever reason. */
static uint64_t
candidate_budget (const sqx_path *path)
{
  return SQX_PATH_FACTOR * path->received - path->sent;
}

static bool
responds_to_candidate (const sqx_path *path)
{
  return path->validating && sqx_address_equal (&path->response_to, &path->candidate);
}

/* A full one if the budget allows it. Little is shared out to all tries: the first may be lost, and
 * a peer that waits for this side sends no more. */
size_t
sqx_path_challenge_room (const sqx_path *path,
                         size_t          full)
{
  uint64_t budget = candidate_budget (path);

  if (!path->due)
    return 0;
  if (budget < full)
    budget = SQX_MIN (budget, SQX_MAX (budget / (CHALLENGE_TRIES - path->tries), LEAST));
  return room (budget, full);
}

void
sqx_path_challenge_sent (sqx_path *path,
                         uint64_t  now,
                         size_t    size,
                         uint64_t  pto)
{
  path->due = false;
  path->sent += size;
  path->challenged = now;
  path->interval = pto;
  path->deadline = sqx_time_add (now, pto << path->tries);
  path->tries++;
}

size_t
sqx_path_response_room (const sqx_path *path,
                        size_t          full)
{
  uint64_t budget = path->response_budget;

  if (responds_to_candidate (path))
    budget = SQX_MIN (budget, candidate_budget (path));
  return path->response_due ? room (budget, full) : 0;
}

void
sqx_path_response_sent (sqx_path *path,
                        size_t    size)
{
  path->response_due = false;
  if (responds_to_candidate (path))
    path->sent += size;
}

bool
sqx_path_send_aside (sqx_path *path,
                     size_t    size)
{
  if (!path->validating || candidate_budget (path) < size)
    return false;
  path->sent += size;
  return true;
}

void
sqx_path_timeout (sqx_path *path,
                  uint64_t  now)
{
  if (path->deadline > now)
    return;
  path->deadline = SQX_TIME_NEVER;
  if (path->tries < CHALLENGE_TRIES)
    path->due = true;
  else
    stop (path);
}
