# SPDX-License-Identifier: LGPL-2.1-or-later
"""A peer of encrypted connections, written from docs/protocol.md alone.

It speaks UDP by itself and leaves Noise to dissononce and the ciphers to cryptography. It is made
for tests: it waits for one thing at a time, acknowledges every packet at once, does not resend DATA
(loopback loses nothing), and is strict: whatever of the document it can check of its peer, it
checks. `Broken` says what was wrong. Numbers in comments are sections of the document.
"""

import copy
import hashlib
import hmac
import os
import select
import socket
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.exceptions.decrypt import DecryptFailedException
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.IK import IKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.XX import XXHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier

from frames import Broken, check, encode_ranges, Frames, message_frame, parameters, varint

INIT, ACCEPT, CONFIRM, RETRY, DATA, RESET, VERSION = 4, 5, 6, 7, 8, 10, 11
XX, IK, XXPSK3, IKPSK2 = 1, 2, 3, 4
AES, CHACHA = 1, 2
NO_ERROR, NOT_TRUSTED, NO_CIPHER, APPLICATION_MISMATCH = 0, 4, 6, 3

# What needs a session (15.10), and what asks for an acknowledgement (5).
SESSION_FRAMES = {'DATAGRAM', 'CREDIT', 'RECEIVED', 'END', 'CANCEL', 'MESSAGE'}
SILENT_FRAMES = {'PADDING', 'ACK', 'CLOSE'}


def expand(secret, label):
    """HKDF-Expand of RFC 5869 for 32 bytes (15.9)."""
    return hmac.new(secret, label + b'\x01', hashlib.sha256).digest()


class Noise:
    """One handshake of section 15.3. Reading works on a copy, so what fails changes nothing."""

    dh = X25519DH()

    def __init__(self, pattern, initiator, source_id, static, remote=None, psk=None):
        noise_pattern = XXHandshakePattern() if pattern in (XX, XXPSK3) else IKHandshakePattern()
        psks = None
        if pattern in (XXPSK3, IKPSK2):
            noise_pattern = PSKPatternModifier(3 if pattern == XXPSK3 else 2).modify(noise_pattern)
            psks = [psk]
        self.state = HandshakeState(
            SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), self.dh)
        self.state.initialize(noise_pattern, initiator,
                              b'Seqex' + bytes([1, pattern]) + source_id, s=static,
                              rs=self.dh.create_public(remote) if remote else None, psks=psks)
        self.keys = None

    def write(self, payload):
        message = bytearray()
        self._split(self.state.write_message(payload, message))
        return bytes(message)

    def read(self, message):
        before = copy.deepcopy(self.state)
        payload = bytearray()
        try:
            self._split(self.state.read_message(message, payload))
        except (DecryptFailedException, InvalidTag, ValueError, AssertionError):
            self.state = before
            return None
        return bytes(payload)

    def _split(self, ciphers):
        if ciphers is not None:
            self.keys = [cipher._key for cipher in ciphers]  # of the initiator, of the responder

    @property
    def remote(self):
        return self.state.rs.data


def choose_cipher(own, other):
    """Section 15.4, for the two lists in HELLO."""
    own, other = [[cipher for cipher in each if cipher in (AES, CHACHA)] for each in (own, other)]
    if own[:1] == other[:1] == [AES]:
        return AES
    for cipher in (CHACHA, AES):
        if cipher in own and cipher in other:
            return cipher
    return None


class Direction:
    """The keys of what one side sends (15.9)."""

    def __init__(self, chain, cipher):
        self.cipher = AESGCM if cipher == AES else ChaCha20Poly1305
        self.label = b'seqex 1 data ' + (b'aes256gcm' if cipher == AES else b'chacha20poly1305')
        self.chains = [chain]

    def aead(self, phase):
        while len(self.chains) <= phase:
            self.chains.append(expand(self.chains[-1], b'seqex 1 update'))
        return self.cipher(expand(self.chains[phase], self.label))

    @staticmethod
    def nonce(number):
        return bytes(4) + number.to_bytes(8, 'big')


