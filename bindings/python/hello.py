#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hello world: five messages, each the reply to the one before, the last answered by an end.

    hello.py --serve                          in one terminal
    hello.py --ask --peer-key FINGERPRINT     in another, or the same in another language
"""

from example import LANGUAGE, NONE, call, check, main, parser, say, text_bytes


def got(number, message):
    """Checks that a message is the one that comes at this place of the chain."""
    text = message.dup_text() or ''
    say(f'got  {text}')
    check(text.startswith(f'{number} '), f'message {number} was to come')
    return message


def sent(number, text):
    say(f'sent {number} {text}')
    return text_bytes(f'{number} {text}')


async def ask(connection, arguments):
    second = got(2, await call(connection, 'send_with_reply',
                               sent(1, f'Hello, this is {LANGUAGE}.'), NONE))
    fourth = got(4, await call(second, 'reply_with_reply',
                               sent(3, 'Every word, and each once. And you?'), NONE))
    # A message that awaits no reply is ended as soon as the other program has it.
    await call(fourth, 'reply', sent(5, 'Then goodbye.'), NONE)
    say('message 5 was answered by an end')


async def serve(connection, arguments):
    first = got(1, await call(connection, 'receive'))
    third = got(3, await call(first, 'reply_with_reply',
                              sent(2, f'Hello, this is {LANGUAGE}. Do you hear me well?'), NONE))
    fifth = got(5, await call(third, 'reply_with_reply',
                              sent(4, 'The same here. Nothing lost, nothing twice.'), NONE))
    check(not fifth.get_expects_reply(), 'message 5 was to be the last')


if __name__ == '__main__':
    main(parser(__doc__.partition('\n')[0]), 'seqex-hello', serve, ask)
