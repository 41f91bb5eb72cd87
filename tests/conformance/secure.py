# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second implementation of handshakes and DATA, from docs/protocol.md alone: section 15."""

import ciphers
import wire
from ciphers import hmac, sha256, x25519
from wire import Malformed, Reader, check

# Section 15.3: name, whether the initiator knows the responder's key, tokens of the messages.
PATTERNS = {
    1: ('Noise_XX_25519_ChaChaPoly_SHA256', False, ('e', 'e ee s es', 's se')),
    2: ('Noise_IK_25519_ChaChaPoly_SHA256', True, ('e es s ss', 'e ee se')),
    3: ('Noise_XXpsk3_25519_ChaChaPoly_SHA256', False, ('e', 'e ee s es', 's se psk')),
    4: ('Noise_IKpsk2_25519_ChaChaPoly_SHA256', True, ('e es s ss', 'e ee se psk')),
}
CIPHERS = {1: ciphers.Aes256Gcm, 2: ciphers.ChaCha20Poly1305}
LABELS = {1: b'seqex 1 data aes256gcm', 2: b'seqex 1 data chacha20poly1305'}
NO_KEY = bytes(32)


class Noise:
    """One side of a handshake, by the text of the Noise specification, revision 34."""

    def __init__(self, pattern, initiator, source_id, static, ephemeral, remote=None, psk=None):
        name, knows, self.messages = PATTERNS[pattern]
        self.has_psk = 'psk' in name
        self.psk = psk
        self.initiator = initiator
        self.private = {'s': static, 'e': ephemeral}
        self.remote = {'s': remote, 'e': None}
        self.step = 0
        self.key = None
        self.h = name.encode().ljust(32, b'\0') if len(name) <= 32 else sha256(name.encode())
        self.chaining = self.h
        prologue = b'Seqex' + bytes([1, pattern]) + source_id.to_bytes(4, 'big')
        self.mix_hash(prologue)
        if knows:
            self.mix_hash(remote if initiator else x25519(static))

    def mix_hash(self, data):
        self.h = sha256(self.h, data)

    def hkdf(self, data, count):
        secret = hmac(self.chaining, data)
        outputs = [b'']
        for i in range(count):
            outputs.append(hmac(secret, outputs[-1], bytes([i + 1])))
        return outputs[1:]

    def mix_key(self, data):
        self.chaining, self.key = self.hkdf(data, 2)
        self.nonce = 0

    def crypt(self, function, data):
        if self.key is None:
            return data
        nonce = bytes(4) + self.nonce.to_bytes(8, 'little')
        self.nonce += 1
        return function(ciphers.ChaCha20Poly1305(self.key), nonce, self.h, data)

    def seal(self, data):
        data = self.crypt(ciphers.seal, data)
        self.mix_hash(data)
        return data

    def unseal(self, data):
        text = self.crypt(ciphers.unseal, data)
        self.mix_hash(data)
        return text

    def mix_token(self, token):
        """All tokens that put nothing into the message."""
        if token == 'psk':
            self.chaining, temporary, key = self.hkdf(self.psk, 3)
            self.mix_hash(temporary)
            self.key, self.nonce = key, 0
            return
        mine, theirs = token if self.initiator else token[::-1]
        secret = x25519(self.private[mine], self.remote[theirs])
        check(secret != NO_KEY, 'a key of small order')
        self.mix_key(secret)

    def mix_ephemeral(self, key):
        self.mix_hash(key)
        if self.has_psk:
            self.mix_key(key)

    def write(self, payload):
        out = b''
        for token in self.messages[self.step].split():
            if token == 'e':
                key = x25519(self.private['e'])
                out += key
                self.mix_ephemeral(key)
            elif token == 's':
                out += self.seal(x25519(self.private['s']))
            else:
                self.mix_token(token)
        self.step += 1
        return out + self.seal(payload)

    def read(self, message):
        reader = Reader(message)
        for token in self.messages[self.step].split():
            if token == 'e':
                self.remote['e'] = reader.take(32)
                self.mix_ephemeral(self.remote['e'])
            elif token == 's':
                self.remote['s'] = self.unseal(reader.take(32 if self.key is None else 48))
            else:
                self.mix_token(token)
        self.step += 1
        return self.unseal(reader.take(reader.left()))

    def split(self):
        return self.hkdf(b'', 2)


# Packets, section 15.2 -----------------------------------------------------------------------

def id_bytes(ident):
    return ident.to_bytes(4, 'big')


def padded(data):
    return data + bytes(1200 - len(data))


def write_init(source, pattern, message, cookie=b''):
    return padded(b'\x04\x01' + id_bytes(source) + bytes([pattern, len(cookie)]) + cookie +
                  len(message).to_bytes(2, 'big') + message)


def write_accept(destination, source, message):
    return padded(b'\x05' + id_bytes(destination) + id_bytes(source) +
                  len(message).to_bytes(2, 'big') + message)


def write_confirm(destination, message):
    return b'\x06' + id_bytes(destination) + message


# HELLO, section 15.4 -------------------------------------------------------------------------

def read_hello(payload):
    """The parameters of section 15.4 in a payload that is one HELLO."""
    reader = Reader(payload)
    check(reader.byte() == 0x06, 'no HELLO')
    data = reader.take(reader.varint())
    check(reader.left() == 0, 'more than HELLO')
    check(wire.decode_hello(data)['valid'], 'HELLO')
    values = {}
    reader = Reader(data)
    while reader.left() > 0:
        ident = reader.varint()
        values[ident] = reader.take(reader.varint())
    check(0 < len(values.get(10, b'')) <= 16, 'ciphers')
    check((11 in values) == (12 in values), 'half a session')
    check(len(values.get(11, bytes(16))) == 16 and len(values.get(14, bytes(4))) == 4, 'length')
    return {'ciphers': [c for c in dict.fromkeys(values[10]) if c in CIPHERS],
            'link_id': int.from_bytes(values[14], 'big') if 14 in values else None,
            'ready': values.get(13, b'\0') == b'\x01'}


def choose_cipher(one, other):
    if one[:1] == other[:1] == [1]:
        return 1
    return next((cipher for cipher in (2, 1) if cipher in one and cipher in other), 0)


# DATA, sections 15.9 to 15.11 -----------------------------------------------------------------

class Direction:
    def __init__(self, chain, cipher):
        self.chains = [chain]
        self.cipher = cipher

    def data_key(self, phase):
        while len(self.chains) <= phase:
            self.chains.append(hmac(self.chains[-1], b'seqex 1 update\x01'))
        return hmac(self.chains[phase], LABELS[self.cipher], b'\x01')

    def crypt(self, function, phase, number, header, data):
        cipher = CIPHERS[self.cipher](self.data_key(phase))
        return function(cipher, bytes(4) + number.to_bytes(8, 'big'), header, data)

    def write(self, destination, number, frames, phase=0):
        header = (bytes([8 + phase % 2]) + id_bytes(destination) +
                  (number % 2**32).to_bytes(4, 'big'))
        return header + self.crypt(ciphers.seal, phase, number, header, frames)

    def read(self, packet, number, phase=0):
        header = packet[:9]
        if header[0] != 8 + phase % 2 or int.from_bytes(header[5:], 'big') != number % 2**32:
            raise Malformed('another packet')
        return self.crypt(ciphers.unseal, phase, number, header, packet[9:])
