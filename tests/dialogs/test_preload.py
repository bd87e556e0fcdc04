"""The whole map in memory: answers without Redis, and never one that Redis would not give."""

import random
import socket
import threading
import time

from mapdrive import HEAD, Drive, FakeRedis, array, bulk, needs_redis

from lab.case import LabCase
from lab.core import wait_for
from lab.redis import Redis

MANY = 20000


def fill(redis, count=0, **head):
    redis.cli("HSET", "splitmx.map", *[w for pair in {**HEAD, **head}.items() for w in pair])
    redis.pipe([["SET", "splitmx:owner:@example.org", "old"], ["SET", "splitmx:owner:@alias.org", "old"], ["SET", "splitmx:login:@alias.org", "@example.org"],
                *[["SET", f"splitmx:owner:user{i}@example.org", "new"] for i in range(count)]])


def preload(drive):
    return drive.status()["preload"]


def wait_preload(drive, state="complete", seconds=30):
    """Until it is so, and what has changed is known again."""
    return wait_for(f"preload: {state}", seconds,
                    lambda: (p := preload(drive))["state"] == state and p["unknown"] == 0 and p, [drive.log])


@needs_redis
class Whole(LabCase):
    def begin(self, name, count=0, head=None, start=True, **settings):
        self.redis = Redis(self.lab, name=f"{name}-redis")
        fill(self.redis, count, **(head or {}))
        self.drive = Drive(self.lab, self.redis.url, name=name, start=start, **settings)
        self.addCleanup(self.redis.stop)
        self.addCleanup(self.drive.stop)
        return self.drive.wait_complete() if start else self.drive

    def says_what_redis_says(self, addresses):
        """Another client without a copy, which asks Redis."""
        other = Drive(self.lab, self.redis.url, name=self.drive.name + "-other", cache={"preload": 0}).wait_complete()
        for address in addresses:
            mine, right = self.drive.ask(address), other.ask(address)
            mine.pop("us"), right.pop("us")
            for answer in (mine, right):
                del answer["n"], answer["source"]
            self.assertEqual(mine, right, address)
        other.stop()

    def test_A12_never_asked_and_redis_stopped(self):
        drive = self.begin("stopped", 100)
        self.redis.pipe([["SET", "splitmx:login:boss@example.org", "user7@example.org"], ["SET", "splitmx:login:boss", "user9+x@example.org"],
                         ["SET", "splitmx:login:lost", "user9@elsewhere.org"],
                         ["SET", "splitmx:hold:user8@example.org", "mail:7", "PX", 600000], ["SET", "splitmx:complete:@example.org", "yes"],
                         ["SET", "splitmx:hold:@example.org", "all:7"], ["LPUSH", "splitmx:owner:list@example.org", "new"]])
        wait_for("the list is known", 5, lambda: wait_preload(drive)["loaded"] == 110)
        rows = [("user1@example.org", "new", "", "user1@example.org"), ("user1+x@example.org", "new", "", "user1@example.org"),
                ("bob@example.org", "old", "all", "bob@example.org"), ("user2@alias.org", "new", "", "user2@example.org"),
                ("boss@example.org", "new", "", "user7@example.org"), ("Boss", "new", "", "user9@example.org"), ("user8@example.org", "new", "mail", "user8@example.org")]
        self.redis.freeze()
        try:
            answers = [(row, drive.ask(row[0])) for row in rows]
            odd, lost = drive.ask("list@example.org"), drive.ask("lost")
            foreign, nobody = drive.ask("x@gmail.com"), drive.ask("nobody")
        finally:
            self.redis.thaw()
        for row, answer in answers:
            self.assertEqual((row[0], answer["owner"], answer["hold"], answer["account"]), row)
            self.assertEqual((answer["source"], answer["epoch"]), ("memory", 5))
        self.assertEqual(odd["verdict"], "temp")
        self.assertIn("splitmx:owner:list@example.org is not a string", odd["reason"])
        self.assertEqual((lost["verdict"], lost["matched"]), ("temp", "login:lost"))
        self.assertEqual((foreign["verdict"], nobody["verdict"]), ("absent", "absent"))
        self.assertEqual(drive.status()["questions"]["fetched"], 0)
        self.says_what_redis_says([row[0] for row in rows] + ["list@example.org", "nobody@example.org", "x@alias.org", "nobody", "lost"])

    def test_A12_a_copy_is_good_for_the_lease_and_not_longer(self):
        drive = self.begin("lease", 10, {"lease_ms": 2000}, question_timeout=300)
        wait_preload(drive)
        self.redis.freeze()
        try:
            self.assertEqual(drive.ask("user1@example.org")["owner"], "new")
            wait_for("the lease ends", 5, lambda: drive.status()["link"]["lease_left_ms"] == 0)
            self.assertEqual(drive.ask("user2@example.org")["verdict"], "temp")
        finally:
            self.redis.thaw()
        drive.ask_until("user2@example.org", owner="new")

    def test_changes_while_it_loads(self):
        drive = self.begin("changes", MANY, start=False)
        stop, names, count = threading.Event(), [f"user{i}@example.org" for i in range(MANY + 2000)], [0]

        def change():
            dice = random.Random(5)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(self.redis.socket)
                while not stop.is_set():
                    batch = [dice.choice(names) for _ in range(50)]
                    words = [["DEL", f"splitmx:owner:{n}"] if dice.random() < 0.4 else
                             ["SET", f"splitmx:owner:{n}", dice.choice(("old", "new", "third"))] for n in batch]
                    sock.sendall(b"".join(array(*[bulk(w) for w in command]) for command in words))
                    got = b""
                    while got.count(b"\r\n") < len(batch):
                        got += sock.recv(4096)
                    count[0] += len(batch)
        changer = threading.Thread(target=change)
        changer.start()
        try:
            drive.start()
            wait_for("loaded", 60, lambda: preload(drive)["state"] == "complete", [drive.log])
        finally:
            stop.set()
            changer.join()
        self.assertGreater(count[0], 1000)
        wait_preload(drive)
        drive.wait_complete()
        owners = {}
        for line in self.redis.cli("--scan", "--pattern", "splitmx:owner:user*").split("\n"):
            owners[line[len("splitmx:owner:"):]] = None
        found = sorted(owners)
        for first in range(0, len(found), 1000):
            part = found[first:first + 1000]
            owners.update(zip(part, self.redis.cli("MGET", *["splitmx:owner:" + n for n in part]).split("\n")))
        fetched = drive.status()["questions"]["fetched"]
        for number, name in [(drive.send(n), n) for n in names]:
            answer = drive.take(number)
            self.assertEqual((answer["owner"], answer["source"]), (owners.get(name, "old"), "memory"), name)
        self.assertEqual(drive.status()["questions"]["fetched"], fetched)

    def test_A14_everything_gone_while_it_loads(self):
        drive = self.begin("flush", MANY, start=False)
        drive.start()
        wait_for("it loads", 20, lambda: preload(drive)["loaded"] > 0, every=0.001)
        self.redis.cli("FLUSHALL")
        answer = drive.ask("user3@example.org")
        self.assertNotEqual(answer["verdict"], "absent")
        fill(self.redis, 300, epoch=6)
        wait_for("the new map", 30, lambda: (p := preload(drive))["state"] == "complete" and p["loaded"] == 303, [drive.log])
        self.assertEqual(drive.ask("user3@example.org")["owner"], "new")
        self.assertEqual(drive.ask("user301@example.org")["owner"], "old")

    def test_everything_gone_but_the_head_begins_anew(self):
        drive = self.begin("anew", 500)
        wait_preload(drive)
        self.redis.pipe([["MULTI"], ["FLUSHALL"], ["HSET", "splitmx.map", *[w for pair in HEAD.items() for w in pair]],
                         ["SET", "splitmx:owner:@example.org", "new"], ["EXEC"]])
        wait_for("the new map", 10, lambda: preload(drive)["loaded"] == 1 and wait_preload(drive), [drive.log])
        self.assertEqual((drive.ask("user3@example.org")["owner"], drive.ask("user3@example.org")["source"]), ("new", "memory"))
        self.assertEqual(drive.status()["link"]["sessions"], 1)

    def test_a_new_session_loads_again_and_sweeps(self):
        drive = self.begin("again", 5000)
        used = wait_preload(drive)["used_bytes"]
        self.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        self.redis.pipe(["DEL", f"splitmx:owner:user{i}@example.org"] for i in range(2500))
        wait_for("loaded and swept", 20, lambda: (p := preload(drive))["state"] == "complete" and p["loaded"] == 2503
                 and p["used_bytes"] < used * 0.9, [drive.log])
        self.assertEqual([drive.ask(f"user{i}@example.org")["owner"] for i in (1, 2499, 2500)], ["old", "old", "new"])

    def test_too_large_none_and_how_settings_move_it(self):
        drive = self.begin("large", 100, cache={"preload": 50})
        status = wait_preload(drive, "too large")
        keys = int(self.redis.cli("DBSIZE"))
        self.assertEqual((status["of"], status["most"], status["loaded"]), (keys, 50, 0))
        self.assertEqual(drive.ask("user1@example.org")["source"], "redis")
        for most, state, loaded in ((1000, "complete", 103), (0, "off", 0), (keys, "complete", 103), (keys - 1, "too large", 0)):
            with self.subTest(most=most):
                drive.call("reload " + self.config(drive, most))
                wait_for("the records", 10, lambda s=state, n=loaded: wait_preload(drive, s)["loaded"] == n)
                source = "memory" if loaded else "redis"
                self.assertEqual(drive.ask(f"new-to-{most}@example.org")["source"], source)
        self.assertLess(preload(drive)["used_bytes"], 100000, "what is of no use is given back")

    def config(self, drive, most):
        with open(drive.config, encoding="utf-8") as f:
            text = f.read()
        return self.lab.write(f"large-{most}.conf", text.replace("preload = 50;", f"preload = {most};"))

    def test_a_map_that_outgrows_it(self):
        drive = self.begin("grows", 100, cache={"preload": 150})
        wait_preload(drive)
        self.redis.pipe(["SET", f"splitmx:owner:more{i}@example.org", "new"] for i in range(400))
        wait_preload(drive, "too large")
        self.assertEqual(drive.ask("more399@example.org")["owner"], "new")
        self.redis.pipe(["DEL", f"splitmx:owner:more{i}@example.org"] for i in range(400))
        self.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_preload(drive)

    def test_off(self):
        drive = self.begin("off", 10, cache={"preload": 0})
        self.assertEqual(drive.ask("user1@example.org")["source"], "redis")
        self.assertEqual(preload(drive)["state"], "off")

    def test_a_user_who_may_not(self):
        rights = ("user {} on >secret resetkeys resetchannels ~splitmx:* ~splitmx.* &* -@all +@connection +subscribe +get "
                  "+exists +scan +hset +hget +hgetall +hdel +hmget +publish +wait +multi +exec +watch +unwatch +info +role")
        acl = ["user default on >secret ~* &* +@all", rights.format("reader"), rights.format("better") + " +mget +dbsize"]
        password = self.lab.write("acl-password", "secret\n", 0o600)
        for user, state in (("reader", "refused"), ("better", "complete")):
            redis = Redis(self.lab, name=f"acl-{user}", password="secret", acl=acl)
            fill(redis, 10)
            drive = Drive(self.lab, redis.url, name=f"drive-{user}", redis={"user": user, "password_file": password})
            wait_preload(drive, state)
            self.assertEqual(drive.ask("user1@example.org")["owner"], "new")
            self.assertEqual(drive.status()["link"]["sessions"], 1)
            drive.stop()
            redis.stop()


