"""Hostile rows C1 to C15 in each protocol: what is said before a login."""

import contextlib
import socket
import ssl
import time
import unittest

from front_scripts import PROTOCOLS, WRONG, Home, RowsCase, b64, plain, verdict
from lab import wait_for
from lab.certs import Authority

NOT_IN = ("wrong", "bad", "bye")
MARK = "SMUGGLED"


def bearer(user, token="good", extra=""):
    return b64(f"n,a={user},\x01{extra}auth=Bearer {token}\x01\x01")


def xoauth2(user, token="good"):
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


class Rows(RowsCase):
    frontd_settings = {"login_timeout": 2500, "fail_delay": 0, "max_per_address": 500}

    def offered(self):
        """Until scouts have seen what all homes take."""
        for protocol in PROTOCOLS:
            def is_offered():
                with self.talk(protocol) as client:
                    client.greet()
                    return client.auth("SCRAM-SHA-256", b64("n,,n=probe@example.org,r=abc")).startswith((b"+ ", b"334", b'"'))
            wait_for(f"{protocol} offers SCRAM", 20, is_offered, (self.front.log,))

    def test_C4_literals(self):
        before = self.resident_kib()
        refused = (b"a LOGIN {4294967295}\r\n", b"a LOGIN {9999999999+}\r\n", b"a LOGIN {18446744073709551617}\r\n",
                   b"a LOGIN {-1}\r\n", b"a LOGIN {+}\r\n", b"a LOGIN {1e3}\r\n", b"a LOGIN {0x10+}\r\n",
                   b"{3+}\r\nabc LOGIN x y\r\n",
                   b"a LOGIN {4097+}\r\n" + b"x" * 4097 + b" y\r\n", b"a LOGIN ({3+}\r\nann) y\r\n",
                   b"a LOGIN {3+} \r\nann y\r\n",
                   b'a LOGIN "{3+}\r\nann" y\r\n', b"a LOGIN {0+}\r\n y\r\n", b"a LOGIN x {0+}\r\n\r\n",
                   b"a LOGIN {3+}\r\na\0b y\r\n",
                   b"a {5+}\r\nLOGIN x y\r\n", b"a LOGIN {}\r\n", b"a LOGIN {3+}\r\nann\r\n")
        for said in refused:
            with self.subTest(said[:40]), self.ready("imap") as client:
                client.say(said)
                answer = client.answer()
                self.assertRegex(answer, rb"^(a|\*|{3\+}) (BAD|NO|BYE)")
        name = self.user.encode()
        accepted = (b"a LOGIN {%d+}\r\n%s {4+}\r\ngood\r\n" % (len(name), name), b"a LOGIN %s {4+}\r\ngood\r\n" % name,
                    b"a LOGIN {%03d+}\r\n%s good\r\n" % (len(name), name))
        for said in accepted:
            with self.subTest(said[:40]), self.ready("imap") as client:
                client.say(said)
                self.assertEqual("in", verdict(client.answer()))
        with self.ready("imap") as client:  # asked for, one after the other
            client.say(b"a LOGIN {%d}\r\n" % len(name))
            self.assertRegex(client.line(), rb"^\+")
            client.say(name + b" {4}\r\n")
            self.assertRegex(client.line(), rb"^\+")
            client.say(b"good\r\n")
            self.assertEqual("in", verdict(client.answer()))
        self.assertLess(self.resident_kib() - before, 4096)

    def test_C5_floods_and_lines_without_end_on_every_port(self):
        before = self.resident_kib()
        for protocol in PROTOCOLS:
            for flood in (b"(" * 1000000, b"x" * (1 << 20), b"\0" * (1 << 20), b"\r" * (1 << 20), bytes(range(11, 256)) * 4000):
                with self.talk(protocol, first=b"") as client:
                    began = time.monotonic()
                    with contextlib.suppress(OSError):
                        client.say(flood)
                    with contextlib.suppress(OSError):
                        client.everything(6)
                    self.assertLess(time.monotonic() - began, 6)
        self.wait_nobody()
        self.assertLess(self.resident_kib() - before, 4096, "KiB")
        self.assertEqual([], [line for line in self.heard() if "((((" in line or "xxxx" in line])

    def test_C5_a_byte_now_and_then_is_not_enough_on_any_port(self):
        clients = {protocol: self.ready(protocol) for protocol in PROTOCOLS}
        began = time.monotonic()
        while clients and time.monotonic() - began < 8:
            for protocol, client in list(clients.items()):
                try:
                    client.say(b"x")
                    client.sock.settimeout(0.01)
                    if client.sock.recv(4096) == b"":
                        del clients[protocol]
                except socket.timeout:
                    pass
                except OSError:
                    del clients[protocol]
            time.sleep(0.2)
        self.assertEqual({}, clients)
        self.assertLess(time.monotonic() - began, 6)

    def test_C5_many_that_send_and_never_log_in_have_a_ceiling_together(self):
        before, crowd = self.resident_kib(), []
        for i in range(400):
            client = self.talk(PROTOCOLS[i % 4])
            client.sock.settimeout(0.2)
            crowd.append(client)
            with contextlib.suppress(OSError):
                client.say(b"a LOGIN " + b"x" * 60000)
        most = self.resident_kib() - before
        self.assertLess(most, 400 * 48, f"{most} KiB for 400")  # 16 KiB of secrets, and what a line may have
        for client in crowd:
            client.close()
        self.wait_nobody()
        self.assertEqual([], [line for line in self.heard() if "xxxx" in line])

    def test_C7_what_base64_hides_reaches_no_backend(self):
        self.offered()
        user = self.user
        cases = {
            "PLAIN": [plain(f"{user}\r\nA1 {MARK}", "good"), plain(user, f"good\r\nA1 {MARK}"), plain(f"{user}\n{MARK}", "x"),
                      plain(user, f"x{MARK}", f"{user}\r\nQUIT"), b64(f"\0{user}\0{MARK}\0x"), b64(f"\0{user}\0{MARK}\x7f"),
                      b64(f"{user}\0{MARK}"), b64(f"\0{user}\0{MARK}\x01")],
            "OAUTHBEARER": [bearer(f"{user}\r\nA1 {MARK}"), bearer(user, f"{MARK}\r\nA1 NOOP"),
                            bearer(user, MARK, "host=x\r\nA1 NOOP\x01"), b64(f"n,a={user},\x01auth=Bearer {MARK}\x01"),
                            b64(f"n,a={user},\x01auth=Bearer {MARK}\x01\x01A1 NOOP"),
                            b64(f"n,a={user},\0\x01auth=Bearer {MARK}\x01\x01"),
                            b64(f"p=tls-unique,a={user},\x01auth=Bearer {MARK}\x01\x01")],
            "XOAUTH2": [xoauth2(f"{user}\r\nA1 {MARK}"), xoauth2(user, f"{MARK}\nA1 NOOP"),
                        b64(f"user={user}\x01user={MARK}\x01auth=Bearer x\x01\x01"),
                        b64(f"user={user}\x01auth=Bearer {MARK}\x01")],
            "SCRAM-SHA-256": [b64(f"n,,n={user}\r\nA1 {MARK},r=abc"), b64(f"p=tls-unique,,n={user},r={MARK}"),
                              b64(f"n,,m=x,n={user},r={MARK}"), b64(f"n,,n=={user},r={MARK}")],
        }
        for protocol in PROTOCOLS:
            for mechanism, blobs in cases.items():
                for blob in blobs:
                    with self.ready(protocol) as client:
                        answer = client.auth(mechanism, blob)
                        if answer.startswith((b"+ ", b"334", b'"')):  # RFC 7628: the error, and an answer to it
                            client.say('"AQ=="' if protocol == "sieve" else "AQ==")
                            answer = client.answer()
                        self.assertIn(verdict(answer), NOT_IN, (protocol, mechanism, blob, answer))
            with self.ready(protocol) as client:  # LOGIN asks for one after the other
                answer = client.auth("LOGIN", b64(user), b64(f"good\r\nA1 {MARK}"))
                self.assertIn(verdict(answer), NOT_IN, answer)
        self.assertEqual([], [line for line in self.heard() if MARK in line])
        blobs = [b for h in self.homes.values() for s in h.sessions for b in getattr(s, "blobs", []) if MARK.encode() in b]
        self.assertEqual([], blobs)

    def test_C8_bad_base64_is_an_error_of_its_own_session_only(self):
        blobs = ["!!!!", "QUJD=", "=", "====", "QQ", "QUJDR", "QQ==QQ==", "Q\xc3\xa9==", "\x80\x80\x80\x80", "AAAA",
                 b64("\0\0"),
                 b64("\0ann@example.org\0"), "A" * 4000]
        for protocol in PROTOCOLS:
            with self.inside(protocol, f"calm-{self.user}") as calm:
                for blob in blobs:
                    with self.ready(protocol) as client:
                        client.say((f"a AUTHENTICATE PLAIN {blob}" if protocol == "imap" else
                                    f'AUTHENTICATE "PLAIN" "{blob}"' if protocol == "sieve" else
                                    f"AUTH PLAIN {blob}").encode("latin-1") + b"\r\n")
                        self.assertIn(verdict(client.answer()), NOT_IN, (protocol, blob))
                with self.ready(protocol) as client:  # 64 KB at once
                    with contextlib.suppress(OSError):
                        client.say(b"a AUTHENTICATE PLAIN " + b"A" * 65536 + b"\r\n" if protocol == "imap" else
                                   b'AUTHENTICATE "PLAIN" "' + b"A" * 65536 + b'"\r\n' if protocol == "sieve" else
                                   b"AUTH PLAIN " + b"A" * 65536 + b"\r\n")
                    self.assertIn(verdict(client.answer()), NOT_IN)
                with self.ready(protocol) as client:  # "*" gives up, and the next one is as good as ever
                    client.auth("PLAIN")
                    client.say('"*"' if protocol == "sieve" else "*")
                    self.assertEqual("bad", verdict(client.answer()))
                    self.assertEqual("in", verdict(client.auth("PLAIN", plain(f"late-{self.user}", "good"))))
                with self.ready(protocol) as client:  # an empty initial response
                    answer = client.auth("PLAIN", "" if protocol == "sieve" else "=")
                    self.assertIn(verdict(answer), NOT_IN)
                self.assertIn(b"OK" if protocol != "submission" else b"250", calm.noop())
        self.assertEqual([], self.old.of(self.user))

    def test_C9_who_acts_for_whom_is_routed_by_the_one_and_judged_by_the_backend(self):
        self.set_owner("new", f"boss-{self.user}")
        for protocol in PROTOCOLS:
            seen = len(self.new.sessions)
            with self.ready(protocol) as client:
                blob = plain(f"clerk-{self.user}", "good", f"boss-{self.user}")
                self.assertEqual("in", verdict(client.auth("PLAIN", blob)))
                sessions = [s for s in self.new.sessions[seen:] if getattr(s, "blobs", [])]
                self.assertEqual([f"boss-{self.user}\0clerk-{self.user}\0good".encode()], sessions[-1].blobs)
            with self.ready(protocol) as client:  # the backend says no, and that is that
                blob = plain(f"clerk-{self.user}", WRONG, f"boss-{self.user}")
                self.assertEqual("wrong", verdict(client.auth("PLAIN", blob)))
            for name in (f"{self.user}*admin", f"{self.user}%admin"):  # no separator is set: a name like others, or none
                with self.ready(protocol) as client:
                    client.auth("PLAIN", plain(name, "good"))
                self.assertEqual([], [s for s in self.old.sessions if s.user == self.user])

    def test_C12_names_are_read_or_refused_and_never_expanded(self):
        names = ["   ", "../../etc/passwd", "a@b@example.org", "{x}", "@", "@example.org", "x@", "\t", "a" * 65536,
                 "a" * 5000 + "@example.org", "a@example.org\0", "x\x85y@example.org", "a..b@@example.org"]
        for protocol in PROTOCOLS:
            for name in names:
                with self.ready(protocol) as client, contextlib.suppress(OSError):
                    answer = client.auth("PLAIN", plain(name, "good"))
                    self.assertIn(verdict(answer), NOT_IN, (protocol, name[:20], answer))
            for name in ("%u@example.org", "%n%s@example.org", "{5}@example.org", "$(id)@example.org",
                         "../x@example.org", "*@example.org"):
                with self.ready(protocol) as client:
                    self.assertEqual("in", verdict(client.auth("PLAIN", plain(name, "good"))), name)
                self.assertEqual(f"\0{name}\0good".encode(), self.old.of(name)[-1].blobs[-1])
        users = {s.user for s in self.old.sessions + self.new.sessions}
        self.assertEqual(set(), users & {name.strip() for name in names})

    def test_C14_POP3_before_its_login(self):
        with self.ready("pop3") as client:
            for _ in range(15):
                client.say(f"USER somebody-{self.user}")
                self.assertRegex(client.line(), rb"^\+OK")
            client.say(f"USER {self.user}")
            client.line()
            client.say("PASS  two words  ")
            self.assertRegex(client.line(), rb"^\+OK")
        self.assertEqual([f"\0{self.user}\0 two words  ".encode()], self.old.of(self.user)[-1].blobs)
        for said in ("APOP ann c4c9334bac560ecc979e58001b3e22fb", "XTND XMIT", "UTF8", "LANG de", "LIST", "RETR 1",
                     "DELE 1", "TOP 1 0",
                     "UIDL", "STAT", "RSET", "XCLIENT ADDR=1.2.3.4", "PASS good", "USER", "USER " + "x" * 600, "NOOP x",
                     "QUIT x", "x" * 700,
                     "AUTH", "AUTH PLAIN x y", "CAPA x", f"user {self.user} more", " USER x", "USER\tx", "\0", ""):
            with self.subTest(said[:20]), self.ready("pop3") as client:
                client.say(said)
                answer = client.line()
                if said == "AUTH":  # a list, for old clients
                    self.assertRegex(answer, rb"^\+OK")
                elif said.startswith("user "):  # the name may have spaces
                    client.say("PASS good")
                    self.assertRegex(client.line(), rb"^(\+OK|-ERR)")
                else:
                    self.assertRegex(answer, rb"^-ERR")
        with self.ready("pop3") as client:
            client.say(b"USER x\r\n" * 1000 + b"NOOP\r\n")
            self.assertEqual(1000, client.everything(6).count(b"+OK And"))
        words = {line.split(" ")[0].upper() for s in self.old.sessions if s.protocol == "pop3" for line in s.said}
        self.assertLessEqual(words, {"CAPA", "AUTH", "USER", "PASS", "QUIT", "NOOP", "XCLIENT"} - {"NOOP", "XCLIENT"})

    def test_C14_a_thousand_mistakes_are_too_many(self):
        for protocol in PROTOCOLS:
            with self.ready(protocol) as client:
                with contextlib.suppress(OSError):
                    client.say(b"x y\r\n" * 1000)
                said = client.everything(5)
                self.assertLess(said.count(b"\n"), 60)

    def test_C15_ManageSieve_before_its_login(self):
        before = self.resident_kib()
        for said in (b"AUTHENTICATE {4294967295+}\r\n", b"AUTHENTICATE {99999999999999999999+}\r\n",
                     b"PUTSCRIPT \"a\" {1000000+}\r\n" + b"x" * 70000,
                     b"AUTHENTICATE \"PLAIN\" {1000000+}\r\n" + b"x" * 70000, b"NOOP \"" + b"x" * 70000 + b"\"\r\n",
                     b"NOOP {65536+}\r\n" + b"x" * 65536,
                     b"AUTHENTICATE {-1}\r\n", b"AUTHENTICATE {5}\r\nPLAIN", b'NOOP "\\', b'"' * 1000 + b"\r\n",
                     b"\x00" * 100 + b"\r\n"):
            with self.subTest(said[:40]), self.ready("sieve") as client:
                with contextlib.suppress(OSError):
                    client.say(said)
                self.assertRegex(client.everything(6), rb"^((NO|BYE)|$)")
        for loop in (b'AUTHENTICATE "PLAIN" "!!"\r\n', b'AUTHENTICATE "PLAIN"\r\n"*"\r\n', b'AUTHENTICATE "NONE"\r\n'):
            with self.subTest(loop), self.ready("sieve") as client:
                with contextlib.suppress(OSError):
                    client.say(loop * 200)
                said = client.everything(6)
                self.assertIn(b"BYE", said)
                self.assertLess(said.count(b"NO "), 40)
        self.wait_nobody()
        self.assertLess(self.resident_kib() - before, 4096)


