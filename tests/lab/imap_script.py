"""An IMAP backend that does what a test says, and a client that says what a test says.

The backend knows no mailboxes. By itself it lets everybody in and answers OK; what
it does otherwise is told by its `greeting`, by `gates`, where it waits, and by `hooks`,
which take the place of a step.
"""

import base64
import contextlib
import re
import socket
import ssl
import struct
import threading

from .core import wait_for

WORDS = "IMAP4rev1 LITERAL+ SASL-IR ID IDLE AUTH=PLAIN"
FAR = 60  # seconds: longer than any test wants to wait


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def user_of(rest):
    """Who logs in with this LOGIN, AUTHENTICATE PLAIN or SCRAM; None where that comes later."""
    words = rest.split(" ")
    if words[0].upper() == "LOGIN":
        return words[1].strip('"')
    if len(words) < 3:
        return None
    message = base64.b64decode(words[2]).decode()
    return message.split("\0")[1] if "\0" in message else message.split(",")[2].removeprefix("n=")


class Session:
    """One connection to the backend. said: its commands, without tags."""

    def __init__(self, backend, sock):
        self.backend = backend
        self.sock = sock
        self.rest = b""
        self.user = None
        self.said = []
        self.appended = 0  # bytes of whole messages
        self.is_open = True

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def read(self, n):
        """Exactly n bytes; fewer where the peer ends."""
        while len(self.rest) < n:
            more = self.sock.recv(1 << 16)
            if not more:
                break
            self.rest += more
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def line(self):
        """Without its end; None at the end."""
        while b"\n" not in self.rest:
            more = self.sock.recv(1 << 16)
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "backslashreplace")

    def start_tls(self):
        self.sock = self.backend.tls.wrap_socket(self.sock, server_side=True)

    def stream(self, size):
        """An untagged FETCH of so many bytes."""
        self.send(f"* 1 FETCH (BODY[] {{{size}}}\r\n")
        block = bytes(1 << 16)
        while size > 0:
            self.sock.sendall(block[:min(size, len(block))])
            size -= min(size, len(block))
        self.send(")\r\n")

    def run(self):
        backend = self.backend
        backend.wait("greeting")
        if callable(backend.greeting):
            backend.greeting(self)
        else:
            self.converse(backend.greeting)

    def converse(self, greeting):
        backend = self.backend
        self.send(greeting)
        while True:
            line = self.line()
            if line is None:
                backend.wait("end")
                return
            tag, _, rest = line.partition(" ")
            word = rest.split(" ")[0].upper()
            self.said.append(rest)
            if word in ("LOGIN", "AUTHENTICATE"):
                self.user = user_of(rest)
            hook = backend.hooks.get(word)
            if hook is not None:
                if hook(self, tag, rest) == "end":
                    return
            elif self.step(tag, word, rest) == "end":
                return

    def step(self, tag, word, rest):
        if word in ("LOGIN", "AUTHENTICATE"):
            self.backend.wait("login")
            self.send(f"{tag} OK Logged in\r\n")
        elif word == "CAPABILITY":
            self.send(f"* CAPABILITY {self.backend.words}\r\n{tag} OK Done\r\n")
        elif word == "STARTTLS":
            self.send(f"{tag} OK Go\r\n")
            self.backend.wait("handshake")
            self.start_tls()
        elif word == "APPEND":
            literal = re.search(r"\{(\d+)(\+?)\}$", rest)
            if not literal[2]:
                self.send("+ Go on\r\n")
            data = self.read(int(literal[1]))
            if len(data) < int(literal[1]) or self.line() is None:
                return "end"  # half a message is none
            self.backend.wait("append")
            self.appended += len(data)
            self.send(f"{tag} OK Appended\r\n")
        elif word == "IDLE":
            self.send("+ idling\r\n")
            if self.line() is None:
                return "end"
            self.send(f"{tag} OK Done\r\n")
        elif word == "STREAM":
            self.stream(int(rest.split(" ")[1]))
            self.send(f"{tag} OK Done\r\n")
        elif word == "SLOW":
            self.backend.wait("slow")
            self.send(f"{tag} OK Done\r\n")
        elif word == "LOGOUT":
            self.backend.wait("logout")
            self.send(f"* BYE Bye\r\n{tag} OK Logged out\r\n")
            self.backend.wait("close")
            return "end"
        else:
            self.send(f"{tag} OK Done\r\n")
        return None


