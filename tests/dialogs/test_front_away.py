"""splitmx-frontd and a Redis that is in trouble: who is known comes home for a while, others hear "later".

Nobody is sent somewhere else.
"""

import contextlib
import re
import socket
import threading
import time
import unittest
from types import SimpleNamespace

from mapdrive import FakeRedis

from lab.black_hole import black_hole
from lab.callers import CALLERS
from lab.case import LabCase
from lab.core import wait_for
from lab.front import Frontd
from lab.imap_script import ImapScript

ANN, BOB = "ann@example.org", "bob@example.org"
LEASE_MS, GRACE_MS, DEADLINE_MS = 600, 900, 300
SLACK_S = 1.5  # of this machine
LATER = {"imap": [b"a NO [UNAVAILABLE] Try again later."], "pop3": [b"-ERR [SYS/TEMP] Try again later."],
         "sieve": [b'NO (TRYLATER) "Try again later."'], "submission": [b"454 4.7.0 Try again later."]}
MOVED = [b"* BYE [UNAVAILABLE] This mailbox is being moved, connect again."]
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


class Mute:
    """A server that says nothing and remembers what it heard."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.heard = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.listen, args=(sock,), daemon=True).start()

    def listen(self, sock):
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(4096):
                self.heard.append(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Away(LabCase):
    """IMAP before two scripted servers; of the other protocols only the words, before servers that must hear nothing."""

    def begin(self, name, url, **settings):
        self.homes = {side: ImapScript(self.lab, f"{name}-{side}") for side in ("old", "new")}
        self.mute = Mute()
        for home in self.homes.values():
            home.ports = {"imap": home.imap_port, "pop3": self.mute.port, "sieve": self.mute.port}
            home.submission = self.mute.port
            self.addCleanup(home.close)
        self.addCleanup(self.mute.close)
        self.front = Frontd(self.lab, self.homes, name, SimpleNamespace(url=url), listen=[(protocol, "none") for protocol in CALLERS],
                            init=False, settings={"frontd": {"end_timeout": 1000}, "question_timeout": DEADLINE_MS,
                                                  "redis": {"connect_timeout": 300, "reconnect_least": 20, "reconnect_most": 200},
                                                  **settings})
        self.addCleanup(self.front.stop)

    def begin_fake(self, name):
        self.fake = FakeRedis(self.lab, name + "-redis")
        self.addCleanup(self.fake.close)
        self.fake.head["lease_ms"] = str(LEASE_MS)
        self.fake.strings.update({"splitmx:owner:@example.org": "old", "splitmx:owner:" + ANN: "new"})
        # Without a copy of the whole map: each question is one to this Redis, and meets its trouble.
        self.begin(name, self.fake.url, grace=GRACE_MS, cache={"preload": 0})

    def call(self, user, protocol="imap"):
        """Has said its login."""
        caller = CALLERS[protocol](self.front.ports[protocol, "none"])
        self.addCleanup(caller.close)
        caller.asked = time.monotonic()
        caller.login(user)
        return caller

    def answered(self, caller):
        """In time."""
        caller.answer()
        self.assertLess(time.monotonic() - caller.asked, DEADLINE_MS / 1000 + SLACK_S, f"{caller.protocol} {caller.user}: {caller.said}")
        return caller

    def log_in(self, user):
        return self.answered(self.call(user))

    def assertLater(self, *callers):
        for caller in callers:
            with self.answered(caller):
                self.assertEqual(LATER[caller.protocol], caller.said)
                if caller.protocol == "imap":  # and the connection goes on
                    self.assertRegex(caller.ask("b NOOP")[-1], b"^b OK")

    def strangers_hear_later(self):
        """In all protocols, at the same time."""
        self.assertLater(*[self.call(f"stranger{time.monotonic_ns()}@example.org", protocol) for protocol in CALLERS])

    def is_in(self, user):
        with self.log_in(user) as caller:
            self.assertIn(caller.said[-1:] if caller.is_in else caller.said, ([b"a OK Logged in"], LATER["imap"]))
            return caller.is_in

    def nobody_reached_a_default(self):
        self.assertEqual(({BOB}, {ANN}), tuple({s.user for s in self.homes[side].sessions if s.user} for side in ("old", "new")))
        self.assertEqual([], [data for data in self.mute.heard if b"example.org" in data or b"AUTH" in data])


class FromTheStart(Away):
    """Redis was never there: nobody is known."""

    def never_there(self, name, url):
        self.begin(name, url)
        for _ in range(2):
            self.strangers_hear_later()
        self.assertLater(self.call("ann"))
        self.assertEqual([], [s.user for home in self.homes.values() for s in home.sessions if s.user])
        self.assertEqual([], self.mute.heard)

    def test_A12_refused(self):
        self.never_there("refused", f"redis://127.0.0.1:{self.lab.port()}")

    def test_A12_black_holed(self):
        with black_hole() as port:
            self.never_there("hole", f"redis://127.0.0.1:{port}")


class Troubles(Away):
    def refuse(self, error, *commands):
        for command in commands or ("HGETALL", "HGET", "GET", "MULTI"):
            self.fake.refuse[command] = "-" + error
        self.fake.drop()

    def spoil(self, spoiled):
        self.fake.on_exec = lambda fake, connection, reply: spoiled(reply)
        self.fake.push(None)

    def whole_again(self):
        fake = self.fake
        fake.refuse.clear()
        fake.silent, fake.slow_s, fake.role, fake.on_exec = False, 0, "master", None
        if fake.listener.fileno() == -1:
            fake.open()
        fake.drop()
        for user in (ANN, BOB):
            wait_for(f"{user} is let in", 10, lambda u=user: self.is_in(u), (self.front.log,))

    def wait_graced(self):
        """A heartbeat that has declared the grace has been answered: from now on both run."""
        wait_for("lease and grace", 10, lambda: self.front.control(do="status")["map"]["node"]["grace_left_ms"] > GRACE_MS,
                 (self.front.log,))

    def demote(self):
        """Until that is noticed, what it says is right still."""
        self.fake.role = "slave"
        wait_for("a heartbeat", 10, lambda: self.front.control(do="status")["map"]["link"]["state"] != "live", (self.front.log,))

    def away(self, trouble):
        """Known ones come home until lease and grace are over, then their sessions end, and they hear later like strangers."""
        self.wait_graced()
        session = self.log_in(ANN)
        trouble()
        began = time.monotonic()
        self.assertTrue(self.is_in(ANN) and self.is_in(BOB), "they were known a moment ago")
        self.strangers_hear_later()
        while self.is_in(ANN):
            self.assertLess(time.monotonic() - began, (LEASE_MS + GRACE_MS) / 1000 + SLACK_S)
        self.assertGreater(time.monotonic() - began, GRACE_MS / 1000)
        self.assertEqual(MOVED, session.everything())
        self.assertLess(time.monotonic() - began, (LEASE_MS + GRACE_MS) / 1000 + 2 * SLACK_S)
        self.assertLater(self.call(BOB))
        self.strangers_hear_later()

    def unreadable(self, spoil):
        """Whatever is asked for now cannot be known; sessions that Redis goes on speaking for live."""
        session = self.log_in(ANN)
        self.spoil(spoil)
        self.assertLater(self.call(ANN), self.call(BOB))
        self.strangers_hear_later()
        return session

    def each(self, name, rows):
        self.begin_fake(name)
        self.whole_again()
        for what, trouble in rows.items():
            with self.subTest(what):
                trouble()
                self.whole_again()
        self.nobody_reached_a_default()

    def test_A12_every_trouble_of_a_connection(self):
        fake = lambda: self.fake  # noqa: E731: it is made later
        self.each("connection", {
            "hung after accept": lambda: self.away(lambda: (setattr(fake(), "silent", True), fake().drop())),
            "hung without a word": lambda: self.away(lambda: setattr(fake(), "silent", True)),
            "slow, 5 s": lambda: self.away(lambda: (setattr(fake(), "slow_s", 5), fake().drop())),
            "closed and refusing": lambda: self.away(lambda: fake().close()),
            "demoted without a word": lambda: self.away(self.demote),
        })

    def test_A12_every_refusal(self):
        self.each("refusal", {
            error.split()[0]: lambda error=error, commands=commands: self.away(lambda: self.refuse(error, *commands))
            for error, *commands in (
                ("LOADING Redis is loading the dataset in memory",),
                ("READONLY You can't write against a read only replica.",),
                ("MOVED 3999 127.0.0.1:6381",), ("ASK 3999 127.0.0.1:6381",),
                ("NOAUTH Authentication required.", "CLIENT", "INFO", "ROLE", "HGETALL"),
                ("OOM command not allowed when used memory > 'maxmemory'.",),
                ("MASTERDOWN Link with MASTER is down",),
                (WRONG_TYPE, "HGETALL", "HGET"))})

    def test_A12_records_of_a_wrong_type_leave_sessions_alone(self):
        def wrong_type():
            session = self.unreadable(lambda reply: re.sub(rb"\$3\r\n(old|new)", b"-" + WRONG_TYPE.encode(), reply))
            time.sleep((LEASE_MS + GRACE_MS) / 1000)
            self.assertRegex(session.ask("b NOOP")[-1], b"^b OK")
        self.each("type", {"wrong type": wrong_type})

    def test_A13_replies_that_are_none(self):
        self.each("garbage", {
            what: lambda data=data: self.unreadable(lambda reply: data) for what, data in {
                "a truncated bulk": b"*2\r\n$36\r\n1111",
                "a nested array bomb": b"*1\r\n" * 100000,
                "a huge length": b"*1\r\n$99999999999\r\n",
                "a RESP3 push in a reply": b"*2\r\n>2\r\n+invalidate\r\n*0\r\n",
                "extra bytes": b"*0\r\n+OK\r\n"}.items()})


if __name__ == "__main__":
    unittest.main()
