"""A backend that goes in the middle of a session, in every protocol: what its client is told, and when nothing."""

import base64
import contextlib
import socket
import threading
import unittest

from front_case import PASSWORD, FrontCase
from lab.imap_script import ImapScript, reset

BYE = rb"\* BYE \[UNAVAILABLE\] The server has gone away\.\r\n"


class Imap(FrontCase):
    def go(self, way, said=b""):
        """The backend says this to GO, and goes."""
        def hook(session, tag, rest):
            session.send(said)
            if way == "reset":
                session.line()  # unread bytes would turn any close into a reset
                reset(session.sock)
            return "end"
        self.old.hooks["GO"] = hook

    def ends(self, client, way):
        """All that the client hears when the backend has gone."""
        client.say("b GO")
        if way == "reset":
            client.say("c NOOP")
        return client.everything()

    def test_its_client_is_told(self):
        for way, why in (("end", "backend_lost"), ("reset", "backend_failed")):
            with self.subTest(way):
                user = f"{way}-{self.user}"
                self.go(way)
                client = self.session(user)
                self.assertRegex(self.ends(client, way), rb"^%s$" % BYE)
                self.wait_gone(user)
                self.assertEqual(1, self.front.log_count(rf"session_ended .*{user}.*why={why}"))

    def test_what_it_said_before_passes(self):
        for way in ("end", "reset"):
            with self.subTest(way):
                self.go(way, b"* 1 EXISTS\r\n")
                self.assertRegex(self.ends(self.session(), way), rb"^\* 1 EXISTS\r\n%s$" % BYE)

    def test_in_the_middle_of_a_literal_nothing_can_be_said(self):
        for size in (20, 200000):  # in the buffers, and moved by the kernel
            with self.subTest(size):
                half = b"* 1 FETCH (BODY[] {%d}\r\n" % size + b"x" * (size // 2)
                self.go("end", half)
                self.assertEqual(half, self.ends(self.session(), "end"))

    def test_one_that_has_said_bye_by_itself_has_said_enough(self):
        said = b"* BYE Server shutting down.\r\n"
        self.go("end", said)
        self.assertEqual(said, self.ends(self.session(), "end"))
        self.wait_gone()
        self.assertEqual(1, self.front.log_count(rf"session_ended .*{self.user}.*why=backend_closed"))

    def test_in_the_literal_of_an_append_its_client_is_told(self):
        gone = threading.Event()

        def hook(session, tag, rest):
            session.send("+ Go on\r\n")
            session.read(100000)
            gone.set()
            return "end"
        self.old.hooks["APPEND"] = hook
        client = self.session()
        client.say("b APPEND INBOX {300000}")
        self.assertRegex(client.line(), rb"^\+")
        client.say(bytes(150000))
        gone.wait(20)
        self.assertRegex(client.everything(), rb"^%s$" % BYE)

    def test_whoever_closed_its_half_hears_nothing_of_it(self):
        client = self.session()
        client.sock.shutdown(socket.SHUT_WR)
        self.assertEqual(b"", client.everything())
        self.wait_gone()


LINES = {  # what a backend greets with, and says to whoever logs in: (command, answer) as far as it is read
    "pop3": (b"+OK ready\r\n", {b"CAPA": b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n", b"AUTH": b"+OK in\r\n", b"USER": b"+OK\r\n",
                                b"PASS": b"+OK in\r\n", b"LIST": b"+OK\r\n1 100\r\n"}),
    "submission": (b"220 b.example.org ESMTP\r\n", {b"EHLO": b"250-b.example.org\r\n250-AUTH PLAIN\r\n250 SIZE 1000000\r\n",
                                                    b"AUTH": b"235 2.7.0 in\r\n", b"HELP": b"214-first\r\n"}),
    "sieve": (b'"SIEVE" "fileinto"\r\n"SASL" "PLAIN"\r\nOK "ready"\r\n', {b"AUTHENTICATE": b'OK "in"\r\n',
                                                                    b"CAPABILITY": b'"SIEVE" "fileinto"\r\n"SASL" "PLAIN"\r\nOK\r\n',
                                                                    b"GETSCRIPT": b"{9}\r\nke"}),
}
QUITS = (b"QUIT", b"LOGOUT")


class LineScript:
    """A backend of one of LINES. To GO, or GETSCRIPT, LIST and HELP behind their beginning, it closes."""

    def __init__(self, lab, protocol):
        self.greeting, self.answers = LINES[protocol]
        self.port = lab.port()
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=100)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listening.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as lines, contextlib.suppress(OSError):
            sock.sendall(self.greeting)
            for line in lines:
                word = line.split()[0].upper()
                sock.sendall(self.answers.get(word, b""))
                if word in (b"LIST", b"HELP", b"GETSCRIPT", *QUITS) or word not in self.answers:
                    return


