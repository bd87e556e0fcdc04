"""People who use their mail while it moves: clients that speak line by line and take nothing as it comes.

A session is random: logins, commands one by one and pipelined, literals, IDLE. Each answer must be what the protocol
allows. A session may end as it was announced (Ended); whatever else goes wrong is a fault of the server. Where an
answer shows which side has given it, the world is told, with the times when it was asked for and had come.
"""

import base64
import collections
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time

SECONDS = 150  # longer than a login may be parked


class Ended(Exception):
    """The server has ended the session, and said so as it should."""


class Odd(Exception):
    """What no server may say or do."""


class Silence(Odd):
    """Nothing comes."""


class Stop(Exception):
    """The test is over."""


class World:
    """What the people see of it. timeline.may_answer(protocol, account, side, asked, came), and .story() for a fault.

    tls: (ports with TLS from the beginning, context): every second person of such a protocol comes there.
    """

    def __init__(self, ports, timeline, tls=({}, None)):
        self.ports = ports
        self.tls_ports, self.context = tls
        self.timeline = timeline
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.counts = {}
        self.wrong = []
        self.sent, self.taken = set(), set()  # messages: tried, and acknowledged

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n

    def fault(self, text):
        with self.lock:
            self.wrong.append(text)

    def seen(self, protocol, account, side, asked, came):
        """An answer of this side."""
        self.count(protocol + " marks")
        if not self.timeline.may_answer(protocol, account, side, asked, came):
            self.fault(f"{protocol} {account}: {side} answered, asked {came - asked:.3f} s before {came:.3f}; "
                       f"{self.timeline.story(protocol, account)}")


class Person(threading.Thread):
    """One client of one account, one session after the other."""

    protocol = ""

    def __init__(self, world, account, number):
        super().__init__(name=f"{self.protocol} {account} {number}", daemon=True)
        self.world, self.account, self.number = world, account, number
        self.random = random.Random(self.name)
        self.sock = None
        self.lately = collections.deque(maxlen=8)  # what was said by both

    def run(self):
        while not self.world.over.is_set():
            try:
                self.begin()
                self.session()
                self.world.count(self.protocol + " sessions left")
            except Ended:
                self.world.count(self.protocol + " sessions ended by the server")
            except Stop:
                pass
            except Exception as e:  # whatever it is, it is told
                self.world.fault(f"{self.name}: {type(e).__name__}: {e}; {list(self.lately)}")
                self.world.over.wait(0.5)
            finally:
                if self.sock:
                    self.sock.close()

    # bytes

    def begin(self):
        world = self.world
        is_tls = self.number % 2 == 1 and self.protocol in world.tls_ports
        port = (world.tls_ports if is_tls else world.ports)[self.protocol]
        self.sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        if is_tls:
            self.sock = world.context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        self.rest = b""
        self.lately.clear()

    def send(self, data):
        """A peer that has said why it goes may be gone: then reading tells."""
        self.lately.append((round(time.monotonic(), 3), "says", data[-60:]))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def more(self):
        """False at the end."""
        try:
            data = self.sock.recv(1 << 16)
        except socket.timeout:
            raise Silence(f"for {self.sock.gettimeout()} s") from None
        self.lately.append((round(time.monotonic(), 3), "hears", data[-60:]))
        self.rest += data
        return data != b""

    def line(self):
        """Without its end; None where the connection ended properly, between lines."""
        while b"\r\n" not in self.rest:
            if not self.more():
                if self.rest:
                    raise Odd(f"ended within a line: {self.rest[-80:]!r}")
                return None
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def exactly(self, size):
        while len(self.rest) < size:
            if not self.more():
                raise Odd("ended within a literal")
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def nothing_more(self):
        line = self.line()
        if line is not None:
            raise Odd(f"said behind the end: {line!r}")

    def pause(self, most):
        if self.world.over.wait(self.random.random() * most):
            raise Stop

    def message(self):
        """A new one, and its name."""
        with self.world.lock:
            name = f"m{len(self.world.sent)}-{self.account.partition('@')[0]}"
            self.world.sent.add(name)
        body = "".join("%060d\r\n" % self.random.getrandbits(60) for _ in range(self.random.choice((1, 20, 800))))
        return name, f"Message-ID: <{name}@people.invalid>\r\nSubject: test\r\n\r\n{body}".encode()

    def acknowledged(self, name):
        with self.world.lock:
            self.world.taken.add(name)
        self.world.count(self.protocol + " messages")

    def plain(self):
        return base64.b64encode(f"\0{self.account}\0secret".encode())


