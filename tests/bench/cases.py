# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: the systems, in the order of the table, and the works."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class System:
    """One row. `program` is the executable's name without `bench-`."""
    name: str
    program: str
    variant: str
    label: str
    package: str = ""
    quick: bool = False
    encrypted: bool = False
    works: tuple = ("requests", "bulk")
    # Datagrams of the loopback's size, of systems that choose it themselves.
    arguments: tuple = ()
    # Whether it runs between two network namespaces.
    moves: bool = True
    # How many idle connections say what one costs.
    idle: int = 0


@dataclasses.dataclass(frozen=True)
class Case:
    """One column, or a point of a curve. `unit` is what a rate counts: exchanges, or bytes."""
    name: str
    title: str
    arguments: tuple
    unit: str = "exchanges"
    work: str = "requests"
    quick: bool = False
    pins: tuple = ("one", "two")
    # Over a pair of virtual Ethernet devices instead of the loopback.
    veth: bool = False
    # What core-bench calls it.
    core: str = ""
    # Of a curve: its name, and where on it.
    curve: str = ""
    at: int = 0
    systems: tuple = ()
    warm_up: float = 0.2
    seconds: float = 1.0


# What a program ends with when the machine lacks what it needs.
EXIT_MISSING = 77

LARGE = ("--datagram-size", "65000")

SYSTEMS = (
    System("seqex", "seqex", "encrypted", "Seqex, encrypted", quick=True, encrypted=True,
           works=("requests", "bulk", "idle"), idle=10000),
    System("seqex-stream", "seqex", "stream", "Seqex, encrypted, a stream", encrypted=True,
           works=("bulk",)),
    System("seqex-plain", "seqex", "plain", "Seqex, plain", quick=True,
           works=("requests", "bulk", "idle"), idle=10000),
    System("seqex-python", "seqex-python", "encrypted", "Seqex from Python, encrypted",
           encrypted=True, package="Python with PyGObject", moves=False),
    System("core", "core-bench", "", "Seqex's core alone, encrypted", encrypted=True),
    System("udp-aead", "udp", "single-aead", "UDP + AES-GCM, one message a datagram", quick=True,
           encrypted=True, arguments=LARGE),
    System("gsocket-aead", "udp", "gsocket-aead", "UDP + AES-GCM, by GSocket", quick=True,
           encrypted=True, arguments=LARGE),
    System("udp-coalesced-aead", "udp", "coalesced-aead", "UDP + AES-GCM, coalesced", quick=True,
           encrypted=True, arguments=LARGE),
    System("udp-gso-aead", "udp", "gso-aead", "UDP + AES-GCM, GSO and GRO", encrypted=True),
    System("udp", "udp", "single", "UDP, one message a datagram", arguments=LARGE),
    System("gsocket", "udp", "gsocket", "UDP, by GSocket", arguments=LARGE),
    System("udp-coalesced", "udp", "coalesced", "UDP, coalesced", arguments=LARGE),
    System("udp-gso", "udp", "gso", "UDP, GSO and GRO"),
    System("gio-tls", "gio", "tls", "GTlsConnection", quick=True, encrypted=True,
           package="glib-networking", works=("requests", "bulk", "idle"), idle=200),
    System("gio-tcp", "gio", "tcp", "GIO TCP", quick=True, works=("requests", "bulk", "idle"),
           idle=400),
    System("gdbus", "gdbus", "unix", "GDBus, peer to peer, Unix socket", moves=False,
           works=("requests", "bulk", "idle"), idle=400),
    System("enet", "enet", "reliable", "ENet", package="libenet-dev", arguments=LARGE),
    System("zmq-curve", "zmq", "curve", "ZeroMQ, CURVE", package="libzmq3-dev", encrypted=True),
    System("zmq", "zmq", "null", "ZeroMQ", package="libzmq3-dev"),
    System("nng", "nng", "tcp", "nng", package="libnng-dev"),
)

THOUSANDS = (1, 10, 100, 1000, 10000)
PINS = (("one", "both ends on one core"), ("two", "each end on its own core"))


def curve(name, option, points, *more):
    """Requests of one system against a number that grows."""
    return tuple(Case(f"{name}-{at}", f"{name} {at}", (option, str(at), *more), pins=("one",),
                      curve=name, at=at, systems=("seqex",)) for at in points)


# What they are against, and what the axis is called.
CURVES = {
    "connections": ("connections of which one is used", "connections"),
    "turns": ("connections that are used in turn", "connections"),
    "outstanding": ("requests outstanding on one connection", "requests"),
}

CASES = (
    Case("d1-64", "depth 1, 64 B", ("--depth", "1", "--size", "64"), quick=True,
         core="request-64-depth-1"),
    Case("d1-1k", "depth 1, 1 KiB", ("--depth", "1", "--size", "1024"),
         core="request-1024-depth-1"),
    Case("d64-64", "depth 64, 64 B", ("--depth", "64", "--size", "64"), quick=True,
         core="request-64-depth-64-loopback"),
    Case("d64-1k", "depth 64, 1 KiB", ("--depth", "64", "--size", "1024"), quick=True,
         core="request-1024-depth-64-loopback"),
    Case("bulk", "bulk, 64 KiB messages", ("--work", "bulk", "--size", "65536"), unit="bytes",
         work="bulk", quick=True, core="bulk-65536-datagram-65507"),
    Case("bulk-1500", "bulk, MTU 1500", ("--work", "bulk", "--size", "65536"), unit="bytes",
         work="bulk", veth=True, core="bulk-65536-datagram-1452"),
    Case("idle", "memory of an idle connection", ("--work", "idle"), unit="memory", work="idle",
         pins=("none",)),
    *curve("connections", "--connections", THOUSANDS, "--active", "1"),
    *curve("turns", "--connections", THOUSANDS),
    *curve("outstanding", "--depth", (*THOUSANDS, 100000)),
)
