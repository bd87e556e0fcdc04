"""splitmx check --complete against a real Postfix and a real Dovecot: what it names is what they would take and refuse."""

import json
import unittest

from lab import House, LabCase, Redis
from lab.policyd import splitmx

OK, DATAERR = 0, 65


class CheckCompleteTest(LabCase):
    """ann has moved to Dovecot's LMTP, bob is behind the old Postfix, which also expands an alias and a list."""

    @classmethod
    def furnish(cls):
        users = ["ann", "bob"]
        known = {f"{u}@example.org": f"{u}@example.org" for u in users}
        cls.house = House(cls.lab, users, redis=Redis(cls.lab), with_new=False, aliases={
            **known, "sales@example.org": "ann@example.org", "everybody@example.org": "ann@example.org, bob@example.org"})
        cls.run_(OK, "set", "@example.org", "old", "--yes")
        cls.run_(OK, "import", "-", "--yes", "--force", stdin="ann@example.org new\nbob@example.org old\n")

    @classmethod
    def run_(cls, code, *words, stdin=None):
        done = splitmx(cls.lab, cls.house.policyd.config, *words, check=False, stdin=stdin)
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def compare(self, code, *words):
        said = self.run_(code, "--json", "check", "--complete", "example.org", "--queue-directory", self.house.mx.queue, *words)
        return [row for row in map(json.loads, said.splitlines()) if row["check"] == "complete"]

    def faults(self, rows):
        return {(row["side"], row["address"]) for row in rows if row["ok"] is False}

    def test_what_is_missing_is_named_until_nothing_is(self):
        rows = self.compare(DATAERR)
        self.assertEqual({"old", "new"}, {row["side"] for row in rows if row["ok"] and "side" in row}, rows)
        self.assertEqual({("old", "sales@example.org")}, self.faults(rows))
        path = self.lab.write("aliases", "everybody@example.org list\nsales@example.org\nnobody@example.org\n")
        self.assertEqual({("old", "sales@example.org"), ("old", "everybody@example.org")}, self.faults(self.compare(DATAERR, "--addresses", path)))
        self.run_(OK, "import", "--addresses", "-", "--yes", stdin="everybody@example.org list\nsales@example.org\n")
        self.assertEqual(set(), self.faults(self.compare(OK, "--addresses", path)))
        self.run_(OK, "import", "-", "--yes", "--force", stdin="gone@example.org old\n")
        self.assertEqual({("old", "gone@example.org")}, self.faults(self.compare(DATAERR)))
        self.assertEqual([], [row for server in self.house.servers for row in server.queue_list()])


if __name__ == "__main__":
    unittest.main()
