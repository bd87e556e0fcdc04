"""The map client, the commands, and sentinels that say what a test wants; the Redis servers are real."""

import os
import re
import unittest

from mapdrive import Drive, needs_redis
from sentinels import NOBODY, FakeSentinel, address
from test_map import fill

from lab.case import LabCase
from lab.core import wait_for
from lab.policyd import conf_file, splitmx
from lab.redis import Redis
from lab.redis_group import Sentinel


def settings(*sentinels, **more):
    return {"sentinels": [s if isinstance(s, str) else s.address for s in sentinels], "sentinel_master": "splitmx", **more}


def session(drive):
    link = drive.status()["link"]
    return link["state"], link["server"].split(" ")[0], link["sessions"]


def wait_session(drive, redis, seconds=10):
    wanted = ("live", f"inet:127.0.0.1:{redis.tcp_port}")
    wait_for(f"a session with {wanted[1]}", seconds, lambda: session(drive)[:2] == wanted, [drive.log])


def log_of(drive):
    with open(drive.log, encoding="utf-8") as f:
        return f.read()


@needs_redis
class Answers(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, tcp=True, options={"bind": "127.0.0.1 -::1"})
        fill(cls.redis)
        cls.replica = Redis(cls.lab, name="replica", tcp=True, options={"replicaof": f"127.0.0.1 {cls.redis.tcp_port}"})
        cls.good = FakeSentinel(cls.lab, address("127.0.0.1", cls.redis.tcp_port))
        cls.count = 0

    def drive(self, **options):
        Answers.count += 1
        drive = Drive(self.lab, name=f"d{self.count}", **options)
        self.addCleanup(drive.stop)
        return drive

    def follows(self, *sentinels, **more):
        drive = self.drive(redis=settings(*sentinels, **more))
        self.assertEqual(drive.ask_until("ann@example.org", verdict="found")["owner"], "new")
        return drive

    ROWS = (("an unknown master", NOBODY, "does not know it"),
            ("no such master", b"-IDONTKNOW No such master with that name\r\n", "IDONTKNOW"),
            ("no rights", b"-NOPERM this user has no permissions\r\n", "NOPERM"),
            ("silent", None, "has not answered within 200 ms"),
            ("closing", b"", "closed the connection"),
            ("OK", b"+OK\r\n", "answered with no address"),
            ("half of an address", b"*1\r\n$9\r\n127.0.0.1\r\n", "answered with no address"),
            ("half of an answer", b"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n63", "has not answered within 200 ms"),
            ("port 0", address("127.0.0.1", 0), "a port is a number"),
            ("an impossible host", address("a b", 6379), "no host name or address"))

    def test_A12_A13_a_sentinel_that_is_of_no_help_is_passed_over(self):
        for title, answer, _ in self.ROWS + (("no Redis", b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
                                             ("two answers", address("a", 1) * 2, "")):
            with self.subTest(title):
                bad = FakeSentinel(self.lab, answer)
                self.follows(bad, self.good)
                self.assertGreaterEqual(bad.questions, 1)
                bad.close()
        self.follows(f"127.0.0.1:{self.lab.port()}", self.good)

    def test_A12_A13_what_each_has_said_stands_in_the_reason(self):
        for i in range(0, len(self.ROWS), 2):
            rows = self.ROWS[i:i + 2]
            with self.subTest(rows[0][0]):
                bad = [FakeSentinel(self.lab, answer) for _, answer, _ in rows]
                drive = self.drive(redis=settings(*bad), question_timeout=700)
                answer = drive.ask("ann@example.org")
                self.assertEqual(answer["verdict"], "temp")
                self.assertIn("no sentinel says where the master splitmx is", answer["reason"])
                for sentinel, (_, _, says) in zip(bad, rows):
                    self.assertIn(f"Sentinel at inet:{sentinel.address}", answer["reason"])
                    self.assertIn(says, answer["reason"])
                    sentinel.close()
        refused = f"127.0.0.1:{self.lab.port()}"
        drive = self.drive(redis=settings(refused), question_timeout=300)
        self.assertIn(f"cannot connect to inet:{refused}", drive.ask("ann@example.org")["reason"])

    def test_a_sentinel_of_yesterday_that_names_a_replica(self):
        stale = FakeSentinel(self.lab, address("127.0.0.1", self.replica.tcp_port))
        self.follows(stale, self.good)
        self.assertGreaterEqual(stale.questions, 1)

    def test_a_sentinel_of_yesterday_that_names_nobody_any_more(self):
        stale = FakeSentinel(self.lab, address("127.0.0.1", self.lab.port()))
        self.follows(stale, self.good)
        self.assertGreaterEqual(stale.questions, 1)

    def test_a_replica_is_never_taken_for_the_master(self):
        stale = FakeSentinel(self.lab, address("127.0.0.1", self.replica.tcp_port))
        drive = self.drive(redis=settings(stale, stale.address), question_timeout=400)
        answer = drive.ask("ann@example.org")
        self.assertEqual(answer["verdict"], "temp")
        self.assertIn("Redis is a slave: redis.url or redis.sentinels must lead to the master", answer["reason"])
        stale.answer = address("127.0.0.1", self.redis.tcp_port)
        drive.ask_until("ann@example.org", owner="new")

    def test_host_names_and_IPv6(self):
        drive = self.follows(FakeSentinel(self.lab, address("localhost", self.redis.tcp_port)))
        self.assertEqual(session(drive)[1], f"inet:localhost:{self.redis.tcp_port}")
        if has_ipv6():
            drive = self.follows(FakeSentinel(self.lab, address("::1", self.redis.tcp_port)))
            self.assertEqual(session(drive)[1], f"inet:[::1]:{self.redis.tcp_port}")

    def test_tls_is_for_the_sentinels_and_for_redis(self):
        cert, key = self.lab.path("tls", "cert.pem"), self.lab.path("tls", "key.pem")
        self.lab.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=redis.test", "-addext", "subjectAltName=DNS:redis.test,IP:127.0.0.1",
                      "-keyout", key, "-out", cert])
        redis = Redis(self.lab, name="tls", tls=(cert, key, cert))
        fill(redis)
        names = address("127.0.0.1", redis.tls_port)
        good, clear = FakeSentinel(self.lab, names, tls=(cert, key)), FakeSentinel(self.lab, names)
        self.follows(good, sentinel_tls=True, tls={"ca_file": cert})
        self.follows(good, sentinel_tls=True, tls={"ca_file": cert, "server_name": "redis.test"})
        for sentinel, tls in ((good, {"ca_file": cert, "server_name": "other.test"}), (good, {}), (clear, {"ca_file": cert})):
            drive = self.drive(redis=settings(sentinel, sentinel_tls=True, tls=tls), question_timeout=500)
            answer = drive.ask("ann@example.org")
            self.assertEqual(answer["verdict"], "temp")
            self.assertIn("no sentinel says", answer["reason"])


