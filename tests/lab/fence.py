"""What the tests of the fence have in common: nodes that are asked, and the fencer that flips and asks.

tests/system/fencer.c says what a sample is and what it judges.
"""

import json
import os
import signal
import subprocess

from .core import Failure, Process, tail
from .policyd import Policyd, conf_file, program

DESTINATIONS = [{"name": "old"}, {"name": "new"}]
MAPS = [{"name": "fence", "owners": {"old": "old", "new": "new"}}]


class Node(Policyd):
    """A policyd whose answer to "fence ACCOUNT" is the owner. more: further settings.

    The first one of a Redis makes the map.
    """

    def __init__(self, lab, name, redis, more=None, **options):
        self.socket = lab.path(name, "map.sock")
        options.setdefault("init", redis is not None and redis.cli("EXISTS", "splitmx.map") == "0")
        super().__init__(lab, {"domains": ["example.org"], "destinations": DESTINATIONS, "maps": MAPS,
                               "policyd": {"listen": [{"protocol": "socketmap", "address": f"unix:{self.socket}", "mode": "0600"}]},
                               **(more or {})}, name=name, redis=redis, **options)

    def freeze(self):
        self._signal(signal.SIGSTOP)

    def thaw(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        """To the workers: the master answers nobody."""
        for pid in self.worker_pids():
            os.kill(pid, number)

    def kill_worker(self):
        self._signal(signal.SIGKILL)


class Holder:
    """holderd: it acts on answers, as a proxy with sessions does, and is asked for whom (tests/system/holderd.c)."""

    def __init__(self, lab, name, redis, drain_ms=0, careless=False):
        self.name = name
        self.socket = lab.path(name, "map.sock")
        config = lab.write(f"{name}/splitmx.conf", conf_file({
            "instance": name, "run_dir": os.path.dirname(lab.path(name, "run", "x")),
            "state_dir": os.path.dirname(lab.path(name, "state", "x")), "user": "", "group": "", "redis": {"url": redis.url},
            "domains": ["example.org"], "destinations": DESTINATIONS, "maps": MAPS}))
        argv = [program("tests/system/holderd"), "-d", str(drain_ms), *(["-n"] if careless else []), config, self.socket]
        self.process = Process(lab, name, argv)
        self.process.wait_until("it listens", 20, lambda: os.path.exists(self.socket))


class Fencer:
    """redis: settings of the group "redis". start(), do your worst, finish(): what it reported, as a dict."""

    def __init__(self, lab, redis, nodes, name="fencer", host=None, more=None):
        self.lab = lab
        self.name = name
        self.nodes = nodes
        self.host = host
        self.stop_file = lab.path(name, "stop")
        self.out = lab.path(name, "report")
        self.config = lab.write(f"{name}/splitmx.conf", conf_file({
            "instance": name, "run_dir": os.path.dirname(lab.path(name, "run", "x")),
            "state_dir": os.path.dirname(lab.path(name, "state", "x")), "user": "", "group": "", "redis": redis,
            "domains": ["example.org"], "destinations": DESTINATIONS, "maps": MAPS, **(more or {})}))
        self.popen = None

    def start(self, **options):
        """Single-letter options of the program: f=1000 is -f 1000."""
        if os.path.exists(self.stop_file):
            os.unlink(self.stop_file)
        argv = [program("tests/system/fencer"), "-u", self.stop_file,
                *[word for letter, value in options.items() for word in (f"-{letter}", str(value))],
                self.config, *[f"{node.name}={node.socket}" for node in self.nodes]]
        if self.host:
            argv = self.host.run(argv)
        self.log = self.lab.log_path(self.name)
        with open(self.out, "wb") as out, open(self.log, "ab") as log:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                          env=self.lab.environment, start_new_session=True)
        self.lab.remember(self)
        return self

    def is_running(self):
        return self.popen.poll() is None

    def finish(self, seconds=60):
        """Tell it to stop after the flip that is under way."""
        open(self.stop_file, "wb").close()
        return self.wait(seconds)

    def wait(self, seconds=300):
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} is not done after {seconds} s\n{tail(self.log)}") from None
        finally:
            self.stop()
        try:
            with open(self.out, encoding="utf-8") as f:
                report = json.load(f)
        except ValueError:
            raise Failure(f"{self.name} ended with {status} and no report\n{tail(self.log)}") from None
        report["status"] = status
        return report

    def stop(self):
        if self.popen and self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
        self.lab.forget(self)


def by_node(report, what):
    """The sums of a column of the askers: {"a": 12, ...}"""
    sums = {}
    for asker in report["askers"]:
        sums[asker["node"]] = sums.get(asker["node"], 0) + asker[what]
    return sums
