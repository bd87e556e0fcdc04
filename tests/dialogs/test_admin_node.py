"""splitmx node: who is in the roster, who beats, and taking out one that is gone."""

import json
import os
import signal
import unittest

from admin import DATAERR, NOPERM, OK, TEMPFAIL, USAGE
from admin_nodes import BEAT, Beating, NodeCase
from lab import wait_for


class List(NodeCase):
    def nodes(self):
        return [row["node"] for row in self.tells(OK, "node", "list")]

    def test_who_beats_and_who_is_silent(self):
        self.assertEqual([], self.nodes())
        self.enter("mx1/policyd/0")
        self.enter("mx2/policyd/0", host="mx2")
        self.redis.cli("HSET", "splitmx.map", "epoch", "2")
        Beating(self, "mx1/policyd/0", epoch=2)
        told = {row["id"]: row for row in self.nodes()}
        self.assertEqual([True, False], [told[f"mx{n}/policyd/0"]["beats"] for n in (1, 2)])
        self.assertEqual([0, 1], [told[f"mx{n}/policyd/0"]["behind"] for n in (1, 2)])
        self.assertEqual([], told["mx1/policyd/0"]["troubles"])
        self.assertIn("splitmx node rm mx2/policyd/0", told["mx2/policyd/0"]["troubles"][0])
        table = self.says(OK, "node", "list")
        self.assertRegex(table, r"(?m)^mx1/policyd/0 .* live +beats ")
        self.assertRegex(table, r"(?m)^mx2/policyd/0 .* silent ")

    def test_what_an_operator_must_look_at(self):
        self.enter("a")
        Beating(self, "a", alarm="owner of x is none")
        self.enter("b", schema=[1, 3], version="0.10.0")
        Beating(self, "b")
        Beating(self, "c", refuses="schema 2")
        self.put("nodes", "d", "{}")
        self.put("beats", "e", "\x1b[31m")
        rows = {row["id"]: " | ".join(row["troubles"]) for row in self.nodes()}
        self.assertRegex(rows["a"], r"alarm: owner of x.*knows schema 1 to 1, another node 3.*runs 0\.1\.0, another node 0\.10\.0")
        self.assertEqual("", rows["b"])
        self.assertIn("does not answer from this map: schema 2", rows["c"])
        self.assertIn("cannot be read", rows["d"])
        self.assertIn("left over", rows["e"])
        self.assertNotIn("\x1b", self.says(OK, "node", "list"))


class Remove(NodeCase):
    def journal(self):
        with open(os.path.join(self.settings["state_dir"], "journal"), encoding="utf-8") as file:
            return [json.loads(line[17:]) for line in file]

    def test_one_that_is_gone(self):
        self.enter("mx1/policyd/0", grace_ms=300)
        self.enter("mx2/policyd/0")
        Beating(self, "mx2/policyd/0")  # others go on
        told = self.tells(OK, "node", "rm", "mx1/policyd/0", "--reason", "burnt")
        self.assertEqual([{"node": "mx1/policyd/0", "result": "removed"}], told)
        self.assertEqual({"mx2/policyd/0"}, self.roster())
        self.assertNotIn("mx1/policyd/0", self.redis.cli("HKEYS", "splitmx.beats"))
        self.assertEqual(("node rm", "burnt", "mx1/policyd/0"), tuple(self.audit()[k] for k in ("what", "why", "node")))
        begun, written, confirmed = self.journal()[-3:]
        self.assertEqual(("begun", "node rm", "mx1/policyd/0", "burnt"), tuple(begun[k] for k in ("what", "command", "after", "why")))
        self.assertEqual(["written", "confirmed"], [written["what"], confirmed["what"]])
        self.assertEqual({self.audit()["op"]}, {line["nonce"] for line in (begun, written, confirmed)})

    def test_one_that_lives_stays(self):
        self.enter("mx1/policyd/0")
        Beating(self, "mx1/policyd/0")
        self.says(NOPERM, "node", "rm", "mx1/policyd/0")
        self.assertIn("stop its process", self.error)
        self.assertEqual({"mx1/policyd/0"}, self.roster())

    def test_one_that_comes_back_while_it_is_watched_stays(self):
        self.enter("mx1/policyd/0", grace_ms=60000)
        run = self.start("node", "rm", "mx1/policyd/0")
        self.assertIn("is silent; waiting 61 s", run.stderr.readline())
        Beating(self, "mx1/policyd/0")
        self.assertEqual(TEMPFAIL, run.wait(20))
        self.assertIn("has come back", run.stderr.read())
        run.stderr.close()
        self.assertEqual({"mx1/policyd/0"}, self.roster())

    def test_interrupted_it_has_changed_nothing(self):
        self.enter("mx1/policyd/0", drain_ms=60000)
        run = self.start("node", "rm", "mx1/policyd/0")
        self.assertIn("Ctrl-C changes nothing", run.stderr.readline())
        run.send_signal(signal.SIGINT)
        self.assertEqual(-signal.SIGINT, run.wait(20))
        run.stderr.close()
        self.assertEqual({"mx1/policyd/0"}, self.roster())

    def test_force_takes_it_out_before_it_waits(self):
        self.enter("mx1/policyd/0", grace_ms=60000)
        run = self.start("node", "rm", "mx1/policyd/0", "--force")
        wait_for("the roster is empty", 20, lambda: not self.roster())
        self.assertIn("may answer from memory for 61 s more", run.stderr.readline())
        run.kill()
        run.wait(20)
        run.stderr.close()

    def test_A20_a_removal_that_cannot_be_noted_is_not_made(self):
        self.enter("mx1/policyd/0")
        os.mkdir(os.path.join(self.settings["state_dir"], "journal"))
        self.says(TEMPFAIL, "node", "rm", "mx1/policyd/0")
        self.assertEqual({"mx1/policyd/0"}, self.roster())

    def test_what_is_refused(self):
        self.says(DATAERR, "node", "rm", "nobody")
        self.put("nodes", "broken", "{}")
        self.says(NOPERM, "node", "rm", "broken")
        self.assertIn("--force", self.error)
        self.says(OK, "node", "rm", "broken", "--force")
        self.put("beats", "leftover", BEAT)
        self.says(OK, "node", "rm", "leftover")
        self.enter("mx1/policyd/0")
        self.redis.cli("HSET", "splitmx.map", "schema", "1 2")
        self.says(TEMPFAIL, "node", "rm", "mx1/policyd/0")
        self.assertIn("upgrade splitmx", self.error)
        for words in (("node",), ("node", "dance"), ("node", "rm"), ("node", "list", "x")):
            self.says(USAGE, *words)

    def test_replicas_that_do_not_have_it_are_named(self):
        self.redis.cli("HSET", "splitmx.map", "members", 3)
        self.enter("mx1/policyd/0")
        self.says(TEMPFAIL, "node", "rm", "mx1/policyd/0")
        self.assertIn("only 0 of 2 replicas have it", self.error)


if __name__ == "__main__":
    unittest.main()