def has_ipv6():
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as f:
            return "00000000000000000000000000000001 " in f.read()
    except OSError:
        return False


@needs_redis
class Announcements(LabCase):
    """Two masters with the same map; the session is with the first."""

    def setUp(self):
        self.name = self._testMethodName.removeprefix("test_")[:30]
        self.masters = [Redis(self.lab, name=f"{self.name}-{i}", tcp=True) for i in range(2)]
        for redis in self.masters:
            self.addCleanup(redis.stop)
            fill(redis)
        self.masters[1].cli("SET", "splitmx:owner:ann@example.org", "old")
        self.sentinel = FakeSentinel(self.lab, self.names(0))
        self.addCleanup(self.sentinel.close)

    def names(self, i):
        return address("127.0.0.1", self.masters[i].tcp_port)

    def switch(self, name="splitmx", to=1):
        ports = [m.tcp_port for m in self.masters]
        return f"{name} 127.0.0.1 {ports[1 - to]} 127.0.0.1 {ports[to]}"

    def drive(self, *sentinels, **more):
        drive = Drive(self.lab, name=self.name, redis=settings(*(sentinels or [self.sentinel]), **more))
        self.addCleanup(drive.stop)
        wait_session(drive, self.masters[0])
        return drive

    def test_an_announcement_alone_ends_a_session_with_a_master_that_lives(self):
        drive = self.drive(reconnect_least=30000, reconnect_most=60000)
        drive.ask_until("ann@example.org", owner="new", source="memory")
        before = session(drive)
        self.sentinel.wait_listener()
        for text in (self.switch("other"), self.switch("splitmx2"), "splitmx", "", "splitmx 127.0.0.1 1 127.0.0.1 x",
                     self.switch(to=0)):
            self.sentinel.announce(text)
        self.sentinel.answer = self.names(1)
        drive.ask_until("bob@example.org", owner="old", source="memory")
        self.assertEqual(session(drive), before, "the others were not for us, or said what we know")
        self.sentinel.announce(self.switch())
        wait_session(drive, self.masters[1])  # without the pause of 30 s
        self.assertEqual(session(drive)[2], before[2] + 1)
        drive.ask_until("ann@example.org", owner="old")
        self.assertEqual(self.masters[0].cli("ROLE").split("\n")[0], "master")

    def test_the_one_that_announced_is_asked_first(self):
        stale = FakeSentinel(self.lab, self.names(0))
        self.addCleanup(stale.close)
        drive = self.drive(stale, self.sentinel)
        stale.refuse["SUBSCRIBE"] = b"-NOPERM no\r\n"
        stale.drop()
        self.sentinel.wait_listener()
        self.sentinel.answer = self.names(1)
        self.sentinel.announce(self.switch())
        wait_session(drive, self.masters[1])
        self.assertEqual(session(drive)[2], 2)

    def test_after_a_session_another_sentinel_is_asked(self):
        cut_off = FakeSentinel(self.lab, self.names(0))
        self.addCleanup(cut_off.close)
        self.sentinel.answer = self.names(1)
        drive = self.drive(cut_off, self.sentinel)
        self.masters[0].cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_session(drive, self.masters[1])
        self.assertEqual((session(drive)[2], cut_off.questions), (2, 1))

    def test_an_announcement_ends_a_pause(self):
        drive = self.drive(reconnect_least=60000, reconnect_most=60000)
        self.sentinel.wait_listener()
        self.masters[0].kill()
        drive.wait_trouble("closed the connection")
        self.assertEqual(session(drive)[0], "away")
        self.sentinel.answer = self.names(1)
        self.sentinel.announce(self.switch())
        wait_session(drive, self.masters[1])

    def test_nothing_hangs_on_the_sentinel_that_is_listened_to(self):
        drive = self.drive()
        before = session(drive)
        self.sentinel.wait_listener().close()
        wait_for("it is noticed", 5, lambda: "sentinel_lost" in log_of(drive))
        drive.ask_until("ann@example.org", owner="new", source="memory")
        self.sentinel.open()
        self.sentinel.wait_listener()
        self.sentinel.drop()
        self.sentinel.wait_listener()
        self.assertEqual(session(drive), before)
        self.sentinel.answer = self.names(1)
        self.sentinel.announce(self.switch())
        wait_session(drive, self.masters[1])

    def test_A12_a_sentinel_that_stops_talking_is_left_for_another(self):
        other = FakeSentinel(self.lab, self.names(0))
        self.addCleanup(other.close)
        self.sentinel.refuse["PING"] = other.refuse["PING"] = b""  # neither says PONG
        self.drive(self.sentinel, other)
        for sentinel in (self.sentinel, other):
            sentinel.wait_listener(30)


