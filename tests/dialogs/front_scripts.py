"""Homes that speak all four protocols and do what a test says, and a client that is blunt in each of them."""

import base64
import contextlib
import re
import socket
import ssl
import threading

from front_case import FrontCase
from lab.imap_script import ImapScript, Session, reset

PROTOCOLS = ("imap", "pop3", "submission", "sieve")
MECHANISMS = "PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-256"
WRONG = "wr0ng"  # a secret with this in it is
CHALLENGE = base64.b64encode(b"r=abcdefghijkl,s=c2FsdA==,i=4096").decode()


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(user, password, authzid=""):
    return b64(f"{authzid}\0{user}\0{password}")


class Talk(Session):
    """One connection; said: its lines. blobs: what came as SASL messages, decoded."""

    protocol = None
    greeting = ""

    def run(self):
        home = self.backend
        self.blobs = []
        home.wait("greeting")
        greeting = home.greetings.get(self.protocol, self.greeting)
        if callable(greeting):
            greeting(self)
            return
        self.send(greeting)
        while (line := self.line()) is not None:
            self.said.append(line)
            if self.dispatch(line) == "end":
                break
        self.end_tls()

    def end_tls(self):
        """Say that nothing was cut off."""
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.sock.settimeout(2)
                self.sock.unwrap()

    def dispatch(self, line):
        tag, word, rest = self.split(line)
        hook = self.backend.hooks.get((self.protocol, word)) or self.backend.hooks.get(word)
        return hook(self, tag, rest) if hook else self.step(tag, word, rest)

    def split(self, line):
        word, _, rest = line.partition(" ")
        return "", word.upper(), rest

    def judge(self, blob):
        """A SASL message, base64: is its sender let in?"""
        with contextlib.suppress(ValueError):
            self.blobs.append(base64.b64decode(blob))
            parts = self.blobs[-1].decode("utf-8", "replace").split("\0")
            self.user = parts[1] if len(parts) == 3 else self.user or parts[0]
        self.backend.wait("login")
        return WRONG.encode() not in self.blobs[-1].rpartition(b"\0")[2]

    def exchange(self, mechanism, blob, ask):
        """ask(text) asks for a message and returns it; whether the client is let in."""
        mechanism = mechanism.strip('"').upper()
        if mechanism == "LOGIN":
            name = blob or ask(b64("Username:"))
            self.user = base64.b64decode(name).decode()
            return self.judge(ask(b64("Password:")))
        blob = blob or ask("")
        good = self.judge(blob)
        if mechanism.startswith("SCRAM"):
            self.user = base64.b64decode(blob).decode().split("n=")[1].split(",")[0]
            answer = ask(CHALLENGE)
            return answer != "*" and self.judge(answer)
        return good


class Imap(Talk):
    protocol = "imap"

    @property
    def greeting(self):
        return f"* OK [CAPABILITY {self.words()}] Ready\r\n"

    def words(self):
        return "IMAP4rev1 LITERAL+ SASL-IR ID IDLE " + self.backend.more["imap"] + \
            " ".join(f"AUTH={m}" for m in self.backend.mechanisms.split())

    def split(self, line):
        tag, _, rest = line.partition(" ")
        word, _, rest = rest.partition(" ")
        return tag, word.upper(), rest

    def ask(self, text):
        self.send(f"+ {text}\r\n")
        return self.line() or "*"

    def step(self, tag, word, rest):
        if word == "AUTHENTICATE":
            mechanism, _, blob = rest.partition(" ")
            good = self.exchange(mechanism, blob, self.ask)
            self.send(f"{tag} OK [CAPABILITY {self.words()} COMPRESS=DEFLATE UNAUTHENTICATE] In\r\n" if good
                      else f"{tag} NO [AUTHENTICATIONFAILED] Not this\r\n")
        elif word == "CAPABILITY":
            self.send(f"* CAPABILITY {self.words()} COMPRESS=DEFLATE UNAUTHENTICATE\r\n{tag} OK Done\r\n")
        elif word == "STARTTLS":
            self.send(f"{tag} OK Go\r\n")
            self.start_tls()
        elif word == "LOGOUT":
            self.send(f"* BYE Bye\r\n{tag} OK Out\r\n")
            return "end"
        else:
            self.send(f"{tag} OK Done\r\n")
        return None


class Pop3(Talk):
    protocol = "pop3"
    greeting = "+OK Ready\r\n"

    def ask(self, text):
        self.send(f"+ {text}\r\n")
        return self.line() or "*"

    def step(self, tag, word, rest):
        if word == "CAPA":
            self.send(f"+OK\r\nUSER\r\n{self.backend.more['pop3']}SASL {self.backend.mechanisms}\r\nCOMPRESS DEFLATE\r\n.\r\n")
        elif word == "AUTH":
            mechanism, _, blob = rest.partition(" ")
            self.send("+OK In\r\n" if self.exchange(mechanism, blob, self.ask) else "-ERR [AUTH] Not this\r\n")
        elif word == "STLS":
            self.send("+OK Go\r\n")
            self.start_tls()
        elif word == "QUIT":
            self.send("+OK Bye\r\n")
            return "end"
        else:
            self.send("+OK Done\r\n")
        return None


