"""The map client as a node: the roster, beats, barriers and acknowledgements, with real Redis and the scripted one."""

import fcntl
import json
import os
import re
import signal
import subprocess
import threading
import time

from mapdrive import HEAD, Drive, FakeRedis, needs_redis

from lab.case import LabCase
from lab.core import wait_for
from lab.redis import Redis

ANN = "splitmx:owner:ann@example.org"
OTHER = json.dumps({"run": "ffffffffffffffff", "beat": 1})


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Subscriber:
    """What is said on a channel, with the time at which it came."""

    def __init__(self, redis, channel):
        self.messages = []
        self.popen = subprocess.Popen(["redis-cli", "-s", redis.socket, "SUBSCRIBE", channel], stdout=subprocess.PIPE, text=True)
        for _ in range(3):
            self.popen.stdout.readline()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while self.popen.stdout.readline():
            self.popen.stdout.readline()
            self.messages.append((time.monotonic(), self.popen.stdout.readline().strip()))

    def has(self, message):
        return [at for at, text in self.messages if text == message]

    def close(self):
        self.popen.terminate()
        self.popen.wait()


@needs_redis
class Roster(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.redis.cli("HSET", "splitmx.map", *[w for pair in {**HEAD, "lease_ms": 3000}.items() for w in pair])
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.redis.cli("SET", ANN, "new")
        cls.acks = Subscriber(cls.redis, "splitmx.ack")
        cls.addClassCleanup(cls.acks.close)

    def entry(self, node):
        text = self.redis.cli("HGET", "splitmx.nodes", node)
        return json.loads(text) if text else None

    def beat(self, node):
        text = self.redis.cli("HGET", "splitmx.beats", node)
        return json.loads(text) if text else None

    def acknowledgements(self, epoch, nonce, node):
        """When they came; all are of the process that the roster names, as it is now."""
        return self.acks.has(f"{epoch} {nonce} {node} {(self.entry(node) or {}).get('run')}")

    def acknowledged(self, epoch, nonce, *nodes, seconds=10):
        """Publishes a barrier as writers do, until all of these have answered."""
        def answered():
            self.redis.cli("PUBLISH", "splitmx.barrier", f"{epoch} {nonce} ann@example.org")
            return all(self.acknowledgements(epoch, nonce, node) for node in nodes)
        wait_for(f"acknowledgements of {nonce}", seconds, answered, every=0.2)

    def test_enters_beats_and_leaves(self):
        drive = Drive(self.lab, self.redis.url, name="one", grace=700).wait_live()
        entry, status = self.entry("one/drive/0"), drive.status()["node"]
        self.assertEqual((entry["role"], entry["pid"], entry["grace_ms"], entry["drain_ms"], entry["schema"]),
                         ("drive", drive.popen.pid, 700, 0, [1, 1]))
        self.assertEqual((status["id"], status["run"], status["entered"], status["memory"], status["grace_ms"]),
                         ("one/drive/0", entry["run"], True, "lease", 700))
        drive.ask("ann@example.org")
        first = wait_for("a beat", 5, lambda: self.beat("one/drive/0"))
        later = wait_for("another beat", 5, lambda: self.beat("one/drive/0")["beat"] > first["beat"] and self.beat("one/drive/0"))
        self.assertEqual((later["run"], later["phase"]), (entry["run"], "live"))
        self.assertGreater(later["lease_left_ms"], 0)
        wait_for("its counters", 5, lambda: self.beat("one/drive/0")["answers"] == 1 and self.beat("one/drive/0")["entries"] == 1)
        self.acknowledged(7, "aa", "one/drive/0")
        self.assertEqual(drive.status()["node"]["acknowledged"], 7)
        wait_for("the epoch in the beat", 5, lambda: self.beat("one/drive/0")["epoch"] == 7)
        file = os.path.join(drive.state_dir, "nodes", "drive-0")
        self.assertEqual(read(file), f"run {entry['run']}\nentered {HEAD['id']} 700 0\n")
        self.assertTrue(drive.call("leave")["left"])
        self.assertEqual((self.entry("one/drive/0"), self.beat("one/drive/0")), (None, None))
        self.assertEqual(read(file), f"run {entry['run']}\nleft\n")
        self.assertEqual((drive.status()["node"]["memory"], drive.ask("ann@example.org")["verdict"]), ("none", "temp"))
        self.assertEqual(drive.stop(), 0)

    def test_killed_and_restarted_has_its_slot_again(self):
        drive = Drive(self.lab, self.redis.url, name="two").wait_live()
        second = Drive(self.lab, self.redis.url, name="two-b", instance="two", state_dir=drive.state_dir).wait_live()
        self.assertEqual(second.status()["node"]["id"], "two/drive/1")
        runs = [self.entry("two/drive/0")["run"]]
        for _ in range(3):
            drive.popen.send_signal(signal.SIGKILL)
            drive.stop()
            self.assertEqual(self.entry("two/drive/0")["run"], runs[-1], "a crash leaves the roster as it is")
            begun = time.monotonic()
            drive.start().wait_live()
            self.assertLess(time.monotonic() - begun, 4, "the beat of the run before is its own")
            self.assertEqual(drive.status()["node"]["id"], "two/drive/0")
            runs.append(self.entry("two/drive/0")["run"])
        self.assertEqual(len(set(runs)), 4)
        drive.stop()
        second.stop()

    def test_a_node_that_was_removed_enters_again(self):
        drive = Drive(self.lab, self.redis.url, name="three").wait_live()
        for hash_name, words in (("splitmx.nodes", "is not in the roster any more"), ("splitmx.beats", "was removed")):
            sessions = drive.status()["link"]["sessions"]
            self.redis.cli("HDEL", hash_name, "three/drive/0")
            wait_for("a new session", 5, lambda: drive.status()["link"]["sessions"] > sessions)
            self.assertIn(words, drive.status()["link"]["trouble"])
            self.assertIsNotNone(self.entry("three/drive/0"))
        self.assertEqual(drive.status()["alarms"], [])
        self.redis.cli("HSET", "splitmx.nodes", "three/drive/0", json.dumps({**self.entry("three/drive/0"), "grace_ms": 1}))
        drive.wait_trouble("was changed")
        drive.wait_live()
        drive.stop()

    def test_two_with_one_instance(self):
        """The second one never answers while the first one beats; then it must be silent for the first one's lease."""
        self.redis.cli("HSET", "splitmx.map", "lease_ms", 8000)
        one = Drive(self.lab, self.redis.url, name="twin-a", instance="twin").wait_live()
        wait_for("the first beat", 5, lambda: self.beat("twin/drive/0"))
        two = Drive(self.lab, self.redis.url, name="twin-b", instance="twin")
        alarm = wait_for("an alarm", 5, lambda: two.status()["alarms"])
        self.assertIn("another process is the node twin/drive/0 too", alarm[0])
        self.assertIn(one.status()["node"]["run"], alarm[0])
        self.assertEqual(two.ask("ann@example.org")["verdict"], "temp")
        self.assertEqual(two.status()["link"]["state"], "entering")
        self.acknowledged(8, "bb", "twin/drive/0")
        self.assertEqual(one.ask("ann@example.org")["owner"], "new")
        one.popen.send_signal(signal.SIGKILL)
        one.stop()
        killed = time.monotonic()
        two.wait_live(15)
        self.assertGreater(time.monotonic() - killed, 3, "it must have stood still for 5 s, and beats come every second")
        self.assertEqual(two.ask("ann@example.org")["owner"], "new")
        self.acknowledged(9, "cc", "twin/drive/0", seconds=15)
        self.assertGreater(self.acknowledgements(9, "cc", "twin/drive/0")[0] - killed, 6, "the lease of the first was 8 s")
        self.assertEqual(two.status()["alarms"], [])
        two.stop()
        self.redis.cli("HSET", "splitmx.map", "lease_ms", 3000)

    def test_A20_no_place_for_the_file_of_the_node(self):
        drive = Drive(self.lab, self.redis.url, name="four", start=False)
        with open(os.path.join(drive.state_dir, "nodes"), "w", encoding="ascii"):
            pass  # a file where the directory should be
        drive.start().wait_trouble("no place in the roster for this process")
        self.assertEqual(drive.ask("ann@example.org")["verdict"], "temp")
        self.assertIn("/nodes", drive.status()["alarms"][0])
        os.unlink(os.path.join(drive.state_dir, "nodes"))
        drive.ask_until("ann@example.org", owner="new")
        self.assertEqual(drive.status()["alarms"], [])
        drive.stop()

    def test_a_map_of_a_newer_schema(self):
        drive = Drive(self.lab, self.redis.url, name="five").wait_live()
        drive.ask_until("ann@example.org", source="memory")
        self.redis.cli("HSET", "splitmx.map", "schema", "2 2")
        try:
            beat = wait_for("it says so", 5, lambda: (self.beat("five/drive/0") or {}).get("refuses") and self.beat("five/drive/0"))
            self.assertIn("upgrade splitmx", beat["refuses"])
            self.assertIsNone(self.entry("five/drive/0"))
            status = drive.status()
            self.assertEqual((status["link"]["state"], status["node"]["memory"], status["node"]["entered"]), ("refusing", "none", False))
            self.assertIn("upgrade splitmx", status["alarms"][0])
            self.assertEqual(drive.ask("ann@example.org")["verdict"], "temp")
            wait_for("it goes on beating", 5, lambda: self.beat("five/drive/0")["beat"] > beat["beat"])
            late = Drive(self.lab, self.redis.url, name="five-b")
            wait_for("another refuses from the start", 5, lambda: (self.beat("five-b/drive/0") or {}).get("refuses"))
            self.assertIsNone(self.entry("five-b/drive/0"))
        finally:
            self.redis.cli("HSET", "splitmx.map", "schema", 1)
        for one, node in ((drive, "five/drive/0"), (late, "five-b/drive/0")):
            one.ask_until("ann@example.org", owner="new")
            self.assertIsNotNone(self.entry(node))
            self.assertEqual(one.status()["alarms"], [])
            wait_for("the refusal is gone", 5, lambda n=node: "refuses" not in self.beat(n))
            one.stop()

    def test_a_shorter_grace_is_declared_when_the_longer_one_is_over(self):
        self.redis.cli("HSET", "splitmx.map", "lease_ms", 1000)
        drive = Drive(self.lab, self.redis.url, name="six", grace=1500).wait_live()
        drive.stop()
        drive.config = Drive(self.lab, self.redis.url, name="six", grace=200, start=False).config
        drive.start().wait_live()
        begun = time.monotonic()
        self.assertEqual((self.entry("six/drive/0")["grace_ms"], drive.status()["node"]["grace_ms"]), (1500, 200))
        wait_for("the shorter one", 10, lambda: self.entry("six/drive/0")["grace_ms"] == 200)
        self.assertGreater(time.monotonic() - begun, 2)
        time.sleep(0.5)
        self.assertEqual(drive.status()["link"]["sessions"], 1)
        self.assertIn(f"entered {HEAD['id']} 200 0\n", read(os.path.join(drive.state_dir, "nodes", "drive-0")))
        drive.stop()
        self.redis.cli("HSET", "splitmx.map", "lease_ms", 3000)

    def test_junk_on_the_channel_of_barriers(self):
        drive = Drive(self.lab, self.redis.url, name="seven").wait_live()
        for junk in ("", "x", "1", "1 n", "1 n ", "-1 n a@b", "1 n!n a@b", "1 n a@b%zz", "9" * 30 + " n *", "1 n" + " a@b" * 1001):
            self.redis.pipe([["PUBLISH", "splitmx.barrier", junk]])
        self.acknowledged(11, "dd", "seven/drive/0")
        self.assertEqual(drive.status()["link"]["sessions"], 1)
        self.assertFalse([m for _, m in self.acks.messages if m.startswith("1 n")])
        drive.stop()

    def test_acknowledged_after_the_tracking_connection_was_killed(self):
        drive = Drive(self.lab, self.redis.url, name="eight").wait_live()
        for i in range(10):
            drive.ask_until("ann@example.org", source="memory")
            owner = ("old", "new")[i % 2]
            self.kill_tracking()
            self.redis.cli("SET", ANN, owner)
            self.acknowledged(20 + i, f"k{i}", "eight/drive/0")
            self.assertEqual(drive.ask("ann@example.org")["owner"], owner)
        drive.stop()

    def kill_tracking(self):
        for line in self.redis.cli("CLIENT", "LIST").split("\n"):
            if "name=splitmx-tracking " in line:
                self.redis.cli("CLIENT", "KILL", "ID", line.split()[0].split("=")[1])


@needs_redis
class Strangers(LabCase):
    """Replicas that are no members of the map: WAIT counts them too."""

    @classmethod
    def furnish(cls):
        cls.master = Redis(cls.lab, "master", tcp=True)
        options = {"replicaof": f"127.0.0.1 {cls.master.tcp_port}", "repl-diskless-sync-delay": 0}
        cls.one, cls.two, cls.stranger = (Redis(cls.lab, name, tcp=True, options=options) for name in ("one", "two", "stranger"))
        members = " ".join(f"127.0.0.1:{redis.tcp_port}" for redis in (cls.master, cls.one, cls.two))
        head = {**HEAD, "lease_ms": 1500, "members": members}
        cls.master.cli("HSET", "splitmx.map", *[w for pair in head.items() for w in pair])
        cls.master.cli("MSET", "splitmx:owner:@example.org", "old", ANN, "new")
        cls.follow(3)

    @classmethod
    def follow(cls, count):
        wait_for(f"{count} replicas", 30, lambda: cls.master.cli("INFO", "replication").count("state=online") == count)

    def test_A12_they_make_up_for_no_member(self):
        self.two.stop()
        self.follow(2)
        drive = Drive(self.lab, self.master.tcp_url, name="drive")
        drive.wait_trouble("only 1 of 2 replicas have this node")
        self.two.start()
        drive.wait_live().ask_until("ann@example.org", owner="new")
        self.one.stop()
        self.two.stop()
        self.follow(1)  # a stranger
        drive.wait_trouble("only 0 of 1 replicas that make a majority")
        wait_for("the lease is over", 10, lambda: drive.status()["node"]["memory"] == "none")
        self.assertEqual("temp", drive.ask("ann@example.org")["verdict"])
        self.one.start()
        drive.ask_until("ann@example.org", owner="new")
        drive.stop()


class Scripted(LabCase):
    numbers = 0

    def begin(self, wait=True, head=None, **settings):
        Scripted.numbers += 1
        self.name = f"c{Scripted.numbers}"
        self.node = self.name + "/drive/0"
        self.fake = FakeRedis(self.lab, f"f{Scripted.numbers}")
        self.fake.head.update(head or {})
        self.fake.strings.update({"splitmx:owner:@example.org": "old", ANN: "old"})
        self.drive = Drive(self.lab, self.fake.url, name=self.name, **settings)
        if wait:
            self.drive.wait_complete()
            self.drive.ask_until("ann@example.org", source="memory")
        return self.drive

    def tearDown(self):
        self.fake.close()
        self.assertEqual(self.drive.stop(), 0)

    def acks(self):
        return [text for channel, text in self.fake.published if channel == "splitmx.ack"]

    def wait_ack(self, epoch, nonce):
        wait_for("the acknowledgement", 5, lambda: f"{epoch} {nonce} {self.node} {self.own_run()}" in self.acks(), every=0.005)

    def own_run(self):
        return json.loads(self.fake.nodes[self.node])["run"]

    def memory(self):
        return self.drive.status()["node"]["memory"]


class Barriers(Scripted):
    def test_only_after_what_was_before_it(self):
        self.begin()
        self.fake.echo = threading.Event()  # echoes wait for it, and come after what is pushed now
        self.fake.set(ANN, "new", tell=False)
        self.fake.bark(6, "aa", "ann@example.org")
        time.sleep(0.1)
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old", "nothing was said yet")
        self.assertEqual(self.acks(), [])
        self.fake.push([ANN])
        self.fake.echo.set()
        self.wait_ack(6, "aa")
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new")
        self.fake.bark(6, "aa", "ann@example.org")
        wait_for("it is said again", 5, lambda: len(self.acks()) == 2)

    def test_several_on_their_way(self):
        self.begin()
        self.fake.echo = threading.Event()
        wanted = [(10 + i, f"n{i}") for i in range(100)]
        for epoch, nonce in wanted:
            self.fake.bark(epoch, nonce, "ann@example.org", "@example.org")
        self.fake.echo.set()
        for epoch, nonce in wanted:
            self.wait_ack(epoch, nonce)
        self.assertEqual(self.drive.status()["node"]["acknowledged"], 109)
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)

    def test_a_flood_ends_the_session(self):
        self.begin()
        self.fake.echo = threading.Event()
        for i in range(300):
            self.fake.bark(10 + i, "n")
        self.drive.wait_trouble("barriers came faster")
        self.fake.echo.set()
        wait_for("a new session", 5, lambda: self.drive.status()["link"]["sessions"] == 2)
        self.fake.bark(900, "after")
        self.wait_ack(900, "after")

    def test_a_flood_of_names_is_bounded_and_acknowledged(self):
        self.begin()
        self.fake.echo = threading.Event()
        names = [f"{i:0500d}@example.org" for i in range(1000)]
        for i in range(40):
            self.fake.bark(10 + i, f"n{i}", *names)
        most = wait_for("most are on their way", 20, lambda: (n := self.drive.status()["node"]["barrier_bytes"]) > 3 << 20 and n)
        for _ in range(20):
            most = max(most, self.drive.status()["node"]["barrier_bytes"])
        self.assertLessEqual(most, 4 << 20)
        self.fake.echo.set()
        for i in range(40):
            self.wait_ack(10 + i, f"n{i}")
        self.assertEqual(self.drive.status()["node"]["barrier_bytes"], 0)
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)

    def identity(self):
        """What the file says; "" where there is none yet."""
        path = os.path.join(self.drive.state_dir, "identity")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="ascii") as f:
            return f.read()

    def test_A20_a_disk_that_hangs_stalls_no_answer_and_holds_up_the_acknowledgement(self):
        self.begin(question_timeout=300, grace=0)
        was = wait_for("the file", 5, self.identity)
        self.drive.call("disk hung")
        self.fake.head["epoch"] = "6"
        self.fake.set(ANN, "new")
        self.fake.bark(6, "aa", "ann@example.org")
        wait_for("it hangs, and the beat says so", 15, lambda: "has not answered for 5 s" in json.loads(self.fake.beats[self.node]).get("alarm", ""))
        beats = self.drive.status()["link"]["heartbeats"]
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new")
        wait_for("heartbeats go on", 5, lambda: self.drive.status()["link"]["heartbeats"] > beats + 1)
        self.assertEqual((self.drive.status()["link"]["sessions"], self.acks(), self.drive.status()["node"]["acknowledged"]), (1, [], 0))
        self.assertEqual(self.identity(), was)
        self.drive.call("disk well")
        self.wait_ack(6, "aa")
        self.assertIn("epoch 6\n", self.identity())
        wait_for("the beat says no more", 5, lambda: not json.loads(self.fake.beats[self.node]).get("alarm"))

    def test_the_epoch_is_in_the_file_before_it_is_acknowledged(self):
        self.begin()
        self.fake.head["epoch"] = "900"
        for epoch in range(6, 60):
            self.fake.bark(epoch, "n")
            self.wait_ack(epoch, "n")
            self.assertGreaterEqual(int(self.identity().split()[-1]), epoch)

    def test_A20_a_file_that_cannot_be_written_is_an_alarm_and_acknowledged(self):
        self.begin()
        aside = os.path.join(self.drive.state_dir, "identity.new")
        os.mkdir(aside)
        self.fake.head["epoch"] = "6"
        self.fake.bark(6, "aa")
        self.wait_ack(6, "aa")
        wait_for("an alarm", 5, lambda: "identity.new" in "".join(self.drive.status()["alarms"]))
        os.rmdir(aside)
        wait_for("written", 5, lambda: "epoch 6\n" in self.identity())
        wait_for("no alarm", 5, lambda: self.drive.status()["alarms"] == [])

    def test_a_process_that_stopped_with_the_lock_holds_up_nobody_for_long(self):
        self.begin()
        with open(os.path.join(self.drive.state_dir, "identity.lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.fake.head["epoch"] = "6"
            self.fake.bark(6, "aa")
            self.wait_ack(6, "aa")
        self.assertEqual(self.drive.status()["alarms"], [])
        wait_for("written with a later heartbeat", 5, lambda: "epoch 6\n" in self.identity())

    def test_before_the_session_is_live_all_is_forgotten(self):
        self.begin()
        self.fake.set(ANN, "new", tell=False)
        self.fake.gate = threading.Event()  # heartbeats wait for it
        self.fake.drop()
        wait_for("no heartbeat yet", 5, lambda: self.drive.status()["link"]["state"] == "echoing")
        self.assertEqual((self.drive.ask("ann@example.org")["owner"], self.memory()), ("old", "lease"))
        self.assertEqual(self.drive.domain("elsewhere.example"), "absent")
        self.fake.bark(6, "early", "ann@example.org")
        wait_for("the memory is gone", 5, lambda: self.memory() == "none")
        self.assertEqual(self.drive.domain("elsewhere.example"), "temp", "it may have become managed")
        waiting = self.drive.send("ann@example.org")
        self.fake.gate.set()
        self.wait_ack(6, "early")
        self.assertEqual(self.drive.take(waiting)["owner"], "new")

    def test_of_an_ended_session_is_forgotten(self):
        self.begin()
        self.fake.echo = threading.Event()
        self.fake.bark(6, "lost", "ann@example.org")
        time.sleep(0.05)
        self.fake.drop()
        self.fake.echo.set()
        wait_for("a new session", 5, lambda: self.drive.status()["link"]["sessions"] == 2)
        self.fake.bark(7, "next", "ann@example.org")
        self.wait_ack(7, "next")
        self.assertEqual(len(self.acks()), 1)

    def test_a_shorter_lease_cuts_the_one_that_runs(self):
        self.begin(head={"lease_ms": "60000"}, grace=1000)
        self.assertGreater(self.drive.status()["link"]["lease_left_ms"], 50000)
        self.fake.head["lease_ms"] = "500"
        self.fake.bark(6, "short")
        self.wait_ack(6, "short")
        status = self.drive.status()
        self.assertLessEqual(status["link"]["lease_left_ms"], 500)
        self.assertLessEqual(status["node"]["grace_left_ms"], 1500)

    def test_a_heartbeat_that_reads_another_mark_than_it_knew_only_teaches(self):
        """It may have been sent long before, and lain while leases were short and somebody relied on that."""
        class Restless(dict):
            def items(self):
                self["lease_epoch"] = str(int(self["lease_epoch"]) + 1)
                return super().items()
        self.begin(head={"lease_ms": "60000", "lease_epoch": "3"})
        still, self.fake.head = self.fake.head, Restless(self.fake.head)
        beats = wait_for("a beat", 5, lambda: json.loads(self.fake.beats[self.node])["beat"])
        granted = self.drive.status()["link"]["heartbeats"]
        wait_for("more beats", 5, lambda: json.loads(self.fake.beats[self.node])["beat"] > beats + 10)
        self.assertLessEqual(self.drive.status()["link"]["heartbeats"], granted + 1, "one was under way")
        self.fake.head = {**still, "lease_epoch": self.fake.head["lease_epoch"]}
        wait_for("it is granted", 5, lambda: self.drive.status()["link"]["heartbeats"] > granted + 1)
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)

    def test_no_length_of_a_lease(self):
        self.begin()
        length = self.fake.head.pop("lease_ms")
        self.fake.bark(6, "none")
        self.drive.wait_trouble("no usable lease_ms")
        self.fake.head["lease_ms"] = length
        self.assertEqual(self.acks(), [])


class Departures(Scripted):
    """A session that ends while its connections stay: what was asked on D is answered by nobody any more."""

    def begin(self, **settings):
        self.fetches, self.loads = [threading.Event(), threading.Event()], []
        super().begin(**settings)
        self.fake.on_exec = lambda fake, connection, reply: self.fetches[0].set() or (self.fetches[1].wait(5), reply)[1]

    def load_slowly(self):
        """The map is read again, and that takes until the second event."""
        self.loads = [threading.Event(), threading.Event()]
        self.fake.on_load = lambda fake, connection, reply: self.loads[0].set() or (self.loads[1].wait(5), reply)[1]
        self.fake.push(None)
        self.assertTrue(self.loads[0].wait(5))

    def refuse(self):
        self.fake.head["schema"] = "2 2"
        wait_for("it refuses the map", 5, lambda: self.drive.status()["link"]["state"] == "refusing")

    def survives(self):
        """Late replies, and then a map that can be read again."""
        for event in self.fetches + self.loads:
            event.set()
        time.sleep(0.1)
        self.assertEqual(self.drive.status()["link"]["state"], "refusing")
        self.fake.on_exec = self.fake.on_load = None
        self.fake.head["schema"] = "1"
        self.drive.wait_complete()
        self.drive.ask_until("ann@example.org", source="memory")
        self.assertEqual(self.drive.ask("bob@example.org")["owner"], "old")

    def test_a_question_on_its_way_when_the_map_is_refused(self):
        self.begin(cache={"preload": 0}, question_timeout=200)
        waiting = self.drive.send("bob@example.org")
        self.assertTrue(self.fetches[0].wait(5))
        self.refuse()
        self.assertEqual(self.drive.take(waiting)["verdict"], "temp")
        self.survives()

    def test_a_question_that_still_waits_when_the_map_is_refused(self):
        self.begin(cache={"preload": 0}, question_timeout=10000)
        waiting = self.drive.send("bob@example.org")
        self.assertTrue(self.fetches[0].wait(5))
        self.refuse()
        self.survives()
        self.assertEqual(self.drive.take(waiting)["owner"], "old")

    def test_the_map_on_its_way_when_it_is_refused(self):
        self.begin()
        self.load_slowly()
        self.refuse()
        self.survives()

    def test_the_map_on_its_way_when_the_node_leaves(self):
        self.begin(head={"members": "1"})
        self.load_slowly()
        self.fake.head["members"] = "3"  # so that leaving takes a moment
        wait_for("the new head is known", 5, lambda: "only 0 of 1" in self.drive.status()["link"]["trouble"])
        self.drive.say("leave")
        time.sleep(0.1)
        self.loads[1].set()
        self.assertTrue(self.drive.other.get(timeout=5)["left"])
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")


class Replicas(Scripted):
    """splitmx.map says three members: ALL is 2, a majority has 1 replica."""

    def test_entering_waits_for_all_of_them_and_heartbeats_for_a_majority(self):
        self.begin(wait=False, head={"members": "3", "lease_ms": "1500"})
        self.drive.wait_trouble("only 0 of 2 replicas have this node")
        self.fake.replicas = 1
        self.drive.wait_trouble("only 1 of 2 replicas have this node")
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertIn("left\n", read(os.path.join(self.drive.state_dir, "nodes", "drive-0")))
        self.fake.replicas = 2
        self.drive.wait_complete()
        self.fake.replicas = 1
        sessions = self.drive.status()["link"]["sessions"]
        time.sleep(2)
        self.assertEqual((self.drive.ask("ann@example.org")["owner"], self.drive.status()["link"]["sessions"]), ("old", sessions))
        self.fake.replicas = 0
        self.drive.wait_trouble("only 0 of 1 replicas that make a majority")
        wait_for("the lease is over", 5, lambda: self.memory() == "none")
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.fake.replicas = 1
        self.drive.ask_until("ann@example.org", owner="old")
        # One is away, and the file knows that both have the entry.
        self.drive.stop()
        self.drive.start().wait_complete()
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old")
        # But who leaves now could come back with a failover: it stays.
        self.drive.call("leave")
        self.assertIn(self.node, self.fake.nodes)
        self.assertIn("entered", read(os.path.join(self.drive.state_dir, "nodes", "drive-0")))

    def test_a_change_that_no_replica_had_may_be_undone_by_a_failover(self):
        self.begin(wait=False, head={"members": "3", "lease_ms": "1500"})
        self.fake.replicas = 2
        self.drive.wait_complete()
        self.fake.replicas = 0
        self.fake.head["epoch"] = "9"
        self.drive.wait_trouble("only 0 of 1 replicas")
        self.fake.head["epoch"] = "5"
        self.fake.replicas = 2
        self.fake.drop()
        self.drive.ask_until("ann@example.org", owner="old")
        self.fake.head["epoch"] = "9"

        def acknowledged():  # a barrier comes when every server has its change, and again until it is answered
            self.fake.bark(9, "abc")
            return any(channel == "splitmx.ack" and text.startswith("9 abc ") for channel, text in self.fake.published)
        wait_for("it is acknowledged", 10, acknowledged, every=0.2)
        self.fake.head["epoch"] = "8"
        self.drive.wait_trouble("the map went back")
        self.fake.head["epoch"] = "9"

    def test_an_entry_that_is_gone_is_waited_for_again(self):
        self.begin(head={"members": "1", "lease_ms": "1500"})
        self.fake.head["members"] = "3"
        self.fake.replicas = 1
        self.fake.nodes.clear()
        self.drive.wait_trouble("only 1 of 2 replicas have this node")
        self.drive.stop()  # and a restart changes nothing of it
        self.drive.start().wait_trouble("only 1 of 2 replicas have this node")
        self.fake.replicas = 2
        self.drive.ask_until("ann@example.org", owner="old")

    def test_going_on_without_them_is_a_setting(self):
        self.begin(head={"members": "1", "lease_ms": "1000"}, redis={"replicas_lacking": "continue"})
        self.fake.head["members"] = "3"
        wait_for("an alarm", 5, lambda: "a failover may lose changes" in "".join(self.drive.status()["alarms"]))
        time.sleep(1.2)
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "old")
        self.assertEqual(self.drive.status()["link"]["sessions"], 1)
        self.fake.replicas = 2
        wait_for("no alarm", 5, lambda: self.drive.status()["alarms"] == [])

    def test_a_master_that_may_not_write(self):
        self.begin(head={"lease_ms": "1000"})
        for error in ("-READONLY You can't write against a read only replica.", "-NOREPLICAS Not enough good replicas to write."):
            self.fake.refuse["HSET"] = error
            self.drive.wait_trouble(error.split()[0][1:])
            wait_for("the lease is over", 5, lambda: self.memory() == "none")
            self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
            self.fake.refuse.clear()
            self.drive.ask_until("ann@example.org", owner="old")


