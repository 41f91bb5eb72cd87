#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of the emulated link with real packets: test-link.py LINK

Machines are busy, so nothing is asked of a clock that a late process could spoil: packets arrive
never too early, and what the emulator did is judged by its own counts and clock.
"""

import ctypes
import errno
import os
import pathlib
import select
import socket
import struct
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import emulator  # noqa: E402
import tap  # noqa: E402

LINK = sys.argv[1]
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
HEADERS = 28
LATE = 0.05  # seconds within which the least of many delays must be, however busy the machine

libc = ctypes.CDLL(None, use_errno=True)


def enter(path, kind):
    with open(path, 'rb') as file:
        if libc.setns(file.fileno(), kind) != 0:
            raise OSError(ctypes.get_errno(), path)


class Ends:
    """A UDP socket at each end of a link. Sockets stay in the namespace in which they were made."""

    def __init__(self, link):
        self.link = link
        if os.geteuid() != 0:
            enter(link.user, CLONE_NEWUSER)
        self.left = self.open(link.left)
        self.right = self.open(link.right)
        self.sent_at = {}

    @staticmethod
    def open(end, kind=socket.SOCK_DGRAM):
        enter(end['netns'], CLONE_NEWNET)
        made = socket.socket(socket.AF_INET, kind)
        made.bind((end['address'], 5000))
        made.settimeout(5)
        if kind == socket.SOCK_DGRAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        return made

    def close(self):
        self.left.close()
        self.right.close()

    def send(self, number, size=1000):
        """@size is that of the IP packet."""
        self.sent_at[number] = time.monotonic()
        self.left.sendto(struct.pack('!I', number).ljust(size - HEADERS, b'x'),
                         (self.link.right['address'], 5000))

    def receive(self):
        """The number of what comes next, and when it was here; None when nothing more comes."""
        try:
            return struct.unpack('!I', self.right.recv(65536)[:4])[0], time.monotonic()
        except socket.timeout:
            return None

    def receive_all(self, expected):
        """Until the emulator has delivered everything."""
        got = []
        while len(got) < expected:
            one = self.receive()
            if one is None:
                break
            got.append(one)
        return got


def settled(link):
    """The counters when all that was received has met its fate."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        counters = link.counters()['left']
        gone = counters['lost'] + counters['overflow'] + counters['delivered']
        if gone == counters['received'] + counters['duplicated']:
            return counters
    raise AssertionError('packets stay in the emulator')


def with_link(**settings):
    def decorate(function):
        def test():
            with emulator.Link(LINK, **settings) as link:
                ends = Ends(link)
                try:
                    function(link, ends)
                finally:
                    ends.close()
        test.__doc__ = function.__doc__
        return test
    return decorate


@with_link(delay=20)
def test_delay(link, ends):
    """each packet takes the delay, and hardly more"""
    delays = []
    for number in range(40):
        ends.send(number)
        got, at = ends.receive()
        assert got == number
        delays.append(at - ends.sent_at[number])
    assert min(delays) >= 0.02, delays
    assert min(delays) < 0.02 + LATE, delays
    assert settled(link)['delivered'] == 40


@with_link(rate=8, queue=0)
def test_rate(link, ends):
    """a burst leaves at the rate"""
    for number in range(300):
        ends.send(number)
    got = ends.receive_all(300)
    assert [number for number, _ in got] == list(range(300))
    counters = settled(link)
    assert counters['busy'] == 300 * 1000000, counters
    # No packet is here before it can be: one each millisecond since the first was sent.
    for number, at in got:
        assert at - ends.sent_at[0] >= (number + 1) * 0.001, (number, at)
    # And the bottleneck did not pause while it had packets.
    assert counters['queue_time'] >= sum(range(300)) * 1000000 - \
        300 * (ends.sent_at[299] - ends.sent_at[0]) * 1e9


@with_link(rate=0.8, queue=50000)
def test_queue(link, ends):
    """what does not fit into the queue is dropped"""
    for number in range(120):
        ends.send(number)
    sending = ends.sent_at[119] - ends.sent_at[0]
    while link.counters()['left']['received'] < 120:
        pass
    counters = link.counters()['left']
    # 50 wait; some have left meanwhile, one each 10 ms.
    passed = 120 - counters['overflow']
    assert passed >= 50, counters
    assert passed <= 50 + (sending + LATE) * 100 + 2, (sending, counters)
    assert counters['queue_peak'] == 50000, counters
    got = ends.receive_all(passed)
    assert [number for number, _ in got][:50] == list(range(50))
    assert settled(link)['delivered'] == passed


