"""Clients that speak by themselves, over a socket or through `openssl s_client`.

    with dial("pop3", "starttls", "::1", port, source="127.0.0.9", ca=...) as client:
        logged_in, said = client.login("SCRAM-SHA-256", "ann@example.org", "secret")
        client.look()

Each protocol has login(), which may be tried again after a refusal; look(), which
does in the session what shows where it is; ask() for everything else.
"""

import base64
import re
import socket
import subprocess
import threading

from .sasl import Sasl

SECONDS = 40


class SocketWire:
    def __init__(self, host, port, source=None, first=b""):
        self.socket = socket.create_connection((host, port), SECONDS, (source, 0) if source else None)
        self.socket.sendall(first)
        self.lines = self.socket.makefile("rb")
        self.port = self.socket.getsockname()[1]

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.lines.close()
        self.socket.close()


class TlsWire:
    """openssl s_client in between; it does STARTTLS, too, and verifies the certificate."""

    WORDS = {"imap": "imap", "pop3": "pop3", "submission": "smtp", "sieve": "sieve"}

    def __init__(self, host, port, source=None, ca=None, starttls=None):
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        argv = ["openssl", "s_client", "-connect", address, "-CAfile", ca, "-verify_return_error", "-verify_ip", host, "-quiet"]
        if source:
            argv += ["-bind", f"{source}:0"]
        if starttls:
            argv += ["-starttls", self.WORDS[starttls]]
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = self.popen.stdout
        self.end = threading.Timer(SECONDS, self.popen.kill)  # ours by its pid, and a read ends by it
        self.end.start()

    def send(self, data):
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def close(self):
        self.end.cancel()
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass  # the server was first
        self.popen.kill()
        self.popen.wait()
        self.lines.close()


def b64(data):
    return base64.b64encode(data).decode()


class Dialog:
    """tls: the mode; with_initial: say an initial response where there can be one.

    What the protocols differ in: TAG before a command, YES (a pattern) where it succeeds, AUTH, the command, GO_ON
    before a challenge.
    """

    TAG = ""

    def __init__(self, wire, tls, with_initial=True):
        self.wire = wire
        self.tls = tls
        self.with_initial = with_initial
        self.greeting = self.greet()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def say(self, text):
        self.wire.send(text.encode() + b"\r\n")

    def line(self):
        line = self.wire.lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError(f"the server closed behind {line!r}")
        return line.decode("utf-8", "backslashreplace").rstrip("\r\n")

    def greet(self):
        """s_client has read the greeting where it did STARTTLS."""
        return [] if self.tls == "starttls" else [self.line()]

    def ask(self, text):
        """A command; its answer's lines."""
        self.say(self.TAG + text)
        return self.answer()

    def is_ok(self, answer):
        """Does the answer, a list of lines, say yes?"""
        return re.match(self.YES, answer[-1]) is not None

    def expect(self, text):
        answer = self.ask(text)
        if not self.is_ok(answer):
            raise AssertionError(f"{text!r}: {answer}")
        return answer

    def login(self, mechanism, user, secret):
        """(whether it succeeded, the server's last answer). mechanism: one of SASL, or the protocol's own login."""
        if mechanism in ("login", "user"):
            answer = self.own_login(user, secret)
            return self.is_ok(answer), answer[-1]
        sasl = Sasl(mechanism, user, secret)
        initial = sasl.initial()
        if initial is not None and self.with_initial:
            answer = self.ask(self.AUTH.format(mechanism) + self.first(b64(initial)))
        else:
            answer = self.ask(self.AUTH.format(mechanism))
            if initial is not None and self.challenge(answer) == b"":
                answer = self.respond(initial)
        while self.challenge(answer) is not None:
            answer = self.respond(sasl.answer(self.challenge(answer)))
        if self.is_ok(answer):
            self.logged_in(sasl, answer)
        return self.is_ok(answer), answer[-1]

    def logged_in(self, sasl, answer):
        """The server's success, which may say more."""
        assert sasl.has_proof or not sasl.mechanism.startswith("SCRAM"), "the server has proven nothing"

    def first(self, initial):
        return " " + initial

    def challenge(self, answer):
        """What is asked, or None if it is the end."""
        word = answer[-1].partition(" ")
        return base64.b64decode(word[2]) if word[0] == self.GO_ON else None

    def respond(self, data):
        self.say(b64(data))
        return self.answer()