class Submission(Talk):
    protocol = "submission"
    greeting = "220 home ESMTP\r\n"

    def ask(self, text):
        self.send(f"334 {text}\r\n")
        return self.line() or "*"

    def message(self):
        self.send("354 Go on\r\n")
        lines = 0
        while (line := self.line()) != ".":
            if line is None:
                return "end"  # half a message is none
            lines += 1
        self.backend.messages.append((self.user, lines))
        self.send("250 2.0.0 Queued\r\n")
        return None

    def step(self, tag, word, rest):
        if word == "EHLO":
            self.send("250-home\r\n250-SIZE 1000000\r\n250-PIPELINING\r\n250-COMPRESS DEFLATE\r\n"
                      f"{self.backend.more['submission']}250 AUTH {self.backend.mechanisms}\r\n")
        elif word == "AUTH":
            mechanism, _, blob = rest.partition(" ")
            self.send("235 2.7.0 In\r\n" if self.exchange(mechanism, blob, self.ask) else "535 5.7.8 Not this\r\n")
        elif word == "STARTTLS":
            self.send("220 2.0.0 Go\r\n")
            self.start_tls()
        elif word == "DATA":
            return self.message()
        elif word == "QUIT":
            self.send("221 2.0.0 Bye\r\n")
            return "end"
        else:
            self.send("250 2.0.0 Done\r\n")
        return None


class Sieve(Talk):
    protocol = "sieve"

    @property
    def greeting(self):
        return self.words() + 'OK "Ready"\r\n'

    def words(self):
        return (f'"IMPLEMENTATION" "home"\r\n"SIEVE" "fileinto"\r\n"SASL" "{self.backend.mechanisms}"\r\n'
                f'{self.backend.more["sieve"]}"COMPRESS" "DEFLATE"\r\n"UNAUTHENTICATE"\r\n"VERSION" "1.0"\r\n')

    def ask(self, text):
        self.send(f'"{text}"\r\n')
        return (self.line() or "*").strip('"')

    def step(self, tag, word, rest):
        if word == "AUTHENTICATE":
            words = rest.split(" ")
            blob = words[1].strip('"') if len(words) > 1 else ""
            if blob.endswith("+}"):
                blob = self.read(int(blob[1:-2])).decode()
                self.line()
            self.send('OK "In"\r\n' if self.exchange(words[0], blob, self.ask) else 'NO "Not this"\r\n')
        elif word == "CAPABILITY":
            self.send(self.greeting)
        elif word == "STARTTLS":
            self.send('OK "Go"\r\n')
            self.start_tls()
            self.send(self.greeting)
        elif word == "LOGOUT":
            self.send('OK "Bye"\r\n')
            return "end"
        else:
            self.send('OK "Done"\r\n')
        return None


TALKS = {"imap": Imap, "pop3": Pop3, "submission": Submission, "sieve": Sieve}


class Home(ImapScript):
    """hooks: word, or (protocol, word) -> function(session, tag, rest); greetings: protocol -> text or function.

    more: protocol -> further lines or words of what is announced; mechanisms: what it takes.
    """

    def behave(self):
        super().behave()
        self.greetings = {}
        self.more = {"imap": "", "pop3": "", "submission": "", "sieve": "", **self.always}
        self.mechanisms = self.offered

    def __init__(self, lab, name, tls=None, always=None, offered=MECHANISMS):
        self.always, self.offered, self.messages = always or {}, offered, []
        self.talks = {lab.port(): talk for talk in TALKS.values()}
        super().__init__(lab, name, tls=tls)
        by_name = {talk.protocol: port for port, talk in self.talks.items()}
        self.submission = by_name.pop("submission")
        self.ports = by_name

    def open(self):
        self.listening = [socket.create_server(("127.0.0.1", port), backlog=1024) for port in self.talks]
        for listening in self.listening:
            threading.Thread(target=self.accept, args=(listening,), daemon=True).start()

    def close(self):
        for listening in self.listening:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def accept(self, listening):
        talk = self.talks[listening.getsockname()[1]]
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = talk(self, sock)
            self.sessions.append(session)
            threading.Thread(target=self.serve, args=(session,), daemon=True).start()

    def heard(self):
        """Every line that any session of it has said."""
        return [line for session in list(self.sessions) for line in session.said]