class ImapScript:
    """greeting: text, or a function of the session that does all of it. hooks: command -> function(session, tag, rest).

    gates: step -> Event that is waited for: greeting, login, handshake, append, slow, logout, close, end.
    """

    def __init__(self, lab, name, tls=None, words=WORDS):
        self.lab = lab
        self.name = name
        self.words = words
        self.imap_port = lab.port()
        self.ports = {"imap": self.imap_port}
        self.sessions = []
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.behave()
        self.listening = None
        self.open()

    def behave(self):
        """Nothing unusual from now on."""
        self.greeting = f"* OK [CAPABILITY {self.words}] Ready\r\n"
        self.hooks = {}
        self.gates = {}

    def gate(self, step):
        self.gates[step] = threading.Event()
        return self.gates[step]

    def wait(self, step):
        gate = self.gates.get(step)
        if gate is not None:
            gate.wait(FAR)

    # life

    def open(self):
        self.listening = socket.create_server(("127.0.0.1", self.imap_port), backlog=1024)
        threading.Thread(target=self.accept, args=(self.listening,), daemon=True).start()

    def close(self):
        """No new connections: they are refused."""
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, sock)
            self.sessions.append(session)
            threading.Thread(target=self.serve, args=(session,), daemon=True).start()

    def serve(self, session):
        try:
            session.run()
        except OSError:
            pass  # the front has gone
        finally:
            session.is_open = False
            with contextlib.suppress(OSError):
                session.sock.close()

    # what it saw

    def of(self, user):
        """The sessions in which this user logged in."""
        return [s for s in list(self.sessions) if s.user == user]

    def open_of(self, user):
        return [s for s in self.of(user) if s.is_open]

    def wait_said(self, user, word, count=1, seconds=10):
        """Until so many sessions of the user have said this command; returns the last."""
        def said():
            found = [s for s in self.of(user) if any(line.upper().startswith(word) for line in s.said)]
            return found[-1] if len(found) >= count else None
        return wait_for(f"{self.name} hears {word} of {user}", seconds, said)


class ImapClient:
    """Says lines, reads lines; nothing is understood beyond tags."""

    def __init__(self, port, host="127.0.0.1", first=b"", context=None, buffer=None, source=None):
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.settimeout(20)
        if source:
            self.sock.bind((source, 0))
        try:
            self.sock.connect((host, port))
        except OSError:
            self.sock.close()
            raise
        if first:
            self.sock.sendall(first)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.sock.close()

    def say(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def line(self):
        """With its end; what there is where the peer ends, b"" at last."""
        while b"\n" not in self.rest:
            more = self.sock.recv(1 << 16)
            if not more:
                line, self.rest = self.rest, b""
                return line
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"

    def until(self, tag):
        """Lines up to the one with this tag, or to the end."""
        lines = []
        while True:
            line = self.line()
            if not line:
                return lines
            lines.append(line)
            if line.startswith(tag.encode() + b" "):
                return lines

    def ask(self, text):
        """A command; the line that answers it, or the last one."""
        self.say(text)
        lines = self.until(text.split(" ")[0])
        return lines[-1] if lines else b""

    def login(self, user, password="secret"):
        """The answer's line."""
        if not getattr(self, "greeted", None):
            self.greeted = self.line()
        return self.ask(f'a LOGIN "{user}" "{password}"')

    def everything(self, seconds=20):
        """All that is still said."""
        self.sock.settimeout(seconds)
        data, self.rest = self.rest, b""
        chunks = [data]
        with contextlib.suppress(ConnectionResetError):
            while True:
                more = self.sock.recv(1 << 20)
                if not more:
                    break
                chunks.append(more)
        return b"".join(chunks)

    def count(self, size):
        """Reads so many bytes and forgets them; how many there were."""
        got = len(self.rest)
        self.rest = b""
        while got < size:
            more = self.sock.recv(min(1 << 20, size - got))
            if not more:
                break
            got += len(more)
        return got

    def is_open(self):
        """Still there? Says NOOP."""
        try:
            return b"OK" in self.ask("n NOOP")
        except OSError:
            return False

    def reset(self):
        reset(self.sock)

    def close(self):
        self.sock.close()
