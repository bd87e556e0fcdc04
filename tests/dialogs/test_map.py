"""The map client and a real Redis: what is seen, how soon, and what happens when Redis is not there."""

import os
import signal
import socket
import time

from mapdrive import HEAD, MAPDRIVE, Drive, needs_redis, raw_set

from lab.case import LabCase
from lab.core import process_is_alive, wait_for
from lab.redis import Redis


def fill(redis, lease_ms=15000, **head):
    redis.cli("HSET", "splitmx.map", *[w for pair in {**HEAD, "lease_ms": lease_ms, **head}.items() for w in pair])
    redis.cli("SET", "splitmx:owner:@example.org", "old")
    redis.cli("SET", "splitmx:owner:ann@example.org", "new")


@needs_redis
class Answers(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        fill(cls.redis)
        cls.drive = Drive(cls.lab, cls.redis.url, domains=["floor.org"]).wait_complete()
        cls.asker = Drive(cls.lab, cls.redis.url, name="asker", domains=["floor.org"], cache={"preload": 0}).wait_complete()

    def test_records_and_where_they_come_from(self):
        first = self.drive.ask("ann@example.org")
        self.assertEqual((first["verdict"], first["owner"], first["matched"]), ("found", "new", "owner:ann@example.org"))
        again = self.drive.ask("ann@example.org")
        self.assertEqual((again["owner"], again["source"], again["epoch"]), ("new", "memory", 5))
        self.assertEqual(self.drive.ask("bob+x@example.org")["owner"], "old")
        self.assertEqual(self.drive.ask("x@gmail.com")["verdict"], "absent")
        self.assertEqual(self.drive.ask("x@floor.org")["verdict"], "temp")
        self.assertEqual([self.drive.domain(d) for d in ("example.org", "floor.org", "gmail.com")], ["found", "found", "absent"])

    def test_a_set_is_seen_in_milliseconds(self):
        times = []
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.redis.socket)
            for i in range(200):
                owner = ("old", "new")[i % 2]
                done = raw_set(sock, "splitmx:owner:fast@example.org", owner)
                while self.drive.ask("fast@example.org")["owner"] != owner:
                    self.assertLess(time.monotonic() - done, 2)
                times.append(time.monotonic() - done)
        self.assertLess(sorted(times)[100], 0.05, "half of them")

    def test_everything_that_changes_a_record_is_seen(self):
        cli, ask_until = self.redis.cli, self.drive.ask_until
        cli("SET", "splitmx:owner:eve@example.org", "new")
        ask_until("eve@example.org", owner="new", hold="")
        cli("SET", "splitmx:hold:eve@example.org", "mail:1", "PX", "300")
        ask_until("eve@example.org", hold="mail")
        ask_until("eve@example.org", hold="")  # expired by itself
        cli("RENAME", "splitmx:owner:eve@example.org", "splitmx:owner:kim@example.org")
        ask_until("kim@example.org", owner="new")
        ask_until("eve@example.org", owner="old")
        cli("SET", "splitmx:login:boss@example.org", "kim@example.org")
        ask_until("boss@example.org", owner="new", account="kim@example.org")
        cli("DEL", "splitmx:owner:kim@example.org")
        ask_until("boss@example.org", owner="old")
        cli("SET", "splitmx:owner:@example.org", "new")
        ask_until("zoe@example.org", owner="new")
        cli("SET", "splitmx:owner:@example.org", "old")
        ask_until("zoe@example.org", owner="old")

    def test_domains_come_and_go(self):
        self.assertEqual(self.drive.ask("a@later.org")["verdict"], "absent")
        self.redis.cli("SET", "splitmx:owner:@later.org", "new")
        self.drive.ask_until("a@later.org", owner="new")
        wait_for("managed", 5, lambda: self.drive.domain("later.org") == "found")
        self.redis.cli("DEL", "splitmx:owner:@later.org")
        self.drive.ask_until("a@later.org", verdict="absent", source="memory")
        self.assertEqual(self.drive.domain("later.org"), "absent")

    def test_a_login_name_is_what_its_login_key_says(self):
        first = self.asker.ask("Alice")
        self.assertEqual((first["verdict"], first["account"], first["source"]), ("absent", "alice", "redis"))
        for drive in (self.asker, self.drive):  # the latter has a copy of the map
            with self.subTest(drive=drive.name):
                self.login_name_is_followed(drive)

    def login_name_is_followed(self, drive):
        cli, ask_until = self.redis.cli, drive.ask_until
        self.assertEqual(drive.ask("example.org")["verdict"], "absent")  # a login too, and no domain
        ask_until("alice", verdict="absent", source="memory")
        cli("SET", "splitmx:login:alice", "ann@example.org")
        found = ask_until("alice", verdict="found")
        self.assertEqual((found["owner"], found["account"], found["matched"]), ("new", "ann@example.org", "owner:ann@example.org"))
        self.assertEqual(drive.ask("ALICE")["source"], "memory")
        cli("SET", "splitmx:login:alice", "zed+x@example.org")
        ask_until("alice", owner="old", account="zed@example.org", matched="owner:@example.org")
        cli("SET", "splitmx:owner:zed+x@example.org", "new")  # an extension that is an account now
        ask_until("alice", owner="new", account="zed+x@example.org")
        cli("DEL", "splitmx:owner:zed+x@example.org")
        ask_until("alice", owner="old", account="zed@example.org")
        cli("SET", "splitmx:owner:zed@example.org", "new")
        ask_until("alice", owner="new")
        cli("SET", "splitmx:hold:zed@example.org", "all:1", "PX", "300")
        ask_until("alice", hold="all", owner="new")
        ask_until("alice", hold="")  # expired by itself
        cli("SET", "splitmx:hold:alice", "all:1", "PX", "300000")
        cli("SET", "splitmx:owner:alice", "old")  # such names have none
        ask_until("alice", hold="", owner="new", source="memory")
        cli("DEL", "splitmx:hold:alice", "splitmx:owner:alice", "splitmx:owner:zed@example.org")
        cli("DEL", "splitmx:login:alice")
        ask_until("alice", verdict="absent", account="alice")
        ask_until("alice", verdict="absent", source="memory")

    def test_A12_a_login_name_that_leads_nowhere_is_trouble_and_no_default(self):
        for drive in (self.asker, self.drive):
            with self.subTest(drive=drive.name):
                self.login_name_leads_nowhere(drive)

    def login_name_leads_nowhere(self, drive):
        cli, ask_until = self.redis.cli, drive.ask_until
        for value in ("x@elsewhere.org", "ann", "@example.org", "ann@example.org\n", ""):
            cli("SET", "splitmx:login:eric", value)
            answer = ask_until("eric", verdict="temp")
            self.assertIn("splitmx:login:eric", answer["reason"], value)
            cli("SET", "splitmx:login:eric", "ann@example.org")
            ask_until("eric", owner="new")
        cli("SET", "splitmx:login:eric", "x@later2.org")
        ask_until("eric", verdict="temp")
        cli("SET", "splitmx:owner:@later2.org", "new")
        ask_until("eric", owner="new", account="x@later2.org")
        cli("DEL", "splitmx:owner:@later2.org")
        ask_until("eric", verdict="temp")
        cli("SET", "splitmx:login:eric", "x@floor.org")
        self.assertIn("splitmx:owner:@floor.org", ask_until("eric", verdict="temp", matched="owner:@floor.org")["reason"])
        cli("DEL", "splitmx:login:eric")
        cli("LPUSH", "splitmx:login:eric", "ann@example.org")
        self.assertIn("is not a string", ask_until("eric", verdict="temp", matched="login:eric")["reason"])
        cli("DEL", "splitmx:login:eric")
        ask_until("eric", verdict="absent")

    def test_A12_a_wrong_type_is_trouble_for_that_record_only(self):
        self.redis.cli("LPUSH", "splitmx:owner:list@example.org", "new")
        answer = self.drive.ask_until("list@example.org", verdict="temp")
        self.assertIn("splitmx:owner:list@example.org is not a string", answer["reason"])
        self.assertEqual(self.drive.ask("ann@example.org")["owner"], "new")
        self.assertIn("splitmx:owner:list@example.org", "".join(self.drive.status()["alarms"]))
        self.redis.cli("DEL", "splitmx:owner:list@example.org")
        self.drive.ask_until("list@example.org", owner="old")

    def test_questions_at_the_same_time_share_one_fetch(self):
        before = self.gets()
        numbers = [self.drive.send("many@example.org") for _ in range(50)]
        answers = [self.drive.take(n) for n in numbers]
        self.assertEqual({a["owner"] for a in answers}, {"old"})
        self.assertLessEqual(self.gets() - before, 10)

    def test_a_login_name_costs_one_read_and_one_more_where_it_leads(self):
        self.redis.cli("SET", "splitmx:login:lone", "ann@example.org")
        wait_for("the copy knows it", 5, lambda: self.drive.status()["preload"]["unknown"] == 0)
        before = self.gets()
        self.assertEqual(self.asker.ask("nobody-yet")["verdict"], "absent")
        self.assertEqual(self.gets() - before, 1)
        numbers = [self.asker.send("lone") for _ in range(50)]
        self.assertEqual({self.asker.take(n)["owner"] for n in numbers}, {"new"})
        self.assertEqual(self.gets() - before, 1 + 1 + 5)  # the login key, and then with it the four of its account: it is known, so none asks for complete keys

    def gets(self):
        line = [x for x in self.redis.cli("INFO", "commandstats").split("\n") if x.startswith("cmdstat_get:")]
        return int(line[0].split("calls=")[1].split(",")[0]) if line else 0

    def test_a_thousand_addresses_at_once(self):
        numbers = [self.drive.send(f"u{i}@example.org") for i in range(1000)]
        self.assertEqual({self.drive.take(n)["owner"] for n in numbers}, {"old"})


