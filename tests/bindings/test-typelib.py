# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seqex from Python by its plain typelib: what a program does with it, and that nothing leaks."""

import gc
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import tap

import gi

gi.require_version('Seqex', '1')
from gi.repository import Gio, GLib, Seqex

NONE = Seqex.SendFlags.NONE
ORDERED = Seqex.SendFlags.ORDERED
DEADLINE = 20  # seconds, after which a test has failed


class Operation:
    """An asynchronous operation under way."""

    def __init__(self, source, verb, *arguments, cancellable=None):
        self.finish = getattr(source, verb + '_finish')
        self.result = None
        getattr(source, verb + '_async')(*arguments, cancellable, self._ready)

    def _ready(self, source, result):
        self.result = result

    @property
    def done(self):
        return self.result is not None


def payload(text):
    return GLib.Bytes.new(text.encode())


def wait_until(condition):
    """Iterates the main context until something holds."""
    expired = []
    source = GLib.timeout_add_seconds(DEADLINE, expired.append, True)
    context = GLib.MainContext.default()
    while not condition():
        context.iteration(True)
        if expired:
            raise AssertionError('it never came to pass')
    GLib.source_remove(source)


def finish(operation):
    wait_until(lambda: operation.done)
    return operation.finish(operation.result)


def run(source, verb, *arguments):
    return finish(Operation(source, verb, *arguments))


def connected_sockets():
    """Two UDP sockets on the loopback, each connected to the other."""
    sockets = []
    for _ in range(2):
        each = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM,
                              Gio.SocketProtocol.UDP)
        each.bind(Gio.InetSocketAddress.new_from_string('127.0.0.1', 0), False)
        sockets.append(each)
    sockets[0].connect(sockets[1].get_local_address())
    sockets[1].connect(sockets[0].get_local_address())
    return sockets


class Case(unittest.TestCase):
    def setUp(self):
        self.a, self.b = [Seqex.Connection.new(each) for each in connected_sockets()]

    def tearDown(self):
        closing = [Operation(each, 'close') for each in (self.a, self.b)]
        wait_until(lambda: all(each.done for each in closing))

    def send(self, text='text', flags=NONE, cancellable=None):
        return Operation(self.a, 'send_with_reply', payload(text), flags, cancellable=cancellable)

    def taken(self, operation):
        """What b receives of an operation of a."""
        return run(self.b, 'receive')

    def fails_with(self, operation, domain, code):
        with self.assertRaises(GLib.Error) as caught:
            finish(operation)
        self.assertTrue(caught.exception.matches(domain, code),
                        f'{caught.exception.domain} {caught.exception.code}: {caught.exception}')
        return caught.exception

    def fails(self, operation, code):
        return self.fails_with(operation, Seqex.error_quark(), code)

    def io_fails(self, operation, code):
        return self.fails_with(operation, Gio.io_error_quark(), code)


