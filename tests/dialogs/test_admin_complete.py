"""Domains that are complete: set --complete, explain, import --addresses, against a real Redis."""

import unittest

from admin import DATAERR, NOPERM, NOUSER, OK, TEMPFAIL, UNAVAILABLE, USAGE, AdminCase
from lab.certs import Authority
from lab.smtp_peer import SmtpPeer, refused_port


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

    def test_who_declares_a_domain_without_accounts_is_told(self):
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.assertIn("the map has no account of example.org", self.error)
        self.says(OK, "set", "ann@example.org", "old")
        self.says(OK, "set", "@example.org", "old", "--not-complete", "--yes")
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        self.assertEqual("", self.error)

    def test_without_waiting(self):
        told = self.tells(OK, "set", "@example.org", "old", "--complete", "--yes", "--no-wait")[0]
        self.assertIsNone(told["confirmed"])


class Explained(CompleteCase):
    def known(self, address):
        return self.tells(OK, "explain", address)[0]["known"]

    def test_why_an_address_is_known_or_not(self):
        self.says(OK, "set", "ann@example.org", "old")
        self.redis.cli("SET", "splitmx:complete:list@example.org", "list")
        self.redis.cli("SET", "splitmx:login:bookkeeping@example.org", "carol@example.org")
        self.assertIsNone(self.known("nobody@example.org"))
        self.assertRegex(self.says(OK, "explain", "nobody@example.org"), "(?m)^known +nobody can say")
        self.says(OK, "set", "@example.org", "old", "--complete", "--yes")
        rows = [("ann@example.org", True, "yes: it has an owner key"), ("list+x@example.org", True, "yes: splitmx:complete:list@example.org says list"),
                ("bookkeeping@example.org", True, "yes: splitmx:login:bookkeeping@example.org has its name"),
                ("Postmaster@example.org", True, "yes: mail to the postmaster of a domain is never refused"),
                ("carol@example.org", False, "no: the domain is complete"), ("nobody@example.org", False, "no: the domain is complete, and no owner, login or complete key has the name nobody@example.org")]
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


