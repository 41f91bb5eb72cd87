# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the example programs share: their command line, the socket, `await`, a progress bar.

Everything here uses Seqex by its plain typelib, as any Python program can.
"""

import argparse
import json
import sys

import gi

gi.require_version('Seqex', '1')
from gi.repository import Gio, GLib, Seqex

LANGUAGE = 'Python'
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
                         help='own address (127.0.0.1, port 5001 to serve, 5002 to ask)')
    options.add_argument('--remote', metavar='HOST:PORT',
                         help='address of the other program, or of what leads to it')
    options.add_argument('--statistics', action='store_true', help='at the end, as JSON')
    return options


def _address(text):
    address = Gio.NetworkAddress.parse(text, 0)
    try:
        return Gio.InetSocketAddress.new_from_string(address.get_hostname(), address.get_port())
    except TypeError:
        # The constructor has answered NULL.
        raise Failed(f"'{text}' is not a numeric address") from None


def connect(arguments, application_id):
    """A connection over a UDP socket that is bound to one address and connected to the other."""
    ports = (5001, 5002) if arguments.serve else (5002, 5001)
    local = _address(arguments.local or f'127.0.0.1:{ports[0]}')
    remote = _address(arguments.remote or f'127.0.0.1:{ports[1]}')

    socket = Gio.Socket.new(local.get_family(), Gio.SocketType.DATAGRAM, Gio.SocketProtocol.UDP)
    socket.bind(local, False)
    socket.connect(remote)
    verb = 'listening' if arguments.serve else 'asking'
    say(f'{verb} at {local.to_string()}, other side at {remote.to_string()}')
    return Seqex.Connection(socket=socket, application_id=application_id)


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
    side = serve if arguments.serve else ask
    problems = []

    async def attempt(awaitable):
        try:
            await awaitable
        except (Failed, GLib.Error) as error:
            problems.append(error.message if isinstance(error, GLib.Error) else str(error))

    async def talk():
        connection = connect(arguments, application_id)
        await attempt(side(connection, arguments))
        # Also after a failure: the other side is to learn of it.
        await attempt(call(connection, 'close'))
        if arguments.statistics:
            print_statistics(connection)

    run(attempt(talk()))
    if problems:
        say(f'failed: {problems[0]}')
        sys.exit(1)
