# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example programs of all languages against each other over encrypted UDP, in every pairing.

Usage: run-pairs.py --relay RELAY LANGUAGE:PROGRAM=COMMAND…

hello: every ordered pair of languages, over the loopback as it is, and through a relay that
loses 20 % in each direction. calculator and download: every ordered pair of the languages that
have them, through the relay, which then also gives the asking side another port now and then; and
a download during which the asking side itself goes to another address. COMMAND is split at blanks
like in a shell.
"""

import argparse
import collections
import concurrent.futures
import os
import random
import re
import shlex
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import tap
from net import peers

LOSSY = ['--loss', '20', '--duplicate', '5', '--reorder', '10', '--delay', '2', '--jitter', '2']
# So that the serving side sees the asking one at another port some times in each dialogue.
REBIND = ['--rebind', '25']
ELSEWHERE = '127.0.0.2'
NOBODY = 'gmgf-02c9-62kn-8x4b-fqeb-8fqq-b86v-yegd-4rw1-nx7b-mjmr-xamv-9snf-zfhk'
PARALLEL = 4
TIMEOUT = 60
FILE_SIZE = 300000
# So many that they fill some datagrams, and a lost one puts them out of order on the way.
OPERATIONS = 1000

DIALOGUE = (
    '1 Hello, this is {ask}.',
    '2 Hello, this is {serve}. Do you hear me well?',
    '3 Every word, and each once. And you?',
    '4 The same here. Nothing lost, nothing twice.',
    '5 Then goodbye.',
)

Outcome = collections.namedtuple('Outcome', 'name problem transcript lost rebound')


class Wrong(Exception):
    """Both programs are content, the test is not."""


def expect(condition, text):
    if not condition:
        raise Wrong(text)


def spoken(lines):
    return [line for line in lines if re.match(r'(sent|got) ', line)]


def check_hello(pair, serve, ask):
    texts = [text.format(serve=serve, ask=ask) for text in DIALOGUE]
    for name, first in (('ask', 'sent'), ('serve', 'got ')):
        second = 'got ' if first == 'sent' else 'sent'
        wanted = [f'{second if i % 2 else first} {text}' for i, text in enumerate(texts)]
        expect(spoken(pair.output[name]) == wanted, f'the {name} side tells of another dialogue')


def check_calculator(pair, serve, ask):
    total = re.search(r'^both sides have total (\d+)$', '\n'.join(pair.output['ask']), re.MULTILINE)
    expect(total, 'no total at the end')
    wanted = f'after {OPERATIONS} operations this side has {total[1]}, the other one {total[1]}'
    expect(wanted in pair.output['serve'], 'the serving side has another total')
    operations = [line for line in pair.output['serve'] if ' = ' in line]
    # Replies need not come in the order of the operations.
    answers = [line for line in pair.output['ask'] if ' = ' in line]
    expect(len(operations) == OPERATIONS, f'the serving side did {len(operations)} operations')
    expect(sorted(operations) == sorted(answers), 'the two sides tell of other values')


class Suite:
    def __init__(self, relay, programs, directory):
        self.relay = relay
        self.programs = programs  # program -> language -> command
        self.directory = directory
        self.jobs = []

    def add(self, name, function, *arguments):
        self.jobs.append((name, function, arguments))

    def talk(self, serve, ask, seed=None, options=()):
        """Runs a pair, through the bad network if there is a seed for it."""
        relay = None
        if seed is not None:
            relay = (self.relay, [*LOSSY, *options, '--seed', str(seed)])
        return peers.run_pair(('serve', serve), ('ask', ask), relay, TIMEOUT)

    def dialogue(self, program, check, serve, ask, seed):
        commands = [self.programs[program][language] for language in (serve, ask)]
        options = []
        if program == 'calculator':
            commands[1] = [*commands[1], '--count', str(OPERATIONS)]
            options = REBIND
        pair = self.talk(*commands, seed, options)
        if pair.ok:
            check(pair, serve, ask)
            self.check_keys(pair)
        return pair

    @staticmethod
    def check_keys(pair):
        """Each side has met the other one."""
        own = {name: re.search(r'^fingerprint (.*)', '\n'.join(lines), re.MULTILINE)[1]
               for name, lines in pair.output.items()}
        for name, other in (('ask', 'serve'), ('serve', 'ask')):
            expect(any(re.match(f'connected to .*, who is {own[other]}$', line)
                       for line in pair.output[name]), f'the {name} side has met somebody else')

    def download(self, serve, ask, seed, name, size):
        served = os.path.join(self.directory, name)
        output = os.path.join(self.directory, f'{name} for {ask} from {serve}')
        pair = self.talk(
            [*self.programs['download'][serve], '--directory', self.directory],
            [*self.programs['download'][ask], '--get', name, '--output', output,
             '--progress', 'lines'], seed, REBIND)
        self.check_download(pair, served, output, size)
        return pair

    def moved(self, serve, ask, name, size):
        served = os.path.join(self.directory, name)
        output = os.path.join(self.directory, f'{name} for {ask} from {serve} elsewhere')
        pair = self.talk(
            [*self.programs['download'][serve], '--directory', self.directory],
            [*self.programs['download'][ask], '--get', name, '--output', output,
             '--progress', 'lines', '--move', f'{ELSEWHERE}:0'])
        self.check_download(pair, served, output, size)
        if pair.ok:
            text = '\n'.join(pair.output['ask'])
            match = re.search(rf'^moved from \S+ to ({ELSEWHERE}:\d+)$', text, re.MULTILINE)
            expect(match, 'the asking side did not move')
            expect(f'the other side moved to {match[1]}' in pair.output['serve'],
                   'the serving side has not followed')
        return pair

    @staticmethod
    def check_download(pair, served, output, size):
        if pair.ok:
            with open(served, 'rb') as wanted, open(output, 'rb') as got:
                expect(wanted.read() == got.read(), 'another file came')
            expect(os.path.getsize(output) == size, 'the file changed its size')
            expect(not os.path.exists(output + '.part'), 'a part was left behind')
            lines = [line for line in pair.output['ask'] if line.startswith('[')]
            expect(len(lines) == (11 if size else 1), 'the progress has other steps')

    def refused(self, serve, ask, name):
        output = os.path.join(self.directory, f'{name.encode().hex()} for {ask} from {serve}')
        pair = self.talk(
            [*self.programs['download'][serve], '--directory', self.directory],
            [*self.programs['download'][ask], '--get', name, '--output', output])
        expect(pair.status == {'serve': 0, 'ask': 1}, f'exit statuses: {pair.status}')
        expect(pair.output['ask'][-1].startswith('failed: the other side says: error '),
               'no error came')
        expect(not os.path.exists(output), 'a file came')
        pair.problem = None
        return pair

    def refused_stranger(self, serve, ask):
        """The serving side lets in one key only, and it is not the one of the side that asks."""
        # Nobody comes to whom the serving side waits for.
        pair = peers.run_pair(('serve', [*self.programs['hello'][serve], '--peer-key', NOBODY]),
                              ('ask', self.programs['hello'][ask]), None, TIMEOUT,
                              server_ends=False)
        expect(pair.status['ask'] == 1, f'exit statuses: {pair.status}')
        expect(re.match(r'failed: .*(refuse|trust)', pair.output['ask'][-1]),
               'the asking side does not say that it was refused')
        expect(not spoken(pair.output['serve']), 'they have spoken')
        pair.problem = None
        return pair

    def run_one(self, name, function, arguments):
        try:
            pair = function(*arguments)
        except (Wrong, peers.Failed, OSError, ValueError) as error:
            return Outcome(name, str(error), [], 0, 0)
        lost = rebound = 0
        if pair.relay is not None:
            lost = pair.relay['from-left']['lost'] + pair.relay['from-right']['lost']
            rebound = pair.relay['from-left']['rebound']
        return Outcome(f'{name}, {pair.seconds:.1f} s', pair.problem, pair.transcript, lost,
                       rebound)


def add_jobs(suite):
    """Seeds differ from pair to pair and stay the same from run to run."""
    seed = 0
    for program, check in (('hello', check_hello), ('calculator', check_calculator)):
        languages = suite.programs[program]
        for serve in languages:
            for ask in languages:
                seed += 1
                if program == 'hello':
                    suite.add(f'{program}: {ask} asks {serve}', suite.dialogue, program, check,
                              serve, ask, None)
                suite.add(f'{program}, 20 % lost: {ask} asks {serve}, seed {seed}',
                          suite.dialogue, program, check, serve, ask, seed)

    languages = suite.programs['hello']
    for serve in languages:
        suite.add(f'a stranger is refused: {next(iter(languages))} asks {serve}',
                  suite.refused_stranger, serve, next(iter(languages)))

    languages = suite.programs['download']
    for serve in languages:
        for ask in languages:
            seed += 1
            suite.add(f'download, 20 % lost: {ask} asks {serve}, seed {seed}', suite.download,
                      serve, ask, seed, 'a file.bin', FILE_SIZE)
            suite.add(f'download with a move: {ask} asks {serve}', suite.moved, serve, ask,
                      'a file.bin', FILE_SIZE)
        ask = next(iter(languages))
        suite.add(f'download of nothing: {ask} asks {serve}', suite.download, serve, ask, None,
                  'empty', 0)
        for name in ('../secret', '/etc/passwd', '..', 'link', 'sub', 'missing', ''):
            suite.add(f'download of {name!r} refused: {ask} asks {serve}', suite.refused, serve,
                      ask, name)


def make_files(directory):
    """A served directory, and beside it what must not be reached from there."""
    served = os.path.join(directory, 'served')
    os.makedirs(os.path.join(served, 'sub'))
    with open(os.path.join(directory, 'secret'), 'w') as file:
        file.write('not for everybody')
    os.symlink('../secret', os.path.join(served, 'link'))
    with open(os.path.join(served, 'a file.bin'), 'wb') as file:
        file.write(random.Random(1).randbytes(FILE_SIZE))
    with open(os.path.join(served, 'empty'), 'wb'):
        pass
    return served


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--relay', required=True)
    parser.add_argument('--only', default='', help='run what has this in its name')
    parser.add_argument('programs', nargs='+', metavar='LANGUAGE:PROGRAM=COMMAND')
    arguments = parser.parse_args()
    programs = collections.defaultdict(dict)
    for each in arguments.programs:
        name, _, command = each.partition('=')
        language, _, program = name.partition(':')
        programs[program][language] = shlex.split(command)
    return arguments, programs


def main():
    arguments, programs = parse_arguments()
    with tempfile.TemporaryDirectory(prefix='seqex-pairs-') as directory, \
         concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        suite = Suite(arguments.relay, programs, make_files(directory))
        add_jobs(suite)
        jobs = [job for job in suite.jobs if arguments.only in job[0]]
        plan = tap.Plan(len(jobs) + 2)
        lost = rebound = 0
        for outcome in pool.map(lambda job: suite.run_one(*job), jobs):
            plan.result(outcome.problem is None, outcome.name,
                        '' if outcome.problem is None
                        else '\n'.join([outcome.problem, *outcome.transcript]))
            lost += outcome.lost
            rebound += outcome.rebound
        plan.result(lost > 0 or arguments.only != '', f'{lost} datagrams were lost on the way')
        plan.result(rebound > 0 or arguments.only != '', f'{rebound} times the port was another')
    sys.exit(1 if plan.failures else 0)


if __name__ == '__main__':
    main()