class Addresses(CompleteCase):
    def file(self, text, name="addresses"):
        return self.lab.write(name, text)

    def import_(self, text, *words, code=OK):
        return self.tells(code, "import", "--addresses", self.file(text), "--yes", *words)[-1]

    def test_they_are_written_confirmed_and_audited(self):
        told = self.import_("# what Postfix expands\npostmaster@example.org\nInfo@Example.org list\n\n\"a b\"@example.org\n",
                            "--reason", "aliases")
        self.assertEqual((3, 0, 0, 0, True), tuple(told[k] for k in ("added", "changed", "unchanged", "refused", "confirmed")))
        self.assertEqual(("alias", "list", "alias"), tuple(
            self.complete(name) for name in ("postmaster@example.org", "info@example.org", '"a b"@example.org')))
        entry = self.redis.cli("XREVRANGE", "splitmx.audit", "+", "-", "COUNT", "2")
        for said in ("import", "aliases", "postmaster@example.org - alias", "info@example.org - list", "known"):
            self.assertIn(said, entry)
        self.assertNotIn("changes", entry)  # which would be owners
        self.assertEqual("", self.owner("info@example.org"))
        again = self.import_("info@example.org alias\npostmaster@example.org\n")
        self.assertEqual((0, 1, 1), tuple(again[k] for k in ("added", "changed", "unchanged")))
        one = self.audits()[1]
        self.assertEqual(("info@example.org", "-", "-", "list", "alias"), tuple(
            one[k] for k in ("account", "before", "after", "complete_before", "complete_after")))

    def test_every_bad_line_is_named_and_nothing_written(self):
        epoch = self.epoch()
        path = self.file("good@example.org\nnothing\nann@example.org new\nx@example.org Two\n@example.org alias\n"
                         "good@example.org list\na@b c@d\ny@example.org catch-all\n")
        self.says(DATAERR, "import", "--addresses", path, "--yes")
        for said in (f"{path}:2: nothing is not an address", f"{path}:3: new is a destination", f"{path}:4: Two is no word",
                     f"{path}:5: alias is not said of a domain", f"{path}:6: good@example.org is said to be something else in line 1",
                     f"{path}:7: white space", f"{path}:8: catch-all is said of a domain", "7 problems in 8 lines; nothing was changed"):
            self.assertIn(said, self.error)
        self.assertEqual((epoch, ""), (self.epoch(), self.complete("good@example.org")))

    def test_a_line_with_a_domain_is_a_catch_all(self):
        self.import_("@example.org\n")
        self.assertEqual("catch-all", self.complete())
        self.says(NOPERM, "set", "@example.org", "old", "--complete", "--yes")
        self.import_("@example.org complete\n", code=DATAERR)
        self.assertIn("a catch-all is declared", self.error)
        self.import_("@example.org complete\n", "--remove", code=DATAERR)
        self.assertEqual(1, self.import_("@example.org\n", "--remove")["removed"])
        self.assertEqual(1, self.import_("@example.org complete\n")["added"])
        self.import_("@example.org catch-all\n", code=DATAERR)
        self.assertIn("this domain is complete", self.error)
        self.assertEqual("yes", self.complete())

    def test_they_are_taken_out_again(self):
        self.import_("a@example.org\nb@example.org list\nc@example.org\n")
        rows = self.says(OK, "import", "--addresses", "--remove", self.file("a@example.org\nb@example.org\nx@example.org\n"),
                         "--dry-run").splitlines()
        self.assertIn("- b@example.org list -> -", rows)
        self.assertTrue(rows[-1].startswith("would be: 2 removed, 1 unchanged, 0 refused"), rows)
        self.assertEqual("list", self.complete("b@example.org"))
        told = self.import_("a@example.org\nb@example.org\nx@example.org\n", "--remove")
        self.assertEqual((2, 1), (told["removed"], told["unchanged"]))
        self.assertEqual(["c@example.org alias"], self.says(OK, "list", "--addresses").splitlines())

    def test_what_is_refused_is_left_as_it_is(self):
        told = self.import_("a@else.org\n@nobody.org\nb@example.org\n", code=DATAERR)
        self.assertEqual((1, 2), (told["added"], told["refused"]))
        self.assertIn("a@else.org stays as it is: its domain is not managed", self.error)
        self.assertEqual(("", "alias"), (self.complete("a@else.org"), self.complete("b@example.org")))

    def test_options_that_do_not_fit(self):
        path = self.file("a@example.org\n")
        for words in (("import", path, "--remove"), ("import", path, "--addresses", "--force"), ("import", path, "--addresses", "--owner", "old"),
                      ("list", "--addresses", "--owner", "old"), ("export", "--addresses", "--text")):
            with self.subTest(words):
                self.says(USAGE, *words)
        self.says(NOPERM, "import", "--addresses", path)  # nobody to ask

    def test_what_is_exported_is_imported_again(self):
        self.says(OK, "set", "@third.org", "new", "--yes")
        self.import_("".join(f"u{i}@example.org {'list' if i % 3 else 'alias'}\n" for i in range(350)) +
                     '"a b"@example.org\n@example.org complete\n@third.org catch-all\nx@third.org\n')
        text = self.says(OK, "export", "--addresses")
        self.assertEqual(354, len(text.splitlines()))
        told = self.import_(text)
        self.assertEqual((0, 354), (told["added"], told["unchanged"]))
        self.assertEqual({"@third.org catch-all", "x@third.org alias"}, set(self.says(OK, "export", "--addresses", "--domain", "third.org").splitlines()))
        counts = {row["known"]: row["count"] for row in self.tells(OK, "list", "--addresses", "--count")}
        self.assertEqual({"list": 233, "alias": 119, "complete": 1, "catch-all": 1}, counts)
        self.assertEqual(354, self.import_(text, "--remove")["removed"])
        self.assertEqual("", self.says(OK, "list", "--addresses"))

    def test_from_standard_input(self):
        self.says(OK, "import", "--addresses", "-", "--yes", stdin="\ufeffa@example.org\r\n# x\nb@example.org list")
        self.assertEqual(("alias", "list"), (self.complete("a@example.org"), self.complete("b@example.org")))