class Others(FrontCase):
    listen = [("pop3", "none"), ("submission", "none"), ("sieve", "none")]

    @classmethod
    def make_homes(cls):
        homes = {}
        for name in ("old", "new"):
            home = homes[name] = ImapScript(cls.lab, name)
            home.scripts = {protocol: LineScript(cls.lab, protocol) for protocol in LINES}
            home.ports = {protocol: home.scripts[protocol].port for protocol in ("pop3", "sieve")}
            home.submission = home.scripts["submission"].port
        return homes

    @classmethod
    def adjust(cls, settings):
        for destination in settings["destinations"]:
            for service in destination["services"]:
                service["caller"] = "none"

    def ends(self, protocol, login, *lines):
        """A session that says these lines; all it hears behind the login."""
        with self.front.dial(protocol) as sock, sock.makefile("rb") as said:
            said.readline() if protocol != "sieve" else self.until_ok(said)
            for line, last in login:
                sock.sendall(line + b"\r\n")
                while not said.readline().startswith(last):
                    pass
            sock.sendall(b"".join(line + b"\r\n" for line in lines))
            return said.read()

    def until_ok(self, said):
        while not said.readline().startswith(b"OK"):
            pass

    def plain(self):
        return base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode())

    def pop3(self, *lines):
        return self.ends("pop3", [(f"USER {self.user}".encode(), b"+OK"), (f"PASS {PASSWORD}".encode(), b"+OK")], *lines)

    def submission(self, *lines):
        return self.ends("submission", [(b"EHLO c", b"250 "), (b"AUTH PLAIN " + self.plain(), b"235")], *lines)

    def sieve(self, *lines):
        return self.ends("sieve", [(b'AUTHENTICATE "PLAIN" "' + self.plain() + b'"', b"OK")], *lines)

    def test_pop3_answers_what_runs(self):
        self.assertRegex(self.pop3(b"GO", b"STAT"), rb"^(-ERR \[SYS/TEMP\] [^\r]+\r\n){1,2}$")
        self.assertEqual(b"+OK\r\n1 100\r\n", self.pop3(b"LIST"))  # in an answer
        self.assertEqual(b"", self.pop3(b"QUIT"))

    def test_submission_says_421(self):
        self.assertRegex(self.submission(b"NOOP"), rb"^421 4\.3\.2 [^\r]+\r\n$")
        self.assertEqual(b"214-first\r\n", self.submission(b"HELP"))  # in a reply
        self.assertEqual(b"", self.submission(b"QUIT"))

    def test_sieve_says_bye(self):
        self.assertRegex(self.sieve(b"LISTSCRIPTS"), rb'^BYE \(TRYLATER\) "[^\r]+"\r\n$')
        self.assertEqual(b"{9}\r\nke", self.sieve(b'GETSCRIPT "a"'))  # in a literal
        self.assertEqual(b"", self.sieve(b"LOGOUT"))


if __name__ == "__main__":
    unittest.main()
