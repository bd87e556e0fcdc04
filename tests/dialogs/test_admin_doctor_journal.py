"""splitmx doctor and this host's journal: changes that the map has lost."""

import hashlib
import os
import signal
import unittest

from admin import CONFIG, DATAERR, NOPERM, OK, TEMPFAIL, USAGE, AdminCase, Redis
from lab import Policyd, wait_for
from lab.policyd import program
from scripted_node import Node, Way

ANN, BOB = "ann@example.org", "bob@example.org"


class JournalCase(AdminCase):
    """The map has @example.org old, and a copy is kept of it as it was then."""

    def setUp(self):
        super().setUp()
        self.says(OK, "set", "@example.org", "old", "--yes")
        self.keep()

    def keep(self):
        self.redis.cli("SAVE")

    def go_back(self):
        """Redis loses what was written since keep()."""
        self.redis.kill()
        self.redis.start()

    def flip(self, *names, owner="new"):
        for name in names:
            self.says(OK, "set", name, owner, "--force")

    def elsewhere(self, *words, code=OK):
        """The same command on a host that has seen nothing and made nothing."""
        mine = self.settings["state_dir"]
        self.settings["state_dir"] = os.path.dirname(self.lab.path("elsewhere", "x"))
        self.write_settings()
        try:
            return self.says(code, *words)
        finally:
            self.settings["state_dir"] = mine
            self.write_settings()

    def raise_epoch_elsewhere(self, count=3):
        for number in range(count):
            self.elsewhere("set", f"other{number}@example.org", "new", "--force")

    def findings(self, code, *words):
        """{(finding, name)}, and what else was told in self.told"""
        self.told = self.tells(code, "doctor", *words)
        return {(row["finding"], row["name"]) for row in self.told if "finding" in row}

    def results(self):
        return [(row["result"], row.get("name")) for row in self.told if "result" in row]

    def sentence(self, name):
        return [row["sentence"] for row in self.told if row.get("name") == name][0]

    def hold(self, name=ANN):
        return self.redis.cli("GET", f"splitmx:hold:{name}")


