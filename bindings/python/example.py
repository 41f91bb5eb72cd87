# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the example programs share: their command line, how they meet, `await`, a progress bar.

Everything here uses Seqex by its plain typelib, as any Python program can.
"""

import argparse
import json
import sys

import gi

gi.require_version('Seqex', '1')
from gi.repository import Gio, GLib, Seqex

LANGUAGE = 'Python'
DEFAULT_PORT = 5001
NONE = Seqex.SendFlags.NONE
ORDERED = Seqex.SendFlags.ORDERED


class Failed(Exception):
    """Something did not hold; the text says what."""


def check(condition, problem):
    if not condition:
        raise Failed(problem)


def say(line, end='\n'):
    print(line, end=end, flush=True)


class call:
    """Starts an asynchronous operation of Seqex at once; `await` gives what it finishes with.

    `await call(message, 'reply', payload, flags)` stands for message.reply_async(payload, flags,
    None, callback), and message.reply_finish(result) in the callback.
    """

    def __init__(self, source, verb, *arguments):
        self.finish = getattr(source, verb + '_finish')
        self.result = None
        self.wake = None
        getattr(source, verb + '_async')(*arguments, None, self._ready)

    def _ready(self, source, result):
        self.result = result
        if self.wake is not None:
            self.wake()

    def __await__(self):
        if self.result is None:
            yield self
        return self.finish(self.result)


def run(coroutine):
    """Runs a coroutine on the GLib main loop until it returns."""
    loop = GLib.MainLoop()
    outcome = []

    def step():
        try:
            coroutine.send(None).wake = step
        except BaseException as end:
            outcome.append(end)
            loop.quit()

    step()
    if not outcome:
        loop.run()
    if not isinstance(outcome[0], StopIteration):
        raise outcome[0]


def text_bytes(text):
    return GLib.Bytes.new(text.encode())


def data_of(message):
    return message.get_payload().get_data() or b''


def parser(description):
    """The options that every example has; a program adds its own."""
    options = argparse.ArgumentParser(description=description)
    role = options.add_mutually_exclusive_group(required=True)
    role.add_argument('--serve', action='store_true', help='wait for the other program')
    role.add_argument('--ask', action='store_true', help='speak first')
    options.add_argument('--local', metavar='HOST:PORT',
                         help='own address (to serve: 127.0.0.1:5001; to ask: any)')
    options.add_argument('--remote', metavar='HOST:PORT', default='127.0.0.1',
                         help='whom to ask (127.0.0.1:5001)')
    options.add_argument('--peer-key', metavar='FINGERPRINT',
                         help='who the other program must be; needed to ask, to serve it is '
                              'anyone otherwise')
    options.add_argument('--identity', metavar='FILE',
                         help='who this program is, made if it is not there (somebody new each '
                              'time)')
    options.add_argument('--statistics', action='store_true', help='at the end, as JSON')
    return options


def parse_address(text):
    """An address of numbers; without a port, the one that all programs use."""
    address = Gio.NetworkAddress.parse(text, DEFAULT_PORT)
    try:
        return Gio.InetSocketAddress.new_from_string(address.get_hostname(), address.get_port())
    except TypeError:
        # The constructor has answered NULL.
        raise Failed(f"'{text}' is not a numeric address") from None


def make_endpoint(arguments, application_id):
    """An endpoint whose identity is in a file, or is for this time only."""
    if arguments.identity:
        file = Gio.File.new_for_commandline_arg(arguments.identity)
        identity = Seqex.Identity.load_or_generate(file)
    else:
        identity = Seqex.Identity()
    say(f'fingerprint {identity.get_fingerprint()}')
    return Seqex.Endpoint(identity=identity, application_id=application_id)


def authorize(endpoint, question, peer_key):
    if question.get_peer_key() == peer_key:
        question.accept()
    else:
        question.reject()
    return True


async def accept(endpoint, arguments, peer_key):
    """Waits for the program that asks."""
    endpoint.bind(parse_address(arguments.local or '127.0.0.1'))
    # Whom the trust policy does not let in, the program is asked about.
    if peer_key is not None:
        endpoint.connect('authorize', authorize, peer_key)
    else:
        endpoint.set_trust_policy(Seqex.TrustPolicy.ANYONE)
    say(f'listening at {endpoint.get_local_address().to_string()}')
    connection = await call(endpoint, 'accept')
    check(connection is not None, 'closed')
    return connection


async def open_connection(endpoint, arguments, peer_key):
    """Finds the program that serves."""
    check(peer_key is not None,
          '--peer-key is needed: the fingerprint that the other program prints')
    peer = Gio.NetworkAddress.parse(arguments.remote, DEFAULT_PORT)
    if arguments.local:
        endpoint.bind(parse_address(arguments.local))
    say(f'asking {peer.to_string()}')
    return await call(endpoint, 'open_connection', peer, peer_key)


def moved(connection, _property):
    say(f'the other side moved to {connection.get_remote_address().to_string()}')


# What the demo's table is made of.
COUNTERS = (
    'messages-sent', 'messages-received', 'exchanges-started', 'exchanges-accepted',
    'packets-sent', 'packets-received', 'packets-lost', 'spurious-losses', 'duplicate-packets',
    'bytes-sent', 'bytes-resent',
)


def print_statistics(connection):
    statistics = connection.get_statistics()
    say(json.dumps({name: getattr(statistics, 'get_' + name.replace('-', '_'))()
                    for name in COUNTERS}))


class Progress:
    """A bar that is drawn over on a terminal, a line for each tenth elsewhere."""

    WIDTH = 32

    def __init__(self, total, bar):
        self.total = total
        self.bar = bar
        self.shown = -1

    def show(self, done):
        percent = 100 * done // self.total if self.total else 100
        if percent // (1 if self.bar else 10) == self.shown:
            return
        self.shown = percent // (1 if self.bar else 10)
        filled = self.WIDTH * percent // 100
        line = (f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {percent:3} %  "
                f'{done / 1e6:.2f} of {self.total / 1e6:.2f} MB')
        say(line, '\r' if self.bar and done < self.total else '\n')


def main(options, application_id, serve, ask):
    """Parses the command line, connects, runs one side of the program, closes.

    The exit status is 0 only if everything held.
    """
    arguments = options.parse_args()
    problems = []

    async def attempt(awaitable):
        try:
            return await awaitable
        except (Failed, GLib.Error) as error:
            problems.append(error.message if isinstance(error, GLib.Error) else str(error))

    async def talk():
        peer_key = arguments.peer_key and Seqex.fingerprint_normalize(arguments.peer_key)
        endpoint = make_endpoint(arguments, application_id)
        meet, side = (accept, serve) if arguments.serve else (open_connection, ask)
        connection = await attempt(meet(endpoint, arguments, peer_key))
        if connection is not None:
            say(f'connected to {connection.get_remote_address().to_string()}, '
                f'who is {connection.get_peer_key()}')
            connection.connect('notify::remote-address', moved)
            await attempt(side(connection, arguments))
        # Also after a failure: the other side is to learn of it.
        await attempt(call(endpoint, 'close'))
        if arguments.statistics and connection is not None:
            print_statistics(connection)

    run(attempt(talk()))
    if problems:
        say(f'failed: {problems[0]}')
        sys.exit(1)
