# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two network namespaces and a pair of virtual Ethernet devices between them, as root."""

import os
import subprocess

ADDRESSES = ("10.213.47.1", "10.213.47.2")
MTU = 1500
UDP_HEADERS = 28


class Failed(Exception):
    """Namespaces cannot be made here."""


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"ip {' '.join(words)}: {done.stderr.strip()}")


class Pair:
    """A context: there while it is open."""

    def __init__(self):
        self.names = [f"bench-{os.getpid()}-{side}" for side in "cs"]

    def __enter__(self):
        if os.geteuid() != 0:
            raise Failed("network namespaces need root")
        try:
            self.make()
        except (Failed, OSError) as failure:
            self.remove()
            raise Failed(str(failure)) from failure
        return self

    def __exit__(self, *_):
        self.remove()

    def make(self):
        client, server = self.names
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "bench", "netns", client, "mtu", str(MTU), "type", "veth", "peer", "name",
           "bench", "netns", server, "mtu", str(MTU))
        for name, address in zip(self.names, ADDRESSES):
            ip("-n", name, "address", "add", f"{address}/30", "dev", "bench")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "bench", "up")

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def arguments(self):
        """Of a program of the benchmark."""
        return ["--client-netns", self.names[0], "--server-netns", self.names[1],
                "--client-host", ADDRESSES[0], "--host", ADDRESSES[1],
                "--datagram-size", str(MTU - UDP_HEADERS)]
