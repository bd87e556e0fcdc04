"""Who does not end, or takes its time, before splitmx-frontd: nobody else is to wait for it."""

import base64
import contextlib
import socket
import threading

from front_case import PASSWORD, FrontCase
from lab import wait_for
from lab.imap_script import WORDS, ImapScript

LATER = rb"^a NO \[UNAVAILABLE\]"


class Stuck(FrontCase):
    """A backend that is asked to close, and does not."""

    frontd_settings = {"max_per_address": 3, "login_timeout": 10000, "end_timeout": 500}

    @classmethod
    def adjust(cls, settings):
        cls.kicked = cls.lab.path("kicked")
        cls.command = cls.lab.write("kick", f'#!/bin/sh\necho "$1" $(ls -l /proc/$$/fd | grep -c -e socket: -e anon_inode:) >>{cls.kicked}\n', 0o755)
        old = next(row for row in settings["destinations"] if row["name"] == "old")
        old["kick"] = [cls.command, "%a"]

    def kicks(self):
        with contextlib.suppress(OSError), open(self.kicked, encoding="utf-8") as f:
            return [line.split(" ", 1) for line in f if line.split(" ", 1)[0] == self.user]
        return []

    def turn_round(self):
        """A login that is with a backend which holds it when its account moves; the gates."""
        gates = self.old.gate("login"), self.old.gate("end"), self.old.gate("close")
        client = self.client()
        client.line()
        client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
        self.old.wait_said(self.user, "A")
        self.set_owner("new")
        return client, gates

    def test_a_login_that_is_stuck_is_seen_and_kicked_and_has_no_seat(self):
        client, gates = self.turn_round()
        self.assertIn(b"* BYE", client.everything())
        self.wait_phases(["stuck"], self.user)
        wait_for("the kick", 10, self.kicks, (self.front.log,))
        self.assertEqual(1, self.front.log_count(rf"login_stuck .*{self.user}"))
        crowd = [self.client() for _ in range(3)]  # as many as there may be
        self.assertTrue(all(other.line().startswith(b"* OK") for other in crowd))
        for gate in gates:
            gate.set()
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(rf"login_stuck .*{self.user}"))
        for other in crowd:
            other.close()
        self.wait_nobody()
        self.session()

    def held(self):
        """A session whose backend will not end; the gates."""
        gates = [self.old.gate(step) for step in ("logout", "close", "end")]
        return self.session(), gates

    def test_a_session_whose_client_has_gone_is_seen_and_has_no_seat(self):
        client, gates = self.held()
        client.close()
        self.wait_phases(["stuck"], self.user)
        crowd = [self.client() for _ in range(3)]
        self.assertTrue(all(other.line().startswith(b"* OK") for other in crowd))
        self.assertEqual(1, self.front.log_count(rf"info: session_stuck .*{self.user}.*moves=no"))
        self.set_owner("new")  # now somebody waits for it
        wait_for("the kick", 10, self.kicks, (self.front.log,))
        self.assertEqual(1, self.front.log_count(rf"warning: session_stuck .*{self.user}.*moves=yes"))
        for gate in gates:
            gate.set()
        self.wait_gone()
        for other in crowd:
            other.close()
        self.wait_nobody()

    def test_a_session_that_moves_and_is_stuck_is_kicked(self):
        client, gates = self.held()
        self.set_owner("new")
        self.assertIn(b"* BYE", client.everything())
        self.wait_phases(["stuck"], self.user)
        wait_for("the kick", 10, self.kicks, (self.front.log,))
        for gate in gates:
            gate.set()
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(rf"session_stuck .*{self.user}"))

    def test_a_backend_that_closes_when_nothing_follows_is_not_stuck(self):
        """It knows no LOGOUT, and hears of the end of file only when time is up."""
        self.old.hooks["LOGOUT"] = lambda session, tag, rest: None
        client = self.session()
        self.set_owner("new")
        self.assertIn(b"* BYE", client.everything())
        self.wait_phases(["leaving"], self.user)
        self.wait_gone()
        self.assertEqual(0, self.front.log_count(rf"session_stuck .*{self.user}"))
        self.assertEqual([], self.kicks())

    def test_a_kick_has_no_descriptor_of_ours(self):
        client, gates = self.turn_round()
        client.everything()
        line = wait_for("the kick", 10, self.kicks, (self.front.log,))[0]
        for gate in gates:
            gate.set()
        self.wait_gone()
        self.assertEqual("0", line[1].strip())

    def test_C21_a_kick_is_no_child_for_long(self):
        client, gates = self.turn_round()
        client.everything()
        wait_for("the kick", 10, self.kicks, (self.front.log,))
        for gate in gates:
            gate.set()
        self.wait_gone()
        wait_for("no child is left", 10, lambda: not self.lab.run(["ps", "-o", "pid=", "--ppid", str(self.worker())],
                                                                  check=False).stdout.strip(), (self.front.log,))

    def test_a_trial_that_is_stuck_shuts_no_door(self):
        self.old.close()
        for i in range(6):  # until the door counts as closed
            with self.client() as client:
                self.assertRegex(client.login(f"nobody{i}@example.org", PASSWORD), LATER)
        self.old.open()
        self.assertTrue(self.front.log_count("backend_avoided"))
        gates = self.old.gate("login"), self.old.gate("end"), self.old.gate("close")

        def is_trial():
            client = self.client()
            client.line()
            client.say(f'a LOGIN "{self.user}" "{PASSWORD}"')
            if wait_for("it is led, or refused", 10, lambda: self.old.of(self.user) or self.is_refused(client)) is True:
                client.close()
                return False
            return True
        wait_for("a trial is let through", 20, is_trial, (self.front.log,))
        self.set_owner("new")
        self.wait_phases(["stuck"], self.user)
        self.old.behave()  # to others

        def works():
            with self.client() as client:
                return client.login(f"other-{self.user}", PASSWORD).startswith(b"a OK")
        wait_for("others log in there", 10, works, (self.front.log,))
        self.assertEqual(["stuck"], self.phases(self.user))
        for gate in gates:
            gate.set()
        self.wait_gone()

    @staticmethod
    def is_refused(client):
        client.sock.settimeout(0.05)
        try:
            return client.line().startswith(b"a NO")
        except socket.timeout:
            return False
        finally:
            client.sock.settimeout(20)


