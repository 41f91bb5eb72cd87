# SPDX-License-Identifier: LGPL-2.1-or-later
"""The relay does what its options say, and the same again for the same seed.

Usage: test-relay.py [TEST…], with the relay's path in $SEQEX_RELAY.
"""

import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import tap
from net import peers

RELAY = os.environ['SEQEX_RELAY']
MASK = (1 << 64) - 1
# As many small datagrams as a socket buffer of the default size holds unread.
BURST = 150


class Dice:
    """SplitMix64 with the relay's use of it, written anew."""

    def __init__(self, seed, right):
        self.state = (2 * seed + right) & MASK
        self.next()

    def next(self):
        self.state = (self.state + 0x9e3779b97f4a7c15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
        return z ^ (z >> 31)

    def fates(self, count, loss, duplicate, reorder):
        """How often each datagram arrives, and whether it is held back."""
        for _ in range(count):
            lost, doubled, held, *_ = [100.0 * (self.next() >> 11) * 2.0 ** -53 for _ in range(5)]
            if lost < loss:
                yield 0, False
            else:
                yield 2 if doubled < duplicate else 1, held < reorder


class RelayTest(unittest.TestCase):
    def start(self, *options):
        self.left, self.right = [self.program() for _ in range(2)]
        left, right = [f'{peers.HOST}:{each.getsockname()[1]}' for each in (self.left, self.right)]
        relay = peers.Relay(RELAY, right, options, left)
        self.addCleanup(relay.__exit__)
        for each, address in ((self.left, relay.left), (self.right, relay.right)):
            host, port = address.rsplit(':', 1)
            each.connect((host, int(port)))
        return relay

    def program(self):
        program = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        program.bind((peers.HOST, 0))
        program.settimeout(20)
        self.addCleanup(program.close)
        return program

    def burst(self, source, target, expected):
        for i in range(BURST):
            source.send(b'%d' % i)
        return [int(target.recv(64)) for _ in range(expected)]

    def test_faithful_by_default(self):
        relay = self.start()
        self.assertEqual(self.burst(self.left, self.right, BURST), list(range(BURST)))
        self.assertEqual(self.burst(self.right, self.left, BURST), list(range(BURST)))
        counters = relay.stop()
        for side in ('from-left', 'from-right'):
            self.assertEqual(counters[side]['received'], BURST)
            self.assertEqual(counters[side]['delivered'], BURST)
            self.assertEqual(counters[side]['overtaken'], 0)
            self.assertEqual(counters[side]['lost'], 0)

    def test_jitter_keeps_order(self):
        relay = self.start('--delay', '1', '--jitter', '20')
        self.assertEqual(self.burst(self.left, self.right, BURST), list(range(BURST)))
        self.assertEqual(relay.stop()['from-left']['overtaken'], 0)

    def test_fate_follows_the_seed(self):
        for seed in (1, 7):
            for right in (0, 1):
                with self.subTest(seed=seed, right=right):
                    relay = self.start('--seed', str(seed), '--loss', '30', '--duplicate', '20',
                                       '--reorder', '25', '--delay', '5')
                    fates = list(Dice(seed, right).fates(BURST, 30, 20, 25))
                    ends = (self.right, self.left) if right else (self.left, self.right)
                    got = self.burst(*ends, sum(times for times, _ in fates))
                    self.assertEqual([got.count(i) for i in range(BURST)],
                                     [times for times, _ in fates])
                    side = relay.stop()['from-right' if right else 'from-left']
                    self.assertEqual(side['received'], BURST)
                    self.assertEqual(side['lost'], sum(times == 0 for times, _ in fates))
                    self.assertEqual(side['duplicated'], sum(times == 2 for times, _ in fates))
                    self.assertEqual(side['held'], sum(held for _, held in fates))
                    self.assertEqual(side['delivered'], len(got))
                    self.assertGreater(side['lost'], 0)
                    self.assertGreater(side['duplicated'], 0)
                    self.assertGreater(side['overtaken'], 0)

    def test_delay(self):
        self.start('--delay', '40')
        start = time.monotonic()
        self.left.send(b'there')
        self.right.recv(64)
        self.right.send(b'and back')
        self.left.recv(64)
        self.assertGreaterEqual(time.monotonic() - start, 0.080)

    def test_strangers_are_dropped(self):
        relay = self.start()
        stranger = self.program()
        stranger.connect(self.left.getpeername())
        stranger.send(b'let me in')
        self.left.send(b'hello')
        self.assertEqual(self.right.recv(64), b'hello')
        self.assertEqual(relay.stop()['from-left']['stranger'], 1)

    def test_one_socket_for_each_program_on_the_left(self):
        right = self.program()
        relay = peers.Relay(RELAY, f'{peers.HOST}:{right.getsockname()[1]}', [])
        self.addCleanup(relay.__exit__)
        host, port = relay.left.rsplit(':', 1)
        seen = set()
        for own in (peers.HOST, peers.HOST, '127.0.0.2'):
            left = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.addCleanup(left.close)
            left.bind((own, 0))
            left.settimeout(20)
            left.sendto(b'hello', (host, int(port)))
            data, address = right.recvfrom(64)
            self.assertEqual((data, address[0]), (b'hello', own))
            seen.add(address)
            right.sendto(b'answer', address)
            self.assertEqual(left.recv(64), b'answer')
        self.assertEqual(len(seen), 3)

    def test_another_port_now_and_then(self):
        left, right = self.program(), self.program()
        relay = peers.Relay(RELAY, f'{peers.HOST}:{right.getsockname()[1]}', ['--rebind', '10'])
        self.addCleanup(relay.__exit__)
        host, port = relay.left.rsplit(':', 1)
        left.connect((host, int(port)))
        seen = []
        for i in range(35):
            left.send(b'x')
            seen.append(right.recvfrom(64)[1])
            # The answer to the last one before the change finds nobody.
            if i % 10 != 9:
                right.sendto(b'y', seen[-1])
                self.assertEqual(left.recv(64), b'y')
        self.assertEqual([len(set(seen[i:i + 10])) for i in (0, 10, 20, 30)], [1, 1, 1, 1])
        self.assertEqual(len(set(seen)), 4)
        self.assertEqual(relay.stop()['from-left']['rebound'], 3)

    def test_ends_with_its_standard_input(self):
        relay = self.start()
        relay.child.process.stdin.close()
        self.assertEqual(relay.child.process.wait(timeout=20), 0)


if __name__ == '__main__':
    tap.main()
