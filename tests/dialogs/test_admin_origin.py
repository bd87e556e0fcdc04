"""splitmx explain: how an owner came into the map, and whether that was confirmed."""

import unittest

from admin import OK, TEMPFAIL
from admin_nodes import NodeCase


class Origin(NodeCase):
    def setUp(self):
        super().setUp()
        self.says(OK, "set", "@example.org", "old", "--yes")

    def origin(self, name="ann@example.org"):
        return self.tells(OK, "explain", name)[0]["change"]

    def changed(self, name="ann@example.org"):
        return [line for line in self.says(OK, "explain", name).splitlines() if line.startswith("changed ")][0]

    def test_a_confirmed_change(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--by", "ann")
        told = self.origin()
        self.assertEqual(("confirmed", "ann@example.org", "set", "new"), tuple(told[k] for k in ("state", "name", "what", "noted")))
        self.assertIn("ann (", told["who"])
        self.assertRegex(told["at"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
        self.assertRegex(self.changed(), r"set by ann \(.*\), .* UTC, epoch \d+, confirmed")

    def test_nobody_waited(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait")
        self.assertEqual("written", self.origin()["state"])
        self.assertIn("run splitmx barrier ann@example.org", self.changed())
        self.says(OK, "barrier", "ann@example.org")
        self.assertEqual(("confirmed", "barrier"), tuple(self.origin()[k] for k in ("state", "what")))

    def test_a_barrier_for_everything_confirms_it_too(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait")
        self.says(OK, "barrier")
        self.assertEqual(("confirmed", "set"), tuple(self.origin()[k] for k in ("state", "what")))

    def test_A15_a_hand_edit_or_a_lost_change(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        for write in (("SET", "splitmx:owner:ann@example.org", "old"), ("DEL", "splitmx:owner:ann@example.org")):
            self.redis.cli(*write)
            told = self.origin()
            self.assertEqual(("differs", "new"), (told["state"], told["noted"]))
            self.assertIn("edited by hand, or lost in a failover", self.changed())
        self.says(OK, "barrier", "ann@example.org", "bob@example.org")
        self.assertEqual("confirmed", self.origin()["state"])

    def test_an_account_of_its_domain(self):
        told = self.origin("bob@example.org")
        self.assertEqual(("confirmed", "@example.org"), (told["state"], told["name"]))
        self.assertEqual("confirmed", self.origin("@example.org")["state"])
        self.says(OK, "set", "bob@example.org", "new", "--force")
        self.says(OK, "unset", "bob@example.org", "--force")
        told = self.origin("bob@example.org")
        self.assertEqual(("confirmed", "bob@example.org", "unset"), tuple(told[k] for k in ("state", "name", "what")))
        self.redis.cli("SET", "splitmx:owner:@example.org", "new")
        self.assertEqual(("differs", "@example.org"), tuple(self.origin("carol@example.org")[k] for k in ("state", "name")))

    def test_nothing_was_ever_noted(self):
        self.redis.cli("SET", "splitmx:owner:@example.net", "new")
        self.assertEqual({"state": "unknown", "name": "@example.net"}, self.origin("ann@example.net"))
        self.assertIn("no change noted", self.changed("ann@example.net"))

    def test_an_import(self):
        path = self.lab.write("accounts", "ann@example.org new\nbob@example.org new\n")
        self.says(OK, "import", path, "--yes", "--force")
        self.assertEqual(("confirmed", "import"), tuple(self.origin("bob@example.org")[k] for k in ("state", "what")))

    def test_who_confirms_only_has_not_changed_it(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait", "--by", "ann")
        for _ in range(2):
            self.says(OK, "set", "ann@example.org", "new", "--by", "bob")
        told = self.origin()
        self.assertEqual(("confirmed", "set", "new"), tuple(told[k] for k in ("state", "what", "noted")))
        self.assertIn("ann (", told["who"])
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "old")  # by hand; then it was bob who stood for it
        self.says(OK, "set", "ann@example.org", "old", "--by", "bob")
        told = self.origin()
        self.assertEqual(("confirmed", "confirm", "old"), tuple(told[k] for k in ("state", "what", "noted")))
        self.assertIn("bob (", told["who"])

    def test_a_stream_that_is_none(self):
        self.redis.cli("DEL", "splitmx.audit")
        self.redis.cli("SET", "splitmx.audit", "x")
        self.assertIn("owner      old", self.says(TEMPFAIL, "explain", "ann@example.org"))


if __name__ == "__main__":
    unittest.main()
