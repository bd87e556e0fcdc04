"""splitmx check and status: settings, listeners, a Postfix that asks, control sockets."""

import json
import os
import pwd
import shutil
import subprocess
import unittest

from admin import CONFIG, IOERR, OK, UNAVAILABLE, USAGE, AdminCase, Peer
from lab import wait_for
from lab.policyd import program


def socketmap(request):
    return b"9:NOTFOUND ," if request else b""


class Check(AdminCase):
    initialised = False

    def peer(self, name, answer):
        path = self.lab.path(name)
        peer = Peer(path, answer)
        self.addCleanup(peer.stop)
        return "unix:" + path

    def test_every_problem_is_named(self):
        self.settings["maps"][0]["owners"] = {"nowhere": "x"}
        self.settings["cashe"] = {"size": 1}
        self.write_settings()
        rows = self.says(CONFIG, "check").splitlines()
        self.assertGreaterEqual(len(rows), 1)
        self.assertTrue(all(row.startswith(self.config + ":") for row in rows), rows)
        self.assertEqual([False], list({row["ok"] for row in self.tells(CONFIG, "check")}))
        self.says(CONFIG, "list")
        self.assertIn("cashe", self.error)

    def test_good_settings(self):
        self.assertEqual([{"check": "settings", "ok": True, "detail": self.config}], self.tells(OK, "check"))

    def live(self, code, *words):
        return {(row["check"], row["detail"].split(":")[0]): row for row in self.tells(code, "check", "--live", *words)}

    def test_each_listener_is_asked_in_its_own_words(self):
        self.says(OK, "init")
        listeners = [
            ("socketmap", socketmap), ("policy", lambda r: b"action=DUNNO\n\n" if r else b""),
            ("tcp_table", lambda r: b"500 not found\n" if r == b"get *\n" else b""),
            ("sink", lambda r: b"220 here\r\n")]
        self.settings["policyd"] = {"listen": []}
        for protocol, answer in listeners:
            row = {"protocol": protocol, "address": self.peer(protocol, answer)}
            if protocol in ("tcp_table", "policy"):
                row["map"] = "transport"
            self.settings["policyd"]["listen"].append(row)
        self.write_settings()
        nothing = self.lab.path("no-postfix", "main.cf")
        rows = [r for r in self.tells(UNAVAILABLE, "check", "--live", "--postfix", os.path.dirname(nothing))
                if r["check"] != "postfix"]
        self.assertTrue(all(r["ok"] for r in rows), rows)
        self.assertEqual(["settings", "redis"] + ["listener"] * 4, [r["check"] for r in rows])

    def test_what_does_not_answer_is_named(self):
        wrong = self.peer("wrong", lambda r: b"HTTP/1.0 400\r\n" if r else b"")
        self.settings["policyd"] = {"listen": [
            {"protocol": "socketmap", "address": "unix:" + self.lab.path("nobody")},
            {"protocol": "tcp_table", "address": wrong, "map": "transport"}]}
        self.write_settings()
        rows = self.tells(UNAVAILABLE, "check", "--live")
        bad = [r["detail"] for r in rows if not r["ok"]]
        self.assertIn("splitmx init", bad[0])
        self.assertIn("No such file", bad[1])
        self.assertIn("HTTP/1.0", bad[2])


# What a server may be, and what is said of it.
HOSTILE = {
    "it says nothing": (b"\r\n", "it says "),
    "it is another protocol": (b"220 mx ESMTP\r\n", 'it says "220 mx ESMTP"$'),
    "it will not": (b"* BYE Not now\r\n", r'it says "\* BYE Not now"$'),
    "it stops in the middle": (b"* OK [CAPABILITY IMAP4rev1] Ready\r\n", "it has closed|Broken pipe|reset by peer"),
    "it sends orders to the terminal": (b"\x1b[2J\x07\r\n", r"it says \S*\\x1b\[2J\\x07"),
    "it never ends a line": (b"* OK " + b"x" * 20000, "a line of more than 16384 bytes"),
    "it never ends an answer": (b"* CAPABILITY X\r\n" * 1100, "an answer without end"),
}