class TestMessages(Case):
    def test_handler_connected_after_the_message_came(self):
        operation = self.send('early')
        wait_until(lambda: self.b.get_statistics().get_messages_received() == 1)
        got = []

        def handler(connection, message):
            got.append(message)
            message.reply_async(payload('late'), NONE, None, None)
            return True

        self.b.connect('message', handler)
        self.assertEqual(finish(operation).dup_text(), 'late')
        self.assertEqual([message.dup_text() for message in got], ['early'])
        self.assertEqual(got[0].get_connection(), self.b)

    def test_receive(self):
        waiting = Operation(self.b, 'receive')
        operation = self.send('question')
        message = finish(waiting)
        self.assertEqual(message.get_payload().get_data(), b'question')
        self.assertTrue(message.get_expects_reply())
        self.assertFalse(message.get_is_reply())
        self.assertFalse(message.get_ordered())
        self.assertEqual(message.get_channel(), 0)
        self.assertTrue(run(message, 'reply', payload('answer'), NONE))
        answer = finish(operation)
        self.assertTrue(answer.get_is_reply())
        self.assertFalse(answer.get_expects_reply())
        self.assertEqual(answer.dup_text(), 'answer')

    def test_final_message(self):
        sent = Operation(self.a, 'send', payload('take this'), NONE)
        message = run(self.b, 'receive')
        self.assertFalse(message.get_expects_reply())
        self.assertTrue(finish(sent))
        self.fails(Operation(message, 'reply', payload('no'), NONE), Seqex.Error.ALREADY_ANSWERED)

    def test_payloads(self):
        for data in (b'', b'\0', b'\xff\xfe', bytes(range(256)) * 1024):
            with self.subTest(size=len(data)):
                sent = Operation(self.a, 'send', GLib.Bytes.new(data), NONE)
                message = run(self.b, 'receive')
                self.assertEqual(message.get_payload().get_data() or b'', data)
                if data.startswith(b'\xff'):
                    self.assertIsNone(message.dup_text())
                self.assertTrue(finish(sent))

    def test_reply_chain(self):
        length = 40
        operation = self.send('0')
        message = run(self.b, 'receive')
        first = message.get_position()
        for number in range(1, length):
            self.assertEqual(message.dup_text(), str(number - 1))
            self.assertEqual(message.get_position(), first + number - 1)
            following = Operation(message, 'reply_with_reply', payload(str(number)), NONE)
            message = finish(operation)
            operation = following
        self.assertEqual(message.dup_text(), str(length - 1))
        message.end()
        self.fails(operation, Seqex.Error.NO_REPLY)

    def test_ordered(self):
        sends = [Operation(self.a, 'send', payload(str(number)), ORDERED) for number in range(100)]
        messages = [run(self.b, 'receive') for _ in sends]
        self.assertEqual([message.dup_text() for message in messages],
                         [str(number) for number in range(100)])
        self.assertTrue(all(message.get_ordered() for message in messages))
        self.assertTrue(all(finish(each) for each in sends))

    def test_replies_find_their_message(self):
        questions = [self.send(str(number)) for number in range(50)]
        messages = [run(self.b, 'receive') for _ in questions]
        for message in reversed(messages):
            message.reply_async(payload('re ' + message.dup_text()), NONE, None, None)
        self.assertEqual([finish(each).dup_text() for each in questions],
                         [f're {number}' for number in range(50)])

    def test_channel(self):
        mine, theirs = [each.open_channel(7) for each in (self.a, self.b)]
        self.assertEqual(theirs.get_id(), 7)
        self.assertEqual(self.b.open_channel(7), theirs)
        operation = Operation(mine, 'send_with_reply', payload('on seven'), ORDERED)
        message = run(theirs, 'receive')
        self.assertEqual((message.get_channel(), message.dup_text()), (7, 'on seven'))
        message.reply_async(payload('yes'), NONE, None, None)
        self.assertEqual(finish(operation).get_channel(), 7)

    def test_datagram(self):
        got = []
        self.b.connect('datagram', lambda connection, data: got.append(data.get_data()))
        self.assertTrue(self.a.send_datagram(payload('unconfirmed')))
        wait_until(lambda: got)
        self.assertEqual(got, [b'unconfirmed'])