class Lost(JournalCase):
    """The epoch was raised again by others, so that it alone does not show that something is missing."""

    def lose(self, *names):
        self.flip(*names)
        self.go_back()
        self.raise_epoch_elsewhere()

    def test_A15_a_confirmed_flip_that_is_gone_is_named(self):
        self.lose(ANN)
        self.assertEqual({("lost", ANN)}, self.findings(DATAERR))
        said = self.sentence(ANN)
        for part in ("no owner of its own -> new of epoch 3, confirmed, made here by", "is lost",
                     "the map says that it has no owner of its own", "splitmx doctor --hold", f"splitmx set {ANN} new",
                     f"splitmx barrier {ANN}"):
            self.assertIn(part, said)
        self.assertEqual({("lost", ANN)}, self.findings(DATAERR, ANN))
        self.assertEqual(set(), self.findings(OK, BOB))
        self.assertEqual("", self.hold())

    def test_A15_it_is_held_until_it_is_set_again(self):
        self.lose(ANN)
        self.assertEqual({("lost", ANN)}, self.findings(DATAERR, "--hold"))
        self.assertEqual([("held", ANN)], self.results())
        self.assertRegex(self.hold(), r"^all:doctor-[0-9a-f]+-[0-9a-f]{8}$")
        self.assertLess(80000, int(self.redis.cli("TTL", f"splitmx:hold:{ANN}")))
        confirmed, placed = self.audits(2)
        self.assertEqual(("confirmed", "hold"), (confirmed["what"], placed["what"]))
        epoch = self.epoch()
        self.findings(DATAERR, "--hold")  # once more changes nothing
        self.assertIn("It is held", self.sentence(ANN))
        self.assertEqual(([], epoch), (self.results(), self.epoch()))
        self.flip(ANN)
        self.assertEqual(set(), self.findings(OK, "--hold"))
        self.assertEqual([("released", ANN)], self.results())
        self.assertEqual("", self.hold())
        self.assertEqual(set(), self.findings(OK))

    def test_A15_set_with_the_hold_ends_it(self):
        self.lose(ANN)
        self.findings(DATAERR, "--hold")
        self.says(OK, "set", ANN, "new")
        self.assertEqual(("set", ""), (self.audit()["what"], self.hold()))
        self.assertEqual(set(), self.findings(OK))

    def test_A15_a_barrier_accepts_what_the_map_says(self):
        self.lose(ANN, BOB)
        self.assertEqual({("lost", ANN), ("lost", BOB)}, self.findings(DATAERR, "--hold"))
        self.says(OK, "barrier", ANN)
        self.assertEqual({("lost", BOB)}, self.findings(DATAERR, "--hold"))
        self.assertEqual([("released", ANN)], self.results())
        self.assertEqual(("", ""), (self.hold(), self.owner(ANN)))
        self.assertTrue(self.hold(BOB))
        self.says(OK, "barrier")
        self.assertEqual(set(), self.findings(OK, "--hold"))
        self.assertEqual("", self.hold(BOB))

    def test_A15_a_hold_of_somebody_else_stays(self):
        self.lose(ANN)
        self.redis.cli("SET", f"splitmx:hold:{ANN}", "mail:move-1", "EX", "100")
        self.findings(DATAERR, "--hold")
        self.assertEqual(([], "mail:move-1"), (self.results(), self.hold()))
        self.says(OK, "barrier", ANN)
        self.findings(OK, "--hold")
        self.assertEqual("mail:move-1", self.hold())

    def test_A15_whoever_made_it_again_elsewhere_has_mended_it(self):
        self.lose(ANN)
        self.elsewhere("set", ANN, "new", "--force")
        self.assertEqual(set(), self.findings(OK, "--hold"))

    def test_A15_an_import_that_is_gone(self):
        path = self.lab.write("to-night, o'clock", f"{ANN} new\n{BOB} new\ncarol@example.net new\n")
        again = "import '" + path.replace("'", "'\\''") + "' --domain=example.org --force"
        self.says(OK, "import", path, "--yes", "--force", "--domain", "example.org")
        self.go_back()
        self.raise_epoch_elsewhere()
        self.assertEqual({("lost", "import")}, self.findings(DATAERR, "--hold"))
        said = self.sentence("import")
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        for part in ("a change of 2 accounts", "nothing holds them", "--hold cannot", f"splitmx {again} makes it again",
                     digest, "splitmx barrier, without names, accepts"):
            self.assertIn(part, said)
        self.assertEqual(("", ""), (self.hold(), self.hold(BOB)))
        done = self.lab.run(["sh", "-c", 'cd / && splitmx() { "$PROGRAM" -c "$CONFIG" "$@"; }; splitmx ' + again + " --yes"],
                            env={**self.lab.environment, "PROGRAM": program("splitmx"), "CONFIG": self.config})
        self.assertIn("2 added", done.stdout)
        self.assertEqual(("new", ""), (self.owner(ANN), self.owner("carol@example.net")))
        self.assertEqual(set(), self.findings(OK))

    def test_A15_an_import_of_other_accounts_decides_nothing(self):
        path = self.lab.write("others", "".join(f"user{i}@example.org old\n" for i in range(1001)))
        self.says(OK, "import", path, "--yes")
        self.keep()
        self.lose(ANN)
        self.assertEqual({("lost", ANN)}, self.findings(DATAERR, "--hold"))
        self.assertIn("1001 unchanged", self.says(OK, "import", path))
        self.assertEqual({("lost", ANN)}, self.findings(DATAERR, "--hold"))
        self.assertTrue(self.hold())

    def test_A15_a_window_that_is_gone(self):
        self.says(OK, "window", "close")
        self.go_back()
        self.raise_epoch_elsewhere()
        self.assertEqual({("lost", "window close")}, self.findings(DATAERR))
        self.says(OK, "barrier")
        self.assertEqual(set(), self.findings(OK))

    def test_A15_a_stream_that_was_shortened_accuses_nobody(self):
        self.flip(ANN, BOB)
        self.redis.cli("XTRIM", "splitmx.audit", "MAXLEN", "0")
        self.raise_epoch_elsewhere(1)
        self.assertEqual(set(), self.findings(OK, "--hold"))

    def test_A15_a_hold_that_no_node_has_heard_of_is_confirmed_the_next_time(self):
        node = Node(self.redis, "n/policyd/0", answers=False)
        self.addCleanup(node.close)
        self.says(OK, "set", ANN, "new", "--force", "--no-wait")
        self.redis.kill()
        node.close()
        self.redis.start()
        self.raise_epoch_elsewhere()
        node = Node(self.redis, "n/policyd/0", answers=False)
        self.addCleanup(node.close)
        self.says(TEMPFAIL, "doctor", "--hold", "--wait", 1)
        self.assertIn("splitmx doctor --hold again", self.error)
        held = self.hold()
        self.assertTrue(held)
        node.answer = node.acknowledge
        self.findings(DATAERR, "--hold")
        self.assertEqual(held, self.hold())
        self.assertEqual(("confirmed", ANN), tuple(self.audits(1)[0][k] for k in ("what", "account")))


