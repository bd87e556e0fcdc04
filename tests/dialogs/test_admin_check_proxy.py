"""splitmx check --live at listeners of the front that want a PROXY header: it says one where the settings expect it of its address."""

import json
import os
import unittest

from admin import OK, UNAVAILABLE
from front_case import PASSWORD, FrontCase
from lab.certs import Authority

OURS, OTHER = "127.0.0.1", "127.0.0.9"


def asks_for_the_rest(session, tag, rest):
    """AUTHENTICATE PLAIN; check says what follows when it is asked for."""
    if len(rest.split(" ")) == 2:
        session.send("+ \r\n")
        session.line()
    session.send(f"{tag} OK Logged in\r\n")


class Proxy(FrontCase):
    listen = [("imap", "none"), ("imap", "starttls"), ("imap", "implicit")]
    # of whom each wants one: of a network that has us, of somebody else, of several
    proxy_from = {"none": ["127.0.0.0/30"], "starttls": [OTHER], "implicit": ["192.0.2.0/24", OURS]}

    @classmethod
    def adjust(cls, settings):
        cls.authority = Authority(cls.lab)
        certificate, key = cls.authority.sign("mail.example.org")
        settings["frontd"].update(certificates=[{"cert_file": certificate, "key_file": key}], host_name="mail.example.org")
        for row in settings["frontd"]["listen"]:
            row["proxy_from"] = cls.proxy_from[row["tls"]]
        cls.password = cls.lab.write("password", PASSWORD + "\n")
        os.chmod(cls.password, 0o600)

    def check(self, code, *words):
        """{(check, TLS mode of the listener): row}, of the front's listeners."""
        done = self.front.splitmx("--json", "check", "--live", "--ca-file", self.authority.ca, *words, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        modes = {f"imap at inet:127.0.0.1:{port}": tls for (_, tls), port in self.front.ports.items()}
        rows = {}
        for row in map(json.loads, done.stdout.splitlines()):
            for name, tls in modes.items():
                if row["detail"].startswith(name):
                    self.assertNotIn((row["check"], tls), rows)
                    rows[row["check"], tls] = row
        return rows

    def test_each_listener_hears_a_header_where_it_wants_one_of_us(self):
        refused = self.front.log_count("proxy_refused")
        rows = self.check(OK)
        self.assertEqual({("front", tls) for tls in self.proxy_from}, set(rows))
        self.assertTrue(all(row["ok"] for row in rows.values()), rows)
        for tls, words in (("none", "no TLS"), ("starttls", "TLS 1.3"), ("implicit", "TLS 1.3")):
            self.assertIn(f": {words}, announces * CAPABILITY IMAP4rev1", rows["front", tls]["detail"])
        self.assertEqual(refused, self.front.log_count("proxy_refused"))

    def test_a_login_from_another_address_says_one_where_that_is_wanted(self):
        self.old.hooks = {"AUTHENTICATE": asks_for_the_rest}
        rows = self.check(OK, "--login", self.user, "--password-file", self.password, "--from", OTHER)
        for tls in self.proxy_from:
            self.assertTrue(rows["login", tls]["ok"], rows)
            self.assertIn(f"from {OTHER}: {self.user} is let in, at old", rows["login", tls]["detail"])
        self.assertEqual(3, len(self.front.log_lines(rf"session_ended .*user={self.user} from={OTHER}:\d+ ")))

    def test_a_listener_that_wants_one_and_settings_that_do_not_know_it(self):
        listen = self.front.settings["frontd"]["listen"]
        self.addCleanup(self.front.write_config)
        for row in listen:
            self.addCleanup(row.__setitem__, "proxy_from", row.pop("proxy_from"))
        self.front.write_config()  # and it goes on with those before
        rows = self.check(UNAVAILABLE)
        self.assertEqual({"none": False, "starttls": True, "implicit": False},
                         {tls: rows["front", tls]["ok"] for tls in self.proxy_from})


if __name__ == "__main__":
    unittest.main()