class Compared(CompleteCase):
    """check --complete, with servers that are scripts."""

    def setUp(self):
        super().setUp()
        self.says(OK, "import", "-", "--yes", "--force", stdin="ann@example.org old\nbob@example.org new\n")
        self.says(OK, "import", "--addresses", "-", "--yes", stdin="info@example.org list\n")

    def peer(self, *known, **options):
        peer = SmtpPeer([f"{name}@example.org" for name in known], **options)
        self.addCleanup(peer.stop)
        return peer

    def sides(self, old, new):
        """Each a peer, or the text of a map."""
        def text(side):
            return side if isinstance(side, str) else f"relay:[127.0.0.1]:{side.port}"
        self.settings["maps"] = [{"name": "transport-old", "owners": {"new": text(new), "old": ""}},
                                 {"name": "transport", "owners": {"new": text(new), "old": text(old)}, "held": "hold:[x]:1"}]
        self.write_settings()

    def compare(self, code, *words):
        self.rows = [row for row in self.tells(code, "check", "--complete", "example.org", *words) if row["check"] == "complete"]
        return {(row.get("side"), row.get("address")): row["ok"] for row in self.rows if "address" in row}

    def detail(self, **wanted):
        return [row["detail"] for row in self.rows if all(row.get(k) == v for k, v in wanted.items())]

    def test_a_map_that_knows_what_its_servers_take(self):
        old, new = self.peer("ann", "bob", "info"), self.peer("ann", "bob", pipelining=True)
        self.sides(old, new)
        self.assertEqual({("new", "info@example.org"): None}, self.compare(OK))  # not its own: counted, no fault
        self.assertRegex(self.detail(side="old", ok=True)[0], "refuses an address that nobody has: .*550 5.1.1")
        for peer in (old, new):
            self.assertEqual([], peer.said("DATA"))
            self.assertEqual({"MAIL FROM:<>"}, set(peer.said("MAIL")))
            self.assertEqual(len(peer.said("RCPT")), len(peer.said("RSET")))
            self.assertTrue(all(session[-1] == "QUIT" for session in peer.sessions), peer.sessions)
        self.assertIn("old was asked for 3 addresses that the map knows: it refuses 0 of its own, and 0 of others",
                      self.says(OK, "check", "--complete", "@example.org"))

    def test_what_an_owner_refuses_and_what_the_map_does_not_know_is_named(self):
        self.sides(self.peer("bob", "info", "abuse", "postmaster", "carol"), self.peer("ann", "bob"))
        told = self.compare(DATAERR)
        self.assertEqual(False, told["old", "ann@example.org"])
        self.assertEqual(False, told["old", "abuse@example.org"])
        self.assertNotIn(("old", "postmaster@example.org"), told)  # never refused, so it cannot be forgotten
        self.assertNotIn(("old", "carol@example.org"), told)
        row = [row for row in self.rows if row.get("address") == "ann@example.org" and row["side"] == "old"][0]
        self.assertEqual("old", row["owner"])
        self.assertRegex(row["detail"], r"known to the map and refused by its owner: .550 5.1.1 <ann@example.org>")
        path = self.lab.write("candidates", "carol@example.org\ndave@example.org\nx@else.org\n")
        self.assertEqual(False, self.compare(DATAERR, "--addresses", path)["old", "carol@example.org"])
        text = self.says(DATAERR, "check", "--complete", "example.org")
        self.assertRegex(text, "(?m)^FAILS  complete  old: abuse@example.org is taken .* the map does not know it")

    def test_a_name_that_may_be_forgotten_and_of_which_nobody_can_tell_is_open(self):
        """A full mailbox, say: whoever has it would be refused for good."""
        old = self.peer("ann", "info", "bob", say={"sales@example.org": "452 4.2.2 mailbox full"})
        self.sides(old, self.peer("ann", "info", "bob"))
        self.assertEqual({("old", "sales@example.org"): None}, self.compare(UNAVAILABLE))
        self.assertRegex(self.detail(address="sales@example.org")[0], "sales@example.org.*nobody can tell: .*452 4.2.2 mailbox full")

    def test_who_has_a_login_key_is_known_wherever_it_leads(self):
        self.redis.cli("SET", "splitmx:login:ann.b@example.org", "ann@example.org")
        self.redis.cli("SET", "splitmx:login:carol.b@example.org", "carol@example.org")
        self.redis.cli("SET", "splitmx:login:lost@example.org", "carol@example.org")
        self.sides(self.peer("ann", "ann.b", "carol.b", "info"), self.peer("bob"))
        told = self.compare(DATAERR)
        self.assertEqual([("old", "lost@example.org")], [key for key, ok in told.items() if ok is False])
        self.assertRegex(self.detail(address="lost@example.org", ok=False)[0], "is known to the map and refused by its owner")

    def test_a_server_that_takes_everything_is_not_compared(self):
        old = self.peer("ann", "info")
        self.sides(old, self.peer(everything=True))
        self.assertEqual({("old", "bob@example.org"): None}, self.compare(UNAVAILABLE))
        self.assertRegex(self.detail(side="new")[0], "takes an address that nobody has .*: it accepts everything, so it cannot be compared")
        self.sides(self.peer(everything=True), self.peer(everything=True))
        self.compare(UNAVAILABLE)
        self.assertIn("no server of this domain can be compared", self.error)

    def test_who_cannot_tell_or_is_away_is_said(self):
        rows = [
            ("greylisting", self.peer(script={"RCPT": "450 4.7.1 later"}), "cannot say whether .*450 4.7.1 later"),
            ("nobody listens", f"relay:[127.0.0.1]:{refused_port()}", "cannot be asked at inet:127.0.0.1:.*refused"),
            ("it does not greet us", self.peer(script={"": "554 5.7.1 not you"}), "it answers the connection with .*554 5.7.1 not you"),
            ("another protocol", self.peer(script={"": "* OK IMAP"}), "it says .\\* OK IMAP"),
            ("the sender is refused", self.peer(script={"MAIL": "553 5.1.8 sender"}), "it answers MAIL with .*553 5.1.8 sender"),
            ("the map names no server", "local:", "names no server"),
            ("by MX", "smtp:new.example", r"looked up by its MX records.*write \[new.example\]"),
            ("it never ends an answer", self.peer(script={"EHLO": "250-x\n" * 300 + "250 x"}), "an answer without end"),
            ("orders to the terminal", self.peer(script={"EHLO": "\x1b[2J"}), r"it says .\\x1b\[2J"),
        ]
        for name, new, said in rows:
            with self.subTest(name):
                self.sides(self.peer("ann", "info", "bob"), new)
                self.compare(UNAVAILABLE)
                self.assertRegex(self.detail(side="new")[0], said)

    def test_a_server_that_tires_of_strangers_is_asked_on_another_connection(self):
        rows = "".join(f"u{i}@example.org old\n" for i in range(60))
        self.says(OK, "import", "-", "--yes", stdin=rows)
        for pipelining in (False, True):
            with self.subTest(pipelining=pipelining):
                old = self.peer("ann", "info", errors_most=10, pipelining=pipelining)
                self.sides(old, self.peer("bob"))
                told = self.compare(DATAERR)
                self.assertEqual(60, sum(ok is False for ok in told.values()))
                refused = [sum(line.startswith("RCPT") and "ann@" not in line and "info@" not in line for line in session) for session in old.sessions]
                self.assertEqual(8, max(refused))  # RCPT_REFUSALS_MOST
        old = self.peer("ann", "info", *[f"u{i}" for i in range(60)], errors_most=3)
        self.sides(old, self.peer("bob"))
        self.compare(OK)  # it hangs up earlier than we do, and is asked again
        self.assertIn("... and 40 more that their owner refuses", self.text_of_many())

    def text_of_many(self):
        self.sides(self.peer("ann", "info"), self.peer("bob"))
        return self.says(DATAERR, "check", "--complete", "example.org")

    def test_so_many_questions_and_then_another_connection(self):
        self.says(OK, "import", "-", "--yes", stdin="".join(f"u{i}@example.org old\n" for i in range(150)))
        old = self.peer("ann", "bob", "info", *[f"u{i}" for i in range(150)])
        self.sides(old, self.peer("bob"))
        self.compare(OK)
        self.assertEqual(100, max(sum(line.startswith("RCPT") for line in session) for session in old.sessions))

    def test_lmtp_and_a_sender(self):
        path = self.lab.path("queue", "private", "lmtp")
        new = self.peer("bob", lmtp=True, path=path, pipelining=True)
        self.sides(self.peer("ann", "info"), "lmtp:unix:private/lmtp")
        self.compare(OK, "--queue-directory", self.lab.path("queue"), "--sender", "Postmaster@example.org")
        self.assertEqual({"MAIL FROM:<postmaster@example.org>"}, set(new.said("MAIL")))

    def test_a_key_that_somebody_typed_is_no_order_to_a_server(self):
        for name in ("x>\r\nDATA\r\n@example.org", "a b@example.org", "y> SIZE=1@example.org"):
            self.redis.cli("SET", f"splitmx:owner:{name}", "old")
        old = self.peer("ann", "info")
        self.sides(old, self.peer("bob"))
        self.compare(UNAVAILABLE)
        self.assertEqual(1, len([detail for detail in self.detail(ok=None) if "a key that is no address" in detail]))
        self.assertEqual([], old.said("DATA"))
        said = old.said("RCPT")
        self.assertIn('RCPT TO:<"a b"@example.org>', said)
        self.assertIn('RCPT TO:<"y> size=1"@example.org>', said)

    def test_tls_is_used_where_it_is_offered(self):
        new = self.peer("bob", pipelining=True, certificate=Authority(self.lab).sign("other.example"))
        broken = self.peer("ann", "info", broken_tls=True)
        self.sides(broken, new)
        self.compare(OK)
        self.assertEqual(["EHLO", "STARTTLS", "EHLO", "MAIL"], [line.split(" ")[0] for line in new.sessions[0][:4]])
        self.assertEqual(1, len(broken.said("STARTTLS")))  # then it is asked without, and not tried again

    def test_a_destination_without_a_server_matters_where_it_owns_something(self):
        self.settings["destinations"].append({"name": "third"})
        old = self.peer("ann", "info")
        self.sides(old, self.peer("bob"))
        for row in self.settings["maps"]:
            row["owners"]["third"] = "local:"
        self.write_settings()
        self.compare(OK)
        self.assertRegex(self.detail(side="third")[0], "cannot be asked: .*names no server")
        self.says(OK, "set", "carol@example.org", "third", "--force")
        self.compare(UNAVAILABLE)
        self.assertIn("1 addresses were not compared: their owner cannot be", self.detail(ok=None)[-1])
        self.says(OK, "unset", "carol@example.org", "--force")
        self.says(OK, "set", "@example.org", "third", "--yes", "--force")
        self.says(OK, "import", "--addresses", "--remove", "-", "--yes", stdin="info@example.org\n")
        old.known.discard("info@example.org")
        self.compare(UNAVAILABLE)  # strangers are its own

    def test_words_that_do_not_fit(self):
        self.sides(self.peer("ann"), self.peer("bob"))
        rows = [(USAGE, ("--map", "transport"), "is for use with --complete"), (USAGE, ("--complete", "example.org", "--map", "none"), "no map none"),
                (DATAERR, ("--complete", "exa mple"), "not a domain"), (NOUSER, ("--complete", "floor.org"), "has no owner key"),
                (DATAERR, ("--complete", "example.org", "--sender", "x"), "not an address")]
        for code, words, said in rows:
            with self.subTest(words):
                self.says(code, "check", *words)
                self.assertIn(said, self.error)

    def test_a_domain_with_a_catch_all_fails(self):
        self.says(OK, "set", "@example.org", "old", "--catch-all", "--yes")
        self.sides(self.peer("ann", "info"), self.peer("bob"))
        self.compare(DATAERR)
        self.assertIn("with a catch-all", self.detail(ok=False)[0])


if __name__ == "__main__":
    unittest.main()
