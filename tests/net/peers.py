# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs two programs against each other over UDP, with a bad network between them or without.

Used by the tests of the language bindings and by the demo. Ports are chosen by binding to
port 0; nothing waits by sleeping; every child ends before run_pair() returns.
"""

import json
import os
import queue
import re
import socket
import subprocess
import threading
import time

HOST = '127.0.0.1'


class Failed(Exception):
    """A child did not do what it was started for; the text says which and what."""


def free_ports(count):
    """Ports that are free now, different from each other."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


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
    """The bad network, as a context: left and right are what the programs connect to."""

    def __init__(self, program, left_peer, right_peer, options, timeout=10):
        self.lines = queue.Queue()
        self.counters = None
        self.child = Child('relay', [
            program, '--json', '--until-eof',
            '--left', f'{HOST}:{left_peer}', '--right', f'{HOST}:{right_peer}', *options,
        ], self.lines)
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
    """Forwards the lines of the server until it listens."""
    while True:
        name, line, ending = lines.get(timeout=max(0, deadline - time.monotonic()))
        if line is None:
            raise Failed(f'{server} ended before it listened')
        forward(name, line, ending)
        if line.startswith('listening'):
            return


def _drain(lines, running, forward, deadline):
    """Forwards lines until both programs have closed their output."""
    while running:
        name, line, ending = lines.get(timeout=max(0, deadline - time.monotonic()))
        if line is None:
            running.discard(name)
        else:
            forward(name, line, ending)


def run_pair(server, client, ports, remotes, timeout=60, env=None, on_line=None):
    """Starts a server, then, once it listens, a client, and waits for both.

    server and client are (name, argv); ports their own ports, remotes what they connect to.
    """
    names = [server[0], client[0]]
    pair = Pair(names)
    lines = queue.Queue()
    children = []
    start = time.monotonic()
    deadline = start + timeout

    def command(which, role):
        return [*(server, client)[which][1], role, '--local', f'{HOST}:{ports[which]}',
                '--remote', remotes[which]]

    def forward(name, line, ending):
        pair.output[name].append(line)
        pair.transcript.append(f'{name}: {line}')
        if on_line is not None:
            on_line(name, line, ending)

    try:
        children.append(Child(names[0], command(0, '--serve'), lines, env))
        _listen(names[0], lines, forward, deadline)
        children.append(Child(names[1], command(1, '--ask'), lines, env))
        _drain(lines, set(names), forward, deadline)
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
            if pair.problem is None:
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