@needs_redis
class Sessions(LabCase):
    """Each test ends with Redis as it was: running, with the same map."""

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, aof=True, options={"enable-debug-command": "yes"})
        fill(cls.redis, lease_ms=1200)
        cls.drive = Drive(cls.lab, cls.redis.url).wait_complete()

    def setUp(self):
        self.drive.ask_until("ann@example.org", 15, owner="new", source="memory")

    def kill_client(self, name):
        for line in self.redis.cli("CLIENT", "LIST").split("\n"):
            if f"name={name} " in line:
                self.redis.cli("CLIENT", "KILL", "ID", line.split()[0].split("=")[1])

    def test_any_killed_connection_is_a_new_session_and_nothing_is_missed(self):
        for name in ("splitmx-tracking", "splitmx-data", "splitmx-heart"):
            sessions = self.drive.status()["link"]["sessions"]
            self.kill_client(name)
            self.redis.cli("SET", "splitmx:owner:ann@example.org", "old")
            self.drive.ask_until("ann@example.org", owner="old")
            self.assertGreater(self.drive.status()["link"]["sessions"], sessions)
            self.redis.cli("SET", "splitmx:owner:ann@example.org", "new")
            self.drive.ask_until("ann@example.org", owner="new")

    def test_A12_a_stopped_redis_is_believed_until_the_lease_ends_and_not_longer(self):
        self.redis.freeze()
        frozen = time.monotonic()
        try:
            answer = self.drive.ask("ann@example.org")
            self.assertEqual((answer["owner"], answer["source"]), ("new", "memory"))
            answers = []
            while time.monotonic() - frozen < 1.5:
                answers.append((time.monotonic() - frozen, self.drive.ask("ann@example.org")["verdict"]))
            self.assertEqual(answers[-1][1], "temp")
            late = [t for t, verdict in answers if verdict == "found" and t > 1.25]
            self.assertEqual(late, [], "the lease is 1.2 s")
            begun = time.monotonic()
            self.assertEqual(self.drive.ask("ann@example.org")["verdict"], "temp")
            self.assertLess(time.monotonic() - begun, 1.3)
            self.assertEqual(self.drive.ask("x@gmail.com")["verdict"], "absent")
        finally:
            self.redis.thaw()
        self.drive.ask_until("ann@example.org", owner="new")

    def test_A12_killed_and_restarted(self):
        self.redis.kill()
        answer = self.drive.ask("ann@example.org")
        self.assertEqual((answer["owner"], answer["source"]), ("new", "memory"))
        self.assertEqual(self.drive.ask("x@gmail.com")["verdict"], "absent")
        answer = self.drive.ask_until("ann@example.org", verdict="temp")
        self.assertIn("cannot connect", answer["reason"])
        waiting = self.drive.send("ann@example.org")
        self.redis.start()
        self.assertEqual(self.drive.take(waiting)["owner"], "new", "it waited for the next session")

    def test_A14_an_emptied_redis_is_no_answer(self):
        try:
            self.redis.cli("FLUSHALL")
            answers = [self.drive.ask(a) for a in ("ann@example.org", "bob@example.org")]
            answers.append(self.drive.ask_until("ann@example.org", verdict="temp"))  # a busy machine hears of it later
            self.assertEqual({a["verdict"] for a in answers if a["source"] != "memory"}, {"temp"}, answers)
            self.assertNotIn("absent", [a["verdict"] for a in answers])
            self.assertIn("run splitmx init", answers[2]["reason"])
            wait_for("an alarm", 5, lambda: "the map is not initialised" in "".join(self.drive.status()["alarms"]))
        finally:
            fill(self.redis, lease_ms=1200, epoch=20)
        self.drive.ask_until("ann@example.org", owner="new")

    def test_A14_a_map_that_went_back_is_refused(self):
        self.redis.cli("HSET", "splitmx.map", "epoch", "19")
        wait_for("the epoch", 5, lambda: self.drive.status()["link"]["epoch"] == 19)
        self.redis.cli("HSET", "splitmx.map", "epoch", "18")
        answer = self.drive.ask_until("ann@example.org", verdict="temp")
        self.assertIn("the map went back", answer["reason"])
        self.assertIn("the map went back", "".join(self.drive.status()["alarms"]))
        other = Drive(self.lab, self.redis.url, name="drive2", start=False)
        with open(os.path.join(self.drive.state_dir, "identity"), encoding="ascii") as f:
            text = f.read()
        self.assertEqual(text, f"id {HEAD['id']}\nepoch 19\n")
        with open(os.path.join(other.state_dir, "identity"), "w", encoding="ascii") as f:
            f.write(text)
        other.start()
        self.assertIn("the map went back", other.ask("ann@example.org")["reason"], "another process knows it from the file")
        other.stop()
        self.redis.cli("HSET", "splitmx.map", "epoch", "19")
        self.drive.ask_until("ann@example.org", owner="new")
        self.assertEqual(self.drive.status()["alarms"], [])

    def test_A14_another_map_is_refused(self):
        self.redis.cli("HSET", "splitmx.map", "id", "other")
        answer = self.drive.ask_until("ann@example.org", verdict="temp")
        self.assertIn("another map", answer["reason"])
        self.assertRegex(answer["reason"], 'look with "splitmx doctor".*remove')
        self.assertIn("another map", "".join(self.drive.status()["alarms"]))
        self.redis.cli("HSET", "splitmx.map", "id", HEAD["id"])
        self.drive.ask_until("ann@example.org", owner="new")

    def test_A12_a_master_that_becomes_a_replica(self):
        self.redis.cli("REPLICAOF", "127.0.0.1", "1")
        answer = self.drive.ask_until("ann@example.org", verdict="temp")
        self.assertIn("redis.url or redis.sentinels must lead to the master", answer["reason"])
        self.redis.cli("REPLICAOF", "NO", "ONE")
        self.drive.ask_until("ann@example.org", owner="new")

    def test_A12_a_redis_that_evicts_keys_is_not_believed(self):
        self.redis.cli("CONFIG", "SET", "maxmemory", "1gb", "maxmemory-policy", "allkeys-lru")
        self.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        answer = self.drive.ask_until("never-asked-either@example.org", verdict="temp")
        self.assertIn("maxmemory-policy", answer["reason"])
        self.redis.cli("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")
        self.drive.ask_until("never-asked-either@example.org", owner="old")

    def test_A12_a_redis_that_is_slow(self):
        drive = Drive(self.lab, self.redis.url, name="slow", cache={"preload": 0}).wait_complete()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.redis.socket)
            sock.sendall(b"DEBUG SLEEP 2\r\n")
            time.sleep(0.1)
            begun = time.monotonic()
            self.assertEqual(drive.ask("never-asked@example.org")["verdict"], "temp")
            self.assertLess(time.monotonic() - begun, 1.3)
            sock.recv(100)
        drive.ask_until("never-asked@example.org", owner="old")
        drive.stop()


