# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo shows what it promises, and its exit status tells the truth.

Usage: test-demo.py [TEST…], with the build directory in $SEQEX_BUILD_DIR; to be run by a Python
that has PyGObject. build-aux/demo itself is not run: it would build.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

TESTS_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, TESTS_DIR)

import tap

BUILD_DIR = os.environ['SEQEX_BUILD_DIR']
SHOW = os.path.join(TESTS_DIR, '..', 'build-aux', 'show.py')
SIZE = 200000
NAME = 'some file'


def command(build_dir, path):
    return [sys.executable, SHOW, '--build-dir', build_dir, '--seed', '1', '--file', path]


def processes_of_session(session):
    """The processes that were started in a session and have not ended."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat') as file:
                fields = file.read().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != 'Z':
            found.append(pid)
    return found


class DemoTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix='seqex-test-demo-')
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.file = self.write(NAME, os.urandom(SIZE))

    def write(self, *parts):
        path = os.path.join(self.directory, *parts[:-1])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(parts[-1])
        return path

    def build_dir_with(self, program, script):
        """A build directory in which a shell script stands for a C program."""
        build_dir = os.path.join(self.directory, 'build')
        for each in ('bindings/hello', 'bindings/download', 'tests/net/relay', 'seqex'):
            path = os.path.join(build_dir, each)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if each != program:
                os.symlink(os.path.join(BUILD_DIR, each), path)
        self.write('build', program, f'#!/bin/sh\n{script}\n'.encode())
        os.chmod(os.path.join(build_dir, program), 0o755)
        return build_dir

    def run_demo(self, build_dir=BUILD_DIR):
        return subprocess.run(command(build_dir, self.file), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_shows_all(self):
        demo = self.run_demo()
        self.assertEqual(demo.returncode, 0, demo.stdout)
        for name in ('Python', 'C'):
            numbers = re.findall(rf' s  {name} +(?:sent|got ) (\d) ', demo.stdout)
            self.assertEqual(numbers, list('12345'))
        tenths = [int(percent) // 10 for percent in re.findall(r'\] +(\d+) %', demo.stdout)]
        self.assertEqual(tenths, list(range(11)))
        self.assertEqual(len(set(re.findall(r'SHA-256 \w+ +([0-9a-f]{64})', demo.stdout))), 1)
        moves = re.findall(r' s  (\w+) +(?:the other side )?moved (?:from \S+ )?to (\S+)',
                           demo.stdout)
        self.assertEqual([name for name, _ in moves], ['Python', 'C'])
        self.assertTrue(all(address.startswith('127.0.0.2:') for _, address in moves))
        self.assertRegex(demo.stdout, r'(?m)^ *longest pause after the move, ms +[\d.]+$')
        for row in ('messages sent', 'exchanges', 'datagrams sent', 'lost by the network',
                    'found lost, and repaired', 'duplicates dropped', 'seconds'):
            self.assertRegex(demo.stdout, rf'(?m)^ *{row} +[\d.]+ +[\d.]+$')
        self.assertIn('Everything held', demo.stdout)

    def test_another_file(self):
        self.write('other', NAME, os.urandom(SIZE))
        program = os.path.join(BUILD_DIR, 'bindings', 'download')
        other = os.path.join(self.directory, 'other')
        demo = self.run_demo(self.build_dir_with('bindings/download',
                                                 f'exec "{program}" "$@" --directory "{other}"'))
        self.assertEqual(demo.returncode, 1, demo.stdout)
        self.assertIn('did not hold: the file that came', demo.stdout)

    def test_a_program_that_fails(self):
        demo = self.run_demo(self.build_dir_with('bindings/hello', 'exit 3'))
        self.assertEqual(demo.returncode, 1, demo.stdout)
        self.assertIn('did not hold: hello: C ended before it listened', demo.stdout)

    def test_takes_its_programs_with_it(self):
        demo = subprocess.Popen(command(BUILD_DIR, self.file), stdout=subprocess.PIPE,
                                text=True, start_new_session=True)
        self.addCleanup(demo.stdout.close)
        for line in demo.stdout:
            if 'sent 1' in line:
                break
        self.assertGreater(len(processes_of_session(demo.pid)), 1)
        demo.send_signal(signal.SIGTERM)
        self.assertEqual(demo.wait(timeout=30), 128 + signal.SIGTERM)
        self.assertEqual(processes_of_session(demo.pid), [])


if __name__ == '__main__':
    tap.main()
