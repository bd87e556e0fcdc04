"""The login front before two real Dovecots: who comes where, and what happens when the account moves."""

import imaplib
import unittest

from lab.case import LabCase
from lab.core import wait_for
from lab.dovecot import Dovecot
from lab.front import Frontd
from lab.redis import Redis

USERS = [f"{name}@example.org" for name in ("ann", "bob", "cat")]


class ImapTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = {name: Dovecot(cls.lab, name, USERS) for name in ("old", "new")}
        cls.front = Frontd(cls.lab, cls.homes, redis=cls.redis)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.redis.cli("SET", "splitmx:owner:bob@example.org", "new")
        for name, home in cls.homes.items():
            for user in USERS:
                with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                    client.login(user, "secret")
                    client.create(f"in-{name}")

    def side(self, client):
        folders = b" ".join(client.list()[1])
        return "old" if b"in-old" in folders else "new"

    def login(self, user):
        client = self.front.imap()
        client.login(user, "secret")
        return client

    def test_each_account_comes_to_its_owner(self):
        for user, side in (("ann@example.org", "old"), ("bob@example.org", "new")):
            with self.login(user) as client:
                self.assertEqual(self.side(client), side)

    def test_after_a_wrong_password_the_right_one_is_taken(self):
        client = self.front.imap()
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login("ann@example.org", "wrong")
        client.login("ann@example.org", "secret")
        self.assertEqual(self.side(client), "old")
        client.logout()

    def test_a_flip_ends_the_session_and_the_next_comes_to_the_new_side(self):
        client = self.login("cat@example.org")
        client.select("INBOX")
        self.redis.cli("SET", "splitmx:owner:cat@example.org", "new")
        try:
            with self.assertRaises((imaplib.IMAP4.abort, OSError)):
                for _ in range(100):
                    client.noop()
            with self.login("cat@example.org") as again:
                self.assertEqual(self.side(again), "new")
        finally:
            self.redis.cli("DEL", "splitmx:owner:cat@example.org")

    def test_sessions_are_listed_and_gone_when_they_are_over(self):
        client = self.login("ann@example.org")
        accounts = [s.get("account") for s in self.front.sessions()]
        self.assertIn("ann@example.org", accounts)
        client.logout()
        wait_for("the session is gone", 10, lambda: "ann@example.org" not in
                 [s.get("account") for s in self.front.sessions()], (self.front.log,))


if __name__ == "__main__":
    unittest.main()
