"""After a confirmed flip no node answers the former owner, whatever happens to nodes, connections and networks.

The fencer (tests/lab/fence.py) flips accounts as fast as it can and has every node
asked all the time. Here the nodes are stopped, cut off, killed and betrayed
meanwhile; and builds that lack an element of the protocol must be caught.
"""

import itertools
import time

from lab import FULL, LabCase, Network, Redis, needs_networks, wait_for
from lab.fence import Fencer, Holder, Node, by_node
from lab.slow import SlowRedis

LEASE_MS = 1000
WAIT_S = LEASE_MS * 1.01 / 1000 + 0.1  # FENCING: W
GRACE_MS = 1500
NO_PRELOAD = {"cache": {"preload": 0}}


class FenceCase(LabCase):
    def assertFenced(self, report, samples=1):
        self.figures(f"{report['flips']} flips, {report['by_time']} of them confirmed by time, {report['samples']} samples, "
                     f"{report['stale']} stale; confirmed after p50 {report['p50_ms']:.2f} ms, p99 {report['p99_ms']:.2f} ms")
        self.assertEqual((0, []), (report["stale"], report["stale_answers"]), report)
        self.assertEqual((0, 0), (report["lost"], report["status"]), report)
        self.assertGreaterEqual(report["samples"], samples, report)
        self.assertEqual(0, sum(by_node(report, "strange").values()), report)


def furnish(cls, nodes, **options):
    cls.redis = Redis(cls.lab, **options)
    cls.nodes = [Node(cls.lab, name, cls.redis, more=more) for name, more in nodes]
    cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
    cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
    for node in cls.nodes:  # a lease that was granted under the longer one would run on
        node.stop()
        node.start()
    cls.fencer = Fencer(cls.lab, {"url": cls.redis.url}, cls.nodes)


class FenceTest(FenceCase):
    """Three nodes: one that has all of the map in memory, one that fetches, one with a grace."""

    @classmethod
    def furnish(cls):
        furnish(cls, [("a", {}), ("b", NO_PRELOAD), ("c", {"grace": GRACE_MS})])

    def test_full_speed(self):
        flips, samples = (10000, 100000) if FULL else (1000, 10000)
        report = self.fencer.start(f=flips, s=12).wait(1200)
        self.assertFenced(report, samples)
        self.assertEqual((flips, 0, 0), (report["flips"], report["by_time"], report["failed"]), report)

    def during(self, trouble, times, **options):
        """What the fencer reports when trouble() happens so often while it flips."""
        self.fencer.start(f=10000000, **options)
        try:
            for _ in range(times):
                trouble()
                self.assertTrue(self.fencer.is_running(), "the fencer ended by itself")
        except BaseException:
            self.fencer.stop()
            raise
        return self.fencer.finish()

    def test_a_node_is_stopped_and_goes_on(self):
        node = self.nodes[0]

        def trouble():
            node.freeze()
            time.sleep(WAIT_S + 0.5)  # flips are confirmed by time meanwhile
            node.thaw()
            time.sleep(0.5)

        report = self.during(trouble, 10 if FULL else 2)
        self.assertFenced(report, 1000)
        self.assertGreater(report["by_time"], 0, report)

    def test_a_node_is_killed_and_restarted(self):
        def restart(node):
            node.crash()
            node.start()

        kills = itertools.cycle((lambda node: node.kill_worker(), restart))  # a worker that dies in a row starts late

        def trouble():
            kill = next(kills)
            for node in self.nodes:
                kill(node)
                node.wait_answer("fence", "fence0@example.org", "OK", seconds=10)
            time.sleep(0.3)

        self.assertFenced(self.during(trouble, 10 if FULL else 2), 1000)

    def test_nodes_are_restarted_one_after_the_other(self):
        def trouble():
            for node in self.nodes:
                self.assertEqual(0, node.stop())
                node.start()
                node.wait_answer("fence", "fence0@example.org", "OK", seconds=10)

        report = self.during(trouble, 5 if FULL else 1)
        self.assertFenced(report, 1000)

    def test_tracking_connections_are_killed(self):
        def trouble():
            for line in self.redis.cli("CLIENT", "LIST", "TYPE", "pubsub").split("\n"):
                if " name=splitmx-tracking " in line:
                    self.redis.cli("CLIENT", "KILL", "ID", line.split()[0].split("=")[1], check=False)
                    time.sleep(0.2)

        self.assertFenced(self.during(trouble, 200 if FULL else 20), 1000)

    def test_output_buffers_overrun(self):
        node = self.nodes[1]
        self.redis.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
        try:
            def trouble():
                node.freeze()
                before = self.redis.cli("INFO", "clients")
                self.redis.pipe(["MSET", *[word for k in range(1000)
                                           for word in (f"splitmx:note:{i}-{k}-{'x' * 80}@example.org", "x")]]
                                for i in range(60))
                del before
                wait_for("Redis has closed its connection", 10, lambda: "splitmx-tracking" not in "".join(
                    line for line in self.redis.cli("CLIENT", "LIST").split("\n") if " qbuf" in line and "omem=0" not in line))
                node.thaw()
                node.wait_answer("fence", "fence0@example.org", "OK", seconds=10)

            self.assertFenced(self.during(trouble, 5 if FULL else 1), 100)
        finally:
            self.redis.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256mb 64mb 60")


