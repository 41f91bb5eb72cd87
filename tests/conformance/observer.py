# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches a conversation packet by packet, and checks what docs/protocol.md demands of it: sections
4.1, 4.3, 8 (rules 1, 3, 5, 8, 10, 12) and 9.1, as far as an onlooker can tell."""

from wire import check

OVERHEAD = 64
EARLY_MESSAGES, EARLY_BYTES, EARLY_CHANNELS = 16, 16384, 16


class Message:
    def __init__(self, total, reply_to):
        self.total = total
        self.reply_to = reply_to
        self.flags = None      # ordered and final, known from MESSAGE only
        self.bytes = {}        # offset -> byte
        self.end = None        # reason
        self.reply = None      # number
        self.cancelled = False

    def whole(self):
        return self.flags is not None and len(self.bytes) == self.total

    def data(self):
        return bytes(self.bytes[i] for i in range(self.total)).hex()


class Side:
    def __init__(self):
        self.epoch = None
        self.next_number = None      # of packets: the largest sent, plus 1
        self.sent = {}               # packet number -> whether it carried HELLO
        self.hello = None            # its own
        self.heard_hello = None      # the time from which on the other's may be known
        self.hello_acked = None      # the time from which on its own is known to be known
        self.channels = {}           # channel field -> number -> Message
        self.bytes_begun = 0
        self.initials = 0
        self.initial_bytes = 0
        self.grants = []             # (time of arrival, bytes, exchanges) given to it
        self.arrived = []            # (time, packet) from the other side


class Observer:
    def __init__(self):
        self.sides = [Side(), Side()]
        self.packets = 0

    # Packets ------------------------------------------------------------------------------

    def packet(self, line, packet):
        side, other = self.sides[line['from']], self.sides[1 - line['from']]
        frames = packet['frames']
        now = line['time']
        self.packets += 1
        self.hear(side, other, now)
        check(side.epoch in (None, packet['source_epoch']), 'the epoch changes')
        side.epoch = packet['source_epoch']
        check(packet['destination_epoch'] in (0, other.epoch), 'wrong destination epoch')
        check(side.heard_hello is not None or packet['destination_epoch'] == 0,
              'the other epoch is not known')
        number = self.number(side, packet['number'])
        check(len(packet['hex']) // 2 <= (
            other.hello['max_datagram_size'] if side.heard_hello is not None else 1200),
            'packet too large')

        has_hello = frames[0]['type'] == 'HELLO'
        side.sent[number] = has_hello
        check(has_hello or (side.heard_hello is not None and side.hello_acked is not None),
              'no HELLO')
        for frame in frames:
            self.frame(side, other, now, frame)
        for arrival in line['arrivals']:
            other.arrived.append((arrival, packet))

    def number(self, side, bits):
        """Numbers go up, so the next one with these low bits is it; some are left out."""
        number = bits
        if side.next_number is not None:
            number += side.next_number >> 32 << 32
            if number < side.next_number:
                number += 2**32
            check(number - side.next_number <= 1, 'more than one number left out')
        side.next_number = number + 1
        return number

    def hear(self, side, other, now):
        """What has arrived at @side by now; a packet that arrives at this instant may count."""
        later = []
        for arrival, packet in side.arrived:
            if arrival > now:
                later.append((arrival, packet))
                continue
            for frame in packet['frames']:
                if frame['type'] == 'HELLO' and side.heard_hello is None:
                    side.heard_hello = arrival
                    hello = frame['parameters']
                    side.grants.append((arrival, hello['byte_credit'], hello['exchange_credit']))
                elif frame['type'] == 'CREDIT':
                    side.grants.append((arrival, frame['bytes'], frame['exchanges']))
                elif frame['type'] == 'ACK':
                    self.acknowledge(side, arrival, frame)
        side.arrived = later

    @staticmethod
    def acknowledge(side, arrival, frame):
        # Section 6.3: the highest number sent with these low 32 bits.
        largest = frame['ranges'][0][1]
        check(largest < side.next_number, 'acknowledgement of what was not sent')
        shift = (side.next_number - 1 - largest) >> 32 << 32
        for low, high in frame['ranges']:
            for number in range(low + shift, high + shift + 1):
                check(number in side.sent, f'acknowledgement of {number}, which was not sent')
                if side.sent[number] and side.hello_acked is None:
                    side.hello_acked = arrival

    # Frames -------------------------------------------------------------------------------

    def frame(self, side, other, now, frame):
        kind = frame['type']
        if kind == 'HELLO':
            check(frame['parameters']['valid'], 'malformed HELLO')
            check(side.hello in (None, frame['parameters']), 'HELLO changes')
            side.hello = frame['parameters']
        elif kind == 'MESSAGE':
            self.message(side, other, frame)
        elif kind == 'CANCEL':
            self.find_or_begin(side, other, frame).cancelled = True
        elif kind == 'END':
            for first, run in frame['runs']:
                for number in range(first, first + run):
                    self.end(side, other, frame, number)

    def find_or_begin(self, side, other, frame):
        messages = side.channels.setdefault(frame['channel'], {})
        message = messages.get(frame['number'])
        if message is not None:
            check((message.total, message.reply_to) == (frame['total'], frame['reply_to']),
                  'a message contradicts itself')
            return message
        self.take_credit(side, frame)
        message = messages[frame['number']] = Message(frame['total'], frame['reply_to'])
        if frame['reply_to'] is not None:
            answered = other.channels.get(frame['channel'], {}).get(frame['reply_to'])
            check(answered is not None, 'a reply to nothing')
            check(answered.whole() and not answered.flags[1], 'a reply that nobody asked for')
            check(answered.reply is None and answered.end is None, 'a second answer')
            answered.reply = frame['number']
        return message

    def take_credit(self, side, frame):
        """Rule 8."""
        cost = frame['total'] + OVERHEAD
        initial = frame['reply_to'] is None
        side.bytes_begun += cost
        side.initials += initial
        side.initial_bytes += cost if initial else 0
        if side.heard_hello is None:
            check(side.initials <= EARLY_MESSAGES and side.bytes_begun <= EARLY_BYTES and
                  frame['channel'] // 2 < EARLY_CHANNELS, 'too much begun early')
            return
        granted = max(grant[1] for grant in side.grants)
        units = max(grant[2] for grant in side.grants)
        peer = self.sides[1 - self.sides.index(side)].hello
        # What has begun may show itself later than what began after it. So the reserve is held
        # against initial messages alone: the last one of them to begin left it free.
        reserve = peer['max_message_size'] + OVERHEAD
        check(side.bytes_begun <= granted, 'more bytes begun than granted')
        check(not initial or side.initial_bytes + reserve <= granted,
              'initial messages begun in the room of replies')
        # Some of the first ones may have begun early and show themselves now.
        check(not initial or side.initials <= max(units, EARLY_MESSAGES),
              'more exchanges begun than granted')
        check(frame['total'] <= peer['max_message_size'], 'message too large')

    def message(self, side, other, frame):
        message = self.find_or_begin(side, other, frame)
        flags = (frame['ordered'], frame['final'])
        check(message.flags in (None, flags), 'the flags change')
        message.flags = flags
        for i, byte in enumerate(bytes.fromhex(frame['data'])):
            check(message.bytes.setdefault(frame['offset'] + i, byte) == byte, 'the bytes change')

    @staticmethod
    def end(side, other, frame, number):
        message = other.channels.get(frame['channel'], {}).get(number)
        check(message is not None, 'an end of nothing')
        check(message.whole() or message.cancelled, 'an end of what is not whole')
        check(message.reply is None, 'an end beside a reply')
        check(message.end in (None, frame['reason']), 'an end with another reason')
        message.end = frame['reason']

    # The end ------------------------------------------------------------------------------

    def delivered(self, line):
        """What the program of a side got, once each."""
        sender = self.sides[1 - line['to']]
        message = sender.channels[line['channel'] * 2][line['number']]
        check(message.whole() and message.data() == line['data'], 'other bytes')
        check(message.flags == (line['ordered'], line['final']), 'other flags')
        check((message.reply_to is not None) == line['reply'], 'a reply or not')
        check(not hasattr(message, 'delivered'), 'delivered twice')
        message.delivered = True

    def finish(self):
        """Rules 3 and 5, once everything is over. Returns how many messages there were."""
        count = 0
        for side in self.sides:
            for channel, messages in side.channels.items():
                check(max(messages) + 1 == len(messages), 'a message number is left out')
                for number, message in messages.items():
                    count += 1
                    check((message.end is None) != (message.reply is None),
                          f'{number} of {channel} is not answered once')
                    # Only a cancel keeps a message, or the reply to one, from the program.
                    check(hasattr(message, 'delivered') or message.end in (1, 3) or
                          message.cancelled, 'not delivered')
        return count