class Scripted(LabCase):
    def begin(self, name, **settings):
        self.fake = FakeRedis(self.lab, name + "-redis")
        self.fake.strings.update({"splitmx:owner:@example.org": "old", "splitmx:owner:ann@example.org": "old"})
        self.drive = Drive(self.lab, self.fake.url, name=name, **settings)
        self.addCleanup(self.fake.close)
        self.addCleanup(self.drive.stop)
        return self.drive

    def test_an_invalidation_that_overtakes_the_load(self):
        loads = []

        def overtake(fake, connection, reply):
            if not loads:
                loads.append(1)
                fake.set("splitmx:owner:ann@example.org", "new")
                fake.set("splitmx:owner:bob@example.org", "new")
                wait_for("both are heard", 5, lambda: preload(self.drive)["unknown"] == 2)
            return reply
        drive = self.begin("overtake")
        self.fake.on_load = overtake
        wait_preload(drive)
        self.assertEqual(loads, [1])
        self.assertEqual([drive.ask(f"{n}@example.org")["owner"] for n in ("ann", "bob", "eve")], ["new", "new", "old"])
        self.assertEqual(drive.status()["questions"]["fetched"], 0)

    def test_what_is_unknown_is_asked_for(self):
        drive = self.begin("unknown")
        wait_preload(drive)
        held = threading.Event()

        def hold(fake, connection, reply):
            held.wait(5)
            return reply
        self.fake.on_exec = hold
        self.fake.set("splitmx:owner:ann@example.org", "new")
        wait_for("it is unknown", 5, lambda: preload(drive)["unknown"] == 1)
        waiting = drive.send("ann@example.org")
        self.assertEqual((drive.ask("bob@example.org")["source"], preload(drive)["unknown"]), ("memory", 1))
        held.set()
        self.assertEqual((drive.take(waiting)["owner"], self.fake.strings["splitmx:owner:ann@example.org"]), ("new", "new"))
        wait_preload(drive)

    def test_A13_a_map_that_cannot_be_read_ends_three_sessions_and_no_more(self):
        drive = self.begin("huge")
        self.fake.refuse["MGET"] = "+OK"  # alone it may be called; in a transaction it is no array
        wait_preload(drive, "resting")
        status = drive.status()
        self.assertEqual(status["link"]["sessions"], 4)
        self.assertEqual(drive.ask("ann@example.org")["owner"], "old")
        time.sleep(0.3)
        self.assertEqual(drive.status()["link"]["sessions"], 4)
