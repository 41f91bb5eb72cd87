# SPDX-License-Identifier: LGPL-2.1-or-later
"""What build-aux/demo shows once everything is built.

A Python program looks for a C program by its address and fingerprint; a relay that is a bad network
stands between them. Everything is encrypted. They have a conversation of five messages, then the
Python program downloads a file from the C one, and in the middle of it moves to another address.
"""

import argparse
import glob
import hashlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time

SOURCE_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, os.path.join(SOURCE_DIR, 'tests'))

from net import peers

NETWORK = (('lose', 20), ('double', 10), ('reorder', 10))
RELAY_OPTIONS = ['--loss', '20', '--duplicate', '10', '--reorder', '10', '--delay', '2',
                 '--jitter', '3']
ELSEWHERE = '127.0.0.2'  # where the Python program goes; all of 127.0.0.0/8 is this machine
TIMEOUT = 180  # seconds for either part
PYTHON, C = 'Python', 'C'

# A file of some megabytes that every machine with GLib has; the first that is there is taken.
FILES = ('/usr/lib/*/libgio-2.0.so.0', '/usr/lib64/libgio-2.0.so.0', '/usr/lib/libgio-2.0.so.0',
         '/lib/*/libgio-2.0.so.0', sys.executable)


class Screen:
    """Prints what the programs say; draws over a progress bar when there is a terminal."""

    COLORS = {PYTHON: '33', C: '36', 'title': '1', 'good': '1;32', 'bad': '1;31'}

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.color = self.terminal and 'NO_COLOR' not in os.environ
        self.width = shutil.get_terminal_size((100, 25)).columns - 1
        self.start = time.monotonic()

    def paint(self, text, kind):
        return f'\033[{self.COLORS[kind]}m{text}\033[0m' if self.color else text

    def line(self, text='', end='\n'):
        print(text, end=end, flush=True)

    def title(self, text):
        self.line()
        self.line(self.paint(text, 'title'))
        self.line()
        self.start = time.monotonic()

    def said(self, name, text, ending):
        if text.startswith('{'):
            return
        if ending == '\r':
            # What is wider than the terminal cannot be drawn over.
            text = text[:self.width - 19]
        seconds = f'{time.monotonic() - self.start:6.2f} s'
        self.line(f"  {seconds}  {self.paint(f'{name:8}', name)}{text}", ending)


