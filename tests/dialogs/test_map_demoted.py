"""A master that is a replica for a while, and the master again, before anybody notices."""

from mapdrive import Drive, needs_redis
from test_map import fill

from lab.case import LabCase
from lab.core import wait_for
from lab.redis import Redis
from lab.slow import SlowRedis

ANN, BOB = "splitmx:owner:ann@example.org", "splitmx:owner:bob@example.org"


@needs_redis
class Demoted(LabCase):
    """Connections stay: Redis closes those that wait for something, and a sentinel all, but REPLICAOF no others."""

    def begin(self, name):
        options = {"repl-diskless-sync-delay": 0}
        self.master, self.other, self.third = [Redis(self.lab, f"{name}{i}", tcp=True, options=options) for i in range(3)]
        self.follow(self.master, self.other, self.third)
        fill(self.master, lease_ms=60000, members=3)
        self.master.cli("SET", BOB, "old")
        self.slow = SlowRedis(self.lab, self.master, name + "slow", late_ms=0)
        self.drive = Drive(self.lab, self.slow.url, name=name, question_timeout=5000).wait_complete()
        for account, owner in (("ann", "new"), ("bob", "old")):
            self.drive.ask_until(account + "@example.org", 10, owner=owner, source="memory")
        self.slow.hold()  # between two heartbeats

    def follow(self, master, *replicas):
        master.cli("REPLICAOF", "NO", "ONE")
        for replica in replicas:
            replica.cli("REPLICAOF", master.ip, master.tcp_port)
        wait_for("they follow", 20, lambda: master.cli("INFO", "replication").count("state=online") == len(replicas))

    def demote_and_promote(self):
        """Meanwhile another one is the master, and gives ann to another owner."""
        self.other.cli("SET", ANN, "old")
        self.follow(self.other, self.master, self.third)
        self.assertEqual(self.other.cli("WAIT", 2, 5000), "2")
        self.follow(self.master, self.other, self.third)

    def go_on(self):
        heartbeats = self.drive.status()["link"]["heartbeats"]
        self.slow.go_on()
        wait_for("leases from it", 10, lambda: self.drive.status()["link"]["heartbeats"] > heartbeats + 2)

    def is_right(self):
        self.drive.ask_until("bob@example.org", 5, owner="old", source="memory")
        self.drive.ask_until("ann@example.org", 5, owner="old", source="memory")
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)
        self.master.cli("PUBLISH", "splitmx.barrier", "6 n *")
        wait_for("the acknowledgement", 5, lambda: self.drive.status()["node"]["acknowledged"] == 6)
        self.master.cli("SET", ANN, "new")
        self.drive.ask_until("ann@example.org", 5, owner="new", source="memory")
        self.assertEqual(self.drive.stop(), 0)

    def test_what_it_was_told_as_a_replica_is_heard(self):
        self.begin("told")
        self.other.cli("REPLICAOF", "NO", "ONE")
        self.demote_and_promote()
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new")  # not heard yet: that is what a writer waits for
        self.go_on()
        self.is_right()

    def test_what_it_lost_is_forgotten_with_all_else(self):
        self.begin("lost")
        self.other.cli("REPLICAOF", "NO", "ONE")
        self.master.cli("SET", BOB, "new")  # that nobody confirmed, and no other master has
        self.slow.go_on()
        self.drive.ask_until("bob@example.org", 5, owner="new", source="memory")
        self.slow.hold()
        self.demote_and_promote()
        self.assertNotIn("sync_full:0", self.other.cli("INFO", "stats"))
        self.go_on()
        self.is_right()
