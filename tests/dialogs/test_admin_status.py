"""splitmx status: the map, its Redis servers, its nodes, and the processes of this host."""

import json
import os
import unittest

from admin import CONFIG, OK, TEMPFAIL, UNAVAILABLE, Peer
from admin_members import MemberCase
from admin_nodes import Beating, NodeCase


class Reads:
    """Before a case: a process with a control socket, and what status says."""

    def setUp(self):
        super().setUp()
        peer = Peer(os.path.join(self.settings["run_dir"], "policyd.ctl"), self.process)
        self.addCleanup(peer.stop)

    @staticmethod
    def process(request):
        return b'{"program":"splitmx-policyd","version":"0.1.0","pid":77}\n' if request else b""

    def status(self, code, *words):
        """{"map": [...], "member": [...], ...}"""
        told = {}
        for row in self.tells(code, "status", *words):
            (kind, members), = row.items()
            told.setdefault(kind, []).append(members)
        return told


class Status(Reads, NodeCase):
    def test_all_is_well(self):
        self.enter("mx1/policyd/0")
        Beating(self, "mx1/policyd/0")
        told = self.status(OK)
        self.assertEqual({"map", "member", "node", "process"}, set(told))
        head = told["map"][0]
        self.assertEqual((100, 100, "open", 0, 0, []), tuple(head[k] for k in (
            "lease_ms", "lease_most_ms", "window", "replicas_wanted", "replicas_majority", "troubles")))
        self.assertEqual(self.epoch(), head["epoch"])
        self.assertEqual([("master", "master")], [(m["role"], m["state"]) for m in told["member"]])
        self.assertEqual(["mx1/policyd/0"], [n["id"] for n in told["node"]])
        self.assertEqual([("policyd", 77)], [(p["id"], p["pid"]) for p in told["process"]])
        text = self.says(OK, "status")
        for said in (f"epoch {self.epoch()}", "lease      100 ms, window open", "MEMBER", "mx1/policyd/0", "PROCESS"):
            self.assertIn(said, text)

    def test_a_silent_node_is_no_good_sign(self):
        self.enter("mx1/policyd/0")
        told = self.status(UNAVAILABLE)
        self.assertIn("splitmx node rm mx1/policyd/0", told["node"][0]["troubles"][0])

    def test_a_window_that_did_not_open(self):
        self.redis.cli("HSET", "splitmx.map", "lease_most_ms", "60000")
        head = self.status(UNAVAILABLE)["map"][0]
        self.assertEqual("opening", head["window"])
        self.assertIn("splitmx window open", head["troubles"][0])

    def test_A12_redis_is_away(self):
        self.redis.stop()
        told = self.status(TEMPFAIL)
        self.assertEqual({"process"}, set(told))
        self.assertEqual([TEMPFAIL], [json.loads(line)["code"] for line in self.error.splitlines()])
        self.assertEqual({"process"}, set(self.status(OK, "--local")))

    def test_A14_a_redis_without_its_map(self):
        self.redis.cli("FLUSHALL")
        self.assertEqual({"process"}, set(self.status(CONFIG)))
        self.assertIn("no ownership map", self.error)

    def test_no_redis_is_started_for_it(self):
        del self.settings["redis"]
        self.write_settings()
        self.assertEqual({"process"}, set(self.status(TEMPFAIL)))
        self.assertFalse(os.path.exists(os.path.join(self.settings["state_dir"], "redis.sock")))


class Members(Reads, MemberCase):
    def states(self, code):
        self.told = self.status(code)
        return {m["address"]: m["state"] for m in self.told["member"]}

    def troubles(self):
        return " | ".join(t for row in self.told.get("members", []) for t in row["troubles"])

    def test_all_are_here(self):
        master, *replicas = self.addresses
        self.assertEqual({master: "master", replicas[0]: "online", replicas[1]: "online"}, self.states(OK))
        self.assertEqual("", self.troubles())
        self.assertIn(f"{replicas[1]} ", self.says(OK, "status"))

    def test_one_is_missing_and_then_dead(self):
        self.two.stop()
        self.follow(1)
        gone = self.gone
        self.assertEqual("missing", self.states(UNAVAILABLE)[gone])
        self.assertIn("1 of 2 replicas are here", self.troubles())
        self.assertIn(f"splitmx member dead {gone}", self.troubles())
        self.master.cli("HSET", "splitmx.map", "dead", gone)
        self.assertEqual("dead", self.states(OK)[gone])
        self.two.start()
        self.follow(2)
        self.assertEqual("online", self.states(UNAVAILABLE)[gone])
        self.assertIn(f"splitmx member alive {gone}", self.troubles())

    def test_no_majority(self):
        for replica in (self.one, self.two):
            replica.stop()
        self.follow(0)
        self.states(UNAVAILABLE)
        self.assertIn("0 of 2 replicas are here", self.troubles())
        self.assertIn("no majority", self.troubles())

    def test_a_stranger_is_named(self):
        self.master.cli("HSET", "splitmx.map", "members", " ".join([*self.addresses[:2], "127.0.0.1:1"]))
        self.assertEqual("missing", self.states(UNAVAILABLE)["127.0.0.1:1"])
        self.assertIn(f"{self.addresses[2]} follows the master and is no member", self.troubles())


if __name__ == "__main__":
    unittest.main()
