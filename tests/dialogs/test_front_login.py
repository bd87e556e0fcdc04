"""Logins through splitmx-frontd, before hostile backends and with hostile clients."""

import base64
import contextlib
import json
import os
import socket
import ssl
import struct
import threading
import time
import unittest

from front_case import PASSWORD, FrontCase
from lab import wait_for
from lab.certs import Authority
from lab.imap_script import WORDS, ImapScript, reset

LATER = rb"^a NO \[UNAVAILABLE\]"
TEMPFAIL = 75


def flood(session):
    with contextlib.suppress(OSError):
        session.send(b"* OK " + b"x" * (1 << 20))
        session.read(1)


def says(text):
    def greet(session):
        session.send(text)
        with contextlib.suppress(OSError):
            session.read(1 << 20)
    return greet


def half_close(session):
    session.sock.shutdown(socket.SHUT_WR)
    session.read(1 << 20)


def reset_after_greeting(session):
    session.send(f"* OK [CAPABILITY {WORDS}] Ready\r\n")
    session.line()
    reset(session.sock)


# What a backend may be, and nobody may be told that his password is wrong.
HOSTILE = {
    "a banner of 1 MB": flood,
    "%n in a banner without CRLF": says("* OK %n%s%n%s"),
    "no CRLF behind a banner": says("* OK ready"),
    "silence": says(""),
    "RST after the greeting": reset_after_greeting,
    "half closed": half_close,
    "SMTP": says("220 mx.example.org ESMTP\r\n"),
    "HTTP": says("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "TLS": says(b"\x15\x03\x01\x00\x02\x02\x46"),
    "PREAUTH": says("* PREAUTH I know you\r\n"),
    "BYE": says("* BYE Not now\r\n"),
    "an answer that nobody asked for": says(f"* OK [CAPABILITY {WORDS}] Ready\r\nl OK Logged in\r\n"),
    "a literal in the greeting": says("* OK {4294967295}\r\n"),
    "CAPABILITY without end": says("* OK [CAPABILITY " + "X" * 70000),
    "BAD to the login": says(f"* OK [CAPABILITY IMAP4rev1] Ready\r\n"),
}


class Backends(FrontCase):
    frontd_settings = {"login_timeout": 2000}

    def test_D1_whatever_the_backend_is_a_login_is_never_misreported(self):
        client = self.client()
        for name, greeting in HOSTILE.items():
            with self.subTest(name):
                self.old.greeting = greeting
                began = time.monotonic()
                self.assertRegex(client.login(self.user, PASSWORD), LATER)
                self.assertLess(time.monotonic() - began, 4)
                self.calm_down()
                self.past_the_breaker()
        self.assertRegex(client.login(self.user, PASSWORD), b"^a OK")

    def past_the_breaker(self):
        def works():
            with self.client() as client:
                return client.login(self.user, PASSWORD).startswith(b"a OK")
        wait_for("the door is open again", 20, works, (self.front.log,))

    def test_D1_a_backend_that_is_silent_is_avoided_after_some_failures_and_D3_found_again(self):
        self.old.greeting = says("")
        clients = [self.client() for _ in range(6)]
        for client in clients:
            client.line()
            client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        for client in clients:
            self.assertRegex(client.line(), LATER)
        with self.client() as client:
            began = time.monotonic()
            self.assertRegex(client.login(self.user, PASSWORD), LATER)
            self.assertLess(time.monotonic() - began, 1)
        self.assertTrue(self.front.log_count("backend_avoided"))
        self.calm_down()
        self.past_the_breaker()

    def test_D1_who_makes_a_backend_hang_up_shuts_no_door_for_others(self):
        def judge(session, tag, rest):
            return "end" if "evil" in session.user else session.send(f"{tag} OK In\r\n")
        self.old.hooks = {"AUTHENTICATE": judge, "LOGIN": judge}
        for i in range(12):
            with self.client() as client:
                self.assertRegex(client.login(f"evil{i}@example.org", PASSWORD), LATER)
        with self.client() as client:
            self.assertRegex(client.login(self.user, PASSWORD), b"^a OK")

    def test_D3_a_backend_that_is_away_is_not_stormed(self):
        self.old.close()
        for _ in range(40):
            with self.client() as client:
                self.assertRegex(client.login(self.user, PASSWORD), LATER)
        dialled = self.front.log_count("backend_failed .*cannot connect")
        self.assertLess(dialled, 25)
        self.old.open()
        self.past_the_breaker()

    def test_a_backend_that_goes_after_the_password_is_no_wrong_password(self):
        for hook in (lambda session, tag, rest: "end", lambda session, tag, rest: reset(session.sock) or "end",
                     lambda session, tag, rest: session.send(f"{tag} BAD What\r\n"),
                     lambda session, tag, rest: session.send("+ more\r\n"),
                     lambda session, tag, rest: session.send("* BYE %s\r\n")):
            self.old.hooks = {"AUTHENTICATE": hook, "LOGIN": hook}
            with self.client() as client:
                self.assertRegex(client.login(self.user, PASSWORD), LATER)
        self.calm_down()
        self.past_the_breaker()


class Claims(FrontCase):
    main_settings = {"cache": {"preload": 0}}  # or nobody would have to wait
    lease = 10000

    def test_a_session_depends_on_its_own_name_whoever_asks_in_the_same_moment(self):
        """Both wait for Redis: what changes for the second is nothing to the first."""
        alias, other = f"alias-{self.user}", f"other-{self.user}"
        self.redis.cli("SET", f"splitmx:login:{alias}", self.user)
        first, second = self.client(), self.client()
        for client in (first, second):
            client.line()
        self.redis.freeze()
        try:
            first.say(f'a LOGIN "{alias}" "{PASSWORD}"')
            wait_for("the first waits for the map", 5, lambda: self.phases() == ["asking", "talking"], (self.front.log,))
            second.say(f'a LOGIN "{other}" "{PASSWORD}"')
            wait_for("the second, too", 5, lambda: self.phases() == ["asking", "asking"], (self.front.log,))
        finally:
            self.redis.thaw()
        for client in (first, second):
            self.assertRegex(client.line(), rb"^a OK")
        self.set_owner("new", other)
        self.assertIn(b"* BYE", second.everything())
        self.assertTrue(first.is_open())
        self.redis.cli("DEL", f"splitmx:login:{alias}")
        self.assertIn(b"* BYE", first.everything())


class Phases(FrontCase):
    """A client goes, in every phase of its login, and nothing of it is left."""

    def leave(self, prepare, phase, way):
        client = self.client()
        user = f"{way}-{phase}-{self.user}"
        after = prepare(client, user)
        if phase:
            wait_for(f"phase {phase}", 10, lambda: phase in self.phases(), (self.front.log,))
        client.reset() if way == "reset" else client.close()
        if after is not None:
            time.sleep(0.1)
            after()
        self.wait_nobody()
        wait_for("no backend has it", 10, lambda: not self.old.open_of(user) and not self.new.open_of(user))

    def log_in(self, client, user):
        client.line()
        client.say(f'a LOGIN "{user}" "{PASSWORD}"')

    def nothing(self, client, user):
        client.line()

    def half_a_command(self, client, user):
        client.line()
        client.say(b"a LOGIN {5}\r\nann")

    def leading(self, client, user):
        self.old.greeting = says("")
        self.log_in(client, user)

    def asked(self, client, user):
        gate = self.old.gate("login")
        self.log_in(client, user)
        self.old.wait_said(user, "A")
        return gate.set

    def asked_and_refused(self, client, user):
        gate = threading.Event()
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: (gate.wait(20), session.send(f"{tag} NO No\r\n"))[1]
        self.log_in(client, user)
        self.old.wait_said(user, "A")
        return gate.set

    def parked(self, client, user):
        self.hold(user)
        self.log_in(client, user)

    def delayed(self, client, user):
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{tag} NO No\r\n")
        self.log_in(client, user)
        for _ in range(3):
            client.line()
            client.say(f'a LOGIN "{user}" "{PASSWORD}"')

    def test_a_client_goes_in_every_phase(self):
        for prepare, phase in ((self.nothing, "talking"), (self.half_a_command, "talking"), (self.leading, "leading"),
                               (self.asked, "leading"), (self.asked_and_refused, "leading"), (self.parked, "parked"),
                               (self.delayed, "delayed")):
            for way in ("close", "reset"):
                with self.subTest(prepare.__name__, way=way):
                    self.leave(prepare, phase, way)
                    self.calm_down()
        self.assertEqual(0, self.front.status()["logins_under_way"])

    def test_C5_a_login_that_takes_too_long_is_ended(self):
        for said in (b"", b"a LOGIN {5}\r\nan", b"x" * 20):
            with self.subTest(said):
                began = time.monotonic()
                with self.client() as client:
                    client.line()
                    client.say(said)
                    self.assertIn(b"* BYE", client.everything())
                self.assertLess(time.monotonic() - began, 5)

    def test_C5_a_byte_a_second_is_not_enough(self):
        with self.client() as client:
            client.line()
            began = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 8:
                    client.say(b"x")
                    time.sleep(0.3)
            self.assertLess(time.monotonic() - began, 6)

    def test_C5_floods_are_bounded(self):
        before = self.resident_kib()
        for flood_of in (b"(" * 1000000, b"x" * (1 << 20), b"a LOGIN {4294967295}\r\n", b"a LOGIN {9999999999+}\r\n",
                         b"a LOGIN (((((" * 80000, b"\0" * 1000000, bytes(range(256)) * 4000):
            with self.client() as client:
                client.line()
                with contextlib.suppress(OSError):
                    client.say(flood_of + b"\r\n")
                    client.everything(6)
        self.wait_nobody()
        self.assertLess(self.resident_kib() - before, 4096)

    def test_a_client_that_asks_and_never_reads_fills_no_memory(self):
        before = self.resident_kib()
        client = self.client(buffer=4096)
        client.sock.settimeout(0.5)
        most = 0
        with contextlib.suppress(OSError):
            for _ in range(4000):
                client.sock.sendall(b"a CAPABILITY\r\n" * 1000)
                most = max(most, self.resident_kib() - before)
        self.assertLess(max(most, self.resident_kib() - before), 4096)

    def test_a_client_that_reads_late_gets_all_its_answers(self):
        with self.client() as client:
            client.line()
            client.say(b"".join(b"a%d CAPABILITY\r\n" % i for i in range(2000)) + b"z NOOP\r\n")
            lines = client.until("z")
            self.assertEqual(2000, sum(line.startswith(b"* CAPABILITY") for line in lines))

    def test_C21_what_a_client_calls_itself_is_one_line_of_the_log(self):
        names = ["\x1b[31mred@example.org", "%s%n%d@example.org", "../../etc/passwd", "a@b@example.org", "   ", "{x}",
                 "%u@example.org", "x" * 3000 + "@example.org"]
        lines = self.front.log_count("")
        for name in names:
            with self.client() as client:
                client.line()
                client.say(b"a LOGIN {%d+}\r\n%s %s\r\n" % (len(name), name.encode(), PASSWORD.encode()))
                self.assertRegex(client.until("a")[-1], rb"^a (NO|BAD|OK)")
        with open(self.front.log, "rb") as f:
            log = f.read()
        self.assertNotIn(b"\x1b", log)
        self.assertTrue(all(len(line) < 2000 for line in log.splitlines()))
        self.assertGreater(self.front.log_count(""), lines)

    def test_C10_unknown_and_wrong_take_the_same_time_and_words(self):
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{tag} NO No such\r\n")
        seen = {}
        for user in (self.user, "nobody@foreign.invalid", "@nobody"):
            took = []
            for i in range(5):
                with self.client() as client:
                    client.line()
                    began = time.monotonic()
                    answer = client.ask(f'a LOGIN "{user.replace("@", f"{i}@").replace("@nobody", "nobody")}" "{PASSWORD}"')
                    took.append(time.monotonic() - began)
            seen[user] = (answer, min(took))
        self.assertEqual(1, len({answer for answer, _ in seen.values()}), seen)
        times = [took for _, took in seen.values()]
        self.assertLess(max(times) - min(times), 0.08, seen)

    def test_C10_who_guesses_at_one_account_waits_longer_and_others_do_not(self):
        self.old.hooks["AUTHENTICATE"] = lambda session, tag, rest: session.send(f"{tag} NO No\r\n")
        took = []
        for name in (self.user, self.user.upper(), self.user.title(), self.user):
            with self.client() as client:
                client.line()
                began = time.monotonic()
                client.ask(f'a LOGIN "{name}" "{PASSWORD}"')
                took.append(time.monotonic() - began)
        self.assertGreater(took[3], 0.45)  # 100 ms, and 0, 100, 200, 400 on top
        with self.client() as client:
            client.line()
            began = time.monotonic()
            client.ask(f'a LOGIN "other-{self.user}" "{PASSWORD}"')
            self.assertLess(time.monotonic() - began, 0.4)


class Races(FrontCase):
    """The account moves while its login is under way."""

    frontd_settings = {"login_timeout": 10000}

    def begin(self):
        client = self.client()
        client.line()
        client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        self.old.wait_said(self.user, "A")
        return client

    def test_D8_a_login_that_the_former_owner_has_not_answered_turns_round(self):
        gate = self.old.gate("login")
        client = self.begin()
        self.set_owner("new")
        self.wait_phases(["leaving"], self.user)
        self.assertEqual([], self.new.of(self.user))  # not before the former owner has closed
        gate.set()
        self.assertRegex(client.line(), rb"^a OK")
        self.assertEqual([1, 1], [len(self.old.of(self.user)), len(self.new.open_of(self.user))])
        self.assertEqual([], self.old.open_of(self.user))
        self.assertIn("OK", client.ask("b NOOP").decode())

    def test_D8_a_flip_waits_for_the_former_owner_of_a_login(self):
        gate = self.old.gate("login")
        client = self.begin()
        done = self.front.splitmx("--json", "set", self.user, "new", "--force", "--yes", "--wait", 2, check=False)
        self.assertEqual(TEMPFAIL, done.returncode, done.stdout)
        self.assertIn("frontd/frontd/0", done.stdout)
        gate.set()
        client.everything(5) if not client.line() else None
        wait_for("the former owner has closed", 10, lambda: not self.old.open_of(self.user))
        self.front.splitmx("barrier", self.user)

    def test_D8_many_logins_while_the_account_moves_to_and_fro(self):
        stop, wrong, sides = threading.Event(), [], [0, 0]

        def log_in():
            while not stop.is_set():
                with self.client() as client:
                    answer = client.login(self.user, PASSWORD)
                    if not answer.startswith((b"a OK", b"* BYE [UNAVAILABLE]", b"a NO [UNAVAILABLE]")):
                        wrong.append(answer)
                    sides[bool(self.new.open_of(self.user))] += 1
        clients = [threading.Thread(target=log_in) for _ in range(8)]
        for client in clients:
            client.start()
        for i in range(60):
            owner, other = (self.new, self.old) if i % 2 == 0 else (self.old, self.new)
            self.flip(owner=owner.name)
            # confirmed: nobody is logged in at the former owner, and nobody comes there
            if other.open_of(self.user):
                wrong.append(f"flip {i}: {[s.said for s in other.open_of(self.user)]}")
        stop.set()
        for client in clients:
            client.join(30)
        self.assertEqual([], wrong)
        self.assertTrue(all(sides), sides)

    def test_a_hold_that_comes_during_a_login_parks_it(self):
        gate = self.old.gate("login")
        client = self.begin()
        self.hold()
        self.wait_phases(["leaving"], self.user)
        gate.set()
        self.wait_phases(["parked"], self.user)
        self.set_owner("new")
        self.release()
        self.assertRegex(client.line(), rb"^a OK")
        self.assertEqual(1, len(self.new.open_of(self.user)))

    def test_a_client_that_goes_while_its_login_turns_round(self):
        gate = self.old.gate("login")
        client = self.begin()
        self.set_owner("new")
        self.wait_phases(["leaving"], self.user)
        client.reset()
        time.sleep(0.2)
        done = self.front.splitmx("barrier", self.user, "--wait", 2, check=False)
        self.assertEqual(TEMPFAIL, done.returncode, done.stdout)
        gate.set()
        self.wait_gone()
        self.front.splitmx("barrier", self.user)
        self.assertEqual([], self.new.of(self.user))


class Challenges(FrontCase):
    """SCRAM passes through: what one backend asked nobody else may hear the answer to."""

    @classmethod
    def make_homes(cls):
        return {name: ImapScript(cls.lab, name, words=WORDS + " AUTH=SCRAM-SHA-256") for name in ("old", "new")}

    def begin(self):
        def scram(session, tag, rest):
            session.send("+ cj1hc2s=\r\n")
            if session.line() in (None, "*"):
                session.send(f"{tag} BAD Given up\r\n")
            else:
                session.send(f"{tag} NO Wrong\r\n")
        self.old.hooks["AUTHENTICATE"] = self.new.hooks["AUTHENTICATE"] = scram
        client = self.client()
        client.line()
        wait_for("SCRAM is offered", 10, lambda: b"SCRAM" in client.ask("c CAPABILITY") or self.offers(client))
        client.say("a AUTHENTICATE SCRAM-SHA-256")
        self.assertRegex(client.line(), rb"^\+")
        client.say(base64.b64encode(f"n,,n={self.user},r=abcdefgh".encode()).decode())
        self.assertRegex(client.line(), rb"^\+ cj1hc2s=")
        return client

    def offers(self, client):
        client.say("c CAPABILITY")
        return any(b"SCRAM-SHA-256" in line for line in client.until("c"))

    def test_a_flip_between_challenge_and_response_is_no_wrong_password(self):
        client = self.begin()
        self.set_owner("new")
        self.assertRegex(client.line(), LATER)

    def test_a_challenge_that_is_given_up_leaves_a_connection_that_works(self):
        client = self.begin()
        client.say("*")
        self.assertRegex(client.line(), rb"^a (BAD|NO)")
        self.calm_down()
        self.assertRegex(client.ask(f'b LOGIN "{self.user}" "{PASSWORD}"'), rb"^b OK")

    def test_a_client_that_goes_with_a_challenge(self):
        client = self.begin()
        client.reset()
        self.wait_nobody()
        wait_for("the backend has closed", 10, lambda: not any(s.is_open for s in self.old.sessions))

    def test_a_backend_that_goes_while_the_client_thinks(self):
        client = self.begin()
        for session in self.old.sessions:
            with contextlib.suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
        self.assertRegex(client.line(), LATER)
        self.calm_down()
        self.assertRegex(client.ask(f'b LOGIN "{self.user}" "{PASSWORD}"'), rb"^b OK")


class Locked(FrontCase):
    """TLS before the front, and before its backends by STARTTLS."""

    listen = [("imap", "none"), ("imap", "implicit"), ("imap", "starttls")]
    frontd_settings = {"max_per_address": 30}

    @classmethod
    def make_homes(cls):
        cls.authority = Authority(cls.lab)
        cls.identity = cls.authority.sign("backend.example.org", "127.0.0.1")
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)
        return {name: ImapScript(cls.lab, name, tls=cls.identity, words=WORDS + " STARTTLS") for name in ("old", "new")}

    @classmethod
    def adjust(cls, settings):
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        for destination in settings["destinations"]:
            destination["services"][0].update(tls="starttls", ca_file=cls.authority.ca, server_name="backend.example.org")
            del destination["services"][0]["trusted"]

    def test_STARTTLS_to_the_backend_works(self):
        with self.session() as client:
            self.assertTrue(client.is_open())

    def test_C2_bytes_behind_the_OK_to_STARTTLS_are_no_login(self):
        self.old.hooks["STARTTLS"] = lambda session, tag, rest: session.send(f"{tag} OK Go\r\n* CAPABILITY IMAP4rev1\r\n")
        with self.client() as client:
            self.assertRegex(client.login(self.user, PASSWORD), LATER)
        self.assertEqual([], self.old.of(self.user))

    def test_C3_a_backend_without_STARTTLS_gets_no_password(self):
        self.old.greeting = f"* OK [CAPABILITY {WORDS}] Ready\r\n"
        with self.client() as client:
            self.assertRegex(client.login(self.user, PASSWORD), LATER)
        self.assertEqual([], self.old.of(self.user))

    def test_a_client_that_goes_during_the_handshake_with_the_backend(self):
        gate = self.old.gate("handshake")
        before = len(self.old.sessions)
        client = self.client()
        client.line()
        client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        wait_for("STARTTLS was said", 10, lambda: any("STARTTLS" in s.said for s in self.old.sessions[before:]))
        client.reset()
        time.sleep(0.2)
        gate.set()
        self.wait_nobody()
        self.assertEqual([], self.old.of(self.user))

    def test_a_flip_during_the_handshake_with_the_backend(self):
        gate = self.old.gate("handshake")
        before = len(self.old.sessions)
        client = self.client()
        client.line()
        client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        wait_for("STARTTLS was said", 10, lambda: any("STARTTLS" in s.said for s in self.old.sessions[before:]))
        self.set_owner("new")
        self.assertRegex(client.line(), rb"^a OK")
        gate.set()
        self.assertEqual([0, 1], [len(self.old.of(self.user)), len(self.new.open_of(self.user))])

    def test_C1_what_follows_STARTTLS_in_clear_is_not_believed(self):
        with self.client("starttls") as client:
            client.line()
            client.say(f'a STARTTLS\r\nb LOGIN "{self.user}" "{PASSWORD}"')
            said = client.everything()
        self.assertNotIn(b"b OK", said)
        self.assertEqual([], self.old.of(self.user))

    def test_C20_what_is_no_TLS_on_a_TLS_port(self):
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"a LOGIN x y\r\n", b"\x16\x03\x01\x40\x00" + b"x" * 16384, b""):
            with self.subTest(said[:8]), self.client("implicit", first=said) as client:
                if not said:
                    client.sock.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    self.assertNotIn(b"BYE", client.everything())
        self.wait_nobody()

    def test_C20_too_many_hear_nothing_in_clear_on_a_TLS_port(self):
        self.wait_nobody()
        crowd = [self.client() for _ in range(30)]
        for client in crowd:
            client.line()
        with self.client("none") as client:
            self.assertIn(b"BYE [LIMIT]", client.everything())
        with self.client("implicit") as client, contextlib.suppress(ConnectionResetError):
            self.assertEqual(b"", client.everything())


