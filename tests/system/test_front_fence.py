"""After a confirmed change no login front has a session, or a login, at the former owner: on two hosts with three workers each, beside a policyd.

Accounts are flipped at full speed, and held, while clients come and go. Whether
somebody is at a server is told by the servers themselves (tests/lab/watched.py),
which the fencer (tests/lab/fence.py) asks all the time, as it asks policyd. Fronts
that lack a part of the fence must be caught.
"""

import json
import os
import random
import sys
import time
from types import SimpleNamespace

from lab import FULL, LabCase, Redis, wait_for
from lab.clients import Socketmap
from lab.core import TOP, Process
from lab.fence import Fencer, Node, by_node
from lab.front import Frontd

ACCOUNTS, CLIENTS, WORKERS = 10, 60, 3
SECONDS = 60 if FULL else 10
LEASE_MS = 10000  # nobody is to be confirmed by time
SIDES = ("old", "new")
LOOKS = 10  # at the servers, after each confirmation
WATCHED = os.path.join(TOP, "tests", "lab", "watched.py")


class Front(Frontd):
    def services(self, home):
        return [{"protocol": "imap", "addresses": [f"inet:127.0.0.1:{home.port}"], "tls": "none", "trusted": True, "caller": "none"}]


class FenceCase(LabCase):
    fronts = {"one": "splitmx-frontd", "two": "splitmx-frontd"}  # host -> program
    slow_ms = 10  # a server takes up to so long to close

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = {side: SimpleNamespace(name=side, port=cls.lab.port(), socket=cls.lab.path(side, "s")) for side in SIDES}
        cls.watched("homes", cls.slow_ms, *[f"{home.name}:{home.port}:{home.socket}" for home in cls.homes.values()]).wait_until(
            "they listen", 20, lambda: all(os.path.exists(home.socket) for home in cls.homes.values()))
        cls.policyd = Node(cls.lab, "policyd", cls.redis, start=False)
        cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.policyd.start()
        cls.hosts = [cls.host(name, binary) for name, binary in cls.fronts.items()]
        cls.fencer = Fencer(cls.lab, {"url": cls.redis.url}, [cls.policyd, *cls.homes.values()])

    @classmethod
    def host(cls, name, binary):
        front = Front(cls.lab, cls.homes, name, cls.redis, {"frontd": {"workers": WORKERS, "max_parked_per_address": 1000}},
                      start=False, init=False)
        front.binary = binary
        front.start()
        return front

    @classmethod
    def watched(cls, *words):
        return Process(cls.lab, words[0], [sys.executable, "-u", WATCHED, *map(str, words)])

    def setUp(self):
        random.seed(f"{type(self).__name__}.{self._testMethodName}")
        for account in self.accounts():
            self.redis.cli("DEL", f"splitmx:owner:{account}", f"splitmx:hold:{account}")
        self.crowd = self.watched("clients", CLIENTS, ACCOUNTS, *[front.ports["imap", "none"] for front in self.hosts])
        self.addCleanup(self.crowd.stop)
        self.watchers = {side: Socketmap(home.socket) for side, home in self.homes.items()}
        for watcher in self.watchers.values():
            self.addCleanup(watcher.close)
        wait_for("clients come in", 20, lambda: any(self.where(account) for account in self.accounts()))

    def accounts(self):
        return [f"fence{i}@example.org" for i in range(ACCOUNTS)]

    def where(self, account):
        """The servers that have a session of it."""
        return [side for side, watcher in self.watchers.items() if watcher.ask("fence", account)[0] == "OK"]

    def heard(self):
        """What the clients heard, how often."""
        self.assertEqual(0, self.crowd.stop(), "a client ended by itself")
        with open(self.crowd.log, encoding="utf-8") as f:
            return json.loads(f.read().splitlines()[-1])


class FullSpeedTest(FenceCase):
    FAIR = {"login a OK", "noop a OK", "noop * BYE [UNAVAILABLE]", "logout a OK", "logout * BYE", "logout * BYE [UNAVAILABLE]"}

    def assertFair(self):
        heard = self.heard()
        self.assertEqual(set(), set(heard) - self.FAIR, heard)
        self.assertGreater(heard["login a OK"], 10 * SECONDS, heard)
        return heard

    def test_flips(self):
        self.fencer.start(f=10000000, a=ACCOUNTS, s=40, d=20)
        time.sleep(SECONDS)
        report = self.fencer.finish()
        heard = self.assertFair()
        samples = by_node(report, "samples")
        self.figures(f"{report['flips']} flips, {report['by_time']} of them confirmed by time, in {SECONDS} s, p50 {report['p50_ms']:.0f} ms, "
                     f"p99 {report['p99_ms']:.0f} ms; {heard['login a OK']} logins; {samples} samples, {report['stale']} stale")
        self.assertEqual((0, [], 0, 0), (report["stale"], report["stale_answers"], report["lost"], report["by_time"]), report)
        self.assertEqual(0, sum(by_node(report, "strange").values()), report)
        self.assertGreater(report["flips"], 5 * SECONDS, report)
        self.assertGreater(min(samples.values()), 10 * SECONDS, report)

    def test_holds(self):
        """By hand, as splitmx-map(7) tells: hold, barrier, perhaps a flip, release."""
        end, rounds, looks = time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < end:
            account = random.choice(self.accounts())
            owner = self.redis.cli("GET", f"splitmx:owner:{account}") or "old"
            self.redis.cli("SET", f"splitmx:hold:{account}", "all:lab", "EX", 600)
            self.hosts[0].splitmx("barrier", account)
            looks += self.look(account, [])
            if random.random() < 0.7:
                owner = "new" if owner == "old" else "old"
                self.hosts[1].splitmx("set", account, owner, "--force")
                looks += self.look(account, [])
            self.redis.cli("DEL", f"splitmx:hold:{account}")
            wait_for("somebody is there again", 20, lambda a=account, o=owner: self.where(a) == [o])
            looks += self.look(account, [owner])
            rounds += 1
        heard = self.assertFair()
        self.figures(f"{rounds} holds in {SECONDS} s, {looks} looks at the servers; {heard['login a OK']} logins")
        self.assertGreater(rounds, SECONDS / 4)

    def look(self, account, allowed):
        for _ in range(LOOKS):
            self.assertEqual([], [side for side in self.where(account) if side not in allowed], account)
        return LOOKS


class CaughtTest(FenceCase):
    """Fronts that lack a part of the fence."""

    slow_ms = 60

    def assertCaught(self):
        report = self.fencer.start(f=200 if FULL else 50, a=ACCOUNTS, s=40, d=40).wait(120)
        stale = by_node(report, "stale")
        self.figures(f"{report['flips']} flips, stale: {stale}")
        self.assertEqual(1, report["status"], report)
        self.assertGreater(sum(stale[side] for side in SIDES), 0, report)
        self.assertEqual(0, stale["policyd"], report)


class WithoutClaimsTest(CaughtTest):
    fronts = {"one": "splitmx-frontd", "careless": "tests/system/frontd-without-claims"}

    def test_sessions_that_nobody_ends_are_caught(self):
        self.assertCaught()


class WithoutWaitTest(CaughtTest):
    # Both of them: one that waits would mostly wait for as long as the other should.
    fronts = {"hasty": "tests/system/frontd-without-wait", "hastier": "tests/system/frontd-without-wait"}

    def test_an_acknowledgement_before_the_end_is_caught(self):
        self.assertCaught()

