"""The login front before two real Dovecots: who comes where, and what happens when the account moves."""

import base64
import imaplib
import poplib
import re
import smtplib
import ssl
import threading
import unittest

from lab.case import LabCase
from lab.certs import Authority
from lab.core import wait_for
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.postfix import Postfix
from lab.redis import Redis

USERS = [f"{name}@example.org" for name in ("ann", "bob", "cat", "dan", "eve")]
ANN, BOB, CAT, DAN, EVE = USERS
TRUSTED = "login_trusted_networks = 127.0.0.0/8"  # of whom Dovecot believes who is calling


class FrontCase(LabCase):
    front_options = {}

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = cls.make_homes()
        cls.front = Frontd(cls.lab, cls.homes, redis=cls.redis, **cls.front_options)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.redis.cli("SET", f"splitmx:owner:{BOB}", "new")
        for name, home in cls.homes.items():
            for user in USERS:
                with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                    client.login(user, "secret")
                    client.create(f"in-{name}")

    @classmethod
    def make_homes(cls):
        return {name: Dovecot(cls.lab, name, USERS, more=TRUSTED) for name in ("old", "new")}

    def setUp(self):
        self.addCleanup(self.redis.cli, "DEL", *[f"splitmx:{kind}:{user}" for user in (CAT, DAN, EVE) for kind in ("owner", "hold")])

    def side(self, client):
        """Where this session is."""
        folders = b" ".join(client.list()[1])
        return "old" if b"in-old" in folders else "new"

    def login(self, user, **options):
        client = self.front.imap(**options)
        client.login(user, "secret")
        return client

    def set_owner(self, user, owner):
        self.redis.cli("SET", f"splitmx:owner:{user}", owner)

    def hold(self, user):
        self.redis.cli("SET", f"splitmx:hold:{user}", "all:lab", "EX", 600)

    def release(self, user):
        self.redis.cli("DEL", f"splitmx:hold:{user}")

    def phases(self, user=None):
        return [s["phase"] for s in self.front.sessions() if user in (None, s.get("account"))]


class ImapTest(FrontCase):
    def test_each_account_comes_to_its_owner(self):
        for user, side in ((ANN, "old"), (BOB, "new")):
            with self.login(user) as client:
                self.assertEqual(self.side(client), side)

    def test_after_a_wrong_password_the_right_one_is_taken(self):
        with self.front.imap() as client:
            with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
                client.login(ANN, "wrong")
            client.login(ANN, "secret")
            self.assertEqual(self.side(client), "old")

    def test_unknown_and_wrong_have_the_same_words(self):
        words = []
        for user in (ANN, "nobody@example.org", "ann@foreign.invalid", "ann"):
            with self.front.imap() as client:
                with self.assertRaises(imaplib.IMAP4.error) as raised:
                    client.login(user, "wrong")
                words.append(str(raised.exception))
        self.assertEqual(1, len(set(words)), words)

    def test_a_flip_ends_the_session_and_the_next_comes_to_the_new_side(self):
        client = self.login(CAT)
        client.select("INBOX")
        self.set_owner(CAT, "new")
        self.assertRegex(self.last_words(client), rb"\* BYE \[UNAVAILABLE\]")
        with self.login(CAT) as again:
            self.assertEqual(self.side(again), "new")

    def last_words(self, client):
        """Everything that is still said to this client."""
        with client.sock.makefile("rb") as f:
            return f.read()

    def test_an_idle_client_is_told(self):
        client = self.login(DAN)
        client.select("INBOX")
        client.send(b"i IDLE\r\n")
        self.assertTrue(client.readline().startswith(b"+"))
        self.hold(DAN)
        self.assertRegex(self.last_words(client), rb"^\* BYE \[UNAVAILABLE\]")
        wait_for("its session is gone", 10, lambda: not self.phases(DAN), (self.front.log,))

    def test_logins_to_a_held_account_wait_and_go_on_where_it_is_then(self):
        self.hold(EVE)
        sides, clients = [], [threading.Thread(target=lambda: sides.append(self.side(self.login(EVE)))) for _ in range(20)]
        for client in clients:
            client.start()
        wait_for("all of them are parked", 10, lambda: self.phases(EVE) == ["parked"] * 20, (self.front.log,))
        self.set_owner(EVE, "new")
        self.assertEqual(["parked"] * 20, self.phases(EVE))
        self.release(EVE)
        for client in clients:
            client.join(20)
        self.assertEqual(["new"] * 20, sides)

    def test_what_hides_the_boundaries_is_neither_announced_nor_passed(self):
        with self.login(ANN) as client:
            self.assertNotIn("COMPRESS", " ".join(client.capabilities))
            client.send(b"x COMPRESS DEFLATE\r\n")
            self.assertRegex(client.readline(), rb"^x (BAD|NO)")
            self.assertEqual("OK", client.noop()[0])

    def test_the_backend_knows_who_calls_whatever_the_client_says(self):
        with self.front.imap() as client:
            client.xatom("ID", '("name" "lab" "x-originating-ip" "192.0.2.99")')
            client.login(BOB, "secret")
            port = client.sock.getsockname()[1]
            lines = self.homes["new"]
            with open(lines.log, encoding="utf-8") as f:
                log = f.read()
        self.assertNotIn("192.0.2.99", log)
        self.assertRegex(log, rf"Login: user=<{BOB}>.*rip=127\.0\.0\.1")
        self.assertTrue(port)

    def test_sessions_are_listed_and_gone_when_they_are_over(self):
        with self.login(ANN):
            self.assertIn("running", self.phases(ANN))
        wait_for("the session is gone", 10, lambda: not self.phases(ANN), (self.front.log,))

    def test_a_kick_ends_a_session_gently(self):
        client = self.login(DAN)
        self.assertEqual({"ended": 1}, self.front.control(do="kick", account=DAN))
        self.assertRegex(self.last_words(client), rb"\* BYE")

    def test_no_password_in_any_log(self):
        with self.front.imap() as client:
            with self.assertRaises(imaplib.IMAP4.error):
                client.login(ANN, "s3cret-that-nobody-may-see")
        with open(self.front.log, encoding="utf-8") as f:
            self.assertNotIn("s3cret", f.read())


