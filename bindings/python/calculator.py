#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calculator: ordered operations, sent all at once; both ends compute and compare.

    calculator.py --serve                          in one terminal
    calculator.py --ask --peer-key FINGERPRINT     in another, or the same in another language

An operation that is lost, done twice or out of turn leads to another value: adding and
multiplying cannot be exchanged.
"""

import random

from example import Failed, NONE, ORDERED, call, check, main, parser, say, text_bytes

MODULUS = 1000003
OPERATIONS = {
    'add': lambda value, operand: (value + operand) % MODULUS,
    'subtract': lambda value, operand: (value - operand) % MODULUS,
    'multiply': lambda value, operand: (value * operand) % MODULUS,
}


async def ask(connection, arguments):
    say(f'{arguments.count} operations, seed {arguments.seed}')
    dice = random.Random(arguments.seed)
    value = 0
    steps = []
    for _ in range(arguments.count):
        word = dice.choice(list(OPERATIONS))
        operand = dice.randrange(1, 1000)
        value = OPERATIONS[word](value, operand)
        question = call(connection, 'send_with_reply', text_bytes(f'{word} {operand}'), ORDERED)
        steps.append((f'{word} {operand}', value, question))
    total = call(connection, 'send_with_reply', text_bytes(f'total {value}'), ORDERED)

    for operation, mine, question in steps:
        theirs = int((await question).dup_text())
        say(f'{operation} = {theirs}')
        check(theirs == mine, f'{operation}: the other side has {theirs}, this one {mine}')
    answer = (await total).dup_text()
    say(f'both sides have {answer}')
    check(answer == f'total {value}', f'this side has total {value}')


async def serve(connection, arguments):
    value = 0
    count = 0
    while True:
        question = await call(connection, 'receive')
        check(question is not None, 'closed before the total came')
        word, operand = question.dup_text().split()
        if word == 'total':
            break
        if word not in OPERATIONS:
            raise Failed(f'{word} is no operation')
        value = OPERATIONS[word](value, int(operand))
        count += 1
        say(f'{word} {operand} = {value}')
        call(question, 'reply', text_bytes(str(value)), NONE)

    await call(question, 'reply', text_bytes(f'total {value}'), NONE)
    say(f'after {count} operations this side has {value}, the other one {operand}')
    check(value == int(operand), 'the totals differ')


if __name__ == '__main__':
    options = parser(__doc__.partition('\n')[0])
    options.add_argument('--count', type=int, default=40, help='operations to ask for (40)')
    options.add_argument('--seed', type=int, default=1, help='of the random operations (1)')
    main(options, 'seqex-calculator', serve, ask)
