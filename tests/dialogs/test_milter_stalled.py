"""A milter that stalls for good, and who finds out: the rest of row B9."""

import os
import signal
import socket

from lab import LabCase, wait_for
from lab.core import process_is_alive
from lab.milter import Milter, ScriptedPolicyd
from milter_case import PEOPLE

WATCHDOG_MS = 200


class Stalled(LabCase):
    @classmethod
    def furnish(cls):
        cls.policyd = ScriptedPolicyd(cls.lab, dict(PEOPLE))
        cls.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.addClassCleanup(cls.systemd.close)
        cls.systemd.bind(b"\0" + cls.lab.dir.encode())
        cls.milter = Milter(cls.lab, cls.policyd.path, milter={"instance": "mx1.example.org"},
                            env={"NOTIFY_SOCKET": "@" + cls.lab.dir, "WATCHDOG_USEC": str(WATCHDOG_MS * 1000)})

    def is_heard(self, seconds):
        """Whether there is a sign of life within this time; older ones do not count."""
        self.systemd.setblocking(False)
        try:
            while self.systemd.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.systemd.settimeout(seconds)
        try:
            while b"WATCHDOG=1" not in self.systemd.recv(4096):
                pass
        except TimeoutError:
            return False
        return True

    def stop_worker(self):
        worker = self.milter.status()["pid"]
        os.kill(worker, signal.SIGSTOP)
        self.addCleanup(lambda: process_is_alive(worker) and os.kill(worker, signal.SIGCONT))
        # The master may say once more that the last ping was answered.
        wait_for("the watchdog hears nothing", 20, lambda: not self.is_heard(5 * WATCHDOG_MS / 1000), (self.milter.log,))
        return worker

    def test_B9_the_watchdog_hears_nothing_while_the_milter_stalls(self):
        for _ in range(5):
            self.assertTrue(self.is_heard(10))
        worker = self.stop_worker()
        self.assertFalse(self.is_heard(10 * WATCHDOG_MS / 1000))
        os.kill(worker, signal.SIGCONT)
        wait_for("the watchdog hears it again", 20, lambda: self.is_heard(1), (self.milter.log,))
        self.assertEqual(worker, self.milter.status()["pid"])
        self.assertServes()

    def test_B9_what_the_watchdog_kills_is_started_again(self):
        """WatchdogSec= ends the whole service, stalled workers too; Restart= begins another."""
        worker = self.stop_worker()
        self.milter.crash()
        self.assertFalse(process_is_alive(worker))
        self.milter.start()
        self.assertTrue(self.is_heard(10))
        self.assertServes()

    def assertServes(self):
        with self.milter.session() as client:
            self.assertEqual(([b"c"], b"c"), client.message("ann@example.org")[::2])
