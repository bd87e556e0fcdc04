"""Wall clocks jump by a day, forwards and backwards, under Redis and under policyd: no lease notices.

libfaketime reads the offset from a file at every look at the clock. It must be
loaded before everything else, so policyd is a build without sanitizers here.
"""

import glob
import os
import time
import unittest

from lab import LabCase, Redis, wait_for
from lab.core import BUILD, TOP
from lab.fence import Node

PLAIN = os.environ.get("SPLITMX_PLAIN", BUILD)
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
LEASE_MS = 1500
ANN = "ann@example.org"
DAY = 86400


def is_sanitized(path):
    with open(path, "rb") as f:
        return b"__asan_init" in f.read()


class ClockTest(LabCase):
    @classmethod
    def furnish(cls):
        if not LIBRARIES:
            raise unittest.SkipTest("libfaketime is not installed")
        binary = os.path.join(PLAIN, "splitmx-policyd")
        if is_sanitized(binary):
            raise unittest.SkipTest(f"{binary} has sanitizers; SPLITMX_PLAIN is a build without")
        cls.offset = cls.lab.write("offset", "+0\n")
        env = {"LD_PRELOAD": LIBRARIES[0], "FAKETIME_TIMESTAMP_FILE": cls.offset, "FAKETIME_NO_CACHE": "1",
               "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        # jemalloc looks at the clock before libfaketime is ready; with libc's malloc nobody does.
        libc = glob.glob("/lib/*/libc.so.6")[0]
        cls.redis = Redis(cls.lab, env={**env, "LD_PRELOAD": f"{LIBRARIES[0]} {libc}"})
        timers = os.path.join(cls.lab.dir, "real_timers.so")
        cls.lab.run(["gcc", "-shared", "-fPIC", "-o", timers, os.path.join(TOP, "tests", "system", "real_timers.c")])
        cls.node = Node(cls.lab, "node", cls.redis, binary=binary, start=False,
                        env={**env, "LD_PRELOAD": f"{timers} {LIBRARIES[0]}"})
        cls.redis.cli("HSET", "splitmx.map", "lease_ms", LEASE_MS)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.node.start()

    def setUp(self):
        self.node.wait_answer("fence", ANN, "OK", seconds=10)

    def tearDown(self):
        self.jump(0)

    def jump(self, seconds):
        with open(self.offset, "w", encoding="utf-8") as f:
            f.write(f"{seconds:+d}\n")
        # Redis believes it too: what is tested has happened.
        wait_for(f"Redis's clock is off by {seconds} s", 5, lambda: abs(
            int(self.redis.cli("TIME").split("\n")[0]) - time.time() - seconds) < 5)

    def test_A18_answers_go_on(self):
        for seconds in (DAY, -DAY, 0):
            self.jump(seconds)
            end = time.monotonic() + 2 * LEASE_MS / 1000
            with self.node.socketmap() as client:
                while time.monotonic() < end:
                    self.assertEqual(("OK", "old"), client.ask("fence", ANN), f"after a jump of {seconds} s")
                    time.sleep(0.02)

    def test_A18_leases_end_as_ever(self):
        for seconds in (DAY, -DAY):
            self.jump(0)
            self.node.wait_answer("fence", ANN, "OK", seconds=10)
            self.redis.freeze()
            try:
                began = time.monotonic()
                with open(self.offset, "w", encoding="utf-8") as f:
                    f.write(f"{seconds:+d}\n")
                wait_for("it says TEMP", 10, lambda: self.node.ask("fence", ANN)[0] == "TEMP")
                # It counts from the last heartbeat, at most a second and a bit ago.
                self.assertLess(time.monotonic() - began, LEASE_MS / 1000 + 1.5)
            finally:
                self.redis.thaw()

    def test_A18_changes_are_known_at_once(self):
        for seconds, owner in ((DAY, "new"), (-DAY, "old")):
            self.jump(seconds)
            self.redis.cli("SET", f"splitmx:owner:{ANN}", owner)
            self.node.wait_answer("fence", ANN, ("OK", owner), seconds=1)
