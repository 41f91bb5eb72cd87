/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "link-ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "link0"
/* What a host may hand over before anybody reads it; the emulated queue is another one. */
#define DEVICE_QUEUE 20000

static gboolean
fail (GError **error, const char *what)
{
  int code = errno;

  g_set_error (error, G_IO_ERROR, (gint) g_io_error_from_errno (code), "%s: %s", what,
               g_strerror (code));
  return FALSE;
}

static gboolean
write_file (const char *path, const char *text, GError **error)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);
  gboolean done = fd >= 0 && write (fd, text, strlen (text)) == (gssize) strlen (text);

  if (!done)
    fail (error, path);
  if (fd >= 0)
    close (fd);
  return done;
}

gboolean
link_ends_prepare (GError **error)
{
  g_autofree char *users = g_strdup_printf ("0 %u 1", (guint) geteuid ());
  g_autofree char *groups = g_strdup_printf ("0 %u 1", (guint) getegid ());

  if (geteuid () == 0)
    return TRUE;
  if (unshare (CLONE_NEWUSER) != 0)
    return fail (error, "a user namespace");
  return write_file ("/proc/self/setgroups", "deny", error)
         && write_file ("/proc/self/uid_map", users, error)
         && write_file ("/proc/self/gid_map", groups, error);
}

static void
set_inet (struct ifreq *request, const char *address)
{
  struct sockaddr_in inet = { .sin_family = AF_INET };

  inet_pton (AF_INET, address, &inet.sin_addr);
  memcpy (&request->ifr_addr, &inet, sizeof inet);
}

/* Of the namespace that the process is in. */
static gboolean
configure (const char *address, int mtu, GError **error)
{
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = { .ifr_name = "lo" };
  gboolean done;

  request.ifr_flags = IFF_UP;
  done = ioctl (fd, SIOCSIFFLAGS, &request) == 0;
  strcpy (request.ifr_name, DEVICE);
  request.ifr_mtu = mtu;
  done = done && (mtu == 0 || ioctl (fd, SIOCSIFMTU, &request) == 0);
  request.ifr_qlen = DEVICE_QUEUE;
  done = done && ioctl (fd, SIOCSIFTXQLEN, &request) == 0;
  set_inet (&request, address);
  done = done && ioctl (fd, SIOCSIFADDR, &request) == 0;
  set_inet (&request, "255.255.255.0");
  done = done && ioctl (fd, SIOCSIFNETMASK, &request) == 0;
  request.ifr_flags = IFF_UP;
  done = done && ioctl (fd, SIOCSIFFLAGS, &request) == 0;
  if (!done)
    fail (error, "the device " DEVICE);
  if (fd >= 0)
    close (fd);
  return done;
}

gboolean
link_end_open (LinkEnd *end, const char *name, const char *address, int mtu, GError **error)
{
  struct ifreq request = { .ifr_name = DEVICE };

  end->name = name;
  g_strlcpy (end->address, address, sizeof end->address);
  if (unshare (CLONE_NEWNET) != 0)
    return fail (error, "a network namespace");
  end->netns = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  end->tun = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (end->tun < 0)
    return fail (error, "/dev/net/tun");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (end->netns < 0 || ioctl (end->tun, TUNSETIFF, &request) != 0)
    return fail (error, "the tun device");
  /* Nothing but what the programs send goes over the link, and no transfer of TCP knows of the one
   * before it. */
  write_file ("/proc/sys/net/ipv6/conf/" DEVICE "/disable_ipv6", "1", NULL);
  write_file ("/proc/sys/net/ipv4/tcp_no_metrics_save", "1", NULL);
  return configure (address, mtu, error);
}

gboolean
link_end_move (LinkEnd *end, const char *address, GError **error)
{
  struct in_addr parsed;

  if (inet_pton (AF_INET, address, &parsed) != 1)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "not an IPv4 address: %s",
                   address);
      return FALSE;
    }
  if (setns (end->netns, CLONE_NEWNET) != 0)
    return fail (error, "the namespace");
  if (!configure (address, 0, error))
    return FALSE;
  g_strlcpy (end->address, address, sizeof end->address);
  return TRUE;
}