class Twins(Scripted):
    def test_a_beat_of_somebody_else_between_two_of_ours(self):
        self.begin(head={"lease_ms": "60000"})
        self.assertEqual(self.memory(), "lease")
        self.fake.echo = threading.Event()  # so that the next session stays where it is
        self.fake.beats[self.node] = OTHER
        wait_for("the session is over", 5, lambda: self.drive.status()["link"]["trouble"].startswith("another process"))
        self.assertEqual(self.memory(), "none", "no lease and no grace in the name of two")
        self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
        self.assertIn("run ffffffffffffffff", read(self.drive.log))
        self.fake.echo.set()
        self.drive.ask_until("ann@example.org", owner="old")

    def test_an_entry_of_somebody_else(self):
        self.begin(head={"lease_ms": "60000"})
        self.fake.echo = threading.Event()
        self.fake.nodes[self.node] = json.dumps({"run": "ffffffffffffffff", "grace_ms": 0, "drain_ms": 0})
        wait_for("the session is over", 5, lambda: self.drive.status()["link"]["trouble"].startswith("another process"))
        self.assertEqual(self.memory(), "none")
        self.fake.echo.set()
        self.drive.wait_trouble("was another process, run ffffffffffffffff")
        self.assertEqual(json.loads(self.fake.nodes[self.node])["run"], "f" * 16, "it may be alive: the beat is ours, the entry is not")
        self.drive.ask_until("ann@example.org", owner="old", seconds=10)

    def watching(self, on_look=None):
        """A node of another host, gone without a word, whose id this one begins to watch."""
        self.begin(wait=False, head={"lease_ms": "60000"})
        self.drive.wait_live()
        self.drive.stop()
        self.theirs = json.dumps({"run": "f" * 16, "grace_ms": 0, "drain_ms": 0})
        self.fake.nodes[self.node], self.fake.beats[self.node], self.fake.on_look = self.theirs, OTHER, on_look
        self.drive.start().wait_trouble("was another process")

    def test_whoever_is_taken_over_and_beats_just_then_keeps_his_place(self):
        looks = []

        def beats_again(hash_name, node):
            """Between the last of six looks, one a second, and our entry."""
            looks.append(hash_name)
            if looks.count("splitmx.beats") == 6 and looks[-1] == "splitmx.beats":
                self.fake.on_look = None
                self.fake.beats[node] = json.dumps({"run": "f" * 16, "beat": 2})
        self.watching(beats_again)
        self.drive.wait_trouble("another process is the node", 10)
        self.assertEqual(self.fake.aborts, 1, "it was in the last look")
        self.assertEqual(self.fake.nodes[self.node], self.theirs)
        self.assertIn("another process is the node", self.drive.status()["alarms"][0])
        self.drive.wait_live(15)

    def test_after_a_failover_it_is_watched_anew(self):
        self.watching()
        time.sleep(3)
        begun = time.monotonic()
        self.fake.drop()
        self.drive.wait_live(15)
        self.assertGreater(time.monotonic() - begun, 4.9)

    def test_who_is_taken_over_must_be_gone_from_all_replicas(self):
        """Whatever the file says: it speaks of an entry of ours."""
        self.begin(head={"members": "3"}, wait=False)
        self.fake.replicas = 2
        self.drive.wait_live()
        self.drive.stop()
        file = os.path.join(self.drive.state_dir, "nodes", "drive-0")
        self.assertIn("entered", read(file))
        self.fake.replicas = 1
        self.fake.nodes[self.node], self.fake.beats[self.node] = json.dumps({"run": "f" * 16, "grace_ms": 0, "drain_ms": 0}), OTHER
        self.drive.start().wait_trouble("only 1 of 2 replicas have this node", 15)
        self.assertNotIn("f" * 16, self.fake.nodes[self.node])
        self.assertIn("left\n", read(file), "or a restart would believe it")
        self.fake.replicas = 2
        self.drive.wait_live()

    def test_an_entry_that_nobody_can_read_stays_until_an_operator_removes_it(self):
        """It may be a later version's, with any grace: writers know that they cannot wait for it by time."""
        self.begin(head={"lease_ms": "1000"})
        beat = self.fake.beats[self.node]
        self.drive.stop()
        for entry in ("{2: new}", '{"format": 2}', json.dumps({"run": "f" * 16, "grace_ms": 10 ** 9, "drain_ms": 0})):
            self.fake.nodes[self.node], self.fake.beats[self.node] = entry, beat
            self.drive.start().wait_trouble("cannot be read")
            alarm = self.drive.status()["alarms"][0]
            for said in ("splitmx.nodes has an entry", f"splitmx node rm {self.node} --force"):
                self.assertIn(said, alarm)
            self.assertEqual((entry, "temp"), (self.fake.nodes[self.node], self.drive.ask("ann@example.org")["verdict"]))
            del self.fake.nodes[self.node]
            self.drive.ask_until("ann@example.org", owner="old", seconds=15)
            wait_for("no alarm", 5, lambda: self.drive.status()["alarms"] == [])
            self.drive.stop()

    def test_who_leaves_takes_out_no_entry_of_another(self):
        self.begin(head={"lease_ms": "60000"})

        def comes(hash_name, node):
            self.fake.on_look = None
            self.fake.nodes[node] = json.dumps({"run": "f" * 16, "grace_ms": 0, "drain_ms": 0})
        self.fake.on_look = comes
        self.assertTrue(self.drive.call("leave")["left"])
        self.assertEqual((self.fake.aborts, json.loads(self.fake.nodes[self.node])["run"]), (1, "f" * 16))
        self.assertIn("it is another process now", read(self.drive.log))

    def test_who_refuses_the_map_takes_out_no_entry_of_another(self):
        self.begin()
        self.drive.stop()
        self.fake.head["schema"] = "2"
        for run, theirs in (("f" * 16, json.dumps({"run": "f" * 16, "grace_ms": 0, "drain_ms": 0})), ("?", '{"format": 2}')):
            self.fake.nodes[self.node], self.fake.beats[self.node] = theirs, OTHER
            self.drive.start()
            wait_for("it refuses", 5, lambda: re.search(f"run={re.escape(run)} why=.it is another process now", read(self.drive.log)))
            time.sleep(1.2)
            self.assertEqual((self.fake.nodes[self.node], self.fake.beats[self.node]), (theirs, OTHER))
            self.drive.stop()
        self.drive.start()
        self.fake.head["schema"] = "1"

    def test_who_is_not_in_the_roster_remembers_nothing(self):
        self.begin(head={"lease_ms": "60000"})
        self.fake.echo = threading.Event()
        self.fake.nodes.clear()
        self.drive.wait_trouble("is not in the roster any more")
        self.assertEqual(self.memory(), "none", "no writer waits for it")
        self.fake.echo.set()
        self.drive.ask_until("ann@example.org", owner="old")

    def test_a_beat_that_nobody_can_read_is_somebody_elses(self):
        self.begin()
        self.drive.stop()
        os.unlink(os.path.join(self.drive.state_dir, "nodes", "drive-0"))
        self.fake.beats[self.node] = "what"
        begun = time.monotonic()
        self.drive.start().wait_trouble("was another process")
        self.drive.wait_live(15)
        self.assertGreater(time.monotonic() - begun, 4.9)