class Demo:
    def __init__(self, arguments):
        self.screen = Screen()
        self.seed = arguments.seed
        self.build_dir = arguments.build_dir
        self.file = find_file(arguments.file)
        self.problems = []
        self.pairs = []
        self.pause = '?'

    def command(self, language, program):
        if language == C:
            return [os.path.join(self.build_dir, 'bindings', program), '--statistics']
        return [sys.executable, os.path.join(SOURCE_DIR, 'bindings', 'python', program + '.py'),
                '--statistics']

    def check(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def talk(self, program, serve=(), ask=()):
        relay = os.path.join(self.build_dir, 'tests', 'net', 'relay')
        options = [*RELAY_OPTIONS, '--seed', str(self.seed + len(self.pairs))]
        pair = peers.run_pair(
            (C, [*self.command(C, program), *serve]),
            (PYTHON, [*self.command(PYTHON, program), *ask]),
            (relay, options), TIMEOUT, on_line=self.screen.said)
        self.check(pair.ok, f'{program}: {pair.problem}')
        self.pairs.append(pair)
        return pair

    def check_keys(self, pair):
        """Each program has met the one whose fingerprint it was to meet."""
        text = {name: '\n'.join(lines) for name, lines in pair.output.items()}
        for name, other in ((PYTHON, C), (C, PYTHON)):
            own = re.search('^fingerprint (.*)$', text[other], re.MULTILINE)
            met = re.search('^connected to .*, who is (.*)$', text[name], re.MULTILINE)
            self.check(own and met and own[1] == met[1], f'{name} has not met {other}')

    def hello(self):
        self.screen.title('1  They find each other, and have a chain of five messages, each the '
                          'reply to the one before')
        pair = self.talk('hello')
        self.check_keys(pair)
        for name in (PYTHON, C):
            numbers = [line.split()[1] for line in pair.output[name]
                       if line.startswith(('sent ', 'got '))]
            self.check(numbers == ['1', '2', '3', '4', '5'], f'{name} has seen {numbers}')

    def download(self, directory):
        folder, name = os.path.split(self.file)
        self.screen.title(f'2  A file, asked for by its name, {name}, and a move in the middle')
        output = os.path.join(directory, name)
        pair = self.talk('download', ['--directory', folder],
                         ['--get', name, '--output', output, '--local', f'{peers.HOST}:0',
                          '--move', f'{ELSEWHERE}:0',
                          '--progress', 'bar' if self.screen.terminal else 'lines'])
        self.check_keys(pair)
        self.check(os.path.exists(output) and sha256(output) == sha256(self.file),
                   'the file that came is not the file that was asked for')
        self.check(any(re.match(f'moved from .* to {ELSEWHERE}:', line)
                       for line in pair.output[PYTHON]), f'{PYTHON} did not move')
        self.check(any(line.startswith(f'the other side moved to {ELSEWHERE}:')
                       for line in pair.output[C]), f'{C} has not seen the move')
        pauses = [line for line in pair.output[PYTHON] if line.startswith('the longest pause')]
        self.pause = pauses[0].split()[-2] if pauses else '?'

    def relayed(self, side, counter):
        return sum(pair.relay[side][counter] for pair in self.pairs)

    def table(self):
        """Sums over both parts; what one side sent is what the other one received."""
        totals = {name: {} for name in (PYTHON, C)}
        for pair in self.pairs:
            for name, total in totals.items():
                for key, value in pair.statistics(name).items():
                    total[key] = total.get(key, 0) + value
        python, c = totals[PYTHON], totals[C]
        self.check(all(pair.relay for pair in self.pairs), 'the relay has not counted')
        if self.problems:
            return
        network = {name: {counter: self.relayed(side, counter)
                          for counter in ('lost', 'overtaken', 'duplicated')}
                   for name, side in ((PYTHON, 'from-left'), (C, 'from-right'))}
        for one, other, name in ((python, c, PYTHON), (c, python, C)):
            self.check(one['messages-sent'] == other['messages-received'],
                       f'{name} sent other messages than were received')
            self.check(one['exchanges-started'] == other['exchanges-accepted'],
                       f'{name} started other exchanges than were accepted')
            self.check(network[name]['lost'] > 0, f'nothing of {name} was lost')

        self.screen.title('3  What it took')
        row = self.row
        row('', 'from Python', 'from C')
        row('messages sent', *(side['messages-sent'] for side in (python, c)))
        row('  taken by the other, once each', c['messages-received'], python['messages-received'])
        row('exchanges', *(side['exchanges-started'] for side in (python, c)))
        row('datagrams sent', *(side['packets-sent'] for side in (python, c)))
        row('  lost by the network', *(network[name]['lost'] for name in (PYTHON, C)))
        row('  found lost, and repaired',
            *(side['packets-lost'] - side['spurious-losses'] for side in (python, c)))
        row('  overtaken by later ones', *(network[name]['overtaken'] for name in (PYTHON, C)))
        row('  doubled by the network', *(network[name]['duplicated'] for name in (PYTHON, C)))
        row('  duplicates dropped', c['duplicate-packets'], python['duplicate-packets'])
        row('seconds', *(f'{pair.seconds:.1f}' for pair in self.pairs),
            heading=('chain', 'file'))
        row('longest pause after the move, ms', '', self.pause)

    def row(self, title, left, right, heading=None):
        if heading is not None:
            self.screen.line()
            self.row('', *heading)
        self.screen.line(f'  {title:32}{left:>12}{right:>12}')

    def introduce(self):
        self.screen.line(self.screen.paint('Seqex: a Python and a C program, and a bad network '
                                           'between them', 'title'))
        self.screen.line()
        self.screen.line(f'  {PYTHON}  <- relay ->  {C}; all that passes is encrypted')
        self.screen.line('  of 100 datagrams the relay will '
                         + ', '.join(f'{verb} {number}' for verb, number in NETWORK)
                         + f'; 2 to 5 ms each way; seed {self.seed}')

    def run(self):
        with tempfile.TemporaryDirectory(prefix='seqex-demo-') as directory:
            self.introduce()
            self.hello()
            self.download(directory)
        try:
            self.table()
        except peers.Failed as failure:
            self.problems.append(str(failure))
        self.screen.line()
        for problem in self.problems:
            self.screen.line(self.screen.paint(f'It did not hold: {problem}', 'bad'))
        if not self.problems:
            self.screen.line(self.screen.paint('Everything held: each message came once, each '
                                               'reply to its message, the file whole.', 'good'))
        return not self.problems


def find_file(wanted):
    candidates = [wanted] if wanted else [path for each in FILES for path in glob.glob(each)]
    for path in candidates:
        # A link would not be served.
        path = os.path.realpath(path)
        if os.path.isfile(path):
            return path
    sys.exit(f'build-aux/demo: no file {wanted or ""} to download')


def sha256(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def main():
    parser = argparse.ArgumentParser(prog='build-aux/demo', description=__doc__.partition('\n')[0])
    parser.add_argument('--build-dir', required=True, help=argparse.SUPPRESS)
    parser.add_argument('--seed', type=int, default=random.randrange(1, 1000000),
                        help='of the bad network (another one each time)')
    parser.add_argument('--file', metavar='PATH', help="what to download (GIO's shared library)")
    arguments = parser.parse_args()
    # However the demo is stopped, it takes its programs with it.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(0 if Demo(arguments).run() else 1)
    except peers.Failed as failure:
        sys.exit(f'build-aux/demo: {failure}')
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == '__main__':
    main()