@needs_redis
class Users(LabCase):
    def test_what_a_sentinel_must_allow(self):
        redis = Redis(self.lab, tcp=True)
        fill(redis)
        acl = ("requirepass everything", "user splitmx on >sesame resetkeys resetchannels &+switch-master -@all +auth +ping "
               "+subscribe +client|setname +sentinel|get-master-addr-by-name")
        sentinel = Sentinel(self.lab, "locked", redis, 1, 1000, 10000, acl)
        good, bad = self.lab.write("good", "sesame\n", 0o600), self.lab.write("bad", "wrong\n", 0o600)
        rows = (("u1", {}, "wants a password, set redis.sentinel_password_file"),
                ("u2", {"sentinel_user": "splitmx", "sentinel_password_file": bad},
                 "refuses redis.sentinel_user and redis.sentinel_password_file"),
                ("u3", {"sentinel_user": "splitmx", "sentinel_password_file": good}, None))
        for name, more, reason in rows:
            with self.subTest(name):
                drive = Drive(self.lab, name=name, redis=settings(sentinel, **more), question_timeout=500)
                if reason:
                    self.assertIn(reason, drive.ask("ann@example.org")["reason"])
                else:
                    wait_session(drive, redis)
                    wait_for("it listens", 10, lambda: re.search("name=splitmx-hear .* sub=1 ", sentinel.cli(
                        "CLIENT", "LIST", password="everything")))
                drive.stop()
                log = log_of(drive)
                self.assertNotIn("sesame", log)
                self.assertEqual("sentinel_lost" in log, reason is not None, log)

    def test_a_user_without_a_password_is_a_mistake(self):
        drive = Drive(self.lab, name="u4", redis=settings("127.0.0.1:1", sentinel_user="splitmx"))
        drive.popen.wait(5)
        self.assertEqual(drive.stop(), 78)
        self.assertIn("redis.sentinel_user is set, and redis.sentinel_password_file is not", log_of(drive))