@needs_redis
class Doors(LabCase):
    def test_A12_a_map_that_is_not_initialised(self):
        redis = Redis(self.lab, name="bare")
        drive = Drive(self.lab, redis.url, name="d1", question_timeout=300)
        self.assertIn("run splitmx init", drive.ask("ann@example.org")["reason"])
        fill(redis)
        drive.ask_until("ann@example.org", owner="new")
        drive.stop()

    def test_A12_passwords(self):
        redis = Redis(self.lab, name="locked", password="sesame-1",
                      acl=["user default on >sesame-1 ~* &* +@all", "user reader on >sesame-2 resetkeys resetchannels "
                           "%R~splitmx:* %R~splitmx.map %RW~splitmx.nodes %RW~splitmx.beats &__redis__:invalidate &splitmx.barrier "
                           "&splitmx.ack -@all +hello +auth +ping +client|id +client|setname +client|tracking +subscribe "
                           "+unsubscribe +publish +get +exists +scan +hget +hset +hdel +hgetall +multi +exec +watch +unwatch +wait +info +role"])
        fill(redis)
        good, bad, reader = [self.lab.write(name, text + "\n", 0o600) for name, text in
                             (("good", "sesame-1"), ("bad", "wrong"), ("reader", "sesame-2"))]
        rows = [("n1", {}, "set redis.password_file"), ("n2", {"password_file": bad}, "refuses redis.user"),
                ("n3", {"password_file": good}, None), ("n4", {"user": "reader", "password_file": reader}, None),
                ("n5", {"user": "reader", "password_file": good}, "refuses redis.user")]
        for name, settings, reason in rows:
            with self.subTest(name):
                drive = Drive(self.lab, redis.url, name=name, redis=settings, question_timeout=400)
                answer = drive.ask("ann@example.org")
                if reason:
                    self.assertEqual(answer["verdict"], "temp")
                    self.assertIn(reason, answer["reason"])
                else:
                    self.assertEqual(answer["owner"], "new")
                    self.redis_change_is_seen(redis, drive)
                drive.stop()
                with open(drive.log, encoding="utf-8") as f:
                    log = f.read()
                self.assertNotIn("sesame", log)
                self.assertNotIn("wrong\"", log)

    def redis_change_is_seen(self, redis, drive):
        redis.cli("SET", "splitmx:owner:ann@example.org", "old")
        drive.ask_until("ann@example.org", owner="old")
        redis.cli("SET", "splitmx:owner:ann@example.org", "new")
        drive.ask_until("ann@example.org", owner="new")

    def test_a_password_that_everybody_may_read_is_refused(self):
        path = self.lab.write("open", "secret\n", 0o644)
        drive = Drive(self.lab, "unix:///nowhere", name="d2", redis={"password_file": path})
        drive.popen.wait(5)
        self.assertEqual(drive.stop(), 78)
        with open(drive.log, encoding="utf-8") as f:
            self.assertIn("readable by everybody", f.read())

    def test_tcp_and_tls(self):
        cert, key = self.lab.path("tls", "cert.pem"), self.lab.path("tls", "key.pem")
        self.lab.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=redis.test", "-addext", "subjectAltName=DNS:redis.test,IP:127.0.0.1",
                      "-keyout", key, "-out", cert])
        redis = Redis(self.lab, name="tls", tcp=True, tls=(cert, key, cert))
        fill(redis)
        url = f"rediss://127.0.0.1:{redis.tls_port}"
        rows = [("t1", redis.tcp_url, {}, True), ("t2", url, {"ca_file": cert}, True),
                ("t3", url, {"ca_file": cert, "server_name": "redis.test"}, True),
                ("t4", url, {"ca_file": cert, "server_name": "other.test"}, False), ("t5", url, {}, False)]
        for name, where, tls, is_good in rows:
            with self.subTest(name):
                drive = Drive(self.lab, where, name=name, redis={"tls": tls}, question_timeout=500)
                if is_good:
                    self.assertEqual(drive.ask_until("ann@example.org", verdict="found")["owner"], "new")
                    self.redis_change_is_seen(redis, drive)
                else:
                    answer = drive.ask("ann@example.org")
                    self.assertEqual(answer["verdict"], "temp")
                    self.assertRegex(answer["reason"], "certificate|verify|hostname")
                drive.stop()

    def test_A12_nobody_listens(self):
        drive = Drive(self.lab, f"redis://127.0.0.1:{self.lab.port()}", name="d3", domains=["example.org"])
        begun = time.monotonic()
        answer = drive.ask("ann@example.org")
        self.assertEqual(answer["verdict"], "temp")
        self.assertIn("refused", answer["reason"].lower())
        self.assertLess(time.monotonic() - begun, 1.3)
        self.assertEqual(drive.ask("x@gmail.com")["verdict"], "temp", "the list of domains was never known")
        drive.stop()


