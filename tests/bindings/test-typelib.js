// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Seqex from GJS by its plain typelib: what a program does with it, and that nothing leaks.

import GLib from 'gi://GLib?version=2.0';
import Gio from 'gi://Gio?version=2.0';
import GObject from 'gi://GObject?version=2.0';
import Seqex from 'gi://Seqex?version=1';
import System from 'system';

for (const verb of ['send', 'send_with_reply', 'receive', 'close'])
    Gio._promisify(Seqex.Connection.prototype, `${verb}_async`);
for (const verb of ['reply', 'reply_with_reply'])
    Gio._promisify(Seqex.Message.prototype, `${verb}_async`);
for (const verb of ['load_file', 'load_or_generate'])
    Gio._promisify(Seqex.Identity, `${verb}_async`);
Gio._promisify(Seqex.Identity.prototype, 'save_file_async');
for (const verb of ['accept', 'close', 'open_connection'])
    Gio._promisify(Seqex.Endpoint.prototype, `${verb}_async`);
Gio._promisify(Seqex.Channel.prototype, 'receive_async');
Gio._promisify(Seqex.Channel.prototype, 'send_with_reply_async');

const {NONE, ORDERED} = Seqex.SendFlags;
const DEADLINE = 20; // seconds, after which a test has failed
const LOOPBACK = '127.0.0.1';

function bytes(text) {
    return new TextEncoder().encode(text);
}

function equal(actual, expected) {
    const [a, b] = [actual, expected].map(each => JSON.stringify(each));
    if (a !== b)
        throw new Error(`${a} is not ${b}`);
}

// Expects that a promise is rejected with an error of this domain and code.
async function fails(promise, domain, code) {
    try {
        await promise;
    } catch (error) {
        if (!(error instanceof GLib.Error) || !error.matches(domain, code))
            throw new Error(`another error than ${code}: ${error}`);
        return error;
    }
    throw new Error(`no error, ${code} was to come`);
}

// Two connections over UDP on the loopback.
function pair() {
    const sockets = [0, 1].map(() => {
        const socket = Gio.Socket.new(Gio.SocketFamily.IPV4, Gio.SocketType.DATAGRAM,
            Gio.SocketProtocol.UDP);
        socket.bind(Gio.InetSocketAddress.new_from_string(LOOPBACK, 0), false);
        return socket;
    });
    const addresses = sockets.map(socket => socket.get_local_address());
    sockets[0].connect(addresses[1], null);
    sockets[1].connect(addresses[0], null);
    return sockets.map(socket => new Seqex.Connection({socket}));
}

let current = null; // name of the test that runs

// Lets the main loop run until something holds, looking again after each of its turns.
async function until(condition) {
    const test = current;

    while (test === current && !condition()) {
        await new Promise(resolve => {
            GLib.idle_add(GLib.PRIORITY_LOW, () => {
                resolve();
                return GLib.SOURCE_REMOVE;
            });
        });
    }
}

