"""What the dialogues with splitmx-milter share: a scripted policyd, a milter, and people."""

import shutil
import unittest

from lab import LabCase, wait_for
from lab.milter import Milter, ScriptedPolicyd, found

PEOPLE = {
    "ann@example.org": found("ann@example.org"),
    "ann+news@example.org": found("ann@example.org"),
    "bob@example.org": found("bob@example.org", owner="old"),
    "held@example.org": found("held@example.org", owner="old", hold="mail"),
    "gone@example.org": found("gone@example.org", unknown=True),
    "dark@example.org": {"verdict": "temp", "reason": "Redis is away"},
    "odd@example.org": {"verdict": "perm", "reason": "no address"},
}
UNKNOWN, HELD = "550 5.1.1 User unknown", "450 4.2.1 This mailbox is being moved, try again later"
TROUBLE = "451 4.3.0 Cannot look the recipient up now, try again later"


class MilterCase(LabCase):
    """cls.policyd answers, cls.milter asks it; milter_settings says what else it is told."""

    milter_settings = {}
    listeners = 1

    @classmethod
    def furnish(cls):
        cls.policyd = ScriptedPolicyd(cls.lab, dict(PEOPLE))
        cls.milter = Milter(cls.lab, cls.policyd.path, listen=cls.listeners,
                            milter={"instance": "mx1.example.org", **cls.milter_settings},
                            env={"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:quarantine_size_mb=1"})

    def setUp(self):
        self.policyd.deed = None
        self.policyd.answers = dict(PEOPLE)
        self.policyd.questions.clear()
        self.policyd.reports.clear()

    def session(self, number=0, **offer):
        client = self.milter.session(number, **offer)
        self.addCleanup(client.close)
        return client

    def worker(self):
        return self.milter.status()["pid"]

    def wait_nobody(self):
        """Every session has ended."""
        wait_for("no session goes on", 10, lambda: self.milter.status()["sessions"]["now"] == 0, (self.milter.log,))

    def resident_kib(self):
        with open(f"/proc/{self.worker()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


needs_miltertest = unittest.skipUnless(shutil.which("miltertest"), "miltertest is not installed")
