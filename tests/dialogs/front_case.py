"""What the dialogues with splitmx-frontd share: a Redis, scripted backends, one front."""

import json
import os
import shutil
import unittest

from lab import LabCase, Redis, wait_for
from lab.front import Frontd
from lab.imap_script import ImapClient, ImapScript

PASSWORD = "never-to-be-seen-Xq7"  # of all logins: tests grep for it
CALM = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:quarantine_size_mb=1"}  # what is freed is free


@unittest.skipUnless(shutil.which("redis-server"), "redis-server is not installed")
class FrontCase(LabCase):
    """cls.front before cls.old and cls.new; every account is old's unless it has a record of its own."""

    frontd_settings = {}
    main_settings = {}
    environment = {}  # more of the front's
    listen = [("imap", "none")]
    lease = 1000

    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = cls.make_homes()
        cls.old, cls.new = cls.homes["old"], cls.homes["new"]
        frontd = {"login_timeout": 3000, "end_timeout": 1000, "fail_delay": 100, "drain_timeout": 2000,
                  **cls.frontd_settings}
        cls.front = Frontd(cls.lab, cls.homes, redis=cls.redis, listen=cls.listen, start=False, init=False,
                           settings={"frontd": frontd, **cls.main_settings}, env={**CALM, **cls.environment})
        cls.adjust(cls.front.settings)
        cls.front.write_config()
        cls.front.splitmx("init", "--lease", cls.lease)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.front.start()

    @classmethod
    def make_homes(cls):
        return {name: ImapScript(cls.lab, name) for name in ("old", "new")}

    @classmethod
    def adjust(cls, settings):
        """Change the settings before the front starts."""

    def setUp(self):
        self.addCleanup(self.calm_down)
        self.user = f"{self._testMethodName.lower()[:50]}@example.org"  # its own, so that tests do not meet

    def calm_down(self):
        for home in self.homes.values():
            for gate in list(home.gates.values()):
                gate.set()
            home.behave()

    # clients

    def client(self, tls="none", **options):
        client = ImapClient(self.front.ports["imap", tls], **options)
        self.addCleanup(client.close)
        return client

    def session(self, user=None, **options):
        """Logged in."""
        client = self.client(**options)
        answer = client.login(user or self.user, PASSWORD)
        self.assertRegex(answer, rb"^a OK")
        return client

    # the map

    def set_owner(self, owner, user=None):
        self.redis.cli("SET", f"splitmx:owner:{user or self.user}", owner)

    def flip(self, code=0, owner="new", wait=10, user=None):
        """By `splitmx set`, with its confirmation; what it tells."""
        done = self.front.splitmx("--json", "set", user or self.user, owner, "--force", "--yes", "--wait", wait,
                                  check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[0])

    def hold(self, user=None):
        self.redis.cli("SET", f"splitmx:hold:{user or self.user}", "all:test", "EX", 600)

    def release(self, user=None):
        self.redis.cli("DEL", f"splitmx:hold:{user or self.user}")

    # the front

    def phases(self, user=None):
        return sorted(s["phase"] for s in self.front.sessions() if user is None or s.get("account") == user)

    def wait_phases(self, want, user=None, seconds=10):
        wait_for(f"phases {want}, not {self.phases(user)}", seconds, lambda: self.phases(user) == want,
                 (self.front.log,))

    def wait_gone(self, user=None, seconds=10):
        self.wait_phases([], user or self.user, seconds)

    def wait_nobody(self, seconds=10):
        self.wait_phases([], None, seconds)

    def worker(self):
        return self.front.worker_pids()[0]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.worker()}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.worker()}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
