# SPDX-License-Identifier: LGPL-2.1-or-later
"""One side of the tests in namespaces: does what it is told, and says what happens.

Both are lines of JSON. The first byte of a message says what it is: a question that is held until
the command `answer`, one that is answered at once, or a chunk of a transfer.
"""

import hashlib
import json
import os
import sys
import time

import gi

gi.require_version('Seqex', '1')
from gi.repository import Gio, GLib, Seqex

NONE = Seqex.SendFlags.NONE
ORDERED = Seqex.SendFlags.ORDERED
UNDER_WAY_MAX = 8
MAX_MESSAGE_SIZE = 32 << 20
ACK_DELAY = 25.0  # ms, what an answer to a packet may wait; docs/protocol.md
GRANULARITY = 1.0  # ms
PORT = 5001


def say(event, **details):
    print(json.dumps({'event': event, **details}), flush=True)


def numbered(kind, number, rest=b''):
    return GLib.Bytes.new(kind + number.to_bytes(4, 'big') + rest)


def bytes_of(size):
    """The same pattern on both sides."""
    return hashlib.shake_128(str(size).encode()).digest(size)


def name_of(error):
    if error.domain == GLib.quark_to_string(Seqex.Error.quark()):
        return Seqex.Error(error.code).value_nick
    return f'{error.domain} {error.code}'


class Outcomes:
    """What became of numbered waits."""

    def __init__(self, count):
        self.count = count
        self.good = 0
        self.errors = {}
        self.finished = [0] * count

    def took(self, number, answer, error):
        self.finished[number] += 1
        if error is not None:
            self.errors[error] = self.errors.get(error, 0) + 1
        elif answer == b'A' + number.to_bytes(4, 'big'):
            self.good += 1
        if sum(self.finished) == self.count:
            say('answered', good=self.good, errors=self.errors,
                once=all(times == 1 for times in self.finished))


def waited():
    """How long this program wanted to run and was not let, in ms: other programs' doing."""
    with open('/proc/self/schedstat') as file:
        return int(file.read().split()[1]) / 1e6


class Incoming:
    """A transfer that comes in."""

    def __init__(self, size):
        self.size = size
        self.done = 0
        self.next = 0
        self.wrong = 0
        self.sha256 = hashlib.sha256()
        self.told_half = False

    def took(self, payload):
        self.wrong += int.from_bytes(payload[1:5], 'big') != self.next
        self.next += 1
        self.done += len(payload) - 5
        self.sha256.update(payload[5:])
        if not self.told_half and 2 * self.done >= self.size:
            self.told_half = True
            say('half')
        return self.done >= self.size