class ImapPerson(Person):
    protocol = "imap"

    def session(self):
        self.tags, self.leaves = 0, False
        greeting = self.line()
        if not (greeting or b"").startswith(b"* OK"):
            raise Odd(f"greeting {greeting!r}")
        self.ask(f'LOGIN "{self.account}" "secret"')
        self.world.count("imap logins")
        self.mark()
        self.ask("SELECT INBOX")
        for _ in range(self.random.randrange(2, 30)):
            self.random.choice((self.mark, self.mark_by_header, self.noops, self.idle, self.fetch, self.append, self.pipeline))()
            self.pause(0.3)
        if self.random.random() < 0.5:
            self.leaves = True
            self.ask("LOGOUT")
            self.nothing_more()

    # answers

    def response(self):
        """A line with its literals."""
        line = self.line()
        if line is None:
            raise Odd("closed without a word")
        while (literal := re.search(rb"\{(\d+)\}$", line)) and not line.startswith(b"* OK"):
            data = self.exactly(int(literal[1]))
            tail = self.line()
            if tail is None:
                raise Odd("closed behind a literal")
            line += b"\r\n" + data + tail
        if line.startswith(b"* BYE [UNAVAILABLE] "):  # LOGOUT may have crossed it
            self.nothing_more()
            raise Ended
        if line.startswith(b"* BYE") and not self.leaves:
            raise Odd(f"an end that was not announced: {line!r}")
        return line

    def tag(self):
        self.tags += 1
        return b"t%d" % self.tags

    def until(self, tags):
        """All lines until these are answered, and the last of them."""
        lines, waiting = [], set(tags)
        while waiting:
            line = self.response()
            word, _, rest = line.partition(b" ")
            if word == b"*":
                lines.append(rest)
            elif word in waiting:
                if not rest.startswith(b"OK"):
                    raise Odd(f"{line!r}")
                waiting.remove(word)
            else:
                raise Odd(f"nobody asked for {line[:200]!r}")
        self.world.count("imap answers", len(tags))
        return lines

    def ask(self, *commands):
        """All at once."""
        tags = [self.tag() for _ in commands]
        self.send(b"".join(tag + b" " + command.encode() + b"\r\n" for tag, command in zip(tags, commands)))
        return self.until(tags)

    # what people do

    def mark(self):
        asked = time.monotonic()
        lines = self.ask('LIST "" "in-*"')
        sides = {match[1].decode() for line in lines if (match := re.search(rb"in-(old|new)$", line))}
        if len(sides) != 1:
            raise Odd(f"sides {sides} in {lines}")
        self.world.seen("imap", self.account, sides.pop(), asked, time.monotonic())

    def mark_by_header(self):
        asked = time.monotonic()
        found = re.search(rb"X-Side: (old|new)", b" ".join(self.ask("FETCH 1 BODY.PEEK[HEADER]")))
        if not found:
            raise Odd("a message without its mark")
        self.world.seen("imap", self.account, found[1].decode(), asked, time.monotonic())

    def noops(self):
        self.ask(*["NOOP"] * self.random.randrange(1, 20))

    def fetch(self):
        self.ask("FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[])")

    def pipeline(self):
        self.ask("NOOP", "SEARCH ALL", 'STATUS "Sent" (MESSAGES)', "FETCH 1 (FLAGS)", "CHECK", 'LIST "" "*"', "SELECT INBOX", "NOOP")

    def idle(self):
        tag = self.tag()
        self.send(tag + b" IDLE\r\n")
        while not (line := self.response()).startswith(b"+"):
            if not line.startswith(b"* "):
                raise Odd(f"{line!r} to IDLE")
        self.sock.settimeout(0.1 + self.random.random())
        with contextlib.suppress(Silence):
            while (line := self.response()).startswith(b"* "):
                pass
            raise Odd(f"{line!r} in IDLE")
        self.sock.settimeout(SECONDS)
        self.send(b"DONE\r\n")
        self.until([tag])

    def append(self):
        name, message = self.message()
        tag, waits = self.tag(), self.random.random() < 0.5
        self.send(tag + b" APPEND Sent {%d%s}\r\n" % (len(message), b"" if waits else b"+"))
        if waits:
            while not (line := self.response()).startswith(b"+"):
                if not line.startswith(b"* "):
                    raise Odd(f"{line!r} to APPEND")
        half = self.random.randrange(len(message))
        self.send(message[:half])
        time.sleep(self.random.random() * 0.1)
        self.send(message[half:] + b"\r\n")
        self.until([tag])
        self.acknowledged(name)


