# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test results in TAP, for the tests that are written in Python."""

import sys
import traceback
import unittest


class Plan:
    """A list of results, printed as they come: for tests that are not unittest cases."""

    def __init__(self, total):
        self.number = 0
        self.failures = 0
        print(f'1..{total}', flush=True)

    def result(self, ok, name, diagnosis=''):
        self.number += 1
        if not ok:
            self.failures += 1
        print(f"{'ok' if ok else 'not ok'} {self.number} - {name}")
        for line in diagnosis.splitlines():
            print('#', line)
        sys.stdout.flush()
        return ok


class _Result(unittest.TestResult):
    def __init__(self, plan):
        super().__init__()
        self.plan = plan
        self.broken = {}  # test -> its failed parts

    def _report(self, ok, test, error=None, note=''):
        text = '' if error is None else ''.join(traceback.format_exception(*error))
        self.plan.result(ok, test.id().partition('.')[2] + note, text)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._report(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._report(True, test, note=f' # SKIP {reason}')

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._report(False, test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._report(False, test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.broken.setdefault(test, []).append((subtest, error))

    def stopTest(self, test):
        super().stopTest(test)
        # A test with failed parts is reported once, with all of them.
        parts = self.broken.pop(test, [])
        if parts:
            text = [f'{subtest}\n' + ''.join(traceback.format_exception(*error))
                    for subtest, error in parts]
            self.plan.result(False, test.id().partition('.')[2], '\n'.join(text))


def main(module='__main__'):
    """Runs the unittest cases of a module; names on the command line choose among them."""
    loader = unittest.defaultTestLoader
    if len(sys.argv) > 1:
        suite = loader.loadTestsFromNames(sys.argv[1:], sys.modules[module])
    else:
        suite = loader.loadTestsFromModule(sys.modules[module])
    plan = Plan(suite.countTestCases())
    suite.run(_Result(plan))
    sys.exit(1 if plan.failures else 0)
