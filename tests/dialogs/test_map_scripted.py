"""The map client and a Redis that does what real ones do seldom, in an exact order, or never should."""

import os
import threading
import time

from mapdrive import HEAD, Drive, FakeRedis, array, bulk

from lab.case import LabCase
from lab.core import wait_for
from lab.policyd import conf_file

ANN = "splitmx:owner:ann@example.org"


class Scripted(LabCase):
    """A fake Redis and a client for each test."""

    numbers = 0

    def begin(self, lease_ms=15000, wait=True, **settings):
        Scripted.numbers += 1
        self.fake = FakeRedis(self.lab, f"f{Scripted.numbers}")
        self.fake.head["lease_ms"] = str(lease_ms)
        self.fake.strings.update({"splitmx:owner:@example.org": "old", ANN: "old"})
        settings.setdefault("cache", {"preload": 0})  # each question is to reach the fake
        self.drive = Drive(self.lab, self.fake.url, name=f"c{Scripted.numbers}", **settings)
        if wait:
            self.drive.wait_complete()
        return self.drive

    def tearDown(self):
        self.fake.close()
        self.assertEqual(self.drive.stop(), 0)


class Order(Scripted):
    def test_an_invalidation_that_overtakes_a_reply_poisons_it(self):
        self.begin()

        def overtake(fake, connection, reply):
            fake.on_exec = None
            fake.set(ANN, "new")  # told on T; the reply with the old value follows on D
            time.sleep(0.05)
            return reply
        self.fake.on_exec = overtake
        answer = self.drive.ask("ann@example.org")
        self.assertEqual((answer["owner"], answer["source"]), ("new", "redis"))
        self.assertEqual(self.fake.execs, 2)
        self.assertEqual(self.drive.status()["questions"]["poisoned"], 1)
        self.assertEqual(self.drive.ask("ann@example.org")["source"], "memory")

    def test_an_invalidation_of_either_key_poisons_the_reply_to_a_login_name(self):
        self.begin()
        poisoned = 0
        for late in (1, 2):  # the read of the login key, and the one of both
            for login, key, value, owner in ((f"alice{late}", f"splitmx:login:alice{late}", "bob@example.org", "new"),
                                             (f"carol{late}", "splitmx:owner:bob@example.org", "old", "old")):
                self.fake.strings.update({f"splitmx:login:alice{late}": "ann@example.org", f"splitmx:login:carol{late}": "bob@example.org",
                                          "splitmx:owner:bob@example.org": "new"})
                rounds = []

                def overtake(fake, connection, reply):
                    rounds.append(0)
                    if len(rounds) == late:
                        fake.set(key, value)
                        time.sleep(0.05)
                    return reply
                self.fake.on_exec = overtake
                answer = self.drive.ask(login)
                self.fake.on_exec = None
                self.assertEqual((answer["owner"], answer["account"], answer["source"]), (owner, "bob@example.org", "redis"), (login, key))
                self.assertEqual(self.drive.ask(login)["source"], "memory")
                poisoned += (login, late) != ("carol1", 1)  # the account is not asked for in the first round yet
                self.assertEqual(self.drive.status()["questions"]["poisoned"], poisoned)

    def test_a_reply_before_its_invalidation_is_remembered_until_then(self):
        self.begin()
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old")
        self.fake.set(ANN, "new", tell=False)
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old")
        self.fake.push([ANN])
        self.drive.ask_until("ann@example.org", owner="new")

    def test_poisoned_for_ever_ends_with_the_deadline(self):
        self.begin()

        def always(fake, connection, reply):
            fake.push([ANN])
            time.sleep(0.02)
            return reply
        self.fake.on_exec = always
        begun = time.monotonic()
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertLess(time.monotonic() - begun, 1.5)
        self.fake.on_exec = None
        self.drive.ask_until("ann@example.org", owner="old")

    def test_what_is_not_understood_means_everything(self):
        self.begin()
        for payload in (None, bulk("whatever"), b":1\r\n", array(bulk(ANN), b":1\r\n"), array(array())):
            with self.subTest(payload=payload):
                self.drive.ask_until("ann@example.org", source="memory")
                owner = "new" if self.fake.strings[ANN] == "old" else "old"
                self.fake.set(ANN, owner, tell=False)
                self.fake.push(payload)
                self.drive.ask_until("ann@example.org", owner=owner)

    def test_changes_of_other_names_leave_it_alone(self):
        self.begin()
        self.drive.ask_until("ann@example.org", source="memory")
        execs = self.fake.execs
        self.fake.push(["splitmx:owner:bob@example.org", "splitmx:nothing", "other"])
        time.sleep(0.05)
        self.assertEqual(self.drive.ask("ann@example.org")["source"], "memory")
        self.fake.push(["splitmx:later:ann@example.org"])  # a kind that we do not know
        time.sleep(0.05)
        self.assertEqual(self.drive.ask("ann@example.org")["source"], "redis")
        self.assertEqual(self.fake.execs, execs + 1)

    def test_old_entries_serve_until_the_first_heartbeat_of_the_new_session(self):
        self.begin()
        self.drive.ask_until("ann@example.org", source="memory")
        self.fake.set(ANN, "new", tell=False)
        self.fake.echo = threading.Event()  # echoes wait for it
        self.fake.drop()
        wait_for("the echo is awaited", 5, lambda: self.drive.status()["link"]["state"] == "echoing")
        answer = self.drive.ask("ann@example.org")
        self.assertEqual((answer["owner"], answer["source"]), ("old", "memory"))
        execs = self.fake.execs
        waiting = self.drive.send("bob@example.org")
        time.sleep(0.1)
        self.assertEqual(self.fake.execs, execs, "nothing is read before the session is live")
        self.fake.echo.set()
        self.assertEqual(self.drive.take(waiting)["owner"], "old")
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new", "everything older was forgotten")

    def test_the_old_lease_is_not_prolonged_by_a_session_without_heartbeat(self):
        self.begin(lease_ms=600)
        self.drive.ask_until("ann@example.org", source="memory")
        self.fake.echo = threading.Event()
        self.fake.drop()
        begun = time.monotonic()
        while True:
            asked = time.monotonic()
            if self.drive.ask("ann@example.org")["verdict"] != "found":
                break
            self.assertLess(asked - begun, 0.6)
        self.fake.echo.set()
        self.drive.ask_until("ann@example.org", owner="old")