class HolderTest(FenceCase):
    """Nodes that act on an answer until they are told to end it: two that do, and, to be caught, one that does not listen."""

    @classmethod
    def furnish(cls):
        furnish(cls, [("a", {})])
        cls.redis.cli("SET", "splitmx:owner:known@example.org", "old")

    def fencer_of(self, *holders):
        return Fencer(self.lab, {"url": self.redis.url}, [*self.nodes, *holders], name=f"fencer-{holders[0].name}")

    def test_holders_end_what_leads_to_the_former_owner(self):
        flips = 2000 if FULL else 200
        holders = [Holder(self.lab, "quick", self.redis), Holder(self.lab, "slow", self.redis, drain_ms=30)]
        report = self.fencer_of(*holders).start(f=flips, s=36, d=100).wait(600)
        for holder in holders:
            holder.process.stop()
        self.assertFenced(report, 10 * flips)
        self.assertGreaterEqual(report["p50_ms"], 30, "a confirmation waits for the slow one")
        self.assertGreater(min(by_node(report, "samples").values()), flips, report)

    def test_a_holder_that_ends_nothing_is_caught(self):
        holder = Holder(self.lab, "careless", self.redis, careless=True)
        report = self.fencer_of(holder).start(f=20, s=36, d=100).wait(60)
        holder.process.stop()
        self.assertEqual(1, report["status"], report)
        stale = by_node(report, "stale")
        self.assertGreater(stale["careless"], 0, report)
        self.assertEqual(0, stale["a"], report)


@needs_networks
class CutOffTest(FenceCase):
    """One node in a network of its own; one of them with a grace."""

    @classmethod
    def furnish(cls):
        cls.network = Network(cls.lab)
        cls.hosts = {name: cls.network.host(name) for name in ("redis", "a", "b", "c")}
        cls.redis = Redis(cls.lab, tcp=True, host=cls.hosts["redis"])
        cls.nodes = [Node(cls.lab, name, cls.redis, more={"grace": GRACE_MS} if name == "b" else {}, host=cls.hosts[name])
                     for name in ("a", "b", "c")]
        cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        for node in cls.nodes:
            node.stop()
            node.start()
        cls.fencer = Fencer(cls.lab, {"url": cls.redis.url}, cls.nodes)

    def cut(self, name):
        """Cut for as long as two flips need; what was reported, and for how long a flip was unconfirmed."""
        node = next(n for n in self.nodes if n.name == name)
        self.fencer.start(f=10000000)
        time.sleep(1)
        self.hosts[name].cut()
        try:
            began = time.monotonic()
            wait_for("it answers TEMP", 20, lambda: node.ask("fence", "fence0@example.org")[0] == "TEMP")
            temp_after = time.monotonic() - began
            time.sleep(2 * (WAIT_S + GRACE_MS / 1000))
        finally:
            self.hosts[name].mend()
        node.wait_answer("fence", "fence0@example.org", "OK", seconds=30)
        time.sleep(0.5)
        return self.fencer.finish(), temp_after

    def test_a_cut_off_node_says_temp(self):
        report, temp_after = self.cut("a")
        self.assertFenced(report, 1000)
        self.assertGreater(report["by_time"], 0, report)
        self.assertGreater(by_node(report, "temp")["a"], 0, report)
        self.assertLess(temp_after, WAIT_S + 1.5)

    def test_the_grace_of_a_cut_off_node_is_waited_for(self):
        report, temp_after = self.cut("b")
        self.assertFenced(report, 1000)
        self.assertGreater(report["by_time"], 0, report)
        self.assertGreater(temp_after, (GRACE_MS - 200) / 1000)


class CaughtTest(FenceCase):
    """Nodes that lack an element of the protocol: the fencer must see it, or it would see nothing."""

    def build(self, binary, more=None):
        """A node of this build, alone at a Redis of its own, and a fencer for it."""
        name = binary.rsplit("-", 1)[-1]
        redis = Redis(self.lab, f"redis-{name}")
        node = Node(self.lab, f"node-{name}", redis, binary=f"tests/system/{binary}", more=more, start=False)
        redis.cli("HSET", "splitmx.map", "lease_ms", 300)
        redis.cli("SET", "splitmx:owner:@example.org", "old")
        slow = SlowRedis(self.lab, redis, f"slow-{name}")
        node.settings["redis"]["url"] = slow.url
        node.write_config()
        node.start()
        node.wait_answer("fence", "fence0@example.org", "OK")
        return redis, slow, Fencer(self.lab, {"url": redis.url}, [node], name=f"fencer-{name}")

    def assertCaught(self, report):
        self.assertGreater(report["stale"], 0, report)
        self.assertEqual(1, report["status"], report)

    def test_without_lease(self):
        """Redis is stopped for it alone; it must not notice, and go on answering."""
        redis, slow, fencer = self.build("policyd-without-lease")
        fencer.start(f=10000000, a=4)
        try:
            wait_for("flips", 20, lambda: int(redis.cli("HGET", "splitmx.map", "epoch")) > 20)
            slow.hold()
            epoch = int(redis.cli("HGET", "splitmx.map", "epoch"))
            wait_for("flips, confirmed by time", 20,
                     lambda: int(redis.cli("HGET", "splitmx.map", "epoch")) > epoch + 8)
        finally:
            slow.go_on()
        self.assertCaught(fencer.finish())

    def test_without_poison(self):
        """The replies to its fetches are late, and changes of the account's other keys make it fetch all the time."""
        redis, _, fencer = self.build("policyd-without-poison", more=NO_PRELOAD)
        fencer.start(f=200, a=1, d=60, s=100000)
        while fencer.is_running():
            redis.cli("SET", "splitmx:note:fence0@example.org", "x")
            time.sleep(0.03)
        self.assertCaught(fencer.wait())