class Session:
    """What outlives a link: one channel is enough here, number 0."""

    def __init__(self):
        self.own_id = os.urandom(16)
        self.peer_id = None
        self.generation = 0
        self.next_number = 0
        self.sent = {}      # number -> (bytes, reply to, final)
        self.received = {}  # number -> Message, whole
        self.partial = {}   # number -> Message
        self.ends = {}      # number of ours -> reason
        self.answered = set()  # numbers of theirs
        self.replies = {}   # number of ours -> Message


class Message:
    def __init__(self, frame):
        self.number, self.reply_to = frame['number'], frame['reply_to']
        self.final, self.ordered, self.total = frame['final'], frame['ordered'], frame['total']
        self.parts = {}

    def add(self, frame):
        check((frame['reply_to'], frame['final'], frame['ordered'], frame['total']) ==
              (self.reply_to, self.final, self.ordered, self.total), 'frames disagree (6.9)')
        for at, byte in enumerate(frame['bytes'], frame['offset']):
            check(self.parts.setdefault(at, byte) == byte, 'other bytes at the same place (6.9)')
        return len(self.parts) == self.total

    @property
    def data(self):
        return bytes(self.parts[at] for at in range(self.total))


class Link:
    def __init__(self, peer, noise, initiator, ids, ciphers, session, hello):
        self.peer, self.initiator, self.session, self.hello = peer, initiator, session, hello
        self.own_id, self.peer_id = ids
        self.remote = noise.remote
        self.cipher = choose_cipher(*ciphers)
        chains = noise.keys if initiator else noise.keys[::-1]
        self.sending, self.receiving = [Direction(chain, self.cipher) for chain in chains]
        self.send_phase = self.receive_phase = 0
        self.lowest_of_phase = None
        self.next_number = peer.first_number()
        self.sent_numbers, self.acknowledged = {}, set()  # number -> phase
        self.accepted = set()
        self.phases_seen = []    # of packets that authenticated, in their order
        self.ready = not initiator or hello.get('ready') == 1
        self.closed = None       # (code, reason) of their CLOSE
        self.close_sent = False
        self.address = None
        self.frames = []         # every frame that came
        self.forged = 0

    # Sending

    def send(self, *frames, size=0, to=None):
        payload = b''.join(frames)
        payload += bytes(max(0, size - 9 - 16 - len(payload)))
        number = self.next_number
        self.next_number += 1
        header = (bytes([DATA + self.send_phase % 2]) + self.peer_id +
                  (number & 0xffffffff).to_bytes(4, 'big'))
        self.sent_numbers[number] = self.send_phase
        aead = self.sending.aead(self.send_phase)
        sealed = aead.encrypt(Direction.nonce(number), payload, header)
        check(len(header) + len(sealed) <= self.hello['max_datagram_size'], 'own packet too large')
        self.peer.send(header + sealed, to or self.address)
        return number

    def send_ack(self):
        largest = max(self.accepted)
        ranges, start = [], largest
        for number in range(largest, min(self.accepted) - 1, -1):
            if number in self.accepted and number + 1 not in self.accepted:
                start = number
            if number in self.accepted and number - 1 not in self.accepted:
                ranges.append((number, start))
        self.send(encode_ranges(ranges[:30]))

    def say(self, data, reply_to=None, final=False):
        """A message, in as many packets as it needs."""
        self.peer.until(lambda: self.ready, 'READY')
        session = self.session
        number = session.next_number
        session.next_number += 1
        session.sent[number] = (data, reply_to, final)
        if reply_to is not None:
            session.answered.add(reply_to)
        self.send_message(number)
        return number

    def send_message(self, number):
        data, reply_to, final = self.session.sent[number]
        step = 1100
        for offset in range(0, max(len(data), 1), step):
            self.send(message_frame(number, data, offset, step, reply_to, final))

    def end(self, number, reason=0):
        self.session.answered.add(number)
        self.send(b'\x0a\x00' + bytes([reason]) + varint(1) + varint(number) + varint(1))

    def close(self, code=NO_ERROR, reason=b''):
        self.close_sent = True
        self.send(b'\x04' + varint(code) + varint(len(reason)) + reason)

    def update(self):
        """Goes on to the next phase (15.11)."""
        check(self.send_phase == self.receive_phase, 'the phases differ')
        check(any(self.sent_numbers[number] == self.send_phase for number in self.acknowledged),
              'nothing of this phase was acknowledged')
        self.send_phase += 1

    # Receiving

    def expand_number(self, bits):
        """Section 4.1."""
        if not self.accepted:
            return bits
        expected = max(self.accepted) + 1
        candidate = (expected & ~0xffffffff) + bits
        if candidate + 2**31 <= expected and candidate <= 2**62 - 1 - 2**32:
            return candidate + 2**32
        if candidate > expected + 2**31 and candidate >= 2**32:
            return candidate - 2**32
        return candidate

    def open(self, packet):
        """(number, frames), or None."""
        number = self.expand_number(int.from_bytes(packet[5:9], 'big'))
        if number in self.accepted:
            return None
        phase = self.receive_phase
        if (packet[0] & 1) != phase % 2:
            old = self.lowest_of_phase is not None and number < self.lowest_of_phase
            phase += -1 if old else 1
        if phase < 0:
            return None
        try:
            plain = self.receiving.aead(phase).decrypt(
                Direction.nonce(number), packet[9:], packet[:9])
        except InvalidTag:
            self.forged += 1
            return None
        if phase > self.receive_phase:
            self.receive_phase, self.lowest_of_phase = phase, number
            self.send_phase = max(self.send_phase, phase)
        if phase == self.receive_phase:
            self.lowest_of_phase = min(number, self.lowest_of_phase or number)
        self.phases_seen.append(phase)
        return number, plain

    def handle(self, packet, source):
        opened = self.open(packet)
        if opened is None:
            return
        number, plain = opened
        eliciting = False
        check(plain, 'a packet without frames')
        for frame in Frames(plain):
            name = frame['name']
            check(name not in ('HELLO',), f'{name} in DATA')
            check(not (name == 'READY' and not self.initiator), 'READY from the initiator')
            self.frames.append(frame)
            if self.initiator and (name == 'READY' or name in SESSION_FRAMES):
                self.ready = True
            eliciting |= name not in SILENT_FRAMES
            getattr(self, 'on_' + name.lower())(frame, source)
        self.accepted.add(number)
        if eliciting and self.closed is None:
            self.send_ack()

    def on_padding(self, frame, source):
        pass

    on_ping = on_ready = on_datagram = on_padding

    def on_ack(self, frame, source):
        for low, high in frame['ranges']:
            for number in range(low, high + 1):
                check(number in self.sent_numbers, f'{number} is acknowledged and was not sent')
                self.acknowledged.add(number)

    def on_close(self, frame, source):
        if self.closed is None:
            self.closed = frame['code'], frame['reason']
            if not self.close_sent:
                self.close(*self.closed)

    def on_received(self, frame, source):
        check(frame['channel'] == 0, 'no other channel was used')
        check(set(frame['numbers']) <= set(self.session.sent), 'RECEIVED of nothing')

    def on_credit(self, frame, source):
        pass

    def on_cancel(self, frame, source):
        self.end(frame['number'], 3)

    def on_end(self, frame, source):
        for number in frame['numbers']:
            check(number in self.session.sent, 'an end of a number that was never given')
            self.session.ends.setdefault(number, frame['reason'])

    def on_challenge(self, frame, source):
        self.send(b'\x0d' + frame['token'], size=1200, to=source)

    def on_response(self, frame, source):
        pass

    def on_message(self, frame, source):
        session = self.session
        check(frame['channel'] == 0, 'no other channel was used')
        number = frame['number']
        if number in session.received:
            return
        message = session.partial.setdefault(number, Message(frame))
        if not message.add(frame):
            return
        session.received[number] = session.partial.pop(number)
        if message.reply_to is not None:
            check(message.reply_to in session.sent, 'a reply to nothing')
            check(not session.sent[message.reply_to][2], 'a reply to a final message')
            session.replies[message.reply_to] = message
        if message.final:
            self.end(number)