@needs_redis
class Commands(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, tcp=True)
        fill(cls.redis)
        cls.replica = Redis(cls.lab, name="replica", tcp=True, options={"replicaof": f"127.0.0.1 {cls.redis.tcp_port}"})

    def run_splitmx(self, *words, sentinels, **more):
        config = self.lab.write("splitmx.conf", conf_file({
            "run_dir": self.lab.path("run"), "state_dir": os.path.dirname(self.lab.path("state", "x")), "user": "", "group": "",
            "redis": settings(*sentinels, **more), "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"new": "lmtp:a", "old": "relay:b"}}]}))
        return splitmx(self.lab, config, *words, check=False)

    def names(self, redis):
        return address("127.0.0.1", redis.tcp_port)

    def test_a_command_follows_a_failover_that_is_under_way(self):
        gone = address("127.0.0.1", self.lab.port())
        moving = FakeSentinel(self.lab, [gone, self.names(self.replica), NOBODY, self.names(self.redis)])
        done = self.run_splitmx("explain", "ann@example.org", sentinels=[moving])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("new", done.stdout)
        self.assertEqual(moving.questions, 4)

    def test_a_command_asks_the_next_sentinel(self):
        stale, good = FakeSentinel(self.lab, self.names(self.replica)), FakeSentinel(self.lab, self.names(self.redis))
        done = self.run_splitmx("list", sentinels=[stale, good])
        self.assertEqual((done.returncode, stale.questions), (0, 1), done.stderr)

    def test_it_gives_up_and_says_why(self):
        nobody, replica = FakeSentinel(self.lab, NOBODY), FakeSentinel(self.lab, self.names(self.replica))
        done = self.run_splitmx("list", sentinels=[nobody, f"127.0.0.1:{self.lab.port()}"])
        self.assertEqual(done.returncode, 75)
        self.assertIn(f"Sentinel at inet:{nobody.address} does not know it", done.stderr)
        self.assertIn("cannot connect to inet:127.0.0.1", done.stderr)
        self.assertGreaterEqual(nobody.questions, 5)
        done = self.run_splitmx("set", "ann@example.org", "old", "--force", "--yes", sentinels=[replica])
        self.assertEqual(done.returncode, 75)
        self.assertIn("must lead to the master", done.stderr)

    def test_check_says_who_is_the_master(self):
        good, nobody = FakeSentinel(self.lab, self.names(self.redis)), FakeSentinel(self.lab, NOBODY)
        done = self.run_splitmx("check", "--live", sentinels=[good])
        self.assertIn(f"ok     redis     inet:127.0.0.1:{self.redis.tcp_port} (master splitmx by sentinel): map ", done.stdout)
        done = self.run_splitmx("check", "--live", sentinels=[nobody])
        self.assertIn("FAILS  redis     no sentinel says where the master splitmx is: Sentinel at", done.stdout)
        self.assertNotEqual(done.returncode, 0)

    def test_no_redis_of_our_own_is_started(self):
        self.run_splitmx("list", sentinels=[FakeSentinel(self.lab, NOBODY)])
        self.assertFalse(os.path.exists(self.lab.path("state", "redis.sock")))


if __name__ == "__main__":
    unittest.main()
