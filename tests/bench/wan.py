#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures Seqex, TCP and ENet over a long link: the same emulated one for all.

    wan.py BUILD-DIR                          everything, one line of JSON a run
    wan.py BUILD-DIR --case bulk-1 …          some of it; --list names the cases
    wan.py BUILD-DIR --system seqex …
    wan.py BUILD-DIR --report FILE            measures nothing: a table of the lines in FILE

Goodput is payload that arrived, as a share of what the link carries of payload of UDP in whole
packets. Resent are bytes of messages that Seqex sent more than once, as a share of all of them;
needless is what of that the link had not lost, by the counts of the emulator.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import emulator

MTU = 1500
UDP_HEADERS = 28
EXIT_MISSING = 77
PATIENCE = 40  # seconds beyond the measured time that a run may take

WAN = {'rate': 100, 'delay': 20, 'queue': 500000, 'realtime': True}
FAR = {'rate': 20, 'delay': 300, 'queue': 1500000, 'realtime': True}

# The program and its arguments.
SYSTEMS = {
    'seqex': ('bench-seqex', ('--variant', 'encrypted')),
    'tcp-cubic': ('bench-gio', ('--variant', 'tcp', '--congestion', 'cubic')),
    'tcp-bbr': ('bench-gio', ('--variant', 'tcp', '--congestion', 'bbr')),
    'enet': ('bench-enet', ()),
}
ALL = tuple(SYSTEMS)

BULK = ('--work', 'bulk', '--size', '65536')
REQUESTS = ('--work', 'requests', '--size', '1024', '--depth', '16')
SMALL = ('--work', 'requests', '--size', '64', '--depth', '1')

# name: (title, link, loss in percent, systems, works at the same time, warm-up, seconds). A work
# that names a system is of that one.
CASES = {
    'bulk-0': ('bulk', WAN, 0, ALL, [BULK], 3, 8),
    'bulk-1': ('bulk, 1 % loss', WAN, 1, ALL, [BULK], 3, 8),
    'bulk-5': ('bulk, 5 % loss', WAN, 5, ALL, [BULK], 3, 8),
    'requests-0': ('1 KiB depth 16', WAN, 0, ALL, [REQUESTS], 1, 8),
    'requests-1': ('1 KiB depth 16, 1 % loss', WAN, 1, ALL, [REQUESTS], 1, 10),
    'requests-5': ('1 KiB depth 16, 5 % loss', WAN, 5, ALL, [REQUESTS], 1, 10),
    'far-0': ('bulk, 600 ms', FAR, 0, ('seqex', 'tcp-cubic', 'tcp-bbr'), [BULK], 8, 10),
    'far-1': ('bulk, 600 ms, 1 % loss', FAR, 1, ('seqex', 'tcp-cubic', 'tcp-bbr'), [BULK], 8, 10),
    'two': ('two flows', WAN, 0, ('seqex', 'tcp-cubic', 'tcp-bbr'), [BULK, BULK], 4, 10),
    'beside-cubic': ('beside TCP CUBIC', WAN, 0, ('seqex', 'tcp-bbr'),
                     [BULK, ('tcp-cubic', *BULK)], 4, 10),
    'beside-bbr': ('beside TCP BBR', WAN, 0, ('seqex', 'tcp-cubic'),
                   [BULK, ('tcp-bbr', *BULK)], 4, 10),
    'small-idle': ('64 B alone', WAN, 0, ALL, [SMALL], 1, 8),
    'small-busy': ('64 B beside bulk', WAN, 0, ALL, [SMALL, BULK], 4, 8),
}


def jain(rates):
    return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates))