class Strangers(Scripted):
    """HOSTILE.md, A12 and A13: whatever Redis says, the answer is TEMP in time and right again afterwards."""

    def test_A12_refusals_of_the_map(self):
        rows = [("HGETALL", "-LOADING Redis is loading the dataset in memory", "wait"),
                ("HGETALL", "-WRONGTYPE Operation against a key", "WRONGTYPE"),
                ("HGETALL", "-NOPERM this user has no permissions", "splitmx-map(7)"),
                ("ROLE", "-MASTERDOWN Link with MASTER is down", "MASTERDOWN"),
                ("CLIENT", "-NOAUTH Authentication required.", "set redis.password_file"),
                ("SUBSCRIBE", "-NOPERM no channel", "splitmx-map(7)"),
                ("INFO", "-ERR max number of clients reached", "max number of clients")]
        for command, error, words in rows:
            with self.subTest(error=error, command=command):
                self.begin(wait=False, question_timeout=300)
                self.fake.refuse[command] = error
                self.fake.drop()
                self.drive.wait_trouble(words)
                answer = self.drive.ask("ann@example.org")
                self.assertEqual(answer["verdict"], "temp")
                self.assertIn(words, answer["reason"])
                self.assertLess(answer["us"], 600000)
                self.fake.refuse.clear()
                self.drive.ask_until("ann@example.org", owner="old")
                if (command, error) != rows[-1][:2]:
                    self.tearDown()

    def test_A12_a_password_that_is_repeated_is_not_passed_on(self):
        """A server that does not know AUTH says so with its arguments, the first 128 bytes of them."""
        secret = "s3cr3t-" * 30
        path = self.lab.write("password", secret)
        os.chmod(path, 0o600)
        self.begin(wait=False, question_timeout=300, redis={"password_file": path})
        for repeated in (secret, secret[:100], secret[:8]):
            self.fake.refuse["AUTH"] = f"-ERR unknown command 'AUTH', with args beginning with: '{repeated}"
            self.fake.drop()
            self.drive.wait_trouble('refuses redis.user and redis.password_file: "ERR unknown command')
            with open(self.drive.log, encoding="utf-8") as log:
                self.assertNotIn("s3cr", log.read())
            self.assertNotIn("s3cr", self.drive.ask("ann@example.org")["reason"])
            self.assertNotIn("s3cr", str(self.drive.status()))

    def test_A12_refusals_of_a_lookup(self):
        self.begin(lease_ms=600, question_timeout=300)
        errors = ["-READONLY You can't write", "-LOADING Redis is loading", "-MOVED 3999 127.0.0.1:6381", "-ASK 3999 127.0.0.1:6381",
                  "-NOAUTH Authentication required.", "-OOM command not allowed", "-MASTERDOWN Link", "-EXECABORT Transaction"]
        for command in ("MULTI", "GET", "EXEC"):
            for error in errors if command == "GET" else errors[:2]:
                with self.subTest(command=command, error=error):
                    self.fake.refuse[command] = error
                    self.fake.push([ANN])
                    answer = self.drive.ask("ann@example.org")
                    if answer["source"] != "memory":
                        self.assertEqual((answer["verdict"], answer["owner"]), ("temp", ""))
                    self.drive.wait_trouble(error.split()[0][1:])
                    self.fake.refuse.clear()
                    self.drive.ask_until("ann@example.org", owner="old", source="redis")

    def test_A12_a_wrong_type_in_a_transaction(self):
        self.begin()

        def wrong(fake, connection, reply):
            return reply.replace(bulk("old"), b"-WRONGTYPE Operation against a key\r\n", 1)
        self.fake.on_exec = wrong
        answer = self.drive.ask("ann@example.org")
        self.assertEqual(answer["verdict"], "temp")
        self.assertIn("is not a string", answer["reason"])
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)

    def test_A13_replies_that_are_none(self):
        garbage = {
            "truncated, then the end": b"*2\r\n$36\r\n1111", "nested array bomb": b"*1\r\n" * 50,
            "wide array bomb": b"*2147483647\r\n", "huge length": b"$99999999999\r\n", "RESP3 push": b">2\r\n+invalidate\r\n*0\r\n",
            "RESP3 map": b"%1\r\n+a\r\n+b\r\n", "extra bytes": array() + b"extra", "an extra reply": array() + b"+OK\r\n",
            "too few values": array(bulk("x")), "no array": b"+OK\r\n", "nil": b"*-1\r\n", "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "another id": None, "no id": None,
        }
        self.begin()
        for name, data in garbage.items():
            with self.subTest(name):
                sessions = self.drive.status()["link"]["sessions"]

                def spoil(fake, connection, reply, name=name, data=data):
                    fake.on_exec = None
                    if name.startswith("truncated"):
                        connection.send(data)
                        connection.end()
                        return None
                    if name == "another id":
                        return reply.replace(HEAD["id"].encode(), b"2" * 36)
                    if name == "no id":
                        return reply.replace(bulk(HEAD["id"]), bulk(None))
                    return data
                self.fake.on_exec = spoil
                self.fake.push([ANN])
                time.sleep(0.02)
                answer = self.drive.ask("ann@example.org")
                self.assertEqual((answer["verdict"], answer["owner"], answer["source"]), ("found", "old", "redis"),
                                 "it waited for the next session")
                self.assertEqual(self.drive.status()["link"]["sessions"], sessions + 1)

    def test_A13_messages_that_are_none(self):
        self.begin()
        for data in (b"*3\r\n+message\r\n", b"*1\r\n" * 9, b"+OK\r\n", b"-ERR x\r\n", b"*65537\r\n", array(bulk("pong"), bulk("h99999"))):
            with self.subTest(data=data):
                sessions = self.drive.status()["link"]["sessions"]
                tracker = self.fake.tracker
                tracker.send(data)
                if data.endswith(b"+message\r\n"):
                    tracker.end()
                wait_for("a new session", 5, lambda: self.drive.status()["link"]["sessions"] == sessions + 1)
                self.drive.ask_until("ann@example.org", owner="old")

    def test_A12_hung_after_accept(self):
        self.begin(domains=["example.org"])  # foreign domains are known as such from here on
        self.fake.silent = True
        self.fake.drop()
        answer = self.drive.ask("bob@example.org")
        self.assertEqual(answer["verdict"], "temp")
        self.assertLess(answer["us"], 1300000)
        self.drive.wait_trouble("did not answer in time")
        self.assertEqual(self.drive.ask("x@gmail.com")["verdict"], "absent")
        self.fake.silent = False
        self.drive.ask_until("bob@example.org", owner="old")

    def test_a_balancer_before_redis_is_noticed(self):
        self.begin(wait=False)
        self.fake.run_id = lambda connection: str(connection.number % 3) * 40
        self.fake.drop()
        self.drive.wait_trouble("balancer")
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")

    def test_a_replica_is_not_believed(self):
        self.begin(wait=False)
        self.fake.role = "slave"
        self.fake.drop()
        self.drive.wait_trouble("must lead to the master")

    def test_heads_that_cannot_be_used(self):
        rows = [({"schema": "2"}, "upgrade splitmx"), ({"lease_ms": "5"}, "lease_ms"), ({"lease_ms": "x"}, "lease_ms"),
                ({"id": "a b"}, "id"), ({"epoch": "-1"}, "epoch"), ({"schema": ""}, "schema")]
        self.begin()
        for change, words in rows:
            with self.subTest(change):
                head = dict(self.fake.head)
                self.fake.head.update(change)
                self.drive.wait_trouble(words)
                self.fake.head = head
                self.drive.wait_live()

    def test_too_many_questions_are_refused_at_once(self):
        self.begin()
        self.fake.silent = True
        numbers = [self.drive.send(f"u{i}@example.org") for i in range(10050)]
        answers = [self.drive.take(n, 20) for n in numbers]
        refused = [a for a in answers if "too many" in a["reason"]]
        self.assertGreaterEqual(len(refused), 50)
        self.assertEqual({a["verdict"] for a in answers}, {"temp"})
        self.fake.silent = False
        self.fake.drop()
        self.drive.ask_until("ann@example.org", owner="old")

    def test_a_reload_changes_floor_and_rules(self):
        self.begin()
        self.assertEqual(self.drive.ask("ann+x@example.org")["owner"], "old")
        self.assertEqual(self.drive.ask("a@floor.org")["verdict"], "absent")
        settings = dict(self.drive.settings, domains=["floor.org"], recipient_delimiter="")
        path = self.lab.write("reload.conf", conf_file(settings))
        self.drive.call("reload " + path)
        self.assertEqual(self.drive.ask("a@floor.org")["verdict"], "temp")
        self.assertEqual(self.drive.ask("ann+x@example.org")["account"], "ann+x@example.org")

    def test_a_reload_while_login_names_are_asked_for(self):
        self.begin(question_timeout=5000)
        self.fake.strings.update({"splitmx:login:alice": "ann+x@example.org", "splitmx:login:lis": "ann+x@example.org"})
        self.assertEqual(self.drive.ask("lis")["account"], "ann@example.org")
        path = self.lab.write("reload2.conf", conf_file(dict(self.drive.settings, recipient_delimiter="")))
        begun, over = threading.Event(), threading.Event()

        def wait(fake, connection, reply):
            fake.on_exec = None
            begun.set()
            over.wait(5)
            return reply
        self.fake.on_exec = wait
        number = self.drive.send("alice")
        self.assertTrue(begun.wait(5))
        self.drive.call("reload " + path)
        over.set()
        answer = self.drive.take(number)
        self.assertEqual((answer["verdict"], answer["account"], answer["owner"]), ("found", "ann+x@example.org", "old"))
        self.assertEqual(self.drive.ask("lis")["account"], "ann+x@example.org")