def lost_of(seed):
    lost = []

    @with_link(loss=10, seed=seed)
    def run(link, ends):
        for number in range(1000):
            ends.send(number)
            while link.counters()['left']['received'] <= number:
                pass
        counters = settled(link)
        got = {number for number, _ in ends.receive_all(counters['delivered'])}
        lost.extend(number for number in range(1000) if number not in got)
        assert counters['lost'] == len(lost)
    run()
    return lost


def test_loss():
    """the same seed loses the same packets, and about as many as asked"""
    lost = lost_of(5)
    assert 40 < len(lost) < 160, lost
    assert lost_of(5) == lost
    assert lost_of(6) != lost


@with_link(delay=1, reorder=20, duplicate=20, hold=50)
def test_reorder_and_duplicate(link, ends):
    """packets are overtaken and doubled, and all arrive"""
    for number in range(300):
        ends.send(number)
    counters = settled(link)
    numbers = [number for number, _ in ends.receive_all(counters['delivered'])]
    assert set(numbers) == set(range(300))
    assert len(numbers) == 300 + counters['duplicated']
    assert counters['duplicated'] > 20 and counters['held'] > 20, counters
    assert numbers != sorted(numbers)


@with_link()
def test_changes(link, ends):
    """cut, mend, another setting, another address; nonsense changes nothing"""
    ends.send(0)
    assert ends.receive()[0] == 0
    link.tell('cut', 'left')
    ends.send(1)
    while link.counters()['left']['lost'] < 1:
        pass
    link.tell('mend')
    ends.send(2)
    assert ends.receive()[0] == 2
    link.tell('set', 'delay', 30, 'left')
    ends.send(3)
    got, at = ends.receive()
    assert got == 3 and at - ends.sent_at[3] >= 0.03
    for nonsense in (('set', 'delay', 'x'), ('set', 'speed', 3), ('set', 'loss', -1), ('set',),
                     ('set', 'delay', 3, 'middle'), ('address', 'right', '1.2.3'), ('jump',),
                     ('address', 'middle', '10.77.0.9')):
        try:
            link.tell(*nonsense)
        except emulator.Failed:
            continue
        raise AssertionError(f'{nonsense} was taken')
    link.tell('address', 'right', '10.77.0.9')
    ends.right.close()
    link.right['address'] = '10.77.0.9'
    ends.right = ends.open(link.right)
    ends.send(4)
    assert ends.receive()[0] == 4
    link.tell('reset')
    assert link.counters()['left']['received'] == 0


@with_link(rate=20, delay=5, queue=100000)
def test_tcp(link, ends):
    """TCP sees the same link, and does not get more than it has"""
    listener = ends.open(link.right, socket.SOCK_STREAM)
    listener.listen()
    client = ends.open(link.left, socket.SOCK_STREAM)
    client.connect((link.right['address'], 5000))
    server, _ = listener.accept()
    client.setblocking(False)
    server.setblocking(False)
    data = bytes(65536)
    total, sent, received = 2000000, 0, 0
    begin = time.monotonic()
    while received < total:
        assert time.monotonic() - begin < 60
        readable, writable, _ = select.select([server], [client] if sent < total else [], [], 5)
        if writable:
            sent += client.send(data[:total - sent])
        if readable:
            received += len(server.recv(65536))
    took = time.monotonic() - begin
    assert took >= total * 8 / 20e6, took
    counters = link.counters()['left']
    assert counters['busy'] >= counters['sent_bytes'] * 8 / 20e6 * 1e9 * 0.9999
    for one in (client, server, listener):
        one.close()


@with_link(mtu=1300)
def test_mtu(link, ends):
    """larger packets do not go"""
    ends.left.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: do
    ends.send(1, 1300)
    assert ends.receive()[0] == 1
    try:
        ends.send(2, 1301)
    except OSError as error:
        assert error.errno == errno.EMSGSIZE
    else:
        raise AssertionError('1301 bytes went')


def main():
    try:
        with emulator.Link(LINK):
            pass
    except emulator.Failed as failure:
        if 'tun' not in str(failure):
            raise
        print(f'1..0 # SKIP {failure}')
        return 0
    tests = [test for name, test in globals().items() if name.startswith('test_')]
    plan = tap.Plan(len(tests))
    for test in tests:
        try:
            test()
        except Exception:  # whatever went wrong is the test's failure
            plan.result(False, test.__doc__, traceback.format_exc())
        else:
            plan.result(True, test.__doc__)
    return 1 if plan.failures else 0


if __name__ == '__main__':
    sys.exit(main())
