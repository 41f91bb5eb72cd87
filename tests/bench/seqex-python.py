#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seqex from Python, over the typelib, encrypted: the work and the line of JSON of harness.c.

Callbacks on the GLib loop at both sides; the payload of a request is made anew, and that of its
reply compared.
"""

import argparse
import json
import os
import signal
import sys
import time

import gi

gi.require_version("Seqex", "1")
from gi.repository import Gio, GLib, Seqex  # noqa: E402

HEADER = 8
BUFFERS = 16
HOST = "127.0.0.1"
NONE = Seqex.SendFlags.NONE
ORDERED = Seqex.SendFlags.ORDERED


def fail(text):
    print(text, file=sys.stderr)
    os.killpg(0, signal.SIGTERM)


def percentile(values, share):
    """Of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0


def pattern(size):
    noise = 1
    out = bytearray()
    while len(out) < size:
        noise = (noise * 1664525 + 1013904223) & 0xffffffff
        out.append(noise >> 24)
    return bytes(out)


def pin(how, processor):
    if how != "none":
        os.sched_setaffinity(0, {0 if how == "one" else processor})


def endpoint():
    self = Seqex.Endpoint(trust_policy=Seqex.TrustPolicy.ANYONE)
    self.bind(Gio.InetSocketAddress.new_from_string(HOST, 0))
    return self


class Server:
    """Until killed."""

    def __init__(self, options, output):
        self.options = options
        self.output = output
        self.received = 0
        self.pattern = pattern(options.size)
        self.endpoint = endpoint()
        take = self.count if options.work == "bulk" else self.answer
        self.endpoint.connect("connection", lambda _, peer: peer.connect("message", take))
        self.tell({"port": self.endpoint.get_local_address().get_port(),
                   "key": self.endpoint.get_identity().get_fingerprint()})

    def tell(self, what):
        os.write(self.output, (json.dumps(what) + "\n").encode())

    def answer(self, connection, message):
        message.reply_async(message.get_payload(), NONE, None, None)
        return True

    def count(self, connection, message):
        data = message.get_payload().get_data()
        if data[0] != self.received % BUFFERS or data[HEADER:] != self.pattern[HEADER:]:
            fail("a message is not the one that was sent")
        self.received += 1
        return True


class Client:
    """Requests, or bulk: as many outstanding as the depth says, until the time is over."""

    def __init__(self, options, server, told):
        self.options = options
        self.clocks = (time.CLOCK_PROCESS_CPUTIME_ID, (~server << 3) | 2)
        self.told = told
        self.pattern = pattern(options.size)
        self.buffers = [GLib.Bytes.new(bytes([i]) + bytes(HEADER - 1) + self.pattern[HEADER:])
                        for i in range(BUFFERS)]
        self.loop = GLib.MainLoop()
        self.endpoint = endpoint()
        self.counter = 0
        self.done = 0
        self.outstanding = 0
        self.latencies = []
        self.snapshots = []
        self.phase_end = 0

    def snapshot(self, now):
        self.snapshots.append((now, self.done, *map(time.clock_gettime, self.clocks)))

    def more(self, now):
        """Whether there is to be another one."""
        if now >= self.phase_end and len(self.snapshots) < 2:
            self.snapshot(now)
            self.latencies = self.latencies if len(self.snapshots) == 2 else []
            self.phase_end = now + self.options.seconds
        return len(self.snapshots) < 2

    def request(self, connection):
        self.counter += 1
        data = self.counter.to_bytes(HEADER, "little") + self.pattern[HEADER:]
        self.outstanding += 1
        connection.send_with_reply_async(GLib.Bytes.new(data), NONE, None, self.replied,
                                         (data, time.monotonic()))

    def replied(self, connection, result, sent):
        reply = connection.send_with_reply_finish(result)
        now = time.monotonic()
        if reply.get_payload().get_data() != sent[0]:
            fail("a reply has other bytes than its request")
        self.latencies.append(now - sent[1])
        self.settled(connection, now, self.request)

    def bulk(self, connection):
        self.counter += 1
        self.outstanding += 1
        connection.send_async(self.buffers[(self.counter - 1) % BUFFERS], ORDERED, None, self.sent)

    def sent(self, connection, result):
        connection.send_finish(result)
        self.settled(connection, time.monotonic(), self.bulk)

    def settled(self, connection, now, again):
        self.done += 1
        self.outstanding -= 1
        if self.more(now):
            again(connection)
        elif self.outstanding == 0:
            self.loop.quit()

    def opened(self, source, result):
        connection = self.endpoint.open_connection_finish(result)
        self.phase_end = time.monotonic() + self.options.warm_up
        for _ in range(self.options.depth):
            (self.bulk if self.options.work == "bulk" else self.request)(connection)

    def drive(self):
        where = Gio.InetSocketAddress.new_from_string(HOST, self.told["port"])
        self.endpoint.open_connection_async(where, self.told["key"], None, self.opened)
        self.loop.run()

    def result(self):
        begin, end = self.snapshots
        seconds, done, client, server = (after - before for before, after in zip(begin, end))
        values = sorted(self.latencies)
        result = {"system": "seqex-python", "variant": "encrypted", "work": self.options.work,
                  "pin": self.options.pin, "size": self.options.size, "depth": self.options.depth,
                  "connections": 1, "seconds": seconds,
                  "cpu_us": {"client": client * 1e6 / max(1, done),
                             "server": server * 1e6 / max(1, done)}}
        if self.options.work == "bulk":
            return {**result, "messages": done, "rate": done * self.options.size / seconds}
        return {**result, "exchanges": done, "rate": done / seconds, "latency_us": {
            "p50": percentile(values, 0.5) * 1e6, "p99": percentile(values, 0.99) * 1e6,
            "p99.9": percentile(values, 0.999) * 1e6, "max": percentile(values, 1) * 1e6}}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", choices=["encrypted"], default="encrypted")
    parser.add_argument("--work", choices=["requests", "bulk"], default="requests")
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--warm-up", type=float, default=0.2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--pin", choices=["one", "two", "none"], default="none")
    options = parser.parse_args(arguments)
    bulk = options.work == "bulk"
    options.depth = options.depth or (64 if bulk else 1)
    options.size = options.size or (65536 if bulk else 64)
    return options


def main(arguments):
    options = parse(arguments)
    # A session of its own has a group of its own already.
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    ends = os.pipe()
    child = os.fork()
    if child == 0:
        pin(options.pin, 1)
        serving = Server(options, ends[1])
        GLib.MainLoop().run()
        return serving.received
    pin(options.pin, 0)
    with os.fdopen(ends[0]) as lines:
        told = json.loads(lines.readline())
    client = Client(options, child, told)
    client.drive()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(json.dumps(client.result()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
