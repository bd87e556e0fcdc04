"""A change is confirmed, or the command says what is missing. The nodes are scripted."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

from admin import CONFIG, DATAERR, OK, TEMPFAIL, USAGE, AdminCase, Redis
from lab import wait_for
from lab.policyd import program
from scripted_node import Node, Way, Wire

LEASE = 200


class ConfirmCase(AdminCase):
    initialised = False

    def setUp(self):
        super().setUp()
        self.says(OK, "init", "--lease", LEASE)
        self.says(OK, "set", "@example.org", "old", "--yes")

    def node(self, name="n/policyd/0", **how):
        node = Node(self.redis, name, **how)
        self.addCleanup(node.close)
        return node

    def flip(self, code=OK, owner="new", name="ann@example.org", wait=None):
        words = ["set", name, owner, "--force"] + ([] if wait is None else ["--wait", str(wait)])
        told = self.tells(code, *words)[0]
        self.assertEqual(owner, self.owner(name))
        self.assertEqual(code == OK, told["confirmed"])
        return told

    def states(self, told):
        return {node["node"]: node["state"] for node in told["nodes"]}

    def copy(self, name, tcp=False):
        """Another Redis with what is in the map now."""
        former = Redis(self.lab, name, tcp=tcp)
        here, there = Wire(self.redis), Wire(former)
        for key in here.call("KEYS", "*"):
            self.assertEqual(b"OK", there.call("RESTORE", key, 0, here.call("DUMP", key)))
        here.close()
        there.close()
        return former


class Nodes(ConfirmCase):
    def test_all_acknowledge(self):
        nodes = [self.node(f"mx{i}/policyd/0") for i in range(3)]
        told = self.flip()
        self.assertEqual({node.name: "acknowledged" for node in nodes}, self.states(told))
        self.assertEqual(f"{told['epoch']}", nodes[0].heard[-1].split()[0])
        self.assertEqual(["ann@example.org"], nodes[0].heard[-1].split()[2:])
        self.assertRegex(self.says(OK, "set", "ann@example.org", "old", "--force"),
                         r"^ann@example.org: new -> old \(epoch \d+\), confirmed by 3 nodes in \d+ ms "
                         r"\((mx[012]/policyd/0(, )?){3}\)$")
        confirmed, changed = self.audits(2)
        self.assertEqual(("confirmed", "set", "3", "0", "ann@example.org"),
                         (confirmed["what"], changed["what"], confirmed["nodes"], confirmed["waited_out"], confirmed["account"]))
        self.assertEqual(changed["op"], confirmed["op"])
        self.assertEqual(self.redis.cli("HGET", "splitmx.map", "change"), changed["op"])
        self.assertEqual(str(self.epoch()), confirmed["epoch"])

    def test_who_beats_and_does_not_acknowledge_is_named_and_never_waited_out(self):
        node, other = self.node("slow/policyd/0", answers=False), self.node("good/policyd/0")
        told = self.flip(TEMPFAIL, wait=2)
        self.assertEqual({"slow/policyd/0": "not_drained", "good/policyd/0": "acknowledged"}, self.states(told))
        self.assertFalse(told["lost"])
        self.says(TEMPFAIL, "barrier", "ann@example.org", "--wait", 1)
        self.assertIn("slow/policyd/0 (mx) lives and has not acknowledged", self.error)
        self.assertIn("barrier ann@example.org", self.error)
        self.assertNotIn("good/policyd/0", self.error)
        node.answer = node.acknowledge
        self.assertIn("confirmed by 2 nodes", self.says(OK, "barrier", "ann@example.org"))
        self.assertTrue(other.heard)

    def test_a_barrier_for_login_names(self):
        node = self.node("mx0/policyd/0")
        self.redis.cli("SET", "splitmx:login:alice", "ann@example.org")
        self.assertRegex(self.says(OK, "barrier", "Alice"), r"^alice: epoch \d+, confirmed by 1 node")
        self.assertEqual(["alice"], node.heard[-1].split()[2:])
        entry = self.audit()
        self.assertEqual(("barrier", "alice", None), (entry["what"], entry["account"], entry.get("found")))
        self.says(OK, "barrier", "*", "dom\\alice", "ann@example.org")
        self.assertEqual(["%2A", "dom\\alice", "ann@example.org"], node.heard[-1].split()[2:])
        entry = self.audit()
        self.assertEqual(("3", "ann@example.org"), (entry["accounts"], entry["found"].split()[0]))
        self.says(OK, "barrier", "*")
        self.assertEqual(["%2A"], node.heard[-1].split()[2:])
        node.answer = lambda *_: None
        self.says(TEMPFAIL, "barrier", "a b", "--wait", 1)
        self.assertIn("barrier 'a b'", self.error)
        self.assertNotIn("alice", self.says(OK, "doctor"))

    def test_who_is_silent_is_waited_out(self):
        self.node("good/policyd/0")
        self.node("dead/policyd/0", beats=False, answers=False, grace_ms=300, drain_ms=100)
        start = time.monotonic()
        told = self.flip()
        self.assertLessEqual((LEASE + 400) * 1.01 + 100, (time.monotonic() - start) * 1000)
        self.assertEqual({"dead/policyd/0": "waited_out", "good/policyd/0": "acknowledged"}, self.states(told))
        self.assertLessEqual((LEASE + 400) * 1.01 + 100, told["ms"])
        self.assertEqual("1", self.audits(1)[0]["waited_out"])

    def test_the_longest_lease_that_may_still_run_counts(self):
        self.node(beats=False, answers=False)
        self.redis.cli("HSET", "splitmx.map", "lease_most_ms", 1500)
        self.assertLessEqual(1500 * 1.01 + 100, self.flip()["ms"])

    def test_too_short_a_wait_says_how_long_it_takes(self):
        self.node(beats=False, answers=False, grace_ms=600000)
        told = self.flip(TEMPFAIL, wait=1)
        self.assertEqual("silent", told["nodes"][0]["state"])
        self.assertLess(600000, told["nodes"][0]["left_ms"])
        self.says(TEMPFAIL, "barrier", "--wait", 1)
        self.assertRegex(self.error, r"n/policyd/0 .*is silent and may act on what it knew for 60\d s")

    def test_no_time_at_all_is_no_wait(self):
        node = self.node()
        for words in (("set", "ann@example.org", "new", "--force"), ("barrier",), ("import", "/dev/null")):
            self.says(USAGE, *words, "--wait", 0)
            self.assertIn("--wait takes a number from 1 to 86400", self.error)
            self.assertIn("--no-wait", self.error)
        self.settings["confirm_timeout"] = 0
        self.write_settings()
        self.says(CONFIG, "set", "ann@example.org", "new", "--force")
        self.assertEqual(([], ""), (node.heard, self.owner("ann@example.org")))

    def test_only_an_acknowledgement_of_this_change_counts(self):
        node = self.node()
        for name, answer in (("another nonce", lambda m: f"{m.split()[0]} 0123456789abcdef {node.name} {node.run}"),
                             ("an epoch before", lambda m: f"{int(m.split()[0]) - 1} {m.split()[1]} {node.name} {node.run}"),
                             ("another node", lambda m: f"{m.split()[0]} {m.split()[1]} n/policyd/1 {node.run}"),
                             ("another process of this node", lambda m: f"{m.split()[0]} {m.split()[1]} {node.name} 2"),
                             ("no process", lambda m: f"{m.split()[0]} {m.split()[1]} {node.name}"),
                             ("no message of ours", lambda m: "\r\n" * 10),
                             ("the barrier itself", lambda m: m)):
            with self.subTest(name):
                node.answer = answer
                self.says(TEMPFAIL, "barrier", "ann@example.org", "--wait", 1)
                self.assertIn("n/policyd/0", self.error)
        node.answer = node.acknowledge
        self.says(OK, "barrier", "ann@example.org")

    def test_an_entry_that_cannot_be_read_is_not_passed_over(self):
        node = self.node(entry='{"run": "1"}', beats=False, answers=False)
        self.assertEqual({"n/policyd/0": "unreadable"}, self.states(self.flip(TEMPFAIL, wait=1)))
        node.answer = node.acknowledge
        self.says(OK, "barrier")

    def test_who_comes_meanwhile_is_waited_for_too(self):
        first = self.node("first/policyd/0", answers=False)
        run = subprocess.Popen(self.argv("--json", "set", "ann@example.org", "new", "--force", "--wait", "30"),
                               env=self.lab.environment, stdout=subprocess.PIPE, text=True)
        wait_for("a barrier", 20, lambda: first.heard)
        second = self.node("second/policyd/0", answers=False)
        wait_for("a barrier for the second", 20, lambda: second.heard)
        first.answer = first.acknowledge
        count = len(second.heard)
        wait_for("more barriers", 20, lambda: len(second.heard) >= count + 3)
        self.assertIsNone(run.poll())
        second.answer = second.acknowledge
        told = json.loads(run.communicate(timeout=30)[0])
        self.assertEqual({"first/policyd/0": "acknowledged", "second/policyd/0": "acknowledged"}, self.states(told))

    def test_who_leaves_the_roster_is_not_waited_for(self):
        node = self.node(answers=False)
        run = self.start("set", "ann@example.org", "new", "--force", "--wait", "30")
        wait_for("a barrier", 20, lambda: node.heard)
        self.redis.cli("HDEL", "splitmx.nodes", node.name)
        self.assertEqual(OK, run.wait(20), run.communicate()[1])

    def test_a_hold_is_confirmed_before_its_time_begins(self):
        node = self.node(answers=False)
        self.says(TEMPFAIL, "set", "ann@example.org", "new", "--hold", "--wait", 1)
        self.assertIn("the hold of ann@example.org: written, not confirmed", self.error)
        self.assertEqual("", self.owner("ann@example.org"))
        self.redis.cli("SET", "splitmx:hold:ann@example.org", "mail:x", "EX", "100")
        self.says(TEMPFAIL, "set", "ann@example.org", "new", "--wait", 1)
        self.assertNotIn("watching it", self.error)
        self.assertTrue(node.heard)

    def test_who_does_not_wait_is_told_nothing(self):
        self.node(answers=False)
        self.assertIsNone(self.tells(OK, "set", "ann@example.org", "new", "--force", "--no-wait")[0]["confirmed"])
        self.assertEqual("set", self.audits(1)[0]["what"])
        self.says(USAGE, "set", "ann@example.org", "old", "--force", "--no-wait", "--wait", "1")
        self.says(USAGE, "barrier", "--wait", "x")

    def test_an_import_is_confirmed_once_by_its_names(self):
        node = self.node()
        few = self.lab.write("few", "a@example.org old\nb@example.org old\n")
        self.assertIn("confirmed by 1 node ", self.says(OK, "import", few, "--yes"))
        self.assertEqual({"a@example.org", "b@example.org"}, set(node.heard[-1].split()[2:]))
        self.assertEqual(1, len({m.split()[0] for m in node.heard}))
        many = self.lab.write("many", "".join(f"user{i}@example.org old\n" for i in range(1001)))
        self.assertTrue(self.tells(OK, "import", many, "--yes")[-1]["confirmed"])
        self.assertEqual(["*"], node.heard[-1].split()[2:])


class Again(ConfirmCase):
    """The same command once more: 0 means confirmed, also where nothing is to be written."""

    def repeated(self, names, *words, changes=1):
        """Not confirmed, not confirmed again, and then it is. The names are those of the barrier."""
        node = self.node(answers=False)
        self.says(TEMPFAIL, *words, "--wait", 1)
        made = [e for e in self.audits() if e["what"] == words[0]]
        self.assertIn(node.name, self.error)
        self.says(TEMPFAIL, *words, "--wait", 1)
        self.assertIn(node.name, self.error)
        self.assertIn("not confirmed within", self.error)
        node.answer = node.acknowledge
        node.heard.clear()
        said = self.says(OK, *words)
        self.assertRegex(said, r"unchanged.*, confirmed by 1 node in \d+ ms \(n/policyd/0\)$")
        self.assertEqual(set(names), set(node.heard[-1].split()[2:]))
        self.assertEqual(made, [e for e in self.audits() if e["what"] == words[0]])  # it was written once
        told = self.tells(OK, *words)[-1]
        self.assertEqual((True, str(told["epoch"])), (told["confirmed"], node.heard[-1].split()[0]))
        self.assertEqual(["confirmed", "confirm"], [e["what"] for e in self.audits(2)])
        self.findings_are_none()

    def findings_are_none(self):
        self.assertEqual([], [row for row in self.tells(OK, "doctor") if "finding" in row])

    def test_set(self):
        self.repeated(["ann@example.org"], "set", "ann@example.org", "new", "--force")
        self.assertEqual("new", self.owner("ann@example.org"))

    def test_set_of_a_domain(self):
        self.repeated(["@example.net"], "set", "@example.net", "new", "--yes")

    def test_unset(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        self.repeated(["ann@example.org"], "unset", "ann@example.org", "--force")
        self.assertEqual("", self.owner("ann@example.org"))

    def test_unset_of_an_address_that_was_never_there(self):
        self.repeated(["nobody@example.org"], "unset", "nobody@example.org")

    def test_import(self):
        path = self.lab.write("few", "a@example.org old\nb@example.org old\n")
        self.repeated(["a@example.org", "b@example.org"], "import", path, "--yes")

    def test_import_without_yes_needs_nobody_to_be_asked_where_nothing_changes(self):
        path = self.lab.write("one", "@example.org old\n")
        self.repeated(["@example.org"], "import", path)

    def test_import_of_several_batches(self):
        names = [f"user{i}@example.org" for i in range(250)]
        path = self.lab.write("more", "".join(f"{name} old\n" for name in names))
        self.repeated(names, "import", path, "--yes")

    def test_import_of_more_than_a_barrier_names(self):
        path = self.lab.write("many", "".join(f"user{i}@example.org old\n" for i in range(1001)))
        self.repeated(["*"], "import", path, "--yes")

    def test_what_an_import_finds_beside_what_it_writes_is_confirmed_too(self):
        node = self.node()
        self.says(OK, "set", "a@example.org", "old", "--force", "--no-wait")
        path = self.lab.write("few", "a@example.org old\nb@example.org old\nc@example.net old\n")
        self.says(DATAERR, "import", path, "--yes")
        self.assertEqual({"a@example.org", "b@example.org"}, set(node.heard[-1].split()[2:]))  # the third is refused

    def test_an_import_that_is_refused_whole_confirms_nothing(self):
        node = self.node()
        for rows in ("c@example.net old\n", ""):
            self.says(DATAERR if rows else OK, "import", self.lab.write("refused", rows), "--yes")
        self.assertEqual([], node.heard)

    def test_who_does_not_wait_or_only_looks_asks_nobody(self):
        node = self.node()
        path = self.lab.write("one", "@example.org old\n")
        epoch = self.epoch()
        for words in (("set", "@example.org", "old", "--no-wait"), ("unset", "ann@example.org", "--no-wait"),
                      ("import", path, "--yes", "--no-wait"), ("import", path, "--no-wait")):
            self.assertIsNone(self.tells(OK, *words)[-1]["confirmed"])
            self.assertIn(", not waited for", self.says(OK, *words))
        self.assertNotIn("confirmed", self.says(OK, "import", path, "--dry-run"))
        self.assertEqual(([], epoch), (node.heard, self.epoch()))

    def test_the_command_that_helps_can_be_pasted(self):
        node = self.node(answers=False)
        for name, heard in (("ann@example.org", "ann@example.org"),
                            ('"o\'brien x"@example.org', '%22o\'brien%20x%22@example.org'.replace("%22", '"')),
                            ('"a\\"$HOME`id`\\\\b"@example.org', '"a\\"$home`id`\\\\b"@example.org'),
                            ("100%41@example.org", "100%2541@example.org"), ("-n@example.org", "-n@example.org"),
                            ("m\u00fcller;*?#~@example.org", '"m\u00fcller;*?#~"@example.org')):
            with self.subTest(name):
                node.answer = lambda message: None
                self.says(TEMPFAIL, "set", "--force", "--wait", 1, "--", name, "new")
                command = re.search(r"then run: (splitmx barrier .*)$", self.error, re.MULTILINE)[1]
                node.answer = node.acknowledge
                node.heard.clear()
                done = self.lab.run(["sh", "-c", 'splitmx() { "$PROGRAM" -c "$CONFIG" "$@"; }; ' + command],
                                    env={**self.lab.environment, "PROGRAM": program("splitmx"), "CONFIG": self.config})
                self.assertIn("confirmed by 1 node", done.stdout)
                self.assertEqual([heard], node.heard[-1].split()[2:])


class Members(ConfirmCase):
    def setUp(self):
        super().setUp()
        self.redis.stop()
        self.redis = Redis(self.lab, "master", tcp=True)
        self.settings["redis"]["url"] = self.redis.url
        self.write_settings()
        self.lab.run(["rm", "-rf", os.path.join(self.settings["state_dir"], "identity")])
        self.says(OK, "init", "--lease", LEASE)
        self.says(OK, "set", "@example.org", "old", "--yes")

    def replica(self, name):
        replica = Redis(self.lab, name, tcp=True, options={"replicaof": f"127.0.0.1 {self.redis.tcp_port}",
                                                           "repl-diskless-sync-delay": 0})
        address = f"port={replica.tcp_port},state=online"
        wait_for(f"{name} is online", 30, lambda: address in self.redis.cli("INFO", "replication"))
        return replica

    def address(self, redis):
        return f"127.0.0.1:{redis.tcp_port}"

    def test_a_change_that_members_have_not_is_not_confirmed(self):
        self.redis.cli("HSET", "splitmx.map", "members", 3)
        told = self.flip(TEMPFAIL, wait=1)
        self.assertEqual({"wanted": 2, "reached": 0, "missing": []}, told["members"])
        self.assertEqual([], told["nodes"])
        one = self.replica("one")
        told = self.flip(TEMPFAIL, owner="old", wait=3)
        self.assertEqual((2, 1), (told["members"]["wanted"], told["members"]["reached"]))
        two = self.replica("two")
        self.assertEqual(2, self.flip()["members"]["reached"])
        two.freeze()
        self.addCleanup(two.thaw)
        self.flip(TEMPFAIL, owner="old", wait=1)
        self.settings["redis"]["confirm_members"] = "majority"
        self.write_settings()
        self.assertEqual(1, self.flip()["members"]["wanted"])
        one.stop()
        self.flip(TEMPFAIL, owner="old", wait=1)
        self.settings["redis"]["confirm_members"] = "none"
        self.write_settings()
        self.flip()

    def test_named_members_count_and_strangers_do_not(self):
        one, two, stranger = self.replica("one"), self.replica("two"), self.replica("stranger")
        members = [self.address(r) for r in (self.redis, one, two)]
        self.redis.cli("HSET", "splitmx.map", "members", " ".join(members))
        self.assertEqual({"wanted": 2, "reached": 2}, {k: v for k, v in self.flip()["members"].items() if k != "missing"})
        two.stop()
        told = self.flip(TEMPFAIL, owner="old", wait=1)  # there are two replicas still
        self.assertEqual(1, told["members"]["reached"])
        self.assertIn(members[2], told["members"]["missing"])
        self.settings["redis"]["url"] = self.redis.tcp_url
        self.write_settings()
        told = self.flip(TEMPFAIL, wait=1)
        self.assertEqual([members[2]], told["members"]["missing"])  # and not the master itself
        self.redis.cli("HSET", "splitmx.map", "dead", members[2])
        self.assertEqual(1, self.flip(owner="old")["members"]["wanted"])
        stranger.stop()

    def behind_the_change(self, other):
        """A way that leads to another Redis once the change is written."""
        way = Way(self.lab, self.redis, word="INFO", then=lambda: setattr(way, "redis", other))
        self.addCleanup(way.close)
        self.settings["redis"]["url"] = way.url
        self.write_settings()
        return way

    def test_a_master_of_yesterday_is_no_proof_that_a_change_is_lost(self):
        self.replica("one"), self.replica("two")
        self.redis.cli("HSET", "splitmx.map", "members", 3)
        self.flip()
        former = self.copy("former")  # as before the change, and nobody follows it
        way = self.behind_the_change(former)
        run = subprocess.Popen(self.argv("--json", "set", "ann@example.org", "old", "--force", "--wait", "30"),
                               env=self.lab.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        wait_for("it is asked who follows", 20, lambda: way.words.count("INFO") > 1 or run.poll() is not None)
        way.redis = self.redis
        told = json.loads(run.communicate(timeout=40)[0])
        self.assertEqual((False, True), (told["lost"], told["confirmed"]), told)

    def test_a_master_that_a_majority_follows_is_one(self):
        self.replica("one"), self.replica("two")
        self.redis.cli("HSET", "splitmx.map", "members", 3)
        self.flip()
        former = self.copy("former", tcp=True)
        follower = Redis(self.lab, "follower", tcp=True, options={"replicaof": f"127.0.0.1 {former.tcp_port}",
                                                                  "repl-diskless-sync-delay": 0})
        wait_for("it has something", 30, lambda: former.cli("SET", "x", 1) and follower.cli("GET", "x") == "1")
        self.behind_the_change(former)
        told = self.flip(TEMPFAIL, owner="old", wait=30)
        self.assertEqual((True, False), (told["lost"], told["confirmed"]), told)

    def test_a_master_that_was_declared_dead_frees_nobody(self):
        one, two = self.replica("one"), self.replica("two")
        members = [self.address(r) for r in (self.redis, one, two)]
        self.settings["redis"]["url"] = self.redis.tcp_url
        self.write_settings()
        two.stop()
        for named in (" ".join(members), 3):
            self.redis.cli("HSET", "splitmx.map", "members", named, "dead", members[0])
            told = self.tells(TEMPFAIL, "barrier", "--wait", 1)[0]
            self.assertEqual((2, 1), (told["members"]["wanted"], told["members"]["reached"]))

    def test_who_is_declared_dead_meanwhile_is_not_waited_for(self):
        one, two = self.replica("one"), self.replica("two")
        members = [self.address(r) for r in (self.redis, one, two)]
        self.redis.cli("HSET", "splitmx.map", "members", " ".join(members))
        two.stop()
        run = self.start("set", "ann@example.org", "new", "--force", "--wait", "60")
        wait_for("the change", 20, lambda: self.owner("ann@example.org") == "new")
        self.says(OK, "member", "dead", members[2], "--yes")
        self.assertEqual(OK, run.wait(20), run.communicate()[1])


class Lost(ConfirmCase):
    """The connection to Redis ends at every place there is."""

    def way(self, **where):
        way = Way(self.lab, self.redis, **where)
        self.settings["redis"]["url"] = way.url
        self.write_settings()
        return way

    def direct(self):
        self.settings["redis"]["url"] = self.redis.url
        self.write_settings()

    def changes(self):
        return [e for e in self.audits() if e["what"] == "set" and e.get("account") == "ann@example.org"]

    def check(self, before):
        """What is in the map is whole: one of two owners, and an entry and an epoch for each change."""
        changes = self.changes()
        self.assertIn(len(changes), (before, before + 1))
        self.assertEqual(changes[0]["after"] if changes else "-", self.owner("ann@example.org") or "-")
        self.assertEqual(len({e["op"] for e in changes}), len(changes))

    def each(self, what, run):
        """Ends the way at the first, second ... of what passes, until one run gets through untouched."""
        node, n, destinations = self.node(), 0, ["new", "old"]
        while True:
            n += 1
            with self.subTest(f"{what} {n}"):
                before = len(self.changes())
                way = self.way(**{what: n})
                try:
                    run(way, destinations[n % 2], before)
                finally:
                    way.close()
                self.direct()
                self.check(before)
            if way.passed[what] < n:
                break
        self.assertLess(15, n)
        self.assertTrue(node.heard)

    def set(self, destination):
        return self.lab.run(self.argv("--json", "set", "ann@example.org", destination, "--force", "--wait", "20"),
                            check=False, seconds=60)

    def result_is_right(self, way, destination, before):
        done = self.set(destination)
        if done.returncode == OK:
            self.assertTrue(json.loads(done.stdout)["confirmed"])
            self.assertEqual(destination, self.owner("ann@example.org"))
            self.assertEqual(before + 1, len(self.changes()))
            return
        # Only before anything was written: it has not begun, and nothing was.
        self.assertEqual(TEMPFAIL, done.returncode, done.stderr)
        self.assertNotIn("HINCRBY", way.words, done.stderr)
        self.assertEqual(before, len(self.changes()))

    def test_the_result_is_right_wherever_a_reply_is_lost(self):
        self.each("reply", self.result_is_right)

    def test_the_result_is_right_wherever_a_request_is_lost(self):
        self.each("request", self.result_is_right)

    def test_A16_killed_at_every_reply_it_leaves_one_of_two_states(self):
        def killed(way, destination, before):
            run = subprocess.Popen(self.argv("set", "ann@example.org", destination, "--force", "--wait", "20"),
                                   env=self.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            way.then = run.kill
            run.wait(30)
            self.check(before)
            self.direct()
            self.says(OK, "set", "ann@example.org", destination, "--force")
            self.assertEqual(destination, self.owner("ann@example.org"))

        self.each("reply", killed)

    def test_A16_two_at_once_disturb_each_other_and_lose_nothing(self):
        self.settings["destinations"].append({"name": "third"})
        for name in ("transport", "verify"):
            next(m for m in self.settings["maps"] if m["name"] == name)["owners"]["third"] = ""
        self.write_settings()
        epoch, before = self.epoch(), len(self.changes())
        for _ in range(10):
            runs = [subprocess.Popen(self.argv("set", "ann@example.org", d, "--force"), env=self.lab.environment,
                                     stdout=subprocess.DEVNULL) for d in ("new", "third")]
            self.assertEqual([OK, OK], [run.wait(30) for run in runs])
        changes = self.changes()
        confirms = sum(e["what"] == "confirm" for e in self.audits())  # who found it as wanted already
        self.assertEqual(epoch + len(changes) - before + confirms, self.epoch())
        for later, earlier in zip(changes, changes[1:]):
            self.assertEqual(earlier["after"], later["before"])
        self.assertEqual(changes[0]["after"], self.owner("ann@example.org"))

    def test_A16_two_holds_at_once_and_one_wins(self):
        runs = [self.start("set", "ann@example.org", "new", "--hold") for _ in range(2)]
        try:
            wait_for("a hold", 20, lambda: self.redis.cli("GET", "splitmx:hold:ann@example.org") != "")
            said = [run.stderr.readline() for run in runs]
            self.assertEqual(1, sum("delivery is held" in line for line in said), said)
            self.assertEqual(1, sum(e["what"] == "hold" for e in self.audits()))
        finally:
            for run in runs:
                run.send_signal(signal.SIGINT)
                run.communicate(timeout=20)
        self.assertEqual("", self.owner("ann@example.org"))

    def test_what_is_so_already_is_confirmed_or_not_wherever_a_reply_is_lost(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait")
        node, n, before = self.node(), 0, self.changes()
        while True:
            n += 1
            with self.subTest(n):
                way = self.way(reply=n)
                try:
                    done = self.set("new")
                finally:
                    way.close()
                if done.returncode == OK:
                    told = json.loads(done.stdout)
                    self.assertEqual(("unchanged", True), (told["result"], told["confirmed"]))
                    self.assertEqual(told["epoch"], int(node.heard[-1].split()[0]))
                else:
                    self.assertEqual(TEMPFAIL, done.returncode, done.stderr)
                self.assertEqual(before, self.changes())
            if way.passed["reply"] < n:
                break
        self.assertLess(15, n)

    def undone(self, word):
        """What is so already is undone by a failover when this is asked for."""
        former = self.copy("former")
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait")

        def fail_over():
            self.others_go_on(former)
            way.redis = former

        way = self.way(word=word, then=fail_over)
        self.addCleanup(way.close)
        done = self.set("new")
        self.assertEqual(TEMPFAIL, done.returncode, done.stdout + done.stderr)
        self.assertEqual((1, ""), (way.words.count("EXEC"), former.cli("GET", "splitmx:owner:ann@example.org")))
        return done.stderr

    def test_what_was_so_already_and_is_undone_by_a_failover_is_not_confirmed(self):
        self.undone("EXEC")

    def test_what_was_so_already_and_is_undone_when_its_confirmation_has_begun_is_lost(self):
        self.assertIn("did not survive the failover", self.undone("INFO"))

    def others_go_on(self, redis, count=20):
        """So that the epoch does not show that anything is missing."""
        for number in range(count):
            redis.cli("HINCRBY", "splitmx.map", "epoch", 1)
            redis.cli("XADD", "splitmx.audit", "*", "what", "set", "op", f"abcdef{number}")

    def test_rows_that_an_import_found_before_a_failover_are_not_confirmed(self):
        former = self.copy("former")
        first = "".join(f"a{i}@example.org old\n" for i in range(100))
        self.says(OK, "import", self.lab.write("first", first), "--yes", "--no-wait")
        path = self.lab.write("both", first + "b@example.org old\n")

        def fail_over():
            self.others_go_on(former)
            way.redis = former

        way = self.way(word="EXEC", then=fail_over)  # of the second batch: nothing of the first was to be written
        self.addCleanup(way.close)
        self.says(TEMPFAIL, "import", path, "--yes")
        self.assertIn("may have undone rows that were right before it", self.error)
        self.assertIn(f"splitmx import {path}", self.error)
        self.assertIn("100 added, 0 changed, 1 unchanged", self.says(OK, "import", path, "--yes"))

    def test_a_change_that_a_failover_undid_is_lost(self):
        rows = (("an older map", 0), ("one where others went on", 3))
        for number, (name, others) in enumerate(rows):
            with self.subTest(name):
                former = self.copy(f"former{number}")
                for _ in range(others):
                    former.cli("HINCRBY", "splitmx.map", "epoch", 1)
                    former.cli("XADD", "splitmx.audit", "*", "what", "set", "op", "abcdef")

                def fail_over():
                    way.redis = former

                way = self.way(word="INFO", then=fail_over)  # the first request behind the change
                self.addCleanup(way.close)
                done = self.set("new" if number == 0 else "old")
                self.assertEqual(TEMPFAIL, done.returncode, done.stdout + done.stderr)
                told = json.loads(done.stdout)
                self.assertEqual((True, False), (told["lost"], told["confirmed"]), told)
                self.assertIn("did not survive the failover", done.stderr)
                with open(os.path.join(self.settings["state_dir"], "journal"), encoding="utf-8") as file:
                    self.assertIn('"what":"lost"', file.readlines()[-1])
                self.direct()

    def test_an_import_of_which_a_failover_undid_a_part_says_so(self):
        def rows(letter):
            return self.lab.write(f"many-{letter}", "".join(f"{letter}{i}@example.org old\n" for i in range(250)))

        def fail_over():  # the first batch is lost, and others went on
            for number in range(3):
                former.cli("HINCRBY", "splitmx.map", "epoch", 1)
                former.cli("XADD", "splitmx.audit", "*", "what", "set", "op", f"abcdef{number}")
            way.redis = former

        way = self.way()
        try:
            self.says(OK, "import", rows("a"), "--yes")
        finally:
            way.close()
        second = [i for i, word in enumerate(way.words) if word == "EXEC"][1]
        former = self.copy("former")
        way = self.way(request=second + 1, then=fail_over)
        self.addCleanup(way.close)
        self.says(TEMPFAIL, "import", rows("b"), "--yes")
        self.assertIn("a failover undid rows", self.error)
        self.assertIn("start the same import again", self.error)
        self.assertIn("150 added", self.says(OK, "import", rows("b"), "--yes"))
        self.assertEqual("old", former.cli("GET", "splitmx:owner:b0@example.org"))

    def test_another_map_is_no_failover(self):
        other = self.copy("other")
        other.cli("HSET", "splitmx.map", "id", "another", "epoch", 1)

        def swap():
            way.redis = other

        way = self.way(word="INFO", then=swap)
        self.addCleanup(way.close)
        done = self.lab.run(self.argv("--json", "set", "ann@example.org", "new", "--force", "--wait", "2"), check=False)
        self.assertEqual(TEMPFAIL, done.returncode, done.stdout + done.stderr)
        told = json.loads(done.stdout)
        self.assertFalse(told["lost"])
        self.assertIn("another map", told["trouble"])


class Journal(ConfirmCase):
    def setUp(self):
        super().setUp()
        self.journal = os.path.join(self.settings["state_dir"], "journal")

    def lines(self):
        with open(self.journal, encoding="utf-8") as file:
            return [json.loads(line[17:]) for line in file]

    def refused(self, *argv, env=None):
        """Nothing may be changed, and nothing was."""
        epoch = self.epoch()
        done = self.lab.run([*argv, *self.argv("set", "ann@example.org", "new", "--force")], check=False, env=env)
        self.assertEqual(TEMPFAIL, done.returncode, done.stdout + done.stderr)
        self.assertEqual(("", epoch), (self.owner("ann@example.org"), self.epoch()))
        return done.stderr

    def test_a_change_is_noted_before_and_after(self):
        told = self.flip()
        begun, written, confirmed = self.lines()[-3:]
        self.assertEqual(["begun", "written", "confirmed"], [line["what"] for line in (begun, written, confirmed)])
        self.assertEqual(("set", "ann@example.org", "new", told["epoch"] - 1),
                         (begun["command"], begun["name"], begun["after"], begun["epoch"]))
        self.assertEqual((told["epoch"], told["epoch"]), (written["epoch"], confirmed["highest"]))
        self.assertEqual({self.audits(1)[0]["op"]}, {line["nonce"] for line in (begun, written, confirmed)})
        self.node(answers=False)
        self.flip(TEMPFAIL, owner="old", wait=1)
        self.assertEqual("unconfirmed", self.lines()[-1]["what"])

    def test_an_import_has_a_line_for_each_batch(self):
        path = self.lab.write("many", "".join(f"user{i}@example.org old\n" for i in range(250)))
        self.says(OK, "import", path, "--yes")
        begun = [line for line in self.lines() if line["what"] == "begun" and line["command"] == "import"]
        self.assertEqual([100, 100, 50], [line["accounts"] for line in begun])
        self.assertEqual(3, len({line["digest"] for line in begun}))

    def test_A15_a_map_that_lacks_a_change_of_this_host_is_not_written(self):
        self.flip()
        os.unlink(os.path.join(self.settings["state_dir"], "identity"))
        self.redis.cli("DEL", "splitmx:owner:ann@example.org")
        self.redis.cli("HINCRBY", "splitmx.map", "epoch", -1)
        self.assertIn("doctor", self.refused())
        os.unlink(self.journal)
        self.flip()

    def test_A20_a_full_disk_refuses_the_change_before_it_is_made(self):
        self.assertIn("cannot be written", self.refused("env", "--ignore-signal=XFSZ", "prlimit", "--fsize=1"))
        self.flip()

    def test_A20_a_journal_that_is_none_refuses_the_change(self):
        os.unlink(self.journal)
        os.mkdir(self.journal)
        self.assertIn(self.journal, self.refused())

    def test_A20_a_torn_line_is_passed_over(self):
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write('0123456789abcdef {"what":"beg')
        self.flip()
        with open(self.journal, encoding="utf-8") as file:
            self.assertEqual(1, sum(line == '0123456789abcdef {"what":"beg\n' for line in file))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_A20_a_directory_of_our_own_that_is_read_only_refuses_the_change(self):
        os.chown(self.settings["state_dir"], 65534, 65534)
        os.chmod(self.settings["state_dir"], 0o500)
        self.assertIn("cannot be opened", self.refused("setpriv", "--reuid", "65534", "--clear-groups"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_an_operator_without_rights_there_may_act_and_is_told(self):
        os.chmod(self.settings["state_dir"], 0o755)
        os.chmod(os.path.join(self.settings["state_dir"], "identity"), 0o644)
        done = self.lab.run(["setpriv", "--reuid", "65534", "--clear-groups",
                             *self.argv("set", "ann@example.org", "new", "--force")], check=False)
        self.assertEqual(OK, done.returncode, done.stderr)
        self.assertIn("no journal of changes is kept here", done.stderr)
        self.assertEqual("new", self.owner("ann@example.org"))


if __name__ == "__main__":
    unittest.main()