class Pop3Person(Person):
    protocol = "pop3"

    def session(self):
        self.is_in = False
        self.one(None)
        self.one("USER " + self.account)
        self.one("PASS secret")
        self.is_in = True
        self.world.count("pop3 logins")
        for _ in range(self.random.randrange(1, 15)):
            asked = time.monotonic()
            found = re.search(rb"X-Side: (old|new)", self.many("TOP 1 0"))
            if not found:
                raise Odd("a message without its mark")
            self.world.seen("pop3", self.account, found[1].decode(), asked, time.monotonic())
            self.send(b"STAT\r\nLIST\r\nNOOP\r\nUIDL\r\nRETR 1\r\nRSET\r\n")
            for read in (self.answer, self.body, self.answer, self.body, self.body, self.answer):
                read()
            self.pause(1)
        self.one("QUIT")
        self.nothing_more()

    def answer(self):
        """Its end comes between answers, and silently, or as the refusal of a command that is read while it ends."""
        line = self.line()
        if line is None and self.is_in:
            raise Ended
        if self.is_in and line.startswith(b"-ERR [SYS/TEMP]"):
            while self.line() is not None:  # those of further commands
                pass
            raise Ended
        if not (line or b"").startswith(b"+OK"):
            raise Odd(f"{line!r}")
        self.world.count("pop3 answers")
        return line

    def one(self, line):
        if line is not None:
            self.send(line.encode() + b"\r\n")
        return self.answer()

    def body(self):
        self.answer()
        lines = []
        while (line := self.line()) != b".":
            if line is None:
                raise Odd("closed within an answer")
            lines.append(line)
        return b"\n".join(lines)

    def many(self, line):
        self.send(line.encode() + b"\r\n")
        return self.body()


class SievePerson(Person):
    protocol = "sieve"

    def session(self):
        self.leaves = False
        self.answer()
        self.ask(b'AUTHENTICATE "PLAIN" "' + self.plain() + b'"')
        self.world.count("sieve logins")
        for _ in range(self.random.randrange(1, 15)):
            asked = time.monotonic()
            found = re.search(rb'"side-(old|new)"', b" ".join(self.ask(b"LISTSCRIPTS")))
            if not found:
                raise Odd("no mark among the scripts")
            self.world.seen("sieve", self.account, found[1].decode(), asked, time.monotonic())
            script = b"# " + b"x" * self.random.randrange(1, 3000) + b"\r\nkeep;\r\n"
            self.send(b'NOOP\r\nPUTSCRIPT "own" {%d+}\r\n%s\r\nGETSCRIPT "own"\r\nLISTSCRIPTS\r\n' % (len(script), script))
            for _ in range(4):
                self.answer()
            self.pause(1)
        self.leaves = True
        self.ask(b"LOGOUT")
        self.nothing_more()

    def ask(self, line):
        self.send(line + b"\r\n")
        return self.answer()

    def answer(self):
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise Odd("closed without a word")
            if re.match(rb"BYE\b", line):
                if not line.startswith(b"BYE (TRYLATER) "):
                    raise Odd(f"an end that was not announced: {line!r}")
                self.nothing_more()
                raise Ended
            if re.match(rb"NO\b", line):
                raise Odd(f"{line!r}")
            if re.match(rb"OK\b", line):
                self.world.count("sieve answers")
                return lines
            literal = re.search(rb"\{(\d+)\}$", line)
            lines.append(line + (self.exactly(int(literal[1])) if literal else b""))


