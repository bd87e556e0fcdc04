"""miltertest speaks with splitmx-milter: every callback and every abort, by a client that is not ours."""

import os

from milter_case import MilterCase, needs_miltertest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "miltertest", "callbacks.lua")


@needs_miltertest
class Miltertest(MilterCase):
    def test_every_callback_and_abort(self):
        done = self.lab.run(["miltertest", "-D", f"socket=unix:{self.milter.place()}", "-s", SCRIPT], check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual([["ann@example.org", "held@example.org"]] + [["bob@example.org"]] * 4,
                         [[account[0] for account in report["accounts"]] for report in self.policyd.reports])
        self.wait_nobody()
