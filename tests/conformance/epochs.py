# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sections 4.2 to 4.4 of docs/protocol.md, on their own: whose packet it is, and what follows."""

import wire
from wire import check

HINT_INTERVAL = 100000
FORMER_EPOCHS = 8


class Judge:
    def __init__(self, epoch):
        self.own = epoch
        self.called = False    # sent something to destination 0 under that epoch
        self.spare = 0         # 0: none; None: one that no packet has shown yet
        self.known = 0
        self.former = []
        self.next_hint = 0
        self.restarts = 0
        self.over = False
        self.begin()

    def begin(self):
        """A new session and a new link."""
        self.hello = None         # of the peer
        self.hello_acked = False  # an own packet with HELLO was acknowledged
        self.sent = {}            # number -> whether it carried HELLO

    def receive(self, packet, now):
        """The verdict, and for a hint its source and destination epoch, or None."""
        source, destination = packet['source_epoch'], packet['destination_epoch']
        first = packet['frames'][0]
        introduces = first['type'] == 'HELLO' and first['parameters']['valid']
        for_spare = self.spare != 0 and destination == self.spare
        if source in (0, self.own, self.spare) or source in self.former:
            return 'former', None
        if source == self.known:
            if destination not in (0, self.own):
                return 'former', None
        elif destination not in (0, self.own) and not for_spare:
            return 'wrong', self.hint(source, now, False)
        elif self.known == 0:
            if not introduces:
                return 'no hello', None
            self.known = source
        elif for_spare or (destination == self.own and not self.called):
            if not introduces:
                return 'no hello', None
            self.restart(source, for_spare)
        else:
            return 'unknown', self.hint(source, now, self.called)
        for frame in packet['frames']:
            self.process(frame)
        return 'accepted', None

    def hint(self, destination, now, from_spare):
        if now < self.next_hint:
            return None
        self.next_hint = now + HINT_INTERVAL
        if from_spare and self.spare == 0:
            self.spare = None
        return from_spare, destination

    def restart(self, source, for_spare):
        self.former = (self.former + [self.known])[-FORMER_EPOCHS:]
        self.known = source
        self.restarts += 1
        self.begin()
        if for_spare:
            self.own, self.spare, self.called = self.spare, 0, False

    def process(self, frame):
        if self.over:
            return
        if frame['type'] == 'HELLO':
            if not frame['parameters']['valid']:
                self.over = True
            elif self.hello is None:
                self.hello = frame['parameters']
        elif frame['type'] == 'ACK':
            for low, high in frame['ranges']:
                for number in range(low, high + 1):
                    self.hello_acked |= self.sent.get(number, False)

    def send(self, packet, hint):
        """Checks a packet that went out."""
        kinds = [frame['type'] for frame in packet['frames']]
        if hint is not None:
            from_spare, destination = hint
            if from_spare and self.spare is None:
                self.spare = packet['source_epoch']
                check(self.spare not in (0, self.own), 'no spare epoch')
            check(packet['source_epoch'] == (self.spare if from_spare else self.own) and
                  packet['destination_epoch'] == destination and kinds == ['HELLO'], 'not the hint')
        else:
            check(packet['source_epoch'] == self.own, 'another source epoch')
            check(packet['destination_epoch'] == self.known, 'another destination epoch')
            check(kinds[0] == 'HELLO' or (self.hello is not None and self.hello_acked), 'no HELLO')
            self.called |= self.known == 0
        # What a hint carries is not resent, so its acknowledgement may count or not.
        self.sent[packet['number']] = kinds[0] == 'HELLO'


def check_scene(lines):
    """Every verdict, and all that is sent. Returns what was seen how often."""
    judge = None
    seen = {}
    for line in lines:
        hint = None
        if judge is None:
            judge = Judge(line['epoch'])
        else:
            packet = wire.decode_packet(bytes.fromhex(line['hex']))
            before = judge.own, judge.known
            verdict, hint = judge.receive(packet, line['time'])
            check(verdict == line['verdict'], f'{verdict}: {line}')
            check(judge.restarts == line['incarnation'] and judge.over == line['over'],
                  f'{judge.restarts} restarts: {line}')
            if verdict == 'accepted' and judge.own != before[0]:
                verdict = 'moved'
            elif verdict == 'accepted' and judge.known != before[1]:
                verdict = 'adopted'
            seen[verdict] = seen.get(verdict, 0) + 1
        if judge.over:
            break
        for data in line['sent']:
            judge.send(wire.decode_packet(bytes.fromhex(data)), hint)
            hint = None
        check(hint is None, f'no hint: {line}')
    return seen
