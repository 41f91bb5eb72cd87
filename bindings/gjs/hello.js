#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Hello world: five messages, each the reply to the one before, the last answered by an end.
//
//     gjs -m hello.js --serve                          in one terminal
//     gjs -m hello.js --ask --peer-key FINGERPRINT     in another, or the same in another language

import GLib from 'gi://GLib?version=2.0';
import Gio from 'gi://Gio?version=2.0';
import Seqex from 'gi://Seqex?version=1';
import System from 'system';

for (const verb of ['open_connection', 'accept', 'close'])
    Gio._promisify(Seqex.Endpoint.prototype, `${verb}_async`);
for (const verb of ['send_with_reply', 'receive'])
    Gio._promisify(Seqex.Connection.prototype, `${verb}_async`);
for (const verb of ['reply', 'reply_with_reply'])
    Gio._promisify(Seqex.Message.prototype, `${verb}_async`);

const DEFAULT_PORT = 5001;
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
    const usage = 'usage: hello.js --serve|--ask [--local HOST:PORT] [--remote HOST:PORT] ' +
        '[--peer-key FINGERPRINT] [--identity FILE]';
    const options = {};
    while (args.length > 0) {
        const name = args.shift();
        if (name === '--serve' || name === '--ask')
            options.serve = name === '--serve';
        else if (/^--(local|remote|peer-key|identity)$/.test(name) && args.length > 0)
            options[name.slice(2)] = args.shift();
        else
            throw new Error(`${name} is no option; ${usage}`);
    }
    if (options.serve === undefined)
        throw new Error(usage);
    if (!options.serve && options['peer-key'] === undefined)
        throw new Error('--peer-key is needed: the fingerprint that the other program prints');
    return options;
}

function parseAddress(text) {
    const address = Gio.NetworkAddress.parse(text, DEFAULT_PORT);
    return Gio.InetSocketAddress.new_from_string(address.hostname, address.port);
}

// An endpoint whose identity is in a file, or is for this time only.
function makeEndpoint(options) {
    const identity = options.identity
        ? Seqex.Identity.load_or_generate(Gio.File.new_for_commandline_arg(options.identity), null)
        : new Seqex.Identity();
    print(`fingerprint ${identity.get_fingerprint()}`);
    return new Seqex.Endpoint({identity, application_id: 'seqex-hello'});
}

// Waits for the program that asks.
function accept(endpoint, options, peerKey) {
    endpoint.bind(parseAddress(options.local ?? '127.0.0.1'));
    // Whom the trust policy does not let in, the program is asked about.
    if (peerKey === null) {
        endpoint.trust_policy = Seqex.TrustPolicy.ANYONE;
    } else {
        endpoint.connect('authorize', (_endpoint, question) => {
            if (question.peer_key === peerKey)
                question.accept();
            else
                question.reject();
            return true;
        });
    }
    print(`listening at ${endpoint.local_address.to_string()}`);
    return endpoint.accept_async(null);
}

// Finds the program that serves.
function openConnection(endpoint, options, peerKey) {
    const peer = Gio.NetworkAddress.parse(options.remote ?? '127.0.0.1', DEFAULT_PORT);
    if (options.local)
        endpoint.bind(parseAddress(options.local));
    print(`asking ${peer.to_string()}`);
    return endpoint.open_connection_async(peer, peerKey, null);
}

async function main() {
    const options = parseArguments([...System.programArgs]);
    const peerKey = options['peer-key'] ? Seqex.fingerprint_normalize(options['peer-key']) : null;
    const endpoint = makeEndpoint(options);
    const [meet, side] = options.serve ? [accept, serve] : [openConnection, ask];
    const connection = await meet(endpoint, options, peerKey);

    print(`connected to ${connection.remote_address.to_string()}, who is ${connection.peer_key}`);
    await side(connection);
    await endpoint.close_async(null);
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
