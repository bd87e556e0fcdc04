"""A master, two replicas and three sentinels; the master is killed, stopped and cut off at random.

The fencer goes on flipping and asking. No node answers a former owner after a
confirmation, and no confirmed flip is missing afterwards.
"""

import random
import subprocess
import threading
import time

from lab import FULL, LabCase, Network, needs_networks, wait_for
from lab.fence import Fencer, Node, by_node
from lab.policyd import program
from lab.redis_group import RedisGroup

LEASE_MS = 15000  # longer than a failover takes: then nobody is without answers
GRACE_MS = 5000
TIMES = 25 if FULL else 2  # of each class
WRITES_GOAL_S = 5
KNOWN = "known@example.org"
GAP_S = 1  # what a change may take on a busy machine while the master is there


class Writer(threading.Thread):
    """An operator who changes an account ten times a second, with the fencer's settings and from its host,
    and does not wait for confirmations, which take as long as a node that is cut off has its lease."""

    def __init__(self, fencer):
        super().__init__(daemon=True)
        self.argv = [program("splitmx"), "-c", fencer.config, "set", "--force", "--no-wait", "writer@example.org"]
        if fencer.host:
            self.argv = fencer.host.run(self.argv)
        self.env = fencer.lab.environment
        self.ended = threading.Event()
        self.done = []  # when changes were made
        self.last_words = b""

    def run(self):
        owners = ["new", "old"]
        while not self.ended.wait(0.1):
            change = subprocess.run([*self.argv, owners[0]], env=self.env, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120)
            self.last_words = change.stderr or self.last_words
            if change.returncode == 0:
                self.done.append(time.monotonic())
                owners.reverse()

    def gaps(self):
        """To its end; the times without a change, the shortest first, in seconds."""
        self.ended.set()
        self.join()
        assert self.done, self.last_words
        return sorted(b - a for a, b in zip(self.done, self.done[1:]) if b - a > GAP_S)


class FailoverCase(LabCase):
    group_options = {"down_after": 2000}

    @classmethod
    def furnish_group(cls, hosts=()):
        cls.group = RedisGroup(cls.lab, hosts=hosts, **cls.group_options)
        settings = cls.group.settings(connect_timeout=500, reconnect_most=200)
        master = cls.group.master()
        cls.nodes = []
        for i, name in enumerate("abc"):
            host = hosts[i] if hosts else None
            node = Node(cls.lab, name, None, init=False, start=False, host=host, own_redis=False,
                        more={"redis": settings, "grace": GRACE_MS if name == "c" else 0})
            if not cls.nodes:
                node.splitmx("init", "--members", 3, "--lease", LEASE_MS)
                master.cli("SET", "splitmx:owner:@example.org", "old")
            cls.nodes.append(node)
            node.start()
        cls.fencer = Fencer(cls.lab, settings, cls.nodes, host=hosts[-1] if hosts else None)

    def setUp(self):
        random.seed(int.from_bytes(type(self).__name__.encode(), "big"))
        self.group.wait_ready(90)
        for node in self.nodes:
            node.wait_answer("fence", KNOWN, "OK", seconds=30)

    def rounds(self, troubles):
        """TIMES of them, one after another; each is a function of the master that ends when all is well again."""
        self.fencer.start(f=10000000, s=24, p=60000)
        writer = Writer(self.fencer)
        writer.start()
        try:
            for _ in range(TIMES):
                trouble = random.choice(troubles)
                master = self.group.wait_ready(120)
                time.sleep(random.uniform(0.2, 1.5))
                trouble(master)
                self.group.wait_ready(120)
                for node in self.nodes:
                    node.wait_answer("fence", KNOWN, "OK", seconds=60)
                self.assertTrue(self.fencer.is_running(), "the fencer ended by itself")
        except BaseException:
            writer.ended.set()
            self.fencer.stop()
            raise
        away = writer.gaps()
        return {**self.fencer.finish(120), "away": away}

    def assertFenced(self, report):
        gaps = {name: max(a["gap_ms"] for a in report["askers"] if a["node"] == name) for name in "abc"}
        away = report["away"]
        self.assertTrue(away, "changes were made all the time: nothing was tried")
        self.figures(f"{TIMES} times: {report['flips']} flips, {report['samples']} samples, {report['stale']} stale, "
                     f"{report['lost']} lost, {report['undone']} told as undone, {report['unconfirmed']} unconfirmed, "
                     f"writes away {len(away)} times, p50 {away[len(away) // 2]:.1f} s, worst {away[-1]:.1f} s, "
                     f"{sum(a > WRITES_GOAL_S for a in away)} times longer than the goal, "
                     f"known account unanswered {gaps} ms")
        self.assertEqual((0, []), (report["stale"], report["stale_answers"]), report)
        self.assertEqual((0, 0), (report["lost"], report["status"]), report)
        self.assertGreater(report["flips"], TIMES, report)
        self.assertGreater(report["samples"], 100 * TIMES, report)
        self.assertEqual(0, sum(by_node(report, "strange").values()), report)
        return gaps


class KilledTest(FailoverCase):
    @classmethod
    def furnish(cls):
        cls.furnish_group()

    def kill(self, master):
        master.kill()
        self.group.wait_failover(master)
        master.start()

    def stop(self, master):
        self.group.stop(master)
        self.group.wait_failover(master)
        self.group.cont(master)
        wait_for("it is a replica", 60, lambda: self.group.role(master) == "slave", self.group.logs)

    def test_masters_are_killed_and_stopped(self):
        report = self.rounds([self.kill, self.stop])
        gaps = self.assertFenced(report)
        self.assertLess(report["away"][-1], WRITES_GOAL_S + 2, "writes resume")
        for name, gap in gaps.items():
            self.assertLess(gap, 1000, f"{name} did not answer for a known account")


@needs_networks
class CutOffTest(FailoverCase):
    @classmethod
    def furnish(cls):
        cls.network = Network(cls.lab)
        cls.furnish_group([cls.network.host(name) for name in ("one", "two", "three", "four")])

    def cut(self, master):
        """The master's host, with a sentinel and a node on it."""
        master.host.cut()
        others = [s for s in self.group.sentinels if s.host is not master.host]
        try:
            wait_for("the others have another master", 60, lambda: all(
                s.master_port() != master.tcp_port for s in others), self.group.logs)
            time.sleep(random.uniform(0, 3))
        finally:
            master.host.mend()
        wait_for("it is a replica", 60, lambda: self.group.role(master) == "slave", self.group.logs)

    def test_masters_are_cut_off(self):
        self.assertFenced(self.rounds([self.cut]))
