"""Clients that say their login and wait: IMAP, POP3, submission, ManageSieve.

Nothing is read between login() and answer(): what the front says meanwhile lies in
the kernel, so hundreds of them wait without a thread.

    with CALLERS["imap"](port) as caller:
        caller.login("ann@example.org")
        caller.answer()     # [b"* OK ...", b"a OK Logged in"], without line ends
"""

import base64
import contextlib
import socket
import struct

SECONDS = 30


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


class Caller:
    """said: every line since the login; is_in: the last of them was a success. source: the address to call from."""

    success = None

    def __init__(self, port, source=None, seconds=SECONDS):
        self.sock = socket.create_connection(("127.0.0.1", port), seconds, source_address=(source, 0) if source else None)
        self.lines = self.sock.makefile("rb")
        self.user, self.said = None, []
        self.greet()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.lines.close()
        self.sock.close()

    def reset(self):
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def flood(self, size):
        """As much garbage as the front and the kernel take, at most so many bytes; no line of it ends."""
        self.sock.setblocking(False)
        garbage = memoryview(b"\0\xff{(\" " * (size // 6))
        with contextlib.suppress(BlockingIOError):
            while garbage:
                garbage = garbage[self.sock.send(garbage):]
        self.sock.settimeout(SECONDS)

    def say(self, *lines):
        self.sock.sendall("".join(line + "\r\n" for line in lines).encode())

    def line(self):
        """Without its end; None when the front has closed."""
        line = self.lines.readline()
        return line.rstrip(b"\r\n") if line else None

    def until(self, is_last):
        """The lines up to the one that is the last, or to the end."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                return lines
            lines.append(line)
            if is_last(line):
                return lines

    def ask(self, line):
        self.say(line)
        return self.until(self.is_answer)

    def marked(self, command, good, mark):
        """Which side answers, as lab.sides has marked them; None: it does not."""
        lines = self.ask(command)
        if not lines or not lines[-1].startswith(good):
            return None
        return "new" if mark in b" ".join(lines) else "old"

    def everything(self):
        """All that is still said before the front closes."""
        return self.until(lambda line: False)

    def login(self, user, password="secret", behind=()):
        """Says it, with what else is to come in the same segment."""
        self.user = user
        self.say(*self.words(user, password), *behind)

    def answer(self):
        self.said = self.until(self.is_answer)
        return self.said

    @property
    def is_in(self):
        return bool(self.said) and self.said[-1].startswith(self.success)


class Imap(Caller):
    protocol, success, behind = "imap", b"a OK", ("b NOOP",)

    def greet(self):
        self.line()

    def words(self, user, password):
        return (f'a LOGIN "{user}" "{password}"',)

    def is_answer(self, line):
        return not line.startswith(b"* ") or line.startswith(b"* BYE")

    def side(self):
        return self.marked('s LIST "" "in-*"', b"s OK", b"in-new")


class Pop3(Caller):
    protocol, success, behind = "pop3", b"+OK", ("STAT",)

    def greet(self):
        self.line()

    def words(self, user, password):
        return f"USER {user}", f"PASS {password}"

    def is_answer(self, line):
        return True

    def answer(self):
        self.line()  # of USER, which nobody has to be asked for
        return super().answer()

    def side(self):
        return self.marked("STAT", b"+OK", b"+OK 1 ")


class Sieve(Caller):
    protocol, success, behind = "sieve", b"OK", ("NOOP",)

    def greet(self):
        self.until(self.is_answer)

    def words(self, user, password):
        return (f'AUTHENTICATE "PLAIN" "{plain(user, password)}"',)

    def is_answer(self, line):
        return line.split(b" ")[0] in (b"OK", b"NO", b"BYE")

    def side(self):
        return self.marked("LISTSCRIPTS", b"OK", b"in-new")


class Submission(Caller):
    protocol, success = "submission", b"235 "

    def greet(self):
        self.line()
        self.ask("EHLO client.invalid")

    def words(self, user, password):
        return (f"AUTH PLAIN {plain(user, password)}",)

    def is_answer(self, line):
        return line[3:4] != b"-"

    def side(self):
        return self.marked("EHLO client.invalid", b"250 ", b"250-new.")


CALLERS = {caller.protocol: caller for caller in (Imap, Pop3, Submission, Sieve)}
