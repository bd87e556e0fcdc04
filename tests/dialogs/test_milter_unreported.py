"""What policyd was not told, and then the milter is killed: the count is said to be unknown, not called known."""

import glob
import json
import os
import shutil
import unittest

from lab import LabCase, Policyd, Redis, wait_for
from lab.milter import Milter, ScriptedPolicyd, found

ANN, BOB = "ann@example.org", "bob@example.org"
SECONDS = 20


def marks(milter):
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(milter.state_dir, "nodes", "*.unreported")))


def kill_workers(milter):
    """The master starts another, behind a listener that stays."""
    milter.kill_workers()
    wait_for("there is another worker", SECONDS, milter.worker_pids, (milter.log,))


def crash(milter):
    milter.crash()
    milter.start()


def restart(milter):
    milter.stop()
    milter.start()


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class Explained(LabCase):
    """With a policyd and a Redis, as splitmx explain tells it."""

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab, aof=True)
        ask = cls.lab.path("s", "ask")
        cls.policyd = Policyd(cls.lab, {
            "domains": ["example.org"], "destinations": [{"name": "old"}, {"name": "new"}],
            "maps": [{"name": "transport", "owners": {"new": "lmtp:new", "old": "relay:old"}}],
            "policyd": {"listen": [{"protocol": "socketmap", "address": f"unix:{ask}", "mode": "0600"}]}}, redis=cls.redis)
        cls.milter = Milter(cls.lab, ask, milter={"instance": "mx1.example.org"})

    def setUp(self):
        for account in (ANN, BOB):  # from here on
            self.policyd.splitmx("set", account, "old", "--force")
            self.policyd.splitmx("set", account, "new", "--force")

    def told(self, account):
        return json.loads(self.policyd.splitmx("--json", "explain", account).stdout)["arrived"]

    def accept(self, account):
        with self.milter.session() as client:
            self.assertEqual(([b"c"], b"c"), client.message(account)[::2])

    def accept_and_lose(self, account):
        with self.milter.session() as client:
            client.mail()
            self.assertEqual(b"c", client.rcpt(account))
            self.policyd.crash()
            self.assertEqual(b"c", client.end()[1])

    def lose_kill_and_go_on(self, kill):
        self.accept_and_lose(ANN)
        self.assertEqual(["milter-0.unreported"], marks(self.milter))
        kill(self.milter)
        self.assertEqual(["milter-0.unreported"], marks(self.milter))
        self.policyd.start()
        self.policyd.wait_answer("transport", BOB, "OK")
        self.accept(BOB)
        self.assertEqual([], marks(self.milter))
        wait_for("it is unknown", SECONDS, lambda: self.told(ANN)["state"] == "unknown", (self.policyd.log, self.milter.log))
        self.assertEqual((0, "1 message could not be reported by mx1.example.org"),
                         tuple(self.told(ANN)[k] for k in ("messages", "reason")))

    def test_its_workers_are_killed(self):
        self.lose_kill_and_go_on(kill_workers)

    def test_all_of_it_is_killed(self):
        self.lose_kill_and_go_on(crash)

    def test_it_is_started_anew(self):
        self.lose_kill_and_go_on(restart)


class Marks(LabCase):
    """With a policyd that shows what it was told."""

    count = 0

    def begin(self, **milter):
        Marks.count += 1
        name = f"m{Marks.count}"
        self.policyd = ScriptedPolicyd(self.lab, {ANN: found(ANN)}, name=name + "-ask")
        self.addCleanup(self.policyd.stop)
        self.milter = Milter(self.lab, self.policyd.path, name=name, **milter)
        self.addCleanup(lambda: self.milter.process and self.milter.stop())

    def accept(self, number=0, is_lost=False):
        """How many the report said were lost before it; None: there was none."""
        self.policyd.reports.clear()
        with self.milter.session(number) as client:
            client.mail()
            self.assertEqual(b"c", client.rcpt(ANN))
            if is_lost:
                self.policyd.stop()
            self.assertEqual(b"c", client.end()[1])
        if is_lost:
            self.policyd.start()
        return self.policyd.reports[0]["lost"] if self.policyd.reports else None

    def test_a_listener_less(self):
        """The mark of a worker that does not come back is taken over."""
        self.begin(listen=2)
        for number in range(2):
            self.assertIsNone(self.accept(number, is_lost=True))
        self.assertEqual(["milter-0.unreported", "milter-1.unreported"], marks(self.milter))
        self.milter.crash()
        self.milter.change(listen=self.milter.listen[:1])
        self.milter.start()
        self.assertEqual(["milter-0.unreported"], marks(self.milter))
        self.assertEqual(2, self.accept())
        self.assertEqual([], marks(self.milter))
        self.assertEqual(0, self.accept())

    def test_a_mark_cannot_be_written(self):
        """Mail does not wait for a count; and that is said once."""
        self.begin(start=False)
        nodes = self.lab.write(f"m{Marks.count}/state/nodes", "in the way")
        self.milter.start()
        self.assertEqual(1, self.milter.log_count("loss_not_marked "))
        for _ in range(3):
            self.assertIsNone(self.accept(is_lost=True))
        self.assertEqual(4, self.accept())  # one that may have been before its start
        self.assertEqual(1, self.milter.log_count("loss_not_marked .*/nodes/milter-0.*Not a directory"))
        os.unlink(nodes)
        self.assertIsNone(self.accept(is_lost=True))
        self.assertEqual(["milter-0.unreported"], marks(self.milter))
        self.assertEqual(1, self.accept())


if __name__ == "__main__":
    unittest.main()
