"""contrib/quickstart --once, as a stranger runs it, but with what is built already.

An account moves with its mail, and a mail program that is logged in follows; its own
checks are in contrib/quickstart.py. Here: that all of it is told, in order, that the
status is true, and that nothing stays, however it ends.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from lab.core import BUILD, TOP, processes_of, tail

SECONDS = 300  # it takes 55 on an idle machine, 35 of them to wait for Postfix's memory
STORY = (
    r'IMAP old side, bob@example\.org +"Hello Bob"',
    r'fetchmail -> A\d+ LOGIN "bob@example\.org" \*',
    r"front +-> \+ idling",
    r"bob@example\.org imap +127\.0\.0\.1 old +running",
    r'fetchmail has +"Bob, are you there\?"',
    r"SET splitmx:hold:bob@example\.org mail:",
    r"in the MX's queue: \w+ for bob@example\.org",
    r"SET splitmx:hold:bob@example\.org all:",
    r"confirmed by 2 nodes in .*mx1/frontd/0",
    r"front +-> \* BYE \[UNAVAILABLE\]",
    r'fetchmail -> A0001 LOGIN "bob@example\.org" \*',
    r"bob@example\.org imap +127\.0\.0\.1 \S+ +parked",
    r"SET splitmx:owner:bob@example\.org new",
    r"confirmed by 2 nodes in .*mx1/frontd/0",
    r"front +-> A0001 OK .*",
    r"bob@example\.org imap +127\.0\.0\.1 new +running",
    r'fetchmail has +"Bob, are you moving\?"',
    r'fetchmail has +"Bob, have you moved\?"',
    r'IMAP new side, bob@example\.org +"Hello Bob", "Bob, are you there\?", "Bob, are you moving\?", "Bob, have you moved\?"',
    r"All servers are stopped and their directory is removed\.",
)


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="qs.", dir=os.environ.get("SPLITMX_LAB_ROOT", "/tmp"))
        os.chmod(self.root, 0o755)
        self.addCleanup(shutil.rmtree, self.root)
        said = tempfile.TemporaryDirectory(prefix="qs-said.")
        self.addCleanup(said.cleanup)
        self.output = os.path.join(said.name, "said")

    def start(self, *words, build=BUILD):
        env = {**os.environ, "SPLITMX_BUILD": build, "SPLITMX_LAB_ROOT": self.root}
        with open(self.output, "wb") as out:
            # As in a terminal: whoever started us may have SIGINT ignored, and that is inherited.
            return subprocess.Popen([os.path.join(TOP, "contrib", "quickstart"), *words], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, env=env, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def end(self, child):
        """(status, what it said); nothing of it may be left."""
        try:
            status = child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait(60)
            self.fail(f"not done after {SECONDS} s\n{tail(self.output, 60)}")
        self.assertEqual([], processes_of(self.root))
        with open(self.output, encoding="utf-8") as f:
            return status, f.read()

    def test_it_goes_as_told(self):
        status, said = self.end(self.start("--once"))
        self.assertEqual(0, status, said)
        at = 0
        for line in STORY:
            found = re.compile(line).search(said, at)
            self.assertTrue(found, f"not behind the others: {line}\n{said}")
            at = found.end()
        self.assertNotIn('LOGIN "bob@example.org" "', said)  # his password
        self.assertEqual([], os.listdir(self.root))

    def test_it_leaves_nothing_when_it_is_interrupted(self):
        for sig, want in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(sig=sig):
                child = self.start("--once")
                self.wait_for_chapter(child)
                child.send_signal(sig)
                status, said = self.end(child)
                self.assertEqual(want, status, said)
                self.assertEqual([], os.listdir(self.root))

    def wait_for_chapter(self, child):
        while child.poll() is None and "1. Two accounts" not in tail(self.output, 100):
            try:
                child.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        self.assertIsNone(child.poll(), tail(self.output, 60))

    def test_when_it_cannot_start_the_status_says_so(self):
        status, said = self.end(self.start("--once", build="/nonexistent"))
        self.assertEqual(1, status)
        self.assertIn("Not as told: splitmx is not in /nonexistent", said)

    def test_it_says_what_it_needs(self):
        status, said = self.end(self.start("--help"))
        self.assertEqual(0, status)
        self.assertRegex(said, "It needs Debian 12, root")
        self.assertEqual(64, self.end(self.start("--twice"))[0])


if __name__ == "__main__":
    unittest.main()
