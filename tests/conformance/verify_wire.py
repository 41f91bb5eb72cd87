#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the C side of the wire against wire.py, and both against docs/protocol.md.

verify_wire.py GEN-VECTORS VECTORS.JSON HANDSHAKES.JSON PROTOCOL.MD [--count N] [--seed N]
verify_wire.py GEN-VECTORS --write VECTORS.JSON
verify_wire.py GEN-VECTORS --write HANDSHAKES.JSON --kind handshake
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import ciphers  # noqa: E402
import handshakes  # noqa: E402
import tap  # noqa: E402
import wire  # noqa: E402
from epochs import check_scene  # noqa: E402
from observer import Observer  # noqa: E402

OWN = ('with_length', 'error')  # what the C side does not say


def generate(program, *arguments):
    output = subprocess.run([program, *map(str, arguments)], stdout=subprocess.PIPE, check=True,
                            text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def plain(value):
    """Without what only this side knows."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items() if key not in OWN}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def without_padding(frames):
    return [frame for frame in frames if frame['type'] != 'PADDING']


class Mismatch(Exception):
    """Both sides say something different."""


def expect(condition, line, *values):
    if not condition:
        raise Mismatch('\n'.join(map(str, (line, *values))))


def check_packet(line, decode=wire.decode_packet):
    """The same verdict, the same fields; and what is valid survives being written again."""
    packet = decode(bytes.fromhex(line['hex']))
    said = {key: line[key] for key in packet if key in line}
    expect(plain(packet) == said, line, packet)
    if packet['valid']:
        again = decode(wire.encode_packet(packet))
        expect(without_padding(again['frames']) == without_padding(packet['frames']), line, again)
    return packet


def check_frames(line):
    return check_packet(line, wire.decode_frames)


def check_written(line):
    """What the writers were told is what is read, and they write canonically."""
    decode = wire.decode_packet if 'instance' in line else wire.decode_frames
    packet = decode(bytes.fromhex(line['hex']))
    frames = without_padding(packet['frames'])
    expect(packet['valid'] and plain(frames) == line['frames'], line, packet)
    for name in wire.HEADER:
        expect(packet.get(name) == line.get(name), line, packet)
    written = bytes.fromhex(line['hex'])
    if len(frames) == len(packet['frames']):
        expect(wire.encode_packet(packet) == written, line, wire.encode_packet(packet).hex())
    for frame in frames:
        if frame['type'] == 'HELLO':
            check_hello(frame['parameters'])
            expect(wire.encode_hello(frame['parameters']).hex() == frame['parameters']['hex'], line)
    return packet


def check_hello(line):
    hello = wire.decode_hello(bytes.fromhex(line['hex']))
    said = {key: line[key] for key in hello if key in line}
    expect(plain(hello) == said, line, hello)
    return hello


def check_number(line):
    number, old = wire.expand_number(line['largest'], line['bits'])
    expect((number, old) == (line['number'], line['old']), line, number, old)


def check_exchange(lines):
    observer = Observer()
    count = 0
    for line in lines:
        try:
            if line['kind'] == 'packet':
                packet = check_packet(line)
                expect(packet['valid'], line, packet)
                observer.packet(line, packet)
            else:
                observer.delivered(line)
                count += 1
        except wire.Malformed as error:
            raise Mismatch(f'{error}: {line}') from error
    try:
        return observer.packets, observer.finish(), count
    except wire.Malformed as error:
        raise Mismatch(str(error)) from error


CHECKS = {'packet': check_packet, 'frames': check_frames, 'written': check_written,
          'hello': check_hello, 'number': check_number}


# The document ---------------------------------------------------------------------------------

def read_document(path, secure=False):
    """Section 17: name -> hex of the annotated packets, name -> hex in the tables, numbers. Its
    last part is about encrypted connections."""
    with open(path, encoding='utf-8') as file:
        section = file.read().partition('\n## 17 ')[2]
    section = section.partition('\n### 17.6 ')[2 if secure else 0]
    packets = {}
    for block in re.findall(r'^```\n(.*?)^```', section, re.M | re.S):
        name, *rows = block.splitlines()
        packets[name] = ''.join(re.match(r'[0-9a-f]*', row)[0] for row in rows)
    table = dict(re.findall(r'^\| ([a-z][\w-]+) \| `?([0-9a-f]*)`? \|', section, re.M))
    numbers = re.findall(r'^\| (none|\d+) \| (\d+) \| (\d+)(, old: drop)? \|', section, re.M)
    return packets, table, [
        {'kind': 'number', 'largest': None if largest == 'none' else int(largest),
         'bits': int(bits), 'number': int(number), 'old': old != ''}
        for largest, bits, number, old in numbers]


def check_document(path, vectors):
    packets, table, numbers = read_document(path)
    table.pop('none')
    for vector in vectors:
        name = vector.get('name')
        if name is None:
            expect(vector in numbers, vector, 'is not in the document')
            numbers.remove(vector)
        elif name in packets:
            expect(packets.pop(name) == vector['hex'], vector, 'differs in the document')
        elif name in table:
            skipped = 34 if vector['kind'] == 'packet' and len(vector['hex']) >= 34 else 0
            expect(table.pop(name) == vector['hex'][skipped:], vector, 'differs in the document')
        else:
            expect(False, vector, 'is not in the document')
    expect(not packets and not numbers and not table, 'the document has more',
           packets, table, numbers)


def check_handshake_document(path, vectors):
    packets, table, _ = read_document(path, secure=True)
    for vector in vectors:
        there = packets if vector['kind'] == 'datagram' else table
        expect(there.pop(vector['name'], None) == vector['hex'], vector, 'differs in the document')
    expect(not packets and not table, 'the document has more', packets, table)


# ----------------------------------------------------------------------------------------------

def run(plan, name, function, *arguments):
    try:
        note = function(*arguments)
        plan.result(True, f'{name}{f": {note}" if note else ""}')
    except (Mismatch, wire.Malformed, ciphers.Forged, subprocess.CalledProcessError, OSError,
            KeyError, ValueError) as error:
        plan.result(False, name, f'{type(error).__name__}: {error}')


def verify_lines(lines):
    valid = 0
    for line in lines:
        result = CHECKS[line['kind']](line)
        valid += bool(result and result['valid'])
    return len(lines), valid


def verify_vectors(program, path, document):
    with open(path, encoding='utf-8') as file:
        stored = json.load(file)['vectors']
    fresh = generate(program, 'fixed')
    expect(stored == fresh, 'the vectors differ from what the core writes',
           *(pair for pair in zip(stored, fresh) if pair[0] != pair[1]))
    count, _ = verify_lines(stored)
    for vector in stored:
        if 'name' in vector:
            expect(vector['valid'] != vector['name'].startswith('bad-'), vector)
    check_document(document, stored)
    return f'{count} vectors'


def verify_handshakes(program, path, document):
    with open(path, encoding='utf-8') as file:
        stored = json.load(file)['vectors']
    fresh = generate(program, 'handshake')
    expect(stored == fresh, 'the vectors differ from what the core writes',
           *(pair for pair in zip(stored, fresh) if pair[0] != pair[1]))
    check_handshake_document(document, stored)
    return handshakes.verify(stored)


def verify_random(program, kind, seed, count):
    count, valid = verify_lines(generate(program, kind, seed, count))
    if kind == 'written':
        expect(valid == count, 'not all valid')
    elif kind != 'numbers':
        # A test of refusals needs both.
        expect(count // 10 < valid < count - count // 10, f'{valid} of {count} valid')
    return f'{count}, {valid} valid' if kind != 'numbers' else f'{count}'


def verify_exchange(program, seed):
    packets, messages, delivered = check_exchange(generate(program, 'exchange', seed))
    expect(messages > 80 and delivered > 80, f'{messages} messages, {delivered} delivered')
    return f'{packets} packets, {messages} messages, {delivered} delivered'


def verify_epochs(program, seed, scenes):
    total = {}
    for i in range(scenes):
        try:
            seen = check_scene(generate(program, 'epochs', (seed + i) % 2**32))
        except wire.Malformed as error:
            raise Mismatch(f'seed {seed + i}: {error}') from error
        for verdict, count in seen.items():
            total[verdict] = total.get(verdict, 0) + count
    kinds = ('accepted', 'adopted', 'moved', 'former', 'no hello', 'unknown', 'wrong')
    expect(all(kind in total for kind in kinds), total)
    return ', '.join(f'{total[kind]} {kind}' for kind in kinds)


def write_vectors(program, path, kind):
    vectors = generate(program, kind)
    with open(path, 'w', encoding='utf-8') as file:
        file.write('{"vectors": [\n')
        file.write(',\n'.join(json.dumps(vector) for vector in vectors))
        file.write('\n]}\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('vectors', nargs='?')
    parser.add_argument('handshakes', nargs='?')
    parser.add_argument('document', nargs='?')
    parser.add_argument('--write')
    parser.add_argument('--kind', default='fixed')
    parser.add_argument('--count', type=int, default=20000)
    parser.add_argument('--seed', type=int)
    arguments = parser.parse_args()
    if arguments.write:
        write_vectors(arguments.program, arguments.write, arguments.kind)
        return 0

    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    program, count = arguments.program, arguments.count
    kinds = ['written', 'damaged', 'hello', 'numbers']
    exchanges = 10
    print(f'# seed {seed}')
    plan = tap.Plan(3 + len(kinds) + exchanges)
    run(plan, 'vectors', verify_vectors, program, arguments.vectors, arguments.document)
    run(plan, 'handshakes', verify_handshakes, program, arguments.handshakes, arguments.document)
    for kind in kinds:
        run(plan, kind, verify_random, program, kind, seed, count)
    run(plan, 'epochs', verify_epochs, program, seed, 50)
    for i in range(exchanges):
        run(plan, f'exchange {i}', verify_exchange, program, (seed + i) % 2**32)
    return plan.failures > 0


if __name__ == '__main__':
    sys.exit(main())
