/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two ends of an emulated link: a network namespace each, with a tun device in it.
 */
#pragma once

#include <glib.h>

typedef struct
{
  const char *name;
  char        address[16];
  int         netns;   /* kept open: the namespace lives as long as the descriptor */
  int         tun;     /* IP packets, non-blocking */
} LinkEnd;

/* Becomes able to make namespaces: without root, in a user namespace of its own. */
gboolean link_ends_prepare (GError **error);
/* Makes a namespace and its device, and stays in it. */
gboolean link_end_open     (LinkEnd *end, const char *name, const char *address, int mtu,
                            GError **error);
/* The program there has another address from now on. */
gboolean link_end_move     (LinkEnd *end, const char *address, GError **error);