def hurry():
    """What else the machine does shall not show: TCP is served by the kernel whatever runs."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


class Run:
    """One case with one system."""

    def __init__(self, bench, name, system, seed):
        self.bench = bench
        self.name = name
        self.system = system
        (self.title, self.settings, self.loss, _, self.works, self.warm_up,
         self.seconds) = CASES[name]
        self.seed = seed

    def start(self, link, work):
        """The program of one of the works."""
        system = self.system
        if work[0] in SYSTEMS:
            system, *work = work
        program, arguments = SYSTEMS[system]
        if not (self.bench / program).exists():
            raise emulator.Failed(f'{program} is not built')
        return subprocess.Popen(
            [self.bench / program, *arguments, *work, '--host', link.right['address'],
             '--client-host', link.left['address'], '--client-netns', link.left['netns'],
             '--server-netns', link.right['netns'], '--datagram-size', str(MTU - UDP_HEADERS),
             '--warm-up', str(self.warm_up), '--seconds', str(self.seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=hurry)

    def result(self, process):
        try:
            out, said = process.communicate(timeout=self.warm_up + self.seconds + PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return {'failed': 'did not end'}
        lines = [line for line in out.splitlines() if line.startswith('{')]
        if process.returncode != 0 or not lines:
            return {'failed': (said.strip().splitlines() or ['no result'])[-1]}
        return json.loads(lines[-1])

    def measure(self, log=None):
        out = {'case': self.name, 'title': self.title, 'system': self.system, 'loss': self.loss}
        options = {**self.settings, 'loss': self.loss, 'seed': self.seed, 'mtu': MTU}
        if log:
            options['log'] = log
        with emulator.Link(self.bench / 'link', **options) as link:
            try:
                processes = [self.start(link, work) for work in self.works]
            except emulator.Failed as failure:
                return {**out, 'missing': str(failure)}
            results = [self.result(process) for process in processes]
            counters = link.counters()
        out['link'] = {end: counters[end] for end in ('left', 'right')}
        for result in results:
            if 'failed' in result:
                return {**out, 'failed': result['failed']}
        return {**out, 'results': results, **self.summary(results, counters['left'])}

    def summary(self, results, counters):
        capacity = self.settings['rate'] * 1e6 / 8 * (MTU - UDP_HEADERS) / MTU
        bulks = [result for result in results if result['work'] == 'bulk']
        out = {'late_ms': round(counters['late_max'] / 1e6, 2)}
        if bulks:
            out['share'] = round(sum(result['rate'] for result in bulks) / capacity, 4)
        if len(bulks) > 1:
            out['jain'] = round(jain([result['rate'] for result in bulks]), 4)
            out['ratio'] = round(bulks[0]['rate'] / max(bulks[1]['rate'], 1), 3)
        for result in results:
            if result['work'] == 'requests':
                out['rate'] = result['rate']
                out['p50_ms'] = round(result['latency_us']['p50'] / 1000, 2)
                out['p99_ms'] = round(result['latency_us']['p99'] / 1000, 2)
        if len(bulks) == 1 and len(results) == 1 and 'bytes_resent' in bulks[0].get('counters', {}):
            out.update(self.resends(bulks[0]['counters'], counters))
        return out

    @staticmethod
    def resends(counted, link):
        """The whole run, warm-up and end included: neither side counts by phases."""
        lost = link['lost'] + link['overflow']
        mean = counted['bytes_sent'] / max(counted['packets_sent'], 1)
        useful = counted['bytes_sent'] - counted['bytes_resent']
        return {'resent': round(counted['bytes_resent'] / useful, 4),
                'needless': round(max(0, counted['bytes_resent'] - lost * mean) / useful, 4),
                'overflow': link['overflow'],
                'queue_peak': link['queue_peak'],
                'queue_ms': round(link['queue_time'] / max(link['sent'], 1) / 1e6, 2)}


def report(path):
    """A table of the last run of every case and system."""
    runs = {}
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            run = json.loads(line)
            runs[run['case'], run['system']] = run
    columns = ('share', 'resent', 'needless', 'queue_ms', 'jain', 'ratio', 'rate', 'p50_ms',
               'p99_ms')
    print('| work | system |', ' | '.join(columns), '|')
    print('| --- | --- |', ' --- |' * len(columns))
    for name, case in CASES.items():
        for system in case[3]:
            run = runs.get((name, system))
            if run is None:
                continue
            if 'results' not in run:
                print(f"| {case[0]} | {system} | {run.get('failed', run.get('missing'))} |")
                continue
            print(f'| {case[0]} | {system} |',
                  ' | '.join(str(run.get(column, '')) for column in columns), '|')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('build', nargs='?', default='.')
    parser.add_argument('--case', action='append', choices=CASES)
    parser.add_argument('--system', action='append', choices=SYSTEMS)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--log', help='of the packets, by the emulator; of the last run')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('--report', metavar='FILE')
    options = parser.parse_args()
    if options.list:
        for name, case in CASES.items():
            print(f'{name:14} {case[0]}')
        return 0
    if options.report:
        report(options.report)
        return 0
    bench = pathlib.Path(options.build) / 'tests' / 'bench'
    failures = 0
    for name in options.case or CASES:
        for system in options.system or ALL:
            if system not in CASES[name][3]:
                continue
            run = Run(bench, name, system, options.seed).measure(options.log)
            failures += 'failed' in run
            print(json.dumps(run), flush=True)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
