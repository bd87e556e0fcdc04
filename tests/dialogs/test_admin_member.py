"""splitmx member: Redis servers that are dead on somebody's word, and how that is taken back."""

import json
import unittest

from admin import DATAERR, NOPERM, OK, TEMPFAIL, UNAVAILABLE, USAGE
from admin_members import MemberCase
from admin_nodes import ENTRY
from lab import wait_for
from sentinels import FakeSentinel, address


class Members(MemberCase):
    def epoch(self):
        return int(self.master.cli("HGET", "splitmx.map", "epoch"))

    def lease(self):
        return [self.master.cli("HGET", "splitmx.map", field) for field in ("lease_ms", "lease_most_ms")]

    def test_a_dead_one_and_back(self):
        self.two.stop()
        self.follow(1)
        self.says(UNAVAILABLE, "member", "list")
        self.says(TEMPFAIL, "barrier", "--wait", 1)
        self.says(NOPERM, "member", "dead", self.gone)
        self.assertIn("--yes", self.error)
        told = self.tells(OK, "member", "dead", self.gone, "--yes", "--reason", "disk")[0]
        self.assertEqual((self.gone, "dead", True), tuple(told[k] for k in ("member", "declared", "changed")))
        self.assertEqual(self.gone, self.dead())
        self.says(OK, "barrier")  # is confirmed without it
        self.says(OK, "member", "list")
        self.assertIn("unchanged", self.says(OK, "member", "dead", self.gone))

        self.says(NOPERM, "member", "alive", self.gone)
        self.assertIn("stays dead", self.error)
        self.two.start()
        self.follow(2)
        self.assertIn("declared alive", self.says(OK, "member", "alive", self.gone))
        self.assertEqual("", self.dead())
        self.assertIn("unchanged", self.says(OK, "member", "alive", self.gone))
        self.says(OK, "member", "list")

    def test_whoever_lives_again_does_so_on_every_server(self):
        """Else one that is promoted would confirm changes without the member that may be next."""
        self.master.cli("HSET", "splitmx.map", "dead", self.gone)
        self.one.freeze()
        try:
            for _ in range(2):  # the second time there is nothing to write, and as much to wait for
                self.says(TEMPFAIL, "member", "alive", self.gone)
                self.assertIn("declared alive here, but only 1 of 2 replicas have it", self.error)
                self.assertEqual("", self.dead())
        finally:
            self.one.thaw()
        self.assertIn("unchanged", self.says(OK, "member", "alive", self.gone))
        self.assertEqual("", self.one.cli("HGET", "splitmx.map", "dead"))

    def test_a_longer_lease_is_given_when_every_server_knows_of_it(self):
        for words, length in ((("window", "close"), "3600000"), (("init", "--force", "--lease", 3700000), "3700000")):
            self.one.freeze()
            try:
                before = self.master.cli("HGET", "splitmx.map", "lease_ms")
                self.says(TEMPFAIL, *words)
                self.assertIn("announced here, but only 1 of 2 replicas have it", self.error)
                self.assertEqual([before, length], self.lease())
                written, run = self.epoch(), self.start(*words)
                wait_for("its first step", 20, lambda: self.epoch() > written)
                run.kill()
                run.wait(20)
                run.stderr.close()
                self.assertEqual([before, length], self.lease())
            finally:
                self.one.thaw()
            self.says(OK, *words)
            self.assertEqual([length, length], self.lease())

    def test_a_stranger_makes_up_for_no_member(self):
        stranger = self.replica(3)
        self.follow(3)
        self.two.stop()
        self.follow(2)
        self.master.cli("HSET", "splitmx.nodes", "mx1/policyd/0", json.dumps(ENTRY))
        self.says(TEMPFAIL, "node", "rm", "mx1/policyd/0", seconds=90)
        self.assertIn("only 1 of 2 replicas have it", self.error)
        self.master.cli("HSET", "splitmx.nodes", "mx1/policyd/0", json.dumps(ENTRY))
        self.two.start()
        self.follow(3)
        self.says(OK, "node", "rm", "mx1/policyd/0")
        stranger.stop()

    def test_what_lives_is_not_dead(self):
        self.says(NOPERM, "member", "dead", self.gone, "--yes")
        self.assertIn("follows the master", self.error)
        self.says(NOPERM, "member", "dead", self.address(self.master), "--yes")
        self.assertIn("is the master", self.error)
        self.assertEqual("", self.dead())

    def test_the_master_that_sentinels_name_is_not_dead(self):
        """While another is away it follows nobody either, and is not to be mistaken for it."""
        sentinel = FakeSentinel(self.lab, address("127.0.0.1", self.master.tcp_port))
        self.addCleanup(sentinel.close)
        self.settings["redis"] = {"sentinels": [sentinel.address], "sentinel_master": "splitmx"}
        self.write_settings()
        self.two.stop()
        self.follow(1)
        self.assertIn(f"member dead {self.gone}", self.says(UNAVAILABLE, "status"))
        self.says(NOPERM, "member", "dead", self.address(self.master), "--yes")
        self.assertIn("is the master", self.error)
        self.assertEqual([self.gone], self.tells(TEMPFAIL, "barrier", "--wait", 1)[0]["members"]["missing"])
        self.says(OK, "member", "dead", self.gone, "--yes")
        self.says(OK, "barrier")

    def test_a_master_that_was_declared_dead_is_taken_back(self):
        self.master.cli("HSET", "splitmx.map", "dead", self.address(self.master))
        self.says(UNAVAILABLE, "member", "list")
        self.says(OK, "member", "alive", self.address(self.master))
        self.assertEqual("", self.dead())
        self.says(OK, "member", "list")

    def test_a_majority_stays(self):
        for redis in (self.one, self.two):
            redis.stop()
        self.follow(0)
        self.says(OK, "member", "dead", self.gone, "--yes")
        self.says(NOPERM, "member", "dead", self.address(self.one), "--yes")
        self.assertIn("no majority", self.error)
        self.assertEqual(self.gone, self.dead())

    def test_a_slip_of_the_pen(self):
        self.says(DATAERR, "member", "dead", "127.0.0.1:1", "--yes")
        self.says(USAGE, "member", "dead", "host-without-port", "--yes")
        for words in (("member",), ("member", "dead"), ("member", "list", "x"), ("member", "bury", "a:1")):
            self.says(USAGE, *words)

    def test_the_list_stays_with_its_members(self):
        """init --force changes what is named and nothing else."""
        self.two.stop()
        self.follow(1)
        self.says(OK, "member", "dead", self.gone, "--yes")
        three = [self.address(redis) for redis in (self.master, self.one, self.replica(3))]
        self.follow(2)
        self.says(OK, "init", "--force", "--lease", 20000)
        self.assertEqual(self.gone, self.dead())
        told = self.tells(OK, "init", "--force", "--members", " ".join(three))[0]
        self.assertEqual((3, three, 20000), tuple(told[k] for k in ("members", "addresses", "lease_ms")))
        self.assertEqual("", self.dead())

    def test_who_is_to_be_a_member_is_there(self):
        nobody, before = "127.0.0.1:1", " ".join(self.addresses)
        for members, said in ((self.addresses[:2] + [nobody], f"{nobody} does not follow the master"),
                              (self.addresses + [nobody, "127.0.0.1:2"], "127.0.0.1:2 does not follow"),
                              (["5"], "2 replicas follow the master, of 4")):
            self.says(NOPERM, "init", "--force", "--members", " ".join(members))
            self.assertIn(said, self.error)
            self.assertEqual(before, self.master.cli("HGET", "splitmx.map", "members"))
        self.says(OK, "init", "--force", "--members", 3)

    def test_new_members_are_known_to_all_of_them(self):
        self.one.freeze()
        try:
            self.says(TEMPFAIL, "init", "--force", "--members", 3)
            self.assertIn("changed here, but only 1 of 2 replicas have it", self.error)
        finally:
            self.one.thaw()
        self.says(OK, "init", "--force", "--members", 3)
        self.assertEqual("3", self.one.cli("HGET", "splitmx.map", "members"))

    def test_of_members_without_names_nobody_is_dead_by_a_slip_of_the_pen(self):
        self.says(OK, "init", "--force", "--members", 3)
        self.says(DATAERR, "member", "dead", "127.0.0.1:1", "--yes", "--force")
        self.assertIn("all 3 members are there", self.error)
        self.two.stop()
        self.follow(1)
        self.says(NOPERM, "member", "dead", self.gone, "--yes")
        for said in ("confirmed with one replica too few", "--force"):
            self.assertIn(said, self.error)
        self.assertEqual("", self.dead())
        self.says(OK, "member", "dead", self.gone, "--yes", "--force")
        self.assertEqual(self.gone, self.dead())


if __name__ == "__main__":
    unittest.main()
