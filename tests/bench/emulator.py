# SPDX-License-Identifier: LGPL-2.1-or-later
"""The emulated link as a Python object: see link.c."""

import json
import os
import select
import subprocess

TIMEOUT = 20  # seconds for an answer of the emulator


class Failed(Exception):
    """The link could not be made, or did not understand."""


class Link:
    """Two namespaces and the link between them, as a context. Settings are link.c's options."""

    def __init__(self, program, **settings):
        self.command = [str(program)]
        for name, value in settings.items():
            self.command.append(f'--{name}' if value is True else f'--{name}={value}')
        self.process = self.left = self.right = self.user = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        ready = self._answer()
        self.left, self.right, self.user = ready['left'], ready['right'], ready['user']
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def _answer(self):
        # Every answer is one line, so nothing stays behind in the buffer.
        if not select.select([self.process.stdout], [], [], TIMEOUT)[0]:
            raise Failed('the emulator says nothing')
        line = self.process.stdout.readline()
        if not line:
            raise Failed(self.process.stderr.read().strip() or 'the emulator is gone')
        answer = json.loads(line)
        if answer['event'] == 'failed':
            raise Failed(answer['error'])
        return answer

    def tell(self, *words):
        """set, cut, mend, address, reset, counters."""
        self.process.stdin.write(' '.join(str(word) for word in words) + '\n')
        self.process.stdin.flush()
        return self._answer()

    def counters(self):
        return self.tell('counters')

    def within(self, end, *words):
        """The command that runs another one at an end."""
        user = [] if os.geteuid() == 0 else [f'--user={self.user}', '--preserve-credentials']
        return ['nsenter', *user, f"--net={end['netns']}", '--', *words]