class TestEnds(Case):
    def test_handler_declines(self):
        self.b.connect('message', lambda connection, message: False)
        self.fails(self.send(), Seqex.Error.NO_REPLY)

    def test_unhandled(self):
        self.b.set_accepts_messages(False)
        self.fails(self.send(), Seqex.Error.UNHANDLED)

    def test_reasons(self):
        for reason, code in ((Seqex.EndReason.ENDED, Seqex.Error.NO_REPLY),
                             (Seqex.EndReason.UNHANDLED, Seqex.Error.UNHANDLED),
                             (Seqex.EndReason.FAILED, Seqex.Error.HANDLER_FAILED),
                             (Seqex.EndReason.CANCELLED, Seqex.Error.CANCELLED_BY_PEER)):
            with self.subTest(reason=reason):
                operation = self.send()
                self.taken(operation).end_with_reason(reason)
                self.fails(operation, code)

    def test_dropped_message_is_ended(self):
        operation = self.send()
        message = self.taken(operation)
        del message
        gc.collect()
        self.fails(operation, Seqex.Error.NO_REPLY)

    def test_already_answered(self):
        operation = self.send()
        message = self.taken(operation)
        message.end()
        message.end()
        self.fails(Operation(message, 'reply', payload('late'), NONE),
                   Seqex.Error.ALREADY_ANSWERED)
        self.fails(operation, Seqex.Error.NO_REPLY)

    def test_too_large(self):
        size = self.b.get_max_message_size() + 1
        run_once = self.send()
        self.taken(run_once).end()
        self.fails(run_once, Seqex.Error.NO_REPLY)
        error = self.fails(Operation(self.a, 'send', GLib.Bytes.new(bytes(size)), NONE),
                           Seqex.Error.MESSAGE_TOO_LARGE)
        self.assertIn(str(size), error.message)
        self.assertIn(str(size - 1), error.message)

    def test_cancel(self):
        cancellable = Gio.Cancellable()
        operation = self.send(cancellable=cancellable)
        message = self.taken(operation)
        self.assertFalse(message.get_cancelled())
        cancellable.cancel()
        self.io_fails(operation, Gio.IOErrorEnum.CANCELLED)
        wait_until(message.get_cancelled)
        self.fails(Operation(message, 'reply', payload('late'), NONE),
                   Seqex.Error.CANCELLED_BY_PEER)

    def test_cancelled_receive(self):
        cancellable = Gio.Cancellable()
        waiting = Operation(self.b, 'receive', cancellable=cancellable)
        cancellable.cancel()
        self.io_fails(waiting, Gio.IOErrorEnum.CANCELLED)
        operation = self.send('still there')
        message = run(self.b, 'receive')
        self.assertEqual(message.dup_text(), 'still there')
        message.end()
        self.fails(operation, Seqex.Error.NO_REPLY)

    def test_timeout(self):
        self.a.set_timeout(50)
        operation = self.send()
        message = self.taken(operation)
        self.io_fails(operation, Gio.IOErrorEnum.TIMED_OUT)
        # What is not awaited any more is cancelled at the other side too.
        wait_until(message.get_cancelled)

    def test_close(self):
        closed = []
        for each in (self.a, self.b):
            each.connect('closed', lambda connection, error: closed.append((connection, error)))
        operation = self.send('before')
        message = self.taken(operation)
        receiving = Operation(self.b, 'receive')
        self.assertTrue(run(message, 'reply', payload('after'), NONE))
        self.assertEqual(finish(operation).dup_text(), 'after')
        self.assertTrue(run(self.a, 'close'))
        self.assertIsNone(finish(receiving))
        wait_until(lambda: len(closed) == 2)
        self.assertCountEqual(closed, [(self.a, None), (self.b, None)])
        self.io_fails(self.send(), Gio.IOErrorEnum.CLOSED)
        self.assertEqual(self.a.get_state(), Seqex.ConnectionState.CLOSED)

    def test_application_mismatch(self):
        pair = [Seqex.Connection(socket=each, application_id=name)
                for each, name in zip(connected_sockets(), ('one', 'two'))]
        operation = Operation(pair[0], 'send_with_reply', payload('hello'), NONE)
        receiving = Operation(pair[1], 'receive')
        error = self.fails(operation, Seqex.Error.APPLICATION_MISMATCH)
        self.assertIn('one', error.message)
        self.assertIn('two', error.message)
        wait_until(lambda: receiving.done)

    def test_not_connected(self):
        lonely = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM,
                                Gio.SocketProtocol.UDP)
        with self.assertRaises(GLib.Error):
            run(Seqex.Connection.new(lonely), 'send', payload('to whom?'), NONE)


