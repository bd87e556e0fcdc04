"""Hosts in network namespaces of the lab's own, on one switch; the lab's root is needed.

    network = Network(lab)
    redis = network.host("redis")
    Process(lab, "redis", redis.run(["redis-server", ...]))   # listens on redis.address
    redis.cut()                                               # nothing passes, and nobody is told
    redis.mend()

A namespace has its own loopback and nothing of the machine's network. Files, and so
Unix sockets, are shared with everybody.
"""

import os
import shutil
import subprocess
import unittest

from .core import Failure

_number = 0


def networks_are_possible():
    """May we make namespaces here? A container may forbid it even to root."""
    if os.getuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"smx-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode != 0:
        return False
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return True


needs_networks = unittest.skipUnless(networks_are_possible(), "network namespaces cannot be made here")


class Host:
    def __init__(self, network, name, number):
        self.network = network
        self.name = name
        self.namespace = f"{network.name}-{name}"
        self.address = f"198.18.0.{number}"  # RFC 2544: for tests between networks
        self.port_name = f"p{number}"
        self.is_cut = False

    def run(self, argv):
        """The argv that runs there."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def _switch(self, state):
        self.network.ip("-n", self.network.switch, "link", "set", self.port_name, state)

    def cut(self):
        """Its cable is out: packets are lost, no connection is closed."""
        self._switch("down")
        self.is_cut = True

    def mend(self):
        self._switch("up")
        self.is_cut = False


class Network:
    """Stopped by the lab after everything that runs in it."""

    def __init__(self, lab):
        global _number
        _number += 1
        self.lab = lab
        self.name = f"smx{os.getpid()}-{_number}"
        self.switch = f"{self.name}-switch"
        self.hosts = []
        self._namespaces = []
        lab.remember(self)
        self._add(self.switch)
        self.ip("-n", self.switch, "link", "add", "bridge0", "type", "bridge")
        self.ip("-n", self.switch, "link", "set", "bridge0", "up")

    def ip(self, *words):
        self.lab.run(["ip", *words])

    def _add(self, namespace):
        self.ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        self.ip("-n", namespace, "link", "set", "lo", "up")

    def host(self, name):
        host = Host(self, name, len(self.hosts) + 1)
        self.hosts.append(host)
        self._add(host.namespace)
        self.ip("-n", host.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", host.port_name,
                "netns", self.switch)
        self.ip("-n", self.switch, "link", "set", host.port_name, "master", "bridge0", "up")
        self.ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        self.ip("-n", host.namespace, "link", "set", "eth0", "up")
        return host

    def stop(self):
        troubles = []
        for namespace in self._namespaces:
            done = self.lab.run(["ip", "netns", "del", namespace], check=False)
            if done.returncode != 0:
                troubles.append(done.stderr.strip())
        self._namespaces.clear()
        self.lab.forget(self)
        if troubles:
            raise Failure("; ".join(troubles))