class SubmissionPerson(Person):
    protocol = "submission"

    def session(self):
        self.reply(b"220")
        self.ask(b"EHLO person.example.org", b"250")
        self.ask(b"AUTH PLAIN " + self.plain(), b"235")
        self.world.count("submission logins")
        for _ in range(self.random.randrange(1, 10)):
            asked = time.monotonic()
            found = re.match(rb"250-(old|new)\.example\.org", self.ask(b"EHLO person.example.org", b"250"))
            if not found:
                raise Odd("no name in the reply to EHLO")
            self.world.seen("submission", self.account, found[1].decode(), asked, time.monotonic())
            self.mail()
            self.pause(1)
        self.ask(b"QUIT", b"221")
        self.nothing_more()

    def mail(self):
        name, message = self.message()
        self.send(b"MAIL FROM:<%s>\r\nRCPT TO:<x@foreign.invalid>\r\nDATA\r\n" % self.account.encode())
        for code in (b"250", b"250", b"354"):
            self.reply(code)
        half = self.random.randrange(len(message))
        self.send(message[:half])
        time.sleep(self.random.random() * 0.1)
        self.send(message[half:] + b".\r\n")
        self.reply(b"250")
        self.acknowledged(name)

    def ask(self, line, code):
        self.send(line + b"\r\n")
        return self.reply(code)

    def reply(self, code):
        lines = []
        while True:
            line = self.line()
            if line is None:
                raise Odd("closed without a word")
            if line.startswith(b"421 4.3.2 "):
                self.nothing_more()
                raise Ended
            if line[:3] != code or line[3:4] not in (b" ", b"-"):
                raise Odd(f"{line!r} instead of {code!r}")
            lines.append(line)
            if line[3:4] == b" ":
                self.world.count("submission answers")
                return b"\n".join(lines)


class MbsyncPerson(Person):
    """mbsync again and again, at times into an empty directory. Both sides have the same messages; the flags of the one
    called "mark" tell them apart."""

    protocol = "imap"
    END = re.compile(r"BYE.*\[UNAVAILABLE\]")
    USUAL = re.compile(r"Maildir notice: no UIDVALIDITY, creating new\.\n|\*\*\* IMAP Warning \*\*\* Password is being sent in the clear\n")

    def __init__(self, world, account, number, directory):
        super().__init__(world, account, number)
        self.name = f"mbsync {account}"
        self.directory = directory
        self.config = os.path.join(directory, "mbsyncrc")
        self.near = os.path.join(directory, "near")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"IMAPAccount far\nHost 127.0.0.1\nPort {world.ports['imap']}\nUser {account}\nPass secret\nSSLType None\n"
                    f"AuthMechs LOGIN\nTimeout {SECONDS}\n\nIMAPStore far\nAccount far\n\nMaildirStore near\nPath {self.near}/\n"
                    f"Inbox {self.near}/INBOX\n\nChannel all\nFar :far:\nNear :near:\nPatterns INBOX\nSync Pull\nCreate Near\n"
                    "SyncState *\n")

    def begin(self):
        if self.random.random() < 0.3:
            shutil.rmtree(self.near, ignore_errors=True)
        os.makedirs(self.near, exist_ok=True)

    def session(self):
        asked = time.monotonic()
        done = subprocess.run(["mbsync", "-Dn", "-c", self.config, "-a"], capture_output=True, text=True, timeout=SECONDS + 30,
                              env={"HOME": self.directory, "PATH": os.environ["PATH"]}, check=False)
        said = done.stdout + done.stderr
        if self.END.search(said):  # which is no error to mbsync where it has just said LOGOUT
            self.world.count("mbsync runs ended by the server")
            shutil.rmtree(self.near)  # of a run that was ended nobody knows what it has pulled
            raise Ended
        if done.returncode != 0 or self.USUAL.sub("", done.stderr):
            raise Odd(f"mbsync: {done.returncode}: {done.stderr} {done.stdout[-500:]}")
        self.world.count("mbsync runs")
        self.world.seen("imap", self.account, self.side(), asked, time.monotonic())
        self.pause(0.5)

    def side(self):
        for folder in ("cur", "new"):
            for name in os.listdir(os.path.join(self.near, "INBOX", folder)):
                with open(os.path.join(self.near, "INBOX", folder, name), "rb") as f:
                    if b"Subject: mark" in f.read(2000):
                        return "old" if "F" in name.rpartition(":2,")[2] else "new"
        raise Odd("no mark was pulled")