class Thoughtful(FrontCase):
    """A client that was asked something by the backend, and thinks."""

    frontd_settings = {"login_timeout": 20000}

    @classmethod
    def make_homes(cls):
        return {name: ImapScript(cls.lab, name, words=WORDS + " AUTH=SCRAM-SHA-256") for name in ("old", "new")}

    def scram(self, session, tag, rest):
        if "SCRAM" not in rest:
            session.send(f"{tag} OK Logged in\r\n")
            return
        session.send("+ cj1hc2s=\r\n")
        session.line()
        session.send(f"{tag} NO Wrong\r\n")

    def offers(self):
        with self.client() as client:
            client.line()
            client.say("c CAPABILITY")
            return any(b"SCRAM-SHA-256" in line for line in client.until("c"))

    def test_D3_a_client_that_thinks_is_no_reason_to_avoid_its_backend(self):
        wait_for("SCRAM is offered", 10, self.offers)
        self.old.close()
        for i in range(6):
            with self.client() as client:
                self.assertRegex(client.login(f"nobody{i}@example.org", PASSWORD), LATER)
        self.old.hooks["AUTHENTICATE"] = self.scram
        self.old.open()

        def is_trial():
            client = self.client()
            client.line()
            client.say("a AUTHENTICATE SCRAM-SHA-256")
            client.line()
            client.say(base64.b64encode(f"n,,n={self.user},r=abcdefgh".encode()).decode())
            return client.line().startswith(b"+ cj1hc2s=")
        wait_for("a trial is asked something", 20, is_trial, (self.front.log,))
        with self.client() as client:
            self.assertRegex(client.login(f"other-{self.user}", PASSWORD), rb"^a OK")


class SlowSubmission:
    """Greets when it is told to, and takes every password."""

    def __init__(self, lab):
        self.port = lab.port()
        self.go = threading.Event()
        self.go.set()
        self.heard = []
        self.waiting = 0
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listening.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        self.waiting += 1
        self.go.wait(30)
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as lines:
            sock.sendall(b"220 slow ESMTP\r\n")
            for line in lines:
                self.heard.append(line)
                word = line.split()[0].upper()
                sock.sendall({b"EHLO": b"250-slow\r\n250-XCLIENT LOGIN ADDR PORT NAME\r\n250 AUTH PLAIN\r\n",
                              b"AUTH": b"235 2.7.0 In\r\n", b"XCLIENT": b"220 slow ESMTP\r\n",
                              b"QUIT": b"221 Bye\r\n"}.get(word, b"250 OK\r\n"))


class Renamed(FrontCase):
    """What a login has lent from the settings stays, whatever a reload brings."""

    listen = [("imap", "none"), ("submission", "none")]
    frontd_settings = {"login_timeout": 20000, "host_name": "first.example.org"}

    @classmethod
    def make_homes(cls):
        homes = super().make_homes()
        cls.submission = SlowSubmission(cls.lab)
        for home in homes.values():
            home.submission = cls.submission.port
        return homes

    def test_a_login_says_the_name_that_was_ours_when_it_began(self):
        sub = self.submission
        wait_for("it was visited", 10, lambda: len([line for line in sub.heard if line.startswith(b"QUIT")]) >= 2)
        sub.go.clear()
        sub.heard.clear()
        sub.waiting = 0
        with self.front.dial("submission") as client, client.makefile("rb") as lines:
            self.assertRegex(lines.readline(), rb"^220 first\.")
            client.sendall(b"EHLO me\r\n")
            while lines.readline()[3:4] == b"-":
                pass
            client.sendall(b"AUTH PLAIN " + base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()) + b"\r\n")
            wait_for("it is led there", 10, lambda: sub.waiting)
            before = self.front.control(do="status")["reloads"]
            for name in ("second.example.org", "third.example.org", "first.example.org", "fourth.example.org"):
                self.front.settings["frontd"]["host_name"] = name
                self.front.write_config()
                self.front.reload()
                wait_for("it has reloaded", 10, lambda: self.front.control(do="status")["reloads"] > before, (self.front.log,))
                before = self.front.control(do="status")["reloads"]
            sub.go.set()
            self.assertRegex(lines.readline(), rb"^235 ")
        self.assertTrue(any(line.startswith(b"EHLO") for line in sub.heard), sub.heard)
        with self.front.dial("submission") as client, client.makefile("rb") as lines:
            self.assertRegex(lines.readline(), rb"^220 fourth\.")
