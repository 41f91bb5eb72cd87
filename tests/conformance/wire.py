# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second implementation of the wire, written from docs/protocol.md alone: sections 2 to 7.

Packets and frames are dictionaries. Bytes in them are hexadecimal, as in the C side's JSON.
"""

VARINT_MAX = 2**62 - 1
HEADER_SIZE = 17
HEADER = ('instance', 'source_epoch', 'destination_epoch', 'number')

ORDERED, REPLY, FRAGMENT, LENGTH, FINAL = 0x01, 0x02, 0x04, 0x08, 0x10

# Section 7: id -> name, least, most, whether it is required.
PARAMETERS = {
    1: ('max_message_size', 16384, 268435456, True),
    2: ('byte_credit', 0, 2**36, True),
    3: ('exchange_credit', 1, 1048576, True),
    4: ('max_channels', 16, 65536, True),
    5: ('max_streams', 0, VARINT_MAX, False),
    6: ('idle_timeout', 0, VARINT_MAX, False),
    7: ('ack_delay', 0, 1000000, True),
    8: ('max_datagram_size', 576, 65507, True),
    15: ('stream_window', 262144, 2**36, False),
}
APPLICATION_ID = 9
SECURE_FRAMES = ('READY', 'RECEIVED', 'CHALLENGE', 'RESPONSE')  # not for PLAIN, section 6
MOST_PARAMETERS = 32


class Malformed(Exception):
    """What is read does not follow the protocol."""


def check(condition, what):
    if not condition:
        raise Malformed(what)


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        check(size <= self.left(), 'too short')
        self.at += size
        return self.data[self.at - size:self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        first = self.byte()
        rest = self.take((1 << (first >> 6)) - 1)
        return int.from_bytes(bytes([first & 0x3f]) + rest, 'big')


def varint(value, size=None):
    """The shortest form, or the one of @size bytes."""
    if size is None:
        size = next(size for size in (1, 2, 4, 8) if value < 1 << (8 * size - 2))
    code = {1: 0, 2: 1, 4: 2, 8: 3}[size]
    return (value | code << (8 * size - 2)).to_bytes(size, 'big')


# Frames, section 6 ---------------------------------------------------------------------------

def read_runs(reader):
    runs = []
    for _ in range(reader.varint()):
        first, run = reader.varint(), reader.varint()
        check(run >= 1 and first + run - 1 <= VARINT_MAX, 'run out of range')
        runs.append([first, run])
    return runs


def read_ack(reader):
    largest, delay, pairs, first_range = (reader.varint() for _ in range(4))
    low = largest - first_range
    check(low >= 0, 'range below 0')
    ranges = [[low, largest]]
    for _ in range(pairs):
        gap, length = reader.varint(), reader.varint()
        high = low - gap - 2
        low = high - length
        check(low >= 0, 'range below 0')
        ranges.append([low, high])
    return {'type': 'ACK', 'delay': delay, 'ranges': ranges}


def read_close(reader):
    code, length = reader.varint(), reader.varint()
    check(length <= 255, 'reason too long')
    return {'type': 'CLOSE', 'code': code, 'reason': reader.take(length).hex()}


def read_hello(reader):
    length = reader.varint()
    check(length <= 512, 'HELLO too long')
    return {'type': 'HELLO', 'parameters': decode_hello(reader.take(length))}


def read_cancel(reader):
    channel, number, total, reply = (reader.varint() for _ in range(4))
    return {'type': 'CANCEL', 'channel': channel, 'number': number, 'total': total,
            'reply_to': None if reply == 0 else reply - 1}


def read_message(reader, flags):
    frame = {'type': 'MESSAGE', 'channel': reader.varint(), 'number': reader.varint(),
             'ordered': bool(flags & ORDERED), 'final': bool(flags & FINAL),
             'reply_to': reader.varint() if flags & REPLY else None,
             'fragment': bool(flags & FRAGMENT)}
    if flags & FRAGMENT:
        frame['total'], frame['offset'] = reader.varint(), reader.varint()
    data = reader.take(reader.varint() if flags & LENGTH else reader.left())
    if not flags & FRAGMENT:
        frame['total'], frame['offset'] = len(data), 0
    check(frame['offset'] + len(data) <= frame['total'], 'bytes beyond the total')
    check(len(data) > 0 or frame['total'] == 0, 'fragment without bytes')
    frame['data'] = data.hex()
    frame['with_length'] = bool(flags & LENGTH)
    return frame


def read_frame(reader):
    kind = reader.byte()
    if kind == 0x05:
        return {'type': 'READY'}
    if kind == 0x07:
        return {'type': 'RECEIVED', 'channel': reader.varint(), 'runs': read_runs(reader)}
    if kind in (0x0c, 0x0d):
        return {'type': 'CHALLENGE' if kind == 0x0c else 'RESPONSE', 'token': reader.take(8).hex()}
    if kind == 0x00:
        while reader.left() > 0 and reader.data[reader.at] == 0x00:
            reader.at += 1
        return {'type': 'PADDING'}
    if kind == 0x01:
        return {'type': 'PING'}
    if kind == 0x02:
        return read_ack(reader)
    if kind == 0x04:
        return read_close(reader)
    if kind == 0x06:
        return read_hello(reader)
    if kind == 0x08:
        return {'type': 'CREDIT', 'bytes': reader.varint(), 'exchanges': reader.varint()}
    if kind == 0x0a:
        return {'type': 'END', 'channel': reader.varint(), 'reason': reader.byte(),
                'runs': read_runs(reader)}
    if kind == 0x0b:
        return read_cancel(reader)
    if 0x10 <= kind <= 0x2f:
        return read_message(reader, kind - 0x10)
    if kind == 0x30:
        return {'type': 'DATAGRAM', 'data': reader.take(reader.left()).hex(),
                'with_length': False}
    if kind == 0x31:
        return {'type': 'DATAGRAM', 'data': reader.take(reader.varint()).hex(),
                'with_length': True}
    raise Malformed(f'unknown frame {kind:02x}')


def write_ack(frame):
    ranges = frame['ranges']
    low, high = ranges[0]
    out = varint(high) + varint(frame['delay']) + varint(len(ranges) - 1) + varint(high - low)
    for next_low, next_high in ranges[1:]:
        out += varint(low - next_high - 2) + varint(next_high - next_low)
        low = next_low
    return b'\x02' + out


def write_runs(runs):
    # Section 6.7: the count may take two bytes.
    return varint(len(runs), 2) + b''.join(varint(first) + varint(run) for first, run in runs)


def write_message(frame):
    flags = (ORDERED * frame['ordered'] | FINAL * frame['final'] |
             REPLY * (frame['reply_to'] is not None) | FRAGMENT * frame['fragment'] |
             LENGTH * frame['with_length'])
    data = bytes.fromhex(frame['data'])
    out = bytes([0x10 + flags]) + varint(frame['channel']) + varint(frame['number'])
    if flags & REPLY:
        out += varint(frame['reply_to'])
    if flags & FRAGMENT:
        out += varint(frame['total']) + varint(frame['offset'])
    if flags & LENGTH:
        out += varint(len(data))
    return out + data


def write_frame(frame):
    kind = frame['type']
    if kind == 'PING':
        return b'\x01'
    if kind == 'ACK':
        return write_ack(frame)
    if kind == 'CLOSE':
        reason = bytes.fromhex(frame['reason'])
        return b'\x04' + varint(frame['code']) + varint(len(reason)) + reason
    if kind == 'HELLO':
        parameters = bytes.fromhex(frame['parameters']['hex'])
        return b'\x06' + varint(len(parameters)) + parameters
    if kind == 'CREDIT':
        return b'\x08' + varint(frame['bytes']) + varint(frame['exchanges'])
    if kind == 'END':
        return (b'\x0a' + varint(frame['channel']) + bytes([frame['reason']]) +
                write_runs(frame['runs']))
    if kind == 'READY':
        return b'\x05'
    if kind == 'RECEIVED':
        return b'\x07' + varint(frame['channel']) + write_runs(frame['runs'])
    if kind in ('CHALLENGE', 'RESPONSE'):
        return (b'\x0c' if kind == 'CHALLENGE' else b'\x0d') + bytes.fromhex(frame['token'])
    if kind == 'CANCEL':
        reply = 0 if frame['reply_to'] is None else frame['reply_to'] + 1
        return b'\x0b' + b''.join(varint(value) for value in (
            frame['channel'], frame['number'], frame['total'], reply))
    if kind == 'MESSAGE':
        return write_message(frame)
    assert kind == 'DATAGRAM'
    data = bytes.fromhex(frame['data'])
    return b'\x31' + varint(len(data)) + data if frame['with_length'] else b'\x30' + data


# Packets, sections 4 and 5 -------------------------------------------------------------------

def add_frames(packet, reader, allowed):
    """Frames up to the first that is malformed or not allowed, and whether there is none such."""
    packet['frames'] = []
    try:
        check(reader.left() > 0, 'no frame')
        while reader.left() > 0:
            frame = read_frame(reader)
            check(allowed(frame['type']), 'a frame of other packets')
            packet['frames'].append(frame)
        packet['valid'] = True
    except Malformed as error:
        packet['error'] = str(error)
    return packet


def decode_frames(data):
    """What is inside of an encrypted packet."""
    return add_frames({'hex': data.hex(), 'valid': False}, Reader(data), lambda kind: True)


def decode_packet(data):
    """A PLAIN packet: header and frames."""
    packet = {'hex': data.hex(), 'valid': False}
    if len(data) < HEADER_SIZE or data[0] != 0x0c:
        return packet
    for at, name in enumerate(HEADER):
        at = 1 + 4 * at
        packet[name] = int.from_bytes(data[at:at + 4], 'big')
    reader = Reader(data)
    reader.at = HEADER_SIZE
    return add_frames(packet, reader, lambda kind: kind not in SECURE_FRAMES)


def encode_packet(packet):
    """The canonical form, without PADDING; without header what is inside of an encrypted packet."""
    out = b''
    if 'instance' in packet:
        out = b'\x0c' + b''.join(packet[name].to_bytes(4, 'big') for name in HEADER)
    return out + b''.join(write_frame(frame) for frame in packet['frames']
                          if frame['type'] != 'PADDING')


def expand_number(largest, bits):
    """Section 4.1: the full number, and whether it is from before the first packet accepted."""
    if largest is None:
        return bits, False
    following = largest + 1
    number = (following >> 32 << 32) + bits
    if number + 2**31 <= following and number <= VARINT_MAX - 2**32:
        number += 2**32
    elif number > following + 2**31 and number >= 2**32:
        number -= 2**32
    return number, number > following + 2**31


# HELLO, section 7 ----------------------------------------------------------------------------

def read_parameters(data):
    reader = Reader(data)
    values = {name: 0 for name, _, _, _ in PARAMETERS.values()}
    values['application_id'] = ''
    values['stream_window'] = 262144
    seen = set()
    while reader.left() > 0:
        check(len(seen) < MOST_PARAMETERS, 'too many parameters')
        ident = reader.varint()
        value = Reader(reader.take(reader.varint()))
        check(ident not in seen, 'parameter twice')
        seen.add(ident)
        if ident in PARAMETERS:
            name, least, most, _ = PARAMETERS[ident]
            values[name] = value.varint()
            check(value.left() == 0, 'parameter too long')
            check(least <= values[name] <= most, 'parameter out of its bounds')
        elif ident == APPLICATION_ID:
            check(value.left() <= 255 and 0 not in value.data, 'application id')
            try:
                value.data.decode('utf-8')
            except UnicodeDecodeError as error:
                raise Malformed('application id') from error
            values['application_id'] = value.data.hex()
    check(all(ident in seen for ident, entry in PARAMETERS.items() if entry[3]),
          'parameter missing')
    check(values['byte_credit'] >= 2 * (values['max_message_size'] + 64), 'too little credit')
    check(values['idle_timeout'] == 0 or values['idle_timeout'] >= 10000, 'idle time-out')
    if values['max_streams'] == 0:
        del values['stream_window']
    return values


def decode_hello(data):
    hello = {'hex': data.hex(), 'valid': False}
    try:
        hello.update(read_parameters(data))
        hello['valid'] = True
    except Malformed as error:
        hello['error'] = str(error)
    return hello


def encode_hello(values):
    """The canonical form: ascending ids, shortest numbers, nothing empty that may be absent."""
    entries = {APPLICATION_ID: bytes.fromhex(values['application_id'])}
    for ident, (name, _, _, required) in PARAMETERS.items():
        entries[ident] = varint(values[name]) if required or values.get(name, 0) > 0 else b''
    return b''.join(varint(ident) + varint(len(value)) + value
                    for ident, value in sorted(entries.items()) if value)