class TlsTest(FrontCase):
    """TLS before the front and behind it."""

    @classmethod
    def make_homes(cls):
        cls.authority = Authority(cls.lab)
        certificate, key = cls.authority.sign("front.example.org", "127.0.0.1")
        cls.front_options = {
            "listen": [("imap", "starttls"), ("imap", "implicit")],
            "settings": {"frontd": {"certificates": [{"cert_file": certificate, "key_file": key}]}}}
        tls = cls.authority.sign("backend.example.org", "127.0.0.1")
        return {name: Dovecot(cls.lab, name, USERS, tls=tls, more=TRUSTED) for name in ("old", "new")}

    @classmethod
    def setUpClass(cls):
        cls.context = None
        original = Frontd.services

        def services(front, dovecot):
            mode, port = ("implicit", dovecot.imaps_port) if dovecot.name == "new" else ("starttls", dovecot.imap_port)
            return [{"protocol": "imap", "addresses": [f"inet:127.0.0.1:{port}"], "tls": mode, "caller": "id",
                     "ca_file": cls.authority.ca, "server_name": "backend.example.org"}]
        Frontd.services = services
        try:
            super().setUpClass()
        finally:
            Frontd.services = original
        cls.context = ssl.create_default_context(cafile=cls.authority.ca)

    def test_every_mode_of_the_client_and_of_the_backend(self):
        for tls in ("starttls", "implicit"):
            for user, side in ((ANN, "old"), (BOB, "new")):
                with self.subTest(tls=tls, user=user), self.login(user, tls=tls, context=self.context) as client:
                    self.assertEqual(self.side(client), side)

    def test_without_tls_no_password_is_taken(self):
        with imaplib.IMAP4("127.0.0.1", self.front.ports["imap", "starttls"]) as client:
            self.assertIn("LOGINDISABLED", client.capabilities)
            with self.assertRaisesRegex(imaplib.IMAP4.error, "PRIVACYREQUIRED"):
                client.login(ANN, "secret")

    def test_a_flip_ends_a_session_over_tls(self):
        with self.login(CAT, tls="implicit", context=self.context) as client:
            self.set_owner(CAT, "new")
            with self.assertRaises((imaplib.IMAP4.abort, OSError)):
                for _ in range(1000):
                    client.noop()


class Sieve:
    """A ManageSieve client, as far as a test needs one (RFC 5804)."""

    def __init__(self, sock):
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.capabilities = self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.sock.close()

    def answer(self):
        """The lines up to, and with, OK, NO or BYE."""
        lines = []
        while not lines or not re.match(r"(OK|NO|BYE)\b", lines[-1]):
            line = self.lines.readline().decode()
            if not line:
                raise EOFError(lines)
            lines.append(line.rstrip("\r\n"))
        return lines

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.answer()

    def login(self, user, password):
        initial = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ask(f'AUTHENTICATE "PLAIN" "{initial}"')[-1]


