# SPDX-License-Identifier: LGPL-2.1-or-later
"""The core on a UDP socket against peer.py, which was written from docs/protocol.md alone.

Usage: test-interop.py [TEST…], with the path of the core's peer in $SEQEX_INTEROP_PEER.
"""

import os
import select
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import peer as interop
import tap
from frames import Broken, check
from peer import AES, CHACHA, IK, IKPSK2, XX, XXPSK3, Noise, Peer, expand

PROGRAM = os.environ['SEQEX_INTEROP_PEER']
PATTERNS = {'XX': XX, 'IK': IK, 'XXpsk3': XXPSK3, 'IKpsk2': IKPSK2}
SECRET = b'a secret of 32 bytes, handed on.'
LOST = 'peer restarted'
PSK = expand(SECRET, b'seqex 1 psk')


class Core:
    """The program of peer.c."""

    def __init__(self, test, *options):
        self.key = Noise.dh.generate_keypair()
        self.process = subprocess.Popen([PROGRAM, self.key.private.data.hex(), *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.test = test
        self.buffer = b''
        self.lines = []  # not looked at yet
        test.addCleanup(self.quit)
        self.address = '127.0.0.1', int(self.expect('port ').split()[1])

    @property
    def public(self):
        return self.key.public.data

    def tell(self, command):
        self.process.stdin.write(command.encode() + b'\n')
        self.process.stdin.flush()

    def read(self):
        while select.select([self.process.stdout], [], [], 0)[0]:
            data = os.read(self.process.stdout.fileno(), 65536)
            check(data, 'the core has gone')
            self.buffer += data
        *lines, self.buffer = self.buffer.split(b'\n')
        self.lines += [line.decode('utf-8', 'replace') for line in lines]

    def has(self, start):
        self.read()
        return any(line.startswith(start) for line in self.lines)

    def take(self, start):
        """The first line that begins like this; what stood before it is dropped."""
        while not self.lines[0].startswith(start):
            self.lines.pop(0)
        return self.lines.pop(0)

    def expect(self, start, peer=None):
        if peer is not None:
            try:
                peer.until(lambda: self.has(start), repr(start))
            except Broken as broken:
                raise Broken(f'{broken}; said: {self.lines}') from None
        else:
            deadline = time.monotonic() + 10
            while not self.has(start):
                check(time.monotonic() < deadline, f'waited for {start!r} in vain')
                time.sleep(0.005)
        return self.take(start)

    def counters(self, peer):
        self.tell('counters')
        words = self.expect('counters', peer).split()[1:]
        return {name: int(value) for name, value in (word.split('=') for word in words)}

    def quit(self):
        """Sanitizers speak up through the status."""
        if self.process.poll() is None:
            self.process.stdin.close()
        self.test.assertEqual(self.process.wait(20), 0)
        self.process.stdout.close()


class InteropTest(unittest.TestCase):
    def core(self, *options):
        return Core(self, *options)

    def peer(self, *arguments, **options):
        result = Peer(*arguments, **options)
        self.addCleanup(lambda: result.socket.close())
        return result

    def called(self, core, peer, known=True):
        """The link of a core that calls."""
        count = len(peer.new_links)
        core.tell(f"connect {peer.port} {peer.public.hex() if known else ''}")
        peer.until(lambda: len(peer.new_links) > count, 'a link')
        return peer.new_links[-1]

    def linked(self, *options, pattern=IK, **peer_options):
        """(core, peer, link) where the peer calls."""
        core, peer = self.core(*options), self.peer(**peer_options)
        return core, peer, self.connect(core, peer, pattern)

    @staticmethod
    def connect(core, peer, pattern=IK, **options):
        known = core.public if pattern in (IK, IKPSK2) else None
        return peer.connect(core.address, pattern, known, **options)

    # What is done with every link

    def request_to_core(self, core, peer, link):
        number = link.say(b'echo from Python')
        core.expect('message echo from Python', peer)
        peer.until(lambda: number in link.session.replies, 'the reply')
        reply = link.session.replies[number]
        self.assertEqual((reply.data, reply.final), (b'echo from Python', True))

        number = link.say(b'chain of three')
        peer.until(lambda: number in link.session.replies, 'the reply')
        self.assertFalse(link.session.replies[number].final)
        link.end(link.session.replies[number].number)
        core.expect('end ', peer)

        number = link.say(b'to be ended')
        core.expect('message to be ended', peer)
        core.tell('end')
        peer.until(lambda: link.session.ends.get(number) == 0, 'END')

    def request_to_python(self, core, peer, link):
        before = set(link.session.received)
        core.tell('send from C')
        peer.until(lambda: set(link.session.received) - before, 'a message')
        number, = set(link.session.received) - before
        message = link.session.received[number]
        self.assertEqual((message.data, message.reply_to, message.final),
                         (b'from C', None, False))
        reply = link.say(b'to C', reply_to=number, final=True)
        core.expect('reply to C', peer)
        peer.until(lambda: reply in link.session.ends, 'the end of a final reply')

    def close_by_python(self, core, peer, link):
        link.close(64, b'over')
        core.expect('closed code 64 by peer', peer)
        peer.until(lambda: link.closed, 'the answer to CLOSE')
        self.assertEqual(link.closed, (64, b'over'))

    def close_by_core(self, core, peer, link):
        core.tell('close')
        peer.until(lambda: link.closed, 'CLOSE')
        self.assertEqual(link.closed, (0, b'that was all'))
        core.expect('closed code 0 by self', peer)


class HandshakeTest(InteropTest):
    def run_pattern(self, name, calls, ciphers, cipher):
        psk = 'psk' in name
        core = self.core(*([f'psk={PSK.hex()}'] if psk else []))
        peer = self.peer(ciphers, psk=PSK if psk else None)
        if calls:
            link = self.connect(core, peer, PATTERNS[name])
        else:
            link = self.called(core, peer, 'IK' in name)
            self.assertEqual(peer.inits[0][6], PATTERNS[name])
        self.assertEqual(link.remote, core.public)
        if cipher:
            self.assertEqual(link.cipher, cipher)
        told = core.expect('connected', peer)
        self.assertEqual(told, f"connected {'responder' if calls else 'initiator'} "
                         f"cipher {link.cipher} application 'interop' key {peer.public.hex()}")
        self.request_to_core(core, peer, link)
        self.request_to_python(core, peer, link)
        (self.close_by_python if calls else self.close_by_core)(core, peer, link)
        self.assertEqual(link.forged, 0)

    def test_every_pattern_as_initiator(self):
        for name in PATTERNS:
            for ciphers, cipher in (((AES,), AES), ((CHACHA,), CHACHA), ((CHACHA, AES), CHACHA)):
                with self.subTest(pattern=name, ciphers=ciphers):
                    self.run_pattern(name, True, ciphers, cipher)

    def test_every_pattern_as_responder(self):
        for name in PATTERNS:
            for ciphers, cipher in (((AES,), AES), ((CHACHA,), CHACHA), ((AES, CHACHA), None)):
                with self.subTest(pattern=name, ciphers=ciphers):
                    self.run_pattern(name, False, ciphers, cipher)

    def test_late_ready(self):
        core, peer = self.core(), self.peer(late_ready=True)
        for known in (False, True):
            link = self.called(core, peer, known)
            core.tell('send from C')
            peer.during(0.3)
            self.assertFalse([frame for frame in link.frames
                              if frame['name'] in interop.SESSION_FRAMES])
            link.send(b'\x05')
            peer.until(lambda: link.session.received, 'a message after READY')

    def test_asked_for_trust(self):
        for pattern in (XX, IK):
            core, peer = self.core('ask'), self.peer()
            link = self.connect(core, peer, pattern)
            core.expect('authorize', peer)
            peer.during(0.2)
            self.assertFalse(link.ready)
            core.tell('authorize yes')
            self.request_to_core(core, peer, link)

            core, peer = self.core('ask'), self.peer()
            link = self.connect(core, peer, pattern)
            core.expect('authorize', peer)
            core.tell('authorize no')
            peer.until(lambda: link.closed, 'CLOSE')
            self.assertEqual(link.closed[0], interop.NOT_TRUSTED)

    def test_refused_by_core(self):
        core, peer = self.core('refuse'), self.peer()
        attempt = peer.call(core.address, IK, core.public)
        peer.until(lambda: attempt.refused, 'a refusal in ACCEPT')
        self.assertEqual(attempt.refused[0], interop.NOT_TRUSTED)
        link = self.connect(core, peer, XX)
        peer.until(lambda: link.closed, 'a refusal after CONFIRM')
        self.assertEqual(link.closed[0], interop.NOT_TRUSTED)

    def test_initiator_that_refuses(self):
        """It may tell so (15.5), and does not, since its key would be told too."""
        for option, peer_options, code in (('refuse', {}, interop.NOT_TRUSTED),
                                           (f'cipher={AES}', {'ciphers': (CHACHA,)},
                                            interop.NO_CIPHER),
                                           ('persistent', {'application': b'another'},
                                            interop.APPLICATION_MISMATCH)):
            core, peer = self.core(option), self.peer(**peer_options)
            core.tell(f'connect {peer.port}')
            self.assertIn(f'code {code} by self', core.expect('closed', peer))
            peer.during(0.1)
            self.assertEqual(len(peer.half_open), 1)

    def test_data_overtakes_confirm(self):
        core, peer = self.core(), self.peer()
        attempt = peer.call(core.address, XX)
        peer.until(lambda: attempt.link, 'ACCEPT')
        number = attempt.link.send(b'\x01')
        self.assertEqual((attempt.sent, attempt.confirmed), (1, False))
        peer.until(lambda: number in attempt.link.acknowledged, 'ACK of what came before CONFIRM')
        self.request_to_core(core, peer, attempt.link)

    def test_copied_init(self):
        core, peer = self.core(), self.peer()
        attempt = peer.call(core.address, IK, core.public)
        accepts = []
        handle_accept = peer.handle_accept
        peer.handle_accept = lambda packet, source: accepts.append(packet)
        peer.until(lambda: accepts, 'ACCEPT')
        # Somebody who has no keys sends a copy from another place.
        other = self.peer()
        other.handle_accept = lambda packet, source: None
        other.send(attempt.packet(), core.address)
        other.during(0.1)
        self.assertEqual(core.counters(peer)['half-open'], 2)
        self.assertFalse(core.has('connected'))
        handle_accept(accepts[0], core.address)
        self.request_to_core(core, peer, attempt.link)
        self.assertEqual(core.counters(peer)['half-open'], 1)

    def test_both_call(self):
        for python_wins in (True, False):
            with self.subTest(python_wins=python_wins):
                core, peer = self.core(), self.peer(accepts=False)
                core.tell(f'connect {peer.port} {peer.public.hex()}')
                peer.until(lambda: peer.inits, 'INIT')
                theirs = peer.inits[0][10:42]
                while True:
                    attempt = peer.call(core.address, IK, core.public)
                    if (attempt.message[:32] < theirs) == python_wins:
                        break
                    del peer.attempts[attempt.own_id]
                if not python_wins:
                    peer.accepts, attempt.refused = True, True
                    peer.send(attempt.packet(), core.address)
                peer.until(lambda: attempt.link or peer.new_links, 'a link')
                link = attempt.link or peer.new_links[0]
                self.assertEqual(link.initiator, python_wins)
                self.assertEqual(core.counters(peer).get('simultaneous', 0), not python_wins)
                self.request_to_core(core, peer, link)
                self.request_to_python(core, peer, link)

    def test_refused_by_python(self):
        for known in (False, True):
            core, peer = self.core(), self.peer()
            peer.refusal = interop.NOT_TRUSTED
            core.tell(f"connect {peer.port} {peer.public.hex() if known else ''}")
            self.assertIn('code 4 by peer', core.expect('closed', peer))

    def test_no_cipher(self):
        core = self.core(f'cipher={AES}')
        peer = self.peer((CHACHA,))
        # With IK the responder sees it first, with XX the initiator.
        attempt = peer.call(core.address, IK, core.public)
        peer.until(lambda: attempt.refused, 'a refusal')
        self.assertEqual(attempt.refused[0], interop.NO_CIPHER)
        attempt = peer.call(core.address, XX)
        peer.until(lambda: attempt.refused, 'a refusal')
        peer.until(lambda: core.counters(peer).get('peer_refused') == 1, 'the refusal to arrive')
        core.tell(f'connect {peer.port} {peer.public.hex()}')
        self.assertIn('code 6 by peer', core.expect('closed', peer))
        core.tell(f'connect {peer.port}')
        self.assertIn('code 6 by self', core.expect('closed', peer))

    def test_other_secret(self):
        core, peer = self.core(f'psk={PSK.hex()}'), self.peer(psk=bytes(32))
        attempt = peer.call(core.address, IKPSK2, core.public)
        # psk2 is mixed in by message 2, which then does not authenticate.
        with self.assertRaisesRegex(Broken, 'ACCEPT is not authentic'):
            peer.until(lambda: attempt.link, 'a link')


class StatelessTest(InteropTest):
    def test_cookie_of_core(self):
        core, peer = self.core('retry=0'), self.peer()
        for pattern in (XX, IK):
            attempt = peer.call(core.address, pattern, core.public if pattern == IK else None)
            peer.until(lambda: attempt.link, 'a link')
            self.assertEqual((attempt.retries, len(attempt.cookie)), (1, 32))
            self.request_to_core(core, peer, attempt.link)
        attempt = peer.call(core.address, XX)
        attempt.cookie = bytes(32)
        peer.until(lambda: attempt.link, 'a link after a wrong cookie')
        self.assertEqual(core.counters(peer).get('bad_cookie'), 1)

    def test_cookie_of_python(self):
        for known in (False, True):
            core, peer = self.core(), self.peer(demand_cookie=True)
            link = self.called(core, peer, known)
            first, second = peer.inits
            self.assertEqual((first[7], second[7], len(second)), (0, 32, 1200))
            # The same Noise message: the cookie costs no handshake.
            size = 2 + int.from_bytes(first[8:10], 'big')
            self.assertEqual(first[8:8 + size], second[40:40 + size])
            self.request_to_core(core, peer, link)

    def test_version_of_core(self):
        core, peer = self.core(), self.peer()
        attempt = peer.call(core.address, XX)
        packet = attempt.packet
        attempt.packet = lambda: packet()[:1] + b'\x09' + packet()[2:]
        peer.until(lambda: attempt.versions, 'VERSION')
        self.assertEqual(attempt.versions, [1])
        # A shorter datagram gets nothing.
        attempt.versions = None
        attempt.packet = lambda: None
        peer.send((packet()[:1] + b'\x09' + packet()[2:])[:1199], core.address)
        peer.during(0.2)
        self.assertIsNone(attempt.versions)
        self.assertEqual(core.counters(peer)['unknown_version'], 1)

    def test_version_of_python(self):
        core, peer = self.core(), self.peer(accepts=False)
        core.tell(f'connect {peer.port}')
        peer.until(lambda: peer.inits, 'INIT')
        peer.send(b'\x0b' + peer.inits[0][2:6] + b'\x02\x09', core.address)
        core.expect('closed', peer)
        self.assertEqual(len(peer.inits), 1)
        # One that lists the version which was spoken is a lie.
        core.tell(f'connect {peer.port}')
        peer.until(lambda: len(peer.inits) == 2, 'INIT')
        peer.send(b'\x0b' + peer.inits[1][2:6] + b'\x02\x01', core.address)
        peer.accepts = True
        peer.until(lambda: peer.new_links, 'a link in spite of VERSION')
        core.expect('connected', peer)

    def test_reset_of_core(self):
        core, peer = self.core(), self.peer()
        peer.send(b'\x08\x01\x02\x03\x04\x05\x06\x07\x08' + bytes(30), core.address)
        peer.until(lambda: peer.resets, 'RESET')
        self.assertEqual(peer.resets, [(b'\x01\x02\x03\x04', b'\x05\x06\x07\x08')])

    def test_own_init(self):
        core, peer = self.core(), self.peer(accepts=False)
        core.tell(f'connect {peer.port}')
        peer.until(lambda: peer.inits, 'INIT')
        peer.send(peer.inits[0], core.address)
        peer.during(0.1)
        counters = core.counters(peer)
        self.assertEqual((counters.get('reflected'), counters['half-open']), (1, 0))

    def test_repeated_packets(self):
        core, peer = self.core(), self.peer()
        attempt = peer.call(core.address, XX)
        accepts = []
        handle_accept = peer.handle_accept
        peer.handle_accept = lambda packet, source: accepts.append(packet)
        peer.until(lambda: len(accepts) == 3, 'ACCEPT three times')
        self.assertEqual(len(set(accepts)), 1)
        # A forged one before the true one changes nothing.
        spoilt = bytearray(accepts[0])
        spoilt[100] ^= 1
        with self.assertRaisesRegex(Broken, 'not authentic'):
            handle_accept(bytes(spoilt), core.address)
        handle_accept(accepts[0], core.address)
        link = attempt.link
        spoilt = bytearray(attempt.confirm)
        spoilt[-1] ^= 1
        peer.send(bytes(spoilt), core.address)
        self.request_to_core(core, peer, link)
        self.assertEqual(core.counters(peer)['handshake_failed'], 1)


class LinkTest(InteropTest):
    def test_large_messages(self):
        for cipher in (AES, CHACHA):
            core, peer, link = self.linked(pattern=XX, ciphers=(cipher,))
            data = b'echo ' + bytes(48 + at % 10 for at in range(50000))
            number = link.say(data)
            peer.until(lambda: number in link.session.replies, 'the reply')
            self.assertEqual(link.session.replies[number].data, data)

    def test_numbers_wrap(self):
        core, peer = self.core(), self.peer()
        peer.first_number = lambda: 2**32 - 4
        link = self.connect(core, peer)
        for _ in range(5):
            self.request_to_core(core, peer, link)
        self.assertGreater(max(link.acknowledged), 2**32)

    def test_key_update_by_python(self):
        for cipher in (AES, CHACHA):
            core, peer, link = self.linked(ciphers=(cipher,))
            for phase in range(1, 4):
                self.request_to_core(core, peer, link)
                link.update()
                self.request_to_python(core, peer, link)
                self.assertEqual((link.send_phase, link.receive_phase), (phase, phase))
            self.assertEqual(link.phases_seen, sorted(link.phases_seen))
            self.assertEqual(link.forged, 0)

    def test_key_update_by_core(self):
        core, peer, link = self.linked()
        for phase in range(1, 4):
            self.request_to_core(core, peer, link)
            core.tell('update')
            self.request_to_python(core, peer, link)
            peer.until(lambda: link.receive_phase == phase, 'the next phase')
        self.request_to_core(core, peer, link)

    def test_late_packet_of_the_phase_before(self):
        core, peer, link = self.linked()
        self.request_to_core(core, peer, link)
        send, late = peer.send, []
        peer.send = lambda packet, to: late.append(packet)
        number = link.say(b'echo late')
        peer.send = send
        link.update()
        link.send(b'\x01')
        peer.until(lambda: link.receive_phase == 1, 'the next phase')
        peer.send(late[0], core.address)
        peer.until(lambda: number in link.session.replies, 'the reply to a late request')

    def test_forged_and_repeated_data(self):
        core, peer, link = self.linked()
        send, packets = peer.send, []

        def send_with_forged_ones(packet, to):
            for at in (0, 5, 9, len(packet) - 1):
                spoilt = bytearray(packet)
                spoilt[at] ^= 1
                send(bytes(spoilt), to)
            send(packet, to)
            packets.append(packet)

        peer.send = send_with_forged_ones
        self.request_to_core(core, peer, link)
        peer.send = send
        peer.during(0.1)
        for packet in packets:
            send(packet, core.address)
        peer.during(0.1)
        counters = core.counters(peer)
        self.assertEqual(counters['duplicate_packet'] + counters.get('old_packet', 0), len(packets))
        self.assertEqual(counters['forged'], 4 * len(packets))
        self.request_to_core(core, peer, link)

    def test_another_address(self):
        core, peer, link = self.linked()
        self.request_to_core(core, peer, link)
        peer.move()
        sizes, handle = [], peer.handle
        peer.handle = lambda packet, source: (sizes.append(len(packet)), handle(packet, source))
        # Much comes from there before, so that the answer may be as large as it likes.
        for _ in range(2):
            link.send(b'\x01', size=1200)
        core.expect('moved', peer)
        self.assertIn('CHALLENGE', [frame['name'] for frame in link.frames])
        self.assertIn(1200, sizes)
        self.request_to_python(core, peer, link)

    def test_violations(self):
        for frames, what in ((b'\x06\x00', 'HELLO in DATA'), (b'\x05', 'READY of the initiator'),
                             (b'\x32', 'an unknown frame'),
                             (b'\x02' + b'\xff' * 8 + b'\0\0\0', 'ACK of nothing')):
            with self.subTest(what):
                core, peer, link = self.linked()
                link.send(frames)
                peer.until(lambda: link.closed, 'CLOSE')
                self.assertEqual(link.closed[0], 1)

    def test_message_before_ready(self):
        core, peer = self.core('ask'), self.peer()
        link = self.connect(core, peer)
        core.expect('authorize', peer)
        link.send(b'\x11\0\0too early')
        peer.until(lambda: link.closed, 'CLOSE')
        self.assertEqual(link.closed[0], 1)
        self.assertFalse(core.has('message'))


class SessionTest(InteropTest):
    def resume(self, core, peer, link, pattern=IK):
        return self.connect(core, peer, pattern, session=link.session,
                            generation=link.session.generation + 1)

    def test_resume_by_python(self):
        core, peer, link = self.linked('persistent')
        self.request_to_core(core, peer, link)
        number = link.say(b'kept across links')
        core.expect('message kept', peer)
        del peer.links[link.own_id]
        second = self.resume(core, peer, link)
        self.assertTrue(second.resumed)
        second.send(b'\x08' + interop.varint(8 << 20) + interop.varint(2048))
        # It arrived, and says so; what is sent again is a duplicate.
        peer.until(lambda: any(frame['name'] == 'RECEIVED' and number in frame['numbers']
                               for frame in second.frames), 'RECEIVED')
        session_frames = [frame['name'] for frame in second.frames
                          if frame['name'] in interop.SESSION_FRAMES]
        self.assertEqual(session_frames[0], 'CREDIT')
        second.send_message(number)
        core.tell('answer on the next link')
        peer.until(lambda: number in second.session.replies, 'the reply on the next link')
        self.assertEqual(second.session.replies[number].data, b'on the next link')
        self.assertFalse(core.has('restarted'))
        self.request_to_core(core, peer, second)
        self.request_to_python(core, peer, second)
        # The keys of the old link are gone.
        link.send(b'\x01')
        peer.until(lambda: peer.resets, 'RESET')
        self.assertEqual(peer.resets[0][0], link.peer_id)

    def test_resume_with_a_secret(self):
        core, peer = self.core('persistent', f'psk={PSK.hex()}'), self.peer(psk=PSK)
        link = self.called(core, peer)
        self.request_to_core(core, peer, link)
        second = self.resume(core, peer, link, IKPSK2)
        self.request_to_core(core, peer, second)
        core.tell('send lost')
        del peer.links[second.own_id]
        peer.until(lambda: peer.unknown, 'DATA')
        peer.answer_reset(peer.unknown[0], core.address)
        peer.until(lambda: len(peer.new_links) == 2, 'another link')
        self.assertEqual(peer.inits[-1][6], IKPSK2)
        self.request_to_core(core, peer, peer.new_links[1])

    def test_an_old_generation(self):
        core, peer, link = self.linked('persistent')
        self.request_to_core(core, peer, link)
        second = self.resume(core, peer, link)
        self.request_to_core(core, peer, second)
        attempt = peer.call(core.address, IK, core.public, session=link.session, generation=1)
        peer.until(lambda: attempt.sent >= 2, 'INIT twice')
        self.assertIsNone(attempt.link)
        self.request_to_core(core, peer, second)

    def test_two_sessions_of_one_peer(self):
        core, peer, link = self.linked('persistent')
        self.request_to_core(core, peer, link)
        second = self.connect(core, peer)
        self.assertNotEqual(second.session.peer_id, link.session.peer_id)
        self.request_to_core(core, peer, second)
        self.request_to_core(core, peer, link)

    def test_python_forgot_the_session(self):
        core, peer = self.core('persistent'), self.peer()
        link = self.called(core, peer)
        self.request_to_core(core, peer, link)
        core.tell('send in vain')
        peer.until(lambda: len(link.session.received) == 3, 'a message')
        peer.links.clear()
        peer.sessions.clear()
        core.tell('send in vain again')
        peer.until(lambda: peer.unknown, 'DATA')
        peer.answer_reset(peer.unknown[0], core.address)
        peer.until(lambda: len(peer.new_links) == 2, 'another link')
        self.assertEqual([core.expect(each, peer) for each in ('failed', 'failed', 'restarted')],
                         ['failed ' + LOST, 'failed ' + LOST, 'restarted'])
        self.request_to_core(core, peer, peer.new_links[1])
        self.request_to_python(core, peer, peer.new_links[1])

    def test_core_comes_back(self):
        core, peer = self.core('persistent'), self.peer()
        link = self.called(core, peer)
        self.request_to_core(core, peer, link)
        # The peer forgets the link, but not the session, and says so by RESET.
        del peer.links[link.own_id]
        core.tell('send from C')
        peer.until(lambda: peer.unknown, 'DATA')
        before = len(peer.unknown)
        peer.answer_reset(peer.unknown[0], core.address)
        peer.until(lambda: len(peer.unknown) > before, 'PING, to see whether that is true')
        core.expect('reconnecting', peer)
        peer.until(lambda: len(peer.new_links) == 2, 'another link')
        second = peer.new_links[1]
        self.assertTrue(second.resumed)
        self.assertEqual(second.hello['generation'], second.session.generation)
        self.assertGreaterEqual(second.session.generation, 1)
        peer.until(lambda: any(message.data == b'from C'
                               for message in second.session.received.values()), 'the message')
        self.assertFalse(core.has('restarted'))
        self.request_to_core(core, peer, second)

    def test_reset_that_is_a_lie(self):
        core, peer = self.core('persistent'), self.peer()
        link = self.called(core, peer)
        seen, handle_data = [], peer.handle_data
        peer.handle_data = lambda packet, source: (seen.append(packet), handle_data(packet, source))
        self.request_to_core(core, peer, link)
        pings = sum(frame['name'] == 'PING' for frame in link.frames)
        # Of a packet that was acknowledged: no effect at all.
        peer.answer_reset(seen[0], core.address)
        peer.during(0.2)
        self.assertEqual(sum(frame['name'] == 'PING' for frame in link.frames), pings)
        self.request_to_python(core, peer, link)
        self.assertEqual(len(peer.new_links), 1)


if __name__ == '__main__':
    tap.main()
