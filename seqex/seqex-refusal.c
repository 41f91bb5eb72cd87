/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "seqex-refusal-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/errqueue.h>

#include "seqex-address-private.h"

void
seqex_refusal_watch (GSocket *socket)
{
  /* A socket that knows IPv6 alone refuses the first, one of IPv4 the second; neither matters. */
  g_socket_set_option (socket, IPPROTO_IP, IP_RECVERR, TRUE, NULL);
  if (g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6)
    g_socket_set_option (socket, IPPROTO_IPV6, IPV6_RECVERR, TRUE, NULL);
}

static gboolean
is_about_errors (const struct cmsghdr *header)
{
  return (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR)
         || (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
}

gboolean
seqex_refusal_take (GSocket      *socket,
                    sqx_address  *to,
                    GError      **error)
{
  struct sockaddr_storage address;
  /* Room for the error and the address of who said it. */
  union
  {
    struct cmsghdr header;
    guint8         bytes[512];
  } control;
  struct msghdr message = {
    .msg_name = &address,
    .msg_namelen = sizeof address,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };

  if (recvmsg (g_socket_get_fd (socket), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
    return FALSE;

  if (!seqex_address_from_native (to, (const struct sockaddr *) &address, message.msg_namelen))
    return TRUE;
  for (struct cmsghdr *header = CMSG_FIRSTHDR (&message); header != NULL;
       header = CMSG_NXTHDR (&message, header))
    if (is_about_errors (header))
      {
        struct sock_extended_err what;
        int code;

        memcpy (&what, CMSG_DATA (header), sizeof what);
        code = (int) what.ee_errno;
        if (code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH)
          {
            g_autofree char *where = seqex_address_to_string (to);

            g_clear_error (error);
            g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code),
                         "Nobody answers at %s: %s", where, g_strerror (code));
          }
      }
  return TRUE;
}