# What a login's answer means, by its first words.
VERDICTS = (("in", ("a OK", "+OK", "235", "OK")),
            ("wrong", ("a NO [AUTHENTICATIONFAILED]", "-ERR [AUTH]", "535", 'NO "Authentication failed')),
            ("later", ("a NO [UNAVAILABLE]", "-ERR [SYS/TEMP]", "454", "NO (TRYLATER)")),
            ("bad", ("a BAD", "* BAD", "-ERR", "5", "NO", "a NO")),
            ("bye", ("* BYE", "421", "BYE", "")))


def verdict(answer):
    text = answer.decode("utf-8", "backslashreplace")
    return next(name for name, starts in VERDICTS if text.startswith(starts))


class Client:
    """Says what it is told, whatever comes of it; lines are bytes with their end, b"" at the end."""

    def __init__(self, protocol, port, first=b"", context=None, source=None, name="127.0.0.1"):
        self.protocol = protocol
        self.sock = socket.create_connection(("127.0.0.1", port), 20, (source, 0) if source else None)
        if first:
            self.sock.sendall(first)
        if context:
            try:
                self.sock = context.wrap_socket(self.sock, server_hostname=name)
            except OSError:
                self.sock.close()
                raise
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.sock.close()

    def close(self):
        self.sock.close()

    def reset(self):
        reset(self.sock)

    def say(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode() + b"\r\n")

    def line(self):
        while b"\n" not in self.rest:
            try:
                more = self.sock.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                line, self.rest = self.rest, b""
                return line
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"

    def answer(self):
        """The line that ends an answer, or a challenge."""
        while True:
            line = self.line()
            if self.protocol == "imap" and line.startswith(b"* ") and not line.startswith((b"* BYE", b"* BAD")):
                continue
            if self.protocol == "submission" and line[3:4] == b"-":
                continue
            if self.protocol == "sieve" and re.match(rb'"[A-Z]{3,}"( |\r\n)', line):
                continue
            return line

    def everything(self, seconds=20):
        self.sock.settimeout(seconds)
        data, self.rest = self.rest, b""
        with contextlib.suppress(ConnectionResetError):
            while more := self.sock.recv(1 << 20):
                data += more
        return data

    def greet(self):
        """Up to where a login can be said; the last line."""
        line = self.answer() if self.protocol != "imap" else self.line()
        if self.protocol == "submission" and line.startswith(b"220"):
            self.say("EHLO client.example.org")
            line = self.answer()
        return line

    def auth(self, mechanism, *messages):
        """The first message is the initial response; the answer to the last one."""
        first = messages[0] if messages else None
        blob = "" if first is None else f" {first}"
        if self.protocol == "imap":
            self.say(f"a AUTHENTICATE {mechanism}{blob}")
        elif self.protocol == "sieve":
            self.say(f'AUTHENTICATE "{mechanism}"' + (f' "{first}"' if first is not None else ""))
        else:
            self.say(f"AUTH {mechanism}{blob}")
        answer = self.answer()
        for message in messages[1:]:
            if not answer.startswith((b"+ ", b"334", b'"')):
                break
            self.say(f'"{message}"' if self.protocol == "sieve" else message)
            answer = self.answer()
        return answer

    def log_in(self, user, password, greet=True):
        if greet:
            self.greet()
        return verdict(self.auth("PLAIN", plain(user, password)))

    def native(self, user, password):
        """In the protocol's own words, where it has some."""
        if self.protocol == "imap":
            self.say(f'a LOGIN "{user}" "{password}"')
        elif self.protocol == "pop3":
            self.say(f"USER {user}")
            self.answer()
            self.say(f"PASS {password}")
        else:
            return self.auth("PLAIN", plain(user, password))
        return self.answer()

    def noop(self):
        """Does the session, or the connection, still answer?"""
        self.say("n NOOP" if self.protocol == "imap" else "NOOP")
        return self.answer()


class RowsCase(FrontCase):
    """All four protocols in clear, before two homes that speak them."""

    tls = ("none",)

    @classmethod
    def furnish(cls):
        cls.listen = [(protocol, tls) for protocol in PROTOCOLS for tls in cls.tls]
        super().furnish()

    @classmethod
    def make_homes(cls):
        return {name: Home(cls.lab, name) for name in ("old", "new")}

    @classmethod
    def adjust(cls, settings):
        for destination in settings["destinations"]:
            for service in destination["services"]:
                service["caller"] = "none"

    def talk(self, protocol, tls="none", **options):
        client = Client(protocol, self.front.ports[protocol, tls], **options)
        self.addCleanup(client.close)
        return client

    def ready(self, protocol, **options):
        """Greeted."""
        client = self.talk(protocol, **options)
        client.greet()
        return client

    def inside(self, protocol, user=None, password="good", **options):
        """Logged in."""
        client = self.talk(protocol, **options)
        self.assertEqual("in", client.log_in(user or self.user, password))
        return client

    def heard(self):
        return [line for home in self.homes.values() for line in home.heard()]