class Back(JournalCase):
    """The map went back, and nobody has written since."""

    def policyd(self):
        sockets = os.path.dirname(self.lab.path("s", "x"))
        settings = {k: v for k, v in self.settings.items() if k not in ("redis", "instance", "run_dir")}
        settings["policyd"] = {"listen": [{"protocol": "socketmap", "address": f"unix:{sockets}/map", "mode": "0600"}]}
        policyd = Policyd(self.lab, settings, redis=self.redis, init=False)
        policyd.wait_answer("transport", ANN, "OK")
        return policyd

    def test_A14_what_went_back_is_shown_held_and_accepted(self):
        policyd = self.policyd()
        self.flip(ANN)
        wait_for("policyd follows", 10, lambda: policyd.ask("transport", ANN) == ("OK", "lmtp:new"))
        self.raise_epoch_elsewhere()
        known = self.epoch()
        self.says(OK, "list")
        self.go_back()
        for words in (("set", BOB, "new"), ("barrier",), ("list",), ("window", "open")):
            self.says(TEMPFAIL, *words)
            self.assertIn("went back", self.error)
        policyd.wait_answer("transport", ANN, "TEMP", 30)
        self.assertEqual({("back", "map"), ("lost", ANN)},
                         {row for row in self.findings(DATAERR) if row[0] != "node"})
        self.assertIn(f"knows of {known}", self.sentence("map"))
        epoch = self.epoch()
        self.says(NOPERM, "doctor", "--accept", "--yes")
        self.assertIn("nothing holds them", self.error)
        self.assertEqual("", self.hold())
        self.findings(DATAERR, "--hold")
        self.assertRegex(self.hold(), "^all:doctor-")
        self.assertEqual(epoch, self.epoch())  # no node takes it for the map that it knows
        self.assertNotEqual("OK", policyd.ask("transport", ANN)[0])
        self.says(NOPERM, "doctor", "--accept")
        self.assertEqual(epoch, self.epoch())
        self.says(OK, "doctor", "--accept", "--yes", "--reason", "the backup is all we have")
        self.assertIn(f"accepted (epoch {known + 1})", self.says_last)
        self.assertEqual(("accept", "the backup is all we have"), tuple(self.audit()[k] for k in ("what", "why")))
        policyd.wait_answer("transport", ANN, "OK", 30)
        self.assertEqual(("OK", "hold:[x]:1"), policyd.ask("transport", ANN))
        self.flip(ANN)
        self.findings(OK, "--hold")
        self.assertEqual(("OK", "lmtp:new"), policyd.ask("transport", ANN))
        self.assertEqual(set(), self.findings(OK))

    def says(self, code, *words, **options):
        self.says_last = super().says(code, *words, **options)
        return self.says_last

    def test_A14_hold_and_accept_at_once(self):
        self.flip(ANN, BOB)
        self.go_back()
        self.says(OK, "doctor", "--hold", "--accept", "--yes")
        self.assertEqual({("lost", ANN), ("lost", BOB)}, self.findings(DATAERR))
        self.says(OK, "set", ANN, "new", "--force")
        self.says(OK, "barrier", BOB)
        self.assertEqual(set(), self.findings(OK, "--hold"))
        self.assertEqual([("released", ANN), ("released", BOB)], sorted(self.results()))

    def test_A14_another_host_has_seen_more(self):
        self.says(OK, "doctor", "--accept", "--yes")
        self.assertIn("has not gone back", self.error)
        epoch = self.epoch()
        self.says(OK, "doctor", "--accept", "--epoch", epoch + 10, "--yes")
        self.assertLess(epoch + 10, self.epoch())
        self.says(USAGE, "doctor", "--epoch", 7)
        self.says(USAGE, "doctor", "--hold", ANN)
        self.says(USAGE, "doctor", "--accept", "--epoch", "x")

    def test_A14_another_map_is_not_mended(self):
        self.redis.cli("HSET", "splitmx.map", "id", "11111111-2222-4333-8444-555555555555")
        self.says(TEMPFAIL, "doctor", "--hold", "--accept", "--yes")
        self.assertIn("another map", self.error)
        self.redis.cli("FLUSHALL")
        self.says(CONFIG, "doctor", "--hold", "--accept", "--yes")


class Killed(JournalCase):
    def test_A15_whenever_set_is_killed_the_doctor_has_a_clear_sentence(self):
        total = self.step(None, ANN)
        seen = set()
        for at in range(1, total + 1):
            name = f"u{at}@example.org"
            self.step(at, name)
            found = {row for row in self.findings(OK if not self.owner(name) else None, "--hold")}
            seen.add(frozenset(kind for kind, _ in found))
            with self.subTest(at):
                if self.owner(name) == "":
                    self.assertEqual(set(), found)
                elif found:
                    self.assertEqual({("unconfirmed", name)}, found)
                    self.assertIn(f"splitmx barrier {name}", self.sentence(name))
                    self.says(OK, "barrier", name)
                self.assertEqual("", self.hold(name))
        self.assertEqual({frozenset(), frozenset({"unconfirmed"})}, seen)

    def findings(self, code, *words):
        if code is not None:
            return super().findings(code, *words)
        try:
            return super().findings(DATAERR, *words)
        except AssertionError:
            return super().findings(OK, *words)

    def step(self, at, name):
        """set, killed before its reply number `at`; without: how many there are."""
        run = None

        def kill():
            run.send_signal(signal.SIGKILL)
            run.wait()

        way = Way(self.lab, self.redis, reply=at or 0, then=kill)
        self.addCleanup(way.close)
        url, self.settings["redis"]["url"] = self.settings["redis"]["url"], way.url
        self.write_settings()
        run = self.start("set", name, "new", "--force")
        run.communicate(timeout=30)
        self.settings["redis"]["url"] = url
        self.write_settings()
        way.close()
        return way.passed["reply"]


if __name__ == "__main__":
    unittest.main()
