#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes from opening a connection to the first reply, in round trips, and in bytes.

Usage: first-reply.py RELAY, by a Python that has PyGObject and finds the typelib.

Both sides are in this process; the relay between them holds everything back for as long as makes
the rest of the time count for little.
"""

import os
import sys
import time

import gi

gi.require_version('Seqex', '1')
from gi.repository import Gio, GLib, Seqex

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from net import peers

DELAY = 200  # ms, one way
ROUNDS = 3


class Measurement:
    """One connection, one request of four bytes, one reply of four."""

    def __init__(self, relay_program, with_key):
        self.loop = GLib.MainLoop()
        self.with_key = with_key
        self.server = Seqex.Endpoint(trust_policy=Seqex.TrustPolicy.ANYONE)
        self.client = Seqex.Endpoint(trust_policy=Seqex.TrustPolicy.ANYONE)
        self.server.bind(Gio.InetSocketAddress.new_from_string(peers.HOST, 0))
        self.server.connect('connection', lambda _, each: each.connect('message', self.reply))
        address = self.server.get_local_address().to_string()
        self.relay = peers.Relay(relay_program, address, ['--delay', str(DELAY)])

    @staticmethod
    def reply(connection, message):
        message.reply_async(message.get_payload(), Seqex.SendFlags.NONE, None, None)
        return True

    def opened(self, endpoint, result):
        self.connection = endpoint.open_connection_finish(result)
        self.connection.send_with_reply_async(GLib.Bytes.new(b'ping'), Seqex.SendFlags.NONE, None,
                                              self.replied)

    def replied(self, connection, result):
        connection.send_with_reply_finish(result)
        self.seconds = time.monotonic() - self.start
        self.loop.quit()

    def run(self):
        key = self.server.get_identity().get_fingerprint() if self.with_key else None
        peer = Gio.NetworkAddress.parse(self.relay.left, 0)
        with self.relay:
            self.start = time.monotonic()
            self.client.open_connection_async(peer, key, None, self.opened)
            self.loop.run()
            counters = self.relay.stop()
        sides = (counters['from-left'], counters['from-right'])
        return (1000 * self.seconds / (2 * DELAY), [side['delivered'] for side in sides],
                [side['delivered-bytes'] for side in sides])


def main(relay_program):
    for with_key, name in ((False, 'unknown key (XX)'), (True, 'expected key (IK)')):
        for _ in range(ROUNDS):
            trips, datagrams, sizes = Measurement(relay_program, with_key).run()
            print(f'{name}: {trips:.2f} round trips; {datagrams[0]} datagrams and {sizes[0]} bytes '
                  f'there, {datagrams[1]} and {sizes[1]} back')


if __name__ == '__main__':
    main(*sys.argv[1:])
