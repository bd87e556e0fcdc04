"""Domains that are complete: set --complete, explain, import --addresses, against a real Redis."""

import unittest

from admin import NOPERM, OK, TEMPFAIL, USAGE, AdminCase


class CompleteCase(AdminCase):
    def setUp(self):
        super().setUp()
        self.says(OK, "set", "@example.org", "old", "--yes")

    def complete(self, name="@example.org"):
        return self.redis.cli("GET", f"splitmx:complete:{name}")


class Declared(CompleteCase):
    def test_it_is_declared_and_taken_back(self):
        epoch = self.epoch()
        told = self.tells(OK, "set", "@example.org", "old", "--complete", "--yes", "--reason", "all imported")[0]
        self.assertEqual(("changed", "old", "old", "not complete", "complete", epoch + 1, True),
                         tuple(told[k] for k in ("result", "before", "after", "complete_before", "complete_after", "epoch", "confirmed")))
        self.assertEqual("yes", self.complete())
        entry = self.audit()
        self.assertEqual(("set", "all imported", "@example.org", "old", "old", "-", "yes"), tuple(
            entry[k] for k in ("what", "why", "account", "before", "after", "complete_before", "complete_after")))
        self.assertRegex(self.says(OK, "set", "@example.org", "old", "--complete", "--yes"), "^@example.org: unchanged, old, complete, confirmed")
        self.assertEqual("confirm", self.audit()["what"])
        self.assertRegex(self.says(OK, "set", "@example.org", "old", "--not-complete", "--yes"),
                         r"^@example.org: old, complete -> not complete \(epoch \d+\), confirmed")
        self.assertEqual("", self.complete())
        self.assertEqual(("yes", "-"), tuple(self.audit()[k] for k in ("complete_before", "complete_after")))
        self.assertEqual("unchanged", self.tells(OK, "set", "@example.org", "old", "--not-complete", "--yes")[0]["result"])

    def test_a_domain_is_complete_or_has_a_catch_all(self):
        self.says(OK, "set", "@example.org", "old", "--catch-all", "--yes")
        self.assertEqual("catch-all", self.complete())
        epoch = self.epoch()
        for option in ("--complete", "--not-complete"):
            self.says(NOPERM, "set", "@example.org", "old", option, "--yes")
            self.assertIn("a catch-all is declared", self.error)
        self.assertEqual(epoch, self.epoch())
        self.says(OK, "set", "@example.org", "old", "--no-catch-all", "--yes")
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        for option in ("--catch-all", "--no-catch-all"):
            self.says(NOPERM, "set", "@example.org", "old", option, "--yes")
            self.assertIn("this domain is complete", self.error)
        self.assertEqual("yes", self.complete())

    def test_owner_and_completeness_change_together(self):
        told = self.tells(OK, "set", "@third.org", "new", "--complete", "--yes")[0]
        self.assertEqual((None, "new", "complete"), (told["before"], told["after"], told["complete_after"]))
        self.assertEqual(("new", "yes"), (self.owner("@third.org"), self.complete("@third.org")))
        self.assertRegex(self.says(OK, "set", "@third.org", "old", "--not-complete", "--yes", "--force"),
                         r"^@third.org: new -> old, complete -> not complete \(epoch")
        self.says(NOPERM, "set", "@third.org", "new", "--complete", "--yes")
        self.assertIn("--hold", self.error)
        self.assertEqual(("old", ""), (self.owner("@third.org"), self.complete("@third.org")))

    def test_a_domain_that_loses_its_owner_is_not_complete_when_it_comes_back(self):
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.says(OK, "set", "@example.org", "old", "--yes")  # says nothing of it
        self.assertEqual("yes", self.complete())
        self.says(OK, "unset", "@example.org", "--yes", "--force")
        self.assertEqual("", self.complete())
        self.assertEqual(("yes", "-"), tuple(self.audit()[k] for k in ("complete_before", "complete_after")))

    def test_what_is_refused_is_not_written(self):
        epoch = self.epoch()
        rows = [
            ("an account", USAGE, ("ann@example.org", "old", "--complete"), "is said of a domain"),
            ("two things at once", USAGE, ("@example.org", "old", "--complete", "--catch-all"), "--complete and --catch-all at once"),
            ("nobody to ask", NOPERM, ("@example.org", "old", "--complete"), "--yes"),
            ("unset", USAGE, None, "unknown option --complete"),
        ]
        for name, code, words, said in rows:
            with self.subTest(name):
                self.says(code, *(["set", *words] if words else ["unset", "@example.org", "--complete"]))
                self.assertIn(said, self.error)
        self.assertEqual(epoch, self.epoch())

    def test_a_map_that_is_not_writable_says_so(self):
        self.redis.cli("HSET", "splitmx.map", "schema", "1 2")
        self.says(TEMPFAIL, "set", "@example.org", "old", "--complete", "--yes")
        self.assertEqual("", self.complete())

    def test_without_waiting(self):
        told = self.tells(OK, "set", "@example.org", "old", "--complete", "--yes", "--no-wait")[0]
        self.assertIsNone(told["confirmed"])


class Explained(CompleteCase):
    def known(self, address):
        return self.tells(OK, "explain", address)[0]["known"]

    def test_why_an_address_is_known_or_not(self):
        self.says(OK, "set", "ann@example.org", "old")
        self.redis.cli("SET", "splitmx:complete:list@example.org", "list")
        self.assertIsNone(self.known("nobody@example.org"))
        self.assertRegex(self.says(OK, "explain", "nobody@example.org"), "(?m)^known +nobody can say")
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        rows = [("ann@example.org", True, "yes: it has an owner key"), ("list+x@example.org", True, "yes: splitmx:complete:list@example.org says list"),
                ("nobody@example.org", False, "no: the domain is complete, and no owner or complete key has the name nobody@example.org")]
        for address, known, said in rows:
            with self.subTest(address):
                self.assertEqual(known, self.known(address))
                self.assertRegex(self.says(OK, "explain", address), f"(?m)^known +{said}")
        self.assertEqual("complete", self.tells(OK, "explain", "@example.org")[0]["complete"])
        self.assertRegex(self.says(OK, "explain", "@example.org"), "(?m)^complete +yes: ")

    def test_a_catch_all_knows_everybody(self):
        self.says(OK, "set", "@example.org", "old", "--catch-all", "--yes")
        self.assertTrue(self.known("nobody@example.org"))
        self.assertRegex(self.says(OK, "explain", "@example.org"), "(?m)^complete +never: a catch-all")


if __name__ == "__main__":
    unittest.main()
