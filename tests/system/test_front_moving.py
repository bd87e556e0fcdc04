"""Accounts are held and flipped at random while people use them, through the front, with two real servers behind it.

Each account has five IMAP clients, and one each of POP3, ManageSieve and submission; other accounts are pulled by mbsync.
Each side has marks that its answers show: who answers is compared with the times at which changes were begun and
confirmed. A side may answer from the moment its turn was begun to the one at which its end was confirmed, and nobody
may under a hold that was confirmed (but submission). Messages that were acknowledged are where they were taken, once.
"""

import imaplib
import os
import random
import re
import shutil
import ssl
import threading
import time
import unittest

from lab import people
from lab.case import FULL, LabCase
from lab.certs import Authority
from lab.core import wait_for
from lab.front import Frontd
from lab.imap_script import ImapClient
from lab.mail_home import mail_home
from lab.redis import Redis

SECONDS = 330 if FULL else 20
ACCOUNTS = [f"user{i}@example.org" for i in range(6 if FULL else 3)]
SYNCED = [f"sync{i}@example.org" for i in range(3 if FULL else 1)]
PROTOCOLS = ("imap", "pop3", "submission", "sieve")
IMAP_EACH = 5  # two of them with TLS
MOVERS = 2
HOLD_MOST = 3  # seconds; and now and then
HOLD_LONG = 12 if FULL else 5
NEVER = float("inf")


class Timeline:
    """Who may answer for each account, and when. A window is [side, begin, end]."""

    def __init__(self, accounts):
        now = time.monotonic()
        self.lock = threading.Lock()
        self.owners = {account: "old" for account in accounts}
        self.windows = {(account, kind): [["old", now, NEVER]] for account in accounts for kind in ("parked", "free")}

    @staticmethod
    def kind(protocol):
        return "free" if protocol == "submission" else "parked"  # by a hold

    def opens(self, account, kind, side):
        """Before a change is begun that lets it answer."""
        with self.lock:
            self.windows[account, kind].append([side, time.monotonic(), NEVER])

    def closes(self, account, kind, side):
        """Behind the confirmation that it does no more; not those windows that a later change has opened."""
        now = time.monotonic()
        with self.lock:
            for window in self.windows[account, kind]:
                if window[0] == side and window[2] == NEVER:
                    window[2] = now

    def may_answer(self, protocol, account, side, asked, came):
        with self.lock:
            return any(window[0] == side and window[1] <= came and asked <= window[2]
                       for window in self.windows[account, self.kind(protocol)])

    def story(self, protocol, account):
        with self.lock:
            return [(side, round(begin, 3), round(end, 3)) for side, begin, end in self.windows[account, self.kind(protocol)][-4:]]


