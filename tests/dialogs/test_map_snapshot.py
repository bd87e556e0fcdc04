"""A node that starts again while Redis is away: what it still answers, and what never again."""

import os
import signal

from mapdrive import HEAD, Drive, FakeRedis

from lab.case import LabCase
from lab.core import wait_for

ANN = "splitmx:owner:ann@example.org"
BOB = "splitmx:owner:bob@example.org"


class Restart(LabCase):
    numbers = 0

    def begin(self, lease_ms=2000, **settings):
        Restart.numbers += 1
        self.fake = FakeRedis(self.lab, f"s{Restart.numbers}")
        self.is_there = True
        self.fake.head["lease_ms"] = str(lease_ms)
        self.fake.strings.update({"splitmx:owner:@example.org": "old", ANN: "old", BOB: "new"})
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
        self.begin(grace=4000, question_timeout=50)
        self.saved()
        self.restart()
        answer = self.drive.ask("ann@example.org")
        self.assertEqual((answer["verdict"], answer["owner"], answer["source"]), ("found", "old", "grace"))
        self.assertEqual(self.drive.ask("bob@example.org")["owner"], "new")
        self.assertEqual(self.drive.ask("eve@example.org")["verdict"], "temp")  # never asked for before
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")  # nobody's of ours
        self.drive.ask_until("ann@example.org", 10, verdict="temp")
        self.assertEqual(self.drive.ask("x@example.net")["verdict"], "absent")
        self.assertEqual(self.drive.status()["alarms"], [])

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
