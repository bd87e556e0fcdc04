"""Commands of one host beside each other: what another one writes meanwhile is no map that went back."""

import unittest

from admin import OK, AdminCase
from lab.policyd import conf_file, program
from scripted_node import Way


class Beside(AdminCase):
    """At every place there is in what a command hears from Redis, another command of the host is run as a whole."""

    def setUp(self):
        super().setUp()
        self.direct = self.config
        self.owners = ["new", "old"]

    def another(self):
        self.owners.reverse()
        self.lab.run([program("splitmx"), "-c", self.direct, "set", "bob@floor.org", self.owners[0], "--force"])

    def each(self, *words, says=None):
        says = says or (lambda: self.says(OK, *words))
        at = 0
        while True:
            at += 1
            way = Way(self.lab, self.redis, reply=at, then=self.another, delays=True)
            try:
                self.config = self.lab.write("way.conf", conf_file(
                    {**self.settings, "redis": {"url": way.url}}))
                with self.subTest(reply=at):
                    says()
            finally:
                way.close()
            if way.passed["reply"] < at:
                break
        self.assertLess(3, at)

    def test_set(self):
        self.each("set", "ann@floor.org", "new", "--force")

    def test_barrier(self):
        self.each("barrier", "ann@floor.org")

    def test_doctor_names_no_change_that_is_made_meanwhile(self):
        def says():
            self.assertIn("nothing else was found", self.says(OK, "doctor"))

        self.each("doctor", says=says)

    def test_doctor_names_no_owner_that_comes_or_goes_meanwhile(self):
        turns = [("set", "bob@floor.org", "new"), ("unset", "bob@floor.org")]

        def another():
            turns.reverse()
            self.lab.run([program("splitmx"), "-c", self.direct, *turns[0], "--force"])

        self.another = another
        for _ in range(2):  # at which reply it comes, and at which it goes
            self.each("doctor", says=lambda: self.says(OK, "doctor"))
            another()

    def test_window(self):
        self.each("window", "open")


if __name__ == "__main__":
    unittest.main()
