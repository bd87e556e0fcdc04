"""splitmx check --live and the milter: it runs, it does not, it is full, somebody else is there."""

import os
import re
import shutil
import socket
import struct
import unittest

from admin import OK, UNAVAILABLE, AdminCase, Peer
from lab import wait_for
from lab.milter import Milter, ScriptedPolicyd, packet

RUNNING = 'is splitmx-milter running? see "splitmx status" and its log'
NOBODY_ELSE = "nobody but splitmx-milter may listen there: see milter.listen"
ALIKE = packet(b"O", struct.pack(">III", 6, 0x11, 0x1f))
ANOTHER = packet(b"O", struct.pack(">III", 6, 0x01, 0x1f))

# What else may listen there, and what is said of it.
OTHERS = {
    "SMTP": (b"220 mx ESMTP\r\n", r'protocol: it says "220 mx ESMTP"$'),
    "HTTP": (b"HTTP/1.0 400 Bad\r\n\r\n", r'protocol: it says "HTTP/1.0 400 Bad"$'),
    "orders to the terminal": (b"\x1b[2J\x07\r\n", r"it says \S*\\x1b\[2J\\x07"),
    "an empty line": (b"\r\n", r'it says ""$'),
    "a great many bytes": (b"x" * 20000, r"it says x{100}$"),
    "another answer": (packet(b"c"), "does not speak the milter protocol"),
    "a short answer": (packet(b"O", b"\0\0\0\6"), "does not speak the milter protocol"),
    "a long answer": (packet(b"O", b"\0" * 2000), "does not speak the milter protocol"),
    "an answer that is cut short": (ALIKE[:-1], "does not speak the milter protocol"),
    "nothing": (b"", "closes the connection without an answer: it is no milter, or has milter.max_sessions$"),
    "another milter": (ANOTHER, r"is another milter: it wants to do 0x1 to messages, and not to add and change headers \(0x11\)$"),
}


class CheckMilter(AdminCase):
    def check(self, code, listen):
        """What is said of the milter, for these listeners. Nothing else is wrong."""
        if listen:
            self.settings["milter"] = {"listen": listen}
        self.write_settings()
        rows = self.tells(code, *self.words())
        self.assertEqual([], [r for r in rows if not r["ok"] and r["check"] != "milter"])
        return [r for r in rows if r["check"] == "milter"]

    def words(self):
        """With a Postfix that asks nobody, where there is one."""
        self.lab.write("pf/main.cf", "compatibility_level = 3.6\n")
        directory = os.path.dirname(self.lab.write("pf/master.cf", "smtp inet n - n - - smtpd\n"))
        return ["check", "--live", *(["--postfix", directory] if shutil.which("postconf") else [])]

    def start_milter(self, **milter):
        policyd = ScriptedPolicyd(self.lab)
        self.addCleanup(policyd.stop)
        listen = ["unix:" + self.lab.path("s", "milter"), f"inet:127.0.0.1:{self.lab.port()}"]
        self.milter = Milter(self.lab, policyd.path, listen=listen, milter=milter)
        self.addCleanup(lambda: self.milter.process and self.milter.stop())
        return listen

    def wait_nobody(self):
        for slot in range(len(self.milter.listen)):
            wait_for("the session has ended", 10, lambda slot=slot: self.milter.status(slot)["sessions"]["now"] == 0,
                     (self.milter.log,))

    def test_it_runs(self):
        listen = self.start_milter()
        rows = self.check(OK, listen)
        self.assertEqual([{"check": "milter", "ok": True, "detail": f"at {address}: protocol version 6"} for address in listen],
                         rows)
        self.wait_nobody()
        self.assertEqual([1, 1], [self.milter.status(slot)["sessions"]["accepted"] for slot in range(2)])
        self.assertEqual(0, self.milter.log_count("session_refused|warning|error"))
        self.assertRegex(self.says(OK, *self.words()), rf"(?m)^ok     milter    at {re.escape(listen[0])}: protocol")

    def test_it_does_not_run(self):
        listen = self.start_milter()
        self.milter.stop()
        for why in ("No such file or directory", "Connection refused"):
            with self.subTest(why):
                rows = self.check(UNAVAILABLE, listen)
                self.assertEqual([(False, RUNNING)] * 2, [(r["ok"], r["fix"]) for r in rows])
                self.assertRegex(rows[0]["detail"], f"^at {listen[0]}: .*{why}$")
                self.assertRegex(rows[1]["detail"], f"^at {listen[1]}: .*Connection refused$")
            self.milter.start()
            self.milter.crash()  # its socket stays

    def test_it_is_full(self):
        listen = self.start_milter(max_sessions=1)
        with self.milter.session(0):
            first, second = self.check(UNAVAILABLE, listen)
        self.assertRegex(first["detail"], "closes the connection without an answer: it is no milter, or has milter.max_sessions$")
        self.assertTrue(second["ok"])

    def test_it_hangs(self):
        path = self.lab.path("s", "silent")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)  # and nobody accepts
            row, = self.check(UNAVAILABLE, ["unix:" + path])
        self.assertEqual((False, f"at unix:{path}: takes the connection and says nothing", RUNNING),
                         (row["ok"], row["detail"], row["fix"]))

    def test_somebody_else_listens_there(self):
        paths = []
        for number, (answer, _) in enumerate(OTHERS.values()):
            paths.append(self.lab.path("s", f"other{number}"))
            peer = Peer(paths[-1], lambda request, answer=answer: answer if request else b"")
            self.addCleanup(peer.stop)
        rows = self.check(UNAVAILABLE, ["unix:" + path for path in paths])
        self.assertEqual(len(OTHERS), len(rows))
        for (name, (_, said)), path, row in zip(OTHERS.items(), paths, rows):
            with self.subTest(name):
                self.assertEqual((False, NOBODY_ELSE), (row["ok"], row["fix"]), row)
                self.assertTrue(row["detail"].startswith(f"at unix:{path}: "), row)
                self.assertRegex(row["detail"], said)

    def test_there_is_none_in_the_settings(self):
        self.assertEqual([], self.check(OK, []))


if __name__ == "__main__":
    unittest.main()