class TestLifetime(Case):
    def watch(self, *objects):
        """Counts the objects that are finalized."""
        self.finalized = []
        for number, each in enumerate(objects):
            each.weak_ref(self.finalized.append, number)

    def all_gone(self, count):
        gc.collect()
        wait_until(lambda: len(self.finalized) == count)

    def pair(self):
        return [Seqex.Connection.new(each) for each in connected_sockets()]

    def test_unused_connection(self):
        pair = self.pair()
        self.watch(*pair)
        del pair
        self.all_gone(2)

    def test_closed_connection(self):
        a, b = self.pair()
        operation = Operation(a, 'send_with_reply', payload('one'), NONE)
        message = run(b, 'receive')
        run(message, 'reply', payload('two'), NONE)
        answer = finish(operation)
        run(a, 'close')
        run(b, 'close')
        self.watch(a, b, message, answer)
        del a, b, operation, message, answer
        self.all_gone(4)

    def test_handler_that_knows_its_connection(self):
        a, b = self.pair()
        seen = []

        def handler(connection, message):
            seen.append((b, message.dup_text()))
            return False

        b.connect('message', handler)
        with self.assertRaises(GLib.Error):
            run(a, 'send_with_reply', payload('round'), NONE)
        self.assertEqual(seen, [(b, 'round')])
        run(a, 'close')
        run(b, 'close')
        self.watch(a, b)
        seen.clear()
        del a, b, handler
        self.all_gone(2)

    def test_dropped_with_a_wait(self):
        cancellable = Gio.Cancellable()
        a, b = self.pair()
        operation = Operation(a, 'send_with_reply', payload('never answered'), NONE,
                              cancellable=cancellable)
        message = run(b, 'receive')
        cancellable.cancel()
        self.io_fails(operation, Gio.IOErrorEnum.CANCELLED)
        self.watch(a, b, message)
        run(a, 'close')
        run(b, 'close')
        del a, b, operation, message
        self.all_gone(3)

    def test_channel(self):
        a, b = self.pair()
        channel = a.open_channel(3)
        operation = Operation(channel, 'send', payload('x'), NONE)
        message = run(b, 'receive')
        finish(operation)
        run(a, 'close')
        run(b, 'close')
        self.watch(a, b, channel, message)
        del a, b, channel, operation, message
        self.all_gone(4)

    def test_payload(self):
        data = os.urandom(1000)
        sent = GLib.Bytes.new(data)
        run_both = Operation(self.a, 'send', sent, NONE)
        message = run(self.b, 'receive')
        finish(run_both)
        kept = message.get_payload()
        self.watch(message)
        del message
        self.all_gone(1)
        self.assertEqual(kept.get_data(), data)


class TestProperties(Case):
    def test_names(self):
        for name, value in (('timeout', 1500), ('idle-timeout', 20000),
                            ('keepalive-interval', 4000), ('max-message-size', 1 << 21),
                            ('accepts-messages', False), ('max-send-rate', 10 ** 12)):
            with self.subTest(property=name):
                notified = []
                self.a.connect('notify::' + name, lambda *arguments: notified.append(True))
                self.a.set_property(name, value)
                self.assertEqual(self.a.get_property(name), value)
                self.assertEqual(len(notified), 1)
                self.a.set_property(name, value)
                self.assertEqual(len(notified), 1)

    def test_transmission(self):
        for control in (Seqex.CongestionControl.BBR, Seqex.CongestionControl.CUBIC,
                        Seqex.CongestionControl.NEWRENO):
            endpoint = Seqex.Endpoint(congestion_control=control, max_send_rate=1 << 20,
                                      max_streams=3)
            self.assertEqual(endpoint.props.congestion_control, control)
            self.assertEqual(endpoint.get_max_send_rate(), 1 << 20)
            self.assertEqual(endpoint.props.max_streams, 3)
            connection = Seqex.Connection(socket=connected_sockets()[0],
                                          congestion_control=control, max_streams=0)
            self.assertEqual(connection.get_congestion_control(), control)
            self.assertEqual(connection.props.max_streams, 0)
        self.assertEqual(self.a.props.congestion_control, Seqex.CongestionControl.BBR)
        self.assertEqual(self.a.props.max_send_rate, 0)
        self.assertEqual(self.a.props.max_streams, 128)

    def test_state(self):
        states = []
        self.a.connect('notify::state',
                       lambda connection, spec: states.append(connection.props.state))
        self.assertEqual(self.a.props.state, Seqex.ConnectionState.CONNECTING)
        self.b.connect('message', lambda connection, message: False)
        wait_until(lambda operation=self.send(): operation.done)
        self.assertEqual(states, [Seqex.ConnectionState.CONNECTED])
        self.assertEqual(self.a.props.remote_address.get_port(),
                         self.b.props.socket.get_local_address().get_port())

    def test_statistics(self):
        self.b.connect('message', lambda connection, message: False)
        for _ in range(3):
            wait_until(lambda operation=self.send(): operation.done)
        statistics = self.a.get_statistics()
        self.assertEqual(statistics.get_messages_sent(), 3)
        self.assertEqual(statistics.get_exchanges_started(), 3)
        self.assertEqual(self.b.props.statistics.get_messages_received(), 3)
        self.assertGreater(statistics.get_packets_sent(), 0)
        self.assertGreater(self.a.get_round_trip_time(), 0)
        self.assertIn('3', statistics.to_string())

    def test_queue(self):
        self.assertTrue(self.a.props.writable)
        sends = [Operation(self.a, 'send', GLib.Bytes.new(bytes(1 << 20)), ORDERED)
                 for _ in range(6)]
        # More than the peer's window: what does not fit waits here.
        wait_until(lambda: self.b.get_statistics().get_messages_received() > 0)
        self.assertGreater(self.a.props.queued_bytes, 1 << 20)
        for _ in sends:
            run(self.b, 'receive')
        self.assertTrue(all(finish(each) for each in sends))
        self.assertEqual(self.a.props.queued_bytes, 0)


