"""splitmx sessions and kick: what the workers of the login front on this host say, and what is asked of them."""

import json
import os
import socket
import unittest

from admin import NOUSER, OK, UNAVAILABLE, USAGE, AdminCase, Peer


def session(name, account, ms, **more):
    return {"session": name, "protocol": "imap", "account": account, "from": "192.0.2.7", "destination": "old",
            "to": "inet:10.0.0.1:143", "phase": "running", "ms": ms, "in": 10, "out": 20, **more}


PARKED = {"session": "p1", "phase": "parked", "protocol": "imap", "from": "2001:db8::7", "ms": 3000,
          "account": "ann@floor.org", "owner": "old"}


class Worker(Peer):
    """A control socket of a worker: has these sessions, and does what "kick" asks."""

    def __init__(self, case, slot, sessions):
        self.sessions, self.heard = sessions, []
        super().__init__(os.path.join(case.settings["run_dir"], f"frontd-{slot}.ctl"), self.reply)
        case.addCleanup(self.stop)

    def reply(self, request):
        if not request:
            return b""
        asked = json.loads(request)
        self.heard.append(asked)
        if asked["do"] == "sessions":
            return json.dumps({"sessions": self.sessions}).encode() + b"\n"
        gone = [s for s in self.sessions if s["phase"] == "running" and
                (s["account"] == asked.get("account") or s["session"] == asked.get("session"))]
        return json.dumps({"ended": len(gone)}).encode() + b"\n"


class Front(AdminCase):
    initialised = False

    def setUp(self):
        super().setUp()
        self.redis.stop()  # nothing here may need it

    def workers(self):
        return (Worker(self, 0, [session("a1", "ann@floor.org", 1000), PARKED]),
                Worker(self, 1, [session("b1", "bob@floor.org", 7500000, destination="new"),
                                 session("a2", "ann@floor.org", 5000)]))


class Sessions(Front):
    def names(self, *words):
        return [one["session"] for one in self.tells(OK, "sessions", *words)]

    def test_all_workers_in_one_table_the_oldest_first(self):
        first, second = self.workers()
        lines = self.says(OK, "sessions").splitlines()
        self.assertEqual(["ACCOUNT", "PROTOCOL", "FROM", "TO", "PHASE", "AGE", "IN", "OUT", "SESSION", "PROCESS"],
                         lines[0].split())
        self.assertEqual([["b1", "frontd-1"], ["a2", "frontd-1"], ["p1", "frontd-0"], ["a1", "frontd-0"]],
                         [line.split()[-2:] for line in lines[1:]])
        self.assertEqual("2h05m", lines[1].split()[5])
        self.assertEqual([{"do": "sessions"}], first.heard)
        self.assertEqual([{"do": "sessions"}], second.heard)

    def test_json_has_what_the_worker_said_and_which_it_was(self):
        self.workers()
        told = self.tells(OK, "sessions", "--to", "new")
        self.assertEqual([session("b1", "bob@floor.org", 7500000, destination="new") | {"process": "frontd-1"}], told)

    def test_filters(self):
        self.workers()
        self.assertEqual(["a2", "p1", "a1"], self.names("--account", "Ann@FLOOR.org"))
        self.assertEqual(["b1", "a2", "a1"], self.names("--from", "192.0.2.0/24"))
        self.assertEqual(["p1"], self.names("--from", "2001:db8::7"))
        self.assertEqual(["b1"], self.names("--older", "2h"))
        self.assertEqual(["a2", "p1", "a1"], self.names("--to", "old"))
        self.assertEqual([], self.names("--account", "nobody@floor.org"))

    def test_nobody_is_no_error(self):
        self.workers()
        self.assertEqual("", self.says(OK, "sessions", "--older", "9d"))
        self.assertIn("no such sessions", self.error)

    def test_mistakes(self):
        self.workers()
        for words, why in ((["--from", "here"], "here"), (["--from", "192.0.2.7/24"], "192.0.2.7/24"),
                           (["--older", "soon"], "soon"), (["--to", "atlantis"], "no destination atlantis"),
                           (["--account", "@floor.org"], "is a domain"), (["--account", "a b@@"], "a b@@"),
                           (["ann@floor.org"], "")):
            self.says(USAGE, "sessions", *words)
            self.assertIn(why, self.error)

    def test_no_front_runs_here(self):
        self.says(UNAVAILABLE, "sessions")
        self.assertIn("start splitmx-frontd", self.error)

    def test_one_worker_is_silent_the_others_are_shown(self):
        self.workers()
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(os.path.join(self.settings["run_dir"], "frontd-2.ctl"))
        dead.close()  # the file stays, as after a kill -9 of everything
        self.assertIn("b1", self.says(UNAVAILABLE, "sessions"))
        self.assertIn("frontd-2 does not answer", self.error)

    def test_one_answers_something_else(self):
        peer = Peer(os.path.join(self.settings["run_dir"], "frontd-0.ctl"), lambda request: b"{}\n" if request else b"")
        self.addCleanup(peer.stop)
        self.says(UNAVAILABLE, "sessions")
        self.assertIn("frontd-0 answers something else", self.error)

    def test_policyd_is_not_asked(self):
        peer = Peer(os.path.join(self.settings["run_dir"], "policyd-0.ctl"), lambda request: b"{}\n" if request else b"")
        self.addCleanup(peer.stop)
        self.workers()
        self.assertEqual(4, len(self.names()))


class Kick(Front):
    def test_an_account_on_all_workers(self):
        first, second = self.workers()
        self.assertEqual("2 sessions of ann@floor.org end\n", self.says(OK, "kick", "Ann@FLOOR.org"))
        for worker in (first, second):
            self.assertEqual([{"do": "kick", "account": "ann@floor.org"}], worker.heard)
        self.assertEqual("1 session of bob@floor.org ends\n", self.says(OK, "kick", "bob@floor.org"))
        self.assertEqual([{"account": "ann@floor.org", "ended": 2}], self.tells(OK, "kick", "ann@floor.org"))

    def test_one_session(self):
        first, second = self.workers()
        self.assertEqual([{"session": "a2", "ended": 1}], self.tells(OK, "kick", "--session", "a2"))
        self.assertEqual([{"do": "kick", "session": "a2"}], first.heard)

    def test_nobody_is_there(self):
        self.workers()
        self.says(NOUSER, "kick", "who@floor.org")
        self.assertIn("who@floor.org has no session here", self.error)
        self.assertEqual([{"session": "zz", "ended": 0}], self.tells(NOUSER, "kick", "--session", "zz"))

    def test_mistakes(self):
        first, second = self.workers()
        for words in ([], ["ann@floor.org", "--session", "a1"], ["ann@floor.org", "bob@floor.org"], ["@floor.org"],
                      ["no address"]):
            self.says(USAGE, "kick", *words)
        self.assertEqual([], first.heard + second.heard)

    def test_no_front_and_a_silent_worker(self):
        self.says(UNAVAILABLE, "kick", "ann@floor.org")
        Worker(self, 0, [session("a1", "ann@floor.org", 1)])
        peer = Peer(os.path.join(self.settings["run_dir"], "frontd-1.ctl"),
                    lambda request: b'{"error":"not today"}\n' if request else b"")
        self.addCleanup(peer.stop)
        self.assertEqual("1 session of ann@floor.org ends\n", self.says(UNAVAILABLE, "kick", "ann@floor.org"))
        self.assertIn("frontd-1 does not answer: not today", self.error)


if __name__ == "__main__":
    unittest.main()
