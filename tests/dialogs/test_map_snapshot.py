"""A node that starts again while Redis is away: what it still answers, and what never again."""

import json
import os
import signal

from mapdrive import HEAD, Drive, FakeRedis

from lab.case import LabCase
from lab.core import wait_for

ANN = "splitmx:owner:ann@example.org"
BOB = "splitmx:owner:bob@example.org"

WHOLE = {"splitmx:owner:@alias.org": "old", "splitmx:login:@alias.org": "@example.org", "splitmx:owner:cat@example.org": "new", "splitmx:login:kitty": "cat@example.org",
         "splitmx:hold:dan@example.org": "mail:7"}


class Restart(LabCase):
    numbers = 0

    def begin(self, lease_ms=2000, more=(), **settings):
        Restart.numbers += 1
        self.fake = FakeRedis(self.lab, f"s{Restart.numbers}")
        self.is_there = True
        self.fake.head["lease_ms"] = str(lease_ms)
        self.fake.strings.update({"splitmx:owner:@example.org": "old", ANN: "old", BOB: "new", **dict(more)})
        self.drive = Drive(self.lab, self.fake.url, name=f"s{Restart.numbers}", **settings)
        self.drive.wait_complete()
        for name in ("ann", "bob"):
            self.drive.ask(name + "@example.org")
        return self.drive

    def tearDown(self):
        self.away()
        self.drive.stop()

    def away(self):
        if self.is_there:
            self.fake.close()
        self.is_there = False

    def saved(self, more=1):
        saves = self.drive.status()["snapshot"]["saves"] + more
        return wait_for("a snapshot", 20, lambda: self.drive.status()["snapshot"]["saves"] >= saves, [self.drive.log])

    def kill(self):
        self.drive.popen.send_signal(signal.SIGKILL)
        self.drive.popen.wait()
        self.drive.stop()

    def restart(self):
        """Killed, as by the kernel, and started while Redis is away."""
        self.away()
        self.kill()
        self.drive.start()

    def test_A12_known_accounts_are_answered_within_the_saved_end_and_then_not(self):
        self.begin(grace=4000, question_timeout=50, cache={"preload": 0})
        self.saved()
        self.restart()
        answer = self.drive.ask("ann@example.org")
        self.assertEqual((answer["verdict"], answer["owner"], answer["source"]), ("found", "old", "grace"))
        self.assertEqual(self.drive.ask("bob@example.org")["owner"], "new")
        self.assertEqual(self.drive.ask("eve@example.org")["verdict"], "temp")  # never asked for, and no copy of the map
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")  # nobody's of ours
        self.drive.ask_until("ann@example.org", 10, verdict="temp")
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")
        self.assertEqual(self.drive.status()["alarms"], [])

    def test_A12_login_names_are_kept_with_their_accounts(self):
        self.begin(grace=600000, question_timeout=50, cache={"preload": 0},
                   more={"splitmx:login:alice": "ann@example.org", "splitmx:login:bobby": "bob@example.org", "splitmx:login:tag": "bob+t@example.org"})
        for name in ("alice", "bobby", "tag", "nobody"):
            self.drive.ask(name)
        self.saved()
        self.restart()
        answer = self.drive.ask("Alice")
        self.assertEqual((answer["verdict"], answer["owner"], answer["account"], answer["source"]), ("found", "old", "ann@example.org", "grace"))
        self.assertEqual(self.drive.ask("bobby")["owner"], "new")
        for name in ("tag", "nobody", "eve"):  # whose names are not all in it; nobody's; never asked for
            self.assertEqual(self.drive.ask(name)["verdict"], "temp", name)
        self.assertEqual(self.drive.status()["alarms"], [])

    def test_a_login_name_is_gone_with_its_key_or_its_account(self):
        self.begin(grace=600000, question_timeout=50, cache={"preload": 0},
                   more={"splitmx:login:alice": "ann@example.org", "splitmx:login:bobby": "bob@example.org", "splitmx:login:rob": "bob@example.org"})
        for name in ("alice", "bobby", "rob"):
            self.drive.ask(name)
        self.saved()
        self.fake.set("splitmx:login:rob", "ann@example.org")
        self.fake.set(ANN, "new")
        self.acknowledged(6, "rob", "ann@example.org")
        for _ in range(2):
            self.restart()
            for name in ("alice", "rob"):
                self.assertEqual(self.drive.ask(name)["verdict"], "temp", name)
            self.assertEqual(self.drive.ask("bobby")["owner"], "new")

    def test_a_clean_stop_while_redis_is_away_keeps_what_is_known(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.fake.set(ANN, "new")
        self.fake.bark(6, "n1", "ann@example.org")
        wait_for("the acknowledgement", 10, lambda: self.drive.status()["node"]["acknowledged"] >= 6, [self.drive.log])
        self.away()
        wait_for("no session", 10, lambda: self.drive.status()["link"]["state"] != "live", [self.drive.log])
        for _ in range(2):
            self.assertTrue(self.drive.call("leave")["left"])
            self.assertEqual(self.drive.ask("bob@example.org")["verdict"], "temp")
            self.assertEqual(self.drive.stop(), 0)
            self.drive.start()
            self.assertEqual(self.drive.status()["node"]["memory"], "grace")
            self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
            self.assertEqual(self.drive.ask("bob@example.org")["owner"], "new")
            self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")

    def test_a_clean_stop_while_redis_says_nothing_keeps_what_is_known(self):
        self.begin(lease_ms=60000, grace=600000, question_timeout=50)
        self.saved()
        self.fake.silent = True  # and the session is believed to live
        self.assertTrue(self.drive.call("leave")["left"])
        self.drive.stop()
        self.away()
        self.drive.start()
        self.assertEqual(self.drive.ask("bob@example.org")["owner"], "new")

    def test_who_has_left_the_roster_knows_nothing_afterwards(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.assertTrue(self.drive.call("leave")["left"])
        self.assertNotIn(self.drive.status()["node"]["id"], self.fake.nodes)
        self.drive.stop()
        self.away()
        self.drive.start()
        self.assertEqual(self.drive.ask("bob@example.org")["verdict"], "temp")

    def test_what_was_acknowledged_as_gone_is_never_answered_again(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.fake.set(ANN, "new")
        self.fake.bark(6, "n1", "ann@example.org")
        wait_for("the acknowledgement", 10, lambda: self.drive.status()["node"]["acknowledged"] >= 6, [self.drive.log])
        self.restart()
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertEqual(self.drive.ask("bob@example.org")["owner"], "new")

    def test_A20_barriers_that_wait_for_a_disk_that_hangs_are_bounded(self):
        self.begin(lease_ms=60000, grace=600000)
        self.saved()
        self.drive.call("disk hung")
        self.fake.set(ANN, "new")
        for start in range(0, 1100, 100):  # as many as may be on their way, and no more
            for i in range(start, start + 100):
                self.fake.bark(6, f"n{i}", "ann@example.org")
            wait_for("they wait", 10, lambda: self.drive.status()["snapshot"]["barriers"] >= min(start + 100, 1024))
        self.assertEqual(self.drive.status()["snapshot"]["barriers"], 1024)
        wait_for("the beat says so", 15, lambda: "the disk has not answered" in "".join(json.loads(b).get("alarm", "") for b in self.fake.beats.values()))
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new")
        self.assertEqual((self.drive.status()["node"]["acknowledged"], self.fake.published), (0, []))
        self.drive.call("disk well")
        wait_for("none waits", 10, lambda: self.drive.status()["snapshot"]["barriers"] == 0)
        self.fake.bark(6, "n1099", "ann@example.org")  # its writer has not had an answer
        wait_for("the acknowledgement", 5, lambda: any(" n1099 " in text for _, text in self.fake.published))
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)

    def test_everything_acknowledged_leaves_nothing(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.fake.push(None)
        self.fake.bark(6, "n1", "*")
        wait_for("the acknowledgement", 10, lambda: self.drive.status()["node"]["acknowledged"] >= 6, [self.drive.log])
        self.restart()
        for name in ("ann", "bob"):
            self.assertEqual(self.drive.ask(name + "@example.org")["verdict"], "temp")

    def test_a_new_session_knows_better_than_the_snapshot(self):
        self.begin(grace=600000)
        self.saved()
        self.away()
        self.kill()
        self.fake.strings[ANN] = "new"  # while nobody heard it
        self.drive.start()
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old")  # a writer waits for this
        self.fake.open()
        self.is_there = True
        self.drive.ask_until("ann@example.org", 10, owner="new")

    def begin_whole(self, **settings):
        """A map that is copied, and hardly anybody has been asked for."""
        self.begin(grace=600000, question_timeout=3000, more=WHOLE, **settings)
        self.copied()

    def copied(self):
        wait_for("the copy of the map in a snapshot", 20, lambda: self.drive.status()["snapshot"]["keys"] > 0, [self.drive.log])

    def acknowledged(self, epoch, *names):
        self.fake.bark(epoch, f"n{epoch}", *names)
        wait_for("the acknowledgement", 10, lambda: self.drive.status()["node"]["acknowledged"] >= epoch, [self.drive.log])

    def says(self, *rows):
        for address, *wanted in rows:
            answer = self.drive.ask(address)
            self.assertEqual([answer[k] for k in ("verdict", "owner", "hold", "account")], wanted, address)
            self.assertEqual(answer["source"], "grace")

    def test_A12_a_copy_of_the_map_answers_for_those_who_were_never_asked_for(self):
        self.begin_whole()
        for _ in range(2):  # and the process after the next
            self.restart()
            self.says(("kitty", "found", "new", "", "cat@example.org"), ("cat@example.org", "found", "new", "", "cat@example.org"), ("cat+x@example.org", "found", "new", "", "cat@example.org"),
                      ("eve@example.org", "found", "old", "", "eve@example.org"), ("dan@example.org", "found", "old", "mail", "dan@example.org"),
                      ("cat@alias.org", "found", "new", "", "cat@example.org"), ("x@alias.org", "found", "old", "", "x@example.org"),
                      ("ann@example.org", "found", "old", "", "ann@example.org"),
                      ("nobody", "absent", "", "", "nobody"))
            self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")
            self.assertEqual(self.drive.status()["questions"]["fetched"], 0)

    def test_who_asks_before_the_copy_is_there_waits_for_it(self):
        self.begin(grace=600000, question_timeout=5000, more={**WHOLE, **{f"splitmx:owner:u{i}@example.org": "new" for i in range(20000)}})
        self.copied()
        self.restart()
        numbers = [self.drive.send(name) for name in ("kitty", "eve@example.org", "nobody")]
        self.assertEqual([(a["verdict"], a["owner"], a["source"]) for a in map(self.drive.take, numbers)],
                         [("found", "new", "grace"), ("found", "old", "grace"), ("absent", "", "grace")])
        questions = self.drive.status()["questions"]
        self.assertEqual((questions["recalled"], questions["fetched"], questions["late"]), (3, 0, 0))

    def test_a_copy_ends_with_the_saved_end(self):
        self.begin(grace=3000, question_timeout=50)
        self.copied()
        self.restart()
        self.drive.ask_until("eve@example.org", 5, verdict="found", owner="old")
        self.drive.ask_until("eve@example.org", 10, verdict="temp")
        self.assertEqual(self.drive.ask("fay@example.org")["verdict"], "temp")

    def test_whoever_was_nobody_and_is_somebody_now_gets_no_default(self):
        self.begin_whole()
        self.fake.set("splitmx:owner:eve@example.org", "new")
        self.fake.set("splitmx:hold:cat@example.org", "all:8")
        self.fake.set("splitmx:login:fay@example.org", "cat@example.org")
        self.fake.set("splitmx:login:fay", "guy@example.org")
        self.acknowledged(6, "eve@example.org", "cat@example.org", "fay@example.org", "fay")
        self.restart()
        self.says(("guy@example.org", "found", "old", "", "guy@example.org"), ("nobody", "absent", "", "", "nobody"))
        for address in ("eve@example.org", "eve+x@example.org", "eve@alias.org", "cat@example.org", "cat@alias.org", "fay@example.org", "fay", "kitty"):
            self.assertEqual(self.drive.ask(address)["verdict"], "temp", address)
        self.says(("guy@alias.org", "found", "old", "", "guy@example.org"))

    def test_a_changed_domain_answers_for_none_of_its_accounts(self):
        self.begin_whole()
        self.fake.set("splitmx:owner:@example.org", "new")
        self.acknowledged(6, "@example.org")
        self.restart()
        for address in ("guy@example.org", "cat@example.org", "cat@alias.org"):
            self.assertEqual(self.drive.ask(address)["verdict"], "temp", address)

    def test_everything_acknowledged_leaves_no_copy(self):
        self.begin_whole()
        self.fake.push(None)
        self.acknowledged(6, "*")
        self.restart()
        for address in ("cat@example.org", "guy@example.org", "cat@alias.org"):
            self.assertEqual(self.drive.ask(address)["verdict"], "temp", address)

    def test_a_session_drops_the_copy_before_anybody_is_answered(self):
        self.begin_whole()
        self.away()
        self.kill()
        self.fake.strings["splitmx:owner:cat@example.org"] = "old"  # while nobody heard it
        self.fake.strings["splitmx:owner:eve@example.org"] = "new"
        self.drive.start()
        self.says(("cat@example.org", "found", "new", "", "cat@example.org"))
        self.fake.refuse["MGET"] = "-NOPERM no copy of the map from this one"
        self.fake.open()
        self.is_there = True
        self.drive.wait_live()
        for address, owner in (("cat@example.org", "old"), ("eve@example.org", "new"), ("guy@example.org", "old")):
            answer = self.drive.ask(address)
            self.assertEqual((answer["owner"], answer["source"]), (owner, "redis"), address)

    def leave(self):
        self.assertTrue(self.drive.call("leave")["left"])
        self.drive.stop()

    def test_A12_a_clean_stop_keeps_the_list_of_domains_and_nothing_else(self):
        self.begin_whole()
        self.leave()
        self.assertEqual(self.fake.nodes, {})
        for _ in range(2):
            if self.is_there:
                self.away()
            self.drive.start()
            self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")  # of the rest of the world
            self.drive.say("ask 1000 ann@example.org")
            self.drive.say("ask 1001 cat@example.org")
            for number in (1000, 1001):
                self.assertEqual(self.drive.take(number)["verdict"], "temp")
            self.kill()
        self.drive.start()

    def test_whoever_is_not_in_the_roster_any_more_has_no_memory(self):
        self.begin_whole()
        self.away()
        self.kill()
        self.fake.nodes.clear()
        self.fake.beats.clear()
        self.drive.start()
        self.assertEqual(self.drive.ask("cat@example.org")["owner"], "new")  # as far as it knows
        self.fake.head["members"] = "3"
        self.fake.replicas = 1  # so it cannot enter
        self.fake.open()
        self.is_there = True
        wait_for("its entry", 10, lambda: self.fake.nodes, [self.drive.log])
        self.assertEqual(self.drive.ask("cat@example.org")["verdict"], "temp")
        self.restart()
        for address in ("cat@example.org", "x@example.net"):
            self.assertEqual(self.drive.ask(address)["verdict"], "temp", address)

    def test_without_grace_only_the_list_of_domains_is_kept(self):
        self.begin(question_timeout=50)
        self.saved()
        self.restart()
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")

    def test_A14_another_map_gets_nothing(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.away()
        self.kill()
        path = os.path.join(self.drive.state_dir, "identity")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace(HEAD["id"], "another"))
        self.drive.start()
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "temp")

    def test_A20_a_damaged_snapshot_is_an_alarm_and_nothing_else(self):
        self.begin(grace=600000, question_timeout=50)
        self.saved()
        self.away()
        self.kill()
        nodes = os.path.join(self.drive.state_dir, "nodes")
        name = [n for n in os.listdir(nodes) if n.endswith(".snapshot")][0]
        with open(os.path.join(nodes, name), "r+b") as f:
            f.seek(60)
            byte = f.read(1)
            f.seek(60)
            f.write(bytes([byte[0] ^ 1]))
        self.drive.start()
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertIn("damaged", self.drive.status()["alarms"][0])
        self.fake.open()
        self.is_there = True
        self.drive.ask_until("ann@example.org", 10, owner="old")
        self.saved()
        self.assertEqual(self.drive.status()["alarms"], [])