class TestStream(Case):
    def test_stream(self):
        accepted = []
        self.b.connect('stream', lambda connection, stream: accepted.append(stream))
        stream = run(self.a, 'open_stream')
        notified = []
        stream.connect('notify::priority',
                       lambda source, spec: notified.append(source.props.priority))
        self.assertEqual(stream.props.priority, 3)
        stream.props.priority = 0
        stream.set_priority(7)
        self.assertEqual(stream.get_priority(), 7)
        self.assertEqual(notified, [0, 7])
        with self.assertRaises((OverflowError, TypeError, ValueError)):
            stream.props.priority = -1
        stream.get_output_stream().write_bytes(payload('by stream'))
        wait_until(lambda: accepted)
        theirs = accepted[0].get_input_stream()
        wait_until(theirs.is_readable)
        self.assertEqual(theirs.read_bytes(100).get_data(), b'by stream')
        for each in (stream, accepted[0]):
            each.close()


class TestIdentity(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def file(self, name):
        return Gio.File.new_for_path(os.path.join(self.directory.name, name))

    def start(self, function, *arguments):
        """Runs a static asynchronous function, and returns what its finish function does."""
        results = []
        getattr(Seqex.Identity, function + '_async')(
            *arguments, None, lambda source, result: results.append(result))
        wait_until(lambda: results)
        return getattr(Seqex.Identity, function + '_finish')(results[0])

    def test_identity(self):
        fresh = Seqex.Identity()
        self.assertNotEqual(fresh.props.fingerprint,
                            Seqex.Identity.new_generate().get_fingerprint())
        self.assertEqual(len(fresh.props.public_key.get_data()), 32)
        self.assertTrue(fresh.save_file(self.file('me'), None))
        self.assertEqual(Seqex.Identity.load_file(self.file('me'), None).props.fingerprint,
                         fresh.props.fingerprint)
        self.assertEqual(Seqex.Identity.load_or_generate(self.file('me')).props.fingerprint,
                         fresh.props.fingerprint)

    def test_asynchronously(self):
        identity = self.start('load_or_generate', self.file('me'))
        self.assertEqual(self.start('load_file', self.file('me')).props.fingerprint,
                         identity.props.fingerprint)
        self.assertTrue(run(identity, 'save_file', self.file('copy')))
        with self.assertRaises(GLib.Error) as caught:
            self.start('load_file', self.file('nobody'))
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))

    def test_fingerprint(self):
        identity = Seqex.Identity()
        text = identity.props.fingerprint
        self.assertEqual(Seqex.fingerprint_normalize(text.upper().replace('-', ' ')), text)
        self.assertEqual(Seqex.fingerprint_from_key(identity.props.public_key), text)
        self.assertTrue(Seqex.fingerprint_to_key(text).equal(identity.props.public_key))
        with self.assertRaises(GLib.Error) as caught:
            Seqex.fingerprint_normalize('example.org')
        self.assertIn('position 8', caught.exception.message)

    def test_shared_secret(self):
        secret = Seqex.shared_secret_generate()
        uri = Seqex.shared_secret_to_uri(secret)
        self.assertTrue(uri.startswith('SEQEX-SECRET:'))
        self.assertEqual(Seqex.shared_secret_normalize(uri), secret)
        with self.assertRaises(GLib.Error):
            Seqex.shared_secret_normalize('1234')

    def test_trust_store(self):
        one, other = [Seqex.Identity().props.fingerprint for _ in range(2)]
        for store in (Seqex.TrustStore(file=self.file('peers')), Seqex.TrustStore()):
            changes = []
            store.connect('items-changed', lambda store, *change: changes.append(change))
            self.assertEqual(store.check('one', one), Seqex.TrustVerdict.UNKNOWN)
            self.assertTrue(store.remember('one', one))
            self.assertTrue(store.remember(None, other))
            self.assertEqual(changes, [(0, 0, 1), (1, 0, 1)])
            self.assertEqual(store.check('one', one), Seqex.TrustVerdict.KNOWN)
            self.assertEqual(store.check('one', other), Seqex.TrustVerdict.CHANGED)
            with self.assertRaises(GLib.Error) as caught:
                store.remember('one', other)
            self.assertTrue(caught.exception.matches(Seqex.error_quark(), Seqex.Error.KEY_CHANGED))
            self.assertEqual([peer.props.name for peer in store], ['one', None])
            peer = store.lookup_name('one')
            self.assertEqual(peer.props.fingerprint, one)
            self.assertIsNotNone(peer.props.last_seen.format_iso8601())
            self.assertTrue(store.forget(peer))
            self.assertIsNone(store.lookup_name('one'))
            self.assertIsNone(store.lookup(one))
            self.assertEqual(store.get_n_items(), 1)
        again = Seqex.TrustStore.new(self.file('peers'))
        self.assertTrue(again.load())
        self.assertEqual([peer.get_fingerprint() for peer in again], [other])


