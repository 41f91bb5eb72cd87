# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two hosts and the router between them, in network namespaces of their own.

    client 10.1.0.2 --- 10.1.0.1 router 10.2.0.1 --- 10.2.0.2 server

The program that uses this is the router: enter() starts it anew in a network namespace, and without
root in a user namespace as well. Nothing of the machine's own network is touched.
"""

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time

FORWARD = '/proc/sys/net/ipv4/ip_forward'
TIMEOUT = 60  # seconds that anything may take which is not said to take longer
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'peer.py')
ETHERNET_HEADER = 14
ALL_PROTOCOLS = 3
NFT = shutil.which('nft', path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin') or 'nft'
FORBIDDING = """
table inet seqex {
  chain out {
    type filter hook output priority 0
    meta l4proto udp drop
  }
}
"""


class Failed(Exception):
    """The network could not be made, or a program did not do what it was told."""


def enter():
    """Starts this program again in a network namespace, unless it is in one already."""
    if os.environ.get('SEQEX_NETNS') == str(os.getppid()):
        return
    # The process that becomes the router keeps its id.
    os.environ['SEQEX_NETNS'] = str(os.getppid())
    options = ['-n'] if os.geteuid() == 0 else ['-U', '-r', '-n']
    os.execvp('unshare', ['unshare', *options, sys.executable, *sys.argv])


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stdout.strip()}")


class Host:
    """A program in a namespace: takes commands, and says what happens, in lines of JSON."""

    def __init__(self, name, network, number):
        self.name = name
        self.number = number
        self.host = 2
        self.lines = queue.Queue()
        self.seen = []
        self.process = None
        self.anchor = subprocess.Popen(['unshare', '-n', 'sh', '-c', 'echo there; read end'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.anchor.stdout.readline()
        run('ip', 'link', 'add', f'to-{name}', 'type', 'veth', 'peer', 'name', 'net0', 'netns',
            str(self.anchor.pid))
        run('ip', 'addr', 'add', f'10.{number}.0.1/24', 'dev', f'to-{name}')
        run('ip', 'link', 'set', f'to-{name}', 'up')
        self.inside('ip', 'link', 'set', 'lo', 'up')
        self.inside('ip', 'link', 'set', 'net0', 'up')
        self.address_commands(None, self.address)

    @property
    def address(self):
        return f'10.{self.number}.0.{self.host}'

    def within(self, *words):
        return ['nsenter', f'--net=/proc/{self.anchor.pid}/ns/net', '--', *words]

    def inside(self, *words):
        run(*self.within(*words))

    def address_commands(self, old, new):
        """In one batch, so that there is no address for as short a time as possible."""
        batch = [f'addr del {old}/24 dev net0'] if old is not None else []
        batch += [f'addr add {new}/24 dev net0', f'route add default via 10.{self.number}.0.1']
        done = subprocess.run(self.within('ip', '-batch', '-'), input='\n'.join(batch) + '\n',
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failed(f'{self.name}: {done.stdout}')

    def move(self):
        """Gives up the address and takes the next one."""
        old = self.address
        self.host += 1
        self.address_commands(old, self.address)

    def forbid(self, whether):
        """The host's firewall refuses what goes out: sendmsg() fails with EPERM."""
        rules = FORBIDDING if whether else 'flush ruleset\n'
        done = subprocess.run(self.within(NFT, '-f', '-'), input=rules, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise Failed(f'{self.name}: {done.stdout}')

    def cpu_seconds(self):
        """What the program has used of the processor."""
        with open(f'/proc/{self.process.pid}/schedstat') as file:
            return int(file.read().split()[0]) / 1e9

    def start(self, *arguments):
        self.process = subprocess.Popen(
            self.within(sys.executable, PEER, *arguments), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'GIO_USE_NETWORK_MONITOR': 'netlink', 'GSETTINGS_BACKEND': 'memory'})
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self.wait('ready')

    def _read(self, process):
        for line in process.stdout:
            self.lines.put((process, json.loads(line)))
        self.lines.put((process, {'event': 'ended'}))

    def tell(self, do, **arguments):
        self.process.stdin.write(json.dumps({'do': do, **arguments}) + '\n')
        self.process.stdin.flush()

    def wait(self, event, timeout=TIMEOUT, **expected):
        """Waits for an event, and returns it; what else happens is kept in seen."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                process, said = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f'{self.name} did not say {event} {expected or ""} within {timeout} '
                             f's; it said {self.seen[-20:]}') from None
            if process is not self.process:
                continue
            self.seen.append(said)
            if said['event'] == event and expected.items() <= said.items():
                return said
            if said['event'] in ('ended', 'failed'):
                raise Failed(f'{self.name}: {said}')

    def ask(self, do, event, **arguments):
        self.tell(do, **arguments)
        return self.wait(event)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process = None

    def close(self):
        self.kill()
        self.anchor.stdin.close()
        self.anchor.wait()
        self.anchor.stdout.close()


class Network:
    """The router, and the two hosts, as a context."""

    def __init__(self):
        self.client = self.server = None

    def __enter__(self):
        run('ip', 'link', 'set', 'lo', 'up')
        self.client = Host('client', self, 1)
        self.server = Host('server', self, 2)
        self.forward(True)
        return self

    def __exit__(self, *exception):
        for host in (self.client, self.server):
            if host is not None:
                host.close()
        # A namespace and its interfaces go when its last process has; the names go here.
        for name in ('client', 'server'):
            subprocess.run(['ip', 'link', 'del', f'to-{name}'], stderr=subprocess.DEVNULL)

    @staticmethod
    def forward(whether):
        """Without forwarding everything is lost, and nobody is told."""
        with open(FORWARD, 'w') as file:
            file.write('1' if whether else '0')

    cut = staticmethod(lambda: Network.forward(False))
    mend = staticmethod(lambda: Network.forward(True))


class Capture:
    """Every frame that passes the router on one side, as a context."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                    socket.htons(ALL_PROTOCOLS))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((interface, 0))
        self.frames = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def read(self):
        """What was captured so far."""
        self.socket.setblocking(False)
        try:
            while True:
                self.frames.append(self.socket.recv(65536))
        except BlockingIOError:
            return self.frames

    def datagrams(self):
        """The payloads of the UDP datagrams."""
        for frame in self.read():
            packet = frame[ETHERNET_HEADER:]
            if packet[:1] == b'\x45' and packet[9] == socket.IPPROTO_UDP:
                yield packet[28:]