class Mover(threading.Thread):
    """Holds and flips its accounts, each change confirmed, until the world ends. At the end nothing is held."""

    def __init__(self, test, world, accounts, number):
        super().__init__(name=f"mover {number}", daemon=True)
        self.test, self.world, self.timeline, self.accounts = test, world, world.timeline, accounts
        self.random = random.Random(number)

    def run(self):
        try:
            while not self.world.over.is_set():
                account = self.random.choice(self.accounts)
                self.random.choice((self.flip, self.hold, self.hold_and_flip, self.hold_and_flip))(account)
                self.world.over.wait(self.random.random())
        except BaseException as e:  # whatever it is, it is told
            self.world.fault(f"{self.name}: {type(e).__name__}: {e}")

    def confirmed(self, *words):
        began = time.monotonic()
        done = self.test.front.splitmx(*words, "--wait", 30, check=False)
        if done.returncode != 0:
            raise people.Odd(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        self.world.count("confirmations")
        with self.world.lock:
            self.test.waits.append(time.monotonic() - began)

    def flip(self, account, is_held=False):
        owner = self.timeline.owners[account]
        other = "new" if owner == "old" else "old"
        for kind in ("free",) if is_held else ("free", "parked"):
            self.timeline.opens(account, kind, other)
        self.confirmed("set", account, other, "--force", "--yes")
        for kind in ("free", "parked"):
            self.timeline.closes(account, kind, owner)
        self.timeline.owners[account] = other
        self.world.count("flips under a hold" if is_held else "flips")

    def hold(self, account, work=None):
        self.test.redis.cli("SET", f"splitmx:hold:{account}", "all:test", "EX", 600)
        self.confirmed("barrier", account)
        self.timeline.closes(account, "parked", self.timeline.owners[account])
        self.world.count("holds")
        time.sleep(self.random.random() * (HOLD_LONG if self.random.random() < 0.1 else HOLD_MOST))
        if work:
            work(account, True)
        self.timeline.opens(account, "parked", self.timeline.owners[account])
        self.test.redis.cli("DEL", f"splitmx:hold:{account}")

    def hold_and_flip(self, account):
        self.hold(account, self.flip)


class MovingTest(LabCase):
    @classmethod
    def furnish(cls):
        cls.redis = Redis(cls.lab)
        cls.homes = {name: mail_home(cls.lab, name, ACCOUNTS + SYNCED) for name in ("old", "new")}
        cls.fill()
        authority = Authority(cls.lab)
        certificate, key = authority.sign("front.example.org", "127.0.0.1")
        cls.front = Frontd(cls.lab, cls.homes, redis=cls.redis,
                           settings={"frontd": {"workers": 2, "certificates": [{"cert_file": certificate, "key_file": key}]}},
                           listen=[(protocol, "none") for protocol in PROTOCOLS] + [("imap", "implicit")])
        cls.context = ssl.create_default_context(cafile=authority.ca)
        cls.redis.cli("SET", "splitmx:owner:@example.org", "old")
        cls.waits = []  # for confirmations

    # marks

    @classmethod
    def fill(cls):
        for name, home in cls.homes.items():
            for account in ACCOUNTS:
                with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                    client.login(account, "secret")
                    client.create(f"in-{name}")
                    client.create("Sent")
                    cls.append(client, f"X-Side: {name}\r\nSubject: mark\r\n\r\ntext\r\n")
                    for i in range(20):
                        cls.append(client, f"Subject: {i}\r\n\r\n" + "x\r\n" * (i * 100))
                cls.put_script(home, account, f"side-{name}")
        for account in SYNCED:
            cls.fill_alike(account)

    @staticmethod
    def append(client, text):
        status = client.append("INBOX", None, None, text.encode())
        if status[0] != "OK":
            raise people.Odd(status)

    @classmethod
    def put_script(cls, home, account, name):
        person = people.SievePerson(people.World({"sieve": home.ports["sieve"]}, None), account, 0)
        person.begin()
        person.leaves = False
        person.answer()
        person.ask(b'AUTHENTICATE "PLAIN" "' + person.plain() + b'"')
        person.ask(f'PUTSCRIPT "{name}" "keep;"'.encode())
        person.sock.close()

    @classmethod
    def fill_alike(cls, account):
        """The same mailbox on both sides, as a copy would leave it; but for the flags of the mark."""
        old, new = cls.homes["old"], cls.homes["new"]
        with imaplib.IMAP4("127.0.0.1", old.imap_port) as client:
            client.login(account, "secret")
            cls.append(client, "Subject: mark\r\n\r\ntext\r\n")
            for i in range(60):
                cls.append(client, f"Subject: {i}\r\n\r\n" + "x" * 76 + "\r\n" * (i * 20))
        shutil.copytree(os.path.join(old.dir, "home", account), os.path.join(new.dir, "home", account), dirs_exist_ok=True)
        cls.lab.run(["chown", "-R", "mail:mail", os.path.join(new.dir, "home", account)])
        for home, flag in ((old, r"\Flagged"), (new, r"\Answered")):
            with imaplib.IMAP4("127.0.0.1", home.imap_port) as client:
                client.login(account, "secret")
                client.select("INBOX")
                client.store("1", "FLAGS", flag)

    # the test

    def begin(self, world):
        clients = []
        for account in ACCOUNTS:
            clients += [people.ImapPerson(world, account, i) for i in range(IMAP_EACH)]
            clients += [kind(world, account, 0) for kind in (people.Pop3Person, people.SievePerson, people.SubmissionPerson)]
        for account in SYNCED:
            clients.append(people.MbsyncPerson(world, account, 0, os.path.dirname(self.lab.path("mbsync", account, "x"))))
        every = ACCOUNTS + SYNCED
        return clients + [Mover(self, world, every[i::MOVERS], i) for i in range(MOVERS)]

    def test_people_notice_nothing_but_the_ends_that_are_announced(self):
        timeline = Timeline(ACCOUNTS + SYNCED)
        ports = {tls: {protocol: port for (protocol, mode), port in self.front.ports.items() if mode == tls}
                 for tls in ("none", "implicit")}
        world = people.World(ports["none"], timeline, (ports["implicit"], self.context))
        threads = self.begin(world)
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and len(world.wrong) < 20:
            time.sleep(0.2)
        world.over.set()
        for thread in threads:
            thread.join(people.SECONDS)
        self.report(world)
        self.assertEqual([], world.wrong)
        self.assertEqual([], [thread.name for thread in threads if thread.is_alive()])
        self.check_counts(world)
        self.check_log()
        self.check_messages(world)

    def report(self, world):
        waits = sorted(self.waits)
        self.figures(f"{SECONDS} s: " + ", ".join(f"{n} {what}" for what, n in sorted(world.counts.items())))
        if waits:
            self.figures(f"confirmed after {waits[len(waits) // 2]:.2f} s at the median, {waits[-1]:.2f} s at most; "
                         f"{len(world.wrong)} faults")

    def check_counts(self, world):
        """Everything has happened."""
        for what in ("flips", "holds", "flips under a hold", "mbsync runs",
                     *[f"{protocol} {thing}" for protocol in PROTOCOLS for thing in ("marks", "sessions ended by the server")]):
            self.assertGreater(world.counts.get(what, 0), 0, what)

    def check_log(self):
        """No login was refused, and no session ended but by its client or its account's move."""
        self.assertEqual([], self.front.log_lines(r"\b(login_refused|login_in_trouble|session_stuck|login_stuck|backend_avoided)\b"))
        whys = {re.search(r"why=(\w+)", line)[1] for line in self.front.log_lines("session_ended")}
        self.assertLessEqual(whys, {"moved", "client_closed", "client_failed", "backend_closed"})
        for home in self.homes.values():
            with open(home.log, encoding="utf-8", errors="backslashreplace") as f:
                self.assertEqual([], [line for line in f if re.search(r"auth failed|unknown user|Password mismatch", line)])

    def check_messages(self, world):
        """Taken once where it was acknowledged, and never more than once."""
        names = re.compile(r"m\d+-user\d+")
        found = []
        for home in self.homes.values():
            for account in ACCOUNTS:
                client = ImapClient(home.imap_port)
                client.login(account)
                client.ask('s SELECT "Sent"')
                client.say("f FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
                found += names.findall(b"".join(client.until("f")).decode())
                client.close()
            found += [names.search(line)[0] for line in home.postfix.log_lines(r"cleanup\[\d+\]: \w+: message-id=<m\d+")]
        twice = sorted({name for name in found if found.count(name) > 1})
        self.assertEqual([], twice)
        self.assertEqual(set(), world.taken - set(found))
        self.assertLessEqual(set(found), world.sent)
        self.figures(f"{len(world.taken)} messages acknowledged, {len(found)} found, none twice")


if __name__ == "__main__":
    unittest.main()