class TestEndpoint(unittest.TestCase):
    def setUp(self):
        self.server = Seqex.Endpoint(application_id='org.example.Test')
        self.client = Seqex.Endpoint(application_id='org.example.Test')
        self.server.bind(Gio.InetSocketAddress.new_from_string('127.0.0.1', 0))
        self.address = self.server.props.local_address
        self.key = self.server.props.identity.props.fingerprint

    def test_exchange(self):
        self.server.props.trust_policy = Seqex.TrustPolicy.ANYONE
        opened = Operation(self.client, 'open_connection', self.address, self.key)
        theirs = run(self.server, 'accept')
        mine = finish(opened)
        self.assertEqual(mine.props.peer_key, self.key)
        self.assertEqual(theirs.props.peer_key, self.client.props.identity.props.fingerprint)
        self.assertEqual(list(self.server), [theirs])
        self.assertIs(mine.props.endpoint, self.client)
        answer = Operation(mine, 'send_with_reply', payload('question'), NONE)
        message = run(theirs, 'receive')
        self.assertEqual(message.props.peer_key, theirs.props.peer_key)
        message.reply_async(payload('answer'), NONE, None, None)
        self.assertEqual(finish(answer).dup_text(), 'answer')
        self.assertTrue(run(self.client, 'close'))
        wait_until(lambda: len(self.server) == 0)

    def test_authorize(self):
        questions = []

        def ask(endpoint, question):
            questions.append((question.props.peer_key, question.props.incoming))
            question.accept()
            return True

        self.server.connect('authorize', ask)
        opened = Operation(self.client, 'open_connection', self.address, self.key)
        self.assertIsNotNone(finish(opened))
        self.assertEqual(questions, [(self.client.props.identity.props.fingerprint, True)])

    def test_untrusted(self):
        with self.assertRaises(GLib.Error) as caught:
            run(self.client, 'open_connection', self.address, None)
        self.assertTrue(caught.exception.matches(Seqex.error_quark(), Seqex.Error.UNTRUSTED_PEER))
        self.assertIn(self.key, caught.exception.message)


if __name__ == '__main__':
    tap.main()
