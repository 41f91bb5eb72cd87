# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the handshakes of section 17.6: made again of their secrets, and told to the core's."""

import ciphers
import secure
import wire

ID_A, ID_B = 0xa1a2a3a4, 0xb1b2b3b4
NUMBERS = {'ready': (0, 0), 'data': (2**32 + 2, 0), 'update': (7, 1)}  # number, phase


def expect(condition, what):
    if not condition:
        raise wire.Malformed(what)


def split_vectors(lines):
    """Pattern -> name -> bytes, with the zeros that the vectors leave out."""
    patterns = {}
    for line in lines:
        pattern, _, name = line['name'].partition('-')
        data = bytes.fromhex(line['hex'])
        if line['kind'] == 'datagram':
            data += bytes(line['size'] - len(data))
        patterns.setdefault(pattern, {})[name] = data
    return patterns


def one_hello(vectors, side):
    hello = vectors[f'{side}-hello']
    return b'\x06' + wire.varint(len(hello)) + hello


def make_sides(pattern, vectors):
    knows = pattern in (2, 4)
    for side in 'ab':
        expect(ciphers.x25519(vectors[f'{side}-static']) == vectors[f'{side}-public'], 'public key')
    a = secure.Noise(pattern, True, ID_A, vectors['a-static'], vectors['a-ephemeral'],
                     vectors['b-public'] if knows else None)
    b = secure.Noise(pattern, False, ID_A, vectors['b-static'], vectors['b-ephemeral'])
    return a, b


def shake_hands(pattern, vectors):
    """Writes each packet as its sender, compares it, and reads it as its receiver."""
    a, b = make_sides(pattern, vectors)
    knows = pattern in (2, 4)
    payload = one_hello(vectors, 'a') if knows else b''
    message = a.write(payload)
    expect(secure.write_init(ID_A, pattern, message) == vectors['init'], 'INIT')
    expect(b.read(message) == payload, 'payload of INIT')
    message = b.write(one_hello(vectors, 'b'))
    expect(secure.write_accept(ID_A, ID_B, message) == vectors['accept'], 'ACCEPT')
    expect(a.read(message) == one_hello(vectors, 'b'), 'payload of ACCEPT')
    if not knows:
        message = a.write(one_hello(vectors, 'a'))
        expect(secure.write_confirm(ID_B, message) == vectors['confirm'], 'CONFIRM')
        expect(b.read(message) == one_hello(vectors, 'a'), 'payload of CONFIRM')
    expect(a.remote['s'] == vectors['b-public'] and b.remote['s'] == vectors['a-public'], 'peers')
    expect(a.h == b.h == vectors['both-hash'], 'handshake hash')
    expect(a.split() == b.split() == [vectors['a-chain-0'], vectors['b-chain-0']], 'chains')


def read_data(vectors):
    """Opens and makes again every DATA. Returns the types of the frames."""
    hellos = {side: secure.read_hello(one_hello(vectors, side)) for side in 'ab'}
    expect((hellos['a']['link_id'], hellos['b']['link_id']) == (None, ID_B), 'link ids')
    cipher = secure.choose_cipher(hellos['a']['ciphers'], hellos['b']['ciphers'])
    types = []
    for name, (number, phase) in NUMBERS.items():
        side, destination = ('a', ID_B) if name == 'data' else ('b', ID_A)
        direction = secure.Direction(vectors[f'{side}-chain-0'], cipher)
        expect(direction.data_key(0) == vectors[f'{side}-key-0'], 'data key')
        frames = direction.read(vectors[name], number, phase)
        expect(direction.write(destination, number, frames, phase) == vectors[name], 'DATA')
        decoded = wire.decode_frames(frames)
        expect(decoded['valid'], 'frames')
        types += [frame['type'] for frame in decoded['frames']]
        damaged = vectors[name][:-1] + bytes([vectors[name][-1] ^ 1])
        try:
            direction.read(damaged, number, phase)
            expect(False, 'a damaged packet is taken')
        except ciphers.Forged:
            pass
    return cipher, types


def verify(lines):
    patterns = split_vectors(lines)
    stateless = patterns.pop('stateless')
    cookie = bytes(range(0xc0, 0xe0))
    expect(stateless['retry'] == b'\x07' + secure.id_bytes(ID_A) + cookie, 'RETRY')
    expect(stateless['reset'] == b'\x0a' + secure.id_bytes(ID_B) + secure.id_bytes(7), 'RESET')
    expect(stateless['version'] == b'\x0b' + secure.id_bytes(ID_A) + b'\x01', 'VERSION')
    used = set()
    for name, pattern in (('xx', 1), ('ik', 2)):
        shake_hands(pattern, patterns[name])
        cipher, types = read_data(patterns[name])
        used.add(cipher)
        expect(types == ['READY', 'ACK', 'RECEIVED', 'CHALLENGE', 'MESSAGE', 'RESPONSE'], types)
    expect(used == {1, 2}, 'both ciphers')
    return f'{len(lines)} vectors'