V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, payload, length=None):
    return V2 + bytes([0x20 | command, family]) + struct.pack(">H", len(payload) if length is None else length) + payload


TCP4 = socket.inet_aton("192.0.2.77") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4711, 143)
GOOD = {
    "v1": (b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 143\r\n", "192.0.2.77"),
    "v1 of IPv6": (b"PROXY TCP6 2001:db8::77 2001:db8::1 4711 143\r\n", "2001:db8::77"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2": (v2(1, 0x11, TCP4), "192.0.2.77"),
    "v2 with TLVs": (v2(1, 0x11, TCP4 + b"\x04\0\x03xyz"), "192.0.2.77"),
    "v2 LOCAL": (v2(0, 0, b""), "127.0.0.1"),
}
BAD = {
    "v1 with one address": b"PROXY TCP4 192.0.2.77\r\n",
    "v1 of 1 KB": b"PROXY TCP4 " + b"1" * 1024 + b"\r\n",
    "v1 without CR": b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 143\n",
    "v1 with an odd port": b"PROXY TCP4 192.0.2.77 192.0.2.1 99999 143\r\n",
    "no header": b'a LOGIN "x" "y"\r\n',
    "v2 of a version 3": V2 + b"\x31\x11\0\x0c" + TCP4,
    "v2 too short for its family": v2(1, 0x11, b"abc"),
    "v2 of 65535 bytes that never come": v2(1, 0x11, b"x" * 100, 65535),
    "half of v1": b"PROXY TCP4 192.0",
    "half of v2": V2 + b"\x21",
}


class Proxied(FrontCase):
    listen = [("imap", "none"), ("imap", "implicit")]

    @classmethod
    def adjust(cls, settings):
        authority = Authority(cls.lab)
        certificate, key = authority.sign("front.example.org", "127.0.0.1")
        cls.context = ssl.create_default_context(cafile=authority.ca)
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        for row in settings["frontd"]["listen"]:
            row["proxy_from"] = ["127.0.0.1/32"]
        settings["destinations"][0]["services"][0]["caller"] = "proxy"
        cls.heads = []

    @classmethod
    def make_homes(cls):
        homes = super().make_homes()
        greeting = homes["old"].greeting

        def behind_a_header(session):
            head = session.read(16)
            size = struct.unpack(">H", head[14:])[0]
            cls.heads.append(head + session.read(size))
            session.converse(greeting)
        behave = homes["old"].behave
        homes["old"].behave = lambda: (behave(), setattr(homes["old"], "greeting", behind_a_header))
        homes["old"].behave()
        return homes

    def test_C16_good_headers_name_the_client_in_and_out(self):
        for name, (header, ip) in GOOD.items():
            for tls in ("none", "implicit"):
                with self.subTest(name, tls=tls):
                    user = f"{name.replace(' ', '-')}-{tls}@example.org".lower()
                    before = len(self.heads)
                    client = self.client(tls, first=header, context=self.context if tls == "implicit" else None)
                    self.assertRegex(client.login(user, PASSWORD), rb"^a OK")
                    self.assertEqual([ip], [s["from"] for s in self.front.sessions() if s.get("account") == user])
                    self.assertTrue(any(self.source(head) == ip for head in self.heads[before:]), self.heads[before:])

    def source(self, head):
        if head[13] == 0x11:
            return socket.inet_ntop(socket.AF_INET, head[16:20])
        return socket.inet_ntop(socket.AF_INET6, head[16:32]) if head[13] == 0x21 else None

    def test_C16_header_and_first_command_in_one_segment_and_byte_by_byte(self):
        said = GOOD["v1"][0] + f'a LOGIN "{self.user}" "{PASSWORD}"\r\n'.encode()
        with self.client(first=said) as client:
            client.line()
            self.assertRegex(client.line(), rb"^a OK")
        with self.client() as client:
            for i in range(len(said)):
                client.say(said[i:i + 1])
            client.line()
            self.assertRegex(client.line(), rb"^a OK")

    def test_C16_bad_headers_are_never_guessed_at(self):
        began, clients = time.monotonic(), {}
        for name, header in BAD.items():
            clients[name] = self.client(first=header)
        for name, client in clients.items():
            with self.subTest(name), contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", client.everything())
        self.assertLess(time.monotonic() - began, 9)
        self.wait_nobody()


class Untrusted(FrontCase):
    def test_C16_a_header_from_whom_nobody_trusts_is_no_header(self):
        for header, _ in GOOD.values():
            with self.client(first=header) as client:
                client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
                client.until("a")
                self.assertEqual(set(), {s["from"] for s in self.front.sessions()} - {"127.0.0.1"})


class UnknownLogins(FrontCase):
    frontd_settings = {"unknown_login": "new"}

    def test_C11_who_is_unknown_is_judged_by_the_named_destination_and_stays_there(self):
        self.redis.cli("SET", "splitmx:complete:@example.org", "yes")
        client = self.session()
        self.assertEqual([0, 1], [len(self.old.of(self.user)), len(self.new.of(self.user))])
        self.redis.cli("SET", "splitmx:complete:@example.org", "yes")  # all are asked about again
        time.sleep(0.5)
        self.assertTrue(client.is_open())
        self.set_owner("old")
        self.assertRegex(client.everything(), rb"BYE \[UNAVAILABLE\]")
        self.session()
        self.assertEqual(1, len(self.old.open_of(self.user)))

    def test_C11_an_unmanaged_domain_is_nobodys(self):
        with self.client() as client:
            self.assertRegex(client.login("x@foreign.invalid", PASSWORD), rb"AUTHENTICATIONFAILED")


if __name__ == "__main__":
    unittest.main()


class Tickets(FrontCase):
    """A client comes back to whichever worker takes it, also after a reload, and is known."""

    listen = [("imap", "implicit")]
    frontd_settings = {"workers": 2}

    @classmethod
    def adjust(cls, settings):
        cls.authority = Authority(cls.lab)
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)
        cls.context.maximum_version = ssl.TLSVersion.TLSv1_2  # there a session is whole with the handshake

    def slots(self):
        """How many each worker has let in."""
        found = []
        for slot in range(2):
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(10)
                control.connect(os.path.join(self.front.run_dir, f"frontd-{slot}.ctl"))
                control.sendall(b'{"do":"status"}\n')
                found.append(sum(row["accepted"] for row in json.loads(control.makefile().readline())["listeners"]))
        return found

    def come(self, stay, session=None):
        sock = socket.create_connection(("127.0.0.1", self.front.ports["imap", "implicit"]), 20)
        client = self.context.wrap_socket(sock, server_hostname="127.0.0.1", session=session)
        client.recv(1000)
        stay.append(client)
        return client

    def test_C20_a_session_is_resumed_by_all_workers(self):
        crowd = []
        self.addCleanup(lambda: [client.close() for client in crowd])
        first = self.come(crowd)
        self.assertFalse(first.session_reused)
        before = self.slots()
        for round_of in range(40):
            self.assertTrue(self.come(crowd, first.session).session_reused)
            if round_of > 8 and all(now > then for now, then in zip(self.slots(), before)):
                break
        self.assertTrue(all(now > then for now, then in zip(self.slots(), before)), self.slots())
        self.front.reload()
        wait_for("it has reloaded", 10, lambda: self.front.control(do="status")["reloads"] > 0, (self.front.log,))
        self.assertTrue(self.come(crowd, first.session).session_reused)
