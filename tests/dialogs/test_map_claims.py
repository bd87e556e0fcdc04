"""What was begun on an answer: it ends when the answer is no longer right, and until then nobody is told that it is gone."""

import itertools
import os
import socket
import time

from mapdrive import Drive, needs_redis
from test_map import fill
from test_map_scripted import ANN, Scripted

from lab.case import LabCase
from lab.core import BUILD, Process, wait_for
from lab.redis import Redis

BOB = "splitmx:owner:bob@example.org"


class Claims(Scripted):
    nonces = itertools.count(1)

    def begin(self, *args, **settings):
        super().begin(*args, **settings)
        self.fake.strings[BOB] = "old"
        self.drive.wait_live()
        self.confirm("nobody@example.org")  # it is in the roster, and acknowledges

    def bark(self, *names):
        """A barrier as a writer says it; the nonce."""
        nonce = f"n{next(self.nonces)}"
        self.fake.bark(6, nonce, *names)
        return nonce

    def acknowledged(self, nonce):
        return any(c == "splitmx.ack" and t.startswith(f"6 {nonce} ") for c, t in self.fake.published)

    def wait_acknowledged(self, nonce, *names, seconds=5):
        def again():
            self.fake.bark(6, nonce, *names)
            return wait_quietly(lambda: self.acknowledged(nonce), 0.2)
        wait_for(f"{nonce} {names} is acknowledged", seconds, lambda: self.acknowledged(nonce) or again(), [self.drive.log])

    def confirm(self, *names):
        self.wait_acknowledged(self.bark(*names), *names)

    def flip(self, key, owner):
        self.fake.set(key, owner)

    def test_without_claims_a_barrier_is_acknowledged(self):
        self.begin()
        self.confirm("ann@example.org")
        self.confirm()
        barriers = self.drive.status()["claims"]["barriers"]
        self.assertEqual(barriers["pending"], 0)
        self.assertGreaterEqual(barriers["acknowledged"], 3)

    def test_a_flip_waits_for_the_release_and_another_account_does_not(self):
        self.begin()
        self.drive.say("hold-on")
        ann, bob = self.drive.claim("ann@example.org"), self.drive.claim("bob@example.org")
        self.flip(ANN, "new")
        waiting = self.bark("ann@example.org")
        self.assertEqual(self.drive.ended(), (ann, False))
        self.flip(BOB, "old")
        self.confirm("bob@example.org")
        self.confirm("carl@example.org")
        for _ in range(3):
            self.fake.bark(6, waiting, "ann@example.org")
            time.sleep(0.05)
        self.assertEqual(self.drive.status()["claims"]["ending"], 1)
        self.assertFalse(self.acknowledged(waiting), "the session to the former owner is still there")
        self.assertEqual(self.drive.claims(), {ann: "old", bob: "old"})
        self.drive.say(f"release {ann}")
        wait_for("its acknowledgement", 5, lambda: self.acknowledged(waiting), [self.drive.log])
        self.assertTrue(self.drive.ends.empty(), "bob's was asked about, and stands")

    def test_a_crowd_of_one_account_ends_to_the_last_one(self):
        """A few at a time (holders.c): who was put off is asked about again."""
        self.begin()
        for _ in range(50):
            self.drive.claim("ann@example.org")
        bob = self.drive.claim("bob@example.org")
        self.flip(ANN, "new")
        self.confirm("ann@example.org")
        self.assertEqual(self.drive.claims(), {bob: "old"})
        self.assertEqual(50, self.drive.status()["claims"]["ended"])

    def test_holds_end_what_they_are_meant_for(self):
        self.begin()
        session, delivery = self.drive.claim("ann@example.org", "all"), self.drive.claim("ann@example.org", "mail")
        self.fake.set("splitmx:hold:ann@example.org", "mail:1")
        self.confirm("ann@example.org")
        self.assertEqual(self.drive.claims(), {session: "old"})
        self.assertEqual(self.drive.ended(), (delivery, False))
        self.fake.set("splitmx:hold:ann@example.org", "all:1")
        self.confirm("ann@example.org")
        self.assertEqual(self.drive.claims(), {})

    def test_changes_reach_claims_by_every_name(self):
        self.begin()
        self.fake.strings.update({"splitmx:login:boss@example.org": "bob+desk@example.org", "splitmx:owner:@example.com": "old",
                                  "splitmx:owner:@example.net": "old", "splitmx:login:@example.net": "@example.com"})
        rows = [("boss@example.org", "splitmx:login:boss@example.org", "ann@example.org", "the login key leads to another account"),
                ("zoe@example.org", "splitmx:owner:@example.org", "new", "the domain has another owner"),
                ("bob@example.org", BOB, "new", "its own key"),
                ("boss2@example.org", "splitmx:owner:bob+desk@example.org", "new", "an extension that a login key leads to"),
                ("joe+x@example.net", "splitmx:owner:joe@example.com", "new", "an alias domain"),
                ("kim+x@example.net", "splitmx:owner:kim+x@example.com", "new", "an alias domain, and an extension"),
                ("alice", "splitmx:login:alice", "ann@example.org", "a login name leads to another account"),
                ("alice", "splitmx:login:alice", None, "a login name is nobody's any more"),
                ("alice", "splitmx:owner:bob+desk@example.org", "new", "an account that a login name leads to"),
                ("carol", "splitmx:owner:bob+car@example.org", "new", "an extension that a login name leads to"),
                ("dora", "splitmx:owner:@example.com", "new", "the domain of the account that a login name leads to")]
        self.fake.strings.update({"splitmx:login:alice": "bob+desk@example.org", "splitmx:login:carol": "bob+car@example.org",
                                  "splitmx:login:dora": "dora@example.com"})
        self.fake.strings.update({"splitmx:login:boss2@example.org": "bob+desk@example.org", BOB: "old"})
        self.fake.push(None)
        self.drive.wait_complete()
        for address, key, value, what in rows:
            with self.subTest(what):
                claim = self.drive.claim(address)
                self.flip(key, value)
                self.confirm(key.split(":")[2])
                self.assertEqual(self.drive.claims(), {})
                self.assertEqual(self.drive.ended(), (claim, False))
                # As it was, and heard of: a question may otherwise overtake the change.
                self.fake.set(key, "old" if value == "new" else "bob+desk@example.org")
                self.confirm(key.split(":")[2])

    def test_a_hold_of_the_account_ends_who_logged_in_by_another_name(self):
        self.begin()
        self.fake.strings["splitmx:login:alice"] = "bob@example.org"
        session, delivery = self.drive.claim("Alice", "all"), self.drive.claim("alice", "mail")
        self.fake.set("splitmx:hold:alice", "all:1")  # such a name has none
        self.confirm("alice")
        self.assertEqual(self.drive.claims(), {session: "old", delivery: "old"})
        self.fake.set("splitmx:hold:bob@example.org", "mail:1")
        self.confirm("bob@example.org")
        self.assertEqual(self.drive.ended(), (delivery, False))
        self.fake.set("splitmx:hold:bob@example.org", "all:1")
        self.confirm("bob@example.org")
        self.assertEqual(self.drive.ended(), (session, False))
        self.assertEqual(self.drive.claims(), {})

    def test_a_barrier_for_a_login_name_waits_for_its_sessions_only(self):
        self.begin()
        self.fake.strings.update({"splitmx:login:alice": "bob@example.org", "splitmx:login:*": "bob@example.org"})
        self.drive.say("hold-on")
        alice, star = self.drive.claim("alice"), self.drive.claim("*")
        self.flip("splitmx:login:alice", "ann@example.org")
        waiting = self.bark("alice")
        self.assertEqual(self.drive.ended(), (alice, False))
        self.confirm("carl")
        self.confirm("%2A")
        self.confirm("ann@example.org")
        self.assertFalse(self.acknowledged(waiting), "the session to the former account is still there")
        self.drive.say(f"release {alice}")
        self.wait_acknowledged(waiting, "alice")
        self.assertEqual(self.drive.claims(), {star: "old"})

    def test_everything_may_have_changed(self):
        self.begin()
        ann, bob = self.drive.claim("ann@example.org"), self.drive.claim("bob@example.org")
        self.fake.set(ANN, "new", tell=False)
        self.fake.push(None)
        self.confirm()
        self.assertEqual(self.drive.claims(), {bob: "old"})
        self.assertEqual(self.drive.ended(), (ann, False))

    def test_a_new_session_asks_again_for_what_the_old_one_did_not_hear(self):
        self.begin()
        ann, bob = self.drive.claim("ann@example.org"), self.drive.claim("bob@example.org")
        self.fake.set(ANN, "new", tell=False)
        self.fake.drop()
        self.assertEqual(self.drive.ended(), (ann, False))
        self.assertEqual(self.drive.claims(), {bob: "old"})
        self.confirm("ann@example.org", "bob@example.org")

    def test_a_new_session_acknowledges_nothing_before_it_has_asked(self):
        self.begin()
        ann = self.drive.claim("ann@example.org")
        self.drive.say("hold-on")
        self.fake.set(ANN, "new", tell=False)
        self.fake.drop()
        wait_for("another session", 5, lambda: self.drive.status()["link"]["sessions"] == 2, [self.drive.log])
        waiting = self.bark("ann@example.org")
        self.assertEqual(self.drive.ended(), (ann, False))
        self.confirm("bob@example.org")
        self.assertFalse(self.acknowledged(waiting))
        self.drive.say(f"release {ann}")
        self.wait_acknowledged(waiting, "ann@example.org")

    def test_an_answer_that_is_late_leaves_it_unsure_until_the_next_heartbeat(self):
        self.begin(lease_ms=600, question_timeout=200)
        ann = self.drive.claim("ann@example.org")

        def late(fake, connection, reply):
            fake.on_exec = None
            time.sleep(0.4)
            return reply
        self.fake.on_exec = late
        self.fake.push([ANN])
        waiting = self.bark("ann@example.org")
        wait_for("the question is given up", 5, lambda: self.drive.status()["questions"]["late"] == 1, [self.drive.log])
        self.wait_acknowledged(waiting, "ann@example.org")
        self.assertEqual(self.drive.claims(), {ann: "old"})
        self.assertGreaterEqual(self.drive.status()["claims"]["asked_again"], 2)

    def test_an_unreadable_record_is_no_answer(self):
        self.begin()
        ann = self.drive.claim("ann@example.org")
        self.fake.set(ANN, "bad\nowner")
        waiting = self.bark("ann@example.org")
        wait_for("it is unsure, and was asked about", 5,
                 lambda: (c := self.drive.status()["claims"])["unsure"] == 1 and c["asked_again"] >= 1, [self.drive.log])
        self.assertFalse(self.acknowledged(waiting))
        self.fake.set(ANN, "old")
        self.wait_acknowledged(waiting, "ann@example.org")
        self.assertEqual(self.drive.claims(), {ann: "old"})

    def test_an_invalidation_that_overtakes_the_answer(self):
        self.begin()
        ann = self.drive.claim("ann@example.org")

        def overtake(fake, connection, reply):
            fake.on_exec = None
            fake.set(ANN, "new")
            time.sleep(0.05)
            return reply
        self.fake.on_exec = overtake
        self.fake.push([ANN])
        self.confirm("ann@example.org")
        self.assertEqual(self.drive.claims(), {})
        self.assertEqual(self.drive.ended(), (ann, False))

    def test_thousands_are_asked_about_a_few_at_a_time(self):
        self.begin(question_timeout=10000)
        for i in range(600):
            self.drive.say(f"claim {10000 + i} u{i}@example.org all")
        for i in range(600):
            self.assertEqual(self.drive.take(10000 + i, 30)["verdict"], "found")
        self.fake.set("splitmx:owner:u7@example.org", "new", tell=False)
        self.fake.push(None)
        waiting = self.bark()
        self.wait_acknowledged(waiting, seconds=30)
        self.assertEqual(self.drive.ended(), (10007, False))
        claims = self.drive.status()["claims"]
        self.assertEqual((claims["sure"], claims["unsure"], claims["ending"]), (599, 0, 0))


    def test_a_node_that_refuses_the_map_stays_in_the_roster_while_a_session_goes_on(self):
        self.begin(lease_ms=600)
        self.drive.say("hold-on")
        ann = self.drive.claim("ann@example.org")
        self.fake.head["schema"] = "9"
        self.assertEqual(self.drive.ended(), (ann, True))
        node = self.drive.status()["node"]
        self.assertIn("upgrade", node["refuses"])
        self.assertIn(node["id"], self.fake.nodes)
        self.drive.say(f"release {ann}")
        wait_for("it leaves", 5, lambda: node["id"] not in self.fake.nodes, [self.drive.log])


