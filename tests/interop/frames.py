# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames and HELLO, as far as peer.py needs them: sections 2, 6, 7 and 15.4 of docs/protocol.md."""


class Broken(Exception):
    """The other side, or the test, does not follow the document."""


def check(condition, what):
    if not condition:
        raise Broken(what)


def varint(value):
    for size, prefix in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if value < 1 << (8 * size - 2):
            return (value | prefix << (8 * size - 2)).to_bytes(size, 'big')
    raise ValueError(value)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        check(self.at + size <= len(self.data), 'goes beyond its end')
        self.at += size
        return self.data[self.at - size:self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        first = self.byte()
        rest = self.take((1 << (first >> 6)) - 1)
        return int.from_bytes(bytes([first & 0x3f]) + rest, 'big')

    def rest(self):
        return self.take(len(self.data) - self.at)

    def numbers(self):
        """A run list."""
        numbers = []
        for _ in range(self.varint()):
            first, run = self.varint(), self.varint()
            check(1 <= run < 100000, 'a run of 0')
            numbers += range(first, first + run)
        return numbers


# Section 7 and 15.4: id -> name, least, most.
NUMBERS = {
    1: ('max_message_size', 16384, 268435456), 2: ('byte_credit', 0, 2**36),
    3: ('exchange_credit', 1, 1048576), 4: ('max_channels', 16, 65536),
    5: ('max_streams', 0, 2**62 - 1), 6: ('idle_timeout', 0, 2**62 - 1),
    7: ('ack_delay', 0, 1000000), 8: ('max_datagram_size', 576, 65507),
    15: ('stream_window', 262144, 2**36),
    12: ('generation', 0, 2**62 - 1), 13: ('ready', 0, 1),
}
STRINGS = {9: 'application_id', 10: 'ciphers', 11: 'session_id', 14: 'link_id'}
REQUIRED = {1, 2, 3, 4, 7, 8, 10}


def parameters(application, ciphers, session_id, generation, ready, link_id):
    """A HELLO with one parameter that nobody knows."""
    values = {1: varint(1 << 20), 2: varint(4 << 20), 3: varint(1024), 4: varint(16),
              6: varint(30000000), 7: varint(0), 8: varint(1200), 9: application,
              10: bytes([77]) + ciphers + ciphers[:1], 11: session_id, 12: varint(generation),
              60: b'of a later version'}
    if ready:
        values[13] = varint(1)
    if link_id:
        values[14] = link_id
    return b''.join(varint(key) + varint(len(value)) + value for key, value in values.items())


def read_parameters(data):
    reader, values, ids = Reader(data), {'application_id': b''}, set()
    while reader.at < len(data):
        key = reader.varint()
        check(key not in ids, f'{key} comes twice')
        ids.add(key)
        value = reader.take(reader.varint())
        if key in NUMBERS:
            name, least, most = NUMBERS[key]
            number = Reader(value)
            values[name] = number.varint()
            check(number.at == len(value), f'{name} is not filled by its number')
            check(least <= values[name] <= most, f'{name} is out of its bounds')
        elif key in STRINGS:
            values[STRINGS[key]] = value
    check(len(ids) <= 32 and REQUIRED <= ids, 'too many or too few parameters')
    check(1 <= len(values['ciphers']) <= 16, 'no ciphers')
    check(('session_id' in values) == ('generation' in values), 'half a session')
    check(len(values.get('session_id', bytes(16))) == 16, 'session_id has another size')
    return values


class Frames:
    """The frames of a packet or of a payload, one by one."""

    def __init__(self, data):
        self.reader = Reader(data)

    def __iter__(self):
        while self.reader.at < len(self.reader.data):
            kind = self.reader.byte()
            if 0x10 <= kind <= 0x2f:
                yield self.message(kind)
            else:
                check(kind in self.names, f'unknown frame {kind:02x}')
                name, read = self.names[kind]
                yield {'name': name, **read(self.reader)}

    def message(self, kind):
        r, flags = self.reader, kind - 0x10
        frame = {'name': 'MESSAGE', 'ordered': bool(flags & 1), 'final': bool(flags & 16),
                 'channel': r.varint(), 'number': r.varint(),
                 'reply_to': r.varint() if flags & 2 else None, 'offset': 0}
        if flags & 4:
            frame['total'], frame['offset'] = r.varint(), r.varint()
        frame['bytes'] = r.take(r.varint()) if flags & 8 else r.rest()
        frame.setdefault('total', len(frame['bytes']))
        check(frame['offset'] + len(frame['bytes']) <= frame['total'], 'beyond its total')
        check(frame['bytes'] or frame['total'] == 0, 'a fragment without bytes')
        return frame

    @staticmethod
    def ack(r):
        largest, delay, pairs, first = [r.varint() for _ in range(4)]
        ranges, low = [(largest - first, largest)], largest - first
        for _ in range(pairs):
            gap, length = r.varint(), r.varint()
            high = low - gap - 2
            low = high - length
            ranges.append((low, high))
        check(low >= 0, 'a range goes below 0')
        return {'ranges': ranges, 'delay': delay}

    @staticmethod
    def close(r):
        code, size = r.varint(), r.varint()
        check(size <= 255, 'a reason that is too long')
        return {'code': code, 'reason': r.take(size)}

    @staticmethod
    def hello(r):
        size = r.varint()
        check(size <= 512, 'a HELLO that is too long')
        return {'parameters': read_parameters(r.take(size))}

    names = {
        0x00: ('PADDING', lambda r: {}),
        0x01: ('PING', lambda r: {}),
        0x02: ('ACK', lambda r: Frames.ack(r)),
        0x04: ('CLOSE', lambda r: Frames.close(r)),
        0x05: ('READY', lambda r: {}),
        0x06: ('HELLO', lambda r: Frames.hello(r)),
        0x07: ('RECEIVED', lambda r: {'channel': r.varint(), 'numbers': r.numbers()}),
        0x08: ('CREDIT', lambda r: {'bytes_limit': r.varint(), 'exchanges': r.varint()}),
        0x0a: ('END', lambda r: {'channel': r.varint(), 'reason': r.byte(),
                                 'numbers': r.numbers()}),
        0x0b: ('CANCEL', lambda r: {'channel': r.varint(), 'number': r.varint(),
                                    'total': r.varint(), 'reply': r.varint()}),
        0x0c: ('CHALLENGE', lambda r: {'token': r.take(8)}),
        0x0d: ('RESPONSE', lambda r: {'token': r.take(8)}),
        0x30: ('DATAGRAM', lambda r: {'bytes': r.rest()}),
        0x31: ('DATAGRAM', lambda r: {'bytes': r.take(r.varint())}),
    }


def encode_ranges(ranges):
    """ACK of (low, high), the highest first (6.3); at once, so the delay is 0."""
    (low, high), *rest = ranges
    frame = b'\x02' + varint(high) + varint(0) + varint(len(rest)) + varint(high - low)
    for next_low, next_high in rest:
        frame += varint(low - next_high - 2) + varint(next_high - next_low)
        low = next_low
    return frame


def message_frame(number, data, offset, step, reply_to, final):
    """An ordered message, or its part, that goes to the end of the packet."""
    part = data[offset:offset + step]
    whole = len(part) == len(data)
    flags = 1 + (0 if reply_to is None else 2) + (0 if whole else 4) + (16 if final else 0)
    frame = bytes([0x10 + flags]) + b'\0' + varint(number)
    if reply_to is not None:
        frame += varint(reply_to)
    if not whole:
        frame += varint(len(data)) + varint(offset)
    return frame + part
