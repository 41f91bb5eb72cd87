#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Download: a file of a directory, asked for by its name, its SHA-256 compared.

    download.py --serve --directory DIRECTORY                 in one terminal
    download.py --ask --peer-key FINGERPRINT --get NAME       in another, or the same in C

With --move ADDRESS the side that asks goes to another address in the middle of the file.
"""

import collections
import hashlib
import os
import re
import stat
import sys
import time

from gi.repository import GLib

from example import (Failed, NONE, ORDERED, Progress, call, check, data_of, main, parse_address,
                     parser, say, text_bytes)

CHUNK = 16384
# Chunks that the other program has not taken yet; the rest of the file stays on the disk. What is
# under way at the same time also shares the line, so that with few the first ones arrive soon.
UNDER_WAY_MAX = 8


def open_served(directory, name):
    """Opens a regular file directly in the directory, and nothing else."""
    if not name or '/' in name or '\0' in name or name in ('.', '..'):
        raise Failed('only a plain file name can be asked for')
    try:
        # A link could lead out of the directory.
        file = os.fdopen(os.open(os.path.join(directory, name),
                                 os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), 'rb')
    except OSError as error:
        raise Failed(error.strerror) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Failed('not a regular file')
    return file


def chunks_of(file):
    while chunk := file.read(CHUNK):
        yield chunk


async def send_file(connection, file):
    """Sends a file as ordered messages, no faster than the other side takes them."""
    under_way = collections.deque()
    for chunk in chunks_of(file):
        if len(under_way) == UNDER_WAY_MAX:
            await under_way.popleft()
        under_way.append(call(connection, 'send', GLib.Bytes.new(chunk), ORDERED))
    for each in under_way:
        await each


async def serve(connection, arguments):
    request = await call(connection, 'receive')
    check(request is not None, 'closed before a file was asked for')
    verb, _, name = (request.dup_text() or '').partition(' ')
    say(f'asked to {verb} {name!r}')
    try:
        check(verb == 'get', f'{verb} is no request')
        file = open_served(arguments.directory, name)
    except Failed as refusal:
        say(f'refused: {refusal}')
        await call(request, 'reply', text_bytes(f'error {refusal}'), NONE)
        return

    with file:
        sha256 = hashlib.sha256()
        for chunk in chunks_of(file):
            sha256.update(chunk)
        size = file.tell()
        file.seek(0)
        say(f'sending {size} bytes')
        # What answers this message comes last: the receipt.
        receipt = call(request, 'reply_with_reply',
                       text_bytes(f'file {size} {sha256.hexdigest()}'), NONE)
        await send_file(connection, file)
    say(f'SHA-256 here  {sha256.hexdigest()}')
    theirs = (await receipt).dup_text()
    check(theirs == f'sha256 {sha256.hexdigest()}', f'the other side has {theirs}')
    say('the other side has the same')


class Move:
    """A phone that leaves the house, a laptop that is plugged in: the endpoint gets another
    address, and its connections come along."""

    def __init__(self, address):
        self.address = address
        self.moved = False
        self.last = 0
        self.pause = 0  # the longest one between two chunks since the move

    def chunk_came(self):
        now = time.monotonic()
        if self.moved:
            self.pause = max(self.pause, now - self.last)
        self.last = now

    def go(self, endpoint):
        there = endpoint.get_local_address().to_string()
        self.moved = True
        self.last = time.monotonic()
        endpoint.rebind(parse_address(self.address))
        say(f'moved from {there} to {endpoint.get_local_address().to_string()}')


async def receive_file(connection, size, output, progress, move):
    """Writes so many bytes to a file; returns their SHA-256."""
    sha256 = hashlib.sha256()
    done = 0
    progress.show(0)
    while done < size:
        if move.address and not move.moved and 2 * done >= size:
            move.go(connection.get_endpoint())
        message = await call(connection, 'receive')
        check(message is not None, f'closed after {done} bytes')
        chunk = data_of(message)
        done += len(chunk)
        move.chunk_came()
        sha256.update(chunk)
        output.write(chunk)
        progress.show(done)
    check(done == size, f'{done} bytes came, {size} were announced')
    return sha256.hexdigest()


async def ask(connection, arguments):
    say(f'asking for {arguments.get}')
    answer = await call(connection, 'send_with_reply', text_bytes(f'get {arguments.get}'), NONE)
    text = answer.dup_text() or ''
    match = re.fullmatch(r'file (\d+) ([0-9a-f]{64})', text)
    check(match is not None, f'the other side says: {text}')
    size, theirs = int(match[1]), match[2]
    say(f'{size} bytes to come')

    path = arguments.output or os.path.basename(arguments.get)
    move = Move(arguments.move)
    bar = arguments.progress == 'bar' or arguments.progress == 'auto' and sys.stdout.isatty()
    try:
        with open(path + '.part', 'wb') as output:
            mine = await receive_file(connection, size, output, Progress(size, bar), move)
        await call(answer, 'reply', text_bytes(f'sha256 {mine}'), NONE)
        say(f'SHA-256 there {theirs}')
        say(f'SHA-256 here  {mine}')
        check(mine == theirs, 'the file is not the same')
        os.replace(path + '.part', path)
        if move.moved:
            say(f'the longest pause after the move: {1000 * move.pause:.1f} ms')
        say(f'the same; written to {path}')
    finally:
        if os.path.exists(path + '.part'):
            os.unlink(path + '.part')


if __name__ == '__main__':
    options = parser(__doc__.partition('\n')[0])
    options.add_argument('--directory', default='.', help='whose files are served (.)')
    options.add_argument('--get', metavar='NAME', default='', help='the file to ask for')
    options.add_argument('--output', metavar='FILE', help='where to write it (its name, here)')
    options.add_argument('--progress', choices=('auto', 'bar', 'lines'), default='auto',
                         help='a bar, or a line for each tenth (auto: a bar on a terminal)')
    options.add_argument('--move', metavar='HOST:PORT',
                         help='go there when half of the file has come')
    main(options, 'seqex-download', serve, ask)