class ProtocolsTest(FrontCase):
    """POP3, submission and ManageSieve: the right side, a wrong password, and a flip that ends the session."""

    @classmethod
    def make_homes(cls):
        cls.front_options = {"listen": [("imap", "none"), ("pop3", "none"), ("submission", "none"), ("sieve", "none")]}
        homes = {}
        for name in ("old", "new"):
            home = homes[name] = Dovecot(cls.lab, name, USERS, more=TRUSTED, protocols=("imap", "pop3", "sieve"), auth=True)
            postfix = Postfix(cls.lab, "postfix-" + name, smtpd={"submission": ""}, main={
                "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "myhostname": f"{name}.example.org",
                "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}", "smtpd_authorized_xclient_hosts": "127.0.0.1",
                "smtpd_sasl_security_options": "noanonymous", "default_transport": "discard", "mynetworks": "192.0.2.0/24",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject"})
            home.submission, home.postfix = postfix.ports["submission"], postfix
        return homes

    def test_pop3(self):
        for user, side in ((ANN, "old"), (BOB, "new")):
            client = poplib.POP3("127.0.0.1", self.front.ports["pop3", "none"], timeout=20)
            client.user(user)
            with self.assertRaisesRegex(poplib.error_proto, r"\[AUTH\]"):
                client.pass_("wrong")
            client.user(user)
            client.pass_("secret")
            self.assertEqual((0, 0), client.stat())
            self.logged_in(side, "pop3-login", user)
            self.assertTrue(client.quit().startswith(b"+OK"))

    def logged_in(self, side, service, user):
        log = self.homes[side].log

        def there():
            with open(log, encoding="utf-8") as f:
                return re.search(rf"{service}: Info: Login: user=<{user}>.*rip=127\.0\.0\.1", f.read())
        wait_for(f"{user} in the log of {side}", 10, there, (log,))

    def test_sieve(self):
        for user, side in ((ANN, "old"), (BOB, "new")):
            with Sieve(self.front.dial("sieve")) as client:
                self.assertIn('"SIEVE"', " ".join(client.capabilities))
                self.assertEqual('NO "Authentication failed."', client.login(user, "wrong"))
                self.assertTrue(client.login(user, "secret").startswith("OK"))
                self.assertTrue(client.ask("LISTSCRIPTS")[-1].startswith("OK"))
                self.logged_in(side, "managesieve-login", user)
                self.assertTrue(client.ask("LOGOUT")[-1].startswith("OK"))

    def test_submission(self):
        for user, side in ((ANN, "old"), (BOB, "new")):
            with smtplib.SMTP("127.0.0.1", self.front.ports["submission", "none"], timeout=20) as client:
                with self.assertRaises(smtplib.SMTPAuthenticationError) as raised:
                    client.login(user, "wrong")
                self.assertEqual(535, raised.exception.smtp_code)
                client.login(user, "secret")
                client.sendmail(user, ["someone@foreign.invalid"], f"Subject: by {side}\n\ntext\n")
            postfix = self.homes[side].postfix
            wait_for("Postfix has taken it", 10, lambda p=postfix, u=user: p.log_count(rf"client=unknown\[127\.0\.0\.1\].*sasl_username={u}"),
                     (postfix.log,))

    def test_a_flip_ends_them_all_at_a_boundary(self):
        pop3 = poplib.POP3("127.0.0.1", self.front.ports["pop3", "none"], timeout=20)
        pop3.user(CAT)
        pop3.pass_("secret")
        smtp = smtplib.SMTP("127.0.0.1", self.front.ports["submission", "none"], timeout=20)
        smtp.login(CAT, "secret")
        with Sieve(self.front.dial("sieve")) as sieve:
            sieve.login(CAT, "secret")
            self.set_owner(CAT, "new")
            self.assertRegex(sieve.answer()[-1], r"^BYE \(TRYLATER\)")
        self.assertEqual(b"", pop3.file.read())
        self.assertRegex(smtp.file.read(), rb"^421 4\.3\.2 ")
        pop3.close()
        smtp.close()
        wait_for("all of its sessions are gone", 10, lambda: not self.phases(CAT), (self.front.log,))

    def test_parked_logins_of_pop3_and_sieve_go_on(self):
        self.hold(DAN)
        pop3 = poplib.POP3("127.0.0.1", self.front.ports["pop3", "none"], timeout=20)
        pop3.user(DAN)
        done = []
        waiter = threading.Thread(target=lambda: done.append(pop3.pass_("secret")))
        waiter.start()
        wait_for("it is parked", 10, lambda: self.phases(DAN) == ["parked"], (self.front.log,))
        self.set_owner(DAN, "new")
        self.release(DAN)
        waiter.join(20)
        self.assertTrue(done and done[0].startswith(b"+OK"), done)
        self.logged_in("new", "pop3-login", DAN)
        pop3.quit()


if __name__ == "__main__":
    unittest.main()
