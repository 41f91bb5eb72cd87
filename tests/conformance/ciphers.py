# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cryptography of handshakes and DATA, slow and plain: for checking vectors, nothing else.

X25519 is RFC 7748, ChaCha20-Poly1305 RFC 8439, AES-256-GCM FIPS 197 and NIST SP 800-38D.
"""

import hashlib
import hmac as hmac_module
import struct


class Forged(Exception):
    """The tag is another one."""


def sha256(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def hmac(key, *parts):
    return hmac_module.new(key, b''.join(parts), 'sha256').digest()


# X25519 --------------------------------------------------------------------------------------

PRIME = 2**255 - 19


def x25519(scalar, point=(9).to_bytes(32, 'little')):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, 'little')
    x1 = int.from_bytes(point, 'little') & (1 << 255) - 1
    x2, z2, x3, z3 = 1, 0, x1, 1
    swap = 0
    for at in range(254, -1, -1):
        bit = k >> at & 1
        if swap ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a, c * b
        aa, bb = a * a, b * b
        e = aa - bb
        x3, z3 = (da + cb)**2 % PRIME, x1 * (da - cb)**2 % PRIME
        x2, z2 = aa * bb % PRIME, e * (aa + 121665 * e) % PRIME
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, 'little')


# ChaCha20-Poly1305 ---------------------------------------------------------------------------

def quarter(x, a, b, c, d):
    for to, add, mix, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[to] = x[to] + x[add] & 0xffffffff
        value = x[mix] ^ x[to]
        x[mix] = (value << shift | value >> 32 - shift) & 0xffffffff


def chacha_block(key, counter, nonce):
    state = [*struct.unpack('<4I', b'expand 32-byte k'), *struct.unpack('<8I', key), counter,
             *struct.unpack('<3I', nonce)]
    x = state[:]
    for _ in range(10):
        for i in range(4):
            quarter(x, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack('<16I', *((a + b) & 0xffffffff for a, b in zip(x, state)))


def poly1305(key, data):
    r = int.from_bytes(key[:16], 'little') & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(data), 16):
        block = data[at:at + 16] + b'\x01'
        total = (total + int.from_bytes(block, 'little')) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], 'little')) % 2**128).to_bytes(16, 'little')


def pad16(data):
    return data + bytes(-len(data) % 16)


class ChaCha20Poly1305:
    def __init__(self, key):
        self.key = key

    def crypt(self, nonce, data):
        stream = b''.join(chacha_block(self.key, 1 + i, nonce) for i in range(len(data) // 64 + 1))
        return bytes(a ^ b for a, b in zip(data, stream))

    def tag(self, nonce, ad, data):
        return poly1305(chacha_block(self.key, 0, nonce)[:32],
                        pad16(ad) + pad16(data) + struct.pack('<QQ', len(ad), len(data)))


# AES-256-GCM ---------------------------------------------------------------------------------

def xtime(value):
    return (value << 1 ^ (0x11b if value & 0x80 else 0)) & 0xff


def make_sbox():
    box, p, q = [0x63] + [0] * 255, 1, 1
    while True:
        p ^= xtime(p)  # times 3
        for shift in (1, 2, 4):  # divided by 3
            q ^= q << shift & 0xff
        q ^= 0x09 if q & 0x80 else 0
        rotated = [(q << n | q >> 8 - n) & 0xff for n in range(5)]
        box[p] = 0x63
        for value in rotated:
            box[p] ^= value
        if p == 1:
            return box


SBOX = make_sbox()


def expand_key(key):
    words = [key[i:i + 4] for i in range(0, 32, 4)]
    rcon = 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ rcon]) + word[1:]
            rcon = xtime(rcon)
        elif len(words) % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[-8], word)))
    return [b''.join(words[i:i + 4]) for i in range(0, 60, 4)]


def mix_column(a):
    everything = a[0] ^ a[1] ^ a[2] ^ a[3]
    return [a[i] ^ everything ^ xtime(a[i] ^ a[(i + 1) % 4]) for i in range(4)]


class Aes256Gcm:
    def __init__(self, key):
        self.round_keys = expand_key(key)
        self.h = int.from_bytes(self.encrypt(bytes(16)), 'big')

    def encrypt(self, block):
        state = [a ^ b for a, b in zip(block, self.round_keys[0])]
        for at, round_key in enumerate(self.round_keys[1:], 1):
            state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if at < 14:
                state = [b for i in range(0, 16, 4) for b in mix_column(state[i:i + 4])]
            state = [a ^ b for a, b in zip(state, round_key)]
        return bytes(state)

    def crypt(self, nonce, data):
        stream = b''.join(self.encrypt(nonce + struct.pack('>I', 2 + i))
                          for i in range(len(data) // 16 + 1))
        return bytes(a ^ b for a, b in zip(data, stream))

    def times_h(self, value):
        product, v = 0, self.h
        for bit in range(127, -1, -1):
            if value >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
        return product

    def tag(self, nonce, ad, data):
        total = 0
        text = pad16(ad) + pad16(data) + struct.pack('>QQ', 8 * len(ad), 8 * len(data))
        for at in range(0, len(text), 16):
            total = self.times_h(total ^ int.from_bytes(text[at:at + 16], 'big'))
        mask = int.from_bytes(self.encrypt(nonce + b'\0\0\0\1'), 'big')
        return (total ^ mask).to_bytes(16, 'big')


def seal(cipher, nonce, ad, data):
    data = cipher.crypt(nonce, data)
    return data + cipher.tag(nonce, ad, data)


def unseal(cipher, nonce, ad, data):
    data, tag = data[:-16], data[-16:]
    if cipher.tag(nonce, ad, data) != tag:
        raise Forged
    return cipher.crypt(nonce, data)