class Attempt:
    """What an initiator knows until there is a link."""

    def __init__(self, to, pattern, own_id, noise, session):
        self.to, self.pattern, self.own_id, self.noise = to, pattern, own_id, noise
        self.session = session
        self.cookie = b''
        self.next_send, self.interval = 0.0, 0.25
        self.message = None
        self.retries = 0
        self.sent = 0
        self.versions = None
        self.refused = None  # (code, reason)
        self.link = None
        self.confirm = None
        self.confirmed = False

    def packet(self):
        if self.link is not None:
            return self.confirm
        packet = (bytes([INIT, 1]) + self.own_id + bytes([self.pattern, len(self.cookie)]) +
                  self.cookie + len(self.message).to_bytes(2, 'big') + self.message)
        return packet.ljust(1200, b'\0')


class HalfOpen:
    """What a responder knows until there is a link."""

    def __init__(self, noise, pattern, own_id, peer_id, source):
        self.noise, self.pattern, self.own_id, self.peer_id = noise, pattern, own_id, peer_id
        self.source = source
        self.accept = None
        self.hello = None
        self.session = None


class Peer:
    """One UDP socket and everything on it."""

    def __init__(self, ciphers=(AES, CHACHA), psk=None, application=b'interop', accepts=True,
                 demand_cookie=False, late_ready=False):
        self.socket = self.new_socket()
        self.static = Noise.dh.generate_keypair()
        self.ciphers, self.psk, self.application = bytes(ciphers), psk, application
        self.accepts, self.demand_cookie, self.late_ready = accepts, demand_cookie, late_ready
        self.attempts, self.half_open, self.links = {}, {}, {}
        self.answered = {}  # (address, id, ephemeral key) of INIT -> HalfOpen
        self.sessions = {}  # static key -> Session
        self.new_links = []
        self.resets, self.inits = [], []
        self.refusal = None     # CLOSE instead of HELLO, as a responder
        self.first_number = lambda: int.from_bytes(os.urandom(3), 'big')
        self.unknown = []       # DATA for nobody

    @staticmethod
    def new_socket():
        result = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        result.bind(('127.0.0.1', 0))
        return result

    @property
    def public(self):
        return self.static.public.data

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def move(self):
        """To another port."""
        self.socket.close()
        self.socket = self.new_socket()

    def send(self, packet, to):
        self.socket.sendto(packet, to)

    # Waiting

    def until(self, condition, what, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not condition():
            now = time.monotonic()
            check(now < deadline, f'waited for {what} in vain')
            for attempt in list(self.attempts.values()):
                self.resend(attempt, now)
            if select.select([self.socket], [], [], 0.02)[0]:
                self.handle(*self.socket.recvfrom(65536))

    def during(self, seconds):
        deadline = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= deadline, 'nothing', seconds + 10)

    def resend(self, attempt, now):
        if attempt.refused or attempt.confirmed or now < attempt.next_send:
            return
        packet = attempt.packet()
        if packet is None:
            return
        attempt.interval = min(attempt.interval * 2, 2.0)
        attempt.next_send = now + attempt.interval
        attempt.sent += 1
        self.send(packet, attempt.to)

    # Calling (15.5)

    def call(self, to, pattern, remote=None, session=None, generation=0):
        own_id = os.urandom(4)
        noise = Noise(pattern, True, own_id, self.static, remote, self.psk)
        session = session or Session()
        session.generation = generation
        attempt = Attempt(to, pattern, own_id, noise, session)
        known = pattern in (IK, IKPSK2)
        attempt.message = noise.write(self.hello(session) if known else b'')
        self.attempts[own_id] = attempt
        return attempt

    def connect(self, to, pattern, remote=None, **options):
        attempt = self.call(to, pattern, remote, **options)
        self.until(lambda: attempt.link or attempt.refused, 'ACCEPT')
        check(not attempt.refused, f'refused: {attempt.refused}')
        return attempt.link

    def hello(self, session, ready=False, link_id=None):
        values = parameters(self.application, self.ciphers, session.own_id, session.generation,
                            ready, link_id)
        return b'\x06' + varint(len(values)) + values

    def handle_accept(self, packet, source):
        attempt = self.attempts.get(packet[1:5])
        check(attempt is not None, 'ACCEPT for nobody')
        check(source == attempt.to, 'ACCEPT from somebody else')
        size = int.from_bytes(packet[9:11], 'big')
        check(len(packet) == 1200, 'ACCEPT is not as long as the INIT')
        check(not any(packet[11 + size:]), 'ACCEPT is padded by something else than zeros')
        if attempt.link or attempt.refused:
            if attempt.confirm:
                self.send(attempt.confirm, attempt.to)
            return
        payload = attempt.noise.read(packet[11:11 + size])
        check(payload is not None, 'ACCEPT is not authentic')
        frame, = Frames(payload)
        if frame['name'] == 'CLOSE':
            attempt.refused = frame['code'], frame['reason']
            return
        check(frame['name'] == 'HELLO', f"{frame['name']} in ACCEPT")
        hello = frame['parameters']
        check(hello.get('link_id') == packet[5:9], 'link_id is not the source id (15.4)')
        xx = attempt.pattern in (XX, XXPSK3)
        if choose_cipher(self.ciphers, hello['ciphers']) is None:
            attempt.refused = NO_CIPHER, b''
            if xx:
                refusal = self.refusal_frame(NO_CIPHER)
                self.send(bytes([CONFIRM]) + packet[5:9] + attempt.noise.write(refusal), source)
            return
        if xx:
            check('ready' not in hello, 'ready with XX means nothing')
            attempt.confirm = (bytes([CONFIRM]) + packet[5:9] +
                               attempt.noise.write(self.hello(attempt.session)))
        link = self.make_link(attempt.noise, True, (attempt.own_id, packet[5:9]), hello,
                              attempt.session, source)
        attempt.link = link
        if xx:
            attempt.next_send, attempt.interval = 0.0, 0.25
        else:
            attempt.confirmed = True
            link.send(b'\x01')

    def make_link(self, noise, initiator, ids, hello, session, source):
        lists = self.ciphers, hello['ciphers']
        check(choose_cipher(*lists) is not None, 'no cipher')
        check(hello['application_id'] == self.application, 'another application')
        link = Link(self, noise, initiator, ids, lists, session, hello)
        link.resumed = session.peer_id is not None
        if link.resumed:
            check(session.peer_id == hello['session_id'], 'the peer forgot the session (15.15)')
        session.peer_id = hello['session_id']
        self.sessions[link.remote] = session
        link.address = source
        self.links[ids[0]] = link
        return link

    def handle_retry(self, packet, source):
        attempt = self.attempts[packet[1:5]]
        check(len(packet) == 37, 'RETRY has another size')
        attempt.retries += 1
        if attempt.retries == 1 and attempt.link is None:
            attempt.cookie = packet[5:]
            self.send(attempt.packet(), attempt.to)

    def handle_version(self, packet, source):
        self.attempts[packet[1:5]].versions = list(packet[5:])

    # Answering (15.6)

    def handle_init(self, packet, source):
        check(len(packet) >= 1200, 'INIT is too short (15.2)')
        self.inits.append(packet)
        if not self.accepts:
            return
        check(packet[1] == 1, 'another version')
        peer_id, pattern, cookie_size = packet[2:6], packet[6], packet[7]
        check(cookie_size in (0, 32), 'another cookie length')
        at = 8 + cookie_size
        message = packet[at + 2:at + 2 + int.from_bytes(packet[at:at + 2], 'big')]
        check(not any(packet[at + 2 + len(message):]), 'padded by something else than zeros')
        cookie = hmac.new(b'secret', repr(source).encode() + peer_id + message,
                          hashlib.sha256).digest()
        if self.demand_cookie and packet[8:at] != cookie:
            self.send(bytes([RETRY]) + peer_id + cookie, source)
            return
        key = source, peer_id, message[:32]
        if key not in self.answered:
            self.answered[key] = self.answer(peer_id, pattern, message, source)
        self.send(self.answered[key].accept, source)

    def answer(self, peer_id, pattern, message, source):
        own_id = os.urandom(4)
        noise = Noise(pattern, False, peer_id, self.static, psk=self.psk)
        payload = noise.read(message)
        check(payload is not None, 'INIT is not authentic')
        half = HalfOpen(noise, pattern, own_id, peer_id, source)
        if pattern in (IK, IKPSK2):
            half.hello = self.only_hello(payload)
            half.session = self.session_of(noise.remote, half.hello)
        else:
            check(payload == b'', 'XX sends nothing in message 1')
            half.session = Session()
        ready = half.hello is not None and not self.late_ready
        refusal = self.refusal
        if half.hello is not None and choose_cipher(self.ciphers, half.hello['ciphers']) is None:
            refusal = NO_CIPHER
        if refusal:
            reply = self.refusal_frame(refusal)
        else:
            reply = self.hello(half.session, ready, own_id)
        written = noise.write(reply)
        half.accept = (bytes([ACCEPT]) + peer_id + own_id + len(written).to_bytes(2, 'big') +
                       written).ljust(1200, b'\0')
        if not refusal:
            self.half_open[own_id] = half
        return half

    @staticmethod
    def refusal_frame(code):
        return b'\x04' + varint(code) + b'\0'

    def session_of(self, remote, hello):
        """The session that a caller means, or a new one (15.15)."""
        session = self.sessions.get(remote)
        if session is not None and session.peer_id == hello['session_id']:
            check(hello['generation'] > session.generation, 'the generation is not higher')
            session.generation = hello['generation']
            return session
        session = Session()
        session.generation = hello['generation']
        return session

    @staticmethod
    def only_hello(payload):
        frame, = Frames(payload)
        check(frame['name'] == 'HELLO', f"{frame['name']} instead of HELLO")
        return frame['parameters']

    def finish(self, half, hello):
        del self.half_open[half.own_id]
        link = self.make_link(half.noise, False, (half.own_id, half.peer_id), hello, half.session,
                              half.source)
        self.new_links.append(link)
        return link

    def handle_confirm(self, packet, source):
        link = self.links.get(packet[1:5])
        if link is not None:
            if not link.accepted:
                link.send(b'\x01')
            return
        half = self.half_open[packet[1:5]]
        payload = half.noise.read(packet[5:])
        check(payload is not None, 'CONFIRM is not authentic')
        frame, = Frames(payload)
        if frame['name'] == 'CLOSE':
            del self.half_open[half.own_id]
            return
        link = self.finish(half, self.only_hello(payload))
        link.send(b'\x01' if self.late_ready else b'\x05')

    # Everything else

    def handle_data(self, packet, source):
        check(len(packet) >= 26, 'DATA is too short')
        link = self.links.get(packet[1:5])
        half = self.half_open.get(packet[1:5])
        if half is not None and half.noise.keys and half.hello:
            link = self.finish(half, half.hello)
            if self.late_ready:
                link.send(b'\x01')
        if link is None:
            self.unknown.append(packet)
            return
        for attempt in self.attempts.values():
            if attempt.link is link:
                attempt.confirmed = True
        link.handle(packet, source)

    def handle_reset(self, packet, source):
        check(len(packet) == 9, 'RESET has another size')
        self.resets.append((packet[1:5], packet[5:9]))

    def handle(self, packet, source):
        handlers = {INIT: self.handle_init, ACCEPT: self.handle_accept,
                    CONFIRM: self.handle_confirm, RETRY: self.handle_retry,
                    DATA: self.handle_data, DATA + 1: self.handle_data,
                    RESET: self.handle_reset, VERSION: self.handle_version}
        check(packet and packet[0] in handlers, f'unknown type in {packet[:1]!r}')
        check(len(packet) <= 1200, 'a datagram above 1200 bytes')
        handlers[packet[0]](packet, source)

    def answer_reset(self, packet, to):
        self.send(bytes([RESET]) + packet[1:9], to)