class Peer:
    def __init__(self, identity, application_id):
        self.endpoint = Seqex.Endpoint(
            identity=Seqex.Identity.load_or_generate(Gio.File.new_for_path(identity), None),
            application_id=application_id, trust_policy=Seqex.TrustPolicy.ANYONE,
            max_message_size=MAX_MESSAGE_SIZE)
        self.endpoint.connect('connection', lambda endpoint, each: self.take(each))
        self.connection = None
        self.properties = {}
        self.unread = b''
        self.held = {}      # number -> message
        self.repeated = 0   # questions that came twice
        self.expected = 0
        self.incoming = None
        self.outgoing = None
        self.mark = None    # when the last chunk came, and what had been waited until then
        self.pause = 0.0    # the longest one, in ms, without the time of other programs

    # Commands ------------------------------------------------------------------------

    def do_listen(self):
        self.endpoint.bind(Gio.InetSocketAddress.new_from_string('0.0.0.0', PORT))
        say('listening')

    def do_properties(self, **properties):
        """Of connections to come."""
        self.properties = properties
        say('set')

    def do_open(self, host, key):
        peer = Gio.InetSocketAddress.new_from_string(host, PORT)
        self.endpoint.open_connection_async(peer, key, None, self.opened)

    def opened(self, endpoint, result):
        try:
            self.take(endpoint.open_connection_finish(result))
        except GLib.Error as error:
            say('failed', message=error.message)

    def take(self, connection):
        self.connection = connection
        for name, value in self.properties.items():
            connection.set_property(name, value)
        connection.connect('message', self.message)
        connection.connect('notify::state', lambda each, _: say('state', state=self.state()))
        connection.connect('notify::remote-address', lambda each, _: say(
            'moved', address=each.get_remote_address().get_address().to_string()))
        connection.connect('closed', lambda each, error: say(
            'closed', error=error.message if error else None))
        say('connected', key=connection.get_peer_key())

    def state(self):
        return self.connection.get_state().value_nick

    def do_questions(self, count, text=''):
        outcomes = Outcomes(count)
        for number in range(count):
            self.connection.send_with_reply_async(numbered(b'Q', number, text.encode()), NONE, None,
                                                  self.answered, outcomes, number)

    def answered(self, connection, result, outcomes, number):
        try:
            answer = connection.send_with_reply_finish(result).get_payload().get_data()[:5]
            outcomes.took(number, answer, None)
        except GLib.Error as error:
            outcomes.took(number, None, name_of(error))

    def do_hold(self, count):
        """Says when so many questions are held."""
        self.expected = count
        self.check_held()

    def check_held(self):
        if self.expected and len(self.held) >= self.expected:
            self.expected = 0
            say('held', count=len(self.held))

    def do_answer(self, text=''):
        for number, message in self.held.items():
            message.reply_async(numbered(b'A', number, text.encode()), NONE, None, None)
        say('answering', count=len(self.held), repeated=self.repeated)
        self.held = {}

    def do_large(self, size):
        """One large message, whose answer is its digest; says when a part of it has left."""
        before = self.connection.get_statistics().get_bytes_sent()
        self.large = False
        self.connection.send_with_reply_async(GLib.Bytes.new(b'L' + bytes_of(size)), NONE, None,
                                              self.large_answered)

        def look():
            sent = self.connection.get_statistics().get_bytes_sent() - before
            if 4 * sent >= size:
                say('under-way', answered=self.large)
                return False
            return True
        GLib.timeout_add(1, look)

    def large_answered(self, connection, result):
        self.large = True
        try:
            digest = connection.send_with_reply_finish(result).get_payload().get_data()
            say('large', digest=digest.hex())
        except GLib.Error as error:
            say('large', error=name_of(error))

    def do_expect(self, size):
        """A transfer is going to come."""
        self.incoming = Incoming(size)
        say('expecting')

    def do_send(self, size, chunk):
        self.outgoing = {'data': bytes_of(chunk), 'left': size, 'next': 0, 'under-way': 0}
        self.send_chunks()

    def send_chunks(self):
        out = self.outgoing
        while out['left'] > 0 and out['under-way'] < UNDER_WAY_MAX:
            data = out['data'][:out['left']]
            self.connection.send_async(numbered(b'C', out['next'], data), ORDERED, None,
                                       self.chunk_sent)
            out['left'] -= len(data)
            out['next'] += 1
            out['under-way'] += 1

    def chunk_sent(self, connection, result):
        try:
            connection.send_finish(result)
        except GLib.Error as error:
            say('failed', message=error.message)
        self.outgoing['under-way'] -= 1
        self.send_chunks()

    def do_mark(self):
        """From now on pauses of the transfer are measured; says what a probe time-out is."""
        statistics = self.connection.get_statistics()
        pto = (statistics.get_round_trip_time() / 1e3 + ACK_DELAY
               + max(4 * statistics.get_round_trip_variation() / 1e3, GRANULARITY))
        self.mark = (time.monotonic(), waited())
        self.pause = 0.0
        say('marked', pto=pto, done=self.incoming.done if self.incoming else 0)

    def do_progress(self):
        say('progress', done=self.incoming.done)

    def do_cap(self, rate):
        self.connection.set_max_send_rate(rate)
        say('capped')

    def do_errors(self):
        say('errors', count=self.connection.get_statistics().get_send_errors())

    def do_foreign(self, host, text):
        self.endpoint.send_foreign_datagram(Gio.InetSocketAddress.new_from_string(host, PORT),
                                            GLib.Bytes.new(text.encode()))
        say('sent')

    def do_close(self):
        self.endpoint.close_async(None, lambda endpoint, result: say('done'))

    # What comes ----------------------------------------------------------------------

    def message(self, connection, message):
        payload = message.get_payload().get_data()
        if payload[:1] == b'Q':
            number = int.from_bytes(payload[1:5], 'big')
            self.repeated += number in self.held
            self.held[number] = message
            self.check_held()
        elif payload[:1] == b'L':
            digest = hashlib.sha256(payload[1:]).digest()
            message.reply_async(GLib.Bytes.new(digest), NONE, None, None)
        elif payload[:1] == b'C':
            self.chunk(payload)
        return True

    def chunk(self, payload):
        if self.mark is not None:
            now = (time.monotonic(), waited())
            self.pause = max(self.pause,
                             1000 * (now[0] - self.mark[0]) - (now[1] - self.mark[1]))
            self.mark = now
        if self.incoming.took(payload):
            say('received', size=self.incoming.done, wrong=self.incoming.wrong,
                sha256=self.incoming.sha256.hexdigest(), pause=self.pause)
            self.mark = None

    def commands(self, descriptor, condition):
        data = os.read(descriptor, 65536)
        if not data:
            # Whoever started this is gone.
            os._exit(0)
        *lines, self.unread = (self.unread + data).split(b'\n')
        for line in lines:
            words = json.loads(line)
            getattr(self, 'do_' + words.pop('do'))(**words)
        return True


def main(identity, application_id='seqex-test-netns'):
    peer = Peer(identity, application_id)
    me = peer.endpoint.get_identity()
    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP,
                          peer.commands)
    say('ready', key=me.get_fingerprint(), public=me.get_public_key().get_data().hex())
    GLib.MainLoop().run()


if __name__ == '__main__':
    main(*sys.argv[1:])
