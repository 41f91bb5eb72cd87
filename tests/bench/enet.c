/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ENet with reliable packets on one channel, in its own loop, which is made for it: the host sleeps
 * in enet_host_service() and gives one event after the other; what is sent meanwhile leaves when
 * there are no more events, many packets in a datagram. Its MTU is set to the largest that it takes
 * where the path has room. Bulk: packets of bytes that it need not copy; it tells when a packet was
 * acknowledged.
 */
#include <enet/enet.h>

#include "harness.h"

#define WAIT 10 /* ms; whoever waits is woken by what comes */

static guint bulk_outstanding;

static ENetHost *
new_host (Bench             *bench,
          const ENetAddress *address)
{
  ENetHost *host;

  if (enet_initialize () != 0)
    bench_fail ("ENet does not start");
  host = enet_host_create (address, address != NULL ? 64 : 1, 1, 0, 0);
  if (host == NULL)
    bench_fail ("no ENet host");
  host->mtu = MIN (bench_datagram_size (bench), ENET_PROTOCOL_MAXIMUM_MTU);
  return host;
}

static void
send_packet (ENetPeer   *peer,
             ENetPacket *packet)
{
  if (packet == NULL || enet_peer_send (peer, 0, packet) != 0)
    bench_fail ("ENet does not take a packet");
}

static void
take_at_server (Bench     *bench,
                ENetEvent *event)
{
  if (event->type != ENET_EVENT_TYPE_RECEIVE)
    return;
  if (bench_work (bench) == WORK_BULK)
    bench_received (bench, event->packet->data, event->packet->dataLength);
  else
    send_packet (event->peer, enet_packet_create (event->packet->data, event->packet->dataLength,
                                                  ENET_PACKET_FLAG_RELIABLE));
  enet_packet_destroy (event->packet);
}

static void
serve (Bench *bench)
{
  ENetAddress address = { 0 };
  ENetEvent event;
  ENetHost *host;

  enet_address_set_host_ip (&address, bench_host (bench));
  host = new_host (bench, &address);
  bench_ready (bench, host->address.port, NULL);
  while (TRUE)
    while (enet_host_service (host, &event, WAIT) > 0)
      take_at_server (bench, &event);
}

static ENetPeer *
open_connection (Bench    *bench,
                 ENetHost *host)
{
  ENetAddress address = { 0 };
  ENetEvent event;
  ENetPeer *peer;

  enet_address_set_host_ip (&address, bench_host (bench));
  address.port = (enet_uint16) bench_port (bench);
  peer = enet_host_connect (host, &address, 1, 0);
  if (peer == NULL || enet_host_service (host, &event, 5000) <= 0
      || event.type != ENET_EVENT_TYPE_CONNECT)
    bench_fail ("ENet does not connect");
  return peer;
}

static void
send_request (Bench    *bench,
              ENetPeer *peer,
              guint     slot)
{
  ENetPacket *packet = enet_packet_create (NULL, bench_size (bench), ENET_PACKET_FLAG_RELIABLE);

  if (packet != NULL)
    bench_request (bench, slot, packet->data);
  send_packet (peer, packet);
}

static void
drive_requests (Bench    *bench,
                ENetHost *host,
                ENetPeer *peer)
{
  ENetEvent event;
  guint slot;

  for (slot = 0; slot < bench_depth (bench); slot++)
    send_request (bench, peer, slot);
  while (!bench_finished (bench))
    while (enet_host_service (host, &event, WAIT) > 0)
      {
        if (event.type != ENET_EVENT_TYPE_RECEIVE)
          bench_fail ("ENet lost the peer");
        if (bench_reply (bench, event.packet->data, event.packet->dataLength, &slot))
          send_request (bench, peer, slot);
        enet_packet_destroy (event.packet);
        if (bench_finished (bench))
          return;
      }
}

static void
acknowledged_cb (ENetPacket *packet)
{
  bulk_outstanding--;
}

/* An acknowledgement is no event, so the socket is waited for, and the host looked after. */
static void
drive_bulk (Bench    *bench,
            ENetHost *host,
            ENetPeer *peer)
{
  ENetEvent event;

  while (!bench_finished (bench))
    {
      enet_uint32 condition = ENET_SOCKET_WAIT_RECEIVE;
      gconstpointer message;

      while (bulk_outstanding < bench_depth (bench) && bench_bulk (bench, &message))
        {
          ENetPacket *packet = enet_packet_create (message, bench_size (bench),
                                                   ENET_PACKET_FLAG_RELIABLE
                                                     | ENET_PACKET_FLAG_NO_ALLOCATE);

          packet->freeCallback = acknowledged_cb;
          bulk_outstanding++;
          send_packet (peer, packet);
        }
      while (enet_host_service (host, &event, 0) > 0)
        if (event.type == ENET_EVENT_TYPE_DISCONNECT)
          bench_fail ("ENet lost the peer");
      enet_socket_wait (host->socket, &condition, 1);
    }
}

static void
drive (Bench *bench)
{
  ENetHost *host = new_host (bench, NULL);
  ENetPeer *peer = open_connection (bench, host);

  bench_begin (bench);
  if (bench_work (bench) == WORK_BULK)
    drive_bulk (bench, host, peer);
  else
    drive_requests (bench, host, peer);
}

int
main (int    argc,
      char **argv)
{
  static const char *const variants[] = { "reliable", NULL };
  static const System system = {
    .name = "enet",
    .variants = variants,
    .works = WORK_REQUESTS | WORK_BULK,
    .serve = serve,
    .drive = drive,
  };

  return bench_main (&system, argc, argv);
}
