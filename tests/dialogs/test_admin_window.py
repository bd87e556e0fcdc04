"""splitmx window: short leases while accounts move, long ones for nights without Redis."""

import signal
import unittest

from admin import NOPERM, OK, TEMPFAIL, USAGE
from admin_nodes import Beating, NodeCase
from lab import wait_for


class WindowCase(NodeCase):
    def head(self, *fields):
        return [self.redis.cli("HGET", "splitmx.map", field) for field in fields]

    def lease(self):
        return self.head("lease_ms", "lease_most_ms")


class Window(WindowCase):
    def test_close_raises_both_and_open_lowers_them(self):
        told = self.tells(OK, "window", "close", "--reason", "night")[0]
        self.assertEqual(("closed", 3600000, 3600000), tuple(told[k] for k in ("result", "lease_ms", "lease_most_ms")))
        self.assertEqual(["3600000", "3600000"], self.lease())
        self.assertEqual([str(self.epoch())], self.head("lease_epoch"))
        self.assertEqual(("window close", "night"), tuple(self.audit()[k] for k in ("what", "why")))
        told = self.tells(OK, "window", "open")[0]  # nobody is in the roster: confirmed at once
        self.assertEqual(("open", 2000, 2000, True), tuple(told[k] for k in ("result", "lease_ms", "lease_most_ms", "confirmed")))
        self.assertEqual(["2000", "2000"], self.lease())
        self.assertIn("window open: lease 2000 ms", self.says(OK, "window", "open"))

    def test_twice_is_once(self):
        self.says(OK, "window", "close", "--lease", 60000)
        epoch = self.epoch()
        self.says(OK, "window", "close", "--lease", 60000)
        self.assertEqual(epoch, self.epoch())

    def test_a_silent_node_is_waited_out(self):
        self.redis.cli("HSET", "splitmx.map", "lease_ms", "3000")
        self.enter("mx1/policyd/0")
        run = self.start("window", "open", "--lease", 200)
        wait_for("the short lease", 20, lambda: self.lease() == ["200", "3000"])
        self.assertEqual(OK, run.wait(60))
        run.stderr.close()
        self.assertEqual(["200", "200"], self.lease())

    def test_a_node_that_beats_and_does_not_acknowledge_keeps_it_from_opening(self):
        self.redis.cli("HSET", "splitmx.map", "lease_ms", "3000")
        self.enter("mx1/policyd/0")
        Beating(self, "mx1/policyd/0")
        self.says(TEMPFAIL, "window", "open", "--lease", 200, "--wait", 1)
        self.assertEqual(["200", "3000"], self.lease())
        for said in ("mx1/policyd/0", "run splitmx window open again"):
            self.assertIn(said, self.error)

    def test_A16_killed_between_its_steps_it_is_resumed(self):
        self.redis.cli("HSET", "splitmx.map", "lease_ms", "3000")
        self.enter("mx1/policyd/0")
        run = self.start("window", "open", "--lease", 200)
        wait_for("the short lease", 20, lambda: self.lease() == ["200", "3000"])
        run.send_signal(signal.SIGKILL)
        run.wait(20)
        run.stderr.close()
        self.assertEqual(["200", "3000"], self.lease())
        epoch = int(self.head("lease_epoch")[0])
        self.says(OK, "window", "open", "--lease", 200)
        self.assertEqual(["200", "200"], self.lease())
        self.assertGreater(int(self.head("lease_epoch")[0]), epoch)

    def test_a_window_that_was_closed_meanwhile_stays_closed(self):
        self.redis.cli("HSET", "splitmx.map", "lease_ms", "3000")
        self.enter("mx1/policyd/0")
        run = self.start("window", "open", "--lease", 200)
        wait_for("the short lease", 20, lambda: self.lease() == ["200", "3000"])
        self.says(OK, "window", "close", "--lease", 60000)
        self.redis.cli("HDEL", "splitmx.nodes", "mx1/policyd/0")
        self.assertEqual(TEMPFAIL, run.wait(60))
        self.assertIn("somebody else has set the lease", run.stderr.read())
        run.stderr.close()
        self.assertEqual(["60000", "60000"], self.lease())

    def test_whoever_sets_the_lease_or_the_members_marks_it(self):
        for words in (("window", "close", "--lease", 60000), ("init", "--force", "--lease", 70000), ("init", "--force", "--members", 1)):
            self.says(OK, *words)
            self.assertEqual([str(self.epoch())], self.head("lease_epoch"), words)

    def test_what_is_refused(self):
        self.says(OK, "window", "close", "--lease", 60000)
        for code, words, said in ((NOPERM, ("open", "--lease", 70000), "60000 ms already"),
                                  (NOPERM, ("close", "--lease", 50000), "makes them no shorter"),
                                  (USAGE, ("open", "--lease", 99), "100"), (USAGE, ("ajar",), "open or close"), (USAGE, (), "")):
            self.says(code, "window", *words)
            self.assertIn(said, self.error)
        self.assertEqual(["60000", "60000"], self.lease())


if __name__ == "__main__":
    unittest.main()