const tests = {
    async 'handler connected after the message came'([a, b]) {
        const answer = a.send_with_reply_async(bytes('early'), NONE, null);
        await until(() => b.get_statistics().get_messages_received() === 1);
        const texts = [];
        b.connect('message', (connection, message) => {
            texts.push(message.dup_text());
            message.reply_async(bytes('late'), NONE, null);
            return true;
        });
        equal((await answer).dup_text(), 'late');
        equal(texts, ['early']);
    },

    async 'receive and reply'([a, b]) {
        const answer = a.send_with_reply_async(bytes('question'), NONE, null);
        const message = await b.receive_async(null);
        equal(new TextDecoder().decode(message.payload.toArray()), 'question');
        equal([message.expects_reply, message.is_reply, message.ordered], [true, false, false]);
        equal(await message.reply_async(bytes('answer'), NONE, null), true);
        equal((await answer).dup_text(), 'answer');
    },

    async 'chain of replies'([a, b]) {
        let waiting = a.send_with_reply_async(bytes('0'), NONE, null);
        let message = await b.receive_async(null);
        for (let number = 1; number < 20; number++) {
            equal(message.dup_text(), `${number - 1}`);
            const next = message.reply_with_reply_async(bytes(`${number}`), NONE, null);
            message = await waiting;
            waiting = next;
        }
        message.end();
        await fails(waiting, Seqex.Error, Seqex.Error.NO_REPLY);
    },

    async 'order'([a, b]) {
        const sends = [];
        for (let number = 0; number < 50; number++)
            sends.push(a.send_async(bytes(`${number}`), ORDERED, null));
        for (let number = 0; number < 50; number++)
            equal((await b.receive_async(null)).dup_text(), `${number}`);
        equal((await Promise.all(sends)).every(taken => taken), true);
    },

    async 'channel'([a, b]) {
        const [mine, theirs] = [a.open_channel(5), b.open_channel(5)];
        const answer = mine.send_with_reply_async(bytes('on five'), NONE, null);
        const message = await theirs.receive_async(null);
        equal([message.channel, message.dup_text()], [5, 'on five']);
        message.reply_async(bytes('yes'), NONE, null);
        equal((await answer).channel, 5);
    },

    async 'a handler that declines'([a, b]) {
        b.connect('message', () => false);
        await fails(a.send_with_reply_async(bytes('?'), NONE, null),
            Seqex.Error, Seqex.Error.NO_REPLY);
    },

    async 'an async handler'([a, b]) {
        b.connect('message', async (connection, message) => {
            await message.reply_async(bytes('in its own time'), NONE, null);
        });
        equal((await a.send_with_reply_async(bytes('?'), NONE, null)).dup_text(),
            'in its own time');
    },

    async 'a failed handler'([a, b]) {
        const answer = a.send_with_reply_async(bytes('?'), NONE, null);
        (await b.receive_async(null)).end_with_reason(Seqex.EndReason.FAILED);
        await fails(answer, Seqex.Error, Seqex.Error.HANDLER_FAILED);
    },

    async 'answering twice'([a, b]) {
        const answer = a.send_with_reply_async(bytes('?'), NONE, null);
        const message = await b.receive_async(null);
        await message.reply_async(bytes('!'), NONE, null);
        await fails(message.reply_async(bytes('!!'), NONE, null),
            Seqex.Error, Seqex.Error.ALREADY_ANSWERED);
        equal((await answer).dup_text(), '!');
    },

    async 'cancel'([a, b]) {
        const cancellable = new Gio.Cancellable();
        const answer = a.send_with_reply_async(bytes('?'), NONE, cancellable);
        const message = await b.receive_async(null);
        cancellable.cancel();
        await fails(answer, Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
        await until(() => message.cancelled);
    },

    async 'timeout'([a, b]) {
        a.timeout = 50;
        const answer = a.send_with_reply_async(bytes('?'), NONE, null);
        const message = await b.receive_async(null);
        await fails(answer, Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT);
        await until(() => message.cancelled);
    },

    async 'close'([a, b]) {
        const sent = a.send_async(bytes('the last'), NONE, null);
        equal((await b.receive_async(null)).dup_text(), 'the last');
        equal(await sent, true);
        const closed = new Promise(resolve => b.connect('closed', (connection, error) => {
            resolve(error);
        }));
        const received = b.receive_async(null);
        await a.close_async(null);
        equal(await received, null);
        equal(await closed, null);
        await fails(a.send_async(bytes('late'), NONE, null),
            Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED);
    },

    async 'identity'() {
        const directory = Gio.File.new_for_path(GLib.Dir.make_tmp('seqex-js-XXXXXX'));
        const file = directory.get_child('me');
        const identity = new Seqex.Identity();

        equal(identity.public_key.get_size(), 32);
        equal(identity.fingerprint === new Seqex.Identity().fingerprint, false);
        equal(await identity.save_file_async(file, null), true);
        equal((await Seqex.Identity.load_file_async(file, null)).fingerprint, identity.fingerprint);
        equal((await Seqex.Identity.load_or_generate_async(file, null)).fingerprint,
            identity.fingerprint);
        equal(Seqex.Identity.load_or_generate(file, null).fingerprint, identity.fingerprint);
        file.delete(null);
        await fails(Seqex.Identity.load_file_async(file, null),
            Gio.IOErrorEnum, Gio.IOErrorEnum.NOT_FOUND);
        directory.delete(null);

        equal(Seqex.fingerprint_normalize(identity.fingerprint.toUpperCase()),
            identity.fingerprint);
        const secret = Seqex.shared_secret_generate();
        equal(Seqex.shared_secret_normalize(Seqex.shared_secret_to_uri(secret)), secret);
    },

    async 'trust store'() {
        const [one, other] = [0, 1].map(() => new Seqex.Identity().fingerprint);
        const store = new Seqex.TrustStore();
        const changes = [];

        store.connect('items-changed', (list, ...change) => changes.push(change));
        equal(store.check('one', one), Seqex.TrustVerdict.UNKNOWN);
        equal(store.remember('one', one), true);
        equal(store.remember(null, other), true);
        equal(changes, [[0, 0, 1], [1, 0, 1]]);
        equal(store.check('one', other), Seqex.TrustVerdict.CHANGED);
        await fails((async () => store.remember('one', other))(),
            Seqex.Error, Seqex.Error.KEY_CHANGED);
        equal([0, 1].map(position => store.get_item(position).name), ['one', null]);
        equal(store.forget(store.lookup_name('one')), true);
        equal(store.lookup_name('one'), null);
        equal([store.n_items, store.get_item(0).fingerprint], [1, other]);
    },

    async 'endpoints'() {
        const server = new Seqex.Endpoint({trust_policy: Seqex.TrustPolicy.STRICT});
        const client = new Seqex.Endpoint({trust_policy: Seqex.TrustPolicy.ANYONE});
        const asked = [];

        server.connect('authorize', (endpoint, question) => {
            asked.push([question.peer_key, question.incoming]);
            question.accept();
            return true;
        });
        server.bind(Gio.InetSocketAddress.new_from_string(LOOPBACK, 0));
        const accepted = server.accept_async(null);
        const mine = await client.open_connection_async(server.local_address, null, null);
        const theirs = await accepted;
        equal([mine.peer_key, theirs.peer_key],
            [server.identity.fingerprint, client.identity.fingerprint]);
        equal(asked, [[client.identity.fingerprint, true]]);
        const answer = mine.send_with_reply_async(bytes('question'), NONE, null);
        const message = await theirs.receive_async(null);
        await message.reply_async(bytes('answer'), NONE, null);
        equal((await answer).dup_text(), 'answer');
        equal([client.n_items, server.n_items], [1, 1]);
        equal(await client.close_async(null), true);
        await until(() => server.n_items === 0);
        await fails(client.open_connection_async(server.local_address, null, null),
            Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED);
    },

    async 'objects are finalized'([a, b]) {
        let answer = a.send_with_reply_async(bytes('?'), NONE, null);
        let message = await b.receive_async(null);
        await message.reply_async(bytes('!'), NONE, null);
        let connection = pair()[0];
        let reply = await answer;
        const watched = [watch(message, 'cancelled'), watch(reply, 'cancelled'),
            watch(connection, 'writable')];
        answer = message = reply = connection = null;
        await finalized(watched);
    },
};

// A binding refers weakly to its source, and tells when it is gone. (The weak references of
// JavaScript itself are never cleared by GJS 1.74.) The target has to stay.
const target = new Gio.SimpleAction({name: 'watch'});

function watch(object, booleanProperty) {
    return object.bind_property(booleanProperty, target, 'enabled', GObject.BindingFlags.DEFAULT);
}

async function finalized(bindings) {
    await until(() => {
        System.gc();
        return bindings.every(binding => binding.dup_source() === null);
    });
}

// Also of connections that were used and closed: those of all the tests before.
const used = [];

async function runTest(body) {
    const connections = pair();
    for (const connection of connections)
        used.push(watch(connection, 'writable'));
    await body(connections);
    await Promise.all(connections.map(connection => connection.close_async(null)));
}

function timeLimit() {
    let source = 0;
    const promise = new Promise((resolve, reject) => {
        source = GLib.timeout_add_seconds(GLib.PRIORITY_DEFAULT, DEADLINE, () => {
            source = 0;
            reject(new Error('it never came to pass'));
            return GLib.SOURCE_REMOVE;
        });
    });
    return [promise, () => source && GLib.source_remove(source)];
}

async function main() {
    let failures = 0;
    let number = 0;
    const all = Object.entries(tests);

    all.push(['closed connections are finalized', null]);
    print(`1..${all.length}`);
    for (const [name, body] of all) {
        const [limit, stop] = timeLimit();
        number++;
        current = name;
        try {
            await Promise.race([body ? runTest(body) : finalized(used), limit]);
            print(`ok ${number} - ${name}`);
        } catch (error) {
            failures++;
            print(`not ok ${number} - ${name}`);
            print(`${error}\n${error.stack ?? ''}`.replace(/^/gm, '# '));
        }
        stop();
    }
    return failures;
}

const loop = new GLib.MainLoop(null, false);
let status = 1;
main().then(failures => {
    status = failures > 0 ? 1 : 0;
}).catch(logError).finally(() => loop.quit());
loop.run();
System.exit(status);
