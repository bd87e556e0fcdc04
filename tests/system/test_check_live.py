"""splitmx check --live before real Dovecots and Postfixes: who answers, who is let in, and whom the servers see."""

import json
import os

from lab.case import LabCase
from lab.certs import Authority
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.postfix import Postfix
from lab.redis import Redis

ANN, BOB = "ann@example.org", "bob@example.org"  # at old, which trusts the front, and at new, which does not
FROM = "127.0.0.9"  # the command's address
TRUSTED = "login_trusted_networks = 127.0.0.0/8"
PATIENT = """
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
UNAVAILABLE = 69


class Front(Frontd):
    """Each service with the command that shows who is logged in there."""

    def services(self, dovecot):
        services = super().services(dovecot)
        for service in services:
            if service["protocol"] == "submission":
                service["who"] = ["/usr/bin/tail", "-n", "200", dovecot.postfix.log]
            elif service["protocol"] != "sieve":  # whose users Dovecot does not count
                service["who"] = ["/usr/bin/doveadm", "-c", dovecot.config, "who", "-1", "%a"]
        return services


class CheckCase(LabCase):
    front_options = {}

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = cls.make_homes()
        cls.front = Front(cls.lab, cls.homes, redis=cls.redis, **cls.front_options)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.redis.cli("SET", f"splitmx:owner:{BOB}", "new")
        cls.password = cls.lab.write("password", "secret\n")
        os.chmod(cls.password, 0o600)

    def run_check(self, *words):
        return self.front.splitmx("--json", "check", "--live", *words, check=False)

    def check(self, *words):
        """(status, what was found: check -> rows)"""
        done = self.run_check(*words)
        found = {}
        for line in done.stdout.splitlines():
            row = json.loads(line)
            found.setdefault(row["check"], []).append(row)
        self.assertNotIn("secret", done.stdout + done.stderr)
        return done.returncode, found

    def check_login(self, user, *more):
        return self.check("--login", user, "--password-file", self.password, *more)

    def row(self, rows, *words):
        """The only one whose text has all of these."""
        found = [row for row in rows if all(word in row["detail"] for word in words)]
        self.assertEqual(1, len(found), (words, rows))
        return found[0]


class Protocols(CheckCase):
    @classmethod
    def make_homes(cls):
        cls.front_options = {"listen": [(protocol, "none") for protocol in ("imap", "pop3", "submission", "sieve")]}
        homes = {}
        for name, trusts in (("old", True), ("new", False)):
            home = homes[name] = Dovecot(cls.lab, name, [ANN, BOB], more=PATIENT + (TRUSTED if trusts else ""),
                                         protocols=("imap", "pop3", "sieve"), auth=True)
            home.postfix = Postfix(cls.lab, "postfix-" + name, smtpd={"submission": ""}, main={
                "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "myhostname": f"{name}.example.org",
                "smtpd_sasl_path": f"inet:127.0.0.1:{home.ports['auth']}",
                "smtpd_authorized_xclient_hosts": "127.0.0.1" if trusts else "", "mynetworks": "192.0.2.0/24"})
            home.submission = home.postfix.ports["submission"]
        return homes

    def test_who_trusts_the_front_sees_who_is_calling(self):
        status, found = self.check_login(ANN, "--from", FROM)
        self.assertEqual(UNAVAILABLE, status, "new does not trust")
        for protocol in ("imap", "pop3", "submission"):
            row = self.row(found["caller"], f"{protocol} at old")
            self.assertEqual((True, f"{protocol} at old saw {FROM}"), (row["ok"], row["detail"]), row)
        row = self.row(found["caller"], "sieve at old")
        self.assertIsNone(row["ok"])
        self.assertRegex(row["detail"], "^not verified: which address sieve at old saw; destinations.services.who ")
        for protocol in ("imap", "pop3", "submission", "sieve"):
            self.assertTrue(self.row(found["server"], f"{protocol} at old,", "from 127.0.0.1: no TLS, announces")["ok"])
            self.assertTrue(self.row(found["login"], f"{protocol} at old,", f"{ANN} is let in")["ok"])
            self.assertTrue(self.row(found["login"], f"{protocol} at inet:", f"from {FROM}: {ANN} is let in, at old")["ok"])
            self.assertTrue(self.row(found["front"], f"{protocol} at inet:")["ok"])

    def test_where_trust_is_missing_the_line_to_add_is_named(self):
        status, found = self.check_login(BOB, "--from", FROM)
        self.assertEqual(UNAVAILABLE, status)
        row = self.row(found["caller"], "imap at new")
        self.assertEqual((False, f"imap at new saw 127.0.0.1, the front, and not {FROM}",
                          "in dovecot.conf: login_trusted_networks = 127.0.0.1"), (row["ok"], row["detail"], row["fix"]))
        for protocol, line in (("pop3", "in dovecot.conf: login_trusted_networks = 127.0.0.1"),
                               ("sieve", "in dovecot.conf: login_trusted_networks = 127.0.0.1"),
                               ("submission", "in Postfix's main.cf: smtpd_authorized_xclient_hosts = 127.0.0.1")):
            row = self.row(found["server"], f"{protocol} at new,", "does not announce XCLIENT to 127.0.0.1")
            self.assertEqual((False, line), (row["ok"], row["fix"]))
            self.assertFalse(self.row(found["login"], f"{protocol} at inet:", "is not let in")["ok"])

    def test_without_a_second_address_nothing_is_claimed(self):
        _, found = self.check_login(ANN)
        row = self.row(found["caller"], "imap at old")
        self.assertIsNone(row["ok"])
        self.assertIn("--from names another address", row["detail"])

    def test_a_wrong_password_is_told_for_each_way(self):
        wrong = self.lab.write("wrong", "not it\n")
        os.chmod(wrong, 0o600)
        status, found = self.check("--login", ANN, "--password-file", wrong, "--from", FROM)
        self.assertEqual(UNAVAILABLE, status)
        self.assertIn("AUTHENTICATIONFAILED", self.row(found["login"], "imap at old,", "is not let in")["detail"])
        self.assertIn("535 5.7.8", self.row(found["login"], "submission at inet:", "is not let in")["detail"])
        self.assertNotIn("caller", {kind for kind, rows in found.items() if any(row["ok"] for row in rows if kind == "caller")})

    def test_for_people_there_is_a_line_for_each(self):
        done = self.front.splitmx("check", "--live", check=False)
        self.assertRegex(done.stdout, r"(?m)^ok     server    imap at old, inet:127\.0\.0\.1:\d+, from 127\.0\.0\.1: no TLS, announces .*AUTH=PLAIN")
        self.assertRegex(done.stdout, r"(?m)^FAILS  server    pop3 at new, .*\n"
                                      r"                 fix: in dovecot\.conf: login_trusted_networks = 127\.0\.0\.1$")

    def test_who_is_away_is_named(self):
        home = self.homes["new"]
        home.postfix.stop()
        try:
            _, found = self.check()
            row = self.row(found["server"], "submission at new,")
            self.assertFalse(row["ok"])
            self.assertIn("Connection refused", row["detail"])
        finally:
            home.postfix.start()

    def test_passwords_are_not_taken_from_what_others_can_read(self):
        os.chmod(self.password, 0o644)
        try:
            done = self.run_check("--login", ANN, "--password-file", self.password)
            self.assertEqual(66, done.returncode)
            self.assertIn("chmod 600", done.stderr)
        finally:
            os.chmod(self.password, 0o600)


class Tls(CheckCase):
    """The front's certificate and the servers'; new's is signed by nobody whom the settings name."""

    @classmethod
    def make_homes(cls):
        cls.authority, cls.stranger = Authority(cls.lab), Authority(cls.lab, "stranger")
        certificate, key = cls.authority.sign("front.example.org")
        cls.front_options = {
            "listen": [("imap", "starttls"), ("imap", "implicit")],
            "settings": {"frontd": {"certificates": [{"cert_file": certificate, "key_file": key}],
                                    "host_name": "front.example.org"}}}
        return {name: Dovecot(cls.lab, name, [ANN, BOB], tls=authority.sign("backend.example.org"), more=TRUSTED)
                for name, authority in (("old", cls.authority), ("new", cls.stranger))}

    @classmethod
    def furnish(cls):
        original = Front.services

        def services(front, dovecot):
            return [{"protocol": "imap", "addresses": [f"inet:127.0.0.1:{dovecot.imaps_port}"], "tls": "implicit", "caller": "id",
                     "ca_file": cls.authority.ca, "server_name": "backend.example.org",
                     "who": ["/usr/bin/doveadm", "-c", dovecot.config, "who", "-1", "%a"]}]
        Front.services = services
        try:
            super().furnish()
        finally:
            Front.services = original

    def test_certificates_are_verified_on_both_sides(self):
        status, found = self.check_login(ANN, "--from", FROM, "--ca-file", self.authority.ca)
        self.assertEqual(UNAVAILABLE, status)
        self.assertTrue(self.row(found["server"], "imap at old,", "TLS 1.3, announces")["ok"])
        row = self.row(found["server"], "imap at new,")
        self.assertFalse(row["ok"])
        self.assertIn("certificate", row["detail"])
        self.assertIn("ca_file", row["fix"])
        self.assertEqual([True, True], [row["ok"] for row in found["front"]])
        self.assertEqual([f"imap at old saw {FROM}"] * 2, [row["detail"] for row in found["caller"]])

    def test_a_front_with_another_name_or_authority_is_not_believed(self):
        for words in (("--ca-file", self.authority.ca, "--front-name", "mail.example.org"), ()):
            with self.subTest(words):
                _, found = self.check(*words)
                self.assertEqual([False, False], [row["ok"] for row in found["front"]])
                self.assertRegex(found["front"][0]["detail"], "TLS: .*(hostname mismatch|certificate)")
                self.assertIn("--ca-file", found["front"][0]["fix"])
