"""Logins before two real Dovecots, each tried at the other side too: one knows the password, one another."""

import base64
import imaplib
import json
import poplib
import re
import smtplib

from lab.case import LabCase
from lab.certs import Authority
from lab.core import wait_for
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.postfix import Postfix
from lab.redis import Redis

NAMES = ("ann", "bob", "cat", "dan", "eve", "fay")
ANN, BOB, CAT, DAN, EVE, FAY = USERS = [f"{name}@example.org" for name in NAMES]
OTHER = {BOB: "another", FAY: "another"}  # their passwords at new
MORE = """
login_trusted_networks = 127.0.0.0/8
auth_failure_delay = 1 secs
"""


class Front(Frontd):
    """New over TLS; logins at old are tried there."""

    authority = None

    def services(self, dovecot):
        services = super().services(dovecot)
        for service in services:
            if dovecot.name == "new" and service["protocol"] == "imap":
                service.update({"addresses": [f"inet:127.0.0.1:{dovecot.imaps_port}"], "tls": "implicit",
                                "ca_file": self.authority.ca, "server_name": "new.example.org"})
                del service["trusted"]
        return services


class RehearseTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        Front.authority = Authority(cls.lab)
        cls.homes = {name: cls.make_home(name) for name in ("old", "new")}
        cls.homes["new"].process.lab.write("new/users", "".join(
            f"{user}:{OTHER.get(user, 'secret')}::::::\n" for user in USERS if user != EVE))
        cls.front = Front(cls.lab, cls.homes, redis=cls.redis, start=False, init=False,
                          listen=[(protocol, "none") for protocol in ("imap", "pop3", "submission", "sieve")])
        cls.front.settings["destinations"][0]["rehearse"] = "new"
        cls.front.settings["frontd"]["workers"] = 2
        cls.front.write_config()
        cls.front.splitmx("init")
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.front.start()

    @classmethod
    def make_home(cls, name):
        tls = Front.authority.sign("new.example.org") if name == "new" else None
        more = MORE + ("ssl = yes\n" if tls else "")
        home = Dovecot(cls.lab, name, USERS, more=more, tls=tls, protocols=("imap", "pop3", "sieve"), auth=True)
        postfix = Postfix(cls.lab, "postfix-" + name, smtpd={"submission": ""}, main={
            "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "myhostname": f"{name}.example.org",
            "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}", "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "mynetworks": "192.0.2.0/24"})
        home.submission, home.postfix = postfix.ports["submission"], postfix
        return home

    def rehearsed(self, user):
        return json.loads(self.front.splitmx("--json", "explain", user).stdout)["rehearsed"]

    def wait_rehearsed(self, user, works):
        found = wait_for(f"{user} was tried at new", 30, lambda: self.rehearsed(user).get("new"), (self.front.log, self.homes["new"].log))
        self.assertEqual(works, found["works"])
        self.assertRegex(self.front.splitmx("explain", user).stdout,
                         rf"(?m)^rehearsed  {'yes' if works else 'no'} at new, {found['at']}$")

    def log_of(self, name):
        with open(self.homes[name].log, encoding="utf-8") as f:
            return f.read()

    def test_a_password_that_works_there(self):
        with imaplib.IMAP4("127.0.0.1", self.front.ports["imap", "none"]) as client:
            client.login(ANN, "secret")
            self.wait_rehearsed(ANN, True)
            self.assertEqual("OK", client.noop()[0])
        wait_for("it has logged out", 10, lambda: re.search(rf"imap\({ANN}\).*Logged out", self.log_of("new")))
        self.assertRegex(self.log_of("new"), rf"imap-login: Info: Login: user=<{ANN}>.*TLS")

    def test_another_password_there_is_tried_once(self):
        for _ in range(4):
            with imaplib.IMAP4("127.0.0.1", self.front.ports["imap", "none"]) as client:
                client.login(BOB, "secret")
                self.wait_rehearsed(BOB, False)
        self.assertEqual(1, len(re.findall(rf"passwd-file\({BOB}[^)]*\).*Password mismatch", self.log_of("new"))), self.log_of("new"))

    def test_nobody_of_that_name_there(self):
        with imaplib.IMAP4("127.0.0.1", self.front.ports["imap", "none"]) as client:
            client.login(EVE, "secret")
            self.wait_rehearsed(EVE, False)

    def test_pop3(self):
        client = poplib.POP3("127.0.0.1", self.front.ports["pop3", "none"], timeout=20)
        client.user(CAT)
        client.pass_("secret")
        self.wait_rehearsed(CAT, True)
        client.quit()
        self.assertRegex(self.log_of("new"), rf"pop3-login: Info: Login: user=<{CAT}>")

    def test_submission(self):
        with smtplib.SMTP("127.0.0.1", self.front.ports["submission", "none"], timeout=20) as client:
            client.login(DAN, "secret")
            self.wait_rehearsed(DAN, True)
        postfix = self.homes["new"].postfix
        wait_for("Postfix saw it go", 10, lambda: postfix.log_count(r"disconnect from .* auth=1 .*quit=1"), (postfix.log,))

    def test_sieve(self):
        with self.front.dial("sieve") as sock, sock.makefile("rb") as lines:
            token = base64.b64encode(f"\0{FAY}\0secret".encode()).decode()
            while not lines.readline().startswith(b"OK"):
                pass
            sock.sendall(f'AUTHENTICATE "PLAIN" "{token}"\r\n'.encode())
            self.assertTrue(lines.readline().startswith(b"OK"))
            self.wait_rehearsed(FAY, False)