@needs_redis
class PrivateRedis(LabCase):
    def pids(self, drive):
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/cwd").startswith(drive.state_dir + "/redis"):
                    found.append(int(name))
            except OSError:
                pass
        return found

    def test_it_is_started_once_and_outlives_who_started_it(self):
        drives = [Drive(self.lab, name="priv", start=False, domains=["example.org"], domains_complete=True) for _ in range(4)]
        for drive in drives:
            drive.start()
        for drive in drives:
            drive.wait_live()
        pids = self.pids(drives[0])
        self.assertEqual(len(pids), 1)
        sock = os.path.join(drives[0].state_dir, "redis.sock")
        self.assertEqual(os.stat(os.path.join(drives[0].state_dir, "redis")).st_mode & 0o777, 0o700)
        fds = [os.readlink(f"/proc/{pids[0]}/fd/{fd}") for fd in os.listdir(f"/proc/{pids[0]}/fd")]
        self.assertFalse([f for f in fds if "redis.lock" in f or "priv.log" in f], fds)
        self.lab.run(["redis-cli", "-s", sock, "SET", "splitmx:owner:ann@example.org", "new"])
        for drive in drives:
            drive.ask_until("ann@example.org", owner="new")
        for drive in drives:
            self.assertEqual(drive.stop(), 0)
        self.assertTrue(process_is_alive(pids[0]))

        os.kill(pids[0], signal.SIGKILL)
        drive = Drive(self.lab, name="priv", domains=["example.org"])
        self.assertEqual(drive.ask_until("ann@example.org", owner="new")["verdict"], "found", "nothing was lost")
        self.lab.run([MAPDRIVE, "--ensure", drive.config])
        self.assertEqual(len(self.pids(drive)), 1)

        # Its data are gone, and this host knows: not a new map.
        os.kill(self.pids(drive)[0], signal.SIGKILL)
        drive.stop()
        self.lab.run(["rm", "-r", os.path.join(drive.state_dir, "redis")])
        done = self.lab.run([MAPDRIVE, "--ensure", drive.config], check=False)
        self.assertEqual(done.returncode, 75)
        self.assertIn("is empty, and this host knows map", done.stderr)