class Servers(AdminCase):
    def server(self, name, greeting):
        peer = Peer(self.lab.path(name), lambda request: greeting)
        self.addCleanup(peer.stop)
        return "unix:" + self.lab.path(name)

    def test_whatever_a_server_is_it_is_named(self):
        addresses = [self.server(f"server{number}", greeting) for number, (greeting, _) in enumerate(HOSTILE.values())]
        self.settings["destinations"][0]["services"] = [
            {"protocol": "imap", "addresses": addresses, "tls": "none", "trusted": True, "caller": "none"}]
        self.write_settings()
        rows = [r for r in self.tells(UNAVAILABLE, "check", "--live") if r["check"] == "server"]
        self.assertEqual(len(HOSTILE), len(rows), rows)
        for (name, (_, said)), address, row in zip(HOSTILE.items(), addresses, rows):
            with self.subTest(name):
                self.assertFalse(row["ok"])
                self.assertTrue(row["detail"].startswith(f"imap at old, {address}: "), row)
                self.assertRegex(row["detail"], said)

    def test_options_that_mean_nothing_by_themselves(self):
        for words in (("--login", "ann@floor.org"), ("--live", "--from", "127.0.0.9"), ("--ca-file", "/x"),
                      ("--live", "--password-file", "/x"), ("--front-name", "x"), ("--postfix", "/x")):
            with self.subTest(words):
                self.says(USAGE, "check", *words)
                self.assertIn(" is for use with --", self.error)

    def test_without_a_password_nobody_logs_in(self):
        for words in ((), ("--password-file", self.lab.path("nothing")), ("--password-file", self.lab.write("empty", ""))):
            with self.subTest(words):
                for path in words[1:]:
                    if os.path.exists(path):
                        os.chmod(path, 0o600)
                argv = self.argv("check", "--live", "--login", "ann@floor.org", *words)
                done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                                      env=self.lab.environment, start_new_session=True, timeout=60)  # no terminal
                self.assertEqual(66, done.returncode, done.stdout + done.stderr)
                self.assertRegex(done.stderr, "password|No such file")


@unittest.skipUnless(shutil.which("postconf"), "Postfix is not installed")
class Postfix(AdminCase):
    """A configuration directory is enough: no Postfix runs."""

    def setUp(self):
        super().setUp()
        self.queue = os.path.dirname(self.lab.path("q", "x"))
        self.run_dir = os.path.dirname(self.lab.path("q", "run", "x"))
        peer = Peer(os.path.join(self.run_dir, "map.sock"), socketmap)
        self.addCleanup(peer.stop)

    def findings(self, code, *lines):
        self.lab.write("pf/main.cf", "\n".join([
            "compatibility_level = 3.6", f"queue_directory = {self.queue}", *lines]) + "\n")
        directory = os.path.dirname(self.lab.write("pf/master.cf", "\n".join([
            "smtp inet n - y - - smtpd", "peer inet n - n - - smtpd", "rewrite unix - - y - - trivial-rewrite",
            "proxymap unix - - n - - proxymap", "cleanup unix n - y - 0 cleanup"]) + "\n"))
        return [r for r in self.tells(code, "check", "--live", "--postfix", directory) if r["check"] == "postfix"]

    def test_a_path_relative_to_the_queue_directory_works_everywhere(self):
        rows = self.findings(OK, "transport_maps = socketmap:unix:run/map.sock:transport",
                             "relay_recipient_maps = socketmap:unix:run/map.sock:verify")
        self.assertEqual([True, True, True], [r["ok"] for r in rows], rows)

    def test_an_absolute_path_fails_in_the_chroot_alone(self):
        rows = self.findings(UNAVAILABLE, f"relay_recipient_maps = socketmap:unix:{self.run_dir}/map.sock:verify",
                             f"virtual_alias_maps = proxy:socketmap:unix:{self.run_dir}/map.sock:transport")
        said = {("chroot" in r["detail"], r["ok"]) for r in rows}
        self.assertEqual({(True, False), (False, True)}, said, rows)
        self.assertIn("relative", [r["fix"] for r in rows if not r["ok"]][0])

    def test_a_map_that_is_not_there_and_a_table_that_is_none(self):
        rows = self.findings(UNAVAILABLE, "transport_maps = socketmap:unix:run/map.sock:nothing",
                             "relay_domains = socketmap:unix")
        self.assertFalse(any(r["ok"] for r in rows))
        self.assertIn('no map "nothing"', " ".join(r["detail"] for r in rows))
        self.assertIn("is no socketmap", " ".join(r["detail"] for r in rows))

    @unittest.skipUnless(os.geteuid() == 0 and "postfix" in {p.pw_name for p in pwd.getpwall()}, "needs root")
    def test_a_socket_that_postfix_may_not_use(self):
        os.chmod(os.path.join(self.run_dir, "map.sock"), 0o600)
        rows = self.findings(UNAVAILABLE, "transport_maps = socketmap:unix:run/map.sock:transport")
        self.assertIn("Permission denied", rows[0]["detail"])

    def test_a_postfix_that_asks_nobody(self):
        self.assertTrue(self.findings(OK)[0]["ok"])