@needs_redis
class Grace(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        fill(cls.redis, lease_ms=400)
        cls.drives = [Drive(cls.lab, cls.redis.url, name=f"g{grace}", grace=grace, cache={"preload": 0}).wait_complete() for grace in (0, 2000)]

    def watch(self, drive, seconds):
        """Answers for ann while Redis stands still: (time asked, time answered, verdict, source)."""
        begun, answers = time.monotonic(), []
        while time.monotonic() - begun < seconds:
            asked = time.monotonic() - begun
            answer = drive.ask("ann@example.org")
            answers.append((asked, time.monotonic() - begun, answer["verdict"], answer["source"]))
            time.sleep(0.01)
        return answers

    def test_A12_known_accounts_are_answered_in_grace_and_then_no_more(self):
        for drive, grace in zip(self.drives, (0, 2.0)):
            with self.subTest(grace=grace):
                drive.ask_until("ann@example.org", owner="new", source="memory")
                # The grace counts from the heartbeat that was sent with it in the roster.
                wait_for("the declared grace", 10, lambda: drive.status()["node"]["grace_left_ms"] > grace * 1000, [drive.log])
                claim = drive.claim("ann@example.org")
                self.redis.freeze()
                try:
                    answers = self.watch(drive, grace + 0.6)
                    late = [a for a in answers if a[2] == "found" and a[0] > grace + 0.45]
                    self.assertEqual(late, [], "the lease is 0.4 s")
                    self.assertEqual(answers[-1][2], "temp")
                    sources = [a[3] for a in answers if a[2] == "found"]
                    self.assertEqual("grace" in sources, grace > 0, answers)
                    self.assertEqual(drive.ended(), (claim, True), "nobody can be believed any more")
                    self.assertEqual(drive.claims(), {})
                    self.assertEqual(drive.ask("new-one@example.org")["verdict"], "temp")
                finally:
                    self.redis.thaw()
                drive.ask_until("ann@example.org", 10, owner="new", source="memory")
                self.assertEqual(drive.status()["questions"]["answers_in_grace"] > 0, grace > 0)

    def test_A12_an_unknown_account_waits_for_the_session_in_grace(self):
        drive = self.drives[1]
        drive.ask_until("ann@example.org", owner="new", source="memory")
        self.redis.freeze()
        try:
            wait_for("the lease ends", 5, lambda: drive.status()["node"]["memory"] == "grace", [drive.log])
            waiting = drive.send("never-asked@example.org")
            self.assertEqual(drive.ask("ann@example.org")["source"], "grace")
        finally:
            self.redis.thaw()
        answer = drive.take(waiting)
        self.assertEqual((answer["owner"], answer["source"]), ("old", "redis"))


@needs_redis
class Holder(LabCase):
    """tests/system/holderd, which the fence is tested with."""

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        fill(cls.redis)

    def start(self, name, *options):
        drive = Drive(self.lab, self.redis.url, name=name, start=False)  # for its settings
        path = self.lab.path(name, "h")
        program = os.path.join(BUILD, "tests", "system", "holderd")
        process = Process(self.lab, name + "d", [program, *options, drive.config, path])
        wait_for("its socket", 5, lambda: os.path.exists(path), [])
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        self.addCleanup(sock.close)
        return process, lambda account: self.ask(sock, account)

    @staticmethod
    def ask(sock, account):
        request = f"fence {account}"
        sock.sendall(f"{len(request)}:{request},".encode())
        answer = sock.recv(1000).decode()
        return answer.split(":")[1].rstrip(",")

    def test_it_acts_for_the_owner_until_its_claim_ends(self):
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        _, patient = self.start("h1", "-d", "300")
        _, careless = self.start("h2", "-n")
        for whom in (patient, careless):
            wait_for("it acts", 5, lambda whom=whom: whom("ann@example.org") == "OK new", [])
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "old")
        begun = time.monotonic()
        wait_for("it acts for the other", 5, lambda: patient("ann@example.org") == "OK old", [])
        self.assertGreater(time.monotonic() - begun, 0.25, "its drain time")
        self.assertEqual(careless("ann@example.org"), "OK new", "it has no claim")


def wait_quietly(condition, seconds):
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if condition():
            return True
        time.sleep(0.005)
    return False