class Imap(Dialog):
    TAG, YES, AUTH, GO_ON = "t ", r"t OK\b", "AUTHENTICATE {}", "+"

    def answer(self):
        lines = []
        while not lines or not re.match(r"t |\+", lines[-1]):
            lines.append(self.line())
        return lines

    def own_login(self, user, secret):
        return self.ask(f'LOGIN "{user}" "{secret}"')

    def announced(self):
        return " ".join(self.ask("CAPABILITY")).replace("AUTH=", " ")

    def look(self):
        self.expect("SELECT INBOX")
        return "\n".join(self.expect("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"))


class Pop3(Dialog):
    YES, AUTH, GO_ON = r"\+OK", "AUTH {}", "+"

    def answer(self):
        return [self.line()]

    def own_login(self, user, secret):
        answer = self.ask(f"USER {user}")
        return self.ask(f"PASS {secret}") if self.is_ok(answer) else answer

    def more(self):
        lines = []
        while (line := self.line()) != ".":
            lines.append(line)
        return lines

    def announced(self):
        self.expect("CAPA")
        return " ".join(self.more())

    def look(self):
        self.expect("RETR 1")
        return "\n".join(self.more())


class Submission(Dialog):
    YES, AUTH, GO_ON = r"[23]\d\d ", "AUTH {}", "334"

    def greet(self):
        if self.tls != "starttls":
            super().greet()
        return self.expect("EHLO client.lab.invalid")

    def answer(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return lines

    def is_ok(self, answer):
        return re.match(self.YES, answer[-1]) is not None and not answer[-1].startswith("334")

    def announced(self):
        return " ".join(self.greeting)

    def look(self):
        """Sends a message; where it goes is in the log of Postfix."""
        self.expect("MAIL FROM:<someone@example.org>")
        self.expect("RCPT TO:<someone@foreign.invalid>")
        self.expect("DATA")
        return self.expect("Subject: by a dialogue\r\n\r\nHello.\r\n.")[-1]


class Sieve(Dialog):
    YES, AUTH, GO_ON = r"OK\b", 'AUTHENTICATE "{}"', "+"

    def greet(self):
        return self.answer()  # behind STARTTLS the capabilities are said again: RFC 5804, section 2.2

    def text(self, line):
        """The string that a line is, or begins."""
        if line.startswith('"'):
            return line.strip('"')
        size = int(re.match(r"\{(\d+)\+?\}$", line)[1])
        data = b""
        while len(data) < size:
            data += self.wire.lines.read(size - len(data))
        self.line()
        return data.decode()

    def answer(self):
        """Up to OK, NO or BYE, or to a challenge: a line that is one string alone."""
        lines = []
        while True:
            line = self.line()
            if lines == [] and re.fullmatch(r'"[A-Za-z0-9+/=]*"|\{\d+\+?\}', line) and self.asks:
                return ["+ " + self.text(line)]
            lines.append(line)
            if re.match(r"(OK|NO|BYE)\b", line):
                return lines

    asks = False  # whether a challenge may come

    def login(self, mechanism, user, secret):
        self.asks = True
        try:
            return super().login(mechanism, user, secret)
        finally:
            self.asks = False

    def first(self, initial):
        return f' "{initial}"'

    def respond(self, data):
        self.say(f'"{b64(data)}"')
        return self.answer()

    def logged_in(self, sasl, answer):
        data = re.search(r'\(SASL "([^"]*)"\)', answer[-1])
        if data:
            sasl.success_data(base64.b64decode(data[1]))
        super().logged_in(sasl, answer)

    def announced(self):
        return " ".join(self.greeting).replace('"', " ")

    def look(self):
        return "\n".join(self.expect("LISTSCRIPTS"))


DIALOGS = {"imap": Imap, "pop3": Pop3, "submission": Submission, "sieve": Sieve}


def dial(protocol, tls, host, port, source=None, ca=None, first=b"", **options):
    """first: bytes before everything else; without TLS only."""
    if tls == "none":
        wire = SocketWire(host, port, source, first)
    else:
        wire = TlsWire(host, port, source, ca, protocol if tls == "starttls" else None)
    try:
        return DIALOGS[protocol](wire, tls, **options)
    except BaseException:
        wire.close()
        raise
