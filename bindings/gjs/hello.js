#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Hello world: five messages, each the reply to the one before, the last answered by an end.
//
//     gjs -m hello.js --serve     in one terminal
//     gjs -m hello.js --ask       in another, or the same program in another language

import GLib from 'gi://GLib?version=2.0';
import Gio from 'gi://Gio?version=2.0';
import Seqex from 'gi://Seqex?version=1';
import System from 'system';

for (const verb of ['send_with_reply', 'receive', 'close'])
    Gio._promisify(Seqex.Connection.prototype, `${verb}_async`);
for (const verb of ['reply', 'reply_with_reply'])
    Gio._promisify(Seqex.Message.prototype, `${verb}_async`);

const NONE = Seqex.SendFlags.NONE;

// Checks that a message is the one that comes at this place of the chain.
function got(number, message) {
    const text = message.dup_text() ?? '';
    print(`got  ${text}`);
    if (!text.startsWith(`${number} `))
        throw new Error(`message ${number} was to come`);
    return message;
}

function sent(number, text) {
    print(`sent ${number} ${text}`);
    return new TextEncoder().encode(`${number} ${text}`);
}

async function ask(connection) {
    const second = got(2, await connection.send_with_reply_async(
        sent(1, 'Hello, this is GJS.'), NONE, null));
    const fourth = got(4, await second.reply_with_reply_async(
        sent(3, 'Every word, and each once. And you?'), NONE, null));
    // A message that awaits no reply is ended as soon as the other program has it.
    await fourth.reply_async(sent(5, 'Then goodbye.'), NONE, null);
    print('message 5 was answered by an end');
}

async function serve(connection) {
    const first = got(1, await connection.receive_async(null));
    const third = got(3, await first.reply_with_reply_async(
        sent(2, 'Hello, this is GJS. Do you hear me well?'), NONE, null));
    const fifth = got(5, await third.reply_with_reply_async(
        sent(4, 'The same here. Nothing lost, nothing twice.'), NONE, null));
    if (fifth.get_expects_reply())
        throw new Error('message 5 was to be the last');
}

function parseArguments(args) {
    const options = {};
    while (args.length > 0) {
        const name = args.shift();
        if (name === '--serve' || name === '--ask')
            options.serve = name === '--serve';
        else if ((name === '--local' || name === '--remote') && args.length > 0)
            options[name.slice(2)] = args.shift();
        else
            throw new Error(`${name} is no option`);
    }
    if (options.serve === undefined)
        throw new Error('usage: hello.js --serve|--ask [--local HOST:PORT] [--remote HOST:PORT]');
    return options;
}

function parseAddress(text) {
    const address = Gio.NetworkAddress.parse(text, 0);
    return Gio.InetSocketAddress.new_from_string(address.hostname, address.port);
}

// A connection over a UDP socket that is bound to one address and connected to the other.
function connect(options) {
    const ports = options.serve ? [5001, 5002] : [5002, 5001];
    const local = parseAddress(options.local ?? `127.0.0.1:${ports[0]}`);
    const remote = parseAddress(options.remote ?? `127.0.0.1:${ports[1]}`);
    const socket = Gio.Socket.new(local.get_family(), Gio.SocketType.DATAGRAM,
        Gio.SocketProtocol.UDP);

    socket.bind(local, false);
    socket.connect(remote, null);
    print(`${options.serve ? 'listening' : 'asking'} at ${local.to_string()}, ` +
        `other side at ${remote.to_string()}`);
    return new Seqex.Connection({socket, application_id: 'seqex-hello'});
}

async function main() {
    const options = parseArguments([...System.programArgs]);
    const connection = connect(options);

    await (options.serve ? serve : ask)(connection);
    await connection.close_async(null);
}

// The exit status is 0 only if everything held.
const loop = new GLib.MainLoop(null, false);
let status = 0;
main().catch(error => {
    print(`failed: ${error.message}`);
    status = 1;
}).finally(() => loop.quit());
loop.run();
System.exit(status);
