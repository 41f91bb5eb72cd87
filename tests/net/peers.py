# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs two programs against each other over UDP, with a bad network between them or without.

Used by the tests of the language bindings and by the demo. The programs say at which port they
listen; nothing waits by sleeping; every child ends before run_pair() returns.
"""

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
import time

HOST = '127.0.0.1'


class Failed(Exception):
    """A child did not do what it was started for; the text says which and what."""


class Child:
    """A program whose output comes, line by line, into a queue as (name, line, ending)."""

    def __init__(self, name, argv, lines, env=None):
        self.name = name
        self.lines = lines
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        pending = b''
        while chunk := os.read(self.process.stdout.fileno(), 65536):
            pending += chunk
            # A line that ends in a carriage return is to be drawn over: a progress bar.
            *parts, pending = re.split(rb'([\r\n])', pending)
            for text, ending in zip(parts[::2], parts[1::2]):
                self._put(text, ending.decode())
        if pending:
            self._put(pending, '\n')
        self.lines.put((self.name, None, None))

    def _put(self, text, ending):
        self.lines.put((self.name, text.decode('utf-8', 'replace'), ending))

    def end(self):
        """Ends the child if it has not ended by itself, and returns its status."""
        if self.process.poll() is None:
            self.process.kill()
        status = self.process.wait()
        self.thread.join()
        self.process.stdin.close()
        self.process.stdout.close()
        return status


class Relay:
    """The bad network, as a context: left is what the programs on the left send to, and right what
    the one on the right does if the one on the left is known beforehand."""

    def __init__(self, program, right, options, left=None, timeout=10):
        self.lines = queue.Queue()
        self.counters = None
        ends = ['--right', right] if left is None else ['--left', left, '--right', right]
        self.child = Child('relay', [program, '--json', '--until-eof', *ends, *options],
                           self.lines)
        try:
            line = self._line(timeout)
            match = re.fullmatch(r'relay: left (\S+) right (\S+) seed \d+', line)
            if match is None:
                raise Failed(f'the relay says: {line}')
        except BaseException:
            self.child.end()
            raise
        self.left, self.right = match.groups()

    def _line(self, timeout):
        try:
            return self.lines.get(timeout=timeout)[1] or ''
        except queue.Empty:
            raise Failed('the relay says nothing') from None

    def stop(self, timeout=10):
        """Stops the relay and returns its counters."""
        if self.counters is None:
            try:
                self.child.process.terminate()
                self.counters = json.loads(self._line(timeout))
            finally:
                self.child.end()
        return self.counters

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.counters is None:
            self.child.end()


class Pair:
    """The outcome of run_pair()."""

    def __init__(self, names):
        self.output = {name: [] for name in names}
        self.transcript = []
        self.status = {}
        self.problem = None
        self.seconds = 0.0
        self.relay = None  # its counters

    @property
    def ok(self):
        return self.problem is None

    def statistics(self, name):
        """What the program printed for --statistics."""
        for line in reversed(self.output[name]):
            if line.startswith('{'):
                return json.loads(line)
        raise Failed(f'{name} printed no statistics')


def _listen(server, lines, forward, deadline):
    """Forwards the lines of the server until it listens; returns its address and fingerprint."""
    fingerprint = None
    while True:
        name, line, ending = lines.get(timeout=max(0, deadline - time.monotonic()))
        if line is None:
            raise Failed(f'{server} ended before it listened')
        forward(name, line, ending)
        word, _, rest = line.partition(' ')
        if word == 'fingerprint':
            fingerprint = rest
        if line.startswith('listening at '):
            return line.split()[2], fingerprint


def _drain(lines, running, forward, deadline):
    """Forwards lines until both programs have closed their output."""
    while running:
        name, line, ending = lines.get(timeout=max(0, deadline - time.monotonic()))
        if line is None:
            running.discard(name)
        else:
            forward(name, line, ending)


def _talk(pair, server, client, relay, lines, forward, deadline, env, children, server_ends):
    """Starts both, and the relay between them; the client is told what the server has said."""
    children.append(Child(server[0], [*server[1], '--serve', '--local', f'{HOST}:0'], lines, env))
    address, fingerprint = _listen(server[0], lines, forward, deadline)
    if relay is None:
        between = contextlib.nullcontext()
    else:
        between = Relay(relay[0], address, relay[1])
    with between:
        remote = address if relay is None else between.left
        children.append(Child(client[0], [*client[1], '--ask', '--remote', remote, '--peer-key',
                                          fingerprint or ''], lines, env))
        _drain(lines, {server[0], client[0]} if server_ends else {client[0]}, forward, deadline)
        if relay is not None:
            pair.relay = between.stop()


def run_pair(server, client, relay=None, timeout=60, env=None, on_line=None, server_ends=True):
    """Starts a server, then, once it listens, a client, and waits for both.

    server and client are (name, argv); relay is (program, options) for a network between them. If
    the server does not end by itself, it is ended when the client has.
    """
    names = [server[0], client[0]]
    pair = Pair(names)
    lines = queue.Queue()
    children = []
    start = time.monotonic()

    def forward(name, line, ending):
        pair.output[name].append(line)
        pair.transcript.append(f'{name}: {line}')
        if on_line is not None:
            on_line(name, line, ending)

    try:
        _talk(pair, server, client, relay, lines, forward, start + timeout, env, children,
              server_ends)
    except queue.Empty:
        pair.problem = f'not finished after {timeout} s'
    except Failed as failure:
        pair.problem = str(failure)
    except BaseException:
        pair.problem = 'interrupted'
        raise
    finally:
        # Both have closed their output and are about to exit; else they are to be killed.
        for child in children:
            if pair.problem is None and (server_ends or child.name != names[0]):
                try:
                    child.process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    pair.problem = f'{child.name} does not exit'
            pair.status[child.name] = child.end()
    pair.seconds = time.monotonic() - start
    for name, status in pair.status.items():
        if pair.problem is None and status != 0:
            pair.problem = f'{name} exited with status {status}'
    return pair
