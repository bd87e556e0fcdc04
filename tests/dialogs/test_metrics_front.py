"""What splitmx-frontd says to whoever collects numbers: logins at a scripted IMAP server, and none at all."""

import base64
import imaplib
import re
import shutil
import socket
import socketserver
import threading
import time
import unittest

import openmetrics
from lab import LabCase, Redis, wait_for
from lab.front import Frontd
from openmetrics import SECONDS, scrape
from test_metrics import port_pair

SECRET, WRONG = "hunter2-hunter2", "correct-horse"


class Backend(socketserver.ThreadingTCPServer):
    """IMAP as far as a login and a LOGOUT; whoever says SECRET in clear or base64 is let in."""

    daemon_threads = True
    allow_reuse_address = True
    pause = 0  # seconds, before a login is judged

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Imap)
        self.imap_port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class Imap(socketserver.StreamRequestHandler):
    CAPABILITIES = "IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN"

    def handle(self):
        self.say(f"* OK [CAPABILITY {self.CAPABILITIES}] ready")
        while line := self.rfile.readline().decode():
            tag, word, rest = (line.strip().split(" ", 2) + ["", ""])[:3]
            if literal := re.search(r"\{(\d+)\+?\}$", line.strip()):
                if not literal[0].endswith("+}"):
                    self.say("+ go on")
                rest += self.rfile.read(int(literal[1])).decode() + self.rfile.readline().decode()
            if not self.answer(tag, word.upper(), rest):
                return

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def answer(self, tag, word, rest):
        if word == "CAPABILITY":
            self.say(f"* CAPABILITY {self.CAPABILITIES}")
        elif word == "LOGOUT":
            self.say("* BYE")
        elif word in ("LOGIN", "AUTHENTICATE"):
            time.sleep(self.server.pause)
            said = rest if word == "LOGIN" else base64.b64decode(rest.split()[-1]).decode()
            if SECRET not in said:
                self.say(f"{tag} NO [AUTHENTICATIONFAILED] no")
                return True
        self.say(f"{tag} OK done")
        return word != "LOGOUT"


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class FrontMetrics(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.backend = Backend()
        cls.addClassCleanup(cls.backend.stop)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            away = type("Away", (), {"imap_port": nobody.getsockname()[1]})
        cls.port = port_pair(cls.lab)
        cls.front = Frontd(cls.lab, {"old": cls.backend, "new": away}, redis=cls.redis, settings={
            "frontd": {"workers": 1, "metrics": f"inet:127.0.0.1:{cls.port}"}})
        for name, owner in (("@example.org", "old"), ("moved@example.org", "new")):
            cls.redis.cli("SET", f"splitmx:owner:{name}", owner)
        wait_for("a live map", SECONDS, lambda: openmetrics.value(cls.numbers(), "splitmx_map_live") == 1)

    @classmethod
    def numbers(cls):
        return openmetrics.read(scrape(cls.port)[2])

    def login(self, name, password):
        client = self.front.imap()
        try:
            client.login(name, password)
        except imaplib.IMAP4.error:
            client.logout()
            return None
        return client

    def count(self, name, suffix="", **labels):
        return openmetrics.value(self.numbers(), name, suffix, **labels)

    def test_logins_are_counted_by_what_became_of_them(self):
        before = {r: self.count("splitmx_frontd_logins", "_total", protocol="imap", result=r)
                  for r in ("accepted", "wrong", "later")}
        client = self.login("ann@example.org", SECRET)
        self.assertEqual(1, self.count("splitmx_frontd_sessions", protocol="imap"))
        self.assertIsNone(self.login("ann@example.org", WRONG))
        self.assertIsNone(self.login("moved@example.org", SECRET))
        after = {r: self.count("splitmx_frontd_logins", "_total", protocol="imap", result=r) for r in before}
        self.assertEqual({r: n + 1 for r, n in before.items()}, after)
        client.logout()
        wait_for("the end of the session", SECONDS, lambda: self.count("splitmx_frontd_sessions") == 0)
        self.assertEqual(after["accepted"], self.count("splitmx_frontd_sessions_ended", "_total", protocol="imap"))
        self.assertEqual(after["accepted"], self.count("splitmx_frontd_login_seconds", "_count", protocol="imap"))
        for side in ("client", "backend"):
            self.assertLess(0, self.count("splitmx_frontd_session_bytes", "_total", **{"from": side}))
        self.assertEqual(0, self.count("splitmx_frontd_logins_parked"))

    def test_each_step_at_a_backend_has_its_time(self):
        def step(step, suffix="_count", destination="old"):
            return self.count("splitmx_frontd_backend_step_seconds", suffix, destination=destination, protocol="imap", step=step)

        steps = ("connect", "greeting", "tls", "login")
        before = {s: step(s) for s in steps}
        slow, self.backend.pause = step("login", "_sum"), 0.3
        self.addCleanup(setattr, self.backend, "pause", 0)
        self.login("ann@example.org", SECRET).logout()
        self.assertIsNone(self.login("ann@example.org", WRONG))
        self.assertIsNone(self.login("moved@example.org", SECRET))
        after = {s: step(s) for s in steps}
        self.assertEqual(before["login"] + 2, after["login"])  # a refusal is an answer, too
        self.assertGreaterEqual(after["connect"], before["connect"] + 2)
        self.assertGreaterEqual(after["greeting"], before["greeting"] + 2)
        self.assertEqual(0, after["tls"])
        self.assertTrue(0.6 <= step("login", "_sum") - slow < 3, step("login", "_sum") - slow)
        self.assertEqual([0, 0, 0, 0], [step(s, destination="new") for s in steps])  # nobody is there

    def test_C21_there_are_as_many_series_as_the_settings_have_destinations(self):
        before = {name: set(family.samples) for name, family in self.numbers().items()}
        for i in range(20):
            client = self.login(f"user{i}@example.org", SECRET if i % 2 else WRONG)
            if client:
                client.logout()
            self.assertIsNone(self.login(f"user{i}@domain{i}.invalid", SECRET))
        self.assertEqual(before, {name: set(family.samples) for name, family in self.numbers().items()})

    def test_D1_backends_are_counted_and_avoided_when_they_fail(self):
        def outcome(destination, result):
            return self.count("splitmx_frontd_backend_logins", "_total", destination=destination, protocol="imap",
                              result=result)

        accepted, refused = outcome("old", "accepted"), outcome("old", "refused")
        self.login("bob@example.org", SECRET).logout()
        self.login("bob@example.org", WRONG)
        self.assertEqual((accepted + 1, refused + 1), (outcome("old", "accepted"), outcome("old", "refused")))
        for _ in range(6):
            self.login("moved@example.org", SECRET)
        self.assertLessEqual(5, outcome("new", "failed"))
        self.assertLess(0, self.count("splitmx_frontd_backend_avoided_seconds", destination="new"))
        self.assertEqual(0, self.count("splitmx_frontd_backend_avoided_seconds", destination="old"))

    def test_C21_no_account_address_or_secret_is_in_it(self):
        self.login("ann@example.org", SECRET).logout()
        self.login("ann@example.org", WRONG)
        self.login("zelda@elsewhere.invalid", WRONG)
        text = scrape(self.port)[2]
        for secret in (SECRET, WRONG, "ann@", "zelda", "example.org", "127.0.0.1", str(self.backend.imap_port)):
            self.assertNotIn(secret, text)
        allowed = {"worker", "program", "version", "protocol", "result", "from", "le", "destination", "step", "limit"}
        self.assertLessEqual({name for name, _ in openmetrics.labels(openmetrics.read(text))}, allowed)


if __name__ == "__main__":
    unittest.main()