class Status(AdminCase):
    initialised = False

    def test_nobody_runs(self):
        self.says(UNAVAILABLE, "status", "--local")

    def test_who_answers_and_who_does_not(self):
        def status(request):
            if not request:
                return b""
            assert json.loads(request) == {"do": "status"}
            return b'{"program":"splitmx-policyd","version":"0.1.0","pid":77,"state":"ready","map":{"epoch":9}}\n'

        peer = Peer(os.path.join(self.settings["run_dir"], "policyd.ctl"), status)
        self.addCleanup(peer.stop)
        self.assertIn("77", self.says(OK, "status", "--local").splitlines()[1])
        self.assertIn("map.epoch", self.says(OK, "status", "--local", "--all"))
        told = self.tells(OK, "status", "--local")[0]["process"]
        self.assertEqual(("policyd", 9), (told["id"], told["map"]["epoch"]))
        dead = os.path.join(self.settings["run_dir"], "dead.ctl")
        Peer(dead, status).stop()
        self.says(UNAVAILABLE, "status", "--local")
        self.assertIn("dead does not answer", self.error)


class Words(AdminCase):
    initialised = False

    def test_help_and_mistakes(self):
        self.assertIn("explain", self.says(OK, "--help"))
        self.assertIn("--reason TEXT", self.says(OK, "set", "--help"))
        self.assertIn("usage: splitmx", self.says(USAGE))
        self.says(USAGE, "explian", "x")
        self.assertIn("do you mean explain?", self.error)
        self.says(USAGE, "set", "ann@example.org")
        self.assertEqual({"set", "import"} - {c["name"] for c in self.tells(OK, "help") if c["asks"]}, set())
        self.assertRegex(self.says(OK, "version"), r"^splitmx \d")

    def test_errors_are_json_too(self):
        self.says(CONFIG, "--json", "list")
        told = [json.loads(line) for line in self.error.splitlines()]
        self.assertEqual([CONFIG], [t["code"] for t in told])

        rows = [(USAGE, ("list", "--bogus", "--json")), (USAGE, ("--json",)), (USAGE, ("bogus", "--json")),
                (USAGE, ("set", "--json")), (USAGE, ("--json", "help", "bogus")), (CONFIG, ("--json", "-c", "/", "list"))]
        for code, words in rows:
            with self.subTest(words):
                self.assertEqual("", self.says(code, *words))
                self.assertEqual([code], [json.loads(line)["code"] for line in self.error.splitlines()])

    def test_output_that_cannot_be_written_is_an_error(self):
        for words in (["help"], ["--json", "help"], ["-c", self.config, "check"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run([program("splitmx"), *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(IOERR, done.returncode)
            self.assertIn("could not be written", done.stderr)

    def test_closed_files_stay_nobodys(self):
        """A connection that got the number 1 or 2 would be sent what is meant for people."""
        self.says(OK, "init")
        self.redis.cli("SET", "splitmx:owner:@floor.org", "old")
        argv = " ".join(f"'{word}'" for word in self.argv("set", "a@floor.org", "new", "--hold"))
        run = subprocess.Popen(["sh", "-c", f"exec {argv} <&- >&- 2>&-"], env=self.lab.environment)
        try:
            wait_for("the hold", 10, lambda: self.redis.cli("EXISTS", "splitmx:hold:a@floor.org") == "1")
            self.assertEqual(["/dev/null"] * 3, [os.readlink(f"/proc/{run.pid}/fd/{fd}") for fd in range(3)])
        finally:
            run.kill()
            run.wait(10)

    def test_bytes_that_are_no_text(self):
        bad = "/none\udcff\x1b[31m"
        self.assertIn("\\xff\\x1b", self.tells(CONFIG, "-c", bad, "check")[0]["detail"])
        self.assertNotIn("\x1b", self.says(CONFIG, "-c", bad, "check"))
        for words in ((bad,), ("-c", bad, "list"), ("--bogus" + bad,), ("explain", "x@" + bad)):
            self.lab.run(self.argv(*words), check=False)
            self.says(self.lab.run(self.argv(*words), check=False).returncode, *words)
            self.assertNotIn("\x1b", self.error)


if __name__ == "__main__":
    unittest.main()
