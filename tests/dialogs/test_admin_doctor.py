"""splitmx doctor: what in the map does not fit together."""

import re
import unittest

from admin import DATAERR, OK, TEMPFAIL
from admin_members import MemberCase
from admin_nodes import Beating, NodeCase
from lab.policyd import conf_file, program
from scripted_node import Way


class Doctor(NodeCase):
    def setUp(self):
        super().setUp()
        self.says(OK, "set", "@example.org", "old", "--yes")

    def findings(self, code, *words):
        """{(finding, name)}"""
        self.told = self.tells(code, "doctor", *words)
        return {(row["finding"], row["name"]) for row in self.told}

    def before_owners(self, change):
        """change(beside) is called when the audit stream was read, and no owner; beside(WORD ...) is another splitmx."""
        direct = self.config
        way = Way(self.lab, self.redis, word="SCAN", delays=True,
                  then=lambda: change(lambda *words: self.lab.run([program("splitmx"), "-c", direct, *words])))
        self.addCleanup(way.close)
        self.settings["redis"]["url"] = way.url
        self.config = self.lab.write("way.conf", conf_file(self.settings))

    def test_nothing_is_found_in_a_map_that_commands_wrote(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        path = self.lab.write("accounts", "bob@example.org new\ncarol@example.org old\n")
        self.says(OK, "import", path, "--yes", "--force")
        self.says(OK, "unset", "bob@example.org", "--force")
        self.redis.cli("SET", "splitmx:login:a.smith@example.org", "ann@example.org")
        self.redis.cli("SET", "splitmx:hold:carol@example.org", "mail:x", "EX", "300")
        self.assertEqual(set(), self.findings(OK))
        self.assertIn("nothing else was found", self.says(OK, "doctor"))

    def test_A15_hand_edits_and_lost_changes(self):
        for name in ("ann", "bob"):
            self.says(OK, "set", f"{name}@example.org", "new", "--force")
        self.redis.cli("SET", "splitmx:owner:ann@example.org", "old")
        self.redis.cli("DEL", "splitmx:owner:bob@example.org")
        self.redis.cli("SET", "splitmx:owner:carol@example.org", "new")
        self.assertEqual({("edited", "ann@example.org"), ("gone", "bob@example.org"), ("unnoted", "carol@example.org")},
                         self.findings(DATAERR))
        self.assertIn("the last noted change wrote new", self.said("ann@example.org"))
        self.assertEqual({("edited", "ann@example.org")}, self.findings(DATAERR, "ann@example.org"))
        self.says(OK, "barrier", *[f"{name}@example.org" for name in ("ann", "bob", "carol")])
        self.assertEqual(set(), self.findings(OK))

    def said(self, name):
        return [row["sentence"] for row in self.told if row["name"] == name][0]

    def test_what_was_never_confirmed(self):
        self.says(OK, "set", "ann@example.org", "new", "--force", "--no-wait")
        self.assertEqual({("unconfirmed", "ann@example.org")}, self.findings(DATAERR))
        self.assertIn("splitmx barrier ann@example.org", self.said("ann@example.org"))
        self.says(OK, "barrier")
        self.assertEqual(set(), self.findings(OK))

    def test_what_is_said_of_being_complete(self):
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.says(OK, "import", "--addresses", "-", "--yes", stdin="info@example.org\nlist@example.org list\n")
        self.assertEqual(set(), self.findings(OK))
        for row in (("SET", "splitmx:complete:Bob@example.org", "alias"), ("SET", "splitmx:complete:@else.org", "yes"),
                    ("SET", "splitmx:complete:ann@else.org", "alias"), ("SET", "splitmx:complete:@example.org", "true"),
                    ("HSET", "splitmx:complete:x@example.org", "a", "b")):
            self.redis.cli(*row)
        self.assertEqual({("complete", name) for name in ("Bob@example.org", "@else.org", "ann@else.org", "@example.org", "x@example.org")},
                         self.findings(DATAERR))
        self.assertIn("neither yes nor catch-all", self.said("@example.org"))

    def test_A15_a_declaration_that_a_failover_undid_is_named_and_nothing_is_held(self):
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.redis.cli("DEL", "splitmx:complete:@example.org")
        entries = [line for line in self.redis.cli("XREVRANGE", "splitmx.audit", "+", "-", "COUNT", "2").split("\n") if re.fullmatch(r"\d{13,}-\d+", line)]
        self.redis.cli("XDEL", "splitmx.audit", *entries)  # the change and its confirmation, as if a copy had lacked them
        self.assertEqual({("lost", "@example.org")}, self.findings(DATAERR))
        self.assertRegex(self.said("@example.org"), "its complete key was yes in epoch .* lost: it is - now")
        self.says(DATAERR, "doctor", "--hold")
        self.assertEqual("", self.redis.cli("GET", "splitmx:hold:@example.org"))
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.assertEqual(set(), self.findings(OK))

    def test_who_is_changed_while_it_looks_is_not_named_and_who_was_edited_is(self):
        for name in ("ann", "bob", "dan"):
            self.says(OK, "set", f"{name}@example.org", "new", "--force")
        self.redis.cli("SET", "splitmx:owner:dan@example.org", "old")

        def change(beside):
            for words in (("set", "ann@example.org", "old"), ("unset", "bob@example.org"), ("set", "carol@example.org", "new")):
                beside(*words, "--force")

        self.before_owners(change)
        self.assertEqual({("edited", "dan@example.org")}, self.findings(DATAERR))
        self.assertEqual("new", self.owner("carol@example.org"))

    def test_the_second_look_reads_a_stream_of_several_pages(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        many = self.lab.write("accounts", "".join(f"u{n}@example.org new\n" for n in range(300)))
        late = self.lab.write("late", "ann@example.org old\n")

        def change(beside):
            self.redis.cli("EVAL", "for i = 1, 501 do redis.call('XADD', KEYS[1], '*', 'who', 'x') end", "1", "splitmx.audit")
            for path in (many, late):
                beside("import", path, "--yes", "--force")

        self.before_owners(change)
        self.assertEqual(set(), self.findings(OK))
        self.assertEqual("new", self.owner("u299@example.org"))

    def test_an_owner_that_is_no_string_any_more_is_not_said_to_have_gone(self):
        self.says(OK, "set", "ann@example.org", "new", "--force")
        self.redis.cli("DEL", "splitmx:owner:ann@example.org")
        self.redis.cli("HSET", "splitmx:owner:ann@example.org", "a", "b")
        self.assertEqual({("owner", "ann@example.org")}, self.findings(DATAERR))

    def test_records_that_nobody_can_use(self):
        rows = [("SET", "splitmx:owner:ann@example.org", "nowhere"), ("HSET", "splitmx:owner:bob@example.org", "a", "b"),
                ("SET", "splitmx:owner:x@else.org", "new"), ("SET", "splitmx:hold:ann@example.org", "mail:1"),
                ("SET", "splitmx:login:y@example.org", "nobody"), ("SET", "splitmx:login:z@example.org", "z@else.com"),
                ("SET", "splitmx:login:@example.net", "a@example.org")]
        for row in rows:
            self.redis.cli(*row)
        self.redis.cli("XADD", "splitmx.audit", "*", "who", "x")  # no entry of ours
        found = self.findings(DATAERR)
        for want in (("owner", "ann@example.org"), ("owner", "bob@example.org"), ("unmanaged", "x@else.org"),
                     ("hold", "ann@example.org"), ("login", "y@example.org"), ("login", "z@example.org"),
                     ("login", "@example.net")):
            self.assertIn(want, found)

    def test_a_stream_that_was_shortened_accuses_nobody(self):
        self.redis.cli("XTRIM", "splitmx.audit", "MAXLEN", "0")
        self.assertEqual(set(), self.findings(OK))

    def test_a_person_sees_the_first_of_many(self):
        for number in range(25):
            self.redis.cli("SET", f"splitmx:owner:u{number}@example.org", "new")
        text = self.says(DATAERR, "doctor")
        self.assertEqual(20, text.count("edited by hand"))
        self.assertIn('and 5 more of the kind "unnoted"', text)
        self.assertEqual(25, len(self.findings(DATAERR)))

    def test_nodes_and_a_window(self):
        self.enter("mx1/policyd/0")
        self.enter("mx2/policyd/0")
        Beating(self, "mx2/policyd/0")
        self.redis.cli("HSET", "splitmx.map", "lease_most_ms", "60000")
        self.assertEqual({("node", "mx1/policyd/0"), ("window", "window")}, self.findings(DATAERR))

    def test_A12_a_stream_that_is_none(self):
        self.redis.cli("DEL", "splitmx.audit")
        self.redis.cli("SET", "splitmx.audit", "x")
        self.says(TEMPFAIL, "doctor")
        self.assertIn("audit stream", self.error)


class Members(MemberCase):
    def test_a_member_is_missing(self):
        self.assertEqual([], self.tells(OK, "doctor"))
        self.two.stop()
        self.follow(1)
        self.assertEqual(["members"], [row["finding"] for row in self.tells(DATAERR, "doctor")])


if __name__ == "__main__":
    unittest.main()