class Masters(RowsCase):
    frontd_settings = {"master_separators": "*%", "fail_delay": 0}

    def test_C9_a_master_user_is_led_to_his_user_and_proves_nothing_by_that(self):
        self.set_owner("new")
        for protocol in PROTOCOLS:
            for separator in "*%":
                name = f"{self.user}{separator}admin@elsewhere.example"
                with self.ready(protocol) as client:
                    self.assertEqual("in", verdict(client.auth("PLAIN", plain(name, "good"))))
                self.assertEqual(f"\0{name}\0good".encode(), self.new.of(name)[-1].blobs[-1])
                with self.ready(protocol) as client:
                    self.assertEqual("wrong", verdict(client.auth("PLAIN", plain(name, WRONG))))
                self.assertEqual([], self.old.of(name))
            for name in (f"{self.user}*", "*admin", f"*{self.user}", "*", f"nobody@foreign.invalid*{self.user}"):
                with self.ready(protocol) as client:
                    self.assertIn(verdict(client.auth("PLAIN", plain(name, "good"))), NOT_IN, (protocol, name))
                self.assertEqual([[], []], [home.of(name) for home in (self.old, self.new)])


class Locked(RowsCase):
    """TLS on both sides, in each protocol."""

    tls = ("none", "implicit", "starttls")
    frontd_settings = {"login_timeout": 2500, "fail_delay": 0}
    STARTTLS = {"imap": "a STARTTLS", "pop3": "STLS", "submission": "STARTTLS", "sieve": "STARTTLS"}
    BEFORE_TLS = {"imap": "STARTTLS ", "pop3": "STLS\r\n", "submission": "250-STARTTLS\r\n", "sieve": '"STARTTLS"\r\n'}

    @classmethod
    def make_homes(cls):
        cls.authority = Authority(cls.lab)
        identity = cls.authority.sign("backend.example.org", "127.0.0.1")
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)
        return {name: Home(cls.lab, name, tls=identity, always=cls.BEFORE_TLS) for name in ("old", "new")}

    @classmethod
    def adjust(cls, settings):
        super().adjust(settings)
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        settings["frontd"]["certificates"] = [{"cert_file": certificate, "key_file": key}]
        for destination in settings["destinations"]:
            for service in destination["services"]:
                service.update(tls="starttls", ca_file=cls.authority.ca, server_name="backend.example.org")
                del service["trusted"]

    def test_C1_what_follows_STARTTLS_in_clear_never_runs(self):
        secret = plain(self.user, "good")
        behind = {"imap": f"b AUTHENTICATE PLAIN {secret}\r\n", "pop3": f"AUTH PLAIN {secret}\r\n",
                  "submission": f"EHLO evil\r\nAUTH PLAIN {secret}\r\n", "sieve": f'AUTHENTICATE "PLAIN" "{secret}"\r\n'}
        for protocol in PROTOCOLS:
            for rest in (behind[protocol], behind[protocol][:5], "\r\n", " "):
                with self.subTest(protocol, rest=rest[:10]), self.ready(protocol, tls="starttls") as client:
                    client.say((self.STARTTLS[protocol] + "\r\n" + rest).encode())
                    client.sock.settimeout(5)
                    said = b""
                    with contextlib.suppress(OSError):
                        said = client.answer()
                        with self.context.wrap_socket(client.sock, server_hostname="127.0.0.1") as wrapped:
                            said += wrapped.recv(4096)  # is anything of it answered under TLS?
                    self.assertNotRegex(said, rb"(?m)^(b OK|\+OK In|235|OK \"In)")
        self.assertEqual([], self.old.of(self.user))

    def test_C1_after_STARTTLS_nothing_that_was_said_before_counts(self):
        with self.ready("pop3", tls="starttls") as client:
            client.say(f"USER {self.user}")
            client.line()
            client.say("STLS")
            client.line()
            client.sock = self.context.wrap_socket(client.sock, server_hostname="127.0.0.1")
            client.say("PASS good")
            self.assertRegex(client.line(), rb"^-ERR")
        self.assertEqual([], self.old.of(self.user))

    def test_C2_bytes_behind_the_OK_to_STARTTLS_and_the_capabilities_before_it(self):
        more = {"imap": "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n", "pop3": "+OK\r\n", "submission": "250 AUTH PLAIN\r\n",
                "sieve": 'OK "Yes"\r\n'}
        word = {"imap": "STARTTLS", "pop3": "STLS", "submission": "STARTTLS", "sieve": "STARTTLS"}
        yes = {"imap": "{} OK Go\r\n", "pop3": "+OK\r\n", "submission": "220 Go\r\n", "sieve": 'OK "Go"\r\n'}
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                self.old.hooks[protocol, word[protocol]] = lambda s, tag, rest, p=protocol: s.send(yes[p].format(tag) + more[p])
                with self.talk(protocol, tls="implicit", context=self.context) as client:
                    self.assertEqual("later", client.log_in(self.user, "good"))
                self.old.hooks.clear()
                asked = {"imap": "CAPABILITY", "pop3": "CAPA", "submission": "EHLO"}.get(protocol)
                with self.talk(protocol, tls="implicit", context=self.context) as client:
                    self.assertEqual("in", client.log_in(f"{protocol}-{self.user}", "good"))
                    said = self.old.of(f"{protocol}-{self.user}")[-1].said
                    words = [line.split(" ")[1 if protocol == "imap" else 0].upper() for line in said]
                    if asked:  # ManageSieve says them by itself
                        self.assertIn(asked, words[words.index(word[protocol]):], said)
        self.assertEqual([], self.old.of(self.user))

    def test_C2_a_backend_that_knows_us_already(self):
        for greeting in ("* PREAUTH I know you\r\n", "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] Hello\r\n"):
            self.old.greetings["imap"] = greeting
            with self.talk("imap", tls="implicit", context=self.context) as client:
                self.assertEqual("later", client.log_in(self.user, "good"))
        self.assertEqual([], self.old.of(self.user))

    def test_C3_without_STARTTLS_at_the_backend_nothing_is_said_in_clear(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                self.old.more = {p: "" for p in PROTOCOLS}
                self.old.hooks["pop3", "STLS"] = lambda s, tag, rest: s.send("-ERR What\r\n")  # asked before CAPA
                with self.talk(protocol, tls="implicit", context=self.context) as client:
                    self.assertEqual("later", client.log_in(self.user, "good"))
        self.assertEqual([], self.old.of(self.user))
        self.assertFalse([line for line in self.heard() if "AUTH" in line.upper() and plain(self.user, "good") in line])


if __name__ == "__main__":
    unittest.main()
