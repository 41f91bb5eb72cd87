# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two programs on two hosts with a router between them: they move, are cut off, restart.

Usage: test-netns.py [--long] [--count NUMBER] [TEST…]

To be run by a Python that has PyGObject, as root, or by anybody where the system lets everybody
make user namespaces. --count says how often each move is made; with --long the link is cut for two
minutes.
"""

import argparse
import errno
import hashlib
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '..'))

import network
import tap

TRANSFER = 64 << 20
CHUNK = 64 << 10
QUESTIONS = 1000
LARGE = 16 << 20
# The goal, held against in the long form. In the short one, which shares its machine with others,
# a move is told long before the next keep-alive.
PROBE_TIMEOUTS = 3
SHORT_PAUSE = 2000  # ms
# A transfer may be over before the address has changed; then that is tried again.
TRIES = 6
IDLE = 2000  # ms
# The first keep-alive, a probe time-out without an answer, a handshake.
FOUND_SECONDS = IDLE / 1000
SLACK_SECONDS = 2
FORBIDDEN_SECONDS = 1.5
TOLD_SECONDS = 5
APPLICATION = 'seqex-test-netns'


class Options:
    count = 2
    long = False


class NetworkTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='seqex-netns-')
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.network = network.Network()
        self.addCleanup(self.network.__exit__)
        self.network.__enter__()
        self.client, self.server = self.network.client, self.network.server

    def start(self, host):
        return host.start(os.path.join(self.directory, host.name), APPLICATION)

    def meet(self, with_key=True, **properties):
        """Starts both programs, and a connection between them."""
        self.server_is = self.start(self.server)
        self.client_is = self.start(self.client)
        for host in (self.server, self.client):
            host.ask('properties', 'set', **properties)
        self.server.ask('listen', 'listening')
        self.open(with_key)

    def open(self, with_key=True):
        key = self.server_is['key'] if with_key else None
        self.client.tell('open', host=self.server.address, key=key)
        self.assertEqual(self.client.wait('connected')['key'], self.server_is['key'])
        self.assertEqual(self.server.wait('connected')['key'], self.client_is['key'])

    def hold_questions(self, **more):
        self.server.tell('hold', count=QUESTIONS)
        self.client.tell('questions', count=QUESTIONS, **more)
        self.server.wait('held', count=QUESTIONS)

    def check_answers(self, **more):
        """Every question is answered, each once, by the answer to it."""
        answering = self.server.ask('answer', 'answering', **more)
        self.assertEqual((answering['count'], answering['repeated']), (QUESTIONS, 0))
        answered = self.client.wait('answered')
        self.assertEqual(answered, {'event': 'answered', 'good': QUESTIONS, 'errors': {},
                                    'once': True})


class MoveTest(NetworkTest):
    """One of the two gets another address in the middle of two transfers, one each way, while a
    thousand exchanges are open."""

    def move(self, mover, other):
        for host in (self.client, self.server):
            host.ask('expect', 'expecting', size=TRANSFER)
        for host in (self.client, self.server):
            host.tell('send', size=TRANSFER, chunk=CHUNK)
        self.client.wait('half')
        marks = [host.ask('mark', 'marked') for host in (self.client, self.server)]
        mover.move()
        progress = [host.ask('progress', 'progress') for host in (self.client, self.server)]
        in_time = all(each['done'] < TRANSFER for each in progress)
        received = [host.wait('received') for host in (self.client, self.server)]

        pattern = hashlib.shake_128(str(CHUNK).encode()).digest(CHUNK)
        digest = hashlib.sha256(pattern * (TRANSFER // CHUNK)).hexdigest()
        for each in received:
            self.assertEqual((each['size'], each['wrong'], each['sha256']), (TRANSFER, 0, digest))
        moved = [said['address'] for said in other.seen if said['event'] == 'moved']
        self.assertEqual(moved[-1:], [mover.address], 'the other side has not followed')
        pto = max(mark['pto'] for mark in marks)
        pause = max(each['pause'] for each in received)
        print(f'# {mover.name} moved to {mover.address}: nothing came for {pause:.0f} ms, that is '
              f'{pause / pto:.2f} probe time-outs of {pto:.0f} ms'
              + ('' if in_time else ', but it was over too early'), flush=True)
        if not in_time:
            return None
        if not Options.long:
            self.assertLess(pause, SHORT_PAUSE)
        return pause / pto

    def moves(self, choose):
        self.meet()
        mover, other = choose()
        stalls = []
        for _ in range(Options.count * TRIES):
            self.hold_questions()
            stall = self.move(mover, other)
            self.check_answers()
            if stall is not None:
                stalls.append(stall)
            if len(stalls) == Options.count:
                break
        self.assertEqual(len(stalls), Options.count, 'the transfers were over too early')
        late = sum(stall > PROBE_TIMEOUTS for stall in stalls)
        print(f'# {mover.name}: {Options.count - late} of {Options.count} within '
              f'{PROBE_TIMEOUTS} probe time-outs, the longest {max(stalls):.2f}', flush=True)
        if Options.long:
            self.assertEqual(late, 0, stalls)

    def test_client_moves(self):
        self.moves(lambda: (self.client, self.server))

    def test_server_moves(self):
        self.moves(lambda: (self.server, self.client))

    def test_silent_server_moves(self):
        """Nothing is on its way: the one who moved says so, long before the next keep-alive."""
        self.meet()
        self.hold_questions()
        # Until the last acknowledgement has come.
        time.sleep(0.5)
        self.server.move()
        start = time.monotonic()
        self.client.wait('moved', timeout=TOLD_SECONDS, address=self.server.address)
        print(f'# told after {1000 * (time.monotonic() - start):.0f} ms', flush=True)
        self.check_answers()


class CutTest(NetworkTest):
    def test_cut(self):
        """The link is cut under a thousand open exchanges and a large message on its way."""
        seconds, idle = (120, 30000) if Options.long else (5, IDLE)
        self.meet(persistent=True, idle_timeout=idle, keepalive_interval=idle // 4)
        self.hold_questions()
        self.client.tell('large', size=LARGE)
        self.assertFalse(self.client.wait('under-way')['answered'], 'it was over too early')
        self.network.cut()
        start = time.monotonic()
        for host in (self.client, self.server):
            host.wait('state', timeout=idle / 1000 + 10, state='reconnecting')
        lost = time.monotonic() - start
        self.assertNotIn('large', [said['event'] for said in self.client.seen])
        # The length of the cut is what is being tested.
        time.sleep(max(0, seconds - lost))
        self.network.mend()
        start = time.monotonic()
        for host in (self.client, self.server):
            host.wait('state', timeout=120, state='connected')
        found = time.monotonic() - start
        pattern = hashlib.shake_128(str(LARGE).encode()).digest(LARGE)
        self.assertEqual(self.client.wait('large'), {
            'event': 'large', 'digest': hashlib.sha256(pattern).hexdigest()})
        self.check_answers()
        print(f'# cut for {seconds} s: reconnecting after {lost:.1f} s, connected {found:.1f} s '
              f'after the cut was mended, everything complete {time.monotonic() - start:.1f} s '
              'after it', flush=True)

    def kill(self, again, **properties):
        """Kills the server under a thousand open exchanges; says what became of them, and when."""
        self.meet(**properties)
        self.hold_questions()
        self.server.kill()
        start = time.monotonic()
        if again:
            self.assertEqual(self.start(self.server)['key'], self.server_is['key'])
            self.server.ask('listen', 'listening')
        answered = self.client.wait('answered')
        seconds = time.monotonic() - start
        self.assertEqual((answered['good'], answered['once']), (0, True))
        self.assertEqual(list(answered['errors'].values()), [QUESTIONS])
        error = next(iter(answered['errors']))
        print(f"# killed{' and restarted' * again}: {error} after {seconds:.2f} s", flush=True)
        return error, seconds

    def go_on(self):
        """Whoever has lost a session can begin another."""
        self.open()
        self.hold_questions()
        self.check_answers()

    def test_restart(self):
        """A peer that was killed and started again has forgotten what was open."""
        error, seconds = self.kill(True, persistent=True, idle_timeout=IDLE,
                                   keepalive_interval=IDLE // 4)
        self.assertEqual(error, 'session-lost')
        self.assertLess(seconds, FOUND_SECONDS)
        self.go_on()

    def test_restart_without_persistence(self):
        error, seconds = self.kill(True, idle_timeout=IDLE, keepalive_interval=IDLE // 4)
        self.assertIn(error, ('session-lost', 'connection-lost'))
        self.assertLess(seconds, FOUND_SECONDS)
        self.go_on()

    def test_kill(self):
        error, seconds = self.kill(False, idle_timeout=IDLE, keepalive_interval=IDLE // 4)
        self.assertEqual(error, 'connection-lost')
        self.assertLess(seconds, IDLE / 1000 + SLACK_SECONDS)


class FirewallTest(NetworkTest):
    """The kernel refuses to send."""

    def test_for_a_while(self):
        """In the middle of a transfer: slower, and nothing is lost or comes twice."""
        self.meet()
        self.hold_questions()
        self.server.ask('expect', 'expecting', size=TRANSFER)
        # So that the rules come in its middle.
        self.client.ask('cap', 'capped', rate=TRANSFER // 2)
        self.client.tell('send', size=TRANSFER, chunk=CHUNK)
        self.server.wait('half')
        before = self.client.ask('errors', 'errors')['count']
        used = self.client.cpu_seconds()
        self.client.forbid(True)
        time.sleep(FORBIDDEN_SECONDS)
        used = self.client.cpu_seconds() - used
        errors = self.client.ask('errors', 'errors')['count'] - before
        self.assertLess(self.server.ask('progress', 'progress')['done'], TRANSFER)
        self.client.forbid(False)
        self.client.ask('cap', 'capped', rate=0)
        received = self.server.wait('received')
        pattern = hashlib.shake_128(str(CHUNK).encode()).digest(CHUNK)
        digest = hashlib.sha256(pattern * (TRANSFER // CHUNK)).hexdigest()
        self.assertEqual((received['size'], received['wrong'], received['sha256']),
                         (TRANSFER, 0, digest))
        self.check_answers()
        print(f'# {errors} datagrams refused in {FORBIDDEN_SECONDS} s, {used:.2f} s of the '
              'processor', flush=True)
        self.assertGreater(errors, 0)
        self.assertLess(used, FORBIDDEN_SECONDS / 2)

    def test_for_ever(self):
        """Every wait ends, and the error says what the system said."""
        self.meet(idle_timeout=IDLE, keepalive_interval=IDLE // 4)
        self.hold_questions()
        self.client.forbid(True)
        start = time.monotonic()
        answered = self.client.wait('answered')
        self.assertEqual((answered['good'], answered['once'], answered['errors']),
                         (0, True, {'connection-lost': QUESTIONS}))
        self.assertLess(time.monotonic() - start, IDLE / 1000 + SLACK_SECONDS)
        self.assertIn(os.strerror(errno.EPERM), self.client.wait('closed')['error'])


class CaptureTest(NetworkTest):
    """What can be read on the way."""

    SECRET = 'an application byte in clear: 4da1e0c2'
    CONTROL = 'this is a datagram of another protocol: 77c1'

    def check(self, with_key):
        with network.Capture('to-client') as capture:
            self.meet(with_key)
            self.hold_questions(text=self.SECRET)
            capture.read()
            self.check_answers(text=self.SECRET)
            # What is in clear is found.
            self.client.ask('foreign', 'sent', host=self.server.address, text=self.CONTROL)
            for host in (self.client, self.server):
                host.ask('close', 'done')
            datagrams = list(capture.datagrams())
        everything = b'\0\0\0'.join(datagrams)
        self.assertIn(self.CONTROL.encode(), everything)
        self.assertEqual({each[0] for each in datagrams} - set(range(4, 16)),
                         {self.CONTROL.encode()[0]})
        self.assertGreater(len(everything), 2 * QUESTIONS * len(self.SECRET))
        for text in (self.SECRET, APPLICATION):
            for size in (len(text), 8):
                self.assertNotIn(text.encode()[:size], everything)
        for peer in (self.client_is, self.server_is):
            public = bytes.fromhex(peer['public'])
            for start in range(0, len(public), 4):
                self.assertNotIn(public[min(start, len(public) - 8):][:8], everything)
            for group in (peer['key'], peer['key'].replace('-', '')):
                self.assertNotIn(group.encode()[:14], everything)
        types = sorted({each[0] for each in datagrams} & set(range(4, 16)))
        print(f'# {len(datagrams)} datagrams, {len(everything)} bytes, types {types}', flush=True)

    def test_expected_key(self):
        self.check(True)

    def test_unknown_key(self):
        self.check(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--long', action='store_true')
    parser.add_argument('--count', type=int, default=Options.count)
    parser.add_argument('tests', nargs='*')
    arguments = parser.parse_args()
    network.enter()
    Options.count, Options.long = arguments.count, arguments.long
    sys.argv[1:] = arguments.tests
    tap.main()


if __name__ == '__main__':
    main()
